"""Nights of a timetable by day type, as JSON values and as tables."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.cli.night_tables import Night, night_pages, safety_page, side_by_side_page
from owlbus.cli.option_values import is_flag
from owlbus.cli.output import empty_table
from owlbus.common.errors import UsageError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from owlbus.pipeline.request import Request
    from owlbus.timetable import Timetable
    from owlbus.timetable.day_types import DayType


DAYS_TEXT = "Policy headway by days of the evening: sun-thu=45,fri-sat=20; sun-thu=45/6 runs 6 routes then. Other days have no service."
"""Help on ``--days``, which means the same in every command."""


def planned_days(text: str | None, n_routes: int) -> tuple[DayType, ...]:
    """
    Day types that a plan is made for.

    Parameters
    ----------
    text
        As the option gives it, or None.
    n_routes
        Routes to plan.

    Returns
    -------
    tuple of DayType
        With headways in seconds; none for every night alike.

    Raises
    ------
    UsageError
        If the text cannot be read, a flag gives one headway for all nights, or more routes are to run than are planned.
    """
    from owlbus.timetable.day_types import parse_day_types, require_route_counts

    if text is None:
        return ()
    if is_flag("headway"):
        msg = "--days gives each day type its longest headway, and --headway gives all nights one; leave one of them out"
        raise UsageError(msg, setting="days", value=text)
    types = parse_day_types(text)
    require_route_counts(types, n_routes)
    return types


def planned_for(request: Request, day_types: Sequence[DayType]) -> Request:
    """
    Request whose fleet is counted for the shortest headway of any day type.

    Parameters
    ----------
    request
        Settings of the search.
    day_types
        Policy headways in seconds; none for every night alike.

    Returns
    -------
    Request
        With that headway among its limits.
    """
    if not day_types:
        return request
    return replace(request, limits=replace(request.limits, headway_s=min(day_type.max_headway_s for day_type in day_types)))


class DayNight(NamedTuple):
    """
    Night of a day type.

    Attributes
    ----------
    day_type
        Its days of the week; None for every night.
    night
        Timetable and service, times in seconds.
    reference
        Those of the reference plan, or None.
    n_nights
        Nights of the records on its days.
    for_feed
        Timetable on all routes, those that do not run on these days too; None for that of the night.
    safety
        Night-safety sheet by group, as `owlbus.timetable.safety_groups.safety_by_group` returns it.
    is_mean_night
        Whether so few trips or people are counted on its days that the demand is that of all nights.
    """

    day_type: DayType | None
    night: Night
    reference: Night | None
    n_nights: int = 0
    for_feed: Timetable | None = None
    safety: Sequence[dict[str, Any]] = ()
    is_mean_night: bool = False

    @property
    def uncrowded_fleet(self) -> int | None:
        """Buses with which full buses leave the fewest riders behind; None if unknown."""
        return None if self.night.report is None else self.night.report.uncrowded_fleet

    def to_dict(self) -> dict[str, Any]:
        """Return days, timetable, service and reference as JSON values, counts and means as they are printed."""
        from owlbus.timetable.day_types import SHORT_WEEKDAYS

        day_type, other = self.day_type, self.reference
        days: dict[str, Any] = {}
        if day_type is not None:
            days = {
                "name": day_type.name,
                "days": [SHORT_WEEKDAYS[day] for day in day_type.days],
                "max_headway_s": day_type.max_headway_s,
                "n_nights": self.n_nights,
                **({"is_mean_night": True} if self.is_mean_night else {}),
                **({} if self.uncrowded_fleet is None else {"uncrowded_fleet": self.uncrowded_fleet}),
            }
        safety = {"safety_by_group": list(self.safety)} if self.safety else {}
        return days | self.night.to_dict() | safety | {"reference": None if other is None else {"name": other.name, **other.to_dict()}}


def nights_document(nights: Sequence[DayNight]) -> dict[str, Any]:
    """
    Nights as JSON values: that of every night, or those of the day types under ``day_types``.

    Parameters
    ----------
    nights
        One night without a day type, or the nights of the day types.

    Returns
    -------
    dict
        With the fleet in buses, the most of any day type.
    """
    from owlbus.timetable.day_types import days_without_service

    if nights[0].day_type is None:
        return nights[0].to_dict()
    return {
        "fleet": max(day.night.table.fleet for day in nights),
        "days_without_service": list(days_without_service(day.day_type for day in nights if day.day_type is not None)),
        "day_types": [day.to_dict() for day in nights],
    }


def nights_pages(nights: Sequence[DayNight], *, with_safety: bool = False) -> list[Table]:
    """
    Tables of all nights, each with the reference beside it; minutes and percent.

    Parameters
    ----------
    nights
        Nights of the day types.
    with_safety
        Whether to show the night-safety sheet by group.

    Returns
    -------
    list of Table
        In the order of the nights; last the nights side by side, if there are several, and their drivers, if there are duties.
    """
    pages = []
    for day in nights:
        pages += night_pages(day.night)
        if day.reference is not None:
            pages += [*night_pages(day.reference), side_by_side_page((day.night, day.reference))]
        if day.safety and with_safety:
            pages.append(safety_page(day.safety, day.night.name))
    if len(nights) > 1:
        pages.append(side_by_side_page(tuple(day.night for day in nights)))
    return pages if nights[0].night.duties is None else [*pages, duties_table(nights)]


def day_type_lines(nights: Sequence[DayNight]) -> list[str]:
    """
    Sentences on the buses and days of the day types; none if there are no day types.

    Parameters
    ----------
    nights
        Nights of the day types.

    Returns
    -------
    list of str
        Buses of the plan, days without service, routes that run on some days only, and day types that the records do not have.
    """
    from owlbus.pipeline.day_services import day_bus_lines, too_few_lines
    from owlbus.timetable.day_types import days_without_service

    types = [day.day_type for day in nights if day.day_type is not None]
    if not types:
        return []
    fleets = {kind.name: (day.night.table.fleet, day.uncrowded_fleet) for kind, day in zip(types, nights, strict=True)}
    reports = [day.night.report for day in nights if day.night.report is not None]
    all_ride = all(each.operation.choice is None and each.operation.uptake_share == 1 for each in reports)
    lines = day_bus_lines(fleets, all_ride=all_ride)
    idle = days_without_service(types)
    if idle:
        lines.append(f"No service on {', '.join(idle)}: --days names no headway for {'it' if len(idle) == 1 else 'them'}.")
    for name, days in _some_days_only(nights).items():
        lines.append(f"Route {name} runs on {' and '.join(days)} only.")
    unknown = [day.day_type.name for day in nights if day.day_type is not None and not day.n_nights]
    if unknown:
        lines.append(f"No night of the records falls on {' or '.join(unknown)}: waits and loads there are those of a mean night.")
    lines += too_few_lines(day.day_type.name for day in nights if day.day_type is not None and day.is_mean_night)
    return lines


def reference_lines(nights: Sequence[DayNight]) -> list[str]:
    """
    Sentences on reference plans that take more buses than the plan.

    Parameters
    ----------
    nights
        Nights of the day types, or of every night.

    Returns
    -------
    list of str
        One for each such night.
    """
    lines = []
    for day in nights:
        other, fleet = day.reference, day.night.table.fleet
        if other is not None and other.table.fleet > fleet:
            minutes = f"{other.table.headway_s.max() / 60:g}"
            few = f"with {how_many(fleet, 'bus')} as the plan has it cannot keep one headway of {minutes} minutes"
            lines.append(f"note: {other.name}: takes {how_many(other.table.fleet, 'bus')}; {few}")
    return lines


def _some_days_only(nights: Sequence[DayNight]) -> dict[str, list[str]]:
    """Return the day types of each route that does not run on all of them."""
    running: dict[str, list[str]] = {}
    for day in nights:
        for name in day.night.table.plan.names:
            running.setdefault(name, []).append("" if day.day_type is None else day.day_type.name)
    return {name: days for name, days in running.items() if len(days) < len(nights)}


def nights_csv(nights: Sequence[DayNight], rows_of: Callable[[DayNight], Sequence[dict[str, Any]]], empty: str) -> bytes:
    """
    Rows of all nights as CSV, with a column for the day type if there are any.

    Parameters
    ----------
    nights
        Nights of the day types.
    rows_of
        Rows of a night, all with the same columns, units in their names.
    empty
        The column of a table without rows.

    Returns
    -------
    bytes
        UTF-8; text stays text, whatever it begins with.
    """
    from owlbus.common.text import escape_formula

    rows = [({} if day.day_type is None else {"day_type": day.day_type.name}) | row for day in nights for row in rows_of(day)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [empty], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: escape_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def duties_table(nights: Sequence[DayNight]) -> Table:
    """
    Table of drivers by night.

    Parameters
    ----------
    nights
        Nights of the day types, each with its duties.

    Returns
    -------
    Table
        Drivers and buses, hours.
    """
    table = empty_table("Drivers, the fewest that the rules allow")
    for column in ("night", "drivers", "buses", "hours on duty", "hours of driving", "longest duty, h"):
        table.add_column(column, justify="left" if column == "night" else "right")
    for day in nights:
        duties = day.night.duties
        if duties is not None:
            values = duties.to_dict()
            hours = (values["paid_hours"], values["driving_hours"], values["longest_duty_hours"])
            named = "every night" if day.day_type is None else day.day_type.name
            proven = "" if duties.is_optimal else " (not proven)"
            table.add_row(named, f"{duties.n_drivers}{proven}", f"{day.night.table.fleet}", *(f"{hour:.1f}" for hour in hours))
    return table
