"""Build the timetable of a plan: headways, runs, timed transfers and vehicle blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.plan.limits import ServiceRule
from owlbus.plan.measures import drive_s
from owlbus.timetable.choose_service import Supply, choose_service
from owlbus.timetable.equal_service import Districts, least_departures
from owlbus.timetable.headways import NEVER_S, WAIT_SCALE, equal_headways, fewest_buses, route_cycles, route_starts
from owlbus.timetable.operation import Operation, UnitCosts
from owlbus.timetable.rider_choice import accept, ride_terms
from owlbus.timetable.rider_flows import find_riders, flows_of, printed_riders
from owlbus.timetable.schedule import Timetable, outer_first, plan_directions, ready_stop
from owlbus.timetable.timed_transfers import TimedTransfers, time_transfers
from owlbus.timetable.type_totals import night_cost
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.timetable.bus_types import BusType
    from owlbus.timetable.choose_service import Service
    from owlbus.timetable.headways import RouteCycle, RoutePatterns
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction

_CENT = 0.01
"""What rounding may add to the cost of a night."""


@dataclass(frozen=True, slots=True, eq=False)
class TimetableReport:
    """
    How the headways and offsets of a timetable were chosen.

    Attributes
    ----------
    operation
        Settings of the timetable.
    both_ends
        Whether each route starts from both ends at the first hour, K values.
    wait_s
        Mean wait in seconds under the chosen headways, over all boardings. Riders whom a full bus leaves behind wait for the next.
    equal_headway_s, equal_wait_s
        Shortest headway in seconds that the same fleet can run on all routes, and its mean wait in seconds; None if there is none, and for
        a fleet of several types.
    left_trips
        Riders a night whom full buses leave behind.
    meets
        Offsets of the routes, and the transfer waits without and with them.
    boardings_trips
        Boardings a night that the waits are means over.
    uncrowded_fleet
        Buses with which full buses leave the fewest riders behind that any number of them can; None if unknown, and for a fleet of
        several types.
    min_count
        Riders a night of which printed counts are multiples; -1 for open data. All figures are computed from printed counts.
    """

    operation: Operation
    both_ends: tuple[bool, ...]
    wait_s: float
    equal_headway_s: int | None
    equal_wait_s: float | None
    left_trips: float
    meets: TimedTransfers
    boardings_trips: float = 0.0
    uncrowded_fleet: int | None = None
    min_count: float = MIN_COUNT


def build_timetable(
    network: Network,
    demand: Demand,
    plan: Plan,
    operation: Operation | None = None,
    rule: ServiceRule | None = None,
    *,
    min_count: float = MIN_COUNT,
    groups: ArrayLike | None = None,
    costs: UnitCosts | None = None,
) -> tuple[Timetable, TimetableReport]:
    """
    Timetable of a plan: headways by route and hour, runs, timed transfers and vehicle blocks.

    A timetable is published, so it is chosen from printed counts of riders and people alone, by route, hour and place of a change. With
    `Operation.choice`, those are the riders who accept the headway of a fleet that is shared out by cycle time. With `Operation.bus_types`,
    each route gets a type together with its headways, so that full buses leave fewest riders behind, and of such choices one with the least
    waiting, and then the least cost.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips by hour on the network's grid; its hours are the timetable's.
    plan
        The routes, one at least.
    operation
        Fleet, capacity and headways; the defaults if None.
    rule
        When a trip counts as served; the defaults if None.
    min_count
        Riders a night of which printed counts are multiples; -1 for open data.
    groups
        Label of each hex, shape (H,), such as its district, in which `Operation.min_departures` count in every hour; None for no rule.
    costs
        Unit costs of a night, for bus types that have none of their own; the defaults if None.

    Returns
    -------
    Timetable, TimetableReport
        Runs of one service night in seconds since its noon minus 12 h, and how they were chosen.

    Raises
    ------
    InfeasibleError
        If the fleet or the budget is too small for the policy headway, or headways cannot keep the limit on waits or give districts their
        departures.
    UsageError
        If districts need departures and are not named.
    DataError
        If demand, plan and network do not belong together, or the plan has no route.
    PrivacyError
        If `min_count` protects nobody.
    """
    by_people = Publisher(min_count)
    if not plan.routes:
        msg = "a timetable needs a plan of at least one route, got none"
        raise DataError(msg)
    operation, rule, costs = operation or Operation(), rule or ServiceRule(), costs or UnitCosts()
    publisher = Publisher(operation.published_base(min_count))
    directions = plan_directions(network, plan, operation)
    one_way_s = {k: drive_s(network, *route.stops[[-1, 0]].tolist()) for k, route in enumerate(plan.routes) if len(route.ways) == 1}
    has_runs = np.array([row % 2 == 0 or row // 2 not in one_way_s for row in range(len(directions))])
    cycles = route_cycles(directions, outer_first(network, demand, plan, by_people), operation, one_way_s)
    riders = find_riders(network, demand, plan, rule, 1.0 if operation.choice else operation.uptake_share)
    if operation.choice is not None:
        headway_s = np.full((len(directions), len(riders.hours)), _likely_headway_s(cycles, operation))
        riders = accept(riders, ride_terms(network, riders, directions, headway_s), operation.choice)
    flows = flows_of(riders, directions, rule.transfer_s).printed(publisher, has_runs)
    districts = Districts.of(network, groups) if operation.min_departures else None
    supply = Supply(directions, cycles, flows, demand.hours, has_runs, plan.names)
    service = choose_service(supply, operation, costs, districts)
    row, start_s = _runs(cycles, service.route_patterns, service.rows, demand.hours)
    row, start_s = row[has_runs[row]], start_s[has_runs[row]]
    known = printed_riders(riders, directions, publisher)

    def table_of(start_s: NDArray[np.int64]) -> Timetable:
        return _timetable(plan, demand.hours, directions, (row, start_s), operation, one_way_s, service.bus_types)

    transfers, table = _offset_table(known, directions, (row, start_s), operation, districts, table_of, costs)
    report = _report(service, cycles, operation, transfers, int(flows.boardings_quanta.sum()), table.fleet)
    return table, replace(report, min_count=publisher.min_count)


def _likely_headway_s(cycles: Sequence[RouteCycle], operation: Operation) -> int:
    """Headway in seconds that people expect before any is chosen: that of buses shared out by cycle, or the longest without a fleet."""
    if operation.most_buses is None:
        return operation.max_headway_s
    shared_s = -(-sum(sum(cycle.turn_s) for cycle in cycles) // operation.most_buses)
    return min(operation.max_headway_s, max(operation.min_headway_s, shared_s))


def _offset_table(
    riders: Riders,
    directions: Sequence[Direction],
    runs: tuple[NDArray[np.int64], NDArray[np.int64]],
    operation: Operation,
    districts: Districts | None,
    table_of: Callable[[NDArray[np.int64]], Timetable],
    costs: UnitCosts,
) -> tuple[TimedTransfers, Timetable]:
    """
    Timed transfers, and the timetable with their offsets.

    There are none where they would take a district's departure into another hour, or cost more than the budget: where rides take longer in
    some hours, buses that start later may take longer.
    """
    row, start_s = runs
    transfers = time_transfers(riders, directions, row, start_s, operation)
    moved_s = start_s + np.array(transfers.offset_s, np.int64)[row // 2]
    table = table_of(moved_s)
    keeps = operation.budget is None or night_cost(table, costs) <= operation.budget + _CENT
    if districts is not None:
        before, after = (least_departures(districts, directions, row, starts, riders.hours) for starts in (start_s, moved_s))
        keeps = keeps and bool((np.minimum(before, operation.min_departures) <= after).all())
    if keeps or not any(transfers.offset_s):
        return transfers, table
    return time_transfers(riders, directions, row, start_s, replace(operation, max_offset_s=0)), table_of(start_s)


def _runs(
    cycles: Sequence[RouteCycle], route_patterns: Sequence[RoutePatterns], chosen: Sequence[int], hours: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Direction and start of every run, routes in order."""
    rows, starts = [], []
    for k, (cycle, patterns) in enumerate(zip(cycles, route_patterns, strict=True)):
        outer_s, inner_s, _ = route_starts(cycle, patterns.headways_s[[chosen[k]]], hours)
        for row, padded in zip(cycle.directions_of(k), (outer_s[0], inner_s[0]), strict=True):
            starts.append(padded[padded < NEVER_S])
            rows.append(np.full(len(starts[-1]), row))
    return np.concatenate(rows), np.concatenate(starts)


