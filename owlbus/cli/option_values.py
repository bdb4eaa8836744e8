"""Library values from options: sources, limits, rule and request; and the options that conflict with them."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from owlbus.cli.options import LimitOptions, RuleOptions, SearchOptions
    from owlbus.cli.service_options import ServiceOptions
    from owlbus.pipeline import Request, Sources
    from owlbus.plan.limits import RouteLimits, ServiceRule


_FLAGS: ContextVar[dict[str, str]] = ContextVar("owlbus_flags")
_DAY_H = 24
_ALLOWED_WITH_RUN = {"scheduler"}


def note_flags(context: typer.Context) -> None:
    """
    Remember which options of the current command were given as flags.

    Parameters
    ----------
    context
        Context of the command, from the parser.
    """
    names = {param.name or "": next((name for name in param.opts if name.startswith("--")), "") for param in context.command.params}
    _FLAGS.set({name: flag for name, flag in names.items() if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"})


def is_flag(name: str) -> bool:
    """
    Whether an option was given as a flag.

    Parameters
    ----------
    name
        Name of the option.

    Returns
    -------
    bool
        False for one that a file, the environment or a default sets.
    """
    return name in _FLAGS.get({})


def require_no_files(run: str | None, files: list[str] | None, name: str = "FILES") -> None:
    """
    Refuse record files together with an earlier run.

    Parameters
    ----------
    run
        The run directory, or None.
    files
        Record files, or None.
    name
        Argument or flag that gives `files`.

    Raises
    ------
    UsageError
        If both are given.
    """
    if run is not None and files:
        msg = f"--run takes demand and network from {run}, so {name} would not be read; leave one of them out"
        raise UsageError(msg)


def require_snap(max_snap_m: float) -> None:
    """Refuse a distance `max_snap_m` in metres that no way-point can lie from a stop, before anything is read."""
    from owlbus.common.units import require_number

    require_number("max_snap_m", max_snap_m, 0, 100_000)


def require_no_conflicts(run: str) -> None:
    """
    Refuse flags of grid, demand or network, since `run` provides all three; defaults from owlbus.toml or the environment are ignored.

    Parameters
    ----------
    run
        The run directory.

    Raises
    ------
    UsageError
        If the command line has such a flag.
    """
    flags = _FLAGS.get({})
    names = [field.name for group in (AreaOptions, DemandOptions, NetworkOptions) for field in fields(group)]
    conflicts = [flags[name] for name in names if name in flags and name not in _ALLOWED_WITH_RUN]
    if conflicts:
        pronoun = "it" if len(conflicts) == 1 else "them"
        msg = (
            f"{', '.join(conflicts)} would not be read: grid, demand and network are those of the run {run}; leave {pronoun} out, or name "
            f"the records instead of the run"
        )
        raise UsageError(msg)


def require_language(lang: str) -> None:
    """Refuse a language `lang` that the report does not have, before anything is read."""
    from owlbus.report.translations import LANGUAGES

    if lang not in LANGUAGES:
        msg = f"--lang must be one of {', '.join(LANGUAGES)}, got {lang!r}"
        raise UsageError(msg)


def require_timezone(agency_timezone: str | None) -> None:
    """Refuse the time zone of a feed if no place has it, before anything is read; None is that of the network's place."""
    from owlbus.timetable.clock import zone_of

    if agency_timezone is not None:
        zone_of(agency_timezone, "agency_timezone")


def sources_of(files: list[str] | None, area: AreaOptions, demand: DemandOptions, network: NetworkOptions) -> Sources:
    """
    Sources of a study from its options.

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
        time_format=demand.time_format,
        date_order=demand.date_order,
        crs=demand.crs,
        zones=demand.zones,
        zone_id=demand.zone_id,
        zone_weights=demand.zone_weights,
        presence=demand.presence,
        hour_profile=demand.hour_profile,
        public=demand.public,
        min_count=demand.min_count,
        market_share=demand.market_share,
        scheduler=demand.scheduler,
    )


def network_settings(network: NetworkOptions) -> dict[str, Any]:
    """
    Arguments of `Sources` for the network, lengths in metres.

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
        If ``--walk`` is neither metres nor ``network``.
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
        "places": network.places,
        "speeds": network.speeds,
        "modes": tuple(network.modes.split(",")),
        "merge_m": network.merge_stops,
        "service_hours": None if network.hours is None else _hours_of_day(network.hours),
        "night_factor": network.night_factor,
        "walk_m": walk_m,
        "walk_network": bool(kind),
        "walk_area_share": network.walk_share,
        "reach": network.reach,
        "stretch": network.stretch,
        "road_factor": network.road_factor,
        "speed_kmh": network.speed,
    }


