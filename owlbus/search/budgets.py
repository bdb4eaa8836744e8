"""Route limits as whole costs of links and kinds of routes, rounded so that every plan within the limits stays within them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.limits import RouteLimits

_MOST_LEVELS = 400
_LOSS_SHARE = 0.02
_SHORT_LINKS = (0.0, 0.01, 0.05, 0.25)
_FINEST = 6
_MOST_KINDS, _MANY_ROUTES = 60, 16
_UP = 1 + 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """
    One resource that routes use up, in whole units per link.

    Attributes
    ----------
    link_cost
        Units of each link, the same in both directions, shape (L,), int32, >= 1.
    mixes
        Kinds of routes for `owlbus.kernels.dual.dearest_mix`: the most that a route of each kind can cost (J,), the load it is at
        least (J,), and the number of routes and the load of all together (2,).
    """

    link_cost: NDArray[np.int32]
    mixes: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]

    @property
    def most(self) -> int:
        """Most units that a route can cost."""
        return int(self.mixes[0].max())


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """
    Whole units of one resource.

    `cost` is the units of each link, rounded down but at least 1; `spare` says how many links of a route can have been rounded up
    by that, and `most` what a route can cost, those links included.
    """

    unit: int
    cost: NDArray[np.int32]
    spare: int
    most: int
    loss_share: float


def budgets(graph: tuple[NDArray[Any], ...], n_routes: int, limits: RouteLimits) -> Iterator[Budget]:
    """
    Every way to see the limits as one resource, each of which holds all plans within them.

    The resource is the seconds or the metres of a link, there and back. A limit on the other one is carried over by the largest
    ratio that a link has; the fleet or the metres of all routes together sort routes into kinds.

    Parameters
    ----------
    graph
        ``link_indptr, link_to, link_s, link_m`` and more; every link has its reverse.
    n_routes
        Routes K.
    limits
        What a plan must keep.

    Yields
    ------
    Budget
        One view of the limits.
    """
    seconds, metres = (_both_ways(graph, column) for column in (graph[2], graph[3]))
    if seconds.size == 0:
        yield Budget(np.empty(0, np.int32), (np.zeros(1, np.int32), np.zeros(1, np.int64), np.array([n_routes, 0])))
        return
    for used in (seconds, metres):
        a_second, a_metre = float((used / seconds).max()), float((used / metres).max())
        route = min(
            2 * limits.max_ride_s * a_second,
            2 * min(limits.max_length_m, limits.max_total_length_m) * a_metre,
            limits.max_buses * limits.headway_s * a_second,
            (limits.max_stops - 1) * float(used.max()),
        )
        units = _units(used, route * _UP)
        if math.isfinite(limits.max_buses):
            yield Budget(units.cost, _by_buses(n_routes, limits, units, a_second / units.unit * _UP))
        if math.isfinite(limits.max_total_length_m):
            yield Budget(units.cost, _by_length(n_routes, units, 2 * limits.max_total_length_m * a_metre / units.unit * _UP))
        if math.isinf(limits.max_buses) and math.isinf(limits.max_total_length_m):
            yield Budget(units.cost, (np.array([units.most], np.int32), np.zeros(1, np.int64), np.array([n_routes, 0])))


def _both_ways(graph: tuple[NDArray[Any], ...], column: NDArray[Any]) -> NDArray[np.int64]:
    """Sum of a link's column and its reverse's, shape (L,), at least 1."""
    indptr, to = graph[0], graph[1]
    tail = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    there, back = np.lexsort((to, tail)), np.lexsort((tail, to))
    both = np.empty(column.size, np.int64)
    both[there] = column[there].astype(np.int64) + column[back]
    return np.maximum(both, 1)


def _units(used: NDArray[np.int64], route: float) -> _Units:
    """Units that divide most links well: the first that lose little, else those that lose least within the levels allowed."""
    found: _Units | None = None
    for part in range(1, _FINEST + 1):
        for share in _SHORT_LINKS:
            units = _in_units(used, max(1, int(np.quantile(used, share, method="lower")) // part), route)
            crowded = units.most > _MOST_LEVELS
            better = found is None or (crowded, units.loss_share) < (found.most > _MOST_LEVELS, found.loss_share)
            if better or (crowded and found is not None and units.most < found.most):
                found = units
            if not crowded and units.loss_share <= _LOSS_SHARE:
                return units
    return found or _in_units(used, int(used.min()), route)


def _in_units(used: NDArray[np.int64], unit: int, route: float) -> _Units:
    """Links and the budget of a route in units of this size."""
    short = int((used < unit).sum()) // 2
    cost = np.maximum(used // unit, 1).astype(np.int32)
    whole = int(route // unit)
    loss = float(1 - (used // unit * unit).sum() / used.sum()) + short / max(whole, 1)
    return _Units(unit, cost, short, whole + short, loss)


def _by_buses(
    n_routes: int, limits: RouteLimits, units: _Units, units_a_second: float
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Kinds by the buses of a route; a route that is not run needs none."""
    a_bus = limits.headway_s * units_a_second
    needed = int((units.most - units.spare) // a_bus) + 1
    fleet = int(min(limits.max_buses, n_routes * needed))
    width = -(-needed // _kinds(n_routes))
    classes = np.arange(-(-min(needed, fleet) // width))
    within = np.minimum((classes + 1) * width * a_bus + units.spare, units.most).astype(np.int32)
    return within, (classes * width + 1) // width, np.array([n_routes, fleet // width])


def _by_length(n_routes: int, units: _Units, together: float) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Kinds by classes of length; a route counts as the shortest of its class."""
    width = -(-(units.most + 1) // _kinds(n_routes))
    classes = np.arange(units.most // width + 1)
    within = np.minimum((classes + 1) * width - 1, units.most).astype(np.int32)
    load = np.maximum(classes * width - units.spare, 0) // width
    return within, load, np.array([n_routes, int(min(together, n_routes * units.most)) // width])


def _kinds(n_routes: int) -> int:
    """Most kinds of routes, so that mixing them stays cheap."""
    return _MOST_KINDS if n_routes <= _MANY_ROUTES else _MOST_KINDS // 3
