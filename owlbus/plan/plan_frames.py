"""Plans as tables: stops in order, and lines along the streets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.files import parse_json
from owlbus.plan.geojson import plan_geojson
from owlbus.plan.measures import require_same_network

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from owlbus.network import Network
    from owlbus.plan.routes import Plan


def plan_to_frame(plan: Plan, network: Network | None = None) -> pd.DataFrame:
    """
    Stops of a plan in order, as `Plan.to_frame` describes them.

    Parameters
    ----------
    plan
        The routes.
    network
        Network of the plan, or None.

    Returns
    -------
    DataFrame
        One row a route and stop.

    Raises
    ------
    DataError
        If the plan was made for another network.
    """
    import pandas as pd

    counts = [route.n_stops for route in plan.routes]
    stops = np.concatenate([np.empty(0, np.int32), *(route.stops for route in plan.routes)])
    sequence = np.concatenate([np.empty(0, np.int64), *(np.arange(count) for count in counts)])
    columns = {"route": pd.Series(np.repeat(np.array(plan.names, dtype=object), counts), dtype=str), "sequence": sequence, "stop": stops}
    if network is not None:
        require_same_network(network, plan)
        columns["name"] = [network.stop_names[stop] for stop in stops]
        if any(network.stop_names_latin):
            columns["name_latin"] = [network.stop_names_latin[stop] for stop in stops]
        columns |= {"lon": network.stop_lon[stops], "lat": network.stop_lat[stops]}
        columns["hex"] = network.stop_hex[stops]
    return pd.DataFrame(columns)


def plan_to_geodataframe(network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> gpd.GeoDataFrame:
    """
    Routes of a plan as lines, as `Plan.to_geodataframe` describes them.

    Parameters
    ----------
    network
        Network of the plan.
    plan
        The routes.
    headway_s
        Headway in seconds, for ``buses``.

    Returns
    -------
    GeoDataFrame
        One row a route, in lon/lat (EPSG:4326).

    Raises
    ------
    DataError
        If the plan was made for another network.
    """
    import geopandas as gpd

    features = parse_json(plan_geojson(network, plan, headway_s))["features"]
    if not features:
        return gpd.GeoDataFrame({"name": []}, geometry=[], crs="EPSG:4326")
    frame: gpd.GeoDataFrame = gpd.GeoDataFrame.from_features(features, crs="EPSG:4326")
    return frame.drop(columns="stop_lonlat", errors="ignore")
