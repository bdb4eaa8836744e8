"""Tests of a plan: on bad nights, and on the other source of demand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import NO_DIFFERENCE
from owlbus.common.errors import UsageError, setting
from owlbus.pipeline.plan_run import best_plan, score_study
from owlbus.pipeline.study import demand_from_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.evidence.robust_plan import RobustPlan
    from owlbus.evidence.stability import CrossCheck
    from owlbus.pipeline.plan_run import PlanRun
    from owlbus.pipeline.request import Request
    from owlbus.pipeline.study import Study
    from owlbus.pipeline.study_sources import Sources


@dataclass(frozen=True, slots=True)
class SourceTrial:
    """
    Plans made on calls alone and on taxi alone, each scored on both.

    Attributes
    ----------
    agreement
        How far the two sources agree in their patterns as it is printed; shares 0 to 1, None of too few trips.
    rows
        One per pair of sources.
    """

    agreement: Mapping[str, float | None]
    rows: tuple[CrossCheck, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the trial for JSON, shares 0 to 1."""
        rows = [{name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(row).items()} for row in self.rows]
        return {"agreement": dict(self.agreement), "plans": rows}

    def __str__(self) -> str:
        """Return one sentence on what each plan loses on the other source."""
        lost = {row.made_on: row for row in self.rows if row.made_on != row.scored_on}
        parts = (
            f"planned on {made_on} and scored on {row.scored_on}: {'none told' if row.served_share is None else f'{row.served_share:.1%}'} "
            f"served, {_fewer(row.regret_share)} a plan made on {row.scored_on}"
            for made_on, row in lost.items()
        )
        return f"Second check, {'; '.join(parts)}."


def _fewer(regret_share: float | None) -> str:
    """Points lost, in words that go on with the plan they are lost to."""
    return f"{NO_DIFFERENCE} from" if regret_share is None else f"{100 * regret_share:.1f} points fewer than"


def robust_run(run: PlanRun, quantile: float) -> tuple[PlanRun, RobustPlan]:
    """
    Improve the plan of a search on bad nights.

    Parameters
    ----------
    run
        Result of a search; its seed fixes this one.
    quantile
        Quantile over nights to maximise, 0 to 1.

    Returns
    -------
    run, robust
        The run with the new plan, and what it gains on bad nights, shares 0 to 1.

    Raises
    ------
    DataError
        If the demand has fewer than two nights.
    """
    from owlbus.cluster import executor
    from owlbus.common.ending import INTERRUPTED
    from owlbus.evidence.robust_plan import robust_plan
    from owlbus.search import Objective, Problem

    study, request = run.study, run.request
    objective = Objective.parse(request.objective)
    search = partial(
        robust_plan,
        study.network,
        study.demand,
        run.result.plan,
        request.limits,
        constraints=request.constraints,
        rule=request.rule,
        objective=objective,
        quantile=quantile,
        seed=request.seed,
        min_count=study.min_count,
    )
    if request.scheduler is None:
        robust = search()
    else:
        with executor(request.scheduler) as elsewhere:
            robust = search(executor=elsewhere)
    best = score_study(study, robust.plan, run.best.name, rule=request.rule, headway_s=request.limits.headway_s)
    value = Problem.build(study.network, study.demand, request.rule).value(robust.plan, objective)
    ended_by = INTERRUPTED if robust.was_interrupted else run.result.ended_by
    return replace(run, best=best, result=replace(run.result, plan=robust.plan, value_quanta=value, ended_by=ended_by)), robust


def check_sources(sources: Sources, study: Study, request: Request) -> SourceTrial:
    """
    Plan on calls alone and on taxi alone, and score each plan on both.

    Parameters
    ----------
    sources
        Records of calls and of taxi rides.
    study
        Grid and network of these records.
    request
        Settings of each search; metres, seconds and moves.

    Returns
    -------
    SourceTrial
        Served and presence shares, 0 to 1.

    Raises
    ------
    UsageError
        If there is only one source.
    """
    from owlbus.demand.printed_report import printed_agreement
    from owlbus.evidence.stability import cross_checks

    agreement = None if study.report is None else printed_agreement(study.report, study.publisher)
    if agreement is None:
        kinds = "none" if study.report is None else " and ".join(source.source for source in study.report.sources)
        msg = f"{setting('cross_check')} needs records of calls and of taxi rides, got {kinds}; name files of both"
        raise UsageError(msg)
    alone = {name: demand_from_sources(replace(sources, taxi_weight=weight)).demand for name, weight in (("calls", 0.0), ("taxi", 1.0))}
    request_alone = replace(request, bound_steps=0)
    plans = {name: best_plan(replace(study, demand=demand), request_alone, f"plan on {name}").result.plan for name, demand in alone.items()}
    return SourceTrial(agreement, cross_checks(study.network, alone, plans, request.rule, study.min_count))
