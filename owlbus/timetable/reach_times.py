"""Where one gets from a place, or from where to it, by the timetables of a night: walks, waits, rides and changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.acceptance import walk_s
from owlbus.common.errors import UsageError
from owlbus.common.units import HOUR_S, require_number
from owlbus.kernels.earliest_arrivals import NEVER_S, RunCalls, earliest_arrivals, walk_on
from owlbus.network.walk_sheds import WALK_SLACK_M, points_of, sample_points
from owlbus.plan.measures import require_same_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.timetable.schedule import Timetable

LIMITS_S = (1800, 2700, 3600, 5400)
"""Total times that reach is told for, in seconds."""

MEDIAN, BAD_LUCK = 0.5, 0.9
"""Shares of the departures whose time is told."""

_WINDOWS_S = 12 * HOUR_S


@dataclass(frozen=True, slots=True)
class ReachQuery:
    """
    A place, and when to leave it, or when to be there.

    Attributes
    ----------
    lon, lat
        The place, degrees.
    at_s
        Seconds since noon of the service date minus 12 h.
    is_arrival
        False: leave the place at `at_s` or in the window after it. True: be at the place by `at_s` or in the window before it.
    window_s, step_s
        Length of the window, and time between two of its departures or deadlines, seconds.
    max_transfers
        Changes allowed.
    change_s
        Walk between two buses at the same stop, in seconds.

    Raises
    ------
    UsageError
        If a number lies outside its range.

    Examples
    --------
    >>> ReachQuery(127.0, 37.5, 95_400).moments_s[[0, -1]].tolist()
    [95400, 98940]
    >>> ReachQuery(127.0, 37.5, 95_400, is_arrival=True).moments_s[[0, -1]].tolist()
    [91860, 95400]
    """

    lon: float
    lat: float
    at_s: int
    is_arrival: bool = False
    window_s: int = HOUR_S
    step_s: int = 60
    max_transfers: int = 3
    change_s: int = 60

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("lon", self.lon, -180, 180)
        require_number("lat", self.lat, -90, 90)
        require_number("at_s", self.at_s, 0, 72 * HOUR_S)
        require_number("window_s", self.window_s, 60, _WINDOWS_S)
        require_number("step_s", self.step_s, 1, self.window_s)
        require_number("max_transfers", self.max_transfers, 0, 10)
        require_number("change_s", self.change_s, 0, HOUR_S)

    @property
    def moments_s(self) -> NDArray[np.int64]:
        """Departures, or deadlines, of the window in seconds, ascending, shape (D,)."""
        first = self.at_s + np.arange(0, self.window_s, self.step_s, dtype=np.int64)
        return first if not self.is_arrival else np.sort(2 * self.at_s - first)


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """
    Times between a place and every hex.

    A time counts from leaving the place to being there, with the wait for the bus; or from leaving home to the deadline, with the wait
    at the place. Half of the departures of the window take the median or less, nine in ten the time of bad luck or less. A hex has the
    time that half of its area has or less.

    Attributes
    ----------
    query
        The place and the window.
    median_s, bad_luck_s
        Seconds to each point of each hex, shape (H, n_points), int64; `NEVER_S` where one does not get in time.
    last_s
        Last departure from the place, or from the hex, of a journey by bus at any time of the night, seconds; of each hex the earliest over
        its points from which there is one, shape (H,); -1 for none.
    """

    query: ReachQuery
    median_s: NDArray[np.int64]
    bad_luck_s: NDArray[np.int64]
    last_s: NDArray[np.int64]

    def area_share(self, limit_s: int, *, bad_luck: bool = False) -> NDArray[np.float64]:
        """
        Share of each hex's area that one gets to within a limit.

        Parameters
        ----------
        limit_s
            Seconds, included.
        bad_luck
            Whether nine in ten departures must do, instead of half of them.

        Returns
        -------
        ndarray of float64
            Shape (H,), 0 to 1.
        """
        share: NDArray[np.float64] = ((self.bad_luck_s if bad_luck else self.median_s) <= limit_s).mean(axis=1)
        return share

    def hex_s(self, *, bad_luck: bool = False) -> NDArray[np.int64]:
        """
        Time of each hex: that of half of its area or less.

        Parameters
        ----------
        bad_luck
            Whether nine in ten departures must do, instead of half of them.

        Returns
        -------
        ndarray of int64
            Seconds, shape (H,); -1 where less than half of the area is reached.
        """
        times = self.bad_luck_s if bad_luck else self.median_s
        row = _rank(times.shape[1], MEDIAN)
        middle = np.partition(times, row, axis=1)[:, row]
        return np.where(middle < NEVER_S, middle, -1)


def default_time_s(hours: tuple[int, ...]) -> int:
    """
    Time of the night at which reach is told where nobody names one: half past the middle hour.

    Parameters
    ----------
    hours
        Service hours, ascending.

    Returns
    -------
    int
        Seconds since noon of the service date minus 12 h.

    Examples
    --------
    >>> default_time_s((24, 25, 26, 27, 28)) / 3600
    26.5
    """
    return hours[len(hours) // 2] * HOUR_S + HOUR_S // 2


class _Access(NamedTuple):
    """Stops within the walk of the place, seconds to each, and the points that one walks to straight away."""

    stop: NDArray[np.int64]
    walk_s: NDArray[np.int64]
    point: NDArray[np.int64]
    point_walk_s: NDArray[np.int64]


class _Sheds(NamedTuple):
    """Walks from stops to points; points are numbered from 0 to P, and `ids` says which they are."""

    indptr: NDArray[np.int64]
    point: NDArray[np.int64]
    walk_s: NDArray[np.int64]
    ids: NDArray[np.int64]


def find_reach(network: Network, timetables: Sequence[Timetable], query: ReachQuery) -> Reach:
    """
    Times between a place and every hex by the timetables of a night, in seconds.

    Riders walk to any stop within the walk, at `owlbus.common.acceptance.WALK_KMH`, take any buses, change at one stop, and walk on from
    any stop. Times of a window of departures are found one by one, as riders come without regard to the timetable.

    Parameters
    ----------
    network
        The network of all timetables.
    timetables
        Runs of one night, by one operator or several.
    query
        The place, in degrees, and the window, in seconds.

    Returns
    -------
    Reach
        Seconds by hex.

    Raises
    ------
    DataError
        If a timetable has another network.
    UsageError
        If no stop of the timetables lies within the walk of the place.
    """
    for table in timetables:
        require_same_network(network, table.plan)
    calls, used = _calls_of(timetables)
    access = _access_of(network, used, query)
    sheds = _sheds_of(network, used, access)
    moments_s = query.moments_s
    if query.is_arrival:
        calls, moments_s = _mirrored(calls), -moments_s
    n_stops, change = len(used) + 1, (query.change_s, query.max_transfers + 1)
    first = np.append(access.stop, len(used))  # the place itself comes after the stops
    walk_s = np.append(access.walk_s, 0)
    arrive_s = earliest_arrivals(calls, n_stops, first, moments_s[:, None] + walk_s, *change)
    taken_s = walk_on(arrive_s, *sheds[:3], len(sheds.ids))
    taken_s = np.where(taken_s < NEVER_S, taken_s - moments_s[:, None], NEVER_S)
    taken_s.sort(axis=0)
    last_s = _last_s(calls, len(used), access, sheds, query)
    n_points = points_of(network).n_points
    shape = network.grid.n_hexes, n_points
    median_s, bad_luck_s = (_spread_out(taken_s[_rank(len(moments_s), share)], sheds, shape) for share in (MEDIAN, BAD_LUCK))
    last = _spread_out(last_s, sheds, shape).min(axis=1)
    return Reach(query, median_s, bad_luck_s, np.where(last < NEVER_S, last, -1))


def _rank(n: int, share: float) -> int:
    """Index of the least of n sorted values that this share of them does not exceed."""
    return int(np.ceil(share * n - 1e-9)) - 1


def _spread_out(values: NDArray[np.int64], sheds: _Sheds, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Values of the points that are met, as a table of all points of all hexes."""
    table = np.full(shape[0] * shape[1], NEVER_S, np.int64)
    table[sheds.ids] = values
    return table.reshape(shape)


