"""Least seconds or metres between all stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 256


def all_pairs(indptr: NDArray[np.int64], to: NDArray[np.int32], cost: NDArray[np.int32], unreachable: int) -> NDArray[np.int32]:
    """
    Least seconds or metres between all stops.

    Parameters
    ----------
    indptr, to, cost
        Links by row: shapes (n_stops + 1,), (n_links,), (n_links,); cost in whole seconds or metres > 0.
    unreachable
        Value for pairs without a path.

    Returns
    -------
    ndarray of int32
        Shape (n_stops, n_stops). The computation uses 8 further bytes a pair for 256 rows at a time.
    """
    return from_stops(indptr, to, cost, unreachable, np.arange(indptr.size - 1))


def from_stops(
    indptr: NDArray[np.int64], to: NDArray[np.int32], cost: NDArray[np.int32], unreachable: int, starts: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    """
    Least seconds or metres from some stops to all.

    Parameters
    ----------
    indptr, to, cost, unreachable
        See `all_pairs`.
    starts
        Stops, shape (n_starts,).

    Returns
    -------
    ndarray of int32
        Shape (n_starts, n_stops).
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n_stops = indptr.size - 1
    graph = csr_array((cost.astype(np.float64), to, indptr), shape=(n_stops, n_stops))
    costs = np.full((starts.size, n_stops), unreachable, dtype=np.int32)
    for low in range(0, starts.size, _BLOCK):
        rows = dijkstra(graph, indices=starts[low : low + _BLOCK])
        np.copyto(costs[low : low + _BLOCK], rows, where=np.isfinite(rows), casting="unsafe")
    return costs
