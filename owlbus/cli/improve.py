"""`owlbus improve`: a better plan near a given one."""

from __future__ import annotations

import csv
import io
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
    SYNTHETIC,
    StudyOptions,
    announce_compilation,
    ledger_of,
    no_more_than,
    places_of,
    settings_of_run,
    study_options_of,
    warn,
)
from owlbus.cli.shares import shares_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.evidence import Difference, PlanEvaluator
    from owlbus.evidence.improve import Improvement
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

_PANEL = "What may change"


def improve(
    ground: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    talk: OutputOptions,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS.")],
    change: Annotated[
        str, typer.Option("--change", metavar="SHARE", help="Share of stops that may change; several with commas.", rich_help_panel=_PANEL)
    ] = "10%",
    curve: Annotated[bool, typer.Option("--curve", metavar="", help="--change 0%,5%,10%,20%,40%.", rich_help_panel=_PANEL)] = False,
    keep_stop: Annotated[
        list[str] | None, typer.Option("--keep-stop", metavar="STOP", help="A stop that stays; may be repeated.", rich_help_panel=_PANEL)
    ] = None,
    free_ends: Annotated[bool, typer.Option("--free-ends", metavar="", help="Let terminals change too.", rich_help_panel=_PANEL)] = False,
    objective: Annotated[
        str, typer.Option("--objective", metavar="NAME", help="What to maximise, as for owlbus plan.", rich_help_panel=_PANEL)
    ] = "served",
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Moves to try for each share.", rich_help_panel="Search")] = 240_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel="Search")] = 0,
    out: Annotated[str | None, OUT] = None,
) -> None:
    """
    [bold]owlbus improve routes_2013.geojson --change 10% --keep-stop Sadang --out improved[/bold]

    Change at most so many of a plan's stops, terminals and named stops kept, with no more kilometres and buses than it has, and list every
    step with its gain: each leaves a plan that could run, so stop anywhere. With --curve: what 0, 5, 10, 20 and 40 % of change bring.
    """
    from owlbus.evidence.improve import CURVE, improve_plan
    from owlbus.pipeline import Request
    from owlbus.search import Objective

    Request(limits=limits_of(limits), steps=steps, seed=seed)  # refuses every number out of range before anything is read
    served = rule_of(rule)
    shares = CURVE if curve else shares_of("--change", change)
    goal = Objective.parse(objective)
    with output_of(talk) as voice:
        announce_compilation(voice)
        study, sources, run = study_options_of(ground, [plan], area, demand, network)
        warn(voice, study)
        given = read_any_plan(plan, study, ground.max_snap)
        bounds = no_more_than(study, given, limits)
        evaluator, places = ledger_of(study, served), places_of(study)
        keep = [places.find_stop(study.network, text) for text in keep_stop or []]
        found = improve_plan(
            evaluator.problem, given, bounds, shares, objective=goal, keep=keep, keep_terminals=not free_ends, n_steps=steps, seed=seed
        )
        rows = curve_rows(evaluator, given, found, bounds.headway_s)
        listed = step_rows(evaluator, given, found[-1], lambda stop: places.name_of(study.network, stop), bounds.headway_s)
        document = {
            "command": "improve",
            "plan": plan_name(plan),
            "is_synthetic": study.is_synthetic,
            "seed": seed,
            "curve": rows,
            "steps": listed,
        }
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, change=list(shares), steps=steps)
            _write(out, study, document, found[-1].plan, settings | {"seed": seed}, bounds)
    voice.show(document, _curve_table(rows), _steps_table(listed))
    if study.is_synthetic:
        voice.say(SYNTHETIC)


def curve_rows(evaluator: PlanEvaluator, plan: Plan, found: Sequence[Improvement], headway_s: int) -> list[dict[str, Any]]:
    """
    Gain over a plan by share of stops changed, small counts left out.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The given plan.
    found
        Better plans.
    headway_s
        Seconds between buses.

    Returns
    -------
    list of dict
        Shares 0 to 1; ``gain_ratio`` is served trips over those of the given plan, less 1.
    """
    from owlbus.evidence.difference import difference

    before = evaluator.enter(plan)
    served = float(evaluator.whole.trips.trips[evaluator.whole.trips.among(before.is_served)].sum())
    rows = []
    for one in found:
        change = difference(evaluator, before, evaluator.enter(one.plan), headway_s)
        rows.append(
            {
                "allowed_share": one.allowed_share,
                "stops_allowed": one.n_allowed,
                "stops_changed": one.n_changed,
                "steps": len(one.steps),
                **_gain(change, served, evaluator.whole.trips.trips.sum()),
                "length_m": change.cost.length_m,
                "cycle_s": change.cost.cycle_s,
                "buses": change.cost.buses,
            }
        )
    return rows


