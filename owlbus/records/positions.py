"""Positions of records as longitude and latitude, degrees: columns of numbers, points, cells, or paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.grid.axes import swapped_axes
from owlbus.grid.reference_systems import to_degrees
from owlbus.records.angles import NUMBER, coordinates
from owlbus.records.cells import cell_centres, cell_texts
from owlbus.records.file_forms import reading_errors
from owlbus.records.point_columns import POINT_READERS
from owlbus.records.position_forms import Rows, check_resolution, sample_of, swapped_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.position_forms import PositionForm
    from owlbus.records.schema import Layout
    from owlbus.records.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """
    A column of numbers with a validity bitmap, as Arrow stores it.

    Attributes
    ----------
    values
        Numbers, shape (n,), float64; undefined where missing.
    bits
        Validity bitmap, least significant bit first, uint8; empty if no number is missing.
    offset
        Index of the bit of the first row.
    """

    values: NDArray[np.float64]
    bits: NDArray[np.uint8]
    offset: int = 0

    def filled(self) -> NDArray[np.float64]:
        """Return the numbers, shape (n,), float64, NaN where missing."""
        if not self.bits.size:
            return self.values
        has_value = np.unpackbits(self.bits, bitorder="little", count=self.offset + self.values.size)[self.offset :]
        return np.where(has_value.view(np.bool_), self.values, np.nan)


NO_NUMBERS = Numbers(np.empty(0), np.empty(0, dtype=np.uint8))
"""Column that a file does not have."""

Place = tuple[Numbers, Numbers]
"""Longitude and latitude of n rows, degrees."""


def read_ends(source: Source, frame: pl.DataFrame) -> tuple[Place, Place]:
    """
    Return longitude and latitude of both ends of each row.

    Parameters
    ----------
    source
        The file.
    frame
        Its rows under owlbus' names.

    Returns
    -------
    position, destination
        Longitude and latitude, degrees, of n rows, missing where a text or point is none; `NO_NUMBERS` for a kind without destinations,
        and for an end that is named by its zone.

    Raises
    ------
    DataError
        If a cell is too coarse to stand for its centre.
    """
    about = (source.name, source.layout, source.position_forms)
    kind = source.layout.kind
    return read_end(*about, frame, kind.position), read_end(*about, frame, kind.destination, -1)


def read_end(
    name: str, layout: Layout, forms: Mapping[str, PositionForm], frame: pl.DataFrame, columns: tuple[str, ...], end: int = 0
) -> Place:
    """
    Return longitude and latitude of one end of each row.

    Parameters
    ----------
    name
        File name, for messages.
    layout
        Kind and columns.
    forms
        Forms of positions, as `owlbus.records.position_forms.position_forms` decides them.
    frame
        Rows under owlbus' names.
    columns
        Owlbus' names of longitude and latitude; none for a kind without such an end.
    end
        Which point of a path: 0 for the first, -1 for the last.

    Returns
    -------
    lon, lat
        Degrees of n rows.

    Raises
    ------
    DataError
        If a cell is too coarse to stand for its centre.
    """
    role = layout.stand_in_of(columns[0]) if columns else "zone"
    if role is not None and role.endswith("zone"):
        return NO_NUMBERS, NO_NUMBERS
    if role is None or role.endswith(("antenna", "subscriber")):
        form = forms.get(columns[0])
        if form is None:
            return numbers(frame, columns[0]), numbers(frame, columns[1])
        x, y = (coordinates(frame[column], reader) for column, reader in zip(columns, form.readers, strict=True))
    else:
        form = forms.get(role)
        x, y = _read_point(f"{name}: {layout.names[role]}", frame[role], form, end)
    lon, lat = to_degrees(x, y, None if form is None else form.crs)
    return Numbers(lon, NO_NUMBERS.bits), Numbers(lat, NO_NUMBERS.bits)


def _read_point(place: str, column: pl.Series, form: PositionForm | None, end: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of a column with points, paths or cells, NaN where missing."""
    if form is None:
        return np.full(len(column), np.nan), np.full(len(column), np.nan)
    reader = form.readers[0]
    if reader not in POINT_READERS:
        cells = cell_texts(column)
        check_resolution(place, cells, reader)
        return cell_centres(cells, reader)
    x, y = POINT_READERS[reader].read(column, end)
    return (y, x) if form.is_lat_first else (x, y)


def positions_by_subscriber(source: Source) -> pl.LazyFrame:
    """
    Return subscriber, longitude and latitude of the calls of a file.

    Parameters
    ----------
    source
        The file, of calls.

    Returns
    -------
    LazyFrame
        Columns ``subscriber``, ``lon`` and ``lat``, degrees.
    """
    import polars as pl

    frame = source.scan()
    if source.layout.stand_in_of("lon") in {None, "antenna"} and "lon" not in source.position_forms:
        return frame.select("subscriber", "lon", "lat")

    def positions(rows: pl.DataFrame) -> pl.DataFrame:
        lon, lat = read_end(source.name, source.layout, source.position_forms, rows, ("lon", "lat"))
        return rows.select("subscriber", pl.Series("lon", lon.filled(), nan_to_null=True), pl.Series("lat", lat.filled(), nan_to_null=True))

    schema: dict[str, Any] = {"subscriber": frame.collect_schema()["subscriber"], "lon": pl.Float64, "lat": pl.Float64}
    return frame.map_batches(
        positions, schema=schema, streamable=True, predicate_pushdown=False, projection_pushdown=False, slice_pushdown=False
    )


def check_axes(source: Source) -> None:
    """
    Reject a file whose longitude and latitude look swapped; for records without a study area, which would tell.

    Parameters
    ----------
    source
        The file.

    Raises
    ------
    DataError
        If the first positions lie on Earth only with the two columns swapped.
    """
    if source.n_quotes % 2:  # it is refused when it is read
        return
    layout = source.layout
    pairs = [columns for columns in (layout.kind.position, layout.kind.destination) if columns and set(columns) <= layout.names.keys()]
    swapped: dict[tuple[str, ...], str] = {}
    for columns in pairs:
        if columns[0] not in source.position_forms:
            with reading_errors(source.name):
                sample = sample_of(Rows(source.scan(), source.head()), columns)
            found = swapped_axes(*(coordinates(sample[column], NUMBER) for column in columns))
            swapped |= {columns: found} if found else {}
    if swapped:
        raise swapped_columns(source.name, next(iter(swapped.values())), tuple(swapped), layout)


def numbers(frame: pl.DataFrame, name: str) -> Numbers:
    """
    Return a column as float64, without a copy if it is float64.

    Parameters
    ----------
    frame
        Rows.
    name
        Column.

    Returns
    -------
    Numbers
        Numbers, missing where the text is none.
    """
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    elif column.dtype == pl.Binary or column.dtype.is_nested():  # polars cannot cast them to numbers
        column = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    column = column.cast(pl.Float64, strict=False)
    if not column.null_count():
        return Numbers(column.to_numpy(), NO_NUMBERS.bits)
    arrow = column.to_arrow()
    bits, values = arrow.buffers()
    return Numbers(
        np.frombuffer(values, dtype=np.float64)[arrow.offset : arrow.offset + len(arrow)], np.frombuffer(bits, dtype=np.uint8), arrow.offset
    )
