"""When a search ends: after moves or seconds, without gain, or at an optimality gap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from owlbus.common.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    State of a search, as its limits see it.

    Attributes
    ----------
    steps
        Moves tried so far.
    steps_since_gain
        Moves tried since the best plan last got better.
    elapsed_s
        Seconds since the search began.
    best_share, bound_share
        Objective of the best plan and its upper bound, 0 to 1; the bound is 1 until one is known.
    has_bound
        Whether a bound is known.
    """

    steps: int
    steps_since_gain: int
    elapsed_s: float
    best_share: float
    bound_share: float = 1.0
    has_bound: bool = True


class SearchLimit(Protocol):
    """
    When a search ends: one of those below, or any object that can say why.

    Examples
    --------
    >>> class GoodEnough:
    ...     def reason_to_end(self, now):
    ...         return f"{now.best_share:.0%} are served" if now.best_share > 0.4 else None
    >>> GoodEnough().reason_to_end(Snapshot(steps=900, steps_since_gain=0, elapsed_s=2.0, best_share=0.42))
    '42% are served'
    """

    def reason_to_end(self, now: Snapshot) -> str | Ending | None:
        """Return why the search ends where it is `now`, an `Ending` or words that "because" can stand before; None to go on."""


@dataclass(frozen=True, slots=True)
class MaxSteps:
    """
    End after a number of moves; with a seed this fixes the result.

    Attributes
    ----------
    steps
        Moves to try, over all starts.

    Examples
    --------
    >>> str(MaxSteps(20_000).reason_to_end(Snapshot(20_000, 300, 1.5, 0.31)))
    'the limit of 20,000 moves was reached'
    """

    steps: int

    def reason_to_end(self, now: Snapshot) -> Ending | None:
        """Return a reason once `steps` moves were tried."""
        return Ending("steps", {"steps": int(self.steps)}) if now.steps >= self.steps else None


@dataclass(frozen=True, slots=True)
class MaxSeconds:
    """
    End after a number of seconds; the result depends on the machine's speed.

    Attributes
    ----------
    seconds
        Seconds to search, compilation left out.
    of_processor
        Whether they are seconds of the processor, all threads of this process together, so that other work on the machine takes none of
        them; else those of the clock. Without effect on starts that an executor runs.

    Examples
    --------
    >>> MaxSeconds(60, of_processor=True).reason_to_end(Snapshot(900, 300, 59.9, 0.31)) is None
    True
    """

    seconds: float
    of_processor: bool = False

    def reason_to_end(self, now: Snapshot) -> Ending | None:
        """Return a reason once `seconds` have passed."""
        return Ending("seconds", {"limit_s": float(self.seconds)}) if now.elapsed_s >= self.seconds else None


@dataclass(frozen=True, slots=True)
class NoGain:
    """
    End after a number of moves in a row without a better plan.

    Attributes
    ----------
    steps
        Moves in a row.
    """

    steps: int

    def reason_to_end(self, now: Snapshot) -> Ending | None:
        """Return a reason once `steps` moves in a row brought nothing."""
        return Ending("gain", {"steps": int(self.steps)}) if now.steps_since_gain >= self.steps else None


@dataclass(frozen=True, slots=True)
class TargetGap:
    """
    End once the best plan is within a share of the proven bound.

    Attributes
    ----------
    gap_share
        By how much the bound may exceed the plan, as a share of the plan, >= 0.

    Examples
    --------
    >>> str(TargetGap(0.05).reason_to_end(Snapshot(20_000, 300, 1.5, best_share=0.40, bound_share=0.41)))
    'the proven bound is 2.5% above the plan, and 5% was asked for'
    """

    gap_share: float

    def reason_to_end(self, now: Snapshot) -> Ending | None:
        """Return a reason once bound and best lie close enough."""
        gap = now.bound_share / now.best_share - 1 if now.has_bound and now.best_share > 0 else math.inf
        if gap > self.gap_share or gap == math.inf:
            return None
        return Ending("gap", {"gap_share": float(gap), "asked_share": float(self.gap_share)})


def has_gap(limits: Iterable[SearchLimit]) -> bool:
    """
    Tell whether a search ends at an optimality gap, for which it needs a bound.

    Parameters
    ----------
    limits
        Limits of the search.

    Returns
    -------
    bool
        True if one of them is a `TargetGap`.
    """
    return any(isinstance(limit, TargetGap) for limit in limits)
