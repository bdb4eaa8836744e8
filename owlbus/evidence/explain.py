"""What one change of a plan gains, loses and costs, and the next-best change of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.evidence.changes import (
    Change,
    drop_route,
    pass_by,
    replace_stop,
)
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.redact import count_text, shown_difference
from owlbus.plan.check import newly_broken
from owlbus.search.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from owlbus.evidence.evaluator import PlanEvaluation, PlanEvaluator
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

SCHEMA_VERSION = 1
_NEAR_STOPS = 8
_SERVED = Objective()


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """
    Effects of one change.

    Attributes
    ----------
    change
        The change.
    difference
        What it gains and loses.
    alternative
        The next-best change of the same kind, or None.
    alternative_difference
        What that gains and loses, or None.
    n_nights
        Nights that the intervals are over.
    """

    change: Change
    difference: Difference
    alternative: Change | None
    alternative_difference: Difference | None
    n_nights: int

    def to_dict(self, min_count: float | None = None) -> dict[str, Any]:
        """
        Answer as plain values for JSON, small counts left out.

        Parameters
        ----------
        min_count
            Trips or people a night below which a count is hidden.

        Returns
        -------
        dict
            The change, its verdict, what moves, and the alternative.
        """
        values: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": self.change.kind,
            "change": self.change.label,
            "routes": list(self.change.routes),
            "verdict": self.verdict(min_count),
            "broken_limits": list(self.change.broken),
            "n_nights": self.n_nights,
            **shown_difference(self.difference, min_count).values,
            "alternative": None,
        }
        if self.alternative is not None and self.alternative_difference is not None:
            values["alternative"] = {
                "change": self.alternative.label,
                "verdict": verdict(self.alternative, self.alternative_difference, self.n_nights, min_count),
                **shown_difference(self.alternative_difference, min_count).values,
            }
        return values

    def verdict(self, min_count: float | None = None) -> str:
        """Return one line: what is gained and lost, what it costs, and how sure it is; counts of trips below `min_count` are hidden."""
        return verdict(self.change, self.difference, self.n_nights, min_count)


def verdict(change: Change, change_difference: Difference, n_nights: int, min_count: float | None = None) -> str:
    """
    One line on a change.

    Parameters
    ----------
    change
        The change.
    change_difference
        What it gains and loses.
    n_nights
        Nights of the demand.
    min_count
        Trips or people a night below which a count is hidden.

    Returns
    -------
    str
        A sentence with the net trips, their interval in points, people, minutes and buses.
    """
    min_count = change_difference.min_count if min_count is None else min_count
    shown = shown_difference(change_difference, min_count).values
    whole, net = shown["whole"], change_difference.whole.net_trips
    trips = f"gains {count_text(whole['gained_trips'], min_count)} and loses {count_text(whole['lost_trips'], min_count)} trips a night"
    share = shown["served_share_change"]
    points = "" if share is None else f", {100 * share:+.2f} points of all trips{_interval_text(shown['served_share_interval'], n_nights)}"
    people = f"people near a stop +{count_text(whole['gained_presence'], min_count)} -{count_text(whole['lost_presence'], min_count)}"
    cost = change_difference.cost
    cost_text = f"{cost.length_m / 1000:+.1f} km, {cost.cycle_min:+.0f} minutes of round trips, {cost.buses:+d} buses"
    if net == 0:
        word = "changes no trip"
    elif not change_difference.is_sure:
        word = "not sure: the interval holds 0"
    else:
        word = ("better" if net > 0 else "worse") + (" and sure" if n_nights > 1 else ", beyond chance on this one night")
    return f"{change.label} ({', '.join(change.routes)}) {trips}{points}; {people}; {cost_text}. {word[:1].upper()}{word[1:]}."


def explain_change(
    evaluator: PlanEvaluator, plan: Plan, change: Change, limits: RouteLimits, *, before: PlanEvaluation | None = None
) -> Answer:
    """
    Gains, losses and cost of one change.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan before it.
    change
        The change.
    limits
        What plans must keep, in metres and seconds; what the change breaks is named.
    before
        What the plan does, if that is known already.

    Returns
    -------
    Answer
        Without an alternative; `with_alternative` adds one.
    """
    before_evaluation = evaluator.evaluate(plan) if before is None else before
    change_difference = difference(evaluator, before_evaluation, evaluator.evaluate(change.plan), limits.headway_s)
    broken = newly_broken(evaluator.problem.network, plan, change.plan, limits)
    named_change = Change(change.kind, change.label, change.plan, change.routes, broken)
    return Answer(named_change, change_difference, None, None, evaluator.demand.n_nights)


def with_alternative(
    evaluator: PlanEvaluator, plan: Plan, answer: Answer, limits: RouteLimits, stop: int | None, chosen: int | None
) -> Answer:
    """
    Add the next-best change: another stop in place of the one at issue, another route to drop or to pass by.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan before the change.
    answer
        Answer on the change.
    limits
        What plans must keep, in metres and seconds.
    stop
        Stop index at issue; None if a route is.
    chosen
        Stop that replaces it, or row of the route, or None.

    Returns
    -------
    Answer
        With the alternative that serves most, if there is one.
    """
    best: tuple[int, Change] | None = None
    for change in _others(evaluator, plan, answer.change, limits, stop, chosen):
        value = evaluator.problem.value(change.plan, _SERVED)
        if best is None or value > best[0]:
            best = value, change
    if best is None:
        return answer
    other = explain_change(evaluator, plan, best[1], limits)
    return Answer(answer.change, answer.difference, other.change, other.difference, answer.n_nights)


def _others(
    evaluator: PlanEvaluator, plan: Plan, change: Change, limits: RouteLimits, stop: int | None, chosen: int | None
) -> Iterator[Change]:
    """Yield other changes with the same purpose."""
    problem = evaluator.problem
    if change.kind == "drop":
        yield from (drop_route(plan, k) for k in range(len(plan)) if plan.names[k] not in change.routes)
    elif change.kind == "via" and stop is not None:
        for k in range(len(plan)):
            if plan.names[k] not in change.routes:
                try:
                    yield pass_by(problem, _SERVED, plan, stop, route=k, limits=limits)
                except UsageError:
                    continue
    elif stop is not None:
        around = np.argsort(problem.network.drive_s[stop], kind="stable")[1 : _NEAR_STOPS + 1].tolist()
        route = plan.names.index(change.routes[0]) if len(change.routes) == 1 else None
        for by in around:
            if by != chosen:
                try:
                    yield replace_stop(problem, _SERVED, plan, stop, by, route=route)
                except UsageError:
                    continue


def _interval_text(interval: list[float] | None, n_nights: int) -> str:
    """Return the interval in points, or nothing."""
    if interval is None:
        return ""
    over = f"{n_nights} nights" if n_nights > 1 else "the trips of one night"
    return f" (90 % interval {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f} over {over})"
