"""Way-points are matched as a sequence, on stop tables, streets and lattices, and matching says what it did."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import match_plan, plan_measures, plan_of_waypoints, read_plan
from owlbus.plan.match_waypoints import CANDIDATE_M, SNAP_PRICE, WaypointMatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARED = Path(__file__).parents[2] / "shared"
GRID = HexGrid.cover([(10.0, 50.0), (10.08, 50.0), (10.08, 50.05), (10.0, 50.05)])


def lonlat(*places_m: tuple[float, float]) -> list[tuple[float, float]]:
    """Return positions of metres east and north of the grid's centre."""
    lon, lat = GRID.unproject(np.array([x for x, _ in places_m], float), np.array([y for _, y in places_m], float))
    return list(zip(np.asarray(lon).tolist(), np.asarray(lat).tolist(), strict=True))


def stop_tables(
    places_m: Sequence[tuple[float, float]], hops: Sequence[tuple[int, int]], **columns: list[int] | list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return stops and directed links as long as the straight line, with further columns of the links."""
    at = lonlat(*places_m)
    lon, lat = zip(*at, strict=True)
    stops = pl.DataFrame({"stop_id": range(1, len(at) + 1), "name": [f"s{k}" for k in range(len(at))], "lon": lon, "lat": lat})
    metres = [float(np.hypot(places_m[a][0] - places_m[b][0], places_m[a][1] - places_m[b][1])) for a, b in hops]
    links = {"from_stop": [a + 1 for a, _ in hops], "to_stop": [b + 1 for _, b in hops], "metres": metres, **columns}
    return stops, pl.DataFrame(links)


STREET = [(-1600.0 + 400 * k, 0.0) for k in range(9)]
SIDE = [(-1600.0 + 400 * k, 90.0) for k in range(9)]
"""Two parallel one-way streets 90 m apart, joined at their ends."""


def couplet() -> Network:
    """Return the two one-way streets as a network."""
    hops = [(k, k + 1) for k in range(8)] + [(9 + k + 1, 9 + k) for k in range(8)] + [(8, 17), (17, 8), (9, 0), (0, 9)]
    return Network.from_tables(*stop_tables(STREET + SIDE, hops, oneway=[1] * 16 + [0] * 4), GRID)


def ladder() -> Network:
    """Return a street of nine stops, and a dead end of 400 m with a stop 30 m from its middle stop's own way-point."""
    places = [*STREET, (0.0, 400.0)]
    return Network.from_tables(*stop_tables(places, [*((k, k + 1) for k in range(8)), (4, 9)]), GRID)


# the sequence -------------------------------------------------------------------------------------------------------------


def test_a_way_point_nearer_to_a_side_street_stays_on_the_street_of_its_neighbours() -> None:
    network = ladder()
    points = lonlat((-1600, 10), (0, 210), (1600, 10))
    assert network.nearest_stops(*np.array(points[1]))[0] == 9
    plan = plan_of_waypoints(network, {"A": points})
    assert plan.routes[0].stops.tolist() == list(range(9))


def test_a_way_point_far_up_the_side_street_is_driven_to() -> None:
    plan = plan_of_waypoints(ladder(), {"A": lonlat((-1600, 10), (0, 400), (1600, 10))})
    assert plan.routes[0].stops.tolist() == [0, 1, 2, 3, 4, 9, 4, 5, 6, 7, 8]


def test_a_pair_of_one_way_streets_is_measured_both_ways_and_warned_about_where_no_street_crosses(tmp_path: Path) -> None:
    middle = lonlat(*((x, 45.0) for x, _ in STREET))
    hops = [(k, k + 1) for k in range(8)] + [(9 + k + 1, 9 + k) for k in range(8)] + [(k, 9 + k) for k in range(9)]
    crossed = Network.from_tables(*stop_tables(STREET + SIDE, hops, oneway=[1] * 16 + [0] * 9), GRID)
    (near,) = match_plan(table_of(tmp_path / "a.csv", middle), crossed).routes
    assert {near.length_m, near.length_back_m} == {3200, 3200 + 16 * 90}
    (far,) = match_plan(table_of(tmp_path / "a.csv", middle), COUPLET).routes
    assert max(far.length_m, far.length_back_m) > 3 * far.drawn_m
    assert far.warning is not None


def brute_cost(network: Network, points: np.ndarray, stops: Sequence[int], both_m: np.ndarray) -> float:
    """Return twice the metres of ride plus the price of the snaps, by definition."""
    x, y = network.grid.project(points[:, 0], points[:, 1])
    sx, sy = network.grid.project(network.stop_lon, network.stop_lat)
    snap = sum(float(np.hypot(x[k] - sx[stop], y[k] - sy[stop])) for k, stop in enumerate(stops))
    return sum(float(both_m[u, v]) for u, v in pairwise(stops)) + 2 * SNAP_PRICE * snap


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-1700, 1700), st.floats(-200, 300)), min_size=2, max_size=4))
def test_the_sequence_costs_no_more_than_any_other(places: list[tuple[float, float]]) -> None:
    for network in (LADDER, COUPLET):
        points = np.array(lonlat(*places))
        matcher = WaypointMatcher(network)
        layers = matcher.candidates("A", points, np.arange(1, len(points) + 1), 1500)
        chosen = matcher.match("A", points, layers)
        both = BOTH[network.fingerprint]
        least = min(brute_cost(network, points, row, both) for row in product(*(layer.stops.tolist() for layer in layers)))
        assert brute_cost(network, points, chosen, both) == pytest.approx(least, abs=1e-3)


