"""Headways by route and hour: the patterns a route may run, the buses each takes, and the split of a fleet over all of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.timetable.vehicle_blocks import fleet_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.operation import Operation
    from owlbus.timetable.rider_flows import Flows
    from owlbus.timetable.schedule import Direction

NEVER_S = np.int64(2**62)
"""Start of a run that does not exist."""

WAIT_SCALE = 2 * HOUR_S
"""Waits are kept this much larger, so that they are whole: an hour's mean wait is a sum of squares over it."""

_MAX_PERIODS = 5
_UNIFORM_STEP_S = 60
_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """
    What the headways of one route depend on.

    Attributes
    ----------
    both_ends
        Whether runs start from both ends at the first hour; else from the outer terminal, and turn at the inner one.
    turn_s
        Seconds from a start at the first end to being ready at the second, and from a start there to being ready at the
        first; the first end is the outer one.
    is_loop
        Whether both ends are one stop.
    flipped
        Whether the outer end is the route's last stop.
    """

    both_ends: bool
    turn_s: tuple[int, int]
    is_loop: bool
    flipped: bool = False


def lines_of(directions: Sequence[Direction], outer: NDArray[np.bool_], operation: Operation) -> tuple[Line, ...]:
    """
    Line of each route of a plan.

    Parameters
    ----------
    directions
        Two per route.
    outer
        Whether each route's first stop is its outer terminal, shape (K,).
    operation
        Layovers in seconds, and from how many metres a route starts at both ends.

    Returns
    -------
    tuple of Line
        One per route.
    """
    lines = []
    for k, first_is_outer in enumerate(outer.tolist()):
        ways = directions[2 * k : 2 * k + 2]
        turns = [way.ride_s + operation.layover_s(way.ride_s) for way in (ways if first_is_outer else ways[::-1])]
        both = max(way.length_m for way in ways) >= operation.both_ends_from_m
        lines.append(Line(both, (turns[0], turns[1]), bool(ways[0].stops[0] == ways[0].stops[-1]), not first_is_outer))
    return tuple(lines)


