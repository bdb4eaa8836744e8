"""Read a timetable from a GTFS feed: the inverse of `write_gtfs`."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import HOUR_S
from owlbus.gtfs.feed_runs import FeedRun, feed_runs, overlaps
from owlbus.gtfs.match_stops import StopMatcher
from owlbus.gtfs.patterns import COMMONEST, PATTERNS, Line, Run, departures, lines_of
from owlbus.gtfs.service_days import day_of
from owlbus.gtfs.settings import ONE_WAY
from owlbus.network.gtfs_tables import DEFAULT_MODES, PAST_MIDNIGHT, read_feed, require_modes
from owlbus.plan import Plan, route_links
from owlbus.plan.measures import drive_s
from owlbus.timetable import Direction, Operation, Timetable
from owlbus.timetable.day_types import WEEKDAYS
from owlbus.timetable.schedule import hour_rows, ready_stop
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.gtfs.feed_runs import Match
    from owlbus.gtfs.service_days import ServiceDay
    from owlbus.network import Network
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]

_METRES_FACTOR = 2.0
_NAMED = 20
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
    pattern: str = COMMONEST,
    modes: Sequence[str] | None = None,
    notes: list[str] | None = None,
) -> Timetable:
    """
    Read the timetable of a feed, and its plan; times in seconds.

    A feed that `write_gtfs` wrote for this network comes back equal. The stops of another feed move to the nearest stops of the network.
    Of each line and direction, one pattern is read, and the riding times of most of its runs. A line whose directions do not serve the
    same stops in reverse is read as it runs: each direction on its own, a circular line once around. Lines that do not lie on the
    network are left out.

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
    pattern
        Which pattern of each direction is read: ``commonest``, that with most departures in the hours, or ``longest``.
    modes
        Modes of the lines to read, such as ``bus``; None for all.
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
        If the day of the week or the pattern is unknown, both a day and a date are given, or the feed has no such line.
    """
    more: dict[str, Any] = {"hours": hours, "day": day, "date": date, "lines": lines, "pattern": pattern, "modes": modes}
    reading = read_service_day(path, network, max_snap_m=max_snap_m, **more)
    if notes is not None:
        notes += reading.notes
    return reading.timetable


class FeedReading(NamedTuple):
    """
    A feed read for one night.

    Attributes
    ----------
    timetable
        Runs of the night; times in seconds.
    facts
        ``date`` of the service day (None without calendars), ``day`` of the week, and names of the ``lines`` read.
    notes
        Sentences on the service day, and on each kind of thing left out, with its number.
    """

    timetable: Timetable
    facts: dict[str, Any]
    notes: tuple[str, ...]


def read_service_day(
    path: str | PathLike[str],
    network: Network,
    *,
    max_snap_m: float = MAX_SNAP_M,
    hours: Sequence[int] | None = None,
    day: str | None = None,
    date: dt.date | None = None,
    lines: Sequence[str] | None = None,
    pattern: str = COMMONEST,
    modes: Sequence[str] | None = None,
) -> FeedReading:
    """
    Read a feed as `read_gtfs` does, and tell which night was read.

    Parameters
    ----------
    path, network, max_snap_m, hours, day, date, lines, pattern, modes
        As for `read_gtfs`; metres, and hours of which 24 is midnight.

    Returns
    -------
    FeedReading
        Timetable in seconds, service day and notes.

    Raises
    ------
    DataError, UsageError
        As for `read_gtfs`.
    """
    _require_pattern(pattern)
    feed = read_feed(path, modes)
    said = [*_on_modes(feed, modes), *overlaps(feed)]
    said += [f"{number:,} {what}" for what, number in feed.counts if what == PAST_MIDNIGHT and number]
    fingerprint, own_hours = _version(feed)
    names = _names(feed, lines, modes)
    is_own = fingerprint == network.fingerprint
    match = _matcher(feed, network, max_snap_m, said, is_own=is_own)
    two_way = {row["route_id"] for row in feed.routes.to_dicts() if is_own and row["route_desc"] != ONE_WAY}
    runs, untimed = feed_runs(feed, match, names, network.grid)
    window = None if own_hours and tuple(hours or own_hours) == own_hours else hours  # buses of an own feed ride home after the window
    service_day = day_of(feed, [(run.service, run.run.start) for run in runs], window, day=day, date=date)
    chosen = _of_night(runs, service_day, window)
    idle = [names[route] for route in dict.fromkeys(run.route for run in runs) if route not in chosen]
    if idle:
        named = ", ".join(idle[:_NAMED]) + (f" and {len(idle) - _NAMED} more" if len(idle) > _NAMED else "")
        said.append(f"{len(idle)} line{'s have' if len(idle) > 1 else ' has'} no run in that night: {named}")
    starts = [run.start for line_runs in chosen.values() for run in line_runs]
    night = tuple(hours or own_hours or range(min(starts) // HOUR_S, max(starts) // HOUR_S + 1))
    made, directions = _laid_out(network, lines_of(network, chosen, names, said, pattern, two_way), night, said)
    plan = Plan(tuple(line.route for line in made), network.fingerprint)
    empty_s = [drive_s(network, int(each.stops[-1]), ready_stop(plan, each)) for each in directions]
    table = _timetable(plan, (directions, empty_s), [line.runs for line in made], tuple(hours or own_hours), said)
    notes = [f"the feed {feed.name} {service_day.note}"]
    notes += [f"the feed {feed.name} leaves out {what}" for what in (*feed.left_out, *untimed)]
    notes += [f"the feed {feed.name}: {what}" for what in said]
    evening = service_day.date
    facts = {"date": evening and evening.isoformat(), "day": evening and WEEKDAYS[evening.weekday()], "lines": list(plan.names)}
    return FeedReading(table, facts, tuple(notes))


def _on_modes(feed: Feed, modes: Sequence[str] | None) -> list[str]:
    """Sentence on the lines of other modes: left out, or, where no mode is asked for, read as those of buses are."""
    wanted = DEFAULT_MODES if modes is None else require_modes(modes)
    running = set(feed.trips["route_id"].to_list())
    rows = [row for row in feed.routes.to_dicts() if row["mode"] not in wanted and (modes is not None or row["route_id"] in running)]
    if not rows:
        return []
    by_mode = ", ".join(f"{mode} {number:,}" for mode, number in sorted(Counter(row["mode"] for row in rows).items()))
    counted = f"{len(rows):,} line{'s' * (len(rows) > 1)} of other modes than {' and '.join(wanted)} ({by_mode})"
    return [f"{counted} {'counted like those of buses' if modes is None else 'left out'}"]


def _require_pattern(pattern: str) -> None:
    """Refuse an unknown choice of patterns."""
    if pattern not in PATTERNS:
        msg = f"{setting('pattern')} must be {' or '.join(PATTERNS)}, got {pattern!r}"
        raise UsageError(msg, setting="pattern", value=pattern, allowed=PATTERNS)


def _of_night(runs: Sequence[FeedRun], service_day: ServiceDay, hours: Sequence[int] | None) -> dict[str, list[Run]]:
    """Runs of the night by route id; a bus of one service day is another than that of the next."""
    chosen: dict[str, list[Run]] = {}
    for route, service, run in runs:
        for start in service_day.starts(service, run.start, hours):
            block = f"{run.block} {start - run.start}" if run.block else None
            chosen.setdefault(route, []).append(run._replace(start=start, block=block))
    return chosen


def _names(feed: Feed, lines: Sequence[str] | None, modes: Sequence[str] | None) -> dict[str, str]:
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
    if modes is not None:
        _require_in_modes(rows, wanted, require_modes(modes))
    return {route: name for route, name in names.items() if any(route in found for found in wanted.values())}


def _require_in_modes(rows: Mapping[str, dict[str, str | None]], wanted: Mapping[str, set[str]], modes: Sequence[str]) -> None:
    """Refuse a line asked for that runs in other modes than those read."""
    for line, found in wanted.items():
        others = {rows[route]["mode"] for route in found}
        if others.isdisjoint(modes):
            mode = " and ".join(sorted(filter(None, others)))
            msg = f"{setting('modes')} must include {mode} for line {line!r}, got {', '.join(modes)}"
            raise UsageError(msg, setting="modes", value=tuple(modes))


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


def _matcher(feed: Feed, network: Network, max_snap_m: float, said: list[str], *, is_own: bool) -> Match:
    """Stops of the network for sequences of stops; those of a feed that was written for it are known."""
    if is_own:
        stop_of = _own_stops(feed, network)
        return lambda sequences: {ids: np.array([stop_of[stop] for stop in ids], np.int64) for ids in sequences}
    matcher = StopMatcher(feed, network, max_snap_m)
    if matcher.n_far:
        said.append(f"{matcher.n_far:,} of {matcher.n_used:,} stops lie farther than {max_snap_m:g} m from the network")
    return matcher.match


def _laid_out(network: Network, lines: Sequence[Line], hours: tuple[int, ...], said: list[str]) -> tuple[list[Line], tuple[Direction, ...]]:
    """Lines with both directions of each; a line whose times do not go forward is left out."""
    kept: list[Line] = []
    directions: list[Direction] = []
    reasons = []
    for line in lines:
        try:
            both = [_direction(network, len(kept), line, hours, said, back=back) for back in (False, True)]
        except DataError as error:
            reasons.append(error)
            said.append(f"line {line.route.name!r} is left out, with {departures(len(line.runs))}: {error}")
            continue
        kept.append(line)
        directions += both
    if not kept:
        raise reasons[0]
    return kept, tuple(directions)


def _direction(network: Network, k: int, line: Line, hours: tuple[int, ...], said: list[str], *, back: bool) -> Direction:
    """
    One direction of a line, with the times of most runs; without runs, with the network's seconds.

    Where all runs that start in one hour ride alike, and those of other hours otherwise, it has times by hour.
    """
    own = line.route.back if back else line.route.stops
    stops = line.route.stops[::-1] if own is None or not own.size else own
    seconds, metres = (np.concatenate([[0], np.cumsum(column)]) for column in route_links(network, stops, line.route.name))
    runs = [run for run in line.runs if run.back == back]
    if not runs:
        return Direction(k, back, stops, seconds, seconds, metres)
    calls = np.array(line.calls[back])
    at_m = np.rint(next((run.at_m for run in runs if _are_metres(run.at_m, metres)), metres))
    times = [_times_between(seconds, calls, *way) for way in _ways_by_hour(runs, hours) or [_commonest_way(line, runs, said)]]
    arrive, depart = (np.stack(column) for column in zip(*times, strict=True))
    return Direction.by_hour(k, stops, at_m, hours, arrive, depart, back=back)


def _ways_by_hour(runs: Sequence[Run], hours: tuple[int, ...]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Arrivals and departures by the hour of the start, if all runs of each hour ride alike; an hour without runs is as the one before."""
    ways: dict[int, set[tuple[Sequence[int], Sequence[int]]]] = {}
    for run in runs:
        ways.setdefault(int(hour_rows(hours, run.start)), set()).add((run.arrive, run.depart))
    if any(len(found) > 1 for found in ways.values()):
        return []
    known = sorted(ways)
    rows = [known[max(0, int(np.searchsorted(known, row, side="right")) - 1)] for row in range(len(hours))]
    return [(np.array(arrive), np.array(depart)) for row in rows for arrive, depart in ways[row]]


