"""Walks grown from both ends of a zone, held against all walks listed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bound_routes import PRICES, Roads, all_walks, many_roads

from owlbus.kernels.bound_routes import near_memory
from owlbus.kernels.bound_structs import RouteMixes
from owlbus.search.route_pricing import _price_of_load
from owlbus.search.start_zones import StartZone
from owlbus.search.walk_rows import PricedRoads, TwoWayWalks, WalkRows

BUDGET = 6


@st.composite
def zones(draw: st.DrawFn) -> tuple[Roads, StartZone]:
    """Roads and a zone of them whose walks may end at some stops, at some costs."""
    roads = draw(many_roads())
    n = len(roads.links)
    starts = sorted(draw(st.sets(st.integers(0, n - 1), min_size=1)))
    last_end = draw(st.lists(st.integers(-1, BUDGET), min_size=n, max_size=n))
    anywhere = np.full(n, BUDGET, np.int32)
    return roads, StartZone(np.array(starts, np.int32), anywhere, np.array(last_end, np.int32))


def worth_of(roads: Roads, multiplier: np.ndarray, price: np.ndarray, stops: list[int], cost: int) -> float:
    """What a walk earns, each hex once, less its price."""
    return float(multiplier[sorted({h for stop in stops for h in roads.sheds[stop]})].sum() - price[cost])


@given(zones(), PRICES, st.lists(st.integers(0, 4), min_size=BUDGET + 1, max_size=BUDGET + 1), st.integers(-3, 12))
@settings(max_examples=150)
def test_walks_grown_from_both_ends_are_worth_the_best_of_all_walks(
    drawn: tuple[Roads, StartZone], multiplier: np.ndarray, steps: list[int], least: int
) -> None:
    roads, zone = drawn
    price = np.cumsum(steps).astype(np.float64)
    worth = [
        worth_of(roads, multiplier, price, stops, cost)
        for stops, cost in all_walks(roads, BUDGET)
        if stops[0] in zone.starts and 1 <= cost <= zone.last_end[stops[-1]]
    ]
    best = max([float(least), *worth])
    for rings, widths in ((len(roads.links), (4_000, 4_000, 4_000)), (0, (2, 3)), (1, (2, 2, 2, 3))):
        two_way = TwoWayWalks(WalkRows(len(roads.links), BUDGET))
        two_way.aim(PricedRoads(roads.arrays(), near_memory(roads.arrays(), roads.n_hexes, rings), multiplier), price, widths[0])
        most, found = two_way.most_valuable(zone, widths, float(least))
        if rings > 1:  # nothing is forgotten; a stop alone may still be taken for a walk
            alone = [float(multiplier[roads.sheds[stop]].sum() - price[0]) for stop in zone.starts]
            assert most <= max(best, *alone) + 1e-9
        assert most >= best - 1e-9
        for walk in found:
            stops = walk.stops.tolist()
            assert walk.cost == sum(roads.links[a][b] for a, b in pairwise(stops))
            assert stops[0] in zone.starts
            assert walk.cost <= zone.last_end[stops[-1]]
            assert worth_of(roads, multiplier, price, stops, walk.cost) - 1e-9 <= walk.value


@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.integers(1, 4), st.integers(0, 9))
def test_the_price_of_load_bounds_a_mix_best(values: list[int], n_routes: int, most_load: int) -> None:
    mixes = RouteMixes(np.array([2, 4, 6], np.int32), np.array([0, 1, 3], np.int64), n_routes, most_load)
    worth = np.array(values, np.float64)
    price, beyond = _price_of_load(worth, mixes)
    bounds = [n_routes * max(0.0, float((worth - other * mixes.load).max())) + other * most_load for other in np.linspace(0, 50, 1001)]
    assert beyond == pytest.approx(max(0.0, float((worth - price * mixes.load).max())))
    assert n_routes * beyond + price * most_load <= min(bounds) + 1e-9
