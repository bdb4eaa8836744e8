"""`owlbus explain`: answer one question about a plan."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.explain_tables import (
    change_pages,
    route_profiles_table,
    segments_table,
    stability_tables,
    swaps_table,
    unserved_places_table,
)
from owlbus.cli.option_values import limits_of, rule_of
from owlbus.cli.options import OUT, LimitOptions, OutputOptions, RuleOptions
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import plan_name, read_any_plan
from owlbus.cli.session import (
    ANY_CIRCUITY,
    SYNTHETIC,
    announce_compilation,
    evaluator_of,
    settings_of_run,
    stop_names_of,
    study_from_options,
    warn,
)
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.changes import Change
    from owlbus.evidence.explain import Answer
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

WHAT = ("route", "stop", "via", "missing", "suggest")
_PANEL = "Question"
_MOST_LISTED = 1_000
_POSITION = re.compile(r"-?\d+\.\d+,-?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """The change in question."""

    remove: Annotated[bool, typer.Option("--remove", metavar="", help="stop S: remove it.", rich_help_panel=_PANEL)] = False
    move: Annotated[str | None, typer.Option("--move", metavar="LON,LAT", help="stop S: move it there.", rich_help_panel=_PANEL)] = None
    swap: Annotated[
        str | None, typer.Option("--swap", metavar="P,Q", help="stop S: replace P by Q; Q alone replaces S.", rich_help_panel=_PANEL)
    ] = None
    drop: Annotated[bool, typer.Option("--drop", metavar="", help="route R: remove it from the plan.", rich_help_panel=_PANEL)] = False
    route: Annotated[
        str | None, typer.Option("--route", metavar="R", help="stop, via: change this route only.", rich_help_panel=_PANEL)
    ] = None
    apply: Annotated[
        int | None, typer.Option("--apply", metavar="N", help="suggest: write the plan after swap N to --out.", rich_help_panel=_PANEL)
    ] = None
    top: Annotated[int, typer.Option("--top", metavar="N", help="missing, suggest: number of rows.", rich_help_panel=_PANEL)] = 15

    @property
    def n_changes(self) -> int:
        """Number of changes in the question."""
        return sum((self.remove, self.move is not None, self.swap is not None, self.drop))


def explain(
    *,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="route, stop, via, missing or suggest.")] = "route",
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Route; or stop: index, name, place, or LON,LAT (write -- before a negative one)."),
    ] = None,
    options: ExplainOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    output_options: OutputOptions,
    study_options: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus explain plan.geojson stop 151 --swap 186 --out answer[/bold], or [bold]owlbus explain plan.geojson missing[/bold]

    route: what each route serves. route --drop, stop and via: what one change gains, loses and costs by hour and district, who must walk
    further or transfer, and the best alternative. missing: busy places without a stop. suggest: swaps of one stop that gain. --out writes
    the answer as JSON and as a page to print, with a map, and the plan after the change.
    """
    if what not in WHAT:
        msg = f"WHAT must be one of {', '.join(WHAT)}, got {what!r}"
        raise UsageError(msg)
    _require_question(plan, what, name, options, out)
    bounds, served = limits_of(limits), rule_of(rule)
    if limits.max_circuity is None:
        bounds = replace(bounds, max_circuity=ANY_CIRCUITY)
    with open_output(output_options) as output:
        announce_compilation(output)
        study, sources, run = study_from_options(study_options, [plan], area, demand, network)
        warn(output, study)
        base = read_any_plan(plan, study, study_options.max_snap, output.say)
        question = _Question(study, base, evaluator_of(study, served), stop_names_of(study), bounds, options, name)
        document, pages, after, answer = question.answer(what)
        document = {"command": "explain", "what": what, "plan": plan_name(plan), "is_synthetic": study.is_synthetic, **document}
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, question=[what, name or ""])
            _write(out, question, document, after, answer, settings)
    output.show(document, *pages)
    if study.is_synthetic:
        output.say(SYNTHETIC)
    if answer is not None and answer.change.broken:
        broken = answer.change.broken
        msg = f"{answer.change.label}: breaks {len(broken)} limit{'s' * (len(broken) > 1)}, first: {broken[0]}; change less, or allow more"
        raise FindingError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A plan and a question about it."""

    study: Study
    plan: Plan
    evaluator: PlanEvaluator
    stop_names: StopNames
    limits: RouteLimits
    options: ExplainOptions
    name: str | None

    def answer(self, what: str) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        """Return the answer as JSON values and as tables, the plan after the change, and the answer about a change."""
        if what == "missing":
            return self._missing()
        if what == "suggest":
            return self._suggest()
        if what == "route" and not self.options.drop:
            return self._routes()
        return self._change(what)

    def _routes(self) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.route_profile import explain_routes
        from owlbus.evidence.stop_names import find_route

        chosen = None if self.name is None else find_route(self.plan, self.name)
        rows = [row.to_dict(self.evaluator.min_count) for row in explain_routes(self.evaluator, self.plan, self.limits.headway_s)]
        rows = rows if chosen is None else [rows[chosen]]
        if chosen is not None:
            return {"routes": rows}, [route_profiles_table(rows), segments_table(rows[0], self._stop_name)], None, None
        stability = self._stability()
        return {"routes": rows, **stability}, [route_profiles_table(rows), *stability_tables(stability)], None, None

    def _stability(self) -> dict[str, Any]:
        """Return ranks of routes over resampled nights and shares by weekday and hour; empty if nights have no date."""
        from owlbus.evidence.redact import shown_count
        from owlbus.evidence.stability import hour_matrix, rank_stability

        if not self.evaluator.weekdays or self.evaluator.demand.n_nights < 2:  # noqa: PLR2004 - one night has no spread
            return {}
        ranks = [
            {**asdict(row), "only_served_trips": shown_count(row.only_served_trips), "same_share": round(row.same_share, 3)}
            for row in rank_stability(self.evaluator, self.plan)
        ]
        return {"ranks": ranks, "by_weekday_and_hour": hour_matrix(self.evaluator, self.plan).to_dict()}

    def _missing(self) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.unserved_places import missing_places

        unserved = missing_places(self.evaluator, self.plan, self.stop_names, self.limits, n_places=self.options.top)
        rows = [place.to_dict(self.evaluator.min_count) for place in unserved]
        return {"places": rows}, [unserved_places_table(rows)], None, None

    def _suggest(self) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.suggest import suggest_swaps

        swaps = suggest_swaps(self.evaluator, self.plan, self.stop_names, self.limits, n_swaps=self.options.top)
        rows = [swap.to_dict() for swap in swaps]
        chosen = self.options.apply
        if chosen is not None and not 1 <= chosen <= len(swaps):
            msg = f"--apply must lie in [1, {len(swaps)}], the swaps found, got {chosen}"
            raise UsageError(msg)
        after = None if chosen is None else swaps[chosen - 1].change.plan
        return {"swaps": rows, "applied": chosen}, [swaps_table(rows)], after, None

    def _change(self, what: str) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.changes import drop_route, remove_stop, replace_stop
        from owlbus.evidence.explain import explain_change, with_alternative
        from owlbus.evidence.stop_names import find_route
        from owlbus.search import Objective

        problem, objective = self.evaluator.problem, Objective()
        route = None if self.options.route is None else find_route(self.plan, self.options.route)
        stop, other = None, None
        if what == "route":
            other = find_route(self.plan, self.name or "")
            change = drop_route(self.plan, other)
        elif what == "via":
            stop = self._find(self.name or "")
            change = self._pass_by(stop, route)
        elif self.options.remove:
            stop = self._find(self.name or "")
            change = remove_stop(problem, objective, self.plan, stop, route=route)
        else:
            stop, other = self._swapped_stops()
            kind = "swap" if self.options.move is None else "move"
            change = replace_stop(problem, objective, self.plan, stop, other, route=route, kind=kind)
        change = replace(change, label=self._label(change.kind, change.label, stop, other))
        answer = explain_change(self.evaluator, self.plan, change, self.limits)
        answer = with_alternative(self.evaluator, self.plan, answer, self.limits, stop, other)
        document = answer.to_dict()
        return document, change_pages(document), change.plan, answer

    def _pass_by(self, stop: int, route: int | None) -> Change:
        """Route a bus by a stop within the limits, or else beyond them; the answer then names the broken limits."""
        from owlbus.evidence.changes import pass_by
        from owlbus.search import Objective

        try:
            return pass_by(self.evaluator.problem, Objective(), self.plan, stop, route=route, limits=self.limits)
        except UsageError:
            return pass_by(self.evaluator.problem, Objective(), self.plan, stop, route=route)

    def _swapped_stops(self) -> tuple[int, int]:
        """Return the removed and the added stop of ``--swap P,Q``, ``--swap Q`` or ``--move LON,LAT``."""
        if self.options.move is not None:
            return self._find(self.name or ""), self._find(self.options.move)
        text = self.options.swap or ""
        if _POSITION.fullmatch(text.replace(" ", "")):
            text = text.replace(" ", "")
        first, comma, second = text.rpartition(",")
        if not comma or _POSITION.fullmatch(text):
            if self.name is None:
                msg = f"--swap must read P,Q, or name the stop that goes before it, got {text!r}"
                raise UsageError(msg)
            return self._find(self.name), self._find(text)
        stop = self._find(first)
        if self.name is not None and self._find(self.name) != stop:
            msg = f"--swap {text} takes {first} out, but the stop named is {self.name}; name one of them"
            raise UsageError(msg)
        return stop, self._find(second)

    def _label(self, kind: str, label: str, stop: int | None, other: int | None) -> str:
        """Return the change in words, with the names of stops."""
        if kind == "drop" or stop is None:
            return label
        if kind == "via":
            return f"by {self._stop_name(stop)}"
        if other is None:
            return f"{self._stop_name(stop)} left out"
        return f"{self._stop_name(other)} in place of {self._stop_name(stop)}"

    def _stop_name(self, stop: int) -> str:
        return self.stop_names.name_of(self.study.network, stop)

    def _find(self, text: str) -> int:
        return self.stop_names.find_stop(self.study.network, text)


def _require_question(plan: str, what: str, name: str | None, options: ExplainOptions, out: str | None) -> None:
    """Refuse an incomplete question with a command to paste, before anything is read."""
    command = f"owlbus explain {shlex.quote(plan)}"
    names_stop = options.remove or options.move is not None or options.swap is not None
    problem = None
    if what == "stop" and (options.n_changes != 1 or options.drop):
        problem = "a stop needs one of --remove, --move LON,LAT and --swap P,Q"
    elif what != "stop" and names_stop:
        stop = shlex.quote(name or "0")
        problem = f"--remove, --move and --swap change a stop, and the question is about {what}; write {command} stop {stop} --remove"
    elif what != "route" and options.drop:
        problem = f"--drop goes with a route, not with {what}; list the routes with {command} route"
    elif name is None and what == "route" and options.drop:
        problem = f"--drop needs the name of a route; list the routes with {command} route"
    elif name is None and (what == "via" or (what == "stop" and options.swap is None)):
        problem = f"{what} needs a stop: its index, its name, a place or LON,LAT; write {command} {what} 0"
        problem += " --remove" if what == "stop" else ""
    elif options.apply is not None and (what != "suggest" or out is None):
        problem = f"--apply writes the plan after a suggested swap; write {command} suggest --apply {options.apply} --out swapped"
    elif not 1 <= options.top <= _MOST_LISTED:
        problem = f"--top must lie in [1, {_MOST_LISTED}], got {options.top}"
    elif options.apply is not None and not 1 <= options.apply <= options.top:
        problem = f"--apply must lie in [1, {options.top}], the swaps listed with --top, got {options.apply}"
    if problem:
        raise UsageError(problem)


def _write(
    out: str, question: _Question, document: dict[str, Any], after: Plan | None, answer: Answer | None, settings: Mapping[str, Any]
) -> None:
    """Write the answer to a run directory: JSON, and for a change its page, map and plan."""
    from owlbus.evidence.compare import difference_geojson
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.plot.maps import draw_difference, write_map
    from owlbus.report.answer_page import answer_page

    study = question.study
    with open_run_dir(out) as run:
        run.write_json("answer.json", document)
        if after is not None:
            run.write_bytes("plan.geojson", plan_geojson(study.network, after, question.limits.headway_s))
        if answer is not None:
            note = "SYNTHETIC demand. " if study.is_synthetic else ""
            figure = draw_difference(
                question.evaluator,
                answer.difference,
                question.plan,
                answer.change.plan,
                title=answer.change.label,
                note=f"{note}Trips counted at both of their ends.",
            )
            picture = io.BytesIO()
            write_map(picture, figure)  # type: ignore[arg-type]
            run.write_bytes("difference.png", picture.getvalue())
            run.write_bytes("difference.geojson", difference_geojson(question.evaluator, answer.difference))
            page = answer_page(document, plan=str(document["plan"]), is_synthetic=study.is_synthetic, picture=picture.getvalue())
            run.write_bytes("answer.html", page.encode())
        run.publish(RunRecord("explain", settings, None, study.inputs, None, study.timings_s))
