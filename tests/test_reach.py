"""Reach: by hand, against a graph of all events, and against a router of other hands."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import UsageError
from owlbus.common.units import HOUR_S
from owlbus.gtfs import FeedInfo, write_gtfs
from owlbus.kernels.earliest_arrivals import NEVER_S, earliest_arrivals
from owlbus.network.walk_sheds import points_of
from owlbus.pipeline import Sources, build_study
from owlbus.plan import Plan, Route, read_plan
from owlbus.timetable import Direction, Operation, Timetable, build_timetable
from owlbus.timetable.reach_times import LIMITS_S, ReachQuery, _calls_of, _mirrored, find_reach

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from owlbus.kernels.earliest_arrivals import RunCalls
    from owlbus.network import Network

AT_S = 26 * HOUR_S
WALK_M_S = 4.5 / 3.6


def line(k: int, stops: list[int], minutes: list[int], dwell_s: int = 0, *, back: bool = False) -> Direction:
    """Direction with rides of whole minutes, and a dwell at stops on the way."""
    depart = np.cumsum([0, *(60 * minute for minute in minutes)])
    dwell = np.array([0, *([dwell_s] * (len(stops) - 2)), 0])
    return Direction(k, back, stops, depart - dwell, depart, 1000 * np.arange(len(stops)))


def night(network: Network, routes: list[list[int]], runs: list[tuple[int, int]], minutes: int = 3, dwell_s: int = 0) -> Timetable:
    """Timetable of routes with the same minutes on each link, each run by a bus of its own; runs are direction and start in seconds."""
    plan = Plan(tuple(Route(stops, f"N{k}") for k, stops in enumerate(routes)), network.fingerprint)
    ways = [
        line(k, stops[::-1] if back else stops, [minutes] * (len(stops) - 1), dwell_s, back=back)
        for k, stops in enumerate(routes)
        for back in (False, True)
    ]
    runs = sorted(set(runs), key=lambda run: (run[1], run[0]))
    row, start = (np.array([run[side] for run in runs], np.int32) for side in (0, 1))
    return Timetable(plan, (24, 25, 26, 27, 28), tuple(ways), row, start, np.arange(len(runs), dtype=np.int32))


def cross() -> Network:
    """Five stops in a row, 0 to 4, and 5 and 6 on either side of 2, each a kilometre and a half from the next."""
    network, _ = city(7, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 2), (2, 6)], {})
    return network


def events(calls: RunCalls, change_s: int) -> nx.DiGraph:
    """Every call of every run as a node (run, call), rides of weight 0 and changes of weight 1."""
    graph = nx.DiGraph()
    for run, (pattern, start) in enumerate(zip(calls.pattern.tolist(), calls.start_s.tolist(), strict=True)):
        low, high = calls.indptr[pattern : pattern + 2].tolist()
        for call in range(low, high):
            times = {"arrive": start + calls.arrive_s[call], "depart": start + calls.depart_s[call]}
            graph.add_node((run, call), stop=int(calls.stop[call]), first=call == low, last=call == high - 1, **times)
            if call > low:
                graph.add_edge((run, call - 1), (run, call), weight=0)
    for came, a in list(graph.nodes.items()):
        for node, b in list(graph.nodes.items()):
            if came[0] != node[0] and a["stop"] == b["stop"] and not a["first"] and not b["last"] and a["arrive"] + change_s <= b["depart"]:
                graph.add_edge(came, node, weight=1)
    return graph


def slow_arrivals(calls: RunCalls, n_stops: int, first: dict[int, int], change_s: int, max_rides: int) -> list[int]:
    """Earliest arrivals by a walk over all events."""
    graph = events(calls, change_s)
    starts = [node for node, at in graph.nodes.items() if not at["last"] and at["depart"] >= first.get(at["stop"], NEVER_S)]
    found = [first.get(stop, NEVER_S) for stop in range(n_stops)]
    if not starts or not max_rides:
        return found
    for node in nx.multi_source_dijkstra_path_length(graph, starts, cutoff=max_rides - 1):
        at = graph.nodes[node]
        was_ridden = node not in starts or (not at["first"] and any(before in starts for before in nx.ancestors(graph, node)))
        if not at["first"] and was_ridden:
            found[at["stop"]] = min(found[at["stop"]], int(at["arrive"]))
    return found


minutes_of_night = st.integers(0, 60).map(lambda minute: AT_S + 60 * minute)
nights = st.lists(st.tuples(st.integers(0, 3), minutes_of_night), min_size=1, max_size=9)


@given(
    nights,
    st.dictionaries(st.integers(0, 6), minutes_of_night, min_size=1, max_size=3),
    st.sampled_from([0, 60, 240]),
    st.integers(0, 4),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_arrivals_are_those_of_a_walk_over_all_events(runs, first, change_s, max_rides, mirrored):
    """Also with time turned round, where departures are deadlines."""
    calls, used = _calls_of([night(cross(), [[0, 1, 2, 3, 4], [5, 2, 6]], runs, dwell_s=30)])
    assert used.tolist() == list(range(7))
    if mirrored:
        calls, first = _mirrored(calls), {stop: -ready_s for stop, ready_s in first.items()}
    stops, ready_s = np.array(list(first)), np.array([list(first.values())])
    fast = earliest_arrivals(calls, 7, stops, ready_s, change_s, max_rides)
    assert fast[0].tolist() == slow_arrivals(calls, 7, first, change_s, max_rides)


def place(network: Network, stop: int, **more: int) -> ReachQuery:
    """Query at a stop."""
    return ReachQuery(float(network.stop_lon[stop]), float(network.stop_lat[stop]), AT_S, **more)


def test_a_journey_with_a_change_takes_walk_wait_ride_wait_and_ride():
    """From stop 0 at 02:00: the bus of 02:10 is at stop 2 at 02:16, the next one there leaves at 02:16:30, or else 02:30."""
    network = cross()
    table = night(network, [[0, 1, 2, 3, 4], [5, 2, 6]], [(0, AT_S + 600), (2, AT_S + 60 * 13 + 30), (2, AT_S + 60 * 27)])
    query = place(network, 0, window_s=60, step_s=60, change_s=120)
    reach = find_reach(network, [table], query)
    assert reach.hex_s()[network.stop_hex[6]] == 60 * 33
    assert find_reach(network, [table], place(network, 0, window_s=60, step_s=60, change_s=30)).hex_s()[network.stop_hex[6]] == 60 * 19 + 30
    assert find_reach(network, [table], place(network, 0, window_s=60, step_s=60, max_transfers=0)).hex_s()[network.stop_hex[6]] == -1


def test_median_and_bad_luck_are_those_of_half_and_nine_in_ten_departures():
    """A bus leaves every 20 minutes and takes 3: who comes in its minute waits for none, who comes after it for 19 minutes."""
    network = cross()
    table = night(network, [[0, 1, 2, 3, 4], [5, 2, 6]], [(0, AT_S + 60 * minute) for minute in range(0, 100, 20)])
    reach = find_reach(network, [table], place(network, 0))
    waits = sorted(60 * (wait % 20) for wait in range(60))
    home = network.stop_hex[1]
    assert (reach.hex_s()[home], reach.hex_s(bad_luck=True)[home]) == (180 + waits[29], 180 + waits[53])
    assert [reach.area_share(limit)[home] for limit in (179 + waits[29], 180 + waits[29])] == [0, 1]


def test_the_way_to_a_place_is_the_way_from_it_with_time_turned_round():
    """By 03:00 at stop 4: the last bus that does leaves stop 0 at 02:40 and is there at 02:52."""
    network = cross()
    table = night(network, [[0, 1, 2, 3, 4], [5, 2, 6]], [(0, AT_S + 60 * minute) for minute in (0, 40, 50, 100)])
    query = ReachQuery(float(network.stop_lon[4]), float(network.stop_lat[4]), AT_S + HOUR_S, is_arrival=True, window_s=60, step_s=60)
    reach = find_reach(network, [table], query)
    assert reach.hex_s()[network.stop_hex[0]] == 60 * 20
    assert reach.last_s[network.stop_hex[0]] == AT_S + 6000
    assert reach.last_s[network.stop_hex[6]] == -1


def test_the_last_bus_home_is_the_last_departure_that_still_gets_there():
    """The bus of 03:20 meets no other; that of 02:40 is the last one with a change to stop 6; nobody alights where one could walk."""
    network = cross()
    runs = [(0, AT_S + 600), (0, AT_S + 2400), (0, AT_S + 4800), (2, AT_S + 2700), (2, AT_S + 3000)]
    reach = find_reach(network, [night(network, [[0, 1, 2, 3, 4], [5, 2, 6]], runs)], place(network, 0))
    at = [int(reach.last_s[network.stop_hex[stop]]) for stop in range(7)]
    assert at == [-1, AT_S + 4800, AT_S + 4800, AT_S + 4800, AT_S + 4800, -1, AT_S + 2400]


@given(nights, st.integers(0, 6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_more_time_and_more_buses_never_reach_less(runs, stop, is_arrival):
    network = cross()
    routes = [[0, 1, 2, 3, 4], [5, 2, 6]]
    less, more = (night(network, routes, part) for part in (runs[:1], runs))
    query = place(network, stop, is_arrival=is_arrival)
    few, many = find_reach(network, [less], query), find_reach(network, [more], query)
    assert (few.median_s >= many.median_s).all()
    assert (many.median_s <= many.bad_luck_s).all()
    assert (few.last_s <= many.last_s).all()
    shares = np.array([many.area_share(limit) for limit in LIMITS_S])
    assert (np.diff(shares, axis=0) >= 0).all()
    both = find_reach(network, [less, more], query)
    assert np.array_equal(both.median_s, many.median_s), "a second operator with runs of the first changes nothing"


def test_a_place_far_from_every_route_is_refused_with_the_nearest_stop():
    network = cross()
    table = night(network, [[0, 1]], [(0, AT_S)])
    with pytest.raises(
        UsageError, match=r"the place at .* lies [\d,]+ m from the nearest stop where buses halt that night, .+; choose a place"
    ):
        find_reach(network, [table], place(network, 6))


@pytest.mark.parametrize(
    ("name", "value"), [("at_s", -1), ("window_s", 0), ("step_s", 0), ("max_transfers", -1), ("change_s", 4000), ("lat", 91)]
)
def test_a_query_holds_no_number_beyond_reason(name, value):
    with pytest.raises(UsageError, match=f"^{name} must lie in "):
        ReachQuery(**{"lon": 127.0, "lat": 37.5, "at_s": AT_S} | {name: value})


def cafein_times(router, network: Network, used: NDArray[np.int64], query: ReachQuery, date: dt.date) -> NDArray[np.int64]:
    """Seconds to each point by departure, from the router's times between stops and straight walks at both ends, shape (D, n)."""
    points, grid = points_of(network), network.grid
    x, y = (np.array(side) for side in grid.project(network.stop_lon[used], network.stop_lat[used]))
    metres = np.hypot(x - float(grid.project(query.lon, query.lat)[0]), y - float(grid.project(query.lon, query.lat)[1]))
    near = np.flatnonzero(metres <= network.walk_m)
    table = np.full((len(query.moments_s), grid.n_hexes * points.n_points), NEVER_S, np.int64)
    midnight = dt.datetime.combine(date, dt.time())
    for d, moment in enumerate(query.moments_s.tolist()):
        for stop, walk in zip(used[near].tolist(), np.rint(metres[near] / WALK_M_S).astype(int).tolist(), strict=True):
            leaves = midnight + dt.timedelta(seconds=moment + walk)
            for end, ride in router.travel_times_from_stop(
                f"s{stop}", leaves.isoformat(sep=" "), max_rides=query.max_transfers + 1
            ).items():
                rows = slice(*points.indptr[int(end[1:]) : int(end[1:]) + 2].tolist())
                total = walk + int(ride) + np.rint(points.walk_m[rows] / WALK_M_S).astype(np.int64)
                table[d, points.point[rows]] = np.minimum(table[d, points.point[rows]], total)
    return table


