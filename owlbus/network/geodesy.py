"""Distances and points between degrees, also over the 180th meridian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_EARTH_M, _FLAT = 6_378_137.0, 0.006_694_38  # WGS 84: longer half axis, squared eccentricity
_HALF, _ROUND = 180.0, 360.0


def eastward(from_lon: Floats, to_lon: Floats) -> Floats:
    """
    Degrees from one longitude east to another, the short way round, also over the 180th meridian.

    Parameters
    ----------
    from_lon, to_lon
        Degrees, shape (m,).

    Returns
    -------
    ndarray of float64
        Degrees in [-180, 180], shape (m,).
    """
    degrees = to_lon - from_lon
    return np.asarray(degrees - _ROUND * np.rint(degrees / _ROUND), dtype=np.float64)


def along(lonlat: tuple[Floats, Floats], start: Ints, end: Ints, share: Floats) -> tuple[Floats, Floats]:
    """
    Points on the way from one point to another.

    Parameters
    ----------
    lonlat
        Lon and lat of points in degrees, each of shape (n,).
    start, end
        Indices of points, shape (m,).
    share
        Share of the way, shape (m,).

    Returns
    -------
    tuple of ndarray of float64
        Lon in [-180, 180] and lat in degrees, shape (m,).
    """
    lon, lat = lonlat
    east = lon[start] + share * eastward(lon[start], lon[end])
    lon_along = np.where(np.abs(east) > _HALF, east - np.copysign(_ROUND, east), east)
    return lon_along, lat[start] + share * (lat[end] - lat[start])


def metres_between(lon: Floats, lat: Floats, start: Ints, end: Ints) -> Floats:
    """
    Metres between points on the ellipsoid, accurate to 0.01 % up to 10 km.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,).
    start, end
        Indices of points, shape (m,).

    Returns
    -------
    ndarray of float64
        Shape (m,).
    """
    middle = np.radians((lat[start] + lat[end]) / 2)
    bend = 1 - _FLAT * np.sin(middle) ** 2
    east = np.radians(eastward(lon[start], lon[end])) * np.cos(middle) * _EARTH_M / np.sqrt(bend)
    north = np.radians(lat[end] - lat[start]) * _EARTH_M * (1 - _FLAT) / bend**1.5
    return np.asarray(np.hypot(east, north), dtype=np.float64)
