"""Whether two lines take the same course, whatever their vertices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

APART_M = 15.0
"""Lines nearer to each other than these metres everywhere are one, as after simplifying or adding vertices."""

_LONGER_SHARE = 0.02
_STEPS = 200


def is_same_course(one: NDArray[np.float64], other: NDArray[np.float64], apart_m: float = APART_M) -> bool:
    """
    Return whether two lines run along each other in the same direction.

    Parameters
    ----------
    one, other
        Vertices, projected metres, shapes (n, 2) and (m, 2), two or more.
    apart_m
        Largest distance in metres between them.

    Returns
    -------
    bool
        True if each vertex lies within `apart_m` of the other line, the lengths differ by 2 % at most, and places at the same share of the
        length are as near as these two allow.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [500.0, 3.0], [1000.0, 0.0]])
    >>> is_same_course(line, line[[0, 2]]), is_same_course(line, line[::-1])
    (True, False)
    """
    import shapely

    first, second = shapely.LineString(one), shapely.LineString(other)
    longest = max(first.length, second.length)
    drift_m = _LONGER_SHARE * longest + apart_m
    if abs(first.length - second.length) > drift_m:
        return False
    shares = np.linspace(0, 1, _STEPS + 1)
    between_m = shapely.distance(*(shapely.line_interpolate_point(line, shares, normalized=True) for line in (first, second)))
    if between_m[[0, -1]].max() > apart_m or between_m.max() > drift_m:
        return False
    return all(shapely.distance(line, shapely.points(points)).max() <= apart_m for line, points in ((first, other), (second, one)))
