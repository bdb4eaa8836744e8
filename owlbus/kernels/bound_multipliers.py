"""
Prices on hexes that make a proven bound small: the demand side, the mix of routes, and descent on a model of the route side.

Trips between two hexes count only if both are covered, so a pair's weight may be split between its ends. With splits and a price
for covering each hex, what a plan is worth is at most

    sum over hexes of max(0, what the splits give it - its price) + what the dearest mix of routes earns in prices.

Arrays:

``demand``
    ``(first int32 (P,), second int32 (P,), weight float64 (P,), bonus float64 (H,))``: pairs of hexes with the weight that both
    earn together, and what each hex earns alone.
``mixes``
    ``(cost int32 (J,), load int64 (J,), int64 (2,))``: kinds of routes with the most that one may cost and the load it is at
    least; then the number of routes and the load that all may have together.
``pool``
    ``(start int64 (M+1,), hexes int32, times float64, cost int32 (M,))``: known routes in rows: visited hexes, how often each is
    earned, and the cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel

_CALM = 20
_SHRINK = 0.6
_ENOUGH = 0.05


@kernel
def dearest_mix(worth: Any, mixes: Any, chosen: Any) -> float:
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
    load, most = mixes[1], mixes[2]
    n_routes, room = most[0], most[1]
    best = np.zeros((n_routes + 1, room + 1))
    kind = np.full((n_routes + 1, room + 1), -1, np.int64)
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
def hexes_worth(demand: Any, split: Any, price: Any, profit: Any) -> float:
    """
    What the hexes that pay for their price bring in.

    Parameters
    ----------
    demand
        Pairs and bonus.
    split
        Part of each pair's weight that its first hex gets, shape (P,), float64, in [0, weight].
    price
        Price of each hex, shape (H,), float64.
    profit
        Written: what each hex is worth beyond its price, shape (H,), float64.

    Returns
    -------
    float
        Sum of the profits above 0.
    """
    first, second, weight, bonus = demand
    for h in range(price.size):
        profit[h] = bonus[h] - price[h]
    for i in range(first.size):
        profit[first[i]] += split[i]
        profit[second[i]] += weight[i] - split[i]
    total = 0.0
    for h in range(price.size):
        total += max(0.0, profit[h])
    return total


@inner_kernel
def _pool_worth(pool: Any, n_known: int, price: Any, mixes: Any, worth: Any, route: Any) -> None:
    """Fill the most that one known route of each kind is worth, and which."""
    start, hexes, times, cost = pool
    most = mixes[0]
    worth[:] = 0.0
    route[:] = -1
    for r in range(n_known):
        total = 0.0
        for e in range(start[r], start[r + 1]):
            total += price[hexes[e]] * times[e]
        for j in range(most.size):
            if cost[r] <= most[j] and total > worth[j]:
                worth[j] = total
                route[j] = r


@kernel
def descend(
    demand: Any,
    mixes: Any,
    pool: Any,
    n_known: int,
    top: Any,
    split: Any,
    price: Any,
    best_split: Any,
    best_price: Any,
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
        Largest price of each hex, shape (H,), float64, >= 0.
    split, price
        Changed: where the descent stands, shapes (P,) and (H,).
    best_split, best_price
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
    first, second, weight, _ = demand
    start, hexes, times, _ = pool
    n_hexes, n_kinds = price.size, mixes[0].size
    profit, visits = np.empty(n_hexes), np.empty(n_hexes)
    worth, route, chosen = np.empty(n_kinds), np.empty(n_kinds, np.int64), np.empty(n_kinds, np.int64)
    split_way, price_way = np.zeros(split.size), np.zeros(n_hexes)
    best, calm = np.inf, 0
    for _ in range(steps):
        value = hexes_worth(demand, split, price, profit)
        _pool_worth(pool, n_known, price, mixes, worth, route)
        value += dearest_mix(worth, mixes, chosen)
        calm = 0 if value < best * (1.0 - level * _ENOUGH) else calm + 1
        if value < best:
            best = value
            best_split[:] = split
            best_price[:] = price
        if calm >= _CALM:
            level, calm = level * _SHRINK, 0
            split[:] = best_split
            price[:] = best_price
            split_way[:] = 0.0
            price_way[:] = 0.0
            continue
        visits[:] = 0.0
        for j in range(n_kinds):
            if chosen[j] > 0 and route[j] >= 0:
                for e in range(start[route[j]], start[route[j] + 1]):
                    visits[hexes[e]] += times[e] * chosen[j]
        norm = 0.0
        for i in range(split.size):
            slope = (1.0 if profit[first[i]] > 0.0 else 0.0) - (1.0 if profit[second[i]] > 0.0 else 0.0)
            if (split[i] <= 0.0 and slope > 0.0) or (split[i] >= weight[i] and slope < 0.0):
                slope = 0.0
            split_way[i] += 0.2 * (slope - split_way[i])
            norm += split_way[i] * split_way[i]
        for h in range(n_hexes):
            slope = visits[h] - (1.0 if profit[h] > 0.0 else 0.0)
            if (price[h] <= 0.0 and slope > 0.0) or (price[h] >= top[h] and slope < 0.0):
                slope = 0.0
            price_way[h] += 0.2 * (slope - price_way[h])
            norm += price_way[h] * price_way[h]
        if norm <= 0.0:
            break
        far = 0.3 * (value - best * (1.0 - level)) / norm
        for i in range(split.size):
            split[i] = min(max(split[i] - far * split_way[i], 0.0), weight[i])
        for h in range(n_hexes):
            price[h] = min(max(price[h] - far * price_way[h], 0.0), top[h])
    return best


@kernel
def least_drive(shed_indptr: Any, shed_hex: Any, n_hexes: int, drive_s: Any, rows: Any, columns: Any) -> Any:
    """
    Fastest drive between any stops in reach of two hexes.

    Parameters
    ----------
    shed_indptr, shed_hex
        Walk sheds by stop, shapes (S+1,) and (W,).
    n_hexes
        Hexes H.
    drive_s
        Seconds between stops, shape (S, S), int32.
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
