"""GeoPackage of GeoJSON layers, for GIS programs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.files import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd


def geopackage_of(layers: Mapping[str, bytes]) -> bytes:
    """
    GeoPackage with one layer for each GeoJSON text.

    Parameters
    ----------
    layers
        FeatureCollections in lon/lat degrees by name of the layer, with the member ``network``.

    Returns
    -------
    bytes
        Features with their properties, lists as JSON text, and a column ``network``.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.gpkg"
        for name, text in layers.items():
            _frame(text).to_file(file, layer=name, driver="GPKG")
        return file.read_bytes()


def _frame(text: bytes) -> gpd.GeoDataFrame:
    """Return the features of a GeoJSON text, with lists as JSON text."""
    import geopandas as gpd

    document: dict[str, Any] = parse_json(text)
    for feature in document["features"]:
        properties = feature["properties"]
        feature["properties"] = {key: json.dumps(value) if isinstance(value, list) else value for key, value in properties.items()}
    if not document["features"]:
        return gpd.GeoDataFrame({"name": []}, geometry=[], crs="EPSG:4326")
    frame: gpd.GeoDataFrame = gpd.GeoDataFrame.from_features(document["features"], crs="EPSG:4326")
    return frame.assign(network=document["network"])
