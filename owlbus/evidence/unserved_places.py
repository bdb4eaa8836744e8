"""Busy places that a plan does not serve, each with the cheapest change that would serve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.demand.columns import sums_by_index
from owlbus.evidence.changes import Change, detours
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.redact import shown_difference
from owlbus.search.objective import Objective
from owlbus.search.route_evaluator import RouteEvaluator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import PlanEvaluation, PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.route_evaluator import RouteChange

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
        The cheapest change that serves it, or None if none keeps the limits.
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
        """Return the place as plain values for JSON; trips and people below `min_count` read None."""
        shown = None if self.difference is None else shown_difference(self.difference, min_count).values
        return {
            "rank": self.rank,
            "name": self.name,
            "stop": self.stop,
            "district": self.district,
            "presence": None if 0 < self.presence < min_count else round(self.presence, 1),
            "unserved_trips": None if self.trips is None or 0 < self.trips < min_count else round(self.trips, 1),
            "change": None if self.change is None else self.change.label,
            "routes": [] if self.change is None else list(self.change.routes),
            "difference": shown,
        }


def missing_places(
    evaluator: PlanEvaluator,
    plan: Plan,
    places: StopNames,
    limits: RouteLimits,
    *,
    n_places: int = 15,
    min_presence: float = MIN_COUNT,
) -> tuple[MissingPlace, ...]:
    """
    Busiest places that a plan does not reach.

    A place is the stop at a known place, or a peak: a stop that has at least as many people within its walk as every other stop within
    `PEAK_M` metres of it; so the rim of a served place is not a place. A place counts the people whom the plan does not reach. The
    busiest one comes first, the lower stop on a tie, and the people it would reach no longer count for the places after it.

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
    min_presence
        Fewest people a night.

    Returns
    -------
    tuple of MissingPlace
        Ranked; each with its cheapest change.
    """
    network = evaluator.problem.network
    evaluation = evaluator.evaluate(plan)
    objective = Objective() if evaluator.demand.counts_trips else Objective(trips=0, presence=1)
    route_evaluator = RouteEvaluator(evaluator.problem, objective, plan, limits)
    unserved = _unserved_by_hex(evaluator, evaluation)
    places_found = []
    for rank, (stop, presence) in enumerate(_busiest(evaluator, evaluation, places, n_places, max(min_presence, 1e-9)), start=1):
        shed = network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]]
        best = cheapest_detour(route_evaluator, stop)
        change = None
        if best is not None:
            name = plan.names[best.route]
            change = Change("via", f"route {name} by {places.name_of(network, stop)}", route_evaluator.plan_with(best), (name,))
        hexagon = int(network.stop_hex[stop])
        places_found.append(
            MissingPlace(
                rank=rank,
                name=places.name_of(network, stop),
                stop=stop,
                district="" if evaluator.districts is None or hexagon < 0 else str(evaluator.districts[hexagon]),
                presence=presence,
                trips=float(unserved[shed].sum()) if evaluator.demand.counts_trips else None,
                change=change,
                difference=None if change is None else difference(evaluator, evaluation, evaluator.evaluate(change.plan), limits.headway_s),
            )
        )
    return tuple(places_found)


def cheapest_detour(route_evaluator: RouteEvaluator, stop: int) -> RouteChange | None:
    """
    Detour to serve a stop: of those at most `SLACK_S` seconds of round trip longer than the shortest, the one that serves most.

    Parameters
    ----------
    route_evaluator
        Of the plan.
    stop
        Stop index.

    Returns
    -------
    RouteChange or None
        None if no detour keeps the limits.
    """
    return route_evaluator.best(way for k in range(len(route_evaluator.plan)) for way in detours(route_evaluator, k, stop))


def _busiest(evaluator: PlanEvaluator, evaluation: PlanEvaluation, places: StopNames, most: int, least: float) -> list[tuple[int, float]]:
    """Stops in descending order of the people they would reach, each person counted once."""
    network = evaluator.problem.network
    people_left = np.where(evaluation.reached, 0.0, evaluator.whole.people)
    owner = np.repeat(np.arange(network.n_stops), np.diff(network.shed_indptr))
    peaks = _peaks(evaluator, owner)
    if places.names:
        peaks[network.nearest_stops(places.lon, places.lat)[0]] = True
    places_found: list[tuple[int, float]] = []
    while len(places_found) < most:
        people = np.where(peaks, np.bincount(owner, people_left[network.shed_hex], network.n_stops), 0.0)
        stop = int(np.argmax(people))
        if people[stop] < least:
            break
        places_found.append((stop, float(people[stop])))
        people_left[network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]]] = 0.0
    return places_found


def _peaks(evaluator: PlanEvaluator, owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether no other stop within `PEAK_M` has more people within its walk, shape (S,)."""
    from scipy.spatial import cKDTree

    network = evaluator.problem.network
    people = np.bincount(owner, evaluator.whole.people[network.shed_hex], network.n_stops)
    xy = np.stack(network.grid.project(network.stop_lon, network.stop_lat), axis=1)
    near = cKDTree(xy).query_pairs(PEAK_M, output_type="ndarray")
    is_peak = np.ones(network.n_stops, np.bool_)
    is_peak[near[people[near[:, 0]] < people[near[:, 1]], 0]] = False
    is_peak[near[people[near[:, 1]] < people[near[:, 0]], 1]] = False
    return is_peak


def _unserved_by_hex(evaluator: PlanEvaluator, evaluation: PlanEvaluation) -> NDArray[np.float64]:
    """Trips a night with an end in each hex that the plan does not serve."""
    trips = evaluator.whole.trips
    is_unserved = ~trips.among(evaluation.is_served)
    n = evaluator.demand.n_hexes
    starts, ends = (sums_by_index(end[is_unserved], trips.trips[is_unserved], n) for end in (trips.origin, trips.destination))
    return starts + ends
