"""
What a set of routes serves: ride seconds between hexes, and what one route adds to the others.

Plain tuples of arrays go in, so that each kernel compiles once:

``graph``
    ``(link_indptr int64 (S+1,), link_to int32 (L,), link_s int32 (L,), link_m int32 (L,), shed_indptr int64 (S+1,),
    shed_hex int32 (W,))``, the stop network; targets are sorted within a stop.
``demand``
    ``(indptr int64 (H+1,), partner int32 (P,), weight int32 (W, P), limit_s float32 (W, P), presence int64 (H,))``: the hexes that each
    hex has trips with, ascending; their weight in 1/1024 trips, the longest ride that serves them, and people in 1/1024. Each pair
    stands in the rows of both its hexes. Where every link takes as long as its reverse W is 1, and a weight counts the trips of both
    directions; else W is 2: first those that begin in the hex of the row, then those that end there.
``routes``
    ``(stops int32 (K, M), n_stops int64 (K,), ahead_s float32 (K, M), back_s float32 (K, M))``: padded stop sequences with
    seconds from the first stop to each place in the forward direction, and from each place back to the first.
``other_routes``
    The work space of `prepare_other_routes` and `fill_row`, made by `new_other_routes`.
``scratch``
    The work space of `route_gain`, made by `new_scratch`.

Seconds are whole numbers held in float32, exact below 2**24 and twice as fast to compare as int32. Weights are added as
int64, so that a sum does not depend on its order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.jit import inlined, inner_kernel, lean_kernel

NEVER = np.float32(1e9)
"""Seconds of a ride that does not exist."""

ZERO: Any = np.int64(0)
"""Nothing, as a value: a kernel called with the literal 0 and with a count would compile twice."""


@inlined
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


@inlined
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
        if link_to[link] >= b:
            return link if link_to[link] == b else -1
    return -1


@inlined
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
        Written: seconds from the first stop to each place, and from each place back to the first, shape (M,), M >= 1.

    Returns
    -------
    tuple of int
        Metres ahead and back; (-1, -1) if two stops in a row are not linked both ways.
    """
    link_s, link_m = graph[2], graph[3]
    ahead_m, back_m = 0, 0
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


@inlined
def _ride_s(ahead_s: Any, back_s: Any, p: int, q: int) -> Any:
    """Seconds on board from place `p` to place `q` of one route."""
    return ahead_s[q] - ahead_s[p] if q >= p else back_s[p] - back_s[q]


@inlined
def ride_by(ahead_s: Any, back_s: Any, p: int, q: int, way: int) -> Any:
    """
    Seconds on board between two places of one route.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    p, q
        Places.
    way
        0 from the first to the second, 1 from the second to the first.

    Returns
    -------
    float32
        Seconds.
    """
    return _ride_s(ahead_s, back_s, p, q) if way == 0 else _ride_s(ahead_s, back_s, q, p)


def new_other_routes(n_stops: int, n_hexes: int, n_routes: int, max_entries: int, pairs: tuple[int, int]) -> tuple[Any, ...]:
    """
    Work space for `prepare_other_routes`: what one route adds to the rest of the plan.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    n_routes
        Routes K.
    max_entries
        Most (place, hex) entries that one route can have.
    pairs
        Shape (W, P) of the weights in ``demand``.

    Returns
    -------
    tuple of ndarray
        The work space; what is touched of it is about ``8 * W * H * C + 4 * W * C * T`` bytes for the C hexes and T stops that the
        rest of a plan reaches.
    """
    most = min(n_routes * max_entries, n_hexes)
    most_stops = min(n_routes * max_entries, n_stops)
    return (
        np.zeros(4, np.int64),  # columns, stops, entries, times prepared
        np.full(n_hexes, -1, np.int32),  # column of each hex
        np.zeros(most, np.int32),  # hex of each column
        np.full(n_stops, -1, np.int32),  # row of each stop in `onward`
        np.zeros(most_stops, np.int32),  # stop of each such row
        np.zeros(n_stops, np.int32),  # how often the rest calls at each stop
        np.zeros((pairs[0], most_stops, most), np.float32),  # onward: seconds between a stop and a column, one transfer included
        np.full((n_hexes, 2), -1, np.int64),  # partners of each hex beside the columns, -1 until filled, and how many of them are lower
        np.zeros((pairs[0], n_hexes, most + 1), np.int32),  # weight of each hex with the columns that the rest does not serve
        np.zeros((pairs[0], n_hexes, most + 1), np.float32),  # longest ride that serves it
        np.zeros(pairs[1] + 1, np.int32),  # in each row of `demand`: its partners beside the columns, as places in `partner`
        np.full(n_hexes, -1, np.int32),  # first entry of each hex
        np.zeros((n_routes * max_entries, 3), np.int32),  # entries: route, place, next entry of the same hex
        np.zeros(most, np.float32),  # best ride of one row
    )


