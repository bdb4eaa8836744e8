"""Plans near a given one: how many stops of a route differ from it, and which must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from owlbus.kernels.jit import kernel
from owlbus.kernels.moves import reverse
from owlbus.kernels.splice import steps_apart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NearConstraint(NamedTuple):
    """
    A given plan of K routes of at most M stops, and how far a plan may differ from it.

    Attributes
    ----------
    stops, n_stops
        The given routes: stop indices, int32 (K, M), and how many count, int64 (K,).
    position
        Position of each stop on each given route, int32 (K, S); -1 where the route does not pass it.
    keep, n_keep
        Whether a stop stays on every given route that passes it, uint8 (S,), and how many such stops each has, int64 (K,).
    keep_terminals
        1 if every route keeps its terminals, else 0.
    budget
        Stops of all routes that may differ in the best plan, counted by `owlbus.kernels.splice.steps_apart`; below 0 for any number.
    reach
        Stops that may differ in plans on the way to it.
    multiplier
        Lagrange multiplier of a stop that differs, in 1/1024 of what the objective counts; 0 near the end of the search.
    """

    stops: NDArray[np.int32]
    n_stops: NDArray[np.int64]
    position: NDArray[np.int32]
    keep: NDArray[np.uint8]
    n_keep: NDArray[np.int64]
    keep_terminals: int
    budget: int
    reach: int
    multiplier: float


@kernel
def stops_changed(near: NearConstraint, k: int, stops: NDArray[np.int32], n: int, allowed: int) -> int:
    """
    Stops by which a changed route differs from the given one.

    Parameters
    ----------
    near
        The constraint.
    k
        Place of the route.
    stops, n
        The changed route, no stop twice; turned round if it is nearer the given one that way.
    allowed
        Stops that may differ.

    Returns
    -------
    int
        Stops that differ; `allowed` + 1 if there are more, or if the route leaves out a stop or terminal that stays.
    """
    n_given = near.n_stops[k]
    n_common, n_kept, gaps = 0, 0, 0
    first, last, last_at, is_in_order = -1, -1, -1, True
    for p in range(n):
        at = near.position[k, stops[p]]
        if at < 0:
            continue
        n_common += 1
        n_kept += near.keep[stops[p]]
        if first < 0:
            first = at
        gaps += max(at - last - 1, p - last_at - 1)
        is_in_order = is_in_order and at > last
        last, last_at = at, p
    fewest = max(n, n_given) - n_common  # whatever the order
    if fewest > allowed or n_kept < near.n_keep[k]:
        return allowed + 1
    if near.keep_terminals:
        begin, end = near.position[k, stops[0]], near.position[k, stops[n - 1]]
        if min(begin, end) != 0 or max(begin, end) != n_given - 1:
            return allowed + 1
    if first > last:
        reverse(stops, n)
    elif is_in_order and n_common > 0 and gaps + max(n_given - last - 1, n - last_at - 1) == fewest:
        return int(fewest)
    given = near.stops[k, :n_given]
    apart = steps_apart(given, stops[:n])
    if apart > allowed and not near.keep_terminals:
        reverse(stops, n)
        apart = steps_apart(given, stops[:n])
    return min(apart, allowed + 1)
