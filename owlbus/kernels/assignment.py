"""Assignment of served trips to routes: fastest rides, legs by segment, and the load of each segment."""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.coverage import NEVER, ZERO, _ride_s, ride_by
from owlbus.kernels.jit import inner_kernel, kernel


@kernel
def _places(graph: Any, routes: Any, walk_m: Any, n_hexes: int) -> tuple[Any, Any]:
    """Entries (route, place, walk in metres) by hex, as CSR; shape (H+1,) and (E, 3)."""
    shed_indptr, shed_hex = graph[4], graph[5]
    stops, n_stops = routes[0], routes[1]
    indptr = np.zeros(n_hexes + 1, np.int64)
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k]):
            for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                indptr[shed_hex[e] + 1] += 1
    for h in range(n_hexes):
        indptr[h + 1] += indptr[h]
    filled = indptr.copy()
    entries = np.zeros((indptr[n_hexes], 3), np.int32)
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k]):
            for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                at = filled[shed_hex[e]]
                entries[at, 0] = k
                entries[at, 1] = p
                entries[at, 2] = walk_m[e]
                filled[shed_hex[e]] += 1
    return indptr, entries


@kernel
def _meetings(routes: Any, n_all: int) -> tuple[Any, Any]:
    """Pairs of places of two routes at one stop: CSR over ``k * K + l``, and (M, 2) places on k and l."""
    stops, n_stops = routes[0], routes[1]
    n_routes = n_stops.shape[0]
    indptr = np.zeros(n_routes * n_routes + 1, np.int64)
    at_stop = np.full(n_all, -1, np.int32)
    meetings = np.zeros((0, 2), np.int32)
    for write in range(2):
        filled = indptr.copy()
        for k in range(n_routes):
            for p in range(n_stops[k]):
                at_stop[stops[k, p]] = p
            for other in range(n_routes):
                if other == k:
                    continue
                for q in range(n_stops[other]):
                    p = at_stop[stops[other, q]]
                    if p >= 0:
                        if write:
                            meetings[filled[k * n_routes + other], 0] = p
                            meetings[filled[k * n_routes + other], 1] = q
                            filled[k * n_routes + other] += 1
                        else:
                            indptr[k * n_routes + other + 1] += 1
            for p in range(n_stops[k]):
                at_stop[stops[k, p]] = -1
        if not write:
            for pair in range(n_routes * n_routes):
                indptr[pair + 1] += indptr[pair]
            meetings = np.zeros((indptr[n_routes * n_routes], 2), np.int32)
    return indptr, meetings


@inner_kernel
def _board(ahead: Any, back: Any, k: int, p: int, q: int, trips: int) -> None:
    """Put riders on the segments between two places of a route; segment s lies between places s and s + 1."""
    if q >= p:
        for s in range(p, q):
            ahead[k, s] += trips
    else:
        for s in range(q, p):
            back[k, s] += trips


@kernel
def assign_rides(
    graph: Any, routes: Any, walk_m: Any, demand: Any, transfer_s: float, max_transfers: int
) -> tuple[Any, Any, Any, Any, Any]:
    """
    Send every served trip along its fastest ride.

    Among rides of equal seconds, transfer cost included, the one without a transfer wins, then the shortest walk, then the
    first in route order.

    Parameters
    ----------
    graph, routes, demand
        As in `owlbus.kernels.coverage`.
    walk_m
        Metres between stop and hex centre of each walk-shed entry, int32 (W,).
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    ahead, back
        Riders on each segment in each direction, in 1/1024 a night, int64 (K, M).
    boardings
        Riders who begin on each route, and riders who change onto it, int64 (K, 2).
    changes
        Riders who transfer at each stop, int64 (S,).
    sums
        int64 (4,): riders, rider-seconds on board, rider-metres of walk at both ends, riders who transfer.
    """
    weight, limit_s, _ = demand
    stops, n_stops, ahead_s, back_s = routes
    n_routes = n_stops.shape[0]
    n_hexes = weight.shape[0]
    n_all = graph[0].shape[0] - 1
    indptr, entries = _places(graph, routes, walk_m, n_hexes)
    meet_indptr, meetings = _meetings(routes, n_all)
    ahead = np.zeros(stops.shape, np.int64)
    back = np.zeros(stops.shape, np.int64)
    boardings = np.zeros((n_routes, 2), np.int64)
    changes = np.zeros(n_all, np.int64)
    sums = np.zeros(4, np.int64)
    for o in range(n_hexes):
        if indptr[o] == indptr[o + 1]:
            continue
        for d in range(n_hexes):
            trips = int(weight[o, d])
            if trips == 0 or indptr[d] == indptr[d + 1]:
                continue
            best, walk, changes_best = NEVER, np.int32(2**30), 2
            k, p, t, other, u, q = ZERO - 1, ZERO, ZERO, ZERO - 1, ZERO, ZERO
            for e in range(indptr[o], indptr[o + 1]):
                for f in range(indptr[d], indptr[d + 1]):
                    a, b = entries[e, 0], entries[f, 0]
                    on_foot = entries[e, 2] + entries[f, 2]
                    if a == b:
                        ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], entries[f, 1])
                        if ride < best or (ride == best and (changes_best > 0 or on_foot < walk)):
                            best, walk, changes_best = ride, on_foot, 0
                            k, p, other, q = a, entries[e, 1], -1, entries[f, 1]
                    elif max_transfers > 0:
                        for m in range(meet_indptr[a * n_routes + b], meet_indptr[a * n_routes + b + 1]):
                            ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], meetings[m, 0]) + np.float32(transfer_s)
                            ride += _ride_s(ahead_s[b], back_s[b], meetings[m, 1], entries[f, 1])
                            if ride < best or (ride == best and changes_best > 0 and on_foot < walk):
                                best, walk, changes_best = ride, on_foot, 1
                                k, p, t = a, entries[e, 1], meetings[m, 0]
                                other, u, q = b, meetings[m, 1], entries[f, 1]
            if not best <= limit_s[o, d]:
                continue
            sums[0] += trips
            sums[1] += trips * np.int64(best)
            sums[2] += trips * np.int64(walk)
            boardings[k, 0] += trips
            if other < 0:
                _board(ahead, back, k, p, q, trips)
            else:
                sums[1] -= trips * np.int64(transfer_s)
                sums[3] += trips
                boardings[other, 1] += trips
                changes[stops[k, t]] += trips
                _board(ahead, back, k, p, t, trips)
                _board(ahead, back, other, u, q, trips)
    return ahead, back, boardings, changes, sums


