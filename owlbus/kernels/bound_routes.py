"""
The best route under multipliers on hexes, relaxed so that no real route is worth more: walks that remember where they have been.

A walk earns the multiplier of each hex in the walk sheds of its stops. It may come back to a stop, but earns nothing for a hex that it
remembers. Each stop has a set of hexes that walks keep in mind there (an *ng-set*, after
Baldacci, Mingozzi and Roberti 2011): a walk forgets a hex as soon as it passes a stop whose set lacks it, and may then earn it
again. Every simple route is such a walk and earns each of its hexes once, so the best walk is worth at least as much as the best
route; larger sets bring both together.

Symbols: S stops, L links, H hexes, W entries of walk sheds, N walks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.bound_structs import HexMemory
from owlbus.kernels.jit import inner_kernel, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import CostGraph, Walks

N_COLOURS = 64
_ONE = uint64(1)
_ZERO = uint64(0)


@inner_kernel
def _bit(colour: int) -> int:
    """Bit of a colour."""
    return _ONE << uint64(colour)


@inner_kernel
def lowest_bit(bits: int) -> int:
    """
    Position of the lowest bit that is set.

    Parameters
    ----------
    bits
        64 bits, not all 0.

    Returns
    -------
    int
        0 to 63.
    """
    position = 0
    for width in (32, 16, 8, 4, 2, 1):
        if bits & ((_ONE << uint64(width)) - _ONE) == _ZERO:
            bits >>= uint64(width)
            position += width
    return position


@kernel
def near_memory(graph: CostGraph, n_hexes: int, rings: int) -> HexMemory:
    """
    Memory that holds, at each stop, the hexes of the stops within some links of it.

    Where the colours do not suffice, nearer stops' hexes come first and the others are left out.

    Parameters
    ----------
    graph
        Links and sheds.
    n_hexes
        Hexes H.
    rings
        Links, >= 0; 0 keeps the shed of the stop alone.

    Returns
    -------
    HexMemory
        The memory.
    """
    link_indptr, link_to, shed_indptr, shed_hex = graph.link_indptr, graph.link_to, graph.shed_indptr, graph.shed_hex
    n_stops = link_indptr.size - 1
    colour = np.full(n_hexes, -1, np.int32)
    kept_hex = np.full((n_stops, N_COLOURS), -1, np.int32)
    memory = HexMemory(colour, kept_hex, np.zeros(link_to.size, np.uint64), np.zeros(shed_hex.size, np.uint64))
    seen = np.full(n_stops, -1, np.int32)
    ring = np.empty(n_stops, np.int32)
    for reach in range(rings + 1):  # all stops' own sheds first: those must find room
        for stop in range(n_stops):
            ring[0] = stop
            seen[stop] = stop
            begin, end = 0, 1
            for _ in range(reach):
                last = end
                for i in range(begin, last):
                    for link in range(link_indptr[ring[i]], link_indptr[ring[i] + 1]):
                        if seen[link_to[link]] != stop:
                            seen[link_to[link]] = stop
                            ring[end] = link_to[link]
                            end += 1
                begin = last
            for i in range(begin, end):
                for e in range(shed_indptr[ring[i]], shed_indptr[ring[i] + 1]):
                    keep_in_mind(memory, shed_hex[e], stop)
        seen[:] = -1
    for stop in range(n_stops):
        refresh_links(graph, memory, stop)
    return memory


@kernel
def keep_in_mind(memory: HexMemory, h: int, stop: int) -> bool:
    """
    Keep a hex in mind at a stop, by another colour if its own is taken there.

    The links of the stop, and of every stop that holds the hex if its colour changes, are out of date afterwards.

    Parameters
    ----------
    memory
        Changed.
    h, stop
        Hex and stop index.

    Returns
    -------
    bool
        Whether the stop holds the hex now; not if no colour is free wherever it is held.
    """
    colour, kept_hex = memory.colour, memory.kept_hex
    old = colour[h]
    if old >= 0:
        if kept_hex[stop, old] == h:
            return True
        if kept_hex[stop, old] < 0:
            kept_hex[stop, old] = h
            return True
    free = np.zeros(N_COLOURS, np.bool_)
    for c in range(N_COLOURS):
        free[c] = kept_hex[stop, c] < 0
    if old >= 0:
        for s in range(kept_hex.shape[0]):
            if kept_hex[s, old] == h:
                for c in range(N_COLOURS):
                    if kept_hex[s, c] >= 0:
                        free[c] = False
    new = 0
    while new < N_COLOURS and not free[new]:
        new += 1
    if new == N_COLOURS:
        return False
    if old >= 0:
        for s in range(kept_hex.shape[0]):
            if kept_hex[s, old] == h:
                kept_hex[s, old] = -1
                kept_hex[s, new] = h
    kept_hex[stop, new] = h
    colour[h] = new
    return True


@inner_kernel
def refresh_links(graph: CostGraph, memory: HexMemory, stop: int) -> None:
    """
    Bring up to date which bits survive the links from a stop, and the bits of its shed.

    Parameters
    ----------
    graph
        Links and sheds.
    memory
        Changed: ``keep`` of the links that leave the stop, ``shed_bit`` of its shed.
    stop
        Stop index.
    """
    link_indptr, link_to, shed_indptr, shed_hex = graph.link_indptr, graph.link_to, graph.shed_indptr, graph.shed_hex
    colour, kept_hex, keep, shed_bit = memory.colour, memory.kept_hex, memory.keep, memory.shed_bit
    for link in range(link_indptr[stop], link_indptr[stop + 1]):
        bits = _ZERO
        for c in range(N_COLOURS):
            if kept_hex[stop, c] >= 0 and kept_hex[stop, c] == kept_hex[link_to[link], c]:
                bits |= _bit(c)
        keep[link] = bits
    for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
        c = colour[shed_hex[e]]
        shed_bit[e] = _bit(c) if c >= 0 and kept_hex[stop, c] == shed_hex[e] else _ZERO


@kernel
def walk_stops(walks: Walks, walk: int) -> NDArray[np.int32]:
    """
    Stops of a walk, first to last.

    Parameters
    ----------
    walks
        The walks.
    walk
        Index of one.

    Returns
    -------
    ndarray of int32
        Stop indices.
    """
    stop_of, before = walks.stop, walks.before
    n, at = 0, walk
    while at >= 0:
        n += 1
        at = before[at]
    stops = np.empty(n, np.int32)
    at = walk
    for position in range(n - 1, -1, -1):
        stops[position] = stop_of[at]
        at = before[at]
    return stops


@kernel
def add_gains(graph: CostGraph, memory: HexMemory, walks: Walks, walk: int, times: float, visits: NDArray[np.float64]) -> None:
    """
    Add how often a walk earns each hex.

    Parameters
    ----------
    graph, memory
        Network and memory that the walk was made with.
    walks
        The walks.
    walk
        Index of one.
    times
        What one visit adds.
    visits
        Changed, shape (H,), float64.
    """
    link_indptr, link_to, shed_indptr, shed_hex = graph.link_indptr, graph.link_to, graph.shed_indptr, graph.shed_hex
    keep, shed_bit = memory.keep, memory.shed_bit
    mask, stop_of, before = walks.mask, walks.stop, walks.before
    while walk >= 0:
        bits = _ZERO
        if before[walk] >= 0:
            for link in range(link_indptr[stop_of[before[walk]]], link_indptr[stop_of[before[walk]] + 1]):
                if link_to[link] == stop_of[walk]:
                    bits = mask[before[walk]] & keep[link]
        for e in range(shed_indptr[stop_of[walk]], shed_indptr[stop_of[walk] + 1]):
            if bits & shed_bit[e] == _ZERO:
                visits[shed_hex[e]] += times
                bits |= shed_bit[e]
        walk = before[walk]


@kernel
def follow_walk(graph: CostGraph, memory: HexMemory, stops: NDArray[np.int32], visits: NDArray[np.float64]) -> None:
    """
    Add how often a walk earns each hex with the memory as it is now, no two walks becoming one.

    Parameters
    ----------
    graph, memory
        Network and memory.
    stops
        Stops of the walk, first to last.
    visits
        Changed, shape (H,), float64.
    """
    link_indptr, link_to, shed_indptr, shed_hex = graph.link_indptr, graph.link_to, graph.shed_indptr, graph.shed_hex
    keep, shed_bit = memory.keep, memory.shed_bit
    bits = _ZERO
    for position in range(stops.size):
        if position > 0:
            for link in range(link_indptr[stops[position - 1]], link_indptr[stops[position - 1] + 1]):
                if link_to[link] == stops[position]:
                    bits &= keep[link]
        for e in range(shed_indptr[stops[position]], shed_indptr[stops[position] + 1]):
            if bits & shed_bit[e] == _ZERO:
                visits[shed_hex[e]] += 1.0
                bits |= shed_bit[e]


@kernel
def remember_repeats(graph: CostGraph, memory: HexMemory, stops: NDArray[np.int32]) -> int:
    """
    Widen the memory so that a walk cannot earn a hex twice, wherever colours allow.

    Between two visits to a hex, every stop that the walk passes learns to keep it in mind.

    Parameters
    ----------
    graph
        Links and sheds.
    memory
        Changed.
    stops
        Stops of the walk, first to last.

    Returns
    -------
    int
        Hexes that the walk forgot and that the memory now holds throughout.
    """
    link_indptr, link_to, shed_indptr, shed_hex = graph.link_indptr, graph.link_to, graph.shed_indptr, graph.shed_hex
    kept_hex, keep, shed_bit = memory.kept_hex, memory.keep, memory.shed_bit
    bits, learnt = _ZERO, 0
    last = np.full(memory.colour.size, -1, np.int32)
    forgot = np.zeros(stops.size, np.bool_)
    for position in range(stops.size):
        if position > 0:
            for link in range(link_indptr[stops[position - 1]], link_indptr[stops[position - 1] + 1]):
                if link_to[link] == stops[position]:
                    bits &= keep[link]
        for e in range(shed_indptr[stops[position]], shed_indptr[stops[position] + 1]):
            forgot[position] |= bits & shed_bit[e] == _ZERO and last[shed_hex[e]] >= 0
            bits |= shed_bit[e]
            last[shed_hex[e]] = position
    last[:] = -1
    for position in range(stops.size):
        for e in range(shed_indptr[stops[position]], shed_indptr[stops[position] + 1]):
            h = shed_hex[e]
            if forgot[position] and last[h] >= 0:
                room = True
                for between in range(last[h] + 1, position):
                    room &= keep_in_mind(memory, h, stops[between])
                learnt += room
            last[h] = position
    if learnt:
        for stop in range(kept_hex.shape[0]):  # a new colour changes links far from the walk
            refresh_links(graph, memory, stop)
    return learnt
