"""Routes that call at every required stop, before annealing improves them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.kernels.splice import splice
from owlbus.plan import Plan, Route, check_plan, plan_measures
from owlbus.search.constraints import network_name
from owlbus.search.group_presence import n_missing, need_by_stop
from owlbus.search.problem import free_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.search.annealing_run import AnnealingRun
    from owlbus.search.constraints import PlanConstraints

_REACH, _WINDOW = 6, 5
_REDRAWS = 20
_NEEDED = 8


def with_required(runs: Sequence[AnnealingRun], constraints: PlanConstraints) -> Sequence[AnnealingRun]:
    """
    Annealing runs whose routes call at every required stop.

    Parameters
    ----------
    runs
        Runs whose routes are constructed; changed in place.
    constraints
        What is wanted.

    Returns
    -------
    sequence of AnnealingRun
        Those in which it was possible, at least one, in their order.

    Raises
    ------
    InfeasibleError
        If it was possible in none; see `insert_required`.
    """
    if not constraints.wanted and not constraints.terminals:
        return runs
    ready: list[AnnealingRun] = []
    first_error = None
    for run in runs:
        try:
            insert_required(run, constraints)
            ready.append(run)
        except InfeasibleError as error:
            first_error = first_error or error
    if first_error is not None and not ready:
        raise first_error
    return ready


def insert_required(run: AnnealingRun, constraints: PlanConstraints) -> None:
    """
    Insert each required stop that too few routes call at into a free route, by the shortest detour.

    Parameters
    ----------
    run
        A run whose routes are constructed; changed in place.
    constraints
        What is wanted.

    Raises
    ------
    InfeasibleError
        If no detour keeps the limits, or a route with given terminals was not found.
    """
    network = run.problem.network
    for k, (name, first, second) in enumerate(constraints.terminals, start=constraints.n_fixed):
        if run.routes.n_stops[k] == 0:
            ends = " and ".join(network_name(network, stop) for stop in (first, second) if stop >= 0)
            msg = f"no way was found for route {name} with terminal {ends} within the limits; allow more kilometres, minutes or buses"
            raise InfeasibleError(msg)
    redraws = _REDRAWS
    while (unmet := run.unmet()).size:
        stop = int(unmet[0])
        best = min(_ways_in(run, constraints, stop), key=lambda way: (way[0], way[1], way[2].tobytes()), default=None)
        if best is None and redraws > 0 and _redraw(run, constraints, stop):
            redraws -= 1
            continue
        if best is None:
            calls = sum(stop in route.stops for route in run.best_plan())
            least = constraints.wanted[stop]
            routes = "a route" if least == 1 else f"{least} routes"
            msg = (
                f"no way was found for {routes} to call at {network_name(network, stop)} within the limits, but for {calls}; "
                "allow more routes, kilometres or minutes, or require less"
            )
            raise InfeasibleError(msg)
        run.restart_with(best[1], best[2])


def reach_groups(run: AnnealingRun) -> None:
    """
    Redraw whole routes through stops of groups that lack people: changes of single stops may not lead there.

    Parameters
    ----------
    run
        A run; changed in place where a redrawn route leaves fewer people missing, the one that adds least first.
    """
    if not run.missing:
        return
    run.restore_best()
    for _ in range(_REDRAWS):
        need = need_by_stop(run.groups, run.reached())
        stops = np.argsort(-need, kind="stable")[: min(_NEEDED, np.count_nonzero(need))].astype(np.int32)
        free = np.flatnonzero(~run.frozen).tolist()
        by_gain = sorted(free, key=lambda k: run.gains(k, [run.route(k)])[0])
        if not stops.size or not any(_redraw_for(run, k, stops) for k in by_gain):
            return


def _redraw_for(run: AnnealingRun, k: int, stops: NDArray[np.int32]) -> bool:
    """Draw route `k` anew by some stops, if that leaves fewer people missing; return whether it does."""
    before = run.route(k)
    run.set_route(k, before[:0])
    if run.draw(k, run.bounds(), stops) >= 0 and n_missing(run.groups, run.reached()) < run.missing:
        run.restart_with(k, run.route(k))
        return True
    run.set_route(k, before)
    return False


def _redraw(run: AnnealingRun, constraints: PlanConstraints, stop: int) -> bool:
    """Draw another route through a stop, if no more calls are missing afterwards; return whether one was found."""
    missing = _n_missing(run, constraints)
    for k in np.flatnonzero(~run.frozen & (run.routes.n_stops > 1)).tolist():
        before = run.route(k)
        if stop in before:
            continue
        run.set_route(k, before[:0])
        is_drawn = run.draw(k, run.bounds(), np.array([stop], np.int32)) >= 0
        if is_drawn and stop in run.route(k) and _n_missing(run, constraints) <= missing:
            run.restart_with(k, run.route(k))
            return True
        run.set_route(k, before)
    return False


def _n_missing(run: AnnealingRun, constraints: PlanConstraints) -> int:
    """Calls that are missing at required stops."""
    routes = [run.route(k).tolist() for k in range(run.frozen.size)]
    return sum(max(0, least - sum(stop in route for route in routes)) for stop, least in constraints.wanted.items())


def _ways_in(run: AnnealingRun, constraints: PlanConstraints, stop: int) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    """Yield metres of all routes, row and stops for each detour of a route to a stop that keeps limits and constraints."""
    for k in np.flatnonzero(~run.frozen & (run.routes.n_stops > 1)).tolist():
        now = run.routes.stops[k, : run.routes.n_stops[k]].copy()
        if stop in now:
            continue
        for stops in _joined(run, now, stop):
            length_m = _metres(run, constraints, k, stops)
            if length_m is not None:
                yield length_m, k, stops


def _joined(run: AnnealingRun, now: NDArray[np.int32], stop: int) -> Iterator[NDArray[np.int32]]:
    """Yield detours of a route to a stop, from the positions nearest to it."""
    problem, n = run.problem, now.size
    drive_s = problem.fastest_s
    banned, out = np.zeros(problem.network.n_stops, np.uint8), np.zeros(run.routes.stops.shape[1], np.int32)
    nearest = np.argsort(drive_s[now, stop].astype(np.int64) + drive_s[stop, now], kind="stable")[:_REACH].tolist()
    pairs = {(i, j) for p in nearest for i in range(max(-1, p - _WINDOW), p + 1) for j in range(max(p, i + 1), min(n, p + _WINDOW) + 1)}
    for i, j in sorted(pairs):
        if j > i and not (i < 0 and j >= n):
            m = splice(problem.graph, drive_s, now, n, i, j, stop, -1, out, banned)
            if m > 1:
                yield out[:m].copy()


def _metres(run: AnnealingRun, constraints: PlanConstraints, k: int, stops: NDArray[np.int32]) -> int | None:
    """Metres of all routes with one of them changed, None if it breaks a limit or a constraint that is kept now."""
    network, counts, limits = run.problem.network, run.routes.n_stops, run.limits
    rows = [(row, run.routes.stops[row, :n] if row != k else stops) for row, n in enumerate(counts.tolist()) if n > 1]
    names = free_names(constraints.names(), counts.size)
    plan = Plan(tuple(Route(kept, names[row]) for row, kept in rows), network.fingerprint)
    changed_route = next(route for (row, _), route in zip(rows, plan.routes, strict=True) if row == k)
    alone = Plan((changed_route,), network.fingerprint)
    if check_plan(network, alone, replace(limits, max_total_length_m=np.inf, max_buses=np.inf)):
        return None
    measures = plan_measures(network, plan, limits.headway_s)
    if measures.total_length_m > limits.max_total_length_m or measures.total_buses > limits.max_buses:
        return None
    now = run.routes.stops[k, : counts[k]]
    lost = set(now.tolist()) - set(stops.tolist())
    if any(sum(stop in route.stops for route in plan) < constraints.wanted[stop] for stop in lost & constraints.wanted.keys()):
        return None
    kept = not any(constraints.ends_off_depots(network, changed_route)) and not any(
        line.startswith(f"route {changed_route.name} ") for line in constraints.missed_terminals(network, plan)
    )
    return measures.total_length_m if kept else None


def why_none_fits(run: AnnealingRun) -> str:
    """
    Say which limits no route keeps.

    Parameters
    ----------
    run
        A run that found no first route.

    Returns
    -------
    str
        Limits in km and minutes, with the shortest link.
    """
    limits, network = run.limits, run.problem.network
    if network.link_m.size == 0:
        return "no route keeps the limits: the network has no links; check its reports"
    bounds = [
        f"{limits.max_length_m / 1000:g} km",
        f"{limits.max_ride_s / 60:g} minutes",
        f"{limits.min_stops} to {limits.max_stops} stops",
    ]
    if math.isfinite(limits.max_buses):
        bounds.append(
            f"{limits.max_buses:g} bus{'es' * (limits.max_buses != 1)} every {limits.headway_s / 60:g} minutes for all routes together"
        )
    if math.isfinite(limits.max_total_length_m):
        bounds.append(f"{limits.max_total_length_m / 1000:g} km for all routes together")
    shortest_m, shortest_s = int(network.link_m.min()), int(network.link_s.min())
    return f"no route keeps the limits: {', '.join(bounds)}; the shortest link has {shortest_m} m and {shortest_s} s; allow more"
