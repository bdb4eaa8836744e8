"""Branch and bound over the choices of K among N routes, where two routes serve trips together that neither serves alone."""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.kernels.coverage import measure_route
from owlbus.kernels.keeps_limits import buses_of
from owlbus.kernels.pool_choice import FREE, IN, OUT, PoolLoads, choice_value, improve_choice
from owlbus.kernels.pool_multipliers import PoolPoint, PoolWork, choice_bound, take_step
from owlbus.kernels.pool_trips import PairRows, list_route_trips, list_shared_trips
from owlbus.plan import Plan, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.kernels.pool_trips import RouteTrips, SharedTrips
    from owlbus.kernels.structs import Routes
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem

_MOST_ENTRIES = 12_000_000
"""Trips listed for all pairs of routes, 8 bytes each; listing them takes a few seconds."""

_MARGIN = 1e-9
"""Relative error that float64 sums of a bound may have."""

_ROOT_STEPS, _NODE_STEPS = 240, 40
_ROOT_PART = 0.8
"""Part of the work that the first branch may take."""

_FIRST_PART = 0.5
"""First multiplier of each end of an item, in its weight."""

_FIRST_LENGTH, _LEAST_LENGTH = 0.3, 1e-3
_STALL, _SHORTER = 5, 0.7
"""Steps without a lower bound after which steps become shorter, and by how much."""

_MOVED_SCALE = 100.0
_MEAN_PART = 0.1
"""Part of the mean of the last choices that each new one makes up."""


@dataclass(frozen=True, slots=True, eq=False)
class PoolProblem:
    """
    Routes of a pool, what they serve alone and in pairs, and what they need.

    Attributes
    ----------
    routes
        Stops of each of N routes.
    weight
        Weight of each item that some choice covers, in 1/1024, float64.
    trips, shared
        What routes and pairs of them serve.
    limits
        Buses and metres of the routes, and what a choice may have of them.
    """

    routes: tuple[NDArray[np.int32], ...]
    weight: NDArray[np.float64]
    trips: RouteTrips
    shared: SharedTrips
    limits: PoolLoads

    @classmethod
    def of(
        cls, problem: Problem, routes: tuple[NDArray[np.int32], ...], n_routes: int, limits: RouteLimits, objective: Objective
    ) -> PoolProblem:
        """
        List the trips of each route and of each two.

        Parameters
        ----------
        problem
            Network, demand and rule.
        routes
            Stops of each route, all different.
        n_routes
            Routes K of a choice at most.
        limits
            Fleet, headway and total length of a choice.
        objective
            What a choice is worth.

        Returns
        -------
        PoolProblem
            Weights in 1/1024 a night.

        Raises
        ------
        UsageError
            If pairs of routes serve more trips than there is room for.
        """
        padded = problem.pad(Plan(tuple(Route(stops, f"N{k + 1}") for k, stops in enumerate(routes)), problem.network.fingerprint))
        rows, quanta = _pair_rows(problem)
        trips = list_route_trips(problem.graph, padded, rows, problem.n_rows)
        transfer_s = float(problem.rule.transfer_s)
        shared = list_shared_trips(problem.graph, padded, rows, trips, problem.n_rows, transfer_s, _MOST_ENTRIES)
        if shared.entry_low.size > _MOST_ENTRIES:
            allowed = f"at most {_MOST_ENTRIES:,} pairs of hexes two by two"
            msg = f"{setting('routes')} must serve {allowed}, got {len(routes)} that serve more; take fewer"
            raise UsageError(msg, setting="routes", value=len(routes))
        trips, shared = _without_unused(trips, shared)
        weight = np.concatenate([quanta.ravel() * float(objective.trips), problem.presence * float(objective.presence)])
        trips, weight = _without_uncovered(trips, weight.astype(np.float64))
        loads = np.ascontiguousarray(np.array([_loads(problem, padded, k, limits) for k in range(len(routes))]).T)
        most = np.array([limits.max_buses, limits.max_total_length_m], np.float64)
        return cls(routes, weight, trips, shared, PoolLoads(loads, most, n_routes))


