"""Choose headways by route and hour: the patterns a route may run, the buses and waits of each, and the split of a fleet."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.kernels.fleet_sizes import fleet_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.operation import Operation
    from owlbus.timetable.rider_flows import Flows
    from owlbus.timetable.schedule import Direction

NEVER_S = np.int64(2**62)
"""Padding of arrays of starts: a run that does not exist."""

WAIT_SCALE = 2 * HOUR_S
"""Factor that makes waits whole numbers: the mean wait of an hour is a sum of squares divided by it."""

NO_FLEET = np.int64(2**40)
"""Buses of a pattern that a route may not run: more than any fleet has."""

_MAX_PERIODS = 5
_UNIFORM_STEP_S = 60
_PATTERNS_PER_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class RouteCycle:
    """
    Cycle of one route: ride and layover in both directions.

    Attributes
    ----------
    both_ends
        Whether runs start from both ends at the first hour. If not, they start from the outer terminal and turn at the inner one.
    turn_s
        Ride and layover in seconds, from the outer end to the inner end and back.
    is_loop
        Whether both ends are the same stop.
    outer_is_last
        Whether the outer end is the route's last stop.
    """

    both_ends: bool
    turn_s: tuple[int, int]
    is_loop: bool
    outer_is_last: bool = False

    def directions_of(self, route: int) -> tuple[int, int]:
        """
        Directions that start at the outer and at the inner end.

        Parameters
        ----------
        route
            Index of the route.

        Returns
        -------
        tuple of int
            Two indices of directions.
        """
        return 2 * route + self.outer_is_last, 2 * route + 1 - self.outer_is_last


def route_cycles(
    directions: Sequence[Direction], outer: NDArray[np.bool_], operation: Operation, one_way_s: Mapping[int, int] | None = None
) -> tuple[RouteCycle, ...]:
    """
    Cycle of each route of a plan, in seconds.

    Parameters
    ----------
    directions
        Two per route.
    outer
        Whether each route's first stop is its outer terminal, shape (K,).
    operation
        Layovers in seconds, and the length in metres from which a route starts at both ends.
    one_way_s
        Seconds of the empty drive back of each route that runs in one direction only, by its index.

    Returns
    -------
    tuple of RouteCycle
        One per route.
    """
    cycles = []
    for k, first_is_outer in enumerate(outer.tolist()):
        pair = directions[2 * k : 2 * k + 2]
        if one_way_s is not None and k in one_way_s:
            turn_s = pair[0].ride_s + operation.layover_s(pair[0].ride_s)
            cycles.append(RouteCycle(both_ends=False, turn_s=(turn_s, one_way_s[k]), is_loop=bool(pair[0].stops[0] == pair[0].stops[-1])))
            continue
        turns = [direction.ride_s + operation.layover_s(direction.ride_s) for direction in (pair if first_is_outer else pair[::-1])]
        both_ends = max(direction.length_m for direction in pair) >= operation.both_ends_from_m
        cycles.append(RouteCycle(both_ends, (turns[0], turns[1]), bool(pair[0].stops[0] == pair[0].stops[-1]), not first_is_outer))
    return tuple(cycles)


def route_starts(
    cycle: RouteCycle, headways_s: NDArray[np.int64], hours: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Starts in seconds from both ends, and buses, under each of many headway patterns.

    The first bus leaves the outer end when the first hour begins. Each later bus follows by the headway of the hour in which the
    bus before it left. If runs start from both ends, the first bus at the inner end leaves at the same time. It leaves later, in
    turn with arriving buses, if that needs fewer buses.

    Parameters
    ----------
    cycle
        Cycle of the route.
    headways_s
        Seconds between buses by hour, shape (P, n_hours).
    hours
        Service hours.

    Returns
    -------
    outer_s, inner_s
        Starts at the outer and at the inner end, shape (P, n) each, ascending, padded with `NEVER_S`.
    buses
        Fewest buses that run them without deadheads, shape (P,).
    """
    first_s = np.full(len(headways_s), hours[0] * HOUR_S, np.int64)
    outer_s = _starts(headways_s, hours, first_s)
    if not cycle.both_ends:
        inner_s = _plus(outer_s, cycle.turn_s[0])
        return outer_s, inner_s, _buses(cycle, outer_s, inner_s)
    ready_s = first_s + cycle.turn_s[0]
    before_s = np.where(outer_s <= ready_s[:, None], outer_s, 0).max(axis=1)
    phase_s = -(-(ready_s - before_s) // _UNIFORM_STEP_S) * _UNIFORM_STEP_S
    in_turn_s = _starts(headways_s, hours, first_s + np.where(phase_s < headways_s[:, 0], phase_s, 0), outer_s.shape[1])
    outer_s = np.pad(outer_s, ((0, 0), (0, in_turn_s.shape[1] - outer_s.shape[1])), constant_values=NEVER_S)
    together, in_turn = _buses(cycle, outer_s, outer_s), _buses(cycle, outer_s, in_turn_s)
    return outer_s, np.where((in_turn < together)[:, None], in_turn_s, outer_s), np.minimum(in_turn, together)


def _starts(headways_s: NDArray[np.int64], hours: Sequence[int], first_s: NDArray[np.int64], width: int = 0) -> NDArray[np.int64]:
    """Starts in seconds of each pattern until the last hour ends, padded to `width` columns or more."""
    end_s = (hours[-1] + 1) * HOUR_S
    now = first_s
    columns: list[NDArray[np.int64]] = []
    while (now < end_s).any() or len(columns) < width:
        columns.append(np.where(now < end_s, now, NEVER_S))
        hour = np.clip(now // HOUR_S - hours[0], 0, len(hours) - 1)
        now = now + headways_s[np.arange(len(now)), hour]
    return np.stack(columns, axis=1)


def _buses(cycle: RouteCycle, outer_s: NDArray[np.int64], inner_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fewest buses that run each pattern of starts at both ends."""
    inner_ready_s, outer_ready_s = _plus(outer_s, cycle.turn_s[0]), _plus(inner_s, cycle.turn_s[1])
    if cycle.is_loop:
        starts_s = np.sort(np.concatenate([outer_s, inner_s], axis=1), axis=1)
        return fleet_sizes(starts_s, np.concatenate([inner_ready_s, outer_ready_s], axis=1))
    return fleet_sizes(outer_s, outer_ready_s) + fleet_sizes(inner_s, inner_ready_s)


@dataclass(frozen=True, slots=True, eq=False)
class RoutePatterns:
    """
    The headway patterns that one route may run, with their buses and waits.

    Attributes
    ----------
    headways_s
        Seconds between buses by hour, shape (P, n_hours), int64, in lexicographic order.
    buses
        Fewest buses of each, shape (P,), int64.
    wait_quanta
        Waiting time of all riders in rider-seconds / 1024 / `WAIT_SCALE`, shape (P,), int64. Riders whom a full bus leaves behind
        wait for the next. The split of the fleet minimises it.
    left_quanta
        Riders whom full buses leave behind on the heaviest segment, in 1/1024, shape (P,), int64.
    """

    headways_s: NDArray[np.int64]
    buses: NDArray[np.int64]
    wait_quanta: NDArray[np.int64]
    left_quanta: NDArray[np.int64]

    def only(self, allowed: NDArray[np.bool_]) -> RoutePatterns:
        """
        Patterns of which only some may be run.

        Parameters
        ----------
        allowed
            Whether each may, shape (P,).

        Returns
        -------
        RoutePatterns
            In the same rows; the others take `NO_FLEET` buses and leave everybody behind.
        """
        quanta = (np.where(allowed, column, NEVER_S) for column in (self.wait_quanta, self.left_quanta))
        return RoutePatterns(self.headways_s, np.where(allowed, self.buses, NO_FLEET), *quanta)

    def best_by_buses(self, max_buses: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Least waiting with at most n buses, for n from 0 to N, and its pattern.

        Parameters
        ----------
        max_buses
            Largest number of buses N.

        Returns
        -------
        cost, pattern
            By number of buses, shape (N + 1,), int64; `NEVER_S` and -1 if every pattern needs more. Ties go to fewer buses, then
            to the first pattern.
        """
        cost = np.full(max_buses + 1, NEVER_S, np.int64)
        pattern = np.full(max_buses + 1, -1, np.int64)
        order = np.lexsort((self.wait_quanta, self.buses))
        counts, first = np.unique(self.buses[order], return_index=True)
        within = counts <= max_buses
        pattern[counts[within]] = order[first[within]]
        cost[counts[within]] = self.wait_quanta[order[first[within]]]
        for n in range(1, max_buses + 1):
            if cost[n - 1] <= cost[n]:
                cost[n], pattern[n] = cost[n - 1], pattern[n - 1]
        return cost, pattern


def menu_of(n_hours: int, operation: Operation) -> NDArray[np.int64]:
    """
    All headway patterns that a route may run.

    Each hour takes any headway of `operation.menu_s`. A headway that is the same in all hours may be any whole minute. A night of
    more than five hours is cut into five periods, each with one headway.

    Parameters
    ----------
    n_hours
        Hours of the night.
    operation
        Shortest, longest and clock-face headways, in seconds.

    Returns
    -------
    ndarray of int64
        Seconds, shape (P, n_hours), unique rows in lexicographic order.
    """
    n_periods = min(n_hours, _MAX_PERIODS)
    periods = np.repeat(np.arange(n_periods), [len(part) for part in np.array_split(np.arange(n_hours), n_periods)])
    mixed = np.array(list(itertools.product(operation.menu_s, repeat=n_periods)), np.int64)[:, periods]
    uniform = np.arange(operation.min_headway_s, operation.max_headway_s + 1, _UNIFORM_STEP_S)
    rows = np.concatenate([mixed, np.repeat(uniform[:, None], n_hours, axis=1)])
    rows = rows[np.lexsort(rows.T[::-1])]
    return rows[np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)]]


def headway_patterns(cycles: Sequence[RouteCycle], flows: Flows, hours: Sequence[int], operation: Operation) -> tuple[RoutePatterns, ...]:
    """
    Headway patterns of every route with their buses, waits in rider-seconds and riders left behind.

    Parameters
    ----------
    cycles
        One per route.
    flows
        Riders by direction and hour, in 1/1024 a night.
    hours
        Service hours.
    operation
        Headways in seconds and capacity in riders.

    Returns
    -------
    tuple of RoutePatterns
        One per route.
    """
    menu, capacity_quanta = menu_of(len(hours), operation), operation.capacity * QUANTA_PER_TRIP
    route_patterns = []
    for k, cycle in enumerate(cycles):
        chunks = []
        for row in range(0, len(menu), _PATTERNS_PER_CHUNK):
            headways = menu[row : row + _PATTERNS_PER_CHUNK]
            *starts, buses = route_starts(cycle, headways, hours)
            waits, left = zip(
                *(
                    direction_waits(starts_s, headways, hours, flows.boardings_quanta[d], flows.load_quanta[d], capacity_quanta)
                    for starts_s, d in zip(starts, cycle.directions_of(k), strict=True)
                ),
                strict=True,
            )
            chunks.append((buses, sum(waits), sum(left)))
        route_patterns.append(RoutePatterns(menu, *(np.concatenate(column) for column in zip(*chunks, strict=True))))
    return tuple(route_patterns)


def direction_waits(
    starts_s: NDArray[np.int64],
    headways_s: NDArray[np.int64],
    hours: Sequence[int],
    boardings_quanta: NDArray[np.int64],
    load_quanta: NDArray[np.int64],
    capacity_quanta: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Waiting time and riders left behind in one direction, under each of many patterns of starts.

    Riders come evenly through each hour and take the next bus. The last bus is followed by one more at its headway. Riders who
    find the heaviest segment full wait for one more bus.

    Parameters
    ----------
    starts_s
        Starts in seconds from `route_starts`, shape (P, n).
    headways_s
        Seconds between buses by hour, shape (P, n_hours).
    hours
        Service hours.
    boardings_quanta, load_quanta
        Riders who board and who are on the heaviest segment by hour, in 1/1024, shape (n_hours,).
    capacity_quanta
        Riders that a bus carries, in 1/1024.

    Returns
    -------
    wait_quanta, left_quanta
        Waiting time in rider-seconds / 1024 / `WAIT_SCALE`, and riders left behind in 1/1024, shape (P,), int64.
    """
    begins, ends, real = _gaps(starts_s, headways_s, hours)
    edges, waits = _edges(begins, ends, hours), np.zeros(len(ends), np.int64)
    for column, (low, high) in enumerate(edges):
        waits += boardings_quanta[column] * ((ends - low) ** 2 - (ends - high) ** 2).sum(axis=1)
    left = _left_behind(edges, real, load_quanta, capacity_quanta)
    return waits + WAIT_SCALE * (left * (ends - begins)[:, 1:]).sum(axis=1), left.sum(axis=1)


def longest_waits(
    starts_s: NDArray[np.int64], headways_s: NDArray[np.int64], hours: Sequence[int], load_quanta: NDArray[np.int64], capacity_quanta: int
) -> NDArray[np.int64]:
    """
    Longest wait of any rider in one direction, under each of many patterns of starts.

    It is the longest time between two buses, and the two times after one another where the first bus leaves riders behind. Before the first
    bus of the direction there is no service to wait for.

    Parameters
    ----------
    starts_s, headways_s, hours, load_quanta, capacity_quanta
        As in `direction_waits`.

    Returns
    -------
    ndarray of int64
        Seconds, shape (P,).
    """
    begins, ends, real = _gaps(starts_s, headways_s, hours)
    left = _left_behind(_edges(begins, ends, hours), real, load_quanta, capacity_quanta)
    gap_s = ends - begins
    first_s = np.where(real, gap_s[:, :-1], 0)
    first_s[:, 0] = 0
    longest: NDArray[np.int64] = (first_s + np.where(left > 0, gap_s[:, 1:], 0)).max(axis=1)
    return longest


def _gaps(
    starts_s: NDArray[np.int64], headways_s: NDArray[np.int64], hours: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Begin and end of the time before each bus and before one more after the last, shape (P, n + 1); and which starts are buses."""
    real = starts_s < NEVER_S
    last = np.where(real, starts_s, 0).max(axis=1)
    closing = last + headways_s[np.arange(len(last)), np.clip(last // HOUR_S - hours[0], 0, len(hours) - 1)]
    ends = np.concatenate([np.where(real, starts_s, closing[:, None]), closing[:, None]], axis=1)
    return np.concatenate([np.full((len(ends), 1), hours[0] * HOUR_S), ends[:, :-1]], axis=1), ends, real


def _edges(begins: NDArray[np.int64], ends: NDArray[np.int64], hours: Sequence[int]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Begin and end of the part of each gap in each hour, in seconds, shape (P, n + 1) each."""
    bounds = [(hour * HOUR_S, (hour + 1) * HOUR_S) for hour in hours]
    return [(begins.clip(*bound), ends.clip(*bound)) for bound in bounds]


def _left_behind(
    edges: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    real: NDArray[np.bool_],
    load_quanta: NDArray[np.int64],
    capacity_quanta: int,
) -> NDArray[np.int64]:
    """Riders whom each bus leaves behind on the heaviest segment, in 1/1024, shape (P, n)."""
    aboard = np.zeros((len(real), real.shape[1] + 1), np.int64)
    for column, (low, high) in enumerate(edges):
        aboard += load_quanta[column] * (high - low)
    return np.where(real, np.maximum(0, aboard[:, :-1] // HOUR_S - capacity_quanta), 0)


def split_fleet(route_patterns: Sequence[RoutePatterns], fleet: int, max_wait_s: int | None = None) -> tuple[int, ...]:
    """
    Pattern of each route with the least total waiting on a fixed fleet, proven.

    A multiple-choice knapsack: choose one pattern a route so that the buses are at most the fleet and the sum of costs is least.
    Bellman's recursion over routes [1]_ is exact for any costs. Marginal allocation (Fox [2]_) is exact only if each route's
    cost is convex in its buses, which long routes violate.

    Parameters
    ----------
    route_patterns
        Patterns of each route.
    fleet
        Number of buses.
    max_wait_s
        Longest wait in seconds that the patterns keep, which the error names; None for no such limit.

    Returns
    -------
    tuple of int
        Row of the pattern of each route; ties go to fewer buses on later routes.

    Raises
    ------
    InfeasibleError
        If the fewest buses are more than the fleet.

    References
    ----------
    .. [1] Bellman (1957), Dynamic Programming, Princeton University Press.
    .. [2] Fox (1966), Discrete optimization via marginal analysis, Management Science 13, 210-216.
    """
    least = sum(int(patterns.buses.min()) for patterns in route_patterns)
    if least > fleet:
        raise InfeasibleError(
            _too_few_buses(route_patterns, least, fleet, max_wait_s), setting="fleet", value=fleet, allowed=(least, math.inf)
        )
    curves = [patterns.best_by_buses(fleet) for patterns in route_patterns]
    total = np.zeros(fleet + 1, np.int64)
    buses_by_route = []
    for cost, _ in curves:
        # Row: buses on all routes so far; column: buses on this route.
        table = np.full((fleet + 1, fleet + 1), NEVER_S, np.int64)
        for n in np.flatnonzero(cost < NEVER_S).tolist():
            table[n:, n] = _plus(total[: fleet + 1 - n], int(cost[n]))
        buses_by_route.append(table.argmin(axis=1))
        total = table.min(axis=1)
    chosen = []
    spare = fleet
    for (_, pattern), buses in zip(reversed(curves), reversed(buses_by_route), strict=True):
        chosen.append(int(pattern[buses[spare]]))
        spare -= int(buses[spare])
    return tuple(reversed(chosen))


def _too_few_buses(route_patterns: Sequence[RoutePatterns], least: int, fleet: int, max_wait_s: int | None) -> str:
    """Message on a fleet that is too small for the headways allowed, or for the waits where those are limited."""
    routes, buses = how_many(len(route_patterns), "route"), how_many(least, "bus")
    if max_wait_s is not None:
        return (
            f"waits of at most {max_wait_s / 60:g} minutes on {routes} take {buses}, got a fleet of {fleet}; "
            "allow a longer wait, more buses or fewer routes"
        )
    longest_s = max((int(patterns.headways_s[patterns.buses < NO_FLEET].max()) for patterns in route_patterns), default=0)
    return (
        f"a headway of at most {longest_s / 60:g} minutes on {routes} takes {buses}, got a fleet of {fleet}; "
        "allow a longer headway, more buses or fewer routes"
    )


def fewest_buses(route_patterns: Sequence[RoutePatterns]) -> tuple[int, ...]:
    """
    Pattern of each route that leaves the fewest riders behind, then needs the fewest buses, then has the least waiting.

    Parameters
    ----------
    route_patterns
        Patterns of each route.

    Returns
    -------
    tuple of int
        Row of the pattern of each route.
    """
    return tuple(int(np.lexsort((patterns.wait_quanta, patterns.buses, patterns.left_quanta))[0]) for patterns in route_patterns)


def equal_headways(route_patterns: Sequence[RoutePatterns], fleet: int) -> tuple[int, ...] | None:
    """
    Pattern with the shortest headway in seconds that the fleet can run on all routes in all hours.

    Parameters
    ----------
    route_patterns
        Patterns of each route, over one menu.
    fleet
        Number of buses.

    Returns
    -------
    tuple of int or None
        Row of the pattern, the same for all routes; None if no common headway fits the fleet.
    """
    menu = route_patterns[0].headways_s
    for row in np.flatnonzero((menu == menu[:, :1]).all(axis=1)).tolist():
        if sum(int(patterns.buses[row]) for patterns in route_patterns) <= fleet:
            return (row,) * len(route_patterns)
    return None


def _plus(values: NDArray[np.int64], amount: int) -> NDArray[np.int64]:
    """Add an amount to all values except `NEVER_S`."""
    sums: NDArray[np.int64] = np.where(values < NEVER_S, values + amount, NEVER_S)
    return sums
