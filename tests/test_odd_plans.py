"""Plans and districts of every odd kind are read right or refused in one line."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
import subprocess
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from test_network_use import STREETS
from test_plan_files import LATTICE, PATH, SHARED, drives, line_of, straight

from owlbus.cli.app import run
from owlbus.cli.plan_files import is_feed
from owlbus.common.errors import DataError
from owlbus.demand import Demand
from owlbus.evidence.groups import read_groups
from owlbus.grid.hexgrid import HexGrid
from owlbus.grid.outline import read_area
from owlbus.network import Network
from owlbus.plan import match_plan, read_plan, write_plan
from owlbus.plan.same_course import is_same_course
from owlbus.score import score_plan

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus.plan import Plan

POSITIONS = line_of(PATH)
LINE = {"type": "LineString", "coordinates": POSITIONS}
ROWS = [("A", k, lon, lat) for k, (lon, lat) in enumerate(POSITIONS)]
HEAD = "route,sequence,lon,lat"
CSV = "\n".join([HEAD, *(",".join(map(str, row)) for row in ROWS)]) + "\n"
NAMES = "\n".join(["Linie;Reihenfolge;Haltestelle", *(f"A;{k};{LATTICE.stop_names[stop]}" for k, stop in enumerate(PATH))])


def features(*rows: tuple[Any, dict[str, Any]], **members: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Return a FeatureCollection of geometries with properties."""
    listed = [{"type": "Feature", "properties": about, "geometry": shape} for shape, about in rows]
    return json.dumps({"type": "FeatureCollection", **members, "features": listed}, ensure_ascii=False).encode()


