"""Colours of every map, chart and page. This module imports nothing."""

from __future__ import annotations

INK, GREY, MID_GREY, GRID, PALE = "#222222", "#5b5b5b", "#8a8d95", "#dddddd", "#f5f6f8"
"""Text and axes; secondary text; lines beside data; grid lines of charts; backgrounds of table heads."""

RULE, EDGE, FAINT, KEY_EDGE = "#d5d7dc", "#e3e6ea", "#d3d8e0", "#777777"
"""Frames of a page; edges of hexes and thin lines; hexes outside the layer shown; frames of legend patches."""

NIGHT, GOLD, WARNING = "#1b1f3b", "#f4c95d", "#fff4d6"
"""Head of a page, its kicker and owl, and the background of notices."""

PICK = "#ffd84d"
"""What is picked on a map to edit: the stop that an edit would take, pins of comments."""

STREET = "#a9adb5"
"""Streets under the routes of a map."""

WATER, HILL, HILL_EDGE = "#8fb8d8", "#dfe5d5", "#b9c4a8"

ROUTE_COLOURS = ("#332288", "#117733", "#cc3311", "#0072b2", "#aa4499", "#8a6500", "#00796b", "#882255", "#444444")
"""Nine colours that stay apart for colour-blind readers and carry white text; the tenth route takes the first one again, dashed."""

CURVE_COLOURS = (ROUTE_COLOURS[0], "#b5541c", GREY)
"""First, second and third curve of a chart on a page or in a notebook."""

HEX_COLOURS = ("#fbfaf6", "#fde3ad", "#f9c377", "#ee9a47", "#cf6a26", "#9a3f10")
"""Fewest people to most; each is darker than the one before, so that they also tell in grey."""

DIFFERENCE_COLOURS = {"both": "#b9bfc9", "gained": "#4a90c2", "lost": "#d55e00", "neither": "#fbfaf6"}
"""Hexes that both plans reach, only the new one, only the old one, or none: blue and vermilion stay apart for colour-blind readers."""

DIFFERENCE_EDGES = {"gained": "#12314a", "lost": "#4d2200"}
"""Edges of hexes that only one of two plans reaches, on a page."""

NET_COLOURS = {-3: "#b2182b", -2: "#ef8a62", -1: "#fddbc7", 0: "#f2f2f2", 1: "#d1e5f0", 2: "#67a9cf", 3: "#2166ac"}
"""Many trips lost, some, few, no change, few gained, some, many."""

LINK_COLOURS = {"first": "#b35806", "second": "#053061", "both": "#888888"}
"""Links that only the first of two plans uses, only the second, or both."""

_CSS_NAMES = {
    "ink": INK,
    "soft": GREY,
    "mid": MID_GREY,
    "line": RULE,
    "hair": EDGE,
    "pale": PALE,
    "night": NIGHT,
    "gold": GOLD,
    "link": CURVE_COLOURS[0],
    "second": CURVE_COLOURS[1],
    "third": CURVE_COLOURS[2],
    "focus": ROUTE_COLOURS[3],
    "alert": ROUTE_COLOURS[2],
    "pick": PICK,
    "warn": WARNING,
    "warn-edge": ROUTE_COLOURS[5],
}


def css_variables() -> str:
    """
    Colours as CSS variables of a page.

    Returns
    -------
    str
        One CSS rule; colours carry no unit.

    Examples
    --------
    >>> css_variables()[:24]
    ':root { --ink: #222222; '
    """
    return f":root {{ {' '.join(f'--{name}: {colour};' for name, colour in _CSS_NAMES.items())} }}"
