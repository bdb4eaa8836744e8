"""Networks on the hex lattice: stops at hex centres, without water and mountains; needs no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.network.assemble import (
    Links,
    NetworkReport,
    Stops,
    components,
    keep_stops,
    require_stops,
    rounded,
    sorted_links,
    stop_and_link_fields,
    unreached,
)
from owlbus.network.walk_sheds import walk_sheds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.walk_sheds import WalkRule

    Points = NDArray[np.float64]

_EXTENSION_M = 100_000.0
_MAX_BRIDGE_M = 4_000.0
_POCKET_STOPS = 7
_KMH = 3.6


class Barriers(NamedTuple):
    """
    Rivers and mountains in metres of the grid's projection.

    Attributes
    ----------
    rivers
        Centrelines, each of shape (n, 2).
    half_width_m
        Half width of each river, shape (n_rivers,), float64.
    discs
        Mountains as x, y and radius, shape (k, 3).
    """

    rivers: list[Points]
    half_width_m: NDArray[np.float64]
    discs: Points


def barriers(grid: HexGrid, rivers: Sequence[ArrayLike], half_width_m: float | Sequence[float], mountains: ArrayLike) -> Barriers:
    """
    Rivers and mountains in metres of the grid's projection, checked.

    A river that ends within its half width plus one hex of the grid's edge, or beyond it, is extended straight.

    Parameters
    ----------
    grid
        The grid.
    rivers
        Centrelines of lon/lat, each of shape (n, 2) with n >= 2.
    half_width_m
        Metres, one number or one a river.
    mountains
        lon, lat and radius_m, shape (k, 3).

    Returns
    -------
    Barriers
        In metres.

    Raises
    ------
    DataError
        If a shape or a number is wrong.
    """
    lines = [_points(river, f"river {number}", 2) for number, river in enumerate(rivers)]
    width = np.broadcast_to(np.asarray(half_width_m, dtype=np.float64), (len(lines),)).copy()
    discs = np.asarray(mountains, dtype=np.float64).reshape(-1, 3) if np.size(mountains) else np.empty((0, 3))
    if not (np.isfinite(width) & (width > 0)).all() or not (np.isfinite(discs).all() and (discs[:, 2] > 0).all()):
        msg = "half widths of rivers and radii of mountains must be metres > 0, and positions finite"
        raise DataError(msg)
    projected = [np.stack(grid.project(line[:, 0], line[:, 1]), axis=1) for line in lines]
    if len(discs):
        discs = np.stack([*grid.project(discs[:, 0], discs[:, 1]), discs[:, 2]], axis=1)
    return Barriers([_extended(grid, line, float(half_width)) for line, half_width in zip(projected, width, strict=True)], width, discs)


def _points(values: ArrayLike, name: str, at_least: int) -> Points:
    """Finite lon/lat of shape (n, 2); other values are refused."""
    points = np.asarray(values, dtype=np.float64)
    points = points.reshape(0, 2) if not points.size else points
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < at_least or not np.isfinite(points).all():  # noqa: PLR2004  # lon and lat
        msg = f"{name} must hold finite lon/lat of shape (n, 2) with n >= {at_least}, got shape {points.shape}"
        raise DataError(msg)
    return points


def _extended(grid: HexGrid, line: Points, half_width_m: float) -> Points:
    """Line with each end at the grid's edge, or beyond it, extended straight."""
    rim = (grid.neighbours < 0).any(axis=1)
    pieces = [line]
    for tip, before in ((line[0], line[1]), (line[-1], line[-2])):
        distance = np.hypot(grid.x_m - tip[0], grid.y_m - tip[1])
        inside = distance.min() <= grid.radius_m
        if not inside or distance[rim].min() <= half_width_m + 2 * grid.radius_m:
            direction = (tip - before) / max(float(np.hypot(*(tip - before))), 1e-9)
            pieces.append((tip + direction * _EXTENSION_M)[None])
        else:
            pieces.append(np.empty((0, 2)))
    return np.concatenate([pieces[1], pieces[0], pieces[2]])


