"""Raster of a city's terrain: land, water, mountain or outside, and the nearest mast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from owlbus.sample.street_places import read_places

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from owlbus.sample.city import City

    Floats = NDArray[np.float64]

LAND: Final = 0
MOUNTAIN: Final = 1
WATER: Final = 2
OUTSIDE: Final = 3

DECIMALS: Final = 5
"""Decimals of every position in the records: about 1 m."""

RIVER_HALF_M = 450.0

STREET_REACH_M: Final = 200.0
"""Distance to a place where buses halt at which the density of homes falls to 1/e, metres."""

_CELL_M = 100.0
_MARGIN_M = 3_000.0
_RIM_M = 500.0
_METRES_A_DEGREE = 111_195.0


@dataclass(frozen=True, slots=True)
class Plane:
    """
    Equirectangular projection around a point, metres; error about 0.3 % over a city.

    Attributes
    ----------
    lon, lat
        Centre, degrees.
    """

    lon: float
    lat: float

    @classmethod
    def of(cls, city: City) -> Plane:
        """
        Return the plane of a city.

        Parameters
        ----------
        city
            The city.

        Returns
        -------
        Plane
            Centred on the middle of the outline's bounding box.
        """
        low, high = city.outline.min(axis=0), city.outline.max(axis=0)
        return cls(float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)

    def to_xy(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """
        Convert degrees to metres.

        Parameters
        ----------
        lon, lat
            Degrees, shape (n,).

        Returns
        -------
        x, y
            Metres, shape (n,).
        """
        return (lon - self.lon) * self._east_m, (lat - self.lat) * _METRES_A_DEGREE

    def to_lonlat(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """
        Convert metres to degrees, rounded to `DECIMALS`.

        Parameters
        ----------
        x, y
            Metres, shape (n,).

        Returns
        -------
        lon, lat
            Degrees, shape (n,).
        """
        return np.round(self.lon + x / self._east_m, DECIMALS), np.round(self.lat + y / _METRES_A_DEGREE, DECIMALS)

    @property
    def _east_m(self) -> float:
        """Metres of one degree of longitude."""
        return _METRES_A_DEGREE * float(np.cos(np.radians(self.lat)))


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """
    Raster of square cells over a city, for fast lookup.

    Attributes
    ----------
    west_m, south_m
        South-west corner of the raster, metres.
    code
        Terrain code of each cell, uint8, shape (rows, columns).
    near
        Whether the cell lies within `_RIM_M` of the outline or inside it, bool, same shape.
    nearness
        Probability that a point drawn in the cell is kept, float64, same shape; falls with the distance to the nearest place of the
        street network, 1 without one.
    mast
        Nearest mast of each cell's centre, int32, same shape; -1 before masts are placed.
    """

    west_m: float
    south_m: float
    code: NDArray[np.uint8]
    near: NDArray[np.bool_]
    nearness: Floats
    mast: NDArray[np.int32]

    def code_at(self, x: Floats, y: Floats) -> NDArray[np.uint8]:
        """
        Return the terrain code at points: `LAND`, `MOUNTAIN`, `WATER` or `OUTSIDE`.

        Parameters
        ----------
        x, y
            Metres, shape (n,); points outside the raster use the nearest cell.

        Returns
        -------
        ndarray of uint8
            Shape (n,).
        """
        return self.code[self._cell(x, y)]

    def mast_at(self, x: Floats, y: Floats) -> NDArray[np.int32]:
        """
        Return the mast nearest to each point.

        Parameters
        ----------
        x, y
            Metres, shape (n,).

        Returns
        -------
        ndarray of int32
            Mast nearest to the cell of each point, shape (n,).
        """
        return self.mast[self._cell(x, y)]

    def is_home(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """
        Return whether points can be homes: on land, inside the outline or within 500 m of it.

        Parameters
        ----------
        x, y
            Metres, shape (n,).

        Returns
        -------
        ndarray of bool
            Shape (n,).
        """
        cell = self._cell(x, y)
        return self.near[cell] & np.isin(self.code[cell], (LAND, OUTSIDE))

    def keeps(self, rng: Generator, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """
        Draw whether points are kept, by their distance to the streets.

        Parameters
        ----------
        rng
            Random generator.
        x, y
            Metres, shape (n,).

        Returns
        -------
        ndarray of bool
            Shape (n,); all True without a street network.
        """
        kept: NDArray[np.bool_] = rng.random(len(x)) < self.nearness[self._cell(x, y)]
        return kept

    def random_land(self, rng: Generator, n: int) -> Floats:
        """
        Draw points uniformly from the land inside the outline.

        Parameters
        ----------
        rng
            Random generator.
        n
            Number of points.

        Returns
        -------
        ndarray of float64
            x and y in metres, shape (2, n).
        """
        row, column = np.nonzero(self.code == LAND)
        cells = rng.integers(len(row), size=n)
        jitter = rng.random((2, n))
        return np.stack([self.west_m + (column[cells] + jitter[0]) * _CELL_M, self.south_m + (row[cells] + jitter[1]) * _CELL_M])

    def with_masts(self, x: Floats, y: Floats) -> Terrain:
        """
        Return the terrain with the nearest mast of each cell.

        Parameters
        ----------
        x, y
            Masts, metres, shape (m,).

        Returns
        -------
        Terrain
            Terrain with masts.
        """
        from scipy.spatial import cKDTree

        centre_x, centre_y = _centres(self.west_m, self.south_m, self.code.shape)
        _, nearest = cKDTree(np.column_stack([x, y])).query(np.column_stack([centre_x.ravel(), centre_y.ravel()]))
        return replace(self, mast=np.asarray(nearest, dtype=np.int32).reshape(self.code.shape))

    def _cell(self, x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of points, clipped to the raster."""
        rows, columns = self.code.shape
        row = np.clip((y - self.south_m) // _CELL_M, 0, rows - 1).astype(np.int64)
        return row, np.clip((x - self.west_m) // _CELL_M, 0, columns - 1).astype(np.int64)


def rasterise_terrain(city: City, plane: Plane) -> Terrain:
    """
    Return the terrain raster of a city, without masts.

    Water overrides mountain, mountain overrides outside.

    Parameters
    ----------
    city
        Outline, river, mountains and streets.
    plane
        Plane of the city.

    Returns
    -------
    Terrain
        Cells of 100 m, 3 km beyond the outline's bounding box.
    """
    import shapely
    from scipy.ndimage import distance_transform_edt

    ring = np.column_stack(plane.to_xy(city.outline[:, 0], city.outline[:, 1]))
    west, south = ring.min(axis=0) - _MARGIN_M
    columns, rows = np.ceil((ring.max(axis=0) + _MARGIN_M - (west, south)) / _CELL_M).astype(np.int64)
    x, y = _centres(west, south, (rows, columns))
    area = shapely.Polygon(ring)
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x, y)
    code = np.where(inside, LAND, OUTSIDE).astype(np.uint8)
    for lon, lat, radius_m in city.mountains:
        at_x, at_y = plane.to_xy(lon, lat)
        code[(x - at_x) ** 2 + (y - at_y) ** 2 <= radius_m**2] = MOUNTAIN
    bends = np.column_stack(plane.to_xy(city.river[:, 0], city.river[:, 1]))
    for start, end in pairwise(bends):
        code[_metres_to_segment(x, y, start, end) <= RIVER_HALF_M] = WATER
    near = distance_transform_edt(~inside) * _CELL_M <= _RIM_M
    return Terrain(float(west), float(south), code, near, _nearness(city, plane, x, y), np.full(code.shape, -1, np.int32))


def _nearness(city: City, plane: Plane, x: Floats, y: Floats) -> Floats:
    """Return the probability that a point is kept, by its distance to the nearest place where buses halt, same shape as x."""
    from scipy.spatial import cKDTree

    if city.streets is None:
        return np.ones(x.shape)
    places = read_places(city.streets)
    at = np.column_stack(plane.to_xy(places["lon"].to_numpy(), places["lat"].to_numpy()))
    metres, _ = cKDTree(at).query(np.column_stack([x.ravel(), y.ravel()]))
    kept: Floats = np.exp(-metres / STREET_REACH_M).reshape(x.shape)
    return kept


def _metres_to_segment(x: Floats, y: Floats, start: Floats, end: Floats) -> Floats:
    """Return the distance of points to a segment in metres, same shape."""
    along = end - start
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1.0), 0, 1)
    distance: Floats = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    return distance


def _centres(west_m: float, south_m: float, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the cell centres of a raster, metres, each of its shape."""
    x, y = np.meshgrid(
        west_m + (np.arange(shape[1], dtype=np.float64) + 0.5) * _CELL_M, south_m + (np.arange(shape[0], dtype=np.float64) + 0.5) * _CELL_M
    )
    return x, y