def _commonest_way(line: Line, runs: Sequence[Run], said: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Arrivals and departures of most runs, with a sentence on the others."""
    count = Counter((run.arrive, run.depart) for run in runs)
    (arrive, depart), n_alike = count.most_common(1)[0]
    apart = max(abs(run.arrive[-1] - arrive[-1]) for run in runs)
    said.append(
        f"line {line.route.name!r}: its runs ride in {len(count)} ways, all {len(runs):,} are read with the times of {n_alike:,}, "
        f"and reach the last stop up to {apart} s off"
    )
    return np.array(arrive), np.array(depart)


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
    plan: Plan,
    ridden: tuple[tuple[Direction, ...], Sequence[int]],
    route_runs: Sequence[list[Run]],
    hours: tuple[int, ...],
    said: list[str],
) -> Timetable:
    """Timetable with blocks numbered in the order of their first runs."""
    directions = ridden[0]
    rows = sorted((run.start, 2 * k + run.back, run.block or "") for k, runs in enumerate(route_runs) for run in runs)
    number: dict[object, int] = {}
    numbers = [number.setdefault(block, len(number)) for block in _blocks(rows, plan, ridden, said)]
    hours = hours or tuple(range(rows[0][0] // HOUR_S, rows[-1][0] // HOUR_S + 1))
    starts, run_directions, _ = (np.array(column) for column in zip(*rows, strict=True))
    return Timetable(plan, hours, directions, run_directions, starts, np.array(numbers))


def _blocks(
    rows: Sequence[tuple[int, int, str]], plan: Plan, ridden: tuple[tuple[Direction, ...], Sequence[int]], said: list[str]
) -> list[object]:
    """Block of each run as the feed names it; runs without one, or of one that cannot be, get the fewest buses of their route."""
    directions, empty_s = ridden
    broken = _broken_blocks(rows, plan, directions)
    if broken:
        n_blocks = len({block for _, _, block in rows if block})
        said.append(
            f"{len(broken):,} of {n_blocks:,} blocks send a bus where it does not stand, their runs get the fewest buses of their line"
        )
    blocks: list[object] = ["" if block in broken else block for _, _, block in rows]
    unknown = [run for run, block in enumerate(blocks) if not block]
    of_run = [rows[run][1] for run in unknown]
    starts = np.array([rows[run][0] for run in unknown], np.int64)
    rides_s = [int(directions[row].rides_s(start)) for row, start in zip(of_run, starts.tolist(), strict=True)]
    turn_s = [ride_s + Operation().layover_s(ride_s) + empty_s[row] for row, ride_s in zip(of_run, rides_s, strict=True)]
    ready = starts + np.array(turn_s, np.int64)
    terminals = [[(row // 2, stop_of(directions[row])) for row in of_run] for stop_of in (_first_stop, partial(ready_stop, plan))]
    for run, block in zip(unknown, build_blocks(starts, ready, *terminals).tolist(), strict=True):
        blocks[run] = block
    return blocks


def _first_stop(direction: Direction) -> int:
    """First stop of a direction."""
    return int(direction.stops[0])


def _broken_blocks(rows: Sequence[tuple[int, int, str]], plan: Plan, directions: Sequence[Direction]) -> set[str]:
    """Blocks whose bus starts before it arrives, or at another stop than it comes to or waits at."""
    broken: set[str] = set()
    last: dict[str, tuple[int, set[int]]] = {}
    for start, row, block in rows:
        if not block:
            continue
        end_s, stands = last.get(block, (start, {_first_stop(directions[row])}))
        if end_s > start or _first_stop(directions[row]) not in stands:
            broken.add(block)
        last[block] = (start + int(directions[row].rides_s(start)), {int(directions[row].stops[-1]), ready_stop(plan, directions[row])})
    return broken
