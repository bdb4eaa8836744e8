"""What may be named as records, layouts of other publishers, and bad input: clear errors or counted rejects, never half an output."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import NightWindow
from owlbus.demand import Demand, estimate_demand
from owlbus.demand.estimate import check_files
from owlbus.demand.market_share import read_market_share, scale_to_population
from owlbus.grid.hexgrid import HexGrid
from owlbus.records import open_sources, read_batches, reading
from owlbus.records.antennas import read_antennas
from owlbus.records.read_options import ReadOptions
from owlbus.records.record_files import find_files
from owlbus.records.schema import find_layout
from owlbus.records.validation import MAX_COUNT

if TYPE_CHECKING:
    from pathlib import Path

GRID = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])
HERE, THERE = ((float(GRID.lon[i].round(5)), float(GRID.lat[i].round(5))) for i in (0, GRID.n_hexes - 1))
CALLS = {
    "time": ["2013-03-02 01:10:00", "2013-03-02 02:10:00", "2013-03-03 01:10:00"],
    "lon": [HERE[0]] * 3,
    "lat": [HERE[1]] * 3,
    "home_lon": [THERE[0]] * 3,
    "home_lat": [THERE[1]] * 3,
}


def frame(**changes: object) -> pl.DataFrame:
    return pl.DataFrame(CALLS | changes, strict=False)


def write(path: Path, table: pl.DataFrame | None = None, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = frame() if table is None else table
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        text = table.write_csv(**how).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def trips(*paths: object, **how: object) -> float:
    demand, report = estimate_demand([str(path) for path in paths], GRID, **how)
    assert report.rows_in == report.rows_counted + report.rows_rejected
    return float(demand.trips.sum())


# what may be named


def test_a_folder_a_pattern_and_its_files_are_the_same_records(tmp_path):
    write(tmp_path / "in" / "a.parquet")
    write(tmp_path / "in" / "deep" / "b.csv")
    write(tmp_path / "in" / "c.csv.gz")
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / ".hidden.csv").write_text("nothing")
    files = [tmp_path / "in" / name for name in ("a.parquet", "deep/b.csv", "c.csv.gz")]
    assert trips(tmp_path / "in") == trips(f"{tmp_path}/in/**/*.*") == trips(*files) == 9


def test_files_are_read_once_and_in_order(tmp_path):
    for name in ("b.csv", "a.csv"):
        write(tmp_path / "in" / name)
    assert [found.path.name for found in find_files([tmp_path / "in"])] == ["a.csv", "b.csv"]
    with pytest.raises(UsageError, match=r"a\.csv: named twice; its records would count twice; leave one of them out$"):
        find_files([tmp_path / "in", tmp_path / "in" / ".." / "in" / "a.csv"])


def test_values_of_hive_folders_are_columns(tmp_path):
    clock = frame(time=["25:10:00", "01:20:00", "23:50:00"])
    write(tmp_path / "in" / "date=2013-03-01" / "a.parquet", clock)
    write(tmp_path / "in" / "date=2013-03-02" / "b.csv", clock)
    demand, _ = estimate_demand(tmp_path / "in", GRID, NightWindow(22, 29))
    assert demand.nights == (dt.date(2013, 2, 28), dt.date(2013, 3, 1), dt.date(2013, 3, 2))
    assert demand.trips.tolist() == [1, 1, 2, 1, 1]


def test_a_column_of_dates_dates_a_column_of_clocks(tmp_path):
    dated = frame(time=["25:10:00", "01:20:00", "02:00"], date=["2013-03-01", "2013-03-02", "soon"])
    demand, report = estimate_demand(write(tmp_path / "a.csv", dated), GRID)
    assert demand.nights == (dt.date(2013, 3, 1),)
    assert [(rule.name, rule.rows) for rule in report.rules] == [("time missing", 1)]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            "in",
            (
                r"in: holds notes\.docx, which by the name is no file of records; "
                r"move it, or name files with a pattern such as '.*in/\*\.parquet'"
            ),
        ),
        ("empty", r"empty: is a folder without files of records; put Parquet or CSV files in it"),
        ("in/*.pq", r"in/\*\.pq: matches no file; check the pattern"),
    ],
)
def test_folders_and_patterns_that_hold_no_records_are_refused(tmp_path, named, message):
    write(tmp_path / "in" / "a.csv")
    (tmp_path / "in" / "notes.docx").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message + "$"):
        trips(f"{tmp_path}/{named}")


def test_an_empty_partition_is_no_error_and_a_folder_of_them_is(tmp_path):
    write(tmp_path / "in" / "a.parquet", frame().clear())
    with pytest.raises(DataError, match=r"a\.parquet: has no rows, nor has any other of 1 files of calls; nothing can be counted$"):
        trips(tmp_path / "in")
    write(tmp_path / "in" / "b.parquet")
    assert trips(tmp_path / "in") == 3


def test_parts_without_a_trip_are_refused_together_only(tmp_path):
    by_day = frame(time=["2013-03-02 13:00:00"] * 3)
    write(tmp_path / "in" / "a.csv", by_day)
    with pytest.raises(DataError, match=r"a\.csv: 3 of 3 calls fall outside the night window, first on line 2; widen it"):
        trips(tmp_path / "in")
    write(tmp_path / "in" / "b.csv")
    assert trips(tmp_path / "in") == 3


# layouts of other publishers


def test_layouts_of_other_publishers_are_told_by_their_columns():
    chicago = [
        "trip_start_timestamp",
        "trip_seconds",
        "pickup_longitude",
        "pickup_latitude",
        "dropoff_longitude",
        "dropoff_latitude",
        "fare",
    ]
    layout = find_layout("f", chicago)
    assert (layout.kind.name, layout.timezone, layout.names["duration_s"]) == ("taxi", "UTC", "trip_seconds")
    assert find_layout("f", ["user", "timestamp", "antenna_id"]).stand_ins == ("antenna", "antenna", "subscriber", "subscriber")


def masts(tmp_path: Path, text: str = "") -> Path:
    path = tmp_path / "antennas.csv"
    path.write_text(text or f"antenna_id,latitude,longitude\n1,{HERE[1]},{HERE[0]}\n02, {THERE[1]}, {THERE[0]}\n")
    return path


def test_antennas_stand_for_positions_and_the_most_frequent_place_for_the_home(tmp_path):
    rows = {"user": ["a", "a", "a", "b"], "timestamp": ["Fri Mar 01 14:00:00 +0100 2013", *["Sat Mar 02 00:10:00 +0000 2013"] * 3]}
    path = write(tmp_path / "calls.csv", pl.DataFrame(rows | {"antenna_id": ["02", " 02", "1", "9"]}))
    demand, report = estimate_demand(path, GRID, masts=masts(tmp_path), timezone="Europe/London")
    assert (demand.origin.tolist(), demand.destination.tolist(), demand.trips.tolist()) == ([0], [GRID.n_hexes - 1], [1.0])
    assert [(rule.name, rule.rows) for rule in report.rules] == [("position missing", 1), ("outside the window", 1), ("same hex", 1)]
    home = f"{path}: calls carry no home, so a subscriber's home is the place of most of its calls at all hours"
    assert report.notes[0].startswith(home)
    with pytest.raises(DataError, match=r"calls\.csv: names antennas instead of positions; add their table with masts=\'antennas\.csv\'"):
        trips(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("antenna_id,height\n1,20\n", r"a table of antennas needs antenna_id, lon and lat, got antenna_id, height; rename its columns"),
        ("id,lon,lat\n1,30,59\n2,,59\n", r"1 of 2 antennas have no position on Earth, first on line 3; correct or drop them"),
        ("id,lon,lat\n1,30,59\n1,31,59\n", r"an antenna is named twice, first on line 2; keep one row for each"),
    ],
)
def test_a_table_of_antennas_must_place_each_once(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"antennas\.csv: {message}$"):
        read_antennas(masts(tmp_path, text))


def test_a_missing_table_of_market_shares_is_named(tmp_path):
    wanted = r"no\.csv: cannot be read as a table of market shares; give CSV with district, share or with lon, lat, share$"
    with pytest.raises(DataError, match=wanted):
        read_market_share(tmp_path / "no.csv", GRID, None)


def test_a_missing_table_of_antennas_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: cannot be read as a table of antennas; give CSV or Parquet with antenna_id, lon, lat$"):
        read_antennas(tmp_path / "no.csv")


# times


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("Wed Sep 15 19:17:44 +0100 2010", "2010-09-15 19:17:44"),
        ("Wed Sep  1 09:17:44 UTC 2010", "2010-09-01 10:17:44"),
        ("Wednesday, September 15 19:17 2010", "2010-09-15 19:17:00"),
        ("Wed Foo 15 19:17:44 +0100 2010", None),
    ],
)
def test_the_long_form_of_a_time_is_read(text, clock):
    from owlbus.records.times import NO_TIME, seconds

    expected = NO_TIME if clock is None else int((dt.datetime.fromisoformat(clock) - dt.datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001
    assert seconds("f", pl.Series("time", [text]), "Europe/London", "month-name").tolist() == [expected]


def test_an_hour_that_the_clock_shows_twice_counts_twice_and_one_it_skips_not_at_all(tmp_path):
    utc = [dt.datetime(2013, 10, 27, hour, 30, tzinfo=dt.UTC) for hour in range(3)] + [dt.datetime(2013, 3, 31, 1, 30, tzinfo=dt.UTC)]
    table = pl.DataFrame({"time": utc, **{name: [values[0]] * 4 for name, values in CALLS.items() if name != "time"}})
    demand, _ = estimate_demand(write(tmp_path / "calls.parquet", table), GRID, timezone="Europe/Berlin")
    assert demand.hour.tolist() == [27, 26, 27]
    assert demand.trips.tolist() == [1.0, 2.0, 1.0]


# bad input


def test_bytes_are_no_position_and_a_column_of_lists_is_none(tmp_path):
    packed = write(tmp_path / "bytes.parquet", frame(lon=[b"127"] * 3))
    with pytest.raises(DataError, match="3 of 3 calls have no position"):
        estimate_demand(packed, GRID)
    nested = write(tmp_path / "lists.parquet", frame(lon=[[HERE[0]]] * 3))
    with pytest.raises(DataError, match=r"lists\.parquet: columns lon of calls missing|lists\.parquet: column lon of calls missing"):
        estimate_demand(nested, GRID)


def cut(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def many(rows: int = 20_000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.concat([frame()] * (rows // 3)).with_columns(pl.Series("noise", rng.random(rows // 3 * 3)))


@pytest.mark.parametrize(
    ("name", "message"), [("calls.parquet", "is damaged or cut off"), ("calls.csv.gz", "ends in the middle of its data")]
)
def test_a_file_that_is_cut_off_leaves_no_output(tmp_path, name, message):
    path = cut(write(tmp_path / name, many()))
    with pytest.raises(DataError, match=rf"{name}: {message}.*; copy it again$"):
        trips(path, rejected=tmp_path / "rejected.parquet")
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_columns_may_change_their_order_and_their_kind_between_files(tmp_path):
    write(tmp_path / "in" / "a.csv", frame())
    write(tmp_path / "in" / "b.csv", frame().select(reversed(list(CALLS))), separator=";")
    write(tmp_path / "in" / "c.parquet", frame().with_columns(pl.col("time").str.to_datetime(), pl.col("lon", "lat").cast(pl.String)))
    assert trips(tmp_path / "in") == 9


def test_encodings_may_change_between_files(tmp_path):
    text = frame(note=["Straße"] * 3).write_csv()
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert trips(tmp_path / "a.csv", tmp_path / "b.csv") == 6
    (tmp_path / "c.csv").write_bytes(text.encode("utf-16"))
    assert trips(*(tmp_path / f"{name}.csv" for name in "abc")) == 9


def test_packed_and_foreign_files_say_what_they_are(tmp_path):
    damaged, cut_off = "is a ZIP archive that is damaged or cut off; unpack it", "ends in the middle of its data or cannot be read"
    for name, head, what in (
        ("a.xlsx", b"PK\x03\x04rest", damaged),
        ("b.bz2", b"BZh9rest", cut_off),
        ("c.7z", b"7z\xbc\xaf\x27\x1c rest", "is a 7z archive; unpack it"),
        ("d.csv", b"%PDF-1.7", "is a PDF document; save its table as CSV"),
        ("e.csv.gz", gzip.compress(b"calls.csv".ljust(257, b"\0") + b"ustar" + bytes(300)), "is a tar archive; unpack it"),
    ):
        (tmp_path / name).write_bytes(head)
        with pytest.raises(DataError, match=rf"{name}: {what}"):
            trips(tmp_path / name)


def test_coordinates_off_the_earth_are_no_positions_and_others_are_rejected_with_how_far(tmp_path):
    table = frame(lon=[1e9, 31.0, HERE[0]])
    _, report = estimate_demand(write(tmp_path / "a.csv", table), GRID)
    assert [(rule.name, rule.rows) for rule in report.rules] == [("position missing", 1), ("outside the area", 1)]
    assert report.rules[0].first == f"{tmp_path / 'a.csv'} line 2"
    _, report = estimate_demand(write(tmp_path / "b.csv", table[1:]), GRID)
    assert report.rules[0].first == f"{tmp_path / 'b.csv'} line 2 (36 km away)"


@pytest.mark.parametrize("grown", [b"2013-03-02 01:10:00,30.3", b""])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, grown):
    monkeypatch.setattr(reading, "BATCH_ROWS", 1000)
    path = write(tmp_path / "calls.csv", many())
    with open_sources([path]) as (source,):
        batches = read_batches(source)
        next(batches)
        if grown:
            with path.open("ab") as stream:
                stream.write(grown)
        else:
            shutil.copystat(__file__, path)
        with pytest.raises(
            DataError, match=r"calls\.csv: changed while it was read \(\d+ bytes before, \d+ after\); read it once it is complete$"
        ):
            list(batches)


def test_rides_that_are_written_twice_count_once(tmp_path):
    ride = {"pickup_time": "2013-03-02 01:10:07", "dropoff_time": "2013-03-02 01:20:00", "origin_lon": HERE[0], "origin_lat": HERE[1]}
    ride |= {"destination_lon": THERE[0], "destination_lat": THERE[1]}
    coarse = ride | {"pickup_time": "2013-03-02 01:15:00"}
    table = pl.DataFrame([ride, ride, ride | {"origin_lon": HERE[0] + 1e-5}, coarse, coarse, ride])
    demand, report = estimate_demand(write(tmp_path / "taxi.csv", table), GRID)
    assert (demand.trips.sum(), [(rule.name, rule.rows) for rule in report.rules]) == (3, [("repeats a row", 3)])
    assert report.rules[0].first.endswith("taxi.csv line 3")
    assert trips(write(tmp_path / "counts.csv", table.with_columns(trips=2))) == 12
    assert trips(write(tmp_path / "minutes.csv", table[3:5])) == 2  # all on the full minute: too coarse to be repeats


def test_a_check_reports_what_would_be_refused(tmp_path):
    good, bad = write(tmp_path / "a.csv"), write(tmp_path / "b.csv", frame(lon=[99.0, 99.0, HERE[0]]))
    report, refusals, _ = check_files([good, bad], GRID, max_rejected_share=0.5)
    assert (report.rows_in, report.rows_rejected) == (6, 2)
    (refusal,) = refusals
    assert str(refusal).endswith("in all 2 rows are rejected, more than max_rejected_share=0.5 allows")
    assert (refusal.setting, refusal.value) == ("max_rejected_share", 0.5)


# weights


def test_one_operators_records_are_weighed_by_its_share_where_people_live():
    demand = Demand(3, origin=[0, 1], destination=[2, 0], trips=[4.0, 3.0], presence_hex=[0, 2], presence=[5.0, 6.0])
    weighed = scale_to_population(demand, [0.5, 1.0, 0.25])
    assert (weighed.trips.tolist(), weighed.presence.tolist()) == ([16.0, 6.0], [10.0, 24.0])


def test_market_shares_are_those_of_the_nearest_district(tmp_path):
    path = tmp_path / "shares.csv"
    path.write_text("district,share\nWest,0.5\nEast,0.25\n")
    share = read_market_share(path, GRID, {"West": (30.30, 59.93), "East": (30.34, 59.93)})
    assert share[np.argmin(GRID.lon)] == 0.5
    assert share[np.argmax(GRID.lon)] == 0.25
    path.write_text(f"lon,lat,share\n{HERE[0]},{HERE[1]},0.4\n")
    assert set(read_market_share(path, GRID).tolist()) == {0.4}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("district,share\nWest,50\n", DataError, r"a market share must lie in \(0, 1\], got '50' on line 2; 40 % reads 0\.4"),
        ("district,share\nNorth,0.5\n", DataError, r"no district is called 'North' \(line 2\); there are East, West"),
        ("district,share\n", DataError, r"holds no market share; give CSV with district, share or with lon, lat, share"),
        ("lon,lat,share\nx,y,0.5\n", DataError, r"lon and lat must be degrees, got something else on line 2; mend the line or drop it"),
    ],
)
def test_market_shares_that_are_none_are_refused(tmp_path, text, error, message):
    path = tmp_path / "shares.csv"
    path.write_text(text)
    with pytest.raises(error, match=rf"shares\.csv: {message}$"):
        read_market_share(path, GRID, {"West": (30.30, 59.93), "East": (30.34, 59.93)})


def test_market_shares_by_name_need_districts(tmp_path):
    path = tmp_path / "shares.csv"
    path.write_text("district,share\nWest,0.5\n")
    with pytest.raises(DataError, match=r"names districts, and the study has none; give lon and lat of their centres instead, or city$"):
        read_market_share(path, GRID)
    with pytest.raises(DataError, match=r"market_share must lie in \(0, 1\], got 2 in hex 1 \(1 such\); 40 % reads 0\.4$"):
        scale_to_population(Demand(2), [1.0, 2.0])
    with pytest.raises(DataError, match=r"market_share must have one number per hex, shape \(2,\), got \(1,\)$"):
        scale_to_population(Demand(2), [1.0])


def test_the_largest_count_is_the_largest_that_is_read(tmp_path):
    table = frame(trips=[MAX_COUNT, MAX_COUNT + 1, 1])
    assert trips(write(tmp_path / "calls.csv", table)) == MAX_COUNT + 1


# the public cases


@pytest.mark.real
def test_calls_by_antenna_are_read_with_their_table(cases):
    folder = cases / "calls"
    with open_sources([folder / "calls.csv"], ReadOptions(masts=folder / "antennas.csv", timezone="Europe/London")) as (source,):
        rows = [batch.n_rows for batch in read_batches(source)]
    assert sum(rows) == 49
