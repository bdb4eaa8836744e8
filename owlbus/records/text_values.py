"""Values of any type as text: ids that are bytes, and rows that are kept as they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def text_of_bytes(column: pl.Series) -> pl.Series:
    """
    Return bytes as text: UTF-8 as it is written, other bytes in hexadecimal digits after ``0x``.

    Parameters
    ----------
    column
        Bytes, shape (n,).

    Returns
    -------
    Series
        Text, shape (n,); equal where the bytes are equal.

    Examples
    --------
    >>> import polars as pl
    >>> text_of_bytes(pl.Series([b"a1", bytes([255, 0]), None])).to_list()
    ['a1', '0xff00', None]
    """
    import polars as pl

    return pl.Series(column.name, [None if value is None else _decoded(value) for value in column.to_list()], dtype=pl.String)


def rows_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """
    Return all columns of a frame as text, whatever their types.

    Parameters
    ----------
    frame
        Rows of any types.

    Returns
    -------
    DataFrame
        The same columns as text; durations in ISO 8601.
    """
    import polars as pl

    return pl.DataFrame([_as_text(column) for column in frame.get_columns()])


def _as_text(column: pl.Series) -> pl.Series:
    """Return a column as text."""
    import polars as pl

    if column.dtype == pl.Binary:
        return text_of_bytes(column)
    if column.dtype == pl.Duration:
        return column.dt.to_string("iso")
    if column.dtype.is_nested() or column.dtype == pl.Object:
        texts = [None if value is None else str(value) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    return column.cast(pl.String)


def _decoded(value: bytes) -> str:
    """Return bytes as UTF-8, or in hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
