"""Least costs from some nodes to all: searches on a queue of buckets, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, int64, kernel
from owlbus.kernels.structs import BucketQueue

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BUCKETS = 2**20


def new_bucket_queue(cost: NDArray[np.int32], n_nodes: int) -> BucketQueue:
    """
    Return an empty queue.

    Parameters
    ----------
    cost
        Whole seconds or metres > 0 of each link, shape (m,).
    n_nodes
        Nodes.

    Returns
    -------
    BucketQueue
        A bucket no wider than the cheapest link holds final costs only; one that is wider is searched until nothing in it gets cheaper.
    """
    least, most = int(cost.min(initial=2**31 - 1)), int(cost.max(initial=1))
    shift = 0
    while (2 << shift) <= least or (most >> shift) >= _MOST_BUCKETS:
        shift += 1
    n_buckets = 1 << ((most >> shift) + 1).bit_length()
    after, before = np.empty(n_nodes, np.int32), np.empty(n_nodes, np.int32)
    return BucketQueue(np.full(n_buckets, -1, np.int32), after, before, np.zeros(n_nodes, np.bool_), shift)


@inner_kernel
def _unlink(head: NDArray[np.int32], after: NDArray[np.int32], before: NDArray[np.int32], bucket: int, node: int) -> None:
    """Take a node out of its bucket."""
    if before[node] >= 0:
        after[before[node]] = after[node]
    else:
        head[bucket] = after[node]
    if after[node] >= 0:
        before[after[node]] = before[node]


@inner_kernel
def _link(head: NDArray[np.int32], after: NDArray[np.int32], before: NDArray[np.int32], bucket: int, node: int) -> None:
    """Put a node into a bucket."""
    after[node], before[node] = head[bucket], -1
    if head[bucket] >= 0:
        before[head[bucket]] = node
    head[bucket] = node


@inner_kernel
def fill_cost_row(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int32],
    start: int,
    unreachable: int,
    queue: BucketQueue,
    row: NDArray[np.int32],
) -> None:
    """
    Fill the least costs from a node to all (Dial 1969).

    Parameters
    ----------
    indptr, to, cost
        Links by row: shapes (n + 1,), (m,), (m,); cost in whole seconds or metres > 0.
    start
        The node.
    unreachable
        Cost of nodes that no path leads to.
    queue
        Empty, from `new_bucket_queue`.
    row
        Written, shape (n,), int32.
    """
    head, after, before, is_queued, shift = queue
    mask = int64(head.size - 1)
    row[:] = unreachable
    row[start] = 0
    _link(head, after, before, int64(0), int64(start))
    is_queued[start] = True
    bucket, n_queued = int64(0), 1
    while n_queued > 0:
        here = head[bucket & mask]
        if here < 0:
            bucket += 1
            continue
        _unlink(head, after, before, bucket & mask, int64(here))
        is_queued[here] = False
        n_queued -= 1
        for link in range(indptr[here], indptr[here + 1]):
            onward, away = int64(to[link]), int64(row[here]) + cost[link]
            if away >= row[onward]:
                continue
            if is_queued[onward]:
                _unlink(head, after, before, (int64(row[onward]) >> shift) & mask, onward)
            else:
                is_queued[onward] = True
                n_queued += 1
            row[onward] = away
            _link(head, after, before, (away >> shift) & mask, onward)


@kernel
def fill_cost_rows(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int32],
    starts: NDArray[np.int64],
    unreachable: int,
    queue: BucketQueue,
    rows: NDArray[np.int32],
) -> None:
    """
    Fill the least costs from some nodes to all.

    Parameters
    ----------
    indptr, to, cost, unreachable, queue
        As of `fill_cost_row`.
    starts
        Nodes, shape (r,).
    rows
        Written, shape (r, n), int32.
    """
    for r in range(starts.size):
        fill_cost_row(indptr, to, cost, starts[r], unreachable, queue, rows[r])