def new_scratch(n_hexes: int, max_entries: int, max_stops: int) -> tuple[Any, ...]:
    """
    Work space for `route_gain`.

    Parameters
    ----------
    n_hexes
        Hexes H of the network.
    max_entries
        Most (place, hex) entries that one route can have.
    max_stops
        Most stops of a route.

    Returns
    -------
    tuple of ndarray
        Hex and place of each entry, best ride by column, first entry of each hex, -1 between calls; and for each place where the
        rest calls too: the place and its row in `other_routes`; and rides between places and columns.
    """
    return (
        np.zeros(max_entries, np.int32),
        np.zeros(max_entries, np.int32),
        np.zeros(n_hexes, np.float32),
        np.full(n_hexes, -1, np.int32),
        np.zeros((max_stops, 2), np.int32),
        np.zeros((max_stops, n_hexes), np.float32),
    )


@lean_kernel
def prepare_other_routes(graph: Any, routes: Any, other_routes: Any, left_out: int, transfer_s: float) -> None:
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
    shed_indptr, shed_hex = graph[4], graph[5]
    stops, n_stops, ahead_s, back_s = routes
    state, column_of, hex_of, row_of, stop_of, calls, onward, filled, _, _, _, first, entries, _ = other_routes
    for c in range(state[0]):
        column_of[hex_of[c]] = -1
        first[hex_of[c]] = -1
    for t in range(state[1]):
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
                    ride = ride_by(ahead_s[k], back_s[k], p, q, way) + np.float32(transfer_s)
                    for e in range(shed_indptr[stops[k, q]], shed_indptr[stops[k, q] + 1]):
                        c = column_of[shed_hex[e]]
                        onward[way, t, c] = min(onward[way, t, c], ride)
    state[0] = columns
    state[1] = rows
    state[2] = n_entries
    state[3] += 1


