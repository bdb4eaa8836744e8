"""Figures as they are published: trips and people by the points of hexes that a plan reaches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.kernels.journeys import Journeys, spread_flows, stop_journeys
from owlbus.kernels.point_classes import (
    Classes,
    Pairs,
    count_changes,
    count_served,
    point_classes,
    point_reach,
    stop_flows,
)
from owlbus.kernels.rides import NEVER
from owlbus.network.walk_sheds import points_of, reached_share
from owlbus.plan import Plan
from owlbus.search.problem import Problem, longest_rides

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.demand.od_pairs import ODPairs
    from owlbus.network import Network
    from owlbus.network.walk_sheds import WalkPoints

FAR = np.iinfo(np.int32).max
"""Metres where no stop is within the walk."""
_MOST_CELLS = 2**26


@dataclass(frozen=True, slots=True, eq=False)
class PlanCounts:
    """
    What one plan reaches and serves, by hex and by pair of hexes.

    Attributes
    ----------
    plan
        The plan.
    walk_m
        Metres from each point to the nearest stop of the plan within the walk, shape (H, n_points), int32; `FAR` where there is none.
    served_share, direct_share
        Share of each pair's trips that it serves, and without a transfer, shape (P,), 0 to 1; the pairs of each band one after another.
    """

    plan: Plan
    walk_m: NDArray[np.int32]
    served_share: NDArray[np.float64]
    direct_share: NDArray[np.float64]

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Whether each point is within the walk of a stop, shape (H, n_points)."""
        return self.walk_m < FAR

    @property
    def reached_share(self) -> NDArray[np.float64]:
        """Share of each hex within the walk of a stop, shape (H,), 0 to 1."""
        share: NDArray[np.float64] = self.reached.mean(axis=1)
        return share


@dataclass(frozen=True, slots=True, eq=False)
class PairChanges:
    """
    What two plans serve differently, by pair of hexes.

    Attributes
    ----------
    gained, lost, gained_direct, lost_direct
        Share of each pair's trips that only the second and only the first plan serves, and likewise without a transfer; shape (P,).
    now_transfer, now_direct, slower, faster
        Of those that both serve, the share that now needs a transfer, that now needs none, that rides longer and less long; shape (P,).
    slower_s, faster_s
        Seconds by which these two do, times their share, shape (P,).
    """

    gained: NDArray[np.float64]
    lost: NDArray[np.float64]
    gained_direct: NDArray[np.float64]
    lost_direct: NDArray[np.float64]
    now_transfer: NDArray[np.float64]
    now_direct: NDArray[np.float64]
    slower: NDArray[np.float64]
    faster: NDArray[np.float64]
    slower_s: NDArray[np.float64]
    faster_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlanFlows:
    """
    Riders of a plan, by layer of trips such as the hour.

    Attributes
    ----------
    ahead_trips, back_trips
        Riders on the segments of every route in either direction, shape (L, K, M).
    boardings_trips
        Riders who begin on each route, and who change onto it, shape (L, K, 2).
    riders_trips, transfers_trips
        All riders, and those who transfer, shape (L,).
    ride_s
        Their seconds on board, summed, shape (L,).
    walk_m
        Metres of walk at both ends, summed over the riders of all layers.
    only_served_trips
        Trips of the first layer that the plan would lose without each route, shape (K,).
    """

    ahead_trips: NDArray[np.float64]
    back_trips: NDArray[np.float64]
    boardings_trips: NDArray[np.float64]
    riders_trips: NDArray[np.float64]
    transfers_trips: NDArray[np.float64]
    ride_s: NDArray[np.float64]
    walk_m: float
    only_served_trips: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StopRiders:
    """
    Riders between pairs of stops.

    Attributes
    ----------
    first_stop, last_stop
        Stops where they begin and end, shape (n,), int32.
    quanta
        Riders by layer in 1/1024 a night, shape (L, n), int64.
    legs
        Route, position to board and to alight of the first ride, then of the second, -1 for none; shape (n, 6), int64.
    walk_m
        Mean metres of walk at both ends together, shape (n,), int64.
    """

    first_stop: NDArray[np.int32]
    last_stop: NDArray[np.int32]
    quanta: NDArray[np.int64]
    legs: NDArray[np.int64]
    walk_m: NDArray[np.int64]


