"""The end of a search under the rule by which figures are published: hexes count by their share of area within the walk."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.progress import current_progress
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.check import newly_broken
from owlbus.search.point_counts import PointCounter
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem
    from owlbus.search.route_evaluator import RouteChange

STEPS_PER_TRIAL = 3_000
"""Moves of a search for each plan that its end tries: the end then takes less than half of the search's processor time."""

_ROUNDS = 4
_NEAR_STOPS = 6
_REACH = 2
_LEAST_TOTAL = 1e-9

_Ranked = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class PublishedValue:
    """
    Objective of plans by area.

    Attributes
    ----------
    counter
        Counts what plans reach and serve.
    objective
        What counts.
    trips
        Trips a night by pair of the counter, shape (P,).
    people
        People by hex, shape (H,).
    """

    counter: PointCounter
    objective: Objective
    trips: NDArray[np.float64]
    people: NDArray[np.float64]

    @classmethod
    def build(cls, problem: Problem, demand: Demand, objective: Objective) -> PublishedValue | None:
        """
        Value of plans as they are published.

        Parameters
        ----------
        problem
            Network, demand and rule.
        demand
            The trips and people that the problem was built from.
        objective
            What counts.

        Returns
        -------
        PublishedValue or None
            None where the search counts by the published rule itself: hexes count whole, or journeys count.
        """
        if objective.counts_journeys or problem.network.points is None:
            return None
        return cls.on(PointCounter.build(problem, demand), objective, demand)

    @classmethod
    def on(cls, counter: PointCounter, objective: Objective, demand: Demand) -> PublishedValue:
        """
        Value of plans as a counter counts them.

        Parameters
        ----------
        counter
            Counts what plans reach and serve.
        objective
            What counts.
        demand
            Trips and people a night.

        Returns
        -------
        PublishedValue
            By area, or as the counter counts.
        """
        trips = np.zeros(counter.n_pairs)
        for pairs, index in counter.mean_trips(demand):
            trips[index] = pairs.trips
        return cls(counter, objective, trips, demand.presence_by_hex())

    def of(self, plan: Plan) -> float:
        """
        Value of a plan.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        float
            Trips and people a night, weighted as in the objective.
        """
        people = (self.counter.reached_share(plan) * self.people).sum() if self.objective.presence else 0.0
        if not self.objective.trips:
            return float(self.objective.presence * people)
        share = self.counter.served_share(plan, self.objective.max_transfers)
        trips = (self.trips * share).sum()  # exact, and in one thread: a scalar product of BLAS wakes all of them
        return float(self.objective.trips * trips + self.objective.presence * people)

    def share(self, plan: Plan) -> float:
        """
        Value of a plan, of that of a plan which serves every trip and reaches everybody.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        float
            0 to 1.
        """
        total = self.objective.trips * self.trips.sum() + self.objective.presence * self.people.sum()
        return self.of(plan) / max(float(total), _LEAST_TOTAL)

    def best(self, plans: Sequence[Plan]) -> int:
        """
        Place of the best of some plans, the first one on a tie.

        Parameters
        ----------
        plans
            The plans, one or more.

        Returns
        -------
        int
            Its place in `plans`.
        """
        return int(np.argmax([self.of(plan) for plan in plans]))


