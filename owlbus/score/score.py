"""Scorecard of a plan on a demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError
from owlbus.common.units import hour_label
from owlbus.plan import Plan, plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.score.card import (
    Coverage,
    Measure,
    RouteScore,
    Scorecard,
    Segment,
)
from owlbus.score.carried_score import carried_score
from owlbus.score.plan_coverage import CoverageOfPlans
from owlbus.search.point_counts import FAR, PointCounter
from owlbus.search.problem import Problem
from owlbus.search.travel_time_objective import mean_travel_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.measures import PlanMeasures
    from owlbus.search.point_counts import PlanCounts, PlanFlows
    from owlbus.search.ride_service import RideService

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def score_plan(
    network: Network,
    demand: Demand,
    plan: Plan,
    *,
    rule: ServiceRule | None = None,
    headway_s: int = RouteLimits().headway_s,
    groups: ArrayLike | None = None,
    sources: Mapping[str, Demand] | None = None,
    min_count: float = MIN_COUNT,
    count_by: str = "area",
    service: RideService | None = None,
) -> Scorecard:
    """
    Measure a plan on a demand.

    A trip counts as served as `ServiceRule` says. Hexes count by their share of area within the walk of a stop; see `PointCounter`. By the
    centre they count whole, with the arithmetic that the search uses: both then agree to the last bit.

    Parameters
    ----------
    network
        Stop network that the plan's stops belong to.
    demand
        Trips and people on the network's grid.
    plan
        Any plan on this network; its routes may pass a stop twice.
    rule
        When a trip counts as served; the defaults of `ServiceRule` if None.
    headway_s
        Seconds between buses, for the fleet.
    groups
        Label of each hex, shape (H,), such as its district; coverage is given for trips that start in each.
    sources
        Demand by source, such as calls and taxi apart, to be scored too.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    count_by
        ``area``, as figures are published, or ``centre``, as the search counts.
    service
        How buses run and who rides, to count the trips that the plan carries, hexes by their centre as the search does; None for no such
        figure.

    Returns
    -------
    Scorecard
        All measures that need no timetable.

    Raises
    ------
    DataError
        If demand, plan and network do not belong together.
    InfeasibleError
        If the fleet of `service` cannot run the plan.
    """
    problem = Problem.build(network, demand, rule, by_hour=service is not None)
    counter = PointCounter.build(problem, demand, *(sources or {}).values(), count_by=count_by)
    covered = _Covered(counter, counter.count(plan))
    whole = covered.coverage(demand, intervals=True)
    index, trips = covered.mean_trips(demand)[:2]
    flows = counter.flows(plan, [(index, trips)], by_route=True)
    measures = plan_measures(network, plan, headway_s)
    carried = carried_score(problem, demand, plan, service) if service and demand.counts_trips else None
    return Scorecard(
        coverage=whole,
        hexes_share=float(covered.counts.reached_share.mean()),
        **_trip_means(counter, demand, plan, flows),
        mean_circuity=_mean_circuity(measures),
        overlap_share=_overlap_share(network, plan),
        total_length_m=measures.total_length_m,
        total_buses=measures.total_buses,
        routes=_route_scores(covered, plan, measures, flows, demand.presence_by_hex()),
        segments=_segments(plan, flows),
        rule=problem.rule,
        headway_s=headway_s,
        walk_m=float(network.walk_m),
        walk_rule=counter.points.rule,
        by_hour={hour_label(hour): covered.coverage(demand.slice(hours=[hour])) for hour in demand.known_hours},
        by_weekday=_by_weekday(covered, demand),
        by_group=_by_group(covered, demand, groups),
        by_source=dict(zip(sources or {}, map(covered.coverage, (sources or {}).values()), strict=True)),
        min_count=min_count,
        carried=carried,
        **_counted(demand),
    )


def _counted(demand: Demand) -> dict[str, Any]:
    """Return what a demand counts, as fields of a scorecard."""
    return {"n_nights": demand.n_nights, "people_counted": demand.people_counted, "trips_counted": demand.counts_trips}


def _trip_means(counter: PointCounter, demand: Demand, plan: Plan, flows: PlanFlows) -> dict[str, Any]:
    """Return means of trips by name; None where none are counted."""
    riders = float(flows.riders_trips[0]) or 1.0
    if not demand.counts_trips:
        return dict.fromkeys(("transfer_share", "mean_ride_s", "mean_walk_m", "mean_travel_s"))
    return {
        "transfer_share": float(flows.transfers_trips[0]) / riders,
        "mean_ride_s": float(flows.ride_s[0]) / riders,
        "mean_walk_m": flows.walk_m / riders,
        "mean_travel_s": mean_travel_s(counter.problem, plan, [(band.hours, band.problem) for band in counter.bands], demand),
    }


class _Covered:
    """Shares of hexes that a plan reaches, and of trips between hexes that it serves."""

    def __init__(self, counter: PointCounter, counts: PlanCounts) -> None:
        self.counter, self.counts = counter, counts

    def mean_trips(self, demand: Demand) -> tuple[NDArray[Any], ...]:
        """Index of each pair, its trips a night, and the hex where they start; shape (n,) each."""
        parts = [(index, pairs.trips, pairs.origin) for pairs, index in self.counter.mean_trips(demand)]
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def coverage(self, demand: Demand, *, intervals: bool = False) -> Coverage:
        """Coverage of a demand: means per night, with 90 % intervals over nights if `intervals`."""
        return CoverageOfPlans(self.counter, demand, intervals=intervals).of(self.counts)


def _mean_circuity(measures: PlanMeasures) -> float:
    """Mean over routes whose terminals differ; 0 if there is none."""
    finite = measures.circuity[np.isfinite(measures.circuity)]
    return float(finite.mean()) if finite.size else 0.0


def _by_weekday(covered: _Covered, demand: Demand) -> dict[str, Coverage]:
    """Coverage by weekday of the night's evening; empty if nights carry no date."""
    if any(night is None for night in demand.nights):
        return {}
    present = sorted({night.weekday() for night in demand.nights if night is not None})
    return {_WEEKDAYS[day]: covered.coverage(demand.slice(weekdays=[day])) for day in present}


