"""What routes must do besides keeping limits: end where they may, and call at required stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.kernels.jit import inlined, inner_kernel, int64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.kernels.structs import Constraints


@inner_kernel
def calls_at(stops: NDArray[np.int32], n: int, stop: int) -> bool:
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
        True if it does.
    """
    for p in range(n):
        if stops[p] == stop:
            return True
    return False


@inner_kernel
def count_calls(constraints: Constraints, stops: NDArray[np.int32], n_stops: NDArray[np.int64], k: int, others: NDArray[np.int64]) -> None:
    """
    Count the routes that call at each required stop, one of them left out.

    Parameters
    ----------
    constraints
        What routes must do.
    stops, n_stops
        The plan: stop indices, shape (K, M), and how many of each row count, shape (K,).
    k
        Index of the route that is left out.
    others
        Written: counts, shape (R,).
    """
    required = constraints.required
    for r in range(required.shape[0]):
        others[r] = 0
        for other in range(n_stops.shape[0]):
            if other != k and calls_at(stops[other], n_stops[other], int64(required[r, 0])):
                others[r] += 1


@inner_kernel
def ends_allowed(constraints: Constraints, k: int, stops: NDArray[np.int32], n: int) -> bool:
    """
    Whether a route ends where it may.

    Parameters
    ----------
    constraints
        What routes must do.
    k
        Index of the route.
    stops, n
        The route.

    Returns
    -------
    bool
        True if both terminals are allowed and those that the route has are among them.
    """
    first, last = stops[0], stops[n - 1]
    if constraints.may_end[first] == 0 or constraints.may_end[last] == 0:
        return False
    start, end = constraints.terminals[k, 0], constraints.terminals[k, 1]
    if start < 0:
        return True
    if first == start:
        return bool(end < 0 or last == end)
    return bool(last == start and (end < 0 or first == end))


@inlined
def keeps_constraints(
    constraints: Constraints, others: NDArray[np.int64], k: int, now: NDArray[np.int32], n_now: int, stops: NDArray[np.int32], n: int
) -> bool:
    """
    Whether a changed route ends where it may and leaves no required stop that too few other routes call at.

    Parameters
    ----------
    constraints
        What routes must do.
    others
        Other routes that call at each required stop, shape (R,).
    k
        Index of the route.
    now, n_now
        The route as it is.
    stops, n
        The route changed.

    Returns
    -------
    bool
        True if no constraint is kept less than before.
    """
    if not ends_allowed(constraints, k, stops, n):
        return False
    required = constraints.required
    for r in range(required.shape[0]):
        stop = int64(required[r, 0])
        if others[r] < required[r, 1] and calls_at(now, n_now, stop) and not calls_at(stops, n, stop):
            return False
    return True
