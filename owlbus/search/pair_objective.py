"""Objective of the user's own that is a sum of values of served pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.demand.hex_weights import weight_demand
from owlbus.search.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand, DemandWeights

    PairValues = Callable[[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]], ArrayLike]

_LARGEST_TRIPS = 2.0**19
"""What the most valuable pair is scaled to: both directions of a pair then fit the kernels' whole numbers of 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class PairObjective:
    """
    Objective that is a sum of values of the served pairs of hexes.

    A pair brings its value if its trips are served, and nothing otherwise. So an objective that depends on a plan in another way, such as
    the largest of something or a ratio, is none of these. Values are computed once and rounded to parts of the largest one, of 2^-29 each.

    Attributes
    ----------
    values
        Value of each pair, >= 0, in any unit: in the order of `owlbus.Demand.od`, shape (P,); by origin and destination hex, shape
        (H, H); or a function that takes hexes of origin and destination, int32, and trips a night of all pairs, each of shape (P,), and
        returns P values. It is called once.
    max_transfers
        Transfers that a served trip may need, 0 or 1.

    Raises
    ------
    UsageError
        If `max_transfers` is neither 0 nor 1.

    Examples
    --------
    >>> from owlbus import Demand
    >>> demand = Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5])
    >>> fares = PairObjective(lambda origin, destination, trips: trips * (1 + 2 * (destination == 1)))
    >>> fares.values_of(demand).tolist(), fares.objective
    ([4.0, 4.5], Objective(trips=1, presence=0, max_transfers=1, is_travel_time=False, carried=None))
    """

    values: ArrayLike | PairValues
    max_transfers: int = 1

    def __post_init__(self) -> None:
        """Refuse transfers that no trip has."""
        if self.max_transfers not in {0, 1}:
            msg = f"{setting('max_transfers')} must be 0 or 1, got {self.max_transfers!r}"
            raise UsageError(msg, setting="max_transfers", value=self.max_transfers, allowed=(0, 1))

    @property
    def objective(self) -> Objective:
        """What a search maximises on the demand that `valued` returns."""
        return Objective(1, 0, self.max_transfers)

    def values_of(self, demand: Demand) -> NDArray[np.float64]:
        """
        Values of the pairs of a demand.

        Parameters
        ----------
        demand
            Trips of P pairs between H hexes.

        Returns
        -------
        ndarray of float64
            One for the trips of each pair, in the order of `owlbus.Demand.od` and the unit of `values`, shape (P,).

        Raises
        ------
        UsageError
            If there is not one finite number >= 0 for each pair, or all are 0.
        """
        pairs = demand.od()
        given = self.values(pairs.origin, pairs.destination, pairs.trips) if callable(self.values) else self.values
        try:
            values = np.array(given, np.float64)
        except (TypeError, ValueError):
            msg = f"values of an objective must be numbers, one for each pair of hexes, got {type(given).__name__}"
            raise UsageError(msg, setting="objective") from None
        if values.shape == (demand.n_hexes, demand.n_hexes) and values.shape != pairs.trips.shape:
            values = values[pairs.origin, pairs.destination]
        if values.shape != pairs.trips.shape:
            msg = (
                f"an objective must be a sum over served pairs, with one value for each of {len(pairs)} pairs of hexes, got shape "
                f"{values.shape}; what is no such sum cannot be searched for"
            )
            raise UsageError(msg, setting="objective")
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if wrong.size:
            ends = f"{pairs.origin[wrong[0]]} to {pairs.destination[wrong[0]]}"
            msg = f"values of an objective must be finite and >= 0, got {values[wrong[0]]:g} from hex {ends} ({wrong.size} such pairs)"
            raise UsageError(msg, setting="objective", value=float(values[wrong[0]]))
        if not values.any():
            msg = "values of an objective must be above 0 for some pair with trips, got none; add records of trips, or other values"
            raise UsageError(msg, setting="objective")
        return values

    def valued(self, demand: Demand) -> Demand:
        """
        Demand whose trips are the values of the pairs, on a scale on which the largest one is a large number of trips.

        Parameters
        ----------
        demand
            Trips of P pairs between H hexes.

        Returns
        -------
        Demand
            One night; its served share is the share of all values that is served. Without people.

        Raises
        ------
        UsageError
            As of `values_of`.
        """
        from owlbus.demand import Demand

        pairs, values = demand.od(), self.values_of(demand)
        exponent = math.floor(math.log2(_LARGEST_TRIPS) - math.log2(values.max()))
        scaled = np.ldexp(values, exponent)
        night, hour = np.zeros(values.size, np.int64), np.full(values.size, demand.hours[0])
        columns = {"night": night, "hour": hour, "origin": pairs.origin, "destination": pairs.destination, "trips": scaled}
        none = {name: np.empty(0, np.int64) for name in ("night", "hour", "hex", "presence")}
        return Demand.from_rows(demand.n_hexes, columns, none, hours=demand.hours, source=demand.source, grid=demand.grid)


def valued_demand(demand: Demand, objective: Objective | PairObjective | str, weights: ArrayLike | DemandWeights | None) -> Demand:
    """
    Demand as a search counts it: with values of pairs, or with weights.

    Parameters
    ----------
    demand
        Trips and people a night.
    objective
        What is maximised.
    weights
        Dimensionless weights of hexes or trips; None only where pairs have values.

    Returns
    -------
    Demand
        Of the same hexes.

    Raises
    ------
    UsageError
        If there are both values and weights, or they are none.
    """
    if not isinstance(objective, PairObjective):
        return weight_demand(demand, weights if weights is not None else ())
    if weights is not None:
        msg = f"values of pairs are the whole objective, so {setting('weights')} would not count; multiply the values by them"
        raise UsageError(msg, setting="weights")
    return objective.valued(demand)
