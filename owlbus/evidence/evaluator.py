"""Evaluation of plans by hex and trip, exact, so that the difference of two plans is exact too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError
from owlbus.common.units import hour_label
from owlbus.demand.columns import sums_by_index
from owlbus.plan.measures import require_same_network
from owlbus.search.point_counts import PointCounter
from owlbus.search.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.search.point_counts import PlanCounts

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, eq=False)
class TripIndex:
    """
    Trips of one part of the demand with the pair of hexes that each belongs to.

    Attributes
    ----------
    origin
        Hex where each starts, shape (n,), int32.
    destination
        Hex where each ends, shape (n,), int32.
    pair
        Index among the pairs of the counter, shape (n,), int64.
    trips
        Trips a night, shape (n,), float64.
    """

    origin: NDArray[np.int32]
    destination: NDArray[np.int32]
    pair: NDArray[np.int64]
    trips: NDArray[np.float64]

    @classmethod
    def of(cls, counter: PointCounter, demand: Demand) -> TripIndex:
        """
        Mean trips of a night, by pair of hexes.

        Parameters
        ----------
        counter
            The counter whose pairs are looked up.
        demand
            Trips a night.

        Returns
        -------
        TripIndex
            In the order of pairs.
        """
        parts = [(pairs.origin, pairs.destination, index, pairs.trips) for pairs, index in counter.mean_trips(demand)]
        return cls(*(column[0] if len(column) == 1 else np.concatenate(column) for column in zip(*parts, strict=True)))

    @classmethod
    def by_night(cls, counter: PointCounter, demand: Demand) -> TripIndex:
        """
        Trips of each night and hour.

        Parameters
        ----------
        counter
            The counter whose pairs are looked up.
        demand
            Trips a night.

        Returns
        -------
        TripIndex
            In the order of the demand's rows.
        """
        return cls(demand.origin, demand.destination, counter.pair_of(demand.origin, demand.destination, demand.hour), demand.trips)

    @property
    def total(self) -> float:
        """All trips a night."""
        return float(self.trips.sum())

    def counted(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Trips of each row that count.

        Parameters
        ----------
        share
            Share that counts, by pair of the counter, shape (P,).

        Returns
        -------
        ndarray of float64
            Trips a night, shape (n,).
        """
        return self.trips * share[self.pair]

    def sum(self, share: NDArray[np.float64]) -> float:
        """
        Sum of the trips that count.

        Parameters
        ----------
        share
            Share that counts, by pair of the counter, shape (P,).

        Returns
        -------
        float
            Trips a night.
        """
        rows = np.flatnonzero((share != 0)[self.pair])  # what changes is a small part of all pairs
        return float(self.trips[rows] @ share[self.pair[rows]])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """
    One part of the demand: its trips, and people by hex.

    Attributes
    ----------
    trips
        Mean trips a night.
    people
        Mean people a night by hex, shape (H,).
    """

    trips: TripIndex
    people: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlanEvaluator:
    """
    Evaluates plans on one demand, by the points of hexes, as all figures are published.

    Attributes
    ----------
    problem
        Network, demand and rule, as the search takes them.
    counter
        Counts what plans reach and serve.
    demand
        Trips and people, nights kept apart.
    districts
        Name of each hex's district, shape (H,), or None.
    whole
        The mean night.
    hours, weekdays
        The same by hour of the night and by weekday of its evening; weekdays are empty where nights carry no date.
    by_night
        Trips of every night and hour, in the demand's row order.
    min_count
        Trips or people a night below which a count is not published; -1 for open data.
    """

    problem: Problem
    counter: PointCounter
    demand: Demand
    districts: NDArray[np.str_] | None
    whole: Part
    hours: Mapping[str, Part]
    by_night: TripIndex
    weekdays: Mapping[str, Part] = field(default_factory=dict)
    min_count: float = MIN_COUNT

    @classmethod
    def build(
        cls,
        network: Network,
        demand: Demand,
        rule: ServiceRule | None = None,
        districts: NDArray[np.str_] | None = None,
        min_count: float = MIN_COUNT,
    ) -> PlanEvaluator:
        """
        Evaluator of a demand.

        Parameters
        ----------
        network
            Stop network.
        demand
            Trips and people on the network's grid.
        rule
            When a trip counts as served; the defaults of `ServiceRule` if None.
        districts
            Name of each hex's district, shape (H,).
        min_count
            Trips or people a night below which a count is not published; -1 for open data.

        Returns
        -------
        PlanEvaluator
            For any plan on this network.

        Raises
        ------
        DataError
            If demand and network lie on different grids, or districts do not name every hex.
        """
        if districts is not None and districts.shape != (demand.n_hexes,):
            msg = f"districts must name each of {demand.n_hexes} hexes once, got shape {districts.shape}"
            raise DataError(msg)
        problem = Problem.build(network, demand, rule)
        counter = PointCounter.build(problem, demand)
        dates = [night for night in demand.nights if night is not None]
        days = sorted({date.weekday() for date in dates}) if len(dates) == demand.n_nights else []
        return cls(
            problem=problem,
            counter=counter,
            demand=demand,
            districts=districts,
            whole=part_of(counter, demand),
            hours={hour_label(hour): part_of(counter, demand.slice(hours=[hour])) for hour in demand.known_hours},
            by_night=TripIndex.by_night(counter, demand),
            weekdays={WEEKDAYS[day]: part_of(counter, demand.slice(weekdays=[day])) for day in days},
            min_count=min_count,
        )

    def evaluate(self, plan: Plan) -> PlanCounts:
        """
        Evaluate a plan from scratch.

        Parameters
        ----------
        plan
            A plan on the problem's network.

        Returns
        -------
        PlanCounts
            Shares by hex and by pair of hexes.

        Raises
        ------
        DataError
            If the plan was made for another network.
        """
        require_same_network(self.problem.network, plan)
        return self.counter.count(plan)

    def served_by_night(self, evaluation: PlanCounts) -> NDArray[np.float64]:
        """
        Trips served in each night.

        Parameters
        ----------
        evaluation
            Of the plan.

        Returns
        -------
        ndarray of float64
            Shape (n_nights,).
        """
        return self._trips_by_night(evaluation.served_share)

    def direct_by_night(self, evaluation: PlanCounts) -> NDArray[np.float64]:
        """
        Trips served without a transfer in each night.

        Parameters
        ----------
        evaluation
            Of the plan.

        Returns
        -------
        ndarray of float64
            Shape (n_nights,).
        """
        return self._trips_by_night(evaluation.direct_share)

    def reached_by_night(self, evaluation: PlanCounts) -> NDArray[np.float64]:
        """
        People within the walk of a stop in each night.

        Parameters
        ----------
        evaluation
            Of the plan.

        Returns
        -------
        ndarray of float64
            Shape (n_nights,).
        """
        return self.demand.people_by_night(evaluation.reached_share[self.demand.presence_hex])

    def all_by_night(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        All trips and all people in each night.

        Returns
        -------
        trips, people
            Shape (n_nights,) each.
        """
        demand = self.demand
        return sums_by_index(demand.night, demand.trips, demand.n_nights), demand.people_by_night()

    def _trips_by_night(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Trips of each night that count, by the share of each pair."""
        return sums_by_index(self.demand.night, self.by_night.counted(share), self.demand.n_nights)


def part_of(counter: PointCounter, demand: Demand) -> Part:
    """
    Mean night of a demand.

    Parameters
    ----------
    counter
        The counter whose pairs are looked up.
    demand
        Trips and people a night, whole or sliced.

    Returns
    -------
    Part
        Trips and people.
    """
    return Part(TripIndex.of(counter, demand), demand.presence_by_hex())
