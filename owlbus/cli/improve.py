"""`owlbus improve`: improve a plan by changing few of its stops."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of, require_language, rule_of
from owlbus.cli.options import LANG, OUT, FeedPlanOptions, LimitOptions, OutputOptions, RuleOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import plan_name
from owlbus.cli.session import (
    SYNTHETIC,
    evaluator_of,
    limits_near,
    plans_from_options,
    say_reversed,
    settings_of_run,
    stop_names_of,
)
from owlbus.cli.shares import shares_of
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.defaults import IMPROVE_STEPS
from owlbus.common.disclosure import Publisher, count_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.evidence import Comparison, Difference, PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.search.improve import Improvement

IMPROVED = "improved plan"
"""What reports call the plan that the search found."""

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
    [bold]owlbus improve routes_2013.geojson --change 10% --keep-stop Sadang --out improved[/bold]

    Improve a plan by changing at most a given share of its stops. The new plan keeps terminals and --keep-stop, and uses no more
    kilometres and buses. Steps are listed with their gains; the plan after each step can run. --curve shows the gain for 0, 5, 10, 20
    and 40 % of change. --out writes the plan, its steps, and report.html, which holds it against the given plan.
    """
    from owlbus.pipeline import Request
    from owlbus.search import Objective
    from owlbus.search.improve import CURVE, improve_plan

    require_language(lang)
    Request(limits=limits_of(limits), objective=objective, steps=steps, seed=seed)  # refuses numbers out of range before reading
    service_rule, shares = rule_of(rule), CURVE if curve else shares_of("--change", change)
    with open_output(output_options) as output:
        reader, sources, run = plans_from_options(output, study_options, [plan], feed, (area, demand, network))
        study, base = reader.study, reader.read(plan)
        bounds, evaluator = limits_near(study, base, limits), evaluator_of(study, service_rule)
        keep = [stop_names_of(study).find_stop(study.network, text) for text in keep_stop or []]
        search: dict[str, Any] = {"objective": Objective.of_counted(objective, study.demand), "keep_terminals": not free_ends}
        improvements = improve_plan(evaluator.problem, base, bounds, shares, keep=keep, n_steps=steps, seed=seed, **search)
        head = {"command": "improve", "plan": plan_name(plan), "is_synthetic": study.is_synthetic, "seed": seed}
        document: dict[str, Any] = {
            **head,
            **Publisher(study.min_count).facts,
            "curve": curve_rows(evaluator, base, improvements, bounds.headway_s),
            "steps": step_rows(evaluator, base, improvements[-1], stop_names_of(study, lang), bounds.headway_s),
            **reader.facts,
        }
        say_reversed(output, base, improvements[-1].plan)
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, change=list(shares), steps=steps)
            compared = _compare(evaluator, base, improvements[-1].plan, document["plan"], bounds.headway_s)
            _write(out, study, document, compared, settings | {"seed": seed} | reader.facts, lang)
    output.show(document, _curve_table(document["curve"]), _steps_table(document), f"Counts are {document['counts']}.")
    if study.is_synthetic:
        output.say(SYNTHETIC)


