"""The outline of records: sums by rounded position beside one sort of all of them, and what may change nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from owlbus.common.errors import DataError
from owlbus.kernels.sum_positions import NO_KEY, PositionSums, put_sums, sum_positions
from owlbus.records import infer_outline, open_sources, outline_of_records
from owlbus.records.infer_outline import _counted_positions
from owlbus.records.read_options import ReadOptions

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.datetime.fromisoformat("2024-03-04 01:00:00")
Floats = NDArray[np.float64]


def counted(lon: Floats, lat: Floats, weight: Floats | None = None) -> tuple[list[list[float]], list[float]]:
    """Twin: round all positions, then sort them at once."""
    weight = np.ones(lon.size) if weight is None else weight
    use = (np.abs(lon) <= 180) & (np.abs(lat) <= 85) & (weight > 0) & (weight <= 1_000_000)
    steps = np.rint(np.column_stack([lon[use], lat[use]]) * 1000).astype(np.int64)
    places, inverse = np.unique(steps, axis=0, return_inverse=True)
    return (places / 1000).tolist(), np.bincount(inverse.reshape(-1), weight[use], len(places)).tolist()


def counted_in(path: Path) -> tuple[list[list[float]], list[float]]:
    with open_sources(path, ReadOptions()) as sources:
        positions, trips = _counted_positions(sources)
    return positions.tolist(), trips.tolist()


def both_ends(frame: pl.DataFrame) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of calls, then of homes."""
    one = frame.select(pl.col("lon", "lat", "home_lon", "home_lat").cast(pl.Float64, strict=False).fill_null(float("nan"))).to_numpy()
    return np.r_[one[:, 0], one[:, 2]], np.r_[one[:, 1], one[:, 3]]


def calls(n: int, seed: int = 1, centre: tuple[float, float] = (127.0, 37.5), spread: float = 0.1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    lon, lat, home_lon, home_lat = (rng.normal(centre[k % 2], spread, n).round(6) for k in range(4))
    return pl.DataFrame({"time": [NIGHT] * n, "lon": lon, "lat": lat, "home_lon": home_lon, "home_lat": home_lat})


def written(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S", separator=";" if path.stem == "semicolon" else ",")
    return path


@pytest.mark.parametrize("name", ["calls.parquet", "calls.csv", "semicolon.csv"])
def test_positions_are_counted_as_one_sort_of_all_counts_them(tmp_path: Path, name: str) -> None:
    frame = calls(3000)
    assert counted_in(written(frame, tmp_path / name)) == counted(*both_ends(frame))


@pytest.mark.parametrize("spread", [0.0005, 0.02, 3.0, 60.0])
def test_the_table_grows_with_the_places(tmp_path: Path, spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer_outline, "_FIRST_SLOTS", 4)
    frame = calls(2000, centre=(30.0, 60.0), spread=spread)
    assert counted_in(written(frame, tmp_path / "calls.parquet")) == counted(*both_ends(frame))


def test_positions_out_of_range_or_missing_are_passed_over(tmp_path: Path) -> None:
    lon = [180.0, -180.0, 180.001, 1e300, None, float("nan"), float("inf"), 0.0, 10.0, -179.9999]
    lat = [85.0, -85.0, 0.0, 0.0, 1.0, 2.0, 3.0, 85.0001, None, 84.99951]
    frame = calls(len(lon)).with_columns(lon=pl.Series(lon), lat=pl.Series(lat))
    found = counted_in(written(frame, tmp_path / "calls.parquet"))
    assert found == counted(*both_ends(frame))
    assert [-180.0, -85.0] in found[0]
    assert [180.0, 85.0] in found[0]


@pytest.mark.parametrize("trips", [[1.0, 2.5, 0.125], [0.0, -1.0, 3.0], [1_000_000.0, 1_000_001.0, 1.0], [None, float("nan"), 7.0]])
def test_rows_weigh_their_trips_and_rows_without_usable_trips_nothing(tmp_path: Path, trips: list[float | None]) -> None:
    frame = calls(300, spread=0.002).with_columns(trips=pl.Series(trips * 100))
    weight = frame["trips"].fill_null(float("nan")).to_numpy()
    found = counted_in(written(frame, tmp_path / "calls.parquet"))
    assert found == counted(*both_ends(frame), np.tile(weight, 2))
    lon, lat = both_ends(frame)
    table = pd.DataFrame({"lon": np.rint(lon * 1000), "lat": np.rint(lat * 1000), "trips": np.tile(weight, 2)})
    table = table[(table["trips"] > 0) & (table["trips"] <= 1_000_000)]
    assert found[1] == table.groupby(["lon", "lat"])["trips"].sum().tolist()


def test_times_are_not_needed_to_count_positions(tmp_path: Path) -> None:
    frame = calls(500)
    plain = counted_in(written(frame, tmp_path / "calls.parquet"))
    odd = frame.with_columns(time=pl.Series(["2024-03-04T01:00:00+09:00", "no time"] * 250))
    assert counted_in(written(odd, tmp_path / "odd.parquet")) == plain
    assert counted_in(written(frame.with_columns(subscriber=pl.lit("a")), tmp_path / "ids.parquet")) == plain


def test_rides_and_estimated_homes_and_several_files_are_counted(tmp_path: Path) -> None:
    frame = calls(400)
    ends = {"lon": "origin_lon", "lat": "origin_lat", "home_lon": "destination_lon", "home_lat": "destination_lat", "time": "pickup_time"}
    rides = frame.rename(ends).with_columns(dropoff_time=pl.col("pickup_time") + pl.duration(minutes=9))
    expected = counted(*both_ends(frame))
    assert counted_in(written(rides, tmp_path / "rides.parquet")) == expected
    homeless = calls(200, spread=0.001).select("time", "lon", "lat", subscriber=pl.lit("one person"))
    _, trips = counted_in(written(homeless, tmp_path / "homeless.parquet"))
    assert sum(trips) == 400
    assert 200 < max(trips) < 400, "all homes lie at one place, among calls of others"
    for k in range(2):
        written(frame[k * 200 : k * 200 + 200], tmp_path / f"part{k}.csv")
    with open_sources([tmp_path / "part1.csv", tmp_path / "part0.csv"]) as sources:
        positions, trips = (column.tolist() for column in _counted_positions(sources))
    assert (positions, trips) == expected


def test_an_outline_that_is_published_does_not_follow_single_persons(tmp_path: Path) -> None:
    """One home far out, here or two kilometres on, draws the outline of open data and not that of others."""
    frame, rings = calls(400, spread=0.004), []
    for k, (east, north) in enumerate([(0.2, 0.1), (0.21, 0.12)]):
        far = frame[:1].with_columns(home_lon=pl.col("home_lon") + east, home_lat=pl.col("home_lat") + north)
        file = written(pl.concat([frame[1:], far]), tmp_path / f"{k}.parquet")
        rings.append([outline_of_records(file, central_share=1.0, min_count=count).tolist() for count in (-1, 15)])
    assert rings[0][0] != rings[1][0]
    assert rings[0][1] == rings[1][1]
    with pytest.raises(DataError, match="none that 15 trips begin or end in; give one with area"):
        outline_of_records(written(calls(6), tmp_path / "few.parquet"), min_count=15)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.9, 0.995, 1.0]))
