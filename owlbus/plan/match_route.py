"""Match drawn routes to a network: links that a line follows stay, the rest is matched as a sequence of way-points."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.plan.match_waypoints import CANDIDATE_M, Candidates, WaypointMatcher
from owlbus.plan.route_match import RouteMatch
from owlbus.plan.routes import Route
from owlbus.plan.trace_line import ON_STOP_M, LineTracer, written_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network

SPACING_M = 300.0
"""Vertices of a line nearer to the last one than these metres are no way-points of their own."""

BESIDE_M = 1_000.0
"""Stops within these metres of a vertex of a line are its candidates, at their distance to the line as far along it."""

_NEAR_LINE_M = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRoute:
    """
    A route as a file has it.

    Attributes
    ----------
    name
        Route name.
    points
        Way-points or vertices of a line, lon/lat degrees, shape (n, 2); n may be 0 if `stops` are given.
    stops
        Stop indices that the file lists; None for none.
    stop_points
        Positions of the stops that the file lists, lon/lat degrees, shape (k, 2); None for none.
    is_line
        Whether `points` are vertices of a line rather than way-points.
    """

    name: str
    points: NDArray[np.float64]
    stops: tuple[int, ...] | None = None
    stop_points: NDArray[np.float64] | None = field(default=None)
    is_line: bool = False


class _Anchors(NamedTuple):
    """Rows of points with the stop that each is at, in order, and metres between the two."""

    rows: list[int]
    stops: list[int]
    metres: list[float]


class RouteMatcher:
    """
    Routes of one network for drawn lines and way-points.

    Parameters
    ----------
    network
        The network.
    max_snap_m
        Largest distance in metres from a way-point to its stop, boundary included.
    """

    def __init__(self, network: Network, max_snap_m: float) -> None:
        self.network, self.max_snap_m = network, max_snap_m
        self.matcher = WaypointMatcher(network)
        self.tracer = LineTracer(self.matcher)
        self._usual_ratio = _usual_ratio(network)

    def match(self, drawn: DrawnRoute) -> tuple[Route, RouteMatch]:
        """
        Route on the network, and what matching it did.

        Parameters
        ----------
        drawn
            The route as its file has it.

        Returns
        -------
        tuple
            The route, and its lengths, snaps and changes.

        Raises
        ------
        DataError
            If a way-point lies too far from every stop, no path joins two of them, or all share one stop.
        """
        if self._is_as_written(drawn):
            return self._own(drawn)
        points, is_line = self._points_of(drawn)
        links = self.tracer.trace(points, drawn.stops or (), is_line=drawn.is_line)
        anchors, stops = self._joined(drawn.name, points, links, is_line=is_line)
        if len(stops) == 1:
            msg = f"route {drawn.name!r}: all {len(points)} way-points share the stop {stops[0]}; a route needs at least two stops"
            raise DataError(msg)
        change = self._change(drawn, stops)
        return Route(stops, drawn.name), self._report(drawn.name, points, anchors, stops, change)

    def _is_walk(self, stops: Sequence[int] | None) -> bool:
        """Whether stops exist and each is linked to the next."""
        if stops is None or len(stops) < 2 or not all(0 <= stop < self.network.n_stops for stop in stops):  # noqa: PLR2004 - two ends
            return False
        return all(self.matcher.link_row(u, v) is not None for u, v in pairwise(stops))

    def _is_as_written(self, drawn: DrawnRoute) -> bool:
        """Whether the line is that of the stops that the file lists."""
        if not self._is_walk(drawn.stops):
            return False
        line = self._line_of(drawn.stops or ())
        if len(line) != len(drawn.points):
            return False
        return bool(self._metres_between(line, drawn.points).max() <= ON_STOP_M)

    def _line_of(self, stops: Sequence[int]) -> NDArray[np.float64]:
        """Return the line that plan files have for stops, shape (n, 2)."""
        network = self.network
        if not network.line_indptr.size:
            return np.stack([network.stop_lon[list(stops)], network.stop_lat[list(stops)]], axis=1)
        parts = [written_line(network, self.matcher.link_row(u, v) or 0) for u, v in pairwise(stops)]
        line = np.concatenate(parts)
        kept: NDArray[np.float64] = line[np.concatenate([[True], (line[1:] != line[:-1]).any(axis=1)])]
        return kept

    def _metres_between(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres from each position to that in the same row, shape (n,)."""
        (x, y), (u, v) = (self.network.grid.project(points[:, 0], points[:, 1]) for points in (one, other))
        metres: NDArray[np.float64] = np.hypot(np.asarray(x) - u, np.asarray(y) - v)
        return metres

    def _own(self, drawn: DrawnRoute) -> tuple[Route, RouteMatch]:
        """Return a route with the stops that its file lists."""
        stops = list(drawn.stops or ())
        forth, back = self._lengths(stops)
        match = RouteMatch(drawn.name, len(drawn.points), self._drawn_m(drawn.points), forth, back, 0.0, 1, self._usual_ratio, is_own=True)
        return Route(stops, drawn.name), match

    def _points_of(self, drawn: DrawnRoute) -> tuple[NDArray[np.float64], bool]:
        """Return the line, or the stops' positions where the line runs past all of them and the network does not know its vertices."""
        listed = drawn.stop_points
        if listed is None or len(listed) < 2 or not drawn.is_line:  # noqa: PLR2004 - two ends
            return drawn.points, drawn.is_line and self._is_dense(drawn.points)
        links = self.tracer.trace(drawn.points, drawn.stops or (), is_line=True)
        if sum(link.last - link.first for link in links) * 2 >= len(drawn.points) - 1:
            return drawn.points, self._is_dense(drawn.points)
        return (listed, False) if self._runs_past(drawn.points, listed) else (drawn.points, self._is_dense(drawn.points))

    def _is_dense(self, line: NDArray[np.float64]) -> bool:
        """Whether the vertices of a line draw streets; those of a sparse line are way-points."""
        return self._drawn_m(line) < SPACING_M * (len(line) - 1)

    def _runs_past(self, line: NDArray[np.float64], stops: NDArray[np.float64]) -> bool:
        """Whether a line passes stops in order, begins at the first and ends at the last."""
        import shapely

        whole = shapely.LineString(np.stack([np.asarray(side) for side in self.network.grid.project(line[:, 0], line[:, 1])], axis=1))
        at = shapely.points(np.stack([np.asarray(side) for side in self.network.grid.project(stops[:, 0], stops[:, 1])], axis=1))
        ends = self._metres_between(line[[0, -1]], stops[[0, -1]])
        return bool(shapely.distance(whole, at).max() <= _NEAR_LINE_M and ends.max() <= _NEAR_LINE_M)

    def _joined(
        self, name: str, points: NDArray[np.float64], links: Sequence[tuple[int, int, int, int]], *, is_line: bool
    ) -> tuple[_Anchors, list[int]]:
        """Return way-points with their stops, and all stops of the route: traced links, and matched way-points between them."""
        anchors = _Anchors([], [], [])
        direct: set[int] = set()
        for first, last, start, end in links:
            self._add_gap(anchors, name, points, (first, start), is_line=is_line)
            direct.add(len(anchors.rows))
            _add(anchors, last, end, 0.0)
        self._add_gap(anchors, name, points, None, is_line=is_line)
        stops = anchors.stops[:1]
        for number, (u, v) in enumerate(pairwise(anchors.stops), start=1):
            way = [u, v] if number in direct else self.matcher.path(u, v)
            if not way:
                msg = f"route {name!r}: no way leads from stop {u} to stop {v}; both must lie in one connected network"
                raise DataError(msg)
            stops += way[1:]
        return anchors, stops

    def _add_gap(self, anchors: _Anchors, name: str, points: NDArray[np.float64], before: tuple[int, int] | None, *, is_line: bool) -> None:
        """Match the way-points between the last anchor and the vertex and stop of `before`, or the end of the points."""
        if before is not None and anchors.rows and (anchors.rows[-1], anchors.stops[-1]) == before:
            return
        row = anchors.rows[-1] if anchors.rows else -1
        end = len(points) if before is None else before[0]
        rows = np.arange(row + 1, end)
        rows = self._thinned(points, rows, row) if is_line else rows
        is_lattice = self.network.source == "lattice"  # its stops stand for all streets of a hex: way-points belong to the nearest
        radius_m = BESIDE_M if is_line else 0.0 if is_lattice else CANDIDATE_M
        layers = self.matcher.candidates(name, points[rows], rows + 1, self.max_snap_m, radius_m) if rows.size else []
        if is_line:
            layers = self._beside_line(points, rows.tolist(), layers)
        if anchors.rows:
            layers = [Candidates.only(anchors.stops[-1]), *layers]
            rows = np.concatenate([[row], rows])
        if before is not None:
            layers = [*layers, Candidates.only(before[1])]
            rows = np.concatenate([rows, [before[0]]])
        chosen = self.matcher.match(name, points[rows], layers)
        skip = 1 if anchors.rows else 0
        for at, stop, layer in list(zip(rows.tolist(), chosen, layers, strict=True))[skip:]:
            metres = float(layer.metres[int(np.flatnonzero(layer.stops == stop)[0])])
            _add(anchors, at, stop, metres)

    def _thinned(self, points: NDArray[np.float64], rows: NDArray[np.int64], before: int) -> NDArray[np.int64]:
        """Rows of vertices at least 300 m from the one kept before, and of those on a stop; ends of a line stay."""
        x, y = self.network.grid.project(points[:, 0], points[:, 1])
        _, metres = self.network.nearest_stops(points[rows, 0], points[rows, 1]) if rows.size else (None, np.empty(0))
        kept: list[int] = []
        last = before
        for row, metres_to_stop in zip(rows.tolist(), metres, strict=True):
            is_end = row in {0, len(points) - 1}
            if is_end or metres_to_stop <= ON_STOP_M or np.hypot(x[row] - x[last], y[row] - y[last]) >= SPACING_M:
                kept.append(row)
                last = row
        return np.array(kept, dtype=np.int64)

    def _beside_line(self, points: NDArray[np.float64], rows: list[int], layers: Sequence[Candidates]) -> list[Candidates]:
        """Candidates with their metres to the line around a vertex in place of the vertex, but at both ends of the line."""
        import shapely

        x, y = (np.asarray(side) for side in self.network.grid.project(points[:, 0], points[:, 1]))
        along_m = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        stop_x, stop_y = self.network.grid.project(self.network.stop_lon, self.network.stop_lat)
        found = []
        for row, layer in zip(rows, layers, strict=True):
            if row in {0, len(points) - 1}:
                found.append(layer)
                continue
            low = int(np.searchsorted(along_m, along_m[row] - BESIDE_M, side="right")) - 1
            high = int(np.searchsorted(along_m, along_m[row] + BESIDE_M))
            around = slice(max(low, 0), high + 1)
            part = shapely.LineString(np.stack([x[around], y[around]], axis=1))
            metres = np.asarray(shapely.distance(part, shapely.points(stop_x[layer.stops], stop_y[layer.stops])))
            order = np.lexsort((layer.stops, np.round(metres, 6)))
            found.append(Candidates(layer.stops[order], metres[order]))
        return found

    def _lengths(self, stops: Sequence[int]) -> tuple[int, int]:
        """Metres of a route forth and back."""
        pairs = list(pairwise(stops))
        return sum(self.network.link(u, v)[1] for u, v in pairs), sum(self.network.link(v, u)[1] for u, v in pairs)

    def _drawn_m(self, points: NDArray[np.float64]) -> float:
        """Metres through points, straight from each to the next."""
        return float(self._metres_between(points[:-1], points[1:]).sum()) if len(points) > 1 else 0.0

    def _report(self, name: str, points: NDArray[np.float64], anchors: _Anchors, stops: list[int], change: str) -> RouteMatch:
        """Lengths of a matched route, its farthest snap, and where most metres were added."""
        forth, back = self._lengths(stops)
        farthest = int(np.argmax(anchors.metres))
        return RouteMatch(
            name,
            len(points),
            self._drawn_m(points),
            forth,
            back,
            anchors.metres[farthest],
            anchors.rows[farthest] + 1,
            self._usual_ratio,
            self._detour(points, anchors, stops),
            change,
        )

    def _detour(self, points: NDArray[np.float64], anchors: _Anchors, stops: list[int]) -> str:
        """Name the two way-points between which the route has most metres more than the line."""
        added, at = [], 0
        for number in range(1, len(anchors.rows)):
            first, last = anchors.rows[number - 1], anchors.rows[number]
            end = stops.index(anchors.stops[number], at)
            drawn_m = self._drawn_m(points[first : last + 1]) * self._usual_ratio
            added.append((max(self._lengths(stops[at : end + 1])) - drawn_m, number))
            at = end
        if not added or max(added)[0] <= 0:
            return ""
        number = max(added)[1]
        names = [self.network.stop_names[anchors.stops[k]] for k in (number - 1, number)]
        return f"way-points {anchors.rows[number - 1] + 1} and {anchors.rows[number] + 1} ({names[0]}, {names[1]})"

    def _change(self, drawn: DrawnRoute, stops: list[int]) -> str:
        """Name what a line edited by hand has in place of the stops that its file lists."""
        if not self._is_walk(drawn.stops) or list(drawn.stops or ()) == stops:
            return ""
        listed = list(drawn.stops or ())
        names = self.network.stop_names
        parts = []
        for kind, low, high, begin, end in difflib.SequenceMatcher(None, listed, stops, autojunk=False).get_opcodes():
            if kind != "equal":
                out, into = (", ".join(names[stop] for stop in row) for row in (listed[low:high], stops[begin:end]))
                parts.append(f"{into or 'nothing'} in place of {out or 'nothing'}")
        return f"route {drawn.name!r}: the line was changed and wins over its list of stops: {'; '.join(parts)}"


def _add(anchors: _Anchors, row: int, stop: int, metres: float) -> None:
    """Add a way-point at a stop; one at the stop of the last joins it."""
    if anchors.stops and anchors.stops[-1] == stop:
        anchors.rows[-1], anchors.metres[-1] = row, max(metres, anchors.metres[-1])
        return
    anchors.rows.append(row)
    anchors.stops.append(stop)
    anchors.metres.append(metres)


def _usual_ratio(network: Network) -> float:
    """Median of metres over straight metres of the links of a hex lattice, at least 1; 1 on streets."""
    if network.source != "lattice" or not network.n_links:
        return 1.0
    x, y = network.grid.project(network.stop_lon, network.stop_lat)
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    straight = np.hypot(x[start] - x[network.link_to], y[start] - y[network.link_to])
    return float(max(1.0, np.median(network.link_m / np.maximum(straight, 1.0))))