def lattice_links(grid: HexGrid, blocks: Barriers) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """
    Masks of water and mountain hexes, and pairs of neighbouring land hexes that a straight road can join.

    Parameters
    ----------
    grid
        The grid.
    blocks
        Rivers and mountains.

    Returns
    -------
    tuple of ndarray
        Water and mountain, each of shape (n_hexes,), and hex pairs of shape (n, 2), lower first.
    """
    import shapely

    centres = np.asarray(shapely.points(grid.x_m, grid.y_m))
    lines = [shapely.linestrings(river) for river in blocks.rivers]
    water = np.zeros(grid.n_hexes, dtype=np.bool_)
    for line, half_width in zip(lines, blocks.half_width_m, strict=True):
        water |= shapely.distance(line, centres) < half_width
    peaks = np.asarray(shapely.points(blocks.discs[:, 0], blocks.discs[:, 1]))
    mountain = np.any(shapely.distance(centres[:, None], peaks[None]) < blocks.discs[:, 2], axis=1)
    neighbours = grid.neighbours
    pairs = np.stack([np.repeat(np.arange(grid.n_hexes), neighbours.shape[1]), neighbours.reshape(-1)], axis=1).astype(np.int64)
    land = ~(water | mountain)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[land[pairs].all(axis=1)]
    segments = _segments(grid, pairs)
    free = ~(shapely.distance(segments[:, None], peaks[None]) < blocks.discs[:, 2]).any(axis=1)
    for line in lines:
        free &= ~shapely.intersects(line, segments)
    return water, mountain, pairs[free]


def _segments(grid: HexGrid, pairs: NDArray[np.int64]) -> NDArray[Any]:
    """Straight segments between hex centres, as shapely lines."""
    import shapely

    centres = np.stack([grid.x_m, grid.y_m], axis=1)
    return np.asarray(shapely.linestrings(centres[pairs]))


def bridge_pairs(
    grid: HexGrid, blocks: Barriers, land: NDArray[np.bool_], pairs: NDArray[np.int64], bridges: Points
) -> tuple[NDArray[np.int64], list[str]]:
    """
    Hex pairs of the bridges: the stops nearest to each bridge on either side of its river; and notes.

    Stops in components of fewer than seven stops are skipped if there is a larger component. Ties go to the lower hex. A bridge
    farther from every river than the river's half width plus two hexes, or longer than 4 km, joins no stops and gives a note.

    Parameters
    ----------
    grid
        The grid.
    blocks
        Rivers and mountains.
    land
        Hexes with a stop, shape (n_hexes,).
    pairs
        Links without bridges, shape (n, 2).
    bridges
        lon/lat, shape (k, 2).

    Returns
    -------
    tuple
        Hex pairs of shape (m, 2), and notes.
    """
    import shapely

    if not blocks.rivers:
        return np.empty((0, 2), dtype=np.int64), [f"no river to cross for {len(bridges)} bridges"] * bool(len(bridges))
    component = components(pairs[:, 0], pairs[:, 1], grid.n_hexes)
    size = np.bincount(component)[component]
    usable = land & (size >= min(_POCKET_STOPS, int(size.max())))
    lines = [shapely.linestrings(river) for river in blocks.rivers]
    crossings, notes = [], []
    for number, (x, y) in enumerate(np.stack(grid.project(bridges[:, 0], bridges[:, 1]), axis=1)):
        distances = np.array([shapely.distance(line, shapely.Point(x, y)) for line in lines])
        river = int(np.argmin(distances - blocks.half_width_m))
        pair = None
        if distances[river] <= blocks.half_width_m[river] + 4 * grid.radius_m:
            pair = _bridge(grid, lines[river], np.array([x, y]), usable)
        if pair is None:
            notes.append(f"bridge {number} at {bridges[number, 0]:.4f}, {bridges[number, 1]:.4f} joins no two stops across a river")
        else:
            crossings.append(pair)
    return np.array(crossings, dtype=np.int64).reshape(-1, 2), notes


