"""The kernels that count what a plan serves, against a slow twin that tries every ride."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from cities import city, slow_rides
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand
from owlbus.kernels import coverage, gain_bound, moves, route_cache
from owlbus.kernels.rides import NEVER
from owlbus.kernels.shortest_metres import shortest_m
from owlbus.kernels.structs import Graph
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.search import Objective, Problem

MAX_EXAMPLES = 60


@st.composite
def cases(draw, *, symmetric=None):
    """Random small city with overlapping walk sheds, and routes on it that may share stops."""
    n = draw(st.integers(4, 9))
    ring = [(i, (i + 1) % n) for i in range(n)]
    extra = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=6))
    links = {(a, b) for a, b in ring + extra if a != b}
    both = {(a, b) for a, b in links} | {(b, a) for a, b in links}
    even = draw(st.booleans()) if symmetric is None else symmetric
    one_way = {link: draw(st.sampled_from([60, 200, 350, 700])) for link in sorted(both)}
    seconds = {(a, b): one_way[min(a, b), max(a, b)] if even else one_way[a, b] for a, b in sorted(both)}
    sheds = {s: tuple(draw(st.lists(st.integers(0, n - 1), max_size=2))) for s in range(n)} if draw(st.booleans()) else None
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=30, unique=True))
    trips = {(o, d): draw(st.integers(1, 9)) for o, d in pairs if o != d}
    people = {h: draw(st.integers(1, 9)) for h in range(n)}
    network, demand = city(n, links, trips, seconds=seconds, sheds=sheds, presence=people)
    rule = ServiceRule(draw(st.sampled_from([1.0, 1.5, 2.0])), draw(st.sampled_from([0, 300, 600])), draw(st.sampled_from([0, 300])))
    routes = []
    for name in range(draw(st.integers(1, 3))):
        stops = [draw(st.integers(0, n - 1))]
        for _ in range(draw(st.integers(1, 6))):
            onward = [b for a, b in sorted(both) if a == stops[-1] and b not in stops]
            if not onward:
                break
            stops.append(draw(st.sampled_from(onward)))
        if len(stops) > 1:
            routes.append(Route(stops, f"R{name}"))
    return Problem.build(network, demand, rule), Plan(tuple(routes), network.fingerprint)


@given(cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_ride_matrices_equal_the_best_of_all_rides(problem):
    problem, plan = problem
    _, best = problem.rides(plan)
    slow = slow_rides(problem, plan)
    for row, o in enumerate(problem.hexes):
        for column, d in enumerate(problem.hexes):
            assert best[row, column] == slow.get((o, d), NEVER)


def _spaces(problem, plan):
    """Padded routes and work space for one route against the rest."""
    routes = problem.pad(plan, width=16)
    entries = 16 * int(np.diff(problem.network.shed_indptr).max())
    other_routes = coverage.new_other_routes(problem.network.n_stops, problem.n_rows, len(plan.routes), entries, problem.pair_quanta.shape)
    scratch = coverage.new_scratch(problem.n_rows, entries, 16)
    return routes, other_routes, scratch, entries


@given(cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_the_trips_that_a_plan_serves_are_those_whose_best_ride_is_short_enough(problem):
    problem, plan = problem
    direct, best = problem.rides(plan)
    for rides, goal in ((direct, Objective(1, 0, 0)), (best, Objective(1, 0, 1))):
        assert problem.value(plan, goal) == problem.weight[rides <= problem.limit_s].sum(dtype=np.int64)


@given(cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_pairs_with_trips_stand_in_the_rows_of_both_their_hexes(problem):
    problem, _ = problem
    rows = np.repeat(np.arange(problem.n_rows), np.diff(problem.indptr))
    assert np.all(np.diff(rows * problem.n_rows + problem.partner) > 0)
    either = problem.weight + problem.weight.T
    there, home = problem.weight[rows, problem.partner], problem.weight[problem.partner, rows]
    assert problem.pair_quanta.tolist() == ([(there + home).tolist()] if problem.is_symmetric else [there.tolist(), home.tolist()])
    assert np.count_nonzero(either) == rows.size
    assert np.array_equal(problem.pair_limit_s[0], problem.limit_s[rows, problem.partner])
    assert problem.is_symmetric or np.array_equal(problem.pair_limit_s[1], problem.limit_s[problem.partner, rows])


@given(cases(), st.integers(1, 4))
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_shortest_metres_do_not_depend_on_how_many_rows_are_kept(problem, kept):
    network = problem[0].network
    rows = {"rows": np.zeros((kept, network.n_stops), np.int32), "stop_of": np.full(kept, -1, np.int32)}
    few = problem[0].drive().metres._replace(**rows)
    found = [[shortest_m(few, a, b) for b in range(network.n_stops)] for a in [*range(network.n_stops)] * 2]
    assert np.array_equal(found, np.tile(network.drive_m, (2, 1)))


def test_metres_to_a_stop_that_no_path_leads_to_are_those_of_the_network():
    network, demand = city(5, [(0, 1), (1, 2), (3, 4)], {})
    metres = Problem.build(network, demand).drive().metres
    for start in reversed(range(5)):
        assert [shortest_m(metres, start, end) for end in range(5)] == network.drive_m[start].tolist()


@given(cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_what_a_route_adds_is_the_plan_less_the_plan_without_it(problem):
    problem, plan = problem
    routes, other_routes, scratch, _ = _spaces(problem, plan)
    for k in range(len(plan.routes)):
        others = Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
        coverage.prepare_other_routes(problem.graph, routes, other_routes, k, float(problem.rule.transfer_s))
        served, people = coverage.route_gain(
            problem.graph, problem.demand_rows, routes, other_routes, routes[0][k], routes[1][k], routes[2][k], routes[3][k], scratch, 1
        )
        for found, goal in ((served, Objective(1, 0)), (people, Objective(0, 1))):
            assert found == problem.value(plan, goal) - problem.value(others, goal)


@given(cases())
@settings(max_examples=4 * MAX_EXAMPLES, deadline=None)
def test_what_the_rest_leaves_open_is_what_its_rides_do_not_serve(problem):
    problem, plan = problem
    routes, other_routes, scratch, _ = _spaces(problem, plan)
    for k, transfers in [(k, turn % 2) for turn, k in enumerate([*range(len(plan.routes))] * 2)]:
        others = Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
        coverage.prepare_other_routes(problem.graph, routes, other_routes, k, float(problem.rule.transfer_s))
        coverage.route_gain(problem.graph, problem.demand_rows, routes, other_routes, *(array[k] for array in routes), scratch, transfers)
        calls = [stop for route in others.routes for stop in route.stops.tolist()]
        assert other_routes[5].tolist() == np.bincount(calls, minlength=problem.network.n_stops).tolist()
        rides = problem.rides(others)[transfers]
        (column_of, filled, open_weight, open_limit, other_of), columns = (
            (other_routes[at] for at in (1, 7, 8, 9, 10)),
            int(other_routes[0][0]),
        )
        gathered = np.flatnonzero(filled[:, 0] >= 0)
        assert sorted(filled[gathered, 2].tolist()) == list(range(gathered.size))
        for h in gathered:
            row = range(problem.indptr[h], problem.indptr[h + 1])
            beside = [e for e in row if column_of[problem.partner[e]] < 0]
            assert other_of[problem.indptr[h] :][: filled[h, 0]].tolist() == beside
            assert filled[h, 1] == sum(problem.partner[e] < h for e in beside)
            for way in range(len(problem.pair_quanta)):
                expected = np.zeros(columns, np.int64)
                for e in row:
                    c, ends = column_of[problem.partner[e]], (h, problem.partner[e])
                    if c >= 0:
                        is_open = rides[ends[::-1] if way else ends] > problem.pair_limit_s[way, e]
                        expected[c] = problem.pair_quanta[way, e] if is_open else 0
                        assert open_limit[way, filled[h, 2], c] == problem.pair_limit_s[way, e]
                assert open_weight[way, filled[h, 2], :columns].tolist() == expected.tolist()


@given(cases(), st.integers(0, 2**62))
@settings(max_examples=4 * MAX_EXAMPLES, deadline=None)
def test_the_bound_of_a_move_holds_and_its_people_are_exact(problem, seed):
    problem, plan = problem
    if not plan.routes:
        return
    routes, other_routes, scratch, entries = _spaces(problem, plan)
    cache = route_cache.new_route_cache(problem.network.n_stops, problem.n_rows, entries, len(plan.routes), problem.pair_quanta.shape[0])
    drive = problem.drive()
    coverage.prepare_other_routes(problem.graph, routes, other_routes, 0, float(problem.rule.transfer_s))
    now = [routes[0][0].copy(), routes[1][0], routes[2][0].copy(), routes[3][0].copy()]
    beside = problem.graph, problem.demand_rows, routes, other_routes
    gain = coverage.route_gain(*beside, *now, scratch, 1)
    assert route_cache.cache_route(*beside, cache, *now, scratch, 1) == gain
    rng_state, mark = np.array([seed], np.uint64), np.zeros(problem.network.n_stops, np.uint8)
    attraction = np.cumsum(np.ones(problem.network.n_stops))
    stops, ahead, back = np.zeros(16, np.int32), np.zeros(16, np.float32), np.zeros(16, np.float32)
    for turn, kind in enumerate(list(range(moves.N_MOVES)) * 6):
        n = moves.propose(problem.graph, drive, attraction, now[0], now[1], stops, kind, rng_state)
        if n < 2 or not moves.is_simple(stops, n, mark):
            continue
        coverage.measure_route(problem.graph, stops, n, ahead, back)
        most, people, found = gain_bound.gain_bound(
            problem.graph, problem.demand_rows, drive, routes, other_routes, cache, *gain, *now[2:], stops, n, ahead, back, 1
        )
        true = coverage.route_gain(*beside, stops, n, ahead, back, scratch, 1)
        if found:
            assert most >= true[0]
            assert people == true[1]
        if turn % 5 == seed % 5:  # the route moves, and what was remembered of stops is kept where it still bounds
            now = [stops.copy(), np.int64(n), ahead.copy(), back.copy()]
            gain = route_cache.cache_route(*beside, cache, *now, scratch, 1)
            assert gain == true


@st.composite
def webs(draw):
    """A town all of whose stops are linked with one another, some routes over any of them, and other courses of the first."""
    n = draw(st.integers(4, 8))
    links = [(a, b) for a in range(n) for b in range(a)]
    both = [way for a, b in links for way in ((a, b), (b, a))]
    seconds = {way: draw(st.sampled_from([20, 90, 130, 240])) for way in both}
    if draw(st.booleans()):
        seconds = {way: seconds[max(way), min(way)] for way in both}
    sheds = {s: tuple(draw(st.lists(st.integers(0, n - 1), max_size=1))) for s in range(n)}
    trips = {way: float(draw(st.integers(0, 4))) for way in both}
    network, demand = city(n, links, trips, seconds=seconds, sheds=sheds, presence={h: 1.0 + h for h in range(n)})
    rule = ServiceRule(draw(st.sampled_from([1.0, 1.5])), draw(st.sampled_from([0, 60, 200])), draw(st.sampled_from([0, 60])))
    courses = st.permutations(range(n)).flatmap(lambda stops: st.integers(2, n).map(lambda most: stops[:most]))
    routes = tuple(Route(list(draw(courses)), f"R{k}") for k in range(draw(st.integers(1, 3))))
    return Problem.build(network, demand, rule), Plan(routes, network.fingerprint), draw(st.lists(courses, min_size=1, max_size=4))


@given(webs(), st.integers(0, 1))
@settings(max_examples=4 * MAX_EXAMPLES, deadline=None)
def test_the_bound_of_any_change_holds_and_is_found_where_stops_keep_their_order(problem, transfers):
    problem, plan, courses = problem
    routes, other_routes, scratch, entries = _spaces(problem, plan)
    cache = route_cache.new_route_cache(problem.network.n_stops, problem.n_rows, entries, len(plan.routes), problem.pair_quanta.shape[0])
    beside = problem.graph, problem.demand_rows, routes, other_routes
    drive, old = problem.drive(), plan.routes[0].stops.tolist()
    # Each course becomes the route in its turn, and what is known of stops is kept; nothing of it once the rest is another one.
    for left_out, course in [(left_out, course) for left_out in (len(plan.routes) - 1, 0) for course in courses]:
        if course is courses[0]:
            coverage.prepare_other_routes(problem.graph, routes, other_routes, left_out, float(problem.rule.transfer_s))
        others = Plan(plan.routes[:left_out] + plan.routes[left_out + 1 :], plan.network_fingerprint)
        ahead, back = np.zeros(16, np.float32), np.zeros(16, np.float32)
        coverage.measure_route(problem.graph, np.array(old, np.int32), len(old), ahead, back)
        gain = route_cache.cache_route(*beside, cache, np.array(old, np.int32), len(old), ahead, back, scratch, transfers)
        now = Plan((*others.routes, Route(old, "R")), plan.network_fingerprint)
        assert gain == tuple(problem.value(now, one) - problem.value(others, one) for one in (Objective(1, 0, transfers), Objective(0, 1)))
        more = [stop for stop in course if stop not in old]
        beyond = [[stop, *old] for stop in range(problem.network.n_stops) if stop not in old]
        for fresh in (*beyond, course, course[::-1], more + old[1:], [*old[::-1], *more]):
            stops, fresh_ahead, fresh_back = np.array(fresh, np.int32), np.zeros(16, np.float32), np.zeros(16, np.float32)
            coverage.measure_route(problem.graph, stops, len(fresh), fresh_ahead, fresh_back)
            changed = stops, len(fresh), fresh_ahead, fresh_back
            most, people, found = gain_bound.gain_bound(
                problem.graph, problem.demand_rows, drive, routes, other_routes, cache, *gain, ahead, back, *changed, transfers
            )
            true = coverage.route_gain(*beside, *changed, scratch, transfers)
            places = [old.index(stop) for stop in fresh if stop in old]
            assert found == (places in (sorted(places), sorted(places)[::-1]))
            assert not found or (most >= true[0] and people == true[1])
        old = list(course)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("uneven", [0, 20])
@pytest.mark.parametrize(
    ("ends", "courses"),
    [
        ((0, 5), ([1, 2], [1, 2, 4])),  # the route comes to meet the rest, which leads to where the trips go
        ((0, 3), ([1, 2], [1, 2, 3])),  # the route comes to where they go
        ((0, 5), ([1, 2, 4], [2, 4], [1, 2, 4])),
        ((0, 3), ([1, 2, 3], [1, 2], [1, 2, 3])),
        ((1, 5), ([1, 2], [0, 1, 2])),  # at the new stop itself one changes to the rest
    ],
)
def test_what_was_noted_of_a_stop_before_the_route_changed_still_bounds(seed, uneven, ends, courses):
    names = np.random.default_rng(seed).permutation(8).tolist()
    links = [(names[a], names[b]) for a, b in ((0, 1), (1, 2), (2, 3), (2, 4), (4, 5), (0, 6), (6, 5))]
    seconds = {way: 200 + uneven * (way[0] < way[1]) for a, b in links for way in ((a, b), (b, a))}
    for pair in (ends, ends[::-1]):
        network, demand = city(8, links, {(names[pair[0]], names[pair[1]]): 2.0}, seconds=seconds)
        problem = Problem.build(network, demand, ServiceRule(2.0, 900, 100))
        rest_lines = ([4, 5], [0, 6, 5]) if ends == (1, 5) else ([4, 5],)
        lines = [courses[0], *rest_lines]
        plan = Plan(tuple(Route([names[s] for s in line], f"R{k}") for k, line in enumerate(lines)), network.fingerprint)
        routes, other_routes, scratch, entries = _spaces(problem, plan)
        cache = route_cache.new_route_cache(network.n_stops, problem.n_rows, entries, len(lines), problem.pair_quanta.shape[0])
        coverage.prepare_other_routes(problem.graph, routes, other_routes, 0, float(problem.rule.transfer_s))
        beside, most, true, people = (problem.graph, problem.demand_rows, routes, other_routes), 0, (0, 0), 0
        for course in courses:
            ahead, back = np.zeros(16, np.float32), np.zeros(16, np.float32)
            now = np.array([names[s] for s in course], np.int32)
            coverage.measure_route(problem.graph, now, len(now), ahead, back)
            gain = route_cache.cache_route(*beside, cache, now, len(now), ahead, back, scratch, 1)
            if 0 in course:
                continue
            stops, new_ahead, new_back = np.array([names[0], *now], np.int32), np.zeros(16, np.float32), np.zeros(16, np.float32)
            coverage.measure_route(problem.graph, stops, len(stops), new_ahead, new_back)
            changed = stops, len(stops), new_ahead, new_back
            most, people, found = gain_bound.gain_bound(
                problem.graph, problem.demand_rows, problem.drive(), routes, other_routes, cache, *gain, ahead, back, *changed, 1
            )
            true = coverage.route_gain(*beside, *changed, scratch, 1)
            assert found
        assert true == (2 * 1024, 0)
        assert (most, people) == true or (len(courses) > 2 and most > true[0]), "what came twice may be counted twice"


@given(cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_a_route_met_before_adds_what_it_adds_beside_the_rest_of_now(problem):
    problem, plan = problem
    routes, other_routes, scratch, entries = _spaces(problem, plan)
    cache = route_cache.new_route_cache(
        problem.network.n_stops, problem.n_rows, entries, max(1, len(plan.routes)), problem.pair_quanta.shape[0]
    )
    beside = problem.graph, problem.demand_rows, routes, other_routes
    for left_out in [*range(len(plan.routes)), 0] if plan.routes else []:
        coverage.prepare_other_routes(problem.graph, routes, other_routes, left_out, float(problem.rule.transfer_s))
        for k in [*range(len(plan.routes))] * 2:
            route = [array[k] for array in routes]
            assert route_cache.cached_gain(*beside, cache, *route, scratch, 1) == coverage.route_gain(*beside, *route, scratch, 1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("meets_again", [False, True])
def test_a_ride_by_the_rest_first_and_onto_the_route_later_is_counted(seed, meets_again):
    # From one end of the slow route round by the fast one to the other end, and back to the place before: faster than on the route.
    names = np.random.default_rng(seed).permutation(7).tolist()
    slow, fast, spur = ([names[k] for k in line] for line in ([0, 1, 2, 3, 4], [0, 5, 4], [3, 6]))
    links = [pair for line in (slow, fast, spur) for pair in pairwise(line)]
    lags = {way: (700 if {a, b} <= set(slow[:4]) else 60) for a, b in links for way in ((a, b), (b, a))}
    if seed % 2:
        lags[slow[4], slow[3]] += 10
    for trips in ({(slow[0], slow[3]): 2.0}, {(slow[3], slow[0]): 3.0}, {(slow[0], slow[3]): 2.0, (slow[3], slow[0]): 3.0}):
        network, demand = city(7, links, trips, seconds=lags)
        problem = Problem.build(network, demand, ServiceRule(1.0, 100, 90))
        lines = (slow, fast, spur) if meets_again else (slow, fast)
        plan = Plan(tuple(Route(line, f"R{k}") for k, line in enumerate(lines)), network.fingerprint)
        routes, other_routes, scratch, entries = _spaces(problem, plan)
        cache = route_cache.new_route_cache(network.n_stops, problem.n_rows, entries, len(lines), problem.pair_quanta.shape[0])
        coverage.prepare_other_routes(problem.graph, routes, other_routes, 0, float(problem.rule.transfer_s))
        given_all = problem.graph, problem.demand_rows, routes, other_routes
        route = [rows[0] for rows in routes]
        served = int(sum(trips.values())) * 1024
        assert coverage.route_gain(*given_all, *route, scratch, 1)[0] == served
        assert route_cache.cache_route(*given_all, cache, *route, scratch, 1)[0] == served
        assert problem.value(plan, Objective()) == served
        assert coverage.route_gain(*given_all, *route, scratch, 0)[0] == 0


def test_a_route_is_measured_in_each_direction():
    links = {(0, 1): (10, 100), (1, 0): (20, 300), (1, 2): (5, 70), (2, 1): (50, 7), (2, 3): (9, 9)}
    graph = Graph(
        np.array([0, 1, 3, 5, 5]),
        *(np.array(row, np.int32) for row in ([1, 0, 2, 1, 3], *zip(*(links[pair] for pair in sorted(links)), strict=True))),
        np.zeros(5, np.int64),
        np.zeros(0, np.int32),
    )
    for stops, metres, ahead, back in (
        ([0, 1, 2], (170, 307), [0, 10, 15], [0, 20, 70]),
        ([2, 1], (7, 70), [0, 50], [0, 5]),
        ([1], (0, 0), [0], [0]),
        ([1, 2, 3], (-1, -1), None, None),  # linked ahead only
        ([3, 2, 1], (-1, -1), None, None),
        ([0, 2], (-1, -1), None, None),
    ):
        ahead_s, back_s = np.full(4, 7, np.float32), np.full(4, 7, np.float32)
        assert coverage.measure_route(graph, np.array(stops, np.int32), len(stops), ahead_s, back_s) == metres
        if ahead:
            assert (ahead_s[: len(ahead)].tolist(), back_s[: len(back)].tolist()) == (ahead, back)


def test_a_ride_exactly_at_its_limit_is_served():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 1.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    served = [Problem.build(network, demand, ServiceRule(1.0, spare, 300)).value(plan, Objective()) for spare in (0, 1)]
    assert served == [1024, 1024]


def test_a_ride_one_second_over_its_limit_is_not_served():
    network, demand = city(4, [(0, 1), (1, 2), (0, 2)], {(0, 2): 1.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    assert Problem.build(network, demand, ServiceRule(1.0, 200, 300)).value(plan, Objective()) == 1024
    assert Problem.build(network, demand, ServiceRule(1.0, 199, 300)).value(plan, Objective()) == 0


def test_a_trip_to_a_part_that_no_path_reaches_is_never_served():
    network, demand = city(4, [(0, 1), (2, 3)], {(0, 3): 1.0})
    plan = Plan((Route([0, 1], "A"), Route([2, 3], "B")), network.fingerprint)
    assert Problem.build(network, demand).value(plan, Objective()) == 0


def test_demand_on_another_grid_is_refused():
    network, _ = city(4, [(0, 1)], {})
    _, demand = city(5, [(0, 1)], {(0, 1): 1.0})
    with pytest.raises(DataError, match=r"demand and network must lie on one grid, got 5 and 4 hexes"):
        Problem.build(network, demand)


def test_stops_in_a_row_that_are_not_linked_are_refused():
    network, demand = city(4, [(0, 1)], {(0, 1): 1.0})
    with pytest.raises(DataError, match="stops in a row must be linked, route A has two that are not"):
        Problem.build(network, demand).value(Plan((Route([0, 2], "A"),), network.fingerprint), Objective())


def test_trips_within_reach_of_stops_are_rows_and_all_others_count_in_the_total_alone():
    trips = {(a, b): 1.0 + a + 5 * b for a in range(4) for b in range(4) if a != b}
    whole, demand = city(4, [(0, 1), (1, 2)], trips, presence=dict.fromkeys(range(4), 2.0))
    kept = {name: getattr(whole, name)[1:3] for name in ("stop_lon", "stop_lat", "stop_hex", "stop_names")}
    links = {"link_indptr": [0, 1, 2], "link_to": [1, 0], "link_s": [200, 200], "link_m": [1000, 1000]}
    network = Network(grid=whole.grid, **kept, **links, shed_indptr=[0, 1, 2], shed_hex=[1, 2], shed_walk_m=[0, 0])
    for one, hexes in ((whole, range(4)), (network, (1, 2))):
        problem = Problem.build(one, demand)
        assert problem.hexes.tolist() == list(hexes)
        rows = {(int(problem.hexes[a]), int(problem.hexes[b])): units / 1024 for a, b, units in zip(*problem.trips, strict=True)}
        assert rows == {pair: units for pair, units in trips.items() if set(pair) <= set(hexes)}
        assert problem.row_of.tolist() == [list(hexes).index(h) if h in hexes else -1 for h in range(4)]
        everything = 3 * sum(trips.values()) + 5 * 8
        assert problem.total_value(Objective(3, 5)) == everything * 1024


def test_the_least_count_of_trips_has_a_row_and_what_rounds_to_nothing_has_none():
    network, demand = city(4, [(0, 1), (1, 2), (2, 3)], {(0, 1): 1 / 1024, (1, 2): 2.0})
    assert Problem.build(network, demand).trips[2].tolist() == [1, 2048]
    columns = {"hour": [24, 24], "origin": [0, 1], "destination": [1, 2], "trips": [1 / 1024, 9.0]}
    nights = tuple(dt.date(2013, 3, 11) + dt.timedelta(days=day) for day in range(3))
    rare = Demand.from_rows(4, {"night": [0, 1], **columns}, nights=nights)
    problem = Problem.build(network, rare)
    assert problem.trips[2].tolist() == [3 * 1024]
    assert problem.partner.tolist() == [2, 1]


def test_trips_that_one_number_does_not_hold_are_refused():
    network, _ = city(3, [(0, 1), (1, 2)], {})
    most = 2**21 - 1 / 1024
    for trips, fits in (({(0, 1): most}, True), ({(0, 1): most - 5, (1, 0): 5.0}, True), ({(0, 1): most, (1, 0): 1 / 1024}, False)):
        demand = city(3, [], trips)[1]
        if fits:
            assert Problem.build(network, demand).pair_quanta.max() == 2**31 - 1
            continue
        with pytest.raises(
            DataError, match=r"^trips between two hexes must stay below 2,097,152 a night, got 2,097,152; use a larger unit$"
        ):
            Problem.build(network, demand)


def test_a_case_shows_its_sizes_and_none_of_its_long_arrays():
    shown = repr(Problem.build(*city(3, [(0, 1)], {(0, 1): 1.0})))
    assert not [name for name in ("indptr", "partner", "pair_quanta", "pair_limit_s", "graph", "trips", "_dense") if f" {name}=" in shown]
    assert " total_trips_quanta=1024," in shown


def test_where_no_path_leads_no_ride_is_short_enough():
    network, demand = city(4, [(0, 1), (2, 3)], {(0, 3): 1.0, (0, 1): 1.0})
    problem = Problem.build(network, demand, ServiceRule(1.0, 0, 0))
    assert problem.limits_of(*problem.trips[:2]).tolist() == [200.0, -1.0]
    assert problem.limit_s.tolist() == [[0, 200, -1, -1], [200, 0, -1, -1], [-1, -1, 0, 200], [-1, -1, 200, 0]]


def test_on_a_network_without_a_link_no_metres_lead_anywhere():
    network, demand = city(2, [], {})
    metres = Problem.build(network, demand).drive().metres
    assert [[int(shortest_m(metres, a, b)) for b in (0, 1)] for a in (0, 1)] == network.drive_m.tolist()


def test_nothing_to_serve_is_worth_one_unit_so_that_shares_are_defined():
    assert Problem.build(*city(3, [(0, 1)], {})).total_value(Objective()) == 1


def test_metres_that_a_second_stands_for_at_least_are_those_of_the_slowest_metres():
    network, demand = city(3, [(0, 1), (1, 2)], {}, seconds={(0, 1): 100, (1, 0): 400})
    pace = Problem.build(network, demand).drive().pace_m_s
    assert pace == pytest.approx(1000 / 400)
    assert pace * 400 <= 1000


def test_an_objective_of_no_weights_given_is_that_of_trips_served():
    assert Objective() == Objective.parse("served")


@pytest.mark.parametrize("text", ["", "fast", "served=x", "served,direct", "served=0"])
def test_an_objective_that_means_nothing_is_refused(text):
    with pytest.raises(UsageError, match="objective"):
        Objective.parse(text)
