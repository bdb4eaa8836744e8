"""The starts of a search, each on its own, in other processes or on other machines."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.errors import UsageError
from owlbus.limits import MaxSteps, TargetGap
from owlbus.progress import current_progress
from owlbus.search.result import INTERRUPTED
from owlbus.search.warm import packed_case, unpacked_case

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from owlbus.demand import Demand
    from owlbus.limits import RouteLimits, SearchLimit
    from owlbus.plan import Plan
    from owlbus.search.executors import Executor
    from owlbus.search.objective import Case, Objective
    from owlbus.search.proving import Prover
    from owlbus.search.result import Result
    from owlbus.search.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What every start is asked for.

    Attributes
    ----------
    objective, limits, wishes, n_routes, stop_when, seed, begin
        As of `owlbus.search.plan_routes`.
    """

    objective: Objective
    limits: RouteLimits
    wishes: Wishes
    n_routes: int
    stop_when: tuple[SearchLimit, ...]
    seed: int
    begin: Plan | None = None


def search_one(packed: bytes, asked: Asked, stream: np.random.Generator) -> Result:
    """
    One start, wherever it runs.

    Parameters
    ----------
    packed
        Of `owlbus.search.warm.packed_case`.
    asked
        What is searched for.
    stream
        Random numbers of this start.

    Returns
    -------
    Result
        Without a bound.
    """
    from owlbus.search.local_search import Search, new_chain
    from owlbus.search.proving import Prover

    case = asked.wishes.case(unpacked_case(packed))
    chain = new_chain(case, asked.objective, asked.limits, asked.n_routes, stream, asked.wishes)
    if asked.begin is not None:
        chain.load(asked.begin)
    with Prover(case, asked.objective, asked.limits, asked.n_routes, 0) as prover:
        search = Search(case, asked.objective, [chain], asked.stop_when, asked.seed, asked.wishes, prover)
        return search.run(0 if asked.begin is None else len(asked.begin))


def search_apart(
    executor: Executor,
    case: Case,
    demand: Demand,
    asked: Asked,
    streams: Sequence[np.random.Generator],
    prover: Prover,
    on_gain: Callable[[Plan], object] | None = None,
) -> Result:
    """
    Run each start on its own and keep the best plan, that of the first start on a tie.

    Parameters
    ----------
    executor
        Where the starts run.
    case, demand
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
        With the course of the start that found the plan. After Ctrl-C it is the best plan of the starts that had ended.

    Raises
    ------
    UsageError
        If the search is to end at a gap, which starts that run apart do not know.
    """
    if any(isinstance(limit, TargetGap) for limit in asked.stop_when):
        msg = "a search with an executor cannot end at a target gap, since its starts do not know the bound; limit steps or seconds"
        raise UsageError(msg)
    shared = tuple(MaxSteps(-(-limit.steps // len(streams))) if isinstance(limit, MaxSteps) else limit for limit in asked.stop_when)
    began, packed = time.perf_counter(), packed_case(case, demand)
    found: list[Result] = []
    step = current_progress().step("Search", len(streams))
    pending = [executor.submit(search_one, packed, replace(asked, stop_when=shared), stream) for stream in streams]
    ended_by = None
    try:
        for future in pending:
            found.append(future.result())
            if on_gain is not None and found[-1] is _best(found) and not asked.wishes.broken(case.network, found[-1].plan):
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
        ended_by=ended_by or best.ended_by,
        steps=sum(result.steps for result in found),
        evaluations=sum(result.evaluations for result in found),
        elapsed_s=time.perf_counter() - began,
        bound_units=prover.bound_units,
    )


def _best(found: Sequence[Result]) -> Result:
    """Return the result with the best plan, the first one on a tie."""
    return max(found, key=lambda result: result.value_units)
