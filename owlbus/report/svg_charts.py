"""Line charts as SVG text, for a page that loads no library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from owlbus.common.palette import CURVE_COLOURS, INK, MID_GREY

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK_PX = 4.0
_STYLES = tuple(zip(CURVE_COLOURS, ("", "6 4", "2 3"), strict=True))
_BOUND_STYLE = (MID_GREY, "8 3")
_LEVEL_STYLE = (INK, "1.5 3")
_BAR_STYLE = (INK, "")
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 5
_MOST_LABELS = 13
_KEY_ROW_PX = 20


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


@dataclass(frozen=True, slots=True)
class _Frame:
    """Size and margins of a chart in pixels, and positions of values along its axis, 0 to 1."""

    width: int
    height: int
    top_px: int
    bottom_px: int
    along: tuple[float, ...]
    top: float
    left_px: int = 44
    right_px: int = 12

    def x(self, k: int) -> float:
        """Return the position of value `k`, pixels."""
        return self.x_along(self.along[k])

    def x_along(self, along: float) -> float:
        """Return the position in pixels of a point of the axis, 0 to 1."""
        return round(self.left_px + 12 + (self.width - self.left_px - self.right_px - 24) * along, 1)

    def y(self, share: float) -> float:
        """Return the position of a share, pixels."""
        return round(self.height - self.bottom_px - (self.height - self.top_px - self.bottom_px) * share / self.top, 1)

    def open(self, title: str) -> Markup:
        """Return the opening tag of the picture; `title` is its accessible name."""
        return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(self.width, self.height, title)


def line_chart(title: str, labels: Sequence[str], curves: Sequence[Curve], percent: str = "{0} %") -> Markup:
    """
    Draw shares over the parts of a night as SVG.

    Parameters
    ----------
    title
        What the curves show; also the accessible name of the picture.
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
    n = len(labels)
    frame = _Frame(380, 230, 26, 30, tuple(k / (n - 1) if n > 1 else 0.5 for k in range(n)), top)
    tick = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>')
    axis = [tick.format(frame.x(k), frame.height - 9, label) for k, label in enumerate(labels)]
    drawn = [_curve(frame, index, curve, _STYLES[index % len(_STYLES)]) for index, curve in enumerate(curves)]
    key = _key(frame, [(curve.label, index, _STYLES[index % len(_STYLES)]) for index, curve in enumerate(curves)], max(len(curves), 1))
    return Markup("").join([frame.open(title), *_rules(frame, step, percent), *axis, *drawn, *key, Markup("</svg>")])


