"""Names on maps without overlaps: routes at both ends and along, terminals, districts and places, the most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.palette import GREY, INK
from owlbus.plot.style import route_style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan

    Point = NDArray[np.float64]

_BADGE_PT, _END_PT, _DISTRICT_PT, _PLACE_PT = 7.5, 6.8, 8.0, 6.4
_PAD_PT = 2.2
_TURNS = (0.0, 0.7, -0.7, 1.4, -1.4, 2.1, -2.1, 2.8)
"""Angles of a label around its terminal, radians; the first that overlaps no other label is taken."""

_ALONG = (0.5, 0.25, 0.75, 0.4, 0.6, 0.15, 0.85)
"""Shares of a route's length where its name may stand, best first."""

MOST_LETTERS = 24
"""Longest name of a terminal on a map, characters."""

_MOST_ALONG = 2
_APART_PT = 110.0
_MOST_CROSSED = 3
"""Points of routes, a few points of print apart, that the name of a place may cover."""


class MapLabel(NamedTuple):
    """
    Name of an area or a place on a map.

    Attributes
    ----------
    text
        What stands on the map.
    lon, lat
        Degrees of its middle.
    is_area
        Whether it names an area such as a district, and not a point.
    """

    text: str
    lon: float
    lat: float
    is_area: bool = False


def drawable(text: str, instead: str = "") -> str:
    r"""
    Text if matplotlib's font has a glyph for each of its characters, so that no map shows empty boxes.

    Parameters
    ----------
    text
        A name.
    instead
        What is drawn in its place.

    Returns
    -------
    str
        One of both.

    Examples
    --------
    >>> drawable("Seoul"), drawable("\U00013080", "eye")
    ('Seoul', 'eye')
    """
    return text if all(letter.isspace() or any(font.get_char_index(ord(letter)) for font in _fonts()) for letter in text) else instead


def shortened(text: str) -> str:
    """
    Text cut to `MOST_LETTERS` characters, the last of them an ellipsis.

    Parameters
    ----------
    text
        A name.

    Returns
    -------
    str
        The name itself if it is short enough.

    Examples
    --------
    >>> shortened("Seouryeokbeoseuhwanseungsenteo")
    'Seouryeokbeoseuhwanseun…'
    """
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1].rstrip()}…"


def drawable_name(network: Network, stop: int) -> str:
    """
    Name of a stop that matplotlib's font can draw: the one in Latin letters, else the local one, else none.

    Parameters
    ----------
    network
        The network.
    stop
        Index of the stop.

    Returns
    -------
    str
        Empty if the font has neither.
    """
    return next((name for name in (network.stop_names_latin[stop], network.stop_names[stop]) if name and drawable(name)), "")


def draw_labels(axes: Axes, network: Network, plan: Plan, lines: Sequence[Point], labels: Iterable[MapLabel] = ()) -> None:
    """
    Write route names at both ends and along each route, names of terminals, and names of districts and places.

    A label that finds no free spot is left out, except for the names of routes at their ends.

    Parameters
    ----------
    axes
        A map whose limits are final, metres.
    network
        The plan's network.
    plan
        The routes.
    lines
        Line of each route as drawn, metres, shape (n, 2) each.
    labels
        Further names, most important first.
    """
    board = _Board(axes, lines)
    names = [drawable(route.name, f"R{k + 1}") for k, route in enumerate(plan)]
    ends: dict[int, list[tuple[int, Point]]] = {}
    for k, (route, line) in enumerate(zip(plan, lines, strict=True)):
        for end in (0, -1):
            ends.setdefault(int(route.stops[end]), []).append((k, line[end]))
    below = []
    for stop, members in ends.items():
        rows = list(dict.fromkeys(k for k, _ in members))
        spot = board.around(members[0][1], [names[k] for k in rows])
        for index, k in enumerate(rows):
            board.badge(spot, index, len(rows), names[k], route_style(k)[0])
        below.append((stop, spot))
    for stop, spot in below:
        board.beside(spot, shortened(drawable_name(network, stop)))
    for k, line in enumerate(lines):
        board.along(line, names[k], route_style(k)[0])
    for label in labels:
        x, y = network.grid.project(label.lon, label.lat)
        board.name(np.array([float(x), float(y)]), drawable(label.text), is_area=label.is_area)


