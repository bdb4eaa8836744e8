"""`owlbus explain`: the answer to one question on a plan."""

from __future__ import annotations

import io
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.options import (
    OUT,
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    limits_of,
    rule_of,
)
from owlbus.cli.output import empty_table, output_of
from owlbus.cli.plan_files import plan_name, read_any_plan
from owlbus.cli.session import (
    ANY_CIRCUITY,
    SYNTHETIC,
    StudyOptions,
    announce_compilation,
    ledger_of,
    moved_table,
    places_of,
    settings_of_run,
    study_options_of,
    warn,
)
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.changes import Change
    from owlbus.evidence.explain import Answer
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

WHAT = ("route", "stop", "via", "missing", "suggest")
_PANEL = "What is asked"
_MOST_LISTED = 1_000
_POSITION = re.compile(r"-?\d+\.\d+,-?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """The change that is asked about."""

    remove: Annotated[bool, typer.Option("--remove", metavar="", help="stop S: leave it out.", rich_help_panel=_PANEL)] = False
    move: Annotated[str | None, typer.Option("--move", metavar="LON,LAT", help="stop S: put it there.", rich_help_panel=_PANEL)] = None
    swap: Annotated[
        str | None, typer.Option("--swap", metavar="P,Q", help="stop: pass Q instead of P; Q alone stands for S,Q.", rich_help_panel=_PANEL)
    ] = None
    drop: Annotated[bool, typer.Option("--drop", metavar="", help="route R: run the plan without it.", rich_help_panel=_PANEL)] = False
    route: Annotated[
        str | None, typer.Option("--route", metavar="R", help="stop and via: change this route only.", rich_help_panel=_PANEL)
    ] = None
    apply: Annotated[
        int | None, typer.Option("--apply", metavar="N", help="suggest: write the plan with swap N to --out.", rich_help_panel=_PANEL)
    ] = None
    top: Annotated[int, typer.Option("--top", metavar="N", help="missing and suggest: how many to list.", rich_help_panel=_PANEL)] = 15

    @property
    def n_changes(self) -> int:
        """How many changes of a stop or route are asked about."""
        return sum((self.remove, self.move is not None, self.swap is not None, self.drop))


def explain(
    ground: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    talk: OutputOptions,
    ask: ExplainOptions,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="route, stop, via, missing or suggest.")] = "route",
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Route, or stop: its index, its name, a place, or LON,LAT (write -- before one below 0)."),
    ] = None,
    out: Annotated[str | None, OUT] = None,
) -> None:
    """
    [bold]owlbus explain plan.geojson stop 151 --swap 186 --out answer[/bold], or [bold]owlbus explain plan.geojson missing[/bold]

    What a route is good for; what one change gains, loses and costs, by hour and district, who has to walk further or change, and the
    next-best alternative; which busy places the plan leaves out; which swaps would pay. With --out it writes the answer as JSON and as a
    page to print, the map of it, and the plan after the change.
    """
    if what not in WHAT:
        msg = f"WHAT must be one of {', '.join(WHAT)}, got {what!r}"
        raise UsageError(msg)
    _require_question(what, name, ask, out)
    bounds, served = limits_of(limits), rule_of(rule)
    if limits.max_circuity is None:
        bounds = replace(bounds, max_circuity=ANY_CIRCUITY)
    with output_of(talk) as voice:
        announce_compilation(voice)
        study, sources, run = study_options_of(ground, [plan], area, demand, network)
        warn(voice, study)
        given = read_any_plan(plan, study, ground.max_snap)
        question = _Question(study, given, ledger_of(study, served), places_of(study), bounds, ask, name)
        document, pages, after, answer = question.about(what)
        document = {"command": "explain", "what": what, "plan": plan_name(plan), "is_synthetic": study.is_synthetic, **document}
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, question=[what, name or ""])
            _write(out, question, document, after, answer, settings)
    voice.show(document, *pages)
    if study.is_synthetic:
        voice.say(SYNTHETIC)
    if answer is not None and answer.change.broken:
        broken = answer.change.broken
        msg = f"{answer.change.label}: breaks {len(broken)} limit{'s' * (len(broken) > 1)}, first: {broken[0]}; change less, or allow more"
        raise FindingError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A plan and what is asked about it."""

    study: Study
    plan: Plan
    evaluator: PlanEvaluator
    places: StopNames
    limits: RouteLimits
    ask: ExplainOptions
    name: str | None

    def about(self, what: str) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        """Return the answer as JSON and as tables, the plan after the change, and the change itself."""
        if what == "missing":
            return self._missing()
        if what == "suggest":
            return self._suggest()
        if what == "route" and not self.ask.drop:
            return self._routes()
        return self._change(what)

    def _routes(self) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.route_profile import explain_routes
        from owlbus.evidence.stop_names import find_route

        chosen = None if self.name is None else find_route(self.plan, self.name)
        rows = [row.to_dict() for row in explain_routes(self.evaluator, self.plan, self.limits.headway_s)]
        rows = rows if chosen is None else [rows[chosen]]
        if chosen is not None:
            return {"routes": rows}, [_routes_table(rows), _segments_table(rows[0], self._stop_name)], None, None
        steady = self._steadiness()
        return {"routes": rows, **steady}, [_routes_table(rows), *_steady_tables(steady)], None, None

    def _steadiness(self) -> dict[str, Any]:
        """Ranks of routes over nights drawn anew, and coverage by weekday and hour; nothing where nights carry no date."""
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

        found = missing_places(self.evaluator, self.plan, self.places, self.limits, n_places=self.ask.top)
        rows = [place.to_dict() for place in found]
        return {"places": rows}, [_missing_table(rows)], None, None

    def _suggest(self) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.suggest import suggest_swaps

        found = suggest_swaps(self.evaluator, self.plan, self.places, self.limits, n_swaps=self.ask.top)
        rows = [swap.to_dict() for swap in found]
        chosen = self.ask.apply
        if chosen is not None and not 1 <= chosen <= len(found):
            msg = f"--apply must lie in [1, {len(found)}], the swaps found, got {chosen}"
            raise UsageError(msg)
        after = None if chosen is None else found[chosen - 1].change.plan
        return {"swaps": rows, "applied": chosen}, [_swaps_table(rows)], after, None

    def _change(self, what: str) -> tuple[dict[str, Any], list[Any], Plan | None, Answer | None]:
        from owlbus.evidence.changes import drop_route, remove_stop, replace_stop
        from owlbus.evidence.explain import explain_change, with_alternative
        from owlbus.evidence.stop_names import find_route
        from owlbus.search import Objective

        problem, goal = self.evaluator.problem, Objective()
        on = None if self.ask.route is None else find_route(self.plan, self.ask.route)
        stop, by = None, None
        if what == "route":
            by = find_route(self.plan, self.name or "")
            change = drop_route(self.plan, by)
        elif what == "via":
            stop = self._find(self.name or "")
            change = self._pass_by(stop, on)
        elif self.ask.remove:
            stop = self._find(self.name or "")
            change = remove_stop(problem, goal, self.plan, stop, route=on)
        else:
            stop, by = self._ends_of_swap()
            kind = "swap" if self.ask.move is None else "move"
            change = replace_stop(problem, goal, self.plan, stop, by, route=on, kind=kind)
        change = replace(change, label=self._label(change.kind, change.label, stop, by))
        answer = explain_change(self.evaluator, self.plan, change, self.limits)
        answer = with_alternative(self.evaluator, self.plan, answer, self.limits, stop, by)
        document = answer.to_dict()
        return document, _answer_pages(document), change.plan, answer

    def _pass_by(self, stop: int, route: int | None) -> Change:
        """Let a route pass by a stop within the limits; where none can, the change breaks them and the answer says so."""
        from owlbus.evidence.changes import pass_by
        from owlbus.search import Objective

        try:
            return pass_by(self.evaluator.problem, Objective(), self.plan, stop, route=route, limits=self.limits)
        except UsageError:
            return pass_by(self.evaluator.problem, Objective(), self.plan, stop, route=route)

    def _ends_of_swap(self) -> tuple[int, int]:
        """Stop that goes and stop that comes, of ``--swap P,Q``, ``--swap Q`` or ``--move LON,LAT``."""
        if self.ask.move is not None:
            return self._find(self.name or ""), self._find(self.ask.move)
        text = (
            (self.ask.swap or "").replace(" ", "") if _POSITION.fullmatch((self.ask.swap or "").replace(" ", "")) else self.ask.swap or ""
        )
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

    def _label(self, kind: str, label: str, stop: int | None, by: int | None) -> str:
        """Change in words, stops by the names that people know."""
        if kind == "drop" or stop is None:
            return label
        if kind == "via":
            return f"by {self._stop_name(stop)}"
        if by is None:
            return f"{self._stop_name(stop)} left out"
        return f"{self._stop_name(by)} in place of {self._stop_name(stop)}"

    def _stop_name(self, stop: int) -> str:
        return self.places.name_of(self.study.network, stop)

    def _find(self, text: str) -> int:
        return self.places.find_stop(self.study.network, text)


def _require_question(what: str, name: str | None, ask: ExplainOptions, out: str | None) -> None:
    """Refuse a question that is none, before anything is read."""
    complaint = None
    if what == "stop" and (ask.n_changes != 1 or ask.drop):
        complaint = "a stop needs one of --remove, --move LON,LAT and --swap P,Q"
    elif what != "stop" and (ask.remove or ask.move is not None or ask.swap is not None):
        complaint = f"--remove, --move and --swap change a stop, and the question is about {what}; write: explain PLAN stop S …"
    elif what != "route" and ask.drop:
        complaint = "--drop goes with a route; write: explain PLAN route R --drop"
    elif name is None and (what == "via" or (what == "route" and ask.drop) or (what == "stop" and ask.swap is None)):
        way_out = "ROUTE, its name" if what == "route" else "STOP, its index, its name, a place or LON,LAT"
        complaint = f"{what} needs a name; write: explain PLAN {what} {way_out}"
    elif ask.apply is not None and (what != "suggest" or out is None):
        complaint = "--apply writes the plan with a suggested swap; write: explain PLAN suggest --apply N --out DIR"
    elif not 1 <= ask.top <= _MOST_LISTED:
        complaint = f"--top must lie in [1, {_MOST_LISTED}], got {ask.top}"
    elif ask.apply is not None and not 1 <= ask.apply <= ask.top:
        complaint = f"--apply must lie in [1, {ask.top}], the swaps listed with --top, got {ask.apply}"
    if complaint:
        raise UsageError(complaint)


def _write(
    out: str, question: _Question, document: dict[str, Any], after: Plan | None, answer: Answer | None, settings: Mapping[str, Any]
) -> None:
    """Write the answer to a run directory: JSON, and for a change the page, the map and the plan after it."""
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
                answer.found,
                question.plan,
                answer.change.plan,
                title=answer.change.label,
                note=f"{note}Trips counted at both of their ends.",
            )
            picture = io.BytesIO()
            write_map(picture, figure)  # type: ignore[arg-type]
            run.write_bytes("difference.png", picture.getvalue())
            run.write_bytes("difference.geojson", difference_geojson(question.evaluator, answer.found))
            page = answer_page(document, plan=str(document["plan"]), is_synthetic=study.is_synthetic, picture=picture.getvalue())
            run.write_bytes("answer.html", page.encode())
        run.publish(RunRecord("explain", settings, None, study.inputs, None, study.timings_s))


