"""Write a timetable as a GTFS feed; the same timetable gives the same bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.files import write_atomically
from owlbus.common.units import format_time
from owlbus.gtfs.place_timezone import in_place
from owlbus.gtfs.services import Service, Timetables, Trip, services_of, trips_of
from owlbus.gtfs.settings import COLOURS, ONE_WAY, FeedInfo
from owlbus.plan import route_links
from owlbus.plan.measures import require_same_network
from owlbus.timetable.day_types import WEEKDAYS
from owlbus.timetable.schedule import hour_rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike

    from owlbus.network import Network
    from owlbus.timetable import Direction, Timetable

GENERATOR = "owlbus"
_BUS = 3
_DECIMALS = 6
LATIN_LANGUAGE = "en"
"""Language that names in Latin letters are translations into."""
_SHORT_NAME = 12
_TIMED_TRANSFER = 2
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16

Table = tuple[tuple[str, ...], list[tuple[object, ...]]]
"""Column names, and rows."""


def gtfs_tables(
    network: Network, timetable: Timetables, feed: FeedInfo, *, change_s: int = 60, frequencies: bool = False
) -> dict[str, Table]:
    """
    Tables of a feed by file name, with times as HH:MM:SS and distances in metres.

    Ids are ``s``, ``r`` or ``b`` and the index of the stop, route or block. ``feed_version`` holds the network's fingerprint, so that
    `read_gtfs` finds the same stops again. Names are trimmed to one line.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    timetable
        Runs of one night in seconds, or those of each day type, with the same routes and hours.
    feed
        Agency, dates and names.
    change_s
        Walk between two buses at the same stop, in seconds.
    frequencies
        Whether runs at constant headways are written as rows of ``frequencies.txt`` with exact times. Such a feed is shorter, but has
        no blocks.

    Returns
    -------
    dict
        Columns and rows in a fixed order; times may pass 24:00:00.

    Raises
    ------
    DataError
        If the timetable was made for another network, or day types have different routes or hours.
    """
    feed = in_place(feed, network)
    services = services_of(timetable, feed)
    feed = replace(feed, weekdays=tuple(WEEKDAYS[day] for day in sorted({day for service in services for day in service.days})))
    first = services[0].timetable
    require_same_network(network, first.plan)
    trips = [trip for service in services for trip in trips_of(service, frequencies=frequencies)]
    tables = {
        "agency.txt": _agency(feed),
        "stops.txt": _stops(network, first),
        "routes.txt": _routes(network, first, feed),
        "trips.txt": _trips(network, trips),
        "stop_times.txt": _stop_times(trips),
        "frequencies.txt": _frequencies(trips),
        "calendar.txt": _calendar(services, feed),
        "calendar_dates.txt": _calendar_dates(services),
        "shapes.txt": _shapes(network, first, {trip.direction for trip in trips}),
        "transfers.txt": _transfers(first, change_s),
        "translations.txt": _translations(network, first, feed),
        "feed_info.txt": _feed_info(network, first, feed),
    }
    required = {"agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt", "calendar.txt", "feed_info.txt"}
    return {name: table for name, table in tables.items() if table[1] or name in required}


def gtfs_bytes(
    network: Network, timetable: Timetables, feed: FeedInfo | None = None, *, change_s: int = 60, frequencies: bool = False
) -> bytes:
    """
    Feed as the bytes of a zip archive.

    The bytes do not depend on the clock, the machine or the compressor: files are stored without compression.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    timetable
        Runs of one night in seconds, or those of each day type, with the same routes and hours.
    feed
        Agency, dates and names; the defaults if None.
    change_s
        Walk between two buses at the same stop, in seconds.
    frequencies
        Whether runs at constant headways are written as rows of ``frequencies.txt`` with exact times. Such a feed is shorter, but has
        no blocks.

    Returns
    -------
    bytes
        The archive.

    Raises
    ------
    DataError
        If the timetable was made for another network, or day types have different routes or hours.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as feed_file:
        tables = gtfs_tables(network, timetable, feed or FeedInfo(), change_s=change_s, frequencies=frequencies)
        for name, (columns, rows) in tables.items():
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(columns)
            writer.writerows(rows)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE
            entry.create_system = 3
            feed_file.writestr(entry, text.getvalue().encode())
    return archive.getvalue()


