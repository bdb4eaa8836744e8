"""Rows of the page's tables and tiles, as text in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.common.text import file_name
from owlbus.network.latin_names import display_name, has_own_name
from owlbus.report.svg_charts import Curve, line_chart
from owlbus.report.unserved import known_places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from markupsafe import Markup

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

PARTS = {"hour": "by_hour", "weekday": "by_weekday", "group": "by_group"}
"""Breakdowns of a scorecard by the name that the page gives them."""

_COUNTS = ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips")
_KM_M = 1000
_NO_FILES = ("days", "timezone", "agency_timezone")  # settings whose slash is none of a path


def tiles(content: Content, words: Translations) -> list[dict[str, str]]:
    """
    Tiles of the key figures, without the share of people.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    list of dict
        Value, label, note, and the reference's value beside it; shares in percent, lengths in km, times in minutes.
    """
    card = content.best.card
    other = None if content.reference is None else content.reference.card
    name = "" if content.reference is None else words.name(content.reference.name)

    absent, trips_counted = words("absent.none"), card.get("trips_counted", True)
    base, least = content.publisher.base, content.publisher.least_denominator

    def minutes(time_s: float | None) -> str:
        return words("absent.too few to tell") if time_s is None else words.unit("min", time_s / 60)

    def is_known(key: str) -> bool:
        """Whether a figure is known: figures of trips are not if none were counted."""
        return trips_counted or key in {"buses", "length"}

    def tile(key: str, read: Callable[[Mapping[str, Any]], str], note: str = "", between: str = "") -> dict[str, str]:
        beside = "" if other is None else words("key.beside", name=name, value=read(other) if is_known(key) else absent)
        value = read(card) if is_known(key) else absent
        return {"key": key, "value": value, "between": between, "label": words(f"key.{key}"), "note": note, "beside": beside}

    def share_tile(kind: str, note: str = "") -> dict[str, str]:
        texts = tile(kind, lambda c: words.headline_text(c[kind], least), note)
        return texts | dict(zip(("value", "between"), words.headline(card[kind], least), strict=True))

    served_note = "key.served.note" if card["rule"]["max_transfers"] else "key.served.note0"
    if not trips_counted:
        served_note = "key.served.none"
    rows = [
        share_tile("served", words(served_note, trips=words.count(card["served"]["denominator"], base))),
        share_tile("direct"),
        tile("buses", lambda c: words.number(c["total_buses"]), words("key.buses.note", headway=f"{card['headway_s'] / 60:g}")),
        tile("length", lambda c: words.unit("km", c["total_length_m"] / _KM_M)),
        tile("ride", lambda c: minutes(c["mean_ride_s"])),
    ]
    return rows + _spread_tile(content.about, words) + _bound_tile(content, words)


def _spread_tile(about: Mapping[str, Any], words: Translations) -> list[dict[str, str]]:
    """Return the tile of the objective over seeds; none without several, since starts of one seed are part of one search."""
    spread = about.get("spread")
    if not spread or spread["over"] != "seeds":
        return []
    low, median, high = (words.percent(spread[f"{name}_share"]) for name in ("lowest", "median", "highest"))
    label, note = words(f"key.spread.{spread['over']}", n=spread["n_searches"]), words("key.spread.note", median=median)
    ends = words("sweep.ends", low=low, high=high)
    return [{"key": "spread", "value": ends, "between": "", "label": label, "note": note, "beside": ""}]


def _bound_tile(content: Content, words: Translations) -> list[dict[str, str]]:
    """Return the tile of the plan's value over its proven bound, of the published figure if known, with gaps and pool bound; or none."""
    about = content.about
    value, bound = about.get("objective_share"), about.get("bound_share")
    if value is None or not bound:
        return []
    kinds = [("note", value, bound)]
    if by_area := about.get("published_bound"):
        kinds = [("area", content.best.card["presence"]["share"], by_area["share"]), ("search", value, bound)]
    notes = [words(f"key.bound.{kind}", value=words.percent(a), bound=words.percent(b), gap=words.gap(a, b)) for kind, a, b in kinds]
    if unseen := about.get("unseen_by_bound"):
        notes.append(words(f"key.bound.unseen.{unseen}"))
    if pool := about.get("pool_bound"):
        n_routes = about.get("settings", {}).get("n_routes", "")
        notes.append(words("key.bound.pool", n=n_routes, met=pool["n_routes_met"], bound=words.percent(pool["share"])))
    note = "; ".join(notes)
    _, value, bound = kinds[0]
    return [{"key": "bound", "value": words.percent(value / bound), "between": "", "label": words("key.bound"), "note": note, "beside": ""}]


