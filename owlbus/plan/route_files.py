"""Read drawn routes from files: GeoJSON, any GIS format, and tables of way-points."""

from __future__ import annotations

import csv
import json
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import decompress_gzip, parse_json
from owlbus.grid.gis_files import gis_layers, is_gis_file, lonlat_table
from owlbus.grid.reference_systems import to_degrees
from owlbus.plan.route_features import Feature, routes_of_features
from owlbus.plan.route_tables import routes_of_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from owlbus.plan.match_route import DrawnRoute

_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_GPX_POINTS = frozenset({"waypoints", "route_points", "track_points"})


class RouteFile(NamedTuple):
    """
    Routes of a file.

    Attributes
    ----------
    fingerprint
        Fingerprint of the network that the routes were written with; empty if the file has none.
    routes
        Routes in the file's order.
    notes
        Sentences on what was left out.
    """

    fingerprint: str
    routes: list[DrawnRoute]
    notes: tuple[str, ...] = ()


def read_route_file(source: Path) -> RouteFile:
    """
    Read the routes of a plan file.

    Parameters
    ----------
    source
        GeoJSON, any vector format that GDAL reads, GeoParquet, or CSV (gzip or not), detected by content.

    Returns
    -------
    RouteFile
        Routes in lon/lat degrees.

    Raises
    ------
    DataError
        If the file is absent, broken or empty; its message does not name the file.
    """
    try:
        if is_gis_file(source):
            return _read_gis(source)
        text = _text(source)
        return _read_geojson(text) if text.lstrip()[:1] == "{" else RouteFile("", routes_of_table(text))
    except csv.Error as error:
        msg = f"is no readable table of way-points ({error}); write the file again"
        raise DataError(msg) from None


def _text(source: Path) -> str:
    """Text of a file, decompressed if it is gzip."""
    data = source.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = decompress_gzip(data, source.name)
        return data.decode("utf-8-sig")
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        msg = f"a plan must be UTF-8 text, plain or as whole gzip, got {type(error).__name__}; write the file again"
        raise DataError(msg) from None


def _read_gis(source: Path) -> RouteFile:
    """Routes of all layers of a GIS file."""
    import shapely

    layers = gis_layers(source, source.name)
    if len(layers) > 1:
        layers = [layer for layer in layers if layer not in _GPX_POINTS] or layers
    features: list[Feature] = []
    for layer in layers:
        table = lonlat_table(source, source.name, layer)
        shapes = shapely.from_wkb(np.array(table.column("geometry").to_pylist(), dtype=object), on_invalid="ignore")
        rows = table.drop_columns(["geometry"]).to_pylist()
        features += [Feature(len(features) + k, row, shape) for k, (row, shape) in enumerate(zip(rows, shapes, strict=True), start=1)]
    if not features:
        msg = "holds no features; a plan needs at least one line"
        raise DataError(msg)
    fingerprints = {str(row.properties.get("network")) for row in features if row.properties.get("network")}
    routes, notes = routes_of_features(features)
    return RouteFile(fingerprints.pop() if len(fingerprints) == 1 else "", routes, notes)


def _read_geojson(text: str) -> RouteFile:
    """Routes of GeoJSON of any nesting."""
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        msg = f"not valid JSON in line {error.lineno}, column {error.colno}: {error.msg}; write the file again"
        raise DataError(msg) from None
    except ValueError as error:
        msg = f"not valid JSON: {error}; write the file again"
        raise DataError(msg) from None
    content: dict[str, Any] = document if isinstance(document, dict) else {}
    crs = _stated_system(content)
    found = list(_geojson_features(content, {}))
    features = [Feature(number, properties, _shape(geometry, number, crs)) for number, (properties, geometry) in enumerate(found, start=1)]
    routes, notes = routes_of_features(features)
    return RouteFile(str(content.get("network", "")), routes, notes)


def _stated_system(content: dict[str, Any]) -> str | None:
    """Return the reference system that a GeoJSON object states; None for none."""
    crs = content.get("crs")
    if not crs:
        return None
    try:
        return str(crs["properties"]["name"])
    except _MALFORMED:
        msg = "its member crs names no reference system; write the plan in degrees WGS 84 and leave crs out"
        raise DataError(msg) from None


def _geojson_features(content: Any, properties: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:  # noqa: ANN401
    """Yield properties and geometry of each feature; a bare geometry is a feature without properties."""
    if not isinstance(content, dict):
        return
    kind = content.get("type")
    if kind == "FeatureCollection":
        features = content.get("features")
        for feature in features if isinstance(features, list) else []:
            yield from _geojson_features(feature, properties)
        return
    if kind == "Feature" or (kind is None and "geometry" in content):
        known, geometry = content.get("properties"), content.get("geometry")
        yield (known if isinstance(known, dict) else {}), (geometry if isinstance(geometry, dict) else None)
        return
    if kind == "GeometryCollection" and not properties:
        members = content.get("geometries")
        for member in members if isinstance(members, list) else []:
            yield from _geojson_features(member, properties)
        return
    if "coordinates" in content:
        yield properties, content


def _shape(geometry: dict[str, Any] | None, number: int, crs: str | None) -> Any:  # noqa: ANN401 - shapely ships no types
    """Return a geometry in degrees; None for none."""
    import shapely
    from shapely.geometry import shape

    if geometry is None:
        return None
    try:
        found = shapely.force_2d(shape(geometry))
        if crs is None:
            return found
        at = shapely.get_coordinates(found)
        return shapely.set_coordinates(found, np.column_stack(to_degrees(at[:, 0], at[:, 1], crs)))
    except UsageError:
        msg = "states a reference system that is unknown; write the plan in degrees WGS 84"
        raise DataError(msg) from None
    except (*_MALFORMED, shapely.errors.ShapelyError):
        msg = f"feature {number} must be a LineString of [lon, lat] positions, got a broken {str(geometry.get('type'))[:20]}; mend it"
        raise DataError(msg) from None
