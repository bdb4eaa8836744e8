"""
Moves on routes and simulated annealing over them, one route at a time against the rest of the plan.

Arrays as in `owlbus.kernels.coverage`, and:

``limits``
    float64 (9,): longest and shortest route in metres, longest ride in seconds, largest circuity, most and fewest stops,
    most metres and most buses of all routes together, headway in seconds; every bound is included.
``drive``
    ``(towards_s int32 (S, S), metres, pace float)``: fastest seconds to the stop of the row from that of the column, so that ways to one
    stop lie side by side; shortest metres as `owlbus.kernels.metres` keeps them; and metres that a second on any link is worth at least.
``pull``
    float64 (S,): running sum of how much each stop attracts a route, for drawing stops.
``wishes``
    As in `owlbus.kernels.wishes`: where routes may end, and what they must call at.
``dice``
    uint64 (1,): state of the random numbers (SplitMix64), so that a seed gives the same search everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from owlbus.kernels.bounding import hold_route, known_gain, most_gain
from owlbus.kernels.compiling import inlined, kernel, lean_kernel
from owlbus.kernels.coverage import ZERO, find_link, measure_route, prepare_rest, route_gain
from owlbus.kernels.metres import shortest_m
from owlbus.kernels.wishes import calls_at, count_calls, ends_well, keeps_wishes

N_MOVES = 8
"""Kinds of moves: insert, remove, flip, extend, trim, slide, detour, new tail."""

NEW_TAIL = 7
"""The move that looks for another terminal."""

_WIDEST_DETOUR = 8
_DRAWS = 3
_IDLE = 16
_REDRAWS = 2
_CHANGES = 16


@inlined
def roll(dice: Any) -> float:
    """
    Next random number of the state `dice` (Steele, Lea and Flood 2014, SplitMix64).

    Parameters
    ----------
    dice
        State, uint64 (1,); advanced.

    Returns
    -------
    float
        In [0, 1).
    """
    dice[0] += np.uint64(0x9E3779B97F4A7C15)
    z = dice[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def below(dice: Any, n: int) -> int:
    """Whole number in [0, n)."""
    return min(int(roll(dice) * n), n - 1)


@inlined
def draw_stop(pull: Any, dice: Any) -> int:
    """
    Draw a stop with a chance in proportion to its pull.

    Parameters
    ----------
    pull
        Running sum, float64 (S,).
    dice
        Random state.

    Returns
    -------
    int
        Stop index.
    """
    total = pull[pull.shape[0] - 1]
    if total <= 0:
        return below(dice, pull.shape[0])
    at = roll(dice) * total
    low, high = 0, pull.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if pull[middle] > at:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def append_path(graph: Any, drive: Any, stops: Any, n: int, target: int, dice: Any) -> int:
    """
    Extend a stop sequence along a fastest path to `target`.

    Ties between fastest paths are broken at random.

    Parameters
    ----------
    graph, drive
        The stop network and its drive matrices.
    stops
        Stop indices, shape (M,); written from place `n` on.
    n
        Stops so far, >= 1.
    target
        Stop to reach.
    dice
        Random state.

    Returns
    -------
    int
        Stops now, or -1 if the target cannot be reached or the sequence does not fit into M places.
    """
    link_indptr, link_to, link_s = graph[0], graph[1], graph[2]
    towards_s = drive[0][target]
    here = stops[n - 1]
    while here != target:
        if n >= stops.shape[0]:
            return -1
        best, ties, onward = np.int64(1) << 40, 0, -1
        for link in range(link_indptr[here], link_indptr[here + 1]):
            away = np.int64(link_s[link]) + towards_s[link_to[link]]
            if away < best:
                best, ties, onward = away, 1, link_to[link]
            elif away == best:
                ties += 1
                if roll(dice) * ties < 1:
                    onward = link_to[link]
        if onward < 0 or towards_s[onward] >= towards_s[here]:
            return -1
        stops[n] = onward
        n += 1
        here = onward
    return n


@inlined
def _draw_kind(kinds: Any, dice: Any) -> int:
    """Draw a kind of move by its chance."""
    at = roll(dice) * kinds[0, N_MOVES - 1]
    kind = 0
    while kind < N_MOVES - 1 and kinds[0, kind] <= at:
        kind += 1
    return kind


@inlined
def _is_same(cand: Any, n: int, stops: Any, m: int) -> bool:
    """Whether a candidate is the route it came from, in either direction."""
    if n != m:
        return False
    ahead, back = True, True
    for p in range(n):
        ahead = ahead and cand[p] == stops[p]
        back = back and cand[p] == stops[n - 1 - p]
        if not (ahead or back):
            return False
    return True


@inlined
def is_simple(stops: Any, n: int, mark: Any) -> bool:
    """
    Whether no stop occurs twice.

    Parameters
    ----------
    stops, n
        Stop indices and how many count.
    mark
        Work space of zeros, uint8 (S,); left as it was.

    Returns
    -------
    bool
        True if all differ.
    """
    simple = True
    seen = 0
    for p in range(n):
        if mark[stops[p]]:
            simple = False
            break
        mark[stops[p]] = 1
        seen += 1
    for p in range(seen):
        mark[stops[p]] = 0
    return simple


@inlined
def _between(graph: Any, a: int, b: int, dice: Any) -> int:
    """Random stop linked with both `a` and `b`, or -1."""
    link_indptr, link_to = graph[0], graph[1]
    found, chosen = 0, -1
    for link in range(link_indptr[a], link_indptr[a + 1]):
        x = link_to[link]
        if x != b and find_link(graph, x, b) >= 0:
            found += 1
            if roll(dice) * found < 1:
                chosen = x
    return chosen


@inlined
def _random_neighbour(graph: Any, a: int, dice: Any) -> int:
    """Random stop linked with `a`, or -1."""
    begin, end = graph[0][a], graph[0][a + 1]
    return graph[1][begin + below(dice, end - begin)] if end > begin else -1


@inlined
def _copy(source: Any, begin: int, end: int, out: Any, n: int) -> int:
    """Append ``source[begin:end]`` to `out` at place `n`; the new count, or -1 if it does not fit."""
    if n < 0 or n + end - begin > out.shape[0]:
        return -1
    for p in range(begin, end):
        out[n + p - begin] = source[p]
    return n + end - begin


@inlined
def _reverse(stops: Any, n: int) -> None:
    """Turn a stop sequence round in place."""
    for p in range(n // 2):
        stops[p], stops[n - 1 - p] = stops[n - 1 - p], stops[p]


@inlined
def _draw_near(drive: Any, pull: Any, stops: Any, n: int, dice: Any) -> tuple[int, int]:
    """Draw a few stops by pull and return the one nearest to the route, with the place it is nearest to."""
    best, chosen, place = np.int64(1) << 40, -1, 0
    for _ in range(_DRAWS):
        x = draw_stop(pull, dice)
        if calls_at(stops, n, x):
            continue
        for p in range(n):
            away = np.int64(drive[0][x, stops[p]])
            if away < best:
                best, chosen, place = away, x, p
    return chosen, place


@inlined
def propose(graph: Any, drive: Any, pull: Any, stops: Any, n: int, out: Any, kind: int, dice: Any) -> int:
    """
    Write a neighbour of a route.

    Parameters
    ----------
    graph, drive, pull
        The stop network, its drive matrices and what draws routes.
    stops, n
        The route, n >= 2.
    out
        Written: the neighbour, shape (M,); it may pass a stop twice.
    kind
        Move, in [0, `N_MOVES`).
    dice
        Random state.

    Returns
    -------
    int
        Stops of the neighbour, or -1 if this move does not apply here.
    """
    if kind == 0:  # insert a stop into a link
        p = below(dice, n - 1)
        x = _between(graph, stops[p], stops[p + 1], dice)
        if x < 0:
            return -1
        m = _copy(stops, ZERO, p + 1, out, ZERO)
        if m < 0 or m >= out.shape[0]:
            return -1
        out[m] = x
        return _copy(stops, p + 1, n, out, m + 1)
    if kind == 1:  # leave out a stop between two that are linked
        if n < 3:
            return -1
        p = 1 + below(dice, n - 2)
        if find_link(graph, stops[p - 1], stops[p + 1]) < 0:
            return -1
        return _copy(stops, p + 1, n, out, _copy(stops, ZERO, p, out, ZERO))
    if kind == 2:  # put another stop in a stop's place
        if n < 3:
            return -1
        p = 1 + below(dice, n - 2)
        x = _between(graph, stops[p - 1], stops[p + 1], dice)
        if x < 0 or x == stops[p]:
            return -1
        m = _copy(stops, ZERO, n, out, ZERO)
        out[p] = x
        return m
    if 3 <= kind <= 5:  # extend, trim, or both at opposite ends
        m = _copy(stops, ZERO, n, out, ZERO)
        if roll(dice) < 0.5:
            _reverse(out, m)
        if kind != 3:
            m -= 1 + below(dice, min(4, m - 1)) if m > 1 else 0
        if kind != 4:
            if kind == 5:
                _reverse(out, m)
            for _ in range(1 if kind == 3 else 1 + below(dice, 3)):
                x = _random_neighbour(graph, out[m - 1], dice)
                if x < 0 or m >= out.shape[0] or calls_at(out, m, x):
                    break
                out[m] = x
                m += 1
        return m
    x, p = _draw_near(drive, pull, stops, n, dice)
    if x < 0:
        return -1
    if kind == 6:  # pass by a stop that has demand
        before = max(0, p - below(dice, _WIDEST_DETOUR))
        after = min(n - 1, p + below(dice, _WIDEST_DETOUR))
        m = append_path(graph, drive, out, _copy(stops, ZERO, before + 1, out, ZERO), x, dice)
        if m < 0:
            return -1
        if after == p and p == n - 1:
            return m
        m = append_path(graph, drive, out, m, np.int64(stops[after]), dice)
        return _copy(stops, after + 1, n, out, m)
    # a new tail towards a stop that has demand
    m = _copy(stops, ZERO, n, out, ZERO)
    if roll(dice) < 0.5:
        _reverse(out, m)
        p = n - 1 - p
    cut = max(0, p - below(dice, _WIDEST_DETOUR))
    return append_path(graph, drive, out, cut + 1, x, dice)


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
def keeps_limits(
    drive: Any, limits: Any, stops: Any, n: int, ahead: float, back: float, metres: Any, other_m: float, other_buses: float
) -> bool:
    """
    Whether a route keeps the limits beside the other routes.

    Parameters
    ----------
    drive, limits
        Drive matrices and limits.
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
    if n < limits[5] or n > limits[4] or longer > limits[0] or min(metres[0], metres[1]) < limits[1]:
        return False
    if max(ahead, back) > limits[2] or other_m + longer > limits[6]:
        return False
    if other_buses + buses_of(ahead + back, limits[8]) > limits[7]:
        return False
    first, last = stops[0], stops[n - 1]
    towards_s, least = drive[0], limits[3] * drive[2]
    if metres[0] <= least * towards_s[last, first] and metres[1] <= least * towards_s[first, last]:
        return True
    there_m, home_m = shortest_m(drive[1], first, last), shortest_m(drive[1], last, first)
    return bool(metres[0] <= limits[3] * there_m and metres[1] <= limits[3] * home_m)


