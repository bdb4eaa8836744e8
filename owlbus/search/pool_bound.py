"""
Pool bound: no choice of K among the routes that a search met is worth more.

It says nothing about other routes; `owlbus.search.bound` bounds all plans. Where no transfer counts, a mixed-integer program
(`owlbus.search.exact`) bounds the choices. Else `owlbus.kernels.pool_multipliers` does, and branching on single routes tightens it: the
bound is the highest of those of all branches that are left.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import N_ROUTES
from owlbus.common.errors import UsageError, setting
from owlbus.plan import Plan, Route
from owlbus.plan.limits import RouteLimits
from owlbus.search.exact import best_of_listing, listing_of
from owlbus.search.objective import Objective
from owlbus.search.pool_tree import PoolProblem, PoolTree
from owlbus.search.recombine import route_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.search.problem import Problem

MOST_ROUTES = 1_000
"""Routes of a pool at most."""

MOST_WORK = 1_200_000_000
"""Visits of listed trips after which a bound ends: a number of them, so that it does not depend on the machine."""

_MOST_NODES = 200


@dataclass(frozen=True, slots=True, eq=False)
class PoolBound:
    """
    Bound over the choices among routes that were met; it is no bound over all routes.

    Attributes
    ----------
    n_routes_met
        Routes N of the pool.
    bound_quanta, total_quanta
        No choice within the limits is worth more; and objective of a plan that served everything; in 1/1024.
    best_quanta
        Value of the best choice met on the way, in 1/1024.
    routes
        Stops of each route of that choice, int32, each of shape (n,).
    steps
        Iterations.
    elapsed_s
        Seconds of work.
    """

    n_routes_met: int
    bound_quanta: int
    total_quanta: int
    best_quanta: int = 0
    routes: tuple[NDArray[np.int32], ...] = field(default=(), repr=False)
    steps: int = 0
    elapsed_s: float = 0.0

    @property
    def share(self) -> float:
        """Bound over the objective of a plan that served everything, 0 to 1."""
        return min(1.0, self.bound_quanta / self.total_quanta)

    @property
    def is_exact(self) -> bool:
        """Whether the best choice met is worth the bound, so that no choice is better."""
        return self.best_quanta == self.bound_quanta


def pool_bound(
    problem: Problem,
    routes: Sequence[NDArray[np.int32]],
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    objective: Objective | str = "served",
    begin: Sequence[NDArray[np.int32]] = (),
    most_work: float = MOST_WORK,
    seconds: float = math.inf,
) -> PoolBound:
    """
    Upper bound on the objective of every choice of K routes of a pool within fleet and total length.

    Each choice is valued as `Problem.value` does: by whole hexes, rides in both directions and at most one transfer. Limits of single
    routes are not looked at: routes that break them only raise the bound.

    Parameters
    ----------
    problem
        Network, demand and rule.
    routes
        Stops of each of N routes, in [1, 1000], each without a stop twice; a route may be given several times.
    n_routes
        Routes K of a choice at most, >= 1.
    limits
        Fleet, headway and total length; the defaults of `RouteLimits` if None.
    objective
        What a choice is worth, not travel time.
    begin
        Routes of a good choice, which count as routes of the pool too; the better it is, the sooner branches end.
    most_work
        Number of visits of listed trips after which the bound ends; a processor does about 5e8 a second.
    seconds
        Seconds after which it ends, though they make it depend on the machine.

    Returns
    -------
    PoolBound
        The bound, and the best choice met.

    Raises
    ------
    UsageError
        If K or N lies outside its range, or travel time is the objective.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Problem
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 12], destination=[19, 16, 18], trips=[60.0, 30.0, 10.0])
    >>> met = [network.shortest_path(a, b) for a, b in [(0, 19), (3, 16), (12, 18)]]
    >>> bound = pool_bound(Problem.build(network, demand), met, 2)
    >>> bound.n_routes_met, bound.share, bound.is_exact
    (3, 0.9, True)
    """
    objective = Objective.parse(objective) if isinstance(objective, str) else objective
    limits = limits or RouteLimits()
    _require_ranges(routes, n_routes, objective)
    began_s = time.perf_counter()
    distinct = {route_key(stops): stops for stops in (np.asarray(row, np.int32) for row in (*routes, *begin))}
    met, first = tuple(distinct.values()), [list(distinct).index(route_key(np.asarray(stops, np.int32))) for stops in begin]
    if n_routes > 1 and objective.trips and objective.max_transfers and problem.rule.max_transfers:
        tree = PoolTree(PoolProblem.of(problem, met, n_routes, limits, objective), most_work, began_s + seconds, first)
        best, bound_quanta = tree.search()
        chosen, steps = tuple(tree.pool.routes[row] for row in best), tree.steps
    else:
        listing = listing_of(problem, objective, limits, met)
        exact = best_of_listing(listing, n_routes, limits, seconds, most_nodes=_MOST_NODES)
        chosen, bound_quanta, steps = exact.routes, exact.bound_quanta, 1
    plan = Plan(tuple(Route(stops, f"N{k + 1}") for k, stops in enumerate(chosen)), problem.network.fingerprint)
    best_quanta, total = problem.value(plan, objective), problem.total_value(objective)
    elapsed_s = time.perf_counter() - began_s
    return PoolBound(len(met), max(bound_quanta, best_quanta), total, best_quanta, chosen, steps, elapsed_s)


def bound_of_met(
    problem: Problem, met: Sequence[NDArray[np.int32]], plan: Plan, n_routes: int, limits: RouteLimits, objective: Objective, seconds: float
) -> PoolBound | None:
    """
    Pool bound of the routes that a search met, those of its plan included.

    Parameters
    ----------
    problem
        Network, demand and rule.
    met
        Stops of each route met, the latest last.
    plan
        Plan that the search found.
    n_routes
        Routes K.
    limits
        Fleet, headway and total length.
    objective
        What a plan is worth.
    seconds
        Seconds that the bound may take.

    Returns
    -------
    PoolBound or None
        Of the latest routes where there is no room for the trips of all; None where the search keeps no routes, or counts ways back that a
        choice would not have.
    """
    is_plain = plan.is_reversible and all(route.is_simple for route in plan)
    if not met or objective.counts_journeys or not is_plain or seconds <= 0:
        return None
    begin = [route.stops for route in plan.routes]
    while met:
        try:
            return pool_bound(problem, met, n_routes, limits=limits, objective=objective, begin=begin, seconds=seconds)
        except UsageError:  # too many trips to list: half of the routes, the latest ones, meet a quarter as often
            met = met[len(met) - len(met) // 2 :]
    return None


def _require_ranges(routes: Sequence[NDArray[np.int32]], n_routes: int, objective: Objective) -> None:
    """Refuse what no pool bound is known for."""
    for name, value, most in (("n_routes", n_routes, math.inf), ("routes", len(routes), MOST_ROUTES)):
        if not 1 <= value <= most:
            msg = f"{setting(name)} must be {'at least 1' if math.isinf(most) else f'1 to {most} of them'}, got {value}"
            raise UsageError(msg, setting=name, value=value, allowed=(1, most))
    if objective.counts_journeys:
        msg = f"no pool bound is known for {objective.name}; take an objective of trips served or people"
        raise UsageError(msg, setting="objective", value=objective.name)
