"""
Three simple entrants of NightBench beside the best known plans, within the same limits.

They are what a paper's baseline or a student's project does: routes by greedy choice along the busiest pairs, corridors by k-means of
trips, and shortest paths between hot spots. Each then lengthens its routes at their ends, towards the most trips that no route reaches
yet, as long as the limits allow it and the route stays a shortest path in metres, so that no detour limit is broken. Some buses may stay
unused, most of all on streets, where a single node added at an end seldom leads far.

Run ``python benchmarks/nightbench/entrants.py``; ``--write`` also puts the table into benchmarks/README.md. Instances of public data need
``--data``.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from sections import table, write_section

from owlbus import Plan, Route
from owlbus.common.errors import DataError
from owlbus.nightbench import SHIPPED, broken_rules, open_instance, read_records, value_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from owlbus.nightbench import BenchInstance

DATA = ROOT.parent / "shared" / "cases"
N_PAIRS, N_SPOTS_A_ROUTE, APART_M, SHARED = 400, 4, 1_500.0, 0.5
ROUNDS, SEED = 60, 0
NOTE = """
## NightBench: simple entrants

`python benchmarks/nightbench/entrants.py --write`: three simple methods within the limits of each instance, beside the best known plan.
They lengthen routes node by node, and may leave buses unused, most of all on streets.
Each makes one plan, valued by all objectives: percent of all trips or people, for travel time mean minutes. In brackets: how much
worse than the best known plan. Demand is synthetic.

