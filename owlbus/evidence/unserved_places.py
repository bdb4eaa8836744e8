"""Busy places that a plan does not serve, each with the cheapest change that would serve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.evidence.answer_sentences import sentence
from owlbus.evidence.changes import Change, detours
from owlbus.evidence.difference import DifferencesFrom
from owlbus.evidence.printed_difference import printed_difference
from owlbus.plan.check import newly_broken
from owlbus.search.objective import Objective
from owlbus.search.route_evaluator import RouteEvaluator

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from owlbus.evidence.difference import Difference
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.point_counts import PlanCounts

PEAK_M = 1_000.0
"""Metres around a stop within which only the busiest one is a place."""


@dataclass(frozen=True, slots=True, eq=False)
class MissingPlace:
    """
    A busy place without a stop.

    Attributes
    ----------
    rank
        From 1, by people.
    name
        Its name.
    stop
        Stop index that would serve it.
    district
        Its district, or empty.
    presence
        People a night within the walk of that stop whom the plan does not reach.
    trips
        Trips a night with an end there that the plan does not serve.
    change
        The cheapest change that serves it: one that keeps the limits, or else, with those that it breaks, any; None if no route gets there.
    difference
        What that gains and loses, or None.
    """

    rank: int
    name: str
    stop: int
    district: str
    presence: float
    trips: float | None
    change: Change | None
    difference: Difference | None

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """Return the place as plain values for JSON, counts of trips and people by the publishing rule of base `min_count`."""
        publisher = Publisher(min_count)
        return {
            "rank": self.rank,
            "name": self.name,
            "stop": self.stop,
            "district": self.district,
            "presence": publisher.count(self.presence),
            "unserved_trips": None if self.trips is None else publisher.count(self.trips),
            "change": None if self.change is None else self.change.label,
            "routes": [] if self.change is None else list(self.change.routes),
            "broken_limits": [] if self.change is None else list(self.change.broken),
            "difference": None if self.difference is None else printed_difference(self.difference, min_count),
        }


def least_people(min_count: float) -> float:
    """
    Fewest people of a place that is listed: the same in every command.

    Parameters
    ----------
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    float
        People a night.

    Examples
    --------
    >>> least_people(50), least_people(-1)
    (50, 15)
    """
    return max(MIN_COUNT, min_count)


def missing_places(
    evaluator: PlanEvaluator,
    plan: Plan,
    places: StopNames,
    limits: RouteLimits,
    *,
    n_places: int = 15,
) -> tuple[MissingPlace, ...]:
    """
    Busiest places that a plan does not reach, of at least as many people as `least_people` says.

    A place is the stop at a known place, or a peak: a stop that has at least as many people within its walk as every other stop within
    `PEAK_M` metres of it, by printed counts; of peaks side by side the first one stands for all; so the rim of a served place is not a
    place. A place counts the people whom the plan does not reach. The busiest one by printed counts comes first, the lower stop on a tie,
    and the people it would reach no longer count for the places after it.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    places
        Known places, to name them by.
    limits
        What changed routes must keep, in metres and seconds.
    n_places
        Most places to list.

    Returns
    -------
    tuple of MissingPlace
        Ranked; each with its cheapest change.
    """
    network = evaluator.problem.network
    evaluation = evaluator.evaluate(plan)
    cheapest, differences = CheapestDetour(evaluator, plan, limits), DifferencesFrom(evaluator, evaluation, limits.headway_s)
    places_found = []
    for rank, (stop, presence) in enumerate(_busiest(evaluator, evaluation, places, n_places), start=1):
        change = cheapest.to(stop, sentence(places.language, "via", stop=places.name_of(network, stop)))
        hexagon = int(network.stop_hex[stop])
        places_found.append(
            MissingPlace(
                rank=rank,
                name=places.name_of(network, stop),
                stop=stop,
                district="" if evaluator.districts is None or hexagon < 0 else str(evaluator.districts[hexagon]),
                presence=presence,
                trips=left_out(evaluator, evaluation, stop)[1],
                change=change,
                difference=None if change is None else differences.to(evaluator.evaluate(change.plan)),
            )
        )
    return tuple(places_found)


class CheapestDetour:
    """
    The cheapest change that serves a stop: the one answer to that question, in every command.

    Of the detours of a route that are at most `SLACK_S` seconds of round trip longer than the shortest, the one that serves most. Only
    where none keeps the limits, one that breaks them is taken, and says which.

    Parameters
    ----------
    evaluator
        The demand; what a detour serves decides by printed counts.
    plan
        The plan.
    limits
        What changed routes must keep, in metres and seconds.
    locked
        Indices of the routes that stay as they are.
    """

    def __init__(self, evaluator: PlanEvaluator, plan: Plan, limits: RouteLimits, locked: Collection[int] = ()) -> None:
        self._limits, self._plan = limits, plan
        self._rows = [k for k in range(len(plan)) if k not in locked]
        objective = Objective() if evaluator.demand.counts_trips else Objective(trips=0, presence=1)
        self._evaluators = [RouteEvaluator(evaluator.problem, objective, plan, bounds, evaluator.min_count) for bounds in (limits, None)]

    def to(self, stop: int, label: str) -> Change | None:
        """
        Cheapest change that serves a stop.

        Parameters
        ----------
        stop
            Stop index.
        label
            The change in words.

        Returns
        -------
        Change or None
            None if no route can be joined with it.
        """
        for evaluator in self._evaluators:
            best = evaluator.best(way for k in self._rows for way in detours(evaluator, k, stop))
            if best is not None:
                route, after = self._plan.names[best.route], evaluator.plan_with(best)
                broken = newly_broken(evaluator.problem.network, self._plan, after, self._limits)
                return Change("via", label, after, (route,), broken)
        return None


def _busiest(evaluator: PlanEvaluator, evaluation: PlanCounts, places: StopNames, most: int) -> list[tuple[int, float]]:
    """Stops in descending order of the people they would reach, each person counted once."""
    network, points = evaluator.problem.network, evaluator.counter.points
    people_left = _people_by_point(evaluator, ~evaluation.reached)
    owner = np.repeat(np.arange(network.n_stops), np.diff(points.indptr))
    near = _near_pairs(network)
    peaks = _peaks(evaluator, owner, near)
    named = network.nearest_stops(places.lon, places.lat)[0] if places.names else np.empty(0, np.int64)
    peaks[named] = True
    publisher = Publisher(evaluator.min_count)
    places_found: list[tuple[int, float]] = []
    while len(places_found) < most:
        people = np.where(peaks, np.bincount(owner, people_left[points.point], network.n_stops), 0.0)
        printed = publisher.counts(people)
        stop = int(np.argmax(printed))
        if printed[stop] < least_people(evaluator.min_count):
            break
        places_found.append((stop, float(people[stop])))
        people_left[points.point[points.indptr[stop] : points.indptr[stop + 1]]] = 0.0
        beside = np.concatenate([near[near[:, 0] == stop, 1], near[near[:, 1] == stop, 0]])
        peaks[np.setdiff1d(beside, named)] = False  # where printed counts tie, one place stands for those around it
    return places_found


def _near_pairs(network: Network) -> NDArray[np.int64]:
    """Pairs of stops within `PEAK_M`, shape (n, 2)."""
    from scipy.spatial import cKDTree

    xy = np.stack(network.grid.project(network.stop_lon, network.stop_lat), axis=1)
    near: NDArray[np.int64] = cKDTree(xy).query_pairs(PEAK_M, output_type="ndarray")
    return near


def _people_by_point(evaluator: PlanEvaluator, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """People at each point that counts, hex by hex; `counted` has shape (H, n_points)."""
    return (counted * (evaluator.whole.people / evaluator.counter.points.n_points)[:, None]).reshape(-1)


def _peaks(evaluator: PlanEvaluator, owner: NDArray[np.int64], near: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether no other stop of the pairs `near` has more people within its walk by printed counts, shape (S,)."""
    network, points = evaluator.problem.network, evaluator.counter.points
    everybody = _people_by_point(evaluator, np.ones((evaluator.whole.people.size, points.n_points), np.bool_))
    people = Publisher(evaluator.min_count).counts(np.bincount(owner, everybody[points.point], network.n_stops))
    is_peak = np.ones(network.n_stops, np.bool_)
    is_peak[near[people[near[:, 0]] < people[near[:, 1]], 0]] = False
    is_peak[near[people[near[:, 1]] < people[near[:, 0]], 1]] = False
    return is_peak


def left_out(evaluator: PlanEvaluator, evaluation: PlanCounts, stop: int) -> tuple[float, float | None]:
    """
    People and trips near a stop that a plan leaves out.

    Parameters
    ----------
    evaluator
        The demand.
    evaluation
        What the plan reaches and serves.
    stop
        Stop index.

    Returns
    -------
    people, trips
        People a night within the walk of the stop whom the plan does not reach; and trips a night with an end there that it does not
        serve, each counted once, None where none were counted.
    """
    points, trips = evaluator.counter.points, evaluator.whole.trips
    people = _people_by_point(evaluator, ~evaluation.reached)[points.point[points.indptr[stop] : points.indptr[stop + 1]]].sum()
    if not evaluator.demand.counts_trips:
        return float(people), None
    share = evaluator.counter.reached_by_stop(stop)
    ends = 1 - (1 - share[trips.origin]) * (1 - share[trips.destination])
    return float(people), float(trips.counted(1 - evaluation.served_share) @ ends)
