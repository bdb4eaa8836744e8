"""What ranges of coordinates say about them: places on Earth, placeholders, swapped axes, degrees of other units, metres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LON, MAX_LAT = 180.0, 90.0
"""Largest longitude and latitude, degrees."""

MOST = 0.5
"""Share of positions that settles what the others are; the rest are errors of single rows."""

_MIN_METRES, _MAX_METRES, _MAX_NORTHING = 1e4, 2.1e7, 1e7
_ZONE, _FIRST_ZONE, _LAST_ZONE = 1e6, 1.3e7, 4.6e7
"""Metres of map projections; eastings of Gauss-Krueger systems begin with the number of their zone, 13 to 45 in China."""

_ORIGINS = (0.0, -1.0)
"""Numbers that stand for no position where both coordinates are equal to one of them."""


def is_on_earth(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Return which positions lie within the ranges of longitude and latitude.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,); NaN is missing.

    Returns
    -------
    ndarray of bool
        Shape (n,); False where missing.
    """
    return np.asarray((np.abs(lon) <= MAX_LON) & (np.abs(lat) <= MAX_LAT))


def is_placeholder(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Return which positions stand for no position: (0, 0), (-1, -1), and equal runs of nines such as (999, 999) or (-999, -999).

    Parameters
    ----------
    lon, lat
        Coordinates in any unit, shape (n,); NaN is missing.

    Returns
    -------
    ndarray of bool
        Shape (n,).
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        size = np.abs(lon) + 1
        is_nines = (size >= 1000) & (size == 10.0 ** np.rint(np.log10(size)))  # noqa: PLR2004 - 999 and longer
    return np.asarray((lon == lat) & (np.isin(lon, _ORIGINS) | is_nines))


def swapped_axes(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> str | None:
    """
    Return what shows that longitude and latitude are swapped, or None.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,); NaN is missing.

    Returns
    -------
    str or None
        For example ``latitude reaches 128 and longitude 36``, if most positions lie on Earth only with the two swapped.

    Examples
    --------
    >>> swapped_axes(np.array([35.85, 35.84]), np.array([128.6, 128.59]))
    'latitude reaches 128 and longitude 35'
    >>> swapped_axes(np.array([13.4]), np.array([52.5])) is None
    True
    """
    use = np.isfinite(lon) & np.isfinite(lat) & ~is_placeholder(lon, lat)
    x, y = lon[use], lat[use]
    only_swapped = is_on_earth(y, x) & ~is_on_earth(x, y)
    if not x.size or only_swapped.mean() <= MOST:
        return None
    extremes = (float(column[only_swapped][np.argmax(np.abs(column[only_swapped]))]) for column in (y, x))
    return "latitude reaches {} and longitude {}".format(*map(int, extremes))


def looks_projected(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """
    Return whether coordinates look like metres of a projected system.

    Parameters
    ----------
    x, y
        Coordinates, shape (n,); NaN is missing.

    Returns
    -------
    bool
        True if most lie outside the ranges of degrees in either order, and within those of map projections.
    """
    use = np.isfinite(x) & np.isfinite(y) & ~is_placeholder(x, y)
    x, y = x[use], y[use]
    outside = ~is_on_earth(x, y) & ~is_on_earth(y, x) & is_in_metres(x, y) & (np.maximum(np.abs(x), np.abs(y)) >= _MIN_METRES)
    return bool(outside.size and outside.mean() > MOST)


def is_in_metres(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Return which coordinates lie within the ranges of map projections in metres.

    Parameters
    ----------
    x, y
        Coordinates, shape (n,).

    Returns
    -------
    ndarray of bool
        Shape (n,); up to 2.1e7, as Web Mercator has, or with the number of a Gauss-Krueger zone in front of the easting.
    """
    low, high = np.minimum(x, y), np.maximum(x, y)
    is_plain = np.maximum(np.abs(x), np.abs(y)) <= _MAX_METRES
    is_in_zone = (high >= _FIRST_ZONE) & (high <= _LAST_ZONE) & (low >= 0) & (low <= _MAX_NORTHING)
    is_in_zone &= np.abs(high % _ZONE - _ZONE / 2) <= 0.4 * _ZONE
    return np.asarray(is_plain | is_in_zone)
