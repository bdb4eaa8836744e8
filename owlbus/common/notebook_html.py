"""
HTML for notebooks: heading, small table and small SVG drawings.

Types call these functions from ``_repr_html_``.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from owlbus.common.palette import CURVE_COLOURS, MID_GREY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH_PX = 300
_CELL = 'style="text-align:left;padding:2px 10px 2px 0"'
_NUMBER = 'style="text-align:right;padding:2px 10px 2px 0"'


def page(title: str, *parts: str) -> str:
    """
    Return HTML parts under a heading.

    Parameters
    ----------
    title
        Heading, plain text.
    *parts
        HTML from this module.

    Returns
    -------
    str
        HTML; a number without a unit is a count.

    Examples
    --------
    >>> page("3 < 4")
    '<div class="owlbus"><b>3 &lt; 4</b></div>'
    """
    return f'<div class="owlbus"><b>{escape(title)}</b>{"".join(parts)}</div>'


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """
    Return rows of text as an HTML table; the first cell of each row is its heading.

    Parameters
    ----------
    rows
        Cells, with units.
    head
        Column names, or none.

    Returns
    -------
    str
        HTML table.

    Examples
    --------
    >>> "<td" in table([("routes", "9")])
    True
    """
    titles = [f"<th {_CELL if k == 0 else _NUMBER}>{escape(cell)}</th>" for k, cell in enumerate(head)]
    body = [f"<tr>{''.join(titles)}</tr>"] if titles else []
    for label, *values in rows:
        cells = "".join(f"<td {_NUMBER}>{escape(cell)}</td>" for cell in values)
        body.append(f'<tr><th scope="row" {_CELL}>{escape(label)}</th>{cells}</tr>')
    return f'<table style="border-collapse:collapse;margin:4px 0">{"".join(body)}</table>'


def dots(x: Sequence[float], y: Sequence[float], radius: float, links: Iterable[tuple[int, int]] = (), *, name: str = "map") -> str:
    """
    Draw points and lines between them as SVG, north up.

    Parameters
    ----------
    x, y
        Points in metres, shape (n,).
    radius
        Radius of a dot in metres.
    links
        Pairs of point indices.
    name
        Accessible name of the picture.

    Returns
    -------
    str
        SVG element; empty without points.

    Examples
    --------
    >>> dots([0, 10], [0, 0], 1, [(0, 1)]).count("M")
    3
    """
    if not len(x):
        return ""
    left, top = min(x) - radius, max(y) + radius
    scale = _WIDTH_PX / max(max(x) + radius - left, top - min(y) + radius, 1e-9)
    size, wide, high = max(2 * radius * scale, 1.0), (max(x) + radius - left) * scale, (top - min(y) + radius) * scale
    points = [f"{(a - left) * scale:.1f} {(top - b) * scale:.1f}" for a, b in zip(x, y, strict=True)]
    lines = "".join(f"M{points[a]}L{points[b]}" for a, b in links)
    dots_path = "".join(f"M{point}h0" for point in points)
    return _svg(
        name,
        wide,
        high,
        f'<path d="{lines}" stroke="{MID_GREY}" stroke-width="0.8" fill="none"/>' if lines else "",
        f'<path d="{dots_path}" stroke="{CURVE_COLOURS[0]}" stroke-width="{size:.1f}" stroke-linecap="round"/>',
    )


def curve(values: Sequence[float], *, name: str, upper: Sequence[float] = ()) -> str:
    """
    Draw a series of values as an SVG line; the axis starts at 0.

    Parameters
    ----------
    values
        Values in the unit that `name` states, shape (n,).
    name
        Accessible name of the line.
    upper
        Second, dashed line, or none.

    Returns
    -------
    str
        SVG element; empty with fewer than two values.

    Examples
    --------
    >>> curve([1, 2], name="share").count("polyline")
    1
    """
    if len(values) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    top = max([*values, *upper, 1e-12])
    parts = []
    for k, row in enumerate((values, upper)):
        points = " ".join(
            f"{_WIDTH_PX * i / (len(row) - 1):.1f},{62 - 58 * value / top:.1f}" for i, value in enumerate(row) if len(row) > 1
        )
        dashes = ' stroke-dasharray="4 3"' if k else ""
        parts.append(
            f'<polyline fill="none" stroke="{CURVE_COLOURS[2 * k]}" stroke-width="2"{dashes} points="{points}"/>' if points else ""
        )
    return _svg(name, _WIDTH_PX, 64, f'<path d="M0 63h300" stroke="{MID_GREY}"/>', *parts)


def bars(labels: Sequence[str], values: Sequence[float | None], texts: Sequence[str], *, name: str) -> str:
    """
    Draw one SVG bar per label, with a text beside it.

    Parameters
    ----------
    labels, values, texts
        n of each; values in the unit that the texts state, None for no bar.
    name
        Accessible name of the bars.

    Returns
    -------
    str
        SVG element; empty without bars.

    Examples
    --------
    >>> bars(["00"], [0.4], ["40 %"], name="served").count("<rect")
    1
    """
    if not labels:
        return ""
    lengths = [0.0 if value is None else value for value in values]
    top = max([*lengths, 1e-12])
    text = '<text x="{}" y="{}" font-size="11" fill="currentColor">{}</text>'
    rows = [
        text.format(0, 16 * k + 12, escape(label))
        + (f'<rect x="40" y="{16 * k + 3}" width="{150 * value / top:.1f}" height="11" fill="{CURVE_COLOURS[0]}"/>' if value else "")
        + text.format(f"{46 + 150 * value / top:.1f}", 16 * k + 12, escape(text_beside))
        for k, (label, value, text_beside) in enumerate(zip(labels, lengths, texts, strict=True))
    ]
    return _svg(name, _WIDTH_PX, 16 * len(rows) + 2, *rows)


def _svg(name: str, width: float, height: float, *parts: str) -> str:
    """Return an SVG element of a size in pixels."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg role="img" aria-label="{escape(name)}" {size} style="display:block;margin:4px 0">{"".join(parts)}</svg>'
