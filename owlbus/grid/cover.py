"""Hexes that cover an outline, planar or H3."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.frames import is_column_of_geometry
from owlbus.grid import projection

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

    Axial = tuple[NDArray[np.int32], NDArray[np.int32]]

_LONLAT = "EPSG:4326"
_MAX_CANDIDATES = 2_000_000
_CHUNK_HEXES = 100_000
_DISTANCE_DECIMALS = 6
_OVERLAP_DECIMALS = 3
_MIN_H3, _MAX_H3 = 5, 11
_MAX_SAMPLES = 4_000
_MIN_SAMPLES = 127


def outline_polygon(outline: ArrayLike | BaseGeometry | gpd.GeoDataFrame | gpd.GeoSeries) -> BaseGeometry:
    """
    Validate an outline and return it as a shapely area in lon/lat.

    Parameters
    ----------
    outline
        Ring of lon/lat in degrees, of shape (n, 2), a shapely polygon or multipolygon, or polygons of a GeoDataFrame or GeoSeries.

    Returns
    -------
    Polygon or MultiPolygon
        Valid and of positive area.

    Raises
    ------
    DataError
        If it is not a valid area inside lon [-180, 180] and lat [-90, 90].
    """
    import shapely

    outline = _union(outline) if is_column_of_geometry(outline) else outline
    area = outline if isinstance(outline, shapely.Geometry) else _ring_polygon(outline)
    if area.geom_type not in {"Polygon", "MultiPolygon"} or area.is_empty:
        msg = f"an outline must be a polygon or multipolygon, got {'an empty ' if area.is_empty else ''}{area.geom_type}"
        raise DataError(msg)
    west, south, east, north = area.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004  # degrees
        msg = (
            f"an outline must keep lon in [-180, 180] and lat in [-90, 90], got lon {west:g} to {east:g} and lat {south:g} to {north:g}; "
            "lon comes before lat"
        )
        raise DataError(msg)
    if not area.is_valid or not area.area > 0:
        msg = f"an outline must be a valid area, got: {shapely.is_valid_reason(area)}; repair it first"
        raise DataError(msg)
    return area


def _union(frame: Any) -> BaseGeometry:  # noqa: ANN401 - geopandas ships no types
    """Return the polygons of a GeoDataFrame or GeoSeries as one area in lon/lat; missing and other geometries are left out."""
    import shapely

    if frame.crs is not None:
        frame = frame.to_crs(_LONLAT)
    shapes = [shape for shape in frame.geometry if shape is not None and shape.geom_type in {"Polygon", "MultiPolygon"}]
    if not shapes:
        types = ", ".join(sorted({str(kind) for kind in frame.geometry.geom_type.dropna()})) or "nothing"
        msg = f"an outline must hold a Polygon or MultiPolygon, got {types}; name the study area as polygons"
        raise DataError(msg)
    union: BaseGeometry = shapely.union_all(shapely.make_valid(np.array(shapes, dtype=object)))
    return union


def _ring_polygon(outline: ArrayLike) -> BaseGeometry:
    """Return the polygon of a ring of points."""
    import shapely

    points = np.asarray(outline, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:  # noqa: PLR2004  # a triangle at least
        msg = f"an outline must have shape (n, 2) with n >= 3, got {points.shape}"
        raise DataError(msg)
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        msg = f"an outline must be finite, broken in row {int(np.argmin(finite))} ({int((~finite).sum())} such rows)"
        raise DataError(msg)
    return shapely.Polygon(points)


def projected(area: BaseGeometry, crs: str) -> BaseGeometry:
    """
    Project an area.

    Parameters
    ----------
    area
        Area in lon/lat.
    crs
        PROJ text of the projection.

    Returns
    -------
    Polygon or MultiPolygon
        In metres.

    Raises
    ------
    DataError
        If it is too wide for the projection.
    """
    import shapely

    flat: BaseGeometry = shapely.transform(area, lambda points: np.stack(projection.project(crs, points[:, 0], points[:, 1]), axis=1))
    if not np.isfinite(flat.bounds).all():
        west, south, east, north = area.bounds
        extent = f"lon {west:g} to {east:g} and lat {south:g} to {north:g}"
        msg = f"an outline must fit one local projection, got {extent}; take one city, and drop positions far from it"
        raise DataError(msg)
    return flat


def _candidates(flat: BaseGeometry, radius_m: float, margin_m: float) -> Axial:
    """Return axial coordinates of all hexes with their centre in the area's bounding box plus a margin, sorted by (r, q)."""
    west, south, east, north = flat.bounds
    low_r, high_r = int(np.floor((south - margin_m) / (1.5 * radius_m))), int(np.ceil((north + margin_m) / (1.5 * radius_m)))
    step = projection.SQRT3 * radius_m
    n_columns = int(np.ceil((east - west + 2 * margin_m) / step)) + 2
    n_box = (high_r - low_r + 1) * n_columns
    if n_box > _MAX_CANDIDATES:
        msg = f"{setting('radius_m')} must leave at most {_MAX_CANDIDATES} hexes in the area's box, got {n_box}; choose larger hexes"
        raise UsageError(msg, setting="radius_m", value=radius_m)
    r = np.repeat(np.arange(low_r, high_r + 1), n_columns)
    first = np.floor((west - margin_m) / step - np.arange(low_r, high_r + 1) * 0.5).astype(np.int64)
    q = (first[:, None] + np.arange(n_columns)).reshape(-1)
    return q.astype(np.int32), r.astype(np.int32)


