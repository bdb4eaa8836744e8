"""
How counts of people are printed: one rule for whatever leaves the working files.

Every count is rounded down to a multiple of `min_count`, small and large alike, and everything else is computed from such printed counts.
A printed count stands for the class of values that it leaves open, so shares, means and intervals take the middle of that class. What is
made of too few people is absent. So two outputs never give two figures for one thing, and no arithmetic on printed figures tells more than
the printed counts do; ``tests/attack.py`` measures how much that is. The method is rounding to a base, as statistical offices use it [1]_.

References
----------
.. [1] Hundepool et al. (2012), Statistical Disclosure Control, Wiley, section 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import PrivacyError, setting

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_COUNT = 15
"""Trips or people a night of which printed counts are multiples."""

LOWEST_MIN_COUNT = 5
"""A base below this protects nobody."""

EXACT = -1
"""Base of open data: counts are printed as they are."""

NO_DIFFERENCE = "no difference that can be published"
"""What stands for a difference that cannot be told from rounding."""

_LEAST_DENOMINATOR = 10
"""Least denominator of a share or mean, in multiples of the base."""

_LEAST_CHANGE = 2
"""Least difference of two printed counts that is told, in multiples of the base."""

_DIGITS = 6
_EPSILON = 1e-9
_TINY = 1e-6
_FEWEST = 2


def check_min_count(min_count: float) -> None:
    """
    Refuse a base that protects nobody.

    Parameters
    ----------
    min_count
        Trips or people a night of which printed counts are multiples.

    Raises
    ------
    PrivacyError
        If it lies below `LOWEST_MIN_COUNT` and is not `EXACT`.

    Examples
    --------
    >>> check_min_count(15)
    """
    if min_count != EXACT and not LOWEST_MIN_COUNT <= min_count < np.inf:
        msg = f"{setting('min_count')} must be at least {LOWEST_MIN_COUNT} people, got {min_count:g}; counts of fewer point at persons"
        raise PrivacyError(msg)


def scaled_base(min_count: float, record_weight: float) -> float:
    """
    Base of printed counts where a record may weigh more than one.

    Parameters
    ----------
    min_count
        Base for records that each weigh one, or `EXACT`.
    record_weight
        Trips or people a night that one record may count as.

    Returns
    -------
    float
        So large that a printed count stands for as many records as without weights.

    Examples
    --------
    >>> scaled_base(15, 2.5), scaled_base(15, 0.4), scaled_base(EXACT, 2.5)
    (45, 15, -1)
    """
    return min_count if min_count == EXACT else min_count * max(1, int(np.ceil(record_weight - _EPSILON)))


def count_text(value: float | None, min_count: float = MIN_COUNT) -> str:
    """
    Printed count as people read it.

    Parameters
    ----------
    value
        A printed count of trips or people, None where it is not known.
    min_count
        Base of printed counts: what prints 0 may be anything below.

    Returns
    -------
    str
        Whole number.

    Examples
    --------
    >>> count_text(1234.4), count_text(0), count_text(None)
    ('1,234', '<15', '-')
    """
    if value is None:
        return "-"
    return f"<{min_count:g}" if value == 0 and min_count > 0 else f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class Publisher:
    """
    The rule by which counts of people and trips, and figures made of them, are printed.

    All methods take true counts, but for those whose name says that they take printed ones.

    Attributes
    ----------
    min_count
        Trips or people a night of which printed counts are multiples; `EXACT` for open data.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.

    Examples
    --------
    >>> rule = Publisher()
    >>> rule.count(14.9), rule.count(118.0), rule.share(118.0, 400.0)
    (0, 105, 0.283019)
    >>> rule.share(118.0, 140.0) is None, rule.range_share(118.0, 140.0)
    (True, (0.7, 0.888889))
    >>> Publisher(EXACT).share(118.0, 400.0)
    0.295
    """

    min_count: float = MIN_COUNT

    def __post_init__(self) -> None:
        """Refuse a base that protects nobody."""
        check_min_count(self.min_count)

    @property
    def is_exact(self) -> bool:
        """Whether counts are printed as they are, since the records are open data."""
        return self.min_count == EXACT

    @property
    def base(self) -> float:
        """Trips or people a night of which printed counts are multiples; 0 for open data."""
        return 0 if self.is_exact else self.min_count

    @property
    def least_denominator(self) -> float:
        """Least printed count that a share or mean is made of, trips or people a night; 0 for open data."""
        return _LEAST_DENOMINATOR * self.base

    @property
    def least_change(self) -> float:
        """Least difference of two printed counts that is told, trips or people a night; 0 for open data."""
        return _LEAST_CHANGE * self.base

    @property
    def words(self) -> str:
        """What every output says of its counts."""
        if self.is_exact:
            return "exact: the records are open data"
        return f"rounded down to multiples of {self.min_count:g}, shares and means computed from those"

    @property
    def facts(self) -> dict[str, Any]:
        """What every document says of its counts: the base, 0 for open data, and the rule in words."""
        return {"min_count": self.base, "counts": self.words}

    def counts(self, values: ArrayLike) -> NDArray[np.float64]:
        """
        Print counts.

        Parameters
        ----------
        values
            Trips or people a night, any shape, >= 0.

        Returns
        -------
        ndarray of float64
            Multiples of the base, same shape; open data rounded to a tenth.
        """
        true = np.asarray(values, dtype=np.float64)
        if self.is_exact:
            return np.round(true, 1)
        return np.round(np.floor(true / self.min_count + _EPSILON) * self.min_count, _DIGITS)

    def count(self, value: float) -> float:
        """
        Print a count.

        Parameters
        ----------
        value
            Trips or people a night, >= 0.

        Returns
        -------
        float
            A multiple of the base, whole where the base is; open data rounded to a tenth.
        """
        printed = float(self.counts(value))
        return int(printed) if printed.is_integer() and not self.is_exact else printed

    def text(self, value: float) -> str:
        """
        Print a count as text.

        Parameters
        ----------
        value
            Trips or people a night, >= 0.

        Returns
        -------
        str
            With commas; ``<15`` where nothing is printed of it.

        Examples
        --------
        >>> Publisher().text(1234.0), Publisher().text(3.0), Publisher(EXACT).text(3.2)
        ('1,230', '<15', '3')
        """
        return count_text(self.count(value), self.base)

    def is_enough(self, whole: float) -> bool:
        """
        Whether a part of the demand is large enough for its figures to be printed.

        Many small parts under one total narrow each other down, so a part of few is left out whole, its counts with its shares and means.

        Parameters
        ----------
        whole
            All trips or people a night of the part.

        Returns
        -------
        bool
            Whether that prints ten times the base at least; True for open data.
        """
        return self.is_exact or self.count(whole) >= _LEAST_DENOMINATOR * self.base

    def at_most(self, value: float) -> float:
        """
        Print a count that a proven bound allows at most: what the printed count of the bound leaves open, at its top.

        Rounded up instead, a bound that is met would tell the count wherever that is a multiple of the base.

        Parameters
        ----------
        value
            Trips or people a night, >= 0.

        Returns
        -------
        float
            A multiple of the base; open data rounded to a tenth.
        """
        return self.count(value) + self.base

    def middle(self, printed: float) -> float:
        """
        Middle of the values that a printed count leaves open.

        Parameters
        ----------
        printed
            A printed count.

        Returns
        -------
        float
            Trips or people a night.
        """
        return printed + self.base / 2

    def share(self, part: float, whole: float) -> float | None:
        """
        Print a share.

        Parameters
        ----------
        part, whole
            Trips or people a night.

        Returns
        -------
        float or None
            0 to 1; None where the whole is nothing, or prints less than ten times the base.
        """
        if whole <= 0 or not self.is_enough(whole):
            return None
        if self.is_exact:
            return round(part / whole, _DIGITS)
        return self._middle_share(self.count(part), self.count(whole))

    def headline(self, part: float, whole: float) -> float | None:
        """
        Print a share of all people or trips of the night, which small towns get too, beside `range_share`.

        Parameters
        ----------
        part, whole
            Trips or people a night.

        Returns
        -------
        float or None
            0 to 1; None where the whole prints nothing.
        """
        if self.is_exact or self.count(whole) <= 0:
            return self.share(part, whole)
        return self._middle_share(self.count(part), self.count(whole))

    def range_share(self, part: float, whole: float) -> tuple[float, float] | None:
        """
        Shares that the printed counts leave open.

        Parameters
        ----------
        part, whole
            Trips or people a night.

        Returns
        -------
        tuple of float or None
            Lowest and highest, 0 to 1; None for open data, or where the whole prints nothing.
        """
        above, below, base = self.count(part), self.count(whole), self.base
        if self.is_exact or below <= 0:
            return None
        return round(above / (below + base), _DIGITS), round(min(1.0, (above + base) / below), _DIGITS)

    def share_at_most(self, part: float, whole: float) -> float | None:
        """
        Print the share that a proven bound allows at most.

        Parameters
        ----------
        part, whole
            Trips or people a night.

        Returns
        -------
        float or None
            0 to 1, no less than the share of any plan within the bound; None where the whole prints nothing.
        """
        if self.is_exact or self.count(whole) <= 0:
            return self.share(part, whole)
        return round(min(1.0, self.at_most(part) / self.count(whole)), _DIGITS)

    def mean(self, total: float, people: float, unit: float) -> float | None:
        """
        Print a mean over people or trips.

        Parameters
        ----------
        total
            Sum over them, in the unit of the mean, such as seconds.
        people
            Trips or people a night.
        unit
            About the most that one of them adds to the sum: the sum is printed in multiples of `unit` times the base.

        Returns
        -------
        float or None
            In the unit of the mean; None where there are none, or fewer than ten times the base are printed.
        """
        if people <= 0 or not self.is_enough(people):
            return None
        if self.is_exact:
            return total / people
        return unit * self.middle(self.count(total / unit)) / self.middle(self.count(people))

    def change_of_means(self, before: float | None, after: float | None, people: float, unit: float) -> float | None:
        """
        Print the difference of two printed means.

        Parameters
        ----------
        before, after
            Printed means, None where absent.
        people
            Trips or people a night that the smaller of both is over.
        unit
            As for `mean`.

        Returns
        -------
        float or None
            In the unit of the means; None where it is too small to be told from rounding, or either is absent.
        """
        if before is None or after is None:
            return None
        step = unit * self.base / self.middle(self.count(people)) if people > 0 else 0.0
        return after - before if abs(after - before) >= _LEAST_CHANGE * step else None

    def change(self, before: float, after: float) -> float | None:
        """
        Print the difference of two counts of one thing.

        Parameters
        ----------
        before, after
            Trips or people a night.

        Returns
        -------
        float or None
            Difference of the printed counts; None where it is too small to be told from rounding.
        """
        return self.change_of_printed(self.count(before), self.count(after))

    def change_of_printed(self, before: float | None, after: float | None) -> float | None:
        """
        Difference of two printed counts.

        Parameters
        ----------
        before, after
            Printed counts, None where absent.

        Returns
        -------
        float or None
            Trips or people a night; None where it is too small to be told from rounding, or either is absent.
        """
        if before is None or after is None:
            return None
        less = round(after - before, 1)
        return less if less == 0 == self.base or abs(less) >= self.least_change else None

    def nights(self, values: ArrayLike) -> NDArray[np.float64]:
        """
        Middles of the printed counts of nights, of which intervals are made.

        Parameters
        ----------
        values
            Trips or people by night, shape (n,).

        Returns
        -------
        ndarray of float64
            Same shape; 0 where nothing is printed.
        """
        printed = self.counts(values)
        return np.where(printed > 0, printed + self.base / 2, 0.0)

    def _middle_share(self, above: float, below: float) -> float:
        """Share between the middles of two printed counts; 0 where nothing is printed above."""
        return round(self.middle(above) / self.middle(below), _DIGITS) if above > 0 else 0.0
