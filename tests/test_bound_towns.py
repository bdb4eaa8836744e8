"""Bounds that keep circuity, by each rule, against the best of all plans of small towns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from bound_towns import RULES, proven, town
from cities import city

from owlbus.common.errors import UsageError
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, Problem
from owlbus.search.bound import Bounder, upper_bound
from owlbus.search.bound_problem import BoundProblem

if TYPE_CHECKING:
    from bound_towns import Town

TOWNS = range(6, 14)


@pytest.fixture(scope="module")
def towns() -> list[Town]:
    """Towns whose plans are listed once."""
    return [town(seed) for seed in TOWNS]


@pytest.mark.parametrize("rule", RULES)
def test_no_plan_of_a_town_is_worth_more_than_the_bound(towns: list[Town], rule: str) -> None:
    for one in towns:
        assert min(proven(one.bounder(rule), 12)) >= one.best(rule) - 1e-6


def test_a_listing_of_all_routes_bounds_direct_trips_by_the_best_plan(towns: list[Town]) -> None:
    assert [one.listed() for one in towns] == [one.best("direct") for one in towns]


def test_a_bound_that_keeps_circuity_is_at_most_one_that_does_not_and_often_less(towns: list[Town]) -> None:
    n_less = 0
    for one in towns:
        kept = one.bounder("presence")
        free = one.bounder("presence", replace(one.limits, max_circuity=99.0, max_pair_circuity=99.0))
        bounds = proven(kept)[-1], proven(free)[-1]
        assert bounds[0] <= bounds[1] * (1 + 1e-6) + 1
        n_less += bounds[0] < bounds[1]
    assert n_less >= 1


def test_the_direction_of_a_route_with_more_detour_decides() -> None:
    network, demand = city(3, [(0, 1), (1, 2), (0, 2)], {}, presence={0: 1.0, 1: 8.0, 2: 1.0})
    ways = {(0, 1): 1000, (1, 0): 1000, (1, 2): 1000, (2, 1): 1000, (0, 2): 2000, (2, 0): 1500}
    tail = np.repeat(np.arange(3), np.diff(network.link_indptr))
    metres = np.array([ways[a, b] for a, b in zip(tail.tolist(), network.link_to.tolist(), strict=True)], np.int32)
    problem = Problem.build(replace(network, link_m=metres), demand)
    for circuity, people in ((2000 / 1500, 10), (1.33, 9)):  # over 1 from 2 to 0 it is 4/3, from 0 to 2 it is 1
        limits = RouteLimits(max_circuity=circuity, max_pair_circuity=99.0, max_length_m=2000)
        bounder = Bounder(BoundProblem.of_problem(problem, Objective(0, 1)), 1, limits)
        assert min(proven(bounder, 30)) == people * 1024


def test_known_routes_are_worth_the_bound_once_it_has_converged(towns: list[Town]) -> None:
    n_converged = 0
    for one in towns:
        bounder = one.bounder("presence")
        for _ in range(60):
            if not bounder.is_done:
                bounder.step()
        n_converged += bounder.has_converged
        traces = [one.bounder("area") for _ in range(2)]
        assert proven(traces[0], 6) == proven(traces[1], 6)
    assert n_converged >= len(towns) // 2


def test_a_bound_by_area_is_one_of_people_alone(towns: list[Town]) -> None:
    one = towns[0]
    bound = upper_bound(one.problem, one.n_routes, limits=one.limits, objective="presence", by_area=one.demand, steps=8)
    assert one.best("area") <= bound.bound_quanta <= bound.total_quanta
    with pytest.raises(UsageError, match=r"by_area bounds the people reached, and needs the objective presence; leave it out for trips"):
        upper_bound(one.problem, one.n_routes, by_area=one.demand)
