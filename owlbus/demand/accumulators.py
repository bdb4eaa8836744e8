"""Counts under construction: trips by key, dense tables of trips by hour, people present."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_view

if TYPE_CHECKING:
    from numpy.typing import NDArray


FREE = -1

STRIPES = 4

HOURS = 36

FIRST_SLOTS = 1 << 12

NONE = np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class TripCounter:
    """
    Units of 1/1024 trip by ``((night HOURS + hour) n_hexes + origin) n_hexes + destination``, with night in days since 1970.

    Memory grows with the distinct keys, 26 to 51 bytes each. Whole numbers are added, so the order of rows and threads does not matter.
    """

    _tables: list[NDArray[np.int64]] = field(default_factory=lambda: [_empty(FIRST_SLOTS) for _ in range(STRIPES)])
    _used: list[NDArray[np.int64]] = field(default_factory=lambda: [np.zeros(1, dtype=np.int64) for _ in range(STRIPES)])
    _locks: list[Any] = field(default_factory=lambda: [threading.Lock() for _ in range(STRIPES)])

    def add(self, key: NDArray[np.int64], units: NDArray[np.int64] = NONE) -> None:
        """
        Add rows.

        Parameters
        ----------
        key
            Keys, `FREE` to pass over a row, shape (n,), int64.
        units
            Units of each row, shape (n,), int64; empty where each is one trip.
        """
        from owlbus.kernels.hashing import add_by_key

        fixed = read_only_view(key), read_only_view(units)
        first = threading.get_ident() % STRIPES
        for place in range(STRIPES):
            stripe = (first + place) % STRIPES
            with self._locks[stripe]:
                row = 0
                while (row := add_by_key(row, *fixed, self._tables[stripe], self._used[stripe], stripe)) < key.size:
                    self._grow(stripe)

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return keys, ascending and each once, and their units of 1/1024 trip, each of shape (n,), int64."""
        taken = [table[::2] != FREE for table in self._tables]
        key = np.concatenate([table[::2][mask] for table, mask in zip(self._tables, taken, strict=True)])
        units = np.concatenate([table[1::2][mask] for table, mask in zip(self._tables, taken, strict=True)])
        order = np.argsort(key)
        return key[order], units[order]

    def clear(self) -> None:
        """Forget all rows."""
        self._tables[:] = [_empty(FIRST_SLOTS) for _ in range(STRIPES)]
        self._used[:] = [np.zeros(1, dtype=np.int64) for _ in range(STRIPES)]

    def __getstate__(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what crosses to another process: the rows."""
        return self.rows()

    def __setstate__(self, state: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        """Begin with the rows of another process."""
        self._tables = [_empty(FIRST_SLOTS) for _ in range(STRIPES)]
        self._used = [np.zeros(1, dtype=np.int64) for _ in range(STRIPES)]
        self._locks = [threading.Lock() for _ in range(STRIPES)]
        self.add(*state)

    def _grow(self, stripe: int) -> None:
        """Double the table of a stripe."""
        from owlbus.kernels.hashing import add_by_key

        old = self._tables[stripe]
        larger, used = _empty(old.size), np.zeros(1, dtype=np.int64)
        add_by_key(0, read_only_view(old[::2]), read_only_view(old[1::2]), larger, used, stripe)
        self._tables[stripe], self._used[stripe] = larger, used


def _empty(slots: int) -> NDArray[np.int64]:
    """Return a table of keys and values in turn."""
    table = np.zeros(2 * slots, dtype=np.int64)
    table[::2] = FREE
    return table


def _none() -> NDArray[np.int64]:
    """Return an empty column."""
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class PeopleCounter:
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

    def merge(self, other: PeopleCounter) -> None:
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
class ODTables:
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

    def follow(self, keys: NDArray[np.int64], bins: PeopleCounter, trips: TripCounter) -> None:
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

    def empty(self, bins: PeopleCounter, trips: TripCounter) -> None:
        """Hand what all pages hold to `bins` and `trips`; no hour has a page then."""
        from owlbus.kernels.count_blocks import empty_page

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
