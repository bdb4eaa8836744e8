"""Find and open record files: files, folders, globs and hive partitions."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import in_temporary_folder
from owlbus.records.antennas import most_frequent_positions, read_antennas, text_id
from owlbus.records.schema import CALLS, KINDS, find_layout
from owlbus.records.text_lines import ZLIB, check_lines, form_of, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BytesIO

    import polars as pl

    from owlbus.records.schema import Kind, Layout


STDIN = "-"

TABLES = (".parquet", ".pq")

TEXTS = (".csv", ".tsv", ".txt")

COMPRESSED = (".gz", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class RecordFile:
    """
    One file to read.

    Attributes
    ----------
    name
        Name in messages.
    path
        Path; None for standard input.
    hive
        Values of its ``name=value`` folders, by name.
    is_part
        Whether it comes from a folder or glob, where a file without rows is allowed.
    """

    name: str
    path: Path | None
    hive: dict[str, str] = field(default_factory=dict)
    is_part: bool = False


def find_files(paths: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[RecordFile]:
    """
    Expand paths to files, in order; files of a folder or glob are sorted by name.

    Parameters
    ----------
    paths
        Files, folders (searched recursively), globs, or ``-`` for standard input. In folders, names with a leading ``.`` or ``_`` are
        skipped.

    Returns
    -------
    list of RecordFile
        Files, each once.

    Raises
    ------
    UsageError
        If nothing is named, or a file twice.
    DataError
        If no file is found, or a folder has other files.
    """
    names = [paths] if isinstance(paths, str | PathLike) else paths
    files = [file for name in names for file in _expanded(str(name))]
    if not files:
        msg = "no file of records was named; name at least one, or - for standard input"
        raise UsageError(msg)
    seen: set[str] = set()
    for file in files:
        key = file.name if file.path is None else str(file.path.resolve())
        if key in seen:
            msg = f"{file.name}: named twice; its records would count twice; leave one of them out"
            raise UsageError(msg)
        seen.add(key)
    return files


def _expanded(text: str) -> Iterator[RecordFile]:
    """Yield the files of one path or glob."""
    path = Path(text)
    if text == STDIN:
        yield RecordFile("stdin", None)
    elif path.is_dir():
        yield from _in_folder(path)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        if not matches:
            msg = f"{text}: matches no file; check the pattern"
            raise DataError(msg)
        for match in matches:
            match_path = Path(match)
            if match_path.is_dir():
                yield from _in_folder(match_path)
            elif not match_path.name.startswith((".", "_")):
                yield RecordFile(match, match_path, _hive_values(match_path), is_part=True)
    else:
        yield RecordFile(text, path, _hive_values(path))


def _in_folder(folder: Path) -> Iterator[RecordFile]:
    """Yield the record files in a folder; reject other files."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    strays = [path for path in files if not _is_records(path)]
    if strays:
        others = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        msg = (
            f"{folder}: holds {strays[0].relative_to(folder)}{others}, which by the name is no file of records; move it, "
            f"or name files with a pattern such as '{folder}/*.parquet'"
        )
        raise DataError(msg)
    if not files:
        msg = f"{folder}: is a folder without files of records; put Parquet or CSV files in it"
        raise DataError(msg)
    for path in files:
        yield RecordFile(str(path), path, _hive_values(path), is_part=True)


