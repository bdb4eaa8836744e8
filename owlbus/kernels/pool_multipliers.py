"""
Bound on every choice of K among N routes at given multipliers, and a step to better ones.

An item is worth at most what of its weight exceeds its two multipliers, and the multipliers where a choice covers it. A route that serves
it alone earns both. Of two routes that serve it with a transfer, the route of its lower end earns the *low* multiplier and the other one
the *high* one. So a choice is worth at most the sum of what each of its routes earns with the others as partners, each trip once. Of each
local trip a *share* is earned for every partner that serves it and the remainder in any case, so that the K - 1 best partners of a route
can be chosen one by one. What a route earns by a partner may be *moved* to the partner, since both are chosen together.

Every point of multipliers proves a bound: they are float32 as they stand, and sums of them are float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel
from owlbus.kernels.pool_choice import IN, OUT, best_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.pool_choice import PoolLoads
    from owlbus.kernels.pool_trips import RouteTrips, SharedTrips

_KEPT = 0.7
"""Part of the last direction that the next one keeps."""
_EPSILON = 1e-12


class PoolPoint(NamedTuple):
    """
    Multipliers.

    Attributes
    ----------
    low, high
        Multipliers of each item, in 1/1024, float32, >= 0.
    share
        Share of each local trip that every partner earns, float32, in [0, 1].
    moved
        What route a earns more and route b less if both are chosen, in 1/1024, shape (N, N), float64; antisymmetric.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    share: NDArray[np.float32]
    moved: NDArray[np.float64]


class PoolWork(NamedTuple):
    """
    Work space of a bound.

    Attributes
    ----------
    earned
        What each local trip earns for every partner, float32.
    gain
        What partner b brings to route a, shape (N, N), float64.
    score
        The most that each route earns with its partners, shape (N,), float64; -inf where it can be in no choice.
    partner
        Whether b is one of the best partners of a, shape (N, N), uint8.
    chosen
        Whether a route is in the choice that earns the most, shape (N,), uint8.
    n_served
        How many partners serve each local trip, int32; zeros between calls.
    reduced
        How much the bound falls if a free route is decided against the choice that earns the most, shape (N,), float64.
    turn_low, turn_high, turn_moved
        Direction of the last step, of the shapes of the multipliers.
    """

    earned: NDArray[np.float32]
    gain: NDArray[np.float64]
    score: NDArray[np.float64]
    partner: NDArray[np.uint8]
    chosen: NDArray[np.uint8]
    n_served: NDArray[np.int32]
    reduced: NDArray[np.float64]
    turn_low: NDArray[np.float64]
    turn_high: NDArray[np.float64]
    turn_moved: NDArray[np.float64]


@kernel
def choice_bound(
    weight: NDArray[np.float64],
    trips: RouteTrips,
    shared: SharedTrips,
    limits: PoolLoads,
    state: NDArray[np.uint8],
    point: PoolPoint,
    work: PoolWork,
) -> float:
    """
    Bound on the value of every choice.

    Parameters
    ----------
    weight
        Weight of each item in 1/1024, float64; 0 where no choice covers it.
    trips, shared
        What routes and pairs of them serve.
    limits
        Routes and loads of a choice.
    state
        `OUT`, `FREE` or `IN` for each route, shape (N,), uint8.
    point
        Multipliers.
    work
        Written, but for the directions.

    Returns
    -------
    float
        In 1/1024; -inf if there is no choice.
    """
    n = state.size
    total = 0.0
    for e in range(weight.size):
        total += max(0.0, weight[e] - np.float64(point.low[e]) - np.float64(point.high[e]))
    alone = np.zeros(n)
    for a in range(n):
        if state[a] == OUT:
            continue
        own = 0.0
        for i in range(trips.direct_first[a], trips.direct_first[a + 1]):
            own += np.float64(point.low[trips.direct_item[i]]) + np.float64(point.high[trips.direct_item[i]])
        for side in range(2):
            multiplier = point.low if side == 0 else point.high
            for f in range(trips.local_first[2 * a + side], trips.local_first[2 * a + side + 1]):
                value = multiplier[trips.local_item[f]]
                work.earned[f] = min(value, point.share[f] * value)
                own += np.float64(value) - np.float64(work.earned[f])
        alone[a] = own
    work.gain[:] = point.moved
    for a in range(n):
        for b in range(n):
            k = shared.list_of[a, b]
            if k < 0 or state[a] == OUT or state[b] == OUT:
                continue
            low, high = 0.0, 0.0
            for i in range(shared.entry_first[k], shared.entry_first[k + 1]):
                low += work.earned[shared.entry_low[i]]
                high += work.earned[shared.entry_high[i]]
            work.gain[a, b] += low
            work.gain[b, a] += high
    allowed, most = state.copy(), np.empty(2)
    for a in range(n):
        work.score[a] = -np.inf
        work.partner[a] = 0
        if state[a] == OUT:
            continue
        allowed[a] = OUT
        most[0], most[1] = limits.most[0] - limits.loads[0, a], limits.most[1] - limits.loads[1, a]
        work.score[a] = alone[a] + best_choice(
            work.gain[a], allowed, limits.loads, most, limits.n_routes - 1, work.partner[a], work.reduced
        )
        allowed[a] = state[a]
        if work.score[a] == -np.inf:
            if state[a] == IN:
                return -np.inf
            allowed[a] = OUT
    return total + best_choice(work.score, allowed, limits.loads, limits.most, limits.n_routes, work.chosen, work.reduced)


