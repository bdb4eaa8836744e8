"""Data of the map: shapes in whole hundred-thousandths of a degree, and classes of people, never counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.palette import (
    DIFFERENCE_COLOURS,
    DIFFERENCE_EDGES,
    EDGE,
    FAINT,
    HEX_COLOURS,
    HILL,
    HILL_EDGE,
    INK,
    KEY_EDGE,
    NET_COLOURS,
    ROUTE_COLOURS,
    STREET,
    WATER,
)
from owlbus.common.units import hour_label
from owlbus.network.latin_names import display_name
from owlbus.network.walk_sheds import reached_share
from owlbus.plot.streets import street_lines, thinned_lines
from owlbus.plot.style import difference_kinds, people_classes, users_of_links
from owlbus.report.map_labels import map_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.report.content import Content, PlanContent
    from owlbus.report.translations import Translations

_SCALE = 100_000
"""Positions are whole numbers of 1e-5 degrees, about a metre."""

_DASHES = ("", "9 3", "3 2")
_COLOURS = {
    "hexes": HEX_COLOURS,
    "difference": DIFFERENCE_COLOURS,
    "differenceEdges": DIFFERENCE_EDGES,
    "water": WATER,
    "hill": HILL,
    "hillEdge": HILL_EDGE,
    "road": STREET,
    "outline": KEY_EDGE,
    "ink": INK,
    "edge": EDGE,
    "faint": FAINT,
    "keyEdge": KEY_EDGE,
}
"""Colours of the map by the name that the script of the page uses."""

_CIRCLE = np.linspace(0, 2 * np.pi, 33)
_MOST_ROAD_POINTS = 12_000
_ROAD_TOLERANCE_DEG = 2e-4


def map_data(content: Content, words: Translations) -> dict[str, Any]:
    """
    Everything that the map draws and shows, as JSON values.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict
        Positions in 1e-5 degrees, classes of people a night, and routes with the numbers of the scorecard.
    """
    network, best = content.network, content.best
    return {
        **map_ground(content, words),
        "hexes": hex_data(content, words),
        "net": _net_data(content, words),
        "routes": [route_data(content, k, words.language) for k in range(len(best.plan))],
        "reference": None if content.reference is None else _reference_data(network, content.reference, words),
        "patterns": {name: words(f"class.{name}") for name in ("fewer", "between", "more")},
    }


def map_ground(content: Content, words: Translations) -> dict[str, Any]:
    """
    What every map of a study draws under its hexes and routes, with colours and words.

    Parameters
    ----------
    content
        Parts of the page.
    words
        The reader's language.

    Returns
    -------
    dict
        Positions in 1e-5 degrees.
    """
    return {
        "scale": _SCALE,
        "ground": _terrain(content),
        "labels": _label_data(content, words),
        "colours": _COLOURS,
        "language": words.language,
        "base": content.publisher.base,
        "words": dict(words.table["js"]),
    }


def _label_data(content: Content, words: Translations) -> list[list[Any]]:
    """Names of districts (1) and places (0), most important first: text, kind, latitude and longitude."""
    return [
        [label.text, int(label.is_area), *_whole([label.lat, label.lon]).tolist()]
        for label in map_labels(content.city, content.places, words)
    ]


def hex_data(content: Content, words: Translations) -> dict[str, Any]:
    """
    Shapes of the hexes, the class of people in each by part of the night, and what part of them who reaches.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict
        Classes are one digit per hex, the whole night first; edges are people a night; ``near`` and ``was`` are percent of each hex's area
        within the walk of the plan and of the reference, ``change`` one digit per hex into `DIFFERENCE_KINDS`.
    """
    grid, network, best = content.network.grid, content.network, content.best
    reached = reached_share(network, best.plan.used_stops)
    was_reached = None if content.reference is None else reached_share(network, content.reference.plan.used_stops)
    return {
        **hex_shapes(grid),
        **_district_data(content, words),
        **_people_data(content, words),
        "near": percent_of_hexes(reached),
        "was": None if was_reached is None else percent_of_hexes(was_reached),
        "change": None if was_reached is None else "".join(map(str, difference_kinds(reached, was_reached).tolist())),
        "reachable": _digits(reached_share(network, np.arange(network.n_stops)) > 0),
        "by": _routes_by_hex(network, best.plan),
    }


def hex_shapes(grid: HexGrid) -> dict[str, Any]:
    """
    Centres, corners and labels of the hexes.

    Parameters
    ----------
    grid
        The grid.

    Returns
    -------
    dict
        Positions in 1e-5 degrees, latitude first, corners from the centre.
    """
    centres = _whole(np.stack([grid.lat, grid.lon], axis=1))
    rings = _whole(grid.hex_to_boundary(np.arange(grid.n_hexes))[..., ::-1]) - centres[:, None, :]
    return {"at": centres.ravel().tolist(), "ring": rings.ravel().tolist(), "labels": grid.labels.tolist()}


def _net_data(content: Content, words: Translations) -> dict[str, Any] | None:
    """Class of each hex by the trips it gains less those it loses, one digit each, most lost first; None without a comparison."""
    if content.net is None:
        return None
    classes, steps = content.net
    low, middle, high = (f"{step:,.0f}" for step in steps)
    return {
        "classes": "".join(str(k - min(NET_COLOURS)) for k in classes.tolist()),
        "colours": list(NET_COLOURS.values()),
        "texts": [words(f"net.{k - min(NET_COLOURS)}", low=low, middle=middle, high=high) for k in NET_COLOURS],
    }


def _people_data(content: Content, words: Translations) -> dict[str, Any]:
    """Class of people in each hex, one digit, for the whole night and for each hour but those of few, and the edges of both."""
    demand = content.demand
    night, night_edges = people_classes(demand.presence_by_hex(), content.min_count)
    by_hour = demand.presence_by_hour() if demand.hours_known else np.empty((0, night.size))
    told = [k for k, people in enumerate(by_hour.sum(axis=1).tolist()) if content.publisher.is_enough(people)]
    hours, hour_edges = people_classes(by_hour[told], content.min_count)
    return {
        "parts": [None, *(words.hour(hour_label(demand.hours[k])) for k in told)],
        "classes": ["".join(map(str, row.tolist())) for row in (night, *hours)],
        "edges": [[f"{edge:,.0f}" for edge in row] for row in (night_edges, hour_edges)],
    }


def route_data(content: Content, k: int, language: str = "en") -> dict[str, Any]:
    """
    One route: its style, line, stops, and row of the scorecard.

    Parameters
    ----------
    content
        Parts of the report.
    k
        Index of the route.
    language
        Of the names of stops.

    Returns
    -------
    dict
        Links by lane, so that routes on one street lie side by side at every zoom; counts are riders a night.
    """
    best = content.best
    card: Mapping[str, Any] = best.card["routes"][k]
    loads = [[row["ahead_trips"], row["back_trips"]] for row in best.card["segments"] if row["route"] == best.plan.routes[k].name]
    return {
        **route_shape(content.network, best.plan, k, language),
        "card": {**card, "headway_s": best.card["headway_s"]},
        "loads": loads,
    }


def route_shape(network: Network, plan: Plan, k: int, language: str = "en") -> dict[str, Any]:
    """
    One route as the map draws it: its style, line and stops.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    k
        Index of the route.
    language
        Of the names of stops.

    Returns
    -------
    dict
        Links by lane, so that routes on one street lie side by side at every zoom; positions in 1e-5 degrees.
    """
    stops, segments = plan.routes[k].positions.tolist(), plan.routes[k].segments
    cycle, index = divmod(k, len(ROUTE_COLOURS))
    users = users_of_links(plan)
    return {
        "name": plan.routes[k].name,
        "colour": ROUTE_COLOURS[index],
        "dashes": _DASHES[cycle % len(_DASHES)],
        "links": [_lane(users[min(a, b), max(a, b)], k, a, b) for a, b in segments],
        "lines": [flat_line(network.link_line(a, b)) for a, b in segments],
        "stops": flat_line(np.stack([network.stop_lon[stops], network.stop_lat[stops]], axis=1)),
        "names": [display_name(network, stop, language) for stop in stops],
        "short": [display_name(network, stop, language, short=True) for stop in stops],
    }


def _lane(users: list[int], k: int, a: int, b: int) -> float:
    """Return the lanes to move a link to the left by, so that its routes lie side by side."""
    return (users.index(k) - (len(users) - 1) / 2) * (1 if a < b else -1)


def _reference_data(network: Network, reference: PlanContent, words: Translations) -> dict[str, Any]:
    """Return the lines of the plan that the report's own is compared with."""
    routes = []
    for route in reference.plan:
        parts = [network.link_line(a, b) for a, b in route.segments]
        routes.append({"name": route.name, "line": flat_line(np.concatenate(parts))})
    return {"name": words.name(reference.name), "routes": routes}


