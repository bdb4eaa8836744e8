"""Positions of records as longitude and latitude, degrees: columns of numbers, points, cells, or paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadOptions
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


def position_forms(name: str, frame: pl.LazyFrame, layout: Layout, options: ReadOptions) -> dict[str, str]:
    """
    Return the form of each position of a file, decided once for the whole file.

    Parameters
    ----------
    name
        File name, for messages.
    frame
        Its rows under owlbus' names.
    layout
        Kind and columns.
    options
        How records are to be read.

    Returns
    -------
    dict
        Form by owlbus' column name; columns that need none are left out.

    Raises
    ------
    DataError
        If a column can be read in several ways, or in none.
    """
    return {}


def read_ends(source: Source, frame: pl.DataFrame) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
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
        Longitude and latitude, degrees, of n rows; `NO_NUMBERS` for a kind without destinations.
    """
    kind = source.layout.kind
    lon, lat = (numbers(frame, name) for name in kind.position)
    to_lon, to_lat = (numbers(frame, name) for name in kind.destination) if kind.destination else (NO_NUMBERS, NO_NUMBERS)
    return (lon, lat), (to_lon, to_lat)


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
    elif column.dtype == pl.Binary:  # polars cannot cast bytes to numbers
        column = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    column = column.cast(pl.Float64, strict=False)
    if not column.null_count():
        return Numbers(column.to_numpy(), NO_NUMBERS.bits)
    arrow = column.to_arrow()
    bits, values = arrow.buffers()
    return Numbers(
        np.frombuffer(values, dtype=np.float64)[arrow.offset : arrow.offset + len(arrow)], np.frombuffer(bits, dtype=np.uint8), arrow.offset
    )
