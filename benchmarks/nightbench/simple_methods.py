"""
Three simple ways to plan night buses, as good as a careful project makes them within a few pages, without a line of a search.

Each one picks its first routes in its own way. All then lengthen these routes at their ends, by whole shortest paths to other busy
places, first those with most gain a second of driving, until no more path fits into the limits. Gains that were computed before stay in a
heap, and are computed again when they come to its top (lazy greedy choice, Minoux 1978). Gain is one of three measures: people newly
reached, trips newly joined by a route, or by one route or two that meet.
"""

from __future__ import annotations

import heapq
from itertools import combinations, count, pairwise, product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.nightbench import BenchInstance

MEASURES = ("served", "direct", "people")
N_PAIRS, N_HUBS, APART_M, REPEATED, LEAST_S = 400, 50, 1_500.0, 0.5, 60
PASSES = (("hubs", 4_000, (0,)), ("hubs", 4_000, (4, 8, 16)), ("hubs", 10_000, (0, 12)), ("all", 2_000, (0, 1, 2)))
SEED, ROUNDS = 0, 60
FREE_M, SPUR_FACTOR, SPUR_M, FAR_M = 1_000, 2, 400, 2**30


class Roads:
    """Nodes and links of an instance, shortest paths in metres, and the demand at each hex."""

    def __init__(self, instance: BenchInstance) -> None:
        """Take the tables of the instance."""
        network, self.limits, self.n_routes = instance.network, instance.limits, instance.n_routes
        tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr)).tolist()
        sizes = zip(network.link_m.tolist(), network.link_s.tolist(), strict=True)
        self.link = dict(zip(zip(tail, network.link_to.tolist(), strict=True), sizes, strict=True))
        self.next = [network.link_to[low:high] for low, high in pairwise(network.link_indptr)]
        self.next_m = [network.link_m[low:high] for low, high in pairwise(network.link_indptr)]
        self.hexes = [network.shed_hex[low:high] for low, high in pairwise(network.shed_indptr)]
        self.least_m, self.nearest, self.grid, pairs = network.drive_m, network.hex_stop, network.grid, instance.demand.od()
        self.origin, self.destination, self.trips = pairs.origin, pairs.destination, pairs.trips
        self.people = np.asarray(instance.demand.presence_by_hex(), float)
        n_hexes = self.people.size
        self.between = np.zeros((n_hexes, n_hexes), np.float32)
        np.add.at(self.between, (self.origin, self.destination), self.trips)
        self.between += self.between.T.copy()
        self.activity = self.between.sum(axis=1) * (self.nearest >= 0)
        self.busy = np.array([self.activity[hexes].sum() for hexes in self.hexes])
        hubs = self.hubs(n_hexes, APART_M)
        self.targets = {"hubs": np.unique(self.nearest[hubs]), "all": np.unique(self.nearest[self.activity > 0])}

    def path(self, start: int, end: int) -> list[int]:
        """Nodes of a shortest path, of several the one by busier nodes; empty if there is none, or a hex has no node (-1)."""
        if min(start, end) < 0 or start == end or self.least_m[start, end] >= FAR_M:
            return []
        stops, to_end = [start], self.least_m[:, end]
        while stops[-1] != end:
            here = stops[-1]
            ahead = self.next[here][self.next_m[here] + to_end[self.next[here]] == to_end[here]]
            stops.append(int(ahead[np.argmax(self.busy[ahead])]))
        return stops

    def size(self, stops: list[int]) -> tuple[int, int, int]:
        """Metres of the longer direction, seconds of both, and buses of a route."""
        ahead = np.array([self.link[pair] for pair in pairwise(stops)]).sum(axis=0)
        back = np.array([self.link[b, a] for a, b in pairwise(stops)]).sum(axis=0)
        cycle_s = int(ahead[1] + back[1])
        return int(max(ahead[0], back[0])), cycle_s, -(-cycle_s // self.limits.headway_s)

    def keeps(self, stops: list[int]) -> bool:
        """Whether a route keeps all limits of a single route."""
        limits = self.limits
        if not limits.min_stops <= len(stops) <= limits.max_stops or len(set(stops)) < len(stops):
            return False
        ahead = np.cumsum([(0, 0), *(self.link[pair] for pair in pairwise(stops))], axis=0)
        back = np.cumsum([(0, 0), *(self.link[b, a] for a, b in pairwise(stops))], axis=0)
        ends_m, ends_s = (ahead[-1, 0], back[-1, 0]), max(ahead[-1, 1], back[-1, 1])
        if max(ends_m) > limits.max_length_m or min(ends_m) < limits.min_length_m or ends_s > limits.max_ride_s:
            return False
        metres = np.triu(ahead[:, 0] - ahead[:, :1]) + np.tril(back[:, :1] - back[:, 0])
        least = self.least_m[np.ix_(stops, stops)]
        turns = (metres >= SPUR_FACTOR * least) & (metres - least >= SPUR_M)
        has_spur = np.diagonal(turns, 2).any() or np.diagonal(turns, -2).any()
        is_straight = (metres - FREE_M <= limits.max_pair_circuity * least)[least > 0].all()
        is_short = ends_m[0] <= limits.max_circuity * least[0, -1] and ends_m[1] <= limits.max_circuity * least[-1, 0]
        return bool(is_straight and is_short and (limits.allow_spurs or not has_spur))

    def fitted(self, stops: list[int]) -> list[int]:
        """Route without the quieter of its end stops until it takes an equal share of buses and kilometres; empty if it keeps no limit."""
        row = list(stops)
        while len(row) >= max(2, self.limits.min_stops):
            metres, _, buses = self.size(row)
            is_small = metres * self.n_routes <= self.limits.max_total_length_m and buses * self.n_routes <= self.limits.max_buses
            if is_small and self.keeps(row):
                return row
            row.pop(0 if self.busy[row[0]] < self.busy[row[-1]] else -1)
        return []

    def hubs(self, n_hubs: int, apart_m: float) -> list[int]:
        """Busiest hexes that lie apart."""
        x, y, hubs = self.grid.x_m, self.grid.y_m, list[int]()
        for h in np.argsort(-self.activity, kind="stable"):
            if len(hubs) == n_hubs or self.activity[h] == 0:
                break
            if np.hypot(x[h] - x[hubs], y[h] - y[hubs]).min(initial=np.inf) >= apart_m:
                hubs.append(int(h))
        return hubs


class Draft:
    """Routes of a plan in the making, and the demand that they do not join yet."""

    def __init__(self, roads: Roads, measure: str) -> None:
        """Begin without routes."""
        self.roads, self.measure, self.routes = roads, measure, list[list[int]]()
        self.reached: list[NDArray[np.bool_]] = []
        self.sizes: list[tuple[int, int, int]] = []
        self.value = 0.0
        self.is_open = np.ones(roads.people.size, bool)
        self.unjoined = roads.between.copy()

    def mask(self, stops: list[int]) -> NDArray[np.bool_]:
        """Hexes within the walk of a route."""
        mask = np.zeros(self.is_open.size, bool)
        mask[np.concatenate([self.roads.hexes[stop] for stop in stops])] = True
        return mask

    def _partners(self, stops: list[int], own: NDArray[np.bool_], but: int | None) -> NDArray[np.bool_]:
        """Hexes that a route joins to its own by a transfer, without its own."""
        beyond = np.zeros_like(own)
        for k, other in enumerate(self.routes if self.measure == "served" else ()):
            if k != but and not set(stops).isdisjoint(other):
                beyond |= self.reached[k]
        return beyond & ~own

    def gain(self, stops: list[int], but: int | None = None) -> float:
        """People or trips that a route adds, in place of route `but`."""
        own = self.mask(stops)
        if self.measure == "people":
            return float(self.roads.people[own & self.is_open].sum())
        rows = np.flatnonzero(own)
        beyond = np.flatnonzero(self._partners(stops, own, but))
        return float(self.unjoined[np.ix_(rows, rows)].sum() / 2 + self.unjoined[np.ix_(rows, beyond)].sum())

    def take(self, stops: list[int]) -> None:
        """Add a route."""
        self.value += self.gain(stops)
        own = self.mask(stops)
        rows, beyond = np.flatnonzero(own), np.flatnonzero(self._partners(stops, own, None))
        for a, b in ((rows, rows), (rows, beyond), (beyond, rows)):
            self.unjoined[np.ix_(a, b)] = 0
        self.is_open &= ~own
        self.routes.append(stops)
        self.reached.append(own)
        self.sizes.append(self.roads.size(stops))

    def replaced(self, stops: list[int], but: int) -> Draft:
        """Draft with a route in place of route `but`."""
        draft = Draft(self.roads, self.measure)
        for k, other in enumerate(self.routes):
            draft.take(stops if k == but else other)
        return draft

    def affords(self, size: tuple[int, int, int], but: int | None = None) -> bool:
        """Whether the plan keeps its limits with a route of a size in place of route `but`."""
        sizes, limits = [size, *(other for k, other in enumerate(self.sizes) if k != but)], self.roads.limits
        is_small = sum(one[0] for one in sizes) <= limits.max_total_length_m and sum(one[2] for one in sizes) <= limits.max_buses
        return is_small and len(sizes) <= self.roads.n_routes


def choose(draft: Draft, candidates: list[list[int]], *, per_second: bool) -> None:
    """Take the candidates of most gain, or of most gain a second of driving, one after the other."""
    sizes = [draft.roads.size(stops) for stops in candidates]
    cost = [size[1] if per_second else 1 for size in sizes]
    heap = [(-draft.gain(stops) / cost[k], k) for k, stops in enumerate(candidates)]
    heapq.heapify(heap)
    while heap and len(draft.routes) < draft.roads.n_routes:
        _, k = heapq.heappop(heap)
        gain = draft.gain(candidates[k]) / cost[k]
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, k))
        elif gain > 0 and draft.affords(sizes[k]):
            draft.take(candidates[k])


