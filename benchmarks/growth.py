"""
How the search grows: synthetic cities of more hexes, and plans of more routes.

Run ``python benchmarks/growth.py`` for a table; ``--write`` also puts it, with a chart, into benchmarks/README.md. Each run is a process
of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from sections import table, write_section

from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan.limits import RouteLimits
from owlbus.search import Problem, plan_routes, upper_bound
from owlbus.search.stopping import MaxSteps

SIZES = (300, 1_252, 5_000, 20_000)
ROUTES = (3, 9, 20, 40)
HEXES, K = 1_252, 9
PAIRS_A_HEX = 60
STEPS = 300_000
NEAR, GAP, PRICES = 0.95, 0.2, 80
FIRST_PRICES = 20
LINES = (("near_s", "#0072b2", f"to {NEAR:.0%} of its end"), ("gap_s", "#d55e00", f"to a proven gap of {GAP:.0%}"))
NOTE = """
## Growth

`python benchmarks/growth.py --write`: {steps:,} moves, two starts, five buses a route; cities are synthetic. {note}
The proven gap is that of people near a stop, for an upper bound of {prices} iterations computed beforehand, in searches of that many
moves for each thousand hexes or three routes, whichever gives more. The first {first_prices} iterations of the bounds on people and on
trips served are timed too. Trips are stored by pairs. The travel times between
all stops, 4 bytes a pair, grow with the square of the hexes.

{text}

