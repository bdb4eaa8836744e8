"""What a command says of the bounds of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.pipeline.plan_run import PlanRun


def bound_sentences(plan_run: PlanRun) -> list[str]:
    """
    Sentences on the proven bounds with what they cannot see, and on the pool bound; a bound on the published figure comes first.

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

    sentences, pool, unseen, by_area = [], plan_run.pool_bound, plan_run.unseen_by_bound, plan_run.published_bound
    if by_area is not None:
        sentences.append(
            f"Upper bound on the published figure: no plan within the limits has more than {by_area['share']:.1%} of people near a stop, "
            f"by area. This plan is at an optimality gap of {by_area['gap']:.1%}."
        )
    if plan_run.bound_share is not None and plan_run.objective_share is not None and plan_run.gap is not None:
        sentences.append(_as_searched(plan_run, plan_run.objective_share, plan_run.bound_share, plan_run.gap))
    if unseen is not None:
        sentences.append(f"This bound {UNSEEN[unseen]}, so part of the gap may be due to the bound and not to the plan.")
    if pool is not None:
        sentences.append(
            f"Pool bound: no choice of {plan_run.request.n_routes} among the {pool['n_routes_met']} routes that the search met exceeds "
            f"{pool['share']:.1%}. It is no bound over all routes: a plan with other routes may exceed it."
        )
    return sentences


def _as_searched(plan_run: PlanRun, share: float, bound_share: float, gap: float) -> str:
    """Sentence on the bound as the search counts; beside one on the published figure it says that it is another figure."""
    rule = plan_run.study.network.walk_rule
    if plan_run.published_bound is not None:
        return (
            f"The search counts otherwise, by the {rule}: so counted, which is not published, no plan exceeds {bound_share:.1%}, and this "
            f"plan has {share:.1%}, a gap of {gap:.1%}."
        )
    return (
        f"Upper bound: no plan within the limits exceeds {bound_share:.1%} of the objective as the search counts it, by the {rule}. "
        f"This plan has {share:.1%}: an optimality gap of {gap:.1%}."
    )
