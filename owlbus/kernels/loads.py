"""Which seats the served trips take: each goes by its fastest ride, and the load of every segment adds up."""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.compiling import inner_kernel, kernel
from owlbus.kernels.coverage import NEVER, ZERO, _ride_s


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
