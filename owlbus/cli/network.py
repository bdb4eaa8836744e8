"""`owlbus network`: stops and links, and what no bus can reach."""

from __future__ import annotations

from typing import Annotated

from owlbus.cli.options import OUT, AreaOptions, NetworkOptions, TalkOptions
from owlbus.cli.talk import talking
from owlbus.errors import UsageError


def network(area: AreaOptions, network: NetworkOptions, talk: TalkOptions, out: Annotated[str | None, OUT] = None) -> None:
    """
    [bold]owlbus network --nodes nodes.csv.gz --links links.csv.gz --area city.geojson --out net[/bold]

    Build the network that routes run on, and say what was left out of it.
    """
    from owlbus.cli.chain import settings_of_run
    from owlbus.pipeline import Sources
    from owlbus.pipeline.study import build_grid, build_network, read_named_city
    from owlbus.rundir import RunRecord, open_run_dir

    if area.area is None and area.city is None:
        msg = "network needs a study area; add --area outline.geojson, or --city seoul"
        raise UsageError(msg)
    sources = Sources(
        city=area.city,
        area=area.area,
        radius_m=area.radius,
        n_hexes=area.hexes,
        h3_resolution=area.h3,
        nodes=network.nodes,
        links=network.links,
        stops=network.stops,
        walk_m=network.walk,
        speed_kmh=network.speed,
    )
    with talking(talk) as voice:
        city = read_named_city(sources.city)
        built = build_network(sources, build_grid(sources, city), city)
        if out is not None:
            with open_run_dir(out) as run:
                built.grid.write(run.stage("grid.parquet"))
                built.write(run.stage("network.parquet"))
                inputs = tuple(name for name in (sources.area, sources.nodes, sources.links, sources.stops) if name)
                run.publish(RunRecord("network", settings_of_run(sources, None), None, inputs))
    report = built.report
    document = {"command": "network", "out": out, "stops": built.n_stops, "links": built.n_links, "hexes": built.grid.n_hexes}
    voice.show(document | {"report": None if report is None else report.to_json()}, str(report or built))
    if out is not None:
        voice.say(f"Written to {out}: grid.parquet and network.parquet.")