def number_chart(
    title: str,
    numbers: Sequence[float],
    curves: Sequence[Curve],
    *,
    axis: str,
    bound: Curve | None = None,
    mark: tuple[float, str] | None = None,
    level: tuple[float, str] | None = None,
    bars: tuple[Sequence[tuple[float, float]], str] | None = None,
    percent: str = "{0} %",
) -> Markup:
    """
    Draw shares over numbers as SVG.

    Parameters
    ----------
    title
        What the curves show; also the accessible name of the picture.
    numbers
        Along the axis, ascending, in the unit that `axis` names.
    curves
        Up to three, shares 0 to 1; each has its own colour, dashes and marks.
    axis
        What the numbers are.
    bound
        A curve that no plan exceeds, shares 0 to 1, or None.
    mark
        A number with what stands beside the line through it, or None.
    level
        A share with what stands beside the line at it, or None.
    bars
        Lowest and highest share at each number, drawn as a bar, with what the bars are, or None.
    percent
        How a percent reads.

    Returns
    -------
    Markup
        An ``svg`` element, text escaped.

    Examples
    --------
    >>> svg = number_chart("Served", [1, 3], [Curve("plan", (0.25, 0.5))], axis="routes", mark=(1, "knee at 1"))
    >>> "knee at 1" in svg
    True
    """
    everything = [*curves, *([bound] if bound else []), *([Curve("", (level[0],))] if level else [])]
    everything += [Curve("", tuple(high for _, high in bars[0]))] if bars else []
    top, step = _scale(everything)
    keys: list[tuple[str, int | None, tuple[str, str]]] = [
        (curve.label, index, _STYLES[index % len(_STYLES)]) for index, curve in enumerate(curves)
    ]
    keys += [(bound.label, None, _BOUND_STYLE)] if bound else []
    keys += [(level[1], None, _LEVEL_STYLE)] if level else []
    keys += [(bars[1], None, _BAR_STYLE)] if bars else []
    first, span = numbers[0], (numbers[-1] - numbers[0]) or 1.0
    along = tuple((number - first) / span for number in numbers)
    frame = _Frame(500, 310, 24 + _KEY_ROW_PX * -(-len(keys) // 2), 46, along, top)
    parts = [frame.open(title), *_rules(frame, step, percent), *_number_axis(frame, numbers, axis)]
    if mark:
        parts.append(_mark_line(frame, (mark[0] - first) / span, mark[1]))
    if level:
        parts.append(_level_line(frame, level[0]))
    parts += [_curve(frame, None, bound, _BOUND_STYLE)] if bound else []
    parts += [_curve(frame, index, curve, _STYLES[index % len(_STYLES)]) for index, curve in enumerate(curves)]
    parts += [_bar(frame, k, *ends) for k, ends in enumerate(bars[0])] if bars else []
    return Markup("").join([*parts, *_key(frame, keys, 2), Markup("</svg>")])


def _rules(frame: _Frame, step: float, percent: str) -> list[Markup]:
    """Draw grid lines with their percent."""
    parts = []
    for k in range(round(frame.top / step) + 1):
        y = frame.y(k * step)
        text = percent.format(f"{100 * k * step:.0f}")
        line = Markup('<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}"/>')
        parts.append(line.format(frame.left_px, frame.width - frame.right_px, y, y))
        parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(frame.left_px - 6, y + 4, text))
    return parts


def _number_axis(frame: _Frame, numbers: Sequence[float], axis: str) -> list[Markup]:
    """Label the axis: as many numbers as fit, and the name of the axis."""
    interval = -(-len(numbers) // _MOST_LABELS)
    text = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>')
    shown = [text.format(frame.x(k), frame.height - 27, f"{number:g}") for k, number in enumerate(numbers) if k % interval == 0]
    return [*shown, text.format((frame.left_px + frame.width - frame.right_px) / 2, frame.height - 8, axis)]


def _mark_line(frame: _Frame, along: float, text_above: str) -> Markup:
    """Draw a vertical line with a label above it."""
    x, high = frame.x_along(along), frame.y(frame.top)
    line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="1.2" stroke-dasharray="5 3"/>')
    text = Markup('<text class="said" x="{}" y="{}" text-anchor="middle">{}</text>')
    return line.format(x, x, high, frame.y(0), INK) + text.format(x, high - 6, text_above)


def _level_line(frame: _Frame, share: float) -> Markup:
    """Draw a horizontal line at a share; the key names it."""
    y, (colour, dashes) = frame.y(share), _LEVEL_STYLE
    line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="1.6" stroke-dasharray="{}"/>')
    return line.format(frame.left_px, frame.width - frame.right_px, y, y, colour, dashes)


def _bar(frame: _Frame, k: int, low: float, high: float) -> Markup:
    """Draw a bar with ends from a lowest to a highest share."""
    x, bottom, top = frame.x(k), frame.y(low), frame.y(high)
    path = f"M{x - _MARK_PX},{top}h{2 * _MARK_PX}M{x - _MARK_PX},{bottom}h{2 * _MARK_PX}M{x},{bottom}V{top}"
    return Markup('<path class="spread" d="{}" fill="none" stroke="{}" stroke-width="1.5"/>').format(path, INK)


def _curve(frame: _Frame, index: int | None, curve: Curve, style: tuple[str, str]) -> Markup:
    """Return one curve with its marks; values that are not shown break it."""
    colour, dashes = style
    points = [None if share is None else (frame.x(k), frame.y(share)) for k, share in enumerate(curve.shares)]
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]},{point[1]}")
    line = Markup('<polyline fill="none" stroke="{}" stroke-width="2.5" stroke-dasharray="{}" points="{}"/>')
    parts = [line.format(colour, dashes, " ".join(run)) for run in runs if len(run) > 1]
    parts += [_mark(index, colour, *point) for point in points if point is not None]
    return Markup("").join(parts)


def _mark(index: int | None, colour: str, x: float, y: float) -> Markup:
    """Return a dot for the first curve, a square for the second, a diamond for the third, nothing for a bound."""
    if index is None:
        return Markup("")
    if index == 0:
        return Markup('<circle cx="{}" cy="{}" r="{}" fill="{}"/>').format(x, y, _MARK_PX, colour)
    turn = 45 if index > 1 else 0
    box = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="white" stroke="{}" stroke-width="2" transform="rotate({} {} {})"/>')
    size = 2 * _MARK_PX - 1
    return box.format(round(x - size / 2, 1), round(y - size / 2, 1), size, size, colour, turn, x, y)


def _key(frame: _Frame, entries: Sequence[tuple[str, int | None, tuple[str, str]]], columns: int) -> list[Markup]:
    """Draw the key above the chart, with so many columns."""
    room = (frame.width - frame.left_px - frame.right_px) / columns
    parts = []
    for k, (label, index, (colour, dashes)) in enumerate(entries):
        x, y = frame.left_px + k % columns * room, 12 + k // columns * _KEY_ROW_PX
        line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="2.5" stroke-dasharray="{}"/>')
        parts.append(line.format(round(x, 1), round(x + 24, 1), y, y, colour, dashes))
        parts.append(_mark(index, colour, round(x + 12, 1), y))
        parts.append(Markup('<text class="key" x="{}" y="{}">{}</text>').format(round(x + 30, 1), y + 4, label))
    return parts


def _scale(curves: Sequence[Curve]) -> tuple[float, float]:
    """Top of the axis and distance between its lines, shares."""
    highest = max((share for curve in curves for share in curve.shares if share is not None), default=0.0)
    step = next((tick for tick in _TICKS if highest <= tick * _MOST_TICKS), _TICKS[-1])
    return max(1, math.ceil(highest / step - 1e-9)) * step, step
