"""`owlbus phase`: an order in which the routes of a plan are introduced or taken away."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language
from owlbus.cli.options import LANG, OUT, OutputOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import plan_name
from owlbus.cli.session import SYNTHETIC, settings_of_run, warn
from owlbus.common.defaults import DEFAULT_STEPS
from owlbus.common.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.evidence.phases import Phasing
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.plan.limits import RouteLimits
    from owlbus.search import Objective, PlanConstraints
    from owlbus.timetable import DayType

_PANEL, _SEARCH = "Phases (name one of --buses and --years)", "Search for the best plan of each budget"
_MOST_YEARS = 50
_COST_COLUMNS = {"route", "cost"}
_OF_JOURNEYS = {"carried": "trips carried", "travel_time": "travel time"}
"""Objectives that phases cannot count, in words."""


def phase(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of demo, plan, score or another command that writes one plan.")],
    buses: Annotated[
        str | None,
        typer.Option(
            "--buses",
            metavar="RANGE",
            help="Buses of all routes in each phase, such as 15,30,45; with --costs, money.",
            rich_help_panel=_PANEL,
        ),
        Gives("budgets"),
    ] = None,
    years: Annotated[
        int | None, typer.Option("--years", metavar="N", help="N phases with equal steps up to the whole plan.", rich_help_panel=_PANEL)
    ] = None,
    costs: Annotated[
        str | None,
        typer.Option("--costs", metavar="FILE", help="CSV with columns route and cost: budgets count these.", rich_help_panel=_PANEL),
    ] = None,
    take_away: Annotated[
        bool, typer.Option("--take-away", metavar="", help="Take routes away, the largest budget first.", rich_help_panel=_PANEL)
    ] = False,
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            metavar="NAME",
            help="What each phase brings most of: served, direct, presence or a mix. Default: that of the run.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            help="Moves to try for each budget; 0 for no search. Default: those of the run.",
            rich_help_panel=_SEARCH,
        ),
        Gives("n_steps"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel=_SEARCH)] = 0,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus phase run --buses 15,30,45 --out phases[/bold], or [bold]owlbus phase run --years 4[/bold]

    Find the order in which the routes of a plan are best introduced, or taken away: each phase runs whole routes within its budget and
    contains the phase before, and all phases together serve as much as any order can. The table holds each phase against the best choice of
    the plan's routes for its budget, and against a new plan searched for it. --out writes the plan of each phase and phase.html with a map
    of each.
    """
    from owlbus.evidence.phase_search import phases_of
    from owlbus.explore.opened_run import open_run
    from owlbus.pipeline import Request

    require_language(lang)
    Request(steps=steps, seed=seed)  # refuses numbers out of range before anything is read
    given = _given_budgets(buses, years)
    with open_output(output_options) as output:
        opened = open_run(run)
        warn(output, opened.study)
        counted = _objective_of(run, opened, objective)
        day_type, limits = _busiest_days(opened, output)
        route_costs = None if costs is None else _read_costs(costs)
        constraints = _constraints_of(opened)
        settings: dict[str, Any] = {"costs": route_costs, "limits": limits, "constraints": constraints, "take_away": take_away}
        settings |= {"objective": counted, "day_type": day_type, "seed": seed, "n_steps": _steps_of(opened) if steps is None else steps}
        budgets = given or _equal_budgets(opened, limits.headway_s, route_costs, years or 1)
        phasing = phases_of(opened.evaluator, opened.plan, budgets, **settings)
        document = {
            "command": "phase",
            "plan": plan_name(run),
            "is_synthetic": opened.study.is_synthetic,
            "seed": seed,
            **phasing.to_dict(),
        }
        if out is not None:
            recorded = settings_of_run(None, None, run=run, plan=run, budgets=budgets, costs=route_costs, take_away=take_away)
            _write(out, opened, phasing, document, recorded | {"steps": settings["n_steps"], "seed": seed}, lang)
    output.show(document, _table(phasing), *_sentences(document), f"Counts are {document['counts']}.")
    if opened.study.is_synthetic:
        output.say(SYNTHETIC)


