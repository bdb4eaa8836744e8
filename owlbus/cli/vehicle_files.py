"""The sheet of vehicles of a timetable as CSV: the bus type of each block of the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.cli.day_nights import nights_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.cli.day_nights import DayNight


def vehicles_csv(nights: Sequence[DayNight]) -> bytes:
    """
    Vehicles of all nights as CSV, one row a bus.

    Parameters
    ----------
    nights
        Nights of the day types, each with bus types.

    Returns
    -------
    bytes
        UTF-8; ``block_id`` as in trips.txt of the feed, times as HH:MM:SS past 24:00:00, kilometres. With day types each row begins with
        its own.
    """
    from owlbus.timetable.type_totals import vehicle_rows

    def rows(day: DayNight) -> list[dict[str, object]]:
        return vehicle_rows(day.night.table, "" if day.day_type is None else f"{day.day_type.name}_")

    return nights_csv(nights, rows, "block_id")
