"""Read plans from GeoJSON files and tables of way-points."""

from __future__ import annotations

import csv
import difflib
import json
import math
import zlib
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError, setting
from owlbus.common.files import decompress_gzip, parse_json
from owlbus.grid.axes import looks_projected, swapped_axes
from owlbus.plan.measures import route_links
from owlbus.plan.routes import Plan, Route
from owlbus.records.text_lines import split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.network import Network


_NAME_COLUMNS = ("route", "line")
_NEEDED_COLUMNS = ("sequence", "lon", "lat")
_FIRST_DIRECTIONS = frozenset({"0", "0.0", ""})
_NAME_KEYS = ("name", "route", "line", "ref")
_MAX_LON, _MAX_LAT = 180.0, 90.0


@dataclass(frozen=True, slots=True)
class _WaypointRoute:
    """Way-points of one route as (lon, lat) in order, and stop indices if the file has them."""

    name: str
    points: list[tuple[float, float]]
    stops: list[int] | None = None


def read_plan(path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M) -> Plan:
    """
    Read a plan from GeoJSON or from a table of way-points.

    GeoJSON: a FeatureCollection of LineStrings. If its member `network` is the network's fingerprint, the property `stops` gives the
    routes. If not, the positions of the property `stop_lonlat` are way-points, or else the coordinates. Table: CSV or CSV.gz with
    the columns `route` or `line`, `sequence`, `lon` and `lat`. If it has a column `direction`, only rows with 0 count. Other columns
    are ignored. Way-points move to the nearest stop and are joined by the fastest paths of the network, so a route may pass a
    stop twice.

    Parameters
    ----------
    path
        ``.geojson``, ``.json``, ``.csv`` or ``.csv.gz``.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a way-point to the nearest stop, boundary included.

    Returns
    -------
    Plan
        Routes in the file's order.

    Raises
    ------
    DataError
        If the file is absent, broken or empty, a way-point lies too far from every stop, or no path joins two of them.
    """
    source = Path(path)
    if not source.is_file():
        msg = f"{source}: no such file; name a plan as .geojson, .csv or .csv.gz"
        raise DataError(msg)
    text = _text(source)
    try:
        is_json = text.lstrip()[:1] == "{"
        fingerprint, routes = _geojson_routes(text) if is_json else ("", _table_routes(text))
        if fingerprint == network.fingerprint and all(route.stops is not None for route in routes):
            return _indexed_plan(network, routes)
        return _snapped_plan(network, [(route.name, route.points) for route in routes], max_snap_m)
    except DataError as error:
        msg = f"{source.name}: {error.template}"
        raise DataError(msg, setting=error.setting, value=error.value, allowed=error.allowed) from None
    except csv.Error as error:
        msg = f"{source.name}: is no readable table of way-points ({error}); write the file again"
        raise DataError(msg) from None


def plan_of_waypoints(network: Network, waypoints: Mapping[str, Sequence[tuple[float, float]]], *, max_snap_m: float = MAX_SNAP_M) -> Plan:
    """
    Plan through way-points, each moved to its nearest stop; the fastest paths join them.

    Consecutive way-points with the same nearest stop become one.

    Parameters
    ----------
    network
        The network of the plan.
    waypoints
        By route name, two or more (lon, lat) positions in the order of service.
    max_snap_m
        Largest distance in metres from a way-point to the nearest stop, boundary included.

    Returns
    -------
    Plan
        Routes in the order of `waypoints`.

    Raises
    ------
    DataError
        If a way-point lies too far from every stop, a route has fewer than two stops, or no path joins two way-points.
    """
    return _snapped_plan(network, waypoints.items(), max_snap_m)


def _snapped_plan(network: Network, waypoints: Iterable[tuple[str, Sequence[tuple[float, float]]]], max_snap_m: float) -> Plan:
    """Plan through way-points by route name; a repeated name is refused."""
    routes = tuple(_route_through(network, name, np.asarray(points, dtype=np.float64), max_snap_m) for name, points in waypoints)
    return Plan(routes, network.fingerprint)


def _route_through(network: Network, name: str, points: NDArray[np.float64], max_snap_m: float) -> Route:
    """Route through the stops nearest to way-points, shape (n, 2)."""
    nearest, metres = network.nearest_stops(points[:, 0], points[:, 1])
    far = np.flatnonzero(~(np.asarray(metres) <= max_snap_m))
    if far.size:
        lon, lat = points[far[0]]
        msg = (
            f"route {name!r}: way-point {far[0] + 1} ({lon:.5f}, {lat:.5f}) lies {np.asarray(metres)[far[0]]:.0f} m from the nearest stop, "
            f"allowed are {max_snap_m:g} m ({far.size} of {len(points)} way-points); put longitude first, or allow more "
            f"({setting('max_snap_m')})"
        )
        raise DataError(msg, setting="max_snap_m", value=max_snap_m)
    snapped = np.asarray(nearest, dtype=np.int64)
    snapped = snapped[np.concatenate([[True], snapped[1:] != snapped[:-1]])]
    if len(snapped) == 1:
        msg = f"route {name!r}: all {len(points)} way-points share the stop {snapped[0]}; a route needs at least two stops"
        raise DataError(msg)
    stops: list[int] = [int(snapped[0])]
    for start, end in pairwise(snapped.tolist()):
        path = network.shortest_path(start, end).tolist()
        if not path:
            msg = f"route {name!r}: no way leads from stop {start} to stop {end}; both must lie in one connected network"
            raise DataError(msg)
        stops += path[1:]
    return Route(stops, name)


