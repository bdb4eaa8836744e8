"""Read plans from files, and match them to a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError
from owlbus.plan.drawn_route import DrawnRoute
from owlbus.plan.match_route import RouteMatcher
from owlbus.plan.measures import route_links
from owlbus.plan.route_files import read_route_file
from owlbus.plan.routes import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from owlbus.network import Network
    from owlbus.plan.route_match import RouteMatch


@dataclass(frozen=True, slots=True)
class PlanMatch:
    """
    A plan that was read, and how it lies on the network.

    Attributes
    ----------
    plan
        The plan.
    routes
        Lengths, snaps and changes of each route, in the plan's order.
    notes
        Sentences on what was left out of the file.
    """

    plan: Plan
    routes: tuple[RouteMatch, ...]
    notes: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        """Notes, changes and warnings, in this order."""
        changes = [route.change for route in self.routes if route.change]
        return (*self.notes, *changes, *(route.warning for route in self.routes if route.warning))

    def to_dict(self) -> dict[str, Any]:
        """
        Values for JSON.

        Returns
        -------
        dict
            ``notes``, and ``routes`` as `RouteMatch.to_dict` gives them, lengths in metres.
        """
        return {"notes": list(self.notes), "routes": [route.to_dict() for route in self.routes]}


def read_plan(path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M) -> Plan:
    """
    Read a plan from a GIS file or from a table of way-points.

    GIS file: GeoJSON of any nesting or one feature a line, GeoPackage, shapefile, KML, GPX, MapInfo, FlatGeobuf or GeoParquet, zipped
    or not, with one line a route; without lines, points with a route and a sequence. Table: CSV, Parquet or spreadsheet with columns
    such as `route`, `sequence`, `lon` and `lat`, or the names of stops in place of positions, or lines as WKT; of a column
    `direction` the rows with 0 count, or those that a route begins with. A line that runs within 15 m of that of the stops which the
    file lists, or a part of it within 50 m, keeps them.

    Where a line follows links of the network vertex by vertex, they are the route. The rest is
    matched as a sequence of way-points: each moves to a stop within 500 m (or the nearest), so that the metres between them plus
    three times the metres moved are least, both directions considered. A route may pass a stop twice. If the file lists stops too
    and the line was changed, the line wins. `match_plan` also tells what matching did.

    Parameters
    ----------
    path
        ``.geojson``, ``.gpkg``, ``.shp``, ``.kml``, ``.gpx``, ``.csv``, ``.csv.gz`` and others, detected by content.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a way-point to its stop, boundary included.

    Returns
    -------
    Plan
        Routes in the file's order.

    Raises
    ------
    DataError
        If the file is absent, broken or empty, a way-point lies too far from every stop, or no path joins two of them.
    """
    return match_plan(path, network, max_snap_m=max_snap_m).plan


def match_plan(path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M) -> PlanMatch:
    """
    Read a plan as `read_plan` does, and tell how it lies on the network.

    Parameters
    ----------
    path
        File of the plan.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a way-point to its stop, boundary included.

    Returns
    -------
    PlanMatch
        The plan; and of each route its metres on the network and in the file, its farthest snap, and what was changed.

    Raises
    ------
    DataError
        If the file is absent, broken or empty, a way-point lies too far from every stop, or no path joins two of them.
    """
    source = Path(path)
    if not (source.is_file() or source.suffix.lower() == ".gdb"):
        msg = f"{source}: no such file; name a plan as .geojson, .csv or .csv.gz, or of another GIS format"
        raise DataError(msg)
    try:
        file = read_route_file(source)
        if file.fingerprint == network.fingerprint:
            for route in file.routes:
                _require_walk(network, route)
        known = file.fingerprint in {"", network.fingerprint}
        routes = file.routes if known else [route.elsewhere() for route in file.routes]
        return replace(_match(network, routes, max_snap_m), notes=file.notes)
    except DataError as error:
        if error.template.startswith(source.name):
            raise
        msg = f"{source.name}: {error.template}"
        raise DataError(msg, setting=error.setting, value=error.value, allowed=error.allowed) from None


def plan_of_waypoints(network: Network, waypoints: Mapping[str, Sequence[tuple[float, float]]], *, max_snap_m: float = MAX_SNAP_M) -> Plan:
    """
    Plan through way-points, matched as a sequence; the shortest paths join them.

    Each moves to a stop within 500 m, or to the nearest, so that metres between them plus three times the metres moved are least.

    Parameters
    ----------
    network
        The network of the plan.
    waypoints
        By route name, two or more (lon, lat) positions in the order of service.
    max_snap_m
        Largest distance in metres from a way-point to its stop, boundary included.

    Returns
    -------
    Plan
        Routes in the order of `waypoints`.

    Raises
    ------
    DataError
        If a way-point lies too far from every stop, a route has fewer than two stops, or no path joins two way-points.
    """
    drawn = [DrawnRoute(name, np.asarray(points, dtype=np.float64).reshape(-1, 2)) for name, points in waypoints.items()]
    return _match(network, drawn, max_snap_m).plan


def _match(network: Network, routes: Iterable[DrawnRoute], max_snap_m: float) -> PlanMatch:
    """Match routes to a network; a repeated name is refused."""
    matcher = RouteMatcher(network, max_snap_m)
    found = [matcher.match(route) for route in routes]
    return PlanMatch(Plan(tuple(route for route, _ in found), network.fingerprint), tuple(match for _, match in found))


def _require_walk(network: Network, route: DrawnRoute) -> None:
    """Refuse stops of a file of this network that are not linked."""
    if route.stops is not None:
        route_links(network, np.asarray(route.stops, dtype=np.int64), route.name)
