"""From roads to stops: where buses halt, and which stops follow each other along the roads."""

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
    keep_stops,
    link_rows,
    require_stops,
    sorted_links,
    unreached,
    whole,
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

    On main roads stops lie along few ways, so that far fewer links join them than if each lay nearest its hex's centre.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.

    Returns
    -------
    tuple
        Stops by hex, the road node of each, and what was counted.

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
    home = inside[node]
    off = np.round(np.hypot(x - grid.x_m[home], y - grid.y_m[home]), 6)
    order = np.lexsort((node, off, roads.rank[node], home))
    hexes, first = np.unique(home[order], return_index=True)
    chosen = node[order[first]]
    stops = Stops(roads.lon[chosen], roads.lat[chosen], hexes.astype(np.int32), [str(name) for name in roads.names[chosen]])
    return stops, chosen.astype(np.int32), [("hexes without a road node", grid.n_hexes - hexes.size)]


def snapped_stops(
    grid: HexGrid, roads: Roads, places: tuple[NDArray[np.float64], NDArray[np.float64], list[str]], snap_m: float
) -> tuple[Stops, NDArray[np.int32], Counts]:
    """
    Given stops, each moved to the nearest road node; those too far from one, or on a node that has a stop, are left out.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.
    places
        lon, lat in degrees and names, each of length n.
    snap_m
        Metres that a stop may be moved, boundary included.

    Returns
    -------
    tuple
        Stops in the order given, the road node of each, and what was counted.
    """
    from scipy.spatial import cKDTree

    lon, lat, names = places
    tree = cKDTree(np.stack(grid.project(roads.lon, roads.lat), axis=1))
    off, node = tree.query(np.stack(grid.project(lon, lat), axis=1))
    near = np.flatnonzero(off <= snap_m + 1e-6)
    _, first = np.unique(node[near], return_index=True)
    kept = near[np.sort(first)]
    at = node[kept]
    hexes = grid.lonlat_to_hex(roads.lon[at], roads.lat[at])
    counts = [("stops too far from a road and dropped", lon.size - near.size), ("stops on the road node of another", near.size - kept.size)]
    return Stops(roads.lon[at], roads.lat[at], hexes, [names[i] for i in kept.tolist()]), at.astype(np.int32), counts


class _Graph(NamedTuple):
    """Road links by row and the node of each stop, as `ways_between_stops` takes them."""

    indptr: NDArray[np.int64]
    to: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    stop_node: NDArray[np.int32]


class _Ways(NamedTuple):
    """Fastest ways between stops: start and end as one number, ``start * n_stops + end``, ascending; row starts of their nodes."""

    pairs: NDArray[np.int64]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    way_ptr: NDArray[np.int64]
    way_node: NDArray[np.int32]

    @classmethod
    def found(cls, graph: _Graph, wanted: tuple[NDArray[np.int64], NDArray[np.int32]], limit_ms: int) -> _Ways:
        """Search from every stop, for the wanted stops or the following ones."""
        row_ptr, end, cost, length, way_ptr, way_node = ways_between_stops(*graph, *wanted, limit_ms, 1)
        n_stops = row_ptr.size - 1
        pairs = np.repeat(np.arange(n_stops), np.diff(row_ptr)) * n_stops + end
        return cls(pairs, cost, length, way_ptr, way_node).rows(np.argsort(pairs))

    def rows(self, kept: NDArray[np.int64]) -> _Ways:
        """Some of the ways, in the order asked for."""
        size = np.diff(self.way_ptr)[kept]
        ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        at = np.arange(ptr[-1]) + np.repeat(self.way_ptr[kept] - ptr[:-1], size)
        return _Ways(self.pairs[kept], self.cost_ms[kept], self.length_mm[kept], ptr, self.way_node[at])

    def joined(self, other: _Ways) -> _Ways:
        """These ways and others, none of them the same pair."""
        both = _Ways(
            np.concatenate([self.pairs, other.pairs]),
            np.concatenate([self.cost_ms, other.cost_ms]),
            np.concatenate([self.length_mm, other.length_mm]),
            np.concatenate([self.way_ptr, self.way_ptr[-1] + other.way_ptr[1:]]),
            np.concatenate([self.way_node, other.way_node]),
        )
        return both.rows(np.argsort(both.pairs))


def _flipped(pairs: NDArray[np.int64], n_stops: int) -> NDArray[np.int64]:
    """Pairs from end to start."""
    return (pairs % n_stops) * n_stops + pairs // n_stops


