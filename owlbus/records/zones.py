"""Zones that records name instead of positions: polygons or centroids, by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

NO_ZONE, UNKNOWN_ZONE = -3, -4
"""Index of a row that names no zone, or one that the table does not have."""


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
    """

    name: str
    ids: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    parts: NDArray[np.object_]
    zone: NDArray[np.int32]
    weight: NDArray[np.float64]

    def index_of(self, ids: pl.Series) -> NDArray[np.int32]:
        """Return the zone of each id, shape (n,), `NO_ZONE` where missing and `UNKNOWN_ZONE` where the table lacks it."""
        raise NotImplementedError


def read_zones(zones: Any, zone_id: str | None = None, zone_weights: str | None = None, crs: str | None = None) -> ZoneTable:  # noqa: ANN401 - a path or any frame
    """
    Read a table of zones.

    Parameters
    ----------
    zones
        Polygons in any GIS format, or a table of centroids; a path or a frame.
    zone_id
        Column of ids.
    zone_weights
        Column of weights of the parts of a zone.
    crs
        Coordinate reference system of a table of centroids that is not in degrees.

    Returns
    -------
    ZoneTable
        Zones in lon/lat.

    Raises
    ------
    DataError
        If the table cannot be read, or lacks a column.
    """
    msg = f"{zones}: zones cannot be read yet"
    raise DataError(msg)
