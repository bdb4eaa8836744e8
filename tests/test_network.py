"""Networks: hand-checkable lattices and roads, rivers crossed only at bridges, every rule refused where it is broken."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import pickle
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network, check_network

if TYPE_CHECKING:
    from pathlib import Path

BOX = ((10.0, 50.0), (10.06, 50.0), (10.06, 50.04), (10.0, 50.04))
GRID = HexGrid.cover(BOX)
SPACING_M = 500 * 3**0.5
TINY = HexGrid(GRID.crs, 500, "planar", [0, 1, 2], [0, 0, 0])
FLAT = HexGrid.cover(BOX, radius_m=300)


def lonlat(grid: HexGrid, *points: tuple[float, float]) -> np.ndarray:
    """Lon/lat of points given in metres."""
    x, y = np.array(points).T
    return np.stack(grid.unproject(x, y), axis=1)


def graph_of(network: Network) -> nx.DiGraph:
    """The network as a networkx graph."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_stops))
    for u in range(network.n_stops):
        for k in range(network.link_indptr[u], network.link_indptr[u + 1]):
            graph.add_edge(u, int(network.link_to[k]), s=int(network.link_s[k]), m=int(network.link_m[k]))
    return graph


def segments(network: Network) -> np.ndarray:
    """Straight links as shapely lines in metres, with the pairs of stops that they join."""
    pairs = np.array([(u, v) for u, v in graph_of(network).edges if u < v])
    at = np.stack(network.grid.project(network.stop_lon, network.stop_lat), axis=1)
    return shapely.linestrings(at[pairs])


# the hex lattice ----------------------------------------------------------------------------------------------------------


def test_three_hexes_in_a_row_make_a_line_of_three_stops() -> None:
    network = Network.from_lattice(TINY, speed_kmh=18, road_factor=1.25)
    assert network.n_stops == 3
    assert network.link_indptr.tolist() == [0, 1, 3, 4]
    assert network.link_to.tolist() == [1, 0, 2, 1]
    assert network.link_m.tolist() == [1083] * 4  # 866.03 m x 1.25 = 1082.5 m, halves up
    assert network.link_s.tolist() == [217] * 4  # 1083 m at 5 m/s = 216.6 s
    assert network.drive_s.tolist() == [[0, 217, 434], [217, 0, 217], [434, 217, 0]]
    assert network.drive_m[0].tolist() == [0, 1083, 2166]
    assert network.shortest_path(2, 0).tolist() == [2, 1, 0]
    assert network.shortest_path(1, 1).tolist() == [1]
    assert network.link(0, 1) == (217, 1083)
    assert network.hex_stop.tolist() == [0, 1, 2]
    assert network.stop_names == ("q0r0", "q1r0", "q2r0")


def test_a_walk_of_exactly_the_spacing_reaches_the_neighbours_and_a_shorter_one_does_not() -> None:
    exact = float(np.hypot(TINY.x_m[0] - TINY.x_m[1], TINY.y_m[0] - TINY.y_m[1]))
    assert Network.from_lattice(TINY, walk_m=exact).shed_hex.tolist() == [0, 1, 0, 1, 2, 1, 2]
    assert Network.from_lattice(TINY, walk_m=exact - 0.001).shed_hex.tolist() == [0, 1, 2]
    assert Network.from_lattice(TINY, walk_m=0).shed_hex.tolist() == [0, 1, 2]


def test_a_hex_between_two_stops_takes_the_lower_one() -> None:
    mountain = [(*lonlat(GRID, (GRID.x_m[30], GRID.y_m[30]))[0], 100.0)]
    network = Network.from_lattice(GRID, mountains=mountain, walk_m=900)
    reachers = [s for s in range(network.n_stops) if 30 in network.shed_hex[network.shed_indptr[s] : network.shed_indptr[s + 1]]]
    assert network.hex_stop[30] == min(reachers)
    assert len(reachers) == 6


def test_without_barriers_every_hex_has_a_stop_and_every_neighbour_a_link() -> None:
    network = Network.from_lattice(GRID)
    assert network.n_stops == GRID.n_hexes
    assert network.n_links == (GRID.neighbours >= 0).sum()
    assert network.report is not None
    assert network.report.unreachable_hexes.size == 0
    assert check_network(network).passed


RIVER = lonlat(FLAT, (-3_000.0, -300.0), (0.0, 100.0), (3_000.0, -200.0))
BRIDGES = lonlat(FLAT, (-1_000.0, 0.0), (1_200.0, 0.0))


def crossings(network: Network, river: np.ndarray) -> int:
    """Straight links that cross the river's centreline."""
    line = shapely.linestrings(np.stack(network.grid.project(river[:, 0], river[:, 1]), axis=1))
    return int(shapely.intersects(segments(network), line).sum())


def test_without_a_bridge_one_bank_is_dropped_and_counted() -> None:
    network = Network.from_lattice(FLAT, rivers=[RIVER], river_half_width_m=100)
    assert crossings(network, RIVER) == 0
    _, y = FLAT.project(network.stop_lon, network.stop_lat)
    assert y.min() > -300
    assert y.max() > 2_000, "the larger bank lies north"
    assert network.report is not None
    counts = dict(network.report.counts)
    assert counts["stops cut off and dropped"] > 0
    assert (
        counts["hexes"]
        == counts["hexes of water"] + counts["hexes of mountain"] + counts["stops cut off and dropped"] + counts["stops kept"]
    )
    assert network.report.unreachable_hexes.size == FLAT.n_hexes - network.n_stops


