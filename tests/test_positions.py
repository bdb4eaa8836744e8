"""Positions in every form that records have: read as meant, or refused in one line; never elsewhere."""

from __future__ import annotations

import json
import pickle
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import polars as pl
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, OwlbusError, UsageError
from owlbus.common.units import NightWindow
from owlbus.demand import estimate_demand
from owlbus.grid.axes import is_placeholder, looks_projected, swapped_axes
from owlbus.grid.gis_files import lonlat_table, read_gis_points
from owlbus.grid.hexgrid import HexGrid
from owlbus.grid.outline import outline_of, read_area
from owlbus.grid.reference_systems import to_degrees
from owlbus.network.from_tables import read_roads, read_stops
from owlbus.pipeline import checkpoint
from owlbus.plan.read import read_plan
from owlbus.records import open_sources, read_batches
from owlbus.records.angles import angles
from owlbus.records.antennas import read_antennas
from owlbus.records.cells import cell_centres, cell_kind, cell_polygons, cell_texts
from owlbus.records.infer_outline import outline_of_records
from owlbus.records.point_columns import POINT_READERS, reader_of
from owlbus.records.read_options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[[float, float], object]
    Axis = Callable[[float], object]

REPORTS = Path(__file__).resolve().parent.parent.parent / "shared" / "cases" / "reports"
AREA = [(13.29, 52.455), (13.43, 52.455), (13.43, 52.52), (13.29, 52.52)]
GRID = HexGrid.cover(AREA)
WINDOW = NightWindow.parse("00-05")
N_ROWS = 60
needs_reports = pytest.mark.skipif(not REPORTS.is_dir(), reason="needs ../shared/cases/reports")


def rides(n_rows: int = N_ROWS, west: float = 13.25, south: float = 52.44) -> pd.DataFrame:
    """Rides about Berlin, some of them outside the area or the window."""
    rng = np.random.default_rng(5)
    ends = (np.column_stack([west + rng.uniform(0, 0.22, n_rows), south + rng.uniform(0, 0.1, n_rows)]).round(6) for _ in range(2))
    (origin, destination) = ends
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(rng.integers(0, 8 * 3600, n_rows), unit="s")
    return pd.DataFrame(
        {
            "pickup_time": start,
            "dropoff_time": start + pd.Timedelta("40min"),
            "origin_lon": origin[:, 0],
            "origin_lat": origin[:, 1],
            "destination_lon": destination[:, 0],
            "destination_lat": destination[:, 1],
        }
    )


RIDES = rides()
POINTS = (("origin", "origin_lon", "origin_lat"), ("destination", "destination_lon", "destination_lat"))


def expected(table: pd.DataFrame = RIDES) -> int:
    """Rows whose origin lies in a hex and whose service hour lies in the window."""
    inside = np.asarray(GRID.lonlat_to_hex(table.origin_lon.to_numpy(), table.origin_lat.to_numpy())) >= 0
    return int((inside & (table.pickup_time.dt.hour < 5)).sum())


def written(folder: Path, table: pd.DataFrame, name: str = "rides.csv", **how: object) -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, **how)
    return path


def counted(path: Path, **reading: str | dict[str, str]) -> tuple[int, Any]:
    demand, report = estimate_demand(path, GRID, WINDOW, **reading)
    return report.rows_counted, demand


def same_as_plain(folder: Path, path: Path, plain: pd.DataFrame = RIDES, **reading: str | dict[str, str]) -> None:
    """The rows of a file give the demand of the same rows in plain degrees."""
    rows, demand = counted(path, **reading)
    plain_rows, plain_demand = counted(written(folder, plain, "plain.csv"))
    assert rows == plain_rows == expected(plain)
    for field in ("origin", "destination", "trips", "presence"):
        assert np.array_equal(getattr(demand, field), getattr(plain_demand, field)), field


def with_points(render: Callable[[float, float], Any], names: str = "{}_position", table: pd.DataFrame = RIDES) -> pd.DataFrame:
    """Rides with one column for each end."""
    rendered = table[["pickup_time", "dropoff_time"]].copy()
    for end, lon, lat in POINTS:
        rendered[names.format(end)] = [render(x, y) for x, y in zip(table[lon], table[lat], strict=True)]
    return rendered


def with_pairs(lon: Callable[[float], Any], lat: Callable[[float], Any]) -> pd.DataFrame:
    """Rides with two columns for each end."""
    rendered = RIDES.copy()
    for _, x, y in POINTS:
        rendered[x], rendered[y] = [lon(value) for value in RIDES[x]], [lat(value) for value in RIDES[y]]
    return rendered


# the files of the report


@needs_reports
@pytest.mark.parametrize(
    ("file", "reading"),
    [
        ("base_rides.csv", {}),
        ("decimalcomma.csv", {}),
        ("h3.csv", {}),
        ("struct.parquet", {}),
        ("projected.csv", {"crs": "EPSG:25833"}),
    ],
)
def test_rides_in_another_dress_are_the_same_116(file: str, reading: dict[str, str]) -> None:
    base = pd.read_csv(REPORTS / "records" / "base_rides.csv", parse_dates=["pickup_time"])
    assert counted(REPORTS / "records" / file, **reading)[0] == expected(base) == 116


@needs_reports
def test_calls_of_a_geoparquet_file_are_at_its_points() -> None:
    """Each of its people has one call and so its home there: the calls are present, and no trip."""
    file = REPORTS / "records" / "geo.parquet"
    table = gpd.read_parquet(file)
    with open_sources(file) as sources:
        batches = list(read_batches(sources[0]))
    assert np.array_equal(np.concatenate([batch.lon for batch in batches]), table.geometry.x)
    assert np.array_equal(np.concatenate([batch.lat for batch in batches]), table.geometry.y)
    demand, report = estimate_demand(file, GRID)
    assert (report.rows_counted, demand.trips.size, demand.counts_trips) == (98, 0, False)


@needs_reports
def test_metres_without_a_reference_system_are_named() -> None:
    with pytest.raises(DataError, match=r"projected\.csv: origin_lon, origin_lat: positions look like metres .* crs='EPSG:25833'"):
        counted(REPORTS / "records" / "projected.csv")


