"""Records by name to opened sources: files, folders, globs and hive partitions, with their layout."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import in_temporary_folder
from owlbus.records.antennas import most_frequent_places, read_antennas, text_id
from owlbus.records.schema import CALLS, KINDS, find_layout
from owlbus.records.text_lines import ZLIB, check_lines, form_of, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BytesIO
    from os import PathLike

    import polars as pl

    from owlbus.records.schema import Kind, Layout


STDIN = "-"

TABLES = (".parquet", ".pq")

TEXTS = (".csv", ".tsv", ".txt")

PACKED = (".gz", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """
    One file that is to be read.

    Attributes
    ----------
    name
        What messages call it.
    path
        Where it lies; None for standard input.
    hive
        Values by name from folders called ``name=value`` on the way to it.
    is_part
        Whether it was found in a folder or by a glob, where a part without rows is no error.
    """

    name: str
    path: Path | None
    hive: dict[str, str] = field(default_factory=dict)
    is_part: bool = False


def find_files(paths: Sequence[str | PathLike[str]]) -> list[FoundFiles]:
    """
    Files that names stand for, in order; those of a folder or a glob by name.

    Parameters
    ----------
    paths
        Files, folders (with all folders in them), globs, or ``-`` for standard input. In folders, names that begin with ``.`` or ``_`` are
        passed over.

    Returns
    -------
    list of FoundFiles
        Each file once.

    Raises
    ------
    UsageError
        If nothing is named, or a file twice.
    DataError
        If nothing is found, or a folder holds a file of another kind.
    """
    found = [one for path in paths for one in _expanded(str(path))]
    if not found:
        msg = "no file of records was named; name at least one, or - for standard input"
        raise UsageError(msg)
    seen: set[str] = set()
    for one in found:
        key = one.name if one.path is None else str(one.path.resolve())
        if key in seen:
            msg = f"{one.name}: named twice; its records would count twice; leave one of them out"
            raise UsageError(msg)
        seen.add(key)
    return found


def _expanded(text: str) -> Iterator[FoundFiles]:
    """Yield the files that one name stands for."""
    path = Path(text)
    if text == STDIN:
        yield FoundFiles("stdin", None)
    elif path.is_dir():
        yield from _in_folder(path)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        if not matches:
            msg = f"{text}: matches no file; check the pattern"
            raise DataError(msg)
        for match in matches:
            one = Path(match)
            if one.is_dir():
                yield from _in_folder(one)
            elif not one.name.startswith((".", "_")):
                yield FoundFiles(match, one, _hive(one), is_part=True)
    else:
        yield FoundFiles(text, path, _hive(path))


def _in_folder(folder: Path) -> Iterator[FoundFiles]:
    """Yield the files of records in a folder, and refuse any other file."""
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
        yield FoundFiles(str(path), path, _hive(path), is_part=True)


def _is_records(path: Path) -> bool:
    """Whether a file is called like one of records."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return False
    if suffixes[-1] in PACKED:
        return len(suffixes) > 1 and suffixes[0] in TEXTS
    return suffixes[-1] in TABLES + TEXTS


def _hive(path: Path) -> dict[str, str]:
    """Return values by name of the folders ``name=value`` above a file."""
    pairs = (part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {name: value for name, value in pairs if name.isidentifier()}


_FOREIGN = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; unpack it, or save it as CSV",
    b"BZh": "packed with bzip2; pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; pack it with gzip or zstd",
}

_MOST_KNOWN = 4096

_SEPARATORS = (",", ";", "\t", "|")

