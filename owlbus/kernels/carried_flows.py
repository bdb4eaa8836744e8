"""
Journeys of all riders of a plan, their loads by segment and hour, and how many find room.

Every rider takes the journey of fewest generalised seconds; of equal ones that of the first route, then the first position to board, then
to alight. `owlbus.kernels.carried_structs` describes the arrays. Riders are counted in 2**-20 trips, in int64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.carried_journeys import people_who_ride
from owlbus.kernels.jit import float32, inlined, int64, kernel, lean_kernel
from owlbus.kernels.rides import NEVER, ride_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.carried_structs import RideCosts, TripRows
    from owlbus.kernels.structs import Graph, Routes

WHOLE = 1 << 20
"""Share of riders who find room, in whole numbers: all of them."""

_LEGS = 6


@kernel
def best_journeys(
    graph: Graph, costs: RideCosts, rows: TripRows, routes: Routes, board_s: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """
    Best journey of each pair of hexes.

    Parameters
    ----------
    graph, costs, rows, routes
        The stop network, what journeys cost, the demand, and the plan.
    board_s
        Wait for each route in generalised seconds, shape (K,).

    Returns
    -------
    journey_s
        Generalised seconds, shape (D,), float32; `NEVER` if there is none.
    legs
        Route, position to board and to alight of both rides, shape (D, 6), int16; -1 if there is none.
    """
    n_hexes, n_pairs = rows.indptr.shape[0] - 1, rows.destination.shape[0]
    journey_s = np.full(n_pairs, NEVER, np.float32)
    legs = np.full((n_pairs, _LEGS), -1, np.int16)
    calls, row_of = _rows_of_stops(graph, routes)
    onward_s, onward_leg = _onward(graph, costs, routes, board_s, row_of, n_hexes)
    best_s = np.empty(n_hexes, np.float32)
    best_leg = np.empty((n_hexes, 4), np.int32)
    first_entry, entries = _entries(graph, routes, n_hexes)
    for h in range(n_hexes):
        if first_entry[h] < 0 or rows.indptr[h] == rows.indptr[h + 1]:
            continue
        best_s[:] = NEVER
        entry = first_entry[h]
        while entry >= 0:
            k, p = entries[entry, 0], entries[entry, 1]
            from_s = costs.shed_s[entries[entry, 2]] + board_s[k]
            for q in range(routes.n_stops[k]):
                if q == p:
                    continue
                ride = float32(ride_s(routes.ahead_s[k], routes.back_s[k], p, q)) + from_s
                stop = routes.stops[k, q]
                for e in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
                    _take(best_s, best_leg, graph.shed_hex[e], ride + costs.shed_s[e], k, p, q, -1)
                if costs.max_transfers and calls[stop] > 1:
                    further = onward_s[row_of[stop]]
                    for c in range(n_hexes):
                        if further[c] < NEVER:
                            _take(best_s, best_leg, c, ride + further[c], k, p, q, row_of[stop])
            entry = entries[entry, 3]
        for e in range(rows.indptr[h], rows.indptr[h + 1]):
            c = rows.destination[e]
            if best_s[c] < NEVER:
                journey_s[e] = best_s[c]
                for i in range(3):
                    legs[e, i] = best_leg[c, i]
                if best_leg[c, 3] >= 0:
                    for i in range(3):
                        legs[e, 3 + i] = onward_leg[best_leg[c, 3], c, i]
    return journey_s, legs


@inlined
def _take(best_s: NDArray[np.float32], best_leg: NDArray[np.int32], c: int, journey_s: float, k: int, p: int, q: int, row: int) -> None:
    """Note a journey to a hex if it is better than the best one so far."""
    if journey_s < best_s[c]:
        best_s[c] = journey_s
        best_leg[c, 0] = k
        best_leg[c, 1] = p
        best_leg[c, 2] = q
        best_leg[c, 3] = row


@kernel
def _rows_of_stops(graph: Graph, routes: Routes) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """How often routes call at each stop, and its row among those with a call; -1 for none."""
    n_stops = graph.shed_indptr.shape[0] - 1
    calls, row_of = np.zeros(n_stops, np.int32), np.full(n_stops, -1, np.int32)
    rows = 0
    for k in range(routes.n_stops.shape[0]):
        for p in range(routes.n_stops[k]):
            stop = routes.stops[k, p]
            calls[stop] += 1
            if row_of[stop] < 0:
                row_of[stop] = rows
                rows += 1
    return calls, row_of


@kernel
def _entries(graph: Graph, routes: Routes, n_hexes: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First entry of each hex, -1 for none; and route, position, place in the walk shed and next entry, in the order of routes."""
    first_entry = np.full(n_hexes, -1, np.int32)
    n_entries = 0
    for k in range(routes.n_stops.shape[0]):
        for p in range(routes.n_stops[k]):
            n_entries += graph.shed_indptr[routes.stops[k, p] + 1] - graph.shed_indptr[routes.stops[k, p]]
    entries = np.empty((n_entries, 4), np.int32)
    for k in range(routes.n_stops.shape[0] - 1, -1, -1):  # backwards, so that the first route comes first
        for p in range(routes.n_stops[k] - 1, -1, -1):
            for e in range(graph.shed_indptr[routes.stops[k, p]], graph.shed_indptr[routes.stops[k, p] + 1]):
                n_entries -= 1
                entries[n_entries, 0] = k
                entries[n_entries, 1] = p
                entries[n_entries, 2] = e
                entries[n_entries, 3] = first_entry[graph.shed_hex[e]]
                first_entry[graph.shed_hex[e]] = n_entries
    return first_entry, entries


