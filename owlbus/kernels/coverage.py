"""
What a set of routes serves: ride seconds between hexes, and what one route adds to the others.

Plain tuples of arrays go in, so that each kernel compiles once:

``graph``
    ``(link_indptr int64 (S+1,), link_to int32 (L,), link_s int32 (L,), link_m int32 (L,), shed_indptr int64 (S+1,),
    shed_hex int32 (W,))``, the stop network; targets are sorted within a stop.
``demand``
    ``(weight int32 (H, H), limit_s float32 (H, H), presence int64 (H,))``: weight of a trip from row to column in 1/1024
    trips, the longest ride that serves it, and people in 1/1024.
``routes``
    ``(stops int32 (K, M), n_stops int64 (K,), ahead_s float32 (K, M), back_s float32 (K, M))``: padded stop sequences with
    seconds from the first stop to each place in the forward direction, and from each place back to the first.
``rest``
    The work space of `prepare_rest` and `fill_row`, made by `new_rest`.

Seconds are whole numbers held in float32, exact below 2**24 and twice as fast to compare as int32. Weights are added as
int64, so that a sum does not depend on its order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.compiling import inner_kernel, kernel

NEVER = np.float32(1e9)
"""Seconds of a ride that does not exist."""

ZERO: Any = np.int64(0)
"""Nothing, as a value: a kernel called with the literal 0 and with a count would compile twice."""


@inner_kernel
def fill_never(row: Any, n: int) -> None:
    """
    Set the first places of a row to `NEVER`.

    Parameters
    ----------
    row
        Seconds, float32; written.
    n
        Places.
    """
    for c in range(n):
        row[c] = NEVER


@inner_kernel
def find_link(graph: Any, a: int, b: int) -> int:
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
    link_indptr, link_to = graph[0], graph[1]
    for link in range(link_indptr[a], link_indptr[a + 1]):
        if link_to[link] == b:
            return link
    return -1


@kernel
def measure_route(graph: Any, stops: Any, n: int, ahead_s: Any, back_s: Any) -> tuple[int, int]:
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
        Written: seconds from the first stop to each place, and from each place back to the first, shape (M,).

    Returns
    -------
    tuple of int
        Metres ahead and back; (-1, -1) if two stops in a row are not linked both ways.
    """
    link_s, link_m = graph[2], graph[3]
    ahead_m, back_m = 0, 0
    if n > 0:
        ahead_s[0] = 0
        back_s[0] = 0
    for p in range(1, n):
        there = find_link(graph, stops[p - 1], stops[p])
        home = find_link(graph, stops[p], stops[p - 1])
        if there < 0 or home < 0:
            return -1, -1
        ahead_s[p] = ahead_s[p - 1] + np.float32(link_s[there])
        back_s[p] = back_s[p - 1] + np.float32(link_s[home])
        ahead_m += link_m[there]
        back_m += link_m[home]
    return ahead_m, back_m


@inner_kernel
def _ride_s(ahead_s: Any, back_s: Any, p: int, q: int) -> Any:
    """Seconds on board from place `p` to place `q` of one route."""
    return ahead_s[q] - ahead_s[p] if q >= p else back_s[p] - back_s[q]


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


def new_rest(n_stops: int, n_hexes: int, n_routes: int, max_entries: int, *, symmetric: bool) -> tuple[Any, ...]:
    """
    Work space for `prepare_rest`: what one route adds to the rest of the plan.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    n_routes
        Routes K.
    max_entries
        Most (place, hex) entries that one route can have.
    symmetric
        Whether every link takes as long as its reverse; one pass then does for both directions.

    Returns
    -------
    tuple of ndarray
        The work space; its size is about ``16 * n_hexes * n_routes * max_entries`` bytes if not symmetric, half otherwise.
    """
    passes = 1 if symmetric else 2
    most = min(n_routes * max_entries, n_hexes)
    most_stops = min(n_routes * max_entries, n_stops)
    return (
        np.zeros(4, np.int64),  # columns, transfer stops, excluded route, entries
        np.full(n_hexes, -1, np.int32),  # column of each hex
        np.zeros(most, np.int32),  # hex of each column
        np.full(n_stops, -1, np.int32),  # row of each stop in `onward`
        np.zeros(most_stops, np.int32),  # stop of each such row
        np.zeros(n_stops, np.int32),  # how often the rest calls at each stop
        np.zeros((passes, most_stops, most), np.float32),  # onward: seconds between a stop and a column, one transfer included
        np.zeros((n_hexes,), np.int64),  # whether the row of a hex is filled
        np.zeros((passes, n_hexes, most), np.int32),  # weight that the rest does not serve
        np.zeros((passes, n_hexes, most), np.float32),  # longest ride that serves it
        np.full(n_hexes, -1, np.int32),  # first entry of each hex
        np.zeros((n_routes * max_entries, 3), np.int32),  # entries: route, place, next entry of the same hex
        np.zeros(most, np.float32),  # best ride of one row
    )


