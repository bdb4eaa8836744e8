"""Plans as GeoPackage: routes and stops for GIS programs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.files import parse_json
from owlbus.plan.geojson import plan_geojson, stops_geojson

if TYPE_CHECKING:
    import geopandas as gpd

    from owlbus.network import Network
    from owlbus.plan.routes import Plan


def plan_geopackage(network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> bytes:
    """
    Plan as a GeoPackage with the layers ``routes`` and ``stops``.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    headway_s
        Headway in seconds, for ``buses``.

    Returns
    -------
    bytes
        The properties of `plan_geojson` and `stops_geojson`, lists as JSON text; routes also have the network's fingerprint.

    Raises
    ------
    DataError
        If the plan was made for another network, or the network lacks a link of a route.
    """
    routes = _frame(plan_geojson(network, plan, headway_s)).assign(network=network.fingerprint)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.gpkg"
        routes.to_file(file, layer="routes", driver="GPKG")
        _frame(stops_geojson(network, plan)).to_file(file, layer="stops", driver="GPKG")
        return file.read_bytes()


def _frame(text: bytes) -> gpd.GeoDataFrame:
    """Return the features of a GeoJSON text, with lists as JSON text."""
    import geopandas as gpd

    features: list[dict[str, Any]] = parse_json(text)["features"]
    for feature in features:
        properties = feature["properties"]
        feature["properties"] = {key: json.dumps(value) if isinstance(value, list) else value for key, value in properties.items()}
    if not features:
        return gpd.GeoDataFrame({"name": []}, geometry=[], crs="EPSG:4326")
    return gpd.GeoDataFrame.from_features(features, crs="EPSG:4326")
