"""Trips that a plan carries: who rides at which headways, and who finds room."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.acceptance import ACCEPTED, expected_wait_s, walk_s
from owlbus.common.arrays import read_only
from owlbus.common.errors import UsageError
from owlbus.kernels.carried_flows import best_journeys, carry_riders, people_of_journeys
from owlbus.kernels.carried_journeys import NOBODY_RIDES_S
from owlbus.kernels.carried_structs import PairRows, RideCosts, TripRows
from owlbus.network.network import UNREACHABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Routes
    from owlbus.search.problem import Problem
    from owlbus.search.ride_service import RideService


@dataclass(frozen=True, slots=True, eq=False)
class CarriedFlows:
    """
    Riders of a plan at given headways.

    Attributes
    ----------
    headways_s, buses
        Seconds between buses and buses of each route, shape (K,), int64.
    carried_units
        Riders carried by hour, in 1 / `UNITS_PER_TRIP` trips a night, shape (T,), int64.
    wanted_units
        Riders by hour who would ride if there were room, shape (T,), int64.
    load_units
        Riders carried by hour, route, direction and segment, shape (T, K, 2, M), int64.
    wanted_load_units
        Riders by route, direction and segment who would ride if there were room, of all hours, shape (K, 2, M), int64.
    capacity_units
        Riders whom the buses of each route carry in an hour and direction, shape (K,), int64.
    pair_units
        Riders carried of each pair of hexes a night, shape (D,), int64, in the order of `CarriedModel.rows`.
    legs
        Route, position to board and to alight of both rides of each pair, shape (D, 6), int16; -1 for none.
    """

    headways_s: NDArray[np.int64]
    buses: NDArray[np.int64]
    carried_units: NDArray[np.int64]
    wanted_units: NDArray[np.int64]
    load_units: NDArray[np.int64] = field(repr=False)
    wanted_load_units: NDArray[np.int64] = field(repr=False)
    capacity_units: NDArray[np.int64]
    pair_units: NDArray[np.int64] = field(repr=False)
    legs: NDArray[np.int16] = field(repr=False)

    @property
    def value_units(self) -> int:
        """Riders carried in a night, in 1 / `UNITS_PER_TRIP` trips."""
        return int(self.carried_units.sum())

    @property
    def most_load_share(self) -> float:
        """Riders on the fullest segment of any hour over what its buses carry, 0 to 1."""
        if not self.load_units.size:
            return 0.0
        return float((self.load_units.max(axis=(0, 2, 3)) / self.capacity_units).max())

    def pair_wait_s(self) -> NDArray[np.int64]:
        """Return the waits of each pair's journey in seconds, that for a second bus included; 0 without a journey, shape (D,)."""
        waits_s = np.append(expected_wait_s(self.headways_s), 0)
        both_s: NDArray[np.int64] = waits_s[self.legs[:, 0]] + waits_s[self.legs[:, 3]]
        return both_s

    def wait_s(self, share: float | None = None) -> float | None:
        """
        Mean wait of those carried, or a percentile of it.

        Parameters
        ----------
        share
            Share of riders who wait no longer, 0 to 1; None for the mean.

        Returns
        -------
        float or None
            Seconds; None if nobody is carried.
        """
        total = int(self.pair_units.sum())
        if not total:
            return None
        waits_s = self.pair_wait_s()
        if share is None:
            return float((waits_s * self.pair_units).sum() / total)
        order = np.argsort(waits_s, kind="stable")
        return float(waits_s[order][np.searchsorted(self.pair_units[order].cumsum(), share * total)])


