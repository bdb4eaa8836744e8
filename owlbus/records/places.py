"""Named places of a city: they name the stops of the lattice, and maps show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.errors import DataError
from owlbus.common.files import read_parquet, rebuild_errors, write_parquet
from owlbus.common.text import visible
from owlbus.grid.axes import is_on_earth, is_placeholder, swapped_axes
from owlbus.records.antennas import point_forms
from owlbus.records.column_names import point_roles
from owlbus.records.point_tables import read_points_table
from owlbus.records.positions import read_end
from owlbus.records.schema import Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import polars as pl
    from numpy.typing import ArrayLike, NDArray

_KIND = Kind("places", ("lon", "lat"), (), "name", (), ("position",), (("position", ("lon", "lat")),))
_COLUMNS = {
    "name": ("name", "place", "place_name", "label", "title", "stop_name", "station", "name_local"),
    "latin": ("name_latin", "name_en", "name:en", "int_name", "name:latin", "english_name", "place_en"),
    "weight": ("weight", "population", "pop", "residents", "importance"),
    "lon": ("lon", "longitude", "lng", "long", "x"),
    "lat": ("lat", "latitude", "y"),
}
"""Usual names of each column in lower case, best first."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """
    Named points.

    Attributes
    ----------
    names
        Name of each place, shape (n,).
    lon, lat
        Degrees, shape (n,), float64.
    latin
        Names in Latin letters beside the local ones, shape (n,), empty where unknown; none by default.
    weight
        Importance of each place on maps, dimensionless, shape (n,), float64, >= 0; all alike by default.

    Raises
    ------
    DataError
        If the columns differ in length.

    Examples
    --------
    >>> len(Places(("Jamsil",), [127.1], [37.5133]))
    1
    """

    names: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    latin: tuple[str, ...]
    weight: NDArray[np.float64]

    def __init__(self, names: Sequence[str], lon: ArrayLike, lat: ArrayLike, latin: Sequence[str] = (), weight: ArrayLike = ()) -> None:
        """Copy and check the columns."""
        count = len(names)
        object.__setattr__(self, "names", tuple(visible(str(name)) for name in names))
        object.__setattr__(self, "latin", tuple(visible(str(name)) for name in latin) or ("",) * count)
        columns = (("lon", lon), ("lat", lat), ("weight", weight if np.size(weight) else np.ones(count)))
        for name, column in columns:
            object.__setattr__(self, name, read_only_copy(column, np.float64))
        if {self.lon.size, self.lat.size, self.weight.size, len(self.latin)} != {count}:
            msg = f"places need one position and weight each, got {count} names and {self.lon.size} positions"
            raise DataError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return Places, (self.names, self.lon, self.lat, self.latin, self.weight)

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.names)


def read_places(table: Any, crs: str | None = None) -> Places:  # noqa: ANN401 - a path or any frame
    """
    Read a table of places.

    Rows without a name are left out.

    Parameters
    ----------
    table
        CSV, Parquet or a GIS file of points, or a frame, with a name (``name``, ``place``, ``label``), and ``lon`` and ``lat``,
        degrees, or a point in one column; perhaps with a name in Latin letters (``name_latin``, ``name_en``, ``name:en``), and a
        ``weight`` or ``population``.
    crs
        Reference system of positions that are not in degrees and state none.

    Returns
    -------
    Places
        In the order of the rows, degrees.

    Raises
    ------
    DataError
        If the table is missing or damaged, lacks a column, has an invalid position, or names no place.
    """
    import polars as pl

    name, frame, systems = read_points_table(table, "places", "a table of places; give CSV with lon, lat, name, or a GIS file of points")
    columns = _columns(name, frame, systems)
    rows = frame.select(pl.col(column).alias(role) for role, column in columns.items())
    texts = {role: rows[role].cast(pl.String).fill_null("").str.strip_chars() for role in ("name", "latin") if role in columns}
    is_named = texts["name"] != ""
    layout = Layout(_KIND, {role: column for role, column in columns.items() if role in {"lon", "lat", "position"}})
    lon, lat = (column.filled() for column in read_end(name, layout, point_forms(name, rows, layout, crs, systems), rows, ("lon", "lat")))
    _check_positions(name, lon, lat, is_named.to_numpy())
    weight = (
        rows["weight"].cast(pl.Float64, strict=False).fill_null(0.0).fill_nan(0.0)
        if "weight" in columns
        else pl.Series([1.0] * rows.height)
    )
    kept = np.flatnonzero(is_named.to_numpy())
    latin = texts["latin"].gather(kept).to_list() if "latin" in texts else ()
    return Places(texts["name"].gather(kept).to_list(), lon[kept], lat[kept], latin, np.maximum(weight.to_numpy()[kept], 0.0))


def write_places(path: str | PathLike[str], places: Places) -> None:
    """
    Write places as Parquet; the same places give the same bytes.

    Parameters
    ----------
    path
        File to write.
    places
        Positions in degrees.
    """
    columns = {"name": list(places.names), "name_latin": list(places.latin), "lon": places.lon, "lat": places.lat, "weight": places.weight}
    write_parquet(path, columns, "places", {})


def stored_places(path: str | PathLike[str]) -> Places:
    """
    Read places that `write_places` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Places
        Positions in degrees.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    table, _ = read_parquet(path, "places")
    with rebuild_errors(path, "places"):
        names, latin = (table[column].to_pylist() for column in ("name", "name_latin"))
        lon, lat, weight = (table[column].to_numpy() for column in ("lon", "lat", "weight"))
        return Places(names, lon, lat, latin, weight)


def _columns(name: str, frame: pl.DataFrame, systems: dict[str, str]) -> dict[str, str]:
    """Return the column of each role that the table has; refuse a table without names or positions."""
    by_name = {column.strip().strip("\ufeff").lower(): column for column in frame.columns}
    found = {role: next((by_name[known] for known in names if known in by_name), None) for role, names in _COLUMNS.items()}
    if found["name"] is None:
        found["name"] = found.pop("latin")
    if found["lon"] is None or found["lat"] is None:
        nested = [column for column, dtype in frame.schema.items() if dtype.is_nested()]
        found |= {"lon": None, "lat": None, "position": point_roles(frame.columns, nested, systems).get("position")}
    if found["name"] is None or (found["lon"] is None and found["position"] is None):
        msg = f"{name}: a table of places needs lon, lat and name, got {', '.join(frame.columns)}; rename its columns"
        raise DataError(msg)
    return {role: column for role, column in found.items() if column is not None}


def _check_positions(name: str, lon: NDArray[np.float64], lat: NDArray[np.float64], is_named: NDArray[np.bool_]) -> None:
    """Refuse a table without a place, with swapped columns, or with a place off the Earth."""
    if not is_named.any():
        msg = f"{name}: names no place; every name is empty"
        raise DataError(msg)
    swapped = swapped_axes(lon, lat)
    if swapped:
        msg = f"{name}: {swapped}, so the two columns look swapped; rename them"
        raise DataError(msg)
    wrong = np.flatnonzero(is_named & (~is_on_earth(lon, lat) | is_placeholder(lon, lat)))
    if wrong.size:
        msg = f"{name}: {wrong.size} of {lon.size} places have no position on Earth, first in row {wrong[0] + 1}; correct or drop them"
        raise DataError(msg)
