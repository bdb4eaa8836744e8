"""`owlbus network`: stops and links, what no bus can reach, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.option_values import network_settings
from owlbus.cli.options import OUT, AreaOptions, NetworkOptions, OutputOptions
from owlbus.cli.output import output_of
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.pipeline import Sources

_PARQUET = "network.parquet"


def network(
    area: AreaOptions,
    network: NetworkOptions,
    talk: OutputOptions,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="GTFS feed, OpenStreetMap extract, network.parquet, or a run directory that holds one."),
    ] = None,
    out: Annotated[str | None, OUT] = None,
    check: Annotated[bool, typer.Option("--check", metavar="", help="Check the network; end with code 1 if a rule is broken.")] = False,
) -> None:
    """
    [bold]owlbus network city.osm.pbf --walk network --out net --check[/bold]

    Build the network that routes run on, from a feed, an extract, road tables or a lattice; say what was left out, and check it.
    """
    given = Path(file) if file is not None else None
    with output_of(talk) as voice:
        if given is not None and _holds_network(given):
            sources, built, demand = None, *_read(given)
            if out is not None:
                msg = f"--out copies no network; {given} is one already, leave --out away"
                raise UsageError(msg)
        else:
            sources = _sources(area, network, given)
            built, demand = _build(sources), None
        if out is not None and sources is not None:
            _write(out, sources, built)
        report = built.report
        document: dict[str, Any] = {
            "command": "network",
            "out": out,
            "stops": built.n_stops,
            "links": built.n_links,
            "hexes": built.grid.n_hexes,
        }
        document |= {"walk_rule": built.walk_rule, "report": None if report is None else report.to_json()}
        pages = [str(report or built)]
        found = None
        if check:
            from owlbus.network import check_network

            found = check_network(built, demand)
            document |= {"check": found.to_json()}
            pages.append(str(found))
        voice.show(document, *pages)
        if out is not None:
            voice.say(f"Written to {out}: grid.parquet and network.parquet.")
    if found is not None and not found.passed:
        broken = [finding for finding in found.findings if finding.count]
        msg = f"{len(broken)} of {len(found.findings)} rules are broken, first: {broken[0].rule}; mend the source or leave --check away"
        raise FindingError(msg)


def _holds_network(given: Path) -> bool:
    """Whether a path is a network that was written, or a run directory with one."""
    return given.suffix == ".parquet" or (given.is_dir() and (given / _PARQUET).is_file())


def _read(given: Path) -> tuple[Network, Demand | None]:
    """Read a network, and the demand beside it if there is one."""
    from owlbus.demand import Demand
    from owlbus.network import Network

    home = given if given.is_dir() else given.parent
    demand = home / "demand.parquet"
    return Network.read(home / _PARQUET if given.is_dir() else given), Demand.read(demand) if demand.is_file() else None


def _sources(area: AreaOptions, network: NetworkOptions, given: Path | None) -> Sources:
    """Gather what the network is made from; a file is told by its ending."""
    from owlbus.pipeline import Sources

    settings = network_settings(network)
    if given is not None:
        kind = "osm" if ".osm" in given.name or given.suffix == ".pbf" else "gtfs"
        if settings[kind] is not None:
            msg = f"{given} and --{kind} {settings[kind]} are two networks; give one of them"
            raise UsageError(msg)
        settings[kind] = str(given)
    if area.area is None and area.city is None and settings["osm"] is None and settings["gtfs"] is None:
        msg = "network needs a study area; add --area outline.geojson, or --city seoul"
        raise UsageError(msg)
    return Sources(city=area.city, area=area.area, radius_m=area.radius, n_hexes=area.hexes, h3_resolution=area.h3, **settings)


def _build(sources: Sources) -> Network:
    """Build the network on the grid of the study area, or on one of its own."""
    from owlbus.pipeline.study import build_grid, build_network, read_named_city

    city = read_named_city(sources.city)
    grid = None if sources.area is None and city is None else build_grid(sources, city)
    return build_network(sources, grid, city)


def _write(out: str, sources: Sources, built: Network) -> None:
    """Write grid and network to a run directory."""
    from owlbus.cli.session import settings_of_run
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    with open_run_dir(out) as run:
        built.grid.write(run.stage("grid.parquet"))
        built.write(run.stage(_PARQUET))
        inputs = tuple(name for name in (sources.area, *sources.network_files) if name)
        run.publish(RunRecord("network", settings_of_run(sources, None), None, inputs))