def _polygons(q: NDArray[np.int32], r: NDArray[np.int32], radius_m: float) -> NDArray[np.object_]:
    """Return shapely polygons of hexes, metres."""
    import shapely

    return np.asarray(shapely.polygons(projection.corners_m(*projection.centres_m(q, r, radius_m), radius_m)))


def touching_hexes(flat: BaseGeometry, radius_m: float) -> Axial:
    """
    Return the hexes that touch an area, boundary included.

    Parameters
    ----------
    flat
        Area in metres.
    radius_m
        Circumradius in metres.

    Returns
    -------
    tuple of ndarray of int32
        q and r, sorted by (r, q).
    """
    import shapely

    q, r = _candidates(flat, radius_m, 2 * radius_m)
    shapely.prepare(flat)
    touch: NDArray[np.bool_] = shapely.contains_xy(flat, *projection.centres_m(q, r, radius_m))
    others = np.flatnonzero(~touch)
    touch[others] = _by_chunk(lambda hexes: shapely.intersects(flat, hexes), q[others], r[others], radius_m)
    return q[touch], r[touch]


def nearest_hexes(flat: BaseGeometry, radius_m: float, n_hexes: int) -> Axial:
    """
    Return the hexes whose polygons are nearest to an area.

    Distances are rounded to a micrometre; ties go to the larger overlap (to 0.001 square metres), then to the lower (r, q).

    Parameters
    ----------
    flat
        Area in metres.
    radius_m
        Circumradius in metres.
    n_hexes
        Number of hexes.

    Returns
    -------
    tuple of ndarray of int32
        q and r, sorted by (r, q).
    """
    import shapely

    reach_m = 4 * radius_m
    while True:
        q, r = _candidates(flat, radius_m, reach_m)
        shapely.prepare(flat)
        distance = np.round(_by_chunk(lambda hexes: shapely.distance(hexes, flat), q, r, radius_m), _DISTANCE_DECIMALS)
        if (distance <= reach_m - 2 * radius_m).sum() >= n_hexes:
            break
        reach_m *= 2
    touch = np.flatnonzero(distance == 0)
    overlap = np.zeros(q.size)
    if touch.size > n_hexes:  # else all touching hexes are kept
        areas = _by_chunk(lambda hexes: shapely.area(shapely.intersection(hexes, flat)), q[touch], r[touch], radius_m)
        overlap[touch] = np.round(areas, _OVERLAP_DECIMALS)
    order = np.lexsort((np.arange(q.size), -overlap, distance))
    keep = np.sort(order[:n_hexes])
    return q[keep], r[keep]


