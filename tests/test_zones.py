"""Records that name zones instead of positions, held against geopandas and pandas."""

from __future__ import annotations

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.cluster import count_in_processes
from owlbus.common.disclosure import Publisher
from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import QUANTA_PER_TRIP, NightWindow
from owlbus.demand import count_records, estimate_demand, zone_shares
from owlbus.demand.counting import CountSettings
from owlbus.demand.zone_shares import ZoneShares, shares_of_zones, spread_people, spread_trips
from owlbus.grid.hexgrid import HexGrid
from owlbus.grid.outline import read_area
from owlbus.grid.subdivide import subdivide_hexes
from owlbus.pipeline import checkpoint
from owlbus.pipeline.report_content import report_content
from owlbus.pipeline.rundir import RunRecord, describe_run
from owlbus.pipeline.study import build_study, demand_from_sources
from owlbus.pipeline.study_sources import Sources
from owlbus.plan import Plan, Route
from owlbus.records import outline_of_records
from owlbus.records.read_options import ReadOptions
from owlbus.records.sources import open_sources
from owlbus.records.zone_files import read_zones
from owlbus.records.zone_ids import IdIndex
from owlbus.report import PlanContent, report_html
from owlbus.score import score_plan

if TYPE_CHECKING:
    from owlbus.records.zones import ZoneTable

REPORTS = Path(__file__).resolve().parents[2] / "shared" / "cases" / "reports"
TLC, ZONES = REPORTS / "records" / "tlc.parquet", REPORTS / "records" / "zones.geojson"
BOX = (13.29, 52.455, 13.43, 52.525)
GRID = HexGrid.cover(shapely.box(*BOX))
AREA = HexGrid.cover(shapely.box(13.29, 52.455, 13.43, 52.52))


def squares(step: float = 0.02, **columns: Any) -> gpd.GeoDataFrame:  # noqa: ANN401 - columns of any type
    """Zones in rows from the south-west corner of the area, with ids from 1."""
    west, south, east, north = BOX
    boxes = [
        shapely.box(x, y, x + step, y + step / 2)
        for y in np.arange(south, north - 1e-9, step / 2)
        for x in np.arange(west, east - 1e-9, step)
    ]
    return gpd.GeoDataFrame({"zone_id": np.arange(1, len(boxes) + 1), **columns}, geometry=boxes, crs=4326)


def rides(n: int = 60, ids: Any = None, n_zones: int = 49, **columns: Any) -> pd.DataFrame:  # noqa: ANN401 - ids and columns of any type
    """Rides between zones in one night, all within the window."""
    rng = np.random.default_rng(3)
    ids = np.arange(1, n_zones + 1) if ids is None else np.asarray(ids)
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(rng.permutation(5 * 3600)[:n], "s")
    ends = {name: ids[rng.integers(0, len(ids), n)] for name in ("origin_zone", "destination_zone")}
    return pd.DataFrame({"pickup_time": start, "dropoff_time": start + pd.Timedelta("11min 7s"), **ends, **columns})


def written(folder: Path, frame: pd.DataFrame, name: str = "rides.csv") -> Path:
    file = folder / name
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file)
    return file


def overlay(zones: gpd.GeoDataFrame, grid: HexGrid, column: str) -> pd.DataFrame:
    """Share of each zone in each hex, by geopandas."""
    hexes = gpd.GeoDataFrame({"hex": np.arange(grid.n_hexes)}, geometry=grid.to_geodataframe().geometry.to_numpy(), crs=4326).to_crs(
        grid.crs
    )
    flat = zones.to_crs(grid.crs)
    met = gpd.overlay(flat, hexes, how="intersection", keep_geom_type=True)
    area = flat.set_index(column).area.groupby(level=0).sum()
    return pd.DataFrame({"zone": met[column], "hex": met["hex"], "share": met.area.to_numpy() / met[column].map(area).to_numpy()})


def expected(frame: pd.DataFrame, shares: pd.DataFrame) -> tuple[pd.Series, float]:
    """Trips by pair of hexes, and those within one hex: a join of the rides with the shares of both ends."""
    pairs = frame.groupby(["origin_zone", "destination_zone"]).size().rename("n").reset_index()
    pairs = pairs.merge(shares, left_on="origin_zone", right_on="zone").merge(shares, left_on="destination_zone", right_on="zone")
    pairs["trips"] = pairs["n"] * pairs["share_x"] * pairs["share_y"]
    by_hex = pairs.groupby(["hex_x", "hex_y"])["trips"].sum()
    within = by_hex.index.get_level_values(0) == by_hex.index.get_level_values(1)
    return by_hex[~within], float(by_hex[within].sum())


def by_pair(demand: Any) -> pd.Series:  # noqa: ANN401 - a Demand
    """Trips a night by pair of hexes."""
    pairs = pd.DataFrame({"hex_x": demand.origin, "hex_y": demand.destination, "trips": demand.trips / demand.n_nights})
    return pairs.groupby(["hex_x", "hex_y"])["trips"].sum()


def assert_same_trips(demand: Any, wanted: pd.Series, places: float = 0.01) -> None:  # noqa: ANN401 - a Demand
    both = pd.concat([by_pair(demand), wanted], axis=1, keys=["ours", "theirs"]).fillna(0)
    assert (both["ours"] - both["theirs"]).abs().max() < places


def test_rides_of_new_york_are_read_by_their_zones() -> None:
    demand, report = estimate_demand(TLC, AREA, zones=ZONES)
    table = pd.read_parquet(TLC)
    hours = table["tpep_pickup_datetime"].dt.hour
    zones = gpd.read_file(ZONES)
    known = table["PULocationID"].isin(zones["LocationID"])
    assert report.files[0].rows_trip == report.files[0].rows_counted == int(((hours < 5) & known).sum()) == 116
    assert demand.total_presence == 116
    note = next(note for note in report.notes if "zones.geojson (182 zones in 127 hexes, ids in column LocationID)" in note)
    assert "spread over its hexes by area" in note
    night = table[hours < 5].rename(columns={"PULocationID": "origin_zone", "DOLocationID": "destination_zone"})
    wanted, within = expected(night, overlay(zones, AREA, "LocationID"))
    assert_same_trips(demand, wanted)
    assert demand.total_trips + within == pytest.approx(116, abs=0.01)


