"""Polygons laid over the hexes of a grid: the share of each polygon in each hex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.grid import projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid

_LEAST_SHARE = 1e-9


def shares_in_hexes(grid: HexGrid, shapes: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """
    Return the share of each polygon's area in each hex; a point is in one hex whole.

    Parameters
    ----------
    grid
        The hexes.
    shapes
        Valid polygons or points, lon/lat degrees, shape (n,).

    Returns
    -------
    shape
        Index of the polygon or point of each share, shape (m,), int64.
    hex
        Hex of each share, shape (m,), int32; sorted by shape, then hex.
    share
        Share of the area, 0 to 1, shape (m,); the shares of a polygon sum to less than 1 where it reaches out of the grid.

    Examples
    --------
    >>> import shapely
    >>> from owlbus.grid.hexgrid import HexGrid
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
    >>> shape, hexes, share = shares_in_hexes(grid, np.array([shapely.box(0, 0, 0.02, 0.02)]))
    >>> round(share.sum(), 9)
    np.float64(1.0)
    """
    import shapely

    is_point = shapely.get_dimensions(shapes) == 0
    at = np.flatnonzero(is_point)
    lon, lat = shapely.get_x(shapes[at]), shapely.get_y(shapes[at])
    hex_of_point = grid.lonlat_to_hex(lon, lat) if at.size else np.empty(0, dtype=np.int32)
    areas = np.flatnonzero(~is_point)
    shape, hexes, share = _shares_of_areas(grid, shapes[areas])
    inside = hex_of_point >= 0
    shape = np.concatenate([areas[shape], at[inside]])
    hex_index = np.concatenate([hexes, hex_of_point[inside]]).astype(np.int32)
    share = np.concatenate([share, np.ones(int(inside.sum()))])
    order = np.lexsort((hex_index, shape))
    return shape[order], hex_index[order], share[order]


def _shares_of_areas(grid: HexGrid, areas: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return polygon, hex and share of area of all polygons that meet a hex, measured in the grid's projection."""
    import shapely

    flat = shapely.transform(areas, lambda points: np.column_stack(projection.project(grid.crs, points[:, 0], points[:, 1])))
    corners = grid.hex_to_boundary(np.arange(grid.n_hexes)).reshape(-1, 2)
    cells: NDArray[np.object_] = np.asarray(shapely.polygons(np.column_stack(grid.project(corners[:, 0], corners[:, 1])).reshape(-1, 6, 2)))
    usable = np.flatnonzero(np.isfinite(shapely.bounds(flat)).all(axis=1))  # polygons beyond the projection meet no hex
    broken = usable[~shapely.is_valid(flat[usable])]  # a projection can fold what is valid in degrees
    flat[broken] = shapely.make_valid(flat[broken])
    tree = shapely.STRtree(cells)
    shape, hexes = tree.query(flat[usable], predicate="intersects")
    within_shape, within = tree.query(flat[usable], predicate="contains")  # their area needs no intersection
    is_whole = np.isin(shape * grid.n_hexes + hexes, within_shape * grid.n_hexes + within)
    shape, total = usable[shape], np.zeros(flat.size)
    total[usable] = shapely.area(flat[usable])
    met = np.asarray(shapely.area(cells))[hexes]
    cut = np.flatnonzero(~is_whole)
    met[cut] = shapely.area(shapely.intersection(flat[shape[cut]], cells[hexes[cut]]))
    share = np.minimum(met / np.where(total[shape] > 0, total[shape], 1.0), 1.0)
    keep = share > _LEAST_SHARE
    return shape[keep], hexes[keep], share[keep]
