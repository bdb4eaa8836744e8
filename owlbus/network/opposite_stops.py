"""Pair the two sides of a street: by name, and by the order in which a line serves them out and back."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Line = Sequence[Ints]

PAIR_FACTOR = 3.0
"""Opposite stops lie at most this many times as far apart as stops that are merged whatever their names and lines are, dimensionless."""

_STOPS_APART = 3
_PATTERNS = 8
_ROWS_OF_LOOP = 6  # three pairs of places, each from both ends


class Pairs(NamedTuple):
    """
    Places after the two sides of streets are paired.

    Attributes
    ----------
    place
        Place that each place becomes part of, the busiest of its group, shape (n,).
    n_by_name, n_by_line
        Places that became part of another by either rule.
    """

    place: Ints
    n_by_name: int
    n_by_line: int


def pair_opposite_stops(xy: tuple[Floats, Floats], weight: Ints, names: Sequence[str], lines: Sequence[Line], pair_m: float) -> Pairs:
    """
    Pair places that serve the two directions of a street, at most `pair_m` metres apart.

    Places of one name are paired first. Then a line pairs two places if one of its runs serves the first, another, or the same run on
    its way back, serves the second, each is the nearest of the other run's places to the other, and the order of service is
    reversed. Places that a run serves within two stops of each other are never paired. All places of a group lie within `pair_m` of
    one another. The nearest pairs come first; ties go to the lower place.

    Parameters
    ----------
    xy
        Eastings and northings in metres, each of shape (n,).
    weight
        Stop calls of each place, shape (n,).
    names
        Names of the places, n of them.
    lines
        For each line its sequences of places, those of most runs first.
    pair_m
        Metres, boundary included.

    Returns
    -------
    Pairs
        The place that each place becomes part of.

    Examples
    --------
    >>> x, y = np.array([0.0, 500.0, 1000.0, 0.0, 500.0, 1000.0]), np.array([0.0, 0.0, 0.0, 150.0, 150.0, 150.0])
    >>> line = [np.array([0, 1, 2]), np.array([5, 4, 3])]
    >>> pair_opposite_stops((x, y), np.ones(6, np.int64), [""] * 6, [line], 300.0).place.tolist()
    [0, 1, 2, 0, 1, 2]
    """
    points = np.stack(xy, axis=1).reshape(-1, 2)
    groups = _Groups(points, _near_in_service(lines, len(points)), pair_m)
    n_by_name = sum(groups.join(a, b) for a, b in _pairs_by_name(points, names, pair_m))
    n_by_line = sum(groups.join(a, b, both_single=True) for a, b in _pairs_by_line(points, lines, pair_m))
    place = np.arange(len(points))
    for members in {id(group): group for group in groups.of}.values():
        place[members] = min(members, key=lambda member: (-int(weight[member]), member))
    return Pairs(place, n_by_name, n_by_line)


class _Groups:
    """Groups of places; two of them become one only if all their members may be together."""

    def __init__(self, points: Floats, apart: set[tuple[int, int]], pair_m: float) -> None:
        self.of = [[place] for place in range(len(points))]
        self._points, self._apart, self._pair_m = points, apart, pair_m
        self._in_line_pair: set[int] = set()

    def join(self, a: int, b: int, *, both_single: bool = False) -> bool:
        """Join the groups of two places if they may; a place is in one pair of a line at most."""
        first, second = self.of[a], self.of[b]
        if first is second or (both_single and (a in self._in_line_pair or b in self._in_line_pair)):
            return False
        distance = np.hypot(*(self._points[first][:, None] - self._points[second][None]).transpose(2, 0, 1))
        if distance.max() > self._pair_m + 1e-6 or any(_key(i, j) in self._apart for i in first for j in second):
            return False
        first.extend(second)
        for member in second:
            self.of[member] = first
        if both_single:
            self._in_line_pair |= {a, b}
        return True


def _key(a: int, b: int) -> tuple[int, int]:
    """Two places in ascending order."""
    return (a, b) if a < b else (b, a)


def _near_in_service(lines: Sequence[Line], n_places: int) -> set[tuple[int, int]]:
    """Pairs of places that a run serves within two stops of each other."""
    keys = [np.empty(0, dtype=np.int64)]
    for sequence in (sequence for line in lines for sequence in line):
        for apart in range(1, _STOPS_APART):
            first, second = sequence[:-apart], sequence[apart:]
            keys.append(np.minimum(first, second) * n_places + np.maximum(first, second))
    return {divmod(key, n_places) for key in np.unique(np.concatenate(keys)).tolist()}


def _sorted_pairs(points: Floats, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs, each once, the nearest first."""
    unique = np.array(sorted({_key(*pair) for pair in pairs}), dtype=np.int64).reshape(-1, 2)
    distance = np.round(np.hypot(*(points[unique[:, 0]] - points[unique[:, 1]]).T), 6)
    return ((a, b) for a, b in unique[np.argsort(distance, kind="stable")].tolist())


