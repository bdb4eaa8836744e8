"""Files of `owlbus explain`: the answer as JSON and as a page, and for a change its map and plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.difference import Difference
    from owlbus.evidence.explain import Answer
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.pipeline.rundir import RunDir
    from owlbus.plan import Plan
    from owlbus.report.section_page import Picture


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """
    An answer, and what its files show.

    Attributes
    ----------
    document, pages
        The answer as JSON values, trips and people a night as they are printed, and as tables.
    after
        The plan after the change that the answer names, or None.
    answer
        The answer about a change, or None.
    before, shown, difference, marks
        Of the map: the plan before and the plan shown, what that gains and loses, and stop index and text of each place in question.
    """

    document: dict[str, Any]
    pages: list[Any]
    after: Plan | None = None
    answer: Answer | None = None
    before: Plan | None = None
    shown: Plan | None = None
    difference: Difference | None = None
    marks: tuple[tuple[int, str], ...] = ()


def write_answer(
    out: str,
    study: Study,
    evaluator: PlanEvaluator,
    answered: Answered,
    document: dict[str, Any],
    settings: Mapping[str, Any],
    *,
    names: StopNames,
    headway_s: int,
) -> None:
    """
    Write an answer to a run directory.

    Parameters
    ----------
    out
        The directory.
    study
        Grid, demand and network.
    evaluator
        Evaluator of plans on the demand.
    answered
        The answer.
    document
        What ``answer.json`` holds, trips and people a night as they are printed.
    settings
        Of ``run.json``.
    names
        Names of stops, in the language of the page.
    headway_s
        Seconds between buses.
    """
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.report.answer_page import answer_page
    from owlbus.report.translations import read_translations

    with open_run_dir(out) as run:
        run.write_json("answer.json", document)
        if answered.after is not None:
            run.write_bytes("plan.geojson", plan_geojson(study.network, answered.after, headway_s))
        if answered.answer is not None:
            _write_difference(run, study, evaluator, answered)
        page = answer_page(
            document,
            read_translations(names.language),
            plan=str(document["plan"]),
            is_synthetic=study.is_synthetic,
            stop_name=lambda stop: names.name_of(study.network, stop),
            picture=_picture(study, answered, names.language),
        )
        run.write_bytes("answer.html", page.encode())
        run.publish(RunRecord("explain", settings, None, study.inputs, None, study.timings_s, min_count=study.min_count))


def _picture(study: Study, answered: Answered, language: str) -> Picture | None:
    """Draw the map of an answer; nothing without a plan to show."""
    from owlbus.report.answer_map import MapContent, answer_map
    from owlbus.report.translations import read_translations

    if answered.shown is None:
        return None
    plans: dict[str, Any] = {"after": answered.shown, "before": answered.before, "change": answered.difference}
    content = MapContent(study.network, **plans, marks=answered.marks, city=study.city, places=study.places)
    return answer_map(content, read_translations(language))


def _write_difference(run: RunDir, study: Study, evaluator: PlanEvaluator, answered: Answered) -> None:
    """Write what a change gains and loses by hexagon, as GeoJSON and as a picture."""
    from owlbus.evidence.compare import difference_geojson
    from owlbus.plot.maps import draw_difference, write_map
    from owlbus.report.map_labels import map_labels
    from owlbus.report.translations import read_translations

    answer = answered.answer
    if answer is None or answered.before is None:
        return
    figure = draw_difference(
        evaluator,
        answer.difference,
        answered.before,
        answer.change.plan,
        title=answer.change.label,
        note=f"{'SYNTHETIC demand. ' if study.is_synthetic else ''}Trips counted at both of their ends.",
        labels=map_labels(study.city, study.places, read_translations()),
    )
    write_map(run.stage("difference.png"), figure)
    run.write_bytes("difference.geojson", difference_geojson(evaluator, answer.difference))
