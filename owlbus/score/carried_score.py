"""Trips that a plan carries at the best headways of its fleet, as a part of its scorecard."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import Publisher
from owlbus.common.units import QUANTA_PER_TRIP, hour_label
from owlbus.score.card import Measure
from owlbus.search.carried import CarriedModel
from owlbus.search.ride_service import UNITS_PER_TRIP
from owlbus.search.split_buses import best_split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.demand import Demand
    from owlbus.plan import Plan
    from owlbus.search.carried import CarriedFlows
    from owlbus.search.problem import Problem
    from owlbus.search.ride_service import RideService

_P90 = 0.9


@dataclass(frozen=True, slots=True)
class RouteService:
    """
    How one route runs, and how full it is.

    Attributes
    ----------
    name
        Route name.
    buses, headway_s
        Buses on the route, and seconds between two of them.
    capacity_trips
        Riders whom they carry past a stop in an hour, in one direction.
    max_load_trips
        Riders carried on the fullest segment of each hour, in one direction, by hour.
    """

    name: str
    buses: int
    headway_s: int
    capacity_trips: float
    max_load_trips: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CarriedScore:
    """
    Trips that a plan carries.

    Attributes
    ----------
    carried
        Trips carried, of all trips of the model, a night.
    wanted_trips
        Trips a night whose riders would take the bus if there were room.
    mean_wait_s
        Mean wait of those carried, waits for a second bus included, in seconds; None if nobody is carried.
    wait_trips
        Trips carried a night by seconds of their wait, ascending.
    by_hour
        Trips carried by hour.
    routes
        One row per route.
    service
        How buses run and who rides.
    """

    carried: Measure
    wanted_trips: float
    mean_wait_s: float | None
    wait_trips: Mapping[int, float]
    by_hour: Mapping[str, Measure]
    routes: tuple[RouteService, ...]
    service: RideService

    @property
    def p90_wait_s(self) -> int | None:
        """Wait that nine of ten of those carried do not exceed, in seconds; None if nobody is carried."""
        return _p90(self.wait_trips)

    def publisher(self, publisher: Publisher) -> Publisher:
        """
        Publishing rule of riders.

        Parameters
        ----------
        publisher
            That of trips a night.

        Returns
        -------
        Publisher
            Of a base that stands for as many records.
        """
        return Publisher(self.service.choice.published_base(publisher.min_count))

    def printed(self, publisher: Publisher) -> dict[str, Any]:
        """
        Figures as they are printed, from printed counts.

        Parameters
        ----------
        publisher
            The publishing rule.

        Returns
        -------
        dict
            Shares 0 to 1, trips a night, seconds; None where too few are counted. It says its own ``min_count`` where
            a trip of the demand counts as several riders.
        """
        from owlbus.score.publish import printed_measure

        counts_base, publisher = publisher.base, self.publisher(publisher)
        carried, longest_s = self.carried.numerator, 2.0 * self.service.max_headway_s
        mean_s = None if self.mean_wait_s is None else publisher.mean(self.mean_wait_s * carried, carried, longest_s)
        return {
            **({} if publisher.base == counts_base else publisher.facts),
            **printed_measure(self.carried, publisher, is_whole=True),
            "wanted_trips": publisher.count(self.wanted_trips),
            "mean_wait_s": None if mean_s is None else round(mean_s, 1),
            "p90_wait_s": _p90(
                {wait_s: publisher.count(n) for wait_s, n in self.wait_trips.items()} if publisher.is_enough(carried) else {}
            ),
            "by_hour": {hour: printed_measure(measure, publisher) for hour, measure in self.by_hour.items()},
            "routes": [
                asdict(route)
                | {
                    "capacity_trips": round(route.capacity_trips, 3),
                    "max_load_trips": {
                        hour: publisher.count(load) if publisher.is_enough(self.by_hour[hour].denominator) else None
                        for hour, load in route.max_load_trips.items()
                    },
                }
                for route in self.routes
            ],
            "service": asdict(self.service),
        }


def _p90(wait_trips: Mapping[int, float]) -> int | None:
    """Return the wait in seconds that nine of ten trips do not exceed; None without trips."""
    total, below = sum(wait_trips.values()), 0.0
    for wait_s, trips in wait_trips.items():
        below += trips
        if trips and below >= _P90 * total:
            return wait_s
    return None


def carried_score(problem: Problem, demand: Demand, plan: Plan, service: RideService) -> CarriedScore:
    """
    Score of the trips that a plan carries, at the best headways that its fleet can run.

    Parameters
    ----------
    problem
        Network, demand by hour, and rule.
    demand
        The demand.
    plan
        The plan.
    service
        How buses run and who rides.

    Returns
    -------
    CarriedScore
        Trips a night, seconds.

    Raises
    ------
    InfeasibleError
        If the fleet cannot run all routes at the longest headway.
    """
    model = CarriedModel(problem, service)
    flows = best_split(model, problem.pad(plan))
    hours, scale = demand.hours, service.choice.scale_trips
    all_trips = {hour: float(demand.od(hours=[hour]).trips.sum()) * scale for hour in hours}
    by_hour = zip(hours, flows.carried_units.tolist(), strict=True)
    return CarriedScore(
        carried=Measure(flows.value_units / UNITS_PER_TRIP, problem.total_trips_quanta * scale / QUANTA_PER_TRIP),
        wanted_trips=int(flows.wanted_units.sum()) / UNITS_PER_TRIP,
        mean_wait_s=flows.wait_s(),
        wait_trips=_wait_trips(flows),
        by_hour={hour_label(hour): Measure(units / UNITS_PER_TRIP, all_trips[hour]) for hour, units in by_hour},
        routes=_route_services(plan, demand, flows),
        service=service,
    )


def _wait_trips(flows: CarriedFlows) -> dict[int, float]:
    """Trips carried by seconds of their wait."""
    waits_s, place = np.unique(flows.pair_wait_s(), return_inverse=True)
    units = np.zeros(waits_s.size, np.int64)
    np.add.at(units, place, flows.pair_units)
    return {wait_s: n / UNITS_PER_TRIP for wait_s, n in zip(waits_s.tolist(), units.tolist(), strict=True)}


def _route_services(plan: Plan, demand: Demand, flows: CarriedFlows) -> tuple[RouteService, ...]:
    """One row per route."""
    most = flows.load_units.max(axis=(2, 3)) / UNITS_PER_TRIP
    return tuple(
        RouteService(
            route.name,
            int(flows.buses[k]),
            int(flows.headways_s[k]),
            int(flows.capacity_units[k]) / UNITS_PER_TRIP,
            {hour_label(hour): float(most[row, k]) for row, hour in enumerate(demand.hours)},
        )
        for k, route in enumerate(plan.routes)
    )
