"""
Upper bound on trips without a transfer: walks that earn at each stop what the ride to both sides allows (`owlbus.kernels.arms`).

The bound by ends (`owlbus.search.bound`) asks only whether both ends of a trip are covered. Here each end of a trip has a multiplier of its
own, which a route earns where it calls at that end and can bring the trip to the other one in time. What remains relaxed is that both sides
of a route are chosen anew at each of its stops, and that walks may come back to what they forgot. Length, ride, stops, fleet and total
length are kept as in the bound by ends; circuity and turning back are not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.arm_multipliers import KnownColumns, lower_in_box, open_worth
from owlbus.kernels.arm_walks import ArmWalks, dearest_walks, follow_arm_walk
from owlbus.kernels.arms import N_ARMS, grow_arms, new_space, trace_arms
from owlbus.kernels.bound_multipliers import dearest_mix
from owlbus.search.arms_problem import WIDTH, in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.arms import ArmSpace
    from owlbus.kernels.bound_structs import PairWeights
    from owlbus.search.arms_problem import ArmsProblem

_INNER_STEPS, _LEVEL = 300, 0.02
_HALF, _LEAST_HALF, _MOST_HALF = 0.22, 0.002, 0.3
_WIDER, _NARROWER, _MUCH, _LITTLE = 1.4, 0.7, 0.5, 0.1
_MANY_ENDS, _FEW_ENDS = 600, 4
_MOST_KNOWN = 8_000
_ENTRIES_A_WALK = 64
_MET = 1e-4


class _Walk(NamedTuple):
    """A walk with the budget it was found with: its links, the hexes remembered at each stop, and its stops."""

    cost: int
    links: NDArray[np.int64]
    hexes: NDArray[np.uint64]
    stops: list[int]


class _Known(NamedTuple):
    """A known walk: the budget it was found with, the entries that it earns, and how often."""

    cost: int
    entry: NDArray[np.int32]
    times: NDArray[np.float32]


class ArmsBound:
    """
    State of the bound; each step proves a bound at some multipliers and learns the most valuable walks under them.

    Parameters
    ----------
    problem
        The compiled input.
    multiplier
        Multipliers to begin with, shape (N,), float64, >= 0 and 0 where no trips are; see `first_multipliers`.
    """

    def __init__(self, problem: ArmsProblem, multiplier: NDArray[np.float64]) -> None:
        """Make room for walks."""
        self._problem, self._centre = problem, multiplier
        self._lowest, self._model, self._half = math.inf, 0.0, _HALF
        self._known: list[_Known] = []
        graph, budget = problem.graph, int(problem.mixes.cost.max())
        n_arms, n_places = int(problem.sources.arm_indptr[-1]), (budget + 1) * graph.link_to.size
        self._arms = np.zeros((n_arms, budget + 1), np.float32)
        n_walks = n_places * WIDTH
        self._walks = ArmWalks(
            np.zeros(n_places, np.int32),
            np.zeros(n_walks),
            np.zeros(n_walks, np.uint64),
            np.zeros(n_walks, np.uint64),
            np.zeros(n_walks, np.int32),
        )

    @property
    def value(self) -> float:
        """Lowest proven value so far in 1/1024, float sums uncorrected but for the margin of the arms; infinite before the first step."""
        return self._lowest

    @property
    def is_done(self) -> bool:
        """Whether further steps can hardly lower the bound."""
        return self._half <= _LEAST_HALF or self._lowest - self._model <= _MET * self._lowest

    def step(self) -> float:
        """
        Prove a bound at the next multipliers.

        Returns
        -------
        float
            The lowest value so far.
        """
        if math.isinf(self._lowest):
            self._try(self._centre)
            return self._lowest
        target = np.empty_like(self._centre)
        problem = self._problem
        self._model = lower_in_box(problem.groups, problem.mixes, self._columns(), self._centre, self._half, _INNER_STEPS, _LEVEL, target)
        before = self._lowest
        self._try(target)
        share = (before - self._lowest) / max(before - self._model, 1e-9 * before, 1e-9)
        self._half *= _WIDER if share > _MUCH else 1.0 if share > _LITTLE else _NARROWER
        self._half = min(self._half, _MOST_HALF)
        return self._lowest

    def _columns(self) -> KnownColumns:
        """Known walks in rows."""
        known = self._known
        return KnownColumns(
            np.cumsum([0, *(walk.entry.size for walk in known)]),
            np.concatenate([np.empty(0, np.int32), *(walk.entry for walk in known)]),
            np.concatenate([np.empty(0, np.float32), *(walk.times for walk in known)]),
            np.array([walk.cost for walk in known], np.int32),
        )

    def _try(self, point: NDArray[np.float64]) -> None:
        """Prove the bound at a point, learn its walks, and go there if it is the lowest so far."""
        problem, mixes = self._problem, self._problem.mixes
        graph, sources = problem.graph, problem.sources
        multiplier = point.astype(np.float32)
        self._grow(multiplier)
        own: NDArray[np.float64] = np.bincount(problem.own_source, weights=point[problem.own_entry], minlength=sources.stop_of.size).astype(
            np.float64
        )
        n_stops = graph.link_indptr.size - 1
        worth = np.zeros(mixes.cost.size)
        walks: list[list[_Walk]] = []
        for kind, cost in enumerate(mixes.cost.tolist()):
            ends: NDArray[np.float64] = np.empty(n_stops)
            places: NDArray[np.int32] = np.empty(n_stops, np.int32)
            dearest_walks(graph, sources, problem.memory, self._arms, own, cost, WIDTH, self._walks, ends, places)
            worth[kind] = max(0.0, float(ends.max()))
            walks.append(self._best_by_end(ends, places, cost))
        chosen = np.zeros(worth.size, np.int64)
        value = open_worth(problem.groups, point) + dearest_mix(worth, mixes, chosen) * (1 + problem.margin)
        self._learn(multiplier, [walk for kind, row in enumerate(walks) for walk in row[: _MANY_ENDS if chosen[kind] else _FEW_ENDS]])
        if value < self._lowest:
            self._lowest, self._centre = value, point

    def _grow(self, multiplier: NDArray[np.float32]) -> None:
        """Fill the table of arms."""
        problem = self._problem
        graph, sources = problem.graph, problem.sources
        budget, n_arms = self._arms.shape[1] - 1, self._arms.shape[0]

        def work(first: int, last: int) -> None:
            space = self._space(int(graph.link_cost.max()) + 1)
            for arm in range(first, last, N_ARMS):
                grow_arms(graph, sources, space, multiplier, arm, min(N_ARMS, last - arm), budget, self._arms)

        in_threads(work, n_arms, 16 * N_ARMS)

    def _space(self, n_costs: int) -> ArmSpace:
        """Work space that keeps some costs."""
        problem = self._problem
        n_rows = problem.sources.latest.shape[0] * (problem.sources.indptr.size - 1)
        return new_space(problem.graph.link_indptr.size - 1, n_rows, min(n_costs, self._arms.shape[1]))

    def _best_by_end(self, ends: NDArray[np.float64], places: NDArray[np.int32], cost: int) -> list[_Walk]:
        """Most valuable walks to different stops, no walk beside its reverse."""
        graph = self._problem.graph
        found: list[_Walk] = []
        seen: set[tuple[int, ...]] = set()
        for stop in np.lexsort((np.arange(ends.size), -ends))[: 2 * _MANY_ENDS]:
            if places[stop] >= 0 and ends[stop] > 0:
                links, hexes = follow_arm_walk(graph, self._walks, WIDTH, int(places[stop]))
                first = int(np.searchsorted(graph.link_indptr, links[0], side="right") - 1)
                stops = [first, *graph.link_to[links].tolist()]
                key = tuple(min(stops, stops[::-1]))
                if key not in seen and len(found) < _MANY_ENDS:
                    seen.add(key)
                    found.append(_Walk(cost, links, np.append(np.zeros(1, np.uint64), hexes), stops))
        return found

    def _learn(self, multiplier: NDArray[np.float32], walks: list[_Walk]) -> None:
        """Add walks to the known ones, with the entries that each earns."""
        problem = self._problem
        requests: list[tuple[int, int, int]] = []
        columns, entries = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for column, walk in enumerate(walks):
            arms, sources = self._calls(walk)
            requests += [(arm, room, column) for arm, room in arms]
            own = problem.own_entry[np.isin(problem.own_source, sources)]
            columns.append(np.full(own.size, column, np.int32))
            entries.append(own)
        for traced, earned in self._trace(multiplier, np.array(requests, np.int32).reshape(-1, 3)):
            columns.append(traced)
            entries.append(earned)
        keys = np.concatenate(columns).astype(np.int64) * problem.n_entries + np.concatenate(entries)
        keys, times = np.unique(keys, return_counts=True)
        of_walk, entry = np.divmod(keys, problem.n_entries)
        ends = np.searchsorted(of_walk, np.arange(len(walks) + 1))
        for i, walk in enumerate(walks):
            part = slice(ends[i], ends[i + 1])
            self._known.append(_Known(walk.cost, entry[part].astype(np.int32), times[part].astype(np.float32)))
        del self._known[:-_MOST_KNOWN]

    def _calls(self, walk: _Walk) -> tuple[list[tuple[int, int]], list[int]]:
        """Arms of a walk with what each may cost, and the sources that earn where it calls."""
        graph, sources, links = self._problem.graph, self._problem.sources, walk.links
        spent = np.cumsum([0, *graph.link_cost[links]]).tolist()
        arms, earning = [], []
        for i, stop in enumerate(walk.stops):
            for source in range(int(graph.shed_indptr[stop]), int(graph.shed_indptr[stop + 1])):
                if walk.hexes[i] & self._problem.memory.hex_bit[source]:
                    continue
                first = int(sources.arm_indptr[source])
                earning.append(source)
                if i > 0:
                    arms.append((first + int(graph.back_slot[links[i - 1]]), spent[i]))
                if i < links.size:
                    arms.append((first + int(links[i] - graph.link_indptr[stop]), walk.cost - spent[i]))
        return arms, earning

    def _trace(self, multiplier: NDArray[np.float32], requests: NDArray[np.int32]) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Columns and entries of the arms asked for, arms that grow side by side at a time."""
        problem = self._problem
        graph, sources = problem.graph, problem.sources
        budget = self._arms.shape[1] - 1
        order = np.argsort(requests[:, 0], kind="stable")
        requests = requests[order]
        # Arms of one stop lie in a row; a part begins wherever the last one ended and holds as many arms as grow side by side.
        parts, begin = [], 0
        while begin < len(requests):
            end = int(np.searchsorted(requests[:, 0], requests[begin, 0] + N_ARMS))
            parts.append(requests[begin:end])
            begin = end
        found: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}

        def work(first: int, last: int) -> None:
            space = self._space(budget + 1)
            arms = np.zeros_like(self._arms)
            for part in range(first, last):
                asked = parts[part]
                columns, entries = (np.empty(_ENTRIES_A_WALK * len(asked), np.int32) for _ in range(2))
                arm = int(asked[0, 0])
                grow_arms(graph, sources, space, multiplier, arm, int(asked[-1, 0]) - arm + 1, budget, arms)
                n = trace_arms(graph, sources, space, multiplier, arm, arms, asked, columns, entries, 0)
                found[part] = columns[:n], entries[:n]

        in_threads(work, len(parts), -(-len(parts) // 2) or 1)
        return [found[part] for part in range(len(parts))]


def first_multipliers(
    problem: ArmsProblem, pairs: PairWeights, split: NDArray[np.float64], hex_multiplier: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Multipliers at which the arms prove no more than the bound by ends does: each hex's multiplier in parts of what it is split.

    Parameters
    ----------
    problem
        The compiled input.
    pairs
        Pairs of hexes and people of the bound by ends, pairs ascending.
    split
        Part of each pair's weight at its first hex, shape (P,), float64.
    hex_multiplier
        Multiplier of each hex, shape (H,), float64.

    Returns
    -------
    ndarray of float64
        Multiplier of each entry, shape (N,).
    """
    groups, sources, n_hexes = problem.groups, problem.sources, hex_multiplier.size
    n = sources.partner.size
    worth = pairs.bonus + np.bincount(pairs.first, split, n_hexes) + np.bincount(pairs.second, pairs.weight - split, n_hexes)
    share = np.append(np.minimum(hex_multiplier / np.maximum(worth, 1e-9), 1.0), 0.0)
    row = np.repeat(np.arange(n_hexes), np.diff(sources.indptr))
    multiplier = np.zeros(problem.n_entries)
    n_trips = int((groups.second < problem.n_entries - 1).sum())  # people come after trips
    one, other, weight = row[groups.first[:n_trips] % n], row[groups.second[:n_trips] % n], groups.weight[:n_trips]
    keys = pairs.first.astype(np.int64) * n_hexes + pairs.second
    place = np.searchsorted(keys, np.minimum(one, other).astype(np.int64) * n_hexes + np.maximum(one, other))
    at_lower = split[place] / pairs.weight[place]
    multiplier[groups.first[:n_trips]] = weight * np.where(one < other, at_lower, 1 - at_lower) * share[one]
    multiplier[groups.second[:n_trips]] = weight * np.where(one < other, 1 - at_lower, at_lower) * share[other]
    people = groups.first[n_trips:]
    multiplier[people] = groups.weight[n_trips:] * share[people - problem.sources.latest.shape[0] * n]
    return multiplier
