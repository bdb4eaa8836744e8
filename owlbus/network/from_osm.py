"""Networks from OpenStreetMap: streets open to buses, mapped stops, and further stops where none is near."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import MERGE_M, NIGHT_HOURS, RADIUS_M, SPACING_M
from owlbus.common.errors import DataError, setting
from owlbus.network.assemble import Stops, components
from owlbus.network.carriageways import both_carriageways
from owlbus.network.from_tables import OTHER_RANK, fastest, largest_part
from owlbus.network.geodesy import along, metres_between
from owlbus.network.merge_stops import grid_around, merge_to_limit
from owlbus.network.network import MAX_STOPS
from owlbus.network.osm_reader import read_streets
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
    Names = list[tuple[str, str]]

SPLIT_M = 80.0
"""Longest piece of street in metres, so that a stop moves at most 40 m along its street."""
OPPOSITE_M = 60.0
"""Largest distance in metres from a stop to the other carriageway of its street."""

FEED_SNAP_M = 200.0
"""Largest distance in metres from a place of a feed, which may be the middle of a wide junction, to its street."""

_MAIN_RANK, _STOP_RANK = 1, 3
_KMH = 3.6
_MM = 1000


class StopSettings(NamedTuple):
    """
    Settings for placing stops on streets.

    Attributes
    ----------
    merge_m
        Metres within which stops are merged.
    snap_m
        Largest distance in metres from a mapped stop to its street.
    spacing_m
        Metres between further stops along main roads; 0 places none.
    max_stops
        Largest number of stops; more are merged over longer distances.
    """

    merge_m: float = MERGE_M
    snap_m: float = 80.0
    spacing_m: float = SPACING_M
    max_stops: int = MAX_STOPS


class _Graph(NamedTuple):
    """Pieces of street of at most 80 m, their nodes and the forbidden turns."""

    lon: Floats
    lat: Floats
    rank: NDArray[np.int8]
    names: NDArray[np.object_]
    is_hailed: Mask
    pieces: Pieces
    turns: tuple[tuple[int, ...], ...]

    @property
    def via_nodes(self) -> Ints:
        """Via nodes of forbidden turns, ascending; buses do not stop there."""
        return np.array(sorted({node for turn in self.turns for node in turn[1:-1]}), dtype=np.int64)


def osm_parts(
    path: str | PathLike[str],
    grid: HexGrid | None,
    stop_settings: StopSettings,
    settings: RoadSettings,
    *,
    walk: bool,
    radius_m: float = RADIUS_M,
    hours: Sequence[int] = NIGHT_HOURS,
    stops: Stops | None = None,
) -> dict[str, Any]:
    """
    Fields of a network on the streets of an OpenStreetMap file.

    Parameters
    ----------
    path
        The OpenStreetMap file.
    grid
        The grid, or None for a grid around the main roads.
    stop_settings
        Settings for placing stops.
    settings
        Speeds, the longest link and the walk.
    walk
        Whether people walk along the footways of the file.
    radius_m
        Circumradius in metres of the hexes of a new grid.
    hours
        Clock hours in which buses run, for conditional tags.
    stops
        Places of a feed instead of the mapped stops, moved to the nearest street within `FEED_SNAP_M`; no stop is added to them.

    Returns
    -------
    dict
        Arguments of `Network`, with the grid.

    Raises
    ------
    DataError
        If the file has no streets for buses, or fewer than two stops are connected; without a grid also if main roads lie on both
        sides of the 180th meridian.
    UsageError
        If osmium is not installed.
    """
    streets, paths = read_streets(path, walk=walk, hours=hours)
    if paths is not None:
        settings = settings._replace(rule=type(settings.rule)(settings.rule.walk_m, settings.rule.area_share, paths))
    if stops is not None:
        streets = streets._replace(
            stop_lon=stops.lon, stop_lat=stops.lat, stop_names=list(stops.names), stop_latin=list(stops.latin or [""] * len(stops.names))
        )
        stop_settings = stop_settings._replace(merge_m=0.0, spacing_m=0.0, snap_m=FEED_SNAP_M)
    graph = _split(streets)
    connected = components(graph.pieces.start, graph.pieces.end, graph.lon.size, strong=True) == 0
    if grid is None:
        main = connected & (graph.rank <= _MAIN_RANK)
        covered = main if main.any() else connected
        _require_one_side(path, graph.lon[covered])
        grid = grid_around(graph.lon[covered], graph.lat[covered], radius_m)
    node, names, counts = _stop_nodes(grid, graph, streets, connected, stop_settings)
    roads, placed = _with_stops(grid, graph, node, names, list(streets.counts))
    return {"grid": grid} | road_parts(grid, roads, (*placed, counts), settings)


def _require_one_side(path: str | PathLike[str], lon: Floats) -> None:
    """Refuse a grid around streets on both sides of the 180th meridian."""
    if lon.size and np.ptp(lon) > 180.0:  # noqa: PLR2004  # degrees
        n_east = int((lon < 0).sum())
        msg = (
            f"{path}: streets lie on both sides of the 180th meridian ({lon.size - n_east} of {lon.size} nodes west of it), which hexes "
            f"cannot cross; pass an area on one side, as {setting('area', 'outline.geojson')}"
        )
        raise DataError(msg)


def _split(streets: Streets) -> _Graph:
    """Cut long pieces into equal parts, both directions of a street at the same points."""
    metres = metres_between(streets.lon, streets.lat, streets.start, streets.end)
    low, high = np.minimum(streets.start, streets.end), np.maximum(streets.start, streets.end)
    n_nodes = streets.lon.size
    pair, first, pair_of_piece = np.unique(low * n_nodes + high, return_index=True, return_inverse=True)
    parts = np.maximum(np.ceil(metres[first] / SPLIT_M), 1).astype(np.int64)
    first_new = n_nodes + np.concatenate([[0], np.cumsum(parts - 1)])
    new_share = np.concatenate([np.empty(0), *(np.arange(1, n_parts) / n_parts for n_parts in parts[parts > 1].tolist())])
    pair_of_new = np.repeat(np.arange(pair.size), parts - 1)
    a, b = pair[pair_of_new] // n_nodes, pair[pair_of_new] % n_nodes
    new_lonlat = along((streets.lon, streets.lat), a, b, new_share)
    lon, lat = (np.concatenate([old, new]) for old, new in zip((streets.lon, streets.lat), new_lonlat, strict=True))
    n_parts = parts[pair_of_piece]
    piece_row = np.repeat(np.arange(n_parts.size), n_parts)
    nth_part = np.arange(piece_row.size) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
    ascends = (streets.start < streets.end)[piece_row]
    part = np.where(ascends, nth_part, n_parts[piece_row] - 1 - nth_part)  # number of the part, counted from the lower node
    low_end = np.where(part == 0, low[piece_row], first_new[pair_of_piece[piece_row]] + part - 1)
    high_end = np.where(part == n_parts[piece_row] - 1, high[piece_row], first_new[pair_of_piece[piece_row]] + part)
    start, end = np.where(ascends, low_end, high_end), np.where(ascends, high_end, low_end)
    length = np.rint(metres[piece_row] / n_parts[piece_row] * _MM).astype(np.int64)
    cost = np.rint(metres[piece_row] / n_parts[piece_row] * _MM * _KMH / streets.kmh[piece_row]).astype(np.int64)
    pieces = Pieces(*fastest(start, end, cost, length))
    rank, names = _labels(streets, piece_row, start, end, lon.size)
    is_hailed = np.zeros(lon.size, dtype=np.bool_)
    on_hailed = streets.hailed[streets.way[piece_row]]
    is_hailed[start[on_hailed]] = is_hailed[end[on_hailed]] = True
    return _Graph(
        lon, lat, rank, names, is_hailed, pieces, tuple(_turn_along_parts(turn, n_nodes, pair, first_new, parts) for turn in streets.turns)
    )


def _turn_along_parts(turn: Sequence[int], n_nodes: int, pair: Ints, begin: Ints, parts: Ints) -> tuple[int, ...]:
    """Forbidden turn along all new nodes, from the node before its first junction to the node after its last."""
    path = [turn[0]]
    for a, b in pairwise(turn):
        row = int(np.searchsorted(pair, min(a, b) * n_nodes + max(a, b)))
        between = range(int(begin[row]), int(begin[row] + parts[row]) - 1)
        path += [*(between if a < b else reversed(between)), b]
    return tuple(path[path.index(turn[1]) - 1 : len(path) - path[::-1].index(turn[-2]) + 1])


def _labels(streets: Streets, row: Ints, start: Ints, end: Ints, n_nodes: int) -> tuple[NDArray[np.int8], NDArray[np.object_]]:
    """Best rank of the streets at each node, and the name of such a street."""
    rank, street = np.full(n_nodes, OTHER_RANK + 3, dtype=np.int8), np.full(n_nodes, -1, dtype=np.int64)
    order = np.lexsort((-streets.way[row], -streets.rank[row]))  # the best is written last
    for node in (start[order], end[order]):
        np.minimum.at(rank, node, streets.rank[row[order]])
    ends = np.stack([start[order], end[order]], axis=1).reshape(-1)
    street[ends] = np.repeat(streets.way[row[order]], 2)
    return rank, np.array([*streets.names, ""], dtype=np.object_)[street]  # pointers: half a million nodes share few names


def _stop_nodes(grid: HexGrid, graph: _Graph, streets: Streets, connected: Mask, settings: StopSettings) -> tuple[Ints, Names, Counts]:
    """Nodes of stops: mapped ones, further ones along main roads, and one in each hex still unreached; with names and counts."""
    hexes = grid.lonlat_to_hex(graph.lon, graph.lat)
    usable = connected & (graph.rank <= _STOP_RANK) & (hexes >= 0)
    usable[graph.via_nodes] = False
    node = np.flatnonzero(usable)
    xy = np.stack(grid.project(graph.lon, graph.lat), axis=1)
    n_mapped = streets.stop_lon.size
    inside = np.flatnonzero(grid.lonlat_to_hex(streets.stop_lon, streets.stop_lat) >= 0) if n_mapped else np.empty(0, np.int64)
    counts: Counts = [("stops mapped", n_mapped), ("of these outside the grid", n_mapped - inside.size)]
    if not node.size:
        return np.empty(0, np.int64), [], counts
    mapped, name_of, n_near = _mapped_stops(grid, graph, streets, inside, node, xy, settings)
    is_busy = (graph.rank <= _MAIN_RANK) | graph.is_hailed
    spaced = _spaced(xy, node[is_busy[node]], graph.rank, mapped, settings.spacing_m)
    filled = _in_reach(grid, xy, node, graph.rank, hexes, np.concatenate([mapped, spaced])) if settings.spacing_m else spaced[:0]
    placed = np.concatenate([mapped, spaced, filled]).astype(np.int64)
    weight = np.repeat([2, 1, 0], [mapped.size, spaced.size, filled.size])
    merged_into, metres = merge_to_limit(xy[placed, 0], xy[placed, 1], weight, 0.0, settings.max_stops)
    kept = np.sort(placed[np.unique(merged_into)])
    counts += [
        ("of these too far from a street that buses may use", inside.size - n_near),
        (f"of these merged with another within {settings.merge_m:g} m", n_near - mapped.size),
        ("stops placed along main roads and hail-and-ride streets", spaced.size),
        ("of these where buses halt on demand", int(graph.is_hailed[spaced].sum())),
        ("stops placed in hexes that no other stop reaches", filled.size),
        (f"stops merged within {metres:.0f} m to keep to {settings.max_stops}", placed.size - kept.size),
    ]
    names = [name_of.get(k, ("", "")) for k in kept.tolist()]
    return kept, [(name or str(graph.names[k]), latin) for k, (name, latin) in zip(kept.tolist(), names, strict=True)], counts


def _mapped_stops(
    grid: HexGrid, graph: _Graph, streets: Streets, inside: Ints, node: Ints, xy: Floats, settings: StopSettings
) -> tuple[Ints, dict[int, tuple[str, str]], int]:
    """Nodes of the mapped stops inside the grid, merged; the name of each snapped stop; and the number of snapped stops."""
    from scipy.spatial import cKDTree

    stop_xy = np.stack(grid.project(streets.stop_lon[inside], streets.stop_lat[inside]), axis=1).reshape(-1, 2)
    distance, nearest = cKDTree(xy[node]).query(stop_xy)
    near = distance <= settings.snap_m
    snapped, first = np.unique(node[nearest[near]], return_index=True)
    names = [(streets.stop_names[k], streets.stop_latin[k]) for k in inside[near][first].tolist()]
    name_of = dict(zip(snapped.tolist(), names, strict=True))
    weight = -graph.rank[snapped].astype(np.int64)
    merged_into, _ = merge_to_limit(xy[snapped, 0], xy[snapped, 1], weight, settings.merge_m, settings.max_stops)
    return snapped[np.unique(merged_into)], name_of, int(near.sum())


def _spaced(xy: Floats, node: Ints, rank: NDArray[np.int8], stop_nodes: Ints, spacing_m: float) -> Ints:
    """Nodes more than `spacing_m` metres from each other and from the stops, the most important roads first."""
    from scipy.spatial import cKDTree

    if not spacing_m or not node.size:
        return np.empty(0, dtype=np.int64)
    tree = cKDTree(xy[node])
    is_free = np.ones(node.size, dtype=np.bool_)
    for neighbours in tree.query_ball_point(xy[stop_nodes], spacing_m):
        is_free[neighbours] = False
    chosen = []
    for k in np.lexsort((node, rank[node])).tolist():
        if is_free[k]:
            chosen.append(int(node[k]))
            is_free[tree.query_ball_point(xy[node[k]], spacing_m)] = False
    return np.array(chosen, dtype=np.int64)


def _in_reach(grid: HexGrid, xy: Floats, node: Ints, rank: NDArray[np.int8], hexes: NDArray[np.int32], stop_nodes: Ints) -> Ints:
    """One node in each hex without a stop whose centre is farther than its radius from all stops: on its best road, near the centre."""
    from scipy.spatial import cKDTree

    centres = np.stack([grid.x_m, grid.y_m], axis=1)
    unreached = np.ones(grid.n_hexes, dtype=np.bool_)
    if stop_nodes.size:
        unreached = cKDTree(xy[stop_nodes]).query(centres)[0] > grid.radius_m
        unreached[hexes[stop_nodes]] = False
    candidates = node[unreached[hexes[node]]]
    distance = np.round(np.hypot(*(xy[candidates] - centres[hexes[candidates]]).T), 6)
    order = np.lexsort((candidates, distance, rank[candidates], hexes[candidates]))
    _, first = np.unique(hexes[candidates][order], return_index=True)
    return np.asarray(candidates[order[first]], dtype=np.int64)


def _with_stops(grid: HexGrid, graph: _Graph, node: Ints, names: Names, counts: Counts) -> tuple[Roads, tuple[Stops, NDArray[np.int32]]]:
    """Largest component of the roads with turn restrictions and with stops on both carriageways; and the stops on it."""
    via = np.zeros(graph.lon.size, dtype=np.bool_)
    via[graph.via_nodes] = True
    is_excluded = via[graph.pieces.start] | via[graph.pieces.end]
    xy = np.stack(grid.project(graph.lon, graph.lat), axis=1)
    doubled = both_carriageways(xy, (graph.lon, graph.lat), graph.rank, graph.pieces, node, is_excluded, OPPOSITE_M)
    turns = [(int(doubled.leaves[turn[0]]), *turn[1:]) for turn in graph.turns]
    pieces, copied = with_turns(doubled.pieces, doubled.lon.size, turns, doubled.is_stop)
    copies = np.concatenate([np.arange(doubled.lon.size), copied]).astype(np.int64)
    origin = doubled.origin[copies]
    rows = fastest(*pieces)
    connected = components(rows[0], rows[1], origin.size, strong=True) == 0
    counts += [("stops on both carriageways of a street", doubled.n_doubled), ("nodes doubled for turn restrictions", copied.size)]
    roads = largest_part(graph.names[origin], doubled.lon[copies], doubled.lat[copies], rows, graph.rank[origin], tuple(counts))
    number = np.cumsum(connected) - 1
    on_roads = connected[doubled.stop]
    stop_node = number[doubled.stop[on_roads]].astype(np.int32)
    lon, lat = roads.lon[stop_node], roads.lat[stop_node]
    kept_names = [names[k] for k in np.flatnonzero(on_roads).tolist()]
    stops = Stops(lon, lat, grid.lonlat_to_hex(lon, lat), *([name[part] for name in kept_names] for part in (0, 1)))
    return roads._replace(hidden=doubled.hidden[copies][connected]), (stops, stop_node)
