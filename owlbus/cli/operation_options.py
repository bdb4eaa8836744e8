"""Options on how a plan is run: fleet, headways, vehicles and layovers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from owlbus.cli.day_nights import DAYS_TEXT
from owlbus.cli.messages import Gives
from owlbus.cli.option_values import is_flag
from owlbus.cli.options import option
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.timetable import Operation
    from owlbus.timetable.day_types import DayType

RUN = "Operation"
"""Panel of the options on the help page."""

CAPACITY = 45
_MAX_HEADWAY = 60.0


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """Fleet, headways, vehicles and layovers."""

    fleet: Annotated[
        int | None,
        option(
            RUN,
            "--fleet",
            unit="BUSES",
            text="Number of buses. Default: the fewest that keep --max-headway and leave the fewest riders behind; "
            "with --days, those that plan --days counts for the headways.",
        ),
    ] = None
    max_headway: Annotated[
        float | None,
        option(RUN, "--max-headway", unit="MINUTES", text="Policy headway: the longest one allowed. Default: 60."),
        Gives("max_headway_s", 60, "minutes"),
    ] = None
    days: Annotated[
        str | None,
        option(
            RUN,
            "--days",
            unit="DAYS=MINUTES,…",
            text=f"{DAYS_TEXT} Default: those of the run that holds the plan.",
        ),
    ] = None
    min_headway: Annotated[
        float, option(RUN, "--min-headway", unit="MINUTES", text="Shortest headway allowed."), Gives("min_headway_s", 60, "minutes")
    ] = 10.0
    max_wait: Annotated[
        float | None,
        option(RUN, "--max-wait", unit="MINUTES", text="Longest wait of anybody for a bus, that of riders whom a full bus leaves too."),
        Gives("max_wait_s", 60, "minutes"),
    ] = None
    min_departures: Annotated[
        int, option(RUN, "--min-departures", unit="N", text="Departures from each district with a stop in each hour, at least.")
    ] = 0
    by: Annotated[
        str | None,
        option(RUN, "--by", unit="FILE:COLUMN", text="Groups for --min-departures and the night-safety sheet. Default: the districts."),
    ] = None
    capacity: Annotated[int, option(RUN, "--capacity", unit="RIDERS", text="Riders per bus.")] = CAPACITY
    bus_types: Annotated[
        str | None,
        option(
            RUN,
            "--bus-types",
            unit="FILE",
            text="Mixed fleet, one type a route: columns type, capacity, available, cost_bus, and perhaps cost_km, cost_hour.",
        ),
    ] = None
    budget: Annotated[
        float | None, option(RUN, "--budget", unit="MONEY", text="Most that a night may cost with --bus-types, in --currency.")
    ] = None
    dwell: Annotated[
        int, option(RUN, "--dwell", unit="SECONDS", text="Dwell time at intermediate stops, included in ride times."), Gives("dwell_s")
    ] = 15
    layover: Annotated[
        float,
        option(RUN, "--layover", unit="SHARE", text="Layover after a run, as a share of its ride time; at least 5 minutes."),
        Gives("layover_share"),
    ] = 0.1
    rest_on_top: Annotated[
        bool,
        option(RUN, "--rest-on-top", text="Add layover to link times. Default: link times include it (commercial speed)."),
    ] = False
    interline: Annotated[bool, option(RUN, "--interline", text="Let a bus continue on another route from the same terminal.")] = False
    uptake: Annotated[
        float, option(RUN, "--uptake", unit="SHARE", text="Share of the trips served that take the bus, 0 to 1."), Gives("uptake_share")
    ] = 1.0
    equal_headways: Annotated[
        bool, option(RUN, "--equal-headways", text="Use one headway for all routes and hours: the shortest that the fleet can run.")
    ] = False

    @property
    def asks_for_groups(self) -> bool:
        """Whether an option is about equal service."""
        return bool(self.by or self.min_departures or self.max_wait)


def operations_of(options: OperationOptions, choice: str | None = None) -> dict[DayType | None, Operation]:
    """
    Operation of each day type, in seconds.

    Parameters
    ----------
    options
        As they were given, headways in minutes.
    choice
        File of who rides, in place of one share for all trips.

    Returns
    -------
    dict
        By day type; None stands for every night alike.

    Raises
    ------
    UsageError
        If two options say the same thing.
    DataError
        If a file breaks a rule.
    """
    from owlbus.common.acceptance import RideChoice
    from owlbus.timetable import Operation, read_bus_types
    from owlbus.timetable.day_types import parse_day_types

    _require_one_of_each(options, choice)
    who_rides = None if choice is None else RideChoice.read(choice)
    bus_types = () if options.bus_types is None else read_bus_types(options.bus_types)
    longest_s: dict[DayType | None, int] = {None: round((_MAX_HEADWAY if options.max_headway is None else options.max_headway) * 60)}
    if options.days is not None:
        longest_s = {day_type: day_type.max_headway_s for day_type in parse_day_types(options.days)}
    return {
        day_type: Operation(
            fleet=options.fleet,
            capacity=options.capacity,
            max_headway_s=max_headway_s,
            min_headway_s=_min_headway_s(options, max_headway_s),
            max_wait_s=None if options.max_wait is None else round(options.max_wait * 60),
            min_departures=options.min_departures,
            dwell_s=options.dwell,
            layover_share=options.layover,
            layover_in_links=not options.rest_on_top,
            interline=options.interline,
            uptake_share=options.uptake,
            equal_headways=options.equal_headways,
            choice=who_rides,
            bus_types=bus_types,
            budget=options.budget,
        )
        for day_type, max_headway_s in longest_s.items()
    }


def _min_headway_s(options: OperationOptions, max_headway_s: int) -> int:
    """Return the shortest headway in seconds; the default gives way to a shorter headway of a day type."""
    least_s = round(options.min_headway * 60)
    return min(least_s, max_headway_s) if options.days is not None and not is_flag("min_headway") else least_s


def _require_one_of_each(options: OperationOptions, choice: str | None) -> None:
    """Refuse two options that say the same thing."""
    if options.days is not None and options.max_headway is not None:
        msg = "--days gives each day type its longest headway, and --max-headway gives all nights one; leave one of them out"
        raise UsageError(msg, setting="days", value=options.days)
    if choice is not None and options.uptake != 1.0:
        msg = f"--choice {choice} says who rides, and --uptake is one share for all trips; leave one of them out"
        raise UsageError(msg, setting="choice", value=choice)
    if options.bus_types is not None and options.capacity != CAPACITY:
        msg = f"--bus-types {options.bus_types} gives each type its capacity, and --capacity gives all buses one; leave one of them out"
        raise UsageError(msg, setting="bus_types", value=options.bus_types)


def operation_settings(operations: Mapping[DayType | None, Operation]) -> dict[str, Any]:
    """
    Operation as values for JSON.

    Parameters
    ----------
    operations
        As of `operations_of`, in seconds.

    Returns
    -------
    dict
        The settings, or those of all day types by name.
    """
    named = {
        None if day_type is None else day_type.name: {
            name: value for name, value in asdict(operation).items() if not (name in {"choice", "bus_types", "budget"} and not value)
        }
        for day_type, operation in operations.items()
    }
    return {name: values for name, values in named.items() if name is not None} or named[None]
