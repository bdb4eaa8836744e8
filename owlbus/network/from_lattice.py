"""Stops at hex centres minus water and mountains: the network that needs no data."""

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
    link_rows,
    require_stops,
    sorted_links,
    unreached,
    whole,
)
from owlbus.network.walk_sheds import walk_sheds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.walk_sheds import WalkRule

    Points = NDArray[np.float64]

_RUN_ON_M = 100_000.0
_MAX_BRIDGE_M = 4_000.0
_POCKET_STOPS = 7
_KMH = 3.6


class Barriers(NamedTuple):
    """
    What keeps buses from driving straight, in metres of the grid's projection.

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
    Rivers and mountains moved into the grid's projection, checked.

    A river that ends within its half width plus one hex of the grid's rim, or beyond it, runs on straight.

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
    flat = [np.stack(grid.project(line[:, 0], line[:, 1]), axis=1) for line in lines]
    if len(discs):
        discs = np.stack([*grid.project(discs[:, 0], discs[:, 1]), discs[:, 2]], axis=1)
    return Barriers([_run_on(grid, line, float(reach)) for line, reach in zip(flat, width, strict=True)], width, discs)


def _points(values: ArrayLike, name: str, at_least: int) -> Points:
    """Finite lon/lat of shape (n, 2), or an error that names them."""
    points = np.asarray(values, dtype=np.float64)
    points = points.reshape(0, 2) if not points.size else points
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < at_least or not np.isfinite(points).all():  # noqa: PLR2004  # lon and lat
        msg = f"{name} must hold finite lon/lat of shape (n, 2) with n >= {at_least}, got shape {points.shape}"
        raise DataError(msg)
    return points


def _run_on(grid: HexGrid, line: Points, half_width_m: float) -> Points:
    """Line with each end that lies at the grid's rim, or beyond it, drawn out straight."""
    rim = (grid.neighbours < 0).any(axis=1)
    parts = [line]
    for end, before in ((line[0], line[1]), (line[-1], line[-2])):
        distance = np.hypot(grid.x_m - end[0], grid.y_m - end[1])
        inside = distance.min() <= grid.radius_m
        if not inside or distance[rim].min() <= half_width_m + 2 * grid.radius_m:
            along = (end - before) / max(float(np.hypot(*(end - before))), 1e-9)
            parts.append((end + along * _RUN_ON_M)[None])
        else:
            parts.append(np.empty((0, 2)))
    return np.concatenate([parts[1], parts[0], parts[2]])


def lattice_links(grid: HexGrid, blocks: Barriers) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """
    Hexes that are water or mountain, and pairs of land neighbours that a straight road may join.

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
    for line, reach in zip(lines, blocks.half_width_m, strict=True):
        water |= shapely.distance(line, centres) < reach
    peaks = np.asarray(shapely.points(blocks.discs[:, 0], blocks.discs[:, 1]))
    mountain = np.any(shapely.distance(centres[:, None], peaks[None]) < blocks.discs[:, 2], axis=1)
    near = grid.neighbours
    pairs = np.stack([np.repeat(np.arange(grid.n_hexes), near.shape[1]), near.reshape(-1)], axis=1).astype(np.int64)
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

    at = np.stack([grid.x_m, grid.y_m], axis=1)
    return np.asarray(shapely.linestrings(at[pairs]))


def bridge_pairs(
    grid: HexGrid, blocks: Barriers, land: NDArray[np.bool_], pairs: NDArray[np.int64], bridges: Points
) -> tuple[NDArray[np.int64], list[str]]:
    """
    One link a bridge: between the stops nearest to it on either side of its river.

    Stops in pockets of fewer than seven connected stops are passed over where a larger part can be reached; ties go to
    the lower hex. A bridge farther from every river than the river's half width plus two hexes, or longer than 4 km,
    joins nothing and gives a note.

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
    part = components(Links(pairs[:, 0], pairs[:, 1], *[pairs[:, 0]] * 3), grid.n_hexes)
    size = np.bincount(part)[part]
    roomy = land & (size >= min(_POCKET_STOPS, int(size.max())))
    lines = [shapely.linestrings(river) for river in blocks.rivers]
    found, notes = [], []
    for number, (x, y) in enumerate(np.stack(grid.project(bridges[:, 0], bridges[:, 1]), axis=1)):
        off = np.array([shapely.distance(line, shapely.Point(x, y)) for line in lines])
        river = int(np.argmin(off - blocks.half_width_m))
        pair = None
        if off[river] <= blocks.half_width_m[river] + 4 * grid.radius_m:
            pair = _bridge(grid, lines[river], np.array([x, y]), roomy)
        if pair is None:
            notes.append(f"bridge {number} at {bridges[number, 0]:.4f}, {bridges[number, 1]:.4f} joins no two stops across a river")
        else:
            found.append(pair)
    return np.array(found, dtype=np.int64).reshape(-1, 2), notes