def curve_rows(evaluator: PlanEvaluator, plan: Plan, improvements: Sequence[Improvement], headway_s: int) -> list[dict[str, Any]]:
    """
    Gain over a plan by share of stops changed, by the publishing rule.

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
    rows = []
    for improvement in improvements:
        change = difference(evaluator, before, evaluator.evaluate(improvement.plan), headway_s)
        rows.append(
            {
                "allowed_share": improvement.allowed_share,
                "stops_allowed": improvement.n_allowed,
                "stops_changed": improvement.n_changed,
                "steps": len(improvement.steps),
                **_gain(change),
                "length_m": change.cost.length_m,
                "cycle_s": change.cost.cycle_s,
                "buses": change.cost.buses,
            }
        )
    return rows


def step_rows(evaluator: PlanEvaluator, plan: Plan, improvement: Improvement, names: StopNames, headway_s: int) -> list[dict[str, Any]]:
    """
    Steps to an improved plan with the gain of each, by the publishing rule.

    Parameters
    ----------
    evaluator
        Evaluator of plans on the demand.
    plan
        The given plan.
    improvement
        The improved plan.
    names
        Names of stops, in the language of the steps.
    headway_s
        Seconds between buses.

    Returns
    -------
    list of dict
        One row a step: the change, and trips and people gained and lost by it and since the first step.
    """
    from owlbus.evidence.answer_sentences import step_sentence
    from owlbus.evidence.difference import difference
    from owlbus.evidence.printed_difference import printed_difference
    from owlbus.search.improve import step_document

    network = evaluator.problem.network
    first = before = evaluator.evaluate(plan)
    rows = []
    for number, step in enumerate(improvement.steps, start=1):
        after = evaluator.evaluate(step.plan)
        out, into = ([names.name_of(network, stop) for stop in stops.tolist()] for stops in (step.out, step.into))
        alone, so_far = (printed_difference(difference(evaluator, base, after, headway_s)) for base in (before, first))
        rows.append(
            {
                "step": number,
                "route": step.route,
                "change": step_sentence(out, into, names.language),
                **step_document(step),
                **alone["whole"],
                "buses": alone["cost"]["buses"],
                "cycle_min": alone["cost"]["cycle_min"],
                "so_far": {**so_far["whole"], "served_share_interval": so_far["served_share_interval"], "cost": so_far["cost"]},
            }
        )
        before = after
    return rows


def _gain(change: Difference) -> dict[str, Any]:
    """Gain as trips, as a ratio with its interval, and in points, all from printed counts."""
    from owlbus.evidence.printed_difference import printed_difference

    shown, publisher = printed_difference(change), Publisher(change.min_count)
    net, interval = shown["whole"]["net_trips"], shown["served_share_interval"]
    served, trips = (
        publisher.middle(publisher.count(count)) for count in (change.before.served.numerator, change.before.served.denominator)
    )
    is_told = net is not None and change.before.served.numerator > 0 and publisher.share(0.0, change.before.served.numerator) is not None
    return {
        "net_trips": net,
        "gain_ratio": round(net / served, 4) if net is not None and is_told else None,
        "gain_interval": [round(end * trips / served, 4) for end in interval] if is_told and interval is not None else None,
        "net_presence": shown["whole"]["net_presence"],
        "served_share_change": shown["served_share_change"],
        "served_share_interval": interval,
        "presence_share_change": shown["presence_share_change"],
        **({} if change.trips_counted else {"trips_counted": False}),
    }


def _compare(evaluator: PlanEvaluator, given: Plan, improved: Plan, name: str, headway_s: int) -> Comparison:
    """Hold the improved plan against the given one."""
    from owlbus.evidence import compare_plans

    problem = evaluator.problem
    plans = {f"{name} (given)" if name == IMPROVED else name: given, IMPROVED: improved}
    more: dict[str, Any] = {"districts": evaluator.districts, "min_count": evaluator.min_count}
    return compare_plans(problem.network, evaluator.demand, plans, rule=problem.rule, headway_s=headway_s, **more)


def _write(out: str, study: Study, document: dict[str, Any], compared: Comparison, settings: Mapping[str, Any], language: str) -> None:
    """Write the improved plan, its steps, the curve, and the report that holds it against the given plan to a run directory."""
    from owlbus.pipeline.report_content import comparison_contents
    from owlbus.pipeline.run_tables import missing_documents, write_plan_tables
    from owlbus.pipeline.rundir import RunRecord, describe_run, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.report import write_report

    more: dict[str, Any] = {"notes": study.notes, "min_count": study.min_count}
    record = RunRecord("improve", settings, document["seed"], study.inputs, None, study.timings_s, **more)
    side_by_side = {**compared.to_dict(), "by": {}}
    with open_run_dir(out) as run:
        run.write_json("improve.json", document)
        run.write_bytes("plan.geojson", plan_geojson(study.network, compared.plans[IMPROVED], compared.cards[IMPROVED].headway_s))
        run.write_bytes("curve.csv", _csv(document["curve"]))
        run.write_bytes("steps.csv", _csv([{key: value for key, value in row.items() if key != "so_far"} for row in document["steps"]]))
        if len(document["curve"]) > 1:
            _draw_gain(document["curve"], str(run.stage("curve.png")))
        (content,) = comparison_contents(study, compared, side_by_side, describe_run(record))
        write_plan_tables(run, study, content.best, missing_documents(study, content.best, {"settings": settings}))
        write_report(run.stage("report.html"), replace(content, improvement=document), language)
        run.publish(record)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV; lists joined by spaces, absent values empty."""
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
            "\u2013" if not row.get("trips_counted", True) else "none told" if ratio is None else f"{100 * ratio:+.1f}%",
            "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
            _net(row["net_presence"]),
            f"{row['length_m'] / 1000:+.1f}",
            f"{row['buses']:+d}",
        )
    return table


def _steps_table(document: Mapping[str, Any]) -> Table:
    """Table of the steps in order."""
    table = empty_table("Steps, largest gain first; the plan after each step can run")
    for column in ("", "route", "change", "trips +", "trips -", "so far"):
        table.add_column(column, justify="left" if column in {"route", "change"} else "right")
    for row in document["steps"]:
        moved = (count_text(row[name], document["min_count"]) for name in ("gained_trips", "lost_trips"))
        table.add_row(f"{row['step']}", row["route"], row["change"], *moved, _net(row["so_far"]["net_trips"]))
    return table


def _net(value: float | None) -> str:
    return "none told" if value is None else f"{value:+,.0f}"
