"""The router: against brute force on tiny cities, and at its limits."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from multiprocessing import get_context

import networkx as nx
import numpy as np
import pytest
from cities import LINK_M, LINK_S, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.disclosure import EXACT
from owlbus.common.errors import DataError, InfeasibleError, UsageError
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PlanConstraints, Problem, plan_routes
from owlbus.search.parallel import SearchTask, problem_to_bytes, run_start
from owlbus.search.stopping import MaxSeconds, MaxSteps, NoGain, TargetGap

LADDER = [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (0, 4), (1, 5), (2, 6), (3, 7)]


def optimum(network, demand, n_routes, limits, objective):
    """Best value over all sets of simple routes within the limits, by trying each."""
    problem = Problem.build(network, demand)
    graph = nx.Graph([(a, int(b)) for a in range(network.n_stops) for b in network.link_to[slice(*network.link_indptr[a : a + 2])]])
    routes = [
        Route(path, "-".join(map(str, path)))
        for a, b in combinations(range(network.n_stops), 2)
        if a in graph and b in graph
        for path in nx.all_simple_paths(graph, a, b)
    ]
    fitting = [route for route in routes if not check_plan(network, Plan((route,), network.fingerprint), limits)]
    return max(
        (
            problem.value(plan, objective)
            for n in range(1, n_routes + 1)
            for chosen in combinations(fitting, n)
            if not check_plan(network, plan := Plan(chosen, network.fingerprint), limits)
        ),
        default=0,
    )


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] != p[1]), st.integers(1, 9), min_size=1, max_size=14
    ),
    st.integers(1, 2),
    st.sampled_from(["served", "direct", "travel_time"]),
    st.integers(2, 4),
)
@settings(max_examples=15, deadline=None)
def test_the_search_finds_the_optimum_of_a_tiny_city(trips, n_routes, objective, most_links):
    network, demand = city(8, LADDER, trips)
    limits = RouteLimits(max_length_m=most_links * LINK_M, max_circuity=4.0, max_pair_circuity=99.0, allow_spurs=True)
    steps = 40_000 if objective == "travel_time" else 6_000  # half of them go to served trips, and moves on one route to half a block
    result = plan_routes(network, demand, n_routes, limits=limits, objective=objective, stop_when=[MaxSteps(steps)])
    assert check_plan(network, result.plan, limits) == ()
    assert result.value_quanta == Problem.build(network, demand).value(result.plan, result.objective)
    assert result.value_quanta == optimum(network, demand, n_routes, limits, result.objective)


def test_a_step_limit_and_a_seed_fix_the_plan():
    rng = np.random.default_rng(5)
    pairs = rng.integers(0, 30, (90, 2))
    grid_links = [(i, i + 1) for i in range(29) if i % 6 != 5] + [(i, i + 6) for i in range(24)]
    network, demand = city(30, grid_links, {(int(o), int(d)): 1.0 for o, d in pairs if o != d})
    limits = RouteLimits(max_length_m=6_000, max_buses=6)
    runs = [plan_routes(network, demand, 3, limits=limits, stop_when=[MaxSteps(3_001)], seed=4) for _ in range(2)]
    assert runs[0].plan.equals(runs[1].plan)
    assert (runs[0].value_quanta, runs[0].steps) == (runs[1].value_quanta, runs[1].steps)
    assert check_plan(network, runs[0].plan, limits) == ()


def test_a_route_may_be_exactly_as_long_as_its_limits():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 1.0})
    exact = RouteLimits(max_length_m=3 * LINK_M, max_ride_s=3 * LINK_S, max_total_length_m=3 * LINK_M, max_buses=1, headway_s=6 * LINK_S)
    assert plan_routes(network, demand, 1, limits=exact, stop_when=[MaxSteps(500)]).share == 1.0
    for tight in ({"max_length_m": 2_999}, {"max_ride_s": 599}, {"max_total_length_m": 2_999}, {"headway_s": 1_199}):
        bounds = {"max_length_m": 3_000, "max_ride_s": 600, "max_total_length_m": 3_000, "max_buses": 1, "headway_s": 1_200} | tight
        assert plan_routes(network, demand, 1, limits=RouteLimits(**bounds), stop_when=[MaxSteps(500)]).share == 0.0


def test_routes_of_more_stops_than_any_fastest_path_are_drawn():
    network, demand = city(8, LADDER, {(0, 7): 5.0, (3, 4): 2.0})  # a ladder of two sides: no fastest path has more than five stops
    limits = RouteLimits(max_circuity=9.0, min_stops=7, max_pair_circuity=99.0, allow_spurs=True)
    result = plan_routes(network, demand, 2, limits=limits, stop_when=[MaxSteps(500)])
    assert [route.n_stops >= 7 for route in result.plan] == [True, True]
    assert check_plan(network, result.plan, limits) == ()


def test_two_routes_beat_what_greedy_takes_first():
    # Greedy takes the middle line, which alone serves most; the two outer lines serve more together.
    links = [(0, 1), (1, 2), (3, 4), (4, 5), (1, 4)]
    trips = {(0, 2): 6.0, (3, 5): 6.0, (1, 4): 7.0}
    network, demand = city(6, links, trips)
    limits = RouteLimits(max_length_m=2 * LINK_M)
    result = plan_routes(network, demand, 2, limits=limits, objective="direct", stop_when=[MaxSteps(4_000)])
    assert result.value_quanta == optimum(network, demand, 2, limits, Objective(1, 0, 0))


def test_more_routes_than_are_useful_leave_the_served_trips_whole():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    assert plan_routes(network, demand, 5, stop_when=[MaxSteps(200)]).share == 1.0


def test_no_demand_gives_a_plan_that_serves_nothing():
    network, demand = city(3, [(0, 1), (1, 2)], {})
    result = plan_routes(network, demand, 1, stop_when=[MaxSteps(100)])
    assert (result.value_quanta, result.share) == (0, 0.0)


def test_presence_counts_people_once():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {}, presence={0: 1.0, 1: 2.0, 3: 4.0})
    limits = RouteLimits(max_length_m=2 * LINK_M)
    result = plan_routes(network, demand, 2, limits=limits, objective="presence", stop_when=[MaxSteps(2_000)])
    assert result.share == 1.0


def test_the_search_says_why_it_ended():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    assert str(plan_routes(network, demand, 1, stop_when=[MaxSteps(100)]).ended_by) == "the limit of 100 moves was reached"
    assert (
        str(plan_routes(network, demand, 1, stop_when=[MaxSteps(10**9), NoGain(500)]).ended_by)
        == "500 moves in a row brought no better plan"
    )
    assert str(plan_routes(network, demand, 1, stop_when=[MaxSeconds(0.2)]).ended_by) == "the limit of 0.2 s was reached"


def test_a_limit_of_ones_own_ends_the_search_in_its_own_words():
    class GoodEnough:
        def reason_to_end(self, now):
            return f"{now.best_share:.0%} are served" if now.best_share > 0 else None

    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 8.0})
    result = plan_routes(network, demand, 1, stop_when=[MaxSteps(100), GoodEnough()])
    assert (str(result.ended_by), result.ended_by.reason, result.was_interrupted) == ("100% are served", "other", False)


def test_the_trace_never_falls():
    network, demand = city(8, LADDER, {(0, 7): 2.0, (3, 4): 1.0})
    trace = plan_routes(network, demand, 2, stop_when=[MaxSteps(30_000)]).trace
    best = [point.best_share for point in trace]
    assert best == sorted(best)
    assert len(trace) > 2


def test_the_course_of_a_search_reads_back_from_csv_and_its_speed_is_moves_over_seconds():
    network, demand = city(8, LADDER, {(0, 7): 2.0, (3, 4): 1.0})
    found = plan_routes(network, demand, 2, stop_when=[MaxSteps(30_000)])
    rows = list(csv.DictReader(io.StringIO(found.trace_csv(EXACT))))
    assert [int(row["steps"]) for row in rows] == [point.steps for point in found.trace]
    for name in ("elapsed_s", "best_share", "current_share", "bound_share"):
        assert [float(row[name]) for row in rows] == pytest.approx([getattr(point, name) for point in found.trace], abs=1e-3)
    assert found.evaluations_per_s * found.elapsed_s == pytest.approx(found.evaluations)
    assert replace(found, elapsed_s=0.0).evaluations_per_s == 0.0


def test_limits_that_no_route_keeps_are_named():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    wanted = r"no route keeps the limits: 0\.5 km, 240 minutes, 2 to 200 stops; the shortest link has 1000 m and 200 s"
    with pytest.raises(InfeasibleError, match=wanted):
        plan_routes(network, demand, 1, limits=RouteLimits(max_length_m=500))
    with pytest.raises(InfeasibleError, match="9 routes need at least 9 buses, got 4; ask for fewer routes or more buses"):
        plan_routes(network, demand, 9, limits=RouteLimits(max_buses=4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_routes": 0}, r"n_routes must lie in \[1, 64\], got 0"),
        ({"n_starts": 0}, r"n_starts must lie in \[1, 64\], got 0"),
        ({"seed": -1}, r"seed must lie in \[0, \d+\], got -1"),
        ({"stop_when": [NoGain(5)]}, "stop_when must hold MaxSteps or MaxSeconds, or the search would not end"),
        ({"objective": "fun"}, "an objective must read served, direct, presence"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    with pytest.raises(UsageError, match=message):
        plan_routes(network, demand, **arguments)


def test_budgets_that_no_route_keeps_are_named_with_the_others():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    limits = RouteLimits(max_buses=1, headway_s=300, max_total_length_m=500)
    wanted = r"no route keeps the limits: .*, 1 bus every 5 minutes for all routes together, 0\.5 km for all routes together; "
    with pytest.raises(InfeasibleError, match=wanted):
        plan_routes(network, demand, 1, limits=limits, stop_when=[MaxSteps(10)])


def test_a_plan_to_go_on_from_comes_after_the_fixed_routes():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 1.0})
    fixed, begin = (Plan((Route(stops, "A"),), network.fingerprint) for stops in ([0, 1], [2, 3]))
    constraints = PlanConstraints(fixed=fixed)
    result = plan_routes(network, demand, 2, constraints=constraints, begin=begin, stop_when=[MaxSteps(10)])
    assert result.plan.routes[0].stops.tolist() == [0, 1]
    with pytest.raises(UsageError, match="it has 1 route beside the 1 fixed ones, and 1 are asked for; begin anew, or ask for 2"):
        plan_routes(network, demand, 1, constraints=constraints, begin=begin, stop_when=[MaxSteps(10)])


def test_more_trips_between_two_hexes_than_whole_numbers_hold_are_refused():
    for back in (0.5, 2_097_151.0, 9e9):
        network, demand = city(2, [(0, 1)], {(0, 1): 2_097_151.5, (1, 0): back})
        with pytest.raises(DataError, match=r"trips between two hexes must stay below 2,097,152 a night, got [\d,]+; use a larger unit"):
            Problem.build(network, demand)
    network, demand = city(2, [(0, 1)], {(0, 1): 2_097_151.5})
    assert Problem.build(network, demand).total_trips_quanta == 2_147_483_136


def test_a_plan_that_serves_nobody_is_no_share_of_its_bound():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    found = plan_routes(network, demand, 1, stop_when=[MaxSteps(10)], bound_steps=1)
    assert replace(found, value_quanta=0).gap == float("inf")
    assert replace(found, value_quanta=0, bound_quanta=0).gap == 0.0
    assert replace(found, bound_quanta=None).gap is None


def test_a_city_of_one_stop_has_no_route():
    network, demand = city(2, [], {(0, 1): 1.0})
    with pytest.raises(InfeasibleError, match="no route keeps the limits: the network has no links; check its reports"):
        plan_routes(network, demand, 1, stop_when=[MaxSteps(10)])


def test_demand_between_parts_that_no_road_joins_is_never_served():
    network, demand = city(6, [(0, 1), (1, 2), (3, 4), (4, 5)], {(0, 2): 3.0, (3, 5): 2.0, (0, 5): 50.0, (4, 1): 50.0})
    result = plan_routes(network, demand, 3, stop_when=[MaxSteps(2_000)])
    assert result.value_quanta == 5 * 1024
    assert check_plan(network, result.plan, RouteLimits()) == ()


def test_ties_are_broken_alike_each_time():
    """Four equal arms, one route: any of the four is best, and the seed says which."""
    arms = [(0, arm) for arm in range(1, 5)]
    network, demand = city(5, arms, {(0, arm): 1.0 for arm in range(1, 5)})
    limits = RouteLimits(max_length_m=LINK_M)
    runs = [plan_routes(network, demand, 1, limits=limits, stop_when=[MaxSteps(400)], seed=9) for _ in range(3)]
    assert {run.value_quanta for run in runs} == {1024}
    assert len({tuple(run.plan.routes[0].stops.tolist()) for run in runs}) == 1


def test_starts_in_other_processes_find_the_best_of_what_each_finds_alone():
    rng = np.random.default_rng(5)
    grid_links = [(i, i + 1) for i in range(29) if i % 6 != 5] + [(i, i + 6) for i in range(24)]
    network, demand = city(30, grid_links, {(int(o), int(d)): 1.0 for o, d in rng.integers(0, 30, (90, 2)) if o != d})
    asked = {"limits": RouteLimits(max_length_m=6_000, max_buses=6), "seed": 4}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        apart = [
            plan_routes(network, demand, 3, n_starts=2, bound_steps=3, stop_when=[MaxSteps(6_001)], executor=pool, **asked)
            for pool in (processes, ThreadPoolExecutor(1))
        ]
    alone = [
        run_start(
            problem_to_bytes(Problem.build(network, demand), demand),
            SearchTask(Objective(), asked["limits"], PlanConstraints(), 3, (MaxSteps(3_001),), 4),
            stream,
        )
        for stream in np.random.default_rng(4).spawn(2)
    ]
    for result in apart:
        assert result.value_quanta == max(one.value_quanta for one in alone)
        assert result.value_quanta == Problem.build(network, demand).value(result.plan, result.objective) <= result.bound_quanta
        assert result.plan.equals(max(alone, key=lambda one: one.value_quanta).plan)
        assert (result.steps, result.evaluations) == (6_002, sum(one.evaluations for one in alone))


def test_starts_that_do_not_know_the_bound_cannot_end_at_a_gap():
    network, demand = city(4, [(0, 1), (1, 2)], {(0, 2): 1.0})
    with ThreadPoolExecutor(1) as pool, pytest.raises(UsageError, match="cannot end at a target gap"):
        plan_routes(network, demand, 1, stop_when=[MaxSteps(10), TargetGap(0.1)], executor=pool)