def _by_chunk(
    measure: Callable[[NDArray[np.object_]], NDArray[Any]], q: NDArray[np.int32], r: NDArray[np.int32], radius_m: float
) -> NDArray[Any]:
    """Return `measure` of the polygons of hexes in metres, shape (n,); chunks bound the memory."""
    chunks = [slice(low, low + _CHUNK_HEXES) for low in range(0, q.size, _CHUNK_HEXES)]
    return np.concatenate([measure(_polygons(q[chunk], r[chunk], radius_m)) for chunk in chunks])


def h3_cells(area: BaseGeometry, resolution: int) -> list[str]:
    """
    Return the H3 cells that touch an area, sorted by index.

    Parameters
    ----------
    area
        In lon/lat.
    resolution
        H3 resolution, 5 to 11.

    Returns
    -------
    list of str
        Cell indices.

    Raises
    ------
    DataError
        If a pentagon is among them, or the area is too large for one local projection.
    UsageError
        If `resolution` is out of range, or the area's bounding box holds too many cells.
    """
    import h3
    import shapely

    if not _MIN_H3 <= resolution <= _MAX_H3:
        msg = f"{setting('resolution')} must lie in [{_MIN_H3}, {_MAX_H3}], got {resolution}"
        raise UsageError(msg, setting="resolution", value=resolution, allowed=(_MIN_H3, _MAX_H3))
    west, south, east, north = projected(area, projection.local_crs(area.centroid.x, area.centroid.y)).bounds
    n_box = round((east - west) * (north - south) / h3.average_hexagon_area(resolution, "m^2"))
    if n_box > _MAX_CANDIDATES:  # H3 takes minutes on very large areas
        msg = (
            f"{setting('resolution')} must leave at most {_MAX_CANDIDATES} hexes in the area's box, got about {n_box}; choose a coarser one"
        )
        raise UsageError(msg, setting="resolution", value=resolution)
    cells = sorted(h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(shapely.geometry.mapping(area)), resolution, contain="overlap"))
    if any(h3.is_pentagon(cell) for cell in cells):
        msg = f"an H3 grid must hold no pentagon, got {next(cell for cell in cells if h3.is_pentagon(cell))}; use a planar grid there"
        raise DataError(msg)
    return cells


