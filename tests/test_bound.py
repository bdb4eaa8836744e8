"""Bounds hold: against every plan of tiny cities, against slow twins of each kernel, and at every limit exactly met."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, LINK_S, city
from hypothesis import given, settings
from hypothesis import strategies as st
from longest_walks import longest_walks

from owlbus.common.errors import UsageError
from owlbus.kernels import bound_multipliers, bound_routes
from owlbus.kernels.bound_structs import CostGraph, RouteMixes, Walks
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search import Objective, Problem, plan_routes
from owlbus.search.bound import Bounder, Multipliers, upper_bound
from owlbus.search.bound_problem import BoundProblem
from owlbus.search.exact import best_of_listing, list_problem
from owlbus.search.route_pricing import budgets
from owlbus.search.stopping import MaxSteps

MAX_EXAMPLES = 25
STEPS = 25


@st.composite
def small_cities(draw, most=5):
    """Small city whose links differ in seconds, with walk sheds that overlap in some, and a rule."""
    n = draw(st.integers(2, most))
    ring = [(i, (i + 1) % n) for i in range(n - draw(st.integers(0, 1)))]
    extra = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=3))
    links = sorted({(min(a, b), max(a, b)) for a, b in ring + extra if a != b}) or [(0, 1)]
    seconds = {way: draw(st.sampled_from([60, 200, 350])) for a, b in links for way in ((a, b), (b, a))}
    sheds = {s: tuple(draw(st.lists(st.integers(0, n - 1), max_size=2))) for s in range(n)} if draw(st.booleans()) else None
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=12, unique=True))
    trips = {(o, d): draw(st.integers(1, 9)) for o, d in pairs if o != d}
    people = {h: draw(st.integers(1, 9)) for h in range(n)}
    network, demand = city(n, links, trips, seconds=seconds, sheds=sheds, presence=people)
    rule = ServiceRule(draw(st.sampled_from([1.0, 2.0])), draw(st.sampled_from([0, 600])), draw(st.sampled_from([0, 300])))
    return Problem.build(network, demand, rule)


@st.composite
def route_limits(draw):
    """Limits that bind in a small city."""
    return RouteLimits(
        max_length_m=draw(st.sampled_from([1000, 2000, 3000, 45_000])),
        max_ride_s=draw(st.sampled_from([200, 500, 14_400])),
        max_circuity=draw(st.sampled_from([1.0, 1.6, 100])),
        max_pair_circuity=draw(st.sampled_from([1.0, 1.22, 99.0])),
        allow_spurs=draw(st.booleans()),
        max_stops=draw(st.sampled_from([2, 3, 200])),
        max_total_length_m=draw(st.sampled_from([2000, 5000, np.inf])),
        max_buses=draw(st.sampled_from([1, 2, 4, np.inf])),
        headway_s=draw(st.sampled_from([300, 700])),
    )


def simple_routes(problem):
    """Every simple route, once."""
    network, found = problem.network, []
    for n in range(2, network.n_stops + 1):
        for stops in permutations(range(network.n_stops), n):
            ways = [network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]] for a in stops[:-1]]
            if stops[0] < stops[-1] and all(b in way for b, way in zip(stops[1:], ways, strict=True)):
                found.append(Route(stops, "R"))
    return found


def best_value(problem, n_routes, limits, objective):
    """Most that a plan is worth, by trying every plan."""
    kept = [r for r in simple_routes(problem) if not check_plan(problem.network, Plan((r,), problem.network.fingerprint), limits)]
    best = 0
    for size in range(1, n_routes + 1):
        for routes in combinations(kept, size):
            plan = Plan(tuple(Route(r.stops, f"R{k}") for k, r in enumerate(routes)), problem.network.fingerprint)
            if not check_plan(problem.network, plan, limits):
                best = max(best, problem.value(plan, objective))
    return best


OBJECTIVE = st.sampled_from([Objective(), Objective(1, 0, 0), Objective(0, 1), Objective(2, 1), Objective(is_travel_time=True)])


@given(small_cities(4), route_limits(), OBJECTIVE, st.integers(1, 3))
@settings(max_examples=MAX_EXAMPLES)
def test_no_plan_is_worth_more_than_the_bound(problem, limits, objective, n_routes):
    bounder = Bounder(BoundProblem.of_problem(problem, objective), n_routes, limits)
    best = best_value(problem, n_routes, limits, objective)
    for _ in range(STEPS):
        assert bounder.step().bound_quanta >= best
    assert upper_bound(problem, n_routes, limits=limits, objective=objective, steps=2).bound_quanta >= best


@given(small_cities(5), route_limits(), st.integers(1, 2))
@settings(max_examples=MAX_EXAMPLES // 2)
def test_without_transfers_the_listing_finds_the_best_plan_and_proves_it(problem, limits, n_routes):
    for objective in (Objective(1, 0, 0), Objective(0, 1), Objective(1, 2, 0)):
        best = best_value(problem, n_routes, limits, objective)
        result = upper_bound(problem, n_routes, limits=limits, objective=objective)
        plan = Plan(tuple(Route(stops, f"R{k}") for k, stops in enumerate(result.routes)), problem.network.fingerprint)
        assert result.bound_quanta == best == problem.value(plan, objective)
        assert not check_plan(problem.network, plan, limits)


@given(small_cities(5), st.lists(st.floats(0, 9), min_size=5, max_size=5), st.integers(2, 6), st.integers(0, 2), st.integers(0, 12))
@settings(max_examples=MAX_EXAMPLES * 2)
def test_walks_are_worth_at_least_every_simple_route_and_their_own_visits(problem, prices, width, rings, budget):
    network, price = problem.network, np.array(prices[: problem.n_rows])
    cost = np.ones(network.link_to.size, np.int32) + (
        np.abs(np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr)) - network.link_to) > 1
    )
    roads = CostGraph(network.link_indptr, network.link_to, cost.astype(np.int32), network.shed_indptr, problem.graph.shed_hex)
    memory = bound_routes.near_memory(roads, problem.n_rows, rings)
    walks, best = room_for(4000), np.empty(budget + 1, np.int32)
    assert longest_walks(roads, memory, price, budget, width, walks, best) > 0
    for walk in best:
        visits = np.zeros(problem.n_rows)
        bound_routes.add_gains(roads, memory, walks, walk, 1.0, visits)
        assert visits @ price == pytest.approx(walks.value[walk])
    for route in simple_routes(problem):
        spent = sum(int(cost[link_between(network, a, b)]) for a, b in zip(route.stops[:-1], route.stops[1:], strict=True))
        hexes = np.unique(
            np.concatenate([problem.graph.shed_hex[network.shed_indptr[s] : network.shed_indptr[s + 1]] for s in route.stops])
        )
        if spent <= budget:
            assert walks.value[best[spent]] >= price[hexes].sum() - 1e-9


def link_between(network, a, b):
    """Index of the link from a to b."""
    return int(network.link_indptr[a] + np.searchsorted(network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]], b))


def room_for(n):
    """Room for n walks."""
    return Walks(np.empty(n), np.empty(n, np.uint64), *(np.empty(n, np.int32) for _ in range(4)))


def line(n, *, width=24, budget=None, rings=1, price=None):
    """Walks on a line of n stops under prices of 1."""
    indptr = np.concatenate([[0], np.cumsum([1 if i in {0, n - 1} else 2 for i in range(n)])])
    to = np.array([j for i in range(n) for j in (i - 1, i + 1) if 0 <= j < n], np.int32)
    roads = CostGraph(indptr, to, np.ones(to.size, np.int32), np.arange(n + 1), np.arange(n, dtype=np.int32))
    memory = bound_routes.near_memory(roads, n, rings)
    budget = n if budget is None else budget
    walks, best = room_for(10_000), np.empty(budget + 1, np.int32)
    made = longest_walks(roads, memory, np.ones(n) if price is None else price, budget, width, walks, best)
    return roads, memory, walks, best, made


def test_a_walk_cannot_earn_by_turning_round_while_it_remembers():
    _, _, walks, best, _ = line(3, rings=1, price=np.array([1.0, 1.0, 0.0]))
    assert walks.value[best].tolist() == [1.0, 2.0, 2.0, 2.0]


def test_a_walk_that_remembers_its_own_stop_alone_earns_again_each_time_it_comes_back():
    _, _, walks, best, _ = line(3, rings=0)
    assert walks.value[best].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_what_is_remembered_after_a_repeat_is_never_forgotten_on_that_way_again():
    roads, memory, walks, best, _ = line(6, rings=0)
    for _ in range(40):
        stops = bound_routes.walk_stops(walks, best[-1])
        if not bound_routes.remember_repeats(roads, memory, stops):
            break
        visits = np.zeros(6)
        bound_routes.follow_walk(roads, memory, stops, visits)
        assert visits.max() == 1.0
        longest_walks(roads, memory, np.ones(6), 6, 24, walks, best)
    assert walks.value[best].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0]


def test_too_little_room_for_walks_is_told():
    roads, memory, _, best, _ = line(6)
    for room in (3, 10):
        assert longest_walks(roads, memory, np.ones(6), 6, 24, room_for(room), best) == -1


def test_more_hexes_in_a_shed_than_colours_only_loosen_the_bound():
    n = 80
    roads = CostGraph(
        np.array([0, 1, 2]),
        np.array([1, 0], np.int32),
        np.ones(2, np.int32),
        np.array([0, n, 2 * n]),
        np.tile(np.arange(n, dtype=np.int32), 2),
    )
    memory = bound_routes.near_memory(roads, n, 1)
    walks, best = room_for(100), np.empty(2, np.int32)
    longest_walks(roads, memory, np.ones(n), 1, 8, walks, best)
    assert (memory.kept_hex >= 0).sum(axis=1).tolist() == [bound_routes.N_COLOURS] * 2
    assert walks.value[best].tolist() == [n, n + n - bound_routes.N_COLOURS]


@given(
    st.lists(st.tuples(st.floats(0, 9), st.integers(0, 4)), min_size=1, max_size=4),
    st.integers(1, 3),
    st.integers(0, 9),
)
@settings(max_examples=MAX_EXAMPLES * 2)
def test_the_dearest_mix_equals_the_best_of_all_mixes(kinds, n_routes, room):
    worth, load = (np.array(column) for column in zip(*kinds, strict=True))
    chosen = np.zeros(worth.size, np.int64)
    mixes = RouteMixes(np.zeros(worth.size, np.int32), load.astype(np.int64), n_routes, room)
    found = bound_multipliers.dearest_mix(worth, mixes, chosen)
    counts = [c for c in np.ndindex(*[n_routes + 1] * worth.size) if sum(c) <= n_routes and np.dot(c, load) <= room]
    assert found == pytest.approx(max(float(np.dot(c, worth)) for c in counts))
    assert chosen @ worth == pytest.approx(found)
    assert chosen.sum() <= n_routes
    assert chosen @ load <= room


@given(small_cities(5), route_limits(), st.integers(1, 20))
@settings(max_examples=MAX_EXAMPLES)
def test_every_route_within_the_limits_fits_a_kind_whose_load_it_has(problem, limits, n_routes):
    network = problem.network
    for budget in budgets(problem.graph, n_routes, limits):
        mixes = budget.mixes
        for route in simple_routes(problem):
            plan = Plan((route,), network.fingerprint)
            if not check_plan(network, plan, limits):
                links = [link_between(network, a, b) for a, b in zip(route.stops[:-1], route.stops[1:], strict=True)]
                fitting = np.flatnonzero(mixes.cost >= budget.link_cost[links].sum())
                assert fitting.size
                assert mixes.load[fitting].min() <= mixes.most_load


def test_the_bound_of_a_line_is_the_best_plan():
    network, demand = city(5, [(i, i + 1) for i in range(4)], {(0, 1): 4.0, (1, 2): 3.0, (3, 4): 2.0})
    problem = Problem.build(network, demand)
    limits = RouteLimits(max_length_m=2 * LINK_M, **ANY_SHAPE)
    assert upper_bound(problem, 1, limits=limits).bound_quanta == 7 * 1024
    bounder = Bounder(BoundProblem.of_problem(problem, Objective()), 1, limits)
    for _ in range(200):
        bounder.step()
    assert bounder.bound_quanta == pytest.approx(7 * 1024, rel=0.01)


@pytest.mark.parametrize(
    ("at_limit", "below"),
    [
        (RouteLimits(max_length_m=3 * LINK_M), RouteLimits(max_length_m=3 * LINK_M - 1)),
        (RouteLimits(max_ride_s=3 * LINK_S), RouteLimits(max_ride_s=3 * LINK_S - 1)),
        (RouteLimits(max_stops=4), RouteLimits(max_stops=3)),
        (RouteLimits(max_buses=2, headway_s=3 * LINK_S), RouteLimits(max_buses=2, headway_s=3 * LINK_S - 1)),
        (RouteLimits(max_total_length_m=3 * LINK_M), RouteLimits(max_total_length_m=3 * LINK_M - 1)),
    ],
)
def test_a_route_exactly_at_a_limit_is_within_the_bound_and_one_over_it_is_not(at_limit, below):
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {}, presence=dict.fromkeys(range(4), 1.0))
    bound_problem = BoundProblem.of_problem(Problem.build(network, demand), Objective(0, 1))
    for limits, people in ((at_limit, 4), (below, 3)):
        bounder = Bounder(bound_problem, 1, limits)
        for _ in range(60):
            bounder.step()
        assert people * 1024 <= bounder.bound_quanta < (people + 0.2) * 1024


def test_trips_that_no_ride_can_serve_are_left_out():
    network, demand = city(4, [(0, 1), (2, 3)], {(0, 1): 1.0, (1, 0): 2.0, (0, 3): 5.0})
    bound_problem = BoundProblem.of_problem(Problem.build(network, demand), Objective())
    assert (bound_problem.first.tolist(), bound_problem.second.tolist(), bound_problem.weight.tolist()) == ([0], [1], [3 * 1024])
    assert upper_bound(Problem.build(network, demand), 2).bound_quanta == 3 * 1024


def lattice(n=60):
    """A larger city with demand everywhere, and its case."""
    rng = np.random.default_rng(3)
    network, _ = city(n, [(0, 1)], {})
    near = [(a, int(b)) for a in range(n) for b in network.grid.neighbours[a] if b > a]
    pairs = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in rng.integers(n, size=(500, 2)) if a != b}
    network, demand = city(n, near, pairs, presence={h: float(rng.integers(1, 9)) for h in range(n)})
    return network, demand, Problem.build(network, demand)


def test_the_bound_lies_above_what_the_router_finds_and_not_far():
    network, demand, problem = lattice()
    limits = RouteLimits(max_buses=4, headway_s=1800, max_circuity=5, max_pair_circuity=99.0, allow_spurs=True)
    for objective, far in (("served", 2.5), ("presence", 1.1)):
        found = plan_routes(network, demand, 2, limits=limits, objective=objective, stop_when=[MaxSteps(20_000)], n_starts=1)
        bound = upper_bound(problem, 2, limits=limits, objective=objective, steps=80)
        assert found.value_quanta <= bound.bound_quanta <= far * found.value_quanta


def test_the_same_steps_prove_the_same_bound_and_never_a_looser_one_later():
    _, _, problem = lattice()
    runs = [upper_bound(problem, 2, limits=RouteLimits(max_buses=6, headway_s=1800), steps=12) for _ in range(2)]
    traces = [[point.bound_quanta for point in run.trace] for run in runs]
    assert traces[0] == traces[1] == sorted(traces[0], reverse=True)
    assert runs[0].share == runs[0].bound_quanta / runs[0].total_quanta


def test_more_routes_have_no_smaller_bound_from_the_same_prices():
    _, _, problem = lattice()
    start = upper_bound(problem, 2, steps=20).multipliers
    bounds = [upper_bound(problem, n_routes, steps=1, start=start).bound_quanta for n_routes in (1, 2, 3, 40)]
    assert bounds == sorted(bounds)


def test_a_start_is_as_good_as_where_it_was_left():
    _, _, problem = lattice()
    first = upper_bound(problem, 2, steps=15)
    assert upper_bound(problem, 2, steps=1, start=first.multipliers).bound_quanta <= first.bound_quanta * 1.001


def test_a_start_with_impossible_numbers_still_proves():
    _, _, problem = lattice()
    bound_problem = BoundProblem.of_problem(problem, Objective())
    wild = Multipliers(bound_problem.weight * 7 - 5, np.full(problem.n_rows, -3.0))
    limits = RouteLimits(max_buses=2, headway_s=1800)
    assert upper_bound(problem, 1, limits=limits, objective="presence", steps=3).bound_quanta > 0
    assert Bounder(bound_problem, 2, limits, wild).step().bound_quanta <= bound_problem.total_quanta


def test_a_caller_ends_the_bound():
    _, _, problem = lattice()
    seen = []
    result = upper_bound(problem, 2, on_step=lambda now: seen.append(now) or now.steps == 3)
    assert [point.steps for point in seen] == [1, 2, 3]
    assert result.steps == 3


def test_a_bound_for_no_route_is_refused():
    _, _, problem = lattice()
    with pytest.raises(UsageError, match=r"n_routes must be at least 1, got 0"):
        upper_bound(problem, 0)


def test_a_start_of_another_problem_is_refused():
    _, _, problem = lattice()
    with pytest.raises(
        UsageError, match=r"a start must have \d+ splits and 60 multipliers, got 1 and 2; take one from the same problem and objective"
    ):
        upper_bound(problem, 2, start=Multipliers(np.ones(1), np.ones(2)))


def test_a_city_without_links_has_a_bound():
    network, demand = city(3, [], {(0, 1): 5.0}, presence={0: 1.0})
    problem = Problem.build(network, demand)
    bounder = Bounder(BoundProblem.of_problem(problem, Objective(1, 1)), 2, RouteLimits())
    assert bounder.step().bound_quanta == 1024
    assert upper_bound(problem, 1).bound_quanta == 0


def test_too_many_routes_are_not_listed():
    _, _, problem = lattice()
    assert list_problem(problem, Objective(0, 1), RouteLimits()) is None


def test_a_fleet_or_all_metres_decide_between_listed_routes():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 1): 4.0, (2, 3): 3.0, (0, 3): 1.0})
    problem = Problem.build(network, demand)
    for limits, units in (
        (RouteLimits(), 8 * 1024),
        (RouteLimits(max_buses=1, headway_s=2 * LINK_S), 4 * 1024),
        (RouteLimits(max_total_length_m=2 * LINK_M), 7 * 1024),
    ):
        listing = list_problem(problem, Objective(1, 0, 0), limits)
        assert listing is not None
        assert best_of_listing(listing, 2, limits, 10.0).bound_quanta == units
