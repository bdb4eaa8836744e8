"""Spread of the objective over searches that differ in their random numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Literal

from owlbus.search.polish import PublishedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from owlbus.common.disclosure import Publisher
    from owlbus.demand import Demand
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem
    from owlbus.search.result import Result

Over = Literal["seeds", "starts"]

_EQUAL = 1e-9
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Objective of the best plan of each of several searches, by area, as figures are published.

    It says how much of a difference may come from random numbers. It is no interval over nights and no proven gap.

    Attributes
    ----------
    over
        In what the searches differ: ``seeds``, each a whole search, or ``starts`` of one search, before the best of them was polished.
    shares
        Objective of each, 0 to 1; two or more.

    Examples
    --------
    >>> spread = Spread("seeds", (0.25, 0.125, 0.5))
    >>> spread.lowest_share, spread.median_share, spread.highest_share
    (0.125, 0.25, 0.5)
    >>> print(spread)
    over seeds: 12.5% to 50.0% of the objective, median 25.0% (3 seeds)
    """

    over: Over
    shares: tuple[float, ...]

    @property
    def lowest_share(self) -> float:
        """Objective of the worst search, 0 to 1."""
        return min(self.shares)

    @property
    def median_share(self) -> float:
        """Median of the objectives, 0 to 1; the mean of the middle two where their number is even."""
        return median(self.shares)

    @property
    def highest_share(self) -> float:
        """Objective of the best search, 0 to 1."""
        return max(self.shares)

    @property
    def width_share(self) -> float:
        """Highest less lowest, a share."""
        return self.highest_share - self.lowest_share

    def shown(self, show: Callable[[float], float | None]) -> Spread | None:
        """
        Spread of printed shares.

        Parameters
        ----------
        show
            Takes an exact share, 0 to 1, and returns the printed one; None where none may be printed.

        Returns
        -------
        Spread or None
            None where a share may not be printed.
        """
        shares = [share for share in map(show, self.shares) if share is not None]
        return replace(self, shares=tuple(shares)) if len(shares) == len(self.shares) else None

    def to_dict(self) -> dict[str, float | int | str]:
        """Return the spread for JSON, shares 0 to 1."""
        ends = {f"{name}_share": getattr(self, f"{name}_share") for name in ("lowest", "median", "highest")}
        return {"over": self.over, "n_searches": len(self.shares), **{name: round(share, 4) for name, share in ends.items()}}

    def width_dict(self) -> dict[str, float | str]:
        """Return in what the searches differ, and how far they lie apart in percentage points, for JSON."""
        return {"over": self.over, "points": round(100 * self.width_share, 2)}

    def __str__(self) -> str:
        """Return lowest, highest and median in percent."""
        ends = f"{self.lowest_share:.1%} to {self.highest_share:.1%} of the objective"
        return f"over {self.over}: {ends}, median {self.median_share:.1%} ({len(self.shares)} {self.over})"


def with_spread(result: Result, problem: Problem, demand: Demand, published: PublishedValue | None = None) -> Result:
    """
    Add the spread of the objective over the plans of a result.

    Parameters
    ----------
    result
        Of one search with several starts, or of several seeds.
    problem, demand
        Network and rule, and the trips and people that the problem was built from.
    published
        What plans are worth by area, if it is at hand.

    Returns
    -------
    Result
        Shares 0 to 1; without a spread where there are fewer than two plans.
    """
    if len(result.plans) < _FEWEST:
        return replace(result, spread=None)
    objective = result.objective
    published = published or PublishedValue.build(problem, demand, objective)
    if published is None:
        total = problem.total_value(objective)
        shares = tuple(problem.value(plan, objective) / total for plan in result.plans)
    else:
        shares = tuple(map(published.share, result.plans))
    return replace(result, spread=Spread("seeds" if result.n_seeds > 1 else "starts", shares))


def hidden_by(difference_share: float, spreads: Iterable[Spread | None]) -> Spread | None:
    """
    Spread that a difference between two searches does not exceed.

    What is said to people about a difference and its spread is computed here, from the shares that are printed.

    Parameters
    ----------
    difference_share
        Difference of two objectives, a share.
    spreads
        Of the searches that are compared; None where there is none.

    Returns
    -------
    Spread or None
        The widest of them; None if the difference exceeds it, or there is none.

    Examples
    --------
    >>> spread = Spread("seeds", (0.25, 0.27))
    >>> hidden_by(0.02, [None, spread]) == spread, hidden_by(0.021, [spread]), hidden_by(0.0, [None])
    (True, None, None)
    """
    widest = max((spread for spread in spreads if spread is not None), key=lambda spread: spread.width_share, default=None)
    return widest if widest is not None and abs(difference_share) <= widest.width_share + _EQUAL else None


def counted_by(objective: Objective, trips: float, people: float) -> float:
    """
    What an objective is a share of.

    Parameters
    ----------
    objective
        Weights of trips and people.
    trips, people
        All of them a night.

    Returns
    -------
    float
        Trips and people a night, the heavier of both with weight 1.
    """
    return (objective.trips * trips + objective.presence * people) / max(objective.trips, objective.presence)


def printed_objective(share: float, counted: float, publisher: Publisher) -> float | None:
    """
    Print the objective of a plan.

    Parameters
    ----------
    share
        The exact share, 0 to 1.
    counted
        As `counted_by` returns it, trips and people a night.
    publisher
        The publishing rule.

    Returns
    -------
    float or None
        0 to 1; None where nothing is printed of what is counted.

    Examples
    --------
    >>> from owlbus.common.disclosure import Publisher
    >>> printed_objective(0.3, 200.0, Publisher()), printed_objective(0.3, 14.0, Publisher())
    (0.333333, None)
    """
    return publisher.headline(share * counted, counted)


def within_words(spread: Spread) -> str:
    """
    Say that a difference does not exceed a spread.

    Parameters
    ----------
    spread
        From `hidden_by`; its width is said in percentage points.

    Returns
    -------
    str
        Words that "is" can stand before.

    Examples
    --------
    >>> within_words(Spread("seeds", (0.25, 0.27)))
    'within the spread over seeds (2.0 points)'
    """
    return f"within the spread over {spread.over} ({100 * spread.width_share:.1f} points)"
