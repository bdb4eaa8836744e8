"""Record files in every form that people have: the same rows in another dress are the same demand, or are refused in one line."""

from __future__ import annotations

import bz2
import datetime as dt
import gc
import gzip
import json
import lzma
import pickle
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.records import field_counts, open_sources
from owlbus.records.file_forms import prepared_file
from owlbus.records.profiles import ALIASES, PROFILES, Profile, known_names, normal_name, profile_of
from owlbus.records.read_options import ReadOptions
from owlbus.records.recognised import common_options, recognised_file
from owlbus.records.schema import COLUMNS, find_layout
from owlbus.records.text_heads import head_of, narrow_encoding, wide_encoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.demand import DemandReport
    from owlbus.records.recognised import RecognisedFile

RING = [(13.30, 52.47), (13.42, 52.47), (13.42, 52.53), (13.30, 52.53)]
GRID = HexGrid.cover(RING)
REPORTS = Path(__file__).parents[2] / "shared" / "cases" / "reports"


def made_calls(n: int = 60) -> pd.DataFrame:
    """Calls within the outline, about half of them in the window."""
    rng = np.random.default_rng(7)
    times = pd.Timestamp("2024-03-05 20:00:07") + pd.to_timedelta(rng.permutation(12 * 3600)[:n], unit="s")
    columns = {"time": times.strftime("%Y-%m-%d %H:%M:%S"), "name": [f"n{k}" for k in range(n)]}
    for lon, lat in (("lon", "lat"), ("home_lon", "home_lat")):
        columns |= {lon: rng.uniform(13.31, 13.41, n).round(6), lat: rng.uniform(52.48, 52.52, n).round(6)}
    return pd.DataFrame(columns)


CALLS = made_calls()
N_COUNTED = int((pd.to_datetime(CALLS["time"]).dt.hour < 5).sum())
"""Calls in the default window: all lie in the outline."""


def text(frame: pd.DataFrame = CALLS, sep: str = ",", **how: int) -> str:
    """Return rows as CSV."""
    return frame.to_csv(index=False, sep=sep, lineterminator="\n", **how)


def report_of(*paths: Path | str, columns: dict[str, str] | None = None) -> DemandReport:
    """Return what became of the rows; their balance must hold."""
    _, report = estimate_demand([str(path) for path in paths], GRID, columns=columns)
    assert report.rows_in == report.rows_counted + report.rows_rejected
    return report


def saved(path: Path, content: str | bytes) -> Path:
    """Return a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path: Path, members: dict[str, str | bytes]) -> Path:
    """Return an archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def sheet(path: Path, frame: pd.DataFrame = CALLS, *, before: int = 0, names: tuple[str, ...] = ("Calls",), chosen: int = 0) -> Path:
    """Return a spreadsheet with typed cells: moments, numbers and text."""
    book = xlsxwriter.Workbook(str(path))
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for place, name in enumerate(names):
        page = book.add_worksheet(name)
        if place != chosen:
            page.write_row(0, 0, ["nothing", "here"])
            continue
        for row in range(before):
            page.write_string(row, 0, f"Calls of the city, line {row}")
        page.write_row(before, 0, list(frame.columns))
        for row, values in enumerate(frame.itertuples(index=False), before + 1):
            for column, value in enumerate(values):
                if frame.columns[column] == "time":
                    page.write_datetime(row, column, dt.datetime.fromisoformat(value), moment)
                else:
                    page.write(row, column, value)
    book.close()
    return path


def ods(path: Path, frame: pd.DataFrame = CALLS) -> Path:
    """Return an OpenDocument spreadsheet."""
    cells = [
        [f'<table:table-cell office:value-type="string"><text:p>{v}</text:p></table:table-cell>' for v in row]
        for row in frame.astype(str).to_numpy()
    ]
    head = [f'<table:table-cell office:value-type="string"><text:p>{v}</text:p></table:table-cell>' for v in frame.columns]
    rows = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in [head, *cells])
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text"))
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="One">{rows}'
    )
    content += "</table:table></office:spreadsheet></office:body></office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = 'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml", f'<m:manifest {manifest}><m:file-entry m:full-path="/" m:media-type="{kind}"/></m:manifest>'
        )
    return path


