"""Match drawn routes to a network: links that a line follows stay, the rest is matched as a sequence of way-points."""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.network.latin_names import display_name
from owlbus.plan.drawn_route import DrawnRoute
from owlbus.plan.listed_stops import ListedStops, metres_between
from owlbus.plan.match_names import named_stops
from owlbus.plan.match_waypoints import CANDIDATE_M, Candidates, WaypointMatcher
from owlbus.plan.route_match import RouteMatch
from owlbus.plan.routes import Route
from owlbus.plan.trace_line import ON_STOP_M, LineTracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network

SPACING_M = 300.0
"""Vertices of a line nearer to the last one than these metres are no way-points of their own."""

BESIDE_M = 1_000.0
"""Stops within these metres of a vertex of a line are its candidates, at their distance to the line as far along it."""

_NEAR_LINE_M = 100.0

_KM = 1000


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
        self.listed = ListedStops(self.matcher, self.tracer)
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
            If a way-point lies too far from every stop, no path joins two of them, all share one stop, or a stop is not known by name.
        """
        if drawn.stop_names:
            return self._match_names(drawn)
        drawn = self.listed.found_by_position(drawn)
        if self.listed.is_turned(drawn):
            return self._match_turned(drawn)
        if self.listed.is_as_written(drawn):
            return self._own(drawn)
        points, is_line = self._points_of(drawn)
        links = self.tracer.trace(points, drawn.stops or (), self.listed.links_along(drawn, points))
        anchors, stops = self._joined(drawn.name, points, links, is_line=is_line)
        route = self._route(drawn, stops, len(points))
        change = self._change(drawn, stops)
        return route, self._report(drawn.name, points, anchors, stops, change)

    def _match_names(self, drawn: DrawnRoute) -> tuple[Route, RouteMatch]:
        """Route through stops known by name, of several of one name those that make it shortest, and its lengths."""
        network = self.network
        layers = [Candidates.at(stops) for stops in named_stops(network, drawn.name, drawn.stop_names)]
        first = [int(layer.stops[0]) for layer in layers]
        points = np.stack([network.stop_lon[first], network.stop_lat[first]], axis=1)
        chosen = self.matcher.match(drawn.name, points, layers)
        anchors = _Anchors(list(range(len(chosen))), chosen, [0.0] * len(chosen))
        stops = self._way(drawn.name, anchors, set())
        points = np.stack([network.stop_lon[chosen], network.stop_lat[chosen]], axis=1)
        return self._route(drawn, stops, len(points)), self._report(drawn.name, points, anchors, stops, "")

    def _route(self, drawn: DrawnRoute, stops: list[int], n_waypoints: int) -> Route:
        """Return the route; refuse one of a single stop."""
        if len(stops) == 1:
            msg = f"route {drawn.name!r}: all {n_waypoints} way-points share the stop {stops[0]}; a route needs at least two stops"
            raise DataError(msg)
        return Route(stops, drawn.name, self._back(drawn))

    def _match_turned(self, drawn: DrawnRoute) -> tuple[Route, RouteMatch]:
        """Match a line turned round as it was written, and turn the route: its links run both ways, its line along one of them."""
        route, match = self.match(replace(drawn, points=drawn.points[::-1]))
        turned = f"route {drawn.name!r}: the line runs the other way than its list of stops, and wins"
        change = "; ".join(part for part in (turned, match.change) if part)
        back = None if route.back is None else route.back[::-1]
        return Route(route.stops[::-1], drawn.name, back), replace(
            match,
            length_m=match.length_back_m,
            length_back_m=match.length_m,
            farthest_waypoint=match.n_waypoints + 1 - match.farthest_waypoint,
            change=change,
            is_own=False,
        )

    def _own(self, drawn: DrawnRoute) -> tuple[Route, RouteMatch]:
        """Return a route with the stops that its file lists."""
        stops = list(drawn.stops or ())
        forth, back = self._lengths(stops)
        lengths = (len(drawn.points), self._drawn_m(drawn.points), forth, back, 0.0, 1, self._usual_ratio)
        return Route(stops, drawn.name, self._back(drawn)), RouteMatch(drawn.name, *lengths, is_own=True)

    def _back(self, drawn: DrawnRoute) -> Sequence[int] | NDArray[np.int32] | None:
        """Return the stops of a way back of its own; none if there is no way back, None for the same stops in reverse."""
        if drawn.back is not None and drawn.back_points is not None and len(drawn.back_points) and not self.listed.is_walk(drawn.back):
            return self.match(DrawnRoute(drawn.name, drawn.back_points))[0].stops
        return None if drawn.back is None else np.array(drawn.back, np.int32)

    def _points_of(self, drawn: DrawnRoute) -> tuple[NDArray[np.float64], bool]:
        """Return the line, or the stops' positions where the line runs past all of them and the network does not know its vertices."""
        listed = drawn.stop_points
        if listed is None or len(listed) < 2 or not drawn.is_line:  # noqa: PLR2004 - two ends
            return drawn.points, drawn.is_line and self._is_dense(drawn.points)
        links = self.tracer.trace(drawn.points, drawn.stops or ())
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
        ends = metres_between(self.network, line[[0, -1]], stops[[0, -1]])
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
        return anchors, self._way(name, anchors, direct)

    def _way(self, name: str, anchors: _Anchors, direct: set[int]) -> list[int]:
        """Stops of the shortest way through all anchors; those in `direct` follow on the one before by a link."""
        stops = anchors.stops[:1]
        for number, (u, v) in enumerate(pairwise(anchors.stops), start=1):
            way = [u, v] if number in direct else self.matcher.path(u, v)
            if not way:
                msg = f"route {name!r}: no way leads from stop {u} to stop {v}; both must lie in one connected network"
                raise DataError(msg)
            stops += way[1:]
        return stops

    def _add_gap(self, anchors: _Anchors, name: str, points: NDArray[np.float64], before: tuple[int, int] | None, *, is_line: bool) -> None:
        """Match the way-points between the last anchor and the vertex and stop of `before`, or the end of the points."""
        if before is not None and anchors.rows and (anchors.rows[-1], anchors.stops[-1]) == before:
            return
        row = anchors.rows[-1] if anchors.rows else -1
        end = len(points) if before is None else before[0]
        rows = np.arange(row + 1, end)
        rows = self._near_stops(points, self._thinned(points, rows, row)) if is_line else rows
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

    def _near_stops(self, points: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of vertices near enough to a stop, and of both ends of the line: streets run far from stops too."""
        if not rows.size:
            return rows
        metres = np.asarray(self.network.nearest_stops(points[rows, 0], points[rows, 1])[1])
        return rows[(metres <= self.max_snap_m) | np.isin(rows, (0, len(points) - 1))]

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
        return float(metres_between(self.network, points[:-1], points[1:]).sum()) if len(points) > 1 else 0.0

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
        names = [display_name(self.network, anchors.stops[k]) for k in (number - 1, number)]
        return f"way-points {anchors.rows[number - 1] + 1} and {anchors.rows[number] + 1} ({names[0]}, {names[1]})"

    def _change(self, drawn: DrawnRoute, stops: list[int]) -> str:
        """Name what a line edited by hand has in place of the stops that its file lists, or what became of the lengths without them."""
        if drawn.stops is None and drawn.written_m is not None and drawn.written_m != (found := self._lengths(stops)):
            here, there = (f"{forth / _KM:.1f} km forth and {back / _KM:.1f} back" for forth, back in (found, drawn.written_m))
            lost = "the file holds no whole list of its stops, so they are told from the line"
            return f"route {drawn.name!r}: {lost}: {here}, by the file {there}; GeoJSON and GeoPackage keep the list"
        if not self.listed.is_walk(drawn.stops) or list(drawn.stops or ()) == stops:
            return ""
        listed = list(drawn.stops or ())
        parts = []
        for kind, low, high, begin, end in difflib.SequenceMatcher(None, listed, stops, autojunk=False).get_opcodes():
            if kind != "equal":
                out, into = (", ".join(display_name(self.network, stop) for stop in row) for row in (listed[low:high], stops[begin:end]))
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
