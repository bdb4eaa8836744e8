"""Outline of a study area, inferred from the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.records.read_options import ReadOptions
from owlbus.records.reading import read_batches
from owlbus.records.sources import open_sources
from owlbus.records.validation import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadKeywords
    from owlbus.records.sources import Source
    from owlbus.records.zones import ZoneTable

CENTRAL_SHARE = 0.995
"""Share of positions inside the outline; distant ones are mostly errors."""

_STEPS_PER_DEGREE = 1000
_KEY_BASE = 1_000_000
_HALF_BASE = _KEY_BASE // 2
_DEGREE_M = 111_320.0
_MAX_LON, _MAX_LAT = 180.0, 85.0
_COMPACT_ROWS = 4_000_000
_MIN_POSITIONS = 3


def outline_of_records(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    central_share: float = CENTRAL_SHARE,
    margin_m: float = 500.0,
    **reading: Unpack[ReadKeywords],
) -> NDArray[np.float64]:
    """
    Return the outline of the study area: the convex hull of the central positions, or of the zones of records, plus a margin.

    Positions of both ends are rounded to 0.001 degree and weighted by trips. The central ones are nearest to the median position; ties
    are all included, so the order of rows does not matter.

    Parameters
    ----------
    paths
        Files of records, as for `owlbus.demand.estimate_demand`.
    central_share
        Share of positions inside the outline, in (0, 1].
    margin_m
        Metres added around the hull.
    **reading
        How records are to be read, as fields of `owlbus.records.read_options.ReadOptions`.

    Returns
    -------
    ndarray of float64
        Ring of longitude and latitude, shape (n, 2), closed, counter-clockwise.

    Raises
    ------
    DataError
        If fewer than three positions remain.
    UsageError
        If a number is outside its range.
    """
    from shapely import MultiPoint
    from shapely.geometry.polygon import orient

    if not 0 < central_share <= 1 or not margin_m > 0:
        msg = f"central_share must lie in (0, 1] and margin_m above 0, got {central_share:g} and {margin_m:g}"
        raise UsageError(msg)
    with open_sources(paths, ReadOptions(**reading)) as sources:
        positions, count = _counted_positions(sources)
        name = sources[0].name
        central = _central(positions, count, central_share)
        central = np.vstack([central, *(_corners_of_zones(zones, central) for zones in _tables_of_zones(sources))])
    if central.shape[0] < _MIN_POSITIONS:
        extent = f"got {central.shape[0]} and need {_MIN_POSITIONS}"
        msg = f"{name}: too few places to draw an outline around, {extent}; give one with {setting('area')}"
        raise DataError(msg)
    centre = central.mean(axis=0)
    metres = np.array([_DEGREE_M * np.cos(np.radians(centre[1])), _DEGREE_M])
    hull = orient(MultiPoint((central - centre) * metres).convex_hull.buffer(margin_m, quad_segs=4))
    ring: NDArray[np.float64] = np.asarray(hull.exterior.coords) / metres + centre
    return ring.round(6)


def _counted_positions(sources: Sequence[Source]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct rounded positions, degrees, shape (n, 2), and the trips of each; memory grows with distinct positions only."""
    keys: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    counts: list[NDArray[np.float64]] = [np.empty(0)]
    for source in sources:
        for batch in read_batches(source):
            count = batch.count if batch.count.size else np.ones(batch.n_rows)
            for lon, lat in ((batch.lon, batch.lat), (batch.to_lon, batch.to_lat)):
                use = (np.abs(lon) <= _MAX_LON) & (np.abs(lat) <= _MAX_LAT) & (count > 0) & (count <= MAX_COUNT)
                steps = np.rint(np.column_stack([lon[use], lat[use]]) * _STEPS_PER_DEGREE).astype(np.int64)
                keys.append(steps[:, 0] * _KEY_BASE + steps[:, 1] + _HALF_BASE)
                counts.append(count[use])
            if sum(key.size for key in keys) > _COMPACT_ROWS:
                key, count = _sum_by_key(keys, counts)
                keys, counts = [key], [count]
    key, count = _sum_by_key(keys, counts)
    row, column = np.divmod(key, _KEY_BASE)
    return np.column_stack([row, column - _HALF_BASE]) / _STEPS_PER_DEGREE, count


def _tables_of_zones(sources: Sequence[Source]) -> list[ZoneTable]:
    """Return the tables of zones that sources name."""
    return list({id(source.zones): source.zones for source in sources if source.zones is not None}.values())


def _corners_of_zones(zones: ZoneTable, central: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the zones whose points are among the `central` positions, degrees, shape (n, 2)."""
    import shapely

    points = np.rint(np.column_stack([zones.lon, zones.lat]) * _STEPS_PER_DEGREE) / _STEPS_PER_DEGREE
    chosen = set(map(tuple, central.tolist()))
    in_use = np.array([tuple(point) in chosen for point in points.tolist()], dtype=np.bool_)
    corners: NDArray[np.float64] = shapely.get_coordinates(shapely.convex_hull(zones.parts[in_use[zones.zone]]))
    return corners


def _sum_by_key(keys: list[NDArray[np.int64]], counts: list[NDArray[np.float64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return distinct keys and the sum of each."""
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    return key, np.bincount(inverse, np.concatenate(counts), key.size).astype(np.float64, copy=False)


def _central(positions: NDArray[np.float64], count: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the positions nearest to the median that have `share` of the count."""
    if not positions.size:
        return positions
    median = np.array([_median(positions[:, 0], count), _median(positions[:, 1], count)])
    offset = (positions - median) * np.array([np.cos(np.radians(median[1])), 1.0])
    distance = np.round(np.hypot(offset[:, 0], offset[:, 1]), 6)
    order = np.argsort(distance, kind="stable")
    running = np.cumsum(count[order])
    last = min(int(np.searchsorted(running, share * running[-1])), order.size - 1)
    return np.asarray(positions[distance <= distance[order[last]]])


def _median(values: NDArray[np.float64], count: NDArray[np.float64]) -> float:
    """Return the weighted median."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(count[order])
    return float(values[order[int(np.searchsorted(running, running[-1] / 2))]])
