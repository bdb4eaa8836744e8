"""Which limits a plan breaks: the checker beside every maker of plans."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.plan.measures import plan_measures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits
    from owlbus.plan.measures import PlanMeasures
    from owlbus.plan.routes import Plan, Route


ALL_ROUTES = "all routes"
"""What `BrokenLimit.name` says of a limit of all routes together."""

_OF_A_ROUTE = (
    ("max_length_m", "length", "longer_length_m", "m"),
    ("min_length_m", "length", "shorter_length_m", "m"),
    ("max_ride_s", "ride", "longer_ride_s", "s"),
    ("max_circuity", "circuity", "circuity", ""),
    ("max_stops", "stops", "n_stops", ""),
    ("min_stops", "stops", "n_stops", ""),
    ("max_pair_circuity", "circuity between stops", "pair_circuity", ""),
    ("max_spurs", "stops turned back at", "n_spurs", ""),
)
_OF_ALL = (("max_total_length_m", "length", "total_length_m", "m"), ("max_buses", "buses", "total_buses", ""))
"""Field of the limits, what it bounds, the measure it bounds, and its unit."""


@dataclass(frozen=True, slots=True)
class BrokenLimit:
    """
    A limit that a route, or a plan, breaks.

    Attributes
    ----------
    limit
        Field or property of `owlbus.plan.limits.RouteLimits`.
    name
        Name of the route, or `ALL_ROUTES`.
    what
        What the limit bounds, in words.
    value, bound
        What the route has and the limit allows, in `unit`: "m", "s" or none.
    unit
        Its unit.
    stops
        The two stops between which it is broken worst; none for other limits.
    """

    limit: str
    name: str
    what: str
    value: float
    bound: float
    unit: str
    stops: tuple[int, ...] = ()

    @property
    def is_above(self) -> bool:
        """Whether the value lies above its bound, else below."""
        return _is_upper(self.limit)


def limit_rows(limits: RouteLimits, names: Sequence[str], given: PlanMeasures | None = None) -> Limits:
    """
    Limits of each route as the kernels take them, widened to what a given plan has.

    Parameters
    ----------
    limits
        Limits of every route and of all together, in metres and seconds.
    names
        Names of the K routes.
    given
        Measures of a plan; its routes, and all of them together, may break a limit as they do but not further. None for no such plan.

    Returns
    -------
    Limits
        Of K routes.
    """
    from owlbus.kernels.keeps_limits import Limits

    place = {} if given is None else {name: row for row, name in enumerate(given.names)}
    known = [k for k, name in enumerate(names) if name in place]
    rows = [place[names[k]] for k in known]
    values: dict[str, Any] = {
        field: max(float(getattr(limits, field)), float(getattr(given, measure, 0.0))) for field, _, measure, _ in _OF_ALL
    }
    for field, _, measure, _ in _OF_A_ROUTE:
        column = np.full(len(names), getattr(limits, field), np.float64)
        if given is not None:
            column[known] = (np.maximum if _is_upper(field) else np.minimum)(column[known], getattr(given, measure)[rows])
        values[field] = column
    return Limits(**values, headway_s=float(int(limits.headway_s)))


def broken_limits(measures: PlanMeasures, limits: RouteLimits, given: PlanMeasures | None = None) -> list[BrokenLimit]:
    """
    Limits that a plan breaks; the kernel `owlbus.kernels.keeps_limits.keeps_limits` refuses a route in the same cases.

    Parameters
    ----------
    measures
        Of the plan, at the headway of the limits.
    limits
        What it must keep, in metres and seconds; every bound is included, and circuity is held as a quotient.
    given
        As in `limit_rows`.

    Returns
    -------
    list of BrokenLimit
        By route and then by limit, all routes last.
    """
    rows = limit_rows(limits, measures.names, given)
    names = (*measures.names, ALL_ROUTES)
    found = []
    for place, rules in ((0, _OF_A_ROUTE), (len(measures.names), _OF_ALL)):
        for field, what, measure, unit in rules:
            values, bounds = np.atleast_1d(getattr(measures, measure)), np.atleast_1d(getattr(rows, field))
            broken = np.flatnonzero(values > bounds if _is_upper(field) else values < bounds) + place
            bound = float(getattr(limits, field))
            for row in broken.tolist():
                stops = tuple(measures.worst_pair[row].tolist()) if field == "max_pair_circuity" else ()
                found.append((row, BrokenLimit(field, names[row], what, float(values[row - place]), bound, unit, stops)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


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
    broken = broken_limits(plan_measures(network, plan, limits.headway_s), limits)
    return (
        *(_line(network, one, limits) for one in broken if one.name != ALL_ROUTES),
        *(_twice(route) for route in plan.routes if simple and not route.is_simple),
        *(_line(network, one, limits) for one in broken if one.name == ALL_ROUTES),
    )


def newly_broken(network: Network, before: Plan, after: Plan, limits: RouteLimits) -> tuple[str, ...]:
    """
    Limits that a plan breaks and another one kept, or breaks further, in words, with by how much.

    Parameters
    ----------
    network
        The plans' network.
    before, after
        The plans; routes are matched by name.
    limits
        What is to be kept, in metres and seconds.

    Returns
    -------
    tuple of str
        One line a limit; empty if nothing gets worse.
    """
    return tuple(_excess(network, broken) for broken in newly_broken_limits(network, before, after, limits))


def newly_broken_limits(network: Network, before: Plan, after: Plan, limits: RouteLimits) -> list[BrokenLimit]:
    """
    Limits that a plan breaks and another one kept, or breaks further.

    Parameters
    ----------
    network
        The plans' network.
    before, after
        The plans; routes are matched by name.
    limits
        What is to be kept, in metres and seconds.

    Returns
    -------
    list of BrokenLimit
        In the order of the limits; empty if nothing gets worse.
    """
    was, now = (plan_measures(network, plan, limits.headway_s) for plan in (before, after))
    order = [*(field.name for field in fields(limits)), "max_spurs"]
    return sorted(broken_limits(now, limits, was), key=lambda broken: order.index(broken.limit))


def _excess(network: Network, broken: BrokenLimit) -> str:
    """By how much a limit is broken, in words."""
    unit = f" {broken.unit}" if broken.unit else ""
    who = broken.name if broken.name == ALL_ROUTES else f"route {broken.name}"
    what, side = (broken.what, "above") if broken.is_above else (f"least {broken.what}", "below")
    excess = f"{abs(broken.value - broken.bound):,.6g}{unit} {side} the {broken.bound:,.6g}{unit} allowed"
    return f"{who}: {what} {broken.value:,.6g}{unit}{_between(network, broken)} is {excess}"


def _is_upper(field: str) -> bool:
    """Whether a limit bounds from above."""
    return field.startswith("max_")


def _between(network: Network, broken: BrokenLimit) -> str:
    """The two stops between which a limit is broken, in words with a space before; empty for other limits."""
    return f" (from {' to '.join(network.stop_names[stop] or f'stop {stop}' for stop in broken.stops)})" if broken.stops else ""


def _line(network: Network, broken: BrokenLimit, limits: RouteLimits) -> str:
    """What is broken, in words."""
    who = broken.name if broken.name == ALL_ROUTES else f"route {broken.name!r}"
    side = "above" if broken.is_above else "below"
    headway = f" at a headway of {limits.headway_s} s" if broken.limit == "max_buses" else ""
    value, bound = _shown(broken.value, broken.unit), _shown(broken.bound, broken.unit)
    return f"{who}: {broken.what} {value}{_between(network, broken)} is {side} {bound}{headway}"


def _twice(route: Route) -> str:
    """Line on the first stop, in riding order, that a route passes twice."""
    stops, first, count = np.unique(route.stops, return_index=True, return_counts=True)
    repeated = np.flatnonzero(count > 1)
    at = repeated[np.argmin(first[repeated])]
    return f"route {route.name!r}: stop {stops[at]} is passed {count[at]} times, a planned route passes each stop once"


def _shown(value: float, unit: str) -> str:
    """Value as people read it: whole where it is whole, else with enough digits to differ from its bound."""
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.9g}"
    return f"{number} {unit}" if unit else number
