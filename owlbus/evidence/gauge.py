"""Candidates for one route, valued exactly against the rest of a plan without counting the plan anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.plan import Plan, Route, limit_rows, plan_measures
from owlbus.search.travel_time_objective import refuse_travel_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

SLACK_S = 300
"""Seconds of round trip that a way may take longer than the quickest one: without a bound the best way is a tour of the city."""

_SPARE = 24


@dataclass(frozen=True, slots=True, eq=False)
class RouteChange:
    """
    One route, changed.

    Attributes
    ----------
    route
        Its place in the plan.
    stops
        Stop indices, shape (n,), int32.
    value
        Objective of the plan with it, in 1/1024.
    length_m
        One-way metres, the longer direction.
    cycle_s
        Seconds there and back.
    """

    route: int
    stops: NDArray[np.int32]
    value: int
    length_m: int
    cycle_s: int


class RouteEvaluator:
    """
    Values of plans that differ from a given one in a single route.

    Not for users: it changes its work space in place.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What counts.
    plan
        The plan to change.
    limits
        What changed routes must keep; where the plan breaks a limit already, a change must not make it worse. None for no limits.
    """

    def __init__(self, problem: Problem, objective: Objective, plan: Plan, limits: RouteLimits | None = None) -> None:
        """Allocate once for routes a little longer than the longest."""
        from owlbus.kernels.coverage import new_other_routes, new_scratch

        refuse_travel_time(objective, "a change of a plan")
        self.problem = problem
        self.objective = objective
        self.plan = plan
        self.limits = limits
        network = problem.network
        longest = max((route.n_stops for route in plan.routes), default=2)
        self.width = 2 * longest + _SPARE
        self.routes = problem.pad(plan, width=self.width)
        widest = int(np.diff(network.shed_indptr).max(initial=1))
        entries = self.width * widest
        self._other_routes = new_other_routes(network.n_stops, problem.n_rows, max(1, len(plan.routes)), entries, problem.pair_quanta.shape)
        self._scratch = new_scratch(problem.n_rows, entries, self.width)
        self._out = np.zeros(self.width, np.int32)
        self._running = (np.zeros(self.width, np.float32), np.zeros(self.width, np.float32))
        self._banned = np.zeros(network.n_stops, np.uint8)
        self._transfers = min(objective.max_transfers, problem.rule.max_transfers)
        self.value = problem.value(plan, objective)
        headway_s = HEADWAY_S if limits is None else limits.headway_s
        self.now = plan_measures(problem.network, plan, headway_s)
        self._drive = problem.drive()
        self._bounds = None if limits is None else limit_rows(limits, plan.names, self.now)
        self._left_out = -1
        self._own = 0

    def leave_out(self, k: int) -> None:
        """Value candidates for the route in place `k` from now on."""
        from owlbus.kernels.coverage import prepare_other_routes

        if k == self._left_out:
            return
        prepare_other_routes(self.problem.graph, self.routes, self._other_routes, k, float(self.problem.rule.transfer_s))
        self._left_out = k
        now = self.routes
        self._own = self._gain(now.stops[k], int(now.n_stops[k]), now.ahead_s[k], now.back_s[k])

    def candidate(self, k: int, stops: NDArray[np.int32]) -> RouteChange | None:
        """
        Value a changed route.

        Parameters
        ----------
        k
            Its place in the plan.
        stops
            Its new stops, linked in a row, shape (n,).

        Returns
        -------
        RouteChange or None
            None if it breaks a limit; metres and seconds as on the network.
        """
        n, metres = len(stops), self._measure(stops)
        if not self._keeps(k, n, metres):
            return None
        self.leave_out(k)
        gain = self._gain(self._out, n, *self._running)
        cycle_s = int(self._running[0][n - 1] + self._running[1][n - 1])
        return RouteChange(k, np.array(stops, np.int32), self.value - self._own + gain, max(metres), cycle_s)

    def splice(self, k: int, i: int, j: int, via: int = -1, shut: int = -1) -> NDArray[np.int32] | None:
        """
        Join the places `i` and `j` of a route anew.

        Parameters
        ----------
        k
            The route's place in the plan.
        i, j, via, shut
            As in `owlbus.kernels.splice.splice`.

        Returns
        -------
        ndarray of int32 or None
            The new stops; None if there is no way.
        """
        from owlbus.kernels.splice import splice

        stops, counts = self.routes.stops, self.routes.n_stops
        out = np.zeros(self.width, np.int32)
        n = splice(self.problem.graph, self.problem.network.drive_s, stops[k], int(counts[k]), i, j, via, shut, out, self._banned)
        return out[:n].copy() if n > 1 else None

    def splices(self, k: int, windows: Iterator[tuple[int, int]], via: int = -1, shut: int = -1) -> Iterator[RouteChange]:
        """
        Value a route that is joined anew over each of some windows.

        Parameters
        ----------
        k
            The route's place in the plan.
        windows
            Pairs of places that stay.
        via, shut
            As in `splice`.

        Yields
        ------
        RouteChange
            Those that can be joined and keep the limits.
        """
        seen = set()
        for i, j in windows:
            stops = self.splice(k, i, j, via, shut)
            if stops is None or stops.tobytes() in seen:
                continue
            seen.add(stops.tobytes())
            found = self.candidate(k, stops)
            if found is not None:
                yield found

    def plan_with(self, candidate: RouteChange) -> Plan:
        """Return the plan with a candidate in its route's place."""
        routes = list(self.plan.routes)
        routes[candidate.route] = Route(candidate.stops, routes[candidate.route].name)
        return Plan(tuple(routes), self.plan.network_fingerprint)

    def extra_s(self, candidate: RouteChange) -> int:
        """Return the seconds that a candidate's round trip takes longer."""
        return candidate.cycle_s - int(self.now.cycle_s[candidate.route])

    def best(self, found: Iterable[RouteChange], slack_s: int = SLACK_S) -> RouteChange | None:
        """Return the worthiest candidate among those at most `slack_s` seconds longer than the quickest; the quickest on a tie."""
        every = list(found)
        quickest = min((self.extra_s(one) for one in every), default=0)
        near = (one for one in every if self.extra_s(one) <= quickest + slack_s)
        return min(near, key=lambda one: (-one.value, self.extra_s(one), one.route, one.stops.tobytes()), default=None)

    def _gain(self, stops: NDArray[np.int32], n: int, ahead_s: NDArray[np.float32], back_s: NDArray[np.float32]) -> int:
        from owlbus.kernels.coverage import route_gain

        served, people = route_gain(
            self.problem.graph,
            self.problem.demand_rows,
            self.routes,
            self._other_routes,
            stops,
            n,
            ahead_s,
            back_s,
            self._scratch,
            self._transfers,
        )
        return int(self.objective.trips * served + self.objective.presence * people)

    def _measure(self, stops: NDArray[np.int32]) -> tuple[int, int]:
        """Return metres of each direction, and fill stops and running seconds."""
        from owlbus.kernels.coverage import measure_route

        n = len(stops)
        self._out[:n] = stops
        ahead_m, back_m = measure_route(self.problem.graph, self._out, n, *self._running)
        return int(ahead_m), int(back_m)

    def _keeps(self, k: int, n: int, metres: tuple[int, int]) -> bool:
        """Whether the route that was measured keeps the limits in place `k`, or breaks them no further than now."""
        from owlbus.kernels.limits import keeps_limits

        if self._bounds is None:
            return True
        ahead_s, back_s = (running[n - 1] for running in self._running)
        other_m = float(self.now.longer_length_m.sum() - self.now.longer_length_m[k])
        other_buses = float(self.now.buses.sum() - self.now.buses[k])
        return bool(keeps_limits(self._drive, self._bounds, k, self._out, n, ahead_s, back_s, metres, other_m, other_buses))


def windows_around(p: int, n: int, reach: int) -> Iterator[tuple[int, int]]:
    """
    Pairs of places before and after a place, near ones first.

    Parameters
    ----------
    p
        The place that goes.
    n
        Stops on the route.
    reach
        Most places on each side.

    Yields
    ------
    tuple of int
        Places that stay; -1 or `n` stand for a route that begins or ends anew.

    Examples
    --------
    >>> list(windows_around(2, 4, 1))
    [(1, 3)]
    """
    pairs = [
        (i, j)
        for i in range(max(-1, p - reach), p)
        for j in range(p + 1, min(n, p + reach) + 1)
        if (i >= 0 or p == 0) and (j < n or p == n - 1)
    ]
    yield from sorted(pairs, key=lambda pair: (pair[1] - pair[0], abs(pair[0] + pair[1] - 2 * p), pair))
