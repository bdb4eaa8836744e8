"""Trips in the making: a hash table in stripes, that all threads of a process add to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.arrays import read_only_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = -1
STRIPES = 4
HOURS = 36
FIRST_SLOTS = 1 << 12
NONE = np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Trips:
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
