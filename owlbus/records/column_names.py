"""Names that publishers give to columns with a point, a cell or a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ENDS = {
    "": ("", "call", "event", "current"),
    "home": ("home", "residence", "residential"),
    "origin": ("origin", "pickup", "pick_up", "start", "from", "o", "pu", "board", "boarding"),
    "destination": ("destination", "dest", "dropoff", "drop_off", "end", "to", "d", "do", "alight", "alighting"),
}
"""Words for each end of a trip."""

_POINTS = (
    "position",
    "point",
    "geometry",
    "geom",
    "the_geom",
    "wkb_geometry",
    "geog",
    "geography",
    "wkt",
    "wkb",
    "ewkt",
    "geojson",
    "location",
    "centroid_location",
    "coordinates",
    "coords",
    "coordinate",
    "latlon",
    "lat_lon",
    "latlng",
    "lat_lng",
    "lonlat",
    "lon_lat",
    "lnglat",
    "lng_lat",
)
"""Words for a point in one column, best first."""

_CELLS = ("h3", "h3_cell", "h3_index", "h3_id", "h3_hex", "geohash")
_PATHS = ("polyline", "path", "trajectory", "linestring", "track", "route_geometry")
_RESOLUTION = re.compile(r"_(?:res_?)?\d{1,2}(?=_|$)")


def point_columns(mapping: Mapping[str, str] | None) -> list[str]:
    """
    Return the columns that a mapping names as points, cells or paths.

    Parameters
    ----------
    mapping
        File column by owlbus' name.

    Returns
    -------
    list of str
        Columns.
    """
    return [column for name, column in (mapping or {}).items() if name.endswith(("position", "cell", "path"))]


def point_roles(columns: Iterable[str], nested: Iterable[str] = (), geometry: Iterable[str] = ()) -> dict[str, str]:
    """
    Return the columns whose names say that they hold a point, cell or path.

    Parameters
    ----------
    columns
        Columns of a file.
    nested
        Those of them with a structure or a list, whose names may be those of the ends alone.
    geometry
        Geometry columns that the file describes, the primary one first; it is the position if no name is.

    Returns
    -------
    dict
        Column by owlbus' name; where several fit, the one whose word is listed first.

    Examples
    --------
    >>> point_roles(["origin_h3", "Pickup Centroid Location", "destination"])
    {'origin_position': 'Pickup Centroid Location', 'origin_cell': 'origin_h3'}
    """
    by_name = {_plain(column): column for column in columns}
    bare = {_plain(column): column for column in nested}
    roles: dict[str, str] = {}
    for end, words in _ENDS.items():
        prefix = f"{end}_" if end else ""
        for role, kinds in (("position", _POINTS), ("cell", _CELLS)):
            column = _first(by_name, words, kinds)
            if column is None and role == "position":
                column = next((bare[word] for word in words if word in bare), None)
            if column is not None:
                roles[f"{prefix}{role}"] = column
    described = [column for column in geometry if column in by_name.values() and column not in roles.values()]
    if described and "position" not in roles:
        roles["position"] = described[0]
    path = next((by_name[word] for word in _PATHS if word in by_name), None)
    return roles if path is None else roles | {"path": path}


def bare_ends(columns: Iterable[str]) -> dict[str, str]:
    """
    Return the columns that are named for an end of a trip alone, and may hold points.

    Parameters
    ----------
    columns
        Columns of a file.

    Returns
    -------
    dict
        Column by owlbus' name of the point.

    Examples
    --------
    >>> bare_ends(["Home", "lon", "lat"])
    {'home_position': 'Home'}
    """
    by_name = {_plain(column): column for column in columns}
    found = {end: next((by_name[word] for word in words if word in by_name), None) for end, words in _ENDS.items() if end}
    return {f"{end}_position": column for end, column in found.items() if column is not None}


def _first(by_name: Mapping[str, str], words: Iterable[str], kinds: Iterable[str]) -> str | None:
    """Return the first column that is named for an end and a kind, in either order."""
    for kind in kinds:
        for word in words:
            for name in (f"{word}_{kind}", f"{kind}_{word}") if word else (kind,):
                if name in by_name:
                    return by_name[name]
    return None


def _plain(column: str) -> str:
    """Return a column name in lower case with underscores, without the resolution of cells."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())
    name = re.sub(r"[^0-9a-z]+", "_", words.lower()).strip("_")
    return _RESOLUTION.sub("", name) if "h3" in name or "geohash" in name else name
