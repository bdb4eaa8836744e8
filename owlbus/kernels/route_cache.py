"""
What a route contributes, remembered hex by hex while moves on it are tried.

`owlbus.kernels.structs.RouteCache` describes the arrays; other words are those of `owlbus.kernels.rides`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.coverage import COLUMNS, VERSION, fill_row, mark_route, route_gain, unmark_route
from owlbus.kernels.jit import ZERO, inlined, int64, lean_kernel, uint64
from owlbus.kernels.rides import NEVER, best_of_positions, ride_by_others, ride_to_own, rides_from_positions
from owlbus.kernels.structs import RouteCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import DemandRows, Graph, OtherRoutes, Routes, Scratch

MOST_NEW = 24
"""New stops that a move may bring before its bound is given up."""

SHORTCUT_S = 30
"""Seconds between two entries of the sums of trips by how much too long their ride is."""

SHORTCUTS = 64
"""How many such entries there are."""

N_ROWS, N_POSITIONS, N_PAIRS, N_MISSES, N_MEETS, CACHED, GAINS, OTHERS, N_JOINED = range(9)
"""Places in `RouteCache.counts`: its rows, positions, listed pairs, misses and meets; how often a route was cached; the version of the
gains, that of the other routes that they belong to, and the joined meets."""

_KNOWN = 4096
_MOST_JOINED = 32


def new_route_cache(n_stops: int, n_hexes: int, max_entries: int, n_routes: int, ways: int) -> RouteCache:
    """
    Work space for `cache_route` and `owlbus.kernels.gain_bound.gain_bound`.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    max_entries
        Most (position, hex) entries that a route can have.
    n_routes
        Routes K.
    ways
        Directions W that `DemandRows` keeps apart.

    Returns
    -------
    RouteCache
        The work space.
    """
    most_rows, most_columns = min(max_entries, n_hexes), min(n_routes * max_entries, n_hexes)
    most_misses = ways * most_rows * most_columns
    return RouteCache(
        counts=np.zeros(9, np.int64),
        row_hex=np.zeros(most_rows, np.int32),
        row_of=np.full(n_hexes, -1, np.int32),
        position_of=np.full(n_stops, -1, np.int32),
        stops=np.zeros(max_entries, np.int32),
        first_of=np.zeros(most_rows + 1, np.int64),
        positions=np.zeros(max_entries, np.int32),
        row_quanta=np.zeros(most_rows, np.int64),
        first_pair=np.zeros(most_rows, np.int32),
        pairs=np.zeros((ways * most_rows * most_rows, 3), np.int32),
        misses=np.zeros((most_misses, 3), np.int32),
        miss_quanta=np.zeros(most_misses, np.int32),
        miss_limit_s=np.zeros(most_misses, np.float32),
        excess_quanta=np.zeros(SHORTCUTS + 1, np.int64),
        meets=np.zeros((max_entries, 2), np.int32),
        stop_gains=np.zeros((n_stops, 4), np.int64),
        meet_gains=np.zeros((n_stops, 2), np.int64),
        is_new=np.zeros(n_hexes, np.uint8),
        lost_positions=np.zeros(n_hexes, np.int32),
        is_kept=np.zeros(max_entries, np.uint8),
        new_stops=np.zeros(MOST_NEW, np.int32),
        new_hexes=np.zeros(max_entries, np.int32),
        lost_rows=np.zeros(max_entries, np.int32),
        is_lost=np.zeros(most_rows, np.uint8),
        reach_s=np.zeros(most_columns, np.float32),
        came_quanta=np.zeros(n_hexes, np.int64),
        joined=np.zeros(_MOST_JOINED, np.int32),
        known_keys=np.zeros(_KNOWN, np.uint64),
        known_gains=np.zeros((_KNOWN, 2), np.int64),
    )


@lean_kernel
def cache_route(
    graph: Graph,
    demand: DemandRows,
    routes: Routes,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    scratch: Scratch,
    max_transfers: int,
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
    max_transfers
        0 or 1.

    Returns
    -------
    tuple of int
        What the route adds, as `owlbus.kernels.coverage.route_gain` counts it.
    """
    indptr, partner, trip_quanta, limit_s = demand.indptr, demand.partner, demand.trip_quanta, demand.limit_s
    columns, column_of, hex_of = other_routes.counts[COLUMNS], other_routes.column_of, other_routes.hex_of
    onward_s, filled, listed = other_routes.onward_s, other_routes.filled, other_routes.listed
    counts, row_hex, row_of, first_of = route_cache.counts, route_cache.row_hex, route_cache.row_of, route_cache.first_of
    misses, excess_quanta = route_cache.misses, route_cache.excess_quanta
    hexes, positions, best_s, first_entry = scratch.hexes, scratch.positions, scratch.best_s, scratch.first_entry
    meets, rides_s = scratch.meets, scratch.rides_s
    m, n_meets = mark_route(graph, other_routes, stops, n, scratch, max_transfers)
    _age_gains(demand, other_routes, route_cache, stops, n, scratch, m, max_transfers)
    _cache_positions(route_cache, stops, n, scratch, m, n_meets)
    served, people = 0, 0
    for way in range(onward_s.shape[0]):
        rides_from_positions(onward_s, ahead_s, back_s, n, meets, n_meets, way, columns, rides_s)
        for row in range(counts[N_ROWS]):
            h, begin, end = row_hex[row], first_of[row], first_of[row + 1]
            own = column_of[h]
            if own < 0 and way == 0:
                people += demand.presence[h]
            if filled[h, 0] < 0:
                fill_row(graph, demand, routes, other_routes, h, max_transfers)
            row_quanta, row_limit_s = other_routes.open_quanta[way, filled[h, 2]], other_routes.open_limit_s[way, filled[h, 2]]
            best_of_positions(rides_s, positions, begin, end, columns, best_s)
            for other in range(counts[N_ROWS]):
                f, c = first_of[other], column_of[row_hex[other]]
                if c >= 0 and other != row and row_quanta[c] > 0 and best_s[c] > row_limit_s[c]:
                    best_s[c] = min(best_s[c], ride_to_own(ahead_s, back_s, hexes, positions, m, begin, end, f, way))
                    if best_s[c] > row_limit_s[c] and own >= 0:
                        ride = ride_by_others(onward_s, ahead_s, back_s, hexes, positions, m, meets, n_meets, own, f, way)
                        best_s[c] = min(best_s[c], ride)
            for c in range(columns):
                if row_quanta[c] == 0:
                    continue
                j = hex_of[c]
                # A pair with both hexes on the route stands in two rows and counts in that of the lower hex.
                once = first_entry[j] < 0 or j > h
                if best_s[c] > row_limit_s[c]:
                    miss = counts[N_MISSES]
                    misses[miss, 0], misses[miss, 1], misses[miss, 2] = row, c, way
                    route_cache.miss_quanta[miss], route_cache.miss_limit_s[miss] = row_quanta[c], row_limit_s[c]
                    counts[N_MISSES] += 1
                    if once:
                        _note_excess(excess_quanta, best_s[c], row_limit_s[c], row_quanta[c])
                elif first_entry[j] < 0:
                    served += row_quanta[c]
                    route_cache.row_quanta[row] += row_quanta[c]
                elif once:
                    served += row_quanta[c]
                    _list_pair(route_cache, row, row_of[j], row_quanta[c])
            for i in range(indptr[h] + filled[h, 1], indptr[h] + filled[h, 0]):
                e = listed[i]
                f = first_entry[partner[e]]
                if f < 0:
                    continue
                limit, quanta = limit_s[way, e], trip_quanta[way, e]
                ride = ride_to_own(ahead_s, back_s, hexes, positions, m, begin, end, f, way)
                if ride > limit and own >= 0:
                    ride = min(ride, ride_by_others(onward_s, ahead_s, back_s, hexes, positions, m, meets, n_meets, own, f, way))
                if ride > limit:
                    _note_excess(excess_quanta, ride, limit, quanta)
                else:
                    served += quanta
                    _list_pair(route_cache, row, row_of[partner[e]], quanta)
    for step in range(1, SHORTCUTS + 1):  # a shortcut of so many steps serves all whose rides are too long by as much or less
        excess_quanta[step] += excess_quanta[step - 1]
    unmark_route(scratch, m)
    return served, people


