"""Rides of every served trip, and the boardings and loads of each direction by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.search.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.schedule import Direction


@dataclass(frozen=True, slots=True, eq=False)
class Riders:
    """
    Served trips with the rides they take, one row per pair of hexes.

    Attributes
    ----------
    hours
        Service hours, ascending.
    origin, destination
        Hexes of each pair, shape (P,), int64.
    trip_quanta
        Riders by hour, in 1/1024 a night, shape (n_hours, P), int64.
    direction, board, alight
        Direction of the first and the second ride, and the positions along it where riders board and alight, shape (2, P), int64;
        -1 if there is no such ride.
    walk_m
        Walk at both ends together, metres, shape (P,), int64.
    lost_quanta
        Riders by hour whom no ride of the plan serves, in 1/1024 a night, shape (n_hours,), int64.
    """

    hours: tuple[int, ...]
    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    trip_quanta: NDArray[np.int64]
    direction: NDArray[np.int64]
    board: NDArray[np.int64]
    alight: NDArray[np.int64]
    walk_m: NDArray[np.int64]
    lost_quanta: NDArray[np.int64]

    @property
    def transfers(self) -> NDArray[np.bool_]:
        """Whether the riders of each pair transfer, shape (P,)."""
        changes: NDArray[np.bool_] = self.direction[1] >= 0
        return changes


def find_riders(network: Network, demand: Demand, plan: Plan, rule: ServiceRule | None = None, uptake_share: float = 1.0) -> Riders:
    """
    Rides of all served trips, with riders by hour.

    Every trip takes its fastest ride, as in the scorecard. A trip whose ends lie in the walk shed of the same stop walks and boards
    no bus.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips by hour on the network's grid.
    plan
        The routes.
    rule
        When a trip counts as served; the defaults if None.
    uptake_share
        Share of the trips that ride, 0 to 1.

    Returns
    -------
    Riders
        Riders in 1/1024 a night.

    Raises
    ------
    DataError
        If demand, plan and network do not belong together.
    """
    from owlbus.kernels.assignment import fastest_legs

    problem = Problem.build(network, demand, rule)
    origin, destination, trip_quanta = _hourly_trips(demand, uptake_share)
    rows = np.stack([problem.row_of[origin], problem.row_of[destination]])
    within = np.flatnonzero((rows >= 0).all(axis=0))
    legs = np.full((len(origin), 7), -1, np.int64)
    legs[within] = fastest_legs(
        problem.graph,
        problem.pad(plan),
        network.shed_walk_m,
        problem.limit_s,
        rows[0, within],
        rows[1, within],
        float(problem.rule.transfer_s),
        problem.rule.max_transfers,
    )
    served = legs[:, 0] >= 0
    return Riders(
        demand.hours,
        origin[served],
        destination[served],
        np.ascontiguousarray(trip_quanta[:, served]),
        *_on_directions(plan, legs[served]),
        legs[served, 6],
        trip_quanta[:, ~served].sum(axis=1),
    )


def _hourly_trips(demand: Demand, uptake_share: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Origin and destination of every pair with trips, and riders by hour and pair in 1/1024."""
    if not demand.counts_trips:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.zeros((len(demand.hours), 0), np.int64)
    hourly = [demand.od(hours=[hour]) for hour in demand.hours]
    keys = [pairs.origin.astype(np.int64) * demand.n_hexes + pairs.destination for pairs in hourly]
    all_keys = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    quanta = np.zeros((len(hourly), len(all_keys)), np.int64)
    for row, (pairs, key) in enumerate(zip(hourly, keys, strict=True)):
        quanta[row, np.searchsorted(all_keys, key)] = np.rint(pairs.trips * QUANTA_PER_TRIP * uptake_share).astype(np.int64)
    origin, destination = np.divmod(all_keys, demand.n_hexes)
    return origin, destination, quanta


