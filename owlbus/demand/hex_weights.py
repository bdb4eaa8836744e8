"""Weights of hexes: demand as a planner values it, beside the demand that figures are published of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True, slots=True, eq=False)
class DemandWeights:
    """
    What a trip or a person counts for in a search; figures are published without weights.

    A trip counts the mean weight of its two hexes, times the weights of its origin, its destination and its pair. People count the weight
    of their hex. Whatever is not named counts once.

    Attributes
    ----------
    by_hex
        Weight of each hex, shape (H,), dimensionless, in [0, 1000].
    by_origin, by_destination
        Weight of the hex where a trip begins, and of the one where it ends, likewise.
    by_pair
        Weight of trips from one hex to another, by origin and destination, dimensionless, in [0, 1000].

    Raises
    ------
    UsageError
        If a weight is out of range, arrays differ in their number of hexes, or all weights are 0.

    Examples
    --------
    >>> from owlbus import Demand
    >>> demand = Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5])
    >>> weight_demand(demand, DemandWeights(by_origin=[1, 1, 2], by_pair={(0, 2): 0.5})).trips
    array([2., 3.])
    """

    by_hex: ArrayLike | None = None
    by_origin: ArrayLike | None = None
    by_destination: ArrayLike | None = None
    by_pair: Mapping[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Copy and check every weight once, before any file is read."""
        given = {name: getattr(self, name) for name in ("by_hex", "by_origin", "by_destination")}
        arrays = {name: require_hex_weights(values) for name, values in given.items() if values is not None}
        for name, values in arrays.items():
            object.__setattr__(self, name, tuple(values.tolist()))
        if len({values.size for values in arrays.values()}) > 1:
            sizes = ", ".join(f"{values.size} {name}" for name, values in arrays.items())
            msg = f"weights must be of as many hexes each, got {sizes}"
            raise UsageError(msg, setting="weights")
        object.__setattr__(self, "by_pair", {(int(o), int(d)): float(weight) for (o, d), weight in self.by_pair.items()})
        for pair, weight in self.by_pair.items():
            if not 0 <= weight <= MOST_WEIGHT:
                msg = f"weights must lie in [0, {MOST_WEIGHT:g}], got {weight:g} for the pair {pair}"
                raise UsageError(msg, setting="weights", value=weight, allowed=(0, MOST_WEIGHT))

    def of_hexes(self, n_hexes: int) -> NDArray[np.float64]:
        """Return the weight of people in each of `n_hexes` hexes, shape (H,), dimensionless."""
        return self._array("by_hex", n_hexes)

    def of_trips(self, n_hexes: int, origin: NDArray[np.integer], destination: NDArray[np.integer]) -> NDArray[np.float64]:
        """
        Weights of trips.

        Parameters
        ----------
        n_hexes
            Hexes H of the grid.
        origin, destination
            Hex index of each end, shape (P,).

        Returns
        -------
        ndarray of float64
            Dimensionless, shape (P,).

        Raises
        ------
        UsageError
            If weights are of another number of hexes, or a pair names a hex that is none.
        """
        hexes = self._array("by_hex", n_hexes)
        weight: NDArray[np.float64] = (hexes[origin] + hexes[destination]) / 2
        weight = weight * self._array("by_origin", n_hexes)[origin] * self._array("by_destination", n_hexes)[destination]
        keys = np.array([o * n_hexes + d for o, d in self.by_pair], np.int64)
        beyond = [pair for pair in self.by_pair if not (0 <= pair[0] < n_hexes and 0 <= pair[1] < n_hexes)]
        if beyond:
            msg = f"weights of pairs must name hexes in [0, {n_hexes}), got {beyond[0]} ({len(beyond)} such pairs)"
            raise UsageError(msg, setting="weights", value=beyond[0])
        if keys.size:
            order = np.argsort(keys)
            values = np.array(list(self.by_pair.values()))[order]
            wanted = origin.astype(np.int64) * n_hexes + destination
            position = np.minimum(np.searchsorted(keys[order], wanted), keys.size - 1)
            weight = np.where(keys[order][position] == wanted, weight * values[position], weight)
        return weight

    def to_dict(self) -> dict[str, int]:
        """Return for JSON how many hexes have weights, and how many pairs of trips."""
        sizes = {name: len(getattr(self, name)) for name in ("by_hex", "by_origin", "by_destination") if getattr(self, name) is not None}
        return {"n_hexes": max(sizes.values(), default=0), **({"n_pairs": len(self.by_pair)} if self.by_pair else {})}

    def _array(self, name: str, n_hexes: int) -> NDArray[np.float64]:
        """Weights of one kind, 1 where there are none, shape (H,)."""
        values = getattr(self, name)
        return np.ones(n_hexes) if values is None else require_hex_weights(values, n_hexes)


def demand_weights(weights: ArrayLike | DemandWeights) -> DemandWeights:
    """
    Return weights of hexes alone, or of trips too, as one type.

    Parameters
    ----------
    weights
        Dimensionless weight of each hex, shape (H,), or weights of hexes, origins, destinations and pairs.

    Returns
    -------
    DemandWeights
        The weights, checked.

    Raises
    ------
    UsageError
        If they are none.
    """
    return weights if isinstance(weights, DemandWeights) else DemandWeights(by_hex=weights)


def weight_demand(demand: Demand, weights: ArrayLike | DemandWeights) -> Demand:
    """
    Demand with trips and people multiplied by their weights.

    By hex, the weight of a trip is the mean of those of its two ends, and the weight of people that of their hex; `DemandWeights` has
    weights of origins, destinations and pairs too. It is for the search alone: shares are published of the demand without weights.

    Parameters
    ----------
    demand
        Trips and people of H hexes.
    weights
        Dimensionless weight of each hex, shape (H,), in [0, 1000], or weights of trips too.

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

    weight = demand_weights(weights)
    by_hex = weight.of_hexes(demand.n_hexes)
    trips = {name: getattr(demand, name) for name in ("night", "hour", "origin", "destination")}
    people = {name: getattr(demand, f"presence_{name}") for name in ("night", "hour", "hex")}
    weighted = Demand.from_rows(
        demand.n_hexes,
        trips | {"trips": demand.trips * weight.of_trips(demand.n_hexes, demand.origin, demand.destination)},
        people | {"presence": demand.presence * by_hex[demand.presence_hex]},
        hours=demand.hours,
        nights=demand.nights,
        source=demand.source,
        grid=demand.grid,
    )
    if not weighted.trips.size and not weighted.presence.size:
        msg = "weights must be above 0 where people travel, got 0 for every hex with demand"
        raise UsageError(msg, setting="weights")
    return weighted
