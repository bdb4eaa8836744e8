"""Turn restrictions of OpenStreetMap: the forbidden turns, and street graphs that respect them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Path = tuple[int, ...]
    Members = Sequence[tuple[str, int, str]]
    from collections.abc import Sequence

    Came = tuple[int, ...]


class Forbidden(NamedTuple):
    """
    What restrictions forbid.

    Attributes
    ----------
    turns
        Ways that no bus may take, as node indices: from, via and to; more than one via where it is a street. Ascending.
    over_ways
        Restrictions by way of a further street.
    left_out
        Restrictions that forbid nothing here: not understood, or off the streets in use.
    """

    turns: tuple[tuple[int, ...], ...]
    over_ways: int
    left_out: int


class _Here(NamedTuple):
    """Pieces of street at the nodes that restrictions lead over: the other end and the street of each, by node."""

    coming: dict[int, list[tuple[int, int]]]
    leaving: dict[int, list[tuple[int, int]]]
    on_street: dict[int, list[int]]


def forbidden_turns(
    rules: Sequence[tuple[str, Members]], row_of: Mapping[int, int], ids: Ints, start: Ints, end: Ints, way: Ints
) -> Forbidden:
    """
    Ways that restrictions forbid.

    A ``no_`` forbids the way from its first street over all of its via to its last. An ``only_`` makes that way the only one:
    whoever comes from its first street may leave it nowhere. U-turns at a node are forbidden back along the same piece only.

    Parameters
    ----------
    rules
        Value and members (type, id, role) of each restriction.
    row_of
        Row of each street in use, by its id.
    ids
        Ids of nodes, ascending, shape (n,).
    start, end, way
        Node indices and row of the street of each directed piece, shape (m,).

    Returns
    -------
    Forbidden
        Turns, and counts of restrictions.
    """
    here = _pieces_at(_via_nodes(rules, row_of, ids, start, end, way), start, end, way)
    index = {int(ids[node]): node for node in here.coming.keys() | here.leaving.keys()}
    turns: set[Path] = set()
    over_ways = left_out = 0
    for rule, members in rules:
        via = [(kind, ref) for kind, ref, role in members if role == "via"]
        origins, targets = ({row_of.get(ref, -1) for _, ref, role in members if role == wanted} for wanted in ("from", "to"))
        paths: list[Path] = []
        if via and all(kind == "w" for kind, _ in via):
            over_ways += 1
            paths = _over_streets({row_of.get(ref, -1) for _, ref in via}, origins, targets, here)
        elif len(via) == 1 and via[0][1] in index:
            paths = [(index[via[0][1]],)]
        found = _forbidden(rule, paths, origins, targets, here)
        left_out += not found
        turns |= found
    return Forbidden(tuple(sorted(turns)), over_ways, left_out)


def _via_nodes(rules: Sequence[tuple[str, Members]], row_of: Mapping[int, int], ids: Ints, start: Ints, end: Ints, way: Ints) -> Ints:
    """Nodes that restrictions lead over: those they name, and all along the streets they name."""
    via = [(kind, ref) for _, members in rules for kind, ref, role in members if role == "via"]
    named = np.array(sorted({ref for kind, ref in via if kind == "n"}), dtype=np.int64)
    rows = np.array(sorted({row_of[ref] for kind, ref in via if kind == "w" and ref in row_of}), dtype=np.int64)
    on = np.isin(way, rows)
    return np.unique(np.concatenate([np.flatnonzero(np.isin(ids, named)), start[on], end[on]]))


def _pieces_at(nodes: Ints, start: Ints, end: Ints, way: Ints) -> _Here:
    """Look up the pieces of street at nodes."""
    here = _Here({}, {}, {})
    for k in np.flatnonzero(np.isin(start, nodes)).tolist():
        here.leaving.setdefault(int(start[k]), []).append((int(end[k]), int(way[k])))
        here.on_street.setdefault(int(way[k]), []).append(int(start[k]))
    for k in np.flatnonzero(np.isin(end, nodes)).tolist():
        here.coming.setdefault(int(end[k]), []).append((int(start[k]), int(way[k])))
    return here


def _over_streets(streets: set[int], origins: set[int], targets: set[int], here: _Here) -> list[Path]:
    """Nodes of every way along all of some streets, from where one of the origins joins to where one of the targets leaves."""
    nodes = sorted({node for street in streets for node in here.on_street.get(street, ())})
    waiting: list[tuple[Path, frozenset[int]]] = [
        ((node,), frozenset()) for node in nodes if any(row in origins for _, row in here.coming.get(node, ()))
    ]
    found = []
    while waiting:
        path, used = waiting.pop()
        if used == streets and any(row in targets for _, row in here.leaving.get(path[-1], ())):
            found.append(path)
            continue
        onward = [(node, row) for node, row in here.leaving.get(path[-1], ()) if row in streets and node not in path]
        waiting += [((*path, node), used | {row}) for node, row in onward]
    return found


def _forbidden(rule: str, paths: Sequence[Path], origins: set[int], targets: set[int], here: _Here) -> set[Path]:
    """Ways that one restriction forbids, given the nodes that it leads over."""
    whole = {
        (a, *path, b)
        for path in paths
        for a, first in here.coming.get(path[0], ())
        for b, last in here.leaving.get(path[-1], ())
        if first in origins and last in targets and a not in path and (b == a or len(path) > 1 or "u_turn" not in rule)
    }
    if rule.startswith("no_"):
        return whole
    onward: dict[Path, set[int]] = {}
    for way in whole:
        for k in range(2, len(way)):
            onward.setdefault(way[:k], set()).add(way[k])
    return {(*begun, b) for begun, allowed in onward.items() for b, _ in here.leaving.get(begun[-1], ()) if b not in allowed}


class Pieces(NamedTuple):
    """
    Directed pieces of street between nodes.

    Attributes
    ----------
    start, end
        Nodes, shape (m,).
    cost_ms, length_mm
        Milliseconds and millimetres, shape (m,).
    """

    start: Ints
    end: Ints
    cost_ms: Ints
    length_mm: Ints


class _Streets:
    """Pieces by node, and where each lies."""

    def __init__(self, pieces: Pieces, n_nodes: int) -> None:
        self._order = np.lexsort((pieces.end, pieces.start))
        self._start, self._end = pieces.start[self._order], pieces.end[self._order]
        self._out = np.searchsorted(self._start, np.arange(n_nodes + 1))
        self._by_end = np.argsort(self._end, kind="stable")
        self._back = np.searchsorted(self._end[self._by_end], np.arange(n_nodes + 1))

    def following(self, node: int) -> list[int]:
        """Nodes that pieces lead to from a node, ascending."""
        return [int(other) for other in self._end[self._out[node] : self._out[node + 1]]]

    def is_junction(self, node: int) -> bool:
        """Whether a node has more than two neighbours."""
        coming = self._start[self._by_end[self._back[node] : self._back[node + 1]]]
        return len({*self.following(node), *coming.tolist()}) > 2  # noqa: PLR2004  # a node between two others is none

    def row(self, a: int, b: int) -> int:
        """Row of the piece from one node to another."""
        first = self._out[a]
        return int(self._order[first + np.searchsorted(self._end[first : self._out[a + 1]], b)])


class _Memory:
    """
    What a bus keeps in mind of the nodes it came along.

    That is the longest beginning of a forbidden way; behind one, not to turn round up to and at the next junction; and from
    there on not before the junction after it.
    """

    def __init__(self, streets: _Streets, turns: Sequence[Came], is_stop: NDArray[np.bool_]) -> None:
        self._streets, self._is_stop = streets, is_stop
        steps = [(turn, pair) for turn in turns for pair in pairwise(turn[:-1])]
        broken = {turn for turn, (a, b) in steps if is_stop[b] or b not in streets.following(a)}
        self._whole = {turn for turn in turns if turn not in broken}
        self._begun = {turn[:k] for turn in self._whole for k in range(2, len(turn))}
        self._near: set[Came] = set()
        waiting = self.first
        while waiting:
            came = waiting.pop()
            if came not in self._near:
                self._near.add(came)
                waiting += [kept for node in self.ahead(came) if (kept := self._up_to_a_junction(came, node)) is not None]

    @property
    def first(self) -> list[Came]:
        """Pieces that forbidden ways begin with, ascending."""
        return sorted(came for came in self._begun if len(came) == 2)  # noqa: PLR2004  # one piece

    def ahead(self, came: Came) -> list[int]:
        """Where a bus may go on to; back only where nothing else is open."""
        following = self._streets.following(came[-1])
        allowed = [node for node in following if not any((*came[k:], node) in self._whole for k in range(len(came) - 1))]
        return [node for node in allowed if node != came[-2]] or allowed

    def then(self, came: Came, node: int) -> Came | None:
        """What to keep in mind at the next node; None where that is nothing."""
        pair = (came[-1], node)
        kept = self._up_to_a_junction(came, node) if came in self._near else None
        if kept is not None or pair in self._near:
            return kept or pair
        return None if self._is_stop[node] or self._streets.is_junction(node) else pair

    def _up_to_a_junction(self, came: Came, node: int) -> Came | None:
        """What to keep in mind at the next node up to the next junction."""
        if self._is_stop[node]:
            return None
        for k in range(len(came)):
            if (*came[k:], node) in self._begun:
                return (*came[k:], node)
        return (came[-1], node) if came in self._begun or not self._streets.is_junction(came[-1]) else None


def with_turns(pieces: Pieces, n_nodes: int, turns: Sequence[Came], is_stop: NDArray[np.bool_]) -> tuple[Pieces, Ints]:
    """
    Pieces on which no way takes a forbidden turn, and none turns round behind one before a stop or the second junction.

    A forbidden turn is a way of three nodes, or of more where it leads by way of a further street. A piece with which one
    begins leads to a copy of its end, whose pieces lead to further copies for as long as the way is followed; the last of
    them is left by the allowed pieces only. The pieces after it lead to copies too, up to the next junction, which cannot
    be left backwards, and on to the junction after that, which can.

    Parameters
    ----------
    pieces
        The pieces, unique by start and end.
    n_nodes
        Number of nodes.
    turns
        Forbidden ways of three nodes or more; those that pass a stop or leave the pieces count for nothing.
    is_stop
        Nodes where buses halt, shape (n_nodes,): no copies are made of them.

    Returns
    -------
    tuple
        Pieces, and the node that each copy stands for; copies are numbered from `n_nodes` on.
    """
    streets = _Streets(pieces, n_nodes)
    memory = _Memory(streets, turns, is_stop)
    copies: dict[Came, int] = {}
    leave: list[tuple[Came, int, Came | None]] = []
    waiting = memory.first
    while waiting:
        came = waiting.pop()
        if came in copies:
            continue
        copies[came] = n_nodes + len(copies)
        onward = [(came, node, memory.then(came, node)) for node in memory.ahead(came)]
        leave += onward
        waiting += [kept for _, _, kept in onward if kept is not None]
    return _joined(pieces, streets, copies, leave), np.array([came[-1] for came in copies], dtype=np.int64)


def _joined(pieces: Pieces, streets: _Streets, copies: dict[Came, int], leave: list[tuple[Came, int, Came | None]]) -> Pieces:
    """Pieces that lead to copies where one piece is all there is to keep in mind, and the pieces that leave copies."""
    end = pieces.end.copy()
    for came, number in copies.items():
        if len(came) == 2:  # noqa: PLR2004  # one piece
            end[streets.row(came[0], came[1])] = number
    rows = np.array([streets.row(came[-1], node) for came, node, _ in leave], dtype=np.int64)
    goal = np.array([end[row] if kept is None else copies[kept] for row, (_, _, kept) in zip(rows, leave, strict=True)], dtype=np.int64)
    return Pieces(
        np.concatenate([pieces.start, np.array([copies[came] for came, _, _ in leave], dtype=np.int64)]),
        np.concatenate([end, goal]),
        np.concatenate([pieces.cost_ms, pieces.cost_ms[rows]]),
        np.concatenate([pieces.length_mm, pieces.length_mm[rows]]),
    )