def of(*positions: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a line through positions."""
    return {"type": "LineString", "coordinates": list(positions)}


def archive(folder: Path, **members: str) -> bytes:
    """Return a ZIP archive of files by name; underscores stand for dots."""
    with zipfile.ZipFile(folder / "made.zip", "w") as target:
        for name, text in members.items():
            target.writestr(f"export/{name.replace('_', '.')}", text)
    return (folder / "made.zip").read_bytes()


READ: dict[str, bytes] = {
    "a.geojson with a mark": b"\xef\xbb\xbf" + features((LINE, {"name": "A"})),
    "utf16.geojson": features((LINE, {"name": "A"})).decode().encode("utf-16"),
    "lines.geojsonl": json.dumps({"type": "Feature", "properties": {"name": "A"}, "geometry": LINE}).encode(),
    "sequence.geojsons": b"\x1e" + json.dumps({"type": "Feature", "properties": {"name": "A"}, "geometry": LINE}).encode() + b"\n",
    "list.json": json.dumps([{"type": "Feature", "properties": {"name": "A"}, "geometry": LINE}]).encode(),
    "rows.json": json.dumps([dict(zip(HEAD.split(","), row, strict=True)) for row in ROWS]).encode(),
    "topology.json": json.dumps(
        {"type": "Topology", "objects": {"a": {"type": "LineString", "arcs": [0], "properties": {"name": "A"}}}, "arcs": [POSITIONS]}
    ).encode(),
    "esri.json": json.dumps(
        {
            "geometryType": "esriGeometryPolyline",
            "spatialReference": {"wkid": 4326},
            "fields": [{"name": "name", "type": "esriFieldTypeString"}],
            "features": [{"attributes": {"name": "A"}, "geometry": {"paths": [POSITIONS]}}],
        }
    ).encode(),
    "measures.geojson": features((of(*([*position, 31.5, 7.0] for position in POSITIONS)), {"name": "A"})),
    "one height.geojson": features((of([*POSITIONS[0], 3.0], *POSITIONS[1:]), {"name": "A"})),
    "nested.geojson": features(
        (functools.reduce(lambda inner, _: {"type": "GeometryCollection", "geometries": [inner]}, range(30), LINE), {"name": "A"})
    ),
    "halves of one name.geojson": features((of(*POSITIONS[:4]), {"name": "A"}), (of(*POSITIONS[3:]), {"name": "A"})),
    "parts in any order.geojson": features(({"type": "MultiLineString", "coordinates": [POSITIONS[3:], POSITIONS[:4]]}, {"name": "A"})),
    "there and back.geojson": features((LINE, {"name": "A"}), (of(*POSITIONS[::-1]), {"name": "A"})),
    "inbound.geojson": features((LINE, {"name": "A", "direction": "in"}), (of(*POSITIONS[::-1]), {"name": "A", "direction": "out"})),
    "lost list.geojson": features((LINE, {"name": "A", "stops": "(63:1,2,3...)"})),
    "list of nonsense.geojson": features((LINE, {"name": "A", "stops": [-1, 10**9], "stop_lonlat": [[1], "x"]}), network=12),
    "crlf.csv": CSV.replace("\n", "\r\n").encode(),
    "old.csv": CSV.replace("\n", "\r").encode(),
    "utf16.csv": CSV.encode("utf-16"),
    "korean.csv": CSV.replace(HEAD, "노선명,순번,경도,위도").encode("cp949"),
    "german.csv": CSV.replace(HEAD, "Linie,Reihenfolge,Längengrad,Breitengrad").replace(",", ";").replace(".", ",").encode("cp1252"),
    "french.csv": CSV.replace(HEAD, "Ligne,Ordre,Longitude,Latitude").encode(),
    "spanish.csv": CSV.replace(HEAD, "Línea,Orden,Longitud,Latitud").encode(),
    "quoted.csv": "\n".join([HEAD, *(f'A,{k},"{lon}","{lat}"'.replace(".", ",") for _, k, lon, lat in ROWS)]).encode(),
    "directions 1 and 2.csv": "\n".join(
        [f"{HEAD},direction", *(f"A,{k},{lon},{lat},{d}" for d in (1, 2) for _, k, lon, lat in ROWS)]
    ).encode(),
    "wkt.csv": f"name;WKT\nA;{shapely.LineString(POSITIONS).wkt}\n".encode(),
    "names.csv": NAMES.encode(),
    "packed.geojson.gz": gzip.compress(features((LINE, {"name": "A"}))),
    "bare.gpx": (
        "<gpx version='1.1' xmlns='http://www.topografix.com/GPX/1/1'><rte><name>A</name>"
        + "".join(f"<rtept lat='{lat}' lon='{lon}'/>" for lon, lat in POSITIONS)
        + "</rte></gpx>"
    ).encode(),
}
"""Files with one route along `PATH`."""


@pytest.mark.parametrize("name", READ)
def test_an_odd_file_with_one_route_is_read_as_that_route(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(READ[name])
    assert [route.stops.tolist() for route in read_plan(tmp_path / name, LATTICE)] == [PATH]


REFUSED: dict[str, tuple[bytes, str]] = {
    "null.geojson": (features((None, {"name": "A"})), "route 'A' must be a LineString .* got no geometry in feature 1"),
    "empty.geojson": (features((of(), {"name": "A"})), "got an empty LineString in feature 1"),
    "nothing.geojson": (b'{"type": "FeatureCollection", "features": null}', "this file holds none"),
    "polygon.geojson": (features((shapely.geometry.mapping(shapely.box(127, 37.5, 127.1, 37.6)), {})), "got Polygon in feature 1"),
    "swapped.geojson": (features((of(*(position[::-1] for position in POSITIONS)), {})), "the two axes look swapped"),
    "metres.geojson": (features((of([14137575.0, 4509031.0], [14140000.0, 4509031.0]), {})), "look like metres"),
    "nan.geojson": (features((of([float("nan"), 37.5], *POSITIONS), {})), "longitude in .* got \\(nan, 37.5\\)"),
    "short.geojson": (features((of([127.0], *POSITIONS), {})), "feature 1 must have .* positions, got a broken LineString"),
    "comma.geojson": (features((LINE, {}))[:-2] + b",]}", "not valid JSON in line 1, column"),
    "deep.geojson": (b'{"type": "FeatureCollection", "features": ' + b"[" * 100_000, "not valid JSON: nested too deeply"),
    "two routes.geojson": (
        features((LINE, {"name": "A"}), (of(*POSITIONS[:4]), {"name": "A"})),
        "give each line a feature and a name of its own",
    ),
    "no name.geojson": (
        features(*(({"type": "Point", "coordinates": at}, {"route": None, "sequence": k}) for k, at in enumerate(POSITIONS))),
        "a route needs a name",
    ),
    "bytes.bin": (bytes(range(256)), "a plan must be text, a table or a GIS file"),
    "twice.csv": (b"route,sequence,lon,lon,lat\nA,1,127,127,37.5\n", "the column 'lon' stands there more than once"),
    "degrees.csv": (CSV.replace("\n", "°\n").encode(), "a way-point table needs the column 'lat'"),
    "unknown.csv": (b"route,sequence,stop_name\nA,1,Nowhere\nA,2,q0r0\n", "the network has no stop 'Nowhere' .1 of 2 names unknown."),
    "ids.csv": (b"route,sequence,stop_id\nA,1,3\nA,2,4\n", "needs the column 'lon'"),
    "broken.csv": (f"name;WKT\nA;{shapely.LineString(POSITIONS).wkt}\nB;LINESTRING(1\n".encode(), "WKT must be .* none on line 3"),
    "cut.gpkg": (b"SQLite format 3\0" + bytes(200), "cannot be read as a GIS file"),
}
"""Files that are no plan, and what must be said."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_plan(tmp_path / name, LATTICE)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


def test_way_points_in_parquet_and_sheets_are_read(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS, HEAD.split(","), orient="row")
    frame.write_parquet(tmp_path / "a.parquet")
    assert [route.stops.tolist() for route in read_plan(tmp_path / "a.parquet", LATTICE)] == [PATH]
    pytest.importorskip("xlsxwriter")
    pytest.importorskip("fastexcel")
    frame.write_excel(tmp_path / "a.xlsx")
    assert [route.stops.tolist() for route in read_plan(tmp_path / "a.xlsx", LATTICE)] == [PATH]


def test_of_stops_with_one_name_the_nearer_ones_make_the_route() -> None:
    from dataclasses import replace

    names = [f"s{k}" for k in range(LATTICE.n_stops)]
    for stop in (PATH[2], LATTICE.n_stops - 1 if PATH[2] != LATTICE.n_stops - 1 else 0):
        names[stop] = "Markt"
    network = replace(LATTICE, stop_names=tuple(names))
    from owlbus.plan.drawn_route import DrawnRoute
    from owlbus.plan.match_route import RouteMatcher

    drawn = DrawnRoute("A", np.empty((0, 2)), stop_names=(names[PATH[1]], "MARKT", names[PATH[3]]))
    assert RouteMatcher(network, 500.0).match(drawn)[0].stops.tolist() == PATH[1:4]


# archives -----------------------------------------------------------------------------------------------------------------


def test_an_archive_is_told_by_its_members(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"name": ["A"]}, geometry=[shapely.LineString(POSITIONS)], crs=4326)
    frame.to_file(tmp_path / "a.shp")
    with zipfile.ZipFile(tmp_path / "shape.zip", "w") as target:
        for part in tmp_path.glob("a.*"):
            target.write(part, f"export/{part.name}")
    (tmp_path / "json.zip").write_bytes(archive(tmp_path, plan_geojson=features((LINE, {"name": "A"})).decode()))
    frame.to_file(tmp_path / "a.kmz", driver="LIBKML")
    for name in ("shape.zip", "json.zip", "a.kmz"):
        assert not is_feed(tmp_path / name)
        assert [route.stops.tolist() for route in read_plan(tmp_path / name, LATTICE)] == [PATH]
    (tmp_path / "feed.zip").write_bytes(archive(tmp_path, stops_txt="stop_id\n", locations_geojson="{}"))
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "stops.txt").write_text("stop_id\n")
    assert is_feed(tmp_path / "feed.zip")
    assert is_feed(tmp_path / "feed")


