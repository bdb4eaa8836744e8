"""Columns of a demand table: owned at the door, checked by rules, summed by key without a rounding error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Problems:
    """
    Rules that input breaks, collected so that one error names them all.

    Attributes
    ----------
    texts
        One sentence for each rule broken.
    """

    texts: list[str] = field(default_factory=list)

    def rows(self, name: str, rule: str, bad: NDArray[np.bool_], values: NDArray[Any]) -> None:
        """Note that `name` breaks `rule` in the rows that `bad` marks; the first of its `values` there is told."""
        if bad.any():
            row, count = int(np.argmax(bad)), int(bad.sum())
            self.texts.append(f"{name} {rule}, got {values[row]} in row {row} ({count} such row{'s' * (count > 1)})")

    def note(self, text: str) -> None:
        """Note one broken rule as a sentence."""
        self.texts.append(text)

    def raise_any(self) -> None:
        """
        Raise all broken rules as one error, if there are any.

        Raises
        ------
        DataError
            If a rule was noted.
        """
        if self.texts:
            raise DataError("; ".join(self.texts))


def whole_column(name: str, values: ArrayLike, dtype: type[np.signedinteger[Any]], low: int, high: int, problems: Problems) -> NDArray[Any]:
    """
    Whole numbers in [low, high) as an owned, read-only column.

    Parameters
    ----------
    name
        Column name, for messages.
    values
        Numbers, shape (P,).
    dtype
        Integer type of the result.
    low, high
        Smallest number allowed and the one past the largest.
    problems
        Takes the rules that `values` break.

    Returns
    -------
    ndarray
        Shape (P,), of `dtype`; empty if a rule is broken.
    """
    raw = np.asarray(values)
    if raw.ndim != 1 or (raw.size and raw.dtype.kind not in "iuf"):
        problems.note(f"{name} must be one column of numbers, got shape {raw.shape} of {raw.dtype}")
        return np.empty(0, dtype=dtype)
    bad = ~((raw >= low) & (raw < high))
    problems.rows(name, f"must lie in [{low}, {high})", bad, raw)
    if raw.dtype.kind == "f" and not bad.any():
        bad = raw != np.rint(raw)
        problems.rows(name, "must be whole numbers", bad, raw)
    return frozen(np.zeros(raw.size, dtype=dtype) if bad.any() else raw.astype(dtype))


def trips_column(name: str, values: ArrayLike, problems: Problems) -> NDArray[np.float64]:
    """
    Positive multiples of 1/1024 as an owned, read-only column.

    Parameters
    ----------
    name
        Column name, for messages.
    values
        Trips or people, shape (P,).
    problems
        Takes the rules that `values` break.

    Returns
    -------
    ndarray of float64
        Shape (P,).
    """
    raw = np.asarray(values, dtype=np.float64)
    if raw.ndim != 1:
        problems.note(f"{name} must be one column, got shape {raw.shape}")
        return np.empty(0)
    bad = ~(np.isfinite(raw) & (raw > 0))
    problems.rows(name, "must be finite and > 0", bad, raw)
    if not bad.any():
        units = raw * QUANTA_PER_TRIP
        problems.rows(name, "must be multiples of 1/1024", units != np.rint(units), raw)
    return frozen(raw.copy())


def frozen(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values`, C-contiguous and read-only; the caller hands over an array that nobody else holds."""
    return read_only(np.ascontiguousarray(values))


def sum_by_key(key: NDArray[np.int64], trips: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Distinct keys, ascending, and the trips of each; keys without trips are dropped.

    Multiples of 1/1024 add up exactly, so the order of rows does not matter.

    Parameters
    ----------
    key
        Group of each row, shape (P,), int64.
    trips
        Trips of each row, shape (P,).

    Returns
    -------
    key
        Shape (G,), ascending.
    trips
        Shape (G,), > 0.
    """
    if key.size == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    sums = np.add.reduceat(trips[order], starts)
    keep = sums > 0
    return key[starts[keep]], sums[keep]


def sums_by_index(index: NDArray[Any], trips: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """
    Trips added up by index.

    Parameters
    ----------
    index
        Place of each row in the result, shape (P,), in [0, n).
    trips
        Trips of each row, shape (P,).
    n
        Length of the result.

    Returns
    -------
    ndarray of float64
        Shape (n,).
    """
    return np.bincount(index, trips, n).astype(np.float64, copy=False)


def scaled(trips: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """
    Trips scaled to a total, in multiples of 1/1024 that add up to that total exactly.

    The running sum is rounded, not each entry: an entry is off by less than 1/1024 from its share of the
    rounded total, and nothing is lost in sum.

    Parameters
    ----------
    trips
        Trips, any shape, read in C order; multiples of 1/1024, >= 0.
    total
        Sum of the result, rounded to a multiple of 1/1024.

    Returns
    -------
    ndarray of float64
        Same shape; an entry may be 0.

    Examples
    --------
    >>> scaled(np.array([1.0, 1.0, 1.0]), 1.0).sum()
    np.float64(1.0)
    """
    running = np.cumsum(trips.ravel())
    if running.size == 0 or running[-1] == 0:
        return np.zeros(trips.shape)
    units: NDArray[np.float64] = np.floor(running / running[-1] * np.rint(total * QUANTA_PER_TRIP) + 0.5)
    return np.asarray(np.diff(units, prepend=0.0) / QUANTA_PER_TRIP).reshape(trips.shape)
