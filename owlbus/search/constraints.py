"""Hard constraints of a plan beyond its limits, and whether any plan can keep them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only, read_only_copy
from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.kernels.group_reach import no_groups
from owlbus.kernels.structs import Constraints
from owlbus.network import UNREACHABLE
from owlbus.network.latin_names import display_name
from owlbus.plan import check_plan, plan_measures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.kernels.structs import Graph
    from owlbus.network import Network
    from owlbus.plan import Plan, Route
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.group_presence import GroupPresence
    from owlbus.search.problem import Problem
    from owlbus.search.result import Result


@dataclass(frozen=True, slots=True, eq=False)
class PlanConstraints:
    """
    Constraints of a plan beyond its limits; none by default.

    Attributes
    ----------
    fixed
        Routes that stay as they are, the first of the plan; they count towards all routes, kilometres and buses, and their own length
        is not held against the limits of a route.
    required
        Stop indices at which some route calls.
    hubs
        Stop indices, each with the number of routes that call there at least.
    forbidden
        Stop indices at which no route calls, and which none passes.
    forbidden_links
        Pairs of linked stop indices between which no route rides, in either direction.
    depots
        Stop indices at which alone routes begin and end; any if empty.
    terminals
        Names of routes, each with both of its terminals as stop indices, or with -1 for any in place of the second.
    groups
        Groups of hexes, such as districts, with the least share of their people within the walk of a stop, 0 to 1.

    Examples
    --------
    >>> PlanConstraints().is_empty, PlanConstraints(hubs=((4, 3),)).wanted
    (True, {4: 3})
    """

    fixed: Plan | None = None
    required: tuple[int, ...] = ()
    hubs: tuple[tuple[int, int], ...] = ()
    forbidden: tuple[int, ...] = ()
    forbidden_links: tuple[tuple[int, int], ...] = ()
    depots: tuple[int, ...] = ()
    terminals: tuple[tuple[str, int, int], ...] = ()
    groups: tuple[GroupPresence, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no constraint."""
        others = (self.required, self.hubs, self.forbidden, self.forbidden_links, self.depots, self.terminals, self.groups)
        return not self.n_fixed and not any(others)

    @property
    def binds_stops(self) -> bool:
        """Whether stops, depots or terminals are constrained."""
        return bool(self.required or self.hubs or self.depots or self.terminals)

    @property
    def n_fixed(self) -> int:
        """Number of fixed routes."""
        return 0 if self.fixed is None else len(self.fixed)

    @property
    def wanted(self) -> dict[int, int]:
        """Number of routes that call at each required stop and hub at least, by stop index."""
        least = dict.fromkeys(self.required, 1)
        for stop, count in self.hubs:
            least[stop] = max(count, least.get(stop, 0))
        return dict(sorted(least.items()))

    def names(self) -> dict[int, str]:
        """Return the names of fixed routes and of those with terminals, by their index in the plan; the others are numbered."""
        fixed = () if self.fixed is None else self.fixed.names
        return dict(enumerate((*fixed, *(name for name, _, _ in self.terminals))))

    def to_dict(self) -> dict[str, Any]:
        """Return the constraints for JSON, stops by index; empty ones are left out."""
        values = {
            "fixed": {route.name: route.stops.tolist() for route in self._fixed_routes()},
            "required": list(self.required),
            "hubs": [list(pair) for pair in self.hubs],
            "forbidden": list(self.forbidden),
            "forbidden_links": [list(pair) for pair in self.forbidden_links],
            "depots": list(self.depots),
            "terminals": [list(row) for row in self.terminals],
            "groups": [group.to_dict() for group in self.groups],
        }
        return {name: value for name, value in values.items() if value}

    def counted(self, demand: Demand) -> PlanConstraints:
        """
        Constraints whose groups have people.

        Parameters
        ----------
        demand
            People a night by hex; without the weights that a search gives them.

        Returns
        -------
        PlanConstraints
            `self` where there are no groups.

        Raises
        ------
        DataError
            If the labels of a group do not name every hex, or no group of theirs has people.
        """
        return replace(self, groups=tuple(group.counted(demand) for group in self.groups)) if self.groups else self

    def is_kept_on(self, network: Network) -> Callable[[Plan], bool] | None:
        """
        Whether plans keep the constraints, where a search may end with one that does not.

        Parameters
        ----------
        network
            Network of the plans.

        Returns
        -------
        callable or None
            Takes a plan; None where every search ends with a plan that keeps them.
        """
        return (lambda plan: not self.broken(network, plan)) if self.groups else None

    def require_met(self, network: Network, result: Result) -> Result:
        """
        Refuse a plan that reaches too few people of a group: a search can end before it has found one that reaches enough.

        Parameters
        ----------
        network
            The plan's network.
        result
            Result of a search.

        Returns
        -------
        Result
            `result`.

        Raises
        ------
        InfeasibleError
            If a group has a share of people within the walk of a stop, by area, below the least one.
        """
        for group in self.groups:
            if missed := group.missed(network, result.plan):
                raise InfeasibleError(missed, setting="least_share", value=group.least_share, allowed=(0, 1))
        return result

    def problem(self, problem: Problem) -> Problem:
        """
        Problem without the forbidden links; the ride limits of trips stay the same.

        Parameters
        ----------
        problem
            Network, demand and rule.

        Returns
        -------
        Problem
            On the same network and stops; `problem` itself where nothing is forbidden, or is left out already.
        """
        if not self.forbidden and not self.forbidden_links:
            return problem
        from owlbus.network.drive_times import drive_matrix

        graph = problem.graph
        kept = ~self._is_forbidden_link(graph)
        if kept.all():
            return problem
        below = np.concatenate([[0], np.cumsum(kept)])
        graph = graph._replace(
            link_indptr=read_only_copy(below[graph.link_indptr].astype(graph.link_indptr.dtype)),
            link_to=read_only_copy(graph.link_to[kept]),
            link_s=read_only_copy(graph.link_s[kept]),
            link_m=read_only_copy(graph.link_m[kept]),
        )
        drive_s = read_only(drive_matrix(graph.link_indptr, graph.link_to, graph.link_s, int(UNREACHABLE)))
        return replace(problem, graph=graph, drive_s=drive_s)

    def broken_by_fixed(self, network: Network, limits: RouteLimits) -> tuple[str, ...]:
        """
        Limits of a route that fixed routes break; they stay as they are, and all other routes keep the limits.

        Parameters
        ----------
        network
            The network of the fixed routes.
        limits
            What all other routes keep, in metres and seconds.

        Returns
        -------
        tuple of str
            One line a limit, with the route, its value and the bound; empty if they keep all.
        """
        alone = replace(limits, max_total_length_m=math.inf, max_buses=math.inf)
        return () if self.fixed is None else check_plan(network, self.fixed, alone, simple=False)

    def arrays(self, network: Network, n_routes: int, attraction: NDArray[np.float64]) -> Constraints:
        """
        Constraints as `owlbus.kernels.route_constraints` takes them.

        Parameters
        ----------
        network
            S stops.
        n_routes
            Routes K.
        attraction
            Running sum of how much each stop attracts a route, dimensionless, shape (S,).

        Returns
        -------
        Constraints
            Where routes may end, what they must call at, and their terminals; without groups.
        """
        may_end = np.ones(network.n_stops, np.uint8)
        if self.depots:
            may_end[:] = 0
            may_end[list(self.depots)] = 1
        may_end[list(self.forbidden)] = 0
        ends = np.full((n_routes, 2), -1, np.int32)
        for k, (_, first, second) in enumerate(self.terminals, start=self.n_fixed):
            ends[k] = first, second
        end_attraction = attraction if may_end.all() else np.cumsum(np.where(may_end, np.diff(attraction, prepend=0.0), 0.0))
        return Constraints(
            may_end, end_attraction, np.array(list(self.wanted.items()), np.int32).reshape(-1, 2), ends, no_groups(network.n_stops)
        )

    def broken(self, network: Network, plan: Plan) -> tuple[str, ...]:
        """
        Constraints that a plan does not keep, in words.

        Parameters
        ----------
        network
            The plan's network.
        plan
            The plan.

        Returns
        -------
        tuple of str
            One line a constraint, stops by name or index; empty if the plan keeps all.
        """
        free = plan.routes[self.n_fixed :]
        return (
            *(line for k, route in enumerate(self._fixed_routes()) for line in _changed(plan, k, route)),
            *(
                f"{network_name(network, stop)} is called at by {calls} of the {least} routes required"
                for stop, least in self.wanted.items()
                if (calls := sum(stop in route.stops for route in plan)) < least
            ),
            *(line for route in plan for line in self.forbidden_uses(network, route)),
            *(line for route in free for line in self.ends_off_depots(network, route)),
            *self.missed_terminals(network, plan),
            *(line for group in self.groups for line in group.broken(network, plan)),
        )

    def _fixed_routes(self) -> tuple[Route, ...]:
        return () if self.fixed is None else self.fixed.routes

    def _is_forbidden_link(self, graph: Graph) -> NDArray[np.bool_]:
        """Whether each link is forbidden, shape (n_links,)."""
        n_stops = graph.link_indptr.size - 1
        tail = np.repeat(np.arange(n_stops), np.diff(graph.link_indptr))
        stops = np.zeros(n_stops, np.bool_)
        stops[list(self.forbidden)] = True
        pairs = np.array([key for a, b in self.forbidden_links for key in (a * n_stops + b, b * n_stops + a)], np.int64)
        keys = tail * np.int64(n_stops) + graph.link_to
        is_forbidden: NDArray[np.bool_] = stops[tail] | stops[graph.link_to] | np.isin(keys, pairs)
        return is_forbidden

    def forbidden_uses(self, network: Network, route: Route) -> Iterator[str]:
        """
        Yield the forbidden stops and links that a route uses.

        Parameters
        ----------
        network
            The stop network.
        route
            A route on it.

        Yields
        ------
        str
            One line a stop or link, by name or index.
        """
        for stop in np.intersect1d(route.stops, self.forbidden).tolist():
            yield f"route {route.name} passes {network_name(network, stop)}, which is forbidden"
        ridden = {frozenset(pair) for pair in zip(route.stops[:-1].tolist(), route.stops[1:].tolist(), strict=True)}
        for a, b in self.forbidden_links:
            if frozenset((a, b)) in ridden:
                yield f"route {route.name} rides from {network_name(network, a)} to {network_name(network, b)}, which is forbidden"

    def ends_off_depots(self, network: Network, route: Route) -> Iterator[str]:
        """
        Yield terminals of a route that are no depots.

        Parameters
        ----------
        network
            The stop network.
        route
            A route on it.

        Yields
        ------
        str
            One line a terminal, by name or index.
        """
        for stop in route.stops[[0, -1]].tolist():
            if self.depots and stop not in self.depots:
                yield f"route {route.name} ends at {network_name(network, stop)}, which is no depot"

    def missed_terminals(self, network: Network, plan: Plan) -> Iterator[str]:
        """
        Yield terminals that named routes do not have.

        Parameters
        ----------
        network
            The stop network.
        plan
            A plan on it.

        Yields
        ------
        str
            One line a terminal, by name or index.
        """
        for name, first, second in self.terminals:
            ends = plan.routes[plan.names.index(name)].stops[[0, -1]].tolist() if name in plan.names else []
            for stop in (first, second):
                if stop >= 0 and stop not in ends:
                    yield f"route {name} does not end at {network_name(network, stop)}"


