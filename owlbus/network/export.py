"""Export networks to Parquet files, networkx graphs and geopandas frames, and read the Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common import notebook_html
from owlbus.common.errors import DataError, UsageError, step
from owlbus.common.files import read_parquet, rebuild_errors, write_parquet
from owlbus.grid.hexgrid import HexGrid
from owlbus.network.assemble import NetworkReport
from owlbus.network.walk_sheds import WalkPoints

if TYPE_CHECKING:
    from os import PathLike

    import geopandas as gpd

    from owlbus.network.network import Network


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

    def chosen(self, what: str) -> gpd.GeoDataFrame:
        """Return the frame called `what`."""
        if what not in self._fields:
            msg = f"what must be one of {', '.join(self._fields)}, got {what!r}"
            raise UsageError(msg, setting="what", value=what, allowed=self._fields)
        frame: gpd.GeoDataFrame = getattr(self, what)
        return frame

    def plain(self, what: str) -> Any:  # noqa: ANN401  # a frame of pandas
        """Return the frame called `what` without geometry, stops with degrees."""
        frame = self.chosen(what)
        plain = frame.drop(columns="geometry")
        return plain.assign(lon=frame.geometry.x, lat=frame.geometry.y) if what == "stops" else plain


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
    """
    import networkx as nx

    graph = nx.DiGraph(source=network.source, crs="EPSG:4326", walk_rule=network.walk_rule)
    columns = (network.stop_names, network.stop_lon.tolist(), network.stop_lat.tolist(), network.stop_hex.tolist())
    for stop, (name, lon, lat, hexagon) in enumerate(zip(*columns, strict=True)):
        graph.add_node(stop, name=name, lon=lon, lat=lat, hex=hexagon)
        if network.stop_names_latin[stop]:
            graph.nodes[stop]["name_latin"] = network.stop_names_latin[stop]
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
    """
    import geopandas as gpd
    import shapely

    stops = {"name": list(network.stop_names)} | _latin_column(network) | {"hex": network.stop_hex, "hexes": np.diff(network.shed_indptr)}
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


def to_html(network: Network) -> str:
    """
    Size of a network in stops, links and metres of walk, and a small map, as HTML for notebooks.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    str
        An HTML fragment.
    """
    x, y = network.grid.project(network.stop_lon, network.stop_lat)
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    links = [(u, v) for u, v in zip(start.tolist(), network.link_to.tolist(), strict=True) if u < v]
    rows = [
        ("stops", f"{network.n_stops:,}"),
        ("links", f"{network.n_links:,}"),
        ("walk", f"{network.walk_m:g} m"),
        ("source", network.source),
    ]
    drawing = notebook_html.dots(x.tolist(), y.tolist(), 0.25 * network.grid.radius_m, links, name="map of stops and links")
    return notebook_html.page("Network", notebook_html.table(rows), drawing)


def write_network(path: str | PathLike[str], network: Network) -> None:
    """
    Write a network and its grid as Parquet; the same network gives the same bytes.

    Parameters
    ----------
    path
        File to write.
    network
        The network.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    import pyarrow as pa

    def rows(indptr: Any, values: Any) -> Any:  # noqa: ANN401  # pyarrow ships no types
        return pa.ListArray.from_arrays(pa.array(indptr, type=pa.int32()), values)

    columns = {
        "stop": np.arange(network.n_stops, dtype=np.int32),
        "name": list(network.stop_names),
        "lon": network.stop_lon,
        "lat": network.stop_lat,
        "hex": network.stop_hex,
        "link_to": rows(network.link_indptr, pa.array(network.link_to)),
        "link_s": rows(network.link_indptr, pa.array(network.link_s)),
        "link_m": rows(network.link_indptr, pa.array(network.link_m)),
        "shed_hex": rows(network.shed_indptr, pa.array(network.shed_hex)),
        "shed_walk_m": rows(network.shed_indptr, pa.array(network.shed_walk_m)),
    }
    columns |= {f"link_{hour}_s": rows(network.link_indptr, pa.array(network.hour_seconds(hour))) for hour in network.hours}
    points = network.points
    if points is not None:
        columns |= {"point": rows(points.indptr, pa.array(points.point)), "point_walk_m": rows(points.indptr, pa.array(points.walk_m))}
    if network.line_indptr.size:
        for axis, values in (("link_lon", network.line_lon), ("link_lat", network.line_lat)):
            columns[axis] = rows(network.link_indptr, rows(network.line_indptr, pa.array(values)))
    columns |= _latin_column(network)
    write_parquet(path, columns, "network", _settings(network))


