"""Assignment of served trips to routes: fastest rides, legs by segment, and the load of each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import ZERO, float32, inner_kernel, int32, int64, kernel
from owlbus.kernels.rides import NEVER, ride_by, ride_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import DemandMatrix, DemandRows, Graph, Routes


class Loads(NamedTuple):
    """
    Riders of a plan of K routes with at most M positions, over S stops, in 1/1024 a night.

    Attributes
    ----------
    ahead, back
        Riders on each segment in each direction, shape (K, M), int64.
    boardings
        Riders who begin on each route, and riders who change onto it, shape (K, 2), int64.
    changes
        Riders who transfer at each stop, shape (S,), int64.
    riders
        All riders.
    ride_s, walk_m
        Their seconds on board and metres of walk at both ends, each in 1/1024 of a rider.
    transfers
        Riders who transfer.
    """

    ahead: NDArray[np.int64]
    back: NDArray[np.int64]
    boardings: NDArray[np.int64]
    changes: NDArray[np.int64]
    riders: int
    ride_s: int
    walk_m: int
    transfers: int


@kernel
def _entries(graph: Graph, routes: Routes, walk_m: NDArray[np.int32], n_hexes: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Entries (route, position, walk in metres) by hex, as CSR; shape (H+1,) and (E, 3)."""
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    stops, n_stops = routes.stops, routes.n_stops
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
def _meetings(routes: Routes, n_all: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pairs of positions of two routes at one stop: CSR over ``k * K + l``, and (M, 2) positions on k and l."""
    stops, n_stops = routes.stops, routes.n_stops
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
def _board(ahead: NDArray[np.int64], back: NDArray[np.int64], k: int, p: int, q: int, trips: int) -> None:
    """Put riders on the segments between two positions of a route; segment s lies between positions s and s + 1."""
    if q >= p:
        for s in range(p, q):
            ahead[k, s] += trips
    else:
        for s in range(q, p):
            back[k, s] += trips


@kernel
def assign_rides(
    graph: Graph, routes: Routes, walk_m: NDArray[np.int32], demand: DemandMatrix, transfer_s: float, max_transfers: int
) -> Loads:
    """
    Send every served trip along its fastest ride.

    Among rides of equal seconds, transfer cost included, the one without a transfer wins, then the shortest walk, then the
    first in route order.

    Parameters
    ----------
    graph, routes, demand
        The stop network, the plan and the trips between all hexes.
    walk_m
        Metres between stop and hex centre of each walk-shed entry, int32 (W,).
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    Loads
        Riders by segment, route and stop.
    """
    trip_quanta, limit_s = demand.trip_quanta, demand.limit_s
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    n_routes = n_stops.shape[0]
    n_hexes = trip_quanta.shape[0]
    n_all = graph.link_indptr.shape[0] - 1
    indptr, entries = _entries(graph, routes, walk_m, n_hexes)
    meet_indptr, meetings = _meetings(routes, n_all)
    ahead = np.zeros(stops.shape, np.int64)
    back = np.zeros(stops.shape, np.int64)
    boardings = np.zeros((n_routes, 2), np.int64)
    changes = np.zeros(n_all, np.int64)
    riders, transfers, onboard_s, walked_m = ZERO, ZERO, ZERO, ZERO
    for o in range(n_hexes):
        if indptr[o] == indptr[o + 1]:
            continue
        for d in range(n_hexes):
            trips = int(trip_quanta[o, d])
            if trips == 0 or indptr[d] == indptr[d + 1]:
                continue
            best, walk, changes_best = NEVER, int32(2**30), 2
            k, p, t, other, u, q = ZERO - 1, ZERO, ZERO, ZERO - 1, ZERO, ZERO
            # Every pair of entries is tried: with one transfer there is no shorter way to find the ties of the rule above.
            for e in range(indptr[o], indptr[o + 1]):
                for f in range(indptr[d], indptr[d + 1]):
                    a, b = entries[e, 0], entries[f, 0]
                    on_foot = entries[e, 2] + entries[f, 2]
                    if a == b:
                        ride = ride_s(ahead_s[a], back_s[a], entries[e, 1], entries[f, 1])
                        if ride < best or (ride == best and (changes_best > 0 or on_foot < walk)):
                            best, walk, changes_best = ride, on_foot, 0
                            k, p, other, q = a, entries[e, 1], -1, entries[f, 1]
                    elif max_transfers > 0:
                        for m in range(meet_indptr[a * n_routes + b], meet_indptr[a * n_routes + b + 1]):
                            ride = ride_s(ahead_s[a], back_s[a], entries[e, 1], meetings[m, 0]) + float32(transfer_s)
                            ride += ride_s(ahead_s[b], back_s[b], meetings[m, 1], entries[f, 1])
                            if ride < best or (ride == best and changes_best > 0 and on_foot < walk):
                                best, walk, changes_best = ride, on_foot, 1
                                k, p, t = a, entries[e, 1], meetings[m, 0]
                                other, u, q = b, meetings[m, 1], entries[f, 1]
            if not best <= limit_s[o, d]:
                continue
            riders += trips
            onboard_s += trips * int64(best)
            walked_m += trips * int64(walk)
            boardings[k, 0] += trips
            if other < 0:
                _board(ahead, back, k, p, q, trips)
            else:
                onboard_s -= trips * int64(transfer_s)
                transfers += trips
                boardings[other, 1] += trips
                changes[stops[k, t]] += trips
                _board(ahead, back, k, p, t, trips)
                _board(ahead, back, other, u, q, trips)
    return Loads(ahead, back, boardings, changes, riders, onboard_s, walked_m, transfers)


@kernel
def fastest_legs(
    graph: Graph,
    routes: Routes,
    walk_m: NDArray[np.int32],
    limit_s: NDArray[np.float32],
    origin: NDArray[np.int32],
    destination: NDArray[np.int32],
    transfer_s: float,
    max_transfers: int,
) -> NDArray[np.int32]:
    """
    Fastest ride of each pair of hexes, chosen as `owlbus.kernels.assignment.assign_rides` chooses it.

    Parameters
    ----------
    graph, routes
        The stop network and the plan.
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
        int32 (P, 7): route, position to board and to alight; the same of the second ride, whose route is -1 without a
        transfer; metres of walk at both ends. A pair that is not served has -1 as first route.
    """
    n_stops, ahead_s, back_s = routes.n_stops, routes.ahead_s, routes.back_s
    n_routes = n_stops.shape[0]
    indptr, entries = _entries(graph, routes, walk_m, limit_s.shape[0])
    meet_indptr, meetings = _meetings(routes, graph.link_indptr.shape[0] - 1)
    legs = np.full((origin.shape[0], 7), -1, np.int32)
    for row in range(origin.shape[0]):
        o, d = origin[row], destination[row]
        best, walk, changes = NEVER, int32(2**30), 2
        k, p, t, other, u, q = -1, -1, -1, -1, -1, -1
        for e in range(indptr[o], indptr[o + 1]):
            for f in range(indptr[d], indptr[d + 1]):
                a, b = entries[e, 0], entries[f, 0]
                on_foot = entries[e, 2] + entries[f, 2]
                if a == b:
                    ride = ride_s(ahead_s[a], back_s[a], entries[e, 1], entries[f, 1])
                    if ride < best or (ride == best and (changes > 0 or on_foot < walk)):
                        best, walk, changes = ride, on_foot, 0
                        k, p, t, other, u, q = a, entries[e, 1], entries[f, 1], -1, -1, -1
                elif max_transfers > 0:
                    for m in range(meet_indptr[a * n_routes + b], meet_indptr[a * n_routes + b + 1]):
                        ride = ride_s(ahead_s[a], back_s[a], entries[e, 1], meetings[m, 0]) + float32(transfer_s)
                        ride += ride_s(ahead_s[b], back_s[b], meetings[m, 1], entries[f, 1])
                        if ride < best or (ride == best and changes > 0 and on_foot < walk):
                            best, walk, changes = ride, on_foot, 1
                            k, p, t = a, entries[e, 1], meetings[m, 0]
                            other, u, q = b, meetings[m, 1], entries[f, 1]
        if best <= limit_s[o, d]:
            legs[row] = np.array([k, p, t, other, u, q, walk], np.int32)
    return legs


@kernel
def ride_matrices(graph: Graph, routes: Routes, transfer_s: float, n_hexes: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    n_routes = n_stops.shape[0]
    n_all = shed_indptr.shape[0] - 1
    direct = np.full((n_hexes, n_hexes), NEVER, np.float32)
    from_stop = np.full((n_all, n_hexes), NEVER, np.float32)
    calls = np.zeros(n_all, np.int32)
    for k in range(n_routes):
        for p in range(n_stops[k]):
            calls[stops[k, p]] += 1
            for q in range(n_stops[k]):
                ride = ride_s(ahead_s[k], back_s[k], p, q)
                for f in range(shed_indptr[stops[k, q]], shed_indptr[stops[k, q] + 1]):
                    from_stop[stops[k, p], shed_hex[f]] = min(from_stop[stops[k, p], shed_hex[f]], ride)
                    for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                        direct[shed_hex[e], shed_hex[f]] = min(direct[shed_hex[e], shed_hex[f]], ride)
    best = direct.copy()
    for k in range(n_routes):
        for t in range(n_stops[k]):
            if calls[stops[k, t]] < 2:  # no other route to change to
                continue
            onward = from_stop[stops[k, t]]
            for p in range(n_stops[k]):
                start = ride_s(ahead_s[k], back_s[k], p, t) + float32(transfer_s)
                for e in range(shed_indptr[stops[k, p]], shed_indptr[stops[k, p] + 1]):
                    row = best[shed_hex[e]]
                    for h in range(n_hexes):
                        row[h] = min(row[h], start + onward[h])
    return direct, best


@kernel
def served_trips(graph: Graph, demand: DemandRows, routes: Routes, transfer_s: float, max_transfers: int) -> int:
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
    indptr, partner, n_hexes, ways = demand.indptr, demand.partner, demand.presence.shape[0], demand.trip_quanta.shape[0]
    column_of, row_of = np.full(n_hexes, -1, np.int32), np.full(graph.shed_indptr.shape[0] - 1, -1, np.int32)
    columns, rows = _number(graph, routes, column_of, row_of)
    onward = np.full((ways, rows, columns), NEVER, np.float32)
    best = np.full((ways, columns, columns), NEVER, np.float32)
    _ride_once(graph, routes, column_of, row_of, onward, best)
    if max_transfers:
        _ride_twice(graph, routes, column_of, row_of, onward, best, transfer_s)
    total = 0
    for h in range(n_hexes):
        for e in range(indptr[h], indptr[h + 1]):
            if partner[e] > h and column_of[h] >= 0 and column_of[partner[e]] >= 0:
                for way in range(ways):
                    if best[way, column_of[h], column_of[partner[e]]] <= demand.limit_s[way, e]:
                        total += demand.trip_quanta[way, e]
    return total


@inner_kernel
def _number(graph: Graph, routes: Routes, column_of: NDArray[np.int32], row_of: NDArray[np.int32]) -> tuple[int, int]:
    """Number the hexes and stops that a plan reaches; how many there are."""
    columns, rows = 0, 0
    for k in range(routes.n_stops.shape[0]):
        for p in range(routes.n_stops[k]):
            stop = routes.stops[k, p]
            if row_of[stop] < 0:
                row_of[stop] = rows
                rows += 1
            for e in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
                if column_of[graph.shed_hex[e]] < 0:
                    column_of[graph.shed_hex[e]] = columns
                    columns += 1
    return columns, rows


@inner_kernel
def _ride_once(
    graph: Graph,
    routes: Routes,
    column_of: NDArray[np.int32],
    row_of: NDArray[np.int32],
    onward: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    """Fill the fastest ride on one route from each stop to each hex, and between hexes; in the second layer the other way round."""
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k]):
            for q in range(n_stops[k]):
                for way in range(onward.shape[0]):
                    ride = ride_by(ahead_s[k], back_s[k], p, q, way)
                    further = onward[way, row_of[stops[k, p]]]
                    for f in range(graph.shed_indptr[stops[k, q]], graph.shed_indptr[stops[k, q] + 1]):
                        c = column_of[graph.shed_hex[f]]
                        further[c] = min(further[c], ride)
                        for e in range(graph.shed_indptr[stops[k, p]], graph.shed_indptr[stops[k, p] + 1]):
                            row = best[way, column_of[graph.shed_hex[e]]]
                            row[c] = min(row[c], ride)


@kernel
def _ride_twice(
    graph: Graph,
    routes: Routes,
    column_of: NDArray[np.int32],
    row_of: NDArray[np.int32],
    onward: NDArray[np.float32],
    best: NDArray[np.float32],
    transfer_s: float,
) -> None:
    """Fill the fastest ride between hexes with a transfer at a stop where two routes call, where it is faster."""
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
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
                    start = ride_by(ahead_s[k], back_s[k], p, t, way) + float32(transfer_s)
                    further = onward[way, row_of[stops[k, t]]]
                    for e in range(graph.shed_indptr[stops[k, p]], graph.shed_indptr[stops[k, p] + 1]):
                        row = best[way, column_of[graph.shed_hex[e]]]
                        for c in range(further.shape[0]):
                            row[c] = min(row[c], start + further[c])