def network_name(network: Network, stop: int) -> str:
    """
    Name of a stop, or its index.

    Parameters
    ----------
    network
        The stop network.
    stop
        Stop index.

    Returns
    -------
    str
        In words, as `display_name` shows it to readers of English.
    """
    return display_name(network, stop)


def _changed(plan: Plan, k: int, route: Route) -> Iterator[str]:
    """Yield a line if a fixed route is not in its place."""
    if k >= len(plan) or not np.array_equal(plan.routes[k].stops, route.stops):
        yield f"route {route.name} is fixed, and changed"


_FEWEST_DEPOTS = 2


def require_possible(problem: Problem, constraints: PlanConstraints, n_routes: int, limits: RouteLimits) -> None:
    """
    Refuse constraints that contradict each other, or that no route within the limits can keep.

    Parameters
    ----------
    problem
        Network and demand, without what is forbidden.
    constraints
        The constraints.
    n_routes
        Routes K of the plan, fixed ones included.
    limits
        What routes and plan must keep, in metres and seconds.

    Raises
    ------
    UsageError
        If a stop or link is not of the network, or a route is named twice.
    InfeasibleError
        If a constraint cannot be kept.
    """
    _require_known(problem.network, constraints)
    network = problem.network
    checks = (_counts(constraints, n_routes), _contradictions(network, constraints), _fixed_budget(network, constraints, n_routes, limits))
    conflict = next(chain.from_iterable((*checks, _beyond_reach(network, constraints))), None)
    if conflict is None and (constraints.wanted or constraints.depots or constraints.terminals):
        conflict = next(_Reachability(problem, constraints, limits).conflicts(), None)
    if conflict is not None:
        raise InfeasibleError(conflict)


