"""
What one route adds to the trips that a plan carries, beside the other routes as they are.

A rider takes the journey of fewest generalised seconds, whether or not there is room. People are counted in 1/1024 of a trip quantum, times
a factor in 1/1024 of those who find room: in 2**-30 trips. `owlbus.kernels.carried_structs` describes the arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.carried_journeys import COLUMNS, fill_pairs, people_who_ride
from owlbus.kernels.carried_structs import RouteScratch
from owlbus.kernels.jit import ZERO, float32, inlined, inner_kernel, int32, int64
from owlbus.kernels.rides import NEVER, ride_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.carried_structs import OtherJourneys, PairRows, RideCosts, Service
    from owlbus.kernels.structs import Graph, Routes

FULL = 1024
"""Factor where all riders find room."""

_FACTOR_BITS, _POSITION_BITS = 11, 9
_FACTOR_MASK, _POSITION_MASK = 2**_FACTOR_BITS - 1, 2**_POSITION_BITS - 1

MOST_POSITIONS = 2**_POSITION_BITS
"""Most stops of a route: positions and factor of a ride share 31 bits."""


def new_route_scratch(n_hexes: int, max_entries: int, max_stops: int, pairs: tuple[int, int]) -> RouteScratch:
    """
    Work space for `carried_gain`.

    Parameters
    ----------
    n_hexes
        Hexes H of the network.
    max_entries
        Most (position, hex) entries that one route can have.
    max_stops
        Most stops of a route, M.
    pairs
        Shape (W, P) of the trips in `PairRows`.

    Returns
    -------
    RouteScratch
        The work space.
    """
    return RouteScratch(
        hexes=np.zeros(max_entries, np.int32),
        positions=np.zeros(max_entries, np.int32),
        sheds=np.zeros(max_entries, np.int32),
        target_of=np.full(n_hexes, -1, np.int32),
        is_own=np.zeros(n_hexes, np.uint8),
        meets=np.zeros((max_stops, 2), np.int32),
        n_before=np.zeros(max_stops, np.int32),
        on_s=np.zeros((2, max_stops, n_hexes), np.float32),
        on_by=np.zeros((2, max_stops, n_hexes), np.int32),
        best_s=np.zeros(n_hexes, np.float32),
        best_by=np.zeros(n_hexes, np.int32),
        apart=np.zeros(max_entries, np.int32),
        riders=np.zeros(pairs[0] * pairs[1], np.int64),
        ride_by=np.zeros(pairs[0] * pairs[1], np.int32),
        load=np.zeros(max_stops + 1, np.int64),
        room=np.zeros((max_stops, max_stops), np.int32),
    )


@inner_kernel
def carried_gain(
    graph: Graph,
    costs: RideCosts,
    rows: PairRows,
    routes: Routes,
    service: Service,
    others: OtherJourneys,
    stops: NDArray[np.int32],
    n: int,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    board_s: float,
    capacity: float,
    scratch: RouteScratch,
) -> int:
    """
    Trips that a plan carries more with a route than without it.

    Parameters
    ----------
    graph, costs, rows, routes, service
        The stop network, what journeys cost, the demand, and the plan as it runs.
    others
        The other routes, from `prepare_journeys`; pairs of new hexes are filled.
    stops, n, ahead_s, back_s
        The route: stop indices, how many count, and running seconds.
    board_s
        Wait for the route in generalised seconds.
    capacity
        Riders whom its buses carry past a stop in an hour, in one direction, in 2**-20 trips; infinite for no limit. Loads are those of
        both directions together, spread over the hours as all trips are.
    scratch
        Work space.

    Returns
    -------
    int
        In 2**-30 trips; below 0 where riders come to a route that has no room.
    """
    m = _own_entries(graph, others, stops, n, scratch)
    n_meets = _list_meets(costs, others, stops, n, scratch)
    others_lose, n_rides = _choose(graph, costs, rows, routes, service, others, ahead_s, back_s, m, n, n_meets, board_s, scratch)
    gain = -others_lose
    if _fill_room(costs, n, capacity, scratch):
        for i in range(n_rides):
            by = scratch.ride_by[i]
            p, q = by >> (_FACTOR_BITS + _POSITION_BITS), (by >> _FACTOR_BITS) & _POSITION_MASK
            gain += scratch.riders[i] * min(scratch.room[p, q], by & _FACTOR_MASK)
    else:
        for i in range(n_rides):
            gain += scratch.riders[i] * (scratch.ride_by[i] & _FACTOR_MASK)
    for e in range(m):
        scratch.is_own[scratch.hexes[e]] = 0
    return int(gain)


@inlined
def _own_entries(graph: Graph, others: OtherJourneys, stops: NDArray[np.int32], n: int, scratch: RouteScratch) -> int:
    """List the entries of a route, sorted by hex, and give its hexes targets; return how many entries there are."""
    hexes, positions, sheds = scratch.hexes, scratch.positions, scratch.sheds
    m = ZERO
    for p in range(n):
        for e in range(graph.shed_indptr[stops[p]], graph.shed_indptr[stops[p] + 1]):
            h = graph.shed_hex[e]
            i = m  # insertion sort: a route has some dozens of entries, mostly in runs
            while i > 0 and hexes[i - 1] > h:
                hexes[i] = hexes[i - 1]
                positions[i] = positions[i - 1]
                sheds[i] = sheds[i - 1]
                i -= 1
            hexes[i] = h
            positions[i] = p
            sheds[i] = e
            m += 1
    target, columns = others.counts[COLUMNS], others.counts[COLUMNS]
    for e in range(m):
        h = hexes[e]
        if not scratch.is_own[h]:
            scratch.is_own[h] = 1
            scratch.target_of[h] = others.column_of[h]
            if others.column_of[h] < 0:
                scratch.target_of[h] = target
                scratch.apart[target - columns] = h
                target += 1
    scratch.load[n] = target  # how many targets there are, until loads are counted
    return int(m)


@inlined
def _list_meets(costs: RideCosts, others: OtherJourneys, stops: NDArray[np.int32], n: int, scratch: RouteScratch) -> int:
    """List the positions where riders may change, and for each position how many of them lie before it; return how many there are."""
    n_meets = ZERO
    for q in range(n):
        scratch.n_before[q] = n_meets
        # Where all others pass by on the same street, the end of that street is as good a place to change.
        if costs.max_transfers and others.row_of[stops[q]] >= 0 and not _is_along(others, stops, n, q):
            scratch.meets[n_meets, 0] = q
            scratch.meets[n_meets, 1] = others.row_of[stops[q]]
            n_meets += 1
    return int(n_meets)


@inlined
def _reach_from(
    costs: RideCosts,
    others: OtherJourneys,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    way: int,
    m: int,
    n_meets: int,
    targets: int,
    entry: int,
    board_s: float,
    is_first: bool,  # noqa: FBT001 -- kernels take arguments by position
    scratch: RouteScratch,
) -> None:
    """Fill the best ways between one entry of the route and each target, or improve those of another entry of its hex."""
    best_s, best_by, columns, p = scratch.best_s, scratch.best_by, others.counts[COLUMNS], scratch.positions[entry]
    from_s = costs.shed_s[scratch.sheds[entry]] + float32(board_s)
    boards = int32(p << (_FACTOR_BITS + _POSITION_BITS))
    if is_first:
        for t in range(targets):
            best_s[t] = NEVER
    before, behind = scratch.n_before[p] - 1, scratch.n_before[p]
    if behind < n_meets and scratch.meets[behind, 0] == p:
        behind += 1
    out_s, home_s = (ahead_s, back_s) if way == 0 else (back_s, ahead_s)
    for side in range(2):
        i = before if side else behind
        if 0 <= i < n_meets:
            more_s = from_s + home_s[p] if side else from_s - out_s[p]
            on_s, on_by = scratch.on_s[side, i], scratch.on_by[side, i]
            for c in range(columns):
                is_better = on_s[c] + more_s < best_s[c]
                best_s[c] = on_s[c] + more_s if is_better else best_s[c]
                best_by[c] = on_by[c] + boards if is_better else best_by[c]
    for e in range(m):
        q = scratch.positions[e]
        if q == p:
            continue
        t = scratch.target_of[scratch.hexes[e]]
        ride = ride_by(ahead_s, back_s, p, q, way) + costs.shed_s[scratch.sheds[e]] + from_s
        if ride < best_s[t]:
            best_s[t] = ride
            best_by[t] = boards + (q << _FACTOR_BITS) + FULL


@inlined
def _fill_on(
    others: OtherJourneys, n_meets: int, way: int, out_s: NDArray[np.float32], home_s: NDArray[np.float32], scratch: RouteScratch
) -> None:
    """
    Fill the best ways by the meets from each one on, and up to each one, as of a rider at second 0 of the route.

    A rider takes the same time more or less from any position to all meets on one side: the best of them is the same.
    """
    columns = others.counts[COLUMNS]
    for side in range(2):
        for nth in range(n_meets):
            i = nth if side else n_meets - 1 - nth
            q, row = scratch.meets[i, 0], scratch.meets[i, 1]
            ride = -home_s[q] if side else out_s[q]
            leaves = int32(q << _FACTOR_BITS)
            on_s, on_by = scratch.on_s[side, i], scratch.on_by[side, i]
            further, room = others.onward_s[way, row], others.onward_factor[way, row]
            if nth == 0:
                for c in range(columns):
                    on_s[c] = ride + further[c]
                    on_by[c] = leaves + room[c]
            else:
                last_s, last_by = scratch.on_s[side, i - 1 if side else i + 1], scratch.on_by[side, i - 1 if side else i + 1]
                for c in range(columns):
                    is_better = ride + further[c] < last_s[c]
                    on_s[c] = ride + further[c] if is_better else last_s[c]
                    on_by[c] = leaves + room[c] if is_better else last_by[c]


@inlined
def _is_along(others: OtherJourneys, stops: NDArray[np.int32], n: int, q: int) -> bool:
    """Whether all other routes at a position come from the stop before it and go on to the one behind it, or the other way round."""
    if q == 0 or q == n - 1:
        return False
    low, high = min(stops[q - 1], stops[q + 1]), max(stops[q - 1], stops[q + 1])
    return bool(others.passes[stops[q], 0] == low and others.passes[stops[q], 1] == high)


@inlined
def _choose(
    graph: Graph,
    costs: RideCosts,
    rows: PairRows,
    routes: Routes,
    service: Service,
    others: OtherJourneys,
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    m: int,
    n: int,
    n_meets: int,
    board_s: float,
    scratch: RouteScratch,
) -> tuple[int, int]:
    """List the riders who prefer the route, and load it; return what the other routes lose in 2**-30 trips, and how many pairs ride."""
    best_s, best_by, load, targets = scratch.best_s, scratch.best_by, scratch.load, scratch.load[n]
    columns = others.counts[COLUMNS]
    lost, n_rides = ZERO, ZERO
    for p in range(n + 1):
        load[p] = 0
    for way in range(others.onward_s.shape[0]):
        out_s, home_s = (ahead_s, back_s) if way == 0 else (back_s, ahead_s)
        _fill_on(others, n_meets, way, out_s, home_s, scratch)
        begin = 0
        while begin < m:
            h, end = scratch.hexes[begin], begin + 1
            while end < m and scratch.hexes[end] == h:
                end += 1
            if others.n_listed[h] < 0:
                fill_pairs(graph, costs, rows, routes, service, others, h)
            for e in range(begin, end):
                _reach_from(costs, others, ahead_s, back_s, way, m, n_meets, targets, e, board_s, e == begin, scratch)
            first, has_column = rows.indptr[h], others.column_of[h] >= 0
            pair_s = others.pair_s[way]
            for i in range(first, first + others.n_listed[h]):
                c = others.listed_column[i]
                if best_s[c] < pair_s[i]:
                    e = others.listed[i]
                    j = rows.partner[e]
                    # A pair of two hexes of the route that both have columns stands in the lists of both.
                    if not (has_column and scratch.is_own[j] and j > h):
                        people = people_who_ride(costs, best_s[c], rows.alternative_s[way, e])
                        if people > 0:
                            lost += int64(rows.trip_quanta[way, e]) * others.pair_value[way, i]
                            n_rides = _take_riders(scratch, n_rides, int64(rows.trip_quanta[way, e]) * people, best_by[c])
            if not has_column:
                for t in range(columns, scratch.target_of[h]):
                    e = find_pair(rows, h, scratch.apart[t - columns])
                    if e >= 0 and best_s[t] < NEVER:
                        people = people_who_ride(costs, best_s[t], rows.alternative_s[way, e])
                        if people > 0:
                            n_rides = _take_riders(scratch, n_rides, int64(rows.trip_quanta[way, e]) * people, best_by[t])
            begin = end
    return int(lost), int(n_rides)


@inlined
def _take_riders(scratch: RouteScratch, n_rides: int, riders: int, by: int) -> int:
    """List riders and load them where they ride; return how many pairs ride."""
    p, q = by >> (_FACTOR_BITS + _POSITION_BITS), (by >> _FACTOR_BITS) & _POSITION_MASK
    scratch.riders[n_rides] = riders
    scratch.ride_by[n_rides] = by
    scratch.load[min(p, q)] += riders
    scratch.load[max(p, q)] -= riders
    return n_rides + 1


@inlined
def find_pair(rows: PairRows, h: int, j: int) -> int:
    """
    Place of a pair of hexes.

    Parameters
    ----------
    rows
        The demand.
    h, j
        Hexes.

    Returns
    -------
    int
        Row of `PairRows.partner`; -1 if nobody goes from one to the other.
    """
    low, high = rows.indptr[h], rows.indptr[h + 1]
    end = high
    while low < high:
        middle = (low + high) // 2
        if rows.partner[middle] < j:
            low = middle + 1
        else:
            high = middle
    return int(low) if low < end and rows.partner[low] == j else -1


@inlined
def _fill_room(costs: RideCosts, n: int, capacity: float, scratch: RouteScratch) -> bool:
    """Fill the factors of rides between all positions; False if all riders find room."""
    load, room, is_full, riders = scratch.load, scratch.room, False, ZERO
    for p in range(n - 1):
        riders += load[p]
        room[p, p + 1] = room_factor(costs.hour_share, riders, capacity)
        is_full = is_full or room[p, p + 1] < FULL
    if is_full:
        fill_room_between(room, n)
    return is_full


@inlined
def fill_room_between(room: NDArray[np.int32], n: int) -> None:
    """
    Fill the factors of all rides from those of segments: the least on the way, in either direction.

    Parameters
    ----------
    room
        Factor between two positions, shape (M, M), int32; ``room[p, p + 1]`` is read, all others are written.
    n
        Positions.
    """
    for p in range(n - 1):
        for q in range(p + 1, n):
            if q > p + 1:
                room[p, q] = min(room[p, q - 1], room[q - 1, q])
            room[q, p] = room[p, q]


@inlined
def room_factor(hour_share: NDArray[np.float64], riders: int, capacity: float) -> int:
    """
    Share of riders who find room on a segment, both directions together.

    Parameters
    ----------
    hour_share
        Share of the trips of each hour, shape (T,).
    riders
        Riders in both directions.
    capacity
        Riders whom the buses carry in an hour and direction, in the same unit.

    Returns
    -------
    int
        In 1/1024, rounded down.
    """
    if riders <= 0:
        return FULL
    carried, is_full = 0.0, False
    for share in hour_share:
        carried += min(riders * share, 2 * capacity)
        is_full = is_full or riders * share > 2 * capacity
    return min(FULL, int(FULL * carried / riders)) if is_full else FULL
