"""Outline of a study area, inferred from the records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from owlbus.common.arrays import read_only_view
from owlbus.common.disclosure import EXACT, Publisher
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

_CELL_DEGREES = 0.02
"""Side of the cells that a published outline surrounds: about 2 km."""


def outline_of_records(
    paths: Records,
    *,
    central_share: float = CENTRAL_SHARE,
    margin_m: float = 500.0,
    kinds: Sequence[Kind] = KINDS,
    min_count: float = EXACT,
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
    min_count
        The outline is published: unless it is -1, for open data, it surrounds the cells of 0.02 degrees, or the zones, that so many trips
        begin or end in, not single positions.
    **reading
        How records are to be read, as fields of `owlbus.records.read_options.ReadOptions`.

    Returns
    -------
    ndarray of float64
        Ring of longitude and latitude, shape (n, 2), closed, counter-clockwise.

    Raises
    ------
    DataError
        If fewer than three positions remain, or no cell has as many as `min_count`.
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
        name, tables = sources[0].name, _tables_of_zones(sources)
        is_by_zone = bool(tables) and not any(zones.are_cells for zones in tables)
        if min_count != EXACT:
            positions, count = _printed_cells(positions, count, Publisher(min_count), None if is_by_zone else _CELL_DEGREES)
        central = _central(positions, count, central_share)
        if min_count != EXACT and not is_by_zone:
            central = _corners_of_cells(central)
        elif is_by_zone and not central.size:  # where no zone has many, the outline is that of all zones, which tells nothing of records
            central = np.vstack([_points_of_zones(zones) for zones in tables])
        central = np.vstack([central, *(_corners_of_zones(zones, central) for zones in tables)])
    if central.shape[0] < _MIN_POSITIONS:
        few = f"none that {min_count:g} trips begin or end in" if min_count != EXACT and not positions.size else None
        extent = few or f"got {central.shape[0]} and need {_MIN_POSITIONS}"
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


def _printed_cells(
    positions: NDArray[np.float64], count: NDArray[np.float64], publisher: Publisher, cell: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of cells of so many degrees, or the positions themselves, that print a count, and the printed counts."""
    if cell is not None and count.size:
        centres, row = np.unique((np.floor(positions / cell) + 0.5) * cell, axis=0, return_inverse=True)
        positions, count = centres, np.bincount(row.reshape(-1), count).astype(np.float64)
    printed = publisher.counts(count)
    return positions[printed > 0], printed[printed > 0]


def _corners_of_cells(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of cells, degrees, shape (4 n, 2)."""
    half = _CELL_DEGREES / 2
    return np.vstack([centres + np.array([east, north]) * half for east in (-1, 1) for north in (-1, 1)])


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


def _points_of_zones(zones: ZoneTable) -> NDArray[np.float64]:
    """Return the points of zones as positions are rounded, degrees, shape (n, 2)."""
    from owlbus.kernels.sum_positions import STEPS_PER_DEGREE

    points: NDArray[np.float64] = np.rint(np.column_stack([zones.lon, zones.lat]) * STEPS_PER_DEGREE) / STEPS_PER_DEGREE
    return points


def _corners_of_zones(zones: ZoneTable, central: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the zones whose points are among the `central` positions, degrees, shape (n, 2)."""
    import shapely

    chosen = set(map(tuple, central.tolist()))
    in_use = np.array([tuple(point) in chosen for point in _points_of_zones(zones).tolist()], dtype=np.bool_)
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
