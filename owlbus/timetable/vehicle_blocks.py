"""Vehicle blocks: assign runs to the fewest buses, without deadheads."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray


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
