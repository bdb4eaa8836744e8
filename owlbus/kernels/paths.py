"""Shortest paths on graphs in rows (CSR): walking down a distance field, and searches that stop early, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def walk_down(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int32],
    left: NDArray[np.int32],
    start: int,
    end: int,
) -> NDArray[np.int32]:
    """
    Nodes of the shortest path from `start` to `end`; among equals always the lowest next node.

    Parameters
    ----------
    indptr, to, cost
        Links by row, targets sorted; shapes (n + 1,), (m,), (m,); costs are integers > 0.
    left
        Cost left from each node to `end`, shape (n,).
    start, end
        Node indices.

    Returns
    -------
    ndarray of int32
        From `start` to `end`, both included; empty if there is no path.
    """
    path = np.empty(left.size, dtype=np.int32)
    path[0] = start
    size = 1
    at = start
    while at != end:
        following = -1
        for link in range(indptr[at], indptr[at + 1]):
            if np.int64(cost[link]) + left[to[link]] == left[at]:
                following = to[link]
                break
        if following < 0:
            return path[:0].copy()
        at = following
        path[size] = at
        size += 1
    return path[:size].copy()


@njit(nogil=True)
def _push(keys: NDArray[np.int64], nodes: NDArray[np.int32], size: int, key: int, node: int) -> int:
    """Add a node to a binary heap and return the new size."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] <= key:
            break
        keys[at], nodes[at] = keys[above], nodes[above]
        at = above
    keys[at], nodes[at] = key, node
    return size + 1


@njit(nogil=True)
def _sift(keys: NDArray[np.int64], nodes: NDArray[np.int32], size: int) -> None:
    """Fill the hole at the root of a binary heap with the element that stands behind its last."""
    key, node = keys[size], nodes[size]
    at = 0
    below = 1
    while below < size:
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[at], nodes[at] = keys[below], nodes[below]
        at = below
        below = 2 * at + 1
    keys[at], nodes[at] = key, node


@njit(cache=True, nogil=True)
def ways_between_stops(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int64],
    length: NDArray[np.int64],
    stop_node: NDArray[np.int32],
    owner: NDArray[np.int32],
    wanted_ptr: NDArray[np.int64],
    wanted: NDArray[np.int32],
    limit: int,
    unclear_limit: int,
) -> tuple[
    NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int32]
]:
    """
    Cheapest ways from each stop to the stops around it, by one search a stop that ends at a length.

    Without `wanted` all stops within the limit are found, and no ways are kept; with it each search ends as soon as the
    wanted stops are reached, and the ways to them are kept. Memory: a few arrays of n and m, and the answer.

    Parameters
    ----------
    indptr, to, cost, length
        Road links by row: shapes (n + 1,), (m,), (m,), (m,); whole cost (milliseconds) and length (millimetres), >= 0.
    stop_node
        Road node of each stop, unique, shape (s,).
    owner
        Stop whose neighbourhood holds each node, or -1, shape (n,).
    wanted_ptr, wanted
        Stops wanted from each stop by row, shapes (s + 1,) and (w,); `wanted_ptr` of shape (0,) asks for all.
    limit, unclear_limit
        Ways longer than this many millimetres are not followed, and those that passed the neighbourhoods of two other stops
        not beyond the second number. Where both are equal, every way found is the cheapest there is.

    Returns
    -------
    tuple of ndarray
        Row starts (s + 1,); end stop, cost, length and whether the way is clear, each (k,), in the order of cost; row
        starts of ways (k + 1,) and their nodes, start and end included. A way is clear if every node on it is owned by its
        two stops or by none.
    """
    n_nodes, n_stops = indptr.size - 1, stop_node.size
    by_row = wanted_ptr.size > 0
    stop_at = np.full(n_nodes, -1, dtype=np.int32)
    for s in range(n_stops):
        stop_at[stop_node[s]] = s
    best = np.full(n_nodes, -1, dtype=np.int64)
    metres = np.zeros(n_nodes, dtype=np.int64)
    before = np.full(n_nodes, -1, dtype=np.int32)
    met = np.full(n_nodes, -1, dtype=np.int32)  # the one other stop whose neighbourhood the way crossed; -1 none, -2 several
    done = np.zeros(n_nodes, dtype=np.bool_)
    touched = np.empty(n_nodes, dtype=np.int32)
    asked = np.full(n_stops, -1, dtype=np.int32)
    keys = np.empty(to.size + 2, dtype=np.int64)
    nodes = np.empty(to.size + 2, dtype=np.int32)
    room, way_room = max(16, wanted.size), 1024 if by_row else 1
    ends, clear = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.bool_)
    costs, lengths = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    row_ptr, way_ptr = np.zeros(n_stops + 1, dtype=np.int64), np.zeros(room + 1, dtype=np.int64)
    ways = np.empty(way_room, dtype=np.int32)
    n_found, n_way = 0, 0
    for s in range(n_stops):
        left = -1
        if by_row:
            left = wanted_ptr[s + 1] - wanted_ptr[s]
            for k in range(wanted_ptr[s], wanted_ptr[s + 1]):
                asked[wanted[k]] = s
        source = stop_node[s]
        best[source], metres[source], before[source], met[source] = 0, 0, -1, -1
        touched[0] = source
        n_touched = 1
        size = _push(keys, nodes, 0, 0, source)
        while size > 0 and left != 0:
            at = nodes[0]
            size -= 1
            _sift(keys, nodes, size)
            if done[at]:
                continue
            done[at] = True
            v = stop_at[at]
            if v >= 0 and v != s and (not by_row or asked[v] == s):
                if n_found == room:
                    room *= 2
                    ends = np.append(ends, np.empty(room - n_found, dtype=np.int32))
                    clear = np.append(clear, np.empty(room - n_found, dtype=np.bool_))
                    costs = np.append(costs, np.empty(room - n_found, dtype=np.int64))
                    lengths = np.append(lengths, np.empty(room - n_found, dtype=np.int64))
                    way_ptr = np.append(way_ptr, np.zeros(room - n_found, dtype=np.int64))
                ends[n_found], costs[n_found], lengths[n_found], clear[n_found] = v, best[at], metres[at], met[at] == v
                if by_row:
                    left -= 1
                    steps, node = 0, at
                    while node >= 0:
                        steps += 1
                        node = before[node]
                    while n_way + steps > way_room:
                        ways = np.append(ways, np.empty(way_room, dtype=np.int32))
                        way_room *= 2
                    node = at
                    for k in range(steps - 1, -1, -1):
                        ways[n_way + k] = node
                        node = before[node]
                    n_way += steps
                n_found += 1
                way_ptr[n_found] = n_way
            if met[at] < -1 and metres[at] > unclear_limit:
                continue
            for link in range(indptr[at], indptr[at + 1]):
                node = to[link]
                further = metres[at] + length[link]
                reach = best[at] + cost[link]
                if done[node] or further > limit or (best[node] >= 0 and best[node] <= reach):
                    continue
                if best[node] < 0:
                    touched[n_touched] = node
                    n_touched += 1
                best[node], metres[node], before[node] = reach, further, at
                near = owner[node]
                if near < 0 or near == s or near == met[at]:
                    met[node] = met[at]
                else:
                    met[node] = near if met[at] == -1 else -2
                size = _push(keys, nodes, size, reach, node)
        for k in range(n_touched):
            node = touched[k]
            best[node], done[node] = -1, False
        row_ptr[s + 1] = n_found
    return row_ptr, ends[:n_found], costs[:n_found], lengths[:n_found], clear[:n_found], way_ptr[: n_found + 1], ways[:n_way]
