"""The timetable of a plan on its study, and its feed: built, written and validated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.errors import InfeasibleError
from owlbus.progress import current_progress
from owlbus.timetable import Operation, build_timetable

if TYPE_CHECKING:
    from owlbus.gtfs import FeedCheck, FeedSettings
    from owlbus.pipeline.runs import Scored
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.rundir import RunDir
    from owlbus.timetable import Timetable, TimetableReport

CITY_ZONES = {"seoul": "Asia/Seoul"}
"""IANA zone by name of a sample city."""

GTFS_FILE = "gtfs.zip"

_DEGREES_AN_HOUR = 15


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """
    A timetable in a run directory.

    Attributes
    ----------
    timetable, report
        Runs of one night, times in seconds, and how they came about.
    check
        What the validator says of the feed.
    """

    timetable: Timetable
    report: TimetableReport
    check: FeedCheck


def feed_of(study: Study) -> FeedSettings:
    """
    Settings of a study's feed: half a year from the Monday after its last night.

    Parameters
    ----------
    study
        Grid, demand and network.

    Returns
    -------
    FeedSettings
        In the city's zone; without a city, in the zone of whole hours from UTC at the grid's longitude in degrees.
    """
    from owlbus.gtfs import FeedSettings

    zone = CITY_ZONES.get(study.city.name) if study.city is not None else None
    if zone is None:
        hours = round(float(study.grid.lon.mean()) / _DEGREES_AN_HOUR)
        zone = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
    return FeedSettings.after(max((night for night in study.demand.nights if night is not None), default=None), zone)


def timetable_of(study: Study, plan: Plan, operation: Operation) -> tuple[Timetable, TimetableReport]:
    """
    Timetable of a plan on a study's demand.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        Routes on the study's network.
    operation
        Fleet in buses, headways in seconds.

    Returns
    -------
    Timetable, TimetableReport
        Runs of one night, and how they came about.

    Raises
    ------
    InfeasibleError
        If the fleet is too small for the policy headway.
    """
    current_progress().step("Build the timetable")
    return build_timetable(study.network, plan, study.demand, operation)


def add_timetable(run: RunDir, study: Study, best: Scored) -> Written:
    """
    Add the feed of a plan to a run directory and say what the validator finds.

    The fleet is the scorecard's; where it is too small for the policy headway, the fewest buses that hold it.

    Parameters
    ----------
    run
        Where files gather.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, whose buses are counted for a headway in seconds.

    Returns
    -------
    Written
        The timetable and the validator's findings.
    """
    from owlbus.gtfs import check_gtfs, write_gtfs

    operation = Operation(fleet=max(1, best.card.total_buses), max_headway_s=max(3600, best.card.headway_s))
    try:
        timetable, report = timetable_of(study, best.plan, operation)
    except InfeasibleError:
        timetable, report = timetable_of(study, best.plan, replace(operation, fleet=None))
    feed = feed_of(study)
    path = run.stage(GTFS_FILE)
    write_gtfs(path, study.network, timetable, feed, change_s=operation.change_s)
    check = check_gtfs(path, feed.start_date)
    current_progress().step(f"Feed of {timetable.n_runs} runs of {timetable.fleet} buses, {check}")
    for line in check.lines:
        current_progress().step(f"Feed, {line}")
    return Written(timetable, report, check)