@needs_reports
def test_null_island_is_no_position_and_draws_no_outline() -> None:
    file = REPORTS / "records" / "null_island_taxi.csv"
    ring = outline_of_records(file)
    assert ring[:, 0].min() > -74.2
    assert ring[:, 1].max() < 41
    _, report = estimate_demand(file, HexGrid.cover(ring))
    (rule,) = [rule for rule in report.rules if rule.effect == "reject"]
    assert (rule.name, rule.rows) == ("position missing", 4)


@needs_reports
def test_swapped_columns_are_told_without_an_area() -> None:
    with pytest.raises(DataError, match=r"latitude reaches 128 and longitude 35, so the two columns look swapped; swap them with columns="):
        outline_of_records(REPORTS / "records" / "swapped_lonlat.csv")


@needs_reports
@pytest.mark.parametrize("file", ["area_25833.geojson", "area_shp.shp", "area_noprops.geojson"])
def test_areas_of_the_report_are_the_same_area(file: str) -> None:
    plain = read_area(REPORTS / "areas" / "area.geojson")
    assert shapely.area(shapely.symmetric_difference(read_area(REPORTS / "areas" / file), plain)) < 1e-9


# two columns of text or numbers


def dms(value: float, letters: str, style: str = "{d}°{m}'{s:.5f}\"{h}") -> str:
    size = abs(value)
    degrees = int(size)
    minutes = int((size - degrees) * 60)
    seconds = (size - degrees - minutes / 60) * 3600
    return style.format(d=degrees, m=minutes, s=max(seconds, 0), h=letters[value < 0])


@pytest.mark.parametrize(
    ("lon", "lat", "separator"),
    [
        (lambda x: f"{x:.6f}".replace(".", ","), lambda y: f"{y:.6f}".replace(".", ","), ";"),
        (lambda x: f" {x:.6f}".replace(".", ","), lambda y: f"{y:.6f}", "\t"),
        (lambda x: f"{x:.6f}".replace(".", ","), lambda y: f"{y:.6f}".replace(".", ","), ","),
        (lambda x: dms(x, "EW"), lambda y: dms(y, "NS"), ","),
        (lambda x: dms(x, "EW", "{d} {m} {s:.5f} {h}"), lambda y: dms(y, "NS", "{d}:{m}:{s:.5f}"), ","),
        (lambda x: f"E{x:.6f}", lambda y: f"{y:.6f}n", ","),
        (lambda x: f"{x:.6f}°", lambda y: f"{y:.6f} °N", ","),
    ],
)
def test_commas_and_angles_are_read_as_degrees(lon: Axis, lat: Axis, separator: str, tmp_path: Path) -> None:
    same_as_plain(tmp_path, written(tmp_path, with_pairs(lon, lat), sep=separator))


@pytest.mark.parametrize(
    ("scale", "reading", "name"),
    [
        (6, {}, "rides.csv"),
        (6, {}, "rides.parquet"),
        (7, {}, "rides.csv"),
        (5, {"crs": "1e-5 degrees"}, "rides.csv"),
        (7, {"crs": "1e-7 degrees"}, "rides.parquet"),
    ],
)
def test_whole_numbers_are_parts_of_a_degree(scale: int, reading: dict[str, str], name: str, tmp_path: Path) -> None:
    table = RIDES.assign(**{name: RIDES[name].round(5) for name in RIDES.columns[2:]}) if scale == 5 else RIDES
    parts = table.copy()
    for column in table.columns[2:]:
        parts[column] = (table[column] * 10**scale).round().astype("int64")
    same_as_plain(tmp_path, written(tmp_path, parts, name), table, **reading)


@pytest.mark.parametrize(
    ("lon", "lat", "scale"),
    [(127.0, 37.5, 6), (3.4, 6.5, 7), (121.5, 14.6, 6), (-58.4, -34.6, 6)],
    ids=["Seoul or Yaounde", "Lagos or the White Sea", "Manila or metres", "Buenos Aires or the ocean"],
)
def test_parts_of_a_degree_that_may_be_others_are_asked_for(lon: float, lat: float, scale: int, tmp_path: Path) -> None:
    table = rides(west=lon, south=lat)
    parts = table.copy()
    for column in table.columns[2:]:
        parts[column] = (table[column] * 10**scale).round().astype("int64")
    path = written(tmp_path, parts)
    if lat == -34.6:
        assert outline_of_records(path)[0, 1] == pytest.approx(lat, abs=0.2)
        return
    with pytest.raises(DataError, match="may be parts of a degree or metres; name which they are, such as crs='1e-6 degrees'"):
        outline_of_records(path)
    ring = outline_of_records(path, crs=f"1e-{scale} degrees")
    assert np.abs(ring - [lon, lat]).max() < 0.4


@pytest.mark.parametrize("text", ["1,234,567", "5.818.408,9", "389'706.2"])
def test_separators_of_thousands_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="separators of thousands; write them without"):
        counted(written(tmp_path, with_pairs(lambda _: text, lambda _: text), sep=";"))


def test_letters_of_hemispheres_tell_swapped_columns(tmp_path: Path) -> None:
    path = written(tmp_path, with_pairs(lambda x: f"{x}N", lambda y: f"{y}E"))
    with pytest.raises(DataError, match="the longitude has N or S, or the latitude E or W, so the two columns look swapped") as error:
        counted(path)
    assert all(f"'{name}': " in str(error.value) for _, *pair in POINTS for name in pair)


def test_junk_between_numbers_is_missing_rows(tmp_path: Path) -> None:
    table = with_pairs(lambda x: f"{x:.6f}".replace(".", ","), lambda y: f"{y:.6f}".replace(".", ","))
    table.loc[:9, "origin_lon"] = ["", "x", "1,2,3", "NaN", "inf", "--1", "999999999999,1", " ", "°", "1e5"]
    plain = RIDES.copy()
    plain.loc[:9, "origin_lon"] = np.nan
    same_as_plain(tmp_path, written(tmp_path, table, sep=";"), plain)


# projected coordinates


