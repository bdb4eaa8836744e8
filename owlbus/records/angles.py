"""Text of one coordinate as a number: decimal commas, degrees with minutes and seconds, and letters of hemispheres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

NUMBER, COMMA, ANGLE = "number", "decimal comma", "degrees, minutes, seconds"

_COMMA = r"^\s*[+-]?\d{1,9},\d+\s*$"
_WHOLE = r"^\s*[+-]?\d{1,9}\s*$"
_MINUTE = "'\u2019\u2032\u2018"
"""Signs of minutes: apostrophe, quotation marks, prime; two of them are seconds."""

_PART = r"\d{1,3}(?:[.,]\d{1,15})?"
_ANGLE = (
    rf"(?i)^\s*(?<front>[NSEW])?\s*(?<sign>[+-])?\s*(?<degrees>{_PART})\s*(?:[°º˚d:\s]|deg)?\s*"
    rf"(?:(?<minutes>{_PART})\s*[{_MINUTE}m:\s]?\s*"
    rf"(?:(?<seconds>{_PART})\s*(?:\"|″|”|[{_MINUTE}]{{2}}|s)?\s*)?)?(?<back>[NSEW])?\s*$"
)
_MOST_DEGREES, _MINUTES = 180.0, 60.0


def is_comma(texts: pl.Series) -> bool:
    """
    Return whether texts are numbers with a decimal comma, and at least one has it.

    Parameters
    ----------
    texts
        Texts without blanks; none is missing.

    Returns
    -------
    bool
        True if all are, but for errors of single rows.
    """
    has_comma = texts.str.contains(_COMMA)
    return bool(has_comma.any() and (has_comma | texts.str.contains(_WHOLE)).mean() > 0.5)  # type: ignore[operator]  # noqa: PLR2004


def coordinates(texts: pl.Series, reader: str) -> NDArray[np.float64]:
    """
    Return a column of one coordinate as numbers.

    Parameters
    ----------
    texts
        Numbers or texts, length n.
    reader
        `NUMBER`, `COMMA` or `ANGLE`.

    Returns
    -------
    ndarray of float64
        Shape (n,), degrees or the unit of the text; NaN where it is missing or is no number.
    """
    import polars as pl

    if texts.dtype in {pl.Binary, pl.Boolean} or texts.dtype.is_nested():
        return np.full(len(texts), np.nan)
    if texts.dtype != pl.String:
        return _floats(texts)
    if reader == ANGLE:
        return angles(texts)
    if reader == COMMA:
        fits = texts.str.contains(f"{_COMMA}|{_WHOLE}")
        texts = pl.select(pl.when(fits).then(texts)).to_series().str.replace(",", ".", literal=True)
    return _floats(texts.str.strip_chars())


def _floats(column: pl.Series) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it is no number."""
    import polars as pl

    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float64, copy=False)


def angles(texts: pl.Series) -> NDArray[np.float64]:
    r"""
    Return angles written with degrees, minutes, seconds or a hemisphere, in degrees.

    Parameters
    ----------
    texts
        Such as ``52°30'16.7"N``, ``52 30 16.7 N``, ``N52.504``, ``-13 22.5`` or ``52.504°``.

    Returns
    -------
    ndarray of float64
        Degrees, shape (n,), south and west negative; NaN where a text is no angle.
    """
    part = texts.str.extract_groups(_ANGLE)
    degrees, minutes, seconds = (
        _floats(part.struct.field(name).str.replace(",", ".", literal=True)) for name in ("degrees", "minutes", "seconds")
    )
    front, back, sign = (part.struct.field(name).fill_null("").str.to_uppercase() for name in ("front", "back", "sign"))
    letters = (front + back).to_numpy().astype(str)
    is_minus = (sign == "-").to_numpy() | np.isin(letters, ("S", "W"))
    has_minutes, has_seconds = ~np.isnan(minutes), ~np.isnan(seconds)
    fits = (~has_minutes | (degrees == np.floor(degrees))) & (~has_seconds | (minutes == np.floor(minutes))) & (degrees <= _MOST_DEGREES)
    fits &= ~(minutes >= _MINUTES) & ~(seconds >= _MINUTES)
    fits &= ~((sign != "").to_numpy() & (letters != "")) & (np.char.str_len(letters) <= 1)
    value = degrees + np.where(has_minutes, minutes, 0) / 60 + np.where(has_seconds, seconds, 0) / 3600
    return np.where(fits, np.where(is_minus, -value, value), np.nan)


def hemispheres(texts: pl.Series) -> set[str]:
    """
    Return the letters of hemispheres in a column of angles.

    Parameters
    ----------
    texts
        Angles.

    Returns
    -------
    set of str
        Of ``N``, ``S``, ``E`` and ``W``.
    """
    upper = texts.str.to_uppercase()
    first, last = (upper.str.extract(pattern, 1).unique().to_list() for pattern in (r"^\s*([NSEW])", r"([NSEW])\s*$"))
    return {letter for letter in (*first, *last) if letter}
