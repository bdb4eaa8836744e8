"""Run a search: construction, annealing, recombination and the bound, until a limit ends it."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from owlbus.common.ending import INTERRUPTED, Ending
from owlbus.common.errors import InfeasibleError
from owlbus.common.progress import current_progress
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.construct import with_required
from owlbus.search.recombine import Pool, best_choice, exchange_tails, take_best_of
from owlbus.search.result import Result, TracePoint
from owlbus.search.stopping import MaxSeconds, MaxSteps, Snapshot
from owlbus.search.travel_time_run import TravelTimeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.bound import BoundProver
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem
    from owlbus.search.stopping import SearchLimit


_PAIRS = 4

_RECOMBINE_AT = 0.85


def new_annealing_run(
    problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int, rng: np.random.Generator, constraints: PlanConstraints
) -> AnnealingRun:
    """
    Annealing run of a search, of the kind that its objective needs.

    Parameters
    ----------
    problem, objective, limits, n_routes, rng, constraints
        As of `owlbus.search.annealing_run.AnnealingRun`.

    Returns
    -------
    AnnealingRun
        Before anything is constructed.
    """
    kind = TravelTimeRun if objective.is_travel_time else AnnealingRun
    return kind(problem, objective, limits, n_routes, rng, constraints)


class Search:
    """Annealing runs side by side, in turns of equal length so that a step limit fixes the result."""

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        runs: Sequence[AnnealingRun],
        stop_when: tuple[SearchLimit, ...],
        seed: int,
        constraints: PlanConstraints,
        prover: BoundProver,
        on_gain: Callable[[Plan], object] | None = None,
    ) -> None:
        self.problem = problem
        self.prover = prover
        self.objective = objective
        self.runs = runs
        self.stop_when = stop_when
        self.max_steps = min((limit.steps for limit in stop_when if isinstance(limit, MaxSteps)), default=None)
        self.max_seconds = min((limit.seconds for limit in stop_when if isinstance(limit, MaxSeconds)), default=math.inf)
        self.seed = seed
        self.constraints = constraints
        self.total = problem.total_value(objective)
        self.runs[0].compile()
        self.began_s = time.perf_counter()
        self.steps, self.scale = 0, 1
        self.trace: list[TracePoint] = []
        self.pool = Pool()
        self.pooled_values = [0] * len(runs)
        self.on_gain = on_gain
        self.reported_value = 0

    def run(self, n_begun: int = 0) -> Result:
        """Construct all routes but the first `n_begun`, anneal, and keep the best plan at any interruption."""
        progress = current_progress()
        ended_by = INTERRUPTED
        try:
            with ThreadPoolExecutor(len(self.runs)) as pool:
                step = progress.step("Construct routes", self.runs[0].frozen.size)
                self._construct(pool, step.reach, n_begun)
                step = progress.step("Improve routes", 1.0)
                ended_by = self._improve(pool, step.reach)
            if self.prover.finish(self.stop_when, self.began_s, self._note):
                self._record()
        except KeyboardInterrupt:
            if self._best().best_value == 0 or self.constraints.broken(self.problem.network, self._best().best_plan()):
                raise
        best = self._best()
        return Result(
            plan=best.best_plan(),
            objective=self.objective,
            value_quanta=best.best_value,
            total_quanta=self.total,
            ended_by=ended_by,
            seed=self.seed,
            steps=self.steps,
            evaluations=sum(run.evaluations for run in self.runs),
            elapsed_s=self._elapsed_s(),
            trace=tuple(self.trace),
            bound_quanta=self.prover.bound_quanta,
        )

    def _construct(self, pool: ThreadPoolExecutor, reach: object, n_begun: int) -> None:
        """Fill the routes of every run; if no run finds a first route, no route keeps the limits."""
        first = self.constraints.n_fixed
        for k in range(max(first, n_begun), self.runs[0].frozen.size):
            built = list(pool.map(lambda run: run.construct(k), self.runs))  # noqa: B023 -- used up before k changes
            if k == first and not any(built):
                raise InfeasibleError(_why_none_fits(self.runs[0]))
            reach(k + 1, self._note())  # type: ignore[operator]
        self.runs = with_required(self.runs, self.constraints)
        self.scale = max(1, self._best().best_value)
        self._record()

    def _improve(self, pool: ThreadPoolExecutor, reach: object) -> Ending:
        """Anneal in turns until a limit ends the search."""
        while True:
            now = self._snapshot()
            for limit in self.stop_when:
                if reason := limit.reason_to_end(now):
                    return Ending.of(reason)
            done = self._done(now)
            turn = self._turn(now)
            ahead = min(1.0, done + self._turn_share(turn, now))
            tried = list(pool.map(lambda run: self._turn_of(run, turn, done, ahead), self.runs))  # noqa: B023 -- as above
            if not any(tried):
                return Ending("fixed")
            self.steps += sum(tried)
            self._fill_pool()
            self._report_gain()
            if done < _RECOMBINE_AT <= self._done(self._snapshot()) and self._exchanges:
                self._recombine(pool)
            self._record()
            reach(self._done(self._snapshot()), self._note())  # type: ignore[operator]

    def _turn_of(self, run: AnnealingRun, moves: int, done: float, ahead: float) -> int:
        """Anneal one run between two shares of the search, and exchange its routes; return how many moves were tried."""
        tried = run.turn(moves, done, ahead, self.scale)
        if tried and self._exchanges:
            for _ in range(_PAIRS):
                exchange_tails(run, run.temperature(ahead, self.scale))
        return tried

    @property
    def _exchanges(self) -> bool:
        """Whether routes of a plan may be exchanged with each other or with routes of the pool."""
        return self.runs[0].exchanges and not self.constraints.binds_stops

    def _fill_pool(self) -> None:
        """Add the routes of each new best plan to the pool, if the search uses the pool."""
        if not self._exchanges:
            return
        for k, run in enumerate(self.runs):
            if run.best_value > self.pooled_values[k]:
                self.pooled_values[k] = run.best_value
                stops, counts = run.best
                self.pool.add(stops[row, :count] for row, count in enumerate(counts.tolist()) if count > 1)

    def _report_gain(self) -> None:
        """Report the best plan if it is better than the last one reported and keeps all constraints."""
        best = self._best()
        if self.on_gain is None or best.best_value <= self.reported_value:
            return
        plan = best.best_plan()
        if not self.constraints.broken(self.problem.network, plan):
            self.reported_value = best.best_value
            self.on_gain(plan)

    def _recombine(self, threads: ThreadPoolExecutor) -> None:
        """Continue from the best choice among the routes of the pool, exact where no transfer counts."""
        if self.objective.trips and self.objective.max_transfers and self.problem.rule.max_transfers:
            list(threads.map(lambda run: take_best_of(run, self.pool), self.runs))
            return
        best = self._best()
        if best.frozen.any() or not best.best_value:
            return
        plan = best.best_plan()
        left_s = self.max_seconds - self._elapsed_s()
        if left_s <= 0:
            return
        chosen = best_choice(self.problem, self.objective, best.limits, best.frozen.size, self.pool, plan, left_s)
        if chosen is not plan:
            best.load(chosen)

    def _turn(self, now: Snapshot) -> int:
        """Moves of each run in the next turn, so that a step limit is met exactly or exceeded by less than one move per run."""
        moves = self.runs[0].moves_per_turn(self._done(now))
        if self.max_steps is not None:
            moves = min(moves, -(-(self.max_steps - now.steps) // len(self.runs)))
        return max(1, moves)

    def _turn_share(self, turn: int, now: Snapshot) -> float:
        """Share of the search that the next turn takes."""
        if self.max_steps is not None:
            return turn * len(self.runs) / self.max_steps
        return self._done(now) * turn * len(self.runs) / max(1, now.steps)

    def _done(self, now: Snapshot) -> float:
        """Share of the search that is over, by steps if they are limited and by seconds otherwise."""
        return min(1.0, now.elapsed_s / self.max_seconds if self.max_steps is None else now.steps / self.max_steps)

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            steps=self.steps,
            steps_since_gain=min(run.steps_since_gain for run in self.runs),
            elapsed_s=self._elapsed_s(),
            best_share=self._best().best_value / self.total,
            bound_share=self._bound_share(),
        )

    def _best(self) -> AnnealingRun:
        """Run with the best plan, the first one on a tie."""
        return max(self.runs, key=lambda run: run.best_value)

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self.began_s

    def _bound_share(self) -> float:
        """Proven bound so far, 1 until one is known."""
        quanta = self.prover.bound_quanta
        return 1.0 if quanta is None else min(1.0, quanta / self.total)

    def _note(self) -> str:
        """Best share so far, with the bound and the gap once a bound is known."""
        best, bound = self._best().best_value / self.total, self._bound_share()
        if bound >= 1 or best <= 0:
            return f"best {best:.1%}"
        return f"best {best:.1%}, bound {bound:.1%}, gap {bound / best - 1:.0%}"

    def _record(self) -> None:
        """Add a point to the trace."""
        best = self._best()
        shares = (best.best_value / self.total, best.value / self.total, self._bound_share())
        self.trace.append(TracePoint(self.steps, self._elapsed_s(), *shares))


def _why_none_fits(run: AnnealingRun) -> str:
    """Say which limits no route keeps."""
    limits, network = run.limits, run.problem.network
    if network.link_m.size == 0:
        return "no route keeps the limits: the network has no links; check its reports"
    bounds = [
        f"{limits.max_length_m / 1000:g} km",
        f"{limits.max_ride_s / 60:g} minutes",
        f"{limits.min_stops} to {limits.max_stops} stops",
    ]
    if math.isfinite(limits.max_buses):
        bounds.append(f"{limits.max_buses:g} buses every {limits.headway_s / 60:g} minutes for all routes together")
    if math.isfinite(limits.max_total_length_m):
        bounds.append(f"{limits.max_total_length_m / 1000:g} km for all routes together")
    shortest_m, shortest_s = int(network.link_m.min()), int(network.link_s.min())
    return f"no route keeps the limits: {', '.join(bounds)}; the shortest link has {shortest_m} m and {shortest_s} s; allow more"
