"""Tables of a run to take along, and the busy places that its plan leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.unserved_places import missing_places
from owlbus.pipeline.run_json import TABLES_DIR
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.report.sheets import WORKBOOK_FILE, notes_sheet, plan_sheets, workbook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.pipeline.rundir import RunDir
    from owlbus.pipeline.study import Study
    from owlbus.report.content import PlanContent
    from owlbus.report.sheets import Sheet

_MOST_PLACES = 10


def missing_documents(study: Study, best: PlanContent, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Busy places that a plan leaves out: one answer for report, tables and commands.

    Parameters
    ----------
    study
        Grid, demand and network.
    best
        The plan with its scorecard, whose rule and headway in seconds hold.
    about
        Content of ``run.json``: changed routes keep the limits that its settings name.

    Returns
    -------
    list of dict
        As `MissingPlace.to_dict` gives them, trips and people a night by the publishing rule; empty for a plan without routes.
    """
    if not best.plan.routes or study.demand.total_presence <= 0:
        return []
    evaluator = PlanEvaluator.build(study.network, study.demand, ServiceRule(**best.card["rule"]), study.districts, study.min_count)
    limits = RouteLimits.of_routes(about.get("settings", {}).get("limits", {}), best.card["headway_s"])
    places = missing_places(evaluator, best.plan, StopNames.of(study.known_places), limits, n_places=_MOST_PLACES)
    return [place.to_dict(study.min_count) for place in places]


def write_plan_tables(
    run: RunDir,
    study: Study,
    best: PlanContent,
    missing: Sequence[Mapping[str, Any]],
    timetable: Mapping[str, Mapping[str, Any]] | None = None,
    more: Sequence[Sheet] = (),
) -> None:
    """
    Add the tables of a plan to a run directory.

    Parameters
    ----------
    run
        The run directory.
    study
        Grid, demand and network.
    best
        The plan with its scorecard.
    missing
        As `missing_documents` gives them, trips and people a night.
    timetable
        What `owlbus.timetable.timetable_document` gives by day type, times in seconds, or None; that of every night has no name.
    more
        Further tables, which come first.
    """
    write_tables(run, study, [*more, *plan_sheets(study.network, best.plan, best.card, missing, timetable)])


def write_tables(run: RunDir, study: Study, sheets: Sequence[Sheet]) -> None:
    """
    Add tables to a run directory: a CSV file each in ``tables/``, and all in one workbook.

    Parameters
    ----------
    run
        The run directory.
    study
        Whose demand they are of: how its counts of trips and people a night are printed is a table too.
    sheets
        The tables; those without rows are left out.
    """
    pages = [*(sheet for sheet in sheets if sheet.rows), notes_sheet(_notes(study))]
    for page in pages:
        run.write_bytes(f"{TABLES_DIR}/{page.name}.csv", page.to_csv())
    run.write_bytes(WORKBOOK_FILE, workbook(pages))


def _notes(study: Study) -> list[str]:
    """Return what holds for all tables."""
    rule = study.publisher
    least = "" if rule.is_exact else f" A count of 0 stands for fewer than {rule.base:g}."
    return [
        *(["SYNTHETIC demand: it was drawn, and nobody was counted."] if study.is_synthetic else []),
        f"Counts of people and trips a night are {rule.words}.{least}",
        "Shares lie between 0 and 1. An empty cell: nothing was counted, or too few to tell.",
    ]
