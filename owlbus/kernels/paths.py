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
