"""Travel time as an objective of the router: against plain searches on the expanded graph, under limits, and with the scorecard."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from test_near import simple_routes
from test_near import town as ladder

from owlbus.common.errors import UsageError
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.robust_plan import robust_plan
from owlbus.evidence.sweep import sweep_plans
from owlbus.kernels.route_constraints import count_calls
from owlbus.kernels.travel_time_anneal import (
    BLOCK,
    Rules,
    _is_allowed,
    _load_of_others,
    anneal_blocks,
)
from owlbus.plan import Plan, Route, check_plan, plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.score import score_plan
from owlbus.search import Objective, Problem, plan_routes, travel_time_run
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.constraints import PlanConstraints
from owlbus.search.improve import improve_plan
from owlbus.search.stopping import MaxSteps
from owlbus.search.travel_time_graph import travel_times
from owlbus.search.travel_time_run import TravelTimeRun

GOAL = Objective(is_travel_time=True)
SIDE = 6


def town(seed: int = 3, *, seconds: tuple[int, ...] = (90,)):
    """Six by six stops in a grid of links, and random trips."""
    rng = np.random.default_rng(seed)
    n = SIDE * SIDE
    links = [(s, s + 1) for s in range(n) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(n - SIDE)]
    ways = {way: int(rng.choice(seconds)) for a, b in links for way in ((a, b), (b, a))}
    ends = rng.integers(0, n, (2, 200))
    return city(n, links, {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in ends.T if a != b}, seconds=ways)


def plain_saved(problem, demand, plan, rule):
    """Seconds that trips save, by a shortest path for each pair on a graph of places on routes and stops."""
    graph = nx.DiGraph()
    for k, route in enumerate(plan):
        for p, stop in enumerate(route.stops.tolist()):
            graph.add_edge(("wait", stop), (k, p), weight=rule.transfer_s)
            graph.add_edge((k, p), ("wait", stop), weight=0)
            graph.add_edge((k, p), ("end", stop), weight=0)
        for p, (a, b) in enumerate(zip(route.stops[:-1].tolist(), route.stops[1:].tolist(), strict=True)):
            graph.add_edge((k, p), (k, p + 1), weight=problem.network.link(a, b)[0])
            graph.add_edge((k, p + 1), (k, p), weight=problem.network.link(b, a)[0])
    saved, trips = Fraction(0), Fraction(0)
    pairs = demand.od()
    for origin, destination, number in zip(pairs.origin, pairs.destination, pairs.trips, strict=True):
        a, b = int(problem.network.hex_stop[origin]), int(problem.network.hex_stop[destination])
        if a == b and a >= 0:
            continue
        trips += Fraction(float(number))
        if ("wait", a) in graph and ("end", b) in graph and nx.has_path(graph, ("wait", a), ("end", b)):
            ride_s = nx.shortest_path_length(graph, ("wait", a), ("end", b), weight="weight") - rule.transfer_s
            saved += Fraction(float(number)) * max(0, rule.unserved_s - ride_s)
    return saved, trips


@st.composite
def plans(draw):
    """Plan of random walks in the town, which may pass a stop twice."""
    network, demand = town(draw(st.integers(0, 5)), seconds=(60, 90, 200))
    routes = []
    for k in range(draw(st.integers(0, 4))):
        stops = [draw(st.integers(0, network.n_stops - 1))]
        for _ in range(draw(st.integers(1, 9))):
            ways = network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]]
            stops.append(int(draw(st.sampled_from(ways.tolist()))))
        routes.append(Route(stops, f"R{k}"))
    return network, demand, Plan(tuple(routes), network.fingerprint)


@given(plans(), st.sampled_from([0, 120, 300]), st.sampled_from([500, 900, 7200]))
@settings(max_examples=40, deadline=None)
def test_what_a_plan_saves_equals_a_plain_search_for_every_trip(drawn, transfer_s, unserved_s):
    network, demand, plan = drawn
    rule = ServiceRule(transfer_s=transfer_s, unserved_s=unserved_s)
    problem = Problem.build(network, demand, rule)
    saved, trips = plain_saved(problem, demand, plan, rule)
    assert Fraction(problem.value(plan, GOAL), 1024) == saved
    assert Fraction(problem.total_value(GOAL), 1024) == trips * unserved_s
    assert score_plan(network, demand, plan, rule=rule).mean_travel_s == unserved_s - problem.value(plan, GOAL) / int(trips * 1024)


@pytest.mark.parametrize("seconds", [(90,), (60, 90, 200)], ids=["alike both ways", "longer one way"])
def test_search_and_scorecard_agree_and_limits_are_kept(seconds):
    network, demand = town(seconds=seconds)
    limits = RouteLimits(
        max_length_m=9 * LINK_M,
        max_circuity=1.7,
        max_pair_circuity=1.6,
        max_total_length_m=24 * LINK_M,
        max_buses=8,
        headway_s=600,
        min_stops=4,
    )
    found = plan_routes(network, demand, 4, limits=limits, objective="travel_time", stop_when=[MaxSteps(6_000)])
    assert check_plan(network, found.plan, limits) == ()
    assert found.value_quanta == Problem.build(network, demand).value(found.plan, GOAL)
    shares = [point.best_share for point in found.trace]
    assert shares == sorted(shares)
    assert shares[-1] == found.share > shares[0]
    served = plan_routes(network, demand, 4, limits=limits, stop_when=[MaxSteps(6_000)])
    means = [score_plan(network, demand, plan).mean_travel_s for plan in (found.plan, served.plan)]
    assert means[0] < means[1], "the plan for travel time is the faster one"


def test_a_step_limit_and_a_seed_fix_the_plan_of_least_travel_time():
    network, demand = town()
    limits = RouteLimits(max_length_m=9 * LINK_M, max_total_length_m=24 * LINK_M)
    runs = [plan_routes(network, demand, 3, limits=limits, objective=GOAL, stop_when=[MaxSteps(3_000)], seed=7) for _ in range(2)]
    assert runs[0].plan.equals(runs[1].plan)
    assert (runs[0].value_quanta, runs[0].steps, runs[0].evaluations) == (runs[1].value_quanta, runs[1].steps, runs[1].evaluations)


def test_starts_run_apart_and_a_search_goes_on_from_a_plan():
    network, demand = town()
    limits = RouteLimits(max_length_m=9 * LINK_M, max_total_length_m=24 * LINK_M)
    asked = {"limits": limits, "objective": GOAL, "stop_when": [MaxSteps(4_000)]}
    with ThreadPoolExecutor(2) as pool:
        first = plan_routes(network, demand, 3, executor=pool, **asked)
    met = []
    second = plan_routes(network, demand, 3, begin=first.plan, on_gain=met.append, seed=5, **asked)
    assert second.value_quanta >= first.value_quanta
    assert all(check_plan(network, plan, limits) == () for plan in (first.plan, second.plan, *met))
    problem = Problem.build(network, demand)
    assert [problem.value(plan, GOAL) for plan in met] == sorted({problem.value(plan, GOAL) for plan in met})
    assert not met or met[-1].equals(second.plan)


def test_a_plan_that_takes_everyone_the_fastest_way_is_proven_best():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 4.0, (1, 2): 2.0})
    found = plan_routes(network, demand, 1, objective=GOAL, stop_when=[MaxSteps(1_000)], bound_steps=30)
    assert found.value_quanta == found.bound_quanta < found.total_quanta
    assert found.gap == 0


def test_search_and_measures_on_link_times_agree():
    network, demand = town()
    links = np.full((SIDE**2, SIDE**2), -1)
    tail = np.repeat(np.arange(SIDE**2), np.diff(network.link_indptr))
    links[tail, network.link_to] = network.link_s
    trips = np.zeros(links.shape)
    pairs = demand.od()
    trips[pairs.origin, pairs.destination] = pairs.trips
    rule = ServiceRule(unserved_s=1800)
    limits = RouteLimits(max_length_m=1e6, **ANY_SHAPE, max_ride_s=10**6, max_stops=8, min_stops=2, min_length_m=0)
    found = plan_routes(network, demand, 5, limits=limits, rule=rule, objective=GOAL, stop_when=[MaxSteps(6_000)])
    measured = travel_times(links, trips, [route.stops for route in found.plan], unserved_s=1800)
    assert score_plan(network, demand, found.plan, rule=rule).mean_travel_s == pytest.approx(measured.mean_s, rel=1e-12)
    assert measured.mean_s == pytest.approx(1800 - found.value_quanta / 1024 / float(pairs.trips.sum()), rel=1e-12)


@njit
def is_allowed(rules, plan, k, other, stops, n, stops_2, n_2):
    """Call kernels that other kernels alone call, in their order."""
    used = _load_of_others(rules, plan, k, other)
    count_calls(rules.constraints, *plan, k, rules.calls)
    return _is_allowed(rules, plan, used, k, other, stops, n, stops_2, n_2)


def plan_of_rows(network, rows):
    """Plan of the routes that are not empty, numbered by their rows."""
    return Plan(tuple(Route(row, f"R{k}") for k, row in enumerate(rows) if row), network.fingerprint)


def may_run(network, limits, constraints, rows, new, changed):
    """Whether changed routes keep limits beside the rest and end where they may, and no wanted stop loses a call that it lacks."""
    told = check_plan(network, plan_of_rows(network, new), limits)
    ends = dict(enumerate({stop for stop in ways if stop >= 0} for _, *ways in constraints.terminals))
    calls = [(sum(stop in row for row in plan), least) for stop, least in constraints.wanted.items() for plan in (rows, new)]
    return (
        not any(line.startswith(("all routes", *(f"route 'R{k}'" for k in changed))) for line in told)
        and all({new[k][0], new[k][-1]} <= set(constraints.depots or range(6)) for k in changed)
        and all(ends.get(k, set()) <= {new[k][0], new[k][-1]} for k in changed)
        and all(after >= min(before, least) for (before, least), (after, _) in zip(calls[::2], calls[1::2], strict=True))
    )


def drawn_change(rng, routes):
    """Three routes, some of them empty, and the same with one changed or with the tails of two swapped; and which are changed."""
    rows = [routes[i] if rng.random() < 0.8 else () for i in rng.integers(len(routes), size=3)]
    one, two = rng.permutation(3)[:2].tolist()
    new = rows.copy()
    shared = sorted(set(rows[one]) & set(rows[two]))
    if shared and rng.random() < 0.7:
        stop = shared[rng.integers(len(shared))]
        i, j = rows[one].index(stop), rows[two].index(stop)
        new[one], new[two] = rows[one][: i + 1] + rows[two][j + 1 :], rows[two][: j + 1] + rows[one][i + 1 :]
        if all(row in set(routes) for row in (new[one], new[two])):
            return rows, new, (one, two)
    new = rows.copy()
    new[one] = routes[rng.integers(len(routes))]
    return rows, new, (one,)


WISHES = [
    PlanConstraints(),
    PlanConstraints(depots=(0, 2, 3, 5)),
    PlanConstraints(required=(1,), hubs=((4, 2),), terminals=(("R0", 0, -1),)),
]


@pytest.mark.parametrize("constraints", WISHES)
@pytest.mark.parametrize("seed", range(3))
def test_a_changed_route_is_allowed_if_the_checkers_say_so(constraints, seed):
    rng, seen = np.random.default_rng(seed), set()
    problem, _ = ladder(seed)
    network, routes = problem.network, simple_routes(problem.network)
    for _ in range(150):
        rows, new, changed = drawn_change(rng, routes)
        limits = RouteLimits(
            max_circuity=float(rng.choice([1.5, 99])), max_pair_circuity=99.0, allow_spurs=True, min_length_m=0, headway_s=100
        )
        total = plan_measures(network, plan_of_rows(network, new), limits.headway_s)
        over = rng.integers(-1, 2, 2) * rng.integers(0, 2, 2)
        limits = replace(limits, max_total_length_m=int(total.total_length_m + over[0]), max_buses=max(1, int(total.total_buses + over[1])))
        chain = AnnealingRun(problem, Objective(), limits, 3, rng, constraints)
        stops, counts = np.zeros((3, chain.routes[0].shape[1] + 1), np.int32), np.array([len(row) for row in rows])
        hands = np.zeros_like(stops)
        for k in range(3):
            stops[k, : counts[k]], hands[k, : len(new[k])] = rows[k], new[k]
        room = np.zeros(stops.shape[1], np.float32), np.zeros(stops.shape[1], np.float32), np.zeros(len(constraints.wanted), np.int64)
        rules = Rules(problem.graph, chain.drive, chain.bounds(), chain._constraints, *room)
        one, two = changed if len(changed) == 2 else (*changed, -1)
        found = is_allowed(rules, (stops, counts), one, two, hands[one], len(new[one]), hands[two], len(new[two]))
        assert found == may_run(network, limits, constraints, rows, new, changed)
        seen.add((len(changed), bool(found)))
    assert seen == {(1, True), (1, False), (2, True), (2, False)}


def timed_chain(network, demand, limits, n_routes, seed, constraints=None):
    """A search under way whose routes are constructed."""
    chain = TravelTimeRun(Problem.build(network, demand), GOAL, limits, n_routes, np.random.default_rng(seed), constraints)
    for k in range(n_routes if constraints is None else 0):
        chain.construct(k)
    return chain


def test_however_hot_annealed_plans_keep_limits_and_wishes():
    problem, _ = ladder(1)
    plan = Plan((Route([0, 1, 4, 3], "R0"), Route([1, 2], "R1"), Route([5, 4, 1], "R2")), problem.network.fingerprint)
    constraints = PlanConstraints(required=(2,), hubs=((4, 2),), terminals=(("R0", 0, -1),), fixed=None)
    limits = RouteLimits(**ANY_SHAPE, min_length_m=0, headway_s=100)
    total = plan_measures(problem.network, plan, limits.headway_s)
    limits = replace(limits, max_total_length_m=total.total_length_m + 600, max_buses=total.total_buses + 2)
    chain = TravelTimeRun(problem, GOAL, limits, 3, np.random.default_rng(0), constraints)
    chain.load(plan)
    chain._begin_travel_time()
    state, met = chain._state, set()
    for _ in range(12):
        anneal_blocks(chain._graph, state, chain._workspace, 1, 1e15, chain._rules_arrays)
        for rows, counts in ((state.routes, state.sizes), (state.best_routes, state.best_sizes)):
            named = [Route(row[:n], f"R{k}") for k, (row, n) in enumerate(zip(rows, counts, strict=True))]
            now = Plan(tuple(named), plan.network_fingerprint)
            assert check_plan(problem.network, now, limits) == ()
            assert constraints.broken(problem.network, now) == ()
        met.add(tuple(state.sizes.tolist()) + tuple(state.routes[:, 0].tolist()))
    assert len(met) > 3


def test_fixed_routes_stay_while_others_save_travel_time():
    network, demand = town()
    fixed = Plan((Route([0, 1, 2, 3], "A"), Route([30, 24, 18], "B")), network.fingerprint)
    limits = RouteLimits(max_length_m=9 * LINK_M)
    found = plan_routes(
        network, demand, 4, limits=limits, objective=GOAL, constraints=PlanConstraints(fixed=fixed), stop_when=[MaxSteps(9_000)]
    )
    assert [route.stops.tolist() for route in found.plan][:2] == [[0, 1, 2, 3], [30, 24, 18]]
    assert found.trace[-1].best_share > found.trace[0].best_share


@pytest.fixture
def many_stops(monkeypatch):
    """The stops of the town are as many as where half of a search looks for served trips."""
    monkeypatch.setattr(travel_time_run, "_MANY_STOPS", SIDE**2)


@pytest.mark.parametrize(("many", "wanted"), [(SIDE**2, 500), (2 * SIDE**2, 250), (1, 500)])
def test_the_fewer_stops_the_sooner_travel_time_counts(monkeypatch, many, wanted):
    monkeypatch.setattr(travel_time_run, "_MANY_STOPS", many)
    network, demand = town()
    chain = timed_chain(network, demand, RouteLimits(max_length_m=9 * LINK_M), 2, 0)
    tried = chain.turn(1_000, 0.0, 1.0, 0)
    assert tried == wanted + -(-(1_000 - wanted) // BLOCK) * BLOCK


def test_a_search_whose_first_routes_took_most_of_its_seconds_goes_on_with_travel_time():
    chain = timed_chain(*town(), RouteLimits(max_length_m=9 * LINK_M), 3, 5)
    assert chain.turn(1_000, 0.9, 0.9, 0) == -(-1_000 // BLOCK) * BLOCK, "before the first moves no pace is known"


@pytest.mark.usefixtures("many_stops")
def test_the_first_half_of_a_search_is_one_for_served_trips():
    network, demand = town()
    limits = RouteLimits(max_length_m=9 * LINK_M, max_total_length_m=24 * LINK_M)
    chain = timed_chain(network, demand, limits, 3, 5)
    plain = AnnealingRun(Problem.build(network, demand), Objective(), limits, 3, np.random.default_rng(5))
    for k in range(3):
        plain.construct(k)
    worth = plain.best_value
    assert chain.turn(900, 0.1, 0.3, 0) == plain.turn(900, 0.2, 0.6, worth) == 900
    assert chain.turn(1_000, 0.45, 0.55, 0) == 500 + -(-500 // BLOCK) * BLOCK, "moves for travel time fill whole blocks"
    assert plain.turn(500, 0.9, 1.0, worth) == 500
    for mine, theirs in zip(chain.routes, plain.routes, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert chain.turn(1_000, 0.8, 0.9, 0) == -(-1_000 // BLOCK) * BLOCK
    assert chain.values[2] == plain.values[2], "no more moves for served trips"


@pytest.mark.usefixtures("many_stops")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_travel_time_goes_on_from_the_best_plan_of_the_first_half(seed):
    network, demand = town(seed)
    limits = RouteLimits(max_length_m=9 * LINK_M, max_total_length_m=24 * LINK_M, max_pair_circuity=99.0, allow_spurs=True)
    chain = timed_chain(network, demand, limits, 4, seed)
    begun = chain.best_value
    for share in (0.1, 0.2, 0.3, 0.4):
        chain.turn(4_000, share, share + 0.1, 0)
    best = chain.best_value
    chain.turn(1, 0.5, 0.5001, 0)
    assert chain.value >= best > begun, "at first no move is taken that makes the plan worse"
    assert chain.best_value >= chain.value


def test_the_heat_for_travel_time_begins_at_a_part_of_the_median_rise_and_falls_by_equal_factors():
    network, demand = town()
    chain = timed_chain(network, demand, RouteLimits(max_length_m=9 * LINK_M), 3, 0)
    chain._state.rises[:3] = 10, 50, 20
    assert [chain._temperature(share) for share in (0.0, 0.0499)] == [0.0, 0.0]
    heats = [chain._temperature(0.05 + 0.95 * share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert heats[0] == pytest.approx(0.2 * 20)
    assert heats[-1] == pytest.approx(0.03 * 20)
    assert np.diff(np.log(heats)) == pytest.approx(np.full(4, math.log(0.03 / 0.2) / 4))


class Told(TravelTimeRun):
    """A search that notes the shares at which it asks for a heat."""

    def _temperature(self, share):
        self.shares.append(share)
        return super()._temperature(share)


@pytest.mark.usefixtures("many_stops")
def test_the_heat_goes_by_the_share_of_the_second_half_that_is_over():
    network, demand = town()
    chain = Told(Problem.build(network, demand), GOAL, RouteLimits(max_length_m=9 * LINK_M), 2, np.random.default_rng(0))
    chain.shares = []
    chain.construct(0)
    for done in (0.5, 0.75, 0.999):
        chain.turn(1, done, done + 0.001, 0)
    assert chain.shares == pytest.approx([0.0, 0.5, 0.998])


@pytest.mark.usefixtures("many_stops")
def test_turns_for_travel_time_are_shorter_on_larger_networks_and_never_empty(monkeypatch):
    network, demand = town()
    chain = timed_chain(network, demand, RouteLimits(max_length_m=9 * LINK_M), 1, 0)
    lengths = []
    for work in (1, 3 * SIDE**4, 10**9):
        monkeypatch.setattr(travel_time_run, "_TURN_WORK", work)
        lengths.append(chain.moves_per_turn(0.7))
    assert lengths == [BLOCK, 3 * BLOCK, 50 * BLOCK]
    assert chain.moves_per_turn(0.2) == AnnealingRun.moves_per_turn(chain, 0.2)


def test_travel_time_is_refused_where_it_cannot_be_searched_for():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 4.0})
    plan, problem = Plan((Route([0, 1, 2], "N1"),), network.fingerprint), Problem.build(network, demand)
    with pytest.raises(UsageError, match="a plan near a given one cannot have the objective travel_time"):
        improve_plan(problem, plan, RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="a plan that is good on bad nights cannot have the objective travel_time"):
        robust_plan(network, demand, plan, RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="a sweep cannot have the objective travel_time"):
        sweep_plans(PlanEvaluator.build(network, demand), "routes", (1, 2), RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="any number of transfers, got max_transfers 0"):
        plan_routes(network, demand, 2, objective=GOAL, rule=ServiceRule(max_transfers=0))


def test_travel_time_is_an_objective_of_its_own():
    assert Objective.parse("travel_time") == GOAL
    with pytest.raises(UsageError, match="or travel_time or carried alone, got 'served=2,travel_time'"):
        Objective.parse("served=2,travel_time")
    with pytest.raises(UsageError, match="must be the whole objective, got trips 2 and presence 0"):
        Objective(trips=2, is_travel_time=True)
    with pytest.raises(UsageError, match="unserved_s must"):
        ServiceRule(unserved_s=0)


def test_networks_of_more_stops_than_times_are_kept_for_are_refused(monkeypatch):
    monkeypatch.setattr("owlbus.search.travel_time_run.MOST_STOPS", 2)
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    wanted = "travel_time keeps times between all stops, at most 2, got 3; merge stops, or take served"
    with pytest.raises(UsageError, match=wanted):
        plan_routes(network, demand, 1, objective="travel_time", stop_when=[MaxSteps(10)])
