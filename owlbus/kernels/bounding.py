"""
What a changed route can add at most, from what the unchanged one adds: most moves are refused on this alone.

Only for networks on which every link takes as long as its reverse. Arrays as in `owlbus.kernels.coverage`; ``held`` is the
work space of `hold_route`, made by `new_held`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.compiling import inner_kernel, kernel
from owlbus.kernels.coverage import NEVER, ZERO, changed_ride, entries_of, fill_never, fill_row

_MOST_NEW_ROWS = 24


def new_held(n_stops: int, n_hexes: int, max_entries: int, max_columns: int) -> tuple[Any, ...]:
    """
    Work space for `hold_route` and `most_gain`.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    max_entries
        Most (place, hex) entries that a route can have.
    max_columns
        Hexes that the rest of the plan can reach.

    Returns
    -------
    tuple of ndarray
        The work space; about ``8 * max_entries * max_columns`` bytes.
    """
    return (
        np.zeros(2, np.int64),  # rows, places of the held route
        np.zeros(max_entries, np.int32),  # hex of each row
        np.full(n_hexes, -1, np.int32),  # row of each hex
        np.full(n_stops, -1, np.int32),  # place of each stop
        np.zeros(max_entries, np.int32),  # stops of the held route
        np.zeros((max_entries, max_columns), np.float32),  # best ride of each row to each column
        np.zeros(max_entries, np.int64),  # trips of each row, both directions
        (np.zeros(n_hexes, np.uint8), np.zeros(n_hexes, np.uint8), np.zeros(n_stops, np.uint8)),  # candidate's hexes, new ones, stops
        np.zeros((max_entries, max_columns), np.float32),  # longest ride that would serve more, -1 where none would
        np.zeros(max_entries + 1, np.int64),  # first entry of each row
        np.zeros(max_entries, np.int32),  # place of each entry
    )


@inner_kernel
def _row_best(
    rest: Any, stops: Any, n: int, ahead_s: Any, hexes: Any, places: Any, m: int, begin: int, end: int, best: Any, max_transfers: int
) -> None:
    """Fill the best ride from the hex of entries ``begin:end`` to every column, direct or with one transfer."""
    column_of, row_of, onward = rest[1], rest[3], rest[6]
    columns = rest[0][0]
    fill_never(best, columns)
    if max_transfers:
        for q in range(n):
            t = row_of[stops[q]]
            if t >= 0:
                ride = NEVER
                for e in range(begin, end):
                    ride = min(ride, abs(ahead_s[q] - ahead_s[places[e]]))
                further = onward[0, t]
                for c in range(columns):
                    best[c] = min(best[c], ride + further[c])
    for f in range(m):
        c = column_of[hexes[f]]
        if c >= 0:
            for e in range(begin, end):
                best[c] = min(best[c], abs(ahead_s[places[f]] - ahead_s[places[e]]))


@inner_kernel
def _reached_trips(rest: Any, h: int, best: Any) -> int:
    """Trips between hex `h` and the columns within their longest ride, both directions together."""
    row_weight, row_limit = rest[8][0, h], rest[9][0, h]
    total = 0
    for c in range(rest[0][0]):
        if best[c] <= row_limit[c]:
            total += row_weight[c]
    return int(total)


@inner_kernel
def _pair_trips(demand: Any, rest: Any, h: int, j: int) -> int:
    """Trips between two hexes, both directions together, that the rest does not serve; the row of `h` is filled."""
    c = rest[1][j]
    if c >= 0:
        return int(rest[8][0, h, c])
    return int(demand[0][h, j]) + int(demand[0][j, h])


@inner_kernel
def _apart(ahead_s: Any, places: Any, begin: int, end: int, first: int, last: int) -> Any:
    """Seconds on board between the hex of entries ``begin:end`` and that of entries ``first:last``."""
    apart = NEVER
    for e in range(begin, end):
        for f in range(first, last):
            apart = min(apart, abs(ahead_s[places[f]] - ahead_s[places[e]]))
    return apart


@kernel
def hold_route(
    graph: Any, demand: Any, routes: Any, rest: Any, held: Any, stops: Any, n: int, ahead_s: Any, scratch: Any, max_transfers: int
) -> None:
    """
    Remember what each hex of a route contributes.

    Parameters
    ----------
    graph, demand, routes, rest, scratch, max_transfers
        As in `owlbus.kernels.coverage.route_gain`.
    held
        Written: the work space of `new_held`.
    stops, n, ahead_s
        The route.
    """
    state, row_hex, row_of, place_of, old_stops, best, trips, _, need, first_of, old_places = held
    column_of = rest[1]
    hexes, places, _ = scratch
    for row in range(state[0]):
        row_of[row_hex[row]] = -1
    for p in range(state[1]):
        place_of[old_stops[p]] = -1
    m = entries_of(graph, stops, n, hexes, places)
    rows, begin = ZERO, ZERO
    while begin < m:
        end = begin + 1
        while end < m and hexes[end] == hexes[begin]:
            end += 1
        h = hexes[begin]
        if not rest[7][h]:
            fill_row(graph, demand, routes, rest, h, max_transfers)
        row_hex[rows] = h
        row_of[h] = rows
        first_of[rows] = begin
        _row_best(rest, stops, n, ahead_s, hexes, places, m, begin, end, best[rows], max_transfers)
        row_best, row_need, row_limit, row_weight = best[rows], need[rows], rest[9][0, h], rest[8][0, h]
        for c in range(rest[0][0]):
            row_need[c] = row_limit[c] if (row_best[c] > row_limit[c]) & (row_weight[c] > 0) else np.float32(-1)
        rows += 1
        begin = end
    first_of[rows] = m
    for e in range(m):
        old_places[e] = places[e]
    for p in range(n):
        place_of[stops[p]] = p
        old_stops[p] = stops[p]
    state[0] = rows
    state[1] = n
    for row in range(rows):
        h = row_hex[row]
        trips[row] = _reached_trips(rest, h, best[row])
        for other in range(rows):
            c = column_of[row_hex[other]]
            if c >= 0 and need[row, c] < 0:
                continue
            pair = _pair_trips(demand, rest, h, row_hex[other])
            if pair > 0 and _is_pair_served(demand, rest, held, ahead_s, row, other):
                trips[row] += pair


@inner_kernel
def _is_pair_served(demand: Any, rest: Any, held: Any, ahead_s: Any, row: int, other: int) -> bool:
    """Whether the held route serves the trips between two of its hexes, with or without the rest."""
    row_hex, best, first_of, places = held[1], held[5], held[9], held[10]
    column_of = rest[1]
    h, j = row_hex[row], row_hex[other]
    limit_s = demand[1][h, j]
    own, c = column_of[h], column_of[j]
    if (c >= 0 and best[row, c] <= limit_s) or (own >= 0 and best[other, own] <= limit_s):
        return True
    return _apart(ahead_s, places, first_of[row], first_of[row + 1], first_of[other], first_of[other + 1]) <= limit_s


@inner_kernel
def _keeps_rides(place_of: Any, old_ahead_s: Any, stops: Any, n: int, ahead_s: Any) -> int:
    """2 if all stops kept lie as far apart as before, 1 if none comes nearer, 0 if one does or their order changes."""
    last, last_place, way, same = -1, -1, 0, True
    for p in range(n):
        place = place_of[stops[p]]
        if place < 0:
            continue
        if last >= 0:
            step = 1 if place > last_place else -1
            if way == 0:
                way = step
            if step != way:
                return 0
            before = abs(old_ahead_s[place] - old_ahead_s[last_place])
            after = ahead_s[p] - ahead_s[last]
            if after < before:
                return 0
            if after > before:
                same = False
        last, last_place = p, place
    return 2 if same else 1


@kernel
def most_gain(
    graph: Any,
    demand: Any,
    routes: Any,
    rest: Any,
    held: Any,
    old_served: int,
    old_people: int,
    old_ahead_s: Any,
    stops: Any,
    n: int,
    ahead_s: Any,
    scratch: Any,
    max_transfers: int,
) -> tuple[int, int, int]:
    """
    Bound what a changed route adds to the rest of the plan.

    Parameters
    ----------
    graph, demand, routes, rest, scratch, max_transfers
        As in `owlbus.kernels.coverage.route_gain`.
    held
        What `hold_route` remembers of the route before the change.
    old_served, old_people, old_ahead_s
        What the route added before, in 1/1024, and its running seconds.
    stops, n, ahead_s
        The changed route.

    Returns
    -------
    tuple of int
        Trips at most, people exactly, in 1/1024, and what is known: 2 if the trips are exact, 1 if they are a bound, 0 if
        neither was found because stops came nearer to each other or too much changed.
    """
    place_of, marks = held[3], held[7]
    hexes, places, _ = scratch
    kept = _keeps_rides(place_of, old_ahead_s, stops, n, ahead_s)
    if kept == 0:
        return 0, 0, 0
    in_new, is_fresh, in_new_stop = marks
    m = entries_of(graph, stops, n, hexes, places)
    n_fresh = 0
    for e in range(m):
        in_new[hexes[e]] = 1
        if place_of[stops[places[e]]] < 0 and not is_fresh[hexes[e]]:
            is_fresh[hexes[e]] = 1
            n_fresh += 1
    n_new = 0
    for p in range(n):
        in_new_stop[stops[p]] = 1
        n_new += place_of[stops[p]] < 0
    served, people, exact = 0, 0, False
    if n_fresh <= _MOST_NEW_ROWS and n_new <= _MOST_NEW_ROWS:
        lost, left, exact_loss = _loss(graph, demand, rest, held, old_ahead_s, in_new_stop)
        won, come, exact_gain = _fresh_gain(graph, demand, routes, rest, held, stops, n, ahead_s, scratch, m, max_transfers)
        served, people = old_served - lost + won, old_people - left + come
        exact = kept == 2 and exact_loss and exact_gain
    for e in range(m):
        in_new[hexes[e]] = 0
        is_fresh[hexes[e]] = 0
    for p in range(n):
        in_new_stop[stops[p]] = 0
    if n_fresh > _MOST_NEW_ROWS or n_new > _MOST_NEW_ROWS:
        return 0, 0, 0
    return served, people, 2 if exact else 1


@inner_kernel
def _loss(graph: Any, demand: Any, rest: Any, held: Any, old_ahead_s: Any, in_new_stop: Any) -> tuple[int, int, bool]:
    """Trips and people that surely go with the hexes that leave the route or are counted anew, and whether that is all that goes."""
    state, row_hex, _, _, old_stops, _, trips, marks = held[:8]
    column_of, stop_row = rest[1], rest[3]
    in_new, is_fresh = marks[0], marks[1]
    lost, left, exact = 0, 0, True
    for row in range(state[0]):
        h = row_hex[row]
        if in_new[h] and not is_fresh[h]:
            continue
        lost += trips[row]
        gone = not in_new[h]
        elsewhere = column_of[h] >= 0
        if gone and not elsewhere:
            left += demand[2][h]
        if elsewhere or not gone:
            exact = False
        for other in range(state[0]):
            j = row_hex[other]
            stays = in_new[j] and not is_fresh[j]
            # A pair that stands in two such rows, or one that a transfer may still serve, is not lost here.
            if (stays and gone and elsewhere) or (not stays and other < row):
                pair = _pair_trips(demand, rest, h, j)
                if pair > 0 and _is_pair_served(demand, rest, held, old_ahead_s, row, other):
                    lost -= pair
    for p in range(state[1]):
        stop = old_stops[p]
        if not in_new_stop[stop]:
            exact = exact and stop_row[stop] < 0
            for e in range(graph[4][stop], graph[4][stop + 1]):
                exact = exact and not in_new[graph[5][e]]
    return lost, left, exact


@inner_kernel
def _fresh_gain(
    graph: Any, demand: Any, routes: Any, rest: Any, held: Any, stops: Any, n: int, ahead_s: Any, scratch: Any, m: int, max_transfers: int
) -> tuple[int, int, bool]:
    """Trips and people that can come with new stops, and whether all of them do."""
    row_of, place_of, marks = held[2], held[3], held[7]
    column_of, stop_row = rest[1], rest[3]
    hexes, places, best = scratch
    is_fresh = marks[1]
    meeting = np.empty(_MOST_NEW_ROWS, np.int64)
    meets = ZERO
    for p in range(n):
        if place_of[stops[p]] < 0 and stop_row[stops[p]] >= 0:
            meeting[meets] = p
            meets += 1
    won, come, exact = 0, 0, True
    begin = ZERO
    while begin < m:
        h = hexes[begin]
        end = begin + 1
        while end < m and hexes[end] == h:
            end += 1
        if is_fresh[h]:
            if not rest[7][h]:
                fill_row(graph, demand, routes, rest, h, max_transfers)
            own = column_of[h]
            if row_of[h] < 0 and own < 0:
                come += demand[2][h]
            _row_best(rest, stops, n, ahead_s, hexes, places, m, begin, end, best, max_transfers)
            won += _reached_trips(rest, h, best)
            first = ZERO
            while first < m:
                j = hexes[first]
                last = first + 1
                while last < m and hexes[last] == j:
                    last += 1
                trips = _pair_trips(demand, rest, h, j)
                if trips > 0:
                    limit_s = demand[1][h, j]
                    c = column_of[j]
                    in_row = c >= 0 and best[c] <= limit_s
                    ok = in_row or _apart(ahead_s, places, begin, end, first, last) <= limit_s
                    if not ok and own >= 0 and max_transfers:
                        ok = changed_ride(rest, ZERO, own, stops, n, ahead_s, ahead_s, first, last, places) <= limit_s
                    if ok and not in_row:
                        won += trips
                    if ok and is_fresh[j] and first < begin:
                        won -= trips  # the row of `j` counted this pair too
                    old = row_of[j]
                    if own >= 0 and row_of[h] < 0 and old >= 0 and not is_fresh[j] and held[5][old, own] <= limit_s:
                        won -= trips  # a transfer served this pair before
                first = last
        elif meets and max_transfers:
            more, sure = _meeting_gain(rest, held, stops, meeting, meets, ahead_s, hexes, places, m, begin, end)
            won += more
            exact = exact and sure and (meets == 1 or more == 0)
        begin = end
    return won, come, exact


@inner_kernel
def _meeting_gain(
    rest: Any, held: Any, stops: Any, meeting: Any, meets: int, ahead_s: Any, hexes: Any, places: Any, m: int, begin: int, end: int
) -> tuple[int, bool]:
    """Trips that a hex kept on the route can win by changing at new stops, and whether it surely does."""
    column_of, stop_row, onward = rest[1], rest[3], rest[6]
    h = hexes[begin]
    row_weight, row_need = rest[8][0, h], held[8][held[2][h]]
    is_fresh = held[7][1]
    won, sure = 0, True
    for i in range(meets):
        q = meeting[i]
        ride = NEVER
        for e in range(begin, end):
            ride = min(ride, abs(ahead_s[q] - ahead_s[places[e]]))
        further = onward[0, stop_row[stops[q]]]
        gain = 0
        for c in range(rest[0][0]):
            if ride + further[c] <= row_need[c]:
                gain += row_weight[c]
        if gain == 0:
            continue
        won += gain
        for f in range(m):
            c = column_of[hexes[f]]
            if c >= 0 and (f == 0 or hexes[f - 1] != hexes[f]) and ride + further[c] <= row_need[c]:
                if is_fresh[hexes[f]]:
                    won -= row_weight[c]  # counted in the row of that new hex
                else:
                    sure = False
    return won, sure
