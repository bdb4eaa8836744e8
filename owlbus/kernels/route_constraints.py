"""
What routes must do besides keeping limits.

``constraints``
    ``(may_end uint8 (S,), end_pull float64 (S,), wanted int32 (R, 2), ends int32 (K, 2))``: stops where routes may end; running sum of how
    much each stop attracts a terminal; stops, each with how many routes must call there at least; and the terminals that each route
    has, -1 for any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from owlbus.kernels.jit import inlined, inner_kernel


@inner_kernel
def calls_at(stops: Any, n: int, stop: int) -> bool:
    """
    Whether a route calls at a stop.

    Parameters
    ----------
    stops, n
        Stop indices and how many count.
    stop
        Stop index.

    Returns
    -------
    bool
        True if one of the places is that stop.
    """
    for p in range(n):
        if stops[p] == stop:
            return True
    return False


@inner_kernel
def count_calls(constraints: Any, routes: Any, k: int, others: Any) -> None:
    """
    Count the routes that call at each wanted stop, one of them left out.

    Parameters
    ----------
    constraints
        As above.
    routes
        The plan: stops (K, M) and counts (K,) first.
    k
        Place of the route that is left out.
    others
        Written: counts, shape (R,).
    """
    wanted = constraints[2]
    for r in range(wanted.shape[0]):
        others[r] = 0
        for other in range(routes[1].shape[0]):
            if other != k and calls_at(routes[0][other], routes[1][other], np.int64(wanted[r, 0])):
                others[r] += 1


@inner_kernel
def ends_allowed(constraints: Any, k: int, stops: Any, n: int) -> bool:
    """
    Whether a route ends where it may.

    Parameters
    ----------
    constraints
        As above.
    k
        Place of the route.
    stops, n
        The route.

    Returns
    -------
    bool
        True if both terminals are allowed and those that the route has are among them.
    """
    first, last = stops[0], stops[n - 1]
    if constraints[0][first] == 0 or constraints[0][last] == 0:
        return False
    one, two = constraints[3][k, 0], constraints[3][k, 1]
    if one < 0:
        return True
    if first == one:
        return bool(two < 0 or last == two)
    return bool(last == one and (two < 0 or first == two))


@inlined
def keeps_constraints(constraints: Any, others: Any, k: int, now: Any, n_now: int, stops: Any, n: int) -> bool:
    """
    Whether a changed route ends where it may and leaves no wanted stop that too few other routes call at.

    Parameters
    ----------
    constraints
        As above.
    others
        Other routes that call at each wanted stop, shape (R,).
    k
        Place of the route.
    now, n_now
        The route as it is.
    stops, n
        The route changed.

    Returns
    -------
    bool
        True if no wish is kept less than before.
    """
    if not ends_allowed(constraints, k, stops, n):
        return False
    wanted = constraints[2]
    for r in range(wanted.shape[0]):
        if others[r] < wanted[r, 1] and calls_at(now, n_now, np.int64(wanted[r, 0])) and not calls_at(stops, n, np.int64(wanted[r, 0])):
            return False
    return True
