"""
Moves that the searches for trips served and carried evaluate in a second on the sample city, beside re-scores of the whole plan.

Trips served are re-scored by plain loops and by NumPy, trips carried by NumPy. A third table has the evaluator for heuristics of one's own
beside scorecards.

Run ``python benchmarks/search.py`` for a table; ``--write`` also puts it into benchmarks/README.md. One core each; all ways in turn, five
rounds, medians.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from core import ROUNDS, loop_served, numpy_served, sample_case, sample_demand, simple_routes
from sections import side_by_side, table, write_section

from owlbus import Evaluator, score_plan
from owlbus.common.acceptance import STEP_S
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.carried_run import CarriedRun
from owlbus.search.ride_service import RideService

if TYPE_CHECKING:
    from owlbus.plan import Plan
    from owlbus.search.carried import CarriedFlows, CarriedModel

FLEET = 45
ROUTES = 9
MOVES = 200_000
CARRIED_MOVES, CARRIED_WARM_MOVES = 40_000, 200_000
WARM_MOVES = 400_000
NOTE = """
## Moves of the search

`python benchmarks/search.py --write`, medians of {rounds} rounds side by side, one core, `served` on the synthetic sample city,
{routes} routes. Loops and NumPy re-score the whole plan for each move. {note}

{text}
"""

TRIALS = 1_000
EVALUATOR_NOTE = """
## Plans that a heuristic of one's own values

`python benchmarks/search.py --write`, medians of {rounds} rounds side by side, one core, trips served by hexagons whole on the synthetic
sample city, {routes} routes; all ways give the same figures. A change is another course of one route, valued by `owlbus.Evaluator`. Times
include the calls from Python.

{text}
"""

CARRIED_NOTE = """
## Moves of the search for trips carried

`python benchmarks/search.py --write`, medians of {rounds} rounds side by side, one core, on the synthetic sample city, {routes} routes,
{fleet} buses. NumPy re-scores the whole plan for each move. {note}

