"""Buses that a stop needs under each of many patterns of starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import ZERO, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDED_S = 2**30
"""Seconds from which a time is no time but fills a row."""


@kernel
def fleet_sizes(starts_s: NDArray[np.int64], ready_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Largest excess of starts over ready buses, the deficit function of a stop, in each row.

    Parameters
    ----------
    starts_s
        Starts at the stop in seconds, shape (P, n), int64, ascending in each row; filled up with `PADDED_S` and more.
    ready_s
        Seconds at which buses become ready there, shape (P, m), int64, any order; filled up the same way.

    Returns
    -------
    ndarray of int64
        Number of buses, shape (P,).
    """
    fleet, ready = np.zeros(starts_s.shape[0], np.int64), np.empty(ready_s.shape[1], np.int64)
    for row in range(starts_s.shape[0]):
        for q in range(ready_s.shape[1]):  # insertion sort: nearly all rows ascend already
            place = q
            while place > 0 and ready[place - 1] > ready_s[row, q]:
                ready[place] = ready[place - 1]
                place -= 1
            ready[place] = ready_s[row, q]
        n_ready = ZERO
        for p in range(starts_s.shape[1]):
            start = starts_s[row, p]
            if start >= PADDED_S:
                break
            while n_ready < ready.shape[0] and ready[n_ready] <= start:
                n_ready += 1
            fleet[row] = max(fleet[row], p + 1 - n_ready)
    return fleet
