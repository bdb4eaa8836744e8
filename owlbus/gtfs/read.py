"""Read a timetable from a GTFS feed: the inverse of `write_gtfs`."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import HOUR_S
from owlbus.gtfs.patterns import FAR, Line, Run, lines_of
from owlbus.gtfs.service_days import day_of
from owlbus.network.gtfs_tables import read_feed
from owlbus.plan import Plan, route_links
from owlbus.timetable import Direction, Operation, Timetable
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.gtfs.service_days import ServiceDay
    from owlbus.network import Network
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]

_METRES_FACTOR = 2.0
_VERSION = re.compile(r"owlbus (\S+) (\d+)-(\d+)")


def read_gtfs(
    path: str | PathLike[str],
    network: Network,
    *,
    max_snap_m: float = MAX_SNAP_M,
    hours: Sequence[int] | None = None,
    day: str | None = None,
    date: dt.date | None = None,
    lines: Sequence[str] | None = None,
    notes: list[str] | None = None,
) -> Timetable:
    """
    Read the timetable of a feed, and its plan; times in seconds.

    A feed that `write_gtfs` wrote for this network comes back equal. The stops of another feed move to the nearest stops of the network.
    Of each line and direction, the pattern with most departures is read, and the riding times of most of its runs. Lines that do not lie
    on the network are left out.

    Runs are those of one service day, never of all calendars together: by default the day with most runs in the window. A run written
    00:09 belongs to the night of the day before, as one written 24:09 on that day does.

    A zip, a folder, or a zip with the files in a folder is read as `Network.from_gtfs` reads it. Times between two known ones are
    interpolated by ``shape_dist_traveled`` if all calls of the run have it, else evenly. Where ``direction_id`` is missing, the order
    of stops tells the direction. Rows that cannot be used, runs without a first or last time, and routes without runs are left out.

    Rows of ``frequencies.txt`` become the runs that they stand for; rows without exact times count as exact. Runs without a block, and
    those of a block that a bus could not drive, get the fewest buses that stay on their route, with the default layover of `Operation`.

    Parameters
    ----------
    path
        Zip or folder.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a stop of the feed to the nearest stop of the network.
    hours
        Hours in which runs start, ascending, 24 is midnight; others are left out. None takes all runs of the service day as written.
    day
        Day of the week of the evening, such as ``fri``.
    date
        Date of the evening.
    lines
        Short names, long names or ids of the lines to read; None for all.
    notes
        List to which sentences are added: the service day, and each kind of thing left out, with its number.

    Returns
    -------
    Timetable
        Runs of one night; times in seconds since noon of its date minus 12 h.

    Raises
    ------
    DataError
        If a table or a column is missing, no run is left, no line lies on the network, or the calendars have no such day.
    UsageError
        If the day of the week is unknown, both a day and a date are given, or the feed has no such line.
    """
    feed, said = read_feed(path, None), list[str]()
    fingerprint, own_hours = _version(feed)
    names = _names(feed, lines)
    stop_of = _own_stops(feed, network) if fingerprint == network.fingerprint else _nearest_stops(feed, network, max_snap_m, said)
    runs, n_untimed = _runs(feed, stop_of, names)
    window = None if own_hours and tuple(hours or own_hours) == own_hours else hours  # buses of an own feed ride home after the window
    service_day = day_of(feed, [(run.service, run.run.start) for run in runs], window, day=day, date=date)
    chosen = _of_night(runs, service_day, window)
    idle = [names[route] for route in dict.fromkeys(run.route for run in runs) if route not in chosen]
    if idle:
        said.append(f"{len(idle)} lines have no run in that night, such as {idle[0]!r}")
    made, directions = _laid_out(network, lines_of(network, chosen, names, said), said)
    plan = Plan(tuple(line.route for line in made), network.fingerprint)
    table = _timetable(plan, directions, [line.runs for line in made], tuple(hours or own_hours), said)
    if notes is not None:
        untimed = (f"{n_untimed:,} runs whose times are missing at an end or run backwards",) if n_untimed else ()
        notes.append(f"the feed {feed.name} {service_day.note}")
        notes += [f"the feed {feed.name} leaves out {what}" for what in (*feed.left_out, *untimed)]
        notes += [f"the feed {feed.name}: {what}" for what in said]
    return table


def _of_night(runs: Sequence[_FeedRun], service_day: ServiceDay, hours: Sequence[int] | None) -> dict[str, list[Run]]:
    """Runs of the night by route id; a bus of one service day is another than that of the next."""
    chosen: dict[str, list[Run]] = {}
    for route, service, run in runs:
        for start in service_day.starts(service, run.start, hours):
            block = f"{run.block} {start - run.start}" if run.block else None
            chosen.setdefault(route, []).append(run._replace(start=start, block=block))
    return chosen


class _FeedRun(NamedTuple):
    """Run of a feed with the ids of its line and service."""

    route: str
    service: str | None
    run: Run


def _names(feed: Feed, lines: Sequence[str] | None) -> dict[str, str]:
    """Name of each line by its id, of the lines asked for."""
    rows = {row["route_id"]: row for row in feed.routes.to_dicts()}
    names = {route: row["route_short_name"] or row["route_long_name"] or route for route, row in rows.items()}
    if lines is None:
        return names
    wanted = {line.strip(): _matching(rows, line.strip()) for line in lines}
    missing = sorted(line for line, found in wanted.items() if not found)
    if missing or not wanted:
        some = ", ".join(list(names.values())[:8])
        msg = f"{setting('lines')} must name lines of {feed.name}, such as {some}, got {missing[0] if missing else 'none'!r}"
        raise UsageError(msg, setting="lines", value=tuple(lines), allowed=tuple(names.values()))
    return {route: name for route, name in names.items() if any(route in found for found in wanted.values())}


def _matching(rows: Mapping[str, dict[str, str | None]], line: str) -> set[str]:
    """Ids of the routes of this short name, else of this long name, else of this id; the case of letters counts where it can."""
    for fold in (str, str.casefold):
        for column in ("route_short_name", "route_long_name", "route_id"):
            found = {route for route, row in rows.items() if fold(row[column] or "") == fold(line)}
            if found and line:
                return found
    return set()


def _version(feed: Feed) -> tuple[str, tuple[int, ...]]:
    """Fingerprint of the network and hours that the feed was written for; empty for a feed of another origin."""
    versions = feed.feed_info["feed_version"].to_list()
    match = _VERSION.fullmatch((versions or [None])[0] or "")
    return ("", ()) if match is None else (match[1], tuple(range(int(match[2]), int(match[3]))))


def _own_stops(feed: Feed, network: Network) -> dict[str, int]:
    """Stop indices of a feed that was written for this network."""
    ids = feed.stops["stop_id"].to_list()
    stops = {stop: int(stop[1:]) for stop in ids if stop[1:].isdecimal()}
    if len(stops) < len(ids) or not all(0 <= stop < network.n_stops for stop in stops.values()):
        msg = f"stop ids must be s0 to s{network.n_stops - 1} in a feed of this network; write it again"
        raise DataError(msg)
    return stops


def _nearest_stops(feed: Feed, network: Network, max_snap_m: float, said: list[str]) -> dict[str, int]:
    """Nearest stop of the network to each stop in use, by stop id; `FAR` beyond the largest distance."""
    used = feed.stops.filter(feed.stops["stop_id"].is_in(feed.stop_times["stop_id"].implode()))
    ids = used["stop_id"].to_list()
    nearest, metres = network.nearest_stops(used["lon"].to_list(), used["lat"].to_list())
    is_far = ~(metres <= max_snap_m)
    if is_far.any():
        if is_far.all():
            msg = (
                f"stop {ids[0]!r} lies {metres[0]:.0f} m from the nearest stop of the network, allowed are {max_snap_m:g} m "
                f"({len(ids)} of {len(ids)} stops); use the network that the feed was made for"
            )
            raise DataError(msg)
        said.append(f"{int(is_far.sum()):,} of {len(ids):,} stops lie farther than {max_snap_m:g} m from the network")
    return dict(zip(ids, np.where(is_far, FAR, nearest).tolist(), strict=True))


def _runs(feed: Feed, stop_of: Mapping[str, int], names: Mapping[str, str]) -> tuple[list[_FeedRun], int]:
    """Runs of the lines, and the number of runs without a time at an end or in falling order."""
    times, trips = feed.stop_times, feed.trips.to_dicts()
    trip = times["trip"].to_numpy()
    ends = np.flatnonzero(np.diff(trip, append=-1)) + 1
    stops = np.array([stop_of[stop] for stop in times["stop_id"].to_list()], np.int64)
    columns = [times[name].cast(float).fill_null(float("nan")).to_numpy() for name in ("arr", "dep", "dist")]
    starts = _headway_starts(feed)
    orders: dict[str, list[tuple[int, ...]]] = {}
    runs: list[_FeedRun] = []
    n_untimed = 0
    for begin, end in itertools.pairwise([0, *ends.tolist()]):
        row = trips[trip[begin]]
        if row["route_id"] not in names:
            continue
        run = _run(stops[begin:end], *(column[begin:end] for column in columns))
        if run is None:
            n_untimed += 1
            continue
        back = row["direction_id"] == 1
        if row["direction_id"] is None:
            back = _is_reversed(run.stops, orders.setdefault(row["route_id"], []))
        given = starts.get(row["trip_id"])
        run = run._replace(back=back, block=row["block_id"])
        made = [run] if given is None else [run._replace(start=start, block=None) for start in given]
        runs += [_FeedRun(row["route_id"], row["service_id"], each) for each in made]
    return runs, n_untimed


def _run(stops: NDArray[np.int64], arrive: Floats, depart: Floats, dist: Floats) -> Run | None:
    """Run with one call for stops in a row that are one; None without a time at an end, or if times run backwards."""
    timed = _filled(arrive, depart, dist)
    if timed is None:
        return None
    arrives, departs = timed
    first = np.flatnonzero(np.diff(stops, prepend=stops[0] - 1))
    last = np.append(first[1:], stops.size) - 1
    called, arrives, departs, at_m = stops[first], arrives[first], departs[last], dist[first]
    start = int(departs[0])
    arrives[0], departs[-1] = start, arrives[-1] if called.size > 1 else start
    columns = (called, arrives - start, departs - start, at_m - at_m[0])
    return Run(
        back=False,
        block=None,
        start=start,
        **dict(zip(("stops", "arrive", "depart", "at_m"), (tuple(column.tolist()) for column in columns), strict=True)),
    )


def _headway_starts(feed: Feed) -> dict[str, list[int]]:
    """Starts in seconds of the trips that run by headways."""
    starts: dict[str, list[int]] = {}
    for trip, start, end, headway_s, _ in feed.frequencies.iter_rows():
        starts.setdefault(trip, []).extend(range(start, end, headway_s))
    return starts


def _filled(arrive: Floats, depart: Floats, dist: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Arrivals and departures in seconds; None without a time at an end, or if they run backwards."""
    arrive, depart = np.where(np.isnan(arrive), depart, arrive), np.where(np.isnan(depart), arrive, depart)
    known = ~np.isnan(arrive)
    if not (known[0] and known[-1]):
        return None
    rises = not np.isnan(dist).any() and (np.diff(dist) >= 0).all() and dist[-1] > dist[0]
    along = dist if rises else np.arange(arrive.size, dtype=np.float64)
    filled = [np.rint(np.interp(along, along[known], times[known])) for times in (depart, arrive)]
    arrive, depart = np.where(known, arrive, filled[1]), np.where(known, depart, filled[0])
    arrive, depart = (arrive, np.maximum(arrive, depart)) if not known.all() else (arrive, depart)
    if (np.diff(np.stack([arrive, depart], axis=1).ravel()) < 0).any():
        return None
    return arrive.astype(np.int64), depart.astype(np.int64)


