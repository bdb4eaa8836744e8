"""Networks from OpenStreetMap: streets that buses may use, stops that are mapped, and more where none is near."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.network.assemble import Stops
from owlbus.network.carriageways import both_carriageways
from owlbus.network.from_tables import OTHER_RANK, fastest, largest_part, strong_part
from owlbus.network.merge_stops import few_places, grid_around
from owlbus.network.network import MAX_STOPS, MERGE_M
from owlbus.network.osm_reader import metres_between, read_streets
from owlbus.network.stop_links import road_parts
from owlbus.network.turn_restrictions import Pieces, with_turns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.from_tables import Roads
    from owlbus.network.osm_reader import Streets
    from owlbus.network.stop_links import RoadSettings

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Counts = list[tuple[str, int]]

SPLIT_M = 80.0
"""Pieces of street are no longer than this, so that a stop is moved along its street by 40 m at most."""
SPACING_M = 500.0
"""Metres between stops that are placed along main roads where none is mapped."""
OPPOSITE_M = 60.0
"""Metres within which the other carriageway of a street lies."""

_MAIN_RANK, _STOP_RANK = 1, 3
_KMH = 3.6
_MM = 1000


class StopSettings(NamedTuple):
    """
    Where buses halt.

    Attributes
    ----------
    merge_m
        Metres within which stops are one place.
    snap_m
        Metres that a mapped stop may lie from a street.
    spacing_m
        Metres between stops placed where none is mapped; 0 places none.
    max_stops
        Places allowed; more are merged over longer distances.
    """

    merge_m: float = MERGE_M
    snap_m: float = 80.0
    spacing_m: float = SPACING_M
    max_stops: int = MAX_STOPS


class _Graph(NamedTuple):
    """Pieces of street no longer than 80 m, and their nodes."""

    lon: Floats
    lat: Floats
    rank: NDArray[np.int8]
    names: NDArray[np.object_]
    pieces: Pieces
    turns: tuple[tuple[int, ...], ...]

    @property
    def ruled(self) -> Ints:
        """Nodes that forbidden turns lead over, where no bus halts."""
        return np.array(sorted({node for turn in self.turns for node in turn[1:-1]}), dtype=np.int64)


def osm_parts(
    path: str | PathLike[str], grid: HexGrid | None, halts: StopSettings, settings: RoadSettings, *, walk: bool, radius_m: float = 500.0
) -> dict[str, Any]:
    """
    Fields of a network on the streets of an extract.

    Parameters
    ----------
    path
        The extract.
    grid
        The grid, or None for one around the main roads.
    halts
        Where buses halt.
    settings
        Speeds, the longest link and the walk.
    walk
        Whether people walk along the extract's footways.
    radius_m
        Circumradius in metres of the hexes of such a grid.

    Returns
    -------
    dict
        Arguments of `Network`, the grid among them.

    Raises
    ------
    DataError
        If the extract has no streets for buses, or fewer than two stops are connected.
    UsageError
        If osmium is not installed.
    """
    streets, paths = read_streets(path, walk=walk)
    if paths is not None:
        settings = settings._replace(rule=type(settings.rule)(settings.rule.walk_m, settings.rule.area_share, paths))
    graph = _split(streets)
    keep = strong_part([graph.pieces.start, graph.pieces.end], graph.lon.size)
    if grid is None:
        main = keep & (graph.rank <= _MAIN_RANK)
        shown = main if main.any() else keep
        grid = grid_around(graph.lon[shown], graph.lat[shown], radius_m)
    node, names, counts = _stop_nodes(grid, graph, streets, keep, halts)
    roads, placed = _with_stops(grid, graph, node, names, list(streets.counts))
    return {"grid": grid} | road_parts(grid, roads, (*placed, counts), settings)


def _split(streets: Streets) -> _Graph:
    """Cut long pieces into equal parts, both directions of a street at the same points."""
    metres = metres_between(streets.lon, streets.lat, streets.start, streets.end)
    low, high = np.minimum(streets.start, streets.end), np.maximum(streets.start, streets.end)
    n_nodes = streets.lon.size
    pair, first, of_piece = np.unique(low * n_nodes + high, return_index=True, return_inverse=True)
    parts = np.maximum(np.ceil(metres[first] / SPLIT_M), 1).astype(np.int64)
    begin = n_nodes + np.concatenate([[0], np.cumsum(parts - 1)])  # number of the first new node of each pair
    share = np.concatenate([np.empty(0), *(np.arange(1, count) / count for count in parts[parts > 1].tolist())])
    pair_of_new = np.repeat(np.arange(pair.size), parts - 1)
    a, b = pair[pair_of_new] // n_nodes, pair[pair_of_new] % n_nodes
    lon = np.concatenate([streets.lon, streets.lon[a] + share * (streets.lon[b] - streets.lon[a])])
    lat = np.concatenate([streets.lat, streets.lat[a] + share * (streets.lat[b] - streets.lat[a])])
    count = parts[of_piece]
    row = np.repeat(np.arange(count.size), count)
    step = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    up = (streets.start < streets.end)[row]
    k = np.where(up, step, count[row] - 1 - step)  # place of the part, counted from the lower node
    below = np.where(k == 0, low[row], begin[of_piece[row]] + k - 1)
    above = np.where(k == count[row] - 1, high[row], begin[of_piece[row]] + k)
    start, end = np.where(up, below, above), np.where(up, above, below)
    length = np.rint(metres[row] / count[row] * _MM).astype(np.int64)
    cost = np.rint(metres[row] / count[row] * _MM * _KMH / streets.kmh[row]).astype(np.int64)
    pieces = Pieces(*fastest(start, end, cost, length))
    rank, names = _labels(streets, row, start, end, lon.size)
    return _Graph(lon, lat, rank, names, pieces, tuple(_near_turn(turn, n_nodes, pair, begin, parts) for turn in streets.turns))


def _near_turn(turn: Sequence[int], n_nodes: int, pair: Ints, begin: Ints, parts: Ints) -> tuple[int, ...]:
    """Forbidden turn by all new nodes from the one just before its first junction to the one just behind its last."""
    way = [turn[0]]
    for a, b in pairwise(turn):
        at = int(np.searchsorted(pair, min(a, b) * n_nodes + max(a, b)))
        between = range(int(begin[at]), int(begin[at] + parts[at]) - 1)
        way += [*(between if a < b else reversed(between)), b]
    return tuple(way[way.index(turn[1]) - 1 : len(way) - way[::-1].index(turn[-2]) + 1])


def _labels(streets: Streets, row: Ints, start: Ints, end: Ints, n_nodes: int) -> tuple[NDArray[np.int8], NDArray[np.object_]]:
    """Best rank of the streets at each node, and the name of such a street."""
    rank, way = np.full(n_nodes, OTHER_RANK + 3, dtype=np.int8), np.full(n_nodes, -1, dtype=np.int64)
    order = np.lexsort((-streets.way[row], -streets.rank[row]))  # the best is written last
    for node in (start[order], end[order]):
        np.minimum.at(rank, node, streets.rank[row[order]])
    both = np.stack([start[order], end[order]], axis=1).reshape(-1)
    way[both] = np.repeat(streets.way[row[order]], 2)
    return rank, np.array([*streets.names, ""], dtype=np.object_)[way]  # pointers: half a million nodes share few names


def _stop_nodes(grid: HexGrid, graph: _Graph, streets: Streets, keep: Mask, halts: StopSettings) -> tuple[Ints, list[str], Counts]:
    """Nodes where buses halt: at mapped stops, along main roads where none is near, and in hexes still out of reach."""
    from scipy.spatial import cKDTree

    hexes = grid.lonlat_to_hex(graph.lon, graph.lat)
    usable = keep & (graph.rank <= _STOP_RANK) & (hexes >= 0)
    usable[graph.ruled] = False
    node = np.flatnonzero(usable)
    at = np.stack(grid.project(graph.lon, graph.lat), axis=1)
    inside = np.flatnonzero(grid.lonlat_to_hex(streets.stop_lon, streets.stop_lat) >= 0) if streets.stop_lon.size else np.empty(0, np.int64)
    counts: Counts = [("stops mapped", streets.stop_lon.size), ("of these outside the grid", streets.stop_lon.size - inside.size)]
    if not node.size:
        return np.empty(0, np.int64), [], counts
    spot = np.stack(grid.project(streets.stop_lon[inside], streets.stop_lat[inside]), axis=1).reshape(-1, 2)
    off, nearest = cKDTree(at[node]).query(spot)
    near = off <= halts.snap_m
    mapped, first = np.unique(node[nearest[near]], return_index=True)
    named = dict(zip(mapped.tolist(), [streets.stop_names[k] for k in inside[near][first].tolist()], strict=True))
    place, _ = few_places(at[mapped, 0], at[mapped, 1], -graph.rank[mapped].astype(np.int64), halts.merge_m, halts.max_stops)
    found = mapped[np.unique(place)]
    along = _spaced(at, node[graph.rank[node] <= _MAIN_RANK], graph.rank, found, halts.spacing_m)
    filled = _in_reach(grid, at, node, graph.rank, hexes, np.concatenate([found, along])) if halts.spacing_m else along[:0]
    every = np.concatenate([found, along, filled]).astype(np.int64)
    weight = np.repeat([2, 1, 0], [found.size, along.size, filled.size])
    few, metres = few_places(at[every, 0], at[every, 1], weight, 0.0, halts.max_stops)
    kept = np.sort(every[np.unique(few)])
    counts += [
        ("of these too far from a street that buses may use", int((~near).sum())),
        (f"of these merged with another within {halts.merge_m:g} m", int(near.sum()) - found.size),
        ("stops placed along main roads", along.size),
        ("stops placed in hexes that no other stop reaches", filled.size),
        (f"stops merged within {metres:.0f} m to keep to {halts.max_stops}", every.size - kept.size),
    ]
    return kept, [named.get(k) or str(graph.names[k]) for k in kept.tolist()], counts


def _spaced(at: Floats, node: Ints, rank: NDArray[np.int8], taken: Ints, spacing_m: float) -> Ints:
    """Nodes, the most important roads first, each at least so far from all others and from those taken."""
    from scipy.spatial import cKDTree

    if not spacing_m or not node.size:
        return np.empty(0, dtype=np.int64)
    tree = cKDTree(at[node])
    free = np.ones(node.size, dtype=np.bool_)
    for near in tree.query_ball_point(at[taken], spacing_m):
        free[near] = False
    found = []
    for k in np.lexsort((node, rank[node])).tolist():
        if free[k]:
            found.append(int(node[k]))
            free[tree.query_ball_point(at[node[k]], spacing_m)] = False
    return np.array(found, dtype=np.int64)


def _in_reach(grid: HexGrid, at: Floats, node: Ints, rank: NDArray[np.int8], hexes: NDArray[np.int32], taken: Ints) -> Ints:
    """One node in each hex that holds no stop and whose centre is farther than its radius from all: on the best road near the centre."""
    from scipy.spatial import cKDTree

    centre = np.stack([grid.x_m, grid.y_m], axis=1)
    far = np.ones(grid.n_hexes, dtype=np.bool_)
    if taken.size:
        far = cKDTree(at[taken]).query(centre)[0] > grid.radius_m
        far[hexes[taken]] = False
    use = node[far[hexes[node]]]
    off = np.round(np.hypot(*(at[use] - centre[hexes[use]]).T), 6)
    order = np.lexsort((use, off, rank[use], hexes[use]))
    _, first = np.unique(hexes[use][order], return_index=True)
    return np.asarray(use[order[first]], dtype=np.int64)


def _with_stops(
    grid: HexGrid, graph: _Graph, node: Ints, names: list[str], counts: Counts
) -> tuple[Roads, tuple[Stops, NDArray[np.int32]]]:
    """Roads with turn restrictions and with stops on both carriageways, cut to their largest part; and the stops left on it."""
    n_nodes = graph.lon.size
    via = np.zeros(n_nodes, dtype=np.bool_)
    via[graph.ruled] = True
    barred = via[graph.pieces.start] | via[graph.pieces.end]
    at = np.stack(grid.project(graph.lon, graph.lat), axis=1)
    done = both_carriageways(at, (graph.lon, graph.lat), graph.rank, graph.pieces, node, barred, OPPOSITE_M)
    turns = [(int(done.leaves[turn[0]]), *turn[1:]) for turn in graph.turns]
    pieces, more = with_turns(done.pieces, done.lon.size, turns, done.is_stop)
    copies = np.concatenate([np.arange(done.lon.size), more]).astype(np.int64)
    origin = done.origin[copies]
    rows = fastest(*pieces)
    keep = strong_part(rows[:2], origin.size)
    counts += [("stops on both carriageways of a street", done.n_doubled), ("nodes doubled for turn restrictions", more.size)]
    found = largest_part(graph.names[origin], done.lon[copies], done.lat[copies], rows, graph.rank[origin], tuple(counts))
    number = np.cumsum(keep) - 1
    stop = done.stop
    on = keep[stop]
    place = number[stop[on]].astype(np.int32)
    stops = Stops(
        found.lon[place],
        found.lat[place],
        grid.lonlat_to_hex(found.lon[place], found.lat[place]),
        [n for n, k in zip(names, on.tolist(), strict=True) if k],
    )
    return found._replace(hidden=done.hidden[copies][keep]), (stops, place)
