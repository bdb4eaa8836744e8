"""
Seconds of rides: on one route, onto it from another route, and from it onto others.

An *entry* is a position of a route with one of the hexes in its walk shed; a *column* is a hex that the other routes reach; *way* is 0 for
rides from the first place and 1 for rides to it. Seconds are whole numbers held in float32, exact below 2**24 and twice as fast to compare
as int32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.jit import ZERO, float32, inlined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEVER = float32(1e9)
"""Seconds of a ride that does not exist."""


@inlined
def fill_never(row: NDArray[np.float32], n: int) -> None:
    """
    Set the first elements of a row to `NEVER`.

    Parameters
    ----------
    row
        Seconds, float32; written.
    n
        Elements.
    """
    for c in range(n):
        row[c] = NEVER


@inlined
def ride_s(ahead_s: NDArray[np.float32], back_s: NDArray[np.float32], p: int, q: int) -> float:
    """
    Seconds on board from one position of a route to another.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    p, q
        Positions.

    Returns
    -------
    float32
        Seconds.
    """
    return float(ahead_s[q] - ahead_s[p] if q >= p else back_s[p] - back_s[q])


@inlined
def ride_by(ahead_s: NDArray[np.float32], back_s: NDArray[np.float32], p: int, q: int, way: int) -> float:
    """
    Seconds on board between two positions of one route.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    p, q
        Positions.
    way
        0 from the first to the second, 1 from the second to the first.

    Returns
    -------
    float32
        Seconds.
    """
    return ride_s(ahead_s, back_s, p, q) if way == 0 else ride_s(ahead_s, back_s, q, p)


@inlined
def ride_to_position(
    ahead_s: NDArray[np.float32], back_s: NDArray[np.float32], positions: NDArray[np.int32], begin: int, end: int, q: int, way: int
) -> float:
    """
    Fastest ride between a hex of a route and a position on it.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    positions, begin, end
        Positions of the entries, and which of them are the hex's.
    q
        Position.
    way
        0 from the hex, 1 to it.

    Returns
    -------
    float32
        Seconds.
    """
    ride = NEVER
    for e in range(begin, end):
        ride = min(ride, ride_by(ahead_s, back_s, positions[e], q, way))
    return ride


@inlined
def ride_to_own(
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    hexes: NDArray[np.int32],
    positions: NDArray[np.int32],
    m: int,
    begin: int,
    end: int,
    f: int,
    way: int,
) -> float:
    """
    Fastest ride between two hexes of a route, on it alone.

    Parameters
    ----------
    ahead_s, back_s
        Running seconds of the route.
    hexes, positions, m
        Hex and position of each entry, and how many count.
    begin, end
        Entries of the first hex.
    f
        First entry of the second hex.
    way
        0 from the first hex, 1 to it.

    Returns
    -------
    float32
        Seconds.
    """
    ride = NEVER
    last = f
    while last < m and hexes[last] == hexes[f]:
        ride = min(ride, ride_to_position(ahead_s, back_s, positions, begin, end, positions[last], way))
        last += 1
    return ride


@inlined
def ride_by_others(
    onward_s: NDArray[np.float32],
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    hexes: NDArray[np.int32],
    positions: NDArray[np.int32],
    m: int,
    meets: NDArray[np.int32],
    n_meets: int,
    own: int,
    f: int,
    way: int,
) -> float:
    """
    Fastest ride between two hexes of a route: by another route first, and onto the route at a position where both call.

    Parameters
    ----------
    onward_s
        Seconds between a stop and a column, of `OtherRoutes`.
    ahead_s, back_s
        Running seconds of the route.
    hexes, positions, m
        Hex and position of each entry, and how many count.
    meets, n_meets
        Positions where other routes call too, and how many count.
    own
        Column of the first hex.
    f
        First entry of the second hex.
    way
        0 from the first hex, 1 to it.

    Returns
    -------
    float32
        Seconds, a transfer included.
    """
    start = onward_s[onward_s.shape[0] - 1 - way]
    ride = NEVER
    last = f
    while last < m and hexes[last] == hexes[f]:
        for i in range(n_meets):
            ride = min(ride, start[meets[i, 1], own] + ride_by(ahead_s, back_s, meets[i, 0], positions[last], way))
        last += 1
    return ride


@inlined
def rides_from_positions(
    onward_s: NDArray[np.float32],
    ahead_s: NDArray[np.float32],
    back_s: NDArray[np.float32],
    n: int,
    meets: NDArray[np.int32],
    n_meets: int,
    way: int,
    columns: int,
    rides_s: NDArray[np.float32],
) -> None:
    """
    Fill the fastest rides between the positions of a route and the columns, with a transfer to or from another route.

    A ride on from a position changes there or at a position beside it, so two passes along the route find them all.

    Parameters
    ----------
    onward_s
        Seconds between a stop and a column, of `OtherRoutes`.
    ahead_s, back_s, n
        Running seconds of the route, and how many positions count.
    meets, n_meets
        Positions where other routes call too, in order, and how many count.
    way
        0 from the position, 1 to it.
    columns
        How many columns count.
    rides_s
        Written: seconds, the transfer included, float32 (M, C); `NEVER` or more if there is no such ride.
    """
    met = ZERO
    for p in range(n):
        if p == 0:
            fill_never(rides_s[p], columns)
        else:
            step = ride_by(ahead_s, back_s, p, p - 1, way)
            for c in range(columns):
                rides_s[p, c] = rides_s[p - 1, c] + step
        if met < n_meets and meets[met, 0] == p:
            further = onward_s[way, meets[met, 1]]
            for c in range(columns):
                rides_s[p, c] = min(rides_s[p, c], further[c])
            met += 1
    for p in range(n - 2, -1, -1):
        step = ride_by(ahead_s, back_s, p, p + 1, way)
        for c in range(columns):
            rides_s[p, c] = min(rides_s[p, c], rides_s[p + 1, c] + step)


@inlined
def best_of_positions(
    rides_s: NDArray[np.float32], positions: NDArray[np.int32], begin: int, end: int, columns: int, best_s: NDArray[np.float32]
) -> None:
    """
    Fill the fastest rides between a hex of a route and the columns.

    Parameters
    ----------
    rides_s
        What `rides_from_positions` filled.
    positions, begin, end
        Positions of the entries, and which of them are the hex's.
    columns
        How many columns count.
    best_s
        Written: seconds, float32 (C,).
    """
    for c in range(columns):
        best_s[c] = rides_s[positions[begin], c]
    for e in range(begin + 1, end):
        for c in range(columns):
            best_s[c] = min(best_s[c], rides_s[positions[e], c])