# edits --------------------------------------------------------------------------------------------------------------------


def edited(network: Network, plan: Plan, folder: Path, change: Any) -> Any:  # noqa: ANN401 - a function of positions
    """Return the match of a plan whose first line was changed."""
    write_plan(folder / "plan.geojson", network, plan)
    document = json.loads((folder / "plan.geojson").read_text())
    geometry = document["features"][0]["geometry"]
    geometry["coordinates"] = change(np.array(geometry["coordinates"])).tolist()
    (folder / "plan.geojson").write_text(json.dumps(document))
    return match_plan(folder / "plan.geojson", network)


def in_metres(network: Network, line: Any, change: Any) -> Any:  # noqa: ANN401 - shapely ships no types
    """Return a line after a change of its geometry in metres."""
    moved = shapely.get_coordinates(change(shapely.LineString(np.stack(network.grid.project(line[:, 0], line[:, 1]), axis=1))))
    return np.stack(network.grid.unproject(moved[:, 0], moved[:, 1]), axis=1)


@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
def test_more_or_fewer_vertices_change_no_stop(tmp_path: Path, network: Network) -> None:
    for seed in range(4):
        plan = drives(network, seed)
        for change in (lambda line: shapely.segmentize(line, 20.0), lambda line: line.simplify(10.0)):
            match = edited(network, plan, tmp_path, lambda line, change=change: in_metres(network, line, change))
            assert match.plan.equals(plan)
            assert match.messages == ()


