"""Build the timetable of a plan: headways, runs, timed transfers and vehicle blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError, InfeasibleError
from owlbus.common.text import how_many
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.plan.limits import ServiceRule
from owlbus.plan.measures import drive_s
from owlbus.timetable.equal_service import Districts, group_departures, least_departures, rows_with_departures, within_wait
from owlbus.timetable.headways import (
    NEVER_S,
    NO_FLEET,
    WAIT_SCALE,
    RoutePatterns,
    equal_headways,
    fewest_buses,
    headway_patterns,
    route_cycles,
    route_starts,
    split_fleet,
)
from owlbus.timetable.operation import Operation
from owlbus.timetable.rider_choice import accept, ride_terms
from owlbus.timetable.rider_flows import find_riders, flows_of, printed_riders
from owlbus.timetable.schedule import Timetable, outer_first, plan_directions, ready_stop
from owlbus.timetable.timed_transfers import TimedTransfers, time_transfers
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.timetable.equal_service import GroupDepartures
    from owlbus.timetable.headways import RouteCycle
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction


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
        Shortest headway in seconds that the same fleet can run on all routes, and its mean wait in seconds; None if there is none.
    left_trips
        Riders a night whom full buses leave behind.
    meets
        Offsets of the routes, and the transfer waits without and with them.
    boardings_trips
        Boardings a night that the waits are means over.
    uncrowded_fleet
        Buses with which full buses leave the fewest riders behind that any number of them can, 0 if unknown.
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
    uncrowded_fleet: int = 0
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
) -> tuple[Timetable, TimetableReport]:
    """
    Timetable of a plan: headways by route and hour, runs, timed transfers and vehicle blocks.

    A timetable is published, so it is chosen from printed counts of riders and people alone, by route, hour and place of a change. With
    `Operation.choice`, those are the riders who accept the headway of a fleet that is shared out by cycle time.

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

    Returns
    -------
    Timetable, TimetableReport
        Runs of one service night in seconds since its noon minus 12 h, and how they were chosen.

    Raises
    ------
    InfeasibleError
        If the fleet is too small for the policy headway, or headways cannot keep the limit on waits or give districts their departures.
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
    operation, rule = operation or Operation(), rule or ServiceRule()
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
    route_patterns = within_wait(headway_patterns(cycles, flows, demand.hours, operation), cycles, flows, demand.hours, operation)
    districts = Districts.of(network, groups) if operation.min_departures else None
    departures = None
    if districts is not None:
        departures = group_departures(districts, directions, cycles, route_patterns, demand.hours, operation.min_departures, has_runs)
    chosen = _chosen_patterns(route_patterns, operation, departures)
    row, start_s = _runs(cycles, route_patterns, chosen, demand.hours)
    row, start_s = row[has_runs[row]], start_s[has_runs[row]]
    transfers, start_s = _offset_starts(printed_riders(riders, directions, publisher), directions, (row, start_s), operation, districts)
    table = _timetable(plan, demand.hours, directions, (row, start_s), operation, one_way_s)
    report = _report(route_patterns, chosen, cycles, operation, transfers, int(flows.boardings_quanta.sum()), table.fleet)
    return table, replace(report, min_count=publisher.min_count)


