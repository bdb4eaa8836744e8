"""
Moves on one route, or on two that share a stop, for plans judged by passenger travel time.

A move writes over `stops`, which has room for one stop more than a route may have, and returns how many stops count now, or 0 if it does
not apply. Every result is a simple route of linked stops within the limits.
`rng_state` is the random state of `owlbus.kernels.moves.next_random`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, lean_kernel
from owlbus.kernels.moves import next_random, random_below, reverse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.travel_time_cost import StopGraph, Workspace

EXTEND, TRIM, SHIFT, INSERT, SKIP, REPLACE, REROUTE, REGROW, ROTATE, RENEW = range(10)

CHANCES = np.array(
    [EXTEND, EXTEND, TRIM, SHIFT, SHIFT, INSERT, INSERT, SKIP, REPLACE, REPLACE, REROUTE, REROUTE, REGROW, REGROW, ROTATE, RENEW],
    dtype=np.uint8,
)
"""One of these is drawn for each move; those that stand twice are twice as likely."""

_NOISE = 0.5
"""Share by which a link may look longer than it is, so that walks to the same stop differ."""


@inner_kernel
def _clear(mark: NDArray[np.uint8]) -> None:
    """Unmark all stops."""
    for i in range(mark.shape[0]):
        mark[i] = 0


@inner_kernel
def _turn(stops: NDArray[np.int32], first: int, last: int) -> None:
    """Reverse the places `first` to `last`, both included."""
    while first < last:
        stops[first], stops[last] = stops[last], stops[first]
        first += 1
        last -= 1


@inner_kernel
def _toss(stops: NDArray[np.int32], n: int, rng_state: NDArray[np.uint64]) -> None:
    """Reverse the route half of the time, so that a move at its end meets both ends."""
    if next_random(rng_state) < 0.5:
        reverse(stops, n)


@inner_kernel
def _some(rng_state: NDArray[np.uint64], n: int) -> int:
    """Draw from 1 to n, each next number half as likely."""
    k = 1
    while k < n and next_random(rng_state) < 0.5:
        k += 1
    return k


@inner_kernel
def _free_between(graph: StopGraph, u: int, v: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Draw an unmarked stop linked with `u`, and with `v` unless that is -1; -1 if there is none."""
    begin, count = graph.near_indptr[u], graph.near_indptr[u + 1] - graph.near_indptr[u]
    skip = random_below(rng_state, count)
    for k in range(count):
        x = graph.near_to[begin + (skip + k) % count]
        if mark[x] == 0 and (v < 0 or graph.link[x, v] >= 0):
            return int(x)
    return -1


