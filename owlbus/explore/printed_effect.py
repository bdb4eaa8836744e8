"""What a changed plan gains and costs in all, as it is printed: the net figures of `explain` and `compare`, without who gains where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Publisher
from owlbus.evidence.difference import Cost
from owlbus.plan import plan_measures

if TYPE_CHECKING:
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.plan import Plan, PlanMeasures


@dataclass(frozen=True, slots=True)
class _Counts:
    """Trips served and people near a stop a night of one plan, and its measures."""

    trips: float
    people: float
    measures: PlanMeasures


class EffectCounter:
    """
    Net effects of plans against one plan.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan that others are held against.
    headway_s
        Seconds between buses, for the fleet.
    """

    def __init__(self, evaluator: PlanEvaluator, plan: Plan, headway_s: int) -> None:
        self._evaluator, self._headway_s = evaluator, headway_s
        self._publisher = Publisher(evaluator.min_count)
        self._before = self._counts(plan)

    @property
    def counts_trips(self) -> bool:
        """Whether the demand has trips."""
        return self._evaluator.demand.counts_trips

    def effect_of(self, plan: Plan) -> dict[str, Any]:
        """
        Effect of a plan as it is printed.

        Parameters
        ----------
        plan
            The other plan.

        Returns
        -------
        dict
            ``whole`` with ``net_trips`` and ``net_presence`` a night, None where they cannot be told from rounding, and ``cost`` in metres,
            seconds and buses: the figures of `owlbus.evidence.printed_difference` by the same names.
        """
        before, after = self._before, self._counts(plan)
        was, now = before.measures, after.measures
        cycle_s = int(now.cycle_s.sum()) - int(was.cycle_s.sum())
        cost = Cost(now.total_length_m - was.total_length_m, cycle_s, now.total_buses - was.total_buses)
        net_trips = self._publisher.change(before.trips, after.trips) if self.counts_trips else None
        return {
            "whole": {"net_trips": net_trips, "net_presence": self._publisher.change(before.people, after.people)},
            "cost": {**asdict(cost), "cycle_min": round(cost.cycle_min, 1)},
            **({} if self.counts_trips else {"trips_counted": False}),
            **self._publisher.facts,
        }

    def _counts(self, plan: Plan) -> _Counts:
        """Count a plan by area, as figures are published."""
        evaluation, whole = self._evaluator.evaluate(plan), self._evaluator.whole
        people = float((whole.people * evaluation.reached_share).sum())
        measures = plan_measures(self._evaluator.problem.network, plan, self._headway_s)
        return _Counts(whole.trips.sum(evaluation.served_share), people, measures)