def _require_known(network: Network, constraints: PlanConstraints) -> None:
    """Refuse stops and links that the network lacks, and names that repeat."""
    named = (*constraints.wanted, *constraints.forbidden, *constraints.depots)
    ends = (stop for _, first, second in constraints.terminals for stop in (first, second) if stop != -1)
    link_ends = (stop for pair in constraints.forbidden_links for stop in pair)
    for stop in (*named, *ends, *link_ends):
        if not 0 <= stop < network.n_stops:
            msg = f"stop {stop}: the network has stops 0 to {network.n_stops - 1}; name one of them"
            raise UsageError(msg)
    for a, b in constraints.forbidden_links:
        if b not in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]:
            msg = f"{network_name(network, a)} and {network_name(network, b)} are not linked, so there is nothing to forbid between them"
            raise UsageError(msg)
    names = list(constraints.names().values())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"route {twice[0]} is named twice; give each route one name"
        raise UsageError(msg)
    too_few = [stop for stop, least in constraints.hubs if least < 1]
    if too_few:
        msg = f"a hub needs at least 1 route, got fewer for {network_name(network, too_few[0])}"
        raise UsageError(msg)


def _counts(constraints: PlanConstraints, n_routes: int) -> Iterator[str]:
    """Yield why the constraints need more routes than there are."""
    if constraints.n_fixed > n_routes:
        yield f"{constraints.n_fixed} routes are fixed, and the plan has {n_routes}; ask for more routes"
    elif constraints.n_fixed + len(constraints.terminals) > n_routes:
        needed = f"{constraints.n_fixed} fixed routes and {len(constraints.terminals)} with given terminals"
        yield f"{needed} are more than the {n_routes} of the plan; ask for more routes"


