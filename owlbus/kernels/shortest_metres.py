"""
Shortest metres between stops, row by row as they are asked for.

Most moves change one terminal or none, so a few rows answer most questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.cost_rows import fill_cost_row
from owlbus.kernels.jit import inlined, inner_kernel, int32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.kernels.structs import ShortestMetres

FAR_M = int32(2**30)
"""Metres to a stop that no path leads to."""


@inlined
def shortest_m(metres: ShortestMetres, start: int, end: int) -> int:
    """
    Metres of the path with the fewest metres.

    Parameters
    ----------
    metres
        Rows so far; one may be filled.
    start, end
        Stop indices.

    Returns
    -------
    int32
        Metres, `FAR_M` if no path leads there.
    """
    rows, row_of, stop_of, turn = metres.rows, metres.row_of, metres.stop_of, metres.turn
    if row_of[start] < 0:
        row = turn[0]
        turn[0] = (row + 1) % rows.shape[0]
        if stop_of[row] >= 0:
            row_of[stop_of[row]] = -1
        fill_metres(metres, start, rows[row])
        stop_of[row] = start
        row_of[start] = row
    return int(rows[row_of[start], end])


@inner_kernel
def fill_metres(metres: ShortestMetres, start: int, row: NDArray[np.int32]) -> None:
    """
    Fill metres from a stop to all.

    Parameters
    ----------
    metres
        Links with their metres.
    start
        Stop index.
    row
        Written: metres, shape (S,), int32; `FAR_M` for a stop that no path leads to.
    """
    fill_cost_row(metres.indptr, metres.to, metres.cost, start, FAR_M, metres.queue, row)
