"""Options of `owlbus timetable --duties`, and the file of duties."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from owlbus.cli.day_nights import nights_csv
from owlbus.cli.messages import Gives
from owlbus.cli.options import option
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.cli.day_nights import DayNight
    from owlbus.timetable.driver_rules import DriverRules

_DRIVERS = "Drivers"


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """Whether duties of drivers are made, and what they keep."""

    duties: Annotated[bool, option(_DRIVERS, "--duties", text="Cut the duties of the fewest drivers from the blocks of the buses.")] = False
    driver_rules: Annotated[
        str,
        option(_DRIVERS, "--driver-rules", unit="eu|kr", text="Country whose rules are the defaults below: European Union or Korea."),
    ] = "eu"
    max_duty: Annotated[
        float | None,
        option(_DRIVERS, "--max-duty", unit="HOURS", text="Longest duty, sign-on to sign-off. Default: 10 (eu), 9 (kr)."),
        Gives("max_duty_s", 3600, "hours"),
    ] = None
    max_driving: Annotated[
        float | None,
        option(_DRIVERS, "--max-driving", unit="HOURS", text="Most driving in a duty. Default: 9 (eu), 8 (kr)."),
        Gives("max_driving_s", 3600, "hours"),
    ] = None
    max_stretch: Annotated[
        float | None,
        option(_DRIVERS, "--max-stretch", unit="HOURS", text="Most driving without a break. Default: 4.5 (eu), 4 (kr)."),
        Gives("max_stretch_s", 3600, "hours"),
    ] = None
    break_min: Annotated[
        float | None,
        option(_DRIVERS, "--break-min", unit="MINUTES", text="Shortest break, in one piece. Default: 45 (eu), 30 (kr)."),
        Gives("break_s", 60),
    ] = None
    relief: Annotated[
        str,
        option(_DRIVERS, "--relief", unit="terminals|hubs", text="Where drivers take over: at any terminal, or where two routes end."),
    ] = "terminals"


def driver_rules(options: DriverOptions) -> DriverRules | None:
    """
    Rules that the options set.

    Parameters
    ----------
    options
        Those of the command line, in hours and minutes.

    Returns
    -------
    DriverRules or None
        In seconds; None without ``--duties``.

    Raises
    ------
    UsageError
        If the country is unknown, a number lies outside its range, or a rule is set without ``--duties``.
    """
    from owlbus.timetable.driver_rules import COUNTRIES

    if options.driver_rules not in COUNTRIES:
        msg = f"--driver-rules must be {' or '.join(COUNTRIES)}, got {options.driver_rules!r}"
        raise UsageError(msg)
    given = {
        "max_duty_s": (options.max_duty, 3600),
        "max_driving_s": (options.max_driving, 3600),
        "max_stretch_s": (options.max_stretch, 3600),
        "break_s": (options.break_min, 60),
    }
    numbers: dict[str, Any] = {name: round(value * factor) for name, (value, factor) in given.items() if value is not None}
    rules = replace(COUNTRIES[options.driver_rules](), relief=options.relief, **numbers)
    if not options.duties and options != DriverOptions():
        msg = "rules of drivers shape duties, and none are asked for; add --duties"
        raise UsageError(msg)
    return rules if options.duties else None


def duties_csv(nights: Sequence[DayNight], stop_names: Sequence[str]) -> bytes:
    """
    Duties of all nights as CSV, one row a piece of work.

    Parameters
    ----------
    nights
        Nights of the day types, each with its duties.
    stop_names
        Name of each stop of the network.

    Returns
    -------
    bytes
        UTF-8; times as HH:MM:SS past 24:00:00, driving in minutes. With day types each row begins with its own.
    """
    from owlbus.timetable.driver_duties import duty_rows

    return nights_csv(
        nights, lambda day: [] if day.night.duties is None else duty_rows(day.night.table, day.night.duties, stop_names), "duty"
    )


def with_duties(nights: list[DayNight], rules: DriverRules | None) -> list[DayNight]:
    """
    Nights with the duties of their drivers.

    Parameters
    ----------
    nights
        Nights of the day types.
    rules
        What each duty keeps, in seconds; None leaves the nights as they are.

    Returns
    -------
    list of DayNight
        The same nights.
    """
    if rules is None:
        return nights
    from owlbus.timetable.driver_duties import plan_duties

    return [day._replace(night=replace(day.night, duties=plan_duties(day.night.table, rules))) for day in nights]
