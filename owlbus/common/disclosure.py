"""
What may be shown of counts of people: nothing below a least count, and nothing that lets one be worked out.

Two exits need two tools. A scorecard is a set of numbers tied by sums, so `Counts` hides the small ones and as many others as it takes
until no hidden one can be told from the rest. A map layer has many cells and few margins, so `hidden_cells` looks at the classes of cells
that every margin treats alike.

Nobody is no person: a count of zero is shown.

What is published is judged document by document. Two scorecards published apart can differ by fewer than the least count, where the plans
differ by a stop or the records by a night; `owlbus.evidence.compare_plans` judges plans together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, PrivacyError, setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MIN_COUNT = 15
"""Trips or people a night below which a count is hidden from what people read."""

LOWEST_MIN_COUNT = 5
"""A threshold below this protects nobody."""

EXACT = -1
"""Threshold of open data: no count lies below it, so that every one may be shown as it is."""

_TINY = 1e-6
_FEWEST = 2


def check_min_count(min_count: float) -> None:
    """
    Refuse a threshold that protects nobody.

    Parameters
    ----------
    min_count
        Trips or people a night below which a count is hidden.

    Raises
    ------
    PrivacyError
        If it lies below `LOWEST_MIN_COUNT` and is not `EXACT`.

    Examples
    --------
    >>> check_min_count(15)
    """
    if min_count != EXACT and not min_count >= LOWEST_MIN_COUNT:
        msg = f"{setting('min_count')} must be at least {LOWEST_MIN_COUNT} people, got {min_count:g}; counts of fewer point at persons"
        raise PrivacyError(msg)


def nearest_multiple(count: float, min_count: float) -> float:
    """
    Round a count to the nearest multiple of the threshold; open data stay as they are.

    Parameters
    ----------
    count
        Trips or people a night.
    min_count
        The threshold, or `EXACT`.

    Returns
    -------
    float
        Trips or people a night.

    Examples
    --------
    >>> nearest_multiple(118.0, 15.0), nearest_multiple(118.0, EXACT)
    (120.0, 118.0)
    """
    return count if min_count == EXACT else round(count / min_count) * min_count


def is_small(values: ArrayLike, min_count: float = MIN_COUNT) -> NDArray[np.bool_]:
    """
    Whether counts are too small to show.

    Parameters
    ----------
    values
        Trips or people a night, any shape.
    min_count
        Trips or people below which a count is small; zero is not.

    Returns
    -------
    ndarray of bool
        Same shape.

    Examples
    --------
    >>> is_small([0.0, 0.5, 14.9, 15.0]).tolist()
    [False, True, True, False]
    """
    counts = np.asarray(values, dtype=np.float64)
    return np.asarray((counts > 0) & (counts < min_count))


@dataclass(slots=True)
class Counts:
    """
    Counts that are about to be published, and the sums that tie them.

    Besides the counts that are shown there are those that a reader can work out, such as the rest of a total: they are added with
    ``is_shown=False`` and are protected alike.

    Attributes
    ----------
    min_count
        Trips or people below which a count is hidden.
    values
        Counts in the order in which they were added, >= 0.
    is_shown
        Whether each is meant to be shown.
    ties
        Sums: index of the total, indices of its parts, and their weights.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.

    Examples
    --------
    >>> counts = Counts()
    >>> total = counts.add(100.0)
    >>> parts = [counts.add(value) for value in (60.0, 37.0, 3.0)]
    >>> counts.tie(total, parts)
    >>> counts.hidden().tolist()
    [False, False, True, True]
    """

    min_count: float = MIN_COUNT
    values: list[float] = field(default_factory=list)
    is_shown: list[bool] = field(default_factory=list)
    ties: list[tuple[int, tuple[int, ...], tuple[float, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a threshold that protects nobody."""
        check_min_count(self.min_count)

    def add(self, value: float, *, is_shown: bool = True) -> int:
        """
        Add a count and return its index.

        Parameters
        ----------
        value
            Trips or people, >= 0.
        is_shown
            Whether it is meant to be shown, rather than only known from sums.

        Returns
        -------
        int
            Index of the count, from 0 on.

        Raises
        ------
        DataError
            If `value` is no count.
        """
        if not (np.isfinite(value) and value >= -_TINY):
            msg = f"a count must be finite and >= 0, got {value:g}; nothing is published"
            raise DataError(msg)
        self.values.append(float(value) if value > _TINY else 0.0)
        self.is_shown.append(is_shown)
        return len(self.values) - 1

    def tie(self, total: int, parts: Sequence[int], weights: Sequence[float] | None = None) -> None:
        """
        State that the count `total` is the weighted sum of `parts`.

        Parameters
        ----------
        total, parts
            Indices that `add` returned.
        weights
            One per part, > 0, as far as a reader may know them; 1 by default. They need not be exact: they only say which changes
            of hidden counts a reader could not notice.

        Raises
        ------
        DataError
            If there are not as many weights as parts.
        """
        if weights is not None and len(weights) != len(parts):
            msg = f"a sum needs a weight for each of its {len(parts)} parts, got {len(weights)}; nothing is published"
            raise DataError(msg)
        self.ties.append((total, tuple(parts), tuple(weights) if weights is not None else (1.0,) * len(parts)))

    def hidden(self) -> NDArray[np.bool_]:
        """
        Which counts must not be shown.

        Hidden are all small ones, and others, the least in sum, until every small one could as well be larger by `min_count` without any
        shown count changing. So no small count is known to within `min_count`, and no sum that holds one is known to lie below it [1]_.

        Returns
        -------
        ndarray of bool
            One entry per count; those never meant to be shown are True.

        Raises
        ------
        PrivacyError
            If the sums leave a small count open whatever else is hidden.

        References
        ----------
        .. [1] Kelly, Golden and Assad (1992), Cell suppression: disclosure protection for sensitive tabular data, Networks 22, 397-417.
        """
        values = np.asarray(self.values)
        small: NDArray[np.bool_] = is_small(values, self.min_count)
        hidden: NDArray[np.bool_] = small | ~np.asarray(self.is_shown, dtype=bool)
        if self.ties:
            tied = self._tied()
            for cell in sorted(np.flatnonzero(small), key=lambda i: -values[i]):
                hidden |= self._way_to_grow(int(cell), values, hidden, tied)
        return hidden

    def _tied(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the sums as a sparse matrix: coefficients, rows and columns."""
        entries = [
            (weight, row, cell)
            for row, (total, parts, weights) in enumerate(self.ties)
            for cell, weight in ((total, -1.0), *zip(parts, weights, strict=True))
        ]
        weight, row, cell = zip(*entries, strict=True)
        return np.array(weight), np.array(row), np.array(cell)

    def _way_to_grow(
        self,
        cell: int,
        values: NDArray[np.float64],
        hidden: NDArray[np.bool_],
        tied: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]],
    ) -> NDArray[np.bool_]:
        """Return the counts that must change with `cell` if it grows by `min_count`, chosen so that the least of what is shown goes."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_matrix

        n = values.size
        weight, row, column = tied
        sums = coo_matrix((np.r_[weight, -weight], (np.r_[row, row], np.r_[column, column + n])), (len(self.ties), 2 * n)).tocsr()
        cost = np.where(hidden, 0.0, values + self.min_count)
        bounds = np.column_stack([np.zeros(2 * n), np.r_[np.full(n, np.inf), values]])
        bounds[cell], bounds[n + cell] = self.min_count, 0.0
        found = linprog(np.r_[cost, cost], A_eq=sums, b_eq=np.zeros(len(self.ties)), bounds=bounds, method="highs-ds")
        if found.x is None:
            msg = f"the sums of {n} counts leave one below {self.min_count:g} open to be worked out; publish fewer breakdowns"
            raise PrivacyError(msg)
        return np.asarray(np.abs(found.x[:n] - found.x[n:]) > _TINY)


def hidden_cells(values: ArrayLike, margins: Sequence[ArrayLike] = (), min_count: float = MIN_COUNT) -> NDArray[np.bool_]:
    """
    Which cells of a map layer must not be shown, given the sums over cells that are published elsewhere.

    Cells that every margin treats alike form a class. In a class that hides anything at least two cells are hidden, and they sum to
    `min_count` or more: what a reader knows of the class is at best that sum, which may lie in any of its hidden cells. Where a whole class
    holds less it is hidden whole, and the margins around it must be judged by `Counts`.

    Parameters
    ----------
    values
        Trips or people a night by cell, shape (n,).
    margins
        Masks of the cells that each published sum covers, shape (n,) each; the sum over all cells needs none.
    min_count
        Trips or people below which a count is hidden.

    Returns
    -------
    ndarray of bool
        Shape (n,). Ties among cells go to the lower index.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.

    Examples
    --------
    >>> hidden_cells([40.0, 30.0, 3.0, 0.0, 25.0, 90.0], [[1, 1, 1, 1, 0, 0]]).tolist()
    [False, True, True, False, False, False]
    """
    check_min_count(min_count)
    counts = np.asarray(values, dtype=np.float64)
    hidden = is_small(counts, min_count)
    if not hidden.any():
        return hidden
    table = np.array([np.asarray(mask, dtype=bool) for mask in margins]).reshape(len(margins), counts.size)
    _, kind = np.unique(table, axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    for one in np.unique(kind[hidden]):
        members = np.flatnonzero(kind == one)
        shown = members[~hidden[members]]
        for cell in shown[np.argsort(np.where(counts[shown] > 0, counts[shown], np.inf), kind="stable")]:
            inside = members[hidden[members]]
            if inside.size >= _FEWEST and counts[inside].sum() >= min_count:
                break
            hidden[cell] = True
    return hidden
