"""The part of a report on a sweep: the curve with its knee and bounds, and the numbers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.svg_charts import Curve, number_chart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_CURVES = ("presence", "served", "direct")


def sweep_page(content: Content, words: Translations) -> dict[str, Any] | None:
    """
    Chart, table and sentences of the page on a sweep.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict or None
        Curve as SVG, table as text with shares in percent, and a sentence on the knee; None where nothing is swept.
    """
    document = content.sweep
    if document is None:
        return None
    kind, points = document["kind"], document["points"]
    has_bound = any(point["bound_share"] is not None for point in points)
    columns = ["near", "served", "direct", "more", "km", "buses", *(["bound", "gap"] if has_bound else [])]
    return {
        "title": words(f"sweep.title.{kind}"),
        "svg": _chart(content, document, words),
        "knee": _knee_text(document, words),
        "notes": [words("sweep.note"), *([words("sweep.bound.note")] if has_bound else [])],
        "head": [words(f"sweep.set.{kind}"), *(words(f"sweep.{name}") for name in columns)],
        "rows": [_row(kind, point, words, has_bound=has_bound) for point in points],
    }


def sweep_lede(document: Mapping[str, Any], words: Translations) -> str:
    """
    Which of the plans of a sweep map and tables show.

    Parameters
    ----------
    document
        As ``sweep.json`` holds it; settings are routes, buses, kilometres or minutes.
    words
        The reader's language.

    Returns
    -------
    str
        One sentence.
    """
    kind, points = document["kind"], document["points"]
    low, high = (f"{points[end][kind]:g}" for end in (0, -1))
    shown = f"{shown_setting(document):g}"
    key = "lede.sweep.last" if document["knee"] is None else "lede.sweep.knee"
    return words(key, low=low, high=high, at=shown, unit=words(f"sweep.unit.{kind}"))


def shown_setting(document: Mapping[str, Any]) -> float:
    """
    Setting whose plan a report shows: the knee's, else the last.

    Parameters
    ----------
    document
        As ``sweep.json`` holds it.

    Returns
    -------
    float
        Routes, buses, kilometres or minutes.
    """
    last: float = document["points"][-1][document["kind"]]
    return last if document["knee"] is None else float(document["knee"])


def _chart(content: Content, document: Mapping[str, Any], words: Translations) -> Any:  # noqa: ANN401 - markup
    """Draw shares, bounds, knee and the city's share over the settings."""
    kind, points = document["kind"], document["points"]
    known = [name for name in _CURVES if all(point[f"{name}_share"] is not None for point in points)]
    curves = [Curve(words(f"sweep.curve.{name}"), tuple(point[f"{name}_share"] for point in points)) for name in known]
    bounds = tuple(point["bound_share"] for point in points)
    bound = Curve(words("sweep.curve.bound"), bounds) if any(value is not None for value in bounds) else None
    city = content.best.card["city_share"] if content.city is not None else None
    return number_chart(
        words(f"sweep.title.{kind}"),
        [float(point[kind]) for point in points],
        curves,
        axis=words(f"sweep.axis.{kind}"),
        bound=bound,
        mark=None if document["knee"] is None else (float(document["knee"]), words("sweep.kneemark", at=f"{document['knee']:g}")),
        level=None if city is None else (city, words("key.city.short")),
        percent=words.table["percent"],
    )


def _knee_text(document: Mapping[str, Any], words: Translations) -> str:
    """Return where the knee is, and the gain of a further step on both sides of it in percentage points."""
    kind, points = document["kind"], document["points"]
    if document["knee"] is None:
        return words("sweep.noknee")
    knee_index = next(k for k, point in enumerate(points) if point[kind] == document["knee"])
    slopes = [
        100 * (points[b]["objective_share"] - points[a]["objective_share"]) / abs(points[b][kind] - points[a][kind])
        for a, b in ((0, knee_index), (knee_index, len(points) - 1))
    ]
    before, after = (words.number(slope, 2) for slope in slopes)
    return words("sweep.knee", at=f"{document['knee']:g}", step=words(f"sweep.step.{kind}"), before=before, after=after)


def _row(kind: str, point: Mapping[str, Any], words: Translations, *, has_bound: bool) -> dict[str, Any]:
    """One setting as text."""
    more = point["marginal_points"]
    shares = [point[f"{name}_share"] for name in _CURVES]
    cells = [words("compare.hidden") if share is None else words.percent(share) for share in shares]
    cells += [
        words("compare.hidden") if more is None else words.signed(more, 2),
        words.number(point["total_km"]),
        words.number(point["buses"]),
    ]
    if has_bound:
        bound = point["bound_share"]
        gap = None if bound is None else words.gap(point["objective_share"], bound)
        cells += ["" if bound is None else words.percent(bound), gap or ""]
    return {"label": f"{point[kind]:g}", "cells": cells, "is_knee": bool(point["is_knee"])}
