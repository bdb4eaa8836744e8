"""
What a route contributes, remembered hex by hex while moves on it are tried.

Arrays as in `owlbus.kernels.coverage`; ``route_cache`` is the work space of `cache_route`, made by `new_route_cache`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.coverage import (
    NEVER,
    ZERO,
    best_of_places,
    fill_row,
    mark_route,
    ride_by_others,
    ride_to_own,
    rides_from_places,
    route_gain,
    unmark_route,
)
from owlbus.kernels.jit import inlined, lean_kernel

MOST_NEW = 24
"""New stops that a move may bring before its bound is given up."""

SHORTCUT_S = 30
"""Seconds between two entries of the sums of trips by how much too long their ride is."""

SHORTCUTS = 64
"""How many such entries there are."""

_KNOWN = 4096
_MOST_JOINED = 32


def new_route_cache(n_stops: int, n_hexes: int, max_entries: int, n_routes: int, ways: int) -> tuple[Any, ...]:
    """
    Work space for `cache_route` and `most_gain`.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    max_entries
        Most (place, hex) entries that a route can have.
    n_routes
        Routes K.
    ways
        Directions W that ``demand`` keeps apart.

    Returns
    -------
    tuple of ndarray
        The work space.
    """
    most_rows, most_columns = min(max_entries, n_hexes), min(n_routes * max_entries, n_hexes)
    most_misses = ways * most_rows * most_columns
    return (
        np.zeros(9, np.int64),  # rows, places, listed pairs, misses, meets, times held, which gains hold, of which rest, and joined meets
        np.zeros(most_rows, np.int32),  # hex of each row
        np.full(n_hexes, -1, np.int32),  # row of each hex
        np.full(n_stops, -1, np.int32),  # place of each stop
        np.zeros(max_entries, np.int32),  # stop of each place
        np.zeros(most_rows + 1, np.int64),  # first entry of each row
        np.zeros(max_entries, np.int32),  # place of each entry
        np.zeros(most_rows, np.int64),  # trips of each row, all that it serves
        np.zeros(most_rows, np.int32),  # first listed pair of each row
        np.zeros((ways * most_rows * most_rows, 3), np.int32),  # served pairs of rows: the other row, trips, next pair of the same row
        np.zeros((most_misses, 3), np.int32),  # trips to columns that are not served: row, column, way
        np.zeros(SHORTCUTS + 1, np.int64),  # trips whose rides are that much too long, or less
        np.zeros((max_entries, 2), np.int32),  # places where the rest calls too, and their rows in `other_routes`
        np.zeros((n_stops, 4), np.int64),  # what each stop can bring, and with any place to change; of which gains, with how many joined
        np.zeros((n_stops, 2), np.int64),  # what changing at each stop can open; and when that was computed
        (np.zeros(n_hexes, np.uint8), np.zeros(n_hexes, np.int32), np.zeros(max_entries, np.uint8)),  # new hexes, lost places, places kept
        (np.zeros(MOST_NEW, np.int32), np.zeros(max_entries, np.int32), np.zeros(max_entries, np.int32)),  # new stops, hexes, lost rows
        np.zeros(most_rows, np.uint8),  # whether a row is lost
        np.zeros(most_columns, np.float32),  # seconds between a stop and each column
        np.zeros(n_hexes, np.int64),  # trips with hexes that came onto the route, ever growing: by how much it grew counts
        np.zeros(_MOST_JOINED, np.int32),  # stops where the route came to meet the rest while the gains hold
        (
            np.zeros(ways * most_rows * most_columns, np.int32),
            np.zeros(ways * most_rows * most_columns, np.float32),
        ),  # misses: trips, limit
        (np.zeros(_KNOWN, np.uint64), np.zeros((_KNOWN, 2), np.int64)),  # routes met beside this rest by their hash, and what they add
    )


@lean_kernel
def cache_route(
    graph: Any,
    demand: Any,
    routes: Any,
    other_routes: Any,
    route_cache: Any,
    stops: Any,
    n: int,
    ahead_s: Any,
    back_s: Any,
    scratch: Any,
    transfers: int,
) -> tuple[int, int]:
    """
    Remember what each hex of a route contributes.

    Parameters
    ----------
    graph, demand, routes, other_routes, scratch
        As in `owlbus.kernels.coverage.route_gain`.
    route_cache
        Written: the work space of `new_route_cache`.
    stops, n, ahead_s, back_s
        The route.
    transfers
        0 or 1.

    Returns
    -------
    tuple of int
        What the route adds, as `owlbus.kernels.coverage.route_gain` counts it.
    """
    indptr, partner, weight, limit_s, presence = demand
    columns, column_of, hex_of, _, _, _, onward, filled, open_weight, open_limit, other_of, _, _, _ = other_routes
    state, row_hex, row_of, _, _, first_of, _, trips, pair_of, pairs, misses, shortcuts = route_cache[:12]
    miss_trips, miss_limit = route_cache[21]
    hexes, places, best, at, meets, rides = scratch
    m, n_meets = mark_route(graph, other_routes, stops, n, scratch, transfers)
    _age_gains(demand, other_routes, route_cache, stops, n, scratch, m, transfers)
    _hold_places(route_cache, stops, n, scratch, m, n_meets)
    served, people = 0, 0
    for way in range(onward.shape[0]):
        rides_from_places(onward, ahead_s, back_s, n, meets, n_meets, way, columns[0], rides)
        for row in range(state[0]):
            h, begin, end = row_hex[row], first_of[row], first_of[row + 1]
            own = column_of[h]
            if own < 0 and way == 0:
                people += presence[h]
            if filled[h, 0] < 0:
                fill_row(graph, demand, routes, other_routes, h, transfers)
            row_weight, row_limit = open_weight[way, h], open_limit[way, h]
            best_of_places(rides, places, begin, end, columns[0], best)
            for other in range(state[0]):
                f, c = first_of[other], column_of[row_hex[other]]
                if c >= 0 and other != row and row_weight[c] > 0 and best[c] > row_limit[c]:
                    best[c] = min(best[c], ride_to_own(ahead_s, back_s, hexes, places, m, begin, end, f, way))
                    if best[c] > row_limit[c] and own >= 0:
                        best[c] = min(best[c], ride_by_others(onward, ahead_s, back_s, hexes, places, m, meets, n_meets, own, f, way))
            for c in range(columns[0]):
                if row_weight[c] == 0:
                    continue
                j = hex_of[c]
                once = at[j] < 0 or j > h
                if best[c] > row_limit[c]:
                    miss = state[3]
                    misses[miss, 0], misses[miss, 1], misses[miss, 2] = row, c, way
                    miss_trips[miss], miss_limit[miss] = row_weight[c], row_limit[c]
                    state[3] += 1
                    if once:
                        _note_excess(shortcuts, best[c], row_limit[c], row_weight[c])
                elif at[j] < 0:
                    served += row_weight[c]
                    trips[row] += row_weight[c]
                elif once:
                    served += row_weight[c]
                    _list_pair(state, trips, pair_of, pairs, row, row_of[j], row_weight[c])
            for at_other in range(indptr[h] + filled[h, 1], indptr[h] + filled[h, 0]):
                e = other_of[at_other]
                f = at[partner[e]]
                if f < 0:
                    continue
                limit, trips_here = limit_s[way, e], weight[way, e]
                ride = ride_to_own(ahead_s, back_s, hexes, places, m, begin, end, f, way)
                if ride > limit and own >= 0:
                    ride = min(ride, ride_by_others(onward, ahead_s, back_s, hexes, places, m, meets, n_meets, own, f, way))
                if ride > limit:
                    _note_excess(shortcuts, ride, limit, trips_here)
                else:
                    served += trips_here
                    _list_pair(state, trips, pair_of, pairs, row, row_of[partner[e]], trips_here)
    for step in range(1, SHORTCUTS + 1):
        shortcuts[step] += shortcuts[step - 1]
    unmark_route(scratch, m)
    return served, people


@lean_kernel
def cached_gain(
    graph: Any,
    demand: Any,
    routes: Any,
    other_routes: Any,
    route_cache: Any,
    stops: Any,
    n: int,
    ahead_s: Any,
    back_s: Any,
    scratch: Any,
    max_transfers: int,
) -> tuple[int, int]:
    """
    What a route adds to the rest of the plan, looked up if it was met before.

    Parameters
    ----------
    graph, demand, routes, other_routes, stops, n, ahead_s, back_s, scratch, max_transfers
        As in `owlbus.kernels.coverage.route_gain`.
    route_cache
        The work space of `new_route_cache`; what was met beside another rest is not found in it.

    Returns
    -------
    tuple of int
        As of `owlbus.kernels.coverage.route_gain`.
    """
    keys, gains = route_cache[22]
    key = np.uint64(other_routes[0][3]) << np.uint64(32)
    for p in range(n):
        key = (key ^ np.uint64(stops[p] + 1)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    at = np.int64(key % np.uint64(keys.shape[0]))
    key |= np.uint64(1) << np.uint64(63)  # never that of an empty place
    if keys[at] != key:
        served, people = route_gain(graph, demand, routes, other_routes, stops, n, ahead_s, back_s, scratch, max_transfers)
        keys[at], gains[at, 0], gains[at, 1] = key, served, people
    return gains[at, 0], gains[at, 1]


@inlined
def _age_gains(demand: Any, other_routes: Any, route_cache: Any, stops: Any, n: int, scratch: Any, m: int, transfers: int) -> None:
    """Keep the gains of stops valid for a changed route by what its new hexes add to them, and note where it came to meet the rest."""
    indptr, partner, weight = demand[0], demand[1], demand[2]
    state, row_of, place_of, came, joined = route_cache[0], route_cache[2], route_cache[3], route_cache[19], route_cache[20]
    hexes, at_rest = scratch[0], other_routes[3]
    keeps = state[7] == other_routes[0][3]
    if transfers and keeps:
        for p in range(n):
            if at_rest[stops[p]] >= 0 and place_of[stops[p]] < 0:
                keeps = keeps and state[8] < joined.shape[0]
                if keeps:
                    joined[state[8]] = stops[p]
                    state[8] += 1
    if not keeps:
        state[6] += 1
        state[7] = other_routes[0][3]
        state[8] = 0
        return
    for at in range(m):
        h = hexes[at]
        if row_of[h] < 0 and (at == 0 or hexes[at - 1] != h):
            for way in range(weight.shape[0]):
                for e in range(indptr[h], indptr[h + 1]):
                    came[partner[e]] += weight[way, e]


@inlined
def _hold_places(route_cache: Any, stops: Any, n: int, scratch: Any, m: int, n_meets: int) -> None:
    """Note a route's rows, entries and places where the rest calls too, with nothing that they serve."""
    state, row_hex, row_of, place_of, old_stops, first_of, old_places, trips, pair_of, _, _, shortcuts, old_meets = route_cache[:13]
    hexes, places, _, _, meets, _ = scratch
    for row in range(state[0]):
        row_of[row_hex[row]] = -1
    for p in range(state[1]):
        place_of[old_stops[p]] = -1
    rows = ZERO
    for e in range(m):
        old_places[e] = places[e]
        if e == 0 or hexes[e - 1] != hexes[e]:
            row_hex[rows] = hexes[e]
            row_of[hexes[e]] = rows
            first_of[rows] = e
            trips[rows] = 0
            pair_of[rows] = -1
            rows += 1
    first_of[rows] = m
    for p in range(n):
        place_of[stops[p]] = p
        old_stops[p] = stops[p]
    for i in range(n_meets):
        old_meets[i, 0], old_meets[i, 1] = meets[i, 0], meets[i, 1]
    state[0], state[1], state[2], state[3], state[4] = rows, n, 0, 0, n_meets
    state[5] += 1
    for step in range(shortcuts.shape[0]):
        shortcuts[step] = 0


@inlined
def _list_pair(state: Any, trips: Any, pair_of: Any, pairs: Any, row: int, other: int, trips_here: int) -> None:
    """List trips between two rows with both of them."""
    for way in range(2):
        a, b = (row, other) if way == 0 else (other, row)
        trips[a] += trips_here
        at = state[2]
        pairs[at, 0], pairs[at, 1], pairs[at, 2] = b, trips_here, pair_of[a]
        pair_of[a] = at
        state[2] += 1


@inlined
def _note_excess(shortcuts: Any, ride: Any, limit: Any, trips_here: int) -> None:
    """Count trips by how much too long their ride is."""
    if limit >= 0 and ride < NEVER:
        step = int((ride - limit + SHORTCUT_S - 1) / SHORTCUT_S)
        if step <= SHORTCUTS:
            shortcuts[step] += trips_here
