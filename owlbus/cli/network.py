"""`owlbus network`: build and check a network of stops and links."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.option_values import network_settings
from owlbus.cli.options import OUT, OutputOptions
from owlbus.cli.output import open_output
from owlbus.cli.source_options import AreaOptions, NetworkOptions
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.network.check import NetworkCheck
    from owlbus.pipeline import Sources

_PARQUET = "network.parquet"


def network(
    *,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="GTFS feed, OpenStreetMap file, network.parquet, or a run directory with one."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", metavar="", help="Check the network; exit with code 1 if a rule is broken.")] = False,
    out: Annotated[str | None, OUT] = None,
    output_options: OutputOptions,
    area: AreaOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus network city.osm.pbf --walk network --out net --check[/bold]

    Build the network that routes run on, from a GTFS feed, an OpenStreetMap file, road tables or the lattice of hexagons. Reports what is
    left out; --check checks the network.
    """
    path = Path(file) if file is not None else None
    with open_output(output_options) as output:
        if path is not None and _holds_network(path):
            sources, built, trips = None, *_read(path)
            if out is not None:
                msg = f"--out copies no network; {path} is one already, remove --out"
                raise UsageError(msg)
        else:
            sources = _sources(area, network, path)
            built, trips = _build(sources), None
        if out is not None and sources is not None:
            _write(out, sources, built)
        result = _check(built, trips, path) if check else None
        document = _document(built, out) | ({} if result is None else {"check": result.to_json()})
        output.show(document, str(built.report or built), *([] if result is None else [str(result)]))
        if out is not None:
            dropped = ", and dropped.geojson, the stops left out" if built.report is not None and built.report.dropped else ""
            output.say(f"Written to {out}: grid.parquet and network.parquet{dropped}.")
    if result is not None and not result.passed:
        broken = [finding for finding in result.findings if finding.count]
        msg = f"{len(broken)} of {len(result.findings)} rules are broken, first: {broken[0].rule}; correct the source or remove --check"
        raise FindingError(msg)


def _check(network: Network, demand: Demand | None, path: Path | None) -> NetworkCheck:
    """Return what the rules of networks find, shares of a demand by the base of the run that `path` names."""
    from owlbus.network import check_network
    from owlbus.pipeline.run_json import RUN_FILE, min_count_of, read_run

    folder = path if path is None or path.is_dir() else path.parent
    if folder is None or not (folder / RUN_FILE).is_file():
        return check_network(network, demand)
    return check_network(network, demand, min_count_of(folder, read_run(folder)))


def _document(network: Network, out: str | None) -> dict[str, Any]:
    """Return a network as JSON values."""
    return {
        "command": "network",
        "out": out,
        "stops": network.n_stops,
        "links": network.n_links,
        "hexes": network.grid.n_hexes,
        "walk_rule": network.walk_rule,
        "area_rule": None if network.points is None else network.points.rule,
        "report": None if network.report is None else network.report.to_json(),
    }


def _holds_network(path: Path) -> bool:
    """Whether a path is a network file, or a run directory with one."""
    return path.suffix == ".parquet" or (path.is_dir() and (path / _PARQUET).is_file())


def _read(path: Path) -> tuple[Network, Demand | None]:
    """Read a network, and the demand in the same folder if there is one."""
    from owlbus.demand import Demand
    from owlbus.network import Network

    folder = path if path.is_dir() else path.parent
    demand = folder / "demand.parquet"
    return Network.read(folder / _PARQUET if path.is_dir() else path), Demand.read(demand) if demand.is_file() else None


def _sources(area: AreaOptions, network: NetworkOptions, path: Path | None) -> Sources:
    """Return the sources of the network; the ending of `path` tells OpenStreetMap from GTFS."""
    from owlbus.pipeline import Sources

    settings = network_settings(network)
    if path is not None:
        kind = "osm" if ".osm" in path.name or path.suffix == ".pbf" else "gtfs"
        if settings[kind] is not None:
            msg = f"{path} and --{kind} {settings[kind]} are two networks; name only one"
            raise UsageError(msg)
        settings[kind] = str(path)
    if area.area is None and area.city is None and settings["osm"] is None and settings["gtfs"] is None:
        msg = "network needs a study area; add --area outline.geojson, or --city seoul"
        raise UsageError(msg)
    return Sources(city=area.city, area=area.area, radius_m=area.radius, n_hexes=area.hexes, h3_resolution=area.h3, **settings)


def _build(sources: Sources) -> Network:
    """Build the network on the grid of the study area, or on a grid of its own."""
    from owlbus.pipeline.study import build_grid, build_network, read_named_city
    from owlbus.pipeline.study_places import places_of

    city = read_named_city(sources.city)
    grid = None if sources.area is None and city is None else build_grid(sources, city)
    return build_network(sources, grid, city, places_of(sources))


def _write(out: str, sources: Sources, built: Network) -> None:
    """Write grid and network to a run directory."""
    from owlbus.cli.session import settings_of_run
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    with open_run_dir(out) as run:
        built.grid.write(run.stage("grid.parquet"))
        built.write(run.stage(_PARQUET))
        if built.report is not None and built.report.dropped:
            run.write_json("dropped.geojson", built.report.dropped_geojson())
        inputs = tuple(name for name in (sources.area, *sources.network_files) if name)
        run.publish(RunRecord("network", settings_of_run(sources, None), None, inputs, min_count=sources.published_min_count))
