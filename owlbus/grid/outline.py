"""Outlines of study areas: any GIS file, GeoJSON, WKT, a table of corners, or a geometry of Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.text import decoded
from owlbus.grid.axes import looks_projected, swapped_axes
from owlbus.grid.geojson_features import in_plane, parse_geojson
from owlbus.grid.gis_files import is_gis_file, read_geometries
from owlbus.grid.outline_table import read_ring
from owlbus.grid.reference_systems import to_degrees

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, UsageError)
"""Errors that malformed GeoJSON causes."""

_WKT = re.compile(r"\s*(?:SRID=(\d{1,6})\s*;\s*)?((?:MULTI)?POLYGON|LINESTRING|GEOMETRYCOLLECTION)\b", re.IGNORECASE)
_CORNERS_OF_A_RING = 4


def outline_of(thing: str | PathLike[str] | ArrayLike | BaseGeometry, crs: str | None = None) -> NDArray[np.float64] | BaseGeometry:
    """
    Return the outline that a file, a GeoDataFrame, a geometry or a ring of points has.

    Parameters
    ----------
    thing
        File as for `read_area`, GeoDataFrame or GeoSeries (reprojected by its reference system), shapely geometry, or ring of lon/lat
        degrees, shape (n, 2).
    crs
        Reference system of coordinates that are not in degrees and state none.

    Returns
    -------
    ndarray of float64 or shapely geometry
        Ring of lon/lat degrees, shape (n, 2), or polygons; `HexGrid.cover` takes both.

    Raises
    ------
    DataError
        If there is no area.
    """
    import shapely

    if isinstance(thing, str | Path) or hasattr(thing, "__fspath__"):
        return read_area(thing, crs)  # type: ignore[arg-type]
    geometries = getattr(thing, "geometry", None)
    if geometries is not None and hasattr(geometries, "to_wkb"):
        system = getattr(geometries, "crs", None)
        return _joined("the outline", list(geometries.to_numpy()), None if system is None else system.to_wkt(), crs)
    if isinstance(thing, shapely.Geometry):
        return _joined("the outline", [thing], None, crs)
    ring: NDArray[np.float64] = np.asarray(thing, dtype=np.float64)
    return ring


def read_area(path: str | PathLike[str], crs: str | None = None) -> NDArray[np.float64] | BaseGeometry:
    """
    Read the outline of a study area.

    Polygons and closed lines of any GIS file (GeoJSON, shapefile, GeoPackage, GeoParquet, FlatGeobuf, KML) or of a text in WKT are
    joined, and reprojected by the reference system that the file states. CSV has one corner per row in the columns ``lon`` and ``lat``,
    in order along the ring, closed or not.

    Parameters
    ----------
    path
        The file; its format is detected by content.
    crs
        Reference system of coordinates that are not in degrees, for a file that states none.

    Returns
    -------
    ndarray of float64 or shapely geometry
        Ring of lon/lat degrees, shape (n, 2), or polygons; `HexGrid.cover` takes both.

    Raises
    ------
    DataError
        If the file is missing, has no area, or its axes look swapped.
    """
    file = Path(path)
    try:
        if is_gis_file(file):
            shapes, stated = read_geometries(file)
            return _joined(str(file), list(shapes), stated, crs)
        text = decoded(file.read_bytes())
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); name the outline of the study area as .geojson or .csv"
        raise DataError(msg) from None
    except UnicodeDecodeError:
        msg = f"{file}: is no text and no GIS file; name the outline of the study area as .geojson, .gpkg, .shp or .csv"
        raise DataError(msg) from None
    if text.lstrip("\x1e \t\r\n")[:1] in {"{", "["}:
        return _geojson(str(file), text, crs)
    if _WKT.match(text):
        return _wkt(str(file), text, crs)
    ring = read_ring(str(file), text)
    return np.column_stack(_degrees(str(file), ring[:, 0], ring[:, 1], None, crs))


def _geojson(place: str, text: str, crs: str | None) -> BaseGeometry:
    """Return the union of all polygons of a GeoJSON text."""
    import shapely
    from shapely.geometry import shape

    try:
        content = parse_geojson(text)
        content = {"type": "FeatureCollection", "features": content} if isinstance(content, list) else content
        parts = [shape(in_plane(geometry)) for geometry in _geometries(content)]
        stated = content.get("crs")
        stated = None if stated is None else str(stated["properties"]["name"])
    except DataError as error:
        msg = f"{place}: {error.template}"
        raise DataError(msg) from None
    except (*_MALFORMED, shapely.errors.ShapelyError) as error:
        msg = f"{place}: is no valid GeoJSON ({type(error).__name__}); write the area as a Polygon or MultiPolygon"
        raise DataError(msg) from None
    return _joined(place, parts, stated, crs)


def _geometries(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all geometries of a GeoJSON object, collections unpacked; features without a geometry are skipped."""
    if content["type"] == "FeatureCollection":
        for feature in content["features"]:
            yield from _geometries(feature)
    elif content["type"] == "Feature":
        if content.get("geometry") is not None:
            yield from _geometries(content["geometry"])
    elif content["type"] == "GeometryCollection":
        for geometry in content["geometries"]:
            yield from _geometries(geometry)
    else:
        yield content


