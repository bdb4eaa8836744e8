"""
The best K of a list of routes by mixed-integer programming; on small networks the list has every route within the limits.

Without transfers the objective of a plan is a cover problem, in which each trip and person counts once:

    maximise    sum over groups g of worth_g y_g
    subject to  y_g <= sum of z_r over the routes r that serve g
                sum of z_r <= K,  sum of buses_r z_r <= fleet,  sum of metres_r z_r <= all metres
                z_r in {0, 1},  0 <= y_g <= 1

A group is the trips between two hexes, or the people of one, that the same routes serve. Where people of districts must be reached, their
points of area are in groups too, and ``sum over groups g of people_dg y_g >= least_d`` for each district d. Fixed routes are listed with
``z_r = 1``. Required stops, hubs and terminals are rows ``sum over routes of calls_cr z_r >= least_c`` (`owlbus.search.exact_constraints`),
beside which a route may be taken several times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.enumerate_routes import enumerate_routes
from owlbus.kernels.rides import NEVER
from owlbus.network.walk_sheds import points_of
from owlbus.plan import limit_rows, plan_measures
from owlbus.search.constraints import PlanConstraints
from owlbus.search.exact_constraints import call_rows, ends_kept, has_exact_rows
from owlbus.search.group_presence import points_reached
from owlbus.search.highs import new_model, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

MOST_ROUTES = 6_000
_MOST_STOPS = 1_500
_MOST_STOPS_IN_ALL = 200_000
_MOST_CELLS = 6_000_000
_MOST_KEPT = 1_500
_TOLERANCE = 1e-6
"""Relative error that the solver's bound may have: its feasibility tolerance."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteList:
    """
    Routes within limits, and what each serves.

    Attributes
    ----------
    routes
        Stops of each route, R of them.
    serves
        Whether route r serves group g, shape (R, G), bool.
    group_quanta
        What each group is worth in 1/1024, shape (G,), float64, > 0.
    buses
        Buses that each route needs, shape (R,), int64.
    length_m
        Longer one-way metres of each route, shape (R,), int64.
    people, least
        People of districts in each group, shape (D, G), and the least of each district, shape (D,), float64; without any by default.
    n_fixed
        Routes at the beginning that every choice contains.
    calls, least_calls
        Whether each route counts for a constraint, shape (C, R), float64, and how many must, shape (C,), float64; without any by default.
    """

    routes: tuple[NDArray[np.int32], ...]
    serves: NDArray[np.bool_]
    group_quanta: NDArray[np.float64]
    buses: NDArray[np.int64]
    length_m: NDArray[np.int64]
    people: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    least: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    n_fixed: int = 0
    calls: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    least_calls: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class ExactBest:
    """
    Best choice among listed routes.

    Attributes
    ----------
    routes
        Stops of each route chosen, the fixed ones first; empty if the time ran out before any choice was found.
    bound_quanta
        No choice is worth more, in 1/1024.
    is_impossible
        Whether no choice keeps the limits and constraints.
    """

    routes: tuple[NDArray[np.int32], ...]
    bound_quanta: int
    is_impossible: bool = False


def list_problem(
    problem: Problem, objective: Objective, limits: RouteLimits, constraints: PlanConstraints | None = None
) -> RouteList | None:
    """
    All routes of a problem, less those that another one dominates, if they are few enough.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth; transfers are not seen.
    limits
        What a route must keep; fixed ones need not.
    constraints
        What else a plan keeps, all of it; the problem leaves out what they forbid.

    Returns
    -------
    RouteList or None
        None if there are more than `MOST_ROUTES` routes, a quarter as many stops, too many routes that none replaces, or more routes with
        given terminals than can be told apart.
    """
    constraints = constraints or PlanConstraints()
    if problem.network.n_stops > _MOST_STOPS or not has_exact_rows(constraints):
        return None
    start, stops = np.zeros(MOST_ROUTES + 1, np.int64), np.empty(_MOST_STOPS_IN_ALL, np.int32)
    alone = limit_rows(replace(limits, max_total_length_m=math.inf, max_buses=math.inf), ("",))
    n_found = enumerate_routes(problem.graph, alone, problem.drive(), start, stops)
    if n_found < 0:
        return None
    routes = tuple(stops[start[r] : start[r + 1]].copy() for r in range(n_found))
    n_columns = problem.trips[0].size * bool(objective.trips) + problem.n_rows
    if constraints.groups:
        n_columns += len(constraints.groups) * problem.network.grid.n_hexes * points_of(problem.network).n_points
    if n_found * n_columns > _MOST_CELLS:
        return None
    listing = listing_of(problem, objective, limits, routes, constraints)
    return None if len(listing.routes) > _MOST_KEPT else listing


