"""Intervals of shares over nights, by resampling whole nights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_NIGHTS = 5
"""Nights from which on an interval over nights is told: fewer give no idea of the spread."""

_RESAMPLES = 2_000
_TAIL = 0.05
_SEED = 20_130_912


def share_interval(numerator: NDArray[Any], denominator: NDArray[Any]) -> tuple[float | None, float | None]:
    """
    90 % interval of a share whose parts are summed over nights.

    Nights are drawn with replacement and the ratio of sums taken; the spread of the draws is widened for the few nights
    there are, by ``sqrt(n / (n - 1))`` and Student's t over the normal quantile [1]_.

    Parameters
    ----------
    numerator, denominator
        What counts and what it is a share of, by night, shape (n,).

    Returns
    -------
    tuple of float or None
        Lower and upper end, 0 to 1; (None, None) with fewer than `LEAST_NIGHTS` nights or nothing to share.

    References
    ----------
    .. [1] Hesterberg (2015), What teachers should know about the bootstrap, The American Statistician 69, 371-386.

    Examples
    --------
    >>> import numpy as np
    >>> share_interval(np.full(5, 4.0), np.full(5, 8.0))
    (0.5, 0.5)
    """
    low, high = difference_interval(numerator, denominator)
    if low is None or high is None:
        return None, None
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def difference_interval(gain: NDArray[Any], denominator: NDArray[Any]) -> tuple[float | None, float | None]:
    """
    90 % interval of the difference of two shares of one whole, paired by night.

    As `share_interval`: each night is drawn with what both plans do on it, so that what moves both alike cancels.

    Parameters
    ----------
    gain
        What the second plan counts more than the first, by night, shape (n,); may be below 0.
    denominator
        What both are shares of, by night, shape (n,).

    Returns
    -------
    tuple of float or None
        Lower and upper end, -1 to 1; (None, None) with fewer than `LEAST_NIGHTS` nights or nothing to share.

    Examples
    --------
    >>> import numpy as np
    >>> difference_interval(np.full(5, -1.0), np.full(5, 8.0))
    (-0.125, -0.125)
    """
    n = gain.size
    if n < LEAST_NIGHTS or denominator.sum() <= 0:
        return None, None
    from scipy.special import ndtri, stdtrit

    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    below = draws @ denominator
    shares = (draws @ gain)[below > 0] / below[below > 0]
    centre = float(gain.sum() / denominator.sum())
    wider = math.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - _TAIL) / ndtri(1 - _TAIL)
    low, high = (centre + wider * (np.quantile(shares, quantile) - centre) for quantile in (_TAIL, 1 - _TAIL))
    return float(low), float(high)
