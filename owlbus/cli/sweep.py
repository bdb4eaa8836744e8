"""`owlbus sweep`: plan for a range of routes, buses, kilometres or headways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.begin_options import say_what_fixed_break
from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language, require_no_files, rule_of
from owlbus.cli.options import LANG, OUT, OutputOptions, RuleOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import PlanReader
from owlbus.cli.service_options import score_reference
from owlbus.cli.session import (
    SYNTHETIC,
    evaluator_of,
    reference_of,
    settings_of_run,
    sources_or_run,
    study_of,
    warn,
)
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.common.defaults import HEADWAY_S, N_ROUTES, N_STARTS, SWEEP_STEPS
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.evidence.sweep import Sweep, SweepPoint
    from owlbus.pipeline import Study
    from owlbus.pipeline.rundir import RunRecord
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits, ServiceRule

_PANEL = "Sweep (exactly one is a range, the others are numbers)"
_SEARCH = "Search"


def sweep(
    *,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records. Default: those of the sample city.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Use demand and network of an earlier run instead of FILES.")
    ] = None,
    routes: Annotated[
        str,
        typer.Option("--routes", "-k", metavar="RANGE", help="Number of routes, such as 1:20.", rich_help_panel=_PANEL),
        Gives("n_routes"),
    ] = f"{N_ROUTES}",
    fleet: Annotated[
        str | None,
        typer.Option("--fleet", metavar="RANGE", help="Number of buses, such as 20:60:5.", rich_help_panel=_PANEL),
        Gives("max_buses"),
    ] = None,
    total_km: Annotated[
        str | None,
        typer.Option("--total-km", "--max-km", metavar="RANGE", help="One-way length of all routes together, km.", rich_help_panel=_PANEL),
        Gives("km"),
        Gives("max_total_length_m", 1000),
    ] = None,
    headway: Annotated[
        str,
        typer.Option("--headway", metavar="RANGE", help="Headway in minutes.", rich_help_panel=_PANEL),
        Gives("headway_s", 60, "minutes"),
    ] = f"{HEADWAY_S / 60:g}",
    max_length_km: Annotated[
        float | None,
        typer.Option("--max-length-km", metavar="KM", help="Longest route, one way.", rich_help_panel=_PANEL),
        Gives("max_length_m", 1000),
    ] = None,
    fixed: Annotated[
        str | None,
        typer.Option("--fixed", metavar="PLAN", help="Routes kept in every plan; they count towards --routes.", rich_help_panel=_PANEL),
    ] = None,
    objective: Annotated[str, typer.Option("--objective", metavar="NAME", help="What to maximise.", rich_help_panel=_SEARCH)] = "served",
    steps: Annotated[
        int,
        typer.Option("--steps", metavar="N", help="Moves to try in each start of each setting.", rich_help_panel=_SEARCH),
        Gives("n_steps"),
    ] = SWEEP_STEPS,
    starts: Annotated[
        int,
        typer.Option(
            "--starts", metavar="N", help="Independent searches at each setting, in threads or with --scheduler.", rich_help_panel=_SEARCH
        ),
        Gives("n_starts"),
    ] = N_STARTS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel=_SEARCH)] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            metavar="N",
            help="Sweep N times, from --seed on; keep the best plan of each setting and tell how far the sweeps differ.",
            rich_help_panel=_SEARCH,
        ),
        Gives("n_seeds"),
    ] = 1,
    bound: Annotated[
        int,
        typer.Option(
            "--bound", metavar="N", help="Iterations of the upper bound at each setting (0: none; 60 is typical).", rich_help_panel=_SEARCH
        ),
        Gives("bound_steps"),
    ] = 0,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG] = "en",
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus sweep --routes 1:20 --out swept[/bold], or [bold]owlbus sweep --run run --fleet 20:60:5[/bold]

    Plan for a range of routes, buses, kilometres or headways. Every search starts from the plan before it and keeps that plan where it
    finds no better one, so the objective never falls.
    Writes the plans and a report with the curve, its table and its knee: beyond it, more brings little.
    """
    from owlbus.evidence.sweep import sweep_plans
    from owlbus.pipeline import Request
    from owlbus.search import Objective

    require_language(lang)
    require_no_files(from_run, files)
    kind, settings, n_routes, limits = _settings(routes, fleet, total_km, headway, max_length_km)
    parsed_objective, service_rule = Objective.parse(objective), rule_of(rule)
    # refuses every number out of range before anything is read
    Request(n_routes, limits, service_rule, objective, steps, seed=seed, n_starts=starts, bound_steps=bound, n_seeds=seeds)
    sources, from_run = sources_or_run(from_run, None, files, (area, demand, network))
    with open_output(output_options) as output:
        study = study_of(sources, from_run, None)
        warn(output, study)
        evaluator = evaluator_of(study, service_rule)
        search: dict[str, Any] = {"n_steps": steps, "n_starts": starts, "n_seeds": seeds, "seed": seed, "bound_steps": bound}
        search |= {"scheduler": demand.scheduler, "fixed": _fixed(output, study, fixed, limits)}
        result = sweep_plans(evaluator, kind, settings, limits, n_routes=n_routes, objective=parsed_objective, **search)
        document = _document(result, objective, seed, is_synthetic=study.is_synthetic)
        document |= {} if study.city_share is None else {"city_share": study.city_share}
        if out is not None:
            values = settings_of_run(sources, None, run=from_run, is_synthetic=study.is_synthetic, kind=kind, values=settings)
            values |= {"steps": steps, "starts": starts, "seeds": seeds, "seed": seed, "objective": objective}
            values |= {} if fixed is None else {"fixed": fixed}
            _write(out, study, result, document, values, limits, service_rule, lang)
    output.show(document, _table(result), result.knee_text, *result.notes)
    _say_what_spread_is(output, result)
    if study.is_synthetic:
        output.say(SYNTHETIC)