def listing_of(
    problem: Problem,
    objective: Objective,
    limits: RouteLimits,
    routes: Sequence[NDArray[np.int32]],
    constraints: PlanConstraints | None = None,
) -> RouteList:
    """
    Trips and people that routes serve without transfers, less the routes that another one dominates.

    Fixed routes come first, whether another one dominates them or not; routes that end where none may are left out.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth; transfers are not seen.
    limits
        What all routes together must keep.
    routes
        Stops of each route, each within the limits of a route.
    constraints
        What else a plan keeps.

    Returns
    -------
    RouteList
        At most `_MOST_KEPT` routes and one more, beside the fixed ones.
    """
    constraints = constraints or PlanConstraints()
    fixed = constraints.fixed or ()
    routes = [*(route.positions for route in fixed), *(stops for stops in routes if ends_kept(constraints, stops))]
    *pairs, quanta = (column if objective.trips else column[:0] for column in problem.trips)
    limit_s = problem.limits_of(*pairs)
    measured = [
        *([] if constraints.fixed is None else _measure_fixed(problem, constraints.fixed, (pairs[0], pairs[1]), limit_s, limits)),
        *(_measure(problem, route, (pairs[0], pairs[1]), limit_s, limits) for route in routes[len(fixed) :]),
    ]
    serves = np.array([row for row, _, _ in measured], np.bool_).reshape(len(routes), pairs[0].size + problem.n_rows)
    value_quanta = np.concatenate([quanta * float(objective.trips), problem.presence * float(objective.presence)])
    reaches, people, least = points_reached(problem.network, routes, constraints.groups)
    serves = np.concatenate([serves, reaches], axis=1)
    people = np.concatenate([np.zeros((least.size, value_quanta.size)), people], axis=1)
    value_quanta = np.concatenate([value_quanta, np.zeros(reaches.shape[1])])
    served = serves.any(axis=0) & ((value_quanta > 0) | (people > 0).any(axis=0))
    groups, where = np.unique(serves[:, served], axis=1, return_inverse=True)
    summed: NDArray[np.float64] = np.bincount(where.ravel(), weights=value_quanta[served], minlength=groups.shape[1]).astype(np.float64)
    buses, metres = (np.array([row[column] for row in measured], np.int64) for column in (1, 2))
    calls, least_calls = call_rows(constraints, routes)
    counted = np.concatenate([groups, calls.T > 0], axis=1)[len(fixed) :]
    free = _undominated(counted, buses[len(fixed) :], metres[len(fixed) :], limits)
    kept = np.concatenate([np.arange(len(fixed)), len(fixed) + free])
    by_group = (
        np.stack([np.bincount(where.ravel(), row[served], groups.shape[1]).astype(np.float64) for row in people]) if least.size else people
    )
    chosen = tuple(routes[r] for r in kept)
    return RouteList(chosen, groups[kept], summed, buses[kept], metres[kept], by_group, least, len(fixed), calls[:, kept], least_calls)


