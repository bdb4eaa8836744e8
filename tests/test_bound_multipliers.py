"""Prices on hexes: how far the bound descends, held against a linear programme, and the least drive between sheds, against NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.kernels import bound_multipliers
from owlbus.kernels.bound_structs import PairWeights, RouteMixes, RoutePool


@given(st.integers(1, 5), st.integers(0, 99), st.integers(0, 8))
def test_the_least_drive_between_hexes_is_the_least_between_any_stops_in_reach(n_stops: int, seed: int, n_shed: int) -> None:
    rng = np.random.default_rng(seed)
    owner = np.sort(rng.integers(n_stops, size=n_shed))
    shed_indptr = np.searchsorted(owner, np.arange(n_stops + 1))
    shed_hex = rng.integers(4, size=n_shed).astype(np.int32)
    drive_s = rng.integers(0, 2**30, size=(n_stops, n_stops)).astype(np.int32)
    rows, columns = (side.ravel().astype(np.int32) for side in np.indices((4, 4)))
    found = bound_multipliers.least_drive(shed_indptr, shed_hex, 4, drive_s, rows, columns)
    near = [owner[shed_hex == h] for h in range(4)]
    assert found.tolist() == [
        int(drive_s[np.ix_(near[a], near[b])].min()) if near[a].size and near[b].size else 2**62
        for a, b in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def town(seed: int) -> tuple[PairWeights, RouteMixes, RoutePool]:
    """Pairs and bonus, kinds of routes, and known routes, over six hexes."""
    rng = np.random.default_rng(seed)
    first, second = (side.astype(np.int32) for side in np.triu_indices(6, 1))
    demand = PairWeights(first, second, rng.integers(1, 9, first.size).astype(np.float64), rng.integers(0, 5, 6).astype(np.float64))
    mixes = RouteMixes(np.array([2, 4], np.int32), np.array([1, 2]), 3, 4)
    size = rng.integers(1, 4, 5)
    start = np.concatenate([[0], np.cumsum(size)])
    hexes = np.concatenate([rng.choice(6, n, replace=False) for n in size]).astype(np.int32)
    times, cost = rng.integers(1, 3, hexes.size).astype(np.float64), rng.integers(1, 6, 5).astype(np.int32)
    return demand, mixes, RoutePool(start, hexes, times, cost)


def hexes_bring(demand: PairWeights, split: np.ndarray, price: np.ndarray) -> np.ndarray:
    """What each hex is worth beyond its price."""
    first, second, weight, bonus = demand
    return bonus - price + np.bincount(first, split, 6) + np.bincount(second, weight - split, 6)


def value_of(town: tuple[PairWeights, RouteMixes, RoutePool], split: np.ndarray, price: np.ndarray, n_known: int) -> float:
    """What the bound is at a point, on some of the known routes, by trying every mix of two kinds."""
    demand, (most, load, n_routes, room), (start, hexes, times, cost) = town
    worth = [float(times[a:b] @ price[hexes[a:b]]) for a, b in pairwise(start)][:n_known]
    best = [max([0.0, *(w for w, c in zip(worth, cost, strict=False) if c <= m)]) for m in most]
    mixes = [(x, y) for x in range(n_routes + 1) for y in range(n_routes + 1 - x) if x * load[0] + y * load[1] <= room]
    return float(np.maximum(hexes_bring(demand, split, price), 0).sum()) + max(x * best[0] + y * best[1] for x, y in mixes)


@pytest.mark.parametrize("n_known", [0, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_descent_tells_the_value_of_the_best_point_it_meets(seed: int, n_known: int) -> None:
    problem = town(seed)
    demand, mixes, pool = problem
    weight, top = demand.weight, np.full(6, 30.0)
    top[0] = 0.0
    split, price = weight / 2, np.zeros(6)
    best_split, best_price, values = np.full(weight.size, -1.0), np.full(6, -1.0), []
    for steps in (1, 2, 60, 600):
        now_split, now_price = split.copy(), price.copy()
        values.append(
            bound_multipliers.descend(demand, mixes, pool, n_known, top, now_split, now_price, best_split, best_price, steps, 0.05)
        )
        assert values[-1] == pytest.approx(value_of(problem, best_split, best_price, n_known))
        for row, most in ((best_split, weight), (best_price, top), (now_split, weight), (now_price, top)):
            assert (row >= 0).all()
            assert (row <= most).all()
    assert values[0] == pytest.approx(value_of(problem, split, price, n_known)), "the first step values where it stands"
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]
    assert values[-1] == pytest.approx(least_value(problem, top, n_known), rel=0.01, abs=0.1)


@pytest.mark.parametrize("n_known", [3, 5])
def test_after_twenty_steps_that_bring_little_the_descent_stands_at_its_best_point_again(n_known: int) -> None:
    """The target begins at nothing, so that no value comes near it."""
    demand, mixes, pool = town(3)
    weight, back = demand.weight, []
    for steps in range(1, 65):
        split, price = weight / 2, np.zeros(6)
        best_split, best_price = np.full(weight.size, -1.0), np.full(6, -1.0)
        bound_multipliers.descend(demand, mixes, pool, n_known, np.full(6, 30.0), split, price, best_split, best_price, steps, 1.0)
        if np.array_equal(split, best_split) and np.array_equal(price, best_price):
            back.append(steps)
    assert 20 < back[0] < 45
    assert set(np.diff(back).tolist()) == {20}


def least_value(town: tuple[PairWeights, RouteMixes, RoutePool], top: np.ndarray, n_known: int) -> float:
    """The least bound that any splits and prices give, by a linear programme."""
    from scipy.optimize import linprog

    (first, second, weight, bonus), (most, load, n_routes, room), (start, hexes, times, cost) = town
    n_pairs = first.size
    n = n_pairs + 6 + 6 + 2 + 1  # splits, prices, profits, worth of each kind, worth of the mix
    rows, least = [], []

    def at_most(row: dict[int, float], bound: float) -> None:
        rows.append([row.get(i, 0.0) for i in range(n)])
        least.append(bound)

    for h in range(6):  # profit >= bonus - price + splits
        row = {n_pairs + h: -1.0, n_pairs + 6 + h: -1.0} | dict.fromkeys(np.flatnonzero(first == h).tolist(), 1.0)
        row |= dict.fromkeys(np.flatnonzero(second == h).tolist(), -1.0)
        at_most(row, -bonus[h] - weight[second == h].sum())
    for j in range(2):
        for r in range(n_known):
            if cost[r] <= most[j]:
                row = {n_pairs + int(hexes[e]): float(times[e]) for e in range(start[r], start[r + 1])}
                at_most(row | {n_pairs + 12 + j: -1.0}, 0.0)
    for x in range(n_routes + 1):
        for y in range(n_routes + 1 - x):
            if x * load[0] + y * load[1] <= room:
                at_most({n_pairs + 12: x, n_pairs + 13: y, n - 1: -1.0}, 0.0)
    bounds = [(0, w) for w in weight] + [(0, t) for t in top] + [(0, None)] * 9
    goal = [0.0] * (n_pairs + 6) + [1.0] * 6 + [0.0, 0.0, 1.0]
    return float(linprog(goal, A_ub=rows, b_ub=least, bounds=bounds).fun)
