"""Nights of a timetable by day type, as JSON values and as tables."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.cli.output import empty_table
from owlbus.cli.tables import Night, night_pages, side_by_side_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from owlbus.timetable.day_types import DayType


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
    """

    day_type: DayType | None
    night: Night
    reference: Night | None

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
            }
        return days | self.night.to_dict() | {"reference": None if other is None else {"name": other.name, **other.to_dict()}}


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


def nights_pages(nights: Sequence[DayNight]) -> list[Table]:
    """
    Tables of all nights, each with the reference beside it; minutes and percent.

    Parameters
    ----------
    nights
        Nights of the day types.

    Returns
    -------
    list of Table
        In the order of the nights; last the nights side by side, if there are several, and their drivers, if there are duties.
    """
    pages = []
    for _, night, reference in nights:
        pages += night_pages(night)
        if reference is not None:
            pages += [*night_pages(reference), side_by_side_page((night, reference))]
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
        Buses of the plan, days without service, and the demand that all are measured on.
    """
    from owlbus.timetable.day_types import days_without_service

    types = [day.day_type for day in nights if day.day_type is not None]
    if not types:
        return []
    buses = {day_type.name: day.night.table.fleet for day_type, day in zip(types, nights, strict=True)}
    lines = [f"Buses: {max(buses.values())}, the most of any day type ({', '.join(f'{name} {n}' for name, n in buses.items())})."]
    idle = days_without_service(types)
    if idle:
        lines.append(f"No service on {', '.join(idle)}: --days names no headway for {'it' if len(idle) == 1 else 'them'}.")
    return [*lines, "Waits and loads of each day type are those of the demand of a mean night."]


def nights_csv(nights: Sequence[DayNight], rows_of: Callable[[Night], list[dict[str, Any]]], empty: str) -> bytes:
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

    rows = [({} if day.day_type is None else {"day_type": day.day_type.name}) | row for day in nights for row in rows_of(day.night)]
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
