"""Find the services of a GTFS feed that run on one night, by its calendars."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S, format_time
from owlbus.timetable.day_types import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray

    from owlbus.network.gtfs_tables import Feed

_DAY_S = 24 * HOUR_S
_MARGIN = dt.timedelta(days=1)
_DATE_DIGITS = 8
_ABBREVIATED = 3
_ADDED, _REMOVED = "1", "2"
SHIFTS = (0, 1, -1)
"""Service days, counted from that of the night, whose runs can start in the night: its own, the one after and the one before."""


class ServiceDay(NamedTuple):
    """
    Service day of a feed, named by the date of its evening.

    Attributes
    ----------
    date
        The date; None in a feed without calendars.
    services
        Ids of the services whose runs count, by shift in days: on the date itself (0), the day after (1) and the day before (-1). None
        counts all runs.
    note
        Phrase that says which day was taken.
    """

    date: dt.date | None
    services: dict[int, frozenset[str]] | None
    note: str

    def starts(self, service: str | None, start_s: int, hours: Sequence[int] | None) -> list[int]:
        """
        Starts of a run that fall into the night.

        Parameters
        ----------
        service
            Id of its service.
        start_s
            Its start as the feed writes it, seconds.
        hours
            Hours of the window, 24 is midnight; None counts every start of the date itself.

        Returns
        -------
        list of int
            Seconds since noon minus 12 h of the date; 00:09 of the day after is 24:09.
        """
        moved = {shift: start_s + shift * _DAY_S for shift in SHIFTS if in_window(start_s + shift * _DAY_S, shift, hours)}
        if self.services is None:
            return list(moved.values())[:1]
        return [start for shift, start in moved.items() if service in self.services[shift]]


def in_window(start_s: int, shift: int, hours: Sequence[int] | None) -> bool:
    """
    Whether a start lies in the window.

    Parameters
    ----------
    start_s
        Start in seconds since noon minus 12 h of the night's date.
    shift
        Service day of the run, counted from that of the night.
    hours
        Hours of the window, 24 is midnight; None for all starts of the night's own service day.

    Returns
    -------
    bool
        True if it does.
    """
    return shift == 0 if hours is None else start_s // HOUR_S in hours


def day_of(
    feed: Feed,
    starts: Sequence[tuple[str | None, int]],
    hours: Sequence[int] | None,
    *,
    day: str | None = None,
    date: dt.date | None = None,
) -> ServiceDay:
    """
    Choose the service day of a feed: a given one, else the day with most runs in the window; ties go to the first.

    A night in which a feed of owlbus has a service of its own, as for a change of the clocks, is chosen by its date only.

    Parameters
    ----------
    feed
        The feed.
    starts
        Service and start in seconds of each run.
    hours
        Hours of the window, 24 is midnight; None counts all runs of a date.
    day
        Day of the week of the evening, such as ``fri``; the one with most runs counts.
    date
        Date of the evening.

    Returns
    -------
    ServiceDay
        The day.

    Raises
    ------
    DataError
        If no run starts in the window on such a day, or a day is asked for and the feed has no calendar.
    UsageError
        If the day of the week is unknown, or both a day and a date are given.
    """
    weekday = _weekday(day, date)
    counts, n_other = _window_counts(starts, hours)
    calendars = _calendars(feed)
    if calendars is None:
        if day is not None or date is not None:
            msg = f"{feed.name}: has no calendar.txt and no calendar_dates.txt, so that no day can be chosen; leave {setting('day')} out"
            raise DataError(msg)
        if not any(counts.values()):
            raise DataError(_no_run(feed, starts, n_other, None))
        return ServiceDay(None, None, "has no calendar, so that all its runs count as one service day")
    first, active = calendars
    counted = [name for name in active if date is not None or not _is_single_night(name, active)]
    n_runs = sum(
        (n * np.roll(active[service], -shift) for (service, shift), n in counts.items() if service in counted), np.zeros(1, np.int64)
    )
    n_runs = np.broadcast_to(n_runs, next(iter(active.values())).shape)
    nth = _chosen(n_runs, first, weekday, date)
    if nth is None or not n_runs[nth]:
        raise DataError(_no_run(feed, starts, n_other, _asked(weekday, date)))
    chosen = first + dt.timedelta(days=nth)
    services = {
        shift: frozenset(name for name, runs in active.items() if 0 <= nth + shift < runs.size and runs[nth + shift]) for shift in SHIFTS
    }
    why = "as asked" if date is not None else f"the busiest {'day' if weekday is None else WEEKDAYS[weekday].title()}"
    evening = f"{WEEKDAYS[chosen.weekday()].title()} {chosen}"
    note = f"is read for the service day {evening}, {why}: {how_many(int(n_runs[nth]), 'run')}{_span(feed)}"
    n_never = sum(service not in active or not active[service].any() for service, _ in starts)
    note += f"; {n_never:,} of all {len(starts):,} runs have no day in the calendars" if n_never else ""
    return ServiceDay(chosen, services, note)


def _weekday(day: str | None, date: dt.date | None) -> int | None:
    """Index of a day of the week, Monday 0; None without one."""
    if day is None:
        return None
    found = [k for k, name in enumerate(WEEKDAYS) if len(day) >= _ABBREVIATED and name.startswith(day.lower())]
    if not found or date is not None:
        allowed = ", ".join(name[:_ABBREVIATED] for name in WEEKDAYS)
        msg = f"{setting('day')} must be one of {allowed}, without {setting('date')}, got {day!r}{'' if date is None else f' and {date}'}"
        raise UsageError(msg, setting="day", value=day, allowed=WEEKDAYS)
    return found[0]


def _window_counts(starts: Sequence[tuple[str | None, int]], hours: Sequence[int] | None) -> tuple[dict[tuple[str | None, int], int], int]:
    """Runs in the window by service and shift, and the number of the others."""
    counts: dict[tuple[str | None, int], int] = {}
    n_other = 0
    for service, start in starts:
        shifts = [shift for shift in SHIFTS if in_window(start + shift * _DAY_S, shift, hours)]
        n_other += not shifts
        for shift in shifts:
            counts[service, shift] = counts.get((service, shift), 0) + 1
    return counts, n_other


def _calendars(feed: Feed) -> tuple[dt.date, dict[str, NDArray[np.bool_]]] | None:
    """First date, and the dates on which each service runs, with a day without service at both ends; None without a calendar."""
    rows = [(row["service_id"], _date(row["start_date"]), _date(row["end_date"]), row) for row in feed.calendar.to_dicts()]
    ranges = [(service, start, end, row) for service, start, end, row in rows if service and start and end and start <= end]
    exceptions = [(row["service_id"], _date(row["date"]), row["exception_type"]) for row in feed.calendar_dates.to_dicts()]
    changes = [(service, date, kind.partition(".")[0]) for service, date, kind in exceptions if service and date and kind]
    dates = [date for _, start, end, _ in ranges for date in (start, end)] + [date for _, date, _ in changes]
    if not dates:
        return None
    first, last = min(dates) - _MARGIN, max(dates) + _MARGIN
    n = (last - first).days + 1
    of_week = (np.arange(n) + first.weekday()) % len(WEEKDAYS)
    active = {service: np.zeros(n, np.bool_) for service in [*(row[0] for row in ranges), *(row[0] for row in changes)]}
    for service, start, end, row in ranges:
        runs = np.isin(of_week, [k for k, name in enumerate(WEEKDAYS) if (row[name] or "").partition(".")[0] == "1"])
        runs[: (start - first).days], runs[(end - first).days + 1 :] = False, False
        active[service] |= runs
    for service, date, kind in changes:
        if kind in {_ADDED, _REMOVED}:
            active[service][(date - first).days] = kind == _ADDED
    return first, active


def _is_single_night(service: str, known: Container[str]) -> bool:
    """Whether a service stands for another one in a single night, as in feeds of owlbus: its id is that of the other with the date."""
    usual, _, date = service.rpartition("_")
    return usual in known and _date(date) is not None


def _date(text: str | None) -> dt.date | None:
    """Date of YYYYMMDD; None for another text."""
    text = (text or "").replace("-", "").partition(".")[0]
    try:
        return dt.date.fromisoformat(text) if len(text) == _DATE_DIGITS and text.isdecimal() else None
    except ValueError:
        return None


def _chosen(n_runs: NDArray[np.int64], first: dt.date, weekday: int | None, date: dt.date | None) -> int | None:
    """Index of the date with most runs; the days at the ends only where no other has runs, None outside of the calendars."""
    if date is not None:
        nth = (date - first).days
        return nth if 0 <= nth < n_runs.size else None
    allowed = np.ones(n_runs.size, np.bool_) if weekday is None else (np.arange(n_runs.size) + first.weekday()) % len(WEEKDAYS) == weekday
    inner = allowed.copy()
    inner[[0, -1]] = False
    return int(np.argmax(np.where(inner if n_runs[inner].any() else allowed, n_runs, -1)))


def _asked(weekday: int | None, date: dt.date | None) -> tuple[str, str] | None:
    """Words for the day asked for, and the setting that names it; None if the choice is free."""
    if date is not None:
        return f" on {date}", "date"
    return None if weekday is None else (f" on a {WEEKDAYS[weekday].title()}", "day")


def _no_run(feed: Feed, starts: Sequence[tuple[str | None, int]], n_other: int, asked: tuple[str, str] | None) -> str:
    """Message on a feed without a run at night."""
    if not starts:
        return "a feed needs a run, got none; give trips their stop_times, and frequencies an end after their start"
    if n_other == len(starts):
        clock = [start for _, start in starts]
        span = f"its {len(starts):,} runs start from {format_time(min(clock))} to {format_time(max(clock))}"
        return f"{feed.name}: no run starts in the window ({span}); choose another {setting('window')}"
    none = f"{feed.name}: none of its {len(starts):,} runs starts"
    if asked is None:
        way = f"give the services of trips.txt days in calendar.txt or calendar_dates.txt, or choose another {setting('window')}"
        return f"{none} in the window on any day{_span(feed)}; {way}"
    return f"{none}{asked[0]} in the window{_span(feed)}; choose another {setting(asked[1])}"


def _span(feed: Feed) -> str:
    """First and last date of the calendars, in words; nothing without them."""
    calendars = _calendars(feed)
    if calendars is None:
        return ""
    first, active = calendars
    last = first + dt.timedelta(days=next(iter(active.values())).size - 1)
    return f" (calendars from {first + _MARGIN} to {last - _MARGIN})"