def _pair_rows(problem: Problem) -> tuple[PairRows, NDArray[np.int32]]:
    """Pairs of hexes with trips, and their trips in 1/1024 by direction, shape (W, P)."""
    row = np.repeat(np.arange(problem.n_rows, dtype=np.int64), np.diff(problem.indptr))
    lower = row < problem.partner
    key = np.where(lower, row * problem.n_rows + problem.partner, problem.partner * np.int64(problem.n_rows) + row)
    pairs, pair = np.unique(key, return_inverse=True)
    number: NDArray[np.int32] = pair.ravel().astype(np.int32)
    limit_s = np.full((len(problem.pair_limit_s), pairs.size), -1, np.float32)
    quanta = np.zeros((len(problem.pair_quanta), pairs.size), np.int32)
    limit_s[:, number[lower]] = np.where(problem.pair_quanta[:, lower] > 0, problem.pair_limit_s[:, lower], -1)
    quanta[:, number[lower]] = problem.pair_quanta[:, lower]
    return PairRows(problem.indptr, problem.partner, number, limit_s), quanta


def _without_unused(trips: RouteTrips, shared: SharedTrips) -> tuple[RouteTrips, SharedTrips]:
    """Return the lists without local trips that no two routes serve."""
    used = np.zeros(trips.local_item.size, np.bool_)
    used[shared.entry_low] = True
    used[shared.entry_high] = True
    number = np.concatenate([[0], np.cumsum(used)])
    kept = trips._replace(local_first=number[trips.local_first], local_item=trips.local_item[used], local_hex=trips.local_hex[used])
    renumbered = number.astype(np.int32)
    return kept, shared._replace(entry_low=renumbered[shared.entry_low], entry_high=renumbered[shared.entry_high])


def _without_uncovered(trips: RouteTrips, weight: NDArray[np.float64]) -> tuple[RouteTrips, NDArray[np.float64]]:
    """Return lists and weights without items that no choice covers, renumbered; every local trip is served by some two routes."""
    covered = np.zeros(weight.size, np.bool_)
    covered[trips.direct_item] = True
    covered[trips.local_item] = True
    number = (np.cumsum(covered) - 1).astype(np.int32)
    return trips._replace(direct_item=number[trips.direct_item], local_item=number[trips.local_item]), weight[covered]