def _hours_of_day(text: str) -> tuple[int, ...]:
    """Return the hours of ``HH-HH``, the end excluded; a span whose end is not later passes midnight."""
    match = re.fullmatch(r"(\d{1,2})\s*-\s*(\d{1,2})", text.strip())
    first, end = (-1, -1) if match is None else (int(match[1]), int(match[2]))
    if not (0 <= first < _DAY_H and 0 <= end <= _DAY_H):
        msg = f"--hours must read HH-HH, from 0 to 24, such as 22-06, got {text!r}"
        raise UsageError(msg, setting="service_hours", value=text)
    return tuple(range(first, end + _DAY_H * (end <= first)))


def limits_of(options: LimitOptions, base: RouteLimits | None = None) -> RouteLimits:
    """Return the limits that `options` set, in metres and seconds; those of `base`, or the defaults, for the others."""
    from owlbus.plan.limits import RouteLimits

    values: dict[str, Any] = {
        "max_buses": options.fleet,
        "headway_s": round(options.headway * 60),
        "max_length_m": _scaled(options.max_length_km, 1000),
        "min_length_m": _scaled(options.min_length_km, 1000),
        "max_ride_s": _scaled(options.max_ride_min, 60),
        "max_circuity": options.max_circuity,
        "max_pair_circuity": options.max_pair_circuity,
        "allow_spurs": options.allow_spurs or None,
        "max_total_length_m": _scaled(options.total_km, 1000),
    }
    return replace(base or RouteLimits(), **{name: value for name, value in values.items() if value is not None})


def limits_of_given(options: LimitOptions, settings: Mapping[str, Any] | None = None) -> RouteLimits:
    """Return the limits that `options` set, and for the others those that a given plan was searched under, as `settings` hold them."""
    from owlbus.plan.limits import RouteLimits

    limits = limits_of(options, RouteLimits.of_routes(settings or {}, round(options.headway * 60)))
    return limits if options.max_pair_circuity is None else replace(limits, allow_spurs=options.allow_spurs)


def rule_of(options: RuleOptions) -> ServiceRule:
    """Return the service rule that `options` set, in seconds."""
    from owlbus.plan.limits import ServiceRule

    return ServiceRule(
        options.detour_factor,
        round(options.detour_min * 60),
        round(options.transfer_min * 60),
        options.max_transfers,
        round(options.unserved_min * 60),
    )


def request_of(search: SearchOptions, limits: RouteLimits, rule: ServiceRule, service: ServiceOptions | None = None) -> Request:
    """Return the request of a search under `limits` and `rule`, in moves or seconds as `search` says, with buses that run by `service`."""
    from owlbus.cli.service_options import service_of
    from owlbus.common.defaults import DEFAULT_STEPS
    from owlbus.pipeline import Request

    steps = DEFAULT_STEPS if search.steps is None and search.time is None else search.steps
    known = search.routes, limits, rule, search.objective, steps, search.time, search.seed, search.starts, search.bound, search.target_gap
    ride_service = None if service is None else service_of(service, limits, search.objective)
    return Request(*known, n_seeds=search.seeds, service=ride_service)


def _scaled(value: float | None, factor: float) -> float | None:
    """Return `value` in a smaller unit, or None."""
    return None if value is None else value * factor


def _columns(pairs: list[str]) -> dict[str, str]:
    """Return columns of the files by owlbus' names, from NAME=COLUMN."""
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            msg = f"--map must read NAME=COLUMN, such as lon=x, got {pair!r}"
            raise UsageError(msg)
        columns[name] = column
    return columns
