"""Curves as SVG text, drawn for a page that loads nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 380, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 26, 30
_MARK_PX = 4.0
_STYLES = (("#332288", ""), ("#b5541c", "6 4"), ("#5b5b5b", "2 3"))
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """
    One curve.

    Attributes
    ----------
    label
        What it is called in the key.
    shares
        One value per label of the axis, 0 to 1; None leaves a gap.
    """

    label: str
    shares: tuple[float | None, ...]


def line_chart(title: str, labels: Sequence[str], curves: Sequence[Curve], percent: str = "{0} %") -> Markup:
    """
    Draw shares over the parts of a night as SVG.

    Parameters
    ----------
    title
        What the curves show; also the picture's name for those who cannot see it.
    labels
        Below the axis, one per value.
    curves
        Up to three, shares 0 to 1; each has its own colour, dashes and marks.
    percent
        How a percent reads.

    Returns
    -------
    Markup
        An ``svg`` element, text escaped.

    Examples
    --------
    >>> "<polyline" in line_chart("Served", ["00", "01"], [Curve("plan", (0.25, 0.5))])
    True
    """
    top, step = _scale(curves)
    out = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, _HEIGHT, title)]
    for k in range(round(top / step) + 1):
        y = _y(k * step, top)
        text = percent.format(f"{100 * k * step:.0f}")
        out.append(Markup('<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, _WIDTH - _RIGHT, y, y))
        out.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(_LEFT - 6, y + 4, text))
    for k, label in enumerate(labels):
        x = _x(k, len(labels))
        out.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(x, _HEIGHT - 9, label))
    out += [_curve(place, curve, top) for place, curve in enumerate(curves)]
    return Markup("").join([*out, *_key(curves), Markup("</svg>")])


def _curve(place: int, curve: Curve, top: float) -> Markup:
    """Return one curve with its marks; values that are not shown break it."""
    colour, dashes = _STYLES[place % len(_STYLES)]
    points = [None if share is None else (_x(k, len(curve.shares)), _y(share, top)) for k, share in enumerate(curve.shares)]
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]},{point[1]}")
    line = Markup('<polyline fill="none" stroke="{}" stroke-width="2.5" stroke-dasharray="{}" points="{}"/>')
    parts = [line.format(colour, dashes, " ".join(run)) for run in runs if len(run) > 1]
    parts += [_mark(place, colour, *point) for point in points if point is not None]
    return Markup("").join(parts)


def _mark(place: int, colour: str, x: float, y: float) -> Markup:
    """Return a dot for the first curve, a square for the others."""
    if place == 0:
        return Markup('<circle cx="{}" cy="{}" r="{}" fill="{}"/>').format(x, y, _MARK_PX, colour)
    box = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="#fff" stroke="{}" stroke-width="2"/>')
    return box.format(x - _MARK_PX + 0.5, y - _MARK_PX + 0.5, 2 * _MARK_PX - 1, 2 * _MARK_PX - 1, colour)


def _key(curves: Sequence[Curve]) -> list[Markup]:
    """Name every curve above the picture."""
    room = (_WIDTH - _LEFT - _RIGHT) / max(len(curves), 1)
    parts = []
    for place, curve in enumerate(curves):
        colour, dashes = _STYLES[place % len(_STYLES)]
        x = _LEFT + place * room
        line = Markup('<line x1="{}" x2="{}" y1="12" y2="12" stroke="{}" stroke-width="2.5" stroke-dasharray="{}"/>')
        parts.append(line.format(round(x, 1), round(x + 24, 1), colour, dashes))
        parts.append(_mark(place, colour, round(x + 12, 1), 12))
        parts.append(Markup('<text class="key" x="{}" y="16">{}</text>').format(round(x + 30, 1), curve.label))
    return parts


def _scale(curves: Sequence[Curve]) -> tuple[float, float]:
    """Top of the axis and distance between its lines, shares."""
    highest = max((share for curve in curves for share in curve.shares if share is not None), default=0.0)
    step = next((tick for tick in _TICKS if highest <= tick * _MOST_TICKS), _TICKS[-1])
    return max(1, math.ceil(highest / step - 1e-9)) * step, step


def _x(k: int, n: int) -> float:
    """Place of the k-th of n values, pixels."""
    room = _WIDTH - _LEFT - _RIGHT - 24
    return round(_LEFT + 12 + (room * k / (n - 1) if n > 1 else room / 2), 1)


def _y(share: float, top: float) -> float:
    """Place of a share, pixels."""
    return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share / top, 1)
