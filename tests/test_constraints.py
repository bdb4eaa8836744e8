"""Wishes: every plan that comes back keeps them, those that none can keep are named with figures, and none change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.plan import Plan, Route, check_plan, plan_measures
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PlanConstraints, Problem, plan_routes
from owlbus.search.improve import refuse_new_routes
from owlbus.search.stopping import MaxSteps

SIDE = 6
WIDE = RouteLimits(**ANY_SHAPE)


def town(seed: int = 3):
    """Six by six stops in a grid of links, and random trips."""
    rng = np.random.default_rng(seed)
    n = SIDE * SIDE
    links = [(s, s + 1) for s in range(n) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(n - SIDE)]
    ends = rng.integers(0, n, (2, 300))
    return city(n, links, {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in ends.T if a != b}, presence=dict.fromkeys(range(n), 5.0))


NETWORK, DEMAND = town()


def plan_with(
    constraints: PlanConstraints | None, n_routes: int = 3, limits: RouteLimits = WIDE, steps: int = 1500, seed: int = 0, **more: object
):
    return plan_routes(NETWORK, DEMAND, n_routes, limits=limits, constraints=constraints, stop_when=[MaxSteps(steps)], seed=seed, **more)


@st.composite
def wishes_of_a_town(draw):
    """Random wishes that do not contradict one another."""
    order = draw(st.permutations(range(SIDE * SIDE)))
    required, hubs, forbidden, depots = order[:3], order[3:5], order[5:9], order[9:21]
    take = draw(st.tuples(*(st.booleans() for _ in range(6))))
    link = draw(st.sampled_from([(0, 1), (14, 15), (20, 26), (35, 29)]))
    return PlanConstraints(
        required=tuple(required) if take[0] else (),
        hubs=tuple((stop, draw(st.integers(1, 3))) for stop in hubs) if take[1] else (),
        forbidden=tuple(forbidden) if take[2] else (),
        forbidden_links=(link,) if take[3] else (),
        depots=tuple(depots) if take[4] else (),
        terminals=(("N3", depots[0], depots[1]), ("N4", depots[2], -1)) if take[5] else (),
    )


@given(wishes_of_a_town(), st.integers(0, 9), st.sampled_from(["served", "presence", "travel_time"]))
@settings(max_examples=25, deadline=None)
def test_every_plan_keeps_every_wish_and_every_limit(constraints, seed, objective):
    limits = replace(WIDE, max_total_length_m=60 * LINK_M, max_length_m=18 * LINK_M)
    try:
        result = plan_with(constraints, limits=limits, steps=800, seed=seed, objective=objective)
    except InfeasibleError:
        if not (constraints.forbidden or constraints.forbidden_links):
            raise
        return
    assert constraints.broken(NETWORK, result.plan) == ()
    assert check_plan(NETWORK, result.plan, limits) == ()
    assert result.value_quanta == Problem.build(NETWORK, DEMAND).value(result.plan, result.objective), "as on the whole network"


def test_no_wishes_change_no_plan():
    for limits in (WIDE, RouteLimits(max_buses=5)):
        plain, empty, loose = (
            plan_with(constraints, limits=limits)
            for constraints in (None, PlanConstraints(), PlanConstraints(depots=tuple(range(SIDE * SIDE)), hubs=((0, 1),)))
        )
        assert plain.plan.equals(empty.plan)
        assert plain.value_quanta == empty.value_quanta
        assert loose.value_quanta > 0


def test_fixed_routes_stay_and_count_towards_kilometres_and_buses():
    fixed = Plan((Route([0, 1, 2, 3, 4, 5], "N26"), Route([30, 24, 18], "N61")), NETWORK.fingerprint)
    limits = replace(WIDE, max_total_length_m=20 * LINK_M, max_buses=6, headway_s=1200)
    result = plan_with(PlanConstraints(fixed=fixed), n_routes=4, limits=limits)
    assert result.plan.names == ("N26", "N61", "R3", "R4")
    assert [route.stops.tolist() for route in result.plan][:2] == [route.stops.tolist() for route in fixed]
    measures = plan_measures(NETWORK, result.plan, limits.headway_s)
    assert measures.total_length_m <= 20 * LINK_M
    assert measures.total_buses <= 6


@pytest.mark.parametrize("limits", [RouteLimits(max_circuity=1.2), RouteLimits(min_length_m=5 * LINK_M), RouteLimits(min_stops=6)])
def test_a_bound_holds_for_fixed_routes_that_break_the_limits_of_others(limits):
    network, demand = city(5, [(k, (k + 1) % 5) for k in range(5)], {(0, 4): 9.0}, presence=dict.fromkeys(range(5), 5.0))
    constraints = PlanConstraints(fixed=Plan((Route([0, 1, 2, 3, 4], "A"),), network.fingerprint))
    result = plan_routes(
        network, demand, 1, limits=limits, constraints=constraints, objective="presence", stop_when=[MaxSteps(100)], bound_steps=3
    )
    assert result.bound_quanta >= result.value_quanta > 0


def test_a_plan_of_fixed_routes_only_is_that_plan():
    fixed = Plan((Route([0, 1, 2], "A"), Route([0, 6, 12], "B")), NETWORK.fingerprint)
    result = plan_with(PlanConstraints(fixed=fixed), n_routes=2)
    assert result.plan.equals(fixed)
    assert str(result.ended_by) == "every route is fixed"


def test_a_required_stop_without_any_demand_is_called_at():
    network, demand = city(8, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)], {(0, 2): 50.0})
    plain = plan_routes(network, demand, 1, limits=replace(WIDE, max_length_m=3 * LINK_M), stop_when=[MaxSteps(300)])
    assert 5 not in plain.plan.used_stops
    wished = plan_routes(
        network,
        demand,
        1,
        limits=replace(WIDE, max_length_m=3 * LINK_M),
        constraints=PlanConstraints(required=(5,)),
        stop_when=[MaxSteps(300)],
    )
    assert 5 in wished.plan.used_stops


def test_more_wanted_stops_than_routes_are_all_called_at():
    corners = (0, 5, 30, 35, 14, 21, 9, 26)
    result = plan_with(PlanConstraints(required=corners), n_routes=2)
    assert set(corners) <= set(result.plan.used_stops.tolist())


def test_a_forbidden_link_is_ridden_by_nobody_and_a_forbidden_stop_passed_by_nobody():
    plain = plan_with(None, n_routes=2)
    a, b = plain.plan.routes[0].stops[2:4].tolist()
    without = plan_with(PlanConstraints(forbidden_links=((b, a),)), n_routes=2)
    assert PlanConstraints(forbidden_links=((a, b),)).broken(NETWORK, plain.plan)
    assert not PlanConstraints(forbidden_links=((a, b),)).broken(NETWORK, without.plan)
    stop = int(plain.plan.routes[0].stops[3])
    assert stop not in plan_with(PlanConstraints(forbidden=(stop,)), n_routes=2).plan.used_stops


def test_the_checker_names_every_wish_that_a_plan_breaks():
    plan = Plan((Route([0, 1, 2], "A"), Route([6, 7], "B")), NETWORK.fingerprint)
    constraints = PlanConstraints(
        fixed=Plan((Route([0, 1], "A"),), NETWORK.fingerprint),
        required=(30,),
        hubs=((1, 2),),
        forbidden=(2,),
        forbidden_links=((7, 6),),
        depots=(6,),
        terminals=(("B", 6, 8), ("C", 0, -1)),
    )
    assert constraints.broken(NETWORK, plan) == (
        "route A is fixed, and changed",
        "stop 1 is called at by 1 of the 2 routes required",
        "stop 30 is called at by 0 of the 1 routes required",
        "route A passes stop 2, which is forbidden",
        "route B rides from stop 7 to stop 6, which is forbidden",
        "route B ends at stop 7, which is no depot",
        "route B does not end at stop 8",
        "route C does not end at stop 0",
    )


FIXED = Plan((Route([0, 1, 2, 3, 4, 5], "N26"),), NETWORK.fingerprint)


@pytest.mark.parametrize(
    ("constraints", "limits", "message"),
    [
        (
            PlanConstraints(terminals=(("N3", 0, 35),)),
            {"max_length_m": 8_500},
            "route N3 cannot reach terminal stop 35 within 8.5 km: shortest is 10.0 km; allow more, or require less",
        ),
        (
            PlanConstraints(terminals=(("N3", 0, 35),)),
            {"max_ride_s": 1_800},
            "route N3 cannot reach terminal stop 35 within 30 minutes: fastest is 33.4",
        ),
        (
            PlanConstraints(required=(35,), depots=(0, 1)),
            {"max_length_m": 12_000},
            "no route can call at stop 35 within 12 km: shortest is 19.0 km",
        ),
        (
            PlanConstraints(depots=(0, 35)),
            {"max_length_m": 8_000},
            r"no route can run between two depots \(stop 0 and stop 35 are nearest\) within 8 km",
        ),
        (PlanConstraints(depots=(0, 0)), {}, "a route has two terminals, and there is only one depot; name another one"),
        (
            PlanConstraints(required=(0,), forbidden=(1, 6)),
            {},
            "no route can call at stop 0 within 45 km: no allowed link leads there; forbid less",
        ),
        (PlanConstraints(required=(7,), forbidden=(7,)), {}, "stop 7 is required and forbidden; drop one of the constraints"),
        (PlanConstraints(depots=(7, 8), forbidden=(7,)), {}, "stop 7 is a depot and forbidden; drop one of the constraints"),
        (
            PlanConstraints(terminals=(("N3", 0, 7),), forbidden=(7,)),
            {},
            "route N3 ends at stop 7, which is forbidden; drop one of the constraints",
        ),
        (PlanConstraints(terminals=(("N3", 0, 7),), depots=(0, 9)), {}, "route N3 ends at stop 7, which is no depot; name it as one"),
        (
            PlanConstraints(fixed=FIXED, forbidden=(3,)),
            {},
            "fixed route N26 passes stop 3, which is forbidden; drop one of the constraints",
        ),
        (
            PlanConstraints(fixed=FIXED),
            {"max_total_length_m": 4_000},
            "the fixed routes run 5.0 km one way, allowed are 4 km for all routes; fix fewer",
        ),
        (
            PlanConstraints(fixed=FIXED),
            {"max_buses": 3, "headway_s": 600},
            "the fixed routes take 4 of 3 buses, and 2 further routes need at least as many",
        ),
        (
            PlanConstraints(fixed=FIXED, terminals=(("A", 0, 1), ("B", 0, 2), ("C", 0, 3))),
            {},
            "1 fixed routes and 3 with given terminals are more than the 3",
        ),
        (
            PlanConstraints(fixed=Plan(tuple(Route([0, 1], f"F{k}") for k in range(4)), NETWORK.fingerprint)),
            {},
            "4 routes are fixed, and the plan has 3",
        ),
        (
            PlanConstraints(hubs=((14, 5),)),
            {},
            "no way was found for 5 routes to call at stop 14 within the limits, but for 3; allow more routes",
        ),
        (
            PlanConstraints(required=(0, 5, 30, 35)),
            {"max_total_length_m": 5_000, "max_length_m": 5_000},
            "no way was found for a route to call at stop [0-9]+ within the limits, but for 0",
        ),
    ],
)
def test_wishes_that_no_plan_can_keep_are_named_with_figures(constraints, limits, message):
    with pytest.raises(InfeasibleError, match=message) as error:
        plan_with(constraints, limits=replace(WIDE, **limits))
    assert error.value.exit_code == 4
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (PlanConstraints(required=(99,)), "stop 99: the network has stops 0 to 35; name one of them"),
        (PlanConstraints(terminals=(("N3", 0, 36),)), "stop 36: the network has stops 0 to 35"),
        (PlanConstraints(forbidden_links=((0, 7),)), "stop 0 and stop 7 are not linked, so there is nothing to forbid between them"),
        (PlanConstraints(fixed=FIXED, terminals=(("N26", 0, 1),)), "route N26 is named twice; give each route one name"),
        (PlanConstraints(hubs=((3, 0),)), "a hub needs at least 1 route, got fewer for stop 3"),
    ],
)
def test_wishes_that_are_none_say_why(constraints, message):
    with pytest.raises(UsageError, match=message):
        plan_with(constraints)


def test_terminals_are_kept_while_the_way_between_them_is_improved():
    constraints = PlanConstraints(terminals=(("N3", 0, 35), ("N4", 5, -1)))
    result = plan_with(constraints, n_routes=2, steps=4000)
    ends = {route.name: set(route.stops[[0, -1]].tolist()) for route in result.plan}
    assert ends["N3"] == {0, 35}
    assert 5 in ends["N4"]
    drawn = plan_with(constraints, n_routes=2, steps=0)
    assert result.value_quanta > drawn.value_quanta


def test_depots_cost_something_and_routes_between_them_are_searched_too():
    limits, constraints = replace(WIDE, max_length_m=9 * LINK_M), PlanConstraints(depots=(0, 5, 30, 35, 14, 21))
    drawn, found, free = (plan_with(asked, 2, limits, steps) for asked, steps in ((constraints, 0), (constraints, 6000), (None, 6000)))
    assert drawn.value_quanta < found.value_quanta < free.value_quanta
    assert found.evaluations > drawn.evaluations + 500


def test_what_trips_accept_is_measured_on_the_whole_network():
    """With the direct way forbidden the ride is longer, and the rule still holds it against the direct drive."""
    network, demand = city(4, [(0, 1), (1, 2), (2, 3), (3, 0)], {(0, 1): 10.0})
    problem = Problem.build(network, demand)
    shut = PlanConstraints(forbidden_links=((0, 1),)).problem(problem)
    assert np.array_equal(shut.limit_s, problem.limit_s)
    assert shut.fastest_s[0, 1] == 3 * problem.fastest_s[0, 1]
    assert shut.drive()[0][1, 0] == shut.fastest_s[0, 1]
    plan = Plan((Route([0, 3, 2, 1], "A"),), network.fingerprint)
    assert shut.value(plan, Objective()) == problem.value(plan, Objective())


@pytest.mark.parametrize("name", ["hubs", "forbidden", "forbidden_links", "depots", "terminals", "fixed"])
def test_a_plan_near_a_base_refuses_what_it_would_not_look_at(name):
    value = {"hubs": ((1, 2),), "forbidden_links": ((0, 1),), "terminals": (("A", 1, 2),), "fixed": FIXED}.get(name, (1,))
    with pytest.raises(UsageError, match=f"and {name} constrains new routes"):
        refuse_new_routes(PlanConstraints(**{name: value}))
    refuse_new_routes(PlanConstraints(required=(3,)))
    refuse_new_routes(None)