@kernel
def fastest_legs(
    graph: Any, routes: Any, walk_m: Any, limit_s: Any, origin: Any, destination: Any, transfer_s: float, max_transfers: int
) -> Any:
    """
    Fastest ride of each pair of hexes, chosen as `owlbus.kernels.assignment.assign_rides` chooses it.

    Parameters
    ----------
    graph, routes
        As in `owlbus.kernels.coverage`.
    walk_m
        Metres between stop and hex centre of each walk-shed entry, int32 (W,).
    limit_s
        Longest ride that serves a pair, seconds, float32 (H, H).
    origin, destination
        Hexes of each pair, int32 (P,), numbered as walk sheds in `graph` number them.
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    ndarray
        int32 (P, 7): route, place to board and to alight; the same of the second ride, whose route is -1 without a
        transfer; metres of walk at both ends. A pair that is not served has -1 as first route.
    """
    _, n_stops, ahead_s, back_s = routes
    n_routes = n_stops.shape[0]
    indptr, entries = _places(graph, routes, walk_m, limit_s.shape[0])
    meet_indptr, meetings = _meetings(routes, graph[0].shape[0] - 1)
    legs = np.full((origin.shape[0], 7), -1, np.int32)
    for row in range(origin.shape[0]):
        o, d = origin[row], destination[row]
        best, walk, changes = NEVER, np.int32(2**30), 2
        k, p, t, other, u, q = -1, -1, -1, -1, -1, -1
        for e in range(indptr[o], indptr[o + 1]):
            for f in range(indptr[d], indptr[d + 1]):
                a, b = entries[e, 0], entries[f, 0]
                on_foot = entries[e, 2] + entries[f, 2]
                if a == b:
                    ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], entries[f, 1])
                    if ride < best or (ride == best and (changes > 0 or on_foot < walk)):
                        best, walk, changes = ride, on_foot, 0
                        k, p, t, other, u, q = a, entries[e, 1], entries[f, 1], -1, -1, -1
                elif max_transfers > 0:
                    for m in range(meet_indptr[a * n_routes + b], meet_indptr[a * n_routes + b + 1]):
                        ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], meetings[m, 0]) + np.float32(transfer_s)
                        ride += _ride_s(ahead_s[b], back_s[b], meetings[m, 1], entries[f, 1])
                        if ride < best or (ride == best and changes > 0 and on_foot < walk):
                            best, walk, changes = ride, on_foot, 1
                            k, p, t = a, entries[e, 1], meetings[m, 0]
                            other, u, q = b, meetings[m, 1], entries[f, 1]
        if best <= limit_s[o, d]:
            legs[row] = np.array([k, p, t, other, u, q, walk], np.int32)
    return legs