def write_gtfs(
    path: str | PathLike[str],
    network: Network,
    timetable: Timetables,
    feed: FeedInfo | None = None,
    *,
    change_s: int = 60,
    frequencies: bool = False,
) -> None:
    """
    Write a timetable as the GTFS feed of `gtfs_bytes`; the file is complete or absent.

    Parameters
    ----------
    path
        File to write; a file that exists is replaced.
    network
        The network of the timetable's plan.
    timetable
        Runs of one night in seconds, or those of each day type, with the same routes and hours.
    feed
        Agency, dates and names; the defaults if None.
    change_s
        Walk between two buses at the same stop, in seconds.
    frequencies
        Whether runs at constant headways are written as rows of ``frequencies.txt`` with exact times. Such a feed is shorter, but has
        no blocks.

    Raises
    ------
    DataError
        If the timetable was made for another network, or day types have different routes or hours.
    UsageError
        If the file cannot be written.
    """
    write_atomically(path, gtfs_bytes(network, timetable, feed, change_s=change_s, frequencies=frequencies))


def stop_label(network: Network, stop: int) -> str:
    """
    Name of a stop on one line.

    Parameters
    ----------
    network
        The stop's network.
    stop
        Index of the stop.

    Returns
    -------
    str
        The network's name. A stop with no name, or with a hex label for a name, becomes "Stop" and its label or number.
    """
    name = " ".join(network.stop_names[stop].split())
    return name if any(letter.isupper() for letter in name) or not name.isascii() else f"Stop {name or stop}"


def _agency(feed: FeedInfo) -> Table:
    columns = ("agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang")
    return columns, [("1", _line(feed.agency), feed.agency_url, feed.agency_timezone, feed.language)]


def _stops(network: Network, timetable: Timetable) -> Table:
    rows: list[tuple[object, ...]] = [
        (f"s{stop}", stop_label(network, stop), f"{network.stop_lat[stop]:.{_DECIMALS}f}", f"{network.stop_lon[stop]:.{_DECIMALS}f}")
        for stop in timetable.plan.used_stops.tolist()
    ]
    return ("stop_id", "stop_name", "stop_lat", "stop_lon"), rows


def _routes(network: Network, timetable: Timetable, feed: FeedInfo) -> Table:
    rows: list[tuple[object, ...]] = []
    for k, route in enumerate(timetable.plan.routes):
        name = _line(route.name)
        terminals = " - ".join(stop_label(network, int(route.stops[end])) for end in (0, -1))
        short, long = (name, terminals) if len(name) <= _SHORT_NAME else ("", name)
        colour = feed.colours.get(route.name, COLOURS[k % len(COLOURS)]).upper()
        rows.append((f"r{k}", "1", short, long, _BUS, colour, _text_colour(colour)))
    columns = ("route_id", "agency_id", "route_short_name", "route_long_name", "route_type", "route_color", "route_text_color")
    one_way = [route.is_one_way for route in timetable.plan.routes]
    if any(one_way):
        return (*columns, "route_desc"), [(*row, ONE_WAY * is_one_way) for row, is_one_way in zip(rows, one_way, strict=True)]
    return columns, rows


def _trips(network: Network, trips: Sequence[Trip]) -> Table:
    """One row per run, with its block; or one row per list of periods, without a block."""
    headsigns = {trip.direction: _headsign(network, trip.service.timetable.directions[trip.direction]) for trip in trips}
    rows: list[tuple[object, ...]] = [
        (f"r{row // 2}", trip.service.name, trip.name, headsigns[row], row % 2, trip.block, f"d{row}")
        for trip in trips
        for row in [trip.direction]
    ]
    return ("route_id", "service_id", "trip_id", "trip_headsign", "direction_id", "block_id", "shape_id"), rows


