"""Options that several commands share, as groups; a command takes each group as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.shares import share_of


def option(panel: str, *names: str, unit: str | None = None, text: str) -> Any:  # noqa: ANN401 - the parser's own type is private
    """
    Describe an option that the environment can give too, as ``OWLBUS_NAME``.

    Parameters
    ----------
    panel
        Heading in the help.
    names
        The option and its short forms; the first long one names the variable.
    unit
        What stands for the value in the help; nothing for a flag. A ``SHARE`` reads ``0.42`` or ``42%``.
    text
        What it does.

    Returns
    -------
    OptionInfo
        For `typing.Annotated`.
    """
    name = next(name for name in names if name.startswith("--"))
    variable = f"OWLBUS_{name.lstrip('-').replace('-', '_').upper()}"
    parser = share_of if unit == "SHARE" else None
    return typer.Option(*names, metavar=unit or "", help=text, envvar=variable, show_envvar=False, rich_help_panel=panel, parser=parser)


_AREA, _DEMAND, _NETWORK, _LIMITS = "Study area", "Demand", "Network", "Limits"
_RULE, _SEARCH, _OUTPUT = "When a trip counts as served", "Search", "Output"


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How much a command prints, and in which form."""

    json: Annotated[bool, option(_OUTPUT, "--json", text="Print one JSON document on standard output.")] = False
    quiet: Annotated[bool, option(_OUTPUT, "--quiet", "-q", text="Print only results and errors.")] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Print more; -vv also prints the traceback of an error.",
            rich_help_panel=_OUTPUT,
        ),
    ] = 0
    config: Annotated[
        str | None, option(_OUTPUT, "--config", unit="FILE", text="File with defaults for options. Default: ./owlbus.toml, if it exists.")
    ] = None


@dataclass(frozen=True, slots=True)
class AreaOptions:
    """Study area and hexagons."""

    city: Annotated[
        str | None,
        option(
            _AREA, "--city", unit="NAME", text="Sample city, or a folder with one: outline, water, mountains and, without FILES, records."
        ),
    ] = None
    area: Annotated[
        str | None,
        option(
            _AREA,
            "--area",
            "--outline",
            unit="FILE",
            text="Outline: GeoJSON polygon, or CSV with lon, lat. Default: the city's, or one drawn around the records.",
        ),
    ] = None
    radius: Annotated[float, option(_AREA, "--radius", unit="METRES", text="Circumradius of a hexagon."), Gives("radius_m")] = 500.0
    hexes: Annotated[
        int | None, option(_AREA, "--hexes", unit="N", text="Number of hexagons. Default: all that touch the area."), Gives("n_hexes")
    ] = None
    h3: Annotated[
        int | None,
        option(_AREA, "--h3", unit="RESOLUTION", text="Use H3 hexagons of this resolution instead."),
        Gives("h3_resolution"),
        Gives("resolution"),
    ] = None