def _fixed(output: Output, study: Study, file: str | None, limits: RouteLimits) -> Plan | None:
    """Return the routes of every plan, and say which limits they break; None without a file."""
    from owlbus.search import PlanConstraints

    fixed = None if file is None else PlanReader(study, say=output.say).read(file)
    say_what_fixed_break(output, study.network, PlanConstraints(fixed=fixed), limits)
    return fixed


def _say_what_spread_is(output: Output, result: Sweep) -> None:
    """Say what the spread in the table is, and what it is not."""
    spread = result.points[0].spread
    if spread is not None:
        output.say(
            f"Over {spread.over}: the objective by area, lowest to highest. This is neither an interval over nights nor a proven gap."
        )


def _document(result: Sweep, objective: str, seed: int, *, is_synthetic: bool) -> dict[str, Any]:
    """Return a sweep as JSON values, shares 0 to 1."""
    return {
        "command": "sweep",
        "kind": result.kind,
        "objective": objective,
        "seed": seed,
        "is_synthetic": is_synthetic,
        "points": result.rows(),
        "knee": None if result.shown.knee is None else result.points[result.shown.knee].setting,
        "knee_text": result.knee_text,
        "knee_within_spread": None if result.shown.knee_hidden_by is None else result.shown.knee_hidden_by.width_dict(),
    }


def _settings(
    routes: str, fleet: str | None, total_km: str | None, headway: str, max_length_km: float | None
) -> tuple[str, list[float], int, RouteLimits]:
    """Return the swept quantity, its settings, the number of routes, and the limits."""
    from owlbus.evidence.sweep_settings import require_settings, settings_of_text
    from owlbus.plan.limits import RouteLimits

    texts = {"routes": routes, "fleet": fleet, "km": total_km, "headway": headway}
    values = {name: settings_of_text(text) for name, text in texts.items() if text is not None}
    ranges = [name for name, numbers in values.items() if len(numbers) > 1]
    if len(ranges) != 1:
        msg = f"one of --routes, --fleet, --total-km and --headway must be a range, such as --routes 1:20, got {len(ranges)} ranges"
        raise UsageError(msg)
    for name, numbers in values.items():
        require_settings(name, numbers)
    limits = RouteLimits()
    if max_length_km is not None:
        limits = replace(limits, max_length_m=max_length_km * 1000)
    if "fleet" in values and ranges != ["fleet"]:
        limits = replace(limits, max_buses=values["fleet"][0])
    if "km" in values and ranges != ["km"]:
        limits = replace(limits, max_total_length_m=values["km"][0] * 1000)
    if ranges != ["headway"]:
        limits = replace(limits, headway_s=round(values["headway"][0] * 60))
    return ranges[0], values[ranges[0]], int(values["routes"][0]), limits


