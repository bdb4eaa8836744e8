"""The most valuable routes under multipliers of hexes, relaxed, and the pool of known routes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.kernels.bound_multipliers import dearest_mix
from owlbus.kernels.bound_routes import follow_walk, near_memory, remember_repeats, walk_stops
from owlbus.kernels.bound_structs import CostGraph, RouteMixes, RoutePool, WalkStarts
from owlbus.kernels.grow_walks import best_within
from owlbus.search.start_zones import StartZone, start_zones
from owlbus.search.walk_rows import PricedRoads, TwoWayWalks, WalkRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph
    from owlbus.plan.limits import RouteLimits


class _Level(NamedTuple):
    """
    How closely walks are looked at: zones of starts at most, rings of stops whose hexes are kept in mind, walks at a cost and stop.

    With several widths, walks grow from both ends of a zone in turn, and known routes earn each hex once.
    """

    n_zones: int
    rings: int
    widths: tuple[int, ...]

    @property
    def is_two_way(self) -> bool:
        """Whether walks grow from both ends."""
        return len(self.widths) > 1


_LEVELS = (_Level(1, 1, (24,)), _Level(100, 1, (12,)), _Level(100, 2, (12, 24, 48, 100)))

_NEW_ROUTES, _OTHER_ROUTES = 60, 10

_NEW_OF_ZONE = 15

_MOST_KNOWN = 6_000

_LEARNT_FROM = 30
"""Walks a step, the most valuable ones, whose repeats are remembered from then on."""


class _Found(NamedTuple):
    """A walk that is worth most within the cost of a kind in some zone."""

    kind: int
    value: float
    stops: NDArray[np.int32]
    cost: int


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

    Attributes
    ----------
    version
        Raised whenever routes that were known have changed, or are known no longer.
    """

    def __init__(self, graph: Graph, n_hexes: int, n_routes: int, limits: RouteLimits, hex_multiplier: NDArray[np.float64]) -> None:
        """Choose the budget under which the most valuable routes are worth least."""
        self._graph, self._n_hexes, self._limits = graph, n_hexes, limits
        self._known: list[_Known] = []
        self.version, self._level = 0, 0
        views = list(budgets(graph, n_routes, limits))
        values = [self._use(view).most_valuable(hex_multiplier) for view in views]
        self._use(views[int(np.argmin(values))])

    @property
    def budget(self) -> Budget:
        """The scarcest resource."""
        return self._budget

    @property
    def is_coarse(self) -> bool:
        """Whether `refine` was never called."""
        return self._level == 0

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
        self._found: list[_Found] = []
        if _LEVELS[self._level].is_two_way:
            return self._most_valuable_two_way(hex_multiplier)
        values = np.zeros(self._budget.mixes.cost.size)
        for zone in self._zones:
            self._grow(hex_multiplier, zone)
            within = self._best[self._budget.mixes.cost]
            if within[-1] >= 0:
                values = np.maximum(values, np.where(within >= 0, self._rows.walks.value[within], 0.0))
                self._found += self._found_in(zone, within)
        self._chosen = np.zeros(values.size, np.int64)
        return float(dearest_mix(values, self._budget.mixes, self._chosen)) if self._found else 0.0

    def _most_valuable_two_way(self, hex_multiplier: NDArray[np.float64]) -> float:
        """
        As `most_valuable`, by a price of the load under which known routes are worth least.

        No route is worth more than the price of its load and what is found beyond it; known routes say how much that is at least.
        """
        mixes, priced = self._budget.mixes, PricedRoads(self._roads, self._memory, hex_multiplier)
        kinds, worth = self._worth(hex_multiplier)
        values = np.zeros(mixes.cost.size)
        np.maximum.at(values, kinds, worth)
        load_price, least = _price_of_load(values, mixes)
        kind_of = self._kinds_of(np.arange(self._budget.most + 1))
        load = mixes.load.astype(np.float64)
        paid = load_price * load[kind_of]
        widths = _LEVELS[self._level].widths
        self._two_way.aim(priced, paid, widths[0])
        most = least
        for zone in self._zones:
            beyond, found = self._two_way.most_valuable(zone, widths, least)
            most = max(most, beyond)
            for walk in found:
                self._found.append(_Found(int(kind_of[walk.cost]), walk.value + float(paid[walk.cost]), walk.stops, walk.cost))
        self._found.sort(key=lambda walk: float(paid[walk.cost]) - walk.value)
        self._chosen = np.zeros(values.size, np.int64)
        return float(dearest_mix(most + load_price * load, mixes, self._chosen))

    def _kinds_of(self, costs: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Kind of a route of each cost."""
        most = self._budget.mixes.cost
        return np.minimum(np.searchsorted(most, np.asarray(costs, np.int64)), most.size - 1)

    def _worth(self, hex_multiplier: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Kind of each known route, and what it earns."""
        worth = np.array([hex_multiplier[route.hexes] @ route.times for route in self._known], np.float64)
        return self._kinds_of([route.cost for route in self._known]), worth

    def learn(self, hex_multiplier: NDArray[np.float64], *, repeats: bool) -> None:
        """
        Add the walks of the last call of `most_valuable` to the pool: many of the kinds of the mix, some of the others.

        Where walks grow from both ends, all are added, and the memory is widened in any case.

        Parameters
        ----------
        hex_multiplier
            Multipliers of that call; the routes that are worth least under them are forgotten once there are too many.
        repeats
            Whether to widen the memory so that the walks cannot earn a hex twice again.
        """
        is_two_way = _LEVELS[self._level].is_two_way
        new = [_Known.of(walk.stops, walk.cost, self._visits(walk.stops)) for walk in self._new_walks()]
        self._known += new
        if len(self._known) > _MOST_KNOWN:
            self._forget(hex_multiplier)
        walks = self._found[:_LEARNT_FROM] if is_two_way else new if repeats else []
        learnt = [remember_repeats(self._roads, self._memory, walk.stops) for walk in walks]
        if any(learnt) and not is_two_way:
            self._update_known()

    def _new_walks(self) -> list[_Found]:
        """Walks of the last call of `most_valuable` to be added to the pool, each once."""
        first: dict[bytes, _Found] = {}
        if _LEVELS[self._level].is_two_way:
            known = {route.stops.tobytes() for route in self._known}
            for walk in self._found:
                first.setdefault(walk.stops.tobytes(), walk)
            return [walk for stops, walk in first.items() if stops not in known]
        by_value = sorted(self._found, key=lambda walk: -walk.value)
        for kind in range(self._chosen.size):
            rows = [walk for walk in by_value if walk.kind == kind]
            for walk in rows[: _NEW_ROUTES if self._chosen[kind] else _OTHER_ROUTES]:
                first.setdefault(walk.stops.tobytes(), walk)
        return list(first.values())

    def _visits(self, stops: NDArray[np.int32]) -> NDArray[np.float64]:
        """How often a walk earns each hex as walks are looked at now, shape (H,), float64."""
        visits = np.zeros(self._n_hexes)
        follow_walk(self._roads, self._memory, stops, visits)
        return np.minimum(visits, 1.0) if _LEVELS[self._level].is_two_way else visits

    def refine(self) -> bool:
        """
        Look more closely from now on, for longer.

        Returns
        -------
        bool
            Whether that is possible; not if the closest look was taken already, or circuity is not seen on this network.
        """
        if self._level + 1 == len(_LEVELS):
            return False
        self._level += 1
        level = _LEVELS[self._level]
        if level.n_zones != _LEVELS[self._level - 1].n_zones:
            self._zones = start_zones(self._graph, self._roads, self._budget.most, self._limits, level.n_zones)
            self._known = self._in_zones()
        self._memory = near_memory(self._roads, self._n_hexes, level.rings)
        if level.is_two_way:
            self._two_way = TwoWayWalks(self._rows)
        self._update_known()
        return True

    def _in_zones(self) -> list[_Known]:
        """Known walks that can still be found, by the first zone that has one of their terminals."""
        zone_of = np.empty(self._graph.link_indptr.size - 1, np.int64)
        for z, zone in enumerate(self._zones):
            zone_of[zone.starts] = z
        kept = []
        for route in self._known:
            first, last = int(route.stops[0]), int(route.stops[-1])
            ways = [(zone_of[start], end) for start, end in ((first, last), (last, first)) if zone_of[start] <= zone_of[end]]
            if any(self._zones[z].last_end[end] >= route.cost for z, end in ways):
                kept.append(route)
        return kept

    def _forget(self, hex_multiplier: NDArray[np.float64]) -> None:
        """Keep the known routes that are worth most beside the best one of their kind."""
        kinds, worth = self._worth(hex_multiplier)
        most = np.zeros(self._budget.mixes.cost.size)
        np.maximum.at(most, kinds, worth)
        kept = np.argsort(-(worth / np.maximum(most[kinds], 1e-300)), kind="stable")[: _MOST_KNOWN // 2]
        self._known = [self._known[r] for r in np.sort(kept)]
        self.version += 1

    def _update_known(self) -> None:
        """Count what known routes earn under the current memory."""
        self._known = [_Known.of(route.stops, route.cost, self._visits(route.stops)) for route in self._known]
        self.version += 1

    def _grow(self, hex_multiplier: NDArray[np.float64], zone: StartZone) -> None:
        """Grow the walks of a zone."""
        priced, rows = PricedRoads(self._roads, self._memory, hex_multiplier), self._rows
        starts = WalkStarts(zone.starts, np.zeros(zone.starts.size, np.int32), priced.own()[zone.starts])
        rows.grow(priced, _LEVELS[self._level].widths[0], starts, zone.last)
        best_within(rows.walks, rows.head, zone.last_end, self._best)

    def _found_in(self, zone: StartZone, within: NDArray[np.int32]) -> list[_Found]:
        """Walks of a zone that are worth most within the cost of each kind; where there are few zones, the best by their ends too."""
        rows = [(kind, int(walk)) for kind, walk in enumerate(within) if walk >= 0]
        if len(self._zones) == 1:
            rows += [(kind, walk) for kind, cost in enumerate(self._budget.mixes.cost) for walk in self._best_by_end(zone, int(cost))]
        walks = self._rows.walks
        return [_Found(kind, float(walks.value[walk]), walk_stops(walks, walk), int(walks.cost[walk])) for kind, walk in rows]

    def _best_by_end(self, zone: StartZone, cost: int) -> list[int]:
        """Walks within a cost that are worth most at their last stop, the best of them first."""
        rows = self._rows.head[: cost + 1]
        value = np.where((rows >= 0) & (np.arange(cost + 1)[:, None] <= zone.last_end), self._rows.walks.value[rows], -np.inf)
        top = np.argmax(value, axis=0)
        stops = np.arange(top.size)
        order = np.argsort(-value[top, stops], kind="stable")[:_NEW_OF_ZONE]
        return [int(rows[top[stop], stop]) for stop in order if value[top[stop], stop] > -np.inf]

    def _use(self, budget: Budget) -> RoutePricer:
        """Use `budget` as the limits from now on."""
        graph, self._budget = self._graph, budget
        self._roads = CostGraph(graph.link_indptr, graph.link_to, budget.link_cost, graph.shed_indptr, graph.shed_hex)
        self._memory = near_memory(self._roads, self._n_hexes, _LEVELS[0].rings)
        n_stops = graph.link_indptr.size - 1
        self._zones = (StartZone.of_all(n_stops, budget.most),)
        self._best, self._rows = np.empty(budget.most + 1, np.int32), WalkRows(n_stops, budget.most)
        return self


def _price_of_load(values: NDArray[np.float64], mixes: RouteMixes) -> tuple[float, float]:
    """Price of a unit of load under which routes of these values bound a mix best, and the most that one of them is worth beyond it."""
    load = mixes.load.astype(np.float64)
    apart = load[:, None] - load
    crossed = (values[:, None] - values)[apart > 0] / apart[apart > 0]
    prices = np.unique(np.concatenate([[0.0], crossed[crossed > 0], values[load > 0] / load[load > 0]]))
    beyond = np.maximum((values - prices[:, None] * load).max(axis=1), 0.0)
    best = int(np.argmin(mixes.n_routes * beyond + mixes.most_load * prices))
    return float(prices[best]), float(beyond[best])


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
