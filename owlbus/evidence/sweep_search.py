"""The searches of a sweep: each setting goes on from the plan of the setting before, and never ends below it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.plan import Plan
from owlbus.search.both_ways import limits_both_ways, run_as_given, run_both_ways
from owlbus.search.constraints import PlanConstraints
from owlbus.search.polish import PublishedValue
from owlbus.search.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.sweep import SweepPoint
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.objective import Objective


@dataclass(frozen=True, slots=True, eq=False)
class SettingPlan:
    """
    Best plan of one setting.

    Attributes
    ----------
    plan
        The plan.
    objective_share
        Its objective by area, 0 to 1.
    kept_from
        The tighter setting whose search found the plan, in the unit of the sweep; None for its own.
    spread
        Objective over the seeds, or over the starts of one seed; None where one search ran.
    """

    plan: Plan
    objective_share: float
    kept_from: float | None
    spread: Spread | None


@dataclass(slots=True)
class _Chain:
    """The searches of one seed: its random numbers, its best plan so far, what that is worth, and the setting that found it."""

    rng: np.random.Generator
    plan: Plan
    share: float = 0.0
    found_at: float | None = None
    start_shares: list[float] = field(default_factory=list)


class SettingSearch:
    """
    Searches one setting after another, the tightest first; every seed goes on from its own plan.

    A plan that keeps the limits of a setting keeps those of each looser one, with fewer routes where more are allowed. So it stands beside
    the plans that the search of the looser setting finds, and the best of all by area is kept.

    Parameters
    ----------
    evaluator
        Network and demand.
    objective
        What to maximise.
    seeds
        Seeds of whole sweeps.
    n_steps
        Moves of each start.
    n_starts
        Starts of each seed and setting.
    search
        Maps `owlbus.search.parallel.search_from` over lists of its arguments, from `objective` on.
    fixed
        Routes of every plan; None for none. The search counts those with a way back of their own both ways, and its plans have them as
        they run.
    """

    def __init__(
        self,
        evaluator: PlanEvaluator,
        objective: Objective,
        seeds: Iterable[int],
        n_steps: int,
        n_starts: int,
        search: Callable[..., Iterable[tuple[Plan, int]]],
        fixed: Plan | None = None,
    ) -> None:
        self.network = evaluator.problem.network
        self.fixed = fixed or Plan((), self.network.fingerprint)
        self.value = PublishedValue.on(evaluator.counter, objective, evaluator.demand)
        share = self.value.share(self.fixed) if self.fixed.routes else 0.0
        self.chains = [_Chain(np.random.default_rng(seed), self.fixed, share) for seed in seeds]
        self.n_steps, self.n_starts, self._search = n_steps, n_starts, search

    def run(self, level: float, n_routes: int, limits: RouteLimits) -> SettingPlan:
        """
        Search at one setting.

        Parameters
        ----------
        level
            The setting: routes, buses, kilometres or minutes, no less than the one before.
        n_routes
            Routes K.
        limits
            Limits of the setting.

        Returns
        -------
        SettingPlan
            The best plan of all seeds, the first one on a tie; shares 0 to 1.
        """
        constraints = PlanConstraints(fixed=run_both_ways(self.fixed))
        if self.fixed.routes:
            limits = limits_both_ways(self.network, self.fixed, limits)
        tasks: list[tuple[Any, ...]] = [
            (self.value.objective, limits, n_routes, run_both_ways(chain.plan), self.n_steps, rng, constraints)
            for chain in self.chains
            for rng in chain.rng.spawn(self.n_starts)
        ]
        found = [run_as_given(plan, self.fixed) for plan, _ in self._search(*zip(*tasks, strict=True))]
        for k, chain in enumerate(self.chains):
            self._take(chain, level, found[k * self.n_starts : (k + 1) * self.n_starts])
        best = max(self.chains, key=lambda chain: chain.share)
        return SettingPlan(best.plan, best.share, None if best.found_at == level else best.found_at, self._spread())

    def _take(self, chain: _Chain, level: float, plans: list[Plan]) -> None:
        """Keep the best plan of a seed by area, the one before on a tie."""
        chain.start_shares = [self.value.share(plan) for plan in plans]
        share = max(chain.start_shares)
        if share > chain.share:
            chain.plan, chain.share, chain.found_at = plans[chain.start_shares.index(share)], share, level

    def _spread(self) -> Spread | None:
        """Spread over the seeds, or over the starts of the only one."""
        if len(self.chains) > 1:
            return Spread("seeds", tuple(chain.share for chain in self.chains))
        starts = self.chains[0].start_shares
        return Spread("starts", tuple(starts)) if len(starts) > 1 else None


def with_shared_bounds(points: Sequence[SweepPoint]) -> tuple[SweepPoint, ...]:
    """
    Give every point the lowest bound of its own and of looser settings, which include its plans.

    Parameters
    ----------
    points
        Points of a sweep, the tightest first; bounds are shares, 0 to 1.

    Returns
    -------
    tuple of SweepPoint
        In the same order.
    """
    lowest = 1.0
    tight: list[SweepPoint] = []
    for point in reversed(points):
        if point.bound_share is not None:
            lowest = min(lowest, point.bound_share)
        tight.append(point if point.bound_share is None else replace(point, bound_share=lowest))
    return tuple(reversed(tight))
