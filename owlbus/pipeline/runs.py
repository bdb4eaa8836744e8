"""From a study to a plan with its scorecard, beside reference plans, and all of it to a run directory."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.limits import DEFAULT_STEPS, MaxSeconds, MaxSteps, RouteLimits, ServiceRule, TargetGap
from owlbus.pipeline.study import write_study
from owlbus.pipeline.timetables import add_timetable
from owlbus.plan import plan_geojson, plan_measures, stops_geojson
from owlbus.progress import current_progress
from owlbus.signs import visible
from owlbus.units import require_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from owlbus.limits import SearchLimit
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.rundir import RunDir, RunRecord
    from owlbus.score import Scorecard
    from owlbus.search import Result, Wishes

_MOST = 64


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a plan is asked to be.

    Attributes
    ----------
    n_routes
        Routes, in [1, 64].
    limits
        What the plan must keep.
    rule
        When a trip counts as served.
    objective
        What to maximise: ``served``, ``direct``, ``presence``, a weighted mix of these, or ``travel_time``.
    steps
        Moves to try; None for no such limit, or for the default where `time_s` is None too.
    time_s
        Seconds to search; None for no such limit.
    seed
        Fixes the result under a step limit.
    n_starts
        Independent searches that share the steps.
    bound_steps
        Prices to try for a proven upper bound; 0 for none.
    target_gap_share
        The search ends once the bound is at most this share above the plan; None for no such end.
    wishes
        What else the plan is to be, or None.
    base
        Plan that is changed a little instead of searching for a new one, or None.
    max_change_share
        Share of the stops of the base that may change, 0 to 1.
    scheduler
        Where the starts run, as `owlbus.cluster.executor` takes it; threads if None.
    begin
        Plan that the search goes on from, or None.

    Raises
    ------
    UsageError
        If a number lies outside its range, or the objective is none.
    """

    n_routes: int = 9
    limits: RouteLimits = field(default_factory=RouteLimits)
    rule: ServiceRule = field(default_factory=ServiceRule)
    objective: str = "served"
    steps: int | None = DEFAULT_STEPS
    time_s: float | None = None
    seed: int = 0
    n_starts: int = 2
    bound_steps: int = 0
    target_gap_share: float | None = None
    wishes: Wishes | None = None
    base: Plan | None = None
    max_change_share: float = 0.1
    scheduler: str | None = None
    begin: Plan | None = None

    def __post_init__(self) -> None:
        """Check every number once, before any file is read."""
        from owlbus.search.objective import Objective

        Objective.parse(self.objective)
        for name, value, low, high in (
            ("n_routes", self.n_routes, 1, _MOST),
            ("n_starts", self.n_starts, 1, _MOST),
            ("seed", self.seed, 0, 2**63 - 1),
            ("steps", self.steps, 0, 2**63 - 1),
            ("time_s", self.time_s, 0, 1e9),
            ("bound_steps", self.bound_steps, 0, 2**31 - 1),
            ("target_gap_share", self.target_gap_share, 0, 1e9),
        ):
            if value is not None:
                require_number(name, value, low, high)

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


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """
    A plan with its scorecard.

    Attributes
    ----------
    name
        What people call the plan.
    plan
        The routes.
    card
        What the plan is worth on the study's demand; shares 0 to 1.
    """

    name: str
    plan: Plan
    card: Scorecard

    def __post_init__(self) -> None:
        """Show what no terminal may obey: plans are called after files."""
        object.__setattr__(self, "name", visible(self.name))


@dataclass(frozen=True, slots=True, eq=False)
class PlanRun:
    """
    A search on a study, and what it found.

    Attributes
    ----------
    study
        Grid, demand and network.
    request
        What was asked for.
    result
        The search's own account.
    best
        The plan found, scored.
    timings_s
        Seconds of each stage.
    """

    study: Study
    request: Request
    result: Result
    best: Scored
    timings_s: Mapping[str, float]


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
        Told the best plan whenever there is a better one; not where the request names a base.

    Returns
    -------
    PlanRun
        The best plan; after Ctrl-C the best one so far.

    Raises
    ------
    UsageError
        If a number lies outside its range.
    InfeasibleError
        If no plan keeps limits and wishes.
    """
    began = time.perf_counter()
    result = _search(study, request, on_gain)
    found = time.perf_counter()
    best = score_study(study, result.plan, name, rule=request.rule, headway_s=request.limits.headway_s)
    timings = {**study.timings_s, "search": found - began, "score": time.perf_counter() - found}
    return PlanRun(study, request, result, best, timings)


def _search(study: Study, request: Request, on_gain: Callable[[Plan], object] | None) -> Result:
    """Search for a plan, near another one if there is a base."""
    from owlbus.cluster import executor
    from owlbus.pipeline.near import plan_near
    from owlbus.search import plan_routes

    if request.base is not None:
        return plan_near(study, request.base, request)
    search = partial(
        plan_routes,
        study.network,
        study.demand,
        request.n_routes,
        limits=request.limits,
        wishes=request.wishes,
        rule=request.rule,
        objective=request.objective,
        stop_when=request.stop_when,
        seed=request.seed,
        n_starts=request.n_starts,
        bound_steps=request.bound_steps,
        begin=request.begin,
        on_gain=on_gain,
    )
    if request.scheduler is None:
        return search()
    with executor(request.scheduler) as elsewhere:
        return search(executor=elsewhere)


def score_study(study: Study, plan: Plan, name: str, *, rule: ServiceRule | None = None, headway_s: int = 2700) -> Scored:
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

    Returns
    -------
    Scored
        The plan with its scorecard.

    Raises
    ------
    DataError
        If the plan was made for another network.
    """
    from owlbus.score import score_plan

    current_progress().step(f"Score {name}")
    card = score_plan(study.network, study.demand, plan, rule=rule, headway_s=headway_s, groups=study.districts)
    return Scored(name, plan, card)


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
    values = asdict(replace(request, wishes=None, base=None, begin=None))
    del values["wishes"], values["base"], values["begin"], values["max_change_share"], values["scheduler"]
    if request.wishes is not None:
        values["wishes"] = request.wishes.to_dict()
    if request.base is not None:
        values["base"] = {"routes": list(request.base.names), "max_change_share": request.max_change_share}
    values["limits"] = {name: None if value == math.inf else value for name, value in values["limits"].items()}
    return values


