"""Merge nearby stops, such as platforms and both sides of a street; and lay a grid around stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import RADIUS_M
from owlbus.common.errors import DataError
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_WIDER = 1.25
_MARGIN_M = 500.0


def merged_stops(x: Floats, y: Floats, weight: Ints, merge_m: float) -> Ints:
    """
    Point that each point is merged into, by distance in metres.

    Points come in the order of weight, the heaviest first. A point farther than `merge_m` from all merged stops becomes one. In the
    end every point joins the nearest merged stop. Ties go to the lower point.

    Parameters
    ----------
    x, y
        Metres, shape (n,).
    weight
        Weight of each point, such as the number of buses that stop there, shape (n,).
    merge_m
        Metres, boundary included.

    Returns
    -------
    ndarray of int64
        Index of the merged stop of each point, shape (n,).

    Examples
    --------
    >>> merged_stops(np.array([0.0, 60.0, 120.0]), np.zeros(3), np.array([1, 5, 1]), 60.0).tolist()
    [1, 1, 1]
    """
    from scipy.spatial import cKDTree

    xy = np.stack([x, y], axis=1).reshape(-1, 2)
    neighbours = cKDTree(xy).query_ball_point(xy, merge_m + 1e-6) if len(xy) else []
    is_merged = np.zeros(len(xy), dtype=np.bool_)
    for point in np.lexsort((np.arange(len(xy)), -weight)).tolist():
        is_merged[point] = not is_merged[neighbours[point]].any()
    merged = np.flatnonzero(is_merged)
    if not merged.size:
        return merged.astype(np.int64)
    _, nearest = cKDTree(xy[merged]).query(xy)
    return np.asarray(merged[nearest], dtype=np.int64)


def merge_to_limit(x: Floats, y: Floats, weight: Ints, merge_m: float, max_stops: int) -> tuple[Ints, float]:
    """
    Point that each point is merged into, for at most `max_stops` merged stops, and the merge distance in metres.

    Parameters
    ----------
    x, y
        Metres, shape (n,).
    weight
        Weight of each point, shape (n,).
    merge_m
        First merge distance in metres; each further try multiplies it by 1.25.
    max_stops
        Largest number of merged stops.

    Returns
    -------
    tuple
        Result of `merged_stops`, and the metres.
    """
    while True:
        merged_into = merged_stops(x, y, weight, merge_m)
        if np.unique(merged_into).size <= max_stops:
            return merged_into, merge_m
        merge_m = max(merge_m, 10.0) * _WIDER


def grid_around(lon: Floats, lat: Floats, radius_m: float = RADIUS_M) -> HexGrid:
    """
    Planar hex grid over the convex hull of points, with a margin of 500 m.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,).
    radius_m
        Circumradius of a hex in metres.

    Returns
    -------
    HexGrid
        The grid.

    Raises
    ------
    DataError
        If there is no point.
    """
    from shapely import MultiPoint

    if not lon.size:
        msg = "a grid needs stops to lie around, got none; pass an area"
        raise DataError(msg)
    middle = np.array([float(lon.mean()), float(lat.mean())])
    scale = np.array([111_320.0 * np.cos(np.radians(middle[1])), 111_320.0])
    hull = MultiPoint((np.stack([lon, lat], axis=1) - middle) * scale).convex_hull.buffer(_MARGIN_M, quad_segs=4)
    return HexGrid.cover((np.asarray(hull.exterior.coords) / scale + middle).round(6), radius_m)
