"""The kernel that anneals a plan: what it counts, what it keeps, and how warm it is."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.kernels.keeps_limits import buses_of, keeps_limits
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PlanConstraints, Problem
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.problem import plan_of

SIDE = 4
LADDER = [(s, s + 1) for s in range(SIDE**2) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(SIDE**2 - SIDE)]


def town(seed=2):
    """Four by four stops whose links take longer one way, and random trips."""
    rng = np.random.default_rng(seed)
    seconds = {way: int(rng.integers(100, 300)) for a, b in LADDER for way in ((a, b), (b, a))}
    ends = rng.integers(0, SIDE**2, (2, 60))
    trips = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in ends.T if a != b}
    return city(SIDE**2, LADDER, trips, seconds=seconds, presence={s: float(1 + s % 3) for s in range(SIDE**2)})


NETWORK, DEMAND = town()
LINES = (Route([0, 1, 2, 3], "A"), Route([2, 6, 10, 9], "B"), Route([12, 8, 9], "C"))


def chain_on(plan, *, objective=Objective(3, 1), limits=RouteLimits(**ANY_SHAPE), seed=0, frozen=(), problem=None, constraints=None):  # noqa: B008 -- never changed
    """A chain that begins with `plan`, its routes of `frozen` fixed in place."""
    problem = problem or Problem.build(NETWORK, DEMAND)
    chain = AnnealingRun(problem, objective, limits, len(plan.routes), np.random.default_rng(seed), constraints)
    chain.load(plan, np.isin(np.arange(len(plan.routes)), frozen))
    return chain


def plan_now(chain):
    """The plan under change."""
    return plan_of(chain.problem.network, *chain.routes[:2])


def plan_a():
    return Plan(LINES, NETWORK.fingerprint)


@given(st.integers(0, 99), st.sampled_from(["served", "direct", "presence", "served=3,presence=1"]), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_the_value_kept_is_that_of_the_plan_under_change_and_of_the_best(seed, objective, n_blocks):
    limits = RouteLimits(
        max_length_m=5 * LINK_M, max_total_length_m=12 * LINK_M, max_circuity=2.0, max_pair_circuity=1.6, max_buses=9, headway_s=600
    )
    objective = Objective.parse(objective)
    chain = chain_on(plan_a(), objective=objective, limits=limits, seed=seed)
    best = chain.best_value
    for _ in range(n_blocks):
        before = chain.values.copy()
        assert chain.anneal(300, 2e4, 2e3) == 300
        assert chain.value == chain.problem.value(plan_now(chain), objective)
        assert chain.best_value == chain.problem.value(chain.best_plan(), objective) >= max(best, chain.value)
        for plan in (plan_now(chain), chain.best_plan()):
            assert check_plan(NETWORK, plan, limits) == ()
        _, tried, accepted = chain._kinds  # what the kernel counts for the next block
        assert tried.sum() == 300
        assert np.all(accepted <= tried)
        evaluated, looked_at = chain.values[[2, 4]] - before[[2, 4]]
        assert accepted.sum() <= looked_at <= evaluated <= 300
        gained = chain.best_value > best
        assert chain.steps_since_gain < 300 if gained else chain.steps_since_gain == before[3] + 300
        best = chain.best_value
    for mine, again in zip(chain.routes[2:], chain.problem.pad(plan_now(chain), width=chain.routes[0].shape[1])[2:], strict=True):
        for k, count in enumerate(chain.routes[1]):
            assert mine[k, :count].tolist() == again[k, :count].tolist()


@pytest.mark.parametrize("objective", ["served=3,presence=1", "served=1,presence=9", "presence", "direct"])
def test_a_cold_search_never_gives_up_value_and_a_hot_one_does(objective):
    chain, values = chain_on(plan_a(), objective=Objective.parse(objective)), []
    for _ in range(40):
        values.append(chain.value)
        chain.anneal(20, 1e-3, 1e-3)
    assert values == sorted(values)
    assert values[0] < values[-1]
    values = []
    for _ in range(40):
        values.append(chain.value)
        chain.anneal(20, 1e9, 1e9)
    assert values != sorted(values)


@pytest.mark.parametrize("objective", [Objective(0, 1), Objective(1, 9), Objective(9, 1)])
def test_a_move_that_gains_people_alone_is_not_refused_by_its_bound(objective):
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 1): 1.0}, presence={0: 3.0, 2: 2.0})
    problem = Problem.build(network, demand)
    chain = chain_on(Plan((Route([0, 1], "A"),), network.fingerprint), objective=objective, problem=problem)
    chain.anneal(200, 1e-3, 1e-3)
    assert sorted(chain.route(0).tolist()) == [0, 1, 2]
    assert chain.value == problem.total_value(objective)


@pytest.mark.parametrize("frozen", [(0,), (0, 2), (1,), (0, 1, 2)])
def test_frozen_routes_stay_and_every_other_one_moves(frozen):
    chain = chain_on(plan_a(), frozen=frozen)
    assert chain.anneal(2_000, 1e9, 1e9) == (0 if len(frozen) == 3 else 2_000)
    for k, line in enumerate(LINES):
        assert (chain.route(k).tolist() == line.stops.tolist()) == (k in frozen)


def test_a_route_without_a_link_stays_as_it_is():
    chain = chain_on(plan_a())
    chain.set_route(1, np.zeros(0, np.int32))
    assert chain.anneal(500, 1e9, 1e9) == 500
    assert chain.route(1).size == 0
    chain = chain_on(Plan(LINES[:1], NETWORK.fingerprint))
    for stops in ([], [5]):
        chain.set_route(0, np.array(stops, np.int32))
        assert chain.anneal(500, 1e9, 1e9) == 0


def spur(worth):
    """Three stops in a line, a route over all of them, and trips that only its last link serves."""
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 1): 10.0, (1, 2): worth})
    problem = Problem.build(network, demand)
    return chain_on(Plan((Route([0, 1, 2], "A"),), network.fingerprint), objective=Objective(), problem=problem), problem


def chances(hot, cold, steps):
    """Shares of the shortenings of a route that were accepted, and the step of the last."""
    chain, _ = spur(10.0)
    kinds = np.zeros((3, 8))
    kinds[0, 3:5], kinds[0, 5:] = (0.5, 1.0), 1.0
    chain._choose_kinds = lambda: kinds.__setitem__(slice(1, None), 0)  # extend and trim alone
    chain._kinds = kinds
    evaluated = int(chain.values[2])
    chain.anneal(steps, hot, cold)
    assert chain.steps_since_gain == steps, "to come back to the best value is no gain"
    longer, shorter = kinds[2, 3], kinds[2, 4]
    return shorter, chain.values[2] - evaluated - longer, kinds


@pytest.mark.parametrize("chance", [0.2, 0.5, 0.8])
def test_a_loss_is_accepted_with_the_chance_that_the_temperature_gives_it(chance):
    warm = -10 * 1024 / math.log(chance)
    accepted, evaluated, kinds = chances(warm, warm, 4_000)
    assert accepted / evaluated == pytest.approx(chance, abs=0.04)
    assert kinds[2, [3, 4]].sum() == kinds[2].sum()


@pytest.mark.parametrize(("hot", "cold", "half"), [(1e12, 1e-4, True), (1e-4, 1e-4, False)])
def test_the_temperature_falls_from_hot_to_cold_by_equal_factors(hot, cold, half):
    always, _, _ = chances(1e15, 1e15, 4_000)
    accepted, _, _ = chances(hot, cold, 4_000)
    assert accepted / always == pytest.approx(0.5 if half else 0.0, abs=0.05), "a loss of 10^4 lies in the middle of 10^12 to 10^-4"


@pytest.mark.parametrize(("chance", "within"), [(0.5, 6), (0.15, 0.5)])
def test_a_kind_of_move_whose_last_sixteen_kept_no_limit_is_drawn_three_times_in_a_row_to_be_tried(chance, within):
    """On a line nothing can be inserted, and a cold search refuses to trim; each 250 moves on a route begin anew."""
    links = [(s, s + 1) for s in range(9)]
    network, demand = city(10, links, {(s, s + 1): 9.0 for s in range(9)})
    chain = chain_on(
        Plan((Route(list(range(10)), "A"),), network.fingerprint), objective=Objective(), problem=Problem.build(network, demand)
    )
    kinds, blocks = np.zeros((3, 8)), 20
    kinds[0, :4], kinds[0, 4:] = chance, 1.0
    chain._choose_kinds, chain._kinds = lambda: None, kinds
    chain.anneal(blocks * 250, 1e-3, 1e-3)
    assert kinds[1].sum() == kinds[1, [0, 4]].sum() == blocks * 250
    assert kinds[1, 0] / blocks == pytest.approx(16 + (250 - 16 / chance) * chance**3, abs=within)


def test_a_route_gives_way_to_the_next_after_sixteen_changes_or_a_block_of_moves():
    lines = [list(range(5)), list(range(5, 10))]
    links = [step for line in lines for step in pairwise(line)]
    network, demand = city(10, links, dict.fromkeys(links, 9.0))
    apart = Plan(tuple(Route(line, f"R{k}") for k, line in enumerate(lines)), network.fingerprint)
    still = chain_on(apart, objective=Objective(), problem=Problem.build(network, demand))  # where a cold search changes nothing
    for chain, temperature in ((chain_on(plan_a()), 1e15), (still, 1e-3)):
        before = int(chain._gains.other_routes[0][3])
        chain.anneal(1_000, temperature, temperature)
        turns, changes = int(chain._gains.other_routes[0][3]) - before, int(chain._kinds[2].sum())
        assert turns == (1_000 / 250 if chain is still else math.ceil(changes / 16))
        assert (changes == 0) == (chain is still)


BOUND = RouteLimits(
    max_length_m=9_000,
    min_length_m=1,
    max_ride_s=9_000,
    max_circuity=3.0,
    max_pair_circuity=99.0,
    allow_spurs=True,
    max_stops=9,
    min_stops=2,
    max_total_length_m=20_000,
)


def keeps(limits, stops, ahead_s, back_s, metres, other_m=0.0, other_buses=0.0, links=((0, 1, 900, 1100), (1, 0, 1300, 800))):
    """What the kernel says of a route between the ends of one link, or of several stops on a line of them."""
    n = max(max(a, b) for a, b, *_ in links) + 1
    network, demand = city(n, [link[:2] for link in links], {}, seconds={link[:2]: link[2] for link in links})
    metres_of = {link[:2]: link[3] for link in links}
    network = replace(network, link_m=[metres_of[link] for link in sorted(metres_of)])
    chain = AnnealingRun(Problem.build(network, demand), Objective(), limits, 1, np.random.default_rng(0))
    route = np.array(stops, np.int32), len(stops), float(ahead_s), float(back_s)
    return keeps_limits(chain.drive, chain.bounds(), 0, *route, metres, other_m, other_buses)


@pytest.mark.parametrize(
    ("name", "value", "tight"),
    [
        ("max_length_m", 1_100, 1_099),
        ("min_length_m", 800, 801),
        ("max_ride_s", 1_300, 1_299),
        ("min_stops", 2, 3),
        ("max_total_length_m", 6_100, 6_099),
        ("max_buses", 4, 3),
        ("headway_s", 1_100, 1_099),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_limit_is_kept_at_its_bound_and_not_beyond(name, value, tight, turned):
    seconds, metres = (900, 1300), (1100, 800)
    links = ((0, 1, 900, 1100), (1, 0, 1300, 800))
    if turned:
        seconds, metres, links = seconds[::-1], metres[::-1], ((0, 1, 1300, 800), (1, 0, 900, 1100))
    base = replace(BOUND, max_buses=4, headway_s=1_100)
    for bound, kept in ((value, True), (tight, False)):
        assert keeps(replace(base, **{name: bound}), [0, 1], *seconds, metres, 5_000.0, 2.0, links) == kept


@pytest.mark.parametrize(("ahead", "back"), [(2_000, 1_200), (1_200, 2_000), (2_000, 2_000)])
def test_circuity_is_measured_each_way_against_the_shortest_metres(ahead, back):
    # From 0 to 2 by 1, or at once by a link that is shorter and slower; each way has metres of its own.
    links = (
        (0, 1, 10, ahead // 2),
        (1, 2, 10, ahead // 2),
        (1, 0, 10, back // 2),
        (2, 1, 10, back // 2),
        (0, 2, 900, 1_000),
        (2, 0, 900, 1_000),
    )
    worst = max(ahead, back) / 1_000
    for circuity, kept in ((worst, True), (worst - 0.01, False)):
        assert keeps(replace(BOUND, max_circuity=circuity), [0, 1, 2], 20, 20, (ahead, back), links=links) == kept


@pytest.mark.parametrize(("cycle_s", "headway_s", "buses"), [(1, 600, 1), (600, 600, 1), (601, 600, 2), (1_200, 600, 2), (0, 600, 0)])
def test_buses_cover_the_round_trip(cycle_s, headway_s, buses):
    assert buses_of(float(cycle_s), float(headway_s)) == buses


def drawn(limits=BOUND, constraints=None, seed=0, unmet=(), objective=Objective(), lines=LINES[1:], n_draws=400):  # noqa: B008 -- never changed
    """Stops of the route that is drawn into the empty first place beside `lines`, and what it adds."""
    chain = AnnealingRun(Problem.build(NETWORK, DEMAND), objective, limits, 1 + len(lines), np.random.default_rng(seed), constraints)
    for k, line in enumerate(lines):
        chain.set_route(1 + k, line.stops)
    other_routes = plan_now(chain)
    gain = chain.draw(0, chain.bounds(), np.array(unmet, np.int32), n_draws)
    return chain, other_routes, gain


@given(st.integers(0, 30), st.sampled_from(["served", "direct", "presence", "served=2,presence=1"]), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_the_drawn_route_adds_what_it_is_said_to_add_and_keeps_the_limits(seed, objective, links):
    limits, objective = replace(BOUND, max_length_m=links * LINK_M, max_circuity=1.0), Objective.parse(objective)
    chain, other_routes, gain = drawn(limits, seed=seed, objective=objective)
    assert gain == chain.problem.value(plan_now(chain), objective) - chain.problem.value(other_routes, objective)
    assert check_plan(NETWORK, Plan(plan_now(chain).routes[:1], NETWORK.fingerprint), limits) == ()


def test_of_many_drawn_paths_the_best_is_taken():
    network, demand = city(5, [(0, 1), (1, 2), (2, 3), (3, 4)], {(0, 1): 1.0, (1, 2): 5.0, (2, 3): 2.0, (3, 4): 3.0})
    chain = AnnealingRun(Problem.build(network, demand), Objective(), replace(BOUND, max_length_m=LINK_M), 1, np.random.default_rng(0))
    assert chain.draw(0, chain.bounds(), np.zeros(0, np.int32)) == 5 * 1024
    assert sorted(chain.route(0).tolist()) == [1, 2]
    chain = AnnealingRun(Problem.build(network, demand), Objective(), replace(BOUND, min_length_m=9_000), 1, np.random.default_rng(0))
    assert chain.draw(0, chain.bounds(), np.zeros(0, np.int32)) == -1
    assert chain.route(0).size == 0


@pytest.mark.parametrize("ends", [(), (("N1", 0, 15),), (("N1", 15, 0),), (("N1", 3, -1),)])
def test_the_drawn_route_leads_by_an_unmet_stop_between_its_terminals(ends):
    constraints = PlanConstraints(required=(5, 10), terminals=ends)
    for seed in range(5):
        chain, _, gain = drawn(constraints=constraints, unmet=(5, 10), seed=seed, lines=())
        stops = chain.route(0).tolist()
        assert gain >= 0
        assert {5, 10} <= set(stops), "as many of them as one path can"
        if ends:
            wanted = {stop for stop in ends[0][1:] if stop >= 0}
            assert wanted <= {stops[0], stops[-1]}


@pytest.mark.parametrize("ends", [(0, 15), (15, 0), (0, 5), (5, 0)])
def test_every_path_drawn_between_given_terminals_joins_them(ends):
    for seed in range(5):
        chain, _, gain = drawn(constraints=PlanConstraints(terminals=(("N1", *ends),)), seed=seed, lines=(), n_draws=1)
        assert gain >= 0
        assert chain.route(0)[[0, -1]].tolist() == list(ends)


def test_between_given_terminals_the_first_drawn_path_is_the_fastest_and_others_lead_by_a_stop():
    network, demand = city(5, [(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)], {(3, 4): 9.0})
    for n_draws, wanted in ((1, [0, 1, 2]), (30, [0, 3, 4, 2])):
        problem, constraints = Problem.build(network, demand), PlanConstraints(terminals=(("N1", 0, 2),))
        chain = AnnealingRun(problem, Objective(), BOUND, 1, np.random.default_rng(0), constraints)
        assert chain.draw(0, chain.bounds(), np.zeros(0, np.int32), n_draws) == (9 * 1024 if 3 in wanted else 0)
        assert chain.route(0).tolist() == wanted


def test_of_equally_good_drawn_paths_the_first_stays():
    problem = Problem.build(NETWORK, city(SIDE**2, [], {})[1])
    for seed in range(3):
        first, best = (chain_on(Plan(LINES[:1], NETWORK.fingerprint), problem=problem, seed=seed) for _ in range(2))
        for chain, n_draws in ((first, 1), (best, 50)):
            chain.set_route(0, np.zeros(0, np.int32))
            assert chain.draw(0, chain.bounds(), np.zeros(0, np.int32), n_draws) == 0
        assert first.route(0).tolist() == best.route(0).tolist()


@pytest.mark.parametrize("dead_end", [0, 3])
def test_every_second_path_begins_at_an_unmet_stop_so_that_dead_ends_are_met(dead_end):
    """A way that leads by a dead end passes the stop before it twice, unless it begins or ends there."""
    names = [dead_end, *(stop for stop in range(4) if stop != dead_end)]
    links = [(names[a], names[b]) for a, b in ((0, 1), (1, 2), (2, 3), (3, 1))]
    network, demand = city(4, links, {(names[2], names[3]): 9.0})
    for seed in range(5):
        chain = AnnealingRun(Problem.build(network, demand), Objective(), BOUND, 1, np.random.default_rng(seed))
        assert chain.draw(0, chain.bounds(), np.array([dead_end], np.int32), 2) >= 0
        assert chain.route(0)[0] == dead_end


def test_a_route_exactly_as_long_as_its_seconds_say_is_laid():
    chain, _, _ = drawn(seed=1)
    ahead, back = (rows[0].copy() for rows in chain.routes[2:])
    chain.set_route(0, chain.route(0))
    assert (ahead.tolist(), back.tolist()) == (chain.routes[2][0].tolist(), chain.routes[3][0].tolist())
