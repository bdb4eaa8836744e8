"""Difference of two plans on one demand: who gains and loses, who walks further or transfers, and with which intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT
from owlbus.demand.columns import sums_by_index
from owlbus.plan import plan_measures
from owlbus.score.intervals import difference_interval, trips_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import Part, PlanEvaluation, PlanEvaluator

Interval = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class GainLoss:
    """
    Trips and people gained and lost from one plan to another, for one part of the demand.

    Attributes
    ----------
    gained_trips, lost_trips
        Trips a night that only the second, and only the first plan serves.
    gained_presence, lost_presence
        People a night whom only the second, and only the first plan reaches.

    Examples
    --------
    >>> GainLoss(60.0, 20.0, 0.0, 15.0).net_trips
    40.0
    """

    gained_trips: float
    lost_trips: float
    gained_presence: float
    lost_presence: float

    @property
    def net_trips(self) -> float:
        """Trips a night gained less those lost."""
        return self.gained_trips - self.lost_trips

    @property
    def net_presence(self) -> float:
        """People a night gained less those lost."""
        return self.gained_presence - self.lost_presence


@dataclass(frozen=True, slots=True)
class RiderChanges:
    """
    Changes for riders whom both plans serve.

    Attributes
    ----------
    now_transfer_trips, now_direct_trips
        Trips a night that need a transfer where they needed none, and the reverse.
    slower_trips, faster_trips
        Trips a night whose fastest ride takes longer, and less long.
    slower_mean_s, faster_mean_s
        Mean seconds by which it does, transfers included.
    further_presence, nearer_presence
        People a night who walk further to the nearest stop, and less far.
    further_mean_m, nearer_mean_m
        Mean metres by which they do.
    """

    now_transfer_trips: float
    now_direct_trips: float
    slower_trips: float
    faster_trips: float
    slower_mean_s: float
    faster_mean_s: float
    further_presence: float
    nearer_presence: float
    further_mean_m: float
    nearer_mean_m: float


@dataclass(frozen=True, slots=True)
class Cost:
    """
    Cost of the second plan less that of the first.

    Attributes
    ----------
    length_m
        One-way metres of all routes, the longer direction of each.
    cycle_s
        Seconds of all round trips.
    buses
        Buses at the headway.
    """

    length_m: int
    cycle_s: int
    buses: int

    @property
    def cycle_min(self) -> float:
        """Minutes of all round trips."""
        return self.cycle_s / 60


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """
    Difference of two plans: trips, people, riders, cost and intervals.

    Attributes
    ----------
    whole
        The whole demand.
    by_hour, by_weekday
        Its hours and weekdays.
    by_district
        Trips that start, and people who are, in each district; empty without districts.
    gained_trips_by_hex, lost_trips_by_hex
        Trips a night with an end in each hex, shape (H,).
    gained_presence_by_hex, lost_presence_by_hex
        People a night in each hex, shape (H,).
    reached_before, reached_after
        Whether each plan reaches each hex on foot, shape (H,).
    burden
        Changes for riders whom both plans serve.
    cost
        Metres, seconds and buses.
    served_share, presence_share
        Difference of the shares, -1 to 1.
    served_interval, presence_interval
        Their 90 % intervals, paired by night; with one night over its trips and people, as if drawn one by one.
    gained_direct_trips, lost_direct_trips
        Trips a night that only the second, and only the first plan serves without a transfer.
    direct_share, direct_interval
        Difference of the share served without a transfer, -1 to 1, and its 90 % interval.
    n_nights
        Nights of the demand.
    trips_counted
        Whether the demand has trips; without any, nothing is known of them.
    min_count
        Trips or people a night below which a count is not published; -1 for open data.
    """

    whole: GainLoss
    by_hour: Mapping[str, GainLoss]
    by_weekday: Mapping[str, GainLoss]
    by_district: Mapping[str, GainLoss]
    gained_trips_by_hex: NDArray[np.float64]
    lost_trips_by_hex: NDArray[np.float64]
    gained_presence_by_hex: NDArray[np.float64]
    lost_presence_by_hex: NDArray[np.float64]
    reached_before: NDArray[np.bool_]
    reached_after: NDArray[np.bool_]
    burden: RiderChanges
    cost: Cost
    served_share: float
    presence_share: float
    served_interval: Interval
    presence_interval: Interval
    gained_direct_trips: float
    lost_direct_trips: float
    direct_share: float
    direct_interval: Interval
    n_nights: int
    trips_counted: bool = True
    min_count: float = MIN_COUNT

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the served share lies on one side of 0."""
        low, high = self.served_interval
        return low is not None and high is not None and (low > 0 or high < 0)


