"""Difference of two plans on one demand: who gains and loses, who walks further or transfers, and with which intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT
from owlbus.demand.columns import sums_by_index
from owlbus.plan import plan_measures
from owlbus.score import CoverageOfPlans, difference_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import Part, PlanEvaluator
    from owlbus.score import Coverage, Measure
    from owlbus.search.point_counts import PairChanges, PlanCounts

_BY_HEX = ("gained_trips_by_hex", "lost_trips_by_hex", "gained_presence_by_hex", "lost_presence_by_hex")

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
    all_trips, all_presence
        All trips and people a night of the part.

    Examples
    --------
    >>> GainLoss(60.0, 20.0, 0.0, 15.0).net_trips
    40.0
    """

    gained_trips: float
    lost_trips: float
    gained_presence: float
    lost_presence: float
    all_trips: float = 0.0
    all_presence: float = 0.0

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
        Share of each hex that each plan reaches on foot, shape (H,), 0 to 1.
    gained_reach, lost_reach
        Share of each hex that only the second, and only the first plan reaches, shape (H,), 0 to 1.
    burden
        Changes for riders whom both plans serve.
    cost
        Metres, seconds and buses.
    before, after
        What each plan covers of the whole demand, with the counts of each night.
    gained_direct_trips, lost_direct_trips
        Trips a night that only the second, and only the first plan serves without a transfer.
    n_nights
        Nights of the demand.
    trips_counted
        Whether the demand has trips; without any, nothing is known of them.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    """

    whole: GainLoss
    by_hour: Mapping[str, GainLoss]
    by_weekday: Mapping[str, GainLoss]
    by_district: Mapping[str, GainLoss]
    gained_trips_by_hex: NDArray[np.float64]
    lost_trips_by_hex: NDArray[np.float64]
    gained_presence_by_hex: NDArray[np.float64]
    lost_presence_by_hex: NDArray[np.float64]
    reached_before: NDArray[np.float64]
    reached_after: NDArray[np.float64]
    gained_reach: NDArray[np.float64]
    lost_reach: NDArray[np.float64]
    burden: RiderChanges
    cost: Cost
    before: Coverage
    after: Coverage
    gained_direct_trips: float
    lost_direct_trips: float
    n_nights: int
    trips_counted: bool = True
    min_count: float = MIN_COUNT

    @property
    def served_share(self) -> float | None:
        """Difference of the share of trips served, -1 to 1; None where there are none."""
        return _part_of(self.whole.net_trips, self.before.served)

    @property
    def presence_share(self) -> float | None:
        """Difference of the share of people within the walk of a stop, -1 to 1; None where there is nobody."""
        return _part_of(self.whole.net_presence, self.before.presence)

    @property
    def direct_share(self) -> float | None:
        """Difference of the share of trips served without a transfer, -1 to 1; None where there are none."""
        return _part_of(self.gained_direct_trips - self.lost_direct_trips, self.before.direct)

    @property
    def served_interval(self) -> Interval:
        """90 % interval of the difference of the served share, paired by night; None with few nights."""
        return _interval(self.before.served, self.after.served)

    @property
    def presence_interval(self) -> Interval:
        """90 % interval of the difference of the presence share, paired by night; None with few nights."""
        return _interval(self.before.presence, self.after.presence)

    @property
    def direct_interval(self) -> Interval:
        """90 % interval of the difference of the direct share, paired by night; None with few nights."""
        return _interval(self.before.direct, self.after.direct)

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the served share lies on one side of 0."""
        low, high = self.served_interval
        return low is not None and high is not None and (low > 0 or high < 0)


def _part_of(net: float, measure: Measure) -> float | None:
    """Share of the denominator of a measure; None of nothing."""
    return net / measure.denominator if measure.denominator > 0 else None


def _interval(before: Measure, after: Measure) -> Interval:
    """90 % interval of the difference of two shares of one whole, paired by night."""
    if before.nights is None or after.nights is None:
        return None, None
    return difference_interval(after.nights[0] - before.nights[0], after.nights[1])


def difference(evaluator: PlanEvaluator, before: PlanCounts, after: PlanCounts, headway_s: int = HEADWAY_S) -> Difference:
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
    return DifferencesFrom(evaluator, before, headway_s).to(after)


