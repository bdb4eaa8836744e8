"""What a changed route adds at most, against a plain sum over all trips of what the bound promises to count and nothing beside."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from cities import city, slow_rides
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.kernels import coverage, gain_bound, route_cache
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.search import Problem

WIDTH = 40


class _Twin:
    """The bound of changes of one route beside a rest that stays, summed trip by trip."""

    def __init__(self, problem, other_routes) -> None:
        """Find all rides on the rest, and the trips that these leave open."""
        network, self.drive_s = problem.network, problem.fastest_s
        self.near = [network.shed_hex[a:b].tolist() for a, b in pairwise(network.shed_indptr.tolist())]
        tails = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr)).tolist()
        self.lag = dict(zip(zip(tails, network.link_to.tolist(), strict=True), network.link_s.tolist(), strict=True))
        self.transfers = problem.rule.max_transfers
        self.trips = [(int(o), int(d), int(units), float(problem.limit_s[o, d])) for o, d, units in zip(*problem.trips, strict=True)]
        rides = slow_rides(problem, Plan(tuple(Route(line, f"R{k}") for k, line in enumerate(other_routes)), network.fingerprint))
        self.open = [trip for trip in self.trips if rides.get(trip[:2], math.inf) > trip[3]]
        self.columns = self.hexes(stop for line in other_routes for stop in line)
        self.onward = {stop: {} for line in other_routes for stop in line}, {stop: {} for line in other_routes for stop in line}
        for line in other_routes if self.transfers else ():
            for p, stop in enumerate(line):
                for q, end in enumerate(line):
                    for way, seconds in enumerate((self.ride_s(line, p, q), self.ride_s(line, q, p))):
                        known = self.onward[way][stop]
                        known |= {h: min(known.get(h, math.inf), seconds + problem.rule.transfer_s) for h in self.near[end]}
        self.meets = set(self.onward[0]) if self.transfers else set()
        self.stops, self.joined, self.came, self.noted = [], [], Counter(), {}

    def hexes(self, stops):
        return {h for stop in stops for h in self.near[stop]}

    def ride_s(self, line, p, q):
        way = line[p : q + 1] if p <= q else line[q : p + 1][::-1]
        return sum(self.lag[step] for step in pairwise(way))

    def rides(self, line):
        """Fastest rides that use a line, alone or with a change to the rest or from it."""
        found = {}
        for p, a in enumerate(line):
            for q, b in enumerate(line):
                seconds = self.ride_s(line, p, q)
                ends = [(o, d, 0) for o in self.near[a] for d in self.near[b]]
                ends += [(o, d, more) for o in self.near[a] for d, more in self.onward[0].get(b, {}).items()]
                ends += [(o, d, more) for d in self.near[b] for o, more in self.onward[1].get(a, {}).items()]
                for o, d, more in ends:
                    found[o, d] = min(found.get((o, d), math.inf), seconds + more)
        return found

    def hold(self, line):
        """Put another course in the route's place; what it adds to the rest."""
        met = [stop for stop in line if stop in self.meets and stop not in self.stops]
        if not self.stops or len(self.joined) + len(met) > 32:
            self.joined, self.noted, met = [], {}, []
        self.joined += met
        for h in self.hexes(line) - self.hexes(self.stops):
            for o, d, units, _ in self.trips:
                self.came.update({d: units * (o == h), o: units * (d == h)})
        self.stops, self.used = line, self.rides(line)
        return sum(units for o, d, units, limit in self.open if self.used.get((o, d), math.inf) <= limit)

    def shortened(self, fresh):
        """Steps of half a minute by which rides between stops that stay get shorter."""
        stay = [stop for stop in fresh if stop in self.stops]
        shorter = [0, 0]
        for a, b in pairwise(stay):
            for way, (one, two) in enumerate(((a, b), (b, a))):
                before, now = (self.ride_s(line, line.index(one), line.index(two)) for line in (self.stops, fresh))
                shorter[way] += max(0, before - now)
        return math.ceil(max(shorter) / 30)

    def most(self, fresh):
        """Trips that a changed course adds at most."""
        more, steps = [stop for stop in fresh if stop not in self.stops], self.shortened(fresh)
        mine, new = self.hexes(self.stops), self.hexes(more)
        lost = mine - self.hexes(set(fresh) & set(self.stops))
        total = 0
        for o, d, units, limit in self.open:
            ride_s = self.used.get((o, d), math.inf)
            if ride_s > limit:
                total += units * (limit >= 0 and ride_s <= limit + 30 * steps)
                continue
            gone = {o, d} & lost
            by_change = any(h in self.columns and h not in new for h in gone) and len(gone) == 1 and {o, d} <= mine
            total += units * (not gone or by_change)
        total += sum(units for o, d, units, _ in self.trips if o in new and d in new)
        meets = [stop for stop in more if stop in self.meets]
        total += sum(self.opened(stop, mine) for stop in meets)
        for stop in more:
            if stop not in self.noted:
                self.noted[stop] = *self.brought(stop, mine), len(self.joined), self.came.copy()
            alone, anywhere, since, came = self.noted[stop]
            met = sum(self.later(stop, q) for q in self.joined[since:])
            total += anywhere if meets and len(more) > 1 else alone + met
            total += sum(self.came[h] - came[h] for h in self.near[stop])
        return total

    def opened(self, stop, mine):
        """Trips of the route's hexes that a change at a new stop serves, however the bus gets there."""
        found = 0
        for o, d, units, limit in self.open:
            if self.used.get((o, d), math.inf) <= limit:
                continue
            if o in mine and d in self.columns:
                there = min(self.drive_s[q, stop] for q in self.stops if o in self.near[q])
                found += units * (there + self.onward[0][stop].get(d, math.inf) <= limit)
            if d in mine and o in self.columns:
                home = min(self.drive_s[stop, q] for q in self.stops if d in self.near[q])
                found += units * (home + self.onward[1][stop].get(o, math.inf) <= limit)
        return found

    def sides(self, stop):
        """Trips of a new stop's hexes, once for each of these at one end: the other end, 0 if they go there, trips, limit, if open."""
        for h in self.near[stop]:
            for trip in self.trips:
                for way in (0, 1):
                    if trip[way] == h:
                        yield trip[1 - way], way, *trip[2:], trip in self.open

    def reach_s(self, stop, other, way, changes):
        """Fastest ride between a new stop and a hex of the rest, with a change at one of some places, however the bus gets there."""
        legs = [(self.drive_s[q, stop] if way else self.drive_s[stop, q]) + self.onward[way][q].get(other, math.inf) for q in changes]
        return min(legs, default=math.inf)

    def brought(self, stop, mine):
        """Trips of a new stop's hexes: with the route's, and with the rest's by the route's places to change; and by any others."""
        alone, anywhere = 0, 0
        changes = [q for q in self.stops if q in self.meets]
        for other, way, units, limit, is_open in self.sides(stop):
            if other in self.columns:
                anywhere += units * is_open
                alone += units * (is_open and (0 if other in mine else self.reach_s(stop, other, way, changes)) <= limit)
            elif other in mine:
                alone, anywhere = alone + units, anywhere + units
        return alone, anywhere

    def later(self, stop, q):
        """Open trips of a new stop's hexes that a change at a place serves where the route came to meet the rest."""
        sides = [side for side in self.sides(stop) if side[0] in self.columns and side[4]]
        return sum(units for other, way, units, limit, _ in sides if self.reach_s(stop, other, way, [q]) <= limit)