{text}
"""


class Roads:
    """Nodes and links of an instance, with shortest paths in metres, and the trips at each node."""

    def __init__(self, instance: BenchInstance) -> None:
        """Take the tables of the instance."""
        network, self.limits, self.n_routes = instance.network, instance.limits, instance.n_routes
        tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
        self.links = csr_matrix((network.link_m, (tail, network.link_to)), shape=(network.n_stops, network.n_stops))
        keys = zip(tail.tolist(), network.link_to.tolist(), strict=True)
        self.link = dict(zip(keys, zip(network.link_m.tolist(), network.link_s.tolist(), strict=True), strict=True))
        self.next = [network.link_to[low:high].tolist() for low, high in pairwise(network.link_indptr)]
        self.hexes = [network.shed_hex[low:high] for low, high in pairwise(network.shed_indptr)]
        self.nearest, self.grid, pairs = network.hex_stop, network.grid, instance.demand.od()
        self.origin, self.destination, self.trips = pairs.origin, pairs.destination, pairs.trips
        ends = np.concatenate([self.origin, self.destination])
        self.activity = np.bincount(ends, np.tile(self.trips, 2), network.grid.n_hexes) * (self.nearest >= 0)
        self._rows: dict[int, tuple[NDArray[np.float64], NDArray[np.int32]]] = {}

    def row(self, start: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Shortest metres from a node to all, and the node before each."""
        if start not in self._rows:
            self._rows[start] = dijkstra(self.links, indices=start, return_predecessors=True)
        return self._rows[start]

    def path(self, start: int, end: int) -> list[int]:
        """Nodes of the shortest path; empty if there is none, or a hex has no node (-1)."""
        if min(start, end) < 0:
            return []
        metres, before = self.row(start)
        if start == end or not np.isfinite(metres[end]):
            return []
        stops = [end]
        while stops[-1] != start:
            stops.append(int(before[stops[-1]]))
        return stops[::-1]

    def size(self, stops: list[int]) -> tuple[int, int, int]:
        """Metres and seconds of the longer direction, and buses of a route."""
        ahead = np.array([self.link[pair] for pair in pairwise(stops)]).sum(axis=0)
        back = np.array([self.link[b, a] for a, b in pairwise(stops)]).sum(axis=0)
        return int(max(ahead[0], back[0])), int(max(ahead[1], back[1])), int(-(-(ahead[1] + back[1]) // self.limits.headway_s))

    def keeps(self, stops: list[int]) -> bool:
        """Whether a shortest path keeps the limits of a route."""
        if not self.limits.min_stops <= len(stops) <= self.limits.max_stops:
            return False
        metres, seconds, _ = self.size(stops)
        return self.limits.min_length_m <= metres <= self.limits.max_length_m and seconds <= self.limits.max_ride_s

    def affords(self, routes: list[list[int]]) -> bool:
        """Whether all routes together keep the limits of buses and kilometres."""
        sizes = [self.size(stops) for stops in routes]
        return sum(one[0] for one in sizes) <= self.limits.max_total_length_m and sum(one[2] for one in sizes) <= self.limits.max_buses

    def reached(self, stops: list[int]) -> NDArray[np.bool_]:
        """Hexes within the walk of a route."""
        mask = np.zeros(self.activity.size, bool)
        mask[np.concatenate([self.hexes[stop] for stop in stops])] = True
        return mask


def greedy(roads: Roads) -> list[list[int]]:
    """Shortest paths of the busiest pairs of hexes, one after the other by the trips that they newly join."""
    n, low, high = roads.activity.size, *np.sort([roads.origin, roads.destination], axis=0)
    keys, row = np.unique(low.astype(np.int64) * n + high, return_inverse=True)
    busiest = keys[np.argsort(-np.bincount(row, roads.trips), kind="stable")[:N_PAIRS]]
    found = [roads.path(int(roads.nearest[key // n]), int(roads.nearest[key % n])) for key in busiest]
    reached = [(stops, roads.reached(stops)) for stops in found if stops and roads.keeps(stops)]
    routes: list[list[int]] = []
    joined = np.zeros(roads.trips.size, bool)
    while len(routes) < roads.n_routes and reached:
        gains = [roads.trips[mask[roads.origin] & mask[roads.destination] & ~joined].sum() for _, mask in reached]
        stops, mask = reached.pop(int(np.argmax(gains)))
        if max(gains) > 0 and roads.affords([*routes, stops]):
            routes.append(stops)
            joined |= mask[roads.origin] & mask[roads.destination]
    return routes


def corridors(roads: Roads) -> list[list[int]]:
    """Shortest paths between both ends of the middle of each cluster of trips, by k-means in four dimensions (Lloyd 1982)."""
    rng, x, y = np.random.default_rng(SEED), roads.grid.x_m, roads.grid.y_m
    ends = np.column_stack([x[roads.origin], y[roads.origin], x[roads.destination], y[roads.destination]])
    turned = ends[:, [2, 3, 0, 1]]
    ends = np.where((ends[:, 0] > ends[:, 2])[:, None], turned, ends)
    middles = ends[rng.choice(len(ends), roads.n_routes, replace=False, p=roads.trips / roads.trips.sum())]
    for _ in range(ROUNDS):
        label = np.argmin([((ends - middle) ** 2).sum(axis=1) for middle in middles], axis=0)
        weight = np.maximum(np.bincount(label, roads.trips, roads.n_routes), 1e-9)
        middles = np.stack([np.bincount(label, roads.trips * column, roads.n_routes) / weight for column in ends.T], axis=1)
    routes: list[list[int]] = []
    near = np.flatnonzero(roads.nearest >= 0)
    for k in np.argsort(-weight, kind="stable"):
        a, b = (int(roads.nearest[near[np.argmin(np.hypot(x[near] - px, y[near] - py))]]) for px, py in (middles[k, :2], middles[k, 2:]))
        stops = roads.path(a, b)
        if stops and roads.keeps(stops) and roads.affords([*routes, stops]):
            routes.append(stops)
    return routes


def hot_spots(roads: Roads) -> list[list[int]]:
    """Shortest paths between busy hexes that lie apart, by the product of their trips, without those that mostly repeat another one."""
    x, y, spots = roads.grid.x_m, roads.grid.y_m, list[int]()
    for h in np.argsort(-roads.activity, kind="stable"):
        if len(spots) == N_SPOTS_A_ROUTE * roads.n_routes or roads.activity[h] == 0:
            break
        if all(np.hypot(x[h] - x[other], y[h] - y[other]) >= APART_M for other in spots):
            spots.append(int(h))
    pairs = sorted(combinations(spots, 2), key=lambda pair: -roads.activity[pair[0]] * roads.activity[pair[1]])
    routes: list[list[int]] = []
    for a, b in pairs:
        if len(routes) == roads.n_routes:
            break
        stops = roads.path(int(roads.nearest[a]), int(roads.nearest[b]))
        repeats = any(len(set(stops) & set(other)) > SHARED * min(len(stops), len(other)) for other in routes)
        if stops and not repeats and roads.keeps(stops) and roads.affords([*routes, stops]):
            routes.append(stops)
    return routes


METHODS: dict[str, Callable[[Roads], list[list[int]]]] = {"greedy": greedy, "k-means": corridors, "hot spots": hot_spots}


def lengthen(roads: Roads, routes: list[list[int]]) -> list[list[int]]:
    """Add nodes to the ends of routes, those first that bring most trips of hexes without a stop, as long as the limits allow."""
    reached = np.any([roads.reached(stops) for stops in routes], axis=0)
    is_open = set(range(len(routes)))
    while is_open:
        offers = [(offer, k) for k in is_open if (offer := _best_end(roads, routes[k], reached)) is not None]
        is_open &= {k for _, k in offers}
        if not offers:
            break
        (_, longer), k = max(offers, key=lambda pair: pair[0][0])
        if roads.affords([*routes[:k], longer, *routes[k + 1 :]]):
            routes[k] = longer
            reached |= roads.reached(longer)
        else:
            is_open.discard(k)
    return routes


def _best_end(roads: Roads, stops: list[int], reached: NDArray[np.bool_]) -> tuple[float, list[int]] | None:
    """Most new trips that one more node brings, and the route with it, which stays a shortest path; None if none keeps the limits."""
    best = None
    for row in (stops, stops[::-1]):
        metres = roads.row(row[0])[0]
        for node in roads.next[row[-1]]:
            if metres[row[-1]] + roads.link[row[-1], node][0] == metres[node] and roads.keeps([*row, node]):
                new = roads.hexes[node][~reached[roads.hexes[node]]]
                gain = roads.activity[new].sum() + 1e-3 * roads.activity[roads.hexes[node]].sum()
                if best is None or gain > best[0]:
                    best = float(gain), [*row, node]
    return best


def entered(instance: BenchInstance, routes: list[list[int]]) -> Plan:
    """Plan of routes; one that breaks a limit on its way back, where links differ, loses stops at its end until it keeps all."""
    kept = []
    for k, stops in enumerate(routes, 1):
        row = list(stops)
        while len(row) > instance.limits.min_stops:
            plan = Plan((Route(row, f"R{k}"),), instance.network.fingerprint)
            if not broken_rules(instance, plan):
                break
            row.pop()
        kept.append(Route(row, f"R{k}"))
    plan = Plan(tuple(kept), instance.network.fingerprint)
    if broken := broken_rules(instance, plan):
        raise SystemExit(broken[0])
    return plan


def cell(instance: BenchInstance, plan: Plan, objective: str) -> str:
    """Value of a plan, and how much worse than the best known one it is."""
    value, record = value_plan(instance, plan, objective), read_records().get((instance.name, objective))
    shown = f"{value.value / 60:.1f}" if objective == "travel_time" else f"{100 * value.share:.2f}"
    return shown if record is None else f"{shown} ({100 * value.gap(record.value):.0f} %)"


def rows_of(instance: BenchInstance) -> list[list[str]]:
    """A line for each objective."""
    roads, plans = Roads(instance), {}
    for name, method in METHODS.items():
        began = time.process_time()
        plans[name] = entered(instance, lengthen(roads, method(roads)))
        print(f"{instance.name} {name}: {plans[name].n_routes} routes, {time.process_time() - began:.1f} s", file=sys.stderr, flush=True)
    rows = []
    for objective in instance.objectives:
        record = read_records().get((instance.name, objective))
        best = "-" if record is None else f"**{record.value / 60:.1f}**" if objective == "travel_time" else f"**{100 * record.share:.2f}**"
        rows.append([f"{instance.name}, {objective}", best, *(cell(instance, plan, objective) for plan in plans.values())])
    return rows


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instance", nargs="+", default=list(SHIPPED), help="instances")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    asked = parser.parse_args()
    rows = []
    for name in asked.instance:
        try:
            rows += rows_of(open_instance(name, asked.data))
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    text = table(("instance, objective", "best known", *METHODS), rows)
    print(text)
    if asked.write:
        write_section("nightbench_entrants", NOTE.format(text=text))


if __name__ == "__main__":
    main()
