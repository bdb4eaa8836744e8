"""Ways between stops that are not linked: the fastest drive, around stops where asked, and what else is possible."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.plan.measures import route_links

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from owlbus.network import Network

_PENALTY = 1.4
"""Factor on the seconds of links that an earlier way takes, so that the next one looks for others."""

_LONGEST = 1.8
"""A further way takes at most this many times as long as the fastest one."""

_SAME = 0.75
"""A further way has less than this share of its links in common with each earlier one."""

_TRIES = 6

_AROUND_S = 300
"""Seconds that a route may take longer to leave out the stop that was moved away."""


def fastest_way(network: Network, start: int, end: int, around: Collection[int] = ()) -> tuple[int, ...]:
    """
    Stops of the fastest drive from one stop to another; a link between both is taken as it is.

    Parameters
    ----------
    network
        The network.
    start, end
        Stop indices.
    around
        Stop indices that it does not pass.

    Returns
    -------
    tuple of int
        From `start` to `end`, both included; empty if there is no such way.
    """
    if is_linked(network, start, end):
        return start, end
    way = tuple(network.shortest_path(start, end).tolist())
    if not around or set(way[1:-1]).isdisjoint(around):
        return way
    return _search(network, start, end, set(around))


def is_linked(network: Network, start: int, end: int) -> bool:
    """Return whether a link leads from the stop `start` to the stop `end`."""
    low, high = int(network.link_indptr[start]), int(network.link_indptr[start + 1])
    row = low + int(np.searchsorted(network.link_to[low:high], end))
    return row < high and int(network.link_to[row]) == end


def _search(
    network: Network, start: int, end: int, around: set[int], factor: dict[tuple[int, int], float] | None = None
) -> tuple[int, ...]:
    """Stops of the fastest drive that passes none of some stops, by Dijkstra towards the end; ties go to the lower stop."""
    left_s = network.drive_s[:, end]
    best: dict[int, float] = {start: 0.0}
    before: dict[int, int] = {}
    done: set[int] = set()
    heap: list[tuple[float, int]] = [(float(left_s[start]), start)]
    factor = factor or {}
    while heap:
        _, at = heapq.heappop(heap)
        if at == end:
            return _traced(before, start, end)
        if at in done:
            continue
        done.add(at)
        low, high = int(network.link_indptr[at]), int(network.link_indptr[at + 1])
        for to, seconds in zip(network.link_to[low:high].tolist(), network.link_s[low:high].tolist(), strict=True):
            if to in done or (to in around and to != end):
                continue
            cost = best[at] + seconds * factor.get((at, to), 1.0)
            if cost < best.get(to, np.inf):
                best[to], before[to] = cost, at
                heapq.heappush(heap, (cost + float(left_s[to]), to))
    return ()


def _traced(before: dict[int, int], start: int, end: int) -> tuple[int, ...]:
    """Stops from start to end, by the stop before each."""
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return tuple(reversed(way))


def without_loops(stops: Iterable[int]) -> tuple[int, ...]:
    """
    Stops of a way with all that lies between two calls at one stop cut out.

    Parameters
    ----------
    stops
        Stop indices.

    Returns
    -------
    tuple of int
        Each stop once.

    Examples
    --------
    >>> without_loops([4, 2, 7, 2, 9])
    (4, 2, 9)
    """
    kept: list[int] = []
    place: dict[int, int] = {}
    for stop in stops:
        if stop in place:
            for gone in kept[place[stop] + 1 :]:
                del place[gone]
            del kept[place[stop] + 1 :]
        else:
            place[stop] = len(kept)
            kept.append(stop)
    return tuple(kept)


def threaded(network: Network, before: Sequence[int], stop: int, after: Sequence[int], around: Collection[int] = ()) -> tuple[int, ...]:
    """
    Stops of a route that calls at a stop between two parts of it, joined by the fastest drives.

    A drive goes around the stops of the other part. Where it passes stops of the part that it leaves or reaches, the route turns off or
    joins there: what would be driven twice is cut out. Of both orders in which the two drives can be found the shorter result is taken.

    Parameters
    ----------
    network
        The network.
    before
        Stop indices of the route before it; may be empty.
    stop
        Index of the stop, on neither part.
    after
        Stop indices behind it; may be empty.
    around
        Stop indices that are driven around where that takes five minutes more at most, such as that of a stop that is moved away.

    Returns
    -------
    tuple of int
        Each stop once; empty if no drive joins it in.
    """
    free, least_s = _unhindered(network, before, stop, after, around)
    if free:
        return free
    kept = _shorter(network, before, stop, after, set(around))
    if not around or (kept and _seconds(network, kept) <= least_s + _AROUND_S):
        return kept
    plain = _shorter(network, before, stop, after, set())
    is_worth = kept and (not plain or _seconds(network, kept) <= _seconds(network, plain) + _AROUND_S)
    return kept if is_worth else plain


def _unhindered(
    network: Network, before: Sequence[int], stop: int, after: Sequence[int], around: Collection[int]
) -> tuple[tuple[int, ...], int]:
    """Stops of the route by the fastest drives of all, if they pass no other stop of it; and the least seconds that any way takes."""
    ways = [fastest_way(network, before[-1], stop) if before else (stop,), fastest_way(network, stop, after[0]) if after else (stop,)]
    least_s = sum(_seconds(network, part) for part in (before, *ways, after) if len(part) > 1)
    inner = [stop for way in ways for stop in way[1:-1]]
    is_free = all(ways) and len(set(inner)) == len(inner) and set(inner).isdisjoint({*before, *after, *around, stop})
    return ((*before[:-1], *ways[0][:-1], stop, *ways[1][1:], *after[1:]) if is_free else ()), least_s


def _shorter(network: Network, before: Sequence[int], stop: int, after: Sequence[int], avoided: set[int]) -> tuple[int, ...]:
    """Stops of the route with the drive to the stop found first, or the drive from it, whichever is shorter."""
    found = [way for is_first in (True, False) if (way := _threaded(network, before, stop, after, avoided, is_first=is_first))]
    return min(found, key=lambda way: (_seconds(network, way), way), default=())


def _threaded(
    network: Network, before: Sequence[int], stop: int, after: Sequence[int], avoided: set[int], *, is_first: bool
) -> tuple[int, ...]:
    """Stops of a route that calls at a stop between two parts of it; the drive to the stop is found first, or the drive from it."""
    head: tuple[int, ...] = (stop,)
    tail: tuple[int, ...] = (stop,)
    if is_first and before:
        head = _head(network, before, stop, avoided.union(after))
    if after and head:
        tail = _tail(network, stop, after, avoided.union(head[:-1] if is_first else before))
    if not is_first and before and tail:
        head = _head(network, before, stop, avoided.union(tail[1:]))
    way = without_loops((*head, *tail[1:])) if head and tail else ()
    return way if stop in way and len(way) == len(head) + len(tail) - 1 else ()


def _head(network: Network, before: Sequence[int], stop: int, around: Collection[int]) -> tuple[int, ...]:
    """Stops of the first part with the drive from its end to a stop; empty if there is none."""
    way = fastest_way(network, before[-1], stop, around)
    return without_loops((*before, *way[1:])) if way else ()


def _tail(network: Network, stop: int, after: Sequence[int], around: Collection[int]) -> tuple[int, ...]:
    """Stops of the drive from a stop to the second part with this part; empty if there is none."""
    way = fastest_way(network, stop, after[0], around)
    return tuple(reversed(without_loops((*reversed(after), *reversed(way[:-1]))))) if way else ()


def _seconds(network: Network, way: Sequence[int]) -> int:
    """Seconds along the stops of a way."""
    return int(route_links(network, way)[0].sum(dtype=np.int64))


def alternative_ways(network: Network, start: int, end: int, n_ways: int = 3) -> tuple[tuple[int, ...], ...]:
    """
    Different ways from one stop to another, the fastest first.

    After each way its links count longer, so that the next search looks for other streets; what takes much longer than the fastest way, or
    shares most links with an earlier one, is left out.

    Parameters
    ----------
    network
        The network.
    start, end
        Stop indices, not the same.
    n_ways
        Ways at most.

    Returns
    -------
    tuple of tuple of int
        Stops of each way, both ends included; empty if there is no way.
    """
    first = tuple(network.shortest_path(start, end).tolist())
    if not first:
        return ()
    found, factor = [first], dict.fromkeys(_links_of(first), _PENALTY)
    if is_linked(network, start, end) and first != (start, end):
        found.insert(0, (start, end))
    for _ in range(_TRIES):
        if len(found) >= n_ways:
            break
        way = _search(network, start, end, set(), factor)
        for link in _links_of(way):
            factor[link] = factor.get(link, 1.0) * _PENALTY
        is_other = all(len(_links_of(way) & _links_of(known)) < _SAME * len(_links_of(way)) for known in found)
        if is_other and _seconds(network, way) <= _LONGEST * _seconds(network, first):
            found.append(way)
    return tuple(found[:n_ways])


def _links_of(way: Sequence[int]) -> set[tuple[int, int]]:
    """Pairs of stops along a way."""
    return set(pairwise(way))


def way_measures(network: Network, way: Sequence[int]) -> dict[str, Any]:
    """
    Length and duration of a way.

    Parameters
    ----------
    network
        The network.
    way
        Stop indices.

    Returns
    -------
    dict
        ``metres``, whole, and ``minutes``, to a tenth.
    """
    seconds, metres = route_links(network, way)
    return {"metres": int(metres.sum(dtype=np.int64)), "minutes": round(int(seconds.sum(dtype=np.int64)) / 60, 1)}


def bridged(network: Network, before: Sequence[int], after: Sequence[int], around: Collection[int]) -> tuple[int, ...]:
    """
    Stops of a route whose two parts are joined by the fastest drive that does not pass some stops.

    Parameters
    ----------
    network
        The network.
    before, after
        Stop indices of both parts, neither of which is empty.
    around
        Stop indices that it does not pass.

    Returns
    -------
    tuple of int
        Each stop once; empty if no drive joins them.
    """
    others = {*before[:-1], *after[1:]}
    for avoided in ({*around, *others}, set(around)):
        way = fastest_way(network, before[-1], after[0], avoided)
        if way:
            head = without_loops((*before, *way[1:-1]))
            return tuple(reversed(without_loops((*reversed(after), *reversed(head)))))
    return ()
