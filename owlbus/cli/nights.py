"""A plan run through the night, as `owlbus timetable` prints it: alone, and beside another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.cli.talk import empty_table

if TYPE_CHECKING:
    from rich.table import Table

    from owlbus.timetable import RiderService, Timetable, TimetableReport, UnitCosts


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """
    A plan run through one night.

    Attributes
    ----------
    name
        What people call the plan.
    table
        Its runs and buses; times in seconds.
    report
        How it came about; None for a timetable that was read.
    service
        What riders get.
    costs
        Cost of a vehicle-km, a vehicle-hour and a bus.
    """

    name: str
    table: Timetable
    report: TimetableReport | None
    service: RiderService
    costs: UnitCosts

    def to_dict(self) -> dict[str, Any]:
        """Return timetable and service as JSON holds them, with small counts hidden."""
        from owlbus.timetable import timetable_document

        return {"timetable": timetable_document(self.table, self.report, self.costs), "riders": self.service.to_dict()}


def night_pages(night: Night) -> list[Table]:
    """
    Lay out headways and waits in minutes and crowding in percent, by route and hour.

    Parameters
    ----------
    night
        A plan run through the night.

    Returns
    -------
    list of Table
        Three pages.
    """
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    pages = [
        _page(f"Headways in minutes, {night.name}", ("route", "buses", "runs", *figures["hours"]), _totals(figures)),
        _page(f"Mean wait for the first bus in minutes, {night.name}", ("route", *figures["hours"]), ""),
        _page(f"Crowding, {night.name}: riders on the fullest link, % of the room", ("route", *figures["hours"]), _service(shown)),
    ]
    for row, riders in zip(figures["routes"], shown["routes"], strict=True):
        pages[0].add_row(row["name"], f"{row['buses']}", f"{row['runs']}", *(f"{headway / 60:.0f}" for headway in row["headway_s"]))
        pages[1].add_row(riders["name"], *(_cell(wait, 1 / 60) for wait in riders["wait_s"]))
        pages[2].add_row(riders["name"], *(_cell(share, 100) for share in riders["crowding_share"]))
    return pages


def beside_page(nights: tuple[Night, Night]) -> Table:
    """
    Lay out two nights side by side.

    Parameters
    ----------
    nights
        The plan, and the one to hold it against.

    Returns
    -------
    Table
        One row per figure; minutes, kilometres and percent.
    """
    page = _page("Side by side", ("", *(night.name for night in nights)), "Wait, ride and total are of the trips that each serves.")
    columns = [_figures(night) for night in nights]
    for row in zip(*columns, strict=True):
        page.add_row(row[0][0], *(value for _, value in row))
    return page


def _figures(night: Night) -> list[tuple[str, str]]:
    """Name each figure of a night and write it."""
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    headways = [headway for row in figures["routes"] for headway in row["headway_s"] if headway]
    full = [share for row in shown["routes"] for share in row["crowding_share"] if share is not None]
    span = sorted({f"{headway / 60:.0f}" for headway in (min(headways, default=0), max(headways, default=0))}, key=int)
    return [
        ("routes", f"{len(figures['routes'])}"),
        ("buses", f"{figures['fleet']}"),
        ("headways, minutes", " to ".join(span)),
        ("runs", f"{figures['runs']}"),
        ("vehicle-km", f"{figures['vehicle_km']:,.0f}"),
        ("vehicle-hours", f"{figures['vehicle_hours']:.0f}"),
        (f"cost a night, {figures['cost']['currency']}{' (assumed)' if night.costs.assumed else ''}", f"{figures['cost']['total']:,.0f}"),
        *((f"{name}, minutes (nine in ten at most)", _spread(shown, name)) for name in ("wait", "ride", "total")),
        ("fullest link of any hour, % of the room", f"{100 * max(full):.0f}" if full else "-"),
        *((f"there within {limit // 60} min, % of all trips", _cell(shown["within_share"][str(limit)], 100)) for limit in (3600, 5400)),
    ]


def _spread(shown: dict[str, Any], name: str) -> str:
    """Mean and 90th percentile in minutes."""
    mean, p90 = shown[f"{name}_mean_s"], shown[f"{name}_p90_s"]
    return "-" if mean is None else f"{mean / 60:.0f} ({p90 / 60:.0f})"


def _page(title: str, columns: tuple[str, ...], caption: str) -> Table:
    """Return an empty table, names to the left and numbers to the right."""
    page = empty_table(title)
    page.caption = caption or None
    for name in columns:
        page.add_column(name, justify="left" if name in {"route", ""} else "right", no_wrap=bool(name))
    return page


def _totals(figures: dict[str, Any]) -> str:
    """Sum up a night: buses, kilometres, hours, cost, and what the choice of headways and meets brings."""
    cost, choice = figures["cost"], figures["choice"]
    total = (
        f"{figures['fleet']} buses, {figures['runs']} runs, {figures['vehicle_km']:,.0f} vehicle-km, {figures['vehicle_hours']:.0f} "
        f"vehicle-hours; {cost['total']:,.0f} {cost['currency']} a night at {cost['per_km']:g} a km, {cost['per_hour']:g} an hour, "
        f"{cost['per_bus']:g} a bus ({cost['basis']})."
    )
    lines = [total]
    if choice is not None and choice["equal_wait_s"] is not None:
        lines.append(
            f"Wait planned for, over all boardings: {choice['planned_wait_s'] / 60:.1f} min; with equal headways of "
            f"{choice['equal_headway_s'] / 60:.0f} min on as many buses {choice['equal_wait_s'] / 60:.1f}."
        )
    if choice is not None:
        lines.append(
            f"Wait at a change {choice['transfer_wait_before_s'] / 60:.1f} min before timed meets, "
            f"{choice['transfer_wait_after_s'] / 60:.1f} after."
        )
    return "\n".join(lines)


def _service(shown: dict[str, Any]) -> str:
    """Sum up what riders get."""
    hidden = f"- where fewer than {shown['hidden']['min_count']} ride or nobody does."
    if shown["wait_mean_s"] is None:
        return hidden
    parts = (f"{name} {shown[f'{name}_mean_s'] / 60:.0f} ({shown[f'{name}_p90_s'] / 60:.0f})" for name in ("wait", "ride", "total"))
    return f"Minutes on average, and for nine in ten at most: {', '.join(parts)}.\n{hidden}"


def _cell(value: float | None, factor: float) -> str:
    """Return a cell of a table."""
    return "-" if value is None else f"{value * factor:.0f}"
