"""`owlbus improve`: improve a plan by changing few of its stops."""

from __future__ import annotations

import csv
import io
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of, rule_of
from owlbus.cli.options import OUT, LimitOptions, OutputOptions, RuleOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import plan_name, read_any_plan
from owlbus.cli.session import (
    SYNTHETIC,
    announce_compilation,
    evaluator_of,
    limits_near,
    settings_of_run,
    stop_names_of,
    study_from_options,
    warn,
)
from owlbus.cli.shares import shares_of
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.defaults import IMPROVE_STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.evidence import Difference, PlanEvaluator
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.improve import Improvement

_PANEL = "What may change"


def improve(
    *,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS.")],
    change: Annotated[
        str,
        typer.Option(
            "--change",
            metavar="SHARE",
            help="Largest share of stops that may change, or several, separated by commas.",
            rich_help_panel=_PANEL,
        ),
        Gives("shares"),
    ] = "10%",
    curve: Annotated[
        bool, typer.Option("--curve", metavar="", help="The same as --change 0%,5%,10%,20%,40%.", rich_help_panel=_PANEL)
    ] = False,
    keep_stop: Annotated[
        list[str] | None, typer.Option("--keep-stop", metavar="STOP", help="Stop that must stay; repeatable.", rich_help_panel=_PANEL)
    ] = None,
    free_ends: Annotated[bool, typer.Option("--free-ends", metavar="", help="Terminals may change too.", rich_help_panel=_PANEL)] = False,
    objective: Annotated[
        str, typer.Option("--objective", metavar="NAME", help="What to maximise, as for owlbus plan.", rich_help_panel=_PANEL)
    ] = "served",
    steps: Annotated[
        int,
        typer.Option("--steps", metavar="N", help="Moves to try for each share of --change.", rich_help_panel="Search"),
        Gives("n_steps"),
    ] = IMPROVE_STEPS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel="Search")] = 0,
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
    [bold]owlbus improve routes_2013.geojson --change 10% --keep-stop Sadang --out improved[/bold]

    Improve a plan by changing at most a given share of its stops. The new plan keeps terminals and --keep-stop, and uses no more
    kilometres and buses. Steps are listed with their gains; the plan after each step can run. --curve shows the gain for 0, 5, 10, 20
    and 40 % of change.
    """
    from owlbus.pipeline import Request
    from owlbus.search import Objective
    from owlbus.search.improve import CURVE, improve_plan

    service_rule = rule_of(rule)
    Request(limits=limits_of(limits), objective=objective, steps=steps, seed=seed)  # refuses numbers out of range before reading
    shares = CURVE if curve else shares_of("--change", change)
    with open_output(output_options) as output:
        announce_compilation(output)
        study, sources, run = study_from_options(study_options, [plan], area, demand, network)
        warn(output, study)
        base = read_any_plan(plan, study, study_options.max_snap, output.say)
        bounds = limits_near(study, base, limits)
        evaluator, names = evaluator_of(study, service_rule), stop_names_of(study)
        keep = [names.find_stop(study.network, text) for text in keep_stop or []]
        search: dict[str, Any] = {"objective": Objective.of_counted(objective, study.demand), "keep_terminals": not free_ends}
        improvements = improve_plan(evaluator.problem, base, bounds, shares, keep=keep, n_steps=steps, seed=seed, **search)
        document: dict[str, Any] = {
            "command": "improve",
            "plan": plan_name(plan),
            "is_synthetic": study.is_synthetic,
            "seed": seed,
            "curve": curve_rows(evaluator, base, improvements, bounds.headway_s),
            "steps": step_rows(evaluator, base, improvements[-1], partial(names.name_of, study.network), bounds.headway_s),
        }
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, change=list(shares), steps=steps)
            _write(out, study, document, improvements[-1].plan, settings | {"seed": seed}, bounds)
    output.show(document, _curve_table(document["curve"]), _steps_table(document["steps"]))
    if study.is_synthetic:
        output.say(SYNTHETIC)


def curve_rows(evaluator: PlanEvaluator, plan: Plan, improvements: Sequence[Improvement], headway_s: int) -> list[dict[str, Any]]:
    """
    Gain over a plan by share of stops changed, with small counts hidden.

    Parameters
    ----------
    evaluator
        Evaluator of plans on the demand.
    plan
        The given plan.
    improvements
        Improved plans.
    headway_s
        Seconds between buses.

    Returns
    -------
    list of dict
        Shares 0 to 1; ``gain_ratio`` is served trips over those of the given plan, less 1.
    """
    from owlbus.evidence.difference import difference

    before = evaluator.evaluate(plan)
    served = float(evaluator.whole.trips.trips[evaluator.whole.trips.among(before.is_served)].sum())
    rows = []
    for improvement in improvements:
        change = difference(evaluator, before, evaluator.evaluate(improvement.plan), headway_s)
        rows.append(
            {
                "allowed_share": improvement.allowed_share,
                "stops_allowed": improvement.n_allowed,
                "stops_changed": improvement.n_changed,
                "steps": len(improvement.steps),
                **_gain(change, served, evaluator.whole.trips.trips.sum()),
                "length_m": change.cost.length_m,
                "cycle_s": change.cost.cycle_s,
                "buses": change.cost.buses,
            }
        )
    return rows


def step_rows(evaluator: PlanEvaluator, plan: Plan, improvement: Improvement, name_of: Any, headway_s: int) -> list[dict[str, Any]]:  # noqa: ANN401 - a callable
    """
    Steps to an improved plan with the gain of each, with small counts hidden.

    Parameters
    ----------
    evaluator
        Evaluator of plans on the demand.
    plan
        The given plan.
    improvement
        The improved plan.
    name_of
        Called with a stop index; gives its name.
    headway_s
        Seconds between buses.

    Returns
    -------
    list of dict
        One row a step: the change, and trips and people gained and lost by it and since the first step.
    """
    from owlbus.evidence.difference import difference
    from owlbus.evidence.redact import shown_difference
    from owlbus.search.improve import step_document

    first = before = evaluator.evaluate(plan)
    rows = []
    for number, step in enumerate(improvement.steps, start=1):
        after = evaluator.evaluate(step.plan)
        alone, so_far = (shown_difference(difference(evaluator, base, after, headway_s)).values for base in (before, first))
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
        **({} if change.trips_counted else {"trips_counted": False}),
    }


def _write(out: str, study: Study, document: dict[str, Any], plan: Plan, settings: Mapping[str, Any], bounds: RouteLimits) -> None:
    """Write the improved plan, its steps and the curve to a run directory."""
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson

    with open_run_dir(out) as run:
        run.write_json("improve.json", document)
        run.write_bytes("plan.geojson", plan_geojson(study.network, plan, bounds.headway_s))
        run.write_bytes("curve.csv", _csv(document["curve"]))
        run.write_bytes("steps.csv", _csv([{key: value for key, value in row.items() if key != "so_far"} for row in document["steps"]]))
        if len(document["curve"]) > 1:
            _draw_gain(document["curve"], str(run.stage("curve.png")))
        run.publish(RunRecord("improve", settings, document["seed"], study.inputs, None, study.timings_s))


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV; lists joined by spaces, hidden values empty."""
    from owlbus.common.text import escape_formula

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        values = (" ".join(map(str, value)) if isinstance(value, list) else value for value in row.values())
        writer.writerow(["" if value is None else escape_formula(value) for value in values])
    return out.getvalue().encode()