def _routes_by_hex(network: Network, plan: Plan) -> list[list[int]]:
    """Indices of the routes that reach each hex or a part of it."""
    reached = np.array([reached_share(network, route.positions) > 0 for route in plan]).reshape(len(plan), network.grid.n_hexes)
    return [np.flatnonzero(by_route).tolist() for by_route in reached.T]


def _district_data(content: Content, words: Translations) -> dict[str, Any]:
    """Names of districts, and which each hex lies in."""
    if content.districts is None:
        return {"districts": [], "district": None}
    names, district_of_hex = np.unique(content.districts, return_inverse=True)
    return {"districts": [words.name(str(name)) for name in names], "district": district_of_hex.reshape(-1).tolist()}


def _terrain(content: Content) -> dict[str, Any]:
    """Outline, rivers, hills and roads as far as they are known, cut off where the hexes end."""
    area = _area(content.network.grid)
    terrain: dict[str, Any] = {"outline": [], "water": [], "hills": [], "roads": _roads(content.network)}
    if content.city is None:
        return terrain
    import shapely

    city = content.city
    terrain["outline"] = _lines_of(shapely.LinearRing(city.outline))
    if len(city.river):
        terrain["water"] = _lines_of(shapely.intersection(shapely.LineString(city.river), area))
    for lon, lat, radius_m in city.mountains.tolist():
        x, y = (float(value) for value in content.network.grid.project(lon, lat))
        rim = np.stack(content.network.grid.unproject(x + radius_m * np.cos(_CIRCLE), y + radius_m * np.sin(_CIRCLE)), axis=1)
        terrain["hills"] += _lines_of(shapely.intersection(shapely.Polygon(rim), area))
    return terrain


