"""Assemble stops and links of any source into the arrays of a network, and report what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid

    Ints = NDArray[np.int64]


class Links(NamedTuple):
    """
    Directed links, one row each, in any order.

    Attributes
    ----------
    start, end
        Stop indices, shape (n,).
    seconds, metres
        Whole numbers > 0, shape (n,).
    line
        Index of each link's geometry in the source, shape (n,).
    """

    start: Ints
    end: Ints
    seconds: Ints
    metres: Ints
    line: Ints


class Stops(NamedTuple):
    """
    Stops of a source.

    Attributes
    ----------
    lon, lat
        Degrees, shape (n,).
    hexes
        Hex of each stop, -1 outside the grid, shape (n,).
    names
        Names, n of them.
    latin
        Names in Latin letters, n of them and empty where unknown, or none at all.
    """

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    hexes: NDArray[np.int32]
    names: Sequence[str]
    latin: Sequence[str] = ()


def rounded(values: ArrayLike) -> Ints:
    """
    Seconds or metres rounded to whole numbers, halves up, at least 1.

    Parameters
    ----------
    values
        Seconds or metres, any shape.

    Returns
    -------
    ndarray of int64
        Same shape.

    Examples
    --------
    >>> rounded([0.2, 2.5]).tolist()
    [1, 3]
    """
    return np.maximum(np.floor(np.asarray(values, dtype=np.float64) + 0.5), 1).astype(np.int64)


def fastest_rows(start: NDArray[Any], end: NDArray[Any], cost: Ints, length: Ints) -> Ints:
    """
    Rows of the fastest, then the shortest link between each pair of nodes, sorted by start and end.

    Parameters
    ----------
    start, end
        Nodes, shape (m,).
    cost, length
        Time and length of each link in any unit, shape (m,).

    Returns
    -------
    ndarray of int64
        Row indices.
    """
    order = np.lexsort((length, cost, end, start))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (np.diff(start[order]) != 0) | (np.diff(end[order]) != 0)
    return order[first]


def sorted_links(links: Links) -> Links:
    """
    Links sorted by start and end; between each pair of stops the fastest, then the shortest.

    Parameters
    ----------
    links
        Rows in any order.

    Returns
    -------
    Links
        Unique and sorted.
    """
    rows = fastest_rows(links.start, links.end, links.seconds, links.metres)
    return Links(*(column[rows] for column in links))


def paired_links(links: Links, n_stops: int) -> Links:
    """
    Links whose reverse is a link too.

    Parameters
    ----------
    links
        Unique rows.
    n_stops
        Number of stops.

    Returns
    -------
    Links
        Links with a reverse.
    """
    forward, reverse = links.start * n_stops + links.end, links.end * n_stops + links.start
    paired = np.isin(reverse, forward) & (links.start != links.end)
    return Links(*(column[paired] for column in links))


def components(start: NDArray[Any], end: NDArray[Any], n_nodes: int, *, strong: bool = False) -> NDArray[np.int64]:
    """
    Component of each node; the largest is 0, and ties go to the component of the lowest node.

    Parameters
    ----------
    start, end
        Nodes of each link, shape (m,).
    n_nodes
        Number of nodes.
    strong
        Whether components are strongly connected; if not, links count in both directions.

    Returns
    -------
    ndarray of int64
        Shape (n_nodes,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(start.size, dtype=np.int8), (start, end)), shape=(n_nodes, n_nodes))
    _, label = connected_components(graph, directed=strong, connection="strong")
    _, first, count = np.unique(label, return_index=True, return_counts=True)
    rank = np.empty(count.size, dtype=np.int64)
    rank[np.lexsort((first, -count))] = np.arange(count.size)
    return np.asarray(rank[label], dtype=np.int64)


def keep_stops(stops: Stops, links: Links, keep: NDArray[np.bool_]) -> tuple[Stops, Links]:
    """
    Stops in a mask, renumbered, and the links between them.

    Parameters
    ----------
    stops, links
        All stops and links.
    keep
        Whether to keep each stop, shape (n_stops,).

    Returns
    -------
    tuple
        Kept stops and links.
    """
    number = np.cumsum(keep) - 1
    links_kept = keep[links.start] & keep[links.end]
    names, latin = ([texts[k] for k in np.flatnonzero(keep).tolist()] if texts else [] for texts in (stops.names, stops.latin))
    rows = Links(*(column[links_kept] for column in links))
    return Stops(stops.lon[keep], stops.lat[keep], stops.hexes[keep], names, latin), rows._replace(
        start=number[rows.start], end=number[rows.end]
    )