def _draw_gain(rows: Sequence[Mapping[str, Any]], path: str) -> None:
    """Draw the gain over the share that may change, with its interval."""
    from owlbus.plot.charts import gain
    from owlbus.plot.maps import write_map

    shown = [row for row in rows if row["gain_ratio"] is not None]
    ratios = [row["gain_ratio"] for row in shown]
    axes = gain([row["allowed_share"] for row in shown], ratios, [row["gain_interval"] or (row["gain_ratio"],) * 2 for row in shown])
    figure: Any = axes.figure
    write_map(path, figure)


def _curve_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Table of the gain by the share that may change."""
    table = empty_table("Gain over the given plan, with its 90 % interval over nights")
    for column in ("change", "stops", "trips", "gain", "interval, %", "people", "km", "buses"):
        table.add_column(column, justify="right")
    for row in rows:
        ratio, interval = row["gain_ratio"], row["gain_interval"]
        table.add_row(
            f"{100 * row['allowed_share']:g}%",
            f"{row['stops_changed']}",
            _net(row["net_trips"]) if row.get("trips_counted", True) else "\u2013",
            "\u2013" if not row.get("trips_counted", True) else "small" if ratio is None else f"{100 * ratio:+.1f}%",
            "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
            _net(row["net_presence"]),
            f"{row['length_m'] / 1000:+.1f}",
            f"{row['buses']:+d}",
        )
    return table


def _steps_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Table of the steps in order."""
    from owlbus.evidence.redact import count_text

    table = empty_table("Steps, largest gain first; the plan after each step can run")
    for column in ("", "route", "change", "trips +", "trips -", "so far"):
        table.add_column(column, justify="left" if column in {"route", "change"} else "right")
    for row in rows:
        moved = (count_text(row[name]) for name in ("gained_trips", "lost_trips"))
        table.add_row(f"{row['step']}", row["route"], row["change"], *moved, _net(row["so_far"]["net_trips"]))
    return table


def _net(value: float | None) -> str:
    return "small" if value is None else f"{value:+,.0f}"
