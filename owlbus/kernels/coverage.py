"""
What one route of a plan adds to the others: trips that they do not serve, and people whom they do not reach.

`owlbus.kernels.structs` describes the arrays: `Graph`, `DemandRows`, `Routes`, `OtherRoutes` made by `new_other_routes`, and `Scratch` made
by `new_scratch`. Other words are those of `owlbus.kernels.rides`. Trips are added as int64, so that a sum does not depend on its order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import ZERO, float32, inlined, inner_kernel, lean_kernel
from owlbus.kernels.rides import NEVER, best_of_positions, fill_never, ride_by, ride_by_others, ride_to_own, rides_from_positions
from owlbus.kernels.structs import OtherRoutes, Scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import DemandRows, Graph, Routes

COLUMNS, ROWS, ENTRIES, VERSION, FILLED = 0, 1, 2, 3, 4
"""Places in `OtherRoutes.counts`: columns, rows, entries, and how often the other routes were prepared."""


@inlined
def find_link(graph: Graph, a: int, b: int) -> int:
    """
    Index of the link from stop `a` to stop `b`, or -1.

    Parameters
    ----------
    graph
        The stop network.
    a, b
        Stop indices.

    Returns
    -------
    int
        Row of ``link_to``, ``link_s`` and ``link_m``.
    """
    link_indptr, link_to = graph.link_indptr, graph.link_to
    for link in range(link_indptr[a], link_indptr[a + 1]):
        if link_to[link] >= b:
            return link if link_to[link] == b else -1
    return -1


@inlined
def measure_route(
    graph: Graph, stops: NDArray[np.int32], n: int, ahead_s: NDArray[np.float32], back_s: NDArray[np.float32]
) -> tuple[int, int]:
    """
    Fill the running seconds of a route and return its metres.

    Parameters
    ----------
    graph
        The stop network.
    stops
        Stop indices, shape (M,), of which the first `n` count.
    n
        Stops on the route.
    ahead_s, back_s
        Written: seconds from the first stop to each position, and from each position back to the first, shape (M,), M >= 1.

    Returns
    -------
    tuple of int
        Metres ahead and back; (-1, -1) if two stops in a row are not linked both ways.
    """
    link_s, link_m = graph.link_s, graph.link_m
    ahead_m, back_m = 0, 0
    ahead_s[0] = 0
    back_s[0] = 0
    for p in range(1, n):
        there = find_link(graph, stops[p - 1], stops[p])
        home = find_link(graph, stops[p], stops[p - 1])
        if there < 0 or home < 0:
            return -1, -1
        ahead_s[p] = ahead_s[p - 1] + float32(link_s[there])
        back_s[p] = back_s[p - 1] + float32(link_s[home])
        ahead_m += link_m[there]
        back_m += link_m[home]
    return ahead_m, back_m


@lean_kernel
def measure_routes(graph: Graph, routes: Routes) -> int:
    """
    Fill the running seconds of all routes, in one call from Python: numba looks at every array of a struct at each call.

    Parameters
    ----------
    graph
        The stop network.
    routes
        The plan; running seconds are written.

    Returns
    -------
    int
        The first route with two stops in a row that are not linked both ways; -1 if there is none.
    """
    for k in range(routes.n_stops.shape[0]):
        if measure_route(graph, routes.stops[k], routes.n_stops[k], routes.ahead_s[k], routes.back_s[k])[0] < 0:
            return k
    return -1


def new_other_routes(n_stops: int, n_hexes: int, n_routes: int, max_entries: int, pairs: tuple[int, int]) -> OtherRoutes:
    """
    Work space for `prepare_other_routes`.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    n_routes
        Routes K.
    max_entries
        Most (position, hex) entries that one route can have.
    pairs
        Shape (W, P) of the trips in `DemandRows`.

    Returns
    -------
    OtherRoutes
        The work space; what is touched of it is about ``8 * W * F * C + 4 * W * C * T`` bytes for the C hexes and T stops that the
        other routes of a plan reach, and the F hexes that the moves of one preparation look at.
    """
    most = min(n_routes * max_entries, n_hexes)
    most_stops = min(n_routes * max_entries, n_stops)
    return OtherRoutes(
        counts=np.zeros(5, np.int64),
        column_of=np.full(n_hexes, -1, np.int32),
        hex_of=np.zeros(most, np.int32),
        row_of=np.full(n_stops, -1, np.int32),
        stop_of=np.zeros(most_stops, np.int32),
        calls=np.zeros(n_stops, np.int32),
        onward_s=np.zeros((pairs[0], most_stops, most), np.float32),
        filled=np.full((n_hexes, 3), -1, np.int64),
        open_quanta=np.zeros((pairs[0], n_hexes, most + 1), np.int32),
        open_limit_s=np.zeros((pairs[0], n_hexes, most + 1), np.float32),
        listed=np.zeros(pairs[1] + 1, np.int32),
        first_entry=np.full(n_hexes, -1, np.int32),
        entries=np.zeros((n_routes * max_entries, 3), np.int32),
        best_s=np.zeros(most, np.float32),
    )


def new_scratch(n_hexes: int, max_entries: int, max_stops: int) -> Scratch:
    """
    Work space for `route_gain`.

    Parameters
    ----------
    n_hexes
        Hexes H of the network.
    max_entries
        Most (position, hex) entries that one route can have.
    max_stops
        Most stops of a route.

    Returns
    -------
    Scratch
        The work space.
    """
    return Scratch(
        hexes=np.zeros(max_entries, np.int32),
        positions=np.zeros(max_entries, np.int32),
        best_s=np.zeros(n_hexes, np.float32),
        first_entry=np.full(n_hexes, -1, np.int32),
        meets=np.zeros((max_stops, 2), np.int32),
        rides_s=np.zeros((max_stops, n_hexes), np.float32),
    )


@lean_kernel
def prepare_other_routes(graph: Graph, routes: Routes, other_routes: OtherRoutes, left_out: int, transfer_s: float) -> None:
    """
    Set up what the plan serves without one route.

    Parameters
    ----------
    graph, routes
        The stop network and the plan.
    other_routes
        Written: the work space of `new_other_routes`.
    left_out
        The route to leave out, or -1 for none.
    transfer_s
        Seconds that a transfer costs.
    """
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    counts, calls, onward_s, filled = other_routes.counts, other_routes.calls, other_routes.onward_s, other_routes.filled
    column_of, hex_of, row_of, stop_of = other_routes.column_of, other_routes.hex_of, other_routes.row_of, other_routes.stop_of
    first_entry, entries = other_routes.first_entry, other_routes.entries
    # Only what the last preparation touched is reset: the arrays are as long as the network.
    for c in range(counts[COLUMNS]):
        column_of[hex_of[c]] = -1
        first_entry[hex_of[c]] = -1
    for t in range(counts[ROWS]):
        row_of[stop_of[t]] = -1
        calls[stop_of[t]] = 0
    for h in range(filled.shape[0]):
        filled[h, 0] = -1
    columns, rows, n_entries = ZERO, ZERO, ZERO
    for k in range(n_stops.shape[0]):
        if k == left_out:
            continue
        for p in range(n_stops[k]):
            stop = stops[k, p]
            calls[stop] += 1
            if row_of[stop] < 0:
                row_of[stop] = rows
                stop_of[rows] = stop
                rows += 1
            for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
                h = shed_hex[e]
                if column_of[h] < 0:
                    column_of[h] = columns
                    hex_of[columns] = h
                    columns += 1
                entries[n_entries, 0] = k
                entries[n_entries, 1] = p
                entries[n_entries, 2] = first_entry[h]
                first_entry[h] = n_entries
                n_entries += 1
    # Rides onward from each stop of these routes, a transfer included, are what a route that meets them there can offer.
    for way in range(onward_s.shape[0]):
        for t in range(rows):
            fill_never(onward_s[way, t], columns)
    for k in range(n_stops.shape[0]):
        if k == left_out:
            continue
        for p in range(n_stops[k]):
            t = row_of[stops[k, p]]
            for q in range(n_stops[k]):
                for way in range(onward_s.shape[0]):
                    ride = ride_by(ahead_s[k], back_s[k], p, q, way) + float32(transfer_s)
                    for e in range(shed_indptr[stops[k, q]], shed_indptr[stops[k, q] + 1]):
                        c = column_of[shed_hex[e]]
                        onward_s[way, t, c] = min(onward_s[way, t, c], ride)
    counts[COLUMNS] = columns
    counts[ROWS] = rows
    counts[ENTRIES] = n_entries
    counts[VERSION] += 1
    counts[FILLED] = 0


@inner_kernel
def fill_row(graph: Graph, demand: DemandRows, routes: Routes, other_routes: OtherRoutes, h: int, max_transfers: int) -> None:
    """
    Gather the demand of hex `h` that the other routes do not serve: by column, and listed with hexes that have none.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand and the plan.
    other_routes
        Read and written: the work space that `prepare_other_routes` set up.
    h
        Hex index.
    max_transfers
        0 or 1.
    """
    indptr, partner, trip_quanta, limit_s = demand.indptr, demand.partner, demand.trip_quanta, demand.limit_s
    column_of, filled, listed, best_s = other_routes.column_of, other_routes.filled, other_routes.listed, other_routes.best_s
    open_quanta, open_limit_s = other_routes.open_quanta, other_routes.open_limit_s
    columns, begin, others, lower = other_routes.counts[COLUMNS], indptr[h], ZERO, ZERO
    row = other_routes.counts[FILLED]
    other_routes.counts[FILLED] += 1
    for way in range(open_quanta.shape[0]):
        for c in range(columns):
            open_quanta[way, row, c] = 0
    for e in range(begin, indptr[h + 1]):
        c = column_of[partner[e]]
        beside = 1 if c < 0 else 0
        listed[begin + others] = e  # written at every pair and kept by the count: no branch to mispredict
        others += beside
        lower += beside if partner[e] < h else 0
        c = columns if c < 0 else c  # one element more than there are columns, which nobody reads
        for way in range(open_quanta.shape[0]):
            open_quanta[way, row, c] = trip_quanta[way, e]
            open_limit_s[way, row, c] = limit_s[way, e]
    if column_of[h] >= 0 and others < indptr[h + 1] - begin:
        for way in range(open_quanta.shape[0]):
            _fill_other_rides(graph, routes, other_routes, h, way, max_transfers, best_s)
            for c in range(columns):
                if best_s[c] <= open_limit_s[way, row, c]:
                    open_quanta[way, row, c] = 0
    filled[h, 0] = others
    filled[h, 1] = lower
    filled[h, 2] = row


@inlined
def _fill_other_rides(
    graph: Graph, routes: Routes, other_routes: OtherRoutes, h: int, way: int, max_transfers: int, best: NDArray[np.float32]
) -> None:
    """Fill the best ride between a hex that the other routes reach and every column, on these routes alone."""
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    column_of, row_of, calls, entries = other_routes.column_of, other_routes.row_of, other_routes.calls, other_routes.entries
    columns = other_routes.counts[COLUMNS]
    fill_never(best, columns)
    e = other_routes.first_entry[h]
    while e >= 0:
        k, p = entries[e, 0], entries[e, 1]
        for q in range(n_stops[k]):
            ride = ride_by(ahead_s[k], back_s[k], p, q, way)
            stop = stops[k, q]
            for f in range(shed_indptr[stop], shed_indptr[stop + 1]):
                c = column_of[shed_hex[f]]
                best[c] = min(best[c], ride)
            if max_transfers and calls[stop] > 1:
                further = other_routes.onward_s[way, row_of[stop]]
                for c in range(columns):
                    best[c] = min(best[c], ride + further[c])
        e = entries[e, 2]


@inlined
def entries_of(graph: Graph, stops: NDArray[np.int32], n: int, hexes: NDArray[np.int32], positions: NDArray[np.int32]) -> int:
    """
    Fill the (hex, position) entries of a route, sorted by hex then position.

    Parameters
    ----------
    graph
        The stop network.
    stops, n
        Stop indices and how many count.
    hexes, positions
        Written: hex and position of each entry, int32 (E,).

    Returns
    -------
    int
        How many entries there are.
    """
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    m = ZERO
    for p in range(n):
        for e in range(shed_indptr[stops[p]], shed_indptr[stops[p] + 1]):
            h = shed_hex[e]
            i = m  # insertion sort: a route has some dozens of entries, mostly in runs
            while i > 0 and hexes[i - 1] > h:
                hexes[i] = hexes[i - 1]
                positions[i] = positions[i - 1]
                i -= 1
            hexes[i] = h
            positions[i] = p
            m += 1
    return int(m)


@inlined
def mark_route(
    graph: Graph, other_routes: OtherRoutes, stops: NDArray[np.int32], n: int, scratch: Scratch, max_transfers: int
) -> tuple[int, int]:
    """
    List a route's entries, the first of each hex, and the positions where other routes call too.

    Parameters
    ----------
    graph, other_routes
        The stop network and the work space that `prepare_other_routes` set up.
    stops, n
        Stop indices and how many count.
    scratch
        Written.
    max_transfers
        0 or 1; without transfers no position is listed.

    Returns
    -------
    tuple of int
        Entries and positions; `unmark_route` has to follow.
    """
    row_of, hexes, meets = other_routes.row_of, scratch.hexes, scratch.meets
    m = entries_of(graph, stops, n, hexes, scratch.positions)
    for e in range(m - 1, -1, -1):  # backwards, so that the first entry of each hex stays
        scratch.first_entry[hexes[e]] = e
    n_meets = ZERO
    if max_transfers:
        for q in range(n):
            t = row_of[stops[q]]
            if t >= 0:
                meets[n_meets, 0] = q
                meets[n_meets, 1] = t
                n_meets += 1
    return m, int(n_meets)


@inlined
def unmark_route(scratch: Scratch, m: int) -> None:
    """
    Forget the first entries that `mark_route` noted.

    Parameters
    ----------
    scratch
        Written.
    m
        Entries.
    """
    for e in range(m):
        scratch.first_entry[scratch.hexes[e]] = -1


@lean_kernel
def route_gain(
    graph: Graph,
    demand: DemandRows,
    routes: Routes,
    other_routes: OtherRoutes,
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    scratch: Scratch,
    max_transfers: int,
) -> tuple[int, int]:
    """
    What a route adds to the other routes of the plan.

    A pair with one hex on the route counts in that hex's row, a pair with both in the row of the lower one.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand and the plan whose other routes were prepared.
    other_routes
        The work space that `prepare_other_routes` set up.
    stops, n, ahead_s, back_s
        The route: stop indices, how many, and running seconds, shape (M,).
    scratch
        The work space of `new_scratch`.
    max_transfers
        0 or 1.

    Returns
    -------
    tuple of int
        Trips served and people reached that the other routes do not, in 1/1024.
    """
    indptr, partner, trip_quanta, limit_s = demand.indptr, demand.partner, demand.trip_quanta, demand.limit_s
    column_of, onward_s, filled, listed = other_routes.column_of, other_routes.onward_s, other_routes.filled, other_routes.listed
    hexes, positions, best_s, first_entry = scratch.hexes, scratch.positions, scratch.best_s, scratch.first_entry
    meets, rides_s = scratch.meets, scratch.rides_s
    m, n_meets = mark_route(graph, other_routes, stops, n, scratch, max_transfers)
    columns = other_routes.counts[COLUMNS]
    served, people = 0, 0
    for way in range(onward_s.shape[0]):
        rides_from_positions(onward_s, ahead_s, back_s, n, meets, n_meets, way, columns, rides_s)
        begin = ZERO
        while begin < m:
            h = hexes[begin]
            end = begin + 1
            while end < m and hexes[end] == h:
                end += 1
            own = column_of[h]
            if own < 0 and way == 0:
                people += demand.presence[h]
            if filled[h, 0] < 0:
                fill_row(graph, demand, routes, other_routes, h, max_transfers)
            row_quanta, row_limit_s = other_routes.open_quanta[way, filled[h, 2]], other_routes.open_limit_s[way, filled[h, 2]]
            best_of_positions(rides_s, positions, begin, end, columns, best_s)
            # Rides by way of other routes are filled for all columns. Hexes of the route itself may also be reached on it alone, and each
            # pair of them counts once, in the row of the lower hex.
            for f in range(m):
                c = column_of[hexes[f]]
                if c < 0 or (f > 0 and hexes[f - 1] == hexes[f]):
                    continue
                if f < end:
                    best_s[c] = NEVER
                elif row_quanta[c] > 0 and best_s[c] > row_limit_s[c]:
                    best_s[c] = ride_to_own(ahead_s, back_s, hexes, positions, m, begin, end, f, way)
                    if best_s[c] > row_limit_s[c] and own >= 0:
                        best_s[c] = ride_by_others(onward_s, ahead_s, back_s, hexes, positions, m, meets, n_meets, own, f, way)
            for c in range(columns):
                if best_s[c] <= row_limit_s[c]:
                    served += row_quanta[c]
            # Partners without a column are reached on the route itself or not at all.
            for i in range(indptr[h] + filled[h, 1], indptr[h] + filled[h, 0]):
                e = listed[i]
                f = first_entry[partner[e]]
                if f < 0:
                    continue
                limit = limit_s[way, e]
                ride = ride_to_own(ahead_s, back_s, hexes, positions, m, begin, end, f, way)
                if ride > limit and own >= 0:
                    ride = ride_by_others(onward_s, ahead_s, back_s, hexes, positions, m, meets, n_meets, own, f, way)
                if ride <= limit:
                    served += trip_quanta[way, e]
            begin = end
    unmark_route(scratch, m)
    return served, people