def arrow(path: Path, *, stream: bool = False, codec: str | None = None) -> Path:
    """Return an Arrow file or stream."""
    table = pa.Table.from_pandas(CALLS, preserve_index=False)
    writer = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, writer(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as target:
        target.write_table(table)
    return path


RECORDS = CALLS.to_dict("records")
FORMS: dict[str, Callable[[Path], Path]] = {
    "plain.csv": lambda p: saved(p, text()),
    "semicolon.csv": lambda p: saved(p, text(sep=";")),
    "bar.txt": lambda p: saved(p, text(sep="|")),
    "tab with a quoted header.tsv": lambda p: saved(p, text(sep="\t", quoting=1)),
    "semicolon with a quoted header.csv": lambda p: saved(p, text(sep=";", quoting=2)),
    "utf-8 with a mark.csv": lambda p: saved(p, text().encode("utf-8-sig")),
    "utf-16.csv": lambda p: saved(p, text().encode("utf-16")),
    "utf-16 big.csv": lambda p: saved(p, b"\xfe\xff" + text().encode("utf-16-be")),
    "utf-16 without a mark.csv": lambda p: saved(p, text().encode("utf-16-le")),
    "utf-16 tabs.txt": lambda p: saved(p, text(sep="\t").encode("utf-16")),
    "utf-32.csv": lambda p: saved(p, text().encode("utf-32")),
    "cp949.csv": lambda p: saved(p, text(CALLS.assign(name="서울 강남구")).encode("cp949")),
    "cp1252.csv": lambda p: saved(p, text(CALLS.assign(name="Straße, Ñandú")).encode("cp1252")),
    "utf-8 korean.csv": lambda p: saved(p, text(CALLS.assign(name="서울"))),
    "mac.csv": lambda p: saved(p, text().replace("\n", "\r")),
    "mac utf-16.csv": lambda p: saved(p, text().replace("\n", "\r").encode("utf-16")),
    "windows.csv": lambda p: saved(p, text().replace("\n", "\r\n")),
    "calls.csv.gz": lambda p: saved(p, gzip.compress(text().encode())),
    "calls.csv.bz2": lambda p: saved(p, bz2.compress(text().encode())),
    "calls.csv.xz": lambda p: saved(p, lzma.compress(text().encode())),
    "two parts.csv.bz2": lambda p: saved(p, bz2.compress(text()[:500].encode()) + bz2.compress(text()[500:].encode())),
    "utf-16.csv.gz": lambda p: saved(p, gzip.compress(text().encode("utf-16"))),
    "comments.csv": lambda p: saved(p, f"# made by us\n# lon, lat in degrees\n{text()}"),
    "the header is a comment.csv": lambda p: saved(p, f"# made by us\n#{text()}"),
    "sep.csv": lambda p: saved(p, f"sep=;\n{text(sep=';')}"),
    "sep with quotes.csv": lambda p: saved(p, '"sep=|"\r\n' + text(sep="|").replace("\n", "\r\n")),
    "blank lines.csv": lambda p: saved(p, f"\n\n{text()}"),
    "title.csv": lambda p: saved(p, f"Calls of the city, March 2024\n\n{text()}"),
    "titles with semicolons.csv": lambda p: saved(p, f"Calls; of the city\nAll, by night, of March\n{text(sep=';')}"),
    "title.csv.gz": lambda p: saved(p, gzip.compress(f"Calls\n{text()}".encode())),
    "trailing separators.csv": lambda p: saved(p, text().replace("\n", ",\n")),
    "trailing separators in rows.csv": lambda p: saved(p, text().replace("\n", ",\n").replace(",\n", "\n", 1)),
    "long footer.csv": lambda p: saved(p, f"{text()}Total,60,rows,of,the,city,of,March\n"),
    "footers.csv": lambda p: saved(p, f"{text()}\nTotal,60,rows,of,the,city,of,March\nby,us,a,b,c,d,e,f,g\n\n"),
    "calls.xlsx": sheet,
    "sheet with titles.xlsx": lambda p: sheet(p, before=3),
    "several sheets.xlsx": lambda p: sheet(p, names=("Calls", "Notes", "More")),
    "calls.ods": ods,
    "calls.zip": lambda p: zipped(p, {"calls.csv": text()}),
    "resource forks.zip": lambda p: zipped(p, {"data/calls.csv": text(), "__MACOSX/data/._calls.csv": "x", "README.md": "about"}),
    "semicolons.zip": lambda p: zipped(p, {"calls.csv": text(sep=";").encode("utf-16")}),
    "calls.feather": arrow,
    "packed.arrow": lambda p: arrow(p, codec="zstd"),
    "stream.arrows": lambda p: arrow(p, stream=True),
    "calls.jsonl": lambda p: saved(p, "\n".join(map(json.dumps, RECORDS))),
    "calls.ndjson": lambda p: saved(p, "\n".join(map(json.dumps, RECORDS)) + "\n\n"),
    "texts.jsonl": lambda p: saved(p, "\n".join(json.dumps({k: str(v) for k, v in row.items()}) for row in RECORDS)),
    "array.json": lambda p: saved(p, json.dumps(RECORDS, indent=1)),
    "marked array.json": lambda p: saved(p, json.dumps(RECORDS).encode("utf-8-sig")),
    "calls.jsonl.gz": lambda p: saved(p, gzip.compress("\n".join(map(json.dumps, RECORDS)).encode())),
}


def test_the_base_has_calls_within_and_without_the_window() -> None:
    assert 10 < N_COUNTED < len(CALLS) - 10


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_in_another_form_are_the_same_demand(form: str, tmp_path: Path) -> None:
    base, _ = estimate_demand(saved(tmp_path / "base.csv", text()), GRID)
    demand, report = estimate_demand(FORMS[form](tmp_path / form), GRID)
    assert (report.rows_in, report.rows_counted) == (len(CALLS), N_COUNTED)
    for name in ("origin", "destination", "hour", "trips", "presence", "presence_hex"):
        assert np.array_equal(getattr(demand, name), getattr(base, name))


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("utf-16.csv", "is text in UTF-16"),
        ("cp949.csv", "is text in CP949 (Korean)"),
        ("cp1252.csv", "is text in Windows-1252 (Western European)"),
        ("mac.csv", "has lines that end with carriage returns"),
        ("title.csv", "has its header on line 3; what stands before it is left out"),
        ("sheet with titles.xlsx", "has its header on row 4; what stands before it is left out"),
        ("several sheets.xlsx", "its sheet Calls is read, 2 of 3 sheets are not"),
        ("long footer.csv", "ends with lines of more fields than its header, which are left out"),
    ],
)
def test_what_was_recognised_in_a_file_is_noted(form: str, note: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path / form)
    assert f"{path} {note}" in report_of(path).notes
    assert report_of(saved(tmp_path / "plain.csv", text())).notes == ()


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("plain.csv", "line 12"),
        ("utf-16.csv", "line 12"),
        ("comments.csv", "line 14"),
        ("the header is a comment.csv", "line 13"),
        ("title.csv", "line 14"),
        ("sep.csv", "line 13"),
        ("trailing separators in rows.csv", "line 12"),
        ("sheet with titles.xlsx", "row 15"),
        ("calls.xlsx", "row 12"),
        ("calls.jsonl", "row 11"),
        ("calls.feather", "row 11"),
        ("calls.csv.bz2", "line 12"),
    ],
)
def test_messages_name_the_place_in_the_original_file(form: str, place: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path / form)
    with open_sources([path]) as (source,):
        assert source.place(10) == place