@st.composite
def towns(draw):
    """Linked stops and some that no link leads to, a rest of up to two routes, and courses of one route, each of a few stops."""
    n = draw(st.integers(4, 9))
    pairs = [(a, b) for a in range(n) for b in range(a)]
    links = sorted({*pairwise(range(n)), *((b, a) for a, b in draw(st.lists(st.sampled_from(pairs), max_size=12)))})
    both = [way for a, b in links for way in ((a, b), (b, a))]
    seconds = {way: draw(st.sampled_from([20, 91, 133, 240])) for way in both}
    if draw(st.booleans()):
        seconds = {way: seconds[min(way), max(way)] for way in both}
    islands, widest = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    sheds = {s: tuple(draw(st.lists(st.integers(0, n + islands - 1), max_size=widest))) for s in range(n)}
    ends = st.tuples(st.integers(0, n + islands - 1), st.integers(0, n + islands - 1)).filter(lambda ends: ends[0] != ends[1])
    trips = draw(st.dictionaries(ends, st.sampled_from([1 / 1024, 3 / 1024, 2.0, 5.0]), min_size=1, max_size=24))
    people = {h: 1.0 + h for h in range(n)}
    network, demand = city(n + islands, links, trips, seconds=seconds, sheds=sheds, presence=people)
    rule = ServiceRule(
        draw(st.sampled_from([0.0, 1.0, 1.5])),
        draw(st.sampled_from([0, 60, 200, 400])),
        draw(st.sampled_from([0, 60])),
        draw(st.sampled_from([1, 1, 0])),
    )
    beside = {a: [b for way in both for b in way[1:] if way[0] == a] for a in range(n)}

    def course():
        stops = [draw(st.integers(0, n - 1))]
        for _ in range(draw(st.integers(1, n))):
            onward = [b for b in beside[stops[-1]] if b not in stops]
            stops += [draw(st.sampled_from(onward))] if onward else []
        return stops

    lines = [course() for _ in range(draw(st.sampled_from([2, 3, 1])))]
    return Problem.build(network, demand, rule), lines[1:], [lines[0], *(course() for _ in range(draw(st.integers(1, 5))))]


