"""Records that name zones: which table and which column of it they mean, and where each row is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, setting
from owlbus.records.cell_zones import table_of_cells, zones_of_cells
from owlbus.records.count_columns import presence_names
from owlbus.records.file_forms import reading_errors
from owlbus.records.positions import NO_NUMBERS, Numbers
from owlbus.records.schema import TAXI
from owlbus.records.zone_files import read_zones
from owlbus.records.zone_ids import have_ids, id_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.sources import Source

ZONES_HERE, ZONES_THERE = ("zone", "origin_zone"), ("home_zone", "destination_zone")
"""Columns of zones at the first end of a trip, where people are present, and at the other end."""

NO_ZONES = np.empty(0, dtype=np.int32)
"""Zones of an end that has positions."""

_SAMPLE_ROWS = 10_000
_SAMPLE_FILES = 16
_MOST_SHOWN = 3


def zone_columns(source: Source) -> tuple[str | None, str | None]:
    """
    Return the columns of zones that stand for the positions of either end.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    tuple of str or None
        Columns by owlbus' name, None for an end with positions, or without a place.
    """
    used = source.layout.stand_ins
    if source.homes is not None and "home_zone" in source.homes.columns:
        used = (*used, "home_zone")
    here, there = (next((name for name in names if name in used), None) for names in (ZONES_HERE, ZONES_THERE))
    return here, there


def require_place(file: str, columns: Sequence[str], rows: pl.LazyFrame, options: ReadOptions) -> None:
    """
    Reject a table of people in which no column is known to be a place, and name the column whose values are ids of the zones.

    Parameters
    ----------
    file
        File name, for messages.
    columns
        Columns of the file.
    rows
        Its rows, under these names.
    options
        How records are to be read, with zones.

    Raises
    ------
    DataError
        If no column is a place.
    """
    names = presence_names(file, columns, {name: column for name, column in (options.columns or {}).items() if column in columns})
    if names.keys() & {"lon", "lat", "position", "cell", "hex", "zone"}:
        return
    free = [column for column in rows.collect_schema().names() if column not in names.values()]
    features = read_zones(options.zones, options.zone_id, None, options.crs)
    with reading_errors(file):
        sample = rows.select(free).head(_SAMPLE_ROWS).collect() if free else None
    fitting = [column for column in free if sample is not None and have_ids(features.columns, id_texts(sample[column]))]
    why = f"no column is known to hold zones, and {len(fitting) or 'none'} of {len(free)} {'fit' if len(fitting) > 1 else 'fits'}"
    ways = " or ".join(str(setting("columns", {"zone": column})) for column in fitting[:_MOST_SHOWN] or ["COLUMN"])
    msg = f"{file}: {why} the ids of {features.name}; name the column with {ways}"
    raise DataError(msg, setting="columns")


def sources_with_zones(sources: tuple[Source, ...], options: ReadOptions) -> tuple[Source, ...]:
    """
    Return sources with the zones that they name, or whose wide cells they name, one table for all files of a kind.

    Parameters
    ----------
    sources
        Opened files.
    options
        How records are to be read; its zones are read here.

    Returns
    -------
    tuple of Source
        All files of a kind of which one names zones have the table; others are unchanged.

    Raises
    ------
    DataError
        If zones are given and no record names any, or the other way round, no column of the table fits the records, or records of one
        kind name zones and wide cells.
    """
    naming = [source for source in sources if set(zone_columns(source)) - source.position_forms.keys() - {None}]
    sources = _with_cells(sources, naming)
    if options.zones is None:
        if naming:
            msg = f"{naming[0].name}: names zones instead of positions; add their polygons or centroids with "
            raise DataError(msg + setting("zones", "zones.geojson"), setting="zones")
        return sources
    if not naming and options.zones_elsewhere:
        return sources
    if not naming:
        roles = ("origin_zone", "destination_zone") if sources[0].layout.kind is TAXI else ("zone",)
        way = f"name it with {setting('columns', dict.fromkeys(roles, 'COLUMN'))}, or leave {setting('zones')} out"
        msg = f"{sources[0].name}: has positions and no column of zones, yet {setting('zones')} is given; {way}"
        raise DataError(msg, setting="zones")
    features = read_zones(options.zones, options.zone_id, options.zone_weights, options.crs)
    kinds = dict.fromkeys(source.layout.kind.name for source in naming)
    tables = {kind: features.fitting(_sample([source for source in naming if source.layout.kind.name == kind])) for kind in kinds}
    options = replace(options, zones=None)  # what other processes need of it is in the tables
    return tuple(replace(source, zones=tables.get(source.layout.kind.name, source.zones), options=options) for source in sources)


def _with_cells(sources: tuple[Source, ...], naming: list[Source]) -> tuple[Source, ...]:
    """Return sources with the zones of their wide cells, one table for all files of a kind; refuse those that name other zones too."""
    with_cells = [source for source in sources if source.position_forms.keys() & set(zone_columns(source))]
    if not with_cells:
        return sources
    kinds = dict.fromkeys(source.layout.kind.name for source in with_cells)
    for other in (source for source in naming if source.layout.kind.name in kinds):
        role = next(name for name in zone_columns(with_cells[0]) if name is not None and name in with_cells[0].position_forms)
        way = f"{setting('columns', {role: with_cells[0].layout.names[role]})} and add the polygons of its cells to {setting('zones')}"
        msg = f"{other.name}: names zones, and {with_cells[0].name} cells too wide for one position; read the cells as zones with {way}"
        raise DataError(msg, setting="columns")
    tables = {kind: table_of_cells([source for source in with_cells if source.layout.kind.name == kind]) for kind in kinds}
    return tuple(replace(source, zones=tables.get(source.layout.kind.name)) for source in sources)


def _sample(sources: list[Source]) -> pl.Series:
    """Return the ids of zones in the first rows of some files, as plain text."""
    import polars as pl

    ids = []
    for source in sources[:_SAMPLE_FILES]:
        columns = [name for name in zone_columns(source) if name is not None]
        with reading_errors(source.name):
            rows = source.scan().select(columns).head(_SAMPLE_ROWS).collect()
        ids += [id_texts(rows[name]).alias("zone") for name in columns]
    return pl.concat(ids)


def ends_in_zones(source: Source, frame: pl.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """
    Return the zone of each row at either end.

    Parameters
    ----------
    source
        The file.
    frame
        Its rows under owlbus' names.

    Returns
    -------
    tuple of ndarray of int32
        Index of the zone, shape (n,), `NO_ZONE` or `UNKNOWN_ZONE`; empty for an end with positions.
    """
    table = source.zones
    look_up = None if table is None else partial(zones_of_cells, table) if table.are_cells else table.index_of
    here, there = (NO_ZONES if name is None or look_up is None else look_up(frame[name]) for name in zone_columns(source))
    return here, there


def points_in_zones(source: Source, zones: NDArray[np.int32]) -> tuple[Numbers, Numbers]:
    """
    Return longitude and latitude of a point in the zone of each row.

    Parameters
    ----------
    source
        The file.
    zones
        Index of the zone of each row, shape (n,).

    Returns
    -------
    tuple of Numbers
        Degrees, NaN where the row names no zone of the table.
    """
    if source.zones is None:
        return NO_NUMBERS, NO_NUMBERS
    lon, lat = source.zones.points_of(zones)
    return Numbers(lon, NO_NUMBERS.bits), Numbers(lat, NO_NUMBERS.bits)


def most_frequent_zones(frames: list[pl.LazyFrame]) -> pl.DataFrame:
    """
    Return the most frequent zone of each subscriber, as an estimate of the home.

    Parameters
    ----------
    frames
        Records of all hours with ``subscriber`` and ``zone``.

    Returns
    -------
    DataFrame
        Columns ``subscriber`` and ``home_zone`` (text); ties go to the id that sorts first.
    """
    import polars as pl

    from owlbus.records.antennas import text_id

    pairs = pl.concat([frame.select(text_id(pl.col("subscriber")), home_zone=text_id(pl.col("zone"))) for frame in frames])
    ranked = (
        pairs.drop_nulls()
        .group_by("subscriber", "home_zone")
        .len()
        .sort(["subscriber", "len", "home_zone"], descending=[False, True, False])
    )
    homes: pl.DataFrame = ranked.unique("subscriber", keep="first", maintain_order=True).collect(engine="streaming")
    return homes.select("subscriber", "home_zone")
