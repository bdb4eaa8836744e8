"""Moves on routes and the random numbers that draw them, against slow twins that list every neighbour."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.kernels import moves
from owlbus.search import Problem

MASK = 2**64 - 1


def dice_of(seed):
    return np.array([seed], np.uint64)


def split_mix(state):
    """Twin of the random numbers, in whole numbers without end: the next state and its 64 bits."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def test_the_twin_gives_the_numbers_that_the_method_is_published_with():
    state, bits = 1234567, []
    for _ in range(3):
        state, z = split_mix(state)
        bits.append(z)
    assert bits == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, MASK))
def test_random_numbers_are_the_same_everywhere(seed):
    rng_state, state = dice_of(seed), seed
    for _ in range(3):
        state, z = split_mix(state)
        assert moves.next_random(rng_state) == (z >> 11) / 2**53
        assert int(rng_state[0]) == state


@given(st.integers(0, MASK), st.integers(1, 9))
def test_a_whole_number_is_drawn_from_the_next_random_number(seed, n):
    assert moves.random_below(dice_of(seed), n) == int((split_mix(seed)[1] >> 11) / 2**53 * n)


def seed_of(bits):
    """State of the random numbers from which `bits` are drawn next."""
    z = bits
    for factor, shift in ((0x94D049BB133111EB, 31), (0xBF58476D1CE4E5B9, 27), (1, 30)):
        shifted = z
        for _ in range(64 // shift):
            z = shifted ^ (z >> shift)
        z = z * pow(factor, -1, 2**64) & MASK
    return (z - 0x9E3779B97F4A7C15) & MASK


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 1_252, 20_011, 2**31 - 1, 2**52 + 1])
def test_the_largest_roll_still_lies_below(n):
    assert split_mix(seed_of(MASK))[1] == MASK
    assert moves.next_random(dice_of(seed_of(MASK))) == 1 - 2**-53
    assert moves.random_below(dice_of(seed_of(MASK)), n) == n - 1


@pytest.mark.parametrize("last", [1, 7])
def test_the_largest_roll_draws_the_last_kind_of_move_that_has_a_chance(last):
    kinds = np.zeros((3, moves.N_MOVES))
    kinds[0, last:] = 0.7
    for bits, wanted in ((MASK, last), (0, last)):
        assert moves.draw_kind(kinds, dice_of(seed_of(bits))) == wanted


@given(st.integers(0, MASK), st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=7))
def test_a_stop_is_drawn_where_the_running_sum_passes_the_roll(seed, attraction):
    at = (split_mix(seed)[1] >> 11) / 2**53
    total = sum(attraction)
    wanted = int(np.searchsorted(np.cumsum(attraction), at * total, side="right")) if total else int(at * len(attraction))
    assert moves.draw_stop(np.cumsum(attraction), dice_of(seed)) == wanted


@given(st.integers(0, MASK), st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=moves.N_MOVES, max_size=moves.N_MOVES).filter(any))
def test_a_kind_of_move_is_drawn_with_its_chance(seed, chances):
    at = (split_mix(seed)[1] >> 11) / 2**53 * sum(chances)
    kinds = np.zeros((3, moves.N_MOVES))
    kinds[0] = np.cumsum(chances)
    assert moves.draw_kind(kinds, dice_of(seed)) == int(np.searchsorted(kinds[0], at, side="right"))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_a_candidate_is_the_route_it_came_from_in_either_direction_only(one, other):
    for first, second in ((one, other), (one, one), (one, one[::-1])):
        found = moves.is_same(np.array(first), len(first), np.array(second), len(second))
        assert found == (first in (second, second[::-1]))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_a_route_that_passes_a_stop_twice_is_not_simple_and_leaves_no_mark(stops):
    mark = np.zeros(10, np.uint8)
    assert moves.is_simple(np.array(stops), len(stops), mark) == (len(set(stops)) == len(stops))
    assert not mark.any()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.data())
def test_a_turned_route_keeps_what_does_not_count(stops, data):
    n = data.draw(st.integers(0, len(stops)))
    turned = np.array(stops)
    moves.reverse(turned, n)
    assert turned.tolist() == [*stops[:n][::-1], *stops[n:]]