def best_of_listing(
    listing: RouteList,
    n_routes: int,
    limits: RouteLimits,
    seconds: float = math.inf,
    *,
    most_nodes: int | None = None,
    start: Sequence[int] = (),
) -> ExactBest:
    """
    Best K of the listed routes, or a bound on them.

    Parameters
    ----------
    listing
        The routes.
    n_routes
        Routes K.
    limits
        What all routes together must keep.
    seconds
        Seconds after which the solver ends.
    most_nodes
        Nodes of the search tree after which it ends, whatever the machine; no such end if None.
    start
        Rows of routes that are a first choice.

    Returns
    -------
    ExactBest
        The choice and the bound; both are worth the same, up to the solver's tolerance, if the time suffices.
    """
    import highspy

    if not listing.routes or not (listing.group_quanta.size or listing.least_calls.size):
        return ExactBest(listing.routes[: listing.n_fixed], 0)
    ends_by_nodes = {} if most_nodes is None else {"mip_max_nodes": most_nodes}
    model = new_model(time_limit=seconds, mip_rel_gap=0.0, mip_abs_gap=0.5, **ends_by_nodes)
    n_listed = len(listing.routes)
    model.passModel(_program(listing, n_routes, limits))
    if start:
        rows = sorted({*range(listing.n_fixed), *start})
        chosen = np.zeros(n_listed)
        chosen[rows] = 1
        first = highspy.HighsSolution()
        first.col_value = np.concatenate([chosen, listing.serves[rows].any(axis=0)]).tolist()
        model.setSolution(first)
    solve(model)
    info = model.getInfo()
    most_quanta = float(listing.group_quanta.sum())
    bound = min(most_quanta, -info.mip_dual_bound) if math.isfinite(info.mip_dual_bound) else most_quanta
    values = np.array(model.getSolution().col_value[:n_listed]) if math.isfinite(info.objective_function_value) else np.zeros(n_listed)
    times = np.rint(values).astype(np.int64)
    routes = tuple(listing.routes[r] for r in np.repeat(np.arange(n_listed), times).tolist())
    is_impossible = model.getModelStatus() == highspy.HighsModelStatus.kInfeasible
    return ExactBest(routes, math.floor(min(most_quanta, bound * (1 + _TOLERANCE)) + _TOLERANCE), is_impossible)


def _program(listing: RouteList, n_routes: int, limits: RouteLimits) -> Any:  # noqa: ANN401 -- the solver ships no types
    """Mixed-integer program, row by row; its columns are the routes and then the groups."""
    import highspy

    n_listed, n_groups = listing.serves.shape
    loads = [(np.ones(n_listed), n_routes), (listing.buses, limits.max_buses), (listing.length_m, limits.max_total_length_m)]
    bounded = [(load, upper) for load, upper in loads if math.isfinite(upper)]
    held = [(row, least) for row, least in zip(listing.people, listing.least, strict=True) if least > 0]
    n_calls = listing.least_calls.size
    ends, index, value = _group_rows(listing.serves)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n_listed + n_groups, n_groups + len(bounded) + n_calls + len(held)
    lp.col_cost_ = np.concatenate([np.zeros(n_listed), -listing.group_quanta])
    is_fixed = np.arange(lp.num_col_) < listing.n_fixed
    lp.col_lower_ = is_fixed.astype(np.float64)
    lp.col_upper_ = np.where((np.arange(lp.num_col_) < n_listed) & ~is_fixed & (n_calls > 0), float(n_routes), 1.0)
    lp.row_lower_ = np.concatenate([np.full(n_groups + len(bounded), -highspy.kHighsInf), listing.least_calls, np.ones(len(held))])
    loads_upper = [float(upper) for _, upper in bounded]
    lp.row_upper_ = np.concatenate([np.zeros(n_groups), loads_upper, np.full(n_calls + len(held), highspy.kHighsInf)])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    sizes = [n_listed] * (len(bounded) + n_calls) + [n_groups] * len(held)
    lp.a_matrix_.start_ = np.concatenate([[0], ends, index.size + np.cumsum(sizes, dtype=np.int64)]).astype(np.int32)
    in_order = np.arange(n_listed + n_groups, dtype=np.int32)
    of_routes = [in_order[:n_listed]] * (len(bounded) + n_calls)
    lp.a_matrix_.index_ = np.concatenate([index, *of_routes, *(in_order[n_listed:] for _ in held)])
    loads_and_people = [*(load.astype(np.float64) for load, _ in bounded), *listing.calls, *(row / least for row, least in held)]
    lp.a_matrix_.value_ = np.concatenate([value, *loads_and_people])
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger] * n_listed + [kinds.kContinuous] * n_groups
    return lp


