"""
Trips that each route of a pool serves without a transfer, and that each two of them serve with one.

An *item* is what counts once: the trips between two hexes, in one direction where links take longer one way, or the people of a hex. Its
*lower* and *upper* end are the hexes of lower and higher index. A *local* trip of a route has one end on the route, on one *side* (0 the
lower end, 1 the upper end), and is not served by the route alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import float32, inner_kernel, kernel
from owlbus.kernels.rides import NEVER, ride_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph, Routes


class PairRows(NamedTuple):
    """
    Pairs of hexes with trips, by either hex.

    Attributes
    ----------
    indptr, partner, pair
        Rows of H hexes: partner and pair of each entry, shapes (H + 1,), int64, and (2 P,), int32.
    limit_s
        Longest ride from the lower to the upper hex that serves the trips, and in a second row from the upper to the lower one where links
        take longer one way, shape (W, P), float32; -1 where nothing is to be served.
    """

    indptr: NDArray[np.int64]
    partner: NDArray[np.int32]
    pair: NDArray[np.int32]
    limit_s: NDArray[np.float32]


class RouteTrips(NamedTuple):
    """
    Items of each of N routes.

    Attributes
    ----------
    hex_first, hexes
        Where the hexes of each route begin, shape (N + 1,), int64, and the hexes, int32.
    direct_first, direct_item
        Where the items that a route serves alone begin, shape (N + 1,), int64, and the items, int32.
    local_first, local_item, local_hex
        Where the local trips of each side of each route begin, side 0 of a route before its side 1, shape (2 N + 1,), int64; their items,
        and the place of their hex among those of the route, int32.
    """

    hex_first: NDArray[np.int64]
    hexes: NDArray[np.int32]
    direct_first: NDArray[np.int64]
    direct_item: NDArray[np.int32]
    local_first: NDArray[np.int64]
    local_item: NDArray[np.int32]
    local_hex: NDArray[np.int32]


class SharedTrips(NamedTuple):
    """
    Trips that two routes serve with one transfer and neither alone.

    Attributes
    ----------
    list_of
        List of the trips with the lower end on route a and the upper end on route b, shape (N, N), int32; -1 for none.
    entry_first, entry_low, entry_high
        Where each list begins, int64; and of each entry the local trip of side 0 of a and that of side 1 of b, int32.
    """

    list_of: NDArray[np.int32]
    entry_first: NDArray[np.int64]
    entry_low: NDArray[np.int32]
    entry_high: NDArray[np.int32]


@kernel
def _grown(values: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """Return the array, or one twice as long with the same values if `n` of them fill it."""
    if n < values.size:
        return values
    longer = np.empty(2 * values.size, np.int32)
    longer[:n] = values
    return longer


@kernel
def list_route_trips(graph: Graph, routes: Routes, rows: PairRows, n_hexes: int) -> RouteTrips:
    """
    List the items of each route: those that it serves alone, and those with one end on it.

    Parameters
    ----------
    graph, routes
        The stop network and the routes, each without a stop twice.
    rows
        Pairs of hexes with trips. Item ``way * P + p`` is pair p in one direction, item ``W * P + h`` the people of hex h.
    n_hexes
        Hexes H.

    Returns
    -------
    RouteTrips
        The lists.
    """
    n_routes, ways, n_pairs = routes.n_stops.shape[0], rows.limit_s.shape[0], rows.limit_s.shape[1]
    hex_first, direct_first = np.zeros(n_routes + 1, np.int64), np.zeros(n_routes + 1, np.int64)
    local_first = np.zeros(2 * n_routes + 1, np.int64)
    hexes, direct_item, local_item, local_hex = (
        np.empty(64, np.int32),
        np.empty(64, np.int32),
        np.empty(64, np.int32),
        np.empty(64, np.int32),
    )
    n_all, n_direct, n_local = 0, 0, 0
    place_of = np.full(n_hexes, -1, np.int32)
    for k in range(n_routes):
        begin = n_all
        for p in range(routes.n_stops[k]):
            for e in range(graph.shed_indptr[routes.stops[k, p]], graph.shed_indptr[routes.stops[k, p] + 1]):
                if place_of[graph.shed_hex[e]] < 0:
                    hexes = _grown(hexes, n_all)
                    hexes[n_all] = graph.shed_hex[e]
                    place_of[graph.shed_hex[e]] = n_all - begin
                    n_all += 1
        hex_first[k + 1] = n_all
        ride = rides_onward(graph, routes, k, ways, place_of, n_all - begin)
        own = np.full((ways, n_all - begin, n_all - begin), NEVER, np.float32)
        for way in range(ways):
            for p in range(routes.n_stops[k]):
                for e in range(graph.shed_indptr[routes.stops[k, p]], graph.shed_indptr[routes.stops[k, p] + 1]):
                    row = own[way, place_of[graph.shed_hex[e]]]
                    for c in range(row.size):
                        row[c] = min(row[c], ride[way, p, c])
        for side in range(2):
            for c in range(n_all - begin):
                h = hexes[begin + c]
                if side == 0:
                    direct_item = _grown(direct_item, n_direct)
                    direct_item[n_direct] = ways * n_pairs + h
                    n_direct += 1
                for e in range(rows.indptr[h], rows.indptr[h + 1]):
                    g = rows.partner[e]
                    if (g < h) != (side == 1) or g == h:
                        continue
                    for way in range(ways):
                        limit = rows.limit_s[way, rows.pair[e]]
                        # Rides go from the lower end in the first direction, so the row is that of the lower hex.
                        other = place_of[g]
                        seconds = NEVER if other < 0 else own[way, c, other] if side == 0 else own[way, other, c]
                        if limit < 0 or (side == 1 and seconds <= limit):
                            continue
                        if seconds <= limit:
                            direct_item = _grown(direct_item, n_direct)
                            direct_item[n_direct] = way * n_pairs + rows.pair[e]
                            n_direct += 1
                            continue
                        local_item, local_hex = _grown(local_item, n_local), _grown(local_hex, n_local)
                        local_item[n_local], local_hex[n_local] = way * n_pairs + rows.pair[e], c
                        n_local += 1
            local_first[2 * k + side + 1] = n_local
        direct_first[k + 1] = n_direct
        for c in range(begin, n_all):
            place_of[hexes[c]] = -1
    return RouteTrips(
        hex_first, hexes[:n_all], direct_first, direct_item[:n_direct], local_first, local_item[:n_local], local_hex[:n_local]
    )


@kernel
def rides_onward(graph: Graph, routes: Routes, k: int, ways: int, place_of: NDArray[np.int32], n_places: int) -> NDArray[np.float32]:
    """
    Fastest rides between the positions of a route and its hexes, on it alone.

    Parameters
    ----------
    graph, routes
        The stop network and the routes.
    k
        The route.
    ways
        1, or 2 for rides to the position too.
    place_of
        Place of each hex of the route among its `n_places` hexes, shape (H,), int32.
    n_places
        Hexes of the route.

    Returns
    -------
    ndarray of float32
        Seconds, shape (ways, stops, `n_places`).
    """
    n = routes.n_stops[k]
    ride = np.full((ways, n, n_places), NEVER, np.float32)
    for way in range(ways):
        for p in range(n):
            for q in range(n):
                seconds = float32(ride_by(routes.ahead_s[k], routes.back_s[k], p, q, way))
                for e in range(graph.shed_indptr[routes.stops[k, q]], graph.shed_indptr[routes.stops[k, q] + 1]):
                    c = place_of[graph.shed_hex[e]]
                    ride[way, p, c] = min(ride[way, p, c], seconds)
    return ride


@kernel
def list_shared_trips(
    graph: Graph, routes: Routes, rows: PairRows, trips: RouteTrips, n_hexes: int, transfer_s: float, max_entries: int
) -> SharedTrips:
    """
    List the trips that two routes serve with a transfer at a stop of both.

    Parameters
    ----------
    graph, routes, rows
        The stop network, the routes, and pairs of hexes with trips.
    trips
        As `list_route_trips` lists them.
    n_hexes
        Hexes H.
    transfer_s
        Seconds that a transfer costs.
    max_entries
        Entries at which to stop; more than these mean that the lists are not complete.

    Returns
    -------
    SharedTrips
        The lists; 8 bytes for each entry.
    """
    n_routes, ways, n_pairs = routes.n_stops.shape[0], rows.limit_s.shape[0], rows.limit_s.shape[1]
    list_of = np.full((n_routes, n_routes), -1, np.int32)
    entry_first = np.zeros(n_routes * n_routes + 1, np.int64)
    entry_low, entry_high = np.empty(64, np.int32), np.empty(64, np.int32)
    n_entries, n_lists = 0, 0
    place_of, place_on_a = np.full(n_hexes, -1, np.int32), np.full(n_hexes, -1, np.int32)
    position_of, high_of = np.full(graph.shed_indptr.size - 1, -1, np.int32), np.full(ways * n_pairs, -1, np.int32)
    for b in range(n_routes):
        first, last = trips.hex_first[b], trips.hex_first[b + 1]
        for c in range(first, last):
            place_of[trips.hexes[c]] = c - first
        for p in range(routes.n_stops[b]):
            position_of[routes.stops[b, p]] = p
        for f in range(trips.local_first[2 * b + 1], trips.local_first[2 * b + 2]):
            high_of[trips.local_item[f]] = f
        onward = rides_onward(graph, routes, b, ways, place_of, last - first)
        for a in range(n_routes):
            if a == b or not _meet(routes, a, position_of):
                continue
            begin = trips.hex_first[a]
            for c in range(begin, trips.hex_first[a + 1]):
                place_on_a[trips.hexes[c]] = c - begin
            best = _rides_with_transfer(graph, routes, a, position_of, onward, place_on_a, trips.hex_first[a + 1] - begin, transfer_s)
            before = n_entries
            for f in range(trips.local_first[2 * a], trips.local_first[2 * a + 1]):
                item = trips.local_item[f]
                high = high_of[item]
                if (
                    high >= 0
                    and best[item // n_pairs, trips.local_hex[f], trips.local_hex[high]] <= rows.limit_s[item // n_pairs, item % n_pairs]
                ):
                    entry_low, entry_high = _grown(entry_low, n_entries), _grown(entry_high, n_entries)
                    entry_low[n_entries], entry_high[n_entries] = f, high
                    n_entries += 1
            if n_entries > before:
                list_of[a, b] = n_lists
                n_lists += 1
                entry_first[n_lists] = n_entries
        for c in range(first, last):
            place_of[trips.hexes[c]] = -1
        for p in range(routes.n_stops[b]):
            position_of[routes.stops[b, p]] = -1
        for f in range(trips.local_first[2 * b + 1], trips.local_first[2 * b + 2]):
            high_of[trips.local_item[f]] = -1
        if n_entries > max_entries:
            break
    return SharedTrips(list_of, entry_first[: n_lists + 1], entry_low[:n_entries], entry_high[:n_entries])


@inner_kernel
def _meet(routes: Routes, a: int, position_of: NDArray[np.int32]) -> bool:
    """Whether a route calls at a stop of the other one."""
    for p in range(routes.n_stops[a]):
        if position_of[routes.stops[a, p]] >= 0:
            return True
    return False


@kernel
def _rides_with_transfer(
    graph: Graph,
    routes: Routes,
    a: int,
    position_of: NDArray[np.int32],
    onward: NDArray[np.float32],
    place_on_a: NDArray[np.int32],
    n_places: int,
    transfer_s: float,
) -> NDArray[np.float32]:
    """Return the fastest rides between the hexes of route a and those of the other one, with the transfer, shape (W, n_places, C)."""
    ways, n, columns = onward.shape[0], routes.n_stops[a], onward.shape[2]
    best = np.full((ways, n_places, columns), NEVER, np.float32)
    ride = np.empty((n, columns), np.float32)
    for way in range(ways):
        for p in range(n):
            # A ride changes at this position or first goes along the route, so a pass in each direction finds the fastest one.
            step = float32(ride_by(routes.ahead_s[a], routes.back_s[a], p, p - 1, way)) if p else float32(0)
            meet = position_of[routes.stops[a, p]]
            for c in range(columns):
                seconds = ride[p - 1, c] + step if p else NEVER
                ride[p, c] = min(seconds, onward[way, meet, c] + float32(transfer_s)) if meet >= 0 else seconds
        for p in range(n - 1, -1, -1):
            if p + 1 < n:
                step = float32(ride_by(routes.ahead_s[a], routes.back_s[a], p, p + 1, way))
                for c in range(columns):
                    ride[p, c] = min(ride[p, c], ride[p + 1, c] + step)
            for e in range(graph.shed_indptr[routes.stops[a, p]], graph.shed_indptr[routes.stops[a, p] + 1]):
                row = best[way, place_on_a[graph.shed_hex[e]]]
                for c in range(columns):
                    row[c] = min(row[c], ride[p, c])
    return best