class _Kernels:
    """The bound of changes of one route beside a rest that stays, as the kernels give it."""

    def __init__(self, problem, other_routes) -> None:
        """Set up the rest."""
        self.problem, network = problem, problem.network
        plan = Plan(tuple(Route(line, f"R{k}") for k, line in enumerate(other_routes)), network.fingerprint)
        routes, entries = problem.pad(plan, width=WIDTH), WIDTH * int(np.diff(network.shed_indptr).max())
        sizes, n_routes = (network.n_stops, problem.n_rows), len(other_routes) + 1
        space = coverage.new_other_routes(*sizes, n_routes, entries, problem.pair_quanta.shape)
        self.cache = route_cache.new_route_cache(*sizes, entries, n_routes, problem.pair_quanta.shape[0])
        self.scratch, self.drive = coverage.new_scratch(problem.n_rows, entries, WIDTH), problem.drive()
        self.beside = problem.graph, problem.demand_rows, routes, space
        coverage.prepare_other_routes(problem.graph, routes, space, -1, float(problem.rule.transfer_s))

    def measured(self, line):
        stops, ahead, back = np.array(line, np.int32), np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        coverage.measure_route(self.problem.graph, stops, len(line), ahead, back)
        return stops, len(line), ahead, back

    def hold(self, line):
        """Put another course in the route's place; what it adds to the rest."""
        self.now = self.measured(line)
        self.gain = route_cache.cache_route(*self.beside, self.cache, *self.now, self.scratch, self.problem.rule.max_transfers)
        return self.gain[0]

    def most(self, fresh):
        """Trips that a changed course adds at most, and whether that was found."""
        graph, demand, *beside = self.beside
        changed = *self.gain, *self.now[2:], *self.measured(fresh), self.problem.rule.max_transfers
        most, _, found = gain_bound.gain_bound(graph, demand, self.drive, *beside, self.cache, *changed)
        return most, found


@given(towns())
@settings(max_examples=400, deadline=None)
def test_the_bound_of_a_change_counts_what_it_promises_and_nothing_more(town):
    problem, other_routes, courses = town
    twin, kernels = _Twin(problem, other_routes), _Kernels(problem, other_routes)
    for line in courses:
        assert kernels.hold(line) == twin.hold(line)
        longer = [[b, *line] for a, b in twin.lag if a == line[0] and b not in line]
        shorter = [line[:p] + line[p + 1 :] for p in range(1, len(line) - 1) if (line[p - 1], line[p + 1]) in twin.lag]
        for fresh in (*courses, line[1:], line[-2::-1], *longer, *shorter):
            most, found = kernels.most(fresh)
            places = [line.index(stop) for stop in fresh if stop in line]
            assert found == (places in (sorted(places), sorted(places)[::-1]))
            assert not found or most == twin.most(fresh)


