"""Tables of people by place and hour in one long form: place, time, date and people."""

from __future__ import annotations

import atexit
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import in_temporary_folder
from owlbus.common.machine import delete_if_allowed
from owlbus.records.count_values import count_form, has_decimal_commas, plain_counts
from owlbus.records.file_forms import reading_errors
from owlbus.records.schema import PEOPLE_BY_HOUR, PRESENCE, Layout

if TYPE_CHECKING:
    import polars as pl

    from owlbus.records.sources import Source

_END_HOUR = 36

_HOUR_24 = 24

_HOUR = r"^\s*(\d{1,2})(?:\.0+)?\s*(?:시|[hH]|:00(?::00)?)?\s*$"

_LONG_FORM = ("lon", "lat", "position", "cell", "zone", "time", "date", "people")


def in_long_form(source: Source) -> Source:
    """
    Return a table of presence in long form, as a private temporary file that is deleted at exit.

    Columns of hours become rows, hours become times, and hexes become their centres.

    Parameters
    ----------
    source
        Table with a place, people, and an hour or time; or one column of people an hour.

    Returns
    -------
    Source
        The same table with the columns ``time`` and ``people``, and perhaps ``date``; one row for each row and hour of the file.

    Raises
    ------
    DataError
        If hours run from 1 to 24, none can be read, or a hex is not on the grid.
    UsageError
        If places are hexes and there is no grid.
    """
    with reading_errors(source.name):
        rows, n_hours = _unpivoted(source.scan())
        rows, form = _with_counts(source, rows)
        rows = _at_hex_centres(source, _with_iso_dates(_with_times(source, rows)))
        kept = [name for name in _LONG_FORM if name in rows.collect_schema().names()]
        path = _spooled(rows.select(kept))
        n_rows = _n_rows(path)
    layout = Layout(PRESENCE, {name: name for name in kept}, source.layout.timezone)
    notes = (*source.notes, f"has people with {form}") if form else source.notes
    spooled = replace(source, notes=notes, path=path, form="parquet", layout=layout, table=None)
    spooled = replace(spooled, n_rows=n_rows, n_quotes=0, hive={}, n_hours=n_hours)
    if source.form == "frame":  # a table in memory has no file that could change
        about = path.stat()
        return replace(spooled, stamp=(about.st_size, about.st_mtime_ns))
    return replace(spooled, original=source.original or source.path)


def _unpivoted(frame: pl.LazyFrame) -> tuple[pl.LazyFrame, int]:
    """Return `frame` with one row for each column of hours, and the number of these columns; as it is without any."""
    import polars as pl

    schema = frame.collect_schema()
    columns = [name for name in PEOPLE_BY_HOUR if name in schema]
    if not columns:
        return frame, 1
    kind = pl.Float64 if all(schema[name].is_numeric() for name in columns) else pl.String
    people = pl.concat_list([pl.col(name).cast(kind) for name in columns]).alias("people")
    hours = pl.lit([PEOPLE_BY_HOUR.index(name) for name in columns]).alias("hour")
    others = [name for name in schema.names() if name not in {*columns, "people", "hour", "time"}]
    return frame.select(*others, people, hours).explode("people", "hour"), len(columns)


def _with_counts(source: Source, frame: pl.LazyFrame) -> tuple[pl.LazyFrame, str]:
    """Return `frame` with people as numbers where their texts have separators of thousands or decimal commas, and how they are written."""
    import polars as pl

    column = source.layout.names.get("people") or next(source.layout.names[name] for name in PEOPLE_BY_HOUR if name in source.layout.names)
    has_commas = source.separator == ";" or has_decimal_commas(source.head(), "people")
    form = count_form(source.name, column, frame, "people", has_commas=has_commas)
    return frame.with_columns(plain_counts(pl.col("people"), form)) if form else frame, form


