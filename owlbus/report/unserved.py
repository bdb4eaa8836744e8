"""Busy places that the plan of a report does not serve, each with the cheapest change that would serve it, and names of places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.evidence.stop_names import StopNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_KM_M = 1000


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
        Place; cells as text: district, people and trips a night, the change, net trips, one-way km and buses.
    """
    known = known_places(content, words)
    return [_row(place, known.name_of(content.network, place["stop"]), words, content) for place in content.missing or ()]


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
        Positions lon/lat in degrees: the places that were given, else those of the city; none without either.
    """
    if content.places is not None or content.city is None:
        return StopNames.of(content.places)
    spots = content.city.night_spots
    return StopNames([words.place(name) for name in spots.names], spots.lon, spots.lat)


def _row(place: Mapping[str, Any], name: str, words: Translations, content: Content) -> dict[str, Any]:
    """One place as text."""
    row: dict[str, Any] = {"name": name, "district": words.name(place["district"])}
    row["cells"] = [words.count(place[count], content.publisher.base) for count in ("presence", "unserved_trips")]
    if place["difference"] is None:
        return {**row, "change": words("missing.nochange"), "cost": []}
    cost, net = place["difference"]["cost"], place["difference"]["whole"]["net_trips"]
    cost_cells = [
        words("compare.none_told") if net is None else words.signed(net),
        words.signed(cost["length_m"] / _KM_M, 1),
        words.signed(cost["buses"]),
    ]
    return {**row, "change": words("missing.by", route=", ".join(place["routes"])), "cost": cost_cells}
