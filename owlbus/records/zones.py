"""Zones that records name instead of positions: polygons or centroids, by id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.records.zone_ids import IdIndex, choose_id_column, require_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

_EQUAL_AREA = "EPSG:6933"


@dataclass(frozen=True, slots=True, eq=False)
class ZoneTable:
    """
    Zones by id.

    Attributes
    ----------
    name
        Name of the table in messages.
    ids
        Id of each zone as text, shape (Z,), unique.
    lon, lat
        A point within each zone, degrees, shape (Z,).
    parts
        Polygons or points of all zones, lon/lat degrees, shape (N,), object.
    zone
        Zone of each part, shape (N,), int32.
    weight
        Share of its zone's trips and people in each part, shape (N,), summing to 1 by zone.
    column
        Column of the ids.
    n_empty
        Rows of the table without a geometry; their ids are unknown.
    has_weights
        Whether weights are from a column, not by area.
    are_cells
        Whether zones are cells that records name, not from a table.
    """

    name: str
    ids: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    parts: NDArray[np.object_]
    zone: NDArray[np.int32]
    weight: NDArray[np.float64]
    column: str = "id"
    n_empty: int = 0
    has_weights: bool = False
    are_cells: bool = False
    _index: IdIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the ids."""
        object.__setattr__(self, "_index", IdIndex.of(self.ids))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor."""
        columns = (self.lon, self.lat, self.parts, self.zone, self.weight)
        return ZoneTable, (self.name, self.ids, *columns, self.column, self.n_empty, self.has_weights, self.are_cells)

    @property
    def n_zones(self) -> int:
        """Number of zones."""
        return len(self.ids)

    @property
    def are_points(self) -> bool:
        """Whether all zones are given by centroids."""
        import shapely

        return bool((shapely.get_dimensions(self.parts) == 0).all())

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 of ids, parts and weights."""
        import shapely

        digest = hashlib.sha256(repr((self.ids, self.zone.tolist(), self.weight.tolist())).encode())
        for part in shapely.to_wkb(self.parts):
            digest.update(part)
        return digest.hexdigest()[:16]

    def index_of(self, ids: pl.Series) -> NDArray[np.int32]:
        """Return the zone of each id, shape (n,), `NO_ZONE` where missing and `UNKNOWN_ZONE` where the table lacks it."""
        return self._index.lookup(ids)

    def points_of(self, zones: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return longitude and latitude of a point in each of `zones`, degrees, shape (n,); NaN for negative indices."""
        missing = np.full(4, np.nan)  # read by the negative indices, from -1 to -4
        return np.append(self.lon, missing)[zones], np.append(self.lat, missing)[zones]


@dataclass(frozen=True, slots=True, eq=False)
class ZoneFeatures:
    """
    Rows of a table of zones, before it is known which column holds the ids.

    Attributes
    ----------
    name
        Name of the table in messages.
    shapes
        Polygons or points, valid, lon/lat degrees, shape (N,), object.
    columns
        Ids of each row as plain text, None where missing, by column.
    weights
        Weight of each row, shape (N,), finite and >= 0; None for weights by area.
    zone_id
        Column of the ids, if the user named it.
    n_empty
        Rows of the table without a geometry, left out.
    """

    name: str
    shapes: NDArray[np.object_]
    columns: Mapping[str, tuple[str | None, ...]]
    weights: NDArray[np.float64] | None = None
    zone_id: str | None = None
    n_empty: int = 0

    def fitting(self, ids: pl.Series) -> ZoneTable:
        """
        Return the zones by the column that holds the ids of records.

        Parameters
        ----------
        ids
            Ids in the records, or in a sample of them, as plain text.

        Returns
        -------
        ZoneTable
            Zones by id.

        Raises
        ------
        DataError
            If no column fits, or several do.
        """
        if self.zone_id is None:
            return self.by(choose_id_column(self.name, self.columns, ids))
        require_fit(self.name, self.zone_id, self.columns[self.zone_id], ids)
        return self.by(self.zone_id)

    def by(self, column: str) -> ZoneTable:
        """
        Return the zones by the ids in one column; rows without an id are left out.

        Parameters
        ----------
        column
            The column.

        Returns
        -------
        ZoneTable
            Rows of one id are parts of one zone, with shares by weight, else by area; equal rows are one.
        """
        import shapely

        texts = self.columns[column]
        wkb = shapely.to_wkb(shapely.normalize(self.shapes))
        rows = list({(texts[row], wkb[row]): row for row in reversed(range(len(texts))) if texts[row] is not None}.values())[::-1]
        ids = tuple(dict.fromkeys(str(texts[row]) for row in rows))
        index_of = {text: index for index, text in enumerate(ids)}
        zone = np.array([index_of[str(texts[row])] for row in rows], dtype=np.int32)
        parts = self.shapes[rows]
        weight = _shares(zone, parts, None if self.weights is None else self.weights[rows], len(ids))
        heaviest = np.lexsort((-weight, zone))[np.searchsorted(np.sort(zone), np.arange(len(ids)))]
        points = shapely.get_coordinates(shapely.point_on_surface(parts[heaviest]))
        lon, lat = (read_only(np.ascontiguousarray(axis)) for axis in points.T)
        has_weights = self.weights is not None
        return ZoneTable(self.name, ids, lon, lat, read_only(parts), read_only(zone), read_only(weight), column, self.n_empty, has_weights)


def _shares(zone: NDArray[np.int32], parts: NDArray[np.object_], weights: NDArray[np.float64] | None, n_zones: int) -> NDArray[np.float64]:
    """Return the share of each part in its zone: by weight; where there is none, by area; where that is none too, equal."""
    areas = _areas_m2(parts)
    shares = np.ones(zone.size)
    for amount in (areas, *(() if weights is None else (weights,))):
        total = np.bincount(zone, amount, n_zones)[zone]
        shares = np.where(total > 0, amount, shares)
    result: NDArray[np.float64] = shares / np.bincount(zone, shares, n_zones)[zone]
    return result


def _areas_m2(parts: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the area of each polygon in square metres, 0 for points."""
    import shapely
    from pyproj import Transformer

    flat = Transformer.from_crs("EPSG:4326", _EQUAL_AREA, always_xy=True)
    projected = shapely.transform(parts, lambda points: np.column_stack(flat.transform(points[:, 0], points[:, 1])))
    areas: NDArray[np.float64] = shapely.area(projected)
    return areas
