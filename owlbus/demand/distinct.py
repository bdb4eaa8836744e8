"""Distinct (subscriber, place) pairs in bounded memory: a hash table that is emptied into files, one per part, when it is full."""

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

FREE = -1
FIRST_SLOTS = 1 << 12
MAX_SLOTS = 1 << 23
"""Slots of the table at most: 18 bytes each, so 150 MB."""

N_PARTS = 256
"""Files that a full table is emptied into; each is made distinct alone at the end."""

_ROW = np.dtype([("person", "<i8"), ("key", "<i8"), ("hour", "<i2")])


@dataclass(slots=True)
class DistinctPairs:
    """
    The earliest hour of each (person, key), exact, in memory that `max_slots` bounds.

    A full table is written out by part, the part of a pair being the same wherever it is met, and begun anew. In the end the parts are read
    back one by one: all copies of a pair meet in one part.

    Attributes
    ----------
    max_slots
        Slots of the table at most, a power of two.
    """

    max_slots: int = field(default_factory=lambda: MAX_SLOTS)
    _table: tuple[NDArray[Any], ...] = field(default_factory=lambda: _empty(FIRST_SLOTS))
    _used: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, person: NDArray[np.int64], key: NDArray[np.int64], hour: NDArray[np.int64]) -> None:
        """
        Add rows.

        Parameters
        ----------
        person, key
            What makes a row distinct, shape (n,), int64; keys are >= 0.
        hour
            Service hour, shape (n,), int64; the least is kept.
        """
        from owlbus.kernels.hashing import keep_firsts

        row = 0
        while (row := keep_firsts(row, person, key, hour, self._table, self._used)) < key.size:
            if self._table[1].size < self.max_slots:
                self._grow()
            else:
                self._spill()

    def distinct(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """
        Yield person, key and earliest hour of each distinct pair, part by part; nothing is left afterwards.

        Yields
        ------
        tuple of ndarray
            Columns of one part, int64; no pair comes twice.
        """
        if self._folder is None:
            yield _taken(self._table)
            self._begin()
            return
        self._spill()
        folder, self._folder = self._folder, None
        with folder:
            for part in range(N_PARTS):
                file = Path(folder.name) / f"{part}"
                if file.exists():
                    yield _distinct(np.fromfile(file, _ROW))
                    file.unlink()

    def __getstate__(self) -> tuple[int, list[NDArray[np.int64]]]:
        """Return what crosses to another process: the distinct rows; nothing is left here."""
        return self.max_slots, [np.concatenate(columns) for columns in zip(*self.distinct(), strict=True)]

    def __setstate__(self, state: tuple[int, list[NDArray[np.int64]]]) -> None:
        """Begin with the rows of another process."""
        self.max_slots, columns = state
        self._folder = None
        self._begin()
        self.add(*columns)

    def _begin(self) -> None:
        """Begin with an empty table."""
        self._table, self._used = _empty(FIRST_SLOTS), np.zeros(1, dtype=np.int64)

    def _grow(self) -> None:
        """Double the table."""
        from owlbus.kernels.hashing import keep_firsts

        person, key, hour = _taken(self._table)
        self._table, self._used = _empty(self._table[1].size * 2), np.zeros(1, dtype=np.int64)
        keep_firsts(0, person, key, hour, self._table, self._used)

    def _spill(self) -> None:
        """Append the table to the files of its parts and begin anew, at full size."""
        from owlbus.kernels.hashing import parts_of_pairs

        if self._folder is None:
            with in_temporary_folder():
                self._folder = tempfile.TemporaryDirectory(prefix="owlbus-firsts-")
        person, key, hour = _taken(self._table)
        part = parts_of_pairs(person, key, N_PARTS)
        order = np.argsort(part, kind="stable")
        rows = np.empty(key.size, dtype=_ROW)
        for name, column in (("person", person), ("key", key), ("hour", hour)):
            rows[name] = column[order]
        ends = np.searchsorted(part[order], np.arange(N_PARTS + 1))
        for number, (low, high) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            if high > low:
                with in_temporary_folder(), (Path(self._folder.name) / f"{number}").open("ab") as stream:
                    stream.write(rows[low:high].tobytes())
        self._table[1][:] = FREE
        self._used[0] = 0


def _empty(slots: int) -> tuple[NDArray[Any], ...]:
    """Return a table without entries."""
    return np.zeros(slots, dtype=np.int64), np.full(slots, FREE), np.zeros(slots, dtype=np.int16)


def _taken(table: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of a table."""
    taken = table[1] != FREE
    return table[0][taken], table[1][taken], table[2][taken].astype(np.int64)


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct rows of one part."""
    from owlbus.kernels.hashing import keep_firsts

    size = FIRST_SLOTS
    while size * 5 // 8 < rows.size + 1:
        size *= 2
    table = _empty(size)
    person, key, hour = (np.ascontiguousarray(rows[name], dtype=np.int64) for name in ("person", "key", "hour"))
    keep_firsts(0, person, key, hour, table, np.zeros(1, dtype=np.int64))
    return _taken(table)
