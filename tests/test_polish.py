"""The end of a search by area: what it changes, what it leaves alone, and how often it looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cities import ANY_SHAPE, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus import Demand, HexGrid, Network, Plan, Route
from owlbus.network.walk_sheds import WalkPoints
from owlbus.plan import check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PlanConstraints, Problem
from owlbus.search.polish import PublishedValue, polish

TRIALS = 40
THREE_STOPS = RouteLimits(**ANY_SHAPE, min_stops=3, max_stops=3)


def two_ways_round(points_of_first, points_of_second):
    """Stops 1 and 3 both reach the centre of hex 1 and some of its four points; the plan passes by stop 1."""
    network, demand = city(4, [(0, 1), (1, 2), (0, 3), (3, 2)], {(0, 1): 10.0}, sheds={3: (1,)})
    rows = [[0, 1, 2, 3], points_of_first, [8, 9, 10, 11], points_of_second]
    near = WalkPoints(np.cumsum([0, *map(len, rows)]), np.concatenate(rows), [0] * sum(map(len, rows)), 4, "share of four points")
    network = replace(network, points=near)
    return network, demand, Plan((Route([0, 1, 2], "N1"),), network.fingerprint)


def published(network, demand, objective="served"):
    value = PublishedValue.build(Problem.build(network, demand), demand, Objective.parse(objective))
    assert value is not None
    return value


@pytest.mark.parametrize(("first", "second", "best"), [([4], [4, 5, 6, 7], [0, 3, 2]), ([4, 5], [4], [0, 1, 2])])
def test_of_two_stops_that_reach_a_centre_the_one_that_reaches_more_of_the_hex_is_taken(first, second, best):
    network, demand, plan = two_ways_round(first, second)
    found = polish(published(network, demand), plan, THREE_STOPS, PlanConstraints(), TRIALS)
    assert found.routes[0].stops.tolist() == best


def test_a_fixed_route_stays_however_much_another_way_would_bring():
    network, demand, plan = two_ways_round([4], [4, 5, 6, 7])
    found = polish(published(network, demand), plan, THREE_STOPS, PlanConstraints(fixed=plan), TRIALS)
    assert found.equals(plan)


def test_nothing_is_tried_once_the_time_is_over():
    network, demand, plan = two_ways_round([4], [4, 5, 6, 7])
    assert polish(published(network, demand), plan, THREE_STOPS, PlanConstraints(), TRIALS, end_s=0.0).equals(plan)


@st.composite
def lattices(draw):
    """A lattice of 30 hexes with random trips and people, and two fastest paths as routes."""
    grid = HexGrid.cover([(0, 0), (0.06, 0), (0.06, 0.05), (0, 0.05)], n_hexes=30)
    network = Network.from_lattice(grid)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ends = np.unique(rng.choice(30, (60, 2)), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    night, hour = (np.full(len(ends), n) for n in (0, 24))
    rows = {"night": night, "hour": hour, "origin": ends[:, 0], "destination": ends[:, 1], "trips": rng.integers(1, 9, len(ends))}
    people = {"night": np.zeros(30, int), "hour": np.full(30, 24), "hex": np.arange(30), "presence": rng.integers(1, 9, 30)}
    demand = Demand.from_rows(30, rows, people, grid=grid.fingerprint)
    pairs = rng.permutation(network.n_stops)[:4].reshape(2, 2).tolist()
    routes = [Route(network.shortest_path(a, b), f"N{k}") for k, (a, b) in enumerate(pairs)]
    return network, demand, Plan(tuple(routes), network.fingerprint), draw(st.sampled_from(["served", "direct", "served=1,presence=2"]))


@given(lattices())
@settings(max_examples=15, deadline=None)
def test_a_polished_plan_keeps_the_limits_is_worth_no_less_and_no_plan_is_counted_twice(drawn):
    network, demand, plan, objective = drawn
    limits = RouteLimits(max_buses=8)
    value, counted = published(network, demand, objective), []
    of = PublishedValue.of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PublishedValue, "of", lambda self, plan: counted.append(plan) or of(self, plan))
        found = polish(value, plan, limits, PlanConstraints(), TRIALS)
    assert len(counted) <= 1 + TRIALS
    assert len({tuple(route.stops.tobytes() for route in plan.routes) for plan in counted}) == len(counted)
    assert value.of(found) == max(map(value.of, [plan, found]))
    assert not check_plan(network, found, limits) or check_plan(network, plan, limits)
