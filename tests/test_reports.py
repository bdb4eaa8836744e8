"""Small inputs after public bug reports: each is read with the right value, or refused with the option that reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from owlbus.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

BY_HOUR = [25, 18, 19, 16, 20]
"""Calls of the night by hour, 00 to 04, counted with pandas when the files were made."""

N_CALLS, N_RIDES = 98, 116


@pytest.fixture(scope="module")
def reports(cases: Path) -> Path:
    return cases / "reports"


def area_of(reports: Path) -> list[str]:
    return ["--area", str(reports / "areas" / "area.geojson")]


def demand(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """Return what `owlbus demand` counts, as JSON."""
    code = run(["demand", *map(str, words), "--public", "--json", "-q"])
    out, err = capsys.readouterr()
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the one line that `owlbus demand` refuses an input with."""
    code = run(["demand", *map(str, words), "-q"])
    _, err = capsys.readouterr()
    assert code in {2, 3}, err
    assert err.count("\n") == 1
    return err


# counted by an independent few lines


def test_the_base_files_hold_what_the_other_files_must_give(reports: Path) -> None:
    calls = pd.read_csv(reports / "records" / "base_calls.csv", parse_dates=["time"])
    rides = pd.read_csv(reports / "records" / "base_rides.csv", parse_dates=["pickup_time"])
    assert calls.time.dt.hour.value_counts().reindex(range(5)).tolist() == BY_HOUR
    assert (int((calls.time.dt.hour < 5).sum()), int((rides.pickup_time.dt.hour < 5).sum())) == (N_CALLS, N_RIDES)


def people_by_hour(out: Path) -> list[float]:
    """Return people present by hour, 00 to 04, as the demand table of a run holds them."""
    from owlbus.demand import Demand

    counts = Demand.read(out / "demand.parquet")
    return [float(counts.presence[counts.presence_hour == hour].sum()) for hour in range(24, 29)]


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("base_calls.csv", ()),
        ("calls_hour.csv", ()),
        ("calls_hour.csv", ("--time-format", "hour")),
        ("calls_hhmmss.csv", ()),
        ("calls_hhmmss.csv", ("--time-format", "HHMMSS")),
        ("calls_hhmmss.csv", ("--time-format", "%H%M%S")),
        ("calls_14digit.csv", ()),
        ("calls_14digit.csv", ("--time-format", "%Y%m%d%H%M%S")),
        ("dup_calls.csv", ()),
    ],
)
def test_calls_are_counted_in_the_hour_that_was_meant(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, options: tuple[str, ...]
) -> None:
    demand(capsys, reports / "records" / file, *area_of(reports), "--out", tmp_path / "out", *options)
    assert people_by_hour(tmp_path / "out") == BY_HOUR


def test_hours_of_a_small_file_are_never_wrong(reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = reports / "records" / "min_hour.csv"
    hours = pd.read_csv(file).time
    code = run(["demand", str(file), *area_of(reports), "--out", str(tmp_path / "out"), "-q"])
    _, err = capsys.readouterr()
    if code == 0:
        assert people_by_hour(tmp_path / "out") == hours.value_counts().reindex(range(5), fill_value=0).tolist()
    else:
        assert "--time-format" in err


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("base_rides.csv", ()),
        ("excel_serial.csv", ()),
        ("excel_serial.csv", ("--time-format", "excel")),
        ("ampm.csv", ("--date-order", "MDY")),
        ("ampm.csv", ("--time-format", "%m/%d/%Y %I:%M:%S %p")),
        ("ddmm.csv", ("--date-order", "DMY")),
        ("ddmm.csv", ("--time-format", "%d/%m/%Y %H:%M")),
        ("decimalcomma.csv", ()),
        ("tlc2015.csv", ()),
        ("struct.parquet", ()),
        ("h3.csv", ()),
        ("projected.csv", ("--crs", "EPSG:25833")),
    ],
)
def test_rides_are_counted_in_every_dress(reports: Path, capsys: pytest.CaptureFixture[str], file: str, options: tuple[str, ...]) -> None:
    records = demand(capsys, reports / "records" / file, *area_of(reports), *options)["records"]
    assert (records["rows_in"], records["rows_counted"]) == (200, N_RIDES)


