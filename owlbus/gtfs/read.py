"""A timetable from a GTFS feed: the inverse of writing it."""

from __future__ import annotations

import copy
import csv
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import read_member
from owlbus.common.units import HOUR_S, parse_time
from owlbus.gtfs.frequencies import starts_by_trip
from owlbus.plan import MAX_SNAP_M, Plan, Route, route_links
from owlbus.timetable import Direction, Operation, Timetable
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from owlbus.network import Network

    Rows = list[dict[str, str]]

_FILES = ("stops.txt", "routes.txt", "trips.txt", "stop_times.txt")
_NEEDED = {
    "stops.txt": {"stop_id": False, "stop_lat": True, "stop_lon": True},
    "routes.txt": {"route_id": False},
    "trips.txt": {"trip_id": False, "route_id": False},
    "stop_times.txt": {"trip_id": False, "stop_id": False, "stop_sequence": True, "arrival_time": False, "departure_time": False},
    "frequencies.txt": {"trip_id": False, "start_time": False, "end_time": False, "headway_secs": False},
}
"""Columns that tables need, and whether they hold numbers."""

_NAMES_ROW_OF = (("stop_times.txt", "stop_id", "stops.txt"), ("trips.txt", "route_id", "routes.txt"))
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_VERSION = re.compile(r"owlbus (\S+) (\d+)-(\d+)")


def read_gtfs(path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M) -> Timetable:
    """
    Read the timetable, and with it the plan, of a feed of routes served both ways.

    A feed that `write_gtfs` wrote for this network comes back equal. Any other feed may be read too if each of its routes has one
    sequence of stops, and the reverse for the other direction: its stops are moved to the nearest stops of the network.

    Rows of ``frequencies.txt`` are read as the runs they stand for, those without exact times as if they had them. They name no
    bus: these runs get the fewest buses that stay on their route and rest as `Operation` says by default.

    Parameters
    ----------
    path
        The archive.
    network
        The network whose stops the plan shall name.
    max_snap_m
        Metres that a stop of the feed may lie from the nearest stop of the network.

    Returns
    -------
    Timetable
        Runs of one night, all services together; times in seconds since noon minus 12 h.

    Raises
    ------
    DataError
        If a file or a value is missing, a route changes its stops, or a stop lies too far from the network.
    """
    tables = _tables(Path(path))
    fingerprint, hours = _version(tables)
    stop_of = _own_stops(tables, network) if fingerprint == network.fingerprint else _near_stops(tables, network, max_snap_m)
    runs = _runs(tables, stop_of)
    plan = _plan(tables, network, runs)
    directions = tuple(way for k, row in enumerate(tables["routes.txt"]) for way in _both(network, plan, k, runs.get(row["route_id"], [])))
    return _timetable(plan, tables, directions, runs, hours)


class _Run:
    """One vehicle journey of a feed: direction, bus, stops and the seconds and metres at them."""

    __slots__ = ("arrive", "at", "back", "block", "depart", "start", "stops")

    def __init__(self, trip: Mapping[str, str], calls: Sequence[dict[str, str]], stop_of: Mapping[str, int]) -> None:
        calls = sorted(calls, key=lambda call: float(call["stop_sequence"]))
        self.back = trip.get("direction_id") == "1"
        self.block: str | None = trip.get("block_id") or trip["trip_id"]
        self.stops = [stop_of[call["stop_id"]] for call in calls]
        times = [(_seconds(call["arrival_time"], trip), _seconds(call["departure_time"], trip)) for call in calls]
        self.start = times[0][0]
        self.arrive = [arrive - self.start for arrive, _ in times]
        self.depart = [depart - self.start for _, depart in times]
        self.at = [_metres(call.get("shape_dist_traveled") or "", trip) for call in calls]

    def starting(self, start_s: int) -> _Run:
        """Return the same journey at another time, its bus unknown."""
        twin = copy.copy(self)
        twin.start, twin.block = start_s, None
        return twin


def _seconds(text: str, trip: Mapping[str, str]) -> int:
    """Seconds of a time in a feed."""
    try:
        return parse_time(text)
    except UsageError as error:
        msg = f"trip {trip['trip_id']!r}: {error}; give a time at every stop"
        raise DataError(msg) from None