def test_a_router_of_other_hands_takes_the_same_times_on_two_hundred_pairs(seoul: Path, tmp_path: Path) -> None:
    """Ten places and twenty hexes each, at six departures of an hour: the medians agree at all 64 points of each hex."""
    cafein = pytest.importorskip("cafein")
    study = build_study(Sources(files=(str(seoul / "taxi.parquet"),), city="seoul"))
    network, plan = study.network, read_plan(seoul / "routes_2013.geojson", study.network)
    table, _ = build_timetable(network, study.demand, plan, Operation(fleet=45, change_s=0))
    feed = FeedInfo.after(dt.date(2013, 3, 17), "Asia/Seoul")
    write_gtfs(tmp_path / "a.zip", network, table, feed, change_s=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        router = cafein.TransportNetwork.from_gtfs(str(tmp_path / "a.zip"), trip_distances=False, leg_geometries=False)
    draw = np.random.default_rng(22)
    used = plan.used_stops.astype(np.int64)
    n_pairs = 0
    for stop in draw.choice(used, 10, replace=False).tolist():
        query = ReachQuery(float(network.stop_lon[stop]) + 0.001, float(network.stop_lat[stop]), 25 * HOUR_S + 1800, step_s=600, change_s=0)
        reach = find_reach(network, [table], query)
        theirs = np.sort(cafein_times(router, network, used, query, dt.date(2013, 4, 10)), axis=0)[2].reshape(reach.median_s.shape)
        on_foot = reach.median_s < theirs  # the router does not walk straight from door to door
        assert (reach.median_s[on_foot] * WALK_M_S <= network.walk_m + 1).all()
        hexes = draw.choice(np.flatnonzero((theirs < NEVER_S).any(axis=1) & ~on_foot.any(axis=1)), 20, replace=False)
        assert np.array_equal(reach.median_s[hexes], theirs[hexes])
        n_pairs += len(hexes)
    assert n_pairs == 200
