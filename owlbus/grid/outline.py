"""Outlines of study areas from GeoJSON or CSV."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.files import parse_json

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_FEWEST_CORNERS = 3
_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that malformed GeoJSON causes."""


def read_area(path: str | PathLike[str]) -> NDArray[np.float64] | BaseGeometry:
    """
    Read the outline of a study area.

    Polygons of a GeoJSON geometry, feature or collection are joined. CSV has one corner per row in the columns ``lon`` and ``lat``, in
    order along the ring, closed or not.

    Parameters
    ----------
    path
        GeoJSON or CSV, detected by content.

    Returns
    -------
    ndarray of float64 or shapely geometry
        Ring of lon/lat degrees, shape (n, 2), or polygons; `HexGrid.cover` takes both.

    Raises
    ------
    DataError
        If the file is missing or has no area.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); name the outline of the study area as .geojson or .csv"
        raise DataError(msg) from None
    except UnicodeDecodeError:
        msg = f"{file}: is no text; name the outline of the study area as .geojson or .csv"
        raise DataError(msg) from None
    try:
        return _polygons(file, text) if text.lstrip()[:1] == "{" else _ring(file, text)
    except csv.Error as error:
        msg = f"{file}: is no readable table of corners ({error}); write the outline again"
        raise DataError(msg) from None


def _polygons(file: Path, text: str) -> BaseGeometry:
    """Return the union of all polygons of a GeoJSON text."""
    import shapely
    from shapely.geometry import shape

    try:
        content = parse_json(text)
        parts = [shape(geometry) for geometry in _geometries(content)]
    except (*_MALFORMED, shapely.errors.ShapelyError) as error:
        msg = f"{file}: is no valid GeoJSON ({type(error).__name__}); write the area as a Polygon or MultiPolygon"
        raise DataError(msg) from None
    areas = [part for part in parts if part.geom_type in {"Polygon", "MultiPolygon"}]
    if not areas:
        types = ", ".join(sorted({part.geom_type for part in parts})) or "nothing"
        msg = f"{file}: must hold a Polygon or MultiPolygon, found {types}; write the outline of the study area as a polygon"
        raise DataError(msg)
    try:
        union: BaseGeometry = shapely.union_all(areas)
    except shapely.errors.ShapelyError:
        msg = f"{file}: holds polygons that cannot be joined; repair rings that cross themselves and positions that are no numbers"
        raise DataError(msg) from None
    return union


def _geometries(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all geometries of a GeoJSON object, collections unpacked."""
    if content["type"] == "FeatureCollection":
        return [geometry for feature in content["features"] for geometry in _geometries(feature)]
    if content["type"] == "Feature":
        return [content["geometry"]]
    if content["type"] == "GeometryCollection":
        return list(content["geometries"])
    return [content]


def _ring(file: Path, text: str) -> NDArray[np.float64]:
    """Return the ring of a CSV text."""
    rows = csv.DictReader(text.splitlines())
    names = {name.strip().lower(): name for name in rows.fieldnames or ()}
    if not {"lon", "lat"} <= names.keys():
        msg = (
            f"{file}: must have the columns lon and lat, found {', '.join(rows.fieldnames or ()) or 'none'}; rename them, or write GeoJSON"
        )
        raise DataError(msg)
    corners: list[tuple[float, ...]] = []
    for line, row in enumerate(rows, start=2):
        corner = tuple(_number(row[names[column]]) for column in ("lon", "lat"))
        if not (math.isfinite(corner[0]) and math.isfinite(corner[1])):
            msg = f"{file}: lon and lat must be numbers, and are not on line {line}; mend the line or drop it"
            raise DataError(msg)
        corners.append(corner)
    if len(set(corners)) < _FEWEST_CORNERS:
        msg = f"{file}: an outline needs at least {_FEWEST_CORNERS} different corners, found {len(set(corners))}; one corner a row"
        raise DataError(msg)
    return np.array(corners, dtype=np.float64)


def _number(text: str | None) -> float:
    """Return a field as a number, NaN if it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