def _timetable(
    plan: Plan,
    hours: tuple[int, ...],
    directions: tuple[Direction, ...],
    runs: tuple[NDArray[np.int64], NDArray[np.int64]],
    operation: Operation,
    one_way_s: Mapping[int, int],
    bus_types: tuple[BusType, ...],
) -> Timetable:
    """Timetable of runs in any order, with the fewest buses. Blocks stay on a route, or with interlining on routes of one bus type."""
    row, start_s = runs
    order = np.lexsort((row, start_s))
    row, start_s = row[order], start_s[order]
    turn_s = np.array([each.ride_s + operation.layover_s(each.ride_s) + one_way_s.get(each.route, 0) for each in directions])
    pools: list[object] = [direction.route for direction in directions]
    if operation.interline:
        pools = [bus_types[direction.route].name if bus_types else "" for direction in directions]
    from_stops = [(pools[d], int(directions[d].stops[0])) for d in row.tolist()]
    to_stops = [(pools[d], ready_stop(plan, directions[d])) for d in row.tolist()]
    blocks = build_blocks(start_s, start_s + turn_s[row], from_stops, to_stops)
    return Timetable(plan, hours, directions, row.astype(np.int32), start_s.astype(np.int32), blocks, bus_types)


def _report(
    service: Service, cycles: Sequence[RouteCycle], operation: Operation, transfers: TimedTransfers, boardings_quanta: int, fleet: int
) -> TimetableReport:
    """Mean wait under the chosen patterns, and under equal headways with the same fleet where all buses are alike."""

    def mean_wait_s(rows: Sequence[int]) -> float:
        wait = sum(int(patterns.wait_quanta[row]) for patterns, row in zip(service.route_patterns, rows, strict=True))
        return wait / (WAIT_SCALE * max(1, boardings_quanta))

    equal = None if operation.bus_types else equal_headways(service.route_patterns, operation.fleet or fleet)
    left_quanta = sum(int(patterns.left_quanta[row]) for patterns, row in zip(service.route_patterns, service.rows, strict=True))
    uncrowded = None
    if not operation.bus_types:
        rows = zip(service.route_patterns, fewest_buses(service.route_patterns), strict=True)
        uncrowded = sum(int(patterns.buses[row]) for patterns, row in rows)
    return TimetableReport(
        operation,
        tuple(cycle.both_ends for cycle in cycles),
        mean_wait_s(service.rows),
        None if equal is None else int(service.route_patterns[0].headways_s[equal[0], 0]),
        None if equal is None else mean_wait_s(equal),
        left_quanta / QUANTA_PER_TRIP,
        transfers,
        boardings_quanta / QUANTA_PER_TRIP,
        uncrowded,
    )