@pytest.mark.parametrize("crs", ["EPSG:25833", "EPSG:3857", "EPSG:3035", "EPSG:31468"])
def test_projected_coordinates_are_reprojected(crs: str, tmp_path: Path) -> None:
    forward = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    table = RIDES.copy()
    for _, lon, lat in POINTS:
        table[lon], table[lat] = forward.transform(RIDES[lon].to_numpy(), RIDES[lat].to_numpy())
    path = written(tmp_path, table)
    same_as_plain(tmp_path, path, crs=crs)
    with pytest.raises(DataError, match="look like metres"):
        counted(path)


def test_a_reference_system_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    plain = written(tmp_path, RIDES)
    with pytest.raises(DataError, match=r"positions look like degrees, and crs='EPSG:25833' is in other units"):
        counted(plain, crs="EPSG:25833")
    forward = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:25833", always_xy=True)
    table = RIDES.copy()
    for _, lon, lat in POINTS:
        table[lat], table[lon] = forward.transform(RIDES[lon].to_numpy(), RIDES[lat].to_numpy())
    with pytest.raises(DataError, match=r"lie (outside the Earth|far from the region of that system); check the system, and that x"):
        counted(written(tmp_path, table, "swapped.csv"), crs="EPSG:25833")
    with pytest.raises(UsageError, match="must name a coordinate reference system, got 'EPSG:0'"):
        ReadOptions(crs="EPSG:0")


# one column with a point


def ewkb(x: float, y: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.set_srid(shapely.Point(x, y), 4326), include_srid=True))


@pytest.mark.parametrize(
    ("render", "name"),
    [
        (lambda x, y: f"POINT ({x} {y})", "rides.csv"),
        (lambda x, y: f"POINT Z ({x} {y} 34.5)", "rides.csv"),
        (lambda x, y: f"SRID=4326;point({x} {y})", "rides.csv"),
        (lambda x, y: shapely.to_wkb(shapely.Point(x, y), hex=True), "rides.csv"),
        (lambda x, y: ewkb(x, y).hex(), "rides.csv"),
        (lambda x, y: shapely.to_wkb(shapely.Point(x, y)), "rides.parquet"),
        (lambda x, y: shapely.to_wkb(shapely.MultiPoint([(x, y)]), byte_order=0), "rides.parquet"),
        (ewkb, "rides.parquet"),
        (lambda x, y: json.dumps({"type": "Point", "coordinates": [x, y]}), "rides.csv"),
        (lambda x, y: json.dumps({"coordinates": [x, y, 3], "type": "Point"}), "rides.csv"),
        (lambda x, y: f"[{x}, {y}]", "rides.csv"),
        (lambda x, y: [x, y], "rides.parquet"),
        (lambda x, y: {"lng": x, "lat": y}, "rides.parquet"),
        (lambda x, y: {"latitude": y, "longitude": x, "accuracy": 9.0}, "rides.parquet"),
        (lambda x, y: {"x": x, "y": y}, "rides.parquet"),
        (lambda x, y: f"{y:.6f}N {x:.6f}E", "rides.csv"),
        (lambda x, y: f"{dms(y, 'NS')}, {dms(x, 'EW')}", "rides.csv"),
    ],
)
def test_points_in_one_column_are_read(render: Render, name: str, tmp_path: Path) -> None:
    same_as_plain(tmp_path, written(tmp_path, with_points(render), name))


@pytest.mark.parametrize(
    ("names", "render"),
    [
        ("{}_latlon", lambda x, y: f"{y},{x}"),
        ("{} Lat/Lng", lambda x, y: f"({y}, {x})"),
        ("lonlat_{}", lambda x, y: f"{x} {y}"),
        ("{}LngLat", lambda x, y: f"{x};{y}"),
    ],
)
def test_the_name_of_a_column_of_pairs_tells_their_order(names: str, render: Render, tmp_path: Path) -> None:
    same_as_plain(tmp_path, written(tmp_path, with_points(render, names)))


def test_pairs_of_unknown_order_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, with_points(lambda x, y: f"{y},{x}"))
    with pytest.raises(DataError, match=r"longitude may be first or second .* call the column lat_lon or lon_lat, or split it"):
        counted(path)


def test_one_value_beyond_90_tells_the_order_of_pairs(tmp_path: Path) -> None:
    table = with_points(lambda x, y: f"{y},{x}")
    table["origin_position"] = table["origin_position"].where(table.index != 50, "52.5,113.4")
    table["destination_position"] = table["destination_position"].where(table.index != 51, "52.5,113.4")
    plain = RIDES.copy()
    plain.loc[50, "origin_lon"], plain.loc[51, "destination_lon"] = 113.4, 113.4
    plain.loc[50, "origin_lat"], plain.loc[51, "destination_lat"] = 52.5, 52.5
    same_as_plain(tmp_path, written(tmp_path, table), plain)


@pytest.mark.parametrize("render", [lambda x, y: f"POINT ({y} {x})", lambda x, y: f"[{y}, {x}]", lambda x, y: f"{y} {x}"])
def test_points_that_lie_on_earth_only_with_latitude_first_are_read_so(render: Render, tmp_path: Path) -> None:
    table = rides(west=126.9, south=37.4)
    ring = outline_of_records(written(tmp_path, with_points(render, table=table)))
    assert np.abs(ring - [127.0, 37.45]).max() < 0.4


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        ("{}_geom", "origin"),
        ("{}_wkt", "origin"),
        ("{} Centroid Location", "pickup"),
        ("{}Location", "start"),
    ],
)
def test_usual_names_of_columns_with_points_are_known(names: str, plain: str, tmp_path: Path) -> None:
    ends = {"origin": ("origin", "destination"), "pickup": ("Pickup", "Dropoff"), "start": ("start", "end")}[plain]
    table = with_points(lambda x, y: f"POINT ({x} {y})")
    table.columns = ["pickup_time", "dropoff_time", *(names.format(end) for end in ends)]
    same_as_plain(tmp_path, written(tmp_path, table))


def test_any_name_can_be_mapped_to_a_nested_column(tmp_path: Path) -> None:
    table = with_points(lambda x, y: {"lon": x, "lat": y}, "{}_abc")
    columns = {"origin_position": "origin_abc", "destination_position": "destination_abc"}
    same_as_plain(tmp_path, written(tmp_path, table, "rides.parquet"), columns=columns)


