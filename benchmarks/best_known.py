"""
The best plan known for the sample city on its streets, and how far a search of a minute stays below it.

Run ``python benchmarks/best_known.py --seconds 600``; ``--write`` also puts the figures into benchmarks/README.md, and the plan into
benchmarks/best_known if it is better than the one there. The city's demand is synthetic. Nine routes of at most 45 buses every 45 minutes
under the default limits. Seconds are those of the processor, all threads together, so that other work on the machine takes none of them.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sections import table, write_section
from straightness import streets

from owlbus import MaxSeconds, RouteLimits, plan_routes, read_plan
from owlbus.plan import check_plan
from owlbus.score import score_plan
from owlbus.search import Objective, Problem

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan

FILE = Path(__file__).parent / "best_known" / "sample_city_served.csv"
ROUTES, LIMITS, SHORT_S = 9, RouteLimits(max_buses=45), 60.0
HEAD = ("plan", "trips served, by centre, %", "by area, %", "people near a stop, by area, %", "below the best, %")
NOTE = """
## The best plan known

`python benchmarks/best_known.py --seconds {seconds:g} --seeds {seeds} --write`: trips served in the sample city on its streets, 9 routes
of at most 45 buses every 45 minutes, default limits, synthetic demand. Processor seconds, all threads of a search together. The search
counts by the centre; a search that its seconds end does not try changes by area. The plan is `best_known/sample_city_served.csv`.

{text}
"""


def planned(network: Network, demand: Demand, seconds: float, seed: int) -> Plan:
    """Plan found in so many processor seconds."""
    return plan_routes(network, demand, ROUTES, limits=LIMITS, stop_when=[MaxSeconds(seconds)], seed=seed).plan


def write_plan_csv(path: Path, network: Network, plan: Plan) -> None:
    """Write the stops of a plan, one a line."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("route", "order", "name", "lon", "lat"))
        for route in plan:
            for order, stop in enumerate(route.stops.tolist(), start=1):
                position = (f"{network.stop_lon[stop]:.6f}", f"{network.stop_lat[stop]:.6f}")
                rows.writerow((route.name, order, network.stop_names[stop], *position))


def shares(network: Network, demand: Demand, problem: Problem, plan: Plan) -> list[float]:
    """Shares of a plan that keeps the limits, in percent: trips by centre and by area, people by area."""
    if broken := check_plan(network, plan, LIMITS):
        raise SystemExit(broken[0])
    card = score_plan(network, demand, plan).to_dict()
    by_centre = problem.value(plan, Objective()) / problem.total_value(Objective())
    return [100 * by_centre, 100 * card["served"]["share"], 100 * card["presence"]["share"]]


def main() -> None:
    """Search for long, and for a minute from other seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800.0, help="processor seconds of the long search; 0 for none")
    parser.add_argument("--seed", type=int, default=0, help="seed of the long search")
    parser.add_argument("--seeds", type=int, default=3, help=f"searches of {SHORT_S:g} s")
    parser.add_argument("--write", action="store_true", help="keep the plan and update benchmarks/README.md")
    asked = parser.parse_args()
    time.perf_counter = time.process_time  # the search asks this clock whether its seconds are over
    network, demand, _ = streets()
    problem = Problem.build(network, demand)
    known = {"kept": read_plan(FILE, network)} if FILE.is_file() else {}
    if asked.seconds:
        known[f"{asked.seconds:g} s"] = planned(network, demand, asked.seconds, asked.seed)
    of_known = {name: shares(network, demand, problem, plan) for name, plan in known.items()}
    short = [shares(network, demand, problem, planned(network, demand, SHORT_S, seed)) for seed in range(asked.seeds)]
    name = max(of_known, key=lambda name: of_known[name][0])
    rows = dict(of_known)
    if short:
        rows[f"{SHORT_S:g} s, median of {asked.seeds}"] = [statistics.median(column) for column in zip(*short, strict=True)]
    best = of_known[name][0]
    text = table(HEAD, [[what, *(f"{share:.2f}" for share in row), f"{100 * (1 - row[0] / best):.2f}"] for what, row in rows.items()])
    print(text)
    if asked.write:
        if name != "kept":
            write_plan_csv(FILE, network, known[name])
        write_section("best_known", NOTE.format(seconds=asked.seconds, seeds=asked.seeds, text=text))


if __name__ == "__main__":
    main()