@pytest.mark.parametrize("half_width_m", [1, 100, 300, 450, 700])
@pytest.mark.parametrize("n_bridges", [1, 2])
def test_a_river_is_crossed_at_bridges_only_and_each_joins_the_banks(half_width_m: float, n_bridges: int) -> None:
    for bridge in range(3 - n_bridges):
        bridges = BRIDGES[bridge : bridge + n_bridges]
        network = Network.from_lattice(FLAT, rivers=[RIVER], bridges=bridges, river_half_width_m=half_width_m)
        assert crossings(network, RIVER) == n_bridges
        assert network.report is not None
        assert dict(network.report.counts)["links over bridges"] == 2 * n_bridges
        assert (network.stop_lat > 50.03).any()
        assert (network.stop_lat < 50.01).any()
        assert network.drive_s.max() < 2**30


@given(
    st.lists(st.tuples(st.floats(-2_000, 2_000), st.floats(-800, 800)), min_size=2, max_size=5),
    st.integers(0, 4),
    st.integers(0, 2**32 - 1),
)
def test_no_link_crosses_any_river_but_over_a_bridge_and_none_touches_a_mountain(course: list[Any], n_bridges: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    river = lonlat(FLAT, *course)
    bridges = lonlat(FLAT, *rng.uniform(-1_500, 1_500, (n_bridges, 2))) if n_bridges else None
    discs = np.column_stack([lonlat(FLAT, *rng.uniform(-2_000, 2_000, (2, 2))), rng.uniform(100, 700, 2)])
    try:
        network = Network.from_lattice(FLAT, rivers=[river], bridges=bridges, mountains=discs, river_half_width_m=50)
    except DataError as error:
        assert "two connected stops" in str(error)  # noqa: PT017
        return
    assert network.report is not None
    over = dict(network.report.counts)["links over bridges"] // 2
    assert over <= n_bridges
    assert crossings(network, river) <= over
    x, y = FLAT.project(discs[:, 0], discs[:, 1])
    lines = segments(network)
    touching = {
        int(k)
        for px, py, reach in zip(x, y, discs[:, 2], strict=True)
        for k in np.flatnonzero(shapely.distance(lines, shapely.Point(px, py)) < reach - 1e-6)
    }
    assert len(touching) <= over
    assert check_network(network).findings[0].count == 0


def test_a_river_that_ends_at_the_rim_runs_on_and_one_that_ends_inside_is_driven_around() -> None:
    short = lonlat(FLAT, (-1_800.0, 0.0), (1_800.0, 0.0))
    assert np.ptp(Network.from_lattice(FLAT, rivers=[short], river_half_width_m=50).stop_lat) < 0.03
    spring = lonlat(FLAT, (-1_800.0, 0.0), (0.0, 0.0))
    network = Network.from_lattice(FLAT, rivers=[spring], river_half_width_m=50)
    assert crossings(network, spring) == 0
    assert np.ptp(network.stop_lat) > 0.03


def test_a_bridge_without_a_river_or_far_from_one_joins_nothing_and_is_named() -> None:
    none = Network.from_lattice(FLAT, bridges=BRIDGES)
    assert none.report is not None
    assert none.report.notes == ("no river to cross for 2 bridges",)
    far = Network.from_lattice(FLAT, rivers=[RIVER], bridges=[*BRIDGES, (10.03, 50.4)], river_half_width_m=100)
    assert far.report is not None
    assert far.report.notes == ("bridge 2 at 10.0300, 50.4000 joins no two stops across a river",)


def test_a_mountain_holds_no_stop_and_a_radius_to_the_centre_leaves_it() -> None:
    at = int(np.argmin(np.hypot(GRID.x_m, GRID.y_m)))
    centre = (float(GRID.lon[at]), float(GRID.lat[at]))
    assert at not in Network.from_lattice(GRID, mountains=[(*centre, 1.0)]).stop_hex
    ring = Network.from_lattice(GRID, mountains=[(*centre, SPACING_M - 1)])
    assert ring.n_stops == GRID.n_hexes - 1
    assert Network.from_lattice(GRID, mountains=[(*centre, SPACING_M + 1)]).n_stops == GRID.n_hexes - 7


def test_the_nine_routes_of_2013_have_their_known_mean_length(seoul: Path) -> None:
    from owlbus.network import ROAD_FACTOR

    def load(name: str) -> list[dict[str, Any]]:
        path = seoul / f"{name}.geojson"
        if not path.exists():
            pytest.skip("needs the sample city")
        features: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
        return features

    grid = HexGrid.cover(shapely.geometry.shape(load("outline")[0]["geometry"]), 500, 1252)
    network = Network.from_lattice(
        grid,
        rivers=[feature["geometry"]["coordinates"] for feature in load("river")],
        bridges=[feature["geometry"]["coordinates"] for feature in load("bridges")],
        mountains=[(*feature["geometry"]["coordinates"], feature["properties"]["radius_m"]) for feature in load("mountains")],
    )
    assert ROAD_FACTOR == 1.25
    assert network.n_stops == 1025
    metres = []
    for feature in load("routes_2013"):
        points = np.array(feature["geometry"]["coordinates"])
        stops = network.nearest_stops(points[:, 0], points[:, 1])[0].tolist()
        paths = [network.shortest_path(a, b).tolist() for a, b in pairwise(stops)]
        metres.append(sum(network.link(a, b)[1] for path in paths for a, b in pairwise(path)))
    assert 36_000 <= np.mean(metres) <= 37_000


# shortest paths and nearest stops -----------------------------------------------------------------------------------------


def test_seconds_metres_and_paths_are_those_of_networkx() -> None:
    network = Network.from_lattice(FLAT, rivers=[RIVER], bridges=BRIDGES, river_half_width_m=200)
    graph = graph_of(network)
    for u in range(0, network.n_stops, 7):
        seconds = nx.single_source_dijkstra_path_length(graph, u, weight="s")
        metres = nx.single_source_dijkstra_path_length(graph, u, weight="m")
        assert network.drive_s[u].tolist() == [seconds[v] for v in range(network.n_stops)]
        assert network.drive_m[u].tolist() == [metres[v] for v in range(network.n_stops)]
        path = network.shortest_path(u, 3).tolist()
        assert nx.path_weight(graph, path, "s") == seconds[3] if u != 3 else path == [3]


def test_metres_of_a_few_pairs_are_found_without_the_matrix_of_a_large_network(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, large = (Network.from_lattice(FLAT, rivers=[RIVER], bridges=BRIDGES, river_half_width_m=200) for _ in range(2))
    monkeypatch.setattr("owlbus.network.drive_times._MATRIX_STOPS", 3)
    start, end = np.random.default_rng(0).integers(0, whole.n_stops, (2, 200))
    expected = whole.drive_m[start, end]
    for kept in (2**27, 12 * whole.n_stops, 0):
        monkeypatch.setattr("owlbus.network.drive_times._KEPT_BYTES", kept)
        assert large.shortest_m(start, end).tolist() == expected.tolist()
        assert [large.shortest_m([a], [b])[0] for a, b in zip(start, end, strict=True)] == expected.tolist()
    assert "drive_m" not in large._cache


def test_metres_of_a_few_pairs_leave_the_matrix_out_until_most_stops_are_asked_for() -> None:
    whole, asked = (Network.from_lattice(FLAT, rivers=[RIVER], bridges=BRIDGES, river_half_width_m=200) for _ in range(2))
    end = np.random.default_rng(0).integers(0, whole.n_stops, whole.n_stops)
    half = whole.n_stops // 2
    for start in range(whole.n_stops):
        assert asked.shortest_m(start, end[start]) == whole.drive_m[start, end[start]]
        assert ("drive_m" in asked._cache) == (start >= half)
        assert ("drive_m rows" in asked._cache) == (start < half)


def test_the_nearest_stop_of_a_point_between_two_is_the_lower_and_shapes_are_kept() -> None:
    network = Network.from_lattice(TINY)
    between = lonlat(TINY, ((TINY.x_m[0] + TINY.x_m[1]) / 2, TINY.y_m[0]))[0]
    stop, metres = network.nearest_stops(*between)
    assert (int(stop), round(float(metres), 3)) == (0, round(SPACING_M / 2, 3))
    assert network.nearest_stops(TINY.lon.reshape(3, 1), TINY.lat.reshape(3, 1))[0].tolist() == [[0], [1], [2]]
    with pytest.raises(DataError, match=r"points must be finite lon/lat, got 1 that are not"):
        network.nearest_stops([10.0, np.nan], [50.0, 50.0])


# files, copies and rules --------------------------------------------------------------------------------------------------


def test_a_network_survives_writing_pickling_and_copying(tmp_path: Path) -> None:
    for network in (Network.from_lattice(TINY, walk_m=900), roads()):
        network.write(tmp_path / "a.parquet")
        network.write(tmp_path / "b.parquet")
        assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
        for twin in (Network.read(tmp_path / "a.parquet"), pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):  # noqa: S301  # own bytes
            assert twin.fingerprint == network.fingerprint
            assert twin.grid.fingerprint == network.grid.fingerprint
            assert twin.link_line(0, 1).tolist() == network.link_line(0, 1).tolist()
            assert not twin.link_s.flags.writeable
            assert not twin.drive_s.flags.writeable
            assert network.report is not None
            assert twin.report is not None
            assert str(twin.report) == str(network.report)
    plain = dataclasses.replace(Network.from_lattice(TINY), report=None)
    plain.write(tmp_path / "a.parquet")
    assert Network.read(tmp_path / "a.parquet").report is None
    with pytest.raises(DataError, match=r"holds 'network' where 'grid' is wanted"):
        HexGrid.read(tmp_path / "a.parquet")


def test_a_network_owns_its_arrays() -> None:
    network = Network.from_lattice(TINY)
    seconds = network.link_s.copy()
    twin = dataclasses.replace(network, link_s=seconds)
    seconds[0] = 9
    assert twin.link_s[0] == network.link_s[0]
    assert twin.fingerprint == network.fingerprint
    assert dataclasses.replace(network, link_s=seconds).fingerprint != network.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stop_lon": [10.0]}, r"stops need as many longitudes, latitudes, hexes and names, one stop or more, got \[1, 3\]"),
        ({"stop_lat": [50.0, np.nan, 50.0]}, r"stops must lie in lon \[-180, 180\] and lat \[-90, 90\], broken in row 1 \(1 such rows\)"),
        ({"stop_hex": [0, 1, 3]}, r"stop_hex must lie in \[-1, 3\), broken in row 2"),
        ({"link_indptr": [0, 1, 3]}, r"link_indptr must rise from 0 to 4 over 4 numbers, got 3 numbers"),
        ({"link_indptr": [0, 3, 1, 4]}, r"link_indptr must rise from 0 to 4"),
        ({"link_s": [1, 1, 1]}, r"links need as many ends, seconds and metres, got 4, 3 and 4"),
        ({"link_to": [1, 0, 3, 1]}, r"link_to must lie in \[0, 3\), broken in row 2"),
        ({"link_to": [1, 2, 0, 1]}, r"links must be unique and sorted by their end, broken in row 2"),
        ({"link_to": [1, 0, 0, 1]}, r"links must be unique and sorted by their end, broken in row 2"),
        ({"link_to": [0, 0, 2, 1]}, r"a link must lead to another stop, broken in row 0"),
        ({"link_to": [2, 0, 2, 1]}, r"every link must have its reverse, broken in row 0 \(2 such rows\)"),
        ({"link_s": [1, 1, 0, 1]}, r"links must take 1 s and 1 m or more, broken in row 2"),
        ({"link_m": [1, 0, 1, 1]}, r"links must take 1 s and 1 m or more, broken in row 1"),
        ({"shed_indptr": [0, 1, 2]}, r"shed_indptr must rise from 0 to 3 over 4 numbers"),
        ({"shed_walk_m": [0, 0]}, r"walk sheds need as many hexes as metres, got 3 and 2"),
        ({"shed_walk_m": [0, 0, -1]}, r"walks must be 0 m or more, broken in row 2"),
        ({"shed_hex": [0, 1, 3]}, r"shed_hex must lie in \[0, 3\), broken in row 2"),
        ({"shed_hex": [0, 2, 2]}, r"a stop's own hex must be in its walk shed, broken in row 1"),
        ({"shed_hex": [1, 0, 2], "shed_indptr": [0, 2, 2, 3]}, r"walk sheds must be unique and sorted by hex, broken in row 1"),
        ({"line_lon": [1.0], "line_lat": []}, r"street geometry needs as many lon as lat, got 1 and 0"),
        ({"line_indptr": [0, 1], "line_lon": [1.0], "line_lat": [1.0]}, r"line_indptr must rise from 0 to 1 over 5 numbers"),
        (
            {"line_indptr": [0, 1, 2, 3, 5], "line_lon": [1.0] * 5, "line_lat": [1.0] * 5},
            r"street geometry needs two points or more a link",
        ),
    ],
)
def test_arrays_that_break_a_rule_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataclasses.replace(Network.from_lattice(TINY), **change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed_kmh": 0}, r"speed_kmh must lie in \[1, 200\], got 0"),
        ({"road_factor": 0.9}, r"road_factor must lie in \[1, 10\], got 0\.9"),
        ({"walk_m": -1}, r"walk_m must lie in \[0, 100000\], got -1"),
        ({"walk_m": float("nan")}, r"walk_m must lie in \[0, 100000\], got nan"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Network.from_lattice(TINY, **settings)


@pytest.mark.parametrize(
    ("barriers", "message"),
    [
        ({"rivers": [[(10.0, 50.0)]]}, r"river 0 must hold finite lon/lat of shape \(n, 2\) with n >= 2, got shape \(1, 2\)"),
        ({"bridges": [(10.0, np.nan)]}, r"bridges must hold finite lon/lat"),
        ({"mountains": [(10.0, 50.0, -5.0)]}, r"radii of mountains must be metres > 0"),
        ({"mountains": [(10.0, 50.0, 1e6)]}, r"a network needs two connected stops or more, got 0 from the hex lattice"),
    ],
)
def test_barriers_that_break_a_rule_are_refused(barriers: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Network.from_lattice(TINY, **barriers)


def test_stops_and_links_that_are_not_there_are_refused() -> None:
    network = Network.from_lattice(TINY)
    with pytest.raises(DataError, match=r"no link leads from stop 0 to stop 2"):
        network.link(0, 2)
    with pytest.raises(DataError, match=r"stops must lie in \[0, 3\), got 3"):
        network.shortest_path(0, 3)
    with pytest.raises(DataError, match=r"stops must lie in \[0, 3\), got -1"):
        network.link(-1, 0)


# road tables --------------------------------------------------------------------------------------------------------------


def tables(**change: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A road along three hexes: a node in each centre, one between the first two, and a one-way loop south of the last two."""
    step = SPACING_M
    at = lonlat(TINY, (0, 0), (step * 0.6, 40), (step, 0), (2 * step, 0), (1.5 * step, -400), (9_000, 9_000))
    nodes = {"node_id": ["a", "m", "b", "c", "d", "x"], "lon": at[:, 0], "lat": at[:, 1]}
    links: dict[str, Any] = {
        "from_node": ["a", "m", "m", "b", "b", "c", "d", "a", "a", "zz", "a"],
        "to_node": ["m", "a", "b", "m", "c", "d", "b", "a", "zz", "a", "m"],
        "length_m": [522.0, 522.0, 350.0, 350.0, 867.0, 600.0, 600.0, 1.0, 1.0, 1.0, 700.0],
        "freespeed_m_per_s": [10.0] * 11,
        "road_type": ["main"] * 11,
    }
    return pl.DataFrame(nodes | change.pop("nodes", {})), pl.DataFrame(links | change.pop("links", {}))


def roads(**settings: Any) -> Network:  # noqa: ANN401  # settings of from_tables
    return Network.from_tables(*tables(), TINY, **settings)


def test_a_road_through_three_hexes_makes_three_stops_with_the_metres_of_each_direction() -> None:
    network = roads(speed_kmh=18)
    assert network.stop_names == ("a", "b", "c")
    assert network.stop_hex.tolist() == [0, 1, 2]
    assert network.link(0, 1)[1] == network.link(1, 0)[1] == 872
    assert network.link(1, 2)[1] == 867
    assert network.link(2, 1)[1] == 1200, "back by the one-way loop"
    assert [network.link(0, 1)[0], network.link(1, 2)[0], network.link(2, 1)[0]] == [174, 173, 240], "10 m/s free flow, halved to 18 km/h"
    with pytest.raises(DataError, match="no link leads from stop 0 to stop 2"):
        network.link(0, 2)
    assert network.report is not None
    counts = dict(network.report.counts)
    assert counts["road links to or from a node that is not in the table"] == 2
    assert counts["road links from a node to itself"] == 1
    assert counts["road links beside a faster one"] == 1
    assert counts["road nodes outside the largest strongly connected part"] == 1
    assert "times free flow; the median link runs at 18.0 km/h" in str(network.report)


def test_links_keep_the_streets_they_run_along() -> None:
    nodes, _ = tables()
    where = {name: (lon, lat) for name, lon, lat in nodes.iter_rows()}
    network = roads()
    assert [tuple(point) for point in network.link_line(0, 1)] == [where[name] for name in "amb"]
    assert [tuple(point) for point in network.link_line(2, 1)] == [where[name] for name in "cdb"]
    lattice = Network.from_lattice(TINY)
    assert lattice.link_line(0, 1).tolist() == [[TINY.lon[0], TINY.lat[0]], [TINY.lon[1], TINY.lat[1]]]


def test_buses_are_never_faster_than_free_flow() -> None:
    assert roads(speed_kmh=100).link(1, 2) == (87, 867)


def test_the_longest_link_is_included_at_its_boundary_and_needs_both_directions() -> None:
    assert roads(max_link_s=120).n_stops == 3
    short = roads(max_link_s=119.999)
    assert short.stop_names == ("a", "b")
    assert short.report is not None
    assert dict(short.report.counts)["stops cut off and dropped"] == 1
    with pytest.raises(DataError, match=r"a network needs two connected stops or more, got 0 from the road tables"):
        roads(max_link_s=80)


def test_given_stops_are_moved_to_the_nearest_road_and_far_or_double_ones_are_counted() -> None:
    at = lonlat(TINY, (10, 0), (SPACING_M, 30), (SPACING_M, 35), (2 * SPACING_M, 0), (0, 450))
    stops = {"lon": at[:, 0], "lat": at[:, 1], "name": ["first", "second", "double", "third", "lost"]}
    network = roads(stops=stops, snap_m=100)
    assert network.stop_names == ("first", "second", "third")
    assert network.report is not None
    counts = dict(network.report.counts)
    assert (counts["stops too far from a road and dropped"], counts["stops on the road node of another"]) == (1, 1)
    unnamed = roads(stops=pl.DataFrame(stops).drop("name"))
    assert unnamed.stop_names == ("0", "1", "3")


def test_a_missing_free_speed_takes_the_median_of_its_road_type() -> None:
    links = {
        "freespeed_m_per_s": [None, 5.0, 5.0, 5.0, 5.0, -1.0, 20.0, 5.0, 5.0, 5.0, 5.0],
        "road_type": ["main"] * 5 + ["loop"] * 2 + ["main"] * 4,
    }
    network = Network.from_tables(*tables(links=links), TINY, speed_kmh=200)
    assert network.link(0, 1) == network.link(1, 0) == (174, 872)
    assert network.link(2, 1) == (60, 1200)
    assert network.report is not None
    assert dict(network.report.counts)["road links given the median free speed of their road type"] == 2


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_tables_are_read_from_files_of_every_form(form: str, tmp_path: Path) -> None:
    paths = []
    for name, frame in zip(("nodes", "links"), tables(), strict=True):
        path = tmp_path / f"{name}.{form}"
        if form == "parquet":
            frame.write_parquet(path)
        else:
            text = frame.write_csv().encode()
            path.write_bytes(gzip.compress(text) if form.endswith("gz") else text)
        paths.append(path)
    network = Network.from_tables(paths[0], str(paths[1]), TINY)
    assert network.fingerprint == roads().fingerprint
    assert network.link_line(0, 1).tolist() == roads().link_line(0, 1).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": {"node_id": ["a", "a", "b", "c", "d", "x"]}}, r"node ids must be unique, got 'a' more than once \(1 such rows\)"),
        (
            {"nodes": {"lon": [10.0, None, 10.0, 10.0, 10.0, 10.0]}},
            r"nodes: lon must be a number in \[-180, 180\], got None in row 2 \(1 such rows\)",
        ),
        ({"nodes": {"lat": [50.0, 91.0, 50.0, 50.0, 50.0, 50.0]}}, r"nodes: lat must be a number in \[-90, 90\], got '91\.0' in row 2"),
        ({"links": {"length_m": [1.0, -5.0] + [1.0] * 9}}, r"links: length_m must be a number in \[0, 1e\+07\], got '-5\.0' in row 2"),
        ({"links": {"freespeed_m_per_s": [0.0] * 11}}, r"freespeed_m_per_s must be > 0 somewhere"),
        (
            {"links": {"from_node": ["q"] * 11}},
            r"links must join two nodes of the node table, none of 11 does; check that both tables use the same ids",
        ),
        (
            {"nodes": {"lon": [50.0] * 6, "lat": [10.0] * 6}},
            r"roads must overlap the grid, none of 5 nodes lies in it; .* lon comes before lat",
        ),
    ],
)
def test_road_tables_that_break_a_rule_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Network.from_tables(*tables(**change), TINY)


def test_tables_without_a_column_without_rows_or_without_a_file_are_refused(tmp_path: Path) -> None:
    nodes, links = tables()
    with pytest.raises(
        DataError, match=r"nodes: columns node_id, lon, lat are needed, 'node_id' is missing among nodeid, lon, lat; rename 'nodeid'"
    ):
        Network.from_tables(nodes.rename({"node_id": "nodeid"}), links, TINY)
    with pytest.raises(DataError, match=r"links: holds no rows"):
        Network.from_tables(nodes, links.clear(), TINY)
    with pytest.raises(DataError, match=r"no\.csv: cannot be read \([Nn]o such file"):
        Network.from_tables(tmp_path / "no.csv", links, TINY)
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.csv: is no readable table \(empty"):
        Network.from_tables(tmp_path / "empty.csv", links, TINY)
    (tmp_path / "bad.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"bad\.parquet: is no readable table"):
        Network.from_tables(tmp_path / "bad.parquet", links, TINY)
    with pytest.raises(UsageError, match=r"max_link_s must lie in \[1, 100000\], got 0"):
        Network.from_tables(nodes, links, TINY, max_link_s=0)


@st.composite
def road_maps(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random one-way and two-way streets between random places of the box; every road link takes whole seconds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(8, 40))
    lon, lat = rng.uniform(10.0, 10.06, n), rng.uniform(50.0, 50.04, n)
    ring = np.arange(n)
    start = np.concatenate([ring, rng.integers(0, n, 2 * n)])
    end = np.concatenate([np.roll(ring, -1), rng.integers(0, n, 2 * n)])
    x, y = FLAT.project(lon, lat)
    speed = rng.choice([5.0, 8.0, 14.0], start.size)
    seconds = np.ceil((np.hypot(x[start] - x[end], y[start] - y[end]) * rng.uniform(1.0, 1.4, start.size) + 1) / speed)
    links = {"from_node": start, "to_node": end, "length_m": seconds * speed, "freespeed_m_per_s": speed}
    return pl.DataFrame({"node_id": ring, "lon": lon, "lat": lat}), pl.DataFrame(links)


def road_graph(links: pl.DataFrame) -> nx.DiGraph:
    """Uncontracted roads as a networkx graph of whole milliseconds."""
    graph = nx.DiGraph()
    columns = links["from_node"].cast(pl.String), links["to_node"].cast(pl.String), links["length_m"].cast(pl.Float64)
    for u, v, metres, speed in zip(*columns, links["freespeed_m_per_s"].cast(pl.Float64), strict=True):
        cost = round(metres / speed * 1000)
        if u != v and (not graph.has_edge(u, v) or (cost, metres) < (graph[u][v]["ms"], graph[u][v]["m"])):
            graph.add_edge(u, v, ms=cost, m=metres)
    return graph


def contracted(nodes: pl.DataFrame, links: pl.DataFrame, stretch: float) -> Network | None:
    """Network at free flow, or None where fewer than two stops are connected."""
    try:
        return Network.from_tables(nodes, links, FLAT, max_link_s=100_000, speed_kmh=200, stretch=stretch, opposite_m=0)
    except DataError as error:
        assert "two connected stops" in str(error)  # noqa: PT017
        return None


@given(road_maps())
def test_without_stretch_rides_between_all_stops_take_as_long_as_on_the_uncontracted_roads(maps: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    network, graph = contracted(*maps, 1.0), road_graph(maps[1])
    if network is not None:
        for u, name in enumerate(network.stop_names):
            reach = nx.single_source_dijkstra_path_length(graph, name, weight="ms")
            assert network.drive_s[u].tolist() == [reach[other] // 1000 for other in network.stop_names]


@given(road_maps(), st.sampled_from([1.1, 1.25, 2.0]))
def test_links_are_fastest_ways_that_run_along_the_roads_and_stretch_bounds_what_replaces_them(
    maps: tuple[pl.DataFrame, pl.DataFrame], stretch: float
) -> None:
    network, graph, full = contracted(*maps, stretch), road_graph(maps[1]), contracted(*maps, 1.0)
    if network is None or full is None:
        return
    place = {(lon, lat): str(node) for node, lon, lat in maps[0].iter_rows()}
    for u, v in graph_of(network).edges:
        way = [place[tuple(point)] for point in network.link_line(u, v).tolist()]
        assert (way[0], way[-1]) == (network.stop_names[u], network.stop_names[v])
        assert nx.path_weight(graph, way, "ms") == 1000 * network.link(u, v)[0] == 1000 * full.drive_s[u, v]
        assert abs(nx.path_weight(graph, way, "m") - network.link(u, v)[1]) <= 0.51
    for u, v in graph_of(full).edges:
        assert network.drive_s[u, v] + network.drive_s[v, u] <= stretch * (full.link(u, v)[0] + full.link(v, u)[0]) + 1e-9
    assert network.n_links <= full.n_links


@pytest.mark.real
@pytest.mark.parametrize("name", ["st petersburg", "Helsinki", "porto_portugal"])
def test_rides_between_random_stops_are_those_of_the_uncontracted_streets(cases: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Two hundred pairs, each of ten stops with twenty others: whole milliseconds equal those of SciPy on every street."""
    from owlbus.network import stop_links

    seen: list[Any] = []
    search = stop_links.stop_links

    def spy(*given: Any) -> Any:  # noqa: ANN401  # whatever the function takes and gives
        seen[:] = [given, search(*given)]
        raise StopIteration  # nothing looks at what follows

    monkeypatch.setattr(stop_links, "stop_links", spy)
    with suppress(StopIteration):
        if name == "st petersburg":
            folder = cases / "stpetersburg"
            grid = HexGrid.cover([(30.15, 59.83), (30.55, 59.83), (30.55, 60.05), (30.15, 60.05)])
            Network.from_tables(folder / "road_nodes.csv.gz", folder / "road_links.csv.gz", grid, stretch=1.0)
        else:
            pytest.importorskip("osmium", reason="needs the extra owlbus[osm]")
            part = HexGrid.cover([(-8.66, 41.13), (-8.58, 41.13), (-8.58, 41.18), (-8.66, 41.18)]) if "porto" in name else None
            Network.from_osm(cases / "osm" / f"{name}.osm.pbf", part, stretch=1.0)
    (roads, nodes, *_), (links, _) = seen
    order = np.argsort(links.start, kind="stable")
    indptr = np.searchsorted(links.start[order], np.arange(nodes.size + 1))
    streets, stops = (
        csr_array((ms.astype(np.float64), to, rows), shape=(len(rows) - 1,) * 2)
        for ms, to, rows in ((roads.cost_ms, roads.to, roads.indptr), (links.seconds[order], links.end[order], indptr))
    )
    rng = np.random.default_rng(5)
    for start in rng.choice(nodes.size, 10, replace=False).tolist():
        ends = rng.choice(nodes.size, 20)
        by_street, by_link = dijkstra(streets, indices=int(nodes[start])), dijkstra(stops, indices=start)
        assert np.isfinite(by_link[ends]).all()
        assert by_link[ends].tolist() == by_street[nodes[ends]].tolist()


@pytest.mark.real
@pytest.mark.parametrize(("opposite_m", "fewer", "worst", "longer"), [(0.0, 4, 1.4, 1.1), (100.0, 2, 1.3, 1.055)])
def test_at_the_usual_stretch_fewer_links_join_the_same_stops_of_st_petersburg_and_rides_take_little_longer(
    cases: Path, opposite_m: float, fewer: int, worst: float, longer: float
) -> None:
    """Of stops on one carriageway, and on both: of linked pairs by the stretch itself, of all pairs as measured."""
    folder = cases / "stpetersburg"
    grid = HexGrid.cover([(30.15, 59.83), (30.55, 59.83), (30.55, 60.05), (30.15, 60.05)])
    tables = folder / "road_nodes.csv.gz", folder / "road_links.csv.gz"

    def network(stretch: float, max_link_s: float | None = None) -> Network:
        return Network.from_tables(*tables, grid, speed_kmh=200, opposite_m=opposite_m, stretch=stretch, max_link_s=max_link_s)

    exact, usual = network(1.0), network(1.25)
    least, rides = (one.drive_s + one.drive_s.T for one in (exact, usual))
    for max_link_s in (1_800.0, 100_000.0):
        full, thinned = network(1.0, max_link_s), network(1.25, max_link_s)
        start, end = np.repeat(np.arange(full.n_stops), np.diff(full.link_indptr)), full.link_to
        there_and_back = full.link_s + full.drive_s[end, start]
        assert (thinned.drive_s[start, end] + thinned.drive_s[end, start] <= 1.25 * there_and_back + 1).all(), "links take whole seconds"
    assert usual.n_stops == exact.n_stops > 700
    assert usual.n_links < exact.n_links / fewer
    assert (usual.drive_s >= exact.drive_s).all()
    assert (rides <= worst * least).all(), "of all pairs, not only of those that are linked"
    assert rides.sum() < longer * least.sum()
    assert not any(finding.count for finding in check_network(usual).findings if "at most" not in finding.rule), "free flow is fast"


# the checker --------------------------------------------------------------------------------------------------------------


def test_the_checker_names_what_is_wrong_and_where() -> None:
    lattice = Network.from_lattice(TINY)
    broken = dataclasses.replace(
        lattice, link_indptr=[0, 1, 2, 2], link_to=[1, 0], link_s=[1, 2000], link_m=[100, 900], stop_hex=[-1, 1, 2], shed_hex=[0, 1, 2]
    )
    check = check_network(broken)
    assert not check.passed
    assert [finding.count for finding in check.findings] == [1, 1, 1, 1, 1, 1]
    text = str(check)
    assert "BAD   all stops are strongly connected: 1 stops do not (33.3% of 3), first stop 2 (q2r0)" in text
    assert "BAD   links run at 90 km/h at most: 1 links do not (50.0% of 2), first stop 0 to stop 1 (100 m, 1 s)" in text
    assert "0 hexes in no walk shed" in text
    assert check.to_json()["findings"][1] == {
        "rule": "every stop has a link",
        "count": 1,
        "total": 3,
        "unit": "stops",
        "first": "stop 2 (q2r0)",
    }
    assert json.loads(json.dumps(check.to_json()))["passed"] is False


def test_the_checker_measures_a_link_that_leaves_from_the_other_carriageway_along_its_own_line() -> None:
    lattice = Network.from_lattice(TINY)
    start = np.repeat(np.arange(lattice.n_stops), np.diff(lattice.link_indptr))
    ends = np.stack([start, lattice.link_to], axis=1).reshape(-1)
    lon, lat = lattice.stop_lon[ends], lattice.stop_lat[ends].copy()
    short = dataclasses.replace(lattice, link_m=np.where(np.arange(lattice.n_links) == 0, 700, lattice.link_m))
    rule = "links are as long as the straight line or longer"
    drawn = {"line_indptr": 2 * np.arange(lattice.n_links + 1), "line_lat": lat}
    nearer = lon.copy()
    nearer[0] += 0.2 * (lon[1] - lon[0])
    for lines, count in (({}, 1), (drawn | {"line_lon": lon}, 1), (drawn | {"line_lon": nearer}, 0)):
        found = {finding.rule: finding.count for finding in check_network(dataclasses.replace(short, **lines)).findings}
        assert found[rule] == count


def test_the_checker_weighs_the_demand_that_no_bus_can_reach() -> None:
    mountain = [(float(GRID.lon[0]), float(GRID.lat[0]), 100.0)]
    network = Network.from_lattice(GRID, mountains=mountain)
    demand = Demand(
        n_hexes=GRID.n_hexes,
        hours=(24,),
        nights=(None,),
        night=[0, 0, 0],
        hour=[24, 24, 24],
        origin=[0, 1, 2],
        destination=[1, 0, 3],
        trips=[1.0, 2.0, 5.0],
        presence_night=[0, 0],
        presence_hour=[24, 24],
        presence_hex=[0, 5],
        presence=[10.0, 30.0],
        source="counts",
    )
    check = check_network(network, demand, min_count=-1)
    assert check.passed
    assert check_network(network, demand).unreached_trips_share is None, "of few"
    assert (check.unreached_hexes, check.unreached_presence_share, check.unreached_trips_share) == (1, 0.25, 0.375)
    assert "25.0% of presence and 37.5% of trips are out of reach" in str(check)


# both carriageways --------------------------------------------------------------------------------------------------------


def dual(width_m: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A road of two carriageways, 3 km long, joined at its ends: nodes every kilometre eastwards, one link westwards."""
    at = lonlat(FLAT, (-1500, 0), (-500, 0), (500, 0), (1500, 0), (1500, width_m), (-1500, width_m))
    nodes = {"node_id": list("abcdef"), "lon": at[:, 0], "lat": at[:, 1]}
    rows = [("a", "b", 1000.0), ("b", "c", 1000.0), ("c", "d", 1000.0), ("d", "e", width_m), ("e", "f", 3000.0), ("f", "a", width_m)]
    start, end, metres = zip(*rows, strict=True)
    links = {"from_node": start, "to_node": end, "length_m": metres, "freespeed_m_per_s": [10.0] * 6}
    return pl.DataFrame(nodes), pl.DataFrame(links)


def dual_network(width_m: float, **settings: Any) -> Network:  # noqa: ANN401  # settings of from_tables
    stops = {"lon": lonlat(FLAT, (-500, 0), (500, 0))[:, 0], "lat": lonlat(FLAT, (-500, 0), (500, 0))[:, 1], "name": ["b", "c"]}
    return Network.from_tables(*dual(width_m), FLAT, pl.DataFrame(stops), **settings)


def test_a_stop_lies_on_both_carriageways_of_its_road_and_the_way_back_is_cut_opposite_it() -> None:
    network = dual_network(40.0, speed_kmh=200)
    assert network.link(0, 1) == (100, 1000)
    assert network.link(1, 0) == (100, 1000)
    back = np.stack(FLAT.project(*network.link_line(1, 0).T), axis=1)
    assert back == pytest.approx(np.array([[500.0, 40.0], [-500.0, 40.0]]), abs=0.5)
    assert network.report is not None
    assert dict(network.report.counts)["stops on both carriageways of a road"] == 2


@pytest.mark.parametrize(("width_m", "settings"), [(40.0, {"opposite_m": 0}), (40.0, {"opposite_m": 39.5}), (101.0, {})])
def test_a_carriageway_that_is_too_far_away_is_another_road(width_m: float, settings: dict[str, float]) -> None:
    network = dual_network(width_m, speed_kmh=200, **settings)
    assert network.link(1, 0) == (round((5000 + 2 * width_m) / 10), round(5000 + 2 * width_m)), "round by both ends"