def _write(
    out: str,
    study: Study,
    result: Sweep,
    document: dict[str, Any],
    settings: dict[str, Any],
    limits: RouteLimits,
    rule: ServiceRule,
    language: str,
) -> None:
    """Write table, curve, plans and report to a run directory; the report shows the plan at the knee, or else the last one."""
    from owlbus.pipeline import score_study, write_study
    from owlbus.pipeline.outputs import write_plan_report, write_scored
    from owlbus.pipeline.rundir import open_run_dir
    from owlbus.plan import plan_geojson

    def headway_at(point: SweepPoint) -> int:
        return round(point.setting * 60) if result.kind == "headway" else limits.headway_s

    knee = result.shown.knee
    shown = result.points[-1 if knee is None else knee]
    best = score_study(study, shown.plan, "this plan", rule=rule, headway_s=headway_at(shown))
    reference = score_reference(study, reference_of(PlanReader(study), None), rule, headway_at(shown))
    settings = {**settings, "reference_name": None if reference is None else reference.name}
    record = _record(study, shown, settings, document["seed"])
    with open_run_dir(out) as run:
        write_study(run, study)
        write_scored(run, study, best, reference)
        run.write_json("sweep.json", document)
        run.write_bytes("sweep.csv", result.to_csv().encode())
        for point in result.points:
            run.write_bytes(f"plan_{point.setting:g}.geojson", plan_geojson(study.network, point.plan, headway_at(point)))
        _draw(result, str(run.stage("sweep.png")), study)
        write_plan_report(run, study, best, reference, record=record, sweep=document, language=language)
        run.publish(record)


def _record(study: Study, shown: SweepPoint, settings: dict[str, Any], seed: int) -> RunRecord:
    """Return the content of ``run.json``; shares are of the plan that the report shows, as the search counts."""
    from owlbus.pipeline.rundir import RunRecord

    point = shown.shown
    shares = [None if share is None else round(share, 6) for share in (point.searched_share, point.bound_share)]
    spread = None if point.spread is None else point.spread.to_dict()
    return RunRecord(
        "sweep",
        settings,
        seed,
        study.inputs,
        timings_s=study.timings_s,
        objective_share=shares[0],
        bound_share=shares[1],
        notes=study.notes,
        objective_rule=study.network.walk_rule,
        spread=spread,
        min_count=study.min_count,
    )


def _draw(result: Sweep, path: str, study: Study) -> None:
    """Draw the curve and its knee."""
    from owlbus.plot import sweep as draw_sweep
    from owlbus.plot.maps import write_map

    result = result.shown
    x = [point.setting for point in result.points]
    shares: dict[str, list[float | None]] = {
        "people near a stop": [point.presence_share for point in result.points],
        "trips served": [point.served_share for point in result.points],
        "served directly": [point.direct_share for point in result.points],
    }
    bounds = [point.bound_share for point in result.points]
    axes = draw_sweep(
        x,
        {name: curve for name, curve in shares.items() if any(share is not None for share in curve)},
        bounds=bounds if any(bound is not None for bound in bounds) else None,
        city_share=study.city_share,
        knee=None if result.knee is None else result.points[result.knee].setting,
        **_bars(result),
    )
    labels = {"routes": "routes", "fleet": "buses", "km": "one-way km of all routes", "headway": "minutes between buses"}
    axes.set_xlabel(labels[result.kind])
    if study.is_synthetic:
        axes.set_title("SYNTHETIC demand", loc="left", fontsize=9)
    figure: Any = axes.figure
    write_map(path, figure)


def _bars(result: Sweep) -> dict[str, Any]:
    """Return the spread at each setting as the chart takes it, and the settings whose gain lies within it; nothing where one is unknown."""
    spreads = [point.spread for point in result.points if point.spread is not None]
    if len(spreads) < len(result.points):
        return {}
    return {
        "spreads": [(spread.lowest_share, spread.highest_share) for spread in spreads],
        "spread_label": f"objective over {spreads[0].over}",
        "unclear": [point.setting for point, hidden in zip(result.points, result.within_spread, strict=True) if hidden is not None],
    }


def _table(result: Sweep) -> Table:
    """Table of the sweep, one setting a row."""
    table = empty_table("Shares of people near a stop and of trips served; more: percentage points above the setting before")
    rows = result.rows()
    bounds = [row["bound_share"] for row in rows]
    has_bounds = any(bound is not None for bound in bounds)
    over = next((f"over {row['spread']['over']}" for row in rows if row["spread"]), None)
    more = [*(["bound"] if has_bounds else []), *([] if over is None else [over]), ""]
    for column in (result.kind, "near", "served", "direct", "more", "km", "buses", *more):
        table.add_column(column, justify="right")
    for row, bound in zip(rows, bounds, strict=True):
        spread = row["spread"]
        table.add_row(
            f"{row[result.kind]:g}",
            *("\u2013" if row[name] is None else f"{row[name]:.1%}" for name in ("presence_share", "served_share", "direct_share")),
            "\u2013" if row["marginal_points"] is None else f"{row['marginal_points']:+.2f}",
            f"{row['total_km']:.0f}",
            f"{row['buses']}",
            *(["" if bound is None else f"{bound:.1%}"] if has_bounds else []),
            *([f"{100 * spread['lowest_share']:.1f}\u2013{spread['highest_share']:.1%}"] if spread else []),
            "knee" if row["is_knee"] else "",
        )
    return table