def _is_reversed(stops: tuple[int, ...], orders: list[tuple[int, ...]]) -> bool:
    """Whether a run serves its route against the order of the first run; the order of most shared stops decides."""
    if not orders:
        orders.append(stops)
    position = {stop: k for k, stop in enumerate(orders[0])}
    shared = [position[stop] for stop in stops if stop in position]
    return sum(after < before for before, after in itertools.pairwise(shared)) * 2 > len(shared) - 1


def _laid_out(network: Network, lines: Sequence[Line], said: list[str]) -> tuple[list[Line], tuple[Direction, ...]]:
    """Lines with both directions of each; a line whose times do not go forward is left out."""
    kept: list[Line] = []
    directions: list[Direction] = []
    reasons = []
    for line in lines:
        try:
            both = [_direction(network, len(kept), line, said, back=back) for back in (False, True)]
        except DataError as error:
            reasons.append(error)
            said.append(f"line {line.route.name!r} is left out, with {len(line.runs):,} departures: {error}")
            continue
        kept.append(line)
        directions += both
    if not kept:
        raise reasons[0]
    return kept, tuple(directions)


def _direction(network: Network, k: int, line: Line, said: list[str], *, back: bool) -> Direction:
    """One direction of a line, with the times of most runs; without runs, with the network's seconds."""
    stops = line.route.stops[:: -1 if back else 1]
    seconds, metres = (np.concatenate([[0], np.cumsum(column)]) for column in route_links(network, stops, line.route.name))
    runs = [run for run in line.runs if run.back == back]
    if not runs:
        return Direction(k, back, stops, seconds, seconds, metres)
    count = Counter((run.arrive, run.depart) for run in runs)
    (arrive, depart), n_alike = count.most_common(1)[0]
    if len(count) > 1:
        apart = max(abs(run.arrive[-1] - arrive[-1]) for run in runs)
        said.append(
            f"line {line.route.name!r}: its runs ride in {len(count)} ways, all {len(runs):,} are read with the times of {n_alike:,}, "
            f"and reach the last stop up to {apart} s off"
        )
    calls = np.array([len(stops) - 1 - call for call in line.calls][::-1] if back else line.calls)
    if len(arrive) != len(calls):
        calls, arrive, depart = calls[[0, -1]], (0, arrive[-1]), (0, arrive[-1])
    at_m = next((run.at_m for run in runs if _are_metres(run.at_m, metres)), metres)
    return Direction(k, back, stops, *_times_between(seconds, calls, np.array(arrive), np.array(depart)), np.rint(at_m))


