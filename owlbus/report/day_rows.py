"""Service by day type, as the report shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_NONE = "\N{EN DASH}"


def day_page(content: Content, words: Translations) -> dict[str, Any]:
    """
    Table of the day types, and of the headways of each route on each of them.

    Parameters
    ----------
    content
        Parts of the report; shares 0 to 1, seconds.
    words
        The reader's language.

    Returns
    -------
    dict
        ``rows`` of day types, ``head`` and ``headways`` in minutes, and ``notes``; empty for a service that is alike every night.
    """
    document = content.days
    if document is None:
        return {}
    types = document["day_types"]
    notes = [words("days.note")]
    if document["days_without_service"]:
        notes.append(words("timetable.idle", days=_names(document["days_without_service"], words)))
    unknown = [_names(each["days"], words) for each in types if not each["n_nights"]]
    notes += [words("days.unknown", days=days) for days in unknown]
    few = [_names(each["days"], words) for each in types if each.get("is_mean_night")]
    notes += [words("days.few", days=days) for days in few]
    names = content.best.plan.names
    return {
        "rows": [(_names(each["days"], words), *_cells(each, len(names), words)) for each in types],
        "head": [_names(each["days"], words) for each in types],
        "headways": [(name, *(_headways(each, name, words) for each in types)) for name in names],
        "notes": notes,
    }


def _names(days: list[str], words: Translations) -> str:
    """Days of the week in words."""
    return ", ".join(words.day(day) for day in days)


def _cells(each: Mapping[str, Any], n_routes: int, words: Translations) -> tuple[str, ...]:
    """Routes, policy headway, buses, runs, kilometres and shares of a day type."""
    figures = each["timetable"]
    shares = [each[kind]["share"] for kind in ("presence", "served")]
    return (
        words("days.routes.of", n=len(each["routes"]), all=n_routes),
        f"{each['max_headway_s'] / 60:g}",
        words.number(figures["fleet"]),
        words.number(figures["runs"]),
        words.number(figures["vehicle_km"]),
        words.number(each["n_nights"]),
        *(_NONE if share is None else words.percent(share, 1) for share in shares),
    )


def _headways(each: Mapping[str, Any], name: str, words: Translations) -> str:
    """Shortest and longest headway of a route in minutes; that it does not run otherwise."""
    row = next((row for row in each["timetable"]["routes"] if row["name"] == name), None)
    if row is None:
        return words("days.idle")
    minutes = sorted(round(headway / 60) for headway in row["headway_s"] if headway)
    if not minutes:
        return _NONE
    return f"{minutes[0]}" if minutes[0] == minutes[-1] else f"{minutes[0]}\N{EN DASH}{minutes[-1]}"
