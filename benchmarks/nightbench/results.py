"""
NightBench: the best known plan, its bound and its values over time, for each instance and objective.

Run ``python benchmarks/nightbench/results.py`` for the table of what is known. ``--search 60`` searches first, that many processor
seconds an instance and objective; ``--bound 60`` proves bounds with that many iterations; ``--verify`` computes every known value again by
tests/nightbench_evaluator.py. What is better than the known stays in owlbus/nightbench/plans, plan by plan. ``--plan FILE --instance NAME
--objective NAME`` takes a plan of another search, such as a long one, and keeps it if it is better. Instances of public data need
``--data``. ``--write`` puts the table into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests")]

from sections import table, write_section

from owlbus import read_plan
from owlbus.common.errors import DataError
from owlbus.nightbench import INSTANCES, best_plan_of, known_facts, open_instance, write_instance
from owlbus.nightbench.bench_run import run_bench
from owlbus.nightbench.best_known import PLANS, BestKnown, keep_plan, read_records, write_record
from owlbus.nightbench.catalogue import FACTS_FILE, InstanceFacts
from owlbus.nightbench.plan_csv import read_plan_csv
from owlbus.nightbench.plan_value import least_travel_s, value_of_quanta
from owlbus.plan import Plan
from owlbus.search import upper_bound

if TYPE_CHECKING:
    from owlbus.nightbench import BenchInstance

CURVE = ("1", "3", "10", "30", "60")
DATA = ROOT.parent / "shared" / "cases"
HEAD = ("instance, objective", "best known", "unit", "share, %", "bound", "gap, %", "how the bound was got", *(f"{s} s" for s in CURVE))
NOTE = """
## NightBench

`python benchmarks/nightbench/results.py --write`: the best known plan of each instance and objective, its proven bound, and the value of
one search after 1 to 60 processor seconds of all threads. Hexes count whole; `docs/nightbench.md` has the rules. A dash stands for what
is not known. Best known means to owlbus: no other solver was run on the night instances. Demand is synthetic but for St Petersburg and
Mandl. `--verify` computes values again by tests/nightbench_evaluator.py.

