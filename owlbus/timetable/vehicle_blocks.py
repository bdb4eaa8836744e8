"""Vehicle blocks: assign runs to the fewest buses, without deadheads."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray


_PADDED = 2**30


def build_blocks(start_s: ArrayLike, ready_s: ArrayLike, from_stop: Sequence[Hashable], to_stop: Sequence[Hashable]) -> NDArray[np.int32]:
    """
    Block (bus) of each run, with the fewest buses: first in, first out at every stop.

    A bus takes a run if it stands at the run's first stop and is ready when the run starts, boundary included. It never deadheads.
    A run without a ready bus takes a new one. This is optimal: buses at a stop are interchangeable, and each stop needs as many
    new buses as its largest excess of starts over ready buses, a lower bound for any plan (the deficit function [1]_ [2]_, equal
    to a minimum path cover).

    Parameters
    ----------
    start_s
        Start of each run in seconds, ascending, shape (n,).
    ready_s
        Seconds at which its bus is ready for the next run, after its layover, shape (n,), > start_s.
    from_stop, to_stop
        First and last stop of each run, n values each.

    Returns
    -------
    ndarray of int32
        Bus of each run, numbered in the order of their first runs, shape (n,).

    References
    ----------
    .. [1] Bartlett (1957), An algorithm for the minimum number of transport units to maintain a fixed schedule, Naval Research
       Logistics Quarterly 4, 139-149.
    .. [2] Gertsbach and Gurevich (1977), Constructing an optimal fleet for a transportation schedule, Transportation Science 11.

    Examples
    --------
    >>> build_blocks([0, 10, 30], [25, 40, 60], ["a", "a", "b"], ["b", "b", "a"]).tolist()
    [0, 1, 0]
    """
    starts, ready = np.asarray(start_s).tolist(), np.asarray(ready_s).tolist()
    waiting: dict[Hashable, list[tuple[int, int]]] = {}
    blocks = np.zeros(len(starts), np.int32)
    fleet = 0
    for run, (start, ready_again) in enumerate(zip(starts, ready, strict=True)):
        queue = waiting.setdefault(from_stop[run], [])
        if queue and queue[0][0] <= start:
            bus = heapq.heappop(queue)[1]
        else:
            bus, fleet = fleet, fleet + 1
        blocks[run] = bus
        heapq.heappush(waiting.setdefault(to_stop[run], []), (ready_again, bus))
    return blocks


def fleet_of(starts_s: NDArray[np.int64], ready_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Number of new buses that a stop needs under each of many patterns of starts: the largest excess of starts over ready buses.

    Parameters
    ----------
    starts_s
        Starts at the stop in seconds, shape (P, n), ascending in each row; padded with numbers of 2**30 and up.
    ready_s
        Seconds at which buses become ready there, shape (P, m), any order; padded the same way.

    Returns
    -------
    ndarray of int64
        Number of buses, shape (P,).
    """
    if not starts_s.shape[1]:
        return np.zeros(len(starts_s), np.int64)
    starts, ready = (np.minimum(column, _PADDED).astype(np.int32) for column in (starts_s, ready_s))
    n_ready = (ready[:, None, :] <= starts[:, :, None]).sum(axis=2, dtype=np.int16)
    excess = np.where(starts < _PADDED, np.arange(1, starts.shape[1] + 1) - n_ready, 0)
    fleet: NDArray[np.int64] = excess.max(axis=1).clip(0)
    return fleet
