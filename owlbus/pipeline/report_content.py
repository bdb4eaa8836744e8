"""Parts of the report of a run, while it is made or from its directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, step
from owlbus.common.files import parse_json, read_regular, rebuild_errors
from owlbus.pipeline.day_services import DAYS_FILE
from owlbus.pipeline.run_json import GTFS_FILE, read_run
from owlbus.pipeline.run_tables import missing_documents
from owlbus.pipeline.rundir import require_unchanged
from owlbus.pipeline.study import read_study
from owlbus.plan import read_plan
from owlbus.plan.limits import ServiceRule
from owlbus.report.content import Content, PlanContent
from owlbus.report.page import report_html
from owlbus.report.sheets import WORKBOOK_FILE
from owlbus.score.card import SCHEMA_VERSION as SCORECARD_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.evidence import Comparison
    from owlbus.network import Network
    from owlbus.pipeline.study import Study

OWN_NAME = "this plan"
"""What a report calls the plan that it is about."""

_ABOUT = (
    *("command", "seed", "ended_by", "objective_share", "bound_share", "objective_rule", "spread"),
    *("unseen_by_bound", "pool_bound", "published_bound"),
    *("settings", "inputs", "versions", "notes"),
)
_FAMILIES = {"by_hour": "by_hour", "by_weekday": "by_weekday", "by_group": "by_district"}
"""Breakdowns of a scorecard, and what those of a difference are called."""

_COUNTED = {"presence": "presence", "served": "trips", "direct": "trips"}


def report_content(study: Study, best: PlanContent, reference: PlanContent | None, about: Mapping[str, Any], **more: Any) -> Content:  # noqa: ANN401 - fields of `Content`
    """
    Parts of a report.

    Parameters
    ----------
    study
        Grid, demand and network.
    best
        The plan that the report is about; its scorecard as JSON holds it, trips and people a night.
    reference
        A plan that it is compared with, or None.
    about
        Content of ``run.json``, as `owlbus.pipeline.rundir.describe_run` returns it.
    **more
        Further parts of `Content` by name; shares 0 to 1.

    Returns
    -------
    Content
        For `owlbus.report.report_html`.
    """
    shown_about = {name: about[name] for name in _ABOUT if name in about}
    more |= {"min_count": study.min_count, "places": study.places, "missing": missing_documents(study, best, about)}
    return Content(study.network, study.demand, best, reference, study.city, study.districts, study.is_synthetic, shown_about, **more)


def comparison_contents(study: Study, comparison: Comparison, document: Mapping[str, Any], about: Mapping[str, Any]) -> list[Content]:
    """
    Parts of the reports of a comparison.

    Parameters
    ----------
    study
        Grid, demand and network.
    comparison
        The plans; the first is the reference of the others.
    document
        As ``compare.json`` holds it; shares 0 to 1, trips and people a night.
    about
        Content of ``run.json``, as `owlbus.pipeline.rundir.describe_run` returns it.

    Returns
    -------
    list of Content
        One for each plan after the first.
    """
    from owlbus.plot.maps import net_classes

    first, *others = comparison.plans
    cards = {name: card.to_dict() for name, card in comparison.cards.items()}
    reference = PlanContent(first, comparison.plans[first], cards[first])
    contents = []
    for name in others:
        best = PlanContent(name, comparison.plans[name], cards[name])
        net = net_classes(comparison.changes[name])
        contents.append(report_content(study, best, reference, about, comparison=document, net=net))
    return contents


def read_contents(path: str | PathLike[str]) -> list[Content]:
    """
    Parts of the reports of a run, read from its directory.

    Parameters
    ----------
    path
        A run directory of ``owlbus plan``, ``demo``, ``score``, ``compare`` or ``sweep``.

    Returns
    -------
    list of Content
        The same as when the run was made, one unless three plans or more are compared; lengths in metres, trips and people a night.

    Raises
    ------
    DataError
        If a file is missing or they do not belong together.
    """
    folder = Path(path)
    study = read_study(folder)
    with rebuild_errors(folder, "run"):
        return _contents_of(folder, study, read_run(folder))


def report_pages(path: str | PathLike[str], language: str = "en") -> list[bytes]:
    """
    Write the reports of a run again from its directory.

    Parameters
    ----------
    path
        A run directory of ``owlbus plan``, ``demo``, ``score``, ``compare`` or ``sweep``.
    language
        ``en`` or ``ko``.

    Returns
    -------
    list of bytes
        HTML in UTF-8, one page unless three plans or more are compared; shares 0 to 1, trips and people a night.

    Raises
    ------
    DataError
        If a file is missing or damaged, or they do not belong together.
    """
    contents = read_contents(path)
    with rebuild_errors(path, "run"):
        return [report_html(content, language).encode() for content in contents]


def _contents_of(folder: Path, study: Study, about: Mapping[str, Any]) -> list[Content]:
    """Return the contents of a run from its files."""
    if about["command"] == "compare":
        return _read_comparison(folder, study, about)
    swept = _read_json(folder / "sweep.json") if about["command"] == "sweep" else None
    best = _read_plan_content(folder, study.network, OWN_NAME, "plan.geojson", "scorecard.json")
    name = about["settings"].get("reference_name")
    reference = None
    if name is not None:
        reference = _read_plan_content(folder, study.network, str(name), "reference.geojson", "reference_scorecard.json")
    days = _read_json(folder / DAYS_FILE) if DAYS_FILE in about["outputs"] else None
    reach = _read_reach(folder, study, about) if swept is None and days is None else None
    has_tables = WORKBOOK_FILE in about["outputs"]
    return [report_content(study, best, reference, about, sweep=swept, reach=reach, has_tables=has_tables, days=days)]


def _read_reach(folder: Path, study: Study, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the reach of the busiest stop again, by the feed of a run that planned routes."""
    from owlbus.gtfs import read_gtfs
    from owlbus.pipeline.busiest_reach import busiest_reach

    if GTFS_FILE not in about["outputs"] or not (folder / GTFS_FILE).is_file():
        return None
    require_unchanged(folder / GTFS_FILE)
    return busiest_reach(study, read_gtfs(folder / GTFS_FILE, study.network))


