"""Plans and their stops as GeoJSON: the same plan gives the same bytes."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING

from owlbus.common.files import write_atomically
from owlbus.plan.measures import HEADWAY_S, plan_measures, require_same_network

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.network import Network
    from owlbus.plan.routes import Plan, Route

SCHEMA_VERSION = 1
"""Version of the members and properties below; it grows when one changes its meaning."""

GENERATOR = "owlbus"
_DECIMALS = 6
_RATIO_DECIMALS = 6


def plan_geojson(network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> bytes:
    """
    Plan as a GeoJSON FeatureCollection, one LineString per route.

    Properties of a route: `name`, `stops` (indices on the network that the member `network` names), `length_m` and `ride_s` in
    the direction drawn, `length_back_m` and `ride_back_s` against it, `cycle_s`, `circuity` (null where the route ends where it
    begins), `buses` and the `headway_s` they are counted for. Keys stand in a fixed order, coordinates carry 6 decimals. On a
    network with street geometry the line follows the streets in the direction drawn, and `stop_lonlat` holds the position of each
    stop, from which the plan can be read on another network.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    headway_s
        Seconds between buses, for `buses`.

    Returns
    -------
    bytes
        UTF-8, one feature per line.

    Raises
    ------
    DataError
        If the plan was made for another network, or a route rides where there is no link.
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
            | ({"stop_lonlat": [_position(network, stop) for stop in route.stops.tolist()]} if network.line_indptr.size else {}),
            "geometry": {"type": "LineString", "coordinates": _ridden(network, route)},
        }
        for row, route in enumerate(plan.routes)
    ]
    return _collection(network, features)


def stops_geojson(network: Network, plan: Plan) -> bytes:
    """
    GeoJSON FeatureCollection of the stops a plan serves, one Point per stop, by index.

    Properties of a stop: `stop` (its index), `name`, `hex` (the hexagon that holds it, -1 outside the grid), `routes` (names of
    the routes that halt there, in the plan's order).

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
    halting = [(route.name, set(route.stops.tolist())) for route in plan.routes]
    features: list[dict[str, object]] = [
        {
            "type": "Feature",
            "properties": {
                "stop": stop,
                "name": network.stop_names[stop],
                "hex": int(network.stop_hex[stop]),
                "routes": [name for name, stops in halting if stop in stops],
            },
            "geometry": {"type": "Point", "coordinates": _position(network, stop)},
        }
        for stop in plan.used_stops.tolist()
    ]
    return _collection(network, features)


def write_plan(path: str | PathLike[str], network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> None:
    """
    Write a plan as `plan_geojson` gives it, whole or not at all.

    Parameters
    ----------
    path
        File to write; a file that exists is replaced.
    network
        The plan's network.
    plan
        The routes.
    headway_s
        Seconds between buses, for `buses`.

    Raises
    ------
    DataError
        If the plan was made for another network, or a route rides where there is no link.
    UsageError
        If the file cannot be written.
    """
    write_atomically(path, plan_geojson(network, plan, headway_s))


def write_stops(path: str | PathLike[str], network: Network, plan: Plan) -> None:
    """
    Write `stops_geojson`, whole or not at all.

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
    """FeatureCollection with the top-level members that both files share, a feature per line."""
    head = {"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "generator": GENERATOR, "network": network.fingerprint}
    lines = ",\n".join(_compact(feature) for feature in features)
    return f'{_compact(head)[:-1]}, "features": [\n{lines}\n]}}\n'.encode()


def _compact(value: object) -> str:
    """JSON on one line, names in any script kept readable."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _position(network: Network, stop: int) -> list[float]:
    """Longitude and latitude of a stop, rounded to about 0.1 m."""
    return [round(float(network.stop_lon[stop]), _DECIMALS), round(float(network.stop_lat[stop]), _DECIMALS)]


def _ridden(network: Network, route: Route) -> list[list[float]]:
    """Positions along the streets of a route, or its stops where the network has no streets."""
    if not network.line_indptr.size:
        return [_position(network, stop) for stop in route.stops.tolist()]
    points = [
        [round(lon, _DECIMALS), round(lat, _DECIMALS)]
        for u, v in pairwise(route.stops.tolist())
        for lon, lat in network.link_line(u, v).tolist()
    ]
    return [points[0], *(there for here, there in pairwise(points) if there != here)]


def _finite(ratio: float) -> float | None:
    """Ratio rounded for reading, or None where it is infinite: JSON has no infinity."""
    return round(float(ratio), _RATIO_DECIMALS) if math.isfinite(ratio) else None