class _Twin:
    """Every neighbour of a route by each kind of move, listed; `width` places at most."""

    def __init__(self, links, seconds, width) -> None:
        """Note links in both directions."""
        self.width = width
        self.roads = nx.DiGraph()
        for a, b in links:
            for way in ((a, b), (b, a)):
                self.roads.add_edge(*way, s=seconds[way])
        self.away = dict(nx.all_pairs_dijkstra_path_length(self.roads, weight="s"))

    def between(self, a, b):
        return [x for x in self.roads[a] if x != b and self.roads.has_edge(x, b)]

    def grown(self, base, steps):
        if steps == 0 or len(base) >= self.width:
            return {base}
        return {way for x in self.roads[base[-1]] for way in ({base} if x in base else self.grown((*base, x), steps - 1))}

    def paths(self, a, b):
        return nx.all_shortest_paths(self.roads, a, b, weight="s")

    def place(self, route, x):
        return min(range(len(route)), key=lambda p: self.away[route[p]][x])

    def tails(self, route, x):
        found = set()
        for way in (route, route[::-1]):
            p = self.place(route, x)
            p = p if way == route else len(route) - 1 - p
            for before in {max(0, p - back) for back in range(8)}:
                found |= {(*way[:before], *path) for path in self.paths(way[before], x)}
        return found

    def detours(self, route, x):
        n, p = len(route), self.place(route, x)
        found = set()
        for before in {max(0, p - back) for back in range(8)}:
            for after in {min(n - 1, p + on) for on in range(8)}:
                for there in self.paths(route[before], x):
                    if after == p == n - 1:
                        found.add((*route[:before], *there))
                    else:
                        found |= {(*route[:before], *there[:-1], *home, *route[after + 1 :]) for home in self.paths(x, route[after])}
        return found

    def neighbours(self, route, kind, wanted):
        """Neighbours of a route, stops drawn from `wanted` alone."""
        n, ends = len(route), (route, route[::-1])
        beyond = [x for x in wanted if x not in route]
        if kind == 0:
            found = {(*route[: p + 1], x, *route[p + 1 :]) for p in range(n - 1) for x in self.between(route[p], route[p + 1])}
        elif kind == 1:
            found = {(*route[:p], *route[p + 1 :]) for p in range(1, n - 1) if self.roads.has_edge(route[p - 1], route[p + 1])}
        elif kind == 2:
            inner = [(p, x) for p in range(1, n - 1) for x in self.between(route[p - 1], route[p + 1])]
            found = {(*route[:p], x, *route[p + 1 :]) for p, x in inner if x != route[p]}
        elif kind == 3:
            found = {way for end in ends for way in self.grown(end, 1)}
        elif kind == 4:
            found = {end[: n - cut] for end in ends for cut in range(1, min(4, n - 1) + 1)}
        elif kind == 5:
            bases = {end[: n - cut][::-1] for end in ends for cut in range(1, min(4, n - 1) + 1)}
            found = {way for base in bases for steps in (1, 2, 3) for way in self.grown(base, steps)}
        else:
            found = {way for x in beyond for way in (self.detours(route, x) if kind == 6 else self.tails(route, x))}
        return {way for way in found if len(way) <= self.width}


def proposed(network, route, kind, attraction, seed, draws, width):
    """Neighbours that `propose` draws from one state of the random numbers on; without those that do not apply."""
    problem = Problem.build(network, city(network.n_stops, [], {})[1])
    drive, rng_state, found = problem.drive(), dice_of(seed), set()
    stops, out = np.array(route, np.int32), np.zeros(width, np.int32)
    for _ in range(draws):
        n = moves.propose(problem.graph, drive, np.cumsum(attraction), stops, len(route), out, kind, rng_state)
        assert -1 <= n <= width
        if n >= 0:
            found.add(tuple(out[:n].tolist()))
    return found


@st.composite
def walks(draw):
    """A small network whose links may take longer one way, a route on it, and how many places there are."""
    n = draw(st.integers(3, 8))
    extra = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=9))
    links = sorted({(min(a, b), max(a, b)) for a, b in [*pairwise(range(n)), *extra] if a != b})
    seconds = {way: draw(st.sampled_from([100, 200, 300])) for a, b in links for way in ((a, b), (b, a))}
    route = [draw(st.integers(0, n - 1))]
    for _ in range(draw(st.integers(1, 6))):
        onward = [x for a, b in links for x, y in ((a, b), (b, a)) if y == route[-1] and x not in route]
        if not onward:
            break
        route.append(draw(st.sampled_from(onward)))
    return n, links, seconds, tuple(route), len(route) + draw(st.integers(0, 4))


