"""Starts of a search in other processes or on other machines, and searches that continue from a plan."""

from __future__ import annotations

import math
import pickle
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from owlbus.common.ending import INTERRUPTED, Ending
from owlbus.common.errors import UsageError
from owlbus.common.progress import current_progress
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.bound import BoundProver
from owlbus.search.callbacks import Callbacks
from owlbus.search.driver import Search, new_annealing_run
from owlbus.search.polish import published_best
from owlbus.search.problem import Problem
from owlbus.search.result import TracePoint
from owlbus.search.seeds import best_of_seeds
from owlbus.search.stopping import MaxSeconds, MaxSteps, Snapshot, TargetGap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.objective import Objective
    from owlbus.search.polish import PublishedValue
    from owlbus.search.result import Result
    from owlbus.search.stopping import SearchLimit


@dataclass(frozen=True, slots=True)
class SearchTask:
    """
    What every start searches for.

    Attributes
    ----------
    objective, limits, constraints, n_routes, stop_when, seed, begin
        As of `owlbus.search.plan_routes`.
    candidates
        Stops of each candidate route, shape (n,), int32.
    drops_starts
        Whether only the best starts in threads go on, as `owlbus.search.start_race.StartRace` says.
    """

    objective: Objective
    limits: RouteLimits
    constraints: PlanConstraints
    n_routes: int
    stop_when: tuple[SearchLimit, ...]
    seed: int
    begin: Plan | None = None
    candidates: tuple[NDArray[np.int32], ...] = ()
    drops_starts: bool = False


def run_start(problem_bytes: bytes, task: SearchTask, stream: np.random.Generator) -> Result:
    """
    Run one start, in any process.

    Parameters
    ----------
    problem_bytes
        Of `owlbus.search.parallel.packed_problem`.
    task
        What the start searches for.
    stream
        Random numbers of this start.

    Returns
    -------
    Result
        Without a bound.
    """
    problem = task.constraints.problem(problem_from_bytes(problem_bytes))
    run = new_annealing_run(problem, task.objective, task.limits, task.n_routes, stream, task.constraints)
    if task.begin is not None:
        run.load(task.begin)
    with BoundProver(problem, task.objective, task.limits, task.n_routes, 0) as prover:
        search = Search(problem, task.objective, [run], task.stop_when, task.seed, task.constraints, prover, candidates=task.candidates)
        return search.run(0 if task.begin is None else len(task.begin))


def search_in_parallel(
    executor: Executor,
    problem: Problem,
    demand: Demand,
    task: SearchTask,
    streams: Sequence[Sequence[np.random.Generator]],
    prover: BoundProver,
    callbacks: Callbacks | None = None,
    published: PublishedValue | None = None,
) -> Result:
    """
    Run each start of each seed on its own and keep the best plan, that of the first seed and start on a tie.

    Parameters
    ----------
    executor
        Where the starts run.
    problem, demand
        Network and rule, and the trips that the problem was built from.
    task
        What the starts search for; those of a seed share the steps. Its seed is the first.
    streams
        Random numbers of each start, by seed.
    prover
        Lowers a bound in this process meanwhile.
    callbacks
        Told of the plan of each start that is better than those before it and keeps all constraints, and of the state after each start;
        no further start is waited for once one of them asks to end. None for none.
    published
        What plans are worth by area; the best of the starts of a seed is chosen and polished by it. None for the search's own rule.

    Returns
    -------
    Result
        With moves and trace over all starts. After Ctrl-C, or once a callback asked to end, the best plan of the starts that had ended.

    Raises
    ------
    UsageError
        If the search is to end at a gap, which the starts do not know.
    """
    _require_no_target_gap(task)
    n_starts = len(streams[0])
    began_s, problem_bytes = time.perf_counter(), problem_to_bytes(problem, demand)
    results: list[Result] = []
    step = current_progress().step("Search", n_starts * len(streams))
    parts = zip(_tasks(task, streams), streams, strict=True)
    pending = [executor.submit(run_start, problem_bytes, part, stream) for part, row in parts for stream in row]
    callbacks, ended_by = callbacks or Callbacks(), None
    try:
        for future in pending:
            results.append(future.result())
            step.reach(len(results), f"best {max(result.share for result in results):.1%}")
            if ended_by := _tell(callbacks, results, problem, task, began_s):
                break
        else:
            prover.finish(task.stop_when, began_s)
    except KeyboardInterrupt:
        if not results:
            raise
        ended_by = INTERRUPTED
    finally:
        for future in pending[len(results) :]:
            future.cancel()
    if ended_by is not None:
        best = replace(_of_all_starts(results, _best(results, problem, task), task), ended_by=ended_by, plans=())
    else:
        best = _best_of_all(results, n_starts, problem, task, published, began_s)
    return replace(best, elapsed_s=time.perf_counter() - began_s, bound_quanta=prover.bound_quanta)


