"""Tables that are neither Parquet nor text: spreadsheets, Arrow, JSON and archives, as private copies in Parquet or CSV."""

from __future__ import annotations

import itertools
import json
import lzma
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import in_temporary_folder
from owlbus.records.private_copies import COPY_BYTES, PrivateCopy, private_file
from owlbus.records.profiles import looks_like_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

_MOST_RATIO, _MOST_BYTES = 1000, 1 << 32
_MOST_TITLES = 100
_SHEET_PARTS = ("[Content_Types].xml", "mimetype")
_BY_PRODUCTS = re.compile(
    r"(readme([-_ ]\w+)*(\.[a-z]{2})?|licen[cs]e|copying)(\.(txt|rst|html?))?|thumbs\.db|desktop\.ini|.*\.(md|pdf)", re.IGNORECASE
)


def arrow_copy(name: str, path: Path, *, is_stream: bool) -> PrivateCopy:
    """
    Return an Arrow or Feather file as Parquet.

    Parameters
    ----------
    name
        File name in messages.
    path
        The file.
    is_stream
        Whether it is an IPC stream rather than an IPC file.

    Returns
    -------
    PrivateCopy
        Parquet file.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    import polars as pl

    def read() -> pl.LazyFrame:
        return pl.read_ipc_stream(path).lazy() if is_stream else pl.scan_ipc(path)

    return _parquet_copy(name, read, "is damaged or cut off; copy it again")


def json_copy(name: str, path: Path, *, is_lines: bool) -> PrivateCopy:
    """
    Return JSON as Parquet: one object a line, or an array of objects.

    Parameters
    ----------
    name
        File name in messages.
    path
        The file, UTF-8.
    is_lines
        Whether each line is an object.

    Returns
    -------
    PrivateCopy
        Parquet file.

    Raises
    ------
    DataError
        If the file holds anything else.
    """
    import polars as pl

    def read() -> pl.LazyFrame:
        if is_lines:
            return pl.scan_ndjson(path, infer_schema_length=None)
        with path.open(encoding="utf-8-sig") as stream:
            rows = json.load(stream)
        if not rows or not all(isinstance(row, dict) for row in rows):
            msg = "array of something else"
            raise TypeError(msg)
        return pl.DataFrame(rows, infer_schema_length=None).lazy()

    problem = "is JSON that is no table; write one object a line, or an array of objects, with the same type of values in each field"
    return _parquet_copy(name, read, problem)


def gis_copy(name: str, path: Path) -> PrivateCopy:
    """
    Return the first layer of a GIS file as Parquet.

    Parameters
    ----------
    name
        File name in messages.
    path
        File of any vector format that GDAL reads.

    Returns
    -------
    PrivateCopy
        Parquet with the column ``geometry`` as WKB in lon/lat degrees.

    Raises
    ------
    DataError
        If the file cannot be read or has no geometries.
    """
    import pyarrow.parquet as pq

    from owlbus.grid.gis_files import lonlat_table

    with private_file() as (copy, made):
        pq.write_table(lonlat_table(path, name), copy, compression="zstd", compression_level=1)
    return made[0]


def _parquet_copy(name: str, read: Callable[[], pl.LazyFrame], problem: str) -> PrivateCopy:
    """Return a table as a private Parquet file."""
    import polars as pl

    with private_file() as (copy, made):
        try:
            frame = read()
            schema = frame.collect_schema()
            drawn = frame.select(pl.col(column).cast(pl.String) if kind == pl.Null else pl.col(column) for column, kind in schema.items())
            drawn.sink_parquet(copy, compression="zstd", compression_level=1)
        except (
            pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError, OverflowError, RecursionError, OSError,
        ) as error:  # fmt: skip
            msg = f"{name}: {problem}"
            raise DataError(msg) from error
    return made[0]


def sheet_copy(name: str, path: Path, sheet: str | None) -> tuple[PrivateCopy, int, tuple[str, ...]]:
    """
    Return a sheet of a spreadsheet as CSV.

    The header is the first of the rows with the most cells; rows before it are titles.

    Parameters
    ----------
    name
        File name in messages.
    path
        Spreadsheet: .xlsx, .xlsb, .xls or .ods.
    sheet
        Name of the sheet; None for the first.

    Returns
    -------
    copy
        CSV file, one line for each row of the sheet from the header on.
    n_skipped
        Rows before the header.
    notes
        Which sheet was read, if there are several, and where its header is, if that is not the first row.

    Raises
    ------
    DataError
        If the file is damaged, has no such sheet, or the sheet is empty.
    UsageError
        If the extra ``owlbus[sheets]`` is not installed.
    """
    try:
        import fastexcel
    except ImportError as error:
        msg = f"{name}: is a spreadsheet; reading it needs fastexcel: pip install 'owlbus[sheets]', or save the sheet as CSV"
        raise UsageError(msg) from error
    try:
        book = fastexcel.read_excel(path)
        sheets = book.sheet_names
        if sheet is not None and sheet not in sheets:
            msg = f"{name}: has no such sheet; its sheets are {', '.join(sheets)}"
            raise DataError(msg)
        chosen = sheet or sheets[0]
        frame = book.load_sheet(chosen, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except (fastexcel.FastExcelError, IndexError) as error:
        msg = f"{name}: is a spreadsheet that is damaged, locked with a password, or without a sheet; save it again"
        raise DataError(msg) from error
    if not frame.height:
        msg = f"{name}: the sheet {chosen} is empty; name another one with a number sign, such as {path.name}#{sheets[-1]}"
        raise DataError(msg)
    header = _header_row(frame)
    with private_file() as (copy, made), in_temporary_folder():
        _clocks(frame[header:]).write_csv(copy, include_header=False)
    notes = [f"its sheet {chosen} is read, {len(sheets) - 1} of {len(sheets)} sheets are not"] if len(sheets) > 1 else []
    if header:
        notes.append(f"has its header on row {header + 1}; what stands before it is left out")
    return made[0], header, tuple(notes)


def _header_row(frame: pl.DataFrame) -> int:
    """Return the first row of a sheet with the most cells among its first rows; the first row if that one holds values."""
    import polars as pl

    head = frame.head(_MOST_TITLES)
    n_cells = head.select(pl.sum_horizontal(pl.all().is_not_null().cast(pl.Int64))).to_series()
    row = int(n_cells.arg_max() or 0)
    cells = [cell for cell in head.row(row) if cell is not None]
    return row if sum(map(looks_like_value, cells)) * 2 <= len(cells) else 0


def _clocks(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a sheet with times of day as clocks: a spreadsheet keeps them as moments of its first two days."""
    import polars as pl

    text = pl.all().cast(pl.String)
    first = text.str.replace(r"^1899-12-3[01][ T](\d\d:\d\d:\d\d(?:\.\d+)?)$", "$1")
    return frame.select(first)


