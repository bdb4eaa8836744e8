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
from owlbus.search.callbacks import ASKED
from owlbus.search.candidates import exchange_for_candidates, take_candidate
from owlbus.search.carried_run import CarriedRun
from owlbus.search.construct import reach_groups, why_none_fits, with_required
from owlbus.search.cooling import Cooling, is_short
from owlbus.search.polish import published_best
from owlbus.search.pool_bound import bound_of_met
from owlbus.search.recombine import Pool, best_choice, best_routes, exchange_tails, take_best_of
from owlbus.search.result import Result, TracePoint
from owlbus.search.start_race import StartRace
from owlbus.search.stopping import MaxSeconds, MaxSteps, Snapshot
from owlbus.search.travel_time_run import TravelTimeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.bound import BoundProver
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.polish import PublishedValue
    from owlbus.search.pool_bound import PoolBound
    from owlbus.search.problem import Problem
    from owlbus.search.stopping import SearchLimit


_PAIRS = 4
_MOVES_PER_TRIAL, _FEWEST_TRIALS = 500, 40
"""Moves of a run for each route of another run that it tries to take, and how many it tries at least."""

_RECOMBINE_AT = 0.85
_LONGER = 0.1
_REACH_AT = 0.4, 0.7, 1.0
"""Shares of a search after which routes are redrawn for groups that still lack people."""
_CONSTRUCT_SHARE, _LATE_EFFORT = 0.3, 0.15
"""Share of the seconds of a search that construction may take, and the effort for further routes once it has taken more."""


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
    kind = TravelTimeRun if objective.is_travel_time else AnnealingRun if objective.carried is None else CarriedRun
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
        published: PublishedValue | None = None,
        *,
        candidates: Sequence[NDArray[np.int32]] = (),
        bounds_pool: bool = False,
        drops_starts: bool = False,
    ) -> None:
        self.bounds_pool = bounds_pool
        self.published = published
        self.candidates = candidates
        self.problem = problem
        self.prover = prover
        self.bound_quanta: int | None = None
        self.objective = objective
        self.runs = runs
        self.stop_when = stop_when
        self.max_steps = min((limit.steps for limit in stop_when if isinstance(limit, MaxSteps)), default=None)
        self.max_seconds = min((limit.seconds for limit in stop_when if isinstance(limit, MaxSeconds)), default=math.inf)
        self.seed = seed
        self.constraints = constraints
        self.total = problem.total_value(objective)
        self.runs[0].compile()
        is_processor = any(limit.of_processor for limit in stop_when if isinstance(limit, MaxSeconds))
        self.clock = time.process_time if is_processor else time.perf_counter
        self.began_s = self.clock()
        self.constructed_s = self.began_s
        self.steps, self.scale = 0, 1
        is_open = drops_starts and runs[0].exchanges
        self.race = StartRace.of(len(runs), is_open=is_open, is_timed=self.max_steps is None)
        self.cooling = self._coolings()
        self.left_evaluations = 0
        self.best_left: tuple[AnnealingRun, ...] = ()
        self.trace: list[TracePoint] = []
        self.pool = Pool(kept=candidates)
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
            self._finish_bound(ended_by)
        except KeyboardInterrupt:
            if self._best().best_value == 0 or self.constraints.broken(self.problem.network, self._best().best_plan()):
                raise
        self._close_trace()
        best = self._best()
        plan, value = self._published_plan(best, is_interrupted=ended_by is INTERRUPTED)
        return Result(
            plan=plan,
            objective=self.objective,
            value_quanta=value,
            total_quanta=self.total,
            ended_by=ended_by,
            seed=self.seed,
            steps=self.steps,
            evaluations=self.left_evaluations + sum(run.evaluations for run in self.runs),
            elapsed_s=self._elapsed_s(),
            trace=tuple(self.trace),
            bound_quanta=self.bound_quanta,
            pool_bound=None if ended_by is INTERRUPTED else self._pool_bound(plan),
            plans=() if ended_by is INTERRUPTED else self._plans(),
        )

    def _finish_bound(self, ended_by: Ending) -> None:
        """Do the remaining iterations of the bound, unless the search was asked to end."""
        if ended_by is not ASKED and self.prover.finish(self.stop_when, time.perf_counter() - self._elapsed_s(), self._note):
            self._record()

    def _close_trace(self) -> None:
        """Take the bound that the result has, and end the trace with it."""
        self._look_at_bound()
        if self.trace and self.trace[-1].bound_share != self._bound_share():
            self._record()

    def _pool_bound(self, plan: Plan) -> PoolBound | None:
        """Bound over the choices among the routes met, where a bound is asked for; a search that its seconds end takes a tenth longer."""
        if not self.bounds_pool:
            return None
        left_s = max(self.max_seconds - self._elapsed_s(), _LONGER * self.max_seconds)
        first = self.runs[0]
        return bound_of_met(self.problem, self.pool.routes, plan, first.frozen.size, first.limits, self.objective, left_s)

    def _plans(self) -> tuple[Plan, ...]:
        """Best plan of each run that found one and keeps all constraints."""
        plans = [run.best_plan() for run in self.runs if run.best_value > 0]
        return tuple(plan for plan in plans if not self.constraints.broken(self.problem.network, plan))

    def _published_plan(self, best: AnnealingRun, *, is_interrupted: bool) -> tuple[Plan, int]:
        """Best plan by area, and its value as the search counts; the best one of the search after an interruption."""
        found = best.best_plan()
        if self.objective.carried is not None:  # as everybody counts it who has the plan alone
            return found, self.problem.value(found, self.objective)
        if is_interrupted or self.published is None:
            return found, best.best_value
        others = [run.best_plan() for run in self.runs if run is not best and run.best_value > 0]
        end_s = time.perf_counter() - self._elapsed_s() + self.max_seconds
        try:
            plan = published_best(self.published, [found, *others], best.limits, self.constraints, self.steps, end_s)
        except KeyboardInterrupt:
            return found, best.best_value
        return plan, best.best_value if plan is found else self.problem.value(plan, self.objective)

    def _construct(self, pool: ThreadPoolExecutor, reach: object, n_begun: int) -> None:
        """Fill the routes of every run; if no run finds a first route, no route keeps the limits."""
        first = self.constraints.n_fixed
        n_routes = self.runs[0].frozen.size
        for k in range(max(first, n_begun), n_routes):
            is_late = self._elapsed_s() > _CONSTRUCT_SHARE * self.max_seconds * (k + 1) / n_routes
            for run in self.runs:
                run.effort = _LATE_EFFORT if is_late and self.max_steps is None else 1.0
            built = list(pool.map(lambda run: run.construct(k), self.runs))  # noqa: B023 -- used up before k changes
            if k == first and not any(built):
                raise InfeasibleError(why_none_fits(self.runs[0]))
            if self.candidates:
                list(pool.map(lambda run: take_candidate(run, k, self.candidates), self.runs))  # noqa: B023 -- as above
            reach(k + 1, self._note())  # type: ignore[operator]
        for run in self.runs:
            run.effort = 1.0
        self.runs = with_required(self.runs, self.constraints)
        if self.candidates:
            list(pool.map(lambda run: exchange_for_candidates(run, self.candidates), self.runs))
        self.scale = max(1, self._best().best_value)
        self.constructed_s = self.clock()
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
            self._leave_starts()
            self._fill_pool()
            self._report_gain()
            now_done = self._done(self._snapshot())
            if any(done < share <= now_done for share in _REACH_AT):
                list(pool.map(reach_groups, self.runs))
            if done < _RECOMBINE_AT <= now_done and self._exchanges:
                self._recombine(pool)
            self._record()
            reach(self._done(self._snapshot()), self._note())  # type: ignore[operator]

    def _leave_starts(self) -> None:
        """Go on with the best starts alone, if the race says so; fewer than those of a race cool as one of them does by itself."""
        now, was_on = self._snapshot(), self.race.is_on
        pace = self.steps / max(1e-9, now.elapsed_s - (self.constructed_s - self.began_s))
        n_moves = self.max_steps or pace * (self.max_seconds - (self.constructed_s - self.began_s))
        n_left = self.race.n_left(self._done(now), n_moves, self.runs[0].frozen.size)
        if n_left < len(self.runs):
            left = sorted(self.runs, key=lambda run: (-run.missing, run.value), reverse=True)
            self.left_evaluations += sum(run.evaluations for run in left[n_left:])
            self.best_left = (max((*self.best_left, *left[n_left:]), key=lambda run: run.rank),)
            self.runs = left[:n_left]
            self.pooled_values = [0] * n_left
        if was_on and not self.race.is_on:
            self.cooling = self._coolings()

    def _coolings(self) -> dict[int, Cooling]:
        """How each run cools: at an even pace in a race, which compares runs as warm as each other."""
        return {id(run): Cooling.of_search(run.limits, self.objective, is_even=self.race.is_on) for run in self.runs}

    def _turn_of(self, run: AnnealingRun, moves: int, done: float, ahead: float) -> int:
        """Anneal one run between two shares of the search, and exchange its routes; return how many moves were tried."""
        if not run.exchanges:
            return run.turn(moves, done, ahead, self.scale)
        cooling, hurries = self.cooling[id(run)], is_short(run.value, self.scale)
        first, last = cooling.advance(done, is_short=hurries), cooling.after(ahead, is_short=hurries)
        tried = run.turn(moves, first, last, self.scale)
        if tried and self._exchanges:
            for _ in range(_PAIRS):
                exchange_tails(run, run.temperature(last, self.scale))
        return tried

    @property
    def _exchanges(self) -> bool:
        """Whether routes of a plan are exchanged with each other and with routes of the pool."""
        return self.runs[0].exchanges

    def _fill_pool(self) -> None:
        """Add the routes of each new best plan to the pool, if the search uses the pool."""
        if not self._exchanges:
            return
        for k, run in enumerate(self.runs):
            if run.best_value != self.pooled_values[k]:  # it may fall where more people of groups are reached
                self.pooled_values[k] = run.best_value
                self.pool.add(best_routes(run))

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
            routes = [best_routes(run) for run in self.runs]
            others = [
                [*self.candidates, *(stops for k, found in enumerate(routes) if k != own for stops in found)] for own in range(len(routes))
            ]
            most = max(_FEWEST_TRIALS, self.steps // len(self.runs) // _MOVES_PER_TRIAL)
            list(threads.map(lambda run, routes: take_best_of(run, routes, most), self.runs, others))
            return
        best = self._best()
        if not best.best_value:
            return
        plan = best.best_plan()
        left_s = self.max_seconds - self._elapsed_s()
        if left_s <= 0:
            return
        chosen = best_choice(self.problem, self.objective, best.limits, best.frozen.size, self.pool, plan, left_s, self.constraints)
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
        return self._done(now) * turn * len(self.runs) / now.steps if now.steps else 0.0

    def _done(self, now: Snapshot) -> float:
        """Share of the search that is over, by steps if they are limited and by seconds otherwise."""
        return min(1.0, now.elapsed_s / self.max_seconds if self.max_steps is None else now.steps / self.max_steps)

    def _look_at_bound(self) -> None:
        """Take the bound as it is now for all that is said of this moment; the thread that lowers it goes on meanwhile."""
        self.bound_quanta = self.prover.bound_quanta

    def _snapshot(self) -> Snapshot:
        self._look_at_bound()
        return Snapshot(
            steps=self.steps,
            steps_since_gain=min(run.steps_since_gain for run in self.runs),
            elapsed_s=self._elapsed_s(),
            best_share=self._best().best_value / self.total,
            bound_share=self._bound_share(),
            has_bound=self.bound_quanta is not None,
        )

    def _best(self) -> AnnealingRun:
        """Run with the best plan, the first one on a tie; it may be one that the race left."""
        return max((*self.runs, *self.best_left), key=lambda run: run.rank)

    def _elapsed_s(self) -> float:
        return self.clock() - self.began_s

    def _bound_share(self) -> float:
        """Proven bound so far, 1 until one is known."""
        quanta = self.bound_quanta
        return 1.0 if quanta is None else min(1.0, quanta / self.total)

    def _note(self) -> str:
        """Best share so far, with the bound and the gap once a bound is known."""
        self._look_at_bound()
        best, bound = self._best().best_value / self.total, self._bound_share()
        if bound >= 1 or best <= 0:
            return f"best {best:.1%}"
        return f"best {best:.1%}, bound {bound:.1%}, gap {bound / best - 1:.0%}"

    def _record(self) -> None:
        """Add a point to the trace."""
        self._look_at_bound()
        best = self._best()
        shares = (best.best_value / self.total, best.value / self.total, self._bound_share())
        self.trace.append(TracePoint(self.steps, self._elapsed_s(), *shares))
