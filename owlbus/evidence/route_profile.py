"""Profile of each route: what only it serves, its load by segment and hour, and its weakest segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.units import HOUR_S
from owlbus.plan import Plan, plan_measures
from owlbus.score import Measure, printed_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.search.point_counts import PlanCounts

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True, eq=False)
class RouteEvidence:
    """
    One route in figures.

    Attributes
    ----------
    name
        Its name.
    stops
        Stop indices, shape (n,); those of a way back of its own follow in reverse.
    places
        Position in `stops` at which each segment begins; nobody rides from the last stop of the way there to the next one in `stops`.
    only_served_trips, only_presence
        Trips and people a night that the plan would lose without it.
    served, served_without
        Trips that the plan serves with and without it, with the counts of each night.
    riders_trips
        Riders a night who board it, changing onto it included.
    bus_km
        Kilometres that its buses run in a night.
    load_trips
        Riders a night on each segment, both directions together, shape (m,).
    load_by_hour
        The same by hour.
    trips_by_hour
        All trips a night of each hour.
    """

    name: str
    stops: NDArray[np.int32]
    places: Sequence[int]
    only_served_trips: float
    only_presence: float
    served: Measure
    served_without: Measure
    riders_trips: float
    bus_km: float
    load_trips: NDArray[np.float64]
    load_by_hour: Mapping[str, NDArray[np.float64]]
    trips_by_hour: Mapping[str, float]

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Route as plain values for JSON, by the publishing rule.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples.

        Returns
        -------
        dict
            Figures by name; ``only_served_interval`` is the 90 % interval over nights of what it adds to the served share, or None.
        """
        publisher = Publisher(min_count)
        loads = publisher.counts(self.load_trips).tolist()
        by_hour: dict[str, list[float | None]] = {}
        for hour, column in self.load_by_hour.items():
            is_told = publisher.is_enough(self.trips_by_hour[hour])
            by_hour[hour] = publisher.counts(column).tolist() if is_told else [None] * column.size
        segments = [
            {"place": place, "load_trips": loads[k], "by_hour": {hour: column[k] for hour, column in by_hour.items()}}
            for k, place in enumerate(self.places)
        ]
        low, high = printed_interval(self.served, publisher, self.served_without)
        riders, weakest = publisher.count(self.riders_trips), int(np.argmin(loads))
        return {
            "name": self.name,
            "stops": self.stops.tolist(),
            "only_served_trips": publisher.count(self.only_served_trips),
            "only_served_interval": None if low is None or high is None else [low, high],
            "only_presence": publisher.count(self.only_presence),
            "riders_trips": riders,
            "bus_km": round(self.bus_km, 1),
            "riders_per_bus_km": round(riders / self.bus_km, 3) if self.bus_km > 0 else None,
            "weakest_segment": {
                "place": self.places[weakest],
                "stops": self.stops[self.places[weakest] :][:2].tolist(),
                "load_trips": loads[weakest],
            },
            "segments": segments,
        }


def explain_routes(evaluator: PlanEvaluator, plan: Plan, headway_s: int = HEADWAY_S) -> tuple[RouteEvidence, ...]:
    """
    Profile of each route of a plan.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    headway_s
        Seconds between buses through the whole night.

    Returns
    -------
    tuple of RouteEvidence
        Routes in the plan's order.
    """
    problem = evaluator.problem
    whole = evaluator.evaluate(plan)
    measures = plan_measures(problem.network, plan, headway_s)
    parts = (evaluator.whole, *evaluator.hours.values())
    flows = evaluator.counter.flows(plan, [(part.trips.pair, part.trips.trips) for part in parts], by_route=True)
    loads, boardings = flows.ahead_trips + flows.back_trips, flows.boardings_trips[0].sum(axis=1)
    by_hour = dict(zip(evaluator.hours, loads[1:], strict=True))
    n_runs, served, rows = len(evaluator.hours) * HOUR_S / headway_s, _served(evaluator, whole), []
    for k, route in enumerate(plan.routes):
        without = evaluator.evaluate(Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint))
        only = (whole.reached & ~without.reached).mean(axis=1)
        ridden = [place for place in range(len(route.positions) - 1) if place != route.n_stops - 1]
        rows.append(
            RouteEvidence(
                name=route.name,
                stops=route.positions,
                places=ridden,
                only_served_trips=float(flows.only_served_trips[k]),
                only_presence=float(evaluator.whole.people @ only),
                served=served,
                served_without=_served(evaluator, without),
                riders_trips=float(boardings[k]),
                bus_km=n_runs * float(measures.length_m[k] + measures.length_back_m[k]) / 1000,
                load_trips=loads[0, k, ridden],
                load_by_hour={hour: hour_loads[k, ridden] for hour, hour_loads in by_hour.items()},
                trips_by_hour={hour: part.trips.total for hour, part in evaluator.hours.items()},
            )
        )
    return tuple(rows)


def _served(evaluator: PlanEvaluator, counts: PlanCounts) -> Measure:
    """Trips that a plan serves, with those of each night."""
    by_night, trips = evaluator.served_by_night(counts), evaluator.all_by_night()[0]
    return Measure(float(by_night.mean()), float(trips.mean()), nights=(by_night, trips))