class _Spot(NamedTuple):
    """Place of the badges of a terminal: its middle and half its size, points of print."""

    middle: Point
    half: Point


class _Board:
    """Boxes that labels take on a map, in points of print from its lower left corner."""

    def __init__(self, axes: Axes, lines: Sequence[Point]) -> None:
        left, right, low, high = axes.axis()
        frame, figure = axes.get_position(), axes.get_figure(root=True)
        width_in, height_in = (6.0, 4.0) if figure is None else (figure.get_figwidth(), figure.get_figheight())
        self.metres_a_point = max((right - left) / (width_in * frame.width), (high - low) / (height_in * frame.height)) / 72
        self.axes, self.origin = axes, np.array([left, low])
        self.size = np.array([right - left, high - low]) / self.metres_a_point
        self.taken: list[tuple[Point, Point]] = []
        self.crossed = np.concatenate([np.empty((0, 2)), *(_spaced(self.points(line), 4.0) for line in lines)])

    def points(self, metres: Point) -> Point:
        """Positions in points of print."""
        points: Point = (metres - self.origin) / self.metres_a_point
        return points

    def is_free(self, middle: Point, half: Point) -> bool:
        """Whether a box lies on the map and on no other."""
        on_map = bool((middle - half >= 0).all() and (middle + half <= self.size).all())
        return on_map and not any((np.abs(middle - other) < half + size).all() for other, size in self.taken)

    def crossings(self, middle: Point, half: Point) -> int:
        """Points of routes under a box."""
        return int((np.abs(self.crossed - middle) < half).all(axis=1).sum())

    def around(self, terminal: Point, texts: Sequence[str]) -> _Spot:
        """Spot for the badges of a terminal: away from the map's middle where that is free."""
        at = self.points(terminal)
        half = np.array([sum(_width(text, _BADGE_PT, bold=True) + 2 * _PAD_PT + 3 for text in texts) / 2, 0.5 * _BADGE_PT + 3.5])
        away = at - self.size / 2
        angle = float(np.arctan2(away[1], away[0]))
        rings = [(ring, turn) for ring in (1.0, 1.7) for turn in _TURNS]
        offsets = [ring * (half * 0.75 + 7) * np.array([np.cos(angle + turn), np.sin(angle + turn)]) for ring, turn in rings]
        best = next((at + offset for offset in offsets if self.is_free(at + offset, half)), at + offsets[0])
        self.taken += [(best, half), (at, np.array([4.0, 4.0]))]
        return _Spot(best, half)

    def badge(self, spot: _Spot, index: int, count: int, text: str, colour: str) -> None:
        """Draw the name of a route among `count` badges of a terminal."""
        step = 2 * spot.half[0] / count
        middle = spot.middle + np.array([(index + 0.5) * step - spot.half[0], 0.0])
        self._write(middle, text, _BADGE_PT, colour=colour)

    def beside(self, spot: _Spot, text: str) -> None:
        """Write the name of a terminal below, above, right or left of its badges, if one of them is free."""
        half = np.array([_width(text, _END_PT, bold=True) / 2 + 1.5, 0.5 * _END_PT + 1])
        apart = spot.half + half + 0.1
        spots = [spot.middle + apart * np.array(side) for side in ((0, -1), (0, 1), (1, 0), (-1, 0))]
        free = [middle for middle in spots if text and self.is_free(middle, half)]
        if free:
            best = min(free, key=lambda middle: self.crossings(middle, half))
            self.taken.append((best, half))
            self._write(best, text, _END_PT, weight="bold")

    def along(self, line: Point, text: str, colour: str) -> None:
        """Write a route's name on its line, away from its ends and from other names."""
        points = self.points(line)
        run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        half = np.array([_width(text, _BADGE_PT - 1, bold=True) / 2 + _PAD_PT, 0.5 * _BADGE_PT + 2.0])
        done: list[float] = []
        for share in _ALONG:
            at_pt = share * float(run[-1])
            middle = np.array([np.interp(at_pt, run, points[:, axis]) for axis in (0, 1)])
            far = min([at_pt, float(run[-1]) - at_pt, *(abs(at_pt - other) for other in done)]) >= _APART_PT / 2
            if far and len(done) < _MOST_ALONG and self.is_free(middle, half):
                done.append(at_pt)
                self.taken.append((middle, half))
                self._write(middle, text, _BADGE_PT - 1, colour=colour)

    def name(self, place: Point, text: str, *, is_area: bool) -> None:
        """Write the name of an area over its middle, or of a place beside its dot, where no other name and few lines are."""
        at, size = self.points(place), _DISTRICT_PT if is_area else _PLACE_PT
        half = np.array([_width(text, size) / 2 + 1.5, 0.5 * size + 1.0])
        aside = (
            [(0.0, 0.0), (0, 1.2), (0, -1.2), (0.6, 0), (-0.6, 0), (0, 2.4), (0, -2.4)] if is_area else [(1, 0), (-1, 0), (0, 1), (0, -1)]
        )
        spare = np.zeros(2) if is_area else np.array([3.0, 2.5])
        spots = [at + np.array(side) * (half + spare) for side in aside]
        free = [middle for middle in spots if text and self.is_free(middle, half)]
        if not free or not (is_area or self.is_free(at, np.array([1.5, 1.5]))):
            return
        best = min(free, key=lambda middle: self.crossings(middle, half))
        if self.crossings(best, half) > _MOST_CROSSED * (1 + 2 * is_area):
            return
        self.taken.append((best, half))
        self._write(best, text, size, text_colour=GREY if is_area else INK, weight="bold" if is_area else "normal")
        if not is_area:
            self.taken.append((at, np.array([2.0, 2.0])))
            self.axes.plot(*place, marker="o", markersize=2.2, color=INK, markeredgecolor="white", markeredgewidth=0.5, zorder=5.5)

    def _write(self, middle: Point, text: str, size: float, *, colour: str = "", text_colour: str = INK, weight: str = "bold") -> None:
        """Draw text at points of print: white on a badge of a colour, or with a white halo."""
        import matplotlib.patheffects as effects

        if colour:
            box = {"boxstyle": "round,pad=0.2", "facecolor": colour, "edgecolor": "white", "linewidth": 0.8}
            look: dict[str, Any] = {"color": "white", "bbox": box, "zorder": 6.5}
        else:
            halo = [effects.withStroke(linewidth=2.2, foreground="white")]
            look = {"color": text_colour, "path_effects": halo, "zorder": 6}
        look |= {"ha": "center", "va": "center" if colour else "center_baseline", "fontsize": size, "fontweight": weight}
        x, y = (self.origin + middle * self.metres_a_point).tolist()
        self.axes.text(x, y, text, parse_math=False, **look)


def _fonts() -> list[Any]:
    """Fonts that matplotlib draws text with."""
    from matplotlib import font_manager, rcParams

    families = (font_manager.FontProperties(family=[family]) for family in rcParams["font.family"])
    return [font_manager.get_font(font_manager.findfont(family)) for family in families]


def _width(text: str, size_pt: float, *, bold: bool = False) -> float:
    """Width of a text in points of print."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size_pt, weight="bold" if bold else "normal")
    width: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return width


def _spaced(line: Point, step: float) -> Point:
    """Points along a line, `step` apart."""
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.arange(0.0, float(run[-1]), step)
    return np.stack([np.interp(at, run, line[:, axis]) for axis in (0, 1)], axis=1)
