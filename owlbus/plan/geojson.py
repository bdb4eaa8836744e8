"""Write plans and their stops as GeoJSON; the same plan gives the same bytes."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.files import write_atomically
from owlbus.plan.measures import plan_measures, require_same_network

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.network import Network
    from owlbus.plan.routes import Plan, Route

SCHEMA_VERSION = 1
"""Version of the members and properties below; it increases when the meaning of one changes."""

GENERATOR = "owlbus"
_DECIMALS = 6
_RATIO_DECIMALS = 6


def plan_geojson(network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> bytes:
    """
    Plan as a GeoJSON FeatureCollection, one LineString per route.

    Properties of a route: `name`, `stops` (indices on the network of the member `network`), `length_m` and `ride_s` in the direction
    of the line, `length_back_m` and `ride_back_s` in reverse, `cycle_s`, `circuity` (null for a route that ends at its first stop),
    `buses`, and their `headway_s`. Keys have a fixed order, coordinates 6 decimals. On a network with street geometry the line
    follows the streets, and `stop_lonlat` holds the position of each stop, from which the plan can be read on another network. A route
    that runs in one direction only has `one_way`; one with other stops on its way back has `back_stops` and `back_lonlat` in their order.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    headway_s
        Headway in seconds, for `buses`.

    Returns
    -------
    bytes
        UTF-8, one feature per line.

    Raises
    ------
    DataError
        If the plan was made for another network, or the network lacks a link of a route.
    """
    measures = plan_measures(network, plan, headway_s)
    features: list[dict[str, object]] = [
        {
            "type": "Feature",
            "properties": {
                "name": route.name,
                "stops": route.stops.tolist(),
                "length_m": int(measures.length_m[row]),
                "length_back_m": int(measures.length_back_m[row]),
                "ride_s": int(measures.ride_s[row]),
                "ride_back_s": int(measures.ride_back_s[row]),
                "cycle_s": int(measures.cycle_s[row]),
                "circuity": _finite(measures.circuity[row]),
                "buses": int(measures.buses[row]),
                "headway_s": measures.headway_s,
            }
            | ({"stop_lonlat": [_position(network, stop) for stop in route.stops.tolist()]} if network.line_indptr.size else {})
            | _back(network, route),
            "geometry": {"type": "LineString", "coordinates": _route_line(network, route)},
        }
        for row, route in enumerate(plan.routes)
    ]
    return _collection(network, features)


def stops_geojson(network: Network, plan: Plan) -> bytes:
    """
    Stops of a plan as a GeoJSON FeatureCollection, one Point per stop, by index.

    Properties of a stop: `stop` (its index), `name`, `name_latin` (where it is known), `hex` (-1 outside the grid), `routes` (names of
    the routes that serve it, in the plan's order).

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.

    Returns
    -------
    bytes
        UTF-8, one feature per line.

    Raises
    ------
    DataError
        If the plan was made for another network.
    """
    require_same_network(network, plan)
    stops_by_route = [(route.name, set(route.positions.tolist())) for route in plan.routes]
    features: list[dict[str, object]] = [
        {
            "type": "Feature",
            "properties": {
                "stop": stop,
                "name": network.stop_names[stop],
                **({"name_latin": network.stop_names_latin[stop]} if network.stop_names_latin[stop] else {}),
                "hex": int(network.stop_hex[stop]),
                "routes": [name for name, stops in stops_by_route if stop in stops],
            },
            "geometry": {"type": "Point", "coordinates": _position(network, stop)},
        }
        for stop in plan.used_stops.tolist()
    ]
    return _collection(network, features)


def write_plan(path: str | PathLike[str], network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> None:
    """
    Write a plan as GeoJSON or GeoPackage; the file is complete or absent.

    GeoJSON is that of `plan_geojson`. GeoPackage has the layers ``routes``, with the same properties (lists as JSON text) and the
    network's fingerprint, and ``stops``, those of `stops_geojson`; `read_plan` reads both.

    Parameters
    ----------
    path
        File to write, a GeoPackage if it ends in ``.gpkg``; a file that exists is replaced.
    network
        The plan's network.
    plan
        The routes.
    headway_s
        Headway in seconds, for `buses`.

    Raises
    ------
    DataError
        If the plan was made for another network, or the network lacks a link of a route.
    UsageError
        If the file cannot be written.
    """
    if Path(path).suffix.lower() == ".gpkg":
        from owlbus.plan.geopackage import geopackage_of

        write_atomically(path, geopackage_of({"routes": plan_geojson(network, plan, headway_s), "stops": stops_geojson(network, plan)}))
        return
    write_atomically(path, plan_geojson(network, plan, headway_s))


def write_stops(path: str | PathLike[str], network: Network, plan: Plan) -> None:
    """
    Write the stops of a plan as the GeoJSON of `stops_geojson`; the file is complete or absent.

    Parameters
    ----------
    path
        File to write; a file that exists is replaced.
    network
        The plan's network.
    plan
        The routes.

    Raises
    ------
    DataError
        If the plan was made for another network.
    UsageError
        If the file cannot be written.
    """
    write_atomically(path, stops_geojson(network, plan))


def _collection(network: Network, features: list[dict[str, object]]) -> bytes:
    """FeatureCollection with its top-level members, one feature per line."""
    head = {"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "generator": GENERATOR, "network": network.fingerprint}
    lines = ",\n".join(_compact(feature) for feature in features)
    return f'{_compact(head)[:-1]}, "features": [\n{lines}\n]}}\n'.encode()


def _compact(value: object) -> str:
    """JSON on one line, without escapes of non-ASCII characters."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _position(network: Network, stop: int) -> list[float]:
    """Longitude and latitude of a stop, rounded to about 0.1 m."""
    return [round(float(network.stop_lon[stop]), _DECIMALS), round(float(network.stop_lat[stop]), _DECIMALS)]


def _back(network: Network, route: Route) -> dict[str, object]:
    """Properties of a way back that is not the way there in reverse."""
    if route.back is None:
        return {}
    stops = route.back.tolist()
    return {"back_stops": stops, "back_lonlat": [_position(network, stop) for stop in stops]} if stops else {"one_way": True}


def _route_line(network: Network, route: Route) -> list[list[float]]:
    """Positions along the streets of a route, or its stops if the network has no street geometry."""
    if not network.line_indptr.size:
        return [_position(network, stop) for stop in route.stops.tolist()]
    points = [
        [round(lon, _DECIMALS), round(lat, _DECIMALS)]
        for u, v in pairwise(route.stops.tolist())
        for lon, lat in network.link_line(u, v).tolist()
    ]
    return [points[0], *(point for before, point in pairwise(points) if point != before)]


def _finite(ratio: float) -> float | None:
    """Ratio rounded to 6 decimals; None if it is infinite, which JSON cannot express."""
    return round(float(ratio), _RATIO_DECIMALS) if math.isfinite(ratio) else None