def line_runs(
    line: Line, headways_s: NDArray[np.int64], hours: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Starts from both ends, and buses, under each of many patterns of headways.

    The first bus leaves the outer end as the first hour begins; each next one after the headway of the hour in which the one
    before left. Where runs start from both ends, the first at the inner end leaves at the same time, or so much later that
    the buses of both ends take turns, if that takes fewer of them.

    Parameters
    ----------
    line
        The route.
    headways_s
        Seconds between buses by hour, shape (P, n_hours).
    hours
        Service hours.

    Returns
    -------
    out_s, home_s
        Starts at the outer and at the inner end, shape (P, n) each, ascending, padded with `NEVER_S`.
    buses
        Fewest buses that run them without driving empty, shape (P,).
    """
    first_s = np.full(len(headways_s), hours[0] * HOUR_S, np.int64)
    out = _sequence(headways_s, hours, first_s)
    if not line.both_ends:
        home = _later(out, line.turn_s[0])
        return out, home, _buses(line, out, home)
    ready_s = first_s + line.turn_s[0]
    before = np.where(out <= ready_s[:, None], out, 0).max(axis=1)
    phase_s = -(-(ready_s - before) // _UNIFORM_STEP_S) * _UNIFORM_STEP_S
    in_turn = _sequence(headways_s, hours, first_s + np.where(phase_s < headways_s[:, 0], phase_s, 0), out.shape[1])
    out = np.pad(out, ((0, 0), (0, in_turn.shape[1] - out.shape[1])), constant_values=NEVER_S)
    together, turning = _buses(line, out, out), _buses(line, out, in_turn)
    return out, np.where((turning < together)[:, None], in_turn, out), np.minimum(turning, together)


def _sequence(headways_s: NDArray[np.int64], hours: Sequence[int], first_s: NDArray[np.int64], width: int = 0) -> NDArray[np.int64]:
    """Starts one headway after the other until the last hour ends, from the first on; padded to a width at least."""
    end_s = (hours[-1] + 1) * HOUR_S
    now = first_s
    columns: list[NDArray[np.int64]] = []
    while (now < end_s).any() or len(columns) < width:
        columns.append(np.where(now < end_s, now, NEVER_S))
        hour = np.clip(now // HOUR_S - hours[0], 0, len(hours) - 1)
        now = now + headways_s[np.arange(len(now)), hour]
    return np.stack(columns, axis=1)


def _buses(line: Line, out_s: NDArray[np.int64], home_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fewest buses that run each pattern of starts at both ends."""
    there, back = _later(out_s, line.turn_s[0]), _later(home_s, line.turn_s[1])
    if line.is_loop:
        return fleet_of(np.sort(np.concatenate([out_s, home_s], axis=1), axis=1), np.concatenate([there, back], axis=1))
    return fleet_of(out_s, back) + fleet_of(home_s, there)


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """
    The patterns of headways that one route may run.

    Attributes
    ----------
    headways_s
        Seconds between buses by hour, shape (P, n_hours), int64, in lexicographic order.
    buses
        Fewest buses of each, shape (P,), int64.
    wait_units
        Seconds that riders wait, those whom a full bus leaves to the next included, in 1/1024 / `WAIT_SCALE`, shape (P,), int64.
        This is what the split minimises.
    left_units
        Riders whom full buses leave behind on the heaviest segment, in 1/1024, shape (P,), int64.
    """

    headways_s: NDArray[np.int64]
    buses: NDArray[np.int64]
    wait_units: NDArray[np.int64]
    left_units: NDArray[np.int64]

    def best_by_buses(self, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Least waiting with at most so many buses, and the pattern that has it.

        Parameters
        ----------
        most
            Largest number of buses N.

        Returns
        -------
        cost, pattern
            By number of buses, shape (N + 1,), int64; `NEVER_S` and -1 where no pattern does. Ties go to fewer buses, then to the
            first pattern.
        """
        cost = np.full(most + 1, NEVER_S, np.int64)
        pattern = np.full(most + 1, -1, np.int64)
        each = self.wait_units
        order = np.lexsort((each, self.buses))
        counts, first = np.unique(self.buses[order], return_index=True)
        held = counts <= most
        cost[counts[held]], pattern[counts[held]] = each[order[first[held]]], order[first[held]]
        for n in range(1, most + 1):
            if cost[n - 1] <= cost[n]:
                cost[n], pattern[n] = cost[n - 1], pattern[n - 1]
        return cost, pattern


def menu_of(n_hours: int, operation: Operation) -> NDArray[np.int64]:
    """
    All patterns of headways that a route may run.

    Each of the menu's headways in each hour, and every whole minute where all hours are alike. Beyond five hours, hours next
    to each other change together.

    Parameters
    ----------
    n_hours
        Hours of the night.
    operation
        Shortest, longest and usual headways, in seconds.

    Returns
    -------
    ndarray of int64
        Seconds, shape (P, n_hours), unique rows in lexicographic order.
    """
    periods = np.repeat(
        np.arange(min(n_hours, _MAX_PERIODS)), [len(part) for part in np.array_split(np.arange(n_hours), min(n_hours, _MAX_PERIODS))]
    )
    mixed = np.array(list(itertools.product(operation.menu_s, repeat=min(n_hours, _MAX_PERIODS))), np.int64)[:, periods]
    alike = np.arange(operation.min_headway_s, operation.max_headway_s + 1, _UNIFORM_STEP_S)
    return np.unique(np.concatenate([mixed, np.repeat(alike[:, None], n_hours, axis=1)]), axis=0)


def options_of(lines: Sequence[Line], flows: Flows, hours: Sequence[int], operation: Operation) -> tuple[Options, ...]:
    """
    Patterns of every route with their buses, waits and riders left behind.

    Parameters
    ----------
    lines
        One per route.
    flows
        Riders by direction and hour, in 1/1024 a night.
    hours
        Service hours.
    operation
        Headways in seconds and capacity in riders.

    Returns
    -------
    tuple of Options
        One per route.
    """
    menu = menu_of(len(hours), operation)
    options = []
    for k, line in enumerate(lines):
        ways = (2 * k + line.flipped, 2 * k + 1 - line.flipped)
        parts = []
        for row in range(0, len(menu), _ROWS):
            headways = menu[row : row + _ROWS]
            out, home, buses = line_runs(line, headways, hours)
            waits = [
                line_waits(starts, headways, hours, flows.boardings_units[way], flows.load_units[way], operation.capacity * QUANTA_PER_TRIP)
                for starts, way in zip((out, home), ways, strict=True)
            ]
            parts.append((buses, waits[0][0] + waits[1][0], waits[0][1] + waits[1][1]))
        options.append(Options(menu, *(np.concatenate(column) for column in zip(*parts, strict=True))))
    return tuple(options)


def line_waits(
    starts_s: NDArray[np.int64],
    headways_s: NDArray[np.int64],
    hours: Sequence[int],
    boardings_units: NDArray[np.int64],
    load_units: NDArray[np.int64],
    room_units: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Waiting in one direction under each of many patterns of starts.

    Riders come evenly through each hour and take the next bus; beyond the last one the night is taken to go on with its headway.
    Who finds the heaviest segment full waits for one bus more.

    Parameters
    ----------
    starts_s
        Starts in seconds, as `line_runs` returns them, shape (P, n).
    headways_s
        Seconds between buses by hour, shape (P, n_hours).
    hours
        Service hours.
    boardings_units, load_units
        Riders who board and who are on the heaviest segment by hour, in 1/1024, shape (n_hours,).
    room_units
        Riders that a bus holds, in 1/1024.

    Returns
    -------
    wait_units, left_units
        Seconds of wait in 1/1024 / `WAIT_SCALE`, and riders left behind in 1/1024, shape (P,), int64.
    """
    real = starts_s < NEVER_S
    last = np.where(real, starts_s, 0).max(axis=1)
    closing = last + headways_s[np.arange(len(last)), np.clip(last // HOUR_S - hours[0], 0, len(hours) - 1)]
    ends = np.concatenate([np.where(real, starts_s, closing[:, None]), closing[:, None]], axis=1)
    begins = np.concatenate([np.full((len(ends), 1), hours[0] * HOUR_S), ends[:, :-1]], axis=1)
    waits, aboard = np.zeros(len(ends), np.int64), np.zeros(ends.shape, np.int64)
    for column, hour in enumerate(hours):
        low, high = (np.clip(edge, hour * HOUR_S, (hour + 1) * HOUR_S) for edge in (begins, ends))
        waits += boardings_units[column] * ((ends - low) ** 2 - (ends - high) ** 2).sum(axis=1)
        aboard += load_units[column] * (high - low)
    left = np.where(real, np.maximum(0, aboard[:, :-1] // HOUR_S - room_units), 0)
    return waits + WAIT_SCALE * (left * (ends - begins)[:, 1:]).sum(axis=1), left.sum(axis=1)


def split_fleet(options: Sequence[Options], fleet: int) -> tuple[int, ...]:
    """
    Pattern of each route that together wait least on a fixed fleet, proven.

    A multiple-choice knapsack: choose one pattern a route, buses <= fleet, least sum of costs. Bellman's recursion over routes [1]_ is
    exact whatever the costs look like; where each route's cost is convex in its buses it gives what marginal allocation
    gives (Fox [2]_), but a bus more may change nothing on a long route and the next one much.

    Parameters
    ----------
    options
        Patterns of each route.
    fleet
        Number of buses.

    Returns
    -------
    tuple of int
        Row of the pattern of each route; ties go to fewer buses on later routes.

    Raises
    ------
    InfeasibleError
        If even the fewest buses are more than the fleet.

    References
    ----------
    .. [1] Bellman (1957), Dynamic Programming, Princeton University Press.
    .. [2] Fox (1966), Discrete optimization via marginal analysis, Management Science 13, 210-216.
    """
    least = sum(int(one.buses.min()) for one in options)
    if least > fleet:
        longest_s = max((int(one.headways_s.max()) for one in options), default=0)
        msg = (
            f"a headway of at most {longest_s} s on {len(options)} routes takes {least} buses, got a fleet of {fleet}; "
            "allow a longer headway, more buses or fewer routes"
        )
        raise InfeasibleError(msg, setting="fleet", value=fleet, allowed=(least, math.inf))
    curves = [one.best_by_buses(fleet) for one in options]
    total = np.zeros(fleet + 1, np.int64)
    spent = []
    for cost, _ in curves:
        table = np.full((fleet + 1, fleet + 1), NEVER_S, np.int64)
        for n in np.flatnonzero(cost < NEVER_S).tolist():
            before = total[: fleet + 1 - n]
            table[n:, n] = np.where(before < NEVER_S, np.where(before < NEVER_S, before, 0) + cost[n], NEVER_S)
        spent.append(table.argmin(axis=1))
        total = table.min(axis=1)
    chosen = []
    left = fleet
    for (_, pattern), choice in zip(reversed(curves), reversed(spent), strict=True):
        chosen.append(int(pattern[choice[left]]))
        left -= int(choice[left])
    return tuple(reversed(chosen))


def fewest_buses(options: Sequence[Options]) -> tuple[int, ...]:
    """
    Pattern of each route that leaves fewest behind, then takes fewest buses, then waits least.

    Parameters
    ----------
    options
        Patterns of each route.

    Returns
    -------
    tuple of int
        Row of the pattern of each route.
    """
    return tuple(int(np.lexsort((one.wait_units, one.buses, one.left_units))[0]) for one in options)


def equal_headways(options: Sequence[Options], fleet: int) -> tuple[int, ...] | None:
    """
    Pattern of each route if all routes and hours had one headway, the shortest that the fleet can run.

    Parameters
    ----------
    options
        Patterns of each route, over one menu.
    fleet
        Number of buses.

    Returns
    -------
    tuple of int or None
        Row of the pattern, the same for all routes; None if no common headway fits the fleet.
    """
    menu = options[0].headways_s
    for row in np.flatnonzero((menu == menu[:, :1]).all(axis=1)).tolist():
        if sum(int(one.buses[row]) for one in options) <= fleet:
            return (row,) * len(options)
    return None


def _later(starts_s: NDArray[np.int64], seconds: int) -> NDArray[np.int64]:
    """Starts moved by so many seconds; runs that do not exist stay so."""
    moved: NDArray[np.int64] = np.where(starts_s < NEVER_S, np.where(starts_s < NEVER_S, starts_s, 0) + seconds, NEVER_S)
    return moved
