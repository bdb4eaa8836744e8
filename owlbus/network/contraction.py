"""From roads to stops: where buses halt, and which stops follow each other along the roads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.errors import DataError
from owlbus.kernels.paths import ways_between_stops
from owlbus.network.parts import Links, Stops, components, keep_stops, link_rows, require_stops, sorted_links, unreached, walk_sheds, whole
from owlbus.network.report import NetworkReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.network.roads import Roads

    Counts = list[tuple[str, int]]

MAX_DETOUR = 3.0
"""Road metres over straight metres up to which stops of one hex, or of two neighbours, are linked past a third stop."""

_KMH = 3.6
_MM = 1000
_NEIGHBOUR_REACH = 13**0.5  # circumradii between the farthest points of two neighbouring hexes


def hex_stops(grid: HexGrid, roads: Roads) -> tuple[Stops, NDArray[np.int32], Counts]:
    """
    One stop a hex: at the road node nearest the centre, among the nodes inside the hex; ties go to the first node.

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
    order = np.lexsort((node, off, home))
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


def _owners(grid: HexGrid, roads: Roads, stops: Stops) -> NDArray[np.int32]:
    """Nearest stop of each road node within the hexes' circumradius, straight line, or -1."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.stack(grid.project(stops.lon, stops.lat), axis=1))
    _, stop = tree.query(np.stack(grid.project(roads.lon, roads.lat), axis=1), distance_upper_bound=grid.radius_m)
    return np.where(stop < len(stops.names), stop, -1).astype(np.int32)


class _Ways(NamedTuple):
    """Fastest ways between stops as `ways_between_stops` gives them."""

    row_ptr: NDArray[np.int64]
    end: NDArray[np.int32]
    cost_ms: NDArray[np.int64]
    length_mm: NDArray[np.int64]
    clear: NDArray[np.bool_]
    way_ptr: NDArray[np.int64]
    way_node: NDArray[np.int32]

    def start(self) -> NDArray[np.int64]:
        """Stop that each way starts from."""
        return np.repeat(np.arange(self.row_ptr.size - 1), np.diff(self.row_ptr))


def _good(grid: HexGrid, stops: Stops, ways: _Ways) -> NDArray[np.bool_]:
    """Tell which ways are clear, or join stops of one hex or of neighbours without too long a detour."""
    start, end, home = ways.start(), ways.end, stops.hexes
    x, y = grid.project(stops.lon, stops.lat)
    straight = np.hypot(x[start] - x[end], y[start] - y[end])
    beside = (home[start] == home[end]) | (grid.neighbours[home[start]] == home[end][:, None]).any(axis=1)
    beside &= (home[start] >= 0) & (home[end] >= 0)
    good: NDArray[np.bool_] = ways.clear | (beside & (ways.length_mm <= MAX_DETOUR * _MM * straight))
    return good


def _asked(ways: _Ways, good: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Both directions of every good way, as row starts and ends."""
    n_stops = ways.row_ptr.size - 1
    start, end = ways.start()[good], ways.end[good].astype(np.int64)
    pairs = np.union1d(start * n_stops + end, end * n_stops + start)
    row_ptr = np.searchsorted(pairs, np.arange(n_stops + 1) * n_stops).astype(np.int64)
    return row_ptr, (pairs % n_stops).astype(np.int32)


