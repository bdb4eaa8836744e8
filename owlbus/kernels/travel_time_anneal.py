"""
Simulated annealing of plans judged by passenger travel time, in blocks of moves on two routes.

A block draws two routes and closes the others once. Moves on the first route see the others and the second as fixed, then tails are
swapped between both, then moves on the second follow. All that is redone for a move is one sweep along one route (`transit.cost_with`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.group_reach import hold_reached, missing_people, reach_others
from owlbus.kernels.jit import inlined, lean_kernel
from owlbus.kernels.keeps_limits import buses_of, keeps_limits
from owlbus.kernels.moves import next_random, random_below
from owlbus.kernels.route_constraints import count_calls, ends_allowed, keeps_constraints
from owlbus.kernels.straightness import learn_route
from owlbus.kernels.travel_time_cost import copy_row, cost_with, join_route, settle
from owlbus.kernels.travel_time_moves import CHANCES, propose_route, swap_tails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.kernels.structs import Constraints, Drive, Graph
    from owlbus.kernels.travel_time_cost import OtherRoutes, StopGraph, Workspace

MOVES = 32
"""Moves on each of two routes in a block."""

SWAPS = 8
"""Swaps of tails in a block."""

BLOCK = 2 * MOVES + SWAPS
"""Moves in a block."""


class TravelTimeState(NamedTuple):
    """
    One search: its plan, the best plan met, and work space. K routes of at most M stops.

    Attributes
    ----------
    routes, sizes
        Stop indices, int32 (K, M + 1), and stops of each route, int64 (K,).
    best_routes, best_sizes, best
        The best plan met, and its cost, int64 (1,).
    tried
        Plans judged, int64 (1,).
    rises
        By how much the last moves that made the plan worse did so, int64 (N,); -1 where there was none yet.
    outer, inner, spare
        `OtherRoutes` of the plan without both routes of a block, without one, and to write into.
    hands
        Room for four routes, int32 (4, M + 1).
    rng_state
        Random state, uint64 (1,).
    free
        Routes that may change, int64 (F,), F >= 1.
    """

    routes: NDArray[np.int32]
    sizes: NDArray[np.int64]
    best_routes: NDArray[np.int32]
    best_sizes: NDArray[np.int64]
    best: NDArray[np.int64]
    tried: NDArray[np.int64]
    rises: NDArray[np.int64]
    outer: OtherRoutes
    inner: OtherRoutes
    spare: OtherRoutes
    hands: NDArray[np.int32]
    rng_state: NDArray[np.uint64]
    free: NDArray[np.int64]


class Rules(NamedTuple):
    """
    What routes must keep besides being simple and of so many stops.

    Attributes
    ----------
    graph, drive, limits, constraints
        As in `owlbus.kernels.anneal`.
    ahead_s, back_s
        Work space, float32 (M + 1,).
    calls
        Work space: other routes that call at each wanted stop, int64 (R,).
    """

    graph: Graph
    drive: Drive
    limits: Limits
    constraints: Constraints
    ahead_s: NDArray[np.float32]
    back_s: NDArray[np.float32]
    calls: NDArray[np.int64]


@inlined
def _load(rules: Rules, stops: NDArray[np.int32], n: int) -> tuple[float, float]:
    """Metres, the longer direction, and buses of a route."""
    if n < 2:
        return 0.0, 0.0
    metres = measure_route(rules.graph, stops, n, rules.ahead_s, rules.back_s)
    return float(max(metres[0], metres[1])), float(buses_of(rules.ahead_s[n - 1] + rules.back_s[n - 1], rules.limits.headway_s))


@inlined
def _keeps(rules: Rules, k: int, stops: NDArray[np.int32], n: int, other_m: float, other_buses: float) -> bool:
    """Whether a route of linked stops keeps the limits beside others."""
    metres = measure_route(rules.graph, stops, n, rules.ahead_s, rules.back_s)
    there, home = rules.ahead_s[n - 1], rules.back_s[n - 1]
    return bool(keeps_limits(rules.drive, rules.limits, k, stops, n, there, home, metres, other_m, other_buses))


@inlined
def _load_of_others(rules: Rules, plan: tuple[NDArray[np.int32], NDArray[np.int64]], k: int, other: int) -> tuple[float, float]:
    """Metres, the longer direction of each, and buses of all routes but `k` and `other`, which may be -1."""
    routes, sizes = plan
    metres, buses = 0.0, 0.0
    for r in range(sizes.shape[0]):
        if r not in (k, other):
            load = _load(rules, routes[r], sizes[r])
            metres += load[0]
            buses += load[1]
    return metres, buses


@inlined
def _is_allowed(
    rules: Rules,
    plan: tuple[NDArray[np.int32], NDArray[np.int64]],
    used: tuple[float, float],
    k: int,
    other: int,
    stops: NDArray[np.int32],
    n: int,
    stops_2: NDArray[np.int32],
    n_2: int,
) -> bool:
    """
    Whether a changed route, and one that it swapped tails with unless that is -1, keep limits and wishes beside the other routes.

    `used` is what `_load_of_others` gives for `k` and `other`. For a route changed alone, `rules.calls` holds the calls of the others.
    """
    metres, buses = used
    if other >= 0:  # both keep their stops between them, so that no stop loses a call
        if not (ends_allowed(rules.constraints, k, stops, n) and ends_allowed(rules.constraints, other, stops_2, n_2)):
            return False
        load = _load(rules, stops, n)
        if not _keeps(rules, other, stops_2, n_2, metres + load[0], buses + load[1]):
            return False
        load = _load(rules, stops_2, n_2)
        return _keeps(rules, k, stops, n, metres + load[0], buses + load[1])
    if not _keeps(rules, k, stops, n, metres, buses):
        return False
    routes, sizes = plan
    return keeps_constraints(rules.constraints, rules.calls, k, routes[k], sizes[k], stops, n)


@lean_kernel
def anneal_blocks(graph: StopGraph, chain: TravelTimeState, workspace: Workspace, blocks: int, temperature: float, rules: Rules) -> None:
    """
    Try blocks of moves at one heat.

    A move is taken if its cost stays below the present one plus an exponential draw. All is one loop with one call of each large kernel,
    since numba compiles a kernel again for every level of calls above it.

    Parameters
    ----------
    graph
        A `transit.StopGraph`.
    chain
        The search, carried on.
    workspace
        Work space.
    blocks
        How many blocks of `BLOCK` moves.
    temperature
        Mean of the rise in cost that is accepted, in the unit of the cost; 0 takes no rise.
    rules
        `Rules` that changed routes keep.
    """
    routes, sizes, hands, rng_state, free = chain.routes, chain.sizes, chain.hands, chain.rng_state, chain.free
    count = free.shape[0]
    has_groups = rules.constraints.groups.least.shape[0] > 0
    for _ in range(blocks):
        draw = random_below(rng_state, count)
        first = free[draw]
        second = free[(draw + 1 + random_below(rng_state, count - 1)) % count] if count > 1 else -1
        # The one step that takes S**3: the other routes are closed once for all moves of the block.
        settle(graph, routes, sizes, first, second, chain.outer, workspace)
        cost: Any = np.int64(0)
        used = 0.0, 0.0
        lacks = False
        for step in range(BLOCK):
            k, other = (first, second) if step < MOVES + SWAPS else (second, first)
            swap = MOVES <= step < MOVES + SWAPS
            fresh = step in (0, MOVES + SWAPS)
            if count == 1 and step >= MOVES:
                break
            if step in (0, MOVES, MOVES + SWAPS):
                # The routes that `used` and the calls tell of stay as they are until the next of these steps.
                used = _load_of_others(rules, (routes, sizes), k, other if swap else -1)
                count_calls(rules.constraints, routes, sizes, k, rules.calls)
                lacks = has_groups and reach_others(rules.constraints.groups, routes, sizes, k, other if swap else -1)
                if lacks:
                    missing_people(rules.constraints.groups, routes[k], sizes[k], routes[other], sizes[other] if swap else 0)
                    hold_reached(rules.constraints.groups)
            n: Any = sizes[k]
            m: Any = sizes[other] if other >= 0 else 0
            copy_row(hands[0], routes[k])
            copy_row(hands[1], routes[other])
            if swap:
                copy_row(hands[2], routes[k])
                copy_row(hands[3], routes[other])
                n, m = swap_tails(graph, hands[2], n, hands[3], m, hands[0], hands[1], workspace.mark, rng_state)
            elif not fresh:
                n = propose_route(graph, hands[0], n, CHANCES[random_below(rng_state, CHANCES.shape[0])], workspace, rng_state)
            if n == 0:
                continue
            two = other if swap else -1
            if not fresh and not _is_allowed(rules, (routes, sizes), used, k, two, hands[0], n, hands[1], m):
                continue
            if lacks and not fresh and missing_people(rules.constraints.groups, hands[0], n, hands[1], m if swap else 0) < 0:
                continue
            # The route that does not change now joins the others, so that a move takes one sweep along the changed route.
            if fresh or swap:
                join_route(graph, chain.outer, hands[1], m, workspace, chain.inner)
            new = cost_with(graph, chain.inner, hands[0], n, workspace)
            if fresh:  # this step changes nothing: it costs the plan as it is against the routes just joined
                cost = new
                learn_route(rules.drive, rules.limits, k, hands[0], n)
                continue
            chain.tried[0] += 1
            if new > cost:
                chain.rises[chain.tried[0] % chain.rises.shape[0]] = new - cost
                # Metropolis: a rise is taken with the chance exp(-rise / heat).
                if temperature <= 0 or new > cost - np.int64(temperature * math.log(1.0 - next_random(rng_state))):
                    continue
            cost = new
            if lacks:
                hold_reached(rules.constraints.groups)
            learn_route(rules.drive, rules.limits, k, hands[0], n)
            copy_row(routes[k], hands[0])
            sizes[k] = n
            if swap:
                copy_row(routes[other], hands[1])
                sizes[other] = m
            if cost < chain.best[0]:  # `cost` is never below the exact cost, which boards a route again where that is faster
                chain.best[0] = join_route(graph, chain.inner, hands[0], n, workspace, chain.spare)
                for i in range(routes.shape[0]):
                    copy_row(chain.best_routes[i], routes[i])
                    chain.best_sizes[i] = sizes[i]
