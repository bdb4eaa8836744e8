"""Turn restrictions of an OpenStreetMap file as ways along its nodes that no bus may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Path = tuple[int, ...]
    Members = Sequence[tuple[str, int, str]]


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