def stop_links(
    grid: HexGrid, roads: Roads, stops: Stops, nodes: NDArray[np.int32], max_link_m: float
) -> tuple[Links, tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """
    Links between stops that follow each other on the roads, with free-flow milliseconds, and the nodes each one passes.

    Two stops are linked if the fastest way between them, in one direction at least, passes no node nearer to a third stop
    (within the hexes' circumradius); stops of one hex or of two neighbours are also linked past a third one, if the way is
    no longer than three times the straight line. Both directions must be found within `max_link_m`.

    A first search, which gives up ways that pass many stops, finds the candidates; a second one finds their fastest ways.

    Parameters
    ----------
    grid
        The grid.
    roads
        The roads.
    stops
        The stops.
    nodes
        Road node of each stop.
    max_link_m
        Longest link in metres, boundary included.

    Returns
    -------
    tuple
        Links whose ``seconds`` hold milliseconds and ``metres`` millimetres, sorted; row starts and nodes of their ways.
    """
    graph = (roads.indptr, roads.to, roads.cost_ms, roads.length_mm, nodes, _owners(grid, roads, stops))
    limit = int(max_link_m * _MM)
    near = min(limit, int(MAX_DETOUR * _NEIGHBOUR_REACH * grid.radius_m * _MM))
    anything = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    rough = _Ways(*ways_between_stops(*graph, *anything, limit, near))
    ways = _Ways(*ways_between_stops(*graph, *_asked(rough, _good(grid, stops, rough)), limit, limit))
    start, end, good = ways.start(), ways.end.astype(np.int64), _good(grid, stops, ways)
    there, back = start * nodes.size + end, end * nodes.size + start
    keep = np.isin(there, np.intersect1d(np.union1d(there[good], back[good]), np.intersect1d(there, back)))
    rows = Links(start[keep], end[keep], ways.cost_ms[keep], ways.length_mm[keep], np.flatnonzero(keep))
    return sorted_links(rows), (ways.way_ptr, ways.way_node)


def commercial(links: Links, speed_kmh: float) -> tuple[Links, float]:
    """
    Links with whole seconds and metres: one factor slows free flow down until the median link runs at a speed.

    Parameters
    ----------
    links
        Links in milliseconds and millimetres.
    speed_kmh
        Commercial speed in km/h.

    Returns
    -------
    tuple
        Links in seconds and metres, and the factor on free-flow seconds, >= 1.
    """
    free_kmh = float(np.median(links.metres / np.maximum(links.seconds, 1))) * _KMH
    factor = max(1.0, free_kmh / speed_kmh)
    return links._replace(seconds=whole(links.seconds * factor / _MM), metres=whole(links.metres / _MM)), factor


def table_parts(
    grid: HexGrid, roads: Roads, placed: tuple[Stops, NDArray[np.int32], Counts], speed_kmh: float, walk_m: float, max_link_m: float
) -> dict[str, Any]:
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
    speed_kmh
        Commercial speed in km/h.
    walk_m
        Walk in metres.
    max_link_m
        Longest link in metres.

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
    free, ways = stop_links(grid, roads, stops, nodes, max_link_m)
    keep = components(free, nodes.size) == 0
    require_stops(int(keep.sum()) * bool(free.start.size), "road tables")
    kept, rows = keep_stops(stops, free, keep)
    rows, factor = commercial(rows, speed_kmh)
    sheds = walk_sheds(grid, kept, walk_m)
    tail = [
        ("stops cut off and dropped", int((~keep).sum())),
        ("stops kept", len(kept.names)),
        ("links kept, each direction counted", rows.start.size),
    ]
    notes = (
        f"ride seconds are {factor:.3f} times free flow; the median link runs at {np.median(rows.metres / rows.seconds) * _KMH:.1f} km/h",
    )
    report = NetworkReport("road tables", (*roads.counts, *counts, *tail), unreached(grid, sheds["shed_hex"]), notes)
    shape = {"stop_lon": kept.lon, "stop_lat": kept.lat, "stop_hex": kept.hexes, "stop_names": kept.names}
    lines = _street_lines(roads, rows, ways)
    return shape | link_rows(rows, len(kept.names)) | sheds | lines | {"walk_m": walk_m, "source": "tables", "report": report}


def _street_lines(roads: Roads, links: Links, ways: tuple[NDArray[np.int64], NDArray[np.int32]]) -> dict[str, NDArray[Any]]:
    """Geometry of each link along its road nodes."""
    way_ptr, way_node = ways
    size = np.diff(way_ptr)[links.line]
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    at = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - way_ptr[links.line], size)
    node = way_node[at]
    return {"line_indptr": indptr, "line_lon": roads.lon[node], "line_lat": roads.lat[node]}