def _answer_pages(document: Mapping[str, Any]) -> list[Any]:
    """Verdict, table of who gains and loses, and the alternative."""
    least = document["hidden"]["min_count"]
    rows = {"all": document["whole"], **{f"{hour} h": row for hour, row in document["by_hour"].items()}}
    districts = sorted(document["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))[:8]
    pages: list[Any] = [document["verdict"], moved_table("Gained and lost a night", {**rows, **dict(districts)}, least)]
    pages += [f"Breaks a limit: {line}" for line in document["broken_limits"]]
    if document["alternative"] is not None:
        pages.append(f"Next best: {document['alternative']['verdict']}")
    return pages


def _routes_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What each route adds and carries."""
    from owlbus.evidence.redact import count_text

    table = empty_table("What only this route serves, and how full it is")
    for column in ("route", "trips alone", "people alone", "riders", "bus-km", "riders/bus-km", "weakest link", "riders there"):
        table.add_column(column, justify="left" if column == "route" else "right")
    for row in rows:
        weak, per_km = row["weakest_segment"], row["riders_per_bus_km"]
        table.add_row(
            row["name"],
            count_text(row["only_served_trips"]),
            count_text(row["only_presence"]),
            count_text(row["riders_trips"]),
            f"{row['bus_km']:,.0f}",
            "" if per_km is None else f"{per_km:.2f}",
            "-".join(map(str, weak["stops"])),
            count_text(weak["load_trips"]),
        )
    return table


def _steady_tables(steady: Mapping[str, Any]) -> list[Table]:
    """Ranks of routes over nights drawn anew, and the served share by weekday and hour."""
    if not steady:
        return []
    ranks = empty_table("Rank of each route by the trips that only it serves, and where 90 % of nights drawn anew put it")
    for column in ("rank", "route", "from", "to", "same rank in"):
        ranks.add_column(column, justify="left" if column == "route" else "right")
    for row in steady["ranks"]:
        ranks.add_row(f"{row['rank']}", row["name"], f"{row['low_rank']}", f"{row['high_rank']}", f"{row['same_share']:.0%}")
    served: Mapping[str, Mapping[str, float | None]] = steady["by_weekday_and_hour"]["served"]
    matrix = empty_table("Trips served, by weekday of the evening and hour")
    hours = list(next(iter(served.values())))
    for column in ("", *(f"{hour} h" for hour in hours)):
        matrix.add_column(column, justify="left" if not column else "right")
    for day, shares in served.items():
        matrix.add_row(day, *("" if share is None else f"{share:.1%}" for share in shares.values()))
    return [ranks, matrix]


def _segments_table(row: Mapping[str, Any], name_of: Any) -> Table:  # noqa: ANN401 - a callable that names a stop
    """Riders by segment and hour of one route."""
    from owlbus.evidence.redact import count_text

    hours = list(row["segments"][0]["by_hour"]) if row["segments"] else []
    table = empty_table(f"Riders a night on each link of {row['name']}, both ways")
    for column in ("from", "to", "all", *(f"{hour} h" for hour in hours)):
        table.add_column(column, justify="left" if column in {"from", "to"} else "right")
    for segment in row["segments"]:
        a, b = row["stops"][segment["place"]], row["stops"][segment["place"] + 1]
        loads = [segment["load_trips"], *segment["by_hour"].values()]
        table.add_row(name_of(a), name_of(b), *(count_text(load) for load in loads))
    return table


def _missing_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Busy places that the plan leaves out."""
    from owlbus.evidence.redact import count_text

    table = empty_table("Busy places without a stop, and the cheapest way to serve each")
    for column in ("", "place", "people", "route", "km", "min", "buses", "trips +", "trips -"):
        table.add_column(column, justify="left" if column in {"place", "route"} else "right")
    for row in rows:
        change = row["difference"]
        cells = ["none keeps the limits", "", "", "", "", ""]
        if change is not None:
            cost, whole = change["cost"], change["whole"]
            cells = [", ".join(row["routes"]), f"{cost['length_m'] / 1000:+.1f}", f"{cost['cycle_min']:+.0f}", f"{cost['buses']:+d}"]
            cells += [count_text(whole["gained_trips"]), count_text(whole["lost_trips"])]
        table.add_row(f"{row['rank']}", row["name"], count_text(row["presence"]), *cells)
    return table


def _swaps_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Swaps that would pay."""
    from owlbus.evidence.redact import count_text

    table = empty_table("Swaps of one stop that gain, those that take no more time first")
    for column in ("", "route", "swap", "trips +", "trips -", "people +", "people -", "min", "per min"):
        table.add_column(column, justify="left" if column in {"route", "swap"} else "right")
    for row in rows:
        whole, cost = row["difference"]["whole"], row["difference"]["cost"]
        rate = row["gain_per_extra_min"]
        moved = (count_text(whole[name]) for name in ("gained_trips", "lost_trips", "gained_presence", "lost_presence"))
        table.add_row(
            f"{row['rank']}",
            ", ".join(row["routes"]),
            row["change"],
            *moved,
            f"{cost['cycle_min']:+.0f}",
            "" if rate is None else f"{rate:.1f}",
        )
    return table