def both_ways_m(network: Network) -> np.ndarray:
    """Return metres of both directions of every pair of stops along the same links, by Floyd and Warshall."""
    metres = np.full((network.n_stops, network.n_stops), np.inf)
    np.fill_diagonal(metres, 0)
    for u in range(network.n_stops):
        for v in network.link_to[network.link_indptr[u] : network.link_indptr[u + 1]].tolist():
            metres[u, v] = network.link(u, v)[1] + network.link(v, u)[1]
    for k in range(network.n_stops):
        metres = np.minimum(metres, metres[:, k : k + 1] + metres[k : k + 1])
    return metres


LADDER, COUPLET = ladder(), couplet()
BOTH = {network.fingerprint: both_ways_m(network) for network in (LADDER, COUPLET)}


def test_candidates_are_the_stops_within_500_metres_or_else_the_nearest() -> None:
    matcher = WaypointMatcher(LADDER)
    points = np.array(lonlat((-1600, 0), (-1600, 700), (200, 0)))
    near, far, between = matcher.candidates("A", points, np.arange(1, 4), 1500)
    assert near.stops.tolist() == [0, 1]
    assert np.isclose(near.metres, [0, 400], atol=0.1).all()
    assert far.stops.tolist() == [0]
    assert far.metres[0] > CANDIDATE_M
    assert set(between.stops.tolist()) == {4, 5, 9, 3, 6} - {3, 6}
    (short,) = matcher.candidates("A", points[:1], np.array([1]), 300)
    assert short.stops.tolist() == [0]


# what it says -------------------------------------------------------------------------------------------------------------


def table_of(path: Path, points: Sequence[tuple[float, float]]) -> Path:
    """Write a way-point table of one route."""
    path.write_text("route,sequence,lon,lat\n" + "".join(f"A,{k},{lon!r},{lat!r}\n" for k, (lon, lat) in enumerate(points)))
    return path


def test_a_match_has_the_lengths_the_ratio_and_the_farthest_snap(tmp_path: Path) -> None:
    match = match_plan(table_of(tmp_path / "a.csv", lonlat((-1600, 10), (0, 210), (1600, 10))), LADDER)
    (route,) = match.routes
    drawn = 2 * float(np.hypot(1600, 200))
    assert (route.name, route.n_waypoints, route.length_m, route.length_back_m) == ("A", 3, 3200, 3200)
    assert route.drawn_m == pytest.approx(drawn, abs=1)
    assert route.ratio == pytest.approx(3200 / drawn, abs=1e-3)
    assert route.farthest_snap_m == pytest.approx(210, abs=0.5)
    assert route.farthest_waypoint == 2
    assert route.warning is None
    assert match.messages == ()


def test_a_detour_above_1_3_times_the_line_is_warned_about_with_its_places(tmp_path: Path) -> None:
    detour = [(0.0, 0.0), (0.0, 1000.0), (600.0, 1000.0), (600.0, 0.0), (1600.0, 0.0)]
    network = Network.from_tables(*stop_tables(detour, [(k, k + 1) for k in range(4)]), GRID)
    match = match_plan(table_of(tmp_path / "a.csv", lonlat((0, 0), (600, 0), (1600, 0))), network)
    (warning,) = match.messages
    assert "route 'A': 3.6 km on the network for a line of 1.6 (2.25 times), most of it between way-points 1 and 2 (s0, s3)" in warning


def test_a_way_back_above_1_3_times_the_way_forth_is_warned_about(tmp_path: Path) -> None:
    places = [(0.0, 0.0), (1000.0, 0.0), (1000.0, 150.0), (500.0, 400.0), (0.0, 150.0)]
    hops = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    network = Network.from_tables(*stop_tables(places, hops, oneway=[1] * 5), GRID)
    match = match_plan(table_of(tmp_path / "a.csv", lonlat((0, 0), (1000, 0))), network)
    assert match.routes[0].back_ratio > 1.3
    assert any("check" in message for message in match.messages)


def test_links_of_a_lattice_are_not_blamed_for_their_road_factor(tmp_path: Path) -> None:
    lattice = Network.from_lattice(GRID, road_factor=1.5)
    match = match_plan(table_of(tmp_path / "a.csv", lonlat((-1600, 0), (1600, 0))), lattice)
    assert match.routes[0].ratio is not None
    assert match.routes[0].ratio > 1.3
    assert match.messages == ()


