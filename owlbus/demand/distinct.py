"""Distinct (person, key) pairs in bounded memory: a hash table that spills to files, partitioned by hash."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.files import in_temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.kernels.hashing import FirstHours

FREE = -1
FIRST_SLOTS = 1 << 12
MAX_SLOTS = 1 << 23
"""Largest number of slots: 18 bytes each, 150 MB."""

N_PARTS = 256
"""Number of spill files; each is deduplicated alone at the end."""

_PAIR = np.dtype([("person", "<i8"), ("key", "<i8"), ("hour", "<i2")])


@dataclass(slots=True)
class DistinctPairs:
    """
    Earliest hour of each (person, key), exact, with memory bounded by `max_slots`.

    A full table is written to files by hash of the pair and cleared. At the end each file is deduplicated: all copies of a pair are in
    one file.

    Attributes
    ----------
    max_slots
        Largest number of slots, a power of two.
    """

    max_slots: int = field(default_factory=lambda: MAX_SLOTS)
    _table: FirstHours = field(default_factory=lambda: _empty_table(FIRST_SLOTS))
    _used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, person: NDArray[np.int64], key: NDArray[np.int64], hour: NDArray[np.int64]) -> None:
        """
        Add rows.

        Parameters
        ----------
        person, key
            Pair of each row, shape (n,), int64; keys are >= 0.
        hour
            Service hour, shape (n,), int64; the earliest is kept.
        """
        from owlbus.kernels.hashing import keep_firsts

        row = 0
        while (row := keep_firsts(row, person, key, hour, self._table, self._used)) < key.size:
            if self._table.key.size < self.max_slots:
                self._grow()
            else:
                self._spill()

    def pairs(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """
        Yield person, key and earliest hour of each distinct pair, file by file; the pairs are removed.

        Yields
        ------
        tuple of ndarray
            Columns of one file, int64; each pair once.
        """
        if self._folder is None:
            yield _entries(self._table)
            self._clear()
            return
        self._spill()
        folder, self._folder = self._folder, None
        with folder:
            for part in range(N_PARTS):
                file = Path(folder.name) / f"{part}"
                if file.exists():
                    yield _distinct_rows(np.fromfile(file, _PAIR))
                    file.unlink()

    def __getstate__(self) -> tuple[int, list[NDArray[np.int64]]]:
        """Return the distinct pairs for another process; they are removed here."""
        return self.max_slots, [np.concatenate(columns) for columns in zip(*self.pairs(), strict=True)]

    def __setstate__(self, state: tuple[int, list[NDArray[np.int64]]]) -> None:
        """Restore from the pairs of another process."""
        self.max_slots, columns = state
        self._folder = None
        self._clear()
        self.add(*columns)

    def _clear(self) -> None:
        """Reset to an empty table."""
        self._table, self._used = _empty_table(FIRST_SLOTS), np.zeros(1, dtype=np.int64)

    def _grow(self) -> None:
        """Double the table."""
        from owlbus.kernels.hashing import keep_firsts

        person, key, hour = _entries(self._table)
        self._table, self._used = _empty_table(self._table.key.size * 2), np.zeros(1, dtype=np.int64)
        keep_firsts(0, person, key, hour, self._table, self._used)

    def _spill(self) -> None:
        """Append the table to the spill files and clear it."""
        from owlbus.kernels.hashing import parts_of_pairs

        if self._folder is None:
            with in_temporary_folder():
                self._folder = tempfile.TemporaryDirectory(prefix="owlbus-pairs-")
        person, key, hour = _entries(self._table)
        part = parts_of_pairs(person, key, N_PARTS)
        order = np.argsort(part, kind="stable")
        rows = np.empty(key.size, dtype=_PAIR)
        for name, column in (("person", person), ("key", key), ("hour", hour)):
            rows[name] = column[order]
        ends = np.searchsorted(part[order], np.arange(N_PARTS + 1))
        for number, (low, high) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            if high > low:
                with in_temporary_folder(), (Path(self._folder.name) / f"{number}").open("ab") as stream:
                    stream.write(rows[low:high].tobytes())
        self._table.key[:] = FREE
        self._used[0] = 0


def _empty_table(slots: int) -> FirstHours:
    """Return an empty table."""
    from owlbus.kernels.hashing import FirstHours

    return FirstHours(np.zeros(slots, dtype=np.int64), np.full(slots, FREE), np.zeros(slots, dtype=np.int16))


def _entries(table: FirstHours) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of a table."""
    is_used = table.key != FREE
    return table.person[is_used], table.key[is_used], table.hour[is_used].astype(np.int64)


def _distinct_rows(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct pairs of one spill file."""
    from owlbus.kernels.hashing import keep_firsts

    size = FIRST_SLOTS
    while size * 5 // 8 < rows.size + 1:
        size *= 2
    table = _empty_table(size)
    person, key, hour = (np.ascontiguousarray(rows[name], dtype=np.int64) for name in ("person", "key", "hour"))
    keep_firsts(0, person, key, hour, table, np.zeros(1, dtype=np.int64))
    return _entries(table)
