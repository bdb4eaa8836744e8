"""Shortest paths on graphs in rows (CSR): walking down a distance field, and searches that stop early, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Chains(NamedTuple):
    """
    Road links joined over nodes that ways only pass, C chains.

    Attributes
    ----------
    start, end
        First and last node, shape (C,), int64.
    cost, length
        Milliseconds and millimetres, shape (C,), int64.
    ptr
        First of each chain's nodes, shape (C + 1,), int64.
    nodes
        Nodes of the chains, start and end included, int32.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    cost: NDArray[np.int64]
    length: NDArray[np.int64]
    ptr: NDArray[np.int64]
    nodes: NDArray[np.int32]


class StopWays(NamedTuple):
    """
    Cheapest ways from each of s stops to others, w ways.

    Attributes
    ----------
    row_ptr
        First way of each stop, shape (s + 1,), int64.
    end
        Stop that each way leads to, shape (w,), int32.
    cost, length
        Milliseconds and millimetres, shape (w,), int64.
    way_ptr
        First of each way's nodes, shape (w + 1,), int64.
    way
        Road nodes of the ways, both ends included, int32; none unless asked for.
    """

    row_ptr: NDArray[np.int64]
    end: NDArray[np.int32]
    cost: NDArray[np.int64]
    length: NDArray[np.int64]
    way_ptr: NDArray[np.int64]
    way: NDArray[np.int32]


@kernel
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


@inner_kernel
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


@inner_kernel
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


@kernel
def chain_ends(indptr: NDArray[np.int64], to: NDArray[np.int32], is_stop: NDArray[np.bool_]) -> NDArray[np.int8]:
    """
    Which nodes ways between stops can begin, end or branch at: 2; which they only pass: 1; and which lie up dead ends: 0.

    Parameters
    ----------
    indptr, to
        Neighbours by row, whatever the direction, each once: shapes (n + 1,) and (m,).
    is_stop
        Nodes where buses halt, shape (n,).

    Returns
    -------
    ndarray of int8
        Shape (n,).
    """
    n = indptr.size - 1
    degree = np.diff(indptr)
    kind = np.full(n, 2, dtype=np.int8)
    waiting = np.empty(n, dtype=np.int64)
    size = 0
    for node in range(n):
        if degree[node] <= 1 and not is_stop[node]:
            kind[node] = 0
            waiting[size] = node
            size += 1
    while size > 0:  # a dead end that is taken off may make a dead end of the node before it
        size -= 1
        at = waiting[size]
        for k in range(indptr[at], indptr[at + 1]):
            node = to[k]
            degree[node] -= 1
            if kind[node] and degree[node] <= 1 and not is_stop[node]:
                kind[node] = 0
                waiting[size] = node
                size += 1
    for node in range(n):
        if kind[node] and degree[node] == 2 and not is_stop[node]:
            kind[node] = 1
    return kind


@kernel
def chains(
    indptr: NDArray[np.int64], to: NDArray[np.int32], cost: NDArray[np.int64], length: NDArray[np.int64], kind: NDArray[np.int8]
) -> Chains:
    """
    Road links joined over the nodes that ways only pass, from one node of kind 2 to another.

    Parameters
    ----------
    indptr, to, cost, length
        Road links by row: shapes (n + 1,), (m,), (m,), (m,); milliseconds and millimetres.
    kind
        As `chain_ends` gives it, shape (n,).

    Returns
    -------
    Chains
        The chains.
    """
    m = to.size
    start, end = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    costs, lengths = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    ptr, nodes = np.zeros(m + 1, dtype=np.int64), np.empty(2 * m, dtype=np.int32)
    found, size = 0, 0
    for source in range(indptr.size - 1):
        if kind[source] < 2:
            continue
        for first in range(indptr[source], indptr[source + 1]):
            before, at, link, mark = source, source, first, size
            spent, metres = 0, 0
            nodes[size] = source
            size += 1
            while link >= 0:
                at = to[link]
                spent += cost[link]
                metres += length[link]
                nodes[size] = at
                size += 1
                if kind[at] != 1:
                    break
                link = -1
                for k in range(indptr[at], indptr[at + 1]):
                    if to[k] != before and kind[to[k]]:
                        link = k
                before = at
            if link < 0 or kind[at] == 0 or at == source:
                size = mark
                continue
            start[found], end[found], costs[found], lengths[found] = source, at, spent, metres
            found += 1
            ptr[found] = size
    return Chains(start[:found], end[:found], costs[:found], lengths[:found], ptr[: found + 1], nodes[:size])