def test_no_order_of_rows_and_no_first_size_changes_the_ring(tmp_path_factory: pytest.TempPathFactory, seed: int, share: float) -> None:
    folder = tmp_path_factory.mktemp("ring")
    frame = calls(200, seed=seed)
    order = np.random.default_rng(seed).permutation(200)
    ring = outline_of_records(written(frame, folder / "one.parquet"), central_share=share)
    again = outline_of_records(written(frame[order], folder / "two.csv"), central_share=share)
    assert ring.tolist() == again.tolist()


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 3.0])), max_size=60),
    st.sampled_from([1, 2, 8, 64]),
    st.booleans(),
)
def test_a_table_takes_rows_up_to_half_of_its_slots_and_moves_to_a_larger_one(
    rows: list[tuple[int, int, float]],
    slots: int,
    has_weights: bool,  # noqa: FBT001 - drawn
) -> None:
    lon, lat, weight = (np.array([row[k] for row in rows], dtype=np.float64) for k in range(3))
    lon, lat = lon / 1000, lat / 1000
    table, used, row = PositionSums(np.zeros(slots, dtype=np.int64), np.zeros(slots)), np.zeros(1, dtype=np.int64), 0
    while (row := sum_positions(row, lon, lat, weight if has_weights else np.empty(0), 1e6, table, used)) < lon.size:
        assert used[0] == table.key.size // 2
        larger = PositionSums(np.zeros(2 * table.key.size, dtype=np.int64), np.zeros(2 * table.key.size))
        put_sums(table, larger)
        table = larger
    assert used[0] == np.count_nonzero(table.key != NO_KEY) <= max(1, table.key.size // 2)
    places, trips = counted(lon, lat, weight if has_weights else None)
    key = [round(place[0] * 1000) * 1_000_000 + round(place[1] * 1000) + 500_000 for place in places]
    assert dict(zip(table.key.tolist(), table.weight.tolist(), strict=True)) | {NO_KEY: 0.0} == dict(zip(key, trips, strict=True)) | {
        NO_KEY: 0.0
    }
