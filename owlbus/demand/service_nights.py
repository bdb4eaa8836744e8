"""Service nights by day of the week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def nights_on_weekdays(dates: tuple[dt.date | None, ...], nights: tuple[int, ...], weekdays: Iterable[int | str]) -> tuple[int, ...]:
    """
    Return those nights whose service date is on some weekdays.

    Parameters
    ----------
    dates
        Service date of each night, or ``(None,)`` if records have no date.
    nights
        Indices of nights.
    weekdays
        Days of the week: 0 or ``mon`` to 6 or ``sun``.

    Returns
    -------
    tuple of int
        Indices, at least one.

    Raises
    ------
    UsageError
        If a weekday is unknown, there are no dates, or no night falls on one.
    """
    wanted = {WEEKDAYS.index(day.lower()[:3]) if isinstance(day, str) and day.lower()[:3] in WEEKDAYS else day for day in weekdays}
    unknown = [day for day in wanted if day not in range(7)]
    if unknown:
        msg = f"weekdays must be 0 or mon to 6 or sun, got {unknown[0]!r}"
        raise UsageError(msg, setting="weekdays", value=unknown[0], allowed=WEEKDAYS)
    if dates == (None,):
        msg = "weekdays need records with dates; this demand has none"
        raise UsageError(msg, setting="weekdays")
    chosen = tuple(i for i in nights if (date := dates[i]) is not None and date.weekday() in wanted)
    if not chosen:
        msg = f"no night of the demand falls on {', '.join(WEEKDAYS[day] for day in sorted(int(day) for day in wanted))}"
        raise UsageError(msg)
    return chosen
