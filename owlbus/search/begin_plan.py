"""The plan that a search goes on from: put in the order of the search, and refused where it keeps too little."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.common.text import how_many
from owlbus.plan import Plan, Route, check_plan
from owlbus.search.exact_constraints import has_terminals
from owlbus.search.problem import free_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.constraints import PlanConstraints


def plan_to_begin(network: Network, begin: Plan, n_routes: int, limits: RouteLimits, constraints: PlanConstraints) -> Plan:
    """
    Plan that a search goes on from, in the order of its routes.

    Fixed routes come first, whether `begin` has them or not, then those with given terminals. Fixed routes may break the limits of a route.

    Parameters
    ----------
    network
        The network of the plan.
    begin
        The given plan.
    n_routes
        Routes K of the search, fixed ones included.
    limits
        What the other routes and the whole plan keep, in metres and seconds.
    constraints
        What the plan keeps.

    Returns
    -------
    Plan
        At most K routes, named as the search names them.

    Raises
    ------
    UsageError
        If it has more than K routes, or breaks a limit or a constraint.
    DataError
        If it was made for another network.
    """
    fixed = () if constraints.fixed is None else constraints.fixed.routes
    others = _in_rows(_without(begin.routes, fixed), constraints)
    if len(fixed) + len(others) > n_routes:
        beside = (
            f"it has {how_many(len(others), 'route')} beside the {len(fixed)} fixed ones"
            if fixed
            else f"it has {how_many(len(others), 'route')}"
        )
        msg = f"{_MUST}, got one where {beside}, and {n_routes} are asked for; begin anew, or ask for {len(fixed) + len(others)}"
        raise UsageError(msg, setting="begin")
    names = free_names(constraints.names(), n_routes)
    free = tuple(Route(route.stops, names[k], route.back) for k, route in enumerate(others, start=len(fixed)))
    plan = Plan((*fixed, *free), begin.network_fingerprint)
    given = {route.name: old.name for route, old in zip(free, others, strict=True)}
    broken = next(_broken(network, plan, Plan(free, begin.network_fingerprint), limits, constraints, given), None)
    if broken is not None:
        msg = f"{_MUST}, got one where {broken}; allow that, fix such routes with {setting('fixed')}, or begin anew"
        raise UsageError(msg, setting="begin")
    return plan


_MUST = "a search must go on from a plan that keeps limits and constraints"


def _without(routes: Sequence[Route], fixed: Sequence[Route]) -> list[Route]:
    """Return routes without the fixed ones, each of which is left out once in either direction."""
    left = [min(route.stops.tolist(), route.stops[::-1].tolist()) for route in fixed]
    others = []
    for route in routes:
        key = min(route.stops.tolist(), route.stops[::-1].tolist())
        if key in left:
            left.remove(key)
        else:
            others.append(route)
    return others


def _in_rows(routes: Sequence[Route], constraints: PlanConstraints) -> list[Route]:
    """Return routes with those first that have given terminals: the one of that name, else any."""
    others, named = list(routes), []
    for name, first, second in constraints.terminals:
        fitting = [route for route in others if has_terminals(route.stops, first, second)]
        found = next((route for route in fitting if route.name == name), next(iter(fitting), None))
        if found is not None:
            named.append(found)
            others = [route for route in others if route is not found]
    return [*named, *others]


def _broken(
    network: Network, plan: Plan, free: Plan, limits: RouteLimits, constraints: PlanConstraints, given: dict[str, str]
) -> Iterator[str]:
    """Yield what a plan breaks: limits by its free routes or all together, then constraints; routes by the names they were given."""
    back = next((route for route in free if route.back is not None), None)
    if back is not None:
        yield f"route {given[back.name]!r} does not run back over its own stops"
    as_given = Plan(tuple(Route(route.stops, given[route.name], route.back) for route in free), free.network_fingerprint)
    yield from check_plan(network, as_given, replace(limits, max_total_length_m=math.inf, max_buses=math.inf))
    whole = check_plan(network, plan, limits, simple=False)
    yield from (line for line in whole if line.startswith("all routes"))
    yield from constraints.broken(network, plan)
