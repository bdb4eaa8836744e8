"""Usual column names of plans in tables and GIS files, and checks of their positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.grid.axes import MAX_LAT, MAX_LON, looks_projected, swapped_axes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

FIRST_DIRECTIONS = frozenset({"0", "0.0", ""})
"""Values of a column of directions that stand for the first."""

NAME_KEYS = ("name", "route", "line", "ref", "route_short_name", "route_id", "route_name", "route_long_name", "line_id", "line_name")
"""Properties that name the route of a line, by preference."""

_COLUMNS = {
    "route": ("route", "line", "route_id", "route_short_name", "route_name", "line_id", "line_name", "name"),
    "sequence": ("sequence", "stop_sequence", "order", "seq", "position", "shape_pt_sequence"),
    "lon": ("lon", "longitude", "stop_lon", "lng", "long", "x", "shape_pt_lon"),
    "lat": ("lat", "latitude", "stop_lat", "y", "shape_pt_lat"),
    "direction": ("direction", "direction_id"),
}
"""Usual names of each column, by preference."""


def column_of(names: Iterable[str], role: str) -> str | None:
    """
    Return the column of a role in a table.

    Parameters
    ----------
    names
        Columns of the table.
    role
        ``route``, ``sequence``, ``lon``, ``lat`` or ``direction``.

    Returns
    -------
    str or None
        The column as the table spells it; None if no usual name is there.

    Raises
    ------
    DataError
        If two columns fit equally.

    Examples
    --------
    >>> column_of(["Route_ID", "stop_sequence", "x", "y"], "route")
    'Route_ID'
    """
    by_lower = {name.strip().lower(): name for name in names}
    found = [name for name in _COLUMNS[role] if name in by_lower]
    if role in {"lon", "lat", "sequence"} and len(found) > 1 and _COLUMNS[role][0] not in found:
        msg = f"columns {', '.join(by_lower[name] for name in found)} may all be the {role}; rename the right one to {role}"
        raise DataError(msg)
    return by_lower[found[0]] if found else None


def require_order(points: ArrayLike, source: str) -> None:
    """
    Refuse positions that look swapped or projected, as a whole.

    Parameters
    ----------
    points
        lon/lat degrees, shape (n, 2).
    source
        Where they stand in the file.

    Raises
    ------
    DataError
        If they do.
    """
    lonlat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    found = swapped_axes(lonlat[:, 0], lonlat[:, 1])
    if found:
        msg = f"{source}: {found}, so the two axes look swapped; put longitude first"
        raise DataError(msg)
    if looks_projected(lonlat[:, 0], lonlat[:, 1]):
        msg = f"{source}: positions look like metres of a projected system; write them in degrees WGS 84"
        raise DataError(msg)


def require_position(lon: float, lat: float, source: str) -> None:
    """
    Refuse a longitude or latitude out of range or NaN.

    Parameters
    ----------
    lon, lat
        Degrees.
    source
        Where the position stands in the file.

    Raises
    ------
    DataError
        If it is out of range.
    """
    if not (abs(lon) <= MAX_LON and abs(lat) <= MAX_LAT):
        msg = f"a position must be longitude in [-180, 180], latitude in [-90, 90], got ({lon:g}, {lat:g}) at {source}; put longitude first"
        raise DataError(msg)