# rows that are none


def test_repeated_headers_and_short_footers_are_rejected_rows(tmp_path: Path) -> None:
    twice = text() + text() + "Total\n(120 rows)\n"
    report = report_of(saved(tmp_path / "calls.csv", twice))
    rules = {rule.name: rule.rows for rule in report.rules}
    assert (report.rows_in, report.rows_counted, rules["time missing"], rules["repeats a row"]) == (123, N_COUNTED, 3, N_COUNTED)


@pytest.mark.parametrize(
    "content",
    [
        text().replace("\n", ",x\n").replace(",x\n", "\n", 1),  # names of rows come first: columns would shift
        text(CALLS.head(30)) + "1,2,3,4,5,6,7\n" + text(CALLS.tail(30), header=False),
        text().replace("n7,", "a, b,"),
        text().replace("n7,", '"a, b", c,'),
        "Calls of the city\n" + text().replace("n7,", "a, b,"),
    ],
)
def test_rows_with_more_fields_than_the_header_are_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"calls\.csv: has lines with more fields than its header, first on line \d+; quote text that h"):
        report_of(saved(tmp_path / "calls.csv", content))


@given(
    content=st.text(alphabet='a,,;"\n', max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    n=st.integers(0, 4),
    skipped=st.integers(0, 2),
    exact=st.sampled_from([0, 1 << 23]),
)
@settings(max_examples=300, deadline=None)
def test_lines_with_too_many_fields_are_counted_over_any_parts(content: str, cuts: list[int], n: int, skipped: int, exact: int) -> None:
    lines = csv_lines(content)
    long_lines = [number for number, line in enumerate(lines, 1) if number > skipped and line.count(",") > n]
    fields = field_counts.FieldCount(ord(","), n, skipped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_counts, "_EXACT_BYTES", exact)
        for part in np.split(np.frombuffer(content.encode(), np.uint8), sorted(min(cut, len(content)) for cut in cuts)):
            fields.feed(part.tobytes())
        fields.end()
    if exact or '"' in content:
        assert (fields.n_long, fields.first_long) == (len(long_lines), long_lines[0] if long_lines else 0)
    else:  # sums of parts: a line with too few fields may hide another one, but not where all have as many as the header
        assert fields.n_long <= len(long_lines)
        assert fields.n_long or not long_lines or any(line.count(",") < n for line in lines) or skipped


@pytest.mark.parametrize("n_more", [1, 2, 3])
@pytest.mark.parametrize("between", ["", "\n", "\r\n"])
def test_separators_at_the_end_of_all_rows_are_no_columns(n_more: int, between: str, tmp_path: Path) -> None:
    header, *rows = text().splitlines()
    words = [f"{row},a,b,c,d,e,f,g{n_more * ','}" for row in rows]  # most fields are words, as in a header
    content = f"{header},{','.join('tuvwxyz')}\n{between}" + "\n".join(words) + "\n"
    report = report_of(saved(tmp_path / "calls.csv", content))
    assert report.rows_counted == N_COUNTED
    content += f"{rows[0]},a,b,c,d,e,f,g{',' * n_more}x\n"
    with pytest.raises(DataError, match=r"has lines with more fields than its header, first on line"):
        report_of(saved(tmp_path / "shifted.csv", content + words[0] + "\n"))


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_titles_padded_with_separators_are_left_out(sep: str, tmp_path: Path) -> None:
    titles = f"Calls of the city{5 * sep}\nAs of{sep}01.04.2024{4 * sep}\n{5 * sep}\n"
    report = report_of(saved(tmp_path / "calls.csv", titles + text(sep=sep)))
    assert report.rows_counted == N_COUNTED
    assert "has its header on line 4; what stands before it is left out" in " ".join(report.notes)


def test_a_header_with_empty_names_over_values_stays_the_header() -> None:
    head = head_of(b"time,,,\n2024-03-05 01:00:00,1,2,3\n2024-03-05 01:00:00,1,2,3\n")
    assert (head.n_lines, head.n_separators, head.is_plain) == (0, 3, True)


def csv_lines(content: str) -> list[str]:
    """Return the lines of a text without what is in quotes; a line break in quotes does not end a line."""
    lines, is_quoted = [""], False
    for character in content:
        if character == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            if character == "\n":
                lines.append("")
            else:
                lines[-1] += character
    return lines if not is_quoted else lines[:-1]


@given(
    titles=st.lists(st.sampled_from(["Calls", "a, b", "x; y; z", "# note", "", "  ", '"quoted, title"']), max_size=4),
    sep=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([0, 1]),
    n=st.integers(3, 30),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp949"]),
)
@settings(max_examples=40, deadline=None)
def test_the_header_is_found_below_titles(titles: list[str], sep: str, quoting: int, n: int, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        content = "".join(f"{title}\n" for title in titles) + text(CALLS.head(n).assign(name="서울"), sep=sep, quoting=quoting)
        path = saved(Path(folder) / "calls.csv", content.encode(encoding))
        with open_sources([path]) as (source,):
            frame = source.scan().collect()
            assert (source.separator, frame.height, source.place(0)) == (sep, n, f"line {len(titles) + 2}")
            assert frame["lon"].cast(pl.Float64).to_list() == CALLS["lon"].head(n).tolist()


@given(content=st.one_of(st.binary(max_size=300), st.text(alphabet=',;\t|"#\n\r ab1=', max_size=200).map(str.encode)))
@settings(max_examples=150, deadline=None)
def test_the_head_of_any_bytes_is_within_them(content: bytes) -> None:
    head = head_of(content)
    assert 0 <= head.n_bytes <= len(content)
    assert content[: head.n_bytes].count(b"\n") == head.n_lines
    assert wide_encoding(content) in {None, "utf-16", "utf-32", "utf-16-le", "utf-16-be"}
    assert narrow_encoding([content]) in {"cp949", "cp1252", "latin-1"}


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("서울특별시 강남구", "cp949"),
        ("택시 승차 · 하차", "cp949"),
        ("Straße", "cp1252"),
        ("Ängel, Österreich", "cp1252"),
        ("Nuñoa “x”", "cp1252"),
        ("Äpfel", "cp1252"),
    ],
)
def test_korean_is_told_from_western_text(words: str, encoding: str) -> None:
    assert narrow_encoding([words.encode(encoding)]) == encoding