_SPOOLED: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Source:
    """
    One file of records, opened as far as its header.

    Attributes
    ----------
    name
        What messages call it.
    path
        The file.
    form
        ``parquet``, ``gzip``, ``zstd`` or ``text``.
    layout
        Kind and columns.
    separator
        What stands between the columns of a text.
    stamp
        Bytes, and nanoseconds since 1970 of its last change, when it was opened.
    n_rows
        Its rows, where the file says so without being read.
    hive
        Values by name from its folders.
    masts, homes
        Positions of antennas, and homes of subscribers, for layouts that need them.
    is_part
        Whether it is one of many, so that it may have no rows.
    n_quotes
        Quotes that a text holds, 0 for a table.
    first_row, stop_row
        Rows to read, of a part of the file; None for all.
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
        """Whether it is Parquet, so that rows are numbered from 1; else lines are, the header being line 1."""
        return self.form == "parquet"

    @property
    def n_bytes(self) -> int:
        """Its size on disk in bytes, when it was opened."""
        return self.stamp[0]

    def share_read(self, rows: int) -> float:
        """Return the share of the file that its first `rows` rows are, 0 if that is unknown."""
        return rows / self.n_rows if self.n_rows else 0.0

    def place(self, row: int) -> str:
        """Return where row `row`, counted from 0, is found: a row of a table, a line of a text."""
        return f"row {row + 1}" if self.is_table else f"line {row + 2}"

    def scan(self, text: BytesIO | None = None) -> pl.LazyFrame:
        """Return its columns under owlbus' names, not read yet; those of `text` instead, which has the same header."""
        import polars as pl

        frame = _scanned(text or self.path, self.form, self.separator)
        if self.first_row or self.stop_row is not None:
            frame = frame.slice(self.first_row, None if self.stop_row is None else self.stop_row - self.first_row)
        stripped = _stripped(frame)
        own = [
            (pl.lit(self.hive[theirs]) if theirs not in stripped else pl.col(stripped[theirs])).alias(ours)
            for ours, theirs in self.layout.names.items()
        ]
        return self._joined(frame.select(own))

    def _joined(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return `frame` with positions of antennas and homes of subscribers."""
        import polars as pl

        for antenna, prefix in (("antenna", ""), ("home_antenna", "home_")):
            if antenna in self.layout.stand_ins and self.masts is not None:
                places = self.masts.lazy().rename({"antenna": antenna, "lon": f"{prefix}lon", "lat": f"{prefix}lat"})
                frame = frame.with_columns(text_id(pl.col(antenna))).join(places, on=antenna, how="left", maintain_order="left")
        if self.homes is not None:
            frame = frame.with_columns(text_id(pl.col("subscriber")))
            frame = frame.join(self.homes.lazy(), on="subscriber", how="left", maintain_order="left")
        return frame

    def check_unchanged(self) -> None:
        """
        Refuse a file that changed since it was opened.

        Raises
        ------
        DataError
            If its size or its time of change differ.
        """
        now = _stamp(self.path)
        if now != self.stamp:
            msg = f"{self.name}: changed while it was read ({self.stamp[0]} bytes before, {now[0]} after); read it once it is complete"
            raise DataError(msg)


@contextmanager
def open_sources(
    paths: Sequence[str | PathLike[str]],
    columns: Mapping[str, str] | None = None,
    masts: str | PathLike[str] | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Iterator[tuple[Source, ...]]:
    """
    Open files of records.

    Parameters
    ----------
    paths
        Files, folders, globs, or ``-`` for standard input, which is kept in a private file until the program ends. Files are Parquet, or
        CSV with ``,``, ``;``, tab or ``|`` between columns, plain or as gzip or zstd; told by content, not by name.
    columns
        The file's column by owlbus' name, where they differ.
    masts
        Table of antennas, for calls that name one instead of a position.
    kinds
        Kinds of records that files may hold.

    Yields
    ------
    tuple of Source
        One for each file, in order.

    Raises
    ------
    DataError
        If there is no file, one is found twice, or one is missing, empty, damaged, has a line longer than `MOST_LINE_BYTES`, or columns of
        no kind.
    """
    found = find_files(paths)
    table = None if masts is None else read_antennas(masts)
    sources = tuple(_opened(one, columns, table, kinds) for one in found)
    yield _with_homes(sources)


def _opened(found: FoundFiles, columns: Mapping[str, str] | None, masts: pl.DataFrame | None, kinds: Sequence[Kind]) -> Source:
    """Return a file of records, opened."""
    import polars as pl

    name, file = found.name, found.path or _spooled()
    form = _form(name, file)
    stamp = _stamp(file)
    with reading_errors(name):
        n_quotes = 0 if form == "parquet" else _quotes(name, file, form, stamp)
        separator = "" if form == "parquet" else _separator(file)
        frame = _scanned(file, form, separator)
        present = list(_stripped(frame))
        n_rows = int(frame.select(pl.len()).collect().item()) if form == "parquet" else None
    layout = find_layout(name, [*present, *(key for key in found.hive if key not in present)], columns, kinds)
    if {"antenna", "home_antenna"} & set(layout.stand_ins) and masts is None:
        msg = f"{name}: names antennas instead of positions; add their table with --masts antennas.csv (antenna_id, lon, lat)"
        raise DataError(msg)
    return Source(name, file, form, layout, separator, stamp, n_rows, found.hive, masts, is_part=found.is_part, n_quotes=n_quotes)


@lru_cache(maxsize=_MOST_KNOWN)
def _quotes(name: str, file: Path, form: str, _state: tuple[int, int]) -> int:
    """Quotes of a text, once its lines are known to be short; read once for each state of a file."""
    with open_text(file, form) as stream:
        return check_lines(stream, name)


def _with_homes(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return sources whose subscribers without a home have one: where all their records together lie most often."""
    lacking = [source for source in sources if source.layout.kind is CALLS and "subscriber" in source.layout.stand_ins]
    if not lacking:
        return sources
    with reading_errors(lacking[0].name):
        homes = most_frequent_places([source.scan() for source in lacking])
    return tuple(replace(source, homes=homes) if source in lacking else source for source in sources)


def _scanned(file: Path | BytesIO, form: str, separator: str) -> pl.LazyFrame:
    """Return a file as polars scans it, text as text."""
    import polars as pl

    if form == "parquet":
        return pl.scan_parquet(file, glob=False, hive_partitioning=False)
    return pl.scan_csv(file, infer_schema=False, encoding="utf8-lossy", separator=separator, glob=False)


def _stripped(frame: pl.LazyFrame) -> dict[str, str]:
    """Return the column of a file by its name without spaces and byte order mark; columns of lists and of columns hold no figures."""
    schema = frame.collect_schema()
    return {column.strip().strip("\ufeff"): column for column, kind in schema.items() if not kind.is_nested()}


def _stamp(file: Path) -> tuple[int, int]:
    """Return bytes and time of change of a file."""
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _form(name: str, file: Path) -> str:
    """Return parquet, gzip, zstd or text, by the first bytes."""
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
    what = ZLIB if form == "zlib" else next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if what:
        msg = f"{name}: is {what}"
        raise DataError(msg)
    return form


def _separator(file: Path) -> str:
    """Return the separator that a text's first line has most of."""
    import polars as pl

    head = pl.read_csv(
        file, has_header=False, separator="\x01", quote_char=None, n_rows=1, infer_schema=False, encoding="utf8-lossy", glob=False
    )
    line = "".join(map(str, head.row(0))) if head.height else ""
    return max(_SEPARATORS, key=line.count)


def _spooled() -> Path:
    """Return a private copy of standard input, made once and removed when the program ends or the stream goes."""
    stream = sys.stdin
    if stream not in _SPOOLED:
        with in_temporary_folder():
            handle, name = tempfile.mkstemp(prefix="owlbus-stdin-")
            with os.fdopen(handle, "wb") as copy:
                shutil.copyfileobj(stream.buffer, copy)
        _SPOOLED[stream] = name
        weakref.finalize(stream, Path(name).unlink, missing_ok=True)
    return Path(_SPOOLED[stream])


@contextmanager
def reading_errors(name: str) -> Iterator[None]:
    """
    Turn what polars raises on a damaged file into one line that repeats nothing of the file.

    Parameters
    ----------
    name
        What messages call the file.

    Yields
    ------
    None
        Once, for what reads the file.

    Raises
    ------
    DataError
        In place of any error of polars or of the file system.
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
        what = "has lines with more fields than its header" if ragged else "is damaged or cut off"
        msg = f"{name}: {what}; {'quote text that holds the separator' if ragged else 'copy it again'}"
        raise DataError(msg) from error
