"""A plan run as a run directory, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.pipeline.outputs import feed_of, write_run
from owlbus.pipeline.request import settings_of
from owlbus.pipeline.rundir import RunRecord, open_run_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.pipeline.plan_run import PlanRun, ScoredPlan


def plan_record(plan_run: PlanRun, reference: ScoredPlan | None, settings: Mapping[str, Any]) -> RunRecord:
    """
    Content of ``run.json`` of a plan run.

    Parameters
    ----------
    plan_run
        Study, request, result and plan.
    reference
        Reference plan, or None.
    settings
        Settings by name; lengths in metres, times in seconds.

    Returns
    -------
    RunRecord
        Shares as they are printed, 0 to 1.
    """
    return RunRecord(
        "plan",
        {**settings, "reference_name": None if reference is None else reference.name},
        plan_run.request.seed,
        plan_run.study.inputs,
        plan_run.ended_by,
        plan_run.timings_s,
        plan_run.objective_share,
        plan_run.bound_share,
        plan_run.study.notes,
        plan_run.study.network.walk_rule,
        plan_run.study.min_count,
        None if plan_run.shown_spread is None else plan_run.shown_spread.to_dict(),
        plan_run.pool_bound,
        plan_run.unseen_by_bound,
        plan_run.published_bound,
    )


def save_run(
    path: str | PathLike[str],
    plan_run: PlanRun,
    reference: ScoredPlan | None = None,
    *,
    title: str = "Night routes",
    agency_timezone: str | None = None,
    language: str = "en",
) -> tuple[str, ...]:
    """
    Write the run directory of a plan run: plan, scorecard, GTFS feed, map, tables and report, as ``owlbus plan`` does.

    Published counts are rounded as the study says. `owlbus.read_study`, the editor and all commands that go on from an earlier run take it.

    Parameters
    ----------
    path
        The directory: absent, empty or an earlier run, which is replaced.
    plan_run
        What `owlbus.best_plan` returned.
    reference
        A plan to compare it with, such as `owlbus.score_study` returns it, or None.
    title
        Line above the map.
    agency_timezone
        IANA name of the feed's time zone; that of the place if None.
    language
        Of the report, ``en`` or ``ko``.

    Returns
    -------
    tuple of str
        Names of the files in the directory.

    Raises
    ------
    UsageError
        If the directory cannot be written or holds other files, or the place lies in no country's time zone.
    """
    study = plan_run.study
    city = None if study.city is None else study.city.name
    settings = {"city": city, "is_synthetic": study.is_synthetic, "agency_timezone": agency_timezone}
    settings |= settings_of(plan_run.request)
    record = plan_record(plan_run, reference, settings)
    feed = feed_of(study, agency_timezone)
    with open_run_dir(path) as run:
        write_run(run, study, plan_run.best, reference, title=title, record=record, feed=feed, language=language)
        run.publish(record)
    return tuple(sorted(file.name for file in Path(path).iterdir()))
