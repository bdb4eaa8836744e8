"""
The vectorised core beside plain Python loops and the obvious NumPy way, on the sample city, same answers checked.

Run ``python benchmarks/core.py`` for a table; ``--write`` also puts it, with a chart, into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer
from sections import side_by_side, table, write_section

from owlbus.demand import estimate_demand
from owlbus.kernels import coverage
from owlbus.plan import Plan, Route, read_plan
from owlbus.sample import sample_city, sample_grid, sample_network
from owlbus.search import Objective, Problem

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.grid.hexgrid import HexGrid

ROUNDS = 5
POINTS = 1_000_000
SLOW_POINTS = 20_000


def sample_demand() -> Demand:
    """Demand of the synthetic sample city."""
    city = sample_city()
    return estimate_demand([city.calls_path, city.taxi_path], sample_grid(city))[0]


def sample_case(*, by_hour: bool = False) -> Problem:
    """The synthetic sample city on its lattice with the default rule: the obvious NumPy way needs a matrix of all stops for each route."""
    city = replace(sample_city(), streets=None)
    return Problem.build(sample_network(city, sample_grid(city)), sample_demand(), by_hour=by_hour)


def round_axial(x: float, y: float, radius: float) -> tuple[int, int]:
    """Axial coordinates of the pointy-top hex around a point."""
    q, r = (math.sqrt(3) / 3 * x - y / 3) / radius, 2 / 3 * y / radius
    a, b, c = round(q), round(r), round(-q - r)
    off_a, off_b, off_c = abs(a - q), abs(b - r), abs(c + q + r)
    if off_a > off_b and off_a > off_c:
        a = -b - c
    elif off_b > off_c:
        b = -a - c
    return a, b


def hexing(grid: HexGrid, rng: np.random.Generator) -> dict[str, float]:
    """One million points to hexes three ways."""
    lon = rng.uniform(grid.lon.min(), grid.lon.max(), POINTS)
    lat = rng.uniform(grid.lat.min(), grid.lat.max(), POINTS)
    project = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    where = {(int(q), int(r)): i for i, (q, r) in enumerate(zip(grid.q, grid.r, strict=True))}

    def loops() -> list[int]:
        xs, ys = project.transform(lon[:SLOW_POINTS], lat[:SLOW_POINTS])
        return [where.get(round_axial(x, y, grid.radius_m), -1) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]

    size = int(max(np.abs(grid.q).max(), np.abs(grid.r).max())) + 2
    lookup = np.full((2 * size + 1, 2 * size + 1), -1, np.int32)
    lookup[grid.q + size, grid.r + size] = np.arange(grid.n_hexes)

    def arrays() -> np.ndarray:
        x, y = project.transform(lon, lat)
        q, r = (math.sqrt(3) / 3 * x - y / 3) / grid.radius_m, 2 / 3 * y / grid.radius_m
        a, b, c = np.rint(q), np.rint(r), np.rint(-q - r)
        off = np.abs(np.stack([a - q, b - r, c + q + r]))
        first = (off[0] > off[1]) & (off[0] > off[2])
        second = ~first & (off[1] > off[2])
        a, b = np.where(first, -b - c, a), np.where(second, -a - c, b)
        inside = (np.abs(a) <= size) & (np.abs(b) <= size)
        return np.where(inside, lookup[np.where(inside, a, 0).astype(int) + size, np.where(inside, b, 0).astype(int) + size], -1)

    def ours() -> np.ndarray:
        return grid.lonlat_to_hex(lon, lat)

    assert np.array_equal(arrays(), ours())
    assert np.array_equal(loops(), ours()[:SLOW_POINTS])
    seconds = side_by_side({"loops": loops, "NumPy": arrays, "owlbus": ours}, ROUNDS)
    seconds["loops"] *= POINTS / SLOW_POINTS
    return seconds


def numpy_served(problem: Problem, plan: Plan) -> int:
    """Served trips by broadcasting: a matrix of rides per route, then the best way over each shared stop."""
    rides = []
    for route in plan.routes:
        seconds = np.cumsum([0, *(problem.network.link(a, b)[0] for a, b in pairwise(route.stops.tolist()))])
        between = np.full((problem.network.n_stops, problem.network.n_stops), np.inf)
        np.minimum.at(between, np.ix_(route.stops, route.stops), np.abs(seconds[:, None] - seconds[None, :]))
        rides.append(between)
    best = np.min(rides, axis=0)
    for i, first in enumerate(plan.routes):
        for j, second in enumerate(plan.routes):
            if i != j:
                for stop in np.intersect1d(first.stops, second.stops):
                    way = rides[i][:, stop][first.stops][:, None] + problem.rule.transfer_s + rides[j][stop][second.stops][None, :]
                    block = np.ix_(first.stops, second.stops)
                    best[block] = np.minimum(best[block], way)
    stop = problem.network.hex_stop[problem.hexes]
    return int(problem.weight[best[np.ix_(stop, stop)] <= problem.limit_s].sum(dtype=np.int64))


def loop_served(problem: Problem, plan: Plan) -> int:  # noqa: C901 -- plain loops are the point
    """Served trips by plain loops over pairs, routes and shared stops."""
    places = []
    for route in plan.routes:
        seconds, at = 0, {int(route.stops[0]): 0}
        for a, b in pairwise(route.stops.tolist()):
            seconds += problem.network.link(a, b)[0]
            at.setdefault(b, seconds)
        places.append(at)
    shared = {
        (i, j): [stop for stop in first if stop in second] for i, first in enumerate(places) for j, second in enumerate(places) if i != j
    }
    stop_of = problem.network.hex_stop[problem.hexes].tolist()
    served = 0
    rows, columns = np.nonzero(problem.weight)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        a, b, best = stop_of[row], stop_of[column], math.inf
        for i, first in enumerate(places):
            if a in first:
                for j, second in enumerate(places):
                    if b in second:
                        if i == j:
                            best = min(best, abs(first[a] - first[b]))
                        else:
                            for stop in shared[i, j]:
                                best = min(best, abs(first[a] - first[stop]) + problem.rule.transfer_s + abs(second[stop] - second[b]))
        if best <= problem.limit_s[row, column]:
            served += int(problem.weight[row, column])
    return served


def simple_routes(plan: Plan) -> Plan:
    """Routes cut where they come back to a stop, so that all three ways may take a stop's place as known."""
    kept = []
    for route in plan.routes:
        stops = route.stops.tolist()
        end = next((i for i, stop in enumerate(stops) if stop in stops[:i]), len(stops))
        kept.append(Route(stops[:end], route.name))
    return Plan(tuple(kept), plan.network_fingerprint)


