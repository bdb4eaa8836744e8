"""Subscriber ids as integers, equal for equal ids in all files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

NOBODY = np.iinfo(np.int64).min
"""Number of a missing id; each such row is a separate person."""

_LARGEST = 2**62
_FIRST_CODE = -2
_CODES_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Subscribers:
    """
    Mapping of subscriber ids to integers.

    An id that is an integer in [0, 2**62), written without sign or leading zeros, maps to itself, so numbers and their text are equal.
    Other ids get codes from -2 downwards in order of occurrence; these ids are kept in memory.

    Attributes
    ----------
    codes
        Code of each other id.
    """

    codes: dict[str, int] = field(default_factory=dict)

    def numbers(self, ids: pl.Series) -> NDArray[np.int64]:
        """
        Return the integers of a column of ids.

        Parameters
        ----------
        ids
            Ids as text or numbers, shape (n,).

        Returns
        -------
        ndarray of int64
            Shape (n,); equal if and only if ids are equal, `NOBODY` if an id is missing or blank.
        """
        import polars as pl

        if ids.dtype.is_float() and (ids.fill_nan(None).drop_nulls() % 1 == 0).all():
            ids = ids.fill_nan(None).cast(pl.Int64, strict=False)
        if ids.dtype.is_integer():
            own_numbers = ids.cast(pl.Int64, strict=False)
        else:
            ids = ids.cast(pl.String).str.strip_chars()
            ids = ids.set(ids == "", None)
            own_numbers = ids.set(~ids.str.contains(r"^(0|[1-9]\d*)$"), None).cast(pl.Int64, strict=False)
        own_numbers = own_numbers.set((own_numbers < 0) | (own_numbers >= _LARGEST), None)
        numbers = own_numbers.fill_null(NOBODY).to_numpy().copy()
        coded_rows = np.flatnonzero((own_numbers.is_null() & ids.is_not_null()).to_numpy())
        if coded_rows.size:
            numbers[coded_rows] = self._coded(ids[coded_rows].cast(pl.String))
        return numbers

    def codes_of(self, texts: list[str]) -> list[int]:
        """Return codes of ids, below -1, adding new ones; thread-safe."""
        with _CODES_LOCK:
            return [self.codes.setdefault(text, _FIRST_CODE - len(self.codes)) for text in texts]

    def renumbered(self, person: NDArray[np.int64], other: Subscribers) -> NDArray[np.int64]:
        """
        Convert integers of another process to those of this one.

        Parameters
        ----------
        person
            Integers of `other`, shape (n,).
        other
            Mapping of the other process.

        Returns
        -------
        ndarray of int64
            Shape (n,).
        """
        if other is self or not other.codes:
            return person
        texts = list(other.codes)
        codes = np.array(self.codes_of(texts), dtype=np.int64)
        coded = (person <= _FIRST_CODE) & (person != NOBODY)
        return np.where(coded, codes[np.where(coded, _FIRST_CODE - person, 0)], person)

    def _coded(self, ids: pl.Series) -> NDArray[np.int64]:
        """Return codes of a column of ids, adding new ones."""
        import polars as pl

        categories = ids.unique(maintain_order=True)
        codes = self.codes_of(categories.to_list())
        return ids.replace_strict(categories, pl.Series(codes, dtype=pl.Int64), return_dtype=pl.Int64).to_numpy()
