"""Timetables of a night as tables for the terminal, and side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.cli.bus_type_tables import type_page, unit_costs_text
from owlbus.cli.output import empty_table
from owlbus.cli.tables import counts_caption
from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.timetable import RiderService, Timetable, TimetableReport, UnitCosts
    from owlbus.timetable.driver_duties import Duties


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """
    Timetable of one night with the service of its riders.

    Attributes
    ----------
    name
        Name of the plan.
    table
        Runs and vehicle blocks, times in seconds.
    report
        Report of its construction; None for a timetable that was read.
    service
        Waits, rides and crowding.
    costs
        Cost of a vehicle-km, a vehicle-hour and a bus.
    min_count
        Riders a night of which printed counts are multiples; -1 for open data.
    duties
        Duties of its drivers, or None.
    """

    name: str
    table: Timetable
    report: TimetableReport | None
    service: RiderService
    costs: UnitCosts
    min_count: float = MIN_COUNT
    duties: Duties | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return timetable, service and duties as JSON values, counts and means as they are printed."""
        from owlbus.timetable import timetable_document

        timetable = timetable_document(self.table, self.report, self.costs)
        drivers = {} if self.duties is None else {"drivers": self.duties.to_dict()}
        return {"timetable": timetable, "riders": self.service.to_dict(self.min_count), **drivers}


def night_pages(night: Night) -> list[Table]:
    """
    Tables of headways and waits in minutes and of crowding in percent, by route and hour.

    Parameters
    ----------
    night
        Timetable and service.

    Returns
    -------
    list of Table
        Headways, waits, crowding, and bus types where there are several.
    """
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    bus_type = ("bus_type",) if "bus_types" in figures else ()
    pages = [
        _page(f"Headways in minutes, {night.name}", ("route", *bus_type, "buses", "runs", *figures["hours"]), _totals(figures)),
        _page(f"Mean wait for the first bus in minutes, {night.name}", ("route", *figures["hours"]), ""),
        _page(f"Crowding, {night.name}: riders on the fullest link, % of capacity", ("route", *figures["hours"]), _service(shown)),
    ]
    for row, riders in zip(figures["routes"], shown["routes"], strict=True):
        pages[0].add_row(
            row["name"],
            *(row[name] for name in bus_type),
            f"{row['buses']}",
            f"{row['runs']}",
            *(_cell(headway or None, 1 / 60) for headway in row["headway_s"]),
        )
        pages[1].add_row(riders["name"], *(_cell(wait, 1 / 60) for wait in riders["wait_s"]))
        pages[2].add_row(riders["name"], *(_cell(share, 100) for share in riders["crowding_share"]))
    return [*pages, type_page(figures, night.name)] if bus_type else pages


def safety_page(rows: Sequence[Mapping[str, Any]], name: str) -> Table:
    """
    Table of the night-safety sheet by group.

    Parameters
    ----------
    rows
        As `owlbus.timetable.safety_groups.safety_by_group` returns them: shares 0 to 1, metres and seconds.
    name
        What people call the night.

    Returns
    -------
    Table
        One row a group; minutes and percent.
    """
    head = ("group", "people %", "first bus", "last bus", "way home", "wait min", "within 30 %")
    note = "The worst of its hexagons; people near a stop; the longest wait from the first hour to the last bus, and those within 30 min."
    page = _page(f"Night safety by group, {name}", head, note)
    for row in rows:
        times = (_clock(row[what]) for what in ("first", "last_from", "last_home"))
        people, within = (_cell(row[what], 100) for what in ("presence_share", "within_30_min_share"))
        page.add_row(row["group"], people, *times, _cell(row["longest_wait_s"], 1 / 60), within)
    return page


def _clock(time: str | None) -> str:
    """Hours and minutes of the service night; a dash for none."""
    return "-" if time is None else time[:5]


def side_by_side_page(nights: Sequence[Night]) -> Table:
    """
    Table of nights side by side.

    Parameters
    ----------
    nights
        The plan and the reference, or the nights of the day types.

    Returns
    -------
    Table
        One row per figure; minutes, kilometres and percent.
    """
    page = _page(
        "Side by side", ("", *(night.name for night in nights)), "Wait, ride and total are means of the trips that each plan serves."
    )
    columns = [_figures(night) for night in nights]
    for row in zip(*columns, strict=True):
        page.add_row(row[0][0], *(value for _, value in row))
    return page


