"""Files to batches: Parquet and CSV, compressed or not, streamed in order with bounded memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.errors import DataError
from owlbus.records.layout import find_layout
from owlbus.records.times import check_timezone, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.layout import Layout

BATCH_ROWS = 131_072
STDIN = "-"

_MAGIC = {b"PAR1": "parquet", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Source:
    """
    One file of records, opened as far as its header.

    Attributes
    ----------
    name
        What messages call it.
    frame
        Its columns under owlbus' names, not read yet.
    layout
        Kind and columns.
    is_table
        Whether it is Parquet, so that rows are numbered from 1; else lines are, the header being line 1.
    n_bytes
        Its size on disk.
    n_rows
        Its rows, where the file says so without being read.
    """

    name: str
    frame: pl.LazyFrame
    layout: Layout
    is_table: bool
    n_bytes: int
    n_rows: int | None = None

    def share_read(self, rows: int) -> float:
        """Return the share of the file that its first `rows` rows are, 0 if that is unknown."""
        return rows / self.n_rows if self.n_rows else 0.0

    def place(self, row: int) -> str:
        """Return where row `row`, counted from 0, is found: a row of a table, a line of a text."""
        return f"row {row + 1}" if self.is_table else f"line {row + 2}"


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Some rows of one file as columns of numbers.

    Attributes
    ----------
    source
        The file.
    first_row
        Row of the file that the batch begins with, from 0.
    frame
        The rows as they were read, under owlbus' names.
    start_s, end_s
        Times as `seconds` reads them, shape (n,), int64, local; `end_s` is empty where records have no end.
    lon, lat, to_lon, to_lat
        Position, and home or drop-off, degrees, shape (n,), float64; NaN is missing.
    count
        Trips that each row stands for, shape (n,), float64.
    """

    source: Source
    first_row: int
    frame: pl.DataFrame
    start_s: NDArray[np.int64]
    end_s: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    to_lon: NDArray[np.float64]
    to_lat: NDArray[np.float64]
    count: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return self.start_s.size


@contextmanager
def open_sources(paths: Sequence[str | PathLike[str]], columns: Mapping[str, str] | None = None) -> Iterator[tuple[Source, ...]]:
    """
    Open files of records; what had to be kept of standard input is removed at the end.

    Parameters
    ----------
    paths, columns
        As for `open_source`.

    Yields
    ------
    tuple of Source
        One for each path, in order.

    Raises
    ------
    DataError
        If there is no path, one is named twice, or one cannot be used.
    """
    names = [str(path) for path in paths]
    if not names:
        msg = "no file of records was named; name at least one, or - for standard input"
        raise DataError(msg)
    if (again := next((name for i, name in enumerate(names) if name in names[:i]), None)) is not None:
        msg = f"{again}: named twice; its records would count twice"
        raise DataError(msg)
    with tempfile.TemporaryDirectory(prefix="owlbus-") as spool:
        yield tuple(open_source(path, columns, Path(spool)) for path in paths)


def open_source(path: str | PathLike[str], columns: Mapping[str, str] | None, spool: Path) -> Source:
    """
    Open a file of records and find out what it holds.

    Parameters
    ----------
    path
        Parquet, or CSV with ``,``, ``;``, tab or ``|`` between columns, plain or as gzip or zstd; told by content, not by name.
        ``-`` is standard input.
    columns
        The file's column by owlbus' name, where they differ.
    spool
        Folder that standard input is kept in while it is read.

    Returns
    -------
    Source
        The file, opened.

    Raises
    ------
    DataError
        If the file is missing, empty, damaged, or has columns of no kind.
    """
    import polars as pl

    name, file = ("stdin", _spooled(spool)) if str(path) == STDIN else (str(path), Path(path))
    form = _form(name, file)
    with _reading(name):
        if form == "parquet":
            frame = pl.scan_parquet(file, glob=False)
        else:
            frame = pl.scan_csv(file, infer_schema=False, encoding="utf8-lossy", separator=_separator(file), glob=False)
        present = frame.collect_schema().names()
        n_rows = int(frame.select(pl.len()).collect().item()) if form == "parquet" else None
    stripped = {column.strip().strip("\ufeff"): column for column in present}
    layout = find_layout(name, list(stripped), columns)
    chosen = [pl.col(stripped[theirs]).alias(ours) for ours, theirs in layout.names.items()]
    return Source(name, frame.select(chosen), layout, form == "parquet", file.stat().st_size, n_rows)


def read_batches(source: Source, timezone: str | None = None) -> Iterator[Batch]:
    """
    Rows of a file in order, in batches.

    Parameters
    ----------
    source
        The file.
    timezone
        Zone that times with a zone are shown in.

    Yields
    ------
    Batch
        At most `BATCH_ROWS` rows; memory does not grow with the file.

    Raises
    ------
    DataError
        If the file is damaged, or its times need a zone and none is given.
    """
    check_timezone(timezone)
    first_row = 0
    with _reading(source.name):
        batches = source.frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
    while True:
        with _reading(source.name):
            frame = next(batches, None)
        if frame is None:
            return
        yield _batch(source, first_row, frame, timezone)
        first_row += frame.height


def _batch(source: Source, first_row: int, frame: pl.DataFrame, timezone: str | None) -> Batch:
    """Return the columns of `frame` as numbers."""
    kind, end = source.layout.kind, source.layout.end
    start_s = seconds(source.name, frame[kind.start], timezone)
    if end is None:
        end_s = np.empty(0, dtype=np.int64)
    elif end == "duration_s":
        end_s = _after(start_s, _numbers(frame, end))
    else:
        end_s = seconds(source.name, frame[end], timezone)
    places = [_numbers(frame, name) for name in (*kind.position, *kind.goal)]
    count = _numbers(frame, "trips") if "trips" in frame.columns else np.ones(frame.height)
    lon, lat, to_lon, to_lat = places
    return Batch(source, first_row, frame, start_s, end_s, lon, lat, to_lon, to_lat, count)


def _after(start_s: NDArray[np.int64], duration_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `start_s` plus a duration in seconds, missing where that is; a negative one ends before it begins."""
    usable = (start_s >= 0) & (np.abs(duration_s) < 1e9)  # noqa: PLR2004 - half a lifetime; NaN is no number below it either
    return np.where(usable, start_s + np.where(usable, duration_s, 0).astype(np.int64), -1)


def _numbers(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it is missing or no number."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    return column.cast(pl.Float64, strict=False).to_numpy()


def _form(name: str, file: Path) -> str:
    """Return parquet, gzip, zstd or text, by the first bytes."""
    if file.is_dir():
        msg = f"{name}: is a folder; name the files in it"
        raise DataError(msg)
    try:
        with file.open("rb") as stream:
            head = stream.read(4)
    except FileNotFoundError as error:
        msg = f"{name}: no such file; check the name"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror}); check its permissions"
        raise DataError(msg) from error
    if not head:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg)
    return next((form for magic, form in _MAGIC.items() if head.startswith(magic)), "text")


def _separator(file: Path) -> str:
    """Return the separator that a text's first line has most of."""
    import polars as pl

    head = pl.read_csv(
        file, has_header=False, separator="\x01", quote_char=None, n_rows=1, infer_schema=False, encoding="utf8-lossy", glob=False
    )
    line = str(head.item()) if head.height else ""
    return max(_SEPARATORS, key=line.count)


def _spooled(folder: Path) -> Path:
    """Return a private copy of standard input."""
    copy = folder / "stdin"
    with copy.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return copy


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what polars raises on a damaged file into one line that repeats nothing of the file."""
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
