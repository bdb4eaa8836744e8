"""Read road tables of nodes and directed links: check them and keep their largest strongly connected component."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import SPEED_KMH
from owlbus.common.errors import DataError
from owlbus.common.frames import as_polars
from owlbus.grid.axes import looks_projected, swapped_axes
from owlbus.network.assemble import Stops, components, fastest_rows
from owlbus.network.link_columns import is_oneway, rename_columns
from owlbus.records.text_lines import check_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid

_NODE_COLUMNS = ("node_id", "lon", "lat")
_MOST_LINK_S = 1e7
_KMH = 3.6
_LINK_COLUMNS = ("from_node", "to_node", "length_m")
_STOP_COLUMNS = ("lon", "lat")

RANKS = {
    "primary": 0,
    "secondary": 0,
    "trunk": 1,
    "tertiary": 1,
    "busway": 1,
    "bus_guideway": 1,
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
"""Rank of each road type for stops, lower is better: people live along main roads, none along a motorway."""
OTHER_RANK = 4


class Roads(NamedTuple):
    """
    A strongly connected road graph in whole milliseconds and millimetres, so that sums are exact.

    Attributes
    ----------
    names
        Identifier of each node, shape (n,).
    lon, lat
        Degrees, shape (n,).
    indptr, to
        Links by start node: shapes (n + 1,) and (m,).
    cost_ms, length_mm
        Free-flow milliseconds and millimetres of each link, shape (m,), int64.
    rank
        Rank of each node for stops, 0 for main roads, lower is better; shape (n,), int8.
    hidden
        Whether a node is no point of a street and stays out of geometry, shape (n,).
    counts
        Label and number of each count of the reader.
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
    Columns of a file or a table as text, by name.

    Parameters
    ----------
    table
        Path of a CSV (gzip or not) or Parquet file, a table of pandas, polars or pyarrow, or columns by name.
    name
        Name of the table in messages.
    columns, optional
        Required and optional columns.

    Returns
    -------
    dict
        polars Series of text by column name.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, lacks a column, or has an unterminated line.
    UsageError
        If it is no table.
    """
    import polars as pl

    title = str(table) if isinstance(table, str | PathLike) else name
    frame = _frame_of(table, name)
    frame = rename_columns(frame, (*columns, *optional), title)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        similar = difflib.get_close_matches(missing[0], frame.columns, n=1, cutoff=0.5)
        hint = f"; rename {similar[0]!r}" if similar else ""
        msg = f"{title}: columns {', '.join(columns)} are needed, {missing[0]!r} is missing among {', '.join(frame.columns)}{hint}"
        raise DataError(msg)
    if not frame.height:
        msg = f"{title}: holds no rows; it needs one at least"
        raise DataError(msg)
    return {column: frame[column].cast(pl.String) for column in (*columns, *optional) if column in frame.columns}


def _frame_of(table: Any, name: str) -> Any:  # noqa: ANN401  # any table, a polars frame
    """Table of a file or of Python, as a polars frame."""
    import polars as pl

    if isinstance(table, str | PathLike):
        return _read_file(Path(table))
    return pl.DataFrame(table) if isinstance(table, Mapping) else as_polars(table, name)


def _read_file(path: Path) -> Any:  # noqa: ANN401  # a polars frame
    """Table of a file, with CSV columns as text."""
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


def numbers_of(text: Any, title: str, low: float, high: float) -> NDArray[np.float64]:  # noqa: ANN401  # a polars series
    """
    Column of text as numbers.

    Parameters
    ----------
    text
        polars Series of text.
    title
        Table and column in messages.
    low, high
        Least and largest number allowed, in the unit of the column.

    Returns
    -------
    ndarray of float64
        Shape (n_rows,).

    Raises
    ------
    DataError
        If a value is no number in [low, high].
    """
    import polars as pl

    values: NDArray[np.float64] = text.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    invalid = ~((values >= low) & (values <= high))
    if invalid.any():
        row = int(np.argmax(invalid))
        msg = f"{title} must be a number in [{low:g}, {high:g}], got {text[row]!r} in row {row + 1} ({int(invalid.sum())} such rows)"
        raise DataError(msg)
    return values


def _lonlat(table: dict[str, Any], title: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions in degrees; those that look swapped or projected are refused as a whole."""
    import polars as pl

    x, y = (table[name].cast(pl.Float64, strict=False).to_numpy().astype(np.float64) for name in ("lon", "lat"))
    found = swapped_axes(x, y)
    if found:
        msg = f"{title}: {found}, so lon and lat look swapped; rename the two columns"
        raise DataError(msg)
    if looks_projected(x, y):
        msg = f"{title}: lon and lat look like metres of a projected system; write them in degrees WGS 84"
        raise DataError(msg)
    return numbers_of(table["lon"], f"{title}: lon", -180, 180), numbers_of(table["lat"], f"{title}: lat", -90, 90)


