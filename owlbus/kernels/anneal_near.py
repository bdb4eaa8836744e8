"""
Simulated annealing that stays near a given plan: at most so many stops changed, some kept.

Arrays as in `owlbus.kernels.anneal`, and:

``bounds``
    float64 (K, 9): the limits of each route as `owlbus.kernels.anneal` takes them; a given route that breaks one may keep breaking it as
    it does.
``base``
    ``(stops int32 (K, M), n_stops int32 (K,), keep uint8 (K, S))``: the given routes, and which of their stops stay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.anneal import buses_of, keeps_limits
from owlbus.kernels.coverage import measure_route, prepare_other_routes, route_gain
from owlbus.kernels.jit import inner_kernel, kernel
from owlbus.kernels.moves import (
    N_MOVES,
    is_simple,
    next_random,
    propose,
    random_below,
    reverse,
)
from owlbus.kernels.splice import steps_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Candidate, DemandRows, Drive, Graph, OtherRoutes, Routes


@inner_kernel
def _keeps_stops(
    base: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]], k: int, stops: NDArray[np.int32], n: int, mark: NDArray[np.uint8]
) -> bool:
    """Whether a route still passes every stop that stays; `mark`, uint8 (S,), is left as it was."""
    base_stops, base_n, keep = base
    for p in range(n):
        mark[stops[p]] = 1
    kept = True
    for p in range(base_n[k]):
        stop = base_stops[k, p]
        if keep[k, stop] and not mark[stop]:
            kept = False
    for p in range(n):
        mark[stops[p]] = 0
    return kept


@inner_kernel
def _ends_stay(base: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]], k: int, stops: NDArray[np.int32], n: int) -> bool:
    """Whether a route has the terminals of the given one, in its order."""
    return bool(stops[0] == base[0][k, 0] and stops[n - 1] == base[0][k, base[1][k] - 1])


@kernel
def anneal_near(
    graph: Graph,
    demand: DemandRows,
    drive: Drive,
    bounds: NDArray[np.float64],
    attraction: NDArray[np.float64],
    routes: Routes,
    base: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]],
    budget: int,
    keep_ends: int,
    best_stops: NDArray[np.int32],
    best_n: NDArray[np.int64],
    values: NDArray[np.int64],
    other_routes: OtherRoutes,
    scratch: Candidate,
    rng_state: NDArray[np.uint64],
    steps: int,
    block: int,
    hot: float,
    cold: float,
    weights: NDArray[np.int64],
    transfer_s: float,
    max_transfers: int,
) -> int:
    """
    Improve a plan by annealing without leaving the neighbourhood of a given one.

    Parameters
    ----------
    graph, demand, drive, attraction, rng_state, steps, block, hot, cold, weights, transfer_s, max_transfers
        As in `owlbus.kernels.anneal.anneal`.
    bounds, base
        As above.
    routes
        The plan; changed in place.
    budget
        Stops that may differ from the given routes in sum, counted by `steps_apart`.
    keep_ends
        1 if terminals stay, else 0.
    best_stops, best_n
        The best plan met, int32 (K, M) and (K,); changed in place.
    values
        int64 (3,): value of the plan, of the best plan, and moves evaluated; changed in place.
    other_routes, scratch
        Work space: of `coverage.new_rest`, and ``(stops, ahead_s, back_s, that of coverage.new_scratch, mark)``.

    Returns
    -------
    int
        Moves tried.
    """
    stops, n_stops, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    cand, cand_ahead, cand_back, entry_scratch, mark = scratch.stops, scratch.ahead_s, scratch.back_s, scratch.scratch, scratch.mark
    base_stops, base_n, _ = base
    n_routes = n_stops.shape[0]
    metres = np.zeros(n_routes, np.int64)
    buses = np.zeros(n_routes, np.int64)
    apart = np.zeros(n_routes, np.int64)
    for k in range(n_routes):
        ahead_m, back_m = measure_route(graph, stops[k], n_stops[k], ahead_s[k], back_s[k])
        metres[k] = max(ahead_m, back_m)
        buses[k] = buses_of(ahead_s[k, n_stops[k] - 1] + back_s[k, n_stops[k] - 1], bounds[k, 8])
        apart[k] = steps_apart(base_stops[k, : base_n[k]], stops[k, : n_stops[k]])
    done = 0
    while done < steps:
        k = random_below(rng_state, n_routes)
        prepare_other_routes(graph, routes, other_routes, k, transfer_s)
        served, people = route_gain(
            graph, demand, routes, other_routes, stops[k], n_stops[k], ahead_s[k], back_s[k], entry_scratch, max_transfers
        )
        now = weights[0] * served + weights[1] * people
        allowed = budget - (apart.sum() - apart[k])
        other_m = metres.sum() - metres[k]
        other_buses = buses.sum() - buses[k]
        for _ in range(min(block, steps - done)):
            done += 1
            n = propose(graph, drive, attraction, stops[k], n_stops[k], cand, random_below(rng_state, N_MOVES), rng_state)
            if n < 2 or abs(n - base_n[k]) > allowed or not is_simple(cand, n, mark):
                continue
            away = steps_apart(base_stops[k, : base_n[k]], cand[:n])
            if away > allowed:
                reverse(cand, n)
                away = steps_apart(base_stops[k, : base_n[k]], cand[:n])
            if away > allowed or (keep_ends and not _ends_stay(base, k, cand, n)) or not _keeps_stops(base, k, cand, n, mark):
                continue
            ahead_m, back_m = measure_route(graph, cand, n, cand_ahead, cand_back)
            if ahead_m < 0:
                continue
            if not keeps_limits(drive, bounds[k], cand, n, cand_ahead[n - 1], cand_back[n - 1], (ahead_m, back_m), other_m, other_buses):
                continue
            values[2] += 1
            accept_from = now + hot * (cold / hot) ** (done / steps) * math.log(1.0 - next_random(rng_state))
            served, people = route_gain(graph, demand, routes, other_routes, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers)
            value = weights[0] * served + weights[1] * people
            if value < accept_from:
                continue
            stops[k, :n] = cand[:n]
            n_stops[k] = n
            ahead_s[k, :n] = cand_ahead[:n]
            back_s[k, :n] = cand_back[:n]
            metres[k] = max(ahead_m, back_m)
            buses[k] = buses_of(cand_ahead[n - 1] + cand_back[n - 1], bounds[k, 8])
            apart[k] = away
            values[0] += value - now
            now = value
            if values[0] > values[1]:
                values[1] = values[0]
                best_stops[:] = stops
                best_n[:] = n_stops
    return done
