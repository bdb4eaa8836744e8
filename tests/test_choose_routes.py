"""The choice among candidates is the best of all choices without transfers, and never worse than exchanges with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city

from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.plan import Plan, Route, plan_measures
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PairObjective, PlanConstraints, Problem, choose_routes

SIDE = 5
N = SIDE * SIDE
LINKS = [(s, s + 1) for s in range(N) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(N - SIDE)]
ENDS = np.random.default_rng(4).integers(0, N, (2, 150))
NETWORK, DEMAND = city(
    N, LINKS, {(int(a), int(b)): float(1 + (a * b) % 5) for a, b in ENDS.T if a != b}, presence=dict.fromkeys(range(N), 5.0)
)
LIMITS = RouteLimits(**ANY_SHAPE, max_total_length_m=12 * LINK_M)
PROBLEM = Problem.build(NETWORK, DEMAND)
ENDS_OF_LINES = np.random.default_rng(1).integers(0, N, (14, 2))
LINES = [Route(NETWORK.shortest_path(int(a), int(b)), f"L{k}") for k, (a, b) in enumerate(ENDS_OF_LINES) if a != b]
FIXED = Plan((Route([0, 1, 2, 7, 12], "F"),), NETWORK.fingerprint)
CONSTRAINTS = PlanConstraints(fixed=FIXED, required=(int(LINES[3].stops[0]),), terminals=(("T", int(LINES[5].stops[-1]), -1),))


def best_of_all(objective: Objective, constraints: PlanConstraints, n_routes: int) -> int:
    """Return the value of the best choice, by trying all of them."""
    best = -1
    fixed = () if constraints.fixed is None else constraints.fixed.routes
    for size in range(n_routes - len(fixed) + 1):
        for chosen in combinations(LINES, size):
            for named in chosen if constraints.terminals else [None]:
                routes = (Route(line.stops, "T") if line is named else line for line in chosen)
                plan = Plan((*fixed, *routes), NETWORK.fingerprint)
                fits = plan_measures(NETWORK, plan, LIMITS.headway_s).total_length_m <= LIMITS.max_total_length_m
                if fits and not constraints.broken(NETWORK, plan):
                    best = max(best, PROBLEM.value(plan, objective))
    return best


@pytest.mark.parametrize("constraints", [PlanConstraints(), CONSTRAINTS])
@pytest.mark.parametrize("name", ["direct", "presence", "served"])
def test_the_choice_is_the_best_of_all_choices(name, constraints):
    result = choose_routes(NETWORK, DEMAND, LINES, 3, limits=LIMITS, constraints=constraints, objective=name)
    assert result.value_quanta == PROBLEM.value(result.plan, result.objective) == best_of_all(result.objective, constraints, 3)
    assert constraints.broken(NETWORK, result.plan) == ()
    fixed = [] if constraints.fixed is None else [FIXED.routes[0].stops.tolist()]
    assert all(route.stops.tolist() in [*fixed, *(line.stops.tolist() for line in LINES)] for route in result.plan)
    assert plan_measures(NETWORK, result.plan, LIMITS.headway_s).total_length_m <= LIMITS.max_total_length_m
    if name == "served":
        assert result.bound_quanta is None
    else:
        assert (result.gap, str(result.ended_by)) == (0.0, "the best choice is proven")


def test_values_of_pairs_choose_too():
    only = LINES[2]
    a, b = int(only.stops[0]), int(only.stops[-1])
    network, demand = city(N, LINKS, {(a, b): 1.0, (20, 24): 500.0})
    result = choose_routes(network, demand, LINES, 1, objective=PairObjective(lambda o, _d, _t: 1.0 * (o == a)))
    assert {a, b} <= set(result.plan.used_stops.tolist())
    assert result.weighted_share == 1.0
    assert result.share < 0.5


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"candidates": []}, UsageError, "candidates must hold at least one route, got none"),
        ({"n_routes": 0}, UsageError, r"n_routes must lie in \[1, 64\]"),
        (
            {"constraints": PlanConstraints(terminals=tuple((f"T{k}", k, -1) for k in range(7))), "n_routes": 9},
            UsageError,
            "at most 6 routes",
        ),
        ({"constraints": PlanConstraints(hubs=((0, 9),)), "n_routes": 9, "limits": LIMITS}, InfeasibleError, "no choice of 9 of"),
        ({"objective": "travel_time"}, UsageError, "a choice among candidate routes"),
    ],
)
def test_what_cannot_be_chosen_is_refused(more, error, message):
    settings = {"candidates": LINES, "n_routes": 3, "objective": "direct", "limits": replace(LIMITS, max_total_length_m=np.inf)} | more
    with pytest.raises(error, match=message):
        choose_routes(NETWORK, DEMAND, settings.pop("candidates"), settings.pop("n_routes"), **settings)


def test_a_seed_gives_the_same_choice_again():
    one, other = (choose_routes(NETWORK, DEMAND, LINES, 4, limits=LIMITS, seed=3) for _ in range(2))
    assert one.plan.equals(other.plan)