def h3_axial(cells: list[str]) -> tuple[str, NDArray[np.int32], NDArray[np.int32]]:
    """
    Return anchor and axial coordinates of H3 cells: q is the local i, r is minus the local j.

    Parameters
    ----------
    cells
        Cell indices.

    Returns
    -------
    tuple
        Anchor cell, q and r, sorted by (r, q).

    Raises
    ------
    DataError
        If H3 has no local coordinates there (near a pentagon).
    """
    import h3

    anchor = cells[len(cells) // 2]
    try:
        local = np.array([h3.cell_to_local_ij(anchor, cell) for cell in cells], dtype=np.int64)
    except h3.H3BaseException as error:
        msg = f"H3 has no local coordinates around {anchor}; use a planar grid there"
        raise DataError(msg) from error
    q, r = local[:, 0].astype(np.int32), (-local[:, 1]).astype(np.int32)
    order = np.lexsort((q, r))
    return anchor, q[order], r[order]


def cells_of_axial(anchor: str, q: NDArray[np.int32], r: NDArray[np.int32]) -> NDArray[np.str_]:
    """
    Return the H3 cells of axial coordinates.

    Parameters
    ----------
    anchor
        Origin of the local coordinates.
    q, r
        Axial coordinates, shape (n,).

    Returns
    -------
    ndarray of str
        Cell indices, shape (n,).

    Raises
    ------
    DataError
        If the anchor is not an H3 cell or a coordinate has no cell.
    """
    import h3

    try:
        return np.array([h3.local_ij_to_cell(anchor, i, -j) for i, j in zip(q.tolist(), r.tolist(), strict=True)])
    except (h3.H3BaseException, ValueError) as error:
        msg = f"an H3 grid needs an anchor cell and coordinates around it, got anchor {anchor!r}"
        raise DataError(msg) from error


def h3_radius_m(cells: list[str]) -> float:
    """
    Return the mean circumradius of H3 cells in metres, as of regular hexagons of equal area.

    Parameters
    ----------
    cells
        Cell indices.

    Returns
    -------
    float
        Metres, rounded to 0.001.
    """
    import h3

    area = float(np.mean([h3.cell_area(cell, unit="m^2") for cell in cells]))
    return round(math.sqrt(area * 2 / (3 * projection.SQRT3)), 3)


def h3_centres(cells: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the centres of H3 cells in degrees.

    Parameters
    ----------
    cells
        Cell indices, shape (n,).

    Returns
    -------
    tuple of ndarray of float64
        lon and lat in degrees, each of shape (n,).
    """
    import h3

    latlng = np.array([h3.cell_to_latlng(cell) for cell in cells.tolist()])
    return np.ascontiguousarray(latlng[:, 1]), np.ascontiguousarray(latlng[:, 0])


def h3_boundaries(cells: NDArray[np.str_]) -> NDArray[np.float64]:
    """
    Return the six corners of H3 cells in degrees, anticlockwise; extra corners on icosahedron edges are dropped.

    Parameters
    ----------
    cells
        Cell indices, shape (n,).

    Returns
    -------
    ndarray of float64
        lon and lat in degrees, shape (n, 6, 2).
    """
    import h3

    return np.array([_six_corners(np.array(h3.cell_to_boundary(cell))) for cell in cells.tolist()])[..., ::-1].copy()


def _six_corners(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a ring without its flattest corners, until six remain."""
    while len(ring) > 6:  # noqa: PLR2004  # a hexagon
        before, after = np.roll(ring, 1, axis=0) - ring, np.roll(ring, -1, axis=0) - ring
        turn = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        ring = np.delete(ring, int(np.argmin(turn)), axis=0)
    return ring


def h3_samples(anchor: str, cells: NDArray[np.str_], frame: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return scaled centres and skew coordinates of the cells in and around a grid, to fit a polynomial to.

    Inside one icosahedron face the cells are exact hexagons of one plane; across an edge the fit has a large residual.

    Parameters
    ----------
    anchor
        Origin of the local coordinates.
    cells
        Cells of the grid, shape (n,).
    frame
        Box from `projection.frame_of`.

    Returns
    -------
    tuple of ndarray of float64
        Scaled positions (m, 2) and skew coordinates (m, 2).
    """
    import h3

    step = max(1, len(cells) // _MAX_SAMPLES)
    samples = {neighbour for cell in cells[::step].tolist() for neighbour in h3.grid_disk(cell, 2)}
    rings = 2
    while len(samples) < _MIN_SAMPLES:
        rings += 2
        samples |= set(h3.grid_disk(anchor, rings))
    sample_cells = np.array(sorted(samples))
    local = np.array([h3.cell_to_local_ij(anchor, cell) for cell in sample_cells.tolist()], dtype=np.float64)
    lon, lat = h3_centres(sample_cells)
    scaled = np.stack([(lon - frame[0]) * frame[2], (lat - frame[1]) * frame[3]], axis=1)
    q, r = local[:, 0], -local[:, 1]
    return scaled, np.stack([2 * q + r, r - q], axis=1)


def h3_lookup(cells: NDArray[np.str_], lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int32]:
    """
    Return the hex index of each point by H3, about a million points a second.

    Parameters
    ----------
    cells
        Cells of the grid in index order, shape (n_hexes,).
    lon, lat
        Degrees, shape (n,).

    Returns
    -------
    ndarray of int32
        Shape (n,), -1 outside the grid and for non-finite positions.
    """
    import h3

    index = {cell: i for i, cell in enumerate(cells.tolist())}
    resolution = h3.get_resolution(str(cells[0]))
    usable = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)  # noqa: PLR2004  # degrees; False for NaN
    hexes = np.full(lon.size, -1, dtype=np.int32)
    rows = np.flatnonzero(usable)
    points = zip(lat[rows].tolist(), lon[rows].tolist(), strict=True)
    hexes[rows] = [index.get(h3.latlng_to_cell(y, x, resolution), -1) for y, x in points]
    return hexes
