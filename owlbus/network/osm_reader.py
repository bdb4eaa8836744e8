"""OpenStreetMap files as arrays: streets that buses may use, ways that people walk along, stops and turn restrictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.network.osm_tags import (
    bus_way,
    is_bus_stop,
    is_walkable,
    shuts_out,
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
    Directed pieces of street that a bus may drive, from node to node.

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
        Forbidden turns as node indices: from, via and to, more than one via where it is a street.
    stop_lon, stop_lat, stop_names
        Stops that are mapped, and their names.
    counts
        What was counted, and how many.
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


class _Found:
    """What one pass over a file gathers."""

    def __init__(self, *, walk: bool, drive: bool) -> None:
        self.walk, self.drive = walk, drive
        self.stops: list[tuple[float, float, str]] = []
        self.shut: set[int] = set()
        self.place: dict[int, tuple[float, float]] = {}
        self.streets: list[tuple[int, list[int], Any, str]] = []
        self.paths: list[list[int]] = []
        self.rules: list[tuple[str, list[tuple[str, int, str]]]] = []
        self.reasons: dict[str, int] = {}
        self.ways = 0

    def node(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Take a stop or a barrier."""
        if is_bus_stop(tags):
            self.stops.append((item.lon, item.lat, tags.get("name", "")))
        if "barrier" in tags and shuts_out(tags):
            self.shut.add(item.id)

    def way(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Take a street, a way to walk along, or both."""
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
            if ref not in self.place:
                at = node.location
                if at.valid():
                    self.place[ref] = (at.lon, at.lat)
            nodes.append(ref)
        if drives:
            self.streets.append((item.id, nodes, use, tags.get("name", "")))
        if walks:
            self.paths.append(nodes)

    def relation(self, item: Any, tags: dict[str, str]) -> None:  # noqa: ANN401  # osmium ships no types
        """Take a turn restriction that holds for buses."""
        rule = turn_rule(tags)
        if rule is not None:
            self.rules.append((rule, [(member.type, member.ref, member.role) for member in item.members]))


def _scan(path: str | PathLike[str], *, walk: bool, drive: bool) -> _Found:
    """Pass once over a file."""
    try:
        import osmium.filter
    except ImportError:
        msg = "OpenStreetMap files need the extra library osmium; install it with: pip install 'owlbus[osm]'"
        raise UsageError(msg) from None
    source = Path(path)
    if not source.is_file():
        msg = f"{source}: no such file; name an extract as .osm.pbf"
        raise DataError(msg)
    found = _Found(walk=walk, drive=drive)
    try:
        reader: Any = osmium.FileProcessor(str(source)).with_locations("flex_mem").with_filter(osmium.filter.KeyFilter(*_KEYS))
        for item in reader:
            take = found.node if item.is_node() else found.way if item.is_way() else found.relation if item.is_relation() else None
            if take is not None:
                take(item, dict(item.tags))
    except (RuntimeError, ValueError, ArithmeticError, osmium.InvalidLocationError) as error:
        msg = f"{source}: is no readable OpenStreetMap file ({str(error).splitlines()[0] or type(error).__name__}); download it again"
        raise DataError(msg) from None
    return found


def read_streets(path: str | PathLike[str], *, walk: bool = False) -> tuple[Streets, WalkGraph | None]:
    """
    Streets of a file that buses may use, and on demand the ways that people walk along.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.
    walk
        Whether to gather ways to walk along too.

    Returns
    -------
    tuple
        Streets, positions in degrees, and ways to walk along or None.

    Raises
    ------
    DataError
        If the file is missing, broken, or has no street for buses.
    UsageError
        If osmium is not installed.
    """
    found = _scan(path, walk=walk, drive=True)
    if not found.streets:
        msg = f"{path}: has no street that buses may use among {found.ways} ways with a highway tag; take an extract with roads"
        raise DataError(msg)
    return _streets(found), _paths(found) if walk else None


def read_paths(path: str | PathLike[str]) -> WalkGraph:
    """
    Ways of a file that people walk along: footways, and streets that are not closed to them.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.

    Returns
    -------
    WalkGraph
        Positions in degrees, lengths in metres.

    Raises
    ------
    DataError
        If the file is missing or broken.
    UsageError
        If osmium is not installed.
    """
    return _paths(_scan(path, walk=True, drive=False))


def _pieces(rows: list[list[int]], place: dict[int, tuple[float, float]]) -> tuple[Ints, Ints, Ints]:
    """Start and end node and row of each piece between nodes in a row, those outside the file left out."""
    start = np.array([node for row in rows for node in row[:-1]], dtype=np.int64)
    end = np.array([node for row in rows for node in row[1:]], dtype=np.int64)
    row = np.repeat(np.arange(len(rows)), [max(len(nodes) - 1, 0) for nodes in rows]).astype(np.int64)
    known = np.array(sorted(place), dtype=np.int64)
    low, high = (np.minimum(np.searchsorted(known, node), known.size - 1) for node in (start, end))
    inside = (known[low] == start) & (known[high] == end) & (start != end) if known.size else np.zeros(start.size, np.bool_)
    return start[inside], end[inside], row[inside]


def metres_between(lon: Floats, lat: Floats, start: Ints, end: Ints) -> Floats:
    """
    Metres between near points on the ellipsoid, good to 0.01 % up to 10 km.

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


def _paths(found: _Found) -> WalkGraph:
    """Ways to walk along."""
    start, end, _ = _pieces(found.paths, found.place)
    nodes, both = np.unique(np.concatenate([start, end]), return_inverse=True)
    at = np.array([found.place[node] for node in nodes.tolist()], dtype=np.float64).reshape(-1, 2)
    lon, lat = np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1])
    start, end = both[: start.size].astype(np.int64), both[start.size :].astype(np.int64)
    return WalkGraph(lon, lat, start, end, metres_between(lon, lat, start, end))