@kernel
def _onward(
    graph: Graph, costs: RideCosts, routes: Routes, board_s: NDArray[np.float32], row_of: NDArray[np.int32], n_hexes: int
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Generalised seconds from each row's stop to each hex, the transfer and the wait included; and route and positions of that ride."""
    n_rows = max(1, row_of.max() + 1)
    onward_s = np.full((n_rows, n_hexes), NEVER, np.float32)
    onward_leg = np.full((n_rows, n_hexes, 3), -1, np.int16)
    for k in range(routes.n_stops.shape[0]):
        change_s = float32(costs.transfer_s) + board_s[k]
        for p in range(routes.n_stops[k]):
            t = row_of[routes.stops[k, p]]
            for q in range(routes.n_stops[k]):
                if q == p:
                    continue
                ride = float32(ride_s(routes.ahead_s[k], routes.back_s[k], p, q)) + change_s
                stop = routes.stops[k, q]
                for e in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
                    c = graph.shed_hex[e]
                    if ride + costs.shed_s[e] < onward_s[t, c]:
                        onward_s[t, c] = ride + costs.shed_s[e]
                        onward_leg[t, c, 0] = k
                        onward_leg[t, c, 1] = p
                        onward_leg[t, c, 2] = q
    return onward_s, onward_leg


@lean_kernel
def people_of_journeys(costs: RideCosts, rows: TripRows, journey_s: NDArray[np.float32], people: NDArray[np.int64]) -> None:
    """
    Share of people of each pair who take their best journey.

    Parameters
    ----------
    costs, rows
        What journeys cost, and the demand.
    journey_s
        Generalised seconds from `best_journeys`, shape (D,).
    people
        Written: shares in 1/1024, shape (D,).
    """
    for e in range(journey_s.shape[0]):
        people[e] = people_who_ride(costs, journey_s[e], rows.alternative_s[e]) if journey_s[e] < NEVER else 0


@lean_kernel
def carry_riders(
    rows: TripRows,
    hour: int,
    people: NDArray[np.int64],
    legs: NDArray[np.int16],
    capacity: NDArray[np.int64],
    load: NDArray[np.int64],
    carried_load: NDArray[np.int64],
    carried: NDArray[np.int64],
) -> int:
    """
    Load the riders of one hour, and let each journey lose the share that finds no room on its fullest segment.

    Parameters
    ----------
    rows
        The demand.
    hour
        Column of the hour.
    people, legs
        Share of people who ride in 1/1024, shape (D,), and their journeys, from `best_journeys`.
    capacity
        Riders whom the buses of each route carry past a stop in this hour and direction, in 2**-20 trips, shape (K,); below 0 for no
        limit.
    load
        Written: riders who want to ride each segment, shape (K, 2, M), ahead and back, where segment p lies between positions p and p + 1.
    carried_load
        Written: riders who do.
    carried
        Added to: riders of each pair who find room, shape (D,).

    Returns
    -------
    int
        Riders who find room.
    """
    load[:] = 0
    carried_load[:] = 0
    for e in range(legs.shape[0]):
        _add_legs(load, legs, e, int64(rows.hour_quanta[hour, e]) * people[e])
    _sum_segments(load)
    total = int64(0)
    for e in range(legs.shape[0]):
        riders = int64(rows.hour_quanta[hour, e]) * people[e]
        if riders > 0:
            room = int64(WHOLE)
            for ride in (0, 3):
                k = legs[e, ride]
                if k >= 0 and capacity[k] >= 0:
                    p, q = legs[e, ride + 1], legs[e, ride + 2]
                    for segment in range(min(p, q), max(p, q)):
                        wants = load[k, 0 if q > p else 1, segment]
                        if wants > capacity[k]:
                            room = min(room, capacity[k] * WHOLE // wants)
            riders = riders * room // WHOLE
            carried[e] += riders
            total += riders
            _add_legs(carried_load, legs, e, riders)
    _sum_segments(carried_load)
    return int(total)


@inlined
def _add_legs(load: NDArray[np.int64], legs: NDArray[np.int16], e: int, riders: int) -> None:
    """Add riders where they board and take them off where they alight, in the direction that they go."""
    for ride in (0, 3):
        k, p, q = legs[e, ride], legs[e, ride + 1], legs[e, ride + 2]
        if k >= 0:
            if q > p:
                load[k, 0, p] += riders
                load[k, 0, q] -= riders
            else:
                load[k, 1, q] += riders
                load[k, 1, p] -= riders


@inlined
def _sum_segments(load: NDArray[np.int64]) -> None:
    """Turn changes at positions into loads of segments."""
    for k in range(load.shape[0]):
        for way in range(2):
            for p in range(1, load.shape[2]):
                load[k, way, p] += load[k, way, p - 1]