def _objective_of(run: str, opened: OpenedRun, name: str | None) -> Objective:
    """Return the objective that is named, or that of the run; refuse one of whole journeys, which no set of routes has alone."""
    from owlbus.explore.improve_live import objective_of_run
    from owlbus.search import Objective

    if name is not None:
        return Objective.of_counted(name, opened.study.demand)
    recorded = opened.about["settings"].get("objective")
    if recorded in _OF_JOURNEYS:
        other = "served" if opened.study.demand.counts_trips else "presence"
        msg = f"{run}: was planned for {_OF_JOURNEYS[recorded]}, and phases count trips served or people; add --objective {other}"
        raise UsageError(msg, setting="objective", value=recorded)
    return objective_of_run(opened)


def _busiest_days(opened: OpenedRun, output: Output) -> tuple[DayType | None, RouteLimits]:
    """Return the day type that takes the most buses, which is said, None where every night is alike, and the limits with its headway."""
    from owlbus.timetable.day_routes import busiest_day_type

    if not opened.day_types:
        return None, opened.limits
    study, rule = opened.study, opened.evaluator.problem.rule
    day_type = busiest_day_type(study.network, study.demand, opened.plan, opened.day_types, rule, min_count=study.min_count)
    named = f"{day_type.name}, one bus every {day_type.max_headway_s / 60:g} minutes"
    days = opened.about["settings"]["days"]
    output.say(f"note: the run has day types ({days}); buses and waits are those of {named}, which takes the most buses")
    return day_type, replace(opened.limits, headway_s=day_type.max_headway_s)


def _given_budgets(buses: str | None, years: int | None) -> tuple[float, ...]:
    """Return the budgets that are named; none where they follow from the number of years."""
    from owlbus.evidence.phase_search import budgets_in_order
    from owlbus.evidence.sweep_settings import settings_of_text

    if (buses is None) == (years is None):
        msg = f"one of --buses and --years must be given, such as --buses 15,30,45, got {'none' if buses is None else 'both'}"
        raise UsageError(msg)
    if years is not None and not 1 <= years <= _MOST_YEARS:
        msg = f"--years must lie in [1, {_MOST_YEARS}], got {years}"
        raise UsageError(msg, setting="years", value=years, allowed=(1, _MOST_YEARS))
    return () if buses is None else budgets_in_order(settings_of_text(buses))


