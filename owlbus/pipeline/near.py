"""A plan near a given one, as a search would return it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from owlbus.errors import InfeasibleError, UsageError
from owlbus.limits import DEFAULT_STEPS, moves_text

if TYPE_CHECKING:
    from owlbus.pipeline.runs import Request
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.search import Result


def plan_near(study: Study, base: Plan, request: Request) -> Result:
    """
    Change at most so many stops of a plan for the better; terminals and required stops stay.

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
    from owlbus.evidence.improve import improve_plan
    from owlbus.search import Case, Objective, Result, TracePoint
    from owlbus.search.wishes import network_name

    if request.time_s is not None:
        msg = f"a plan near a base is searched by moves, not for {request.time_s:g} seconds; name --steps instead of --time"
        raise UsageError(msg)
    required = () if request.wishes is None else request.wishes.required
    absent = [stop for stop in required if stop not in base.used_stops]
    if absent:
        name = network_name(study.network, absent[0])
        msg = f"{name} is required, and no route of the base calls there; plan without --base, or see owlbus explain PLAN via {absent[0]}"
        raise InfeasibleError(msg)
    began = time.perf_counter()
    case, goal = Case.build(study.network, study.demand, request.rule), Objective.parse(request.objective)
    steps = DEFAULT_STEPS if request.steps is None else request.steps
    found = improve_plan(
        case, base, request.limits, (request.max_change_share,), objective=goal, keep=required, n_steps=steps, seed=request.seed
    )[0]
    elapsed_s, total = time.perf_counter() - began, case.total_value(goal)
    reached = f"the limit of {moves_text(steps)} was reached"
    shares = [value / total for value in (case.value(base, goal), found.value_units)]
    return Result(
        plan=found.plan,
        objective=goal,
        value_units=found.value_units,
        total_units=total,
        ended_by=f"{reached}, with {found.n_changed} of at most {found.n_allowed} stops changed",
        seed=request.seed,
        steps=steps,
        evaluations=found.evaluations,
        elapsed_s=elapsed_s,
        trace=(TracePoint(0, 0.0, shares[0], shares[0]), TracePoint(steps, elapsed_s, shares[1], shares[1])),
    )
