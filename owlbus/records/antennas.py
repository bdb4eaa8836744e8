"""Positions of antennas, and homes of subscribers, for calls without them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError
from owlbus.records.text_lines import check_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    import polars as pl

_IDS = ("antenna", "antenna_id", "mast", "mast_id", "cell", "cell_id", "site_id", "id")
_LONS = ("lon", "longitude", "lng", "x")
_LATS = ("lat", "latitude", "y")
_MAX_LON, _MAX_LAT = 180.0, 90.0


def read_antennas(path: str | PathLike[str]) -> pl.DataFrame:
    """
    Read a table of antennas.

    Parameters
    ----------
    path
        CSV or Parquet with an id (``antenna``, ``antenna_id``, ``mast_id``, ``cell_id``, ``id``), ``lon`` or ``longitude``, and ``lat`` or
        ``latitude``, degrees.

    Returns
    -------
    DataFrame
        Columns ``antenna`` (text), ``lon`` and ``lat`` (degrees), one row per antenna.

    Raises
    ------
    DataError
        If the table is missing or damaged, has a line that is too long, lacks a column, names an antenna twice, or has an invalid
        position.
    """
    import polars as pl

    try:
        file = Path(path)
        check_table(file, str(path))
        with file.open("rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
        raw = pl.read_parquet(file) if is_parquet else pl.read_csv(file, infer_schema=False, encoding="utf8-lossy")
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"{path}: cannot be read as a table of antennas; give CSV or Parquet with antenna_id, lon, lat"
        raise DataError(msg) from error
    column_of = {name.strip().strip("\ufeff").lower(): name for name in raw.columns}
    chosen = [next((column_of[name] for name in names if name in column_of), None) for names in (_IDS, _LONS, _LATS)]
    if None in chosen:
        msg = f"{path}: a table of antennas needs antenna_id, lon and lat, got {', '.join(raw.columns)}; rename its columns"
        raise DataError(msg)
    antenna, lon, lat = (pl.col(str(name)) for name in chosen)
    number = [column.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False) for column in (lon, lat)]
    table = raw.select(text_id(antenna).alias("antenna"), number[0].alias("lon"), number[1].alias("lat"))
    _check_antennas(str(path), table)
    return table


def _check_antennas(path: str, table: pl.DataFrame) -> None:
    """Reject antennas that are named twice or have no valid position."""
    import polars as pl

    wrong = table.with_row_index("line", 2).filter(
        ~(pl.col("lon").is_between(-_MAX_LON, _MAX_LON) & pl.col("lat").is_between(-_MAX_LAT, _MAX_LAT)).fill_null(value=False)
    )
    if wrong.height:
        extent = f"{wrong.height} of {table.height} antennas have no position on Earth, first on line {wrong['line'][0]}"
        msg = f"{path}: {extent}; correct or drop them"
        raise DataError(msg)
    if not table["antenna"].is_unique().all():
        row = int(table["antenna"].is_duplicated().arg_true()[0])
        msg = f"{path}: an antenna is named twice, first on line {row + 2}; keep one row for each"
        raise DataError(msg)


def text_id(column: pl.Expr) -> pl.Expr:
    """
    Return ids as text, so that numbers and their text are equal; blanks are missing.

    Parameters
    ----------
    column
        Ids as text or numbers.

    Returns
    -------
    Expr
        Stripped text.
    """
    import polars as pl

    text = column.cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _is_place() -> pl.Expr:
    """Return whether a subscriber and a position are known, and the position is one on Earth and no placeholder."""
    import polars as pl

    lon, lat = pl.col("lon"), pl.col("lat")
    is_placeholder = (lon == lat) & lon.is_in([0.0, -1.0])
    is_known = pl.col("subscriber").is_not_null() & lon.is_between(-MAX_LON, MAX_LON) & lat.is_between(-MAX_LAT, MAX_LAT)
    return is_known & ~is_placeholder


def most_frequent_positions(frames: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """
    Return the most frequent position of each subscriber, as an estimate of the home.

    Parameters
    ----------
    frames
        Records of all hours with ``subscriber``, ``lon`` and ``lat``, degrees.

    Returns
    -------
    DataFrame
        Columns ``subscriber`` (text), ``home_lon`` and ``home_lat``; ties go to the lower longitude, then latitude. Memory grows with the
        distinct pairs of subscriber and position.
    """
    import polars as pl

    positions = pl.concat(
        [frame.select(text_id(pl.col("subscriber")), pl.col("lon", "lat").cast(pl.Float64, strict=False)) for frame in frames]
    )
    counted = positions.filter(_is_place()).group_by("subscriber", "lon", "lat").len()
    ranked = counted.sort(["subscriber", "len", "lon", "lat"], descending=[False, True, False, False])
    homes: pl.DataFrame = ranked.unique("subscriber", keep="first", maintain_order=True).collect(engine="streaming")
    return homes.select("subscriber", home_lon="lon", home_lat="lat")
