"""All simple routes of a small network within limits, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import kernel
from owlbus.kernels.keeps_limits import Limits, keeps_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Drive, Graph

_STEPS_A_ROUTE = 50


@kernel
def enumerate_routes(graph: Graph, limits: Limits, drive: Drive, start: NDArray[np.int64], stops: NDArray[np.int32]) -> int:
    """
    Write every simple route within limits once, in the direction that begins at its lower terminal.

    Parameters
    ----------
    graph
        The stop network.
    limits
        Limits, of which those in place 0 hold for each route by itself.
    drive
        Drive matrices, as in `owlbus.kernels.moves`.
    start
        Written: where each route begins in `stops`, and where the last ends, shape (room + 1,), int64.
    stops
        Written: stop indices of all routes in a row, int32.

    Returns
    -------
    int
        Routes; -1 if they do not fit, or if too many ways lead to none.
    """
    link_indptr, link_to, link_s, link_m = graph.link_indptr, graph.link_to, graph.link_s, graph.link_m
    n_stops = link_indptr.size - 1
    longest, ride, most = limits.max_length_m[0], limits.max_ride_s[0], limits.max_stops[0]  # a longer route breaks them too
    path = np.empty(n_stops, np.int32)
    link_of = np.empty(n_stops, np.int64)  # the link that is tried next behind each place
    used = np.zeros(n_stops, np.bool_)
    sums = np.zeros((n_stops, 4), np.int64)  # metres and seconds ahead and back up to each place
    room = start.size - 1
    found, filled, steps = 0, 0, 0
    start[0] = 0
    for first in range(n_stops):
        path[0], link_of[0], used[first], depth = first, link_indptr[first], True, 0
        while depth >= 0:
            steps += 1
            if steps > _STEPS_A_ROUTE * room:
                return -1
            at = path[depth]
            link = link_of[depth]
            if depth + 2 > most or link == link_indptr[at + 1]:
                used[at] = False
                depth -= 1
                continue
            link_of[depth] = link + 1
            to = link_to[link]
            if used[to]:
                continue
            back = link_indptr[to]
            while back < link_indptr[to + 1] and link_to[back] != at:
                back += 1
            if back == link_indptr[to + 1]:
                continue
            depth += 1
            path[depth], link_of[depth], used[to] = to, link_indptr[to], True
            sums[depth, 0] = sums[depth - 1, 0] + link_m[link]
            sums[depth, 1] = sums[depth - 1, 1] + link_m[back]
            sums[depth, 2] = sums[depth - 1, 2] + link_s[link]
            sums[depth, 3] = sums[depth - 1, 3] + link_s[back]
            if max(sums[depth, 0], sums[depth, 1]) > longest or max(sums[depth, 2], sums[depth, 3]) > ride:
                used[to] = False
                depth -= 1
                continue
            if first >= to:
                continue
            ahead_m, back_m, ahead_s, back_s = sums[depth, 0], sums[depth, 1], sums[depth, 2], sums[depth, 3]
            if keeps_limits(drive, limits, 0, path, depth + 1, ahead_s, back_s, (ahead_m, back_m), 0.0, 0.0):
                if found == room or filled + depth + 1 > stops.size:
                    return -1
                for place in range(depth + 1):
                    stops[filled + place] = path[place]
                filled += depth + 1
                found += 1
                start[found] = filled
    return found