def test_a_nested_column_for_a_number_is_a_missing_column(tmp_path: Path) -> None:
    table = RIDES.assign(other=[[1.0, 2.0]] * N_ROWS).drop(columns="origin_lon")
    with pytest.raises(DataError, match=r"column.* missing"):
        counted(written(tmp_path, table, "rides.parquet"), columns={"origin_lon": "other"})


@pytest.mark.parametrize(
    ("crs", "encoding"),
    [("EPSG:4326", "WKB"), ("EPSG:25833", "WKB"), ("EPSG:3857", "WKB"), ("EPSG:4326", "geoarrow"), ("EPSG:25833", "geoarrow")],
)
def test_geoparquet_is_reprojected_by_its_own_system(crs: str, encoding: str, tmp_path: Path) -> None:
    points = {end: gpd.GeoSeries.from_xy(RIDES[lon], RIDES[lat], crs=4326).to_crs(crs) for end, lon, lat in POINTS}
    table = gpd.GeoDataFrame(
        {"pickup_time": RIDES.pickup_time, "dropoff_time": RIDES.dropoff_time, "origin_geom": points["origin"]}, geometry="origin_geom"
    )
    table["destination_geom"] = points["destination"]
    table.to_parquet(tmp_path / "rides.parquet", geometry_encoding=encoding)
    same_as_plain(tmp_path, tmp_path / "rides.parquet")


def test_ewkb_is_reprojected_by_its_srid(tmp_path: Path) -> None:
    forward = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:25833", always_xy=True)
    table = with_points(lambda x, y: f"SRID=25833;POINT({' '.join(map(str, forward.transform(x, y)))})")
    same_as_plain(tmp_path, written(tmp_path, table))
    table.loc[5, "origin_position"] = "SRID=3857;POINT(1 2)"
    with pytest.raises(DataError, match="origin_position states 2 reference systems; write all points in one"):
        counted(written(tmp_path, table))


@pytest.mark.parametrize("render", [lambda *_: "Alexanderplatz", lambda x, y: f"POLYGON (({x} {y}))", lambda *_: "52.1.3/13"])
def test_a_column_of_no_points_is_refused_with_what_is_known(render: Render, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"origin_position holds no points that can be read; known are WKT, WKB, GeoJSON"):
        counted(written(tmp_path, with_points(render)))


@pytest.mark.parametrize(
    ("render", "name"),
    [
        (lambda x, y: f"POINT ({x} {y})", "a.csv"),
        (ewkb, "a.parquet"),
        (lambda x, y: {"lon": x, "lat": y}, "a.parquet"),
        (lambda x, y: [x, y], "a.parquet"),
    ],
)
def test_missing_points_are_missing_rows(render: Render, name: str, tmp_path: Path) -> None:
    table = with_points(render)
    table.loc[3:5, "origin_position"] = None
    plain = RIDES.copy()
    plain.loc[3:5, ["origin_lon", "origin_lat"]] = np.nan
    same_as_plain(tmp_path, written(tmp_path, table, name), plain)


def test_calls_with_points_and_no_home_get_the_home_of_their_subscriber(tmp_path: Path) -> None:
    calls = pd.DataFrame(
        {"time": RIDES.pickup_time, "subscriber": np.arange(N_ROWS) // 6, "lon": RIDES.origin_lon, "lat": RIDES.origin_lat}
    )
    calls.loc[::6, ["lon", "lat"]] = calls.loc[1::6, ["lon", "lat"]].to_numpy()
    calls.loc[2::6, ["lon", "lat"]] = 0.0
    calls.loc[3::6, ["lon", "lat"]] = 0.0
    calls.loc[4::6, ["lon", "lat"]] = 0.0
    points = calls[["time", "subscriber"]].assign(geometry=[f"POINT ({x} {y})" for x, y in zip(calls.lon, calls.lat, strict=True)])
    first, second = (counted(written(tmp_path, table, f"{name}.csv")) for name, table in (("lonlat", calls), ("points", points)))
    assert first[0] == second[0] > 0
    assert np.array_equal(first[1].trips, second[1].trips)
    assert first[1].trips.sum() > 0


def test_rejected_rows_of_points_are_written_as_text(tmp_path: Path) -> None:
    for name, render in (("a", ewkb), ("b", lambda x, y: {"lon": x, "lat": y}), ("c", lambda x, y: [x, y])):
        path = written(tmp_path, with_points(render), f"{name}.parquet")
        _, report = estimate_demand(path, GRID, WINDOW, rejected=tmp_path / f"{name}_rejected.parquet")
        texts = pl.read_parquet(tmp_path / f"{name}_rejected.parquet")["origin_position"]
        assert len(texts) == report.rows_rejected
        assert texts.null_count() == 0


# cells


def geohash(lon: float, lat: float, n_characters: int) -> str:
    """Encoder by halving, a slow twin of the decoder."""
    low, high = [-180.0, -90.0], [180.0, 90.0]
    text = ""
    for bit in range(5 * n_characters):
        axis = bit % 2
        middle = (low[axis] + high[axis]) / 2
        is_upper = (lon, lat)[axis] >= middle
        (low if is_upper else high)[axis] = middle
        text += str(int(is_upper))
    return "".join("0123456789bcdefghjkmnpqrstuvwxyz"[int(text[i : i + 5], 2)] for i in range(0, len(text), 5))


@pytest.mark.parametrize(
    ("render", "names", "name"),
    [
        (lambda x, y: h3.latlng_to_cell(y, x, 15), "{}_h3", "rides.csv"),
        (lambda x, y: h3.latlng_to_cell(y, x, 15).upper(), "{}_cell", "rides.csv"),
        (lambda x, y: int(h3.latlng_to_cell(y, x, 15), 16), "h3_15_{}", "rides.parquet"),
        (lambda x, y: np.uint64(int(h3.latlng_to_cell(y, x, 15), 16)), "{}_h3_index", "rides.parquet"),
        (lambda x, y: int(h3.latlng_to_cell(y, x, 15), 16), "{}_h3", "rides.csv"),
        (lambda x, y: geohash(x, y, 12), "{}_geohash", "rides.csv"),
        (lambda x, y: geohash(x, y, 10).upper(), "{}_cell", "rides.parquet"),
    ],
)
def test_cells_are_their_centres(render: Render, names: str, name: str, tmp_path: Path) -> None:
    same_as_plain(tmp_path, written(tmp_path, with_points(render, names), name))


def test_a_coarse_cell_after_thousands_of_fine_ones_is_refused(tmp_path: Path) -> None:
    table = with_points(lambda x, y: h3.latlng_to_cell(y, x, 10), "{}_h3", rides(6000))
    table.loc[5999, "origin_h3"] = h3.latlng_to_cell(52.5, 13.4, 7)
    with pytest.raises(DataError, match="origin_h3 holds H3 cells of resolution 7 after finer ones, which are too wide for one position"):
        counted(written(tmp_path, table))


def test_cells_that_are_none_are_refused_with_what_they_may_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"origin_cell holds neither H3 cells nor geohashes; if it names antennas or zones, say so with"):
        counted(written(tmp_path, with_points(lambda x, _: f"site {x:.2f}", "{}_cell")))