def rescore(problem: Problem, plan: Plan) -> dict[str, float]:
    """Served trips of a nine-route plan from nothing, three ways."""
    answers = {loop_served(problem, plan), numpy_served(problem, plan), problem.value(plan, Objective())}
    assert len(answers) == 1, answers
    return side_by_side(
        {
            "loops": lambda: loop_served(problem, plan),
            "NumPy": lambda: numpy_served(problem, plan),
            "owlbus": lambda: problem.value(plan, Objective()),
        },
        ROUNDS,
    )


def move(problem: Problem, plan: Plan) -> dict[str, float]:
    """What the plan is worth after one route lost its last stop: a re-score for two, the gain of one route for ours."""
    shorter = Plan((Route(plan.routes[0].stops[:-1], plan.routes[0].name), *plan.routes[1:]), plan.network_fingerprint)
    routes = problem.pad(plan)
    width = routes.stops.shape[1]
    other_routes = coverage.new_other_routes(problem.network.n_stops, problem.n_rows, len(plan.routes), width, problem.pair_quanta.shape)
    scratch = coverage.new_scratch(problem.n_rows, width, width)
    coverage.prepare_other_routes(problem.graph, routes, other_routes, 0, float(problem.rule.transfer_s))
    n = int(routes.n_stops[0])
    now = routes.stops[0], routes.ahead_s[0], routes.back_s[0]

    def gain(count: int) -> int:
        return coverage.route_gain(problem.graph, problem.demand_rows, routes, other_routes, now[0], count, now[1], now[2], scratch, 1)[0]

    change = gain(n - 1) - gain(n)
    assert change == numpy_served(problem, shorter) - numpy_served(problem, plan)
    many = 200
    seconds = side_by_side(
        {
            "loops": lambda: loop_served(problem, shorter),
            "NumPy": lambda: numpy_served(problem, shorter),
            "owlbus": lambda: [gain(n - 1) for _ in range(many)],
        },
        ROUNDS,
    )
    seconds["owlbus"] /= many
    return seconds


def chart(results: dict[str, dict[str, float]], path: Path) -> None:
    """Draw how many times faster the core is than each other way, on a log scale."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    for offset, (way, colour) in enumerate((("loops", "#d55e00"), ("NumPy", "#0072b2"))):
        ratios = [seconds[way] / seconds["owlbus"] for seconds in results.values()]
        bars = axes.barh(np.arange(len(results)) + 0.2 - 0.4 * offset, ratios, 0.38, color=colour, label=f"against {way}")
        axes.bar_label(bars, [f"{ratio:,.0f} x" for ratio in ratios], padding=3, fontsize=8)
    axes.set_yticks(range(len(results)), list(results))
    axes.set(xscale="log", xlabel="times faster, medians of one run side by side", xlim=(1, 3 * axes.get_xlim()[1]))
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Time the core and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md and benchmarks/core.png")
    write = parser.parse_args().write
    problem = sample_case()
    network = problem.network
    plan = simple_routes(read_plan(sample_city().routes_path, network))
    results = {
        "hexing, a million points": hexing(network.grid, np.random.default_rng(1)),
        "re-score of nine routes": rescore(problem, plan),
        "one changed route": move(problem, plan),
    }
    rows = [
        [
            name,
            *(f"{seconds[way] * 1e3:,.3f}" for way in ("loops", "NumPy", "owlbus")),
            *(f"{seconds[way] / seconds['owlbus']:,.0f} x" for way in ("loops", "NumPy")),
        ]
        for name, seconds in results.items()
    ]
    text = table(["job on the sample city", "loops, ms", "NumPy, ms", "owlbus, ms", "over loops", "over NumPy"], rows)
    print(text)
    if write:
        picture = Path(__file__).with_name("core.png")
        chart(results, picture)
        write_section(
            "core",
            f"## The core\n\n`python benchmarks/core.py --write`, medians of {ROUNDS} rounds, one process; the sample city is synthetic. "
            f"Loops hex {SLOW_POINTS:,} of the points, scaled up. Loops and NumPy re-score the whole plan after a change, since that is "
            f"all they can do.\n\n{text}\n\n![Times faster than loops and NumPy](core.png)",
        )


if __name__ == "__main__":
    main()
