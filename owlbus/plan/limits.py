"""What a trip accepts and what routes may be, as values: the service rule and the route limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from owlbus.common.defaults import DETOUR_FACTOR, DETOUR_S, HEADWAY_S, MAX_PAIR_CIRCUITY, TRANSFER_S, UNSERVED_S
from owlbus.common.units import DAY_S, HOUR_S, require_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_WEEK_S = 7 * DAY_S

MOST_RATIO, _MOST_S, _MOST_M, _MOST_STOPS, _MOST_BUSES = 1e9, 1e7, 1e9, 100_000, 1_000_000
"""Largest ratio, seconds, metres, stops and buses of a limit: beyond every city, and far within what sums of 64 bits hold."""


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
        If a number is negative, infinite or NaN, lasts more than a week, or `max_transfers` is neither 0 nor 1.

    Examples
    --------
    >>> ServiceRule(detour_factor=1.5, max_transfers=0).detour_s
    600
    >>> ServiceRule(max_transfers=2)
    Traceback (most recent call last):
    owlbus.common.errors.UsageError: max_transfers must lie in [0, 1], got 2
    """

    detour_factor: float = DETOUR_FACTOR
    detour_s: int = DETOUR_S
    transfer_s: int = TRANSFER_S
    max_transfers: int = 1
    unserved_s: int = UNSERVED_S

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("detour_factor", self.detour_factor, 0, MOST_RATIO)
        require_number("detour_s", self.detour_s, 0, _WEEK_S)
        require_number("transfer_s", self.transfer_s, 0, _WEEK_S)
        require_number("max_transfers", self.max_transfers, 0, 1)
        require_number("unserved_s", self.unserved_s, 1, _WEEK_S)


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
        One-way metres of all routes together, the longer direction of each; infinite for no such limit.
    max_buses
        Buses that all routes together may need at `headway_s`; infinite for no such limit.
    headway_s
        Seconds between buses, for the fleet: a route needs ``ceil(cycle_s / headway_s)`` buses.
    max_pair_circuity
        Metres along a route from any of its stops to any other, less 1 km, over the shortest way between them, in both directions;
        dimensionless, >= 1; infinite for no such limit.
    allow_spurs
        Whether a route may turn back at a stop: where the way from the stop before it to the stop behind it, in either direction, is at
        least twice as long as the shortest one and at least 400 m longer.

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
    headway_s: int = HEADWAY_S
    max_pair_circuity: float = MAX_PAIR_CIRCUITY
    allow_spurs: bool = False

    @classmethod
    def of_routes(cls, settings: Mapping[str, Any], headway_s: int) -> RouteLimits:
        """
        Limits that each route of a finished plan is held to when one asks what could change, without budgets of the whole plan.

        Parameters
        ----------
        settings
            Limits as ``run.json`` holds them, None for infinite; none where the plan was given rather than searched.
        headway_s
            Seconds between buses.

        Returns
        -------
        RouteLimits
            Those of the search; routes of any shape for a given plan, since it is as it is.

        Examples
        --------
        >>> RouteLimits.of_routes({"max_length_m": 30_000, "max_buses": 45}, 1800).max_buses
        inf
        >>> RouteLimits.of_routes({}, 1800).allow_spurs
        True
        """
        if not settings:
            return cls(max_circuity=MOST_RATIO, max_pair_circuity=math.inf, allow_spurs=True, headway_s=headway_s)
        known = {one.name for one in fields(cls)} - {"max_total_length_m", "max_buses", "headway_s"}
        values: dict[str, Any] = {name: math.inf if settings[name] is None else settings[name] for name in known & settings.keys()}
        return cls(**values, headway_s=headway_s)

    @property
    def max_spurs(self) -> float:
        """Stops at which a route may turn back: none, or infinitely many."""
        return math.inf if self.allow_spurs else 0.0

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("max_length_m", self.max_length_m, 1, _MOST_M)
        require_number("min_length_m", self.min_length_m, 0, self.max_length_m)
        require_number("max_ride_s", self.max_ride_s, 1, _MOST_S)
        require_number("max_circuity", self.max_circuity, 1, MOST_RATIO)
        require_number("max_stops", self.max_stops, 2, _MOST_STOPS)
        require_number("min_stops", self.min_stops, 2, self.max_stops)
        require_number("headway_s", self.headway_s, 60, 6 * HOUR_S)
        if self.max_pair_circuity != math.inf:
            require_number("max_pair_circuity", self.max_pair_circuity, 1, MOST_RATIO)
        if self.max_total_length_m != math.inf:
            require_number("max_total_length_m", self.max_total_length_m, 1, _MOST_M)
        if self.max_buses != math.inf:
            require_number("max_buses", self.max_buses, 1, _MOST_BUSES)