@kernel
def take_step(
    weight: NDArray[np.float64],
    trips: RouteTrips,
    shared: SharedTrips,
    state: NDArray[np.uint8],
    point: PoolPoint,
    work: PoolWork,
    excess: float,
    scale: float,
) -> None:
    """
    Move the multipliers along a deflected subgradient by Polyak's rule, and each route's shares along its own.

    Parameters
    ----------
    weight, trips, shared, state
        As in `choice_bound`.
    point
        Read and written.
    work
        As `choice_bound` left it at this point; the directions are written.
    excess
        By how much the bound is to fall, in 1/1024, > 0.
    scale
        Length of a step of `PoolPoint.moved` over one of the other multipliers.
    """
    n = state.size
    low, high, moved = np.zeros(weight.size), np.zeros(weight.size), np.zeros((n, n))
    for e in range(weight.size):
        if np.float64(point.low[e]) + np.float64(point.high[e]) < weight[e]:
            low[e], high[e] = -1.0, -1.0
    for a in range(n):
        if work.score[a] == -np.inf:
            continue
        _count_partners(trips, shared, work, a, 1)
        if work.chosen[a]:
            for i in range(trips.direct_first[a], trips.direct_first[a + 1]):
                low[trips.direct_item[i]] += 1.0
                high[trips.direct_item[i]] += 1.0
            for side in range(2):
                slope = low if side == 0 else high
                for f in range(trips.local_first[2 * a + side], trips.local_first[2 * a + side + 1]):
                    slope[trips.local_item[f]] += 1.0 + point.share[f] * (work.n_served[f] - 1.0)
            for b in range(n):
                if work.partner[a, b]:
                    moved[a, b] += 1.0
                    moved[b, a] -= 1.0
        _step_shares(trips, point, work, a)
        _count_partners(trips, shared, work, a, 0)
    norm = _EPSILON
    for e in range(weight.size):
        work.turn_low[e] = _KEPT * work.turn_low[e] + (1 - _KEPT) * low[e]
        work.turn_high[e] = _KEPT * work.turn_high[e] + (1 - _KEPT) * high[e]
        if not (point.low[e] <= 0 and work.turn_low[e] > 0):
            norm += work.turn_low[e] ** 2
        if not (point.high[e] <= 0 and work.turn_high[e] > 0):
            norm += work.turn_high[e] ** 2
    for a in range(n):
        for b in range(n):
            work.turn_moved[a, b] = _KEPT * work.turn_moved[a, b] + (1 - _KEPT) * moved[a, b]
            norm += scale * work.turn_moved[a, b] ** 2 / 2
    step = excess / norm
    for e in range(weight.size):
        point.low[e] = min(weight[e], max(0.0, point.low[e] - step * work.turn_low[e]))
        point.high[e] = min(weight[e], max(0.0, point.high[e] - step * work.turn_high[e]))
    for a in range(n):
        for b in range(n):
            if a < b:
                point.moved[a, b] -= scale * step * work.turn_moved[a, b]
                point.moved[b, a] = -point.moved[a, b]


@inner_kernel
def _count_partners(trips: RouteTrips, shared: SharedTrips, work: PoolWork, a: int, step: int) -> None:
    """Count by how many of its partners each local trip of a route is served, or with `step` 0 set the counts back to 0."""
    if step == 0:
        work.n_served[trips.local_first[2 * a] : trips.local_first[2 * a + 2]] = 0
        return
    for b in range(work.partner.shape[0]):
        if not work.partner[a, b]:
            continue
        k = shared.list_of[a, b]
        if k >= 0:
            for i in range(shared.entry_first[k], shared.entry_first[k + 1]):
                work.n_served[shared.entry_low[i]] += 1
        k = shared.list_of[b, a]
        if k >= 0:
            for i in range(shared.entry_first[k], shared.entry_first[k + 1]):
                work.n_served[shared.entry_high[i]] += 1


@inner_kernel
def _step_shares(trips: RouteTrips, point: PoolPoint, work: PoolWork, a: int) -> None:
    """Move the shares of a route's local trips towards what its partners serve together."""
    excess, norm = 0.0, _EPSILON
    for side in range(2):
        multiplier = point.low if side == 0 else point.high
        for f in range(trips.local_first[2 * a + side], trips.local_first[2 * a + side + 1]):
            value, share, count = np.float64(multiplier[trips.local_item[f]]), point.share[f], work.n_served[f]
            if count == 0:
                excess += value * (1 - share)
            else:
                excess += value * share * (count - 1)
            slope = value * (count - 1)
            if not ((share >= 1 and slope < 0) or (share <= 0 and slope > 0)):
                norm += slope**2
    if excess <= 0:
        return
    step = excess / norm
    for side in range(2):
        multiplier = point.low if side == 0 else point.high
        for f in range(trips.local_first[2 * a + side], trips.local_first[2 * a + side + 1]):
            slope = np.float64(multiplier[trips.local_item[f]]) * (work.n_served[f] - 1)
            if slope != 0:
                point.share[f] = min(1.0, max(0.0, point.share[f] - step * slope))