def published_best(
    value: PublishedValue | None,
    plans: Sequence[Plan],
    limits: RouteLimits,
    constraints: PlanConstraints,
    n_steps: int,
    end_s: float = math.inf,
) -> Plan:
    """
    Best of the plans of a search by area, polished.

    Parameters
    ----------
    value
        What plans are worth by area; None where the search counts so itself.
    plans
        Best plan of each start, the best of all by the search's own rule first.
    limits, constraints
        What they keep.
    n_steps
        Moves that the search tried.
    end_s
        Time of `time.perf_counter` after which nothing further is tried.

    Returns
    -------
    Plan
        The first of `plans` without `value`.
    """
    if value is None or not plans[0].routes:
        return plans[0]
    kept = [plan for plan in plans if plan is plans[0] or not constraints.broken(value.counter.problem.network, plan)]
    return polish(value, kept[value.best(kept)], limits, constraints, n_steps // STEPS_PER_TRIAL, end_s)


def polish(
    value: PublishedValue,
    plan: Plan,
    limits: RouteLimits,
    constraints: PlanConstraints,
    n_trials: int,
    end_s: float = math.inf,
    on_gain: Callable[[Plan], object] | None = None,
) -> Plan:
    """
    Change single places of routes as long as the plan becomes better by area.

    The changes that the search's own rule values most are tried first: it ranks most of them as the published rule does, and is faster for
    one route. No plan is tried twice, and only routes that changed are looked at anew. Routes that are fixed stay.

    Parameters
    ----------
    value
        What plans are worth.
    plan
        The plan to change.
    limits, constraints
        What it keeps.
    n_trials
        Plans to try.
    end_s
        Time of `time.perf_counter` after which no further plan is tried.
    on_gain
        Called with each better plan. Nothing further is tried if it returns True.

    Returns
    -------
    Plan
        `plan`, or a better one.
    """
    if n_trials < 1:
        return plan
    best_value, step = value.of(plan), current_progress().step("Polish routes by area", n_trials)
    begun, tried, ranked = plan, {_stops(plan)}, list[_Ranked]()
    changed = set(range(constraints.n_fixed, len(plan)))
    for _ in range(_ROUNDS):
        evaluator = RouteEvaluator(value.counter.problem, value.objective, plan, limits)
        ranked = sorted({row for row in ranked if row[1] not in changed} | _ranked(evaluator, sorted(changed)))
        part = -(-n_trials // _ROUNDS)
        now, ranked, changed = ranked[:part], ranked[part:], set()
        for _, k, stops in now:
            candidate = _with(plan, k, stops)
            if k in changed or _stops(candidate) in tried:
                continue
            if len(tried) > n_trials or time.perf_counter() > end_s:
                return plan
            tried.add(_stops(candidate))
            step.reach(len(tried) - 1)
            new_value = value.of(candidate)
            if new_value > best_value and _is_kept(evaluator.problem, begun, candidate, limits, constraints):
                plan, best_value = candidate, new_value
                changed.add(k)
                if on_gain is not None and on_gain(plan) is True:
                    return plan
        if not changed:
            break
    return plan


def _ranked(evaluator: RouteEvaluator, rows: Sequence[int]) -> set[_Ranked]:
    """Changes of some routes as what they lose by the search's own rule, route and stops: in order, those that gain most are first."""
    return {(evaluator.value - change.value, change.route, change.stops.tobytes()) for change in _changes(evaluator, rows)}


def _changes(evaluator: RouteEvaluator, rows: Sequence[int]) -> Iterator[RouteChange]:
    """Yield changes of one route: each stop left out or swapped for a near one, and each route begun or ended at another stop."""
    drive_s = evaluator.problem.network.drive_s
    for k in rows:
        stops = evaluator.plan.routes[k].stops
        on_route = set(stops.tolist())
        for p, stop in enumerate(stops.tolist()):
            around = np.argpartition(drive_s[stop], min(_NEAR_STOPS, drive_s.shape[0] - 1))[: _NEAR_STOPS + 1].tolist()
            yield from evaluator.splices(k, windows_around(p, len(stops), _REACH), shut=stop)
            for by in sorted(around):
                if by not in on_route:
                    yield from evaluator.splices(k, windows_around(p, len(stops), _REACH), via=by)


def _with(plan: Plan, k: int, stops: bytes) -> Plan:
    """Plan with the stops of route `k` changed."""
    routes = list(plan.routes)
    routes[k] = Route(np.frombuffer(stops, np.int32), routes[k].name)
    return Plan(tuple(routes), plan.network_fingerprint)


def _stops(plan: Plan) -> tuple[bytes, ...]:
    """Stops of each route, to know a plan again."""
    return tuple(route.stops.tobytes() for route in plan.routes)


def _is_kept(problem: Problem, begun: Plan, plan: Plan, limits: RouteLimits, constraints: PlanConstraints) -> bool:
    """Whether a plan keeps limits and constraints as far as the one that the search found."""
    network = problem.network
    broken = constraints.broken(network, plan)
    if not broken and not check_plan(network, plan, limits):
        return True
    return not newly_broken(network, begun, plan, limits) and set(broken) <= set(constraints.broken(network, begun))