def _wkt(place: str, text: str, crs: str | None) -> BaseGeometry:
    """Return the area of a text in WKT or EWKT."""
    import shapely

    begin = _WKT.match(text)
    code = begin[1] if begin else None
    try:
        with np.errstate(all="ignore"):
            area = shapely.from_wkt(text.strip().partition(";")[2] if code else text.strip())
    except (shapely.errors.ShapelyError, ValueError):
        msg = f"{place}: is no valid WKT; write the area as one POLYGON or MULTIPOLYGON"
        raise DataError(msg) from None
    return _joined(place, [area], f"EPSG:{code}" if code else None, crs)


def _joined(place: str, parts: Sequence[BaseGeometry | None], stated: str | None, crs: str | None) -> BaseGeometry:
    """Return the union of all polygons and closed lines, in degrees."""
    import shapely

    present = [part for part in parts if part is not None and not part.is_empty]
    flat = [part for whole in present for part in getattr(whole, "geoms", [whole])]
    areas = [shapely.force_2d(area) for area in map(_area, flat) if area is not None]
    if not areas:
        types = ", ".join(sorted({part.geom_type for part in parts if part is not None})) or "nothing"
        msg = f"{place}: must hold a Polygon or MultiPolygon, found {types}; write the outline of the study area as a polygon"
        raise DataError(msg)
    try:
        whole = shapely.union_all(areas)
        points = shapely.get_coordinates(whole)
        lon, lat = _degrees(place, points[:, 0], points[:, 1], stated, crs)
        union: BaseGeometry = shapely.set_coordinates(whole, np.column_stack([lon, lat]))
    except shapely.errors.ShapelyError:
        msg = f"{place}: holds polygons that cannot be joined; repair rings that cross themselves and positions that are no numbers"
        raise DataError(msg) from None
    return union


def _area(part: BaseGeometry) -> BaseGeometry | None:
    """Return the polygon of a geometry: itself, or that of a closed line; None for others."""
    import shapely

    if part.geom_type == "Polygon":
        return part
    is_ring = part.geom_type in {"LineString", "LinearRing"} and part.is_closed and len(part.coords) >= _CORNERS_OF_A_RING
    return shapely.Polygon(part.coords) if is_ring else None


def _degrees(
    place: str, x: NDArray[np.float64], y: NDArray[np.float64], stated: str | None, crs: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return corners in degrees, reprojected; reject those that look swapped or projected."""
    is_projected = looks_projected(x, y)
    if is_projected and stated is None and crs is None:
        msg = f"{place}: corners look like metres of a projected system; name it with {setting('crs', 'EPSG:25833')} or whichever it is"
        raise DataError(msg, setting="crs")
    try:
        lon, lat = to_degrees(x, y, stated or (crs if is_projected else None))
    except UsageError:
        if stated is None:
            raise
        msg = f"{place}: states a reference system that is unknown; write the outline in degrees WGS 84"
        raise DataError(msg) from None
    found = swapped_axes(lon, lat)
    if found:
        msg = f"{place}: {found}, so the two axes look swapped; write longitude before latitude"
        raise DataError(msg)
    if is_projected and not np.isfinite(lon).all():
        msg = f"{place}: corners lie outside the Earth in their reference system; check the system, and that x (east) comes first"
        raise DataError(msg)
    return lon, lat
