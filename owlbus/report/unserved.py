"""Busy places that the plan of a report does not serve, each with the cheapest change that would serve it, and names of places."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.unserved_places import missing_places
from owlbus.plan.limits import RouteLimits, ServiceRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.evidence.unserved_places import MissingPlace
    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_MOST = 10
_KM_M = 1000
_BUDGET = ("max_total_length_m", "max_buses")
"""Limits of a plan as a whole: the table says what a change would cost, whether or not the budget allows it."""


def missing_rows(content: Content, words: Translations) -> list[dict[str, Any]]:
    """
    Busiest places beyond the walk, with the cheapest change that would serve each.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    list of dict
        Place; cells as text: district, people and trips a night in tens, the change, net trips in tens, one-way km and buses.
    """
    if not content.best.plan.routes or content.demand.total_presence <= 0:
        return []
    card = content.best.card
    evaluator = PlanEvaluator.build(content.network, content.demand, ServiceRule(**card["rule"]), content.districts, content.min_count)
    limits = _limits(content.about.get("settings", {}).get("limits", {}), card["headway_s"])
    places = missing_places(evaluator, content.best.plan, known_places(content, words), limits, n_places=_MOST)
    return [_row(place, words, content.min_count) for place in places]


def known_places(content: Content, words: Translations) -> StopNames:
    """
    Places of the city that stops are named by.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    StopNames
        Positions lon/lat in degrees; none without a city.
    """
    if content.city is None:
        return StopNames()
    spots = content.city.night_spots
    return StopNames([words.place(name) for name in spots.names], spots.lon, spots.lat)


def _limits(settings: Mapping[str, Any], headway_s: int) -> RouteLimits:
    """Return the limits of each route, without budgets of the whole plan."""
    known = {field.name for field in fields(RouteLimits)} - {*_BUDGET, "headway_s"}
    return RouteLimits(**{name: value for name, value in settings.items() if name in known and value is not None}, headway_s=headway_s)


def _row(place: MissingPlace, words: Translations, min_count: float) -> dict[str, Any]:
    """One place as text."""
    shown = place.to_dict(min_count)
    cells = [words.tens(shown["presence"]), words.tens(shown["unserved_trips"])]
    if place.change is None or shown["difference"] is None:
        return {"name": place.name, "district": words.name(place.district), "cells": cells, "change": words("missing.nochange"), "cost": []}
    cost, net = shown["difference"]["cost"], shown["difference"]["whole"]["net_trips"]
    cost_cells = [
        words("compare.hidden") if net is None else words.signed(round(net, -1)),
        words.signed(cost["length_m"] / _KM_M, 1),
        words.signed(cost["buses"]),
    ]
    change = words("missing.by", route=", ".join(shown["routes"]))
    return {"name": place.name, "district": words.name(place.district), "cells": cells, "change": change, "cost": cost_cells}
