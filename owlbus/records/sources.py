"""Open record files: their form, layout, and how their columns are read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting
from owlbus.records.antennas import most_frequent_positions, read_antennas, text_id
from owlbus.records.file_forms import prepared_file, reading_errors, stdin_copy
from owlbus.records.positions import position_forms
from owlbus.records.read_options import ReadOptions
from owlbus.records.record_files import RecordFile, find_files, members_of
from owlbus.records.schema import CALLS, KINDS, find_layout
from owlbus.records.text_values import text_of_bytes
from owlbus.records.times import time_forms
from owlbus.records.zones import ZoneTable, read_zones

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BytesIO
    from os import PathLike
    from pathlib import Path

    import polars as pl

    from owlbus.records.schema import Kind, Layout

_AS_READ = ("lon", "lat", "position", "cell", "path")
"""Endings of names whose bytes are no text."""


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
    notes
        What was recognised in the file and its columns, as predicates after its name.
    first_place
        What rows are called in messages, ``row`` or ``line``, and the number of the first.
    original
        The file that `path` was made of; None if it is the file itself.
    copies
        Private copies that are kept as long as the source.
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
    notes: tuple[str, ...] = ()
    first_place: tuple[str, int] = ("row", 1)
    original: Path | None = None
    copies: tuple[object, ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether it is Parquet."""
        return self.form == "parquet"

    @property
    def n_bytes(self) -> int:
        """Size in bytes when opened."""
        return self.stamp[0]

    def share_read(self, rows: int) -> float:
        """Return the share of the file that `rows` rows are, 0 to 1; 0 if unknown."""
        return rows / self.n_rows if self.n_rows else 0.0

    def place(self, row: int) -> str:
        """Return the location of row `row`, counted from 0, for messages: row of a table or sheet, or line of a text."""
        word, first = self.first_place
        return f"{word} {row + first}"

    def scan(self, text: BytesIO | None = None) -> pl.LazyFrame:
        """Return a lazy frame of its columns under owlbus' names; of `text` instead, if given."""
        import polars as pl

        frame = _scan_file(text or self.path, self.form, self.separator)
        if self.first_row or self.stop_row is not None:
            frame = frame.slice(self.first_row, None if self.stop_row is None else self.stop_row - self.first_row)
        column_of, types = _columns_by_name(frame), frame.collect_schema()
        columns = []
        for name, column in self.layout.names.items():
            values = pl.lit(self.hive[column]) if column not in column_of else pl.col(column_of[column])
            if types.get(column_of.get(column, "")) == pl.Binary and not name.endswith(_AS_READ):
                values = values.map_batches(text_of_bytes, return_dtype=pl.String, is_elementwise=True)
            columns.append(values.alias(name))
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
        now = _stamp(self.original or self.path)
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
    files = [member for file in find_files(paths) for member in members_of(file)]
    antennas = None if options.masts is None else read_antennas(options.masts)
    zones = None if options.zones is None else read_zones(options.zones, options.zone_id, options.zone_weights, options.crs)
    sources = tuple(_open_source(file, options, antennas, zones, kinds) for file in files)
    yield _with_homes(sources)


def _open_source(
    file: RecordFile, options: ReadOptions, masts: pl.DataFrame | None, zones: ZoneTable | None, kinds: Sequence[Kind]
) -> Source:
    """Return the source of a file."""
    import polars as pl

    name, path = file.name, file.path or stdin_copy()
    original = file.archive or path
    prepared = prepared_file(name, path, file.part, stamp := _stamp(original))
    with reading_errors(name):
        frame = _scan_file(prepared.path, prepared.form, prepared.separator)
        present = list(_columns_by_name(frame))
        n_rows = int(frame.select(pl.len()).collect().item()) if prepared.form == "parquet" else None
    layout = find_layout(name, [*present, *(key for key in file.hive if key not in present)], options.columns, kinds)
    _require_tables(name, layout, masts, zones)
    source = Source(
        name,
        prepared.path,
        prepared.form,
        layout,
        prepared.separator,
        stamp,
        n_rows,
        file.hive,
        masts,
        is_part=file.is_part,
        n_quotes=prepared.n_quotes,
        options=options,
        zones=zones,
        notes=(*prepared.notes, *layout.notes),
        first_place=prepared.place,
        original=original if original != prepared.path else None,
        copies=(prepared.copy, file.copy),
    )
    return _with_forms(source)


def _require_tables(name: str, layout: Layout, masts: pl.DataFrame | None, zones: ZoneTable | None) -> None:
    """Reject a file that names antennas or zones whose table is not given."""
    if {"antenna", "home_antenna"} & set(layout.stand_ins) and masts is None:
        msg = f"{name}: names antennas instead of positions; add their table with {setting('masts', 'antennas.csv')} (antenna_id, lon, lat)"
        raise DataError(msg, setting="masts")
    if any("zone" in name for name in layout.stand_ins) and zones is None:
        msg = f"{name}: names zones instead of positions; add their polygons or centroids with {setting('zones', 'zones.geojson')}"
        raise DataError(msg, setting="zones")


def _with_forms(source: Source) -> Source:
    """Add the forms of times and positions, which are decided for the whole file."""
    with reading_errors(source.name):
        rows = source.scan()
        times = time_forms(source.name, rows, source.layout, source.options)
        positions = position_forms(source.name, rows, source.layout, source.options)
    return replace(source, time_forms=times, position_forms=positions)


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
    """Return size in bytes and modification time in nanoseconds of a file; zeros if there is none."""
    try:
        about = file.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