def test_polygons_of_cells_hold_their_centres() -> None:
    for kind, cells in (("h3", [h3.latlng_to_cell(52.5, 13.4, 7)]), ("geohash", [geohash(13.4, 52.5, 5), "s0", "aaaa"])):
        polygons = cell_polygons(cells, kind)
        lon, lat = cell_centres(pl.Series(cells), kind)
        assert polygons[0].contains(shapely.Point(lon[0], lat[0]))
        assert all(polygon is None for polygon in polygons[1:])
        assert np.isnan(lon[1:]).all()


# paths


@pytest.mark.parametrize(
    ("render", "name"),
    [
        (lambda a, b: json.dumps([a, [13.4, 52.5], b]), "POLYLINE"),
        (lambda a, b: f"LINESTRING ({a[0]} {a[1]}, 13.4 52.5, {b[0]} {b[1]})", "path"),
        (lambda a, b: f"linestring z({a[0]} {a[1]} 1,{b[0]} {b[1]} 2)", "trajectory"),
        (lambda a, b: json.dumps({"type": "LineString", "coordinates": [a, b]}), "path"),
        (lambda a, b: [a, [13.4, 52.5], b], "path"),
        (lambda a, b: [{"lon": a[0], "lat": a[1]}, {"lon": b[0], "lat": b[1]}], "track"),
        (lambda a, b: shapely.to_wkb(shapely.LineString([a, (13.4, 52.5), b])), "path"),
    ],
)
def test_a_path_leads_from_its_first_point_to_its_last(render: Render, name: str, tmp_path: Path) -> None:
    table = RIDES[["pickup_time", "dropoff_time"]].copy()
    ends = RIDES[["origin_lon", "origin_lat", "destination_lon", "destination_lat"]].to_numpy().tolist()
    table[name] = [render([a, b], [c, d]) for a, b, c, d in ends]
    is_text = isinstance(table[name][0], str)
    same_as_plain(tmp_path, written(tmp_path, table, "rides.csv" if is_text else "rides.parquet"))


def test_an_empty_path_is_a_missing_position(tmp_path: Path) -> None:
    table = RIDES[["pickup_time", "dropoff_time"]].assign(
        POLYLINE=[json.dumps([[a, b], [c, d]]) for a, b, c, d in RIDES.iloc[:, 2:].to_numpy().tolist()]
    )
    table.loc[4:6, "POLYLINE"] = ["[]", "", "[[13.4, 52.5], ["]
    plain = RIDES.copy()
    plain.loc[4:5, plain.columns[2:]] = np.nan
    plain.loc[6, ["origin_lon", "origin_lat"]] = 13.4, 52.5
    plain.loc[6, ["destination_lon", "destination_lat"]] = np.nan
    rows, demand = counted(written(tmp_path, table))
    assert (rows, demand.trips.sum()) == (counted(written(tmp_path, plain, "plain.csv"))[0], counted(tmp_path / "plain.csv")[1].trips.sum())


# placeholders and swapped axes


@pytest.mark.parametrize("place", [(0, 0), (-1, -1), (999, 999), (-999, -999), (181, 52.5), (13.4, 91), (0.0, -0.0)])
@pytest.mark.parametrize("name", ["rides.csv", "rides.parquet"])
def test_placeholders_and_places_outside_the_earth_are_no_positions(place: tuple[float, float], name: str, tmp_path: Path) -> None:
    table = RIDES.copy()
    table.loc[:4, ["origin_lon", "origin_lat"]] = place
    table.loc[5:9, ["destination_lon", "destination_lat"]] = place
    plain = RIDES.copy()
    plain.loc[:4, ["origin_lon", "origin_lat"]] = np.nan
    plain.loc[5:9, ["destination_lon", "destination_lat"]] = np.nan
    reports = [estimate_demand(written(tmp_path, rows, f"{what}_{name}"), GRID, WINDOW)[1] for what, rows in (("a", table), ("b", plain))]
    assert [(rule.name, rule.rows) for rule in reports[0].rules] == [(rule.name, rule.rows) for rule in reports[1].rules]
    assert np.allclose(outline_of_records(tmp_path / f"a_{name}"), outline_of_records(tmp_path / f"b_{name}"))


def test_what_lies_near_null_island_is_a_position() -> None:
    lon, lat = np.array([0.0, 0.0, 0.1, -1.0, np.nan, 99.0, 9.0]), np.array([0.0, 51.5, 0.1, -1.0, np.nan, 99.0, 9.0])
    assert is_placeholder(lon, lat).tolist() == [True, False, False, True, False, False, False]


@given(st.floats(-180, 180), st.floats(-89, 89))
def test_axes_are_told_swapped_only_if_they_lie_on_earth_so_alone(lon: float, lat: float) -> None:
    x, y = np.array([lon]), np.array([lat])
    assert swapped_axes(x, y) is None
    assert (swapped_axes(y, x) is not None) == (abs(lon) > 90)
    assert not looks_projected(x, y)


