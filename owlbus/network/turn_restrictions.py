"""Turn restrictions of OpenStreetMap: forbidden turns, and street graphs without them."""

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
    State = tuple[int, ...]


class Forbidden(NamedTuple):
    """
    Turns that restrictions forbid.

    Attributes
    ----------
    turns
        Forbidden turns as node indices: from, via and to; a street as via has several nodes. Ascending.
    over_ways
        Number of restrictions with a street as via.
    left_out
        Number of restrictions without effect: not understood, or off the streets in use.
    """

    turns: tuple[tuple[int, ...], ...]
    over_ways: int
    left_out: int


class _Here(NamedTuple):
    """Pieces of street at the via nodes of restrictions: by node the other end and the street of each; by street its start nodes."""

    coming: dict[int, list[tuple[int, int]]]
    leaving: dict[int, list[tuple[int, int]]]
    on_street: dict[int, list[int]]


def forbidden_turns(
    rules: Sequence[tuple[str, Members]], row_of: Mapping[int, int], ids: Ints, start: Ints, end: Ints, way: Ints
) -> Forbidden:
    """
    Turns that restrictions forbid, as node indices.

    A ``no_`` forbids the path from its first street over all of its via to its last. An ``only_`` forbids every other path that
    leaves this one after its first street. A U-turn at a node is forbidden along the same piece only.

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
    via_pieces = _pieces_at(_via_nodes(rules, row_of, ids, start, end, way), start, end, way)
    index = {int(ids[node]): node for node in via_pieces.coming.keys() | via_pieces.leaving.keys()}
    turns: set[Path] = set()
    over_ways = left_out = 0
    for rule, members in rules:
        via = [(kind, ref) for kind, ref, role in members if role == "via"]
        origins, targets = ({row_of.get(ref, -1) for _, ref, role in members if role == wanted} for wanted in ("from", "to"))
        paths: list[Path] = []
        if via and all(kind == "w" for kind, _ in via):
            over_ways += 1
            paths = _over_streets({row_of.get(ref, -1) for _, ref in via}, origins, targets, via_pieces)
        elif len(via) == 1 and via[0][1] in index:
            paths = [(index[via[0][1]],)]
        forbidden = _forbidden(rule, paths, origins, targets, via_pieces)
        left_out += not forbidden
        turns |= forbidden
    return Forbidden(tuple(sorted(turns)), over_ways, left_out)


def _via_nodes(rules: Sequence[tuple[str, Members]], row_of: Mapping[int, int], ids: Ints, start: Ints, end: Ints, way: Ints) -> Ints:
    """Via nodes of restrictions, and all nodes of their via streets."""
    via = [(kind, ref) for _, members in rules for kind, ref, role in members if role == "via"]
    named = np.array(sorted({ref for kind, ref in via if kind == "n"}), dtype=np.int64)
    rows = np.array(sorted({row_of[ref] for kind, ref in via if kind == "w" and ref in row_of}), dtype=np.int64)
    on = np.isin(way, rows)
    return np.unique(np.concatenate([np.flatnonzero(np.isin(ids, named)), start[on], end[on]]))


def _pieces_at(nodes: Ints, start: Ints, end: Ints, way: Ints) -> _Here:
    """Pieces of street at given nodes."""
    via_pieces = _Here({}, {}, {})
    for k in np.flatnonzero(np.isin(start, nodes)).tolist():
        via_pieces.leaving.setdefault(int(start[k]), []).append((int(end[k]), int(way[k])))
        via_pieces.on_street.setdefault(int(way[k]), []).append(int(start[k]))
    for k in np.flatnonzero(np.isin(end, nodes)).tolist():
        via_pieces.coming.setdefault(int(end[k]), []).append((int(start[k]), int(way[k])))
    return via_pieces


def _over_streets(streets: set[int], origins: set[int], targets: set[int], via_pieces: _Here) -> list[Path]:
    """Nodes of every path along all via streets, from a node of an origin street to a node of a target street."""
    nodes = sorted({node for street in streets for node in via_pieces.on_street.get(street, ())})
    waiting: list[tuple[Path, frozenset[int]]] = [
        ((node,), frozenset()) for node in nodes if any(row in origins for _, row in via_pieces.coming.get(node, ()))
    ]
    paths = []
    while waiting:
        path, used = waiting.pop()
        if used == streets and any(row in targets for _, row in via_pieces.leaving.get(path[-1], ())):
            paths.append(path)
            continue
        onward = [(node, row) for node, row in via_pieces.leaving.get(path[-1], ()) if row in streets and node not in path]
        waiting += [((*path, node), used | {row}) for node, row in onward]
    return paths


def _forbidden(rule: str, paths: Sequence[Path], origins: set[int], targets: set[int], via_pieces: _Here) -> set[Path]:
    """Turns that one restriction forbids along its via paths."""
    turns = {
        (a, *path, b)
        for path in paths
        for a, first in via_pieces.coming.get(path[0], ())
        for b, last in via_pieces.leaving.get(path[-1], ())
        if first in origins and last in targets and a not in path and (b == a or len(path) > 1 or "u_turn" not in rule)
    }
    if rule.startswith("no_"):
        return turns
    onward: dict[Path, set[int]] = {}
    for turn in turns:
        for k in range(2, len(turn)):
            onward.setdefault(turn[:k], set()).add(turn[k])
    return {(*begin, b) for begin, allowed in onward.items() for b, _ in via_pieces.leaving.get(begin[-1], ()) if b not in allowed}


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
    """Index of pieces by start and by end node."""

    def __init__(self, pieces: Pieces, n_nodes: int) -> None:
        self._order = np.lexsort((pieces.end, pieces.start))
        self._start, self._end = pieces.start[self._order], pieces.end[self._order]
        self._out = np.searchsorted(self._start, np.arange(n_nodes + 1))
        self._by_end = np.argsort(self._end, kind="stable")
        self._back = np.searchsorted(self._end[self._by_end], np.arange(n_nodes + 1))

    def following(self, node: int) -> list[int]:
        """End nodes of the pieces from a node, ascending."""
        return [int(other) for other in self._end[self._out[node] : self._out[node + 1]]]

    def is_junction(self, node: int) -> bool:
        """Whether a node has more than two neighbours."""
        coming = self._start[self._by_end[self._back[node] : self._back[node + 1]]]
        return len({*self.following(node), *coming.tolist()}) > 2  # noqa: PLR2004  # a node between two others is none

    def row(self, a: int, b: int) -> int:
        """Row of the piece from one node to another."""
        first = self._out[a]
        return int(self._order[first + np.searchsorted(self._end[first : self._out[a + 1]], b)])


class _TurnStates:
    """
    States of a bus: the last nodes of its path that restrict where it may drive next.

    Up to a forbidden turn, the state is the longest prefix of a forbidden turn that the path ends with. After it, the state is the
    last piece, so that the bus cannot turn round: up to and at the next junction, and from there until before the junction after it.
    """

    def __init__(self, streets: _Streets, turns: Sequence[State], is_stop: NDArray[np.bool_]) -> None:
        self._streets, self._is_stop = streets, is_stop
        steps = [(turn, pair) for turn in turns for pair in pairwise(turn[:-1])]
        ignored = {turn for turn, (a, b) in steps if is_stop[b] or b not in streets.following(a)}
        self._turns = {turn for turn in turns if turn not in ignored}
        self._prefixes = {turn[:k] for turn in self._turns for k in range(2, len(turn))}
        self._near_turn: set[State] = set()
        stack = self.first_states
        while stack:
            state = stack.pop()
            if state not in self._near_turn:
                self._near_turn.add(state)
                following = [self._state_before_junction(state, node) for node in self.next_nodes(state)]
                stack += [next_state for next_state in following if next_state is not None]

    @property
    def first_states(self) -> list[State]:
        """First pieces of forbidden turns, ascending."""
        return sorted(state for state in self._prefixes if len(state) == 2)  # noqa: PLR2004  # one piece

    def next_nodes(self, state: State) -> list[int]:
        """Next nodes that a bus may drive to; back only if there is no other."""
        following = self._streets.following(state[-1])
        allowed = [node for node in following if not any((*state[k:], node) in self._turns for k in range(len(state) - 1))]
        return [node for node in allowed if node != state[-2]] or allowed

    def next_state(self, state: State, node: int) -> State | None:
        """State at the next node; None if nothing restricts the bus there."""
        pair = (state[-1], node)
        following = self._state_before_junction(state, node) if state in self._near_turn else None
        if following is not None or pair in self._near_turn:
            return following or pair
        return None if self._is_stop[node] or self._streets.is_junction(node) else pair

    def _state_before_junction(self, state: State, node: int) -> State | None:
        """State at the next node, up to the next junction; None beyond it."""
        if self._is_stop[node]:
            return None
        for k in range(len(state)):
            if (*state[k:], node) in self._prefixes:
                return (*state[k:], node)
        return (state[-1], node) if state in self._prefixes or not self._streets.is_junction(state[-1]) else None


def with_turns(pieces: Pieces, n_nodes: int, turns: Sequence[State], is_stop: NDArray[np.bool_]) -> tuple[Pieces, Ints]:
    """
    Pieces on which no path takes a forbidden turn, or turns round after one before a stop or the second junction.

    A forbidden turn has three nodes, or more with a street as via. Nodes are copied, one copy per state of a bus:

    1. The first piece ``a-b`` of a turn ``a-b-c-d`` leads to a copy of ``b``, its next piece to a copy of ``c``, and so on.
    2. Pieces from the last copy (here of ``c``) lead to allowed nodes only (here not to ``d``).
    3. The pieces after it lead to copies up to the next junction, so that no bus turns round there, and on to the junction after it,
       where a bus may turn round.

    Parameters
    ----------
    pieces
        The pieces, unique by start and end.
    n_nodes
        Number of nodes.
    turns
        Forbidden turns of three nodes or more; those with a stop as via or with a missing piece are ignored.
    is_stop
        Whether each node is a stop, shape (n_nodes,); stops are not copied.

    Returns
    -------
    tuple
        Pieces, and the original node of each copy; copies are numbered from `n_nodes` on.
    """
    streets = _Streets(pieces, n_nodes)
    states = _TurnStates(streets, turns, is_stop)
    copies: dict[State, int] = {}
    moves: list[tuple[State, int, State | None]] = []
    stack = states.first_states
    while stack:
        state = stack.pop()
        if state in copies:
            continue
        copies[state] = n_nodes + len(copies)
        onward = [(state, node, states.next_state(state, node)) for node in states.next_nodes(state)]
        moves += onward
        stack += [following for _, _, following in onward if following is not None]
    return _joined(pieces, streets, copies, moves), np.array([state[-1] for state in copies], dtype=np.int64)


def _joined(pieces: Pieces, streets: _Streets, copies: dict[State, int], moves: list[tuple[State, int, State | None]]) -> Pieces:
    """Pieces of the graph with copies: pieces that are a state lead to its copy, and each copy has pieces to its next nodes."""
    end = pieces.end.copy()
    for state, number in copies.items():
        if len(state) == 2:  # noqa: PLR2004  # one piece
            end[streets.row(state[0], state[1])] = number
    rows = np.array([streets.row(state[-1], node) for state, node, _ in moves], dtype=np.int64)
    targets = np.array(
        [end[row] if following is None else copies[following] for row, (_, _, following) in zip(rows, moves, strict=True)], dtype=np.int64
    )
    return Pieces(
        np.concatenate([pieces.start, np.array([copies[state] for state, _, _ in moves], dtype=np.int64)]),
        np.concatenate([end, targets]),
        np.concatenate([pieces.cost_ms, pieces.cost_ms[rows]]),
        np.concatenate([pieces.length_mm, pieces.length_mm[rows]]),
    )
