"""Limits that an edited plan breaks, each with the place on its route, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.explore.explore_words import NamedStop, sentence
from owlbus.kernels.straight_rules import SPUR_FACTOR, SPUR_M
from owlbus.plan.check import ALL_ROUTES, broken_limits
from owlbus.plan.measures import pair_metres

if TYPE_CHECKING:
    from owlbus.explore.edited_plan import EditedPlan, EditedRoute
    from owlbus.network import Network
    from owlbus.plan.check import BrokenLimit
    from owlbus.plan.limits import RouteLimits
    from owlbus.plan.measures import PlanMeasures


def limit_rows_of(network: Network, plan: EditedPlan, measures: PlanMeasures, limits: RouteLimits, language: str) -> list[dict[str, Any]]:
    """
    Limits that a plan breaks.

    Parameters
    ----------
    network
        The network.
    plan
        The plan.
    measures
        Of its routes, at the headway of the limits.
    limits
        What it must keep, metres and seconds.
    language
        ``en`` or ``ko``.

    Returns
    -------
    list of dict
        ``route``, its key, or None for all together; ``from`` and ``to``, positions on the route, or None for all of it; and ``text``.
    """
    rows: list[dict[str, Any]] = []
    by_name = {route.name: route for route in plan.routes}
    for broken in broken_limits(measures, limits):
        route = None if broken.name == ALL_ROUTES and broken.name not in by_name else by_name[broken.name]
        text = sentence(language, f"limit.{broken.limit}", **_values(network, broken))
        start, end = (None, None) if route is None else _place(network, route, broken)
        rows.append({"route": None if route is None else route.key, "from": start, "to": end, "text": text})
    return rows


def _values(network: Network, broken: BrokenLimit) -> dict[str, Any]:
    """Value and bound as people read them, and the stops between which the limit is broken."""
    values: dict[str, Any] = {"route": broken.name}
    for name, value in (("value", broken.value), ("bound", broken.bound)):
        values[name] = _shown(value, broken.unit)
    if values["value"] == values["bound"]:  # just beyond: all digits
        values |= {name: f"{value:,.9g}" for name, value in (("value", broken.value), ("bound", broken.bound))}
        if broken.unit in _PER_UNIT:
            per = _PER_UNIT[broken.unit]
            values |= {"value": f"{broken.value / per:,.9g}", "bound": f"{broken.bound / per:,.9g}"}
    if broken.stops:
        values |= {name: NamedStop(network, stop) for name, stop in zip(("first", "last"), broken.stops, strict=True)}
    return values


_PER_UNIT = {"m": 1000, "s": 60}
"""Metres of a kilometre, and seconds of a minute."""


def _shown(value: float, unit: str) -> str:
    """Kilometres to a tenth, whole minutes, ratios to a hundredth, and counts."""
    if unit == "m":
        return f"{value / 1000:,.1f}"
    if unit == "s":
        return f"{value / 60:,.0f}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _place(network: Network, route: EditedRoute, broken: BrokenLimit) -> tuple[int | None, int | None]:
    """Positions between which a route breaks a limit; None for all of it."""
    if broken.stops:
        positions = [route.stops.index(stop) for stop in broken.stops if stop in route.stops]
        return (min(positions), max(positions)) if len(positions) > 1 else (None, None)
    if broken.limit == "max_spurs" and route.back is None:
        along_m, shortest_m = pair_metres(network, route.to_route())
        is_spur = (along_m >= SPUR_FACTOR * shortest_m) & (along_m - shortest_m >= SPUR_M)
        found = np.flatnonzero(np.diagonal(is_spur, 2) | np.diagonal(is_spur, -2))
        return (int(found[0]), int(found[0]) + 2) if found.size else (None, None)
    return None, None
