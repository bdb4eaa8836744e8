"""What one change of a plan gains, loses and costs, and the next-best change of the same kind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import Publisher
from owlbus.common.errors import UsageError
from owlbus.evidence.answer_sentences import sentence, verdict_sentence
from owlbus.evidence.changes import (
    Change,
    drop_route,
    pass_by,
    replace_stop,
)
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.printed_difference import printed_difference
from owlbus.plan.check import newly_broken
from owlbus.search.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.point_counts import PlanCounts

SCHEMA_VERSION = 2
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

    def to_dict(self, min_count: float | None = None, language: str = "en") -> dict[str, Any]:
        """
        Answer as plain values for JSON, by the publishing rule.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; that of the difference by default.
        language
            Of its sentences, ``en`` or ``ko``.

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
            "verdict": self.verdict(min_count, language),
            "broken_limits": list(self.change.broken),
            "n_nights": self.n_nights,
            **printed_difference(self.difference, min_count),
            "alternative": None,
        }
        if self.alternative is not None and self.alternative_difference is not None:
            values["alternative"] = {
                "change": self.alternative.label,
                "verdict": verdict(self.alternative, self.alternative_difference, self.n_nights, min_count, language),
                **printed_difference(self.alternative_difference, min_count),
            }
        return values

    def verdict(self, min_count: float | None = None, language: str = "en") -> str:
        """Return one line in a `language`: what is gained and lost by printed counts of base `min_count`, its cost, and how sure it is."""
        return verdict(self.change, self.difference, self.n_nights, min_count, language)


def verdict(change: Change, change_difference: Difference, n_nights: int, min_count: float | None = None, language: str = "en") -> str:
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
        Trips or people a night of which printed counts are multiples; that of the difference by default.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        A sentence with the trips, their interval in points, people, minutes and buses.
    """
    shown = printed_difference(change_difference, min_count)
    return verdict_sentence(shown, change.label, ", ".join(change.routes), n_nights, language)


def explain_change(
    evaluator: PlanEvaluator, plan: Plan, change: Change, limits: RouteLimits, *, before: PlanCounts | None = None
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
    evaluator: PlanEvaluator,
    plan: Plan,
    answer: Answer,
    limits: RouteLimits,
    stop: int | None,
    chosen: int | None,
    names: StopNames | None = None,
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
    names
        Names of stops, in the language of the answer; None leaves stops numbers.

    Returns
    -------
    Answer
        With the alternative that serves most, if there is one.
    """
    best: tuple[float, Change] | None = None
    publisher = Publisher(evaluator.min_count)
    for change in _others(evaluator, plan, answer.change, limits, stop, chosen, names):
        value = publisher.count(evaluator.whole.trips.sum(evaluator.evaluate(change.plan).served_share))
        if best is None or value > best[0]:
            best = value, change
    if best is None:
        return answer
    other = explain_change(evaluator, plan, best[1], limits)
    return Answer(answer.change, answer.difference, other.change, other.difference, answer.n_nights)


def _others(
    evaluator: PlanEvaluator,
    plan: Plan,
    change: Change,
    limits: RouteLimits,
    stop: int | None,
    chosen: int | None,
    names: StopNames | None,
) -> Iterator[Change]:
    """Yield other changes with the same purpose."""
    problem = evaluator.problem
    if change.kind == "drop":
        for k in range(len(plan)):
            if plan.names[k] not in change.routes:
                yield _named(drop_route(plan, k), names, "drop", route=plan.names[k])
    elif stop is not None and change.kind == "via":
        stops = _stop_texts(problem.network, names, stop=stop)
        for k in range(len(plan)):
            if plan.names[k] not in change.routes:
                with suppress(UsageError):
                    other = pass_by(problem, _SERVED, plan, stop, route=k, limits=limits, min_count=evaluator.min_count)
                    yield _named(other, names, "via", **stops)
    elif stop is not None:
        around = np.argsort(problem.network.drive_s[stop], kind="stable")[1 : _NEAR_STOPS + 1].tolist()
        route = plan.names.index(change.routes[0]) if len(change.routes) == 1 else None
        for by in around:
            if by != chosen:
                with suppress(UsageError):
                    stops = _stop_texts(problem.network, names, stop=stop, by=by)
                    yield _named(replace_stop(problem, _SERVED, plan, stop, by, route=route), names, "swap", **stops)


def _stop_texts(network: Network, names: StopNames | None, **stops: int) -> dict[str, str]:
    """Names of stops; nothing without names."""
    return {} if names is None else {key: names.name_of(network, stop) for key, stop in stops.items()}


def _named(change: Change, names: StopNames | None, key: str, **values: str) -> Change:
    """Return a change with its label in the language of the names; as it is without names."""
    return change if names is None else replace(change, label=sentence(names.language, key, **values))
