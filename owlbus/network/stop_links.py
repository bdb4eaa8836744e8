"""Place stops on a road graph and link consecutive stops along the roads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.kernels.paths import chain_ends, chains, needed_links, ways_between_stops
from owlbus.network.assemble import (
    Links,
    NetworkReport,
    Stops,
    components,
    fastest_rows,
    keep_stops,
    require_stops,
    rounded,
    sorted_links,
    stop_and_link_fields,
    unreached,
)
from owlbus.network.walk_sheds import walk_sheds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.from_tables import Roads
    from owlbus.network.walk_sheds import WalkRule

    Counts = list[tuple[str, int]]

_KMH = 3.6
_MM = 1000


def hex_stops(grid: HexGrid, roads: Roads) -> tuple[Stops, NDArray[np.int32], Counts]:
    """
    One stop a hex: on its most important road, at the node nearest the centre; ties go to the first node.

    Stops along main roads need far fewer links than stops nearest to the centres.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.

    Returns
    -------
    tuple
        Stops by hex, the road node of each, and counts.

    Raises
    ------
    DataError
        If no node lies in the grid.
    """
    inside = grid.lonlat_to_hex(roads.lon, roads.lat)
    node = np.flatnonzero(inside >= 0)
    if not node.size:
        msg = f"roads must overlap the grid, none of {inside.size} nodes lies in it; check the outline and that lon comes before lat"
        raise DataError(msg)
    x, y = grid.project(roads.lon[node], roads.lat[node])
    hex_of_node = inside[node]
    distance = np.round(np.hypot(x - grid.x_m[hex_of_node], y - grid.y_m[hex_of_node]), 6)
    order = np.lexsort((node, distance, roads.rank[node], hex_of_node))
    hexes, first = np.unique(hex_of_node[order], return_index=True)
    chosen = node[order[first]]
    stops = Stops(roads.lon[chosen], roads.lat[chosen], hexes.astype(np.int32), [str(name) for name in roads.names[chosen]])
    return stops, chosen.astype(np.int32), [("hexes without a road node", grid.n_hexes - hexes.size)]


def snapped_stops(
    grid: HexGrid, roads: Roads, places: tuple[NDArray[np.float64], NDArray[np.float64], list[str], list[str]], snap_m: float
) -> tuple[Stops, NDArray[np.int32], Counts]:
    """
    Stops moved to the nearest road node; stops too far from a road, or on the node of another stop, are left out.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.
    places
        lon, lat in degrees, names, and names in Latin letters, each of length n.
    snap_m
        Largest distance in metres from a stop to its road node, boundary included.

    Returns
    -------
    tuple
        Stops in the order of `places`, the road node of each, and counts.
    """
    from scipy.spatial import cKDTree

    lon, lat, *names = places
    tree = cKDTree(np.stack(grid.project(roads.lon, roads.lat), axis=1))
    distance, node = tree.query(np.stack(grid.project(lon, lat), axis=1))
    near = np.flatnonzero(distance <= snap_m + 1e-6)
    _, first = np.unique(node[near], return_index=True)
    kept = near[np.sort(first)]
    nodes = node[kept]
    hexes = grid.lonlat_to_hex(roads.lon[nodes], roads.lat[nodes])
    counts = [("stops too far from a road and dropped", lon.size - near.size), ("stops on the road node of another", near.size - kept.size)]
    kept_names = ([column[i] for i in kept.tolist()] for column in names)
    return Stops(roads.lon[nodes], roads.lat[nodes], hexes, *kept_names), nodes.astype(np.int32), counts


class _Graph(NamedTuple):
    """Road links by start node, and the node of each stop: the first arguments of `ways_between_stops`."""

    indptr: NDArray[np.int64]
    to: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    stop_node: NDArray[np.int32]


class _Paths(NamedTuple):
    """
    Fastest paths between stops, with milliseconds and millimetres.

    `pairs` holds ``start * n_stops + end``, ascending; the nodes of row k are ``path_node[path_ptr[k]:path_ptr[k + 1]]``.
    """

    pairs: NDArray[np.int64]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    path_ptr: NDArray[np.int64]
    path_node: NDArray[np.int32]

    @classmethod
    def search(cls, graph: _Graph, targets: tuple[NDArray[np.int64], NDArray[np.int32]], limit_ms: int) -> _Paths:
        """Search from every stop to its targets; without any targets, to the stops that follow it along the roads."""
        row_ptr, end, cost, length, path_ptr, path_node = ways_between_stops(*graph, *targets, limit_ms, 1)
        n_stops = row_ptr.size - 1
        pairs = np.repeat(np.arange(n_stops), np.diff(row_ptr)) * n_stops + end
        return cls(pairs, cost, length, path_ptr, path_node).rows(np.argsort(pairs))

    def rows(self, kept: NDArray[np.int64]) -> _Paths:
        """Paths of some rows, in the order of `kept`."""
        size = np.diff(self.path_ptr)[kept]
        ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        nodes = np.arange(ptr[-1]) + np.repeat(self.path_ptr[kept] - ptr[:-1], size)
        return _Paths(self.pairs[kept], self.cost_ms[kept], self.length_mm[kept], ptr, self.path_node[nodes])

    def joined(self, other: _Paths) -> _Paths:
        """These paths and those of other pairs."""
        both = _Paths(
            np.concatenate([self.pairs, other.pairs]),
            np.concatenate([self.cost_ms, other.cost_ms]),
            np.concatenate([self.length_mm, other.length_mm]),
            np.concatenate([self.path_ptr, self.path_ptr[-1] + other.path_ptr[1:]]),
            np.concatenate([self.path_node, other.path_node]),
        )
        return both.rows(np.argsort(both.pairs))


def _reversed(pairs: NDArray[np.int64], n_stops: int) -> NDArray[np.int64]:
    """Pairs with start and end exchanged."""
    return (pairs % n_stops) * n_stops + pairs // n_stops


def _rows(pairs: NDArray[np.int64], n_stops: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Row starts and ends of ascending pairs."""
    return np.searchsorted(pairs, np.arange(n_stops + 1) * n_stops).astype(np.int64), (pairs % n_stops).astype(np.int32)