def _bridge(grid: HexGrid, line: Any, at: Points, land: NDArray[np.bool_]) -> tuple[int, int] | None:  # noqa: ANN401  # shapely ships no types
    """Nearest land hex, and the nearest one that a straight road across the line reaches from it."""
    import shapely

    distance = np.hypot(grid.x_m - at[0], grid.y_m - at[1])
    near = np.flatnonzero(land & (distance <= _MAX_BRIDGE_M))
    near = near[np.lexsort((near, np.round(distance[near], 6)))]
    if near.size < 2:  # noqa: PLR2004  # a link has two ends
        return None
    across = _segments(grid, np.stack([np.full(near.size - 1, near[0]), near[1:]], axis=1))
    once = shapely.get_num_coordinates(shapely.intersection(across, line)) == 1
    other = near[1:][once & (shapely.length(across) <= _MAX_BRIDGE_M)]
    return (int(min(near[0], other[0])), int(max(near[0], other[0]))) if other.size else None


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
        lon/lat of places where a bus can cross, shape (k, 2).
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
    water, mountain, free = lattice_links(grid, blocks)
    land = ~(water | mountain)
    crossing, notes = bridge_pairs(grid, blocks, land, free, _points(bridges, "bridges", 0))
    links = _both_ways(grid, np.concatenate([free, crossing]), speed_kmh, road_factor)
    part = components(links, grid.n_hexes)
    keep = land & (part == part[land].min(initial=grid.n_hexes))
    require_stops(int(keep.sum()), "hex lattice")
    everywhere = Stops(grid.lon, grid.lat, np.arange(grid.n_hexes, dtype=np.int32), [str(label) for label in grid.labels])
    stops, rows = keep_stops(everywhere, links, keep)
    sheds = walk_sheds(grid, stops, rule)
    counts = (
        ("hexes", grid.n_hexes),
        ("hexes of water", int((water & ~mountain).sum())),
        ("hexes of mountain", int(mountain.sum())),
        ("stops cut off and dropped", int((land & ~keep).sum())),
        ("stops kept", len(stops.names)),
        ("links kept, each direction counted", rows.start.size),
        ("links over bridges", 2 * len(np.unique(crossing, axis=0))),
    )
    report = NetworkReport("the hex lattice", counts, unreached(grid, sheds["shed_hex"]), tuple(notes))
    shape = {"stop_lon": stops.lon, "stop_lat": stops.lat, "stop_hex": stops.hexes, "stop_names": stops.names}
    return shape | link_rows(rows, len(stops.names)) | sheds | {"source": "lattice", "report": report}


def _both_ways(grid: HexGrid, pairs: NDArray[np.int64], speed_kmh: float, road_factor: float) -> Links:
    """Links of hex pairs in both directions, by straight metres times the road factor."""
    start, end = np.concatenate([pairs, pairs[:, ::-1]]).T
    metres = whole(np.round(np.hypot(grid.x_m[start] - grid.x_m[end], grid.y_m[start] - grid.y_m[end]), 6) * road_factor)
    seconds = whole(metres * _KMH / speed_kmh)
    return sorted_links(Links(start, end, seconds, metres, np.full(start.size, -1)))
