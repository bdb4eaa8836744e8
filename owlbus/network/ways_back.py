"""Turns of buses at the ends of their lines, and the way back of each link, along links that vehicles serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.network.assemble import Links, components, paired_links, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Line = Sequence[Ints]

TURN_M = 1500.0
"""Largest straight distance in metres from the last stop of a run to the first stop of the line's way back."""

TURN_FACTOR = 1.3
"""Metres that a bus drives to turn round over the straight line, dimensionless."""

LONG_FACTOR, LONG_S = 3.0, 300.0
"""A way back is long if it takes more than this factor times the seconds of the way there plus these seconds."""

JOIN_M = 10_000.0
"""Largest straight distance in metres between groups of lines that share no place and are joined all the same."""

_WIDER = 4.0


class Turns(NamedTuple):
    """
    Links that no run serves, on which buses come from the end of a run to the start of another.

    Attributes
    ----------
    links
        The links; ``line`` counts from 0.
    chains
        For each link the links of the run whose streets it takes back; empty for a turn.
    n_turns, n_returns
        Turns to a start within `TURN_M`, and returns along the line's own streets.
    """

    links: Links
    chains: list[Ints]
    n_turns: int
    n_returns: int


class _Run(NamedTuple):
    """A run of a line between its first and last stop: both, and the served links on its way."""

    first: int
    last: int
    chain: Ints


def turns_of(served: Links, lines: Sequence[Line], xy: tuple[Floats, Floats]) -> Turns:
    """
    Turns of buses at the ends of lines: links in seconds and metres that join each last stop to a first stop of its line.

    A run's last stop is joined to the nearest first stop of its line within `TURN_M`, at `TURN_FACTOR` times the straight metres and
    at the run's speed. Each first stop is joined from the nearest last stop likewise. A run that leads nowhere back after that
    returns to its start, as far and as long as it went.

    Parameters
    ----------
    served
        Links that vehicles serve, sorted by start and end.
    lines
        For each line its sequences of stops, those of most runs first.
    xy
        Eastings and northings of the stops in metres, each of shape (n_stops,).

    Returns
    -------
    Turns
        The links, none of which is served.
    """
    n_stops = xy[0].size
    by_line = [_runs(served, line, n_stops) for line in lines]
    taken = set((served.start * n_stops + served.end).tolist())
    rows: list[tuple[int, int, int, int]] = []
    for line_runs in by_line:
        for start, end, run in _near_turns(line_runs, xy):
            if start * n_stops + end not in taken:
                taken.add(start * n_stops + end)
                metres = max(1.0, TURN_FACTOR * float(np.hypot(xy[0][start] - xy[0][end], xy[1][start] - xy[1][end])))
                speed = served.metres[run.chain].sum() / served.seconds[run.chain].sum()
                rows.append((start, end, int(rounded(metres / speed)), int(rounded(metres))))
    n_turns = len(rows)
    chains = [np.empty(0, dtype=np.int64)] * n_turns
    starts = np.concatenate([served.start, np.array([row[0] for row in rows], dtype=np.int64)])
    ends = np.concatenate([served.end, np.array([row[1] for row in rows], dtype=np.int64)])
    part = components(starts, ends, n_stops, strong=True)
    for run in (run for line_runs in by_line for run in line_runs):
        if part[run.first] != part[run.last]:
            rows.append((run.last, run.first, int(served.seconds[run.chain].sum()), int(served.metres[run.chain].sum())))
            chains.append(run.chain[::-1])
            starts, ends = np.append(starts, run.last), np.append(ends, run.first)
            part = components(starts, ends, n_stops, strong=True)
    return Turns(_links_of(rows), chains, n_turns, len(rows) - n_turns)


def _links_of(rows: Sequence[tuple[int, int, int, int]]) -> Links:
    """Links of rows of start, end, seconds and metres, with geometries counted from 0."""
    start, end, seconds, metres = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Links(start, end, seconds, metres, np.arange(len(rows)))


def _runs(served: Links, line: Line, n_stops: int) -> list[_Run]:
    """Runs of a line all of whose links are served."""
    key = served.start * n_stops + served.end
    runs = []
    for sequence in line:
        wanted = sequence[:-1] * n_stops + sequence[1:]
        chain = np.minimum(np.searchsorted(key, wanted), max(key.size - 1, 0))
        if wanted.size and key.size and (key[chain] == wanted).all():
            runs.append(_Run(int(sequence[0]), int(sequence[-1]), chain))
    return runs


def _near_turns(runs: Sequence[_Run], xy: tuple[Floats, Floats]) -> list[tuple[int, int, _Run]]:
    """Last stop, first stop and run of each turn of a line."""
    if not runs:
        return []
    first, last = (np.array([run[k] for run in runs]) for k in (0, 1))
    distance = np.hypot(*(axis[last][:, None] - axis[first][None] for axis in xy))
    pairs = [(k, int(to)) for k, to in enumerate(distance.argmin(axis=1))] + [(int(of), k) for k, of in enumerate(distance.argmin(axis=0))]
    return [(int(last[i]), int(first[j]), runs[i]) for i, j in pairs if 0 < distance[i, j] <= TURN_M]