@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
def test_a_line_turned_round_turns_its_list_of_stops(tmp_path: Path, network: Network) -> None:
    plan = straight(network)
    match = edited(network, plan, tmp_path, lambda line: line[::-1])
    assert match.plan.routes[0].stops.tolist() == plan.routes[0].stops.tolist()[::-1]
    assert match.messages == ("route 'A': the line runs the other way than its list of stops, and wins",)


def test_a_vertex_moved_by_less_than_a_street_changes_no_stop(tmp_path: Path) -> None:
    plan = straight(STREETS)

    def nudged(line: Any) -> Any:  # noqa: ANN401 - an array
        line = line.copy()
        line[len(line) // 2] += (3e-4, 0.0)
        return line

    assert edited(STREETS, plan, tmp_path, nudged).plan.equals(plan)


def test_positions_of_stops_stand_for_a_list_that_a_format_lost(tmp_path: Path) -> None:
    for seed in range(4):
        plan = drives(STREETS, seed)
        write_plan(tmp_path / "plan.geojson", STREETS, plan)
        document = json.loads((tmp_path / "plan.geojson").read_text())
        for feature in document["features"]:
            feature["properties"]["stops"] = "(63:1,2,3...)"
        (tmp_path / "plan.geojson").write_text(json.dumps(document))
        match = match_plan(tmp_path / "plan.geojson", STREETS)
        assert match.plan.equals(plan)
        assert all(route.is_own for route in match.routes)


def test_lengths_that_differ_without_a_list_of_stops_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_bytes(features((LINE, {"name": "A", "length_m": 99_000, "length_back_m": 98_000})))
    (message,) = match_plan(tmp_path / "a.geojson", LATTICE).messages
    assert "holds no whole list of its stops" in message
    assert "by the file 99.0 km forth and 98.0 back" in message


def test_lines_of_one_course_are_near_and_run_the_same_way() -> None:
    line = np.array([[0.0, 0.0], [500.0, 0.0], [500.0, 500.0]])
    assert is_same_course(line, line + 10.0)
    assert not is_same_course(line, line + 12.0)
    assert not is_same_course(line, line[::-1])
    there = np.array([[0.0, 0.0], [1000.0, 0.0], [0.0, 0.0], [-1000.0, 0.0], [0.0, 0.0]])
    assert not is_same_course(there, -there)


# round trips --------------------------------------------------------------------------------------------------------------


def scorecard(network: Network, plan: Plan) -> str:
    """Return the scorecard of a plan as JSON, routes by name."""
    from owlbus.plan import Plan

    n = network.grid.n_hexes
    pairs = np.sort(np.random.default_rng(1).choice(n * n, 300, replace=False))
    pairs = pairs[pairs // n != pairs % n]
    demand = Demand(n, origin=pairs // n, destination=pairs % n, trips=np.arange(1, pairs.size + 1) / 4)
    routes = sorted(plan, key=lambda route: route.name)
    return json.dumps(score_plan(network, demand, Plan(tuple(routes), network.fingerprint), min_count=-1).to_dict())


OGR = {
    "gpkg": ("GPKG", []),
    "shp": ("ESRI Shapefile", ["-lco", "ENCODING=UTF-8"]),
    "kml": ("KML", []),
    "gml": ("GML", []),
    "geojsonl": ("GeoJSONSeq", []),
    "tab": ("MapInfo File", ["-lco", "ENCODING=UTF-8"]),
    "mif": ("MapInfo File", []),
    "csv": ("CSV", ["-lco", "GEOMETRY=AS_WKT"]),
    "gpx": ("GPX", ["-select", "name"]),
}


@pytest.mark.parametrize("ending", OGR)
@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
def test_a_round_trip_through_ogr2ogr_gives_the_same_scorecard(tmp_path: Path, network: Network, ending: str) -> None:
    if shutil.which("ogr2ogr") is None:
        pytest.skip("needs ogr2ogr (gdal-bin)")
    plan = drives(network, 7)
    write_plan(tmp_path / "plan.geojson", network, plan)
    driver, options = OGR[ending]
    command = ["ogr2ogr", "-f", driver, *options, str(tmp_path / f"a.{ending}"), str(tmp_path / "plan.geojson")]
    subprocess.run(command, check=True, capture_output=True)
    assert scorecard(network, read_plan(tmp_path / f"a.{ending}", network)) == scorecard(network, plan)


@pytest.mark.parametrize("network", [LATTICE, STREETS], ids=["lattice", "streets"])
@pytest.mark.parametrize("decimals", [5, 6, 15])
def test_a_round_trip_through_geojson_as_qgis_writes_it_gives_the_same_scorecard(tmp_path: Path, network: Network, decimals: int) -> None:
    plan = drives(network, 8)
    write_plan(tmp_path / "plan.geojson", network, plan)
    rows = []
    for number, feature in enumerate(json.loads((tmp_path / "plan.geojson").read_text())["features"], start=1):
        line = [[round(value, decimals) for value in position] for position in feature["geometry"]["coordinates"]]
        about = {"fid": number, **dict(reversed(feature["properties"].items()))}
        rows.append(({"type": "MultiLineString", "coordinates": [line]}, about))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    (tmp_path / "qgis.geojson").write_bytes(features(*rows, name="plan", crs=crs))
    assert scorecard(network, read_plan(tmp_path / "qgis.geojson", network)) == scorecard(network, plan)
    assert all(network.link(u, v) for route in plan for u, v in pairwise(route.stops.tolist()))


# areas and districts ------------------------------------------------------------------------------------------------------

BOX = shapely.geometry.mapping(shapely.box(126.9, 37.4, 127.1, 37.6))
DISTRICTS: dict[str, bytes] = {
    "mark.geojson": b"\xef\xbb\xbf" + features((BOX, {"name": "강남"})),
    "utf16.geojson": features((BOX, {"name": "강남"})).decode().encode("utf-16"),
    "null beside.geojson": features((None, {"name": "x"}), (BOX, {"name": "강남"})),
    "heights.geojson": features(
        ({"type": "Polygon", "coordinates": [[[*position, 1.0, 2.0] for position in BOX["coordinates"][0]]]}, {"name": "강남"})
    ),
    "lines.geojsonl": json.dumps({"type": "Feature", "properties": {"name": "강남"}, "geometry": BOX}).encode(),
    "list.geojson": json.dumps([{"type": "Feature", "properties": {"name": "강남"}, "geometry": BOX}]).encode(),
    "feature.geojson": json.dumps({"type": "Feature", "properties": {"name": "강남"}, "geometry": BOX}).encode(),
    "system.geojson": features(
        (
            shapely.geometry.mapping(gpd.GeoSeries([shapely.geometry.shape(BOX)], crs=4326).to_crs(3857)[0]),
            {"name": "강남"},
        ),
        crs={"type": "name", "properties": {"name": "EPSG:3857"}},
    ),
}


@pytest.mark.parametrize("name", DISTRICTS)
def test_an_odd_file_of_one_district_is_an_area_and_a_group(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DISTRICTS[name])
    assert set(read_groups(f"{tmp_path / name}:name", LATTICE.grid).tolist()) == {"강남"}
    assert shapely.equals_exact(read_area(tmp_path / name).normalize(), shapely.geometry.shape(BOX).normalize(), 1e-9)


def test_a_plan_is_no_table_of_districts(tmp_path: Path) -> None:
    (tmp_path / "plan.geojson").write_bytes(features((LINE, {"name": "A"})))
    with pytest.raises(DataError, match=r"plan\.geojson: districts must be polygons or points, got LineString; draw their areas"):
        read_groups(f"{tmp_path / 'plan.geojson'}:name", LATTICE.grid)


def test_an_odd_plan_on_the_command_line_ends_with_3_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.geojson").write_bytes(REFUSED["nan.geojson"][0])
    assert run(["score", str(tmp_path / "a.geojson"), "-q"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_round_trip_through_a_feed_gives_the_same_scorecard(tmp_path: Path) -> None:
    from owlbus.gtfs import read_gtfs, write_gtfs
    from owlbus.timetable import build_timetable

    n = STREETS.grid.n_hexes
    demand = Demand(n, origin=np.arange(n - 1), destination=np.arange(1, n), trips=np.full(n - 1, 2.0))
    plan = drives(STREETS, 9)
    write_gtfs(tmp_path / "feed.zip", STREETS, build_timetable(STREETS, demand, plan)[0])
    assert scorecard(STREETS, read_gtfs(tmp_path / "feed.zip", STREETS).plan) == scorecard(STREETS, plan)


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")
def test_round_trips_on_the_streets_of_seoul_and_on_a_feed_give_the_same_scorecard(tmp_path: Path) -> None:
    if not (SHARED / "seoul").is_dir():
        pytest.skip("needs ../shared/seoul and ../shared/cases/gtfs")
    grid = HexGrid.cover([(126.76, 37.41), (127.19, 37.41), (127.19, 37.71), (126.76, 37.71)])
    nodes, links = (pl.read_csv(SHARED / "seoul" / f"street_{name}.csv") for name in ("stops", "links"))
    seoul = Network.from_tables(nodes, links, grid, road_factor=1.2)
    for network in (seoul, Network.from_gtfs(SHARED / "cases" / "gtfs" / "cairns_gtfs.zip")):
        plan = drives(network, 10)
        write_plan(tmp_path / "plan.geojson", network, plan)
        write_plan(tmp_path / "own.gpkg", network, plan)
        frame = gpd.read_file(tmp_path / "plan.geojson")
        frame.to_file(tmp_path / "other.gpkg", driver="GPKG")
        frame.to_crs(3857).to_file(tmp_path / "metres.geojson", driver="GeoJSON")
        for name in ("own.gpkg", "other.gpkg", "metres.geojson"):
            assert scorecard(network, read_plan(tmp_path / name, network)) == scorecard(network, plan)
