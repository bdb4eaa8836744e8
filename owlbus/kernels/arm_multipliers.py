"""
Multipliers of trips at both their ends that make a bound on direct rides small: descent on the known routes, within a box.

Trips between two hexes count once, so with a multiplier at each end of theirs, >= 0, a plan is worth at most

    sum over trips of max(0, their weight - both multipliers) + what the best mix of routes earns in multipliers.

People of a hex are trips with one end. The known routes tell what a mix earns at least, near where they were found: so the descent stays in
a box around the best multipliers.

Symbols: G groups of trips, N entries (multipliers, one of them a dummy that stays 0), J kinds of routes, M known routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.bound_multipliers import dearest_mix
from owlbus.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import RouteMixes

_CALM, _SHRINK, _ENOUGH = 20, 0.6, 0.05
_LEAST_LEVEL = 0.05
_TURN, _STEP = 0.2, 0.5


class TripGroups(NamedTuple):
    """
    Trips with the same two ends, or people with one.

    Attributes
    ----------
    first, second
        Entries of both ends, shape (G,), int32; no entry but the dummy occurs twice.
    weight
        What the trips are worth, shape (G,), float64, > 0.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float64]


class KnownColumns(NamedTuple):
    """
    Known routes in rows.

    Attributes
    ----------
    start
        First entry of each route, shape (M + 1,), int64.
    entry, times
        What it earns and how often, int32 and float32.
    cost
        Budget that it was found with, shape (M,), int32.
    """

    start: NDArray[np.int64]
    entry: NDArray[np.int32]
    times: NDArray[np.float32]
    cost: NDArray[np.int32]


@kernel
def open_worth(groups: TripGroups, multiplier: NDArray[np.float64]) -> float:
    """
    What trips are worth beyond the multipliers of their ends.

    Parameters
    ----------
    groups
        The trips.
    multiplier
        Multiplier of each entry, shape (N,), float64, >= 0.

    Returns
    -------
    float
        Sum of what is above 0.
    """
    total = 0.0
    for g in range(groups.first.size):
        total += max(0.0, groups.weight[g] - multiplier[groups.first[g]] - multiplier[groups.second[g]])
    return total


@kernel
def lower_in_box(
    groups: TripGroups, mixes: RouteMixes, known: KnownColumns, centre: NDArray[np.float64], half: float, steps: int, level: float,
    lowest: NDArray[np.float64],
) -> float:  # fmt: skip
    """
    Lower the bound as the known routes make it look, by subgradient steps.

    Steps go along a running mean of subgradients towards a target a little under the best value so far; the target moves closer whenever
    it is not neared for a while.

    Parameters
    ----------
    groups, mixes, known
        Trips, kinds of routes, known routes.
    centre
        Middle of the box, shape (N,), float64, >= 0.
    half
        Half the width of the box, as a share of the weight of the trips.
    steps
        Steps, >= 1.
    level
        How far below the best value the target begins, as a share of it.
    lowest
        Written: the best point met, shape (N,).

    Returns
    -------
    float
        Value of the best point on the known routes: no proof, since unknown routes may be worth more there.
    """
    weight, n_groups = groups.weight, groups.first.size
    start, times = known.start, known.times
    n_known, n_kinds = known.cost.size, mixes.cost.size
    # Both ends of a group lie in the same place of two halves, so that passes over the groups read memory in a row.
    ends = np.concatenate((groups.first, groups.second))
    local = np.full(centre.size, 2 * n_groups, np.int32)
    for i in range(2 * n_groups):
        local[ends[i]] = i
    local[centre.size - 1] = 2 * n_groups  # the dummy, which stays 0, as trips do that no group holds
    entry = local[known.entry]
    middle = np.zeros(2 * n_groups + 1)
    for i in range(2 * n_groups):
        middle[i] = centre[ends[i]]
    x, slope, way, low = middle.copy(), np.zeros(middle.size), np.zeros(middle.size), middle.copy()
    worth, route, chosen = np.empty(n_kinds), np.empty(n_kinds, np.int64), np.empty(n_kinds, np.int64)
    best, calm, least_level = np.inf, 0, level * _LEAST_LEVEL
    for _ in range(steps):
        value = 0.0
        for g in range(n_groups):
            over = weight[g] - x[g] - x[n_groups + g]
            value += max(over, 0.0)
            slope[g] = -1.0 if over > 0.0 else 0.0
            slope[n_groups + g] = slope[g]
        worth[:] = 0.0
        route[:] = -1
        for r in range(n_known):
            total = 0.0
            for e in range(start[r], start[r + 1]):
                total += x[entry[e]] * times[e]
            for j in range(n_kinds):
                if known.cost[r] <= mixes.cost[j] and total > worth[j]:
                    worth[j], route[j] = total, r
        value += dearest_mix(worth, mixes, chosen)
        calm = 0 if value < best * (1.0 - level * _ENOUGH) else calm + 1
        if value < best:
            best = value
            low[:] = x
        if calm >= _CALM:  # the target was too low: go back to the best point, and aim nearer
            level, calm = level * _SHRINK, 0
            x[:] = low
            way[:] = 0.0
            if level < least_level:
                break
            continue
        for j in range(n_kinds):
            if chosen[j] > 0 and route[j] >= 0:
                for e in range(start[route[j]], start[route[j] + 1]):
                    slope[entry[e]] += times[e] * chosen[j]
        norm = 0.0
        for i in range(2 * n_groups):
            reach = half * weight[i if i < n_groups else i - n_groups]
            at_floor = x[i] <= max(0.0, middle[i] - reach) and slope[i] > 0.0
            at_top = x[i] >= middle[i] + reach and slope[i] < 0.0
            is_free = ends[i] != centre.size - 1 and not at_floor and not at_top
            way[i] += _TURN * ((slope[i] if is_free else 0.0) - way[i])
            norm += way[i] * way[i]
        if norm <= 0.0:
            break
        far = _STEP * (value - best * (1.0 - level)) / norm  # Polyak's step, shortened since directions are running means
        for g in range(n_groups):
            reach, other = half * weight[g], n_groups + g
            x[g] = min(max(x[g] - far * way[g], middle[g] - reach, 0.0), middle[g] + reach)
            x[other] = min(max(x[other] - far * way[other], middle[other] - reach, 0.0), middle[other] + reach)
            excess = max(0.0, x[g] + x[other] - weight[g])  # what both take beyond the weight only costs
            less = min(excess / 2.0, x[g])
            x[g] -= less
            x[other] = max(0.0, x[other] - (excess - less))
    lowest[:] = 0.0
    for i in range(2 * n_groups):
        lowest[ends[i]] = low[i]
    lowest[centre.size - 1] = 0.0
    return best
