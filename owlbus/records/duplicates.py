"""Repeated rows in a file: equal times to the second and equal positions of both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.records.file_forms import reading_errors
from owlbus.records.schema import CALLS, TAXI

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.common.units import NightWindow
    from owlbus.kernels.hashing import Digests
    from owlbus.records.reading import Batch
    from owlbus.records.sources import Source

_SHARED = frozenset({"antenna", "home_antenna", "cell", "home_cell", "zone", "home_zone"})
FREE = -1
FIRST_SLOTS = 1 << 14
_MOST_FULL = 0.7
_MINUTE_S = 60


def may_have_duplicates(source: Source) -> bool:
    """
    Return whether equal rows of a file are repeats of one call or ride.

    True for rides between two positions, of which those without an end time are compared by their start, and for calls with two
    positions of their own. False for rows with a count, for calls of subscribers, whose repeats are removed by subscriber, and for calls
    at antennas, cells or zones, which many people share.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        Whether `RepeatedRows` should check the file.
    """
    kind, names = source.layout.kind, source.layout.names
    if "trips" in names:
        return False
    return kind is TAXI or (kind is CALLS and "subscriber" not in names and _SHARED.isdisjoint(source.layout.stand_ins))


def has_seconds(source: Source) -> bool:
    """
    Return whether the start times of a file are finer than a minute, told by its first rows.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        True if one of the first rows starts within a minute.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    from owlbus.records.reading import batch_of

    if source.n_quotes % 2:  # it is refused when it is read
        return False
    with reading_errors(source.name):
        rows = source.head().collect()
    start_s = batch_of(source, 0, rows).start_s
    return bool(((start_s >= 0) & (start_s % _MINUTE_S != 0)).any())


@dataclass(slots=True)
class RepeatedRows:
    """
    Hash table of the calls or rides of one file, two 64-bit digests each: 23 to 46 bytes a row.

    In a file whose start times are no finer than a minute, rows whose times are all full minutes are never repeats: such times are too
    coarse. Rows outside the window are not looked at: they are rejected anyway, and so are their repeats.

    Attributes
    ----------
    window
        Hours that count; None for all.
    n_rows
        Rows of the file, so that the table need not grow step by step; None if unknown.
    has_seconds
        Whether the start times of the file are finer than a minute, as `has_seconds` tells.
    """

    window: NightWindow | None = None
    n_rows: int | None = None
    has_seconds: bool = False
    _n_seen: int = 0
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
            Shape (n,), 1 where an earlier row has the same times and positions; empty if no row has.
        """
        from owlbus.kernels.hashing import mark_twins

        start_s = batch.start_s
        end_s = batch.end_s if batch.end_ticks.size else start_s
        positions = [np.ascontiguousarray(column).view(np.int64) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
        usable = (start_s >= 0) & (end_s >= 0) & self._in_window(start_s)
        if not self.has_seconds:
            usable &= (start_s % _MINUTE_S != 0) | (end_s % _MINUTE_S != 0)
        self._n_seen += batch.n_rows
        self._reserve(int(np.count_nonzero(usable)))
        ticks = [batch.ticks, batch.end_ticks] if batch.end_ticks.size else [batch.ticks]
        marks = np.asarray(mark_twins(np.column_stack([*ticks, *positions]), usable, self._table, self._used))
        return marks if marks.any() else marks[:0]

    def _in_window(self, start_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows begin in an hour of the window, shape (n,)."""
        hours = range(24) if self.window is None else self.window.hours
        counts = np.zeros(24, dtype=np.bool_)
        counts[np.array(hours) % 24] = True
        return np.asarray(counts[start_s // HOUR_S % 24])

    def _reserve(self, rows: int) -> None:
        """Grow the table for `rows` more rows."""
        size = self._table.first.size
        if int(self._used[0]) + rows <= _MOST_FULL * size:
            return
        rows += int(self._used[0])
        left = 1.0 if self.n_rows is None else self.n_rows / max(self._n_seen, 1)
        while rows * max(left, 1.0) > _MOST_FULL * size:
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
