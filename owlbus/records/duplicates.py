"""Rides that a file holds twice, told to the second and to the last digit of both positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.records.schema import TAXI

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.hashing import Digests
    from owlbus.records.reading import Batch
    from owlbus.records.sources import Source

FREE = -1
FIRST_SLOTS = 1 << 14
_MINUTE_S = 60


def may_have_duplicates(source: Source) -> bool:
    """
    Whether a row of a file that equals another is one that was written twice.

    It is for rides, which have two times and two places. It is not for rows that carry a count, and for calls, whose repeats are left
    out by subscriber or are other people's.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        Whether `DuplicateRides` should look at it.
    """
    return source.layout.kind is TAXI and "trips" not in source.layout.names


@dataclass(slots=True)
class DuplicateRides:
    """
    The rides of one file so far, as two 64-bit digests each: 32 to 64 bytes a ride.

    Times on full minutes are too coarse to tell two rides apart: such rows are let be.
    """

    _table: Digests = field(default_factory=lambda: _empty(FIRST_SLOTS))
    _used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def marks(self, batch: Batch) -> NDArray[np.uint8]:
        """
        Rows that repeat an earlier one.

        Parameters
        ----------
        batch
            Rows of the file, in order.

        Returns
        -------
        ndarray of uint8
            Shape (n,), 1 where an earlier row has the same times and places.
        """
        from owlbus.kernels.hashing import mark_twins

        start_s, end_s = batch.start_s, batch.end_s if batch.end_ticks.size else batch.start_s
        places = [np.ascontiguousarray(column).view(np.int64) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
        usable = (start_s >= 0) & (end_s >= 0) & ((start_s % _MINUTE_S != 0) | (end_s % _MINUTE_S != 0))
        self._make_room(batch.n_rows)
        return np.asarray(mark_twins(np.column_stack([batch.ticks, batch.end_ticks, *places]), usable, self._table, self._used))

    def _make_room(self, rows: int) -> None:
        """Make the table large enough for more rows."""
        size = self._table.first.size
        if 2 * (int(self._used[0]) + rows) <= size:
            return
        while 2 * (int(self._used[0]) + rows) > size:
            size *= 2
        taken = self._table.first != FREE
        first, second = self._table.first[taken], self._table.second[taken]
        self._table = _empty(size)
        from owlbus.kernels.hashing import put_digests

        put_digests(first, second, self._table)


def _empty(slots: int) -> Digests:
    """Return a table without entries."""
    from owlbus.kernels.hashing import Digests

    return Digests(np.full(slots, FREE), np.zeros(slots, dtype=np.int64))