def test_swapped_axes_are_told_of_masts_stops_nodes_outlines_and_plans(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("antenna_id,lon,lat\n1,37.5,127.0\n2,37.6,127.1\n")
    with pytest.raises(DataError, match=r"a\.csv: latitude reaches 127 and longitude 37, so the two columns look swapped"):
        read_antennas(tmp_path / "a.csv")
    with pytest.raises(DataError, match="stops: latitude reaches 127 and longitude 37, so lon and lat look swapped"):
        read_stops({"lon": [37.5, 37.6], "lat": [127.0, 127.1]})
    nodes = {"node_id": ["1", "2"], "lon": [37.5, 37.6], "lat": [127.0, 127.1]}
    with pytest.raises(DataError, match="nodes: latitude reaches 127"):
        read_roads(nodes, {"from_node": ["1"], "to_node": ["2"], "length_m": [1.0], "freespeed_m_per_s": [1.0]})
    (tmp_path / "area.csv").write_text("lon,lat\n37.5,127\n37.6,127\n37.6,127.1\n")
    with pytest.raises(DataError, match=r"area\.csv: latitude reaches 127 and longitude 37, so the two axes look swapped"):
        read_area(tmp_path / "area.csv")
    (tmp_path / "plan.csv").write_text("line,sequence,lon,lat\n1,1,37.5,127\n1,2,37.6,127.1\n")
    with pytest.raises(DataError, match=r"way-points: latitude reaches 127 and longitude 37, so the two axes look swapped"):
        read_plan(tmp_path / "plan.csv", None)  # type: ignore[arg-type]  # refused before the network is needed


def test_metres_are_told_of_stops_outlines_and_plans(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stops: lon and lat look like metres of a projected system"):
        read_stops({"lon": [389706.2, 389800.0], "lat": [5818408.9, 5818500.0]})
    (tmp_path / "area.csv").write_text("x;y\n383805,9;5813021,5\n393318,2;5812805,6\n393475,4;5820035,0\n")
    with pytest.raises(DataError, match=r"corners look like metres of a projected system; name it with crs='EPSG:25833'"):
        read_area(tmp_path / "area.csv")
    ring = read_area(tmp_path / "area.csv", "EPSG:25833")
    assert np.abs(ring - [[13.29, 52.455], [13.43, 52.455], [13.43, 52.52]]).max() < 1e-5
    (tmp_path / "plan.csv").write_text("line,sequence,lon,lat\n1,1,389706,5818408\n1,2,389800,5818500\n")
    with pytest.raises(DataError, match="way-points: positions look like metres"):
        read_plan(tmp_path / "plan.csv", None)  # type: ignore[arg-type]


# outlines and masts

SUFFIX = {"ESRI Shapefile": "shp", "GPKG": "gpkg", "FlatGeobuf": "fgb"}


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "ESRI Shapefile", "GeoJSON", "KML", "Parquet", "WKT", "GML"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:25833", "EPSG:3857"])
def test_an_outline_of_any_format_and_system_is_the_same_area(driver: str, crs: str, tmp_path: Path) -> None:
    area = shapely.Polygon(AREA)
    table = gpd.GeoDataFrame({"name": ["a", None]}, geometry=[area, None], crs=4326).to_crs(
        "EPSG:4326" if driver in {"KML", "WKT"} else crs
    )
    table = table.iloc[:1] if driver in {"GPKG", "FlatGeobuf"} else table  # they refuse to write null geometries
    path = tmp_path / f"area.{SUFFIX.get(driver, 'any')}"
    if driver == "Parquet":
        table.to_parquet(path)
    elif driver == "WKT":
        path.write_text(f"SRID=4326;{area.wkt}" if crs == "EPSG:4326" else area.wkt)
    else:
        table.to_file(path, driver=driver)
    found = read_area(path)
    assert shapely.area(shapely.symmetric_difference(found, area)) < 1e-8
    assert HexGrid.cover(found).n_hexes == GRID.n_hexes


def test_outlines_of_python_are_taken() -> None:
    area = shapely.Polygon(AREA)
    table = gpd.GeoDataFrame(geometry=[area], crs=4326)
    for thing in (table, table.to_crs(25833), table.geometry, table.to_crs(3857).geometry, area, shapely.LineString([*AREA, AREA[0]])):
        assert shapely.area(shapely.symmetric_difference(outline_of(thing), area)) < 1e-8
    assert np.array_equal(outline_of(AREA), AREA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"type": "Polygon", "coordinates": [[[1,2],[2,2],[2,3],[1,2]]], "crs": {"properties": {"name": "nonsense"}}}',
            "states a reference system that is unknown",
        ),
        ('{"type": "Polygon", "coordinates": [[[1,2],[2,2],[2,3],[1,2]]], "crs": {"name": "nonsense"}}', "is no valid GeoJSON"),
        ('{"type": "Feature", "geometry": null}', "found nothing"),
        ("POLYGON ((1 2, 3", "is no valid WKT"),
        ("<kml><Document></Document></kml>", "GIS file"),
        ("POLYGON ((383805 5813021, 393318 5812805, 393475 5820034, 383805 5813021))", "look like metres of a projected system"),
    ],
)
def test_outlines_that_are_none_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "area.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_area(tmp_path / "area.txt")


MASTS = pd.DataFrame({"antenna_id": ["007", "b", "c"], "lon": [13.3, 13.35, 13.4], "lat": [52.47, 52.5, 52.51]})