class DifferencesFrom:
    """
    Differences of many plans against one, of which everything is counted once.

    Parameters
    ----------
    evaluator
        The demand.
    before
        Evaluation of the plan that others are held against.
    headway_s
        Seconds between buses, for the fleet.
    """

    def __init__(self, evaluator: PlanEvaluator, before: PlanCounts, headway_s: int = HEADWAY_S) -> None:
        self._evaluator, self._before, self._headway_s = evaluator, before, headway_s
        self._coverage = CoverageOfPlans(evaluator.counter, evaluator.demand, intervals=True)
        self._coverage_before = self._coverage.of(before)
        self._measures = plan_measures(evaluator.problem.network, before.plan, headway_s)

    def to(self, after: PlanCounts) -> Difference:
        """
        Difference of another plan.

        Parameters
        ----------
        after
            Its evaluation.

        Returns
        -------
        Difference
            Of it against the first.
        """
        evaluator, before, whole = self._evaluator, self._before, self._evaluator.whole
        changes = _Changes(before, after, evaluator.counter.changes(before.plan, after.plan))
        return Difference(
            whole=changes.gain_loss(whole),
            by_hour={label: changes.gain_loss(part) for label, part in evaluator.hours.items()},
            by_weekday={label: changes.gain_loss(part) for label, part in evaluator.weekdays.items()},
            by_district=_by_group(changes, whole, evaluator.districts),
            **_by_hex(changes, whole),
            reached_before=before.reached_share,
            reached_after=after.reached_share,
            gained_reach=changes.reached,
            lost_reach=changes.unreached,
            burden=_burden(evaluator, before, after, changes.pairs),
            cost=self._cost_of(after),
            before=self._coverage_before,
            after=self._coverage.of(after),
            gained_direct_trips=whole.trips.sum(changes.pairs.gained_direct),
            lost_direct_trips=whole.trips.sum(changes.pairs.lost_direct),
            **_facts(evaluator),
        )

    def _cost_of(self, after: PlanCounts) -> Cost:
        """Metres, seconds and buses of a plan less those of the first."""
        was, now = self._measures, plan_measures(self._evaluator.problem.network, after.plan, self._headway_s)
        cycle_s = int(now.cycle_s.sum()) - int(was.cycle_s.sum())
        return Cost(now.total_length_m - was.total_length_m, cycle_s, now.total_buses - was.total_buses)


def _by_hex(changes: _Changes, whole: Part) -> dict[str, Any]:
    """Return gains and losses by hex under their names."""
    return dict(zip(_BY_HEX, changes.by_hex(whole), strict=True))


def _facts(evaluator: PlanEvaluator) -> dict[str, Any]:
    """Return what a difference says of its demand."""
    demand = evaluator.demand
    return {"n_nights": demand.n_nights, "trips_counted": demand.counts_trips, "min_count": evaluator.min_count}


class _Changes:
    """Shares of hexes and pairs that only one of two plans reaches or serves."""

    def __init__(self, before: PlanCounts, after: PlanCounts, pairs: PairChanges) -> None:
        self.pairs = pairs
        self.reached = (after.reached & ~before.reached).mean(axis=1)
        self.unreached = (before.reached & ~after.reached).mean(axis=1)

    def gain_loss(self, part: Part) -> GainLoss:
        """Trips and people gained and lost in a part of the demand."""
        gained, lost = part.trips.sum(self.pairs.gained), part.trips.sum(self.pairs.lost)
        people = float(part.people @ self.reached), float(part.people @ self.unreached)
        return GainLoss(gained, lost, *people, part.trips.total, float(part.people.sum()))

    def by_hex(self, part: Part) -> tuple[NDArray[np.float64], ...]:
        """Trips gained and lost with an end in each hex, people gained and lost there."""
        n = part.people.size
        ends = []
        for share in (self.pairs.gained, self.pairs.lost):
            trips = part.trips.counted(share)
            ends.append(sums_by_index(part.trips.origin, trips, n) + sums_by_index(part.trips.destination, trips, n))
        return ends[0], ends[1], part.people * self.reached, part.people * self.unreached


def _by_group(changes: _Changes, whole: Part, labels: NDArray[np.str_] | None) -> dict[str, GainLoss]:
    """Gains and losses of the districts in which anything changes."""
    if labels is None:
        return {}
    names, index = np.unique(labels, return_inverse=True)
    starts = index[whole.trips.origin]
    columns = [sums_by_index(starts, whole.trips.counted(share), names.size) for share in (changes.pairs.gained, changes.pairs.lost)]
    columns += [sums_by_index(index, whole.people * share, names.size) for share in (changes.reached, changes.unreached)]
    changed = np.any(columns, axis=0)
    columns += [sums_by_index(starts, whole.trips.trips, names.size), sums_by_index(index, whole.people, names.size)]
    table = np.stack(columns, axis=1)
    return {str(names[k]): GainLoss(*table[k].tolist()) for k in np.flatnonzero(changed)}


def _burden(evaluator: PlanEvaluator, before: PlanCounts, after: PlanCounts, pairs: PairChanges) -> RiderChanges:
    """Changes for riders whom both plans serve."""
    trips, people = evaluator.whole.trips, evaluator.whole.people
    counts = [trips.sum(share) for share in (pairs.now_transfer, pairs.now_direct, pairs.slower, pairs.faster)]
    seconds = [trips.sum(share) for share in (pairs.slower_s, pairs.faster_s)]
    means_s = [total / count if count > 0 else 0.0 for total, count in zip(seconds, counts[2:], strict=True)]
    further_m = np.where(before.reached & after.reached, after.walk_m.astype(np.int64) - before.walk_m, 0)
    figures: list[float] = [*counts, *means_s, *_two_sides(further_m, people)]
    return RiderChanges(*figures)


def _two_sides(change: NDArray[np.int64], people: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the people for whom a figure of points grows and for whom it falls, then the mean size of each."""
    counts, sums = [], []
    for side in (np.maximum(change, 0), np.maximum(-change, 0)):
        counts.append(float(people @ (side > 0).mean(axis=1)))
        sums.append(float(people @ side.mean(axis=1)))
    means = [total / count if count > 0 else 0.0 for total, count in zip(sums, counts, strict=True)]
    return counts[0], counts[1], means[0], means[1]
