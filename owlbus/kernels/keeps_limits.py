"""The one place that decides whether a route keeps the limits; `owlbus.plan.check_plan` says in words what it decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inlined, lean_kernel
from owlbus.kernels.shortest_metres import shortest_m
from owlbus.kernels.straightness import keeps_straight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Drive


class Limits(NamedTuple):
    """
    Limits of each of K routes and of all together; every bound is included.

    Attributes
    ----------
    max_length_m, min_length_m
        One-way metres of a route: of the longer direction at most, of the shorter one at least. Float64 (K,).
    max_ride_s
        One-way seconds of a route in its slower direction, float64 (K,).
    max_circuity
        Route metres over the fewest metres between its terminals, in each direction, float64 (K,).
    max_stops, min_stops
        Stops on a route, float64 (K,).
    max_pair_circuity
        Metres between any two stops of a route, less `PAIR_FREE_M`, over the fewest between them, in each direction, float64 (K,).
    max_spurs
        Stops at which a route turns back, float64 (K,).
    max_total_length_m
        Metres of all routes, the longer direction of each.
    max_buses
        Buses of all routes.
    headway_s
        Seconds between buses.
    """

    max_length_m: NDArray[np.float64]
    min_length_m: NDArray[np.float64]
    max_ride_s: NDArray[np.float64]
    max_circuity: NDArray[np.float64]
    max_stops: NDArray[np.float64]
    min_stops: NDArray[np.float64]
    max_pair_circuity: NDArray[np.float64]
    max_spurs: NDArray[np.float64]
    max_total_length_m: float
    max_buses: float
    headway_s: float


@lean_kernel
def buses_of(cycle_s: float, headway_s: float) -> int:
    """
    Buses that a route needs.

    Parameters
    ----------
    cycle_s
        Seconds of a round trip.
    headway_s
        Seconds between buses.

    Returns
    -------
    int
        ``ceil(cycle_s / headway_s)``.
    """
    return math.ceil(cycle_s / headway_s)


@inlined
def circuity_of(length_m: int, fewest_m: int) -> float:
    """
    Metres of a route over the fewest metres between its terminals.

    Parameters
    ----------
    length_m, fewest_m
        Both in the same direction.

    Returns
    -------
    float
        The quotient; infinite for a route that ends where it begins.
    """
    return length_m / fewest_m if fewest_m > 0 else np.inf


@inlined
def keeps_limits(
    drive: Drive,
    limits: Limits,
    k: int,
    stops: NDArray[np.int32],
    n: int,
    ahead: float,
    back: float,
    metres: tuple[int, int],
    other_m: float,
    other_buses: float,
) -> bool:
    """
    Whether a route keeps the limits beside the other routes.

    Parameters
    ----------
    drive, limits
        Drive matrices and limits.
    k
        Place of the route.
    stops, n
        The route.
    ahead, back
        Seconds in each direction.
    metres
        Metres in each direction, a pair.
    other_m, other_buses
        Metres and buses of the other routes.

    Returns
    -------
    bool
        True if every bound holds, boundary included.
    """
    longer = max(metres[0], metres[1])
    if n < limits.min_stops[k] or n > limits.max_stops[k]:
        return False
    if longer > limits.max_length_m[k] or min(metres[0], metres[1]) < limits.min_length_m[k]:
        return False
    if max(ahead, back) > limits.max_ride_s[k] or other_m + longer > limits.max_total_length_m:
        return False
    if other_buses + buses_of(ahead + back, limits.headway_s) > limits.max_buses:
        return False
    first, last = stops[0], stops[n - 1]
    # No path has fewer metres than its seconds at the least metres a second: most routes need no look at the shortest path.
    towards_s, least = drive.towards_s, limits.max_circuity[k] * drive.pace_m_s
    if metres[0] > least * towards_s[last, first] or metres[1] > least * towards_s[first, last]:
        ahead_circuity = circuity_of(metres[0], shortest_m(drive.metres, first, last))
        back_circuity = circuity_of(metres[1], shortest_m(drive.metres, last, first))
        if ahead_circuity > limits.max_circuity[k] or back_circuity > limits.max_circuity[k]:
            return False
    return keeps_straight(drive, limits, k, stops, n)