def _settings(network: Network) -> dict[str, Any]:
    """Walk, source, report and grid of a network, and how its points count."""
    grid, points = network.grid, network.points
    return {
        "walk_m": network.walk_m,
        "walk_rule": network.walk_rule,
        "points": None if points is None else {"n_points": points.n_points, "rule": points.rule},
        "source": network.source,
        **({"hours": list(network.hours)} if network.hours else {}),
        "report": _report_document(network.report),
        "grid": {"crs": grid.crs, "radius_m": grid.radius_m, "layout": grid.layout, "anchor": grid.anchor},
        "grid_q": grid.q.tolist(),
        "grid_r": grid.r.tolist(),
    }


def _latin_column(network: Network) -> dict[str, Any]:
    """Column of names in Latin letters, if any is known."""
    return {"name_latin": list(network.stop_names_latin)} if any(network.stop_names_latin) else {}


def network_fields(path: str | PathLike[str]) -> dict[str, Any]:
    """
    Fields of a network that `write_network` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        Arguments of `Network`.

    Raises
    ------
    DataError
        If the file is missing or is no network.
    """
    table, settings = read_parquet(path, "network")
    if "points" not in settings:
        way = step("owlbus.pipeline.write_run", "plan", files="FILES", out="DIR")
        msg = f"{path}: is of an earlier version, without the points of hexes within walks; make it anew with: {way}"
        raise DataError(msg)
    with rebuild_errors(path, "network"):
        return _fields(table, settings)


def _fields(table: Any, settings: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # pyarrow ships no types
    """Arguments of `Network` from columns and settings."""

    def values(name: str) -> Any:  # noqa: ANN401  # pyarrow ships no types
        return table[name].combine_chunks()

    def starts(column: Any) -> Any:  # noqa: ANN401
        return np.asarray(column.offsets)

    links, sheds = values("link_to"), values("shed_hex")
    arguments = {
        "grid": HexGrid(q=settings["grid_q"], r=settings["grid_r"], **settings["grid"]),
        "stop_lon": values("lon"),
        "stop_lat": values("lat"),
        "stop_hex": values("hex"),
        "stop_names": tuple(table["name"].to_pylist()),
        "link_indptr": starts(links),
        "shed_indptr": starts(sheds),
        "walk_m": settings["walk_m"],
        "walk_rule": settings["walk_rule"],
        "source": settings["source"],
        "report": _report(settings["report"]),
    }
    arguments |= {name: values(name).values for name in ("link_to", "link_s", "link_m", "shed_hex", "shed_walk_m")}
    if "hours" in settings:
        arguments |= {"hours": settings["hours"], "hour_link_s": np.stack([values(f"link_{hour}_s").values for hour in settings["hours"]])}
    if "name_latin" in table.column_names:
        arguments["stop_names_latin"] = tuple(table["name_latin"].to_pylist())
    if settings["points"] is not None:
        points = values("point")
        arguments["points"] = WalkPoints(starts(points), points.values, values("point_walk_m").values, **settings["points"])
    if "link_lon" in table.column_names:
        lon, lat = values("link_lon").values, values("link_lat").values
        arguments |= {"line_indptr": starts(lon), "line_lon": lon.values, "line_lat": lat.values}
    return arguments


def _report_document(report: NetworkReport | None) -> dict[str, Any] | None:
    """Report as a JSON document, with its counts in order."""
    return None if report is None else report.to_json() | {"counts": [list(count) for count in report.counts]}


def _report(kept: dict[str, Any] | None) -> NetworkReport | None:
    """Report of a JSON document, or None."""
    if kept is None:
        return None
    return NetworkReport(kept["source"], tuple((what, number) for what, number in kept["counts"]), kept["unreachable_hexes"], kept["notes"])