def test_people_of_new_york_are_where_their_zones_are() -> None:
    demand, _ = estimate_demand(TLC, AREA, zones=ZONES)
    table = pd.read_parquet(TLC)
    night = table[table["tpep_pickup_datetime"].dt.hour < 5]
    shares = overlay(gpd.read_file(ZONES), AREA, "LocationID")
    joined = night.merge(shares, left_on="PULocationID", right_on="zone").groupby("hex")["share"].sum()
    ours = pd.Series(demand.presence).groupby(demand.presence_hex).sum()
    assert (joined.sub(ours, fill_value=0)).abs().max() < 0.01


def test_community_areas_are_read_as_text_with_a_decimal_point(tmp_path: Path) -> None:
    file = written(tmp_path, rides().astype({"origin_zone": str, "destination_zone": float}))
    areas = squares().rename(columns={"zone_id": "area_numbe"})
    areas["area_num_1"] = areas["area_numbe"].astype(str)
    _, report = estimate_demand(file, GRID, zones=areas)
    assert report.files[0].rows_trip == 60
    assert "ids in column area_numbe" in report.notes[0]


def test_codes_of_districts_with_ten_digits_are_read_from_numbers_and_text(tmp_path: Path) -> None:
    codes = 1_111_051_500 + 1_000_000 * np.arange(49)
    areas = squares(adm_cd=codes.astype(str)).drop(columns="zone_id")
    for name, ids in (("numbers.parquet", codes), ("text.parquet", codes.astype(str)), ("text.csv", codes.astype(str))):
        _, report = estimate_demand(written(tmp_path, rides(ids=ids), name), GRID, zones=areas)
        assert report.files[0].rows_trip == 60, name


def test_an_od_matrix_of_traffic_zones_counts_its_trips(tmp_path: Path) -> None:
    frame = rides(trips=np.arange(60) % 7 + 0.5)
    demand, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    assert report.files[0].trips_counted == frame["trips"].sum()
    repeated = frame.loc[frame.index.repeat((frame["trips"] * 2).astype(int))]
    wanted, _ = expected(repeated, overlay(squares(), GRID, "zone_id"))
    assert_same_trips(demand, wanted / 2)


def calls(n: int = 80) -> pd.DataFrame:
    """Calls of people at home in some zone, in one night, all within the window."""
    rng = np.random.default_rng(8)
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(rng.integers(0, 5 * 3600, n), "s")
    return pd.DataFrame({"time": start, "zone": rng.integers(1, 50, n), "home_zone": rng.integers(1, 50, n)})


def test_calls_lead_from_their_zone_to_the_zone_of_the_home(tmp_path: Path) -> None:
    frame = calls()
    demand, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    away = frame[frame["zone"] != frame["home_zone"]].rename(columns={"zone": "origin_zone", "home_zone": "destination_zone"})
    wanted, _ = expected(away, overlay(squares(), GRID, "zone_id"))
    assert report.files[0].rows_counted == 80
    assert report.files[0].rows_trip == len(away)
    assert_same_trips(demand, wanted)


def test_a_call_from_the_zone_of_the_home_is_no_trip_and_a_ride_within_a_zone_is_one(tmp_path: Path) -> None:
    frame = calls().assign(zone=5, home_zone=5)
    frame.loc[0, "home_zone"] = 6
    _, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    assert report.files[0].rows_trip == 1
    assert any("no trips" in note for note in report.notes)
    _, report = estimate_demand(written(tmp_path, rides().assign(origin_zone=5, destination_zone=5)), GRID, zones=squares())
    assert report.files[0].rows_trip == 60


def test_the_home_of_a_subscriber_is_the_zone_of_most_calls(tmp_path: Path) -> None:
    frame = calls().drop(columns="home_zone").assign(subscriber=[f"s{k % 8}" for k in range(80)])
    ranked = frame.groupby(["subscriber", "zone"]).size().rename("n").reset_index().assign(text=lambda rows: rows["zone"].astype(str))
    homes = ranked.sort_values(["subscriber", "n", "text"], ascending=[True, False, True]).groupby("subscriber")["zone"].first()
    away = frame.assign(home_zone=frame["subscriber"].map(homes))
    away = away[away["zone"] != away["home_zone"]].drop_duplicates(["subscriber", "zone"])
    demand, _ = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    wanted, within = expected(
        away.rename(columns={"zone": "origin_zone", "home_zone": "destination_zone"}), overlay(squares(), GRID, "zone_id")
    )
    assert demand.total_trips + within == pytest.approx(len(away), abs=0.01)
    assert_same_trips(demand, wanted)


def test_one_end_may_be_a_zone_and_the_other_a_position(tmp_path: Path) -> None:
    frame = calls().drop(columns="home_zone")
    frame["home_lon"], frame["home_lat"] = GRID.lon[np.arange(80)], GRID.lat[np.arange(80)]
    demand, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    shares = overlay(squares(), GRID, "zone_id")
    joined = frame.assign(hex_y=np.arange(80)).merge(shares, on="zone")
    wanted = joined.groupby(["hex", "hex_y"])["share"].sum()
    wanted.index.names = ["hex_x", "hex_y"]
    assert report.files[0].rows_trip == 80
    assert_same_trips(demand, wanted[wanted.index.get_level_values(0) != wanted.index.get_level_values(1)])