@dataclass(frozen=True, eq=False)
class CarriedModel:
    """
    A problem with the trips of each hour and the people who take a journey: counts what a plan carries.

    Attributes
    ----------
    problem
        Network, demand and rule.
    service
        How buses run and who rides.

    Raises
    ------
    UsageError
        If the problem holds no trips by hour, or its links take different times by hour.
    """

    problem: Problem
    service: RideService

    def __post_init__(self) -> None:
        """Refuse a problem without trips by hour, and one whose rides differ from hour to hour."""
        if self.problem.network.hours:
            msg = "trips carried are counted with one time for each link, and this network has link times by hour; leave one of them out"
            raise UsageError(msg, setting="objective", value="carried")
        if self.problem.hour_quanta is None:
            msg = "the objective carried needs trips by hour; build the problem with by_hour"
            raise UsageError(msg, setting="objective", value="carried")

    @cached_property
    def costs(self) -> RideCosts:
        """What journeys cost in generalised seconds."""
        choice, hours = self.service.choice, self._hour_quanta.sum(axis=1)
        shed_s = np.rint(choice.walk_weight * walk_s(self.problem.network.shed_walk_m)).astype(np.float32)
        share = hours / max(1, hours.sum())
        transfer_s = float(round(60 * choice.transfer_min))
        return RideCosts(read_only(shed_s), transfer_s, read_only(choice.steps()), read_only(share), self.problem.rule.max_transfers)

    @cached_property
    def _hour_quanta(self) -> NDArray[np.int64]:
        """Trips of the model by hour and pair, in the order of `Problem.trips`."""
        quanta = self.problem.hour_quanta
        scale = self.service.choice.scale_trips
        hours = np.zeros((1, 0), np.int64) if quanta is None else quanta.astype(np.int64)
        return hours if scale == 1 else np.rint(hours * scale).astype(np.int64)

    @cached_property
    def rows(self) -> TripRows:
        """Trips by the hex where they begin, hour by hour."""
        origin, destination, _ = self.problem.trips
        order = np.lexsort((destination, origin))
        begin, end = origin[order], destination[order]
        indptr = np.searchsorted(begin, np.arange(self.problem.n_rows + 1))
        hours = np.ascontiguousarray(self._hour_quanta[:, order].astype(np.int32))
        return TripRows(indptr.astype(np.int64), end, hours, self._alternative_s(begin, end))

    @cached_property
    def pairs(self) -> PairRows:
        """Trips by hex, each pair in the rows of both its hexes, as the search takes them."""
        rows, origin, destination = self.problem.demand_rows, *self.problem.trips[:2]
        row = np.repeat(np.arange(self.problem.n_rows, dtype=np.int32), np.diff(rows.indptr))
        n, n_ways = np.int64(max(1, self.problem.n_rows)), rows.trip_quanta.shape[0]
        trips = self._hour_quanta.sum(axis=0)
        key = row * n + rows.partner
        quanta = np.zeros(rows.trip_quanta.shape, np.int64)
        np.add.at(quanta[0], np.searchsorted(key, origin * n + destination), trips)
        np.add.at(quanta[n_ways - 1], np.searchsorted(key, destination * n + origin), trips)
        ways = (self._alternative_s(row, rows.partner), self._alternative_s(rows.partner, row))[:n_ways]
        return PairRows(rows.indptr, rows.partner, quanta.astype(np.int32), np.stack(ways))

    @property
    def total_units(self) -> int:
        """All trips of the model, those out of reach included, in 1 / `UNITS_PER_TRIP`; >= 1."""
        return max(1, round(self.problem.total_trips_quanta * self.service.choice.scale_trips) * ACCEPTED)

    def _alternative_s(self, origin: NDArray[np.int32], destination: NDArray[np.int32]) -> NDArray[np.int32]:
        """Generalised seconds of the other way home; `NOBODY_RIDES_S` between hexes within the walk of one stop, or without a way."""
        stop = self.problem.network.hex_stop[self.problem.hexes]
        drive_s = self.problem.network.drive_s[stop[origin], stop[destination]]
        rides = (drive_s > 0) & (drive_s < UNREACHABLE) & ~self._are_within_one_walk(origin, destination)
        return np.where(rides, self.service.choice.alternative_s(np.where(rides, drive_s, 0)), NOBODY_RIDES_S).astype(np.int32)

    def _are_within_one_walk(self, origin: NDArray[np.int32], destination: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether some stop is within the walk of both hexes of each pair: people walk then."""
        graph, n = self.problem.graph, np.int64(self.problem.n_rows)
        sizes = np.diff(graph.shed_indptr)
        first = np.repeat(np.arange(graph.shed_hex.size), np.repeat(sizes, sizes))
        offset = np.arange(first.size) - np.repeat(np.cumsum(sizes**2) - sizes**2, sizes**2)
        second = np.repeat(graph.shed_indptr[:-1], sizes**2) + offset % np.repeat(np.maximum(sizes, 1), sizes**2)
        near = graph.shed_hex[first] * n + graph.shed_hex[second]
        return np.isin(origin * n + destination, near)

    def cycles_s(self, routes: Routes) -> NDArray[np.int64]:
        """Seconds of a round trip of each route, shape (K,); 0 of an empty one."""
        last = np.maximum(routes.n_stops - 1, 0)
        row = np.arange(last.size)
        return (routes.ahead_s[row, last].astype(np.int64) + routes.back_s[row, last].astype(np.int64)) * (routes.n_stops > 0)

    def flows(self, routes: Routes, cycles_s: NDArray[np.int64], buses: NDArray[np.int64]) -> CarriedFlows:
        """
        Riders of a plan with given buses on each route.

        Parameters
        ----------
        routes
            The plan, from `Problem.pad`.
        cycles_s
            Seconds of a round trip of each route, shape (K,).
        buses
            Buses on each route, >= 1, shape (K,).

        Returns
        -------
        CarriedFlows
            Exact, in 1 / `UNITS_PER_TRIP` trips.
        """
        pairs = zip(cycles_s.tolist(), buses.tolist(), strict=True)
        headways_s = np.array([self.service.headway_s(cycle_s, n) for cycle_s, n in pairs], np.int64)
        journey_s, legs = best_journeys(self.problem.graph, self.costs, self.rows, routes, self.service.board_s(headways_s))
        people, carried = np.zeros((2, len(legs)), np.int64)
        people_of_journeys(self.costs, self.rows, journey_s, people)
        capacity = self.service.capacity_units(headways_s)
        n_hours, width = len(self.rows.hour_quanta), routes.stops.shape[1]
        all_wanted, wanted, load = np.zeros((3, len(headways_s), 2, width), np.int64)
        loads, by_hour = np.zeros((n_hours, *load.shape), np.int64), np.zeros(n_hours, np.int64)
        for hour in range(n_hours):
            by_hour[hour] = carry_riders(self.rows, hour, people, legs, capacity, wanted, load, carried)
            loads[hour] = load
            all_wanted += wanted
        wanted_units = self.rows.hour_quanta.astype(np.int64) @ people
        return CarriedFlows(headways_s, buses.copy(), by_hour, wanted_units, loads, all_wanted, capacity, carried, legs)
