"""Starts of a search in other processes or on other machines, and searches that continue from a plan."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.common.progress import current_progress
from owlbus.limits import INTERRUPTED, Ending
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.problem import Problem
from owlbus.search.result import TracePoint
from owlbus.search.stopping import MaxSteps, TargetGap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from owlbus.demand import Demand
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.bound import BoundProver
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.result import Result
    from owlbus.search.stopping import SearchLimit


@dataclass(frozen=True, slots=True)
class SearchTask:
    """
    What every start is asked for.

    Attributes
    ----------
    objective, limits, constraints, n_routes, stop_when, seed, begin
        As of `owlbus.search.plan_routes`.
    """

    objective: Objective
    limits: RouteLimits
    constraints: PlanConstraints
    n_routes: int
    stop_when: tuple[SearchLimit, ...]
    seed: int
    begin: Plan | None = None


def search_one(packed: bytes, asked: SearchTask, stream: np.random.Generator) -> Result:
    """
    One start, wherever it runs.

    Parameters
    ----------
    packed
        Of `owlbus.search.parallel.packed_problem`.
    asked
        What is searched for.
    stream
        Random numbers of this start.

    Returns
    -------
    Result
        Without a bound.
    """
    from owlbus.search.bound import BoundProver
    from owlbus.search.driver import Search, new_annealing_run

    problem = asked.constraints.problem(unpacked_problem(packed))
    chain = new_annealing_run(problem, asked.objective, asked.limits, asked.n_routes, stream, asked.constraints)
    if asked.begin is not None:
        chain.load(asked.begin)
    with BoundProver(problem, asked.objective, asked.limits, asked.n_routes, 0) as prover:
        search = Search(problem, asked.objective, [chain], asked.stop_when, asked.seed, asked.constraints, prover)
        return search.run(0 if asked.begin is None else len(asked.begin))


def search_in_parallel(
    executor: Executor,
    problem: Problem,
    demand: Demand,
    asked: SearchTask,
    streams: Sequence[np.random.Generator],
    prover: BoundProver,
    on_gain: Callable[[Plan], object] | None = None,
) -> Result:
    """
    Run each start on its own and keep the best plan, that of the first start on a tie.

    Parameters
    ----------
    executor
        Where the starts run.
    problem, demand
        Network and rule, and the trips that the case was built from.
    asked
        What is searched for; the starts share the steps.
    streams
        Random numbers of each start.
    prover
        Lowers a bound here meanwhile.
    on_gain
        Told the plan of each start that beats those before it and keeps all wishes.

    Returns
    -------
    Result
        With moves and course over all starts. After Ctrl-C it is the best plan of the starts that had ended.

    Raises
    ------
    UsageError
        If the search is to end at a gap, which starts that run apart do not know.
    """
    if any(isinstance(limit, TargetGap) for limit in asked.stop_when):
        msg = "a search with an executor cannot end at a target gap, since its starts do not know the bound; limit steps or seconds"
        raise UsageError(msg)
    shared = tuple(MaxSteps(-(-limit.steps // len(streams))) if isinstance(limit, MaxSteps) else limit for limit in asked.stop_when)
    began, packed = time.perf_counter(), packed_problem(problem, demand)
    found: list[Result] = []
    step = current_progress().step("Search", len(streams))
    pending = [executor.submit(search_one, packed, replace(asked, stop_when=shared), stream) for stream in streams]
    ended_by = None
    try:
        for future in pending:
            found.append(future.result())
            if on_gain is not None and found[-1] is _best(found) and not asked.constraints.broken(problem.network, found[-1].plan):
                on_gain(found[-1].plan)
            step.reach(len(found), f"best {max(result.share for result in found):.1%}")
        prover.finish(asked.stop_when, began)
    except KeyboardInterrupt:
        for future in pending[len(found) :]:
            future.cancel()
        if not found:
            raise
        ended_by = INTERRUPTED
    best = _best(found)
    return replace(
        best,
        ended_by=ended_by or _ending_of_all(best.ended_by, asked.stop_when),
        steps=sum(result.steps for result in found),
        evaluations=sum(result.evaluations for result in found),
        elapsed_s=time.perf_counter() - began,
        trace=_joint_trace(found),
        bound_quanta=prover.bound_quanta,
    )


def _ending_of_all(ending: Ending, stop_when: Sequence[SearchLimit]) -> Ending:
    """Return why all starts ended: a limit of moves that each of them had a share of is told as a whole."""
    limits = [limit.steps for limit in stop_when if isinstance(limit, MaxSteps)]
    return Ending("steps", {"steps": int(min(limits))}) if ending.reason == "steps" and limits else ending


def _joint_trace(found: Sequence[Result]) -> tuple[TracePoint, ...]:
    """Return the course over all starts side by side: moves summed, and the best plan so far of any."""
    points = []
    for steps in sorted({point.steps for result in found for point in result.trace}):
        now = [next((point for point in reversed(result.trace) if point.steps <= steps), None) for result in found]
        reached = [point for point in now if point is not None]
        best = max(reached, key=lambda point: point.best_share)
        elapsed_s = max(point.elapsed_s for point in reached)
        points.append(TracePoint(sum(p.steps for p in reached), elapsed_s, best.best_share, best.current_share, best.bound_share))
    return tuple(points)


def _best(found: Sequence[Result]) -> Result:
    """Return the result with the best plan, the first one on a tie."""
    return max(found, key=lambda result: result.value_quanta)


_HOT_PART, _COLD_PART = 1 / 1_000, 1 / 75_000
"""First and last temperature, as parts of what the plan is worth that a search begins from."""


def search_from(
    problem: Problem,
    objective: Objective,
    limits: RouteLimits,
    n_routes: int,
    plan: Plan,
    n_steps: int,
    rng: np.random.Generator,
    constraints: PlanConstraints | None = None,
) -> tuple[Plan, int]:
    """
    Fill the routes that a plan leaves empty, then change all of them.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What to maximise.
    limits
        What plans keep; the given one must.
    n_routes
        Routes K, at least as many as the plan has.
    plan
        Plan to begin from; it may have no routes.
    n_steps
        Moves to try.
    rng
        Random numbers; the same ones give the same plan.
    constraints
        What else plans keep; the given one must, and the case has to leave out what they forbid.

    Returns
    -------
    plan
        The best plan met.
    value
        What it is worth, in 1/1024.
    """
    chain = AnnealingRun(problem, objective, limits, n_routes, rng, constraints)
    chain.load(plan, np.arange(n_routes) < (0 if constraints is None else constraints.n_fixed))
    for k in range(len(plan), n_routes):
        if not chain.construct(k):
            break
    worth = max(1, chain.best_value)
    chain.anneal(n_steps, worth * _HOT_PART, worth * _COLD_PART)
    return chain.best_plan(), chain.best_value


def packed_problem(problem: Problem, demand: object) -> bytes:
    """
    Pack what a case is built from, for `continue_search`.

    Parameters
    ----------
    problem
        Network and rule.
    demand
        Trips that the case was built from.

    Returns
    -------
    bytes
        The same for the same case, in bytes.
    """
    return pickle.dumps((problem.network, demand, problem.rule), protocol=pickle.HIGHEST_PROTOCOL)


def continue_search(
    packed: bytes, objective: Objective, limits: RouteLimits, n_routes: int, plan: Plan, n_steps: int, rng: np.random.Generator
) -> tuple[Plan, int]:
    """
    `search_from` in another process, with equal results.

    Parameters
    ----------
    packed
        From `packed_problem`; a process builds each case once.
    objective, limits, n_routes, plan, n_steps, rng
        As in `search_from`.

    Returns
    -------
    plan, value
        As of `search_from`, the value in 1/1024.
    """
    return search_from(unpacked_problem(packed), objective, limits, n_routes, plan, n_steps, rng)


@lru_cache(maxsize=1)
def unpacked_problem(packed: bytes) -> Problem:
    """
    Build a case once in a process; arrays are made as everywhere, so that compiled kernels fit them.

    Parameters
    ----------
    packed
        From `packed_problem`.

    Returns
    -------
    Problem
        The case.
    """
    network, demand, rule = pickle.loads(packed)  # noqa: S301 - from our own process
    return Problem.build(network, demand, rule)


T = TypeVar("T")

T_co = TypeVar("T_co", covariant=True)


class Executor(Protocol):
    """What runs searches side by side: an executor of `concurrent.futures`, or a Dask client."""

    def submit(self, fn: Callable[..., T], /, *args: object) -> Pending[T]:
        """Begin a search: `fn`, called with `args`, finds what the pending one brings."""
        ...


class Pending(Protocol[T_co]):
    """A search under way."""

    def result(self) -> T_co:
        """Wait for it."""
        ...

    def cancel(self) -> object:
        """Drop it if it has not begun."""
        ...