@given(walks(), st.integers(0, MASK))
@settings(max_examples=60, deadline=None)
def test_a_move_gives_one_of_the_neighbours_that_its_kind_allows(drawn, seed):
    n, links, seconds, route, width = drawn
    twin, (network, _) = _Twin(links, seconds, width), city(n, links, {}, seconds=seconds)
    for kind in range(moves.N_MOVES):
        assert proposed(network, route, kind, np.ones(n), seed, 12, width) <= twin.neighbours(route, kind, range(n))


WEB = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 2), (1, 5), (2, 5), (3, 5), (2, 6), (4, 6), (4, 7), (7, 8), (0, 9), (9, 5)]


@pytest.mark.parametrize("width", [5, 6, 14])
@pytest.mark.parametrize("kind", range(moves.N_MOVES))
def test_every_neighbour_is_drawn_in_the_end(kind, width):
    seconds = {way: 100 + 50 * ((a + b) % 2) for a, b in WEB for way in ((a, b), (b, a))}
    twin, (network, _) = _Twin(WEB, seconds, width), city(10, WEB, {}, seconds=seconds)
    for route in ((0, 1, 2, 3, 4), (4, 3, 5, 9), (0, 1, 2), (0, 1)):
        for wanted in (6, 8, 9) if kind > 5 else (0,):
            attraction = np.eye(10)[wanted]
            draws = 24_000 if kind == 5 else 1500  # up to four stops off one end and three more at the other
            assert proposed(network, route, kind, attraction, 7, draws, width) == twin.neighbours(route, kind, [wanted])


def test_of_three_drawn_stops_the_nearest_to_the_route_leads():
    network, _ = city(5, [(0, 1), (1, 2), (2, 3), (1, 4)], {}, seconds={(2, 3): 300, (3, 2): 300})
    problem = Problem.build(network, city(5, [], {})[1])
    attraction, out, rng_state = np.cumsum([0.0, 0.0, 0.0, 1.0, 1.0]), np.zeros(9, np.int32), dice_of(3)
    drive, ends = problem.drive(), []
    for _ in range(2000):
        n = moves.propose(problem.graph, drive, attraction, np.array([0, 1], np.int32), 2, out, moves.NEW_TAIL, rng_state)
        ends.append(out[n - 1])
    assert set(ends) == {3, 4}
    assert ends.count(3) / len(ends) == pytest.approx(1 / 8, abs=0.03), "the farther one only where all three draws are it"


def test_a_path_that_does_not_fit_or_that_no_link_begins_is_none():
    network, _ = city(6, [(0, 1), (1, 2), (2, 3), (4, 5)], {})
    problem = Problem.build(network, city(6, [], {})[1])
    drive, rng_state = problem.drive(), dice_of(1)
    for width, wanted in ((4, 4), (3, -1)):
        assert moves.append_path(problem.graph, drive, np.zeros(width, np.int32), 1, 3, rng_state) == wanted
    for target in (4, 5):
        assert moves.append_path(problem.graph, drive, np.zeros(4, np.int32), 1, target, rng_state) == -1


def test_of_equally_fast_ways_each_is_taken_alike_often():
    network, _ = city(6, [(0, k) for k in range(1, 5)] + [(k, 5) for k in range(1, 5)], {})
    problem = Problem.build(network, city(6, [], {})[1])
    drive, rng_state, taken, out = problem.drive(), dice_of(5), Counter(), np.zeros(3, np.int32)
    for _ in range(4000):
        assert moves.append_path(problem.graph, drive, out, 1, 5, rng_state) == 3
        taken[int(out[1])] += 1
    assert sorted(taken) == [1, 2, 3, 4]
    assert max(abs(count / 4000 - 1 / 4) for count in taken.values()) < 0.03


def test_of_stops_that_fit_into_a_link_each_is_inserted_alike_often():
    network, _ = city(6, [(0, 5), *((k, end) for k in range(1, 5) for end in (0, 5))], {})
    problem = Problem.build(network, city(6, [], {})[1])
    drive, rng_state, taken, out = problem.drive(), dice_of(5), Counter(), np.zeros(3, np.int32)
    for _ in range(4000):
        assert moves.propose(problem.graph, drive, np.ones(6), np.array([0, 5], np.int32), 2, out, 0, rng_state) == 3
        taken[int(out[1])] += 1
    assert sorted(taken) == [1, 2, 3, 4]
    assert max(abs(count / 4000 - 1 / 4) for count in taken.values()) < 0.03
