"""Read OpenStreetMap files: streets open to buses, walkable ways, stops and turn restrictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.defaults import NIGHT_HOURS
from owlbus.common.errors import DataError
from owlbus.network.geodesy import metres_between
from owlbus.network.osm_conditions import NightConditions
from owlbus.network.osm_elements import scan
from owlbus.network.turn_restrictions import forbidden_turns
from owlbus.network.walk_sheds import WalkGraph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.network.osm_elements import Elements

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


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
    hailed
        Whether buses halt on demand, by way.
    turns
        Forbidden turns as node indices: from, via and to; a street as via has several nodes.
    stop_lon, stop_lat, stop_names, stop_latin
        Degrees, names, and names in Latin letters of mapped stops.
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
    hailed: NDArray[np.bool_]
    turns: tuple[tuple[int, ...], ...]
    stop_lon: Floats
    stop_lat: Floats
    stop_names: list[str]
    stop_latin: list[str]
    counts: tuple[tuple[str, int], ...]


def read_streets(path: str | PathLike[str], *, walk: bool = False, hours: Sequence[int] = NIGHT_HOURS) -> tuple[Streets, WalkGraph | None]:
    """
    Streets of a file that are open to buses, and its walkable ways on request.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.
    walk
        Whether to read walkable ways too.
    hours
        Clock hours in which buses run, for conditional tags.

    Returns
    -------
    tuple
        Streets in degrees and km/h, and walkable ways or None.

    Raises
    ------
    DataError
        If the file is missing, broken, or has no street for buses.
    UsageError
        If osmium, or for conditional tags opening-hours-py, is not installed, or there is no hour.
    """
    elements = scan(path, NightConditions(hours), walk=walk, drive=True)
    if not elements.streets:
        msg = f"{path}: has no street that buses may use among {elements.ways} ways with a highway tag; take an extract with roads"
        raise DataError(msg)
    return _streets(elements), _paths(elements) if walk else None


def read_paths(path: str | PathLike[str], hours: Sequence[int] = NIGHT_HOURS) -> WalkGraph:
    """
    Walkable ways of a file, in degrees and metres: footways, and streets open to pedestrians, in all of the hours.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads.
    hours
        Clock hours in which people walk, for conditional tags.

    Returns
    -------
    WalkGraph
        The ways.

    Raises
    ------
    DataError
        If the file is missing or broken.
    UsageError
        If osmium, or for conditional tags opening-hours-py, is not installed, or there is no hour.
    """
    return _paths(scan(path, NightConditions(hours), walk=True, drive=False))


def _pieces(rows: list[list[int]], lonlat: dict[int, tuple[float, float]]) -> tuple[Ints, Ints, Ints, int]:
    """Start node, end node and row of each piece between consecutive nodes, and the number of those left out without a position."""
    start = np.array([node for row in rows for node in row[:-1]], dtype=np.int64)
    end = np.array([node for row in rows for node in row[1:]], dtype=np.int64)
    row = np.repeat(np.arange(len(rows)), [max(len(nodes) - 1, 0) for nodes in rows]).astype(np.int64)
    known = np.array(sorted(lonlat), dtype=np.int64)
    start_row, end_row = (np.minimum(np.searchsorted(known, node), known.size - 1) for node in (start, end))
    placed = (known[start_row] == start) & (known[end_row] == end) if known.size else np.zeros(start.size, np.bool_)
    inside = placed & (start != end)
    return start[inside], end[inside], row[inside], int((~placed).sum())


def _indexed(elements: Elements, start: Ints, end: Ints) -> tuple[Ints, Floats, Floats, Ints, Ints]:
    """Ids of the nodes in use, ascending, their lon and lat, and start and end of each piece as indices of them."""
    ids, index = np.unique(np.concatenate([start, end]), return_inverse=True)
    lonlat = np.array([elements.lonlat[node] for node in ids.tolist()], dtype=np.float64).reshape(-1, 2)
    return ids, lonlat[:, 0].copy(), lonlat[:, 1].copy(), index[: start.size].astype(np.int64), index[start.size :].astype(np.int64)


def _paths(elements: Elements) -> WalkGraph:
    """Walkable ways in degrees and metres."""
    start, end, _, _ = _pieces(elements.paths, elements.lonlat)
    _, lon, lat, start, end = _indexed(elements, start, end)
    return WalkGraph(lon, lat, start, end, metres_between(lon, lat, start, end))


def _streets(elements: Elements) -> Streets:
    """Directed pieces of street, with forbidden turns and stops."""
    numbers, rows, uses, names = zip(*elements.streets, strict=True)
    start, end, row, n_unplaced = _pieces(list(rows), elements.lonlat)
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
        *elements.counts(),
        ("pieces of street left out at a barrier", int(blocked.sum())),
        ("pieces of street left out at a node that is not in the file", n_unplaced),
        ("turn restrictions that hold for buses", len(elements.rules)),
        ("of these by way of a further street", forbidden.over_ways),
        ("of these not understood or off the streets in use", forbidden.left_out),
    )
    kmh = np.array([use.kmh for use in uses])[way]
    rank = np.array([use.rank for use in uses], dtype=np.int8)[way]
    stop_lonlat = np.array([(lon, lat) for lon, lat, _, _ in elements.stops], dtype=np.float64).reshape(-1, 2)
    hailed = np.isin(np.array(numbers, dtype=np.int64), np.array(sorted(elements.hailed), dtype=np.int64))
    stop_names = [name for _, _, name, _ in elements.stops]
    stops = (stop_lonlat[:, 0].copy(), stop_lonlat[:, 1].copy(), stop_names, [latin for _, _, _, latin in elements.stops])
    return Streets(lon, lat, start, end, way, kmh, rank, list(names), hailed, forbidden.turns, *stops, counts)
