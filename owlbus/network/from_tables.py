"""Road tables: nodes and directed links, read, checked and cut down to their largest strongly connected part."""

from __future__ import annotations

import difflib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.records.text_lines import check_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NODE_COLUMNS = ("node_id", "lon", "lat")
_MOST_LINK_S = 1e7
_LINK_COLUMNS = ("from_node", "to_node", "length_m", "freespeed_m_per_s")
_STOP_COLUMNS = ("lon", "lat")

RANKS = {
    "primary": 0,
    "secondary": 0,
    "trunk": 1,
    "tertiary": 1,
    "busway": 1,
    "unclassified": 2,
    "residential": 2,
    "road": 2,
    "pedestrian": 2,
    "living_street": 3,
    "service": 3,
    "primary_link": 4,
    "secondary_link": 4,
    "tertiary_link": 4,
    "trunk_link": 5,
    "motorway": 6,
    "motorway_link": 6,
}
"""How much speaks for a stop on a road of each type, the higher the less: people live along main roads, none along a motorway."""
OTHER_RANK = 4


class Roads(NamedTuple):
    """
    A strongly connected road graph by row, in whole milliseconds and millimetres, so that sums are exact.

    Attributes
    ----------
    names
        Identifier of each node, shape (n,).
    lon, lat
        Degrees, shape (n,).
    indptr, to
        Links by row of their start: shapes (n + 1,) and (m,).
    cost_ms, length_mm
        Free-flow milliseconds and millimetres of each link, shape (m,), int64.
    rank
        How much speaks for a stop at each node, 0 for main roads, the higher the less; shape (n,), int8.
    hidden
        Whether a node stands for no point of a street, so that no geometry passes it; shape (n,).
    counts
        What was counted while reading, and how many.
    """

    names: NDArray[Any]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    indptr: NDArray[np.int64]
    to: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    rank: NDArray[np.int8]
    hidden: NDArray[np.bool_]
    counts: tuple[tuple[str, int], ...]


def read_table(table: Any, name: str, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:  # noqa: ANN401  # any table
    """
    Columns of a file or a table, as text.

    Parameters
    ----------
    table
        Path of a CSV (gzip or not) or Parquet file, or anything that polars makes a data frame of.
    name
        What it is called in messages.
    columns, optional
        Columns that must and that may be there.

    Returns
    -------
    dict
        polars Series of text by column name.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, lacks a column, or has a line without an end.
    """
    import polars as pl

    where = str(table) if isinstance(table, str | PathLike) else name
    frame = _read_file(Path(table)) if isinstance(table, str | PathLike) else pl.DataFrame(table)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        near = difflib.get_close_matches(missing[0], frame.columns, n=1, cutoff=0.5)
        hint = f"; rename {near[0]!r}" if near else ""
        msg = f"{where}: columns {', '.join(columns)} are needed, {missing[0]!r} is missing among {', '.join(frame.columns)}{hint}"
        raise DataError(msg)
    if not frame.height:
        msg = f"{where}: holds no rows; a network needs two of them or more"
        raise DataError(msg)
    return {column: frame[column].cast(pl.String) for column in (*columns, *optional) if column in frame.columns}


def _read_file(path: Path) -> Any:  # noqa: ANN401  # a polars frame
    """Table of a file, CSV columns as text."""
    import polars as pl

    try:
        if path.suffix in {".parquet", ".pq"}:
            return pl.read_parquet(path)
        check_table(path, str(path))
        return pl.read_csv(path, infer_schema=False)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or 'no such file'}); name a CSV or Parquet file"
        raise DataError(msg) from error
    except pl.exceptions.PolarsError as error:
        msg = f"{path}: is no readable table ({str(error).splitlines()[0]}); write it again as CSV or Parquet"
        raise DataError(msg) from error


def _numbers(text: Any, where: str, low: float, high: float) -> NDArray[np.float64]:  # noqa: ANN401  # a polars series
    """Column as numbers within [low, high], refused otherwise."""
    import polars as pl

    values: NDArray[np.float64] = text.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        row = int(np.argmax(bad))
        msg = f"{where} must be a number in [{low:g}, {high:g}], got {text[row]!r} in row {row + 1} ({int(bad.sum())} such rows)"
        raise DataError(msg)
    return values


