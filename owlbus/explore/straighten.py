"""How a stop is joined into a route without doubling back, where its neighbours can be passed by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import MAX_PAIR_CIRCUITY
from owlbus.explore.ways import threaded
from owlbus.kernels.straight_rules import PAIR_FREE_M, SPUR_FACTOR, SPUR_M
from owlbus.plan import Route
from owlbus.plan.measures import pair_metres

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from owlbus.network import Network

_CLOSE = 1e-9


def straightest(
    network: Network,
    given: Sequence[int],
    before: Sequence[int],
    stop: int,
    after: Sequence[int],
    around: Collection[int],
    n_passed: int,
) -> tuple[int, ...]:
    """
    Stops of a route that calls at a stop between two of its parts, and doubles back no more than it did.

    The first way is taken that neither turns back at more stops nor makes a longer detour between two stops than the route did or the
    default limits allow: with all neighbours of the stop, then without one on each side, and so on. If there is none, all neighbours stay.

    Parameters
    ----------
    network
        The network.
    given
        Stop indices of the route as it was.
    before
        Stop indices of the part before the stop; may be empty.
    stop
        Index of the stop, on neither part.
    after
        Stop indices of the part behind it; may be empty.
    around
        Stop indices to drive around, as `owlbus.explore.ways.threaded` has it.
    n_passed
        Stops that may be passed by on each side; an end of the route stays its end.

    Returns
    -------
    tuple of int
        Each stop once; empty if no drive joins it in.
    """
    first = threaded(network, before, stop, after, around)
    if not first:
        return first
    n_spurs, circuity = _doubling_back(network, given)
    allowed = n_spurs, max(circuity, MAX_PAIR_CIRCUITY) + _CLOSE
    way = first
    for skipped in range(n_passed + 1):
        if skipped:
            head, tail = (part[: max(1, len(part) - skipped)] for part in (before, after[::-1]))
            way = threaded(network, head, stop, tail[::-1], around)
        if way and all(value <= most for value, most in zip(_doubling_back(network, way), allowed, strict=True)):
            return way
    return first


def _doubling_back(network: Network, stops: Sequence[int]) -> tuple[int, float]:
    """Stops at which a route turns back, and its largest detour between two stops, as its limits have them."""
    along_m, shortest_m = pair_metres(network, Route(stops, "route"))
    is_spur = (along_m >= SPUR_FACTOR * shortest_m) & (along_m - shortest_m >= SPUR_M)
    n_spurs = np.count_nonzero(np.diagonal(is_spur, 2) | np.diagonal(is_spur, -2))
    beyond = np.maximum(along_m - PAIR_FREE_M, 0)
    return int(n_spurs), float(np.divide(beyond, shortest_m, out=np.zeros(beyond.shape), where=shortest_m > 0).max())
