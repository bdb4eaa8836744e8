"""What the proven bound of an objective cannot see, in words: one place that changes with the relaxations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.search.objective import Objective

UNSEEN = {
    "rides": "sees whether both ends of a trip are covered, not whether a ride with at most one transfer joins them in time",
    "direct_rides": "may count trips with both ends covered that no single route joins in time",
    "shape": "sees whom routes reach, but lets them return to stops, keeps circuity in part, and leaves out detours and spurs",
    "journeys": "lets every trip with both ends covered take its fastest way, whichever routes lead there",
}
"""Sentences without their subject, the bound, by name."""


def unseen_by_bound(objective: Objective) -> str:
    """
    Name of what the proven bound of an objective cannot see.

    Parameters
    ----------
    objective
        What plans are worth.

    Returns
    -------
    str
        A key of `UNSEEN`: of the trips where an objective mixes trips and people, since they lose more.

    Examples
    --------
    >>> from owlbus.search.objective import Objective
    >>> unseen_by_bound(Objective.parse("presence")), UNSEEN[unseen_by_bound(Objective.parse("direct"))]
    ('shape', 'may count trips with both ends covered that no single route joins in time')
    """
    if objective.is_travel_time:
        return "journeys"
    if not objective.trips:
        return "shape"
    return "rides" if objective.max_transfers else "direct_rides"
