"""Trips carried: counts against a plain twin, gains against counts, splits of the fleet against all of them, loads within capacity."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cities import ANY_SHAPE, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus import Demand, MaxSteps, PlanConstraints, RideChoice, RideService, RouteLimits, plan_routes, score_plan
from owlbus.common.acceptance import ACCEPTED, STEP_S, expected_wait_s, walk_s
from owlbus.common.disclosure import Publisher
from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.kernels.carried_anneal import gain_of_route
from owlbus.plan import Plan, Route
from owlbus.search import Objective, Problem
from owlbus.search.carried import CarriedModel
from owlbus.search.carried_run import CarriedRun
from owlbus.search.ride_service import UNITS_PER_TRIP
from owlbus.search.split_buses import best_split

if TYPE_CHECKING:
    from owlbus.search.carried import CarriedFlows

ROUTES = ((0, 1, 2, 3), (4, 1, 5), (5, 6, 3))
LINKS = ((0, 1), (1, 2), (2, 3), (1, 4), (1, 5), (5, 6), (3, 6))
SERVICE = RideService(fleet=6, capacity=2, min_headway_s=300)


@st.composite
def towns(draw: st.DrawFn) -> tuple[Problem, Plan, RideService]:
    """Seven stops, uneven link times, trips of several hours, a plan of three routes, and any service."""
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    seconds = {(a, b): int(rng.integers(60, 900)) for link in LINKS for a, b in (link, link[::-1])} if draw(st.booleans()) else None
    sheds = {stop: tuple(rng.choice(7, 2, replace=False).tolist()) for stop in range(7)} if draw(st.booleans()) else None
    network, _ = city(7, LINKS, {(0, 1): 1.0}, seconds=seconds, sheds=sheds)
    pairs = list(itertools.permutations(range(7), 2))
    rows = rng.choice(len(pairs), 14)
    demand = Demand.from_rows(
        7,
        {
            "night": [0] * 14,
            "hour": rng.integers(24, 27, 14).tolist(),
            "origin": [pairs[row][0] for row in rows],
            "destination": [pairs[row][1] for row in rows],
            "trips": (rng.integers(1, 40_000, 14) / 1024).tolist(),
        },
        grid=network.grid.fingerprint,
    )
    choice = RideChoice(transfer_min=draw(st.sampled_from([0.0, 8.0])), scale_min=draw(st.sampled_from([3.0, 15.0])))
    service = replace(SERVICE, choice=choice, fleet=draw(st.integers(3, 8)), capacity=draw(st.sampled_from([1, 5, 1000])))
    plan = Plan(tuple(Route(list(stops), f"R{k}") for k, stops in enumerate(ROUTES)), network.fingerprint)
    return Problem.build(network, demand, by_hour=True), plan, service


def slow_journeys(model: CarriedModel, plan: Plan, headways_s: list[int]) -> dict[tuple[int, int], tuple[float, tuple[int, ...]]]:
    """Best journey of each pair of hexes in generalised seconds with its legs, by trying every combination of places."""
    network, service = model.problem.network, model.service
    board = [round(service.choice.wait_weight * int(expected_wait_s(headway_s))) for headway_s in headways_s]
    transfer_s = round(60 * service.choice.transfer_min)
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}

    def ride(k: int, p: int, q: int) -> int:
        stops = plan.routes[k].stops.tolist()
        way = stops[p : q + 1] if q > p else stops[q : p + 1][::-1]
        return sum(network.link(a, b)[0] for a, b in itertools.pairwise(way))

    def shed(stop: int) -> list[tuple[int, int]]:
        rows = range(network.shed_indptr[stop], network.shed_indptr[stop + 1])
        return [
            (int(network.shed_hex[row]), round(service.choice.walk_weight * int(walk_s(int(network.shed_walk_m[row]))))) for row in rows
        ]

    journeys: list[tuple[int, int, int, tuple[int, ...]]] = []
    legs = [(k, p, q) for k, route in enumerate(plan.routes) for p, q in itertools.permutations(range(len(route.stops)), 2)]
    for k, p, q in legs:
        first = board[k] + ride(k, p, q)
        start, change = int(plan.routes[k].stops[p]), int(plan.routes[k].stops[q])
        journeys.append((start, change, first, (k, p, q, -1, -1, -1)))
        for j, u, v in legs:
            if int(plan.routes[j].stops[u]) == change:
                journeys.append((start, int(plan.routes[j].stops[v]), first + transfer_s + board[j] + ride(j, u, v), (k, p, q, j, u, v)))
    for start, end, cost_s, places in journeys:
        for (o, walk_o), (d, walk_d) in itertools.product(shed(start), shed(end)):
            if cost_s + walk_o + walk_d < best.get((o, d), (np.inf, ()))[0]:
                best[o, d] = cost_s + walk_o + walk_d, places
    return best


def slow_people(model: CarriedModel, journey_s: float, drive_s: int) -> int:
    """Share of people who take a journey, in 1/1024."""
    steps = model.service.choice.steps()
    half = len(steps) // 2
    longer_s = int(journey_s) - int(model.service.choice.alternative_s(drive_s))
    return int(steps[min(max(half + longer_s // STEP_S, 0), 2 * half)])


def slow_wanted(model: CarriedModel, plan: Plan, headways_s: list[int]) -> int:
    """Trips whose riders would ride, in 1 / UNITS_PER_TRIP."""
    journeys, problem = slow_journeys(model, plan, headways_s), model.problem
    total = 0
    for o, d, quanta in zip(*(column.tolist() for column in problem.trips), strict=True):
        ends = int(problem.hexes[o]), int(problem.hexes[d])
        drive_s = int(problem.network.drive_s[problem.network.hex_stop[ends[0]], problem.network.hex_stop[ends[1]]])
        network = problem.network
        sheds = [network.shed_hex[network.shed_indptr[s] : network.shed_indptr[s + 1]].tolist() for s in range(network.n_stops)]
        if ends in journeys and not any(ends[0] in shed and ends[1] in shed for shed in sheds):
            total += quanta * slow_people(model, journeys[ends][0], drive_s)
    return total


def flows_of(problem: Problem, plan: Plan, service: RideService, buses: tuple[int, ...]) -> CarriedFlows:
    """Riders of a plan with given buses."""
    model, padded = CarriedModel(problem, service), problem.pad(plan)
    return model.flows(padded, model.cycles_s(padded), np.array(buses))


@settings(max_examples=40, deadline=None)
@given(towns(), st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)))
def test_those_who_want_to_ride_are_those_of_every_combination_of_places(
    town: tuple[Problem, Plan, RideService], buses: tuple[int, int, int]
) -> None:
    problem, plan, service = town
    flows = flows_of(problem, plan, service, buses)
    assert int(flows.wanted_units.sum()) == slow_wanted(CarriedModel(problem, service), plan, flows.headways_s.tolist())


@settings(max_examples=40, deadline=None)
@given(towns())
def test_no_segment_of_any_hour_carries_more_than_its_buses_hold(town: tuple[Problem, Plan, RideService]) -> None:
    problem, plan, service = town
    flows = flows_of(problem, plan, service, (1, 1, 1))
    assert (flows.load_units <= flows.capacity_units[None, :, None, None]).all()
    assert flows.most_load_share <= 1
    assert (flows.carried_units <= flows.wanted_units).all()
    assert int(flows.pair_units.sum()) == flows.value_units
    if service.capacity == 1000:
        assert (flows.carried_units == flows.wanted_units).all()


@settings(max_examples=40, deadline=None)
@given(towns(), st.integers(0, 2))
def test_a_route_adds_what_the_plan_carries_more_with_it(town: tuple[Problem, Plan, RideService], k: int) -> None:
    problem, plan, service = town
    service = replace(service, capacity=1000, fleet=8, max_headway_s=21_600)
    run = CarriedRun(problem, Objective(carried=service), RouteLimits(**ANY_SHAPE), 3, np.random.default_rng(0))
    run.load(plan)
    run.buses = np.array([1, 2, 1])
    run._count()
    gain = gain_of_route(
        problem.graph,
        run.model.costs,
        run.model.pairs,
        run.routes,
        run._service,
        run._others,
        run._gains.candidate,
        run._running(k),
        run._scratch,
        k,
    )
    whole = flows_of(problem, plan, service, (1, 2, 1)).value_units
    others = [route for j, route in enumerate(plan.routes) if j != k]
    buses = tuple(n for j, n in enumerate((1, 2, 1)) if j != k)
    without = flows_of(problem, Plan(tuple(others), plan.network_fingerprint), service, buses).value_units
    assert gain == (whole - without) * 1024


@settings(max_examples=25, deadline=None)
@given(towns())
def test_the_best_split_is_the_best_of_all_splits(town: tuple[Problem, Plan, RideService]) -> None:
    problem, plan, service = town
    model = CarriedModel(problem, service)
    found = best_split(model, problem.pad(plan))
    splits = [split for split in itertools.product(range(1, 7), repeat=3) if sum(split) == service.fleet]
    least = [service.fewest_buses(cycle_s) for cycle_s in model.cycles_s(problem.pad(plan)).tolist()]
    values = [flows_of(problem, plan, service, split).value_units for split in splits if all(np.array(split) >= least)]
    assert found.value_units == max(values)
    assert int(found.buses.sum()) == service.fleet


@settings(max_examples=10, deadline=None)
@given(towns(), st.integers(0, 3))
def test_search_and_scorecard_agree_to_the_last_bit(town: tuple[Problem, Plan, RideService], seed: int) -> None:
    problem, _, service = town
    service = replace(service, fleet=6)
    objective = Objective(carried=service)
    demand = _demand_of(problem)
    settings_of: dict[str, Any] = {
        "limits": RouteLimits(**ANY_SHAPE),
        "objective": objective,
        "stop_when": [MaxSteps(400)],
        "seed": seed,
        "n_starts": 1,
    }
    result = plan_routes(problem.network, demand, 2, **settings_of)
    card = score_plan(problem.network, demand, result.plan, service=service)
    assert card.carried is not None
    assert card.carried.carried.numerator * UNITS_PER_TRIP == result.value_quanta
    assert result.value_quanta == problem.value(result.plan, objective)
    assert card.carried_share == result.share


def _demand_of(problem: Problem) -> Demand:
    """Demand by hour again from a problem on a network where every hex is in reach."""
    assert problem.hour_quanta is not None
    hour, pair = np.nonzero(problem.hour_quanta)
    columns = {
        "night": [0] * hour.size,
        "hour": (24 + hour).tolist(),
        "origin": problem.hexes[problem.trips[0][pair]].tolist(),
        "destination": problem.hexes[problem.trips[1][pair]].tolist(),
        "trips": (problem.hour_quanta[hour, pair] / 1024).tolist(),
    }
    return Demand.from_rows(7, columns, grid=problem.network.grid.fingerprint)


@pytest.mark.parametrize("last_night", [0, 2])
def test_trips_by_hour_add_up_to_those_of_the_night(last_night: int) -> None:
    network, _ = city(3, [(0, 1), (1, 2)], {(0, 1): 1.0})
    columns = {
        "night": [0, 0, last_night, last_night],
        "hour": [24, 25, 26, 24],
        "origin": [0, 0, 0, 2],
        "destination": [2, 2, 2, 0],
        "trips": [1 / 1024, 1 / 1024, 1 / 1024, 5 / 1024],
    }
    nights = tuple(dt.date(2024, 3, 1 + night) for night in range(last_night + 1)) if last_night else (None,)
    demand = Demand.from_rows(3, columns, nights=nights, grid=network.grid.fingerprint)
    problem = Problem.build(network, demand, by_hour=True)
    assert problem.hour_quanta is not None
    assert (problem.hour_quanta >= 0).all()
    assert problem.hour_quanta.sum(axis=0).tolist() == problem.trips[2].tolist()


def test_riders_over_capacity_are_lost_from_their_whole_journey() -> None:
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 30.0, (1, 2): 30.0})
    service = RideService(RideChoice(alternative_min=9_999), fleet=1, capacity=45, max_headway_s=3_600)
    plan = Plan((Route([0, 1, 2], "R1"),), network.fingerprint)
    flows = flows_of(Problem.build(network, demand, by_hour=True), plan, service, (1,))
    riders = 30 * UNITS_PER_TRIP
    hourly = 45 * 3600 * UNITS_PER_TRIP // 840
    assert flows.headways_s.tolist() == [840]
    assert flows.capacity_units.tolist() == [hourly]
    assert flows.value_units == 2 * riders
    full = flows_of(Problem.build(network, demand, by_hour=True), plan, replace(service, capacity=1), (1,))
    room = (full.capacity_units[0] << 20) // (2 * riders)
    assert full.value_units == 2 * (riders * int(room) >> 20)
    assert ACCEPTED * 1024 == UNITS_PER_TRIP


def test_a_fleet_that_cannot_run_the_plan_is_refused() -> None:
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 30.0}, seconds=dict.fromkeys([(0, 1), (1, 0), (1, 2), (2, 1)], 3_000))
    plan = Plan((Route([0, 1, 2], "R1"),), network.fingerprint)
    with pytest.raises(InfeasibleError, match="on 1 route takes 4 buses, got a fleet of 3"):
        score_plan(network, demand, plan, service=RideService(fleet=3))


def test_waits_are_those_of_nine_in_ten_and_few_riders_have_none() -> None:
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 30.0, (1, 2): 300.0})
    plan = Plan((Route([0, 1, 2], "R1"),), network.fingerprint)
    card = score_plan(network, demand, plan, service=RideService(fleet=1), min_count=-1).carried
    assert card is not None
    assert list(card.wait_trips) == [420]
    assert card.p90_wait_s == 420
    assert card.mean_wait_s == 420
    open_data, few = card.printed(Publisher(-1)), card.printed(Publisher(15))
    assert open_data["p90_wait_s"] == 420
    assert open_data["numerator"] == round(card.carried.numerator, 1)
    assert few["p90_wait_s"] == (420 if card.carried.numerator >= 150 else None)
    loads = few["routes"][0]["max_load_trips"]
    assert few["numerator"] % 15 == sum(load or 0 for load in loads.values()) % 15 == 0
    assert {hour: load is None for hour, load in loads.items()} == {hour: part.denominator < 150 for hour, part in card.by_hour.items()}


def test_a_bound_is_refused() -> None:
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 30.0})
    with pytest.raises(UsageError, match="no bound is known for trips carried"):
        plan_routes(network, demand, 1, objective="carried", bound_steps=5)


def test_fewer_buses_than_routes_are_refused() -> None:
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 30.0})
    with pytest.raises(InfeasibleError, match="2 routes need at least 2 buses, got 1"):
        plan_routes(network, demand, 2, objective=Objective(carried=RideService(fleet=1)))


def test_nothing_counts_beside_trips_carried() -> None:
    with pytest.raises(UsageError, match="trips carried must be the whole objective"):
        Objective(presence=1, carried=RideService())
    with pytest.raises(UsageError, match="needs trips by hour"):
        CarriedModel(Problem.build(*city(3, [(0, 1), (1, 2)], {(0, 2): 30.0})), RideService())


@pytest.mark.parametrize("seed", range(6))
def test_the_search_comes_within_a_hundredth_of_the_best_plan_of_a_tiny_city(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trips = {pair: float(rng.integers(1, 60)) for pair in itertools.permutations(range(5), 2)}
    network, demand = city(5, [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3)], trips)
    service = RideService(fleet=3)
    objective = Objective(carried=service)
    limits = RouteLimits(max_length_m=3_000, **ANY_SHAPE)
    result = plan_routes(network, demand, 2, limits=limits, objective=objective, stop_when=[MaxSteps(10_000)], n_starts=2, seed=seed)
    problem = Problem.build(network, demand, by_hour=True)
    links = {(a, int(b)) for a in range(5) for b in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]}
    simple = [
        stops
        for n in (2, 3, 4)
        for stops in itertools.permutations(range(5), n)
        if stops[0] < stops[-1] and all(link in links for link in itertools.pairwise(stops))
    ]
    plans = [
        Plan((Route(list(a), "A"), Route(list(b), "B")), network.fingerprint) for a, b in itertools.combinations_with_replacement(simple, 2)
    ]
    best = max(problem.value(plan, objective) for plan in plans)
    assert 0.99 * best <= result.value_quanta <= best


def test_a_fixed_route_stays_and_groups_keep_their_share() -> None:
    trips = dict.fromkeys(itertools.permutations(range(5), 2), 20.0)
    network, demand = city(5, [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3)], trips)
    fixed = Plan((Route([3, 4], "F"),), network.fingerprint)
    result = plan_routes(
        network,
        demand,
        2,
        limits=RouteLimits(**ANY_SHAPE),
        objective=Objective(carried=RideService(fleet=4)),
        constraints=PlanConstraints(fixed=fixed),
        stop_when=[MaxSteps(1_000)],
    )
    assert result.plan.routes[0].stops.tolist() == [3, 4]
    assert len(result.plan) == 2
