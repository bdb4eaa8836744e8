"""Wishes that no plan can keep are named before the search starts, with the figures that stand in the way."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from owlbus.errors import InfeasibleError, UsageError
from owlbus.network import UNREACHABLE
from owlbus.plan import plan_measures
from owlbus.search.wishes import network_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from owlbus.limits import RouteLimits
    from owlbus.network import Network
    from owlbus.search.objective import Case
    from owlbus.search.wishes import Wishes

_FEWEST_DEPOTS = 2


def require_possible(case: Case, wishes: Wishes, n_routes: int, limits: RouteLimits) -> None:
    """
    Refuse wishes that contradict each other, or that no route within the limits can keep.

    Parameters
    ----------
    case
        Network and demand, without what is forbidden.
    wishes
        What is asked for.
    n_routes
        Routes K of the plan, fixed ones included.
    limits
        What routes and plan must keep, in metres and seconds.

    Raises
    ------
    UsageError
        If a stop or link is not of the network, or a route is named twice.
    InfeasibleError
        If a wish cannot be kept.
    """
    _require_known(case.network, wishes)
    network = case.network
    found = (_counts(wishes, n_routes), _contradictions(network, wishes), _fixed_budget(network, wishes, n_routes, limits))
    problem = next(chain.from_iterable(found), None)
    if problem is None and (wishes.wanted or wishes.depots or wishes.terminals):
        problem = next(_Ways(case, wishes, limits).problems(), None)
    if problem is not None:
        raise InfeasibleError(problem)


def _require_known(network: Network, wishes: Wishes) -> None:
    """Refuse stops, links and names that are none."""
    named = (*wishes.wanted, *wishes.forbidden, *wishes.depots)
    ends = (stop for _, one, two in wishes.terminals for stop in (one, two) if stop != -1)
    linked = (stop for pair in wishes.forbidden_links for stop in pair)
    for stop in (*named, *ends, *linked):
        if not 0 <= stop < network.n_stops:
            msg = f"stop {stop}: the network has stops 0 to {network.n_stops - 1}; name one of them"
            raise UsageError(msg)
    for a, b in wishes.forbidden_links:
        if b not in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]:
            msg = f"{network_name(network, a)} and {network_name(network, b)} are not linked, so there is nothing to forbid between them"
            raise UsageError(msg)
    names = list(wishes.names().values())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"route {twice[0]} is wished for twice; give each route one name"
        raise UsageError(msg)
    few = [stop for stop, least in wishes.hubs if least < 1]
    if few:
        msg = f"a hub needs at least 1 route, got fewer for {network_name(network, few[0])}"
        raise UsageError(msg)


def _counts(wishes: Wishes, n_routes: int) -> Iterator[str]:
    """Yield what asks for more routes than there are."""
    if wishes.n_fixed > n_routes:
        yield f"{wishes.n_fixed} routes are fixed, and the plan has {n_routes}; ask for more routes"
    elif wishes.n_fixed + len(wishes.terminals) > n_routes:
        asked = f"{wishes.n_fixed} fixed routes and {len(wishes.terminals)} with given terminals"
        yield f"{asked} are more than the {n_routes} of the plan; ask for more routes"


def _contradictions(network: Network, wishes: Wishes) -> Iterator[str]:
    """Yield wishes that exclude each other."""
    barred = set(wishes.forbidden)
    for what, stops in (("wanted", wishes.wanted), ("a depot", wishes.depots)):
        for stop in barred.intersection(stops):
            yield f"{network_name(network, stop)} is {what} and forbidden; take one of the wishes back"
    for name, *ends in wishes.terminals:
        for stop in ends:
            if stop in barred:
                yield f"route {name} ends at {network_name(network, stop)}, which is forbidden; take one of the wishes back"
            elif stop >= 0 and wishes.depots and stop not in wishes.depots:
                yield f"route {name} ends at {network_name(network, stop)}, which is no depot; name it as one"
    for route in wishes.fixed or ():
        yield from (f"fixed {line}; take one of the wishes back" for line in wishes.trespasses(network, route))


def _fixed_budget(network: Network, wishes: Wishes, n_routes: int, limits: RouteLimits) -> Iterator[str]:
    """Yield budgets that fixed routes use up."""
    if wishes.fixed is None:
        return
    measures = plan_measures(network, wishes.fixed, limits.headway_s)
    if measures.total_length_m > limits.max_total_length_m:
        used, allowed = measures.total_length_m / 1000, limits.max_total_length_m / 1000
        yield f"the fixed routes run {used:.1f} km one way, allowed are {allowed:g} km for all routes; fix fewer or allow more"
    left = limits.max_buses - measures.total_buses
    if left < n_routes - wishes.n_fixed:
        more = f"{n_routes - wishes.n_fixed} further routes need at least as many"
        yield f"the fixed routes take {measures.total_buses} of {limits.max_buses:g} buses, and {more}; fix fewer or allow more"


class _Ways:
    """Shortest ways that free routes have, in metres and seconds."""

    def __init__(self, case: Case, wishes: Wishes, limits: RouteLimits) -> None:
        self.network, self.wishes, self.limits = case.network, wishes, limits
        self.graph = case.graph
        self.ends = np.array([stop for stop in (wishes.depots or range(case.network.n_stops)) if stop not in wishes.forbidden], np.int64)

    def problems(self) -> Iterator[str]:
        """Yield wishes that no route within the limits can keep."""
        yield from self._depots()
        for name, one, two in self.wishes.terminals:
            if two >= 0:
                yield from self._terminal(name, one, two)
        fixed = () if self.wishes.fixed is None else self.wishes.fixed.routes
        for stop, least in self.wishes.wanted.items():
            calls = sum(stop in route.stops for route in fixed)
            if calls < least:
                yield from self._call(stop)

    def _depots(self) -> Iterator[str]:
        """Yield why no route can run between two depots."""
        if not self.wishes.depots:
            return
        if np.unique(self.ends).size < _FEWEST_DEPOTS:
            yield "a route has two terminals, and there is only one depot; name another one"
            return
        for cost, bound, unit, scale in self._measures():
            away = np.maximum(self._from(self.ends, cost)[:, self.ends], self._from(self.ends, cost)[:, self.ends].T)
            np.fill_diagonal(away, math.inf)
            one, two = np.unravel_index(np.argmin(away), away.shape)
            if away[one, two] > bound:
                a, b = (network_name(self.network, int(self.ends[at])) for at in (one, two))
                yield self._far(f"no route can run between two depots ({a} and {b} are nearest)", away[one, two], bound, unit, scale)

    def _terminal(self, name: str, one: int, two: int) -> Iterator[str]:
        """Yield why a route cannot run between its terminals."""
        for cost, bound, unit, scale in self._measures():
            ends = np.array([one, two])
            away = self._from(ends, cost)
            least = max(away[0, two], away[1, one])
            if least > bound:
                yield self._far(f"route {name} cannot reach terminal {network_name(self.network, two)}", least, bound, unit, scale)

    def _call(self, stop: int) -> Iterator[str]:
        """Yield why no route can call at a stop."""
        for cost, bound, unit, scale in self._measures():
            ahead, back = (self._from(np.array([stop]), cost, reverse=reverse)[0][self.ends] for reverse in (False, True))
            least = min(_two_least(ahead, back), _two_least(back, ahead))
            if least > bound:
                yield self._far(f"no route can call at {network_name(self.network, stop)}", least, bound, unit, scale)

    def _measures(self) -> Iterable[tuple[NDArray[np.int32], float, str, float]]:
        """Cost of each link, bound, unit and units in a shown one."""
        return (self.graph[3], self.limits.max_length_m, "km", 1000), (self.graph[2], self.limits.max_ride_s, "minutes", 60)

    def _from(self, stops: NDArray[np.int64], cost: NDArray[np.int32], *, reverse: bool = False) -> NDArray[np.float64]:
        """Shortest cost from some stops to all, or from all to them, shape (n, S)."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        n = self.network.n_stops
        graph = csr_array((cost.astype(np.float64), self.graph[1], self.graph[0]), shape=(n, n))
        found: NDArray[np.float64] = dijkstra(graph.T.tocsr() if reverse else graph, indices=stops)
        return found

    def _far(self, what: str, least: float, bound: float, unit: str, scale: float) -> str:
        """Return a line with what is needed and what is allowed."""
        allowed = f"{bound / scale:g} {unit}"
        if not least < UNREACHABLE:
            return f"{what} within {allowed}: no allowed link leads there; forbid less"
        shortest = "shortest" if unit == "km" else "fastest"
        return f"{what} within {allowed}: {shortest} is {math.ceil(10 * least / scale) / 10:.1f} {unit}; allow more, or wish for less"


def _two_least(to: NDArray[np.float64], onward: NDArray[np.float64]) -> float:
    """Least sum of a way to a stop from one end and onward to another end."""
    best = math.inf
    first = np.argsort(to, kind="stable")[:2]
    for a in first.tolist():
        rest = np.delete(onward, a)
        best = min(best, float(to[a] + rest.min())) if rest.size else best
    return best