def test_names_in_korean_encodings_stay_apart(tmp_path: Path) -> None:
    people = CALLS.head(9).assign(subscriber=["김", "이", "박"] * 3)
    path = saved(tmp_path / "calls.csv", text(people).encode("cp949"))
    with open_sources([path]) as (source,):
        assert source.scan().collect()["subscriber"].to_list() == people["subscriber"].tolist()


# sheets, archives, tables


def test_a_sheet_and_a_member_may_be_named(tmp_path: Path) -> None:
    book = sheet(tmp_path / "book.xlsx", names=("Notes", "Calls"), chosen=1)
    assert report_of(f"{book}#Calls").rows_counted == N_COUNTED
    with pytest.raises(DataError, match=r"book\.xlsx#Call: has no such sheet; its sheets are Notes, Calls$"):
        report_of(f"{book}#Call")
    archive = zipped(tmp_path / "both.zip", {"a.csv": text(CALLS.head(30)), "b.csv": text(CALLS.tail(30)), "notes.docx": "x"})
    assert report_of(f"{archive}#b.csv").rows_in == 30
    with pytest.raises(
        DataError, match=r"both\.zip: holds notes\.docx, which by its name is no file of records; unpack it, or name one member"
    ):
        report_of(archive)
    with pytest.raises(DataError, match=r"both\.zip: has no such member; it holds a\.csv, b\.csv, notes\.docx$"):
        report_of(f"{archive}#c.csv")
    with pytest.raises(DataError, match=r"plain\.csv#x: only spreadsheets and ZIP archives have parts; name the file alone$"):
        report_of(f"{saved(tmp_path / 'plain.csv', text())}#x")


def test_members_of_an_archive_are_parts_in_any_encoding_and_form(tmp_path: Path) -> None:
    third = CALLS.iloc[40:]
    members = {
        "a.csv": text(CALLS.iloc[:20]).encode("utf-16"),
        "b.csv.gz": gzip.compress(text(CALLS.iloc[20:40], sep=";").encode()),
        "c.jsonl": "\n".join(map(json.dumps, third.to_dict("records"))),
    }
    zipped(tmp_path / "in.zip", members)
    report = report_of(tmp_path / "in.zip")
    assert (report.rows_in, report.rows_counted, len(report.files)) == (60, N_COUNTED, 3)
    assert report.files[0].file.endswith("in.zip#a.csv")


def test_clock_times_of_a_sheet_are_times_of_day(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "clocks.xlsx"))
    page, clock = book.add_worksheet(), book.add_format({"num_format": "hh:mm:ss"})
    page.write_row(0, 0, ["time", "lon", "lat", "home_lon", "home_lat"])
    for row, hour in enumerate((1, 2, 13), 1):
        page.write_datetime(row, 0, dt.time(hour, 10, 5), clock)
        page.write_row(row, 1, [13.35, 52.5, 13.40, 52.49])
    book.close()
    with open_sources([tmp_path / "clocks.xlsx"]) as (source,):
        assert source.scan().collect()["time"].to_list() == ["01:10:05", "02:10:05", "13:10:05"]
    assert report_of(tmp_path / "clocks.xlsx").rows_counted == 2