def test_records_are_counted_by_hex_in_whole_rows(tmp_path: Path) -> None:
    frame = calls().drop(columns="home_zone")
    counts = count_records(written(tmp_path, frame), GRID, zones=squares())
    shares = overlay(squares(), GRID, "zone_id")
    wanted = frame.merge(shares, on="zone").groupby([frame.merge(shares, on="zone")["time"].dt.hour, "hex"])["share"].sum()
    assert counts.rows.sum() == 80
    assert counts.rows.sum(axis=2)[0].tolist() == frame.groupby(frame["time"].dt.hour).size().tolist()
    dense = np.zeros(counts.rows.shape[1:])
    dense[wanted.index.get_level_values(0), wanted.index.get_level_values(1)] = wanted
    assert np.abs(counts.rows[0] - dense).max() <= 1


@pytest.mark.parametrize("suffix", ["geojson", "shp", "gpkg", "parquet", "fgb", "kml", "zip", "folder in a zip", "csv"])
def test_polygons_are_read_from_any_format(tmp_path: Path, suffix: str) -> None:
    zones, file = squares(), tmp_path / f"zones.{suffix.removeprefix('folder in a ')}"
    if suffix == "parquet":
        zones.to_parquet(file)
    elif suffix == "csv":
        zones.assign(the_geom=zones.geometry.to_wkt()).drop(columns="geometry").to_csv(file, index=False)
    elif suffix.endswith("zip"):
        (tmp_path / "shape").mkdir()
        zones.to_file(tmp_path / "shape" / "zones.shp")
        shutil.make_archive(
            str(file.with_suffix("")), "zip", tmp_path / "shape" if suffix == "zip" else tmp_path, "." if suffix == "zip" else "shape"
        )
    elif suffix == "kml":
        zones.rename(columns={"zone_id": "Name"}).astype({"Name": str}).to_file(file, driver="KML")
    else:
        zones.to_file(file)
    demand, report = estimate_demand(written(tmp_path, rides(), "rides.parquet"), GRID, zones=file)
    base, _ = estimate_demand(tmp_path / "rides.parquet", GRID, zones=zones)
    assert report.files[0].rows_trip == 60
    assert_same_trips(demand, by_pair(base), 0.002)


@pytest.mark.parametrize("crs", ["EPSG:25833", "EPSG:3857", "EPSG:4258"])
def test_polygons_are_reprojected(tmp_path: Path, crs: str) -> None:
    file = tmp_path / "zones.gpkg"
    squares().to_crs(crs).to_file(file)
    base, moved = (estimate_demand(written(tmp_path, rides()), GRID, zones=zones)[0] for zones in (squares(), file))
    assert_same_trips(moved, by_pair(base), 0.005)


def test_polygons_in_metres_without_a_system_are_named_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "zones.geojson"
    text = json.loads(squares().to_crs("EPSG:25833").to_json(drop_id=True))
    file.write_text(json.dumps({name: value for name, value in text.items() if name != "crs"}))
    frame = written(tmp_path, rides())
    with pytest.raises(DataError, match=r"zones must .* Earth|zones must be in degrees|do not lie on Earth"):
        estimate_demand(frame, GRID, zones=file)
    plain = pd.DataFrame({"id": squares()["zone_id"], "wkt": squares().to_crs("EPSG:25833").to_wkt()["geometry"]})
    base, _ = estimate_demand(frame, GRID, zones=squares())
    named, _ = estimate_demand(frame, GRID, zones=plain, crs="EPSG:25833")
    assert_same_trips(named, by_pair(base), 0.005)
    with pytest.raises(DataError, match=r"zones must be in degrees, got x 3\d+.*crs='EPSG:25833'"):
        estimate_demand(frame, GRID, zones=plain)


def test_an_archive_of_several_layers_is_asked_for_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        squares().to_file(tmp_path / f"{name}.geojson")
    shutil.make_archive(str(tmp_path / "both"), "zip", tmp_path)
    with pytest.raises(DataError, match=r"is a ZIP archive with 2 GIS files, such as a\.geojson and b\.geojson; unpack it and name one"):
        estimate_demand(written(tmp_path, rides()), GRID, zones=tmp_path / "both.zip")


def test_an_outline_is_read_from_a_folder_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "shape").mkdir()
    squares().to_file(tmp_path / "shape" / "zones.shp")
    shutil.make_archive(str(tmp_path / "area"), "zip", tmp_path, "shape")
    assert read_area(tmp_path / "area.zip").equals(read_area(tmp_path / "shape" / "zones.shp"))


@pytest.mark.parametrize("kind", ["csv", "semicolons", "cp949", "utf-16", "title", "parquet", "pandas", "polars", "pyarrow", "geopandas"])
def test_a_table_of_centroids_puts_all_of_a_zone_in_one_hex(tmp_path: Path, kind: str) -> None:
    centres = squares().to_crs("EPSG:25833").geometry.centroid.to_crs(4326)
    table = pd.DataFrame({"zone": squares()["zone_id"], "lon": centres.x, "lat": centres.y})
    zones: Any = tmp_path / ("zones.parquet" if kind == "parquet" else "zones.csv")
    if kind == "csv":
        table.to_csv(zones, index=False)
    elif kind in {"cp949", "utf-16"}:
        korean = table.set_axis(["행정동코드", "경도", "위도"], axis="columns")
        korean.to_csv(zones, index=False, encoding=kind)
    elif kind == "title":
        zones.write_text("Zones of the city\n\n" + table.to_csv(index=False))
    elif kind == "semicolons":
        table.to_csv(zones, index=False, sep=";", decimal=",")
    elif kind == "parquet":
        table.to_parquet(zones)
    elif kind == "geopandas":
        zones = gpd.GeoDataFrame(table[["zone"]], geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs=4326)
    else:
        zones = {"pandas": table, "polars": pl.from_pandas(table), "pyarrow": pl.from_pandas(table).to_arrow()}[kind]
    frame = rides()
    demand, report = estimate_demand(written(tmp_path, frame), GRID, zones=zones)
    hexes = dict(zip(table["zone"], GRID.lonlat_to_hex(table["lon"], table["lat"]), strict=True))
    ends = [frame[name].map(hexes) for name in ("origin_zone", "destination_zone")]
    wanted = pd.concat(ends, axis=1, keys=["hex_x", "hex_y"]).query("hex_x != hex_y and hex_x >= 0 and hex_y >= 0")
    assert report.files[0].rows_trip == len(wanted)
    assert by_pair(demand).astype(int).to_dict() == wanted.groupby(["hex_x", "hex_y"]).size().to_dict()
    assert "counts at the hex of its centroid" in report.notes[0]


