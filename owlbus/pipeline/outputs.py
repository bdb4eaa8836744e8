"""Files of a run directory: plan, scorecards, timetable and feed, map and report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import InfeasibleError
from owlbus.common.progress import current_progress
from owlbus.common.text import how_many
from owlbus.demand.hour_profile import with_even_hours
from owlbus.pipeline.busiest_reach import busiest_reach
from owlbus.pipeline.day_services import DAYS_FILE, day_services, day_types_of, days_document, feed_timetables
from owlbus.pipeline.run_json import GTFS_FILE
from owlbus.pipeline.study import write_study
from owlbus.plan import plan_geojson, stops_geojson
from owlbus.timetable import Operation, build_timetable, timetable_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.gtfs import FeedCheck, FeedInfo
    from owlbus.gtfs.services import Timetables
    from owlbus.pipeline.plan_run import ScoredPlan
    from owlbus.pipeline.rundir import RunDir, RunRecord
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.timetable import DayType, Timetable, TimetableReport


@dataclass(frozen=True, slots=True, eq=False)
class WrittenTimetable:
    """
    A timetable in a run directory.

    Attributes
    ----------
    documents
        As `owlbus.timetable.timetable_document` gives them, times in seconds, by day type; that of every night has no name.
    check
        Findings of the validator on the feed.
    days
        Service by day type as `owlbus.pipeline.day_services.days_document` returns it; None for every night alike.
    night
        Runs of every night; None with day types.
    """

    documents: Mapping[str, Mapping[str, Any]]
    check: FeedCheck
    days: Mapping[str, Any] | None = None
    night: Timetable | None = None


def feed_of(study: Study, agency_timezone: str | None = None) -> FeedInfo:
    """
    Settings of a study's feed: half a year from the Monday after its last night.

    Parameters
    ----------
    study
        Grid, demand and network.
    agency_timezone
        IANA name; None takes that of the network's place.

    Returns
    -------
    FeedInfo
        With a time zone.

    Raises
    ------
    UsageError
        If the zone is unknown, or none is given and the place does not tell one.
    """
    from owlbus.gtfs import FeedInfo
    from owlbus.gtfs.place_timezone import in_place
    from owlbus.network.latin_names import local_language

    night = max((night for night in study.demand.nights if night is not None), default=None)
    named = {"language": local_language(study.network)} if any(study.network.stop_names_latin) else {}
    return in_place(FeedInfo.after(night, agency_timezone, **named), study.network)


def timetable_of(study: Study, plan: Plan, operation: Operation) -> tuple[Timetable, TimetableReport]:
    """
    Timetable of a plan on a study's demand; headways are chosen for trips spread evenly where their hours are unknown.

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
        Runs of one night, and how they were chosen.

    Raises
    ------
    InfeasibleError
        If the fleet is too small for the policy headway.
    """
    current_progress().step("Build the timetable")
    return build_timetable(study.network, with_even_hours(study.demand), plan, operation, min_count=study.min_count)


def timetable_of_plan(study: Study, plan: Plan, n_buses: int, headway_s: int) -> tuple[Timetable, TimetableReport, Operation]:
    """
    Timetable that goes with the scorecard of a plan.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        Routes on the study's network.
    n_buses
        Fleet of the scorecard; if it is too small for the policy headway, the fewest buses that keep that are taken.
    headway_s
        Headway of the scorecard in seconds; the policy headway is an hour, or this if it is longer.

    Returns
    -------
    Timetable, TimetableReport, Operation
        Runs of one night, how they were chosen, and the settings asked for.
    """
    operation = Operation(fleet=max(1, n_buses), max_headway_s=max(3600, headway_s))
    try:
        return *timetable_of(study, plan, operation), operation
    except InfeasibleError:
        return *timetable_of(study, plan, replace(operation, fleet=None)), operation


def add_timetable(
    run: RunDir, study: Study, best: ScoredPlan, feed: FeedInfo | None = None, day_types: Sequence[DayType] = ()
) -> WrittenTimetable:
    """
    Add the GTFS feed of a plan to a run directory and validate it.

    The fleet is that of the scorecard. If it is too small for the policy headway, it is the smallest fleet that is not.

    Parameters
    ----------
    run
        The run directory.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, whose buses are counted for a headway in seconds.
    feed
        Dates and time zone of the feed; those of `feed_of` if None.
    day_types
        Days of the week with a timetable of their own; none for every night alike.

    Returns
    -------
    WrittenTimetable
        The timetable and the validator's findings.
    """
    from owlbus.gtfs import check_gtfs, write_gtfs
    from owlbus.gtfs.services import clock_notes, first_full_night

    timetables: Timetables
    days, night = None, None
    if day_types:
        current_progress().step("Build the timetables of the day types")
        services = day_services(study, best.plan, day_types, best.card.rule)
        days, timetables = days_document(study, best.plan, services), feed_timetables(study, best.plan, services)
        documents = {each["name"]: each["timetable"] for each in days["day_types"]}
        change_s, size = services[0].operation.change_s, f"{len(services)} day types"
    else:
        night, report, operation = timetable_of_plan(study, best.plan, best.card.total_buses, best.card.headway_s)
        timetables, documents = night, {"": timetable_document(night, report)}
        change_s, size = operation.change_s, f"{how_many(night.n_runs, 'run')} of {how_many(night.fleet, 'bus')}"
    feed = feed or feed_of(study)
    path = run.stage(GTFS_FILE)
    write_gtfs(path, study.network, timetables, feed, change_s=change_s)
    check = check_gtfs(path, first_full_night(timetables, feed))
    current_progress().step(f"Feed of {size}, {check}")
    for line in (*clock_notes(timetables, feed), *check.lines):
        current_progress().step(f"Feed, {line}")
    return WrittenTimetable(documents, check, days, night)


def write_run(
    run: RunDir,
    study: Study,
    best: ScoredPlan,
    reference: ScoredPlan | None = None,
    *,
    title: str = "Night routes",
    record: RunRecord | None = None,
    feed: FeedInfo | None = None,
    language: str = "en",
) -> WrittenTimetable | None:
    """
    Add a study and its plan to a run directory: data, plan, stops, scorecards, the feed of its timetable, map, tables and report.

    With ``days`` among the settings of `record`, each day type has headways of its own, in ``days.json`` too.

    Parameters
    ----------
    run
        The run directory; `RunDir.publish` makes the files visible.
    study
        Grid, demand and network.
    best
        The plan and its scorecard.
    reference
        A plan to compare it with, or None.
    title
        Line above the map; lengths are in metres and people per night.
    record
        Content of ``run.json``, for the report; times in seconds.
    feed
        Dates and time zone of the feed; those of `feed_of` if None.
    language
        Of the report, ``en`` or ``ko``.

    Returns
    -------
    WrittenTimetable or None
        None for a plan without routes.
    """
    from owlbus.plot.maps import draw_map, write_map
    from owlbus.report.map_labels import map_labels
    from owlbus.report.translations import read_translations

    current_progress().step("Write the run directory")
    write_study(run, study)
    write_scored(run, study, best, reference)
    day_types = () if record is None else day_types_of(record.settings)
    written = add_timetable(run, study, best, feed, day_types) if best.plan.routes else None
    if written is not None and written.days is not None:
        run.write_json(DAYS_FILE, written.days)
    city = study.city
    figure = draw_map(
        study.network,
        study.demand.presence_by_hex(),
        best.plan,
        title=title,
        note=map_note(study),
        water=() if city is None or not len(city.river) else (city.river,),
        hills=() if city is None else city.mountains,
        min_count=study.min_count,
        labels=map_labels(study.city, study.places, read_translations()),
    )
    write_map(run.stage("map.png"), figure)
    reach = None if written is None or written.night is None else busiest_reach(study, written.night)
    write_plan_report(run, study, best, reference, record=record, timetable=written, reach=reach, language=language)
    return written


def write_scored(run: RunDir, study: Study, best: ScoredPlan, reference: ScoredPlan | None = None) -> None:
    """
    Add a plan and the one that it is compared with to a run directory: routes, stops and scorecards.

    Parameters
    ----------
    run
        The run directory.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, trips and people a night.
    reference
        A plan to compare it with, or None.
    """
    headway_s = best.card.headway_s
    run.write_bytes("plan.geojson", plan_geojson(study.network, best.plan, headway_s))
    run.write_bytes("stops.geojson", stops_geojson(study.network, best.plan))
    run.write_bytes("scorecard.json", best.card.to_json().encode())
    if reference is not None:
        run.write_bytes("reference.geojson", plan_geojson(study.network, reference.plan, headway_s))
        run.write_bytes("reference_scorecard.json", reference.card.to_json().encode())


def write_plan_report(
    run: RunDir,
    study: Study,
    best: ScoredPlan,
    reference: ScoredPlan | None = None,
    *,
    record: RunRecord | None = None,
    sweep: Mapping[str, Any] | None = None,
    timetable: WrittenTimetable | None = None,
    reach: Mapping[str, Any] | None = None,
    language: str = "en",
) -> None:
    """
    Add the tables and the report of a plan to a run directory.

    Parameters
    ----------
    run
        The run directory.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, trips and people a night.
    reference
        A plan to compare it with, or None.
    record
        Content of ``run.json``; times in seconds.
    sweep
        The settings that the plan is one of, as ``sweep.json`` holds them, or None.
    timetable
        As `add_timetable` returns it, or None.
    reach
        As `owlbus.pipeline.busiest_reach.busiest_reach` gives it, or None.
    language
        ``en`` or ``ko``.
    """
    from owlbus.pipeline.report_content import OWN_NAME, report_content
    from owlbus.pipeline.run_tables import write_plan_tables
    from owlbus.pipeline.rundir import describe_run
    from owlbus.report import PlanContent, write_report
    from owlbus.report.sheets import rows_sheet

    own = PlanContent(OWN_NAME, best.plan, best.card.to_dict())
    compared = None if reference is None else PlanContent(reference.name, reference.plan, reference.card.to_dict())
    about = {} if record is None else describe_run(record)
    days = None if timetable is None else timetable.days
    content = report_content(study, own, compared, about, sweep=sweep, reach=reach, has_tables=True, days=days)
    documents = {} if timetable is None else timetable.documents
    write_plan_tables(run, study, own, content.missing or (), documents, () if sweep is None else [rows_sheet("sweep", sweep["points"])])
    write_report(run.stage("report.html"), content, language)


def map_note(study: Study) -> str:
    """
    Note under the title of a map: whether the demand is synthetic, and what the hexes show.

    Parameters
    ----------
    study
        Grid, demand and network.

    Returns
    -------
    str
        One or two sentences; counts are people a night.
    """
    hours = f"{study.demand.hours[0] % 24:02d} to {(study.demand.hours[-1] + 1) % 24:02d} h"
    if study.is_synthetic:
        return (
            f"SYNTHETIC demand, {hours}: drawn from known night spots and residents, calibrated to the city's 42 %. Places are approximate."
        )
    return f"Demand of {study.demand.n_nights} {'night' if study.demand.n_nights == 1 else 'nights'}, {hours}, from {study.demand.source}."
