"""Streets of a network as few lines, for the ground of maps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.network import Network

    Line = NDArray[np.float64]

_EXPRESS_M = 1_500.0
_EXPRESS_RATIO = 1.35
"""A straight link longer than this is drawn only if no way over shorter links is about as long: expresses hide the streets they use."""


def street_lines(network: Network) -> list[Line]:
    """
    Streets that buses use, each once, joined to lines as long as possible.

    Parameters
    ----------
    network
        The network; a lattice has no streets.

    Returns
    -------
    list of ndarray
        Lines of lon/lat, degrees, shape (n, 2) each.
    """
    if network.source == "lattice":
        return []
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    once = np.flatnonzero(start < network.link_to)
    once = once[~_is_express(network, start, once)]
    links = {(int(start[k]), int(network.link_to[k])): network.link_line(int(start[k]), int(network.link_to[k])) for k in once.tolist()}
    neighbours: dict[int, list[int]] = {}
    for a, b in links:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    return [_joined(links, walk) for walk in _walks(neighbours)]


def thinned_lines(lines: list[Line], tolerance_deg: float, most_points: int) -> list[Line]:
    """
    Lines with fewer points, thinned further until they fit.

    Parameters
    ----------
    lines
        Lines of lon/lat, degrees, shape (n, 2) each.
    tolerance_deg
        Degrees that a point may lie off, at first; at most eight times as many.
    most_points
        Number of points of all lines together.

    Returns
    -------
    list of ndarray
        No lines if they do not fit.
    """
    import shapely

    shapes = [shapely.LineString(line) for line in lines if len(line) > 1]
    for tolerance in (tolerance_deg, 2 * tolerance_deg, 4 * tolerance_deg, 8 * tolerance_deg):
        thin = [shapely.get_coordinates(shapely.simplify(shape, tolerance)) for shape in shapes]
        if sum(map(len, thin)) <= most_points:
            return thin
    return []


def _is_express(network: Network, start: NDArray[np.int64], links: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which long links are straight lines past other stops, by the way over shorter links."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    is_express = np.zeros(links.size, np.bool_)
    long = network.link_m > _EXPRESS_M
    if network.line_indptr.size:
        long &= np.diff(network.line_indptr) == 2  # noqa: PLR2004  # a straight line has two ends
    candidates = np.flatnonzero(long[links])
    if not candidates.size:
        return is_express
    short = ~long
    graph = csr_array((network.link_m[short].astype(np.float64), (start[short], network.link_to[short])), shape=(network.n_stops,) * 2)
    begins, row = np.unique(start[links[candidates]], return_inverse=True)
    limit = _EXPRESS_RATIO * float(network.link_m[links[candidates]].max())
    metres = dijkstra(graph, indices=begins, limit=limit)[row, network.link_to[links[candidates]]]
    is_express[candidates] = metres <= _EXPRESS_RATIO * network.link_m[links[candidates]]
    return is_express


def _walks(neighbours: dict[int, list[int]]) -> list[list[int]]:
    """Walks over all edges of a graph, each edge once, begun where an odd number of edges meets; ties go to the lower stop."""
    left = {stop: sorted(others, reverse=True) for stop, others in neighbours.items()}
    unused = {(min(a, b), max(a, b)) for a, others in left.items() for b in others}
    walks = []
    for begin in sorted(left, key=lambda stop: (len(left[stop]) % 2 == 0, stop)):
        while True:
            walk = [begin]
            while True:
                here = walk[-1]
                while left[here] and (min(here, left[here][-1]), max(here, left[here][-1])) not in unused:
                    left[here].pop()
                if not left[here]:
                    break
                there = left[here].pop()
                unused.discard((min(here, there), max(here, there)))
                walk.append(there)
            if len(walk) == 1:
                break
            walks.append(walk)
    return walks


def _joined(links: dict[tuple[int, int], Line], walk: list[int]) -> Line:
    """Line of a walk from stop to stop."""
    parts = [links[a, b] if (a, b) in links else links[b, a][::-1] for a, b in pairwise(walk)]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
