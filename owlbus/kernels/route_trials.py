"""
What many courses of one route are worth beside the other routes of a plan, in one call.

Numba looks at every array of a struct at each call from Python, which takes longer than to value a route: so many are valued in a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.coverage import measure_route, route_gain
from owlbus.kernels.jit import lean_kernel
from owlbus.kernels.keeps_limits import keeps_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.kernels.structs import Candidate, DemandRows, Drive, Graph, OtherRoutes, Routes


class Trials(NamedTuple):
    """
    Courses of one route, and what `value_routes` finds of each.

    Attributes
    ----------
    stops, n_stops
        Stop indices of T courses, int32 (T, M), and how many of each count, int64 (T,); none for the plan without the route.
    gains
        Trips served and people reached that the other routes do not, in 1/1024, int64 (T, 2).
    metres
        Metres ahead and back, int64 (T, 2); -1 where two stops in a row are not linked both ways, and nothing else is found then.
    seconds
        Seconds ahead and back, int64 (T, 2).
    is_kept
        Whether the limits are kept, uint8 (T,).
    """

    stops: NDArray[np.int32]
    n_stops: NDArray[np.int64]
    gains: NDArray[np.int64]
    metres: NDArray[np.int64]
    seconds: NDArray[np.int64]
    is_kept: NDArray[np.uint8]


def new_trials(n_trials: int, width: int) -> Trials:
    """
    Empty trials.

    Parameters
    ----------
    n_trials
        Courses T.
    width
        Most stops of a course, M.

    Returns
    -------
    Trials
        Stops and counts are to be filled.
    """
    return Trials(
        stops=np.zeros((n_trials, width), np.int32),
        n_stops=np.zeros(n_trials, np.int64),
        gains=np.zeros((n_trials, 2), np.int64),
        metres=np.zeros((n_trials, 2), np.int64),
        seconds=np.zeros((n_trials, 2), np.int64),
        is_kept=np.zeros(n_trials, np.uint8),
    )


@lean_kernel
def value_routes(
    graph: Graph,
    demand: DemandRows,
    routes: Routes,
    other_routes: OtherRoutes,
    drive: Drive,
    limits: Limits,
    k: int,
    trials: Trials,
    candidate: Candidate,
    max_transfers: int,
    other_m: float,
    other_buses: float,
) -> None:
    """
    Value courses of one route beside the other routes.

    Parameters
    ----------
    graph, demand, routes, other_routes
        As `owlbus.kernels.coverage.route_gain` takes them, prepared without route `k`.
    drive, limits
        Ways between stops and limits of each route.
    k
        Row of the route in `limits`.
    trials
        Read and written.
    candidate
        Work space for a course of M stops.
    max_transfers
        0 or 1.
    other_m, other_buses
        Metres and buses of the other routes.
    """
    ahead_s, back_s = candidate.ahead_s, candidate.back_s
    for t in range(trials.n_stops.shape[0]):
        stops, n = trials.stops[t], trials.n_stops[t]
        if n == 0:  # the plan without the route
            trials.is_kept[t] = other_m <= limits.max_total_length_m and other_buses <= limits.max_buses
            continue
        metres = measure_route(graph, stops, n, ahead_s, back_s)
        trials.metres[t, 0], trials.metres[t, 1] = metres
        if metres[0] < 0:
            continue
        ahead, back = ahead_s[n - 1], back_s[n - 1]
        trials.seconds[t, 0], trials.seconds[t, 1] = ahead, back
        gains = route_gain(graph, demand, routes, other_routes, stops, n, ahead_s, back_s, candidate.scratch, max_transfers)
        trials.gains[t, 0], trials.gains[t, 1] = gains
        is_kept = keeps_limits(drive, limits, k, stops, n, ahead, back, metres, other_m, other_buses)
        for p in range(n):
            candidate.mark[stops[p]] += 1
        for p in range(n):  # a planned route passes each stop once
            is_kept = is_kept and candidate.mark[stops[p]] < 2
        for p in range(n):
            candidate.mark[stops[p]] = 0
        trials.is_kept[t] = is_kept
