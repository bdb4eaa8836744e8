"""
Arms: the most that trips of one hex can earn on walks that leave its stop over a given link, within every cost.

A route that calls at a stop goes on from there in at most two directions. Each of them is a walk that begins over a link of the stop, never
comes back to the stop or to the first stop behind it, and never turns round at a stop. So the trips of a hex at the stop earn at most
what the best such walk on either side earns. Rides are kept: a walk earns the trips with a hex only if some walk of its cost to that stop
is short enough for them.

Values are float32. All terms are >= 0, and each passes at most `n_additions` of them on its way into a sum, so that a sum is below the true
one by at most ``n_additions * 2**-24`` of it, which callers add.

Symbols: S stops, L links, H hexes, W directions with trips of their own, P entries of hexes and their partners, E entries of walk
sheds (a *source* is one of them: a stop and a hex that begins or ends trips there), A arms (a source and a link of its stop, in rows of
sources), B the largest cost, N arms at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import float32, inlined, inner_kernel, int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_ARMS = 64
"""Arms that grow side by side, N."""

_NEVER = float32(-1e30)
_NO_RIDE = 2**30


class ArmGraph(NamedTuple):
    """
    Stop network as arms take it; every link has its reverse.

    Attributes
    ----------
    link_indptr, link_to
        Links by stop, shapes (S + 1,), int64, and (L,), int32.
    link_cost
        Whole cost of each link, >= 1 and the same in both directions, shape (L,), int32.
    back_slot
        Place of a link's reverse among the links of the stop it leads to, shape (L,), int32.
    shed_indptr, shed_hex
        Walk sheds by stop, shapes (S + 1,), int64, and (E,), int32.
    new_indptr, new_hex
        Hexes within the walk of the stop that a link leads to and not of the stop that it leaves, shapes (L + 1,), int64, and int32.
    is_mixed
        Whether some link to the stop leaves a stop with a hex in common, shape (S,), bool.
    """

    link_indptr: NDArray[np.int64]
    link_to: NDArray[np.int32]
    link_cost: NDArray[np.int32]
    back_slot: NDArray[np.int32]
    shed_indptr: NDArray[np.int64]
    shed_hex: NDArray[np.int32]
    new_indptr: NDArray[np.int64]
    new_hex: NDArray[np.int32]
    is_mixed: NDArray[np.bool_]


class ArmSources(NamedTuple):
    """
    Where arms begin, and how far their trips accept to ride.

    Attributes
    ----------
    arm_indptr
        First arm of each source, shape (E + 1,), int64; the arms of a source are in the order of the links of its stop.
    stop_of
        Stop of each source, shape (E,), int32.
    indptr, partner
        Partners of each hex, shapes (H + 1,), int64, and (P,), int32.
    latest_indptr
        First entry of each source in ``latest``, shape (E + 1,), int64.
    latest
        Largest cost at which some walk brings the trips with each partner in time, -1 for none, shape (W, sum of the partners of all
        sources), int16.
    """

    arm_indptr: NDArray[np.int64]
    stop_of: NDArray[np.int32]
    indptr: NDArray[np.int64]
    partner: NDArray[np.int32]
    latest_indptr: NDArray[np.int64]
    latest: NDArray[np.int16]


class ArmSpace(NamedTuple):
    """
    Work space for `N_ARMS` arms at a time; arrays of few kinds, whose places compilers can tell apart.

    Attributes
    ----------
    n_costs
        Costs kept at a time, D, at most B + 1.
    best, second, slot
        Most that a walk to a stop earns, most by another last link, and the last link of the former as its place among the links of the
        stop, each of shape (D * S, N), float32.
    is_alive
        Whether any walk ends there, shape (D, S), bool.
    gain, until
        What a hex earns and up to which cost, shape (W * H, N), float32.
    highest, next_highest, last_slot, reward
        The same of the stop in hand, and what arms earn there, each of shape (N,), float32.
    """

    n_costs: int
    best: NDArray[np.float32]
    second: NDArray[np.float32]
    slot: NDArray[np.float32]
    is_alive: NDArray[np.bool_]
    gain: NDArray[np.float32]
    until: NDArray[np.float32]
    highest: NDArray[np.float32]
    next_highest: NDArray[np.float32]
    last_slot: NDArray[np.float32]
    reward: NDArray[np.float32]


def new_space(n_stops: int, n_rows: int, n_costs: int) -> ArmSpace:
    """
    Work space.

    Parameters
    ----------
    n_stops
        Stops S.
    n_rows
        Rows of hexes and directions, W * H.
    n_costs
        Costs kept at a time, D.

    Returns
    -------
    ArmSpace
        About ``12 * D * S * N_ARMS`` bytes.
    """
    best, second, slot = (np.zeros((n_costs * n_stops, N_ARMS), np.float32) for _ in range(3))
    gain, until = (np.zeros((n_rows, N_ARMS), np.float32) for _ in range(2))
    highest, next_highest, last_slot, reward = (np.zeros(N_ARMS, np.float32) for _ in range(4))
    is_alive = np.zeros((n_costs, n_stops), np.bool_)
    return ArmSpace(n_costs, best, second, slot, is_alive, gain, until, highest, next_highest, last_slot, reward)


@kernel
def latest_costs(
    graph: ArmGraph, ahead_s: NDArray[np.int32], back_s: NDArray[np.int32], limit_s: NDArray[np.float32], spare_s: NDArray[np.float32],
    budget: int, sources: ArmSources, first: int, last: int,
) -> None:  # fmt: skip
    """
    Fill ``sources.latest``: the largest cost at which the trips of a source with each partner can still accept their ride.

    Parameters
    ----------
    graph
        The network.
    ahead_s, back_s
        Seconds of each link and of its reverse, shape (L,), int32.
    limit_s
        Longest ride of each entry, away from its hex and towards it, shape (W, P), float32.
    spare_s
        Seconds that rides from each source may take longer, shape (E,), float32, >= 0.
    budget
        Largest cost B.
    sources
        ``latest`` is written.
    first, last
        Stops to do, from `first` to before `last`.
    """
    link_indptr, link_to, link_cost = graph.link_indptr, graph.link_to, graph.link_cost
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    indptr, partner, latest_indptr, latest = sources.indptr, sources.partner, sources.latest_indptr, sources.latest
    n_stops, n_hexes, n_ways = link_indptr.size - 1, indptr.size - 1, limit_s.shape[0]
    n_costs = 1
    for link in range(link_cost.size):
        n_costs = max(n_costs, link_cost[link] + 1)
    least = np.empty((n_costs, n_stops), np.int64)
    by_hex = np.empty(n_hexes, np.int64)
    for stop in range(first, last):
        for way in range(n_ways):
            seconds = back_s if way == 0 else ahead_s  # links are looked at from where they lead
            least[:] = _NO_RIDE
            least[0, stop] = 0
            for source in range(shed_indptr[stop], shed_indptr[stop + 1]):
                latest[way, latest_indptr[source] : latest_indptr[source + 1]] = -1
            for cost in range(budget + 1):
                row = cost % n_costs
                by_hex[:] = _NO_RIDE
                for to in range(n_stops):
                    if cost > 0:
                        fewest = _NO_RIDE
                        for link in range(link_indptr[to], link_indptr[to + 1]):
                            if link_cost[link] <= cost:
                                fewest = min(fewest, least[(cost - link_cost[link]) % n_costs, link_to[link]] + seconds[link])
                        least[row, to] = fewest
                    if least[row, to] < _NO_RIDE:
                        for e in range(shed_indptr[to], shed_indptr[to + 1]):
                            by_hex[shed_hex[e]] = min(by_hex[shed_hex[e]], least[row, to])
                for source in range(shed_indptr[stop], shed_indptr[stop + 1]):
                    h = shed_hex[source]
                    shift = latest_indptr[source] - indptr[h]
                    for e in range(indptr[h], indptr[h + 1]):
                        limit = limit_s[way, e]
                        if limit >= 0 and by_hex[partner[e]] <= limit + spare_s[source]:
                            latest[way, e + shift] = cost


@inner_kernel
def _load(graph: ArmGraph, sources: ArmSources, space: ArmSpace, multiplier: NDArray[np.float32], source: int, arm: int) -> None:
    """Write what each hex earns on one arm: nothing for hexes of the stop itself."""
    indptr, partner = sources.indptr, sources.partner
    gain, until = space.gain, space.until
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    n_hexes, n_entries = indptr.size - 1, partner.size
    h, stop = shed_hex[source], sources.stop_of[source]
    for way in range(sources.latest.shape[0]):
        for e in range(indptr[h], indptr[h + 1]):
            row = way * n_hexes + partner[e]
            gain[row, arm] = multiplier[way * n_entries + e]
            until[row, arm] = sources.latest[way, sources.latest_indptr[source] + e - indptr[h]]
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            gain[way * n_hexes + shed_hex[e], arm] = float32(0.0)


@inner_kernel
def _unload(graph: ArmGraph, sources: ArmSources, space: ArmSpace, source: int, arm: int) -> None:
    """Set what `_load` wrote back to 0."""
    indptr, partner, gain = sources.indptr, sources.partner, space.gain
    n_hexes, h = indptr.size - 1, graph.shed_hex[source]
    for way in range(sources.latest.shape[0]):
        for e in range(indptr[h], indptr[h + 1]):
            gain[way * n_hexes + partner[e], arm] = float32(0.0)


@inlined
def _earn(space: ArmSpace, n_ways: int, n_hexes: int, hexes: NDArray[np.int32], begin: int, end: int, cost: int) -> None:
    """Write what each arm earns at some hexes, if its walk costs so much there."""
    gain, until, reward = space.gain, space.until, space.reward
    at_cost = float32(cost)
    for arm in range(N_ARMS):
        reward[arm] = float32(0.0)
    for e in range(begin, end):
        for way in range(n_ways):
            h = way * n_hexes + hexes[e]
            for arm in range(N_ARMS):
                value = gain[h, arm]
                reward[arm] += value if until[h, arm] >= at_cost else float32(0.0)


@inlined
def _extend(space: ArmSpace, state: int, turned: int, here: int) -> None:
    """Take up the walks of a neighbour that did not come from the stop in hand, with what they earn here."""
    best, second, slot, reward = space.best, space.second, space.slot, space.reward
    highest, next_highest, last_slot = space.highest, space.next_highest, space.last_slot
    back, mine = float32(turned), float32(here)
    for arm in range(N_ARMS):
        one, two = best[state, arm], second[state, arm]
        value = (two if slot[state, arm] == back else one) + reward[arm]
        high, low, last = highest[arm], next_highest[arm], last_slot[arm]
        other = high if high < value else value
        last_slot[arm] = mine if value > high else last
        next_highest[arm] = other if other > low else low
        highest[arm] = value if value > high else high


@kernel
def grow_arms(
    graph: ArmGraph, sources: ArmSources, space: ArmSpace, multiplier: NDArray[np.float32], first: int, n: int, budget: int,
    arms: NDArray[np.float32],
) -> None:  # fmt: skip
    """
    Most that each of some arms in a row earns within every cost.

    Parameters
    ----------
    graph, sources
        The network and where arms begin.
    space
        Work space; afterwards it holds walks of the last D costs, gains are 0 again.
    multiplier
        Multiplier of each entry, shape (W * P,), float32, >= 0.
    first, n
        The first arm, and how many, at most `N_ARMS`.
    budget
        Largest cost B.
    arms
        Written in rows from `first`: most that the walks of each arm earn within each cost, shape (A, B + 1), float32.
    """
    link_indptr, link_to, link_cost, back_slot = graph.link_indptr, graph.link_to, graph.link_cost, graph.back_slot
    shed_indptr, shed_hex, new_indptr, new_hex = graph.shed_indptr, graph.shed_hex, graph.new_indptr, graph.new_hex
    arm_indptr, stop_of = sources.arm_indptr, sources.stop_of
    n_costs, is_alive, reward = space.n_costs, space.is_alive, space.reward
    best, second, slot = space.best, space.second, space.slot
    highest, next_highest, last_slot = space.highest, space.next_highest, space.last_slot
    n_stops, n_hexes, n_ways = link_indptr.size - 1, sources.indptr.size - 1, sources.latest.shape[0]
    source_of, link_of = np.empty(n, np.int64), np.empty(n, np.int64)
    # Arms that begin at a stop or go there first, as lists by stop: they never come back to it.
    head, after = np.full(n_stops, -1, np.int32), np.full(2 * n, -1, np.int32)
    source = int64(np.searchsorted(arm_indptr, first, side="right") - 1)
    for arm in range(n):
        while arm_indptr[source + 1] <= first + arm:
            source += 1
        source_of[arm] = source
        link_of[arm] = link_indptr[stop_of[source]] + first + arm - arm_indptr[source]
        _load(graph, sources, space, multiplier, source, arm)
        for i, stop in ((arm, stop_of[source]), (n + arm, link_to[link_of[arm]])):
            after[i] = head[stop]
            head[stop] = i
    top = np.zeros(N_ARMS, np.float32)
    is_alive[:] = False
    for cost in range(1, budget + 1):
        for stop in range(n_stops):
            begins, i = False, head[stop]
            while i >= 0:
                begins |= i >= n and link_cost[link_of[i - n]] == cost
                i = after[i]
            alive, mixed = begins, graph.is_mixed[stop]
            for link in range(link_indptr[stop], link_indptr[stop + 1]):
                earlier = cost - link_cost[link]
                alive |= earlier >= 1 and is_alive[earlier % n_costs, link_to[link]]
            is_alive[cost % n_costs, stop] = alive
            if not alive:
                continue
            if not mixed:
                _earn(space, n_ways, n_hexes, shed_hex, shed_indptr[stop], shed_indptr[stop + 1], cost)
            for arm in range(N_ARMS):
                highest[arm] = _NEVER
                next_highest[arm] = _NEVER
                last_slot[arm] = float32(-1.0)
            for link in range(link_indptr[stop], link_indptr[stop + 1]):
                before, earlier = link_to[link], cost - link_cost[link]
                old = earlier % n_costs
                if earlier < 1 or not is_alive[old, before]:
                    continue
                state = old * n_stops + before
                if mixed:
                    way_in = link_indptr[before] + back_slot[link]
                    _earn(space, n_ways, n_hexes, new_hex, new_indptr[way_in], new_indptr[way_in + 1], cost)
                _extend(space, state, back_slot[link], link - link_indptr[stop])
            if begins and mixed:
                _earn(space, n_ways, n_hexes, shed_hex, shed_indptr[stop], shed_indptr[stop + 1], cost)
            i = head[stop]
            while i >= 0:
                arm = i if i < n else i - n
                highest[arm], next_highest[arm], last_slot[arm] = _NEVER, _NEVER, float32(-1.0)
                if i >= n and link_cost[link_of[arm]] == cost:
                    highest[arm], last_slot[arm] = reward[arm], float32(back_slot[link_of[arm]])
                i = after[i]
            state = cost % n_costs * n_stops + stop
            for arm in range(N_ARMS):
                high = highest[arm]
                best[state, arm] = high
                second[state, arm] = next_highest[arm]
                slot[state, arm] = last_slot[arm]
                top[arm] = high if high > top[arm] else top[arm]
        for arm in range(n):
            arms[first + arm, cost] = top[arm]
    for arm in range(n):
        arms[first + arm, 0] = float32(0.0)
        _unload(graph, sources, space, source_of[arm], arm)


@inner_kernel
def _is_within_walk(graph: ArmGraph, stop: int, h: int) -> bool:
    """Whether a hex is within the walk of a stop."""
    for e in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
        if graph.shed_hex[e] == h:
            return True
    return False


@inner_kernel
def _earned(
    graph: ArmGraph, sources: ArmSources, multiplier: NDArray[np.float32], source: int, link: int, cost: int,
    column: int, columns: NDArray[np.int32], entries: NDArray[np.int32], n_written: int,
) -> tuple[float, int]:  # fmt: skip
    """What a walk of this cost earns where a link leads, and the entries that earn it, written unless `column` is negative."""
    indptr, partner, latest = sources.indptr, sources.partner, sources.latest
    h, stop = graph.shed_hex[source], sources.stop_of[source]
    total = float32(0.0)
    for i in range(graph.new_indptr[link], graph.new_indptr[link + 1]):
        other = graph.new_hex[i]
        e = indptr[h] + np.searchsorted(partner[indptr[h] : indptr[h + 1]], other)
        if e == indptr[h + 1] or partner[e] != other or _is_within_walk(graph, stop, other):
            continue
        for way in range(latest.shape[0]):
            entry = way * partner.size + e
            if latest[way, sources.latest_indptr[source] + e - indptr[h]] >= cost and multiplier[entry] > 0.0:
                total += multiplier[entry]
                if column >= 0 and n_written < columns.size:
                    columns[n_written], entries[n_written] = column, entry
                    n_written += 1
    return total, n_written


@kernel
def trace_arms(
    graph: ArmGraph, sources: ArmSources, space: ArmSpace, multiplier: NDArray[np.float32], first: int, arms: NDArray[np.float32],
    asked: NDArray[np.int32], columns: NDArray[np.int32], entries: NDArray[np.int32], n_written: int,
) -> int:  # fmt: skip
    """
    Entries that the best walks of some arms earn, after `grow_arms` with room for all costs.

    Parameters
    ----------
    graph, sources, space, multiplier, first, arms
        As of that call; D must be B + 1.
    asked
        Arm, largest cost and column of each walk asked for, shape (R, 3), int32; arms from `first` to before ``first + N``.
    columns, entries
        Written from `n_written` on: column and entry of what each walk earns, int32; what does not fit is left out.
    n_written
        Entries written so far.

    Returns
    -------
    int
        Entries written.
    """
    link_indptr, link_to, link_cost, back_slot = graph.link_indptr, graph.link_to, graph.link_cost, graph.back_slot
    best, second, slot, is_alive = space.best, space.second, space.slot, space.is_alive
    n_stops = link_indptr.size - 1
    for request in range(asked.shape[0]):
        arm, cost, column = asked[request, 0], asked[request, 1], asked[request, 2]
        lane, source = arm - first, np.searchsorted(sources.arm_indptr, arm, side="right") - 1
        start = sources.stop_of[source]
        if cost < 1 or arms[arm, cost] <= 0.0:
            continue
        while arms[arm, cost - 1] == arms[arm, cost]:
            cost -= 1
        stop = -1
        for s in range(n_stops):
            if is_alive[cost, s] and (stop < 0 or best[cost * n_stops + s, lane] > best[cost * n_stops + stop, lane]):
                stop = s
        is_second = False
        while stop >= 0 and stop != start:
            state = cost * n_stops + stop
            place = int(slot[state, lane])
            if is_second:
                highest, taken = -np.inf, -1
                for other in range(link_indptr[stop + 1] - link_indptr[stop]):
                    link = link_indptr[stop] + other
                    before, earlier = link_to[link], cost - link_cost[link]
                    if other == place or earlier < 1 or not is_alive[earlier, before]:
                        continue
                    old = earlier * n_stops + before
                    value = second[old, lane] if slot[old, lane] == back_slot[link] else best[old, lane]
                    way_in = link_indptr[before] + back_slot[link]
                    value += _earned(graph, sources, multiplier, source, way_in, cost, -1, columns, entries, 0)[0]
                    if value > highest:
                        highest, taken = value, other
                place = taken
            if place < 0:
                break
            link = link_indptr[stop] + place
            before, turned = link_to[link], back_slot[link]
            n_written = _earned(
                graph, sources, multiplier, source, link_indptr[before] + turned, cost, column, columns, entries, n_written
            )[1]
            cost -= link_cost[link]
            is_second = before != start and slot[cost * n_stops + before, lane] == turned
            stop = before
    return n_written