def _pairs_by_name(points: Floats, names: Sequence[str], pair_m: float) -> Iterator[tuple[int, int]]:
    """Pairs of places of one name within `pair_m`, whatever the case, blanks and signs of the name."""
    from scipy.spatial import cKDTree

    plain = [" ".join(re.findall(r"\w+", name.casefold())) for name in names]
    near = cKDTree(points).query_pairs(pair_m + 1e-6, output_type="ndarray") if len(points) else np.empty((0, 2), np.int64)
    return _sorted_pairs(points, ((a, b) for a, b in near.tolist() if plain[a] and plain[a] == plain[b]))


def _pairs_by_line(points: Floats, lines: Sequence[Line], pair_m: float) -> Iterator[tuple[int, int]]:
    """Pairs of places that a line serves in reversed order, within `pair_m`; none of them does it serve both ways."""
    found: list[tuple[int, int]] = []
    for line in lines:
        sequences = line[:_PATTERNS]
        pairs = [
            pair for k, forth in enumerate(sequences) for back in sequences[k:] for pair in _reversed_pairs(points, forth, back, pair_m)
        ]
        both_ways = {a for a, b in pairs if a == b}
        found += [(a, b) for a, b in pairs if a not in both_ways and b not in both_ways]
    return _sorted_pairs(points, found)


def _reversed_pairs(points: Floats, forth: Ints, back: Ints, pair_m: float) -> list[tuple[int, int]]:
    """Longest chain of mutually nearest places of two sequences that `back` serves in reversed order; none if most run alike."""
    distance = np.hypot(*(points[forth][:, None] - points[back][None]).transpose(2, 0, 1))
    if forth is back:  # places of one run are opposite only if it comes back past them
        steps = np.arange(forth.size)
        distance[np.abs(steps[:, None] - steps[None]) < _STOPS_APART] = np.inf
    nearest, nearest_back = distance.argmin(axis=1), distance.argmin(axis=0)
    rows = np.flatnonzero((nearest_back[nearest] == np.arange(forth.size)) & (distance.min(axis=1) <= pair_m + 1e-6))
    falling = _longest_rising(-nearest[rows])
    needed = _longest_rising(nearest[rows]).size + 1 if forth is not back else _ROWS_OF_LOOP
    rows = rows[falling]
    return list(zip(forth[rows].tolist(), back[nearest[rows]].tolist(), strict=True)) if rows.size >= needed else []


def _longest_rising(values: Ints) -> Ints:
    """Positions of a longest strictly rising part of some numbers."""
    ends: list[int] = []
    last: list[int] = []
    previous = np.full(values.size, -1, dtype=np.int64)
    for k, value in enumerate(values.tolist()):
        at = bisect_left(ends, value)
        previous[k] = last[at - 1] if at else -1
        ends[at : at + 1], last[at : at + 1] = [value], [k]
    chain: list[int] = []
    k = last[-1] if last else -1
    while k >= 0:
        chain.append(k)
        k = int(previous[k])
    return np.array(chain[::-1], dtype=np.int64)
