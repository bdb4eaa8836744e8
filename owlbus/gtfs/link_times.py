"""Link times by hour from the runs of a second feed: a network keeps its stops and links, and takes the feed's times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import DataError, setting
from owlbus.common.units import HOUR_S, hour_label
from owlbus.gtfs.match_stops import StopMatcher
from owlbus.network.gtfs_tables import DEFAULT_MODES, read_feed
from owlbus.network.gtfs_trips import read_patterns, run_hops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.network.gtfs_tables import Feed

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_DAY_H = 24
_LEAST_RATIO, _MOST_RATIO = 0.1, 10.0
"""Seconds of a run between two stops over those of the network, beyond which the run is not taken for one over these links."""


class _Passes(NamedTuple):
    """
    Runs over links, one row for each run and link.

    `link` is the index of the link, `leaves_s` the second of the service day at which the run leaves its start, and `seconds` what it
    takes, shape (n,). `n_hops`, `n_off` and `n_unlike` count the times from stop to stop: all, those without a way on links, and those
    too far from the network's.
    """

    link: Ints
    leaves_s: Floats
    seconds: Floats
    n_hops: int
    n_off: int
    n_unlike: int


def with_feed_speeds(
    network: Network,
    path: str | PathLike[str],
    hours: Sequence[int],
    modes: Sequence[str] = DEFAULT_MODES,
    *,
    max_snap_m: float = MAX_SNAP_M,
) -> Network:
    """
    Network with link times by hour that are those of the runs of a feed.

    The seconds of a link in an hour are the median of all runs of the feed that leave its first stop in that hour of the clock, on any
    service day, rounded to whole seconds. Times are departures, and the arrival at the last stop; stops with the time of the stop before
    get one by interpolation along the metres. Where two stops of a run have no link between them, its time is shared out over the links of
    the fastest way in proportion to their seconds. A run that takes less than a tenth or more than ten times the network's seconds between
    two stops does not count there. Links keep their seconds in hours without a run.

    Parameters
    ----------
    network
        The network, without times by hour.
    path
        Zip or folder of a feed. Its stops are matched to those of the network.
    hours
        Service hours of the night, ascending; 24 is midnight, and 1 and 25 are the same hour of the clock.
    modes
        Modes of the feed whose runs count.
    max_snap_m
        Largest distance in metres from a stop of the feed to one of the network.

    Returns
    -------
    Network
        With `hours` and `hour_link_s`; `link_s` is the longest time of each link in any of them. A note of the report says how many links
        have runs.

    Raises
    ------
    DataError
        If the feed breaks a rule, lies off the network, or has no run on a link in these hours.
    UsageError
        If a mode is unknown.
    """
    feed = read_feed(path, modes)
    matcher = StopMatcher(feed, network, max_snap_m)
    passes = _passes(network, feed, matcher)
    position = np.full(_DAY_H, -1, np.int64)
    position[np.asarray(hours, np.int64) % _DAY_H] = np.arange(len(hours))
    hour = position[(passes.leaves_s // HOUR_S).astype(np.int64) % _DAY_H]
    inside = hour >= 0
    if not inside.any():
        msg = (
            f"{feed.name}: no run leaves a stop of the network on its links in the hours {hour_label(hours[0])} to {hour_label(hours[-1])} "
            f"({passes.n_hops:,} times from stop to stop in other hours or off the links); name a feed with runs in these hours, or leave "
            f"{setting('speeds')} out"
        )
        raise DataError(msg, setting="speeds")
    seconds = np.tile(network.link_s, (len(hours), 1))
    row, link, median_s = _medians(hour[inside], passes.link[inside], passes.seconds[inside])
    seconds[row, link] = median_s
    notes = [_extent(network, feed, hours, row, link, seconds), *_left_out(feed, passes, matcher)]
    report = None if network.report is None else replace(network.report, notes=(*network.report.notes, *notes))
    return replace(network, link_s=seconds.max(axis=0), hours=tuple(hours), hour_link_s=seconds, report=report)


def _passes(network: Network, feed: Feed, matcher: StopMatcher) -> _Passes:
    """Runs of a feed over the links of a network."""
    patterns = read_patterns(feed, network.grid, [])
    hops = run_hops(feed, _stop_numbers(feed, matcher, patterns), patterns, [])
    start, end, leaves_s, hop_s = (
        hops[name].to_numpy().astype(kind) for name, kind in (("start", int), ("end", int), ("leaves", float), ("seconds", float))
    )
    pairs, of_hop = np.unique(start * network.n_stops + end, return_inverse=True)
    ways = [_way(network, *divmod(pair, network.n_stops)) for pair in pairs.tolist()]
    way_s = np.array([network.link_s[way].sum() for way in ways], np.float64)[of_hop] if ways else np.empty(0)
    is_off = way_s == 0
    ratio = np.divide(hop_s, way_s, out=np.ones(hop_s.size), where=~is_off)
    is_unlike = ~is_off & ~((ratio >= _LEAST_RATIO) & (ratio <= _MOST_RATIO))
    kept = np.flatnonzero(~is_off & ~is_unlike)
    n_links = np.array([len(way) for way in ways], np.int64)[of_hop[kept]] if ways else np.empty(0, np.int64)
    hop = np.repeat(kept, n_links)
    link = np.concatenate([*(ways[k] for k in of_hop[kept].tolist()), np.empty(0, np.int64)])
    network_s = network.link_s[link].astype(np.float64)
    before_s = np.cumsum(network_s) - network_s
    before_s -= np.repeat(before_s[np.cumsum(n_links) - n_links], n_links) if hop.size else 0.0
    passed_s = leaves_s[hop] + ratio[hop] * before_s
    return _Passes(link, passed_s, ratio[hop] * network_s, hop_s.size, int(is_off.sum()), int(is_unlike.sum()))


def _stop_numbers(feed: Feed, matcher: StopMatcher, patterns: Any) -> Ints:  # noqa: ANN401 - what read_patterns returns
    """Stop of the network of each stop time, -1 for one too far away."""
    trip = feed.stop_times["trip"].to_numpy().astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], trip[1:] != trip[:-1]]))
    of_run = patterns[1][trip[first]].tolist()
    ids = feed.stops["stop_id"].to_list()
    sequences = {number: tuple(ids[row] for row in patterns[0][number].stops.tolist()) for number in dict.fromkeys(of_run)}
    matched = matcher.match(dict.fromkeys(sequences.values()))
    return np.concatenate([matched[sequences[number]] for number in of_run])


def _way(network: Network, start: int, end: int) -> Ints:
    """Links from one stop to another: the link between them, or those of the fastest way; none without a way."""
    path = network.shortest_path(start, end) if _link(network, start, end) < 0 else np.array([start, end])
    return np.array([_link(network, *pair) for pair in zip(path[:-1].tolist(), path[1:].tolist(), strict=True)], np.int64)


def _link(network: Network, start: int, end: int) -> int:
    """Index of a link, -1 if there is none."""
    low, high = network.link_indptr[start : start + 2].tolist()
    place = low + int(np.searchsorted(network.link_to[low:high], end))
    return place if place < high and network.link_to[place] == end else -1


def _medians(hour: Ints, link: Ints, seconds: Floats) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """Position of the hour, link and median whole seconds, one row for each pair of them that has runs."""
    order = np.lexsort((seconds, link, hour))
    hour, link, seconds = hour[order], link[order], seconds[order]
    first = np.flatnonzero(np.concatenate([[True], (np.diff(hour) != 0) | (np.diff(link) != 0)]))
    number = np.diff(np.append(first, hour.size))
    middle = (seconds[first + (number - 1) // 2] + seconds[first + number // 2]) / 2
    return hour[first], link[first], np.maximum(1, np.rint(middle)).astype(np.int32)


def _extent(network: Network, feed: Feed, hours: Sequence[int], row: Ints, link: Ints, seconds: NDArray[np.int32]) -> str:
    """Sentence on the links that have runs, and on their time against the network's, by hour."""
    by_hour = []
    for place, hour in enumerate(hours):
        measured = link[row == place]
        ratio = seconds[place, measured].sum() / max(1, network.link_s[measured].sum())
        by_hour.append(f"{hour_label(hour)}: {measured.size:,}" + (f", {ratio:.2f} times the network's time" if measured.size else ""))
    n_measured = np.unique(link).size
    return (
        f"link times by hour are those of the runs of {feed.name} on {n_measured:,} of {network.n_links:,} links "
        f"({n_measured / network.n_links:.0%}); links keep the network's time in hours without a run (links with runs, by hour: "
        f"{'; '.join(by_hour)})"
    )


def _left_out(feed: Feed, passes: _Passes, matcher: StopMatcher) -> list[str]:
    """Sentences on what of the feed does not count."""
    lines = []
    if matcher.n_far:
        lines.append(
            f"{matcher.n_far:,} of {matcher.n_used:,} stops of {feed.name} lie too far from the network, and runs do not count there"
        )
    if passes.n_off or passes.n_unlike:
        reasons = [f"{passes.n_off:,} have no way on the links"] * (passes.n_off > 0)
        reasons += [f"{passes.n_unlike:,} take less than a tenth or more than ten times the network's time"] * (passes.n_unlike > 0)
        lines.append(f"of {passes.n_hops:,} times from stop to stop in {feed.name} {' and '.join(reasons)}; they do not count")
    return lines
