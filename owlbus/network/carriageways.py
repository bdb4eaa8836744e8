"""Streets with two carriageways: a stop on one belongs to the other too, so that a route runs back along the same street."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.network.from_tables import fastest
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
"""Cosines: pieces less than 60 degrees apart lead the same way, pieces more than 120 degrees apart lead the other way."""


class Doubled(NamedTuple):
    """
    Streets on which buses on either carriageway pass the stop between both.

    The other carriageway is cut opposite the stop. What arrives on either leads on to the stop; what leaves comes from it.

    Attributes
    ----------
    pieces
        The pieces.
    lon, lat
        Degrees of all nodes, shape (n,); the n_given that were given come first.
    origin
        Node given that each node takes its name and rank from, shape (n,).
    hidden
        Whether each node stands for no point of a street, shape (n,).
    stop
        Node of each stop, in the order given, shape (n_stops,).
    leaves
        Node that pieces from each given node begin at, shape (n_given,).
    is_stop
        Whether each node belongs to a stop, on either carriageway, shape (n,).
    n_doubled
        Stops that lie on both carriageways.
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
    """Stops, the piece of the other carriageway that passes each, and where along it."""

    stop: Ints
    piece: Ints
    share: Floats


def both_carriageways(
    at: Floats, degrees: tuple[Floats, Floats], rank: NDArray[np.int8], pieces: Pieces, node: Ints, barred: Mask, reach_m: float
) -> Doubled:
    """
    Double the stops on one-way streets whose other carriageway is near.

    The other carriageway is the nearest one-way piece of a street of the same rank that leads the other way.

    Parameters
    ----------
    at, degrees
        Nodes in metres, shape (n, 2), and their lon and lat.
    rank
        Rank of each node, shape (n,).
    pieces
        Pieces, unique by start and end.
    node
        Node of each stop, unique.
    barred
        Pieces that take no part, shape (m,).
    reach_m
        Metres within which the other carriageway passes.

    Returns
    -------
    Doubled
        Stops in the order given.
    """
    found = _opposite(at, rank, pieces, node, barred, reach_m)
    n_nodes, k = len(at), found.stop.size
    cut, other = _cut(pieces, found, n_nodes)
    new = degrees[0][pieces.start[found.piece]], degrees[1][pieces.start[found.piece]]
    end = degrees[0][pieces.end[found.piece]], degrees[1][pieces.end[found.piece]]
    mine = node[found.stop]
    place, leave_mine, leave_other = (n_nodes + count * k + np.arange(k) for count in (1, 2, 3))
    leaves = np.arange(n_nodes + 4 * k)
    leaves[mine], leaves[other] = leave_mine, leave_other
    nothing = np.zeros(4 * k, dtype=np.int64)
    joined = Pieces(
        np.concatenate([leaves[cut.start], mine, other, place, place]),
        np.concatenate([cut.end, place, place, leave_mine, leave_other]),
        np.concatenate([cut.cost_ms, nothing]),
        np.concatenate([cut.length_mm, nothing]),
    )
    stop = node.copy()
    stop[found.stop] = place
    hidden, is_stop = np.zeros(n_nodes + 4 * k, dtype=np.bool_), np.zeros(n_nodes + 4 * k, dtype=np.bool_)
    hidden[place] = True
    is_stop[np.concatenate([node, other, place, leave_mine, leave_other])] = True
    lon, lat = (
        np.concatenate([given, there, given[mine], given[mine], there])
        for given, there in ((degrees[axis], new[axis] + found.share * (end[axis] - new[axis])) for axis in (0, 1))
    )
    origin = np.concatenate([np.arange(n_nodes), np.tile(mine, 4)])
    return Doubled(joined, lon, lat, origin, hidden, stop, leaves[:n_nodes], is_stop, k)


