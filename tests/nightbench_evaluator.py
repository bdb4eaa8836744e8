"""
Evaluator of NightBench in plain NumPy, from the tables of an instance alone; it shares no code with owlbus.

Run ``python tests/nightbench_evaluator.py FOLDER PLAN`` with an exported instance and a CSV of stops.
"""

from __future__ import annotations

import csv
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FAR = 1 << 30
FREE_M, SPUR_FACTOR, SPUR_M = 1000, 2, 400
UPPER = ("max_length_m", "max_ride_s", "max_circuity", "max_pair_circuity", "max_stops")


class Evaluator:
    """Values of plans, and the limits that they break."""

    def __init__(self, folder: str | Path) -> None:
        root = Path(folder)
        self.about = json.loads((root / "instance.json").read_text("utf-8"))
        tail, head, self.link_s, self.link_m = self._whole(root / "links.csv", (0, 1, 2, 3))
        walk_node, walk_hex, walk_m = self._whole(root / "walks.csv", (0, 1, 2))
        self.people = np.loadtxt(root / "hexes.csv", delimiter=",", skiprows=1, usecols=5, ndmin=1)
        self.n_nodes, n_hexes = len((root / "nodes.csv").read_text("utf-8").splitlines()) - 1, self.people.size
        order = np.lexsort((head, tail))
        self.tail, self.head, self.link_s, self.link_m = (column[order] for column in (tail, head, self.link_s, self.link_m))
        self.link = {(a, b): k for k, (a, b) in enumerate(zip(self.tail.tolist(), self.head.tolist(), strict=True))}
        by_walk = np.lexsort((walk_node, walk_m, walk_hex))
        hexes, first = np.unique(walk_hex[by_walk], return_index=True)
        self.nearest = np.full(n_hexes, -1)
        self.nearest[hexes] = walk_node[by_walk][first]
        self.walk = walk_node[np.argsort(walk_hex, kind="stable")], np.sort(walk_hex)
        od = np.loadtxt(root / "trips.csv", delimiter=",", skiprows=1, ndmin=2)
        self.origin, self.destination, self.trips = od[:, 0].astype(int), od[:, 1].astype(int), od[:, 2]
        starts = self.nearest[self.origin]
        sources, row = np.unique(starts[starts >= 0], return_inverse=True)
        self.drive_s = np.full(self.trips.size, FAR)
        ends = self.nearest[self.destination][starts >= 0]
        drives = self._shortest(sources, self.link_s)[row, ends]
        self.drive_s[starts >= 0] = np.where(ends >= 0, drives, FAR)
        self.least_m: dict[int, np.ndarray[Any, Any]] = {}
        self.last: tuple[Any, Any] = (None, None)
        rules = self.about["rules"]
        self.longest_s = np.where(self.drive_s < FAR, np.floor(rules["detour_factor"] * self.drive_s + rules["detour_s"]), -1)

    @staticmethod
    def _whole(path: Path, columns: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return np.loadtxt(path, delimiter=",", skiprows=1, usecols=columns, dtype=np.int64, ndmin=2).T

    def _shortest(self, sources: np.ndarray[Any, Any], cost: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Least cost from each source to every node, 64 sources at once, by rounds over all links until nothing changes (Bellman 1958)."""
        into = np.lexsort((self.tail, self.head))
        heads, first = np.unique(self.head[into], return_index=True)
        tails, costs = self.tail[into], cost[into].astype(np.int32)[:, None]
        found = np.full((sources.size, self.n_nodes), FAR, np.int32)
        for low in range(0, sources.size, 64):
            block = sources[low : low + 64]
            least = np.full((self.n_nodes, block.size), FAR, np.int32)
            least[block, np.arange(block.size)] = 0
            before = least[:0]
            while not np.array_equal(before, least[heads]):
                before = least[heads]
                least[heads] = np.minimum(before, np.minimum.reduceat(least[tails] + costs, first, axis=0))
            found[low : low + 64] = least.T
        return found

    def _metres(self, stops: list[int]) -> np.ndarray[Any, Any]:
        """Least metres between the stops of a route."""
        new = [stop for stop in stops if stop not in self.least_m]
        self.least_m.update(zip(new, self._shortest(np.array(new, int), self.link_m), strict=True))
        return np.array([self.least_m[stop][stops] for stop in stops])

    def _sums(self, stops: list[int], cost: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Cost along a route from each of its stops to each other, on the way back below the diagonal."""
        pairs = list(pairwise(stops))
        ahead = np.cumsum([0, *(cost[self.link[pair]] for pair in pairs)])
        back = np.cumsum([0, *(cost[self.link[b, a]] for a, b in pairs)])
        return np.triu(ahead - ahead[:, None]) + np.tril(back[:, None] - back)

    def _rides(self, plan: list[list[int]]) -> tuple[np.ndarray[Any, Any], ...]:
        """Called nodes, rides between them without a transfer, and where routes meet; those of the last plan are kept."""
        if self.last[0] == plan:
            return self.last[1]
        called, calls = np.unique(np.concatenate([np.unique(stops) for stops in plan]), return_counts=True)
        direct = np.full((called.size, called.size), FAR)
        for stops in plan:
            at = np.searchsorted(called, stops)
            np.minimum.at(direct, np.ix_(at, at), self._sums(stops, self.link_s))
        self.last = plan, (called, direct, np.flatnonzero(calls > 1))
        return self.last[1]

    def value(self, plan: list[list[int]], objective: str) -> float:
        """Trips or people served, or mean seconds of a trip."""
        if objective == "travel_time":
            return self._mean_travel_s(plan)
        called, ride_s, meets = self._rides(plan)
        here = np.isin(self.walk[0], called)
        node, hexagon = np.searchsorted(called, self.walk[0][here]), self.walk[1][here]
        hexes, first = np.unique(hexagon, return_index=True)
        if objective == "presence":
            return float(self.people[hexes].sum())
        if objective == "served" and self.about["rules"]["max_transfers"]:
            transfer_s, best = self.about["rules"]["transfer_s"], ride_s.copy()
            for k in meets:
                np.minimum(best, ride_s[:, k, None] + transfer_s + ride_s[k], out=best)
            ride_s = best
        by_hex = np.minimum.reduceat(np.minimum.reduceat(ride_s[np.ix_(node, node)], first, axis=0), first, axis=1)
        row = np.full(self.people.size, -1)
        row[hexes] = np.arange(hexes.size)
        a, b = row[self.origin], row[self.destination]
        is_served = (a >= 0) & (b >= 0) & (by_hex[a, b] <= self.longest_s)
        return float(self.trips[is_served].sum())

    def _mean_travel_s(self, plan: list[list[int]]) -> float:
        """Fastest journeys with any number of transfers, between the nodes nearest to both hexes."""
        called, ride_s, meets = self._rides(plan)
        rules = self.about["rules"]
        journey = ride_s + rules["transfer_s"]
        for k in meets:
            np.minimum(journey, journey[:, k, None] + journey[k], out=journey)
        row = np.full(self.n_nodes + 1, -1)
        row[called] = np.arange(called.size)
        start, end = self.nearest[self.origin], self.nearest[self.destination]
        needs_bus = (start != end) | (start < 0)
        a, b = row[start[needs_bus]], row[end[needs_bus]]
        taken_s = np.where((a >= 0) & (b >= 0), journey[a, b] - rules["transfer_s"], FAR)
        trips = self.trips[needs_bus]
        return float((trips * np.minimum(taken_s, rules["unserved_s"])).sum() / trips.sum())

    def broken(self, plan: list[list[int]]) -> set[str]:
        """Names of the limits that a plan breaks."""
        limits = {name: np.inf if bound is None else bound for name, bound in self.about["limits"].items()}
        found, length, buses = [("n_routes", len(plan) > self.about["n_routes"])], 0, 0
        for stops in plan:
            metres, seconds = self._sums(stops, self.link_m), self._sums(stops, self.link_s)
            least = self._metres(stops)
            ends, apart = [metres[0, -1], metres[-1, 0]], least > 0
            length, buses = length + max(ends), buses - (-(seconds[0, -1] + seconds[-1, 0]) // limits["headway_s"])
            circuity = max(ends[0] / least[0, -1], ends[1] / least[-1, 0])
            between = ((metres - FREE_M)[apart] / least[apart]).max()
            spurs = (metres >= SPUR_FACTOR * least) & (metres - least >= SPUR_M)
            turns = np.diagonal(spurs, 2).any() or np.diagonal(spurs, -2).any()
            values = max(ends), max(seconds[0, -1], seconds[-1, 0]), circuity, between, len(stops)
            found += [(name, value > limits[name]) for name, value in zip(UPPER, values, strict=True)]
            found += [("min_length_m", min(ends) < limits["min_length_m"]), ("min_stops", len(stops) < limits["min_stops"])]
            found += [("allow_spurs", turns and not limits["allow_spurs"]), ("simple", len(set(stops)) < len(stops))]
        called = {stop for stops in plan for stop in stops}
        found += [("max_total_length_m", length > limits["max_total_length_m"]), ("max_buses", buses > limits["max_buses"])]
        found.append(("required_nodes", not set(self.about["required_nodes"]) <= called))
        return {name for name, is_broken in found if is_broken}


def read_plan(path: str | Path) -> list[list[int]]:
    """Stops of each route in order."""
    routes: dict[str, list[tuple[int, int]]] = {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            routes.setdefault(row["route"], []).append((int(row["order"]), int(row["stop"])))
    return [[stop for _, stop in sorted(rows)] for rows in routes.values()]


if __name__ == "__main__":
    evaluator, given = Evaluator(sys.argv[1]), read_plan(sys.argv[2])
    print({name: evaluator.value(given, name) for name in evaluator.about["objectives"]}, sorted(evaluator.broken(given)))  # noqa: T201