def lengthen(draft: Draft) -> Draft:
    """Lengthen routes at their ends by shortest paths to near hubs, then from some stops before the end, to far hubs, to all places."""
    for kind, reach_m, cuts in PASSES:
        draft = _lengthened(draft, draft.roads.targets[kind], reach_m, cuts)
    return draft


def _lengthened(draft: Draft, targets: NDArray[np.int32], reach_m: int, cuts: tuple[int, ...]) -> Draft:
    """Lengthen routes by gain a second, until nothing fits."""
    heap: list[tuple[float, int, int, list[int], list[int]]] = []
    order, is_waiting = count(), list(range(len(draft.routes)))
    while heap or is_waiting:
        for k in is_waiting:
            for stops in _longer(draft, k, targets, reach_m, cuts):
                heapq.heappush(heap, (-_rate(draft, stops, k), next(order), k, draft.routes[k], stops))
        is_waiting = []
        if not heap:
            break
        _, number, k, before, stops = heapq.heappop(heap)
        if draft.routes[k] is not before or not draft.affords(draft.roads.size(stops), k):
            continue
        rate = _rate(draft, stops, k)
        if heap and rate < -heap[0][0]:
            heapq.heappush(heap, (-rate, number, k, before, stops))
        elif rate > 0 and (longer := draft.replaced(stops, k)).value > draft.value:
            draft, is_waiting = longer, [k]
    return draft