def test_sheets_need_an_extra_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fastexcel", None)
    with pytest.raises(
        UsageError, match=r"calls\.xlsx: is a spreadsheet; reading it needs fastexcel: pip install 'owlbus\[sheets\]', or save"
    ):
        report_of(sheet(tmp_path / "calls.xlsx"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            json.dumps({"type": "FeatureCollection", "features": []}),
            "no column is known",
        ),
        ("[]", "is JSON that is no table"),
        ('[{"time": 1}, 2]', "is JSON that is no table"),
        ('{"time": 1}\n[2]\n', "is JSON that is no table"),
        ('[{"a": ' * 3000, "is JSON that is no table"),
        (b"ARROW1\0\0" + bytes(40), "is damaged or cut off; copy it again"),
        (b"\xff\xff\xff\xff" + bytes(40), "is damaged or cut off; copy it again"),
        (b"\xd0\xcf\x11\xe0" + bytes(40), "is a spreadsheet that is damaged, locked with a password, or without a sheet; save it again"),
        (b"PK\x03\x04" + bytes(40), "is a ZIP archive that is damaged or cut off; unpack it"),
        (lzma.compress(text().encode())[:-20], "ends in the middle of its data or cannot be read; copy it again"),
        (b"SQLite format 3\0" + bytes(90), "is a database; save its table as CSV or Parquet"),
        ("1,2,3,4,5\n1,2,3,4,5\n", "its first line holds values, not names of columns; add a header line, such as time,lon,lat,home_lon"),
    ],
)
def test_files_that_hold_no_table_say_what_they_are(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "records", content)
    with pytest.raises(DataError) as error:
        report_of(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_feed_is_no_archive_of_records(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"feed\.zip: is a GTFS feed, not records$"):
        report_of(zipped(tmp_path / "feed.zip", {"stops.txt": "a", "stop_times.txt": "b"}))


def test_notes_beside_records_are_left_out_of_a_folder_and_named(tmp_path: Path) -> None:
    saved(tmp_path / "calls.csv", text())
    saved(tmp_path / "license_plates.csv", text(CALLS.head(0)))
    for name in ("README.txt", "readme.MD", "LICENSE", "Thumbs.db", ".DS_Store", "columns.pdf"):
        saved(tmp_path / name, "no table")
    report = report_of(tmp_path)
    assert report.rows_counted == N_COUNTED
    (note,) = [note for note in report.notes if "left out" in note]
    names = "LICENSE, README.txt, Thumbs.db, columns.pdf, readme.MD"
    assert note == f"{tmp_path / 'calls.csv'} comes with files that hold no records and are left out: {names}"
    saved(tmp_path / "calls.dat", "no table")
    with pytest.raises(DataError, match=r"holds calls\.dat, which by the name is no file of records"):
        report_of(tmp_path)


@pytest.mark.parametrize("is_enum", [False, True])
def test_categories_of_text_are_read_as_text(is_enum: bool, tmp_path: Path) -> None:  # noqa: FBT001
    rows = pl.from_pandas(CALLS)
    words = {column: rows[column].cast(pl.String) for column in ("time", "lon", "lat", "home_lon", "home_lat")}
    drawn = {column: word.cast(pl.Enum(word.unique()) if is_enum else pl.Categorical) for column, word in words.items()}
    rows.with_columns(**drawn).write_parquet(tmp_path / "calls.parquet")
    assert report_of(tmp_path / "calls.parquet").rows_counted == N_COUNTED


def recognised(*paths: Path, columns: dict[str, str] | None = None) -> list[RecognisedFile]:
    """Return what is recognised in files."""
    with open_sources([str(path) for path in paths], ReadOptions(columns=columns or {})) as sources:
        return [recognised_file(source) for source in sources]


def test_options_that_not_all_files_share_are_left_to_be_recognised(tmp_path: Path) -> None:
    plain = saved(tmp_path / "a.csv", text())
    days = (pd.to_datetime(CALLS["time"]) + pd.Timedelta(days=20)).dt.strftime("%d.%m.%Y %H:%M:%S")
    dotted = saved(tmp_path / "b.csv", text(CALLS.assign(time=days)))
    renamed = saved(tmp_path / "c.csv", text(CALLS.rename(columns={"time": "call_time"})))
    assert "time_format" in common_options(recognised(dotted))
    assert common_options(recognised(plain, dotted)) == common_options(recognised(dotted, plain)) == {}
    assert common_options(recognised(renamed)) == {"columns": {"time": "call_time"}}
    assert common_options(recognised(plain, renamed)) == {}
    mapping = {"time": "call_time"}
    assert common_options(recognised(plain, renamed, columns=mapping), mapping) == {"columns": mapping}
    assert common_options([]) == {}


# private copies


def test_copies_are_private_and_removed_and_changes_are_seen(tmp_path: Path) -> None:
    path = FORMS["utf-16.csv"](tmp_path / "calls.csv")
    with open_sources([path]) as (source,):
        assert source.path != path
        assert stat.S_IMODE(source.path.stat().st_mode) == 0o600
        assert pickle.loads(pickle.dumps(source)).path == source.path  # noqa: S301 - written here
        path.write_bytes(path.read_bytes() + b"1\0")
        with pytest.raises(DataError, match=r"calls\.csv: changed while it was read"):
            source.check_unchanged()
        copy = source.path
    assert copy.exists()
    prepared_file.cache_clear()
    del source
    gc.collect()
    assert not copy.exists()


def test_bytes_are_ids_and_rejected_rows_of_any_type_are_kept_as_text(tmp_path: Path) -> None:
    n = 6
    table = pl.DataFrame(
        {
            "time": [dt.timedelta(hours=1, minutes=10 + k) for k in range(n)],
            "lon": [13.35, 99.0, *[13.36] * (n - 2)],
            "lat": [52.5] * n,
            "home_lon": [13.40] * n,
            "home_lat": [52.49] * n,
            "subscriber": [b"\xff\x00", b"\xff\x01", b"a", b"\xff\x00", b"a", None],
        }
    )
    table.write_parquet(tmp_path / "calls.parquet")
    demand, report = estimate_demand(tmp_path / "calls.parquet", GRID, rejected=tmp_path / "rejected.parquet")
    assert (report.rows_counted, demand.trips.sum()) == (5, 4.0)  # of a, of the two rows of ff00 in two hexes, and of nobody
    row = pl.read_parquet(tmp_path / "rejected.parquet").row(0, named=True)
    assert (row["subscriber"], row["time"], row["lon"]) == ("0xff01", "PT1H11M", "99.0")


# repeats


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["calls.csv", "calls.parquet", "calls.csv.gz"])
def test_each_call_of_a_file_counts_once(seed: int, form: str, tmp_path: Path) -> None:
    rows = made_calls(400)
    rows = rows[pd.to_datetime(rows["time"]).dt.second != 0]
    shuffled = pd.concat([rows, rows, rows.head(50)]).sample(frac=1, random_state=seed)
    pl.from_pandas(shuffled).with_columns(pl.col("time").str.to_datetime()).write_parquet(tmp_path / "calls.parquet")
    saved(tmp_path / "calls.csv", text(shuffled))
    saved(tmp_path / "calls.csv.gz", gzip.compress(text(shuffled).encode()))
    in_window = shuffled[pd.to_datetime(shuffled["time"]).dt.hour < 5]
    once = in_window.drop_duplicates(["time", "lon", "lat", "home_lon", "home_lat"])
    report = report_of(tmp_path / form)
    assert report.rows_counted == len(once)
    assert {rule.name: rule.rows for rule in report.rules}["repeats a row"] == len(in_window) - len(once)


