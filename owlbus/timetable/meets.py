"""Timed meets: departures of each route moved by a few minutes so that riders who change wait least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.timetable.flows import _at
from owlbus.timetable.journeys import Departures, follow
from owlbus.units import HOUR_S, TRIP_UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.timetable.flows import Riders
    from owlbus.timetable.settings import Operation
    from owlbus.timetable.table import Direction

MISSED_S = 2 * HOUR_S
"""Seconds that a change counts as for which no bus comes any more."""

_TIME_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Meets:
    """
    Offsets of routes and what they do for riders who change.

    Attributes
    ----------
    offset_s
        Seconds that all departures of each route move by, K of them.
    before_s, after_s
        Mean wait at a change, seconds, without offsets and with them; a missed last bus counts as `MISSED_S`.
    transfers_trips
        Riders a night who change.
    is_optimal
        Whether the offsets are proven best among those allowed.
    """

    offset_s: tuple[int, ...]
    before_s: float
    after_s: float
    transfers_trips: float
    is_optimal: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """Waiting at changes by pair of routes and pair of offsets, 1/1024 rider-seconds: shape (K, K, n, n), and riders who change."""

    table: NDArray[np.int64]
    units: int


def time_meets(
    riders: Riders, directions: Sequence[Direction], run_direction: ArrayLike, run_start_s: ArrayLike, operation: Operation
) -> Meets:
    """
    Offsets that minimise the waiting of riders who change, proven where the solver ends in time.

    All departures of a route move together, so its headways and buses stay as they are. With x[k, o] = 1 if route k takes offset
    o, and y[k, l, o, p] for both choices of a pair, minimise sum of cost[k, l, o, p] y[k, l, o, p] subject to sum over o of x[k, o] = 1,
    sum over p of y[k, l, o, p] = x[k, o] and sum over o of y[k, l, o, p] = x[l, p]: a quadratic semi-assignment, linearised and
    solved by HiGHS. Ties go to no offsets.

    Parameters
    ----------
    riders
        Rides by pair and hour.
    directions
        Two per route.
    run_direction, run_start_s
        Runs without offsets: direction, and start in seconds.
    operation
        Offsets allowed and the walk between buses, in seconds.

    Returns
    -------
    Meets
        Offsets, and the mean wait before and after.
    """
    n_routes = len(directions) // 2
    offsets = np.array(operation.offsets_s, np.int64)
    costs = _costs(riders, directions, np.asarray(run_direction, np.int64), np.asarray(run_start_s, np.int64), offsets, operation.change_s)
    still = np.zeros(n_routes, np.int64)
    chosen, is_optimal = (still, True) if not costs.units else _choose(costs.table)
    if _total(costs.table, chosen) >= _total(costs.table, still):
        chosen = still
    mean = [_total(costs.table, choice) / max(1, costs.units) for choice in (still, chosen)]
    moved = offsets[chosen] - offsets[chosen].min(initial=operation.max_offset_s + 1)
    if _total(costs.table, np.searchsorted(offsets, moved)) > _total(costs.table, chosen):
        moved = offsets[chosen]
    return Meets(tuple(moved.tolist()), mean[0], mean[1], costs.units / TRIP_UNITS, is_optimal)


def _costs(
    riders: Riders,
    directions: Sequence[Direction],
    run_direction: NDArray[np.int64],
    run_start_s: NDArray[np.int64],
    offsets: NDArray[np.int64],
    change_s: int,
) -> _Costs:
    """Follow riders to their change under each offset of their first route, then on under each of their second."""
    n_routes, n = len(directions) // 2, len(offsets)
    table = np.zeros((n_routes, n_routes, n, n), np.int64)
    if not riders.trips_units[:, riders.transfers].any():
        return _Costs(table, 0)
    changing = _only(riders, riders.transfers)
    total = 0
    for o, first in enumerate(offsets.tolist()):
        events = _events(changing, directions, Departures.of(run_direction, run_start_s + first), change_s)
        total = max(total, int(events[4].sum()))
        for p, second in enumerate(offsets.tolist()):
            departures = Departures.of(run_direction, run_start_s + second)
            came, way, leaves, route, units = events
            begins = departures.next_start(way, came + change_s - leaves)
            wait = np.where(begins < 0, MISSED_S, begins + leaves - came)
            np.add.at(table[:, :, o, p], (route, way // 2), units * wait)
    return _Costs(table, total)


def _events(riders: Riders, directions: Sequence[Direction], departures: Departures, change_s: int) -> tuple[NDArray[np.int64], ...]:
    """Arrivals at changes: seconds, second direction, seconds of its stop along it, first route, and riders; equal ones joined."""
    rows = []
    for row in range(len(riders.hours)):
        trip = follow(riders, directions, departures, row, change_s)
        first = trip.start_s[0] >= 0
        pair = trip.pair[first]
        came = (trip.ready_s + trip.wait_s[0] + trip.ride_s[0])[first]
        leaves = _at(directions, riders.direction[1, pair], riders.board[1, pair], "depart_s")
        rows.append(np.stack([came, riders.direction[1, pair], leaves, riders.direction[0, pair] // 2, trip.units[first]]))
    every = np.concatenate(rows, axis=1)
    keys, inverse = np.unique(every[:4], axis=1, return_inverse=True)
    units = np.zeros(keys.shape[1], np.int64)
    np.add.at(units, inverse.ravel(), every[4])
    return keys[0], keys[1], keys[2], keys[3], units


def _only(riders: Riders, mask: NDArray[np.bool_]) -> Riders:
    """Riders of some pairs."""
    return replace(
        riders,
        origin=riders.origin[mask],
        destination=riders.destination[mask],
        trips_units=riders.trips_units[:, mask],
        direction=riders.direction[:, mask],
        board=riders.board[:, mask],
        alight=riders.alight[:, mask],
        walk_m=riders.walk_m[mask],
    )


def _total(table: NDArray[np.int64], choice: NDArray[np.int64]) -> int:
    """Waiting of all riders who change, 1/1024 rider-seconds, under one offset a route."""
    k = np.arange(len(choice))
    return int(table[k[:, None], k[None, :], choice[:, None], choice[None, :]].sum())


def _choose(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], bool]:
    """Offset of each route of least total waiting, and whether that is proven."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n_routes, _, n, _ = table.shape
    both = table + table.transpose(1, 0, 3, 2)
    pairs = [(k, other) for k in range(n_routes) for other in range(k + 1, n_routes) if both[k, other].any()]
    alone = table[np.arange(n_routes), np.arange(n_routes)][:, np.arange(n), np.arange(n)]
    cost = np.concatenate([alone.ravel(), *(both[pair].ravel() for pair in pairs)])
    matrix, right = _choices(n_routes, n, pairs)
    solved = milp(
        cost / max(1.0, float(cost.max())),
        constraints=LinearConstraint(matrix, right, right),
        integrality=(np.arange(len(cost)) < n_routes * n).astype(int),
        bounds=Bounds(0, 1),
        options={"time_limit": _TIME_LIMIT_S, "mip_rel_gap": 0.0},
    )
    if solved.x is None:
        return np.zeros(n_routes, np.int64), False
    return solved.x[: n_routes * n].reshape(n_routes, n).argmax(axis=1).astype(np.int64), solved.status == 0


def _choices(n_routes: int, n: int, pairs: Sequence[tuple[int, int]]) -> tuple[Any, NDArray[np.float64]]:
    """Sparse rows over x and y, and their right-hand sides: one offset a route, and y in line with both choices of a pair."""
    from scipy.sparse import coo_array

    x = np.arange(n_routes * n).reshape(n_routes, n)
    rows = [np.repeat(np.arange(n_routes), n)]
    columns, values = [x.ravel()], [np.ones(x.size)]
    at = n_routes
    for nth, (k, other) in enumerate(pairs):
        y = x.size + nth * n * n + np.arange(n * n).reshape(n, n)
        for route, lines in ((k, y), (other, y.T)):
            rows.append(np.repeat(at + np.arange(n), n + 1))
            columns.append(np.column_stack([lines, x[route]]).ravel())
            values.append(np.tile([*np.ones(n), -1.0], n))
            at += n
    right = (np.arange(at) < n_routes).astype(np.float64)
    size = (at, x.size + len(pairs) * n * n)
    return coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=size).tocsr(), right
