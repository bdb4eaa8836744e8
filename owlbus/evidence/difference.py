"""Two plans on one demand: who gains, who loses, who has to walk further or change, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.demand.columns import sums_by_index
from owlbus.plan import plan_measures
from owlbus.score.intervals import difference_interval, trips_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import Part, PlanEvaluation, PlanEvaluator

Interval = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Moved:
    """
    What goes from one plan to another, for one part of the demand.

    Attributes
    ----------
    gained_trips, lost_trips
        Trips a night that only the second, and only the first plan serves.
    gained_presence, lost_presence
        People a night whom only the second, and only the first plan reaches.

    Examples
    --------
    >>> Moved(60.0, 20.0, 0.0, 15.0).net_trips
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
class Burden:
    """
    What those notice who are served before and after.

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
    What the second plan runs more than the first; below 0 where it runs less.

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
    What changes from one plan to another.

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
        What those notice who are served before and after.
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
    """

    whole: Moved
    by_hour: Mapping[str, Moved]
    by_weekday: Mapping[str, Moved]
    by_district: Mapping[str, Moved]
    gained_trips_by_hex: NDArray[np.float64]
    lost_trips_by_hex: NDArray[np.float64]
    gained_presence_by_hex: NDArray[np.float64]
    lost_presence_by_hex: NDArray[np.float64]
    reached_before: NDArray[np.bool_]
    reached_after: NDArray[np.bool_]
    burden: Burden
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

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the served share lies on one side of 0."""
        low, high = self.served_interval
        return low is not None and high is not None and (low > 0 or high < 0)


def difference(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, headway_s: int = HEADWAY_S) -> Difference:
    """
    Hold two plans against each other.

    Every count is one of the same demand that the scorecard counts, in multiples of 1/1024: gained less lost equals the
    difference of two scorecards to the last bit.

    Parameters
    ----------
    evaluator
        The demand.
    before, after
        What each plan does.
    headway_s
        Seconds between buses, for the fleet.

    Returns
    -------
    Difference
        Of the second against the first.
    """
    masks = _Masks(before, after)
    whole = evaluator.whole
    moved = masks.moved(whole)
    trips, people = float(whole.trips.trips.sum()), float(whole.people.sum())
    direct = _direct(evaluator, before, after)
    intervals = _intervals(evaluator, before, after, moved, direct)
    hexes = masks.by_hex(whole)
    return Difference(
        whole=moved,
        by_hour={label: masks.moved(part) for label, part in evaluator.hours.items()},
        by_weekday={label: masks.moved(part) for label, part in evaluator.weekdays.items()},
        by_district=_by_group(masks, whole, evaluator.districts),
        gained_trips_by_hex=hexes[0],
        lost_trips_by_hex=hexes[1],
        gained_presence_by_hex=hexes[2],
        lost_presence_by_hex=hexes[3],
        reached_before=before.reached,
        reached_after=after.reached,
        burden=_burden(evaluator, before, after),
        cost=cost_of(evaluator, before, after, headway_s),
        served_share=moved.net_trips / trips if trips > 0 else 0.0,
        presence_share=moved.net_presence / people if people > 0 else 0.0,
        served_interval=intervals[0],
        presence_interval=intervals[1],
        gained_direct_trips=direct[0],
        lost_direct_trips=direct[1],
        direct_share=(direct[0] - direct[1]) / trips if trips > 0 else 0.0,
        direct_interval=intervals[2],
        n_nights=evaluator.demand.n_nights,
    )


def _direct(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation) -> tuple[float, float]:
    """Trips a night that only the second, and only the first plan serves without a transfer."""
    trips = evaluator.whole.trips
    gained, lost = (trips.trips[trips.among(one.is_direct & ~other.is_direct)].sum() for one, other in ((after, before), (before, after)))
    return float(gained), float(lost)


def _intervals(
    evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, moved: Moved, direct: tuple[float, float]
) -> tuple[Interval, Interval, Interval]:
    """90 % intervals of the differences of the served, the presence and the direct share."""
    all_trips, all_people = evaluator.all_by_night()
    if evaluator.demand.n_nights < 2:  # noqa: PLR2004 - one night has no spread
        return (
            trips_interval(moved.gained_trips, moved.lost_trips, float(all_trips.sum())),
            trips_interval(moved.gained_presence, moved.lost_presence, float(all_people.sum())),
            trips_interval(*direct, float(all_trips.sum())),
        )
    return (
        difference_interval(evaluator.served_by_night(after) - evaluator.served_by_night(before), all_trips),
        difference_interval(evaluator.reached_by_night(after) - evaluator.reached_by_night(before), all_people),
        difference_interval(evaluator.direct_by_night(after) - evaluator.direct_by_night(before), all_trips),
    )


def cost_of(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation, headway_s: int) -> Cost:
    """
    What the second plan runs more than the first.

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
    one, two = (plan_measures(evaluator.problem.network, account.plan, headway_s) for account in (before, after))
    return Cost(two.total_length_m - one.total_length_m, int(two.cycle_s.sum()) - int(one.cycle_s.sum()), two.total_buses - one.total_buses)