def test_rows_without_a_geometry_are_unknown_zones(tmp_path: Path) -> None:
    zones = squares()
    zones.loc[[4, 9], "geometry"] = None
    frame = rides(300)
    _, report = estimate_demand(written(tmp_path, frame), GRID, zones=zones)
    unknown = frame["origin_zone"].isin([5, 10])
    rules = {rule.name: rule.rows for rule in report.rules}
    assert rules["unknown zone"] == unknown.sum() == report.files[0].rows_rejected
    assert rules["goal in an unknown zone"] == (frame["destination_zone"].isin([5, 10]) & ~unknown).sum()
    assert any("2 rows have no geometry" in note for note in report.notes)


def test_broken_rings_are_repaired_and_lines_refused(tmp_path: Path) -> None:
    zones, frame = squares(), written(tmp_path, rides())
    x, y, *_ = zones.geometry[0].bounds
    zones.loc[0, "geometry"] = shapely.Polygon([(x, y), (x + 0.02, y + 0.01), (x + 0.02, y), (x, y + 0.01)])
    assert not zones.geometry[0].is_valid
    table = read_zones(zones).by("zone_id")
    assert shapely.is_valid(table.parts).all()
    assert estimate_demand(frame, GRID, zones=zones)[1].files[0].rows_trip == 60
    zones.loc[0, "geometry"] = shapely.LineString([(x, y), (x + 0.1, y)])
    with pytest.raises(DataError, match="zones must be polygons or points, 1 of 49 rows are none, the first is a LineString"):
        estimate_demand(frame, GRID, zones=zones)


def test_features_of_one_id_are_parts_by_area_or_by_weights() -> None:
    parts = gpd.GeoDataFrame(
        {"id": ["a", "a", "b", "a"], "people": [1, 3, 5, 3]},
        geometry=[
            shapely.box(13.3, 52.46, 13.32, 52.47),
            shapely.box(13.3, 52.48, 13.31, 52.49),
            *([shapely.box(13.4, 52.5, 13.41, 52.51)] * 2),
        ],
        crs=4326,
    )
    by_area = read_zones(parts.iloc[:3]).by("id")
    assert by_area.ids == ("a", "b")
    assert by_area.weight == pytest.approx([2 / 3, 1 / 3, 1], rel=1e-3)
    by_people = read_zones(parts, zone_weights="people").by("id")
    assert by_people.weight == pytest.approx([1 / 7, 3 / 7, 1, 3 / 7])
    doubled = read_zones(pd.concat([parts, parts])).by("id")
    assert doubled.weight == pytest.approx(read_zones(parts).by("id").weight)
    with pytest.raises(DataError, match=r"weights in column people must be numbers of 0 or more, 1 of 4 rows have none, first row 2"):
        read_zones(parts.assign(people=[1, None, 5, 3]), zone_weights="people")


@pytest.mark.parametrize("seed", range(40))
def test_junk_is_read_as_zones_or_refused(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = ("geojson", "gpkg", "csv", "parquet", "fgb")[seed % 5]
    file = tmp_path / f"zones.{source}"
    if source == "csv":
        squares().to_wkt().to_csv(file, index=False)
    elif source == "parquet":
        squares().to_parquet(file)
    else:
        squares().to_file(file)
    content = bytearray(file.read_bytes())
    for place in rng.integers(0, len(content), 1 + seed // 2):
        content[place] = rng.integers(0, 256)
    file.write_bytes(content[: len(content) - seed % 3 * 100])
    try:
        features = read_zones(file)
    except DataError:
        return
    assert shapely.is_valid(features.shapes).all()


def test_overlapping_zones_each_keep_their_trips(tmp_path: Path) -> None:
    zones = squares()
    zones["geometry"] = zones.to_crs("EPSG:25833").buffer(300).to_crs(4326)
    frame = rides()
    demand, _ = estimate_demand(written(tmp_path, frame), GRID, zones=zones)
    shares = overlay(zones, GRID, "zone_id")
    assert_same_trips(demand, expected(frame, shares)[0])


def test_a_pandas_frame_with_a_column_of_shapes_is_a_table_of_zones() -> None:
    frame = pd.DataFrame({"zone_id": squares()["zone_id"], "geometry": list(squares().geometry)})
    frame.loc[len(frame)] = [99, None]
    zones = read_zones(frame)
    assert zones.n_empty == 1
    assert all(ours.equals(theirs) for ours, theirs in zip(zones.shapes, squares().geometry, strict=True))
    assert zones.columns["zone_id"][-1] == "49"


def test_what_is_no_table_is_named_without_its_content(tmp_path: Path) -> None:
    frame = written(tmp_path, rides())
    with pytest.raises(UsageError, match=r"zones must be a path or a frame of .*, got dict"):
        estimate_demand(frame, GRID, zones={"id": [1]})
    with pytest.raises(DataError, match=r"nowhere.geojson: no such file"):
        estimate_demand(frame, GRID, zones=tmp_path / "nowhere.geojson")
    for name, content in (
        ("junk.geojson", b"{"),
        ("junk.gpkg", b"\x00\x01" * 40),
        ("junk.csv", b"a,b\n1,2\n"),
        ("junk.parquet", b"PAR1" + b"x" * 40),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"junk\.\w+: (cannot be read as zones|a table of zones needs)"):
            estimate_demand(frame, GRID, zones=tmp_path / name)


@given(st.integers(0, 10**12), st.sampled_from(["{}", " {} ", "{}.0"]))
def test_a_number_and_its_text_are_one_id(number: int, form: str) -> None:
    index = IdIndex.of(["x", str(number)])
    columns = [pl.Series([form.format(number)]), pl.Series([number]), pl.Series([float(number)])]
    assert [int(index.lookup(column)[0]) for column in columns] == [1, 1, 1]


def test_leading_zeros_are_another_id_if_there_is_one() -> None:
    assert IdIndex.of(["7", "8"]).lookup(pl.Series(["007", "8"])).tolist() == [0, 1]
    assert IdIndex.of(["007", "7"]).lookup(pl.Series(["007", "7", "07"])).tolist() == [0, 1, -4]
    assert IdIndex.of(["007", "8"]).lookup(pl.Series([7, 8])).tolist() == [0, 1]
    assert IdIndex.of(["007", "07"]).lookup(pl.Series([7, 8])).tolist() == [-4, -4]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["7", None, "", " ", "x", "7.5", "\u0667"]),
        pl.Series(["7", None, None, None, "x", "y", "z"], dtype=pl.Categorical),
        pl.Series([b"7", None, None, None, b"x", b"\xff", b"y"], dtype=pl.Binary),
    ],
)
def test_blanks_name_no_zone_and_other_text_an_unknown_one(column: pl.Series) -> None:
    found = IdIndex.of(["7"]).lookup(column).tolist()
    assert found[:5] == [0, -3, -3, -3, -4]