def zip_members(name: str, path: Path, wanted: str | None, is_records: Callable[[str], bool]) -> tuple[tuple[str, PrivateCopy], ...]:
    """
    Unpack the tables of a ZIP archive.

    Parameters
    ----------
    name
        File name in messages.
    path
        The archive.
    wanted
        The one member to unpack; None for all tables.
    is_records
        Tells by a name whether a member is a table.

    Returns
    -------
    tuple of str and PrivateCopy
        Name and content of each, sorted by name.

    Raises
    ------
    DataError
        If the archive is damaged, locked, a GTFS feed, or holds no tables or other files.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and _is_shown(info.filename)]
            chosen = _chosen_members(name, members, wanted, is_records)
            return tuple((info.filename, _unpacked(name, archive, info)) for info in chosen)
    except DataError:
        raise
    except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, OSError, zlib.error, lzma.LZMAError) as error:
        locked = "locked with a password" if "password" in str(error) or "encrypted" in str(error) else "damaged or cut off"
        msg = f"{name}: is a ZIP archive that is {locked}; unpack it"
        raise DataError(msg) from error


def is_spreadsheet(path: Path) -> bool:
    """
    Return whether a ZIP archive is a spreadsheet.

    Parameters
    ----------
    path
        The archive.

    Returns
    -------
    bool
        True for .xlsx, .xlsb and .ods.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any(part in archive.namelist() for part in _SHEET_PARTS)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _is_shown(member: str) -> bool:
    """Return whether a member is more than a by-product: hidden files, resource forks, and notes on the archive."""
    *folders, last = member.split("/")
    hidden = any(part.startswith((".", "_")) for part in (*folders, last))
    return not hidden and not is_by_product(last)


def is_by_product(name: str) -> bool:
    """
    Return whether a file beside records describes them or was left by a system, by its name.

    Parameters
    ----------
    name
        File name without folders.

    Returns
    -------
    bool
        True for notes such as ``README.txt`` and ``LICENSE``, for Markdown and PDF, and for lists of thumbnails.
    """
    return _BY_PRODUCTS.fullmatch(name) is not None


def _chosen_members(
    name: str, members: list[zipfile.ZipInfo], wanted: str | None, is_records: Callable[[str], bool]
) -> list[zipfile.ZipInfo]:
    """Return the members to read."""
    names = sorted(info.filename for info in members)
    if wanted is not None:
        chosen = [info for info in members if info.filename == wanted]
        if not chosen:
            msg = f"{name}: has no such member; it holds {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}"  # noqa: PLR2004
            raise DataError(msg)
        return chosen
    if any(member.endswith("stop_times.txt") for member in names):
        msg = f"{name}: is a GTFS feed, not records"
        raise DataError(msg)
    twice = [member for member, following in itertools.pairwise(names) if member == following]
    if twice:
        msg = f"{name}: holds {twice[0]} twice; pack it again"
        raise DataError(msg)
    strays = [member for member in names if not is_records(member)]
    if strays or not names:
        what = f"holds {strays[0]}, which by its name is no file of records" if strays else "holds no file of records"
        msg = f"{name}: {what}; unpack it, or name one member with a number sign, such as {name}#calls.csv"
        raise DataError(msg)
    return sorted(members, key=lambda info: info.filename)


def _unpacked(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> PrivateCopy:
    """Return a member as a private file."""
    if info.file_size > _MOST_BYTES and info.file_size > _MOST_RATIO * max(1, info.compress_size):
        msg = f"{name}: holds {info.filename}, which would unpack to {info.file_size:,} bytes; unpack it yourself if that is right"
        raise DataError(msg)
    with private_file() as (copy, made), archive.open(info) as packed, copy.open("wb") as unpacked:
        copy_stream(packed, unpacked)
    return made[0]


def copy_stream(source: Any, target: Any) -> None:  # noqa: ANN401 - streams of bytes of several libraries
    """
    Copy a stream of bytes to another.

    Parameters
    ----------
    source, target
        Streams.

    Raises
    ------
    OutputError
        If the folder of temporary files is full.
    """
    while chunk := source.read(COPY_BYTES):
        with in_temporary_folder():
            target.write(chunk)
