"""Whole searches from several seeds, of which the best plan is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.common.ending import INTERRUPTED
from owlbus.common.progress import current_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from owlbus.plan import Plan
    from owlbus.search.callbacks import Callbacks
    from owlbus.search.objective import Objective
    from owlbus.search.polish import PublishedValue
    from owlbus.search.problem import Problem
    from owlbus.search.result import Result


def search_seeds(
    search: Callable[[int], Result],
    seeds: Sequence[int],
    published: PublishedValue | None,
    is_kept: Callable[[Plan], bool] | None = None,
    callbacks: Callbacks | None = None,
) -> Result:
    """
    Search from one seed after the other, and keep the best plan.

    Parameters
    ----------
    search
        Searches from a seed, its starts side by side.
    seeds
        The seeds, one or more.
    published
        What plans are worth by area; None for the search's own rule.
    is_kept
        Whether a plan keeps the constraints, where a search may end with one that does not; None where all do.
    callbacks
        Callbacks, of which one may end the search of all seeds; None for none.

    Returns
    -------
    Result
        As of `best_of_seeds`; after Ctrl-C the best plan of the seeds so far.
    """
    results: list[Result] = []
    try:
        for k, seed in enumerate(seeds):
            if len(seeds) > 1:
                current_progress().step(f"Seed {seed}, {k + 1} of {len(seeds)}")
            results.append(search(seed))
            if results[-1].was_interrupted or (callbacks is not None and callbacks.is_asked):
                break
    except KeyboardInterrupt:
        if not results:
            raise
        return replace(best_of_seeds(results, published, is_kept), ended_by=INTERRUPTED, plans=())
    return best_of_seeds(results, published, is_kept)


def best_of_seeds(results: Sequence[Result], published: PublishedValue | None, is_kept: Callable[[Plan], bool] | None = None) -> Result:
    """
    Result with the best plan of several seeds, the first one on a tie.

    Parameters
    ----------
    results
        One per seed, one or more.
    published
        What plans are worth by area; None for the search's own rule.
    is_kept
        Whether a plan keeps the constraints; one that does is better than any that does not.

    Returns
    -------
    Result
        Moves, evaluations and seconds are of all seeds, the trace of the best one; the bound is the lowest that was proven.
    """
    if len(results) == 1:
        return results[0]
    values = [result.value_quanta if published is None else published.of(result.plan) for result in results]
    kept = [is_kept is None or is_kept(result.plan) for result in results]
    best = results[max(range(len(results)), key=lambda k: (kept[k], values[k], -k))]
    is_interrupted = any(result.was_interrupted for result in results)
    return replace(
        best,
        ended_by=INTERRUPTED if is_interrupted else best.ended_by,
        steps=sum(result.steps for result in results),
        evaluations=sum(result.evaluations for result in results),
        elapsed_s=sum(result.elapsed_s for result in results),
        bound_quanta=min((result.bound_quanta for result in results if result.bound_quanta is not None), default=None),
        n_seeds=len(results),
        plans=() if is_interrupted else tuple(result.plan for result in results),
    )


@dataclass(slots=True)
class GainsOnly:
    """
    Passes on the plans that are better than all before them, whichever seed found them.

    Attributes
    ----------
    problem, objective
        What plans are worth.
    on_gain
        Called with each better plan.
    """

    problem: Problem
    objective: Objective
    on_gain: Callable[[Plan], object]
    _best_quanta: int = -1

    def __call__(self, plan: Plan) -> object:
        """Pass `plan` on if it is better, and return what comes back."""
        value = self.problem.value(plan, self.objective)
        if value <= self._best_quanta:
            return None
        self._best_quanta = value
        return self.on_gain(plan)
