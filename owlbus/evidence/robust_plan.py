"""Plans that are good on bad nights too: searches that give more weight to the nights served worst."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError
from owlbus.common.progress import current_progress
from owlbus.common.units import QUANTA_PER_TRIP, quantise, require_number
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.plan import Plan, Route
from owlbus.search.constraints import PlanConstraints
from owlbus.search.objective import Objective
from owlbus.search.parallel import search_from
from owlbus.search.problem import Problem
from owlbus.search.travel_time_objective import refuse_journeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits, ServiceRule
    from owlbus.search.parallel import Executor

_EVEN, _SHARPNESS = 0.0, 8.0
"""How much more the nights count that are served worst, in the searches of each kind; dimensionless."""


@dataclass(frozen=True, slots=True, eq=False)
class RobustPlan:
    """
    A plan that is good on bad nights too.

    Attributes
    ----------
    plan
        The plan.
    shares, even_shares
        What it reaches in each night of what counts, and what a plan for the mean night does that was searched as long, 0 to 1,
        shape (n_nights,).
    quantile
        Quantile over nights that was maximised, 0 (the worst night) to 1.
    was_interrupted
        Whether Ctrl-C ended the search.
    printed, even_printed
        `shares` and `even_shares` from printed counts of each night; None where a night has too few.
    """

    plan: Plan
    shares: NDArray[np.float64]
    even_shares: NDArray[np.float64]
    quantile: float
    was_interrupted: bool = False
    printed: NDArray[np.float64] | None = None
    even_printed: NDArray[np.float64] | None = None

    @property
    def low_share(self) -> float:
        """Quantile over nights, 0 to 1; never below that of the plan it began from, or of the one for the mean night."""
        return float(np.quantile(self.shares, self.quantile))

    @property
    def gain_share(self) -> float:
        """What the quantile gains over the plan for the mean night, 0 to 1."""
        return self.low_share - float(np.quantile(self.even_shares, self.quantile))

    @property
    def mean_change_share(self) -> float:
        """What the mean over nights gains, or loses where it is below 0."""
        return float(self.shares.mean() - self.even_shares.mean())

    def to_dict(self) -> dict[str, Any]:
        """Return the shares of nights as they are printed, 0 to 1, for JSON; None where a night has too few."""
        figures = dict.fromkeys(("low_share", "gain_share", "mean_share", "mean_change_share"))
        if self.printed is not None and self.even_printed is not None:
            told = replace(self, shares=self.printed, even_shares=self.even_printed)
            values = (told.low_share, told.gain_share, float(told.shares.mean()), told.mean_change_share)
            figures = dict(zip(figures, (round(value, 6) for value in values), strict=True))
        return {"quantile": self.quantile, **figures, "n_nights": self.shares.size}

    def __str__(self) -> str:
        """Say in one sentence what it gains on bad nights and costs on the mean."""
        nights = "On the worst night" if self.quantile == 0 else f"At the {self.quantile:.0%} quantile over nights"
        low, gain, mean, change = list(self.to_dict().values())[1:5]
        if low is None:
            return f"{nights} the plan was made best; its nights have too few trips and people for their shares to be told."
        if gain <= 0 and not np.array_equal(self.shares, self.even_shares):
            return f"{nights} it reaches {low:.2%}: no difference to the plan for the mean night that can be published."
        if gain <= 0:
            return f"{nights} no plan was found that reaches more than {low:.2%}; the plan is the one for the mean night."
        return (
            f"{nights} it reaches {low:.2%}, {100 * gain:+.2f} points over the plan for the mean night; "
            f"the mean over nights changes by {100 * change:+.2f} points, to {mean:.2%}."
        )


def robust_plan(
    network: Network,
    demand: Demand,
    start: Plan,
    limits: RouteLimits,
    *,
    constraints: PlanConstraints | None = None,
    rule: ServiceRule | None = None,
    objective: Objective | None = None,
    quantile: float = 0.1,
    n_rounds: int = 6,
    n_steps: int = 60_000,
    seed: int = 0,
    min_count: float = MIN_COUNT,
    executor: Executor | None = None,
) -> RobustPlan:
    """
    Plan that is good on bad nights too.

    The nights that the plan so far serves worst count for more in the next search, which begins from it [1]_; of all plans met the one
    with the highest quantile over nights is kept, so that it is never below that of `start`. As many searches with every night alike
    give the plan for the mean night to hold it against, so that what more search brings is not taken for a gain on bad nights.

    Parameters
    ----------
    network, demand
        As in `PlanEvaluator.build`.
    start
        Plan to begin from; it keeps the limits.
    limits
        What plans must keep, in metres and seconds.
    constraints
        What else they must be; `start` is so.
    rule
        As in `PlanEvaluator.build`.
    objective
        What counts; trips served by default.
    quantile
        Quantile over nights to maximise, 0 (the worst night) to 1.
    n_rounds, n_steps
        Searches of each kind, and moves in each; with the seed they fix the result.
    seed
        Seed of all random numbers, >= 0.
    min_count
        Trips or people a night of which printed counts are multiples.
    executor
        Where the searches of the two kinds run side by side, with equal results; None for one after the other in this process.

    Returns
    -------
    RobustPlan
        The plan, with what it reaches each night; after Ctrl-C the best one so far.

    Raises
    ------
    UsageError
        If the quantile lies outside [0, 1].
    DataError
        If there are fewer than two nights.

    References
    ----------
    .. [1] Arora, Hazan and Kale (2012), The multiplicative weights update method, Theory of Computing 8, 121-164.
    """
    require_number("quantile", quantile, 0, 1)
    objective, constraints = objective or Objective(), (constraints or PlanConstraints()).counted(demand)
    refuse_journeys(objective, "a plan that is good on bad nights")
    if demand.n_nights < 2:  # noqa: PLR2004 - one night has no worst one
        msg = f"a plan that is good on bad nights too needs at least 2 nights, got {demand.n_nights}"
        raise DataError(msg)
    evaluator = PlanEvaluator.build(network, demand, rule)
    first = start, _by_night(evaluator, start, objective)
    task = _Rounds(start, limits, constraints, objective, n_rounds, n_steps, seed)
    plans_of = partial(_plans, evaluator, task) if executor is None else _in_parallel(executor, (network, demand, rule), task)
    step = current_progress().step("Search for bad nights", 2 * n_rounds)
    candidates, interrupted = [first], False
    even = first
    try:
        for sharpness in (_EVEN, _SHARPNESS):
            for plan, shares in plans_of(sharpness):
                candidates.append((plan, shares))
                if sharpness == _EVEN and shares.mean() > even[1].mean():
                    even = candidates[-1]
                step.reach(len(candidates) - 1, f"{np.quantile(shares, quantile):.1%}")
    except KeyboardInterrupt:
        interrupted = True
    best = max([even, *candidates], key=lambda candidate: float(np.quantile(candidate[1], quantile)))
    printed = [_by_night(evaluator, plan, objective, Publisher(min_count)) for plan in (best[0], even[0])]
    return RobustPlan(*best, even[1], quantile, interrupted, *(None if np.isnan(shares).any() else shares for shares in printed))


@dataclass(frozen=True, slots=True)
class _Rounds:
    """The searches of one kind: each goes on from the plan of the one before."""

    start: Plan
    limits: RouteLimits
    constraints: PlanConstraints
    objective: Objective
    n_rounds: int
    n_steps: int
    seed: int

    def search(self, problem: Problem, plan: Plan, rng: np.random.Generator) -> Plan:
        """Return the best plan that a search from `plan` meets, with the names of the first plan."""
        n_routes = max(1, len(self.start))
        found, _ = search_from(problem, self.objective, self.limits, n_routes, plan, self.n_steps, rng, self.constraints)
        return _renamed(found, self.start)


def _plans(evaluator: PlanEvaluator, task: _Rounds, sharpness: float) -> Iterator[tuple[Plan, NDArray[np.float64]]]:
    """Yield one plan per search, each with more weight on the nights that the plans before it serve worst."""
    weights, plan = np.full(evaluator.demand.n_nights, 1.0), task.start
    nightly = _by_night(evaluator, plan, task.objective)
    for rng in np.random.default_rng(task.seed).spawn(task.n_rounds):
        weights *= np.exp(-sharpness * (nightly - nightly.mean()) / max(nightly.std(), 1e-9) / task.n_rounds)
        weights /= weights.mean()
        problem = task.constraints.problem(
            Problem.build(evaluator.problem.network, _weighted(evaluator.demand, weights), evaluator.problem.rule)
        )
        plan = task.search(problem, plan, rng)
        nightly = _by_night(evaluator, plan, task.objective)
        yield plan, nightly


def _in_parallel(
    executor: Executor, parts: tuple[Network, Demand, ServiceRule | None], task: _Rounds
) -> Callable[[float], list[tuple[Plan, NDArray[np.float64]]]]:
    """Start the searches of both kinds elsewhere, and return what waits for those of one kind."""
    data = pickle.dumps(parts, protocol=pickle.HIGHEST_PROTOCOL)
    pending = {sharpness: executor.submit(plans_elsewhere, data, task, sharpness) for sharpness in (_EVEN, _SHARPNESS)}

    def wait_for(sharpness: float) -> list[tuple[Plan, NDArray[np.float64]]]:
        try:
            return pending.pop(sharpness).result()
        except BaseException:
            for other in pending.values():
                other.cancel()
            raise

    return wait_for


def plans_elsewhere(data: bytes, task: _Rounds, sharpness: float) -> list[tuple[Plan, NDArray[np.float64]]]:
    """
    Run all searches of one kind, in any process.

    Parameters
    ----------
    data
        Network, demand and rule, pickled.
    task
        What is searched for.
    sharpness
        How much more the nights count that are served worst, dimensionless; 0 for all alike.

    Returns
    -------
    list of tuple
        Plan of each search, and what it reaches in each night, 0 to 1, shape (n_nights,).
    """
    network, demand, rule = pickle.loads(data)  # noqa: S301 - from our own process
    return list(_plans(PlanEvaluator.build(network, demand, rule), task, sharpness))


def _by_night(evaluator: PlanEvaluator, plan: Plan, objective: Objective, publisher: Publisher | None = None) -> NDArray[np.float64]:
    """Share of what counts in each night, shape (n_nights,), or as printed counts give it: NaN then where a night has too few."""
    evaluation, (trips, people) = evaluator.evaluate(plan), evaluator.all_by_night()
    served = evaluator.served_by_night(evaluation) if objective.max_transfers else evaluator.direct_by_night(evaluation)
    near = evaluator.reached_by_night(evaluation)
    too_few = np.zeros(trips.size, np.bool_)
    if publisher is not None:
        pairs = ((trips, objective.trips), (people, objective.presence))
        too_few = np.any([[publisher.share(0.0, night) is None for night in nights.tolist()] for nights, weight in pairs if weight], axis=0)
        served, near, trips, people = (publisher.nights(counts) for counts in (served, near, trips, people))
    reached = objective.trips * served + objective.presence * near
    whole = objective.trips * trips + objective.presence * people
    shares = np.divide(reached, whole, out=np.zeros(whole.size), where=whole > 0)
    return np.where(too_few, np.nan, shares)


def _weighted(demand: Demand, weights: NDArray[np.float64]) -> Demand:
    """Demand with the trips and people of each night multiplied by its weight."""
    trips, people = quantise(demand.trips * weights[demand.night]), quantise(demand.presence * weights[demand.presence_night])
    return replace(demand, trips=np.maximum(trips, 1 / QUANTA_PER_TRIP), presence=np.maximum(people, 1 / QUANTA_PER_TRIP))


def _renamed(plan: Plan, like: Plan) -> Plan:
    """Plan with the names of another one, where it has as many routes."""
    if len(plan) != len(like):
        return plan
    return Plan(tuple(Route(route.stops, name) for route, name in zip(plan.routes, like.names, strict=True)), plan.network_fingerprint)
