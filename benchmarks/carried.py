"""
Trips carried by plans made for them, beside plans made for trips served and published lines, each at the best headways of equal fleets.

The first table is of the sample city on its streets, the second of St Petersburg on its real roads, without whose data it is left out
(`benchmarks/stpetersburg.py`). All searches of a table take the same CPU seconds on one core: the number of moves is set by a short search
of the same kind.

Run ``python benchmarks/carried.py``; ``--write`` also puts the figures into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from sections import table, write_section
from stpetersburg import CASES, study_of

from owlbus import MaxSteps, RideService, RouteLimits, plan_measures, plan_routes, read_plan, sample_city, sample_grid, sample_network
from owlbus.demand import estimate_demand
from owlbus.search import Objective, Problem
from owlbus.search.carried import CarriedModel
from owlbus.search.split_buses import best_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus import Demand, Network, Plan

TRIAL_STEPS = 40_000
HEAD = ("routes", "made for", "trips carried", "would ride", "mean wait, min", "nine of ten wait, min", "fullest segment")
NOTE = """
## Trips carried

`python benchmarks/carried.py --write`: shares of all trips a night that {n_routes} routes carry at the best headways of equal fleets, with
the default `RideService` and `RideChoice`; each search takes {seconds:g} CPU seconds on one core. The fullest segment is its riders over
what its buses carry, in any hour.

{text}
"""


def steps_of(network: Network, demand: Demand, n_routes: int, limits: RouteLimits, objective: Objective, seconds: float) -> int:
    """Moves that a search takes in so many CPU seconds, by a short one."""
    search: dict[str, Any] = {"limits": limits, "objective": objective, "n_starts": 1, "seed": 99}
    plan_routes(network, demand, n_routes, stop_when=[MaxSteps(2_000)], **search)  # compiles
    taken = []
    for steps in (TRIAL_STEPS, 3 * TRIAL_STEPS):
        began = time.process_time()
        plan_routes(network, demand, n_routes, stop_when=[MaxSteps(steps)], **search)
        taken.append(time.process_time() - began)
    pace = 2 * TRIAL_STEPS / max(1e-3, taken[1] - taken[0])
    return max(TRIAL_STEPS, round((seconds - taken[0]) * pace) + TRIAL_STEPS)


def line(problem: Problem, plan: Plan, service: RideService, name: str, made_for: str) -> tuple[tuple[object, ...], float]:
    """One line of a table, and the share carried."""
    model = CarriedModel(problem, service)
    flows = best_split(model, problem.pad(plan))
    assert flows.most_load_share <= 1
    carried, wanted = flows.value_units / model.total_units, int(flows.wanted_units.sum()) / model.total_units
    waits = [f"{(flows.wait_s(share) or 0) / 60:.1f}" for share in (None, 0.9)]
    return (name, made_for, f"{carried:.2%}", f"{wanted:.2%}", *waits, f"{flows.most_load_share:.0%}"), carried


def compare(
    network: Network, demand: Demand, fleet: int, n_routes: int, given: argparse.Namespace, published: Plan | None = None
) -> tuple[str, Sequence[float]]:
    """Table of plans for trips served and for trips carried, by seed; and by how much more the latter carry, as shares."""
    service, limits = RideService(fleet=fleet), RouteLimits(max_buses=fleet)
    problem = Problem.build(network, demand, by_hour=True)
    objectives = {"served": Objective(), "carried": Objective(carried=service)}
    rows: list[tuple[object, ...]] = []
    shares: dict[str, list[float]] = {name: [] for name in objectives}
    if published is not None:
        rows.append(line(problem, published, service, "published lines", "")[0])
    for name, objective in objectives.items():
        steps = steps_of(network, demand, n_routes, limits, objective, given.seconds)
        for seed in range(given.seeds):
            began = time.process_time()
            search: dict[str, Any] = {"limits": limits, "objective": objective, "n_starts": 1, "seed": seed}
            result = plan_routes(network, demand, n_routes, stop_when=[MaxSteps(steps)], **search)
            row, share = line(problem, result.plan, service, f"owlbus, seed {seed}", name)
            print(*row, f"{steps:,} moves, {time.process_time() - began:.1f} CPU s", sep="  ", flush=True)
            rows.append(row)
            shares[name].append(share)
    gains = [carried / served - 1 for served, carried in zip(shares["served"], shares["carried"], strict=True)]
    return table(HEAD, rows), gains


def words(gains: Sequence[float]) -> str:
    """Gains in words."""
    return f"Plans made for it carry {min(gains):+.1%} to {max(gains):+.1%} more, median {median(gains):+.1%}, over {len(gains)} seeds."


def sample(given: argparse.Namespace) -> str:
    """Compare on the sample city."""
    city = sample_city()
    grid = sample_grid(city)
    demand, _ = estimate_demand([city.calls_path, city.taxi_path], grid)
    text, gains = compare(sample_network(city, grid), demand, 45, 9, given)
    return f"### Sample city, 9 routes, 45 buses\n\n{text}\n\n{words(gains)}"


def stpetersburg(given: argparse.Namespace) -> str:
    """Compare on St Petersburg, with its published lines."""
    with tempfile.TemporaryDirectory() as scratch:
        study = study_of(given.cases, 500.0, Path(scratch))
    published = read_plan(given.cases / "night_lines.csv.gz", study.network)
    fleet = int(plan_measures(study.network, published, 2_700).buses.sum())
    text, gains = compare(study.network, study.demand, fleet, len(published), given, published)
    return f"### St Petersburg, {len(published)} routes, {fleet} buses\n\n{text}\n\n{words(gains)}"


def main() -> None:
    """Search, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the data of St Petersburg")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU seconds of each search")
    parser.add_argument("--seeds", type=int, default=5, help="searches for each objective")
    parser.add_argument("--only", choices=("sample", "stpetersburg"), help="one of the tables")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    given = parser.parse_args()
    parts = []
    if given.only != "stpetersburg":
        parts.append(sample(given))
    if given.only != "sample" and given.cases.is_dir():
        parts.append(stpetersburg(given))
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        write_section("carried", NOTE.format(n_routes="as many", seconds=given.seconds, text=text))


if __name__ == "__main__":
    main()
