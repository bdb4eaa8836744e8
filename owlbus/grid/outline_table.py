"""Outlines as tables: one corner a row."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST_CORNERS = 3
_NAMES = (("lon", "longitude", "lng", "long", "x"), ("lat", "latitude", "y"))
_SEPARATORS = (",", ";", "\t", "|")


def read_ring(place: str, text: str) -> NDArray[np.float64]:
    """
    Return the ring of a table of corners.

    Parameters
    ----------
    place
        File name, for messages.
    text
        The table with a header; separated by commas, semicolons, tabs or bars, with decimal points, or commas where they do not separate.

    Returns
    -------
    ndarray of float64
        Corners in the order of rows, lon/lat degrees or x and y, shape (n, 2).

    Raises
    ------
    DataError
        If a column is missing, a corner is no number, or there are fewer than three corners.
    """
    try:
        return _ring(place, text)
    except csv.Error as error:
        msg = f"{place}: is no readable table of corners ({error}); write the outline again"
        raise DataError(msg) from None


def _ring(place: str, text: str) -> NDArray[np.float64]:
    """Return the ring of a table of corners."""
    lines = text.splitlines()
    separator = max(_SEPARATORS, key=(lines or [""])[0].count)
    rows = csv.DictReader(lines, delimiter=separator)
    names = {name.strip().lower(): name for name in rows.fieldnames or ()}
    chosen = [next((names[name] for name in known if name in names), None) for known in _NAMES]
    if chosen[0] is None or chosen[1] is None:
        found = ", ".join(rows.fieldnames or ()) or "none"
        msg = f"{place}: must have the columns lon and lat, found {found}; rename them, or write GeoJSON"
        raise DataError(msg)
    corners: list[tuple[float, ...]] = []
    for line, row in enumerate(rows, start=2):
        corner = tuple(_number(row[str(column)], separator) for column in chosen)
        if not (math.isfinite(corner[0]) and math.isfinite(corner[1])):
            msg = f"{place}: lon and lat must be numbers, and are not on line {line}; mend the line or drop it"
            raise DataError(msg)
        corners.append(corner)
    if len(set(corners)) < _FEWEST_CORNERS:
        msg = f"{place}: an outline needs at least {_FEWEST_CORNERS} different corners, found {len(set(corners))}; one corner a row"
        raise DataError(msg)
    return np.array(corners, dtype=np.float64)


def _number(text: str | None, separator: str) -> float:
    """Return a field as a number, NaN if it is none."""
    text = text or "nan"
    try:
        return float(text.replace(",", ".") if separator != "," and text.count(",") == 1 else text)
    except ValueError:
        return math.nan