@kernel
def prepare_rest(graph: Any, routes: Any, rest: Any, left_out: int, transfer_s: float) -> None:
    """
    Set up what the plan serves without one route.

    Parameters
    ----------
    graph, routes
        The stop network and the plan.
    rest
        Written: the work space of `new_rest`.
    left_out
        The route to leave out, or -1 for none.
    transfer_s
        Seconds that a transfer costs.
    """
    shed_indptr, shed_hex = graph[4], graph[5]
    stops, n_stops, ahead_s, back_s = routes
    state, column_of, hex_of, row_of, stop_of, calls, onward, filled, _, _, first, entries, _ = rest
    for c in range(state[0]):
        column_of[hex_of[c]] = -1
        first[hex_of[c]] = -1
    for t in range(state[1]):
        row_of[stop_of[t]] = -1
        calls[stop_of[t]] = 0
    for h in range(filled.shape[0]):
        filled[h] = 0
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
                entries[n_entries, 2] = first[h]
                first[h] = n_entries
                n_entries += 1
    for way in range(onward.shape[0]):
        for t in range(rows):
            fill_never(onward[way, t], columns)
    for k in range(n_stops.shape[0]):
        if k == left_out:
            continue
        for p in range(n_stops[k]):
            t = row_of[stops[k, p]]
            for q in range(n_stops[k]):
                for way in range(onward.shape[0]):
                    ride = _ride_s(ahead_s[k], back_s[k], p, q) if way == 0 else _ride_s(ahead_s[k], back_s[k], q, p)
                    ride += np.float32(transfer_s)
                    for e in range(shed_indptr[stops[k, q]], shed_indptr[stops[k, q] + 1]):
                        c = column_of[shed_hex[e]]
                        onward[way, t, c] = min(onward[way, t, c], ride)
    state[0] = columns
    state[1] = rows
    state[2] = left_out
    state[3] = n_entries


@inner_kernel
def fill_row(graph: Any, demand: Any, routes: Any, rest: Any, h: int, max_transfers: int) -> None:
    """
    Gather the demand between hex `h` and the columns that the rest does not serve.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand and the plan.
    rest
        Read and written: the work space that `prepare_rest` set up.
    h
        Hex index.
    max_transfers
        0 or 1.
    """
    shed_indptr, shed_hex = graph[4], graph[5]
    weight, limit_s, _ = demand
    stops, n_stops, ahead_s, back_s = routes
    state, column_of, hex_of, row_of, _, calls, onward, filled, open_weight, open_limit, first, entries, best = rest
    columns = state[0]
    passes = onward.shape[0]
    filled[h] = 1
    for way in range(passes):
        for c in range(columns):
            j = hex_of[c]
            if passes == 1:
                open_weight[way, h, c] = weight[h, j] + weight[j, h]
                open_limit[way, h, c] = limit_s[h, j]
            elif way == 0:
                open_weight[way, h, c] = weight[h, j]
                open_limit[way, h, c] = limit_s[h, j]
            else:
                open_weight[way, h, c] = weight[j, h]
                open_limit[way, h, c] = limit_s[j, h]
        if column_of[h] < 0:
            continue
        fill_never(best, columns)
        e = first[h]
        while e >= 0:
            k, p = entries[e, 0], entries[e, 1]
            for q in range(n_stops[k]):
                ride = _ride_s(ahead_s[k], back_s[k], p, q) if way == 0 else _ride_s(ahead_s[k], back_s[k], q, p)
                stop = stops[k, q]
                for f in range(shed_indptr[stop], shed_indptr[stop + 1]):
                    c = column_of[shed_hex[f]]
                    best[c] = min(best[c], ride)
                if max_transfers and calls[stop] > 1:
                    further = onward[way, row_of[stop]]
                    for c in range(columns):
                        best[c] = min(best[c], ride + further[c])
            e = entries[e, 2]
        for c in range(columns):
            if best[c] <= open_limit[way, h, c]:
                open_weight[way, h, c] = 0


@inner_kernel
def entries_of(graph: Any, stops: Any, n: int, hexes: Any, places: Any) -> int:
    """
    Fill the (hex, place) entries of a route, sorted by hex then place.

    Parameters
    ----------
    graph
        The stop network.
    stops, n
        Stop indices and how many count.
    hexes, places
        Written: hex and place of each entry, int32 (E,).

    Returns
    -------
    int
        How many entries there are.
    """
    shed_indptr, shed_hex = graph[4], graph[5]
    m = ZERO
    for p in range(n):
        for e in range(shed_indptr[stops[p]], shed_indptr[stops[p] + 1]):
            h = shed_hex[e]
            at = m
            while at > 0 and hexes[at - 1] > h:
                hexes[at] = hexes[at - 1]
                places[at] = places[at - 1]
                at -= 1
            hexes[at] = h
            places[at] = p
            m += 1
    return int(m)


