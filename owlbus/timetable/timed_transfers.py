"""Timed transfers: offsets of each route's departures that minimise the waits of riders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.timetable.rider_journeys import MOMENTS, Departures, follow_from, moments_s, quanta_by_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.timetable.operation import Operation
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction

MISSED_S = 2 * HOUR_S
"""Wait in seconds that a missed transfer or first bus counts as."""

_TIME_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class TimedTransfers:
    """
    Offsets of routes, and mean waits without and with them; a missed bus counts as a wait of `MISSED_S`.

    Attributes
    ----------
    offset_s
        Offset of all departures of each route in seconds, K values.
    before_s, after_s
        Mean wait at a transfer, seconds, without offsets and with them.
    first_before_s, first_after_s
        The same at the first stop, over all riders.
    transfers_trips
        Riders a night who transfer.
    is_optimal
        Whether the offsets are proven optimal among those allowed.
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
    Waiting time in 1/1024 rider-seconds by offset, and riders in 1/1024.

    `transfer` is by pair of routes and of offsets, shape (K, K, n, n); `first` is at first stops by route and offset, shape (K, n).
    """

    transfer: NDArray[np.int64]
    first: NDArray[np.int64]
    transfer_quanta: int
    rider_quanta: int

    def waits(self, choice: NDArray[np.int64]) -> tuple[int, int]:
        """Waiting time at transfers and at first stops under one offset a route."""
        k = np.arange(len(choice))
        transfer = self.transfer[k[:, None], k[None, :], choice[:, None], choice[None, :]].sum()
        return int(transfer), int(self.first[k, choice].sum())


def time_transfers(
    riders: Riders, directions: Sequence[Direction], run_direction: ArrayLike, run_start_s: ArrayLike, operation: Operation
) -> TimedTransfers:
    """
    Offsets in seconds that minimise the waiting at transfers and first stops, proven optimal if the solver ends in time.

    First stops count too, since every bus would otherwise start as late as it may. All departures of a route move together, so its
    headways and fleet do not change. With x[k, o] = 1 if route k takes offset o, and y[k, l, o, p] for both choices of a pair,
    minimise sum of first[k, o] x[k, o] + sum of transfer[k, l, o, p] y[k, l, o, p] subject to sum over o of x[k, o] = 1, sum over p of
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
        Offsets, and the mean waits without and with them, in seconds.
    """
    offsets = np.array(operation.offsets_s, np.int64)
    costs = _costs(riders, directions, np.asarray(run_direction, np.int64), np.asarray(run_start_s, np.int64), offsets, operation.change_s)
    unmoved = np.zeros(len(directions) // 2, np.int64)
    chosen, is_optimal = (unmoved, True) if not costs.transfer_quanta else _optimal_offsets(costs)
    if sum(costs.waits(chosen)) >= sum(costs.waits(unmoved)):
        chosen = unmoved
    (before, first_before), (after, first_after) = costs.waits(unmoved), costs.waits(chosen)
    n_transfers, n_riders = max(1, costs.transfer_quanta), max(1, costs.rider_quanta)
    return TimedTransfers(
        tuple(offsets[chosen].tolist()),
        before / n_transfers,
        after / n_transfers,
        first_before / n_riders,
        first_after / n_riders,
        costs.transfer_quanta / QUANTA_PER_TRIP,
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
    """Simulate riders up to their transfer under each offset of the first route, then on under each offset of the second."""
    n_routes, n = len(directions) // 2, len(offsets)
    transfer, first = np.zeros((n_routes, n_routes, n, n), np.int64), np.zeros((n_routes, n), np.int64)
    if not riders.trip_quanta[:, riders.transfers].any():
        return _Costs(transfer, first, 0, 0)
    departures = [Departures.of(run_direction, run_start_s + offset) for offset in offsets.tolist()]
    bus_riders = _riders_of_pairs(riders, np.flatnonzero(riders.direction[0] >= 0))
    rides = _rides_of(bus_riders)
    transfer_quanta = 0
    for o in range(n):
        arrive_s, direction, position, route, quanta = _transfers(rides, directions, departures[o], change_s, first[:, o])
        transfer_quanta = max(transfer_quanta, int(quanta.sum()))
        for p in range(n):
            begin_s, depart_s = departures[p].next_departure(directions, direction, position, arrive_s + change_s)
            wait_s = np.where(begin_s < 0, MISSED_S, depart_s - arrive_s)
            np.add.at(transfer[:, :, o, p], (route, direction // 2), quanta * wait_s)
    return _Costs(transfer, first, transfer_quanta, int(bus_riders.trip_quanta.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class _Rides:
    """
    Riders with the same rides up to the second bus as one row of `riders`, when they come in seconds, and how many in 1/1024.

    `first_rides` are the same riders on their first bus alone, as far as they are followed; `rows` are rows of both.
    """

    riders: Riders
    first_rides: Riders
    rows: NDArray[np.int64]
    ready_s: NDArray[np.int64]
    quanta: NDArray[np.int64]


def _rides_of(riders: Riders) -> _Rides:
    """
    Riders of all pairs of stops as rows with different rides: those of the first bus alone differ by where they board it.

    There are a few thousand of them where there are 100,000 pairs, and they are followed once for each offset.
    """
    changes = riders.transfers
    ends = [np.where(changes, column, 0) for column in (riders.alight[0], riders.direction[1] + 1, riders.board[1])]
    columns = (riders.direction[0], riders.board[0], *ends)
    sizes = tuple(int(column.max(initial=0)) + 1 for column in columns)
    _, pair, ride = np.unique(np.ravel_multi_index(columns, sizes), return_index=True, return_inverse=True)
    quanta = np.zeros((len(riders.hours), MOMENTS, pair.size), np.int64)
    for row, hourly in enumerate(riders.trip_quanta):
        for moment, parts in enumerate(quanta_by_moment(hourly).T):
            np.add.at(quanta[row, moment], ride, parts)
    different = _riders_of_pairs(riders, pair)
    first_rides = replace(different, direction=np.stack([different.direction[0], np.full(pair.size, -1)]))
    hours, moments, rows = np.nonzero(quanta)
    ready_s = np.stack([moments_s(hour) for hour in riders.hours])[hours, moments]
    return _Rides(different, first_rides, rows, ready_s, quanta[hours, moments, rows])


def _transfers(
    rides: _Rides, directions: Sequence[Direction], departures: Departures, change_s: int, first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """
    Arrival in seconds, second direction, position of the stop along it, first route, and riders in 1/1024 of each transfer.

    Equal transfers are one row. The waiting time for the first bus is added to `first` by route.
    """
    riders, rows, ready_s = rides.riders, rides.rows, rides.ready_s
    journeys = follow_from(rides.first_rides, directions, departures, rows, ready_s, change_s, quanta=rides.quanta)
    caught = journeys.start_s[0] >= 0
    wait_s = np.where(caught, journeys.wait_s[0], MISSED_S)
    np.add.at(first, riders.direction[0, rows] // 2, journeys.quanta * wait_s)
    transfers = caught & riders.transfers[rows]
    row, quanta = rows[transfers], journeys.quanta[transfers]
    arrive_s = (ready_s + journeys.wait_s[0] + journeys.ride_s[0])[transfers]
    columns = (arrive_s, riders.direction[1, row], riders.board[1, row], riders.direction[0, row] // 2)
    sizes = tuple(int(column.max(initial=0)) + 1 for column in columns)
    keys, inverse = np.unique(np.ravel_multi_index(columns, sizes), return_inverse=True)
    sums = np.zeros(keys.size, np.int64)
    np.add.at(sums, inverse, quanta)
    return *np.unravel_index(keys, sizes), sums


def _riders_of_pairs(riders: Riders, pairs: NDArray[np.intp]) -> Riders:
    """Riders of some pairs."""
    return replace(
        riders,
        first_stop=riders.first_stop[pairs],
        last_stop=riders.last_stop[pairs],
        trip_quanta=riders.trip_quanta[:, pairs],
        direction=riders.direction[:, pairs],
        board=riders.board[:, pairs],
        alight=riders.alight[:, pairs],
        walk_m=riders.walk_m[pairs],
    )


def _optimal_offsets(costs: _Costs) -> tuple[NDArray[np.int64], bool]:
    """Row of each route's offset with the least total waiting, and whether it is proven optimal."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n_routes, n = costs.first.shape
    both_ways = costs.transfer + costs.transfer.transpose(1, 0, 3, 2)
    pairs = [(k, other) for k in range(n_routes) for other in range(k + 1, n_routes) if both_ways[k, other].any()]
    cost = np.concatenate([costs.first.ravel(), *(both_ways[pair].ravel() for pair in pairs)])
    matrix, right_hand = _assignment_rows(n_routes, n, pairs)
    solution = milp(
        cost / max(1.0, float(cost.max())),
        constraints=LinearConstraint(matrix, right_hand, right_hand),
        integrality=(np.arange(len(cost)) < n_routes * n).astype(int),
        bounds=Bounds(0, 1),
        options={"time_limit": _TIME_LIMIT_S, "mip_rel_gap": 0.0},
    )
    if solution.x is None:
        return np.zeros(n_routes, np.int64), False
    return solution.x[: n_routes * n].reshape(n_routes, n).argmax(axis=1).astype(np.int64), solution.status == 0


def _assignment_rows(n_routes: int, n: int, pairs: Sequence[tuple[int, int]]) -> tuple[Any, NDArray[np.float64]]:
    """Sparse constraint rows over x and y, and their right-hand sides."""
    from scipy.sparse import coo_array

    x = np.arange(n_routes * n).reshape(n_routes, n)
    rows = [np.repeat(np.arange(n_routes), n)]
    columns, values = [x.ravel()], [np.ones(x.size)]
    n_rows = n_routes
    for nth, (k, other) in enumerate(pairs):
        y = x.size + nth * n * n + np.arange(n * n).reshape(n, n)
        for route, terms in ((k, y), (other, y.T)):
            rows.append(np.repeat(n_rows + np.arange(n), n + 1))
            columns.append(np.column_stack([terms, x[route]]).ravel())
            values.append(np.tile([*np.ones(n), -1.0], n))
            n_rows += n
    right_hand = (np.arange(n_rows) < n_routes).astype(np.float64)
    shape = (n_rows, x.size + len(pairs) * n * n)
    return coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr(), right_hand
