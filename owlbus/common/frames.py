"""Tables of other libraries as polars frames: pandas, polars, pyarrow, GeoDataFrames, and iterators of batches."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import in_temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

_SPOOL_ROWS = 262_144
_WGS84 = 4326
_MICROSECONDS = 1e6
_END = object()
_TEXT_KINDS = (str, int, float, bool)
_NO_BATCHES = (str, bytes, bytearray, os.PathLike, Mapping)


class Table:
    """
    A table in memory, or spooled to a private temporary file that goes when the table does.

    Copies and pickles share its rows; its text says how many there are and shows none.

    Attributes
    ----------
    frame
        polars DataFrame of the rows; None if they are spooled.
    path
        Parquet file of the rows; None if they are in memory.
    n_rows
        Rows of the table.
    name
        What messages call it.

    Examples
    --------
    >>> import polars as pl
    >>> Table(pl.DataFrame({"lon": [13.4, 13.5]}))
    frame of 2 rows
    """

    def __init__(self, frame: pl.DataFrame | None, path: Path | None = None, n_rows: int | None = None, name: str = "records") -> None:
        self.frame, self.path, self.name = frame, path, name
        self.n_rows = n_rows if frame is None else frame.height

    def lazy(self) -> pl.LazyFrame:
        """Return the rows as a lazy frame."""
        import polars as pl

        return self.frame.lazy() if self.frame is not None else pl.scan_parquet(str(self.path), glob=False)

    def __repr__(self) -> str:
        """Size alone, so that messages and settings hold no row."""
        return f"frame of {self.n_rows} row{'s' * (self.n_rows != 1)}"

    def __deepcopy__(self, memo: object) -> Table:
        """Share the rows, which nothing changes."""
        return self


def is_table(thing: object) -> bool:
    """
    Whether a value is one table: of pandas, polars or pyarrow, a GeoDataFrame, or of another library that exports Arrow streams.

    Parameters
    ----------
    thing
        Any value.

    Returns
    -------
    bool
        False for paths, iterators of batches, series and columns.
    """
    if isinstance(thing, Table) or _is_a(thing, "pandas", "DataFrame") or _is_a(thing, "polars", "DataFrame", "LazyFrame"):
        return True
    if _is_a(thing, "pyarrow", "Table", "RecordBatch", "RecordBatchReader"):
        return True
    return hasattr(thing, "__arrow_c_stream__") and not (_is_a(thing, "pandas", "Series") or _is_a(thing, "polars", "Series"))


def _is_a(thing: object, library: str, *names: str) -> bool:
    """Whether a value is of one of these classes; a library that is not loaded has made no value."""
    module = sys.modules.get(library)
    return any(isinstance(thing, getattr(module, name, ())) for name in names)


def is_column_of_geometry(thing: object) -> bool:
    """
    Whether a value is a GeoDataFrame or GeoSeries.

    Parameters
    ----------
    thing
        Any value.

    Returns
    -------
    bool
        True if it has geometries and perhaps a coordinate reference system.
    """
    return _is_a(thing, "geopandas", "GeoDataFrame", "GeoSeries")


def require_table(name: str, thing: object, also: str = "") -> None:
    """
    Refuse a value that is no table, with its type and nothing of its content.

    Parameters
    ----------
    name
        What the message calls it.
    thing
        The value.
    also
        What else it might be, such as ``paths``.

    Raises
    ------
    UsageError
        If it is no table.
    """
    if is_table(thing):
        return
    kind = type(thing)
    made = f"{kind.__name__}, which owlbus made from records already" if kind.__module__.startswith("owlbus.") else kind.__name__
    first = f"{also} or " if also else ""
    msg = f"{name} must be {first}tables such as pandas, polars or pyarrow, got {made}"
    raise UsageError(msg, setting=name)


def as_polars(thing: Any, name: str = "records") -> pl.DataFrame:  # noqa: ANN401 - any table
    """
    Return a table as a polars DataFrame.

    Named levels of a pandas index become columns, unnamed ones are left out. Geometries become WKB, in lon/lat with their SRID if the
    frame has a coordinate reference system. Categories and columns of mixed Python objects become text, durations become seconds.

    Parameters
    ----------
    thing
        A table, as `is_table` knows them.
    name
        What messages call it.

    Returns
    -------
    DataFrame
        The rows in order; nested columns are kept.

    Raises
    ------
    UsageError
        If it is no table.
    DataError
        If two columns have one name, or a column holds objects that are no values of a table.

    Examples
    --------
    >>> import pandas as pd
    >>> as_polars(pd.DataFrame({"trips": [1, 2]})).columns
    ['trips']
    """
    import polars as pl

    require_table(name, thing)
    if isinstance(thing, Table):
        return thing.lazy().collect()
    if _is_a(thing, "pandas", "DataFrame"):
        return _plain(_from_pandas(thing, name))
    if isinstance(thing, pl.LazyFrame):
        return _plain(thing.collect())
    if isinstance(thing, pl.DataFrame):
        return _plain(thing)
    return _plain(_from_arrow(thing, name))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return categories as text and durations as seconds."""
    import polars as pl

    categories = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Categorical | pl.Enum)]
    durations = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Duration)]
    columns = [pl.col(name).cast(pl.String) for name in categories]
    columns += [pl.col(name).dt.total_microseconds() / _MICROSECONDS for name in durations]
    return frame.with_columns(columns) if columns else frame


