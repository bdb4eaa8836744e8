"""What differs by day type: its demand, the routes that run, their buses, and a timetable in which the other routes have no run."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import InfeasibleError
from owlbus.common.progress import current_progress
from owlbus.plan import Plan, plan_measures
from owlbus.search.objective import Objective
from owlbus.search.point_counts import PointCounter
from owlbus.search.polish import PublishedValue
from owlbus.search.problem import Problem
from owlbus.timetable.build import build_timetable
from owlbus.timetable.schedule import Timetable, plan_directions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.build import TimetableReport
    from owlbus.timetable.day_types import DayType
    from owlbus.timetable.operation import Operation, UnitCosts

_MOST_CHOICES = 40
"""Choices of routes that are all tried; above, routes are dropped one by one."""


def nights_on(demand: Demand, day_type: DayType) -> tuple[int, ...]:
    """
    Nights of a demand that fall on the days of a day type.

    Parameters
    ----------
    demand
        Trips by night.
    day_type
        Days of the week.

    Returns
    -------
    tuple of int
        Indices into `Demand.nights`; none where nights carry no date, or no night falls on these days.
    """
    return tuple(k for k, night in enumerate(demand.nights) if night is not None and night.weekday() in day_type.days)


def demand_on(demand: Demand, day_type: DayType, *, min_count: float = MIN_COUNT) -> Demand:
    """
    Demand of the nights of a day type.

    What is published is chosen from it, so a part too small for its figures to be printed counts as the mean night.

    Parameters
    ----------
    demand
        Trips and people a night.
    day_type
        Days of the week.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    Demand
        Means over its nights; the demand of all nights where none falls on these days, or too few trips or people are counted on them.
    """
    nights = nights_on(demand, day_type)
    if not nights or len(nights) == demand.n_nights:
        return demand
    part, publisher = demand.slice(nights=nights), Publisher(min_count)
    counted = [part.total_presence, *([part.total_trips] if demand.counts_trips else [])]
    return part if all(map(publisher.is_enough, counted)) else demand


def has_too_few(demand: Demand, day_type: DayType, *, min_count: float = MIN_COUNT) -> bool:
    """
    Tell whether too few trips or people are counted on the nights of a day type for it to have a demand of its own.

    Parameters
    ----------
    demand
        Trips and people a night.
    day_type
        Days of the week.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    bool
        False too where none of its nights is in the records, or all are.
    """
    n_nights = len(nights_on(demand, day_type))
    return 0 < n_nights < demand.n_nights and demand_on(demand, day_type, min_count=min_count) is demand


def routes_on(
    network: Network,
    demand: Demand,
    plan: Plan,
    day_type: DayType,
    rule: ServiceRule | None = None,
    *,
    min_count: float = MIN_COUNT,
) -> Plan:
    """
    Routes of a plan that run on the nights of a day type: as many as it says, those that serve most trips.

    Up to 40 choices are all tried. Of more, the route that serves least beside the others is dropped, one after another. A demand of people
    alone counts people near a stop. Counts are compared as they are printed; ties keep the routes that stand first.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips and people on the nights of the day type.
    plan
        The routes.
    day_type
        With the number of routes that run.
    rule
        When a trip counts as served; the defaults if None.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    Plan
        In the plan's order; the plan itself if all run.
    """
    n_routes = day_type.n_routes
    if n_routes is None or n_routes >= len(plan):
        return plan
    current_progress().step(f"Choose {n_routes} of {len(plan)} routes for {day_type.name}")
    counter = PointCounter.build(Problem.build(network, demand, rule), demand)
    value, publisher = PublishedValue.on(counter, Objective.of_counted("served", demand), demand), Publisher(min_count)

    def part(rows: tuple[int, ...]) -> Plan:
        return Plan(tuple(plan.routes[k] for k in rows), plan.network_fingerprint)

    def worth(rows: tuple[int, ...]) -> float:
        exact = value.of(part(rows))
        return exact if publisher.is_exact else publisher.count(exact)

    rows = tuple(range(len(plan)))
    if math.comb(len(rows), n_routes) <= _MOST_CHOICES:
        return part(max(combinations(rows, n_routes), key=worth))
    while len(rows) > n_routes:
        rows = max(combinations(rows, len(rows) - 1), key=worth)
    return part(rows)


def busiest_day_type(
    network: Network,
    demand: Demand,
    plan: Plan,
    day_types: Sequence[DayType],
    rule: ServiceRule | None = None,
    *,
    min_count: float = MIN_COUNT,
) -> DayType:
    """
    Day type that takes the most buses, as the scorecard counts them; of several the first.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips by night.
    plan
        The routes.
    day_types
        Headways in seconds, and the number of routes that run; one at least.
    rule
        When a trip counts as served; the defaults if None.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    DayType
        One of them.
    """

    def buses(day_type: DayType) -> int:
        running = routes_on(network, demand_on(demand, day_type, min_count=min_count), plan, day_type, rule, min_count=min_count)
        return plan_measures(network, running, day_type.max_headway_s).total_buses

    return max(day_types, key=buses)


def timetable_on(
    network: Network,
    demand: Demand,
    running: Plan,
    operation: Operation,
    rule: ServiceRule | None = None,
    *,
    min_count: float = MIN_COUNT,
    groups: ArrayLike | None = None,
    costs: UnitCosts | None = None,
) -> tuple[Timetable, TimetableReport, Operation]:
    """
    Timetable of a day type: with the buses that the scorecard counts for its policy headway, unless the settings give a fleet.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips by hour on the nights of the day type.
    running
        Routes that run on them.
    operation
        Settings; headways in seconds.
    rule
        When a trip counts as served; the defaults if None.
    min_count
        Riders a night of which printed counts are multiples; -1 for open data.
    groups
        Label of each hex, as `owlbus.timetable.build.build_timetable` takes it.
    costs
        Unit costs, as `owlbus.timetable.build.build_timetable` takes them.

    Returns
    -------
    Timetable, TimetableReport, Operation
        Runs of one night, how they were chosen, and the settings with their fleet: None where the buses of the scorecard cannot keep all
        settings, and the fewest that do were taken.

    Raises
    ------
    InfeasibleError
        If a given fleet is too small, or no headway keeps the settings.
    """
    more: dict[str, Any] = {"min_count": min_count, "groups": groups, "costs": costs}
    if operation.fleet is not None or operation.bus_types:
        return *build_timetable(network, demand, running, operation, rule, **more), operation
    counted = replace(operation, fleet=max(1, plan_measures(network, running, operation.max_headway_s).total_buses))
    try:
        return *build_timetable(network, demand, running, counted, rule, **more), counted
    except InfeasibleError:
        return *build_timetable(network, demand, running, operation, rule, **more), operation


def with_idle_routes(network: Network, plan: Plan, table: Timetable, operation: Operation) -> Timetable:
    """
    Timetable on all routes of a plan, of which some do not run.

    Parameters
    ----------
    network
        The plan's network.
    plan
        All routes.
    table
        Runs of some of them, in seconds.
    operation
        Dwell times and layovers, in seconds.

    Returns
    -------
    Timetable
        The same runs and blocks; routes that the timetable lacks have none.
    """
    if table.plan is plan:
        return table
    row_of = np.array([plan.names.index(name) for name in table.plan.names], np.int64)
    direction = 2 * row_of[table.run_direction // 2] + table.run_direction % 2
    directions = plan_directions(network, plan, operation)
    types = dict(zip(table.plan.names, table.bus_types, strict=False))
    all_types = tuple(types.get(name) for name in plan.names) if types else ()
    return Timetable(plan, table.hours, directions, direction.astype(np.int32), table.run_start_s, table.run_block, all_types)
