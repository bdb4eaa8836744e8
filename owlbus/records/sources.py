"""Open record files: their form, layout, and how their columns are read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting
from owlbus.common.frames import Table
from owlbus.grid.geometry_metadata import geometry_systems
from owlbus.records.antennas import most_frequent_positions, read_antennas, text_id
from owlbus.records.cell_zones import with_cell_texts, with_wide_cells_as_zones
from owlbus.records.column_names import bare_ends, point_columns, point_roles
from owlbus.records.count_values import count_form, has_decimal_commas, plain_counts
from owlbus.records.date_columns import is_format_of_dates, with_date
from owlbus.records.file_forms import prepared_file, reading_errors, stdin_copy
from owlbus.records.point_columns import holds_points, reader_of
from owlbus.records.position_forms import PositionForm, position_forms
from owlbus.records.positions import positions_by_subscriber
from owlbus.records.prepare_text import PreparedFile
from owlbus.records.presence_tables import in_long_form
from owlbus.records.profiles import check_header
from owlbus.records.read_options import ReadOptions
from owlbus.records.record_files import RecordFile, find_files, members_of
from owlbus.records.schema import CALLS, KINDS, PRESENCE, find_layout
from owlbus.records.text_lines import open_text
from owlbus.records.text_values import text_of_bytes
from owlbus.records.time_forms import time_forms
from owlbus.records.zone_fit import most_frequent_zones, require_place, sources_with_zones

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from owlbus.records.record_files import Records
    from owlbus.records.schema import Kind, Layout
    from owlbus.records.zones import ZoneTable


_HEAD_ROWS, _HEAD_BYTES = 4096, 1 << 19
"""Most rows, and bytes of a text, from which forms are told."""

_HINT_ROWS = 100

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
        ``parquet``, ``gzip``, ``zstd`` or ``text``; ``frame`` for a table in memory.
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
    count_form
        How counts are written, one of `owlbus.records.count_values`.
    time_forms, position_forms
        Forms of columns that need one, by owlbus' name, decided for the whole file.
    zones
        Zones that records name instead of positions; None for none.
    n_hours
        Columns of hours that each row of the file had, one row for each here.
    table
        The rows, if it is a table of Python and no file; None for a file.
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
    count_form: str = ""
    time_forms: Mapping[str, str] = field(default_factory=dict)
    position_forms: Mapping[str, PositionForm] = field(default_factory=dict)
    zones: ZoneTable | None = None
    n_hours: int = 1
    table: Table | None = None
    notes: tuple[str, ...] = ()
    first_place: tuple[str, int] = ("row", 1)
    original: Path | None = None
    copies: tuple[object, ...] = ()

    @property
    def timezone(self) -> str | None:
        """Zone to whose clock times with a zone are converted; None if it is not known."""
        return self.layout.timezone if self.layout.clock else self.options.timezone or self.layout.timezone

    @property
    def is_table(self) -> bool:
        """Whether it is Parquet or a table of Python."""
        return self.form in {"parquet", "frame"}

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
        return f"{word} {row // self.n_hours + first}"

    def scan(self, text: BytesIO | None = None) -> pl.LazyFrame:
        """Return a lazy frame of its columns under owlbus' names; of `text` instead, if given."""
        import polars as pl

        frame = _scan_file(text or self.path, self.form, self.separator, self.table)
        if self.form != "frame" and (self.first_row or self.stop_row is not None):
            frame = frame.slice(self.first_row, None if self.stop_row is None else self.stop_row - self.first_row)
        column_of = _columns_by_name(frame)
        types = frame.select(**column_of).collect_schema()
        columns = []
        for name, column in self.layout.names.items():
            values = pl.lit(self.hive[column]) if column not in column_of else column_of[column]
            if types.get(column) == pl.Binary and not name.endswith(_AS_READ):
                values = values.map_batches(text_of_bytes, return_dtype=pl.String, is_elementwise=True)
            if isinstance(types.get(column), pl.Categorical | pl.Enum):
                values = values.cast(pl.String)
            if self.count_form and name == self.layout.kind.count:
                values = plain_counts(values, self.count_form)
            columns.append(values.alias(name))
        if self.layout.is_untimed:
            columns.append(pl.lit(f"{self.options.first_hour}:00").alias(self.layout.kind.start))
        return self._joined(frame.select(columns))

    def head(self) -> pl.LazyFrame:
        """Return a lazy frame of its first rows under owlbus' names, at no cost that grows with the file."""
        if self.is_table:
            return self.scan().head(_HEAD_ROWS)
        with open_text(self.path, self.form) as stream:
            text = stream.read(_HEAD_BYTES)
        lines = text if len(text) < _HEAD_BYTES else text[: text.rfind(b"\n") + 1]
        has_rows = lines.count(b"\n") > 1 and not lines.count(b'"') % 2  # else a quoted field may go on
        return self.scan(BytesIO(lines) if has_rows else None).head(_HEAD_ROWS)

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

    def part(self, first_row: int, stop_row: int) -> Source:
        """Return a part of the file, `first_row` up to `stop_row`; of a table in memory it holds no other rows, for another process."""
        table = self.table
        if table is not None and table.frame is not None:
            table = Table(table.frame.slice(first_row, stop_row - first_row))
        return replace(self, first_row=first_row, stop_row=stop_row, table=table)

    @property
    def described(self) -> Source:
        """The source without rows and tables joined to them: what is needed of it once it is counted."""
        return replace(self, masts=None, homes=None, zones=None, table=None, options=ReadOptions(), copies=())

    def check_unchanged(self) -> None:
        """
        Reject a file that changed since it was opened.

        Raises
        ------
        DataError
            If its size or modification time changed.
        """
        now = _stamp(self.original or self.path) if self.form != "frame" else self.stamp
        if now != self.stamp:
            msg = f"{self.name}: changed while it was read ({self.stamp[0]} bytes before, {now[0]} after); read it once it is complete"
            raise DataError(msg)