def _speeds(table: dict[str, Any]) -> tuple[NDArray[np.float64], int]:
    """Free speeds in m/s; missing ones take the median of their road type, else of all links."""
    import polars as pl

    speed = table["freespeed_m_per_s"].cast(pl.Float64, strict=False)
    kind = table.get("road_type", pl.Series("road_type", [None] * len(speed), dtype=pl.String))
    frame = pl.DataFrame({"speed": speed, "kind": kind}).with_columns(
        pl.when(pl.col("speed").is_finite() & (pl.col("speed") > 0)).then("speed")
    )
    missing = int(frame["speed"].null_count())
    filled = frame.with_columns(pl.col("speed").fill_null(pl.col("speed").median().over("kind")).fill_null(pl.col("speed").median()))
    if filled["speed"].null_count():
        msg = "freespeed_m_per_s must be > 0 somewhere, got no such row; fill in free speeds in metres a second"
        raise DataError(msg)
    return filled["speed"].to_numpy().astype(np.float64), missing


def read_roads(nodes: Any, links: Any) -> Roads:  # noqa: ANN401  # any table
    """
    Road graph of node and link tables, the largest strongly connected part of it.

    Links with an end that is no node, and links from a node to itself, are left out and counted; of several between the
    same nodes the fastest stays. Links without a free speed take the median of their road type.

    Parameters
    ----------
    nodes
        Table or file with ``node_id``, ``lon`` and ``lat``.
    links
        Table or file with ``from_node``, ``to_node``, ``length_m``, ``freespeed_m_per_s`` and perhaps ``road_type``.

    Returns
    -------
    Roads
        The graph.

    Raises
    ------
    DataError
        If a column is missing, a node id is repeated, a position or length is no number in range, a link takes months, or no link is left.
    """
    node_table = read_table(nodes, "nodes", _NODE_COLUMNS)
    link_table = read_table(links, "links", _LINK_COLUMNS, ("road_type",))
    names = node_table["node_id"].fill_null("").to_numpy().astype(str)
    lon, lat = _numbers(node_table["lon"], "nodes: lon", -180, 180), _numbers(node_table["lat"], "nodes: lat", -90, 90)
    order = np.argsort(names, kind="stable")
    repeated = names[order][1:] == names[order][:-1]
    if repeated.any():
        msg = f"node ids must be unique, got {str(names[order][1:][repeated][0])!r} more than once ({int(repeated.sum())} such rows)"
        raise DataError(msg)
    start, end = (_positions(link_table[column], names, order) for column in ("from_node", "to_node"))
    metres = _numbers(link_table["length_m"], "links: length_m", 0, 1e7)
    speed, slow = _speeds(link_table)
    dangling, loops = (start < 0) | (end < 0), (start == end) & (start >= 0)
    use = ~(dangling | loops)
    if not use.any():
        msg = f"links must join two nodes of the node table, none of {use.size} does; check that both tables use the same ids"
        raise DataError(msg)
    cost_ms = np.rint(_seconds(metres, speed) * 1000).astype(np.int64)
    rows = fastest(start[use], end[use], cost_ms[use], np.rint(metres[use] * 1000).astype(np.int64))
    counts = (
        ("road nodes", names.size),
        ("road links", use.size),
        ("road links to or from a node that is not in the table", int(dangling.sum())),
        ("road links from a node to itself", int(loops.sum())),
        ("road links beside a faster one", int(use.sum()) - rows[0].size),
        ("road links given the median free speed of their road type", slow),
    )
    return largest_part(names, lon, lat, rows, _node_ranks(link_table, names.size, start, end, use), counts)