@inner_kernel
def fill_row(graph: Any, demand: Any, routes: Any, other_routes: Any, h: int, max_transfers: int) -> None:
    """
    Gather the demand of hex `h` that the rest does not serve: side by side with the columns, and listed with other hexes.

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
    indptr, partner, weight, limit_s, _ = demand
    column_of, filled, open_weight, open_limit, other_of, best = (
        other_routes[1],
        other_routes[7],
        other_routes[8],
        other_routes[9],
        other_routes[10],
        other_routes[13],
    )
    columns, begin, others, lower = other_routes[0][0], indptr[h], ZERO, ZERO
    for way in range(open_weight.shape[0]):
        for c in range(columns):
            open_weight[way, h, c] = 0
    for e in range(begin, indptr[h + 1]):
        c = column_of[partner[e]]
        beside = 1 if c < 0 else 0
        other_of[begin + others] = e
        others += beside
        lower += beside if partner[e] < h else 0
        c = columns if c < 0 else c  # one place more than there are columns, which nobody reads
        for way in range(open_weight.shape[0]):
            open_weight[way, h, c] = weight[way, e]
            open_limit[way, h, c] = limit_s[way, e]
    if column_of[h] >= 0 and others < indptr[h + 1] - begin:
        for way in range(open_weight.shape[0]):
            _rides_of_rest(graph, routes, other_routes, h, way, max_transfers, best)
            for c in range(columns):
                if best[c] <= open_limit[way, h, c]:
                    open_weight[way, h, c] = 0
    filled[h, 0] = others
    filled[h, 1] = lower


@inlined
def _rides_of_rest(graph: Any, routes: Any, other_routes: Any, h: int, way: int, max_transfers: int, best: Any) -> None:
    """Fill the best ride between a hex that the rest reaches and every column, on the rest alone."""
    shed_indptr, shed_hex = graph[4], graph[5]
    stops, n_stops, ahead_s, back_s = routes
    state, column_of, _, row_of, _, calls, onward, _, _, _, _, first, entries, _ = other_routes
    columns = state[0]
    fill_never(best, columns)
    e = first[h]
    while e >= 0:
        k, p = entries[e, 0], entries[e, 1]
        for q in range(n_stops[k]):
            ride = ride_by(ahead_s[k], back_s[k], p, q, way)
            stop = stops[k, q]
            for f in range(shed_indptr[stop], shed_indptr[stop + 1]):
                c = column_of[shed_hex[f]]
                best[c] = min(best[c], ride)
            if max_transfers and calls[stop] > 1:
                further = onward[way, row_of[stop]]
                for c in range(columns):
                    best[c] = min(best[c], ride + further[c])
        e = entries[e, 2]


@inlined
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


@inlined
def mark_route(graph: Any, other_routes: Any, stops: Any, n: int, scratch: Any, max_transfers: int) -> tuple[int, int]:
    """
    List a route's entries, the first of each hex, and the places where the rest calls too.

    Parameters
    ----------
    graph, other_routes
        The stop network and the work space that `prepare_other_routes` set up.
    stops, n
        Stop indices and how many count.
    scratch
        Written.
    max_transfers
        0 or 1; without transfers no place is listed.

    Returns
    -------
    tuple of int
        Entries and places; `unmark_route` has to follow.
    """
    row_of = other_routes[3]
    hexes, places, _, at, meets, _ = scratch
    m = entries_of(graph, stops, n, hexes, places)
    for e in range(m - 1, -1, -1):
        at[hexes[e]] = e
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
def unmark_route(scratch: Any, m: int) -> None:
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
        scratch[3][scratch[0][e]] = -1


@inlined
def ride_to_place(ahead_s: Any, back_s: Any, places: Any, begin: int, end: int, q: int, way: int) -> Any:
    """
    Fastest ride between a hex of a route and a place on it.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    places, begin, end
        Places of the entries, and which of them are the hex's.
    q
        Place.
    way
        0 from the hex, 1 to it.

    Returns
    -------
    float32
        Seconds.
    """
    ride = NEVER
    for e in range(begin, end):
        ride = min(ride, ride_by(ahead_s, back_s, places[e], q, way))
    return ride


@inlined
def ride_to_own(ahead_s: Any, back_s: Any, hexes: Any, places: Any, m: int, begin: int, end: int, f: int, way: int) -> Any:
    """
    Fastest ride between two hexes of a route, on it alone.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    hexes, places, m
        Hex and place of each entry, and how many count.
    begin, end
        Entries of the first hex.
    f
        First entry of the second hex.
    way
        0 from the first hex, 1 to it.

    Returns
    -------
    float32
        Seconds.
    """
    ride = NEVER
    last = f
    while last < m and hexes[last] == hexes[f]:
        ride = min(ride, ride_to_place(ahead_s, back_s, places, begin, end, places[last], way))
        last += 1
    return ride


@inlined
def ride_by_others(
    onward: Any, ahead_s: Any, back_s: Any, hexes: Any, places: Any, m: int, meets: Any, n_meets: int, own: int, f: int, way: int
) -> Any:
    """
    Fastest ride between two hexes of a route: by the rest first, and onto the route at a place where both call.

    Parameters
    ----------
    onward
        Seconds between a stop and a column, of `other_routes`.
    ahead_s, back_s
        Running seconds of the route.
    hexes, places, m
        Hex and place of each entry, and how many count.
    meets, n_meets
        Places where the rest calls too, and how many count.
    own
        Column of the first hex.
    f
        First entry of the second hex.
    way
        0 from the first hex, 1 to it.

    Returns
    -------
    float32
        Seconds, a transfer included.
    """
    start = onward[onward.shape[0] - 1 - way]
    ride = NEVER
    last = f
    while last < m and hexes[last] == hexes[f]:
        for i in range(n_meets):
            ride = min(ride, start[meets[i, 1], own] + ride_by(ahead_s, back_s, meets[i, 0], places[last], way))
        last += 1
    return ride


@inlined
def rides_from_places(onward: Any, ahead_s: Any, back_s: Any, n: int, meets: Any, n_meets: int, way: int, columns: int, rides: Any) -> None:
    """
    Fill the fastest rides between the places of a route and the columns, with a transfer between the route and the rest.

    A ride on from a place begins there or at a place beside it, so two passes along the route find them all.

    Parameters
    ----------
    onward
        Seconds between a stop and a column, of `other_routes`.
    ahead_s, back_s, n
        Running seconds of the route, and how many places count.
    meets, n_meets
        Places where the rest calls too, in order, and how many count.
    way
        0 from the place, 1 to it.
    columns
        How many columns count.
    rides
        Written: seconds, the transfer included, float32 (M, C); `NEVER` or more if there is no such ride.
    """
    met = ZERO
    for p in range(n):
        if p == 0:
            fill_never(rides[p], columns)
        else:
            step = ride_by(ahead_s, back_s, p, p - 1, way)
            for c in range(columns):
                rides[p, c] = rides[p - 1, c] + step
        if met < n_meets and meets[met, 0] == p:
            further = onward[way, meets[met, 1]]
            for c in range(columns):
                rides[p, c] = min(rides[p, c], further[c])
            met += 1
    for p in range(n - 2, -1, -1):
        step = ride_by(ahead_s, back_s, p, p + 1, way)
        for c in range(columns):
            rides[p, c] = min(rides[p, c], rides[p + 1, c] + step)


@inlined
def best_of_places(rides: Any, places: Any, begin: int, end: int, columns: int, best: Any) -> None:
    """
    Fill the fastest rides between a hex of a route and the columns.

    Parameters
    ----------
    rides
        What `rides_from_places` filled.
    places, begin, end
        Places of the entries, and which of them are the hex's.
    columns
        How many columns count.
    best
        Written: seconds, float32 (C,).
    """
    for c in range(columns):
        best[c] = rides[places[begin], c]
    for e in range(begin + 1, end):
        for c in range(columns):
            best[c] = min(best[c], rides[places[e], c])


@lean_kernel
def route_gain(
    graph: Any, demand: Any, routes: Any, other_routes: Any, stops: Any, n: int, ahead_s: Any, back_s: Any, scratch: Any, max_transfers: int
) -> tuple[int, int]:
    """
    What a route adds to the rest of the plan.

    A pair with one hex on the route counts in that hex's row, a pair with both in the row of the lower one.

    Parameters
    ----------
    graph, demand, routes
        The stop network, the demand and the plan whose rest was prepared.
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
        Trips served that the rest does not serve, and people reached that the rest does not reach, in 1/1024.
    """
    indptr, partner, weight, limit_s, presence = demand
    state, column_of, _, _, _, _, onward, filled, open_weight, open_limit, other_of, _, _, _ = other_routes
    hexes, places, best, at, meets, rides = scratch
    m, n_meets = mark_route(graph, other_routes, stops, n, scratch, max_transfers)
    columns = state[0]
    served, people = 0, 0
    for way in range(onward.shape[0]):
        rides_from_places(onward, ahead_s, back_s, n, meets, n_meets, way, columns, rides)
        begin = ZERO
        while begin < m:
            h = hexes[begin]
            end = begin + 1
            while end < m and hexes[end] == h:
                end += 1
            own = column_of[h]
            if own < 0 and way == 0:
                people += presence[h]
            if filled[h, 0] < 0:
                fill_row(graph, demand, routes, other_routes, h, max_transfers)
            row_weight, row_limit = open_weight[way, h], open_limit[way, h]
            best_of_places(rides, places, begin, end, columns, best)
            for f in range(m):
                c = column_of[hexes[f]]
                if c < 0 or (f > 0 and hexes[f - 1] == hexes[f]):
                    continue
                if f < end:
                    best[c] = NEVER
                elif row_weight[c] > 0 and best[c] > row_limit[c]:
                    best[c] = ride_to_own(ahead_s, back_s, hexes, places, m, begin, end, f, way)
                    if best[c] > row_limit[c] and own >= 0:
                        best[c] = ride_by_others(onward, ahead_s, back_s, hexes, places, m, meets, n_meets, own, f, way)
            for c in range(columns):
                if best[c] <= row_limit[c]:
                    served += row_weight[c]
            for at_other in range(indptr[h] + filled[h, 1], indptr[h] + filled[h, 0]):
                e = other_of[at_other]
                f = at[partner[e]]
                if f < 0:
                    continue
                limit = limit_s[way, e]
                ride = ride_to_own(ahead_s, back_s, hexes, places, m, begin, end, f, way)
                if ride > limit and own >= 0:
                    ride = ride_by_others(onward, ahead_s, back_s, hexes, places, m, meets, n_meets, own, f, way)
                if ride <= limit:
                    served += weight[way, e]
            begin = end
    unmark_route(scratch, m)
    return served, people
