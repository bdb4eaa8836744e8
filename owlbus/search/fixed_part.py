"""A bound beside fixed routes: what they cover is given, and the other routes have what they leave of buses and kilometres."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.text import how_many
from owlbus.plan import plan_measures
from owlbus.search.exact import served_by_fixed
from owlbus.search.problem import reached_hexes

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.bound_problem import BoundProblem
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

_UP = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class FreeRoutes:
    """
    Routes of a plan beside its fixed ones.

    Attributes
    ----------
    n_routes
        Free routes at most; 0 if none can run.
    limits
        What they keep, of the plan's buses and metres what the fixed ones leave.
    """

    n_routes: int
    limits: RouteLimits

    @classmethod
    def beside(cls, constraints: PlanConstraints, network: Network, n_routes: int, limits: RouteLimits) -> FreeRoutes:
        """
        Free routes of a plan.

        Parameters
        ----------
        constraints
            Constraints, perhaps with fixed routes, which need not keep the limits of a route.
        network
            Their network.
        n_routes
            Routes K of the plan, fixed ones included.
        limits
            Limits of routes and plan, in metres and seconds.

        Returns
        -------
        FreeRoutes
            As many as the plan has left, with their limits.

        Raises
        ------
        InfeasibleError
            If the fixed routes are more than K, or need more metres or buses than all routes may.
        """
        if constraints.fixed is None or not constraints.n_fixed:
            return cls(n_routes, limits)
        measures = plan_measures(network, constraints.fixed, limits.headway_s)
        left_m, left_buses = limits.max_total_length_m - measures.total_length_m, limits.max_buses - measures.total_buses
        n_free = n_routes - constraints.n_fixed
        if n_free < 0 or left_m < 0 or left_buses < 0:
            buses, km = how_many(measures.total_buses, "bus"), f"{measures.total_length_m / 1000:.1f} km"
            used = f"{how_many(constraints.n_fixed, 'route')}, {km} and {buses}"
            allowed = f"{how_many(n_routes, 'route')}, {limits.max_total_length_m / 1000:g} km and {limits.max_buses:g} buses"
            msg = f"the fixed routes take {used}, and a plan may have {allowed}; fix fewer or allow more"
            raise InfeasibleError(msg)
        n_free = int(min(n_free, left_buses))  # a route needs a bus
        if left_m < 1 or n_free < 1:
            return cls(0, limits)
        return cls(n_free, replace(limits, max_total_length_m=left_m, max_buses=left_buses))


def beside_fixed(
    compiled: Callable[[Problem, Objective], BoundProblem],
    problem: Problem,
    objective: Objective,
    constraints: PlanConstraints,
    *,
    is_direct: bool,
) -> tuple[Problem, BoundProblem]:
    """
    Input of a bound on free routes beside the fixed ones.

    People whom fixed routes reach are given. Where a transfer can count, an end that fixed routes cover is covered, so a trip with both
    ends there is given, and one with one end there is earned at the other. Without transfers, trips that a fixed route serves are given,
    and all others need one free route for both ends.

    Parameters
    ----------
    compiled
        Makes the input of the bound for a problem, in 1/1024.
    problem
        Network, demand and rule.
    objective
        What a plan is worth.
    constraints
        Constraints with fixed routes, or without.
    is_direct
        Whether no transfer can count.

    Returns
    -------
    problem
        What free routes are to serve: without transfers, all that no fixed route does; else `problem` itself.
    bound_problem
        Input of the bound for it, in 1/1024.
    """
    if constraints.fixed is None or not constraints.n_fixed:
        return problem, compiled(problem, objective)
    if not is_direct:
        return problem, _without_ends(compiled(problem, objective), constraints.fixed)
    reached = reached_hexes(problem.network, constraints.fixed)[problem.hexes]
    served = served_by_fixed(problem, constraints.fixed)
    left = problem.without(served, reached)
    given = objective.trips * problem.trips[2][served].sum(dtype=np.int64) + objective.presence * problem.presence[reached].sum()
    return left, replace(compiled(left, objective), given_quanta=int(given))


def _without_ends(bound_problem: BoundProblem, fixed: Plan) -> BoundProblem:
    """Input of a bound where fixed routes cover ends of trips."""
    graph, bonus = bound_problem.graph, bound_problem.bonus.copy()
    covered = np.zeros(bonus.size, np.bool_)
    for stop in fixed.used_stops:
        covered[graph.shed_hex[graph.shed_indptr[stop] : graph.shed_indptr[stop + 1]]] = True
    first, second, weight = bound_problem.first, bound_problem.second, bound_problem.weight
    given = bonus[covered].sum() + weight[covered[first] & covered[second]].sum()
    bonus[covered] = 0
    for ends, others in ((second, first), (first, second)):
        chosen = covered[others] & ~covered[ends]
        bonus += np.bincount(ends[chosen], weight[chosen], bonus.size)
    left = ~(covered[first] | covered[second])
    return replace(bound_problem, first=first[left], second=second[left], weight=weight[left], bonus=bonus, given_quanta=_rounded_up(given))


def _rounded_up(value: float) -> int:
    """Whole number that is not below a sum of floats; whole sums are exact."""
    return int(value) if value == int(value) else math.ceil(value * _UP)


def without_transfers(problem: Problem, objective: Objective, n_routes: int) -> bool:
    """
    Whether no transfer can count.

    Parameters
    ----------
    problem, objective
        Rule, and what a plan is worth.
    n_routes
        Routes K.

    Returns
    -------
    bool
        True if no trip is served with a transfer.
    """
    return not objective.counts_journeys and (
        n_routes == 1 or not (objective.trips and objective.max_transfers and problem.rule.max_transfers)
    )
