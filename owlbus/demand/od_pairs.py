"""Mean trips of a night by pair of hexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ODPairs:
    """
    Mean trips per service night by origin and destination hex.

    Attributes
    ----------
    origin, destination
        Hex index of each end, shape (P,), int32; pairs are unique and sorted.
    trips
        Trips per service night, shape (P,), float64, > 0, in multiples of 1/1024.

    Examples
    --------
    >>> from owlbus.demand import Demand
    >>> pairs = Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5]).od()
    >>> len(pairs), pairs.total_trips
    (2, 5.5)
    """

    origin: NDArray[np.int32]
    destination: NDArray[np.int32]
    trips: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Copy the arrays as read-only."""
        for name, dtype in (("origin", np.int32), ("destination", np.int32), ("trips", np.float64)):
            object.__setattr__(self, name, read_only(np.array(getattr(self, name), dtype=dtype)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies stay read-only."""
        return ODPairs, (self.origin, self.destination, self.trips)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return self.trips.size

    @property
    def total_trips(self) -> float:
        """Trips per service night over all pairs."""
        return float(self.trips.sum())
