"""Travel time as an objective of the router: against plain searches on the expanded graph, under limits, and with the scorecard."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from cities import LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.errors import UsageError
from owlbus.evidence.improve import improve_plan
from owlbus.evidence.ledger import Ledger
from owlbus.evidence.nights import robust_plan
from owlbus.evidence.sweep import sweep_plans
from owlbus.limits import MaxSteps, RouteLimits, ServiceRule
from owlbus.plan import Plan, Route, check_plan
from owlbus.score import score_plan
from owlbus.search import Case, Objective, plan_routes
from owlbus.search.travel_graph import travel_times
from owlbus.search.travel_time import search_travel_time

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


def plain_saved(case, demand, plan, rule):
    """Seconds that trips save, by a shortest path for each pair on a graph of places on routes and stops."""
    graph = nx.DiGraph()
    for k, route in enumerate(plan):
        for p, stop in enumerate(route.stops.tolist()):
            graph.add_edge(("wait", stop), (k, p), weight=rule.transfer_s)
            graph.add_edge((k, p), ("wait", stop), weight=0)
            graph.add_edge((k, p), ("end", stop), weight=0)
        for p, (a, b) in enumerate(zip(route.stops[:-1].tolist(), route.stops[1:].tolist(), strict=True)):
            graph.add_edge((k, p), (k, p + 1), weight=case.network.link(a, b)[0])
            graph.add_edge((k, p + 1), (k, p), weight=case.network.link(b, a)[0])
    saved, trips = Fraction(0), Fraction(0)
    pairs = demand.od()
    for origin, destination, number in zip(pairs.origin, pairs.destination, pairs.trips, strict=True):
        a, b = int(case.network.hex_stop[origin]), int(case.network.hex_stop[destination])
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
    case = Case.build(network, demand, rule)
    saved, trips = plain_saved(case, demand, plan, rule)
    assert Fraction(case.value(plan, GOAL), 1024) == saved
    assert Fraction(case.total_value(GOAL), 1024) == trips * unserved_s
    assert score_plan(network, demand, plan, rule=rule).mean_travel_s == unserved_s - case.value(plan, GOAL) / int(trips * 1024)


@pytest.mark.parametrize("seconds", [(90,), (60, 90, 200)], ids=["alike both ways", "longer one way"])
def test_search_and_scorecard_agree_and_limits_are_kept(seconds):
    network, demand = town(seconds=seconds)
    limits = RouteLimits(max_length_m=9 * LINK_M, max_circuity=1.7, max_total_length_m=24 * LINK_M, max_buses=8, headway_s=600, min_stops=4)
    found = plan_routes(network, demand, 4, limits=limits, objective="travel_time", stop_when=[MaxSteps(6_000)])
    assert check_plan(network, found.plan, limits) == ()
    assert found.value_units == Case.build(network, demand).value(found.plan, GOAL)
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
    assert (runs[0].value_units, runs[0].steps, runs[0].evaluations) == (runs[1].value_units, runs[1].steps, runs[1].evaluations)


def test_starts_run_apart_and_a_search_goes_on_from_a_plan():
    network, demand = town()
    limits = RouteLimits(max_length_m=9 * LINK_M, max_total_length_m=24 * LINK_M)
    asked = {"limits": limits, "objective": GOAL, "stop_when": [MaxSteps(4_000)]}
    with ThreadPoolExecutor(2) as pool:
        first = plan_routes(network, demand, 3, executor=pool, **asked)
    met = []
    second = plan_routes(network, demand, 3, begin=first.plan, on_gain=met.append, seed=5, **asked)
    assert second.value_units >= first.value_units
    assert all(check_plan(network, plan, limits) == () for plan in (first.plan, second.plan, *met))
    case = Case.build(network, demand)
    assert [case.value(plan, GOAL) for plan in met] == sorted({case.value(plan, GOAL) for plan in met})
    assert not met or met[-1].equals(second.plan)


def test_a_plan_that_takes_everyone_the_fastest_way_is_proven_best():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 4.0, (1, 2): 2.0})
    found = plan_routes(network, demand, 1, objective=GOAL, stop_when=[MaxSteps(1_000)], bound_steps=30)
    assert found.value_units == found.bound_units < found.total_units
    assert found.gap == 0


def test_one_search_finds_what_the_other_finds_for_link_times():
    network, demand = town()
    links = np.full((SIDE**2, SIDE**2), -1)
    tail = np.repeat(np.arange(SIDE**2), np.diff(network.link_indptr))
    links[tail, network.link_to] = network.link_s
    trips = np.zeros(links.shape)
    pairs = demand.od()
    trips[pairs.origin, pairs.destination] = pairs.trips
    rule = ServiceRule(unserved_s=1800)
    limits = RouteLimits(max_length_m=1e6, max_circuity=1e6, max_ride_s=10**6, max_stops=8, min_stops=2, min_length_m=0)
    mine = plan_routes(network, demand, 5, limits=limits, rule=rule, objective=GOAL, stop_when=[MaxSteps(120_000)])
    theirs = search_travel_time(links, trips, 5, 2, 8, steps=30_000, unserved_s=1800)
    as_theirs = travel_times(links, trips, [route.stops for route in mine.plan], unserved_s=1800)
    assert score_plan(network, demand, mine.plan, rule=rule).mean_travel_s == pytest.approx(as_theirs.mean_s, rel=1e-12)
    assert as_theirs.mean_s <= theirs.mean_s * 1.01


def test_travel_time_is_refused_where_it_cannot_be_searched_for():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 3): 4.0})
    plan, case = Plan((Route([0, 1, 2], "N1"),), network.fingerprint), Case.build(network, demand)
    with pytest.raises(UsageError, match="a plan near a given one cannot have the objective travel_time"):
        improve_plan(case, plan, RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="a plan that is good on bad nights cannot have the objective travel_time"):
        robust_plan(network, demand, plan, RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="a sweep cannot have the objective travel_time"):
        sweep_plans(Ledger.build(network, demand), "routes", (1, 2), RouteLimits(), objective=GOAL)
    with pytest.raises(UsageError, match="any number of transfers, got max_transfers 0"):
        plan_routes(network, demand, 2, objective=GOAL, rule=ServiceRule(max_transfers=0))


def test_travel_time_is_an_objective_of_its_own():
    assert Objective.parse("travel_time") == GOAL
    with pytest.raises(UsageError, match="or travel_time alone, got 'served=2,travel_time'"):
        Objective.parse("served=2,travel_time")
    with pytest.raises(UsageError, match="must be the whole objective, got trips 2 and presence 0"):
        Objective(trips=2, is_travel_time=True)
    with pytest.raises(UsageError, match="unserved_s must"):
        ServiceRule(unserved_s=0)


def test_networks_of_more_stops_than_times_are_kept_for_are_refused(monkeypatch):
    monkeypatch.setattr("owlbus.search.timed.MOST_STOPS", 2)
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    wanted = "travel_time keeps times between all stops, at most 2, got 3; merge stops, or take served"
    with pytest.raises(UsageError, match=wanted):
        plan_routes(network, demand, 1, objective="travel_time", stop_when=[MaxSteps(10)])
