"""Improvements near a given plan, held against all plans that lie as near, and one step of the search against its own dice."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from cities import LINK_M, LINK_S, city
from test_moves import split_mix

from owlbus.evidence.improve import _Search
from owlbus.kernels.anneal_near import anneal_near
from owlbus.kernels.splice import steps_apart
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, Problem
from owlbus.search.problem import plan_of

LADDER = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
LOOSE = RouteLimits(max_circuity=99)
TIGHT = RouteLimits(max_circuity=99, headway_s=LINK_S)


def town(seed):
    """Two rows of three stops whose links are slower one way and of any length, random trips, and a plan of two routes."""
    rng = np.random.default_rng(seed)
    both = sorted({way for a, b in LADDER for way in ((a, b), (b, a))})
    trips = {(a, b): float(rng.integers(1, 9)) for a, b in permutations(range(6), 2)}
    network, demand = city(6, LADDER, trips, seconds={(a, b): 100 if a < b else 130 for a, b in both}, presence={5: 9.0, 2: 7.0})
    network = replace(network, link_m=rng.integers(700, 1300, len(both)))
    return Problem.build(network, demand), Plan((Route([0, 1, 2], "A"), Route([3, 4], "B")), network.fingerprint)


def simple_routes(network):
    """Every simple route, in both directions."""
    linked = {(a, int(b)) for a in range(6) for b in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]}
    rows = [stops for n in range(2, 7) for stops in permutations(range(6), n)]
    return [stops for stops in rows if all(pair in linked for pair in pairwise(stops))]


def near_routes(network, given, allowed, keep, *, keep_terminals):
    """Routes within an allowance of a given one, and how many stops of each are changed."""
    old = given.stops.tolist()
    found = {}
    for stops in simple_routes(network):
        ends_stay = (stops[0], stops[-1]) == (old[0], old[-1]) or not keep_terminals
        apart = steps_apart(given.stops, np.array(stops, np.int32))
        if apart <= allowed and ends_stay and set(old) & set(keep) <= set(stops):
            one = min(stops, stops[::-1])
            found[one] = min(apart, found.get(one, 99))
    return found


def best_near(problem, plan, goal, allowed, limits, keep, *, keep_terminals):
    """The most that any plan within the allowance and the limits is worth."""
    rows = [near_routes(problem.network, route, allowed, keep, keep_terminals=keep_terminals).items() for route in plan]
    values = []
    for chosen in product(*rows):
        if sum(apart for _, apart in chosen) <= allowed:
            after = Plan(tuple(Route(stops, f"R{k}") for k, (stops, _) in enumerate(chosen)), plan.network_fingerprint)
            if not check_plan(problem.network, after, limits):
                values.append(problem.value(after, goal))
    return max(values)


def lies_near(plan, after, allowed, keep, *, keep_terminals):
    """Whether a plan lies within the allowance of another and has what stays."""
    pairs = [(old.stops, new.stops) for old, new in zip(plan, after, strict=True)]
    apart = sum(min(steps_apart(old, new), steps_apart(old, new[::-1].copy())) for old, new in pairs)
    stay = all(set(old.tolist()) & set(keep) <= set(new.tolist()) for old, new in pairs)
    ends = all(old[[0, -1]].tolist() == new[[0, -1]].tolist() for old, new in pairs)
    return apart <= allowed and stay and (ends or not keep_terminals)


def search_near(problem, plan, goal, limits, keep=(), seed=0, *, keep_terminals=False):
    """A search that begins with the plan."""
    return _Search(problem, goal, plan, limits, frozenset(keep), seed, keep_terminals=keep_terminals)


def anneal(search, allowed, steps, hot, cold, block):
    """Go on from where the search stands."""
    rule, goal = search.problem.rule, search.goal
    return anneal_near(
        *(
            search.problem.graph,
            search.problem.demand_rows,
            search._drive,
            search._bounds,
            search._attraction,
            search.routes,
            search.base,
            allowed,
        ),
        *(
            int(search.keep_terminals),
            *search.best,
            search._values,
            search._rest,
            search._scratch,
            search._rng_state,
            steps,
            block,
            hot,
            cold,
        ),
        *(np.array([goal.trips, goal.presence], np.int64), float(rule.transfer_s), goal.max_transfers),
    )


def plan_now(search):
    """The plan under change."""
    return plan_of(search.problem.network, *search.routes[:2])


@pytest.mark.parametrize(
    ("goal", "allowed", "limits", "keep", "keep_terminals"),
    [
        (Objective(), 1, LOOSE, (), False),
        (Objective(0, 1), 1, LOOSE, (), False),
        (Objective(2, 1), 3, LOOSE, (), False),
        (Objective(1, 0, 0), 3, LOOSE, (1, 3), False),
        (Objective(), 3, LOOSE, (), True),
        (Objective(1, 9), 2, LOOSE, (0,), True),
        (Objective(), 3, replace(LOOSE, max_total_length_m=4.6 * LINK_M), (), False),
        (Objective(2, 1), 3, replace(LOOSE, max_total_length_m=5.5 * LINK_M), (), False),
        (Objective(), 3, replace(TIGHT, max_buses=5), (), False),
        (Objective(2, 1), 3, replace(TIGHT, max_buses=6), (), False),
        (Objective(), 3, replace(LOOSE, max_stops=3), (), False),
    ],
)
def test_of_two_searches_of_a_tiny_town_one_finds_the_best_of_all_plans_as_near(goal, allowed, limits, keep, keep_terminals):
    for number in (0, 2):
        problem, plan = town(number)
        hot, found = float(problem.total_value(goal)), []
        for seed in (4, 5):
            search = search_near(problem, plan, goal, limits, keep, seed, keep_terminals=keep_terminals)
            assert anneal(search, allowed, 1_500, hot, hot / 30, 20) == 1_500
            for value, after in ((search._values[0], plan_now(search)), (search._values[1], plan_of(problem.network, *search.best))):
                assert value == problem.value(after, goal)
                assert not check_plan(problem.network, after, limits)
                assert lies_near(plan, after, allowed, keep, keep_terminals=keep_terminals)
            assert 0 < search._values[2] <= 1_500
            assert not search._scratch[-1].any(), "stops that were marked are cleared"
            found.append(search._values[1])
        assert max(found) == best_near(problem, plan, goal, allowed, limits, keep, keep_terminals=keep_terminals)


def spur(seed):
    """A search from a route over a line of three stops; both links serve ten trips."""
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 1): 10.0, (1, 2): 10.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    return search_near(Problem.build(network, demand), plan, Objective(), LOOSE, seed=seed)


@pytest.mark.parametrize("chance", [0.2, 0.5, 0.8])
def test_a_loss_is_accepted_where_the_last_roll_lies_below_the_chance_of_the_temperature(chance):
    warm, seen = -10 * 1024 / math.log(chance), []
    for seed in range(200):
        search, free = spur(seed), spur(seed)
        anneal(free, 1, 1, 1e18, 1e18, 1)  # whatever is tried is accepted
        anneal(search, 1, 1, warm, warm, 1)
        roll = (split_mix((int(search._rng_state[0]) - 0x9E3779B97F4A7C15) % 2**64)[1] >> 11) / 2**53
        is_tried, is_accepted = (len(plan_now(one).routes[0].stops) == 2 for one in (free, search))
        assert is_accepted == (is_tried and 1 - roll <= chance)
        seen += [is_accepted] * is_tried
    assert set(seen) == {True, False}


def test_a_move_that_changes_nothing_of_the_value_is_made_however_cold_it_is():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 1): 10.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    moved = set()
    for seed in range(60):
        search = search_near(Problem.build(network, demand), plan, Objective(), LOOSE, seed=seed)
        anneal(search, 1, 1, 1e-30, 1e-30, 1)
        moved.add(tuple(plan_now(search).routes[0].stops.tolist()))
    assert {frozenset(stops) for stops in moved} == {frozenset({0, 1, 2}), frozenset({0, 1})}


def test_two_steps_are_one_at_the_mean_temperature_and_one_at_the_cold():
    """The geometric mean: the temperature falls by equal factors."""
    cold, hot = 4e3, 9e4
    for seed in range(60):
        together, apart = spur(seed), spur(seed)
        anneal(together, 1, 2, hot, cold, 1)
        for warm in (math.sqrt(hot * cold), cold):
            anneal(apart, 1, 1, warm, warm, 1)
        assert together._rng_state == apart._rng_state
        assert plan_now(together).routes[0].stops.tolist() == plan_now(apart).routes[0].stops.tolist()
        assert together._values.tolist() == apart._values.tolist()


def test_a_search_without_steps_changes_nothing():
    search = spur(0)
    assert anneal(search, 1, 0, 1e9, 1e9, 300) == 0
    assert plan_now(search).routes[0].stops.tolist() == [0, 1, 2]
    assert search._values[2] == 0
