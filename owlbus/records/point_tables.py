"""Small tables with positions: CSV, Parquet, GIS files of points, and frames of Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.common.frames import as_polars, is_column_of_geometry, is_table
from owlbus.grid.geometry_metadata import geometry_systems
from owlbus.grid.gis_files import is_gis_file, read_gis_points
from owlbus.records.file_forms import separator_of
from owlbus.records.text_lines import check_table, is_parquet

if TYPE_CHECKING:
    import polars as pl


def read_points_table(table: Any, name: str, what: str) -> tuple[str, pl.DataFrame, dict[str, str]]:  # noqa: ANN401 - a path or any frame
    """
    Read a table whose rows have positions.

    Parameters
    ----------
    table
        CSV, Parquet or a GIS file of points; or a frame of pandas, polars, pyarrow or geopandas.
    name
        Name of a frame in messages.
    what
        What a file should be, for messages.

    Returns
    -------
    name, frame, systems
        Name in messages, the rows (texts of a CSV as they are, geometries as WKB), and the reference system by geometry column.

    Raises
    ------
    DataError
        If a file cannot be read, or the value is neither a path nor a frame.
    """
    import polars as pl

    if not isinstance(table, str) and not hasattr(table, "__fspath__"):
        return name, *_frame(table, name)
    path = Path(table)
    try:
        return str(table), *_file(path, str(table))
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"{table}: cannot be read as {what}"
        raise DataError(msg) from error


def _file(path: Path, name: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return rows and reference systems of a file."""
    import polars as pl

    with path.open("rb") as stream:
        is_geojson = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    if is_parquet(path):
        return stored(pl.read_parquet(path)), geometry_systems(path)
    if is_geojson or is_gis_file(path):
        return _layer(path, name)
    check_table(path, name)
    return pl.read_csv(path, infer_schema=False, encoding="utf8-lossy", separator=separator_of(path)), {}


def _layer(path: Path, name: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return rows and reference system of a layer of a GIS file."""
    import polars as pl

    rows, geometry, crs = read_gis_points(path, name)
    frame = pl.from_arrow(rows)
    return stored(frame if isinstance(frame, pl.DataFrame) else frame.to_frame()), {geometry: crs or ""}


def _frame(table: Any, name: str) -> tuple[pl.DataFrame, dict[str, str]]:  # noqa: ANN401 - any frame
    """Return rows and reference systems of a frame."""
    if not is_table(table):
        msg = f"{name} must be a path or a table such as pandas, polars or pyarrow, got {type(table).__name__}"
        raise DataError(msg)
    systems = {}
    if is_column_of_geometry(table):  # a known system is in the WKB
        systems = {str(column): "" for column, kind in table.dtypes.items() if str(kind) == "geometry"}
    return stored(as_polars(table, name)), systems


def stored(frame: pl.DataFrame) -> pl.DataFrame:
    """
    Return a frame with the storage of extension types, such as WKB for geometries.

    Parameters
    ----------
    frame
        Rows.

    Returns
    -------
    DataFrame
        The same rows.
    """
    import polars as pl

    extensions = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.BaseExtension)]
    return frame.with_columns(pl.col(extensions).ext.storage()) if extensions else frame