@pytest.mark.parametrize(
    ("change", "n"),
    [
        ({}, 1),
        ({"time": "2024-03-06 01:10:00"}, 2),  # a time that is a full minute may be coarse
        ({"trips": 2}, 2),
        ({"home_lon": [13.40, 13.401]}, 2),
        ({"time": ["2024-03-06 01:10:07", "2024-03-06 01:10:08"]}, 2),
        ({"time": "2024-03-06 01:10"}, 2),
    ],
)
def test_calls_repeat_by_time_to_the_second_and_both_ends(change: dict[str, Any], n: int, tmp_path: Path) -> None:
    row = {"time": "2024-03-06 01:10:07", "lon": 13.35, "lat": 52.5, "home_lon": 13.40, "home_lat": 52.49}
    rows = pd.DataFrame([row, row]).assign(**change)
    assert report_of(saved(tmp_path / "calls.csv", text(rows))).rows_counted == n


def test_calls_on_the_full_minute_repeat_where_times_have_seconds(tmp_path: Path) -> None:
    row = {"time": "2024-03-06 01:10:00", "lon": 13.35, "lat": 52.5, "home_lon": 13.40, "home_lat": 52.49}
    rows = pd.DataFrame([row, {**row, "time": "2024-03-06 01:10:07"}, row])
    assert report_of(saved(tmp_path / "calls.csv", text(rows))).rows_counted == 2
    assert report_of(saved(tmp_path / "turned.csv", text(rows[::-1]))).rows_counted == 2
    typed = rows.assign(time=pd.to_datetime(rows["time"]))
    typed.to_parquet(tmp_path / "calls.parquet")
    assert report_of(tmp_path / "calls.parquet").rows_counted == 2
    outside = pd.concat([rows.assign(lon=99.0), rows[rows.index != 1]])  # the seconds are those of rows that are rejected
    assert report_of(saved(tmp_path / "outside.csv", text(outside))).rows_counted == 1


# profiles and names


def chicago(path: Path) -> Path:
    """Return rides of Chicago as on BigQuery, where the local clock is called UTC, half of them at 2 and half at 7 h."""
    hours = pd.Series([2, 7] * 10)
    rows = pd.DataFrame({"trip_start_timestamp": [f"2024-03-06 {hour:02d}:15:00 UTC" for hour in hours], "trip_seconds": 607})
    rows = rows.assign(pickup_latitude=52.5, pickup_longitude=13.35, dropoff_latitude=52.49, dropoff_longitude=13.40)
    return saved(path, text(rows.assign(trip_seconds=600 + rows.index)))


@pytest.mark.parametrize("zone", [None, "UTC", "America/Chicago"])
def test_the_clock_of_chicago_is_never_converted(zone: str | None, tmp_path: Path) -> None:
    _, report = estimate_demand(chicago(tmp_path / "rides.csv"), GRID, timezone=zone)
    assert report.rows_counted == 10
    assert "as a clock in America/Chicago" in " ".join(report.notes)


def test_another_zone_for_the_clock_of_chicago_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"its times are the clock of America/Chicago, though they may say UTC"):
        estimate_demand(chicago(tmp_path / "rides.csv"), GRID, timezone="Europe/Berlin")


def test_a_publisher_is_not_told_by_columns_that_the_user_maps() -> None:
    for profile in PROFILES:
        mapping = {name: f"column {name}" for name in profile.columns}
        assert profile_of([*mapping.values(), "fare"], mapping) is None
        itself = profile_of([*profile.columns.values(), *profile.signs], profile.columns)
        assert itself is not None
        assert itself.columns.keys() == profile.columns.keys()


