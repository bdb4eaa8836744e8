"""Bound on the figure that is published of a plan: people near a stop by area, where the search counts hexes whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.common.progress import current_progress
from owlbus.search.bound import upper_bound
from owlbus.search.callbacks import ASKED
from owlbus.search.stopping import MaxSeconds

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.search.bound import BoundPoint
    from owlbus.search.objective import Objective
    from owlbus.search.parallel import SearchTask
    from owlbus.search.polish import PublishedValue
    from owlbus.search.problem import Problem
    from owlbus.search.result import Result

_LONGER = 0.1
"""Share of its seconds that a search may take longer for the bound."""


@dataclass(frozen=True, slots=True)
class PublishedBound:
    """
    Proven bound on the people near a stop by area, beside those of a plan.

    Attributes
    ----------
    plan_share
        People whom the plan reaches, each hex by the share of its area within the walk of a stop, 0 to 1.
    share
        What no plan within the limits exceeds, counted in the same way, 0 to 1.

    Examples
    --------
    >>> round(PublishedBound(0.60, 0.63).gap, 6)
    0.05
    """

    plan_share: float
    share: float

    @property
    def gap(self) -> float:
        """By how much the bound exceeds the plan, as a share of the plan; infinite for a plan that reaches nobody."""
        return self.share / self.plan_share - 1 if self.plan_share else math.inf if self.share else 0.0


def with_published_bound(
    result: Result, problem: Problem, demand: Demand, task: SearchTask, steps: int, published: PublishedValue | None
) -> Result:
    """
    Add the bound by area to the result of a search that reaches people.

    Parameters
    ----------
    result
        A plan, and the bound as the search counts.
    problem, demand
        Network and rule, and the people that the problem was built from.
    task
        Objective, limits, constraints and routes of the search.
    steps
        Iterations; no bound is proven with 0 of them.
    published
        What plans are worth by area; None where the search itself counts as figures are published.

    Returns
    -------
    Result
        As it was where trips count, nothing was to be proven, or the search was asked to end. Where seconds end the search, the bound ends
        with them, or a tenth of them later.
    """
    is_ended = result.was_interrupted or result.ended_by is ASKED
    if not steps or published is None or not _is_of_people(task.objective) or is_ended:
        return result
    most_s = min((limit.seconds for limit in task.stop_when if isinstance(limit, MaxSeconds)), default=math.inf)
    step = current_progress().step("Prove the bound by area", steps)

    def note(now: BoundPoint) -> bool:
        step.reach(now.steps)
        return False

    try:
        proof = upper_bound(
            problem,
            task.n_routes,
            limits=task.limits,
            constraints=task.constraints,
            objective=task.objective,
            seconds=max(most_s - result.elapsed_s, _LONGER * most_s),
            steps=steps,
            by_area=demand,
            on_step=note,
        )
    except KeyboardInterrupt:
        return result
    return replace(result, published_bound=PublishedBound(published.share(result.plan), min(1.0, proof.share)))


def _is_of_people(objective: Objective) -> bool:
    """Whether people count alone."""
    return bool(objective.presence) and not objective.trips and not objective.counts_journeys
