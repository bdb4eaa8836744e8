"""The section on trips carried: who rides at the best headways of a fleet, and how full the buses are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from owlbus.report.content import Content
    from owlbus.report.translations import Translations


def service_page(content: Content, words: Translations) -> dict[str, Any] | None:
    """
    Texts of the section on trips carried.

    Parameters
    ----------
    content
        Parts of the report; trips a night, seconds.
    words
        The reader's language.

    Returns
    -------
    dict or None
        Sentences, head and rows of the table; None where trips carried were not counted.
    """
    carried = content.best.card.get("carried")
    if carried is None:
        return None
    base, routes = carried.get("min_count", content.publisher.base), carried["routes"]
    hours = list(carried["by_hour"])
    beside = None if content.reference is None else content.reference.card.get("carried")
    return {
        "title": words("service.title", fleet=carried["service"]["fleet"]),
        "lede": _sentence(content, carried, "service.lede", words),
        "beside": "" if beside is None or content.reference is None else _sentence(content, beside, "service.beside", words),
        "head": [words(f"service.{name}") for name in ("route", "buses", "headway", "capacity")] + [words.hour(hour) for hour in hours],
        "rows": [
            {
                "name": route["name"],
                "cells": [
                    str(route["buses"]),
                    words.unit("min", route["headway_s"] / 60),
                    words.number(route["capacity_trips"]),
                    *(words.count(route["max_load_trips"][hour], base) for hour in hours),
                ],
            }
            for route in routes
        ],
        "notes": [words("service.note", capacity=carried["service"]["capacity"]), words("service.model")],
    }


def _sentence(content: Content, carried: dict[str, Any], key: str, words: Translations) -> str:
    """Say how many trips are carried and how long their riders wait, or that there are too few to tell."""
    name = "" if content.reference is None else words.name(content.reference.name)
    if carried["share"] is None or carried["mean_wait_s"] is None or carried["p90_wait_s"] is None:
        return words("service.few", name=name)
    waits = {key: f"{carried[f'{key}_wait_s'] / 60:.0f}" for key in ("mean", "p90")}
    base = carried.get("min_count", content.publisher.base)
    trips = {kind: words.count(carried[key], base) for kind, key in (("trips", "denominator"), ("wanted", "wanted_trips"))}
    return words(key, name=name, share=words.percent(carried["share"]), **trips, **waits)