def _seconds(metres: NDArray[np.float64], speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds to drive each link, refused where no vehicle is so slow: sums of them have to stay whole numbers."""
    with np.errstate(over="ignore"):
        seconds = metres / speed
    slow = ~(seconds <= _MOST_LINK_S)
    if slow.any():
        row = int(np.argmax(slow))
        msg = (
            f"links: length_m / freespeed_m_per_s must be at most {_MOST_LINK_S:g} s, got {metres[row]:g} m at {speed[row]:g} m/s in row "
            f"{row + 1} ({int(slow.sum())} such rows); give speeds in metres a second, and leave those empty that nobody knows"
        )
        raise DataError(msg)
    return seconds


def _node_ranks(
    table: dict[str, Any], n_nodes: int, start: NDArray[np.int64], end: NDArray[np.int64], use: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Best rank of the roads at each node, by road type; without types all are alike."""
    rank = np.full(n_nodes, OTHER_RANK, dtype=np.int8)
    if "road_type" in table:
        kinds = np.array([RANKS.get(kind or "", OTHER_RANK) for kind in table["road_type"].to_list()], dtype=np.int8)
        for node in (start, end):
            np.minimum.at(rank, node[use], kinds[use])
    return rank


def _positions(ids: Any, names: NDArray[np.str_], order: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ANN401  # a polars series
    """Position of each id among the names, -1 where it is not."""
    wanted = ids.fill_null("").to_numpy().astype(str)
    at = np.minimum(np.searchsorted(names, wanted, sorter=order), names.size - 1)
    return np.where(names[order[at]] == wanted, order[at], -1).astype(np.int64)


def fastest(
    start: NDArray[np.int64], end: NDArray[np.int64], cost: NDArray[np.int64], length: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """
    Links sorted by start and end, of several between the same nodes the fastest, then the shortest.

    Parameters
    ----------
    start, end
        Nodes, shape (m,).
    cost, length
        Milliseconds and millimetres, shape (m,).

    Returns
    -------
    list of ndarray
        The same four columns.
    """
    order = np.lexsort((length, cost, end, start))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (np.diff(start[order]) != 0) | (np.diff(end[order]) != 0)
    return [column[order[first]] for column in (start, end, cost, length)]


def strong_part(rows: Sequence[NDArray[np.int64]], n_nodes: int) -> NDArray[np.bool_]:
    """
    Nodes of the largest strongly connected part; ties go to the one with the first node.

    Parameters
    ----------
    rows
        Start and end of each link.
    n_nodes
        Number of nodes.

    Returns
    -------
    ndarray of bool
        Shape (n_nodes,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(rows[0].size, dtype=np.int8), (rows[0], rows[1])), shape=(n_nodes, n_nodes))
    _, label = connected_components(graph, directed=True, connection="strong")
    _, first, count = np.unique(label, return_index=True, return_counts=True)
    return np.asarray(label == label[first[np.lexsort((first, -count))[0]]])


def largest_part(
    names: NDArray[Any],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    rows: list[NDArray[np.int64]],
    rank: NDArray[np.int8],
    counts: tuple[tuple[str, int], ...],
) -> Roads:
    """
    Largest strongly connected part; ties go to the one with the first node.

    Parameters
    ----------
    names, lon, lat
        Nodes: identifiers and degrees, shape (n,).
    rows
        Links as `fastest` gives them.
    rank
        Rank of each node, shape (n,).
    counts
        What was counted so far.

    Returns
    -------
    Roads
        The graph.
    """
    keep = strong_part(rows, names.size)
    number = np.cumsum(keep) - 1
    inside = keep[rows[0]] & keep[rows[1]]
    start, end, cost, length = (column[inside] for column in rows)
    dropped = (("road nodes outside the largest strongly connected part", int((~keep).sum())), ("road links in use", start.size))
    indptr = np.searchsorted(number[start], np.arange(int(keep.sum()) + 1)).astype(np.int64)
    return Roads(
        names[keep],
        lon[keep],
        lat[keep],
        indptr,
        number[end].astype(np.int32),
        cost,
        length,
        rank[keep],
        np.zeros(int(keep.sum()), np.bool_),
        counts + dropped,
    )


def read_stops(stops: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:  # noqa: ANN401  # any table
    """
    Positions and names of a table of stops.

    Parameters
    ----------
    stops
        Table or file with ``lon`` and ``lat``, and perhaps ``name`` or ``stop_id``.

    Returns
    -------
    tuple
        lon and lat in degrees, each of shape (n,), and names.

    Raises
    ------
    DataError
        If a column is missing or a position is no number in range.
    """
    table = read_table(stops, "stops", _STOP_COLUMNS, ("name", "stop_id"))
    lon, lat = _numbers(table["lon"], "stops: lon", -180, 180), _numbers(table["lat"], "stops: lat", -90, 90)
    named = table.get("name", table.get("stop_id"))
    names = [str(name) for name in named.fill_null("").to_list()] if named is not None else [str(number) for number in range(lon.size)]
    return lon, lat, names