def _tasks(task: SearchTask, streams: Sequence[Sequence[np.random.Generator]]) -> list[SearchTask]:
    """Return the task of each seed, whose starts share the steps."""
    n_starts = len(streams[0])
    shared = tuple(MaxSteps(-(-limit.steps // n_starts)) if isinstance(limit, MaxSteps) else limit for limit in task.stop_when)
    return [replace(task, stop_when=shared, seed=task.seed + k) for k in range(len(streams))]


def _best_of_all(
    results: Sequence[Result], n_starts: int, problem: Problem, task: SearchTask, published: PublishedValue | None, began_s: float
) -> Result:
    """Return the best result of all seeds, each with the best plan of its starts by area."""
    rows = [results[k : k + n_starts] for k in range(0, len(results), n_starts)]
    found = [_of_all_starts(row, _best_by_area(row, problem, task, published, began_s), task) for row in rows]
    return best_of_seeds(found, published, task.constraints.is_kept_on(problem.network))


def _tell(callbacks: Callbacks, results: Sequence[Result], problem: Problem, task: SearchTask, began_s: float) -> Ending | None:
    """Tell of the last start that ended: of its plan if it is the best, and of the state of the search; return why it ends, if it does."""
    latest = results[-1]
    if latest is _best(results, problem, task) and not task.constraints.broken(problem.network, latest.plan):
        callbacks.gain(latest.plan)
    steps, share = sum(result.steps for result in results), max(result.share for result in results)
    return callbacks.reason_to_end(Snapshot(steps, 0, time.perf_counter() - began_s, share))


def _of_all_starts(results: Sequence[Result], best: Result, task: SearchTask) -> Result:
    """Return the best result with moves, trace and plans of all starts."""
    return replace(
        best,
        ended_by=_ending_of_all(best.ended_by, task.stop_when),
        steps=sum(result.steps for result in results),
        evaluations=sum(result.evaluations for result in results),
        trace=_joint_trace(results),
        plans=tuple(plan for result in results for plan in result.plans),
    )


def _best_by_area(
    results: Sequence[Result], problem: Problem, task: SearchTask, published: PublishedValue | None, began_s: float
) -> Result:
    """Return the best result with the best plan of all starts by area."""
    best = _best(results, problem, task)
    plans = [best.plan, *(result.plan for result in results if result is not best)]
    seconds = min((limit.seconds for limit in task.stop_when if isinstance(limit, MaxSeconds)), default=math.inf)
    steps = sum(result.steps for result in results)
    plan = published_best(published, plans, task.limits, task.constraints, steps, began_s + seconds)
    return best if plan is best.plan else replace(best, plan=plan, value_quanta=problem.value(plan, task.objective))


def _require_no_target_gap(task: SearchTask) -> None:
    """Refuse a target gap, which starts in other processes cannot see."""
    if any(isinstance(limit, TargetGap) for limit in task.stop_when):
        msg = "a search with an executor cannot end at a target gap, since its starts do not know the bound; limit steps or seconds"
        raise UsageError(msg, setting="target_gap_share")


def _ending_of_all(ending: Ending, stop_when: Sequence[SearchLimit]) -> Ending:
    """Return why all starts ended: a limit of moves, of which each start had a share, is told as a whole."""
    limits = [limit.steps for limit in stop_when if isinstance(limit, MaxSteps)]
    return Ending("steps", {"steps": int(min(limits))}) if ending.reason == "steps" and limits else ending


def _joint_trace(results: Sequence[Result]) -> tuple[TracePoint, ...]:
    """Return the trace over all starts side by side: moves summed, and the best plan so far of any."""
    points = []
    for steps in sorted({point.steps for result in results for point in result.trace}):
        latest = [next((point for point in reversed(result.trace) if point.steps <= steps), None) for result in results]
        reached = [point for point in latest if point is not None]
        best = max(reached, key=lambda point: point.best_share)
        elapsed_s = max(point.elapsed_s for point in reached)
        points.append(TracePoint(sum(p.steps for p in reached), elapsed_s, best.best_share, best.current_share, best.bound_share))
    return tuple(points)


def _best(results: Sequence[Result], problem: Problem, task: SearchTask) -> Result:
    """Return the result with the best plan, of those that keep the constraints if any does; the first one on a tie."""
    if not task.constraints.groups:
        return max(results, key=lambda result: result.value_quanta)
    return max(results, key=lambda result: (not task.constraints.broken(problem.network, result.plan), result.value_quanta))


_HOT_PART, _COLD_PART = 1 / 1_000, 1 / 75_000
"""First and last temperature, as parts of the objective of the plan that a search begins from."""


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
    Construct the routes that a plan leaves empty, then anneal all of them.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What to maximise.
    limits
        What plans keep, also `plan`.
    n_routes
        Routes K, at least as many as the plan has.
    plan
        Plan to begin from; it may have no routes.
    n_steps
        Moves to try.
    rng
        Random numbers; the same ones give the same plan.
    constraints
        What else plans keep, also `plan`; the problem must leave out what they forbid.

    Returns
    -------
    plan
        The best plan met.
    value
        Its objective, in 1/1024.
    """
    run = AnnealingRun(problem, objective, limits, n_routes, rng, constraints)
    run.load(plan, np.arange(n_routes) < (0 if constraints is None else constraints.n_fixed))
    for k in range(len(plan), n_routes):
        if not run.construct(k):
            break
    value = max(1, run.best_value)
    run.anneal(n_steps, value * _HOT_PART, value * _COLD_PART)
    return run.best_plan(), run.best_value


def problem_to_bytes(problem: Problem, demand: object) -> bytes:
    """
    Network, demand and rule of a problem as bytes, for `continue_search`.

    Parameters
    ----------
    problem
        Network and rule.
    demand
        Trips that the problem was built from.

    Returns
    -------
    bytes
        The same for the same problem; in bytes.
    """
    parts = problem.network, demand, problem.rule, problem.hour_quanta is not None
    return pickle.dumps(parts, protocol=pickle.HIGHEST_PROTOCOL)


def continue_search(
    problem_bytes: bytes,
    objective: Objective,
    limits: RouteLimits,
    n_routes: int,
    plan: Plan,
    n_steps: int,
    rng: np.random.Generator,
    constraints: PlanConstraints | None = None,
) -> tuple[Plan, int]:
    """
    `search_from` in another process, with equal results.

    Parameters
    ----------
    problem_bytes
        From `problem_to_bytes`; a process builds each problem once.
    objective, limits, n_routes, plan, n_steps, rng, constraints
        As in `search_from`; the problem is made without what the constraints forbid.

    Returns
    -------
    plan, value
        As of `search_from`, the value in 1/1024.
    """
    problem = problem_from_bytes(problem_bytes)
    problem = problem if constraints is None else constraints.problem(problem)
    return search_from(problem, objective, limits, n_routes, plan, n_steps, rng, constraints)


@lru_cache(maxsize=1)
def problem_from_bytes(problem_bytes: bytes) -> Problem:
    """
    Build a problem once in a process; its arrays have the types that compiled kernels take.

    Parameters
    ----------
    problem_bytes
        From `problem_to_bytes`.

    Returns
    -------
    Problem
        Network, demand and rule.
    """
    network, demand, rule, by_hour = pickle.loads(problem_bytes)  # noqa: S301 - from our own process
    return Problem.build(network, demand, rule, by_hour=by_hour)


T = TypeVar("T")

T_co = TypeVar("T_co", covariant=True)


class Executor(Protocol):
    """Runs searches side by side: an executor of `concurrent.futures`, or a Dask client."""

    def submit(self, fn: Callable[..., T], /, *args: object) -> Pending[T]:
        """Call `fn` with `args`, and return its pending result."""
        ...


class Pending(Protocol[T_co]):
    """A pending result."""

    def result(self) -> T_co:
        """Wait for it."""
        ...

    def cancel(self) -> object:
        """Cancel it if it has not begun."""
        ...
