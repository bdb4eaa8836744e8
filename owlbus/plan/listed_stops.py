"""Hold the stops that a plan file lists against its line."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from owlbus.plan.same_course import is_same_course
from owlbus.plan.trace_line import ON_STOP_M, LineTracer, TracedLink, written_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan.drawn_route import DrawnRoute
    from owlbus.plan.match_waypoints import WaypointMatcher

_NEARLY_M = 50.0
"""A part of a line within these metres of what it was written as keeps its stops."""


def projected(network: Network, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return positions in the plane of a network.

    Parameters
    ----------
    network
        The network.
    points
        lon/lat degrees, shape (n, 2).

    Returns
    -------
    ndarray of float64
        Metres, shape (n, 2).
    """
    return np.stack([np.asarray(side) for side in network.grid.project(points[:, 0], points[:, 1])], axis=1)


def metres_between(network: Network, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the distance of each position from that in the same row.

    Parameters
    ----------
    network
        The network.
    one, other
        lon/lat degrees, shape (n, 2).

    Returns
    -------
    ndarray of float64
        Metres, shape (n,).
    """
    apart: NDArray[np.float64] = np.hypot(*(projected(network, one) - projected(network, other)).T)
    return apart


class ListedStops:
    """
    Lists of stops on one network.

    Parameters
    ----------
    matcher
        The network and its links.
    tracer
        Finds links that a line follows.
    """

    def __init__(self, matcher: WaypointMatcher, tracer: LineTracer) -> None:
        self.matcher, self.tracer = matcher, tracer
        self.network = matcher.network

    def is_walk(self, stops: Sequence[int] | None) -> bool:
        """
        Whether stops exist and each is linked to the next.

        Parameters
        ----------
        stops
            Stop indices; None for none.

        Returns
        -------
        bool
            False for less than two stops.
        """
        if stops is None or len(stops) < 2 or not all(0 <= stop < self.network.n_stops for stop in stops):  # noqa: PLR2004 - two ends
            return False
        return all(self.matcher.link_row(u, v) is not None for u, v in pairwise(stops))

    def found_by_position(self, drawn: DrawnRoute) -> DrawnRoute:
        """
        Return a route with the stops that stand at its listed positions, where its list of stops is lost and all of them do.

        Parameters
        ----------
        drawn
            The route as its file has it.

        Returns
        -------
        DrawnRoute
            The route, with indices of stops where each position lies within 1.5 m of one.
        """
        listed = drawn.stop_points
        if drawn.stops is not None or listed is None or not len(listed):
            return drawn
        stops, metres = self.network.nearest_stops(listed[:, 0], listed[:, 1])
        return replace(drawn, stops=tuple(stops.tolist())) if np.max(metres) <= ON_STOP_M else drawn

    def is_as_written(self, drawn: DrawnRoute) -> bool:
        """
        Whether the line is that of the stops that the file lists, whatever vertices it has.

        Parameters
        ----------
        drawn
            The route as its file has it.

        Returns
        -------
        bool
            False without a list of linked stops.
        """
        if not self.is_walk(drawn.stops):
            return False
        line = self._line_of(drawn.stops or ())
        if len(line) == len(drawn.points) and metres_between(self.network, line, drawn.points).max() <= ON_STOP_M:
            return True
        if not drawn.is_line or len(drawn.points) < 2:  # noqa: PLR2004 - two ends
            return False
        return is_same_course(projected(self.network, line), projected(self.network, drawn.points))

    def is_turned(self, drawn: DrawnRoute) -> bool:
        """
        Whether a line begins nearer to the end of its list of stops, and ends nearer to the start.

        Parameters
        ----------
        drawn
            The route as its file has it.

        Returns
        -------
        bool
            False without a list of linked stops.
        """
        if not drawn.is_line or len(drawn.points) < 2 or not self.is_walk(drawn.stops):  # noqa: PLR2004 - two ends
            return False
        stops = list(drawn.stops or ())
        ends = np.stack([self.network.stop_lon[stops], self.network.stop_lat[stops]], axis=1)[[0, -1]]
        line = drawn.points[[0, -1]]
        return bool(metres_between(self.network, ends[::-1], line).sum() < metres_between(self.network, ends, line).sum())

    def _line_of(self, stops: Sequence[int]) -> NDArray[np.float64]:
        """Return the line that plan files have for stops, shape (n, 2)."""
        network = self.network
        if not network.line_indptr.size:
            return np.stack([network.stop_lon[list(stops)], network.stop_lat[list(stops)]], axis=1)
        parts = [written_line(network, self.matcher.link_row(u, v) or 0) for u, v in pairwise(stops)]
        line = np.concatenate(parts)
        kept: NDArray[np.float64] = line[np.concatenate([[True], (line[1:] != line[:-1]).any(axis=1)])]
        return kept

    def links_along(self, drawn: DrawnRoute, points: NDArray[np.float64]) -> list[TracedLink]:
        """
        Links of the list of stops that the line follows, and between them those that it runs along nearly.

        Parameters
        ----------
        drawn
            The route as its file has it.
        points
            Its line, or the positions that stand for it, lon/lat degrees, shape (n, 2).

        Returns
        -------
        list of TracedLink
            In order; a part within 50 m of what it was written as is kept unless it calls at another stop. Empty for way-points.
        """
        if not drawn.is_line or points is not drawn.points or not self.is_walk(drawn.stops):
            return []
        links = self.tracer.trace(points, drawn.stops or (), only_hinted=True)
        listed, last = list(drawn.stops or ()), len(points) - 1
        kept: list[TracedLink] = []
        row, stop, at = 0, listed[0], 0
        for link in [*links, TracedLink(last, last, listed[-1], listed[-1])]:
            end = next((k for k in range(at, len(listed)) if listed[k] == link.start), None)
            if end is not None and listed[at] == stop and (row, stop) != (link.first, link.start):
                part = listed[at : end + 1] if link.first < last or link.first < link.last else listed[at:]
                kept += self._along(points, row, link.first, part)
            if link.last > link.first:
                kept.append(link)
            row, stop = link.last, link.end
            at = next((k for k in range(at if end is None else end, len(listed)) if listed[k] == stop), at)
        return kept

    def _along(self, points: NDArray[np.float64], first: int, last: int, stops: list[int]) -> list[TracedLink]:
        """Links between stops that the vertices from `first` to `last` run along nearly; none if they do not, or call at another stop."""
        if len(stops) < 2 or last <= first:  # noqa: PLR2004 - two ends
            return []
        line = projected(self.network, self._line_of(stops))
        first, last = (self._nearer(points, row, step, at) for row, step, at in ((first, 1, line[0]), (last, -1, line[-1])))
        if last <= first:
            return []
        part = projected(self.network, points[first : last + 1])
        if not is_same_course(line, part, _NEARLY_M) or self._calls_elsewhere(line, part, stops):
            return []
        at = projected(self.network, np.stack([self.network.stop_lon[stops], self.network.stop_lat[stops]], axis=1))
        rows = [first]
        for x, y in at[1:-1]:
            rest = part[rows[-1] - first :]
            rows.append(rows[-1] + int(np.argmin(np.hypot(rest[:, 0] - x, rest[:, 1] - y))))
        rows.append(last)
        return [TracedLink(*pair, *ends) for pair, ends in zip(pairwise(rows), pairwise(stops), strict=True)]

    def _nearer(self, points: NDArray[np.float64], row: int, step: int, at_m: NDArray[np.float64]) -> int:
        """Return the row, or the next one if that is nearer to a place: links of one stop may end on two sides of a street."""
        if not 0 <= row + step < len(points):
            return row
        pair = projected(self.network, points[[row, row + step]])
        return row + step * int(np.argmin(np.hypot(*(pair - at_m).T)))

    def _calls_elsewhere(self, line: NDArray[np.float64], part: NDArray[np.float64], stops: list[int]) -> bool:
        """Whether a vertex beside the line of some stops stands on another stop."""
        import shapely

        metres, near = self.matcher.stops_near(part, 1, ON_STOP_M)
        moved = shapely.distance(shapely.LineString(line), shapely.points(part)) > ON_STOP_M
        return bool((moved & np.isfinite(metres[:, 0]) & ~np.isin(near[:, 0], stops)).any())
