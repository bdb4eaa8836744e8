"""Data of the map: shapes in whole hundred-thousandths of a degree, and classes of people, never counts."""

from __future__ import annotations

from itertools import pairwise
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
    MID_GREY,
    NET_COLOURS,
    ROUTE_COLOURS,
    WATER,
)
from owlbus.common.units import hour_label
from owlbus.plot.style import class_edges, hex_classes, users_of_links
from owlbus.search.problem import reached_hexes

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
    "road": MID_GREY,
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
        "scale": _SCALE,
        "hexes": hex_data(content, words),
        "net": _net_data(content, words),
        "routes": [route_data(content, k) for k in range(len(best.plan))],
        "reference": None if content.reference is None else _reference_data(network, content.reference, words),
        "ground": _terrain(content),
        "colours": _COLOURS,
        "patterns": {name: words(f"class.{name}") for name in ("fewer", "between", "more")},
        "language": words.language,
        "words": dict(words.table["js"]),
    }


def hex_data(content: Content, words: Translations) -> dict[str, Any]:
    """
    Shapes of the hexes, the class of people in each by part of the night, and who reaches them.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict
        Classes are one digit per hex, the whole night first; edges are people a night.
    """
    grid, network, best = content.network.grid, content.network, content.best
    near = reached_hexes(network, best.plan)
    was_near = None if content.reference is None else reached_hexes(network, content.reference.plan)
    corners = grid.hex_to_boundary(np.arange(grid.n_hexes))
    centres = _whole(np.stack([grid.lat, grid.lon], axis=1))
    rings = _whole(corners[..., ::-1]) - centres[:, None, :]
    classes, edges = people_classes(content, near, was_near)
    return {
        "at": centres.ravel().tolist(),
        "ring": rings.ravel().tolist(),
        "labels": grid.labels.tolist(),
        **_district_data(content, words),
        "parts": [None, *(words.hour(hour_label(hour)) for hour in content.demand.known_hours)],
        "classes": ["".join(map(str, row.tolist())) for row in classes],
        "edges": [[f"{edge:,.0f}" for edge in row] for row in edges],
        "near": _digits(near),
        "was": None if was_near is None else _digits(was_near),
        "reachable": _digits(network.hex_stop >= 0),
        "by": _routes_by_hex(network, best.plan),
    }


def _net_data(content: Content, words: Translations) -> dict[str, Any] | None:
    """Class of each hex by the trips it gains less those it loses, one digit each, most lost first; None without a comparison."""
    if content.net is None:
        return None
    classes, steps = content.net
    shown = [f"{step:,.0f}" for step in steps]
    return {
        "classes": "".join(str(k - min(NET_COLOURS)) for k in classes.tolist()),
        "colours": list(NET_COLOURS.values()),
        "texts": [words(f"net.{k - min(NET_COLOURS)}", low=shown[0], high=shown[1]) for k in NET_COLOURS],
    }


def people_classes(
    content: Content, near: NDArray[np.bool_], was_near: NDArray[np.bool_] | None
) -> tuple[list[NDArray[np.int8]], list[list[float]]]:
    """
    Class of people in each hex, for the whole night and for each hour.

    Hexes that would reveal a small count, beside the sums of the scorecard by district, by hour and within the walk, lie in class 0.

    Parameters
    ----------
    content
        Parts of the report.
    near, was_near
        Hexes within the walk of the plan and of the reference, shape (H,).

    Returns
    -------
    classes
        One row of shape (H,) for the night and for each hour.
    edges
        Lower edges of the classes above 0, people a night, for the night and shared by all hours.
    """
    margins = [near] if was_near is None else [near, was_near]
    districts = [] if content.districts is None else [content.districts == name for name in np.unique(content.districts)]
    night = content.demand.presence_by_hex()
    hours = content.demand.presence_by_hour() if content.demand.hours_known else np.empty((0, night.size))
    edges = [class_edges(people, content.min_count) for people in (night, hours)]
    return [hex_classes(night, edges[0], [*margins, *districts]), *(hex_classes(hour, edges[1], margins) for hour in hours)], edges


