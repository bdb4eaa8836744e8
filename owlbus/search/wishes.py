"""What a plan is wished to be besides keeping limits: fixed routes, stops to call at and to leave alone, depots, hubs, terminals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.arrays import owned
from owlbus.network import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.limits import RouteLimits
    from owlbus.network import Network
    from owlbus.plan import Plan, Route
    from owlbus.search.objective import Case


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """
    What a plan is wished to be; nothing by default.

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

    Examples
    --------
    >>> Wishes().is_empty, Wishes(hubs=((4, 3),)).wanted
    (True, {4: 3})
    """

    fixed: Plan | None = None
    required: tuple[int, ...] = ()
    hubs: tuple[tuple[int, int], ...] = ()
    forbidden: tuple[int, ...] = ()
    forbidden_links: tuple[tuple[int, int], ...] = ()
    depots: tuple[int, ...] = ()
    terminals: tuple[tuple[str, int, int], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wished for."""
        rest = (self.required, self.hubs, self.forbidden, self.forbidden_links, self.depots, self.terminals)
        return not self.n_fixed and not any(rest)

    @property
    def binds_places(self) -> bool:
        """Whether stops, depots or terminals are wished for, which moves of whole routes do not look at."""
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
        """Return the wishes for JSON, stops by index; what is not wished for is left out."""
        values = {
            "fixed": {route.name: route.stops.tolist() for route in self._fixed_routes()},
            "required": list(self.required),
            "hubs": [list(pair) for pair in self.hubs],
            "forbidden": list(self.forbidden),
            "forbidden_links": [list(pair) for pair in self.forbidden_links],
            "depots": list(self.depots),
            "terminals": [list(row) for row in self.terminals],
        }
        return {name: value for name, value in values.items() if value}

    def case(self, case: Case) -> Case:
        """
        Case without the links that are forbidden; what trips accept stays as it is.

        Parameters
        ----------
        case
            Network, demand and rule.

        Returns
        -------
        Case
            On the same network and stops; `case` itself where nothing is forbidden.
        """
        if not self.forbidden and not self.forbidden_links:
            return case
        from owlbus.network.drive import all_pairs

        kept = ~self._shut(case.network)
        indptr, links = case.graph[0], tuple(owned(column[kept]) for column in case.graph[1:4])
        below = np.concatenate([[0], np.cumsum(kept)])
        indptr = owned(below[indptr].astype(indptr.dtype))
        drive_s = owned(all_pairs(indptr, links[0], links[1], int(UNREACHABLE)))
        return replace(case, graph=(indptr, *links, *case.graph[4:]), drive_s=drive_s)

    def loosened(self, limits: RouteLimits, network: Network) -> RouteLimits:
        """
        Limits that fixed routes keep too, for a bound on plans that hold them.

        Parameters
        ----------
        limits
            Limits of all other routes.
        network
            The network of the fixed routes.

        Returns
        -------
        RouteLimits
            With metres, seconds, stops and circuity of fixed routes where those are more, and the least ones where they are less.
        """
        if self.fixed is None or not self.n_fixed:
            return limits
        from owlbus.plan import plan_measures

        measured = plan_measures(network, self.fixed, limits.headway_s)
        return replace(
            limits,
            max_length_m=max(limits.max_length_m, int(measured.length_m.max()), int(measured.length_back_m.max())),
            max_ride_s=max(limits.max_ride_s, int(measured.ride_s.max()), int(measured.ride_back_s.max())),
            max_stops=max(limits.max_stops, *(len(route.stops) for route in self.fixed.routes)),
            max_circuity=max(limits.max_circuity, float(measured.circuity.max())),
            min_length_m=min(limits.min_length_m, int(measured.length_m.min()), int(measured.length_back_m.min())),
            min_stops=min(limits.min_stops, *(len(route.stops) for route in self.fixed.routes)),
        )

    def arrays(self, network: Network, n_routes: int, pull: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """
        Wishes as `owlbus.kernels.wishes` takes them.

        Parameters
        ----------
        network
            S stops.
        n_routes
            Routes K.
        pull
            Running sum of how much each stop attracts a route, shape (S,).

        Returns
        -------
        tuple of ndarray
            Where routes may end (S,), how much each stop attracts a terminal (S,), wanted stops (R, 2), and terminals (K, 2).
        """
        may_end = np.ones(network.n_stops, np.uint8)
        if self.depots:
            may_end[:] = 0
            may_end[list(self.depots)] = 1
        may_end[list(self.forbidden)] = 0
        ends = np.full((n_routes, 2), -1, np.int32)
        for k, (_, one, two) in enumerate(self.terminals, start=self.n_fixed):
            ends[k] = one, two
        end_pull = pull if may_end.all() else np.cumsum(np.where(may_end, np.diff(pull, prepend=0.0), 0.0))
        return may_end, end_pull, np.array(list(self.wanted.items()), np.int32).reshape(-1, 2), ends

    def broken(self, network: Network, plan: Plan) -> tuple[str, ...]:
        """
        Wishes that a plan does not keep: the checker beside the maker.

        Parameters
        ----------
        network
            The plan's network.
        plan
            The plan.

        Returns
        -------
        tuple of str
            One line a wish, stops by name or index; empty if it keeps all.
        """
        free = plan.routes[self.n_fixed :]
        return (
            *(line for k, route in enumerate(self._fixed_routes()) for line in _changed(plan, k, route)),
            *(
                f"{network_name(network, stop)} is called at by {calls} of the {least} routes wished for"
                for stop, least in self.wanted.items()
                if (calls := sum(stop in route.stops for route in plan)) < least
            ),
            *(line for route in plan for line in self.trespasses(network, route)),
            *(line for route in free for line in self.foreign_ends(network, route)),
            *self.missed_terminals(network, plan),
        )

    def _fixed_routes(self) -> tuple[Route, ...]:
        return () if self.fixed is None else self.fixed.routes

    def _shut(self, network: Network) -> NDArray[np.bool_]:
        """Whether each link is forbidden, shape (n_links,)."""
        tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
        stops = np.zeros(network.n_stops, np.bool_)
        stops[list(self.forbidden)] = True
        pairs = np.array([key for a, b in self.forbidden_links for key in (a * network.n_stops + b, b * network.n_stops + a)], np.int64)
        shut: NDArray[np.bool_] = stops[tail] | stops[network.link_to] | np.isin(tail * np.int64(network.n_stops) + network.link_to, pairs)
        return shut

    def trespasses(self, network: Network, route: Route) -> Iterator[str]:
        """
        Yield where a route goes though it must not.

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

    def foreign_ends(self, network: Network, route: Route) -> Iterator[str]:
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
        for name, one, two in self.terminals:
            ends = plan.routes[plan.names.index(name)].stops[[0, -1]].tolist() if name in plan.names else []
            for stop in (one, two):
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
        In words.
    """
    return network.stop_names[stop] or f"stop {stop}"


def _changed(plan: Plan, k: int, route: Route) -> Iterator[str]:
    """Yield a line if a fixed route is not in its place."""
    if k >= len(plan) or not np.array_equal(plan.routes[k].stops, route.stops):
        yield f"route {route.name} is fixed, and changed"