@kernel
def anneal(
    graph: Any,
    demand: Any,
    drive: Any,
    limits: Any,
    pull: Any,
    wishes: Any,
    routes: Any,
    best_stops: Any,
    best_n: Any,
    frozen: Any,
    values: Any,
    rest: Any,
    held: Any,
    scratch: Any,
    dice: Any,
    kinds: Any,
    steps: int,
    block: int,
    hot: float,
    cold: float,
    weights: Any,
    transfer_s: float,
    max_transfers: int,
) -> int:
    """
    Improve a plan by annealing: blocks of moves on one route after another.

    Parameters
    ----------
    graph, demand, drive, limits, pull, wishes
        The case.
    routes
        The plan; changed in place.
    best_stops, best_n
        The best plan met, int32 (K, M) and (K,); changed in place.
    frozen
        Routes that stay as they are, bool (K,).
    values
        int64 (5,): value of the plan, of the best plan, moves evaluated, steps since the best got better, and moves whose
        bound did not settle them; changed in place.
    rest, held, scratch
        Work space: of `coverage.new_rest`, of `bounding.new_held`, and for a candidate
        ``(stops, ahead_s, back_s, the work space of coverage.new_scratch, mark)``.
    dice
        Random state.
    kinds
        float64 (3, `N_MOVES`): running sum of the chance of each kind of move; and how many were tried and accepted, added to.
    steps
        Moves to try.
    block
        Moves on one route before the next is drawn, unless it changed often before that.
    hot, cold
        Temperature at the first and the last of these steps, in 1/1024 of what the objective counts.
    weights
        int64 (2,): what a served trip and a reached person count.
    transfer_s
        Seconds that a transfer costs.
    max_transfers
        0 or 1.

    Returns
    -------
    int
        Moves tried: `steps`, or 0 if every route is frozen or empty.
    """
    stops, n_stops, ahead_s, back_s = routes
    cand, cand_ahead, cand_back, entry_scratch, mark = scratch
    n_routes = n_stops.shape[0]
    metres = np.zeros(n_routes, np.int64)
    buses = np.zeros(n_routes, np.int64)
    others = np.zeros(wishes[2].shape[0], np.int64)
    idle = np.zeros(N_MOVES, np.int64)
    movable = 0
    for k in range(n_routes):
        ahead_m, back_m = measure_route(graph, stops[k], n_stops[k], ahead_s[k], back_s[k])
        if n_stops[k] > 0:
            metres[k] = max(ahead_m, back_m)
            buses[k] = buses_of(ahead_s[k, n_stops[k] - 1] + back_s[k, n_stops[k] - 1], limits[8])
        if n_stops[k] > 1 and not frozen[k]:
            movable += 1
    if movable == 0:
        return 0
    done = 0
    while done < steps:
        k = below(dice, n_routes)
        while frozen[k] or n_stops[k] < 2:
            k = below(dice, n_routes)
        prepare_rest(graph, routes, rest, k, transfer_s)
        served, people = hold_route(
            graph, demand, routes, rest, held, stops[k], n_stops[k], ahead_s[k], back_s[k], entry_scratch, max_transfers
        )
        now = weights[0] * served + weights[1] * people
        count_calls(wishes, routes, k, others)
        other_m, other_buses = 0.0, 0.0
        for other in range(n_routes):
            if other != k:
                other_m += metres[other]
                other_buses += buses[other]
        idle[:] = 0
        left = min(block, steps - done)
        changes = 0
        while left > 0 and changes < _CHANGES:
            left -= 1
            done += 1
            values[3] += 1
            kind = _draw_kind(kinds, dice)
            for _ in range(_REDRAWS):
                if idle[kind] >= _IDLE:  # none of the last ones kept the limits: another kind may fare better
                    kind = _draw_kind(kinds, dice)
            kinds[1, kind] += 1
            idle[kind] += 1
            n = propose(graph, drive, wishes[1] if kind == NEW_TAIL else pull, stops[k], n_stops[k], cand, kind, dice)
            if n < 2 or _is_same(cand, n, stops[k], n_stops[k]) or not is_simple(cand, n, mark):
                continue
            ahead_m, back_m = measure_route(graph, cand, n, cand_ahead, cand_back)
            if ahead_m < 0:
                continue
            if not keeps_limits(drive, limits, cand, n, cand_ahead[n - 1], cand_back[n - 1], (ahead_m, back_m), other_m, other_buses):
                continue
            if not keeps_wishes(wishes, others, k, stops[k], n_stops[k], cand, n):
                continue
            values[2] += 1
            idle[kind] = 0
            accept_from = now + hot * (cold / hot) ** (done / steps) * math.log(1.0 - roll(dice))
            most_served, most_people, found = most_gain(
                graph,
                demand,
                drive,
                routes,
                rest,
                held,
                served,
                people,
                ahead_s[k],
                back_s[k],
                cand,
                n,
                cand_ahead,
                cand_back,
                max_transfers,
            )
            if found and weights[0] * most_served + weights[1] * most_people < accept_from:
                continue
            new_served, new_people = known_gain(
                graph, demand, routes, rest, held, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers
            )
            values[4] += 1
            value = weights[0] * new_served + weights[1] * new_people
            if value < accept_from:
                continue
            kinds[2, kind] += 1
            changes += 1
            idle[:] = 0
            served, people = new_served, new_people
            n_stops[k] = n
            for p in range(n):
                stops[k, p] = cand[p]
                ahead_s[k, p] = cand_ahead[p]
                back_s[k, p] = cand_back[p]
            metres[k] = max(ahead_m, back_m)
            buses[k] = buses_of(cand_ahead[n - 1] + cand_back[n - 1], limits[8])
            values[0] += value - now
            now = value
            hold_route(graph, demand, routes, rest, held, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers)
            if values[0] > values[1]:
                values[1] = values[0]
                values[3] = 0
                for other in range(n_routes):
                    best_n[other] = n_stops[other]
                    for p in range(n_stops[other]):
                        best_stops[other, p] = stops[other, p]
    return done