def _metres(text: str, trip: Mapping[str, str]) -> float:
    """Metres along a trip in a feed; NaN where they are not told."""
    try:
        return float(text or "nan")
    except ValueError:
        msg = f"trip {trip['trip_id']!r}: shape_dist_traveled must be a number, got {text[:40]!r}; leave it empty where it is not known"
        raise DataError(msg) from None


def _tables(path: Path) -> dict[str, Rows]:
    """All tables of an archive as rows of text."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = [name for name in _FILES if name not in names]
            if missing:
                msg = f"{path.name}: a feed needs {', '.join(_FILES)}, {missing[0]} is missing ({len(missing)} such); write it again"
                raise DataError(msg)
            texts = {name: read_member(archive, name, path.name).decode("utf-8-sig") for name in sorted(names) if name.endswith(".txt")}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        msg = f"{path.name}: a feed must be a zip archive of UTF-8 tables, got {type(error).__name__}; write it again"
        raise DataError(msg) from None
    try:
        tables = {name: list(csv.DictReader(io.StringIO(text, newline=""), restval="")) for name, text in texts.items()}
    except csv.Error as error:
        msg = f"{path.name}: a table must be CSV, and is not ({error}); write it again"
        raise DataError(msg) from None
    for name, columns in _NEEDED.items():
        _require_columns(path.name, name, tables.get(name, []), columns)
    for name, column, other in _NAMES_ROW_OF:
        _require_known(path.name, name, column, tables[name], {row[column] for row in tables[other]})
    return tables


def _require_columns(feed: str, name: str, rows: Rows, columns: Mapping[str, bool]) -> None:
    """Refuse a table that lacks a column, or a number that is none; columns say whether they hold numbers."""
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing:
        msg = f"{feed}: {name} needs {', '.join(columns)}, {missing[0]} is missing ({len(missing)} such); write it again"
        raise DataError(msg)
    for column in (column for column, is_number in columns.items() if is_number):
        wrong = [(line, row[column]) for line, row in enumerate(rows, start=2) if not _NUMBER.fullmatch(row[column].strip())]
        if wrong:
            line, text = wrong[0]
            msg = (
                f"{feed}: {name}: {column} must be a number, got {text!r} on line {line} ({len(wrong)} of {len(rows)} rows); write it again"
            )
            raise DataError(msg)


def _require_known(feed: str, name: str, column: str, rows: Rows, known: set[str]) -> None:
    """Refuse ids that no row of another table has."""
    wrong = [(line, row[column]) for line, row in enumerate(rows, start=2) if row[column] not in known]
    if wrong:
        line, text = wrong[0]
        msg = (
            f"{feed}: {name}: {column} {text!r} on line {line} stands in no other table ({len(wrong)} of {len(rows)} rows); write it again"
        )
        raise DataError(msg)


def _version(tables: Mapping[str, Rows]) -> tuple[str, tuple[int, ...]]:
    """Network and hours that the feed was written for; nothing in a feed of another origin."""
    rows = tables.get("feed_info.txt") or [{}]
    match = _VERSION.fullmatch(rows[0].get("feed_version") or "")
    return ("", ()) if match is None else (match[1], tuple(range(int(match[2]), int(match[3]))))


def _own_stops(tables: Mapping[str, Rows], network: Network) -> dict[str, int]:
    """Stop indices of a feed that was written for this network."""
    stops = {row["stop_id"]: int(row["stop_id"][1:]) for row in tables["stops.txt"] if row["stop_id"][1:].isdigit()}
    if len(stops) < len(tables["stops.txt"]) or not all(0 <= stop < network.n_stops for stop in stops.values()):
        msg = f"stop ids must be s0 to s{network.n_stops - 1} in a feed of this network; write it again"
        raise DataError(msg)
    return stops


def _near_stops(tables: Mapping[str, Rows], network: Network, max_snap_m: float) -> dict[str, int]:
    """Nearest stop of the network to each stop of a feed."""
    rows = tables["stops.txt"]
    nearest, metres = network.nearest_stops([float(row["stop_lon"]) for row in rows], [float(row["stop_lat"]) for row in rows])
    far = np.flatnonzero(~(np.asarray(metres) <= max_snap_m))
    if far.size:
        msg = (
            f"stop {rows[far[0]]['stop_id']!r} lies {np.asarray(metres)[far[0]]:.0f} m from the nearest stop of the network, allowed are "
            f"{max_snap_m:g} m ({far.size} of {len(rows)} stops); use the network that the feed was made for"
        )
        raise DataError(msg)
    return {row["stop_id"]: int(stop) for row, stop in zip(rows, np.asarray(nearest), strict=True)}


def _runs(tables: Mapping[str, Rows], stop_of: Mapping[str, int]) -> dict[str, list[_Run]]:
    """Runs by route."""
    calls: dict[str, list[dict[str, str]]] = {}
    for row in tables["stop_times.txt"]:
        calls.setdefault(row["trip_id"], []).append(row)
    runs: dict[str, list[_Run]] = {}
    many = starts_by_trip(tables.get("frequencies.txt", ()))
    for trip in tables["trips.txt"]:
        if trip["trip_id"] in calls:
            run = _Run(trip, calls[trip["trip_id"]], stop_of)
            starts = many.get(trip["trip_id"])
            runs.setdefault(trip["route_id"], []).extend([run] if starts is None else [run.starting(start) for start in starts])
    return runs


def _plan(tables: Mapping[str, Rows], network: Network, runs: Mapping[str, list[_Run]]) -> Plan:
    """Routes in the feed's order."""
    routes = []
    for row in tables["routes.txt"]:
        name = row.get("route_short_name") or row.get("route_long_name") or row["route_id"]
        ways = {tuple(run.stops[:: -1 if run.back else 1]) for run in runs.get(row["route_id"], [])}
        if len(ways) != 1:
            msg = f"route {name!r} must have one sequence of stops, and its reverse, got {len(ways)}; keep the longest, or plan it anew"
            raise DataError(msg)
        routes.append(Route(list(ways.pop()), name))
        route_links(network, routes[-1].stops, name)
    return Plan(tuple(routes), network.fingerprint)


