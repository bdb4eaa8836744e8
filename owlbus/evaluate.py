"""
The value of plans, and of changes of one route, as the search counts them: for heuristics of your own.

`Evaluator` compiles network and demand once. Its `value` counts a plan from scratch. Its `begin` takes a plan to work on, which values a
changed route by what it adds to the others, with the kernels of the search: that is thousands of times faster than a scorecard.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import QUANTA_PER_TRIP, require_number
from owlbus.plan import Plan, Route, check_plan, limit_rows, plan_measures
from owlbus.plan.limits import RouteLimits
from owlbus.plan.measures import require_same_network, route_links
from owlbus.search.objective import Objective
from owlbus.search.problem import Problem, free_names
from owlbus.search.ride_service import UNITS_PER_TRIP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule
    from owlbus.search.route_evaluator import RouteGains

_SPARE_POSITIONS = 24
_NO_LIMITS = RouteLimits(
    max_length_m=1e9, max_ride_s=1e7, max_circuity=1e9, max_stops=100_000, max_pair_circuity=math.inf, allow_spurs=True
)
_MOST_THREADS = 256
_STEPS = count()
"""Numbers of all states of all plans under change, so that a trial is known to be of another one."""


class Evaluator:
    """
    Values plans on one network and demand, exactly as the search does.

    Hexes count whole, by their centre. The figures equal those of ``score_plan(..., count_by="centre")`` to the last bit, on networks whose
    links take as long in every hour. Published figures count by area and differ a little: score what you choose with `score_plan`.

    Parameters
    ----------
    network
        Stop network.
    demand
        Trips and people on the network's grid. Weigh it by `owlbus.demand.weight_demand` for values of your own.
    objective
        What counts: ``served``, ``direct`` or ``presence``, a mix such as ``served=3,presence=1``, ``travel_time`` or ``carried``, or an
        `Objective`. Changes are counted from scratch for the last two, which takes as long as a whole plan.
    rule
        When a trip counts as served; the defaults of `ServiceRule` if None.
    limits
        What routes must keep; None for no limits.

    Attributes
    ----------
    problem
        Network, demand and rule, compiled; kernels take it.
    objective, limits
        What counts, and what routes must keep.
    quanta_per_trip
        Whole parts that a trip or a person a night is counted in: 1/1024, or finer parts for trips carried.

    Raises
    ------
    DataError
        If demand and network lie on different grids.
    UsageError
        If there is no such objective, or it is of trips and the demand counts none.

    Examples
    --------
    >>> from owlbus import Demand, Evaluator, HexGrid, Network, Plan, Route
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> evaluator = Evaluator(network, demand, objective="served")
    >>> plan = Plan((Route(network.shortest_path(3, 16), "N1"),), network.fingerprint)
    >>> evaluator.value(plan), evaluator.share(plan), evaluator.values([plan, plan]).tolist()
    (30.0, 0.3, [30.0, 30.0])

    A plan to work on values changes of one route, and takes those that you accept:

    >>> working = evaluator.begin(plan)
    >>> trial = working.try_route(0, network.shortest_path(0, 19))
    >>> trial.value, trial.gain, trial.keeps_limits, working.value
    (60.0, 30.0, True, 30.0)
    >>> working.accept(trial)
    >>> working.value, working.plan.routes[0].stops.tolist() == network.shortest_path(0, 19).tolist()
    (60.0, True)
    """

    def __init__(
        self,
        network: Network,
        demand: Demand,
        *,
        objective: Objective | str = "served",
        rule: ServiceRule | None = None,
        limits: RouteLimits | None = None,
    ) -> None:
        """Compile network, demand and rule."""
        self.objective = Objective.of_counted(objective, demand)
        self.limits = limits
        self.problem = Problem.build(network, demand, rule, by_hour=self.objective.carried is not None)
        self.quanta_per_trip = QUANTA_PER_TRIP if self.objective.carried is None else UNITS_PER_TRIP

    @property
    def network(self) -> Network:
        """Stop network of the plans."""
        return self.problem.network

    @property
    def total(self) -> float:
        """Value of a plan that served every trip and reached every person, in the unit of `value`."""
        return self.problem.total_value(self.objective) / self.quanta_per_trip

    def value(self, plan: Plan) -> float:
        """
        Objective of a plan, counted from scratch.

        Parameters
        ----------
        plan
            Any plan on the network.

        Returns
        -------
        float
            Trips or people a night, in multiples of 1/1024; a mix is their weighted sum. With ``travel_time`` the trip-seconds that the
            plan saves, with ``carried`` the trips carried at the best split of the fleet.

        Raises
        ------
        DataError
            If the plan was made for another network, or rides where there is no link.
        InfeasibleError
            If the fleet cannot run the plan, where trips carried count.
        """
        return self.quanta(plan) / self.quanta_per_trip

    def share(self, plan: Plan) -> float:
        """
        Objective of a plan over its largest value.

        Parameters
        ----------
        plan
            Any plan on the network.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        DataError
            If the plan was made for another network, or rides where there is no link.
        """
        return self.quanta(plan) / self.problem.total_value(self.objective)

    def values(self, plans: Iterable[Plan], *, n_threads: int = 1) -> NDArray[np.float64]:
        """
        Objectives of many plans.

        Parameters
        ----------
        plans
            Plans on the network.
        n_threads
            Threads that share the plans; the values are the same for any number.

        Returns
        -------
        ndarray of float64
            Trips or people a night as `value` returns them, shape (n,), in the order of `plans`.

        Raises
        ------
        DataError
            If a plan was made for another network, or rides where there is no link.
        """
        require_number("n_threads", n_threads, 1, _MOST_THREADS)
        if n_threads == 1:
            return np.array([self.value(plan) for plan in plans], np.float64)
        with ThreadPoolExecutor(n_threads) as pool:
            return np.array(list(pool.map(self.value, plans)), np.float64)

    def broken_limits(self, plan: Plan) -> tuple[str, ...]:
        """
        Limits that a plan breaks, one line each.

        Parameters
        ----------
        plan
            Any plan on the network.

        Returns
        -------
        tuple of str
            Lines of `check_plan`; empty if the plan keeps everything, or there are no limits.

        Raises
        ------
        DataError
            If the plan was made for another network, or rides where there is no link.
        """
        return () if self.limits is None else check_plan(self.network, plan, self.limits)

    def begin(self, plan: Plan | None = None) -> WorkingPlan:
        """
        Take a plan to work on; an evaluator may have several.

        Parameters
        ----------
        plan
            The plan; one without routes if None.

        Returns
        -------
        WorkingPlan
            A plan that changes with what you accept.

        Raises
        ------
        DataError
            If the plan was made for another network, or rides where there is no link.
        """
        return WorkingPlan(self, plan or Plan((), self.network.fingerprint))

    def quanta(self, plan: Plan) -> int:
        """
        Objective of a plan as a whole number, as kernels count it.

        Parameters
        ----------
        plan
            Any plan on the network.

        Returns
        -------
        int
            The `value` in trips or people a night, times `quanta_per_trip`.

        Raises
        ------
        DataError
            If the plan was made for another network, or rides where there is no link.
        InfeasibleError
            If the fleet cannot run the plan, where trips carried count.
        """
        require_same_network(self.network, plan)
        for route in plan.routes:  # kernels do not look
            _require_stops(self.network, route.positions, route.name)
        return self.problem.value(plan, self.objective)


@dataclass(frozen=True, slots=True, eq=False)
class RouteTrial:
    """
    A plan with one route changed, before the change is accepted.

    Attributes
    ----------
    route_index
        Row of the route in the plan; the number of its routes for a new one.
    stops
        Stop indices of the route, shape (n,), int32; none if the route is left out.
    value
        Objective of the changed plan, trips or people a night as `Evaluator.value` returns it.
    gain
        What the change adds to the value of the plan, trips or people a night.
    keeps_limits
        Whether this route, and all routes together, keep the limits of the evaluator; other routes are not looked at.
    length_m
        One-way metres of the route, the longer direction.
    cycle_s
        Seconds of a round trip.
    quanta
        The value as a whole number, in trips times `Evaluator.quanta_per_trip`.
    step
        Index of the state of the plan that it was tried on.
    """

    route_index: int
    stops: NDArray[np.int32]
    value: float
    gain: float
    keeps_limits: bool
    length_m: int
    cycle_s: int
    quanta: int = field(repr=False)
    step: int = field(repr=False)


class WorkingPlan:
    """
    A plan under change: values changes of one route by what it adds to the others.

    Trials of one route after another are fast; to turn to another route costs about as much as a trial. `Evaluator.begin` makes it.

    Parameters
    ----------
    evaluator
        Network, demand, objective and limits.
    plan
        The plan to begin with.
    """

    _plan: Plan
    _quanta: int
    _width: int
    _left_out: int
    _own_quanta: int
    _gains: RouteGains
    _route_m: NDArray[np.float64]
    _buses: NDArray[np.float64]
    _headway_s: int

    def __init__(self, evaluator: Evaluator, plan: Plan) -> None:
        """Lay out the routes with room for longer ones."""
        self.evaluator = evaluator
        self._step = next(_STEPS)
        self._load(plan, evaluator.quanta(plan), 0)

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._plan

    @property
    def value(self) -> float:
        """Objective of the plan as it is now, trips or people a night as `Evaluator.value` returns it."""
        return self._quanta / self.evaluator.quanta_per_trip

    @property
    def n_routes(self) -> int:
        """Routes of the plan; as a row, the one of a new route."""
        return len(self._plan.routes)

    def try_route(self, route_index: int, stops: ArrayLike) -> RouteTrial:
        """
        Value the plan with another course of one route.

        Parameters
        ----------
        route_index
            Row of the route in the plan, or `n_routes` for a new route.
        stops
            Its stop indices, shape (n,), linked in a row in both directions and served in both; none to leave the route out.

        Returns
        -------
        RouteTrial
            The plan stays as it is until you `accept` it.

        Raises
        ------
        DataError
            If a stop is not in the network, or two stops in a row have no links both ways.
        UsageError
            If the plan has no such route.
        InfeasibleError
            If the fleet cannot run the changed plan, where trips carried count.
        """
        return self.try_routes(route_index, [stops])[0]

    def try_routes(self, route_index: int, routes: Sequence[ArrayLike]) -> list[RouteTrial]:
        """
        Value the plan with other courses of one route, faster than one by one.

        Parameters
        ----------
        route_index
            Row of the route in the plan, or `n_routes` for a new route.
        routes
            Stop indices of each course, shape (n,), as `try_route` takes them.

        Returns
        -------
        list of RouteTrial
            In the order of `routes`.

        Raises
        ------
        DataError
            If a stop is not in the network, or two stops in a row have no links both ways.
        UsageError
            If the plan has no such route.
        InfeasibleError
            If the fleet cannot run a changed plan, where trips carried count.
        """
        require_number("route_index", route_index, 0, self.n_routes)
        rows = [_as_row(self.evaluator.network, stops) for stops in routes]
        longest = max((row.size for row in rows), default=0)
        if longest > self._width:
            self._load(self._plan, self._quanta, longest)
        self._leave_out(route_index)
        trials = self._counted(route_index, rows)
        lost = np.flatnonzero(trials.metres[:, 0] < 0)
        if lost.size:
            _refuse_gap(self.evaluator.network, rows[int(lost[0])])
        return [self._trial(route_index, row, trials, t) for t, row in enumerate(rows)]

    def accept(self, trial: RouteTrial) -> None:
        """
        Make a trial the plan; earlier trials cannot be accepted then.

        Parameters
        ----------
        trial
            A trial of the plan as it is now; whether it keeps the limits is yours to look at.

        Raises
        ------
        UsageError
            If another trial was accepted since it was made, or it is of another plan.
        """
        if trial.step != self._step:
            msg = "a trial must be of the plan as it is now, got one of an earlier or another plan; try the change again"
            raise UsageError(msg)
        self._step = next(_STEPS)
        plan, k = self._plan_with(trial.route_index, trial.stops), trial.route_index
        is_in_place = trial.stops.size and k < self.n_routes and self._plan.routes[k].back is None
        if not is_in_place:
            self._load(plan, trial.quanta, trial.stops.size)
            return
        self._own_quanta += trial.quanta - self._quanta
        self._plan, self._quanta = plan, trial.quanta
        routes = self._gains.routes
        routes.stops[k, : trial.stops.size] = trial.stops
        routes.n_stops[k] = trial.stops.size
        self._gains.measure(trial.stops)
        for row, seconds in ((routes.ahead_s, self._gains.candidate.ahead_s), (routes.back_s, self._gains.candidate.back_s)):
            row[k, : trial.stops.size] = seconds[: trial.stops.size]
        self._route_m[k], self._buses[k] = trial.length_m, math.ceil(trial.cycle_s / self._headway_s)

    def _load(self, plan: Plan, quanta: int, width: int) -> None:
        """Lay out the routes of a plan of known value, with room for courses of `width` stops."""
        from owlbus.search.route_evaluator import RouteGains, new_workspace

        evaluator = self.evaluator
        problem = evaluator.problem if plan.is_reversible else evaluator.problem.by_way()
        longest = max((route.positions.size for route in plan.routes), default=2)
        self._plan, self._quanta, self._width = plan, quanta, max(2 * longest, width) + _SPARE_POSITIONS
        limits = evaluator.limits or _NO_LIMITS
        measures = plan_measures(problem.network, plan, limits.headway_s)
        self._route_m, self._buses = measures.longer_length_m.astype(np.float64), measures.buses.astype(np.float64)
        self._headway_s = limits.headway_s
        self._limits = limit_rows(limits, [*plan.names, ""])
        self._drive = problem.drive()
        padded = problem.pad(plan, width=self._width)
        self._gains = RouteGains(problem, evaluator.objective, padded, *new_workspace(problem, len(plan.routes) + 1, self._width))
        self._left_out, self._own_quanta = -1, 0

    def _leave_out(self, k: int) -> None:
        """Prepare the routes but route `k` as the other routes, and count what route `k` adds to them."""
        if k == self._left_out:
            return
        self._left_out = k
        self._gains.leave_out(k)
        if self.evaluator.objective.counts_journeys or k == self.n_routes:
            self._own_quanta = 0
        elif self._plan.routes[k].back is None:
            self._own_quanta = self._gains.gain(self._gains.routes.stops[k, : self._gains.routes.n_stops[k]])
        else:
            others = self._plan_with(k, np.empty(0, np.int32))
            self._own_quanta = self._quanta - self.evaluator.quanta(others)

    def _counted(self, k: int, rows: list[NDArray[np.int32]]) -> Any:  # noqa: ANN401 - the kernel's own struct, loaded when it is used
        """What each course adds, its metres and seconds, and whether it keeps the limits."""
        from owlbus.kernels.route_trials import new_trials, value_routes

        gains, others = self._gains, np.arange(self.n_routes) != k
        trials = new_trials(len(rows), max([1, *(row.size for row in rows)]))
        for t, row in enumerate(rows):
            trials.stops[t, : row.size], trials.n_stops[t] = row, row.size
        value_routes(
            gains.problem.graph,
            gains.problem.demand_rows,
            gains.routes,
            gains.other_routes,
            self._drive,
            self._limits,
            k,
            trials,
            gains.candidate,
            gains.max_transfers,
            float(self._route_m[others].sum()),
            float(self._buses[others].sum()),
        )
        return trials

    def _trial(self, k: int, stops: NDArray[np.int32], trials: Any, t: int) -> RouteTrial:  # noqa: ANN401 - as above
        """Trial of one course."""
        objective, unit = self.evaluator.objective, self.evaluator.quanta_per_trip
        if objective.counts_journeys:
            quanta = self.evaluator.quanta(self._plan_with(k, stops))
        else:
            served, people = trials.gains[t].tolist()
            quanta = self._quanta - self._own_quanta + objective.trips * served + objective.presence * people
        keeps = self.evaluator.limits is None or bool(trials.is_kept[t])
        length_m, cycle_s = int(trials.metres[t].max()), int(trials.seconds[t].sum())
        return RouteTrial(k, stops, quanta / unit, (quanta - self._quanta) / unit, keeps, length_m, cycle_s, quanta, self._step)

    def _plan_with(self, k: int, stops: NDArray[np.int32]) -> Plan:
        """Return the plan with `stops` in row `k`, or without that row if there are none."""
        routes = list(self._plan.routes)
        new = []
        if stops.size:
            name = routes[k].name if k < len(routes) else free_names(dict(enumerate(self._plan.names)), k + 1)[k]
            new = [Route(stops, name)]
        return Plan((*routes[:k], *new, *routes[k + 1 :]), self._plan.network_fingerprint)


def _as_row(network: Network, stops: ArrayLike) -> NDArray[np.int32]:
    """Stops of a course as a row of the network's stops."""
    row = np.asarray(stops)
    if row.size == 0:
        return read_only(np.empty(0, np.int32))
    if row.ndim != 1 or row.size == 1 or row.dtype.kind not in "iu":
        msg = f"a route must be a row of at least 2 whole stop indices, or of none to leave it out, got {row.dtype} of shape {row.shape}"
        raise DataError(msg)
    _require_stops(network, row, "tried")
    return read_only(row.astype(np.int32))


def _require_stops(network: Network, row: NDArray[Any], name: str) -> None:
    """Refuse stops that the network does not have."""
    if row.size and not 0 <= int(row.min()) <= int(row.max()) < network.n_stops:
        outside = row[(row < 0) | (row >= network.n_stops)]
        which = f"got {outside[0]} ({outside.size} such); take stops of this network"
        msg = f"route {name!r}: stop indices must lie in [0, {network.n_stops}), {which}"
        raise DataError(msg)


def _refuse_gap(network: Network, row: NDArray[np.int32]) -> None:
    """Name the first two stops in a row that lack a link, ahead or back."""
    for way in (row, row[::-1]):
        route_links(network, way, "tried")