{text}
"""


def numpy_carried(model: CarriedModel, plan: Plan, flows: CarriedFlows) -> int:
    """Trips whose riders would take the bus, by broadcasting: a matrix of rides per route, then the best way over each shared stop."""
    network, n = model.problem.network, model.problem.network.n_stops
    board_s = model.service.board_s(flows.headways_s)
    rides = []
    for k, route in enumerate(plan.routes):
        seconds = np.cumsum([0, *(network.link(a, b)[0] for a, b in pairwise(route.stops.tolist()))])
        between = np.full((n, n), np.inf)
        np.minimum.at(between, np.ix_(route.stops, route.stops), np.abs(seconds[:, None] - seconds[None, :]) + board_s[k])
        np.fill_diagonal(between, np.inf)
        rides.append(between)
    best = np.min(rides, axis=0)
    for i, first in enumerate(plan.routes):
        for j, second in enumerate(plan.routes):
            for stop in np.intersect1d(first.stops, second.stops) if i != j else ():
                way = rides[i][:, stop][first.stops][:, None] + model.costs.transfer_s + rides[j][stop][second.stops][None, :]
                block = np.ix_(first.stops, second.stops)
                best[block] = np.minimum(best[block], way)
    rows = model.rows
    stop = network.hex_stop[model.problem.hexes]
    origin = np.repeat(stop, np.diff(rows.indptr))
    longer_s = best[origin, stop[rows.destination]] - rows.alternative_s
    steps, half = model.costs.accepted, len(model.costs.accepted) // 2
    people = steps[np.clip(half + np.minimum(longer_s, 1e6) // STEP_S, 0, 2 * half).astype(np.int64)].astype(np.int64)
    return int((rows.hour_quanta.astype(np.int64) @ people).sum())


def measure_carried() -> tuple[str, str]:
    """Table and note of the search for trips carried."""
    problem = sample_case(by_hour=True)
    run = CarriedRun(problem, Objective(carried=RideService(fleet=FLEET)), RouteLimits(max_buses=FLEET), ROUTES, np.random.default_rng(0))
    run.compile()
    for k in range(ROUTES):
        run.construct(k)
    run.turn(CARRIED_WARM_MOVES, 0.0, 0.8, 1)
    padded = problem.pad(run.best_plan())
    flows = run.model.flows(padded, run.model.cycles_s(padded), run.best_buses)
    plan = simple_routes(run.best_plan())
    assert numpy_carried(run.model, plan, flows) == int(flows.wanted_units.sum())
    counts = []

    def search() -> None:
        before, began = run.evaluations, time.thread_time()
        run.turn(CARRIED_MOVES, 0.8, 0.85, 1)
        counts.append((run.evaluations - before, time.thread_time() - began))

    seconds = side_by_side({"NumPy": lambda: numpy_carried(run.model, plan, flows), "owlbus": search}, ROUNDS)
    evaluated = float(np.median([n for n, _ in counts]))
    rates = {"NumPy": 1 / seconds["NumPy"], "owlbus": evaluated / seconds["owlbus"]}
    by_cpu = float(np.median([n / cpu for n, cpu in counts]))
    rows = [[name, f"{rate:,.1f}", f"{rates['owlbus'] / rate:,.0f} x"] for name, rate in rates.items()]
    text = table(["way", "plans evaluated a second", "owlbus is faster"], rows)
    return text, f"owlbus evaluates {by_cpu:,.0f} moves a second of its core's own time, exact counts and moves of buses included."


def measure_evaluator() -> str:
    """Table of the evaluator for heuristics of one's own beside scorecards."""
    demand, problem = sample_demand(), sample_case()
    run = AnnealingRun(problem, Objective(), RouteLimits(max_buses=FLEET), ROUTES, np.random.default_rng(0))
    for k in range(ROUTES):
        run.construct(k)
    plan, network = run.best_plan(), problem.network
    evaluator = Evaluator(network, demand, limits=RouteLimits(max_buses=FLEET))
    working = evaluator.begin(plan)
    courses = [plan.routes[0].stops[: -1 - i % 5] for i in range(TRIALS)]
    card = score_plan(network, demand, plan, count_by="centre")
    assert card.coverage.served.numerator == evaluator.value(plan) == working.value
    assert [trial.value for trial in working.try_routes(0, courses[:5])] == [working.try_route(0, stops).value for stops in courses[:5]]
    ways = {
        "`score_plan`": (1, lambda: score_plan(network, demand, plan, count_by="centre")),
        "`Evaluator.value`": (1, lambda: evaluator.value(plan)),
        "`try_route`, one by one": (TRIALS, lambda: [working.try_route(0, stops) for stops in courses]),
        "`try_routes`, together": (TRIALS, lambda: working.try_routes(0, courses)),
    }
    seconds = side_by_side({name: way for name, (_, way) in ways.items()}, ROUNDS)
    rates = {name: n / seconds[name] for name, (n, _) in ways.items()}
    rows = [[name, f"{rate:,.1f}", f"{rate / rates['`score_plan`']:,.0f} x"] for name, rate in rates.items()]
    return table(["way", "plans a second", "over a scorecard"], rows)


def main() -> None:
    """Measure and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    parser.add_argument("--only", choices=("served", "carried", "evaluator"), help="one of the tables")
    given = parser.parse_args()
    if given.only in {None, "carried"}:
        text, note = measure_carried()
        print(f"{text}\n\n{note}\n")
        if given.write:
            facts = {"rounds": ROUNDS, "routes": ROUTES, "fleet": FLEET}
            write_section("search_carried", CARRIED_NOTE.format(note=note, text=text, **facts))
    if given.only in {None, "served"}:
        measure_served(write=given.write)
    if given.only in {None, "evaluator"}:
        text = measure_evaluator()
        print(f"\n{text}")
        if given.write:
            write_section("search_evaluator", EVALUATOR_NOTE.format(rounds=ROUNDS, routes=ROUTES, text=text))


def measure_served(*, write: bool) -> None:
    """Print or write the table of the search for trips served."""
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