def _speeds(table: dict[str, Any], speed_kmh: float | None) -> tuple[NDArray[np.float64], int]:
    """
    Free-flow speeds in m/s, and the number of missing ones, filled with the median of their road type or of all links.

    A table without a column of speeds has the commercial speed `speed_kmh` on all links.
    """
    import polars as pl

    if "freespeed_m_per_s" not in table:
        n_links = len(table["length_m"])
        return np.full(n_links, (speed_kmh or SPEED_KMH) / _KMH), 0
    speed = table["freespeed_m_per_s"].cast(pl.Float64, strict=False)
    road_type = table.get("road_type", pl.Series("road_type", [None] * len(speed), dtype=pl.String))
    frame = pl.DataFrame({"speed": speed, "kind": road_type}).with_columns(
        pl.when(pl.col("speed").is_finite() & (pl.col("speed") > 0)).then("speed")
    )
    missing = int(frame["speed"].null_count())
    filled = frame.with_columns(pl.col("speed").fill_null(pl.col("speed").median().over("kind")).fill_null(pl.col("speed").median()))
    if filled["speed"].null_count():
        msg = "freespeed_m_per_s must be > 0 somewhere, got no such row; fill in free speeds in metres a second"
        raise DataError(msg)
    return filled["speed"].to_numpy().astype(np.float64), missing


def read_roads(nodes: Any, links: Any, speed_kmh: float | None = SPEED_KMH, road_factor: float = 1.0) -> Roads:  # noqa: ANN401  # any table
    """
    Largest strongly connected component of the road graph in node and link tables.

    Links to or from an unknown node, and links from a node to itself, are left out and counted. Between each pair of nodes the
    fastest link stays. Links without a free-flow speed take the median of their road type, those of a table without speeds the
    commercial speed. A table of stops (`is_stop_table`) has both sides of a street as one stop: a link listed in one direction only
    is driven back at the same length, unless its ``oneway`` says no.

    Parameters
    ----------
    nodes
        Table or file with ``node_id`` or ``stop_id``, ``lon`` and ``lat``, and perhaps ``name``.
    links
        Table or file with ``from_node``, ``to_node`` and ``length_m`` (or ``from_stop``, ``to_stop`` and ``metres``), and perhaps
        ``freespeed_m_per_s``, ``road_type`` and ``oneway``.
    speed_kmh
        Commercial speed in km/h, of links without any speed; None takes the default.
    road_factor
        Factor on the metres of all links, dimensionless.

    Returns
    -------
    Roads
        The graph.

    Raises
    ------
    DataError
        If a column is missing, a node id is repeated, a position or length is out of range, a link takes months, or no link is left.
    """
    node_table = read_table(nodes, "nodes", _NODE_COLUMNS)
    link_table = read_table(links, "links", _LINK_COLUMNS, ("freespeed_m_per_s", "road_type", "oneway"))
    names = node_table["node_id"].fill_null("").to_numpy().astype(str)
    lon, lat = _lonlat(node_table, "nodes")
    order = _order_of(names)
    start, end = (_positions(link_table[column], names, order) for column in ("from_node", "to_node"))
    metres = numbers_of(link_table["length_m"], "links: length_m", 0, 1e7) * road_factor
    speed, n_filled = _speeds(link_table, speed_kmh)
    dangling, loops = (start < 0) | (end < 0), (start == end) & (start >= 0)
    valid = ~(dangling | loops)
    if not valid.any():
        msg = f"links must join two nodes of the node table, none of {valid.size} does; check that both tables use the same ids"
        raise DataError(msg)
    cost_ms = np.rint(_seconds(metres, speed) * 1000).astype(np.int64)
    given = start[valid], end[valid], cost_ms[valid], np.rint(metres[valid] * 1000).astype(np.int64)
    both: tuple[NDArray[np.int64], ...] = given
    n_back = 0
    if is_stop_table(nodes):
        both, n_back = _with_way_back(given, is_oneway(link_table, "links")[valid])
    rows = fastest(both[0], both[1], both[2], both[3])
    counts = (
        ("road nodes", names.size),
        ("road links", valid.size),
        ("road links to or from a node that is not in the table", int(dangling.sum())),
        ("road links from a node to itself", int(loops.sum())),
        ("road links beside a faster one", both[0].size - rows[0].size),
        ("road links given the median free speed of their road type", n_filled),
        *((("links listed in one direction and driven back the same way", n_back),) if n_back else ()),
    )
    return largest_part(names, lon, lat, rows, _node_ranks(link_table, names.size, start, end, valid), counts)


