"""Tables of Python: what is taken wherever a file is, demand from counts, hex weights, and figures as frames."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import stat
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import shapely

from owlbus import (
    DataError,
    Demand,
    HexGrid,
    MaxSteps,
    Network,
    OwlbusError,
    Plan,
    Request,
    Route,
    RouteLimits,
    Sources,
    Study,
    UsageError,
    best_plan,
    build_study,
    estimate_demand,
    plan_routes,
    read_area,
    score_plan,
)
from owlbus.cli.session import settings_of_run
from owlbus.cluster import runner, split_sources
from owlbus.common import frames
from owlbus.common.frames import Table, as_polars, as_tables
from owlbus.demand import count_records, weight_demand
from owlbus.demand.estimate import check_files
from owlbus.evidence import PlanEvaluator, compare_plans
from owlbus.evidence.sweep import sweep_plans
from owlbus.pipeline.checkpoint import Checkpoint
from owlbus.pipeline.request import settings_of
from owlbus.records import open_sources, outline_of_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from xml.etree import ElementTree as ET

COLUMNS = ("night", "hour", "origin", "destination", "trips", "presence_night", "presence_hour", "presence_hex", "presence")


def same(first: Demand, second: Demand) -> bool:
    """Whether two demands hold the same arrays, nights, hours, source and grid."""
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in COLUMNS) and all(
        getattr(first, name) == getattr(second, name) for name in ("nights", "hours", "source", "grid")
    )


@pytest.fixture(scope="module")
def reports(cases: Path) -> Path:
    return cases / "reports"


@pytest.fixture(scope="module")
def grid(reports: Path) -> HexGrid:
    return HexGrid.cover(read_area(reports / "areas" / "area.geojson"))


@pytest.fixture(scope="module")
def rides(reports: Path) -> pd.DataFrame:
    return pd.read_csv(reports / "records" / "base_rides.csv")


@pytest.fixture(scope="module")
def calls(reports: Path) -> pd.DataFrame:
    return pd.read_csv(reports / "records" / "base_calls.csv")


@pytest.fixture(scope="module")
def known(reports: Path, grid: HexGrid) -> Demand:
    """Demand of the file of rides."""
    return estimate_demand(reports / "records" / "base_rides.csv", grid)[0]


def batches(table: pa.Table, rows: int) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=rows)


def with_times(frame: pd.DataFrame, convert: Callable[[pd.Series], Any]) -> pd.DataFrame:
    return frame.assign(**{name: convert(pd.to_datetime(frame[name])) for name in ("pickup_time", "dropoff_time")})


class Arrow:
    """A table of a library that owlbus does not know, which exports an Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the table."""
        return self.table.__arrow_c_stream__(requested_schema)


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda f: f,
    "polars": pl.from_pandas,
    "lazy": lambda f: pl.from_pandas(f).lazy(),
    "pyarrow table": pa.Table.from_pandas,
    "record batch": pa.RecordBatch.from_pandas,
    "batch reader": lambda f: pa.Table.from_pandas(f).to_reader(max_chunksize=37),
    "another library": lambda f: Arrow(pa.Table.from_pandas(f)),
    "generator of batches": lambda f: batches(pa.Table.from_pandas(f), 37),
    "generator of pandas frames": lambda f: (f[low : low + 60] for low in range(0, len(f), 60)),
    "generator of polars frames": lambda f: pl.from_pandas(f).iter_slices(51),
    "list of frames": lambda f: [f[:20], f[20:]],
    "list with an empty frame": lambda f: [f[:0], f],
    "tuple of mixed libraries": lambda f: (pl.from_pandas(f[:150]), pa.Table.from_pandas(f[150:], preserve_index=False)),
    "geodataframe": lambda f: gpd.GeoDataFrame(f, geometry=gpd.points_from_xy(f.origin_lon, f.origin_lat), crs=4326),
    "named index": lambda f: f.set_index("pickup_time"),
    "two named levels": lambda f: f.set_index(["pickup_time", "origin_lon"]),
    "unnamed index": lambda f: f.set_index(np.arange(len(f))[::-1]),
    "datetimes": lambda f: with_times(f, lambda column: column),
    "datetimes of objects": lambda f: with_times(f, lambda column: pd.Series(list(column.dt.to_pydatetime()), dtype=object)),
    "texts and missing": lambda f: f.astype({"pickup_time": object}),
    "categories": lambda f: f.astype({"pickup_time": "category", "dropoff_time": "category"}),
    "decimals": lambda f: f.assign(origin_lon=[Decimal(str(value)) for value in f.origin_lon]),
    "nullable floats": lambda f: f.astype({"origin_lon": "Float64", "destination_lat": "Float64"}),
    "arrow types": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "numbers and texts in one column": lambda f: f.assign(origin_lat=[str(v) if k % 2 else v for k, v in enumerate(f.origin_lat)]),
    "a nested column beside": lambda f: pl.from_pandas(f).with_columns(tags=pl.lit([1, 2]), info=pl.struct("origin_lon")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_gives_the_demand_of_its_file(form: str, rides: pd.DataFrame, grid: HexGrid, known: Demand) -> None:
    demand, report = estimate_demand(FORMS[form](rides), grid)
    assert (report.rows_in, report.rows_counted, report.files[0].file) == (200, 116, "records")
    assert same(demand, known)


def test_counts_of_a_frame_are_those_of_a_few_lines_of_pandas(rides: pd.DataFrame, grid: HexGrid) -> None:
    demand, report = estimate_demand(rides, grid)
    hour = pd.to_datetime(rides.pickup_time).dt.hour
    start = grid.lonlat_to_hex(rides.origin_lon, rides.origin_lat)
    end = grid.lonlat_to_hex(rides.destination_lon, rides.destination_lat)
    inside = (hour < 5) & (start >= 0) & (end >= 0)
    assert report.rows_counted == inside.sum() == 116
    assert demand.total_trips == (inside & (start != end)).sum()
    assert demand.presence_by_hex().tolist() == np.bincount(start[inside], minlength=grid.n_hexes).tolist()


def test_calls_as_frames_are_counted_as_their_file(calls: pd.DataFrame, reports: Path, grid: HexGrid) -> None:
    path = reports / "records" / "base_calls.csv"
    known, _ = estimate_demand(path, grid)
    for table in (calls, pl.from_pandas(calls), (calls[low : low + 9] for low in range(0, 200, 9))):
        demand, report = estimate_demand(table, grid)
        assert report.rows_counted == 98
        assert same(demand, known)
    by_hour = pd.to_datetime(calls.time).dt.hour.value_counts()
    assert [int(by_hour[hour]) for hour in range(5)] == known_hours(known)


def known_hours(demand: Demand) -> list[int]:
    return [int(demand.presence[demand.presence_hour == hour].sum()) for hour in demand.hours]


def test_two_tables_of_other_columns_are_two_frames(calls: pd.DataFrame, rides: pd.DataFrame, reports: Path, grid: HexGrid) -> None:
    names = [reports / "records" / "base_calls.csv", reports / "records" / "base_rides.csv"]
    both, _ = estimate_demand(names, grid)
    demand, report = estimate_demand([calls[:90], calls[90:], rides], grid)
    assert same(demand, both)
    assert [file.file for file in report.files] == ["frame 1", "frame 2"]
    mixed, report = estimate_demand([names[0], rides], grid)
    assert same(mixed, both)
    assert [file.file for file in report.files] == [str(names[0]), "records"]


def test_other_readers_take_tables(calls: pd.DataFrame, rides: pd.DataFrame, reports: Path, grid: HexGrid) -> None:
    path = reports / "records" / "base_calls.csv"
    assert np.array_equal(count_records(calls, grid).rows, count_records(path, grid).rows)
    assert check_files(rides, grid)[0].rows_counted == 116
    assert np.array_equal(outline_of_records(pl.from_pandas(calls)), outline_of_records(path))
    with open_sources(calls) as (source,):
        assert (source.form, source.n_rows, source.place(0)) == ("frame", 200, "row 1")


def test_rejected_rows_of_a_frame_are_named_by_row(rides: pd.DataFrame, grid: HexGrid, tmp_path: Path) -> None:
    _, report = estimate_demand(rides.assign(origin_lon=rides.origin_lon.where(rides.index != 4)), grid, rejected=tmp_path / "no.parquet")
    assert [rule.first for rule in report.rules if rule.name == "position missing"] == ["records row 5"]
    assert "row 5" in pl.read_parquet(tmp_path / "no.parquet")["place"].to_list()


def test_an_iterator_longer_than_memory_allows_is_spooled_privately(
    rides: pd.DataFrame, grid: HexGrid, known: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_SPOOL_ROWS", 50)
    monkeypatch.setattr(frames._spooled, "__defaults__", (50,))
    (table,) = as_tables(rides[low : low + 30] for low in range(0, 200, 30))
    assert table.frame is None
    assert table.path is not None
    assert stat.S_IMODE(table.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(table.path.parent.stat().st_mode) == 0o700
    assert repr(table) == "frame of 200 rows"
    path = table.path
    assert as_polars(table)["origin_lon"].to_list() == rides.origin_lon.tolist()
    for _ in range(2):
        assert same(estimate_demand(table, grid)[0], known)
    copy = pickle.loads(pickle.dumps(table))  # noqa: S301 - our own
    del copy
    assert path.exists(), "only the table that made the file removes it"
    del table
    assert not path.exists()
    assert same(estimate_demand((rides[low : low + 30] for low in range(0, 200, 30)), grid)[0], known)
    assert same(estimate_demand(pl.from_pandas(rides).lazy(), grid)[0], known)


def test_batches_of_whole_numbers_and_fractions_are_one_column() -> None:
    parts = [pl.DataFrame({"lon": [13, None]}), pl.DataFrame({"lon": [13.5]}), pl.DataFrame({"lon": [None]})]
    (table,) = as_tables(iter(parts))
    assert as_polars(table)["lon"].to_list() == [13.0, None, 13.5, None]


def test_batches_of_other_types_are_refused() -> None:
    for first, second in ((1, "secret"), ("secret", 1), ("secret", dt.date(2024, 3, 6)), (dt.time(1, 10), 4_200)):
        with pytest.raises(DataError, match=r"^records: column a is \w+ in one batch and \w+ in batch 2; make them one type$"):
            as_tables([pl.DataFrame({"a": [first]}), pl.DataFrame({"a": [second]})])


@pytest.mark.parametrize(
    ("thing", "kind"),
    [
        ({"time": ["secret"]}, "dict"),
        (7, "int"),
        (None, "NoneType"),
        (b"secret", "bytes"),
        (np.zeros(3), "ndarray"),
        (pd.Series(["secret"]), "Series"),
        (pl.Series(["secret"]), "Series"),
        (pa.array([1]), "Int64Array"),
        ([pd.DataFrame({"a": [1]}), {"a": "secret"}], "dict"),
        ([1, 2], "int"),
        ([None], "NoneType"),
        (Demand(2), "Demand, which owlbus made from records already"),
    ],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else "",
)
def test_what_is_no_table_is_named_without_its_content(thing: object, kind: str, grid: HexGrid) -> None:
    expected = f"records must be paths or tables such as pandas, polars or pyarrow, got {kind}"
    for take in (lambda: estimate_demand(thing, grid), lambda: outline_of_records(thing), lambda: Sources(records=thing)):
        if thing is None and take.__code__.co_names[0] == "Sources":
            continue
        with pytest.raises(UsageError) as caught:
            take()
        assert str(caught.value) == expected


def test_columns_that_cannot_be_told_apart_or_are_no_values_are_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["lon", "lon"])
    with pytest.raises(DataError, match=r"^records: two columns are called 'lon' \(1 such names\); rename one of them$"):
        as_polars(twice)
    with pytest.raises(DataError, match="two columns are called 'lon'"):
        as_polars(pa.table([pa.array([1]), pa.array([2])], names=["lon", "lon"]))
    with pytest.raises(DataError, match=r"^records: column a holds objects of type complex, which are no values of a table; convert them$"):
        as_polars(pd.DataFrame({"a": [1j, "x"]}, dtype=object))


def test_values_of_objects_keep_their_types() -> None:
    frame = pd.DataFrame(
        {
            "time": [dt.time(1, 10), None],
            "date": [dt.date(2024, 3, 6), None],
            "zoned": pd.to_datetime(["2024-03-06 01:00", None]).tz_localize("Europe/Berlin"),
            "count": pd.array([1, None], dtype="Int64"),
            "price": [Decimal("1.5"), None],
            "point": [{"lon": 1.0, "lat": 2.0}, None],
            "path": [[1.0, 2.0], None],
            "mixed": [dt.time(1, 10), "01:20"],
        }
    )
    found = as_polars(frame)
    assert found["time"].to_list() == [dt.time(1, 10), None]
    assert found["date"].to_list() == [dt.date(2024, 3, 6), None]
    assert found.schema["zoned"] == pl.Datetime(found.schema["zoned"].time_unit, "Europe/Berlin")  # type: ignore[attr-defined]
    assert found["count"].to_list() == [1, None]
    assert [None if value is None else float(value) for value in found["price"]] == [1.5, None]
    assert found["point"].to_list() == [{"lon": 1.0, "lat": 2.0}, None]
    assert found["path"].to_list() == [[1.0, 2.0], None]
    assert found["mixed"].to_list() == ["01:10:00", "01:20"]


def test_durations_are_seconds(rides: pd.DataFrame, grid: HexGrid, known: Demand) -> None:
    taken = pd.to_datetime(rides.dropoff_time) - pd.to_datetime(rides.pickup_time)
    for unit in ("s", "ms", "ns"):
        frame = rides.drop(columns="dropoff_time").assign(duration_s=taken.astype(f"timedelta64[{unit}]"))
        assert as_polars(frame)["duration_s"].to_list() == taken.dt.total_seconds().tolist()
        assert same(estimate_demand(frame, grid)[0], known)


def test_geometries_become_points_in_degrees_that_name_their_system() -> None:
    points = gpd.GeoSeries([shapely.Point(13.4, 52.5), None], crs=4326)
    for crs in (4326, 25833, 3857):
        found = as_polars(gpd.GeoDataFrame({"a": [1, 2]}, geometry=points.to_crs(crs)))["geometry"].to_list()
        assert found[1] is None
        point = shapely.from_wkb(found[0])
        assert (round(point.x, 6), round(point.y, 6), shapely.get_srid(point)) == (13.4, 52.5, 4326)
    (unknown,) = as_polars(gpd.GeoDataFrame(geometry=[shapely.Point(391_000, 5_818_000)]))["geometry"].to_list()
    assert (shapely.from_wkb(unknown).x, shapely.get_srid(shapely.from_wkb(unknown))) == (391_000, 0)


def test_a_study_of_tables_is_that_of_files(rides: pd.DataFrame, reports: Path) -> None:
    area = gpd.read_file(reports / "areas" / "area.geojson")
    of_files = build_study(Sources(files=(str(reports / "records" / "base_rides.csv"),), area=str(reports / "areas" / "area.geojson")))
    of_tables = build_study(Sources(records=rides, area=area))
    assert same(of_tables.demand, of_files.demand)
    assert of_tables.network.fingerprint == of_files.network.fingerprint
    assert (of_tables.inputs, of_tables.is_synthetic) == ((), False)
    drawn = build_study(Sources(records=(rides[low : low + 20] for low in range(0, 200, 20))))
    assert same(drawn.demand, build_study(Sources(files=of_files.inputs[:1])).demand)


def test_settings_of_tables_hold_no_row(rides: pd.DataFrame, reports: Path) -> None:
    area = gpd.read_file(reports / "areas" / "area.geojson")
    sources = Sources(records=rides, area=area, masts=pl.DataFrame({"id": [1]}), zones=pl.LazyFrame({"id": [1]}))
    settings = settings_of_run(sources, None)
    assert (settings["records"], settings["area"], settings["masts"]) == ("frame", "frame of 1 row", "frame of 1 row")
    assert settings["zones"] == "frame"
    assert "13.37" not in json.dumps(settings)
    assert repr(sources).count("frame of 200 rows") == 1
    assert settings_of_run(Sources(records=[rides, rides[["origin_lon"]]]), None)["records"] == ["frame"] * 2
    assert "records" not in settings_of_run(Sources(files=("a.csv",)), None)
    assert deepcopy(sources.records)[0] is sources.records[0]
    assert replace(sources, radius_m=400).records[0] is sources.records[0]


def test_iterators_of_people_are_converted_once(rides: pd.DataFrame) -> None:
    sources = Sources(records=rides, presence=iter([pl.DataFrame({"hex": [1], "people": [2]})]))
    assert [(table.name, table.n_rows) for table in (*sources.records, *sources.presence)] == [("records", 200), ("presence", 1)]
    assert Sources(records=rides, presence="people.csv").settings["presence"] == "people.csv"
    with pytest.raises(UsageError, match=r"^presence must be paths or tables such as pandas, polars or pyarrow, got int$"):
        Sources(records=rides, presence=3)


def test_files_and_tables_together_are_refused(rides: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=r"^records and files are two sources of records, got both; give one of them$"):
        Sources(records=rides, files=("a.csv",))


def test_one_path_may_stand_alone(reports: Path) -> None:
    path = reports / "records" / "base_rides.csv"
    assert Sources(files=str(path)).files == (str(path),)  # type: ignore[arg-type]
    assert build_study(Sources(records=path)).demand.total_trips == build_study(Sources(files=(str(path),))).demand.total_trips


def test_an_area_may_be_polygons_of_any_system(reports: Path, grid: HexGrid) -> None:
    area = gpd.read_file(reports / "areas" / "area.geojson")
    for thing in (area, area.geometry, area.geometry.iloc[0], pd.concat([area, gpd.GeoDataFrame(geometry=[None], crs=4326)])):
        assert HexGrid.cover(thing).fingerprint == grid.fingerprint
    assert HexGrid.cover(area.to_crs(25833)).n_hexes == grid.n_hexes
    halves = area.overlay(gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 13.35, 60), shapely.box(13.35, 0, 40, 60)], crs=4326))
    assert HexGrid.cover(halves).n_hexes == grid.n_hexes
    with pytest.raises(DataError, match=r"^an outline must hold a Polygon or MultiPolygon, got Point; name the study area as polygons$"):
        HexGrid.cover(gpd.GeoDataFrame(geometry=[shapely.Point(1, 2)], crs=4326))


def test_road_tables_may_be_frames(reports: Path) -> None:
    folder = reports / "loopline"
    names = {name: str(folder / f"{name}.csv") for name in ("nodes", "links")}
    known = build_study(Sources(files=(str(folder / "taxi.csv"),), **names))  # type: ignore[arg-type]
    taxi = pd.read_csv(folder / "taxi.csv")
    for read in (pd.read_csv, pl.read_csv, lambda path: pa.Table.from_pandas(pd.read_csv(path))):
        study = build_study(Sources(records=taxi, **{name: read(path) for name, path in names.items()}))
        assert study.network.fingerprint == known.network.fingerprint
        assert study.inputs == ()
    with pytest.raises(UsageError, match=r"^nodes must be tables such as pandas, polars or pyarrow, got int$"):
        Network.from_tables(3, names["links"], known.grid)


def test_checkpoints_know_a_frame_by_its_rows(rides: pd.DataFrame, grid: HexGrid, known: Demand, tmp_path: Path) -> None:
    reused = []
    for table in (rides, pl.from_pandas(rides), rides.assign(origin_lon=rides.origin_lon + 0.02), rides[1:-9]):
        checkpoint = Checkpoint(tmp_path)
        demand, _ = estimate_demand(table, grid, run=checkpoint.counting(None))
        reused.append((checkpoint.n_reused, same(demand, known)))
    assert reused == [(0, True), (1, True), (0, False), (0, False)]
    assert not any(b"origin_lon" in file.read_bytes() and b"ARROW" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_checkpoint_of_a_file_is_reused(reports: Path, grid: HexGrid, known: Demand, tmp_path: Path) -> None:
    path = reports / "records" / "base_rides.csv"
    for n_reused in (0, 1):
        checkpoint = Checkpoint(tmp_path)
        assert same(estimate_demand(path, grid, run=checkpoint.counting(None))[0], known)
        assert checkpoint.n_reused == n_reused
    other = Checkpoint(tmp_path)
    estimate_demand(path, grid, run=other.counting(None), timezone="Europe/Berlin")
    assert other.n_reused == 0, "how records are read is part of what is counted"


def test_a_worker_gets_its_own_rows_of_a_frame_only(calls: pd.DataFrame) -> None:
    with open_sources(calls.assign(subscriber=range(len(calls)))) as sources:  # calls of nobody are kept together for their repeats
        parts = split_sources(sources, part_rows=64)
        assert [(part.first_row, part.stop_row) for part in parts] == [(0, 64), (64, 128), (128, 192), (192, 200)]
        for part in parts:
            sent = pickle.loads(pickle.dumps(part))  # noqa: S301 - our own
            assert sent.table.frame.height == part.stop_row - part.first_row
            assert sent.scan().collect().equals(sources[0].scan().collect()[part.first_row : part.stop_row])


def test_worker_processes_count_a_frame_alike(calls: pd.DataFrame, rides: pd.DataFrame, grid: HexGrid) -> None:
    here, report = estimate_demand([calls, rides], grid)
    there, report_there = estimate_demand([calls, rides], grid, run=runner("processes:2"))
    assert same(here, there)
    assert report_there.files == report.files


# Demand from counts


def test_demand_comes_back_from_its_own_frames(known: Demand, grid: HexGrid) -> None:
    trips, presence = known.to_frame(), known.to_frame("presence")
    shuffled = trips.sample(frac=1, random_state=1)
    for table in (trips, pl.from_pandas(shuffled), pa.Table.from_pandas(shuffled), [trips[:9], trips[9:]]):
        assert same(Demand.from_od(table, grid, presence=presence, source="taxi"), known)
    assert same(Demand.from_presence(presence, grid, source="taxi"), replace(known, **dict.fromkeys(COLUMNS[:5], np.empty(0, np.int64))))


def test_an_od_matrix_by_position_is_what_records_give(rides: pd.DataFrame, grid: HexGrid, known: Demand) -> None:
    kept = rides.assign(hour=pd.to_datetime(rides.pickup_time).dt.hour, trips=1)
    kept = kept[kept.hour < 5]
    demand = Demand.from_od(kept.assign(date=dt.date(2024, 3, 5)), grid, source="taxi")
    assert same(demand, known)
    from_text = Demand.from_od(kept.assign(night="2024-03-05"), grid, source="taxi")
    assert same(from_text, known)
    undated = Demand.from_od(kept, grid)
    assert (undated.nights, undated.total_trips) == ((None,), known.total_trips)


def test_trips_within_a_hex_are_people_alone() -> None:
    demand = Demand.from_od(pd.DataFrame({"origin": [0, 2, 2], "destination": [1, 2, 0], "trips": [4.0, 3.0, 0.5]}))
    assert (demand.n_hexes, demand.total_trips, demand.presence_by_hex().tolist()) == (3, 4.5, [4.0, 0.0, 3.5])


def test_places_may_be_labels_or_cells(reports: Path, grid: HexGrid) -> None:
    cells = HexGrid.from_h3(read_area(reports / "areas" / "area.geojson"), 8)
    counts = np.arange(cells.n_hexes) + 1.0
    numbers = [int(label, 16) for label in cells.labels]
    for column, values in (("hex", cells.labels), ("h3", cells.labels), ("cell", numbers), ("hex", np.arange(cells.n_hexes))):
        demand = Demand.from_presence(pd.DataFrame({column: values, "people": counts}), cells)
        assert demand.presence_by_hex().tolist() == counts.tolist()
    fine = Demand.from_presence(pd.DataFrame({"cell": grid.h3_index(10), "people": 2}), grid)
    assert fine.presence_by_hex().tolist() == [2.0] * grid.n_hexes
    with pytest.raises(DataError, match="cell holds H3 cells of resolution 8, too coarse for hexes of 500 m; use HexGrid"):
        Demand.from_presence(pd.DataFrame({"cell": grid.h3_index(8), "people": 2}), grid)
    labelled = Demand.from_od(pd.DataFrame({"origin": grid.labels[:2], "destination": grid.labels[2:4], "trips": 1}), grid)
    assert labelled.od().destination.tolist() == [2, 3]


OD = {"origin": [0, 1], "destination": [1, 2], "trips": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("change", "grid_given", "message"),
    [
        ({"trips": None}, 3, r"trips must be finite and >= 0"),
        ({"trips": -1.0}, 3, r"trips must be finite and >= 0"),
        ({"origin": 9}, 3, r"^trips: 2 of 2 rows have origin outside the grid, first row 1; cover them with the grid, or leave them out$"),
        ({"origin": -1}, None, "2 of 2 rows have origin outside the grid"),
        ({"origin": "x"}, 3, r"^trips: origin is no hex index, so that a grid is needed; give grid, a HexGrid$"),
        ({"hour": 7}, 3, r"^trips: 2 of 2 rows have an hour outside 24 to 28, first row 1; name the service hours with hours"),
        ({"hour": 0.5}, 3, "an hour outside"),
        ({"date": "6 March"}, 3, "date must be service dates such as 2013-03-12, and is not in 2 of 2 rows"),
        ({"night": 0}, 3, "night must be service dates"),
    ],
)
def test_rows_that_are_no_trips_are_refused(change: dict[str, Any], grid_given: int | None, message: str) -> None:
    with pytest.raises(OwlbusError, match=message):
        Demand.from_od(pd.DataFrame(OD).assign(**change), grid_given)


def test_columns_that_lack_are_named() -> None:
    with pytest.raises(DataError, match=r"^trips: needs a column trips, found origin, destination; rename the one that counts them$"):
        Demand.from_od(pd.DataFrame(OD).drop(columns="trips"), 3)
    with pytest.raises(DataError, match=r"needs destination \(hex index\), destination_cell \(H3\), or destination_lon"):
        Demand.from_od(pd.DataFrame(OD).drop(columns="destination"), 3)
    with pytest.raises(DataError, match=r"^presence: needs a column people, found hex"):
        Demand.from_presence(pd.DataFrame({"hex": [1]}), 3)
    with pytest.raises(DataError, match=r"^trips and presence must both have a night, or neither; only trips has$"):
        Demand.from_od(pd.DataFrame(OD).assign(night="2024-03-05"), 3, presence=pd.DataFrame({"hex": [1], "people": [1]}))
    with pytest.raises(UsageError, match=r"^trips must be tables such as pandas, polars or pyarrow, got dict$"):
        Demand.from_od(OD, 3)
    with pytest.raises(UsageError, match=r"^hours must hold at least one service hour, got none$"):
        Demand.from_od(pd.DataFrame(OD), 3, hours=())


def test_clock_hours_after_midnight_are_service_hours() -> None:
    frame = pd.DataFrame(OD).assign(hour=[23, 1])
    assert Demand.from_od(frame, 3, hours=range(22, 27)).hour.tolist() == [23, 25]
    assert Demand.from_od(frame.assign(hour=[24, 25]), 3).hour.tolist() == [24, 25]


# Weights of hexes


@pytest.fixture(scope="module")
def town() -> tuple[Network, Demand]:
    area = HexGrid.cover([(0, 0), (0.08, 0), (0.08, 0.08), (0, 0.08)])
    rng = np.random.default_rng(0)
    origin = rng.integers(0, area.n_hexes, 400)
    destination = (origin + rng.integers(1, area.n_hexes, 400)) % area.n_hexes
    table = pd.DataFrame({"origin": origin, "destination": destination, "trips": rng.integers(1, 30, 400), "hour": 24})
    return Network.from_lattice(area), Demand.from_od(table, area)


LIMITS = RouteLimits(max_length_m=6000)
SETTINGS: dict[str, Any] = {"limits": LIMITS, "stop_when": [MaxSteps(2000)]}


def corner_weights(network: Network) -> np.ndarray[Any, np.dtype[np.float64]]:
    weights = np.zeros(network.grid.n_hexes)
    weights[np.argsort(np.hypot(network.grid.lon, network.grid.lat))[:8]] = 1
    return weights


def test_weights_of_one_change_nothing(town: tuple[Network, Demand]) -> None:
    demand = town[1]
    assert same(weight_demand(demand, np.ones(demand.n_hexes)), demand)
    plain, weighted = plan_routes(*town, 2, **SETTINGS), plan_routes(*town, 2, weights=np.ones(demand.n_hexes), **SETTINGS)
    assert weighted.plan.equals(plain.plan)
    assert (weighted.value_quanta, weighted.total_quanta, weighted.share) == (plain.value_quanta, plain.total_quanta, plain.share)
    assert (weighted.weighted_share, plain.weighted_share) == (plain.share, None)


@pytest.mark.parametrize("objective", ["served", "presence"])
def test_weights_in_one_corner_pull_routes_there(town: tuple[Network, Demand], objective: str) -> None:
    network = town[0]
    weights = corner_weights(network)
    apart = np.hypot(network.grid.lon, network.grid.lat)
    plain = plan_routes(*town, 1, objective=objective, **SETTINGS).plan
    weighted = plan_routes(*town, 1, objective=objective, weights=weights, **SETTINGS).plan
    mean = [apart[network.stop_hex[plan.used_stops]].mean() for plan in (plain, weighted)]
    assert mean[1] < mean[0] / 2
    assert weights[network.stop_hex[weighted.used_stops]].sum() > weights[network.stop_hex[plain.used_stops]].sum()


def test_shares_of_a_weighted_search_have_the_denominators_of_all(town: tuple[Network, Demand]) -> None:
    network, demand = town
    result = plan_routes(*town, 2, weights=corner_weights(network), bound_steps=5, **SETTINGS)
    card = score_plan(network, demand, result.plan, count_by="centre")
    assert result.total_quanta == demand.total_trips * 1024 == card.coverage.served.denominator * 1024
    assert result.share == card.served_share
    assert result.weighted_share is not None
    assert result.weighted_share > 2 * result.share
    assert result.bound_quanta is None
    assert result.weighted_bound_share is not None
    assert result.weighted_bound_share >= result.weighted_share


def test_the_weight_of_a_trip_is_the_mean_of_its_ends() -> None:
    demand = Demand.from_od(pd.DataFrame(OD), 3)
    weighted = weight_demand(demand, [1.0, 0.5, 0.1])
    assert weighted.trips.tolist() == [0.75, round(2 * 0.3 * 1024) / 1024]
    assert weighted.presence_by_hex().tolist() == [1.0, 1.0, 0.0]
    only = weight_demand(demand, [1.0, 0.0, 0.0])
    assert (only.trips.tolist(), only.presence_by_hex().tolist()) == ([0.5], [1.0, 0.0, 0.0])


def test_a_request_has_weights_and_run_json_their_number(town: tuple[Network, Demand]) -> None:
    network, demand = town
    study = Study(network.grid, demand, network)
    request = Request(2, LIMITS, steps=2000, weights=corner_weights(network))
    run = best_plan(study, request)
    assert run.result.plan.equals(plan_routes(*town, 2, weights=corner_weights(network), **SETTINGS).plan)
    assert score_plan(network, demand, run.result.plan, count_by="centre").served_share == run.result.share
    near = best_plan(study, replace(request, base=run.best.plan))
    assert near.result.share == score_plan(network, demand, near.result.plan, count_by="centre").served_share
    assert near.result.weighted_share is not None
    settings = settings_of(request)
    assert settings["weights"] == {"n_hexes": demand.n_hexes}, "a hash would confirm a guess of weights made of records"
    assert "weights" not in settings_of(Request())
    assert request == replace(request)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0, 0, 0], "weights must be above 0 for some hex, got 0 for all"),
        ([1, 1], r"weights must hold one number a hex, got shape \(2,\) for 3 hexes"),
        ([1, -1, 1], r"weights must lie in \[0, 1000\], got -1 for hex 1 \(1 such hexes\)"),
        ([1, float("nan"), 1], "got nan for hex 1"),
        ([1, 1, 1001], "got 1001 for hex 2"),
        ("text", "weights must be numbers by hex, got str"),
    ],
)
def test_weights_out_of_range_are_refused(weights: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        weight_demand(Demand.from_od(pd.DataFrame(OD), 3), weights)


def test_weights_where_nobody_travels_are_refused() -> None:
    with pytest.raises(UsageError, match="weights must be above 0 where people travel, got 0 for every hex with demand"):
        weight_demand(Demand.from_od(pd.DataFrame(OD), 4), [0, 0, 0, 1])


# Figures as frames


@pytest.fixture(scope="module")
def plan(town: tuple[Network, Demand]) -> Plan:
    network = town[0]
    last = network.n_stops - 1
    return Plan((Route(network.shortest_path(0, last), "N1"), Route(network.shortest_path(10, last - 10), "N2")), network.fingerprint)


def test_a_demand_has_exact_rows_and_polygons(town: tuple[Network, Demand]) -> None:
    network, demand = town
    trips, hexes = demand.to_frame(), demand.to_geodataframe(network.grid)
    assert trips.trips.sum() == demand.total_trips == hexes.origin_trips.sum() == hexes.destination_trips.sum()
    assert trips.groupby("origin").trips.sum().to_dict() == hexes.origin_trips[hexes.origin_trips > 0].to_dict()
    assert (hexes.person_hours.sum(), hexes.crs.to_epsg(), len(hexes)) == (demand.total_presence, 4326, demand.n_hexes)
    assert list(demand.to_frame("presence")) == ["hour", "hex", "people"]
    with pytest.raises(UsageError, match="what must be one of trips, presence, got 'x'"):
        demand.to_frame("x")
    with pytest.raises(DataError, match="demand and grid must be of one grid"):
        demand.to_geodataframe(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02)]))


def test_a_plan_has_stops_and_lines(town: tuple[Network, Demand], plan: Plan) -> None:
    network = town[0]
    stops, lines = plan.to_frame(network), plan.to_geodataframe(network)
    for route in plan:
        rows = stops[stops.route == route.name]
        assert rows.stop.tolist() == route.stops.tolist()
        assert rows.sequence.tolist() == list(range(route.n_stops))
        assert rows.lon.tolist() == network.stop_lon[route.stops].tolist()
    assert list(plan.to_frame()) == ["route", "sequence", "stop"]
    assert (lines.name.tolist(), lines.crs.to_epsg()) == (["N1", "N2"], 4326)
    assert [len(line.coords) for line in lines.geometry] == [route.n_stops for route in plan]
    empty = Plan((), network.fingerprint)
    assert (len(empty.to_frame(network)), len(empty.to_geodataframe(network))) == (0, 0)
    with pytest.raises(DataError, match="network"):
        Plan(plan.routes, "other").to_frame(network)


def test_a_scorecard_has_exact_figures(town: tuple[Network, Demand], plan: Plan) -> None:
    network, demand = town
    card = score_plan(network, demand, plan)
    rows = card.to_frame().set_index("measure")
    assert rows.value["served_share"] == card.served_share
    assert rows.numerator["presence_share"] == card.coverage.presence.numerator
    assert (rows.value["total_buses"], rows.unit["total_length_m"]) == (card.total_buses, "m")
    by_hour = card.to_frame("hour")
    served = by_hour[by_hour.measure == "served_share"].set_index("hour")
    assert served.numerator.to_dict() == {hour: part.served.numerator for hour, part in card.by_hour.items()}
    assert served.value.isna().sum() == sum(part.served.denominator == 0 for part in card.by_hour.values()) > 0
    assert card.to_frame("route").boardings_trips.tolist() == [route.boardings_trips for route in card.routes]
    assert len(card.to_frame("segment")) == len(card.segments)
    shapes = card.to_geodataframe(network, plan)
    assert (shapes.name.tolist(), shapes.buses.tolist()) == (["N1", "N2"], [route.buses for route in card.routes])
    for by in ("weekday", "group", "source"):
        assert set(card.to_frame(by).get(by, [])) == set(getattr(card, f"by_{by}"))
    with pytest.raises(UsageError, match="by must be one of measure, hour"):
        card.to_frame("x")
    with pytest.raises(UsageError, match="plan must be the one of the scorecard"):
        card.to_geodataframe(network, Plan(plan.routes[:1], plan.network_fingerprint))


def test_a_network_has_frames(town: tuple[Network, Demand]) -> None:
    network = town[0]
    stops, links = network.to_frame(), network.to_frame("links")
    assert stops.lon.tolist() == network.stop_lon.tolist()
    assert links.metres.tolist() == network.link_m.tolist()
    assert type(stops) is pd.DataFrame
    assert set(network.to_geodataframe().geom_type) == {"Point"}
    assert set(network.to_geodataframe("links").geom_type) == {"LineString"}
    assert len(network.to_frame("sheds")) == network.shed_hex.size
    with pytest.raises(UsageError, match="what must be one of stops, links, sheds, got 'x'"):
        network.to_frame("x")


def test_sweeps_and_comparisons_have_frames(town: tuple[Network, Demand], plan: Plan) -> None:
    network, demand = town
    swept = sweep_plans(PlanEvaluator.build(network, demand), "routes", (1, 2), LIMITS, n_steps=300)
    frame, lines = swept.to_frame(), swept.to_geodataframe(network)
    assert frame.routes.tolist() == [1, 2]
    assert frame.served_share.tolist() == [point.served_share for point in swept.points]
    assert frame.served_trips.tolist() == [point.served_trips for point in swept.points]
    assert lines.groupby("routes").size().to_dict() == {point.setting: len(point.plan) for point in swept.points}
    other = Plan(plan.routes[:1], plan.network_fingerprint)
    compared = compare_plans(network, demand, {"both": plan, "one": other})
    rows = compared.to_frame().set_index(["plan", "measure"])
    for name, card in compared.cards.items():
        assert rows.value[name, "served_share"] == card.served_share
        assert rows.change[name, "served_share"] == card.served_share - compared.cards["both"].served_share
    hexes = compared.to_geodataframe("one")
    assert hexes.lost_presence.sum() == compared.changes["one"].whole.lost_presence > 0
    assert (hexes.gained_trips.sum(), hexes.crs.to_epsg()) == (0, 4326)
    with pytest.raises(UsageError, match="name must be one of one, got 'both'"):
        compared.to_geodataframe("both")


def test_studies_and_runs_are_readable_and_show_printed_figures_alone(town: tuple[Network, Demand]) -> None:
    network, demand = town
    study = Study(network.grid, demand, network)
    run = best_plan(study, Request(2, LIMITS, steps=500), name="<b>plan")
    assert repr(study) == "Study(149 hexes, 149 stops, 1 night of counts)"
    assert repr(demand) == "Demand(149 hexes, 5 hours, 1 night of counts)"
    share = f"{run.best.card.to_dict()['served']['share']:.1%}"
    assert repr(run.best).startswith("ScoredPlan('<b>plan', 2 routes, 2 buses, ")
    assert f"{share} of trips" in repr(run.best)
    assert repr(run).endswith("; ended because the limit of 500 moves was reached)")
    for thing in (study, run, run.best):
        html = thing._repr_html_()
        tree = parsed(html)
        assert tree.find(".//table") is not None
        assert "<b>plan" not in html
        assert len(html) < 100_000
    few = [
        Study(network.grid, Demand(149, origin=[0, 3], destination=[100, 5], trips=trips), network) for trips in ([9.0, 7.0], [4.0, 25.0])
    ]
    assert few[0]._repr_html_() == few[1]._repr_html_(), "16 and 29 trips print alike"


def parsed(html: str) -> ET.Element:
    from xml.etree import ElementTree as ET

    return ET.fromstring(html)  # noqa: S314 - text that this package wrote


def test_a_table_knows_its_size_alone() -> None:
    assert repr(Table(pl.DataFrame({"a": ["secret"]}))) == "frame of 1 row"
