"""`owlbus sweep`: how many routes, buses or kilometres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.options import (
    LANG,
    AreaOptions,
    DemandOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    option,
    require_language,
    rule_of,
    sources_of,
)
from owlbus.cli.output import empty_table, output_of
from owlbus.cli.run_conflicts import require_no_files
from owlbus.cli.session import (
    SYNTHETIC,
    announce_compilation,
    reference_of,
    settings_of_run,
    study_of,
    warn,
)
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from owlbus.evidence.sweep import Sweep, SweepPoint
    from owlbus.pipeline import Study
    from owlbus.plan.limits import RouteLimits, ServiceRule

_PANEL = "What is swept; one of these is a range, the others are numbers"
_SEARCH = "Search"


def sweep(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    rule: RuleOptions,
    talk: OutputOptions,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records; the sample city's by default.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Take demand and network from an earlier run instead.")
    ] = None,
    routes: Annotated[str, typer.Option("--routes", "-k", metavar="RANGE", help="Routes, such as 1:20.", rich_help_panel=_PANEL)] = "9",
    fleet: Annotated[str | None, typer.Option("--fleet", metavar="RANGE", help="Buses, such as 20:60:5.", rich_help_panel=_PANEL)] = None,
    total_km: Annotated[
        str | None,
        typer.Option("--total-km", "--max-km", metavar="RANGE", help="One-way km of all routes together.", rich_help_panel=_PANEL),
    ] = None,
    headway: Annotated[str, typer.Option("--headway", metavar="RANGE", help="Minutes between buses.", rich_help_panel=_PANEL)] = "45",
    max_length_km: Annotated[
        float | None, typer.Option("--max-length-km", metavar="KM", help="One-way length of a route.", rich_help_panel=_PANEL)
    ] = None,
    objective: Annotated[str, typer.Option("--objective", metavar="NAME", help="What to maximise.", rich_help_panel=_SEARCH)] = "served",
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="Moves to try at each setting and start.", rich_help_panel=_SEARCH)
    ] = 60_000,
    starts: Annotated[
        int,
        typer.Option("--starts", metavar="N", help="Searches side by side, in threads or by --scheduler.", rich_help_panel=_SEARCH),
    ] = 2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel=_SEARCH)] = 0,
    bound: Annotated[
        int, typer.Option("--bound", metavar="N", help="Prices to try for a proven bound at each setting.", rich_help_panel=_SEARCH)
    ] = 0,
    out: Annotated[str | None, option("Output", "--out", "-o", unit="DIR", text="Run directory to write.")] = None,
    lang: Annotated[str, LANG] = "en",
) -> None:
    """
    [bold]owlbus sweep --routes 1:20 --out swept[/bold], or [bold]owlbus sweep --run run --fleet 20:60:5[/bold]

    One run over a range of routes, buses, kilometres or headways: every plan begins from the one before, so what is served never falls.
    Writes a report with the curve and its table, and the plans, and says where the knee is.
    """
    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.sweep import sweep_plans
    from owlbus.pipeline import Request
    from owlbus.search import Objective

    require_language(lang)
    require_no_files(from_run, files)
    kind, settings, n_routes, limits = _asked(routes, fleet, total_km, headway, max_length_km)
    goal, served = Objective.parse(objective), rule_of(rule)
    # refuses every number out of range before anything is read
    Request(n_routes, limits, served, objective, steps, seed=seed, n_starts=starts, bound_steps=bound)
    if from_run is None and not files and area.city is None:
        area = AreaOptions("seoul", area.area, area.radius, area.hexes, area.h3)
    sources = None if from_run else sources_of(files, area, demand, network)
    with output_of(talk) as voice:
        announce_compilation(voice)
        study = study_of(sources, from_run, None)
        warn(voice, study)
        evaluator = PlanEvaluator.build(study.network, study.demand, served, study.districts)
        found = sweep_plans(
            evaluator,
            kind,
            settings,
            limits,
            n_routes=n_routes,
            objective=goal,
            n_steps=steps,
            n_starts=starts,
            seed=seed,
            bound_steps=bound,
            scheduler=demand.scheduler,
        )
        document = {
            "command": "sweep",
            "kind": kind,
            "objective": objective,
            "seed": seed,
            "is_synthetic": study.is_synthetic,
            "points": found.rows(),
            "knee": None if found.knee is None else found.points[found.knee].setting,
            "knee_text": found.knee_text,
        }
        if out is not None:
            settings_json = settings_of_run(sources, None, run=from_run, is_synthetic=study.is_synthetic, kind=kind, values=settings)
            settings_json |= {"steps": steps, "starts": starts, "seed": seed, "objective": objective}
            _write(out, study, found, document, settings_json, limits, served, lang)
    voice.show(document, _table(found), found.knee_text)
    if study.is_synthetic:
        voice.say(SYNTHETIC)


def _asked(
    routes: str, fleet: str | None, total_km: str | None, headway: str, max_length_km: float | None
) -> tuple[str, list[float], int, RouteLimits]:
    """What is swept over which settings, and the other numbers."""
    from dataclasses import replace

    from owlbus.evidence.sweep import require_settings, settings_of_text
    from owlbus.plan.limits import RouteLimits

    given = {"routes": routes, "fleet": fleet, "km": total_km, "headway": headway}
    values = {name: settings_of_text(text) for name, text in given.items() if text is not None}
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
    found: Sweep,
    document: dict[str, Any],
    settings: dict[str, Any],
    limits: RouteLimits,
    rule: ServiceRule,
    language: str,
) -> None:
    """Write table, curve, plans and report to a run directory; the report draws the plan at the knee, or else the last."""
    from owlbus.pipeline import score_study, write_study
    from owlbus.pipeline.outputs import write_plan_report, write_scored
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson

    def headway_at(point: SweepPoint) -> int:
        return round(point.setting * 60) if found.kind == "headway" else limits.headway_s

    shown = found.points[-1 if found.knee is None else found.knee]
    given = reference_of(study, None, 1500.0)
    best = score_study(study, shown.plan, "this plan", rule=rule, headway_s=headway_at(shown))
    held = None if given is None else score_study(study, given[1], given[0], rule=rule, headway_s=headway_at(shown))
    told = {**settings, "reference_name": None if held is None else held.name}
    shares = round(shown.shown.objective_share, 6), None if shown.bound_share is None else round(shown.bound_share, 6)
    record = RunRecord("sweep", told, document["seed"], study.inputs, None, study.timings_s, *shares)
    with open_run_dir(out) as run:
        write_study(run, study)
        write_scored(run, study, best, held)
        run.write_json("sweep.json", document)
        run.write_bytes("sweep.csv", found.to_csv().encode())
        for point in found.points:
            run.write_bytes(f"plan_{point.setting:g}.geojson", plan_geojson(study.network, point.plan, headway_at(point)))
        _draw(found, str(run.stage("sweep.png")), is_synthetic=study.is_synthetic)
        write_plan_report(run, study, best, held, record=record, sweep=document, language=language)
        run.publish(record)


def _draw(found: Sweep, path: str, *, is_synthetic: bool) -> None:
    """Draw the curve with the knee."""
    from owlbus.plot import sweep as draw_sweep
    from owlbus.plot.maps import write_map
    from owlbus.score import CITY_SHARE

    found = found.shown
    x = [point.setting for point in found.points]
    shares = {
        "people near a stop": [point.presence_share for point in found.points],
        "trips served": [point.served_share for point in found.points],
        "served directly": [point.direct_share for point in found.points],
    }
    bounds = [point.bound_share for point in found.points]
    proven = [bound for bound in bounds if bound is not None]
    axes = draw_sweep(x, shares, bounds=proven if len(proven) == len(bounds) else None, city_share=CITY_SHARE if is_synthetic else None)
    labels = {"routes": "routes", "fleet": "buses", "km": "one-way km of all routes", "headway": "minutes between buses"}
    axes.set_xlabel(labels[found.kind])
    if found.knee is not None:
        knee = found.points[found.knee]
        axes.axvline(knee.setting, color="#999999", linewidth=1, linestyle="--", zorder=0)
        axes.annotate(f"knee at {knee.setting:g}", (knee.setting, 0), (4, 4), textcoords="offset points", fontsize=9)
    if is_synthetic:
        axes.set_title("SYNTHETIC demand", loc="left", fontsize=9)
    figure: Any = axes.figure
    write_map(path, figure)


def _table(found: Sweep) -> Table:
    """Lay the points out, one a row."""
    table = empty_table("Shares of people near a stop and of trips served, and points more than the setting before")
    rows = found.rows()
    bounds = [row["bound_share"] for row in rows]
    has_bounds = any(bound is not None for bound in bounds)
    for column in (found.kind, "near", "served", "direct", "more", "km", "buses", *(["bound"] if has_bounds else []), ""):
        table.add_column(column, justify="right")
    for row, bound in zip(rows, bounds, strict=True):
        table.add_row(
            f"{row[found.kind]:g}",
            f"{row['presence_share']:.1%}",
            f"{row['served_share']:.1%}",
            f"{row['direct_share']:.1%}",
            f"{row['marginal_points']:+.2f}",
            f"{row['total_km']:.0f}",
            f"{row['buses']}",
            *(["" if bound is None else f"{bound:.1%}"] if has_bounds else []),
            "knee" if row["is_knee"] else "",
        )
    return table