def _order_of(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Order that sorts node ids; repeated ones are refused."""
    order = np.argsort(names, kind="stable")
    repeated = names[order][1:] == names[order][:-1]
    if repeated.any():
        msg = f"node ids must be unique, got {str(names[order][1:][repeated][0])!r} more than once ({int(repeated.sum())} such rows)"
        raise DataError(msg)
    return order


def _with_way_back(rows: tuple[NDArray[np.int64], ...], oneway: NDArray[np.bool_]) -> tuple[tuple[NDArray[np.int64], ...], int]:
    """Return links and the reverse of each that is listed in one direction only and not one-way, and the number added."""
    start, end, cost, length = rows
    n = int(max(start.max(), end.max())) + 1
    lone = ~np.isin(end * n + start, start * n + end) & ~oneway
    added = end[lone], start[lone], cost[lone], length[lone]
    return tuple(np.concatenate(pair) for pair in zip(rows, added, strict=True)), int(np.unique(start[lone] * n + end[lone]).size)


def _seconds(metres: NDArray[np.float64], speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drive time of each link in seconds; implausibly slow links are refused, so that sums stay exact."""
    with np.errstate(over="ignore"):
        seconds = metres / speed
    too_slow = ~(seconds <= _MOST_LINK_S)
    if too_slow.any():
        row = int(np.argmax(too_slow))
        msg = (
            f"links: length_m / freespeed_m_per_s must be at most {_MOST_LINK_S:g} s, got {metres[row]:g} m at {speed[row]:g} m/s in row "
            f"{row + 1} ({int(too_slow.sum())} such rows); give speeds in metres a second, and leave those empty that nobody knows"
        )
        raise DataError(msg)
    return seconds


def _node_ranks(
    table: dict[str, Any], n_nodes: int, start: NDArray[np.int64], end: NDArray[np.int64], use: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Best rank of the roads at each node, by road type; the same rank for all without road types."""
    rank = np.full(n_nodes, OTHER_RANK, dtype=np.int8)
    if "road_type" in table:
        kinds = np.array([RANKS.get(kind or "", OTHER_RANK) for kind in table["road_type"].to_list()], dtype=np.int8)
        for node in (start, end):
            np.minimum.at(rank, node[use], kinds[use])
    return rank


def _positions(ids: Any, names: NDArray[np.str_], order: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ANN401  # a polars series
    """Index of each id in `names`, -1 if it is missing."""
    texts = ids.fill_null("").to_numpy().astype(str)
    rank = np.minimum(np.searchsorted(names, texts, sorter=order), names.size - 1)
    return np.where(names[order[rank]] == texts, order[rank], -1).astype(np.int64)


def fastest(
    start: NDArray[np.int64], end: NDArray[np.int64], cost: NDArray[np.int64], length: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """
    Links sorted by start and end; between each pair of nodes the fastest, then the shortest.

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
    rows = fastest_rows(start, end, cost, length)
    return [column[rows] for column in (start, end, cost, length)]


def largest_part(
    names: NDArray[Any],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    rows: list[NDArray[np.int64]],
    rank: NDArray[np.int8],
    counts: tuple[tuple[str, int], ...],
) -> Roads:
    """
    Largest strongly connected component of a road graph; ties go to the component of the first node.

    Parameters
    ----------
    names, lon, lat
        Identifier of each node and its degrees, shape (n,).
    rows
        Links from `fastest`.
    rank
        Rank of each node, shape (n,).
    counts
        Counts so far.

    Returns
    -------
    Roads
        The graph.
    """
    kept = components(rows[0], rows[1], names.size, strong=True) == 0
    number = np.cumsum(kept) - 1
    inside = kept[rows[0]] & kept[rows[1]]
    start, end, cost, length = (column[inside] for column in rows)
    dropped = (("road nodes outside the largest strongly connected part", int((~kept).sum())), ("road links in use", start.size))
    indptr = np.searchsorted(number[start], np.arange(int(kept.sum()) + 1)).astype(np.int64)
    return Roads(
        names[kept],
        lon[kept],
        lat[kept],
        indptr,
        number[end].astype(np.int32),
        cost,
        length,
        rank[kept],
        np.zeros(int(kept.sum()), np.bool_),
        counts + dropped,
    )


def read_stops(stops: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str], list[str]]:  # noqa: ANN401  # any table
    """
    Positions and names of a table of stops.

    Parameters
    ----------
    stops
        Table or file with ``lon`` and ``lat``, and perhaps ``name`` or ``stop_id``, and ``name_latin``.

    Returns
    -------
    tuple
        lon and lat in degrees, each of shape (n,), names, and names in Latin letters, empty where unknown.

    Raises
    ------
    DataError
        If a column is missing or a position is no number in range.
    """
    table = read_table(stops, "stops", _STOP_COLUMNS, ("name", "stop_id", "name_latin"))
    lon, lat = _lonlat(table, "stops")
    named = table.get("name", table.get("stop_id"))
    names = [str(name) for name in named.fill_null("").to_list()] if named is not None else [str(number) for number in range(lon.size)]
    return lon, lat, names, _latin(table, lon.size)


def _latin(table: dict[str, Any], n_rows: int) -> list[str]:
    """Names in Latin letters of a table, empty where it has none."""
    column = table.get("name_latin")
    return [""] * n_rows if column is None else [name.strip() for name in column.fill_null("").to_list()]


def is_stop_table(nodes: Any) -> bool:  # noqa: ANN401  # any table
    """
    Return whether a table of nodes is one of stops: its ids are ``stop_id``.

    Parameters
    ----------
    nodes
        Table or file.

    Returns
    -------
    bool
        False also for a table that has ``node_id`` too.

    Raises
    ------
    DataError
        If the file cannot be read.
    UsageError
        If it is no table.
    """
    columns = set(_frame_of(nodes, "nodes").columns)
    return "stop_id" in columns and "node_id" not in columns


def node_stops(grid: HexGrid, roads: Roads, nodes: Any) -> tuple[Stops, NDArray[np.int32], list[tuple[str, int]]]:  # noqa: ANN401  # any table
    """
    One stop at each node of a table of stops.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads of the same table.
    nodes
        Table or file with ``stop_id``, and perhaps ``name`` and ``name_latin``.

    Returns
    -------
    tuple
        Stops, the road node of each, and counts (none).
    """
    table = read_table(nodes, "nodes", ("node_id",), ("name", "name_latin"))
    ids = table["node_id"].fill_null("").to_list()
    name_of = dict(zip(ids, table["name"].fill_null("").to_list() if "name" in table else ids, strict=True))
    names = [name_of[str(name)] or str(name) for name in roads.names]
    latin_of = dict(zip(ids, _latin(table, len(ids)), strict=True))
    latin = [latin_of[str(name)] for name in roads.names]
    hexes = grid.lonlat_to_hex(roads.lon, roads.lat)
    return Stops(roads.lon, roads.lat, hexes, names, latin), np.arange(roads.lon.size, dtype=np.int32), []
