"""Tiny cities that a hand can check, shared by the tests of search and scorecard."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from owlbus.plan import Plan
    from owlbus.search import Problem

LINK_S, LINK_M = 200, 1000
ANY_SHAPE = {"max_circuity": 99.0, "max_pair_circuity": 99.0, "allow_spurs": True}
"""Limits that a route of any shape keeps."""


def city(
    n_hexes: int,
    links: Iterable[tuple[int, int]],
    trips: Mapping[tuple[int, int], float],
    *,
    seconds: Mapping[tuple[int, int], int] | None = None,
    sheds: Mapping[int, tuple[int, ...]] | None = None,
    presence: Mapping[int, float] | None = None,
) -> tuple[Network, Demand]:
    """Stop i stands in hex i; links run both ways, 200 s and 1 km unless `seconds` of the directed link says otherwise."""
    grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=n_hexes)
    both = sorted({(a, b) for link in links for a, b in (link, link[::-1])})
    indptr = np.searchsorted([a for a, _ in both], np.arange(n_hexes + 1))
    rows = [sorted({stop, *(sheds or {}).get(stop, ())}) for stop in range(n_hexes)]
    network = Network(
        grid=grid,
        stop_lon=grid.lon,
        stop_lat=grid.lat,
        stop_hex=np.arange(n_hexes),
        stop_names=tuple(f"stop {i}" for i in range(n_hexes)),
        link_indptr=indptr,
        link_to=[b for _, b in both],
        link_s=[(seconds or {}).get(link, LINK_S) for link in both],
        link_m=[LINK_M] * len(both),
        shed_indptr=np.cumsum([0, *map(len, rows)]),
        shed_hex=np.concatenate(rows),
        shed_walk_m=[0 if h == stop else 400 for stop, row in enumerate(rows) for h in row],
    )
    people = presence or {}
    demand = Demand.from_rows(
        n_hexes,
        {
            "night": [0] * len(trips),
            "hour": [24] * len(trips),
            "origin": [o for o, _ in trips],
            "destination": [d for _, d in trips],
            "trips": list(trips.values()),
        },
        {
            "night": [0] * len(people),
            "hour": [24] * len(people),
            "hex": list(people),
            "presence": list(people.values()),
        },
        grid=grid.fingerprint,
    )
    return network, demand


def slow_rides(problem: Problem, plan: Plan) -> dict[tuple[int, int], float]:  # noqa: C901 -- a slow twin is one plain loop nest
    """Fastest ride between hexes with at most one transfer, by trying every combination of places."""
    network: Any = problem.network
    seconds = []
    for route in plan.routes:
        ahead = np.cumsum([0, *(network.link(a, b)[0] for a, b in pairwise(route.stops.tolist()))])
        back = np.cumsum([0, *(network.link(b, a)[0] for a, b in pairwise(route.stops.tolist()))])
        seconds.append((ahead, back))

    def ride(k: int, p: int, q: int) -> float:
        ahead, back = seconds[k]
        return float(ahead[q] - ahead[p] if q >= p else back[p] - back[q])

    def hexes(stop: int) -> list[int]:
        return list(network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]])

    best: dict[tuple[int, int], float] = {}
    for k, first in enumerate(plan.routes):
        for p, start in enumerate(first.stops):
            ends = [(ride(k, p, q), stop) for q, stop in enumerate(first.stops)]
            for other, second in enumerate(plan.routes):
                if other != k and problem.rule.max_transfers:
                    for t, at in enumerate(first.stops):
                        for u, stop in enumerate(second.stops):
                            if stop == at:
                                leg = ride(k, p, t) + problem.rule.transfer_s
                                ends += [(leg + ride(other, u, q), end) for q, end in enumerate(second.stops)]
            for total, stop in ends:
                for o in hexes(start):
                    for d in hexes(stop):
                        best[o, d] = min(best.get((o, d), np.inf), total)
    return best
