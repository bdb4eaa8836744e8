"""Routes of a search that do not run back over their own stops: the search counts them both ways, its result as they run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError, setting
from owlbus.plan import Plan, Route, plan_measures
from owlbus.search.problem import Problem
from owlbus.search.spread import with_spread
from owlbus.search.stopping import TargetGap

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.result import Result


def run_both_ways(plan: Plan) -> Plan:
    """
    Plan whose routes all run back over their own stops.

    Parameters
    ----------
    plan
        The plan.

    Returns
    -------
    Plan
        Routes of the same names and stops, without ways back of their own.
    """
    return Plan(tuple(Route(route.stops, route.name) for route in plan.routes), plan.network_fingerprint)


def run_as_given(plan: Plan, given: Plan) -> Plan:
    """
    Plan with the ways back of another one, on routes whose stops are the same.

    Parameters
    ----------
    plan
        The plan.
    given
        The other plan; its routes are matched by name.

    Returns
    -------
    Plan
        The routes of `plan` in their order.
    """
    own = {(route.name, route.stops.tobytes()): route for route in given.routes}
    return Plan(tuple(own.get((route.name, route.stops.tobytes()), route) for route in plan.routes), plan.network_fingerprint)


def limits_both_ways(network: Network, given: Plan, limits: RouteLimits) -> RouteLimits:
    """
    Limits in metres and buses that leave other routes as much as a given plan does, if its routes are counted both ways.

    Parameters
    ----------
    network
        The network of the plan.
    given
        The plan.
    limits
        Limits of the plan as it runs.

    Returns
    -------
    RouteLimits
        Limits of all routes together, higher by what counting both ways adds.
    """
    as_run, both = (plan_measures(network, plan, limits.headway_s) for plan in (given, run_both_ways(given)))
    return replace(
        limits,
        max_total_length_m=max(1, limits.max_total_length_m + both.total_length_m - as_run.total_length_m),
        max_buses=max(1, limits.max_buses + both.total_buses - as_run.total_buses),
    )


def search_both_ways(
    search: Callable[..., Result],
    network: Network,
    demand: Demand,
    n_routes: int,
    constraints: PlanConstraints,
    **settings: Any,  # noqa: ANN401 - as `plan_routes` has them
) -> Result:
    """
    Search for routes beside fixed ones of which some do not run back over their own stops.

    The search counts what those serve both ways, on the stops of their way there; the result has them, and its value, as they run. So a
    route in one direction serves no more than the search counts, and its bound holds. A way back over other stops may serve more.

    Parameters
    ----------
    search
        `owlbus.plan_routes`.
    network, demand, n_routes, constraints
        Its arguments; routes are fixed.
    **settings
        Its other arguments.

    Returns
    -------
    Result
        The plan with the fixed routes as they run, and its objective in 1/1024.

    Raises
    ------
    UsageError
        If a bound is asked for beside a fixed route with other stops on its way back.
    """
    fixed = constraints.fixed or Plan((), network.fingerprint)
    is_bounded = settings["bound_steps"] > 0 or any(isinstance(limit, TargetGap) for limit in settings["stop_when"])
    other_back = [route.name for route in fixed.routes if route.back is not None and not route.is_one_way]
    if is_bounded and other_back:
        msg = (
            f"no bound is known beside a fixed route with other stops on its way back, such as {other_back[0]} ({len(other_back)} such); "
            f"take {setting('bound_steps', 0)}"
        )
        raise UsageError(msg, setting="bound_steps")
    settings["limits"] = limits_both_ways(network, fixed, settings["limits"])
    if settings["begin"] is not None:
        settings["begin"] = run_both_ways(settings["begin"])
    back = tuple(fixed.used_stops.tolist())  # what ways back of their own reach counts for the groups all the same
    groups = tuple(replace(group, anyway=(*group.anyway, *back)) for group in constraints.groups)
    result = search(network, demand, n_routes, constraints=replace(constraints, fixed=run_both_ways(fixed), groups=groups), **settings)
    plan, *plans = (run_as_given(found, fixed) for found in (result.plan, *result.plans))
    problem = Problem.build(network, demand, settings["rule"])
    result = replace(result, plan=plan, plans=tuple(plans), value_quanta=problem.value(plan, result.objective))
    return with_spread(result, problem, demand)
