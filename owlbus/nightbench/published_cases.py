"""Instances of public data that is not part of the package: St Petersburg, and the instances of Mandl and Mumford."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network

LINES_FILE = "night_lines.csv.gz"
_TAXI_FILE, _NODES_FILE, _LINKS_FILE = "taxi_trips.csv.gz", "road_nodes.csv.gz", "road_links.csv.gz"
_AREA = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1))


class PublishedCase(NamedTuple):
    """
    Instance of the route network design literature, as Mandl (1980) and Mumford (2013) published it.

    Attributes
    ----------
    files
        Beginning of its file names, such as ``Mandl`` of ``MandlTravelTimes.txt``.
    n_routes
        Routes of a plan.
    min_stops, max_stops
        Nodes on a route.
    """

    files: str
    n_routes: int
    min_stops: int
    max_stops: int


PUBLISHED = {
    "mandl-4": PublishedCase("Mandl", 4, 2, 8),
    "mandl-6": PublishedCase("Mandl", 6, 2, 8),
    "mandl-7": PublishedCase("Mandl", 7, 2, 8),
    "mandl-8": PublishedCase("Mandl", 8, 2, 8),
    "mumford0": PublishedCase("Mumford0", 12, 2, 15),
    "mumford1": PublishedCase("Mumford1", 15, 10, 30),
    "mumford2": PublishedCase("Mumford2", 56, 10, 22),
    "mumford3": PublishedCase("Mumford3", 60, 12, 25),
}
"""Instances of the literature by name."""


def find_folder(data: Path | None, name: str, file: str) -> Path:
    """
    Folder that holds the public data of an instance.

    Parameters
    ----------
    data
        Folder that was named: the data themselves, or a folder above them; None for none.
    name
        Name of the instance, for the message.
    file
        A file that must be there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If no folder is named, or the file is not found in it.
    """
    if data is None:
        msg = f"{name} needs public data that the package does not hold; name the folder with {file} by {setting('data')}"
        raise DataError(msg, setting="data")
    for folder in (data, *(data / part for part in _parts(file))):
        if (folder / file).is_file():
            return folder
    msg = f"{data}: {file}, which {name} needs, is neither in it nor in {' or '.join(_parts(file))} below; see docs/nightbench.md"
    raise DataError(msg, setting="data")


def _parts(file: str) -> tuple[str, ...]:
    """Return the folders below the named one in which a file is looked for."""
    if file == LINES_FILE:
        return ("stpetersburg",)
    case = file.removesuffix("TravelTimes.txt").lower()
    return case, f"utrp/{case}"


def st_petersburg(folder: Path, walk_m: float) -> tuple[Network, Demand, float]:
    """
    St Petersburg on its roads, with the stops of the published night lines and one more in each hex without.

    Parameters
    ----------
    folder
        Holds night taxi rides, roads and lines.
    walk_m
        Walk to a stop in metres.

    Returns
    -------
    Network, Demand, float
        Stops, trips and people, and one-way metres of the 21 published lines.

    Raises
    ------
    DataError
        If a file is missing or breaks a rule.
    """
    from owlbus.common.units import NightWindow
    from owlbus.pipeline import Sources, build_study
    from owlbus.plan import plan_measures, read_plan

    roads = {"nodes": str(folder / _NODES_FILE), "links": str(folder / _LINKS_FILE)}
    given: dict[str, Any] = {"files": (str(folder / _TAXI_FILE),), "window": NightWindow.parse("22-07"), "walk_m": walk_m, **roads}
    with tempfile.TemporaryDirectory() as scratch:
        stops = Path(scratch) / "stops.csv"
        _stops_of_lines(folder, Sources(**given)).write_csv(stops)
        study = build_study(Sources(**given, stops=str(stops)))
    published = read_plan(folder / LINES_FILE, study.network)
    return study.network, study.demand, float(plan_measures(study.network, published).total_length_m)


def _stops_of_lines(folder: Path, sources: Any) -> Any:  # noqa: ANN401 - a polars frame
    """Return every stop of the published lines, and one on the roads of each hex that has none of them."""
    import polars as pl

    from owlbus.network import Network
    from owlbus.pipeline.study import build_grid

    grid = build_grid(sources)
    own = pl.read_csv(folder / LINES_FILE).unique("stop_id", keep="first", maintain_order=True).select("lon", "lat", name="stop_id")
    other = Network.from_tables(sources.nodes, sources.links, grid)
    free = ~np.isin(other.stop_hex, grid.lonlat_to_hex(own["lon"].to_numpy(), own["lat"].to_numpy()))
    names = np.array(other.stop_names, dtype=object)[free].astype(str)
    return pl.concat([own, pl.DataFrame({"lon": other.stop_lon[free], "lat": other.stop_lat[free], "name": names})])


def published_case(folder: Path, case: PublishedCase) -> tuple[Network, Demand, tuple[int, ...]]:
    """
    Instance of the literature: each node is a hex and a stop of its own, and a second stands for a metre.

    Parameters
    ----------
    folder
        Holds ``*TravelTimes.txt`` (minutes, ``Inf`` where there is no link) and ``*Demand.txt``.
    case
        Beginning of the file names.

    Returns
    -------
    Network, Demand, tuple of int
        Nodes and trips, and the indices of nodes without trips, which a plan must call at too.

    Raises
    ------
    DataError
        If a file is missing, or is no square of numbers.
    """
    from owlbus.demand import Demand
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network

    minutes, trips = (_square(folder / f"{case.files}{name}.txt") for name in ("TravelTimes", "Demand"))
    n_nodes = len(minutes)
    link_s = np.where(np.isfinite(minutes) & (minutes > 0), np.rint(minutes * 60), 0).astype(np.int64)
    (tail, head), grid, nodes = np.nonzero(link_s), HexGrid.cover(_AREA, n_hexes=n_nodes), np.arange(n_nodes)
    fields: dict[str, Any] = {
        "stop_hex": nodes,
        "link_indptr": np.searchsorted(tail, np.arange(n_nodes + 1)),
        "link_to": head,
        "link_s": link_s[tail, head],
        "link_m": link_s[tail, head],
        "shed_indptr": np.arange(n_nodes + 1),
        "shed_hex": nodes,
        "shed_walk_m": np.zeros(n_nodes),
    }
    names = tuple(f"node {node + 1}" for node in nodes)
    network = Network(grid, stop_lon=grid.lon, stop_lat=grid.lat, stop_names=names, source="tables", **fields)
    origin, destination = np.nonzero(trips * ~np.eye(n_nodes, dtype=bool))
    pairs: dict[str, Any] = {"origin": origin, "destination": destination, "trips": trips[origin, destination]}
    demand = Demand(n_nodes, grid=grid.fingerprint, **pairs)
    return network, demand, tuple(np.setdiff1d(nodes, [origin, destination]).tolist())


def _square(path: Path) -> NDArray[np.float64]:
    """Return a square of numbers."""
    try:
        square = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as a square of numbers ({' '.join(str(error).split())})"
        raise DataError(msg) from None
    if square.shape[0] != square.shape[1] or math.isnan(square.sum(where=np.isfinite(square))) or np.isnan(square).any():
        msg = f"{path}: must be a square of numbers, got shape {square.shape}"
        raise DataError(msg)
    return square
