"""
Simulated annealing of a plan, one route at a time against the rest of it.

Structs as in `owlbus.kernels.structs`, and:

``limits``
    `owlbus.kernels.keeps_limits.Limits` of the K routes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.coverage import measure_route, prepare_other_routes, route_gain
from owlbus.kernels.gain_bound import gain_bound
from owlbus.kernels.group_reach import hold_reached, missing_people, reach_others
from owlbus.kernels.jit import ZERO, int64, kernel
from owlbus.kernels.keeps_limits import Limits, buses_of, keeps_limits
from owlbus.kernels.moves import (
    N_MOVES,
    NEW_TAIL,
    append_path,
    draw_kind,
    draw_stop,
    is_same,
    is_simple,
    next_random,
    propose,
    random_below,
)
from owlbus.kernels.near import NearConstraint, stops_changed
from owlbus.kernels.route_cache import cache_route, cached_gain
from owlbus.kernels.route_constraints import calls_at, count_calls, ends_allowed, keeps_constraints
from owlbus.kernels.splice import steps_apart
from owlbus.kernels.straightness import learn_route

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Candidate, Constraints, DemandRows, Drive, Graph, OtherRoutes, RouteCache, Routes

_IDLE = 16
_REDRAWS = 2
_CHANGES, _ROUTES_SQUARED_PER_CHANGE = 16, 7
"""Changes of a route after which the next is drawn; with many routes more, since what the others serve takes long to prepare anew."""


@kernel
def anneal(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    limits: Limits,
    attraction: NDArray[np.float64],
    constraints: Constraints,
    near: NearConstraint,
    routes: Routes,
    best_stops: NDArray[np.int32],
    best_n: NDArray[np.int64],
    frozen: NDArray[np.bool_],
    values: NDArray[np.int64],
    other_routes: OtherRoutes,
    route_cache: RouteCache,
    scratch: Candidate,
    rng_state: NDArray[np.uint64],
    kinds: NDArray[np.float64],
    steps: int,
    block: int,
    hot: float,
    cold: float,
    weights: NDArray[np.int64],
    transfer_s: float,
    max_transfers: int,
) -> int:
    """
    Improve a plan by annealing: blocks of moves on one route after another.

    Parameters
    ----------
    graph, demand, drive, limits, attraction, constraints
        The case.
    near
        Plan to stay near; a budget below 0 for none.
    routes
        The plan; changed in place.
    best_stops, best_n
        The best plan met, int32 (K, M) and (K,); changed in place.
    frozen
        Routes that stay as they are, bool (K,).
    values
        int64 (5,): value of the plan, of the best plan, moves evaluated, steps since the best got better, and moves whose
        bound did not settle them; changed in place.
    other_routes, route_cache, scratch
        Work space.
    rng_state
        Random state.
    kinds
        float64 (3, `N_MOVES`): running sum of the chance of each kind of move; and how many were tried and accepted, added to.
    steps
        Moves to try.
    block
        Moves on one route before the next is drawn, unless it changed often before that.
    hot, cold
        Temperature at the first and the last of these steps, in 1/1024 of what the objective counts.
    weights
        int64 (2,): what a served trip and a reached person count.
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    int
        Moves tried: `steps`, or 0 if every route is frozen or empty.
    """
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    cand, cand_ahead, cand_back, entry_scratch, mark = scratch.stops, scratch.ahead_s, scratch.back_s, scratch.scratch, scratch.mark
    groups = constraints.groups
    n_routes = n_stops.shape[0]
    most_changes = max(_CHANGES, n_routes * n_routes // _ROUTES_SQUARED_PER_CHANGE)
    metres = np.zeros(n_routes, np.int64)
    buses = np.zeros(n_routes, np.int64)
    others = np.zeros(constraints.required.shape[0], np.int64)
    idle = np.zeros(N_MOVES, np.int64)
    apart = np.zeros(n_routes, np.int64)
    movable = 0
    for k in range(n_routes):
        ahead_m, back_m = measure_route(graph, stops[k], n_stops[k], ahead_s[k], back_s[k])
        if n_stops[k] > 0:
            metres[k] = max(ahead_m, back_m)
            buses[k] = buses_of(ahead_s[k, n_stops[k] - 1] + back_s[k, n_stops[k] - 1], limits.headway_s)
        if n_stops[k] > 1 and not frozen[k]:
            movable += 1
        if near.budget >= 0:
            apart[k] = steps_apart(near.stops[k, : near.n_stops[k]], stops[k, : n_stops[k]])
    if movable == 0:
        return 0
    done = 0
    while done < steps:
        k = random_below(rng_state, n_routes)
        while frozen[k] or n_stops[k] < 2:
            k = random_below(rng_state, n_routes)
        prepare_other_routes(graph, routes, other_routes, k, transfer_s)
        served, people = cache_route(
            graph, demand, routes, other_routes, route_cache, stops[k], n_stops[k], ahead_s[k], back_s[k], entry_scratch, max_transfers
        )
        now = weights[0] * served + weights[1] * people
        learn_route(drive, limits, k, stops[k], n_stops[k])
        count_calls(constraints, stops, n_stops, k, others)
        lacks = groups.least.shape[0] > 0 and reach_others(groups, stops, n_stops, k, -1)
        missing, new_missing = ZERO, ZERO
        if lacks:
            missing = new_missing = int64(missing_people(groups, stops[k], n_stops[k], stops[k], 0))
            hold_reached(groups)
        other_m, other_buses = 0.0, 0.0
        for other in range(n_routes):
            if other != k:
                other_m += metres[other]
                other_buses += buses[other]
        allowed = near.reach - (apart.sum() - apart[k])
        away = 0
        idle[:] = 0
        left = min(block, steps - done)
        changes = 0
        while left > 0 and changes < most_changes:
            left -= 1
            done += 1
            values[3] += 1
            kind = draw_kind(kinds, rng_state)
            for _ in range(_REDRAWS):
                if idle[kind] >= _IDLE:  # none of the last ones kept the limits: another kind may fare better
                    kind = draw_kind(kinds, rng_state)
            kinds[1, kind] += 1
            idle[kind] += 1
            n = propose(
                graph, drive, constraints.end_attraction if kind == NEW_TAIL else attraction, stops[k], n_stops[k], cand, kind, rng_state
            )
            # Cheap tests first: most moves end here, and each next test costs about ten times as much.
            if n < 2 or is_same(cand, n, stops[k], n_stops[k]) or not is_simple(cand, n, mark):
                continue
            if not keeps_constraints(constraints, others, k, stops[k], n_stops[k], cand, n):
                continue
            if near.budget >= 0:
                away = stops_changed(near, k, cand, n, allowed)
                if away > allowed:
                    continue
            ahead_m, back_m = measure_route(graph, cand, n, cand_ahead, cand_back)
            if ahead_m < 0:
                continue
            ahead, back = cand_ahead[n - 1], cand_back[n - 1]
            if not keeps_limits(drive, limits, k, cand, n, ahead, back, (ahead_m, back_m), other_m, other_buses):
                continue
            if lacks:
                new_missing = int64(missing_people(groups, cand, n, cand, 0))
                if new_missing < 0:
                    continue
            values[2] += 1
            idle[kind] = 0
            # Metropolis' rule with the random number drawn first: a move is accepted if its value is at least this (Kirkpatrick, Gelatt
            # and Vecchi 1983), so a bound below it refuses the move without its value.
            accept_from = now + hot * (cold / hot) ** (done / steps) * math.log(1.0 - next_random(rng_state))
            accept_from += near.multiplier * (away - apart[k]) + groups.worth * (new_missing - missing)
            most_served, most_people, found = gain_bound(
                graph,
                demand,
                drive,
                routes,
                other_routes,
                route_cache,
                served,
                people,
                ahead_s[k],
                back_s[k],
                cand,
                n,
                cand_ahead,
                cand_back,
                max_transfers,
            )
            if found and weights[0] * most_served + weights[1] * most_people < accept_from:
                continue
            new_served, new_people = cached_gain(
                graph, demand, routes, other_routes, route_cache, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers
            )
            values[4] += 1
            value = weights[0] * new_served + weights[1] * new_people
            if value < accept_from:
                continue
            kinds[2, kind] += 1
            changes += 1
            idle[:] = 0
            served, people = new_served, new_people
            n_stops[k] = n
            for p in range(n):
                stops[k, p] = cand[p]
                ahead_s[k, p] = cand_ahead[p]
                back_s[k, p] = cand_back[p]
            learn_route(drive, limits, k, stops[k], n)
            metres[k] = max(ahead_m, back_m)
            buses[k] = buses_of(ahead + back, limits.headway_s)
            apart[k] = away
            if lacks:
                hold_reached(groups)
            missing = new_missing
            values[0] += value - now
            now = value
            cache_route(graph, demand, routes, other_routes, route_cache, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers)
            is_better = missing < groups.missing[0] or (missing == groups.missing[0] and values[0] > values[1])
            if is_better and (near.budget < 0 or apart.sum() <= near.budget):
                values[1] = values[0]
                groups.missing[0] = missing
                values[3] = 0
                for other in range(n_routes):
                    best_n[other] = n_stops[other]
                    for p in range(n_stops[other]):
                        best_stops[other, p] = stops[other, p]
    return done


@kernel
def best_drawn_route(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    limits: Limits,
    attraction: NDArray[np.float64],
    constraints: Constraints,
    unmet: NDArray[np.int32],
    routes: Routes,
    k: int,
    others: tuple[float, float],
    other_routes: OtherRoutes,
    scratch: Candidate,
    rng_state: NDArray[np.uint64],
    draws: int,
    weights: NDArray[np.int64],
    transfer_s: float,
    max_transfers: int,
) -> int:
    """
    Give an empty route the best of many drawn fastest paths: the one that calls at most of some stops, then the one that adds most.

    Where half of the draws find none that keeps the limits, the others are two fastest paths by a drawn stop: in a small network none may
    have the least number of stops.

    Parameters
    ----------
    graph, demand, drive, limits, attraction, constraints, routes, other_routes, scratch, rng_state, weights, transfer_s, max_transfers
        As in `anneal`; row `k` of `routes` is written.
    unmet
        Stops that too few routes call at, int32 (U,); each path leads by one of them.
    k
        The route to fill.
    others
        Metres and buses of the other routes, a pair.
    draws
        Paths to draw.

    Returns
    -------
    int
        What the route adds, in 1/1024; -1 if no drawn path keeps the limits.
    """
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    cand, cand_ahead, cand_back, entry_scratch, mark = scratch.stops, scratch.ahead_s, scratch.back_s, scratch.scratch, scratch.mark
    prepare_other_routes(graph, routes, other_routes, k, transfer_s)
    one, two = constraints.terminals[k, 0], constraints.terminals[k, 1]
    best, best_called = -1, -1
    for draw in range(draws):
        a = one if one >= 0 else draw_stop(constraints.end_attraction, rng_state)
        b = two if two >= 0 else draw_stop(constraints.end_attraction, rng_state)
        via = unmet[random_below(rng_state, unmet.shape[0])] if unmet.shape[0] > 0 else -1
        if via >= 0 and one < 0 and draw % 2 == 1:
            a = via
        elif via < 0 and ((two >= 0 and draw > 0) or (best < 0 and 2 * draw >= draws)):
            via = draw_stop(attraction, rng_state)  # where no fastest path keeps the limits, such as a least number of stops
        if a == b:
            continue
        cand[0] = a
        n = append_path(graph, drive, cand, ZERO + 1, int64(via), rng_state) if via >= 0 else ZERO + 1
        n = append_path(graph, drive, cand, n, b, rng_state) if n > 0 else -1
        if n < 2 or (via >= 0 and not is_simple(cand, n, mark)) or not ends_allowed(constraints, k, cand, n):
            continue
        metres = measure_route(graph, cand, n, cand_ahead, cand_back)
        if metres[0] < 0:
            continue
        if not keeps_limits(drive, limits, k, cand, n, cand_ahead[n - 1], cand_back[n - 1], metres, others[0], others[1]):
            continue
        served, people = route_gain(graph, demand, routes, other_routes, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers)
        value = weights[0] * served + weights[1] * people
        called = 0
        for stop in unmet:
            called += calls_at(cand, n, stop)
        if called > best_called or (called == best_called and value > best):
            best, best_called = value, called
            n_stops[k] = n
            for p in range(n):
                stops[k, p] = cand[p]
                ahead_s[k, p] = cand_ahead[p]
                back_s[k, p] = cand_back[p]
    return best