def _loads(problem: Problem, padded: Routes, k: int, limits: RouteLimits) -> tuple[float, float]:
    """Buses of a route, and its metres in the longer direction."""
    n, width = int(padded.n_stops[k]), padded.stops.shape[1]
    seconds = float(padded.ahead_s[k, n - 1] + padded.back_s[k, n - 1])
    metres = measure_route(problem.graph, padded.stops[k], n, np.empty(width, np.float32), np.empty(width, np.float32))
    return float(max(1, buses_of(seconds, float(limits.headway_s)))), float(max(1, *metres))


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A branch: the decisions on routes, the lowest bound in 1/1024 and its multipliers, and how often each route was chosen."""

    bound: int
    state: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    moved: NDArray[np.float64]
    mean: NDArray[np.float64]


class _Descent:
    """Multipliers of a branch on their way down: steps become shorter when the bound stalls, and begin at the best point again."""

    def __init__(self, pool: PoolProblem, work: PoolWork, share: NDArray[np.float32], node: _Node) -> None:
        """Begin at the multipliers of a branch."""
        self.state, self.best = node.state.copy(), (node.low, node.high, node.moved)
        self._lists, self._limits, self._work = (pool.weight, pool.trips, pool.shared), pool.limits, work
        self._point = PoolPoint(node.low.copy(), node.high.copy(), share, node.moved.copy())
        self._lowest, self._length, self._stalled = math.inf, _FIRST_LENGTH, 0
        for turn in (work.turn_low, work.turn_high, work.turn_moved):
            turn[:] = 0

    def value(self) -> float:
        """Bound at the multipliers, in 1/1024."""
        return choice_bound(*self._lists, self._limits, self.state, self._point, self._work)

    def go_on(self, value: float, best_quanta: float) -> bool:
        """Move the multipliers on from where the bound has this value; return whether steps are still long enough."""
        if value < self._lowest:
            self._lowest, self._stalled = value, 0
            self.best = (self._point.low.copy(), self._point.high.copy(), self._point.moved.copy())
        else:
            self._stalled += 1
        if self._stalled == _STALL:
            self._length, self._stalled = self._length * _SHORTER, 0
            self._point.low[:], self._point.high[:], self._point.moved[:] = self.best
            value = self.value()
        excess = self._length * max(1.0, value - best_quanta)
        take_step(*self._lists, self.state, self._point, self._work, excess, _MOVED_SCALE)
        return self._length >= _LEAST_LENGTH


class PoolTree:
    """
    Branches over the routes of a pool; the one with the highest bound is divided next.

    Parameters
    ----------
    pool
        Routes and what they serve.
    most_work
        Visits of listed trips after which the search ends.
    ends_s
        When it ends, of `time.perf_counter`.
    first
        Rows of a first choice; none is taken if it breaks a limit.
    """

    def __init__(self, pool: PoolProblem, most_work: float, ends_s: float = math.inf, first: Sequence[int] = ()) -> None:
        """Begin with the best choice that exchanges find from the first one."""
        n, n_items, n_local = len(pool.routes), pool.weight.size, pool.trips.local_item.size
        self.pool, self.steps = pool, 0
        self._work_left, self._ends_s = float(most_work), ends_s
        self._share = np.ones(n_local, np.float32)
        self._work = PoolWork(
            np.zeros(n_local, np.float32),
            np.zeros((n, n)),
            np.zeros(n),
            np.zeros((n, n), np.uint8),
            np.zeros(n, np.uint8),
            np.zeros(n_local, np.int32),
            np.zeros(n),
            np.zeros(n_items),
            np.zeros(n_items),
            np.zeros((n, n)),
        )
        self._list_size = np.append(np.diff(pool.shared.entry_first), 0)[pool.shared.list_of]
        self._stamp, self._mark = np.zeros(n_items, np.int64), 0
        self._best, self.best_quanta = np.zeros(n, np.uint8), 0
        chosen = self._best.copy()
        chosen[list(first)] = 1
        self._improve(chosen if self._is_kept(chosen) else self._best)

    def search(self) -> tuple[list[int], int]:
        """
        Divide branches until the best choice is known or the work is done.

        Returns
        -------
        rows, bound_quanta
            Rows of the best choice met, and what no choice exceeds, in 1/1024.
        """
        n, first = len(self.pool.routes), (self.pool.weight * _FIRST_PART).astype(np.float32)
        whole = _Node(int(self.pool.weight.sum()), np.full(n, FREE, np.uint8), first, first, np.zeros((n, n)), np.zeros(n))
        order = count()
        left_at_root = self._work_left * (1 - _ROOT_PART)
        root = self._bounded(whole, _ROOT_STEPS, left_at_root)
        heap = [(-root.bound, next(order), root)]
        while heap and heap[0][2].bound > self.best_quanta and self._work_left > 0:
            node = heapq.heappop(heap)[2]
            for state in self._divided(node):
                child = _Node(node.bound, state, node.low, node.high, node.moved, node.mean)
                child = self._bounded(child, _NODE_STEPS, 0.0)
                heapq.heappush(heap, (-child.bound, next(order), child))
        bound = max(self.best_quanta, heap[0][2].bound if heap else 0)
        return np.flatnonzero(self._best).tolist(), bound

    def _divided(self, node: _Node) -> list[NDArray[np.uint8]]:
        """States of the two branches by the route that is chosen nearest to half of the time; none where all routes are decided."""
        free = np.flatnonzero(node.state == FREE)
        if not free.size:
            return []
        route = free[np.argmin(np.abs(node.mean[free] - 0.5))]
        states = []
        for decision in (IN, OUT):
            states.append(node.state.copy())
            states[-1][route] = decision
        return states

    def _bounded(self, node: _Node, n_steps: int, least_left: float) -> _Node:
        """Lower the bound of a branch by steps, and decide the routes whose other branch cannot hold a better choice."""
        descent = _Descent(self.pool, self._work, self._share, node)
        bound, mean, state = node.bound, node.mean.copy(), descent.state
        for step in range(n_steps):
            if step and (self._work_left <= least_left or time.perf_counter() >= self._ends_s):
                break
            value = descent.value()
            self._spend(state)
            if value == -math.inf:
                return replace(node, bound=0)
            bound = min(bound, _whole(value))
            mean += (_MEAN_PART if step else 1.0) * (self._work.chosen - mean)
            self._improve_if_kept(self._work.chosen)
            self._decide(state, value)
            if bound <= self.best_quanta or not (state == FREE).any() or not descent.go_on(value, self.best_quanta):
                break
        if not (state == FREE).any():
            bound = min(bound, self._value_of(state))
        return _Node(bound, state, *descent.best, mean)

    def _decide(self, state: NDArray[np.uint8], value: float) -> None:
        """Decide each free route as the best choice has it, where the other way bounds all choices by the best one known."""
        work = self._work
        for route in np.flatnonzero(state == FREE).tolist():
            if math.isinf(work.reduced[route]) or _whole(value - work.reduced[route]) <= self.best_quanta:
                state[route] = IN if work.chosen[route] else OUT

    def _value_of(self, state: NDArray[np.uint8]) -> int:
        """Value of the choice where all routes are decided, 0 if it breaks a limit."""
        chosen = (state == IN).astype(np.uint8)
        if not self._is_kept(chosen):
            return 0
        self._mark += 1
        rows = np.flatnonzero(chosen)
        value = int(choice_value(self.pool.weight, self.pool.trips, self.pool.shared, rows, self._stamp, self._mark))
        if value > self.best_quanta:
            self.best_quanta, self._best = value, chosen
        return value

    def _improve_if_kept(self, chosen: NDArray[np.uint8]) -> None:
        """Keep a choice if it is the best so far, with exchanges."""
        if self._is_kept(chosen) and self._value_of(np.where(chosen, IN, OUT).astype(np.uint8)) == self.best_quanta:
            self._improve(chosen)

    def _improve(self, chosen: NDArray[np.uint8]) -> None:
        """Exchange routes of a choice, and keep it if it is the best so far."""
        pool, better = self.pool, chosen.copy()
        value, self._mark = improve_choice(pool.weight, pool.trips, pool.shared, pool.limits, better, self._stamp, self._mark)
        if value > self.best_quanta:
            self.best_quanta, self._best = int(value), better

    def _is_kept(self, chosen: NDArray[np.uint8]) -> bool:
        """Whether a choice keeps number, fleet and total length."""
        limits = self.pool.limits
        return bool(chosen.sum() <= limits.n_routes and (limits.loads[:, chosen > 0].sum(axis=1) <= limits.most).all())

    def _spend(self, state: NDArray[np.uint8]) -> None:
        """Count the work of a step: the trips listed of routes that are not left out."""
        used = state != OUT
        local = np.diff(self.pool.trips.local_first).reshape(-1, 2).sum(axis=1)[used].sum()
        self._work_left -= float(2 * self._list_size[np.ix_(used, used)].sum() + 3 * local + 4 * self.pool.weight.size)
        self.steps += 1


def _whole(value: float) -> int:
    """Bound in whole 1/1024, after a margin for float sums."""
    return math.floor(value * (1 + _MARGIN) + _MARGIN)