def difference(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, headway_s: int = HEADWAY_S) -> Difference:
    """
    Difference of two plans.

    Every count is one of the same demand that the scorecard counts, in multiples of 1/1024: gained less lost equals the
    difference of two scorecards to the last bit.

    Parameters
    ----------
    evaluator
        The demand.
    before, after
        Evaluation of each plan.
    headway_s
        Seconds between buses, for the fleet.

    Returns
    -------
    Difference
        Of the second against the first.
    """
    masks = _Masks(before, after)
    whole = evaluator.whole
    gain_loss = masks.gain_loss(whole)
    trips, people = float(whole.trips.trips.sum()), float(whole.people.sum())
    direct = _direct(evaluator, before, after)
    intervals = _intervals(evaluator, before, after, gain_loss, direct)
    hexes = masks.by_hex(whole)
    return Difference(
        whole=gain_loss,
        by_hour={label: masks.gain_loss(part) for label, part in evaluator.hours.items()},
        by_weekday={label: masks.gain_loss(part) for label, part in evaluator.weekdays.items()},
        by_district=_by_group(masks, whole, evaluator.districts),
        gained_trips_by_hex=hexes[0],
        lost_trips_by_hex=hexes[1],
        gained_presence_by_hex=hexes[2],
        lost_presence_by_hex=hexes[3],
        reached_before=before.reached,
        reached_after=after.reached,
        burden=_burden(evaluator, before, after),
        cost=cost_of(evaluator, before, after, headway_s),
        served_share=gain_loss.net_trips / trips if trips > 0 else 0.0,
        presence_share=gain_loss.net_presence / people if people > 0 else 0.0,
        served_interval=intervals[0],
        presence_interval=intervals[1],
        gained_direct_trips=direct[0],
        lost_direct_trips=direct[1],
        direct_share=(direct[0] - direct[1]) / trips if trips > 0 else 0.0,
        direct_interval=intervals[2],
        **_facts(evaluator),
    )


def _facts(evaluator: PlanEvaluator) -> dict[str, Any]:
    """Return what a difference says of its demand."""
    demand = evaluator.demand
    return {"n_nights": demand.n_nights, "trips_counted": demand.counts_trips, "min_count": evaluator.min_count}


def _direct(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation) -> tuple[float, float]:
    """Trips a night that only the second, and only the first plan serves without a transfer."""
    trips = evaluator.whole.trips
    gained = trips.trips[trips.among(after.is_direct & ~before.is_direct)].sum()
    lost = trips.trips[trips.among(before.is_direct & ~after.is_direct)].sum()
    return float(gained), float(lost)


def _intervals(
    evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, gain_loss: GainLoss, direct: tuple[float, float]
) -> tuple[Interval, Interval, Interval]:
    """90 % intervals of the differences of the served, the presence and the direct share."""
    all_trips, all_people = evaluator.all_by_night()
    if evaluator.demand.n_nights < 2:  # noqa: PLR2004 - one night has no spread
        return (
            trips_interval(gain_loss.gained_trips, gain_loss.lost_trips, float(all_trips.sum())),
            trips_interval(gain_loss.gained_presence, gain_loss.lost_presence, float(all_people.sum())),
            trips_interval(*direct, float(all_trips.sum())),
        )
    return (
        difference_interval(evaluator.served_by_night(after) - evaluator.served_by_night(before), all_trips),
        difference_interval(evaluator.reached_by_night(after) - evaluator.reached_by_night(before), all_people),
        difference_interval(evaluator.direct_by_night(after) - evaluator.direct_by_night(before), all_trips),
    )