def _equal_budgets(opened: OpenedRun, headway_s: int, costs: Mapping[str, float] | None, years: int) -> tuple[float, ...]:
    """Return budgets in equal steps up to what the whole plan takes, whole buses or money."""
    from owlbus.plan import plan_measures

    if costs is not None:
        return tuple(sum(costs.values()) * year / years for year in range(1, years + 1))
    total = plan_measures(opened.study.network, opened.plan, headway_s).total_buses
    return tuple(float(-(-total * year // years)) for year in range(1, years + 1))


def _read_costs(path: str) -> dict[str, float]:
    """Read the cost of each route."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        msg = f"{path}: cannot be read ({reason}); name a CSV file with columns route and cost"
        raise DataError(msg, setting="costs", value=path) from None
    missing = sorted(_COST_COLUMNS - set(reader.fieldnames or ()))
    if missing:
        msg = f"{path}: must have columns route and cost, got no {' and no '.join(missing)}; name them in the first line"
        raise DataError(msg, setting="costs", value=path)
    costs: dict[str, float] = {}
    for line, row in enumerate(rows, start=2):
        name, text = (row["route"] or "").strip(), (row["cost"] or "").strip()
        try:
            cost = float(text)
        except ValueError:
            cost = math.nan
        if not 0 < cost < math.inf:
            msg = f"{path}: cost must be a number above 0, got {text!r} on line {line}"
            raise DataError(msg, setting="costs", value=path)
        if name in costs:
            msg = f"{path}: each route must stand once, got {name!r} again on line {line}"
            raise DataError(msg, setting="costs", value=path)
        costs[name] = cost
    return costs


def _constraints_of(opened: OpenedRun) -> PlanConstraints:
    """Return the constraints of the run; its fixed routes run in every phase."""
    from owlbus.explore.improve_live import constraints_of_run
    from owlbus.plan import Plan

    fixed = (opened.about["settings"].get("constraints") or {}).get("fixed") or {}
    routes = tuple(route for route in opened.plan.routes if route.name in fixed)
    return constraints_of_run(opened.about, Plan(routes, opened.plan.network_fingerprint) if routes else None)


def _steps_of(opened: OpenedRun) -> int:
    """Return the moves of the run's search; the default where it was not searched by moves."""
    steps = opened.about["settings"].get("steps")
    return steps if isinstance(steps, int) else DEFAULT_STEPS


def _write(out: str, opened: OpenedRun, phasing: Phasing, document: dict[str, Any], settings: dict[str, Any], language: str) -> None:
    """Write the phases, their plans and the page with a map of each to a run directory."""
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import Plan, plan_geojson
    from owlbus.report.answer_map import MapContent, answer_map
    from owlbus.report.phase_page import phase_page
    from owlbus.report.translations import read_translations

    study, words, pictures = opened.study, read_translations(language), []
    before = opened.plan if phasing.takes_away else Plan((), opened.plan.network_fingerprint)
    with open_run_dir(out) as run:
        run.write_json("phase.json", document)
        run.write_bytes("phase.csv", phasing.to_csv().encode())
        for number, step in enumerate(phasing.phases, start=1):
            run.write_bytes(f"plan_{number}.geojson", plan_geojson(study.network, step.plan, opened.headway_s))
            content = MapContent(
                study.network, step.plan, before, city=study.city, places=study.places, framed=opened.plan, key="phase.map"
            )
            pictures.append(answer_map(content, words))
            before = step.plan
        html = phase_page(document, pictures, words, plan=document["plan"], is_synthetic=study.is_synthetic)
        run.write_bytes("phase.html", html.encode())
        more: dict[str, Any] = {"notes": study.notes, "min_count": study.min_count}
        run.publish(RunRecord("phase", settings, settings["seed"], study.inputs, None, study.timings_s, **more))


def _table(phasing: Phasing) -> Table:
    """Table of the phases, one a row."""
    changed = "removed" if phasing.takes_away else "added"
    table = empty_table("Phases, each with fewer routes" if phasing.takes_away else "Phases, each with the routes of the one before")
    has_search = any(row["searched_share"] is not None for row in phasing.rows())
    searched, below = ("new: a plan searched for it; ", "them") if has_search else ("", "it")
    table.caption = f"best: best choice of the plan's routes for the budget; {searched}regret: percentage points below {below}"
    columns = ("", phasing.unit, changed, "near", "served", "best", *(("new",) if has_search else ()), "regret", "km", "wait")
    for column in columns:
        table.add_column(column, justify="left" if column == changed else "right")
    for row in phasing.rows():
        shares = [row[f"{name}_share"] for name in ("presence", "served", "alone", *(("searched",) if has_search else ()))]
        table.add_row(
            f"{row['phase']}",
            f"{row['cost']:g}/{row['budget']:g}",
            ", ".join(row[changed]) or "\u2013",
            *("\u2013" if share is None else f"{share:.1%}" for share in shares),
            "none told" if row["regret_points"] is None else f"{row['regret_points']:.2f}",
            f"{row['total_km']:.0f}",
            "\u2013" if row["wait_min"] is None else f"{row['wait_min']:.0f}",
        )
    return table


def _sentences(document: Mapping[str, Any]) -> list[str]:
    """Sentences on how good the order is, and on what it leaves out or misses."""
    found = (
        ["No order of whole routes serves more over these phases together: all sets of routes were tried."] if document["is_exact"] else []
    )
    mean, bound = document["mean_objective_share"], document["bound_share"]
    if mean is not None and bound is not None:
        found.append(
            f"The order is improved, not proven best: it serves {mean:.1%} on average over the phases, and none more than {bound:.1%}."
        )
    if document["left_out"] and not document["takes_away"]:
        found.append(f"No budget pays for {', '.join(document['left_out'])} too.")
    found += [f"Phase {row['phase']} does not keep: {line}." for row in document["phases"] for line in row["missed"]]
    found += [f"Phase {row['phase']}: its buses run no timetable." for row in document["phases"] if row["buses_run"] is None]
    return found
