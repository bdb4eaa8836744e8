"""Find the links of a network that a line follows vertex by vertex."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan.match_waypoints import WaypointMatcher

ON_STOP_M = 1.5
"""A vertex within these metres of a stop stands on it; coordinates with 5 decimals are that exact."""

_DECIMALS = 6
_BREAK = 0.5
_HINT = 0.25
_STOP = 0.01
_LONGER = 1e-4
"""Vertices that a metre of way back more than forth costs: a one-way link of 10 km is worth no vertex."""
_MOST_STOPS_AT_A_VERTEX = 8


class TracedLink(NamedTuple):
    """
    A link that a line follows.

    Attributes
    ----------
    first, last
        Indices of the vertices at its ends.
    start, end
        Stop indices.
    """

    first: int
    last: int
    start: int
    end: int


class LineTracer:
    """
    Links of a network by the position where they begin.

    Parameters
    ----------
    matcher
        The network and its links.
    """

    def __init__(self, matcher: WaypointMatcher) -> None:
        from scipy.spatial import cKDTree

        self.matcher = matcher
        self.network: Network = matcher.network
        self._starts = None
        network = self.network
        if network.line_indptr.size:
            first = network.line_indptr[:-1]
            x, y = network.grid.project(network.line_lon[first], network.line_lat[first])
            self._starts = cKDTree(np.stack([x, y], axis=1))

    def trace(
        self, points: NDArray[np.float64], hint: Iterable[int], also: Iterable[TracedLink] = (), *, only_hinted: bool = False
    ) -> list[TracedLink]:
        """
        Links that a line follows, in order; vertices between them belong to no link.

        Parameters
        ----------
        points
            Vertices, lon/lat degrees, shape (n, 2).
        hint
            Stops that the line was written with, preferred where links lie on one another; may be empty.
        also
            More links to choose from.
        only_hinted
            Whether only links between stops of `hint` count.

        Returns
        -------
        list of TracedLink
            The chain that covers the most vertices, with few interruptions; among equals the one with the shortest way back, then the
            one with most stops.
        """
        xy = np.stack([np.asarray(side) for side in self.network.grid.project(points[:, 0], points[:, 1])], axis=1)
        hinted = set(pairwise(hint))
        links = sorted({*self._between_stops(xy), *self._along_streets(xy), *also})
        links = [link for link in links if (link.start, link.end) in hinted] if only_hinted else links
        return _longest_chain(links, [self._gain(link, hinted) for link in links])

    def _gain(self, link: TracedLink, hinted: set[tuple[int, int]]) -> float:
        """Vertices that a link covers, with a little more for a stop and for a hint, and less for a longer way back."""
        gain = link.last - link.first + _STOP
        if (link.start, link.end) in hinted:
            return gain + _HINT
        longer_m = self.network.link(link.end, link.start)[1] - self.network.link(link.start, link.end)[1]
        return gain - _LONGER * max(longer_m, 0)

    def _between_stops(self, xy: NDArray[np.float64]) -> Iterable[TracedLink]:
        """Yield links between the stops on which neighbouring vertices stand."""
        metres, stops = self.matcher.stops_near(xy, min(_MOST_STOPS_AT_A_VERTEX, self.network.n_stops), ON_STOP_M)
        on = [stops[row][np.isfinite(metres[row])].tolist() for row in range(len(xy))]
        for row, (before, after) in enumerate(pairwise(on)):
            for start in before:
                for end in after:
                    if start != end and self.matcher.link_row(start, end) is not None:
                        yield TracedLink(row, row + 1, start, end)

    def _along_streets(self, xy: NDArray[np.float64]) -> Iterable[TracedLink]:
        """Yield links whose street geometry runs through the same vertices."""
        if self._starts is None:
            return
        network = self.network
        for row, found in enumerate(self._starts.query_ball_point(xy, ON_STOP_M)):
            for link in sorted(found):
                line = written_line(network, link)
                part = xy[row : row + len(line)]
                if len(part) < len(line) or len(line) < 2:  # noqa: PLR2004 - a line has two ends
                    continue
                x, y = network.grid.project(line[:, 0], line[:, 1])
                if np.hypot(part[:, 0] - x, part[:, 1] - y).max() <= ON_STOP_M:
                    start = int(np.searchsorted(network.link_indptr, link, side="right")) - 1
                    yield TracedLink(row, row + len(line) - 1, start, int(network.link_to[link]))


def written_line(network: Network, link: int) -> NDArray[np.float64]:
    """
    Street geometry of a link as plan files have it: 6 decimals, no position twice in a row.

    Parameters
    ----------
    network
        A network with street geometry.
    link
        Row of the link.

    Returns
    -------
    ndarray of float64
        lon and lat in degrees, shape (n, 2).
    """
    points = slice(int(network.line_indptr[link]), int(network.line_indptr[link + 1]))
    line = np.round(np.stack([network.line_lon[points], network.line_lat[points]], axis=1), _DECIMALS)
    is_new = np.concatenate([[True], (line[1:] != line[:-1]).any(axis=1)])
    kept: NDArray[np.float64] = line[is_new]
    return kept


def _longest_chain(links: list[TracedLink], gains: list[float]) -> list[TracedLink]:
    """Return the links, sorted by vertex, in order, whose gains are largest; an interruption costs half a vertex."""
    value: list[float] = []
    origin: list[int] = []
    ending: dict[tuple[int, int], int] = {}
    waiting: list[tuple[int, int]] = []
    best = -1
    for number, link in enumerate(links):
        while waiting and waiting[0][0] <= link.first:
            other = heapq.heappop(waiting)[1]
            best = other if best < 0 or value[other] > value[best] else best
        before = ending.get((link.first, link.start), -1)
        worth = value[before] if before >= 0 else -np.inf
        if best >= 0 and value[best] - _BREAK > worth:
            before, worth = best, value[best] - _BREAK
        value.append(gains[number] + max(worth, 0.0))
        origin.append(before if worth > 0 else -1)
        heapq.heappush(waiting, (link.last, number))
        known = ending.get((link.last, link.end), -1)
        if known < 0 or value[number] > value[known]:
            ending[link.last, link.end] = number
    chain = []
    at = int(np.argmax(value)) if value else -1
    while at >= 0:
        chain.append(links[at])
        at = origin[at]
    return chain[::-1]
