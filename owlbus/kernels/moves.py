"""
Moves on routes: neighbours of a route, drawn at random.

Structs as in `owlbus.kernels.structs`, and:

``attraction``
    float64 (S,): running sum of how much each stop attracts a route, for drawing stops.
``rng_state``
    uint64 (1,): state of the random numbers (SplitMix64), so that a seed gives the same search everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.coverage import find_link
from owlbus.kernels.jit import ZERO, inlined, int64, uint64
from owlbus.kernels.route_constraints import calls_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Drive, Graph

N_MOVES = 8
"""Kinds of moves: insert, remove, flip, extend, trim, slide, detour, new tail."""

NEW_TAIL = 7
"""The move that looks for another terminal."""

_WIDEST_DETOUR = 8
_DRAWS = 3


@inlined
def next_random(rng_state: NDArray[np.uint64]) -> float:
    """
    Next random number of the state `rng_state` (Steele, Lea and Flood 2014, SplitMix64).

    Parameters
    ----------
    rng_state
        State, uint64 (1,); advanced.

    Returns
    -------
    float
        In [0, 1).
    """
    rng_state[0] += uint64(0x9E3779B97F4A7C15)
    z = rng_state[0]
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    z ^= z >> uint64(31)
    return float(z >> uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def random_below(rng_state: NDArray[np.uint64], n: int) -> int:
    """Whole number in [0, n), n below 2**53: the largest roll is one step below 1, and so much of n rounds to less than n."""
    return int(next_random(rng_state) * n)


@inlined
def draw_stop(attraction: NDArray[np.float64], rng_state: NDArray[np.uint64]) -> int:
    """
    Draw a stop with a chance in proportion to its attraction.

    Parameters
    ----------
    attraction
        Running sum, float64 (S,).
    rng_state
        Random state.

    Returns
    -------
    int
        Stop index.
    """
    total = attraction[attraction.shape[0] - 1]
    if total <= 0:
        return random_below(rng_state, attraction.shape[0])
    drawn = next_random(rng_state) * total
    low, high = 0, attraction.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if attraction[middle] > drawn:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def append_path(graph: Graph, drive: Drive, stops: NDArray[np.int32], n: int, target: int, rng_state: NDArray[np.uint64]) -> int:
    """
    Extend a stop sequence along a fastest path to `target`.

    Ties between fastest paths are broken at random.

    Parameters
    ----------
    graph, drive
        The stop network and its drive matrices.
    stops
        Stop indices, shape (M,); written from position `n` on.
    n
        Stops so far, >= 1.
    target
        Stop to reach.
    rng_state
        Random state.

    Returns
    -------
    int
        Stops now, or -1 if the target cannot be reached or the sequence does not fit into M positions.
    """
    link_indptr, link_to, link_s = graph.link_indptr, graph.link_to, graph.link_s
    towards_s = drive.towards_s[target]
    here = stops[n - 1]
    while here != target:
        if n >= stops.shape[0]:
            return -1
        best, ties, onward = int64(1) << 40, 0, -1
        for link in range(link_indptr[here], link_indptr[here + 1]):
            away = int64(link_s[link]) + towards_s[link_to[link]]
            if away < best:
                best, ties, onward = away, 1, link_to[link]
            elif away == best:  # each of k equal links ends up chosen with a chance of 1 / k (reservoir sampling)
                ties += 1
                if next_random(rng_state) * ties < 1:
                    onward = link_to[link]
        if onward < 0 or towards_s[onward] >= towards_s[here]:
            return -1
        stops[n] = onward
        n += 1
        here = onward
    return n


@inlined
def draw_kind(kinds: NDArray[np.float64], rng_state: NDArray[np.uint64]) -> int:
    """
    Draw a kind of move.

    Parameters
    ----------
    kinds
        float64 (3, `N_MOVES`), of which the first row is the running sum of their chances, above 0 in the end.
    rng_state
        Random state.

    Returns
    -------
    int
        Kind, in [0, `N_MOVES`).
    """
    drawn = next_random(rng_state) * kinds[0, N_MOVES - 1]
    kind = 0
    while kinds[0, kind] <= drawn:
        kind += 1
    return kind


@inlined
def is_same(cand: NDArray[np.int32], n: int, stops: NDArray[np.int32], m: int) -> bool:
    """
    Whether a candidate is the route it came from, in either direction.

    Parameters
    ----------
    cand, n
        Candidate: stop indices and how many count.
    stops, m
        Route it came from.

    Returns
    -------
    bool
        True if it is.
    """
    if n != m:
        return False
    ahead, back = True, True
    for p in range(n):
        ahead = ahead and cand[p] == stops[p]
        back = back and cand[p] == stops[n - 1 - p]
        if not (ahead or back):
            return False
    return True


@inlined
def is_simple(stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8]) -> bool:
    """
    Whether no stop occurs twice.

    Parameters
    ----------
    stops, n
        Stop indices and how many count.
    mark
        Work space of zeros, uint8 (S,); left as it was.

    Returns
    -------
    bool
        True if all differ.
    """
    simple = True
    seen = 0
    for p in range(n):
        if mark[stops[p]]:
            simple = False
            break
        mark[stops[p]] = 1
        seen += 1
    for p in range(seen):
        mark[stops[p]] = 0
    return simple


@inlined
def _between(graph: Graph, a: int, b: int, rng_state: NDArray[np.uint64]) -> int:
    """Random stop linked with both `a` and `b`, or -1."""
    link_indptr, link_to = graph.link_indptr, graph.link_to
    n_between, chosen = 0, -1
    for link in range(link_indptr[a], link_indptr[a + 1]):
        x = link_to[link]
        if x != b and find_link(graph, x, b) >= 0:
            n_between += 1
            if next_random(rng_state) * n_between < 1:
                chosen = x
    return chosen


@inlined
def _random_neighbour(graph: Graph, a: int, rng_state: NDArray[np.uint64]) -> int:
    """Random stop linked with `a`, or -1."""
    begin, end = graph.link_indptr[a], graph.link_indptr[a + 1]
    return int(graph.link_to[begin + random_below(rng_state, end - begin)]) if end > begin else -1


@inlined
def _copy(source: NDArray[np.int32], begin: int, end: int, out: NDArray[np.int32], n: int) -> int:
    """Append ``source[begin:end]`` to `out` at position `n`; the new count, or -1 if it does not fit."""
    if n < 0 or n + end - begin > out.shape[0]:
        return -1
    for p in range(begin, end):
        out[n + p - begin] = source[p]
    return n + end - begin


@inlined
def reverse(stops: NDArray[np.int32], n: int) -> None:
    """
    Turn a stop sequence round in place.

    Parameters
    ----------
    stops, n
        Stop indices, written, and how many count.
    """
    for p in range(n // 2):
        stops[p], stops[n - 1 - p] = stops[n - 1 - p], stops[p]


@inlined
def _draw_near(
    drive: Drive, attraction: NDArray[np.float64], stops: NDArray[np.int32], n: int, rng_state: NDArray[np.uint64]
) -> tuple[int, int]:
    """Draw a few stops by attraction and return the one nearest to the route, with the position it is nearest to."""
    best, chosen, position = int64(1) << 40, -1, 0
    for _ in range(_DRAWS):
        x = draw_stop(attraction, rng_state)
        if calls_at(stops, n, x):
            continue
        for p in range(n):
            away = int64(drive.towards_s[x, stops[p]])
            if away < best:
                best, chosen, position = away, x, p
    return chosen, position


@inlined
def propose(
    graph: Graph,
    drive: Drive,
    attraction: NDArray[np.float64],
    stops: NDArray[np.int32],
    n: int,
    out: NDArray[np.int32],
    kind: int,
    rng_state: NDArray[np.uint64],
) -> int:
    """
    Write a neighbour of a route.

    Parameters
    ----------
    graph, drive, attraction
        The stop network, its drive matrices and what draws routes.
    stops, n
        The route, n >= 2.
    out
        Written: the neighbour, shape (M,), M >= n; it may pass a stop twice.
    kind
        Move, in [0, `N_MOVES`).
    rng_state
        Random state.

    Returns
    -------
    int
        Stops of the neighbour, or -1 if this move does not apply here.
    """
    if kind == 0:  # insert a stop into a link
        p = random_below(rng_state, n - 1)
        x = _between(graph, stops[p], stops[p + 1], rng_state)
        if x < 0:
            return -1
        m = _copy(stops, ZERO, p + 1, out, ZERO)
        out[m] = x
        return _copy(stops, p + 1, n, out, m + 1)
    if kind == 1:  # leave out a stop between two that are linked
        if n < 3:
            return -1
        p = 1 + random_below(rng_state, n - 2)
        if find_link(graph, stops[p - 1], stops[p + 1]) < 0:
            return -1
        return _copy(stops, p + 1, n, out, _copy(stops, ZERO, p, out, ZERO))
    if kind == 2:  # replace a stop by another
        if n < 3:
            return -1
        p = 1 + random_below(rng_state, n - 2)
        x = _between(graph, stops[p - 1], stops[p + 1], rng_state)
        if x < 0 or x == stops[p]:
            return -1
        m = _copy(stops, ZERO, n, out, ZERO)
        out[p] = x
        return m
    if 3 <= kind <= 5:  # extend, trim, or both at opposite ends
        m = _copy(stops, ZERO, n, out, ZERO)
        if next_random(rng_state) < 0.5:
            reverse(out, m)
        if kind != 3:
            m -= 1 + random_below(rng_state, min(4, m - 1))
        if kind != 4:
            if kind == 5:
                reverse(out, m)
            for _ in range(1 if kind == 3 else 1 + random_below(rng_state, 3)):
                x = _random_neighbour(graph, out[m - 1], rng_state)
                if x < 0 or m >= out.shape[0] or calls_at(out, m, x):
                    break
                out[m] = x
                m += 1
        return m
    x, p = _draw_near(drive, attraction, stops, n, rng_state)
    if x < 0:
        return -1
    if kind == 6:  # pass by a stop that has demand
        before = max(0, p - random_below(rng_state, _WIDEST_DETOUR))
        after = min(n - 1, p + random_below(rng_state, _WIDEST_DETOUR))
        m = append_path(graph, drive, out, _copy(stops, ZERO, before + 1, out, ZERO), x, rng_state)
        if m < 0:
            return -1
        if after == p and p == n - 1:
            return m
        m = append_path(graph, drive, out, m, int64(stops[after]), rng_state)
        return _copy(stops, after + 1, n, out, m)
    # a new tail towards a stop that has demand
    m = _copy(stops, ZERO, n, out, ZERO)
    if next_random(rng_state) < 0.5:
        reverse(out, m)
        p = n - 1 - p
    cut = max(0, p - random_below(rng_state, _WIDEST_DETOUR))
    return append_path(graph, drive, out, cut + 1, x, rng_state)
