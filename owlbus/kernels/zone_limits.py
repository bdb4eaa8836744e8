"""
Costs at which walks from a zone of starts may still keep the limit on circuity.

A walk that begins at s and ends at t keeps it if its metres are at most a limit of (s, t), in both directions. For all starts of a zone
together, its metres are at least the least metres of any walk from the zone to t that costs as much, and the limit is at most that of the
start which allows most. So no route within the limit is cut.

Symbols: S stops, L links, Z starts of a zone, B the budget.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel
from owlbus.kernels.shortest_metres import FAR_M, fill_metres
from owlbus.kernels.straight_rules import PAIR_FREE_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import CostGraph
    from owlbus.kernels.structs import ShortestMetres

_UP = 1 + 1e-9
"""Quotients of metres are compared as floats, so a limit in metres is widened by more than their error."""


@kernel
def least_metres(graph: CostGraph, link_m: NDArray[np.int32], starts: NDArray[np.int32], least_m: NDArray[np.int32]) -> None:
    """
    Least metres of a walk from some stops to every stop, by its cost.

    Parameters
    ----------
    graph
        Links with their costs.
    link_m
        Metres of each link in the direction that counts, shape (L,), int32.
    starts
        Stops where walks begin, shape (Z,), int32.
    least_m
        Written: metres of a walk that costs exactly so much, shape (B + 1, S), int32; `FAR_M` where there is none.
    """
    indptr, to, cost = graph.link_indptr, graph.link_to, graph.link_cost
    budget = least_m.shape[0] - 1
    least_m[:] = FAR_M
    for start in starts:
        least_m[0, start] = 0
    for spent in range(budget + 1):
        for stop in range(least_m.shape[1]):
            if least_m[spent, stop] < FAR_M:
                for link in range(indptr[stop], indptr[stop + 1]):
                    later = spent + cost[link]
                    if later <= budget:
                        least_m[later, to[link]] = min(least_m[later, to[link]], least_m[spent, stop] + link_m[link])


@inner_kernel
def _most_m(fewest_m: int, circuity: float, pair_circuity: float) -> int:
    """Most metres between two stops with so few between them, rounded up; a relaxation where these are 0."""
    most = min(circuity * fewest_m * _UP, float(FAR_M - 1))
    if fewest_m > 0 and pair_circuity * fewest_m * _UP + PAIR_FREE_M < most:
        most = pair_circuity * fewest_m * _UP + PAIR_FREE_M
    return math.floor(most + _UP - 1)


@kernel
def widen_limits(
    metres: ShortestMetres, starts: NDArray[np.int32], circuity: float, pair_circuity: float, most_m: NDArray[np.int64]
) -> None:
    """
    Most metres of a route from any of some stops to each stop.

    Parameters
    ----------
    metres
        Links, with metres in the direction that counts, and room for one row.
    starts
        Stops where routes begin, shape (Z,), int32.
    circuity, pair_circuity
        Limits on the metres of a route over the fewest between its terminals; the second one leaves 1 km out.
    most_m
        Written: metres, shape (S,), int64.
    """
    row = metres.rows[0]
    most_m[:] = 0
    for start in starts:
        fill_metres(metres, start, row)
        for stop in range(row.size):
            if row[stop] < FAR_M:
                most_m[stop] = max(most_m[stop], _most_m(row[stop], circuity, pair_circuity))


@kernel
def narrow_ends(least_m: NDArray[np.int32], most_m: NDArray[np.int64], last_end: NDArray[np.int32]) -> None:
    """
    Lower the cost with which a walk may end to the largest at which its metres can keep a limit.

    Parameters
    ----------
    least_m
        What `least_metres` wrote, shape (B + 1, S).
    most_m
        Most metres to each stop, shape (S,), int64.
    last_end
        Changed: largest cost, shape (S,), int32; -1 where no walk may end.
    """
    for stop in range(last_end.size):
        cost = last_end[stop]
        while cost >= 0 and least_m[cost, stop] > most_m[stop]:
            cost -= 1
        last_end[stop] = cost


@kernel
def last_costs(graph: CostGraph, last_end: NDArray[np.int32], budget: int) -> NDArray[np.int32]:
    """
    Largest cost with which a walk can be at each stop and still end where it may.

    Parameters
    ----------
    graph
        Links with their costs.
    last_end
        Largest cost with which a walk may end at each stop, shape (S,), int32; -1 for none.
    budget
        Largest cost of all B.

    Returns
    -------
    ndarray of int32
        Shape (S,); -1 where no end can be reached.
    """
    indptr, to, cost = graph.link_indptr, graph.link_to, graph.link_cost
    last = last_end.copy()
    for spent in range(budget, -1, -1):
        for stop in range(last.size):
            if last[stop] == spent:
                for link in range(indptr[stop], indptr[stop + 1]):
                    last[to[link]] = max(last[to[link]], spent - cost[link])
    return last


@kernel
def zones_around(metres: ShortestMetres, zone_of: NDArray[np.int32], n_zones: int) -> int:
    """
    Sort stops by the nearest of some centres, each as far as possible from those before it (Gonzalez 1985).

    Parameters
    ----------
    metres
        Links with their metres, and room for one row.
    zone_of
        Written: zone of each stop, shape (S,), int32.
    n_zones
        Most centres, >= 1.

    Returns
    -------
    int
        Centres; fewer if every stop is one.
    """
    row = metres.rows[0]
    nearest = np.full(row.size, FAR_M, np.int32)
    zone_of[:] = 0
    centre = 0
    for z in range(n_zones):
        fill_metres(metres, centre, row)
        for stop in range(row.size):
            if row[stop] < nearest[stop]:
                nearest[stop] = row[stop]
                zone_of[stop] = z
        nearest[centre] = -1
        zone_of[centre] = z
        centre = int(np.argmax(nearest))
        if nearest[centre] < 0:
            return z + 1
    return n_zones
