"""
Shortest metres between stops, row by row as they are asked for.

``metres``
    ``(rows int32 (N, S), row_of int32 (S,), stop_of int32 (N,), turn int64 (1,), indptr int64 (S+1,), to int32 (L,), cost int32 (L,),
    keys int64 (L+1,), nodes int32 (L+1,))``: metres from N stops to all, the row of each stop or -1, the stop of each row or -1, which
    row gives way next, the links, and room for a heap. What is found does not depend on which rows are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.jit import inlined, inner_kernel
from owlbus.kernels.paths import _push, _sift

FAR_M = np.int32(2**30)
"""Metres to a stop that no path leads to."""


@inlined
def shortest_m(metres: Any, start: int, end: int) -> Any:
    """
    Metres of the path with the fewest metres.

    Parameters
    ----------
    metres
        As above; a row may be filled.
    start, end
        Stop indices.

    Returns
    -------
    int32
        Metres, `FAR_M` if no path leads there.
    """
    rows, row_of, stop_of, turn = metres[0], metres[1], metres[2], metres[3]
    if row_of[start] < 0:
        row = turn[0]
        turn[0] = (row + 1) % rows.shape[0]
        if stop_of[row] >= 0:
            row_of[stop_of[row]] = -1
        _fill(metres, start, rows[row])
        stop_of[row] = start
        row_of[start] = row
    return rows[row_of[start], end]


@inner_kernel
def _fill(metres: Any, start: int, row: Any) -> None:
    """Fill metres from a stop to all (Dijkstra 1959)."""
    indptr, to, cost, keys, nodes = metres[4], metres[5], metres[6], metres[7], metres[8]
    row[:] = FAR_M
    row[start] = 0
    size = _push(keys, nodes, 0, 0, start)
    while size > 0:
        far, here = keys[0], nodes[0]
        size -= 1
        _sift(keys, nodes, size)
        if far > row[here]:
            continue
        for link in range(indptr[here], indptr[here + 1]):
            away = far + cost[link]
            if away < row[to[link]]:
                row[to[link]] = away
                size = _push(keys, nodes, size, away, to[link])
