"""Files of records: columns, times, formats, subscribers and what a damaged file says."""

from __future__ import annotations

import datetime as dt
import gc
import gzip
import io
import re
import sys
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import OutputError
from owlbus.records import open_sources, outline_of_records, read_batches, reading
from owlbus.records.read_options import ReadOptions
from owlbus.records.rejected import rejected_rows, restricted_file
from owlbus.records.schema import COLUMNS, find_layout
from owlbus.records.subscribers import NOBODY, Subscribers
from owlbus.records.times import NO_TIME, seconds
from owlbus.records.validation import BY_CODE, FIRST_KEPT, REJECT, RULES

if TYPE_CHECKING:
    from pathlib import Path

CALLS = {
    "time": ["2013-03-02 01:10:00", "2013-03-02 25:10:00", ""],
    "lon": ["30.1", "30.2", "x"],
    "lat": ["59.1", "59.2", "59.3"],
    "home_lon": ["30.3", "", "30.4"],
    "home_lat": ["59.3", "59.4", "59.5"],
}


def column(values: list[Any], **how: str) -> list[int]:
    return seconds("calls.csv", pl.Series("time", values, strict=False), **how).tolist()


def local(text: str) -> int:
    return int((dt.datetime.fromisoformat(text) - dt.datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001 - local clock


def read(path: str | Path, **columns: str) -> list[reading.Batch]:
    with open_sources([path], ReadOptions(columns=columns)) as (source,):
        return list(read_batches(source))


def write_calls(path: Path, **changes: list[str]) -> Path:
    pl.DataFrame(CALLS | changes, strict=False).write_csv(path)
    return path


# columns

NO_COLUMN_KNOWN = (
    "f.csv: no column is known; records need time, lon, lat, home_lon, home_lat or pickup_time, origin_lon, origin_lat, "
    "destination_lon, destination_lat, dropoff_time; name them with columns, such as columns={'time': 'COLUMN'}"
)


def test_the_columns_tell_calls_from_taxi() -> None:
    assert find_layout("f", list(CALLS)).kind.name == "calls"
    taxi = ["origin_lon", "origin_lat", "destination_lon", "destination_lat", "pickup_time", "duration_s", "fare"]
    layout = find_layout("f", taxi)
    assert (layout.kind.name, layout.end, "fare" in layout.names) == ("taxi", "duration_s", False)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (
            ["time", "lonn", "lat", "home_lon", "home_lat"],
            "f.csv: column lon of calls missing; name what holds them: columns={'lon': 'lonn'}",
        ),
        (
            ["time", "x", "lat", "home_lon", "home_lat"],
            "f.csv: column lon of calls missing; name what holds them: columns={'lon': 'COLUMN'}",
        ),
        (
            ["pickup_time", "tpep_dropoff_datetime", "origin_lon", "origin_lat", "destination_lon", "destination_lat"],
            "f.csv: column dropoff_time of taxi missing; name what holds them: columns={'dropoff_time': 'tpep_dropoff_datetime'}",
        ),
        (
            ["foo", "bar"],
            NO_COLUMN_KNOWN,
        ),
        (
            [name for name in COLUMNS if name != "subscriber"],
            "f.csv: has the columns of calls and of taxi rides; split it, or rename those of one kind",
        ),
        (
            [*CALLS, "subscriber", "trips"],
            "f.csv: has both a subscriber and a trips column; a row is either one person's or a count, so drop one of them",
        ),
    ],
)
def test_columns_that_do_not_fit_are_named_with_a_way_out(present: list[str], message: str) -> None:
    with pytest.raises(DataError) as error:
        find_layout("f.csv", present)
    assert str(error.value) == message


def test_other_tools_names_are_suggested() -> None:
    mine = ["trip_begin_timestamp", "seconds", "pickup_longi", "pickup_latitude", "dropoff_longitude", "dropoff_latitude"]
    with pytest.raises(DataError, match=re.escape("columns={'pickup_time': 'trip_begin_timestamp', 'origin_lon': 'pickup_longi'")):
        find_layout("f.csv", mine)


def test_a_mapping_names_columns_that_owlbus_knows() -> None:
    with pytest.raises(UsageError, match=r"^columns must name a column of owlbus, got 'picup_time'; did you mean 'pickup_time'\?"):
        find_layout("f.csv", list(CALLS), {"picup_time": "t"})


def test_a_mapping_wins_over_a_column_of_that_name_and_may_swap() -> None:
    assert find_layout("f", list(CALLS), {"lon": "lat", "lat": "lon"}).names["lon"] == "lat"


def test_a_mapping_for_a_column_the_file_lacks_is_left_to_other_files() -> None:
    assert find_layout("f", list(CALLS), {"pickup_time": "t"}).kind.name == "calls"