@lean_kernel
def cached_gain(
    graph: Graph,
    demand: DemandRows,
    routes: Routes,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    scratch: Scratch,
    max_transfers: int,
) -> tuple[int, int]:
    """
    What a route adds to the other routes of the plan, looked up if it was valued before.

    Parameters
    ----------
    graph, demand, routes, other_routes, stops, n, ahead_s, back_s, scratch, max_transfers
        As in `owlbus.kernels.coverage.route_gain`.
    route_cache
        The work space of `new_route_cache`; what was valued beside other routes than these is not found in it.

    Returns
    -------
    tuple of int
        As of `owlbus.kernels.coverage.route_gain`.
    """
    keys, gains = route_cache.known_keys, route_cache.known_gains
    # The version of the other routes is hashed with the stops: a gain known beside other ones is never found.
    key = uint64(other_routes.counts[VERSION]) << uint64(32)
    for p in range(n):
        key = (key ^ uint64(stops[p] + 1)) * uint64(0x9E3779B97F4A7C15)
        key ^= key >> uint64(29)
    slot = int64(key % uint64(keys.shape[0]))
    key |= uint64(1) << uint64(63)  # never that of an empty slot
    if keys[slot] != key:
        served, people = route_gain(graph, demand, routes, other_routes, stops, n, ahead_s, back_s, scratch, max_transfers)
        keys[slot], gains[slot, 0], gains[slot, 1] = key, served, people
    return gains[slot, 0], gains[slot, 1]


