"""Routes that call at wanted stops, before a search makes them better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.plan import Plan, Route, check_plan, plan_measures
from owlbus.search.constraints import network_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.search.annealing_run import AnnealingRun
    from owlbus.search.constraints import PlanConstraints

_REACH, _WINDOW = 6, 5
_REDRAWS = 20


def with_wanted(chains: Sequence[AnnealingRun], constraints: PlanConstraints) -> Sequence[AnnealingRun]:
    """
    Searches whose routes call at every wanted stop.

    Parameters
    ----------
    chains
        Searches whose routes are constructed; changed in place.
    constraints
        What is wanted.

    Returns
    -------
    sequence of AnnealingRun
        Those in which it could be done, one at least, in their order.

    Raises
    ------
    InfeasibleError
        If it could be done in none; steps and stops as in `take_in_wanted`.
    """
    if not constraints.wanted and not constraints.terminals:
        return chains
    ready: list[AnnealingRun] = []
    first_error = None
    for chain in chains:
        try:
            take_in_wanted(chain, constraints)
            ready.append(chain)
        except InfeasibleError as error:
            first_error = first_error or error
    if first_error is not None and not ready:
        raise first_error
    return ready


def take_in_wanted(chain: AnnealingRun, constraints: PlanConstraints) -> None:
    """
    Let free routes call at every wanted stop that too few routes call at, by the shortest ways.

    Parameters
    ----------
    chain
        A search whose routes are constructed; changed in place.
    constraints
        What is wanted.

    Raises
    ------
    InfeasibleError
        If no way into the routes at hand keeps the limits, or a route with given terminals could not be made.
    """
    network = chain.problem.network
    for k, (name, one, two) in enumerate(constraints.terminals, start=constraints.n_fixed):
        if chain.routes.n_stops[k] == 0:
            ends = " and ".join(network_name(network, stop) for stop in (one, two) if stop >= 0)
            msg = f"no way was found for route {name} with terminal {ends} within the limits; allow more kilometres, minutes or buses"
            raise InfeasibleError(msg)
    redraws = _REDRAWS
    while (unmet := chain.unmet()).size:
        stop = int(unmet[0])
        best = min(_ways_in(chain, constraints, stop), key=lambda way: (way[0], way[1], way[2].tobytes()), default=None)
        if best is None and redraws > 0 and _redraw(chain, constraints, stop):
            redraws -= 1
            continue
        if best is None:
            calls = sum(stop in route.stops for route in chain.best_plan())
            least = constraints.wanted[stop]
            routes = "a route" if least == 1 else f"{least} routes"
            msg = (
                f"no way was found for {routes} to call at {network_name(network, stop)} within the limits, but for {calls}; "
                "allow more routes, kilometres or minutes, or wish for less"
            )
            raise InfeasibleError(msg)
        chain.put(best[1], best[2])


def _redraw(chain: AnnealingRun, constraints: PlanConstraints, stop: int) -> bool:
    """Draw a route anew by way of a stop where no more calls are missing then, at other stops perhaps; whether one was found."""
    missing = _n_missing(chain, constraints)
    for k in np.flatnonzero(~chain.frozen & (chain.routes.n_stops > 1)).tolist():
        before = chain.route(k)
        if stop in before:
            continue
        chain.lay(k, before[:0])
        found = chain.draw(k, chain.bounds(), np.array([stop], np.int32)) >= 0
        if found and stop in chain.route(k) and _n_missing(chain, constraints) <= missing:
            chain.put(k, chain.route(k))
            return True
        chain.lay(k, before)
    return False


def _n_missing(chain: AnnealingRun, constraints: PlanConstraints) -> int:
    """Calls that are missing at wanted stops."""
    routes = [chain.route(k).tolist() for k in range(chain.frozen.size)]
    return sum(max(0, least - sum(stop in route for route in routes)) for stop, least in constraints.wanted.items())


def _ways_in(chain: AnnealingRun, constraints: PlanConstraints, stop: int) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    """Yield metres of all routes, place and stops of routes that call at a stop and keep limits and wishes."""
    for k in np.flatnonzero(~chain.frozen & (chain.routes.n_stops > 1)).tolist():
        now = chain.routes.stops[k, : chain.routes.n_stops[k]].copy()
        if stop in now:
            continue
        for stops in _joined(chain, now, stop):
            length_m = _metres(chain, constraints, k, stops)
            if length_m is not None:
                yield length_m, k, stops


def _joined(chain: AnnealingRun, now: NDArray[np.int32], stop: int) -> Iterator[NDArray[np.int32]]:
    """Yield routes that are joined anew by a stop, near the places from which it is nearest."""
    from owlbus.kernels.splice import splice

    problem, n = chain.problem, now.size
    drive_s = problem.fastest_s
    banned, out = np.zeros(problem.network.n_stops, np.uint8), np.zeros(chain.routes.stops.shape[1], np.int32)
    nearest = np.argsort(drive_s[now, stop].astype(np.int64) + drive_s[stop, now], kind="stable")[:_REACH].tolist()
    pairs = {(i, j) for p in nearest for i in range(max(-1, p - _WINDOW), p + 1) for j in range(max(p, i + 1), min(n, p + _WINDOW) + 1)}
    for i, j in sorted(pairs):
        if j > i and not (i < 0 and j >= n):
            m = splice(problem.graph, drive_s, now, n, i, j, stop, -1, out, banned)
            if m > 1:
                yield out[:m].copy()


def _metres(chain: AnnealingRun, constraints: PlanConstraints, k: int, stops: NDArray[np.int32]) -> int | None:
    """Metres of all routes with one of them changed, None if it breaks a limit or a wish that is kept now."""
    network, counts, limits = chain.problem.network, chain.routes.n_stops, chain.limits
    rows = [(row, chain.routes.stops[row, :n] if row != k else stops) for row, n in enumerate(counts.tolist()) if n > 1]
    plan = Plan(tuple(Route(kept, constraints.names().get(row, f"R{row + 1}")) for row, kept in rows), network.fingerprint)
    own = next(route for (row, _), route in zip(rows, plan.routes, strict=True) if row == k)
    alone = Plan((own,), network.fingerprint)
    if check_plan(network, alone, replace(limits, max_total_length_m=np.inf, max_buses=np.inf)):
        return None
    measures = plan_measures(network, plan, limits.headway_s)
    if measures.total_length_m > limits.max_total_length_m or measures.total_buses > limits.max_buses:
        return None
    now = chain.routes.stops[k, : counts[k]]
    lost = set(now.tolist()) - set(stops.tolist())
    if any(sum(stop in route.stops for route in plan) < constraints.wanted[stop] for stop in lost & constraints.wanted.keys()):
        return None
    kept = not any(constraints.foreign_ends(network, own)) and not any(
        line.startswith(f"route {own.name} ") for line in constraints.missed_terminals(network, plan)
    )
    return measures.total_length_m if kept else None
