"""
What a changed route can add at most, from what the unchanged one adds: most moves are refused on this alone.

A move keeps most stops. What leaves with the others is known from the unchanged route; what can come is bounded by what each new stop
could bring at best, by what a new transfer stop could open, and by the rides that a shortcut makes short enough. None of these depends
on the move beyond its stops, so each is computed once and looked up ever after, until the route changes.

`owlbus.kernels.structs` describes the arrays; other words are those of `owlbus.kernels.rides`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.coverage import COLUMNS, fill_row
from owlbus.kernels.jit import ZERO, float32, inlined, inner_kernel
from owlbus.kernels.rides import NEVER, fill_never, ride_by
from owlbus.kernels.route_cache import (
    CACHED,
    GAINS,
    MOST_NEW,
    N_JOINED,
    N_MEETS,
    N_MISSES,
    N_POSITIONS,
    N_ROWS,
    SHORTCUT_S,
    SHORTCUTS,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.kernels.structs import DemandRows, Drive, Graph, OtherRoutes, RouteCache, Routes


@inlined
def _shortening_s(
    route_cache: RouteCache,
    old_ahead_s: NDArray[np.float32],
    old_back_s: NDArray[np.float32],
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
) -> tuple[float, int]:
    """Seconds by which rides between kept stops get shorter at most, -1 if their order changes; new stops and kept positions are noted."""
    position_of, is_kept, new_stops = route_cache.position_of, route_cache.is_kept, route_cache.new_stops
    last, last_position, way, n_new = -1, -1, 0, 0  # way: 1 along the old route, -1 against it, 2 neither
    there, home = float32(0), float32(0)
    for p in range(n):
        position = position_of[stops[p]]
        if position < 0:
            if n_new < MOST_NEW:
                new_stops[n_new] = stops[p]
            n_new += 1
            continue
        is_kept[position] = 1
        if last >= 0 and way != 2:
            step = 1 if position > last_position else -1
            way = step if way in (0, step) else 2
            there += max(float32(0), ride_by(old_ahead_s, old_back_s, last_position, position, 0) - (ahead_s[p] - ahead_s[last]))
            home += max(float32(0), ride_by(old_ahead_s, old_back_s, last_position, position, 1) - (back_s[p] - back_s[last]))
        last, last_position = p, position
    return (float32(-1) if way == 2 or n_new > MOST_NEW else max(there, home)), n_new


@inlined
def gain_bound(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    routes: Routes,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    old_served: int,
    old_people: int,
    old_ahead_s: NDArray[np.float32],
    old_back_s: NDArray[np.float32],
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    max_transfers: int,
) -> tuple[int, int, bool]:
    """
    Bound what a changed route adds to the other routes of the plan.

    Parameters
    ----------
    graph, demand, drive, routes, other_routes, max_transfers
        As in `owlbus.kernels.route_cache.cache_route` and `owlbus.kernels.anneal`.
    route_cache
        What `owlbus.kernels.route_cache.cache_route` remembers of the route before the change.
    old_served, old_people, old_ahead_s, old_back_s
        What the route added before, in 1/1024, and its running seconds.
    stops, n, ahead_s, back_s
        The changed route.

    Returns
    -------
    tuple
        Trips at most and people exactly, in 1/1024; and whether they were found: not if stops changed order or too much changed.
    """
    shed_indptr, shed_hex, counts = graph.shed_indptr, graph.shed_hex, route_cache.counts
    old_stops, is_kept, is_new, new_hexes = route_cache.stops, route_cache.is_kept, route_cache.is_new, route_cache.new_hexes
    shorter_s, n_new = _shortening_s(route_cache, old_ahead_s, old_back_s, stops, n, ahead_s, back_s)
    step = int((shorter_s + SHORTCUT_S - 1) / SHORTCUT_S)
    found = shorter_s >= 0 and step <= SHORTCUTS
    served, people = old_served, old_people
    if found:
        n_hexes = ZERO
        for i in range(n_new):
            stop = route_cache.new_stops[i]
            for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
                h = shed_hex[e]
                if not is_new[h] and n_hexes < new_hexes.shape[0]:
                    is_new[h] = 1
                    new_hexes[n_hexes] = h
                    n_hexes += 1
        n_lost = _lost_rows(graph, route_cache)
        served -= _loss(other_routes, route_cache, n_lost)
        people += _people_change(demand, other_routes, route_cache, n_hexes, n_lost)
        served += route_cache.excess_quanta[step]
        served += _most_news(graph, demand, drive, routes, other_routes, route_cache, n_new, n_hexes, max_transfers)
        # The marks are taken off one by one: clearing whole arrays would cost more than the bound.
        for i in range(n_hexes):
            is_new[new_hexes[i]] = 0
        for i in range(n_lost):
            route_cache.is_lost[route_cache.lost_rows[i]] = 0
        for p in range(counts[N_POSITIONS]):
            if not is_kept[p]:
                for e in range(shed_indptr[old_stops[p]], shed_indptr[old_stops[p] + 1]):
                    route_cache.lost_positions[shed_hex[e]] = 0
    for p in range(counts[N_POSITIONS]):
        is_kept[p] = 0
    return served, people, found


@inlined
def _lost_rows(graph: Graph, route_cache: RouteCache) -> int:
    """List the rows none of whose stops stays."""
    shed_indptr, shed_hex, old_stops = graph.shed_indptr, graph.shed_hex, route_cache.stops
    first_of, lost_positions = route_cache.first_of, route_cache.lost_positions
    n_lost = ZERO
    for p in range(route_cache.counts[N_POSITIONS]):
        if route_cache.is_kept[p]:
            continue
        for e in range(shed_indptr[old_stops[p]], shed_indptr[old_stops[p] + 1]):
            h = shed_hex[e]
            row = route_cache.row_of[h]
            lost_positions[h] += 1
            if lost_positions[h] == first_of[row + 1] - first_of[row]:
                route_cache.lost_rows[n_lost] = row
                route_cache.is_lost[row] = 1
                n_lost += 1
    return n_lost


@inlined
def _loss(other_routes: OtherRoutes, route_cache: RouteCache, n_lost: int) -> int:
    """Trips that surely go with the lost rows."""
    pairs, is_lost = route_cache.pairs, route_cache.is_lost
    total = 0
    for i in range(n_lost):
        row = route_cache.lost_rows[i]
        h = route_cache.row_hex[row]
        total += route_cache.row_quanta[row]
        elsewhere = other_routes.column_of[h] >= 0 and not route_cache.is_new[h]
        pair = route_cache.first_pair[row]
        while pair >= 0:
            other = pairs[pair, 0]
            # A pair that stands in two lost rows, or one that a transfer may still serve, is not lost here.
            if (is_lost[other] and other < row) or (elsewhere and not is_lost[other]):
                total -= pairs[pair, 1]
            pair = pairs[pair, 2]
    return total


@inlined
def _people_change(demand: DemandRows, other_routes: OtherRoutes, route_cache: RouteCache, n_hexes: int, n_lost: int) -> int:
    """People that come with new hexes less those that go with lost ones."""
    presence, column_of, new_hexes = demand.presence, other_routes.column_of, route_cache.new_hexes
    total = 0
    for i in range(n_hexes):
        if route_cache.row_of[new_hexes[i]] < 0 and column_of[new_hexes[i]] < 0:
            total += presence[new_hexes[i]]
    for i in range(n_lost):
        h = route_cache.row_hex[route_cache.lost_rows[i]]
        if not route_cache.is_new[h] and column_of[h] < 0:
            total -= presence[h]
    return total


@inlined
def _most_news(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    routes: Routes,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    n_new: int,
    n_hexes: int,
    max_transfers: int,
) -> int:
    """Trips that new stops can bring at most: by their own hexes, and by changing there."""
    shed_indptr, shed_hex, counts = graph.shed_indptr, graph.shed_hex, route_cache.counts
    stop_gains, meet_gains, new_stops, new_hexes = (
        route_cache.stop_gains,
        route_cache.meet_gains,
        route_cache.new_stops,
        route_cache.new_hexes,
    )
    total, meets = 0, 0
    for i in range(n_new):
        stop = new_stops[i]
        if max_transfers and other_routes.row_of[stop] >= 0:
            meets += 1
            if meet_gains[stop, 1] != counts[CACHED]:
                _fill_meet_gain(drive, other_routes, route_cache, stop)
            total += meet_gains[stop, 0]
    # With a new transfer stop, any new stop may change there: it is then bounded by what it brings with every transfer.
    kind = 1 if meets > 0 and n_new > 1 else 0
    for i in range(n_new):
        stop = new_stops[i]
        if stop_gains[stop, 2] != counts[GAINS]:
            _fill_stop_gain(graph, demand, drive, routes, other_routes, route_cache, stop, max_transfers)
        elif stop_gains[stop, 3] < counts[N_JOINED]:
            _add_joined(graph, drive.towards_s, other_routes, route_cache, stop)
        total += stop_gains[stop, kind]
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            total += route_cache.came_quanta[shed_hex[e]]
    for i in range(n_hexes):
        for other in range(i):
            total += _pair_trips(demand, new_hexes[i], new_hexes[other])
    return total


@inlined
def _pair_trips(demand: DemandRows, h: int, j: int) -> int:
    """All trips between two hexes."""
    partner = demand.partner
    low, high = demand.indptr[h], demand.indptr[h + 1]
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
    for way in range(demand.trip_quanta.shape[0]):
        total += demand.trip_quanta[way, low]
    return total


@inner_kernel
def _fill_stop_gain(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    routes: Routes,
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    stop: int,
    max_transfers: int,
) -> None:
    """
    Note the trips that a stop's hexes can bring: by the transfer stops that the route has, and by any others.

    The sum of trips with hexes that came onto the route is taken off, since what it has grown to is added at each look.
    """
    shed_indptr, shed_hex, gains, counts = graph.shed_indptr, graph.shed_hex, route_cache.stop_gains, route_cache.counts
    alone, anywhere = 0, 0
    for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
        h = shed_hex[e]
        if other_routes.filled[h, 0] < 0:
            fill_row(graph, demand, routes, other_routes, h, max_transfers)
        alone -= route_cache.came_quanta[h]
        anywhere -= route_cache.came_quanta[h]
    for way in range(other_routes.onward_s.shape[0]):
        _reach_columns(drive.towards_s, other_routes, route_cache, stop, way)
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            hex_alone, hex_anywhere = _hex_gain(demand, other_routes, route_cache, shed_hex[e], way)
            alone += hex_alone
            anywhere += hex_anywhere
    gains[stop, 0], gains[stop, 1], gains[stop, 2], gains[stop, 3] = alone, anywhere, counts[GAINS], counts[N_JOINED]


@inner_kernel
def _add_joined(graph: Graph, towards_s: NDArray[np.int32], other_routes: OtherRoutes, route_cache: RouteCache, stop: int) -> None:
    """Add to what a stop can bring the trips by stops where the route came to meet other routes since that was noted."""
    columns, row_of, onward_s = other_routes.counts[COLUMNS], other_routes.row_of, other_routes.onward_s
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    gains, n_joined, total = route_cache.stop_gains, route_cache.counts[N_JOINED], 0
    for way in range(onward_s.shape[0]):
        for i in range(gains[stop, 3], n_joined):
            q = route_cache.joined[i]
            ride = float32(towards_s[q, stop] if way == 0 else towards_s[stop, q])
            further = onward_s[way, row_of[q]]
            for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
                row = other_routes.filled[shed_hex[e], 2]
                row_quanta, row_limit_s = other_routes.open_quanta[way, row], other_routes.open_limit_s[way, row]
                for c in range(columns):
                    if ride + further[c] <= row_limit_s[c]:
                        total += row_quanta[c]
    gains[stop, 0] += total
    gains[stop, 3] = n_joined


@inlined
def _reach_columns(towards_s: NDArray[np.int32], other_routes: OtherRoutes, route_cache: RouteCache, stop: int, way: int) -> None:
    """Fill the fastest rides between a stop and the columns if it were on the route, none for a column on the route."""
    columns, column_of, onward_s, reach_s = (
        other_routes.counts[COLUMNS],
        other_routes.column_of,
        other_routes.onward_s,
        route_cache.reach_s,
    )
    counts, row_hex, meets = route_cache.counts, route_cache.row_hex, route_cache.meets
    fill_never(reach_s, columns)
    for i in range(counts[N_MEETS]):  # not by a transfer at the stop itself: what rides from there on other routes serve is not open
        q = route_cache.stops[meets[i, 0]]
        ride = float32(towards_s[q, stop] if way == 0 else towards_s[stop, q])
        further = onward_s[way, meets[i, 1]]
        for c in range(columns):
            reach_s[c] = min(reach_s[c], ride + further[c])
    for row in range(counts[N_ROWS]):
        if column_of[row_hex[row]] >= 0:
            reach_s[column_of[row_hex[row]]] = 0


@inlined
def _hex_gain(demand: DemandRows, other_routes: OtherRoutes, route_cache: RouteCache, h: int, way: int) -> tuple[int, int]:
    """As `_fill_stop_gain`, of one of its hexes in one direction."""
    begin, row = demand.indptr[h], other_routes.filled[h, 2]
    row_quanta, row_limit_s = other_routes.open_quanta[way, row], other_routes.open_limit_s[way, row]
    alone, anywhere = 0, 0
    for c in range(other_routes.counts[COLUMNS]):
        anywhere += row_quanta[c]
        if route_cache.reach_s[c] <= row_limit_s[c]:
            alone += row_quanta[c]
    for i in range(begin, begin + other_routes.filled[h, 0]):
        e = other_routes.listed[i]
        if route_cache.row_of[demand.partner[e]] >= 0:
            alone += demand.trip_quanta[way, e]
            anywhere += demand.trip_quanta[way, e]
    return alone, anywhere


@inner_kernel
def _fill_meet_gain(drive: Drive, other_routes: OtherRoutes, route_cache: RouteCache, stop: int) -> None:
    """Note the trips of the route's own hexes that changing at a stop can serve at most."""
    gains, towards_s, onward_s = route_cache.meet_gains, drive.towards_s, other_routes.onward_s
    first_of, misses, counts = route_cache.first_of, route_cache.misses, route_cache.counts
    t, total = other_routes.row_of[stop], 0
    row, there, home = -1, NEVER, NEVER
    for i in range(counts[N_MISSES]):
        if misses[i, 0] != row:  # misses are listed row by row: the ways to the stop are found once a row
            row = misses[i, 0]
            there, home = NEVER, NEVER
            for e in range(first_of[row], first_of[row + 1]):
                own_stop = route_cache.stops[route_cache.positions[e]]
                there = min(there, float32(towards_s[stop, own_stop]))
                home = min(home, float32(towards_s[own_stop, stop]))
        c, way = misses[i, 1], misses[i, 2]
        ride = there if way == 0 else home
        if ride + onward_s[way, t, c] <= route_cache.miss_limit_s[i]:
            total += route_cache.miss_quanta[i]
    gains[stop, 0], gains[stop, 1] = total, counts[CACHED]
