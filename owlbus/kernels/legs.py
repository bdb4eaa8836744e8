"""Which rides the served trips take, one row a pair of hexes."""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.compiling import kernel
from owlbus.kernels.coverage import NEVER, _ride_s
from owlbus.kernels.loads import _meetings, _places


@kernel
def fastest_legs(
    graph: Any, routes: Any, walk_m: Any, limit_s: Any, origin: Any, destination: Any, transfer_s: float, max_transfers: int
) -> Any:
    """
    Fastest ride of each pair of hexes, chosen as `owlbus.kernels.loads.assign_rides` chooses it.

    Parameters
    ----------
    graph, routes
        As in `owlbus.kernels.coverage`.
    walk_m
        Metres between stop and hex centre of each walk-shed entry, int32 (W,).
    limit_s
        Longest ride that serves a pair, seconds, float32 (H, H).
    origin, destination
        Hexes of each pair, int32 (P,), numbered as walk sheds in `graph` number them.
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    ndarray
        int32 (P, 7): route, place to board and to alight; the same of the second ride, whose route is -1 without a
        transfer; metres of walk at both ends. A pair that is not served has -1 as first route.
    """
    _, n_stops, ahead_s, back_s = routes
    n_routes = n_stops.shape[0]
    indptr, entries = _places(graph, routes, walk_m, limit_s.shape[0])
    meet_indptr, meetings = _meetings(routes, graph[0].shape[0] - 1)
    legs = np.full((origin.shape[0], 7), -1, np.int32)
    for row in range(origin.shape[0]):
        o, d = origin[row], destination[row]
        best, walk, changes = NEVER, np.int32(2**30), 2
        k, p, t, other, u, q = -1, -1, -1, -1, -1, -1
        for e in range(indptr[o], indptr[o + 1]):
            for f in range(indptr[d], indptr[d + 1]):
                a, b = entries[e, 0], entries[f, 0]
                on_foot = entries[e, 2] + entries[f, 2]
                if a == b:
                    ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], entries[f, 1])
                    if ride < best or (ride == best and (changes > 0 or on_foot < walk)):
                        best, walk, changes = ride, on_foot, 0
                        k, p, t, other, u, q = a, entries[e, 1], entries[f, 1], -1, -1, -1
                elif max_transfers > 0:
                    for m in range(meet_indptr[a * n_routes + b], meet_indptr[a * n_routes + b + 1]):
                        ride = _ride_s(ahead_s[a], back_s[a], entries[e, 1], meetings[m, 0]) + np.float32(transfer_s)
                        ride += _ride_s(ahead_s[b], back_s[b], meetings[m, 1], entries[f, 1])
                        if ride < best or (ride == best and changes > 0 and on_foot < walk):
                            best, walk, changes = ride, on_foot, 1
                            k, p, t = a, entries[e, 1], meetings[m, 0]
                            other, u, q = b, meetings[m, 1], entries[f, 1]
        if best <= limit_s[o, d]:
            legs[row] = np.array([k, p, t, other, u, q, walk], np.int32)
    return legs