def _is_records(path: Path) -> bool:
    """Return whether a file name has a suffix of record files."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return False
    if suffixes[-1] in COMPRESSED:
        return len(suffixes) > 1 and suffixes[0] in TEXTS
    return suffixes[-1] in TABLES + TEXTS


def _hive_values(path: Path) -> dict[str, str]:
    """Return the values of ``name=value`` folders above a file, by name."""
    pairs = (part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {name: value for name, value in pairs if name.isidentifier()}


_UNSUPPORTED = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; unpack it, or save it as CSV",
    b"BZh": "packed with bzip2; pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; pack it with gzip or zstd",
}

_MOST_KNOWN = 4096

_SEPARATORS = (",", ";", "\t", "|")

_STDIN_COPIES: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Source:
    """
    One record file with its layout.

    Attributes
    ----------
    name
        Name in messages.
    path
        The file.
    form
        ``parquet``, ``gzip``, ``zstd`` or ``text``.
    layout
        Kind and columns.
    separator
        Column separator of a text.
    stamp
        Size in bytes and modification time in nanoseconds since 1970, when opened.
    n_rows
        Number of rows, if known without reading.
    hive
        Values of its ``name=value`` folders.
    masts, homes
        Positions of antennas, and homes of subscribers, for layouts that need them.
    is_part
        Whether it is one of many files, which may have no rows.
    n_quotes
        Number of quotes in a text, 0 for Parquet.
    first_row, stop_row
        Range of rows to read; None for all.
    """

    name: str
    path: Path
    form: str
    layout: Layout
    separator: str
    stamp: tuple[int, int]
    n_rows: int | None = None
    hive: Mapping[str, str] = field(default_factory=dict)
    masts: pl.DataFrame | None = None
    homes: pl.DataFrame | None = None
    is_part: bool = False
    n_quotes: int = 0
    first_row: int = 0
    stop_row: int | None = None

    @property
    def is_table(self) -> bool:
        """Whether it is Parquet; messages then count rows from 1, else lines, with the header as line 1."""
        return self.form == "parquet"

    @property
    def n_bytes(self) -> int:
        """Size in bytes when opened."""
        return self.stamp[0]

    def share_read(self, rows: int) -> float:
        """Return the share of the file that `rows` rows are, 0 to 1; 0 if unknown."""
        return rows / self.n_rows if self.n_rows else 0.0

    def place(self, row: int) -> str:
        """Return the location of row `row`, counted from 0, for messages: row or line."""
        return f"row {row + 1}" if self.is_table else f"line {row + 2}"

    def scan(self, text: BytesIO | None = None) -> pl.LazyFrame:
        """Return a lazy frame of its columns under owlbus' names; of `text` instead, if given."""
        import polars as pl

        frame = _scan_file(text or self.path, self.form, self.separator)
        if self.first_row or self.stop_row is not None:
            frame = frame.slice(self.first_row, None if self.stop_row is None else self.stop_row - self.first_row)
        column_of = _columns_by_name(frame)
        columns = [
            (pl.lit(self.hive[column]) if column not in column_of else pl.col(column_of[column])).alias(name)
            for name, column in self.layout.names.items()
        ]
        return self._joined(frame.select(columns))

    def _joined(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Join positions of antennas and homes of subscribers to `frame`."""
        import polars as pl

        for antenna, prefix in (("antenna", ""), ("home_antenna", "home_")):
            if antenna in self.layout.stand_ins and self.masts is not None:
                positions = self.masts.lazy().rename({"antenna": antenna, "lon": f"{prefix}lon", "lat": f"{prefix}lat"})
                frame = frame.with_columns(text_id(pl.col(antenna))).join(positions, on=antenna, how="left", maintain_order="left")
        if self.homes is not None:
            frame = frame.with_columns(text_id(pl.col("subscriber")))
            frame = frame.join(self.homes.lazy(), on="subscriber", how="left", maintain_order="left")
        return frame

    def check_unchanged(self) -> None:
        """
        Reject a file that changed since it was opened.

        Raises
        ------
        DataError
            If its size or modification time changed.
        """
        now = _stamp(self.path)
        if now != self.stamp:
            msg = f"{self.name}: changed while it was read ({self.stamp[0]} bytes before, {now[0]} after); read it once it is complete"
            raise DataError(msg)


@contextmanager
def open_sources(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    columns: Mapping[str, str] | None = None,
    masts: str | PathLike[str] | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Iterator[tuple[Source, ...]]:
    """
    Open record files.

    Parameters
    ----------
    paths
        Files, folders, globs, or ``-`` for standard input, which is copied to a private temporary file. Files are Parquet, or CSV with
        ``,``, ``;``, tab or ``|`` as separator, plain, gzip or zstd; detected by content.
    columns
        File column by owlbus' name, where they differ.
    masts
        Table of antennas, for calls without positions.
    kinds
        Allowed kinds of record.

    Yields
    ------
    tuple of Source
        Sources in order of the files.

    Raises
    ------
    DataError
        If there is no file, one occurs twice, or one is missing, empty, damaged, has a line longer than `MOST_LINE_BYTES`, or columns of
        no kind.
    """
    files = find_files(paths)
    antennas = None if masts is None else read_antennas(masts)
    sources = tuple(_open_source(file, columns, antennas, kinds) for file in files)
    yield _with_homes(sources)


def _open_source(file: RecordFile, columns: Mapping[str, str] | None, masts: pl.DataFrame | None, kinds: Sequence[Kind]) -> Source:
    """Return the source of a file."""
    import polars as pl

    name, path = file.name, file.path or _stdin_copy()
    form = _form(name, path)
    stamp = _stamp(path)
    with reading_errors(name):
        n_quotes = 0 if form == "parquet" else _quotes(name, path, form, stamp)
        separator = "" if form == "parquet" else _separator(path)
        frame = _scan_file(path, form, separator)
        present = list(_columns_by_name(frame))
        n_rows = int(frame.select(pl.len()).collect().item()) if form == "parquet" else None
    layout = find_layout(name, [*present, *(key for key in file.hive if key not in present)], columns, kinds)
    if {"antenna", "home_antenna"} & set(layout.stand_ins) and masts is None:
        msg = f"{name}: names antennas instead of positions; add their table with {setting('masts', 'antennas.csv')} (antenna_id, lon, lat)"
        raise DataError(msg, setting="masts")
    return Source(name, path, form, layout, separator, stamp, n_rows, file.hive, masts, is_part=file.is_part, n_quotes=n_quotes)


@lru_cache(maxsize=_MOST_KNOWN)
def _quotes(name: str, file: Path, form: str, _state: tuple[int, int]) -> int:
    """Check the line lengths of a text and return its number of quotes; cached for each state of a file."""
    with open_text(file, form) as stream:
        return check_lines(stream, name)


def _with_homes(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Add estimated homes to sources without homes: the most frequent position over all their records."""
    lacking = [source for source in sources if source.layout.kind is CALLS and "subscriber" in source.layout.stand_ins]
    if not lacking:
        return sources
    with reading_errors(lacking[0].name):
        homes = most_frequent_positions([source.scan() for source in lacking])
    return tuple(replace(source, homes=homes) if source in lacking else source for source in sources)


def _scan_file(file: Path | BytesIO, form: str, separator: str) -> pl.LazyFrame:
    """Return a lazy frame of a file; CSV columns are text."""
    import polars as pl

    if form == "parquet":
        return pl.scan_parquet(file, glob=False, hive_partitioning=False)
    return pl.scan_csv(file, infer_schema=False, encoding="utf8-lossy", separator=separator, glob=False)


def _columns_by_name(frame: pl.LazyFrame) -> dict[str, str]:
    """Return file columns by name without spaces and byte order mark; nested columns are dropped."""
    schema = frame.collect_schema()
    return {column.strip().strip("\ufeff"): column for column, kind in schema.items() if not kind.is_nested()}


def _stamp(file: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds of a file."""
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _form(name: str, file: Path) -> str:
    """Return the form of a file by its first bytes: parquet, gzip, zstd or text."""
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
    except FileNotFoundError as error:
        msg = f"{name}: no such file; check the name"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror}); check its permissions"
        raise DataError(msg) from error
    if not head:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg)
    form = form_of(head)
    problem = ZLIB if form == "zlib" else next((problem for magic, problem in _UNSUPPORTED.items() if head.startswith(magic)), None)
    if problem:
        msg = f"{name}: is {problem}"
        raise DataError(msg)
    return form


def _separator(file: Path) -> str:
    """Return the most frequent separator in the first line of a text."""
    import polars as pl

    head = pl.read_csv(
        file, has_header=False, separator="\x01", quote_char=None, n_rows=1, infer_schema=False, encoding="utf8-lossy", glob=False
    )
    line = "".join(map(str, head.row(0))) if head.height else ""
    return max(_SEPARATORS, key=line.count)


def _stdin_copy() -> Path:
    """Return a private copy of standard input, made once and deleted at exit."""
    stream = sys.stdin
    if stream not in _STDIN_COPIES:
        with in_temporary_folder():
            handle, name = tempfile.mkstemp(prefix="owlbus-stdin-")
            with os.fdopen(handle, "wb") as copy:
                shutil.copyfileobj(stream.buffer, copy)
        _STDIN_COPIES[stream] = name
        weakref.finalize(stream, Path(name).unlink, missing_ok=True)
    return Path(_STDIN_COPIES[stream])


@contextmanager
def reading_errors(name: str) -> Iterator[None]:
    """
    Convert errors of polars and the file system into a `DataError` without content of the file.

    Parameters
    ----------
    name
        File name in messages.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        If the file is empty, damaged or cannot be read.
    """
    import polars as pl

    try:
        yield
    except pl.exceptions.NoDataError as error:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: ends in the middle of its data or cannot be read; copy it again"
        raise DataError(msg) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        ragged = "more fields" in str(error)
        problem = "has lines with more fields than its header" if ragged else "is damaged or cut off"
        msg = f"{name}: {problem}; {'quote text that holds the separator' if ragged else 'copy it again'}"
        raise DataError(msg) from error
