"""Zones of starts: walks that begin in one, and the costs at which they may still keep the limit on circuity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.cost_rows import new_bucket_queue
from owlbus.kernels.structs import ShortestMetres
from owlbus.kernels.zone_limits import last_costs, least_metres, narrow_ends, widen_limits, zones_around

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import CostGraph
    from owlbus.kernels.structs import Graph
    from owlbus.plan.limits import RouteLimits

MOST_STOPS = 6_000
"""Stops of the largest network whose starts are put into zones: the metres between all of them take minutes on larger ones."""

_FREE_CIRCUITY = 50.0
"""From this circuity on, hardly any walk within a budget breaks the limit."""


@dataclass(frozen=True, slots=True, eq=False)
class StartZone:
    """
    Walks that begin at some stops.

    Attributes
    ----------
    starts
        Stops, shape (Z,), int32.
    last
        Largest cost of a walk at each stop with which it can still end rightly, shape (S,), int32; -1 where it cannot.
    last_end
        Largest cost with which a walk may end at each stop, shape (S,), int32; -1 for none.
    """

    starts: NDArray[np.int32]
    last: NDArray[np.int32]
    last_end: NDArray[np.int32]

    @classmethod
    def of_all(cls, n_stops: int, budget: int) -> StartZone:
        """
        One zone of all stops, in which circuity is not seen.

        Parameters
        ----------
        n_stops
            Stops S.
        budget
            Largest cost of a route.

        Returns
        -------
        StartZone
            Every stop within the budget.
        """
        anywhere = np.full(n_stops, budget, np.int32)
        return cls(np.arange(n_stops, dtype=np.int32), anywhere, anywhere)


def start_zones(graph: Graph, roads: CostGraph, budget: int, limits: RouteLimits, n_zones: int) -> tuple[StartZone, ...]:
    """
    Partition of the stops into zones, each with the costs at which its walks may be somewhere.

    A route is its reverse, so it begins in that zone of its terminals which comes first.

    Parameters
    ----------
    graph
        Stop network over S stops; every link has its reverse.
    roads
        The same links with their costs.
    budget
        Largest cost of a route.
    limits
        What a route must keep.
    n_zones
        Most zones.

    Returns
    -------
    tuple of StartZone
        Zones, outer ones first. One that sees no circuity if the network has more than `MOST_STOPS` stops, or the limits hardly bind.
    """
    n_stops = graph.link_indptr.size - 1
    if n_stops > MOST_STOPS or graph.link_to.size == 0 or min(limits.max_circuity, limits.max_pair_circuity) >= _FREE_CIRCUITY:
        return (StartZone.of_all(n_stops, budget),)
    searches = _searches(graph)
    rank_of, zones = _zones(searches[0], n_zones)
    return tuple(_zone(roads, budget, limits, searches, zone, rank_of >= rank) for rank, zone in enumerate(zones))


def _zone(
    roads: CostGraph,
    budget: int,
    limits: RouteLimits,
    searches: list[ShortestMetres],
    starts: NDArray[np.int32],
    may_end: NDArray[np.bool_],
) -> StartZone:
    """A zone with the costs that its walks may have, by the direction of a route that allows less."""
    last_end = np.where(may_end, budget, -1).astype(np.int32)
    least_m, most_m = np.empty((budget + 1, last_end.size), np.int32), np.empty(last_end.size, np.int64)
    for search in searches:
        least_metres(roads, search.cost, starts, least_m)
        widen_limits(search, starts, limits.max_circuity, limits.max_pair_circuity, most_m)
        narrow_ends(least_m, most_m, last_end)
    return StartZone(starts, last_costs(roads, last_end, budget), last_end)


def _searches(graph: Graph) -> list[ShortestMetres]:
    """Links with the metres that a route rides on them ahead, and back; once where both are the same."""
    tail = np.repeat(np.arange(graph.link_indptr.size - 1), np.diff(graph.link_indptr))
    there, back = np.lexsort((graph.link_to, tail)), np.lexsort((tail, graph.link_to))
    reverse_m = np.empty_like(graph.link_m)
    reverse_m[there] = graph.link_m[back]
    columns = [graph.link_m] if np.array_equal(graph.link_m, reverse_m) else [graph.link_m, reverse_m]
    return [_search(graph, column) for column in columns]


def _search(graph: Graph, link_m: NDArray[np.int32]) -> ShortestMetres:
    """Room for one row of shortest metres."""
    n_stops = graph.link_indptr.size - 1
    return ShortestMetres(
        np.zeros((1, n_stops), np.int32),
        np.full(n_stops, -1, np.int32),
        np.full(1, -1, np.int32),
        np.zeros(1, np.int64),
        graph.link_indptr,
        graph.link_to,
        link_m,
        new_bucket_queue(link_m, n_stops),
    )


def _zones(search: ShortestMetres, n_zones: int) -> tuple[NDArray[np.int64], list[NDArray[np.int32]]]:
    """
    Rank of each stop's zone, and the stops of each zone.

    Walks from the rim go one way, those from the middle every way: so the zones that are far from most others come first.
    """
    n_stops = search.row_of.size
    zone_of, most_m = np.empty(n_stops, np.int32), np.empty(n_stops, np.int64)
    n_zones = zones_around(search, zone_of, min(n_zones, n_stops))
    far = np.zeros(n_zones)
    for z in range(n_zones):
        widen_limits(search, np.flatnonzero(zone_of == z)[:1].astype(np.int32), 1.0, np.inf, most_m)
        far[z] = most_m.mean()
    order = np.argsort(-far, kind="stable")
    rank = np.empty(n_zones, np.int64)
    rank[order] = np.arange(n_zones)
    return rank[zone_of], [np.flatnonzero(zone_of == z).astype(np.int32) for z in order]