def _group_rows(serves: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Rows that let a group count only if a route serves it: where each ends, columns and factors."""
    n_listed, n_groups = serves.shape
    group, route = np.nonzero(serves.T)
    ends = np.cumsum(np.bincount(group, minlength=n_groups) + 1)
    index, value = np.empty(group.size + n_groups, np.int32), np.full(group.size + n_groups, -1.0)
    index[ends - 1], value[ends - 1] = n_listed + np.arange(n_groups), 1.0
    index[value < 0] = route
    return ends, index, value


def _measure(
    problem: Problem, route: NDArray[np.int32], pairs: tuple[NDArray[np.int32], ...], limit_s: NDArray[np.float32], limits: RouteLimits
) -> tuple[NDArray[np.bool_], int, int]:
    """Pairs and hexes that a route serves, its buses, and its metres in the longer direction."""
    ahead, back = np.empty(route.size, np.float32), np.empty(route.size, np.float32)
    metres = max(measure_route(problem.graph, route, route.size, ahead, back))
    cycle_s = int(ahead[-1] + back[-1])
    return _served_by(problem, route, (ahead, back), pairs, limit_s), max(1, -(-cycle_s // limits.headway_s)), metres


def _measure_fixed(
    problem: Problem, fixed: Plan, pairs: tuple[NDArray[np.int32], ...], limit_s: NDArray[np.float32], limits: RouteLimits
) -> list[tuple[NDArray[np.bool_], int, int]]:
    """Return for each fixed route, as it runs, what `_measure` says of a route."""
    padded, measures = problem.pad(fixed), plan_measures(problem.network, fixed, limits.headway_s)
    ways = ((padded.stops[k, :n], (padded.ahead_s[k, :n], padded.back_s[k, :n])) for k, n in enumerate(padded.n_stops.tolist()))
    served = [_served_by(problem, stops, seconds, pairs, limit_s) for stops, seconds in ways]
    return list(zip(served, measures.buses.tolist(), measures.longer_length_m.tolist(), strict=True))


def served_by_fixed(problem: Problem, fixed: Plan) -> NDArray[np.bool_]:
    """
    Directed pairs of a problem that fixed routes serve without a transfer.

    Parameters
    ----------
    problem
        Network, demand and rule; D directed pairs with trips.
    fixed
        Routes, as they run.

    Returns
    -------
    ndarray of bool
        In the order of `Problem.trips`, shape (D,).
    """
    pairs = problem.trips[:2]
    padded, limit_s = problem.pad(fixed), problem.limits_of(*pairs)
    served = np.zeros(limit_s.size, np.bool_)
    for k, n in enumerate(padded.n_stops.tolist()):
        seconds = padded.ahead_s[k, :n], padded.back_s[k, :n]
        served |= _served_by(problem, padded.stops[k, :n], seconds, pairs, limit_s)[: served.size]
    return served


def _served_by(
    problem: Problem,
    route: NDArray[np.int32],
    running_s: tuple[NDArray[np.float32], NDArray[np.float32]],
    pairs: tuple[NDArray[np.int32], ...],
    limit_s: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Pairs and hexes that a route with these running seconds in each direction serves."""
    ahead, back = running_s
    shed_indptr, shed_hex = problem.graph.shed_indptr, problem.graph.shed_hex
    sheds = [shed_hex[shed_indptr[stop] : shed_indptr[stop + 1]] for stop in route]
    position = np.repeat(np.arange(route.size), [shed.size for shed in sheds])
    rows, row = np.unique(np.concatenate(sheds), return_inverse=True)
    row_of_hex = np.full(problem.n_rows, -1)
    row_of_hex[rows] = np.arange(rows.size)
    seconds = np.where(position[:, None] <= position, ahead[position] - ahead[position][:, None], back[position][:, None] - back[position])
    rides = np.full((rows.size, rows.size), NEVER, np.float32)
    np.minimum.at(rides, (row.ravel()[:, None], row.ravel()), seconds)
    begin, end = row_of_hex[pairs[0]], row_of_hex[pairs[1]]
    inside = np.flatnonzero((begin >= 0) & (end >= 0))
    serves = np.zeros(begin.size + problem.n_rows, np.bool_)
    serves[inside] = rides[begin[inside], end[inside]] <= limit_s[inside]
    serves[begin.size + rows] = True
    return serves


def _undominated(serves: NDArray[np.bool_], buses: NDArray[np.int64], metres: NDArray[np.int64], limits: RouteLimits) -> NDArray[np.int64]:
    """Routes that none dominates, that is, serves at least as much with no more of what is limited; ties go to the first."""
    order = np.lexsort((metres, buses, -serves.sum(axis=1)))
    needs = [load for load, upper in ((buses, limits.max_buses), (metres, limits.max_total_length_m)) if math.isfinite(upper)]
    kept, rows = np.empty(order.size, np.int64), np.empty_like(serves)
    size = 0
    for r in order.tolist():
        covers = ~(serves[r] & ~rows[:size]).any(axis=1)
        for load in needs:
            covers &= load[kept[:size]] <= load[r]
        if serves[r].any() and not covers.any():
            kept[size], rows[size] = r, serves[r]
            size += 1
        if size > _MOST_KEPT:
            break
    return kept[:size]
