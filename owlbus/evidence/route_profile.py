"""Profile of each route: what only it serves, its load by segment and hour, and its weakest segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT, hidden_cells
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.evidence.redact import shown_count
from owlbus.kernels.assignment import assign_rides
from owlbus.kernels.structs import DemandMatrix
from owlbus.plan import Plan, plan_measures
from owlbus.score import difference_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import Part, PlanEvaluator

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class RouteEvidence:
    """
    One route in figures.

    Attributes
    ----------
    name
        Its name.
    stops
        Stop indices, shape (n,).
    only_served_trips, only_presence
        Trips and people a night that the plan would lose without it.
    only_served_interval
        90 % interval over nights of what it adds to the served share, -1 to 1.
    riders_trips
        Riders a night who board it, changing onto it included.
    bus_km
        Kilometres that its buses run in a night.
    load_trips
        Riders a night on each segment, both directions together, shape (n - 1,).
    load_by_hour
        The same by hour.
    """

    name: str
    stops: NDArray[np.int32]
    only_served_trips: float
    only_presence: float
    only_served_interval: tuple[float | None, float | None]
    riders_trips: float
    bus_km: float
    load_trips: NDArray[np.float64]
    load_by_hour: Mapping[str, NDArray[np.float64]]

    @property
    def riders_per_km(self) -> float:
        """Riders per kilometre that its buses run."""
        return self.riders_trips / self.bus_km if self.bus_km > 0 else 0.0

    @property
    def weakest(self) -> int:
        """Position of the segment with the fewest riders a night, the first one on a tie."""
        return int(np.argmin(self.load_trips))

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Route as plain values for JSON, small counts left out.

        A segment's hours add up to its night, so a hidden hour takes another one with it.

        Parameters
        ----------
        min_count
            Trips or people a night below which a count is hidden.

        Returns
        -------
        dict
            Figures by name, None where hidden.
        """
        segments = []
        for position, load in enumerate(self.load_trips.tolist()):
            loads = np.array([column[position] for column in self.load_by_hour.values()])
            hidden = hidden_cells(loads, min_count=min_count).tolist()
            hours = {
                hour: None if is_hidden else round(value, 1)
                for hour, value, is_hidden in zip(self.load_by_hour, loads.tolist(), hidden, strict=True)
            }
            segments.append({"place": position, "load_trips": shown_count(load, min_count), "by_hour": hours})
        small = [0 < value < min_count for value in (self.only_served_trips, self.only_presence, self.riders_trips)]
        low, high = self.only_served_interval
        weakest = segments[self.weakest]["load_trips"]
        return {
            "name": self.name,
            "stops": self.stops.tolist(),
            "only_served_trips": None if small[0] else round(self.only_served_trips, 1),
            "only_served_interval": None if small[0] or low is None or high is None else [round(low, 6), round(high, 6)],
            "only_presence": None if small[1] else round(self.only_presence, 1),
            "riders_trips": None if small[2] else round(self.riders_trips, 1),
            "bus_km": round(self.bus_km, 1),
            "riders_per_bus_km": None if small[2] else round(self.riders_per_km, 3),
            "weakest_segment": {
                "place": self.weakest,
                "stops": self.stops[self.weakest : self.weakest + 2].tolist(),
                "load_trips": weakest,
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
    loads, boardings = _loads(evaluator, plan, evaluator.whole)
    by_hour = {hour: _loads(evaluator, plan, part)[0] for hour, part in evaluator.hours.items()}
    n_runs = len(evaluator.hours) * HOUR_S / headway_s
    served, trips = evaluator.served_by_night(whole), evaluator.all_by_night()[0]
    rows = []
    for k, route in enumerate(plan.routes):
        without = evaluator.evaluate(Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint))
        lost = evaluator.whole.trips.among(whole.is_served & ~without.is_served)
        n = route.n_stops - 1
        rows.append(
            RouteEvidence(
                name=route.name,
                stops=route.stops,
                only_served_trips=float(evaluator.whole.trips.trips[lost].sum()),
                only_presence=float(evaluator.whole.people[whole.reached & ~without.reached].sum()),
                only_served_interval=difference_interval(served - evaluator.served_by_night(without), trips),
                riders_trips=float(boardings[k]),
                bus_km=n_runs * float(measures.length_m[k] + measures.length_back_m[k]) / 1000,
                load_trips=loads[k, :n],
                load_by_hour={hour: hour_loads[k, :n] for hour, hour_loads in by_hour.items()},
            )
        )
    return tuple(rows)


def _loads(evaluator: PlanEvaluator, plan: Plan, part: Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Riders a night by route and segment, both directions together, and riders who board each route."""
    problem = evaluator.problem
    weight = np.zeros(problem.weight.shape, np.int32)
    inside = part.trips.cell >= 0
    weight.reshape(-1)[part.trips.cell[inside]] = np.rint(part.trips.trips[inside] * QUANTA_PER_TRIP).astype(np.int32)
    loads = assign_rides(
        problem.graph,
        problem.pad(plan),
        problem.network.shed_walk_m,
        DemandMatrix(weight, problem.limit_s, problem.presence),
        float(problem.rule.transfer_s),
        problem.rule.max_transfers,
    )
    return (loads.ahead + loads.back) / QUANTA_PER_TRIP, loads.boardings.sum(axis=1) / QUANTA_PER_TRIP