@given(st.lists(st.integers(-50, 3000) | st.none(), min_size=1), st.lists(st.integers(-20, 2500), min_size=1, unique=True))
def test_numbers_are_looked_up_as_a_dictionary_does(values: list[int | None], ids: list[int]) -> None:
    twin = {number: index for index, number in enumerate(ids)}
    index = IdIndex.of([str(number) for number in ids])
    wanted = [-3 if value is None else twin.get(value, -4) for value in values]
    for dtype in (pl.Int64, pl.Int32, pl.Float64, pl.String):
        assert index.lookup(pl.Series(values, dtype=pl.Int64).cast(dtype)).tolist() == wanted


def test_the_column_that_fits_is_chosen_and_a_tie_is_asked(tmp_path: Path) -> None:
    file = written(tmp_path, rides(300))
    numbers = np.arange(1, 50)
    zones = squares(left=numbers, name=[f"zone {k}" for k in numbers]).drop(columns="zone_id")
    assert "ids in column left" in estimate_demand(file, GRID, zones=zones)[1].notes[0]
    tied = zones.assign(right=numbers[::-1])
    with pytest.raises(DataError, match=r"columns left, right have the ids of the records; say which with zone_id='left'"):
        estimate_demand(file, GRID, zones=tied)
    assert "ids in column right" in estimate_demand(file, GRID, zones=tied, zone_id="right")[1].notes[0]
    assert "ids in column LocationID" in estimate_demand(file, GRID, zones=tied.assign(LocationID=numbers[::-1]))[1].notes[0]


def test_ids_that_fit_no_column_are_named_by_their_shape(tmp_path: Path) -> None:
    file = written(tmp_path, rides(ids=["E01000001", "E01000002"]))
    with pytest.raises(DataError, match=r"no column has the ids such as a99999999 of the records, tried zone_id; .*zone_id='COLUMN'"):
        estimate_demand(file, GRID, zones=squares())
    with pytest.raises(DataError, match=r"has no column tract, only zone_id, kind; name one of them with zone_id"):
        estimate_demand(file, GRID, zones=squares(kind="x"), zone_id="tract")
    with pytest.raises(DataError, match=r"no column has the ids such as a99999999"):
        estimate_demand(file, GRID, zones=squares(), zone_id="zone_id")


def test_ids_that_the_table_lacks_are_reported_and_the_others_counted(tmp_path: Path) -> None:
    frame = rides(300)
    frame.loc[:20, "origin_zone"] = 264
    frame.loc[10:40, "destination_zone"] = 265
    _, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    rules = {rule.name: rule.rows for rule in report.rules}
    assert rules == {"unknown zone": 21, "goal in an unknown zone": 20}
    assert report.files[0].rows_trip == 259


def test_missing_zones_are_missing_positions(tmp_path: Path) -> None:
    frame = rides(100).astype({"origin_zone": float, "destination_zone": float})
    frame.loc[:4, "origin_zone"] = None
    frame.loc[5:14, "destination_zone"] = None
    for name in ("rides.csv", "rides.parquet"):
        _, report = estimate_demand(written(tmp_path, frame, name), GRID, zones=squares())
        assert {rule.name: rule.rows for rule in report.rules} == {"position missing": 5, "no goal": 10}


def test_zones_are_asked_for_and_not_taken_in_vain(tmp_path: Path) -> None:
    file = written(tmp_path, rides())
    with pytest.raises(DataError, match=r"names zones instead of positions; add their polygons or centroids with zones='zones.geojson'"):
        estimate_demand(file, GRID)
    names = ("origin_lon", "origin_lat", "destination_lon", "destination_lat")
    plain = rides().drop(columns=["origin_zone", "destination_zone"]).assign(**dict.fromkeys(names, 13.3))
    with pytest.raises(DataError, match=r"has positions and no column of zones, yet zones is given; name it with columns="):
        estimate_demand(written(tmp_path, plain, "plain.csv"), GRID, zones=squares())


@st.composite
def places(draw: st.DrawFn) -> ZoneShares:
    """Some zones over some hexes, partly outside."""
    n_hexes, n_zones = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    hexes, share, start = [], [], [0]
    for _ in range(n_zones):
        chosen = sorted(draw(st.sets(st.integers(0, n_hexes - 1), min_size=2)))
        weights = np.array(draw(st.lists(st.integers(1, 50), min_size=len(chosen) + 1, max_size=len(chosen) + 1)), dtype=float)
        weights[-1] *= draw(st.booleans())
        hexes += chosen
        share += (weights[:-1] / weights.sum()).tolist()
        start.append(len(hexes))
    place_of = n_hexes + np.arange(n_zones, dtype=np.int32)
    return ZoneShares(n_hexes, place_of, np.array(start), np.array(hexes, np.int32), np.array(share))