![Seconds by hexes and by routes](growth.png)
"""


def city(n_hexes: int) -> tuple[Network, Demand]:
    """A round synthetic city on a lattice, busy in the middle, whose trips are likelier the nearer."""
    turn = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    grid = HexGrid.cover(np.column_stack([0.2 * np.cos(turn), 0.2 * np.sin(turn)]), n_hexes=n_hexes)
    rng = np.random.default_rng(n_hexes)
    far = np.hypot(grid.x_m, grid.y_m) / np.hypot(grid.x_m, grid.y_m).max()
    busy = np.exp(-2 * far) * rng.gamma(0.7, size=n_hexes)
    busy /= busy.sum()
    count = PAIRS_A_HEX * n_hexes
    origin, destination = (rng.choice(n_hexes, 2 * count, p=busy) for _ in range(2))
    apart = np.hypot(grid.x_m[origin] - grid.x_m[destination], grid.y_m[origin] - grid.y_m[destination])
    kept = (origin != destination) & (rng.random(2 * count) < np.exp(-apart / 6_000))
    pairs, trips = np.unique(np.column_stack([origin[kept], destination[kept]]), axis=0, return_counts=True)
    times = {"night": np.zeros(len(pairs), int), "hour": np.full(len(pairs), 24)}
    people = {"night": np.zeros(n_hexes, int), "hour": np.full(n_hexes, 24), "hex": np.arange(n_hexes), "presence": busy * 1e5}
    rows = {**times, "origin": pairs[:, 0], "destination": pairs[:, 1], "trips": trips.astype(float)}
    return Network.from_lattice(grid), Demand.from_rows(n_hexes, rows, people, grid=grid.fingerprint)


def one_run(n_hexes: int, n_routes: int, steps: int) -> dict[str, float]:
    """Seconds until a search was near its own end, and what it came to; the first run compiles."""
    import resource

    network, demand = city(n_hexes)
    limits = RouteLimits(max_buses=5 * n_routes)
    plan_routes(*city(300), 2, limits=RouteLimits(max_buses=10), stop_when=[MaxSteps(2_000)])
    found = plan_routes(network, demand, n_routes, limits=limits, stop_when=[MaxSteps(steps)])
    near = next(at.elapsed_s for at in found.trace if at.best_share >= NEAR * found.share)
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    proof = upper_bound(Problem.build(network, demand), n_routes, limits=limits, objective="presence", seconds=math.inf, steps=PRICES)
    first = upper_bound(Problem.build(network, demand), n_routes, limits=limits, seconds=math.inf, steps=FIRST_PRICES)
    moves = round(steps * max(1.0, n_hexes / 1_000, n_routes / 3))
    held = plan_routes(network, demand, n_routes, limits=limits, objective="presence", stop_when=[MaxSteps(moves)])
    reached = [at.elapsed_s for at in held.trace if proof.share <= (1 + GAP) * at.best_share]
    return {
        "near_s": near,
        "all_s": found.elapsed_s,
        "share": found.share,
        "per_s": found.steps / found.elapsed_s,
        "memory_gb": memory_gb,
        "gap_s": reached[0] if reached else math.inf,
        "last_gap": proof.share / held.share - 1,
        "proof_s": proof.elapsed_s,
        "people_s": proof.trace[min(FIRST_PRICES, len(proof.trace)) - 1].elapsed_s,
        "trips_s": first.elapsed_s,
    }


def chart(points: dict[tuple[int, int], dict[str, float]], path: Path) -> None:
    """Draw seconds against hexes and against routes, both on log scales."""
    import matplotlib as mpl
    from matplotlib.ticker import LogLocator, NullFormatter

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, both = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", sharey=True)
    for axes, at, name in ((both[0], 0, f"hexes, {K} routes"), (both[1], 1, f"routes, {HEXES:,} hexes")):
        for what, colour, label in LINES:
            chosen = sorted((key[at], value[what]) for key, value in points.items() if key[1 - at] == (K, HEXES)[at])
            axes.loglog(*zip(*chosen, strict=True), "o-", color=colour, label=f"{label}, exponent {exponent(chosen):.2f}")
        axes.set(xlabel=name)
        axes.legend(frameon=False, fontsize=8)
        axes.set_xticks([x for x, _ in chosen], [f"{x:,}" for x, _ in chosen])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set_ylabel("seconds")
    figure.savefig(path, dpi=110)


def exponent(points: list[tuple[int, float]]) -> float:
    """Slope of the line through points on log scales."""
    x, y = np.log(np.array(points, float)).T
    return float(np.polyfit(x, y, 1)[0])


def main() -> None:
    """Run all sizes and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=3, type=int, metavar=("HEXES", "ROUTES", "STEPS"), help="one run, its figures as JSON")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="hexes of the cities")
    parser.add_argument("--steps", type=int, default=STEPS, help="moves of each search")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md and benchmarks/growth.png")
    asked = parser.parse_args()
    if asked.run:
        print(json.dumps(one_run(*asked.run)))
        return
    points: dict[tuple[int, int], dict[str, float]] = {}
    for key in [*((n, K) for n in asked.sizes), *((HEXES, k) for k in ROUTES if k != K)]:
        words = [sys.executable, __file__, "--run", *map(str, key), str(asked.steps)]
        points[key] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)  # noqa: S603 -- this file
        print(key, points[key], flush=True)
    rows = [
        [
            f"{n:,} hexes, {k} routes",
            *(f"{p[name]:.2f}" for name in ("near_s", "all_s")),
            f"{p['per_s']:,.0f}",
            f"{p['memory_gb']:.2f}",
            f"{p['gap_s']:.2f}",
            f"{p['last_gap']:.1%}",
            *(f"{p[name]:.1f}" for name in ("proof_s", "people_s", "trips_s")),
        ]
        for (n, k), p in points.items()
    ]
    head = ["synthetic city", f"s to {NEAR:.0%} of its end", "s in all", "moves a second", "peak memory, GB"]
    bounds = ["s of the bound", f"s of its first {FIRST_PRICES} iterations", f"s of {FIRST_PRICES} for trips served"]
    text = table([*head, f"s to a proven gap of {GAP:.0%}", "gap at the end", *bounds], rows)
    by = {
        what: [sorted((key[at], p[what]) for key, p in points.items() if key[1 - at] == (K, HEXES)[at]) for at in (0, 1)]
        for what, _, _ in LINES
    }
    powers = {what: [f"{exponent(line):.2f}" for line in lines] for what, lines in by.items()}
    note = (
        f"Seconds to {NEAR:.0%} of its own end grow with hexes to the power {powers['near_s'][0]} and with routes to the power "
        f"{powers['near_s'][1]}, those to a proven gap of {GAP:.0%} to the powers {powers['gap_s'][0]} and {powers['gap_s'][1]}."
    )
    print(f"\n{text}\n\n{note}")
    if asked.write:
        chart(points, Path(__file__).with_name("growth.png"))
        write_section("growth", NOTE.format(steps=asked.steps, prices=PRICES, first_prices=FIRST_PRICES, note=note, text=text))


if __name__ == "__main__":
    main()