@inner_kernel
def _grow(graph: StopGraph, stops: NDArray[np.int32], n: int, wanted: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Extend the end by drawn stops until it has `wanted`, or none is free; the stops now."""
    while n < wanted:
        x = _free_between(graph, stops[n - 1], -1, mark, rng_state)
        if x < 0:
            break
        stops[n] = x
        mark[x] = 1
        n += 1
    return n


@inner_kernel
def _walk(
    graph: StopGraph, stops: NDArray[np.int32], n: int, limit: int, target: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]
) -> int:
    """Extend the end to `target` along unmarked stops, more or less the fastest way; the stops now, or 0 if that fails."""
    here = stops[n - 1]
    while here != target:
        if n >= limit:
            return 0
        best, onward = np.inf, -1
        for k in range(graph.near_indptr[here], graph.near_indptr[here + 1]):
            x = graph.near_to[k]
            if mark[x] == 0 or x == target:
                away = (graph.link[here, x] + graph.drive[x, target]) * (1.0 + _NOISE * next_random(rng_state))
                if away < best:
                    best, onward = away, x
        if onward < 0:
            return 0
        stops[n] = onward
        mark[onward] = 1
        n += 1
        here = onward
    return n


@inner_kernel
def _within(graph: StopGraph, n: int) -> int:
    """Return the number of stops if a route may have it, else 0."""
    return n if graph.least <= n <= graph.most else 0


@inner_kernel
def _shift(graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Take a few stops off one end and grow as many at the same or the other end."""
    _toss(stops, n, rng_state)
    k = _some(rng_state, n - 1)
    for p in range(n - k, n):
        mark[stops[p]] = 0
    if next_random(rng_state) < 0.5:
        reverse(stops, n - k)
    return _within(graph, _grow(graph, stops, n - k, n, mark, rng_state))


@inner_kernel
def _insert(graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Put a stop between two; a route that is full loses its end."""
    if n >= graph.most:
        if n < 3:
            return 0
        _toss(stops, n, rng_state)
        n -= 1
        mark[stops[n]] = 0
    p = random_below(rng_state, n - 1)
    x = _free_between(graph, stops[p], stops[p + 1], mark, rng_state)
    if x < 0:
        return 0
    for q in range(n, p + 1, -1):
        stops[q] = stops[q - 1]
    stops[p + 1] = x
    return _within(graph, n + 1)


@inner_kernel
def _skip(graph: StopGraph, stops: NDArray[np.int32], n: int, rng_state: NDArray[np.uint64]) -> int:
    """Leave out a stop whose neighbours are linked."""
    if n < 3:
        return 0
    begin = random_below(rng_state, n - 2)
    for k in range(n - 2):
        p = 1 + (begin + k) % (n - 2)
        if graph.link[stops[p - 1], stops[p + 1]] >= 0:
            for q in range(p, n - 1):
                stops[q] = stops[q + 1]
            return _within(graph, n - 1)
    return 0


@inner_kernel
def _replace(graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Put another stop in the place of one."""
    if n < 3:
        return 0
    begin = random_below(rng_state, n - 2)
    for k in range(n - 2):
        p = 1 + (begin + k) % (n - 2)
        x = _free_between(graph, stops[p - 1], stops[p + 1], mark, rng_state)
        if x >= 0:
            stops[p] = x
            return n
    return 0


@inner_kernel
def _reroute(
    graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], path: NDArray[np.int32], rng_state: NDArray[np.uint64]
) -> int:
    """Take another way between two stops of the route."""
    if n < 3:
        return 0
    a = random_below(rng_state, n - 2)
    b = min(a + 1 + _some(rng_state, n), n - 1)
    for p in range(a + 1, b):
        mark[stops[p]] = 0
    tail = n - 1 - b
    path[0] = stops[a]
    m = _grow(graph, path, 1, 1 + random_below(rng_state, 2), mark, rng_state)
    m = _walk(graph, path, m, graph.most - a - tail, stops[b], mark, rng_state)
    if m == 0:
        return 0
    same = m == b - a + 1
    for p in range(m):
        same = same and path[p] == stops[a + p]
    if same:
        return 0
    shift = m - 1 - (b - a)
    if shift > 0:
        for p in range(n - 1, b, -1):
            stops[p + shift] = stops[p]
    else:
        for p in range(b + 1, n):
            stops[p + shift] = stops[p]
    for p in range(m):
        stops[a + p] = path[p]
    return _within(graph, n + shift)


@inner_kernel
def _regrow(graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Cut the route at some place and walk to a drawn stop from there."""
    _toss(stops, n, rng_state)
    cut = 1 + random_below(rng_state, n)
    for p in range(cut, n):
        mark[stops[p]] = 0
    target = random_below(rng_state, mark.shape[0])
    if mark[target]:
        return 0
    m = _walk(graph, stops, cut, graph.most, target, mark, rng_state)
    if m == 0:
        return 0
    wanted = n if next_random(rng_state) < 0.5 else graph.least
    m = _grow(graph, stops, m, wanted, mark, rng_state)
    reverse(stops, m)
    return _within(graph, _grow(graph, stops, m, wanted, mark, rng_state))


@inner_kernel
def _rotate(graph: StopGraph, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Link the end to an inner stop and open the loop on its other side, which moves the end and keeps the stops."""
    _toss(stops, n, rng_state)
    end = stops[n - 1]
    begin, count = graph.near_indptr[end], graph.near_indptr[end + 1] - graph.near_indptr[end]
    skip = random_below(rng_state, count)
    for k in range(count):
        x = graph.near_to[begin + (skip + k) % count]
        if mark[x] and x != stops[n - 2]:
            p = 0
            while stops[p] != x:
                p += 1
            _turn(stops, p + 1, n - 1)
            return n
    return 0


@inner_kernel
def _draw_route(graph: StopGraph, stops: NDArray[np.int32], mark: NDArray[np.uint8], rng_state: NDArray[np.uint64]) -> int:
    """Draw a route between two stops and grow it to a drawn length; its stops, or 0 if the draw failed."""
    n_stops = mark.shape[0]
    _clear(mark)
    stops[0] = random_below(rng_state, n_stops)
    target = random_below(rng_state, n_stops)
    mark[stops[0]] = 1
    if target == stops[0]:
        return 0
    n = _walk(graph, stops, 1, graph.most, target, mark, rng_state)
    if n == 0:
        return 0
    wanted = graph.least + random_below(rng_state, graph.most - graph.least + 1)
    n = _grow(graph, stops, n, wanted, mark, rng_state)
    reverse(stops, n)
    return _within(graph, _grow(graph, stops, n, wanted, mark, rng_state))


@lean_kernel
def propose_route(
    graph: StopGraph, stops: NDArray[np.int32], n: int, kind: int, workspace: Workspace, rng_state: NDArray[np.uint64]
) -> int:
    """
    Turn a route into a neighbour of itself.

    Parameters
    ----------
    graph
        A `StopGraph`.
    stops, n
        Stop indices, shape (M + 1,), written over; and how many count, >= 2.
    kind
        The move, such as `EXTEND`.
    workspace
        Work space.
    rng_state
        Random state.

    Returns
    -------
    int
        Stops of the neighbour, or 0 if the move does not apply.
    """
    mark = workspace.mark
    _clear(mark)
    for p in range(n):
        mark[stops[p]] = 1
    if kind == EXTEND:  # a route that is full moves on by one stop
        _toss(stops, n, rng_state)
        m = _grow(graph, stops, n, n + 1, mark, rng_state)
        if m > graph.most:
            for p in range(1, m):
                stops[p - 1] = stops[p]
            return n
        return m if m > n else 0
    if kind == TRIM:
        _toss(stops, n, rng_state)
        return _within(graph, n - _some(rng_state, n))
    if kind == SHIFT:
        return _shift(graph, stops, n, mark, rng_state)
    if kind == INSERT:
        return _insert(graph, stops, n, mark, rng_state)
    if kind == SKIP:
        return _skip(graph, stops, n, rng_state)
    if kind == REPLACE:
        return _replace(graph, stops, n, mark, rng_state)
    if kind == REROUTE:
        return _reroute(graph, stops, n, mark, workspace.path, rng_state)
    if kind == REGROW:
        return _regrow(graph, stops, n, mark, rng_state)
    if kind == ROTATE:
        return _rotate(graph, stops, n, mark, rng_state)
    return _draw_route(graph, stops, mark, rng_state)


@inner_kernel
def _splice(
    head: NDArray[np.int32], cut: int, tail: NDArray[np.int32], begin: int, end: int, out: NDArray[np.int32], mark: NDArray[np.uint8]
) -> bool:
    """Write the first `cut` stops of one route and ``tail[begin:end]`` of another; False if a stop occurs twice."""
    _clear(mark)
    for p in range(cut):
        out[p] = head[p]
        mark[head[p]] = 1
    for p in range(begin, end):
        if mark[tail[p]]:
            return False
        out[cut + p - begin] = tail[p]
        mark[tail[p]] = 1
    return True


@lean_kernel
def swap_tails(
    graph: StopGraph,
    stops: NDArray[np.int32],
    n: int,
    stops_2: NDArray[np.int32],
    n_2: int,
    out: NDArray[np.int32],
    out_2: NDArray[np.int32],
    mark: NDArray[np.uint8],
    rng_state: NDArray[np.uint64],
) -> tuple[int, int]:
    """
    Swap the tails of two routes behind a stop that both have.

    Parameters
    ----------
    graph
        A `StopGraph`.
    stops, n, stops_2, n_2
        Both routes; the second may be reversed.
    out, out_2
        Written: the new routes, shape (M + 1,).
    mark
        Work space, uint8 (S,).
    rng_state
        Random state.

    Returns
    -------
    tuple of int
        Stops of both routes, or (0, 0) if they share no stop or the result breaks a limit.
    """
    _toss(stops_2, n_2, rng_state)
    _clear(mark)
    for p in range(n_2):
        mark[stops_2[p]] = 1
    begin = random_below(rng_state, n)
    for k in range(n):
        i = (begin + k) % n
        if mark[stops[i]]:
            j = 0
            while stops_2[j] != stops[i]:
                j += 1
            m, m_2 = i + n_2 - j, j + n - i
            whole = (i == n - 1 and j == n_2 - 1) or (i == 0 and j == 0)
            if whole or _within(graph, m) == 0 or _within(graph, m_2) == 0:
                return 0, 0
            if _splice(stops, i + 1, stops_2, j + 1, n_2, out, mark) and _splice(stops_2, j + 1, stops, i + 1, n, out_2, mark):
                return m, m_2
            return 0, 0
    return 0, 0
