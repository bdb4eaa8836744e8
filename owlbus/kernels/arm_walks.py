"""
The most valuable walk where each stop earns what the arms on both sides of the walk can earn at best.

A walk is grown link by link. At a stop that it entered by one link at some cost and leaves by another, each hex within the walk of the stop
that is not remembered earns its own multipliers, what an arm over the way back earns within the cost so far, and what an arm over the way
on earns within the rest of the budget (`owlbus.kernels.arms`). A walk never turns round and never comes back to a stop that it remembers.
Every simple route is such a walk; where walks become one, the memory that they share is kept, so that nothing is cut.

Symbols: S stops, L links, E entries of walk sheds (sources), A arms, B the largest cost, V walks kept at each cost and link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.arms import ArmGraph, ArmSources

_ONE, _ZERO = uint64(1), uint64(0)


class WalkMemory(NamedTuple):
    """
    What walks remember, as bits of two masks.

    Attributes
    ----------
    stop_bit, keep_stops
        Bit of each stop, shape (S,), and bits that survive each link, shape (L,), uint64; a walk cannot go to a stop whose bit is set.
    hex_bit, keep_hexes
        Bit of each hex in a shed, shape (E,), and bits that survive each link, shape (L,), uint64; a hex whose bit is set earns nothing.
    """

    stop_bit: NDArray[np.uint64]
    keep_stops: NDArray[np.uint64]
    hex_bit: NDArray[np.uint64]
    keep_hexes: NDArray[np.uint64]


class ArmWalks(NamedTuple):
    """
    Room for V walks at each cost up to B and link that they end with, in order of cost, link and place.

    Attributes
    ----------
    n_kept
        Walks kept, shape ((B + 1) * L,), int32.
    value
        What the walk earns before the stop that it ends at, shape ((B + 1) * L * V,), float64.
    stops, hexes
        Its memory, of the same shape, uint64.
    before
        The walk that it continues, of the same shape, int32; -1 for none.
    """

    n_kept: NDArray[np.int32]
    value: NDArray[np.float64]
    stops: NDArray[np.uint64]
    hexes: NDArray[np.uint64]
    before: NDArray[np.int32]


@inner_kernel
def _is_subset(one: int, other: int) -> bool:
    """Whether all bits of `one` are set in `other`."""
    return one & ~other == _ZERO


@inner_kernel
def _bits(mask: int) -> int:
    """Number of bits that are set."""
    n = 0
    while mask != _ZERO:
        mask &= mask - _ONE
        n += 1
    return n


@inner_kernel
def _insert(walks: ArmWalks, width: int, place: int, value: float, stops: int, hexes: int, before: int) -> None:
    """Add a walk, unless a kept one is worth as much and remembers no more; if there are too many, two become one."""
    n_kept, values, stop_masks, hex_masks, befores = walks.n_kept, walks.value, walks.stops, walks.hexes, walks.before
    begin, n = place * width, n_kept[place]
    for i in range(begin, begin + n):
        if values[i] >= value and _is_subset(stop_masks[i], stops) and _is_subset(hex_masks[i], hexes):
            return
    kept = begin
    for i in range(begin, begin + n):
        if not (value >= values[i] and _is_subset(stops, stop_masks[i]) and _is_subset(hexes, hex_masks[i])):
            if kept != i:
                values[kept], stop_masks[kept], hex_masks[kept], befores[kept] = values[i], stop_masks[i], hex_masks[i], befores[i]
            kept += 1
    n = kept - begin
    if n == width:
        # The poorest walk is taken in by the one that forgets least; it keeps the higher value and what both remember.
        poorest, lowest = -1, value
        for i in range(begin, begin + n):
            if values[i] < lowest:
                poorest, lowest = i, values[i]
        if poorest >= 0:  # swap it with the new one
            value, values[poorest] = values[poorest], value
            stops, stop_masks[poorest] = stop_masks[poorest], stops
            hexes, hex_masks[poorest] = hex_masks[poorest], hexes
            before, befores[poorest] = befores[poorest], before
        nearest, least = begin, 129
        for i in range(begin, begin + n):
            lost = _bits(stop_masks[i] & ~stops) + _bits(hex_masks[i] & ~hexes)
            if lost < least:
                nearest, least = i, lost
        stop_masks[nearest] &= stops
        hex_masks[nearest] &= hexes
        n_kept[place] = n
        return
    i = begin + n
    values[i], stop_masks[i], hex_masks[i], befores[i] = value, stops, hexes, before
    n_kept[place] = n + 1


@inner_kernel
def _at_stop(
    graph: ArmGraph, sources: ArmSources, memory: WalkMemory, arms: NDArray[np.float32], own: NDArray[np.float64],
    stop: int, hexes: int, slot: int, cost: int,
) -> float:  # fmt: skip
    """What the hexes of a stop that are not remembered earn by the arm over a link within a cost; with a negative link, by themselves."""
    total = 0.0
    for source in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
        if hexes & memory.hex_bit[source] == _ZERO:
            total += own[source] if slot < 0 else arms[sources.arm_indptr[source] + slot, cost]
    return total


@kernel
def dearest_walks(
    graph: ArmGraph, sources: ArmSources, memory: WalkMemory, arms: NDArray[np.float32], own: NDArray[np.float64], budget: int, width: int,
    walks: ArmWalks, end_value: NDArray[np.float64], end_walk: NDArray[np.int32],
) -> None:  # fmt: skip
    """
    Most valuable walk within a budget to each stop.

    Parameters
    ----------
    graph, sources, memory
        Network, where arms begin, and what walks remember.
    arms
        Most that each arm earns within each cost, shape (A, at least B + 1), float32.
    own
        What each source earns by itself, shape (E,), float64.
    budget
        Largest cost B.
    width
        Walks kept at each cost and link, V >= 1.
    walks
        Written.
    end_value, end_walk
        Written: value and place of the best walk that ends at each stop, shape (S,); -1 for none.
    """
    link_indptr, link_to, link_cost, back_slot = graph.link_indptr, graph.link_to, graph.link_cost, graph.back_slot
    stop_bit, keep_stops, keep_hexes = memory.stop_bit, memory.keep_stops, memory.keep_hexes
    shed_indptr = graph.shed_indptr
    n_stops, n_links = link_indptr.size - 1, link_to.size
    walks.n_kept[: (budget + 1) * n_links] = 0
    end_value[:] = -1.0
    end_walk[:] = -1
    here = np.empty(n_stops, np.uint64)  # bits of all hexes of each stop
    for stop in range(n_stops):
        here[stop] = _ZERO
        for source in range(shed_indptr[stop], shed_indptr[stop + 1]):
            here[stop] |= memory.hex_bit[source]
    for stop in range(n_stops):
        alone = _at_stop(graph, sources, memory, arms, own, stop, _ZERO, -1, 0)
        for link in range(link_indptr[stop], link_indptr[stop + 1]):
            if link_cost[link] <= budget:
                value = alone + _at_stop(graph, sources, memory, arms, own, stop, _ZERO, link - link_indptr[stop], budget)
                stops = (stop_bit[stop] & keep_stops[link]) | stop_bit[link_to[link]]
                _insert(walks, width, link_cost[link] * n_links + link, value, stops, here[stop] & keep_hexes[link], -1)
    for cost in range(1, budget + 1):
        for link in range(n_links):
            place = cost * n_links + link
            stop, back = link_to[link], back_slot[link]
            for walk in range(place * width, place * width + walks.n_kept[place]):
                stops, hexes = walks.stops[walk], walks.hexes[walk]
                value = walks.value[walk] + _at_stop(graph, sources, memory, arms, own, stop, hexes, -1, 0)
                value += _at_stop(graph, sources, memory, arms, own, stop, hexes, back, cost)
                if value > end_value[stop]:
                    end_value[stop], end_walk[stop] = value, walk
                for slot in range(link_indptr[stop + 1] - link_indptr[stop]):
                    onward = link_indptr[stop] + slot
                    later, to = cost + link_cost[onward], link_to[onward]
                    if slot == back or later > budget or stops & stop_bit[to] != _ZERO:
                        continue
                    gain = _at_stop(graph, sources, memory, arms, own, stop, hexes, slot, budget - cost)
                    kept_stops = (stops & keep_stops[onward]) | stop_bit[to]
                    kept_hexes = (hexes | here[stop]) & keep_hexes[onward]
                    _insert(walks, width, later * n_links + onward, value + gain, kept_stops, kept_hexes, walk)


@kernel
def follow_arm_walk(graph: ArmGraph, walks: ArmWalks, width: int, walk: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """
    Links of a walk and what it remembers.

    Parameters
    ----------
    graph
        The network.
    walks, width
        The walks and how many are kept at a place.
    walk
        Place of one.

    Returns
    -------
    ndarray of int64, ndarray of uint64
        Its links, first to last, shape (n,), and hexes that it remembers behind each, shape (n,).
    """
    n, at = 0, walk
    while at >= 0:
        n, at = n + 1, walks.before[at]
    links, hexes = np.empty(n, np.int64), np.empty(n, np.uint64)
    at = walk
    for i in range(n - 1, -1, -1):
        links[i], hexes[i] = at // width % graph.link_to.size, walks.hexes[at]
        at = walks.before[at]
    return links, hexes
