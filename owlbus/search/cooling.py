"""How fast a run cools: slower where its plans hold their worth, faster where a temperature only makes them worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective

_SLOW_END, _QUENCH_AT = 0.67, 0.93
"""Position on the temperature scale that slow cooling ends at, and the share of the search that it takes."""

_BEGIN = -0.25
"""Position that runs begin at: hotter than the first temperature of the scale."""

_FLOOR_SHARE, _HURRY = 0.95, 6.0
"""Least worth of a plan, of that of the constructed one, at which a run cools slowly, and how many times as fast it cools below."""


@dataclass(slots=True)
class Cooling:
    """
    Position of a run on the temperature scale, moved from the first temperature to the last.

    How hot a search should begin differs between networks and is not known before. A run begins hotter than most need. While its plan is
    worth much less than the constructed one, which only a temperature that is too high does, it passes such temperatures at several times
    the pace; the moves that this saves are left to lower ones. The last moves cool fast to the end of the scale.

    Where no two stops of a route may have a long detour between them, a run passes the scale at an even pace from its first temperature on:
    constructed routes are fastest paths, and moves that wander far from them do not find such straight routes again. It also does where
    people count alone, since such plans gained less from a hot beginning than from more moves at low temperatures, and in a race of starts
    (`owlbus.search.start_race`): there are moves enough then to pass all temperatures.

    Attributes
    ----------
    position
        Share of the temperature scale passed, dimensionless, at most 1: 0 stands for the first temperature of the scale, a number below 0
        for a hotter one, and 1 for the last.
    share
        Share of the search after which the run is there, 0 to 1.
    is_even
        Whether the run passes the scale at an even pace.

    Examples
    --------
    >>> cooling = Cooling()
    >>> round(cooling.advance(0.31, is_short=False), 3), round(cooling.after(0.62, is_short=False), 3), round(cooling.position, 3)
    (0.057, 0.363, 0.057)
    """

    position: float = _BEGIN
    share: float = 0.0
    is_even: bool = False

    @classmethod
    def of_search(cls, limits: RouteLimits, objective: Objective, *, is_even: bool = False) -> Cooling:
        """
        Cooling of a run under limits.

        Parameters
        ----------
        limits
            What the routes keep.
        objective
            What the plan is to be worth.
        is_even
            Whether it cools at an even pace in any case.

        Returns
        -------
        Cooling
            Even also with a limit on the detour between any two stops, and where no trips count.
        """
        return cls(0.0, is_even=True) if is_even or math.isfinite(limits.max_pair_circuity) or not objective.trips else cls()

    def advance(self, share: float, *, is_short: bool) -> float:
        """
        Move on to a share of the search.

        Parameters
        ----------
        share
            Share of the search that is over, 0 to 1, no less than before.
        is_short
            Whether the plan is worth much less than the constructed one, as `is_short` says.

        Returns
        -------
        float
            The position there, dimensionless, at most 1.
        """
        self.position, self.share = self.after(share, is_short=is_short), share
        return self.position

    def after(self, share: float, *, is_short: bool) -> float:
        """
        Tell where the run would be at a share of the search, without moving it.

        Parameters
        ----------
        share, is_short
            As of `advance`.

        Returns
        -------
        float
            The position there, dimensionless, at most 1.
        """
        if self.is_even:
            return share
        end, until = (_SLOW_END, _QUENCH_AT) if self.share < _QUENCH_AT else (1.0, 1.0)
        pace = (share - self.share) / (until - self.share) if until > self.share else 1.0
        return self.position + max(0.0, end - self.position) * min(1.0, pace * (_HURRY if is_short else 1.0))


def is_short(value: int, constructed_value: int) -> bool:
    """
    Tell whether a plan is worth much less than the constructed one.

    Parameters
    ----------
    value, constructed_value
        Objective of both, in 1/1024.

    Returns
    -------
    bool
        True below 95 % of it.

    Examples
    --------
    >>> is_short(94, 100), is_short(95, 100)
    (True, False)
    """
    return value < _FLOOR_SHARE * constructed_value
