"""Which bus drives which run: the fewest buses, each ready before it leaves."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray


_PADDED = 2**30


def build_blocks(start_s: ArrayLike, ready_s: ArrayLike, from_place: Sequence[Hashable], to_place: Sequence[Hashable]) -> NDArray[np.int32]:
    """
    Bus of each run, with as few buses as there can be: first in, first out at every place.

    A bus takes a run if it stands at its first place and is ready when it starts, boundary included; it never drives empty. A run
    for which no bus is ready takes a new one. That is optimal: buses at one place are alike, so taking one never hurts, and
    a place hands out new buses up to the largest excess of starts over ready buses there, which no plan can go below (the
    deficit function [1]_ [2]_; it equals a minimum path cover).

    Parameters
    ----------
    start_s
        Start of each run in seconds, ascending, shape (n,).
    ready_s
        Seconds at which its bus is ready for the next run, after its rest, shape (n,), > start_s.
    from_place, to_place
        Where each run starts and ends, n of each.

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
    for run, (start, then) in enumerate(zip(starts, ready, strict=True)):
        queue = waiting.setdefault(from_place[run], [])
        if queue and queue[0][0] <= start:
            bus = heapq.heappop(queue)[1]
        else:
            bus, fleet = fleet, fleet + 1
        blocks[run] = bus
        heapq.heappush(waiting.setdefault(to_place[run], []), (then, bus))
    return blocks


def fleet_of(starts_s: NDArray[np.int64], ready_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Buses that one place hands out under each of many patterns of starts: the largest excess of starts over ready buses.

    Parameters
    ----------
    starts_s
        Starts at the place in seconds, shape (P, n), ascending in each row; padded with numbers of 2**30 and up.
    ready_s
        Seconds at which buses become ready there, shape (P, m), any order; padded alike.

    Returns
    -------
    ndarray of int64
        Number of buses, shape (P,).
    """
    if not starts_s.shape[1]:
        return np.zeros(len(starts_s), np.int64)
    starts, ready = (np.minimum(column, _PADDED).astype(np.int32) for column in (starts_s, ready_s))
    back = (ready[:, None, :] <= starts[:, :, None]).sum(axis=2, dtype=np.int16)
    excess = np.where(starts < _PADDED, np.arange(1, starts.shape[1] + 1) - back, 0)
    fleet: NDArray[np.int64] = excess.max(axis=1).clip(0)
    return fleet
