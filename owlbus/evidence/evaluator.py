"""Evaluation of plans by hex and trip, exact, so that the difference of two plans is exact too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError
from owlbus.common.units import hour_label
from owlbus.demand.columns import sums_by_index
from owlbus.plan.measures import require_same_network
from owlbus.search.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.demand.od_pairs import ODPairs
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FAR = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True, eq=False)
class TripIndex:
    """
    Trips of one part of the demand with their cell in the matrices of a problem.

    Attributes
    ----------
    origin
        Hex where each starts, shape (P,), int32.
    destination
        Hex where each ends, shape (P,), int32.
    cell
        ``row * C + column`` in the problem's matrices, shape (P,), int64; -1 where no stop reaches an end.
    trips
        Trips a night, shape (P,), float64.
    """

    origin: NDArray[np.int32]
    destination: NDArray[np.int32]
    cell: NDArray[np.int64]
    trips: NDArray[np.float64]

    @classmethod
    def of(cls, problem: Problem, pairs: ODPairs | Demand) -> TripIndex:
        """
        Index of trips by the rows of their ends.

        Parameters
        ----------
        problem
            The problem whose rows are looked up.
        pairs
            Trips by pair of hexes, or by night, hour and pair.

        Returns
        -------
        TripIndex
            In the same order.
        """
        rows, columns = problem.row_of[pairs.origin].astype(np.int64), problem.row_of[pairs.destination].astype(np.int64)
        cell = np.where((rows >= 0) & (columns >= 0), rows * problem.n_rows + columns, -1)
        return cls(pairs.origin, pairs.destination, cell, pairs.trips)

    def among(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """
        Whether a matrix holds True for each.

        Parameters
        ----------
        mask
            Shape (C, C).

        Returns
        -------
        ndarray of bool
            Shape (P,); False where no stop reaches an end.
        """
        if mask.size == 0:
            return np.zeros(self.cell.size, np.bool_)
        is_true: NDArray[np.bool_] = (self.cell >= 0) & mask.reshape(-1)[self.cell]
        return is_true


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
class PlanEvaluation:
    """
    Hexes that one plan reaches, and pairs of hexes that it serves.

    Attributes
    ----------
    plan
        The plan.
    reached
        Hexes within the walk of a stop, shape (H,).
    walk_m
        Metres to the nearest stop of the plan within the walk, shape (H,), int32; the largest int32 where there is none.
    direct_s, best_s
        Fastest rides in seconds without a transfer and with the transfers allowed, shape (C, C), float32.
    is_served, is_direct
        Whether the rule takes these rides, shape (C, C).
    """

    plan: Plan
    reached: NDArray[np.bool_]
    walk_m: NDArray[np.int32]
    direct_s: NDArray[np.float32]
    best_s: NDArray[np.float32]
    is_served: NDArray[np.bool_]
    is_direct: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PlanEvaluator:
    """
    Evaluates plans on one demand, by lookup in matrices of hexes.

    Attributes
    ----------
    problem
        Network, demand and rule.
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
        dates = [night for night in demand.nights if night is not None]
        days = sorted({date.weekday() for date in dates}) if len(dates) == demand.n_nights else []
        return cls(
            problem=problem,
            demand=demand,
            districts=districts,
            whole=part_of(problem, demand),
            hours={hour_label(hour): part_of(problem, demand.slice(hours=[hour])) for hour in demand.known_hours},
            by_night=TripIndex.of(problem, demand),
            weekdays={WEEKDAYS[day]: part_of(problem, demand.slice(weekdays=[day])) for day in days},
            min_count=min_count,
        )

    def evaluate(self, plan: Plan) -> PlanEvaluation:
        """
        Evaluate a plan from scratch.

        Parameters
        ----------
        plan
            A plan on the problem's network.

        Returns
        -------
        PlanEvaluation
            Masks and rides; about 10 ``C**2`` bytes.

        Raises
        ------
        DataError
            If the plan was made for another network.
        """
        require_same_network(self.problem.network, plan)
        direct_s, best_s = self.problem.rides(plan)
        walk_m = walk_m_by_hex(self.problem.network, plan)
        return PlanEvaluation(
            plan, walk_m < _FAR, walk_m, direct_s, best_s, best_s <= self.problem.limit_s, direct_s <= self.problem.limit_s
        )

    def served_by_night(self, evaluation: PlanEvaluation) -> NDArray[np.float64]:
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
        return self._trips_by_night(self.by_night.among(evaluation.is_served))

    def direct_by_night(self, evaluation: PlanEvaluation) -> NDArray[np.float64]:
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
        return self._trips_by_night(self.by_night.among(evaluation.is_direct))

    def reached_by_night(self, evaluation: PlanEvaluation) -> NDArray[np.float64]:
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
        demand = self.demand
        is_reached = evaluation.reached[demand.presence_hex]
        return demand.people_by_night(is_reached)

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

    def _trips_by_night(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        demand = self.demand
        return sums_by_index(demand.night[mask], demand.trips[mask], demand.n_nights)


def part_of(problem: Problem, demand: Demand) -> Part:
    """
    Mean night of a demand.

    Parameters
    ----------
    problem
        The problem whose rows are looked up.
    demand
        Trips and people a night, whole or sliced.

    Returns
    -------
    Part
        Trips and people.
    """
    return Part(TripIndex.of(problem, demand.od()), demand.presence_by_hex())


def walk_m_by_hex(network: Network, plan: Plan) -> NDArray[np.int32]:
    """
    Walk from each hex to the nearest stop of a plan.

    Parameters
    ----------
    network
        Stop network over H hexes.
    plan
        The plan.

    Returns
    -------
    ndarray of int32
        Metres, shape (H,); the largest int32 where no stop is within the walk.
    """
    nearest = np.full(network.grid.n_hexes, _FAR, np.int32)
    for stop in plan.used_stops.tolist():
        rows: Any = slice(int(network.shed_indptr[stop]), int(network.shed_indptr[stop + 1]))
        np.minimum.at(nearest, network.shed_hex[rows], network.shed_walk_m[rows])
    return nearest
