"""The kernel that keeps the limits and the checker that says what is broken decide alike, for every route."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cities import city

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.keeps_limits import keeps_limits
from owlbus.plan import (
    Plan,
    Route,
    check_plan,
    limit_rows,
    plan_measures,
)
from owlbus.plan.check import newly_broken
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, Problem
from owlbus.search.route_evaluator import RouteEvaluator

N_STOPS = 7
LOOSE = RouteLimits(10**9, 0, 10**7, 1e9, 100_000, 2, math.inf, math.inf, 60)
"""Every route keeps these."""


def small_case(rng):
    """Links of any seconds and metres, other ones against them; one in ten leads back by a long way round, as one-way streets do."""
    chosen = [pair for pair in combinations(range(N_STOPS), 2) if rng.random() < 0.6]
    network, demand = city(N_STOPS, chosen or [(0, 1)], {})
    size = network.link_to.size
    network = replace(network, link_s=rng.integers(1, 400, size), link_m=rng.integers(1, rng.choice([4, 3_000]), size))
    is_long = np.where(rng.random(size) < 0.1, 20, 1)
    network = replace(network, link_s=network.link_s * is_long, link_m=network.link_m * is_long)
    return Problem.build(network, demand)


def random_route(rng, network, *, is_simple):
    """Stops of a random walk over links, None where there are none."""
    ahead = [network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]].tolist() for a in range(N_STOPS)]
    stops = [int(rng.integers(N_STOPS))]
    for _ in range(rng.integers(1, N_STOPS)):
        onward = [b for b in ahead[stops[-1]] if not (is_simple and b in stops)]
        if not onward:
            break
        stops.append(int(rng.choice(onward)))
    return stops if len(stops) > 1 else None


def random_plan(rng, network, *, is_simple=True):
    """One to three routes, None where there are none."""
    routes = [random_route(rng, network, is_simple=is_simple) for _ in range(rng.integers(1, 4))]
    named = tuple(Route(stops, f"R{k}") for k, stops in enumerate(routes) if stops)
    return Plan(named, network.fingerprint) if named else None


def random_limits(rng, measures):
    """Limits at, just above and just below what some route or all of them measure, each of them in one case of three."""
    k = int(rng.integers(len(measures.names)))
    near = {
        "max_length_m": measures.longer_length_m[k],
        "min_length_m": measures.shorter_length_m[k],
        "max_ride_s": measures.longer_ride_s[k],
        "max_stops": measures.n_stops[k],
        "min_stops": measures.n_stops[k],
        "max_total_length_m": measures.total_length_m,
        "max_buses": measures.total_buses,
    }
    chosen = {name: int(value) + int(rng.integers(-1, 2)) for name, value in near.items() if rng.random() < 1 / 3}
    if rng.random() < 1 / 3:
        exact = float(measures.circuity[k])
        near = [exact, math.nextafter(exact, 0), math.nextafter(exact, math.inf), round(exact, 2)]
        chosen["max_circuity"] = min(near[rng.integers(4)], 1e9)  # the largest that limits take
    least = {"max_length_m": 1, "max_ride_s": 1, "max_circuity": 1, "max_stops": 2, "min_stops": 2, "max_total_length_m": 1, "max_buses": 1}
    chosen = {name: max(value, least.get(name, 0)) for name, value in chosen.items()}
    if "min_stops" in chosen and "max_stops" in chosen:
        chosen["min_stops"] = min(chosen["min_stops"], chosen["max_stops"])
    if "min_length_m" in chosen and "max_length_m" in chosen:
        chosen["min_length_m"] = min(chosen["min_length_m"], chosen["max_length_m"])
    return replace(LOOSE, headway_s=measures.headway_s, **chosen)


def kernel_keeps(problem, drive, rows, plan, measures, k):
    """What the kernel says of one route of a plan."""
    stops = plan.routes[k].stops
    ahead_s, back_s = np.zeros(stops.size, np.float32), np.zeros(stops.size, np.float32)
    metres = measure_route(problem.graph, stops, stops.size, ahead_s, back_s)
    others = [row for row in range(len(plan)) if row != k]
    load = float(measures.longer_length_m[others].sum()), float(measures.buses[others].sum())
    return keeps_limits(drive, rows, k, stops, stops.size, ahead_s[-1], back_s[-1], metres, *load)


def lines_on(lines, name):
    """Lines on a route or on all of them."""
    return [line for line in lines if line.startswith((f"route {name!r}:", f"route {name}:", "all routes:"))]


@pytest.mark.parametrize("is_simple", [True, False])
def test_the_kernel_refuses_what_the_checker_names_for_ten_thousand_routes(is_simple):
    rng = np.random.default_rng(7 + is_simple)
    seen = {(False, False): 0, (False, True): 0, (True, False): 0, (True, True): 0}
    while sum(seen.values()) < 5_000:
        problem = small_case(rng)
        drive = problem.drive()
        for _ in range(40):
            plan, given = (random_plan(rng, problem.network, is_simple=is_simple) for _ in range(2))
            if plan is None or given is None:
                continue
            headway_s = int(rng.integers(60, 900))
            now, was = (plan_measures(problem.network, one, headway_s) for one in (plan, given))
            limits = random_limits(rng, now if rng.random() < 0.5 else was)
            lines, worse = check_plan(problem.network, plan, limits, simple=False), newly_broken(problem.network, given, plan, limits)
            rows, widened = limit_rows(limits, plan.names), limit_rows(limits, plan.names, was)
            for k, name in enumerate(plan.names):
                is_kept, is_no_worse = (kernel_keeps(problem, drive, bounds, plan, now, k) for bounds in (rows, widened))
                assert is_kept == (not lines_on(lines, name)), (limits, lines, plan.routes[k].stops)
                assert is_no_worse == (not lines_on(worse, name)), (limits, worse, plan.routes[k].stops)
                assert is_no_worse >= is_kept
                seen[is_kept, is_no_worse] += 1
    assert min(seen[False, False], seen[False, True], seen[True, True]) > 300, seen


def test_a_given_plan_breaks_no_limit_further_than_itself():
    rng = np.random.default_rng(3)
    for _ in range(200):
        problem = small_case(rng)
        plan = random_plan(rng, problem.network)
        if plan is None:
            continue
        measures = plan_measures(problem.network, plan, 300)
        limits = random_limits(rng, measures)
        rows = limit_rows(limits, plan.names, measures)
        assert newly_broken(problem.network, plan, plan, limits) == ()
        evaluator = RouteEvaluator(problem, Objective(), plan, limits)
        for k in range(len(plan)):
            assert kernel_keeps(problem, problem.drive(), rows, plan, measures, k)
            assert evaluator.candidate(k, plan.routes[k].stops) is not None