def _both(network: Network, plan: Plan, k: int, runs: Sequence[_Run]) -> list[Direction]:
    """Both directions of a route; one without runs takes the network's seconds."""
    ways = []
    for back in (False, True):
        stops = plan.routes[k].stops[:: -1 if back else 1]
        seconds, metres = (np.concatenate([[0], np.cumsum(column)]) for column in route_links(network, stops, plan.names[k]))
        times = {(tuple(run.arrive), tuple(run.depart)) for run in runs if run.back == back}
        if len(times) > 1:
            msg = f"route {plan.names[k]!r}: all runs of a direction must ride alike, got {len(times)} sets of times; read hour by hour"
            raise DataError(msg)
        arrive, depart = times.pop() if times else (seconds, seconds)
        at = next((run.at for run in runs if run.back == back and not np.isnan(run.at).any()), metres)
        ways.append(Direction(k, back, stops, arrive, depart, np.rint(at)))
    return ways


def _timetable(
    plan: Plan, tables: Mapping[str, Rows], directions: tuple[Direction, ...], runs: Mapping[str, list[_Run]], hours: tuple[int, ...]
) -> Timetable:
    """Timetable with buses numbered in the order of their first runs."""
    rows = sorted(
        (run.start, 2 * k + run.back, run.block or "")
        for k, row in enumerate(tables["routes.txt"])
        for run in runs.get(row["route_id"], [])
    )
    if not rows:
        msg = "a feed needs a run to be a timetable, got none; give trips their stop_times, and frequencies an end after their start"
        raise DataError(msg)
    number: dict[object, int] = {}
    block = [number.setdefault(bus, len(number)) for bus in _buses(rows, directions)]
    hours = hours or tuple(range(rows[0][0] // HOUR_S, rows[-1][0] // HOUR_S + 1))
    columns = [np.array(column, np.int32) for column in ([row for _, row, _ in rows], [start for start, _, _ in rows], block)]
    return Timetable(plan, hours, directions, *columns)


def _buses(rows: Sequence[tuple[int, int, str]], directions: Sequence[Direction]) -> list[object]:
    """Bus of each run as the feed names it; the fewest on each route for runs without one."""
    buses: list[object] = [block for _, _, block in rows]
    unknown = [run for run, (_, _, block) in enumerate(rows) if not block]
    ways = [directions[rows[run][1]] for run in unknown]
    starts = np.array([rows[run][0] for run in unknown], np.int64)
    ready = starts + np.array([way.ride_s + Operation().layover_s(way.ride_s) for way in ways], np.int64)
    ends = [[(way.route, int(way.stops[at])) for way in ways] for at in (0, -1)]
    for run, bus in zip(unknown, build_blocks(starts, ready, *ends).tolist(), strict=True):
        buses[run] = bus
    return buses
