"""
Rides on a plan counted from nothing: between all hexes, and the trips that they serve.

Arrays as in `owlbus.kernels.coverage`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.compiling import inner_kernel, kernel
from owlbus.kernels.coverage import NEVER, _ride_s, ride_by


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