def _headsign(network: Network, direction: Direction) -> str:
    """Name of the last stop; empty if an earlier stop has the same name, since riders would get off too early."""
    names = [stop_label(network, stop) for stop in direction.stops.tolist()]
    return names[-1] if names[-1] not in names[:-1] else ""


def _frequencies(trips: Iterable[Trip]) -> Table:
    """One row per period of each trip."""
    columns = ("trip_id", "start_time", "end_time", "headway_secs", "exact_times")
    return columns, [
        (trip.name, format_time(period.first_s), format_time(period.end_s), period.headway_s, 1)
        for trip in trips
        for period in trip.periods
    ]


def _stop_times(trips: Iterable[Trip]) -> Table:
    rows: list[tuple[object, ...]] = []
    known: dict[tuple[str, int, int], list[list[int]]] = {}
    for trip in trips:
        direction = trip.service.timetable.directions[trip.direction]
        key = (trip.service.name, trip.direction, int(hour_rows(direction.hours, trip.start_s)))
        if key not in known:
            known[key] = np.stack([direction.stops, *direction.times_s(trip.start_s), direction.at_m], axis=1).tolist()
        last = len(known[key]) - 1
        for k, (stop, arrive, depart, metres) in enumerate(known[key]):
            times = (format_time(trip.start_s + arrive), format_time(trip.start_s + depart))
            rows.append((trip.name, *times, f"s{stop}", k, metres, int(k in {0, last})))
    return ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence", "shape_dist_traveled", "timepoint"), rows


def _calendar(services: Iterable[Service], feed: FeedInfo) -> Table:
    span = (_date(feed.start_date), _date(feed.end_date))
    rows: list[tuple[object, ...]] = [
        (service.name, *(int(day in service.days) for day in range(len(WEEKDAYS))), *span) for service in services if service.days
    ]
    return ("service_id", *WEEKDAYS, "start_date", "end_date"), rows


def _calendar_dates(services: Iterable[Service]) -> Table:
    """Nights added (1) and removed (2), by service and date."""
    rows: list[tuple[object, ...]] = []
    for service in services:
        exceptions = sorted([(date, 1) for date in service.added] + [(date, 2) for date in service.removed])
        rows += [(service.name, _date(date), kind) for date, kind in exceptions]
    return ("service_id", "date", "exception_type"), rows


def _shapes(network: Network, timetable: Timetable, used: Iterable[int]) -> Table:
    rows: list[tuple[object, ...]] = []
    for row in sorted(used):
        direction = timetable.directions[row]
        points = _points(network, direction, timetable.plan.names[direction.route])
        rows += [(f"d{row}", lat, lon, k, metres) for k, (lon, lat, metres) in enumerate(points)]
    return ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence", "shape_dist_traveled"), rows


def _points(network: Network, direction: Direction, name: str) -> Iterator[tuple[str, str, str]]:
    """Lon, lat and metres of the street geometry: stops at their `at_m`, points between them in proportion, none repeated."""
    route_links(network, direction.stops, name)
    last = ("", "", "")
    for (u, v), (begin_m, end_m) in zip(pairwise(direction.stops.tolist()), pairwise(direction.at_m), strict=True):
        line = network.link_line(u, v)
        x, y = network.grid.project(line[:, 0], line[:, 1])
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        metres = begin_m + (end_m - begin_m) * along / max(along[-1], 1e-9)
        for (lon, lat), at_m in zip(line.tolist(), metres, strict=True):
            point = (f"{lon:.{_DECIMALS}f}", f"{lat:.{_DECIMALS}f}", f"{at_m:.1f}")
            if point[:2] != last[:2] and point[2] != last[2]:
                yield point
                last = point


