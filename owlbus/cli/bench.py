"""`owlbus bench`: plan the instances of NightBench, check plans of other tools, and export instances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import is_flag
from owlbus.cli.options import OutputOptions, option
from owlbus.cli.output import empty_table, open_output
from owlbus.common.errors import DataError, FindingError, UsageError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.nightbench import BenchInstance, BenchRun, BenchValue, BestKnown

ACTIONS = {"list": 0, "run": 0, "check": 1, "export": 2}
"""What the command does, and how many arguments that takes."""

_USED_BY = {
    "instance": ("run", "check"),
    "objective": ("run", "check"),
    "data": ("run", "check", "export"),
    "time": ("run",),
    "seed": ("run",),
    "keep": ("run",),
}
"""Actions that use each option."""

_PANEL = "Benchmark"
_HEAD = ("objective", "value", "unit", "share", "best known", "below it")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Which instance, and how long to search."""

    instance: Annotated[
        str | None,
        option(_PANEL, "--instance", unit="NAME", text="Instance, by its name or its folder. Default for run: all that can be made."),
    ] = None
    objective: Annotated[
        str | None,
        option(_PANEL, "--objective", unit="NAME", text="served, direct, presence or travel_time. Default: all that count there."),
    ] = None
    time: Annotated[
        float,
        option(_PANEL, "--time", unit="SECONDS", text="run: processor seconds of each search, all threads together."),
        Gives("time_s"),
    ] = 60.0
    seed: Annotated[int, option(_PANEL, "--seed", unit="N", text="run: random seed of the searches.")] = 0
    data: Annotated[
        str | None, option(_PANEL, "--data", unit="DIR", text="Folder of public data, for instances that owlbus does not hold.")
    ] = None
    keep: Annotated[
        str | None, option(_PANEL, "--keep", unit="DIR", text="run: put each plan there, unless a better one is there already.")
    ] = None


