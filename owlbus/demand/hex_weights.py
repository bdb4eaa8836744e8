"""Weights of hexes: demand as a planner values it, beside the demand that figures are published of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand.table import Demand

MOST_WEIGHT = 1000.0


def require_hex_weights(weights: ArrayLike, n_hexes: int | None = None) -> NDArray[np.float64]:
    """
    Return weights of hexes, checked.

    Parameters
    ----------
    weights
        Dimensionless weight of each hex, shape (H,), in [0, 1000].
    n_hexes
        Number of hexes H; None accepts any.

    Returns
    -------
    ndarray of float64
        The weights, shape (H,), dimensionless.

    Raises
    ------
    UsageError
        If the shape is another, a weight is out of range, or all are 0.
    """
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        msg = f"weights must be numbers by hex, got {type(weights).__name__}"
        raise UsageError(msg, setting="weights") from None
    if values.ndim != 1 or not values.size or (n_hexes is not None and values.size != n_hexes):
        msg = f"weights must hold one number a hex, got shape {values.shape} for {n_hexes or 'any number of'} hexes"
        raise UsageError(msg, setting="weights")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values <= MOST_WEIGHT)))
    if wrong.size:
        msg = f"weights must lie in [0, {MOST_WEIGHT:g}], got {values[wrong[0]]:g} for hex {wrong[0]} ({wrong.size} such hexes)"
        raise UsageError(msg, setting="weights")
    if not values.any():
        msg = "weights must be above 0 for some hex, got 0 for all; leave weights out to count every hex once"
        raise UsageError(msg, setting="weights")
    return values


def weight_demand(demand: Demand, weights: ArrayLike) -> Demand:
    """
    Demand with trips and people multiplied by the weights of their hexes.

    The weight of a trip is the mean of those of its two ends, the weight of people that of their hex. It is for the search alone: shares
    are published of the demand without weights.

    Parameters
    ----------
    demand
        Trips and people of H hexes.
    weights
        Dimensionless weight of each hex, shape (H,), in [0, 1000].

    Returns
    -------
    Demand
        Weighted trips and people, rounded to 1/1024; those of weight 0 are left out.

    Raises
    ------
    UsageError
        If the weights are none, or nobody is in or travels to a hex of a weight above 0.

    Examples
    --------
    >>> from owlbus import Demand
    >>> weight_demand(Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5]), [1, 1, 2]).trips
    array([6.  , 2.25])
    """
    from owlbus.demand.table import Demand

    weight = require_hex_weights(weights, demand.n_hexes)
    trips = {name: getattr(demand, name) for name in ("night", "hour", "origin", "destination")}
    people = {name: getattr(demand, f"presence_{name}") for name in ("night", "hour", "hex")}
    weighted = Demand.from_rows(
        demand.n_hexes,
        trips | {"trips": demand.trips * (weight[demand.origin] + weight[demand.destination]) / 2},
        people | {"presence": demand.presence * weight[demand.presence_hex]},
        hours=demand.hours,
        nights=demand.nights,
        source=demand.source,
        grid=demand.grid,
    )
    if not weighted.trips.size and not weighted.presence.size:
        msg = "weights must be above 0 where people travel, got 0 for every hex with demand"
        raise UsageError(msg, setting="weights")
    return weighted
