"""Convert times of a service night to local clock times and back, also on nights with a clock change."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOON = dt.time(12)
_HALF_DAY_S = 12 * HOUR_S


class ClockChange(NamedTuple):
    """
    Change of the clocks in a service night.

    Attributes
    ----------
    date
        Date of the night's evening.
    at_s
        Seconds since noon of the date minus 12 h at which the new clock begins.
    by_s
        Seconds by which the clocks go forward; negative if they go back.
    """

    date: dt.date
    at_s: int
    by_s: int

    def at_label(self, label_s: int) -> int:
        """
        Time at which the clocks show a printed time of the night.

        Parameters
        ----------
        label_s
            Seconds since midnight of the date by the clock, 25:10:00 is 01:10 the next day.

        Returns
        -------
        int
            Seconds since noon minus 12 h: the first time if the clocks show it twice, the change if they skip it.

        Examples
        --------
        >>> ClockChange(dt.date(2026, 3, 28), 7200 + 86_400, 3600).at_label(86_400 + 5 * 3600) / 3600
        28.0
        """
        return label_s if label_s < self.at_s else max(self.at_s, label_s - self.by_s)


def clock_changes(dates: Iterable[dt.date], timezone: str) -> tuple[ClockChange, ...]:
    """
    Service nights in which the clocks change.

    Parameters
    ----------
    dates
        Dates of the evenings; a night lasts from noon to noon.
    timezone
        IANA name.

    Returns
    -------
    tuple of ClockChange
        In the order of the dates, times in seconds.

    Raises
    ------
    UsageError
        If the zone is unknown.

    Examples
    --------
    >>> clock_changes([dt.date(2026, 10, 24), dt.date(2026, 10, 25)], "Europe/Berlin")
    (ClockChange(date=datetime.date(2026, 10, 24), at_s=97200, by_s=-3600),)
    """
    zone = zone_of(timezone)
    changes = []
    for date in dates:
        start = _start(date, timezone)

        def offset_s(time_s: int, start: dt.datetime = start) -> int:
            moment = (start + dt.timedelta(seconds=time_s)).astimezone(zone)
            return int((moment.utcoffset() or dt.timedelta()).total_seconds())

        low, high = _HALF_DAY_S, 3 * _HALF_DAY_S
        before, after = offset_s(low), offset_s(high)
        if before == after:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_s(middle) == before else (low, middle)
        changes.append(ClockChange(date, high, after - before))
    return tuple(changes)


def clock_time(service_date: dt.date, time_s: int, timezone: str) -> dt.datetime:
    """
    Local clock time at a time of a service night.

    Times count from noon of the service date minus 12 h, as in GTFS. That is midnight, except on a day on which the clocks
    change before noon. 26:30:00 is 26.5 elapsed hours, with or without a clock change.

    Parameters
    ----------
    service_date
        Date of the night's evening.
    time_s
        Seconds since noon minus 12 h.
    timezone
        IANA name, such as ``Asia/Seoul``.

    Returns
    -------
    datetime
        With its time zone; `fold` marks the second of two equal clock times.

    Raises
    ------
    UsageError
        If the zone is unknown.

    Examples
    --------
    >>> clock_time(dt.date(2013, 9, 13), 90_600, "Asia/Seoul").isoformat()
    '2013-09-14T01:10:00+09:00'
    >>> clock_time(dt.date(2024, 3, 30), 95_400, "Europe/Berlin").isoformat()
    '2024-03-31T03:30:00+02:00'
    """
    return (_start(service_date, timezone) + dt.timedelta(seconds=int(time_s))).astimezone(zone_of(timezone))


def service_time(moment: dt.datetime, timezone: str, *, day_starts_s: int = _HALF_DAY_S) -> tuple[dt.date, int]:
    """
    Service date and time of a moment: the inverse of `clock_time`.

    Parameters
    ----------
    moment
        A moment with a time zone.
    timezone
        IANA name of the place.
    day_starts_s
        Seconds since midnight at which a date's service night begins; noon by default.

    Returns
    -------
    service_date, time_s
        Date of the night's evening, and seconds since its noon minus 12 h, in [`day_starts_s`, `day_starts_s` + a day).

    Raises
    ------
    UsageError
        If the moment has no time zone, or the zone is unknown.

    Examples
    --------
    >>> service_time(dt.datetime(2013, 9, 14, 1, 10, tzinfo=ZoneInfo("Asia/Seoul")), "Asia/Seoul")
    (datetime.date(2013, 9, 13), 90600)
    """
    if moment.tzinfo is None:
        msg = f"a moment needs its zone, got {moment.isoformat()}; add one with datetime.replace(tzinfo=...)"
        raise UsageError(msg)
    local = moment.astimezone(zone_of(timezone)).date()
    for date in (local, local - dt.timedelta(days=1)):
        time_s = int((moment - _start(date, timezone)).total_seconds())
        if time_s >= day_starts_s:
            return date, time_s
    earlier = local - dt.timedelta(days=2)
    return earlier, int((moment - _start(earlier, timezone)).total_seconds())


def zone_of(timezone: str, name: str = "timezone") -> ZoneInfo:
    """
    Time zone of an IANA name.

    Parameters
    ----------
    timezone
        Such as ``Asia/Seoul``.
    name
        What errors call the argument.

    Returns
    -------
    ZoneInfo
        The time zone.

    Raises
    ------
    UsageError
        If the name is unknown.
    """
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        msg = f"{setting(name)} must be an IANA name such as Asia/Seoul, got {timezone!r}"
        raise UsageError(msg, setting=name, value=timezone) from error


def _start(service_date: dt.date, timezone: str) -> dt.datetime:
    """Return noon of a date minus 12 h of elapsed time, in UTC."""
    noon = dt.datetime.combine(service_date, _NOON, tzinfo=zone_of(timezone))
    return noon.astimezone(dt.UTC) - dt.timedelta(seconds=_HALF_DAY_S)
