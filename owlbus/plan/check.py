"""Which limits a plan breaks: the checker beside every maker of plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.plan.measures import plan_measures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.plan.measures import PlanMeasures
    from owlbus.plan.routes import Plan, Route


def check_plan(network: Network, plan: Plan, limits: RouteLimits, *, simple: bool = True) -> tuple[str, ...]:
    """
    Limits that a plan breaks, one line each, routes in order and the whole plan last.

    Every bound is included: a route exactly at a limit keeps it. Circuity is held as a quotient.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    limits
        What the plan must keep.
    simple
        Whether a route that passes a stop twice breaks a rule; True for planned routes, False for given ones.

    Returns
    -------
    tuple of str
        Lines that name the route, the value and the bound; empty if the plan keeps everything.

    Raises
    ------
    DataError
        If the plan was made for another network, or a route rides where there is no link.
    """
    measures = plan_measures(network, plan, limits.headway_s)
    return (
        *_broken_by_a_route(measures, limits),
        *(_twice(route) for route in plan.routes if simple and not route.is_simple),
        *_broken_by_all(measures, limits),
    )


def _broken_by_a_route(measures: PlanMeasures, limits: RouteLimits) -> Iterator[str]:
    """Lines on limits of single routes, by route and then by limit."""
    rules: tuple[tuple[str, NDArray[np.generic], float, str, int], ...] = (
        ("length", measures.longer_length_m, limits.max_length_m, "m", 1),
        ("length", measures.shorter_length_m, limits.min_length_m, "m", -1),
        ("ride", measures.longer_ride_s, limits.max_ride_s, "s", 1),
        ("circuity", measures.circuity, limits.max_circuity, "", 1),
        ("stops", measures.n_stops, limits.max_stops, "", 1),
        ("stops", measures.n_stops, limits.min_stops, "", -1),
    )
    for row, name in enumerate(measures.names):
        for what, values, bound, unit, side in rules:
            value = float(values[row])
            if not side * value <= side * bound:
                yield f"route {name!r}: {what} {_shown(value, unit)} is {_beyond(side)} {_shown(bound, unit)}"


def _broken_by_all(measures: PlanMeasures, limits: RouteLimits) -> Iterator[str]:
    """Lines on limits of all routes together."""
    if not measures.total_length_m <= limits.max_total_length_m:
        yield f"all routes: length {_shown(measures.total_length_m, 'm')} is above {_shown(limits.max_total_length_m, 'm')}"
    if not measures.total_buses <= limits.max_buses:
        yield f"all routes: buses {measures.total_buses} is above {_shown(limits.max_buses, '')} at a headway of {limits.headway_s} s"


def _twice(route: Route) -> str:
    """Line on the first stop, in riding order, that a route passes twice."""
    stops, first, count = np.unique(route.stops, return_index=True, return_counts=True)
    repeated = np.flatnonzero(count > 1)
    at = repeated[np.argmin(first[repeated])]
    return f"route {route.name!r}: stop {stops[at]} is passed {count[at]} times, a planned route passes each stop once"


def _beyond(side: int) -> str:
    """Word for the side of a bound that a value fell on."""
    return "above" if side > 0 else "below"


def _shown(value: float, unit: str) -> str:
    """Value as people read it: whole where it is whole, else with enough digits to differ from its bound."""
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.9g}"
    return f"{number} {unit}" if unit else number
