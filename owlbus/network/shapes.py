"""Stops along a shape: where each one lies on it, in riding order, and the piece between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


def along_shape(shape: Points, stops: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Metres along a shape at which stops lie, never falling, and how far each stop lies from it.

    Of all ways to place the stops in riding order the one with the least sum of squared distances is taken, metres ridden
    backwards on one segment among them, so a shape may pass a stop twice; ties go to the earlier segment.

    Parameters
    ----------
    shape
        Points in metres, shape (n, 2), n >= 2.
    stops
        Stops in riding order in metres, shape (k, 2).

    Returns
    -------
    tuple of ndarray
        Metres along the shape and metres from it, each of shape (k,).

    Examples
    --------
    >>> there_and_back = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 0.0]])
    >>> along_shape(there_and_back, np.array([[10.0, 0.0], [100.0, 5.0], [10.0, 0.0]]))[0].tolist()
    [10.0, 100.0, 190.0]
    """
    step = np.diff(shape, axis=0)
    length = np.hypot(*step.T)
    begin = np.concatenate([[0.0], np.cumsum(length)])
    square = np.maximum(length**2, 1e-12)
    part = np.clip(((stops[:, None] - shape[None, :-1]) * step[None]).sum(axis=2) / square, 0.0, 1.0)
    off = np.hypot(*(shape[None, :-1] + part[..., None] * step[None] - stops[:, None]).transpose(2, 0, 1))
    least = off**2
    segments = np.arange(length.size)
    came = np.empty(off.shape, dtype=np.int64)
    came[0] = segments
    for k in range(1, len(stops)):
        before = least[k - 1]
        best = np.minimum.accumulate(before)
        falls = np.concatenate([[True], best[1:] < best[:-1]])
        lower = np.concatenate([[0], np.maximum.accumulate(np.where(falls, segments, 0))[:-1]])
        from_lower = np.concatenate([[np.inf], best[:-1]])
        backwards = np.maximum(part[k - 1] - part[k], 0.0) * length
        from_same = before + backwards**2
        came[k] = np.where(from_lower <= from_same, lower, segments)
        least[k] += np.minimum(from_lower, from_same)
    at = np.empty(len(stops), dtype=np.int64)
    at[-1] = int(np.argmin(least[-1]))
    for k in range(len(stops) - 1, 0, -1):
        at[k - 1] = came[k][at[k]]
    rows = np.arange(len(stops))
    metres = np.maximum.accumulate(begin[at] + part[rows, at] * length[at])
    return metres, off[rows, at]


def piece(shape: Points, lonlat: Points, begin_m: float, end_m: float) -> Points:
    """
    Piece of a shape between two distances along it.

    Parameters
    ----------
    shape
        Points in metres, shape (n, 2).
    lonlat
        The same points in degrees, shape (n, 2).
    begin_m, end_m
        Metres along the shape, ``begin_m <= end_m``.

    Returns
    -------
    ndarray of float64
        lon and lat in degrees, shape (k, 2), k >= 2.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(shape, axis=0).T))])
    low, high = np.searchsorted(along, begin_m, side="right"), np.searchsorted(along, end_m, side="left")
    ends = np.array([[np.interp(at, along, lonlat[:, axis]) for axis in (0, 1)] for at in (begin_m, end_m)])
    return np.concatenate([ends[:1], lonlat[low:high], ends[1:]])
