"""Duplicate taxi rides in a file: equal times to the second and equal positions."""

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
    Return whether equal rows of a file are duplicates.

    True for rides with a time and two positions; of those without an end time the start is compared. False for rows with a count, and
    for calls: their repeats are removed by subscriber or belong to other people.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        Whether `DuplicateRides` should check the file.
    """
    return source.layout.kind is TAXI and "trips" not in source.layout.names


@dataclass(slots=True)
class DuplicateRides:
    """
    Hash table of the rides of one file, two 64-bit digests each: 32 to 64 bytes per ride.

    Rows whose times are all full minutes are never duplicates: such times are too coarse.
    """

    _table: Digests = field(default_factory=lambda: _empty_table(FIRST_SLOTS))
    _used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def marks(self, batch: Batch) -> NDArray[np.uint8]:
        """
        Mark rows that repeat an earlier row.

        Parameters
        ----------
        batch
            Rows of the file, in order.

        Returns
        -------
        ndarray of uint8
            Shape (n,), 1 where an earlier row has the same times and positions.
        """
        from owlbus.kernels.hashing import mark_twins

        has_end = batch.end_ticks.size > 0
        start_s, end_s = batch.start_s, batch.end_s if has_end else batch.start_s
        positions = [np.ascontiguousarray(column).view(np.int64) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
        usable = (start_s >= 0) & (end_s >= 0) & ((start_s % _MINUTE_S != 0) | (end_s % _MINUTE_S != 0))
        self._reserve(batch.n_rows)
        return np.asarray(
            mark_twins(
                np.column_stack([batch.ticks, batch.end_ticks if has_end else batch.ticks, *positions]), usable, self._table, self._used
            )
        )

    def _reserve(self, rows: int) -> None:
        """Grow the table for `rows` more rows."""
        size = self._table.first.size
        if 2 * (int(self._used[0]) + rows) <= size:
            return
        while 2 * (int(self._used[0]) + rows) > size:
            size *= 2
        is_used = self._table.first != FREE
        first, second = self._table.first[is_used], self._table.second[is_used]
        self._table = _empty_table(size)
        from owlbus.kernels.hashing import put_digests

        put_digests(first, second, self._table)


def _empty_table(slots: int) -> Digests:
    """Return an empty table."""
    from owlbus.kernels.hashing import Digests

    return Digests(np.full(slots, FREE), np.zeros(slots, dtype=np.int64))
