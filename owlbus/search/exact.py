"""
The best K of a list of routes by mixed-integer programming; on small networks the list has every route within the limits.

Without transfers the objective of a plan is a cover problem, in which each trip and person counts once:

    maximise    sum over groups g of worth_g y_g
    subject to  y_g <= sum of z_r over the routes r that serve g
                sum of z_r <= K,  sum of buses_r z_r <= fleet,  sum of metres_r z_r <= all metres
                z_r in {0, 1},  0 <= y_g <= 1

A group is the trips between two hexes, or the people of one, that the same routes serve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.enumerate_routes import enumerate_routes
from owlbus.kernels.rides import NEVER
from owlbus.plan import limit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
    """

    routes: tuple[NDArray[np.int32], ...]
    serves: NDArray[np.bool_]
    group_quanta: NDArray[np.float64]
    buses: NDArray[np.int64]
    length_m: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ExactBest:
    """
    Best choice among listed routes.

    Attributes
    ----------
    routes
        Stops of each route chosen; empty if the time ran out before any choice was found.
    bound_quanta
        No choice is worth more, in 1/1024.
    """

    routes: tuple[NDArray[np.int32], ...]
    bound_quanta: int


def list_problem(problem: Problem, objective: Objective, limits: RouteLimits) -> RouteList | None:
    """
    All routes of a problem, less those that another one dominates, if they are few enough.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth; transfers are not seen.
    limits
        What a route must keep.

    Returns
    -------
    RouteList or None
        None if there are more than `MOST_ROUTES` routes, a quarter as many stops, or too many routes that none replaces.
    """
    if problem.network.n_stops > _MOST_STOPS:
        return None
    start, stops = np.zeros(MOST_ROUTES + 1, np.int64), np.empty(_MOST_STOPS_IN_ALL, np.int32)
    alone = limit_rows(replace(limits, max_total_length_m=math.inf, max_buses=math.inf), ("",))
    n_found = enumerate_routes(problem.graph, alone, problem.drive(), start, stops)
    if n_found < 0:
        return None
    routes = tuple(stops[start[r] : start[r + 1]].copy() for r in range(n_found))
    if n_found * (problem.trips[0].size * bool(objective.trips) + problem.n_rows) > _MOST_CELLS:
        return None
    listing = listing_of(problem, objective, limits, routes)
    return None if len(listing.routes) > _MOST_KEPT else listing


def listing_of(problem: Problem, objective: Objective, limits: RouteLimits, routes: Sequence[NDArray[np.int32]]) -> RouteList:
    """
    Trips and people that routes serve without transfers, less the routes that another one dominates.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth; transfers are not seen.
    limits
        What all routes together must keep.
    routes
        Stops of each route.

    Returns
    -------
    RouteList
        At most `_MOST_KEPT` routes and one more.
    """
    *pairs, quanta = (column if objective.trips else column[:0] for column in problem.trips)
    limit_s = problem.limits_of(*pairs)
    measured = [_measure(problem, route, (pairs[0], pairs[1]), limit_s, limits) for route in routes]
    serves = np.array([row for row, _, _ in measured], np.bool_).reshape(len(routes), pairs[0].size + problem.n_rows)
    value_quanta = np.concatenate([quanta * float(objective.trips), problem.presence * float(objective.presence)])
    served = serves.any(axis=0) & (value_quanta > 0)
    groups, where = np.unique(serves[:, served], axis=1, return_inverse=True)
    summed: NDArray[np.float64] = np.bincount(where.ravel(), weights=value_quanta[served], minlength=groups.shape[1]).astype(np.float64)
    buses, metres = (np.array([row[column] for row in measured], np.int64) for column in (1, 2))
    kept = _undominated(groups, buses, metres, limits)
    return RouteList(tuple(routes[r] for r in kept), groups[kept], summed, buses[kept], metres[kept])


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

    if not listing.routes or not listing.group_quanta.size:
        return ExactBest((), 0)
    # A Highs switches callbacks on when it is made and says its name on stdout meanwhile, before it can be told not to; its base does not.
    silent: Any = highspy.Highs.__mro__[1]
    model = silent()
    options = {"output_flag": False, "threads": 1, "time_limit": seconds, "mip_rel_gap": 0.0, "mip_abs_gap": 0.5}
    if most_nodes is not None:
        options["mip_max_nodes"] = most_nodes
    for option, value in options.items():
        model.setOptionValue(option, value)
    n_listed = len(listing.routes)
    model.passModel(_program(listing, n_routes, limits))
    if start:
        chosen = np.zeros(n_listed)
        chosen[list(start)] = 1
        first = highspy.HighsSolution()
        first.col_value = np.concatenate([chosen, listing.serves[list(start)].any(axis=0)]).tolist()
        model.setSolution(first)
    model.run()
    info = model.getInfo()
    most_quanta = float(listing.group_quanta.sum())
    bound = min(most_quanta, -info.mip_dual_bound) if math.isfinite(info.mip_dual_bound) else most_quanta
    values = np.array(model.getSolution().col_value[:n_listed]) if math.isfinite(info.objective_function_value) else np.zeros(n_listed)
    routes = tuple(listing.routes[r] for r in np.flatnonzero(values > 0.5))  # noqa: PLR2004 -- the middle of 0 and 1
    return ExactBest(routes, math.floor(min(most_quanta, bound * (1 + _TOLERANCE)) + _TOLERANCE))