class _Masks:
    """Pairs and hexes that only one of two plans serves or reaches."""

    def __init__(self, before: PlanEvaluation, after: PlanEvaluation) -> None:
        self.gained = after.is_served & ~before.is_served
        self.lost = before.is_served & ~after.is_served
        self.near = after.reached & ~before.reached
        self.away = before.reached & ~after.reached

    def moved(self, part: Part) -> Moved:
        """Count a part of the demand."""
        trips = part.trips
        return Moved(
            float(trips.trips[trips.among(self.gained)].sum()),
            float(trips.trips[trips.among(self.lost)].sum()),
            float(part.people[self.near].sum()),
            float(part.people[self.away].sum()),
        )

    def by_hex(self, part: Part) -> tuple[NDArray[np.float64], ...]:
        """Trips gained and lost with an end in each hex, people gained and lost there."""
        n = part.people.size
        ends = []
        for mask in (self.gained, self.lost):
            moved = part.trips.among(mask)
            trips = part.trips.trips[moved]
            ends.append(sums_by_index(part.trips.origin[moved], trips, n) + sums_by_index(part.trips.destination[moved], trips, n))
        return ends[0], ends[1], np.where(self.near, part.people, 0.0), np.where(self.away, part.people, 0.0)


def _by_group(masks: _Masks, whole: Part, labels: NDArray[np.str_] | None) -> dict[str, Moved]:
    """Count the districts that anything changes in."""
    if labels is None:
        return {}
    names, index = np.unique(labels, return_inverse=True)
    columns = []
    for mask in (masks.gained, masks.lost):
        moved = whole.trips.among(mask)
        columns.append(sums_by_index(index[whole.trips.origin[moved]], whole.trips.trips[moved], names.size))
    columns += [sums_by_index(index[mask], whole.people[mask], names.size) for mask in (masks.near, masks.away)]
    table = np.stack(columns, axis=1)
    return {str(name): Moved(*row) for name, row in zip(names, table.tolist(), strict=True) if any(row)}


def _burden(evaluator: PlanEvaluator, before: PlanEvaluation, after: PlanEvaluation) -> Burden:
    """Count what those notice who are served before and after."""
    trips, people = evaluator.whole.trips, evaluator.whole.people
    kept = trips.among(before.is_served & after.is_served)
    weight, cell = trips.trips[kept], trips.cell[kept]
    was, now = before.is_direct.reshape(-1)[cell], after.is_direct.reshape(-1)[cell]
    later_s = after.best_s.reshape(-1)[cell].astype(np.float64) - before.best_s.reshape(-1)[cell]
    both = before.reached & after.reached
    further_m = np.where(both, after.walk_m.astype(np.int64) - before.walk_m, 0)
    return Burden(
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
