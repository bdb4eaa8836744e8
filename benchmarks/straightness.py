"""
How straight published night lines are, and what straightness costs the search.

Two sets of published lines are measured between any two of their stops: the nine routes of Seoul in 2013, matched on its streets, and
the 21 night lines of St Petersburg on its roads. What 95 % of all these pairs keep is the default of ``--max-pair-circuity``. Then the
sample city is planned on its streets under several limits, with equal buses, kilometres and moves.

Run ``python benchmarks/straightness.py``; ``--write`` also puts the figures into benchmarks/README.md. Without the shared data it prints
the second table alone.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import stpetersburg
from sections import table, write_section

from owlbus.common.defaults import MAX_PAIR_CIRCUITY
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels.straight_rules import PAIR_FREE_M
from owlbus.network import Network
from owlbus.network.walk_sheds import COUNT_BY
from owlbus.plan import match_plan, plan_measures, read_plan
from owlbus.plan.limits import RouteLimits
from owlbus.plan.measures import pair_metres
from owlbus.sample import sample_city, sample_grid, sample_network
from owlbus.score import score_plan
from owlbus.search import Objective, Problem
from owlbus.search.annealing_run import AnnealingRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.plan import Plan

SEOUL = Path(__file__).resolve().parents[2] / "shared" / "seoul"
ROAD_FACTOR = 1.2
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
KEPT = 0.95
RATIOS = (math.inf, 1.6, 1.4, 1.3, MAX_PAIR_CIRCUITY, 1.1)
ROUTES, FLEET, TURN = 9, 45, 4_000


def published() -> Iterator[tuple[str, Network, Plan]]:
    """Published night lines on their networks."""
    outline = np.genfromtxt(SEOUL / "outline.csv", delimiter=",", skip_header=1)
    grid = HexGrid.cover(outline, n_hexes=1252)
    streets = Network.from_tables(SEOUL / "street_stops.csv", SEOUL / "street_links.csv", grid, road_factor=ROAD_FACTOR)
    yield "Seoul 2013", streets, match_plan(SEOUL / "routes_2013.csv", streets).plan
    with tempfile.TemporaryDirectory() as scratch:
        roads = stpetersburg.study_of(stpetersburg.CASES, 500.0, Path(scratch)).network
    yield "St Petersburg", roads, read_plan(stpetersburg.CASES / "night_lines.csv.gz", roads)


def quotients(network: Network, plan: Plan) -> NDArray[np.float64]:
    """Metres along a route, less the free ones, over the shortest, of every pair of its stops in both directions."""
    found = []
    for route in plan.routes:
        along_m, shortest_m = pair_metres(network, route)
        is_pair = shortest_m > 0
        found.append((along_m[is_pair] - PAIR_FREE_M) / shortest_m[is_pair])
    return np.concatenate(found)


def published_lines() -> str:
    """Table of published lines, with the ratio that most pairs keep."""
    rows, pooled = [], []
    for name, network, plan in published():
        found, measures = quotients(network, plan), plan_measures(network, plan)
        pooled.append(found)
        shape = f"{measures.circuity.mean():.2f}", f"{measures.n_spurs.sum()} of {measures.n_stops.sum():,}"
        rows.append([name, len(plan), f"{found.size:,}", *(f"{q:.2f}" for q in np.quantile(found, SHARES)), *shape])
    everything = np.concatenate(pooled)
    rows.append(["both", "", f"{everything.size:,}", *(f"{q:.2f}" for q in np.quantile(everything, SHARES)), "", ""])
    least = math.ceil(100 * float(np.quantile(everything, KEPT, method="inverted_cdf"))) / 100
    head = ["network", "lines", "pairs", *(f"{100 * share:g} %" for share in SHARES), "circuity", "stops turned back at"]
    return (
        f"Metres along a published line between two of its stops, less {PAIR_FREE_M / 1000:g} km, over the shortest: the largest "
        f"ratio of a share of the pairs. {100 * KEPT:g} % of the pairs keep {least:g}, which is the default of `--max-pair-circuity` "
        f"({MAX_PAIR_CIRCUITY:g}).\n\n{table(head, rows)}"
    )


def streets() -> tuple[Network, Demand, float]:
    """The sample city on its streets, and the kilometres of the routes of 2013 there."""
    city = sample_city()
    grid = sample_grid(city)
    network = sample_network(city, grid)
    demand, _ = estimate_demand([city.calls_path, city.taxi_path], grid)
    return network, demand, plan_measures(network, match_plan(city.routes_path, network).plan).total_length_m / 1000


def searched(problem: Problem, demand: Demand, limits: RouteLimits, seed: int, moves: int) -> tuple[float, ...]:
    """Shares served and reached by area and by centre, mean circuity, worst ratio, spurs, moves evaluated a second, and CPU seconds."""
    run = AnnealingRun(problem, Objective(), limits, ROUTES, np.random.default_rng(seed))
    run.compile()
    began = time.thread_time()
    for k in range(ROUTES):
        run.construct(k)
    built, before, done = run.value, run.evaluations, 0
    while done < moves:
        done += run.turn(min(TURN, moves - done), done / moves, min(1.0, (done + TURN) / moves), built)
    seconds = time.thread_time() - began
    plan = run.best_plan()
    cards = [score_plan(problem.network, demand, plan, count_by=rule) for rule in COUNT_BY]
    shares = [getattr(card, share) for share in ("served_share", "presence_share") for card in cards]
    measures = plan_measures(problem.network, plan)
    evaluated = (run.evaluations - before) / seconds
    return *shares, measures.circuity.mean(), measures.pair_circuity.max(), measures.n_spurs.sum(), evaluated, seconds


def cost(moves: int, n_seeds: int) -> str:
    """Table of what straightness costs on the sample city."""
    network, demand, km = streets()
    problem, rows = Problem.build(network, demand), []
    for ratio in RATIOS:
        budget = {"max_buses": FLEET, "max_total_length_m": km * 1000}
        limits = RouteLimits(**budget, max_pair_circuity=ratio, allow_spurs=math.isinf(ratio))
        found = np.array([searched(problem, demand, limits, seed, moves) for seed in range(n_seeds)])
        *shares, circuity, worst, spurs, rate, seconds = np.median(found, axis=0)
        served, by_centre, people, people_by_centre = (f"{100 * share:.1f} %" for share in shares)
        spread = f"{100 * found[:, 0].min():.1f} to {100 * found[:, 0].max():.1f} %"
        shape = f"{circuity:.2f}", f"{worst:.2f}", f"{spurs:g}"
        name = "none, with spurs" if math.isinf(ratio) else f"{ratio:g}"
        rows.append([name, served, spread, by_centre, people, people_by_centre, *shape, f"{rate:,.0f}", f"{seconds:.1f}"])
    head = [
        "limit",
        "trips served, by area",
        "over seeds",
        "by centre",
        "people near a stop, by area",
        "by centre",
        "circuity",
        "worst pair",
        "spurs",
        "moves evaluated a second",
        "CPU s",
    ]
    return (
        f"Nine routes of at most {FLEET} buses and {km:.1f} km, those of 2013, on the streets of the sample city, {moves:,} moves of one "
        f"chain, medians of {n_seeds} seeds:\n\n{table(head, rows)}"
    )


def main() -> None:
    """Measure and print or write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=150_000, help="moves of each search")
    parser.add_argument("--seeds", type=int, default=3, help="searches under each limit")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    given = parser.parse_args()
    parts = ["## Straight enough to run\n\n`python benchmarks/straightness.py --write`"]
    parts += [published_lines()] if SEOUL.is_dir() and stpetersburg.CASES.is_dir() else []
    text = "\n\n".join([*parts, cost(given.moves, given.seeds)])
    print(text)
    if given.write:
        write_section("straightness", text)


if __name__ == "__main__":
    main()