def dense(shares: ZoneShares) -> np.ndarray:
    """Share of each place in each hex, and outside."""
    matrix = np.zeros((shares.n_places, shares.n_hexes + 1))
    matrix[np.arange(shares.n_hexes), np.arange(shares.n_hexes)] = 1
    for zone in range(shares.start.size - 1):
        rows = slice(shares.start[zone], shares.start[zone + 1])
        matrix[shares.n_hexes + zone, shares.hexes[rows]] = shares.share[rows]
    matrix[:, -1] = 1 - matrix[:, :-1].sum(axis=1)
    return matrix


@settings(max_examples=150)
@given(places(), st.data())
def test_trips_keep_their_sum_and_each_is_within_a_quantum_of_its_share(shares: ZoneShares, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    place = st.lists(st.integers(0, shares.n_places - 1), min_size=n, max_size=n)
    origin, destination = (np.array(data.draw(place), dtype=np.int64) for _ in range(2))
    quanta = np.array(data.draw(st.lists(st.integers(1, 5000), min_size=n, max_size=n)), dtype=np.int64)
    night, hour = np.zeros(n, dtype=np.int64), np.full(n, 25)
    keep = ~((origin < shares.n_hexes) & (origin == destination))
    columns = [axis[keep] for axis in (night, hour, origin, destination, quanta)]
    spread = spread_trips(shares, *columns)
    assert spread.quanta.sum() + spread.n_outside + spread.n_within == columns[-1].sum()
    counts = np.zeros((shares.n_places, shares.n_places))
    np.add.at(counts, (columns[2], columns[3]), columns[4])
    exact = dense(shares).T @ counts @ dense(shares)
    ours = np.zeros((shares.n_hexes, shares.n_hexes))
    np.add.at(ours, (spread.columns[2], spread.columns[3]), spread.quanta)
    inside = exact[:-1, :-1].copy()
    np.fill_diagonal(inside, 0)
    assert np.abs(ours - inside).max() <= 1.01
    assert abs(spread.n_within - np.trace(exact[:-1, :-1])) <= shares.n_hexes + 1
    order = np.random.default_rng(1).permutation(columns[0].size)
    again = spread_trips(shares, *(axis[order] for axis in columns))
    assert totals(spread) == totals(again)


@settings(max_examples=60)
@given(places(), st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3000), st.integers(24, 26)), min_size=1, max_size=12))
def test_people_keep_their_sum_by_hour(shares: ZoneShares, rows: list[tuple[int, int, int]]) -> None:
    place, quanta, hour = (np.array(axis, dtype=np.int64) for axis in zip(*rows, strict=True))
    place %= shares.n_places
    spread = spread_people(shares, np.zeros(place.size, dtype=np.int64), hour, place, quanta)
    assert spread.quanta.sum() + spread.n_outside == quanta.sum()
    exact = np.zeros((3, shares.n_hexes))
    np.add.at(exact, hour - 24, quanta[:, None] * dense(shares)[place, :-1])
    ours = np.zeros_like(exact)
    np.add.at(ours, (spread.columns[1] - 24, spread.columns[2]), spread.quanta)
    assert np.abs(ours - exact).max() <= 1.01


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = shares_of_zones(read_zones(squares()).by("zone_id"), GRID)
    rng = np.random.default_rng(4)
    columns = [np.zeros(500, dtype=np.int64), rng.integers(24, 29, 500), *rng.integers(GRID.n_hexes, shares.n_places, (2, 500))]
    quanta = rng.integers(1, 4000, 500)
    whole = spread_trips(shares, *columns, quanta)
    monkeypatch.setattr(zone_shares, "_CHUNK_PAIRS", 400)
    parts = spread_trips(shares, *columns, quanta)
    assert all((a == b).all() for a, b in zip((*whole.columns, whole.quanta), (*parts.columns, parts.quanta), strict=True))
    assert (whole.n_within, whole.n_outside) == (parts.n_within, parts.n_outside)


def test_one_ride_between_large_zones_reaches_all_of_their_hexes() -> None:
    """4,096 pairs of hexes share 1,024 quanta: each hex must get its part at both ends, not every fourth all of it."""
    n = 64
    hexes = np.concatenate([np.arange(n), n + np.arange(n)]).astype(np.int32)
    shares = ZoneShares(2 * n, np.array([2 * n, 2 * n + 1], np.int32), np.array([0, n, 2 * n]), hexes, np.full(2 * n, 1 / n))
    ends = [np.array([value]) for value in (0, 25, 2 * n, 2 * n + 1, QUANTA_PER_TRIP)]
    spread = spread_trips(shares, *ends)
    origins, destinations = np.bincount(spread.columns[2], spread.quanta, n), np.bincount(spread.columns[3] - n, spread.quanta, n)
    assert (origins == 16).all()
    assert destinations.min() >= 8
    assert destinations.max() <= 24


def test_single_rides_of_many_nights_are_spread_without_bias() -> None:
    n, nights = 64, 200
    hexes = np.concatenate([np.arange(n), n + np.arange(n)]).astype(np.int32)
    share = np.concatenate([np.arange(1, n + 1) / (n * (n + 1) / 2), np.full(n, 1 / n)])
    shares = ZoneShares(2 * n, np.array([2 * n, 2 * n + 1], np.int32), np.array([0, n, 2 * n]), hexes, share)
    night, hour = np.arange(nights), np.full(nights, 24) + np.arange(nights) % 5
    spread = spread_trips(shares, night, hour, np.full(nights, 2 * n), np.full(nights, 2 * n + 1), np.full(nights, 1024))
    by_origin = np.bincount(spread.columns[2], spread.quanta, n) / QUANTA_PER_TRIP
    assert by_origin == pytest.approx(share[:n] * nights, rel=0.05)
    by_destination = np.bincount(spread.columns[3] - n, spread.quanta, n) / QUANTA_PER_TRIP
    assert by_destination == pytest.approx(np.full(n, nights / n), rel=0.15)


