"""Networks on disk: one Parquet file, one row a stop, links and walk sheds as lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.hexgrid import HexGrid
from owlbus.network.report import NetworkReport
from owlbus.storage import read_parquet, rebuilding, write_parquet

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.network.model import Network


def write_network(path: str | PathLike[str], network: Network) -> None:
    """
    Write a network and its grid; the same network gives the same bytes.

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
    if network.line_indptr.size:
        for axis, values in (("link_lon", network.line_lon), ("link_lat", network.line_lat)):
            columns[axis] = rows(network.link_indptr, rows(network.line_indptr, pa.array(values)))
    grid = network.grid
    settings = {
        "walk_m": network.walk_m,
        "walk_rule": network.walk_rule,
        "source": network.source,
        "report": _kept(network.report),
        "grid": {"crs": grid.crs, "radius_m": grid.radius_m, "layout": grid.layout, "anchor": grid.anchor},
        "grid_q": grid.q.tolist(),
        "grid_r": grid.r.tolist(),
    }
    write_parquet(path, columns, "network", settings)


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

    with rebuilding(path, "network"):
        return _fields(table, settings)


def _fields(table: Any, settings: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # pyarrow ships no types
    """Arguments of `Network` from columns and settings."""

    def values(name: str) -> Any:  # noqa: ANN401  # pyarrow ships no types
        return table[name].combine_chunks()

    def starts(column: Any) -> Any:  # noqa: ANN401
        return np.asarray(column.offsets)

    links, sheds = values("link_to"), values("shed_hex")
    found = {
        "grid": HexGrid(q=settings["grid_q"], r=settings["grid_r"], **settings["grid"]),
        "stop_lon": values("lon"),
        "stop_lat": values("lat"),
        "stop_hex": values("hex"),
        "stop_names": tuple(table["name"].to_pylist()),
        "link_indptr": starts(links),
        "shed_indptr": starts(sheds),
        "walk_m": settings["walk_m"],
        "walk_rule": settings.get("walk_rule", ""),
        "source": settings["source"],
        "report": _report(settings["report"]),
    }
    found |= {name: values(name).values for name in ("link_to", "link_s", "link_m", "shed_hex", "shed_walk_m")}
    if "link_lon" in table.column_names:
        lon, lat = values("link_lon").values, values("link_lat").values
        found |= {"line_indptr": starts(lon), "line_lon": lon.values, "line_lat": lat.values}
    return found


def _kept(report: NetworkReport | None) -> dict[str, Any] | None:
    """Report as values that JSON can hold, its counts in order."""
    return None if report is None else report.to_json() | {"counts": [list(count) for count in report.counts]}


def _report(kept: dict[str, Any] | None) -> NetworkReport | None:
    """Report as it was written, if there was one."""
    if kept is None:
        return None
    return NetworkReport(kept["source"], tuple((what, number) for what, number in kept["counts"]), kept["unreachable_hexes"], kept["notes"])
