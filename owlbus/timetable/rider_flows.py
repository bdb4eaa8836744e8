"""Who rides where and when: the legs of every served trip, and what they put on each direction in each hour."""

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
    Served trips with the rides they take, one row per pair of hexes; both rides of a row are places on a direction.

    Attributes
    ----------
    hours
        Service hours, ascending.
    origin, destination
        Hexes of each pair, shape (P,), int64.
    trips_units
        Trips that could ride, by hour, in 1/1024 a night, shape (n_hours, P), int64.
    direction, board, alight
        Direction and places along it of the first and the second ride, shape (2, P), int64; direction -1 where there is no
        second ride.
    walk_m
        Metres on foot at both ends together, shape (P,), int64.
    lost_units
        Trips by hour that no ride of the plan serves, in 1/1024 a night, shape (n_hours,), int64.
    """

    hours: tuple[int, ...]
    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    trips_units: NDArray[np.int64]
    direction: NDArray[np.int64]
    board: NDArray[np.int64]
    alight: NDArray[np.int64]
    walk_m: NDArray[np.int64]
    lost_units: NDArray[np.int64]

    @property
    def transfers(self) -> NDArray[np.bool_]:
        """Whether each pair changes buses, shape (P,)."""
        changes: NDArray[np.bool_] = self.direction[1] >= 0
        return changes


def find_riders(network: Network, demand: Demand, plan: Plan, rule: ServiceRule | None = None, uptake_share: float = 1.0) -> Riders:
    """
    Rides of all served trips, hour by hour.

    Every trip goes by its fastest ride as the scorecard counts it; one whose ends lie in the walk shed of one and the same stop
    walks, and boards nothing.

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
        Riders of the trips that could ride, 0 to 1.

    Returns
    -------
    Riders
        Trips a night.

    Raises
    ------
    DataError
        If demand, plan and network do not belong together.
    """
    from owlbus.kernels.assignment import fastest_legs

    problem = Problem.build(network, demand, rule)
    hourly = [demand.od(hours=[hour]) for hour in demand.hours]
    keys = [pairs.origin.astype(np.int64) * demand.n_hexes + pairs.destination for pairs in hourly]
    every = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    trips = np.zeros((len(hourly), len(every)), np.int64)
    for row, (pairs, key) in enumerate(zip(hourly, keys, strict=True)):
        trips[row, np.searchsorted(every, key)] = np.rint(pairs.trips * QUANTA_PER_TRIP * uptake_share).astype(np.int64)
    origin, destination = np.divmod(every, demand.n_hexes)
    rows = np.stack([problem.row_of[origin], problem.row_of[destination]])
    within = np.flatnonzero((rows >= 0).all(axis=0))
    legs = np.full((len(every), 7), -1, np.int64)
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
    direction, board, alight = _on_directions(plan, legs[served])
    return Riders(
        demand.hours,
        origin[served],
        destination[served],
        np.ascontiguousarray(trips[:, served]),
        direction,
        board,
        alight,
        legs[served, 6],
        trips[:, ~served].sum(axis=1),
    )


def _on_directions(plan: Plan, legs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Direction and places along it of both rides; rides of no length go, and a second one moves up."""
    last = np.array([route.n_stops - 1 for route in plan.routes] or [0], np.int64)
    direction, board, alight = (np.full((2, len(legs)), -1, np.int64) for _ in range(3))
    for ride in (0, 1):
        route, on, off = legs[:, 3 * ride : 3 * ride + 3].T
        rides = (route >= 0) & (on != off)
        back = off < on
        direction[ride] = np.where(rides, 2 * route + back, -1)
        board[ride] = np.where(rides, np.where(back, last[route] - on, on), -1)
        alight[ride] = np.where(rides, np.where(back, last[route] - off, off), -1)
    moves = (direction[0] < 0) & (direction[1] >= 0)
    for column in (direction, board, alight):
        column[0, moves] = column[1, moves]
        column[1, moves] = -1
    return direction, board, alight


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """
    Riders by the hour in which their bus starts, 1/1024 a night.

    Attributes
    ----------
    boardings_units
        Riders who board each direction, shape (2 K, n_hours), int64.
    load_units
        Riders on board on the heaviest segment of each direction, shape (2 K, n_hours), int64.
    """

    boardings_units: NDArray[np.int64]
    load_units: NDArray[np.int64]


def flows_of(riders: Riders, directions: Sequence[Direction], transfer_s: int) -> Flows:
    """
    Boardings and loads by direction and by the hour in which the bus starts.

    Riders come evenly through their hour; who boards a bus an hour after its start counts in the hour before. What falls
    before the first hour or after the last counts in these.

    Parameters
    ----------
    riders
        Rides by pair and hour.
    directions
        Two per route.
    transfer_s
        Seconds between rides that a transfer is taken to cost.

    Returns
    -------
    Flows
        Riders a night.
    """
    n_hours, longest = len(riders.hours), max((len(way.stops) for way in directions), default=1)
    steps = np.zeros((len(directions), n_hours, longest + 1), np.int64)
    boardings = np.zeros((len(directions), n_hours), np.int64)
    delay_s = np.zeros(len(riders.origin), np.int64)
    for ride in (0, 1):
        rows = np.flatnonzero(riders.direction[ride] >= 0)
        way, on, off = riders.direction[ride, rows], riders.board[ride, rows], riders.alight[ride, rows]
        early_s = delay_s[rows] - _at(directions, way, on, "depart_s")
        for row, hour in enumerate(riders.hours):
            start = (hour * HOUR_S + early_s) - riders.hours[0] * HOUR_S
            whole, rest_s = np.divmod(start, HOUR_S)
            later = riders.trips_units[row, rows] * rest_s // HOUR_S
            for units, at in ((riders.trips_units[row, rows] - later, whole), (later, whole + 1)):
                column = np.clip(at, 0, n_hours - 1)
                np.add.at(boardings, (way, column), units)
                np.add.at(steps, (way, column, on), units)
                np.add.at(steps, (way, column, off), -units)
        delay_s[rows] += _at(directions, way, off, "arrive_s") - _at(directions, way, on, "depart_s") + transfer_s
    return Flows(boardings, steps.cumsum(axis=2).max(axis=2))


def _at(directions: Sequence[Direction], way: NDArray[np.int64], place: NDArray[np.int64], column: str) -> NDArray[np.int64]:
    """Value of a column of each direction at a place along it."""
    indptr = np.cumsum([0, *(len(one.stops) for one in directions)])
    joined = np.concatenate([getattr(one, column) for one in directions] or [np.zeros(1, np.int32)]).astype(np.int64)
    values: NDArray[np.int64] = joined[indptr[way] + place]
    return values