def _streets(found: _Found) -> Streets:
    """Directed pieces of street, with forbidden turns."""
    start, end, row = _pieces([nodes for _, nodes, _, _ in found.streets], found.place)
    shut = np.isin(start, list(found.shut)) | np.isin(end, list(found.shut))
    start, end, row = start[~shut], end[~shut], row[~shut]
    forward = np.array([use.forward for _, _, use, _ in found.streets], dtype=np.bool_)[row]
    backward = np.array([use.backward for _, _, use, _ in found.streets], dtype=np.bool_)[row]
    way = np.concatenate([row[forward], row[backward]])
    ids, both = np.unique(np.concatenate([start[forward], end[backward], end[forward], start[backward]]), return_inverse=True)
    at = np.array([found.place[node] for node in ids.tolist()], dtype=np.float64).reshape(-1, 2)
    begin, finish = both[: way.size].astype(np.int64), both[way.size :].astype(np.int64)
    row_of = {number: row for row, (number, *_) in enumerate(found.streets)}
    forbidden = forbidden_turns(found.rules, row_of, ids, begin, finish, way)
    counts = (
        ("ways with a highway tag", found.ways),
        *((f"ways left out: {reason}", number) for reason, number in sorted(found.reasons.items())),
        ("pieces of street left out at a barrier", int(shut.sum())),
        ("turn restrictions that hold for buses", len(found.rules)),
        ("of these by way of a further street", forbidden.over_ways),
        ("of these not understood or off the streets in use", forbidden.left_out),
    )
    stop = np.array([(lon, lat) for lon, lat, _ in found.stops], dtype=np.float64).reshape(-1, 2)
    return Streets(
        at[:, 0].copy(),
        at[:, 1].copy(),
        begin,
        finish,
        way,
        np.array([use.kmh for _, _, use, _ in found.streets])[way],
        np.array([use.rank for _, _, use, _ in found.streets], dtype=np.int8)[way],
        [name for _, _, _, name in found.streets],
        forbidden.turns,
        stop[:, 0].copy(),
        stop[:, 1].copy(),
        [name for _, _, name in found.stops],
        counts,
    )