RIDE_ENDS = ("origin_lon", "origin_lat", "destination_lon", "destination_lat")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("spelling", [str, str.upper, lambda name: name.replace("_", " ").title()])
def test_each_profile_is_told_by_its_columns_in_any_spelling(profile: Profile, spelling: Callable[[str], str]) -> None:
    present = [spelling(name) for name in (*profile.columns.values(), *profile.signs, "fare")]
    found = profile_of(present, {})
    assert found is not None
    assert found.columns.keys() == profile.columns.keys()
    assert {normal_name(column) for column in known_names(present, {}, COLUMNS).names.values()} >= {
        normal_name(column) for column in profile.columns.values()
    }


def as_rides(columns: dict[str, str], path: Path) -> Path:
    """Return the rides of the reports under a publisher's names."""
    rides = pd.read_csv(REPORTS / "records" / "base_rides.csv")
    rides["duration_s"] = (pd.to_datetime(rides["dropoff_time"]) - pd.to_datetime(rides["pickup_time"])).dt.total_seconds()
    rides = rides[list(columns)].rename(columns=columns).assign(fare=1.5)
    return saved(path, text(rides))


WITH_COORDINATES = [profile for profile in PROFILES if "origin_lon" in profile.columns and "trip_duration" not in profile.signs]


@pytest.mark.parametrize("profile", WITH_COORDINATES, ids=lambda profile: profile.name)
def test_rides_of_each_publisher_are_the_same_rides(profile: Profile, tmp_path: Path) -> None:
    report = report_of(as_rides(dict(profile.columns), tmp_path / "rides.csv"))
    expected = report_of(REPORTS / "records" / "base_rides.csv")
    assert (report.rows_in, report.rows_counted) == (expected.rows_in, expected.rows_counted)
    assert report.notes[-1].startswith(f"{tmp_path / 'rides.csv'} is read as {profile.name}")


@pytest.mark.parametrize(
    ("renamed", "kind"),
    [
        ({"lon": "longitude", "lat": "latitude"}, "calls"),
        ({"time": "timestamp", "lon": "LNG"}, "calls"),
        ({"time": "call_time", "lon": "경도", "lat": "위도", "home_lon": "Home Longitude", "home_lat": "home.latitude"}, "calls"),
        ({"time": "Time", "lon": "Lon"}, "calls"),
        ({"pickup_time": "pickup_datetime", "origin_lon": "start_lng", "origin_lat": "start_lat"}, "taxi"),
        ({"pickup_time": "승차일시", "dropoff_time": "하차일시", "origin_lon": "승차경도", "destination_lat": "하차위도"}, "taxi"),
        ({"origin_lon": "pickup_lon", "destination_lon": "Dropoff Long"}, "taxi"),
    ],
)
def test_well_known_names_of_columns_are_taken_and_noted(renamed: dict[str, str], kind: str, tmp_path: Path) -> None:
    base = REPORTS / "records" / ("base_calls.csv" if kind == "calls" else "base_rides.csv")
    path = saved(tmp_path / "in.csv", text(pd.read_csv(base).rename(columns=renamed)))
    report, expected = report_of(path), report_of(base)
    assert (report.rows_in, report.rows_counted) == (expected.rows_in, expected.rows_counted)
    is_own = all(normal_name(name) == normal_name(column) for name, column in renamed.items())
    assert report.notes == expected.notes if is_own else "columns are taken by their usual names: " in report.notes[-1]


def test_a_name_is_not_guessed_between_two_columns() -> None:
    present = ["time", "longitude", "lng", "lat", "home_lon", "home_lat"]
    with pytest.raises(DataError, match=r"f: column lon of calls missing; name what holds them: columns=\{'lon': 'l\w+'\}$"):
        find_layout("f", present)
    assert find_layout("f", present, {"lon": "lng"}).names["lon"] == "lng"
    with pytest.raises(DataError, match=r"f: column lon of calls missing"):
        find_layout("f", ["time", "x", "y", "lat", "home_lon", "home_lat"])