@pytest.mark.parametrize(("n_new", "found"), [(24, True), (25, False)])
def test_a_change_that_brings_more_than_two_dozen_stops_is_not_bounded(n_new, found):
    network, demand = city(30, pairwise(range(30)), {(0, 26): 3.0, (0, 28): 2.0})
    kernels = _Kernels(Problem.build(network, demand), [])
    assert kernels.hold([0, 1, 2]) == 0
    most = kernels.most(range(3 + n_new))
    assert most[1] == found
    assert not found or most[0] == 3 * 1024


@pytest.mark.parametrize(("saved_s", "found"), [(1_919, True), (1_920, True), (1_921, False)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_shortcut_of_more_than_32_minutes_is_not_bounded(saved_s, found, turned):
    slow = ((2, 1), (1, 0), (2, 0)) if turned else ((0, 1), (1, 2), (0, 2))
    seconds = {way[::-1]: 100 * (1 + (k == 2)) for k, way in enumerate(slow)} | {slow[0]: 50, slow[1]: 50 + saved_s, slow[2]: 100}
    network, demand = city(3, [(0, 1), (1, 2), (0, 2)], {slow[2]: 2.0, slow[0]: 4.0}, seconds=seconds)
    kernels = _Kernels(Problem.build(network, demand, ServiceRule(1.0, 0, 0)), [])
    assert kernels.hold([0, 1, 2]) == 4 * 1024
    most = kernels.most([0, 2])
    assert most[1] == found
    assert not found or most[0] == 2 * 1024


@pytest.mark.parametrize(
    ("saved_s", "too_long_s", "counts"), [(60, 60, True), (60, 61, False), (61, 61, True), (61, 90, True), (61, 91, False)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_shortcut_may_serve_trips_whose_ride_is_too_long_by_what_it_saves_to_the_next_half_minute(saved_s, too_long_s, counts, turned):
    """Leaving out stop 1 saves something between 0 and 2; from 2 to 3 the route takes longer than the way by 4."""
    lags = {(0, 1): 50, (1, 2): 50 + saved_s, (0, 2): 100, (2, 3): 100 + too_long_s, (2, 4): 50, (4, 3): 50}
    ahead = {(way[::-1] if turned else way): lag for way, lag in lags.items()}
    home = {way[::-1]: 600 if set(way) == {0, 2} else 300 for way in ahead}
    trip = (3, 2) if turned else (2, 3)
    network, demand = city(5, list(ahead), {trip: 2.0}, seconds=ahead | home)
    kernels = _Kernels(Problem.build(network, demand, ServiceRule(1.0, 0, 0)), [])
    assert kernels.hold([0, 1, 2, 3]) == 0
    assert kernels.most([0, 2, 3]) == (2 * 1024 * counts, True)


@pytest.mark.parametrize(("out_s", "home_s"), [(300, 300), (300, 430), (430, 300)])
def test_places_to_change_are_added_up_until_there_are_more_than_32(out_s, home_s):
    line = list(range(36))
    links = [*pairwise(line), *((36, stop) for stop in line)]
    seconds = {(36, stop): out_s for stop in line} | {(stop, 36): home_s for stop in line}
    trips = {(36, stop): 1.0 + stop for stop in line} | {(stop, 36): 100.0 + stop for stop in line}
    network, demand = city(37, links, trips, seconds=seconds)
    problem = Problem.build(network, demand, ServiceRule(1.0, 450, 50))
    twin, kernels = _Twin(problem, [line]), _Kernels(problem, [line])
    for k in range(35):
        assert kernels.hold([k, k + 1]) == twin.hold([k, k + 1])
        assert kernels.most([36, k, k + 1]) == (twin.most([36, k, k + 1]), True)