def test_a_million_trips_in_one_cell_are_exact() -> None:
    shares = shares_of_zones(read_zones(squares()).by("zone_id"), GRID)
    quanta = np.array([2**50])
    spread = spread_trips(shares, *(np.array([value]) for value in (0, 24, GRID.n_hexes, GRID.n_hexes + 1)), quanta)
    assert int(spread.quanta.sum()) + spread.n_within + spread.n_outside == 2**50


def test_zones_out_of_the_area_are_outside_and_parts_of_zones_are_reported(tmp_path: Path) -> None:
    half = HexGrid.cover(shapely.box(13.29, 52.455, 13.36, 52.52))
    frame = rides(400)
    demand, report = estimate_demand(written(tmp_path, frame), half, zones=squares())
    shares = overlay(squares(), half, "zone_id")
    met = set(shares["zone"])
    assert report.files[0].rows_counted == frame["origin_zone"].isin(met).sum()
    wanted, within = expected(frame, shares)
    assert_same_trips(demand, wanted)
    counted = report.files[0].rows_trip
    outside = counted - demand.total_trips - within
    assert f"{Publisher().text(outside)} outside the area" in report.notes[0]


def test_a_zone_in_one_hex_is_that_hex() -> None:
    x, y = (float(axis[40]) for axis in (GRID.lon, GRID.lat))
    small = gpd.GeoDataFrame({"id": ["a", "b"]}, geometry=[shapely.box(x, y, x + 1e-3, y + 1e-3), shapely.box(0, 0, 1, 1)], crs=4326)
    shares = shares_of_zones(read_zones(small).by("id"), GRID)
    assert shares.place_of.tolist() == [40, -1]
    assert shares.n_places == GRID.n_hexes


@pytest.mark.parametrize("grid", [GRID, HexGrid.from_h3(shapely.box(*BOX)), subdivide_hexes(GRID).grid], ids=["planar", "h3", "parts"])
def test_shares_are_those_of_geopandas(grid: HexGrid) -> None:
    zones = squares(0.03)
    table = read_zones(zones).by("zone_id")
    shares = shares_of_zones(table, grid)
    theirs = overlay(zones, grid, "zone_id").set_index(["zone", "hex"])["share"]
    zone = np.repeat(np.flatnonzero(shares.place_of >= grid.n_hexes), np.diff(shares.start))
    ours = pd.Series(shares.share, index=pd.MultiIndex.from_arrays([zone + 1, shares.hexes], names=["zone", "hex"]))
    assert ours.sub(theirs, fill_value=0).abs().max() < 1e-5


def test_five_thousand_zones_count_in_bounded_memory(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.linspace(13.29, 13.43, 101), np.linspace(52.455, 52.52, 51))
    boxes = shapely.box(x[:-1, :-1].ravel(), y[:-1, :-1].ravel(), x[1:, 1:].ravel(), y[1:, 1:].ravel())
    zones = gpd.GeoDataFrame({"taz": np.arange(5000)}, geometry=boxes, crs=4326)
    frame = rides(2000, n_zones=4999)
    demand, report = estimate_demand(written(tmp_path, frame, "rides.parquet"), GRID, zones=zones)
    wanted, _ = expected(frame, overlay(zones, GRID, "taz"))
    assert report.files[0].rows_counted == 2000
    assert_same_trips(demand, wanted)


def totals(spread: Any) -> dict[tuple[int, ...], int]:  # noqa: ANN401 - a Spread
    """Quanta by key."""
    sums: dict[tuple[int, ...], int] = {}
    for *key, quanta in zip(*(axis.tolist() for axis in spread.columns), spread.quanta.tolist(), strict=True):
        sums[tuple(key)] = sums.get(tuple(key), 0) + quanta
    return sums


def test_processes_count_what_threads_do(tmp_path: Path) -> None:
    files = [written(tmp_path, rides(40 + k), f"rides{k}.parquet") for k in range(3)]
    here, report = estimate_demand(files, GRID, zones=squares())
    there, other = estimate_demand(files, GRID, zones=squares(), run=lambda setup, sources: count_in_processes(setup, sources, 2))
    assert (by_pair(here) == by_pair(there)).all()
    assert report.files == other.files
    assert report.notes == other.notes


def test_rides_that_repeat_are_left_out_in_other_processes_too(tmp_path: Path) -> None:
    frame = rides(40)
    file = written(tmp_path, pd.concat([frame, frame.iloc[:7]]))
    processes = functools.partial(count_in_processes, n_workers=2)
    reports = [estimate_demand(file, GRID, zones=squares(), run=run)[1] for run in (None, processes)]
    assert reports[0].files == reports[1].files
    assert [(rule.name, rule.rows) for rule in reports[1].rules] == [("repeats a row", 7)]


def test_a_checkpoint_is_used_again_for_the_same_zones_only(tmp_path: Path) -> None:
    file, folder = written(tmp_path, rides()), tmp_path / "parts"
    folder.mkdir()
    moved = squares()
    moved["geometry"] = moved.translate(0.01)
    runs = []
    for zones in (squares(), squares(), moved):
        keeper = checkpoint.Checkpoint(folder)
        demand, _ = estimate_demand(file, GRID, zones=zones, run=keeper.counting(None))
        runs.append((keeper.n_reused, demand))
    assert [n_reused for n_reused, _ in runs] == [0, 1, 0]
    assert (by_pair(runs[0][1]) == by_pair(runs[1][1])).all()
    assert not by_pair(runs[0][1]).equals(by_pair(runs[2][1]))
    assert_same_trips(runs[2][1], by_pair(estimate_demand(file, GRID, zones=moved)[0]))


def test_sources_of_other_zones_have_other_checkpoints(tmp_path: Path) -> None:
    file, setup = written(tmp_path, rides()), CountSettings(GRID, NightWindow())
    keys = []
    for zones in (squares(), squares().iloc[::-1], squares().assign(zone_id=np.arange(1, 50)[::-1])):
        with open_sources(file, ReadOptions(zones=zones)) as sources:
            keys.append(checkpoint._key(setup, sources))
    assert len(set(keys)) == 3


