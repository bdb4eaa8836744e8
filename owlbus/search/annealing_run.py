"""One annealing run: its current plan, its best plan and its random state, which kernels change in place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels import anneal as kernels
from owlbus.kernels.coverage import measure_route
from owlbus.kernels.group_reach import no_groups
from owlbus.kernels.keeps_limits import Limits, buses_of
from owlbus.kernels.moves import N_MOVES
from owlbus.kernels.route_cache import new_route_cache
from owlbus.kernels.splice import steps_apart
from owlbus.kernels.structs import Routes
from owlbus.plan import limit_rows, plan_measures
from owlbus.search.constraints import PlanConstraints
from owlbus.search.group_presence import group_reach, n_missing, need_by_stop, reached_by
from owlbus.search.neighbourhood import unconstrained
from owlbus.search.problem import plan_of
from owlbus.search.route_evaluator import RouteGains, new_workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Constraints, DemandRows, Drive, Graph
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.neighbourhood import Neighbourhood
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

_HOT_PART, _COLD_PART, _USUAL_ROUTES = 1 / 300, 1 / 20_000, 9
"""First and last temperature, as parts of the objective of a constructed plan with that many routes; with more routes a smaller part."""

_DRAWS = 400
_POLISH_MOVES = 4_000
_TURN_MOVES = 4_000
_BLOCKS = 250, 2_000
_MOVES_A_STOP = 4
_EVERYWHERE = 0.1
_SPARE_PLACES = 8
_MOST_PLACES = 400
_LEAST_CHANCE = 0.05
_MEMORY = 0.7
_WORTH_STEP, _MOST_WORTH = 1.1, 1e9


class AnnealingRun:
    """
    State of one annealing run, changed in place.

    Users call `owlbus.search.plan_routes`. A run owns all its arrays, so that several run in threads.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What to maximise.
    limits
        What the plan must keep.
    n_routes
        Routes K.
    rng
        Random numbers of this run.
    constraints
        Further constraints; none by default. The problem must leave out the links that they forbid.
    near
        Neighbourhood of a plan with K routes, from which the run begins; none by default.
    """

    exchanges = True
    """Whether routes may be exchanged (`owlbus.search.recombine`)."""

    effort = 1.0
    """Share of the usual draws and moves that the construction of a route takes."""

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        limits: RouteLimits,
        n_routes: int,
        rng: np.random.Generator,
        constraints: PlanConstraints | None = None,
        near: Neighbourhood | None = None,
    ) -> None:
        """Allocate all arrays, and load the fixed routes, or the routes of the plan to stay near."""
        self.problem = problem
        self.rng = rng
        self.objective = objective
        self.limits = limits
        constraints = constraints or PlanConstraints()
        begin = constraints.fixed if near is None else near.plan
        width = max([most_stops(problem, limits), *(len(route.stops) for route in begin or ())])
        self._allocate(n_routes, width)
        self._rng_state = rng.integers(0, 2**63, size=1, dtype=np.uint64)
        self._attraction = _attraction(problem, objective)
        self._weights = np.array([objective.trips, objective.presence], np.int64)
        self.constraints, self._everywhere = constraints, self._attraction
        self.groups = group_reach(constraints.groups, problem.network, problem.total_value(objective))
        self._constraints = constraints.arrays(problem.network, n_routes, self._attraction)
        self._names = constraints.names() if near is None else dict(enumerate(near.plan.names))
        reference = None if near is None else plan_measures(problem.network, near.plan, limits.headway_s)
        self._bounds = limit_rows(limits, [self._names.get(k, "") for k in range(n_routes)], reference)
        self._near = unconstrained() if near is None else near.constraint(problem.network.n_stops)
        if begin is not None:
            self.load(begin, np.arange(n_routes) < constraints.n_fixed)
        if near is not None:
            self.frozen[[k for k, route in enumerate(near.plan.routes) if route.name in near.kept_routes]] = True

    def _allocate(self, n_routes: int, width: int) -> None:
        """Make the arrays of K routes of at most `width` stops that kernels change."""
        problem = self.problem
        self.routes = Routes(
            np.zeros((n_routes, width), np.int32),
            np.zeros(n_routes, np.int64),
            np.zeros((n_routes, width), np.float32),
            np.zeros((n_routes, width), np.float32),
        )
        self.best: tuple[NDArray[np.int32], NDArray[np.int64]] = (self.routes.stops.copy(), self.routes.n_stops.copy())
        self.frozen = np.zeros(n_routes, np.bool_)
        self.values = np.zeros(5, np.int64)
        self._kinds = np.zeros((3, N_MOVES))
        self._success = np.zeros(N_MOVES)
        self.drive = problem.drive(width)
        self._gains = RouteGains(problem, self.objective, self.routes, *new_workspace(problem, n_routes, width))
        n_entries = width * int(np.diff(problem.network.shed_indptr).max(initial=1))
        self._route_cache = new_route_cache(problem.network.n_stops, problem.n_rows, n_entries, n_routes, problem.pair_quanta.shape[0])

    @property
    def value(self) -> int:
        """Objective of the current plan, in 1/1024."""
        return int(self.values[0])

    @property
    def best_value(self) -> int:
        """Objective of the best plan, in 1/1024."""
        return int(self.values[1])

    @property
    def missing(self) -> int:
        """People whom the best plan fails to reach of the groups that it must reach, in 1/1024 times points."""
        return int(self.groups.missing[0])

    @property
    def rank(self) -> tuple[int, int]:
        """Order of best plans, the best last: those that miss fewer people of groups, then those worth more."""
        return -self.missing, self.best_value

    def reached(self) -> NDArray[np.int64]:
        """Return the people of each group whom the current plan reaches, in 1/1024 times points, shape (G,)."""
        return reached_by(self.groups, self.routes.stops, self.routes.n_stops)

    def loses_people(self, before: NDArray[np.int64]) -> bool:
        """Whether a group has fewer people reached than `before`, and too few."""
        now = self.reached()
        return bool(((now < before) & (now < self.groups.least)).any())

    @property
    def evaluations(self) -> int:
        """Moves evaluated."""
        return int(self.values[2])

    @property
    def steps_since_gain(self) -> int:
        """Moves since the last better plan."""
        return int(self.values[3])

    def best_plan(self) -> Plan:
        """Return the best plan; empty routes are left out."""
        return plan_of(self.problem.network, *self.best, names=self._names)

    def load(self, plan: Plan, frozen: NDArray[np.bool_] | None = None) -> None:
        """Start from `plan`; its routes fill the first rows, and those `frozen`, bool of shape (K,), stay as they are."""
        padded = self.problem.pad(plan)
        count = len(plan.routes)
        self.routes.n_stops[:] = 0
        width = padded.stops.shape[1]
        self.routes.n_stops[:count] = padded.n_stops
        self.routes.stops[:count, :width] = padded.stops
        self.routes.ahead_s[:count, :width] = padded.ahead_s
        self.routes.back_s[:count, :width] = padded.back_s
        if frozen is not None:
            self.frozen[:] = frozen
        self._restart_from_routes()

    def compile(self) -> None:
        """Compile the kernels of construction and annealing before the clock starts; no random number is used up."""
        self.draw(0, self.bounds(), np.empty(0, np.int32), n_draws=0)
        self.anneal(0, 1.0, 1.0)
        self.set_route(0, self.route(0))
        self.problem.value(self.best_plan(), self.objective)

    def construct(self, k: int) -> bool:
        """
        Fill the empty route `k` greedily within its share of the fleet and kilometres; False if no drawn path keeps the limits.

        While required stops lack routes, the route calls at them, and may take more than its share. Groups are not held to their share
        yet: annealing finds better plans that keep it from routes that were constructed without.
        """
        held, self.groups = self.groups, no_groups(self.problem.network.n_stops)
        try:
            return self._construct(k)
        finally:
            self.groups = held
            held.missing[0] = n_missing(self.groups, self.reached())

    def _construct(self, k: int) -> bool:
        """Fill the empty route `k` as `construct` does."""
        unmet = self.unmet()
        bounds = self.shared((k + 1) / self.frozen.size)
        gain = self.draw(k, bounds, unmet)
        if gain < 0 and unmet.size:
            bounds = self.shared(1.0)
            gain = self.draw(k, bounds, unmet)
        if gain < 0:
            return False
        self._restart_from_routes()
        kept = self.frozen.copy()
        self.frozen[:] = np.arange(self.frozen.size) != k
        warm = max(1.0, gain * 0.01)
        self._anneal(bounds, round(_POLISH_MOVES * self.effort), warm, warm * 0.01)
        self.frozen[:] = kept
        self.restore_best()
        return True

    def draw(self, k: int, bounds: Limits, unmet: NDArray[np.int32], n_draws: int | None = None) -> int:
        """Give the empty route `k` the best of `n_draws` random paths via `unmet` stops within `bounds`; its gain in 1/1024, or -1."""
        gain: int = kernels.best_drawn_route(
            *self._problem_arrays(bounds),
            unmet,
            self.routes,
            k,
            self.used(),
            self._gains.other_routes,
            self._gains.candidate,
            self._rng_state,
            round(_DRAWS * self.effort) if n_draws is None else n_draws,
            *self._rules(),
        )
        if gain >= 0:
            self.set_route(k, self.route(k))
        return gain

    def unmet(self) -> NDArray[np.int32]:
        """Return the required stops at which too few routes call; those at which each empty route must call occur several times."""
        wanted, (stops, counts) = self._constraints.required, (self.routes.stops, self.routes.n_stops)
        calls = [sum(stop in stops[k, :count] for k, count in enumerate(counts.tolist())) for stop in wanted[:, 0].tolist()]
        missing = np.maximum(wanted[:, 1] - np.array(calls, np.int64), 0)
        n_empty = int(np.count_nonzero(counts == 0))
        unmet: NDArray[np.int32] = np.repeat(wanted[:, 0], np.where(missing >= n_empty, 1 + wanted.shape[0], 1) * (missing > 0))
        return unmet

    def restart_with(self, k: int, stops: NDArray[np.int32]) -> None:
        """Make `stops` route `k`, and the plan with it the best plan."""
        self.routes.stops[k, : stops.size] = stops
        self.routes.n_stops[k] = stops.size
        self._restart_from_routes()
        self.restore_best()

    def moves_per_turn(self, share: float) -> int:
        """Moves of a turn at a `share` of the search, 0 to 1."""
        del share
        return _TURN_MOVES

    def turn(self, moves: int, done: float, ahead: float, constructed_value: int) -> int:
        """
        Anneal from one share of the search to the next.

        Parameters
        ----------
        moves
            Moves to try.
        done, ahead
            Shares of the search at the first and the last of them, 0 to 1.
        constructed_value
            Objective of the constructed plan, in 1/1024.

        Returns
        -------
        int
            Moves tried; 0 if every route is fixed.
        """
        return self.anneal(moves, self.temperature(done, constructed_value), self.temperature(ahead, constructed_value))

    def temperature(self, share: float, constructed_value: int) -> float:
        """Temperature at a `share` of the search, 0 to 1; `constructed_value` is the objective of the constructed plan; both in 1/1024."""
        return float(constructed_value * _HOT_PART * (_COLD_PART / _HOT_PART) ** share * (_USUAL_ROUTES / self.frozen.size))

    def anneal(self, steps: int, hot: float, cold: float) -> int:
        """Try `steps` moves while the temperature falls from `hot` to `cold`, in 1/1024; return how many were tried."""
        return self._anneal(self.bounds(), steps, hot, cold)

    def route(self, k: int) -> NDArray[np.int32]:
        """Stops of route `k`, none if it is empty."""
        stops: NDArray[np.int32] = self.routes.stops[k, : self.routes.n_stops[k]].copy()
        return stops

    def set_route(self, k: int, stops: NDArray[np.int32]) -> None:
        """Make `stops` route `k`; the values of the plan stay as they are."""
        self.routes.stops[k, : stops.size] = stops
        self.routes.n_stops[k] = stops.size
        measure_route(self.problem.graph, self.routes.stops[k], stops.size, self.routes.ahead_s[k], self.routes.back_s[k])

    def gains(self, k: int, routes: Sequence[NDArray[np.int32]]) -> list[int]:
        """Return what each of `routes` would add to the plan without route `k`, in 1/1024; limits are not checked."""
        self._gains.leave_out(k)
        return [self._gains.gain(stops) for stops in routes]

    def set_allowance(self, n_changed: int, reach: int, multiplier: float) -> None:
        """Let `n_changed` stops of the best plan and `reach` of the current one differ from the given plan, at `multiplier`/1024 each."""
        self._near = self._near._replace(budget=n_changed, reach=reach, multiplier=multiplier)

    def n_changed(self) -> int:
        """Stops that differ from the plan that this one stays near."""
        pairs = zip(self._near.stops, self._near.n_stops.tolist(), range(self.frozen.size), strict=True)
        return sum(int(steps_apart(stops[:n], self.route(k))) for stops, n, k in pairs)

    def accept(self, value: int) -> None:
        """Set the objective of the current plan to `value`, in 1/1024, and keep the plan if it is the best."""
        self.values[0] = value
        missing = n_missing(self.groups, self.reached())
        if (-missing, value) > (-self.groups.missing[0], self.values[1]):
            self.values[1], self.values[3], self.groups.missing[0] = value, 0, missing
            self.best[0][:], self.best[1][:] = self.routes.stops, self.routes.n_stops

    def restore_best(self) -> None:
        """Make the best plan the current one."""
        self.routes.stops[:] = self.best[0]
        self.routes.n_stops[:] = self.best[1]
        for k, count in enumerate(self.routes.n_stops.tolist()):
            measure_route(self.problem.graph, self.routes.stops[k], count, self.routes.ahead_s[k], self.routes.back_s[k])
        self.values[0] = self.values[1]

    def _anneal(self, bounds: Limits, steps: int, hot: float, cold: float) -> int:
        weights, transfer_s, max_transfers = self._rules()
        self._choose_kinds()
        self._attract()
        tried: int = kernels.anneal(
            *self._problem_arrays(bounds),
            self._near,
            self.routes,
            *self.best,
            self.frozen,
            self.values,
            self._gains.other_routes,
            self._route_cache,
            self._gains.candidate,
            self._rng_state,
            self._kinds,
            steps,
            int(np.clip(_MOVES_A_STOP * self.problem.network.n_stops, *_BLOCKS)),
            hot,
            cold,
            weights,
            transfer_s,
            max_transfers,
        )
        return tried

    def _choose_kinds(self) -> None:
        """Draw each kind of move with a probability that grows with the square root of its recent acceptance rate, above a minimum."""
        _, tried, accepted = self._kinds
        rate = accepted / np.maximum(tried, 1)
        self._success = np.where(tried > 0, _MEMORY * self._success + (1 - _MEMORY) * rate, self._success)
        wanted = np.sqrt(self._success)
        spread = wanted / wanted.sum() if wanted.any() else np.full(wanted.size, 1 / wanted.size)
        self._kinds[0] = np.cumsum(_LEAST_CHANCE + (1 - _LEAST_CHANCE * wanted.size) * spread)
        self._kinds[1:] = 0

    def _restart_from_routes(self) -> None:
        """Make the current plan the best one, and compute its objective from scratch."""
        self.best[0][:] = self.routes.stops
        self.best[1][:] = self.routes.n_stops
        self.values[:2] = self.problem.value(plan_of(self.problem.network, *self.best), self.objective)
        self.groups.missing[0] = n_missing(self.groups, self.reached())

    def _attract(self) -> None:
        """Let stops of groups that lack people attract routes as much as all demand does, and let these be worth more each time."""
        if not self.groups.least.size:
            return
        need = need_by_stop(self.groups, self.reached())
        self._attraction = self._everywhere
        if need.any():
            self.groups = self.groups._replace(worth=min(self.groups.worth * _WORTH_STEP, _MOST_WORTH))
            self._attraction = self._everywhere + np.cumsum(need) * (self._everywhere[-1] / need.sum())
        self._constraints = self.constraints.arrays(self.problem.network, self.frozen.size, self._attraction)

    def _problem_arrays(self, bounds: Limits) -> tuple[Graph, DemandRows, Drive, Limits, NDArray[np.float64], Constraints]:
        constraints = self._constraints._replace(groups=self.groups)
        return self.problem.graph, self.problem.demand_rows, self.drive, bounds, self._attraction, constraints

    def _rules(self) -> tuple[NDArray[np.int64], float, int]:
        return self._weights, float(self.problem.rule.transfer_s), self._gains.max_transfers

    def bounds(self) -> Limits:
        """Limits as the kernels take them."""
        return self._bounds

    def shared(self, share: float) -> Limits:
        """Limits with a `share`, 0 to 1, of the fleet and kilometres of all routes."""
        limits = self._bounds
        buses = limits.max_buses * share
        buses = float(math.floor(buses)) if math.isfinite(buses) else buses
        return limits._replace(max_total_length_m=limits.max_total_length_m * share, max_buses=buses)

    def used(self, but: Sequence[int] = ()) -> tuple[float, float]:
        """Metres and buses of the routes, without those in `but`."""
        metres, buses = 0, 0
        stops, ahead_s, back_s = self.routes.stops, self.routes.ahead_s, self.routes.back_s
        for k, count in enumerate(self.routes.n_stops.tolist()):
            if count > 0 and k not in but:
                metres += max(measure_route(self.problem.graph, stops[k], count, ahead_s[k], back_s[k]))
                buses += buses_of(ahead_s[k, count - 1] + back_s[k, count - 1], float(self.limits.headway_s))
        return float(metres), float(buses)


def most_stops(problem: Problem, limits: RouteLimits, *, spare: int = _SPARE_PLACES) -> int:
    """
    Most stops that a route can have: as many short links as its length allows.

    Parameters
    ----------
    problem
        The network; one link in twenty is shorter than those that count.
    limits
        What a route keeps.
    spare
        Positions beside these.

    Returns
    -------
    int
        Stops, >= 2.
    """
    shortest = max(1, int(np.percentile(problem.network.link_m, 5))) if problem.network.link_m.size else 1
    within = 1 + limits.max_length_m // shortest + spare
    return max(2, int(min(limits.max_stops, within, _MOST_PLACES, problem.network.n_stops)))


def _attraction(problem: Problem, objective: Objective) -> NDArray[np.float64]:
    """Running sum, shape (S,), of the demand in each stop's walk shed plus a small constant."""
    wanted = objective.trips * problem.row_quanta
    wanted = wanted + objective.presence * problem.presence
    network = problem.network
    by_entry = wanted[problem.graph.shed_hex].astype(np.float64)
    at_stop = np.repeat(np.arange(network.n_stops), np.diff(network.shed_indptr))
    by_stop = np.bincount(at_stop, by_entry, network.n_stops)
    return np.cumsum(by_stop + _EVERYWHERE * by_stop.mean())
