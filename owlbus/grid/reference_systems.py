"""Coordinate reference systems: from projected coordinates to degrees."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.grid.axes import MOST, is_on_earth, is_placeholder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS, Transformer

_SCALED = re.compile(r"\s*1e-([1-9])\s*(?:degrees?|°)?\s*", re.IGNORECASE)
_NEAR_DEGREES = 5.0
"""How far from the region of a system its positions may lie, degrees."""


def parse_crs(crs: Any) -> CRS:  # noqa: ANN401 - text or a system of pyproj
    """
    Return a coordinate reference system.

    Parameters
    ----------
    crs
        Name such as ``EPSG:25833``, a definition as WKT or PROJJSON, or a system of pyproj.

    Returns
    -------
    CRS
        The system.

    Raises
    ------
    UsageError
        If it is unknown.
    """
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        return pyproj.CRS.from_user_input(crs)
    except (CRSError, TypeError, ValueError):
        msg = f"{setting('crs')} must name a coordinate reference system, got {str(crs)[:60]!r}; give a code such as EPSG:25833"
        raise UsageError(msg, setting="crs", value=str(crs)[:60]) from None


def degrees_per_unit(crs: str | None) -> float | None:
    """
    Return the size of the units of scaled degrees.

    Parameters
    ----------
    crs
        Such as ``1e-6 degrees``.

    Returns
    -------
    float or None
        Degrees per unit; None for any other system.

    Examples
    --------
    >>> degrees_per_unit("1e-7 degrees"), degrees_per_unit("EPSG:25833")
    (1e-07, None)
    """
    scaled = _SCALED.fullmatch(crs or "")
    return float(f"1e-{scaled[1]}") if scaled else None


def check_crs(crs: str | None) -> None:
    """
    Reject an unknown coordinate reference system.

    Parameters
    ----------
    crs
        Name or definition, or scaled degrees such as ``1e-6 degrees``; None for none.

    Raises
    ------
    UsageError
        If it is unknown.
    """
    if crs is not None and degrees_per_unit(crs) is None:
        parse_crs(crs)


@lru_cache(maxsize=64)
def _system(crs: str) -> tuple[str | None, bool, tuple[float, float, float, float] | None]:
    """Return the definition of a system (None if it is in degrees), whether it is projected, and its region in degrees."""
    import pyproj

    system = parse_crs(crs)
    region = system.area_of_use
    bounds = (region.west, region.south, region.east, region.north) if region is not None and region.west < region.east else None
    if system.to_2d().equals(pyproj.CRS("EPSG:4326"), ignore_axis_order=True):
        return None, False, None
    return system.to_wkt(), not system.is_geographic, bounds


def is_in_degrees(crs: str) -> bool:
    """
    Return whether a coordinate reference system is lon/lat on WGS 84.

    Parameters
    ----------
    crs
        Name or definition.

    Returns
    -------
    bool
        False too where it is unknown.
    """
    try:
        return _system(crs)[0] is None
    except UsageError:
        return False


@lru_cache(maxsize=64)
def _transformer(system: str) -> Transformer:
    """Return the way from a system to degrees."""
    from pyproj import Transformer

    return Transformer.from_crs(system, "EPSG:4326", always_xy=True)


@lru_cache(maxsize=1)
def _own_thread(_process: int) -> ThreadPoolExecutor:
    """Return the thread of a process that transforms: threads of polars, which call readers too, have too small a stack for PROJ."""
    return ThreadPoolExecutor(1, thread_name_prefix="owlbus-proj")


def _in_degrees(x: NDArray[np.float64], y: NDArray[np.float64], crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude of coordinates in a system, degrees; infinite where it has none."""
    system = _system(crs)[0]
    return (x, y) if system is None else _transformer(system).transform(x, y)


def to_degrees(x: NDArray[np.float64], y: NDArray[np.float64], crs: str | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return longitude and latitude of coordinates in any system.

    Parameters
    ----------
    x, y
        Coordinates, x (east) first, shape (n,); NaN is missing, and so are placeholders such as (0, 0).
    crs
        System, or scaled degrees such as ``1e-6 degrees``; None for degrees.

    Returns
    -------
    lon, lat
        Degrees WGS 84, shape (n,); NaN where missing or outside the Earth.

    Raises
    ------
    UsageError
        If the system is unknown.
    """
    if crs is None:
        return x, y
    is_none = is_placeholder(x, y)
    scale = degrees_per_unit(crs)
    if scale is not None:
        steps = round(1 / scale)
        return np.where(is_none, np.nan, x / steps), np.where(is_none, np.nan, y / steps)
    present = np.where(is_none, np.nan, x), np.where(is_none, np.nan, y)
    lon, lat = _own_thread(os.getpid()).submit(_in_degrees, *present, crs).result()
    use = np.isfinite(lon) & np.isfinite(lat)
    return np.where(use, lon, np.nan), np.where(use, lat, np.nan)


def check_region(name: str, x: NDArray[np.float64], y: NDArray[np.float64], crs: str) -> None:
    """
    Reject coordinates that a system does not fit.

    Parameters
    ----------
    name
        File name and columns, for the message.
    x, y
        Coordinates, shape (n,); NaN is missing.
    crs
        System, or scaled degrees.

    Raises
    ------
    DataError
        If most are degrees already, or lie outside the Earth or far from the region of the system.
    UsageError
        If the system is unknown.
    """
    use = np.isfinite(x) & np.isfinite(y) & ~is_placeholder(x, y)
    if not use.any():
        return
    short = crs if len(crs) <= 40 else parse_crs(crs).name  # noqa: PLR2004 - characters
    scale = degrees_per_unit(crs)
    _, is_projected, region = (None, True, None) if scale is not None else _system(crs)
    if is_projected and is_on_earth(x[use], y[use]).mean() > MOST:
        msg = f"{name}: positions look like degrees, and {setting('crs', short)} is in other units; leave it out for this file"
        raise DataError(msg, setting="crs", value=short)
    lon, lat = to_degrees(x[use], y[use], crs)
    fits = is_on_earth(lon, lat)
    place = "outside the Earth"
    if fits.mean() > MOST and region is not None:
        west, south, east, north = region
        near = (lon >= west - _NEAR_DEGREES) & (lon <= east + _NEAR_DEGREES)
        fits, place = near & (lat >= south - _NEAR_DEGREES) & (lat <= north + _NEAR_DEGREES), "far from the region of that system"
    if fits.mean() <= MOST:
        msg = f"{name}: positions in {setting('crs', short)} lie {place}; check the system, and that x (east) is the longitude column"
        raise DataError(msg, setting="crs", value=short)