{text}
"""


def make_facts(names: list[str], data: Path) -> None:
    """Write sizes and hashes of all instances at hand; what is known of others stays."""
    known = {name: asdict(facts) for name, facts in known_facts().items() if facts.sha256}
    for name in names:
        try:
            known[name] = asdict(InstanceFacts.of(open_instance(name, data, is_checked=False)))
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    rows = {name: {key: value for key, value in known[name].items() if key != "name"} for name in INSTANCES if name in known}
    FACTS_FILE.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def search(instance: BenchInstance, objective: str, seconds: float, seed: int) -> None:
    """Search once from nothing; keep the curve, and the plan if it is better."""
    run = run_bench(instance, objective, seconds, seed)
    kept = keep_plan(PLANS, instance, objective, run.plan, run.found_by)
    record = read_records()[instance.name, objective]
    if len(run.curve) >= len(record.curve):
        write_record(PLANS, replace(record, curve={str(at): value for at, value in run.curve.items()}, curve_by=run.found_by))
    print(instance.name, objective, f"{run.value.value:.2f} {100 * run.value.share:.2f} %", run.n_moves, "kept" if kept else "", flush=True)


def prove(instance: BenchInstance, objective: str, steps: int, seconds: float) -> None:
    """Prove a bound, and keep it if it is tighter."""
    record = read_records()[instance.name, objective]
    if objective == "travel_time":
        bound, by = least_travel_s(instance), "fastest drives, no transfers"
    else:
        chosen, limits = instance.objective(objective), instance.limits
        proof = upper_bound(
            instance.problem, instance.n_routes, limits=limits, objective=chosen, steps=steps, seconds=seconds, listed_s=seconds
        )
        bound, by = value_of_quanta(instance, objective, proof.bound_quanta).value, f"Lagrange, {len(proof.trace)} iterations"
    if record.is_tightened_by(bound):
        write_record(PLANS, replace(record, bound=bound, bound_by=by))
    print(instance.name, objective, f"bound {bound:.2f}, gap {100 * (read_records()[instance.name, objective].gap or 0):.2f} %", flush=True)


def cross(instance: BenchInstance) -> None:
    """Value the best plan of each objective by the others too, and keep it where it is better."""
    plans = {objective: best_plan_of(instance, objective) for objective in instance.objectives}
    for objective in instance.objectives:
        for other, plan in plans.items():
            if plan is not None and other != objective and keep_plan(PLANS, instance, objective, plan, f"the best plan for {other}"):
                print(instance.name, objective, f"the plan for {other} is better")


def verify(instance: BenchInstance) -> None:
    """Compute every best known value again by the evaluator that shares no code with owlbus; end if one differs or breaks a limit."""
    from nightbench_evaluator import Evaluator, read_plan

    with tempfile.TemporaryDirectory() as folder:
        evaluator = Evaluator(write_instance(instance, folder))
    for (name, objective), record in read_records().items():
        if name == instance.name:
            routes = read_plan(PLANS / record.file)
            value, broken = evaluator.value(routes, objective), evaluator.broken(routes)
            if broken or abs(value - record.value) > 1e-6:
                msg = f"{name} {objective}: known {record.value}, by the other evaluator {value}, broken limits: {sorted(broken)}"
                raise SystemExit(msg)
            print(name, objective, f"{value:.3f}, as known; no limit is broken", flush=True)


def plan_of(path: Path, instance: BenchInstance) -> Plan:
    """Plan of a CSV of nodes, or of way-points by name and position."""
    if "stop" in path.read_text(encoding="utf-8").splitlines()[0].split(","):
        return read_plan_csv(path, instance)
    return Plan(read_plan(path, instance.network).routes, instance.network.fingerprint)


def row(record: BestKnown) -> list[str]:
    """One line of the table."""
    unit = {"served": "trips", "direct": "trips", "presence": "people", "travel_time": "s a trip"}[record.objective]
    gap = "-" if record.gap is None else f"{100 * record.gap:.2f}"
    known = ["-" if record.bound is None else f"{record.bound:,.1f}", gap, record.bound_by or "-"]
    curve = [f"{record.curve[at]:,.1f}" if at in record.curve else "-" for at in CURVE]
    return [f"{record.instance}, {record.objective}", f"**{record.value:,.1f}**", unit, f"{100 * record.share:.2f}", *known, *curve]


def parse_arguments() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instance", nargs="+", default=list(INSTANCES), choices=INSTANCES, help="instances")
    parser.add_argument("--objective", nargs="+", default=[], help="objectives; all of an instance by default")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data")
    parser.add_argument("--search", type=float, default=0.0, metavar="SECONDS", help="processor seconds of each search; 0 for none")
    parser.add_argument("--seed", type=int, default=0, help="seed of the searches")
    parser.add_argument("--bound", type=int, default=0, metavar="N", help="iterations of each bound; 0 for none")
    parser.add_argument("--bound-seconds", type=float, default=60.0, help="seconds of each bound")
    parser.add_argument("--plan", type=Path, help="plan to keep if it is better, on one instance and objective")
    parser.add_argument("--found-by", default="a long search of owlbus", help="how that plan was found")
    parser.add_argument("--cross", action="store_true", help="value the plan of each objective by the others too")
    parser.add_argument("--verify", action="store_true", help="compute all known values again by the evaluator of the tests")
    parser.add_argument("--facts", action="store_true", help="write sizes and hashes of the instances")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    return parser.parse_args()


def work_on(instance: BenchInstance, asked: argparse.Namespace) -> None:
    """Do on one instance what was asked for."""
    for objective in asked.objective or instance.objectives:
        if objective not in instance.objectives:
            continue
        if asked.plan:
            kept = keep_plan(PLANS, instance, objective, plan_of(asked.plan, instance), asked.found_by)
            print(f"{instance.name} {objective}: {'better, kept' if kept else 'not better than the known plan'}")
        began = time.process_time()
        if asked.search:
            search(instance, objective, asked.search, asked.seed)
        if asked.bound:
            prove(instance, objective, asked.bound, asked.bound_seconds)
        print(f"{time.process_time() - began:.0f} CPU s", file=sys.stderr, flush=True)
    if asked.search or asked.cross:
        cross(instance)
    if asked.verify:
        verify(instance)


def main() -> None:
    """Do what was asked for, and print the table."""
    asked = parse_arguments()
    if asked.facts:
        make_facts(asked.instance, asked.data)
        return
    has_work = asked.search or asked.bound or asked.plan or asked.cross or asked.verify
    for name in asked.instance if has_work else ():
        try:
            work_on(open_instance(name, asked.data), asked)
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    records = read_records()
    text = table(HEAD, [row(record) for name in INSTANCES for key, record in records.items() if key[0] == name])
    print(text)
    if asked.write:
        write_section("nightbench", NOTE.format(text=text))


if __name__ == "__main__":
    main()