def route_data(content: Content, k: int) -> dict[str, Any]:
    """
    One route: its style, line, stops, and row of the scorecard.

    Parameters
    ----------
    content
        Parts of the report.
    k
        Index of the route.

    Returns
    -------
    dict
        Links by lane, so that routes on one street lie side by side at every zoom; counts are riders a night.
    """
    network, best = content.network, content.best
    stops = best.plan.routes[k].stops.tolist()
    cycle, index = divmod(k, len(ROUTE_COLOURS))
    card: Mapping[str, Any] = best.card["routes"][k]
    loads = [[row["ahead_trips"], row["back_trips"]] for row in best.card["segments"] if row["route"] == best.plan.routes[k].name]
    users = users_of_links(best.plan)
    return {
        "name": best.plan.routes[k].name,
        "colour": ROUTE_COLOURS[index],
        "dashes": _DASHES[cycle % len(_DASHES)],
        "links": [_lane(users[min(a, b), max(a, b)], k, a, b) for a, b in pairwise(stops)],
        "lines": [_flat(network.link_line(a, b)) for a, b in pairwise(stops)],
        "stops": _flat(np.stack([network.stop_lon[stops], network.stop_lat[stops]], axis=1)),
        "names": [network.stop_names[stop] for stop in stops],
        "card": {**card, "headway_s": best.card["headway_s"]},
        "loads": loads,
    }


def _lane(users: list[int], k: int, a: int, b: int) -> float:
    """Return the lanes to move a link to the left by, so that its routes lie side by side."""
    return (users.index(k) - (len(users) - 1) / 2) * (1 if a < b else -1)


def _reference_data(network: Network, reference: PlanContent, words: Translations) -> dict[str, Any]:
    """Return the lines of the plan that the report's own is compared with."""
    routes = []
    for route in reference.plan:
        parts = [network.link_line(a, b) for a, b in pairwise(route.stops.tolist())]
        routes.append({"name": route.name, "line": _flat(np.concatenate(parts))})
    return {"name": words.name(reference.name), "routes": routes}


def _routes_by_hex(network: Network, plan: Plan) -> list[list[int]]:
    """Indices of the routes that reach each hex."""
    routes_of_hex: list[list[int]] = [[] for _ in range(network.grid.n_hexes)]
    for k, route in enumerate(plan):
        rows = [network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]] for stop in route.stops.tolist()]
        for hex_index in np.unique(np.concatenate(rows)).tolist():
            routes_of_hex[hex_index].append(k)
    return routes_of_hex


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
    return [_flat(shapely.get_coordinates(part.exterior if part.geom_type == "Polygon" else part)) for part in parts]


def _roads(network: Network) -> list[list[int]]:
    """Street lines of links, thinned; none if they are too many for a page."""
    if not network.line_indptr.size:
        return []
    import shapely

    starts = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    links = np.flatnonzero(starts < network.link_to)
    lines = [
        np.stack(
            [column[network.line_indptr[link] : network.line_indptr[link + 1]] for column in (network.line_lon, network.line_lat)], axis=1
        )
        for link in links.tolist()
    ]
    thin = [shapely.get_coordinates(shapely.simplify(shapely.LineString(line), _ROAD_TOLERANCE_DEG)) for line in lines if len(line) > 1]
    return [_flat(line) for line in thin] if sum(map(len, thin)) <= _MOST_ROAD_POINTS else []


def _whole(degrees: ArrayLike) -> NDArray[np.int64]:
    """Degrees as whole hundred-thousandths."""
    steps: NDArray[np.int64] = np.rint(np.asarray(degrees) * _SCALE).astype(np.int64)
    return steps


def _flat(lonlat: ArrayLike) -> list[int]:
    """Return points as one row, latitude first, each but the first as the difference from the one before."""
    points = _whole(np.asarray(lonlat)[:, ::-1])
    steps: list[int] = np.diff(points, axis=0, prepend=0).ravel().tolist()
    return steps


def _digits(flags: Iterable[Any]) -> str:
    """Flags as text of 0 and 1."""
    return "".join("1" if flag else "0" for flag in flags)
