"""The quick parser of plain CSV, held against the reader of all texts: the same rows, or the same refusal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels.parse_csv import (
    MISFIT,
    NO_TIME,
    SKIP,
    TIME,
    count_lines,
    parse_rows,
)
from owlbus.records import fast_csv, open_sources, read_batches, reading

if TYPE_CHECKING:
    from pathlib import Path

GRID = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])
HEADER = "time,lon,lat,note,home_lon,home_lat"
NUMBERS = st.one_of(
    st.floats(-180, 180).map(repr),
    st.decimals(-999, 999, places=6).map(str),
    st.sampled_from(
        ["", "30", "-30.5", "+30.5", ".5", "5.", "-", "-.5", "3e1", "3.0E+1", " 30.1", "30.1 ", "nan", "inf", "1e9", "0x1", "30,1", "1_0"]
    ),
    st.sampled_from(["30.123456789012345678", "123456789012345", "1234567890123456", "-0", "-0.0", "00030.10", "\u0661"]),
)
TIMES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(sep=" ", timespec="seconds")),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds")),
    st.sampled_from(["", "2013-03-02 01:10", "2013-02-29 01:10:00", "2012-02-29 25:10:00", "2013-03-02 48:00:00", "2013-3-2 1:10:00"]),
    st.sampled_from(["25:10:00", "2013-03-02 01:60:00", "2013-03-02 01:10:00.", "2013-03-02 01:10:0x", "1970-01-02 23:59:59", "x"]),
    st.sampled_from(["2099-12-31 23:59:59", "2110-01-01 00:00:00", "0000-00-00 00:00:00", "1362186600"]),
)
NOTES = st.sampled_from(["", "a", "é", "a b", "'", '"', '"a,b"', '"a\nb"', "\t"])
PLAIN = st.tuples(
    st.datetimes(dt.datetime(1971, 1, 1)).map(lambda moment: moment.isoformat(sep=" ", timespec="seconds")),  # noqa: DTZ001
    *(st.decimals(-180, 180, places=5).map(str) for _ in range(2)),
    st.just("x"),
    *(st.sampled_from(["", "30.31", "59.931"]) for _ in range(2)),
)
ROW = st.one_of(PLAIN, PLAIN, PLAIN, st.tuples(TIMES, NUMBERS, NUMBERS, NOTES, NUMBERS, NUMBERS))
SHORT = st.sampled_from(["", "2013-03-02 01:10:00,30", ",,,,,", ",,,,,,", ","])
LINES = st.one_of(ROW.map(",".join), ROW.map(",".join), ROW.map(",".join), SHORT)


def everything(path: Path) -> list[Any] | str:
    """All rows of a file, as numbers and as text, or why it is refused."""
    try:
        with open_sources([path]) as (source,):
            batches = list(read_batches(source))
    except DataError as error:
        return str(error)
    rows: list[Any] = []
    for batch in batches:
        held = batch.frame[np.arange(batch.n_rows)].select(pl.all().cast(pl.String)).rows()
        start = [time_s if time_s >= 0 else None for time_s in batch.start_s.tolist()]
        places = zip(
            *(np.ascontiguousarray(c).view(np.int64).tolist() for c in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)), strict=True
        )
        rows += zip(range(batch.first_row, batch.first_row + batch.n_rows), start, places, held, strict=True)
    return rows


@given(
    lines=st.lists(LINES, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    mark=st.booleans(),
    chunk=st.integers(1, 300),
    pack=st.sampled_from([None, "gzip", "zstd"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=100, deadline=None)
def test_a_plain_text_is_read_as_all_texts_are(
    lines: list[str], end: str, *, last: bool, mark: bool, chunk: int, pack: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    text = (("\ufeff" if mark else "") + end.join([HEADER, *lines]) + (end if last else "")).encode()
    path.write_bytes(text if pack is None else pa.compress(text, pack, asbytes=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_csv, "CHUNK_BYTES", chunk)
        quick = everything(path)
        patch.setattr(reading, "is_plain", lambda source: False)  # noqa: ARG005
        assert quick == everything(path)


@pytest.mark.parametrize(("line", "plain"), [("2000-01-01 00:00:00,0.0,0.0,x,,", True), (',0.0,0.0,",0.0,0.0', False)])
def test_a_quote_anywhere_sends_the_whole_file_the_way_of_all_texts(line: str, plain: bool, tmp_path: Path) -> None:  # noqa: FBT001
    path = tmp_path / "calls.csv"
    path.write_text("\n".join([HEADER, *["2000-01-01 00:00:00,0.0,0.0,x,,"] * 9, line]) + "\n")
    with open_sources([path]) as (source,):
        assert fast_csv.is_plain(source) is plain


def rows_of(text: str, path: Path) -> tuple[list[int], list[float]]:
    """Seconds and longitudes that the quick parser itself reads."""
    path.write_text(text)
    with open_sources([path]) as (source,):
        assert fast_csv.is_plain(source)
        (rows,) = fast_csv.read_texts(source)
        assert rows is not None
        parsed = rows.parsed()
    assert parsed is not None
    return parsed[0].tolist(), parsed[1][0].tolist()


def test_plain_lines_are_parsed_without_help(tmp_path: Path) -> None:
    lines = ["2013-03-02T01:10:00.250,30.3,1,,2,3", "2013-03-02 25:10,-0.5,1,é,2,3", ",,,,,", "1970-01-01 00:00:00,7,1,,2,3"]
    times, lon = rows_of("\n".join([HEADER, *lines, ""]), tmp_path / "calls.csv")
    assert times == [1362186600, 1362273000, -1, -1]
    assert lon[:2] + lon[3:] == [30.3, -0.5, 7.0]
    assert np.isnan(lon[2])


@pytest.mark.parametrize("header", ['"time",lon,lat,home_lon,home_lat', "time,lon,lat,home_lon,home_lat,subscriber"])
def test_layouts_that_need_more_than_places_and_times_are_left_to_polars(header: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"{header}\n2013-03-02 01:10:00,30.3,59.9,30.3,59.9,a\n"[: None if "sub" in header else -3] + "\n")
    with open_sources([path]) as (source,):
        assert not fast_csv.is_plain(source)


def test_rejected_lines_of_a_plain_text_keep_their_words(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    here, there = (f"{GRID.lon[i]:.5f},{GRID.lat[i]:.5f}" for i in (0, 1))
    path.write_text(f"time,lon,lat,home_lon,home_lat\n2013-03-02 01:10:00,{here},{there}\n2013-03-02 01:10:00,031.00,60.50,{there}\n")
    estimate_demand(path, GRID, rejected=tmp_path / "rejected.parquet")
    row = pl.read_parquet(tmp_path / "rejected.parquet").row(0, named=True)
    assert (row["place"], row["reason"], row["lon"], row["lat"]) == ("line 3", "outside the area", "031.00", "60.50")


def test_the_last_day_of_every_month_is_read_and_digits_of_every_kind(tmp_path: Path) -> None:
    years = (1999, 2000, 2012, 2013, 2098)
    after = [dt.datetime(year + month // 12, month % 12 + 1, 1) for year in years for month in range(1, 13)]  # noqa: DTZ001 - a local clock
    last = [first - dt.timedelta(days=1) for first in after]
    lines = [f"{day:%Y-%m-%d} 19:29:59,{k}9.90{k}9,1,,2,3" for k, day in enumerate(last)]
    times, lon = rows_of("\n".join([HEADER, *lines, ""]), tmp_path / "calls.csv")
    assert times == [int((day - dt.datetime(1970, 1, 1)).total_seconds()) + 70_199 for day in last]  # noqa: DTZ001 - as above
    assert lon == [float(f"{k}9.90{k}9") for k in range(len(last))]


@pytest.mark.parametrize(
    "date", ["2013-02-29", "1900-02-29", "2100-02-29", "2013-04-31", "2013-06-31", "2013-13-01", "2013-00-10", "2013-01-00"]
)
def test_a_date_that_is_none_is_left_to_the_reader_of_all_texts(date: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"{HEADER}\n{date} 01:10:00,1,1,,2,3\n")
    with open_sources([path]) as (source,):
        (rows,) = fast_csv.read_texts(source)
        assert rows is not None
        assert rows.parsed() is None


@given(st.lists(st.sampled_from(["a", "b,c", "", "\r", '"', "x\ry", "\r\n"]), min_size=1, max_size=5))
def test_lines_are_counted_unless_one_is_empty_or_quoted(lines: list[str]) -> None:
    text = "".join(line + "\n" for line in lines)
    strange = '"' in text or any(line in {"", "\r"} for line in text.split("\n")[:-1])
    assert count_lines(np.frombuffer(text.encode(), np.uint8)) == (-1 if strange else text.count("\n"))


@pytest.mark.parametrize(
    ("text", "lines"), [('"', -1), ("\n", -1), ("\r", -1), ("\na\n", -1), ("\ra\n", -1), ('"a\n', -1), ("a\n", 1), ("a", 0)]
)
def test_the_first_byte_of_a_text_counts_as_any_other(text: str, lines: int) -> None:
    assert count_lines(np.frombuffer(text.encode(), np.uint8)) == lines


def parse(line: str, *, separator: str = ",", roles: tuple[int, ...] = (TIME, 0)) -> tuple[int, int, float]:
    """Rows read of one line, and the time and the number of it."""
    text = np.frombuffer((line + "\n" + "\0" * 32).encode(), np.uint8)
    times, numbers = np.full(1, -9), np.full((1, 1), -9.0)
    return parse_rows(text, ord(separator), np.array(roles), times, numbers), int(times[0]), float(numbers[0, 0])


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2013-03-02 00:00", 1362182400),
        ("2013-03-02 00:00:59", 1362182459),
        ("2013-03-02T47:59:59", 1362182400 + 48 * 3600 - 1),
        ("2013-03-02 48:00:00", None),
        ("2013-03-02 00:59:00", 1362182400 + 59 * 60),
        ("2013-03-02 00:60:00", None),
        ("2013-03-02 00:00:60", None),
        ("2013-03-02 00:00:5x", None),
        ("2013-03-02x00:00:00", None),
        ("2013/03-02 00:00:00", None),
        ("2013-03/02 00:00:00", None),
        ("2013-03-02 00.00:00", None),
        ("2013-03-02 00:00:00.", None),
        ("2013-03-02 00:00:00.9", 1362182400),
        ("2013-03-02 00:00:00,9", None),
        ("2013-03-02 00:00:00Z", None),
        ("1970-01-02 23:59:59", NO_TIME),
        ("1970-01-03 00:00:00", 172_800),
        ("2100-02-29 00:00:00", None),
        ("2100-03-01 00:00:00", 4_107_542_400),
        ("2100-04-09 00:00:00", 130 * 366 * 86_400),
        ("2100-04-09 00:00:01", NO_TIME),
        ("1969-12-31 00:00:00", None),
    ],
)
def test_a_time_is_read_to_the_second_or_left_to_the_reader_of_all_texts(time: str, seconds: int | None) -> None:
    done, found, number = parse(f"{time},1.5")
    assert done == (seconds is not None)
    if seconds is not None:
        assert (found, number) == (seconds, 1.5)
    with_comma = parse(f"{time};1.5", separator=";")
    assert with_comma[0] == (seconds is not None or time.endswith(",9"))


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("0", 0.0),
        ("9", 9.0),
        ("-9.09", -9.09),
        ("123456789012345", 123456789012345.0),
        ("1234567890123456", None),
        ("12345678901234.5", 12345678901234.5),
        ("12345678901234.56", None),
        ("-", None),
        (".5", None),
        ("5.", None),
        ("1e3", None),
        ("1.5.5", None),
        ("+1", None),
        (":", None),
        ("/", None),
        ("1.:", None),
        ("1./", None),
    ],
)
def test_a_number_is_read_whole_or_left_to_the_reader_of_all_texts(number: str, value: float | None) -> None:
    for line, roles in ((f"x,,{number}", (SKIP, TIME, 0)), (f"{number},x,", (0, SKIP, TIME)), (f",{number}\r", (TIME, 0))):
        done, _, found = parse(line, roles=roles)
        assert (found if done else None) == value


def misfit(roles: tuple[int, ...], *, columns: int = 1, rows: int = 1, padding: int = 32, separator: str = ",") -> tuple[int, bool]:
    """What the kernel says of arrays that do not fit one another, and whether it wrote anything."""
    text = np.frombuffer((",1\n" + "\0" * padding).encode(), np.uint8)
    times, numbers = np.full(1, -9), np.full((columns, rows), -9.0)
    done = parse_rows(text, ord(separator), np.array(roles), times, numbers)
    return done, bool((times != -9).any() or (numbers != -9).any())


@pytest.mark.parametrize(
    ("roles", "shape"),
    [
        ((TIME, 1), {}),  # a column of numbers that is not there: the write past the heap of two names for one column
        ((TIME, 0), {"columns": 2}),
        ((TIME, 0, 0), {}),
        ((TIME, TIME), {"columns": 0}),
        ((0,), {}),
        ((SKIP, 0), {}),
        ((-3, TIME, 0), {}),
        ((TIME, 2**40), {}),
        ((TIME, 0), {"rows": 2}),
        ((TIME, 0), {"padding": 31}),
        ((TIME, 0), {"separator": "\0"}),
        ((TIME, 0), {"separator": "\n"}),
    ],
)
def test_arrays_that_do_not_fit_one_another_are_refused_before_anything_is_written(roles: tuple[int, ...], shape: dict[str, Any]) -> None:
    assert misfit(roles, **shape) == (MISFIT, False)


def test_a_text_with_fewer_lines_than_rows_is_not_read_past_its_end() -> None:
    text = np.frombuffer(b",1\n" + b"\0" * 32, np.uint8)
    times, numbers = np.full(40, -9), np.full((1, 40), -9.0)
    assert parse_rows(text, ord(","), np.array((TIME, 0)), times, numbers) == 1
    assert parse_rows(text[:0], ord(","), np.array((TIME, 0)), times, numbers) == MISFIT


@pytest.mark.parametrize(("line", "rows"), [(",1", 1), (",1\r", 1), (",1\rx", 0), (",1,2", 0), ("", 0), (",", 1), (",\r", 1)])
def test_a_line_has_as_many_columns_as_roles(line: str, rows: int) -> None:
    done, time_s, number = parse(line)
    assert done == rows
    if rows:
        assert time_s == NO_TIME
        assert number == 1.0 or (np.isnan(number) and "1" not in line)


def test_where_points_divide_columns_they_are_no_part_of_a_number() -> None:
    assert parse("x..5", separator=".", roles=(SKIP, TIME, 0)) == (1, NO_TIME, 5.0)
    assert parse("5.x.", separator=".", roles=(0, SKIP, TIME)) == (1, NO_TIME, 5.0)