def joins_of(driven: Links, xy: tuple[Floats, Floats]) -> Links:
    """
    Links in seconds and metres, in both directions, between groups of lines that share no place, at the median speed of all links.

    The group nearest to the largest one is joined to it first, between their nearest stops, at `TURN_FACTOR` times the straight metres.
    A group farther than `JOIN_M` stays apart.

    Parameters
    ----------
    driven
        Links that vehicles drive.
    xy
        Eastings and northings of the stops in metres, each of shape (n_stops,).

    Returns
    -------
    Links
        Two rows for each group joined; ``line`` counts from 0.
    """
    from scipy.spatial import cKDTree

    points = np.stack(xy, axis=1)
    in_use = np.zeros(len(points), dtype=np.bool_)
    in_use[driven.start] = in_use[driven.end] = True
    start, end = driven.start, driven.end
    rows: list[tuple[int, int, int, int]] = []
    speed = float(np.median(driven.metres / driven.seconds)) if driven.start.size else 1.0
    while True:
        main = components(start, end, len(points)) == 0
        others = np.flatnonzero(~main & in_use)
        if not others.size or not in_use[main].any():
            break
        distance, near = cKDTree(points[main]).query(points[others])
        k = int(np.argmin(distance))
        if distance[k] > JOIN_M:
            break
        pair = int(np.flatnonzero(main)[near[k]]), int(others[k])
        metres = max(1.0, TURN_FACTOR * float(distance[k]))
        rows += [(way[0], way[1], int(rounded(metres / speed)), int(rounded(metres))) for way in (pair, pair[::-1])]
        start, end = np.append(start, pair), np.append(end, pair[::-1])
    return _links_of(rows)


class WaysBack(NamedTuple):
    """
    Reverses of links that are served in one direction only.

    Attributes
    ----------
    links
        Each along the fastest path of links; ``line`` counts from 0.
    chains
        The links of each path.
    n_one_way, n_long
        Links without a reverse before, and ways back that take longer than `LONG_FACTOR` and `LONG_S` allow.
    """

    links: Links
    chains: list[Ints]
    n_one_way: int
    n_long: int


def ways_back(links: Links, n_stops: int) -> WaysBack:
    """
    Missing reverses of links in seconds and metres, each along the fastest path of links.

    Parameters
    ----------
    links
        Unique links sorted by start and end.
    n_stops
        Number of stops.

    Returns
    -------
    WaysBack
        One reverse for each link whose end is joined to its start.
    """
    from scipy.sparse import csr_array

    key = links.start * n_stops + links.end
    is_paired = np.isin(links.end * n_stops + links.start, key)
    graph = csr_array((links.seconds.astype(np.float64), (links.start, links.end)), shape=(n_stops, n_stops))
    part = components(links.start, links.end, n_stops, strong=True)
    wanted = np.flatnonzero(~is_paired & (part[links.start] == part[links.end]))
    limit = float(links.seconds.max(initial=0)) * LONG_FACTOR + LONG_S
    rows: list[tuple[int, int, int, int, int]] = []
    chains: list[Ints] = []
    while wanted.size:
        for source in np.unique(links.end[wanted]).tolist():
            for k, chain in _paths_back(graph, links, wanted[links.end[wanted] == source], limit, key):
                rows.append((source, int(links.start[k]), int(links.seconds[chain].sum()), int(links.metres[chain].sum()), len(chains)))
                chains.append(chain)
        done = np.array([row[1] * n_stops + row[0] for row in rows], dtype=np.int64)
        wanted, limit = wanted[~np.isin(key[wanted], done)], limit * _WIDER
    made = Links(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)
    there = links.seconds[np.searchsorted(key, made.end * n_stops + made.start)] if made.start.size else made.seconds
    n_long = int((made.seconds > there * LONG_FACTOR + LONG_S).sum())
    return WaysBack(made, chains, links.start.size - paired_links(links, n_stops).start.size, n_long)


def _paths_back(graph: object, links: Links, rows: Ints, limit: float, key: Ints) -> list[tuple[int, Ints]]:
    """Links of one end whose start is reached within a limit of seconds, each with the links of its way back."""
    from scipy.sparse.csgraph import dijkstra

    source, n_stops = int(links.end[rows[0]]), graph.shape[0]  # type: ignore[attr-defined]  # scipy ships no types
    seconds, predecessors = dijkstra(graph, indices=source, limit=limit, return_predecessors=True)
    found = []
    for k in rows[seconds[links.start[rows]] <= limit].tolist():
        path = [int(links.start[k])]
        while path[-1] != source:
            path.append(int(predecessors[path[-1]]))
        path.reverse()
        found.append((k, np.searchsorted(key, np.array(path[:-1]) * n_stops + np.array(path[1:]))))
    return found
