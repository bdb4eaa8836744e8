"""A timetable as a GTFS feed: the same timetable gives the same bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.files import write_atomically
from owlbus.common.units import format_time
from owlbus.gtfs.frequencies import direction_periods
from owlbus.gtfs.settings import COLOURS, FeedInfo
from owlbus.plan import route_links
from owlbus.plan.measures import require_same_network

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from owlbus.gtfs.frequencies import Period
    from owlbus.network import Network
    from owlbus.timetable import Direction, Timetable

GENERATOR = "owlbus"
_BUS = 3
_SERVICE = "night"
_DECIMALS = 6
_SHORT_NAME = 12
_TIMED_TRANSFER = 2
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16

Table = tuple[tuple[str, ...], list[tuple[object, ...]]]
"""Column names, and rows."""


def gtfs_tables(
    network: Network, timetable: Timetable, feed: FeedInfo, *, change_s: int = 60, frequencies: bool = False
) -> dict[str, Table]:
    """
    Tables of a feed by file name.

    Ids are ``s`` and the stop's index, ``r`` and the route's, ``b`` and the bus's; ``feed_version`` names the network, so that
    `read_gtfs` finds the same stops again. Names are trimmed to one line.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    timetable
        Runs of one night.
    feed
        Agency, dates and names.
    change_s
        Seconds from one bus to another at the same stop.
    frequencies
        Whether runs at even headways are written as rows of ``frequencies.txt`` with exact times. A feed of that kind is
        short, but cannot say which bus drives which run.

    Returns
    -------
    dict
        Columns and rows in a fixed order; times are HH:MM:SS past 24:00:00, distances metres.

    Raises
    ------
    DataError
        If the timetable was made for another network.
    """
    require_same_network(network, timetable.plan)
    even = list(direction_periods(timetable)) if frequencies else []
    rows = [(row, periods[0].first_s) for row, periods in even]
    if not frequencies:
        rows = list(zip(timetable.run_direction.tolist(), timetable.run_start_s.tolist(), strict=True))
    blocks = None if frequencies else timetable.run_block.tolist()
    tables = {
        "agency.txt": _agency(feed),
        "stops.txt": _stops(network, timetable),
        "routes.txt": _routes(network, timetable, feed),
        "trips.txt": _trips(network, timetable, rows, blocks),
        "stop_times.txt": _stop_times(timetable, rows),
        "frequencies.txt": _frequencies(even),
        "calendar.txt": _calendar(feed),
        "calendar_dates.txt": _calendar_dates(feed),
        "shapes.txt": _shapes(network, timetable),
        "transfers.txt": _transfers(timetable, change_s),
        "translations.txt": _translations(network, timetable, feed),
        "feed_info.txt": _feed_info(network, timetable, feed),
    }
    needed = {"agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt", "calendar.txt", "feed_info.txt"}
    return {name: table for name, table in tables.items() if table[1] or name in needed}


def gtfs_bytes(
    network: Network, timetable: Timetable, feed: FeedInfo | None = None, *, change_s: int = 60, frequencies: bool = False
) -> bytes:
    """
    Feed as the bytes of a zip archive.

    Nothing in it depends on the clock, the machine or the compressor: files are stored as they are.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    timetable
        Runs of one night.
    feed
        Agency, dates and names; the defaults if None.
    change_s
        Seconds from one bus to another at the same stop.
    frequencies
        Whether runs at even headways are written as rows of ``frequencies.txt`` with exact times. A feed of that kind is
        short, but cannot say which bus drives which run.

    Returns
    -------
    bytes
        The archive.

    Raises
    ------
    DataError
        If the timetable was made for another network.
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
    timetable: Timetable,
    feed: FeedInfo | None = None,
    *,
    change_s: int = 60,
    frequencies: bool = False,
) -> None:
    """
    Write a timetable as the GTFS feed that `gtfs_bytes` gives, whole or not at all.

    Parameters
    ----------
    path
        File to write; a file that exists is replaced.
    network
        The network of the timetable's plan.
    timetable
        Runs of one night.
    feed
        Agency, dates and names; the defaults if None.
    change_s
        Seconds from one bus to another at the same stop.
    frequencies
        Whether runs at even headways are written as rows of ``frequencies.txt`` with exact times. A feed of that kind is
        short, but cannot say which bus drives which run.

    Raises
    ------
    DataError
        If the timetable was made for another network.
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
        Where the stop lies.
    stop
        Index of the stop.

    Returns
    -------
    str
        The network's name, or its number where it has none; names that say only a hex's place are marked as such.
    """
    name = " ".join(network.stop_names[stop].split())
    return name if any(letter.isupper() for letter in name) or not name.isascii() else f"Stop {name or stop}"