@pytest.mark.parametrize(
    ("mapping", "names"),
    [
        ({"lon": "lat"}, "lon and lat both name column lat"),
        ({"home_lon": "lon", "home_lat": "lat"}, "lon and home_lon both name column lon"),
        ({"time": "lon"}, "time and lon both name column lon"),
        ({"subscriber": "time"}, "time and subscriber both name column time"),
    ],
)
@pytest.mark.parametrize("form", ["calls.csv", "calls.parquet", "calls.jsonl"])
def test_two_names_for_one_column_are_refused(mapping: dict[str, str], names: str, form: str, tmp_path: Path) -> None:
    pl.from_pandas(CALLS).write_parquet(tmp_path / "calls.parquet")
    saved(tmp_path / "calls.csv", text())
    saved(tmp_path / "calls.jsonl", "\n".join(map(json.dumps, RECORDS)))
    with pytest.raises(DataError) as error:
        report_of(tmp_path / form, columns=mapping)
    assert str(error.value) == f"{tmp_path / form}: {names}; name two columns"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("37.75134 -122.39488 0 1213084687\n37.75136 -122.39527 0 1213084659\n", "looks like a trace of a San Francisco cab"),
        ("1,2008-02-02 15:36:08,116.51172,39.92123\n1,2008-02-02 15:46:08,116.51135,39.93883\n", "looks like a trace of T-Drive"),
        ("latitude,longitude,occupancy,time\n37.7,-122.4,0,1213084687\n", "holds traces of moving vehicles or phones, not rides"),
        ("Square id,Time Interval,Country code,internet\n1,1383260400000,39,0.1\n", "is a grid of telecommunication activity as published"),
    ],
)
def test_published_tables_that_are_no_records_say_what_they_are(content: str, message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "new_abboip.txt", content)
    with pytest.raises(DataError) as error:
        report_of(path)
    assert str(error.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("form", ["POINT({} {})", "({}, {})"])
def test_points_in_a_column_named_for_an_end_are_suggested(form: str, tmp_path: Path) -> None:
    homes = [form.format(*pair) for pair in zip(CALLS["home_lon"], CALLS["home_lat"], strict=True)]
    path = saved(tmp_path / "calls.csv", text(CALLS.drop(columns=["home_lon", "home_lat"]).assign(home=homes)))
    with pytest.raises(DataError, match=r"name what holds them: columns=\{'home_position': 'home'\}$"):
        report_of(path)
    words = saved(tmp_path / "words.csv", text(CALLS.drop(columns=["home_lon", "home_lat"]).assign(home="Mitte")))
    with pytest.raises(DataError, match=r"columns=\{'home_lon': 'COLUMN', 'home_lat': 'COLUMN'\}$"):
        report_of(words)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Dispatching_base_num,Pickup_date,locationID", "B02,2024-03-06 01:10:00,7"),
        ("Date/Time,Lat,Lon,Base", "3/6/2024 1:10:00,52.5,13.35,B02"),
        ("pickup_time,origin_lon,origin_lat,fare", "2024-03-06 01:10:00,13.35,52.5,7"),
    ],
)
def test_pickups_alone_are_no_trips(header: str, row: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pickups alone are no trips"):
        report_of(saved(tmp_path / "rides.csv", f"{header}\n{row}\n"))


def test_no_alias_stands_for_two_ends() -> None:
    places = ("lon", "lat", "home_lon", "home_lat", *RIDE_ENDS)
    words = [word for name in places for word in ALIASES[name]]
    assert len(words) == len(set(words))
    for name, aliases in ALIASES.items():
        assert not {normal_name(other) for other in COLUMNS if other != name} & aliases


# reports


@pytest.mark.skipif(not REPORTS.exists(), reason="needs the shared cases")
@pytest.mark.parametrize(
    ("name", "n_in", "n_counted"),
    [("base_calls.csv", 200, 98), ("dup_calls.csv", 400, 98), ("base_rides.csv", 200, 116), ("tlc2015.csv", 200, 116)],
)
def test_the_reported_files_are_counted_as_they_are(name: str, n_in: int, n_counted: int) -> None:
    from owlbus.grid.outline import read_area

    _, report = estimate_demand(REPORTS / "records" / name, HexGrid.cover(read_area(REPORTS / "areas" / "area.geojson")))
    assert (report.rows_in, report.rows_counted) == (n_in, n_counted)


def test_options_of_a_read_reach_every_form(tmp_path: Path) -> None:
    frame = CALLS.rename(columns={"lon": "x"})
    for form, content in (("a.csv", text(frame).encode("utf-16")), ("b.jsonl", "\n".join(map(json.dumps, frame.to_dict("records"))))):
        with open_sources([saved(tmp_path / form, content)], ReadOptions(columns={"lon": "x"})) as (source,):
            assert source.layout.names["lon"] == "x"


@pytest.mark.parametrize("name", ["calls.gpkg", "calls.geojson", "calls.fgb", "calls.shp"])
def test_points_of_gis_files_are_records(name: str, tmp_path: Path) -> None:
    import geopandas as gpd

    rng = np.random.default_rng(5)
    column, row = GRID.lon, GRID.lat
    lon, lat, home_lon, home_lat = rng.uniform(
        *[[[min(column)], [min(row)]] * 2 if low else [[max(column)], [max(row)]] * 2 for low in (True, False)], (4, 60)
    ).round(6)
    table = pd.DataFrame({"time": "2013-03-02 01:10:05", "lon": lon, "lat": lat, "home_lon": home_lon, "home_lat": home_lat})
    table.to_csv(tmp_path / "plain.csv", index=False)
    points = gpd.GeoDataFrame(table.drop(columns=["lon", "lat"]), geometry=gpd.points_from_xy(lon, lat), crs=4326)
    (points if name.endswith("geojson") else points.to_crs(3857)).to_file(tmp_path / name)
    plain, _ = estimate_demand(tmp_path / "plain.csv", GRID)
    demand, report = estimate_demand(tmp_path / name, GRID)
    assert report.rows_in == 60
    assert demand.trips.tolist() == plain.trips.tolist()
    assert demand.origin.tolist() == plain.origin.tolist()


def test_the_check_says_the_layout_that_was_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    from owlbus.cli.app import run

    if not REPORTS.is_dir():
        pytest.skip("needs the public data sets in ../shared/cases")
    words = [str(REPORTS / "records" / "tlc.parquet"), "--zones", str(REPORTS / "records" / "zones.geojson")]
    assert run(["demand", *words, "--area", str(REPORTS / "areas" / "area.geojson"), "--check", "--json", "-q"]) == 0
    notes = json.loads(capsys.readouterr().out)["recognised"][0]["notes"]
    assert any("New York yellow taxi trips by zone" in note for note in notes)
    assert any("182 zones of" in note for note in notes)
