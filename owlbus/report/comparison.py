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
        "head": [words.name(name) for name in document["plans"]],
        "rows": _side_rows(document, words),
        "whole": moved_rows({words("compare.whole"): change["whole"]}, words),
        "parts": {name: moved_rows(rows, words) for name, rows in parts.items() if rows},
        "burden": _burden_rows(change["burden"], words),
        "cost": _cost_text(change["cost"], words),
        "sure": words("compare.sure" if change["is_sure"] else "compare.unsure"),
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
    shares = [plans[name]["presence"]["share"] for name in names]
    return [{"name": words.name(name), "share": share, "text": words.percent(share)} for name, share in zip(names, shares, strict=True)]


def moved_rows(rows: Mapping[str, Mapping[str, Any]], words: Translations) -> list[dict[str, Any]]:
    """
    Rows of who gains and who loses, with bars to compare them by.

    Parameters
    ----------
    rows
        Trips and people a night by label, hidden ones None.
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
            "cells": [_moved_text(name, row[name], words) for name in _MOVED],
            "bars": [_bar(row[f"gained_{what}"], row[f"lost_{what}"], top) for what, top in zip(("trips", "presence"), tops, strict=True)],
        }
        for label, row in rows.items()
    ]


def _moved_text(name: str, value: float | None, words: Translations) -> str:
    """Return a count as text, a net one with its sign."""
    if value is None:
        return words("compare.hidden")
    return words.signed(value) if name.startswith("net") else words.number(value)


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


def _side_rows(document: Mapping[str, Any], words: Translations) -> list[dict[str, Any]]:
    """Return rows of every measure of every plan; the first row has the figure that the city states."""
    plans: Mapping[str, Mapping[str, Any]] = document["plans"]
    differences = document["differences"]
    rows: list[dict[str, Any]] = []
    for name in _SHARES:
        city = words.percent(document["city_share"], 0) if name == "presence" else ""
        if not document.get("trips_counted", True) and name != "presence":
            continue
        rows.append(_row(words(f"compare.{name}"), [words.percent(plan[name]["share"]) for plan in plans.values()], city, "main"))
        if any(plan[name]["interval"] for plan in plans.values()):
            rows.append(_row(words("compare.interval"), [_range(plan[name]["interval"], words) for plan in plans.values()], "", "sub"))
        changes = ["" if plan not in differences else _points(differences[plan][f"{name}_share_change"], words) for plan in plans]
        rows.append(_row(words("compare.change"), changes, "", "sub"))
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
    for key, read in reads:  # stops at hex centres have no walk distance
        if any(plan[key] for plan in plans.values()):
            cells = [words("compare.hidden") if plan[key] is None else read(plan[key]) for plan in plans.values()]
            rows.append(_row(words(f"compare.{key}"), cells, "", "plain"))
    return rows


def _row(label: str, cells: list[str], city: str, kind: str) -> dict[str, Any]:
    """One row of the plans side by side."""
    return {"label": label, "cells": [*cells, city], "kind": kind}


def _range(interval: list[float] | None, words: Translations) -> str:
    """Both ends of an interval in percent."""
    return "" if interval is None else words("compare.range", low=f"{100 * interval[0]:.1f}", high=f"{100 * interval[1]:.1f}")


def _points(change: float | None, words: Translations) -> str:
    """Difference of two shares in percentage points."""
    return words("compare.small") if change is None else words("compare.points", value=words.signed(100 * change, 1))


def _burden_rows(burden: Mapping[str, Any], words: Translations) -> list[tuple[str, str]]:
    """Return rows of what changes for those whom both plans serve."""
    rows = []
    for name, mean, scale in _BURDEN:
        label = words(f"burden.{name}")
        if mean is not None and burden[mean]:
            label += words(f"burden.by.{'min' if scale > 1 else 'm'}", value=words.number(burden[mean] / scale))
        value = burden[name]
        unit = "burden.people" if name.endswith("presence") else "burden.trips"
        rows.append((label, words("compare.hidden") if value is None else words(unit, value=words.number(value))))
    return rows


def _cost_text(cost: Mapping[str, Any], words: Translations) -> str:
    """Return by how much the operation of the second plan exceeds that of the first."""
    km, minutes = words.signed(cost["length_m"] / _KM_M, 1), words.signed(cost["cycle_min"])
    return words("compare.cost", km=km, minutes=minutes, buses=words.signed(cost["buses"]))


def _group_table(text: str, row: Mapping[str, Any], words: Translations) -> dict[str, Any]:
    """Return shares by group of a table of groups, two columns a plan."""
    column = text.rpartition(":")[2]
    labels = next(iter(row.values()))["groups"]
    cells = {
        label: [words.percent(plan["groups"][label][what]["share"]) for plan in row.values() for what in _SHARES[:2]] for label in labels
    }
    return {"title": words("compare.by", column=column), "head": [words.name(name) for name in row], "rows": cells}
