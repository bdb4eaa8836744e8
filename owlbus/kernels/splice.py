"""Routes with one stretch changed: joined again by fastest paths that pass no stop twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import ZERO, int64, kernel
from owlbus.kernels.paths import _push, _sift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph


@kernel
def path_avoiding(
    graph: Graph, left_s: NDArray[np.int32], banned: NDArray[np.uint8], start: int, end: int, out: NDArray[np.int32], n: int
) -> int:
    """
    Append the fastest path between two stops that passes no banned one.

    Parameters
    ----------
    graph
        The stop network.
    left_s
        Seconds from each stop to `end` if nothing is banned, int32 (S,); they guide the search.
    banned
        Stops that may not be passed, uint8 (S,); `start` and `end` may be among them.
    start, end
        Stop indices.
    out
        Written from position `n` on, int32 (M,), `start` left out and `end` included.
    n
        Stops so far.

    Returns
    -------
    int
        Stops now, or -1 if there is no such path or it does not fit. Among equally fast paths the one whose stops were met first.
    """
    link_indptr, link_to, link_s = graph.link_indptr, graph.link_to, graph.link_s
    n_stops = link_indptr.shape[0] - 1
    if start == end:
        return n
    if left_s[start] >= 2**30:
        return -1
    far = int64(1) << 40
    seconds = np.full(n_stops, far, np.int64)
    before = np.empty(n_stops, np.int32)
    done = np.zeros(n_stops, np.uint8)
    keys = np.empty(link_to.shape[0] + 1, np.int64)
    nodes = np.empty(link_to.shape[0] + 1, np.int32)
    seconds[start] = 0
    # A* (Hart, Nilsson and Raphael 1968): seconds left without bans never exceed those with them, so the first arrival is the fastest.
    size = _push(keys, nodes, 0, int64(left_s[start]), start)
    while size > 0:
        here = nodes[0]
        size -= 1
        _sift(keys, nodes, size)
        if done[here]:
            continue
        done[here] = 1
        if here == end:
            break
        for link in range(link_indptr[here], link_indptr[here + 1]):
            onward = link_to[link]
            if done[onward] or (banned[onward] and onward != end):
                continue
            away = seconds[here] + link_s[link]
            if away < seconds[onward]:
                seconds[onward] = away
                before[onward] = here
                size = _push(keys, nodes, size, away + left_s[onward], onward)
    if not done[end]:
        return -1
    length = 0
    at = end
    while at != start:
        length += 1
        at = before[at]
    if n + length > out.shape[0]:
        return -1
    at = end
    for p in range(length):
        out[n + length - 1 - p] = at
        at = before[at]
    return n + length


@kernel
def splice(
    graph: Graph,
    drive_s: NDArray[np.int32],
    stops: NDArray[np.int32],
    n: int,
    i: int,
    j: int,
    via: int,
    shut: int,
    out: NDArray[np.int32],
    banned: NDArray[np.uint8],
) -> int:
    """
    Write a route whose positions between `i` and `j` are joined anew.

    Parameters
    ----------
    graph
        The stop network.
    drive_s
        Fastest seconds between stops, int32 or uint16 (S, S).
    stops, n
        The route, of which the first `n` positions count.
    i, j
        Positions that stay, ``i < j``; what lies between goes. With ``i = -1`` the route begins at `via`, with ``j = n`` it ends there.
    via
        Stop to pass in between, or -1 for none.
    shut
        Stop that may not be passed, or -1.
    out
        Written: the new route, int32 (M,).
    banned
        Work space of zeros, uint8 (S,); left as it was.

    Returns
    -------
    int
        Stops of the new route; -1 if it cannot be joined without passing a stop twice, or does not fit.
    """
    if n - (j - i - 1) + 1 > out.shape[0]:
        return -1
    for p in range(n):
        if p <= i or p >= j:
            banned[stops[p]] = 1
    clash = via >= 0 and banned[via] == 1
    if shut >= 0:
        banned[shut] = 1
    m = ZERO
    if not clash:
        for p in range(i + 1):
            out[m] = stops[p]
            m += 1
        if via >= 0:
            if i >= 0:
                m = path_avoiding(graph, drive_s[:, via], banned, int64(stops[i]), int64(via), out, m)
            else:
                out[0] = via
                m = ZERO + 1
            if m > 0:
                for p in range(max(i, 0), m):
                    banned[out[p]] = 1
        begun = m
        if m > 0 and j < n:
            m = path_avoiding(graph, drive_s[:, stops[j]], banned, int64(out[m - 1]), int64(stops[j]), out, m)
        for p in range(begun):
            banned[out[p]] = 0
        if m > 0:
            for p in range(j + 1, n):
                if m >= out.shape[0]:
                    m = -1
                    break
                out[m] = stops[p]
                m += 1
    for p in range(n):
        banned[stops[p]] = 0
    if via >= 0:
        banned[via] = 0
    if shut >= 0:
        banned[shut] = 0
    return m if m > 1 and not clash else -1


@kernel
def steps_apart(a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """
    Fewest single stops to insert, leave out or replace to turn one row of stops into another (Levenshtein's distance).

    Parameters
    ----------
    a, b
        Stop indices, int32.

    Returns
    -------
    int
        Number of changed stops.
    """
    n, m, begin = a.shape[0], b.shape[0], 0
    while begin < min(n, m) and a[begin] == b[begin]:
        begin += 1
    while min(n, m) > begin and a[n - 1] == b[m - 1]:
        n, m = n - 1, m - 1
    n, m = n - begin, m - begin  # a common beginning and end need no change
    row = np.arange(m + 1)  # one row of the table of Wagner and Fischer (1974) at a time
    for p in range(n):
        corner = row[0]
        row[0] = p + 1
        for q in range(m):
            swap = corner + (a[begin + p] != b[begin + q])
            corner = row[q + 1]
            row[q + 1] = min(swap, corner + 1, row[q] + 1)
    return int(row[m])
