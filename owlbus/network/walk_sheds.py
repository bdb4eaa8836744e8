"""Walk sheds: the hexes and the points of hexes within the walk of each stop, straight or along footways."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import WALK_M
from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import require_number
from owlbus.network.check import require_points

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.subdivide import HexParts
    from owlbus.network.assemble import Stops
    from owlbus.network.network import Network

    Floats = NDArray[np.float64]

COUNT_BY = ("area", "centre")
"""How hexes count in figures: by their share of area within the walk, or whole, as in the search."""

WALK_SLACK_M = 1e-6
"""Tolerance in metres: a distance up to this much above the walk counts as within it."""

POINTS_PER_SIDE = 8
"""Points of a hex along each axis of its lattice: 64 points, so that shares of area are multiples of 1/64."""

_OFFSETS = (9 / 32, 19 / 32)
"""
Of the points from the lattice through the centre, in steps. No point lies on an edge; and where all stops stand at centres, so that errors
of single circles do not cancel out, the points within a walk of 0.6 to 2 radii are 0.9 % off its area in quadratic mean, the least of all
offsets in 1/32.
"""

_CORNERS = 6
_POINTS_PER_SIDE_OF_PARTS = 4

_STOPS_PER_CHUNK = 64


class WalkPoints(NamedTuple):
    """
    Points of hexes within the walk of each stop; each point stands for an equal share of its hex.

    Attributes
    ----------
    indptr
        First row of each stop, shape (n_stops + 1,), int64.
    point
        Points within its walk, ``hex * n_points + place``, shape (n,), int32, ascending for each stop.
    walk_m
        Metres to each, shape (n,), int32.
    n_points
        Points of each hex, a power of 2, so that sums of shares are exact.
    rule
        How hexes count by their points, in words, for the scorecard.
    """

    indptr: NDArray[np.int64]
    point: NDArray[np.int32]
    walk_m: NDArray[np.int32]
    n_points: int
    rule: str


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
        Least share of the hex's area within the walk, in (0, 1]; None requires its centre only. The area is sampled at 64 points,
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
        return f"{what} {self._within}"

    @property
    def by_area(self) -> str:
        """The rule by which figures are published, in words: each hex counts by its share of area within the walk."""
        return f"share of the hex's area {self._within}"

    @property
    def _within(self) -> str:
        return f"within {self.walk_m:g} m, {'straight line' if self.paths is None else 'along footways'}"


def walk_sheds(grid: HexGrid, stops: Stops, rule: WalkRule, points_per_side: int = POINTS_PER_SIDE) -> dict[str, Any]:
    """
    Hexes and points of hexes within the walk of each stop, and the metres to each; a stop's own hex always counts.

    The metres to a hex lead to its centre, or are the mean over the part of the hex within the walk.

    Parameters
    ----------
    grid
        The grid.
    stops
        The stops.
    rule
        When a hex counts.
    points_per_side
        Points of a hex along each axis of its lattice.

    Returns
    -------
    dict
        ``shed_indptr``, ``shed_hex`` and ``shed_walk_m`` by row of stops, ``points``, ``walk_m`` and ``walk_rule``.
    """
    pairs_within = _straight if rule.paths is None else _along_paths
    stop_xy = np.stack(grid.project(stops.lon, stops.lat), axis=1).reshape(-1, 2)
    points = sample_points(grid, points_per_side)
    stop, point, metres = pairs_within(grid, stop_xy, points, rule)
    order = np.lexsort((point, stop))
    stop, point, metres = stop[order], point[order], metres[order]
    by_hex = stop, point, metres, points_per_side**2
    if rule.area_share is None:
        by_hex = (*pairs_within(grid, stop_xy, np.stack([grid.x_m, grid.y_m], axis=1), rule), 1)
    indptr = np.searchsorted(stop, np.arange(stops.lon.size + 1)).astype(np.int64)
    whole_m = np.floor(metres + 0.5).astype(np.int32)
    return {
        **_hex_sheds(grid, stops, stop_xy, rule, by_hex),
        "points": WalkPoints(indptr, point.astype(np.int32), whole_m, points_per_side**2, rule.by_area),
        "walk_m": rule.walk_m,
        "walk_rule": str(rule),
    }


def _hex_sheds(
    grid: HexGrid, stops: Stops, stop_xy: Floats, rule: WalkRule, pairs: tuple[NDArray[np.int64], NDArray[np.int64], Floats, int]
) -> dict[str, Any]:
    """Whole hexes within the walk of each stop, its own included, from pairs of stops and points."""
    stop, point, metres, per_hex = pairs
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
        "shed_indptr": np.searchsorted(key[order] // grid.n_hexes, np.arange(stops.lon.size + 1)).astype(np.int64),
        "shed_hex": (key[order] % grid.n_hexes).astype(np.int32),
        "shed_walk_m": np.floor(mean[order] + 0.5).astype(np.int32),
    }


def points_of(network: Network, count_by: str = "area") -> WalkPoints:
    """
    What lies within the walk of each stop, as it counts in figures.

    Parameters
    ----------
    network
        The network.
    count_by
        ``area``: hexes by the points of their area, as figures are published; ``centre``: whole hexes by the walk rule of the network, as
        the search counts them. Without points hexes count whole by either.

    Returns
    -------
    WalkPoints
        Metres from the stop to each point, or to the hex.

    Raises
    ------
    UsageError
        If `count_by` is neither.
    """
    if count_by not in COUNT_BY:
        msg = f"count_by must be {' or '.join(COUNT_BY)}, got {count_by!r}"
        raise UsageError(msg, setting="count_by", value=count_by, allowed=COUNT_BY)
    if count_by == "centre" or network.points is None:
        return WalkPoints(network.shed_indptr, network.shed_hex, network.shed_walk_m, 1, network.walk_rule)
    return network.points


def points_of_stops(points: WalkPoints, is_kept: NDArray[np.bool_]) -> WalkPoints:
    """
    Points within the walk of some of the stops.

    Parameters
    ----------
    points
        Those of all stops, walks in metres.
    is_kept
        Whether each stop stays, shape (S,).

    Returns
    -------
    WalkPoints
        Those of the stops that stay, in their order; metres.
    """
    n_points = np.diff(points.indptr)
    rows = np.repeat(is_kept, n_points)
    indptr = np.concatenate([[0], np.cumsum(n_points[is_kept])])
    return points._replace(indptr=indptr, point=points.point[rows], walk_m=points.walk_m[rows])


def reached_share(network: Network, stops: ArrayLike, points: WalkPoints | None = None) -> NDArray[np.float64]:
    """
    Share of each hex's area within the walk of any of some stops.

    Parameters
    ----------
    network
        The network, over H hexes.
    stops
        Stop indices, such as `Plan.used_stops`, shape (n,).
    points
        What counts of each hex; by default its area, as figures are published.

    Returns
    -------
    ndarray of float64
        Shape (H,), 0 to 1. Without points in the network a hex counts whole, and has 0 or 1.

    Examples
    --------
    >>> from owlbus import HexGrid, Network
    >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7))
    >>> reached_share(network, [0]).tolist()
    [1.0, 0.0625, 0.03125, 0.03125, 0.0, 0.0, 0.0]
    """
    indptr, point, _, n_points, _ = points_of(network) if points is None else points
    reached = np.zeros(network.grid.n_hexes * n_points, np.bool_)
    for stop in np.asarray(stops, np.int64).tolist():
        reached[point[indptr[stop] : indptr[stop + 1]]] = True
    share: NDArray[np.float64] = reached.reshape(-1, n_points).mean(axis=1)
    return share


def owned_points(network: Network) -> WalkPoints | None:
    """
    Points of a network under construction, checked and copied.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    WalkPoints or None
        Read-only arrays; metres.

    Raises
    ------
    DataError
        If a rule of `WalkPoints` does not hold.
    """
    given = network.points
    if given is None:
        return None
    arrays = (read_only_copy(given.indptr, np.int64), read_only_copy(given.point, np.int32), read_only_copy(given.walk_m, np.int32))
    points = WalkPoints(*arrays, int(given.n_points), str(given.rule))
    require_points(network, points)
    return points


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
    Network with walk sheds of parts of hexes: the search counts a part if its own centre lies within the walk.

    With demand on the parts, the search counts a hex in steps of one part. Errors of single hexes cancel out over a plan if stops lie
    anywhere. On the lattice a walk of the hex radius just reaches all six corners, so that all parts count: shares are then too high,
    and by the centre they are too low. Published figures count each part by its area within the walk, at 16 points.

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
    sheds = walk_sheds(grid, Stops(network.stop_lon, network.stop_lat, home, list(network.stop_names)), rule, _POINTS_PER_SIDE_OF_PARTS)
    words = str(rule).replace("centre of the hex", f"{parts.n_parts} parts of the hex by {counted}, the centre of each")
    points = sheds["points"]._replace(rule=f"{rule.by_area}, of {parts.n_parts} parts of it by {counted}")
    report = network.report
    if report is not None:
        notes = (*report.notes, f"each hex counts in {parts.n_parts} parts of {grid.radius_m:.0f} m, by {counted}")
        report = replace(report, unreachable_hexes=unreached(grid, sheds["shed_hex"]), notes=notes)
    return replace(network, grid=grid, stop_hex=home, **sheds | {"walk_rule": words, "points": points}, report=report)


def sample_points(grid: HexGrid, points_per_side: int = POINTS_PER_SIDE) -> Floats:
    """
    Points of the hexes, each for an equal share of the area, hex by hex.

    The points of a regular hex are those of a hexagonal lattice with n times smaller steps than the grid, so that the points of all
    planar hexes together are one regular lattice. Distorted H3 hexes have them at the same places between centre and corners.

    Parameters
    ----------
    grid
        The grid.
    points_per_side
        Points along each axis of the lattice, n.

    Returns
    -------
    ndarray of float64
        Projected metres, shape (n_hexes * n**2, 2).
    """
    centre = np.stack([grid.x_m, grid.y_m], axis=1)
    ring = grid.hex_to_boundary(np.arange(grid.n_hexes))
    corner = np.stack(grid.project(ring[..., 0], ring[..., 1]), axis=-1) - centre[:, None]
    first, share = _between_corners(points_per_side)
    inner = share[:, 0, None] * corner[:, first] + share[:, 1, None] * corner[:, (first + 1) % _CORNERS]
    points: Floats = (centre[:, None] + inner).reshape(-1, 2)
    return points


def _between_corners(n: int) -> tuple[NDArray[np.int64], Floats]:
    """First of the two corners that each of n * n points lies between, and its shares of both."""
    axis = (np.arange(n)[:, None] + _OFFSETS) / n
    s, t = (steps.reshape(-1, 1) for steps in np.meshgrid(axis[:, 0], axis[:, 1], indexing="ij"))
    around = np.array([(i, j) for i in range(-2, 2) for j in range(-2, 2)], dtype=np.float64)
    s, t = s + around[:, 0], t + around[:, 1]
    # In units of the first two corners the steps to two neighbouring centres are (1, 1) and (-1, 2).
    x, y = (s - t) + (s + 2 * t) / 2, (s + 2 * t) * math.sqrt(0.75)
    nearest = np.argmin(x**2 + y**2, axis=1)[:, None]
    x, y = (np.take_along_axis(axis, nearest, axis=1)[:, 0] for axis in (x, y))
    first = np.floor(np.arctan2(y, x) / (np.pi / 3)).astype(np.int64)
    angle = -first * np.pi / 3
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    second = y / math.sqrt(0.75)
    return first % _CORNERS, np.stack([x - second / 2, second], axis=1)


def _straight(grid: HexGrid, stop_xy: Floats, points: Floats, rule: WalkRule) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:  # noqa: ARG001  # one signature for both reaches
    """Stops, points and metres of all pairs within the walk, straight line."""
    from scipy.spatial import cKDTree

    near = cKDTree(stop_xy).sparse_distance_matrix(cKDTree(points), rule.walk_m + WALK_SLACK_M, output_type="ndarray")
    stop, point = near["i"].astype(np.int64), near["j"].astype(np.int64)
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
