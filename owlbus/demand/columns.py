"""Columns of a demand table: checked copies, and exact sums by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Problems:
    """
    Broken rules of an input, collected for one error.

    Attributes
    ----------
    texts
        One sentence per broken rule.
    """

    texts: list[str] = field(default_factory=list)

    def rows(self, name: str, rule: str, bad: NDArray[np.bool_], values: NDArray[Any]) -> None:
        """Add a broken `rule` of column `name` in the rows `bad`, with the first of its `values` there."""
        if bad.any():
            row, count = int(np.argmax(bad)), int(bad.sum())
            self.texts.append(f"{name} {rule}, got {values[row]} in row {row} ({count} such row{'s' * (count > 1)})")

    def note(self, text: str) -> None:
        """Add a broken rule as a sentence."""
        self.texts.append(text)

    def raise_any(self) -> None:
        """
        Raise one error for all broken rules, if any.

        Raises
        ------
        DataError
            If a rule is broken.
        """
        if self.texts:
            raise DataError("; ".join(self.texts))


def whole_column(name: str, values: ArrayLike, dtype: type[np.signedinteger[Any]], low: int, high: int, problems: Problems) -> NDArray[Any]:
    """
    Check integers in [low, high) and return them as a read-only column.

    Parameters
    ----------
    name
        Column name, for messages.
    values
        Numbers, shape (P,).
    dtype
        Integer type of the result.
    low, high
        Smallest allowed number, and one above the largest.
    problems
        Receives broken rules.

    Returns
    -------
    ndarray
        Shape (P,), of `dtype`; empty if a rule is broken.
    """
    raw = np.asarray(values)
    if raw.ndim != 1 or (raw.size and raw.dtype.kind not in "iuf"):
        problems.note(f"{name} must be one column of numbers, got shape {raw.shape} of {raw.dtype}")
        return np.empty(0, dtype=dtype)
    if raw.size and not (low <= raw.min() and raw.max() < high):
        problems.rows(name, f"must lie in [{low}, {high})", ~((raw >= low) & (raw < high)), raw)
        return read_only(np.zeros(raw.size, dtype=dtype))
    if raw.dtype.kind == "f" and (bad := raw != np.rint(raw)).any():
        problems.rows(name, "must be whole numbers", bad, raw)
        return read_only(np.zeros(raw.size, dtype=dtype))
    return read_only(raw.astype(dtype))


def trips_column(name: str, values: ArrayLike, problems: Problems) -> NDArray[np.float64]:
    """
    Check positive multiples of 1/1024 and return them as a read-only column.

    Parameters
    ----------
    name
        Column name, for messages.
    values
        Trips or people, shape (P,).
    problems
        Receives broken rules.

    Returns
    -------
    ndarray of float64
        Shape (P,).
    """
    raw = np.asarray(values, dtype=np.float64)
    if raw.ndim != 1:
        problems.note(f"{name} must be one column, got shape {raw.shape}")
        return np.empty(0)
    if raw.size and not (raw.min() > 0 and raw.max() < np.inf):
        problems.rows(name, "must be finite and > 0", ~(np.isfinite(raw) & (raw > 0)), raw)
    elif not all(_are_quanta(raw[part]).all() for part in blocks(raw.size)):
        problems.rows(name, "must be multiples of 1/1024", ~_are_quanta(raw), raw)
    return read_only(raw.copy())


def _are_quanta(trips: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each of `trips`, shape (P,), is a multiple of 1/1024."""
    quanta = trips * QUANTA_PER_TRIP
    return np.asarray(quanta == np.rint(quanta))


def blocks(n_rows: int) -> Iterator[slice]:
    """Yield ranges of rows that fit the processor cache, in order: what is made of them is gone before it takes memory."""
    for begin in range(0, n_rows, _BLOCK_ROWS):
        yield slice(begin, min(begin + _BLOCK_ROWS, n_rows))


def sum_by_key(key: NDArray[np.int64], trips: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Sum trips by key; keys without trips are dropped.

    Multiples of 1/1024 add exactly, so the order of rows does not matter.

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
    if not (key[1:] >= key[:-1]).all():
        order = np.argsort(key, kind="stable")
        key, trips = key[order], trips[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    sums = np.add.reduceat(trips, starts)
    keep = sums > 0
    return key[starts[keep]], sums[keep]


def sums_by_index(index: NDArray[Any], trips: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """
    Sum trips by index.

    Parameters
    ----------
    index
        Index of each row in the result, shape (P,), in [0, n).
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
    Scale trips to a total, in multiples of 1/1024 whose sum is exactly the rounded total.

    The running sum is rounded, not each entry: each entry is within 1/1024 of its share of the total.

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
    quanta: NDArray[np.float64] = np.floor(running / running[-1] * np.rint(total * QUANTA_PER_TRIP) + 0.5)
    return np.asarray(np.diff(quanta, prepend=0.0) / QUANTA_PER_TRIP).reshape(trips.shape)