def _read_comparison(folder: Path, study: Study, about: Mapping[str, Any]) -> list[Content]:
    """Compare the plans of a run again."""
    from owlbus.evidence import compare_plans

    document = _read_json(folder / "compare.json")
    files = {name: folder / f"plan_{index + 1}.geojson" for index, name in enumerate(document["plans"])}
    _require_files(folder, *files.values())
    plans = {name: read_plan(file, study.network) for name, file in files.items()}
    first = next(iter(document["plans"].values()))
    rule, headway_s = ServiceRule(**first["rule"]), first["headway_s"]
    more: dict[str, Any] = {"districts": study.districts, "min_count": study.min_count}
    comparison = compare_plans(study.network, study.demand, plans, rule=rule, headway_s=headway_s, **more)
    return comparison_contents(study, comparison, document, about)


def _read_plan_content(folder: Path, network: Network, name: str, plan: str, card: str) -> PlanContent:
    """Read a plan with its scorecard."""
    _require_files(folder, folder / plan, folder / card)
    try:
        values = _read_json(folder / card)
    except DataError:
        values = {}
    routes = read_plan(folder / plan, network)
    if [row["name"] for row in values.get("routes", ())] != list(routes.names):
        msg = f"{folder / card}: must be the scorecard of the {len(routes)} routes in {plan}; write the run again"
        raise DataError(msg)
    if values.get("schema_version") != SCORECARD_VERSION:
        got = values.get("schema_version")
        msg = f"{folder / card}: schema_version must be {SCORECARD_VERSION}, got {got}; write the run again"
        raise DataError(msg)
    return PlanContent(name, routes, values)


def _require_files(folder: Path, *files: Path) -> None:
    """Refuse a run directory that lacks a file."""
    for file in files:
        if not file.is_file():
            way = step("owlbus.pipeline.write_run", "plan", files="FILES", out="DIR")
            msg = f"{folder}: must hold {file.name}, as runs that plan routes do; make one with: {way}"
            raise DataError(msg)


def _read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object."""
    _require_files(file.parent, file)
    try:
        values = parse_json(read_regular(file))
    except DataError:
        raise
    except ValueError:
        values = None
    if not isinstance(values, dict):
        msg = f"{file}: must be a JSON object, and is not; write the run again"
        raise DataError(msg)
    require_unchanged(file)
    return values
