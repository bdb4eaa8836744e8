"""Choose the service of a plan: headways of every route by hour, and its bus type in a mixed fleet."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.text import how_many
from owlbus.timetable.choose_bus_types import choose_bus_types
from owlbus.timetable.equal_service import group_departures, require_within_wait, rows_with_departures, within_wait
from owlbus.timetable.headways import NO_FLEET, RoutePatterns, equal_headways, fewest_buses, headway_patterns, split_fleet
from owlbus.timetable.pattern_costs import pattern_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.bus_types import BusType
    from owlbus.timetable.equal_service import Districts, GroupDepartures
    from owlbus.timetable.headways import RouteCycle
    from owlbus.timetable.operation import Operation, UnitCosts
    from owlbus.timetable.rider_flows import Flows
    from owlbus.timetable.schedule import Direction


class Supply(NamedTuple):
    """
    What headways are chosen for.

    Attributes
    ----------
    directions
        Two per route, with seconds and metres.
    cycles
        Cycle of each route, seconds.
    flows
        Riders by direction and hour, in 1/1024 a night.
    hours
        Service hours.
    has_runs
        Whether each direction is run, shape (2 K,).
    names
        Names of the routes.
    """

    directions: tuple[Direction, ...]
    cycles: tuple[RouteCycle, ...]
    flows: Flows
    hours: tuple[int, ...]
    has_runs: NDArray[np.bool_]
    names: tuple[str, ...]


class Service(NamedTuple):
    """
    Headways and buses of every route.

    Attributes
    ----------
    route_patterns
        Patterns of each route, with buses of its type.
    rows
        Row of the pattern of each route.
    bus_types
        Type of each route; empty where all buses are alike.
    """

    route_patterns: tuple[RoutePatterns, ...]
    rows: tuple[int, ...]
    bus_types: tuple[BusType, ...]


def choose_service(supply: Supply, operation: Operation, costs: UnitCosts, districts: Districts | None = None) -> Service:
    """
    Headways of every route by hour, and its bus type where there are several.

    Parameters
    ----------
    supply
        Routes and riders, seconds and 1/1024 riders a night.
    operation
        Fleet, headways, bus types and budget.
    costs
        Unit costs, where bus types have none of their own.
    districts
        Districts that need departures in every hour; None for no rule.

    Returns
    -------
    Service
        One pattern a route.

    Raises
    ------
    InfeasibleError
        If the buses or the budget are too few, or no headways keep the limit on waits or give districts their departures.
    """
    by_type = _by_type(supply, operation)
    departures = None
    if districts is not None:
        parts = (districts, supply.directions, supply.cycles, by_type[0], supply.hours, operation.min_departures, supply.has_runs)
        departures = group_departures(*parts)
    if not operation.bus_types:
        return Service(by_type[0], _chosen_patterns(by_type[0], operation, departures), ())
    headways_s = by_type[0][0].headways_s
    work = [pattern_work(cycle, k, supply.directions, supply.has_runs, headways_s, supply.hours) for k, cycle in enumerate(supply.cycles)]
    chosen = choose_bus_types(by_type, work, operation, costs, departures)
    route_patterns = tuple(by_type[kind][k] for k, kind in enumerate(chosen.kinds))
    return Service(route_patterns, chosen.rows, tuple(operation.bus_types[kind] for kind in chosen.kinds))


def _by_type(supply: Supply, operation: Operation) -> list[tuple[RoutePatterns, ...]]:
    """Patterns of each route that keep the limit on waits, by bus type, or of buses that are all alike."""
    sizes = [each.capacity for each in operation.bus_types] or [operation.capacity]
    of_size: dict[int, tuple[RoutePatterns, ...]] = {}
    for size in sorted(set(sizes)):
        each = replace(operation, capacity=size)
        patterns = headway_patterns(supply.cycles, supply.flows, supply.hours, each)
        of_size[size] = within_wait(patterns, supply.cycles, supply.flows, supply.hours, each)
    # The largest buses leave fewest riders behind: what they cannot keep, no others can.
    largest = replace(operation, capacity=max(sizes))
    require_within_wait(of_size[largest.capacity], supply.cycles, supply.flows, supply.hours, largest, supply.names)
    return [of_size[size] for size in sizes]


def _chosen_patterns(
    route_patterns: Sequence[RoutePatterns], operation: Operation, departures: GroupDepartures | None = None
) -> tuple[int, ...]:
    """Row of each route's headway pattern, by the settings for fleet and equal headways and the departures that districts need."""
    if not operation.equal_headways:
        rows = (
            fewest_buses(route_patterns) if operation.fleet is None else split_fleet(route_patterns, operation.fleet, operation.max_wait_s)
        )
        return rows if departures is None or departures.meets(rows) else rows_with_departures(route_patterns, departures, operation.fleet)
    equal = _longest_equal(route_patterns, departures) if operation.fleet is None else equal_headways(route_patterns, operation.fleet)
    if equal is not None and (departures is None or departures.meets(equal)):
        return equal
    longest = int(np.flatnonzero((route_patterns[0].headways_s == operation.max_headway_s).all(axis=1))[0])
    needed = sum(int(patterns.buses[longest]) for patterns in route_patterns)
    if equal is not None or needed >= NO_FLEET:
        rules = ["keeps every wait"] * (operation.max_wait_s is not None) + ["gives every district its departures"] * (
            departures is not None
        )
        msg = f"no headway that is the same on all routes {' and '.join(rules)}; let headways differ"
        raise InfeasibleError(msg, setting="equal_headways", value=True)
    msg = (
        f"one headway of {operation.max_headway_s / 60:g} minutes on {how_many(len(route_patterns), 'route')} takes "
        f"{how_many(needed, 'bus')}, got a fleet of {operation.fleet}; allow a longer headway, more buses or fewer routes"
    )
    raise InfeasibleError(msg, setting="fleet", value=operation.fleet, allowed=(needed, math.inf))


def _longest_equal(route_patterns: Sequence[RoutePatterns], departures: GroupDepartures | None) -> tuple[int, ...] | None:
    """Pattern with the longest headway that all routes may run in all hours; None if there is none."""
    menu = route_patterns[0].headways_s
    for row in np.flatnonzero((menu == menu[:, :1]).all(axis=1))[::-1].tolist():
        rows = (row,) * len(route_patterns)
        if all(patterns.buses[row] < NO_FLEET for patterns in route_patterns) and (departures is None or departures.meets(rows)):
            return rows
    return None