def _from_arrow(thing: Any, name: str) -> pl.DataFrame:  # noqa: ANN401 - pyarrow ships no types
    """Return a pyarrow table, batch or reader, or any Arrow stream."""
    import polars as pl
    import pyarrow as pa

    if isinstance(thing, pa.RecordBatchReader):
        thing = thing.read_all()
    names = list(thing.schema.names) if isinstance(thing, pa.Table | pa.RecordBatch) else []
    _require_distinct(name, names)
    frame = pl.from_arrow(thing if names else pa.table(thing))
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _from_pandas(thing: Any, name: str) -> pl.DataFrame:  # noqa: ANN401 - pandas ships no types
    """Return a pandas frame, its geometries as WKB."""
    import polars as pl

    names = thing.index.names
    unnamed = [number for number, level in enumerate(names) if level is None or level in thing.columns]
    if unnamed:
        thing = thing.reset_index(level=unnamed, drop=True)
    if len(unnamed) < len(names):
        thing = thing.reset_index()
    _require_distinct(name, [str(column) for column in thing.columns])
    columns = [_column(name, str(label), thing[label]) for label in thing.columns]
    return pl.DataFrame(columns)


def _require_distinct(name: str, columns: list[str]) -> None:
    """Refuse two columns of one name."""
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        msg = f"{name}: two columns are called {repeated[0]!r} ({len(repeated)} such names); rename one of them"
        raise DataError(msg)


def _column(name: str, label: str, values: Any) -> pl.Series:  # noqa: ANN401 - pandas ships no types
    """Return a column of a pandas frame."""
    import polars as pl
    import pyarrow as pa

    if str(values.dtype) == "geometry":
        return pl.Series(label, _wkb(values), dtype=pl.Binary)
    try:
        return pl.Series(label, pl.from_arrow(pa.array(values, from_pandas=True)))
    except (pa.ArrowException, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        shapes = values.astype(object).where(values.notna(), None)
        if all(value is None or _is_a(value, "shapely", "Geometry") for value in shapes):
            return pl.Series(label, [None if value is None else value.wkb for value in shapes], dtype=pl.Binary)
        return pl.Series(label, [_text(name, label, value) for value in values.astype(object)], dtype=pl.String)


def _text(name: str, label: str, value: Any) -> str | None:  # noqa: ANN401 - any object of a column
    """Return one value of a column of mixed objects as text."""
    import pandas as pd

    if not isinstance(value, str) and pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, _TEXT_KINDS) or type(value).__module__.partition(".")[0] in {"datetime", "decimal", "pandas", "numpy", "uuid"}:
        return str(value)
    msg = f"{name}: column {label} holds objects of type {type(value).__name__}, which are no values of a table; convert them"
    raise DataError(msg)


def _wkb(values: Any) -> list[bytes | None]:  # noqa: ANN401 - geopandas ships no types
    """Return geometries as WKB; in lon/lat with SRID 4326 if they have a coordinate reference system."""
    import shapely

    has_crs = values.crs is not None
    geometries = (values.to_crs(_WGS84) if has_crs else values).to_numpy()
    if has_crs:
        geometries = shapely.set_srid(geometries, _WGS84)
    return list(shapely.to_wkb(geometries, include_srid=has_crs))


def as_tables(thing: Any, name: str = "records", also: str = "paths") -> list[Any]:  # noqa: ANN401 - paths or any tables
    """
    Return paths and tables in order; tables are converted, iterators and lazy frames spooled, so that they can be read again.

    Neighbouring batches with the same columns are one table.

    Parameters
    ----------
    thing
        A path or table, or an iterable of paths, tables, or batches of tables.
    name
        What messages call it.
    also
        What else it might be, beside tables.

    Returns
    -------
    list
        Paths as they are, and `Table`.

    Raises
    ------
    UsageError
        If it is neither paths nor tables.
    DataError
        If batches of one table differ in their types, or a column cannot be converted.
    OutputError
        If the folder for temporary files is full.
    """
    if isinstance(thing, str | os.PathLike | Table):
        return [thing]
    if is_table(thing):
        return [_table(thing, name)]
    is_owlbus = type(thing).__module__.startswith("owlbus.")
    if is_owlbus or isinstance(thing, _NO_BATCHES) or not isinstance(thing, Iterable) or hasattr(thing, "__array__"):
        require_table(name, thing, also)
    most_rows = sys.maxsize if isinstance(thing, list | tuple) else _SPOOL_ROWS
    batches: Iterator[Any] = iter(thing)  # pyright: ignore[reportCallIssue, reportArgumentType] - refused above if it is no iterable
    return list(_grouped(batches, name, also, most_rows))


