"""Kernels that only other code calls, each held against a slow and obvious twin."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.kernels import count_blocks, hashing
from owlbus.kernels.bound_multipliers import hexes_worth
from owlbus.kernels.bound_structs import PairWeights
from owlbus.kernels.cost_rows import new_bucket_queue
from owlbus.kernels.enumerate_routes import enumerate_routes
from owlbus.kernels.keeps_limits import Limits
from owlbus.kernels.straightness import new_known_route
from owlbus.kernels.structs import Drive, Graph, ShortestMetres
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.search import Objective, PointCounter, Problem

MIX, LOW = 0x9E3779B97F4A7C15, 2**64 - 1


def mixed(key):
    """Twin of the mixing function, in whole numbers without end."""
    x = (key % 2**64) * MIX & LOW
    x = (x ^ (x >> 32)) * MIX & LOW
    return x ^ (x >> 32)


def whole(*values: int):
    return np.array(values, dtype=np.int64)


@given(st.integers(0, 2**62))
def test_bits_are_mixed_alike_everywhere(key):
    assert int(hashing.mixed(np.int64(key))) == mixed(key)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3), st.integers(0, 30)), max_size=40))
def test_the_first_hour_of_each_person_and_key_is_kept(rows):
    person, key, hour = (whole(*(row[k] for row in rows)) for k in range(3))
    table = hashing.FirstHours(np.full(32, -7, np.int64), np.full(32, hashing.FREE, np.int64), np.full(32, -7, np.int16))
    used = whole(0)
    assert hashing.keep_firsts(0, person, key, hour, table, used) == len(rows)
    expected = {}
    for who, what, when in rows:
        if what != hashing.FREE:
            expected[who, what] = min(when, expected.get((who, what), when))
    held = {(int(a), int(b)): int(c) for a, b, c in zip(*table, strict=True) if b != hashing.FREE}
    assert held == expected
    assert used[0] == len(expected)


def test_a_table_of_firsts_five_eighths_full_takes_known_pairs_only():
    person, key, hour = whole(0, 1, 2, 3, 4, 2, 5, 6), whole(*[9] * 8), whole(*[5] * 5, 1, 5, 5)
    table = hashing.FirstHours(np.zeros(8, np.int64), np.full(8, hashing.FREE, np.int64), np.zeros(8, np.int16))
    used = whole(0)
    assert hashing.keep_firsts(0, person, key, hour, table, used) == 6
    assert used[0] == 5
    assert int(table.hour[table.key != hashing.FREE].sum()) == 4 * 5 + 1


@given(st.lists(st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)), min_size=1, max_size=20), st.integers(1, 7))
def test_pairs_are_divided_alike_everywhere(rows, n_parts):
    person, key = (whole(*(row[k] for row in rows)) for k in (0, 1))
    expected = [(mixed((mixed(what) >> 1) ^ who) >> 20) % n_parts for who, what in rows]
    assert hashing.parts_of_pairs(person, key, n_parts).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=30))
def test_a_twin_repeats_an_earlier_usable_row(rows):
    columns = np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2)
    table, used = hashing.Digests(np.full(64, hashing.FREE, np.int64), np.zeros(64, np.int64)), whole(0)
    usable = np.array([row[2] for row in rows], dtype=np.bool_)
    seen, expected = set(), []
    for a, b, counts in rows:
        expected.append(int(counts and (a, b) in seen))
        seen |= {(a, b)} if counts else set()
    assert hashing.mark_twins(columns, usable, table, used).tolist() == expected
    assert used[0] == len(seen)
    larger = hashing.Digests(np.full(128, hashing.FREE, np.int64), np.zeros(128, np.int64))
    there = table.first != hashing.FREE
    hashing.put_digests(table.first[there], table.second[there], larger)
    assert hashing.mark_twins(columns, usable, larger, used).tolist() == [int(one) for one in usable]


def test_digests_that_agree_in_one_half_are_two():
    table = hashing.Digests(np.full(8, hashing.FREE, np.int64), np.zeros(8, np.int64))
    hashing.put_digests(whole(14, 14, 6, 22, 14), whole(1, 2, 1, 1, 3), table)
    full = table.first != hashing.FREE
    assert sorted(zip(table.first[full].tolist(), table.second[full].tolist(), strict=True)) == [(6, 1), (14, 1), (14, 2), (14, 3), (22, 1)]


@given(st.lists(st.integers(0, 2), min_size=16, max_size=16))
def test_a_page_gives_up_its_trips_and_the_people_of_each_row(counts):
    page, presence = np.array(counts, dtype=np.int32), whole(5, 0, 0, 7)
    keys, units = count_blocks.empty_page(page, 100, 4, presence)
    trips = {100 + i: count * 1024 for i, count in enumerate(counts) if count and i % 5}
    assert dict(zip(keys.tolist(), units.tolist(), strict=True)) == trips
    assert keys.tolist() == sorted(trips)
    assert presence.tolist() == [base + 1024 * sum(counts[4 * h : 4 * h + 4]) for h, base in enumerate((5, 0, 0, 7))]
    assert not page.any()


def ring(n_stops, links):
    """Links as `enumerate_routes` takes them, from (from, to): (seconds, metres)."""
    pairs = sorted(links)
    indptr = np.searchsorted([a for a, _ in pairs], np.arange(n_stops + 1))
    to = np.array([b for _, b in pairs], dtype=np.int32)
    link_s, link_m = (np.array([links[pair][k] for pair in pairs], dtype=np.int32) for k in (0, 1))
    return Graph(indptr.astype(np.int64), to, link_s, link_m, np.zeros(n_stops + 1, np.int64), np.zeros(0, np.int32))


def limits_of(longest, shortest, ride, circuity, most, fewest):
    """Limits of each route by itself, as kernels take them."""
    columns = (np.array([bound], np.float64) for bound in (longest, shortest, ride, circuity, most, fewest, math.inf, math.inf))
    return Limits(*columns, math.inf, math.inf, 60.0)


def drive_of(drive_m):
    """Drive matrices in which these are the fewest metres, and seconds say nothing of metres."""
    n = len(drive_m)
    every, links = np.arange(n, dtype=np.int32), (np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))
    metres = ShortestMetres(drive_m.astype(np.int32), every, every.copy(), np.zeros(1, np.int64), *links, new_bucket_queue(links[2], n))
    return Drive(np.zeros((n, n), np.int32), metres, 0.0, new_known_route(0))


def routes_by_hand(n_stops, links, limits, drive_m):
    """Every simple route within limits, from all orders of all stops."""
    longest, shortest, ride, circuity, most, fewest = limits
    found = set()
    for length in range(int(fewest), int(min(most, n_stops)) + 1):
        for stops in permutations(range(n_stops), length):
            steps = list(pairwise(stops))
            if stops[0] > stops[-1] or any((a, b) not in links or (b, a) not in links for a, b in steps):
                continue
            (ahead_s, ahead_m), (back_s, back_m) = (
                [sum(links[step][k] for step in way) for k in (0, 1)] for way in (steps, [(b, a) for a, b in steps])
            )
            first, last = stops[0], stops[-1]
            straight = max(ahead_m / drive_m[first, last], back_m / drive_m[last, first]) <= circuity
            if max(ahead_m, back_m) <= longest and min(ahead_m, back_m) >= shortest and max(ahead_s, back_s) <= ride and straight:
                found.add(stops)
    return found


@st.composite
def small_networks(draw):
    n = draw(st.integers(2, 5))
    links = {}
    for a in range(n):
        for b in range(n):
            if a != b and draw(st.integers(0, 9)) < 7:
                links[a, b] = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    drive_m = np.array([[draw(st.integers(1, 9)) for _ in range(n)] for _ in range(n)], dtype=np.float64)
    most = draw(st.integers(2, 5))
    limits = [
        draw(st.integers(3, 30)),
        draw(st.integers(0, 9)),
        draw(st.integers(3, 30)),
        draw(st.sampled_from([0.5, 1.0, 2.0, 9.0])),
        most,
    ]
    return n, links, [float(one) for one in (*limits, draw(st.integers(2, most)))], drive_m


@given(small_networks())
@settings(max_examples=150)
def test_all_simple_routes_within_limits_are_listed_once(drawn):
    n, links, limits, drive_m = drawn
    start, stops = np.full(1001, -1, np.int64), np.full(5000, -1, np.int32)
    graph = ring(n, links)
    found = enumerate_routes(graph, limits_of(*limits), drive_of(drive_m), start, stops)
    listed = [tuple(stops[start[k] : start[k + 1]].tolist()) for k in range(found)]
    assert len(set(listed)) == len(listed)
    assert set(listed) == routes_by_hand(n, links, limits, drive_m)
    assert enumerate_routes(graph, limits_of(*limits), drive_of(drive_m), np.zeros(found + 1, np.int64), stops) in {found, -1}
    if found:
        assert enumerate_routes(graph, limits_of(*limits), drive_of(drive_m), np.zeros(found, np.int64), stops) == -1
        assert enumerate_routes(graph, limits_of(*limits), drive_of(drive_m), start, stops[: start[found]].copy()) == found
        assert enumerate_routes(graph, limits_of(*limits), drive_of(drive_m), start, stops[: start[found] - 1].copy()) == -1


def test_a_search_among_too_many_ways_gives_up():
    n = 12
    links = {(a, b): (1, 1) for a in range(n) for b in range(n) if a != b}
    limits = limits_of(99.0, 99.0, 99.0, 99.0, 12.0, 2.0)
    assert enumerate_routes(ring(n, links), limits, drive_of(np.ones((n, n))), np.zeros(5, np.int64), np.zeros(99, np.int32)) == -1


@pytest.mark.parametrize(("end", "n"), [(99.0, 6), (3.0, 6), (2.0, 5), (1.0, 3), (0.5, 0)])
def test_a_route_as_long_as_allowed_is_listed(end, n):
    links = {(a, b): (7, 1) for a in range(4) for b in range(4) if abs(a - b) == 1}
    start, stops = np.zeros(99, np.int64), np.zeros(99, np.int32)
    assert enumerate_routes(ring(4, links), limits_of(end, 0.0, 99.0, 9.0, 9.0, 2.0), drive_of(np.ones((4, 4))), start, stops) == n


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), max_size=9), st.data())
def test_hexes_are_worth_what_their_splits_give_them_beyond_their_price(pairs, data):
    bonus, price = (data.draw(st.lists(st.integers(0, 20), min_size=4, max_size=4)) for _ in range(2))
    first, second, split, other = (np.array([pair[k] for pair in pairs], dtype) for k, dtype in enumerate((int, int, float, float)))
    profit = np.full(4, 99.0)
    demand = PairWeights(first.astype(np.int32), second.astype(np.int32), split + other, np.array(bonus, float))
    worth = hexes_worth(demand, split, np.array(price, float), profit)
    expected = [bonus[h] - price[h] + split[first == h].sum() + other[second == h].sum() for h in range(4)]
    assert profit.tolist() == expected
    assert worth == sum(one for one in expected if one > 0)


LINES = ([0, 1, 2, 3, 4], [5, 6, 2, 7, 8], [8, 3, 9, 1])
"""Three routes that meet at stops 1, 2, 3 and 8."""


@st.composite
def towns(draw):
    """Ten stops on three routes, links of drawn seconds either way, hexes that several stops reach, and trips."""
    links = [step for line in LINES for step in pairwise(line)]
    seconds = {way: draw(st.sampled_from([100, 200, 300])) for a, b in links for way in ((a, b), (b, a))}
    sheds = {stop: tuple(draw(st.sets(st.integers(0, 9), max_size=2))) for stop in draw(st.sets(st.integers(0, 9), max_size=4))}
    ends = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1])
    trips = draw(st.dictionaries(ends, st.integers(1, 40), min_size=1, max_size=12))
    rule = ServiceRule(transfer_s=draw(st.sampled_from([0, 100, 300])), max_transfers=draw(st.integers(0, 1)), detour_s=draw(st.just(300)))
    network, demand = city(10, links, trips, seconds=seconds, sheds=sheds)
    plan = Plan(tuple(Route(list(line), f"N{k}") for k, line in enumerate(LINES)), network.fingerprint)
    return network, demand, plan, rule, seconds, trips


def rides_by_hand(network, rule, seconds, origin, destination):
    """All rides between two hexes, as (seconds, changes, metres on foot, legs); a leg is route, place to board and to alight."""
    near = {}
    for hexagon in (origin, destination):
        near[hexagon] = [
            (k, p, int(network.shed_walk_m[e]))
            for k, line in enumerate(LINES)
            for p, stop in enumerate(line)
            for e in range(network.shed_indptr[stop], network.shed_indptr[stop + 1])
            if network.shed_hex[e] == hexagon
        ]

    def ride_s(k, p, q):
        way = LINES[k][p : q + 1] if q >= p else LINES[k][q : p + 1][::-1]
        return sum(seconds[step] for step in pairwise(way))

    for a, p, walk in near[origin]:
        for b, q, further in near[destination]:
            if a == b:
                yield ride_s(a, p, q), 0, walk + further, [(a, p, q)]
            elif rule.max_transfers:
                for u, stop in enumerate(LINES[b]):
                    if stop in LINES[a]:
                        t = LINES[a].index(stop)
                        yield ride_s(a, p, t) + rule.transfer_s + ride_s(b, u, q), 1, walk + further, [(a, p, t), (b, u, q)]


@given(towns())
@settings(max_examples=120)
def test_every_trip_takes_its_fastest_ride_then_the_one_without_a_change_then_the_shortest_walk(drawn):
    network, demand, plan, rule, seconds, trips = drawn
    problem = Problem.build(network, demand, rule)
    counter = PointCounter.build(problem, demand)
    sums, loads, boardings = np.zeros(4), np.zeros((2, 3, 5)), np.zeros((3, 2))
    for o, d in sorted(trips):
        rides = list(rides_by_hand(network, rule, seconds, o, d))
        best = min((ride[:3] for ride in rides), default=None)
        quanta = np.zeros((1, counter.key.size), np.int64)
        quanta[0, counter.pair_of(np.array([o]), np.array([d]), 24)] = 1024
        riders, lost = counter.riders(plan, quanta)
        if best is None or best[0] > problem.limit_s[problem.row_of[o], problem.row_of[d]]:
            assert (riders.legs.size, lost.tolist()) == (0, [1024])
            continue
        legs = [tuple(leg) for leg in riders.legs.reshape(-1, 3).tolist() if leg[0] >= 0]
        assert (*best, legs) in [(*ride[:3], ride[3]) for ride in rides]
        assert (riders.walk_m.tolist(), lost.tolist()) == ([best[2]], [0])
        sums += trips[o, d] * np.array([1, best[0] - best[1] * rule.transfer_s, best[2], best[1]])
        for nth, (k, p, q) in enumerate(legs):
            loads[int(q < p), k, min(p, q) : max(p, q)] += trips[o, d]
            boardings[k, nth] += trips[o, d]
    pairs = demand.od()
    flows = counter.flows(plan, [(counter.pair_of(pairs.origin, pairs.destination, 24), pairs.trips)])
    assert [side[0, :3, :5].tolist() for side in (flows.ahead_trips, flows.back_trips)] == loads.tolist()
    assert flows.boardings_trips[0].tolist() == boardings.tolist()
    assert [flows.riders_trips[0], flows.ride_s[0], flows.walk_m, flows.transfers_trips[0]] == sums.tolist()


def riders_of(problem, demand, plan):
    """Legs and walk of the one trip of a case, boardings by route, and riders with their seconds on board and transfers."""
    counter = PointCounter.build(problem, demand)
    riders, _ = counter.riders(plan, np.array([[1024]]))
    flows = counter.flows(plan, [(np.array([0]), demand.trips)])
    sums = [flows.riders_trips[0], flows.ride_s[0], flows.transfers_trips[0]]
    return [*riders.legs[0].tolist(), *riders.walk_m.tolist()], flows.boardings_trips[0].tolist(), sums


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_equally_fast_rides_the_one_without_a_change_wins_though_its_walk_is_longer(order):
    # From hex 0 to hex 3: by the stop of hex 0 with a change at 2, or 400 m on foot to stop 1 and on board to the end.
    links, seconds = [(0, 2), (2, 3), (1, 3)], {(1, 3): 300, (0, 2): 100, (2, 3): 200}
    both = seconds | {way[::-1]: lag for way, lag in seconds.items()}
    network, demand = city(4, links, {(0, 3): 5.0}, seconds=both, sheds={1: (0,)})
    lines = ([1, 3], [0, 2], [2, 3])
    plan = Plan(tuple(Route(lines[k], f"R{k}") for k in order), network.fingerprint)
    direct = order.index(0)
    legs, boardings, sums = riders_of(Problem.build(network, demand, ServiceRule(transfer_s=0)), demand, plan)
    assert legs == [direct, 0, 1, -1, -1, -1, 400]
    assert boardings == [[5 * (k == direct), 0] for k in range(3)]
    assert sums == [5, 5 * 300, 0]


def test_rides_between_the_last_of_many_stops_and_few_links_are_found():
    network, demand = city(9, [(6, 7), (7, 8)], {(6, 8): 1.0})
    plan = Plan((Route([6, 7], "A"), Route([7, 8], "B")), network.fingerprint)
    problem = Problem.build(network, demand)
    legs, boardings, sums = riders_of(problem, demand, plan)
    assert problem.value(plan, Objective()) == 1024
    assert legs == [0, 0, 1, 1, 0, 1, 0]
    assert boardings == [[1, 0], [0, 1]]
    assert sums == [1, 400, 1]
