"""Networks as graphs and as tables of geometry, for other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.extras import extra_library

if TYPE_CHECKING:
    from owlbus.network.model import Network


class NetworkFrames(NamedTuple):
    """
    A network as geopandas frames in lon and lat (EPSG:4326).

    Attributes
    ----------
    stops
        One row a stop, index ``stop``: ``name``, ``hex``, ``hexes`` in its walk shed, and a point.
    links
        One row a link: ``start``, ``end``, ``seconds``, ``metres``, and a line along its streets.
    sheds
        One row a stop and a hex of its walk shed: ``stop``, ``hex``, ``walk_m``, and the hexagon.
    """

    stops: Any
    links: Any
    sheds: Any


def to_networkx(network: Network) -> Any:  # noqa: ANN401  # networkx ships no types
    """
    Network as a networkx graph.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    networkx.DiGraph
        Nodes 0 to n_stops - 1 with ``name``, ``lon``, ``lat`` and ``hex``; edges with ``seconds`` and ``metres``.

    Raises
    ------
    UsageError
        If the extra ``owlbus[geo]`` is not installed.
    """
    nx = extra_library("networkx", "to_networkx needs networkx", "geo")
    graph = nx.DiGraph(source=network.source, crs="EPSG:4326", walk_rule=network.walk_rule)
    columns = (network.stop_names, network.stop_lon.tolist(), network.stop_lat.tolist(), network.stop_hex.tolist())
    for stop, (name, lon, lat, hexagon) in enumerate(zip(*columns, strict=True)):
        graph.add_node(stop, name=name, lon=lon, lat=lat, hex=hexagon)
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr)).tolist()
    for u, v, seconds, metres in zip(start, network.link_to.tolist(), network.link_s.tolist(), network.link_m.tolist(), strict=True):
        graph.add_edge(u, v, seconds=seconds, metres=metres)
    return graph


def to_geodataframes(network: Network) -> NetworkFrames:
    """
    Network as geopandas frames.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    NetworkFrames
        Stops, links in seconds and metres, and walk sheds in metres.

    Raises
    ------
    UsageError
        If the extra ``owlbus[geo]`` is not installed.
    """
    import shapely

    gpd = extra_library("geopandas", "to_geodataframes needs geopandas", "geo")
    stops = {"name": list(network.stop_names), "hex": network.stop_hex, "hexes": np.diff(network.shed_indptr)}
    start = np.repeat(np.arange(network.n_stops, dtype=np.int32), np.diff(network.link_indptr))
    if network.line_indptr.size:
        row = np.repeat(np.arange(network.n_links), np.diff(network.line_indptr))
        lines = shapely.linestrings(np.stack([network.line_lon, network.line_lat], axis=1), indices=row)
    else:
        ends = np.stack([start, network.link_to], axis=1)
        lines = shapely.linestrings(np.stack([network.stop_lon[ends], network.stop_lat[ends]], axis=-1))
    links = {"start": start, "end": network.link_to, "seconds": network.link_s, "metres": network.link_m}
    reached = np.repeat(np.arange(network.n_stops, dtype=np.int32), np.diff(network.shed_indptr))
    sheds = {"stop": reached, "hex": network.shed_hex, "walk_m": network.shed_walk_m}
    hexagons = shapely.polygons(network.grid.hex_to_boundary(network.shed_hex)) if reached.size else []
    crs = "EPSG:4326"
    frames = NetworkFrames(
        gpd.GeoDataFrame(stops, geometry=gpd.points_from_xy(network.stop_lon, network.stop_lat), crs=crs),
        gpd.GeoDataFrame(links, geometry=lines, crs=crs),
        gpd.GeoDataFrame(sheds, geometry=hexagons, crs=crs),
    )
    frames.stops.index.name = "stop"
    return frames
