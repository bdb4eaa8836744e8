"""No choice of routes is worth more than its pool bound, and small pools are solved exactly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.disclosure import EXACT, Publisher
from owlbus.common.errors import UsageError
from owlbus.kernels.pool_choice import IN, OUT, choice_value
from owlbus.kernels.pool_multipliers import PoolPoint, choice_bound
from owlbus.plan import Plan, Route, plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.report.translations import LANGUAGES, read_translations
from owlbus.search import Objective, Problem, plan_routes
from owlbus.search.bound_words import UNSEEN, unseen_by_bound
from owlbus.search.pool_bound import bound_of_met, pool_bound
from owlbus.search.pool_tree import PoolProblem, PoolTree
from owlbus.search.stopping import MaxSteps

MAX_EXAMPLES = 12
WIDE = RouteLimits(max_buses=np.inf)


@st.composite
def towns(draw, transfers=None):
    """Town of 5 to 9 stops whose links may differ by direction and whose walk sheds may overlap."""
    n = draw(st.integers(5, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    network, _ = city(n, [(0, 1)], {})
    links = [(a, int(b)) for a in range(n) for b in network.grid.neighbours[a] if b > a]
    seconds = {}
    if draw(st.booleans()):
        seconds = {way: int(rng.choice([100, 200, 500])) for a, b in links for way in ((a, b), (b, a))}
    sheds = {s: tuple(rng.choice(n, 2).tolist()) for s in range(n)} if draw(st.booleans()) else None
    trips = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in rng.integers(n, size=(25, 2)) if a != b}
    people = {h: float(rng.integers(1, 9)) for h in range(n)}
    rule = ServiceRule(
        float(rng.choice([1.0, 2.0])),
        int(rng.choice([0, 300])),
        int(rng.choice([0, 100])),
        int(rng.random() < 0.9) if transfers is None else transfers,
    )
    return Problem.build(*city(n, links, trips, seconds=seconds, sheds=sheds, presence=people), rule), rng


def routes_of(problem, rng, n_routes):
    """Simple routes by random walks."""
    network, routes = problem.network, {}
    for _ in range(20 * n_routes):
        stops = [int(rng.integers(network.n_stops))]
        for _ in range(int(rng.integers(1, 6))):
            onward = [int(b) for b in network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]]]
            onward = [b for b in onward if b not in stops]
            if onward:
                stops.append(int(rng.choice(onward)))
        if len(stops) > 1 and len(routes) < n_routes:
            row = np.array(stops, np.int32)
            routes[min(row.tobytes(), row[::-1].tobytes())] = row
    return list(routes.values())


def plan_with(problem, routes):
    """Plan of routes."""
    return Plan(tuple(Route(stops, f"N{k}") for k, stops in enumerate(routes)), problem.network.fingerprint)


def best_by_brute_force(problem, routes, n_routes, limits, objective):
    """Value of the best choice, by trying all."""
    best = 0
    for size in range(1, n_routes + 1):
        for rows in combinations(routes, size):
            plan = plan_with(problem, rows)
            measures = plan_measures(problem.network, plan, limits.headway_s)
            if measures.total_buses <= limits.max_buses and measures.total_length_m <= limits.max_total_length_m:
                best = max(best, problem.value(plan, objective))
    return best


def loads_that_bind(draw):
    """Fleet and total length that leave out some choices."""
    total_m = draw(st.sampled_from([4000, 8000, np.inf]))
    return RouteLimits(max_buses=draw(st.sampled_from([3, 6, np.inf])), max_total_length_m=total_m, headway_s=500)


@given(data=st.data())
@settings(max_examples=MAX_EXAMPLES)
def test_no_choice_is_worth_more_than_its_pool_bound_and_small_pools_are_solved(data):
    problem, rng = data.draw(towns())
    n_routes, limits = data.draw(st.integers(1, 4)), loads_that_bind(data.draw)
    objective = Objective.parse(data.draw(st.sampled_from(["served", "direct", "presence", "served=2,presence=1"])))
    routes = routes_of(problem, rng, 8)
    best = best_by_brute_force(problem, routes, n_routes, limits, objective)
    bound = pool_bound(problem, routes, n_routes, limits=limits, objective=objective)
    assert bound.bound_quanta == bound.best_quanta == best
    assert bound.n_routes_met == len(routes)
    short = pool_bound(problem, routes, n_routes, limits=limits, objective=objective, most_work=1)
    assert best <= short.bound_quanta


@given(data=st.data())
@settings(max_examples=MAX_EXAMPLES)
def test_a_decided_choice_is_worth_no_more_than_its_bound_at_any_multipliers(data):
    problem, rng = data.draw(towns(transfers=1))
    routes = routes_of(problem, rng, 6)
    n = len(routes)
    pool = PoolProblem.of(problem, tuple(routes), n, WIDE, Objective())
    low = (pool.weight * rng.random(pool.weight.size)).astype(np.float32)
    moved = np.triu(rng.normal(0, 2000, (n, n)), 1)
    share = rng.random(pool.trips.local_item.size).astype(np.float32)
    point = PoolPoint(low, pool.weight.astype(np.float32) - low, share, moved - moved.T)
    work = PoolTree(pool, 0)._work
    for rows in combinations(range(n), 2):
        state = np.full(n, OUT, np.uint8)
        state[list(rows)] = IN
        bound = choice_bound(pool.weight, pool.trips, pool.shared, pool.limits, state, point, work)
        value = problem.value(plan_with(problem, [routes[row] for row in rows]), Objective())
        assert value <= bound * (1 + 1e-9)


@given(data=st.data())
@settings(max_examples=MAX_EXAMPLES)
def test_a_choice_is_worth_what_the_problem_says(data):
    problem, rng = data.draw(towns(transfers=1))
    routes = routes_of(problem, rng, 6)
    objective = Objective.parse("served=2,presence=1")
    pool = PoolProblem.of(problem, tuple(routes), len(routes), WIDE, objective)
    rows = np.flatnonzero(rng.random(len(routes)) < 0.6)
    value = choice_value(pool.weight, pool.trips, pool.shared, rows, np.zeros(pool.weight.size, np.int64), 1)
    assert value == problem.value(plan_with(problem, [routes[row] for row in rows]), objective)


def crossing():
    """Two lines that cross, a third far off, and trips that need the crossing."""
    network, demand = city(9, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 2), (2, 7), (7, 8)], {(0, 8): 10.0, (5, 4): 6.0, (0, 1): 1.0})
    return Problem.build(network, demand), [np.array(stops, np.int32) for stops in ([0, 1, 2, 3, 4], [5, 6, 2, 7, 8], [3, 4])]


def test_two_routes_that_cross_are_worth_more_than_each_alone():
    problem, routes = crossing()
    shares = [pool_bound(problem, routes, n_routes, limits=WIDE).bound_quanta / 1024 for n_routes in (1, 2, 3)]
    assert shares == [1.0, 17.0, 17.0]


def test_a_route_given_twice_or_backwards_is_one_route():
    problem, routes = crossing()
    bound = pool_bound(problem, [*routes, routes[0], routes[1][::-1]], 2, limits=WIDE)
    assert (bound.n_routes_met, len(bound.routes), bound.is_exact) == (3, 2, True)
    assert problem.value(plan_with(problem, bound.routes), Objective()) == bound.best_quanta


def test_a_choice_to_begin_from_counts_as_met_and_is_no_worse():
    problem, routes = crossing()
    bound = pool_bound(problem, routes[2:], 2, limits=WIDE, begin=routes[:2], most_work=1)
    assert (bound.n_routes_met, bound.best_quanta) == (3, 17 * 1024)
    assert bound.bound_quanta >= bound.best_quanta


def test_the_fleet_bounds_choices():
    problem, routes = crossing()
    assert pool_bound(problem, routes, 3, limits=RouteLimits(max_buses=1)).bound_quanta == 1024


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_routes": 0}, "n_routes must be at least 1, got 0"),
        ({"routes": []}, "routes must be 1 to 1000 of them, got 0"),
        ({"objective": "travel_time"}, "no pool bound is known for travel_time; take an objective of trips served or people"),
    ],
)
def test_what_has_no_pool_bound_is_refused(change, message):
    problem, routes = crossing()
    settings_ = {"routes": routes, "n_routes": 2} | change
    with pytest.raises(UsageError, match=message):
        pool_bound(problem, **settings_)


def test_a_full_pool_keeps_its_latest_routes_alone(monkeypatch):
    problem, routes = crossing()
    plan = plan_with(problem, routes[:1])
    monkeypatch.setattr("owlbus.search.pool_tree._MOST_ENTRIES", 0)
    with pytest.raises(UsageError, match="routes must serve at most 0 pairs of hexes two by two, got 3 that serve more; take fewer"):
        pool_bound(problem, routes, 2, limits=WIDE)
    bound = bound_of_met(problem, routes, plan, 2, WIDE, Objective(), np.inf)
    assert bound is not None
    assert bound.n_routes_met == 2


def test_a_search_with_a_bound_has_a_pool_bound_that_is_no_lower_than_its_plan():
    network, demand = city(12, [(a, b) for a in range(12) for b in range(a)], {(0, 8): 10.0, (5, 4): 6.0, (0, 1): 1.0, (9, 11): 4.0})
    search = {"limits": RouteLimits(max_length_m=4_000, max_buses=np.inf), "stop_when": [MaxSteps(400)]}
    found = plan_routes(network, demand, 2, bound_steps=2, **search)
    assert found.pool_bound is not None
    assert found.value_quanta <= found.pool_bound.bound_quanta
    assert found.pool_bound.n_routes_met >= len(found.plan)
    assert found.printed_pool_share(Publisher(EXACT)) == round(found.pool_bound.share, 6)
    assert found.printed_pool_share(Publisher(5)) == min(1.0, (found.pool_bound.bound_quanta // 1024 // 5 * 5 + 5) / 20)
    assert "over choices among the" in found.to_html(EXACT)
    assert plan_routes(network, demand, 2, **search).pool_bound is None
    again = plan_routes(network, demand, 2, bound_steps=2, **search)
    assert again.pool_bound is not None
    assert (again.pool_bound.bound_quanta, again.pool_bound.steps) == (found.pool_bound.bound_quanta, found.pool_bound.steps)


@pytest.mark.parametrize(
    ("objective", "name"),
    [("served", "rides"), ("direct", "direct_rides"), ("presence", "shape"), ("travel_time", "journeys"), ("served=1,presence=9", "rides")],
)
def test_what_a_bound_cannot_see_follows_the_objective_and_is_told_in_every_language(objective, name):
    assert unseen_by_bound(Objective.parse(objective)) == name
    for language in LANGUAGES:
        assert read_translations(language)(f"key.bound.unseen.{name}")
    assert UNSEEN[name] in read_translations("en")(f"key.bound.unseen.{name}")