def _by_group(covered: _Covered, demand: Demand, groups: ArrayLike | None) -> dict[str, Coverage]:
    """Coverage of people in, and trips from, the hexes of each group."""
    if groups is None:
        return {}
    labels = np.asarray(groups)
    if labels.shape != (demand.n_hexes,):
        msg = f"groups must name each of {demand.n_hexes} hexes once, got shape {labels.shape}"
        raise DataError(msg)
    names, group = np.unique(labels, return_inverse=True)
    (index, all_trips, origin), people = covered.mean_trips(demand), demand.presence_by_hex()
    starts, n = group[origin], names.size
    near, all_people = (np.bincount(group, part, n) for part in (people * covered.counts.reached_share, people))
    trips, served, direct = (
        np.bincount(starts, all_trips * share, n) for share in (1.0, covered.counts.served_share[index], covered.counts.direct_share[index])
    )
    return {
        str(name): Coverage(
            presence=Measure(float(near[k]), float(all_people[k])),
            served=Measure(float(served[k]), float(trips[k])),
            direct=Measure(float(direct[k]), float(trips[k])),
        )
        for k, name in enumerate(names)
    }


def _route_scores(
    covered: _Covered, plan: Plan, measures: PlanMeasures, flows: PlanFlows, people: NDArray[np.float64]
) -> tuple[RouteScore, ...]:
    """One row per route; what only it serves is the value of the plan less the value without it."""
    rows = []
    near = covered.counts.reached
    for k, route in enumerate(plan.routes):
        others = Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
        only = near & (covered.counter.reach_m(others) == FAR)
        rows.append(
            RouteScore(
                name=route.name,
                n_stops=int(measures.n_stops[k]),
                length_m=int(measures.longer_length_m[k]),
                ride_s=int(measures.longer_ride_s[k]),
                cycle_s=int(measures.cycle_s[k]),
                circuity=float(min(measures.circuity[k], 1e6)),
                buses=int(measures.buses[k]),
                boardings_trips=float(flows.boardings_trips[0, k, 0]),
                transfers_trips=float(flows.boardings_trips[0, k, 1]),
                max_load_trips=float(max(flows.ahead_trips[0, k].max(), flows.back_trips[0, k].max())),
                only_served_trips=float(flows.only_served_trips[k]),
                only_presence=float(people @ only.mean(axis=1)),
            )
        )
    return tuple(rows)


def _segments(plan: Plan, flows: PlanFlows) -> tuple[Segment, ...]:
    """Riders on every segment of every route."""
    return tuple(
        Segment(route.name, place, float(flows.ahead_trips[0, k, place]), float(flows.back_trips[0, k, place]))
        for k, route in enumerate(plan.routes)
        for place in range(len(route.positions) - 1)
        if place != route.n_stops - 1
    )


def _overlap_share(network: Network, plan: Plan) -> float:
    """Share of route metres, in either direction, on links that another route uses too."""
    users: dict[tuple[int, int], set[int]] = {}
    runs: list[tuple[tuple[int, int], int]] = []
    for k, route in enumerate(plan.routes):
        for a, b in route.segments:
            metres = network.link(a, b)[1]
            link = (min(a, b), max(a, b))
            users.setdefault(link, set()).add(k)
            runs.append((link, metres))
    total = sum(metres for _, metres in runs)
    return sum(metres for link, metres in runs if len(users[link]) > 1) / total if total else 0.0
