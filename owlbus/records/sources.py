"""Open record files: their form, layout, and how their columns are read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting
from owlbus.records.antennas import most_frequent_positions, read_antennas, text_id
from owlbus.records.file_forms import form_of_file, reading_errors, separator_of, stdin_copy
from owlbus.records.positions import position_forms
from owlbus.records.read_options import ReadOptions
from owlbus.records.record_files import RecordFile, find_files
from owlbus.records.schema import CALLS, KINDS, find_layout
from owlbus.records.text_lines import check_lines, open_text
from owlbus.records.times import time_forms
from owlbus.records.zone_fit import most_frequent_zones, sources_with_zones

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BytesIO
    from os import PathLike
    from pathlib import Path

    import polars as pl

    from owlbus.records.schema import Kind, Layout
    from owlbus.records.zones import ZoneTable


_MOST_KNOWN = 4096


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
    options
        How records are to be read.
    time_forms, position_forms
        Forms of columns that need one, by owlbus' name, decided for the whole file.
    zones
        Zones that records name instead of positions; None for none.
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
    options: ReadOptions = field(default_factory=ReadOptions)
    time_forms: Mapping[str, str] = field(default_factory=dict)
    position_forms: Mapping[str, str] = field(default_factory=dict)
    zones: ZoneTable | None = None

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
    options: ReadOptions | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Iterator[tuple[Source, ...]]:
    """
    Open record files.

    Parameters
    ----------
    paths
        Files, folders, globs, or ``-`` for standard input, which is copied to a private temporary file. Files are Parquet, or CSV with
        ``,``, ``;``, tab or ``|`` as separator, plain, gzip or zstd; detected by content.
    options
        How records are to be read.
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
    options = options or ReadOptions()
    files = find_files(paths)
    antennas = None if options.masts is None else read_antennas(options.masts)
    sources = tuple(_open_source(file, options, antennas, kinds) for file in files)
    yield _with_homes(sources_with_zones(sources, options))


def _open_source(file: RecordFile, options: ReadOptions, masts: pl.DataFrame | None, kinds: Sequence[Kind]) -> Source:
    """Return the source of a file."""
    import polars as pl

    name, path = file.name, file.path or stdin_copy()
    form = form_of_file(name, path)
    stamp = _stamp(path)
    with reading_errors(name):
        n_quotes = 0 if form == "parquet" else _quotes(name, path, form, stamp)
        separator = "" if form == "parquet" else separator_of(path)
        frame = _scan_file(path, form, separator)
        present = list(_columns_by_name(frame))
        n_rows = int(frame.select(pl.len()).collect().item()) if form == "parquet" else None
    layout = find_layout(name, [*present, *(key for key in file.hive if key not in present)], options.columns, kinds)
    if {"antenna", "home_antenna"} & set(layout.stand_ins) and masts is None:
        msg = f"{name}: names antennas instead of positions; add their table with {setting('masts', 'antennas.csv')} (antenna_id, lon, lat)"
        raise DataError(msg, setting="masts")
    source = Source(name, path, form, layout, separator, stamp, n_rows, file.hive, masts, is_part=file.is_part, n_quotes=n_quotes)
    return _with_forms(replace(source, options=options))


def _with_forms(source: Source) -> Source:
    """Add the forms of times and positions, which are decided for the whole file."""
    with reading_errors(source.name):
        rows = source.scan()
        times = time_forms(source.name, rows, source.layout, source.options)
        positions = position_forms(source.name, rows, source.layout, source.options)
    return replace(source, time_forms=times, position_forms=positions)


@lru_cache(maxsize=_MOST_KNOWN)
def _quotes(name: str, file: Path, form: str, _state: tuple[int, int]) -> int:
    """Check the line lengths of a text and return its number of quotes; cached for each state of a file."""
    with open_text(file, form) as stream:
        return check_lines(stream, name)


def _with_homes(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Add estimated homes to sources without homes: the most frequent position or zone over all their records."""
    lacking = [source for source in sources if source.layout.kind is CALLS and "subscriber" in source.layout.stand_ins]
    if not lacking:
        return sources
    in_zones = [source for source in lacking if "zone" in source.layout.stand_ins]
    at_points = [source for source in lacking if "zone" not in source.layout.stand_ins]
    for group, estimate in ((in_zones, most_frequent_zones), (at_points, most_frequent_positions)):
        if group:
            with reading_errors(group[0].name):
                homes = estimate([source.scan() for source in group])
            sources = tuple(replace(source, homes=homes) if source in group else source for source in sources)
    return sources


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