# times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:59:59", 86_399),
        ("24:00:00", 86_400),
        ("25:10", 90_600),
        (" 5:07 ", 18_420),
        ("47:59:59", 172_799),
        ("48:00:00", NO_TIME),
        ("90600", NO_TIME),
        ("2013-03-02 01:10:00", local("2013-03-02 01:10")),
        ("2013-03-01T25:10:00.75", local("2013-03-02 01:10")),
        ("2013-12-31 24:00:00", local("2014-01-01")),
        ("2013-02-29 01:00:00", NO_TIME),
        ("2013-03-02", NO_TIME),
        ("1969-12-31 23:00:00", NO_TIME),
        ("01:60:00", NO_TIME),
        ("-01:00", NO_TIME),
        ("soon", NO_TIME),
        ("", NO_TIME),
        (None, NO_TIME),
    ],
)
def test_written_times_are_read_as_local_seconds(text: str | None, expected: int) -> None:
    assert column([text, "01:00:00"]) == [expected, 3600]


def test_typed_times_are_read_as_local_seconds() -> None:
    moment = dt.datetime(2013, 3, 2, 1, 10, 0, 900_000)  # noqa: DTZ001 - local clock
    for unit in ("ms", "us", "ns"):
        typed = pl.Series("time", [moment, None]).cast(pl.Datetime(unit))
        assert seconds("f", typed).tolist() == [local("2013-03-02 01:10"), NO_TIME]
    assert seconds("f", pl.Series("time", [dt.time(1, 10), None])).tolist() == [4200, NO_TIME]
    assert seconds("f", pl.Series("time", [dt.timedelta(hours=25, minutes=10)])).tolist() == [90_600]
    assert column([90_600, None, -5], form="second") == [90_600, NO_TIME, NO_TIME]


ZONES = st.sampled_from(["Asia/Seoul", "Europe/Berlin", "America/Chicago", "UTC"])


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2037, 12, 31)), ZONES)  # noqa: DTZ001
def test_every_way_to_write_a_moment_gives_its_clock_in_the_zone(moment: dt.datetime, zone: str) -> None:
    utc = moment.replace(microsecond=0, tzinfo=dt.UTC)
    clock = utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    expected = [int((clock - dt.datetime(1970, 1, 1)).total_seconds())]  # noqa: DTZ001
    since_1970 = int(utc.timestamp())
    assert column([since_1970], timezone=zone, form="epoch") == expected
    assert column([str(since_1970)], timezone=zone, form="epoch") == expected
    assert column([since_1970 * 1000 + 999], timezone=zone, form="epoch-ms") == expected
    assert column([utc.isoformat()], timezone=zone) == expected
    assert column([f"{utc:%Y-%m-%d %H:%M:%S}Z"], timezone=zone) == expected
    assert column([utc.astimezone(dt.timezone(dt.timedelta(hours=-4, minutes=-30))).isoformat()], timezone=zone) == expected
    assert column([f"{clock:%Y-%m-%d %H:%M:%S}"]) == expected
    assert seconds("f", pl.Series("time", [utc]), zone).tolist() == expected


@pytest.mark.parametrize(
    ("values", "form", "what"),
    [
        (["2013-03-02T01:10:00Z"], None, "carry a zone"),
        (["2013/03/02 01:10:00Z"], "ISO", "carry a zone"),
        ([1_400_269_500], "epoch", "are seconds since 1970, which count in UTC"),
        ([dt.datetime(2013, 3, 2, tzinfo=dt.UTC)], None, "carry the zone UTC"),
    ],
)
def test_times_with_a_zone_need_the_local_one(values: list[Any], form: str | None, what: str) -> None:
    with pytest.raises(DataError) as error:
        column(values, form=form)
    assert str(error.value) == (
        f"calls.csv: times in column time {what}; name the local zone with timezone, such as timezone='Asia/Seoul' "
        "(UTC leaves them as they are)"
    )


def test_dates_alone_are_refused() -> None:
    with pytest.raises(DataError, match=r"^calls.csv: column time holds Date, which has no time of day; give timestamps or HH:MM:SS$"):
        column([dt.date(2013, 3, 2)])


def test_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"^timezone must name a time zone such as Asia/Seoul, got 'Asia/Soul'$"),
        open_sources([write_calls(tmp_path / "calls.csv")], ReadOptions(timezone="Asia/Soul")),
    ):
        pass


# formats