@kernel
def best_drawn_route(
    graph: Any,
    demand: Any,
    drive: Any,
    limits: Any,
    pull: Any,
    wishes: Any,
    unmet: Any,
    routes: Any,
    k: int,
    others: Any,
    rest: Any,
    scratch: Any,
    dice: Any,
    draws: int,
    weights: Any,
    transfer_s: float,
    max_transfers: int,
) -> int:
    """
    Give an empty route the best of many drawn fastest paths: the one that calls at most of some stops, then the one that adds most.

    Parameters
    ----------
    graph, demand, drive, limits, pull, wishes, routes, rest, scratch, dice, weights, transfer_s, max_transfers
        As in `anneal`; row `k` of `routes` is written.
    unmet
        Stops that too few routes call at, int32 (U,); each path leads by one of them.
    k
        The route to fill.
    others
        Metres and buses of the other routes, a pair.
    draws
        Paths to draw.

    Returns
    -------
    int
        What the route adds, in 1/1024; -1 if no drawn path keeps the limits.
    """
    stops, n_stops, ahead_s, back_s = routes
    cand, cand_ahead, cand_back, entry_scratch, mark = scratch
    prepare_rest(graph, routes, rest, k, transfer_s)
    one, two = wishes[3][k, 0], wishes[3][k, 1]
    best, best_called = -1, -1
    for draw in range(draws):
        a = one if one >= 0 else draw_stop(wishes[1], dice)
        b = two if two >= 0 else draw_stop(wishes[1], dice)
        via = unmet[below(dice, unmet.shape[0])] if unmet.shape[0] > 0 else -1
        if via >= 0 and one < 0 and draw % 2 == 1:
            a = via
        elif via < 0 and two >= 0 and draw > 0:
            via = draw_stop(pull, dice)
        if a == b:
            continue
        cand[0] = a
        n = append_path(graph, drive, cand, ZERO + 1, np.int64(via), dice) if via >= 0 else ZERO + 1
        n = append_path(graph, drive, cand, n, b, dice) if n > 0 else -1
        if n < 2 or (via >= 0 and not is_simple(cand, n, mark)) or not ends_well(wishes, k, cand, n):
            continue
        metres = measure_route(graph, cand, n, cand_ahead, cand_back)
        if metres[0] < 0 or not keeps_limits(drive, limits, cand, n, cand_ahead[n - 1], cand_back[n - 1], metres, others[0], others[1]):
            continue
        served, people = route_gain(graph, demand, routes, rest, cand, n, cand_ahead, cand_back, entry_scratch, max_transfers)
        value = weights[0] * served + weights[1] * people
        called = 0
        for stop in unmet:
            called += calls_at(cand, n, stop)
        if called > best_called or (called == best_called and value > best):
            best, best_called = value, called
            n_stops[k] = n
            for p in range(n):
                stops[k, p] = cand[p]
                ahead_s[k, p] = cand_ahead[p]
                back_s[k, p] = cand_back[p]
    return best
