"""Trips served between points of hexes, where the points that the same stops reach are counted together, as one class."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import ZERO, inlined, inner_kernel, int64, kernel, uint64
from owlbus.kernels.rides import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.journeys import Journeys

_WALK_BITS = 20
_WORD = 64


class Classes(NamedTuple):
    """
    Points of hexes in classes of equal stops within the walk.

    Attributes
    ----------
    indptr
        First class of each hex, shape (H + 1,), int64.
    n_points
        Points of each class, shape (C,), int64.
    stop_indptr
        First stop of each class, shape (C + 1,), int64.
    stop
        Stops within the walk, of those asked for, shape (X,), int32.
    walk_m
        Mean metres from the points of the class to each, rounded, shape (X,), int32.
    """

    indptr: NDArray[np.int64]
    n_points: NDArray[np.int64]
    stop_indptr: NDArray[np.int64]
    stop: NDArray[np.int32]
    walk_m: NDArray[np.int32]


class Reach(NamedTuple):
    """
    Points of hexes that each of some stops reaches, as bits of words.

    Attributes
    ----------
    indptr
        First entry of each word, shape (H * W + 1,), int64; hex h has the W words from h * W on.
    stop
        Stop of each entry, shape (X,), int32.
    points
        Points of the word within its walk, one bit each, shape (X,), uint64.
    """

    indptr: NDArray[np.int64]
    stop: NDArray[np.int32]
    points: NDArray[np.uint64]


class Pairs(NamedTuple):
    """
    Pairs of hexes with trips, by origin.

    Attributes
    ----------
    indptr
        First pair of each origin, shape (H + 1,), int64.
    destination
        Hex where each pair ends, shape (P,), int32.
    limit_s
        Longest ride that serves it in seconds, shape (P,), float32; -1 where none does.
    """

    indptr: NDArray[np.int64]
    destination: NDArray[np.int32]
    limit_s: NDArray[np.float32]


@inner_kernel
def _is_alike(stop: NDArray[np.int32], a: int, b: int, count: int) -> bool:
    """Whether two runs of stops are equal."""
    for i in range(count):
        if stop[a + i] != stop[b + i]:
            return False
    return True


@kernel
def point_classes(
    indptr: NDArray[np.int64], point: NDArray[np.int32], walk_m: NDArray[np.int32], stops: NDArray[np.int32], n_hexes: int, per_hex: int
) -> Classes:
    """
    Classes of the points that some of the stops reach.

    Parameters
    ----------
    indptr, point, walk_m
        Points within the walk of every stop of the network, and metres, as in `WalkPoints`.
    stops
        Stops asked for, shape (U,), int32; classes name them by their place here.
    n_hexes, per_hex
        Hexes H, and points of each.

    Returns
    -------
    Classes
        Classes of each hex in the order of their first point.
    """
    begin = np.zeros(n_hexes * per_hex + 1, np.int64)
    for u in range(stops.shape[0]):
        for e in range(indptr[stops[u]], indptr[stops[u] + 1]):
            begin[point[e] + 1] += 1
    for i in range(n_hexes * per_hex):
        begin[i + 1] += begin[i]
    n_entries = begin[n_hexes * per_hex]
    filled, near, metres = begin.copy(), np.empty(n_entries, np.int32), np.empty(n_entries, np.int64)
    for u in range(stops.shape[0]):
        for e in range(indptr[stops[u]], indptr[stops[u] + 1]):
            near[filled[point[e]]], metres[filled[point[e]]] = u, walk_m[e]
            filled[point[e]] += 1
    hex_indptr, stop_indptr = np.zeros(n_hexes + 1, np.int64), np.zeros(n_entries + 1, np.int64)
    counts, first = np.zeros(n_entries, np.int64), np.zeros(n_entries, np.int64)
    stop, walk = np.empty(n_entries, np.int32), np.empty(n_entries, np.int32)
    n, x = ZERO, ZERO
    for h in range(n_hexes):
        for i in range(h * per_hex, (h + 1) * per_hex):
            degree = begin[i + 1] - begin[i]
            if degree == 0:
                continue
            c = hex_indptr[h]
            while c < n and not (begin[first[c] + 1] - begin[first[c]] == degree and _is_alike(near, begin[first[c]], begin[i], degree)):
                c += 1
            if c == n:
                first[c] = i
                n += 1
            else:  # metres are added up at the first point
                for j in range(degree):
                    metres[begin[first[c]] + j] += metres[begin[i] + j]
            counts[c] += 1
        for c in range(hex_indptr[h], n):
            for e in range(begin[first[c]], begin[first[c] + 1]):
                stop[x], walk[x] = near[e], (2 * metres[e] + counts[c]) // (2 * counts[c])
                x += 1
            stop_indptr[c + 1] = x
        hex_indptr[h + 1] = n
    return Classes(hex_indptr, counts[:n].copy(), stop_indptr[: n + 1].copy(), stop[:x].copy(), walk[:x].copy())


@inner_kernel
def _fill_row(classes: Classes, c: int, seconds: NDArray[np.float32], row: NDArray[np.float32]) -> None:
    """Fill the fastest rides from a class to every stop."""
    for v in range(row.shape[0]):
        row[v] = NEVER
    for e in range(classes.stop_indptr[c], classes.stop_indptr[c + 1]):
        from_stop = seconds[classes.stop[e]]
        for v in range(row.shape[0]):
            row[v] = min(row[v], from_stop[v])


@inner_kernel
def _ride_to(classes: Classes, c: int, row: NDArray[np.float32]) -> float:
    """Fastest ride to a class, by the rides to every stop."""
    ride = NEVER
    for e in range(classes.stop_indptr[c], classes.stop_indptr[c + 1]):
        ride = min(ride, row[classes.stop[e]])
    return float(ride)


@kernel
def point_reach(indptr: NDArray[np.int64], point: NDArray[np.int32], stops: NDArray[np.int32], n_hexes: int, per_hex: int) -> Reach:
    """
    Points that each of some stops reaches.

    Parameters
    ----------
    indptr, point
        Points within the walk of every stop of the network, as in `WalkPoints`.
    stops
        Stops asked for, shape (U,), int32; entries name them by their place here.
    n_hexes, per_hex
        Hexes H, and points of each.

    Returns
    -------
    Reach
        Entries of each word in the order of `stops`.
    """
    n_words = (per_hex + _WORD - 1) // _WORD
    begin = np.zeros(n_hexes * n_words + 1, np.int64)
    for u in range(stops.shape[0]):
        last = -1
        for e in range(indptr[stops[u]], indptr[stops[u] + 1]):
            word = _word(point[e], per_hex, n_words)
            begin[word + 1] += word != last  # the points of a stop ascend, so that those of a word follow each other
            last = word
    for word in range(n_hexes * n_words):
        begin[word + 1] += begin[word]
    filled, stop, points = begin.copy(), np.empty(begin[-1], np.int32), np.zeros(begin[-1], np.uint64)
    for u in range(stops.shape[0]):
        last = -1
        for e in range(indptr[stops[u]], indptr[stops[u] + 1]):
            word = _word(point[e], per_hex, n_words)
            filled[word] += word != last
            last = word
            stop[filled[word] - 1] = u
            points[filled[word] - 1] |= uint64(1) << uint64(point[e] % per_hex % _WORD)
    return Reach(begin, stop, points)


@inlined
def _word(point: int, per_hex: int, n_words: int) -> int:
    """Word of a point."""
    return int64(point // per_hex * n_words + point % per_hex // _WORD)


@inlined
def _count_bits(word: int) -> int:
    """Bits that are set: sums within pairs, fours and eights, which a product adds up (Warren 2012, Hacker's Delight, 5-1)."""
    word -= (word >> uint64(1)) & uint64(0x5555555555555555)
    word = (word & uint64(0x3333333333333333)) + ((word >> uint64(2)) & uint64(0x3333333333333333))
    word = (word + (word >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int64((word * uint64(0x0101010101010101)) >> uint64(56))


@inner_kernel
def _fill_hex(
    classes: Classes, h: int, seconds: NDArray[np.float32], rows: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]
) -> int:
    """Fill the fastest rides from each class of a hex to every stop, and the least and the longest of them; return the points of all."""
    low[:], high[:] = NEVER, ZERO
    n_points = ZERO
    for a in range(classes.indptr[h], classes.indptr[h + 1]):
        row = rows[a - classes.indptr[h]]
        _fill_row(classes, a, seconds, row)
        n_points += classes.n_points[a]
        for v in range(row.shape[0]):
            low[v], high[v] = min(low[v], row[v]), max(high[v], row[v])
    return n_points


@kernel
def count_served(classes: Classes, reach: Reach, seconds: NDArray[np.float32], pairs: Pairs) -> NDArray[np.int64]:
    """
    Pairs of points that a plan serves, for each pair of hexes.

    Trips begin at the points of a class together, and end at the points of each stop whose ride keeps the limit, joined bit by bit. What
    all classes of a hex can ride to, or none, is found once for all of them.

    Parameters
    ----------
    classes
        Classes of the points that the plan's stops reach.
    reach
        The points that each of them reaches.
    seconds
        Fastest rides between these U stops, with the transfers allowed or without one, shape (U, U), float32.
    pairs
        Pairs of hexes.

    Returns
    -------
    ndarray of int64
        Pairs of points served, shape (P,).
    """
    n_stops, n_hexes = seconds.shape[0], pairs.indptr.shape[0] - 1
    n_words = (reach.indptr.shape[0] - 1) // max(1, n_hexes)
    served, most_classes = np.zeros(pairs.destination.shape[0], np.int64), ZERO
    for h in range(n_hexes):
        most_classes = max(most_classes, classes.indptr[h + 1] - classes.indptr[h])
    rows, low, high = np.empty((most_classes, n_stops), np.float32), np.empty(n_stops, np.float32), np.empty(n_stops, np.float32)
    some = np.empty(n_stops, np.int64)
    for h in range(n_hexes):
        first, last = classes.indptr[h], classes.indptr[h + 1]
        if first == last or pairs.indptr[h] == pairs.indptr[h + 1]:
            continue
        n_points = _fill_hex(classes, h, seconds, rows, low, high)
        for pair in range(pairs.indptr[h], pairs.indptr[h + 1]):
            d, limit = pairs.destination[pair], pairs.limit_s[pair]
            for word in range(d * n_words, (d + 1) * n_words):
                always, n_some = uint64(0), ZERO
                for e in range(reach.indptr[word], reach.indptr[word + 1]):
                    if high[reach.stop[e]] <= limit:
                        always |= reach.points[e]
                    elif low[reach.stop[e]] <= limit:
                        some[n_some] = e
                        n_some += 1
                if n_some == 0:
                    served[pair] += n_points * _count_bits(always)
                    continue
                for a in range(first, last):
                    within = always
                    for e in some[:n_some]:
                        if rows[a - first, reach.stop[e]] <= limit:
                            within |= reach.points[e]
                    served[pair] += classes.n_points[a] * _count_bits(within)
    return served


@inner_kernel
def _mark_differences(
    was_best: NDArray[np.float32],
    was_direct: NDArray[np.float32],
    now_best: NDArray[np.float32],
    now_direct: NDArray[np.float32],
    differs: NDArray[np.bool_],
) -> bool:
    """Mark the stops to which a ride differs, with a transfer or without; return whether there is one."""
    some = False
    for v in range(differs.shape[0]):
        differs[v] = was_best[v] != now_best[v] or was_direct[v] != now_direct[v]
        some |= differs[v]
    return some


@inner_kernel
def _is_any(classes: Classes, b: int, marked: NDArray[np.bool_]) -> bool:
    """Whether a stop of a class is marked."""
    for f in range(classes.stop_indptr[b], classes.stop_indptr[b + 1]):
        if marked[classes.stop[f]]:
            return True
    return False


@kernel
def count_changes(classes: Classes, was: Journeys, now: Journeys, pairs: Pairs) -> NDArray[np.int64]:
    """
    Pairs of points that two plans serve differently, for each pair of hexes.

    Parameters
    ----------
    classes
        Classes of the points that the stops of both plans reach.
    was, now
        Journeys of each plan between these stops.
    pairs
        Pairs of hexes.

    Returns
    -------
    ndarray of int64
        Shape (10, P): pairs of points gained, lost, gained and lost without a transfer; of those that both serve the ones that now need a
        transfer, that now need none, that ride longer and less long; and the sums of seconds by which these two do.
    """
    n_stops = was.best_s.shape[0]
    changes = np.zeros((10, pairs.destination.shape[0]), np.int64)
    was_best, was_direct = np.empty(n_stops, np.float32), np.empty(n_stops, np.float32)
    now_best, now_direct = np.empty(n_stops, np.float32), np.empty(n_stops, np.float32)
    differs = np.empty(n_stops, np.bool_)
    for h in range(pairs.indptr.shape[0] - 1):
        if pairs.indptr[h] == pairs.indptr[h + 1]:
            continue
        for a in range(classes.indptr[h], classes.indptr[h + 1]):
            _fill_row(classes, a, was.best_s, was_best)
            _fill_row(classes, a, was.direct_s, was_direct)
            _fill_row(classes, a, now.best_s, now_best)
            _fill_row(classes, a, now.direct_s, now_direct)
            if not _mark_differences(was_best, was_direct, now_best, now_direct, differs):
                continue
            for pair in range(pairs.indptr[h], pairs.indptr[h + 1]):
                d, limit = pairs.destination[pair], pairs.limit_s[pair]
                for b in range(classes.indptr[d], classes.indptr[d + 1]):
                    if not _is_any(classes, b, differs):
                        continue
                    before_s, after_s = _ride_to(classes, b, was_best), _ride_to(classes, b, now_best)
                    if before_s > limit and after_s > limit:
                        continue
                    points = classes.n_points[a] * classes.n_points[b]
                    had, has = _ride_to(classes, b, was_direct) <= limit, _ride_to(classes, b, now_direct) <= limit
                    changes[2, pair] += points if has and not had else 0
                    changes[3, pair] += points if had and not has else 0
                    if before_s > limit:
                        changes[0, pair] += points
                    elif after_s > limit:
                        changes[1, pair] += points
                    else:
                        changes[4, pair] += points if had and not has else 0
                        changes[5, pair] += points if has and not had else 0
                        if after_s > before_s:
                            changes[6, pair] += points
                            changes[8, pair] += points * int64(after_s - before_s)
                        elif after_s < before_s:
                            changes[7, pair] += points
                            changes[9, pair] += points * int64(before_s - after_s)
    return changes


@inner_kernel
def _loses(classes: Classes, journeys: Journeys, without_s: NDArray[np.float32], a: int, b: int, k: int, limit: float) -> bool:
    """Whether no ride between two classes keeps the limit without route `k`."""
    for e in range(classes.stop_indptr[a], classes.stop_indptr[a + 1]):
        for f in range(classes.stop_indptr[b], classes.stop_indptr[b + 1]):
            u, v = classes.stop[e], classes.stop[f]
            seconds = journeys.best_s[u, v]
            if journeys.legs[u, v, 0] == k:
                seconds = without_s[0, u, v]
            elif journeys.legs[u, v, 3] == k:
                seconds = without_s[1, u, v]
            if seconds <= limit:
                return False
    return True


@kernel
def stop_flows(
    classes: Classes, journeys: Journeys, pairs: Pairs, quanta: NDArray[np.int64], without_s: NDArray[np.float32], n_routes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Send every served trip from the stop where it boards to the stop where it alights.

    Each trip takes its fastest journey; of equally fast ones the one without a transfer wins, then the shortest walk, then the first in the
    order of stops.

    Parameters
    ----------
    classes
        Classes of the points that the plan's stops reach.
    journeys
        Journeys between these U stops.
    pairs
        Pairs of hexes.
    quanta
        Trips of each pair in 1/1024 a night by layer, such as the hour, shape (L, P), int64.
    without_s
        Fastest seconds between the stops without the route of the first leg of their journey, and without that of the second, shape
        (2, U, U), float32. A journey stays without any other route, so that no more is needed, whatever the number of routes.
    n_routes
        Routes K to count the trips of; with 0, `without_s` is not read.

    Returns
    -------
    flow
        Trips by stops of boarding and alighting, in 1/1024 times pairs of points, shape (L, U, U), int64.
    walked
        The same of all layers together times their metres of walk at both ends, shape (U, U), int64.
    only
        Trips of the first layer that need each route, in the same unit as `flow`, shape (K,), int64.
    """
    n_stops, n_layers = journeys.best_s.shape[0], quanta.shape[0]
    key = np.empty((n_stops, n_stops), np.int64)
    for u in range(n_stops):
        for v in range(n_stops):
            key[u, v] = (2 * int64(journeys.best_s[u, v]) + int64(journeys.legs[u, v, 3] >= 0)) << _WALK_BITS
    flow, walked = np.zeros((n_layers, n_stops, n_stops), np.int64), np.zeros((n_stops, n_stops), np.int64)
    only = np.zeros(n_routes, np.int64)
    row, row_stop = np.empty(n_stops, np.int64), np.empty(n_stops, np.int32)
    for h in range(pairs.indptr.shape[0] - 1):
        if pairs.indptr[h] == pairs.indptr[h + 1]:
            continue
        for a in range(classes.indptr[h], classes.indptr[h + 1]):
            row[:] = int64(1) << 62
            for e in range(classes.stop_indptr[a], classes.stop_indptr[a + 1]):
                u = classes.stop[e]
                for v in range(n_stops):
                    way = key[u, v] + classes.walk_m[e]
                    if way < row[v]:
                        row[v], row_stop[v] = way, u
            for pair in range(pairs.indptr[h], pairs.indptr[h + 1]):
                d, limit = pairs.destination[pair], pairs.limit_s[pair]
                for b in range(classes.indptr[d], classes.indptr[d + 1]):
                    least, v = int64(1) << 62, ZERO
                    for f in range(classes.stop_indptr[b], classes.stop_indptr[b + 1]):
                        way = row[classes.stop[f]] + classes.walk_m[f]
                        if way < least:
                            least, v = way, int64(classes.stop[f])
                    if least >> (_WALK_BITS + 1) > limit:
                        continue
                    u, points = row_stop[v], classes.n_points[a] * classes.n_points[b]
                    for layer in range(n_layers):
                        trips = quanta[layer, pair] * points
                        flow[layer, u, v] += trips
                        walked[u, v] += trips * (least & ((int64(1) << _WALK_BITS) - 1))
                    for leg in (0, 3):
                        k = journeys.legs[u, v, leg]
                        is_counted = 0 <= k < n_routes and (leg == 0 or k != journeys.legs[u, v, 0])
                        if is_counted and _loses(classes, journeys, without_s, a, b, k, limit):
                            only[k] += quanta[0, pair] * points
    return flow, walked, only