def _bridge(grid: HexGrid, line: Any, position: Points, land: NDArray[np.bool_]) -> tuple[int, int] | None:  # noqa: ANN401  # shapely ships no types
    """Nearest land hex, and the nearest hex that a straight road from it reaches across the line."""
    import shapely

    distance = np.hypot(grid.x_m - position[0], grid.y_m - position[1])
    candidates = np.flatnonzero(land & (distance <= _MAX_BRIDGE_M))
    candidates = candidates[np.lexsort((candidates, np.round(distance[candidates], 6)))]
    if candidates.size < 2:  # noqa: PLR2004  # a link has two ends
        return None
    segments = _segments(grid, np.stack([np.full(candidates.size - 1, candidates[0]), candidates[1:]], axis=1))
    crosses_once = shapely.get_num_coordinates(shapely.intersection(segments, line)) == 1
    far_side = candidates[1:][crosses_once & (shapely.length(segments) <= _MAX_BRIDGE_M)]
    return (int(min(candidates[0], far_side[0])), int(max(candidates[0], far_side[0]))) if far_side.size else None


def lattice_parts(
    grid: HexGrid,
    blocks: Barriers,
    bridges: ArrayLike,
    speed_kmh: float,
    road_factor: float,
    rule: WalkRule,
) -> dict[str, Any]:
    """
    Fields of a network on the hex lattice.

    Parameters
    ----------
    grid
        The grid.
    blocks
        Rivers and mountains.
    bridges
        lon/lat of the bridges, shape (k, 2).
    speed_kmh
        Commercial speed in km/h.
    road_factor
        Road metres over straight metres, dimensionless.
    rule
        When a hex counts as within the walk.

    Returns
    -------
    dict
        Arguments of `Network`.

    Raises
    ------
    DataError
        If fewer than two stops are connected.
    """
    water, mountain, open_pairs = lattice_links(grid, blocks)
    land = ~(water | mountain)
    crossings, notes = bridge_pairs(grid, blocks, land, open_pairs, _points(bridges, "bridges", 0))
    links = _both_ways(grid, np.concatenate([open_pairs, crossings]), speed_kmh, road_factor)
    component = components(links.start, links.end, grid.n_hexes)
    kept = land & (component == component[land].min(initial=grid.n_hexes))
    require_stops(int(kept.sum()), "hex lattice")
    all_stops = Stops(grid.lon, grid.lat, np.arange(grid.n_hexes, dtype=np.int32), [str(label) for label in grid.labels])
    stops, kept_links = keep_stops(all_stops, links, kept)
    sheds = walk_sheds(grid, stops, rule)
    counts = (
        ("hexes", grid.n_hexes),
        ("hexes of water", int((water & ~mountain).sum())),
        ("hexes of mountain", int(mountain.sum())),
        ("stops cut off and dropped", int((land & ~kept).sum())),
        ("stops kept", len(stops.names)),
        ("links kept, each direction counted", kept_links.start.size),
        ("links over bridges", 2 * len(np.unique(crossings, axis=0))),
    )
    report = NetworkReport("the hex lattice", counts, unreached(grid, sheds["shed_hex"]), tuple(notes))
    return stop_and_link_fields(stops, kept_links) | sheds | {"source": "lattice", "report": report}


def _both_ways(grid: HexGrid, pairs: NDArray[np.int64], speed_kmh: float, road_factor: float) -> Links:
    """Links of hex pairs in both directions, by straight metres times the road factor."""
    start, end = np.concatenate([pairs, pairs[:, ::-1]]).T
    metres = rounded(np.round(np.hypot(grid.x_m[start] - grid.x_m[end], grid.y_m[start] - grid.y_m[end]), 6) * road_factor)
    seconds = rounded(metres * _KMH / speed_kmh)
    return sorted_links(Links(start, end, seconds, metres, np.full(start.size, -1)))