def route_rows(content: Content, words: Translations) -> list[dict[str, Any]]:
    """
    Rows of the route table.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    list of dict
        Name, ends, and cells in the order of the table's head: km, minutes, headway in minutes, buses, stops, riders a night.
    """
    best = content.best
    rows = []
    for route, row in zip(best.plan, best.card["routes"], strict=True):
        ends = [place_text(content, words, stop) for stop in route.stops[[0, -1]].tolist()]
        cells = [f"{row['length_m'] / _KM_M:.1f}", f"{row['ride_s'] / 60:.0f}", words.unit("min", best.card["headway_s"] / 60)]
        counts = [words.count(row[name], content.publisher.base) for name in _COUNTS]
        cells += [str(row["buses"]), str(row["n_stops"]), *counts]
        rows.append({"name": route.name, "ends": ends, "cells": cells})
    return rows


def place_text(content: Content, words: Translations, stop: int) -> str:
    """
    Name of a stop for readers of a report.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.
    stop
        Stop index.

    Returns
    -------
    str
        Its name in the reader's language; without one the known place near it, else its district if it is a hex centre.
    """
    network = content.network
    own_name, hex_index = display_name(network, stop, words.language), int(network.stop_hex[stop])
    if has_own_name(network, stop):
        return own_name
    place_name = known_places(content, words).near(network, stop)
    if not place_name and content.districts is not None and hex_index >= 0 and network.source == "lattice":
        place_name = words.name(str(content.districts[hex_index]))
    return f"{place_name} ({own_name})" if place_name and place_name != own_name else own_name


def part_rows(content: Content, part: str, words: Translations) -> list[list[str]]:
    """
    Coverage of the parts of a demand.

    Parameters
    ----------
    content
        Parts of the report.
    part
        One of `PARTS`.
    words
        The reader's language.

    Returns
    -------
    list of list of str
        Label, people a night, percent within the walk, trips a night, percent served, percent served without a change; in place of a
        percent why there is none.
    """
    readers: dict[str, Callable[[str], str]] = {"hour": words.hour, "weekday": words.day, "group": words.name}
    label = readers[part]
    parts: Mapping[str, Any] = content.best.card[PARTS[part]]
    base = content.publisher.base
    return [
        [
            label(name),
            words.whole(row["presence"], base),
            words.share(row["presence"]),
            words.whole(row["served"], base),
            *(words.share(row[kind]) for kind in ("served", "direct")),
        ]
        for name, row in parts.items()
    ]


def hour_charts(content: Content, words: Translations) -> list[dict[str, Markup | str]]:
    """
    Curves of coverage by hour, with gaps at hours that have no share.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    list of dict
        Title and SVG of each, percent over hours; none where no hour has a share.
    """
    plans = [content.best] if content.reference is None else [content.best, content.reference]
    hours = list(content.best.card["by_hour"])
    charts: list[dict[str, Markup | str]] = []
    for kind in ("presence", "served"):
        curves = [Curve(words.name(plan.name), tuple(row[kind]["share"] for row in plan.card["by_hour"].values())) for plan in plans]
        if any(share is not None for curve in curves for share in curve.shares):
            title = words(f"curves.{kind}")
            charts.append({"title": title, "svg": line_chart(title, hours, curves, words.table["percent"])})
    return charts


def setting_rows(settings: Mapping[str, Any], words: Translations, prefix: str = "") -> list[tuple[str, str]]:
    """
    Settings by dotted name, folders left out of file names.

    Parameters
    ----------
    settings
        As ``run.json`` holds them; values carry their unit in the name.
    words
        The reader's language.
    prefix
        What stands before each name.

    Returns
    -------
    list of tuple of str
        Name and value.
    """
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            rows += setting_rows(value, words, f"{prefix}{name}.")
        else:
            values = value if isinstance(value, list | tuple) else [value]
            texts = [str(item) for item in values if item is not None and item != {}]
            shown = ", ".join(texts if name in _NO_FILES else [file_name(text) for text in texts])
            rows.append((prefix + name, shown or words("data.none")))
    return rows


def input_rows(about: Mapping[str, Any]) -> list[str]:
    """
    Files that were read.

    Parameters
    ----------
    about
        As ``run.json`` holds it.

    Returns
    -------
    list of str
        Names without folders.
    """
    return [file_name(name) for name in about.get("inputs", ())]
