"""Extend stops to both carriageways of a street, so that a route returns along the same street."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.network.from_tables import fastest
from owlbus.network.geodesy import along
from owlbus.network.turn_restrictions import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.assemble import Stops
    from owlbus.network.from_tables import Roads

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

AHEAD, AGAINST = 0.5, -0.5
"""Cosines of the angle between pieces: above the first they lead the same way, below the second the opposite way."""


class Doubled(NamedTuple):
    """
    Streets on which buses on both carriageways pass the same stop.

    The other carriageway is cut opposite the stop. A joint node stands for the stop: arriving pieces of both carriageways lead to
    it, and leaving pieces begin at it.

    Attributes
    ----------
    pieces
        The pieces.
    lon, lat
        Degrees of all nodes, shape (n,); the n_old nodes of the input come first.
    origin
        Old node from which each node takes its name and rank, shape (n,).
    hidden
        Whether each node is no point of a street, shape (n,).
    stop
        Node of each stop, in the order of the input, shape (n_stops,).
    leaves
        Node at which the pieces from each old node begin, shape (n_old,).
    is_stop
        Whether each node belongs to a stop, on either carriageway, shape (n,).
    n_doubled
        Number of stops on both carriageways.
    """

    pieces: Pieces
    lon: Floats
    lat: Floats
    origin: Ints
    hidden: Mask
    stop: Ints
    leaves: Ints
    is_stop: Mask
    n_doubled: int


class _Opposite(NamedTuple):
    """Stops, the piece of the other carriageway opposite each, and the share of the piece before the stop."""

    stop: Ints
    piece: Ints
    share: Floats


def both_carriageways(
    xy: Floats, lonlat: tuple[Floats, Floats], rank: NDArray[np.int8], pieces: Pieces, node: Ints, is_excluded: Mask, reach_m: float
) -> Doubled:
    """
    Streets with each stop of a one-way street on its other carriageway too, if that is near.

    The other carriageway is the nearest one-way piece of a street of the same rank in the opposite direction.

    Parameters
    ----------
    xy, lonlat
        Nodes in metres, shape (n, 2), and their lon and lat.
    rank
        Rank of each node, shape (n,).
    pieces
        Pieces, unique by start and end.
    node
        Node of each stop, unique, shape (n_stops,).
    is_excluded
        Pieces to leave unchanged, shape (m,).
    reach_m
        Largest distance in metres from a stop to the other carriageway.

    Returns
    -------
    Doubled
        Streets and stops, in the order of the input.
    """
    opposite = _opposite(xy, rank, pieces, node, is_excluded, reach_m)
    n_nodes, k = len(xy), opposite.stop.size
    cut, other = _cut(pieces, opposite, n_nodes)
    own = node[opposite.stop]
    joint, leave_own, leave_other = (n_nodes + count * k + np.arange(k) for count in (1, 2, 3))
    leaves = np.arange(n_nodes + 4 * k)
    leaves[own], leaves[other] = leave_own, leave_other
    nothing = np.zeros(4 * k, dtype=np.int64)
    doubled_pieces = Pieces(
        np.concatenate([leaves[cut.start], own, other, joint, joint]),
        np.concatenate([cut.end, joint, joint, leave_own, leave_other]),
        np.concatenate([cut.cost_ms, nothing]),
        np.concatenate([cut.length_mm, nothing]),
    )
    stop = node.copy()
    stop[opposite.stop] = joint
    hidden, is_stop = np.zeros(n_nodes + 4 * k, dtype=np.bool_), np.zeros(n_nodes + 4 * k, dtype=np.bool_)
    hidden[joint] = True
    is_stop[np.concatenate([node, other, joint, leave_own, leave_other])] = True
    begin, end = pieces.start[opposite.piece], pieces.end[opposite.piece]
    cut_lonlat = along(lonlat, begin, end, opposite.share)
    lon, lat = (
        np.concatenate([degrees, at_cut, degrees[own], degrees[own], at_cut]) for degrees, at_cut in zip(lonlat, cut_lonlat, strict=True)
    )
    origin = np.concatenate([np.arange(n_nodes), np.tile(own, 4)])
    return Doubled(doubled_pieces, lon, lat, origin, hidden, stop, leaves[:n_nodes], is_stop, k)


def _opposite(xy: Floats, rank: NDArray[np.int8], pieces: Pieces, node: Ints, is_excluded: Mask, reach_m: float) -> _Opposite:
    """Find the other carriageway of each stop: the nearest, then the lower piece; each position on a piece once."""
    import shapely

    n_nodes = len(xy)
    one_way = np.flatnonzero(~np.isin(pieces.end * n_nodes + pieces.start, pieces.start * n_nodes + pieces.end) & ~is_excluded)
    begin, end = xy[pieces.start[one_way]], xy[pieces.end[one_way]]
    length = np.hypot(*(end - begin).T)
    heading = (end - begin) / np.maximum(length, 1e-9)[:, None]
    piece_rank = np.maximum(rank[pieces.start[one_way]], rank[pieces.end[one_way]])
    stop, ahead = _through(pieces, one_way, heading, piece_rank, node, n_nodes)
    if not stop.size or not reach_m:
        return _Opposite(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    lines = np.asarray(shapely.linestrings(np.stack([begin, end], axis=1)))
    stop_points = np.asarray(shapely.points(xy[node[stop]]))
    row, piece = shapely.STRtree(lines).query(stop_points, predicate="dwithin", distance=reach_m)
    is_opposite = ((heading[piece] * heading[ahead[row]]).sum(axis=1) < AGAINST) & (piece_rank[piece] == piece_rank[ahead[row]])
    is_opposite &= length[piece] > 1.0
    is_opposite &= (pieces.start[one_way[piece]] != node[stop[row]]) & (pieces.end[one_way[piece]] != node[stop[row]])
    row, piece = row[is_opposite], piece[is_opposite]
    distance = np.round(shapely.distance(stop_points[row], lines[piece]), 6)
    order = np.lexsort((piece, distance, row))
    first = np.unique(row[order], return_index=True)[1]
    row, piece = row[order][first], piece[order][first]
    along = ((xy[node[stop[row]]] - begin[piece]) * heading[piece]).sum(axis=1) / length[piece]
    share = np.round(np.clip(along, 0.02, 0.98), 6)
    _, unique = np.unique(np.stack([piece, share], axis=1), axis=0, return_index=True)
    unique = np.sort(unique)
    return _Opposite(stop[row[unique]], one_way[piece[unique]], share[unique])


def _through(pieces: Pieces, one_way: Ints, heading: Floats, piece_rank: NDArray[np.int8], node: Ints, n_nodes: int) -> tuple[Ints, Ints]:
    """Indices of stops in the middle of a straight one-way street, and the row in `one_way` of the piece that leaves each."""
    leaving = np.full(n_nodes, -1, dtype=np.int64)
    coming = np.full(n_nodes, -1, dtype=np.int64)
    order = np.lexsort((-one_way, -piece_rank))  # the best is written last
    leaving[pieces.start[one_way[order]]] = order
    coming[pieces.end[one_way[order]]] = order
    stops = np.flatnonzero((leaving[node] >= 0) & (coming[node] >= 0))
    straight = (heading[leaving[node[stops]]] * heading[coming[node[stops]]]).sum(axis=1) > AHEAD
    stops = stops[straight]
    return stops.astype(np.int64), leaving[node[stops]]


def _cut(pieces: Pieces, opposite: _Opposite, n_nodes: int) -> tuple[Pieces, Ints]:
    """Pieces cut opposite the stops, with milliseconds and millimetres in proportion; and the node of each cut."""
    other = n_nodes + np.arange(opposite.stop.size)
    rows: list[tuple[int, int, int, int]] = []
    order = np.lexsort((opposite.share, opposite.piece))
    for piece in np.unique(opposite.piece).tolist():
        low, high = np.searchsorted(opposite.piece[order], [piece, piece + 1])
        cuts = order[low:high].tolist()
        nodes = [int(pieces.start[piece]), *(int(other[k]) for k in cuts), int(pieces.end[piece])]
        shares = [0.0, *(float(opposite.share[k]) for k in cuts), 1.0]
        costs = [round(share * int(pieces.cost_ms[piece])) for share in shares]
        lengths = [round(share * int(pieces.length_mm[piece])) for share in shares]
        rows += [(nodes[i], nodes[i + 1], costs[i + 1] - costs[i], lengths[i + 1] - lengths[i]) for i in range(len(nodes) - 1)]
    uncut = np.ones(pieces.start.size, dtype=np.bool_)
    uncut[opposite.piece] = False
    parts = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Pieces(*(np.concatenate([column[uncut], part]) for column, part in zip(pieces, parts, strict=True))), other


def on_both_carriageways(
    grid: HexGrid, roads: Roads, placed: tuple[Stops, NDArray[np.int32], list[tuple[str, int]]], reach_m: float
) -> tuple[Roads, tuple[Stops, NDArray[np.int32], list[tuple[str, int]]]]:
    """
    Roads and stops, with each stop of a one-way road on its other carriageway too.

    Parameters
    ----------
    grid
        Projects degrees to metres.
    roads
        The roads.
    placed
        Stops, the road node of each, and counts.
    reach_m
        Largest distance in metres from a stop to the other carriageway; 0 changes nothing.

    Returns
    -------
    tuple
        Roads and stops.
    """
    stops, node, counts = placed
    start = np.repeat(np.arange(roads.lon.size, dtype=np.int64), np.diff(roads.indptr))
    pieces = Pieces(start, roads.to.astype(np.int64), roads.cost_ms, roads.length_mm)
    xy = np.stack(grid.project(roads.lon, roads.lat), axis=1)
    is_excluded = np.zeros(start.size, dtype=np.bool_)
    doubled = both_carriageways(xy, (roads.lon, roads.lat), roads.rank, pieces, node.astype(np.int64), is_excluded, reach_m)
    rows = fastest(*doubled.pieces)
    doubled_roads = roads._replace(
        names=roads.names[doubled.origin],
        lon=doubled.lon,
        lat=doubled.lat,
        indptr=np.searchsorted(rows[0], np.arange(doubled.lon.size + 1)).astype(np.int64),
        to=rows[1].astype(np.int32),
        cost_ms=rows[2],
        length_mm=rows[3],
        rank=roads.rank[doubled.origin],
        hidden=doubled.hidden | roads.hidden[doubled.origin],
    )
    return doubled_roads, (stops, doubled.stop.astype(np.int32), [*counts, ("stops on both carriageways of a road", doubled.n_doubled)])
