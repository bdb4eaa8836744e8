"""Read a timetable from a GTFS feed: the inverse of `write_gtfs`."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError
from owlbus.common.units import HOUR_S
from owlbus.network.gtfs_tables import read_feed
from owlbus.plan import Plan, Route, route_links
from owlbus.timetable import Direction, Operation, Timetable
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]

_VERSION = re.compile(r"owlbus (\S+) (\d+)-(\d+)")


def read_gtfs(
    path: str | PathLike[str], network: Network, *, max_snap_m: float = MAX_SNAP_M, left_out: list[str] | None = None
) -> Timetable:
    """
    Read the timetable of a feed, and its plan; times in seconds.

    A feed that `write_gtfs` wrote for this network comes back equal. Another feed can be read if each of its routes has one sequence
    of stops, reversed for the other direction. Its stops move to the nearest stops of the network.

    A zip, a folder, or a zip with the files in a folder is read as `Network.from_gtfs` reads it. Times between two known ones are
    interpolated by ``shape_dist_traveled`` if all calls of the run have it, else evenly. Where ``direction_id`` is missing, the order
    of stops tells the direction. Rows that cannot be used, runs without a first or last time, and routes without runs are left out.

    Rows of ``frequencies.txt`` become the runs that they stand for; rows without exact times count as exact. They have no block, so
    these runs get the fewest buses that stay on their route, with the default layover of `Operation`.

    Parameters
    ----------
    path
        Zip or folder.
    network
        The network of the plan.
    max_snap_m
        Largest distance in metres from a stop of the feed to the nearest stop of the network.

    left_out
        List to which a sentence on each kind of row left out is added, with its number.

    Returns
    -------
    Timetable
        Runs of one night, all services together; times in seconds since noon minus 12 h.

    Raises
    ------
    DataError
        If a table or a column is missing, no run is left, a route has several sequences of stops, or a stop lies too far from the network.
    """
    feed = read_feed(path, None)
    fingerprint, hours = _version(feed)
    stop_of = _own_stops(feed, network) if fingerprint == network.fingerprint else _nearest_stops(feed, network, max_snap_m)
    runs, n_untimed = _runs(feed, stop_of)
    if left_out is not None:
        untimed = (f"{n_untimed:,} runs whose times are missing at an end or run backwards",) if n_untimed else ()
        left_out += [f"the feed {feed.name} leaves out {what}" for what in (*feed.left_out, *untimed)]
    names = {row["route_id"]: row["route_short_name"] or row["route_long_name"] or row["route_id"] for row in feed.routes.to_dicts()}
    runs = {route: runs[route] for route in names if route in runs}
    plan = _plan(network, [(names[route], route_runs) for route, route_runs in runs.items()])
    route_runs = list(runs.values())
    directions = tuple(direction for k in range(len(plan)) for direction in _directions(network, plan, k, route_runs[k]))
    return _timetable(plan, directions, route_runs, hours)


class _Run(NamedTuple):
    """One run of a feed: direction, block, start in seconds, stops, and arrivals, departures and metres at them."""

    back: bool
    block: str | None
    start: int
    stops: tuple[int, ...]
    arrive: tuple[int, ...]
    depart: tuple[int, ...]
    at_m: tuple[float, ...]


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


def _nearest_stops(feed: Feed, network: Network, max_snap_m: float) -> dict[str, int]:
    """Nearest stop of the network to each stop in use, by stop id."""
    used = feed.stops.filter(feed.stops["stop_id"].is_in(feed.stop_times["stop_id"].implode()))
    ids = used["stop_id"].to_list()
    nearest, metres = network.nearest_stops(used["lon"].to_list(), used["lat"].to_list())
    far = np.flatnonzero(~(np.asarray(metres) <= max_snap_m))
    if far.size:
        msg = (
            f"stop {ids[far[0]]!r} lies {np.asarray(metres)[far[0]]:.0f} m from the nearest stop of the network, allowed are "
            f"{max_snap_m:g} m ({far.size} of {len(ids)} stops); use the network that the feed was made for"
        )
        raise DataError(msg)
    return dict(zip(ids, np.asarray(nearest).tolist(), strict=True))


def _runs(feed: Feed, stop_of: Mapping[str, int]) -> tuple[dict[str, list[_Run]], int]:
    """Runs by route id, and the number of runs without a time at an end or in falling order."""
    times, trips = feed.stop_times, feed.trips.to_dicts()
    trip = times["trip"].to_numpy()
    ends = np.flatnonzero(np.diff(trip, append=-1)) + 1
    stops = [stop_of[stop] for stop in times["stop_id"].to_list()]
    arrive, depart, dist = (times[name].cast(float).fill_null(float("nan")).to_numpy() for name in ("arr", "dep", "dist"))
    starts = _headway_starts(feed)
    orders: dict[str, list[tuple[int, ...]]] = {}
    runs: dict[str, list[_Run]] = {}
    n_untimed = 0
    for begin, end in itertools.pairwise([0, *ends.tolist()]):
        row = trips[trip[begin]]
        called, at_m = tuple(stops[begin:end]), tuple(dist[begin:end].tolist())
        timed = _filled(arrive[begin:end], depart[begin:end], dist[begin:end])
        if timed is None:
            n_untimed += 1
            continue
        start, arrives, departs = timed
        back = row["direction_id"] == 1 if row["direction_id"] is not None else _is_reversed(called, orders.setdefault(row["route_id"], []))
        run = _Run(back, row["block_id"] or row["trip_id"], start, called, arrives, departs, at_m)
        given = starts.get(row["trip_id"])
        runs.setdefault(row["route_id"], []).extend([run] if given is None else [run._replace(start=s, block=None) for s in given])
    return runs, n_untimed


def _headway_starts(feed: Feed) -> dict[str, list[int]]:
    """Starts in seconds of the trips that run by headways."""
    starts: dict[str, list[int]] = {}
    for trip, start, end, headway_s, _ in feed.frequencies.iter_rows():
        starts.setdefault(trip, []).extend(range(start, end, headway_s))
    return starts


def _filled(arrive: Floats, depart: Floats, dist: Floats) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    """Start, and arrivals and departures after it, in seconds; None without a time at an end, or if they run backwards."""
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
    start = int(arrive[0])
    return start, tuple((arrive.astype(np.int64) - start).tolist()), tuple((depart.astype(np.int64) - start).tolist())


def _is_reversed(stops: tuple[int, ...], orders: list[tuple[int, ...]]) -> bool:
    """Whether a run serves its route against the order of the first run; the order of most shared stops decides."""
    if not orders:
        orders.append(stops)
    position = {stop: k for k, stop in enumerate(orders[0])}
    shared = [position[stop] for stop in stops if stop in position]
    return sum(after < before for before, after in itertools.pairwise(shared)) * 2 > len(shared) - 1


def _plan(network: Network, routes: Sequence[tuple[str, list[_Run]]]) -> Plan:
    """Routes in the feed's order."""
    made = []
    for name, runs in routes:
        orders = {run.stops[:: -1 if run.back else 1] for run in runs}
        if len(orders) != 1:
            msg = f"route {name!r} must have one sequence of stops, and its reverse, got {len(orders)}; keep the longest, or plan it anew"
            raise DataError(msg)
        made.append(Route(list(orders.pop()), name))
        route_links(network, made[-1].stops, name)
    return Plan(tuple(made), network.fingerprint)


def _directions(network: Network, plan: Plan, k: int, runs: Sequence[_Run]) -> list[Direction]:
    """Both directions of a route. A direction without runs takes the network's seconds."""
    directions = []
    for back in (False, True):
        stops = plan.routes[k].stops[:: -1 if back else 1]
        seconds, metres = (np.concatenate([[0], np.cumsum(column)]) for column in route_links(network, stops, plan.names[k]))
        times = {(run.arrive, run.depart) for run in runs if run.back == back}
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
        msg = "a feed needs a run, got none; give trips their stop_times, and frequencies an end after their start"
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
