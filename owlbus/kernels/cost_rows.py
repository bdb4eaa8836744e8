"""Least costs from some nodes to all: searches on a queue of buckets, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BUCKETS = 2**20


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


@kernel
def fill_cost_rows(
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int32],
    starts: NDArray[np.int64],
    unreachable: int,
    rows: NDArray[np.int32],
) -> None:
    """
    Fill the least costs from some nodes to all (Dial 1969).

    Parameters
    ----------
    indptr, to, cost
        Links by row: shapes (n + 1,), (m,), (m,); cost in whole seconds or metres > 0.
    starts
        Nodes, shape (r,).
    unreachable
        Cost of nodes that no path leads to.
    rows
        Written, shape (r, n), int32.
    """
    least, most = int64(2**31), int64(1)
    for link in range(to.size):
        least, most = min(least, int64(cost[link])), max(most, int64(cost[link]))
    # A bucket no wider than the cheapest link holds final costs only, and one that is wider is searched until nothing in it gets cheaper.
    shift = int64(0)
    while (int64(2) << shift) <= least or (most >> shift) >= _MOST_BUCKETS:
        shift += 1
    n_buckets = int64(1)
    while n_buckets < (most >> shift) + 2:
        n_buckets *= 2
    head, mask = np.full(n_buckets, -1, np.int32), n_buckets - 1
    after, before = np.empty(indptr.size - 1, np.int32), np.empty(indptr.size - 1, np.int32)
    is_queued = np.zeros(indptr.size - 1, np.bool_)
    for r in range(starts.size):
        row = rows[r]
        row[:] = unreachable
        row[starts[r]] = 0
        _link(head, after, before, int64(0), starts[r])
        is_queued[starts[r]] = True
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