class Band(NamedTuple):
    """
    Hours in which every link takes as long.

    Attributes
    ----------
    hours
        Service hours; empty for all hours.
    problem
        Network, demand and rule with the link times of these hours.
    pairs
        Pairs of hexes with the longest ride that serves each, seconds.
    """

    hours: tuple[int, ...]
    problem: Problem
    pairs: Pairs


@dataclass(frozen=True, slots=True, eq=False)
class PointCounter:
    """
    Counts what plans reach and serve by the points of hexes, each of which stands for an equal share of the hex.

    A trip between two hexes starts at any point of the one and ends at any point of the other with equal probability. It is served if a
    stop within the walk of the first point and one within the walk of the second are joined by a ride that keeps the limit of the two
    hexes. All shares are multiples of one over a power of 2, so that sums of trips are exact in whatever order. Where link times differ by
    hour, rides and limits are those of the hour in which the trip begins: pairs are then counted once for each band of hours.

    Attributes
    ----------
    problem
        Network, demand and rule.
    points
        Points within the walk of each stop.
    key
        Pairs of hexes with trips, as ``origin * H + destination``, shape (P,), int64, ascending.
    bands
        Hours with the same link times; one where links take as long in every hour, or where the hours of trips are unknown.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Plan, Route
    >>> from owlbus.search import Problem
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> counter = PointCounter.build(Problem.build(network, demand), demand)
    >>> plan = Plan((Route(network.shortest_path(0, 19), "N1"),), network.fingerprint)
    >>> counter.count(plan).served_share.tolist()
    [1.0, 0.0, 0.0]
    """

    problem: Problem
    points: WalkPoints
    key: NDArray[np.int64] = field(repr=False)
    bands: tuple[Band, ...] = field(repr=False)

    @classmethod
    def build(cls, problem: Problem, *demands: Demand, count_by: str = "area") -> PointCounter:
        """
        Counter for the pairs of some demands.

        Parameters
        ----------
        problem
            Network and rule.
        *demands
            Demands on the network's grid whose pairs are counted.
        count_by
            ``area``: hexes count by their points, as figures are published; ``centre``: whole, as in the search.

        Returns
        -------
        PointCounter
            For any plan on this network.

        Raises
        ------
        UsageError
            If `count_by` is neither.
        """
        network = problem.network
        points = points_of(network, count_by)
        n_hexes = network.grid.n_hexes
        keys = [demand.origin.astype(np.int64) * n_hexes + demand.destination for demand in demands]
        key = np.unique(np.concatenate(keys))
        origin, destination = np.divmod(key, n_hexes)
        stop = _limit_stops(network, points)
        within = np.flatnonzero((stop[origin] >= 0) & (stop[destination] >= 0))
        indptr = np.searchsorted(origin, np.arange(n_hexes + 1)).astype(np.int64)
        bands = []
        for hours in _bands_of(network, demands):
            part = problem.on(network.at_hour(hours[0]) if hours else network)
            limit_s = np.full(key.size, -1, np.float32)
            drive_s = part.network.fastest_s(stop[origin[within]], stop[destination[within]])
            limit_s[within] = longest_rides(problem.rule, drive_s)
            bands.append(Band(hours, part, Pairs(indptr, destination.astype(np.int32), limit_s)))
        return cls(problem, points, key, tuple(bands))

    @property
    def n_pairs(self) -> int:
        """Pairs of hexes in all bands, the size of shares by pair."""
        return self.key.size * len(self.bands)

    def pair_of(self, origin: NDArray[np.int32], destination: NDArray[np.int32], hour: int | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """
        Index of pairs of hexes.

        Parameters
        ----------
        origin, destination
            Hexes of each trip, shape (n,); pairs of the demands the counter was built for.
        hour
            Service hour in which each trip begins, shape (n,), or one for all.

        Returns
        -------
        ndarray of int64
            Shape (n,), in [0, `n_pairs`).
        """
        wanted = origin.astype(np.int64) * self.problem.network.grid.n_hexes + destination
        band = np.zeros(np.shape(hour), np.int64)
        for row, each in enumerate(self.bands[1:], 1):
            band[np.isin(hour, each.hours)] = row
        return np.searchsorted(self.key, wanted) + self.key.size * band

    def mean_trips(self, demand: Demand) -> Iterator[tuple[ODPairs, NDArray[np.int64]]]:
        """
        Mean trips a night by pair of hexes, band by band.

        Parameters
        ----------
        demand
            A demand the counter was built for, or a slice of it.

        Yields
        ------
        pairs, index
            Trips a night, and the index of each pair of hexes, shape (n,).
        """
        for band in self.bands:
            hours = [hour for hour in demand.hours if hour in band.hours] if band.hours else demand.hours
            if hours:
                pairs = demand.od() if len(hours) == len(demand.hours) else demand.od(hours=hours)
                yield pairs, self.pair_of(pairs.origin, pairs.destination, hours[0])

    def reach_m(self, plan: Plan) -> NDArray[np.int32]:
        """
        Metres from each point to the nearest stop of a plan.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        ndarray of int32
            Shape (H, n_points); `FAR` where no stop is within the walk.
        """
        points, n_hexes = self.points, self.problem.network.grid.n_hexes
        nearest = np.full(n_hexes * points.n_points, FAR, np.int32)
        for stop in plan.used_stops.tolist():
            rows: Any = slice(int(points.indptr[stop]), int(points.indptr[stop + 1]))
            near = points.point[rows]
            nearest[near] = np.minimum(nearest[near], points.walk_m[rows])
        return nearest.reshape(n_hexes, points.n_points)

    def reached_share(self, plan: Plan) -> NDArray[np.float64]:
        """
        Share of each hex within the walk of a stop of a plan.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        ndarray of float64
            Shape (H,), 0 to 1.
        """
        return reached_share(self.problem.network, plan.used_stops, self.points)

    def reached_by_stop(self, stop: int) -> NDArray[np.float64]:
        """
        Share of each hex within the walk of a stop.

        Parameters
        ----------
        stop
            Stop index.

        Returns
        -------
        ndarray of float64
            Shape (H,), 0 to 1.
        """
        return reached_share(self.problem.network, [stop], self.points)

    def count(self, plan: Plan) -> PlanCounts:
        """
        Count what a plan reaches and serves.

        Parameters
        ----------
        plan
            A plan on the problem's network.

        Returns
        -------
        PlanCounts
            Shares by hex and by pair.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        return PlanCounts(plan, self.reach_m(plan), *self.served_shares(plan))

    def served_shares(self, plan: Plan, n_threads: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Share of each pair's trips that a plan serves.

        Parameters
        ----------
        plan
            A plan on the problem's network.
        n_threads
            Threads that share the origins; the shares are the same for any number.

        Returns
        -------
        served, direct
            With the transfers allowed, and without one; shape (P,), 0 to 1.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        served, direct = self._shares(plan, ("best_s", "direct_s"), n_threads)
        return served, direct

    def served_share(self, plan: Plan, max_transfers: int) -> NDArray[np.float64]:
        """
        Share of each pair's trips that a plan serves with so many transfers.

        Parameters
        ----------
        plan
            A plan on the problem's network.
        max_transfers
            Transfers that a trip may need, 0 or 1; those of the problem's rule at most.

        Returns
        -------
        ndarray of float64
            Shape (P,), 0 to 1; one of those that `served_shares` gives, in half the time.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        share: NDArray[np.float64] = self._shares(plan, ("best_s" if max_transfers else "direct_s",))[0]
        return share

    def _shares(self, plan: Plan, rides: Sequence[str], n_threads: int = 1) -> NDArray[np.float64]:
        """Share of each pair's trips that some kinds of rides of `Journeys` serve, one row each."""
        stops, points = plan.used_stops, self.points
        reach = point_reach(points.indptr, points.point, stops, self.problem.network.grid.n_hexes, points.n_points)
        classes = self._classes(stops)
        shares = []
        for band in self.bands:
            journeys = self._journeys(plan, stops, band, with_legs=False)
            for count in (partial(count_served, classes, reach, getattr(journeys, kind)) for kind in rides):
                if n_threads == 1:
                    shares.append(count(band.pairs))
                else:
                    with ThreadPoolExecutor(n_threads) as pool:
                        shares.append(np.sum(list(pool.map(count, self._parts_of(band, n_threads))), axis=0))
        by_kind = [np.concatenate(shares[row :: len(rides)]) for row in range(len(rides))]
        by_pair: NDArray[np.float64] = np.stack(by_kind) / self._n_ways
        return by_pair

    def _parts_of(self, band: Band, n_parts: int) -> list[Pairs]:
        """Pairs by groups of origins with about as many pairs each; the others of a part have none."""
        ends = np.searchsorted(band.pairs.indptr, np.linspace(0, self.key.size, n_parts + 1).astype(np.int64))
        bounds = band.pairs.indptr[ends]
        return [band.pairs._replace(indptr=np.clip(band.pairs.indptr, low, high)) for low, high in pairwise(bounds)]

    def changes(self, before: Plan, after: Plan) -> PairChanges:
        """
        Count what two plans serve differently.

        Parameters
        ----------
        before, after
            Plans on the problem's network.

        Returns
        -------
        PairChanges
            Shares by pair.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        stops = np.union1d(before.used_stops, after.used_stops).astype(np.int32)
        classes = self._classes(stops)
        counts = []
        for band in self.bands:
            was, now = (self._journeys(plan, stops, band, with_legs=False) for plan in (before, after))
            counts.append(count_changes(classes, was, now, band.pairs))
        return PairChanges(*(np.concatenate(counts, axis=1) / self._n_ways))

    def flows(self, plan: Plan, trips: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], *, by_route: bool = False) -> PlanFlows:
        """
        Send every served trip along its fastest journey.

        Parameters
        ----------
        plan
            A plan on the problem's network.
        trips
            Pairs and trips a night of each layer.
        by_route
            Whether to count the trips that need each route.

        Returns
        -------
        PlanFlows
            Riders; `only_served_trips` is empty without `by_route`.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        stops = plan.used_stops
        quanta = np.zeros((len(trips), self.n_pairs), np.int64)
        for row, (pair, amount) in zip(quanta, trips, strict=True):
            row[pair] = np.rint(amount * QUANTA_PER_TRIP).astype(np.int64)
        n_routes, classes, parts = len(plan.routes) if by_route else 0, self._classes(stops), []
        for band, part in zip(self.bands, np.split(quanta, len(self.bands), axis=1), strict=True):
            journeys = self._journeys(plan, stops, band)
            without = self._without_routes(plan, stops, journeys, band) if by_route else np.empty((2, 0, 0), np.float32)
            flow, walked, only = stop_flows(classes, journeys, band.pairs, np.ascontiguousarray(part), without, n_routes)
            parts.append(self._in_trips(plan, journeys, flow, walked, only))
        sums: dict[str, Any] = {each.name: sum(getattr(part, each.name) for part in parts) for each in fields(PlanFlows)}
        return PlanFlows(**sums)

    def riders(self, plan: Plan, quanta: NDArray[np.int64]) -> tuple[StopRiders, NDArray[np.int64]]:
        """
        Riders between the stops of a plan, whole numbers that add up to all that are served, and those who are not.

        Parameters
        ----------
        plan
            A plan on the problem's network.
        quanta
            Trips of each pair by layer in 1/1024 a night, shape (L, P), int64.

        Returns
        -------
        riders
            One row per pair of stops with riders.
        lost_quanta
            Trips of each layer that no ride serves in 1/1024 a night, shape (L,), int64.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        stops, found = plan.used_stops, []
        for band, part in zip(self.bands, np.split(quanta, len(self.bands), axis=1), strict=True):
            journeys = self._journeys(plan, stops, band)
            without = np.empty((2, 0, 0), np.float32)
            flow, walked, _ = stop_flows(self._classes(stops), journeys, band.pairs, np.ascontiguousarray(part), without, 0)
            first, last = np.nonzero(flow.any(axis=0))
            parts = flow[:, first, last]
            # Sums along the rows are rounded down, and their differences are the riders: so rounding loses less than one of a layer.
            riders = np.diff(np.cumsum(parts, axis=1) // self._n_ways, axis=1, prepend=0)
            mean_m = np.rint(walked[first, last] / np.maximum(parts.sum(axis=0), 1)).astype(np.int64)
            found.append((stops[first], stops[last], riders.T, journeys.legs[first, last].astype(np.int64), mean_m))
        begin, end, riders, legs, mean_m = (np.concatenate(column) for column in zip(*found, strict=True))
        return StopRiders(begin, end, np.ascontiguousarray(riders.T), legs, mean_m), quanta.sum(axis=1) - riders.sum(axis=0)

    def _in_trips(
        self, plan: Plan, journeys: Journeys, flow: NDArray[np.int64], walked: NDArray[np.int64], only: NDArray[np.int64]
    ) -> PlanFlows:
        """Loads, sums and means of riders by stops of boarding and alighting."""
        unit, width = QUANTA_PER_TRIP * self._n_ways, max((route.positions.size for route in plan.routes), default=1)
        loads = [spread_flows(layer, journeys.legs, len(plan), width) for layer in flow]
        is_transfer = journeys.legs[:, :, 3] >= 0
        on_board = np.where(journeys.best_s < NEVER, journeys.best_s, 0).astype(np.int64) - is_transfer * self.problem.rule.transfer_s
        ahead, back, boardings = (np.stack([load[i] for load in loads]) / unit for i in range(3))
        return PlanFlows(
            ahead,
            back,
            boardings,
            flow.sum(axis=(1, 2)) / unit,
            (flow * is_transfer).sum(axis=(1, 2)) / unit,
            (flow * on_board).sum(axis=(1, 2)) / unit,
            int(walked.sum()) / unit,
            only / unit,
        )

    @property
    def _n_ways(self) -> int:
        """Pairs of points of a pair of hexes."""
        return self.points.n_points**2

    def _classes(self, stops: NDArray[np.int32]) -> Classes:
        """Points within the walk of some stops, in classes."""
        points = self.points
        return point_classes(points.indptr, points.point, points.walk_m, stops, self.problem.network.grid.n_hexes, points.n_points)

    def _journeys(self, plan: Plan, stops: NDArray[np.int32], band: Band, *, with_legs: bool = True) -> Journeys:
        """Journeys of a plan between some stops, its own among them, in the hours of a band; their seconds alone without legs."""
        rule, routes = self.problem.rule, band.problem.pad(plan)
        numbered = routes._replace(stops=np.searchsorted(stops, routes.stops).astype(np.int32))
        return stop_journeys(numbered, stops.size, float(rule.transfer_s), rule.max_transfers, stops.size if with_legs else 0)

    def _without_routes(self, plan: Plan, stops: NDArray[np.int32], journeys: Journeys, band: Band) -> NDArray[np.float32]:
        """Fastest seconds between the stops without the route of the first leg, and of the second leg, of their journeys."""
        routes, fingerprint = plan.routes, plan.network_fingerprint
        without = np.stack([journeys.best_s, journeys.best_s])
        for k in range(len(routes)):
            others_s = self._journeys(Plan(routes[:k] + routes[k + 1 :], fingerprint), stops, band, with_legs=False).best_s
            for leg, seconds in zip((0, 3), without, strict=True):
                np.copyto(seconds, others_s, where=journeys.legs[:, :, leg] == k)
        return without


def _limit_stops(network: Network, points: WalkPoints) -> NDArray[np.int32]:
    """
    Stop of each hex between which direct drives are measured: the nearest whose walk shed includes the hex.

    A hex in no shed takes, of the stops that reach a part of it, the one with the shortest mean walk to that part.
    """
    stop = network.hex_stop.copy()
    owner = np.repeat(np.arange(network.n_stops), np.diff(points.indptr))
    hexes = points.point // points.n_points
    rows = np.flatnonzero(stop[hexes] < 0)
    if rows.size:
        pair, inverse = np.unique(hexes[rows] * np.int64(network.n_stops) + owner[rows], return_inverse=True)
        mean = np.bincount(inverse, points.walk_m[rows]) / np.bincount(inverse)
        hexagon, near = np.divmod(pair, network.n_stops)
        order = np.lexsort((near, mean, hexagon))
        found, first = np.unique(hexagon[order], return_index=True)
        stop[found] = near[order[first]]
    return stop


def _bands_of(network: Network, demands: Sequence[Demand]) -> list[tuple[int, ...]]:
    """Hours of the demands with the same link times; one band of all hours where these are the same, or the hours of trips unknown."""
    if not network.hours or not all(demand.hours_known for demand in demands):
        return [()]
    by_times: dict[bytes, list[int]] = {}
    for hour in sorted({hour for demand in demands for hour in demand.hours}):
        by_times.setdefault(network.hour_seconds(hour).tobytes(), []).append(hour)
    return [tuple(hours) for hours in by_times.values()]
