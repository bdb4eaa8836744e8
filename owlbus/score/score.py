"""Scorecard of a plan on a demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP, hour_label
from owlbus.kernels.assignment import assign_rides
from owlbus.plan import Plan, plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.score.card import (
    Coverage,
    Measure,
    RouteScore,
    Scorecard,
    Segment,
)
from owlbus.score.intervals import share_interval
from owlbus.search.objective import Objective
from owlbus.search.problem import Problem, reached_hexes
from owlbus.search.travel_time_objective import mean_travel_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.kernels.assignment import Loads
    from owlbus.network import Network
    from owlbus.plan.measures import PlanMeasures

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
) -> Scorecard:
    """
    Measure a plan on a demand.

    A trip counts as served as `ServiceRule` says, with the arithmetic that the search uses: both agree to the last bit.

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
        Trips or people a night below which a count is not published; -1 for open data.

    Returns
    -------
    Scorecard
        All measures that need no timetable.

    Raises
    ------
    DataError
        If demand, plan and network do not belong together.
    """
    problem = Problem.build(network, demand, rule)
    covered = _Covered(problem, plan)
    whole = covered.coverage(demand, intervals=True)
    loads = _loads(problem, plan)
    measures = plan_measures(network, plan, headway_s)
    return Scorecard(
        coverage=whole,
        hexes_share=float(covered.reached.mean()),
        **_trip_means(problem, plan, loads, counts_trips=demand.counts_trips),
        mean_circuity=_mean_circuity(measures),
        overlap_share=_overlap_share(network, plan),
        total_length_m=measures.total_length_m,
        total_buses=measures.total_buses,
        routes=_route_scores(problem, plan, measures, loads),
        segments=_segments(plan, loads),
        rule=problem.rule,
        headway_s=headway_s,
        walk_m=float(network.walk_m),
        walk_rule=network.walk_rule,
        n_nights=demand.n_nights,
        by_hour={hour_label(hour): covered.coverage(demand.slice(hours=[hour])) for hour in demand.known_hours},
        by_weekday=_by_weekday(covered, demand),
        by_group=_by_group(covered, demand, groups),
        by_source={name: covered.coverage(part) for name, part in (sources or {}).items()},
        people_counted=demand.people_counted,
        trips_counted=demand.counts_trips,
        min_count=min_count,
    )


def _trip_means(problem: Problem, plan: Plan, loads: Loads, *, counts_trips: bool) -> dict[str, float | None]:
    """Return means of trips by name; None where none are counted."""
    served_quanta = max(1, int(loads.riders))
    if not counts_trips:
        return dict.fromkeys(("transfer_share", "mean_ride_s", "mean_walk_m", "mean_travel_s"))
    return {
        "transfer_share": float(loads.transfers) / served_quanta,
        "mean_ride_s": float(loads.ride_s) / served_quanta,
        "mean_walk_m": float(loads.walk_m) / served_quanta,
        "mean_travel_s": mean_travel_s(problem, plan),
    }


class _Covered:
    """Hexes that a plan reaches, and pairs of hexes that it serves, as masks."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        direct_s, best_s = problem.rides(plan)
        self._row_of = problem.row_of
        self._served = best_s <= problem.limit_s
        self._direct = direct_s <= problem.limit_s
        self.reached = reached_hexes(problem.network, plan)

    def served(self, origin: NDArray[np.int32], destination: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether trips between hexes are served, shape (P,)."""
        return self._among(self._served, origin, destination)

    def direct(self, origin: NDArray[np.int32], destination: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether trips between hexes are served without a transfer, shape (P,)."""
        return self._among(self._direct, origin, destination)

    def _among(self, mask: NDArray[np.bool_], origin: NDArray[np.int32], destination: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Look up pairs of hexes; no trip of a hex without a stop in reach is served."""
        rows, columns = self._row_of[origin], self._row_of[destination]
        return (rows >= 0) & (columns >= 0) & mask[rows, columns]

    def coverage(self, demand: Demand, *, intervals: bool = False) -> Coverage:
        """Coverage of a demand: means per night, with 90 % intervals over nights if `intervals`."""
        pairs = demand.od()
        people = demand.presence_by_hex()
        sums = {
            "presence": (people[self.reached].sum(), people.sum()),
            "served": (pairs.trips[self.served(pairs.origin, pairs.destination)].sum(), pairs.trips.sum()),
            "direct": (pairs.trips[self.direct(pairs.origin, pairs.destination)].sum(), pairs.trips.sum()),
        }
        ranges = self._intervals(demand) if intervals else {}
        return Coverage(**{name: Measure(float(part), float(whole), *ranges.get(name, ())) for name, (part, whole) in sums.items()})

    def _intervals(self, demand: Demand) -> dict[str, tuple[float | None, float | None]]:
        """90 % intervals of the shares over nights."""
        n = demand.n_nights
        people = demand.people_by_night()
        near = self.reached[demand.presence_hex]
        trips = np.bincount(demand.night, demand.trips, n)
        near_people = demand.people_by_night(near)
        is_one_night = demand.people_counted and (near_people == near_people[0]).all() and (people == people[0]).all()
        ranges = {"presence": (None, None) if is_one_night else share_interval(near_people, people)}
        for name, is_served_in in (("served", self.served), ("direct", self.direct)):
            inside = is_served_in(demand.origin, demand.destination)
            ranges[name] = share_interval(np.bincount(demand.night[inside], demand.trips[inside], n), trips)
        return ranges


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
    pairs = demand.od()
    people = demand.presence_by_hex()
    starts = labels[pairs.origin]
    served, direct = (is_served_in(pairs.origin, pairs.destination) for is_served_in in (covered.served, covered.direct))
    parts = {}
    for label in np.unique(labels):
        is_inside, begins_inside = labels == label, starts == label
        trips = float(pairs.trips[begins_inside].sum())
        parts[str(label)] = Coverage(
            presence=Measure(float(people[is_inside & covered.reached].sum()), float(people[is_inside].sum())),
            served=Measure(float(pairs.trips[begins_inside & served].sum()), trips),
            direct=Measure(float(pairs.trips[begins_inside & direct].sum()), trips),
        )
    return parts


def _loads(problem: Problem, plan: Plan) -> Loads:
    """Riders by segment, route and stop; see `owlbus.kernels.assignment.assign_rides`."""
    return assign_rides(
        problem.graph,
        problem.pad(plan),
        problem.network.shed_walk_m,
        problem.demand_matrix,
        float(problem.rule.transfer_s),
        problem.rule.max_transfers,
    )


def _route_scores(problem: Problem, plan: Plan, measures: PlanMeasures, loads: Loads) -> tuple[RouteScore, ...]:
    """One row per route; what only it serves is the value of the plan less the value without it."""
    objectives = (Objective(trips=1, presence=0), Objective(trips=0, presence=1))
    whole = [problem.value(plan, objective) for objective in objectives]
    rows = []
    for k, route in enumerate(plan.routes):
        other_routes = Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
        only = [value - problem.value(other_routes, objective) for value, objective in zip(whole, objectives, strict=True)]
        rows.append(
            RouteScore(
                name=route.name,
                n_stops=int(measures.n_stops[k]),
                length_m=int(measures.longer_length_m[k]),
                ride_s=int(measures.longer_ride_s[k]),
                cycle_s=int(measures.cycle_s[k]),
                circuity=float(min(measures.circuity[k], 1e6)),
                buses=int(measures.buses[k]),
                boardings_trips=loads.boardings[k, 0] / QUANTA_PER_TRIP,
                transfers_trips=loads.boardings[k, 1] / QUANTA_PER_TRIP,
                max_load_trips=max(loads.ahead[k].max(), loads.back[k].max()) / QUANTA_PER_TRIP,
                only_served_trips=only[0] / QUANTA_PER_TRIP,
                only_presence=only[1] / QUANTA_PER_TRIP,
            )
        )
    return tuple(rows)


def _segments(plan: Plan, loads: Loads) -> tuple[Segment, ...]:
    """Riders on every segment of every route."""
    return tuple(
        Segment(route.name, place, loads.ahead[k, place] / QUANTA_PER_TRIP, loads.back[k, place] / QUANTA_PER_TRIP)
        for k, route in enumerate(plan.routes)
        for place in range(route.n_stops - 1)
    )


def _overlap_share(network: Network, plan: Plan) -> float:
    """Share of route metres, in either direction, on links that another route uses too."""
    users: dict[tuple[int, int], set[int]] = {}
    runs: list[tuple[tuple[int, int], int]] = []
    for k, route in enumerate(plan.routes):
        for a, b in zip(route.stops[:-1].tolist(), route.stops[1:].tolist(), strict=True):
            metres = network.link(a, b)[1]
            link = (min(a, b), max(a, b))
            users.setdefault(link, set()).add(k)
            runs.append((link, metres))
    total = sum(metres for _, metres in runs)
    return sum(metres for link, metres in runs if len(users[link]) > 1) / total if total else 0.0
