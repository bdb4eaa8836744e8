"""Candidate routes: routes of the user's own that a search may take as they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.plan import Plan, Route, check_plan
from owlbus.search.recombine import fits, route_key, take_best_of
from owlbus.search.travel_time_objective import refuse_journeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.annealing_run import AnnealingRun
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective

MOST_CANDIDATES = 800
"""Most candidates of a search: each is valued beside every plan that routes are taken for."""


def candidate_routes(
    network: Network, candidates: Iterable[Route | Plan], limits: RouteLimits, constraints: PlanConstraints, objective: Objective
) -> tuple[NDArray[np.int32], ...]:
    """
    Stops of candidate routes, each once, if all of them can be taken.

    Parameters
    ----------
    network
        The network of the routes.
    candidates
        Routes and plans.
    limits
        Limits of a route, in metres and seconds.
    constraints
        What no route may pass, and where it may end.
    objective
        What the search maximises.

    Returns
    -------
    tuple of ndarray
        Stop indices of each, shape (n,), int32, in the order given.

    Raises
    ------
    UsageError
        If there are more than 800, a candidate breaks a limit or a constraint, or travel time is the objective.
    DataError
        If a route does not lie on the network.
    """
    routes = {route_key(route.stops): route for route in _each_route(candidates)}
    if not routes:
        return ()
    refuse_journeys(objective, "a choice among candidate routes")
    if len(routes) > MOST_CANDIDATES:
        msg = f"{setting('candidates')} must be at most {MOST_CANDIDATES:,} routes, got {len(routes):,}; leave out those that serve least"
        raise UsageError(msg, setting="candidates", value=len(routes), allowed=(0, MOST_CANDIDATES))
    broken = [line for line in (_broken(network, route, limits, constraints) for route in routes.values()) if line is not None]
    if broken:
        msg = f"{setting('candidates')} must keep limits and constraints, got {len(broken)} that do not, first {broken[0]}; leave them out"
        raise UsageError(msg, setting="candidates")
    return tuple(route.stops for route in routes.values())


def _each_route(candidates: Iterable[object]) -> Iterator[Route]:
    """Yield the routes of candidates."""
    for one in candidates:
        if isinstance(one, Plan):
            yield from one
        elif isinstance(one, Route):
            yield one
        else:
            msg = f"{setting('candidates')} must be routes or plans, got {type(one).__name__}"
            raise UsageError(msg, setting="candidates")


def _broken(network: Network, route: Route, limits: RouteLimits, constraints: PlanConstraints) -> str | None:
    """Return the first limit or constraint that a candidate breaks, in words; None if it can be taken."""
    if route.back is not None:
        return f"route {route.name!r}: it does not run back over its own stops"
    alone = replace(limits, max_total_length_m=math.inf, max_buses=math.inf)
    lines = (
        *check_plan(network, Plan((route,), network.fingerprint), alone),
        *constraints.forbidden_uses(network, route),
        *constraints.ends_off_depots(network, route),
    )
    return next(iter(lines), None)


def take_candidate(run: AnnealingRun, k: int, candidates: Sequence[NDArray[np.int32]]) -> None:
    """
    Make the candidate that adds most route `k`, if it adds more than the route constructed there.

    Parameters
    ----------
    run
        A run whose routes up to `k` are constructed; changed in place.
    k
        Row of the route.
    candidates
        Stop indices of each candidate; those that do not fit beside the other routes are passed over.
    """
    bounds, width = run.shared((k + 1) / run.frozen.size), run.routes.stops.shape[1]
    fitting = [stops for stops in candidates if stops.size <= width and fits(run, (k,), (stops,), bounds)]
    now, *gains = run.gains(k, [run.route(k), *fitting])
    if gains and max(gains) > now:
        run.restart_with(k, fitting[gains.index(max(gains))])


_SWEEPS, _EVALUATIONS = 30, 40_000
_HOT_PART, _COLD_PART = 0.3, 0.002
"""First and last temperature, as parts of what a route of the plan is worth on average."""


def exchange_for_candidates(run: AnnealingRun, candidates: Sequence[NDArray[np.int32]]) -> None:
    """
    Anneal the choice of routes: each in turn is drawn anew among itself and all candidates, by what they add to the others.

    A route is drawn with a chance that grows exponentially with what it adds (heat bath); limits and constraints are kept. The best plan
    met is kept, and its routes give way to candidates as long as that makes it better.

    Parameters
    ----------
    run
        A run whose routes are constructed; changed in place.
    candidates
        Stop indices of each candidate.
    """
    rows, width = np.flatnonzero(~run.frozen).tolist(), run.routes.stops.shape[1]
    fitting = [stops for stops in candidates if stops.size <= width]
    if rows and fitting:
        n_sweeps = int(np.clip(_EVALUATIONS / (len(rows) * len(fitting)), 2, _SWEEPS))
        first = max(1, run.best_value) / run.frozen.size
        for sweep in range(n_sweeps):
            temperature = first * _HOT_PART * (_COLD_PART / _HOT_PART) ** (sweep / n_sweeps)
            for k in run.rng.permutation(rows).tolist():
                _draw_route(run, k, fitting, temperature)
    take_best_of(run, fitting)


def _draw_route(run: AnnealingRun, k: int, candidates: Sequence[NDArray[np.int32]], temperature: float) -> None:
    """Draw route `k` anew among itself and the candidates that fit."""
    others = {route_key(run.route(row)) for row in range(run.frozen.size)}
    fitting = [stops for stops in candidates if route_key(stops) not in others and fits(run, (k,), (stops,))]
    routes, reached = [run.route(k), *fitting], run.reached()
    gains = np.array(run.gains(k, routes), np.float64)
    run.values[2] += len(fitting)
    chances = np.exp((gains - gains.max()) / temperature)
    chosen = int(run.rng.choice(len(routes), p=chances / chances.sum()))
    if chosen == 0:
        return
    run.set_route(k, routes[chosen])
    if run.loses_people(reached):
        run.set_route(k, routes[0])
    else:
        run.accept(run.value + int(gains[chosen] - gains[0]))
