"""Turn restrictions on a plain graph: where one holds, the piece of street before it ends at a node of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


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


def with_turns(pieces: Pieces, n_nodes: int, turns: Ints, is_stop: NDArray[np.bool_]) -> tuple[Pieces, Ints]:
    """
    Pieces on which no way takes a forbidden turn, and none turns round behind one before the next junction or stop.

    A piece that ends where a turn is forbidden leads to a copy of its end that only the allowed pieces leave. The pieces
    after it lead to copies too, up to the next junction, which cannot be left backwards.

    Parameters
    ----------
    pieces
        The pieces, unique by start and end.
    n_nodes
        Number of nodes.
    turns
        Forbidden turns as from, via and to node, shape (k, 3).
    is_stop
        Nodes where buses halt, shape (n_nodes,): no copies are made of them.

    Returns
    -------
    tuple
        Pieces, and the node that each copy stands for; copies are numbered from `n_nodes` on.
    """
    order = np.lexsort((pieces.end, pieces.start))
    start, end = pieces.start[order], pieces.end[order]
    out = np.searchsorted(start, np.arange(n_nodes + 1))
    by_end = np.argsort(end, kind="stable")
    back = np.searchsorted(end[by_end], np.arange(n_nodes + 1))

    def following(a: int) -> list[int]:
        return [int(node) for node in end[out[a] : out[a + 1]]]

    def is_junction(a: int) -> bool:
        return len({*following(a), *start[by_end[back[a] : back[a + 1]]].tolist()}) > 2  # noqa: PLR2004  # a node between two others is none

    forbidden: dict[tuple[int, int], set[int]] = {}
    for a, via, b in turns.tolist():
        if not is_stop[via] and via in following(a):
            forbidden.setdefault((a, via), set()).add(b)

    def ahead(a: int, b: int) -> list[int]:
        allowed = [c for c in following(b) if c not in forbidden.get((a, b), ())]
        return [c for c in allowed if c != a] or allowed

    copies: dict[tuple[int, int], int] = {}
    waiting = sorted(forbidden)
    while waiting:
        a, b = waiting.pop()
        if (a, b) in copies:
            continue
        copies[a, b] = n_nodes + len(copies)
        if (a, b) in forbidden or not is_junction(b):
            waiting += [(b, c) for c in ahead(a, b) if not is_stop[c]]
    row_of = {
        (a, b): int(order[out[a] + np.searchsorted(end[out[a] : out[a + 1]], b)])
        for a, b in {*copies, *((key[1], c) for key in copies for c in ahead(*key))}
    }
    return _joined(pieces, copies, {key: ahead(*key) for key in copies}, row_of), np.array([b for _, b in copies], dtype=np.int64)


def _joined(
    pieces: Pieces, copies: dict[tuple[int, int], int], ahead: dict[tuple[int, int], list[int]], row_of: dict[tuple[int, int], int]
) -> Pieces:
    """Pieces that lead to copies where there are any, and the pieces that leave those."""
    end = pieces.end.copy()
    for key, number in copies.items():
        end[row_of[key]] = number
    leave = [(number, row_of[key[1], c]) for key, number in copies.items() for c in ahead[key]]
    rows = np.array([row for _, row in leave], dtype=np.int64)
    return Pieces(
        np.concatenate([pieces.start, np.array([number for number, _ in leave], dtype=np.int64)]),
        np.concatenate([end, end[rows]]),
        np.concatenate([pieces.cost_ms, pieces.cost_ms[rows]]),
        np.concatenate([pieces.length_mm, pieces.length_mm[rows]]),
    )