def _area(grid: HexGrid) -> Any:  # noqa: ANN401 - shapely ships no types
    """All hexes as one area, degrees."""
    import shapely

    return shapely.union_all(shapely.buffer(shapely.polygons(grid.hex_to_boundary(np.arange(grid.n_hexes))), 2 / _SCALE))


def _lines_of(shape: Any) -> list[list[int]]:  # noqa: ANN401 - shapely ships no types
    """Every line, or outer ring, of a shape."""
    import shapely

    parts = [part for part in shapely.get_parts(shape) if not part.is_empty]
    return [flat_line(shapely.get_coordinates(part.exterior if part.geom_type == "Polygon" else part)) for part in parts]


def _roads(network: Network) -> list[list[int]]:
    """Street lines of links, thinned; none if they are too many for a page."""
    return [flat_line(line) for line in thinned_lines(street_lines(network), _ROAD_TOLERANCE_DEG, _MOST_ROAD_POINTS)]


def _whole(degrees: ArrayLike) -> NDArray[np.int64]:
    """Degrees as whole hundred-thousandths."""
    steps: NDArray[np.int64] = np.rint(np.asarray(degrees) * _SCALE).astype(np.int64)
    return steps


def flat_line(lonlat: ArrayLike) -> list[int]:
    """
    Points as one row of whole hundred-thousandths of a degree.

    Parameters
    ----------
    lonlat
        Degrees, shape (n, 2).

    Returns
    -------
    list of int
        Latitude first, each point but the first as the difference from the one before.

    Examples
    --------
    >>> flat_line([[127.0, 37.5], [127.001, 37.5]])
    [3750000, 12700000, 0, 100]
    """
    points = _whole(np.asarray(lonlat)[:, ::-1])
    steps: list[int] = np.diff(points, axis=0, prepend=0).ravel().tolist()
    return steps


def percent_of_hexes(share: NDArray[np.float64]) -> list[int]:
    """
    Shares as whole percent, rounded down, so that half stays the limit it is; but at least 1 where there is any.

    Parameters
    ----------
    share
        Shape (H,), 0 to 1.

    Returns
    -------
    list of int
        In [0, 100].

    Examples
    --------
    >>> import numpy as np
    >>> percent_of_hexes(np.array([0.0, 0.001, 0.5]))
    [0, 1, 50]
    """
    whole: list[int] = np.maximum(np.floor(100 * share), share > 0).astype(np.int64).tolist()
    return whole


def _digits(flags: Iterable[Any]) -> str:
    """Flags as text of 0 and 1."""
    return "".join("1" if flag else "0" for flag in flags)