def _calls_of(timetables: Sequence[Timetable]) -> tuple[RunCalls, NDArray[np.int64]]:
    """Runs of all timetables, and the stops that they call at, ascending; calls count these from 0."""
    directions = [direction for table in timetables for direction in table.directions]
    firsts = np.cumsum([0, *(len(table.directions) for table in timetables)])
    pattern = np.concatenate([first + table.run_direction.astype(np.int64) for first, table in zip(firsts[:-1], timetables, strict=True)])
    used, stop = np.unique(np.concatenate([direction.stops for direction in directions]).astype(np.int64), return_inverse=True)
    indptr = np.cumsum([0, *(len(direction.stops) for direction in directions)])
    arrive_s, depart_s = (
        np.concatenate([getattr(direction, name) for direction in directions]).astype(np.int64) for name in ("arrive_s", "depart_s")
    )
    start_s = np.concatenate([table.run_start_s for table in timetables]).astype(np.int64)
    return RunCalls(indptr, stop.reshape(-1), arrive_s, depart_s, pattern, start_s), used


def _mirrored(calls: RunCalls) -> RunCalls:
    """Runs with time turned round: each leaves its last stop at minus the second at which it came there."""
    back = np.concatenate([np.arange(high - 1, low - 1, -1) for low, high in zip(calls.indptr[:-1], calls.indptr[1:], strict=True)])
    last_s = np.repeat(calls.arrive_s[calls.indptr[1:] - 1], np.diff(calls.indptr))
    arrive_s, depart_s = last_s - calls.depart_s[back], last_s - calls.arrive_s[back]
    end_s = calls.start_s + calls.arrive_s[calls.indptr[calls.pattern + 1] - 1]
    return RunCalls(calls.indptr, calls.stop[back], arrive_s, depart_s, calls.pattern, -end_s)


