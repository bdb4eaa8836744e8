"""Routes with one place changed: the fastest joins past no stop twice, as networkx finds them, and what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.kernels.splice import path_avoiding, splice
from owlbus.kernels.structs import Graph

if TYPE_CHECKING:
    from owlbus.network import Network

WIDTH = 12


@st.composite
def towns(draw: st.DrawFn) -> tuple[Network, nx.DiGraph]:
    """Small networks whose links take so many seconds that no two ways take as many."""
    n = draw(st.integers(2, 8))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    links = draw(st.lists(pairs, min_size=1, max_size=14))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    seconds = {way: int(rng.integers(60, 10**6)) for a, b in links for way in ((a, b), (b, a))}
    return town_of(n, seconds)


def town_of(n: int, seconds: dict[tuple[int, int], int]) -> tuple[Network, nx.DiGraph]:
    """Network of links both ways, and the same as a graph."""
    network, _ = city(n, list(seconds), {}, seconds=seconds)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from([(*way, spent) for way, spent in seconds.items()], weight="s")
    return network, graph


def roads(network: Network) -> Graph:
    """Links by row, as the kernels take them; the sheds do not matter."""
    return Graph(network.link_indptr, network.link_to, network.link_s, network.link_m, network.shed_indptr, network.shed_hex)


def fastest(graph: nx.DiGraph, banned: set[int], start: int, end: int) -> int | None:
    """Seconds of the fastest path that passes no banned stop, ends aside."""
    free = graph.subgraph(set(graph) - banned | {start, end})
    try:
        return int(nx.dijkstra_path_length(free, start, end, weight="s"))
    except nx.NetworkXNoPath:
        return None


@given(towns(), st.data())
@settings(max_examples=150)
def test_a_path_avoids_what_is_banned_and_no_other_is_faster(town: tuple[Network, nx.DiGraph], data: st.DataObject) -> None:
    network, graph = town
    start, end = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    shut = data.draw(st.sets(st.sampled_from(sorted(graph))))
    banned, out = np.isin(np.arange(len(graph)), list(shut)).astype(np.uint8), np.full(WIDTH, -7, np.int32)
    n = path_avoiding(roads(network), network.drive_s[:, end], banned, start, end, out, 2)
    spent = fastest(graph, shut, start, end)
    if spent is None:
        assert n == -1
        return
    way = [start, *out[2:n].tolist()]
    assert way[-1] == end
    assert not set(way[1:-1]) & shut
    assert nx.path_weight(graph, way, "s") == spent
    assert out[:2].tolist() == [-7, -7]
    assert (out[n:] == -7).all()
    assert set(np.flatnonzero(banned).tolist()) == shut


def test_of_equally_fast_paths_the_one_whose_stops_are_met_first_is_taken() -> None:
    network, _ = town_of(4, {way: 60 for a, b in ((0, 1), (0, 2), (1, 3), (2, 3)) for way in ((a, b), (b, a))})
    out = np.zeros(4, np.int32)
    assert path_avoiding(roads(network), network.drive_s[:, 3], np.zeros(4, np.uint8), 0, 3, out, 0) == 2
    assert out[:2].tolist() == [1, 3]


@pytest.mark.parametrize(("room", "n"), [(3, 3), (2, -1)])
def test_a_path_may_fill_all_the_room_there_is(room: int, n: int) -> None:
    network, _ = town_of(4, {way: 60 for a in range(3) for way in ((a, a + 1), (a + 1, a))})
    assert path_avoiding(roads(network), network.drive_s[:, 3], np.zeros(4, np.uint8), 0, 3, np.zeros(room, np.int32), 0) == n


def joined(graph: nx.DiGraph, stops: list[int], i: int, j: int, via: int, shut: int) -> tuple[int, ...] | None:
    """Seconds of each new part of a spliced route, the first as fast as can be, or None if it cannot be joined."""
    kept = {*stops[: i + 1], *stops[j:]}
    if via in kept:
        return None
    banned, spent, at = kept | {shut}, [], stops[i] if i >= 0 else via
    for goal in ([via] if via >= 0 and i >= 0 else []) + ([stops[j]] if j < len(stops) else []):
        seconds = fastest(graph, banned - {goal}, at, goal) if at != goal else 0
        if seconds is None:
            return None
        spent.append(seconds)
        way = next(nx.all_shortest_paths(graph.subgraph(set(graph) - banned | {at, goal}), at, goal, weight="s"))
        banned, at = banned | set(way), goal
    return tuple(spent)


@given(towns(), st.data())
@settings(max_examples=300)
def test_a_spliced_route_joins_what_stays_by_the_fastest_ways_past_no_stop_twice(
    town: tuple[Network, nx.DiGraph], data: st.DataObject
) -> None:
    network, graph = town
    stops = [data.draw(st.sampled_from(sorted(node for node in graph if graph.degree(node))))]
    while onward := sorted(set(graph[stops[-1]]) - set(stops)):
        if len(stops) > 1 and data.draw(st.booleans()):
            break
        stops.append(data.draw(st.sampled_from(onward)))
    n = len(stops)
    i = data.draw(st.integers(-1, n - 1))
    j = data.draw(st.integers(i + 1, n))
    via = data.draw(st.integers(-1 if i >= 0 and j < n else 0, len(graph) - 1))
    shut = data.draw(st.sampled_from([-1, *sorted(set(graph) - set(stops) - {via})]))
    banned, out, padded = np.zeros(len(graph), np.uint8), np.zeros(WIDTH, np.int32), np.full(WIDTH, stops[0], np.int32)
    padded[:n] = stops
    m = splice(roads(network), network.drive_s, padded, n, i, j, via, shut, out, banned)
    assert not banned.any()
    assert padded[:n].tolist() == stops
    spent = joined(graph, stops, i, j, via, shut)
    if spent is None or (i < 0 and j == n):
        assert m == -1
        return
    new = out[:m].tolist()
    assert len(set(new)) == m
    assert new[: i + 1] == stops[: i + 1]
    assert new[m - (n - j) :] == stops[j:]
    assert shut not in new
    assert via < 0 or via in new
    first = new.index(via) if via >= 0 else i
    parts = ([new[i : first + 1]] if via >= 0 and i >= 0 else []) + ([new[first : m - (n - j) + 1]] if j < n else [])
    found = [int(nx.path_weight(graph, part, "s")) for part in parts]
    assert found == list(spent)


@pytest.mark.parametrize(("room", "new"), [(5, [0, 1, 4, 2, 3]), (4, None)])
def test_a_spliced_route_may_fill_all_the_room_there_is(room: int, new: list[int] | None) -> None:
    links = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 2)]
    network, _ = town_of(5, {way: 60 for a, b in links for way in ((a, b), (b, a))})
    out, banned = np.full(8, -7, np.int32), np.zeros(5, np.uint8)
    m = splice(roads(network), network.drive_s, np.arange(4, dtype=np.int32), 4, 1, 2, 4, -1, out[:room], banned)
    assert (None if m < 0 else out[:m].tolist()) == new
    assert (out[room:] == -7).all()
    assert not banned.any()


def test_a_detour_that_pushes_the_last_stops_out_of_the_room_does_not_fit() -> None:
    links = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 2)]
    network, _ = town_of(6, {way: 60 for a, b in links for way in ((a, b), (b, a))})
    out, banned = np.full(8, -7, np.int32), np.zeros(6, np.uint8)
    for room, m in ((6, 6), (5, -1)):
        assert splice(roads(network), network.drive_s, np.arange(4, dtype=np.int32), 4, 1, 2, 4, -1, out[:room], banned) == m
        assert (out[6:] == -7).all()
        assert not banned.any()


def test_stop_0_may_be_shut_and_may_be_passed_by() -> None:
    ring = [(1, 0), (0, 2), (1, 3), (3, 4), (4, 2), (2, 5)]
    network, _ = town_of(6, {way: 60 for a, b in ring for way in ((a, b), (b, a))})
    out, banned, stops = np.full(8, -7, np.int32), np.zeros(6, np.uint8), np.array([1, 2, 5], np.int32)
    for via, shut, new in ((-1, -1, [1, 0, 2, 5]), (-1, 0, [1, 3, 4, 2, 5]), (0, -1, [1, 0, 2, 5]), (4, 0, [1, 3, 4, 2, 5])):
        m = splice(roads(network), network.drive_s, stops, 3, 0, 1, via, shut, out, banned)
        assert out[:m].tolist() == new
        assert not banned.any()
    stops[:] = 0, 2, 5
    assert splice(roads(network), network.drive_s, stops, 3, 1, 2, 0, -1, out, banned) == -1, "0 is on the route"
    assert not banned.any()


def test_a_loop_at_the_first_stop_can_be_left_out() -> None:
    network, _ = town_of(3, {way: 60 for a, b in ((0, 1), (0, 2)) for way in ((a, b), (b, a))})
    out, banned = np.full(4, -7, np.int32), np.zeros(3, np.uint8)
    assert splice(roads(network), network.drive_s, np.array([0, 1, 0, 2], np.int32), 4, 0, 2, -1, -1, out, banned) == 2
    assert out.tolist() == [0, 2, -7, -7]
    assert not banned.any()
