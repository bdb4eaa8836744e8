"""A route joined anew over each of some windows, and which of the new routes keep the limits: one call from Python for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.jit import ZERO, inlined, kernel
from owlbus.kernels.keeps_limits import keeps_limits
from owlbus.kernels.splice import splice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.kernels.structs import Candidate, Drive, Graph, Routes


@inlined
def _is_among(stops: NDArray[np.int32], n: int, rows: NDArray[np.int32], counts: NDArray[np.int64], n_rows: int) -> bool:
    """Whether some row has these stops in this order."""
    for row in range(n_rows):
        p = ZERO
        while p < n and n == counts[row] and stops[p] == rows[row, p]:
            p += 1
        if p == n:
            return True
    return False


@kernel
def splice_windows(
    graph: Graph,
    drive_s: NDArray[np.int32],
    drive: Drive,
    limits: Limits,
    row: int,
    others: tuple[float, float],
    routes: Routes,
    k: int,
    windows: NDArray[np.int64],
    via: int,
    shut: int,
    candidate: Candidate,
    joined: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> int:
    """
    Write route `k` joined anew over each of some windows.

    Parameters
    ----------
    graph, drive_s, via, shut
        As in `owlbus.kernels.splice.splice`.
    drive, limits
        Drive matrices, and limits of the K routes.
    row
        Row of the limits that the new routes must keep, or -1 for none.
    others
        Metres and buses of the other routes, a pair.
    routes, k
        The plan, and the row of its route.
    windows
        Positions before and after each window, int64 (W, 2).
    candidate
        Work space; its marks are left as they were.
    joined, counts
        Written: the different routes that can be joined and keep the limits, int32 (W, M) and int64 (W,), in the order of the windows.

    Returns
    -------
    int
        How many there are.
    """
    stops, n = routes.stops[k], routes.n_stops[k]
    found = ZERO
    for w in range(windows.shape[0]):
        out = joined[found]
        m = splice(graph, drive_s, stops, n, windows[w, 0], windows[w, 1], via, shut, out, candidate.mark)
        if m < 0:
            continue
        if _is_among(out, m, joined, counts, found):
            continue
        metres = measure_route(graph, out, m, candidate.ahead_s, candidate.back_s)
        ahead, back = candidate.ahead_s[m - 1], candidate.back_s[m - 1]
        if row >= 0 and not keeps_limits(drive, limits, row, out, m, ahead, back, metres, others[0], others[1]):
            continue
        counts[found] = m
        found += 1
    return found
