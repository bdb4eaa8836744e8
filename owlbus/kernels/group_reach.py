"""People of each group of hexes within the walk of a stop, by the points of hexes, while one or two routes of a plan change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import ZERO, inlined, inner_kernel, int64, lean_kernel, uint64
from owlbus.kernels.structs import GroupReach

if TYPE_CHECKING:
    from numpy.typing import NDArray


def new_group_reach(
    indptr: NDArray[np.int64],
    cell: NDArray[np.int32],
    points: NDArray[np.uint64],
    group_of: NDArray[np.int32],
    people: NDArray[np.int64],
    least: NDArray[np.int64],
) -> GroupReach:
    """
    Groups of hexes with the work space to count their people.

    Parameters
    ----------
    indptr, cell, points, group_of, people, least
        As of `GroupReach`.

    Returns
    -------
    GroupReach
        Beside routes nothing is reached, nobody is missing, and a person is worth nothing.
    """
    cells, groups = people.size, least.size
    return GroupReach(
        indptr,
        cell,
        points,
        group_of,
        people,
        least,
        anyway=np.zeros(cells, np.uint64),
        reached_anyway=np.zeros(groups, np.int64),
        others=np.zeros(cells, np.uint64),
        reached_others=np.zeros(groups, np.int64),
        mine=np.zeros(cells, np.uint64),
        reached=np.zeros(groups, np.int64),
        held=np.zeros(groups, np.int64),
        missing=np.zeros(1, np.int64),
        worth=0.0,
    )


def no_groups(n_stops: int) -> GroupReach:
    """Return the groups of a network of `n_stops` where no people must be reached."""
    none = np.zeros(0, np.int32), np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return new_group_reach(np.zeros(n_stops + 1, np.int64), *none)


@inlined
def n_bits(bits: int) -> int:
    """
    Number of bits that are set.

    Parameters
    ----------
    bits
        A uint64.

    Returns
    -------
    int
        0 to 64.
    """
    bits -= (bits >> uint64(1)) & uint64(0x5555555555555555)
    bits = (bits & uint64(0x3333333333333333)) + ((bits >> uint64(2)) & uint64(0x3333333333333333))
    bits = (bits + (bits >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int64((bits * uint64(0x0101010101010101)) >> uint64(56))


@inner_kernel
def _add_route(groups: GroupReach, stops: NDArray[np.int32], n: int, mine: NDArray[np.uint64], reached: NDArray[np.int64]) -> None:
    """Add the people whom a route reaches by points that neither the other routes nor `mine` hold; these points join `mine`."""
    indptr, cell_of, points, others = groups.indptr, groups.cell, groups.points, groups.others
    for p in range(n):
        for e in range(indptr[stops[p]], indptr[stops[p] + 1]):
            cell = cell_of[e]
            new = points[e] & ~(others[cell] | mine[cell])
            if new == uint64(0):
                continue
            mine[cell] |= new
            reached[groups.group_of[cell]] += groups.people[cell] * n_bits(new)


@inner_kernel
def _forget_route(groups: GroupReach, stops: NDArray[np.int32], n: int) -> None:
    """Clear the points that `_add_route` noted of a route."""
    for p in range(n):
        for e in range(groups.indptr[stops[p]], groups.indptr[stops[p] + 1]):
            groups.mine[groups.cell[e]] = uint64(0)


@lean_kernel
def reach_others(groups: GroupReach, stops: NDArray[np.int32], n_stops: NDArray[np.int64], k: int, other: int) -> bool:
    """
    Note whom the plan reaches without one or two of its routes.

    Parameters
    ----------
    groups
        The groups; `others`, `reached_others` and `held` are written.
    stops, n_stops
        The plan: stop indices, shape (K, M), and how many of each row count, shape (K,).
    k, other
        Routes that are left out; -1 for none.

    Returns
    -------
    bool
        Whether some group lacks people without them.
    """
    reached = groups.reached_others
    for cell in range(groups.others.shape[0]):
        groups.others[cell] = groups.anyway[cell]
    for group in range(reached.shape[0]):
        reached[group] = groups.reached_anyway[group]
    for row in range(n_stops.shape[0]):
        if row not in (k, other):
            _add_route(groups, stops[row], n_stops[row], groups.others, reached)
    lacks = False
    for group in range(reached.shape[0]):
        groups.held[group] = reached[group]
        lacks = lacks or reached[group] < groups.least[group]
    return lacks


@inner_kernel
def missing_people(groups: GroupReach, stops: NDArray[np.int32], n: int, stops_2: NDArray[np.int32], n_2: int) -> int:
    """
    How many people of all groups lack a stop, if one or two routes join the other routes.

    Parameters
    ----------
    groups
        The groups, beside other routes as `reach_others` noted; `reached` is written.
    stops, n
        A route.
    stops_2, n_2
        Another one; of 0 stops for none.

    Returns
    -------
    int
        People times points over all groups below their least; -1 if a group below it has fewer than are held.
    """
    reached = groups.reached
    for group in range(reached.shape[0]):
        reached[group] = groups.reached_others[group]
    _add_route(groups, stops, n, groups.mine, reached)
    _add_route(groups, stops_2, n_2, groups.mine, reached)
    _forget_route(groups, stops, n)
    _forget_route(groups, stops_2, n_2)
    missing = ZERO
    for group in range(reached.shape[0]):
        if reached[group] < groups.least[group]:
            if reached[group] < groups.held[group]:
                return int64(-1)
            missing += groups.least[group] - reached[group]
    return int(missing)


@inner_kernel
def hold_reached(groups: GroupReach) -> None:
    """
    Hold every group to the people that `missing_people` found last: a change must not leave one below its least with fewer.

    Parameters
    ----------
    groups
        The groups; `held` is written.
    """
    for group in range(groups.held.shape[0]):
        groups.held[group] = groups.reached[group]
