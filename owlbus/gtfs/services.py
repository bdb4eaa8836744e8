"""Services of a feed: the timetable of each day type, and of each night in which the clocks change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.text import how_many
from owlbus.gtfs.frequencies import direction_periods
from owlbus.timetable.clock import clock_changes
from owlbus.timetable.clock_change import changed_night
from owlbus.timetable.day_types import SHORT_WEEKDAYS, DayType, require_days_once
from owlbus.timetable.schedule import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from owlbus.gtfs.frequencies import Period
    from owlbus.gtfs.settings import FeedInfo

_EVERY_NIGHT = "night"

Timetables = Timetable | Mapping[DayType, Timetable]
"""One timetable for every night of a feed, or one for each day type."""


class Service(NamedTuple):
    """
    Service of a feed.

    Attributes
    ----------
    name
        Its id.
    timetable
        Runs of its nights, in seconds.
    days
        Days of the week with a regular night, Monday 0; none for a service of single dates.
    added, removed
        Dates of the evening that the service has beside those days, and those that it lacks.
    has_blocks
        Whether the runs keep their vehicle blocks.
    prefix
        What ids of trips and blocks begin with.
    """

    name: str
    timetable: Timetable
    days: tuple[int, ...]
    added: tuple[dt.date, ...]
    removed: tuple[dt.date, ...]
    has_blocks: bool
    prefix: str


class Trip(NamedTuple):
    """
    Row of ``trips.txt``.

    Attributes
    ----------
    name
        Its id.
    service
        The service it belongs to.
    direction
        Index of the direction.
    start_s
        Start in seconds.
    block
        Id of its block, or an empty text.
    periods
        Periods at one headway, if it stands for several runs.
    """

    name: str
    service: Service
    direction: int
    start_s: int
    block: str
    periods: tuple[Period, ...]


def services_of(timetables: Timetables, feed: FeedInfo) -> tuple[Service, ...]:
    """
    Services of a feed, each date with one of them.

    A night in which the clocks change has a service of its own if the change moves its runs; the service of its day type lacks that date.

    Parameters
    ----------
    timetables
        Runs of one night, or those of each day type, in seconds.
    feed
        Dates and days, with the time zone.

    Returns
    -------
    tuple of Service
        Those of the day types in their order, then those of single nights by date.

    Raises
    ------
    DataError
        If there is no timetable, or they have different routes or hours.
    UsageError
        If two day types share a day, or nights are added that no day type has.
    """
    regular = _regular(timetables, feed)
    services, single = [], []
    for service in regular:
        changed = []
        for change in clock_changes(_dates_of(service, feed), feed.agency_timezone or ""):
            night = changed_night(service.timetable, change)
            if night is not None:
                name = f"{service.name}_{change.date:%Y%m%d}"
                single.append(Service(name, night, (), (change.date,), (), has_blocks=False, prefix=f"{name}_"))
                changed.append(change.date)
        added = tuple(date for date in service.added if date not in changed)
        regular_dates = set(_dates_of(service._replace(added=()), feed))
        removed = tuple(sorted({*service.removed, *regular_dates.intersection(changed)}))
        services.append(service._replace(added=added, removed=removed))
    return (*services, *sorted(single, key=lambda service: service.added))


def first_full_night(timetables: Timetables, feed: FeedInfo) -> dt.date:
    """
    Date on which a feed is validated: that of the evening by which each day type has had a night.

    Parameters
    ----------
    timetables
        Runs of one night, or those of each day type, in seconds.
    feed
        Dates and days.

    Returns
    -------
    date
        The start of the feed without day types.
    """
    if isinstance(timetables, Timetable):
        return feed.start_date
    ahead = (min((day - feed.start_date.weekday()) % len(SHORT_WEEKDAYS) for day in day_type.days) for day_type in timetables)
    return feed.start_date + dt.timedelta(days=max(ahead))


def trips_of(service: Service, *, frequencies: bool) -> Iterator[Trip]:
    """
    Rows of ``trips.txt`` of one service.

    Parameters
    ----------
    service
        The service.
    frequencies
        Whether a row stands for all runs of a direction, by its periods at one headway.

    Yields
    ------
    Trip
        In the order of runs, starts in seconds.
    """
    table = service.timetable
    if frequencies:
        for number, (row, periods) in enumerate(direction_periods(table)):
            yield Trip(f"{service.prefix}t{number}", service, row, periods[0].first_s, "", tuple(periods))
        return
    columns = (table.run_direction.tolist(), table.run_start_s.tolist(), table.run_block.tolist())
    for number, (row, start_s, block) in enumerate(zip(*columns, strict=True)):
        yield Trip(f"{service.prefix}t{number}", service, row, start_s, f"{service.prefix}b{block}" if service.has_blocks else "", ())


def _regular(timetables: Timetables, feed: FeedInfo) -> tuple[Service, ...]:
    """Service of the timetable, or one for each day type."""
    if isinstance(timetables, Timetable):
        days = tuple(np.flatnonzero(feed.runs_on).tolist())
        return (Service(_EVERY_NIGHT, timetables, days, feed.added, feed.removed, has_blocks=True, prefix=""),)
    _require_same_routes(tuple(timetables.values()))
    require_days_once(chain.from_iterable(day_type.days for day_type in timetables))
    unserved = sorted(date for date in feed.added if not any(date.weekday() in day_type.days for day_type in timetables))
    if unserved:
        day = SHORT_WEEKDAYS[unserved[0].weekday()]
        msg = f"an added night needs a day type, got {unserved[0]} ({day}, {len(unserved)} such); add one for {day}"
        raise UsageError(msg)
    return tuple(
        Service(
            day_type.name,
            table,
            day_type.days,
            tuple(date for date in feed.added if date.weekday() in day_type.days),
            tuple(date for date in feed.removed if date.weekday() in day_type.days),
            has_blocks=True,
            prefix=f"{day_type.name}_",
        )
        for day_type, table in timetables.items()
    )


def _require_same_routes(tables: tuple[Timetable, ...]) -> None:
    """Refuse timetables that do not share their routes, hours and metres."""
    if not tables:
        msg = "a feed needs the timetable of one day type at least, got none"
        raise DataError(msg)
    first = tables[0]
    for table in tables[1:]:
        same_metres = all(np.array_equal(a.at_m, b.at_m) for a, b in zip(first.directions, table.directions, strict=False))
        if not (table.plan.equals(first.plan) and table.hours == first.hours and same_metres):
            msg = "the day types of a feed must have the same routes and hours; write a feed for each plan"
            raise DataError(msg)


def _dates_of(service: Service, feed: FeedInfo) -> list[dt.date]:
    """Dates of the evening on which a service runs, ascending."""
    span = (feed.start_date + dt.timedelta(days=n) for n in range((feed.end_date - feed.start_date).days + 1))
    regular = {date for date in span if date.weekday() in service.days}
    return sorted((regular | set(service.added)) - set(service.removed))


def clock_notes(timetables: Timetables, feed: FeedInfo) -> list[str]:
    """
    Sentences on the nights of a feed whose runs a change of the clocks moves.

    Parameters
    ----------
    timetables
        Runs of one night, or those of each day type, in seconds.
    feed
        Dates and days, with the time zone.

    Returns
    -------
    list of str
        One for each night.
    """
    services = services_of(timetables, feed)
    usual = {service.name: service.timetable.n_runs for service in services if service.days}
    return [
        f"the clocks change in the night of {service.added[0]}: it begins and ends as always by the clock, with "
        f"{how_many(service.timetable.n_runs, 'run')} instead of {usual[service.name.rpartition('_')[0]]:,} "
        f"(service {service.name}, without blocks)"
        for service in services
        if service.name.rpartition("_")[0] in usual
    ]