def _with_times(source: Source, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return `frame` with hours of the day as times; times that are small whole numbers are hours."""
    import polars as pl

    names = frame.collect_schema().names()
    if "hour" in names and "time" not in names:
        return frame.with_columns(_hours(source, frame, "hour"))
    if frame.collect_schema()["time"].is_numeric() or frame.collect_schema()["time"] == pl.String:
        times = frame.select(pl.col("time").cast(pl.String).str.strip_chars()).drop_nulls()
        is_hour = pl.col("time").str.contains(r"^\d{1,2}(\.0+)?$")
        if times.select(is_hour.all() & (pl.len() > 0)).collect().item():
            return frame.with_columns(_hours(source, frame, "time"))
    return frame


def _hours(source: Source, frame: pl.LazyFrame, name: str) -> pl.Expr:
    """Return a column of hours as times such as 03:00; refuse hours from 1 to 24, whose beginning is not known."""
    import polars as pl

    hour = pl.col(name).cast(pl.String).str.extract(_HOUR, 1).cast(pl.Int64)
    hour = pl.when(hour < _END_HOUR).then(hour)
    first, last, n_read = frame.select(hour.min().alias("first"), hour.max().alias("last"), hour.count().alias("n")).collect().row(0)
    if not n_read:
        msg = f"{source.name}: column {source.layout.names.get(name, name)} must hold hours of the day such as 0 to 23, and has none"
        raise DataError(msg)
    if first > 0 and last == _HOUR_24:
        why = f"hours run from {first} to {last}, so that 1 may begin at 00:00 or at 01:00"
        msg = f"{source.name}: {why}; write 0 to 23, 0 for 00:00 to 01:00"
        raise DataError(msg)
    return (hour.cast(pl.String).str.zfill(2) + ":00").alias("time")


def _with_iso_dates(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return `frame` with dates of eight digits in ISO form."""
    import polars as pl

    schema = frame.collect_schema()
    if "date" not in schema or schema["date"].is_temporal():
        return frame
    date = pl.col("date").cast(pl.String).str.strip_chars()
    return frame.with_columns(date.str.replace(r"^(\d{4})[./]?(\d{2})[./]?(\d{2})\.?$", "${1}-${2}-${3}"))


def _at_hex_centres(source: Source, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return `frame` with hexes replaced by their centres, or by H3 cells if they are some."""
    import polars as pl

    names = frame.collect_schema().names()
    if "hex" not in names or {"lon", "lat"} <= set(names):
        return frame
    text = pl.col("hex").cast(pl.String).str.strip_chars()
    if frame.select(text.str.contains("^[0-9a-fA-F]{15,16}$").all()).collect().item():
        return frame.with_columns(text.alias("cell"))
    if source.options.hexes is None:
        msg = f"{source.name}: names hexes of a grid; add its outline with {setting('area', 'outline.geojson')}"
        raise UsageError(msg, setting="area")
    lon, lat = source.options.hexes
    number = text.str.extract(r"^(\d{1,9})(?:\.0+)?$", 1).cast(pl.Int64)
    last = frame.select(number.max()).collect().item()
    if last is not None and last >= lon.size:
        msg = f"{source.name}: column {source.layout.names['hex']} names hex {last} and the grid has {lon.size}, from 0; give its own grid"
        raise DataError(msg)
    centres = pl.LazyFrame({"hex": range(lon.size), "lon": lon, "lat": lat}, schema_overrides={"hex": pl.Int64})
    return frame.with_columns(number.alias("hex")).join(centres, on="hex", how="left", maintain_order="left")


def _spooled(frame: pl.LazyFrame) -> Path:
    """Return a private temporary Parquet file of `frame`, deleted at exit."""
    with in_temporary_folder():
        handle, name = tempfile.mkstemp(prefix="owlbus-presence-", suffix=".parquet")
        os.close(handle)
    path = Path(name)
    atexit.register(delete_if_allowed, path)
    frame.sink_parquet(path)
    return path


def _n_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file."""
    import polars as pl

    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
