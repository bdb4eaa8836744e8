"""The kernel that keeps the limits and the checker that says what is broken decide alike, for every route."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from cities import city
from hypothesis import given
from hypothesis import strategies as st

from owlbus.kernels.coverage import measure_route
from owlbus.kernels.keeps_limits import keeps_limits
from owlbus.kernels.moves import N_MOVES, propose
from owlbus.kernels.straightness import keeps_straight, learn_route, most_pair_m
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
LOOSE = RouteLimits(10**9, 0, 10**7, 1e9, 100_000, 2, math.inf, math.inf, 60, math.inf, allow_spurs=True)
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
    if rng.random() < 1 / 2:
        exact = min(float(measures.pair_circuity[k]), 1e9)
        near = [exact, math.nextafter(exact, 0), math.nextafter(exact, math.inf), round(exact, 2), 1.0]
        chosen["max_pair_circuity"] = min(max(1.0, near[rng.integers(5)]), 1e9)
    least = {"max_length_m": 1, "max_ride_s": 1, "max_circuity": 1, "max_stops": 2, "min_stops": 2, "max_total_length_m": 1, "max_buses": 1}
    chosen = {name: max(value, least.get(name, 0)) for name, value in chosen.items()}
    if "min_stops" in chosen and "max_stops" in chosen:
        chosen["min_stops"] = min(chosen["min_stops"], chosen["max_stops"])
    if "min_length_m" in chosen and "max_length_m" in chosen:
        chosen["min_length_m"] = min(chosen["min_length_m"], chosen["max_length_m"])
    return replace(LOOSE, headway_s=measures.headway_s, allow_spurs=bool(rng.random() < 1 / 2), **chosen)


def kernel_keeps(problem, drive, rows, plan, measures, k):
    """What the kernel says of one route of a plan."""
    stops = plan.routes[k].stops
    ahead_s, back_s = np.zeros(stops.size, np.float32), np.zeros(stops.size, np.float32)
    metres = measure_route(problem.graph, stops, stops.size, ahead_s, back_s)
    others = [row for row in range(len(plan)) if row != k]
    load = float(measures.longer_length_m[others].sum()), float(measures.buses[others].sum())
    return keeps_limits(drive, rows, k, stops, stops.size, ahead_s[-1], back_s[-1], metres, *load)


def kept_by_hand(network, stops, limits):
    """Whether a route is straight enough: every pair of positions, and every stop, on its own."""
    fewest = network.drive_m
    for way in (stops, stops[::-1]):
        for i, j in combinations(range(len(way)), 2):
            beyond = sum(network.link(a, b)[1] for a, b in pairwise(way[i : j + 1])) - 1_000
            shortest = int(fewest[way[i], way[j]])
            if way[i] != way[j] and beyond > 0 and beyond / shortest > limits.max_pair_circuity:
                return False
    return limits.allow_spurs or not any(turns_back(network, *way[p : p + 3]) for way in (stops, stops[::-1]) for p in range(len(way) - 2))


def turns_back(network, a, b, c):
    """Whether the way from `a` to `c` by `b` is an out-and-back."""
    by_m, fewest = network.link(a, b)[1] + network.link(b, c)[1], network.drive_m[a, c]
    return by_m >= 2 * fewest and by_m - fewest >= 400


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
            is_straight = [kept_by_hand(problem.network, route.stops.tolist(), limits) for route in plan.routes]
            for k, name in enumerate(plan.names):
                words = ("circuity between stops", "stops turned back at")
                assert is_straight[k] == (not any(word in line for line in lines_on(lines, name) for word in words)), plan.routes[k].stops
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


# straight enough ----------------------------------------------------------------------------------------------------------


def line_of(metres, back=None, shortcut=None):
    """Stops in a row with these metres between them, other ones on the way back, and one more link from the first to the last."""
    n = len(metres) + 1
    links = {(p, p + 1): m for p, m in enumerate(metres)} | {(p + 1, p): m for p, m in enumerate(back or metres)}
    links |= {} if shortcut is None else {(0, n - 1): shortcut, (n - 1, 0): shortcut}
    network, demand = city(n, [pair for pair in links if pair[0] < pair[1]], {})
    pairs = zip(np.repeat(np.arange(n), np.diff(network.link_indptr)).tolist(), network.link_to.tolist(), strict=True)
    network = replace(network, link_m=np.array([links[pair] for pair in pairs], np.int32))
    return Problem.build(network, demand)


def lines_of(problem, limits, stops=None):
    """What the checker says of one route, and that the kernel says the same."""
    plan = Plan((Route(list(range(problem.network.n_stops)) if stops is None else stops, "A"),), problem.network.fingerprint)
    measures = plan_measures(problem.network, plan, limits.headway_s)
    lines = check_plan(problem.network, plan, limits)
    assert kernel_keeps(problem, problem.drive(), limit_rows(limits, plan.names), plan, measures, 0) == (not lines)
    return lines


def test_a_route_exactly_at_the_pair_limit_keeps_it_and_a_metre_more_does_not():
    limits = replace(LOOSE, max_pair_circuity=1.5)
    assert lines_of(line_of([2_000, 2_000], shortcut=2_000), limits) == ()
    assert lines_of(line_of([2_000, 2_001], shortcut=2_000), limits) == (
        "route 'A': circuity between stops 1.5005 (from stop 0 to stop 2) is above 1.5",
    )


def test_the_first_kilometre_of_a_detour_is_free():
    problem = line_of([600, 500], shortcut=100)
    assert lines_of(problem, replace(LOOSE, max_pair_circuity=1.0)) == ()
    assert lines_of(line_of([600, 501], shortcut=100), replace(LOOSE, max_pair_circuity=1.0))


def test_the_pair_limit_holds_between_inner_stops_where_the_terminals_keep_it():
    problem = line_of([30_000, 2_000, 2_000, 30_000])
    network = problem.network
    places = [(int(a), int(b)) for a in range(5) for b in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]]
    links = {pair: int(m) for pair, m in zip(places, network.link_m, strict=True)} | {(1, 3): 500, (3, 1): 500}
    network, demand = city(5, [pair for pair in links if pair[0] < pair[1]], {})
    network = replace(network, link_m=np.array([links[pair] for pair in sorted(links)], np.int32))
    problem = Problem.build(network, demand)
    assert lines_of(problem, replace(LOOSE, max_circuity=1.1)) == ()
    (line,) = lines_of(problem, replace(LOOSE, max_circuity=1.1, max_pair_circuity=1.2))
    assert "circuity between stops 6 (from stop 1 to stop 3)" in line


def test_the_pair_limit_holds_on_the_way_back_of_one_way_streets():
    problem = line_of([1_000, 1_000], back=(1_000, 4_000))
    assert lines_of(problem, replace(LOOSE, max_pair_circuity=1.0)) == ()
    problem = line_of([1_000, 1_000], back=(1_000, 4_000), shortcut=1_000)
    (line,) = lines_of(problem, replace(LOOSE, max_pair_circuity=3.0))
    assert "circuity between stops 4 (from stop 2 to stop 0)" in line


@pytest.mark.parametrize(("out", "home", "direct", "is_spur"), [(400, 400, 400, True), (400, 399, 400, False), (350, 350, 100, True)])
def test_a_stop_is_a_spur_from_twice_the_shortest_metres_on(out, home, direct, is_spur):
    problem = line_of([out, home], shortcut=direct)
    assert bool(lines_of(problem, replace(LOOSE, allow_spurs=False))) == is_spur
    assert lines_of(problem, LOOSE) == ()


def test_a_turn_into_a_station_forecourt_is_no_spur():
    assert lines_of(line_of([200, 250], shortcut=51), replace(LOOSE, allow_spurs=False)) == ()
    assert lines_of(line_of([200, 250], shortcut=50), replace(LOOSE, allow_spurs=False)) == (
        "route 'A': stops turned back at 1 is above 0",
    )


def test_a_fixed_route_that_is_not_straight_may_stay_and_no_other_may_be_like_it():
    problem = line_of([2_000, 2_000], shortcut=1_000)
    plan = Plan((Route([0, 1, 2], "A"),), problem.network.fingerprint)
    limits = replace(LOOSE, max_pair_circuity=1.2, allow_spurs=False)
    measures = plan_measures(problem.network, plan, limits.headway_s)
    assert (measures.pair_circuity.tolist(), measures.n_spurs.tolist(), measures.worst_pair.tolist()) == ([3.0], [1], [[0, 2]])
    rows = limit_rows(limits, ["A", "B"], measures)
    assert (rows.max_pair_circuity.tolist(), rows.max_spurs.tolist()) == ([3.0, 1.2], [1.0, 0.0])
    assert [keeps_straight(problem.drive(), rows, k, plan.routes[0].stops, 3) for k in (0, 1)] == [True, False]


@pytest.mark.parametrize("seed", range(6))
def test_a_route_is_decided_alike_whichever_route_is_known(seed):
    rng, counts = np.random.default_rng(seed), {True: 0, False: 0}
    dice = np.array([seed], np.uint64)
    for _ in range(12):
        problem = wide_case(rng)
        known, plain = problem.drive(WIDTH), problem.drive()
        limits = replace(LOOSE, max_pair_circuity=float(rng.choice([1.0, 1.1, 1.22, 1.5])), allow_spurs=bool(rng.random() < 0.3))
        rows = limit_rows(limits, ["A"])
        stops, n, out = np.zeros(WIDTH, np.int32), 2, np.zeros(WIDTH, np.int32)
        stops[:2] = [0, problem.network.link_to[0]]
        attraction = np.arange(1.0, problem.network.n_stops + 1)
        for _ in range(400):
            m = propose(problem.graph, plain, attraction, stops, n, out, int(rng.integers(N_MOVES)), dice)
            if m < 2 or np.unique(out[:m]).size < m:
                continue
            answers = {keeps_straight(drive, rows, 0, out, m) for drive in (known, plain)}
            assert len(answers) == 1, (stops[:n], out[:m], limits)
            counts[answers.pop()] += 1
            if keeps_straight(plain, rows, 0, out, m) and rng.random() < 0.5:
                stops[:m], n = out[:m], m
                learn_route(known, rows, 0, stops, n)
                assert known.known.n_stops[0] in (n, 0)
    assert min(counts.values()) > 300, counts


WIDTH = 24


def wide_case(rng):
    """Stops on a skewed square, linked with their neighbours; some links are long one way, as one-way streets are."""
    side = 6
    chosen = [(a, b) for a in range(side**2) for b in (a + 1, a + side, a + side + 1) if b < side**2 and abs(b % side - a % side) <= 1]
    network, demand = city(side**2, [pair for pair in chosen if rng.random() < 0.9], {})
    link_m = rng.integers(300, 1_500, network.link_to.size) * np.where(rng.random(network.link_to.size) < 0.05, 4, 1)
    link_s = np.maximum(1, (link_m / rng.choice([5.0, 9.0], link_m.size)).astype(int))
    return Problem.build(replace(network, link_m=link_m, link_s=link_s), demand)


@given(st.integers(1, 200_000), st.integers(1, 5_000), st.integers(1, 1_000))
def test_the_most_metres_of_a_pair_are_the_last_whose_quotient_keeps_the_ratio(fewest, over, under):
    ratio = max(1.0, over / under)
    most = most_pair_m(fewest, ratio) - 1_000
    assert most / fewest <= ratio < (most + 1) / fewest
