"""Moves of plans judged by travel time, against every neighbour listed and by how often each is drawn; and costs, against NumPy."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_travel_time import prepared, stop_list_is_fine, towns

from owlbus.common.arrays import read_only, read_only_view
from owlbus.kernels import travel_time_cost, travel_time_moves
from owlbus.kernels.cost_rows import new_bucket_queue
from owlbus.kernels.group_reach import no_groups
from owlbus.kernels.keeps_limits import Limits
from owlbus.kernels.straightness import new_known_route
from owlbus.kernels.structs import Constraints, Drive, Graph, ShortestMetres
from owlbus.kernels.travel_time_anneal import (
    BLOCK,
    MOVES,
    SWAPS,
    Rules,
    anneal_blocks,
)
from owlbus.kernels.travel_time_moves import (
    EXTEND,
    INSERT,
    REGROW,
    REROUTE,
    ROTATE,
    SHIFT,
    SKIP,
    TRIM,
)
from owlbus.kernels.travel_time_moves import REPLACE as PUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from test_travel_time import Town

    from owlbus.kernels.travel_time_anneal import TravelTimeState

    Path = tuple[int, ...]

LINKS = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 2), (1, 3), (0, 3), (2, 5), (4, 6), (6, 1)]
N = 7
NEAR = {i: sorted({b for a, b in LINKS if a == i} | {a for a, b in LINKS if b == i}) for i in range(N)}
MOST = 5
"""Stops of the longest route; the shortest has 2."""


def linked(path: Iterable[int]) -> bool:
    """Whether stops in a row are linked and no stop is met twice."""
    row = [*path]
    return len(set(row)) == len(row) and all(b in NEAR[a] for a, b in pairwise(row))


def either_way(paths: Iterable[Path]) -> set[Path]:
    """Routes within the limits, each in one direction."""
    return {min(path, path[::-1]) for path in paths if linked(path) and 2 <= len(path) <= MOST}


def grown(path: Path, wanted: int) -> set[Path]:
    """Routes whose end grew to so many stops, or until no free stop was linked with it."""
    free = [x for x in NEAR[path[-1]] if x not in path]
    if len(path) >= wanted or not free:
        return {path}
    return {longer for x in free for longer in grown((*path, x), wanted)}


def neighbours(route: Path, kind: int) -> set[Path]:
    """Every route that a move of a kind may give."""
    n, found = len(route), set[tuple[int, ...]]()
    for way in (route, route[::-1]):
        if kind == EXTEND:
            longer = {path for path in grown(way, n + 1) if len(path) > n}
            found |= {path[1:] if n == MOST else path for path in longer}
        elif kind == TRIM:
            found |= {way[:left] for left in range(2, n)}
        elif kind == SHIFT:
            rests = [way[: n - k] for k in range(1, n)]
            found |= {path for rest in rests for one in (rest, rest[::-1]) for path in grown(one, n)}
        elif kind == INSERT:
            base = way[:-1] if n == MOST else way
            found |= {(*base[:p], x, *base[p:]) for p in range(1, len(base)) for x in range(N) if x not in base}
        elif kind == SKIP:
            found |= {(*way[:p], *way[p + 1 :]) for p in range(1, n - 1)}
        elif kind == PUT:
            found |= {(*way[:p], x, *way[p + 1 :]) for p in range(1, n - 1) for x in range(N) if x not in way}
        elif kind == ROTATE:
            found |= {(*way[: p + 1], *way[:p:-1]) for p in range(n - 2) if way[p] in NEAR[way[-1]]}
    return either_way(found)


def drawn(route: Path, kind: int, draws: int) -> set[Path]:
    """Routes that a move gives in many draws."""
    link_s = np.full((N, N), -1)
    for a, b in LINKS:
        link_s[a, b] = link_s[b, a] = 60
    graph, _, workspace = prepared(link_s, np.ones((N, N), int), [range(MOST)], 60, 60_000)
    rng_state, found = np.array([5], np.uint64), set()
    for _ in range(draws):
        stops = np.full(MOST + 1, 6, np.int32)
        stops[: len(route)] = route
        n = travel_time_moves.propose_route(graph, stops, len(route), kind, workspace, rng_state)
        if n:
            found.add(tuple(stops[:n].tolist()))
    return either_way(found) if all(map(linked, found)) and all(2 <= len(path) <= MOST for path in found) else found


ROUTES = [(0, 1), (0, 1, 2), (4, 3, 2, 1), (0, 1, 2, 3, 4), (3, 0, 5, 4, 6)]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", [EXTEND, TRIM, SHIFT, INSERT, SKIP, PUT, ROTATE])
def test_a_move_gives_every_neighbour_of_its_kind_in_the_end_and_nothing_else(route: Path, kind: int) -> None:
    assert drawn(route, kind, 9_000 if kind == SHIFT else 1_500) == neighbours(route, kind)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_that_takes_another_way_keeps_its_ends_and_is_another_route(route: Path) -> None:
    found = drawn(route, REROUTE, 1_500)
    assert all({path[0], path[-1]} == {route[0], route[-1]} and path not in {route, route[::-1]} for path in found)
    assert neighbours(route, PUT) | neighbours(route, SKIP) <= found, "one stop changed is the least of other ways"
    assert (not found) == (len(route) == 2)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_grown_again_begins_with_one_of_its_ends(route: Path) -> None:
    found = drawn(route, REGROW, 1_500)
    assert found
    kept = {way[:cut] for way in (route, route[::-1]) for cut in range(1, len(route) + 1)}
    for path in found:
        assert any(way[i:j] in kept for way in (path, path[::-1]) for i in range(len(path)) for j in range(i + 1, len(path) + 1))
    anew = {path for path in found if {*path} <= {*route} and not {path, path[::-1]} & kept}
    assert anew or len(route) < 4, "stops that were cut off may be passed again"


@pytest.mark.parametrize(("one", "other"), [((0, 1, 2), (4, 3, 2, 5)), ((0, 1, 2, 3), (6, 1, 3, 4)), ((0, 1), (1, 6)), ((0, 1), (2, 3))])
def test_two_routes_swap_their_tails_behind_any_stop_that_both_have(one: Path, other: Path) -> None:
    link_s = np.full((N, N), -1)
    for a, b in LINKS:
        link_s[a, b] = link_s[b, a] = 60
    graph, _, workspace = prepared(link_s, np.ones((N, N), int), [range(MOST)], 60, 60_000)
    rng_state, found = np.array([5], np.uint64), set()
    for _ in range(400):
        rows = [np.full(MOST + 1, -1, np.int32) for _ in range(4)]
        rows[0][: len(one)], rows[1][: len(other)] = one, other
        n, m = travel_time_moves.swap_tails(graph, rows[0], len(one), rows[1], len(other), rows[2], rows[3], workspace.mark, rng_state)
        if n or m:
            found.add((tuple(rows[2][:n].tolist()), tuple(rows[3][:m].tolist())))
    expected = set()
    for way in (other, other[::-1]):
        for stop in set(one) & set(way):
            i, j = one.index(stop), way.index(stop)
            pair = (*one[: i + 1], *way[j + 1 :]), (*way[: j + 1], *one[i + 1 :])
            whole = (i == len(one) - 1 and j == len(way) - 1) or i == j == 0
            if not whole and all(linked(path) and 2 <= len(path) <= MOST for path in pair):
                expected.add(pair)
    assert found == expected


COMPLETE = np.where(np.eye(7, dtype=bool), -1, 60)
"""Seven stops, each linked with each other."""


def times_drawn(link_s: NDArray[np.int64], route: Path, kind: int, draws: int) -> Counter[Path]:
    """How often a move gives each route, in the direction that begins with the lower end; the empty route where it does not apply."""
    graph, _, workspace = prepared(link_s, np.ones(link_s.shape, int), [range(len(route) + 1)], 60, 60_000)
    rng_state, found = np.array([3], np.uint64), Counter[tuple[int, ...]]()
    for _ in range(draws):
        stops = np.zeros(len(route) + 2, np.int32)
        stops[: len(route)] = route
        path = tuple(stops[: travel_time_moves.propose_route(graph, stops, len(route), kind, workspace, rng_state)].tolist())
        found[min(path, path[::-1])] += 1
    return found


@pytest.mark.parametrize(("kind", "places"), [(SKIP, 3), (PUT, 3), (INSERT, 4)])
def test_each_place_of_a_route_is_changed_as_often_as_another(kind: int, places: int) -> None:
    found = Counter[tuple[int, ...]]()
    for path, count in times_drawn(COMPLETE, (0, 1, 2, 3, 4), kind, 1_200).items():
        found[tuple(min(stop, 5) for stop in path)] += count
    assert len(found) == places
    assert all(count == pytest.approx(1_200 / places, rel=0.2) for count in found.values())


def test_a_route_of_three_stops_takes_the_other_way_round_a_square_half_of_the_time() -> None:
    square = np.full((4, 4), -1)
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        square[a, b] = square[b, a] = 60
    found = times_drawn(square, (0, 1, 2), REROUTE, 1_000)
    assert set(found) == {(), (0, 3, 2)}
    assert found[0, 3, 2] == pytest.approx(500, abs=60)


@given(towns())
def test_one_more_route_costs_what_one_boarding_of_it_saves(town: Town) -> None:
    link_s, demand, routes, transfer_s = town
    graph, chain, workspace = prepared(link_s, demand, routes, transfer_s, 60_000)
    n = len(link_s)
    for k, route in enumerate(routes):
        travel_time_cost.settle(graph, chain.routes, chain.sizes, k, -1, chain.outer, workspace)
        rest = chain.outer.times[:, :n].astype(np.int64)
        after = rest.copy()
        for way in (route, route[::-1]):
            for a, board in enumerate(way):
                ride = int(graph.transfer)
                for at, to in pairwise(way[a:]):
                    ride += int(graph.link[at, to])
                    after = np.minimum(after, rest[:, [board]] + ride + rest[[to], :])
        cost = travel_time_cost.cost_with(graph, chain.outer, chain.routes[k], chain.sizes[k], workspace)
        assert cost == int((graph.weight[:, :n].astype(np.int64) * after).sum())


def test_a_route_that_is_boarded_again_counts_where_links_take_longer_one_way() -> None:
    """The long route goes 0-1-2-3-4-5; a shuttle links 1 and 4 quickly, and another goes back from 4 to 0 quickly, not there."""
    link_s = np.full((6, 6), -1)
    for a, b, there_s, back_s in ((0, 1, 60, 90), (1, 2, 600, 600), (2, 3, 600, 600), (3, 4, 600, 600), (4, 5, 60, 60), (1, 4, 60, 60)):
        link_s[a, b], link_s[b, a] = there_s, back_s
    link_s[0, 4], link_s[4, 0] = 6000, 60
    demand = np.zeros((6, 6), int)
    demand[0, 5] = 1
    graph, chain, workspace = prepared(link_s, demand, [[0, 1, 2, 3, 4, 5], [1, 4], [0, 4]], 300, 60_000)
    travel_time_cost.settle(graph, chain.routes, chain.sizes, 0, -1, chain.outer, workspace)
    travel_time_cost.join_route(graph, chain.outer, chain.routes[0], chain.sizes[0], workspace, chain.inner)
    tick_s = 30
    assert chain.inner.times[0, 5] * tick_s == 3 * 300 + 60 + 60 + 60
    assert chain.inner.times[5, 0] * tick_s == 2 * 300 + 60 + 60, "the way back needs the long route once"


def test_pairs_without_a_journey_have_none() -> None:
    link = np.array([[-1, 60, -1], [60, -1, -1], [-1, -1, -1]])
    rides = np.empty((3, 3), np.int64)
    travel_time_cost.count_transfers(link, np.array([[0, 1]], np.int32), np.array([2]), 30, rides)
    assert rides.tolist() == [[0, 90 * 4 + 1, -1], [90 * 4 + 1, 0, -1], [-1, -1, 0]]


def no_rules(graph: travel_time_cost.StopGraph, chain: TravelTimeState) -> Rules:
    """Rules that every route of linked stops keeps; links have as many metres as ticks."""
    n_stops, n_routes, most = len(graph.link), len(chain.sizes), chain.routes.shape[1]
    tail, head = np.nonzero(graph.link > 0)
    # arrays of the case are read-only, as where a search builds them: else kernels compile a second time
    indptr, ticks = (read_only(array) for array in (np.searchsorted(tail, np.arange(n_stops + 1)), graph.link[tail, head]))
    head = read_only(head.astype(np.int32))
    sheds = read_only(np.zeros(0, np.int64)), np.zeros(0, np.int32)
    metres = (np.zeros((1, n_stops), np.int32), np.full(n_stops, -1, np.int32), np.full(1, -1, np.int32), np.zeros(1, np.int64))
    queue = new_bucket_queue(ticks, n_stops)
    bounds = np.inf, 0.0, np.inf, np.inf, np.inf, 0.0, np.inf, np.inf
    limits = Limits(*(np.full(n_routes, bound) for bound in bounds), np.inf, np.inf, 60.0)
    constraints = Constraints(
        np.ones(n_stops, np.uint8),
        np.arange(1.0, n_stops + 1),
        np.zeros((0, 2), np.int32),
        np.full((n_routes, 2), -1, np.int32),
        no_groups(n_stops),
    )
    room = np.zeros(most, np.float32), np.zeros(most, np.float32), np.zeros(0, np.int64)
    drive = Drive(read_only_view(graph.drive), ShortestMetres(*metres, indptr, head, ticks, queue), 1.0, new_known_route(0))
    return Rules(Graph(indptr, head, ticks, ticks, *sheds), drive, limits, constraints, *room)


@given(towns(), st.sampled_from([0.0, 3.0, 1e9]), st.integers(0, 9))
@settings(max_examples=60)
def test_annealed_routes_are_fine_and_the_best_plan_costs_what_is_told(town: Town, temperature: float, seed: int) -> None:
    link_s, demand, routes, transfer_s = town
    graph, chain, workspace = prepared(link_s, demand, routes, transfer_s, 60_000)
    chain.rng_state[0] = seed
    chain.best[0] = start = travel_time_cost.settle(graph, chain.routes, chain.sizes, -1, -1, chain.spare, workspace)
    chain.best_routes[:], chain.best_sizes[:] = chain.routes, chain.sizes
    for _ in range(3):
        before = int(chain.tried[0])
        anneal_blocks(graph, chain, workspace, 1, temperature, no_rules(graph, chain))
        assert chain.tried[0] - before <= BLOCK - 2
        for held, sizes in ((chain.routes, chain.sizes), (chain.best_routes, chain.best_sizes)):
            assert all(stop_list_is_fine(graph, row[:n]) for row, n in zip(held, sizes, strict=True))
        best = travel_time_cost.settle(graph, chain.best_routes, chain.best_sizes, -1, -1, chain.spare, workspace)
        assert chain.best[0] == best <= start
        assert np.all(chain.rises[chain.rises != -1] > 0)
        if temperature == 0.0 and len(routes) == 1:
            now = travel_time_cost.settle(graph, chain.routes, chain.sizes, -1, -1, chain.spare, workspace)
            assert now == best, "without heat a plan only gets better"


def test_a_block_swaps_tails_so_many_times_and_counts_each_plan_judged() -> None:
    """Two routes of three stops cross at the middle; with no neighbours listed, no move on one route applies."""
    star = np.full((5, 5), -1)
    star[1, [0, 2, 3, 4]] = star[[0, 2, 3, 4], 1] = 60
    graph, chain, workspace = prepared(star, np.ones((5, 5), int), [[0, 1, 2], [3, 1, 4]], 60, 600)
    alone = graph._replace(near_indptr=np.zeros_like(graph.near_indptr), least=3)
    for blocks in range(1, 4):
        anneal_blocks(alone, chain, workspace, 1, 1e9, no_rules(graph, chain))
        assert chain.tried[0] == blocks * SWAPS
        assert sorted(chain.routes[:, [0, 2]].ravel().tolist()) == [0, 2, 3, 4]


def test_routes_that_swap_tails_of_unequal_length_stay_whole() -> None:
    """Stops 0-1-2-3-4 and 5-2-6 cross at 2; everybody goes from 0 to 6 and from 5 to 4, which a swap serves without a transfer."""
    link_s, demand = np.full((7, 7), -1), np.zeros((7, 7), int)
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 4), (5, 2), (2, 6)):
        link_s[a, b] = link_s[b, a] = 60
    demand[0, 6] = demand[5, 4] = 9
    for seed in range(20):
        graph, chain, workspace = prepared(link_s, demand, [[0, 1, 2, 3, 4], [5, 2, 6]], 600, 6_000)
        chain.rng_state[0] = seed
        chain.best[0] = travel_time_cost.settle(graph, chain.routes, chain.sizes, -1, -1, chain.spare, workspace)
        anneal_blocks(
            graph._replace(near_indptr=np.zeros_like(graph.near_indptr), least=3), chain, workspace, 1, 0.0, no_rules(graph, chain)
        )
        rows = [tuple(row[:n].tolist()) for row, n in zip(chain.routes, chain.sizes, strict=True)]
        assert {min(row, row[::-1]) for row in rows} == {(0, 1, 2, 6), (4, 3, 2, 5)}


@pytest.mark.parametrize("temperature", [0.9, 1.5])
def test_a_plan_is_met_as_often_as_its_cost_and_the_heat_let_it(temperature: float) -> None:
    """One link of two is served; the other costs one more. Annealing at one heat meets both in the ratio of Boltzmann."""
    link_s, demand = np.full((3, 3), -1), np.zeros((3, 3), int)
    for a in (0, 1):
        link_s[a, a + 1] = link_s[a + 1, a] = 60
        demand[a, a + 1] = 1
    rise = 1
    demand[0, 1] += rise
    graph, chain, workspace = prepared(link_s, demand, [[0, 1]], 60, 120)
    costs = [
        travel_time_cost.settle(graph, np.array([row], np.int32), np.array([2]), -1, -1, chain.spare, workspace) for row in ([0, 1], [1, 2])
    ]
    assert costs[1] - costs[0] == rise
    met, blocks = 0, 600
    assert set(chain.rises.tolist()) == {-1}, "no move has made the plan worse yet"
    for _ in range(blocks):
        anneal_blocks(graph, chain, workspace, 1, temperature, no_rules(graph, chain))
        met += 2 in chain.routes[0, :2]
    share = 1 / (1 + math.exp(rise / temperature))
    assert met / blocks == pytest.approx(share, abs=0.06)
    assert set(chain.rises.tolist()) - {-1} == {rise}


def test_a_block_moves_each_of_two_routes_as_often_as_one_alone() -> None:
    """Routes of one link have no tails to swap."""
    link_s, tried = np.full((N, N), -1), []
    for a, b in LINKS:
        link_s[a, b] = link_s[b, a] = 60
    for routes in ([[0, 1]], [[0, 1], [2, 3]]):
        graph, chain, workspace = prepared(link_s, np.ones((N, N), int), routes, 60, 60_000)
        anneal_blocks(graph, chain, workspace, 100, 1e12, no_rules(graph, chain))
        tried.append(int(chain.tried[0]))
    assert tried[1] == pytest.approx(2 * tried[0], rel=0.1)
    assert tried[0] < 100 * MOVES
