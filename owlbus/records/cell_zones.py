"""Cells that are too wide to stand for their centre, as zones: each cell of a file is the zone of its own polygon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.records.cells import cell_polygons, cell_resolutions, cell_texts
from owlbus.records.file_forms import reading_errors
from owlbus.records.zone_ids import NO_ZONE, UNKNOWN_ZONE
from owlbus.records.zones import ZoneFeatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.sources import Source
    from owlbus.records.zones import ZoneTable

_MOST_CELLS = 2_000_000
"""Most distinct cells of one kind of record: H3 cells of resolution 8 of a country of 1.4 million km2."""


def with_wide_cells_as_zones(source: Source) -> Source:
    """
    Return a file whose columns of wide cells are columns of zones.

    Parameters
    ----------
    source
        The file, with the forms of its positions.

    Returns
    -------
    Source
        ``cell`` becomes ``zone``, ``origin_cell`` ``origin_zone`` and so on, in layout and forms, where cells are wide.
    """
    zone_of = {role: role.replace("cell", "zone") for role, form in source.position_forms.items() if form.is_wide}
    if not zone_of:
        return source
    layout = source.layout
    names = {zone_of.get(role, role): column for role, column in layout.names.items()}
    forms = {zone_of.get(role, role): form for role, form in source.position_forms.items()}
    return replace(source, layout=replace(layout, names=names), position_forms=forms)


def table_of_cells(sources: Sequence[Source]) -> ZoneTable:
    """
    Return the distinct wide cells of files as zones; memory grows with distinct cells only.

    Parameters
    ----------
    sources
        Files of one kind of record, of which at least one has wide cells.

    Returns
    -------
    ZoneTable
        Zones by cell as text; what is no cell is left out.

    Raises
    ------
    DataError
        If a file cannot be read, has a column without any cell, or there are more than two million distinct cells.
    """
    import polars as pl

    cells: dict[str, list[str]] = {"h3": [], "geohash": []}
    for source in sources:
        for role, kind in _wide_roles(source).items():
            with reading_errors(source.name):
                found = source.scan().select(role).unique().collect(engine="streaming")[role]
            texts = cell_texts(found).drop_nulls().unique()
            cells[kind] = pl.Series([*cells[kind], *texts.to_list()], dtype=pl.String).unique().sort().to_list()
            if len(cells[kind]) > _MOST_CELLS:
                extent = f"{len(cells[kind]):,} distinct cells, at most {_MOST_CELLS:,} are read"
                msg = f"{source.name}: has {extent}; keep those of the study area"
                raise DataError(msg)
    names, ids, shapes = [], [], []
    for kind, texts_of_kind in cells.items():
        polygons = cell_polygons(texts_of_kind, kind)
        valid = np.array([polygon is not None for polygon in polygons], dtype=np.bool_)
        chosen = [text for text, is_valid in zip(texts_of_kind, valid, strict=True) if is_valid]
        names += [words_of_cells(pl.Series(chosen, dtype=pl.String), kind)] if chosen else []
        ids += chosen
        shapes.append(polygons[valid])
    table = ZoneFeatures(" and ".join(names), np.concatenate(shapes), {"cell": tuple(ids)}).by("cell")
    return replace(table, are_cells=True)


def words_of_cells(cells: pl.Series, kind: str) -> str:
    """
    Return what cells are, in words.

    Parameters
    ----------
    cells
        Valid cells as text, at least one.
    kind
        ``h3`` or ``geohash``.

    Returns
    -------
    str
        Such as ``H3 cells of resolution 8`` or ``geohashes of 5 and 6 characters``.
    """
    found = [str(resolution) for resolution in sorted(cell_resolutions(cells, kind))]
    listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    return f"H3 cells of resolution{'s' * (len(found) > 1)} {listed}" if kind == "h3" else f"geohashes of {listed} characters"


def zones_of_cells(table: ZoneTable, cells: pl.Series) -> NDArray[np.int32]:
    """
    Return the zone of each cell.

    Parameters
    ----------
    table
        Cells as zones.
    cells
        Cells as a file has them, length n.

    Returns
    -------
    ndarray of int32
        Index of the zone, shape (n,), `NO_ZONE` where a cell is missing or none.
    """
    zones = table.index_of(cell_texts(cells))
    return np.where(zones == UNKNOWN_ZONE, np.int32(NO_ZONE), zones)


def with_cell_texts(source: Source) -> pl.LazyFrame:
    """
    Return the rows of a file with wide cells as text of one form, so that equal cells are equal ids.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    LazyFrame
        Rows under owlbus' names.
    """
    import polars as pl

    columns = [pl.col(role).map_batches(cell_texts, return_dtype=pl.String, is_elementwise=True) for role in _wide_roles(source)]
    return source.scan().with_columns(columns)


def _wide_roles(source: Source) -> dict[str, str]:
    """Return the columns of wide cells by owlbus' name, and what these are."""
    return {role: form.readers[0] for role, form in source.position_forms.items() if form.is_wide}
