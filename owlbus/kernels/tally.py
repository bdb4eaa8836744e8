"""Judge records row by row: service night, hour, and the first rule a row breaks, compiled."""

from __future__ import annotations

from math import asin, cos, pi, sin, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTSIDE_HEX = -1
SWAPPED_HEX = -2
NO_POSITION = -3

_DAY_S = 86_400
_HALF_DAY_S = 43_200
_UNDATED_S = 2 * _DAY_S
_EARTH_M = 6_371_008.8


@njit(cache=True, nogil=True)
def straight_line_m(lon: float, lat: float, to_lon: float, to_lat: float) -> float:
    """
    Great-circle distance on a sphere.

    Parameters
    ----------
    lon, lat, to_lon, to_lat
        Both positions, degrees.

    Returns
    -------
    float
        Metres, off by at most 0.6 % on the ellipsoid.
    """
    half = pi / 360.0
    across = sin((to_lon - lon) * half)
    along = sin((to_lat - lat) * half)
    chord = along * along + cos(lat * 2 * half) * cos(to_lat * 2 * half) * across * across
    return 2 * _EARTH_M * asin(min(1.0, sqrt(max(0.0, chord))))


@njit(cache=True, nogil=True)
def _resolution_s(start_s: int, end_s: int) -> int:
    """Return how coarse two times of one row are: full hours, quarters, minutes or seconds."""
    for step in (3600, 900, 60):
        if start_s % step == 0 and end_s % step == 0:
            return step
    return 1


@njit(cache=True, nogil=True)
def judge_rows(
    start_s: NDArray[np.int64],
    end_s: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    to_lon: NDArray[np.float64],
    to_lat: NDArray[np.float64],
    here: NDArray[np.int32],
    there: NDArray[np.int32],
    count: NDArray[np.float64],
    start_hour: int,
    end_hour: int,
    max_m_s: float,
    max_count: float,
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int16]]:
    """
    First rule that each record breaks, its service night and its service hour.

    The rules and their codes are those of `owlbus.records.rules`, tried by code. Times below 172800 s carry no date: before noon they
    lie after midnight. Times on full hours (quarters, minutes) may be that much longer apart before a ride is too fast.

    Parameters
    ----------
    start_s, end_s
        Local seconds as `owlbus.records.times.seconds` gives them, shape (n,), int64; negative is missing; `end_s` is empty where
        records have no end.
    lon, lat, to_lon, to_lat
        Both ends in degrees, shape (n,), float64.
    here, there
        Hex of each end, shape (n,), int32; -1 outside the area, -2 outside unless lon and lat are swapped, -3 no position.
    count
        Trips that the row stands for, shape (n,), float64.
    start_hour, end_hour
        Night window in service hours, the end excluded.
    max_m_s
        Fastest straight-line speed, metres per second.
    max_count
        Largest count.

    Returns
    -------
    rule
        Code of the first rule broken, shape (n,), uint8; 0 is a trip.
    night
        Days since 1970 of the night's evening, shape (n,), int32; 0 for times without a date.
    hour
        Service hour, shape (n,), int16.
    """
    n, has_end = start_s.size, end_s.size > 0
    rule = np.zeros(n, dtype=np.uint8)
    night = np.zeros(n, dtype=np.int32)
    hour = np.zeros(n, dtype=np.int16)
    for i in range(n):
        start, end = start_s[i], end_s[i] if has_end else start_s[i]
        if start < 0 or end < 0 or (start < _UNDATED_S) != (end < _UNDATED_S):
            rule[i] = 1
            continue
        if start >= _UNDATED_S:
            night[i] = (start - _HALF_DAY_S) // _DAY_S
            hour[i] = (start - night[i] * np.int64(_DAY_S)) // 3600
        else:
            start += _DAY_S if start < _HALF_DAY_S else 0
            end += _DAY_S if end < _HALF_DAY_S else 0
            hour[i] = start // 3600
        if here[i] < 0:
            rule[i] = 2 if here[i] == NO_POSITION else 3 if here[i] == SWAPPED_HEX else 4
        elif not start_hour <= hour[i] < end_hour:
            rule[i] = 5
        elif not (count[i] > 0 and count[i] <= max_count):
            rule[i] = 6
        elif end < start:
            rule[i] = 7
        else:
            if has_end and there[i] > SWAPPED_HEX:
                longest_s = end - start + _resolution_s(start, end)
                if straight_line_m(lon[i], lat[i], to_lon[i], to_lat[i]) > max_m_s * longest_s:
                    rule[i] = 8
                    continue
            if there[i] < 0:
                rule[i] = 16 if there[i] == NO_POSITION else 17 if there[i] == SWAPPED_HEX else 18
            elif there[i] == here[i]:
                rule[i] = 19
    return rule, night, hour
