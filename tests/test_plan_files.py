"""Plans come back from any GIS format and usual table with the same stops, and what was edited by hand counts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from test_network_use import STREETS

from owlbus.cli.app import run
from owlbus.common.errors import DataError
from owlbus.evidence.groups import read_groups
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import Plan, Route, match_plan, plan_measures, read_plan, write_plan

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(__file__).parents[2] / "shared"
LATTICE = Network.from_lattice(HexGrid.cover([(127.0, 37.5), (127.06, 37.5), (127.06, 37.55), (127.0, 37.55)]))


def drives(network: Network, seed: int, n_routes: int = 3) -> Plan:
    """Return routes that drive from link to link at random, some of which pass a stop twice."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    routes = []
    for number in range(n_routes):
        stops = [rng.randrange(network.n_stops)]
        for _ in range(rng.randrange(2, 30)):
            following = network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]].tolist()
            stops.append(rng.choice([stop for stop in following if stop not in stops] or following))
        routes.append(Route(stops, f"R{number}"))
    return Plan(tuple(routes), network.fingerprint)


def multi_3d(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return lines as MultiLineStrings with heights, in metres of Web Mercator."""
    return frame.set_geometry([shapely.MultiLineString([shapely.force_3d(line)]) for line in frame.geometry], crs=4326).to_crs(3857)


WAYS: dict[str, Callable[[gpd.GeoDataFrame, Path], Path]] = {
    "gpkg": lambda frame, folder: written(frame, folder / "a.gpkg", driver="GPKG"),
    "shp": lambda frame, folder: written(frame, folder / "a.shp", driver="ESRI Shapefile"),
    "kml": lambda frame, folder: written(frame, folder / "a.kml", driver="KML"),
    "fgb": lambda frame, folder: written(frame, folder / "a.fgb", driver="FlatGeobuf"),
    "geojson": lambda frame, folder: written(frame, folder / "a.geojson", driver="GeoJSON"),
    "5 decimals": lambda frame, folder: written(frame, folder / "b.geojson", driver="GeoJSON", COORDINATE_PRECISION=5),
    "multi": lambda frame, folder: written(multi_3d(frame), folder / "b.gpkg", driver="GPKG"),
    "parquet": lambda frame, folder: written(frame, folder / "a.parquet"),
    "gpx": lambda frame, folder: written(frame[["name", "geometry"]], folder / "a.gpx", driver="GPX", layer="routes"),
}
"""Round trips through geopandas."""


def written(frame: gpd.GeoDataFrame, path: Path, **options: Any) -> Path:  # noqa: ANN401 - options of a driver
    """Write a frame and return its path."""
    if options:
        frame.to_file(path, **options)
    else:
        frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def feed_network() -> Network:
    """Return the network of a real feed."""
    feed = SHARED / "cases" / "gtfs" / "cairns_gtfs.zip"
    if not feed.is_file():
        pytest.skip("needs ../shared/cases/gtfs/cairns_gtfs.zip")
    return Network.from_gtfs(feed)


def by_name(plan: Plan) -> dict[str, list[int]]:
    """Return the stops of each route by name; some formats sort features."""
    return {route.name: route.stops.tolist() for route in plan}


# round trips --------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
@pytest.mark.parametrize("with_stops", [True, False], ids=["stops", "lines alone"])
def test_a_plan_comes_back_with_the_same_stops_from_any_format(tmp_path: Path, network: Network, way: str, with_stops: bool) -> None:  # noqa: FBT001
    for seed in range(4):
        plan = drives(network, seed)
        write_plan(tmp_path / "plan.geojson", network, plan)
        frame = gpd.read_file(tmp_path / "plan.geojson")
        path = WAYS[way](frame if with_stops else frame[["name", "geometry"]], tmp_path)
        match = match_plan(path, network)
        assert by_name(match.plan) == by_name(plan)
        assert not any(route.change for route in match.routes)
        for file in tmp_path.glob("[ab].*"):
            file.unlink()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", sorted(set(WAYS) - {"gpx"}))
def test_a_plan_on_a_feed_comes_back_with_the_same_stops_where_the_file_keeps_its_list(
    tmp_path: Path, feed_network: Network, way: str
) -> None:
    plan = drives(feed_network, 1)
    write_plan(tmp_path / "plan.geojson", feed_network, plan)
    assert by_name(read_plan(WAYS[way](gpd.read_file(tmp_path / "plan.geojson"), tmp_path), feed_network)) == by_name(plan)


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
def test_lines_alone_on_a_feed_come_back_with_the_same_kilometres_to_the_metre(tmp_path: Path, feed_network: Network, way: str) -> None:
    plan = drives(feed_network, 2)
    write_plan(tmp_path / "plan.geojson", feed_network, plan)
    back = read_plan(WAYS[way](gpd.read_file(tmp_path / "plan.geojson")[["name", "geometry"]], tmp_path), feed_network)
    lengths = [dict(zip(p.names, plan_measures(feed_network, p).length_m.tolist(), strict=True)) for p in (plan, back)]
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
def test_a_geopackage_of_a_plan_is_read_back_equal(tmp_path: Path, network: Network) -> None:
    plan = drives(network, 5)
    write_plan(tmp_path / "plan.gpkg", network, plan)
    match = match_plan(tmp_path / "plan.gpkg", network)
    assert match.plan.equals(plan)
    assert all(route.is_own for route in match.routes)
    assert gpd.read_file(tmp_path / "plan.gpkg", layer="routes")["length_m"].tolist() == plan_measures(network, plan).length_m.tolist()
    assert len(gpd.read_file(tmp_path / "plan.gpkg", layer="stops")) == plan.used_stops.size


# edits --------------------------------------------------------------------------------------------------------------------


def straight(network: Network) -> Plan:
    """Return one route across the network."""
    return Plan((Route(network.shortest_path(0, network.n_stops - 1), "A"),), network.fingerprint)


@pytest.mark.parametrize("keeps_fingerprint", [True, False])
def test_a_line_moved_by_hand_wins_over_its_list_of_stops_and_the_rest_stays(tmp_path: Path, keeps_fingerprint: bool) -> None:  # noqa: FBT001
    plan = straight(LATTICE)
    stops = plan.routes[0].stops.tolist()
    middle = len(stops) // 2
    around = set(LATTICE.link_to[LATTICE.link_indptr[stops[middle]] : LATTICE.link_indptr[stops[middle] + 1]].tolist())
    moved = min(around - set(stops))
    write_plan(tmp_path / "plan.geojson", LATTICE, plan)
    document = json.loads((tmp_path / "plan.geojson").read_text())
    document["features"][0]["geometry"]["coordinates"][middle] = [float(LATTICE.stop_lon[moved]), float(LATTICE.stop_lat[moved])]
    if not keeps_fingerprint:
        del document["network"]
    (tmp_path / "plan.geojson").write_text(json.dumps(document))
    match = match_plan(tmp_path / "plan.geojson", LATTICE)
    found = match.plan.routes[0].stops.tolist()
    assert moved in found
    assert found[: middle - 1] == stops[: middle - 1]
    assert found[-(len(stops) - middle - 2) :] == stops[middle + 2 :]
    (message,) = match.messages
    assert "route 'A': the line was changed and wins over its list of stops" in message
    assert LATTICE.stop_names[moved] in message


def test_a_line_cut_short_ends_where_it_was_cut(tmp_path: Path) -> None:
    plan = straight(STREETS)
    stops = plan.routes[0].stops.tolist()
    write_plan(tmp_path / "plan.geojson", STREETS, plan)
    document = json.loads((tmp_path / "plan.geojson").read_text())
    line = document["features"][0]["geometry"]["coordinates"]
    end = [round(float(STREETS.stop_lon[stops[-2]]), 6), round(float(STREETS.stop_lat[stops[-2]]), 6)]
    document["features"][0]["geometry"]["coordinates"] = line[: line.index(end) + 1]
    (tmp_path / "plan.geojson").write_text(json.dumps(document))
    match = match_plan(tmp_path / "plan.geojson", STREETS)
    assert match.plan.routes[0].stops.tolist() == stops[:-1]
    assert "nothing in place of" in match.routes[0].change


def test_a_line_drawn_densely_along_its_streets_is_matched_to_the_stops_there(tmp_path: Path) -> None:
    plan = straight(STREETS)
    write_plan(tmp_path / "plan.geojson", STREETS, plan)
    frame = gpd.read_file(tmp_path / "plan.geojson")[["name", "geometry"]].to_crs(3857)
    frame["geometry"] = shapely.segmentize(shapely.transform(frame.geometry.to_numpy(), lambda at: at + 20.0), 15.0)
    match = match_plan(written(frame.to_crs(4326), tmp_path / "dense.gpkg", driver="GPKG"), STREETS)
    length_m, known_m = (plan_measures(STREETS, p).total_length_m for p in (match.plan, plan))
    assert length_m == pytest.approx(known_m, rel=0.1)
    assert match.messages == ()


# GeoJSON of any nesting ---------------------------------------------------------------------------------------------------


def line_of(stops: list[int]) -> list[list[float]]:
    """Return positions of stops of the lattice."""
    return [[float(LATTICE.stop_lon[stop]), float(LATTICE.stop_lat[stop])] for stop in stops]


PATH = LATTICE.shortest_path(0, LATTICE.n_stops - 1).tolist()


@pytest.mark.parametrize(
    "document",
    [
        {"type": "LineString", "coordinates": line_of(PATH)},
        {"type": "MultiLineString", "coordinates": [line_of(PATH)]},
        {"type": "MultiLineString", "coordinates": [line_of(PATH[:3]), line_of(PATH[2:])]},
        {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": line_of(PATH)}]},
        {"type": "Feature", "properties": None, "geometry": {"type": "LineString", "coordinates": line_of(PATH)}},
        {"type": "LineString", "coordinates": [[*position, 31.5] for position in line_of(PATH)]},
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {"Name": "x"}, "geometry": {"type": "LineString", "coordinates": line_of(PATH)}},
                {"type": "Feature", "properties": {}, "geometry": None},
            ],
        },
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"route_id": "x", "stop_sequence": str(10 * k)},
                    "geometry": {"type": "Point", "coordinates": position},
                }
                for k, position in reversed(list(enumerate(line_of(PATH))))
            ],
        },
    ],
)
def test_geojson_of_any_nesting_is_a_plan(tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(document))
    assert [route.stops.tolist() for route in read_plan(tmp_path / "plan.json", LATTICE)] == [PATH]


def test_the_stated_system_of_a_geojson_is_obeyed(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.LineString(line_of(PATH))], crs=4326).to_crs(3857)
    coordinates = [list(position) for position in frame.geometry[0].coords]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    (tmp_path / "plan.json").write_text(json.dumps({"type": "LineString", "coordinates": coordinates, "crs": crs}))
    assert read_plan(tmp_path / "plan.json", LATTICE).routes[0].stops.tolist() == PATH
    (tmp_path / "plan.json").write_text(json.dumps({"type": "LineString", "coordinates": coordinates}))
    with pytest.raises(DataError, match=r"plan\.json: route 'route 1': positions look like metres of a projected system"):
        read_plan(tmp_path / "plan.json", LATTICE)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([line_of(PATH[:2]), line_of(PATH[3:])], "has 2 lines, and line 2 does not begin where the one before it ends; join them"),
        ([line_of(PATH), line_of(PATH[::-1])], "has two lines that look like both directions; keep the line of the first direction"),
    ],
)
def test_lines_that_are_not_one_way_are_refused(tmp_path: Path, parts: list[Any], message: str) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"type": "MultiLineString", "coordinates": parts}))
    with pytest.raises(DataError, match=message):
        read_plan(tmp_path / "plan.json", LATTICE)


def test_points_beside_lines_and_lines_of_direction_1_are_left_out_with_a_note(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"name": "x", "direction": d}, "geometry": {"type": "LineString", "coordinates": line}}
        for d, line in ((0, line_of(PATH)), (1, line_of(PATH[::-1])))
    ]
    features.append({"type": "Feature", "properties": {"name": "stop"}, "geometry": {"type": "Point", "coordinates": line_of(PATH)[0]}})
    (tmp_path / "plan.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    match = match_plan(tmp_path / "plan.json", LATTICE)
    assert by_name(match.plan) == {"x": PATH}
    assert [note.partition(";")[0] for note in match.notes] == ["left out: 1 point beside the lines", "left out: 1 line of direction 1"]


# tables -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["route_id,stop_sequence,stop_lon,stop_lat", "Line,order,longitude,latitude", "name,seq,x,y"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [".", ","])
def test_tables_with_usual_names_separators_and_decimal_marks_are_read(tmp_path: Path, head: str, separator: str, mark: str) -> None:
    if separator == mark:
        mark = "."
    rows = [separator.join(["x", str(k), *(str(value).replace(".", mark) for value in at)]) for k, at in enumerate(line_of(PATH))]
    (tmp_path / "plan.csv").write_text("\n".join([head.replace(",", separator), *rows[::-1], ""]))
    assert by_name(read_plan(tmp_path / "plan.csv", LATTICE)) == {"x": PATH}


# given files --------------------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("name", ["p_multi1.geojson", "p_points.geojson", "p_feature.geojson", "p.kml", "p.shp"])
def test_the_given_plans_have_the_routes_and_kilometres_of_their_base(feed_network: Network, name: str) -> None:
    folder = SHARED / "cases" / "reports" / "plans"
    base, plan = (read_plan(folder / file, feed_network, max_snap_m=3000) for file in ("p_base.geojson", name))
    names = {"A"} if name in {"p_feature.geojson", "p.kml"} else {"A", "B"}
    assert set(plan.names) == names
    assert by_name(plan) == {route: stops for route, stops in by_name(base).items() if route in names}


@pytest.mark.parametrize(("name", "driver"), [("d.gpkg", "GPKG"), ("d.shp", "ESRI Shapefile"), ("d.fgb", "FlatGeobuf")])
def test_districts_of_any_format_are_groups_as_in_geojson(tmp_path: Path, name: str, driver: str) -> None:
    boxes = [shapely.box(127.0, 37.5, 127.03, 37.56), shapely.box(127.03, 37.5, 127.07, 37.56)]
    frame = gpd.GeoDataFrame({"gu": ["west", "east"]}, geometry=boxes, crs=4326)
    frame.to_file(tmp_path / "d.geojson", driver="GeoJSON")
    frame.to_crs(3857).to_file(tmp_path / name, driver=driver)
    known = read_groups(f"{tmp_path / 'd.geojson'}:gu", LATTICE.grid)
    assert set(known) >= {"west", "east"}
    assert read_groups(f"{tmp_path / name}:gu", LATTICE.grid).tolist() == known.tolist()


# the command line ---------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_command_tells_once_what_matching_did_and_json_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    folder = SHARED / "cases" / "reports" / "loopline"
    if not folder.is_dir():
        pytest.skip("needs ../shared/cases/reports/loopline")
    files = {name: str(folder / f"{name}.csv") for name in ("line", "taxi", "nodes", "links", "stops")}
    network = ["--nodes", files["nodes"], "--links", files["links"], "--stops", files["stops"]]
    assert run(["score", files["line"], files["taxi"], *network, "--reference", files["line"], "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.count("line.csv: route 'A': 53.8 km on the network for a line of 35.4 (1.52 times)") == 1
    (route,) = json.loads(out)["plan_matching"]["line.csv"]["routes"]
    assert (route["waypoints"], route["length_m"], route["length_back_m"], route["drawn_m"]) == (75, 42513, 53810, 35447)
    assert route["warning"].startswith("route 'A': 53.8 km")


@pytest.mark.real
def test_score_saves_the_matched_plan_as_geopackage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = SHARED / "cases" / "reports" / "loopline"
    if not folder.is_dir():
        pytest.skip("needs ../shared/cases/reports/loopline")
    network = ["--nodes", str(folder / "nodes.csv"), "--links", str(folder / "links.csv"), "--stops", str(folder / "stops.csv")]
    saved = str(tmp_path / "saved.gpkg")
    assert run(["score", str(folder / "line.csv"), str(folder / "taxi.csv"), *network, "--save", saved, "--json", "-q"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert run(["score", saved, str(folder / "taxi.csv"), *network, "--json", "-q"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert "plan_matching" in first
    assert "plan_matching" not in second
    assert {**first["plan"], "name": ""} == {**second["plan"], "name": ""}


@pytest.mark.real
def test_stop_tables_are_read_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seoul = SHARED / "seoul"
    if not seoul.is_dir():
        pytest.skip("needs ../shared/seoul")
    files = ["--nodes", str(seoul / "street_stops.csv"), "--links", str(seoul / "street_links.csv")]
    assert run(["network", *files, "--city", "seoul", "--road-factor", "1.2", "--out", str(tmp_path / "net"), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["stops"] == 4654


def test_positions_of_another_network_are_used_where_the_line_runs_past_them(tmp_path: Path) -> None:
    grid = HexGrid.cover([(10.0, 50.0), (10.05, 50.0), (10.05, 50.03), (10.0, 50.03)])
    other = Network.from_lattice(grid)
    plan = straight(STREETS)
    write_plan(tmp_path / "plan.geojson", STREETS, plan)
    found = read_plan(tmp_path / "plan.geojson", other)
    near = other.nearest_stops(STREETS.stop_lon[plan.routes[0].stops], STREETS.stop_lat[plan.routes[0].stops])[0]
    assert len(np.intersect1d(near, found.routes[0].stops)) >= len(np.unique(near)) - 1