def _program(listing: RouteList, n_routes: int, limits: RouteLimits) -> Any:  # noqa: ANN401 -- the solver ships no types
    """Mixed-integer program, row by row; its columns are the routes and then the groups."""
    import highspy

    n_listed, n_groups = listing.serves.shape
    group, route = np.nonzero(listing.serves.T)
    loads = [(np.ones(n_listed), n_routes), (listing.buses, limits.max_buses), (listing.length_m, limits.max_total_length_m)]
    bounded = [(load, upper) for load, upper in loads if math.isfinite(upper)]
    counts = np.bincount(group, minlength=n_groups) + 1
    ends = np.cumsum(counts)
    index, value = np.empty(ends[-1], np.int32), np.full(ends[-1], -1.0)
    index[ends - 1], value[ends - 1] = n_listed + np.arange(n_groups), 1.0
    inner = np.ones(ends[-1], np.bool_)
    inner[ends - 1] = False
    index[inner] = route
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n_listed + n_groups, n_groups + len(bounded)
    lp.col_cost_ = np.concatenate([np.zeros(n_listed), -listing.group_quanta])
    lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), np.ones(lp.num_col_)
    lp.row_lower_ = np.full(lp.num_row_, -highspy.kHighsInf)
    lp.row_upper_ = np.concatenate([np.zeros(n_groups), [float(upper) for _, upper in bounded]])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], ends, ends[-1] + n_listed * np.arange(1, len(bounded) + 1)]).astype(np.int32)
    lp.a_matrix_.index_ = np.concatenate([index, *(np.arange(n_listed, dtype=np.int32) for _ in bounded)])
    lp.a_matrix_.value_ = np.concatenate([value, *(load.astype(np.float64) for load, _ in bounded)])
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger] * n_listed + [kinds.kContinuous] * n_groups
    return lp


def _measure(
    problem: Problem, route: NDArray[np.int32], pairs: tuple[NDArray[np.int32], ...], limit_s: NDArray[np.float32], limits: RouteLimits
) -> tuple[NDArray[np.bool_], int, int]:
    """Pairs and hexes that a route serves, its buses, and its metres in the longer direction."""
    ahead, back = np.empty(route.size, np.float32), np.empty(route.size, np.float32)
    metres = max(measure_route(problem.graph, route, route.size, ahead, back))
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
    cycle_s = int(ahead[-1] + back[-1])
    return serves, max(1, -(-cycle_s // limits.headway_s)), metres


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