@kernel
def ways_between_stops(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int64],
    length: NDArray[np.int64],
    stop_node: NDArray[np.int32],
    wanted_ptr: NDArray[np.int64],
    wanted: NDArray[np.int32],
    limit: int,
    trace: int,
) -> StopWays:
    """
    Cheapest ways from each stop to stops around it, by one search a stop that ends at a cost.

    Without `wanted` these are the stops whose cheapest way passes no third stop; each search ends once every way left
    does. With it these are the wanted stops that lie within the limit; each search ends once they are reached. Of equally
    cheap ways the one found first is taken. Memory: a few arrays of n and m, and the answer.

    Parameters
    ----------
    indptr, to, cost, length
        Road links by row: shapes (n + 1,), (m,), (m,), (m,); whole cost (milliseconds) and length (millimetres), >= 0.
    stop_node
        Road node of each stop, unique, shape (s,).
    wanted_ptr, wanted
        Stops wanted from each stop by row, shapes (s + 1,) and (w,); both empty to ask for the next stops.
    limit
        Ways that cost more than this many milliseconds are not followed.
    trace
        1 to keep the nodes of the ways, else 0.

    Returns
    -------
    StopWays
        Ways by stop, in the order of cost.
    """
    n_nodes, n_stops = indptr.size - 1, stop_node.size
    by_row = wanted_ptr.size > 0
    stop_at = np.full(n_nodes, -1, dtype=np.int32)
    for s in range(n_stops):
        stop_at[stop_node[s]] = s
    best = np.full(n_nodes, -1, dtype=np.int64)
    metres = np.zeros(n_nodes, dtype=np.int64)
    before = np.empty(n_nodes, dtype=np.int32)
    past = np.zeros(n_nodes, dtype=np.bool_)  # the way to the node passes a third stop
    done = np.zeros(n_nodes, dtype=np.bool_)
    touched = np.empty(n_nodes, dtype=np.int32)
    asked = np.full(n_stops, -1, dtype=np.int32)
    keys = np.empty(to.size + 2, dtype=np.int64)
    nodes = np.empty(to.size + 2, dtype=np.int32)
    room, way_room = max(16, wanted.size), 1024
    ends = np.empty(room, dtype=np.int32)
    costs, lengths = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    row_ptr, way_ptr = np.zeros(n_stops + 1, dtype=np.int64), np.zeros(room + 1, dtype=np.int64)
    ways = np.empty(way_room, dtype=np.int32)
    n_found, n_way = 0, 0
    for s in range(n_stops):
        for k in range(wanted_ptr[s] if by_row else 0, wanted_ptr[s + 1] if by_row else 0):
            asked[wanted[k]] = s
        left = wanted_ptr[s + 1] - wanted_ptr[s] if by_row else 1  # stops still wanted, or touched nodes that no third stop lies before
        source = stop_node[s]
        best[source], metres[source], before[source], past[source] = 0, 0, -1, False
        touched[0] = source
        n_touched = 1
        size = _push(keys, nodes, 0, 0, source)
        while size > 0 and left > 0:
            at = nodes[0]
            size -= 1
            _sift(keys, nodes, size)
            if done[at]:  # an entry that a cheaper way made out of date: the heap has no decrease of keys
                continue
            done[at] = True
            v = stop_at[at]
            other = v >= 0 and v != s
            if not by_row and not past[at]:
                left -= 1
            if other and (asked[v] == s if by_row else not past[at]):
                if n_found == room:
                    room *= 2
                    ends = np.append(ends, np.empty(room - n_found, dtype=np.int32))
                    costs = np.append(costs, np.empty(room - n_found, dtype=np.int64))
                    lengths = np.append(lengths, np.empty(room - n_found, dtype=np.int64))
                    way_ptr = np.append(way_ptr, np.zeros(room - n_found, dtype=np.int64))
                ends[n_found], costs[n_found], lengths[n_found] = v, best[at], metres[at]
                left -= by_row
                if trace:
                    steps, node = 0, at
                    while node >= 0:
                        steps += 1
                        node = before[node]
                    while n_way + steps > way_room:
                        ways = np.append(ways, np.empty(way_room, dtype=np.int32))
                        way_room *= 2
                    node = at
                    for k in range(n_way + steps - 1, n_way - 1, -1):
                        ways[k] = node
                        node = before[node]
                    n_way += steps
                n_found += 1
                way_ptr[n_found] = n_way
            beyond = past[at] or other
            for link in range(indptr[at], indptr[at + 1]):
                node = to[link]
                further = metres[at] + length[link]
                reach = best[at] + cost[link]
                if done[node] or reach > limit or (best[node] >= 0 and best[node] <= reach):
                    continue
                if best[node] < 0:
                    touched[n_touched] = node
                    n_touched += 1
                    past[node] = True
                if not by_row:
                    left += np.int64(past[node]) - np.int64(beyond)
                best[node], metres[node], before[node], past[node] = reach, further, at, beyond
                size = _push(keys, nodes, size, reach, node)
        for k in range(n_touched):
            node = touched[k]
            best[node], done[node] = -1, False
        row_ptr[s + 1] = n_found
    return StopWays(row_ptr, ends[:n_found], costs[:n_found], lengths[:n_found], way_ptr[: n_found + 1], ways[:n_way])