def test_a_table_of_masts_is_read_from_any_file_or_frame(tmp_path: Path) -> None:
    MASTS.to_csv(tmp_path / "plain.csv", index=False)
    MASTS.rename(columns={"lon": " Longitude", "antenna_id": "Cell_ID"}).to_csv(tmp_path / "names.csv", index=False, sep="\t")
    MASTS.to_csv(tmp_path / "comma.csv", index=False, sep=";", decimal=",")
    MASTS.to_parquet(tmp_path / "masts.parquet")
    points = gpd.GeoDataFrame(MASTS[["antenna_id"]], geometry=gpd.points_from_xy(MASTS.lon, MASTS.lat), crs=4326)
    points.to_crs(25833).to_file(tmp_path / "masts.gpkg")
    points.to_crs(3857).to_parquet(tmp_path / "geo.parquet")
    points.to_file(tmp_path / "masts.geojson", driver="GeoJSON")
    projected = points.to_crs(25833)
    MASTS.assign(lon=projected.geometry.x, lat=projected.geometry.y).to_csv(tmp_path / "metres.csv", index=False)
    things = ("plain.csv", "names.csv", "comma.csv", "masts.parquet", "masts.gpkg", "geo.parquet", "masts.geojson", "metres.csv")
    frames = (MASTS, pl.from_pandas(MASTS), pl.from_pandas(MASTS).to_arrow(), points.to_crs(25833))
    for thing in (*(tmp_path / name for name in things), *frames):
        table = read_antennas(thing, "EPSG:25833")
        assert table["antenna"].to_list() == ["007", "b", "c"]
        assert np.allclose(table["lon"], MASTS.lon, atol=1e-7)
        assert np.allclose(table["lat"], MASTS.lat, atol=1e-7)
    with pytest.raises(DataError, match="antennas must be a path or a table such as pandas, polars or pyarrow, got int"):
        read_antennas(5)


# round trips and junk

DEGREES = st.tuples(st.floats(-179.9, 179.9), st.floats(-89.9, 89.9)).map(lambda p: (round(p[0], 6), round(p[1], 6)))
FORMS: dict[str, Callable[[float, float], Any]] = {
    "wkt": lambda x, y: f"POINT({x!r} {y!r})",
    "wkb": ewkb,
    "geojson": lambda x, y: json.dumps({"type": "Point", "coordinates": [x, y]}),
    "json list": lambda x, y: json.dumps([x, y]),
    "lettered": lambda x, y: f"{abs(y):.6f}{'NS'[y < 0]} {abs(x):.6f}{'EW'[x < 0]}",
    "pair": lambda x, y: f"{x!r}, {y!r}",
    "struct": lambda x, y: {"lon": x, "lat": y},
    "list": lambda x, y: [x, y],
}


@settings(max_examples=60)
@given(st.lists(DEGREES, min_size=1, max_size=20), st.sampled_from(sorted(FORMS)))
def test_a_point_that_is_written_in_a_form_is_read_from_it(points: list[tuple[float, float]], form: str) -> None:
    column = pl.Series([FORMS[form](*point) for point in points])
    assert reader_of(column) == form
    x, y = POINT_READERS[form].read(column, 0)
    assert np.allclose(np.column_stack([x, y]), points, atol=1e-6)


@settings(max_examples=100)
@given(st.lists(DEGREES, min_size=1, max_size=20), st.sampled_from(["{d}°{m}'{s:.5f}\"{h}", "{h}{d} {m} {s:.5f}", "{d}d{m}m{s:.5f}s {h}"]))
def test_an_angle_that_is_written_is_read(points: list[tuple[float, float]], style: str) -> None:
    for axis, letters in ((0, "EW"), (1, "NS")):
        values = np.array([point[axis] for point in points])
        read = angles(pl.Series([dms(value, letters, style) for value in values.tolist()]))
        good = np.isfinite(read)  # seconds that round to 60 are refused
        assert np.allclose(read[good], values[good], atol=1e-6)


@settings(max_examples=60)
@given(st.lists(DEGREES, min_size=1, max_size=20), st.sampled_from(["EPSG:3857", "EPSG:6933", "1e-6 degrees", "1e-7 degrees"]))
def test_degrees_come_back_from_a_reference_system(points: list[tuple[float, float]], crs: str) -> None:
    lon, lat = np.array(points).T
    lat = np.clip(lat, -80, 80)
    if "degrees" in crs:
        x, y = (np.rint(values * 10 ** int(crs[3])) for values in (lon, lat))
    else:
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    is_none = is_placeholder(x, y)
    back = np.column_stack(to_degrees(x, y, crs))
    assert np.allclose(back[~is_none], np.column_stack([lon, lat])[~is_none], atol=1e-6)


@settings(max_examples=60)
@given(st.lists(DEGREES, min_size=1, max_size=10), st.integers(1, 12))
def test_a_geohash_lies_round_its_point(points: list[tuple[float, float]], n_characters: int) -> None:
    cells = [geohash(*point, n_characters) for point in points]
    lon, lat = cell_centres(cell_texts(pl.Series(cells)), "geohash")
    if n_characters < 3:
        assert np.isnan(lon).all()
        return
    half = 180 / 2 ** ((5 * n_characters + 1) // 2) + 1e-9, 90 / 2 ** (5 * n_characters // 2) + 1e-9
    assert (np.abs(lon - [x for x, _ in points]) <= half[0]).all()
    assert (np.abs(lat - [y for _, y in points]) <= half[1]).all()


JUNK_TEXT = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[POINTZ(){}\[\]0-9.,;:°'\"NSEWe+ -]{0,30}", fullmatch=True),
    st.sampled_from(
        ["POINT (", "POINT (1 1e999)", "SRID=99999999;POINT(1 2)", "[[[[", '{"type":"Point"', "0101000000", "[1e400,2]", "1_000"]
    ),
)
JUNK_BYTES = st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(lambda tail: b"\x01\x01\x00\x00\x00" + tail))


@settings(max_examples=150)
@given(
    st.lists(st.one_of(st.none(), JUNK_TEXT), max_size=12),
    st.sampled_from(["csv", "parquet"]),
    st.sampled_from(["position", "cell", "lon"]),
)
def test_junk_text_is_missing_or_refused(tmp_path_factory: pytest.TempPathFactory, values: list[str | None], form: str, role: str) -> None:
    read_or_refused(tmp_path_factory.mktemp("junk"), pl.Series(values, dtype=pl.String), form, role)


@settings(max_examples=100)
@given(st.lists(st.one_of(st.none(), JUNK_BYTES), max_size=12), st.sampled_from(["position", "cell", "lon"]))
def test_junk_bytes_are_missing_or_refused(tmp_path_factory: pytest.TempPathFactory, values: list[bytes | None], role: str) -> None:
    read_or_refused(tmp_path_factory.mktemp("junk"), pl.Series(values, dtype=pl.Binary), "parquet", role)


