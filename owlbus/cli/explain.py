"""`owlbus explain`: answer one question about a plan."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.explain_files import Answered, write_answer
from owlbus.cli.explain_tables import (
    change_pages,
    route_profiles_table,
    segments_table,
    stability_tables,
    swaps_table,
    unserved_places_table,
)
from owlbus.cli.explain_why import decided_by, settings_beside
from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of_given, require_language, rule_of
from owlbus.cli.options import LANG, OUT, FeedPlanOptions, LimitOptions, OutputOptions, RuleOptions
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import plan_name
from owlbus.cli.session import SYNTHETIC, evaluator_of, plans_from_options, say_reversed, settings_of_run, stop_names_of
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.disclosure import Publisher
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.changes import Change
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

WHAT = ("route", "stop", "via", "missing", "suggest", "why")
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
    before: Annotated[
        str | None, typer.Option("--before", metavar="OLD", help="why: the plan that was there before.", rich_help_panel=_PANEL)
    ] = None
    top: Annotated[int, typer.Option("--top", metavar="N", help="missing, suggest: number of rows.", rich_help_panel=_PANEL)] = 15

    @property
    def n_changes(self) -> int:
        """Number of changes in the question."""
        return sum((self.remove, self.move is not None, self.swap is not None, self.drop))


def explain(
    *,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="route, stop, via, missing, suggest or why.")] = "route",
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Route; or stop: index, name, place, or LON,LAT (write -- before a negative one)."),
    ] = None,
    options: ExplainOptions,
    feed: FeedPlanOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
    study_options: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus explain run route R1 --drop --out answer[/bold], or [bold]owlbus explain run missing[/bold]

    route: what each route serves. route --drop, stop and via: what one change gains, loses and costs by hour and district, who must walk
    further or transfer, and the best alternative. missing: busy places without a stop. suggest: swaps of one stop that gain. why: why a
    stop is gone, who decided, and what it would cost to have it back. --out writes the answer as JSON and as a page to print, with a map
    (answer.html, in the language of --lang), and the plan after the change.
    """
    _require_what(plan, what, options)
    _require_question(plan, what, name, options, out)
    require_language(lang)
    bounds, served = limits_of_given(limits, settings_beside(plan)), rule_of(rule)
    with open_output(output_options) as output:
        reader, sources, run = plans_from_options(output, study_options, [plan], feed, (area, demand, network))
        study, base = reader.study, reader.read(plan)
        before = None if options.before is None else reader.read(options.before)
        decided = decided_by(plan, lang) if what == "why" else {}
        names = stop_names_of(study), stop_names_of(study, lang)
        question = _Question(study, base, evaluator_of(study, served), *names, bounds, options, name, before, decided)
        answered = question.answer(what)
        head = {"command": "explain", "what": what, "plan": plan_name(plan), "is_synthetic": study.is_synthetic}
        printing = Publisher(study.min_count)
        document = {**head, **printing.facts, **answered.document, **reader.facts}
        say_reversed(output, base, answered.after)
        if out is not None:
            asked = {"question": [what, name or ""], **reader.facts}
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, **asked)
            more: dict[str, Any] = {"names": names[1], "headway_s": bounds.headway_s}
            write_answer(out, study, question.evaluator, answered, document, settings, **more)
    output.show(document, *answered.pages, f"Counts are {printing.words}.")
    if study.is_synthetic:
        output.say(SYNTHETIC)
    if answered.answer is not None and answered.answer.change.broken:
        change = answered.answer.change
        broken = change.broken
        msg = f"{change.label}: breaks {len(broken)} limit{'s' * (len(broken) > 1)}, first: {broken[0]}; change less, or allow more"
        raise FindingError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A plan and a question about it."""

    study: Study
    plan: Plan
    evaluator: PlanEvaluator
    known: StopNames
    stop_names: StopNames
    limits: RouteLimits
    options: ExplainOptions
    name: str | None
    before: Plan | None = None
    decided: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, what: str) -> Answered:
        """Return the answer as JSON values and as tables, with what its files show."""
        if what == "missing":
            return self._missing()
        if what == "suggest":
            return self._suggest()
        if what == "why":
            return self._why()
        if what == "route" and not self.options.drop:
            return self._routes()
        return self._change(what)

    def _routes(self) -> Answered:
        from owlbus.evidence.route_profile import explain_routes
        from owlbus.evidence.stop_names import find_route

        chosen = None if self.name is None else find_route(self.plan, self.name)
        rows = [row.to_dict(self.evaluator.min_count) for row in explain_routes(self.evaluator, self.plan, self.limits.headway_s)]
        rows, base = rows if chosen is None else [rows[chosen]], self._base
        if chosen is not None:
            tables = [route_profiles_table(rows, base), segments_table(rows[0], self._stop_name, base)]
            return Answered({"routes": rows}, tables, shown=self._one_route(chosen))
        stability = self._stability()
        return Answered({"routes": rows, **stability}, [route_profiles_table(rows, base), *stability_tables(stability)], shown=self.plan)

    def _one_route(self, row: int) -> Plan:
        from owlbus.plan import Plan

        return Plan((self.plan.routes[row],), self.plan.network_fingerprint)

    def _stability(self) -> dict[str, Any]:
        """Return ranks of routes over resampled nights and shares by weekday and hour; empty if nights have no date."""
        from owlbus.evidence.stability import hour_matrix, rank_stability
        from owlbus.score import LEAST_NIGHTS

        if not self.evaluator.weekdays or self.evaluator.demand.n_nights < LEAST_NIGHTS:
            return {}
        ranks = [{**asdict(row), "same_share": round(row.same_share, 3)} for row in rank_stability(self.evaluator, self.plan)]
        return {"ranks": ranks, "by_weekday_and_hour": hour_matrix(self.evaluator, self.plan).to_dict()}

    def _missing(self) -> Answered:
        from owlbus.evidence.unserved_places import missing_places

        unserved = missing_places(self.evaluator, self.plan, self.stop_names, self.limits, n_places=self.options.top)
        rows = [place.to_dict(self.evaluator.min_count) for place in unserved]
        for place, row in zip(unserved, rows, strict=True):
            row["broken_limits"] = self._broken(place.change)
        marks = tuple((place.stop, f"{place.rank}") for place in unserved)
        pages = [unserved_places_table(rows, self._base) if rows else "No place with people to count is without a stop."]
        return Answered({"places": rows}, pages, shown=self.plan, marks=marks)

    def _suggest(self) -> Answered:
        from owlbus.evidence.suggest import suggest_swaps

        swaps = suggest_swaps(self.evaluator, self.plan, self.stop_names, self.limits, n_swaps=self.options.top)
        rows = [swap.to_dict() for swap in swaps]
        chosen = self.options.apply
        if chosen is not None and not 1 <= chosen <= len(swaps):
            allowed = f"must lie in [1, {len(swaps)}], the swaps found" if swaps else "has nothing to apply: no swap gains trips"
            msg = f"--apply {allowed}, got {chosen}"
            raise UsageError(msg)
        after = None if chosen is None else swaps[chosen - 1].change.plan
        marks = tuple((swap.by, f"{swap.rank}") for swap in swaps)
        pages = [swaps_table(rows, self._base) if rows else "No swap of one stop gains trips that can be told."]
        return Answered({"swaps": rows, "applied": chosen}, pages, after, shown=self.plan, marks=marks)

    def _why(self) -> Answered:
        from owlbus.evidence.stop_reason import explain_stop, reason_lines

        stop = self._find(self.name or "")
        reason = explain_stop(self.evaluator, self.plan, stop, self._stop_name(stop), self.limits, self.before, self.language)
        document = reason.to_dict(self.evaluator.min_count, self.language)
        if document["back"] is not None:
            document["back"]["broken_limits"] = self._broken(reason.back)
        nearest = "" if reason.nearest_stop is None else self._stop_name(reason.nearest_stop)
        lines = reason_lines(document, self.decided, nearest, self.language)
        back = None if reason.back is None else reason.back.plan
        answered = Answered({**document, "decided": dict(self.decided), "lines": lines}, lines, back, marks=((stop, reason.name),))
        if self.before is not None:
            return replace(answered, before=self.before, shown=self.plan, difference=reason.whole)
        if back is None:
            return replace(answered, shown=self.plan)
        return replace(answered, before=self.plan, shown=back, difference=reason.back_difference)

    def _change(self, what: str) -> Answered:
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
        answer = with_alternative(self.evaluator, self.plan, answer, self.limits, stop, other, self.stop_names)
        document = {**answer.to_dict(language=self.language), "broken_limits": self._broken(answer.change)}
        stops = [] if what == "route" else [one for one in (stop, other) if one is not None]
        marks = tuple((one, self._stop_name(one)) for one in stops)
        moved: dict[str, Any] = {"before": self.plan, "shown": change.plan, "difference": answer.difference}
        return Answered(document, change_pages(document), change.plan, answer, marks=marks, **moved)

    def _broken(self, change: Change | None) -> list[str]:
        """Return the limits that a change breaks, in the reader's language."""
        from owlbus.evidence.answer_sentences import limit_sentences

        network = self.evaluator.problem.network
        return [] if change is None else list(limit_sentences(network, self.plan, change.plan, self.limits, self.language))

    def _pass_by(self, stop: int, route: int | None) -> Change:
        """Route a bus by a stop within the limits, or else beyond them; the answer then names the broken limits."""
        from owlbus.evidence.changes import pass_by
        from owlbus.search import Objective

        asked = self.evaluator.problem, Objective(), self.plan, stop
        try:
            return pass_by(*asked, route=route, limits=self.limits, min_count=self.evaluator.min_count)
        except UsageError:
            return pass_by(*asked, route=route, min_count=self.evaluator.min_count)

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
        from owlbus.evidence.answer_sentences import sentence

        if kind == "drop" and other is not None:
            return sentence(self.language, "drop", route=self.plan.names[other])
        if stop is None:
            return label
        kind = kind if kind in {"via", "remove"} else "swap"
        by = {} if other is None else {"by": self._stop_name(other)}
        return sentence(self.language, kind, stop=self._stop_name(stop), **by)

    @property
    def language(self) -> str:
        """Language of the answer."""
        return self.stop_names.language

    @property
    def _base(self) -> float:
        """Trips or people of which printed counts are multiples; 0 for open data."""
        return Publisher(self.evaluator.min_count).base

    def _stop_name(self, stop: int) -> str:
        return self.stop_names.name_of(self.study.network, stop)

    def _find(self, text: str) -> int:
        """Return the stop that a text names, in either language."""
        names = self.stop_names if text.strip() in self.stop_names.names else self.known
        return names.find_stop(self.study.network, text)


def _require_what(plan: str, what: str, options: ExplainOptions) -> None:
    """Refuse an unknown kind of question, and an earlier plan where the question is not why."""
    if what not in WHAT:
        msg = f"WHAT must be one of {', '.join(WHAT)}, got {what!r}"
        raise UsageError(msg)
    if options.before is not None and what != "why":
        way = f"owlbus explain {shlex.quote(plan)} why PLACE --before {shlex.quote(options.before)}"
        msg = f"--before goes with why, not with {what}; write {way}"
        raise UsageError(msg)


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
    elif name is None and (what in {"via", "why"} or (what == "stop" and options.swap is None)):
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