@dataclass(frozen=True, slots=True)
class DemandOptions:
    """How demand is estimated from records."""

    window: Annotated[str, option(_DEMAND, "--window", unit="HH-HH", text="Hours of the night that count; the end is excluded.")] = "00-05"
    taxi_weight: Annotated[
        float, option(_DEMAND, "--taxi-weight", unit="SHARE", text="Weight of taxi rides in the blend of calls and taxi rides, 0 to 1.")
    ] = 0.2
    nights: Annotated[
        int | None,
        option(_DEMAND, "--nights", unit="N", text="Number of nights that records without a date cover. Default: 1."),
        Gives("n_nights"),
    ] = None
    map: Annotated[
        list[str] | None,
        option(_DEMAND, "--map", unit="NAME=COLUMN", text="Column in the files that holds the owlbus column NAME; repeatable."),
        Gives("columns"),
    ] = None
    timezone: Annotated[
        str | None,
        option(
            _DEMAND, "--timezone", unit="ZONE", text="Local time zone, such as Asia/Seoul; times that carry a zone are converted to it."
        ),
    ] = None
    masts: Annotated[
        str | None,
        option(
            _DEMAND, "--masts", unit="FILE", text="Antennas (antenna_id, lon, lat), for calls that name an antenna instead of a position."
        ),
    ] = None
    market_share: Annotated[
        str | None,
        option(
            _DEMAND,
            "--market-share",
            unit="FILE",
            text="Market share of the operator, 0 to 1, by district (district, share) or position (lon, lat, share).",
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        option(
            _DEMAND,
            "--scheduler",
            unit="WHERE",
            text="Count records and search in other processes: local:N, processes:N, or tcp://HOST:PORT (Dask).",
        ),
    ] = None
    max_rejected: Annotated[
        float,
        option(_DEMAND, "--max-rejected", unit="SHARE", text="Refuse a file if more than this share of its rows is rejected, 0 to 1."),
        Gives("max_rejected_share"),
    ] = 1.0


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Where buses can run, and how far people walk."""

    nodes: Annotated[
        str | None, option(_NETWORK, "--nodes", unit="FILE", text="Road nodes: node_id, lon, lat. Default: the lattice of hexagons.")
    ] = None
    links: Annotated[
        str | None, option(_NETWORK, "--links", unit="FILE", text="Road links: from_node, to_node, length_m, freespeed_m_per_s.")
    ] = None
    stops: Annotated[
        str | None,
        option(
            _NETWORK, "--stops", unit="FILE", text="Stops: lon, lat, name. Default: one per hexagon, at the road node nearest its centre."
        ),
    ] = None
    gtfs: Annotated[
        str | None, option(_NETWORK, "--gtfs", unit="FEED", text="GTFS feed, zip or folder; buses can use its stops and links.")
    ] = None
    osm: Annotated[
        str | None,
        option(
            _NETWORK,
            "--osm",
            unit="FILE",
            text="OpenStreetMap file (.osm.pbf); buses can use its streets. Needs the extra owlbus\\[osm].",
        ),
    ] = None
    modes: Annotated[
        str,
        option(
            _NETWORK, "--modes", unit="NAMES", text="Modes to read from --gtfs: bus, trolleybus, tram, metro, rail, ferry, cable, or all."
        ),
    ] = "bus,trolleybus"
    merge_stops: Annotated[
        float,
        option(
            _NETWORK, "--merge-stops", unit="METRES", text="Merge stops of --gtfs or --osm that are within this distance of each other."
        ),
        Gives("merge_m"),
    ] = 100.0
    night_factor: Annotated[
        float,
        option(_NETWORK, "--night-factor", unit="RATIO", text="Ratio of night to daytime travel times; multiplies GTFS or OSM link times."),
    ] = 1.0
    walk: Annotated[
        str,
        option(
            _NETWORK,
            "--walk",
            unit="METRES",
            text="Longest walk to a stop, inclusive, in a straight line; network or network:METRES follows the footways of --osm.",
        ),
        Gives("walk_m"),
        Gives("walk_network", word="network"),
    ] = "500"
    walk_share: Annotated[
        float | None,
        option(
            _NETWORK,
            "--walk-share",
            unit="SHARE",
            text="Share of a hexagon's area that must lie within the walk. Default: its centre must.",
        ),
        Gives("walk_area_share"),
    ] = None
    reach: Annotated[
        str,
        option(
            _NETWORK,
            "--reach",
            unit="RULE",
            text="How hexagons count as reached. centre: whole, by centre; area or records: in nine sub-hexagons weighted so (much slower).",
        ),
    ] = "centre"
    stretch: Annotated[
        float,
        option(
            _NETWORK,
            "--stretch",
            unit="RATIO",
            text="On streets, leave out a direct link if the round trip over other links is at most this many times as long; 1 keeps all links.",
        ),
    ] = 1.25
    speed: Annotated[
        float, option(_NETWORK, "--speed", unit="KM/H", text="Commercial speed of buses, including layovers."), Gives("speed_kmh")
    ] = 19.0


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """Limits of each route and of the whole plan."""

    fleet: Annotated[
        int | None,
        option(_LIMITS, "--fleet", unit="BUSES", text="Largest number of buses for all routes together. Default: no limit."),
        Gives("max_buses"),
    ] = None
    headway: Annotated[
        float,
        option(_LIMITS, "--headway", unit="MINUTES", text="Headway for counting buses; the timetable in gtfs.zip sets its own."),
        Gives("headway_s", 60, "minutes"),
    ] = 45.0
    max_length_km: Annotated[
        float | None,
        option(_LIMITS, "--max-length-km", unit="KM", text="Longest one-way length of a route. Default: 45."),
        Gives("max_length_m", 1000),
    ] = None
    min_length_km: Annotated[
        float | None,
        option(_LIMITS, "--min-length-km", unit="KM", text="Shortest one-way length of a route. Default: no limit."),
        Gives("min_length_m", 1000),
    ] = None
    max_ride_min: Annotated[
        float | None,
        option(_LIMITS, "--max-ride-min", unit="MINUTES", text="Longest one-way travel time of a route. Default: 240."),
        Gives("max_ride_s", 60),
    ] = None
    max_circuity: Annotated[
        float | None,
        option(
            _LIMITS,
            "--max-circuity",
            unit="RATIO",
            text="Largest ratio of a route's length to the shortest path between its terminals. Default: 1.6.",
        ),
    ] = None
    total_km: Annotated[
        float | None,
        option(_LIMITS, "--total-km", unit="KM", text="Largest one-way length of all routes together. Default: no limit."),
        Gives("max_total_length_m", 1000),
    ] = None


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """When a trip counts as served."""

    detour_factor: Annotated[
        float, option(_RULE, "--detour-factor", unit="RATIO", text="Longest ride: this many times the direct drive, plus --detour-min.")
    ] = 2.0
    detour_min: Annotated[
        float, option(_RULE, "--detour-min", unit="MINUTES", text="Minutes added to the longest ride."), Gives("detour_s", 60)
    ] = 10.0
    transfer_min: Annotated[
        float, option(_RULE, "--transfer-min", unit="MINUTES", text="Time added for each transfer."), Gives("transfer_s", 60)
    ] = 5.0
    max_transfers: Annotated[int, option(_RULE, "--max-transfers", unit="0|1", text="Largest number of transfers of a trip.")] = 1
    unserved_min: Annotated[
        float,
        option(_RULE, "--unserved-min", unit="MINUTES", text="Travel time of a trip without a journey, in the mean travel time."),
        Gives("unserved_s", 60),
    ] = 120.0


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What the search maximises, and how long it runs."""

    routes: Annotated[int, option(_SEARCH, "--routes", "-k", unit="K", text="Number of routes, 1 to 64."), Gives("n_routes")] = 9
    objective: Annotated[
        str,
        option(
            _SEARCH,
            "--objective",
            unit="NAME",
            text="What to maximise: served, direct, presence, or a mix such as served=3,presence=1; travel_time minimises the mean journey.",
        ),
    ] = "served"
    steps: Annotated[
        int | None,
        option(
            _SEARCH,
            "--steps",
            unit="N",
            text="Moves to try; equal moves and seed give equal plans. Default: 600000, unless --time is given.",
        ),
    ] = None
    time: Annotated[
        float | None,
        option(_SEARCH, "--time", unit="SECONDS", text="Seconds to search; the result then depends on the machine."),
        Gives("time_s"),
    ] = None
    bound: Annotated[
        int,
        option(
            _SEARCH,
            "--bound",
            unit="N",
            text="Iterations of the upper bound (0: none; 60 is typical).",
        ),
        Gives("bound_steps"),
    ] = 0
    target_gap: Annotated[
        float | None,
        option(_SEARCH, "--target-gap", unit="SHARE", text="Stop at this optimality gap; the result depends on the machine."),
        Gives("target_gap_share"),
    ] = None
    seed: Annotated[int, option(_SEARCH, "--seed", unit="N", text="Random seed of the search.")] = 0
    starts: Annotated[
        int,
        option(
            _SEARCH,
            "--starts",
            unit="N",
            text="Independent searches that share the moves, in threads or with --scheduler; the best one counts.",
        ),
        Gives("n_starts"),
    ] = 2


OUT = option(
    _OUTPUT, "--out", "-o", unit="DIR", text="Run directory to write. It must be absent, empty, or an earlier run, which is replaced."
)
RESUME = option(
    _OUTPUT,
    "--resume",
    text="Write checkpoints to --out, and resume from those of an interrupted run.",
)
MIN_PRESENCE = option(
    _OUTPUT, "--min-presence", unit="SHARE", text="Exit with code 1 if the share of people within the walk of a stop is lower."
)
MIN_SERVED = option(_OUTPUT, "--min-served", unit="SHARE", text="Exit with code 1 if the share of trips served is lower.")
REFERENCE = option(
    _OUTPUT, "--reference", unit="PLAN", text="Plan to compare with, in any format that score reads. Default: the city's, if there is one."
)
LANG = option(_OUTPUT, "--lang", unit="en|ko", text="Language of report.html.")
SNAP = option(_OUTPUT, "--max-snap", unit="METRES", text="Largest distance from a way-point of a given plan to the nearest stop.")
