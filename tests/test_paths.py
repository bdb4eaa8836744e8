"""Shortest paths: the same as networkx on the plain graph, with stated ties, and contractions that keep every distance."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.kernels.paths import needed_links, walk_down, ways_between_stops
from owlbus.network.drive import all_pairs

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