def _rows(pairs: NDArray[np.int64], n_stops: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Ascending pairs as row starts and ends."""
    return np.searchsorted(pairs, np.arange(n_stops + 1) * n_stops).astype(np.int64), (pairs % n_stops).astype(np.int32)


def _needed(ways: _Ways, n_stops: int, stretch: float) -> NDArray[np.int64]:
    """Rows, in both directions, that the greedy spanner of round trips keeps; ties go to the lower pair."""
    there, cost = ways.pairs, ways.cost_ms
    back = _flipped(there, n_stops)
    at = np.minimum(np.searchsorted(there, back), there.size - 1)
    use = np.flatnonzero((there[at] == back) & (there < back))
    use = use[np.lexsort((there[use], cost[use] + cost[at[use]]))]
    kept = use[needed_links(n_stops, there[use] // n_stops, there[use] % n_stops, cost[use] + cost[at[use]], stretch)]
    return np.union1d(kept, at[kept])


def stop_links(
    roads: Roads, nodes: NDArray[np.int32], max_link_s: float, stretch: float
) -> tuple[Links, tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """
    Links between stops along the roads, with free-flow milliseconds, and the nodes each one passes.

    Candidates are stops that follow each other: the fastest way between them, in one direction at least, passes no third
    stop. Both directions must be found within `max_link_s`. Of these the greedy spanner of round trips is kept: a pair is
    left out if shorter links join it at `stretch` times its round trip or less.

    Parameters
    ----------
    roads
        The roads.
    nodes
        Road node of each stop.
    max_link_s
        Longest link in seconds at free flow, boundary included.
    stretch
        Round trip allowed instead of 1, dimensionless.

    Returns
    -------
    tuple
        Links whose ``seconds`` hold milliseconds and ``metres`` millimetres, sorted; row starts and nodes of their ways.
    """
    graph, street = _reduced(roads, nodes)
    limit, n_stops = int(max_link_s * 1000), nodes.size
    nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    following = _Ways.found(graph, nothing, limit)
    back = np.setdiff1d(_flipped(following.pairs, n_stops), following.pairs)  # their fastest ways pass a third stop
    either = following.joined(_Ways.found(graph, _rows(back, n_stops), limit)) if back.size else following
    ways = either.rows(_needed(either, n_stops, stretch))
    pairs = ways.pairs
    rows = Links(pairs // n_stops, pairs % n_stops, ways.cost_ms, ways.length_mm, np.arange(pairs.size))
    return sorted_links(rows), _on_streets(graph, street, ways)


def _reduced(roads: Roads, nodes: NDArray[np.int32]) -> tuple[_Graph, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]]:
    """Roads without dead ends and nodes that are only passed, so that fastest ways between stops are kept; and the nodes of each link."""
    n_nodes = roads.lon.size
    start = np.repeat(np.arange(n_nodes, dtype=np.int64), np.diff(roads.indptr))
    either = np.unique(np.concatenate([start * n_nodes + roads.to, roads.to * np.int64(n_nodes) + start]))
    is_stop = np.zeros(n_nodes, dtype=np.bool_)
    is_stop[nodes] = True
    kind = chain_ends(np.searchsorted(either, np.arange(n_nodes + 1) * n_nodes), (either % n_nodes).astype(np.int32), is_stop)
    begin, end, cost, length, ptr, passed = chains(roads.indptr, roads.to, roads.cost_ms, roads.length_mm, kind)
    order = np.lexsort((length, cost, end, begin))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (np.diff(begin[order]) != 0) | (np.diff(end[order]) != 0)
    kept = order[first]
    number = np.cumsum(kind == 2) - 1  # noqa: PLR2004  # ends of chains
    indptr = np.searchsorted(number[begin[kept]], np.arange(int((kind == 2).sum()) + 1)).astype(np.int64)  # noqa: PLR2004  # as above
    graph = _Graph(indptr, number[end[kept]].astype(np.int32), cost[kept], length[kept], number[nodes].astype(np.int32))
    return graph, (ptr[kept], ptr[kept + 1] - ptr[kept], passed)


def _on_streets(
    graph: _Graph, street: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]], ways: _Ways
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Row starts and road nodes of ways, each chain in place of its link."""
    n_nodes = graph.indptr.size - 1
    key = np.repeat(np.arange(n_nodes, dtype=np.int64), np.diff(graph.indptr)) * n_nodes + graph.to
    ends_way = np.zeros(ways.way_node.size, dtype=np.bool_)
    ends_way[ways.way_ptr[1:] - 1] = True
    step = np.flatnonzero(~ends_way)
    link = np.searchsorted(key, ways.way_node[step].astype(np.int64) * n_nodes + ways.way_node[step + 1])
    size = street[1][link] - 1  # a chain's last node is the next one's first
    at = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + np.repeat(street[0][link], size)
    count = np.bincount(np.searchsorted(ways.way_ptr, step, side="right") - 1, size, ways.pairs.size).astype(np.int64)
    last = street[2][street[0][link] + size][
        np.concatenate([np.diff(np.searchsorted(ways.way_ptr, step, side="right")) > 0, [True]])[: step.size]
    ]
    return np.concatenate([[0], np.cumsum(count + 1)]).astype(np.int64), np.insert(street[2][at], np.cumsum(count), last)


def commercial(links: Links, speed_kmh: float | None, night_factor: float = 1.0) -> tuple[Links, float]:
    """
    Links with whole seconds and metres: one factor slows free flow down until the median link runs at a speed.

    Parameters
    ----------
    links
        Links in milliseconds and millimetres.
    speed_kmh
        Commercial speed in km/h; None keeps free flow.
    night_factor
        On all seconds, dimensionless.

    Returns
    -------
    tuple
        Links in seconds and metres, and the factor on free-flow seconds, >= 1 times the night's.
    """
    free_kmh = float(np.median(links.metres / np.maximum(links.seconds, 1))) * _KMH
    factor = night_factor * (1.0 if speed_kmh is None else max(1.0, free_kmh / speed_kmh))
    return links._replace(seconds=whole(links.seconds * factor / _MM), metres=whole(links.metres / _MM)), factor


class RoadSettings(NamedTuple):
    """
    How roads become a network.

    Attributes
    ----------
    speed_kmh
        Commercial speed of the median link in km/h; None keeps the speeds of the roads.
    night_factor
        On all ride seconds, dimensionless.
    max_link_s
        Longest link in seconds at free flow.
    stretch
        Round trip over other links allowed instead of a link of its own, dimensionless.
    rule
        When a hex counts as within the walk.
    source, title
        What the network is called, and what messages call the roads.
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
        Stops, the road node of each, and what was counted.
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
    free, ways = stop_links(roads, nodes, settings.max_link_s, settings.stretch)
    keep = components(free, nodes.size) == 0
    require_stops(int(keep.sum()) * bool(free.start.size), settings.title)
    kept, rows = keep_stops(stops, free, keep)
    rows, factor = commercial(rows, settings.speed_kmh, settings.night_factor)
    sheds = walk_sheds(grid, kept, settings.rule)
    tail = [
        ("stops cut off and dropped", int((~keep).sum())),
        ("stops kept", len(kept.names)),
        ("links kept, each direction counted", rows.start.size),
    ]
    notes = (
        f"ride seconds are {factor:.3f} times free flow; the median link runs at {np.median(rows.metres / rows.seconds) * _KMH:.1f} km/h",
    )
    report = NetworkReport(settings.title, (*roads.counts, *counts, *tail), unreached(grid, sheds["shed_hex"]), notes)
    shape = {"stop_lon": kept.lon, "stop_lat": kept.lat, "stop_hex": kept.hexes, "stop_names": kept.names}
    lines = _street_lines(roads, rows, ways)
    return shape | link_rows(rows, len(kept.names)) | sheds | lines | {"source": settings.source, "report": report}


def _street_lines(roads: Roads, links: Links, ways: tuple[NDArray[np.int64], NDArray[np.int32]]) -> dict[str, NDArray[Any]]:
    """Geometry of each link along its road nodes, hidden ones left out, and of a place that comes twice in a row the second."""
    way_ptr, way_node = ways
    size = np.diff(way_ptr)[links.line]
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    at = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - way_ptr[links.line], size)
    node = way_node[at]
    link = np.repeat(np.arange(size.size), size)
    shown = ~roads.hidden[node]
    node, link = node[shown], link[shown]
    again = (link[1:] == link[:-1]) & (roads.lon[node[1:]] == roads.lon[node[:-1]]) & (roads.lat[node[1:]] == roads.lat[node[:-1]])
    keep = np.concatenate([[True], ~again])[: node.size]
    node, link = node[keep], link[keep]
    lon, lat, count = roads.lon[node], roads.lat[node], np.bincount(link, minlength=size.size)
    short = np.flatnonzero(np.repeat(count < 2, count))  # noqa: PLR2004  # a line has two ends
    lon, lat = np.insert(lon, short, lon[short]), np.insert(lat, short, lat[short])
    return {"line_indptr": np.concatenate([[0], np.cumsum(np.maximum(count, 2))]).astype(np.int64), "line_lon": lon, "line_lat": lat}
