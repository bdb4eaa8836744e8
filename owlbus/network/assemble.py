"""Arrays that every network source is assembled into, and the report of what was left out."""

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
    from numpy.typing import NDArray


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
        Index of each link's geometry in the source, or of nothing; shape (n,).
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
        Hex that holds each, -1 outside the grid, shape (n,).
    names
        One a stop.
    """

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    hexes: NDArray[np.int32]
    names: Sequence[str]


def whole(values: ArrayLike) -> Ints:
    """
    Nearest whole numbers, halves up, at least 1.

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
    >>> whole([0.2, 2.5]).tolist()
    [1, 3]
    """
    return np.maximum(np.floor(np.asarray(values, dtype=np.float64) + 0.5), 1).astype(np.int64)


def sorted_links(links: Links) -> Links:
    """
    Links by start, then end; of several between the same stops the fastest, then the shortest.

    Parameters
    ----------
    links
        Rows in any order.

    Returns
    -------
    Links
        Unique and sorted.
    """
    order = np.lexsort((links.metres, links.seconds, links.end, links.start))
    rows = Links(*(column[order] for column in links))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (rows.start[1:] != rows.start[:-1]) | (rows.end[1:] != rows.end[:-1])
    return Links(*(column[first] for column in rows))


def paired_links(links: Links, n_stops: int) -> Links:
    """
    Links whose reverse is among them too.

    Parameters
    ----------
    links
        Unique rows.
    n_stops
        Number of stops.

    Returns
    -------
    Links
        The rest is left out.
    """
    there, back = links.start * n_stops + links.end, links.end * n_stops + links.start
    keep = np.isin(back, there) & (links.start != links.end)
    return Links(*(column[keep] for column in links))


def components(links: Links, n_stops: int) -> NDArray[np.int64]:
    """
    Give each stop the number of its connected part; the largest is 0, ties go to the one with the lowest stop.

    Parameters
    ----------
    links
        Rows; each is taken in both directions.
    n_stops
        Number of stops.

    Returns
    -------
    ndarray of int64
        Shape (n_stops,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(links.start.size, dtype=np.int8), (links.start, links.end)), shape=(n_stops, n_stops))
    _, label = connected_components(graph, directed=False)
    _, first, count = np.unique(label, return_index=True, return_counts=True)
    rank = np.empty(count.size, dtype=np.int64)
    rank[np.lexsort((first, -count))] = np.arange(count.size)
    return np.asarray(rank[label], dtype=np.int64)


def keep_stops(stops: Stops, links: Links, keep: NDArray[np.bool_]) -> tuple[Stops, Links]:
    """
    Keep some stops, renumbered, and the links between them.

    Parameters
    ----------
    stops, links
        All of them.
    keep
        Which stops stay, shape (n_stops,).

    Returns
    -------
    tuple
        Stops and links.
    """
    number = np.cumsum(keep) - 1
    use = keep[links.start] & keep[links.end]
    names = [name for name, stays in zip(stops.names, keep.tolist(), strict=True) if stays]
    rows = Links(*(column[use] for column in links))
    return Stops(stops.lon[keep], stops.lat[keep], stops.hexes[keep], names), rows._replace(start=number[rows.start], end=number[rows.end])


def link_rows(links: Links, n_stops: int) -> dict[str, NDArray[Any]]:
    """
    Links by row of their start, as the network keeps them.

    Parameters
    ----------
    links
        Unique rows sorted by start, then end.
    n_stops
        Number of stops.

    Returns
    -------
    dict of ndarray
        ``link_indptr``, ``link_to``, ``link_s`` and ``link_m``.
    """
    return {
        "link_indptr": np.searchsorted(links.start, np.arange(n_stops + 1)).astype(np.int64),
        "link_to": links.end.astype(np.int32),
        "link_s": links.seconds.astype(np.int32),
        "link_m": links.metres.astype(np.int32),
    }


def unreached(grid: HexGrid, shed_hex: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Hexes in no walk shed, ascending.

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
    Refuse networks without a link.

    Parameters
    ----------
    n_stops
        Stops in the largest connected part.
    source
        What it was made from, for the message.

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
    What went into a network and what was left out, in counts.

    Attributes
    ----------
    source
        Where the network comes from, such as ``lattice``.
    counts
        What was counted and how many, in the order of the work.
    unreachable_hexes
        Hexes that no bus can reach, ascending hex indices, shape (n,), int32.
    notes
        Sentences about single things, such as a bridge that joins nothing.
    """

    source: str
    counts: tuple[tuple[str, int], ...]
    unreachable_hexes: NDArray[np.int32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Own the hexes."""
        object.__setattr__(self, "unreachable_hexes", read_only_copy(self.unreachable_hexes, np.int32))
        object.__setattr__(self, "counts", tuple((str(what), int(number)) for what, number in self.counts))
        object.__setattr__(self, "notes", tuple(self.notes))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return NetworkReport, (self.source, self.counts, self.unreachable_hexes, self.notes)

    def to_json(self) -> dict[str, Any]:
        """
        Report as values that JSON can hold, counts by name.

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
