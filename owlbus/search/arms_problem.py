"""Network, demand and limits compiled for the bound on trips without a transfer; see `owlbus.search.direct_bound`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from owlbus.kernels.arm_multipliers import TripGroups
from owlbus.kernels.arm_walks import WalkMemory
from owlbus.kernels.arms import N_ARMS, ArmGraph, ArmSources, latest_costs
from owlbus.kernels.bound_routes import near_memory
from owlbus.kernels.bound_structs import CostGraph, RouteMixes
from owlbus.kernels.straight_rules import PAIR_FREE_M

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem
    from owlbus.search.route_pricing import Budget

MOST_STEPS = 10_000_000_000
"""Arms times links times costs that one iteration may take: about ten seconds."""

MOST_BYTES = 2**28
"""Bytes that the walks of one stop at all costs may take, and those of a whole route."""

_KINDS = 8
_RINGS = 2
WIDTH = 4
"""Walks kept at each cost and link."""
_FLOAT32_UNIT = 2.0**-24


@dataclass(frozen=True, slots=True, eq=False)
class ArmsProblem:
    """
    Input of the arms bound.

    Attributes
    ----------
    graph, sources
        The network with one cost a link, and where arms begin.
    memory
        What walks remember.
    mixes
        Kinds of routes, at most `_KINDS`.
    groups
        Trips and people with the entries of their multipliers: W * P of trips, then one for each of H hexes, then the dummy.
    own_source, own_entry
        Entries that a source earns by itself, each of shape (n,), int32.
    margin
        What float32 sums may lack, relative.
    """

    graph: ArmGraph
    sources: ArmSources
    memory: WalkMemory
    mixes: RouteMixes
    groups: TripGroups
    own_source: NDArray[np.int32]
    own_entry: NDArray[np.int32]
    margin: float

    @property
    def n_entries(self) -> int:
        """Multipliers N, the dummy included."""
        return len(self.sources.latest) * int(self.sources.partner.size) + int(self.sources.indptr.size)

    @classmethod
    def build(cls, problem: Problem, objective: Objective, limits: RouteLimits, budget: Budget) -> ArmsProblem:
        """
        Compile the input.

        Parameters
        ----------
        problem
            Network, demand and rule.
        objective
            What a plan is worth, without transfers.
        limits
            What a plan must keep.
        budget
            The resource that routes use.

        Returns
        -------
        ArmsProblem
            The arrays.
        """
        graph, mixes = arm_graph(problem.graph, budget), few_kinds(budget.mixes)
        sources = _sources(problem, graph, limits, int(mixes.cost.max()))
        n_added = int(mixes.cost.max()) + len(problem.pair_quanta) * int(np.diff(graph.shed_indptr).max(initial=0)) + 1
        own_source, own_entry = _own_entries(problem, sources)
        return cls(
            graph,
            sources,
            _memory(graph, problem.n_rows),
            mixes,
            _groups(problem, objective, sources),
            own_source,
            own_entry,
            # Each multiplier is rounded once, added to others of a stop and then once a link; every sum of terms >= 0 is rounded by half a
            # unit at most. 1.01 covers the products of these errors.
            1.01 * n_added * _FLOAT32_UNIT,
        )


def fits(graph: Graph, budget: Budget) -> bool:
    """
    Whether a network is small enough for the arms bound.

    Parameters
    ----------
    graph
        Stop network.
    budget
        The resource that routes use.

    Returns
    -------
    bool
        False where an iteration would take more than `MOST_STEPS`, or more than `MOST_BYTES`.
    """
    n_stops, n_links = graph.link_indptr.size - 1, graph.link_to.size
    n_arms = int((np.diff(graph.link_indptr) * np.diff(graph.shed_indptr)).sum())
    n_bytes = max(12 * N_ARMS * n_stops, 28 * WIDTH * n_links) * (budget.most + 1)
    return bool(n_links) and n_arms * n_links * budget.most <= MOST_STEPS and n_bytes <= MOST_BYTES


def reverse_links(graph: Graph) -> NDArray[np.int64]:
    """
    Reverse of each link.

    Parameters
    ----------
    graph
        Stop network; every link has its reverse.

    Returns
    -------
    ndarray of int64
        Link indices, shape (L,).
    """
    tail = np.repeat(np.arange(graph.link_indptr.size - 1), np.diff(graph.link_indptr))
    reverse = np.empty(tail.size, np.int64)
    reverse[np.lexsort((graph.link_to, tail))] = np.lexsort((tail, graph.link_to))
    return reverse


def arm_graph(graph: Graph, budget: Budget) -> ArmGraph:
    """
    Network as arms take it.

    Parameters
    ----------
    graph
        Stop network.
    budget
        The resource that routes use.

    Returns
    -------
    ArmGraph
        With the hexes that each link newly reaches.
    """
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    sheds = [shed_hex[shed_indptr[s] : shed_indptr[s + 1]] for s in range(shed_indptr.size - 1)]
    tail = np.repeat(np.arange(len(sheds)), np.diff(graph.link_indptr))
    new = [sheds[b][~np.isin(sheds[b], sheds[a])] for a, b in zip(tail, graph.link_to, strict=True)]
    is_mixed = np.zeros(len(sheds), np.bool_)
    is_mixed[graph.link_to[[hexes.size < sheds[b].size for hexes, b in zip(new, graph.link_to, strict=True)]]] = True
    return ArmGraph(
        graph.link_indptr,
        graph.link_to,
        budget.link_cost,
        (reverse_links(graph) - graph.link_indptr[graph.link_to]).astype(np.int32),
        shed_indptr,
        shed_hex,
        np.cumsum([0, *(hexes.size for hexes in new)]),
        np.concatenate([np.empty(0, np.int32), *new]),
        is_mixed,
    )


def few_kinds(mixes: RouteMixes) -> RouteMixes:
    """
    Kinds of routes, neighbours put together until they are few: each may cost as much as the dearest and loads as little as the lightest.

    Parameters
    ----------
    mixes
        Kinds in ascending order of cost.

    Returns
    -------
    RouteMixes
        At most `_KINDS` kinds.
    """
    groups = np.array_split(np.arange(mixes.cost.size), min(_KINDS, mixes.cost.size))
    cost = np.array([mixes.cost[group].max() for group in groups], np.int32)
    load = np.array([mixes.load[group].min() for group in groups], np.int64)
    return RouteMixes(cost, load, mixes.n_routes, mixes.most_load)


def _sources(problem: Problem, graph: ArmGraph, limits: RouteLimits, budget: int) -> ArmSources:
    """Where arms begin, with the costs up to which their trips accept to ride."""
    stop_of = np.repeat(np.arange(graph.shed_indptr.size - 1, dtype=np.int32), np.diff(graph.shed_indptr))
    n_partners = np.diff(problem.indptr)[graph.shed_hex]
    latest_indptr = np.concatenate([[0], np.cumsum(n_partners)])
    sources = ArmSources(
        np.concatenate([[0], np.cumsum(np.diff(graph.link_indptr)[stop_of])]),
        stop_of,
        problem.indptr,
        problem.partner,
        latest_indptr,
        np.full((len(problem.pair_quanta), latest_indptr[-1]), -1, np.int16),
    )
    ahead_s, back_s = problem.graph.link_s, problem.graph.link_s[reverse_links(problem.graph)]
    spare_s, limit_s = _spare_s(problem, limits), np.ascontiguousarray(problem.pair_limit_s)

    def fill(first: int, last: int) -> None:
        latest_costs(graph, ahead_s, back_s, limit_s, spare_s, budget, sources, first, last)

    in_threads(fill, graph.link_indptr.size - 1, 64)
    return sources


def _spare_s(problem: Problem, limits: RouteLimits) -> NDArray[np.float32]:
    """
    Seconds that a route can take between any two stops of a hex, for each stop of each hex.

    A hex earns where a route first comes to it, though the route may come nearer to a trip's other end at a later stop of the hex.
    """
    network, graph = problem.network, problem.graph
    hexes, n_stops = graph.shed_hex, graph.shed_indptr.size - 1
    stop_of = np.repeat(np.arange(n_stops), np.diff(graph.shed_indptr))
    spare = np.zeros(hexes.size, np.float32)
    if network.n_links == 0:
        return spare
    in_order = np.argsort(hexes, kind="stable")
    pace = float(np.max(network.link_s / network.link_m))
    links = csr_array((network.link_m.astype(np.float64), network.link_to, network.link_indptr), shape=(n_stops, n_stops))
    for sources in np.split(in_order, np.flatnonzero(np.diff(hexes[in_order])) + 1):
        if sources.size > 1:
            stops = stop_of[sources]
            metres = dijkstra(links, indices=stops)[:, stops]
            farthest = np.maximum(metres.max(axis=1), metres.max(axis=0))
            along = farthest * limits.max_pair_circuity + PAIR_FREE_M
            spare[sources] = np.ceil(np.minimum(along * pace * (1 + 1e-9), limits.max_ride_s)) + 1
    return spare


def _rows_of_sources(sources: ArmSources, shed_hex: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source and entry of each place in ``latest``."""
    counts = np.diff(sources.latest_indptr)
    source = np.repeat(np.arange(counts.size), counts)
    entry = np.arange(source.size) - sources.latest_indptr[source] + sources.indptr[shed_hex[source]]
    return source, entry


