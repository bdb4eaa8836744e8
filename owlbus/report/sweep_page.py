"""The part of a report on a sweep: the curve with its knee and bounds, and the numbers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.svg_charts import Curve, number_chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    over = _over(points)
    columns = ["near", "served", "direct", "more", "km", "buses", *([] if over is None else [f"over.{over}"])]
    notes = [*([] if over is None else [f"sweep.spread.{over}"]), *(["sweep.bound.note"] if has_bound else [])]
    columns += [*(["bound", "gap"] if has_bound else []), *([] if over is None else ["remark"])]
    return {
        "title": words(f"sweep.title.{kind}"),
        "svg": _chart(content, document, words),
        "knee": _knee_text(document, words),
        "notes": [words(name) for name in ("sweep.note", *notes)],
        "head": [words(f"sweep.set.{kind}"), *(words(f"sweep.{name}") for name in columns)],
        "rows": [_row(kind, point, words, over, has_bound=has_bound) for point in points],
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
    """Draw shares, bounds, knee and the city's share over the settings; nothing without shares."""
    kind, points = document["kind"], document["points"]
    known = [name for name in _CURVES if any(point[f"{name}_share"] is not None for point in points)]
    if not known:
        return ""
    curves = [Curve(words(f"sweep.curve.{name}"), tuple(point[f"{name}_share"] for point in points)) for name in known]
    bounds = tuple(point["bound_share"] for point in points)
    bound = Curve(words("sweep.curve.bound"), bounds) if any(value is not None for value in bounds) else None
    return number_chart(
        words(f"sweep.title.{kind}"),
        [float(point[kind]) for point in points],
        curves,
        axis=words(f"sweep.axis.{kind}"),
        bound=bound,
        mark=None if document["knee"] is None else (float(document["knee"]), words("sweep.kneemark", at=f"{document['knee']:g}")),
        level=None if content.city_share is None else (content.city_share, words("key.city.short")),
        bars=_bars(points, words),
        percent=words.table["percent"],
    )


def _over(points: Sequence[Mapping[str, Any]]) -> str | None:
    """Return in what the searches of a setting differ, ``seeds`` or ``starts``; None where there is no spread."""
    return next((str(point["spread"]["over"]) for point in points if point.get("spread")), None)


def _bars(points: Sequence[Mapping[str, Any]], words: Translations) -> tuple[list[tuple[float, float]], str] | None:
    """Return lowest and highest objective at each setting, and what they are; None where one is unknown."""
    spreads = [point.get("spread") for point in points]
    if not all(spreads):
        return None
    ends = [(float(spread["lowest_share"]), float(spread["highest_share"])) for spread in spreads if spread]
    return ends, words(f"sweep.bars.{_over(points)}")


def _within(hidden: Mapping[str, Any] | None, key: str, words: Translations) -> list[str]:
    """Return that a difference is within the spread, with its width in percentage points; nothing where it is not."""
    return [words(f"{key}.{hidden['over']}", points=words.number(hidden["points"], 1))] if hidden else []


def _knee_text(document: Mapping[str, Any], words: Translations) -> str:
    """Return where the knee is, and the gain of a further step on both sides of it in percentage points."""
    kind, points = document["kind"], document["points"]
    if document["knee"] is None:
        return "".join(_within(document.get("knee_within_spread"), "sweep.knee", words)) or words("sweep.noknee")
    knee_index = next(k for k, point in enumerate(points) if point[kind] == document["knee"])
    slopes = [
        100 * (points[b]["objective_share"] - points[a]["objective_share"]) / abs(points[b][kind] - points[a][kind])
        for a, b in ((0, knee_index), (knee_index, len(points) - 1))
    ]
    before, after = (words.number(slope, 2) for slope in slopes)
    return words("sweep.knee", at=f"{document['knee']:g}", step=words(f"sweep.step.{kind}"), before=before, after=after)


def _row(kind: str, point: Mapping[str, Any], words: Translations, over: str | None, *, has_bound: bool) -> dict[str, Any]:
    """One setting as text."""
    more = point["marginal_points"]
    shares = [point[f"{name}_share"] for name in _CURVES]
    cells = [words("absent.too few to tell") if share is None else words.percent(share) for share in shares]
    cells += [
        words("absent.none") if more is None else words.signed(more, 2),
        words.number(point["total_km"]),
        words.number(point["buses"]),
    ]
    if over is not None:
        spread = point.get("spread")
        cells.append(
            words("sweep.ends", low=words.percent(spread["lowest_share"]), high=words.percent(spread["highest_share"])) if spread else ""
        )
    if has_bound:
        bound, value = point["bound_share"], point.get("searched_share")
        gap = None if bound is None else words.gap(point["objective_share"] if value is None else value, bound)
        cells += ["" if bound is None else words.percent(bound), gap or ""]
    if over is not None:
        kept = point.get("kept_from")
        remarks = [] if kept is None else [words("sweep.kept", at=f"{kept:g}")]
        cells.append("; ".join([*remarks, *_within(point.get("within_spread"), "sweep.within", words)]))
    return {"label": f"{point[kind]:g}", "cells": cells, "is_knee": bool(point["is_knee"])}