def _agency(feed: FeedInfo) -> Table:
    columns = ("agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang")
    return columns, [("1", _line(feed.agency), feed.agency_url, feed.timezone, feed.language)]


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
        ends = " - ".join(stop_label(network, int(route.stops[at])) for at in (0, -1))
        short, long = (name, ends) if len(name) <= _SHORT_NAME else ("", name)
        colour = feed.colours.get(route.name, COLOURS[k % len(COLOURS)]).upper()
        rows.append((f"r{k}", "1", short, long, _BUS, colour, _text_colour(colour)))
    return ("route_id", "agency_id", "route_short_name", "route_long_name", "route_type", "route_color", "route_text_color"), rows


def _trips(network: Network, timetable: Timetable, runs: Sequence[tuple[int, int]], blocks: Sequence[int] | None) -> Table:
    """One row per run; with a bus each, unless a row stands for many runs."""
    rows: list[tuple[object, ...]] = []
    labels = [_headsign(network, way) for way in timetable.directions]
    for run, (row, _) in enumerate(runs):
        bus = "" if blocks is None else f"b{blocks[run]}"
        rows.append((f"r{row // 2}", _SERVICE, f"t{run}", labels[row], row % 2, bus, f"d{row}"))
    return ("route_id", "service_id", "trip_id", "trip_headsign", "direction_id", "block_id", "shape_id"), rows


def _headsign(network: Network, way: Direction) -> str:
    """Name of the last stop, or nothing where a stop before it has the same one: a rider would get off too early."""
    names = [stop_label(network, stop) for stop in way.stops.tolist()]
    return names[-1] if names[-1] not in names[:-1] else ""


def _frequencies(even: Sequence[tuple[int, Sequence[Period]]]) -> Table:
    """Periods of each trip that stands for many runs."""
    columns = ("trip_id", "start_time", "end_time", "headway_secs", "exact_times")
    return columns, [
        (f"t{run}", format_time(period.first_s), format_time(period.end_s), period.headway_s, 1)
        for run, (_, periods) in enumerate(even)
        for period in periods
    ]


def _stop_times(timetable: Timetable, runs: Sequence[tuple[int, int]]) -> Table:
    rows: list[tuple[object, ...]] = []
    calls = [
        list(zip(way.stops.tolist(), way.arrive_s.tolist(), way.depart_s.tolist(), way.at_m.tolist(), strict=True))
        for way in timetable.directions
    ]
    for run, (row, start) in enumerate(runs):
        for place, (stop, arrive, depart, metres) in enumerate(calls[row]):
            is_end = place in {0, len(calls[row]) - 1}
            rows.append((f"t{run}", format_time(start + arrive), format_time(start + depart), f"s{stop}", place, metres, int(is_end)))
    return ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence", "shape_dist_traveled", "timepoint"), rows


def _calendar(feed: FeedInfo) -> Table:
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    row = (_SERVICE, *(int(on) for on in feed.runs_on), _date(feed.start_date), _date(feed.end_date))
    return ("service_id", *days, "start_date", "end_date"), [row]


