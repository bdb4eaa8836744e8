"""The most valuable routes under multipliers of hexes, relaxed, and the pool of known routes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.kernels.bound_multipliers import dearest_mix
from owlbus.kernels.bound_routes import add_gains, follow_walk, longest_walks, near_memory, remember_repeats, walk_stops
from owlbus.kernels.bound_structs import CostGraph, RouteMixes, RoutePool, Walks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph
    from owlbus.plan.limits import RouteLimits


_WIDTH = 24

_RINGS = 1

_NEW_ROUTES = 15

_MOST_KNOWN = 6_000

_FIRST_ROOM = 200_000


class _Known(NamedTuple):
    """A known walk: its stops, its cost, and the hexes that it covers with the number of times."""

    stops: NDArray[np.int32]
    cost: int
    hexes: NDArray[np.int32]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, stops: NDArray[np.int32], cost: int, visits: NDArray[np.float64]) -> _Known:
        """Keep the hexes that the walk covers."""
        hexes = np.flatnonzero(visits).astype(np.int32)
        return cls(stops, cost, hexes, visits[hexes])


class RoutePricer:
    """
    Finds the most valuable mix of routes under multipliers, on walks that include every simple route within the limits.

    Parameters
    ----------
    graph
        Stop network over S stops and H hexes; every link has its reverse.
    n_hexes
        Hexes H.
    n_routes
        Routes K.
    limits
        What a plan must keep.
    hex_multiplier
        Multipliers that choose the scarcest resource, shape (H,), float64, >= 0.
    """

    def __init__(self, graph: Graph, n_hexes: int, n_routes: int, limits: RouteLimits, hex_multiplier: NDArray[np.float64]) -> None:
        """Choose the budget under which the most valuable routes are worth least."""
        self._graph, self._n_hexes = graph, n_hexes
        self._make_room(_FIRST_ROOM)
        self._known: list[_Known] = []
        views = list(budgets(graph, n_routes, limits))
        values = [self._use(view).most_valuable(hex_multiplier) for view in views]
        self._use(views[int(np.argmin(values))])

    @property
    def mixes(self) -> RouteMixes:
        """Kinds of routes, as `owlbus.kernels.bound_multipliers` takes them."""
        return self._budget.mixes

    @property
    def n_known(self) -> int:
        """Routes in the pool."""
        return len(self._known)

    @property
    def pool(self) -> RoutePool:
        """Known routes, with costs in units of the budget."""
        known = self._known
        return RoutePool(
            np.concatenate([[0], np.cumsum([route.hexes.size for route in known], dtype=np.int64)]),
            np.concatenate([np.empty(0, np.int32), *(route.hexes for route in known)]),
            np.concatenate([np.empty(0), *(route.times for route in known)]),
            np.array([route.cost for route in known], np.int32),
        )

    def most_valuable(self, hex_multiplier: NDArray[np.float64]) -> float:
        """
        Most that K routes within the limits can earn.

        Parameters
        ----------
        hex_multiplier
            Multiplier of each hex, shape (H,), float64, >= 0.

        Returns
        -------
        float
            Sum of the multipliers; no plan within the limits earns more.
        """
        budget = self._budget
        while True:
            self._made = longest_walks(self._roads, self._memory, hex_multiplier, budget.most, _WIDTH, self._walks, self._best)
            if self._made >= 0:
                break
            self._make_room(2 * self._walks.value.size)
        if self._made == 0:
            return 0.0
        values = self._walks.value[self._best[budget.mixes.cost]]
        self._chosen = np.zeros(values.size, np.int64)
        return float(dearest_mix(values, budget.mixes, self._chosen))

    def learn(self, *, repeats: bool) -> None:
        """
        Add the walks of the last call of `most_valuable` to the pool: those of the mix, and the best that end at other stops.

        Parameters
        ----------
        repeats
            Whether to widen the memory so that the walks cannot earn a hex twice again.
        """
        if self._made == 0:
            return
        costs = self._budget.mixes.cost[self._chosen > 0]
        walks = [int(self._best[cost]) for cost in costs] + [int(walk) for cost in costs for walk in self._best_by_end(cost)]
        walks = list(dict.fromkeys(walks))
        for walk in walks:
            visits = np.zeros(self._n_hexes)
            add_gains(self._roads, self._memory, self._walks, walk, 1.0, visits)
            self._known.append(_Known.of(walk_stops(self._walks, walk), int(self._walks.cost[walk]), visits))
        del self._known[:-_MOST_KNOWN]
        learnt = [remember_repeats(self._roads, self._memory, route.stops) for route in self._known[-len(walks) :] if repeats]
        if any(learnt):
            self._known = [self._update(route) if route.times.max(initial=0) > 1 else route for route in self._known]

    def _update(self, route: _Known) -> _Known:
        """A known route with the hexes that it earns under the current memory."""
        visits = np.zeros(self._n_hexes)
        follow_walk(self._roads, self._memory, route.stops, visits)
        return _Known.of(route.stops, route.cost, visits)

    def _best_by_end(self, cost: int) -> NDArray[np.int64]:
        """Walks within a cost that are worth most at their last stop, the best of them first."""
        within = np.flatnonzero(self._walks.cost[: self._made] <= cost)
        value, ends = self._walks.value[within], self._walks.stop[within]
        n_candidates = min(within.size, 200 * _NEW_ROUTES)
        top = np.argpartition(-value, n_candidates - 1)[:n_candidates]
        top = top[np.lexsort((top, -value[top]))]
        _, first = np.unique(ends[top], return_index=True)
        return within[top[np.sort(first)[:_NEW_ROUTES]]]

    def _use(self, budget: Budget) -> RoutePricer:
        """Use `budget` as the limits from now on."""
        graph, self._budget = self._graph, budget
        self._roads = CostGraph(graph.link_indptr, graph.link_to, budget.link_cost, graph.shed_indptr, graph.shed_hex)
        self._memory = near_memory(self._roads, self._n_hexes, _RINGS)
        self._best = np.empty(budget.most + 1, np.int32)
        return self

    def _make_room(self, walks: int) -> None:
        """Allocate `walks` walks."""
        self._walks = Walks(
            np.empty(walks, np.float64),
            np.empty(walks, np.uint64),
            *(np.empty(walks, np.int32) for _ in range(4)),
        )


_MOST_LEVELS = 400

_LOSS_SHARE = 0.02

_SHORT_LINKS = (0.0, 0.01, 0.05, 0.25)

_FINEST = 6

_MOST_KINDS, _MANY_ROUTES = 60, 16

_UP = 1 + 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """
    One resource that routes use, in whole units per link.

    Attributes
    ----------
    link_cost
        Units of each link, the same in both directions, shape (L,), int32, >= 1.
    mixes
        Kinds of routes for `owlbus.kernels.bound_multipliers.dearest_mix`.
    """

    link_cost: NDArray[np.int32]
    mixes: RouteMixes

    @property
    def most(self) -> int:
        """Most units that a route can cost."""
        return int(self.mixes.cost.max())


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


def budgets(graph: Graph, n_routes: int, limits: RouteLimits) -> Iterator[Budget]:
    """
    Budgets of one resource that relax the limits; each contains all plans within the limits.

    The resource is the seconds or the metres of a link, there and back. A limit on the other one is carried over by the largest
    ratio that a link has; the fleet or the metres of all routes together sort routes into kinds.

    Parameters
    ----------
    graph
        Stop network; every link has its reverse.
    n_routes
        Routes K.
    limits
        What a plan must keep.

    Yields
    ------
    Budget
        One relaxation of the limits.
    """
    seconds, metres = (_both_ways(graph, column) for column in (graph.link_s, graph.link_m))
    if seconds.size == 0:
        yield Budget(np.empty(0, np.int32), RouteMixes(np.zeros(1, np.int32), np.zeros(1, np.int64), n_routes, 0))
        return
    for used in (seconds, metres):
        used_per_second, used_per_metre = float((used / seconds).max()), float((used / metres).max())
        route = min(
            2 * limits.max_ride_s * used_per_second,
            2 * min(limits.max_length_m, limits.max_total_length_m) * used_per_metre,
            limits.max_buses * limits.headway_s * used_per_second,
            (limits.max_stops - 1) * float(used.max()),
        )
        units = _units(used, route * _UP)
        if math.isfinite(limits.max_buses):
            yield Budget(units.cost, _by_buses(n_routes, limits, units, used_per_second / units.unit * _UP))
        if math.isfinite(limits.max_total_length_m):
            yield Budget(units.cost, _by_length(n_routes, units, 2 * limits.max_total_length_m * used_per_metre / units.unit * _UP))
        if math.isinf(limits.max_buses) and math.isinf(limits.max_total_length_m):
            yield Budget(units.cost, RouteMixes(np.array([units.most], np.int32), np.zeros(1, np.int64), n_routes, 0))


def _both_ways(graph: Graph, column: NDArray[Any]) -> NDArray[np.int64]:
    """Sum of a link's column and its reverse's, shape (L,), at least 1."""
    indptr, to = graph.link_indptr, graph.link_to
    tail = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    there, back = np.lexsort((to, tail)), np.lexsort((tail, to))
    total = np.empty(column.size, np.int64)
    total[there] = column[there].astype(np.int64) + column[back]
    return np.maximum(total, 1)


def _units(used: NDArray[np.int64], route: float) -> _Units:
    """Units that divide most links well: the first that lose little, else those that lose least within the levels allowed."""
    best: _Units | None = None
    for part in range(1, _FINEST + 1):
        for share in _SHORT_LINKS:
            units = _in_units(used, max(1, int(np.quantile(used, share, method="lower")) // part), route)
            crowded = units.most > _MOST_LEVELS
            better = best is None or (crowded, units.loss_share) < (best.most > _MOST_LEVELS, best.loss_share)
            if better or (crowded and best is not None and units.most < best.most):
                best = units
            if not crowded and units.loss_share <= _LOSS_SHARE:
                return units
    return best or _in_units(used, int(used.min()), route)


def _in_units(used: NDArray[np.int64], unit: int, route: float) -> _Units:
    """Links and the budget of a route in units of this size."""
    short = int((used < unit).sum()) // 2
    cost = np.maximum(used // unit, 1).astype(np.int32)
    whole = int(route // unit)
    loss = float(1 - (used // unit * unit).sum() / used.sum()) + short / max(whole, 1)
    return _Units(unit, cost, short, whole + short, loss)


def _by_buses(n_routes: int, limits: RouteLimits, units: _Units, units_per_second: float) -> RouteMixes:
    """Kinds by the buses of a route; a route that is not run needs none."""
    units_per_bus = limits.headway_s * units_per_second
    needed = int((units.most - units.spare) // units_per_bus) + 1
    fleet = int(min(limits.max_buses, n_routes * needed))
    width = -(-needed // _kinds(n_routes))
    classes = np.arange(-(-min(needed, fleet) // width))
    within = np.minimum((classes + 1) * width * units_per_bus + units.spare, units.most).astype(np.int32)
    return RouteMixes(within, (classes * width + 1) // width, n_routes, fleet // width)


def _by_length(n_routes: int, units: _Units, most_units: float) -> RouteMixes:
    """Kinds by classes of length; a route counts as the shortest of its class."""
    width = -(-(units.most + 1) // _kinds(n_routes))
    classes = np.arange(units.most // width + 1)
    within = np.minimum((classes + 1) * width - 1, units.most).astype(np.int32)
    load = np.maximum(classes * width - units.spare, 0) // width
    return RouteMixes(within, load, n_routes, int(min(most_units, n_routes * units.most)) // width)


def _kinds(n_routes: int) -> int:
    """Most kinds of routes, so that mixing them stays cheap."""
    return _MOST_KINDS if n_routes <= _MANY_ROUTES else _MOST_KINDS // 3
