"""The dearest routes under prices, relaxed, and the pool of those met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.search.budgets import Budget, budgets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.limits import RouteLimits

_WIDTH = 24
_RINGS = 1
_NEW_ROUTES = 15
_MOST_KNOWN = 6_000
_FIRST_ROOM = 200_000


class _Known(NamedTuple):
    """A walk met: its stops, what it may cost, and the hexes it earns with how often."""

    stops: NDArray[np.int32]
    cost: int
    hexes: NDArray[np.int32]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, stops: NDArray[np.int32], cost: int, visits: NDArray[np.float64]) -> _Known:
        """Keep the hexes that are earned at all."""
        hexes = np.flatnonzero(visits).astype(np.int32)
        return cls(stops, cost, hexes, visits[hexes])


class Pricer:
    """
    Finds the dearest mix of routes under prices, on walks that contain every simple route within the limits.

    Parameters
    ----------
    graph
        ``link_indptr, link_to, link_s, link_m, shed_indptr, shed_hex`` over S stops and H hexes; every link has its reverse.
    n_hexes
        Hexes H.
    n_routes
        Routes K.
    limits
        What a plan must keep.
    price
        Prices to choose the scarcest resource by, shape (H,), float64, >= 0.
    """

    def __init__(
        self, graph: tuple[NDArray[Any], ...], n_hexes: int, n_routes: int, limits: RouteLimits, price: NDArray[np.float64]
    ) -> None:
        """Take the view of the limits under which the dearest routes are worth least."""
        self._graph, self._n_hexes = graph, n_hexes
        self._make_room(_FIRST_ROOM)
        self._known: list[_Known] = []
        views = list(budgets(graph, n_routes, limits))
        worth = [self._use(view).dearest(price) for view in views]
        self._use(views[int(np.argmin(worth))])

    @property
    def mixes(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """Kinds of routes, as `owlbus.kernels.dual` takes them."""
        return self._budget.mixes

    @property
    def n_known(self) -> int:
        """Routes in the pool."""
        return len(self._known)

    @property
    def pool(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
        """Routes met, R of them: row starts (R + 1,), hexes and times each is earned (n,), and cost in units of the budget (R,)."""
        known = self._known
        return (
            np.concatenate([[0], np.cumsum([route.hexes.size for route in known], dtype=np.int64)]),
            np.concatenate([np.empty(0, np.int32), *(route.hexes for route in known)]),
            np.concatenate([np.empty(0), *(route.times for route in known)]),
            np.array([route.cost for route in known], np.int32),
        )

    def dearest(self, price: NDArray[np.float64]) -> float:
        """
        Most that K routes within the limits can earn.

        Parameters
        ----------
        price
            Price of each hex, shape (H,), float64, >= 0.

        Returns
        -------
        float
            Sum of the prices; no plan within the limits earns more.
        """
        from owlbus.kernels.dual import dearest_mix
        from owlbus.kernels.pricing import longest_walks

        budget = self._budget
        while True:
            self._made = longest_walks(self._roads, self._memory, price, budget.most, _WIDTH, self._walks, self._best)
            if self._made >= 0:
                break
            self._make_room(2 * self._walks[0].size)
        if self._made == 0:
            return 0.0
        worth = self._walks[0][self._best[budget.mixes[0]]]
        self._chosen = np.zeros(worth.size, np.int64)
        return float(dearest_mix(worth, budget.mixes, self._chosen))

    def learn(self, *, repeats: bool) -> None:
        """
        Put the walks that `dearest` met last into the pool: those of the mix, and the best that end at other stops.

        Parameters
        ----------
        repeats
            Whether to widen the memory so that the walks cannot earn a hex twice again.
        """
        from owlbus.kernels.pricing import add_gains, remember_repeats, walk_stops

        if self._made == 0:
            return
        costs = self._budget.mixes[0][self._chosen > 0]
        met = [int(self._best[cost]) for cost in costs] + [int(walk) for cost in costs for walk in self._best_by_end(cost)]
        met = list(dict.fromkeys(met))
        for walk in met:
            visits = np.zeros(self._n_hexes)
            add_gains(self._roads, self._memory, self._walks, walk, 1.0, visits)
            self._known.append(_Known.of(walk_stops(self._walks, walk), int(self._walks[5][walk]), visits))
        del self._known[:-_MOST_KNOWN]
        learnt = [remember_repeats(self._roads, self._memory, route.stops) for route in self._known[-len(met) :] if repeats]
        if any(learnt):
            self._known = [self._again(route) if route.times.max(initial=0) > 1 else route for route in self._known]

    def _again(self, route: _Known) -> _Known:
        """A known route as the memory lets it earn now."""
        from owlbus.kernels.pricing import follow_walk

        visits = np.zeros(self._n_hexes)
        follow_walk(self._roads, self._memory, route.stops, visits)
        return _Known.of(route.stops, route.cost, visits)

    def _best_by_end(self, cost: int) -> NDArray[np.int64]:
        """Walks within a cost that are worth most at their last stop, the best of them first."""
        within = np.flatnonzero(self._walks[5][: self._made] <= cost)
        value, ends = self._walks[0][within], self._walks[2][within]
        few = min(within.size, 200 * _NEW_ROUTES)
        top = np.argpartition(-value, few - 1)[:few]
        top = top[np.lexsort((top, -value[top]))]
        _, first = np.unique(ends[top], return_index=True)
        return within[top[np.sort(first)[:_NEW_ROUTES]]]

    def _use(self, budget: Budget) -> Pricer:
        """See the limits as `budget` from now on."""
        from owlbus.kernels.pricing import near_memory

        link_indptr, link_to, _, _, shed_indptr, shed_hex = self._graph
        self._budget = budget
        self._roads = (link_indptr, link_to, budget.link_cost, shed_indptr, shed_hex)
        self._memory = near_memory(self._roads, self._n_hexes, _RINGS)
        self._best = np.empty(budget.most + 1, np.int32)
        return self

    def _make_room(self, walks: int) -> None:
        """Room for so many walks."""
        self._walks: tuple[NDArray[Any], ...] = (
            np.empty(walks, np.float64),
            np.empty(walks, np.uint64),
            *(np.empty(walks, np.int32) for _ in range(4)),
        )
