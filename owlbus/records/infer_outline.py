"""A study area from the records themselves, for cities that come without an outline."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.records.reading import read_batches
from owlbus.records.sources import open_sources
from owlbus.records.validation import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.records.sources import Source

CENTRAL_SHARE = 0.995
"""Share of positions that an outline is drawn around: far ones are mostly errors, and would stretch the area over empty land."""

_STEPS = 1000
_ROW = 1_000_000
_HALF_ROW = _ROW // 2
_DEGREE_M = 111_320.0
_MAX_LON, _MAX_LAT = 180.0, 85.0
_COMPACT_ROWS = 4_000_000
_FEWEST = 3


def outline_of_records(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    columns: Mapping[str, str] | None = None,
    *,
    timezone: str | None = None,
    central_share: float = CENTRAL_SHARE,
    margin_m: float = 500.0,
    masts: str | PathLike[str] | None = None,
) -> NDArray[np.float64]:
    """
    Outline of the study area as the hull of the central positions, with a margin.

    Positions are rounded to 0.001 degree and counted by both ends and by the trips they stand for. Central are those nearest to
    the median position; ties are taken together, so the order of rows does not matter.

    Parameters
    ----------
    paths
        Files of records, as for `owlbus.demand.estimate_demand`.
    columns
        The files' column by owlbus' name, where they differ.
    timezone
        Zone that times with a zone are shown in.
    central_share
        Share of positions to draw around, in (0, 1].
    margin_m
        Metres added around the hull.
    masts
        Table of antennas, for calls that name one instead of a position.

    Returns
    -------
    ndarray of float64
        Ring of longitude and latitude, shape (n, 2), closed, counter-clockwise.

    Raises
    ------
    DataError
        If fewer than three places are left.
    UsageError
        If a number lies outside its range.
    """
    from shapely import MultiPoint
    from shapely.geometry.polygon import orient

    if not 0 < central_share <= 1 or not margin_m > 0:
        msg = f"central_share must lie in (0, 1] and margin_m above 0, got {central_share:g} and {margin_m:g}"
        raise UsageError(msg)
    with open_sources([paths] if isinstance(paths, str | PathLike) else list(paths), columns, masts) as sources:
        place, count = _places(sources, timezone)
        name = sources[0].name
    near = _central(place, count, central_share)
    if near.shape[0] < _FEWEST:
        msg = f"{name}: too few places to draw an outline around, got {near.shape[0]} and need {_FEWEST}; give one with {setting('area')}"
        raise DataError(msg)
    middle = near.mean(axis=0)
    metres = np.array([_DEGREE_M * np.cos(np.radians(middle[1])), _DEGREE_M])
    hull = orient(MultiPoint((near - middle) * metres).convex_hull.buffer(margin_m, quad_segs=4))
    ring: NDArray[np.float64] = np.asarray(hull.exterior.coords) / metres + middle
    return ring.round(6)


def _places(sources: Sequence[Source], timezone: str | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct rounded positions, shape (n, 2), and the trips seen at each; memory grows with the places only."""
    keys: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    counts: list[NDArray[np.float64]] = [np.empty(0)]
    for source in sources:
        for batch in read_batches(source, timezone):
            count = batch.count if batch.count.size else np.ones(batch.n_rows)
            for lon, lat in ((batch.lon, batch.lat), (batch.to_lon, batch.to_lat)):
                use = (np.abs(lon) <= _MAX_LON) & (np.abs(lat) <= _MAX_LAT) & (count > 0) & (count <= MAX_COUNT)
                steps = np.rint(np.column_stack([lon[use], lat[use]]) * _STEPS).astype(np.int64)
                keys.append(steps[:, 0] * _ROW + steps[:, 1] + _HALF_ROW)
                counts.append(count[use])
            if sum(key.size for key in keys) > _COMPACT_ROWS:
                key, count = _added_up(keys, counts)
                keys, counts = [key], [count]
    key, count = _added_up(keys, counts)
    row, column = np.divmod(key, _ROW)
    return np.column_stack([row, column - _HALF_ROW]) / _STEPS, count


def _added_up(keys: list[NDArray[np.int64]], counts: list[NDArray[np.float64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return distinct keys and the sum of each."""
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    return key, np.bincount(inverse, np.concatenate(counts), key.size).astype(np.float64, copy=False)


def _central(place: NDArray[np.float64], count: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the places nearest to the median that hold `share` of the count."""
    if not place.size:
        return place
    middle = np.array([_median(place[:, 0], count), _median(place[:, 1], count)])
    apart = (place - middle) * np.array([np.cos(np.radians(middle[1])), 1.0])
    distance = np.round(np.hypot(apart[:, 0], apart[:, 1]), 6)
    order = np.argsort(distance, kind="stable")
    running = np.cumsum(count[order])
    last = min(int(np.searchsorted(running, share * running[-1])), order.size - 1)
    return np.asarray(place[distance <= distance[order[last]]])


def _median(values: NDArray[np.float64], count: NDArray[np.float64]) -> float:
    """Return the value below and above which at most half the count lies."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(count[order])
    return float(values[order[int(np.searchsorted(running, running[-1] / 2))]])
