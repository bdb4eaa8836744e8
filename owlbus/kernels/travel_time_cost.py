"""
Passenger travel time on a plan, and what it becomes when one route changes.

Times are whole *ticks* (a divisor of every link and of the transfer, at least a second), so every sum is exact. Inside, a time is stored
with one transfer for every boarding, the first included: such times add up along a journey, and one transfer is taken off at the end.

Cost. A plan is closed by Floyd and Warshall in S**3 steps. With the other routes closed, one route is judged by what it improves: the
cheapest arrival on it is swept along the route for all origins at once (M * S), and only rows that gain anything are joined with what
lies behind the stop of arrival. Rows are padded to `LANES`, which lets the compiler take a row in a few instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.kernels.jit import inlined, inner_kernel, kernel, lean_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 8
"""Rows are a multiple of this long; the padding has no demand and is never reached."""

NEVER = 2**29
"""Ticks that no journey takes; two of them still fit into int32."""


class StopGraph(NamedTuple):
    """
    Stops, links, demand and rules, with S stops and rows of W >= S.

    Attributes
    ----------
    link
        Ticks from stop to stop, int32 (S, S); -1 where there is no link.
    near_indptr, near_to
        Linked stops of each stop, int64 (S + 1,) and int32 (L,).
    drive
        Fastest ticks from stop to stop, int32 (S, S).
    weight
        Demand in whole units of 1/1024 trips or a multiple of that, int32 (S, W); with `symmetric`, both directions of a pair stand above
        the diagonal.
    transfer, worst
        Ticks of a transfer, and of a journey that nobody makes, one transfer included.
    least, most
        Fewest and most stops of a route, >= 2.
    symmetric
        Whether links take as long one way as the other.
    """

    link: NDArray[np.int32]
    near_indptr: NDArray[np.int64]
    near_to: NDArray[np.int32]
    drive: NDArray[np.int32]
    weight: NDArray[np.int32]
    transfer: np.int32
    worst: np.int32
    least: int
    most: int
    symmetric: bool


class OtherRoutes(NamedTuple):
    """
    Times on the routes that stay as they are.

    Attributes
    ----------
    times
        Ticks from stop to stop, int32 (S, W).
    turned
        The same from column to row; the same array if links are symmetric.
    cost
        Demand times ticks of each row, int64 (S,).
    """

    times: NDArray[np.int32]
    turned: NDArray[np.int32]
    cost: NDArray[np.int64]


class Workspace(NamedTuple):
    """
    Work space, for routes of at most M stops.

    Attributes
    ----------
    arrive
        Arrivals by place on the route, int32 (M, W).
    gains, n_gains
        Places that gain, by origin, int32 (S, M + 1) and int32 (S,).
    row, other
        Two rows, int32 (W,).
    mark, path
        uint8 (S,) and int32 (M + 1,), for drawing routes.
    """

    arrive: NDArray[np.int32]
    gains: NDArray[np.int32]
    n_gains: NDArray[np.int32]
    row: NDArray[np.int32]
    other: NDArray[np.int32]
    mark: NDArray[np.uint8]
    path: NDArray[np.int32]


@inlined
def copy_row(out: NDArray[np.int32], source: NDArray[np.int32]) -> None:
    """
    Copy a row; numba compiles a loop far sooner than an assignment to a slice.

    Parameters
    ----------
    out
        Written, shape (W,).
    source
        As long at least.
    """
    for j in range(out.shape[0]):
        out[j] = source[j]


@inlined
def _join(row: NDArray[np.int32], onward: NDArray[np.int32], time: int | np.int32) -> None:
    """Lower `row` to ``time + onward``."""
    for j in range(row.shape[0]):
        old, new = row[j], np.int32(onward[j] + time)
        row[j] = new if new < old else old


@inlined
def _join_from(row: NDArray[np.int32], source: NDArray[np.int32], onward: NDArray[np.int32], time: int) -> None:
    """Set `row` to the lower of `source` and ``time + onward``."""
    for j in range(row.shape[0]):
        old, new = source[j], np.int32(onward[j] + time)
        row[j] = new if new < old else old


@inlined
def _join_two(row: NDArray[np.int32], onward: NDArray[np.int32], time: int, onward_2: NDArray[np.int32], time_2: int) -> None:
    """Lower `row` to the lower of two ways on; one pass costs little more than one way alone."""
    for j in range(row.shape[0]):
        old, new, new_2 = row[j], np.int32(onward[j] + time), np.int32(onward_2[j] + time_2)
        new = new_2 if new_2 < new else new
        row[j] = new if new < old else old


@inlined
def _dot(weight: NDArray[np.int32], row: NDArray[np.int32]) -> int:
    """Demand times ticks."""
    total: Any = np.int64(0)
    for j in range(row.shape[0]):
        total += np.int64(weight[j]) * np.int64(row[j])
    return int(total)


@inlined
def _first(graph: StopGraph, i: int) -> int:
    """First column of row `i` that counts, rounded down to a whole number of lanes."""
    return (i + 1) // LANES * LANES if graph.symmetric else 0


@inlined
def ride(
    graph: StopGraph, routes: NDArray[np.int32], sizes: NDArray[np.int64], without: int, without_2: int, times: NDArray[np.int32]
) -> None:
    """
    Write the fastest ride without a transfer between all stops.

    Parameters
    ----------
    graph
        A `StopGraph`.
    routes, sizes
        Stop indices, shape (K, M), and stops of each route, shape (K,).
    without, without_2
        Routes to leave out, or -1.
    times
        Written: ticks with one transfer, int32 (S, W); `worst` where no route goes.
    """
    for i in range(times.shape[0]):
        for j in range(times.shape[1]):
            times[i, j] = graph.worst
        times[i, i] = 0
    for k in range(routes.shape[0]):
        for a in range(0 if k in (without, without_2) else sizes[k]):
            u = routes[k, a]
            ahead = back = graph.transfer
            last = u
            for b in range(a + 1, sizes[k]):
                v = routes[k, b]
                ahead += graph.link[last, v]
                back += graph.link[v, last]
                times[u, v] = min(times[u, v], ahead)
                times[v, u] = min(times[v, u], back)
                last = v


@lean_kernel
def close(times: NDArray[np.int32], row: NDArray[np.int32], worst: int | np.int32) -> None:
    """
    Turn rides into fastest journeys, in place (Floyd and Warshall).

    Parameters
    ----------
    times
        Ticks from stop to stop, int32 (S, W).
    row
        Work space, int32 (W,).
    worst
        Ticks of a journey that nobody makes.
    """
    for k in range(times.shape[0]):
        copy_row(row, times[k])  # row k must not change while it is read
        for i in range(times.shape[0]):
            time = times[i, k]
            if i != k and time < worst:
                _join(times[i], row, time)


@inner_kernel
def weigh(graph: StopGraph, rest: OtherRoutes) -> int:
    """
    Complete a `OtherRoutes` whose times are written, and cost them.

    Parameters
    ----------
    graph
        A `StopGraph`.
    rest
        Its `turned` and `cost` are written.

    Returns
    -------
    int
        Demand times ticks, one transfer for everyone included.
    """
    n = graph.link.shape[0]
    # `_sweep` reads columns; turned round they are rows, which fill whole lanes.
    if not graph.symmetric:
        for i in range(n):
            for j in range(n):
                rest.turned[j, i] = rest.times[i, j]
    total: Any = np.int64(0)
    for i in range(n):
        low = _first(graph, i)
        rest.cost[i] = _dot(graph.weight[i, low:], rest.times[i, low:])
        total += rest.cost[i]
    return int(total)


@lean_kernel
def settle(
    graph: StopGraph,
    routes: NDArray[np.int32],
    sizes: NDArray[np.int64],
    without: int,
    without_2: int,
    rest: OtherRoutes,
    workspace: Workspace,
) -> int:
    """
    Write the times on a plan, or on part of it, into `rest`.

    Parameters
    ----------
    graph, routes, sizes, without, without_2
        As for `ride`.
    rest
        Written.
    workspace
        Work space.

    Returns
    -------
    int
        The cost, as `weigh` gives it.
    """
    ride(graph, routes, sizes, without, without_2, rest.times)
    close(rest.times, workspace.row, graph.worst)
    return weigh(graph, rest)


@inner_kernel
def _sweep(
    graph: StopGraph, rest: OtherRoutes, stops: NDArray[np.int32], n: int, arrive: NDArray[np.int32], back: NDArray[np.int32]
) -> None:
    """Write the earliest arrival on the route at each of its places, from every origin, with one boarding of it."""
    width = back.shape[0]
    # Labels are swept for all origins at once: ahead along the route, then back, and each place keeps the lower of the two. At a place
    # a passenger either stays on board or boards at the place before, where the other routes had brought him.
    start = arrive[0]
    for j in range(width):
        start[j] = NEVER
    for p in range(1, n):
        link = np.int32(graph.link[stops[p - 1], stops[p]])
        board = np.int32(link + graph.transfer)
        here, before, waiting = arrive[p], arrive[p - 1], rest.turned[stops[p - 1]]
        for j in range(width):
            stay, enter = np.int32(before[j] + link), np.int32(waiting[j] + board)
            here[j] = stay if stay < enter else enter
    for j in range(width):
        back[j] = NEVER
    for p in range(n - 2, -1, -1):
        link = np.int32(graph.link[stops[p + 1], stops[p]])
        board = np.int32(link + graph.transfer)
        here, waiting = arrive[p], rest.turned[stops[p + 1]]
        for j in range(width):
            stay, enter = np.int32(back[j] + link), np.int32(waiting[j] + board)
            stay = stay if stay < enter else enter
            back[j] = stay
            old = here[j]
            here[j] = stay if stay < old else old


@inner_kernel
def _find_gains(rest: OtherRoutes, stops: NDArray[np.int32], n: int, workspace: Workspace) -> None:
    """List, for each origin, the places of the route that it now reaches sooner."""
    gains, n_gains = workspace.gains, workspace.n_gains
    for i in range(n_gains.shape[0]):
        n_gains[i] = 0
    for p in range(n):
        now, before = workspace.arrive[p], rest.turned[stops[p]]
        for i in range(n_gains.shape[0]):
            # Written in any case and kept only if it gains: without a branch the compiler takes several origins at once.
            gains[i, n_gains[i]] = p
            n_gains[i] += np.int32(now[i] < before[i])


@inlined
def _better_row(rest: OtherRoutes, stops: NDArray[np.int32], workspace: Workspace, i: int, low: int, row: NDArray[np.int32]) -> None:
    """Write the times from origin `i`, which gains, from column `low` on."""
    times, gains, count = rest.times, workspace.gains[i], workspace.n_gains[i]
    _join_from(row, times[i, low:], times[stops[gains[0]], low:], workspace.arrive[gains[0], i])
    k = 1
    while k + 1 < count:
        p, q = gains[k], gains[k + 1]
        _join_two(row, times[stops[p], low:], workspace.arrive[p, i], times[stops[q], low:], workspace.arrive[q, i])
        k += 2
    if k < count:
        _join(row, times[stops[gains[k]], low:], workspace.arrive[gains[k], i])


@lean_kernel
def cost_with(graph: StopGraph, rest: OtherRoutes, stops: NDArray[np.int32], n: int, workspace: Workspace) -> int:
    """
    Cost of the other routes and one more, if nobody boards that one twice.

    Boarding a route twice in one journey pays seldom and little; what it saves is left out here and counted by `join_route`.

    Parameters
    ----------
    graph, rest
        The stop graph, and the other routes.
    stops, n
        Stop indices of the route, and how many count.
    workspace
        Work space; keeps what `join_route` needs.

    Returns
    -------
    int
        The cost as `weigh` counts it, never below the true one.
    """
    _sweep(graph, rest, stops, n, workspace.arrive, workspace.other)
    _find_gains(rest, stops, n, workspace)
    total: Any = np.int64(0)
    for i in range(graph.link.shape[0]):
        if workspace.n_gains[i] == 0:  # an origin that gains nothing costs what it did
            total += rest.cost[i]
        else:
            low = _first(graph, i)
            row = workspace.row[low:]
            _better_row(rest, stops, workspace, i, low, row)
            total += _dot(graph.weight[i, low:], row)
    return int(total)


@inlined
def _reboard(
    graph: StopGraph, rest: OtherRoutes, stops: NDArray[np.int32], n: int, arrive: NDArray[np.int32], i: int, row: NDArray[np.int32]
) -> None:
    """Lower the times from origin `i` to journeys that leave the route and board it again."""
    # A second boarding can only pay where the times just joined reach a place sooner than a ride on the route does.
    again = False
    for p in range(n):
        time = row[stops[p]]
        again |= time < arrive[p, i] and time < rest.times[i, stops[p]]
    while again:
        again = False
        for step in (1, -1):
            p = 0 if step == 1 else n - 1
            time = np.int64(NEVER)
            for _ in range(n - 1):
                time = min(time, np.int64(row[stops[p]]) + graph.transfer) + graph.link[stops[p], stops[p + step]]
                p += step
                if time < row[stops[p]]:
                    again = True
                    _join(row, rest.times[stops[p]], np.int32(time))


@lean_kernel
def join_route(graph: StopGraph, rest: OtherRoutes, stops: NDArray[np.int32], n: int, workspace: Workspace, out: OtherRoutes) -> int:
    """
    Write the times on the other routes and one more.

    Parameters
    ----------
    graph, rest, stops, n
        As for `cost_with`.
    workspace
        Work space.
    out
        The `OtherRoutes` to write, not `rest` itself.

    Returns
    -------
    int
        The exact cost, as `weigh` gives it.
    """
    _sweep(graph, rest, stops, n, workspace.arrive, workspace.other)
    _find_gains(rest, stops, n, workspace)
    for i in range(graph.link.shape[0]):
        if workspace.n_gains[i] == 0:
            copy_row(out.times[i], rest.times[i])
        else:
            _better_row(rest, stops, workspace, i, 0, out.times[i])
            _reboard(graph, rest, stops, n, workspace.arrive, i, out.times[i])
    return weigh(graph, out)


@kernel
def count_transfers(
    link: NDArray[np.int32], routes: NDArray[np.int32], sizes: NDArray[np.int64], transfer: int, rides: NDArray[np.int64]
) -> None:
    """
    Write the fastest journey between all stops, ties by fewer transfers.

    Parameters
    ----------
    link
        Seconds or ticks from stop to stop, shape (S, S); -1 where there is no link.
    routes, sizes
        Stop indices, shape (K, M), and stops of each route, shape (K,).
    transfer
        Time of a transfer, in the unit of `link`.
    rides
        Written: ``(time + transfer) * (S + 1) + boardings``, int64 (S, S); -1 where there is no journey, 0 on the diagonal.
    """
    n = link.shape[0]
    never = np.int64(1) << 60
    for i in range(n):
        for j in range(n):
            rides[i, j] = 0 if i == j else never
    for k in range(routes.shape[0]):
        for step in (1, -1):
            for a in range(sizes[k]):
                time = np.int64(transfer)
                b = a + step
                while 0 <= b < sizes[k]:
                    time += link[routes[k, b - step], routes[k, b]]
                    rides[routes[k, a], routes[k, b]] = min(rides[routes[k, a], routes[k, b]], time * (n + 1) + 1)
                    b += step
    for k in range(n):
        for i in range(n):
            for j in range(n):
                rides[i, j] = min(rides[i, j], rides[i, k] + rides[k, j])
    for i in range(n):
        for j in range(n):
            if rides[i, j] >= never:
                rides[i, j] = -1
