"""
How soon plans and bounds are nearly as good as those of a long run, and what memory a whole plan takes, by hexes and routes.

Run ``python benchmarks/convergence.py`` for a table, ``--seconds 3600`` for runs of an hour; ``--write`` also puts it into
benchmarks/README.md. Each city is planned in a process of its own, so that its peak memory is its own. Seconds are those of the processor,
so that other work on the machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from growth import city
from sections import table, write_section

from owlbus.plan.limits import RouteLimits
from owlbus.score import score_plan
from owlbus.search import Problem, plan_routes, upper_bound
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from owlbus.search.stopping import Snapshot

CASES = ("300x9", "1252x9", "5000x9", "20000x9", "20000x64")
SECONDS, BOUND_STEPS, PILOT_MOVES = 60.0, 40, 16_000
NEAR, NEAR_BOUND = 0.95, 1.01
HEAD = ("hexes", "stops", "routes", "moves", "s of network and problem", "s of the search", f"s to {NEAR:.0%} of its best", "best")
BOUND_HEAD = ("bound", "s an iteration", f"s to {NEAR_BOUND - 1:.0%} above the last bound", "peak memory, GB")
NOTE = """
## Long runs

`python benchmarks/convergence.py --cases {cases} --seconds {seconds:g} --write`:
objective served, two starts, five buses a route, on the
synthetic cities of *Growth*. Seconds are of the processor, both starts together; compiling is not counted. Each search tries as
many moves as about {seconds:g} s of annealing take by a trial of {pilot:,}, and *its best* is the best plan of that run, not the best
there is. The seconds of a search hold its end, in which plans are polished by the published rule. The bound takes {bound_steps}
iterations. Memory is that of the whole process: network, search, scorecard and bound. The cores were
shared with other work, which lengthens processor seconds too.

{text}
"""


@dataclass(slots=True)
class Clock:
    """Limit that never ends a search, and notes processor seconds, moves and the best share at every turn."""

    began_s: float = field(default_factory=time.process_time)
    points: list[tuple[float, int, float]] = field(default_factory=list)

    def reason_to_end(self, now: Snapshot) -> None:
        """Note where the search is."""
        self.points.append((time.process_time() - self.began_s, now.steps, now.best_share))


def one_run(n_hexes: int, n_routes: int, seconds: float) -> dict[str, float]:
    """Plan one city for so many processor seconds, and bound its plans."""
    import resource

    network, demand = city(n_hexes)
    limits = RouteLimits(max_buses=5 * n_routes)
    plan_routes(*city(300), 2, limits=RouteLimits(max_buses=10), stop_when=[MaxSteps(2_000)])
    began_s = time.process_time()
    problem = Problem.build(network, demand)
    built_s = time.process_time() - began_s
    pilot = Clock()
    plan_routes(network, demand, n_routes, limits=limits, stop_when=[pilot, MaxSteps(PILOT_MOVES)])
    (first_s, first, _), (last_s, last, _) = pilot.points[0], pilot.points[-1]
    moves = max(PILOT_MOVES, round(seconds * (last - first) / (last_s - first_s)))
    clock = Clock()
    found = plan_routes(network, demand, n_routes, limits=limits, stop_when=[clock, MaxSteps(moves)])
    search_s = time.process_time() - clock.began_s
    best = max(share for _, _, share in clock.points)
    score_plan(network, demand, found.plan)
    bounds: list[tuple[float, float]] = []
    upper_bound(problem, n_routes, limits=limits, seconds=math.inf, steps=1)
    began_s = time.process_time()
    proof = upper_bound(
        problem, n_routes, limits=limits, seconds=math.inf, steps=BOUND_STEPS, on_step=lambda now: note(bounds, began_s, now.bound_quanta)
    )
    return {
        "stops": network.n_stops,
        "moves": moves,
        "built_s": built_s,
        "search_s": search_s,
        "near_s": next(at_s for at_s, _, share in clock.points if share >= NEAR * best),
        "best": best,
        "bound": proof.share,
        "step_s": bounds[-1][0] / len(bounds),
        "bound_s": next(at_s for at_s, value in bounds if value <= NEAR_BOUND * min(value for _, value in bounds)),
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def note(bounds: list[tuple[float, float]], began_s: float, value: float) -> bool:
    """Note a bound and the processor seconds so far; never ends the run."""
    bounds.append((time.process_time() - began_s, value))
    return False


def row_of(case: str, run: dict[str, float]) -> list[str]:
    """Row of the table."""
    n_hexes, n_routes = map(int, case.split("x"))
    search = [f"{run['built_s']:.1f}", f"{run['search_s']:.0f}", f"{run['near_s']:.1f}", f"{run['best']:.1%}"]
    bound = [f"{run['bound']:.1%}", f"{run['step_s']:.2f}", f"{run['bound_s']:.1f}", f"{run['memory_gb']:.2f}"]
    return [f"{n_hexes:,}", f"{run['stops']:,}", str(n_routes), f"{run['moves']:,}", *search, *bound]


def main() -> None:
    """Run all cases and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="HEXESxROUTES", help="cities and routes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="processor seconds of annealing in each search")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    parser.add_argument("--one", metavar="CASE", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        n_hexes, n_routes = map(int, asked.one.split("x"))
        print(json.dumps(one_run(n_hexes, n_routes, asked.seconds)))
        return
    rows = []
    for case in asked.cases:
        words = [sys.executable, str(Path(__file__)), "--one", case, "--seconds", str(asked.seconds)]
        rows.append(row_of(case, json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)))  # noqa: S603
        print(*rows[-1], sep=" | ", flush=True)
        if asked.write:  # after each case, since those of a long run take hours
            text = table([*HEAD, *BOUND_HEAD], rows)
            cases = " ".join(asked.cases[: len(rows)])
            settings = {"seconds": asked.seconds, "cases": cases, "pilot": PILOT_MOVES, "bound_steps": BOUND_STEPS}
            write_section("convergence", NOTE.format(**settings, text=text))


if __name__ == "__main__":
    main()