def _spanner(paths: _Paths, n_stops: int, stretch: float) -> NDArray[np.int64]:
    """Rows, in both directions, of the greedy spanner of round trips; ties go to the lower pair."""
    pairs = paths.pairs
    reverse = _reversed(pairs, n_stops)
    reverse_row = np.minimum(np.searchsorted(pairs, reverse), pairs.size - 1)
    round_trip = paths.cost_ms + paths.cost_ms[reverse_row]
    rows = np.flatnonzero((pairs[reverse_row] == reverse) & (pairs < reverse))
    rows = rows[np.lexsort((pairs[rows], round_trip[rows]))]
    kept = rows[needed_links(n_stops, pairs[rows] // n_stops, pairs[rows] % n_stops, round_trip[rows], stretch)]
    return np.union1d(kept, reverse_row[kept])


def stop_links(
    roads: Roads, nodes: NDArray[np.int32], max_link_s: float, stretch: float
) -> tuple[Links, tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """
    Links between stops along the roads, with free-flow milliseconds, and the road nodes of each.

    Candidates are pairs of stops whose fastest path, in one direction at least, passes no third stop. Both directions must take at
    most `max_link_s`. The greedy spanner of round trips selects the links: a pair is left out if shorter links join it at
    `stretch` times its round trip or less.

    Parameters
    ----------
    roads
        The roads.
    nodes
        Road node of each stop.
    max_link_s
        Longest link in seconds at free flow, boundary included.
    stretch
        Largest round trip over other links, as a multiple of the direct one, dimensionless.

    Returns
    -------
    tuple
        Sorted links whose ``seconds`` hold milliseconds and ``metres`` millimetres; row starts and nodes of their paths.
    """
    graph, chain_nodes = _reduced(roads, nodes)
    limit_ms, n_stops = int(max_link_s * 1000), nodes.size
    no_targets = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    candidates = _Paths.search(graph, no_targets, limit_ms)
    missing = np.setdiff1d(_reversed(candidates.pairs, n_stops), candidates.pairs)  # their fastest paths pass a third stop
    if missing.size:
        candidates = candidates.joined(_Paths.search(graph, _rows(missing, n_stops), limit_ms))
    paths = candidates.rows(_spanner(candidates, n_stops, stretch))
    pairs = paths.pairs
    rows = Links(pairs // n_stops, pairs % n_stops, paths.cost_ms, paths.length_mm, np.arange(pairs.size))
    return sorted_links(rows), _on_streets(graph, chain_nodes, paths)


def _reduced(roads: Roads, nodes: NDArray[np.int32]) -> tuple[_Graph, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]]:
    """Roads with each chain of nodes between junctions as one link, without dead ends; and the row start, size and nodes of each."""
    n_nodes = roads.lon.size
    start = np.repeat(np.arange(n_nodes, dtype=np.int64), np.diff(roads.indptr))
    either = np.unique(np.concatenate([start * n_nodes + roads.to, roads.to * np.int64(n_nodes) + start]))
    is_stop = np.zeros(n_nodes, dtype=np.bool_)
    is_stop[nodes] = True
    kind = chain_ends(np.searchsorted(either, np.arange(n_nodes + 1) * n_nodes), (either % n_nodes).astype(np.int32), is_stop)
    begin, end, cost, length, ptr, passed = chains(roads.indptr, roads.to, roads.cost_ms, roads.length_mm, kind)
    kept = fastest_rows(begin, end, cost, length)
    is_end = kind == 2  # noqa: PLR2004  # end of a chain
    number = np.cumsum(is_end) - 1
    indptr = np.searchsorted(number[begin[kept]], np.arange(int(is_end.sum()) + 1)).astype(np.int64)
    graph = _Graph(indptr, number[end[kept]].astype(np.int32), cost[kept], length[kept], number[nodes].astype(np.int32))
    return graph, (ptr[kept], ptr[kept + 1] - ptr[kept], passed)


def _on_streets(
    graph: _Graph, chain_nodes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]], paths: _Paths
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Row starts and road nodes of paths, with the nodes of each chain in place of its link."""
    chain_start, chain_size, node = chain_nodes
    n_nodes = graph.indptr.size - 1
    key = np.repeat(np.arange(n_nodes, dtype=np.int64), np.diff(graph.indptr)) * n_nodes + graph.to
    ends_way = np.zeros(paths.path_node.size, dtype=np.bool_)
    ends_way[paths.path_ptr[1:] - 1] = True
    step = np.flatnonzero(~ends_way)
    link = np.searchsorted(key, paths.path_node[step].astype(np.int64) * n_nodes + paths.path_node[step + 1])
    size = chain_size[link] - 1  # a chain's last node is the next one's first
    rows = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + np.repeat(chain_start[link], size)
    way = np.searchsorted(paths.path_ptr, step, side="right") - 1
    count = np.bincount(way, size, paths.pairs.size).astype(np.int64)
    is_last = np.concatenate([np.diff(way) > 0, [True]])[: step.size]
    last = node[chain_start[link] + size][is_last]
    return np.concatenate([[0], np.cumsum(count + 1)]).astype(np.int64), np.insert(node[rows], np.cumsum(count), last)


def commercial(links: Links, speed_kmh: float | None, night_factor: float = 1.0) -> tuple[Links, float]:
    """
    Links in whole seconds and metres; one factor on free-flow times makes the median link run at a given speed.

    Parameters
    ----------
    links
        Links in milliseconds and millimetres.
    speed_kmh
        Commercial speed in km/h; None keeps free flow.
    night_factor
        Factor on all seconds, dimensionless.

    Returns
    -------
    tuple
        Links in seconds and metres, and the factor on free-flow seconds, at least `night_factor`.
    """
    free_kmh = float(np.median(links.metres / np.maximum(links.seconds, 1))) * _KMH
    factor = night_factor * (1.0 if speed_kmh is None else max(1.0, free_kmh / speed_kmh))
    return links._replace(seconds=rounded(links.seconds * factor / _MM), metres=rounded(links.metres / _MM)), factor


class RoadSettings(NamedTuple):
    """
    Settings for making a network from roads.

    Attributes
    ----------
    speed_kmh
        Commercial speed of the median link in km/h; None keeps the speeds of the roads.
    night_factor
        Factor on all ride seconds, dimensionless.
    max_link_s
        Longest link in seconds at free flow.
    stretch
        A direct link is left out if the round trip over other links is at most this many times as long, dimensionless.
    rule
        When a hex counts as within the walk.
    source, title
        Source of the network, and name of the roads in messages.
    """

    speed_kmh: float | None
    night_factor: float
    max_link_s: float
    stretch: float
    rule: WalkRule
    source: str = "tables"
    title: str = "road tables"


def road_parts(grid: HexGrid, roads: Roads, placed: tuple[Stops, NDArray[np.int32], Counts], settings: RoadSettings) -> dict[str, Any]:
    """
    Fields of a network on roads.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.
    placed
        Stops, the road node of each, and counts.
    settings
        Speeds, the longest link and the walk.

    Returns
    -------
    dict
        Arguments of `Network`.

    Raises
    ------
    DataError
        If fewer than two stops are connected.
    """
    stops, nodes, counts = placed
    require_stops(len(stops.names), settings.title)
    free, paths = stop_links(roads, nodes, settings.max_link_s, settings.stretch)
    is_kept = components(free.start, free.end, nodes.size) == 0
    require_stops(int(is_kept.sum()) * bool(free.start.size), settings.title)
    kept_stops, kept_links = keep_stops(stops, free, is_kept)
    kept_links, factor = commercial(kept_links, settings.speed_kmh, settings.night_factor)
    sheds = walk_sheds(grid, kept_stops, settings.rule)
    kept_counts = [
        ("stops cut off and dropped", int((~is_kept).sum())),
        ("stops kept", len(kept_stops.names)),
        ("links kept, each direction counted", kept_links.start.size),
    ]
    median_kmh = np.median(kept_links.metres / kept_links.seconds) * _KMH
    notes = (f"ride seconds are {factor:.3f} times free flow; the median link runs at {median_kmh:.1f} km/h",)
    report = NetworkReport(settings.title, (*roads.counts, *counts, *kept_counts), unreached(grid, sheds["shed_hex"]), notes)
    lines = street_lines(roads, kept_links, paths)
    return stop_and_link_fields(kept_stops, kept_links) | sheds | lines | {"source": settings.source, "report": report}


def street_lines(roads: Roads, links: Links, paths: tuple[NDArray[np.int64], NDArray[np.int32]]) -> dict[str, NDArray[Any]]:
    """
    Geometry of each link along its road nodes, without hidden nodes and repeated positions.

    Parameters
    ----------
    roads
        The roads.
    links
        Links whose ``line`` is a row of `paths`.
    paths
        Row starts and road nodes, as `stop_links` returns them.

    Returns
    -------
    dict of ndarray
        ``line_indptr``, ``line_lon`` and ``line_lat``, degrees.
    """
    path_ptr, path_node = paths
    size = np.diff(path_ptr)[links.line]
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    rows = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - path_ptr[links.line], size)
    node = path_node[rows]
    link = np.repeat(np.arange(size.size), size)
    visible = ~roads.hidden[node]
    node, link = node[visible], link[visible]
    repeats = (link[1:] == link[:-1]) & (roads.lon[node[1:]] == roads.lon[node[:-1]]) & (roads.lat[node[1:]] == roads.lat[node[:-1]])
    is_kept = np.concatenate([[True], ~repeats])[: node.size]
    node, link = node[is_kept], link[is_kept]
    lon, lat, count = roads.lon[node], roads.lat[node], np.bincount(link, minlength=size.size)
    short = np.flatnonzero(np.repeat(count < 2, count))  # noqa: PLR2004  # a line has two ends
    lon, lat = np.insert(lon, short, lon[short]), np.insert(lat, short, lat[short])
    return {"line_indptr": np.concatenate([[0], np.cumsum(np.maximum(count, 2))]).astype(np.int64), "line_lon": lon, "line_lat": lat}
