"""Convert times of a service night to local clock times and back, also on nights with a clock change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import HOUR_S

_NOON = dt.time(12)
_HALF_DAY_S = 12 * HOUR_S


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
