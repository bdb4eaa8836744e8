"""Where a curve bends most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST = 3


def bend_of(settings: Sequence[float], shares: Sequence[float]) -> tuple[int | None, float]:
    """
    Point of a curve that lies farthest above the straight line from its first point to its last one.

    Parameters
    ----------
    settings
        Routes, buses, kilometres or minutes, ascending.
    shares
        What each brings, 0 to 1.

    Returns
    -------
    position, height_share
        Index of the point, the first one on a tie, and how far above the line it lies, a share; None and 0 with fewer than three points, or
        where the curve does not rise or none lies above.

    Examples
    --------
    >>> bend_of([1, 2, 3], [0.0, 0.5, 0.5]), bend_of([1, 2, 3], [0.0, 0.25, 0.5])
    ((1, 0.25), (None, 0.0))
    """
    x, y = np.asarray(settings, np.float64), np.asarray(shares, np.float64)
    if x.size < _FEWEST or x[0] == x[-1] or y[-1] <= y[0]:
        return None, 0.0
    above = (y - y[0]) - (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0])
    best = int(np.argmax(above))
    return (best, float(above[best])) if above[best] > 0 else (None, 0.0)
