"""Rows of a report that compares plans: every measure, who gains and loses, and what changes for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from owlbus.common.palette import CURVE_COLOURS, INK, NET_COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_SHARES = ("presence", "served", "direct")
_MOVED = ("gained_trips", "lost_trips", "net_trips", "gained_presence", "lost_presence", "net_presence")
_BURDEN = (
    ("now_transfer_trips", None, 0),
    ("now_direct_trips", None, 0),
    ("slower_trips", "slower_mean_s", 60),
    ("faster_trips", "faster_mean_s", 60),
    ("further_presence", "further_mean_m", 1),
    ("nearer_presence", "nearer_mean_m", 1),
)
_SIGNS = {"gained": "+", "lost": "\N{MINUS SIGN}"}
_BAR_PX = 90
_KM_M = 1000


def comparison_page(content: Content, words: Translations) -> dict[str, Any] | None:
    """
    Tables and sentences of the page on the difference of two plans.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict or None
        Tables as text, trips and people a night; None where no plans are compared.
    """
    document = content.comparison
    if document is None:
        return None
    change: Mapping[str, Any] = document["differences"][content.best.name]
    districts = sorted(change["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))
    parts = {
        "hour": {words.hour(label): row for label, row in change["by_hour"].items()},
        "weekday": {words.day(label): row for label, row in change["by_weekday"].items()},
        "district": {words.name(label): row for label, row in districts},
    }
    return {
        "head": [*(words.name(name) for name in document["plans"]), *([] if content.city_share is None else [words("compare.city")])],
        "rows": _side_rows(content, document, words),
        "whole": moved_rows({words("compare.whole"): change["whole"]}, change["min_count"], words),
        "parts": {name: moved_rows(rows, change["min_count"], words) for name, rows in parts.items() if rows},
        "burden": burden_rows(change["burden"], change["min_count"], words),
        "cost": cost_text(change["cost"], words),
        "sure": sure_text(change, words),
        "groups": [_group_table(text, row, words) for text, row in document.get("by", {}).items()],
    }


def gauge_bars(content: Content, words: Translations) -> list[dict[str, Any]] | None:
    """
    Share of people within the walk of every plan compared.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    list of dict or None
        Name, share 0 to 1, and text of each, the plan of the report first; None where no plans are compared.
    """
    if content.comparison is None:
        return None
    plans: Mapping[str, Any] = content.comparison["plans"]
    names = [content.best.name, *(name for name in plans if name != content.best.name)]
    return [gauge_bar(name, plans[name]["presence"], content, words) for name in names]


def gauge_bar(name: str, presence: Mapping[str, Any], content: Content, words: Translations) -> dict[str, Any]:
    """
    Share of people within the walk of a plan, as a bar.

    Parameters
    ----------
    name
        What the data call the plan.
    presence
        Measure of its scorecard, people a night.
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict
        Name, share 0 to 1 or None, and text.
    """
    return {
        "name": words.name(name),
        "share": presence["share"],
        "text": words.headline_text(presence, content.publisher.least_denominator),
    }


def moved_rows(rows: Mapping[str, Mapping[str, Any]], base: float, words: Translations) -> list[dict[str, Any]]:
    """
    Rows of who gains and who loses, with bars to compare them by.

    Parameters
    ----------
    rows
        Printed trips and people a night by label; None for trips where none were counted.
    base
        Trips or people a night of which they are multiples.
    words
        The reader's language.

    Returns
    -------
    list of dict
        Label; gained, lost and net trips, then people; and two bars.
    """
    tops = [_top(rows.values(), what) for what in ("trips", "presence")]
    return [
        {
            "label": label,
            "cells": [_moved_text(name, row, base, words) for name in _MOVED],
            "bars": [_bar(row[f"gained_{what}"], row[f"lost_{what}"], top) for what, top in zip(("trips", "presence"), tops, strict=True)],
        }
        for label, row in rows.items()
    ]


def _moved_text(name: str, row: Mapping[str, Any], base: float, words: Translations) -> str:
    """Return a count with its sign as text."""
    side, value = name.partition("_")[0], row[name]
    if side != "net":
        return words.count(value, base, _SIGNS[side])
    if value is not None:
        return words.signed(value)
    return words("absent.none" if row[name.replace("net", "gained")] is None else "compare.none_told")


def sure_text(change: Mapping[str, Any], words: Translations) -> str:
    """
    Say whether trips served differ by more than nights do.

    Parameters
    ----------
    change
        As `owlbus.evidence.printed_difference` gives it; shares 0 to 1.
    words
        The reader's language.

    Returns
    -------
    str
        A sentence; nothing where no trips were counted.
    """
    if not change.get("trips_counted", True):
        return ""
    if change["served_share_change"] is None:
        return words("compare.no_difference")
    if change["served_share_interval"] is None:
        return words("compare.no_interval")
    return words("compare.sure" if change["is_sure"] else "compare.unsure")


def _top(rows: Iterable[Mapping[str, Any]], what: str) -> float:
    """Largest count gained or lost."""
    return max((row[f"{side}_{what}"] or 0.0 for row in rows for side in ("gained", "lost")), default=0.0)


def _bar(gained: float | None, lost: float | None, top: float) -> Markup:
    """Draw losses to the left and gains to the right of a line."""
    half = _BAR_PX / 2
    right, left = (round((half - 1) * (value or 0.0) / max(top, 1e-9), 1) for value in (gained, lost))
    return Markup(
        '<svg class="moved" viewBox="0 0 {} 14" width="{}" height="14" aria-hidden="true">'
        '<rect x="{}" y="2" width="{}" height="10" fill="{}"/><rect x="{}" y="2" width="{}" height="10" fill="{}"/>'
        '<line x1="{}" x2="{}" y1="0" y2="14" stroke="{}"/></svg>'
    ).format(_BAR_PX, _BAR_PX, half - left, left, CURVE_COLOURS[1], half, right, NET_COLOURS[3], half, half, INK)


def _side_rows(content: Content, document: Mapping[str, Any], words: Translations) -> list[dict[str, Any]]:
    """Return rows of every measure of every plan; the first row has the figure that the city states, if it does."""
    stated, least = content.city_share, content.publisher.least_denominator

    def city(name: str = "") -> list[str]:
        return [] if stated is None else [words.percent(stated, 0) if name == "presence" else ""]

    plans: Mapping[str, Mapping[str, Any]] = document["plans"]
    differences = document["differences"]
    rows: list[dict[str, Any]] = []
    for name in _SHARES:
        if not document.get("trips_counted", True) and name != "presence":
            continue
        rows.append(
            _row(
                words(f"compare.{name}"),
                [words.headline_text(plan[name], least) for plan in plans.values()],
                city(name),
                "main",
            )
        )
        if any(plan[name]["interval"] for plan in plans.values()):
            rows.append(_row(words("compare.interval"), [_range(plan[name]["interval"], words) for plan in plans.values()], city(), "sub"))
        changes = ["" if plan not in differences else _points(differences[plan][f"{name}_share_change"], words) for plan in plans]
        rows.append(_row(words("compare.change"), changes, city(), "sub"))
    return rows + [_row(label, cells, city(), "plain") for label, cells in _plain_rows(plans, words)]


def _plain_rows(plans: Mapping[str, Mapping[str, Any]], words: Translations) -> list[tuple[str, list[str]]]:
    """Return label and cells of the measures that are no share of people or trips."""
    reads: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("hexes_share", words.percent),
        ("transfer_share", words.percent),
        ("mean_ride_s", lambda value: words.unit("min", value / 60)),
        ("mean_walk_m", lambda value: words.unit("m", value)),
        ("mean_travel_s", lambda value: words.unit("min", value / 60)),
        ("mean_circuity", lambda value: words.number(value, 2)),
        ("overlap_share", words.percent),
        ("total_length_m", lambda value: words.unit("km", value / _KM_M)),
        ("total_buses", words.number),
        ("routes", words.number),
    )
    few = words("absent.too few to tell")
    rows = [  # stops at hex centres have no walk distance
        (words(f"compare.{key}"), [few if plan[key] is None else read(plan[key]) for plan in plans.values()])
        for key, read in reads
        if any(plan[key] for plan in plans.values())
    ]
    return rows + _day_rows(plans, words)


def _day_rows(plans: Mapping[str, Mapping[str, Any]], words: Translations) -> list[tuple[str, list[str]]]:
    """Return label and cells of the buses by day type; none where every night is alike."""
    rows = []
    for days in zip(*(plan.get("days", []) for plan in plans.values()), strict=True):
        names = ", ".join(words.day(day) for day in days[0]["days"])
        label = words("compare.day_buses", days=names, headway=f"{days[0]['max_headway_s'] / 60:g}")
        rows.append((label, [words.number(day["buses"]) for day in days]))
    return rows


def _row(label: str, cells: list[str], city: list[str], kind: str) -> dict[str, Any]:
    """One row of the plans side by side."""
    return {"label": label, "cells": [*cells, *city], "kind": kind}


def _range(interval: list[float] | None, words: Translations) -> str:
    """Both ends of an interval in percent."""
    return "" if interval is None else words("compare.range", low=f"{100 * interval[0]:.1f}", high=f"{100 * interval[1]:.1f}")


def _points(change: float | None, words: Translations) -> str:
    """Difference of two shares in percentage points."""
    return words("compare.none_told") if change is None else words("compare.points", value=words.signed(100 * change, 1))


def burden_rows(burden: Mapping[str, Any], base: float, words: Translations) -> list[tuple[str, str]]:
    """
    Rows of what changes for those whom both plans serve.

    Parameters
    ----------
    burden
        Trips and people a night, seconds and metres, as `owlbus.evidence.printed_difference` gives them.
    base
        Trips or people a night of which counts are multiples.
    words
        The reader's language.

    Returns
    -------
    list of tuple of str
        Label and value.
    """
    rows = []
    for name, mean, scale in _BURDEN:
        label = words(f"burden.{name}")
        if mean is not None and burden[mean]:
            label += words(f"burden.by.{'min' if scale > 1 else 'm'}", value=words.number(burden[mean] / scale))
        value = burden[name]
        unit = "burden.people" if name.endswith("presence") else "burden.trips"
        rows.append((label, words("absent.none") if value is None else words(unit, value=words.count(value, base))))
    return rows


def cost_text(cost: Mapping[str, Any], words: Translations) -> str:
    """
    By how much the operation of the second plan exceeds that of the first.

    Parameters
    ----------
    cost
        Metres, minutes and buses, as `owlbus.evidence.printed_difference` gives them.
    words
        The reader's language.

    Returns
    -------
    str
        A sentence.
    """
    km, minutes = words.signed(cost["length_m"] / _KM_M, 1), words.signed(cost["cycle_min"])
    return words("compare.cost", km=km, minutes=minutes, buses=words.signed(cost["buses"]))


def _group_table(text: str, row: Mapping[str, Any], words: Translations) -> dict[str, Any]:
    """Return shares by group of a table of groups, two columns a plan."""
    column = text.rpartition(":")[2]
    labels = next(iter(row.values()))["groups"]
    cells = {label: [words.share(plan["groups"][label][what]) for plan in row.values() for what in _SHARES[:2]] for label in labels}
    return {"title": words("compare.by", column=column), "head": [words.name(name) for name in row], "rows": cells}
