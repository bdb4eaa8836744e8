"""Constraints of a plan as rows of the exact choice among listed routes."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from owlbus.plan import Plan, Route
from owlbus.search.problem import free_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.search.constraints import PlanConstraints

_MOST_TERMINALS = 6


def has_exact_rows(constraints: PlanConstraints) -> bool:
    """
    Whether `call_rows` describes the constraints completely.

    Parameters
    ----------
    constraints
        Constraints of a plan.

    Returns
    -------
    bool
        False if more than six routes have given terminals, whose rows would be too many.
    """
    return len(constraints.terminals) <= _MOST_TERMINALS


def ends_kept(constraints: PlanConstraints, stops: NDArray[np.int32]) -> bool:
    """
    Whether a free route ends where it may.

    Parameters
    ----------
    constraints
        Constraints with depots, or without.
    stops
        Stop indices of the route, shape (n,).

    Returns
    -------
    bool
        True if both terminals are depots, or there are none.
    """
    return not constraints.depots or (int(stops[0]) in constraints.depots and int(stops[-1]) in constraints.depots)


def has_terminals(stops: NDArray[np.int32], first: int, second: int) -> bool:
    """
    Whether a route has given terminals, in either order.

    Parameters
    ----------
    stops
        Stop indices of the route, shape (n,).
    first, second
        Stop indices of the terminals; -1 for any in place of the second.

    Returns
    -------
    bool
        True if it has.
    """
    ends = int(stops[0]), int(stops[-1])
    return ends in {(first, second), (second, first)} if second >= 0 else first in ends


def call_rows(constraints: PlanConstraints, routes: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Required stops, hubs and terminals as rows of an integer programme.

    Routes with given terminals must be different ones of the plan. By Hall's theorem there are such if, of every set of them, at least as
    many routes of the plan have the terminals of one.

    Parameters
    ----------
    constraints
        Constraints of a plan.
    routes
        Stop indices of R routes, those of the fixed routes first.

    Returns
    -------
    calls
        Whether each route counts for a constraint, shape (C, R), 0 or 1.
    least
        Routes that must count, shape (C,).
    """
    rows = [[float(stop in stops) for stops in routes] for stop in constraints.wanted]
    least = [float(count) for count in constraints.wanted.values()]
    for size in range(1, len(constraints.terminals) + 1):
        for chosen in combinations(constraints.terminals, size):
            has = [any(has_terminals(stops, first, second) for _, first, second in chosen) for stops in routes[constraints.n_fixed :]]
            rows.append([0.0] * constraints.n_fixed + [float(one) for one in has])
            least.append(float(size))
    return np.array(rows, np.float64).reshape(len(least), len(routes)), np.array(least, np.float64)


def plan_of_choice(network: Network, routes: Sequence[NDArray[np.int32]], constraints: PlanConstraints) -> Plan:
    """
    Plan of chosen routes, each where the constraints have it: fixed ones first, then those with given terminals.

    Parameters
    ----------
    network
        The network of the routes.
    routes
        Stop indices of each, those of the fixed routes first; they keep the constraints.
    constraints
        What they keep.

    Returns
    -------
    Plan
        Fixed routes as they run, and the others named as constraints and order say.
    """
    fixed = () if constraints.fixed is None else constraints.fixed.routes
    free = list(routes[len(fixed) :])
    ends = [(first, second) for _, first, second in constraints.terminals]
    rows = _matched([[r for r, stops in enumerate(free) if has_terminals(stops, *pair)] for pair in ends])
    order = [*rows, *(r for r in range(len(free)) if r not in rows)]
    names = free_names(constraints.names(), len(fixed) + len(free))
    named = (Route(free[r].copy(), names[k]) for k, r in enumerate(order, start=len(fixed)))
    return Plan((*fixed, *named), network.fingerprint)


def _matched(allowed: Sequence[Sequence[int]], taken: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return a different one of the allowed numbers for each place, the first in order; nothing where there is none."""
    if len(taken) == len(allowed):
        return taken
    tries = (_matched(allowed, (*taken, one)) for one in allowed[len(taken)] if one not in taken)
    return next((found for found in tries if found), ())
