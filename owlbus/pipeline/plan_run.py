"""From a study to a plan with its scorecard: a new search, or a change of a base plan."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.common.defaults import DEFAULT_STEPS, HEADWAY_S
from owlbus.common.ending import Ending
from owlbus.common.errors import InfeasibleError, UsageError, setting, step
from owlbus.common.progress import current_progress
from owlbus.common.text import how_many, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from owlbus.demand import Demand
    from owlbus.pipeline.request import Request
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.score import Scorecard
    from owlbus.search import Objective, Problem, Result
    from owlbus.search.ride_service import RideService
    from owlbus.search.spread import Spread


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPlan:
    """
    A plan with its scorecard.

    Attributes
    ----------
    name
        What people call the plan.
    plan
        The routes.
    card
        Scorecard on the study's demand; shares 0 to 1.
    """

    name: str
    plan: Plan
    card: Scorecard

    def __post_init__(self) -> None:
        """Escape control characters: plans are named after files."""
        object.__setattr__(self, "name", visible(self.name))

    def __repr__(self) -> str:
        """Size and shares as they may be published."""
        return f"ScoredPlan({self.name!r}, {_summary(self.plan, self.card)})"

    def _repr_html_(self) -> str:
        """Return scorecard and routes as HTML for notebooks, counts as they are printed."""
        from owlbus.common import notebook_html

        return notebook_html.page(self.name, self.card._repr_html_(), self.plan._repr_html_())


@dataclass(frozen=True, slots=True, eq=False)
class PlanRun:
    """
    A search on a study and its result.

    Attributes
    ----------
    study
        Grid, demand and network.
    request
        Settings of the search.
    result
        Result of the search.
    best
        The best plan and its scorecard.
    timings_s
        Seconds of each stage.
    """

    study: Study
    request: Request
    result: Result
    best: ScoredPlan
    timings_s: Mapping[str, float]

    @property
    def shown_spread(self) -> Spread | None:
        """Spread of the objective over seeds or starts as people may read it, of rounded counts; None where there is none."""
        from owlbus.search.spread import counted_by, printed_objective

        demand, spread, publisher = self.study.demand, self.result.spread, self.study.publisher
        if spread is None or publisher.is_exact:
            return spread
        if self.result.objective.is_travel_time:
            return None
        if (carried := self.best.card.carried) is not None and self.result.objective.carried is not None:
            publisher, counted = carried.publisher(publisher), carried.carried.denominator
        else:
            counted = counted_by(self.result.objective, demand.total_trips, float(demand.presence_by_hex().sum()))
        return spread.shown(lambda share: printed_objective(share, counted, publisher))

    def __repr__(self) -> str:
        """Size and shares of the best plan as they may be published, and why the search ended."""
        ended_by = "it was interrupted" if self.result.was_interrupted else self.ended_by
        return f"PlanRun({_summary(self.best.plan, self.best.card)}; ended because {ended_by})"

    def _repr_html_(self) -> str:
        """Return the best plan, its scorecard and the search as HTML for notebooks, counts as they are printed."""
        from owlbus.common import notebook_html

        return notebook_html.page("PlanRun", self.best._repr_html_(), self.result.to_html(self.study.min_count, self._unserved_s))

    def explore(self, out: str | PathLike[str] | None = None, **settings: Any) -> Any:  # noqa: ANN401 - the page lies in a room above this one
        """
        Open the best plan for editing by hand with live numbers; a notebook shows the page below the cell.

        Parameters
        ----------
        out
            Run directory to write study and plan to, which edits and comments are kept in; a new folder for temporary files by default.
        **settings
            ``language``, ``is_read_only`` and ``port``, as `owlbus.explore_run` takes them.

        Returns
        -------
        owlbus.explore.notebook_frame.ExplorePage
            The page, served from this machine alone until it is closed or nobody has looked at it for 30 minutes.
        """
        from importlib import import_module

        return import_module("owlbus.explore.notebook_frame").explore_plan_run(self, out, **settings)

    @property
    def objective_share(self) -> float | None:
        """
        Objective of the plan as the search counts it and as it is printed, 0 to 1; None where too few are counted.

        Trips carried are those of the scorecard.
        """
        if (carried := self.best.card.carried) is not None and self.result.objective.carried is not None:
            measure, publisher = carried.carried, carried.publisher(self.study.publisher)
            return publisher.headline(measure.numerator, measure.denominator)
        return self.result.printed_shares(self.study.publisher, self._unserved_s)[0]

    @property
    def bound_share(self) -> float | None:
        """Proven upper bound on the objective as it is printed, 0 to 1; None where none was computed or too few are counted."""
        return self.result.printed_shares(self.study.publisher, self._unserved_s)[1]

    @property
    def gap(self) -> float | None:
        """By how much the printed bound exceeds the printed objective, as a share of it; None without both."""
        share, bound = self.objective_share, self.bound_share
        return None if not share or bound is None else bound / share - 1

    @property
    def pool_bound(self) -> dict[str, float | int] | None:
        """Routes that the search met, and the bound on choices among them as it is printed, 0 to 1; None where none can be told."""
        share = self.result.printed_pool_share(self.study.publisher)
        if share is None or self.result.pool_bound is None:
            return None
        return {"n_routes_met": self.result.pool_bound.n_routes_met, "share": share}

    @property
    def published_bound(self) -> dict[str, float] | None:
        """
        Bound on the people near a stop by area, which is the published figure, and the gap to this plan, both as they are printed.

        ``share`` is 0 to 1, and ``gap`` the part by which it exceeds that of the plan. None where people do not count alone, no bound was
        computed or too few are counted.
        """
        plan_share, share = self.result.printed_published_shares(self.study.publisher)
        return None if not plan_share or share is None else {"share": share, "gap": round(share / plan_share - 1, 6)}

    @property
    def unseen_by_bound(self) -> str | None:
        """Name of what the proven bound cannot see, a key of `owlbus.search.bound_words.UNSEEN`; None without a gap."""
        from owlbus.search.bound_words import unseen_by_bound

        return unseen_by_bound(self.result.objective) if self.gap else None

    @property
    def ended_by(self) -> Ending:
        """Why the search ended, with the gap as it is printed; where that is not told, the one that was asked for."""
        return self.result.printed_ending(self.study.publisher, self._unserved_s)

    @property
    def _unserved_s(self) -> int:
        """Seconds that a trip without a journey counts as."""
        return self.request.rule.unserved_s


def _summary(plan: Plan, card: Scorecard) -> str:
    """Return routes, buses, and the shares that may be published."""
    shown = card.to_dict()
    shares = [(name, shown[kind]["share"]) for kind, name in (("presence", "people"), ("served", "trips"))]
    texts = [f"{share:.1%} of {name}" for name, share in shares if share is not None]
    return ", ".join([how_many(len(plan), "route"), how_many(card.total_buses, "bus"), *texts])


def best_plan(study: Study, request: Request, name: str = "this plan", on_gain: Callable[[Plan], object] | None = None) -> PlanRun:
    """
    Search for a plan and score it.

    Parameters
    ----------
    study
        Grid, demand and network.
    request
        Routes, limits, objective and length of the search, in steps or seconds.
    name
        What people call the plan.
    on_gain
        Called with each better plan; not if the request has a base.

    Returns
    -------
    PlanRun
        The best plan; after Ctrl-C the best one so far.

    Raises
    ------
    UsageError
        If a number lies outside its range.
    InfeasibleError
        If no plan keeps limits and constraints.
    """
    begun_s = time.perf_counter()
    result = _search(study, request, on_gain)
    searched_s = time.perf_counter()
    best = score_study(study, result.plan, name, rule=request.rule, headway_s=request.limits.headway_s, service=request.service)
    timings = {**study.timings_s, "search": searched_s - begun_s, "score": time.perf_counter() - searched_s}
    return PlanRun(study, request, result, best, timings)


def _search(study: Study, request: Request, on_gain: Callable[[Plan], object] | None) -> Result:
    """Search for a plan, near the base if there is one."""
    from owlbus.cluster import executor
    from owlbus.search import plan_routes

    if request.base is not None:
        return plan_near(study, request.base, request)
    search = partial(
        plan_routes,
        study.network,
        study.demand,
        request.n_routes,
        limits=request.limits,
        constraints=request.constraints,
        rule=request.rule,
        objective=request.goal,
        stop_when=request.stop_when,
        seed=request.seed,
        n_starts=request.n_starts,
        n_seeds=request.n_seeds,
        bound_steps=request.bound_steps,
        begin=request.begin,
        on_gain=on_gain,
        weights=request.weights,
    )
    if request.scheduler is None:
        return search()
    with executor(request.scheduler) as elsewhere:
        return search(executor=elsewhere)


def score_study(
    study: Study,
    plan: Plan,
    name: str,
    *,
    rule: ServiceRule | None = None,
    headway_s: int = HEADWAY_S,
    service: RideService | None = None,
) -> ScoredPlan:
    """
    Score a plan on a study.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        Routes on the study's network.
    name
        What people call the plan.
    rule
        When a trip counts as served.
    headway_s
        Seconds between buses, for the fleet.
    service
        How buses run and who rides, to count the trips that the plan carries; None for no such figure.

    Returns
    -------
    ScoredPlan
        The plan with its scorecard.

    Raises
    ------
    DataError
        If the plan was made for another network.
    InfeasibleError
        If the fleet of `service` cannot run the plan.
    """
    from owlbus.score import score_plan

    current_progress().step(f"Score {name}")
    more: dict[str, Any] = {"groups": study.districts, "min_count": study.min_count, "service": service}
    card = score_plan(study.network, study.demand, plan, rule=rule, headway_s=headway_s, **more)
    return ScoredPlan(name, plan, card)


def plan_near(study: Study, base: Plan, request: Request) -> Result:
    """
    Improve a plan by changing at most a share of its stops; terminals and required stops stay.

    Parameters
    ----------
    study
        Grid, demand and network.
    base
        The plan to change.
    request
        Share of stops that may change, limits, objective and steps; a limit that the base breaks may stay broken as it is.

    Returns
    -------
    Result
        The better plan.

    Raises
    ------
    UsageError
        If the search is limited by seconds.
    InfeasibleError
        If a required stop is on no route of the base.
    """
    from owlbus.search import Objective, PlanConstraints, Problem
    from owlbus.search.improve import refuse_new_routes
    from owlbus.search.polish import PublishedValue
    from owlbus.search.seeds import search_seeds
    from owlbus.search.spread import with_spread

    if request.time_s is not None:
        moves, seconds = setting("steps"), setting("time_s")
        msg = f"a plan near a base is searched by moves, not for {request.time_s:g} seconds; name {moves} instead of {seconds}"
        raise UsageError(msg, setting="time_s", value=request.time_s)
    refuse_new_routes(request.constraints)
    required = _required_on_base(study, base, request)
    problem, objective = _searched_problem(study, request), Objective.of_counted(request.objective, study.demand)
    is_chosen = request.n_seeds > 1
    published = PublishedValue.build(problem, _searched_demand(study, request), objective) if is_chosen else None
    constraints = (request.constraints or PlanConstraints()).counted(study.demand)
    search = partial(_search_near, problem, base, replace(request, constraints=constraints), objective, required)
    seeds = range(request.seed, request.seed + request.n_seeds)
    result = constraints.require_met(study.network, search_seeds(search, seeds, published, constraints.is_kept_on(study.network)))
    if request.weights is not None:
        problem = Problem.build(study.network, study.demand, request.rule)
        result = result.without_weights(problem)
    return with_spread(result, problem, study.demand)


def _search_near(problem: Problem, base: Plan, request: Request, objective: Objective, required: tuple[int, ...], seed: int) -> Result:
    """Improve a plan by few changes from one seed."""
    from owlbus.search import Result, TracePoint
    from owlbus.search.improve import improve_plan

    begun_s = time.perf_counter()
    steps = DEFAULT_STEPS if request.steps is None else request.steps
    groups = () if request.constraints is None else request.constraints.groups
    more: dict[str, Any] = {"objective": objective, "keep": required, "groups": groups}
    improvement = improve_plan(problem, base, request.limits, (request.max_change_share,), n_steps=steps, seed=seed, **more)[0]
    elapsed_s, total = time.perf_counter() - begun_s, problem.total_value(objective)
    shares = [value / total for value in (problem.value(base, objective), improvement.value_quanta)]
    return Result(
        plan=improvement.plan,
        objective=objective,
        value_quanta=improvement.value_quanta,
        total_quanta=total,
        ended_by=Ending("near", {"steps": steps, "changed": improvement.n_changed, "allowed": improvement.n_allowed}),
        seed=seed,
        steps=steps,
        evaluations=improvement.evaluations,
        elapsed_s=elapsed_s,
        trace=(TracePoint(0, 0.0, shares[0], shares[0]), TracePoint(steps, elapsed_s, shares[1], shares[1])),
    )


def _searched_demand(study: Study, request: Request) -> Demand:
    """Return the demand, with the weights of the request."""
    from owlbus.demand import weight_demand

    return study.demand if request.weights is None else weight_demand(study.demand, request.weights)


def _searched_problem(study: Study, request: Request) -> Problem:
    """Return network, demand and rule, the demand with the weights of the request."""
    from owlbus.search import Problem

    return Problem.build(study.network, _searched_demand(study, request), request.rule)


def _required_on_base(study: Study, base: Plan, request: Request) -> tuple[int, ...]:
    """Return the indices of the stops to call at, if routes of the base call at all of them."""
    from owlbus.search.constraints import network_name

    required = () if request.constraints is None else request.constraints.required
    absent = [stop for stop in required if stop not in base.used_stops]
    if absent:
        name = network_name(study.network, absent[0])
        ask = step("owlbus.evidence.changes.pass_by", "explain", plan="PLAN", what="via", name=absent[0])
        msg = f"{name} is required, and no route of the base calls there; plan without {setting('base')}, or see {ask}"
        raise InfeasibleError(msg, setting="required", value=absent[0])
    return required
