"""People in the making: by night, hour and hex, in whole units of 1/1024."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _none() -> NDArray[np.int64]:
    """Return an empty column."""
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Bins:
    """
    Sums that grow with the distinct nights, and not with the rows.

    All sums are whole numbers, so adding rows or other bins in any order gives the same.

    Attributes
    ----------
    n_hexes, n_hours
        Hexes of the grid and hours of the window.
    nights
        Days since 1970 of each slot, shape (n_slots,), int64, in the order in which they were met; 0 without a date.
    presence
        People in 1/1024 by slot, hour and hex, shape (n_slots * n_hours * n_hexes,), int64.
    """

    n_hexes: int
    n_hours: int
    nights: NDArray[np.int64] = field(default_factory=_none)
    presence: NDArray[np.int64] = field(default_factory=_none)

    def add_night(self, night: int) -> int:
        """Return the slot of `night`, days since 1970; it is new if need be."""
        at = np.flatnonzero(self.nights == night)
        if at.size:
            return int(at[0])
        self.nights = np.append(self.nights, night)
        self.presence = np.append(self.presence, np.zeros(self.n_hours * self.n_hexes, dtype=np.int64))
        return self.nights.size - 1

    def add_people(self, night: NDArray[np.int64], hour: NDArray[np.int64], hexes: NDArray[np.int64], units: NDArray[np.int64]) -> None:
        """Add people: day since 1970, place of the hour in the window, hex and units of 1/1024, each of shape (n,)."""
        cell = (self._slots(night) * self.n_hours + hour) * self.n_hexes + hexes
        np.add.at(self.presence, cell, units)

    def merge(self, other: Bins) -> None:
        """Add what `other` holds."""
        self.add_people(*other.people())

    def people(self) -> tuple[NDArray[np.int64], ...]:
        """Return what `add_people` takes: night, hour, hex and units of everyone present, in no particular order."""
        cell = np.flatnonzero(self.presence)
        time, hexes = np.divmod(cell, self.n_hexes)
        slot, hour = np.divmod(time, self.n_hours)
        return self.nights[slot], hour, hexes, self.presence[cell]

    def _slots(self, night: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each night."""
        distinct, place = np.unique(night, return_inverse=True)
        slots: NDArray[Any] = np.array([self.add_night(int(day)) for day in distinct], dtype=np.int64)
        return slots[place.reshape(-1)] if distinct.size else _none()
