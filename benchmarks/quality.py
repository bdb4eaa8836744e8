"""
How good plans are: seeds of one search on each instance, beside a proven bound.

Run ``python benchmarks/quality.py`` for a table; ``--write`` also puts it into benchmarks/README.md. ``--moves`` and ``--seeds`` set the
length; the instances of Mandl's network need ``--instances`` with the folder ``mandl`` in it (``*TravelTimes.txt``, ``*Demand.txt``), and
St Petersburg needs ``--cases`` with its public data. Both are left out without.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from core import sample_case
from sections import table, write_section
from stpetersburg import CASES, ROUTES, study_of
from utrp import read_instance

from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.pipeline.request import budget_of
from owlbus.plan import read_plan
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search import Problem, plan_routes, upper_bound
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from owlbus.search.stopping import SearchLimit

MOVES = 10_000_000
MANDL_ROUTES = (3, 4, 5, 6)
STPETERSBURG_MOVES, STPETERSBURG_WALK_M = 600_000, 500.0
NOTE = """
## Plans and bounds

`python benchmarks/quality.py --seeds {seeds} --moves {moves} --write`: shares of the objective in percent over {seeds} seeds, two
starts on two cores; every figure but the seconds is fixed by the seeds. The sample city is synthetic: 9 routes with 45 buses every 45
minutes. St Petersburg: {stpetersburg:,} moves, 21 routes with the kilometres of the published lines. The bound holds for all plans within
the limits. On Mandl's network (routes of at most 8 nodes, every direct ride counts) all routes are listed: plan and bound are exact.

{text}
"""
ANY_RIDE = ServiceRule(detour_factor=100.0, detour_s=86_400)
"""Every ride counts, however long, as direct coverage is counted on that instance."""


class Instance(NamedTuple):
    """A case with what is asked for."""

    name: str
    network: Network
    demand: Demand
    rule: ServiceRule
    objective: str
    n_routes: int
    limits: RouteLimits
    stop_when: SearchLimit
    bound_steps: int


def mandl(folder: Path) -> tuple[Network, Demand]:
    """The network of Mandl with a hexagon for each of its nodes, one stop in each."""
    link_s, trips = read_instance(folder)
    n = link_s.shape[0]
    a, b = np.nonzero(link_s > 0)
    grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=n)
    network = Network(
        grid=grid,
        stop_lon=grid.lon,
        stop_lat=grid.lat,
        stop_hex=np.arange(n),
        stop_names=tuple(f"node {i + 1}" for i in range(n)),
        link_indptr=np.searchsorted(a, np.arange(n + 1)),
        link_to=b,
        link_s=link_s[a, b],
        link_m=np.full(a.size, 1000),
        shed_indptr=np.arange(n + 1),
        shed_hex=np.arange(n),
        shed_walk_m=np.zeros(n),
    )
    rows, columns = np.nonzero(trips)
    pairs = {"origin": rows, "destination": columns, "trips": trips[rows, columns]}
    nobody = {"night": [0], "hour": [24], "hex": [0], "presence": [0.0]}
    demand = Demand.from_rows(
        n, {"night": np.zeros(rows.size, int), "hour": np.full(rows.size, 24), **pairs}, nobody, grid=grid.fingerprint
    )
    return network, demand


def row(instance: Instance, seeds: int) -> list[str]:
    """Run an instance with several seeds, and prove a bound once."""
    shares, seconds = [], []
    for seed in range(seeds):
        found = plan_routes(
            instance.network,
            instance.demand,
            instance.n_routes,
            limits=instance.limits,
            rule=instance.rule,
            objective=instance.objective,
            stop_when=[instance.stop_when],
            seed=seed,
        )
        shares.append(100 * found.share)
        seconds.append(found.elapsed_s)
    began = time.perf_counter()
    problem = Problem.build(instance.network, instance.demand, instance.rule)
    steps, limits = instance.bound_steps, instance.limits
    bound = upper_bound(problem, instance.n_routes, limits=limits, objective=instance.objective, steps=steps, seconds=600, listed_s=60)
    proven = 100 * bound.share
    middle = statistics.median(shares)
    return [
        instance.name,
        f"**{middle:.2f}**",
        f"{max(shares):.2f}",
        f"{min(shares):.2f}",
        f"{100 * (max(shares) - min(shares)) / middle:.2f}",
        f"{statistics.median(seconds):.0f}",
        f"{proven:.2f}",
        f"{100 * (proven / middle - 1):.2f}",
        f"{time.perf_counter() - began:.0f}",
    ]


def stpetersburg(cases: Path) -> Instance:
    """St Petersburg on its roads, 21 routes with the kilometres of the published lines."""
    with tempfile.TemporaryDirectory() as scratch:
        study = study_of(cases, STPETERSBURG_WALK_M, Path(scratch))
    limits = budget_of(study, read_plan(cases / "night_lines.csv.gz", study.network), RouteLimits())
    rule, stop_when = ServiceRule(), MaxSteps(STPETERSBURG_MOVES)
    return Instance("St Petersburg, served", study.network, study.demand, rule, "served", ROUTES, limits, stop_when, 30)


def instances(folder: Path, cases: Path, moves: int) -> list[Instance]:
    """The sample city by three objectives, St Petersburg, and Mandl's network with three to six routes."""
    problem = sample_case()
    fleet = RouteLimits(max_buses=45)
    found = [
        Instance(f"sample city, {name}", problem.network, _sample_demand(problem), problem.rule, name, 9, fleet, MaxSteps(n), 150)
        for name, n in (("served", moves), ("direct", moves // 10), ("presence", moves // 10))
    ]
    if cases.is_dir():
        found.append(stpetersburg(cases))
    if (folder / "mandl").is_dir():
        network, demand = mandl(folder / "mandl")
        eight = RouteLimits(
            max_stops=8, max_circuity=100.0, max_length_m=100_000, max_ride_s=86_400, max_pair_circuity=1e9, allow_spurs=True
        )
        found += [
            Instance(f"Mandl, direct, {k} routes", network, demand, ANY_RIDE, "direct", k, eight, MaxSteps(100_000), 1)
            for k in MANDL_ROUTES
        ]
    return found


def _sample_demand(problem: Problem) -> Demand:
    """Demand of the sample city."""
    from owlbus.demand import estimate_demand
    from owlbus.sample import sample_city

    city = sample_city()
    return estimate_demand([city.calls_path, city.taxi_path], problem.network.grid)[0]


def main() -> None:
    """Run all instances and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, default=Path("../shared/cases/utrp"), help="folder with a folder mandl in it")
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the data of St Petersburg")
    parser.add_argument("--moves", type=int, default=MOVES, help="moves of each search for served trips on the sample city")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each instance")
    parser.add_argument("--only", default="", help="run only instances whose name holds this")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    asked = parser.parse_args()
    rows = []
    for instance in instances(asked.instances, asked.cases, asked.moves):
        if asked.only in instance.name:
            rows.append(row(instance, asked.seeds))
            print(" | ".join(rows[-1]), flush=True)
    head = ["instance", "median, %", "best", "worst", "spread, % of it", "s a run", "bound, %", "gap, % of the median", "s the bound"]
    text = table(head, rows)
    print(f"\n{text}")
    if asked.write:
        write_section("quality", NOTE.format(seeds=asked.seeds, moves=asked.moves, stpetersburg=STPETERSBURG_MOVES, text=text))


if __name__ == "__main__":
    main()
