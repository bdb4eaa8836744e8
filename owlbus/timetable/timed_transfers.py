"""Timed meets: departures of each route moved by a few minutes so that riders wait least, above all those who change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.timetable.rider_flows import _at
from owlbus.timetable.rider_journeys import Departures, follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.timetable.operation import Operation
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction

MISSED_S = 2 * HOUR_S
"""Seconds that a change counts as for which no bus comes any more."""

_TIME_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class TimedTransfers:
    """
    Offsets of routes and what they do for riders; where no bus comes any more, a wait counts as `MISSED_S`.

    Attributes
    ----------
    offset_s
        Seconds that all departures of each route move by, K of them.
    before_s, after_s
        Mean wait at a change, seconds, without offsets and with them.
    first_before_s, first_after_s
        The same at the first stop, over all riders.
    transfers_trips
        Riders a night who change.
    is_optimal
        Whether the offsets are proven best among those allowed.
    """

    offset_s: tuple[int, ...]
    before_s: float
    after_s: float
    first_before_s: float
    first_after_s: float
    transfers_trips: float
    is_optimal: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """
    Waiting in 1/1024 rider-seconds under offsets, and riders.

    At changes by pair of routes and of offsets, shape (K, K, n, n); at first stops by route and offset, shape (K, n).
    """

    change: NDArray[np.int64]
    first: NDArray[np.int64]
    changing_units: int
    riding_units: int

    def waits(self, choice: NDArray[np.int64]) -> tuple[int, int]:
        """Waiting at changes and at first stops under one offset a route."""
        k = np.arange(len(choice))
        change = self.change[k[:, None], k[None, :], choice[:, None], choice[None, :]].sum()
        return int(change), int(self.first[k, choice].sum())


def time_transfers(
    riders: Riders, directions: Sequence[Direction], run_direction: ArrayLike, run_start_s: ArrayLike, operation: Operation
) -> TimedTransfers:
    """
    Offsets that minimise the waiting at changes and first stops together, proven where the solver ends in time.

    Waiting at changes alone would start every bus as late as it may. All departures of a route move together, so its headways
    and buses stay as they are. With x[k, o] = 1 if route k takes offset o, and y[k, l, o, p] for both choices of a pair,
    minimise sum of first[k, o] x[k, o] + sum of change[k, l, o, p] y[k, l, o, p] subject to sum over o of x[k, o] = 1, sum over p of
    y[k, l, o, p] = x[k, o] and sum over o of y[k, l, o, p] = x[l, p]: a quadratic semi-assignment, linearised and solved by HiGHS.
    Ties go to no offsets.

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
    TimedTransfers
        Offsets, and the mean waits before and after.
    """
    offsets = np.array(operation.offsets_s, np.int64)
    costs = _costs(riders, directions, np.asarray(run_direction, np.int64), np.asarray(run_start_s, np.int64), offsets, operation.change_s)
    still = np.zeros(len(directions) // 2, np.int64)
    chosen, is_optimal = (still, True) if not costs.changing_units else _choose(costs)
    if sum(costs.waits(chosen)) >= sum(costs.waits(still)):
        chosen = still
    (before, first_before), (after, first_after) = costs.waits(still), costs.waits(chosen)
    changing, riding = max(1, costs.changing_units), max(1, costs.riding_units)
    return TimedTransfers(
        tuple(offsets[chosen].tolist()),
        before / changing,
        after / changing,
        first_before / riding,
        first_after / riding,
        costs.changing_units / QUANTA_PER_TRIP,
        is_optimal,
    )


def _costs(
    riders: Riders,
    directions: Sequence[Direction],
    run_direction: NDArray[np.int64],
    run_start_s: NDArray[np.int64],
    offsets: NDArray[np.int64],
    change_s: int,
) -> _Costs:
    """Follow riders to their first bus and their change under each offset of their first route, then on under each of their second."""
    n_routes, n = len(directions) // 2, len(offsets)
    change, first = np.zeros((n_routes, n_routes, n, n), np.int64), np.zeros((n_routes, n), np.int64)
    if not riders.trips_units[:, riders.transfers].any():
        return _Costs(change, first, 0, 0)
    shifted = [Departures.of(run_direction, run_start_s + offset) for offset in offsets.tolist()]
    riding = _only(riders, riders.direction[0] >= 0)
    changing = 0
    for o in range(n):
        events = _events(riding, directions, shifted[o], change_s, first[:, o])
        came, way, leaves, route, units = events
        changing = max(changing, int(units.sum()))
        for p in range(n):
            begins = shifted[p].next_start(way, came + change_s - leaves)
            np.add.at(change[:, :, o, p], (route, way // 2), units * np.where(begins < 0, MISSED_S, begins + leaves - came))
    return _Costs(change, first, changing, int(riding.trips_units.sum()))


def _events(
    riders: Riders, directions: Sequence[Direction], departures: Departures, change_s: int, first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """
    Arrivals at changes: seconds, second direction, seconds of its stop along it, first route, and riders; equal ones joined.

    Waiting for the first bus is added to `first` by route.
    """
    rows = []
    for row in range(len(riders.hours)):
        trip = follow(riders, directions, departures, row, change_s)
        found = trip.start_s[0] >= 0
        np.add.at(first, riders.direction[0, trip.pair] // 2, trip.units * np.where(found, trip.wait_s[0], MISSED_S))
        moves = found & riders.transfers[trip.pair]
        pair = trip.pair[moves]
        came = (trip.ready_s + trip.wait_s[0] + trip.ride_s[0])[moves]
        leaves = _at(directions, riders.direction[1, pair], riders.board[1, pair], "depart_s")
        rows.append(np.stack([came, riders.direction[1, pair], leaves, riders.direction[0, pair] // 2, trip.units[moves]]))
    every = np.concatenate(rows, axis=1)
    sizes = tuple(every[:4].max(axis=1, initial=0) + 1)
    events, inverse = np.unique(np.ravel_multi_index(tuple(every[:4]), sizes), return_inverse=True)
    units = np.zeros(events.size, np.int64)
    np.add.at(units, inverse, every[4])
    return *np.unravel_index(events, sizes), units


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


def _choose(costs: _Costs) -> tuple[NDArray[np.int64], bool]:
    """Offset of each route of least total waiting, and whether that is proven."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n_routes, n = costs.first.shape
    table = costs.change
    both = table + table.transpose(1, 0, 3, 2)
    pairs = [(k, other) for k in range(n_routes) for other in range(k + 1, n_routes) if both[k, other].any()]
    cost = np.concatenate([costs.first.ravel(), *(both[pair].ravel() for pair in pairs)])
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
