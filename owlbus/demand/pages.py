"""Trips in the making of the hours at hand: one table of origin by destination hex for each, emptied when other hours come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.demand.trips import FREE, HOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand.bins import Bins
    from owlbus.demand.trips import Trips

PAGE_BYTES = 240 << 20
"""Memory for the pages of one thread, at most; hours without a page are counted in a hash table, as exactly and some ten times slower."""

FIRST_ROWS = 1 << 20
"""Rows before the first page is made: less is counted before a page pays."""

LEAST_SHARE = 256
"""An hour gets a page if it has at least one in so many rows of a batch."""

STAY_BATCHES = 64
"""Batches between two emptyings, at least, so that their cost stays small whatever the order of rows."""

_MAX_ROWS = 2**31 - 2**24
_SAMPLE = 16


@dataclass(slots=True)
class Pages:
    """
    Rows by pair of hexes, for the hours at hand.

    Attributes
    ----------
    n_hexes, n_hours
        Hexes of the grid and hours of the window.
    first_hour
        Service hour that the window begins with.
    of
        Page of each slot and hour, shape (n_slots * n_hours,), int32, -1 for none.
    counts
        Rows by page and pair of hexes, shape (n_pages, n_hexes ** 2), int32.
    """

    n_hexes: int
    n_hours: int
    first_hour: int
    of: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    counts: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int32))
    _rows: int = 0
    _batches: int = 0

    def reach(self, n_slots: int) -> None:
        """Know of `n_slots` nights."""
        self.of = np.append(self.of, np.full(n_slots * self.n_hours - self.of.size, -1, dtype=np.int32))

    def follow(self, keys: NDArray[np.int64], bins: Bins, trips: Trips) -> None:
        """
        Give pages to the hours that a batch had most rows of, emptying others if there is no room.

        Parameters
        ----------
        keys
            Keys of the batch's trips that were on no page, `FREE` for other rows, shape (n,), int64.
        bins, trips
            Take what pages hold.
        """
        self._rows += keys.size
        self._batches += 1
        sample = keys[::_SAMPLE]
        hours, rows = np.unique(sample[sample != FREE] // self.n_hexes**2, return_counts=True)
        hours = hours[rows * LEAST_SHARE >= sample.size]
        if self._rows > _MAX_ROWS:
            self.empty(bins, trips)
        if not hours.size or self._rows < FIRST_ROWS:
            return
        room = PAGE_BYTES // (4 * self.n_hexes**2)
        if self.counts.shape[0] == 0:
            self.counts = np.zeros((room, self.n_hexes**2), dtype=np.int32)
        used = int(self.of.max(initial=-1)) + 1
        if used == room and self._batches >= STAY_BATCHES:
            self.empty(bins, trips)
            used = 0
        night, hour = np.divmod(hours, HOURS)
        slot_of = {int(day): slot for slot, day in enumerate(bins.nights)}
        places = [slot_of[int(day)] * self.n_hours + int(one) - self.first_hour for day, one in zip(night, hour, strict=True)]
        self.of[places[: room - used]] = np.arange(used, min(used + len(places), room))

    def empty(self, bins: Bins, trips: Trips) -> None:
        """Hand what all pages hold to `bins` and `trips`; no hour has a page then."""
        from owlbus.kernels.blocks import empty_page

        n = self.n_hexes
        for place in np.flatnonzero(self.of >= 0):
            slot, hour = divmod(int(place), self.n_hours)
            first_key = (int(bins.nights[slot]) * HOURS + hour + self.first_hour) * n * n
            trips.add(*empty_page(self.counts[self.of[place]], first_key, n, bins.presence[place * n : (place + 1) * n]))
        self.of[:] = -1
        self._rows = self._batches = 0

    def close(self) -> None:
        """Give the memory of empty pages back."""
        self.counts = np.empty((0, 0), dtype=np.int32)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what crosses to another process: nothing, as pages are emptied before."""
        assert (self.of < 0).all(), "pages that hold rows stay"  # noqa: S101 - a tally empties them
        return self.n_hexes, self.n_hours, self.first_hour, self.of

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Begin without pages."""
        self.n_hexes, self.n_hours, self.first_hour, self.of = state
        self.counts, self._rows, self._batches = np.empty((0, 0), dtype=np.int32), 0, 0
