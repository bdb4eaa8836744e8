"""Choices of K among N routes: the best by gains that add up, the value of one, and exchanges that make it better."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.pool_trips import RouteTrips, SharedTrips

OUT, FREE, IN = 0, 1, 2
"""States of a route: left out, free, and part of every choice."""

_HALVINGS = 24


class PoolLoads(NamedTuple):
    """
    What routes need, and what all of a choice may need together.

    Attributes
    ----------
    loads
        Buses and one-way metres of each route, shape (2, N), float64, > 0.
    most
        Buses and metres of a choice, shape (2,), float64; infinite for no limit.
    n_routes
        Routes of a choice at most, K >= 1.
    """

    loads: NDArray[np.float64]
    most: NDArray[np.float64]
    n_routes: int


@kernel
def best_choice(
    gain: NDArray[np.float64],
    state: NDArray[np.uint8],
    loads: NDArray[np.float64],
    most: NDArray[np.float64],
    n_most: int,
    chosen: NDArray[np.uint8],
    reduced: NDArray[np.float64],
) -> float:
    """
    Bound on the gains of a choice of routes within loads, by a multiplier for each load.

    Parameters
    ----------
    gain
        Gain of each route, shape (N,), float64.
    state
        `OUT`, `FREE` or `IN` for each route, shape (N,), uint8.
    loads, most
        Loads of each route, shape (2, N), and what they may add up to, shape (2,).
    n_most
        Routes at most.
    chosen
        Written: whether each route is in the best choice at the multipliers, shape (N,), uint8.
    reduced
        Written: how much the bound falls if a free route is decided the other way, shape (N,), float64.

    Returns
    -------
    float
        In the unit of `gain`; -inf if the routes that must be in do not keep the limits.
    """
    n, n_in = gain.size, 0
    used = np.zeros(2)
    for a in range(n):
        if state[a] == IN:
            n_in += 1
            used += loads[:, a]
    if n_in > n_most or used[0] > most[0] or used[1] > most[1]:
        return -np.inf
    price, net, load = np.zeros(2), gain.copy(), np.zeros(2)
    value = _best_within(net, state, loads, n_most - n_in, chosen, load)
    for r in range(2):
        if load[r] <= most[r]:
            continue
        # The price at which a load is kept: every one proves a bound, so the halving may end anywhere.
        below, above = 0.0, 0.0
        for a in range(n):
            if state[a] == FREE:
                above = max(above, net[a] / loads[r, a])
        for _ in range(_HALVINGS):
            price[r] = (below + above) / 2
            for a in range(n):
                net[a] = gain[a] - price[0] * loads[0, a] - price[1] * loads[1, a]
            _best_within(net, state, loads, n_most - n_in, chosen, load)
            if load[r] > most[r]:
                below = price[r]
            else:
                above = price[r]
        price[r] = above
        for a in range(n):
            net[a] = gain[a] - price[0] * loads[0, a] - price[1] * loads[1, a]
        value = _best_within(net, state, loads, n_most - n_in, chosen, load)
    for r in range(2):
        if price[r] > 0:
            value += price[r] * most[r]
    _fill_reduced(net, state, n_most - n_in, chosen, reduced)
    return value


@inner_kernel
def _best_within(
    net: NDArray[np.float64],
    state: NDArray[np.uint8],
    loads: NDArray[np.float64],
    n_most: int,
    chosen: NDArray[np.uint8],
    load: NDArray[np.float64],
) -> float:
    """Choose the best free routes beside those that must be in, by number alone; return what they gain and fill their loads."""
    value = 0.0
    chosen[:] = 0
    load[:] = 0.0
    for a in range(net.size):
        if state[a] == IN:
            chosen[a] = 1
            value += net[a]
            load[0] += loads[0, a]
            load[1] += loads[1, a]
    for _ in range(n_most):
        best, most = -1, 0.0
        for a in range(net.size):
            if state[a] == FREE and chosen[a] == 0 and net[a] > most:
                best, most = a, net[a]
        if best < 0:
            break
        chosen[best] = 1
        value += most
        load[0] += loads[0, best]
        load[1] += loads[1, best]
    return value


@inner_kernel
def _fill_reduced(
    net: NDArray[np.float64], state: NDArray[np.uint8], n_most: int, chosen: NDArray[np.uint8], reduced: NDArray[np.float64]
) -> None:
    """Fill how much the best choice loses if a free route is left out of it or brought into it."""
    least, most, n_chosen = np.inf, 0.0, 0
    for a in range(net.size):
        if state[a] == FREE and chosen[a]:
            least = min(least, net[a])
            n_chosen += 1
        elif state[a] == FREE:
            most = max(most, net[a])
    for a in range(net.size):
        if state[a] != FREE:
            reduced[a] = 0.0
        elif chosen[a]:
            reduced[a] = net[a] - most
        elif n_most == 0:
            reduced[a] = np.inf
        else:
            reduced[a] = (least if n_chosen == n_most else 0.0) - net[a]


@kernel
def choice_value(
    weight: NDArray[np.float64], trips: RouteTrips, shared: SharedTrips, rows: NDArray[np.int64], stamp: NDArray[np.int64], mark: int
) -> float:
    """
    Value of a choice, each item once.

    Parameters
    ----------
    weight, trips, shared
        As in `choice_bound`.
    rows
        Routes of the choice, int64.
    stamp, mark
        Work space by item, int64, and a number that it does not hold.

    Returns
    -------
    float
        In 1/1024.
    """
    total = 0.0
    for a in rows:
        for i in range(trips.direct_first[a], trips.direct_first[a + 1]):
            e = trips.direct_item[i]
            if stamp[e] != mark:
                stamp[e] = mark
                total += weight[e]
        for b in rows:
            k = shared.list_of[a, b]
            if k >= 0:
                for i in range(shared.entry_first[k], shared.entry_first[k + 1]):
                    e = trips.local_item[shared.entry_low[i]]
                    if stamp[e] != mark:
                        stamp[e] = mark
                        total += weight[e]
    return total


@kernel
def improve_choice(
    weight: NDArray[np.float64],
    trips: RouteTrips,
    shared: SharedTrips,
    limits: PoolLoads,
    chosen: NDArray[np.uint8],
    stamp: NDArray[np.int64],
    mark: int,
) -> tuple[float, int]:
    """
    Exchange single routes of a choice and add routes to it, as long as that is worth more.

    Parameters
    ----------
    weight, trips, shared, limits
        As in `choice_bound`.
    chosen
        Whether each route is in the choice, shape (N,), uint8; read and written.
    stamp, mark
        Work space by item, int64, and the highest number that it holds.

    Returns
    -------
    tuple of float and int
        Value in 1/1024, and the highest number that `stamp` holds then.
    """
    n = chosen.size
    rows = np.zeros(limits.n_routes, np.int64)
    size = 0
    for a in range(n):
        if chosen[a]:
            rows[size] = a
            size += 1
    mark += 1
    value = choice_value(weight, trips, shared, rows[:size], stamp, mark)
    better = True
    while better:
        better = False
        for place in range(min(size + 1, limits.n_routes)):  # the place behind the last one adds a route
            best, most, old = -1, value, rows[place]
            used = np.zeros(2)
            for i in range(size):
                if i != place:
                    used += limits.loads[:, rows[i]]
            for a in range(n):
                if chosen[a] or used[0] + limits.loads[0, a] > limits.most[0] or used[1] + limits.loads[1, a] > limits.most[1]:
                    continue
                rows[place] = a
                mark += 1
                now = choice_value(weight, trips, shared, rows[: max(size, place + 1)], stamp, mark)
                if now > most:
                    best, most = a, now
            rows[place] = old
            if best >= 0:
                if place < size:
                    chosen[old] = 0
                size = max(size, place + 1)
                rows[place], value, better = best, most, True
                chosen[best] = 1
    return value, mark