def _rate(draft: Draft, stops: list[int], k: int) -> float:
    """Gain of another form of route k for each second that it adds."""
    return draft.gain(stops, k) / max(LEAST_S, draft.roads.size(stops)[1] - draft.sizes[k][1])


def _longer(draft: Draft, k: int, targets: NDArray[np.int32], reach_m: int, cuts: tuple[int, ...]) -> Iterator[list[int]]:
    """Yield forms of route k without some stops at an end, that go on from there to a busy place, and keep all limits."""
    roads, known = draft.roads, set(draft.routes[k])
    for stops, cut in product((draft.routes[k], draft.routes[k][::-1]), cuts):
        row = stops[: len(stops) - cut]
        for target in targets[roads.least_m[row[-1], targets] <= reach_m].tolist() if row else ():
            longer = [*row, *roads.path(row[-1], target)[1:]]
            if target not in known and draft.affords(roads.size(longer), k) and roads.keeps(longer):
                yield longer


def greedy(roads: Roads, measure: str) -> Iterator[Draft]:
    """Shortest paths between hubs and along the busiest pairs of hexes, one after the other by gain."""
    n, (low, high) = roads.people.size, np.sort([roads.origin, roads.destination], axis=0)
    keys, row = np.unique(low.astype(np.int64) * n + high, return_inverse=True)
    busiest = keys[np.argsort(-np.bincount(row, roads.trips), kind="stable")[:N_PAIRS]]
    pairs = [*zip((busiest // n).tolist(), (busiest % n).tolist(), strict=True), *combinations(roads.hubs(N_HUBS, APART_M), 2)]
    paths = (roads.fitted(roads.path(int(roads.nearest[a]), int(roads.nearest[b]))) for a, b in pairs)
    candidates = [stops for stops in paths if stops]
    for per_second in (False, True):
        draft = Draft(roads, measure)
        choose(draft, candidates, per_second=per_second)
        yield draft


def k_means(roads: Roads, measure: str) -> Iterator[Draft]:
    """Shortest paths between both ends of the middle of each cluster of trips, by k-means in four dimensions (Lloyd 1982)."""
    x, y, near = roads.grid.x_m, roads.grid.y_m, np.flatnonzero(roads.nearest >= 0)
    middles, weight = _clusters(roads)
    draft = Draft(roads, measure)
    for k in np.argsort(-weight, kind="stable"):
        a, b = (near[np.argmin(np.hypot(x[near] - px, y[near] - py))] for px, py in (middles[k, :2], middles[k, 2:]))
        stops = roads.fitted(roads.path(int(roads.nearest[a]), int(roads.nearest[b])))
        if stops and draft.affords(roads.size(stops)):
            draft.take(stops)
    yield draft


def _clusters(roads: Roads) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of clusters of trips, x and y of both ends in metres, and the trips of each."""
    rng, x, y = np.random.default_rng(SEED), roads.grid.x_m, roads.grid.y_m
    ends = np.column_stack([x[roads.origin], y[roads.origin], x[roads.destination], y[roads.destination]])
    ends = np.where((ends[:, 0] > ends[:, 2])[:, None], ends[:, [2, 3, 0, 1]], ends)
    middles = ends[rng.choice(len(ends), roads.n_routes, replace=False, p=roads.trips / roads.trips.sum())]
    for _ in range(ROUNDS):
        label = np.argmin([((ends - middle) ** 2).sum(axis=1) for middle in middles], axis=0)
        weight = np.maximum(np.bincount(label, roads.trips, roads.n_routes), 1e-9)
        middles = np.stack([np.bincount(label, roads.trips * column, roads.n_routes) / weight for column in ends.T], axis=1)
    return middles, weight


def hot_spots(roads: Roads, measure: str) -> Iterator[Draft]:
    """Shortest paths between hubs, by the product of their trips, or of these and metres, without those that mostly repeat another one."""
    for is_far_first in (False, True):
        draft, hubs = Draft(roads, measure), roads.hubs(N_HUBS, APART_M)
        pairs = np.array(list(combinations(hubs, 2)))
        weight = roads.activity[pairs].prod(axis=1)
        if is_far_first:
            weight = weight * roads.least_m[roads.nearest[pairs[:, 0]], roads.nearest[pairs[:, 1]]]
        for start, end in roads.nearest[pairs[np.argsort(-weight, kind="stable")]].tolist():
            stops = roads.fitted(roads.path(start, end))
            repeats = any(len(set(stops) & set(other)) > REPEATED * min(len(stops), len(other)) for other in draft.routes)
            if stops and not repeats and draft.affords(roads.size(stops)):
                draft.take(stops)
            if len(draft.routes) == roads.n_routes:
                break
        yield draft


METHODS = {"greedy": greedy, "k-means": k_means, "hot spots": hot_spots}
