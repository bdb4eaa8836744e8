"""Shortest paths: the same as networkx on the plain graph, with stated ties, and contractions that keep every distance."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from owlbus.kernels.paths import (
    _push,
    _sift,
    chain_ends,
    chains,
    needed_links,
    walk_down,
    ways_between_stops,
)
from owlbus.network.drive_times import all_pairs, drive_matrix

FAR = 2**30
NOTHING = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)


@st.composite
def graphs(draw: st.DrawFn, low: int = 1) -> nx.DiGraph:
    """Small directed graphs with whole costs, ties likely."""
    n = draw(st.integers(2, 9))
    pairs = [(u, v) for u in range(n) for v in range(n) if u != v]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for u, v in draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)):
        graph.add_edge(u, v, cost=draw(st.integers(low, 5)), length=draw(st.integers(0, 9)))
    return graph


def rows(graph: nx.DiGraph) -> tuple[np.ndarray, ...]:
    """Row starts, ends, costs and lengths of a graph."""
    links = sorted(graph.edges(data=True), key=lambda link: link[:2])
    indptr = np.searchsorted([u for u, _, _ in links], np.arange(len(graph) + 1)).astype(np.int64)
    to = np.array([v for _, v, _ in links], dtype=np.int32)
    return indptr, to, *(np.array([data[key] for _, _, data in links], dtype=np.int64) for key in ("cost", "length"))


@given(graphs())
def test_all_pairs_and_paths_are_those_of_networkx_and_ties_take_the_lowest_next_stop(graph: nx.DiGraph) -> None:
    indptr, to, cost, _ = rows(graph)
    cost = cost.astype(np.int32)
    found = all_pairs(indptr, to, cost, FAR)
    for u in graph:
        reach = nx.single_source_dijkstra_path_length(graph, u, weight="cost")
        assert found[u].tolist() == [reach.get(v, FAR) for v in graph]
        for v in reach:
            path = walk_down(indptr, to, cost, np.ascontiguousarray(found[:, v]), u, v).tolist()
            assert path == min(nx.all_shortest_paths(graph, u, v, weight="cost"))


@given(graphs(), st.lists(st.sampled_from([1, 2, 7, 40_000, 70_000, 3_000_000, 10**8]), min_size=24, max_size=24))
def test_costs_of_any_size_are_those_of_networkx_and_two_bytes_hold_the_short_ones(graph: nx.DiGraph, factors: list[int]) -> None:
    indptr, to, cost, _ = rows(graph)
    cost = (cost * np.array(factors[: cost.size])).astype(np.int32)
    for (u, v), seconds in zip(sorted(graph.edges), cost.tolist(), strict=True):
        graph[u][v]["cost"] = seconds
    reach = dict(nx.all_pairs_dijkstra_path_length(graph, weight="cost"))
    expected = [[min(reach[u].get(v, FAR), FAR) for v in graph] for u in graph]
    found = drive_matrix(indptr, to, cost, FAR, short_stops=1)
    assert all_pairs(indptr, to, cost, FAR).tolist() == found.tolist() == expected
    assert found.dtype == (np.uint16 if max(map(max, expected)) <= 65_535 else np.int32)


def test_no_path_is_an_empty_one_and_staying_is_a_path_of_one() -> None:
    indptr, to, cost = np.array([0, 1, 1]), np.array([1], dtype=np.int32), np.array([4], dtype=np.int32)
    left = all_pairs(indptr, to, cost, FAR)
    assert left.tolist() == [[0, 4], [FAR, 0]]
    assert walk_down(indptr, to, cost, np.ascontiguousarray(left[:, 0]), 1, 0).tolist() == []
    assert walk_down(indptr, to, cost, np.ascontiguousarray(left[:, 1]), 1, 1).tolist() == [1]


@given(graphs(low=0), st.data())
def test_ways_between_wanted_stops_cost_what_networkx_says_and_can_be_walked(graph: nx.DiGraph, data: st.DataObject) -> None:
    stops = data.draw(st.lists(st.sampled_from(sorted(graph)), unique=True, min_size=1))
    wanted = [sorted(data.draw(st.sets(st.integers(0, len(stops) - 1))) - {s}) for s in range(len(stops))]
    asked = np.cumsum([0] + [len(row) for row in wanted]), np.array([v for row in wanted for v in row], dtype=np.int32)
    row_ptr, end, cost, length, way_ptr, way = ways_between_stops(*rows(graph), np.array(stops, dtype=np.int32), *asked, 10**6, 1)
    start = np.repeat(np.arange(len(stops)), np.diff(row_ptr))
    for s, source in enumerate(stops):
        reach = nx.single_source_dijkstra_path_length(graph, source, weight="cost")
        found = dict(zip(end[start == s].tolist(), cost[start == s].tolist(), strict=True))
        assert found == {v: reach[stops[v]] for v in wanted[s] if stops[v] in reach}
    for k in range(end.size):
        nodes = way[way_ptr[k] : way_ptr[k + 1]].tolist()
        assert (nodes[0], nodes[-1]) == (stops[start[k]], stops[end[k]])
        assert nx.path_weight(graph, nodes, "cost") == cost[k]
        assert nx.path_weight(graph, nodes, "length") == length[k]


@given(graphs(), st.data())
def test_next_stops_are_those_no_third_stop_lies_before_and_they_keep_every_distance(graph: nx.DiGraph, data: st.DataObject) -> None:
    stops = data.draw(st.lists(st.sampled_from(sorted(graph)), unique=True, min_size=1))
    row_ptr, end, cost = ways_between_stops(*rows(graph), np.array(stops, dtype=np.int32), *NOTHING, 10**6, 0)[:3]
    start = np.repeat(np.arange(len(stops)), np.diff(row_ptr))
    contracted = nx.DiGraph()
    contracted.add_nodes_from(stops)
    for u, v, value in zip(start.tolist(), end.tolist(), cost.tolist(), strict=True):
        contracted.add_edge(stops[u], stops[v], cost=value)
        ways = nx.all_shortest_paths(graph, stops[u], stops[v], weight="cost")
        assert any(not set(way[1:-1]) & set(stops) for way in ways), "a next stop has a fastest way past no third one"
    for source in stops:
        reach = nx.single_source_dijkstra_path_length(graph, source, weight="cost")
        assert nx.single_source_dijkstra_path_length(contracted, source, weight="cost") == {v: reach[v] for v in stops if v in reach}


def line(lengths: list[int]) -> tuple[np.ndarray, ...]:
    """Nodes in a row, linked both ways, cost equal to length."""
    graph = nx.DiGraph()
    for u, length in enumerate(lengths):
        graph.add_edge(u, u + 1, cost=length, length=length)
        graph.add_edge(u + 1, u, cost=length, length=length)
    return rows(graph)


@pytest.mark.parametrize(("limit", "reached"), [(99, [1]), (100, [1, 2]), (101, [1, 2])])
def test_a_search_ends_at_its_limit_and_includes_it(limit: int, reached: list[int]) -> None:
    stops = np.array([0, 1, 2], dtype=np.int32)
    asked = np.array([0, 2, 2, 2], dtype=np.int64), np.array([1, 2], dtype=np.int32)
    assert ways_between_stops(*line([60, 40]), stops, *asked, limit, 0)[1].tolist() == reached


def test_a_stop_in_the_middle_of_a_line_hides_what_lies_behind_it() -> None:
    stops = np.array([0, 2, 3], dtype=np.int32)
    row_ptr, end, cost = ways_between_stops(*line([10, 10, 10]), stops, *NOTHING, 100, 0)[:3]
    assert row_ptr.tolist() == [0, 1, 3, 4]
    assert end.tolist() == [1, 2, 0, 1]
    assert cost.tolist() == [20, 10, 20, 10]


def test_many_stops_make_the_answer_grow_without_loss() -> None:
    """A star: every stop follows every other, none lies between."""
    n = 60
    graph = nx.DiGraph()
    for u in range(n):
        graph.add_edge(u, n, cost=u + 1, length=1)
        graph.add_edge(n, u, cost=u + 1, length=1)
    stops = np.arange(n, dtype=np.int32)
    row_ptr, end, cost, _, way_ptr, way = ways_between_stops(*rows(graph), stops, *NOTHING, 10**6, 1)
    assert end.size == n * (n - 1)
    start = np.repeat(np.arange(n), np.diff(row_ptr))
    assert (cost == start + end + 2).all()
    assert (np.diff(way_ptr) == 3).all()
    assert way.reshape(-1, 3).tolist() == [[u, n, v] for u, v in zip(start.tolist(), end.tolist(), strict=True)]


@given(
    st.integers(2, 8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 9)), max_size=25),
    st.sampled_from([1.0, 1.5, 2.0]),
)
def test_needed_links_are_those_of_the_greedy_spanner(n: int, links: list[tuple[int, int, int]], stretch: float) -> None:
    use = sorted((cost, u, v) for u, v, cost in {(u, v): (u, v, cost) for u, v, cost in links if u < v < n}.values())
    kept = needed_links(n, *(np.array([link[i] for link in use], dtype=np.int64) for i in (1, 2, 0)), stretch).tolist()
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    for (cost, u, v), keep in zip(use, kept, strict=True):
        joined = nx.has_path(graph, u, v) and nx.dijkstra_path_length(graph, u, v) <= int(cost * stretch)
        assert keep == (not joined)
        if keep:
            graph.add_edge(u, v, weight=cost)


@njit
def heap_order(keys: np.ndarray) -> np.ndarray:
    """Places of the keys as a heap gives them back, one taken out after every two that are put in."""
    held, nodes = np.empty(keys.size + 1, np.int64), np.empty(keys.size + 1, np.int32)
    order, size, taken = np.empty(keys.size, np.int64), 0, 0
    for i in range(keys.size):
        size = _push(held, nodes, size, keys[i], i)
        if i % 3 == 2:
            order[taken] = nodes[0]
            taken += 1
            size -= 1
            _sift(held, nodes, size)
    while size > 0:
        order[taken] = nodes[0]
        taken += 1
        size -= 1
        _sift(held, nodes, size)
    return order


@given(st.lists(st.integers(0, 9), max_size=40))
def test_a_heap_gives_back_the_least_of_what_it_holds(keys: list[int]) -> None:
    order = heap_order(np.array(keys, np.int64)).tolist()
    held: list[int] = []
    for i in range(len(keys)):
        held.append(i)
        if i % 3 == 2:
            assert keys[order[0]] == min(keys[k] for k in held)
            held.remove(order.pop(0))
    assert sorted(order) == held
    assert [keys[k] for k in order] == sorted(keys[k] for k in held)


def kinds_of(both: nx.Graph, stops: set[int]) -> list[int]:
    """What `chain_ends` says of each node: dead ends are pruned until none is left."""
    left = both.copy()
    while ends := [node for node in left if left.degree(node) <= 1 and node not in stops]:
        left.remove_nodes_from(ends)
    return [0 if node not in left else 1 if left.degree(node) == 2 and node not in stops else 2 for node in range(len(both))]


def slow_chains(graph: nx.DiGraph, kind: list[int]) -> list[tuple[list[int], int, int]]:
    """Nodes, cost and length of each chain: from a node of kind 2 along nodes of kind 1 to another of kind 2."""
    found = []
    for source in sorted(graph):
        for first in sorted(graph[source]) if kind[source] == 2 else ():
            nodes = [source, first]
            while kind[nodes[-1]] == 1:
                onward = [node for node in graph[nodes[-1]] if node != nodes[-2] and kind[node]]
                if not onward:
                    break
                nodes += onward
            if kind[nodes[-1]] == 2 and nodes[-1] != source:
                found.append((nodes, nx.path_weight(graph, nodes, "cost"), nx.path_weight(graph, nodes, "length")))
    return found


@st.composite
def sparse_graphs(draw: st.DrawFn) -> tuple[nx.DiGraph, set[int]]:
    """Trees with a few more links, most of them run both ways, and some stops."""
    n = draw(st.integers(2, 14))
    pairs = {(draw(st.integers(max(0, v - 2), v - 1)), v) for v in range(1, n)}
    pairs |= {(min(pair), max(pair)) for pair in draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=3))}
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for u, v in sorted(pairs):
        ways = draw(st.sampled_from([((u, v), (v, u)), ((u, v), (v, u)), ((u, v),), ((v, u),)])) if u != v else ()
        for way in ways:
            graph.add_edge(*way, cost=draw(st.integers(1, 9)), length=draw(st.integers(0, 9)))
    return graph, draw(st.sets(st.integers(0, n - 1)))


@given(sparse_graphs())
def test_chains_run_between_stops_and_crossings_and_leave_out_dead_ends(drawn: tuple[nx.DiGraph, set[int]]) -> None:
    graph, stops = drawn
    both = graph.to_undirected()
    links = sorted((u, v) for a, b in both.edges for u, v in ((a, b), (b, a)))
    indptr = np.searchsorted([u for u, _ in links], np.arange(len(graph) + 1)).astype(np.int64)
    kind = chain_ends(indptr, np.array([v for _, v in links], dtype=np.int32), np.isin(np.arange(len(graph)), list(stops)))
    assert kind.tolist() == kinds_of(both, stops)
    start, end, cost, length, ptr, nodes = chains(*rows(graph), kind)
    found = [(nodes[ptr[k] : ptr[k + 1]].tolist(), int(cost[k]), int(length[k])) for k in range(start.size)]
    assert found == slow_chains(graph, kind.tolist())
    assert [[row[0], row[-1]] for row, _, _ in found] == np.stack([start, end], axis=1).tolist()
    assert nodes.size == ptr[-1]


@pytest.mark.parametrize("seed", range(6))
def test_a_spanner_of_many_links_is_the_greedy_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends = np.unique(np.sort(rng.integers(30, size=(140, 2)), axis=1), axis=0)
    ends = ends[ends[:, 0] < ends[:, 1]]
    cost = np.sort(rng.integers(20, 99, len(ends)))
    ends = rng.permutation(ends)
    kept = needed_links(30, np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1]), cost, 2.5)
    graph = nx.Graph()
    graph.add_nodes_from(range(30))
    for (u, v), spent, keep in zip(ends.tolist(), cost.tolist(), kept.tolist(), strict=True):
        joined = nx.has_path(graph, u, v) and nx.dijkstra_path_length(graph, u, v) <= int(spent * 2.5)
        assert keep == (not joined)
        if keep:
            graph.add_edge(u, v, weight=spent)
    assert 0 < kept.sum() < kept.size


@pytest.mark.parametrize("seed", range(4))
def test_ways_on_many_nodes_are_cheapest_and_end_at_the_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = nx.gnm_random_graph(60, 200, seed=seed, directed=True)
    for link in graph.edges.values():
        link |= {"cost": int(rng.integers(0, 30)), "length": int(rng.integers(0, 30))}
    stops = rng.choice(60, 12, replace=False).astype(np.int32)
    reach = dict(nx.all_pairs_dijkstra_path_length(graph, weight="cost"))
    asked = np.arange(13) * 12, np.tile(np.arange(12, dtype=np.int32), 12)
    limit = 60
    row_ptr, end, cost, length, way_ptr, way = ways_between_stops(*rows(graph), stops, *asked, limit, 1)
    start = np.repeat(np.arange(12), np.diff(row_ptr))
    near = {(s, v): reach[a][b] for s, a in enumerate(stops.tolist()) for v, b in enumerate(stops.tolist()) if reach[a].get(b, 99) <= limit}
    found = dict(zip(zip(start.tolist(), end.tolist(), strict=True), cost.tolist(), strict=True))
    assert found == {pair: spent for pair, spent in near.items() if pair[0] != pair[1]}
    for k in range(end.size):
        nodes = way[way_ptr[k] : way_ptr[k + 1]].tolist()
        assert (nodes[0], nodes[-1]) == (stops[start[k]], stops[end[k]])
        assert (nx.path_weight(graph, nodes, "cost"), nx.path_weight(graph, nodes, "length")) == (cost[k], length[k])
    for s in range(12):
        assert sorted(cost[row_ptr[s] : row_ptr[s + 1]].tolist()) == cost[row_ptr[s] : row_ptr[s + 1]].tolist(), "in the order of cost"


def test_links_that_cost_nothing_are_followed_once() -> None:
    start, end = np.array([0, 1, 0, 0, 2], dtype=np.int64), np.array([1, 2, 2, 3, 3], dtype=np.int64)
    cost = np.array([0, 0, 0, 5, 5], dtype=np.int64)
    assert needed_links(4, start, end, cost, 1.0).tolist() == [True, True, False, True, False]
    stops = np.array([0, 3], dtype=np.int32)
    graph = nx.DiGraph()
    for u, v, spent in zip(start.tolist(), end.tolist(), cost.tolist(), strict=True):
        graph.add_edge(u, v, cost=spent, length=1)
        graph.add_edge(v, u, cost=spent, length=1)
    found = ways_between_stops(*rows(graph), stops, *NOTHING, 100, 1)
    assert [column.tolist() for column in found] == [[0, 1, 2], [1, 0], [5, 5], [1, 1], [0, 2, 4], [0, 3, 3, 0]]


def test_stops_that_nobody_wants_are_passed_over() -> None:
    stops = np.array([0, 1, 2, 3], dtype=np.int32)
    asked = np.array([0, 1, 1, 2, 2], dtype=np.int64), np.array([2, 0], dtype=np.int32)
    row_ptr, end, cost = ways_between_stops(*line([10, 10, 10]), stops, *asked, 100, 0)[:3]
    assert (row_ptr.tolist(), end.tolist(), cost.tolist()) == ([0, 1, 1, 2, 2], [2, 0], [20, 20])