def step_rows(evaluator: PlanEvaluator, plan: Plan, found: Improvement, name_of: Any, headway_s: int) -> list[dict[str, Any]]:  # noqa: ANN401 - a callable
    """
    Steps to a better plan with what each brings, small counts left out.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The given plan.
    found
        The better plan.
    name_of
        Called with a stop index; gives its name.
    headway_s
        Seconds between buses.

    Returns
    -------
    list of dict
        One row a step: what changes, and trips and people gained and lost with it and since the beginning.
    """
    from owlbus.evidence.difference import difference
    from owlbus.evidence.improve import step_document
    from owlbus.evidence.redact import shown_difference

    first = before = evaluator.enter(plan)
    rows = []
    for number, step in enumerate(found.steps, start=1):
        after = evaluator.enter(step.plan)
        alone, so_far = (shown_difference(difference(evaluator, one, after, headway_s)).values for one in (before, first))
        rows.append(
            {
                "step": number,
                **step_document(step, name_of),
                **alone["whole"],
                "buses": alone["cost"]["buses"],
                "cycle_min": alone["cost"]["cycle_min"],
                "so_far": {**so_far["whole"], "served_share_interval": so_far["served_share_interval"], "cost": so_far["cost"]},
            }
        )
        before = after
    return rows


def _gain(change: Difference, served: float, trips: float) -> dict[str, Any]:
    """Gain as trips, as a ratio with its interval, and in points."""
    from owlbus.evidence.redact import shown_difference

    shown = shown_difference(change).values
    interval = shown["served_share_interval"]
    hidden = shown["whole"]["net_trips"] is None or served <= 0
    return {
        "net_trips": shown["whole"]["net_trips"],
        "gain_ratio": None if hidden else round(change.whole.net_trips / served, 4),
        "gain_interval": None if hidden or interval is None else [round(end * trips / served, 4) for end in interval],
        "net_presence": shown["whole"]["net_presence"],
        "served_share_change": shown["served_share_change"],
        "served_share_interval": interval,
        "presence_share_change": shown["presence_share_change"],
    }


def _write(out: str, study: Study, document: dict[str, Any], plan: Plan, settings: Mapping[str, Any], bounds: RouteLimits) -> None:
    """Write the better plan, its steps and the curve to a run directory."""
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson

    with open_run_dir(out) as run:
        run.write_json("improve.json", document)
        run.write_bytes("plan.geojson", plan_geojson(study.network, plan, bounds.headway_s))
        run.write_bytes("curve.csv", _csv(document["curve"]))
        run.write_bytes("steps.csv", _csv([{key: value for key, value in row.items() if key != "so_far"} for row in document["steps"]]))
        if len(document["curve"]) > 1:
            _draw_curve(document["curve"], str(run.stage("curve.png")))
        run.publish(RunRecord("improve", settings, document["seed"], study.inputs, None, study.timings_s))


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV; lists joined by spaces, hidden values empty."""
    from owlbus.common.files import plain_cell

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        values = (" ".join(map(str, value)) if isinstance(value, list) else value for value in row.values())
        writer.writerow(["" if value is None else plain_cell(value) for value in values])
    return out.getvalue().encode()


def _draw_curve(rows: Sequence[Mapping[str, Any]], path: str) -> None:
    """Draw the gain over allowed change, with its interval."""
    from matplotlib.figure import Figure

    from owlbus.plot.maps import write_map

    shown = [row for row in rows if row["gain_ratio"] is not None]
    x = [100 * row["allowed_share"] for row in shown]
    y = [100 * row["gain_ratio"] for row in shown]
    ends = [row["gain_interval"] or [row["gain_ratio"]] * 2 for row in shown]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(
        x, [100 * low for low, _ in ends], [100 * high for _, high in ends], color="#9ecae1", label="90 % interval over nights"
    )
    axes.plot(x, y, marker="o", color="#08519c", label="more trips served")
    for at, gain in zip(x, y, strict=True):
        axes.annotate(f"+{gain:.0f} %", (at, gain), textcoords="offset points", xytext=(4, -12), fontsize=9)
    axes.axhline(10, color="#666666", linestyle=":", label="up to 10 %, as the city states it")
    axes.set_xlabel("stops that may change, %")
    axes.set_ylabel("trips served over the given plan, %")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    write_map(path, figure)


def _curve_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Gain by allowed change."""
    table = empty_table("Gain over the given plan, with its 90 % interval over nights")
    for column in ("change", "stops", "trips", "gain", "interval, %", "people", "km", "buses"):
        table.add_column(column, justify="right")
    for row in rows:
        ratio, interval = row["gain_ratio"], row["gain_interval"]
        table.add_row(
            f"{100 * row['allowed_share']:g}%",
            f"{row['stops_changed']}",
            _net(row["net_trips"]),
            "small" if ratio is None else f"{100 * ratio:+.1f}%",
            "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
            _net(row["net_presence"]),
            f"{row['length_m'] / 1000:+.1f}",
            f"{row['buses']:+d}",
        )
    return table


def _steps_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Steps in order."""
    from owlbus.evidence.redact import count_text

    table = empty_table("Steps, the most useful first; stop anywhere")
    for column in ("", "route", "change", "trips +", "trips -", "so far"):
        table.add_column(column, justify="left" if column in {"route", "change"} else "right")
    for row in rows:
        moved = (count_text(row[name]) for name in ("gained_trips", "lost_trips"))
        table.add_row(f"{row['step']}", row["route"], row["change"], *moved, _net(row["so_far"]["net_trips"]))
    return table


def _net(value: float | None) -> str:
    return "small" if value is None else f"{value:+,.0f}"
