"""Passenger travel time: the evaluator against a slow twin, its moves, the search and what it refuses."""

from __future__ import annotations

import itertools
import pickle
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pytest
from cities import ANY_SHAPE, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, InfeasibleError, UsageError
from owlbus.kernels import travel_time_cost, travel_time_moves
from owlbus.plan.limits import RouteLimits
from owlbus.search import PlanConstraints, plan_routes
from owlbus.search.stopping import MaxSteps
from owlbus.search.travel_time_graph import (
    build_graph,
    check_inputs,
    new_state,
    pad_routes,
    travel_times,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Town = tuple[NDArray[np.int64], NDArray[np.int64], list[list[int]], int]

MANDL_1980 = ([0, 1, 2, 5, 7, 9, 10, 12], [4, 3, 5, 7, 14, 6], [11, 3, 5, 14, 8], [12, 13, 9])


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Links in seconds, trips, routes along random walks, and the seconds of a transfer."""
    n = draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    linked = np.triu(rng.random((n, n)) < draw(st.floats(0.2, 0.9)), 1)
    linked[rng.integers(0, np.arange(1, n)), np.arange(1, n)] = True
    seconds = rng.integers(1, 9, (n, n)) * draw(st.sampled_from([1, 30, 60]))
    if draw(st.booleans()):
        seconds = np.triu(seconds) + np.triu(seconds, 1).T
    link_s = np.where(linked | linked.T, seconds, -1)
    demand = rng.integers(0, 4, (n, n))
    demand[0, 1] += 1
    routes = []
    for _ in range(draw(st.integers(1, 4))):
        walk = [int(rng.integers(n))]
        while len(walk) < 2 or rng.random() < 0.8:
            onward = [x for x in np.flatnonzero(link_s[walk[-1]] > 0) if x not in walk]
            if not onward:
                break
            walk.append(int(rng.choice(onward)))
        routes.append(walk)
    return link_s, demand, routes, draw(st.sampled_from([0, 45, 300]))


def twin(link_s: NDArray[Any], routes: Sequence[Sequence[int]], transfer_s: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Seconds and transfers of the best journey between stops, on a graph of stops and of places on routes."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(link_s)))
    many = 1000
    for k, route in enumerate(routes):
        for line in (list(route), list(route)[::-1]):
            name = (k, line[0])
            for stop in line:
                graph.add_edge(stop, (*name, stop), cost=transfer_s * many + 1)
                graph.add_edge((*name, stop), stop, cost=0)
            for a, b in itertools.pairwise(line):
                graph.add_edge((*name, a), (*name, b), cost=int(link_s[a, b]) * many)
    found = {}
    for u in range(len(link_s)):
        for v, cost in nx.single_source_dijkstra_path_length(graph, u, weight="cost").items():
            if isinstance(v, int) and v != u:
                found[u, v] = (cost // many - transfer_s, cost % many - 1)
    return found


def prepared(
    link_s: NDArray[Any], demand: NDArray[Any], routes: Sequence[Sequence[int]], transfer_s: int, unserved_s: int
) -> tuple[travel_time_cost.StopGraph, Any, Any]:
    links, weight, tick_s = check_inputs(link_s, demand, transfer_s, unserved_s)
    most = max(2, *map(len, routes))
    graph = build_graph(links, weight, transfer_s // tick_s, (2, most), unserved_s // tick_s)
    chain, workspace = new_state(graph, graph.most, len(routes), 7)
    chain.routes[:], chain.sizes[:] = pad_routes(routes, links, most, 2)
    return graph, chain, workspace


@given(towns(), st.sampled_from([100, 10_000]))
def test_the_measures_equal_a_search_on_the_expanded_graph(town: Town, unserved_s: int) -> None:
    link_s, demand, routes, transfer_s = town
    best = {pair: way for pair, way in twin(link_s, routes, transfer_s).items() if way[0] <= unserved_s}
    pairs = [pair for pair in itertools.permutations(range(len(link_s)), 2) if demand[pair]]
    total = sum(int(demand[pair]) for pair in pairs)
    found = travel_times(link_s, demand, routes, transfer_s, unserved_s=unserved_s)
    assert found.mean_s == sum(int(demand[pair]) * best.get(pair, (unserved_s, 0))[0] for pair in pairs) / total
    for k, share in enumerate((found.d0_share, found.d1_share, found.d2_share)):
        assert share == sum(int(demand[pair]) for pair in pairs if pair in best and best[pair][1] == k) / total
    assert found.no_journey_share == sum(int(demand[pair]) for pair in pairs if pair not in best) / total
    assert found.d0_share + found.d1_share + found.d2_share + found.unserved_share == pytest.approx(1)


@given(towns(), st.sampled_from([61, 600, 60_000]))
def test_the_compiled_cost_of_a_plan_is_its_mean_time(town: Town, unserved_s: int) -> None:
    link_s, demand, routes, transfer_s = town
    graph, chain, workspace = prepared(link_s, demand, routes, transfer_s, unserved_s)
    _, weight, tick_s = check_inputs(link_s, demand, transfer_s, unserved_s)
    cost = travel_time_cost.settle(graph, chain.routes, chain.sizes, -1, -1, chain.outer, workspace)
    mean_s = (cost - int(graph.transfer) * int(weight.sum())) * tick_s / int(weight.sum())
    assert mean_s == travel_times(link_s, demand, routes, transfer_s, unserved_s=unserved_s).mean_s


@given(towns())
def test_adding_a_route_to_the_rest_equals_starting_afresh(town: Town) -> None:
    link_s, demand, routes, transfer_s = town
    graph, chain, workspace = prepared(link_s, demand, routes, transfer_s, 60_000)
    whole = travel_time_cost.settle(graph, chain.routes, chain.sizes, -1, -1, chain.spare, workspace)
    for k in range(len(routes)):
        travel_time_cost.settle(graph, chain.routes, chain.sizes, k, -1, chain.outer, workspace)
        quick = travel_time_cost.cost_with(graph, chain.outer, chain.routes[k], chain.sizes[k], workspace)
        exact = travel_time_cost.join_route(graph, chain.outer, chain.routes[k], chain.sizes[k], workspace, chain.inner)
        assert exact == whole <= quick
        np.testing.assert_array_equal(chain.inner.times, chain.spare.times)
        np.testing.assert_array_equal(chain.inner.cost, chain.spare.cost)


def test_a_journey_may_leave_a_route_and_board_it_again() -> None:
    """The long route goes 0-1-2-3-4-5; a shuttle links 1 and 4 in a tenth of the time: three rides from 0 to 5."""
    link_s = np.full((6, 6), -1)
    for a, b, seconds in ((0, 1, 60), (1, 2, 600), (2, 3, 600), (3, 4, 600), (4, 5, 60), (1, 4, 60)):
        link_s[a, b] = link_s[b, a] = seconds
    demand = np.zeros((6, 6))
    demand[0, 5] = 1
    routes = ([0, 1, 2, 3, 4, 5], [1, 4])
    graph, chain, workspace = prepared(link_s, demand, routes, 300, 60_000)
    travel_time_cost.settle(graph, chain.routes, chain.sizes, 0, -1, chain.outer, workspace)
    quick = travel_time_cost.cost_with(graph, chain.outer, chain.routes[0], chain.sizes[0], workspace)
    exact = travel_time_cost.join_route(graph, chain.outer, chain.routes[0], chain.sizes[0], workspace, chain.inner)
    tick_s = 60
    assert (quick * tick_s - 300, exact * tick_s - 300) == (1920, 780)
    found = travel_times(link_s, demand, routes, 300)
    assert (found.mean_s, found.d2_share) == (780.0, 1.0)


def test_of_equally_fast_journeys_the_one_with_fewer_transfers_counts() -> None:
    link_s = [[-1, 60, -1], [60, -1, 60], [-1, 60, -1]]
    demand = [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert travel_times(link_s, demand, [[0, 1], [1, 2], [0, 1, 2]], 0).d0_share == 1.0


@given(towns(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_every_move_gives_simple_linked_routes_within_the_limits(town: Town, seed: int) -> None:
    link_s, demand, routes, transfer_s = town
    graph, chain, workspace = prepared(link_s, demand, routes, transfer_s, 60_000)
    rng_state = np.array([seed], dtype=np.uint64)
    for kind, _ in itertools.product(range(10), range(5)):
        stops = chain.routes[0].copy()
        n = travel_time_moves.propose_route(graph, stops, chain.sizes[0], kind, workspace, rng_state)
        assert n == 0 or stop_list_is_fine(graph, stops[:n])
    for _ in range(10 if len(routes) > 1 else 0):
        a, b, out, out_2 = chain.routes[0].copy(), chain.routes[1].copy(), stops.copy(), stops.copy()
        n, m = travel_time_moves.swap_tails(graph, a, chain.sizes[0], b, chain.sizes[1], out, out_2, workspace.mark, rng_state)
        if n:
            assert stop_list_is_fine(graph, out[:n])
            assert stop_list_is_fine(graph, out_2[:m])
            assert sorted([*out[:n], *out_2[:m]]) == sorted([*routes[0], *routes[1]])


def stop_list_is_fine(graph: travel_time_cost.StopGraph, stops: NDArray[np.int32]) -> bool:
    linked = all(graph.link[a, b] > 0 for a, b in itertools.pairwise(stops))
    return linked and len(set(stops.tolist())) == len(stops) and graph.least <= len(stops) <= graph.most


def ring(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A ring of stops 60 s apart with spokes of 90 s to stop 0, and the same demand everywhere."""
    link_s = np.full((n, n), -1)
    for i in range(n):
        link_s[i, (i + 1) % n] = link_s[(i + 1) % n, i] = 60
    for i in range(2, n - 1):
        link_s[0, i] = link_s[i, 0] = 90
    return link_s, np.ones((n, n), dtype=np.int64)


def all_routes(link_s: NDArray[np.int64], most: int) -> list[tuple[int, ...]]:
    """Every simple route of 2 to `most` stops, one way."""
    found = [(i,) for i in range(len(link_s))]
    longer = found
    while longer and len(longer[0]) < most:
        longer = [(*route, x) for route in longer for x in np.flatnonzero(link_s[route[-1]] > 0).tolist() if x not in route]
        found = found + longer
    return [route for route in found if len(route) > 1 and route[0] < route[-1]]


def searched(
    link_s: NDArray[Any], demand: NDArray[Any], n_routes: int, stops: tuple[int, int], steps: int
) -> tuple[list[NDArray[np.int32]], float]:
    """Routes that the search for travel time finds under no limit but their stops, and mean seconds of the fastest ways."""
    pairs = [pair for pair in itertools.permutations(range(len(link_s)), 2) if demand[pair] > 0]
    links = {(int(a), int(b)): int(link_s[a, b]) for a, b in np.argwhere(link_s > 0)}
    network, trips = city(len(link_s), links, {pair: float(demand[pair]) for pair in pairs}, seconds=links)
    lonely = sorted({*range(len(link_s))} - {stop for pair in pairs for stop in pair})
    limits = RouteLimits(max_length_m=10**6, max_ride_s=10**6, **ANY_SHAPE, min_stops=stops[0], max_stops=stops[1])
    constraints = PlanConstraints(required=tuple(lonely))
    found = plan_routes(
        network, trips, n_routes, limits=limits, constraints=constraints, objective="travel_time", stop_when=[MaxSteps(steps)]
    )
    fastest_s = sum(demand[pair] * network.drive_s[pair] for pair in pairs) / sum(demand[pair] for pair in pairs)
    return [route.stops for route in found.plan], float(fastest_s)


def test_the_search_finds_the_best_plan_of_a_small_ring() -> None:
    link_s, demand = ring(6)
    best = np.inf
    for plan in itertools.combinations(all_routes(link_s, 4), 2):
        if len(set().union(*plan)) == 6 and set(plan[0]) & set(plan[1]):
            best = min(best, travel_times(link_s, demand, plan).mean_s)
    routes, fastest_s = searched(link_s, demand, 2, (2, 4), 10_000)
    assert travel_times(link_s, demand, routes).mean_s == best >= fastest_s


def test_stops_without_demand_are_on_a_route_where_that_is_wished_for() -> None:
    link_s, demand = ring(7)
    demand[5], demand[:, 5] = 0, 0
    routes, _ = searched(link_s, demand, 3, (2, 3), 10_000)
    assert set(np.concatenate(routes).tolist()) == set(range(7))


def test_arrays_of_a_search_survive_pickling() -> None:
    link_s, demand = ring(5)
    graph, _, _ = prepared(link_s, demand, [[0, 1, 2]], 300, 900)
    again = pickle.loads(pickle.dumps(graph))  # noqa: S301 - written in the line itself
    assert all(np.array_equal(a, b) for a, b in zip(graph, again, strict=True))


LINKS = [[-1, 60, -1], [60, -1, 60], [-1, 60, -1]]
TRIPS = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"link_s": [[1, 2]]}, DataError, r"link_s must have the shape \(S, S\) with S >= 2, got \(1, 2\)"),
        ({"demand": [[1]]}, DataError, r"demand must have the shape of link_s, \(3, 3\), got \(1, 1\)"),
        ({"link_s": [[0, 0.5, 1], [1, 0, 1], [1, 1, 0]]}, DataError, r"whole, >= 1, got 0.5 from stop 0 to stop 1 \(1 such pairs\)"),
        ({"link_s": [[0, 5, -1], [-1, 0, 5], [-1, 5, 0]]}, DataError, r"must have its reverse, got 5 from stop 0 to stop 1 \(1 such"),
        ({"demand": [[0, np.nan, 0]] * 3}, DataError, r"demand must be finite and >= 0, got nan from stop 0 to stop 1 \(2 such pairs\)"),
        ({"demand": np.zeros((3, 3))}, DataError, "at least one trip between two stops, got none"),
        ({"transfer_s": -1}, UsageError, "transfer_s must be a whole number of seconds >= 0, got -1"),
        ({"unserved_s": 0}, UsageError, "unserved_s must be a whole number of seconds >= 1, got 0"),
        ({"routes": [[0]]}, DataError, "a route must have 2 to 2 stops, got 1 on route 0"),
        ({"routes": [[0, 1], [0, 1, 0]]}, DataError, r"different stops in \[0, 3\), got \[0, 1, 0\] on route 1"),
        ({"routes": [[0, 2]]}, DataError, r"must be linked, got 0 and 2 on route 0 \(1 such places\)"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    call: dict[str, Any] = {"link_s": LINKS, "demand": TRIPS, "routes": [[0, 1, 2]]} | change
    with pytest.raises(error, match=message):
        travel_times(**call)


def test_sums_that_would_not_be_exact_are_refused() -> None:
    links, weight, _ = check_inputs(LINKS, [[0, 2.0**40, 1], [0, 0, 0], [0, 0, 0]], 300, 7200)
    with pytest.raises(DataError, match=r"sums must stay exact, got .* use coarser units"):
        build_graph(links, weight, 5, (2, 3), 120)


def test_a_trip_without_a_journey_needs_a_price() -> None:
    with pytest.raises(InfeasibleError, match="got none from stop 0 to stop 2; connect the routes or give unserved_s"):
        travel_times(LINKS, TRIPS, [[0, 1]])
    assert travel_times(LINKS, TRIPS, [[0, 1]], unserved_s=600).mean_s == (60 * 2 + 600 * 4) / 6


@pytest.fixture(scope="session")
def mandl(cases: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Links in seconds and trips of Mandl's network."""
    minutes, trips = (np.loadtxt(cases / "utrp" / "mandl" / f"Mandl{name}.txt") for name in ("TravelTimes", "Demand"))
    return np.where(np.isfinite(minutes) & (minutes > 0), minutes * 60, -1), trips


@pytest.mark.real
def test_mandls_four_routes_take_the_published_time(mandl: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    found = travel_times(*mandl, MANDL_1980)
    assert round(found.mean_s / 60, 2) == 12.90
    assert round(found.d0_share * 100, 2) == 69.94
    assert round(found.d1_share * 100, 2) == 29.93
    assert round(found.d2_share * 100, 2) == 0.13


@pytest.mark.real
def test_four_routes_on_mandls_network_reach_the_best_published_time(mandl: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    links, trips = mandl
    routes, fastest_s = searched(links, trips, 4, (2, 8), 400_000)
    assert travel_times(links, trips, routes).mean_s / 60 < 10.49
    assert round(fastest_s / 60, 3) == 10.006
