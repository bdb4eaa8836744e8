"""Rides of every served trip, and the boardings and loads of each direction by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.search.point_counts import PointCounter
from owlbus.search.problem import Problem
from owlbus.timetable.schedule import hour_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.common.disclosure import Publisher
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.schedule import Direction


@dataclass(frozen=True, slots=True, eq=False)
class Riders:
    """
    Served trips with the rides they take, one row per pair of stops.

    Attributes
    ----------
    hours
        Service hours, ascending.
    first_stop, last_stop
        Stops where the rides of each pair begin and end, shape (P,), int32.
    trip_quanta
        Riders by hour, in 1/1024 a night, shape (n_hours, P), int64.
    direction, board, alight
        Direction of the first and the second ride, and the positions along it where riders board and alight, shape (2, P), int64;
        -1 if there is no such ride.
    walk_m
        Mean walk at both ends together, metres, shape (P,), int64.
    lost_quanta
        Riders by hour whom no ride of the plan serves, in 1/1024 a night, shape (n_hours,), int64.
    """

    hours: tuple[int, ...]
    first_stop: NDArray[np.int32]
    last_stop: NDArray[np.int32]
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

    Every trip takes its fastest ride, as in the scorecard, from any point of its hexes. A trip whose ends lie within the walk of the same
    stop walks and boards no bus.

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
    problem = Problem.build(network, demand, rule)
    counter = PointCounter.build(problem, demand)
    found, lost_quanta = counter.riders(plan, _hourly_quanta(counter, demand, uptake_share))
    return Riders(
        demand.hours, found.first_stop, found.last_stop, found.quanta, *_on_directions(plan, found.legs), found.walk_m, lost_quanta
    )


def _hourly_quanta(counter: PointCounter, demand: Demand, uptake_share: float) -> NDArray[np.int64]:
    """Riders by hour and pair of hexes in 1/1024."""
    quanta = np.zeros((len(demand.hours), counter.n_pairs), np.int64)
    for row, hour in zip(quanta, demand.hours if demand.counts_trips else (), strict=False):
        pairs = demand.od(hours=[hour])
        row[counter.pair_of(pairs.origin, pairs.destination, hour)] = np.rint(pairs.trips * QUANTA_PER_TRIP * uptake_share).astype(np.int64)
    return quanta


def _on_directions(plan: Plan, legs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Direction, boarding and alighting position of both rides. Rides of no length are dropped, and the second becomes the first."""
    last = np.array([len(route.positions) - 1 for route in plan.routes] or [0], np.int64)
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

    def printed(self, publisher: Publisher, has_runs: NDArray[np.bool_]) -> Flows:
        """
        Return the middles of the printed counts, from which headways are chosen: a timetable is published and tells no more than they do.

        Parameters
        ----------
        publisher
            The publishing rule of riders a night.
        has_runs
            Whether each direction is run, shape (2 K,); nobody rides the others.

        Returns
        -------
        Flows
            Riders in 1/1024 a night; open data as they are.
        """
        if publisher.is_exact:
            return self
        boardings, loads = (
            np.rint((publisher.counts(quanta / QUANTA_PER_TRIP) + publisher.base / 2) * has_runs[:, None] * QUANTA_PER_TRIP).astype(
                np.int64
            )
            for quanta in (self.boardings_quanta, self.load_quanta)
        )
        return Flows(boardings, loads)


