"""A plan put to the test: on bad nights, and on the other source of demand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.pipeline.plan_run import best_plan, score_study
from owlbus.pipeline.study import demand_from_sources

if TYPE_CHECKING:
    from owlbus.demand import Agreement
    from owlbus.evidence.robust_plan import RobustPlan
    from owlbus.evidence.stability import CrossCheck
    from owlbus.pipeline.plan_run import PlanRun
    from owlbus.pipeline.request import Request
    from owlbus.pipeline.study import Sources, Study


@dataclass(frozen=True, slots=True)
class SourceTrial:
    """
    Plans made on calls alone and on taxi alone, each scored on both.

    Attributes
    ----------
    agreement
        How far the two sources agree in their patterns; shares 0 to 1.
    rows
        One per pair of sources.
    """

    agreement: Agreement
    rows: tuple[CrossCheck, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the trial for JSON, shares 0 to 1."""
        rows = [{name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(row).items()} for row in self.rows]
        return {"agreement": self.agreement.to_json(), "plans": rows}

    def __str__(self) -> str:
        """Say in one sentence what is lost by planning on the one source what happens on the other."""
        lost = {row.made_on: row for row in self.rows if row.made_on != row.scored_on}
        parts = (
            f"planned on {one} and scored on {row.scored_on}: {row.served_share:.1%} served, {100 * row.regret_share:.1f} points fewer "
            f"than a plan made on {row.scored_on}"
            for one, row in lost.items()
        )
        return f"Second check, {'; '.join(parts)}."


def good_on_bad_nights(ran: PlanRun, quantile: float) -> tuple[PlanRun, RobustPlan]:
    """
    Go on from the plan of a search to one that is good on bad nights too.

    Parameters
    ----------
    ran
        A search; its seed fixes this one.
    quantile
        Quantile over nights to maximise, 0 to 1.

    Returns
    -------
    run, found
        The search with the new plan in the old one's place, and what it gains on bad nights, shares 0 to 1.

    Raises
    ------
    DataError
        If the demand has fewer than two nights.
    """
    from owlbus.evidence.robust_plan import robust_plan
    from owlbus.limits import INTERRUPTED
    from owlbus.search import Objective, Problem

    study, request = ran.study, ran.request
    goal = Objective.parse(request.objective)
    found = robust_plan(
        study.network,
        study.demand,
        ran.result.plan,
        request.limits,
        constraints=request.constraints,
        rule=request.rule,
        objective=goal,
        quantile=quantile,
        seed=request.seed,
    )
    best = score_study(study, found.plan, ran.best.name, rule=request.rule, headway_s=request.limits.headway_s)
    value = Problem.build(study.network, study.demand, request.rule).value(found.plan, goal)
    ended_by = INTERRUPTED if found.was_interrupted else ran.result.ended_by
    return replace(ran, best=best, result=replace(ran.result, plan=found.plan, value_quanta=value, ended_by=ended_by)), found


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
        What each plan is asked to be; metres, seconds and steps.

    Returns
    -------
    SourceTrial
        Served and presence shares, 0 to 1.

    Raises
    ------
    UsageError
        If there is only one source.
    """
    from owlbus.evidence.stability import cross_checks

    agreement = None if study.report is None else study.report.agreement
    if agreement is None:
        kinds = "none" if study.report is None else " and ".join(one.source for one in study.report.sources)
        msg = f"--cross-check needs records of calls and of taxi rides, got {kinds}; name files of both"
        raise UsageError(msg)
    alone = {name: demand_from_sources(replace(sources, taxi_weight=weight)).demand for name, weight in (("calls", 0.0), ("taxi", 1.0))}
    asked = replace(request, bound_steps=0)
    plans = {name: best_plan(replace(study, demand=demand), asked, f"plan on {name}").result.plan for name, demand in alone.items()}
    return SourceTrial(agreement, cross_checks(study.network, alone, plans, request.rule))
