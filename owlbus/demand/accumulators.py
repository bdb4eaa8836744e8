"""Accumulators of counts: trips by key, dense OD tables by hour, and people present."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.sum_by_key import KeyedValues

FREE = -1

HOURS = 36

MIN_WAITING = 1 << 22
"""Rows that wait at least before they are added up."""

NONE = np.empty(0, dtype=np.int64)


def _no_rows() -> KeyedValues:
    """Return a table without rows."""
    from owlbus.kernels.sum_by_key import KeyedValues

    return KeyedValues(NONE, NONE)


@dataclass(slots=True)
class TripCounter:
    """
    Trip quanta by ``((night HOURS + hour) n_hexes + origin) n_hexes + destination``, with night in days since 1970; any thread may add.

    Rows wait until there are as many as distinct keys so far; then they are sorted and added up. Memory grows with the distinct keys, 16
    to 64 bytes each. Sums are of integers, so the order of rows and threads does not matter.
    """

    _sums: KeyedValues = field(default_factory=_no_rows)
    _waiting: list[KeyedValues] = field(default_factory=list)
    _n_waiting: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def add(self, key: NDArray[np.int64], quanta: NDArray[np.int64] = NONE) -> None:
        """
        Add rows.

        Parameters
        ----------
        key
            Keys, `FREE` to skip a row, shape (n,), int64; kept, so it must not change.
        quanta
            Quanta (1/1024 trip) of each row, shape (n,), int64; empty if each is one trip; kept likewise.
        """
        from owlbus.kernels.sum_by_key import KeyedValues

        is_trip = key != FREE
        rows = KeyedValues(key, quanta) if is_trip.all() else KeyedValues(key[is_trip], quanta[is_trip] if quanta.size else NONE)
        with self._lock:
            self._waiting.append(rows)
            self._n_waiting += rows.key.size
            if self._n_waiting >= max(MIN_WAITING, self._sums.key.size):
                self._add_up()

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return distinct keys, ascending, and their quanta of 1/1024 trip, each of shape (n,), int64."""
        with self._lock:
            self._add_up()
            return self._sums.key, self._sums.value

    def clear(self) -> None:
        """Remove all rows."""
        self._sums, self._waiting, self._n_waiting = _no_rows(), [], 0

    def __getstate__(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows for another process."""
        return self.rows()

    def __setstate__(self, state: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        """Restore from the rows of another process."""
        self._lock = threading.Lock()
        self.clear()
        self._sums = self._sums._replace(key=state[0], value=state[1])

    def _add_up(self) -> None:
        """Add up the rows that wait; parts that ascend, as those of dense tables do, are only merged."""
        mixed: list[KeyedValues] = []
        ascending: list[KeyedValues] = []
        for rows in self._waiting:
            (ascending if (rows.key[1:] >= rows.key[:-1]).all() else mixed).append(rows)
        self._waiting, self._n_waiting = [], 0
        for parts in (mixed, ascending):
            if parts:
                self._sums = _merged(self._sums, _summed(parts))


def _summed(parts: list[KeyedValues]) -> KeyedValues:
    """Return distinct keys, ascending, and the sum of each; the list is emptied. numpy makes all arrays, as it asks for large pages."""
    from owlbus.kernels.sum_by_key import KeyedValues, sum_by_key

    rows = KeyedValues(np.concatenate([part.key for part in parts]), np.concatenate([_quanta(part) for part in parts]))
    parts.clear()
    return _front(rows, sum_by_key(rows, KeyedValues(np.empty_like(rows.key), np.empty_like(rows.value))))


def _quanta(rows: KeyedValues) -> NDArray[np.int64]:
    """Return the quanta of each row, one trip if rows have none."""
    return rows.value if rows.value.size else np.full(rows.key.size, QUANTA_PER_TRIP, dtype=np.int64)


def _merged(one: KeyedValues, two: KeyedValues) -> KeyedValues:
    """Return the sums of two tables of distinct ascending keys."""
    from owlbus.kernels.sum_by_key import KeyedValues, merge_sums

    if not one.key.size:
        return two
    merged = KeyedValues(*np.empty((2, one.key.size + two.key.size), dtype=np.int64))
    return _front(merged, merge_sums(one, two, merged))


def _front(rows: KeyedValues, n: int) -> KeyedValues:
    """Return the first `n` rows; of arrays more than twice as long a copy, so that they can be freed."""
    is_long = rows.key.size > 2 * n
    return rows._replace(key=rows.key[:n].copy() if is_long else rows.key[:n], value=rows.value[:n].copy() if is_long else rows.value[:n])


def _none() -> NDArray[np.int64]:
    """Return an empty column."""
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class PeopleCounter:
    """
    People present by night, hour and hex; memory grows with the nights, not with the rows.

    Sums are of integers, so the order of rows does not matter.

    Attributes
    ----------
    n_hexes, n_hours
        Hexes of the grid and hours of the window.
    nights
        Days since 1970 of each slot, shape (n_slots,), int64, in order of occurrence; 0 without a date.
    presence
        Quanta of 1/1024 person by slot, hour and hex, shape (n_slots * n_hours * n_hexes,), int64.
    """

    n_hexes: int
    n_hours: int
    nights: NDArray[np.int64] = field(default_factory=_none)
    presence: NDArray[np.int64] = field(default_factory=_none)

    def add_night(self, night: int) -> int:
        """Return the slot of `night`, days since 1970; add it if it is new."""
        slots = np.flatnonzero(self.nights == night)
        if slots.size:
            return int(slots[0])
        self.nights = np.append(self.nights, night)
        self.presence = np.append(self.presence, np.zeros(self.n_hours * self.n_hexes, dtype=np.int64))
        return self.nights.size - 1

    def add_people(self, night: NDArray[np.int64], hour: NDArray[np.int64], hexes: NDArray[np.int64], quanta: NDArray[np.int64]) -> None:
        """Add `quanta` of 1/1024 person by `night` (days since 1970), `hour` (index in the window) and `hexes`, each of shape (n,)."""
        cell = (self._slots(night) * self.n_hours + hour) * self.n_hexes + hexes
        np.add.at(self.presence, cell, quanta)

    def merge(self, other: PeopleCounter) -> None:
        """Add the counts of `other`."""
        self.add_people(*other.people())

    def people(self) -> tuple[NDArray[np.int64], ...]:
        """Return night, hour, hex and quanta of everyone present, as `add_people` takes them, unordered."""
        cell = np.flatnonzero(self.presence)
        time, hexes = np.divmod(cell, self.n_hexes)
        slot, hour = np.divmod(time, self.n_hours)
        return self.nights[slot], hour, hexes, self.presence[cell]

    def _slots(self, night: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each night."""
        distinct, index = np.unique(night, return_inverse=True)
        slots: NDArray[Any] = np.array([self.add_night(int(day)) for day in distinct], dtype=np.int64)
        return slots[index.reshape(-1)] if distinct.size else _none()


TABLE_BYTES = 240 << 20
"""Largest memory in bytes of the tables of one thread; rows of other hours are sorted, which takes several times as long."""

FIRST_ROWS = 1 << 20
"""Rows before the first table is allocated; it does not pay below."""

MIN_SHARE = 256
"""An hour gets a table if it has at least one in so many rows of a batch."""

MIN_BATCHES = 64
"""Minimum batches between two flushes, so that their cost stays small for any order of rows."""

_MAX_ROWS = 2**31 - 2**24

_SAMPLE = 16


@dataclass(slots=True)
class ODTables:
    """
    Dense tables of rows by origin and destination, for the hours with most rows.

    Attributes
    ----------
    n_hexes, n_hours
        Hexes of the grid and hours of the window.
    first_hour
        First service hour of the window.
    table_of
        Table of each slot and hour, shape (n_slots * n_hours,), int32, -1 for none.
    counts
        Rows by table and pair of hexes, shape (n_tables, n_hexes ** 2), int32.
    """

    n_hexes: int
    n_hours: int
    first_hour: int
    table_of: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    counts: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int32))
    _rows: int = 0
    _batches: int = 0

    def set_slots(self, n_slots: int) -> None:
        """Extend `table_of` to `n_slots` nights."""
        self.table_of = np.append(self.table_of, np.full(n_slots * self.n_hours - self.table_of.size, -1, dtype=np.int32))

    def allocate(self, keys: NDArray[np.int64], people: PeopleCounter, trips: TripCounter) -> None:
        """
        Allocate tables to the hours with most rows of a batch; flush the others if memory is used up.

        Parameters
        ----------
        keys
            Keys of trips of the batch without a table, `FREE` for other rows, shape (n,), int64.
        people, trips
            Receive the counts of flushed tables.
        """
        self._rows += keys.size
        self._batches += 1
        sample = keys[::_SAMPLE]
        hours, rows = np.unique(sample[sample != FREE] // self.n_hexes**2, return_counts=True)
        hours = hours[rows * MIN_SHARE >= sample.size]
        if self._rows > _MAX_ROWS:
            self.flush(people, trips)
        if not hours.size or self._rows < FIRST_ROWS:
            return
        n_tables = TABLE_BYTES // (4 * self.n_hexes**2)
        if self.counts.shape[0] == 0:
            self.counts = np.zeros((n_tables, self.n_hexes**2), dtype=np.int32)
        n_used = int(self.table_of.max(initial=-1)) + 1
        if n_used == n_tables and self._batches >= MIN_BATCHES:
            self.flush(people, trips)
            n_used = 0
        night, hour = np.divmod(hours, HOURS)
        slot_of = {int(day): slot for slot, day in enumerate(people.nights)}
        cells = [
            slot_of[int(day)] * self.n_hours + int(service_hour) - self.first_hour for day, service_hour in zip(night, hour, strict=True)
        ]
        self.table_of[cells[: n_tables - n_used]] = np.arange(n_used, min(n_used + len(cells), n_tables))

    def absorb(self, other: ODTables, nights: NDArray[np.int64], other_nights: NDArray[np.int64]) -> None:
        """
        Move the counts of hours that have a table in both from `other` to these tables.

        Parameters
        ----------
        other
            Tables of another thread, of the same hexes and hours.
        nights, other_nights
            Days since 1970 of the slots of each, shape (n_slots,), int64.
        """
        if self._rows + other._rows > _MAX_ROWS:
            return
        slot_of = {int(day): slot for slot, day in enumerate(nights)}
        for cell in np.flatnonzero(other.table_of >= 0):
            slot, hour = divmod(int(cell), self.n_hours)
            own_cell = slot_of.get(int(other_nights[slot]), self.table_of.size) * self.n_hours + hour
            if own_cell < self.table_of.size and self.table_of[own_cell] >= 0:
                table = other.counts[other.table_of[cell]]
                self.counts[self.table_of[own_cell]] += table
                table[:] = 0
                other.table_of[cell] = -1
        self._rows += other._rows

    def flush(self, people: PeopleCounter, trips: TripCounter) -> None:
        """Move the counts of all tables to `people` and `trips`, by key; no hour has a table afterwards."""
        from owlbus.kernels.count_blocks import empty_page

        n = self.n_hexes
        cells = np.flatnonzero(self.table_of >= 0)
        for cell in cells[np.argsort(people.nights[cells // self.n_hours], kind="stable")]:
            slot, hour = divmod(int(cell), self.n_hours)
            first_key = (int(people.nights[slot]) * HOURS + hour + self.first_hour) * n * n
            trips.add(*empty_page(self.counts[self.table_of[cell]], first_key, n, people.presence[cell * n : (cell + 1) * n]))
        self.table_of[:] = -1
        self._rows = self._batches = 0

    def release(self) -> None:
        """Free the memory of the tables."""
        self.counts = np.empty((0, 0), dtype=np.int32)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return the state for another process, without tables: they must be flushed before."""
        assert (self.table_of < 0).all(), "pages that hold rows stay"  # noqa: S101 - Tally flushes them
        return self.n_hexes, self.n_hours, self.first_hour, self.table_of

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Restore without tables."""
        self.n_hexes, self.n_hours, self.first_hour, self.table_of = state
        self.counts, self._rows, self._batches = np.empty((0, 0), dtype=np.int32), 0, 0
