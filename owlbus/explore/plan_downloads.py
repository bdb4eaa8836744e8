"""The edited plan as a file to take along: GeoJSON, GeoPackage, GTFS, and one report with the edited and the opened plan."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.explore.compare_runs import compared
from owlbus.explore.handler_table import Document
from owlbus.pipeline.day_services import day_services, feed_timetables
from owlbus.pipeline.outputs import feed_of, timetable_of_plan
from owlbus.pipeline.report_content import OWN_NAME, comparison_contents, report_content
from owlbus.pipeline.rundir import RunRecord, describe_run
from owlbus.plan import plan_geojson, plan_measures, stops_geojson
from owlbus.plan.geopackage import geopackage_of
from owlbus.report import PlanContent, report_html
from owlbus.score import score_plan

if TYPE_CHECKING:
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.gtfs.services import Timetables
    from owlbus.plan import Plan

FORMS = ("geojson", "gpkg", "gtfs")
"""Forms of a plan to take along."""


def plan_download(run: OpenedRun, plan: Plan, form: object) -> Document:
    """
    Plan as a file.

    Parameters
    ----------
    run
        The opened run; its headway in seconds counts the buses.
    plan
        The plan.
    form
        One of `FORMS`.

    Returns
    -------
    Document
        The file; the same bytes as in a saved run.

    Raises
    ------
    UsageError
        If there is no such form.
    DataError
        If a feed is asked for and the plan has no route.
    """
    network, name = run.study.network, f"{run.path.resolve().name}-edited"
    if form == "geojson":
        return Document(plan_geojson(network, plan, run.headway_s), "application/geo+json", f"{name}.geojson")
    if form == "gpkg":
        layers = {"routes": plan_geojson(network, plan, run.headway_s), "stops": stops_geojson(network, plan)}
        return Document(geopackage_of(layers), "application/geopackage+sqlite3", f"{name}.gpkg")
    if form == "gtfs":
        return Document(_feed(run, plan), "application/zip", f"{name}.gtfs.zip")
    msg = f"a plan is exported as {', '.join(FORMS)}, got {str(form)[:40]!r}; choose one of them"
    raise UsageError(msg)


def shared_report(run: OpenedRun, plan: Plan, n_edits: int, language: str = "en") -> Document:
    """
    One report with both plans: the edited one, and the opened one that it is held against.

    Parameters
    ----------
    run
        The opened run.
    plan
        The edited plan.
    n_edits
        Edits that lie between both.
    language
        ``en`` or ``ko``.

    Returns
    -------
    Document
        HTML that makes no request; every count in it is a printed one. Without a difference it is the report of the plan alone.
    """
    study, opened = run.study, run.path.resolve().name
    settings = {**run.about["settings"], "opened": opened, "question": [f"{n_edits}"]}
    about = describe_run(RunRecord("explore", settings, None, (), notes=tuple(run.about.get("notes", ())), min_count=study.min_count))
    if plan.equals(run.plan):
        more: dict[str, Any] = {"groups": study.districts, "min_count": study.min_count}
        card = score_plan(study.network, study.demand, plan, rule=run.evaluator.problem.rule, headway_s=run.headway_s, **more)
        content = report_content(study, PlanContent(OWN_NAME, plan, card.to_dict()), None, about)
    else:
        comparison = compared(run, {opened if opened != OWN_NAME else f"{opened} ": run.plan, OWN_NAME: plan})
        document = {**comparison.to_dict(), "by": {}}
        (content,) = comparison_contents(study, comparison, document, about)
    return Document(report_html(content, language).encode(), "text/html; charset=utf-8", f"{opened}-edited.html")


def _feed(run: OpenedRun, plan: Plan) -> bytes:
    """Return the feed that a saved run would have."""
    from owlbus.gtfs import write_gtfs

    timetables: Timetables
    services = day_services(run.study, plan, run.day_types, run.evaluator.problem.rule)
    if services:
        timetables, operation = feed_timetables(run.study, plan, services), services[0].operation
    else:
        n_buses = plan_measures(run.study.network, plan, run.headway_s).total_buses
        timetables, _, operation = timetable_of_plan(run.study, plan, n_buses, run.headway_s)
    feed = feed_of(run.study, run.about["settings"].get("agency_timezone"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gtfs.zip"
        write_gtfs(path, run.study.network, timetables, feed, change_s=operation.change_s)
        return path.read_bytes()
