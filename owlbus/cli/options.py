"""Options that several commands share, in groups that a command takes as one argument each."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from owlbus.cli.process import stopped_in_order
from owlbus.cli.run_conflicts import note_flags
from owlbus.cli.shares import share_of
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from owlbus.pipeline import Request, Sources
    from owlbus.plan.limits import RouteLimits, ServiceRule


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


_LARGEST = 1e12
"""Largest size of any number on the command line; every option has a smaller range of its own, in its unit."""

_AREA, _DEMAND, _NETWORK, _LIMITS = "Study area", "Demand", "Network", "What a route and a plan may be"
_RULE, _SEARCH, _TALK = "When a trip counts as served", "Search", "Output"


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How much a command says, and in which form."""

    json: Annotated[bool, option(_TALK, "--json", text="Print one JSON document on standard output.")] = False
    quiet: Annotated[bool, option(_TALK, "--quiet", "-q", text="Say nothing but results and errors.")] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Say more; -vv shows where an error came from.",
            rich_help_panel=_TALK,
        ),
    ] = 0
    config: Annotated[
        str | None, option(_TALK, "--config", unit="FILE", text="Defaults for options; owlbus.toml here if there is one.")
    ] = None


@dataclass(frozen=True, slots=True)
class AreaOptions:
    """Where the study lies and how it is cut into hexes."""

    city: Annotated[
        str | None,
        option(
            _AREA, "--city", unit="NAME", text="Sample city: outline, water, mountains and, without FILES, records. Or a folder of one."
        ),
    ] = None
    area: Annotated[
        str | None,
        option(
            _AREA,
            "--area",
            "--outline",
            unit="FILE",
            text="Outline, GeoJSON polygon or CSV of lon, lat. Default: the city's, or one drawn around the records.",
        ),
    ] = None
    radius: Annotated[float, option(_AREA, "--radius", unit="METRES", text="Circumradius of a hexagon.")] = 500.0
    hexes: Annotated[int | None, option(_AREA, "--hexes", unit="N", text="Number of hexagons. Default: all that touch the area.")] = None
    h3: Annotated[int | None, option(_AREA, "--h3", unit="RESOLUTION", text="Use H3 hexagons of this resolution instead.")] = None