@kernel
def ride_matrices(graph: Any, routes: Any, transfer_s: float, n_hexes: int) -> tuple[Any, Any]:
    """
    Fastest rides between all hexes, without and with at most one transfer.

    Parameters
    ----------
    graph
        The stop network.
    routes
        The plan.
    transfer_s
        Seconds that a transfer costs; it takes place at a stop that both routes have.
    n_hexes
        Hexes H.

    Returns
    -------
    direct_s, best_s
        Seconds from row to column, shape (H, H), float32, `NEVER` where there is no ride.
    """
    shed_indptr, shed_hex = graph[4], graph[5]
    stops, n_stops, ahead_s, back_s = routes
    n_routes = n_stops.shape[0]
    n_all = shed_indptr.shape[0] - 1
    direct = np.full((n_hexes, n_hexes), NEVER, np.float32)
    from_stop = np.full((n_all, n_hexes), NEVER, np.float32)
    calls = np.zeros(n_all, np.int32)
    for k in range(n_routes):
        for p in range(n_stops[k]):
            calls[stops[k, p]] += 1
            for q in range(n_stops[k]):
                ride = _ride_s(ahead_s[k], back_s[k], p, q)
                for f in range(shed_indptr[stops[k, q]], shed_indptr[stops[k, q] + 1]):
                    from_stop[stops[k, p], shed_hex[f]] = min(from_stop[stops[k, p], shed_hex[f]], ride)
                    for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                        direct[shed_hex[e], shed_hex[f]] = min(direct[shed_hex[e], shed_hex[f]], ride)
    best = direct.copy()
    for k in range(n_routes):
        for t in range(n_stops[k]):
            if calls[stops[k, t]] < 2:
                continue
            onward = from_stop[stops[k, t]]
            for p in range(n_stops[k]):
                start = _ride_s(ahead_s[k], back_s[k], p, t) + np.float32(transfer_s)
                for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                    row = best[shed_hex[e]]
                    for h in range(n_hexes):
                        row[h] = min(row[h], start + onward[h])
    return direct, best


@kernel
def served_trips(graph: Any, demand: Any, routes: Any, transfer_s: float, max_transfers: int) -> int:
    """
    Trips that a plan serves, of the pairs with demand alone.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand by row and the plan.
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    int
        In 1/1024; memory grows with the stops and hexes that the plan reaches, not with all.
    """
    indptr, partner, weight, limit_s, presence = demand
    column_of, row_of = np.full(presence.shape[0], -1, np.int32), np.full(graph[4].shape[0] - 1, -1, np.int32)
    columns, rows = _number(graph, routes, column_of, row_of)
    ways = weight.shape[0]
    onward = np.full((ways, rows, columns), NEVER, np.float32)
    best = np.full((ways, columns, columns), NEVER, np.float32)
    _ride_once(graph, routes, column_of, row_of, onward, best)
    if max_transfers:
        _ride_twice(graph, routes, column_of, row_of, onward, best, transfer_s)
    total = 0
    for h in range(presence.shape[0]):
        for e in range(indptr[h], indptr[h + 1]):
            if partner[e] > h and column_of[h] >= 0 and column_of[partner[e]] >= 0:
                for way in range(ways):
                    if best[way, column_of[h], column_of[partner[e]]] <= limit_s[way, e]:
                        total += weight[way, e]
    return total


@inner_kernel
def _number(graph: Any, routes: Any, column_of: Any, row_of: Any) -> tuple[int, int]:
    """Number the hexes and stops that a plan reaches; how many there are."""
    columns, rows = 0, 0
    for k in range(routes[1].shape[0]):
        for p in range(routes[1][k]):
            stop = routes[0][k, p]
            if row_of[stop] < 0:
                row_of[stop] = rows
                rows += 1
            for e in range(graph[4][stop], graph[4][stop + 1]):
                if column_of[graph[5][e]] < 0:
                    column_of[graph[5][e]] = columns
                    columns += 1
    return columns, rows


@inner_kernel
def _ride_once(graph: Any, routes: Any, column_of: Any, row_of: Any, onward: Any, best: Any) -> None:
    """Fill the fastest ride on one route from each stop to each hex, and between hexes; in the second layer the other way round."""
    stops, n_stops, ahead_s, back_s = routes
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k]):
            for q in range(n_stops[k]):
                for way in range(onward.shape[0]):
                    ride = ride_by(ahead_s[k], back_s[k], p, q, way)
                    further = onward[way, row_of[stops[k, p]]]
                    for f in range(graph[4][stops[k, q]], graph[4][stops[k, q] + 1]):
                        c = column_of[graph[5][f]]
                        further[c] = min(further[c], ride)
                        for e in range(graph[4][stops[k, p]], graph[4][stops[k, p] + 1]):
                            row = best[way, column_of[graph[5][e]]]
                            row[c] = min(row[c], ride)


@kernel
def _ride_twice(graph: Any, routes: Any, column_of: Any, row_of: Any, onward: Any, best: Any, transfer_s: float) -> None:
    """Fill the fastest ride between hexes with a transfer at a stop where two routes call, where it is faster."""
    stops, n_stops, ahead_s, back_s = routes
    calls = np.zeros(onward.shape[1], np.int32)
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k]):
            calls[row_of[stops[k, p]]] += 1
    for k in range(n_stops.shape[0]):
        for t in range(n_stops[k]):
            if calls[row_of[stops[k, t]]] < 2:
                continue
            for p in range(n_stops[k]):
                for way in range(onward.shape[0]):
                    start = ride_by(ahead_s[k], back_s[k], p, t, way) + np.float32(transfer_s)
                    further = onward[way, row_of[stops[k, t]]]
                    for e in range(graph[4][stops[k, p]], graph[4][stops[k, p] + 1]):
                        row = best[way, column_of[graph[5][e]]]
                        for c in range(further.shape[0]):
                            row[c] = min(row[c], start + further[c])