@inlined
def _age_gains(
    demand: DemandRows,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    stops: NDArray[np.int32],
    n: int,
    scratch: Scratch,
    m: int,
    max_transfers: int,
) -> None:
    """Keep the gains of stops valid for a changed route by what its new hexes add to them, and note where it came to meet other routes."""
    indptr, partner, trip_quanta, hexes = demand.indptr, demand.partner, demand.trip_quanta, scratch.hexes
    counts, position_of, joined = route_cache.counts, route_cache.position_of, route_cache.joined
    version, other_row_of = other_routes.counts[VERSION], other_routes.row_of
    keeps = counts[OTHERS] == version
    if max_transfers and keeps:
        for p in range(n):
            if other_row_of[stops[p]] >= 0 and position_of[stops[p]] < 0:
                keeps = keeps and counts[N_JOINED] < joined.shape[0]
                if keeps:
                    joined[counts[N_JOINED]] = stops[p]
                    counts[N_JOINED] += 1
    if not keeps:
        counts[GAINS] += 1
        counts[OTHERS] = version
        counts[N_JOINED] = 0
        return
    for e in range(m):
        h = hexes[e]
        if route_cache.row_of[h] < 0 and (e == 0 or hexes[e - 1] != h):
            for way in range(trip_quanta.shape[0]):
                for f in range(indptr[h], indptr[h + 1]):
                    route_cache.came_quanta[partner[f]] += trip_quanta[way, f]


@inlined
def _cache_positions(route_cache: RouteCache, stops: NDArray[np.int32], n: int, scratch: Scratch, m: int, n_meets: int) -> None:
    """Note a route's rows, entries and positions where other routes call too, with nothing that they serve."""
    counts, row_hex, row_of, first_of = route_cache.counts, route_cache.row_hex, route_cache.row_of, route_cache.first_of
    position_of, hexes, meets = route_cache.position_of, scratch.hexes, scratch.meets
    for row in range(counts[N_ROWS]):
        row_of[row_hex[row]] = -1
    for p in range(counts[N_POSITIONS]):
        position_of[route_cache.stops[p]] = -1
    rows = ZERO
    for e in range(m):
        route_cache.positions[e] = scratch.positions[e]
        if e == 0 or hexes[e - 1] != hexes[e]:
            row_hex[rows] = hexes[e]
            row_of[hexes[e]] = rows
            first_of[rows] = e
            route_cache.row_quanta[rows] = 0
            route_cache.first_pair[rows] = -1
            rows += 1
    first_of[rows] = m
    for p in range(n):
        position_of[stops[p]] = p
        route_cache.stops[p] = stops[p]
    for i in range(n_meets):
        route_cache.meets[i, 0], route_cache.meets[i, 1] = meets[i, 0], meets[i, 1]
    counts[N_ROWS], counts[N_POSITIONS], counts[N_PAIRS], counts[N_MISSES], counts[N_MEETS] = rows, n, 0, 0, n_meets
    counts[CACHED] += 1
    for step in range(route_cache.excess_quanta.shape[0]):
        route_cache.excess_quanta[step] = 0


@inlined
def _list_pair(route_cache: RouteCache, row: int, other: int, quanta: int) -> None:
    """List trips between two rows with both of them."""
    counts, first_pair, pairs = route_cache.counts, route_cache.first_pair, route_cache.pairs
    for way in range(2):
        a, b = (row, other) if way == 0 else (other, row)
        route_cache.row_quanta[a] += quanta
        pair = counts[N_PAIRS]
        pairs[pair, 0], pairs[pair, 1], pairs[pair, 2] = b, quanta, first_pair[a]
        first_pair[a] = pair
        counts[N_PAIRS] += 1


@inlined
def _note_excess(excess_quanta: NDArray[np.int64], ride_s: float, limit_s: float, quanta: int) -> None:
    """Count trips by how much too long their ride is."""
    if limit_s >= 0 and ride_s < NEVER:
        step = int((ride_s - limit_s + SHORTCUT_S - 1) / SHORTCUT_S)
        if step <= SHORTCUTS:
            excess_quanta[step] += quanta
