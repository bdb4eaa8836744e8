"""Stops that are one place to the planner: platforms, both sides of a street, neighbours within a few metres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_WIDER = 1.25
_MARGIN_M = 500.0


def merged_places(x: Floats, y: Floats, weight: Ints, merge_m: float) -> Ints:
    """
    Merge points into places; each takes the number of the point that its place is named after.

    From the heaviest point on, one that lies within `merge_m` of a place joins the nearest, else it begins a place of its
    own. So no point lies farther than that from its place, and places lie farther than that from each other. Ties go to
    the lower point.

    Parameters
    ----------
    x, y
        Metres, shape (n,).
    weight
        How much speaks for a point, such as the number of buses that halt there; shape (n,).
    merge_m
        Metres, boundary included.

    Returns
    -------
    ndarray of int64
        Point that names the place of each point, shape (n,).

    Examples
    --------
    >>> merged_places(np.array([0.0, 60.0, 120.0]), np.zeros(3), np.array([1, 5, 1]), 60.0).tolist()
    [1, 1, 1]
    """
    from scipy.spatial import cKDTree

    at = np.stack([x, y], axis=1).reshape(-1, 2)
    near = cKDTree(at).query_ball_point(at, merge_m + 1e-6) if len(at) else []
    is_place = np.zeros(len(at), dtype=np.bool_)
    for point in np.lexsort((np.arange(len(at)), -weight)).tolist():
        is_place[point] = not is_place[near[point]].any()
    places = np.flatnonzero(is_place)
    if not places.size:
        return places.astype(np.int64)
    _, nearest = cKDTree(at[places]).query(at)
    return np.asarray(places[nearest], dtype=np.int64)


def few_places(x: Floats, y: Floats, weight: Ints, merge_m: float, max_stops: int) -> tuple[Ints, float]:
    """
    Merge points into at most so many places, over longer and longer distances.

    Parameters
    ----------
    x, y
        Metres, shape (n,).
    weight
        How much speaks for a point, shape (n,).
    merge_m
        Metres to begin with; each further try takes 1.25 times as many.
    max_stops
        Number of places allowed.

    Returns
    -------
    tuple
        As `merged_places`, and the metres it took.
    """
    while True:
        place = merged_places(x, y, weight, merge_m)
        if np.unique(place).size <= max_stops:
            return place, merge_m
        merge_m = max(merge_m, 10.0) * _WIDER


def grid_around(lon: Floats, lat: Floats, radius_m: float = 500.0) -> HexGrid:
    """
    Hexes over the hull of points, with a margin of 500 m.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,).
    radius_m
        Circumradius of a hex in metres.

    Returns
    -------
    HexGrid
        Of planar hexes.

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
