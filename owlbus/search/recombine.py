"""Recombination of good routes: the best choice from the pool, and tails exchanged between routes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.keeps_limits import buses_of, keeps_limits
from owlbus.kernels.moves import is_simple
from owlbus.search.exact import best_of_listing, list_problem, listing_of
from owlbus.search.problem import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

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
    """

    def __init__(self, max_routes: int = MOST_ROUTES) -> None:
        """Begin empty."""
        self._max_routes = max_routes
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
            key = _key(stops)
            self._routes.pop(key, None)
            self._routes[key] = stops.copy()
        for key in list(self._routes)[: -self._max_routes]:
            del self._routes[key]

    @property
    def routes(self) -> tuple[NDArray[np.int32], ...]:
        """Stops of each route, the latest last."""
        return tuple(self._routes.values())


def best_choice(
    problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int, pool: Pool, plan: Plan, seconds: float = math.inf
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

    Returns
    -------
    Plan
        The choice, or `plan` if none is worth more.
    """
    complete = list_problem(problem, objective, limits)
    listing = complete or listing_of(problem, objective, limits, pool.routes)
    rows = {_key(stops): row for row, stops in enumerate(listing.routes)}
    start = [rows[key] for key in map(_key, (route.stops for route in plan.routes)) if key in rows]
    most_s, most_nodes = (_MOST_S, None) if complete else (math.inf, _MOST_NODES)
    best = best_of_listing(listing, n_routes, limits, min(seconds, most_s), most_nodes=most_nodes, start=start)
    if not best.routes:
        return plan
    chosen = plan_of(problem.network, *_padded(best.routes, max(stops.size for stops in best.routes)))
    return chosen if problem.value(chosen, objective) > problem.value(plan, objective) else plan


def _key(stops: NDArray[np.int32]) -> bytes:
    """Key of a route, the same in either direction."""
    return min(stops.tobytes(), stops[::-1].tobytes())


def _padded(routes: Sequence[NDArray[np.int32]], width: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Stops in rows of equal width, and how many count in each."""
    stops, counts = np.zeros((len(routes), width), np.int32), np.array([route.size for route in routes], np.int64)
    for row, route in zip(stops, routes, strict=True):
        row[: route.size] = route
    return stops, counts


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
    old = run.route(k), run.route(other)
    new = _crossed(*old, run.rng)
    if new is None or not _fit(run, (k, other), new):
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
    if min(run.route(k).size, run.route(other).size) == 0 or value < run.value + temperature * math.log(1.0 - run.rng.random()):
        run.set_route(k, old[0])
        run.set_route(other, old[1])
        return False
    run.accept(value)
    return True


def take_best_of(run: AnnealingRun, pool: Pool) -> None:
    """
    Replace routes of the best plan by routes of a pool as long as that makes it better.

    Parameters
    ----------
    run
        The search; changed in place.
    pool
        Routes met.
    """
    run.restore_best()
    width = run.routes.stops.shape[1]
    routes = [stops for stops in pool.routes if stops.size <= width]
    better = True
    while better:
        better = False
        for k in np.flatnonzero(~run.frozen).tolist():
            fitting = [stops for stops in routes if _fit(run, (k,), (stops,))]
            now, *gains = run.gains(k, [run.route(k), *fitting])
            best_gain = max(gains, default=now)
            if best_gain > now:
                run.set_route(k, fitting[gains.index(best_gain)])
                run.accept(run.value - now + best_gain)
                better = True


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


def _fit(run: AnnealingRun, rows: Sequence[int], routes: Sequence[NDArray[np.int32]]) -> bool:
    """Whether `routes` keep the limits as these `rows` of the plan."""
    width = run.routes.stops.shape[1]
    bounds, problem = run.bounds(), run.problem
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
