"""Read OpenStreetMap files: streets open to buses, walkable ways, stops and turn restrictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.network.osm_tags import (
    blocks_buses,
    bus_way,
    is_bus_stop,
    is_walkable,
    turn_rule,
)
from owlbus.network.turn_restrictions import forbidden_turns
from owlbus.network.walk_sheds import WalkGraph

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_KEYS = ("highway", "public_transport", "barrier", "restriction", "restriction:bus", "restriction:psv")
_EARTH_M, _FLAT = 6_378_137.0, 0.006_694_38  # WGS 84: longer half axis, squared eccentricity


class Streets(NamedTuple):
    """
    Directed pieces of street open to buses, between consecutive nodes.

    Attributes
    ----------
    lon, lat
        Degrees of each node, in ascending id, shape (n,).
    start, end
        Nodes of each piece, shape (m,).
    way, kmh, rank
        Way, free speed in km/h and rank of each piece, shape (m,).
    names
        Street name by way.
    turns
        Forbidden turns as node indices: from, via and to; a street as via has several nodes.
    stop_lon, stop_lat, stop_names
        Degrees and names of mapped stops.
    counts
        Label and number of each count of the reader.
    """

    lon: Floats
    lat: Floats
    start: Ints
    end: Ints
    way: Ints
    kmh: Floats
    rank: NDArray[np.int8]
    names: list[str]
    turns: tuple[tuple[int, ...], ...]
    stop_lon: Floats
    stop_lat: Floats
    stop_names: list[str]
    counts: tuple[tuple[str, int], ...]


class _Elements:
    """Elements of a file that one pass collects."""

    def __init__(self, *, walk: bool, drive: bool) -> None:
        self.walk, self.drive = walk, drive
        self.stops: list[tuple[float, float, str]] = []
        self.barriers: set[int] = set()
        self.lonlat: dict[int, tuple[float, float]] = {}
        self.streets: list[tuple[int, list[int], Any, str]] = []
        self.paths: list[list[int]] = []
        self.rules: list[tuple[str, list[tuple[str, int, str]]]] = []
        self.reasons: dict[str, int] = {}
        self.ways = 0

    def node(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Collect a stop or a barrier."""
        if is_bus_stop(tags):
            self.stops.append((item.lon, item.lat, tags.get("name", "")))
        if "barrier" in tags and blocks_buses(tags):
            self.barriers.add(item.id)

    def way(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Collect a street, a walkable way, or both."""
        if "highway" not in tags:
            return
        use = bus_way(tags)
        self.ways += 1
        drives, walks = self.drive and not isinstance(use, str), self.walk and is_walkable(tags)
        if isinstance(use, str):
            self.reasons[use] = self.reasons.get(use, 0) + 1
        if not (drives or walks):
            return
        nodes = []
        for node in item.nodes:
            ref = node.ref
            if ref not in self.lonlat:
                location = node.location
                if location.valid():
                    self.lonlat[ref] = (location.lon, location.lat)
            nodes.append(ref)
        if drives:
            self.streets.append((item.id, nodes, use, tags.get("name", "")))
        if walks:
            self.paths.append(nodes)

    def relation(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Collect a turn restriction for buses."""
        rule = turn_rule(tags)
        if rule is not None:
            self.rules.append((rule, [(member.type, member.ref, member.role) for member in item.members]))


def _scan(path: str | PathLike[str], *, walk: bool, drive: bool) -> _Elements:
    """Collect the elements of a file in one pass."""
    try:
        import osmium.filter
    except ImportError:
        msg = "OpenStreetMap files need the extra library osmium; install it with: pip install 'owlbus[osm]'"
        raise UsageError(msg) from None
    source = Path(path)
    if not source.is_file():
        msg = f"{source}: no such file; name an extract as .osm.pbf"
        raise DataError(msg)
    elements = _Elements(walk=walk, drive=drive)
    try:
        reader: Any = osmium.FileProcessor(str(source)).with_locations("flex_mem").with_filter(osmium.filter.KeyFilter(*_KEYS))
        for item in reader:
            take = elements.node if item.is_node() else elements.way if item.is_way() else elements.relation if item.is_relation() else None
            if take is not None:
                take(item, dict(item.tags))
    except (RuntimeError, ValueError, ArithmeticError, osmium.InvalidLocationError) as error:
        msg = f"{source}: is no readable OpenStreetMap file ({str(error).splitlines()[0] or type(error).__name__}); download it again"
        raise DataError(msg) from None
    return elements


def read_streets(path: str | PathLike[str], *, walk: bool = False) -> tuple[Streets, WalkGraph | None]:
    """
    Streets of a file that are open to buses, and its walkable ways on request.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.
    walk
        Whether to read walkable ways too.

    Returns
    -------
    tuple
        Streets in degrees and km/h, and walkable ways or None.

    Raises
    ------
    DataError
        If the file is missing, broken, or has no street for buses.
    UsageError
        If osmium is not installed.
    """
    elements = _scan(path, walk=walk, drive=True)
    if not elements.streets:
        msg = f"{path}: has no street that buses may use among {elements.ways} ways with a highway tag; take an extract with roads"
        raise DataError(msg)
    return _streets(elements), _paths(elements) if walk else None


def read_paths(path: str | PathLike[str]) -> WalkGraph:
    """
    Walkable ways of a file, in degrees and metres: footways, and streets open to pedestrians.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.

    Returns
    -------
    WalkGraph
        The ways.

    Raises
    ------
    DataError
        If the file is missing or broken.
    UsageError
        If osmium is not installed.
    """
    return _paths(_scan(path, walk=True, drive=False))


def _pieces(rows: list[list[int]], lonlat: dict[int, tuple[float, float]]) -> tuple[Ints, Ints, Ints]:
    """Start node, end node and row of each piece between consecutive nodes; nodes without a position are left out."""
    start = np.array([node for row in rows for node in row[:-1]], dtype=np.int64)
    end = np.array([node for row in rows for node in row[1:]], dtype=np.int64)
    row = np.repeat(np.arange(len(rows)), [max(len(nodes) - 1, 0) for nodes in rows]).astype(np.int64)
    known = np.array(sorted(lonlat), dtype=np.int64)
    start_row, end_row = (np.minimum(np.searchsorted(known, node), known.size - 1) for node in (start, end))
    inside = (known[start_row] == start) & (known[end_row] == end) & (start != end) if known.size else np.zeros(start.size, np.bool_)
    return start[inside], end[inside], row[inside]


def metres_between(lon: Floats, lat: Floats, start: Ints, end: Ints) -> Floats:
    """
    Metres between points on the ellipsoid, accurate to 0.01 % up to 10 km.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,).
    start, end
        Indices of points, shape (m,).

    Returns
    -------
    ndarray of float64
        Shape (m,).
    """
    middle = np.radians((lat[start] + lat[end]) / 2)
    bend = 1 - _FLAT * np.sin(middle) ** 2
    east = np.radians(lon[end] - lon[start]) * np.cos(middle) * _EARTH_M / np.sqrt(bend)
    north = np.radians(lat[end] - lat[start]) * _EARTH_M * (1 - _FLAT) / bend**1.5
    return np.asarray(np.hypot(east, north), dtype=np.float64)


def _indexed(elements: _Elements, start: Ints, end: Ints) -> tuple[Ints, Floats, Floats, Ints, Ints]:
    """Ids of the nodes in use, ascending, their lon and lat, and start and end of each piece as indices of them."""
    ids, index = np.unique(np.concatenate([start, end]), return_inverse=True)
    lonlat = np.array([elements.lonlat[node] for node in ids.tolist()], dtype=np.float64).reshape(-1, 2)
    return ids, lonlat[:, 0].copy(), lonlat[:, 1].copy(), index[: start.size].astype(np.int64), index[start.size :].astype(np.int64)


def _paths(elements: _Elements) -> WalkGraph:
    """Walkable ways in degrees and metres."""
    start, end, _ = _pieces(elements.paths, elements.lonlat)
    _, lon, lat, start, end = _indexed(elements, start, end)
    return WalkGraph(lon, lat, start, end, metres_between(lon, lat, start, end))


def _streets(elements: _Elements) -> Streets:
    """Directed pieces of street, with forbidden turns and stops."""
    numbers, rows, uses, names = zip(*elements.streets, strict=True)
    start, end, row = _pieces(list(rows), elements.lonlat)
    blocked = np.isin(start, list(elements.barriers)) | np.isin(end, list(elements.barriers))
    start, end, row = start[~blocked], end[~blocked], row[~blocked]
    forward = np.array([use.forward for use in uses], dtype=np.bool_)[row]
    backward = np.array([use.backward for use in uses], dtype=np.bool_)[row]
    way = np.concatenate([row[forward], row[backward]])
    start, end = np.concatenate([start[forward], end[backward]]), np.concatenate([end[forward], start[backward]])
    ids, lon, lat, start, end = _indexed(elements, start, end)
    row_of = {number: row for row, number in enumerate(numbers)}
    forbidden = forbidden_turns(elements.rules, row_of, ids, start, end, way)
    counts = (
        ("ways with a highway tag", elements.ways),
        *((f"ways left out: {reason}", number) for reason, number in sorted(elements.reasons.items())),
        ("pieces of street left out at a barrier", int(blocked.sum())),
        ("turn restrictions that hold for buses", len(elements.rules)),
        ("of these by way of a further street", forbidden.over_ways),
        ("of these not understood or off the streets in use", forbidden.left_out),
    )
    kmh = np.array([use.kmh for use in uses])[way]
    rank = np.array([use.rank for use in uses], dtype=np.int8)[way]
    stop_lonlat = np.array([(lon, lat) for lon, lat, _ in elements.stops], dtype=np.float64).reshape(-1, 2)
    stop_names = [name for _, _, name in elements.stops]
    stops = (stop_lonlat[:, 0].copy(), stop_lonlat[:, 1].copy(), stop_names)
    return Streets(lon, lat, start, end, way, kmh, rank, list(names), forbidden.turns, *stops, counts)