def _figures(night: Night) -> list[tuple[str, str]]:
    """Return the figures of a night, name and value."""
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    headways = [headway for row in figures["routes"] for headway in row["headway_s"] if headway]
    full = [share for row in shown["routes"] for share in row["crowding_share"] if share is not None]
    span = sorted({f"{headway / 60:.0f}" for headway in (min(headways), max(headways))}, key=int) if headways else ["-"]
    return [
        ("routes", f"{len(figures['routes'])}"),
        ("buses", f"{figures['fleet']}"),
        ("headways, minutes", " to ".join(span)),
        ("runs", f"{figures['runs']}"),
        ("vehicle-km", f"{figures['vehicle_km']:,.0f}"),
        ("vehicle-hours", f"{figures['vehicle_hours']:.0f}"),
        (
            f"cost a night, {figures['cost']['currency']}{' (assumed)' if 'assumption' in figures['cost']['basis'] else ''}",
            f"{figures['cost']['total']:,.0f}",
        ),
        *((f"{name}, minutes (90th percentile)", _spread(shown, name)) for name in ("wait", "ride", "total")),
        ("fullest link of any hour, % of capacity", f"{100 * max(full):.0f}" if full else "-"),
        *((f"arrived within {limit // 60} min, % of all trips", _cell(shown["within_share"][str(limit)], 100)) for limit in (3600, 5400)),
    ]


def _spread(shown: dict[str, Any], name: str) -> str:
    """Mean and 90th percentile in minutes."""
    mean, p90 = shown[f"{name}_mean_s"], shown[f"{name}_p90_s"]
    return "-" if mean is None or p90 is None else f"{mean / 60:.0f} ({p90 / 60:.0f})"


def _page(title: str, columns: tuple[str, ...], caption: str) -> Table:
    """Return an empty table, names left-aligned and numbers right-aligned."""
    page = empty_table(title)
    page.caption = caption or None
    for name in columns:
        page.add_column(name, justify="left" if name in {"route", ""} else "right", no_wrap=name not in {"route", ""}, overflow="fold")
    return page


def _totals(figures: dict[str, Any]) -> str:
    """Return a summary of a night: buses, kilometres, hours, cost, and waits."""
    cost, choice = figures["cost"], figures["choice"]
    driven = f"{figures['vehicle_km']:,.0f} vehicle-km, {figures['vehicle_hours']:.0f} "
    total = (
        f"{how_many(figures['fleet'], 'bus')}, {how_many(figures['runs'], 'run')}, {driven}"
        f"vehicle-hours; {cost['total']:,.0f} {cost['currency']} a night{unit_costs_text(cost)} ({cost['basis']})."
    )
    lines = [total]
    if choice is not None and choice["equal_wait_s"] is not None:
        lines.append(
            f"Planned wait, mean of all boardings as they are printed: {choice['planned_wait_s'] / 60:.1f} min; with equal headways of "
            f"{choice['equal_headway_s'] / 60:.0f} min on as many buses {choice['equal_wait_s'] / 60:.1f}."
        )
    if choice is not None and choice["transfer_wait_before_s"] is not None:
        lines.append(
            f"Wait at a transfer: {choice['transfer_wait_before_s'] / 60:.1f} min before timed transfers, "
            f"{choice['transfer_wait_after_s'] / 60:.1f} after."
        )
    return "\n".join(lines)


def _service(shown: dict[str, Any]) -> str:
    """Return a summary of waits and rides."""
    few = f"-: no buses, or no riders{f' or too few ({counts_caption(shown)[:-1].lower()})' if shown['min_count'] else ''}."
    if shown["min_count"]:
        few += f" Crowding of 0: fewer than {shown['min_count']:g} riders."
    if shown["wait_mean_s"] is None:
        return few
    parts = (f"{name} {shown[f'{name}_mean_s'] / 60:.0f} ({shown[f'{name}_p90_s'] / 60:.0f})" for name in ("wait", "ride", "total"))
    return f"Mean and 90th percentile in minutes: {', '.join(parts)}.\n{few}"


def _cell(value: float | None, factor: float) -> str:
    """Return a number times `factor`, or a dash."""
    return "-" if value is None else f"{value * factor:.0f}"