def _opposite(at: Floats, rank: NDArray[np.int8], pieces: Pieces, node: Ints, barred: Mask, reach_m: float) -> _Opposite:
    """Find the other carriageway of each stop that has one; the nearest, then the lower piece; each place of a piece once."""
    import shapely

    n_nodes = len(at)
    single = np.flatnonzero(~np.isin(pieces.end * n_nodes + pieces.start, pieces.start * n_nodes + pieces.end) & ~barred)
    begin, finish = at[pieces.start[single]], at[pieces.end[single]]
    length = np.hypot(*(finish - begin).T)
    way = (finish - begin) / np.maximum(length, 1e-9)[:, None]
    kind = np.maximum(rank[pieces.start[single]], rank[pieces.end[single]])
    stop, ahead = _through(pieces, single, way, kind, node, n_nodes)
    if not stop.size or not reach_m:
        return _Opposite(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    lines = np.asarray(shapely.linestrings(np.stack([begin, finish], axis=1)))
    spots = np.asarray(shapely.points(at[node[stop]]))
    row, near = shapely.STRtree(lines).query(spots, predicate="dwithin", distance=reach_m)
    fits = ((way[near] * way[ahead[row]]).sum(axis=1) < AGAINST) & (kind[near] == kind[ahead[row]]) & (length[near] > 1.0)
    fits &= (pieces.start[single[near]] != node[stop[row]]) & (pieces.end[single[near]] != node[stop[row]])
    row, near = row[fits], near[fits]
    off = np.round(shapely.distance(spots[row], lines[near]), 6)
    order = np.lexsort((near, off, row))
    first = np.unique(row[order], return_index=True)[1]
    row, near = row[order][first], near[order][first]
    along = ((at[node[stop[row]]] - begin[near]) * way[near]).sum(axis=1) / length[near]
    share = np.round(np.clip(along, 0.02, 0.98), 6)
    _, once = np.unique(np.stack([near, share], axis=1), axis=0, return_index=True)
    once = np.sort(once)
    return _Opposite(stop[row[once]], single[near[once]], share[once])


def _through(pieces: Pieces, single: Ints, way: Floats, kind: NDArray[np.int8], node: Ints, n_nodes: int) -> tuple[Ints, Ints]:
    """Stops that a one-way street passes straight on, by index, and the row in `single` of the piece that leaves there."""
    leaving = np.full(n_nodes, -1, dtype=np.int64)
    coming = np.full(n_nodes, -1, dtype=np.int64)
    order = np.lexsort((-single, -kind))  # the best is written last
    leaving[pieces.start[single[order]]] = order
    coming[pieces.end[single[order]]] = order
    at = np.flatnonzero((leaving[node] >= 0) & (coming[node] >= 0))
    straight = (way[leaving[node[at]]] * way[coming[node[at]]]).sum(axis=1) > AHEAD
    at = at[straight]
    return at.astype(np.int64), leaving[node[at]]


def _cut(pieces: Pieces, found: _Opposite, n_nodes: int) -> tuple[Pieces, Ints]:
    """Pieces cut where a stop lies opposite, whole milliseconds and millimetres shared out; and the node of each cut."""
    other = n_nodes + np.arange(found.stop.size)
    rows: list[tuple[int, int, int, int]] = []
    order = np.lexsort((found.share, found.piece))
    for piece in np.unique(found.piece).tolist():
        low, high = np.searchsorted(found.piece[order], [piece, piece + 1])
        cuts = order[low:high].tolist()
        nodes = [int(pieces.start[piece]), *(int(other[k]) for k in cuts), int(pieces.end[piece])]
        shares = [0.0, *(float(found.share[k]) for k in cuts), 1.0]
        costs = [round(share * int(pieces.cost_ms[piece])) for share in shares]
        lengths = [round(share * int(pieces.length_mm[piece])) for share in shares]
        rows += [(nodes[i], nodes[i + 1], costs[i + 1] - costs[i], lengths[i + 1] - lengths[i]) for i in range(len(nodes) - 1)]
    whole = np.ones(pieces.start.size, dtype=np.bool_)
    whole[found.piece] = False
    parts = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Pieces(*(np.concatenate([column[whole], part]) for column, part in zip(pieces, parts, strict=True))), other


def on_both_carriageways(
    grid: HexGrid, roads: Roads, placed: tuple[Stops, NDArray[np.int32], list[tuple[str, int]]], reach_m: float
) -> tuple[Roads, tuple[Stops, NDArray[np.int32], list[tuple[str, int]]]]:
    """
    Roads and stops, those on one carriageway of a road doubled on to the other.

    Parameters
    ----------
    grid
        Projects degrees to metres.
    roads
        The roads.
    placed
        Stops, the road node of each, and what was counted.
    reach_m
        Metres within which the other carriageway passes; 0 changes nothing.

    Returns
    -------
    tuple
        Roads and stops.
    """
    stops, node, counts = placed
    start = np.repeat(np.arange(roads.lon.size, dtype=np.int64), np.diff(roads.indptr))
    pieces = Pieces(start, roads.to.astype(np.int64), roads.cost_ms, roads.length_mm)
    at = np.stack(grid.project(roads.lon, roads.lat), axis=1)
    none = np.zeros(start.size, dtype=np.bool_)
    done = both_carriageways(at, (roads.lon, roads.lat), roads.rank, pieces, node.astype(np.int64), none, reach_m)
    rows = fastest(*done.pieces)
    found = roads._replace(
        names=roads.names[done.origin],
        lon=done.lon,
        lat=done.lat,
        indptr=np.searchsorted(rows[0], np.arange(done.lon.size + 1)).astype(np.int64),
        to=rows[1].astype(np.int32),
        cost_ms=rows[2],
        length_mm=rows[3],
        rank=roads.rank[done.origin],
        hidden=done.hidden | roads.hidden[done.origin],
    )
    return found, (stops, done.stop.astype(np.int32), [*counts, ("stops on both carriageways of a road", done.n_doubled)])
