"""Recombination of good routes: the best choice from the pool, and tails exchanged between routes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.keeps_limits import buses_of, keeps_limits
from owlbus.kernels.moves import is_simple
from owlbus.search.constraints import PlanConstraints
from owlbus.search.exact import best_of_listing, list_problem, listing_of
from owlbus.search.exact_constraints import plan_of_choice
from owlbus.search.group_presence import is_worse
from owlbus.search.row_constraints import keeps_constraints

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.annealing_run import AnnealingRun
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem


MOST_ROUTES = 160

_MOST_NODES, _MOST_S = 200, 60.0


class Pool:
    """
    Routes of the best plans met, each once in either direction; the oldest leave first.

    Parameters
    ----------
    max_routes
        Routes to keep.
    kept
        Stops of routes that never leave.
    """

    def __init__(self, max_routes: int = MOST_ROUTES, kept: Sequence[NDArray[np.int32]] = ()) -> None:
        """Begin with the routes that never leave."""
        self._max_routes = max_routes
        self._kept = {route_key(stops): stops for stops in kept}
        self._routes: dict[bytes, NDArray[np.int32]] = {}

    def add(self, routes: Iterable[NDArray[np.int32]]) -> None:
        """
        Remember routes.

        Parameters
        ----------
        routes
            Stops of each.
        """
        for stops in routes:
            key = route_key(stops)
            self._routes.pop(key, None)
            self._routes[key] = stops.copy()
        for key in list(self._routes)[: -self._max_routes]:
            del self._routes[key]

    @property
    def routes(self) -> tuple[NDArray[np.int32], ...]:
        """Stops of each route, the latest last, behind those that never leave."""
        return (*self._kept.values(), *(stops for key, stops in self._routes.items() if key not in self._kept))


def best_choice(
    problem: Problem,
    objective: Objective,
    limits: RouteLimits,
    n_routes: int,
    pool: Pool,
    plan: Plan,
    seconds: float = math.inf,
    constraints: PlanConstraints | None = None,
) -> Plan:
    """
    Best K routes of a pool where no transfer counts, by mixed-integer programming; of all routes where they can be listed.

    On a pool the solver ends after a fixed number of nodes, so that the choice does not depend on the machine unless the seconds end it.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth.
    limits
        What the plan must keep.
    n_routes
        Routes K.
    pool
        Routes within the limits; those that another one replaces are dropped.
    plan
        A first choice; its routes are in the pool.
    seconds
        Seconds after which the solver ends.
    constraints
        What else the plan keeps; the first routes of `plan` are the fixed ones.

    Returns
    -------
    Plan
        The choice, or `plan` if none is worth more and keeps what it keeps of the groups.
    """
    constraints = constraints or PlanConstraints()
    groups = constraints.groups
    complete = list_problem(problem, objective, limits, constraints)
    listing = complete or listing_of(problem, objective, limits, pool.routes, constraints)
    rows = {route_key(stops): row for row, stops in enumerate(listing.routes)}
    start = [rows[key] for key in map(route_key, (route.stops for route in plan.routes)) if key in rows]
    most_s, most_nodes = (_MOST_S, None) if complete else (math.inf, _MOST_NODES)
    best = best_of_listing(listing, n_routes, limits, min(seconds, most_s), most_nodes=most_nodes, start=start)
    if not best.routes:
        return plan
    chosen = plan_of_choice(problem.network, best.routes, constraints)
    if is_worse(groups, problem.network, plan, chosen):
        return plan
    is_better = problem.value(chosen, objective) > problem.value(plan, objective) or is_worse(groups, problem.network, chosen, plan)
    return chosen if is_better else plan


def route_key(stops: NDArray[np.int32]) -> bytes:
    """Return a key of the route over `stops`, shape (n,), the same in either direction."""
    return min(stops.tobytes(), stops[::-1].tobytes())


_FEWEST_TO_SPLIT = 4


def exchange_tails(run: AnnealingRun, temperature: float) -> bool:
    """
    Swap the tails of two routes at a shared stop; two routes may merge, and one may split if the other is empty.

    Parameters
    ----------
    run
        The search; changed in place.
    temperature
        Temperature of the choice, in 1/1024 of what the objective counts, > 0.

    Returns
    -------
    bool
        Whether the routes were changed.
    """
    movable = np.flatnonzero(~run.frozen)
    if movable.size < 2:  # noqa: PLR2004 -- a pair
        return False
    k, other = run.rng.choice(movable, 2, replace=False).tolist()
    old, reached = (run.route(k), run.route(other)), run.reached()
    new = _crossed(*old, run.rng)
    if new is None or not fits(run, (k, other), new):
        return False
    run.values[2] += 1
    # The plan's value without both routes, then with both as they would be.
    without = run.value - run.gains(k, [old[0]])[0]
    run.set_route(k, old[0][:0])
    before, after = run.gains(other, [old[1], new[1]])
    run.set_route(other, new[1])
    value = without - before + after + run.gains(k, [new[0]])[0]
    run.set_route(k, new[0])
    for row, stops in zip((k, other), new, strict=True):
        value += 0 if stops.size else run.draw(row, run.bounds(), np.empty(0, np.int32))
    is_refused = min(run.route(k).size, run.route(other).size) == 0 or run.loses_people(reached)
    if is_refused or value < run.value + temperature * math.log(1.0 - run.rng.random()):
        run.set_route(k, old[0])
        run.set_route(other, old[1])
        return False
    run.accept(value)
    return True


def take_best_of(run: AnnealingRun, others: Iterable[NDArray[np.int32]], most: int = 10_000) -> None:
    """
    Replace routes of the best plan by other ones as long as that makes it better.

    Parameters
    ----------
    run
        The search; changed in place.
    others
        Stops of each route to choose from, such as those of other runs: what a run itself passed, its last moves would find again.
    most
        Routes to value after which nothing further is tried.
    """
    run.restore_best()
    width = run.routes.stops.shape[1]
    routes = [stops for stops in others if stops.size <= width]
    better = True
    while better:
        better = False
        for k in np.flatnonzero(~run.frozen).tolist():
            if most <= 0:
                return
            most -= len(routes)
            before, reached = run.route(k), run.reached()
            fitting = [stops for stops in routes if fits(run, (k,), (stops,))]
            now, *gains = run.gains(k, [before, *fitting])
            for gain, row in sorted((-gain, row) for row, gain in enumerate(gains) if gain > now):
                run.set_route(k, fitting[row])
                if not run.loses_people(reached):
                    run.accept(run.value - now - gain)
                    better = True
                    break
                run.set_route(k, before)


def best_routes(run: AnnealingRun) -> list[NDArray[np.int32]]:
    """
    Return the routes of the best plan of a run.

    Parameters
    ----------
    run
        The search.

    Returns
    -------
    list of ndarray
        Stops of each route; empty routes are left out.
    """
    stops, counts = run.best
    return [stops[row, :count].copy() for row, count in enumerate(counts.tolist()) if count > 1]


def _crossed(a: NDArray[np.int32], b: NDArray[np.int32], rng: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
    """Two routes with their tails swapped at a shared stop; one route cut in two if the other is empty; None if nothing is shared."""
    if not a.size or not b.size:
        whole = a if a.size else b
        if whole.size < _FEWEST_TO_SPLIT:
            return None
        p = int(rng.integers(1, whole.size - 1))
        return whole[: p + 1], whole[p:]
    shared, positions_a, positions_b = np.intersect1d(a, b, return_indices=True)
    if not shared.size:
        return None
    meet = int(rng.integers(shared.size))
    p, q = int(positions_a[meet]), int(positions_b[meet])
    if rng.random() < 0.5:  # noqa: PLR2004 -- either way round
        b, q = b[::-1], b.size - 1 - q
    new = np.concatenate([a[:p], b[q:]]), np.concatenate([b[:q], a[p:]])
    first, second = (route if route.size > 1 else route[:0] for route in new)
    return (first, second) if first.size or second.size else None


def fits(run: AnnealingRun, rows: Sequence[int], routes: Sequence[NDArray[np.int32]], bounds: Limits | None = None) -> bool:
    """
    Whether routes keep limits and constraints as these rows of a plan.

    Parameters
    ----------
    run
        The search with the plan.
    rows, routes
        Rows of the plan, and the stops of the route in each.
    bounds
        Limits, metres and seconds; None for those of the run.

    Returns
    -------
    bool
        True if they do.
    """
    width = run.routes.stops.shape[1]
    bounds, problem = bounds or run.bounds(), run.problem
    if not keeps_constraints(run, rows, routes):
        return False
    used_m, used_buses = run.used(rows)
    ahead_s, back_s, mark = np.zeros(width, np.float32), np.zeros(width, np.float32), np.zeros(problem.network.n_stops, np.uint8)
    for k, stops in zip(rows, routes, strict=True):
        n = stops.size
        if n == 0:
            continue
        if n > width or not is_simple(stops, n, mark):
            return False
        metres = measure_route(problem.graph, stops, n, ahead_s, back_s)
        seconds = ahead_s[n - 1], back_s[n - 1]
        if metres[0] < 0 or not keeps_limits(run.drive, bounds, k, stops, n, *seconds, metres, used_m, used_buses):
            return False
        used_m += max(metres)
        used_buses += buses_of(sum(seconds), float(run.limits.headway_s))
    return True
