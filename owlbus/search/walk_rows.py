"""Room for walks in rows by their cost and last stop, and the walks of a zone grown from both of its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.bound_routes import walk_stops
from owlbus.kernels.bound_structs import Completions, Walks, WalkStarts
from owlbus.kernels.grow_walks import grow_walks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import CostGraph, HexMemory
    from owlbus.search.start_zones import StartZone

_FIRST_ROOM = 200_000

_MOST_FOUND = 12


class PricedRoads(NamedTuple):
    """Links over S stops, what walks remember at each stop, and the multiplier of each hex."""

    graph: CostGraph
    memory: HexMemory
    multiplier: NDArray[np.float64]

    def own(self) -> NDArray[np.float64]:
        """Multipliers of the shed of each stop, shape (S,), float64."""
        indptr, hexes = self.graph.shed_indptr, self.graph.shed_hex
        stops = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
        return np.bincount(stops, weights=self.multiplier[hexes], minlength=indptr.size - 1).astype(np.float64, copy=False)


class FoundWalk(NamedTuple):
    """A walk that was found: what it is worth, its stops, and its cost."""

    value: float
    stops: NDArray[np.int32]
    cost: int


class WalkRows:
    """
    Walks in rows by their cost and last stop.

    Parameters
    ----------
    n_stops
        Stops S.
    budget
        Largest cost of a walk B.

    Attributes
    ----------
    walks
        Room for walks; it grows with what they take.
    head
        The most valuable walk at each cost and stop, shape (B + 1, S), int32; -1 if there is none.
    """

    def __init__(self, n_stops: int, budget: int) -> None:
        """Begin without walks."""
        self.head = np.full((budget + 1, n_stops), -1, np.int32)
        self._make_room(_FIRST_ROOM)

    def _make_room(self, walks: int) -> None:
        """Allocate `walks` walks."""
        self.walks = Walks(
            np.empty(walks, np.float64),
            np.empty(walks, np.uint64),
            *(np.empty(walks, np.int32) for _ in range(4)),
        )

    def grow(self, priced: PricedRoads, width: int, starts: WalkStarts, last: NDArray[np.int32], rest: Completions | None = None) -> None:
        """
        Grow walks, with as much room as they take.

        Parameters
        ----------
        priced
            Links, memory and multipliers.
        width
            Walks kept at each cost and stop, >= 2.
        starts
            Where walks begin.
        last
            Largest cost with which a walk may be at each stop, shape (S,), int32.
        rest
            Walks from the other ends, which say how much each walk can come to; None if all walks go on.
        """
        if rest is None:
            rest = Completions(self.walks, np.empty((0, self.head.shape[1]), np.int32), np.empty(0), 0.0)
        while grow_walks(*priced, width, starts, last, rest, self.walks, self.head) < 0:
            self._make_room(2 * self.walks.value.size)


class TwoWayWalks:
    """
    The most valuable walks of zones, grown from their starts and from their ends in turn.

    Walks that cannot come to more than some least value with those grown the other way are dropped. So few are left that wide rows, which
    hardly forget, cost little. A walk of cost c is worth the multipliers that it earns less the price of a route that costs c.

    Parameters
    ----------
    rows
        Room for walks from ends anywhere; it is taken over.
    """

    def __init__(self, rows: WalkRows) -> None:
        """Allocate rows."""
        n_stops, budget = rows.head.shape[1], rows.head.shape[0] - 1
        self._anywhere = np.full(n_stops, budget, np.int32)
        self._any_end, self._ahead, self._back = rows, WalkRows(n_stops, budget), WalkRows(n_stops, budget)

    def aim(self, priced: PricedRoads, price: NDArray[np.float64], width: int) -> None:
        """
        Grow walks from ends anywhere, which say what those of all zones can come to.

        Parameters
        ----------
        priced
            Links, memory and multipliers.
        price
            Price of a route by its cost, shape (B + 1,), float64.
        width
            Walks kept at each cost and stop, >= 2.
        """
        self._priced, self._price, self._own = priced, price, priced.own()
        self._any_end.grow(priced, width, self._ends(self._anywhere), self._anywhere)

    def most_valuable(self, zone: StartZone, widths: tuple[int, ...], least: float) -> tuple[float, list[FoundWalk]]:
        """
        Most that a walk of a zone is worth beyond its price.

        Parameters
        ----------
        zone
            Where walks begin, and the costs at which they may end.
        widths
            Walks kept at each cost and stop, in each turn, each >= 2.
        least
            What is worth no more is not looked for.

        Returns
        -------
        tuple of float and list of FoundWalk
            No walk of the zone is worth more than this; `least` if none is. And some of those that are worth more than `least`, the most
            valuable first.
        """
        starts = WalkStarts(zone.starts, np.zeros(zone.starts.size, np.int32), self._own[zone.starts])
        ends = self._ends(zone.last_end)
        rest, most, found = self._any_end, np.inf, list[FoundWalk]()
        for turn, width in enumerate(widths):
            others = Completions(rest.walks, rest.head, self._own, least)
            if turn % 2 == 0:
                self._ahead.grow(self._priced, width, starts, zone.last, others)
                found, rest = self._found_ahead(zone, least), self._ahead
            else:
                self._back.grow(self._priced, width, ends, self._anywhere, others)
                found, rest = self._found_back(zone, least), self._back
            if not found:
                return least, []
            most = min(most, found[0].value)
        return most, found

    def _ends(self, last_end: NDArray[np.int32]) -> WalkStarts:
        """Ends of routes that begin elsewhere, as starts of walks that are grown back: what such a route has not spent counts as spent."""
        budget = self._price.size - 1
        most = np.maximum(last_end, 0)
        stop = np.repeat(np.arange(most.size, dtype=np.int32), most)
        cost = np.arange(stop.size) - np.repeat(np.cumsum(most) - most, most) + 1
        return WalkStarts(stop, (budget - cost).astype(np.int32), self._own[stop] - self._price[cost])

    def _found_ahead(self, zone: StartZone, least: float) -> list[FoundWalk]:
        """Walks grown from the starts that may end where they are, the most valuable of each cost and stop."""
        walks, head = self._ahead.walks, self._ahead.head
        cost, stop = np.nonzero((head >= 0) & (np.arange(head.shape[0])[:, None] <= zone.last_end))
        row = head[cost, stop]
        value = walks.value[row] - self._price[cost]
        order = np.argsort(-value, kind="stable")[:_MOST_FOUND]
        return [FoundWalk(float(value[i]), walk_stops(walks, int(row[i])), int(cost[i])) for i in order if value[i] > least]

    def _found_back(self, zone: StartZone, least: float) -> list[FoundWalk]:
        """Walks grown from the ends that have come to a start."""
        walks, rows = self._back.walks, []
        for row in self._back.head[-1, zone.starts].tolist():
            walk = row
            while walk >= 0:
                rows.append(walk)
                walk = int(walks.following[walk])
        rows.sort(key=lambda walk: -walks.value[walk])
        return [
            FoundWalk(float(walks.value[walk]), walk_stops(walks, walk)[::-1].copy(), self._cost_back(walk))
            for walk in rows[:_MOST_FOUND]
            if walks.value[walk] > least
        ]

    def _cost_back(self, walk: int) -> int:
        """Cost of a walk that was grown from an end to a start."""
        walks = self._back.walks
        while walks.before[walk] >= 0:
            walk = int(walks.before[walk])
        return int(self._price.size - 1 - walks.cost[walk])
