"""Improvements near a given plan, held against all plans that lie as near, and one step of the search against its own dice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, LINK_S, city

from owlbus.kernels.near import stops_changed
from owlbus.kernels.splice import steps_apart
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, Problem
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.improve import best_near
from owlbus.search.neighbourhood import Neighbourhood
from owlbus.search.problem import plan_of

LADDER = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
LOOSE = RouteLimits(**ANY_SHAPE)
TIGHT = RouteLimits(**ANY_SHAPE, headway_s=LINK_S)


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


def best_near_by_hand(problem, plan, goal, allowed, limits, keep, *, keep_terminals):
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
    near = Neighbourhood(plan, frozenset(keep), keep_terminals)
    return AnnealingRun(problem, goal, limits, len(plan), np.random.default_rng(seed), near=near)


def plan_now(search):
    """The plan under change."""
    return plan_of(search.problem.network, *search.routes[:2], names=search._names)


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
            reach = allowed if seed == 4 else allowed + 3
            for turn in range(12):
                search.set_allowance(allowed, reach, 0.0 if seed == 4 else hot / 40)
                assert search.anneal(500, hot / 30 ** (turn / 12), hot / 30 ** ((turn + 1) / 12)) == 500
                for value, after, within in ((search.value, plan_now(search), reach), (search.best_value, search.best_plan(), allowed)):
                    assert value == problem.value(after, goal)
                    assert not check_plan(problem.network, after, limits)
                    assert lies_near(plan, after, within, keep, keep_terminals=keep_terminals)
            assert 0 < search.evaluations <= 6_000
            assert not search._gains.candidate.mark.any(), "stops that were marked are cleared"
            found.append(search.best_value)
        assert max(found) == best_near_by_hand(problem, plan, goal, allowed, limits, keep, keep_terminals=keep_terminals)


@pytest.mark.parametrize("keep_terminals", [False, True])
def test_plans_on_the_way_may_lie_further_off_and_the_best_one_may_not(keep_terminals):
    problem, plan = town(0)
    search, farthest = search_near(problem, plan, Objective(), LOOSE, (1,), 4, keep_terminals=keep_terminals), 0
    for _ in range(40):
        search.set_allowance(1, 4, 0.0)
        search.anneal(20, 1e5, 1e5)
        farthest = max(farthest, search.n_changed())
        assert search.n_changed() <= 4
        assert search.value == problem.value(plan_now(search), Objective())
        assert lies_near(plan, plan_now(search), 4, (1,), keep_terminals=keep_terminals)
        assert lies_near(plan, search.best_plan(), 1, (1,), keep_terminals=keep_terminals)
        assert search.best_value == problem.value(search.best_plan(), Objective())
    assert farthest > 1


def test_a_changed_stop_costs_its_multiplier():
    """A cold search from three stops in a line takes in a fourth one, which serves five trips, if it costs less than that."""
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(1, 2): 10.0, (2, 3): 5.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    for multiplier, stops in ((4.99, [0, 1, 2, 3]), (5.01, [0, 1, 2])):
        search = search_near(Problem.build(network, demand), plan, Objective(), LOOSE)
        search.set_allowance(9, 9, multiplier * 1024)
        search.anneal(500, 1e-9, 1e-9)
        assert plan_now(search).routes[0].stops.tolist() == stops
        assert search.value == search.problem.value(plan_now(search), Objective()), "without the multiplier"


def test_an_allowance_is_kept_after_any_number_of_moves():
    problem, plan = town(2)
    for allowed, n_steps in ((0, 900), (1, 1), (1, 900), (3, 2_500), (6, 5_000)):
        search = search_near(problem, plan, Objective(), LOOSE, keep_terminals=False)
        after = best_near(search, allowed, n_steps)
        assert lies_near(plan, after, allowed, (), keep_terminals=False)
        assert after.names == plan.names
        assert search.best_value == problem.value(after, Objective()) >= problem.value(plan, Objective())
        assert search.evaluations <= n_steps


@pytest.mark.parametrize("keep_terminals", [False, True])
def test_changed_stops_of_a_route_are_the_fewest_either_way_round(keep_terminals):
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(3_000):
        n_stops = int(rng.integers(4, 9))
        base, stops = (rng.permutation(n_stops)[: rng.integers(2, n_stops + 1)].astype(np.int32) for _ in range(2))
        if rng.random() < 0.6:  # a few stops of the given one changed
            stops = base[rng.random(base.size) < 0.8]
            stops = stops[:: rng.choice([-1, 1])].copy()
            if stops.size < 2:
                continue
        keep = frozenset(rng.choice(n_stops, rng.integers(0, 3), replace=False).tolist())
        plan = Plan((Route(base, "A"),), "x")
        allowed = int(rng.integers(0, 5))
        near = Neighbourhood(plan, keep, keep_terminals).constraint(n_stops)
        before, now = stops.copy(), stops.copy()
        found = stops_changed(near, 0, now, now.size, allowed)
        ways = [
            steps_apart(base, way) for way in (before, before[::-1].copy()) if not keep_terminals or (way[[0, -1]] == base[[0, -1]]).all()
        ]
        is_near = bool(ways) and min(ways) <= allowed and keep & set(base.tolist()) <= set(before.tolist())
        assert (found <= allowed) == is_near
        if is_near:
            assert found == steps_apart(base, now)
            assert now.tolist() in (before.tolist(), before[::-1].tolist())
        seen.add((is_near, found, now.tolist() == before.tolist()))
    assert len(seen) > 8


def test_a_search_without_steps_changes_nothing():
    problem, plan = town(0)
    search = search_near(problem, plan, Objective(), LOOSE)
    search.set_allowance(3, 3, 0.0)
    assert search.anneal(0, 1e9, 1e9) == 0
    assert [route.stops.tolist() for route in plan_now(search)] == [[0, 1, 2], [3, 4]]
    assert search.evaluations == 0
