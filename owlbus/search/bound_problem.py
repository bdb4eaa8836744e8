"""Input of the bound: which ends of trips and which people routes can cover, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.bound_multipliers import least_drive
from owlbus.search.area_bound import point_sheds
from owlbus.search.travel_time_objective import most_saved, stop_trips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.kernels.structs import Graph
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem


@dataclass(frozen=True, slots=True, eq=False)
class BoundProblem:
    """
    Input of a bound.

    Attributes
    ----------
    graph
        Links and sheds: ``link_indptr, link_to, link_s, link_m, shed_indptr, shed_hex`` over S stops and H hexes; every link has
        its reverse.
    first, second
        Ends of the unordered pairs of hexes between which a ride can serve trips, shape (P,), int32.
    weight
        What a pair brings if both ends are covered and joined, in 1/1024, shape (P,), float64, > 0.
    bonus
        What each hex brings if it is covered, in 1/1024, shape (H,), float64, >= 0.
    total_quanta
        What a plan that served everything would be worth, in 1/1024.
    given_quanta
        What fixed routes bring at most without the others, in 1/1024 (`owlbus.search.fixed_part`).
    """

    graph: Graph
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]
    total_quanta: int
    given_quanta: int = 0

    @classmethod
    def of_problem(cls, problem: Problem, objective: Objective) -> BoundProblem:
        """
        Input of the bound for a problem; pairs that no ride can serve are left out.

        Parameters
        ----------
        problem
            Network, demand and rule.
        objective
            What a plan is worth.

        Returns
        -------
        BoundProblem
            Arrays in the rows of the problem.
        """
        if objective.is_travel_time:
            return cls.of_travel_time(problem)
        network = problem.network
        first = np.repeat(np.arange(problem.n_rows, dtype=np.int32), np.diff(problem.indptr))
        once = first < problem.partner
        first, second = first[once], problem.partner[once]
        weight = np.zeros(first.size)
        ends = [(first, second), (second, first)]
        for quanta, limit_s, (begin, end) in zip(problem.pair_quanta, problem.pair_limit_s, ends, strict=False):
            drive = least_drive(network.shed_indptr, problem.graph.shed_hex, problem.n_rows, network.drive_s, begin, end)
            weight += np.where(drive <= limit_s[once], quanta[once], 0) * float(objective.trips)
        bonus = problem.presence.astype(np.float64) * objective.presence
        return cls(
            graph=problem.graph,
            first=first[weight > 0].astype(np.int32),
            second=second[weight > 0].astype(np.int32),
            weight=weight[weight > 0],
            bonus=bonus,
            total_quanta=problem.total_value(objective),
        )

    @classmethod
    def of_travel_time(cls, problem: Problem) -> BoundProblem:
        """
        Input of the bound where travel time counts: a trip saves at most what the fastest path between its stops saves.

        Parameters
        ----------
        problem
            Network, demand and rule.

        Returns
        -------
        BoundProblem
            Arrays with a row for each stop, which covers itself alone; in 1/1024 of trip-seconds.
        """
        n_stops, trips = problem.network.n_stops, stop_trips(problem)
        saved = np.maximum(problem.rule.unserved_s - problem.fastest_s.astype(np.int64), 0) * trips
        first, second = np.nonzero(np.triu(saved + saved.T, 1))
        return cls(
            graph=problem.graph._replace(shed_indptr=np.arange(n_stops + 1, dtype=np.int64), shed_hex=np.arange(n_stops, dtype=np.int32)),
            first=first.astype(np.int32),
            second=second.astype(np.int32),
            weight=(saved + saved.T)[first, second].astype(np.float64),
            bonus=np.zeros(n_stops),
            total_quanta=most_saved(problem),
        )

    @classmethod
    def of_area(cls, problem: Problem, demand: Demand) -> BoundProblem:
        """
        Input of the bound on the people reached where hexes count by their share of area within the walk, as figures are published.

        Parameters
        ----------
        problem
            Network and rule.
        demand
            The people, on the network's grid.

        Returns
        -------
        BoundProblem
            Arrays with a row for each class of points that the same stops reach; without pairs. Its bonus is in parts of 1/1024.
        """
        graph, people = point_sheds(problem, demand)
        none = np.zeros(0, np.int32)
        return cls(graph, none, none, np.zeros(0), people, max(1, problem.total_presence_quanta))
