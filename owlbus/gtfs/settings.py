"""Metadata of a GTFS feed: agency, time zone, language, service dates, colours and translations."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError
from owlbus.timetable.clock import zone_of
from owlbus.timetable.day_types import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_WAY = "one direction only"
"""Description of a route that does not run back."""

_COLOUR = re.compile(r"[0-9A-Fa-f]{6}")
_WEB = re.compile(r"https?://\S+")
_FIRST_MONDAY = dt.date(2026, 1, 5)
_WEEKS = 26
COLOURS = ("1B4F9C", "B5332E", "2E7D4F", "7A3E9D", "9C5B00", "006D77", "A1286B", "4A5568", "5B7F00", "8A4B2F", "32558A", "6B2737")
"""Default colours of routes, in order; white text on each is easy to read."""


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """
    Metadata of a GTFS feed.

    Attributes
    ----------
    agency, agency_url
        Operator of the buses and its web page.
    agency_timezone
        IANA name of the time zone; None takes that of the network's place.
    language
        BCP 47 code of the names' language.
    start_date, end_date
        First and last service night, both included; the date of a night is that of its evening.
    weekdays
        English names of the days with service in the evening. Timetables by day type have days of their own.
    added, removed
        Exceptions to `weekdays`: nights with added and with removed service, such as holidays.
    colours
        RRGGBB by route name; other routes take `COLOURS`.
    translations
        By language code: translated names by name, of stops and routes.

    Raises
    ------
    UsageError
        If a value is not allowed in a feed.

    Examples
    --------
    >>> FeedInfo(agency_timezone="Asia/Seoul").dates[:2]
    (datetime.date(2026, 1, 5), datetime.date(2026, 1, 6))
    """

    agency: str = "Night bus plan"
    agency_url: str = "https://example.org/night-bus"
    agency_timezone: str | None = None
    language: str = "en"
    start_date: dt.date = _FIRST_MONDAY
    end_date: dt.date = _FIRST_MONDAY + dt.timedelta(weeks=_WEEKS, days=-1)
    weekdays: tuple[str, ...] = WEEKDAYS
    added: tuple[dt.date, ...] = ()
    removed: tuple[dt.date, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every value once."""
        if self.agency_timezone is not None:
            zone_of(self.agency_timezone, "agency_timezone")
        if not self.agency.strip() or not _WEB.fullmatch(self.agency_url):
            msg = f"a feed needs an agency and its web page as http:// or https://, got {self.agency!r} and {self.agency_url!r}"
            raise UsageError(msg)
        if not self.start_date <= self.end_date:
            msg = f"a feed must start before it ends, got {self.start_date} to {self.end_date}"
            raise UsageError(msg, setting="start_date", value=self.start_date)
        unknown = [day for day in self.weekdays if day not in WEEKDAYS]
        if unknown or not self.weekdays:
            msg = f"weekdays must be some of {', '.join(WEEKDAYS)}, got {', '.join(unknown) or 'none'}"
            raise UsageError(msg, setting="weekdays", value=self.weekdays, allowed=WEEKDAYS)
        bad = [colour for colour in self.colours.values() if not _COLOUR.fullmatch(colour)]
        if bad:
            msg = f"a colour must read RRGGBB, such as 1B4F9C, got {bad[0]!r} ({len(bad)} such)"
            raise UsageError(msg)
        both = sorted(set(self.added) & set(self.removed))
        if both:
            msg = f"a night is either added or removed, got {both[0]} in both ({len(both)} such)"
            raise UsageError(msg)

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Service nights, ascending, by the date of their evening."""
        span = [self.start_date + dt.timedelta(days=n) for n in range((self.end_date - self.start_date).days + 1)]
        regular = {date for date in span if WEEKDAYS[date.weekday()] in self.weekdays}
        return tuple(sorted((regular | set(self.added)) - set(self.removed)))

    @property
    def runs_on(self) -> tuple[bool, ...]:
        """Whether there is service on the evening of each day, Monday first; 7 values."""
        return tuple(day in self.weekdays for day in WEEKDAYS)

    @classmethod
    def after(cls, night: dt.date | None, agency_timezone: str | None = None, **more: str) -> FeedInfo:
        """
        Metadata of a feed that starts on the Monday after a night and lasts half a year.

        Parameters
        ----------
        night
            The last night of the demand, or None for a fixed start.
        agency_timezone
            IANA name; None takes that of the network's place.
        **more
            Further attributes.

        Returns
        -------
        FeedInfo
            Metadata whose dates depend on the night only.

        Raises
        ------
        UsageError
            If the zone or a further attribute is not allowed in a feed.
        """
        start = _FIRST_MONDAY if night is None else night + dt.timedelta(days=7 - night.weekday())
        end = start + dt.timedelta(weeks=_WEEKS, days=-1)
        return cls(agency_timezone=agency_timezone, start_date=start, end_date=end, **more)  # type: ignore[arg-type]