@kernel
def needed_links(n: int, start: NDArray[np.int64], end: NDArray[np.int64], cost: NDArray[np.int64], stretch: float) -> NDArray[np.bool_]:
    """
    Undirected links that a sparser graph needs, so that it makes no way longer than `stretch` times.

    The greedy spanner: cheap links first, each is kept unless those kept so far join its ends at `stretch` times its cost
    or less.

    Parameters
    ----------
    n
        Number of nodes.
    start, end, cost
        Links in ascending cost, shape (m,); whole cost, >= 0.
    stretch
        Cost allowed instead of 1, dimensionless, >= 1.

    Returns
    -------
    ndarray of bool
        Which links are kept, shape (m,).
    """
    m = start.size
    kept = np.zeros(m, dtype=np.bool_)
    first = np.full(n, -1, dtype=np.int64)  # newest half link of each node; half links of link k are 2k and 2k + 1
    following = np.empty(2 * m, dtype=np.int64)
    best = np.full(n, -1, dtype=np.int64)
    touched = np.empty(n, dtype=np.int32)
    keys = np.empty(2 * m + 2, dtype=np.int64)
    nodes = np.empty(2 * m + 2, dtype=np.int32)
    for k in range(m):
        bound = np.int64(cost[k] * stretch)
        goal = end[k]
        best[start[k]] = 0
        touched[0] = start[k]
        n_touched = 1
        size = _push(keys, nodes, 0, 0, start[k])
        joined = start[k] == goal
        while size > 0 and not joined:
            key, at = keys[0], nodes[0]
            size -= 1
            _sift(keys, nodes, size)
            if key > best[at]:  # out of date
                continue
            half = first[at]
            while half >= 0:
                link = half >> 1
                node = start[link] if half & 1 else end[link]
                reach = key + cost[link]
                if reach <= bound and (best[node] < 0 or reach < best[node]):
                    if node == goal:  # any way within the bound will do
                        joined = True
                        break
                    if best[node] < 0:
                        touched[n_touched] = node
                        n_touched += 1
                    best[node] = reach
                    size = _push(keys, nodes, size, reach, node)
                half = following[half]
        for i in range(n_touched):
            best[touched[i]] = -1
        if not joined:
            kept[k] = True
            following[2 * k], first[start[k]] = first[start[k]], 2 * k
            following[2 * k + 1], first[end[k]] = first[end[k]], 2 * k + 1
    return kept