@inner_kernel
def changed_ride(rest: Any, way: int, c: int, stops: Any, n: int, ahead_s: Any, back_s: Any, begin: int, end: int, places: Any) -> Any:
    """
    Fastest ride that begins on the rest of the plan and changes onto a route.

    Parameters
    ----------
    rest
        The work space that `prepare_rest` set up.
    way
        Which rows of `onward` lead from a hex to a stop: 1, or 0 where every link takes as long as its reverse.
    c
        Column of the hex where the rest is boarded.
    stops, n, ahead_s, back_s
        The route.
    begin, end, places
        Entries of the hex where the ride ends.

    Returns
    -------
    float32
        Seconds, the transfer included; `NEVER` if there is no such ride.
    """
    row_of, onward = rest[3], rest[6]
    ride = NEVER
    for q in range(n):
        t = row_of[stops[q]]
        if t >= 0:
            for f in range(begin, end):
                ride = min(ride, onward[way, t, c] + _ride_s(ahead_s, back_s, q, places[f]))
    return ride


@kernel
def route_gain(
    graph: Any, demand: Any, routes: Any, rest: Any, stops: Any, n: int, ahead_s: Any, back_s: Any, scratch: Any, max_transfers: int
) -> tuple[int, int]:
    """
    What a route adds to the rest of the plan.

    A pair with one hex on the route counts in that hex's row. A pair with both hexes on the route counts in the row of its
    origin, unless one hex lies off the rest of the plan: then in that hex's row.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand and the plan whose rest was prepared.
    rest
        The work space that `prepare_rest` set up.
    stops, n, ahead_s, back_s
        The route: stop indices, how many, and running seconds, shape (M,).
    scratch
        ``(hexes int32 (E,), places int32 (E,), best float32 (C,))``, overwritten.
    max_transfers
        0 or 1.

    Returns
    -------
    tuple of int
        Trips served that the rest does not serve, and people reached that the rest does not reach, in 1/1024.
    """
    weight, limit_s, presence = demand
    state, column_of, _, row_of, _, _, onward, filled, open_weight, open_limit, _, _, _ = rest
    hexes, places, best = scratch
    columns = state[0]
    passes = onward.shape[0]
    m = entries_of(graph, stops, n, hexes, places)
    served, people = 0, 0
    begin = ZERO
    while begin < m:
        h = hexes[begin]
        end = begin + 1
        while end < m and hexes[end] == h:
            end += 1
        own = column_of[h]
        if own < 0:
            people += presence[h]
        if not filled[h]:
            fill_row(graph, demand, routes, rest, h, max_transfers)
        for way in range(passes):
            row_weight = open_weight[way, h]
            row_limit = open_limit[way, h]
            fill_never(best, columns)
            if max_transfers:
                for q in range(n):
                    t = row_of[stops[q]]
                    if t >= 0:
                        ride = NEVER
                        for e in range(begin, end):
                            p = places[e]
                            ride = min(ride, _ride_s(ahead_s, back_s, p, q) if way == 0 else _ride_s(ahead_s, back_s, q, p))
                        further = onward[way, t]
                        for c in range(columns):
                            best[c] = min(best[c], ride + further[c])
            on_route = 0
            f = ZERO
            while f < m:
                j = hexes[f]
                first = f
                direct = NEVER
                while f < m and hexes[f] == j:
                    for e in range(begin, end):
                        p, q = places[e], places[f]
                        direct = min(direct, _ride_s(ahead_s, back_s, p, q) if way == 0 else _ride_s(ahead_s, back_s, q, p))
                    f += 1
                c = column_of[j]
                if c < 0:
                    if own < 0 and way == 0 and direct <= limit_s[h, j]:
                        on_route += weight[h, j]
                    continue
                best[c] = min(best[c], direct)
                if own < 0:
                    continue
                if way == 1:
                    if best[c] <= row_limit[c]:
                        on_route -= row_weight[c]
                    continue
                if max_transfers and row_weight[c] > 0 and best[c] > row_limit[c]:
                    best[c] = changed_ride(rest, passes - 1, own, stops, n, ahead_s, back_s, first, f, places)
                if passes == 1 and row_weight[c] > 0 and best[c] <= row_limit[c]:
                    on_route -= weight[j, h]
            total = 0
            for c in range(columns):
                if best[c] <= row_limit[c]:
                    total += row_weight[c]
            served += total + on_route
        begin = end
    return served, people