def _on_directions(plan: Plan, legs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Direction, boarding and alighting position of both rides. Rides of no length are dropped, and the second becomes the first."""
    last = np.array([route.n_stops - 1 for route in plan.routes] or [0], np.int64)
    direction, board, alight = (np.full((2, len(legs)), -1, np.int64) for _ in range(3))
    for ride in (0, 1):
        route, on, off = legs[:, 3 * ride : 3 * ride + 3].T
        rides = (route >= 0) & (on != off)
        back = off < on
        direction[ride] = np.where(rides, 2 * route + back, -1)
        board[ride] = np.where(rides, np.where(back, last[route] - on, on), -1)
        alight[ride] = np.where(rides, np.where(back, last[route] - off, off), -1)
    second_only = (direction[0] < 0) & (direction[1] >= 0)
    for column in (direction, board, alight):
        column[0, second_only] = column[1, second_only]
        column[1, second_only] = -1
    return direction, board, alight


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """
    Riders of each direction by the hour in which their bus starts, in 1/1024 a night.

    Attributes
    ----------
    boardings_quanta
        Boardings, shape (2 K, n_hours), int64.
    load_quanta
        Riders on the heaviest segment, shape (2 K, n_hours), int64.
    """

    boardings_quanta: NDArray[np.int64]
    load_quanta: NDArray[np.int64]


def flows_of(riders: Riders, directions: Sequence[Direction], transfer_s: int) -> Flows:
    """
    Boardings and loads in 1/1024 riders, by direction and by the hour in which the bus starts.

    Riders come evenly through their hour. A rider who boards an hour after the bus's start counts in the hour of that start. Starts
    before the first hour count in the first, and starts after the last hour in the last.

    Parameters
    ----------
    riders
        Rides by pair and hour.
    directions
        Two per route.
    transfer_s
        Transfer time in seconds.

    Returns
    -------
    Flows
        Riders in 1/1024 a night.
    """
    n_hours, max_stops = len(riders.hours), max((len(direction.stops) for direction in directions), default=1)
    load_changes = np.zeros((len(directions), n_hours, max_stops + 1), np.int64)
    boardings = np.zeros((len(directions), n_hours), np.int64)
    delay_s = np.zeros(len(riders.origin), np.int64)
    for ride in (0, 1):
        rows = np.flatnonzero(riders.direction[ride] >= 0)
        direction, on, off = riders.direction[ride, rows], riders.board[ride, rows], riders.alight[ride, rows]
        depart_s = stop_values(directions, direction, on, "depart_s")
        for row, hour in enumerate(riders.hours):
            start_hour, into_hour_s = np.divmod((hour - riders.hours[0]) * HOUR_S + delay_s[rows] - depart_s, HOUR_S)
            later = riders.trip_quanta[row, rows] * into_hour_s // HOUR_S
            for quanta, nth_hour in ((riders.trip_quanta[row, rows] - later, start_hour), (later, start_hour + 1)):
                column = np.clip(nth_hour, 0, n_hours - 1)
                np.add.at(boardings, (direction, column), quanta)
                np.add.at(load_changes, (direction, column, on), quanta)
                np.add.at(load_changes, (direction, column, off), -quanta)
        delay_s[rows] += stop_values(directions, direction, off, "arrive_s") - depart_s + transfer_s
    return Flows(boardings, load_changes.cumsum(axis=2).max(axis=2))


def stop_values(
    directions: Sequence[Direction], direction: NDArray[np.int64], position: NDArray[np.int64], column: str
) -> NDArray[np.int64]:
    """
    Value of a column of `Direction` at given positions along given directions.

    Parameters
    ----------
    directions
        Two per route.
    direction, position
        Index of a direction and position of a stop along it, shape (n,).
    column
        Name of the column, such as ``depart_s``.

    Returns
    -------
    ndarray of int64
        Values of shape (n,), in the unit of the column.
    """
    indptr = np.cumsum([0, *(len(each.stops) for each in directions)])
    joined = np.concatenate([getattr(each, column) for each in directions] or [np.zeros(1, np.int32)]).astype(np.int64)
    values: NDArray[np.int64] = joined[indptr[direction] + position]
    return values