def _contradictions(network: Network, constraints: PlanConstraints) -> Iterator[str]:
    """Yield constraints that exclude each other."""
    forbidden = set(constraints.forbidden)
    for what, stops in (("required", constraints.wanted), ("a depot", constraints.depots)):
        for stop in forbidden.intersection(stops):
            yield f"{network_name(network, stop)} is {what} and forbidden; drop one of the constraints"
    for name, *ends in constraints.terminals:
        for stop in ends:
            if stop in forbidden:
                yield f"route {name} ends at {network_name(network, stop)}, which is forbidden; drop one of the constraints"
            elif stop >= 0 and constraints.depots and stop not in constraints.depots:
                yield f"route {name} ends at {network_name(network, stop)}, which is no depot; name it as one"
    for route in constraints.fixed or ():
        yield from (f"fixed {line}; drop one of the constraints" for line in constraints.forbidden_uses(network, route))


def _beyond_reach(network: Network, constraints: PlanConstraints) -> Iterator[str]:
    """Yield groups of which all stops together reach too few people."""
    stops = np.setdiff1d(np.arange(network.n_stops), constraints.forbidden)
    yield from (line for group in constraints.groups if (line := group.cannot(network, stops)))


def _fixed_budget(network: Network, constraints: PlanConstraints, n_routes: int, limits: RouteLimits) -> Iterator[str]:
    """Yield budgets that fixed routes use up."""
    if constraints.fixed is None:
        return
    measures = plan_measures(network, constraints.fixed, limits.headway_s)
    if measures.total_length_m > limits.max_total_length_m:
        used, allowed = measures.total_length_m / 1000, limits.max_total_length_m / 1000
        yield f"the fixed routes run {used:.1f} km one way, allowed are {allowed:g} km for all routes; fix fewer or allow more"
    left = limits.max_buses - measures.total_buses
    if left < n_routes - constraints.n_fixed:
        more = f"{n_routes - constraints.n_fixed} further routes need at least as many"
        yield f"the fixed routes take {measures.total_buses} of {limits.max_buses:g} buses, and {more}; fix fewer or allow more"


