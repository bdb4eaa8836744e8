"""Settings of a search: number of routes, limits, objective, moves or seconds."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from owlbus.common.defaults import AUTO, DEFAULT_STEPS, MAX_CHANGE_SHARE, N_ROUTES
from owlbus.common.units import require_number
from owlbus.demand.hex_weights import demand_weights
from owlbus.plan import plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search.ride_service import RideService
from owlbus.search.starts import require_starts
from owlbus.search.stopping import MaxSeconds, MaxSteps, TargetGap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from owlbus.demand import DemandWeights
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.search import Objective, PlanConstraints
    from owlbus.search.stopping import SearchLimit


_MOST = 64


@dataclass(frozen=True, slots=True)
class Request:
    """
    Settings of a search for a plan.

    Attributes
    ----------
    n_routes
        Routes, in [1, 64].
    limits
        Limits of routes and plan.
    rule
        When a trip counts as served.
    objective
        What to maximise: ``served``, ``direct``, ``presence``, a weighted mix of these, ``travel_time`` or ``carried``.
    steps
        Moves to try; None for no such limit, or for the default where `time_s` is None too.
    time_s
        Seconds to search; None for no such limit.
    seed
        Seed of all random numbers, >= 0; it fixes the result under a limit of moves.
    n_starts
        Searches side by side that share the steps; ``auto`` chooses their number as `owlbus.plan_routes` does.
    bound_steps
        Iterations of the proven upper bound; 0 for none.
    target_gap_share
        Optimality gap at which the search stops, dimensionless; None for no such stop.
    constraints
        Further constraints of the plan, or None.
    base
        Plan to improve by few changes instead of a new search, or None.
    max_change_share
        Share of the stops of the base that may change, 0 to 1.
    scheduler
        Where the starts run, as `owlbus.cluster.executor` takes it; threads if None.
    begin
        Plan that the search starts from, or None.
    weights
        Dimensionless weight of each hex in the search, shape (H,), in [0, 1000], or `owlbus.DemandWeights` of trips too; None counts
        everything once. Scorecards have no weights.
    n_seeds
        Whole searches, from `seed`, `seed` + 1 and so on, each with all steps; the best plan by area is kept.
    service
        How buses run and who rides: trips carried by it stand in scorecards, and are what ``carried`` maximises. None for no such figure,
        and the defaults for that objective.

    Raises
    ------
    UsageError
        If a number lies outside its range, or the objective is unknown.
    """

    n_routes: int = N_ROUTES
    limits: RouteLimits = field(default_factory=RouteLimits)
    rule: ServiceRule = field(default_factory=ServiceRule)
    objective: str = "served"
    steps: int | None = DEFAULT_STEPS
    time_s: float | None = None
    seed: int = 0
    n_starts: int | Literal["auto"] = AUTO
    bound_steps: int = 0
    target_gap_share: float | None = None
    constraints: PlanConstraints | None = None
    base: Plan | None = None
    max_change_share: float = MAX_CHANGE_SHARE
    scheduler: str | None = None
    begin: Plan | None = None
    weights: ArrayLike | DemandWeights | None = None
    n_seeds: int = 1
    service: RideService | None = None

    def __post_init__(self) -> None:
        """Check every number once, before any file is read."""
        from owlbus.search.objective import Objective

        if Objective.parse(self.objective).carried is not None and self.service is None:
            object.__setattr__(self, "service", RideService())
        if self.weights is not None:
            object.__setattr__(self, "weights", demand_weights(self.weights))
        for name, value, low, high in (
            ("n_routes", self.n_routes, 1, _MOST),
            ("n_starts", require_starts(self.n_starts), 1, _MOST),
            ("n_seeds", self.n_seeds, 1, _MOST),
            ("seed", self.seed, 0, 2**63 - self.n_seeds),
            ("steps", self.steps, 0, 2**63 - 1),
            ("time_s", self.time_s, 0, 1e9),
            ("bound_steps", self.bound_steps, 0, 2**31 - 1),
            ("target_gap_share", self.target_gap_share, 0, 1e9),
        ):
            if value is not None:
                require_number(name, value, low, high)

    @property
    def goal(self) -> Objective | str:
        """The objective, with how buses run where trips carried count."""
        from owlbus.search.objective import Objective

        is_carried = Objective.parse(self.objective).carried is not None
        return Objective(carried=self.service) if is_carried else self.objective

    @property
    def stop_when(self) -> tuple[SearchLimit, ...]:
        """Limits of the search, the default number of steps if none is set."""
        limits: list[SearchLimit] = []
        if self.steps is not None:
            limits.append(MaxSteps(self.steps))
        if self.time_s is not None:
            limits.append(MaxSeconds(self.time_s))
        limits = limits or [MaxSteps(DEFAULT_STEPS)]
        return (*limits, *([] if self.target_gap_share is None else [TargetGap(self.target_gap_share)]))


def budget_of(study: Study, plan: Plan, limits: RouteLimits) -> RouteLimits:
    """
    Limits that allow no more route-kilometres than a plan has.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The plan that sets the budget.
    limits
        All other limits; its headway counts in seconds.

    Returns
    -------
    RouteLimits
        `limits` with the plan's total one-way metres.
    """
    return replace(limits, max_total_length_m=plan_measures(study.network, plan, limits.headway_s).total_length_m)


def settings_of(request: Request) -> dict[str, Any]:
    """
    Return the settings of a search as JSON can hold them.

    Parameters
    ----------
    request
        What was asked for.

    Returns
    -------
    dict
        Names with units in them; no limit reads None.
    """
    values = asdict(replace(request, constraints=None, base=None, begin=None, weights=None))
    for name in ("constraints", "base", "begin", "max_change_share", "scheduler", "weights"):
        del values[name]
    if request.service is None:
        del values["service"]
    if request.weights is not None:
        values["weights"] = demand_weights(request.weights).to_dict()
    if request.constraints is not None:
        values["constraints"] = request.constraints.to_dict()
    if request.base is not None:
        values["base"] = {"routes": list(request.base.names), "max_change_share": request.max_change_share}
    values["limits"] = {name: None if value == math.inf else value for name, value in values["limits"].items()}
    return values
