"""Run a search: construction, annealing, recombination and the bound, until a limit ends it."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from owlbus.common.errors import InfeasibleError
from owlbus.common.progress import current_progress
from owlbus.limits import INTERRUPTED, Ending
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.construct import with_wanted
from owlbus.search.recombine import Pool, best_choice, exchange_tails, take_best_of
from owlbus.search.result import Result, TracePoint
from owlbus.search.stopping import MaxSeconds, MaxSteps, Snapshot

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
    A start of a search, as its objective needs it.

    Parameters
    ----------
    problem, objective, limits, n_routes, rng, constraints
        As of `owlbus.search.annealing_run.AnnealingRun`.

    Returns
    -------
    AnnealingRun
        Before anything is constructed.
    """
    from owlbus.search.travel_time_run import TravelTimeRun

    kind = TravelTimeRun if objective.is_travel_time else AnnealingRun
    return kind(problem, objective, limits, n_routes, rng, constraints)


class Search:
    """Chains side by side, in turns of equal length so that a step limit fixes the result."""

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        chains: Sequence[AnnealingRun],
        stop_when: tuple[SearchLimit, ...],
        seed: int,
        constraints: PlanConstraints,
        prover: BoundProver,
        on_gain: Callable[[Plan], object] | None = None,
    ) -> None:
        self.problem = problem
        self.prover = prover
        self.objective = objective
        self.chains = chains
        self.stop_when = stop_when
        self.seed = seed
        self.constraints = constraints
        self.total = problem.total_value(objective)
        self.chains[0].compile()
        self.began = time.perf_counter()
        self.steps, self.scale = 0, 1
        self.trace: list[TracePoint] = []
        self.pool = Pool()
        self.pooled = [0] * len(chains)
        self.on_gain = on_gain
        self.told = 0

    def run(self, n_begun: int = 0) -> Result:
        """Construct all routes but the first `n_begun`, anneal, and keep the best plan at any interruption."""
        progress = current_progress()
        ended_by = INTERRUPTED
        try:
            with ThreadPoolExecutor(len(self.chains)) as pool:
                step = progress.step("Construct routes", self.chains[0].frozen.size)
                self._construct(pool, step.reach, n_begun)
                step = progress.step("Improve routes", 1.0)
                ended_by = self._improve(pool, step.reach)
            if self.prover.finish(self.stop_when, self.began, self._note):
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
            evaluations=sum(chain.evaluations for chain in self.chains),
            elapsed_s=self._elapsed_s(),
            trace=tuple(self.trace),
            bound_quanta=self.prover.bound_quanta,
        )

    def _construct(self, pool: ThreadPoolExecutor, reach: object, n_begun: int) -> None:
        """Fill every chain's routes; a start that finds none at all means that none keeps the limits."""
        first = self.constraints.n_fixed
        for k in range(max(first, n_begun), self.chains[0].frozen.size):
            built = list(pool.map(lambda chain: chain.construct(k), self.chains))  # noqa: B023 -- used up before k changes
            if k == first and not any(built):
                raise InfeasibleError(_why_none_fits(self.chains[0]))
            reach(k + 1, self._note())  # type: ignore[operator]
        self.chains = with_wanted(self.chains, self.constraints)
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
            tried = list(pool.map(lambda chain: self._turn_of(chain, turn, done, ahead), self.chains))  # noqa: B023 -- as above
            if not any(tried):
                return Ending("fixed")
            self.steps += sum(tried)
            self._remember()
            self._tell()
            if done < _RECOMBINE_AT <= self._done(self._snapshot()) and self._exchanges:
                self._recombine(pool)
            self._record()
            reach(self._done(self._snapshot()), self._note())  # type: ignore[operator]

    def _turn_of(self, chain: AnnealingRun, moves: int, done: float, ahead: float) -> int:
        """Moves of one chain in a turn between two shares of the search, and exchanges of its routes; how many moves were tried."""
        tried = chain.turn(moves, done, ahead, self.scale)
        if tried and self._exchanges:
            for _ in range(_PAIRS):
                exchange_tails(chain, chain.temperature(ahead, self.scale))
        return tried

    @property
    def _exchanges(self) -> bool:
        """Whether routes may take each other's places, or others theirs."""
        return self.chains[0].exchanges and not self.constraints.binds_places

    def _remember(self) -> None:
        """Put the routes of best plans that got better into the pool, if it is ever drawn from."""
        if not self._exchanges:
            return
        for k, chain in enumerate(self.chains):
            if chain.best_value > self.pooled[k]:
                self.pooled[k] = chain.best_value
                stops, counts = chain.best
                self.pool.add(stops[row, :count] for row, count in enumerate(counts.tolist()) if count > 1)

    def _tell(self) -> None:
        """Hand the best plan over if it got better since it was handed over last, and keeps all wishes."""
        best = self._best()
        if self.on_gain is None or best.best_value <= self.told:
            return
        plan = best.best_plan()
        if not self.constraints.broken(self.problem.network, plan):
            self.told = best.best_value
            self.on_gain(plan)

    def _recombine(self, threads: ThreadPoolExecutor) -> None:
        """Go on from the best choice among all routes met, exact where no transfer counts."""
        if self.objective.trips and self.objective.max_transfers and self.problem.rule.max_transfers:
            list(threads.map(lambda chain: take_best_of(chain, self.pool), self.chains))
            return
        best = self._best()
        if best.frozen.any() or not best.best_value:
            return
        plan = best.best_plan()
        left_s = min([math.inf, *(limit.seconds - self._elapsed_s() for limit in self.stop_when if isinstance(limit, MaxSeconds))])
        if left_s <= 0:
            return
        chosen = best_choice(self.problem, self.objective, best.limits, best.frozen.size, self.pool, plan, left_s)
        if chosen is not plan:
            best.load(chosen)

    def _turn(self, now: Snapshot) -> int:
        """Moves of each chain in the next turn, so that a step limit is met exactly or passed by less than one per chain."""
        left = [limit.steps - now.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        return max(1, min([self.chains[0].moves_a_turn(self._done(now)), *(-(-steps // len(self.chains)) for steps in left)]))

    def _turn_share(self, turn: int, now: Snapshot) -> float:
        """Share of the search that the next turn is."""
        steps = [limit.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        if steps:
            return turn * len(self.chains) / min(steps)
        return self._done(now) * turn * len(self.chains) / max(1, now.steps)

    def _done(self, now: Snapshot) -> float:
        """Share of the search that is over, by steps if they are limited and by seconds otherwise."""
        steps = [limit.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        if steps:
            return min(1.0, now.steps / min(steps))
        return min(1.0, now.elapsed_s / min(limit.seconds for limit in self.stop_when if isinstance(limit, MaxSeconds)))

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            steps=self.steps,
            steps_since_gain=min(chain.steps_since_gain for chain in self.chains),
            elapsed_s=self._elapsed_s(),
            best_share=self._best().best_value / self.total,
            bound_share=self._bound_share(),
        )

    def _best(self) -> AnnealingRun:
        """Chain with the best plan, the first one on a tie."""
        return max(self.chains, key=lambda chain: chain.best_value)

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self.began

    def _bound_share(self) -> float:
        """Proven bound so far, 1 until one is known."""
        units = self.prover.bound_quanta
        return 1.0 if units is None else min(1.0, units / self.total)

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


def _why_none_fits(chain: AnnealingRun) -> str:
    """Name the bound that stands in the way of any route."""
    at, network = chain.limits, chain.problem.network
    if network.link_m.size == 0:
        return "no route keeps the limits: the network has no links; check its reports"
    bounds = [f"{at.max_length_m / 1000:g} km", f"{at.max_ride_s / 60:g} minutes", f"{at.min_stops} to {at.max_stops} stops"]
    if math.isfinite(at.max_buses):
        bounds.append(f"{at.max_buses:g} buses every {at.headway_s / 60:g} minutes for all routes together")
    if math.isfinite(at.max_total_length_m):
        bounds.append(f"{at.max_total_length_m / 1000:g} km for all routes together")
    shortest_m, shortest_s = int(network.link_m.min()), int(network.link_s.min())
    return f"no route keeps the limits: {', '.join(bounds)}; the shortest link has {shortest_m} m and {shortest_s} s; allow more"
