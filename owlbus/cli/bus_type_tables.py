"""Bus types of a night: their table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.cli.output import empty_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table


def type_page(figures: Mapping[str, Any], name: str) -> Table:
    """
    Table of the bus types of a night.

    Parameters
    ----------
    figures
        As `owlbus.timetable.timetable_document` returns them: kilometres, hours, and riders a night.
    name
        What people call the night.

    Returns
    -------
    Table
        One row a type.
    """
    table = empty_table(f"Bus types, {name}: places in a bus, and kilometres, hours and cost of a night")
    columns = ("type", "places", "buses", "available", "routes", "km", "hours", figures["cost"]["currency"])
    for column in columns:
        table.add_column(column, justify="left" if column == "type" else "right", overflow="fold")
    for row in figures["bus_types"]:
        counts = (f"{row[what]}" for what in ("capacity", "buses", "available", "routes"))
        work = (f"{row['vehicle_km']:,.0f}", f"{row['vehicle_hours']:.0f}", f"{row['cost']:,.0f}")
        table.add_row(row["type"], *counts, *work)
    table.caption = _caption(figures)
    return table


def _caption(figures: Mapping[str, Any]) -> str:
    """Riders left behind and the budget."""
    cost, choice = figures["cost"], figures["choice"]
    lines = []
    if choice is not None:
        lines.append(f"Riders whom full buses leave for the next: {choice['left_behind_trips']:,g} a night.")
    if "budget" in cost:
        lines.append(f"Budget: {cost['budget']:,.10g} {cost['currency']} a night.")
    return "\n".join(lines)


def unit_costs_text(cost: Mapping[str, Any]) -> str:
    """
    Unit costs of a night in words.

    Parameters
    ----------
    cost
        As `owlbus.timetable.timetable_document` returns it, money a km, an hour and a bus.

    Returns
    -------
    str
        Empty where each bus type has its own.
    """
    if "per_km" not in cost:
        return ""
    return f" at {cost['per_km']:g} a km, {cost['per_hour']:g} an hour, {cost['per_bus']:g} a bus"
