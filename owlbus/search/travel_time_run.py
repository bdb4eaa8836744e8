"""A search for plans of low travel time, beside `owlbus.search.annealing_run` that searches for served trips and people reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.kernels.travel_time_anneal import BLOCK, Rules, anneal_blocks
from owlbus.kernels.travel_time_cost import settle
from owlbus.search.annealing_run import AnnealingRun, most_stops
from owlbus.search.group_presence import n_missing, reached_by
from owlbus.search.objective import Objective
from owlbus.search.problem import plan_of
from owlbus.search.travel_time_graph import build_graph, in_ticks, new_state
from owlbus.search.travel_time_objective import stop_trips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.problem import Problem

MOST_STOPS = 4_096
"""Most stops of a network: the search keeps times between all pairs of stops."""

_SERVED_SHARE = 0.5
"""Share of the search that maximises served trips: its moves are a hundred times faster, and most gains save time too."""

_MANY_STOPS = 500
"""Stops from which that share holds; on fewer stops it falls in proportion."""

_HOT_RISES, _COLD_RISES = 0.2, 0.03
"""First and last temperature for travel time, in medians of the cost that a worsening move adds."""

_DESCENT_SHARE = 0.05
"""Share of the travel-time part that descends at temperature 0, before the schedule is set."""

_TURN_WORK = 4_000_000
_MOST_BLOCKS = 50


class TravelTimeRun(AnnealingRun):
    """
    State of one annealing run for low travel time, changed in place.

    Users call `owlbus.search.plan_routes`. Routes are constructed and annealed for served trips, then annealed for travel time, within
    limits and constraints. The instance sets the schedule: after a short descent, the temperature falls geometrically from a fifth to a
    thirtieth of the median cost that the worsening moves added.

    Parameters
    ----------
    problem, objective, limits, n_routes, rng, constraints
        As of `AnnealingRun`; the objective is travel time.

    Raises
    ------
    UsageError
        If the network has more than `MOST_STOPS` stops, or the rule allows no transfer.
    """

    exchanges = False
    _rise: float

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        limits: RouteLimits,
        n_routes: int,
        rng: np.random.Generator,
        constraints: PlanConstraints | None = None,
    ) -> None:
        """Lay out links and trips between all stops, and compile before any clock starts."""
        n_stops = problem.network.n_stops
        if n_stops > MOST_STOPS:
            msg = f"travel_time keeps times between all stops, at most {MOST_STOPS:,}, got {n_stops:,}; merge stops, or take served"
            raise UsageError(msg, setting="objective")
        if problem.rule.max_transfers == 0:
            msg = f"travel_time counts journeys with any number of transfers, got {setting('max_transfers')} 0; take the objective direct"
            raise UsageError(msg, setting="max_transfers", value=0, allowed=(1, 1))
        self.travel_time_objective = objective
        self._current_quanta, self._best_quanta, self._best_missing, self._steps_since_gain = 0, 0, 0, 0
        self._best_rows = np.zeros((n_routes, 1), np.int32), np.zeros(n_routes, np.int64)
        super().__init__(problem, Objective(), limits, n_routes, rng, constraints)
        transfer_s, unserved_s = problem.rule.transfer_s, problem.rule.unserved_s
        links, weight, tick_s, unit = in_ticks(_link_square(problem), stop_trips(problem), transfer_s, unserved_s)
        stops = limits.min_stops, most_stops(problem, limits, spare=0)
        self._graph = build_graph(links, weight, transfer_s // tick_s, stops, unserved_s // tick_s)
        self._quanta_per_unit = tick_s * unit
        self._unserved = int(weight.sum()) * int(self._graph.worst)
        self._begin_travel_time()
        anneal_blocks(self._graph, self._state, self._workspace, 0, 0.0, self._rules_arrays)
        self._is_begun = False

    @property
    def _served_share(self) -> float:
        """Share of the search that maximises served trips: less on small networks, where moves for travel time are fast too."""
        return _SERVED_SHARE * min(1.0, self.problem.network.n_stops / _MANY_STOPS)

    @property
    def value(self) -> int:
        """Travel time that the current plan saves, in trip-seconds in 1/1024."""
        return self._current_quanta

    @property
    def best_value(self) -> int:
        """Travel time that the best plan saves, in trip-seconds in 1/1024."""
        return self._best_quanta

    @property
    def missing(self) -> int:
        """People whom the plan that saves most fails to reach of the groups that it must reach, in 1/1024 times points."""
        return self._best_missing

    @property
    def evaluations(self) -> int:
        """Moves evaluated, for served trips and for travel time."""
        return int(self.values[2] + self._state.tried[0])

    @property
    def steps_since_gain(self) -> int:
        """Moves since the last better plan."""
        return self._steps_since_gain

    def best_plan(self) -> Plan:
        """Return the plan that saves most; empty routes are left out."""
        return plan_of(self.problem.network, *self._best_rows, names=self._names)

    def construct(self, k: int) -> bool:
        """Fill the empty route `k` for served trips; False if no drawn path keeps the limits."""
        is_built = super().construct(k)
        self._evaluate(is_new_start=True)
        return is_built

    def moves_per_turn(self, share: float) -> int:
        """Moves of a turn at a `share` of the search; fewer for travel time, whose moves take longer."""
        if share < self._served_share:
            return super().moves_per_turn(share)
        return BLOCK * int(np.clip(_TURN_WORK / self.problem.network.n_stops**2, 1, _MOST_BLOCKS))

    def turn(self, moves: int, done: float, ahead: float, constructed_value: int) -> int:
        """Anneal for served trips first, then for travel time in whole blocks of moves; return how many moves were tried."""
        del constructed_value  # of the travel time saved, which sets no temperature
        first = moves if ahead <= self._served_share else 0
        if done < self._served_share < ahead:
            first = round(moves * (self._served_share - done) / (ahead - done))
        tried, gain = 0, False
        if first:
            tried = super().turn(first, done / self._served_share, min(1.0, ahead / self._served_share), self._served_worth)
            gain = self._evaluate(is_new_start=False)
        if moves > first:
            share = max(0.0, done - self._served_share) / (1 - self._served_share)
            n_timed, is_better = self._anneal_times(moves - first, share)
            tried, gain = tried + n_timed, gain or is_better
        self._steps_since_gain = 0 if gain else self._steps_since_gain + tried
        return tried

    def _anneal_times(self, moves: int, share: float) -> tuple[int, bool]:
        """Anneal for travel time at a share of that part; return the moves tried, and whether the best plan got better."""
        if not self._is_begun:
            self._begin_travel_time()
        state, blocks = self._state, -(-moves // BLOCK)
        if not state.sizes[state.free].any():
            return 0, False
        anneal_blocks(self._graph, state, self._workspace, blocks, self._temperature(share), self._rules_arrays)
        self._current_quanta = self._saved(settle(self._graph, state.routes, state.sizes, -1, -1, state.spare, self._workspace))
        best = self._saved(int(state.best[0]))
        gain = best > self._best_quanta
        if gain:
            self._best_quanta = best
            self._best_rows = state.best_routes.copy(), state.best_sizes.copy()
            self._best_missing = n_missing(self.groups, reached_by(self.groups, *self._best_rows))
        return blocks * BLOCK, gain

    def _temperature(self, share: float) -> float:
        """Mean rise in cost that is accepted: 0 during the descent, then set from the sampled moves."""
        if share < _DESCENT_SHARE:
            return 0.0
        if self._rise == 0:
            rises = self._state.rises[self._state.rises >= 0]
            self._rise = float(np.median(rises)) if rises.size else 0.0
        return float(self._rise * _HOT_RISES * (_COLD_RISES / _HOT_RISES) ** ((share - _DESCENT_SHARE) / (1 - _DESCENT_SHARE)))

    def _restart_from_routes(self) -> None:
        super()._restart_from_routes()
        self._evaluate(is_new_start=True)

    def _evaluate(self, *, is_new_start: bool) -> bool:
        """Set the current plan to the one that serves most; return whether it is the best now, as it always is at a new start."""
        self._current_quanta = self.problem.value(super().best_plan(), self.travel_time_objective)
        missing = int(self.groups.missing[0])
        gain = is_new_start or (-missing, self._current_quanta) > self.rank
        if gain:
            self._best_quanta, self._best_missing = self._current_quanta, missing
            self._best_rows = self.best[0].copy(), self.best[1].copy()
        if is_new_start:
            self._served_worth, self._is_begun = max(1, int(self.values[1])), False
        return gain

    def _saved(self, cost: int) -> int:
        """Trip-seconds saved in 1/1024, of the kernels' cost."""
        return (self._unserved - cost) * self._quanta_per_unit

    def _begin_travel_time(self) -> None:
        """Load the best plan into the arrays of the travel-time kernels."""
        (stops, counts), width = self._best_rows, self.routes.stops.shape[1]
        n_routes, free = counts.size, np.flatnonzero(~self.frozen & (counts > 1))
        seed = int(self.rng.integers(0, 2**64, dtype=np.uint64))
        self._state, self._workspace = new_state(self._graph, width, n_routes, seed, free if free.size else np.zeros(1, np.int64))
        self._graph = self._graph._replace(most=max(self._graph.most, int(counts.max())))
        state = self._state
        for rows, sizes in ((state.routes, state.sizes), (state.best_routes, state.best_sizes)):
            rows[:, : stops.shape[1]], sizes[:] = stops, counts
        state.best[0] = settle(self._graph, state.routes, state.sizes, -1, -1, state.spare, self._workspace)
        workspace = (
            np.zeros(width + 1, np.float32),
            np.zeros(width + 1, np.float32),
            np.zeros(self._constraints.required.shape[0], np.int64),
        )
        self._rules_arrays = Rules(
            self.problem.graph, self.drive, self.bounds(), self._constraints._replace(groups=self.groups), *workspace
        )
        self._rise, self._is_begun = 0.0, True


def _link_square(problem: Problem) -> NDArray[np.int64]:
    """Seconds from stop to stop, shape (S, S); -1 where there is no link."""
    indptr, link_to, link_s = problem.graph.link_indptr, problem.graph.link_to, problem.graph.link_s
    n_stops = problem.network.n_stops
    square = np.full((n_stops, n_stops), -1, np.int64)
    square[np.repeat(np.arange(n_stops), np.diff(indptr)), link_to] = link_s
    return square
