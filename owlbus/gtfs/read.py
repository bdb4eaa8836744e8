"""Read a timetable from a GTFS feed: the inverse of `write_gtfs`."""

from __future__ import annotations

import copy
import csv
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import read_member
from owlbus.common.units import HOUR_S, parse_time
from owlbus.gtfs.frequencies import starts_by_trip
from owlbus.plan import Plan, Route, route_links
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
"""Columns that tables need, and whether they are numeric."""

_REFERENCES = (("stop_times.txt", "stop_id", "stops.txt"), ("trips.txt", "route_id", "routes.txt"))
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_VERSION = re.compile(r"owlbus (\S+) (\d+)-(\d+)")


def read_gtfs(path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M) -> Timetable:
    """
    Read the timetable of a feed, and its plan; times in seconds.

    A feed that `write_gtfs` wrote for this network comes back equal. Another feed can be read if each of its routes has one sequence
    of stops, reversed for the other direction. Its stops move to the nearest stops of the network.

    Rows of ``frequencies.txt`` become the runs that they stand for; rows without exact times count as exact. They have no block, so
    these runs get the fewest buses that stay on their route, with the default layover of `Operation`.

    Parameters
    ----------
    path
        The archive.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a stop of the feed to the nearest stop of the network.

    Returns
    -------
    Timetable
        Runs of one night, all services together; times in seconds since noon minus 12 h.

    Raises
    ------
    DataError
        If a file or a value is missing, a route has several sequences of stops, or a stop lies too far from the network.
    """
    tables = _tables(Path(path))
    fingerprint, hours = _version(tables)
    stop_of = _own_stops(tables, network) if fingerprint == network.fingerprint else _nearest_stops(tables, network, max_snap_m)
    runs = _runs(tables, stop_of)
    plan = _plan(tables, network, runs)
    route_runs = [runs.get(row["route_id"], []) for row in tables["routes.txt"]]
    directions = tuple(direction for k in range(len(plan)) for direction in _directions(network, plan, k, route_runs[k]))
    return _timetable(plan, directions, route_runs, hours)


class _Run:
    """One run of a feed: direction, block, stops, and arrivals, departures and metres at them."""

    __slots__ = ("arrive", "at_m", "back", "block", "depart", "start", "stops")

    def __init__(self, trip: Mapping[str, str], stop_times: Sequence[dict[str, str]], stop_of: Mapping[str, int]) -> None:
        rows = sorted(stop_times, key=lambda row: float(row["stop_sequence"]))
        self.back = trip.get("direction_id") == "1"
        self.block: str | None = trip.get("block_id") or trip["trip_id"]
        self.stops = [stop_of[row["stop_id"]] for row in rows]
        times = [(_seconds(row["arrival_time"], trip), _seconds(row["departure_time"], trip)) for row in rows]
        self.start = times[0][0]
        self.arrive = [arrive - self.start for arrive, _ in times]
        self.depart = [depart - self.start for _, depart in times]
        self.at_m = [_metres(row.get("shape_dist_traveled") or "", trip) for row in rows]

    def with_start(self, start_s: int) -> _Run:
        """Return the same run with another start and without a block."""
        run = copy.copy(self)
        run.start, run.block = start_s, None
        return run


def _seconds(text: str, trip: Mapping[str, str]) -> int:
    """Seconds since noon minus 12 h of a time in a feed."""
    try:
        return parse_time(text)
    except UsageError as error:
        msg = f"trip {trip['trip_id']!r}: {error}; give a time at every stop"
        raise DataError(msg) from None


def _metres(text: str, trip: Mapping[str, str]) -> float:
    """Metres along a trip in a feed; NaN for an empty field."""
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
    for name, column, other in _REFERENCES:
        _require_known(path.name, name, column, tables[name], {row[column] for row in tables[other]})
    return tables


def _require_columns(feed: str, name: str, rows: Rows, columns: Mapping[str, bool]) -> None:
    """Refuse a table that lacks a column, or a text in a numeric column."""
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
    """Fingerprint of the network and hours that the feed was written for; empty for a feed of another origin."""
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


