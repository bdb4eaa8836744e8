"""Positions of antennas, and homes of subscribers, for calls without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.grid.axes import MAX_LAT, MAX_LON, is_on_earth, is_placeholder, swapped_axes
from owlbus.records.column_names import point_roles
from owlbus.records.point_tables import read_points_table
from owlbus.records.position_forms import position_forms
from owlbus.records.positions import read_end
from owlbus.records.read_options import ReadOptions
from owlbus.records.schema import Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from owlbus.records.position_forms import PositionForm

_IDS = ("antenna", "antenna_id", "mast", "mast_id", "cell", "cell_id", "site_id", "tower_id", "bts_id", "id")
_LONS = ("lon", "longitude", "lng", "long", "x")
_LATS = ("lat", "latitude", "y")
_COLUMNS = {"antenna": _IDS, "lon": _LONS, "lat": _LATS}
_ANTENNAS = Kind("antennas", ("lon", "lat"), (), "antenna", (), ("position",), (("position", ("lon", "lat")),))


def read_antennas(table: Any, crs: str | None = None) -> pl.DataFrame:  # noqa: ANN401 - a path or any frame
    """
    Read a table of antennas.

    Parameters
    ----------
    table
        CSV (also with semicolons and decimal commas), Parquet or a GIS file of points, or a frame, with an id (``antenna``,
        ``antenna_id``, ``mast_id``, ``cell_id``, ``id``), and ``lon`` or ``longitude`` and ``lat`` or ``latitude``, degrees, or a point
        in one column.
    crs
        Reference system of positions that are not in degrees and state none.

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

    name, frame, systems = read_points_table(table, "antennas", "a table of antennas; give CSV or Parquet with antenna_id, lon, lat")
    by_name = {column.strip().strip("\ufeff").lower(): column for column in frame.columns}
    chosen = {role: next((by_name[known] for known in names if known in by_name), None) for role, names in _COLUMNS.items()}
    if chosen["lon"] is None or chosen["lat"] is None:
        nested = [column for column, dtype in frame.schema.items() if dtype.is_nested()]
        chosen = {"antenna": chosen["antenna"], "position": point_roles(frame.columns, nested, systems).get("position")}
    if None in chosen.values():
        msg = f"{name}: a table of antennas needs antenna_id, lon and lat, got {', '.join(frame.columns)}; rename its columns"
        raise DataError(msg)
    names = {role: str(column) for role, column in chosen.items()}
    layout = Layout(_ANTENNAS, names)
    rows = frame.select(pl.col(column).alias(role) for role, column in names.items())
    forms = point_forms(name, rows, layout, crs, systems)
    lon, lat = (column.filled() for column in read_end(name, layout, forms, rows, ("lon", "lat")))
    found = swapped_axes(lon, lat)
    if found:
        msg = f"{name}: {found}, so the two columns look swapped; rename them"
        raise DataError(msg)
    antennas = rows.select(text_id(pl.col("antenna")), pl.Series("lon", lon), pl.Series("lat", lat))
    _check_antennas(name, antennas)
    return antennas


def point_forms(name: str, rows: pl.DataFrame, layout: Layout, crs: str | None, systems: Mapping[str, str]) -> Mapping[str, PositionForm]:
    """
    Return the forms of the positions of a small table.

    Parameters
    ----------
    name
        Name of the table in messages.
    rows
        Its columns by role.
    layout
        Which columns hold positions.
    crs
        Reference system of positions that are not in degrees and state none.
    systems
        Reference systems by geometry column.

    Returns
    -------
    mapping
        Form by role.

    Raises
    ------
    DataError
        If the positions fit no form.
    """
    try:
        return position_forms(name, rows.lazy(), layout, ReadOptions(), systems)
    except DataError as error:
        if crs is None or error.setting != "crs":
            raise
        return position_forms(name, rows.lazy(), layout, ReadOptions(crs=crs), systems)


def _check_antennas(path: str, table: pl.DataFrame) -> None:
    """Reject antennas that are named twice or have no valid position."""
    lon, lat = table["lon"].to_numpy(), table["lat"].to_numpy()
    wrong = np.flatnonzero(~is_on_earth(lon, lat) | is_placeholder(lon, lat))
    if wrong.size:
        extent = f"{wrong.size} of {table.height} antennas have no position on Earth, first on line {wrong[0] + 2}"
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