class _Reachability:
    """Shortest paths that free routes can take, in metres and seconds."""

    def __init__(self, problem: Problem, constraints: PlanConstraints, limits: RouteLimits) -> None:
        self.network, self.constraints, self.limits = problem.network, constraints, limits
        self.graph = problem.graph
        self.ends = np.array(
            [stop for stop in (constraints.depots or range(problem.network.n_stops)) if stop not in constraints.forbidden], np.int64
        )

    def conflicts(self) -> Iterator[str]:
        """Yield constraints that no route within the limits can keep."""
        yield from self._depots()
        for name, first, second in self.constraints.terminals:
            if second >= 0:
                yield from self._terminal(name, first, second)
        fixed = () if self.constraints.fixed is None else self.constraints.fixed.routes
        for stop, least in self.constraints.wanted.items():
            calls = sum(stop in route.stops for route in fixed)
            if calls < least:
                yield from self._call(stop)

    def _depots(self) -> Iterator[str]:
        """Yield why no route can run between two depots."""
        if not self.constraints.depots:
            return
        if np.unique(self.ends).size < _FEWEST_DEPOTS:
            yield "a route has two terminals, and there is only one depot; name another one"
            return
        for cost, bound, unit, scale in self._measures():
            distance = np.maximum(self._from(self.ends, cost)[:, self.ends], self._from(self.ends, cost)[:, self.ends].T)
            np.fill_diagonal(distance, math.inf)
            first, second = np.unravel_index(np.argmin(distance), distance.shape)
            if distance[first, second] > bound:
                names = " and ".join(network_name(self.network, int(self.ends[k])) for k in (first, second))
                what = f"no route can run between two depots ({names} are nearest)"
                yield self._out_of_reach(what, distance[first, second], bound, unit, scale)

    def _terminal(self, name: str, first: int, second: int) -> Iterator[str]:
        """Yield why a route cannot run between its terminals."""
        for cost, bound, unit, scale in self._measures():
            ends = np.array([first, second])
            distance = self._from(ends, cost)
            least = max(distance[0, second], distance[1, first])
            if least > bound:
                yield self._out_of_reach(
                    f"route {name} cannot reach terminal {network_name(self.network, second)}", least, bound, unit, scale
                )

    def _call(self, stop: int) -> Iterator[str]:
        """Yield why no route can call at a stop."""
        for cost, bound, unit, scale in self._measures():
            ahead, back = (self._from(np.array([stop]), cost, reverse=reverse)[0][self.ends] for reverse in (False, True))
            least = min(_least_through(ahead, back), _least_through(back, ahead))
            if least > bound:
                yield self._out_of_reach(f"no route can call at {network_name(self.network, stop)}", least, bound, unit, scale)

    def _measures(self) -> Iterable[tuple[NDArray[np.int32], float, str, float]]:
        """Cost of each link, bound, name of the unit in messages, and cost units per that unit."""
        return (self.graph.link_m, self.limits.max_length_m, "km", 1000), (self.graph.link_s, self.limits.max_ride_s, "minutes", 60)

    def _from(self, stops: NDArray[np.int64], cost: NDArray[np.int32], *, reverse: bool = False) -> NDArray[np.float64]:
        """Shortest cost from some stops to all, or from all to them, shape (n, S)."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        n = self.network.n_stops
        graph = csr_array((cost.astype(np.float64), self.graph.link_to, self.graph.link_indptr), shape=(n, n))
        distances: NDArray[np.float64] = dijkstra(graph.T.tocsr() if reverse else graph, indices=stops)
        return distances

    def _out_of_reach(self, what: str, least: float, bound: float, unit: str, scale: float) -> str:
        """Return a line with what is needed and what is allowed."""
        allowed = f"{bound / scale:g} {unit}"
        if not least < UNREACHABLE:
            return f"{what} within {allowed}: no allowed link leads there; forbid less"
        shortest = "shortest" if unit == "km" else "fastest"
        return f"{what} within {allowed}: {shortest} is {math.ceil(10 * least / scale) / 10:.1f} {unit}; allow more, or require less"


def _least_through(to: NDArray[np.float64], onward: NDArray[np.float64]) -> float:
    """Least sum of a path from one end to a stop and a path on to another end."""
    best = math.inf
    first = np.argsort(to, kind="stable")[:2]
    for a in first.tolist():
        others = np.delete(onward, a)
        best = min(best, float(to[a] + others.min())) if others.size else best
    return best