JUNK_NUMBERS = st.one_of(
    st.none(), st.floats(), st.integers(-(2**62), 2**62).map(float), st.sampled_from([0.0, 999.0, 13375011.0, 389706.2])
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(JUNK_NUMBERS, JUNK_NUMBERS), max_size=12),
    st.sampled_from(["pair", "struct", "list", "array"]),
    st.sampled_from([None, "EPSG:25833", "1e-6 degrees"]),
)
def test_junk_numbers_are_missing_or_refused(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float | None, float | None]], form: str, crs: str | None
) -> None:
    folder = tmp_path_factory.mktemp("junk")
    if form == "pair":
        columns = [pl.Series([value[k] for value in values], dtype=pl.Float64) for k in (0, 1)]
        read_or_refused(folder, columns[0], "parquet", "lon", columns[1], crs)
        return
    dtype = {"struct": pl.Struct({"x": pl.Float64, "y": pl.Float64}), "list": pl.List(pl.Float64), "array": pl.Array(pl.Float64, 2)}[form]
    column = pl.Series([{"x": a, "y": b} if form == "struct" else [a, b] for a, b in values], dtype=dtype)
    read_or_refused(folder, column, "parquet", "position", None, crs)


def read_or_refused(folder: Path, column: pl.Series, form: str, role: str, other: pl.Series | None = None, crs: str | None = None) -> None:
    """Positions are read as finite degrees or missing, or the file is refused in one line that shows no value."""
    table = pl.DataFrame({"time": ["2024-03-06 01:00:00"] * len(column), "subscriber": ["a"] * len(column), role: column})
    if role == "lon":
        table = table.with_columns(lat=column if other is None else other)
    path = folder / f"a.{form}"
    table.write_parquet(path) if form == "parquet" else table.write_csv(path)
    message = refusal(path, len(column), crs)
    assert "\n" not in message
    assert not any(isinstance(value, str) and len(value) > 12 and value in message for value in column)


def refusal(path: Path, n_rows: int, crs: str | None) -> str:
    """Message that refuses a file; empty if each of its rows is read."""
    try:
        with open_sources(path, ReadOptions(crs=crs)) as sources:
            lons = [batch.lon for batch in read_batches(sources[0])]
    except OwlbusError as error:
        return str(error)
    assert sum(map(len, lons)) == n_rows
    return ""


def test_forms_are_told_beyond_rows_without_positions(tmp_path: Path) -> None:
    table = with_pairs(lambda x: f"{x:.6f}".replace(".", ","), lambda y: f"{y:.6f}".replace(".", ","))
    empty = table.iloc[[0] * 9000].assign(origin_lon=None, destination_lon=" ")
    plain = pd.concat([RIDES.iloc[[0] * 9000].assign(origin_lon=np.nan, destination_lon=np.nan), RIDES])
    same_as_plain(tmp_path, written(tmp_path, pd.concat([empty, table]), sep=";"), plain)


def test_quoted_points_with_line_ends_and_a_long_file_are_read(tmp_path: Path) -> None:
    table = with_points(lambda x, y: '{"type": "Point",\n "coordinates": [' + f"{x},\n{y}]" + "}" + " " * 2000)
    table = pd.concat([table] * 10)
    same_as_plain(tmp_path, written(tmp_path, table.drop_duplicates()), RIDES)


@pytest.mark.parametrize(("driver", "suffix"), [("GPKG", "gpkg"), ("GeoJSON", "geojson"), ("FlatGeobuf", "fgb"), ("Parquet", "parquet")])
def test_points_of_a_gis_file_are_a_table_in_degrees(driver: str, suffix: str, tmp_path: Path) -> None:
    points = gpd.GeoDataFrame({"time": ["01:00:00", "02:00:00"]}, geometry=gpd.points_from_xy([13.3, 13.4], [52.4, 52.5]), crs=4326)
    path = tmp_path / f"calls.{suffix}"
    points.to_crs(25833).to_parquet(path) if driver == "Parquet" else points.to_crs(25833).to_file(path, driver=driver)
    table = lonlat_table(path)
    assert sorted(table.column_names) == ["geometry", "time"]
    found = shapely.get_coordinates(shapely.from_wkb(table.column("geometry").to_pylist()))
    assert np.allclose(found[np.argsort(found[:, 0])], [[13.3, 52.4], [13.4, 52.5]], atol=1e-7)
    assert "25833" in str(read_gis_points(path)[2])


def test_masts_without_a_place_and_masts_that_are_no_table_are_refused(tmp_path: Path) -> None:
    for place in ((0.0, 0.0), (999.0, 999.0), (None, 52.5)):
        with pytest.raises(DataError, match="1 of 3 antennas have no position on Earth, first on line 3; correct or drop them"):
            read_antennas(pl.from_pandas(MASTS).with_columns(lon=pl.Series([13.3, place[0], 13.4]), lat=pl.Series([52.4, place[1], 52.5])))
    (tmp_path / "masts.gpkg").write_bytes(b"SQLite format 3\x00 no more")
    with pytest.raises(DataError, match="GIS file"):
        read_antennas(tmp_path / "masts.gpkg")


def test_a_checkpoint_keeps_the_forms_of_positions(tmp_path: Path) -> None:
    table = with_pairs(lambda x: f"{x:.6f}".replace(".", ","), lambda y: f"{y:.6f}".replace(".", ","))
    with open_sources(written(tmp_path, table, sep=";")) as (source,):
        assert set(source.position_forms) == {"origin_lon", "destination_lon"}
        found = checkpoint._Reader(BytesIO(pickle.dumps(source))).load()
        assert found.position_forms == source.position_forms


def test_messages_hold_no_position() -> None:
    assert not re.search(r"\d{2}\.\d{3}", str(swapped_axes(np.array([35.8512345]), np.array([128.6012345]))))


def test_what_cells_are_is_told_by_most_of_them() -> None:
    cell = h3.latlng_to_cell(52.5, 13.4, 9)
    assert cell_kind(cell_texts(pl.Series([cell, cell, "x"]))) == "h3"
    assert cell_kind(cell_texts(pl.Series(["12", "34", "56"]))) is None
    assert cell_kind(cell_texts(pl.Series([1234567890123456789], dtype=pl.Int64))) is None
    assert cell_kind(pl.Series([], dtype=pl.String)) is None
