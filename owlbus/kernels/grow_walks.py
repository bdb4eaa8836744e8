"""
The most valuable walks that remember where they have been, link by link in the order of their cost.

Walks at one stop and cost lie in a row, most valuable first. One is dropped if another in its row is worth as much even after losing every
hex that it alone remembers. Of more than `width` walks that are left there, the least valuable is taken in by the one that forgets least of
multipliers thereby: it keeps only the memory that both share, and so is worth at least as much as either (a relaxed decision diagram, after
Bergman, Cire, van Hoeve and Hooker 2016).

Where walks from the other ends are known, a walk is dropped once it cannot come to enough with any of them. Both are worth at least what a
simple route earns on its part, and what both remember is counted twice: the sum less that is at least what the whole route earns.

Symbols: S stops, L links, H hexes, N walks, B the budget, Z starts of walks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.bound_routes import lowest_bit
from owlbus.kernels.jit import inlined, inner_kernel, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import Completions, CostGraph, HexMemory, Walks, WalkStarts

_ONE = uint64(1)
_ZERO = uint64(0)
_SPARE, _MADE, _ROOM = 0, 1, 2


@inner_kernel
def _forgone(kept_hex: NDArray[np.int32], multiplier: NDArray[np.float64], stop: int, bits: int, at_most: float) -> float:
    """Multipliers of the hexes that `bits` stand for at a stop; stops counting beyond `at_most`."""
    total = 0.0
    while bits != _ZERO and total <= at_most:
        position = lowest_bit(bits)
        total += multiplier[kept_hex[stop, position]]
        bits ^= _ONE << uint64(position)
    return total


@inlined
def _add_walk(
    memory: HexMemory,
    multiplier: NDArray[np.float64],
    walks: Walks,
    head: NDArray[np.int32],
    count: NDArray[np.int32],
    room: NDArray[np.int64],
    worth: float,
    bits: int,
    place: tuple[int, int, int],
) -> None:
    """Put a walk into the row of its cost and last stop; `place` says these two and the walk that it continues."""
    kept_hex, value, mask, following = memory.kept_hex, walks.value, walks.mask, walks.following
    cost, stop, before = place
    # Those before the new walk in its row may dominate it, those after it may be dominated by it.
    beaten, last, other = False, -1, head[cost, stop]
    while other >= 0 and value[other] >= worth:
        ahead = value[other] - worth
        if _forgone(kept_hex, multiplier, stop, mask[other] & ~bits, ahead) <= ahead:
            beaten = True
            break
        last, other = other, following[other]
    if beaten:
        return
    if room[_SPARE] >= 0:
        new = room[_SPARE]
        room[_SPARE] = following[new]
    elif room[_MADE] < value.size:
        new = room[_MADE]
        room[_MADE] += 1
    else:
        room[_ROOM] = 0
        return
    value[new], mask[new], walks.stop[new], walks.before[new], following[new], walks.cost[new] = worth, bits, stop, before, other, cost
    if last < 0:
        head[cost, stop] = new
    else:
        following[last] = new
    count[cost, stop] += 1
    last = new
    while other >= 0:
        ahead = worth - value[other]
        after = following[other]
        if _forgone(kept_hex, multiplier, stop, bits & ~mask[other], ahead) <= ahead:
            following[last] = after
            following[other], room[_SPARE] = room[_SPARE], other
            count[cost, stop] -= 1
        else:
            last = other
        other = after


@inner_kernel
def _merge_poorest(
    memory: HexMemory, multiplier: NDArray[np.float64], walks: Walks, head: NDArray[np.int32], room: NDArray[np.int64], cost: int, stop: int
) -> None:
    """Merge the least valuable walk of a row into the one that forgets least thereby."""
    kept_hex, mask, following = memory.kept_hex, walks.mask, walks.following
    last, poorest = -1, head[cost, stop]
    while following[poorest] >= 0:
        last, poorest = poorest, following[poorest]
    following[last] = -1
    nearest, least, other = head[cost, stop], np.inf, head[cost, stop]
    while other >= 0:
        lost = _forgone(kept_hex, multiplier, stop, mask[other] & ~mask[poorest], least)
        if lost < least:
            nearest, least = other, lost
        other = following[other]
    mask[nearest] &= mask[poorest]
    following[poorest], room[_SPARE] = room[_SPARE], poorest


@inner_kernel
def _can_come_to_enough(
    memory: HexMemory, multiplier: NDArray[np.float64], rest: Completions, worth: float, bits: int, place: tuple[int, int]
) -> bool:
    """Whether a walk with this memory, at a cost left and a stop, comes to more than the least with some walk that it meets."""
    left, stop = place
    value, mask, following = rest.walks.value, rest.walks.mask, rest.walks.following
    other = rest.head[left, stop]
    while other >= 0:
        beyond = worth + value[other] - rest.least
        if beyond <= rest.own[stop]:  # those after it are worth less
            return False
        if _forgone(memory.kept_hex, multiplier, stop, mask[other] & bits, beyond) < beyond:
            return True
        other = following[other]
    return False


@kernel
def grow_walks(
    graph: CostGraph,
    memory: HexMemory,
    multiplier: NDArray[np.float64],
    width: int,
    starts: WalkStarts,
    last: NDArray[np.int32],
    rest: Completions,
    walks: Walks,
    head: NDArray[np.int32],
) -> int:
    """
    Most valuable walks from some stops to every stop at every cost.

    Parameters
    ----------
    graph, memory
        Network and memory.
    multiplier
        Multiplier of each hex, shape (H,), float64, >= 0.
    width
        Walks kept at each cost and stop, >= 2.
    starts
        Where walks begin, and what they are worth there.
    last
        Largest cost with which a walk may be at each stop, at most the budget, shape (S,), int32; negative where it may not be.
    rest
        Walks from the other ends with the same memory, under the same multipliers.
    walks
        Written: the walks.
    head
        Written: the most valuable walk at each cost and stop, shape (B + 1, S), int32; -1 if there is none.

    Returns
    -------
    int
        Walks made; -1 if they do not fit into the room, what was written is worthless then.
    """
    link_indptr, link_to, link_cost = graph.link_indptr, graph.link_to, graph.link_cost
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    keep, shed_bit, value, mask, following = memory.keep, memory.shed_bit, walks.value, walks.mask, walks.following
    count = np.zeros(head.shape, np.int32)
    head[:] = -1
    room = np.array([-1, 0, 1], np.int64)
    budget, is_held = head.shape[0] - 1, rest.head.shape[0] > 0
    for i in range(starts.stop.size):
        stop, cost, bits = starts.stop[i], starts.cost[i], _ZERO
        for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
            bits |= shed_bit[e]
        worth = starts.value[i]
        if cost > last[stop]:
            continue
        if is_held and not _can_come_to_enough(memory, multiplier, rest, worth, bits, (budget - cost, stop)):
            continue
        _add_walk(memory, multiplier, walks, head, count, room, worth, bits, (cost, stop, -1))
    for cost in range(head.shape[0]):
        for stop in range(head.shape[1]):
            # Rows are settled by cost, so every walk of this cost is final once it is reached.
            walk = head[cost, stop]
            while walk >= 0:
                for link in range(link_indptr[stop], link_indptr[stop + 1]):
                    to = link_to[link]
                    later = cost + link_cost[link]
                    if later > last[to]:
                        continue
                    worth, bits = value[walk], mask[walk] & keep[link]
                    for e in range(shed_indptr[to], shed_indptr[to + 1]):
                        if bits & shed_bit[e] == _ZERO:
                            worth += multiplier[shed_hex[e]]
                            bits |= shed_bit[e]
                    if is_held and not _can_come_to_enough(memory, multiplier, rest, worth, bits, (budget - later, to)):
                        continue
                    _add_walk(memory, multiplier, walks, head, count, room, worth, bits, (later, to, walk))
                    if room[_ROOM] == 0:
                        return -1
                    if count[later, to] > width:
                        _merge_poorest(memory, multiplier, walks, head, room, later, to)
                        count[later, to] -= 1
                walk = following[walk]
    return -1 if room[_ROOM] == 0 else int(room[_MADE])


@kernel
def best_within(walks: Walks, head: NDArray[np.int32], last_end: NDArray[np.int32], best: NDArray[np.int32]) -> None:
    """
    Most valuable walk within each cost that ends where it may.

    Parameters
    ----------
    walks, head
        What `grow_walks` wrote.
    last_end
        Largest cost with which a walk may end at each stop, shape (S,), int32; negative for none.
    best
        Written: the most valuable walk with at most each cost, on a tie the cheapest and then the first stop's, shape (B + 1,), int32;
        -1 if there is none.
    """
    top = -1
    for cost in range(head.shape[0]):
        for stop in range(head.shape[1]):
            walk = head[cost, stop]
            if walk >= 0 and cost <= last_end[stop] and (top < 0 or walks.value[walk] > walks.value[top]):
                top = walk  # the first of a row is the most valuable
        best[cost] = top