def test_every_format_gives_the_same_columns(tmp_path: Path) -> None:
    plain = write_calls(tmp_path / "plain.csv")
    text = plain.read_text(encoding="utf-8")
    frame = pl.DataFrame(CALLS)
    files = {
        "gzip.csv.gz": gzip.compress(text.encode()),
        "bom.csv": b"\xef\xbb\xbf" + text.encode(),
        "crlf.csv": text.replace("\n", "\r\n").encode(),
        "tab.tsv": text.replace(",", "\t").encode(),
        "semicolon.csv": text.replace(",", ";").encode(),
        "misnamed.parquet": text.encode(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    frame.write_parquet(tmp_path / "table.parquet")
    frame.write_csv(tmp_path / "zstd.csv.zst", compression="zstd")
    expected = read(plain)[0]
    assert expected.start_s.tolist() == [local("2013-03-02 01:10"), local("2013-03-03 01:10"), NO_TIME]
    for name in (*files, "table.parquet", "zstd.csv.zst"):
        (batch,) = read(tmp_path / name)
        for field in ("start_s", "lon", "lat", "to_lon", "to_lat", "count"):
            np.testing.assert_array_equal(getattr(batch, field), getattr(expected, field), err_msg=f"{name} {field}")


def test_columns_may_stand_in_another_order_in_each_file(tmp_path: Path) -> None:
    pl.DataFrame(dict(reversed(CALLS.items()))).write_csv(tmp_path / "back.csv")
    assert read(tmp_path / "back.csv")[0].lon[:2].tolist() == [30.1, 30.2]


def test_standard_input_is_read_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = write_calls(tmp_path / "calls.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (batch,) = read("-")
    assert (batch.source.name, batch.n_rows) == ("stdin", 3)
    (copy,) = (path for path in tmp_path.iterdir() if path.name != "calls.csv")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(read("-")) == 1, "it can be read again, as an outline needs"
    monkeypatch.undo()
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["calls.csv"]


def test_batches_follow_the_order_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_ROWS", 7)
    n = 40
    frame = pl.DataFrame({"time": ["01:00"] * n, "lon": range(n), "lat": [0] * n, "home_lon": [0] * n, "home_lat": [0] * n})
    frame.write_parquet(tmp_path / "calls.parquet", row_group_size=11)
    batches = read(tmp_path / "calls.parquet")
    assert len(batches) > 1
    assert np.concatenate([batch.lon for batch in batches]).tolist() == list(range(n))
    assert [batch.first_row for batch in batches] == np.cumsum([0, *(batch.n_rows for batch in batches[:-1])]).tolist()


def test_rows_of_tables_and_lines_of_text_are_numbered_from_one(tmp_path: Path) -> None:
    pl.DataFrame(CALLS).write_parquet(tmp_path / "calls.parquet")
    assert read(tmp_path / "calls.parquet")[0].source.place(0) == "row 1"
    assert read(write_calls(tmp_path / "calls.csv"))[0].source.place(0) == "line 2"


def test_a_duration_ends_the_ride(tmp_path: Path) -> None:
    taxi = {"pickup_time": ["01:00", "01:00", "x", "01:00"], "duration_s": ["60.5", "-5", "60", ""]}
    taxi |= {name: ["1"] * 4 for name in ("origin_lon", "origin_lat", "destination_lon", "destination_lat")}
    pl.DataFrame(taxi).write_csv(tmp_path / "taxi.csv")
    assert read(tmp_path / "taxi.csv")[0].end_s.tolist() == [3660, 3595, NO_TIME, NO_TIME]


EMPTY = "the file is empty; records need a header and rows"
DAMAGED = "is damaged or cut off; copy it again"
CUT = "ends in the middle of its data or cannot be read; copy it again"
RAGGED = "has lines with more fields than its header, first on line 2; quote text that holds the separator"


def damaged(tmp_path: Path, how: str) -> Path:
    """Make a file that is broken in one way."""
    text = write_calls(tmp_path / "calls.csv", lon=["30.123456"] * 3).read_bytes()
    pl.DataFrame(CALLS).write_parquet(tmp_path / "calls.parquet")
    table = (tmp_path / "calls.parquet").read_bytes()
    content = {
        "empty": b"",
        "blank": b"\n\n",
        "gzip of nothing": gzip.compress(b""),
        "cut parquet": table[: len(table) // 2],
        "noisy parquet": table[:4] + bytes(len(table) - 12) + table[-8:],
        "cut gzip": gzip.compress(text * 200)[:-30],
        "ragged": text[:31] + b"1,2,3,4,5,6,7,8\n" + text,
    }[how]
    path = tmp_path / "broken"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", EMPTY),
        ("blank", EMPTY),
        ("gzip of nothing", EMPTY),
        ("cut parquet", DAMAGED),
        ("noisy parquet", DAMAGED),
        ("cut gzip", CUT),
        ("ragged", RAGGED),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_without_its_content(tmp_path: Path, how: str, message: str) -> None:
    path = damaged(tmp_path, how)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == f"{path}: {message}"


def test_files_that_are_not_there_or_are_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.csv: no such file; check the name$"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r": is a folder without files of records; put Parquet or CSV files in it$"):
        read(tmp_path)
    with pytest.raises(UsageError, match=r"^no file of records was named; name at least one, or - for standard input$"), open_sources([]):
        pass
    calls = write_calls(tmp_path / "calls.csv")
    with (
        pytest.raises(UsageError, match=r"calls.csv: named twice; its records would count twice; leave one of them out$"),
        open_sources([calls, calls]),
    ):
        pass


# subscribers

IDS = st.one_of(st.none(), st.integers(-3, 3).map(str), st.sampled_from(["a", "b", "007", "7", " 7 ", "", str(2**62), str(2**64)]))


@given(st.lists(st.lists(IDS, max_size=8), max_size=4))
def test_subscribers_are_told_apart_exactly_over_all_files(files: list[list[str | None]]) -> None:
    subscribers = Subscribers()
    numbers = np.concatenate([np.empty(0, dtype=np.int64), *(subscribers.numbers(pl.Series(ids, dtype=pl.String)) for ids in files)])
    texts = [(text or "").strip() for ids in files for text in ids]
    assert [number == NOBODY for number in numbers] == [text == "" for text in texts]
    known = {(text, int(number)) for text, number in zip(texts, numbers, strict=True) if text}
    assert len(known) == len({text for text, _ in known}) == len({number for _, number in known})


def test_numbers_and_their_text_are_one_subscriber() -> None:
    subscribers = Subscribers()
    as_text = subscribers.numbers(pl.Series(["5", "-5", "18446744073709551615"]))
    assert subscribers.numbers(pl.Series([5, -5])).tolist() == as_text[:2].tolist()
    assert subscribers.numbers(pl.Series([5.0, -5.0, float("nan")])).tolist() == [*as_text[:2].tolist(), NOBODY]
    assert subscribers.numbers(pl.Series([2**64 - 1], dtype=pl.UInt64)).tolist() == as_text[2:].tolist()


# rules and working files


def test_rules_are_told_apart_by_code_and_reject_below_the_first_kept() -> None:
    assert [rule.code for rule in RULES] == sorted({rule.code for rule in RULES})
    assert [BY_CODE[rule.code] for rule in RULES] == list(RULES)
    assert all((rule.effect == REJECT) == (rule.code < FIRST_KEPT) for rule in RULES)


def test_a_working_file_is_private_and_never_half_written(tmp_path: Path) -> None:
    target = tmp_path / "work.parquet"
    target.write_text("old")
    with pytest.raises(DataError, match="no such file"), restricted_file(target) as part:
        assert part.write_text("half") == read(tmp_path / "nowhere.csv")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["work.parquet"]
    with restricted_file(target) as part:
        part.write_text("new")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_working_file_names_the_way_out_where_it_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"x.parquet: cannot be written \(No such file or directory\); name a folder that exists"),
        rejected_rows(tmp_path / "nowhere" / "x.parquet"),
    ):
        pass


# outline


def scattered(tmp_path: Path, lon: list[float], lat: list[float]) -> Path:
    frame = {"time": ["01:00"] * len(lon), "lon": lon, "lat": lat, "home_lon": lon, "home_lat": lat}
    pl.DataFrame(frame).write_csv(tmp_path / "calls.csv")
    return tmp_path / "calls.csv"


def test_the_outline_holds_the_central_places_with_a_margin_and_leaves_far_ones_out(tmp_path: Path) -> None:
    from shapely import Point, Polygon

    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(30.2, 30.4, 1000).round(5).tolist(), rng.uniform(59.9, 60.0, 1000).round(5).tolist()
    ring = outline_of_records(scattered(tmp_path, [*lon, 12.0, 1e9], [*lat, 12.0, 59.9]))
    area = Polygon(ring)
    assert area.exterior.is_ccw
    assert area.contains(Polygon([(30.21, 59.91), (30.39, 59.91), (30.39, 59.99), (30.21, 59.99)]))
    assert not area.contains(Point(12.0, 12.0))
    assert ring[0].tolist() == ring[-1].tolist()
    assert area.bounds[3] == pytest.approx(60.0 + 500 / 111_320, abs=0.001)


def test_the_outline_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lon, lat = rng.normal(30, 0.1, 500), rng.normal(60, 0.1, 500)
    one = outline_of_records(scattered(tmp_path, lon.tolist(), lat.tolist()), central_share=0.8)
    order = rng.permutation(500)
    two = outline_of_records(scattered(tmp_path, lon[order].tolist(), lat[order].tolist()), central_share=0.8)
    assert one.tolist() == two.tolist()


def test_an_outline_needs_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"too few places to draw an outline around, got 1 and need 3; give one with area$"):
        outline_of_records(scattered(tmp_path, [30.0, 30.0], [60.0, 60.0]))
    with pytest.raises(UsageError, match=r"^central_share must lie in \(0, 1\] and margin_m above 0, got 0 and 500$"):
        outline_of_records(tmp_path / "calls.csv", central_share=0)
