"""Subscriber ids as whole numbers, the same for the same id in every file."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

NOBODY = np.iinfo(np.int64).min
"""Number of a missing id: each such row is a person of its own."""

_LARGEST = 2**62
_FIRST_CODE = -2
_NUMBERING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Subscribers:
    """
    Numbers given to subscriber ids so far.

    An id that is a whole number in [0, 2**62), written without sign or leading zeros, is its own number, so numbers and their text
    are one subscriber. Every other id is numbered downwards from -2 as it comes; these ids are held in memory.

    Attributes
    ----------
    codes
        Number of each id that is not its own.
    """

    codes: dict[str, int] = field(default_factory=dict)

    def numbers(self, ids: pl.Series) -> NDArray[np.int64]:
        """
        Numbers of a column of ids.

        Parameters
        ----------
        ids
            Ids as text or numbers, shape (n,).

        Returns
        -------
        ndarray of int64
            Shape (n,); equal exactly where ids are equal, `NOBODY` where an id is missing or blank.
        """
        import polars as pl

        if ids.dtype.is_float() and (ids.fill_nan(None).drop_nulls() % 1 == 0).all():
            ids = ids.fill_nan(None).cast(pl.Int64, strict=False)
        if ids.dtype.is_integer():
            own = ids.cast(pl.Int64, strict=False)
        else:
            ids = ids.cast(pl.String).str.strip_chars()
            ids = ids.set(ids == "", None)
            own = ids.set(~ids.str.contains(r"^(0|[1-9]\d*)$"), None).cast(pl.Int64, strict=False)
        own = own.set((own < 0) | (own >= _LARGEST), None)
        numbers = own.fill_null(NOBODY).to_numpy().copy()
        rest = np.flatnonzero((own.is_null() & ids.is_not_null()).to_numpy())
        if rest.size:
            numbers[rest] = self._coded(ids[rest].cast(pl.String))
        return numbers

    def codes_of(self, texts: list[str]) -> list[int]:
        """Return the numbers of ids that are not their own, below -1; threads wait for each other."""
        with _NUMBERING:
            return [self.codes.setdefault(text, _FIRST_CODE - len(self.codes)) for text in texts]

    def renumbered(self, person: NDArray[np.int64], other: Subscribers) -> NDArray[np.int64]:
        """
        Numbers that another process gave, as this one gives them.

        Parameters
        ----------
        person
            Numbers of `other`, shape (n,).
        other
            What gave them.

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
        """Return the numbers of ids that are not their own, giving new ones to new ids."""
        import polars as pl

        categories = ids.unique(maintain_order=True)
        codes = self.codes_of(categories.to_list())
        return ids.replace_strict(categories, pl.Series(codes, dtype=pl.Int64), return_dtype=pl.Int64).to_numpy()