def _table(thing: Any, name: str) -> Table:  # noqa: ANN401 - any table
    """Return one table; lazy ones are spooled."""
    import polars as pl
    import pyarrow as pa

    if isinstance(thing, pl.LazyFrame):
        try:
            return _spooled(chain([thing.limit(0).collect()], thing.collect_batches(maintain_order=True)), name)
        except pl.exceptions.PolarsError as error:
            msg = f"{name}: the lazy frame cannot be computed ({type(error).__name__}); collect it first to see why"
            raise DataError(msg) from None
    if isinstance(thing, pa.RecordBatchReader):
        return _spooled(chain([thing.schema.empty_table()], thing), name)
    return Table(as_polars(thing, name), name=name)


def _grouped(items: Iterator[Any], name: str, also: str, most_rows: int) -> Iterator[Any]:
    """Yield paths, and one table for neighbouring batches with the same columns."""
    item = next(items, _END)
    while item is not _END:
        if isinstance(item, str | os.PathLike | Table):
            yield item
            item = next(items, _END)
            continue
        require_table(name, item, also)
        first = _table(item, name)
        alike = _Alike(first, items, name, also)
        yield _spooled(iter(alike), name, most_rows) if first.frame is not None else first
        item = alike.next_item if first.frame is not None else next(items, _END)


class _Alike:
    """Iterates over batches with the columns of the first; keeps the item that ends them."""

    def __init__(self, first: Table, items: Iterator[Any], name: str, also: str) -> None:
        self.first, self.items, self.name, self.also = first, items, name, also
        self.next_item: Any = _END

    def __iter__(self) -> Iterator[pl.DataFrame]:
        first = as_polars(self.first)
        yield first
        for item in self.items:
            if isinstance(item, str | os.PathLike | Table):
                self.next_item = item
                return
            require_table(self.name, item, self.also)
            frame = as_polars(item, self.name)
            if frame.columns != first.columns:
                self.next_item = frame
                return
            yield frame


def _spooled(batches: Iterable[Any], name: str, most_rows: int = _SPOOL_ROWS) -> Table:
    """Return a table of batches: in memory if they are at most so many rows, else in a private temporary Parquet file."""
    parts: list[pl.LazyFrame] = []
    held: list[pl.DataFrame] = []
    n_held = 0
    folder: tempfile.TemporaryDirectory[str] | None = None
    for batch in batches:
        held.append(as_polars(batch, name))
        n_held += held[-1].height
        if n_held > most_rows:
            with in_temporary_folder():
                folder = folder or tempfile.TemporaryDirectory(prefix="owlbus-records-", ignore_cleanup_errors=True)
                parts.append(_written(_joined(held, name), Path(folder.name) / f"part{len(parts)}.parquet"))
            held, n_held = [], 0
    if folder is None:
        return Table(_joined(held, name), name=name)
    return _merged([*parts, *([_joined(held, name).lazy()] if held else [])], folder, name)


def _joined(frames: list[pl.DataFrame], name: str) -> pl.DataFrame:
    """Return batches as one frame; whole numbers and fractions of one column join."""
    import polars as pl

    _require_alike([frame.schema for frame in frames], name)
    return pl.concat(frames, how="vertical_relaxed")


def _require_alike(schemas: list[pl.Schema], name: str) -> None:
    """Refuse batches whose columns are of other types; missing values and numbers are alike, and times of any unit."""
    import polars as pl

    first: dict[str, pl.DataType] = {}
    for number, schema in enumerate(schemas, start=1):
        for column, kind in schema.items():
            before = first.setdefault(column, kind)
            if isinstance(before, pl.Null):
                first[column] = kind
            zones = {getattr(one, "time_zone", None) for one in (before, kind)}
            is_time = isinstance(before, pl.Datetime) and isinstance(kind, pl.Datetime) and len(zones) == 1
            if not (before == kind or isinstance(before, pl.Null) or isinstance(kind, pl.Null) or is_time or _are_numbers(before, kind)):
                msg = f"{name}: column {column} is {before} in one batch and {kind} in batch {number}; make them one type"
                raise DataError(msg)


def _are_numbers(*kinds: pl.DataType) -> bool:
    """Whether all types are numbers."""
    return all(kind.is_numeric() for kind in kinds)


def _written(frame: pl.DataFrame, path: Path) -> pl.LazyFrame:
    """Write a frame to a private file, and return it as a lazy one."""
    import polars as pl

    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    frame.write_parquet(path)
    return pl.scan_parquet(path, glob=False)


def _merged(parts: list[pl.LazyFrame], folder: tempfile.TemporaryDirectory[str], name: str) -> Table:
    """Return one file of parts."""
    import polars as pl

    path = Path(folder.name) / "records.parquet"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _require_alike([part.collect_schema() for part in parts], name)
    with in_temporary_folder():
        pl.concat(parts, how="vertical_relaxed").sink_parquet(path)
    for part in Path(folder.name).glob("part*.parquet"):
        part.unlink()
    table = Table(None, path, int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()), name)
    weakref.finalize(table, folder.cleanup)
    return table
