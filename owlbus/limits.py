"""Limits as values: what a trip accepts, what a route may be, what a fleet can run, and when a search ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from owlbus.units import HOUR_S, require_number


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """
    When a trip counts as served: both ends in walk sheds and a ride that is not too long.

    A trip is served if its ride, plus `transfer_s` per transfer, takes at most
    ``detour_factor * direct drive + detour_s`` seconds, boundary included.

    Attributes
    ----------
    detour_factor
        Allowed ride over direct drive, dimensionless.
    detour_s
        Seconds allowed on top.
    transfer_s
        Seconds that one transfer costs.
    max_transfers
        0 or 1.
    unserved_s
        What a trip without a journey counts in the mean travel time, seconds; a slower journey counts as none.

    Raises
    ------
    UsageError
        If a number is negative, `max_transfers` is neither 0 nor 1, or `unserved_s` is no whole number >= 1.

    Examples
    --------
    >>> ServiceRule(detour_factor=1.5, max_transfers=0).detour_s
    600
    >>> ServiceRule(max_transfers=2)
    Traceback (most recent call last):
    owlbus.errors.UsageError: max_transfers must lie in [0, 1], got 2
    """

    detour_factor: float = 2.0
    detour_s: int = 600
    transfer_s: int = 300
    max_transfers: int = 1
    unserved_s: int = 7200

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("detour_factor", self.detour_factor, 0)
        require_number("detour_s", self.detour_s, 0)
        require_number("transfer_s", self.transfer_s, 0)
        require_number("max_transfers", self.max_transfers, 0, 1)
        require_number("unserved_s", self.unserved_s, 1)


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """
    What a plan must keep; every bound is included.

    Attributes
    ----------
    max_length_m
        One-way metres of a route, the longer of both directions.
    min_length_m
        One-way metres of a route, the shorter of both directions.
    max_ride_s
        One-way seconds of a route, the longer of both directions.
    max_circuity
        Route metres over the shortest way between its terminals, dimensionless, >= 1.
    max_stops, min_stops
        Stops on a route.
    max_total_length_m
        One-way metres of all routes together, the longer direction of each.
    max_buses
        Buses that all routes together may need at `headway_s`.
    headway_s
        Seconds between buses, for the fleet: a route needs ``ceil(cycle_s / headway_s)`` buses.

    Raises
    ------
    UsageError
        If a number lies outside its range.

    Examples
    --------
    >>> RouteLimits(max_buses=45, max_length_m=30_000).headway_s
    2700
    """

    max_length_m: float = 45_000
    min_length_m: float = 0
    max_ride_s: float = 4 * HOUR_S
    max_circuity: float = 1.6
    max_stops: int = 200
    min_stops: int = 2
    max_total_length_m: float = math.inf
    max_buses: float = math.inf
    headway_s: int = 2_700

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("max_length_m", self.max_length_m, 1)
        require_number("min_length_m", self.min_length_m, 0, self.max_length_m)
        require_number("max_ride_s", self.max_ride_s, 1)
        require_number("max_circuity", self.max_circuity, 1)
        require_number("max_stops", self.max_stops, 2)
        require_number("min_stops", self.min_stops, 2, self.max_stops)
        require_number("max_total_length_m", self.max_total_length_m, 1)
        require_number("max_buses", self.max_buses, 1)
        require_number("headway_s", self.headway_s, 60)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    Where a search stands, as its limits see it.

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
    """

    steps: int
    steps_since_gain: int
    elapsed_s: float
    best_share: float
    bound_share: float = 1.0


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

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Return why the search ends where it is `now`, in words that "because" can stand before; None to go on."""


DEFAULT_STEPS = 600_000
"""Moves that a search tries unless told otherwise."""


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
    >>> MaxSteps(20_000).reason_to_end(Snapshot(20_000, 300, 1.5, 0.31))
    'the limit of 20,000 moves was reached'
    """

    steps: int

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Return a reason once `steps` moves were tried."""
        return f"the limit of {moves_text(self.steps)} was reached" if now.steps >= self.steps else None


@dataclass(frozen=True, slots=True)
class MaxSeconds:
    """
    End after a number of seconds; the result depends on the machine's speed.

    Attributes
    ----------
    seconds
        Seconds to search, compilation left out.
    """

    seconds: float

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Return a reason once `seconds` have passed."""
        return f"the limit of {self.seconds:g} s was reached" if now.elapsed_s >= self.seconds else None


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

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Return a reason once `steps` moves in a row brought nothing."""
        return f"{moves_text(self.steps)} in a row brought no better plan" if now.steps_since_gain >= self.steps else None


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
    >>> TargetGap(0.05).reason_to_end(Snapshot(20_000, 300, 1.5, best_share=0.40, bound_share=0.41))
    'the proven bound is 2.5% above the plan, and 5% was asked for'
    """

    gap_share: float

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Return a reason once bound and best lie close enough."""
        gap = now.bound_share / now.best_share - 1 if now.best_share > 0 else math.inf
        if gap > self.gap_share:
            return None
        return f"the proven bound is {100 * gap:.1f}% above the plan, and {100 * self.gap_share:g}% was asked for"


def moves_text(steps: int) -> str:
    """Return a number of moves in words: `steps` with its thousands set apart."""
    return f"{steps:,} move{'s' * (steps != 1)}"