def test_files_with_positions_and_files_with_zones_count_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    positions = rides(30).drop(columns=["origin_zone", "destination_zone"])
    hexes = rng.choice(GRID.n_hexes, (2, 30))
    for name, chosen in zip(("origin", "destination"), hexes, strict=True):
        positions[f"{name}_lon"], positions[f"{name}_lat"] = GRID.lon[chosen], GRID.lat[chosen]
    positions["dropoff_time"] += pd.Timedelta("1h")
    files = [written(tmp_path, positions, "a.csv"), written(tmp_path, rides(), "b.csv")]
    both, report = estimate_demand(files, GRID, zones=squares())
    apart = [estimate_demand(files[0], GRID)[0], estimate_demand(files[1], GRID, zones=squares())[0]]
    assert by_pair(both).to_dict() == by_pair(apart[0]).add(by_pair(apart[1]), fill_value=0).to_dict()
    assert len(report.files) == 2


def test_the_outline_of_zones_is_drawn_around_them(tmp_path: Path) -> None:
    frame = rides(300, ids=[1, 2, 8, 9])
    ring = outline_of_records(written(tmp_path, frame), zones=squares())
    used = squares()[squares()["zone_id"].isin([1, 2, 8, 9])].union_all()
    area = shapely.Polygon(ring)
    assert area.covers(used)
    flat = gpd.GeoSeries([area, used.convex_hull], crs=4326).to_crs(GRID.crs)
    assert flat[0].hausdorff_distance(flat[1]) == pytest.approx(500, rel=0.05)


def test_zones_are_spread_over_parts_of_hexes_where_these_count(tmp_path: Path) -> None:
    (tmp_path / "area.geojson").write_text(shapely.to_geojson(shapely.box(*BOX)))
    squares().to_file(tmp_path / "zones.geojson")
    files = (str(written(tmp_path, rides(200))),)
    sources = Sources(files, area=str(tmp_path / "area.geojson"), zones=str(tmp_path / "zones.geojson"), reach="records")
    reading = demand_from_sources(sources)
    parts = subdivide_hexes(reading.whole)
    pairs, _ = expected(rides(200), overlay(squares(), parts.grid, "zone_id"))
    whole = [parts.whole_of[pairs.index.get_level_values(name)] for name in ("hex_x", "hex_y")]
    assert reading.grid.n_hexes == parts.grid.n_hexes
    assert_same_trips(reading.demand, pairs[whole[0] != whole[1]])


def test_the_report_page_says_how_zones_are_spread(tmp_path: Path) -> None:
    squares().to_file(tmp_path / "zones.geojson")
    sources = Sources((str(written(tmp_path, rides(200))),), zones=str(tmp_path / "zones.geojson"))
    study = build_study(sources)
    plan = Plan((Route(study.network.shortest_path(0, study.grid.n_hexes - 1), "N1"),), study.network.fingerprint)
    card = score_plan(study.network, study.demand, plan).to_dict()
    about = describe_run(RunRecord("plan", {}, notes=study.notes))
    for language, heading in (("en", "Data"), ("ko", "자료")):
        page = report_html(report_content(study, PlanContent("plan", plan, card), None, about), language)
        assert heading in page
        assert "what lies in a zone is spread over its hexes by area" in page
    bare = report_html(report_content(study, PlanContent("plan", plan, card), None, describe_run(RunRecord("plan", {}))))
    assert "<dt>Data</dt>" not in bare


def test_one_zone_is_enough_for_an_outline(tmp_path: Path) -> None:
    ring = outline_of_records(written(tmp_path, rides(20, ids=[5])), zones=squares())
    assert shapely.Polygon(ring).covers(squares().geometry[4])


def test_rides_between_zones_are_not_too_fast(tmp_path: Path) -> None:
    frame = rides(50).assign(origin_zone=1, destination_zone=49)
    frame["dropoff_time"] = frame["pickup_time"] + pd.Timedelta("13s")
    _, report = estimate_demand(written(tmp_path, frame), GRID, zones=squares())
    assert report.files[0].rows_trip == 50
    assert any("speed of rides" in note for note in report.notes)


def test_a_table_of_zones_is_the_same_in_another_process() -> None:
    import pickle

    table = read_zones(squares(), zone_weights=None).by("zone_id")
    twin: ZoneTable = pickle.loads(pickle.dumps(table))  # noqa: S301 - our own
    assert twin.fingerprint == table.fingerprint
    assert twin.index_of(pl.Series([49, 50])).tolist() == [48, -4]
    assert replace(table, weight=table.weight / 2).fingerprint != table.fingerprint


def test_messages_and_notes_hold_no_id_of_the_records(tmp_path: Path) -> None:
    file = written(tmp_path, rides(ids=["quartz77", "basalt12"]))
    with pytest.raises(DataError) as caught:
        estimate_demand(file, GRID, zones=squares())
    assert "quartz" not in str(caught.value)
    assert "basalt" not in str(caught.value)


def test_a_zone_with_a_broken_ring_is_left_out(tmp_path: Path) -> None:
    broken = json.loads(ZONES.read_text())
    broken["features"][0]["geometry"]["coordinates"][0][-1] = [13.35, 52.5]
    broken["features"][1]["geometry"]["coordinates"][0] = [[13.3, 52.46]]
    file = tmp_path / "zones.geojson"
    file.write_text(json.dumps(broken))
    assert len(read_zones(file).shapes) < len(broken["features"])


def test_notes_of_a_study_name_files_without_their_folders() -> None:
    study = build_study(Sources(files=(str(TLC),), zones=str(ZONES), area=str(TLC.parents[1] / "areas" / "area.geojson")))
    assert any(note.startswith("places of tlc.parquet are zones of zones.geojson (182 zones") for note in study.notes)
    assert not any(str(TLC.parent) in note for note in study.notes)
