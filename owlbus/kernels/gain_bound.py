"""
What a changed route can add at most, from what the unchanged one adds: most moves are refused on this alone.

A move keeps most stops. What leaves with the others is known from the unchanged route; what can come is bounded by what each new stop
could bring at best, by what a new place to change could open, and by the rides that a shortcut makes short enough. None of these depends
on the move beyond its stops, so each is computed once and looked up ever after, until the route changes.

Arrays as in `owlbus.kernels.coverage`, ``drive`` as in `owlbus.kernels.anneal`; ``route_cache`` is the work space of
`owlbus.kernels.route_cache`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.coverage import (
    NEVER,
    ZERO,
    fill_never,
    fill_row,
    ride_by,
)
from owlbus.kernels.jit import inlined, inner_kernel
from owlbus.kernels.route_cache import MOST_NEW, SHORTCUT_S, SHORTCUTS


@inlined
def _shortening_s(route_cache: Any, old_ahead_s: Any, old_back_s: Any, stops: Any, n: int, ahead_s: Any, back_s: Any) -> tuple[Any, int]:
    """Seconds by which rides between kept stops get shorter at most, -1 if their order changes; new stops and kept places are noted."""
    place_of, (_, _, kept), (new_stops, _, _) = route_cache[3], route_cache[15], route_cache[16]
    last, last_place, way, n_new = -1, -1, 0, 0
    there, home = np.float32(0), np.float32(0)
    for p in range(n):
        place = place_of[stops[p]]
        if place < 0:
            if n_new < MOST_NEW:
                new_stops[n_new] = stops[p]
            n_new += 1
            continue
        kept[place] = 1
        if last >= 0 and way != 2:
            step = 1 if place > last_place else -1
            way = step if way in (0, step) else 2
            there += max(np.float32(0), ride_by(old_ahead_s, old_back_s, last_place, place, 0) - (ahead_s[p] - ahead_s[last]))
            home += max(np.float32(0), ride_by(old_ahead_s, old_back_s, last_place, place, 1) - (back_s[p] - back_s[last]))
        last, last_place = p, place
    return (np.float32(-1) if way == 2 or n_new > MOST_NEW else max(there, home)), n_new


@inlined
def gain_bound(
    graph: Any,
    demand: Any,
    drive: Any,
    routes: Any,
    other_routes: Any,
    route_cache: Any,
    old_served: int,
    old_people: int,
    old_ahead_s: Any,
    old_back_s: Any,
    stops: Any,
    n: int,
    ahead_s: Any,
    back_s: Any,
    transfers: int,
) -> tuple[int, int, bool]:
    """
    Bound what a changed route adds to the rest of the plan.

    Parameters
    ----------
    graph, demand, drive, routes, other_routes, transfers
        As in `hold_route` and `owlbus.kernels.anneal`.
    route_cache
        What `hold_route` remembers of the route before the change.
    old_served, old_people, old_ahead_s, old_back_s
        What the route added before, in 1/1024, and its running seconds.
    stops, n, ahead_s, back_s
        The changed route.

    Returns
    -------
    tuple
        Trips at most and people exactly, in 1/1024; and whether they were found: not if stops changed order or too much changed.
    """
    state, old_stops, (is_new, lost_places, kept), lists = route_cache[0], route_cache[4], route_cache[15], route_cache[16]
    shorter_s, n_new = _shortening_s(route_cache, old_ahead_s, old_back_s, stops, n, ahead_s, back_s)
    step = int((shorter_s + SHORTCUT_S - 1) / SHORTCUT_S)
    found = shorter_s >= 0 and step <= SHORTCUTS
    served, people = old_served, old_people
    if found:
        n_hexes = ZERO
        for i in range(n_new):
            for e in range(graph[4][lists[0][i]], graph[4][lists[0][i] + 1]):
                h = graph[5][e]
                if not is_new[h] and n_hexes < lists[1].shape[0]:
                    is_new[h] = 1
                    lists[1][n_hexes] = h
                    n_hexes += 1
        n_lost = _lost_rows(graph, route_cache)
        served -= _loss(other_routes, route_cache, n_lost)
        people += _people_change(demand, other_routes, route_cache, n_hexes, n_lost)
        served += route_cache[11][step] + _most_news(graph, demand, drive, routes, other_routes, route_cache, n_new, n_hexes, transfers)
        for i in range(n_hexes):
            is_new[lists[1][i]] = 0
        for i in range(n_lost):
            route_cache[17][lists[2][i]] = 0
        for p in range(state[1]):
            if not kept[p]:
                for e in range(graph[4][old_stops[p]], graph[4][old_stops[p] + 1]):
                    lost_places[graph[5][e]] = 0
    for p in range(state[1]):
        kept[p] = 0
    return served, people, found


@inlined
def _lost_rows(graph: Any, route_cache: Any) -> int:
    """List the rows none of whose stops stays."""
    state, row_of, old_stops, first_of = route_cache[0], route_cache[2], route_cache[4], route_cache[5]
    (_, lost_places, kept), lost, is_lost = route_cache[15], route_cache[16][2], route_cache[17]
    n_lost = ZERO
    for p in range(state[1]):
        if kept[p]:
            continue
        for e in range(graph[4][old_stops[p]], graph[4][old_stops[p] + 1]):
            h = graph[5][e]
            row = row_of[h]
            lost_places[h] += 1
            if lost_places[h] == first_of[row + 1] - first_of[row]:
                lost[n_lost] = row
                is_lost[row] = 1
                n_lost += 1
    return n_lost


@inlined
def _loss(other_routes: Any, route_cache: Any, n_lost: int) -> int:
    """Trips that surely go with the lost rows."""
    row_hex, trips, pair_of, pairs = route_cache[1], route_cache[7], route_cache[8], route_cache[9]
    is_new, lost, is_lost = route_cache[15][0], route_cache[16][2], route_cache[17]
    total = 0
    for i in range(n_lost):
        row = lost[i]
        h = row_hex[row]
        total += trips[row]
        elsewhere = other_routes[1][h] >= 0 and not is_new[h]
        at = pair_of[row]
        while at >= 0:
            other = pairs[at, 0]
            # A pair that stands in two lost rows, or one that a transfer may still serve, is not lost here.
            if (is_lost[other] and other < row) or (elsewhere and not is_lost[other]):
                total -= pairs[at, 1]
            at = pairs[at, 2]
    return total


@inlined
def _people_change(demand: Any, other_routes: Any, route_cache: Any, n_hexes: int, n_lost: int) -> int:
    """People that come with new hexes less those that go with lost ones."""
    presence, column_of = demand[4], other_routes[1]
    row_hex, row_of, is_new, (_, new_hexes, lost) = route_cache[1], route_cache[2], route_cache[15][0], route_cache[16]
    total = 0
    for i in range(n_hexes):
        if row_of[new_hexes[i]] < 0 and column_of[new_hexes[i]] < 0:
            total += presence[new_hexes[i]]
    for i in range(n_lost):
        h = row_hex[lost[i]]
        if not is_new[h] and column_of[h] < 0:
            total -= presence[h]
    return total


@inlined
def _most_news(
    graph: Any, demand: Any, drive: Any, routes: Any, other_routes: Any, route_cache: Any, n_new: int, n_hexes: int, transfers: int
) -> int:
    """Trips that new stops can bring at most: by their own hexes, and by changing there."""
    shed_indptr, shed_hex, row_of = graph[4], graph[5], other_routes[3]
    state, stop_gains, meet_gains, (new_stops, new_hexes, _), came = (
        route_cache[0],
        route_cache[13],
        route_cache[14],
        route_cache[16],
        route_cache[19],
    )
    total, meets = 0, 0
    for i in range(n_new):
        stop = new_stops[i]
        if transfers and row_of[stop] >= 0:
            meets += 1
            if meet_gains[stop, 1] != state[5]:
                _fill_meet_gain(drive, other_routes, route_cache, stop)
            total += meet_gains[stop, 0]
    kept = 1 if meets > 0 and n_new > 1 else 0
    for i in range(n_new):
        stop = new_stops[i]
        if stop_gains[stop, 2] != state[6]:
            _fill_stop_gain(graph, demand, drive, routes, other_routes, route_cache, stop, transfers)
        elif stop_gains[stop, 3] < state[8]:
            _add_joined(graph, drive[0], other_routes, route_cache, stop)
        total += stop_gains[stop, kept]
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            total += came[shed_hex[e]]
    for i in range(n_hexes):
        for other in range(i):
            total += _pair_trips(demand[0], demand[1], demand[2], new_hexes[i], new_hexes[other])
    return total


@inlined
def _pair_trips(indptr: Any, partner: Any, weight: Any, h: int, j: int) -> int:
    """All trips between two hexes."""
    low, high = indptr[h], indptr[h + 1]
    end = high
    while low < high:
        middle = (low + high) // 2
        if partner[middle] < j:
            low = middle + 1
        else:
            high = middle
    if low == end or partner[low] != j:
        return 0
    total = 0
    for way in range(weight.shape[0]):
        total += weight[way, low]
    return total


@inner_kernel
def _fill_stop_gain(
    graph: Any, demand: Any, drive: Any, routes: Any, other_routes: Any, route_cache: Any, stop: int, transfers: int
) -> None:
    """
    Note the trips that a stop's hexes can bring: by the places to change that the route has, and by any others.

    The sum of trips with hexes that came onto the route is taken off, since what it has grown to is added at each look.
    """
    alone, anywhere, gains, came = 0, 0, route_cache[13], route_cache[19]
    for e in range(graph[4][stop], graph[4][stop + 1]):
        h = graph[5][e]
        if other_routes[7][h, 0] < 0:
            fill_row(graph, demand, routes, other_routes, h, transfers)
        alone -= came[h]
        anywhere -= came[h]
    for way in range(other_routes[6].shape[0]):
        _reach_columns(drive[0], other_routes, route_cache, stop, way)
        for e in range(graph[4][stop], graph[4][stop + 1]):
            one, other = _hex_gain(demand, other_routes, route_cache, graph[5][e], way)
            alone += one
            anywhere += other
    gains[stop, 0], gains[stop, 1], gains[stop, 2], gains[stop, 3] = alone, anywhere, route_cache[0][6], route_cache[0][8]


@inner_kernel
def _add_joined(graph: Any, towards_s: Any, other_routes: Any, route_cache: Any, stop: int) -> None:
    """Add to what a stop can bring the trips by places where the route came to meet the rest since that was noted."""
    columns, row_of, onward, open_weight, open_limit = (
        other_routes[0][0],
        other_routes[3],
        other_routes[6],
        other_routes[8],
        other_routes[9],
    )
    gains, joined, total = route_cache[13], route_cache[20], 0
    for way in range(onward.shape[0]):
        for i in range(gains[stop, 3], route_cache[0][8]):
            q = joined[i]
            ride = np.float32(towards_s[q, stop] if way == 0 else towards_s[stop, q])
            further = onward[way, row_of[q]]
            for e in range(graph[4][stop], graph[4][stop + 1]):
                row_weight, row_limit = open_weight[way, graph[5][e]], open_limit[way, graph[5][e]]
                for c in range(columns):
                    if ride + further[c] <= row_limit[c]:
                        total += row_weight[c]
    gains[stop, 0] += total
    gains[stop, 3] = route_cache[0][8]


@inlined
def _reach_columns(towards_s: Any, other_routes: Any, route_cache: Any, stop: int, way: int) -> None:
    """Fill the fastest rides between a stop and the columns if it were on the route, none for a column on the route."""
    columns, column_of, onward, reach = other_routes[0][0], other_routes[1], other_routes[6], route_cache[18]
    state, row_hex, old_stops, old_meets = route_cache[0], route_cache[1], route_cache[4], route_cache[12]
    fill_never(reach, columns)
    for i in range(state[4]):  # not by a change at the stop itself: what rides from there on the rest serve is not open
        q = old_stops[old_meets[i, 0]]
        ride = np.float32(towards_s[q, stop] if way == 0 else towards_s[stop, q])
        further = onward[way, old_meets[i, 1]]
        for c in range(columns):
            reach[c] = min(reach[c], ride + further[c])
    for row in range(state[0]):
        if column_of[row_hex[row]] >= 0:
            reach[column_of[row_hex[row]]] = 0


@inlined
def _hex_gain(demand: Any, other_routes: Any, route_cache: Any, h: int, way: int) -> tuple[int, int]:
    """As `_fill_stop_gain`, of one of its hexes in one direction."""
    indptr, partner, weight = demand[0], demand[1], demand[2]
    filled, row_weight, row_limit, other_of = other_routes[7], other_routes[8][way, h], other_routes[9][way, h], other_routes[10]
    row_of, reach = route_cache[2], route_cache[18]
    alone, anywhere = 0, 0
    for c in range(other_routes[0][0]):
        anywhere += row_weight[c]
        if reach[c] <= row_limit[c]:
            alone += row_weight[c]
    for at_other in range(indptr[h], indptr[h] + filled[h, 0]):
        e = other_of[at_other]
        if row_of[partner[e]] >= 0:
            alone += weight[way, e]
            anywhere += weight[way, e]
    return alone, anywhere


@inner_kernel
def _fill_meet_gain(drive: Any, other_routes: Any, route_cache: Any, stop: int) -> None:
    """Note the trips of the route's own hexes that changing at a stop can serve at most."""
    gains, towards_s = route_cache[14], drive[0]
    onward, old_stops, first_of, old_places, misses, (miss_trips, miss_limit) = (
        other_routes[6],
        route_cache[4],
        route_cache[5],
        route_cache[6],
        route_cache[10],
        route_cache[21],
    )
    t, total = other_routes[3][stop], 0
    row, there, home = -1, NEVER, NEVER
    for i in range(route_cache[0][3]):
        if misses[i, 0] != row:
            row = misses[i, 0]
            there, home = NEVER, NEVER
            for e in range(first_of[row], first_of[row + 1]):
                there = min(there, np.float32(towards_s[stop, old_stops[old_places[e]]]))
                home = min(home, np.float32(towards_s[old_stops[old_places[e]], stop]))
        c, way = misses[i, 1], misses[i, 2]
        ride = there if way == 0 else home
        if ride + onward[way, t, c] <= miss_limit[i]:
            total += miss_trips[i]
    gains[stop, 0], gains[stop, 1] = total, route_cache[0][5]