def _nearest_stops(tables: Mapping[str, Rows], network: Network, max_snap_m: float) -> dict[str, int]:
    """Nearest stop of the network to each stop of a feed, by stop id."""
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
    """Runs by route id."""
    stop_times: dict[str, list[dict[str, str]]] = {}
    for row in tables["stop_times.txt"]:
        stop_times.setdefault(row["trip_id"], []).append(row)
    runs: dict[str, list[_Run]] = {}
    frequency_starts = starts_by_trip(tables.get("frequencies.txt", ()))
    for trip in tables["trips.txt"]:
        if trip["trip_id"] in stop_times:
            run = _Run(trip, stop_times[trip["trip_id"]], stop_of)
            starts = frequency_starts.get(trip["trip_id"])
            runs.setdefault(trip["route_id"], []).extend([run] if starts is None else [run.with_start(start) for start in starts])
    return runs


def _plan(tables: Mapping[str, Rows], network: Network, runs: Mapping[str, list[_Run]]) -> Plan:
    """Routes in the feed's order."""
    routes = []
    for row in tables["routes.txt"]:
        name = row.get("route_short_name") or row.get("route_long_name") or row["route_id"]
        orders = {tuple(run.stops[:: -1 if run.back else 1]) for run in runs.get(row["route_id"], [])}
        if len(orders) != 1:
            msg = f"route {name!r} must have one sequence of stops, and its reverse, got {len(orders)}; keep the longest, or plan it anew"
            raise DataError(msg)
        routes.append(Route(list(orders.pop()), name))
        route_links(network, routes[-1].stops, name)
    return Plan(tuple(routes), network.fingerprint)


def _directions(network: Network, plan: Plan, k: int, runs: Sequence[_Run]) -> list[Direction]:
    """Both directions of a route. A direction without runs takes the network's seconds."""
    directions = []
    for back in (False, True):
        stops = plan.routes[k].stops[:: -1 if back else 1]
        seconds, metres = (np.concatenate([[0], np.cumsum(column)]) for column in route_links(network, stops, plan.names[k]))
        times = {(tuple(run.arrive), tuple(run.depart)) for run in runs if run.back == back}
        if len(times) > 1:
            msg = f"route {plan.names[k]!r}: all runs of a direction must ride alike, got {len(times)} sets of times; read hour by hour"
            raise DataError(msg)
        arrive, depart = (np.array(column) for column in (times.pop() if times else (seconds, seconds)))
        at_m = next((run.at_m for run in runs if run.back == back and not np.isnan(run.at_m).any()), metres)
        directions.append(Direction(k, back, stops, arrive, depart, np.rint(at_m)))
    return directions


def _timetable(plan: Plan, directions: tuple[Direction, ...], route_runs: Sequence[list[_Run]], hours: tuple[int, ...]) -> Timetable:
    """Timetable with blocks numbered in the order of their first runs."""
    rows = sorted((run.start, 2 * k + run.back, run.block or "") for k, runs in enumerate(route_runs) for run in runs)
    if not rows:
        msg = "a feed needs a run to be a timetable, got none; give trips their stop_times, and frequencies an end after their start"
        raise DataError(msg)
    number: dict[object, int] = {}
    numbers = [number.setdefault(block, len(number)) for block in _blocks(rows, directions)]
    hours = hours or tuple(range(rows[0][0] // HOUR_S, rows[-1][0] // HOUR_S + 1))
    starts, run_directions, _ = (np.array(column) for column in zip(*rows, strict=True))
    return Timetable(plan, hours, directions, run_directions, starts, np.array(numbers))


def _blocks(rows: Sequence[tuple[int, int, str]], directions: Sequence[Direction]) -> list[object]:
    """Block of each run as the feed names it; runs without one get the fewest buses of their route."""
    blocks: list[object] = [block for _, _, block in rows]
    unknown = [run for run, (_, _, block) in enumerate(rows) if not block]
    ridden = [directions[rows[run][1]] for run in unknown]
    starts = np.array([rows[run][0] for run in unknown], np.int64)
    ready = starts + np.array([direction.ride_s + Operation().layover_s(direction.ride_s) for direction in ridden], np.int64)
    terminals = [[(direction.route, int(direction.stops[end])) for direction in ridden] for end in (0, -1)]
    for run, block in zip(unknown, build_blocks(starts, ready, *terminals).tolist(), strict=True):
        blocks[run] = block
    return blocks