def test_a_match_as_json_has_every_route() -> None:
    document = {"name": "A", "waypoints": 2, "matched_to_drawn": 1.0, "back_to_forth": 1.0, "warning": None, "change": None}
    path = SHARED / "absent.csv"
    with pytest.raises(DataError, match=r"absent\.csv: no such file"):
        match_plan(path, LADDER)
    assert set(document) <= set(match_of_two().to_dict())


def match_of_two() -> Any:  # noqa: ANN401 - a RouteMatch
    """Return the match of a route between two linked stops."""
    from owlbus.plan.drawn_route import DrawnRoute
    from owlbus.plan.match_route import RouteMatcher

    return RouteMatcher(LADDER, 1500).match(DrawnRoute("A", np.array(lonlat(STREET[0], STREET[1]))))[1]


# stop tables --------------------------------------------------------------------------------------------------------------


def test_a_table_of_stops_is_a_network_of_its_stops_and_links() -> None:
    assert LADDER.n_stops == 10
    assert LADDER.n_links == 18
    assert LADDER.stop_names[:2] == ("s0", "s1")
    assert LADDER.link(0, 1)[1] == LADDER.link(1, 0)[1] == 400


def test_a_link_of_one_direction_is_driven_back_the_same_way_unless_it_is_one_way() -> None:
    assert COUPLET.link(3, 4)[1] == 400
    assert COUPLET.link(4, 3)[1] > 400
    hops = [(k, k + 1) for k in range(8)]
    both = Network.from_tables(*stop_tables(STREET, hops, oneway=["no"] * 8), GRID)
    assert both.link(4, 3)[1] == 400
    assert ("links listed in one direction and driven back the same way", 8) in tuple(both.report.counts)  # type: ignore[union-attr]


def test_links_without_speeds_run_at_the_commercial_speed_and_the_road_factor_lengthens_them() -> None:
    tables = stop_tables(STREET, [(k, k + 1) for k in range(8)])
    network = Network.from_tables(*tables, GRID, speed_kmh=20, road_factor=1.25)
    assert network.link(2, 3) == (90, 500)


def test_column_names_that_fit_twice_are_refused() -> None:
    stops, links = stop_tables(STREET, [(k, k + 1) for k in range(8)])
    with pytest.raises(DataError, match="metres and distance_m may both be the column length_m; rename the right one to length_m"):
        Network.from_tables(stops, links.with_columns(distance_m=pl.col("metres")), GRID)
    with pytest.raises(DataError, match=r"oneway must be 1 or 0, got 'perhaps' in row 1 \(8 such rows\)"):
        Network.from_tables(stops, links.with_columns(oneway=pl.lit("perhaps")), GRID)
    with pytest.raises(UsageError, match="road_factor"):
        Network.from_tables(stops, links, GRID, road_factor=0.9)


# real data ----------------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_nine_routes_of_2013_measure_303_to_309_km_on_the_streets_of_seoul() -> None:
    seoul = SHARED / "seoul"
    if not (seoul / "street_stops.csv").is_file():
        pytest.skip("needs ../shared/seoul/street_stops.csv")
    outline = np.genfromtxt(seoul / "outline.csv", delimiter=",", skip_header=1)
    grid = HexGrid.cover(outline, n_hexes=1252)
    network = Network.from_tables(seoul / "street_stops.csv", seoul / "street_links.csv", grid, road_factor=1.2)
    assert network.n_stops == 4654
    match = match_plan(seoul / "routes_2013.csv", network)
    assert 303_000 <= plan_measures(network, match.plan).total_length_m <= 309_000
    assert sum(route.drawn_m for route in match.routes) == pytest.approx(237_000, abs=1_000)
    assert max(route.farthest_snap_m for route in match.routes) < 600
    assert all(1.15 < (route.ratio or 0) < 1.4 for route in match.routes)


@pytest.mark.real
@pytest.mark.parametrize("with_stops", [False, True])
def test_the_line_with_a_loop_is_snapped_across_the_street_or_warned_about(with_stops: bool) -> None:  # noqa: FBT001
    folder = SHARED / "cases" / "reports" / "loopline"
    if not folder.is_dir():
        pytest.skip("needs ../shared/cases/reports/loopline")
    rows = np.genfromtxt(folder / "nodes.csv", delimiter=",", skip_header=1, usecols=(1, 2))
    low, high = rows.min(axis=0) - 0.01, rows.max(axis=0) + 0.01
    grid = HexGrid.cover([low, (high[0], low[1]), high, (low[0], high[1])])
    network = Network.from_tables(folder / "nodes.csv", folder / "links.csv", grid, folder / "stops.csv" if with_stops else None)
    (route,) = match_plan(folder / "line.csv", network).routes
    assert 35_000 < route.drawn_m < 36_000
    assert route.length_m < 43_100
    longer_m = max(route.length_m, route.length_back_m)
    assert longer_m < (54_000 if with_stops else 46_000)
    assert (longer_m > 1.3 * route.drawn_m) == (route.warning is not None)
    if with_stops:
        assert "times), most of it between way-points 37 and 38 (36, 37)" in str(route.warning)
    assert read_plan(folder / "line.csv", network).n_routes == 1