def _access_of(network: Network, used: NDArray[np.int64], query: ReachQuery) -> _Access:
    """
    Walks from the place, straight or along footways as the walk sheds of the network are.

    A network keeps the walks along footways to its points only, so there the place is the point next to it.
    """
    points, grid = points_of(network), network.grid
    x, y = (float(value) for value in grid.project(query.lon, query.lat))
    stop_x, stop_y = grid.project(network.stop_lon[used], network.stop_lat[used])
    stop_m = np.hypot(stop_x - x, stop_y - y)
    at = np.stack([grid.x_m, grid.y_m], axis=1) if points.n_points == 1 else sample_points(grid, round(points.n_points**0.5))
    point_m = np.hypot(at[:, 0] - x, at[:, 1] - y)
    reached = np.flatnonzero(point_m <= network.walk_m + WALK_SLACK_M)
    walk_m = stop_m
    if "along footways" in points.rule:
        reached = np.array([np.argmin(point_m)])
        row = np.flatnonzero(points.point == reached[0])
        to_all = np.full(network.n_stops, np.inf)
        to_all[np.searchsorted(points.indptr, row, side="right") - 1] = points.walk_m[row]
        walk_m = to_all[used]
    near = np.flatnonzero(walk_m <= network.walk_m + WALK_SLACK_M)
    if not near.size:
        nearest = int(np.argmin(stop_m))
        msg = (
            f"the place at {query.lon:.5f},{query.lat:.5f} lies {stop_m[nearest]:,.0f} m from the nearest stop where "
            f"buses halt that night, {network.stop_names[used[nearest]]}, and the walk is {network.walk_m:g} m; choose a place near a route"
        )
        raise UsageError(msg, setting="place", value=(query.lon, query.lat))
    return _Access(near, walk_s(walk_m[near]), reached, walk_s(point_m[reached]))


def _sheds_of(network: Network, used: NDArray[np.int64], access: _Access) -> _Sheds:
    """Walks on from each stop that is used, and last from the place itself."""
    points = points_of(network)
    spans = [slice(*points.indptr[stop : stop + 2].tolist()) for stop in used.tolist()]
    rows = [points.point[span].astype(np.int64) for span in spans]
    ids, point = np.unique(np.concatenate([*rows, access.point]), return_inverse=True)
    shed_s = np.concatenate([*(walk_s(points.walk_m[span]) for span in spans), access.point_walk_s])
    indptr = np.cumsum([0, *(len(row) for row in rows), len(access.point)])
    return _Sheds(indptr, point.reshape(-1).astype(np.int64), shed_s, ids)


def _last_s(calls: RunCalls, n_used: int, access: _Access, sheds: _Sheds, query: ReachQuery) -> NDArray[np.int64]:
    """
    Last departure of a journey by bus for each point, `NEVER_S` for none; nobody alights at a stop that one walks to from the place.

    Towards the place, the last departure is the earliest arrival with time turned round. From the place, all departures at stops near it
    are tried.
    """
    moments_s = calls.start_s.min(keepdims=True)
    if not query.is_arrival:
        moments_s = np.unique(np.concatenate([_departures(calls, stop) - walk_s for stop, walk_s in zip(*access[:2], strict=True)]))
    if not moments_s.size:
        return np.full(len(sheds.ids), NEVER_S, np.int64)
    ready_s = moments_s[:, None] + access.walk_s * (not query.is_arrival)
    arrive_s = earliest_arrivals(calls, n_used, access.stop, ready_s, query.change_s, query.max_transfers + 1)
    arrive_s[:, access.stop] = NEVER_S
    walk_s = sheds.walk_s
    if not query.is_arrival:  # what counts is the latest moment from which the stop is reached at all
        rank = ((arrive_s < NEVER_S) * np.arange(1, len(moments_s) + 1)[:, None]).max(axis=0)
        arrive_s = np.append(NEVER_S, -moments_s)[rank][None]
        walk_s = np.zeros_like(walk_s)
    left_s = walk_on(arrive_s, sheds.indptr, sheds.point, walk_s, len(sheds.ids))[0]
    return np.where(left_s < NEVER_S, -left_s, NEVER_S)


def _departures(calls: RunCalls, stop: int) -> NDArray[np.int64]:
    """Seconds at which buses leave a stop, in any order."""
    left = np.flatnonzero(calls.stop == stop)
    left = left[~np.isin(left, calls.indptr[1:] - 1)]
    pattern = np.searchsorted(calls.indptr, left, side="right") - 1
    times = [calls.start_s[calls.pattern == which] + calls.depart_s[row] for which, row in zip(pattern, left, strict=True)]
    return np.concatenate([np.empty(0, np.int64), *times])
