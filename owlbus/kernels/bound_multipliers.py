"""
Multipliers on hexes that make a proven bound small: the demand side, the mix of routes, and descent on a model of the route side.

Trips between two hexes count only if both are covered, so a pair's trips may be split between its ends. With splits and a multiplier for
covering each hex (Lagrange relaxation of covering), what a plan is worth is at most

    sum over hexes of max(0, what the splits give it - its multiplier) + what the best mix of routes earns in multipliers.

Symbols: H hexes, P pairs of them, J kinds of routes, M known routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import PairWeights, RouteMixes, RoutePool

_CALM = 20
_SHRINK = 0.6
_ENOUGH = 0.05


@kernel
def dearest_mix(worth: NDArray[np.float64], mixes: RouteMixes, chosen: NDArray[np.int64]) -> float:
    """
    Most that a number of routes can be worth within a load.

    Parameters
    ----------
    worth
        Most that one route of each kind is worth, shape (J,), float64, >= 0.
    mixes
        Kinds of routes.
    chosen
        Written: routes of each kind, shape (J,), int64.

    Returns
    -------
    float
        Sum of the worth of the routes chosen.
    """
    load, n_routes, room = mixes.load, mixes.n_routes, mixes.most_load
    best = np.zeros((n_routes + 1, room + 1))
    kind = np.full((n_routes + 1, room + 1), -1, np.int64)
    # Dynamic programme over routes and the load that is left, as for a knapsack whose items may be taken again.
    for k in range(1, n_routes + 1):
        for left in range(room + 1):
            best[k, left] = best[k - 1, left]
            for j in range(load.size):
                if load[j] <= left and best[k - 1, left - load[j]] + worth[j] > best[k, left]:
                    best[k, left] = best[k - 1, left - load[j]] + worth[j]
                    kind[k, left] = j
    chosen[:] = 0
    left = room
    for k in range(n_routes, 0, -1):
        j = kind[k, left]
        if j >= 0:
            chosen[j] += 1
            left -= load[j]
    return float(best[n_routes, room])


@kernel
def hexes_worth(demand: PairWeights, split: NDArray[np.float64], multiplier: NDArray[np.float64], profit: NDArray[np.float64]) -> float:
    """
    What the hexes that are worth more than their multiplier bring in.

    Parameters
    ----------
    demand
        Pairs and bonus.
    split
        Part of each pair's weight that its first hex gets, shape (P,), float64, in [0, weight].
    multiplier
        Multiplier of each hex, shape (H,), float64.
    profit
        Written: what each hex is worth beyond its multiplier, shape (H,), float64.

    Returns
    -------
    float
        Sum of the profits above 0.
    """
    first, second, weight, bonus = demand.first, demand.second, demand.weight, demand.bonus
    for h in range(multiplier.size):
        profit[h] = bonus[h] - multiplier[h]
    for i in range(first.size):
        profit[first[i]] += split[i]
        profit[second[i]] += weight[i] - split[i]
    total = 0.0
    for h in range(multiplier.size):
        total += max(0.0, profit[h])
    return total


@inner_kernel
def _pool_worth(
    pool: RoutePool, n_known: int, multiplier: NDArray[np.float64], mixes: RouteMixes, worth: NDArray[np.float64], route: NDArray[np.int64]
) -> None:
    """Fill the most that one known route of each kind is worth, and which."""
    start, hexes, times, cost = pool.start, pool.hexes, pool.times, pool.cost
    most = mixes.cost
    worth[:] = 0.0
    route[:] = -1
    for r in range(n_known):
        total = 0.0
        for e in range(start[r], start[r + 1]):
            total += multiplier[hexes[e]] * times[e]
        for j in range(most.size):
            if cost[r] <= most[j] and total > worth[j]:
                worth[j] = total
                route[j] = r


@kernel
def descend(
    demand: PairWeights,
    mixes: RouteMixes,
    pool: RoutePool,
    n_known: int,
    top: NDArray[np.float64],
    split: NDArray[np.float64],
    multiplier: NDArray[np.float64],
    best_split: NDArray[np.float64],
    best_multiplier: NDArray[np.float64],
    steps: int,
    level: float,
) -> float:
    """
    Lower the bound as the known routes make it look, by subgradient steps.

    Steps go along a running mean of subgradients towards a target a little under the best value so far (Brännlund 1995); the
    target moves closer whenever it is not neared for a while.

    Parameters
    ----------
    demand, mixes, pool
        Pairs, kinds of routes, known routes.
    n_known
        Known routes.
    top
        Largest multiplier of each hex, shape (H,), float64, >= 0.
    split, multiplier
        Changed: where the descent stands, shapes (P,) and (H,).
    best_split, best_multiplier
        Written: the best point met.
    steps
        Steps, >= 1.
    level
        How far below the best value the target begins, as a share of it.

    Returns
    -------
    float
        Value of the best point on the known routes: no proof, since unknown routes may be worth more there.
    """
    first, second, weight = demand.first, demand.second, demand.weight
    start, hexes, times = pool.start, pool.hexes, pool.times
    n_hexes, n_kinds = multiplier.size, mixes.cost.size
    profit, visits = np.empty(n_hexes), np.empty(n_hexes)
    worth, route, chosen = np.empty(n_kinds), np.empty(n_kinds, np.int64), np.empty(n_kinds, np.int64)
    split_way, multiplier_way = np.zeros(split.size), np.zeros(n_hexes)
    best, calm = np.inf, 0
    for _ in range(steps):
        value = hexes_worth(demand, split, multiplier, profit)
        _pool_worth(pool, n_known, multiplier, mixes, worth, route)
        value += dearest_mix(worth, mixes, chosen)
        calm = 0 if value < best * (1.0 - level * _ENOUGH) else calm + 1
        if value < best:
            best = value
            best_split[:] = split
            best_multiplier[:] = multiplier
        if calm >= _CALM:  # the target was too low: go back to the best point, and aim nearer
            level, calm = level * _SHRINK, 0
            split[:] = best_split
            multiplier[:] = best_multiplier
            split_way[:] = 0.0
            multiplier_way[:] = 0.0
            continue
        # A subgradient of the bound: visits of the best mix less coverage of the hexes that are worth their multiplier.
        visits[:] = 0.0
        for j in range(n_kinds):
            if chosen[j] > 0 and route[j] >= 0:
                for e in range(start[route[j]], start[route[j] + 1]):
                    visits[hexes[e]] += times[e] * chosen[j]
        norm = 0.0
        for i in range(split.size):
            slope = (1.0 if profit[first[i]] > 0.0 else 0.0) - (1.0 if profit[second[i]] > 0.0 else 0.0)
            if (split[i] <= 0.0 and slope > 0.0) or (split[i] >= weight[i] and slope < 0.0):  # it would leave its range
                slope = 0.0
            split_way[i] += 0.2 * (slope - split_way[i])
            norm += split_way[i] * split_way[i]
        for h in range(n_hexes):
            slope = visits[h] - (1.0 if profit[h] > 0.0 else 0.0)
            if (multiplier[h] <= 0.0 and slope > 0.0) or (multiplier[h] >= top[h] and slope < 0.0):
                slope = 0.0
            multiplier_way[h] += 0.2 * (slope - multiplier_way[h])
            norm += multiplier_way[h] * multiplier_way[h]
        if norm <= 0.0:
            break
        # Polyak's step towards the target, shortened since directions are running means.
        far = 0.3 * (value - best * (1.0 - level)) / norm
        for i in range(split.size):
            split[i] = min(max(split[i] - far * split_way[i], 0.0), weight[i])
        for h in range(n_hexes):
            multiplier[h] = min(max(multiplier[h] - far * multiplier_way[h], 0.0), top[h])
    return best


@kernel
def least_drive(
    shed_indptr: NDArray[np.int64],
    shed_hex: NDArray[np.int32],
    n_hexes: int,
    drive_s: NDArray[np.int32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
) -> NDArray[np.int64]:
    """
    Fastest drive between any stops in reach of two hexes.

    Parameters
    ----------
    shed_indptr, shed_hex
        Walk sheds by stop, shapes (S+1,) and (W,).
    n_hexes
        Hexes H.
    drive_s
        Seconds between stops, shape (S, S), int32 or uint16.
    rows, columns
        Hexes, shape (P,).

    Returns
    -------
    ndarray of int64
        Seconds, shape (P,); 2**62 where no stop is in reach.
    """
    n_stops = shed_indptr.size - 1
    start = np.zeros(n_hexes + 1, np.int64)
    for e in range(shed_hex.size):
        start[shed_hex[e] + 1] += 1
    for h in range(n_hexes):
        start[h + 1] += start[h]
    stops, filled = np.empty(shed_hex.size, np.int32), start[:-1].copy()
    for stop in range(n_stops):
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            stops[filled[shed_hex[e]]] = stop
            filled[shed_hex[e]] += 1
    least = np.full(rows.size, 2**62, np.int64)
    for i in range(rows.size):
        for a in range(start[rows[i]], start[rows[i] + 1]):
            for b in range(start[columns[i]], start[columns[i] + 1]):
                least[i] = min(least[i], drive_s[stops[a], stops[b]])
    return least