def write_run(
    run: RunDir,
    study: Study,
    best: Scored,
    reference: Scored | None = None,
    *,
    title: str = "Night routes",
    record: RunRecord | None = None,
    language: str = "en",
) -> None:
    """
    Add a study and its plan to a run directory: data, plan, stops, scorecards, the feed of its timetable, map and report.

    Parameters
    ----------
    run
        Where files gather; `RunDir.publish` makes them visible.
    study
        Grid, demand and network.
    best
        The plan and its scorecard.
    reference
        A plan held against it, or None.
    title
        Line above the map; lengths are in metres and people per night.
    record
        What the run says about itself, for the report; times in seconds.
    language
        Of the report, ``en`` or ``ko``.
    """
    from owlbus.report import draw_map, write_map

    current_progress().step("Write the run directory")
    write_study(run, study)
    write_scored(run, study, best, reference)
    if best.plan.routes:
        add_timetable(run, study, best)
    city = study.city
    figure = draw_map(
        study.grid,
        study.demand.presence_by_hex(),
        study.network,
        best.plan,
        title=title,
        note=map_note(study),
        water=() if city is None or not len(city.river) else (city.river,),
        hills=() if city is None else city.mountains,
    )
    write_map(run.stage("map.png"), figure)
    write_plan_report(run, study, best, reference, record=record, language=language)


def write_scored(run: RunDir, study: Study, best: Scored, reference: Scored | None = None) -> None:
    """
    Add a plan and one that it is held against to a run directory: routes, stops and scorecards.

    Parameters
    ----------
    run
        Where files gather.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, trips and people a night.
    reference
        A plan held against it, or None.
    """
    headway_s = best.card.headway_s
    run.write_bytes("plan.geojson", plan_geojson(study.network, best.plan, headway_s))
    run.write_bytes("stops.geojson", stops_geojson(study.network, best.plan))
    run.write_bytes("scorecard.json", best.card.to_json().encode())
    if reference is not None:
        run.write_bytes("reference.geojson", plan_geojson(study.network, reference.plan, headway_s))
        run.write_bytes("reference_scorecard.json", reference.card.to_json().encode())


def write_plan_report(
    run: RunDir,
    study: Study,
    best: Scored,
    reference: Scored | None = None,
    *,
    record: RunRecord | None = None,
    sweep: Mapping[str, Any] | None = None,
    language: str = "en",
) -> None:
    """
    Add the report of a plan to a run directory.

    Parameters
    ----------
    run
        Where files gather.
    study
        Grid, demand and network.
    best
        The plan and its scorecard, trips and people a night.
    reference
        A plan held against it, or None.
    record
        What the run says about itself; times in seconds.
    sweep
        The settings that the plan is one of, as ``sweep.json`` holds them, or None.
    language
        ``en`` or ``ko``.
    """
    from owlbus.pipeline.reports import OWN_NAME, report_content
    from owlbus.report import Told, write_report
    from owlbus.rundir import describe_run

    told = Told(OWN_NAME, best.plan, best.card.to_dict())
    other = None if reference is None else Told(reference.name, reference.plan, reference.card.to_dict())
    content = report_content(study, told, other, {} if record is None else describe_run(record), sweep=sweep)
    write_report(run.stage("report.html"), content, language)


def map_note(study: Study) -> str:
    """
    Say under a title what is synthetic, and what the hexes show.

    Parameters
    ----------
    study
        Grid, demand and network.

    Returns
    -------
    str
        One or two sentences; counts are people a night.
    """
    hours = f"{study.demand.hours[0] % 24:02d} to {(study.demand.hours[-1] + 1) % 24:02d} h"
    if study.is_synthetic:
        return (
            f"SYNTHETIC demand, {hours}: drawn from known night spots and residents, calibrated to the city's 42 %. Places are approximate."
        )
    return f"Demand of {study.demand.n_nights} {'night' if study.demand.n_nights == 1 else 'nights'}, {hours}, from {study.demand.source}."
