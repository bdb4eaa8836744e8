"""Earliest arrivals by a timetable: rounds over all runs, one round a ride, and the walks from stops to points."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER_S = 2**30
"""Seconds that stand for no arrival."""


class RunCalls(NamedTuple):
    """
    Calls of all runs of a night; runs with the same stops and times share a pattern.

    Attributes
    ----------
    indptr
        First call of each pattern, shape (n_patterns + 1,), int64.
    stop
        Stop of each call, shape (n_calls,), int64.
    arrive_s, depart_s
        Seconds since the run's start, shape (n_calls,), int64, ascending within a pattern.
    pattern, start_s
        Pattern and start of each run, seconds, shape (n_runs,), int64.
    """

    indptr: NDArray[np.int64]
    stop: NDArray[np.int64]
    arrive_s: NDArray[np.int64]
    depart_s: NDArray[np.int64]
    pattern: NDArray[np.int64]
    start_s: NDArray[np.int64]


@kernel
def earliest_arrivals(
    calls: RunCalls, n_stops: int, first_stop: NDArray[np.int64], ready_s: NDArray[np.int64], change_s: int, max_rides: int
) -> NDArray[np.int64]:
    """
    Find the earliest arrival at every stop for each of several departures.

    It is RAPTOR [1]_ over single runs instead of lines, so that runs may overtake each other, and so that times of 0 between two stops
    need no order. A change takes place at one stop.

    Parameters
    ----------
    calls
        Runs of the night.
    n_stops
        Stops U.
    first_stop
        Stops at which riders may board first, shape (A,).
    ready_s
        Seconds at which they are there, by departure, shape (D, A).
    change_s
        Least seconds between an alighting and the next boarding.
    max_rides
        Rides allowed, changes and one.

    Returns
    -------
    ndarray of int64
        Seconds, shape (D, U); `NEVER_S` where nobody gets in time. At a first stop it is the time of being there.

    References
    ----------
    .. [1] Delling, Pajor and Werneck (2015), Round-based public transit routing, Transportation Science 49.
    """
    n_departures = ready_s.shape[0]
    arrive_s = np.full((n_departures, n_stops), NEVER_S, np.int64)
    board_s, fresh_s = np.empty(n_stops, np.int64), np.empty(n_stops, np.int64)
    for d in range(n_departures):
        best = arrive_s[d]
        board_s[:] = NEVER_S
        for a in range(first_stop.shape[0]):
            stop = first_stop[a]
            board_s[stop] = min(board_s[stop], ready_s[d, a])
            best[stop] = board_s[stop]
        for _ in range(max_rides):
            fresh_s[:] = best
            soonest = board_s.min()
            for run in range(calls.pattern.shape[0]):
                begin = calls.start_s[run]
                low, high = calls.indptr[calls.pattern[run]], calls.indptr[calls.pattern[run] + 1]
                if begin + calls.depart_s[high - 1] < soonest:
                    continue
                aboard = False
                for call in range(low, high):
                    stop = calls.stop[call]
                    if aboard:
                        fresh_s[stop] = min(fresh_s[stop], begin + calls.arrive_s[call])
                    elif board_s[stop] <= begin + calls.depart_s[call]:
                        aboard = True
            # Only stops that this ride reaches sooner are worth boarding at in the next: all others were tried.
            n_sooner = 0
            for stop in range(n_stops):
                if fresh_s[stop] < best[stop]:
                    best[stop] = fresh_s[stop]
                    board_s[stop] = fresh_s[stop] + int64(change_s)
                    n_sooner += 1
                else:
                    board_s[stop] = NEVER_S
            if n_sooner == 0:
                break
    return arrive_s


@kernel
def walk_on(
    arrive_s: NDArray[np.int64], indptr: NDArray[np.int64], point: NDArray[np.int64], walk_s: NDArray[np.int64], n_points: int
) -> NDArray[np.int64]:
    """
    Find the earliest arrival at every point within the walk of a stop.

    Parameters
    ----------
    arrive_s
        Seconds at each stop by departure, shape (D, U), `NEVER_S` for none.
    indptr
        First row of each stop, shape (U + 1,).
    point, walk_s
        Points within its walk, in [0, `n_points`), and seconds of the walk, shape (n,).
    n_points
        Points P.

    Returns
    -------
    ndarray of int64
        Seconds, shape (D, P); `NEVER_S` for none.
    """
    found = np.full((arrive_s.shape[0], n_points), NEVER_S, np.int64)
    for d in range(arrive_s.shape[0]):
        for stop in range(arrive_s.shape[1]):
            if arrive_s[d, stop] < NEVER_S:
                for row in range(indptr[stop], indptr[stop + 1]):
                    found[d, point[row]] = min(found[d, point[row]], arrive_s[d, stop] + walk_s[row])
    return found
