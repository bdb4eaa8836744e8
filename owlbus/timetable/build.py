"""From a plan to a timetable: headways, runs, meets and buses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, InfeasibleError
from owlbus.common.units import TRIP_UNITS
from owlbus.plan.limits import ServiceRule
from owlbus.timetable.headways import (
    NEVER_S,
    WAIT_SCALE,
    Options,
    equal_headways,
    fewest_buses,
    line_runs,
    lines_of,
    options_of,
    split_fleet,
)
from owlbus.timetable.operation import Operation
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.schedule import Timetable, outer_first, plan_directions
from owlbus.timetable.timed_transfers import TimedTransfers, time_transfers
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.timetable.headways import Line
    from owlbus.timetable.schedule import Direction


@dataclass(frozen=True, slots=True, eq=False)
class TimetableReport:
    """
    How a timetable came about.

    Attributes
    ----------
    operation
        What it was built for.
    both_ends
        Whether each route starts from both ends at the first hour, K of them.
    wait_s
        Mean wait in seconds that the headways were chosen for, over all boardings at the ends of routes, riders whom a full bus
        leaves to the next included.
    equal_headway_s, equal_wait_s
        The shortest common headway that the same buses could run, and its mean wait, in seconds; None if there is none.
    left_trips
        Riders a night whom full buses would leave behind.
    meets
        Offsets and what they do for riders who change.
    """

    operation: Operation
    both_ends: tuple[bool, ...]
    wait_s: float
    equal_headway_s: int | None
    equal_wait_s: float | None
    left_trips: float
    meets: TimedTransfers


def build_timetable(
    network: Network, demand: Demand, plan: Plan, operation: Operation | None = None, rule: ServiceRule | None = None
) -> tuple[Timetable, TimetableReport]:
    """
    Timetable of a plan: headways by route and hour, runs, timed meets, and the buses that drive them.

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

    Returns
    -------
    Timetable, TimetableReport
        The runs of one service night in seconds since its noon minus 12 h, and how they came about.

    Raises
    ------
    InfeasibleError
        If the fleet is too small for the policy headway.
    DataError
        If demand, plan and network do not belong together, or the plan has no route.
    """
    if not plan.routes:
        msg = "a timetable needs a plan of at least one route, got none"
        raise DataError(msg)
    operation, rule = operation or Operation(), rule or ServiceRule()
    directions = plan_directions(network, plan, operation)
    riders = find_riders(network, demand, plan, rule, operation.uptake_share)
    flows = flows_of(riders, directions, rule.transfer_s)
    outer = outer_first(network, demand, plan)
    lines = lines_of(directions, outer, operation)
    options = options_of(lines, flows, demand.hours, operation)
    chosen = _choice(options, operation)
    row, start_s = _runs(lines, options, chosen, outer, demand.hours)
    meets = time_transfers(riders, directions, row, start_s, operation)
    table = _table(plan, demand.hours, directions, row, start_s + np.array(meets.offset_s, np.int64)[row // 2], operation)
    return table, _report(options, chosen, lines, operation, meets, int(flows.boardings_units.sum()), table.fleet)


def _choice(options: Sequence[Options], operation: Operation) -> tuple[int, ...]:
    """Row of the pattern of each route: the best split, or one headway for all, of a fleet or of as few buses as need be."""
    if not operation.equal_headways:
        return fewest_buses(options) if operation.fleet is None else split_fleet(options, operation.fleet)
    longest = int(np.flatnonzero((options[0].headways_s == operation.max_headway_s).all(axis=1))[0])
    if operation.fleet is None:
        return (longest,) * len(options)
    equal = equal_headways(options, operation.fleet)
    if equal is None:
        needed = sum(int(one.buses[longest]) for one in options)
        msg = (
            f"one headway of {operation.max_headway_s} s on {len(options)} routes takes {needed} buses, got a fleet of {operation.fleet}; "
            "allow a longer headway, more buses or fewer routes"
        )
        raise InfeasibleError(msg)
    return equal


def _runs(
    lines: Sequence[Line], options: Sequence[Options], chosen: Sequence[int], outer: NDArray[np.bool_], hours: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Direction and start of every run, routes in order."""
    rows, starts = [], []
    for k, line in enumerate(lines):
        both = line_runs(line, options[k].headways_s[chosen[k]][None, :], hours)
        for end, times in enumerate(both[:2]):
            real = times[0][times[0] < NEVER_S]
            rows.append(np.full(len(real), 2 * k + (end if outer[k] else 1 - end)))
            starts.append(real)
    return np.concatenate(rows), np.concatenate(starts)


def _table(
    plan: Plan,
    hours: tuple[int, ...],
    directions: tuple[Direction, ...],
    row: NDArray[np.int64],
    start_s: NDArray[np.int64],
    operation: Operation,
) -> Timetable:
    """Timetable of runs in any order, with the fewest buses."""
    order = np.lexsort((row, start_s))
    row, start_s = row[order], start_s[order]
    turn_s = np.array([way.ride_s + operation.layover_s(way.ride_s) for way in directions])
    ends = [(int(way.stops[0]), int(way.stops[-1])) for way in directions]
    own = [-1 if operation.interline else way.route for way in directions]
    blocks = build_blocks(
        start_s, start_s + turn_s[row], [(own[d], ends[d][0]) for d in row.tolist()], [(own[d], ends[d][1]) for d in row.tolist()]
    )
    return Timetable(plan, hours, directions, row.astype(np.int32), start_s.astype(np.int32), blocks)


def _report(
    options: Sequence[Options],
    chosen: Sequence[int],
    lines: Sequence[Line],
    operation: Operation,
    meets: TimedTransfers,
    boardings_units: int,
    fleet: int,
) -> TimetableReport:
    """Account of the choice beside equal headways on as many buses."""
    riders = WAIT_SCALE * max(1, boardings_units)
    equal = equal_headways(options, operation.fleet or fleet)
    return TimetableReport(
        operation,
        tuple(line.both_ends for line in lines),
        sum(int(one.wait_units[row]) for one, row in zip(options, chosen, strict=True)) / riders,
        None if equal is None else int(options[0].headways_s[equal[0], 0]),
        None if equal is None else sum(int(one.wait_units[row]) for one, row in zip(options, equal, strict=True)) / riders,
        sum(int(one.left_units[row]) for one, row in zip(options, chosen, strict=True)) / TRIP_UNITS,
        meets,
    )
