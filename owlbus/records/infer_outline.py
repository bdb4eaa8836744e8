"""Outline of a study area, inferred from the records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from owlbus.common.arrays import read_only_view
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.grid.axes import is_placeholder
from owlbus.records.fast_csv import TextRows, is_plain
from owlbus.records.positions import check_axes, numbers
from owlbus.records.read_options import ReadOptions
from owlbus.records.reading import places_of_rows, read_batches, read_frames
from owlbus.records.schema import KINDS
from owlbus.records.sources import open_sources
from owlbus.records.validation import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.kernels.sum_positions import PositionSums
    from owlbus.records.positions import Numbers
    from owlbus.records.read_options import ReadKeywords
    from owlbus.records.record_files import Records
    from owlbus.records.schema import Kind
    from owlbus.records.sources import Source
    from owlbus.records.zones import ZoneTable

CENTRAL_SHARE = 0.995
"""Share of positions inside the outline; distant ones are mostly errors."""

_DEGREE_M = 111_320.0
_FIRST_SLOTS = 1 << 16
_MIN_POSITIONS = 3


def outline_of_records(
    paths: Records,
    *,
    central_share: float = CENTRAL_SHARE,
    margin_m: float = 500.0,
    kinds: Sequence[Kind] = KINDS,
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
    kinds
        Allowed kinds of record.
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
    with open_sources(paths, ReadOptions(**reading), kinds) as sources:
        for source in sources:
            check_axes(source)
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
    from owlbus.kernels.sum_positions import HALF_BASE, KEY_BASE, NO_KEY, STEPS_PER_DEGREE, sum_positions

    table, used = _empty_table(_FIRST_SLOTS), np.zeros(1, dtype=np.int64)
    for source in sources:
        for ends, count in _ends_of_rows(source):
            for lon, lat in ends:
                columns = read_only_view(lon.filled()), read_only_view(lat.filled()), read_only_view(count)
                row = 0
                while (row := sum_positions(row, *columns, float(MAX_COUNT), table, used)) < lon.values.size:
                    table = _doubled(table)
    order = np.argsort(table.key)
    order = order[table.key[order] != NO_KEY]
    east, north = np.divmod(table.key[order], KEY_BASE)
    positions = np.column_stack([east, north - HALF_BASE]) / STEPS_PER_DEGREE
    is_place = ~is_placeholder(positions[:, 0], positions[:, 1])
    return positions[is_place], table.weight[order][is_place]


def _ends_of_rows(source: Source) -> Iterator[tuple[tuple[tuple[Numbers, Numbers], ...], NDArray[np.float64]]]:
    """Yield longitude and latitude of both ends of a file's rows, and their trips, empty if each row is one; times are left unread."""
    if is_plain(source):
        for batch in read_batches(source):
            yield (batch.position, batch.destination), batch.count
        return
    kind, layout = source.layout.kind, source.layout
    unread = {kind.start, *kind.ends, "date"} | ({"subscriber"} if source.homes is None else set())
    layout = replace(layout, names={name: column for name, column in layout.names.items() if name not in unread})
    for _, frame in read_frames(replace(source, layout=layout)):
        assert not isinstance(frame, TextRows), "the fast parser needs times"  # noqa: S101 - for type checkers
        count = numbers(frame, kind.count).filled() if kind.count in layout.names else np.empty(0)
        position, destination, _ = places_of_rows(source, frame)
        yield (position, destination), count


def _empty_table(slots: int) -> PositionSums:
    """Return an empty table of sums by position."""
    from owlbus.kernels.sum_positions import PositionSums

    return PositionSums(np.zeros(slots, dtype=np.int64), np.zeros(slots))


def _doubled(table: PositionSums) -> PositionSums:
    """Return a table of twice the size with the same sums."""
    from owlbus.kernels.sum_positions import put_sums

    larger = _empty_table(2 * table.key.size)
    put_sums(table, larger)
    return larger


def _tables_of_zones(sources: Sequence[Source]) -> list[ZoneTable]:
    """Return the tables of zones that sources name."""
    return list({id(source.zones): source.zones for source in sources if source.zones is not None}.values())


def _corners_of_zones(zones: ZoneTable, central: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the zones whose points are among the `central` positions, degrees, shape (n, 2)."""
    import shapely

    from owlbus.kernels.sum_positions import STEPS_PER_DEGREE

    points = np.rint(np.column_stack([zones.lon, zones.lat]) * STEPS_PER_DEGREE) / STEPS_PER_DEGREE
    chosen = set(map(tuple, central.tolist()))
    in_use = np.array([tuple(point) in chosen for point in points.tolist()], dtype=np.bool_)
    corners: NDArray[np.float64] = shapely.get_coordinates(shapely.convex_hull(zones.parts[in_use[zones.zone]]))
    return corners


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
