"""Map of one answer as SVG: the routes before and after, what hexes gain and lose, and the places in question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from owlbus.common.palette import EDGE, INK, KEY_EDGE, LINK_COLOURS, NET_COLOURS, STREET, WATER
from owlbus.plot.maps import net_classes
from owlbus.plot.streets import street_lines, thinned_lines
from owlbus.report.map_labels import map_labels
from owlbus.report.section_page import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from owlbus.evidence.difference import Difference
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.records.places import Places
    from owlbus.report.translations import Translations
    from owlbus.sample import City

_WIDTH_PX, _HEIGHT_PX = 900, 560
_MARGIN_PX = 40
_LEAST_HALF_M = 2500.0
_MOST_HALF_M = 60_000.0
_TOLERANCE_DEG, _MOST_POINTS = 2e-4, 12_000
_FONT_PX, _WIDE = 13, "\u1100"
_STYLES = {"plan": (3, ""), "both": (2, ""), "first": (4, "7 4"), "second": (4, "")}
_COLOURS = {"plan": LINK_COLOURS["second"], **LINK_COLOURS}
_SPOTS = ((1, 0), (-1, 0), (0, -1), (0, 1))


@dataclass(frozen=True, slots=True, eq=False)
class MapContent:
    """
    What the map of an answer shows.

    Attributes
    ----------
    network
        The plans' network.
    after
        The plan, after the change if there is one.
    before
        The plan before it, or None.
    change
        What hexes gain and lose, trips a night; None without a change.
    marks
        Stop index and text of each place in question.
    city, places
        What names districts and places, lon/lat degrees.
    framed
        Plan whose routes fill the map; None for what changes.
    key
        Where the words of its key stand in the translations.
    """

    network: Network
    after: Plan
    before: Plan | None = None
    change: Difference | None = None
    marks: tuple[tuple[int, str], ...] = ()
    city: City | None = None
    places: Places | None = None
    framed: Plan | None = None
    key: str = "answer.map"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Middle of the map in metres and pixels a metre."""

    x_m: float
    y_m: float
    scale: float

    def points(self, metres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixels of positions in metres, shape (..., 2)."""
        x = _WIDTH_PX / 2 + (metres[..., 0] - self.x_m) * self.scale
        y = _HEIGHT_PX / 2 - (metres[..., 1] - self.y_m) * self.scale
        return np.stack([x, y], axis=-1)


def answer_map(content: MapContent, words: Translations) -> Picture:
    """
    Draw the map of an answer.

    Parameters
    ----------
    content
        What it shows.
    words
        The reader's language.

    Returns
    -------
    Picture
        An ``svg`` element 900 pixels wide, with its key.
    """
    network = content.network
    classes, steps = (None, (0.0, 0.0, 0.0)) if content.change is None else net_classes(content.change)
    links = _links(content)
    frame = _frame(content, links, classes)
    streets = thinned_lines(street_lines(network), _TOLERANCE_DEG, _MOST_POINTS)
    river = [] if content.city is None or not len(content.city.river) else [content.city.river]
    parts: list[Markup] = [_patterns(), *_hexes(network, frame, classes)]
    parts += [_line(_path(network, frame, line), WATER, 8) for line in river]
    parts += [_line("".join(_path(network, frame, line) for line in streets), STREET, 0.8)] if streets else []
    for kind, (width, dash) in _STYLES.items():
        lines = [network.link_line(a, b) for a, b in sorted(links.get(kind, ()))]
        parts.append(_line("".join(_path(network, frame, line) for line in lines), _COLOURS[kind], width, dash))
    parts += _names(content, frame, words)
    head = Markup('<svg class="answermap" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        _WIDTH_PX, _HEIGHT_PX, words("answer.map.label")
    )
    return Picture(head + Markup("").join(parts) + Markup("</svg>"), tuple(_key(content, steps, links, words, is_river=bool(river))))


def _links(content: MapContent) -> dict[str, set[tuple[int, int]]]:
    """Links that only the plan before uses, only the one after, or both; all are of both if there is one plan."""
    after, before = (
        {(min(a, b), max(a, b)) for route in plan or () for a, b in route.segments} for plan in (content.after, content.before)
    )
    if content.before is None:
        return {"plan": after}
    return {"both": after & before, "first": before - after, "second": after - before}


def _frame(content: MapContent, links: dict[str, set[tuple[int, int]]], classes: NDArray[np.int8] | None) -> _Frame:
    """Fit what changes and what is asked about into the picture, or all routes and places where nothing changes."""
    network, grid = content.network, content.network.grid
    ends = {stop for kind in ("first", "second") for link in links.get(kind, ()) for stop in link} | {stop for stop, _ in content.marks}
    if content.framed is not None:
        ends = set(content.framed.used_stops.tolist())
    elif content.before is None or not ends:
        ends |= {stop for link in links.get("plan", links.get("both", ())) for stop in link}
    stops = np.array(sorted(ends), np.int64)
    x, y = grid.project(network.stop_lon[stops], network.stop_lat[stops])
    if classes is not None:
        changed = np.flatnonzero(classes)
        x, y = np.append(x, grid.x_m[changed]), np.append(y, grid.y_m[changed])
    if not x.size:
        x, y = grid.x_m, grid.y_m
    half_x, half_y = ((float(np.ptp(side)) / 2) for side in (x, y))
    usable = np.array([_WIDTH_PX, _HEIGHT_PX]) / 2 - _MARGIN_PX
    scale = min(usable[0] / max(half_x, 1.0), usable[1] / max(half_y, _LEAST_HALF_M))
    return _Frame(float(x.min() + half_x), float(y.min() + half_y), float(max(scale, usable[1] / _MOST_HALF_M)))


def _hexes(network: Network, frame: _Frame, classes: NDArray[np.int8] | None) -> Iterator[Markup]:
    """Draw the hexes in view, one path a class."""
    grid = network.grid
    centres = frame.points(np.stack([grid.x_m, grid.y_m], axis=-1))
    rim = 2 * grid.radius_m * frame.scale
    seen = ((centres > -rim) & (centres < np.array([_WIDTH_PX, _HEIGHT_PX]) + rim)).all(axis=1)
    for kind, colour in NET_COLOURS.items():
        chosen = np.flatnonzero(seen & ((np.zeros(grid.n_hexes) if classes is None else classes) == kind))
        if chosen.size:
            rings = (_path(network, frame, ring) for ring in grid.hex_to_boundary(chosen))
            path = "".join(f"{ring}Z" for ring in rings if ring)
            fill = f"url(#net{kind})" if kind else colour
            yield Markup('<path d="{}" fill="{}" stroke="{}" stroke-width=".7"/>').format(path, fill, EDGE)


def _patterns() -> Markup:
    """Plus signs for what is gained, minus signs for what is lost."""
    pattern = Markup(
        '<pattern id="net{}" width="9" height="9" patternUnits="userSpaceOnUse"><rect width="9" height="9" fill="{}"/>'
        '<path d="{}" stroke="{}" stroke-width="1.4"/></pattern>'
    )
    signs = [
        pattern.format(kind, colour, "M2 4.5h5M4.5 2v5" if kind > 0 else "M2 4.5h5", "white" if abs(kind) == max(NET_COLOURS) else INK)
        for kind, colour in NET_COLOURS.items()
        if kind
    ]
    return Markup("<defs>{}</defs>").format(Markup("").join(signs))


def _path(network: Network, frame: _Frame, lonlat: ArrayLike) -> str:
    """Path of a line in degrees; empty if it lies outside the picture."""
    degrees = np.asarray(lonlat)
    points = frame.points(np.stack(network.grid.project(degrees[:, 0], degrees[:, 1]), axis=-1))
    low, high = points.min(axis=0), points.max(axis=0)
    if (high < 0).any() or low[0] > _WIDTH_PX or low[1] > _HEIGHT_PX:
        return ""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points.tolist())


def _line(path: str, colour: str, width_px: float, dash: str = "") -> Markup:
    """Draw a path as a line; nothing without one."""
    if not path:
        return Markup("")
    more = Markup(' stroke-dasharray="{}"').format(dash) if dash else ""
    return Markup('<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"{}/>').format(path, colour, width_px, more)


def _names(content: MapContent, frame: _Frame, words: Translations) -> Iterator[Markup]:
    """Draw the places in question, then names of routes, districts and places where there is room."""
    network = content.network
    labels = map_labels(content.city, content.places, words)
    ends = {int(route.stops[0]): route.name for route in reversed(content.after.routes)}
    rows: list[tuple[float, float, str, str]] = [
        *((network.stop_lon[stop], network.stop_lat[stop], text, "mark") for stop, text in content.marks),
        *((network.stop_lon[stop], network.stop_lat[stop], text, "badge") for stop, text in ends.items()),
        *((label.lon, label.lat, label.text, "area" if label.is_area else "spot") for label in labels),
    ]
    if not rows:
        return
    places = frame.points(np.stack(network.grid.project(*np.array([row[:2] for row in rows], np.float64).T), axis=-1))
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in places[: len(content.marks)].tolist()]
    for (x, y), (_, _, text, kind) in zip(places.tolist(), rows, strict=True):
        if not (0 <= x <= _WIDTH_PX and 0 <= y <= _HEIGHT_PX):
            continue
        if kind == "mark":
            yield Markup('<circle cx="{:.1f}" cy="{:.1f}" r="6.5" fill="white" stroke="{}" stroke-width="3.5"/>').format(x, y, INK)
        box = _free_box(x, y, text, kind, taken)
        if box is not None:
            taken.append(box)
            middle = (box[0] + box[2]) / 2
            yield Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, middle, box[3] - 4, text)


def _free_box(x: float, y: float, text: str, kind: str, taken: Iterable[tuple[float, ...]]) -> tuple[float, float, float, float] | None:
    """Box of a text beside a point, or on it for an area, that no other box overlaps; None without room."""
    half_x = sum(_FONT_PX if letter >= _WIDE else 0.58 * _FONT_PX for letter in text) / 2 + 2
    half_y = _FONT_PX / 2 + 3
    for side, up in _SPOTS if kind != "area" else ((0, 0),):
        at_x, at_y = x + side * (half_x + 9), y + up * (half_y + 9)
        box = (at_x - half_x, at_y - half_y, at_x + half_x, at_y + half_y)
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= _WIDTH_PX and box[3] <= _HEIGHT_PX
        if inside and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            return box
    return None


def _key(
    content: MapContent, steps: tuple[float, float, float], links: dict[str, Any], words: Translations, *, is_river: bool
) -> Iterator[tuple[Markup, str]]:
    """Signs of the map with their texts."""
    swatch = Markup('<svg width="26" height="18" viewBox="0 0 26 18" aria-hidden="true">{}</svg>')
    box = Markup('<rect x="2" y="2" width="22" height="14" rx="2" fill="{}" stroke="{}"/>')
    if content.marks:
        yield (
            swatch.format(Markup('<circle cx="13" cy="9" r="5.5" fill="white" stroke="{}" stroke-width="3.5"/>').format(INK)),
            words("answer.map.mark"),
        )
    for kind, (width, dash) in _STYLES.items():
        if links.get(kind):
            yield swatch.format(_line("M1 9H25", _COLOURS[kind], width, dash)), words(f"{content.key}.{kind}")
    if content.change is not None:
        low, middle, high = (f"{edge:,.0f}" for edge in steps)
        for step, colour in NET_COLOURS.items():
            text = words(f"net.{step - min(NET_COLOURS)}", low=low, middle=middle, high=high)
            yield swatch.format(box.format(f"url(#net{step})" if step else colour, KEY_EDGE)), text
    if is_river:
        yield swatch.format(_line("M1 9H25", WATER, 6)), str(words.table["js"]["river"])