def _times_between(
    seconds: NDArray[np.int64], calls: NDArray[np.int64], arrive: NDArray[np.int64], depart: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Arrivals and departures at all stops of a route from those at its calls; between them, time passes as on the network."""
    before = np.clip(np.searchsorted(calls, np.arange(seconds.size), side="right") - 1, 0, calls.size - 2)
    first_s, last_s = seconds[calls[before]], seconds[calls[before + 1]]
    share = (seconds - first_s) / np.maximum(last_s - first_s, 1)
    passed = np.rint(depart[before] + share * (arrive[before + 1] - depart[before])).astype(np.int32)
    arrives, departs = passed.copy(), passed
    arrives[calls], departs[calls] = arrive, depart
    return arrives, departs


def _are_metres(at_m: Sequence[float], metres: NDArray[np.int64]) -> bool:
    """Whether distances of a run are metres: one a stop, ascending, and of the order of those of the network."""
    column = np.asarray(at_m)
    if column.size != metres.size or np.isnan(column).any() or (np.diff(np.rint(column)) <= 0).any():
        return False
    return bool(metres[-1] / _METRES_FACTOR <= column[-1] <= metres[-1] * _METRES_FACTOR)


def _timetable(
    plan: Plan, directions: tuple[Direction, ...], route_runs: Sequence[list[Run]], hours: tuple[int, ...], said: list[str]
) -> Timetable:
    """Timetable with blocks numbered in the order of their first runs."""
    rows = sorted((run.start, 2 * k + run.back, run.block or "") for k, runs in enumerate(route_runs) for run in runs)
    number: dict[object, int] = {}
    numbers = [number.setdefault(block, len(number)) for block in _blocks(rows, directions, said)]
    hours = hours or tuple(range(rows[0][0] // HOUR_S, rows[-1][0] // HOUR_S + 1))
    starts, run_directions, _ = (np.array(column) for column in zip(*rows, strict=True))
    return Timetable(plan, hours, directions, run_directions, starts, np.array(numbers))


def _blocks(rows: Sequence[tuple[int, int, str]], directions: Sequence[Direction], said: list[str]) -> list[object]:
    """Block of each run as the feed names it; runs without one, or of one that cannot be, get the fewest buses of their route."""
    broken = _broken_blocks(rows, directions)
    if broken:
        n_blocks = len({block for _, _, block in rows if block})
        said.append(
            f"{len(broken):,} of {n_blocks:,} blocks send a bus where it does not stand, their runs get the fewest buses of their line"
        )
    blocks: list[object] = ["" if block in broken else block for _, _, block in rows]
    unknown = [run for run, block in enumerate(blocks) if not block]
    ridden = [directions[rows[run][1]] for run in unknown]
    starts = np.array([rows[run][0] for run in unknown], np.int64)
    ready = starts + np.array([direction.ride_s + Operation().layover_s(direction.ride_s) for direction in ridden], np.int64)
    terminals = [[(direction.route, int(direction.stops[end])) for direction in ridden] for end in (0, -1)]
    for run, block in zip(unknown, build_blocks(starts, ready, *terminals).tolist(), strict=True):
        blocks[run] = block
    return blocks


def _broken_blocks(rows: Sequence[tuple[int, int, str]], directions: Sequence[Direction]) -> set[str]:
    """Blocks whose bus starts before it arrives, or at another stop."""
    broken: set[str] = set()
    last: dict[str, tuple[int, int]] = {}
    for start, row, block in rows:
        if not block:
            continue
        end_s, stands = last.get(block, (start, int(directions[row].stops[0])))
        if end_s > start or stands != directions[row].stops[0]:
            broken.add(block)
        last[block] = (start + directions[row].ride_s, int(directions[row].stops[-1]))
    return broken
