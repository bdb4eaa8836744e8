"""Features of GeoJSON of any nesting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import parse_json
from owlbus.grid.reference_systems import to_degrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def geojson_features(document: Any) -> list[tuple[dict[str, Any], BaseGeometry | None]]:  # noqa: ANN401 - JSON has any type
    """
    Return the features of a GeoJSON document.

    Parameters
    ----------
    document
        FeatureCollection, feature, geometry, or a list of them.

    Returns
    -------
    list of tuple
        Properties, and geometry in lon/lat degrees by the system that the document states, None for none; of each feature.

    Raises
    ------
    DataError
        If a geometry is broken or the stated system unknown; the message names no file.
    """
    content = {"type": "FeatureCollection", "features": document} if isinstance(document, list) else document
    crs = _stated_system(content if isinstance(content, dict) else {})
    found = enumerate(_rows(content, {}), start=1)
    return [(properties, _shape(geometry, number, crs)) for number, (properties, geometry) in found]


def parse_geojson(text: str) -> Any:  # noqa: ANN401 - JSON has any type
    """
    Parse GeoJSON, one object or one a line.

    Parameters
    ----------
    text
        JSON, or a JSON text sequence.

    Returns
    -------
    Any
        The value; a list of the values of the lines of a sequence.

    Raises
    ------
    DataError
        If it is neither; the message names no file.
    """
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        try:
            return [parse_json(line) for line in text.replace("\x1e", "").splitlines() if line.strip()]
        except ValueError:
            msg = f"not valid JSON in line {error.lineno}, column {error.colno}: {error.msg}; write the file again"
            raise DataError(msg) from None
    except ValueError as error:
        msg = f"not valid JSON: {error}; write the file again"
        raise DataError(msg) from None


def _stated_system(content: dict[str, Any]) -> str | None:
    """Return the reference system that a GeoJSON object states; None for none."""
    crs = content.get("crs")
    if not crs:
        return None
    try:
        return str(crs["properties"]["name"])
    except _MALFORMED:
        msg = "its member crs names no reference system; write positions in degrees WGS 84 and leave crs out"
        raise DataError(msg) from None


def _rows(content: Any, properties: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:  # noqa: ANN401
    """Yield properties and geometry of each feature; a bare geometry is a feature without properties."""
    if not isinstance(content, dict):
        return
    kind = content.get("type")
    if kind == "FeatureCollection":
        features = content.get("features")
        for feature in features if isinstance(features, list) else []:
            yield from _rows(feature, properties)
        return
    if kind == "Feature" or (kind is None and "geometry" in content):
        known, geometry = content.get("properties"), content.get("geometry")
        yield (known if isinstance(known, dict) else {}), (geometry if isinstance(geometry, dict) else None)
        return
    if kind == "GeometryCollection" and not properties:
        members = content.get("geometries")
        for member in members if isinstance(members, list) else []:
            yield from _rows(member, properties)
        return
    if "coordinates" in content:
        yield properties, content


def in_plane(geometry: Any) -> Any:  # noqa: ANN401 - any part of a geometry
    """
    Drop heights and measures of a geometry.

    Parameters
    ----------
    geometry
        GeoJSON geometry, or a part of one.

    Returns
    -------
    Any
        The same with positions of two numbers.
    """
    if isinstance(geometry, dict):
        return {key: in_plane(value) if key in {"coordinates", "geometries"} else value for key, value in geometry.items()}
    if not isinstance(geometry, list):
        return geometry
    is_position = len(geometry) > 2 and not any(isinstance(value, list | dict) for value in geometry)  # noqa: PLR2004 - x and y
    return geometry[:2] if is_position else [in_plane(value) for value in geometry]


def _shape(geometry: dict[str, Any] | None, number: int, crs: str | None) -> Any:  # noqa: ANN401 - shapely ships no types
    """Return a geometry in degrees; None for none."""
    import shapely
    from shapely.geometry import shape

    if geometry is None:
        return None
    try:
        with np.errstate(all="ignore"):
            found = shape(in_plane(geometry))
        if crs is None:
            return found
        at = shapely.get_coordinates(found)
        return shapely.set_coordinates(found, np.column_stack(to_degrees(at[:, 0], at[:, 1], crs)))
    except UsageError:
        msg = "states a reference system that is unknown; write positions in degrees WGS 84"
        raise DataError(msg) from None
    except (*_MALFORMED, shapely.errors.ShapelyError):
        msg = f"feature {number} must have [lon, lat] positions, got a broken {str(geometry.get('type'))[:20]}; mend it"
        raise DataError(msg) from None