@contextmanager
def open_sources(
    paths: Records,
    options: ReadOptions | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Iterator[tuple[Source, ...]]:
    """
    Open record files.

    Parameters
    ----------
    paths
        Files, folders, globs, or ``-`` for standard input, which is copied to a private temporary file. Files are Parquet, or CSV with
        ``,``, ``;``, tab or ``|`` as separator, plain, gzip or zstd; detected by content. Or tables, as `find_files` takes them.
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
    antennas = None if options.masts is None else read_antennas(options.masts, options.crs)
    sources = tuple(_open_source(file, options, antennas, kinds) for file in files)
    yield _with_homes(sources_with_zones(sources, options))


def _open_source(file: RecordFile, options: ReadOptions, masts: pl.DataFrame | None, kinds: Sequence[Kind]) -> Source:
    """Return the source of a file."""
    import polars as pl

    name, (original, stamp, prepared) = file.name, _prepared(file)
    path, form = prepared.path, prepared.form
    with reading_errors(name):
        frame = _scan_file(path, form, prepared.separator, file.table)
        column_of = _columns_by_name(frame)
        present, nested = list(column_of), _nested(frame.select(**column_of))
        n_rows = int(frame.select(pl.len()).collect().item()) if form in {"parquet", "frame"} else None
    geometry_crs = geometry_systems(path) if form == "parquet" else {}
    points = point_roles(present, nested, geometry_crs)
    present = [column for column in present if column not in nested or column in {*points.values(), *point_columns(options.columns)}]
    columns = [*present, *(key for key in file.hive if key not in present)]
    hints = {} if prepared.n_quotes % 2 else _points_of_bare_ends(name, frame.select(**column_of))
    layout = _checked_layout(name, columns, options, kinds, (points, hints), frame.select(**column_of))
    _require_masts(name, layout, masts)
    source = Source(name, path, form, layout, prepared.separator, stamp, n_rows, file.hive, masts)
    source = replace(
        source,
        is_part=file.is_part,
        n_quotes=prepared.n_quotes,
        options=options,
        table=file.table,
        notes=(*file.notes, *prepared.notes, *layout.notes),
        first_place=prepared.place,
        original=original if original != path else None,
        copies=(prepared.copy, file.copy),
    )
    if layout.kind is PRESENCE:
        return _with_forms(in_long_form(with_date(source, columns, None)), geometry_crs)
    return _with_forms(source, geometry_crs, columns)


def _checked_layout(
    name: str,
    columns: Sequence[str],
    options: ReadOptions,
    kinds: Sequence[Kind],
    points: tuple[Mapping[str, str], Mapping[str, str]],
    frame: pl.LazyFrame,
) -> Layout:
    """Return the layout of a file; `points` are its columns with points by name, and those whose names do not say so."""
    check_header(name, columns)
    if PRESENCE in kinds and options.zones is not None and not points[0]:
        require_place(name, columns, frame, options)
    profile, has_zones = options.hour_profile, options.zones is not None
    layout = find_layout(name, columns, options.columns, kinds, points[0], hour_profile=profile, has_zones=has_zones, hints=points[1])
    _check_clock(name, layout, options)
    return layout


def _prepared(file: RecordFile) -> tuple[Path, tuple[int, int], PreparedFile]:
    """Return a file, its stamp, and its readable form; a table in memory has its name for a path."""
    if file.table is not None and file.table.frame is not None:
        path = Path(file.name)
        return path, (int(file.table.frame.estimated_size()), 0), PreparedFile(path, "frame")
    path = file.path or stdin_copy()
    original = file.archive or path
    stamp = _stamp(original)
    return original, stamp, prepared_file(file.name, path, file.part, stamp)


def _require_masts(name: str, layout: Layout, masts: pl.DataFrame | None) -> None:
    """Reject a file that names antennas whose table is not given."""
    if {"antenna", "home_antenna"} & set(layout.stand_ins) and masts is None:
        msg = f"{name}: names antennas instead of positions; add their table with {setting('masts', 'antennas.csv')} (antenna_id, lon, lat)"
        raise DataError(msg, setting="masts")


def _check_clock(name: str, layout: Layout, options: ReadOptions) -> None:
    """Reject another zone than the publisher's own for times that are its local clock whatever zone they say."""
    if layout.clock and options.timezone not in {None, layout.clock, layout.timezone}:
        msg = (
            f"{name}: its times are the clock of {layout.clock}, though they may say UTC, and are not converted; "
            f"leave out {setting('timezone', str(options.timezone))}, or read the file alone"
        )
        raise DataError(msg, setting="timezone")


def _with_forms(source: Source, geometry_crs: Mapping[str, str], columns: Sequence[str] = ()) -> Source:
    """Add dates, and the forms of times and positions of the whole file; one with an open quote is refused when it is read."""
    if source.n_quotes % 2:
        return source
    with reading_errors(source.name):
        source = _with_count_form(source)
        is_of_dates = is_format_of_dates(source.options.time_format)
        times = {} if is_of_dates else time_forms(source.name, source.scan(), source.layout, source.options)
        undated, source = source, with_date(source, columns, times)
        rows = source.scan()
        if is_of_dates or source is not undated:
            times = time_forms(source.name, rows, source.layout, source.options)
        positions = position_forms(source.name, rows, source.layout, source.options, geometry_crs, source.head())
    return with_wide_cells_as_zones(replace(source, time_forms=times, position_forms=positions))


def _with_count_form(source: Source) -> Source:
    """Add how counts are written, where their texts have separators of thousands or decimal commas."""
    name = source.layout.kind.count
    if source.is_table or name not in source.layout.names:
        return source
    has_commas = source.separator == ";" or has_decimal_commas(source.head(), name)
    form = count_form(source.name, source.layout.names[name], source.scan(), name, has_commas=has_commas)
    return replace(source, count_form=form, notes=(*source.notes, f"has {name} with {form}")) if form else source


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
                homes = estimate([with_cell_texts(source) if group is in_zones else positions_by_subscriber(source) for source in group])
            sources = tuple(replace(source, homes=homes) if source in group else source for source in sources)
    return sources


def _scan_file(file: Path | BytesIO, form: str, separator: str, table: Table | None = None) -> pl.LazyFrame:
    """Return a lazy frame of a file or table; CSV columns are text."""
    import polars as pl

    if table is not None and table.frame is not None:
        return table.frame.lazy()
    if form == "parquet":
        return pl.scan_parquet(file, glob=False, hive_partitioning=False)
    return pl.scan_csv(file, infer_schema=False, encoding="utf8-lossy", separator=separator, glob=False)


def _columns_by_name(frame: pl.LazyFrame) -> dict[str, pl.Expr]:
    """Return file columns by name without spaces and byte order mark; nested columns that can hold no points are dropped."""
    import polars as pl

    columns = {}
    for column, dtype in frame.collect_schema().items():
        stored = dtype.ext_storage() if isinstance(dtype, pl.BaseExtension) else dtype
        if not stored.is_nested() or holds_points(stored):
            columns[column.strip().strip("\ufeff")] = pl.col(column) if stored is dtype else pl.col(column).ext.storage()
    return columns


def _nested(frame: pl.LazyFrame) -> list[str]:
    """Return the columns with a structure or a list."""
    return [column for column, dtype in frame.collect_schema().items() if dtype.is_nested()]


def _points_of_bare_ends(name: str, frame: pl.LazyFrame) -> dict[str, str]:
    """Return the columns with points that are named for an end alone, such as ``home``."""
    import polars as pl

    with reading_errors(name):
        ends = bare_ends(frame.collect_schema())
        first = frame.select(set(ends.values())).head(_HINT_ROWS).collect() if ends else pl.DataFrame()
    return {role: column for role, column in ends.items() if reader_of(first[column].drop_nulls()) is not None}


def _stamp(file: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds of a file; zeros if there is none."""
    try:
        about = file.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
