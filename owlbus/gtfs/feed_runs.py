"""Runs of a GTFS feed: calls and times of each, the runs that headways stand for, and what cannot be used."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.gtfs.patterns import Run, is_reversed
from owlbus.network.feed_distances import UNITS_M, distance_unit
from owlbus.network.gtfs_tables import headway_departures
from owlbus.network.gtfs_trips import metres_of_calls, read_patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]
    Match = Callable[[Iterable[tuple[str, ...]]], Mapping[tuple[str, ...], NDArray[np.int64]]]

_LISTED = 5
_UNTIMED = "whose times are missing at an end or run backwards"
_ONE_STOP = "that call at one stop alone"


class FeedRun(NamedTuple):
    """
    Run of a feed with the ids of its line and service.

    Attributes
    ----------
    route, service
        Ids of line and service; None for no service.
    run
        The run, times in seconds.
    """

    route: str
    service: str | None
    run: Run


def feed_runs(feed: Feed, match: Match, names: Mapping[str, str], grid: HexGrid) -> tuple[list[FeedRun], list[str]]:
    """
    Runs of the lines of a feed, with times in seconds.

    Parameters
    ----------
    feed
        The feed.
    match
        Gives stop indices for sequences of stop ids, as `StopMatcher.match` does.
    names
        Names of the lines to read, by id.
    grid
        Projects degrees to metres.

    Returns
    -------
    tuple
        Runs in the feed's order; and in words those that nobody can ride: of one stop, without a time at an end, or with times in
        falling order.
    """
    times, trips = feed.stop_times, feed.trips.to_dicts()
    trip = times["trip"].to_numpy()
    ends = np.flatnonzero(np.diff(trip, append=-1)) + 1
    spans = list(itertools.pairwise([0, *ends.tolist()]))
    ids = times["stop_id"].to_list()
    spans = [span for span in spans if trips[trip[span[0]]]["route_id"] in names]
    wanted = [(begin, end) for begin, end in spans if len(set(ids[begin:end])) > 1]
    unfit = {reason: Counter[str]() for reason in (_ONE_STOP, _UNTIMED)}
    unfit[_ONE_STOP].update(names[trips[trip[begin]]["route_id"]] for begin, end in spans if len(set(ids[begin:end])) == 1)
    stops_of = match(dict.fromkeys(tuple(ids[begin:end]) for begin, end in wanted))
    columns = [times[name].cast(float).fill_null(float("nan")).to_numpy() for name in ("arr", "dep", "dist")]
    starts = _headway_starts(feed)
    columns.append(_metres(feed, trip.astype(np.int64), columns[2], grid))
    orders: dict[str, tuple[int, ...]] = {}
    runs: list[FeedRun] = []
    for begin, end in wanted:
        row = trips[trip[begin]]
        run = _run(stops_of[tuple(ids[begin:end])], *(column[begin:end] for column in columns))
        if run is None:
            unfit[_UNTIMED][names[row["route_id"]]] += 1
            continue
        back = row["direction_id"] == 1
        if row["direction_id"] is None:
            back = is_reversed(run.stops, orders.setdefault(row["route_id"], run.stops))
        given = starts.get(row["trip_id"])
        run = run._replace(back=back, block=row["block_id"])
        made = [run] if given is None else [run._replace(start=start, block=None) for start in given]
        runs += [FeedRun(row["route_id"], row["service_id"], each) for each in made]
    return runs, [_in_words(reason, by_line) for reason, by_line in unfit.items() if by_line]


def overlaps(feed: Feed) -> list[str]:
    """
    Sentence on rows of headways that begin before another one of their trip ends.

    Parameters
    ----------
    feed
        The feed.

    Returns
    -------
    list of str
        Empty if rows of a trip follow each other; else one sentence, with the number of rows and of trips.
    """
    import polars as pl

    rows = feed.frequencies.join(feed.trips.select("trip_id"), on="trip_id", how="semi").sort("trip_id", "start", "end")
    early = rows.filter(pl.col("start") < pl.col("end").cum_max().shift(1).over("trip_id"))
    said = f"{early.height:,} rows of frequencies.txt begin before another of their trip ends ({early['trip_id'].n_unique():,} trips)"
    return [f"{said}; every departure that one of them states is read, each once"] if early.height else []


def _metres(feed: Feed, trip: NDArray[np.int64], dist: Floats, grid: HexGrid) -> Floats:
    """Metres of each call by the feed's own distances; along the shape of its run where any of its calls lacks one."""
    unit = distance_unit(feed)
    if unit is not None and np.isfinite(dist).all():
        return dist * UNITS_M[unit]
    along = metres_of_calls(trip, read_patterns(feed, grid, []))
    lacks = np.zeros(feed.trips.height, np.bool_)
    lacks[trip[~np.isfinite(dist)]] = True
    return along if unit is None else np.where(lacks[trip], along, dist * UNITS_M[unit])


def _in_words(reason: str, by_line: Counter[str]) -> str:
    """Runs that cannot be ridden, and why."""
    of = ", ".join(f"{name!r} {number:,}" for name, number in by_line.most_common(_LISTED)) + (", …" if len(by_line) > _LISTED else "")
    return f"{by_line.total():,} runs {reason} (of line {of})"


def _run(stops: NDArray[np.int64], arrive: Floats, depart: Floats, dist: Floats, metres: Floats) -> Run | None:
    """Run with one call for stops in a row that are one; None without a time at an end, or if times run backwards."""
    timed = _filled(arrive, depart, dist)
    if timed is None:
        return None
    arrives, departs = timed
    first = np.flatnonzero(np.diff(stops, prepend=stops[0] - 1))
    last = np.append(first[1:], stops.size) - 1
    start, end = int(departs[0]), int(arrives[-1])  # of the feed's own terminals, also where the next stops are the same place
    called, arrives, departs, at_m = stops[first], arrives[first], departs[last], metres[first]
    at_m[-1] = metres[-1]
    arrives[0] = departs[0] = start
    arrives[-1] = departs[-1] = end if called.size > 1 else start
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
    for trip, start in headway_departures(feed.frequencies).iter_rows():
        starts.setdefault(trip, []).append(start)
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
