"""Trips that a plan serves by the rule of the search: fastest rides between hexes, without and with one transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import float32, inner_kernel, kernel
from owlbus.kernels.rides import NEVER, ride_by, ride_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import DemandRows, Graph, Routes


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