def test_rides_by_zone_are_counted_with_their_polygons(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zones = reports / "records" / "zones.geojson"
    records = demand(capsys, reports / "records" / "tlc.parquet", *area_of(reports), "--zones", zones)["records"]
    rides = pd.read_parquet(reports / "records" / "tlc.parquet")
    assert (rides.tpep_pickup_datetime.dt.hour < 5).sum() == records["rows_counted"] == N_RIDES
    assert "--zones" in refused(capsys, reports / "records" / "tlc.parquet", *area_of(reports))


def test_points_of_a_geoparquet_file_are_positions(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = demand(capsys, reports / "records" / "geo.parquet", *area_of(reports))["records"]
    assert records["rows_counted"] == N_CALLS


@pytest.mark.parametrize(("file", "order"), [("ddmm.csv", "%d/%m/%Y %H:%M"), ("ampm.csv", "%m/%d/%Y %I:%M:%S %p")])
def test_dates_that_are_not_settled_are_asked_for(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, order: str
) -> None:
    """Rides past midnight settle the order of these files, since the other order makes them weeks long; without such rides nothing does."""
    rides = pd.read_csv(reports / "records" / file)
    start, end = (pd.to_datetime(rides[name], format=order) for name in ("pickup_time", "dropoff_time"))
    assert demand(capsys, reports / "records" / file, *area_of(reports))["records"]["rows_counted"] == N_RIDES
    rides[start.dt.date == end.dt.date].to_csv(tmp_path / "rides.csv", index=False)
    assert "--date-order DMY" in refused(capsys, tmp_path / "rides.csv", *area_of(reports))


def test_projected_positions_are_named_for_what_they_look_like(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--crs" in refused(capsys, reports / "records" / "projected.csv", *area_of(reports))


def test_the_portal_of_chicago_is_a_known_layout(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = reports / "records" / "chicago_portal.csv"
    records = demand(capsys, file, *area_of(reports))["records"]
    starts = pd.to_datetime(pd.read_csv(file)["Trip Start Timestamp"], format="%m/%d/%Y %I:%M:%S %p")
    assert records["rows_counted"] == int((starts.dt.hour < 5).sum())


def test_repeated_calls_are_noted(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = demand(capsys, reports / "records" / "dup_calls.csv", *area_of(reports))["records"]
    repeats = next(rule for rule in records["rules"] if rule["name"] == "repeats a row")
    assert (records["rows_in"], records["rows_counted"], repeats["rows"]) == (400, N_CALLS, N_CALLS)


def test_the_origin_of_the_map_is_no_position(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = demand(capsys, reports / "records" / "null_island_taxi.csv")
    missing = next(rule for rule in document["records"]["rules"] if rule["name"] == "position missing")
    assert missing["rows"] == 4
    assert document["hexes"] < 500


def test_swapped_axes_are_told_without_an_area(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, reports / "records" / "swapped_lonlat.csv")
    assert "128" in said
    assert "swapped" in said
    assert "--map origin_lon=origin_lat" in said


def test_two_names_cannot_stand_for_one_column(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, reports / "records" / "two_lines.csv", *area_of(reports), "--map", "lon=lat")
    assert "lon and lat" in said


@pytest.mark.parametrize("file", ["dur_one_rejected.parquet", "binary_subscriber.parquet"])
def test_odd_types_of_parquet_are_counted_or_refused(reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    ring = tmp_path / "area.geojson"
    ring.write_text('{"type":"Polygon","coordinates":[[[127,37.5],[127.04,37.5],[127.04,37.53],[127,37.53],[127,37.5]]]}')
    code = run(["demand", str(reports / "records" / file), "--area", str(ring), "--out", str(tmp_path / "out"), "-q"])
    _, err = capsys.readouterr()
    assert code in {0, 3}, err
    if code == 0:
        assert (tmp_path / "out" / "rejected.parquet").is_file()


@pytest.mark.parametrize("area", ["area.geojson", "area_25833.geojson", "area_shp.shp", "area_noprops.geojson"])
def test_areas_of_every_format_cover_the_same_hexes(reports: Path, capsys: pytest.CaptureFixture[str], area: str) -> None:
    rides = reports / "records" / "base_rides.csv"
    document = demand(capsys, rides, "--area", reports / "areas" / area)
    assert document["records"]["rows_counted"] == N_RIDES
    assert abs(document["hexes"] - demand(capsys, rides, *area_of(reports))["hexes"]) <= 2  # a reprojected side may touch one hex more


def test_the_headline_of_a_small_town_is_shown(reports: Path, tmp_path: Path) -> None:
    file = reports / "records" / "hidden_headline.csv"
    words = ["--window", "00-06", "--routes", "4", "--steps", "3000", "--out", str(tmp_path / "run"), "-q"]
    assert run(["plan", str(file), *words]) == 0
    presence = json.loads((tmp_path / "run" / "scorecard.json").read_text())["presence"]
    assert presence["share"] is not None or presence["rounded_share"] is not None
    assert np.isclose(presence["denominator"], 130, atol=15)
