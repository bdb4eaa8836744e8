"""
The rule by which figures are published beside the rule of the search: by area, and whole hexes by their centre.

Run ``python benchmarks/area_rule.py --gtfs FEED`` for tables of the sample city on its streets and on a lattice, and of a town on the
stops of ``FEED``; ``--write`` also puts them into benchmarks/README.md. Three questions are asked.

- Do both rules rank plans alike? Rank correlations over random plans, and over plans that searches end with.
- Is a published share right? Points 100 m apart are counted by a few lines of their own, for 20 plans.
- What does the end of a search under the published rule bring at equal processor time?
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import spearmanr
from sections import table, write_section

from owlbus.demand import Demand, estimate_demand
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.plan.limits import RouteLimits
from owlbus.sample import sample_city, sample_grid, sample_network
from owlbus.score import score_plan
from owlbus.search import Objective, PointCounter, Problem, plan_routes
from owlbus.search.polish import PublishedValue
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from pathlib import Path

PLANS, COUNTED, ROUTES, LONGEST = 200, 20, 9, 60
SPACING_M = 100
STEPS, SEEDS = 200_000, 5
LIMITS = RouteLimits(max_buses=45, headway_s=2_700, max_total_length_m=330_000)


def town(feed: Path | str) -> tuple[Network, Demand]:
    """Stops of a feed with a synthetic demand, busy in few hexes."""
    network = Network.from_gtfs(feed)
    n, rng = network.grid.n_hexes, np.random.default_rng(1)
    busy = np.exp(1.5 * rng.normal(size=n))
    ends = rng.choice(n, (2, 60_000), p=busy / busy.sum())
    pairs, trips = np.unique(ends[:, ends[0] != ends[1]], axis=1, return_counts=True)
    night = {"night": np.zeros(trips.size, int), "hour": np.full(trips.size, 24)}
    people = {"night": np.zeros(n, int), "hour": np.full(n, 24), "hex": np.arange(n), "presence": np.ceil(busy * 1024) / 1024}
    rows = night | {"origin": pairs[0], "destination": pairs[1], "trips": trips}
    return network, Demand.from_rows(n, rows, people, grid=network.grid.fingerprint)


def random_plan(network: Network, rng: np.random.Generator) -> Plan:
    """Routes along fastest paths between random stops."""
    routes: list[Route] = []
    while len(routes) < ROUTES:
        path = network.shortest_path(*rng.integers(0, network.n_stops, 2).tolist())[:LONGEST]
        if path.size > 1:
            routes.append(Route(path, f"R{len(routes) + 1}"))
    return Plan(tuple(routes), network.fingerprint)


def counted_share(network: Network, people: np.ndarray[Any, Any], plan: Plan) -> float:
    """People within the walk of a stop, counted at points 100 m apart; each point of a hex stands for equally many of its people."""
    grid, out = network.grid, network.grid.radius_m
    x, y = np.meshgrid(*(np.arange(axis.min() - out, axis.max() + out, SPACING_M) for axis in (grid.x_m, grid.y_m)))
    hexes = grid.lonlat_to_hex(*grid.unproject(x.ravel(), y.ravel()))
    inside = hexes >= 0
    stop = np.stack(grid.project(network.stop_lon, network.stop_lat), axis=1)[plan.used_stops]
    metres, _ = cKDTree(stop).query(np.stack([x.ravel(), y.ravel()], axis=1)[inside])
    weight = (people / np.bincount(hexes[inside], minlength=grid.n_hexes))[hexes[inside]]
    return float(weight[metres <= network.walk_m].sum() / people.sum())


def compare(network: Network, demand: Demand) -> dict[str, float]:
    """Rank correlations of both rules, the worst distance from a count of points, and milliseconds of a plan by each rule."""
    problem, rng = Problem.build(network, demand), np.random.default_rng(0)
    counter, people, pairs = PointCounter.build(problem, demand), demand.presence_by_hex(), demand.od()
    served, presence = Objective(), Objective(trips=0, presence=1)
    rows, seconds, worst = [], np.zeros(2), 0.0
    for number in range(PLANS):
        plan = random_plan(network, rng)
        began = time.process_time()
        counts = counter.count(plan)
        seconds[0] += time.process_time() - began
        began = time.process_time()
        by_centre = problem.value(plan, served)
        seconds[1] += time.process_time() - began
        share = float(people @ counts.reached_share / people.sum())
        rows.append((float(pairs.trips @ counts.served_share), by_centre, share, problem.value(plan, presence)))
        if number < COUNTED:
            worst = max(worst, abs(share - counted_share(network, people, plan)))
    area_served, centre_served, area_presence, centre_presence = np.array(rows).T
    return {
        "rank correlation, served": float(spearmanr(area_served, centre_served).statistic),
        "rank correlation, presence": float(spearmanr(area_presence, centre_presence).statistic),
        "mean of presence, by centre less by area, points": 100
        * float(np.mean(centre_presence / problem.total_value(presence) - area_presence)),
        "worst of 20, points off": 100 * worst,
        "ms a plan by area": 1_000 * seconds[0] / PLANS,
        "ms a plan by centre": 1_000 * seconds[1] / PLANS,
    }


def searches(objective: str, network: Network, demand: Demand, n_seeds: int, n_steps: int) -> list[tuple[str, ...]]:
    """Searches with and without the end under the published rule, the latter with as many more moves as take the same processor time."""
    build, rows = PublishedValue.build, []
    for seed in range(n_seeds):
        steps, cells = n_steps, [objective, str(seed)]
        for polishes in (True, False):
            PublishedValue.build = build if polishes else staticmethod(lambda *_: None)  # type: ignore[method-assign, assignment]
            began = time.process_time()
            result = plan_routes(network, demand, ROUTES, limits=LIMITS, objective=objective, stop_when=[MaxSteps(steps)], seed=seed)
            took = time.process_time() - began
            if polishes:
                # The same search without its end tells how much of the time that end takes.
                PublishedValue.build = staticmethod(lambda *_: None)  # type: ignore[method-assign, assignment]
                began = time.process_time()
                plan_routes(network, demand, ROUTES, limits=LIMITS, objective=objective, stop_when=[MaxSteps(steps)], seed=seed)
                alone = time.process_time() - began
                cells.append(f"{took / alone:.2f}")
                steps = round(n_steps * took / alone)
            card = score_plan(network, demand, result.plan)
            cells += [f"{card.served_share:.2%}", f"{card.presence_share:.2%}", f"{result.share:.2%}"]
        rows.append(tuple(cells))
    PublishedValue.build = build  # type: ignore[method-assign]
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gtfs", help="feed of a town")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="searches by each objective; 0 for none")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    city = sample_city()
    grid = sample_grid(city)
    demand, _ = estimate_demand([city.calls_path, city.taxi_path], grid)
    networks = {"streets": sample_network(city, grid), "lattice": sample_network(replace(city, streets=None), grid)}
    cases = {name: (network, demand) for name, network in networks.items()}
    if arguments.gtfs:
        cases["feed"] = town(arguments.gtfs)
    found = {name: compare(*case) for name, case in cases.items()}
    head = ("", *found)
    text = table(head, [(what, *(f"{figures[what]:.3f}" for figures in found.values())) for what in next(iter(found.values()))])
    if arguments.seeds:
        network, demand = cases["streets"]
        ends = ("objective", "seed", "time", "served", "presence", "by centre", "served without", "presence without", "by centre without")
        rows = [
            row for objective in ("served", "presence") for row in searches(objective, network, demand, arguments.seeds, arguments.steps)
        ]
        text += "\n\n" + table(ends, rows)
    print(text)
    if arguments.write:
        command = (
            f"`python benchmarks/area_rule.py --write`, {PLANS} random plans of {ROUTES} routes; searches of {arguments.steps:,} moves."
        )
        write_section("area_rule", f"## Figures by area\n\n{command}\n\n{text}\n")


if __name__ == "__main__":
    main()