def stop_and_link_fields(stops: Stops, links: Links) -> dict[str, Any]:
    """
    Fields of a network for its stops and links.

    Parameters
    ----------
    stops
        The stops.
    links
        Unique links in seconds and metres, sorted by start and end.

    Returns
    -------
    dict
        Arguments of `Network` with the prefixes ``stop_`` and ``link_``.
    """
    return {
        "stop_lon": stops.lon,
        "stop_lat": stops.lat,
        "stop_hex": stops.hexes,
        "stop_names": stops.names,
        "stop_names_latin": stops.latin,
        "link_indptr": np.searchsorted(links.start, np.arange(len(stops.names) + 1)).astype(np.int64),
        "link_to": links.end.astype(np.int32),
        "link_s": links.seconds.astype(np.int32),
        "link_m": links.metres.astype(np.int32),
    }


def unreached(grid: HexGrid, shed_hex: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Hexes outside all walk sheds, ascending.

    Parameters
    ----------
    grid
        The grid.
    shed_hex
        Hexes of all walk sheds.

    Returns
    -------
    ndarray of int32
        Hex indices.
    """
    return np.setdiff1d(np.arange(grid.n_hexes, dtype=np.int32), shed_hex)


def require_stops(n_stops: int, source: str) -> None:
    """
    Refuse a network without a link.

    Parameters
    ----------
    n_stops
        Stops in the largest component.
    source
        Source of the network, for the message.

    Raises
    ------
    DataError
        If fewer than two stops are connected.
    """
    if n_stops < 2:  # noqa: PLR2004  # a link has two ends
        msg = f"a network needs two connected stops or more, got {n_stops} from the {source}; widen the area or check that they overlap"
        raise DataError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkReport:
    """
    Counts of what a network was made from and of what was left out.

    Attributes
    ----------
    source
        Source of the network, such as ``lattice``.
    counts
        Rows of label and count, in the order of processing.
    unreachable_hexes
        Indices of hexes outside all walk sheds, ascending, shape (n,), int32.
    notes
        Sentences about single items, such as a bridge that joins no stops.
    dropped
        Stops that were left out: name, longitude and latitude in degrees, and reason.
    """

    source: str
    counts: tuple[tuple[str, int], ...]
    unreachable_hexes: NDArray[np.int32]
    notes: tuple[str, ...] = ()
    dropped: tuple[tuple[str, float, float, str], ...] = ()

    def __post_init__(self) -> None:
        """Copy the hexes, counts and notes."""
        object.__setattr__(self, "unreachable_hexes", read_only_copy(self.unreachable_hexes, np.int32))
        object.__setattr__(self, "counts", tuple((str(what), int(number)) for what, number in self.counts))
        object.__setattr__(self, "notes", tuple(self.notes))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return NetworkReport, (self.source, self.counts, self.unreachable_hexes, self.notes, self.dropped)

    def dropped_geojson(self) -> dict[str, Any]:
        """
        Stops that were left out, as a GeoJSON document.

        Returns
        -------
        dict
            A Point for each, lon and lat in degrees, with ``name`` and ``reason``.
        """
        features = [
            {
                "type": "Feature",
                "properties": {"name": name, "reason": reason},
                "geometry": {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]},
            }
            for name, lon, lat, reason in self.dropped
        ]
        return {"type": "FeatureCollection", "features": features}

    def to_json(self) -> dict[str, Any]:
        """
        Report as a JSON document, with counts by label.

        Returns
        -------
        dict
            ``source``, ``counts``, ``unreachable_hexes`` and ``notes``.
        """
        return {
            "source": self.source,
            "counts": dict(self.counts),
            "unreachable_hexes": self.unreachable_hexes.tolist(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Return one line per count, then the notes."""
        lines = [f"network from {self.source}"]
        lines += [f"  {number:>9,}  {what}" for what, number in self.counts]
        lines += [f"  {self.unreachable_hexes.size:>9,}  hexes no bus can reach"]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])
