"""Network, demand and service rule compiled into the arrays that search and scorecard share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.kernels.assignment import ride_matrices, served_trips
from owlbus.kernels.cost_rows import new_bucket_queue
from owlbus.kernels.coverage import measure_routes
from owlbus.kernels.straightness import new_known_route
from owlbus.kernels.structs import DemandRows, Drive, Graph, Routes, ShortestMetres
from owlbus.network.network import UNREACHABLE
from owlbus.plan import Plan, Route, route_links
from owlbus.plan.limits import ServiceRule
from owlbus.search.trip_rows import hour_quanta_of, trips_of_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.search.carried import CarriedModel
    from owlbus.search.objective import Objective
    from owlbus.search.ride_service import RideService


_OUT_OF_REACH = -1.0

_ROUNDED_DOWN = 1 - 1e-9

_METRE_BYTES = 2**27

_BLOCK_ROWS = 256

_NO_RIDE_S = 2.0**31
"""Seconds longer than any ride; a power of two, so that its multiples are exact in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """
    Network, demand and rule, compiled for search and scorecard.

    Attributes
    ----------
    network
        The stop network, S stops over H hexes.
    rule
        When a trip counts as served.
    hexes
        Hexes from which some stop is within the walk, shape (C,), int32, ascending; what follows has a row for each.
    row_of
        Row of each hex of the grid, shape (H,), int32; -1 where no stop is in reach.
    indptr, partner
        Rows that each row has trips with, ascending, each pair in both its rows: shapes (C + 1,), int64, and (P,), int32.
    pair_quanta
        Their trips in 1/1024 a night, shape (W, P), int32. Where every link takes as long as its reverse W is 1 and both directions are
        added; else the first row holds trips that begin here and the second those that end here.
    pair_limit_s
        Longest ride that serves them, transfers included, shape (W, P), float32 seconds; -1 where no path joins them.
    presence
        People in each row in 1/1024 a night, shape (C,), int64.
    total_trips_quanta, total_presence_quanta
        All trips and people in 1/1024 a night, those out of reach included.
    graph
        Links and sheds as the kernels take them.
    trips
        Row, column and trips in 1/1024 a night of each directed pair, shape (D,), int32 each.
    drive_s
        Fastest seconds between stops along the links of `graph`, shape (S, S), of the type of `Network.drive_s`; None where these are the
        network's.
    hour_quanta
        Trips of each directed pair by hour in 1/1024 a night, shape (n_hours, D), int32; None unless asked for.

    Raises
    ------
    DataError
        If demand and network lie on different grids.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Objective, Plan, Route
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> plan = Plan((Route(network.shortest_path(0, 19), "N1"),), network.fingerprint)
    >>> problem, objective = Problem.build(network, demand), Objective()
    >>> problem.value(plan, objective) / 1024, problem.total_value(objective) / 1024
    (60.0, 100.0)
    """

    network: Network
    rule: ServiceRule
    hexes: NDArray[np.int32]
    row_of: NDArray[np.int32]
    indptr: NDArray[np.int64] = field(repr=False)
    partner: NDArray[np.int32] = field(repr=False)
    pair_quanta: NDArray[np.int32] = field(repr=False)
    pair_limit_s: NDArray[np.float32] = field(repr=False)
    presence: NDArray[np.int64]
    total_trips_quanta: int
    total_presence_quanta: int
    graph: Graph = field(repr=False)
    trips: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] = field(repr=False)
    drive_s: NDArray[np.int32] | None = field(default=None, repr=False)
    hour_quanta: NDArray[np.int32] | None = field(default=None, repr=False)
    _dense: dict[str, NDArray[Any]] = field(default_factory=dict, init=False, repr=False)
    _models: dict[RideService, CarriedModel] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def build(cls, network: Network, demand: Demand, rule: ServiceRule | None = None, *, by_hour: bool = False) -> Problem:
        """
        Compile a problem.

        Parameters
        ----------
        network
            Stop network.
        demand
            Trips between the hexes of the network's grid.
        rule
            When a trip counts as served; the defaults of `ServiceRule` if None.
        by_hour
            Whether trips are kept by hour too, as the objective ``carried`` needs them.

        Returns
        -------
        Problem
            The arrays; about 24 bytes for each directed pair with trips.

        Raises
        ------
        DataError
            If demand and network lie on different grids, or two hexes have 2,097,152 trips a night or more, both directions together
            where every link takes as long as its reverse.
        """
        rule = rule or ServiceRule()
        _require_one_grid(network, demand)
        hexes = np.flatnonzero(network.hex_stop >= 0).astype(np.int32)
        row_of = np.full(network.grid.n_hexes, -1, np.int32)
        row_of[hexes] = np.arange(hexes.size)
        kept, total_trips_quanta = trips_of_rows(demand, row_of)
        people = np.rint(demand.presence_by_hex() * QUANTA_PER_TRIP).astype(np.int64)
        indptr, partner, quanta, limit_s = _by_row(network, rule, hexes, kept)
        links = network.link_indptr, network.link_to, network.link_s, network.link_m
        graph = Graph(*links, network.shed_indptr, row_of[network.shed_hex])
        return cls(
            network=network,
            rule=rule,
            hexes=hexes,
            row_of=row_of,
            indptr=indptr,
            partner=partner,
            pair_quanta=quanta,
            pair_limit_s=limit_s,
            trips=(*kept[:2], kept[2].astype(np.int32)),
            presence=people[hexes],
            total_trips_quanta=total_trips_quanta,
            total_presence_quanta=int(people.sum()),
            graph=graph,
            hour_quanta=hour_quanta_of(demand, row_of, kept, hexes.size) if by_hour else None,
        )

    def on(self, network: Network) -> Problem:
        """
        Problem with the link times of another hour, to measure plans in it.

        Parameters
        ----------
        network
            As `Network.at_hour` returns it.

        Returns
        -------
        Problem
            With the same demand; the longest rides that serve it, seconds, stay those of this problem's network.
        """
        if network is self.network:
            return self
        links = network.link_indptr, network.link_to, network.link_s, network.link_m
        return replace(self, network=network, graph=Graph(*links, self.graph.shed_indptr, self.graph.shed_hex), drive_s=None)

    def with_trips(self, demand: Demand) -> Problem:
        """
        Problem with other trips in `trips` and `total_trips_quanta`, as travel times are counted; all else stays.

        Parameters
        ----------
        demand
            Trips a night between hexes.

        Returns
        -------
        Problem
            No search can run on it.
        """
        (*ends, quanta), total = trips_of_rows(demand, self.row_of)
        return replace(self, trips=(ends[0], ends[1], quanta.astype(np.int32)), total_trips_quanta=total)

    def without(self, served: NDArray[np.bool_], reached: NDArray[np.bool_]) -> Problem:
        """
        Problem without trips and people that are served anyway.

        Parameters
        ----------
        served
            Whether each directed pair is, in the order of `trips`, shape (D,).
        reached
            Whether the people of each row are, shape (C,).

        Returns
        -------
        Problem
            On the same rows, with the same totals.
        """
        origin, destination, quanta = (column[~served] for column in self.trips)
        indptr, partner, pair_quanta, limit_s = _by_row(self.network, self.rule, self.hexes, (origin, destination, quanta.astype(np.int64)))
        return replace(
            self,
            indptr=indptr,
            partner=partner,
            pair_quanta=pair_quanta,
            pair_limit_s=limit_s,
            trips=(origin, destination, quanta),
            presence=read_only(np.where(reached, 0, self.presence)),
            hour_quanta=None if self.hour_quanta is None else read_only(np.ascontiguousarray(self.hour_quanta[:, ~served])),
        )

    @property
    def n_rows(self) -> int:
        """Hexes C from which some stop is within the walk."""
        return self.hexes.size

    @property
    def weight(self) -> NDArray[np.int32]:
        """Trips from row to column in 1/1024 a night, shape (C, C), int32; made once and kept."""
        if "weight" not in self._dense:
            full = np.zeros((self.n_rows, self.n_rows), np.int32)
            full[self.trips[0], self.trips[1]] = self.trips[2]
            self._dense["weight"] = read_only(full)
        return self._dense["weight"]

    @property
    def limit_s(self) -> NDArray[np.float32]:
        """Longest ride that serves a trip from row to column, shape (C, C), float32 seconds, -1 for none; made once and kept."""
        if "limit_s" not in self._dense:
            rows = np.arange(self.n_rows)
            self._dense["limit_s"] = read_only(_ride_limits(self.network, self.rule, self.hexes, rows[:, None], rows))
        return self._dense["limit_s"]

    def limits_of(self, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> NDArray[np.float32]:
        """
        Longest rides that serve trips.

        Parameters
        ----------
        rows, columns
            Where the trips begin and end, each of shape (D,).

        Returns
        -------
        ndarray of float32
            Seconds, -1 where no path leads, shape (D,).
        """
        return _ride_limits(self.network, self.rule, self.hexes, rows, columns)

    @property
    def demand_rows(self) -> DemandRows:
        """Trips by row, for the kernels of the search."""
        return DemandRows(self.indptr, self.partner, self.pair_quanta, self.pair_limit_s, self.presence)

    @property
    def _rows_by_way(self) -> DemandRows:
        """Trips by row with both directions apart, whether or not links take as long as their reverse; made once and kept."""
        if not self.is_symmetric:
            return self.demand_rows
        if "indptr" not in self._dense:
            arrays = _by_row(self.network, self.rule, self.hexes, self.trips, by_way=True)
            self._dense.update(zip(("indptr", "partner", "quanta", "limit"), arrays, strict=True))
        indptr, partner, quanta, limit_s = (self._dense[name] for name in ("indptr", "partner", "quanta", "limit"))
        return DemandRows(indptr, partner, quanta, limit_s, self.presence)

    def by_way(self) -> Problem:
        """
        Problem that keeps both directions of each pair apart, as routes need that run otherwise on their way back.

        Returns
        -------
        Problem
            With the same values of all plans; this problem where directions are apart already.
        """
        rows = self._rows_by_way
        if rows.trip_quanta is self.pair_quanta:
            return self
        return replace(self, indptr=rows.indptr, partner=rows.partner, pair_quanta=rows.trip_quanta, pair_limit_s=rows.limit_s)

    @property
    def row_quanta(self) -> NDArray[np.int64]:
        """Trips that begin or end in each row, in 1/1024 a night, shape (C,), int64."""
        ends = np.concatenate(self.trips[:2])
        return np.bincount(ends, np.tile(self.trips[2], 2), self.n_rows).astype(np.int64)

    @property
    def is_symmetric(self) -> bool:
        """Whether every link takes as long as its reverse."""
        return len(self.pair_quanta) == 1

    def drive(self, width: int = 0) -> Drive:
        """
        Seconds and metres between stops as the kernels take them; each search needs its own.

        Parameters
        ----------
        width
            Stops of the longest route that `owlbus.kernels.straightness` remembers.

        Returns
        -------
        Drive
            Fastest seconds along the links of the graph, a cache of shortest metres on the network, and the least metres a second.
        """
        network = self.network
        rows = min(network.n_stops, max(1, _METRE_BYTES // (4 * max(1, network.n_stops))))
        metres = ShortestMetres(
            np.zeros((rows, network.n_stops), np.int32),
            np.full(network.n_stops, -1, np.int32),
            np.full(rows, -1, np.int32),
            np.zeros(1, np.int64),
            network.link_indptr,
            network.link_to,
            network.link_m,
            new_bucket_queue(network.link_m, network.n_stops),
        )
        if "towards_s" not in self._dense:
            is_same = (self.is_symmetric and self.drive_s is None) or _is_own_transpose(self.fastest_s)
            self._dense["towards_s"] = self.fastest_s if is_same else read_only(np.ascontiguousarray(self.fastest_s.T))
        known = network.n_links and self.drive_s is None
        pace = float(np.min(network.link_m / network.link_s)) * _ROUNDED_DOWN if known else 0.0
        return Drive(self._dense["towards_s"], metres, pace, new_known_route(width))

    @property
    def fastest_s(self) -> NDArray[np.int32]:
        """Fastest seconds along the links of the graph from row to column, shape (S, S), of the type of `Network.drive_s`."""
        return self.network.drive_s if self.drive_s is None else self.drive_s

    def _carried_model(self, service: RideService) -> CarriedModel:
        """Model that counts trips carried, made once for each service and kept."""
        from owlbus.search.carried import CarriedModel

        if service not in self._models:
            self._models[service] = CarriedModel(self, service)
        return self._models[service]

    def total_value(self, objective: Objective) -> int:
        """
        Objective of a plan that served every trip and reached every person.

        Parameters
        ----------
        objective
            What counts.

        Returns
        -------
        int
            In 1/1024, of trip-seconds where travel time counts; in 1/1024 of that for trips carried; >= 1 so that shares are defined.
        """
        if objective.carried is not None:
            return self._carried_model(objective.carried).total_units
        if objective.is_travel_time:
            from owlbus.search.travel_time_objective import most_saved

            return most_saved(self)
        return max(1, objective.trips * self.total_trips_quanta + objective.presence * self.total_presence_quanta)

    def pad(self, plan: Plan, *, width: int = 0) -> Routes:
        """
        Routes of a plan as the padded arrays that kernels take.

        Parameters
        ----------
        plan
            The plan.
        width
            Places in a row at least, M.

        Returns
        -------
        Routes
            Stops, counts, and seconds ahead and back.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        n_routes = len(plan.routes)
        rows = [route.positions for route in plan.routes]
        width = max([width, 2, *map(len, rows)])
        padded = Routes(
            np.zeros((n_routes, width), np.int32),
            np.zeros(n_routes, np.int64),
            np.zeros((n_routes, width), np.float32),
            np.zeros((n_routes, width), np.float32),
        )
        for k, row in enumerate(rows):
            padded.stops[k, : len(row)] = row
            padded.n_stops[k] = len(row) if plan.routes[k].back is None else 0
        unlinked = measure_routes(self.graph, padded)
        if unlinked >= 0:
            msg = f"stops in a row must be linked, route {plan.routes[unlinked].name} has two that are not; read it against this network"
            raise DataError(msg)
        for k, route in enumerate(plan.routes):
            if route.back is not None:
                padded.n_stops[k] = len(rows[k])
                self._time_ways(route, padded.ahead_s[k], padded.back_s[k])
        return padded

    def _time_ways(self, route: Route, ahead_s: NDArray[np.float32], back_s: NDArray[np.float32]) -> None:
        """
        Write the running seconds of a route with a way back of its own, or none; see `Route.positions`.

        Nobody rides from one direction on into the other, or against a direction: such a ride takes `_NO_RIDE_S` or more.
        """
        n, back = len(route.stops), route.ways[1] if len(route.ways) > 1 else route.stops[:0]
        ahead, way_back = (
            np.concatenate([[0], np.cumsum(route_links(self.network, way, route.name)[0])])[: len(way)] for way in (route.stops, back)
        )
        ahead_s[:n], back_s[n : n + len(back)] = ahead, (way_back[-1:] - way_back)[::-1]
        ahead_s[n : n + len(back)] = _NO_RIDE_S * np.arange(1.0, len(back) + 1)
        back_s[:n] = _NO_RIDE_S * np.arange(-float(n), 0)

    def rides(self, plan: Plan) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Fastest rides between all hexes in reach of a stop.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        direct_s, best_s
            Seconds without a transfer and with at most one, its cost included, shape (C, C), float32.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        direct, best = ride_matrices(self.graph, self.pad(plan), float(self.rule.transfer_s), self.n_rows)
        return direct, best if self.rule.max_transfers else direct

    def value(self, plan: Plan, objective: Objective) -> int:
        """
        Objective of a plan, computed from scratch.

        Parameters
        ----------
        plan
            The plan.
        objective
            What counts.

        Returns
        -------
        int
            In 1/1024, of trip-seconds where travel time counts; in 1/1024 of that for trips carried, at the best split of the fleet.

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        InfeasibleError
            If the fleet cannot run the plan, where trips carried count.
        """
        if objective.carried is not None:
            from owlbus.search.split_buses import best_split

            return best_split(self._carried_model(objective.carried), self.pad(plan)).value_units
        if objective.is_travel_time:
            from owlbus.search.travel_time_objective import saved_by

            return saved_by(self, plan)
        transfers = min(objective.max_transfers, self.rule.max_transfers)
        rows = self.demand_rows if plan.is_reversible else self._rows_by_way
        served = served_trips(self.graph, rows, self.pad(plan), float(self.rule.transfer_s), transfers)
        people = int(self.presence[reached_hexes(self.network, plan)[self.hexes]].sum())
        return objective.trips * int(served) + objective.presence * people


def _require_one_grid(network: Network, demand: Demand) -> None:
    """Refuse demand on another grid than the network's."""
    n_hexes = network.grid.n_hexes
    if demand.n_hexes != n_hexes or (demand.grid and demand.grid != network.grid.fingerprint):
        msg = (
            f"demand and network must lie on one grid, got {demand.n_hexes} and {n_hexes} hexes "
            f"({demand.grid or 'unnamed'} and {network.grid.fingerprint}); build both from the same grid"
        )
        raise DataError(msg)


def _by_row(
    network: Network,
    rule: ServiceRule,
    hexes: NDArray[np.int32],
    trips: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]],
    *,
    by_way: bool = False,
) -> tuple[NDArray[Any], ...]:
    """Partners of each row, with trips and longest rides, as the fields of `Problem`."""
    n, (origin, destination, quanta) = hexes.size, trips
    key = np.concatenate([origin * np.int64(n) + destination, destination * np.int64(n) + origin])
    pairs, pair_index = np.unique(key, return_inverse=True)
    begin, end = pair_index[: origin.size], pair_index[origin.size :]
    quanta_of_way = np.zeros((2, pairs.size), np.int64)
    np.add.at(quanta_of_way[0], begin, quanta)
    np.add.at(quanta_of_way[1], end, quanta)
    row, partner = np.divmod(pairs, max(1, n))
    limits = [_ride_limits(network, rule, hexes, row, partner)]
    if not by_way and has_symmetric_times(network):
        quanta_of_way = quanta_of_way.sum(axis=0, keepdims=True)
    else:
        limits.append(_ride_limits(network, rule, hexes, partner, row))
    if quanta_of_way.max(initial=0) > np.iinfo(np.int32).max:
        most_trips = quanta_of_way.max() / QUANTA_PER_TRIP
        msg = f"trips between two hexes must stay below 2,097,152 a night, got {most_trips:,.0f}; use a larger unit"
        raise DataError(msg)
    indptr = np.searchsorted(row, np.arange(n + 1))
    return tuple(
        read_only(np.ascontiguousarray(array, kind))
        for array, kind in ((indptr, np.int64), (partner, np.int32), (quanta_of_way, np.int32), (np.stack(limits), np.float32))
    )


def _is_own_transpose(matrix: NDArray[Any]) -> bool:
    """Whether rows equal columns, compared block by block: a mask of all pairs of a large network would take hundreds of megabytes."""
    starts = range(0, len(matrix), _BLOCK_ROWS)
    return all(np.array_equal(matrix[low : low + _BLOCK_ROWS], matrix[:, low : low + _BLOCK_ROWS].T) for low in starts)


def has_symmetric_times(network: Network) -> bool:
    """
    Tell whether every link takes as long as its reverse.

    Parameters
    ----------
    network
        The stop network.

    Returns
    -------
    bool
        True if it does; one matrix of drive times, and one sum of trips in both directions, are then enough.
    """
    tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    back = np.lexsort((tail, network.link_to))
    return bool(np.array_equal(network.link_s, network.link_s[back]))


def _ride_limits(
    network: Network, rule: ServiceRule, hexes: NDArray[np.int32], origin: NDArray[np.integer], destination: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Longest ride that serves a trip between rows of `hexes`, in the shape that the rows broadcast to."""
    stop = network.hex_stop[hexes]
    return ride_limits(network, rule, stop[origin], stop[destination])


def ride_limits(network: Network, rule: ServiceRule, origin: NDArray[np.integer], destination: NDArray[np.integer]) -> NDArray[np.float32]:
    """
    Longest ride that serves a trip, by the direct drive between the stops of its two hexes.

    Parameters
    ----------
    network
        The stop network.
    rule
        Detour that a rider accepts.
    origin, destination
        Stop of each hex, such as `Network.hex_stop`; of shapes that broadcast.

    Returns
    -------
    ndarray of float32
        Whole seconds, rounded down; -1 where no path leads.
    """
    return longest_rides(rule, network.drive_s[origin, destination])


def longest_rides(rule: ServiceRule, drive_s: NDArray[np.int32]) -> NDArray[np.float32]:
    """
    Longest ride that serves a trip, by its direct drive.

    Parameters
    ----------
    rule
        Detour that a rider accepts.
    drive_s
        Direct drives in seconds, any shape; 2**30 without a path.

    Returns
    -------
    ndarray of float32
        Whole seconds of that shape, rounded down; -1 where no path leads.
    """
    longest = np.floor(rule.detour_factor * drive_s + rule.detour_s)
    return np.where(drive_s < UNREACHABLE, longest, _OUT_OF_REACH).astype(np.float32)


def reached_hexes(network: Network, plan: Plan) -> NDArray[np.bool_]:
    """
    Hexes within the walk of a stop of the plan.

    Parameters
    ----------
    network
        Stop network over H hexes.
    plan
        The plan.

    Returns
    -------
    ndarray of bool
        Shape (H,).
    """
    reached = np.zeros(network.grid.n_hexes, np.bool_)
    for route in plan.routes:
        for stop in route.positions:
            reached[network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]]] = True
    return reached


def plan_of(
    network: Network, stops: NDArray[np.int32], counts: Sequence[int] | NDArray[np.int64], names: Mapping[int, str] | None = None
) -> Plan:
    """
    Plan of padded arrays; empty routes are left out.

    Parameters
    ----------
    network
        The network the stops belong to.
    stops, counts
        Stop indices (K, M), and how many count in each row (K,).
    names
        Name by row; those of `free_names` by default.

    Returns
    -------
    Plan
        The routes in row order.
    """
    named = free_names(names or {}, len(counts))
    routes = tuple(Route(stops=stops[k, :count].copy(), name=named[k]) for k, count in enumerate(counts) if count > 1)
    return Plan(routes=routes, network_fingerprint=network.fingerprint)


def free_names(names: Mapping[int, str], n_rows: int) -> list[str]:
    """
    Name of each row of a plan: its own, or else ``R1``, ``R2``, … by row, the next number that no other row has.

    Parameters
    ----------
    names
        Name by row, where there is one.
    n_rows
        Rows of the plan.

    Returns
    -------
    list of str
        All different if those in `names` are.

    Examples
    --------
    >>> free_names({0: "R3", 1: "N6"}, 4)
    ['R3', 'N6', 'R5', 'R4']
    """
    taken, spare = set(names.values()), n_rows
    found = []
    for k in range(n_rows):
        name = names.get(k, f"R{k + 1}")
        while k not in names and name in taken:
            spare += 1
            name = f"R{spare}"
        taken.add(name)
        found.append(name)
    return found
