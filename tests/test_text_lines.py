"""Lines of text: how long they may be, where they end, and what a reader holds of them."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import fuzzing
import pyarrow as pa
import pytest
from cities import city
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError
from owlbus.network.from_tables import read_table
from owlbus.network.gtfs_tables import read_feed
from owlbus.plan import read_plan
from owlbus.records import open_sources, read_batches, text_lines
from owlbus.records.antennas import read_antennas
from owlbus.records.text_lines import MOST_LINE_BYTES, check_lines

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"time,lon,lat,home_lon,home_lat\n"
ROW = b"2013-03-12 01:10:00,126.98,37.56,127.02,37.51\n"
LONG = b"a" * (MOST_LINE_BYTES + 1)
PACK = {
    "text": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def refusal(text: bytes, most: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is said of a text whose lines may have `most` bytes, nothing if it is taken."""
    monkeypatch.setattr(text_lines, "MOST_LINE_BYTES", most)
    try:
        check_lines(io.BytesIO(text), "a.csv")
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", 0),
        (b"abcd", 0),
        (b"abcd\n", 0),
        (b"abcd\nabcd\nabcd", 0),
        (b"abcde", 1),
        (b"abcde\n", 1),
        (b"ab\n\nabcdefghijkl\na\n", 3),
        (b"a\nb\nc\nd\ne\nf\ng\nhijklm", 8),
        (b'"a\nb', 0),
        (b'"a\nb\n', 1),
        (b'a\n"a"\n"b\nc"\n', 3),
        (b'a\n"a\n"\n""""\n', 0),
    ],
)
def test_a_line_may_have_just_as_many_bytes_as_stated(text: bytes, line: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = refusal(text, 4, monkeypatch)
    assert (f"line {line} has more" in found) if line else not found


@given(text=st.text(alphabet='a,"\n', max_size=60), most=st.integers(1, 12))
def test_the_first_line_that_is_too_long_is_named(text: str, most: int) -> None:
    line, held, quoted, expected, at = 1, 0, False, 0, 1
    for sign in text:
        quoted ^= sign == '"'
        at += sign == "\n"
        if sign == "\n" and not quoted:
            line, held = at, 0
            continue
        held += 1
        if held > most:
            expected = line
            break
    with pytest.MonkeyPatch.context() as patch:
        found = refusal(text.encode(), most, patch)
    assert found.startswith(f"a.csv: a line must have at most {most} bytes, line {expected} has more; ") if expected else not found


def test_quotes_are_counted() -> None:
    assert [check_lines(io.BytesIO(text), "") for text in (b"", HEADER, HEADER + b'"', b'""\n' * 500_000 + b'"')] == [0, 0, 1, 1_000_001]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_quote_that_never_closes_is_refused_by_every_reading_alike(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(HEADER + b"1362186600,1,1,2,2\n" * 3 + b'2013-03-12 01:10:00,"1,1,2,2' + end)
    for _ in range(20):
        with open_sources([path]) as (source,), pytest.raises(DataError, match=r"calls\.csv: one of 1 quotes never closes; close it, or"):
            list(read_batches(source))


@pytest.mark.parametrize("form", PACK)
def test_a_record_without_an_end_is_refused_in_every_packing_before_it_is_held(form: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(PACK[form](HEADER + ROW * 5 + LONG * 40 + b"\n" + ROW))
    tracemalloc.start()
    said = r"calls\.csv: a line must have at most 1,048,576 bytes, line 7 has more; end each record"
    with pytest.raises(DataError, match=said), open_sources([path]):
        pytest.fail("the file was taken")
    assert tracemalloc.get_traced_memory()[1] < 8 * MOST_LINE_BYTES
    tracemalloc.stop()


@pytest.mark.parametrize("form", PACK)
def test_a_quote_that_never_closes_is_named_where_it_opens(form: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(PACK[form](HEADER + ROW + b'"2013-03-12 01:10:00,126.98\n' + ROW * 30_000))
    with pytest.raises(DataError, match=r"line 3 has more; close the quote that it opens"), open_sources([path]):
        pytest.fail("the file was taken")


def test_standard_input_is_held_to_the_same_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(HEADER + LONG)))
    with pytest.raises(DataError, match=r"stdin: a line must have at most"), open_sources(["-"]):
        pytest.fail("the stream was taken")


def test_tables_of_antennas_nodes_and_way_points_are_held_to_the_same_length(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"id,lon,lat\n1,127,37\n" + LONG)
    for read in (read_antennas, lambda file: read_table(file, "nodes", ("id", "lon", "lat"))):
        with pytest.raises(DataError, match=r"table\.csv: a line must have at most 1,048,576 bytes, line 3 has more"):
            read(path)
    path.write_bytes(b"route,sequence,lon,lat\n" + LONG)
    with pytest.raises(DataError, match=r"table\.csv: a line must have at most 1,048,576 bytes, line 2 has more"):
        read_plan(path, city(3, [(0, 1)], {(0, 1): 1.0})[0])


@pytest.mark.parametrize("text", [b"route,sequence,lon,lat\nA,1,127", b"a\n\nb\n", b"", b"\n"])
def test_lines_that_are_split_make_up_the_text(text: bytes) -> None:
    found = list(text_lines.split_lines(text.decode()))
    assert found == io.StringIO(text.decode(), newline="\n").readlines()


@pytest.mark.parametrize(("n", "fits"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("end", ["", "\n", "\nb"])
def test_a_line_that_is_split_off_may_have_just_as_many_signs(n: int, fits: bool, end: str) -> None:  # noqa: FBT001
    text = "x\n" + "a" * (MOST_LINE_BYTES + n) + end
    if fits:
        assert "".join(text_lines.split_lines(text)) == text
    else:
        with pytest.raises(DataError, match="line 2 has more"):
            list(text_lines.split_lines(text))


def test_a_table_of_a_feed_holds_no_line_without_an_end_and_is_not_packed_twice(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    with zipfile.ZipFile(io.BytesIO(fuzzing.feed())) as archive:
        archive.extractall(feed)
    stops = (feed / "stops.txt").read_bytes()
    (feed / "stops.txt").write_bytes(b"\n" + gzip.compress(stops))
    with pytest.raises(DataError, match=r"feed: stops\.txt must be text, and is packed once more; unpack it"):
        read_feed(feed)
    (feed / "stops.txt").write_bytes(stops + LONG)
    with pytest.raises(DataError, match=r"feed: stops\.txt: a line must have at most 1,048,576 bytes"):
        read_feed(feed)


def test_what_polars_would_unpack_unseen_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    for level in (0, 1, 6, 9):
        path.write_bytes(zlib.compress(HEADER + ROW, level))
        with pytest.raises(DataError, match=r"calls\.csv: is packed with zlib; pack it with gzip or zstd"), open_sources([path]):
            pytest.fail("the file was taken")
        with pytest.raises(DataError, match=r"calls\.csv: is packed with zlib; pack it with gzip or zstd"):
            read_antennas(path)