def _own_entries(problem: Problem, sources: ArmSources) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Entries that each source earns by itself: trips within the walk of its own stop, and people of its hex."""
    graph, n = problem.graph, problem.partner.size
    source, entry = _rows_of_sources(sources, graph.shed_hex)
    here = np.zeros(source.size, np.bool_)
    for shift in range(int(np.diff(graph.shed_indptr).max(initial=0))):
        place = graph.shed_indptr[sources.stop_of[source]] + shift
        within = place < graph.shed_indptr[sources.stop_of[source] + 1]
        here[within] |= graph.shed_hex[place[within]] == problem.partner[entry[within]]
    pairs = [(np.flatnonzero(here & (sources.latest[way] >= 0)), way * n) for way in range(len(sources.latest))]
    people = len(sources.latest) * n + graph.shed_hex
    own_source = np.concatenate([*(source[places] for places, _ in pairs), np.arange(graph.shed_hex.size)])
    own_entry = np.concatenate([*(entry[places] + shift for places, shift in pairs), people])
    return own_source.astype(np.int32), own_entry.astype(np.int32)


def _groups(problem: Problem, objective: Objective, sources: ArmSources) -> TripGroups:
    """Trips that some ride can serve, and people."""
    n, n_ways, n_hexes = problem.partner.size, len(problem.pair_quanta), problem.n_rows
    source, entry = _rows_of_sources(sources, problem.graph.shed_hex)
    reaches = np.zeros((n_ways, n), np.bool_)
    for way in range(n_ways):
        np.logical_or.at(reaches[way], entry, sources.latest[way, : source.size] >= 0)
    row = np.repeat(np.arange(n_hexes), np.diff(problem.indptr))
    other = np.empty(n, np.int64)  # the same pair in the row of the other hex
    other[np.lexsort((problem.partner, row))] = np.lexsort((row, problem.partner))
    first = np.flatnonzero(row < problem.partner) if n_ways == 1 else np.arange(n)
    second = other[first] + (n_ways - 1) * n
    weight = problem.pair_quanta[0, first].astype(np.float64) * objective.trips
    served = (weight > 0) & reaches[0, first] & reaches.ravel()[second]
    people = problem.presence.astype(np.float64) * objective.presence
    hexes = np.flatnonzero(people > 0)
    return TripGroups(
        np.concatenate([first[served], n_ways * n + hexes]).astype(np.int32),
        np.concatenate([second[served], np.full(hexes.size, n_ways * n + n_hexes)]).astype(np.int32),
        np.concatenate([weight[served], people[hexes]]),
    )


def _memory(graph: ArmGraph, n_hexes: int) -> WalkMemory:
    """Memory of stops, and of hexes where some hex is within the walk of several stops."""
    n_stops = graph.link_indptr.size - 1
    each = np.arange(n_stops + 1), np.arange(n_stops, dtype=np.int32)
    stops = near_memory(CostGraph(graph.link_indptr, graph.link_to, graph.link_cost, *each), n_stops, _RINGS)
    if np.bincount(graph.shed_hex, minlength=1).max() <= 1:  # whoever never comes back to a stop never comes back to a hex
        return WalkMemory(stops.shed_bit, stops.keep, np.zeros(graph.shed_hex.size, np.uint64), np.zeros(graph.link_to.size, np.uint64))
    hexes = near_memory(CostGraph(graph.link_indptr, graph.link_to, graph.link_cost, graph.shed_indptr, graph.shed_hex), n_hexes, 1)
    return WalkMemory(stops.shed_bit, stops.keep, hexes.shed_bit, hexes.keep)


def in_threads(work: Callable[[int, int], None], n: int, size: int) -> None:
    """
    Work on a range in parts, on two threads: kernels release the interpreter's lock.

    Parameters
    ----------
    work
        Does the numbers from its first argument to before its second.
    n
        Numbers in the range.
    size
        Numbers in a part.
    """
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for done in [pool.submit(work, first, min(first + size, n)) for first in range(0, n, size)]:
            done.result()
