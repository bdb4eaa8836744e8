"""
Moves that the search evaluates in a second on the sample city, beside plain loops and a NumPy re-score of the whole plan.

Run ``python benchmarks/search.py`` for a table; ``--write`` also puts it into benchmarks/README.md. One core each; all ways in turn, five
rounds, medians.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from core import ROUNDS, loop_served, numpy_served, sample_case, simple_routes
from sections import side_by_side, table, write_section

from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective
from owlbus.search.annealing_run import AnnealingRun

FLEET = 45
ROUTES = 9
MOVES = 200_000
WARM_MOVES = 400_000
NOTE = """
## Moves of the search

`python benchmarks/search.py --write`, medians of {rounds} rounds side by side, one core, `served` on the synthetic sample city,
{routes} routes. Loops and NumPy re-score the whole plan for each move. {note}

{text}
"""


def main() -> None:
    """Measure and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    write = parser.parse_args().write
    problem = sample_case()
    chain = AnnealingRun(problem, Objective(), RouteLimits(max_buses=FLEET), ROUTES, np.random.default_rng(0))
    total = problem.total_value(chain.objective)
    for k in range(ROUTES):
        chain.construct(k)
    chain.anneal(WARM_MOVES, 1e-3 * total, 1e-4 * total)
    plan = simple_routes(chain.best_plan())
    answers = {loop_served(problem, plan), numpy_served(problem, plan), problem.value(plan, Objective())}
    assert len(answers) == 1, answers
    counts = []

    def search() -> None:
        before, began = chain.evaluations, time.thread_time()
        chain.anneal(MOVES, 1e-4 * total, 5e-5 * total)
        counts.append((chain.evaluations - before, time.thread_time() - began))

    seconds = side_by_side(
        {"loops": lambda: loop_served(problem, plan), "NumPy": lambda: numpy_served(problem, plan), "owlbus": search}, ROUNDS
    )
    evaluated = float(np.median([n for n, _ in counts]))
    rates = {"loops": 1 / seconds["loops"], "NumPy": 1 / seconds["NumPy"], "owlbus": evaluated / seconds["owlbus"]}
    by_cpu = float(np.median([n / cpu for n, cpu in counts]))
    rows = [[name, f"{rate:,.1f}", f"{rates['owlbus'] / rate:,.0f} x"] for name, rate in rates.items()]
    text = table(["way", "plans evaluated a second", "owlbus is faster"], rows)
    note = (
        f"owlbus proposes {MOVES / seconds['owlbus']:,.0f} moves a second; {evaluated / MOVES:.0%} of them keep all limits and are "
        f"evaluated, {by_cpu:,.0f} a second of its core's own time."
    )
    print(f"{text}\n\n{note}")
    if write:
        write_section("search", NOTE.format(rounds=ROUNDS, routes=ROUTES, note=note, text=text))


if __name__ == "__main__":
    main()