def cost_of(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, headway_s: int) -> Cost:
    """
    Cost of the second plan less that of the first.

    Parameters
    ----------
    evaluator
        Holds the network.
    before, after
        The plans.
    headway_s
        Seconds between buses.

    Returns
    -------
    Cost
        Metres, seconds and buses.
    """
    was, now = (plan_measures(evaluator.problem.network, evaluation.plan, headway_s) for evaluation in (before, after))
    cycle_s = int(now.cycle_s.sum()) - int(was.cycle_s.sum())
    return Cost(now.total_length_m - was.total_length_m, cycle_s, now.total_buses - was.total_buses)


class _Masks:
    """Pairs and hexes that only one of two plans serves or reaches."""

    def __init__(self, before: PlanEvaluation, after: PlanEvaluation) -> None:
        self.gained = after.is_served & ~before.is_served
        self.lost = before.is_served & ~after.is_served
        self.reached = after.reached & ~before.reached
        self.unreached = before.reached & ~after.reached

    def gain_loss(self, part: Part) -> GainLoss:
        """Trips and people gained and lost in a part of the demand."""
        trips = part.trips
        return GainLoss(
            float(trips.trips[trips.among(self.gained)].sum()),
            float(trips.trips[trips.among(self.lost)].sum()),
            float(part.people[self.reached].sum()),
            float(part.people[self.unreached].sum()),
        )

    def by_hex(self, part: Part) -> tuple[NDArray[np.float64], ...]:
        """Trips gained and lost with an end in each hex, people gained and lost there."""
        n = part.people.size
        ends = []
        for mask in (self.gained, self.lost):
            gain_loss = part.trips.among(mask)
            trips = part.trips.trips[gain_loss]
            ends.append(sums_by_index(part.trips.origin[gain_loss], trips, n) + sums_by_index(part.trips.destination[gain_loss], trips, n))
        return ends[0], ends[1], np.where(self.reached, part.people, 0.0), np.where(self.unreached, part.people, 0.0)


def _by_group(masks: _Masks, whole: Part, labels: NDArray[np.str_] | None) -> dict[str, GainLoss]:
    """Gains and losses of the districts in which anything changes."""
    if labels is None:
        return {}
    names, index = np.unique(labels, return_inverse=True)
    columns = []
    for mask in (masks.gained, masks.lost):
        gain_loss = whole.trips.among(mask)
        columns.append(sums_by_index(index[whole.trips.origin[gain_loss]], whole.trips.trips[gain_loss], names.size))
    columns += [sums_by_index(index[mask], whole.people[mask], names.size) for mask in (masks.reached, masks.unreached)]
    table = np.stack(columns, axis=1)
    return {str(name): GainLoss(*row) for name, row in zip(names, table.tolist(), strict=True) if any(row)}


def _burden(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation) -> RiderChanges:
    """Changes for riders whom both plans serve."""
    trips, people = evaluator.whole.trips, evaluator.whole.people
    is_kept = trips.among(before.is_served & after.is_served)
    weight, cell = trips.trips[is_kept], trips.cell[is_kept]
    was, now = before.is_direct.reshape(-1)[cell], after.is_direct.reshape(-1)[cell]
    later_s = after.best_s.reshape(-1)[cell].astype(np.float64) - before.best_s.reshape(-1)[cell]
    is_reached_twice = before.reached & after.reached
    further_m = np.where(is_reached_twice, after.walk_m.astype(np.int64) - before.walk_m, 0)
    return RiderChanges(
        float(weight[was & ~now].sum()),
        float(weight[now & ~was].sum()),
        *_two_sides(later_s, weight),
        *_two_sides(further_m, people),
    )


def _two_sides(change: NDArray[Any], weight: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the weight of what grows and of what falls, then the mean size of each."""
    sums = [float(weight[side].sum()) for side in (change > 0, change < 0)]
    means = [
        float(np.abs(change[side]) @ weight[side]) / total if total > 0 else 0.0
        for side, total in zip((change > 0, change < 0), sums, strict=True)
    ]
    return sums[0], sums[1], means[0], means[1]
