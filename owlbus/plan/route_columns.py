"""Usual column names of plans in tables and GIS files, and checks of their positions."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.grid.axes import MAX_LAT, MAX_LON, looks_projected, swapped_axes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

FIRST_DIRECTIONS = frozenset({"0", "0.0", ""})
"""Values of a column of directions that stand for the first."""

_ROUTES = (
    *("route", "line", "route_id", "route_short_name", "route_name", "line_id", "line_name"),
    *("노선", "노선명", "노선번호", "linie", "linienname", "ligne", "nom_ligne", "línea", "linea", "ruta"),
)
NAME_KEYS = ("name", "route", "line", "ref", "route_short_name", "route_id", "route_name", "route_long_name", *_ROUTES[5:])
"""Properties that name the route of a line, by preference."""

_COLUMNS = {
    "route": (*_ROUTES, "name"),
    "sequence": (
        *("sequence", "stop_sequence", "order", "seq", "position", "shape_pt_sequence"),
        *("순번", "순서", "정류장순서", "reihenfolge", "lfd_nr", "ordre", "orden", "secuencia"),
    ),
    "lon": (
        *("lon", "longitude", "stop_lon", "lng", "long", "x", "shape_pt_lon"),
        *("경도", "längengrad", "laengengrad", "longitud"),
    ),
    "lat": ("lat", "latitude", "stop_lat", "y", "shape_pt_lat", "위도", "breitengrad", "latitud"),
    "direction": ("direction", "direction_id", "방향", "richtung", "sens", "dirección", "direccion", "sentido"),
    "stop": (
        *("stop", "stop_name", "station", "station_name"),
        *("정류장", "정류장명", "정류소", "정류소명", "haltestelle", "haltestellenname", "arrêt", "arret", "nom_arret", "parada"),
    ),
    "geometry": ("geometry", "wkt", "geom", "the_geom", "wkt_geom", "shape"),
}
"""Usual names of each column in English, Korean, German, French and Spanish, by preference."""

_SHORT = 10
"""Letters that a shapefile keeps of a name."""


def column_of(names: Iterable[str], role: str) -> str | None:
    """
    Return the column of a role in a table.

    Parameters
    ----------
    names
        Columns of the table.
    role
        ``route``, ``sequence``, ``lon``, ``lat``, ``direction``, ``stop`` or ``geometry``.

    Returns
    -------
    str or None
        The column as the table spells it; None if no usual name is there.

    Raises
    ------
    DataError
        If two columns fit equally, or one stands there twice.

    Examples
    --------
    >>> column_of(["Route_ID", "stop_sequence", "x", "y"], "route")
    'Route_ID'
    """
    folded = [(_folded(name), name) for name in names]
    by_lower = dict(folded)
    found = [name for name in _COLUMNS[role] if name in by_lower]
    if not found and role in {"route", "sequence"}:
        found = [name[:_SHORT] for name in _COLUMNS[role] if len(name) > _SHORT and name[:_SHORT] in by_lower and name[:5] != "shape"]
    if role in {"lon", "lat", "sequence"} and len(found) > 1 and _COLUMNS[role][0] not in found:
        msg = f"columns {', '.join(by_lower[name] for name in found)} may all be the {role}; rename the right one to {role}"
        raise DataError(msg)
    if found and sum(name == found[0] for name, _ in folded) > 1:
        msg = f"the column {by_lower[found[0]]!r} stands there more than once; keep one of them"
        raise DataError(msg)
    return by_lower[found[0]] if found else None


def _folded(name: str) -> str:
    """Name in lower case, composed letters, with underscores for blanks and hyphens."""
    return re.sub(r"[\s-]+", "_", unicodedata.normalize("NFC", name).strip().lower())


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