@dataclass(frozen=True, slots=True)
class DemandOptions:
    """How records become demand."""

    window: Annotated[str, option(_DEMAND, "--window", unit="HH-HH", text="Hours of the night that count; the end is excluded.")] = "00-05"
    taxi_weight: Annotated[
        float, option(_DEMAND, "--taxi-weight", unit="SHARE", text="Share of taxi where calls and taxi are blended, 0 to 1.")
    ] = 0.2
    nights: Annotated[
        int | None, option(_DEMAND, "--nights", unit="N", text="Nights that records without a date come from. Default: 1.")
    ] = None
    map: Annotated[
        list[str] | None,
        option(_DEMAND, "--map", unit="NAME=COLUMN", text="Column of the files that holds what owlbus calls NAME; may be repeated."),
    ] = None
    timezone: Annotated[
        str | None, option(_DEMAND, "--timezone", unit="ZONE", text="Zone that times with a zone are shown in, such as Asia/Seoul.")
    ] = None
    masts: Annotated[
        str | None,
        option(_DEMAND, "--masts", unit="FILE", text="Antennas (antenna_id, lon, lat), for calls that name one instead of a position."),
    ] = None
    market_share: Annotated[
        str | None,
        option(_DEMAND, "--market-share", unit="FILE", text="The operator's market share (district, share or lon, lat, share), 0 to 1."),
    ] = None
    scheduler: Annotated[
        str | None,
        option(
            _DEMAND,
            "--scheduler",
            unit="WHERE",
            text="Count, plan and sweep in other processes: local:N, processes:N or tcp://HOST:PORT (Dask).",
        ),
    ] = None
    max_rejected: Annotated[
        float, option(_DEMAND, "--max-rejected", unit="SHARE", text="Largest share of a file's rows that may be rejected, 0 to 1.")
    ] = 1.0


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Where buses can run and how far people walk."""

    nodes: Annotated[
        str | None, option(_NETWORK, "--nodes", unit="FILE", text="Road nodes: node_id, lon, lat. Default: the hex lattice.")
    ] = None
    links: Annotated[
        str | None, option(_NETWORK, "--links", unit="FILE", text="Road links: from_node, to_node, length_m, freespeed_m_per_s.")
    ] = None
    stops: Annotated[
        str | None,
        option(
            _NETWORK, "--stops", unit="FILE", text="Stops: lon, lat, name. Default: one a hexagon, at the road node nearest its centre."
        ),
    ] = None
    gtfs: Annotated[
        str | None, option(_NETWORK, "--gtfs", unit="FEED", text="Feed whose stops and links buses can use: zip or folder.")
    ] = None
    osm: Annotated[
        str | None,
        option(
            _NETWORK,
            "--osm",
            unit="FILE",
            text="OpenStreetMap extract (.osm.pbf) whose streets buses can use; needs the extra owlbus\\[osm].",
        ),
    ] = None
    modes: Annotated[
        str, option(_NETWORK, "--modes", unit="NAMES", text="Modes of the feed: bus, trolleybus, tram, metro, rail, ferry, cable, or all.")
    ] = "bus,trolleybus"
    merge_stops: Annotated[
        float, option(_NETWORK, "--merge-stops", unit="METRES", text="Stops of a feed or an extract this near each other are one place.")
    ] = 100.0
    night_factor: Annotated[
        float,
        option(_NETWORK, "--night-factor", unit="RATIO", text="Night seconds over scheduled day seconds of a feed, or over an extract's."),
    ] = 1.0
    walk: Annotated[
        str,
        option(
            _NETWORK, "--walk", unit="METRES", text="Walk to a stop, boundary included; network or network:800 along footways of --osm."
        ),
    ] = "500"
    walk_share: Annotated[
        float | None,
        option(
            _NETWORK, "--walk-share", unit="SHARE", text="Share of a hexagon's area that must lie within the walk. Default: its centre."
        ),
    ] = None
    reach: Annotated[
        str,
        option(
            _NETWORK,
            "--reach",
            unit="RULE",
            text="What counts of a hexagon: all of it, by its centre; or, searching far longer, each of nine parts, by area or by records.",
        ),
    ] = "centre"
    stretch: Annotated[
        float,
        option(
            _NETWORK, "--stretch", unit="RATIO", text="On streets, round trip over other links taken for a link of its own; 1 is exact."
        ),
    ] = 1.25
    speed: Annotated[float, option(_NETWORK, "--speed", unit="KM/H", text="Commercial speed, layovers included.")] = 19.0


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What routes and the plan must keep."""

    fleet: Annotated[
        int | None, option(_LIMITS, "--fleet", unit="BUSES", text="Buses that all routes together may need. Default: any number.")
    ] = None
    headway: Annotated[float, option(_LIMITS, "--headway", unit="MINUTES", text="Minutes between buses, for the fleet.")] = 45.0
    max_length_km: Annotated[
        float | None, option(_LIMITS, "--max-length-km", unit="KM", text="One-way length of a route. Default: 45.")
    ] = None
    min_length_km: Annotated[
        float | None, option(_LIMITS, "--min-length-km", unit="KM", text="Least one-way length of a route. Default: none.")
    ] = None
    max_ride_min: Annotated[
        float | None, option(_LIMITS, "--max-ride-min", unit="MINUTES", text="One-way ride of a route. Default: 240.")
    ] = None
    max_circuity: Annotated[
        float | None,
        option(_LIMITS, "--max-circuity", unit="RATIO", text="Route length over the shortest way between its terminals. Default: 1.6."),
    ] = None
    total_km: Annotated[
        float | None, option(_LIMITS, "--total-km", unit="KM", text="One-way length of all routes together. Default: any.")
    ] = None


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """When a trip counts as served."""

    detour_factor: Annotated[
        float, option(_RULE, "--detour-factor", unit="RATIO", text="The ride may take this times the direct drive…")
    ] = 2.0
    detour_min: Annotated[float, option(_RULE, "--detour-min", unit="MINUTES", text="…plus this.")] = 10.0
    transfer_min: Annotated[float, option(_RULE, "--transfer-min", unit="MINUTES", text="What one transfer costs.")] = 5.0
    max_transfers: Annotated[int, option(_RULE, "--max-transfers", unit="0|1", text="Transfers that a trip may need.")] = 1
    unserved_min: Annotated[
        float, option(_RULE, "--unserved-min", unit="MINUTES", text="What a trip without a journey counts in the mean travel time.")
    ] = 120.0


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What is searched for, and for how long."""

    routes: Annotated[int, option(_SEARCH, "--routes", "-k", unit="K", text="Number of routes, 1 to 64.")] = 9
    objective: Annotated[
        str,
        option(
            _SEARCH,
            "--objective",
            unit="NAME",
            text="What to maximise: served, direct, presence, a mix such as served=3,presence=1; or travel_time to cut the mean journey.",
        ),
    ] = "served"
    steps: Annotated[
        int | None,
        option(
            _SEARCH, "--steps", unit="N", text="Moves to try; with a seed this fixes the result. Default: 600000, unless --time is given."
        ),
    ] = None
    time: Annotated[
        float | None, option(_SEARCH, "--time", unit="SECONDS", text="Seconds to search; the result then depends on the machine.")
    ] = None
    bound: Annotated[
        int,
        option(
            _SEARCH,
            "--bound",
            unit="N",
            text="Prices to try for a proven upper bound over all plans within the limits, such as 60.",
        ),
    ] = 0
    target_gap: Annotated[
        float | None,
        option(
            _SEARCH, "--target-gap", unit="SHARE", text="End once the bound is at most this share above the plan; depends on the machine."
        ),
    ] = None
    seed: Annotated[int, option(_SEARCH, "--seed", unit="N", text="Seed of the search.")] = 0
    starts: Annotated[
        int, option(_SEARCH, "--starts", unit="N", text="Independent searches that share the steps, in threads or by --scheduler.")
    ] = 2


OUT = option(_TALK, "--out", "-o", unit="DIR", text="Run directory to write: absent, empty, or an earlier run, which is replaced.")
RESUME = option(
    _TALK,
    "--resume",
    text="Keep in --out what is done, until the run ends; go on from what a run that was stopped has kept there.",
)
MIN_PRESENCE = option(
    _TALK, "--min-presence", unit="SHARE", text="Gate: end with code 1 if fewer people than this share are within the walk of a stop."
)
MIN_SERVED = option(_TALK, "--min-served", unit="SHARE", text="Gate: end with code 1 if fewer trips than this share are served.")
REFERENCE = option(
    _TALK, "--reference", unit="PLAN", text="Plan to hold against it, of any kind that score takes. Default: the city's, if there is one."
)
LANG = option(_TALK, "--lang", unit="en|ko", text="Language of report.html.")
SNAP = option(_TALK, "--max-snap", unit="METRES", text="How far a way-point of a given plan may lie from the nearest stop.")


def require_language(lang: str) -> None:
    """Refuse a language `lang` that no report can be written in, before anything is read."""
    from owlbus.report.translations import LANGUAGES

    if lang not in LANGUAGES:
        msg = f"--lang must be one of {', '.join(LANGUAGES)}, got {lang!r}"
        raise UsageError(msg)


def require_snap(max_snap_m: float) -> None:
    """Refuse a distance `max_snap_m` in metres that no way-point can lie from a stop, before anything is read."""
    from owlbus.common.units import require_number

    require_number("--max-snap", max_snap_m, 0, 100_000)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """
    Spread the option groups of a command into single options, and gather them again when it is called.

    Parameters
    ----------
    command
        A function whose arguments may be the dataclasses of this module.

    Returns
    -------
    callable
        The same with one keyword per option.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))
            continue
        groups[name] = kind
        spread = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=spread[field.name])
            for field in fields(kind)
        ]

    @functools.wraps(command)
    def gathered(context: typer.Context, **given: object) -> None:
        note_flags(context)
        _require_finite(context, given)
        taken = {name: kind(**{field.name: given.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()}
        with stopped_in_order():
            command(**taken, **given)

    spread_out: Any = gathered
    del spread_out.__wrapped__  # or the parser would look through it
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    spread_out.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)  # a terminal breaks lines where it ends
    spread_out.__signature__ = inspect.Signature(parameters)
    spread_out.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    whole: Callable[..., None] = spread_out
    return whole


def _require_finite(context: typer.Context, values: Mapping[str, object]) -> None:
    """Refuse values of options that are infinite, NaN, or too large to convert to other units, wherever they were given."""
    for param in context.command.params:
        value = values.get(param.name or "")
        if isinstance(value, float) and not abs(value) <= _LARGEST:
            flag = next((name for name in param.opts if name.startswith("--")), param.name)
            msg = f"{flag} must be a number from {-_LARGEST:g} to {_LARGEST:g}, got {value:g}"
            raise UsageError(msg)


def sources_of(files: list[str] | None, area: AreaOptions, demand: DemandOptions, network: NetworkOptions) -> Sources:
    """
    Sources of a study as the options say.

    Parameters
    ----------
    files
        Records, or None.
    area, demand, network
        Options, lengths in metres.

    Returns
    -------
    Sources
        For `owlbus.pipeline.build_study`.
    """
    from owlbus.common.units import NightWindow
    from owlbus.pipeline import Sources

    return Sources(
        files=tuple(files or ()),
        city=area.city,
        area=area.area,
        radius_m=area.radius,
        n_hexes=area.hexes,
        h3_resolution=area.h3,
        **network_settings(network),
        window=NightWindow.parse(demand.window),
        taxi_weight=demand.taxi_weight,
        n_nights=demand.nights,
        columns=_columns(demand.map or []),
        timezone=demand.timezone,
        max_rejected_share=demand.max_rejected,
        masts=demand.masts,
        market_share=demand.market_share,
        scheduler=demand.scheduler,
    )


def network_settings(network: NetworkOptions) -> dict[str, Any]:
    """
    Fields of `Sources` that say what the network is made from.

    Parameters
    ----------
    network
        Options, lengths in metres.

    Returns
    -------
    dict
        Arguments of `owlbus.pipeline.Sources`.

    Raises
    ------
    UsageError
        If the walk is neither metres nor ``network``.
    """
    kind, _, metres = network.walk.strip().rpartition(":") if ":" in network.walk else ("", "", network.walk.strip())
    if metres == "network":
        kind, metres = metres, "500"
    try:
        walk_m = float(metres if kind in {"", "network"} else kind)
    except ValueError:
        msg = f"--walk must be metres, network, or network:METRES, got {network.walk!r}"
        raise UsageError(msg) from None
    return {
        "nodes": network.nodes,
        "links": network.links,
        "stops": network.stops,
        "gtfs": network.gtfs,
        "osm": network.osm,
        "modes": tuple(network.modes.split(",")),
        "merge_m": network.merge_stops,
        "night_factor": network.night_factor,
        "walk_m": walk_m,
        "walk_network": bool(kind),
        "walk_area_share": network.walk_share,
        "reach": network.reach,
        "stretch": network.stretch,
        "speed_kmh": network.speed,
    }


def limits_of(options: LimitOptions) -> RouteLimits:
    """Return the limits of a plan as `options` say, in metres and seconds."""
    from owlbus.plan.limits import RouteLimits

    given: dict[str, Any] = {
        "max_buses": options.fleet,
        "headway_s": round(options.headway * 60),
        "max_length_m": _scaled(options.max_length_km, 1000),
        "min_length_m": _scaled(options.min_length_km, 1000),
        "max_ride_s": _scaled(options.max_ride_min, 60),
        "max_circuity": options.max_circuity,
        "max_total_length_m": _scaled(options.total_km, 1000),
    }
    return replace(RouteLimits(), **{name: value for name, value in given.items() if value is not None})


def rule_of(options: RuleOptions) -> ServiceRule:
    """Return when a trip counts as served as `options` say, in seconds."""
    from owlbus.plan.limits import ServiceRule

    return ServiceRule(
        options.detour_factor,
        round(options.detour_min * 60),
        round(options.transfer_min * 60),
        options.max_transfers,
        round(options.unserved_min * 60),
    )


def request_of(search: SearchOptions, limits: RouteLimits, rule: ServiceRule) -> Request:
    """Return what a search is asked for, in steps or seconds: `search` under `limits` and `rule`."""
    from owlbus.common.defaults import DEFAULT_STEPS
    from owlbus.pipeline import Request

    steps = DEFAULT_STEPS if search.steps is None and search.time is None else search.steps
    return Request(
        search.routes, limits, rule, search.objective, steps, search.time, search.seed, search.starts, search.bound, search.target_gap
    )


def _scaled(value: float | None, factor: float) -> float | None:
    """Return a value in the smaller unit."""
    return None if value is None else value * factor


def _columns(pairs: list[str]) -> dict[str, str]:
    """Return the files' column by owlbus' name, from NAME=COLUMN."""
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            msg = f"--map must read NAME=COLUMN, such as lon=x, got {pair!r}"
            raise UsageError(msg)
        columns[name] = column
    return columns
