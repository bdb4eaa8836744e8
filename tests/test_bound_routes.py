"""Walks under prices, held against plain twins: every walk listed, rows of walks as lists, and memories as sets."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longest_walks import longest_walks
from numba import njit

from owlbus.kernels import bound_routes
from owlbus.kernels.bound_structs import CostGraph, HexMemory, Walks

FULL = bound_routes.N_COLOURS


class Roads(NamedTuple):
    """Links with their cost, and sheds, by stop."""

    links: list[dict[int, int]]
    sheds: list[list[int]]
    n_hexes: int

    def arrays(self) -> CostGraph:
        """Return what the kernels take."""
        link_ptr = np.cumsum([0, *map(len, self.links)])
        shed_ptr = np.cumsum([0, *map(len, self.sheds)])
        to, cost = (np.array([pair[i] for row in self.links for pair in sorted(row.items())], np.int32) for i in (0, 1))
        return CostGraph(link_ptr, to, cost, shed_ptr, np.array([h for row in self.sheds for h in row], np.int32))


def roads_of(n_stops: int, costs: dict[tuple[int, int], int], sheds: list[list[int]], n_hexes: int) -> Roads:
    """Roads whose links cost the same in both directions."""
    links: list[dict[int, int]] = [{} for _ in range(n_stops)]
    for (a, b), cost in costs.items():
        links[a][b] = links[b][a] = cost
    return Roads(links, sheds, n_hexes)


@st.composite
def many_roads(draw: st.DrawFn) -> Roads:
    """Few stops whose sheds overlap, links that cost 1 to 3."""
    n = draw(st.integers(1, 5))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=7)) if pairs else []
    sheds = [sorted(draw(st.sets(st.integers(0, 5), max_size=3))) for _ in range(n)]
    return roads_of(n, {pair: draw(st.integers(1, 3)) for pair in chosen}, sheds, 6)


PRICES = st.lists(st.integers(0, 5), min_size=6, max_size=6).map(lambda row: np.array(row, np.float64))


def room_for(n: int) -> Walks:
    """Room for n walks."""
    return Walks(np.empty(n), np.empty(n, np.uint64), *(np.empty(n, np.int32) for _ in range(4)))


def held_at(memory: HexMemory) -> list[set[int]]:
    """Hexes that each stop holds."""
    return [set(row[row >= 0].tolist()) for row in memory.kept_hex]


def check_memory(roads: Roads, memory: HexMemory) -> None:
    """Each hex has one colour wherever it is held; links keep what both ends hold, sheds have the bits of what their stop holds."""
    colour, held, keep, shed_bit = memory
    link_ptr, to, _, shed_ptr, shed_hex = roads.arrays()
    for stop, row in enumerate(held):
        for c, h in enumerate(row.tolist()):
            assert h < 0 or colour[h] == c
        for link in range(link_ptr[stop], link_ptr[stop + 1]):
            both = {h for h in row.tolist() if h >= 0} & held_at(memory)[to[link]]
            assert int(keep[link]) == sum(1 << int(colour[h]) for h in both)
        for e in range(shed_ptr[stop], shed_ptr[stop + 1]):
            h = int(shed_hex[e])
            assert int(shed_bit[e]) == (1 << int(colour[h]) if h in held_at(memory)[stop] else 0)


def earned(roads: Roads, holds: list[set[int]], stops: list[int]) -> list[list[int]]:
    """Hexes that a walk earns at each of its stops."""
    known: set[int] = set()
    found = []
    for place, stop in enumerate(stops):
        if place:
            known &= holds[stops[place - 1]] & holds[stop]
        found.append([h for h in roads.sheds[stop] if h not in known])
        known |= set(roads.sheds[stop]) & holds[stop]
    return found


def visits_of(roads: Roads, holds: list[set[int]], stops: list[int]) -> list[int]:
    """How often a walk earns each hex."""
    met = [h for row in earned(roads, holds, stops) for h in row]
    return np.bincount(met, minlength=roads.n_hexes).tolist()


def all_walks(roads: Roads, budget: int) -> list[tuple[list[int], int]]:
    """Every walk within a budget and its cost."""
    found = [([stop], 0) for stop in range(len(roads.links))]
    for stops, spent in found:
        found += [([*stops, to], spent + cost) for to, cost in roads.links[stops[-1]].items() if spent + cost <= budget]
    return found


@njit
def lowest_of(bits: np.uint64) -> int:
    """Call a kernel that other kernels alone call."""
    return bound_routes.lowest_bit(bits)


@given(st.integers(0, FULL - 1), st.integers(0, 2**64 - 1))
def test_the_lowest_bit_of_a_number_is_found(place: int, above: int) -> None:
    bits = (above | 1) << place & (2**64 - 1)
    assert lowest_of(np.uint64(bits)) == place


@given(many_roads(), st.integers(0, 3))
def test_a_stop_keeps_in_mind_the_hexes_of_all_stops_within_the_rings(roads: Roads, rings: int) -> None:
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, rings)
    for stop in range(len(roads.links)):
        near = {stop}
        for _ in range(rings):
            near |= {to for one in near for to in roads.links[one]}
        assert held_at(memory)[stop] == {h for one in near for h in roads.sheds[one]}
    check_memory(roads, memory)


@pytest.mark.parametrize(("n_own", "n_far"), [(40, FULL - 41), (40, FULL - 40), (40, 60), (70, 5)])
def test_where_colours_do_not_suffice_nearer_hexes_come_first(n_own: int, n_far: int) -> None:
    """Hexes of the last stop, two links away, are kept in mind as far as the first two leave room."""
    own, mid, far = list(range(n_own)), [n_own], list(range(n_own + 1, n_own + 1 + n_far))
    roads = roads_of(3, {(0, 1): 1, (1, 2): 1}, [own, mid, far], n_own + 1 + n_far)
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, 2)
    held = held_at(memory)
    assert len(held[0]) == min(FULL, n_own + 1 + n_far)
    assert set(own[:FULL]) <= held[0]
    assert n_own in held[0] or n_own >= FULL
    assert set(far[:FULL]) <= held[2]
    check_memory(roads, memory)


@pytest.mark.parametrize("seed", range(4))
def test_a_hex_is_kept_in_mind_wherever_some_colour_is_free_for_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    memory = HexMemory(np.full(90, -1, np.int32), np.full((4, FULL), -1, np.int32), np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    refused = 0
    for h, stop in rng.integers((90, 4), size=(400, 2)).tolist():
        before, colours = held_at(memory), [set(np.flatnonzero(row >= 0).tolist()) for row in memory.kept_hex]
        holders = [s for s in range(4) if h in before[s]]
        is_free = memory.colour[h] >= 0 and memory.colour[h] not in colours[stop]
        has_room = len(set().union(colours[stop], *(colours[s] for s in holders))) < FULL
        may = stop in holders or is_free or has_room
        assert bound_routes.keep_in_mind(memory, h, stop) == may
        assert held_at(memory) == [row | ({h} if may and s == stop else set()) for s, row in enumerate(before)]
        for row in memory.kept_hex:
            assert all(memory.colour[x] == c for c, x in enumerate(row.tolist()) if x >= 0)
        refused += not may
    assert refused


@given(many_roads(), PRICES, st.integers(0, 2), st.integers(0, 5))
@settings(max_examples=120)
def test_wide_rows_of_walks_hold_the_most_valuable_of_all_walks(roads: Roads, price: np.ndarray, rings: int, budget: int) -> None:
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, rings)
    walks, best = room_for(4_000), np.empty(budget + 1, np.int32)
    made = longest_walks(roads.arrays(), memory, price, budget, 10_000, walks, best)
    assert made >= len(roads.links)
    holds, listed = held_at(memory), all_walks(roads, budget)
    worth = [float(np.dot(visits_of(roads, holds, stops), price)) for stops, _ in listed]
    for most, walk in enumerate(best.tolist()):
        assert walks.value[walk] == max(value for value, (_, spent) in zip(worth, listed, strict=True) if spent <= most)
        stops = bound_routes.walk_stops(walks, walk).tolist()
        spent = sum(roads.links[a][b] for a, b in pairwise(stops))
        assert walks.cost[walk] == spent <= most
        visits = np.full(roads.n_hexes, 0.5)
        bound_routes.add_gains(roads.arrays(), memory, walks, walk, 2.0, visits)
        assert visits.tolist() == [0.5 + 2 * count for count in visits_of(roads, holds, stops)]
    assert longest_walks(roads.arrays(), memory, price, budget, 10_000, room_for(made), best) == made
    assert longest_walks(roads.arrays(), memory, price, budget, 10_000, room_for(made - 1), best) == -1


class Walk:
    """A walk of the slow twin."""

    def __init__(self, worth: float, known: set[int], stops: list[int]) -> None:
        """Note what it is worth, which hexes it remembers, and where it has been."""
        self.worth, self.known, self.stops = worth, known, stops


def slow_walks(roads: Roads, holds: list[set[int]], price: np.ndarray, budget: int, width: int) -> list[Walk]:
    """Best walk within every cost, rows of walks kept as lists."""
    rows: dict[tuple[int, int], list[Walk]] = {(cost, s): [] for cost in range(budget + 1) for s in range(len(roads.links))}
    top, best = None, []
    for stop, shed in enumerate(roads.sheds):
        rows[0, stop] = [Walk(float(price[shed].sum()), set(shed) & holds[stop], [stop])]
    for cost in range(budget + 1):
        for stop in range(len(roads.links)):
            row = rows[cost, stop]
            if row and (top is None or row[0].worth > top.worth):
                top = row[0]
            for walk in row:
                for to, more in sorted(roads.links[stop].items()):
                    if cost + more <= budget:
                        known = walk.known & holds[stop] & holds[to]
                        new = [h for h in roads.sheds[to] if h not in known]
                        grown = Walk(walk.worth + price[new].sum(), known | (set(roads.sheds[to]) & holds[to]), [*walk.stops, to])
                        rows[cost + more, to] = with_walk(rows[cost + more, to], grown, price, width)
        assert top is not None
        best.append(top)
    return best


def with_walk(row: list[Walk], new: Walk, price: np.ndarray, width: int) -> list[Walk]:
    """A row, the most valuable first, with one more walk: beaten ones left out, and the poorest taken in by the one that loses least."""

    def lost(one: Walk, other: Walk) -> float:
        return float(price[sorted(one.known - other.known)].sum())

    richer = [one for one in row if one.worth >= new.worth]
    if any(lost(one, new) <= one.worth - new.worth for one in richer):
        return row
    row = [*richer, new, *(one for one in row[len(richer) :] if lost(new, one) > new.worth - one.worth)]
    if len(row) > width:
        poorest = row.pop()
        nearest = min(row, key=lambda one: lost(one, poorest))
        nearest.known &= poorest.known
    return row


@given(many_roads(), PRICES, st.integers(0, 2), st.integers(0, 9), st.integers(2, 3))
@settings(max_examples=150)
def test_narrow_rows_of_walks_are_those_of_a_twin_of_lists(roads: Roads, price: np.ndarray, rings: int, budget: int, width: int) -> None:
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, rings)
    walks, best = room_for(4_000), np.empty(budget + 1, np.int32)
    assert longest_walks(roads.arrays(), memory, price, budget, width, walks, best) > 0
    expected = slow_walks(roads, held_at(memory), price, budget, width)
    assert walks.value[best].tolist() == [walk.worth for walk in expected]
    assert [bound_routes.walk_stops(walks, walk).tolist() for walk in best] == [walk.stops for walk in expected]


@pytest.mark.parametrize("seed", range(6))
def test_rows_of_walks_over_a_town_are_those_of_the_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = {(s, s + step): int(rng.integers(1, 3)) for s in range(16) for step in (1, 4) if s + step < 16 and (step == 4 or s % 4 < 3)}
    roads = roads_of(16, costs, [sorted({s, int(rng.integers(16))}) for s in range(16)], 16)
    memory = bound_routes.near_memory(roads.arrays(), 16, 1)
    price, budget = rng.integers(0, 99, 16).astype(np.float64), 12
    walks, best = room_for(20_000), np.empty(budget + 1, np.int32)
    for width in (2, 5):
        assert longest_walks(roads.arrays(), memory, price, budget, width, walks, best) > 0
        expected = slow_walks(roads, held_at(memory), price, budget, width)
        assert walks.value[best].tolist() == [walk.worth for walk in expected]
        assert [bound_routes.walk_stops(walks, walk).tolist() for walk in best] == [walk.stops for walk in expected]


def test_without_stops_there_is_no_best_walk() -> None:
    roads, best = Roads([], [], 3), np.empty(3, np.int32)
    memory = bound_routes.near_memory(roads.arrays(), 3, 1)
    assert longest_walks(roads.arrays(), memory, np.ones(3), 2, 4, room_for(4), best) == 0
    assert best.tolist() == [-1, -1, -1]


@st.composite
def walked(draw: st.DrawFn) -> tuple[Roads, list[int]]:
    """Roads and a walk on them."""
    roads = draw(many_roads())
    stops = [draw(st.integers(0, len(roads.links) - 1))]
    for _ in range(draw(st.integers(0, 7))):
        if roads.links[stops[-1]]:
            stops.append(draw(st.sampled_from(sorted(roads.links[stops[-1]]))))
    return roads, stops


@given(walked(), st.integers(0, 1))
@settings(max_examples=150)
def test_a_walk_learns_what_it_forgot_and_no_hex_beyond_the_way_between_two_visits(drawn: tuple[Roads, list[int]], rings: int) -> None:
    roads, stops = drawn
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, rings)
    before = held_at(memory)
    row = np.array(stops, np.int32)
    visits = np.ones(roads.n_hexes)
    bound_routes.follow_walk(roads.arrays(), memory, row, visits)
    assert visits.tolist() == [1 + count for count in visits_of(roads, before, stops)]
    expected, learnt, last = [set(held) for held in before], 0, dict[int, int]()
    for place, new in enumerate(earned(roads, before, stops)):
        forgot = any(h in last for h in new)
        for h in roads.sheds[stops[place]]:
            if forgot and h in last:
                learnt += 1
                for between in stops[last[h] + 1 : place]:
                    expected[between].add(h)
        last |= dict.fromkeys(roads.sheds[stops[place]], place)
    assert bound_routes.remember_repeats(roads.arrays(), memory, row) == learnt
    assert held_at(memory) == expected
    check_memory(roads, memory)
    assert max(visits_of(roads, held_at(memory), stops), default=0) <= 1
    assert bound_routes.remember_repeats(roads.arrays(), memory, row) == 0


def test_what_finds_no_colour_on_the_way_is_not_learnt() -> None:
    roads = roads_of(2, {(0, 1): 1}, [[FULL], list(range(FULL))], FULL + 1)
    memory = bound_routes.near_memory(roads.arrays(), roads.n_hexes, 0)
    there_and_back = np.array([0, 1, 0], np.int32)
    assert bound_routes.remember_repeats(roads.arrays(), memory, there_and_back) == 0
    visits = np.zeros(roads.n_hexes)
    bound_routes.follow_walk(roads.arrays(), memory, there_and_back, visits)
    assert visits.tolist() == [1.0] * FULL + [2.0]


def test_a_new_colour_brings_links_far_from_the_walk_up_to_date() -> None:
    """Hex 0 has colour 0 at stops 0 and 3; stop 1 has given that colour away, so that hex 0 changes it everywhere."""
    roads = roads_of(4, {(0, 1): 1, (0, 3): 1, (2, 1): 1}, [[0], [1], [2], [0]], 3)
    memory = bound_routes.near_memory(roads.arrays(), 3, 0)
    assert memory.colour.tolist() == [0, 0, 0]
    assert bound_routes.remember_repeats(roads.arrays(), memory, np.array([0, 1, 0], np.int32)) == 1
    assert held_at(memory) == [{0}, {0, 1}, {2}, {0}]
    check_memory(roads, memory)