def _transfers(timetable: Timetable, change_s: int) -> Table:
    """One row per stop that several routes serve."""
    n_routes = Counter(stop for route in timetable.plan for stop in set(route.positions.tolist()))
    rows: list[tuple[object, ...]] = [(f"s{s}", f"s{s}", _TIMED_TRANSFER, change_s) for s in sorted(n_routes) if n_routes[s] > 1]
    return ("from_stop_id", "to_stop_id", "transfer_type", "min_transfer_time"), rows


def _translations(network: Network, timetable: Timetable, feed: FeedInfo) -> Table:
    rows: list[tuple[object, ...]] = _latin_names(network, timetable, set(feed.translations.get(LATIN_LANGUAGE, ())))
    for language in sorted(feed.translations):
        names = feed.translations[language]
        rows += [
            ("stops", "stop_name", language, _line(names[network.stop_names[stop]]), f"s{stop}", "")
            for stop in timetable.plan.used_stops.tolist()
            if network.stop_names[stop] in names
        ]
        for k, route in enumerate(timetable.plan.routes):
            if route.name in names:
                column = "route_short_name" if len(_line(route.name)) <= _SHORT_NAME else "route_long_name"
                rows.append(("routes", column, language, _line(names[route.name]), f"r{k}", ""))
    return ("table_name", "field_name", "language", "translation", "record_id", "field_value"), rows


def _latin_names(network: Network, timetable: Timetable, given: set[str]) -> list[tuple[object, ...]]:
    """Rows that translate names of stops, of routes by their terminals, and headsigns, as far as Latin names are known."""

    def latin(stop: int) -> str:
        return "" if network.stop_names[stop] in given else _line(network.stop_names_latin[stop])

    stops = [(f"s{stop}", latin(stop)) for stop in timetable.plan.used_stops.tolist()]
    rows: list[tuple[object, ...]] = [("stops", "stop_name", LATIN_LANGUAGE, name, key, "") for key, name in stops if name]
    for k, route in enumerate(timetable.plan.routes):
        ends = [int(route.stops[end]) for end in (0, -1)]
        if len(_line(route.name)) <= _SHORT_NAME and any(map(latin, ends)):
            shown = " - ".join(latin(stop) or stop_label(network, stop) for stop in ends)
            rows.append(("routes", "route_long_name", LATIN_LANGUAGE, shown, f"r{k}", ""))
    signs = {_headsign(network, direction): latin(int(direction.stops[-1])) for direction in timetable.directions}
    rows += [("trips", "trip_headsign", LATIN_LANGUAGE, name, "", sign) for sign, name in sorted(signs.items()) if sign and name]
    return rows


def _feed_info(network: Network, timetable: Timetable, feed: FeedInfo) -> Table:
    columns = (
        "feed_publisher_name",
        "feed_publisher_url",
        "feed_lang",
        "feed_start_date",
        "feed_end_date",
        "feed_version",
        "feed_contact_url",
    )
    version = f"{GENERATOR} {network.fingerprint} {timetable.hours[0]}-{timetable.hours[-1] + 1}"
    dates = feed.dates or (feed.start_date,)
    row = (_line(feed.agency), feed.agency_url, feed.language, _date(dates[0]), _date(dates[-1]), version, feed.agency_url)
    return columns, [row]


def _line(text: str) -> str:
    """Text on one line, without leading and trailing spaces."""
    return " ".join(text.split())


def _date(date: dt.date) -> str:
    """Date as YYYYMMDD."""
    return f"{date:%Y%m%d}"


def _text_colour(colour: str) -> str:
    """Black or white as RRGGBB, by contrast with a colour."""
    red, green, blue = bytes.fromhex(colour)
    return "000000" if 299 * red + 587 * green + 114 * blue > 128_000 else "FFFFFF"  # noqa: PLR2004 - half of full brightness
