"""
Three simple entrants of NightBench beside the best known plans, within the same limits.

They are what a paper's baseline or a student's project does: routes by greedy choice among shortest paths, corridors by k-means of trips,
and shortest paths between hot spots. `simple_methods` holds them. Each is run in several variants (measure of gain, order of
first routes), and for each objective the best of its plans counts.

Run ``python benchmarks/nightbench/entrants.py``; ``--write`` also puts the table into benchmarks/README.md. Instances of public data need
``--data``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(Path(__file__).parent)]

from sections import table, write_section
from simple_methods import MEASURES, METHODS, Roads, lengthen

from owlbus import Plan, Route
from owlbus.common.errors import DataError
from owlbus.nightbench import SHIPPED, best_plan_of, broken_rules, open_instance, read_records, value_plan

if TYPE_CHECKING:
    from owlbus.nightbench import BenchInstance, BestKnown

DATA = ROOT.parent / "shared" / "cases"
NOTE = """
## NightBench: simple entrants

`python benchmarks/nightbench/entrants.py --write`: three simple methods within the limits of each instance, beside the best known plan.
For each objective the best plan of a method's variants counts: percent of all trips or people, for travel time mean minutes. In brackets:
how much worse than the best known plan. After the comma: buses used. Demand is synthetic.

{text}
"""


def plans_of(instance: BenchInstance, roads: Roads, name: str) -> list[Plan]:
    """Plans of all variants of a method; each keeps all limits, or the script ends."""
    plans, began = [], time.process_time()
    for measure in MEASURES:
        for begun in METHODS[name](roads, measure):
            draft = lengthen(begun)
            plan = Plan(tuple(Route(row, f"R{k}") for k, row in enumerate(draft.routes, 1)), instance.network.fingerprint)
            if broken := broken_rules(instance, plan):
                msg = f"{instance.name}, {name}: {broken[0]}"
                raise SystemExit(msg)
            plans.append(plan)
            about = f"{plan.n_routes} routes, {n_buses(roads, plan)} buses, {time.process_time() - began:.0f} CPU s"
            print(f"{instance.name}, {name} by {measure}: {about}", file=sys.stderr, flush=True)
    return plans


def n_buses(roads: Roads, plan: Plan) -> int:
    """Buses of a plan."""
    return sum(roads.size(route.stops.tolist())[2] for route in plan.routes)


def shown(objective: str, value: float, share: float) -> str:
    """Return a value as percent, or as minutes."""
    return f"{value / 60:.1f}" if objective == "travel_time" else f"{100 * share:.2f}"


def cell(instance: BenchInstance, roads: Roads, plans: list[Plan], objective: str, record: BestKnown | None) -> str:
    """Value of the best of some plans, how much worse than the best known one it is, and its buses."""
    values = [value_plan(instance, plan, objective) for plan in plans]
    best = max(range(len(plans)), key=lambda k: values[k].share)
    gap = "" if record is None else f" ({100 * values[best].gap(record.value):.0f} %)"
    return f"{shown(objective, values[best].value, values[best].share)}{gap}, {n_buses(roads, plans[best])}"


def rows_of(instance: BenchInstance) -> list[list[str]]:
    """A line for each objective."""
    roads, rows = Roads(instance), []
    plans = [plans_of(instance, roads, name) for name in METHODS]
    for objective in instance.objectives:
        record, known = read_records().get((instance.name, objective)), best_plan_of(instance, objective)
        is_known = record is not None and known is not None
        best = f"**{shown(objective, record.value, record.share)}**, {n_buses(roads, known)}" if is_known else "-"
        rows.append([f"{instance.name}, {objective}", best, *(cell(instance, roads, some, objective, record) for some in plans)])
    return rows


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instance", nargs="+", default=list(SHIPPED), help="instances")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    asked = parser.parse_args()
    rows = []
    for name in asked.instance:
        try:
            rows += rows_of(open_instance(name, asked.data))
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    text = table(("instance, objective", "best known", *METHODS), rows)
    print(text)
    if asked.write:
        write_section("nightbench_entrants", NOTE.format(text=text))


if __name__ == "__main__":
    main()
