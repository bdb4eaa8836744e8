"""Single changes of a plan: leave out, move or swap a stop, drop a route, call at another stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import EXACT
from owlbus.common.errors import UsageError
from owlbus.plan import Plan
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem
    from owlbus.search.route_evaluator import RouteChange

REACH = 3
"""Positions on each side of a stop that may be joined anew."""

_TRIED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """
    A plan after one change.

    Attributes
    ----------
    kind
        ``remove``, ``move``, ``swap``, ``drop`` or ``via``.
    label
        The change in words.
    plan
        The plan after it.
    routes
        Names of the routes that change.
    broken
        Limits that the change breaks and the plan before kept, in words, with by how much.
    """

    kind: str
    label: str
    plan: Plan
    routes: tuple[str, ...]
    broken: tuple[str, ...] = ()


def remove_stop(problem: Problem, objective: Objective, plan: Plan, stop: int, *, route: int | None = None) -> Change:
    """
    Leave a stop out of all routes that pass it, or of one.

    The stops on both sides are joined by the fastest path around it that changes the fewest other stops; a terminal is cut off.

    Parameters
    ----------
    problem
        Network and demand.
    objective
        What decides between equal paths.
    plan
        The plan.
    stop
        Stop index.
    route
        Place of the only route to change; all that pass the stop by default.

    Returns
    -------
    Change
        The plan without it.

    Raises
    ------
    UsageError
        If no route passes the stop, or one cannot be joined around it.
    """
    changed = plan
    rows = _routes_through(plan, stop, route, problem.network)
    for k in rows:
        changed = _without(RouteEvaluator(problem, objective, changed), k, stop)
    return Change("remove", f"stop {stop} left out", changed, tuple(plan.names[k] for k in rows))


def replace_stop(
    problem: Problem,
    objective: Objective,
    plan: Plan,
    stop: int,
    by: int,
    *,
    route: int | None = None,
    kind: str = "swap",
    reach: int = REACH,
) -> Change:
    """
    Replace a stop by another one on all routes that pass it, or on one.

    Of all paths that join the route anew within `reach` positions on both sides, and are at most `SLACK_S` seconds of round trip longer
    than the shortest, the one of highest objective is taken; the shortest on a tie.

    Parameters
    ----------
    problem
        Network and demand.
    objective
        What a plan is worth.
    plan
        The plan.
    stop, by
        Stop indices: the one removed, and the one inserted.
    route
        Place of the only route to change; all that pass the stop by default.
    kind
        ``swap`` or ``move``.
    reach
        Places on each side that may be joined anew.

    Returns
    -------
    Change
        The plan with the other stop.

    Raises
    ------
    UsageError
        If no route passes the stop, both are the same, or no path joins the other one in.
    """
    if stop == by:
        msg = f"stop {stop} would be put in its own place; name another one"
        raise UsageError(msg)
    changed = plan
    rows = _routes_through(plan, stop, route, problem.network)
    for k in rows:
        best = best_swap(RouteEvaluator(problem, objective, changed), k, stop, by, reach)
        if best is None:
            msg = f"route {plan.names[k]} cannot pass stop {by} in place of {stop}: no way joins it in without passing a stop twice"
            raise UsageError(msg)
        changed = best
    return Change(kind, f"stop {by} in place of {stop}", changed, tuple(plan.names[k] for k in rows))


def best_swap(route_evaluator: RouteEvaluator, k: int, stop: int, by: int, reach: int = REACH) -> Plan | None:
    """
    Plan with one stop replaced on one route, joined by the path of highest objective.

    Parameters
    ----------
    route_evaluator
        Of the plan.
    k
        Place of the route.
    stop, by
        Stop indices.
    reach
        Places on each side that may be joined anew.

    Returns
    -------
    Plan or None
        None if no path joins it in.
    """
    stops = route_evaluator.plan.routes[k].stops
    changes: list[RouteChange] = []
    for p in np.flatnonzero(stops == stop).tolist():
        windows = windows_around(p, len(stops), reach)
        if by in stops:
            changes += route_evaluator.splices(
                k, ((i, j) for i, j in windows if by not in stops[i + 1 : j] and i >= 0 and j < len(stops)), shut=stop
            )
        else:
            changes += route_evaluator.splices(k, windows, via=by, shut=stop)
    best = route_evaluator.best(changes)
    return None if best is None else route_evaluator.plan_with(best)


def drop_route(plan: Plan, route: int) -> Change:
    """
    Run a plan without one of its routes.

    Parameters
    ----------
    plan
        The plan, of two routes or more.
    route
        Its place.

    Returns
    -------
    Change
        The plan without it.

    Raises
    ------
    UsageError
        If it is the only route.
    """
    if len(plan) < 2:  # noqa: PLR2004 - the last route stays
        msg = f"route {plan.names[route]} is the only one; a plan without routes serves nobody"
        raise UsageError(msg)
    other_routes = plan.routes[:route] + plan.routes[route + 1 :]
    return Change("drop", f"route {plan.names[route]} dropped", Plan(other_routes, plan.network_fingerprint), (plan.names[route],))


def pass_by(
    problem: Problem,
    objective: Objective,
    plan: Plan,
    stop: int,
    *,
    route: int | None = None,
    limits: RouteLimits | None = None,
    reach: int = 2,
    min_count: float = EXACT,
) -> Change:
    """
    Let a route call at a stop.

    Of all routes and detours at most `SLACK_S` seconds of round trip longer than the shortest, the one of highest objective is taken;
    the shortest on a tie.

    Parameters
    ----------
    problem
        Network and demand.
    objective
        What a plan is worth.
    plan
        The plan.
    stop
        Stop index.
    route
        Place of the route; any by default.
    limits
        What the changed route must keep; None for nothing.
    reach
        Places on each side that may be joined anew.
    min_count
        Trips or people a night of which values are rounded down to multiples before one way is chosen; exact by default.

    Returns
    -------
    Change
        The plan with the stop.

    Raises
    ------
    UsageError
        If the route passes it already, or no path joins it in.
    """
    chosen = range(len(plan)) if route is None else [route]
    if any(stop in plan.routes[k].positions for k in chosen):
        name = next(plan.names[k] for k in chosen if stop in plan.routes[k].positions)
        msg = f"route {name} passes stop {stop} already; name another place"
        raise UsageError(msg)
    route_evaluator = RouteEvaluator(problem, objective, plan, limits, min_count)
    best = route_evaluator.best(change for k in chosen for change in detours(route_evaluator, k, stop, reach))
    if best is None:
        msg = f"no route can pass stop {stop} within the limits; allow more kilometres or minutes, or name another place"
        raise UsageError(msg)
    return Change("via", f"route {plan.names[best.route]} by stop {stop}", route_evaluator.plan_with(best), (plan.names[best.route],))


def detours(route_evaluator: RouteEvaluator, k: int, stop: int, reach: int = 2) -> Iterator[RouteChange]:
    """
    Detours of a route to a stop, from the positions nearest to it, and extensions of its ends.

    Parameters
    ----------
    route_evaluator
        Of the plan.
    k
        Place of the route.
    stop
        Stop index.
    reach
        Most positions that a detour may skip on each side.

    Yields
    ------
    RouteChange
        Those that can be joined and keep the limits.
    """
    stops = route_evaluator.plan.routes[k].stops
    n = len(stops)
    drive_s = route_evaluator.problem.network.drive_s
    away = drive_s[stops, stop].astype(np.int64) + drive_s[stop, stops]
    nearest = np.argsort(away, kind="stable")[:_TRIED].tolist()
    pairs = {(i, j) for p in nearest for i in range(max(0, p - reach), p + 1) for j in range(max(p, i + 1), min(n, p + 1 + reach))}
    pairs |= {(n - 1, n)} if n - 1 in nearest else set()
    pairs |= {(-1, 0)} if 0 in nearest else set()
    yield from route_evaluator.splices(k, iter(sorted(pairs)), via=stop)


def _routes_through(plan: Plan, stop: int, route: int | None, network: Network) -> list[int]:
    """Rows of the routes that pass a stop, refused if there is none."""
    rows = [k for k in range(len(plan)) if stop in plan.routes[k].stops]
    if route is not None:
        rows = [k for k in rows if k == route]
    if not rows:
        used = plan.used_stops if route is None else np.unique(plan.routes[route].stops)
        near = used[np.argsort(network.drive_s[stop, used], kind="stable")[:3]].tolist()
        who = "no route passes" if route is None else f"route {plan.names[route]} does not pass"
        msg = f"{who} stop {stop}; the nearest stops with a route are {', '.join(map(str, near))}"
        raise UsageError(msg)
    kept = [plan.names[k] for k in rows if plan.routes[k].is_one_way]
    if kept:
        msg = f"route {kept[0]} runs in one direction only, so its stops stay as they are; name another route, or drop this one"
        raise UsageError(msg)
    return rows


def _without(route_evaluator: RouteEvaluator, k: int, stop: int) -> Plan:
    """Plan with a stop left out of one route, wherever it passes it."""
    plan = route_evaluator.plan
    stops = plan.routes[k].stops
    p = int(np.flatnonzero(stops == stop)[0])
    changes: list[RouteChange] = []
    if p in {0, len(stops) - 1}:
        kept = stops[1:] if p == 0 else stops[:-1]
        candidate = route_evaluator.candidate(k, kept) if len(kept) > 1 else None
        changes = [candidate] if candidate is not None else []
    for reach in range(1, REACH + 1):
        if not changes:
            changes = list(route_evaluator.splices(k, windows_around(p, len(stops), reach), shut=stop))
    if not changes:
        msg = f"route {plan.names[k]} cannot be joined around stop {stop}; drop the route, or move the stop"
        raise UsageError(msg)
    best = min(changes, key=lambda change: (_n_changed(stops, change.stops), change.cycle_s, -change.value))
    after = route_evaluator.plan_with(best)
    return after if stop not in best.stops else _without(RouteEvaluator(route_evaluator.problem, route_evaluator.objective, after), k, stop)


def _n_changed(before: NDArray[np.int32], after: NDArray[np.int32]) -> int:
    """Stops that are on one of two routes only."""
    return int(np.setxor1d(before, after).size)
