"""What a command says of the bounds of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.pipeline.plan_run import PlanRun


def bound_sentences(plan_run: PlanRun) -> list[str]:
    """
    Sentences on the proven bound with what it cannot see, and on the pool bound.

    Parameters
    ----------
    plan_run
        Study, plan and result of the search.

    Returns
    -------
    list of str
        Shares in percent as they are printed; none without a bound.
    """
    from owlbus.search.bound_words import UNSEEN

    sentences, pool, unseen = [], plan_run.pool_bound, plan_run.unseen_by_bound
    if plan_run.bound_share is not None and plan_run.objective_share is not None and plan_run.gap is not None:
        sentences.append(
            f"Upper bound: no plan within the limits exceeds {plan_run.bound_share:.1%} of the objective as the search counts it, by the "
            f"{plan_run.study.network.walk_rule}. This plan has {plan_run.objective_share:.1%}: an optimality gap of {plan_run.gap:.1%}."
        )
    if unseen is not None:
        sentences.append(f"This bound {UNSEEN[unseen]}, so part of the gap may be due to the bound and not to the plan.")
    if pool is not None:
        sentences.append(
            f"Pool bound: no choice of {plan_run.request.n_routes} among the {pool['n_routes_met']} routes that the search met exceeds "
            f"{pool['share']:.1%}. It is no bound over all routes: a plan with other routes may exceed it."
        )
    return sentences
