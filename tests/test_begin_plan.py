"""A search goes on from a plan: fixed routes may break limits, others may not, and what is missing is filled up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city

from owlbus.common.errors import UsageError
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import PlanConstraints, Problem, plan_routes
from owlbus.search.begin_plan import plan_to_begin
from owlbus.search.stopping import MaxSteps

SIDE = 6
WIDE = RouteLimits(**ANY_SHAPE)
SHORT = replace(WIDE, max_length_m=3 * LINK_M)
LINKS = [(s, s + 1) for s in range(36) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(30)]
ENDS = np.random.default_rng(3).integers(0, 36, (2, 300))
NETWORK, DEMAND = city(36, LINKS, {(int(a), int(b)): 4.0 for a, b in ENDS.T if a != b})
LONG = Route([0, 1, 2, 3, 4, 5], "N26")
SPUR = Route([12, 13, 14, 13, 19], "N61")


def plan_of(*routes: Route) -> Plan:
    return Plan(routes, NETWORK.fingerprint)


def test_fixed_routes_that_break_limits_come_first_and_the_others_keep_them():
    constraints = PlanConstraints(fixed=plan_of(LONG, SPUR))
    limits = replace(SHORT, allow_spurs=False)
    begin = plan_of(Route([30, 31, 32], "A"), Route(LONG.stops[::-1], "B"), SPUR)
    result = plan_routes(NETWORK, DEMAND, 5, limits=limits, constraints=constraints, begin=begin, stop_when=[MaxSteps(400)])
    assert result.plan.names == ("N26", "N61", "R3", "R4", "R5")
    assert constraints.broken(NETWORK, result.plan) == ()
    assert check_plan(NETWORK, plan_of(*result.plan.routes[2:]), limits) == ()
    assert result.value_quanta >= Problem.build(NETWORK, DEMAND).value(begin, result.objective), "it never gets worse"
    assert constraints.broken_by_fixed(NETWORK, limits) == (
        "route 'N26': length 5000 m is above 3000 m",
        "route 'N61': length 4000 m is above 3000 m",
        "route 'N61': stops turned back at 1 is above 0",
    )


def test_a_plan_without_the_fixed_routes_gets_them():
    plan = plan_to_begin(NETWORK, plan_of(Route([30, 31], "A")), 3, SHORT, PlanConstraints(fixed=plan_of(LONG)))
    assert [route.stops.tolist() for route in plan] == [LONG.stops.tolist(), [30, 31]]
    assert plan.names == ("N26", "R2")


def test_routes_with_given_terminals_stand_where_the_search_has_them():
    constraints = PlanConstraints(terminals=(("N3", 35, 29), ("N4", 2, -1)))
    plan = plan_to_begin(NETWORK, plan_of(Route([7, 8], "A"), Route([1, 2], "B"), Route([29, 35], "N3")), 3, WIDE, constraints)
    assert [(route.name, route.stops.tolist()) for route in plan] == [("N3", [29, 35]), ("N4", [1, 2]), ("R3", [7, 8])]


@pytest.mark.parametrize(
    ("routes", "constraints", "limits", "message"),
    [
        (
            [LONG],
            PlanConstraints(),
            SHORT,
            "got one where route 'N26': length 5000 m is above 3000 m; allow that, fix such routes with fixed",
        ),
        ([Route([0, 1, 0, 6], "A")], PlanConstraints(), WIDE, "got one where route 'A': stop 0 is passed 2 times"),
        ([Route([0, 1], "A", back=())], PlanConstraints(), WIDE, "got one where route 'A' does not run back over its own stops"),
        ([Route([0, 1], "A")], PlanConstraints(required=(7,)), WIDE, "stop 7 is called at by 0 of the 1 routes required"),
        ([Route([0, 1], "A")], PlanConstraints(fixed=plan_of(LONG, SPUR)), WIDE, "1 route beside the 2 fixed ones, and 2 are asked for"),
        ([Route([k, k + 1], f"{k}") for k in (0, 2, 6)], PlanConstraints(), WIDE, "it has 3 routes, and 2 are asked for; begin anew"),
        ([LONG], PlanConstraints(), replace(WIDE, max_total_length_m=4 * LINK_M), "all routes: length 5000 m is above 4000 m"),
    ],
)
def test_a_plan_that_keeps_too_little_is_refused_with_the_way_out(routes, constraints, limits, message):
    with pytest.raises(UsageError) as error:
        plan_routes(NETWORK, DEMAND, 2, limits=limits, constraints=constraints, begin=plan_of(*routes), stop_when=[MaxSteps(10)])
    assert message in str(error.value)


def test_a_fixed_route_may_have_the_name_of_a_row():
    fixed = plan_of(Route([0, 1, 2], "R3"), Route([6, 7, 8], "R1"))
    result = plan_routes(
        NETWORK, DEMAND, 4, limits=SHORT, constraints=PlanConstraints(fixed=fixed, required=(35,)), stop_when=[MaxSteps(300)]
    )
    assert result.plan.names == ("R3", "R1", "R5", "R4")


@pytest.mark.parametrize("objective", ["direct", "presence", "served"])
def test_routes_are_exchanged_beside_constraints_and_keep_them(objective):
    constraints = PlanConstraints(fixed=plan_of(LONG), required=(35, 20), hubs=((14, 2),), depots=tuple(range(0, 36, 2)))
    limits = replace(WIDE, max_length_m=6 * LINK_M, max_total_length_m=24 * LINK_M)
    more = {"limits": limits, "constraints": constraints, "objective": objective, "stop_when": [MaxSteps(30_000)]}
    for seed in range(2):
        result = plan_routes(NETWORK, DEMAND, 4, seed=seed, **more)
        assert constraints.broken(NETWORK, result.plan) == ()
        assert check_plan(NETWORK, result.plan, limits) == ()
        assert result.value_quanta == Problem.build(NETWORK, DEMAND).value(result.plan, result.objective)
