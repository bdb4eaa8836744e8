"""
Simulated annealing of one route for trips carried, beside the other routes as they run.

Structs as in `owlbus.kernels.structs` and `owlbus.kernels.carried_structs`; moves, limits and constraints are those of
`owlbus.kernels.anneal`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.carried_gain import carried_gain, fill_room_between, room_factor
from owlbus.kernels.carried_journeys import prepare_journeys
from owlbus.kernels.coverage import measure_route
from owlbus.kernels.group_reach import hold_reached, missing_people, reach_others
from owlbus.kernels.jit import ZERO, inlined, kernel, lean_kernel
from owlbus.kernels.keeps_limits import Limits, keeps_limits
from owlbus.kernels.moves import N_MOVES, NEW_TAIL, draw_kind, is_same, is_simple, next_random, propose
from owlbus.kernels.route_constraints import count_calls, keeps_constraints
from owlbus.kernels.straightness import learn_route

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.carried_structs import OtherJourneys, PairRows, RideCosts, RouteScratch, Service
    from owlbus.kernels.structs import Candidate, Constraints, Drive, Graph, Routes

_IDLE, _REDRAWS = 16, 2
_MINUTE_S = 60


class Running(NamedTuple):
    """
    How one route runs whatever its course: with so many buses.

    Attributes
    ----------
    n_buses
        Buses on the route.
    min_headway_s
        Shortest headway in seconds.
    wait_s
        Wait for the route in generalised seconds by its headway in minutes, shape (N,), float32; the last element holds beyond.
    hour_units
        Riders whom a bus carries, times the seconds of an hour, in 2**-20 trips; infinite for no limit.
    """

    n_buses: int
    min_headway_s: int
    wait_s: NDArray[np.float32]
    hour_units: float


@inlined
def runs_at(running: Running, cycle_s: float) -> tuple[float, float]:
    """
    Wait for a route and riders whom it carries.

    Parameters
    ----------
    running
        How the route runs.
    cycle_s
        Seconds of a round trip.

    Returns
    -------
    tuple of float
        The wait in generalised seconds, and riders past a stop in an hour and direction in 2**-20 trips.
    """
    headway_s = max(running.min_headway_s, math.ceil(cycle_s / running.n_buses / _MINUTE_S) * _MINUTE_S)
    minutes = min(headway_s // _MINUTE_S, running.wait_s.shape[0] - 1)
    return float(running.wait_s[minutes]), running.hour_units / headway_s


@kernel
def gain_of_route(
    graph: Graph,
    costs: RideCosts,
    rows: PairRows,
    routes: Routes,
    service: Service,
    others: OtherJourneys,
    candidate: Candidate,
    running: Running,
    scratch: RouteScratch,
    k: int,
) -> int:
    """
    Trips that route `k` of a plan adds to the other ones.

    Parameters
    ----------
    graph, costs, rows, routes, service, others, scratch
        As of `owlbus.kernels.carried_gain.carried_gain`; the other routes are prepared.
    candidate
        Work space.
    running
        How the route runs.
    k
        The route.

    Returns
    -------
    int
        In 2**-30 trips.
    """
    prepare_journeys(graph, costs, routes, service, others, k)
    n = routes.n_stops[k]
    measure_route(graph, routes.stops[k], n, candidate.ahead_s, candidate.back_s)
    board_s, capacity = runs_at(running, candidate.ahead_s[n - 1] + candidate.back_s[n - 1])
    return carried_gain(
        graph,
        costs,
        rows,
        routes,
        service,
        others,
        routes.stops[k],
        n,
        candidate.ahead_s,
        candidate.back_s,
        board_s,
        capacity,
        scratch,
    )


@kernel
def anneal_carried(
    graph: Graph,
    drive: Drive,
    limits: Limits,
    attraction: NDArray[np.float64],
    constraints: Constraints,
    costs: RideCosts,
    rows: PairRows,
    routes: Routes,
    service: Service,
    others: OtherJourneys,
    candidate: Candidate,
    running: Running,
    scratch: RouteScratch,
    k: int,
    rng_state: NDArray[np.uint64],
    kinds: NDArray[np.float64],
    values: NDArray[np.int64],
    steps: int,
    most_changes: int,
    hot: float,
    cold: float,
) -> tuple[int, int]:
    """
    Change one route by annealing while its buses and the other routes stay.

    Parameters
    ----------
    graph, drive, limits, attraction, constraints, kinds, rng_state
        As of `owlbus.kernels.anneal.anneal`; ``limits.headway_s`` is the longest headway, and ``limits.max_buses`` the fleet.
    costs, rows, service, others, running, scratch
        As of `gain_of_route`.
    routes
        The plan; row `k` is changed.
    candidate
        Work space.
    k
        The route.
    values
        Moves evaluated at place 2, added to; int64 (5,).
    steps, most_changes
        Moves to try, and changes after which the block ends.
    hot, cold
        Temperature at the first and the last of these steps, in 2**-30 trips.

    Returns
    -------
    tuple of int
        Moves tried, and what the plan gains as this kernel counts, in 2**-30 trips.
    """
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    if n_stops[k] < 2:
        return 0, 0
    cand, cand_ahead, cand_back, mark = candidate.stops, candidate.ahead_s, candidate.back_s, candidate.mark
    groups = constraints.groups
    calls = np.zeros(constraints.required.shape[0], np.int64)
    idle = np.zeros(N_MOVES, np.int64)
    now = gain_of_route(graph, costs, rows, routes, service, others, candidate, running, scratch, k)
    begin = now
    other_m = other_metres(graph, routes, k, candidate)
    other_buses = limits.max_buses - running.n_buses
    measure_route(graph, stops[k], n_stops[k], ahead_s[k], back_s[k])
    learn_route(drive, limits, k, stops[k], n_stops[k])
    count_calls(constraints, stops, n_stops, k, calls)
    lacks = groups.least.shape[0] > 0 and reach_others(groups, stops, n_stops, k, -1)
    if lacks:
        missing_people(groups, stops[k], n_stops[k], stops[k], 0)
        hold_reached(groups)
    done, changes = ZERO, ZERO
    while done < steps and changes < most_changes:
        done += 1
        kind = draw_kind(kinds, rng_state)
        for _ in range(_REDRAWS):
            if idle[kind] >= _IDLE:  # none of the last ones kept the limits: another kind may fare better
                kind = draw_kind(kinds, rng_state)
        kinds[1, kind] += 1
        idle[kind] += 1
        n = propose(
            graph, drive, constraints.end_attraction if kind == NEW_TAIL else attraction, stops[k], n_stops[k], cand, kind, rng_state
        )
        if n < 2 or is_same(cand, n, stops[k], n_stops[k]) or not is_simple(cand, n, mark):
            continue
        if not keeps_constraints(constraints, calls, k, stops[k], n_stops[k], cand, n):
            continue
        metres = measure_route(graph, cand, n, cand_ahead, cand_back)
        if metres[0] < 0:
            continue
        ahead, back = cand_ahead[n - 1], cand_back[n - 1]
        if not keeps_limits(drive, limits, k, cand, n, ahead, back, metres, other_m, other_buses):
            continue
        if lacks and missing_people(groups, cand, n, cand, 0) < 0:
            continue
        values[2] += 1
        idle[kind] = 0
        accept_from = now + hot * (cold / hot) ** (done / steps) * math.log(1.0 - next_random(rng_state))
        board_s, capacity = runs_at(running, ahead + back)
        value = carried_gain(graph, costs, rows, routes, service, others, cand, n, cand_ahead, cand_back, board_s, capacity, scratch)
        if value < accept_from:
            continue
        kinds[2, kind] += 1
        changes += 1
        idle[:] = 0
        now = value
        n_stops[k] = n
        for p in range(n):
            stops[k, p] = cand[p]
            ahead_s[k, p] = cand_ahead[p]
            back_s[k, p] = cand_back[p]
        learn_route(drive, limits, k, stops[k], n)
        if lacks:
            hold_reached(groups)
    return int(done), int(now - begin)


@lean_kernel
def other_metres(graph: Graph, routes: Routes, k: int, candidate: Candidate) -> float:
    """
    Metres of all routes but one, the longer direction of each.

    Parameters
    ----------
    graph, routes
        The stop network and the plan.
    k
        The route to leave out.
    candidate
        Work space.

    Returns
    -------
    float
        Metres.
    """
    total = 0.0
    for other in range(routes.n_stops.shape[0]):
        if other != k and routes.n_stops[other] > 0:
            metres = measure_route(graph, routes.stops[other], routes.n_stops[other], candidate.ahead_s, candidate.back_s)
            total += max(metres[0], metres[1])
    return total


@lean_kernel
def fill_factors(
    costs: RideCosts, n_stops: NDArray[np.int64], wanted: NDArray[np.int64], capacity: NDArray[np.int64], factor: NDArray[np.int32]
) -> None:
    """
    Share of riders between any two positions of each route who find room.

    Parameters
    ----------
    costs
        Holds the share of trips of each hour.
    n_stops
        Stops of each route, shape (K,).
    wanted
        Riders who want to ride each segment a night, in either direction, shape (K, 2, M).
    capacity
        Riders whom the buses of each route carry in an hour and direction, in the same unit, shape (K,).
    factor
        Written: in 1/1024, shape (K, M, M).
    """
    for k in range(n_stops.shape[0]):
        for p in range(n_stops[k] - 1):
            factor[k, p, p + 1] = room_factor(costs.hour_share, wanted[k, 0, p] + wanted[k, 1, p], float(capacity[k]))
        fill_room_between(factor[k], n_stops[k])
