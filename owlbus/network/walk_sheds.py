"""Walk sheds: the hexes within the walk of each stop, by centre or by area, straight or along footways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import WALK_M
from owlbus.common.errors import DataError
from owlbus.common.units import require_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.subdivide import HexParts
    from owlbus.network.assemble import Stops
    from owlbus.network.network import Network

    Floats = NDArray[np.float64]

WALK_SLACK_M = 1e-6
"""Tolerance in metres: a distance up to this much above the walk counts as within it."""

_CUTS = 3
_STOPS_PER_CHUNK = 64


class WalkGraph(NamedTuple):
    """
    Walkable ways, in both directions.

    Attributes
    ----------
    lon, lat
        Degrees of each node, shape (n,).
    start, end
        Nodes of each piece, shape (m,).
    metres
        Metres of each piece, shape (m,).
    """

    lon: Floats
    lat: Floats
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    metres: Floats


@dataclass(frozen=True, slots=True)
class WalkRule:
    """
    When a hex counts as within the walk of a stop.

    Attributes
    ----------
    walk_m
        The walk in metres, boundary included.
    area_share
        Least share of the hex's area within the walk, in (0, 1]; None requires its centre only. The area is sampled at 54 points,
        each for an equal part of it.
    paths
        Walkable ways; None takes the straight line. The straight lines from both ends to the nearest node are added.

    Raises
    ------
    UsageError
        If a number lies outside its range.

    Examples
    --------
    >>> str(WalkRule(500, area_share=0.5))
    '50 % of the hex within 500 m, straight line'
    """

    walk_m: float = WALK_M
    area_share: float | None = None
    paths: WalkGraph | None = None

    def __post_init__(self) -> None:
        """Check both numbers."""
        require_number("walk_m", self.walk_m, 0.0, 100_000.0)
        if self.area_share is not None:
            require_number("walk_area_share", self.area_share, 1e-6, 1.0)

    def __str__(self) -> str:
        """Return the rule in words, for the scorecard."""
        what = "centre of the hex" if self.area_share is None else f"{self.area_share * 100:g} % of the hex"
        return f"{what} within {self.walk_m:g} m, {'straight line' if self.paths is None else 'along footways'}"


def walk_sheds(grid: HexGrid, stops: Stops, rule: WalkRule) -> dict[str, Any]:
    """
    Hexes within the walk of each stop, and the metres to each; a stop's own hex always counts.

    The metres lead to the centre, or are the mean over the part of the hex within the walk.

    Parameters
    ----------
    grid
        The grid.
    stops
        The stops.
    rule
        When a hex counts.

    Returns
    -------
    dict
        ``shed_indptr``, ``shed_hex`` and ``shed_walk_m`` by row of stops, ``walk_m`` and ``walk_rule``.
    """
    points = _points(grid, rule)
    n_stops, per_hex = stops.lon.size, len(points) // grid.n_hexes
    stop_xy = np.stack(grid.project(stops.lon, stops.lat), axis=1).reshape(-1, 2)
    pairs_within = _straight if rule.paths is None else _along_paths
    stop, point, metres = pairs_within(grid, stop_xy, points, rule)
    key, inverse, count = np.unique(stop * grid.n_hexes + point // per_hex, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse, metres, key.size) / np.maximum(count, 1)
    enough = count + 1e-9 >= (rule.area_share or 0.0) * per_hex
    key, mean = key[enough], mean[enough]
    inside = np.flatnonzero(stops.hexes >= 0)
    own_hex = stops.hexes[inside].astype(np.int64)
    own_key = inside * grid.n_hexes + own_hex
    distance = np.hypot(grid.x_m[own_hex] - stop_xy[inside, 0], grid.y_m[own_hex] - stop_xy[inside, 1])
    missing = ~np.isin(own_key, key)
    key, mean = np.concatenate([key, own_key[missing]]), np.concatenate([mean, distance[missing]])
    order = np.argsort(key)
    return {
        "shed_indptr": np.searchsorted(key[order] // grid.n_hexes, np.arange(n_stops + 1)).astype(np.int64),
        "shed_hex": (key[order] % grid.n_hexes).astype(np.int32),
        "shed_walk_m": np.floor(mean[order] + 0.5).astype(np.int32),
        "walk_m": rule.walk_m,
        "walk_rule": str(rule),
    }


def nearest_of_hexes(network: Network) -> NDArray[np.int32]:
    """
    Nearest stop of each hex whose walk shed includes the hex, by whole metres; ties go to the lower stop.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    ndarray of int32
        Stop indices, shape (n_hexes,), -1 for none.
    """
    stop = np.repeat(np.arange(network.n_stops, dtype=np.int32), np.diff(network.shed_indptr))
    order = np.lexsort((stop, network.shed_walk_m, network.shed_hex))
    hexes, first = np.unique(network.shed_hex[order], return_index=True)
    nearest = np.full(network.grid.n_hexes, -1, dtype=np.int32)
    nearest[hexes] = stop[order[first]]
    return nearest


def on_parts(network: Network, parts: HexParts, counted: str = "area", paths: WalkGraph | None = None) -> Network:
    """
    Network with walk sheds of parts of hexes: a part counts if its own centre lies within the walk.

    With demand on the parts, a hex counts by its share within the walk of any stop of a plan, in steps of one part. Errors of single
    hexes cancel out over a plan if stops lie anywhere. On the lattice a walk of the hex radius just reaches all six corners, so that
    all parts count: shares are then too high, and by the centre they are too low.

    Parameters
    ----------
    network
        Network on whole hexes; its walk in metres is kept.
    parts
        The hexes and their parts.
    counted
        Weight of a part in its hex, ``area`` or ``records``, for the words of the rule.
    paths
        Walkable ways; None takes the straight line.

    Returns
    -------
    Network
        The same stops and links on the grid of parts.

    Raises
    ------
    DataError
        If the network lies on another grid.
    """
    from owlbus.network.assemble import Stops, unreached

    if network.grid.fingerprint != parts.whole.fingerprint:
        msg = (
            f"network must lie on the grid that is cut, got {network.grid.n_hexes} and {parts.whole.n_hexes} hexes "
            f"({network.grid.fingerprint} and {parts.whole.fingerprint}); cut the grid of the network"
        )
        raise DataError(msg)
    grid, rule = parts.grid, WalkRule(network.walk_m, paths=paths)
    home = grid.lonlat_to_hex(network.stop_lon, network.stop_lat)
    sheds = walk_sheds(grid, Stops(network.stop_lon, network.stop_lat, home, list(network.stop_names)), rule)
    words = str(rule).replace("centre of the hex", f"{parts.n_parts} parts of the hex by {counted}, the centre of each")
    report = network.report
    if report is not None:
        notes = (*report.notes, f"each hex counts in {parts.n_parts} parts of {grid.radius_m:.0f} m, by {counted}")
        report = replace(report, unreachable_hexes=unreached(grid, sheds["shed_hex"]), notes=notes)
    return replace(network, grid=grid, stop_hex=home, **sheds | {"walk_rule": words}, report=report)


def _points(grid: HexGrid, rule: WalkRule) -> Floats:
    """Sample points of the hexes, hex by hex: the centre, or the centroids of 54 equal triangles."""
    centre = np.stack([grid.x_m, grid.y_m], axis=1)
    if rule.area_share is None:
        return centre
    ring = grid.hex_to_boundary(np.arange(grid.n_hexes))
    corner = np.stack(grid.project(ring[..., 0], ring[..., 1]), axis=-1) - centre[:, None]
    following = np.roll(corner, -1, axis=1)
    third = 1.0 / (3 * _CUTS)
    upright = [(3 * i + 1, 3 * j + 1) for i in range(_CUTS) for j in range(_CUTS - i)]
    flipped = [(3 * i + 2, 3 * j + 2) for i in range(_CUTS - 1) for j in range(_CUTS - 1 - i)]
    share = np.array(upright + flipped, dtype=np.float64) * third
    inner = share[:, 0, None, None, None] * corner + share[:, 1, None, None, None] * following
    points: Floats = (centre[None, :, None] + inner).transpose(1, 2, 0, 3).reshape(-1, 2)
    return points


def _straight(grid: HexGrid, stop_xy: Floats, points: Floats, rule: WalkRule) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:  # noqa: ARG001  # one signature for both reaches
    """Stops, points and metres of all pairs within the walk, straight line."""
    from scipy.spatial import cKDTree

    near = cKDTree(points).query_ball_point(stop_xy, rule.walk_m + WALK_SLACK_M)
    stop = np.repeat(np.arange(len(stop_xy)), [len(row) for row in near]).astype(np.int64)
    point = np.array([index for row in near for index in row], dtype=np.int64)
    return stop, point, np.hypot(*(points[point] - stop_xy[stop]).T)


def _along_paths(grid: HexGrid, stop_xy: Floats, points: Floats, rule: WalkRule) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Stops, points and metres of all pairs within the walk, along footways."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    paths = rule.paths
    if paths is None or not paths.lon.size:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0)
    tree = cKDTree(np.stack(grid.project(paths.lon, paths.lat), axis=1))
    point_off, node = tree.query(points)
    stop_off, stop_node = tree.query(stop_xy)
    ends = np.sort(np.stack([paths.start, paths.end]), axis=0)
    order = np.lexsort((paths.metres, ends[1], ends[0]))
    _, first = np.unique(ends[:, order], axis=1, return_index=True)
    kept = order[first]
    shape = (paths.lon.size, paths.lon.size)
    graph = coo_array((np.maximum(paths.metres[kept], 1e-3), (ends[0, kept], ends[1, kept])), shape=shape).tocsr()
    near_points = np.flatnonzero(point_off <= rule.walk_m)
    chunks = []
    for low in range(0, len(stop_xy), _STOPS_PER_CHUNK):
        rows = np.arange(low, min(low + _STOPS_PER_CHUNK, len(stop_xy)))
        metres = dijkstra(graph, directed=False, indices=stop_node[rows], limit=rule.walk_m)
        total = metres[:, node[near_points]] + point_off[near_points] + stop_off[rows, None]
        row, column = np.nonzero(total <= rule.walk_m + WALK_SLACK_M)
        chunks.append((rows[row], near_points[column], total[row, column]))
    return tuple(np.concatenate(part) for part in zip(*chunks, strict=True))  # type: ignore[return-value]