def printed_riders(riders: Riders, directions: Sequence[Direction], publisher: Publisher) -> Riders:
    """
    Riders by hour and by what decides where they change, from printed counts: offsets of routes are chosen from these and published.

    Parameters
    ----------
    riders
        Rides by pair and hour.
    directions
        Two per route.
    publisher
        The publishing rule of riders a night.

    Returns
    -------
    Riders
        One row for each first ride without a change, and for each pair of rides and place of the change, of which riders are printed in any
        hour. Riders board halfway to where they change, or at the first stop. Open data as they are.
    """
    if publisher.is_exact:
        return riders
    rides = np.flatnonzero(riders.direction[0] >= 0)
    if not rides.size:
        return riders
    (first, alight, second, board), quanta = _by_change(riders, rides, publisher)
    is_change = second >= 0
    last = np.array([len(direction.stops) - 1 for direction in directions], np.int64)
    stops = [np.asarray(direction.stops) for direction in directions]
    off = np.where(is_change, alight, last[first])
    ends = zip(first.tolist(), off.tolist(), strict=True)
    return Riders(
        riders.hours,
        np.array([stops[row][0] for row in first.tolist()], np.int32),
        np.array([stops[row][position] for row, position in ends], np.int32),
        quanta,
        np.stack([first, second]),
        np.stack([np.where(is_change, off // 2, 0), np.where(is_change, board, -1)]),
        np.stack([off, np.where(is_change, board + 1, -1)]),
        np.zeros(first.size, np.int64),
        np.zeros(len(riders.hours), np.int64),
    )


def _by_change(riders: Riders, rides: NDArray[np.int64], publisher: Publisher) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    First direction, alighting, second direction and boarding of all changes, of which riders are printed; and middles of their counts.

    Shapes (4, n) and (n_hours, n); the second direction is -1 for rides without a change.
    """
    changes = riders.transfers[rides]
    places = np.where(changes, riders.alight[0, rides], 0), np.where(changes, riders.board[1, rides], 0)
    key = np.stack([riders.direction[0, rides], places[0], riders.direction[1, rides], places[1]])
    rows, row_of = np.unique(key, axis=1, return_inverse=True)
    quanta = np.zeros((len(riders.hours), rows.shape[1]), np.int64)
    np.add.at(quanta.T, row_of.reshape(-1), riders.trip_quanta[:, rides].T)
    printed = np.rint(publisher.nights(quanta / QUANTA_PER_TRIP) * QUANTA_PER_TRIP).astype(np.int64)
    kept = printed.any(axis=0)
    return rows[:, kept], printed[:, kept]


def flows_of(riders: Riders, directions: Sequence[Direction], transfer_s: int) -> Flows:
    """
    Boardings and loads in 1/1024 riders, by direction and by the hour in which the bus starts.

    Riders come evenly through their hour. A rider who boards an hour after the bus's start counts in the hour of that start. Starts
    before the first hour count in the first, and starts after the last hour in the last. Buses take the times of the riders' hour.

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
    for row, hour in enumerate(riders.hours):
        delay_s = np.zeros(len(riders.first_stop), np.int64)
        for ride in (0, 1):
            rows = np.flatnonzero(riders.direction[ride] >= 0)
            direction, on, off = riders.direction[ride, rows], riders.board[ride, rows], riders.alight[ride, rows]
            depart_s = stop_values(directions, direction, on, "depart_s", hour * HOUR_S)
            start_hour, into_hour_s = np.divmod((hour - riders.hours[0]) * HOUR_S + delay_s[rows] - depart_s, HOUR_S)
            later = riders.trip_quanta[row, rows] * into_hour_s // HOUR_S
            for quanta, nth_hour in ((riders.trip_quanta[row, rows] - later, start_hour), (later, start_hour + 1)):
                column = np.clip(nth_hour, 0, n_hours - 1)
                np.add.at(boardings, (direction, column), quanta)
                np.add.at(load_changes, (direction, column, on), quanta)
                np.add.at(load_changes, (direction, column, off), -quanta)
            delay_s[rows] += stop_values(directions, direction, off, "arrive_s", hour * HOUR_S) - depart_s + transfer_s
    return Flows(boardings, load_changes.cumsum(axis=2).max(axis=2))


def stop_values(
    directions: Sequence[Direction], direction: NDArray[np.int64], position: NDArray[np.int64], column: str, start_s: ArrayLike = 0
) -> NDArray[np.int64]:
    """
    Seconds since the start of a run at given positions along given directions.

    Parameters
    ----------
    directions
        Two per route.
    direction, position
        Index of a direction and position of a stop along it, shape (n,).
    column
        ``arrive_s`` or ``depart_s``.
    start_s
        Start of each run in seconds, shape (n,), or one for all; of no weight where all runs take as long.

    Returns
    -------
    ndarray of int64
        Seconds, shape (n,).
    """
    indptr = np.cumsum([0, *(len(each.stops) for each in directions)])
    hours = hours_of(directions)
    tables = [getattr(each, f"hour_{column}") if each.hours else getattr(each, column)[None] for each in directions]
    shown = [np.broadcast_to(table, (max(1, len(hours)), table.shape[1])) for table in tables]
    joined = np.concatenate(shown or [np.zeros((1, 1), np.int32)], axis=1).astype(np.int64)
    values: NDArray[np.int64] = joined[hour_rows(hours, start_s), indptr[direction] + position]
    return values


def hours_of(directions: Sequence[Direction]) -> tuple[int, ...]:
    """
    Hours in which runs have stop times of their own.

    Parameters
    ----------
    directions
        Two per route.

    Returns
    -------
    tuple of int
        Service hours, ascending; empty where all runs of each direction take as long.
    """
    return next((each.hours for each in directions if each.hours), ())
