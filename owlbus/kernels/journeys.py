"""Journeys between the stops of a plan: the fastest ride of each pair, without a transfer and with at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import float32, kernel
from owlbus.kernels.rides import NEVER, ride_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Routes


class Journeys(NamedTuple):
    """
    Fastest journeys between U stops.

    Attributes
    ----------
    direct_s, best_s
        Seconds from row to column without a transfer, and with the transfers allowed, their cost included; shape (U, U), float32,
        `NEVER` where there is none.
    legs
        Route, position to board and to alight of the best one, and the same of its second ride; shape (U, U, 6), int32, -1 for none. Empty
        where seconds alone were asked for.
    """

    direct_s: NDArray[np.float32]
    best_s: NDArray[np.float32]
    legs: NDArray[np.int32]


@kernel
def stop_journeys(routes: Routes, n_stops: int, transfer_s: float, max_transfers: int, n_noted: int) -> Journeys:
    """
    Find the fastest journeys between the stops of a plan.

    Of equally fast ones the one without a transfer wins, then the first in the order of routes and positions.

    Parameters
    ----------
    routes
        Routes, whose stops are numbered from 0 to U.
    n_stops
        Stops U.
    transfer_s
        Seconds that a transfer costs; it takes place at a stop where two routes call, or one calls twice.
    max_transfers
        0 or 1.
    n_noted
        Stops whose legs are noted: all U, or 0 for seconds alone, which is faster.

    Returns
    -------
    Journeys
        Seconds and legs.
    """
    stops, counts, ahead_s, back_s = routes.stops, routes.n_stops, routes.ahead_s, routes.back_s
    direct = np.full((n_stops, n_stops), NEVER, np.float32)
    legs = np.full((n_noted, n_noted, 6), -1, np.int32)
    indptr = np.zeros(n_stops + 1, np.int64)
    for k in range(counts.shape[0]):
        for p in range(counts[k]):
            indptr[stops[k, p] + 1] += 1
            for q in range(counts[k]):
                ride = ride_s(ahead_s[k], back_s[k], p, q)
                if ride < direct[stops[k, p], stops[k, q]]:
                    direct[stops[k, p], stops[k, q]] = ride
                    if n_noted:
                        leg = legs[stops[k, p], stops[k, q]]
                        leg[0], leg[1], leg[2] = k, p, q
    best = direct.copy()
    if max_transfers == 0:
        return Journeys(direct, best, legs)
    for stop in range(n_stops):
        indptr[stop + 1] += indptr[stop]
    filled, calls = indptr.copy(), np.zeros((indptr[n_stops], 2), np.int32)
    for k in range(counts.shape[0]):
        for p in range(counts[k]):
            calls[filled[stops[k, p]], 0], calls[filled[stops[k, p]], 1] = k, p
            filled[stops[k, p]] += 1
    for k in range(counts.shape[0]):
        for t in range(counts[k]):
            for call in range(indptr[stops[k, t]], indptr[stops[k, t] + 1]):
                other, u = calls[call, 0], calls[call, 1]
                if other == k and u == t:
                    continue
                for p in range(counts[k]):
                    start = ride_s(ahead_s[k], back_s[k], p, t) + float32(transfer_s)
                    for q in range(counts[other]):
                        ride = start + ride_s(ahead_s[other], back_s[other], u, q)
                        if ride < best[stops[k, p], stops[other, q]]:
                            best[stops[k, p], stops[other, q]] = ride
                            if n_noted:
                                leg = legs[stops[k, p], stops[other, q]]
                                leg[0], leg[1], leg[2], leg[3], leg[4], leg[5] = k, p, t, other, u, q
    return Journeys(direct, best, legs)


@kernel
def spread_flows(
    flow: NDArray[np.int64], legs: NDArray[np.int32], n_routes: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Riders on the segments of every route.

    Parameters
    ----------
    flow
        Riders by stops of boarding and alighting, shape (U, U), int64.
    legs
        Legs of each journey, as in `Journeys`.
    n_routes, width
        Routes K and positions M.

    Returns
    -------
    ahead, back
        Riders between each position and the next in either direction, shape (K, M), int64.
    boardings
        Riders who begin on each route, and who change onto it, shape (K, 2), int64.
    """
    ahead, back = np.zeros((n_routes, width + 1), np.int64), np.zeros((n_routes, width + 1), np.int64)
    boardings = np.zeros((n_routes, 2), np.int64)
    for u in range(flow.shape[0]):
        for v in range(flow.shape[1]):
            if flow[u, v] == 0:
                continue
            for ride in range(2):
                k, p, q = legs[u, v, 3 * ride], legs[u, v, 3 * ride + 1], legs[u, v, 3 * ride + 2]
                if k < 0:
                    continue
                boardings[k, ride] += flow[u, v]
                load, low, high = (ahead, p, q) if q >= p else (back, q, p)
                load[k, low] += flow[u, v]
                load[k, high] -= flow[u, v]
    for k in range(n_routes):
        for p in range(1, width):
            ahead[k, p] += ahead[k, p - 1]
            back[k, p] += back[k, p - 1]
    return ahead[:, :width].copy(), back[:, :width].copy(), boardings