def bench(
    *,
    action: Annotated[str, typer.Argument(metavar="WHAT", help="list, run, check or export.")] = "list",
    target: Annotated[
        str | None, typer.Argument(metavar="PLAN|NAME", help="check: CSV with route, order and stop. export: an instance.")
    ] = None,
    folder: Annotated[str | None, typer.Argument(metavar="DIR", help="export: folder to write.")] = None,
    options: BenchOptions,
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus bench run --instance compact-300 --time 60[/bold], or [bold]owlbus bench check plan.csv --instance compact-300[/bold]

    NightBench: instances of night-bus network design that any tool can read, with the best plans known. list: all instances. run: search
    each, and compare with the best plan known. check: value a plan of any tool; exit with code 1 if it breaks a limit. export NAME DIR:
    write an instance as CSV tables. All figures are exact: the instances are open data.
    """
    given = [word for word in (target, folder) if word is not None]
    if action not in ACTIONS:
        msg = f"WHAT must be one of {', '.join(ACTIONS)}, got {action!r}"
        raise UsageError(msg)
    if len(given) != ACTIONS[action]:
        needed = {"check": "owlbus bench check PLAN --instance NAME", "export": "owlbus bench export NAME DIR"}
        taken, way = how_many(ACTIONS[action], "argument"), needed.get(action, f"owlbus bench {action}")
        msg = f"bench {action} takes {taken} after it, got {len(given)}; write {way}"
        raise UsageError(msg)
    _require_used(action)
    with open_output(output_options) as output:
        if action == "list":
            _list(output)
        elif action == "run":
            _run(output, options)
        elif action == "check":
            _check(output, options, given[0])
        else:
            _export(output, options, *given)


def _require_used(action: str) -> None:
    """Refuse flags that the action does not use."""
    unused = [name for name, actions in _USED_BY.items() if action not in actions and is_flag(name)]
    if unused:
        actions = " or ".join(_USED_BY[unused[0]])
        msg = f"--{unused[0]} goes with bench {actions}, got bench {action}; leave --{unused[0]} out"
        raise UsageError(msg)


def _list(output: Output) -> None:
    """Show all instances with their sizes and what is known of them."""
    from owlbus.nightbench import INSTANCES, SHIPPED, known_facts, read_records

    records, facts = read_records(), known_facts()
    rows: list[dict[str, Any]] = []
    for name in INSTANCES:
        known = {objective: record.value for (instance, objective), record in records.items() if instance == name}
        about = {"title": facts[name].title, "hexes": facts[name].n_hexes, "nodes": facts[name].n_nodes} if name in facts else {}
        n_routes = facts[name].n_routes if name in facts else None
        rows.append({"name": name, **about, "n_routes": n_routes, "needs_data": name not in SHIPPED, "best_known": known})
    table = empty_table("NightBench")
    for column in ("instance", "hexes", "nodes", "routes", "known plans", "data", "what"):
        is_text = column in {"instance", "data", "what"}
        table.add_column(column, justify="left" if is_text else "right", no_wrap=column == "instance")
    for row in rows:
        sizes = [_count(row.get(key)) for key in ("hexes", "nodes", "n_routes")]
        data = "--data" if row["needs_data"] else "held"
        table.add_row(str(row["name"]), *sizes, str(len(row["best_known"])), data, str(row.get("title", "-")))
    output.show({"command": "bench", "action": "list", "instances": rows}, table)


def _count(number: int | None) -> str:
    """Return a number as it is shown; a dash if it is not known."""
    return "-" if number is None else f"{number:,}"


def _run(output: Output, options: BenchOptions) -> None:
    """Search the instances one after the other, and show each result when it is there."""
    from owlbus.nightbench import broken_rules, run_bench

    document: list[dict[str, Any]] = []
    tables: list[Table] = []
    broken: list[str] = []
    is_stopped = False
    for instance in _instances(output, options):
        table = _value_table(instance, "1 s", "3 s", "10 s", "30 s", "60 s")
        for objective in _objectives(instance, options):
            output.say(f"{instance.name}, {objective}: {options.time:g} processor seconds.")
            run = run_bench(instance, objective, options.time, options.seed)
            broken += [f"{instance.name}: {line}" for line in broken_rules(instance, run.plan)]
            document.append(_run_row(instance, run) | _kept(output, options, instance, run))
            curve = [_figure(run.curve.get(moment)) for moment in (1, 3, 10, 30, 60)]
            table.add_row(*_value_row(instance, run.value), *curve)
            is_stopped = run.is_interrupted
            if is_stopped:
                break
        tables.append(table)
        if is_stopped:
            break
    output.show({"command": "bench", "action": "run", "time_s": options.time, "seed": options.seed, "runs": document}, *tables)
    if is_stopped:
        msg = f"searches that were over are shown{'' if options.keep is None else f', their plans are in {options.keep}'}"
        raise KeyboardInterrupt(msg)
    if broken:
        msg = f"plans break {how_many(len(broken), 'limit')}, first: {broken[0]}; search longer with --time"
        raise FindingError(msg)


def _instances(output: Output, options: BenchOptions) -> Iterator[BenchInstance]:
    """Yield the instance that is named, or all that can be made."""
    from owlbus.nightbench import INSTANCES, SHIPPED, open_instance

    if options.instance is not None:
        yield open_instance(options.instance, options.data)
        return
    for name in SHIPPED if options.data is None else INSTANCES:
        try:
            yield open_instance(name, options.data)
        except DataError as error:
            if name in SHIPPED:
                raise
            output.say(f"note: {name} is left out: {error}")


def _objectives(instance: BenchInstance, options: BenchOptions) -> tuple[str, ...]:
    """Return the objectives to search or to value a plan by."""
    if options.objective is None:
        return instance.objectives
    instance.objective(options.objective)
    return (options.objective,)


def _kept(output: Output, options: BenchOptions, instance: BenchInstance, run: BenchRun) -> dict[str, Any]:
    """Put the plan into the folder of ``--keep`` if it is better and keeps all limits, and return what became of it."""
    from owlbus.nightbench import broken_rules, keep_plan

    if options.keep is None or broken_rules(instance, run.plan):
        return {}
    record = keep_plan(options.keep, instance, run.value.objective, run.plan, run.found_by)
    output.say("Not better than the plan there." if record is None else f"Written to {Path(options.keep) / record.file}.")
    return {"kept": record is not None}


def _run_row(instance: BenchInstance, run: BenchRun) -> dict[str, Any]:
    """Return a run as JSON values."""
    curve = {str(moment): value for moment, value in run.curve.items()}
    routes = [route.stops.tolist() for route in run.plan.routes]
    return {**_value_document(instance, run.value), "curve": curve, "processor_s": run.elapsed_s, "moves": run.n_moves, "routes": routes}


def _known(instance: BenchInstance, objective: str) -> BestKnown | None:
    """Return the best known value of an objective."""
    from owlbus.nightbench import read_records

    record = read_records().get((instance.name, objective))
    return record if record is not None and record.version == instance.version else None


def _value_document(instance: BenchInstance, value: BenchValue) -> dict[str, Any]:
    """Return a value as JSON values, with the best known one and its bound."""
    known = _known(instance, value.objective)
    best, bound = (None, None) if known is None else (known.value, known.bound)
    document = {"instance": instance.name, "version": instance.version, "objective": value.objective, "unit": value.unit}
    document |= {"value": value.value, "share": value.share, "best_known": best}
    return document | {"gap_share": None if best is None else value.gap(best), "bound": bound, "is_synthetic": instance.is_synthetic}


def _value_table(instance: BenchInstance, *more: str) -> Table:
    """Return an empty table of values."""
    table = empty_table(f"{instance.name}: {instance.title}")
    for column in (*_HEAD, *more):
        table.add_column(column, justify="left" if column in {"objective", "unit"} else "right")
    return table


def _value_row(instance: BenchInstance, value: BenchValue) -> list[str]:
    """Return a row of a table of values."""
    known = _known(instance, value.objective)
    below = "-" if known is None else f"{value.gap(known.value):.2%}"
    return [value.objective, _figure(value.value), value.unit, f"{value.share:.2%}", _figure(None if known is None else known.value), below]


def _figure(value: float | None) -> str:
    """Return a value as it is shown; a dash if it is not known."""
    return "-" if value is None else f"{value:,.1f}"


def _check(output: Output, options: BenchOptions, path: str) -> None:
    """Value a plan of any tool, and refuse it if it breaks a limit."""
    from owlbus.nightbench import broken_rules, open_instance, read_plan_csv, value_plan

    if options.instance is None:
        msg = f"bench check needs the instance of the plan; write bench check {path} --instance NAME"
        raise UsageError(msg)
    instance = open_instance(options.instance, options.data)
    plan = read_plan_csv(path, instance)
    broken, table, values = broken_rules(instance, plan), _value_table(instance), []
    for objective in _objectives(instance, options):
        value = value_plan(instance, plan, objective)
        values.append(_value_document(instance, value))
        table.add_row(*_value_row(instance, value))
    head = {"command": "bench", "action": "check", "plan": path, "n_routes": plan.n_routes}
    output.show({**head, "broken_limits": list(broken), "values": values}, table)
    if broken:
        msg = f"{path}: breaks {how_many(len(broken), 'limit')} of {instance.name}, first: {broken[0]}; its value does not count"
        raise FindingError(msg)


def _export(output: Output, options: BenchOptions, name: str, folder: str) -> None:
    """Write an instance as a folder."""
    from owlbus.nightbench import open_instance, write_instance
    from owlbus.nightbench.instance_files import INSTANCE_FILE, TABLES

    instance = open_instance(name, options.data)
    files = [str(write_instance(instance, folder) / file) for file in (INSTANCE_FILE, *TABLES)]
    output.show({"command": "bench", "action": "export", "instance": instance.name, "version": instance.version, "files": files}, *files)
