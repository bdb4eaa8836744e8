"""The value of a plan with one route changed, exact, without counting the plan anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import EXACT
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.kernels.coverage import measure_route, new_other_routes, new_scratch, prepare_other_routes, route_gain
from owlbus.kernels.keeps_limits import keeps_limits
from owlbus.kernels.splice_windows import splice_windows
from owlbus.kernels.structs import Candidate
from owlbus.plan import Plan, Route, limit_rows, plan_measures
from owlbus.plan.limits import RouteLimits
from owlbus.search.travel_time_objective import refuse_journeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from owlbus.kernels.structs import OtherRoutes, Routes
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

SLACK_S = 300
"""Seconds by which a round trip may exceed the shortest one: without a bound the most valuable detour is a tour of the city."""

_SPARE_POSITIONS = 24


@dataclass(frozen=True, slots=True, eq=False)
class RouteChange:
    """
    One route, changed.

    Attributes
    ----------
    route
        Its row in the plan.
    stops
        Stop indices, shape (n,), int32.
    value
        Objective of the plan with it, in 1/1024.
    length_m
        One-way metres, the longer direction.
    cycle_s
        Seconds of a round trip.
    """

    route: int
    stops: NDArray[np.int32]
    value: int
    length_m: int
    cycle_s: int


@dataclass(frozen=True, slots=True, eq=False)
class RouteGains:
    """
    What a route adds to the other routes of a plan; the workspace changes in place.

    Attributes
    ----------
    problem
        Network, demand and rule.
    objective
        What counts.
    routes
        Routes of the plan.
    other_routes, candidate
        Workspace, as `new_workspace` makes it.
    """

    problem: Problem
    objective: Objective
    routes: Routes
    other_routes: OtherRoutes
    candidate: Candidate

    @property
    def max_transfers(self) -> int:
        """Transfers that a served trip may need, 0 or 1."""
        return min(self.objective.max_transfers, self.problem.rule.max_transfers)

    def leave_out(self, k: int) -> None:
        """Make the routes but route `k` the other routes."""
        prepare_other_routes(self.problem.graph, self.routes, self.other_routes, k, float(self.problem.rule.transfer_s))

    def measure(self, stops: NDArray[np.int32]) -> tuple[int, int]:
        """Metres of `stops` in each direction; the candidate then holds the running seconds."""
        ahead_m, back_m = measure_route(self.problem.graph, stops, stops.size, self.candidate.ahead_s, self.candidate.back_s)
        return int(ahead_m), int(back_m)

    def seconds(self, n: int) -> tuple[float, float]:
        """Seconds in each direction of the measured route of `n` stops."""
        return self.candidate.ahead_s[n - 1], self.candidate.back_s[n - 1]

    def gain(self, stops: NDArray[np.int32]) -> int:
        """Objective that a route over `stops` adds to the other routes, in 1/1024; limits are not checked."""
        if not stops.size:
            return 0
        self.measure(stops)
        trips, people = route_gain(
            self.problem.graph,
            self.problem.demand_rows,
            self.routes,
            self.other_routes,
            stops,
            stops.size,
            self.candidate.ahead_s,
            self.candidate.back_s,
            self.candidate.scratch,
            self.max_transfers,
        )
        return self.objective.trips * int(trips) + self.objective.presence * int(people)


def new_workspace(problem: Problem, n_routes: int, width: int) -> tuple[OtherRoutes, Candidate]:
    """
    Workspace of `RouteGains`.

    Parameters
    ----------
    problem
        Network and demand.
    n_routes
        Routes K.
    width
        Most stops of a route.

    Returns
    -------
    other_routes, candidate
        Arrays that kernels fill.
    """
    n_stops = problem.network.n_stops
    n_entries = width * int(np.diff(problem.network.shed_indptr).max(initial=1))
    candidate = Candidate(
        np.zeros(width, np.int32),
        np.zeros(width, np.float32),
        np.zeros(width, np.float32),
        new_scratch(problem.n_rows, n_entries, width),
        np.zeros(n_stops, np.uint8),
    )
    return new_other_routes(n_stops, problem.n_rows, n_routes, n_entries, problem.pair_quanta.shape), candidate


class RouteEvaluator:
    """
    Values of plans that differ from a given one in a single route.

    Not for users: it changes its workspace in place.

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
    min_count
        Trips or people a night of which values are rounded down to multiples, where what is chosen among changes is published; exact by
        default.
    """

    def __init__(
        self, problem: Problem, objective: Objective, plan: Plan, limits: RouteLimits | None = None, min_count: float = EXACT
    ) -> None:
        """Allocate once for routes a little longer than the longest."""
        refuse_journeys(objective, "a change of a plan")
        problem = problem if plan.is_reversible else problem.by_way()
        self.problem = problem
        self.objective = objective
        self.plan = plan
        self._step = 1 if min_count == EXACT else int(min_count * QUANTA_PER_TRIP)
        self._value = problem.value(plan, objective)
        self.value = self._printed(self._value)
        self.measures = plan_measures(problem.network, plan, HEADWAY_S if limits is None else limits.headway_s)
        width = 2 * max((len(route.positions) for route in plan.routes), default=2) + _SPARE_POSITIONS
        self._gains = RouteGains(
            problem, objective, problem.pad(plan, width=width), *new_workspace(problem, max(1, len(plan.routes)), width)
        )
        self._limits, self._checks_limits = limit_rows(limits or RouteLimits(), plan.names, self.measures), limits is not None
        self._drive = problem.drive()
        self._left_out = -1
        self._own_gain = 0

    def leave_out(self, k: int) -> None:
        """Value changes of route `k` from now on."""
        if k != self._left_out:
            self._gains.leave_out(k)
            self._left_out = k
            if self.plan.routes[k].back is None:
                self._own_gain = self._gains.gain(self._gains.routes.stops[k, : self._gains.routes.n_stops[k]])
            else:
                others = Plan(self.plan.routes[:k] + self.plan.routes[k + 1 :], self.plan.network_fingerprint)
                self._own_gain = self._value - self.problem.value(others, self.objective)

    def gains(self, change: RouteChange) -> bool:
        """Whether `change` is worth more than the plan, by what may be told of both."""
        return change.value - self.value >= (1 if self._step == 1 else 2 * self._step)

    def _printed(self, value: int) -> int:
        """Return a value as it may be told."""
        return int(value) // self._step * self._step

    def candidate(self, k: int, stops: NDArray[np.int32]) -> RouteChange | None:
        """
        Value a changed route.

        Parameters
        ----------
        k
            Its row in the plan.
        stops
            Its new stops, linked in a row, shape (n,).

        Returns
        -------
        RouteChange or None
            None if it breaks a limit; metres and seconds as on the network.
        """
        stops = np.array(stops, np.int32)
        metres = self._gains.measure(stops)
        return self._valued(k, stops, metres) if self._keeps_limits(k, stops, metres) else None

    def _valued(self, k: int, stops: NDArray[np.int32], metres: tuple[int, int]) -> RouteChange:
        """Return a changed route, measured last, with its value."""
        self.leave_out(k)
        value = self._printed(self._value - self._own_gain + self._gains.gain(stops))
        return RouteChange(k, stops, value, max(metres), int(sum(self._gains.seconds(stops.size))))

    def splices(self, k: int, windows: Iterator[tuple[int, int]], via: int = -1, shut: int = -1) -> Iterator[RouteChange]:
        """
        Value a route that is joined anew over each of some windows.

        Parameters
        ----------
        k
            The route's row in the plan.
        windows
            Pairs of positions that stay.
        via, shut
            As in `owlbus.kernels.splice.splice`.

        Yields
        ------
        RouteChange
            Those that can be joined and keep the limits; none of a route in one direction only.
        """
        pairs = np.array(list(windows), np.int64).reshape(-1, 2)
        if self.plan.routes[k].is_one_way or not len(pairs):
            return
        routes, workspace = self._gains.routes, self._gains.candidate
        joined, counts = np.zeros((len(pairs), routes.stops.shape[1]), np.int32), np.zeros(len(pairs), np.int64)
        limits = self._drive, self._limits, k if self._checks_limits else -1, self._others(k)
        found = splice_windows(
            self.problem.graph, self.problem.network.drive_s, *limits, routes, k, pairs, via, shut, workspace, joined, counts
        )
        for row in range(found):
            stops = joined[row, : counts[row]].copy()
            yield self._valued(k, stops, self._gains.measure(stops))

    def plan_with(self, change: RouteChange) -> Plan:
        """Return the plan with a `change` in its route's row."""
        routes = list(self.plan.routes)
        routes[change.route] = Route(change.stops, routes[change.route].name)
        return Plan(tuple(routes), self.plan.network_fingerprint)

    def extra_s(self, change: RouteChange) -> int:
        """Return the seconds that a `change` adds to the round trip."""
        return change.cycle_s - int(self.measures.cycle_s[change.route])

    def best(self, changes: Iterable[RouteChange], slack_s: int = SLACK_S) -> RouteChange | None:
        """Return the change of highest value among `changes` at most `slack_s` seconds longer than the shortest; the shortest on a tie."""
        changes = list(changes)
        shortest_s = min(map(self.extra_s, changes), default=0)
        short = [change for change in changes if self.extra_s(change) <= shortest_s + slack_s]
        return min(short, key=self._rank, default=None)

    def _rank(self, change: RouteChange) -> tuple[int, int, int, bytes]:
        """Order of changes, the best first."""
        return -change.value, self.extra_s(change), change.route, change.stops.tobytes()

    def _keeps_limits(self, k: int, stops: NDArray[np.int32], metres: tuple[int, int]) -> bool:
        """Whether a route keeps the limits in row `k`, or breaks them no further than the plan does."""
        if not self._checks_limits:
            return True
        seconds = self._gains.seconds(stops.size)
        return bool(keeps_limits(self._drive, self._limits, k, stops, stops.size, *seconds, metres, *self._others(k)))

    def _others(self, k: int) -> tuple[float, float]:
        """Metres and buses of the routes but route `k`."""
        metres, buses = self.measures.longer_length_m, self.measures.buses
        return float(metres.sum() - metres[k]), float(buses.sum() - buses[k])


def windows_around(p: int, n: int, reach: int) -> Iterator[tuple[int, int]]:
    """
    Pairs of positions before and after a position, near ones first.

    Parameters
    ----------
    p
        Position of the stop that goes.
    n
        Stops on the route.
    reach
        Most positions on each side.

    Yields
    ------
    tuple of int
        Positions that stay; -1 or `n` stand for a route that begins or ends anew.

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