def _calendar_dates(feed: FeedInfo) -> Table:
    changes = sorted([(date, 1) for date in feed.added] + [(date, 2) for date in feed.removed])
    return ("service_id", "date", "exception_type"), [(_SERVICE, _date(date), kind) for date, kind in changes]


def _shapes(network: Network, timetable: Timetable) -> Table:
    rows: list[tuple[object, ...]] = []
    for row in np.unique(timetable.run_direction).tolist():
        way = timetable.directions[row]
        for place, (lon, lat, metres) in enumerate(_points(network, way, timetable.plan.names[way.route])):
            rows.append((f"d{row}", lat, lon, place, metres))
    return ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence", "shape_dist_traveled"), rows


def _points(network: Network, way: Direction, name: str) -> Iterator[tuple[str, str, str]]:
    """Street geometry with running metres: stops at their own metres, bends between them in proportion, none twice."""
    route_links(network, way.stops, name)
    last = ("", "", "")
    for place, (u, v) in enumerate(zip(way.stops[:-1].tolist(), way.stops[1:].tolist(), strict=True)):
        line = network.link_line(u, v)
        x, y = network.grid.project(line[:, 0], line[:, 1])
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        metres = way.at_m[place] + (way.at_m[place + 1] - way.at_m[place]) * along / max(along[-1], 1e-9)
        for at, (lon, lat) in enumerate(line.tolist()):
            point = (f"{lon:.{_DECIMALS}f}", f"{lat:.{_DECIMALS}f}", f"{metres[at]:.1f}")
            if point[:2] != last[:2] and point[2] != last[2]:
                yield point
                last = point


def _transfers(timetable: Timetable, change_s: int) -> Table:
    """One row per stop where routes meet."""
    routes: dict[int, int] = {}
    for route in timetable.plan.routes:
        for stop in set(route.stops.tolist()):
            routes[stop] = routes.get(stop, 0) + 1
    rows: list[tuple[object, ...]] = [(f"s{s}", f"s{s}", _TIMED_TRANSFER, change_s) for s in sorted(routes) if routes[s] > 1]
    return ("from_stop_id", "to_stop_id", "transfer_type", "min_transfer_time"), rows


def _translations(network: Network, timetable: Timetable, feed: FeedInfo) -> Table:
    rows: list[tuple[object, ...]] = []
    for language in sorted(feed.translations):
        names = feed.translations[language]
        rows += [
            ("stops", "stop_name", language, _line(names[network.stop_names[stop]]), f"s{stop}")
            for stop in timetable.plan.used_stops.tolist()
            if network.stop_names[stop] in names
        ]
        for k, route in enumerate(timetable.plan.routes):
            if route.name in names:
                column = "route_short_name" if len(_line(route.name)) <= _SHORT_NAME else "route_long_name"
                rows.append(("routes", column, language, _line(names[route.name]), f"r{k}"))
    return ("table_name", "field_name", "language", "translation", "record_id"), rows


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
    version = f"{GENERATOR} {network.fingerprint} {_span(timetable.hours)}"
    dates = feed.dates or (feed.start_date,)
    row = (_line(feed.agency), feed.agency_url, feed.language, _date(dates[0]), _date(dates[-1]), version, feed.agency_url)
    return columns, [row]


def _span(hours: Sequence[int]) -> str:
    """First hour and the one after the last."""
    return f"{hours[0]}-{hours[-1] + 1}"


def _line(text: str) -> str:
    """Text on one line without spaces around it."""
    return " ".join(text.split())


def _date(date: dt.date) -> str:
    """Date as a feed writes it."""
    return f"{date:%Y%m%d}"


def _text_colour(colour: str) -> str:
    """Black or white, whichever stands out more from a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
    return "000000" if 299 * red + 587 * green + 114 * blue > 128_000 else "FFFFFF"  # noqa: PLR2004 - half of full brightness