def _indexed_plan(network: Network, routes: Iterable[_WaypointRoute]) -> Plan:
    """Plan by stop indices, with every link checked."""
    plan = Plan(tuple(Route(route.stops or [], route.name) for route in routes), network.fingerprint)
    for route in plan:
        route_links(network, route.stops, route.name)
    return plan


def _text(source: Path) -> str:
    """Text of a file, decompressed if it is gzip."""
    data = source.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = decompress_gzip(data, source.name)
        return data.decode("utf-8-sig")
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        msg = f"{source.name}: a plan must be UTF-8 text, plain or as whole gzip, got {type(error).__name__}; write the file again"
        raise DataError(msg) from None


def _geojson_routes(text: str) -> tuple[str, list[_WaypointRoute]]:
    """Network fingerprint of a FeatureCollection, empty if it has none, and its routes."""
    try:
        document = parse_json(text)
    except json.JSONDecodeError as error:
        msg = f"not valid JSON in line {error.lineno}, column {error.colno}: {error.msg}; write the file again"
        raise DataError(msg) from None
    except ValueError as error:
        msg = f"not valid JSON: {error}; write the file again"
        raise DataError(msg) from None
    collection = _object(document)
    features = collection.get("features") if collection.get("type") == "FeatureCollection" else None
    if not isinstance(features, list) or not features:
        msg = "a plan in GeoJSON must be a FeatureCollection with at least one LineString; this file holds none"
        raise DataError(msg)
    return str(collection.get("network", "")), [_geojson_route(feature, row) for row, feature in enumerate(features)]


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - what JSON holds is known once it is checked
    """Return a JSON object; an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def _geojson_route(feature: Any, row: int) -> _WaypointRoute:  # noqa: ANN401 - what JSON holds is known once it is checked
    """Route of one feature, with its geometry checked."""
    properties, geometry = (_object(_object(feature).get(member)) for member in ("properties", "geometry"))
    name = next((str(properties[key]) for key in _NAME_KEYS if properties.get(key) not in (None, "")), f"route {row + 1}")
    try:
        positions = properties.get("stop_lonlat") or geometry["coordinates"]
        points = [(float(position[0]), float(position[1])) for position in positions]
    except (LookupError, TypeError, ValueError, OverflowError):
        points = []
    if geometry.get("type") != "LineString" or not points:
        msg = f"route {name!r} must be a LineString of [lon, lat] positions, got {geometry.get('type')} in feature {row + 1}"
        raise DataError(msg)
    _require_order(points, f"route {name!r}")
    for number, (lon, lat) in enumerate(points, start=1):
        _require_position(lon, lat, f"route {name!r}, position {number}")
    stops = properties.get("stops")
    is_indexed = isinstance(stops, list) and all(isinstance(stop, int) for stop in stops)
    return _WaypointRoute(name, points, stops if is_indexed else None)


def _table_routes(text: str) -> list[_WaypointRoute]:
    """Routes of a way-point table, in order of first appearance."""
    rows = csv.DictReader(split_lines(text), restval="")
    names = [name.strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    route_column = _route_column(names)
    waypoints: dict[str, list[tuple[float, tuple[float, float]]]] = {}
    kept = []
    for number, row in enumerate(rows, start=2):
        if row.get("direction", "").strip() in _FIRST_DIRECTIONS:
            sequence, lon, lat = (_number(row[column], column, number) for column in _NEEDED_COLUMNS)
            kept.append((number, lon, lat))
            waypoints.setdefault(row[route_column].strip(), []).append((sequence, (lon, lat)))
    _require_order([(lon, lat) for _, lon, lat in kept], "way-points")
    for number, lon, lat in kept:
        _require_position(lon, lat, f"line {number}")
    if not waypoints:
        msg = "a plan needs at least one route; the table holds no way-point of direction 0"
        raise DataError(msg)
    return [_WaypointRoute(name, [point for _, point in sorted(points, key=itemgetter(0))]) for name, points in waypoints.items()]


def _route_column(names: Sequence[str]) -> str:
    """Column with the route names; refuse a table without the needed columns."""
    if not names:
        msg = f"the file is empty; a way-point table needs the columns {_NAME_COLUMNS[0]}, {', '.join(_NEEDED_COLUMNS)}"
        raise DataError(msg)
    route_column = next((column for column in _NAME_COLUMNS if column in names), _NAME_COLUMNS[0])
    missing = [column for column in (route_column, *_NEEDED_COLUMNS) if column not in names]
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"the table has {', '.join(names)}"
        msg = f"a way-point table needs the column {missing[0]!r} ({len(missing)} missing); {hint}"
        raise DataError(msg)
    return route_column


def _number(text: str | None, column: str, line: int) -> float:
    """Finite number of a field."""
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"{column} must be a finite number, got {text!r} on line {line}; mend the line"
        raise DataError(msg)
    return value


def _require_order(points: Sequence[tuple[float, float]], source: str) -> None:
    """Refuse positions that look swapped or projected, as a whole; `source` says where they stand in the file."""
    lonlat = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    found = swapped_axes(lonlat[:, 0], lonlat[:, 1])
    if found:
        msg = f"{source}: {found}, so the two axes look swapped; put longitude first"
        raise DataError(msg)
    if looks_projected(lonlat[:, 0], lonlat[:, 1]):
        msg = f"{source}: positions look like metres of a projected system; write them in degrees WGS 84"
        raise DataError(msg)


def _require_position(lon: float, lat: float, source: str) -> None:
    """Refuse a longitude or latitude out of range or NaN; `source` says where it stands in the file."""
    if not (abs(lon) <= _MAX_LON and abs(lat) <= _MAX_LAT):
        msg = f"a position must be longitude in [-180, 180], latitude in [-90, 90], got ({lon:g}, {lat:g}) at {source}; put longitude first"
        raise DataError(msg)