def _likely_headway_s(cycles: Sequence[RouteCycle], operation: Operation) -> int:
    """Headway in seconds that people expect before any is chosen: that of buses shared out by cycle, or the longest without a fleet."""
    if operation.fleet is None:
        return operation.max_headway_s
    shared_s = -(-sum(sum(cycle.turn_s) for cycle in cycles) // operation.fleet)
    return min(operation.max_headway_s, max(operation.min_headway_s, shared_s))


def _chosen_patterns(
    route_patterns: Sequence[RoutePatterns], operation: Operation, departures: GroupDepartures | None = None
) -> tuple[int, ...]:
    """Row of each route's headway pattern, by the settings for fleet and equal headways and the departures that districts need."""
    if not operation.equal_headways:
        rows = fewest_buses(route_patterns) if operation.fleet is None else split_fleet(route_patterns, operation.fleet)
        return rows if departures is None or departures.meets(rows) else rows_with_departures(route_patterns, departures, operation.fleet)
    equal = _longest_equal(route_patterns, departures) if operation.fleet is None else equal_headways(route_patterns, operation.fleet)
    if equal is not None and (departures is None or departures.meets(equal)):
        return equal
    longest = int(np.flatnonzero((route_patterns[0].headways_s == operation.max_headway_s).all(axis=1))[0])
    needed = sum(int(patterns.buses[longest]) for patterns in route_patterns)
    if equal is not None or needed >= NO_FLEET:
        msg = "no headway that is the same on all routes keeps every wait and gives every district its departures; let headways differ"
        raise InfeasibleError(msg, setting="equal_headways", value=True)
    msg = (
        f"one headway of {operation.max_headway_s} s on {how_many(len(route_patterns), 'route')} takes {how_many(needed, 'bus')}, "
        f"got a fleet of {operation.fleet}; allow a longer headway, more buses or fewer routes"
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


def _offset_starts(
    riders: Riders,
    directions: Sequence[Direction],
    runs: tuple[NDArray[np.int64], NDArray[np.int64]],
    operation: Operation,
    districts: Districts | None,
) -> tuple[TimedTransfers, NDArray[np.int64]]:
    """Timed transfers, and the starts with their offsets; none where these would take a district's departure into another hour."""
    row, start_s = runs
    transfers = time_transfers(riders, directions, row, start_s, operation)
    moved_s = start_s + np.array(transfers.offset_s, np.int64)[row // 2]
    if districts is None or not any(transfers.offset_s):
        return transfers, moved_s
    before, after = (least_departures(districts, directions, row, starts, riders.hours) for starts in (start_s, moved_s))
    if (np.minimum(before, operation.min_departures) <= after).all():
        return transfers, moved_s
    return time_transfers(riders, directions, row, start_s, replace(operation, max_offset_s=0)), start_s


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
) -> Timetable:
    """Timetable of runs in any order, with the fewest buses. Without interlining, each route has its own blocks."""
    row, start_s = runs
    order = np.lexsort((row, start_s))
    row, start_s = row[order], start_s[order]
    turn_s = np.array([each.ride_s + operation.layover_s(each.ride_s) + one_way_s.get(each.route, 0) for each in directions])
    pools = [-1 if operation.interline else direction.route for direction in directions]
    from_stops = [(pools[d], int(directions[d].stops[0])) for d in row.tolist()]
    to_stops = [(pools[d], ready_stop(plan, directions[d])) for d in row.tolist()]
    blocks = build_blocks(start_s, start_s + turn_s[row], from_stops, to_stops)
    return Timetable(plan, hours, directions, row.astype(np.int32), start_s.astype(np.int32), blocks)


def _report(
    route_patterns: Sequence[RoutePatterns],
    chosen: Sequence[int],
    cycles: Sequence[RouteCycle],
    operation: Operation,
    transfers: TimedTransfers,
    boardings_quanta: int,
    fleet: int,
) -> TimetableReport:
    """Mean wait under the chosen patterns and under equal headways with the same fleet."""

    def mean_wait_s(rows: Sequence[int]) -> float:
        wait = sum(int(patterns.wait_quanta[row]) for patterns, row in zip(route_patterns, rows, strict=True))
        return wait / (WAIT_SCALE * max(1, boardings_quanta))

    equal = equal_headways(route_patterns, operation.fleet or fleet)
    uncrowded = sum(int(patterns.buses[row]) for patterns, row in zip(route_patterns, fewest_buses(route_patterns), strict=True))
    return TimetableReport(
        operation,
        tuple(cycle.both_ends for cycle in cycles),
        mean_wait_s(chosen),
        None if equal is None else int(route_patterns[0].headways_s[equal[0], 0]),
        None if equal is None else mean_wait_s(equal),
        sum(int(patterns.left_quanta[row]) for patterns, row in zip(route_patterns, chosen, strict=True)) / QUANTA_PER_TRIP,
        transfers,
        boardings_quanta / QUANTA_PER_TRIP,
        uncrowded,
    )
