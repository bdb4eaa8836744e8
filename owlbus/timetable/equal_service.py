"""Headways under rules of equal service: nobody waits longer than a limit, and every district has its departures in every hour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP, hour_label
from owlbus.timetable.headways import NEVER_S, NO_FLEET, longest_waits, route_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.timetable.headways import RouteCycle, RoutePatterns
    from owlbus.timetable.operation import Operation
    from owlbus.timetable.rider_flows import Flows
    from owlbus.timetable.schedule import Direction

_NO_GROUP = -1


class Districts(NamedTuple):
    """
    District of each stop.

    Attributes
    ----------
    names
        Names of the G districts.
    of_stop
        Index of the district of each stop, -1 for none, shape (n_stops,).
    """

    names: tuple[str, ...]
    of_stop: NDArray[np.int64]

    @classmethod
    def of(cls, network: Network, labels: ArrayLike | None) -> Districts:
        """
        District of each stop, by the label of its hex.

        Parameters
        ----------
        network
            The stops.
        labels
            District of each hex, shape (H,), or None.

        Returns
        -------
        Districts
            Names ascending.

        Raises
        ------
        UsageError
            If there are no labels, or not one for each hex.
        """
        rule = setting("min_departures")
        if labels is None:
            msg = f"{rule} needs districts, and this study has none; name a column of them with {setting('by', 'districts.geojson:name')}"
            raise UsageError(msg, setting="min_departures")
        if np.shape(labels) != (network.grid.n_hexes,):
            msg = f"{rule} needs the district of each of {network.grid.n_hexes} hexes, got shape {np.shape(labels)}"
            raise UsageError(msg, setting="min_departures")
        names, group = np.unique(np.asarray(labels), return_inverse=True)
        return cls(tuple(map(str, names)), np.where(network.stop_hex >= 0, group[network.stop_hex], _NO_GROUP).astype(np.int64))

    def first_stops(self, direction: Direction) -> list[tuple[int, int]]:
        """
        First stop of a direction in each district, the last stop left out: no bus departs there.

        Parameters
        ----------
        direction
            The direction.

        Returns
        -------
        list of tuple
            Index of the district, and position of the stop along the direction.
        """
        groups = self.of_stop[direction.stops[:-1]]
        found, first = np.unique(groups, return_index=True)
        return [(group, position) for group, position in zip(found.tolist(), first.tolist(), strict=True) if group >= 0]


def within_wait(
    route_patterns: Sequence[RoutePatterns],
    cycles: Sequence[RouteCycle],
    flows: Flows,
    hours: Sequence[int],
    operation: Operation,
) -> tuple[RoutePatterns, ...]:
    """
    Patterns under which nobody waits longer than `Operation.max_wait_s`.

    Parameters
    ----------
    route_patterns
        Patterns of each route.
    cycles
        Cycle of each route, seconds.
    flows
        Riders by direction and hour, in 1/1024 a night.
    hours
        Service hours.
    operation
        The limit in seconds, and riders that a bus carries.

    Returns
    -------
    tuple of RoutePatterns
        The same rows; those that break the limit may not be run.
    """
    limit_s = operation.max_wait_s
    if limit_s is None:
        return tuple(route_patterns)
    room = operation.capacity * QUANTA_PER_TRIP
    return tuple(
        patterns.only(_longest_s(patterns, cycle, k, flows, hours, room) <= limit_s)
        for k, (patterns, cycle) in enumerate(zip(route_patterns, cycles, strict=True))
    )


def require_within_wait(
    route_patterns: Sequence[RoutePatterns],
    cycles: Sequence[RouteCycle],
    flows: Flows,
    hours: Sequence[int],
    operation: Operation,
    names: Sequence[str],
) -> None:
    """
    Refuse a limit on waits that some route cannot keep, and say what is in its way.

    Parameters
    ----------
    route_patterns
        What `within_wait` returns.
    cycles, flows, hours, operation
        As `within_wait` takes them: seconds, and riders in 1/1024 a night.
    names
        Names of the routes.

    Raises
    ------
    InfeasibleError
        If no pattern of a route keeps the limit: its headways are too long, or its buses leave riders behind.
    """
    limit_s = operation.max_wait_s
    if limit_s is None:
        return
    for k, (patterns, cycle) in enumerate(zip(route_patterns, cycles, strict=True)):
        if (patterns.buses < NO_FLEET).any():
            continue
        room = operation.capacity * QUANTA_PER_TRIP
        best_s, gap_s = (int(_longest_s(patterns, cycle, k, flows, hours, each).min()) for each in (room, int(NO_FLEET)))
        what = f"no headway of route {names[k]} keeps every wait within {limit_s / 60:g} minutes"
        if gap_s > limit_s:
            msg = f"{what}, the shortest leaves {gap_s / 60:g} between two buses; allow shorter headways or a longer wait"
        else:
            msg = (
                f"{what}: buses of {operation.capacity} riders leave some behind for the next, who wait {best_s / 60:g} at the best; "
                "allow larger buses, shorter headways or a longer wait"
            )
        raise InfeasibleError(msg, setting="max_wait_s", value=limit_s, allowed=(best_s, math.inf))


def _longest_s(
    patterns: RoutePatterns, cycle: RouteCycle, route: int, flows: Flows, hours: Sequence[int], capacity_quanta: int
) -> NDArray[np.int64]:
    """Longest wait of any rider of a route in seconds, under each of its patterns, shape (P,)."""
    *starts, _ = route_starts(cycle, patterns.headways_s, hours)
    longest: NDArray[np.int64] = np.max(
        [
            longest_waits(starts_s, patterns.headways_s, hours, flows.load_quanta[d], capacity_quanta)
            for starts_s, d in zip(starts, cycle.directions_of(route), strict=True)
        ],
        axis=0,
    )
    return longest


class GroupDepartures(NamedTuple):
    """
    Departures from each district by hour under each pattern of each route.

    Attributes
    ----------
    names
        The G districts.
    hours
        Service hours.
    counts
        Of each route, shape (P, G, n_hours), int16.
    served
        Whether each district has a stop of a route, shape (G,).
    least
        Departures that each of these needs in each hour.
    """

    names: tuple[str, ...]
    hours: tuple[int, ...]
    counts: tuple[NDArray[np.int16], ...]
    served: NDArray[np.bool_]
    least: int

    def meets(self, rows: Sequence[int]) -> bool:
        """
        Whether the patterns of all routes together keep the rule.

        Parameters
        ----------
        rows
            Row of the pattern of each route.

        Returns
        -------
        bool
            True if every district with a stop has its departures.
        """
        total = np.sum([counts[row] for counts, row in zip(self.counts, rows, strict=True)], axis=0)
        return bool((total[self.served] >= self.least).all())


def group_departures(
    districts: Districts,
    directions: Sequence[Direction],
    cycles: Sequence[RouteCycle],
    route_patterns: Sequence[RoutePatterns],
    hours: Sequence[int],
    least: int,
    has_runs: NDArray[np.bool_],
) -> GroupDepartures:
    """
    Departures from each district in each hour, under every pattern of every route.

    A run departs from a district when it leaves its first stop there, and counts once. Runs that start after the hours count where they
    leave a district within them.

    Parameters
    ----------
    districts
        District of each stop.
    directions
        Two per route, with seconds along them.
    cycles, route_patterns
        Cycle and patterns of each route.
    hours
        Service hours.
    least
        Departures needed.
    has_runs
        Whether each direction is run, shape (2 K,).

    Returns
    -------
    GroupDepartures
        Counts by route.
    """
    counts, served = [], np.zeros(len(districts.names), np.bool_)
    for k, (cycle, patterns) in enumerate(zip(cycles, route_patterns, strict=True)):
        table = np.zeros((len(patterns.headways_s), len(districts.names), len(hours)), np.int16)
        outer_s, inner_s, _ = route_starts(cycle, patterns.headways_s, hours)
        for row, starts_s in zip(cycle.directions_of(k), (outer_s, inner_s), strict=True):
            for group, position in districts.first_stops(directions[row]) if has_runs[row] else ():
                served[group] = True
                table[:, group] += _by_hour(directions[row], position, starts_s, hours)
        counts.append(table)
    return GroupDepartures(districts.names, tuple(hours), tuple(counts), served, least)


def _by_hour(direction: Direction, position: int, starts_s: NDArray[np.int64], hours: Sequence[int]) -> NDArray[np.int16]:
    """Departures from a stop by hour, shape (P, n_hours)."""
    leaves_s = np.where(starts_s < NEVER_S, starts_s + direction.departs_s(position, starts_s), NEVER_S)
    return np.stack([((leaves_s >= hour * HOUR_S) & (leaves_s < (hour + 1) * HOUR_S)).sum(axis=1) for hour in hours], axis=1).astype(
        np.int16
    )


def least_departures(
    districts: Districts,
    directions: Sequence[Direction],
    run_direction: NDArray[np.integer[Any]],
    run_start_s: NDArray[np.integer[Any]],
    hours: Sequence[int],
) -> NDArray[np.int64]:
    """
    Departures from each district in each hour of a timetable.

    Parameters
    ----------
    districts
        District of each stop.
    directions
        Two per route.
    run_direction, run_start_s
        Runs: direction, and start in seconds, shape (n_runs,).
    hours
        Service hours.

    Returns
    -------
    ndarray of int64
        Shape (G, n_hours).
    """
    table = np.zeros((len(districts.names), len(hours)), np.int64)
    for row in np.unique(run_direction).tolist():
        starts_s = run_start_s[run_direction == row].astype(np.int64)
        for group, position in districts.first_stops(directions[row]):
            table[group] += _by_hour(directions[row], position, starts_s[None], hours)[0]
    return table


def rows_with_departures(route_patterns: Sequence[RoutePatterns], departures: GroupDepartures, fleet: int | None) -> tuple[int, ...]:
    """
    Pattern of each route with the least total waiting under which every district has its departures, proven.

    With x[k, p] = 1 if route k runs pattern p, minimise sum of wait[k, p] x[k, p] subject to sum over p of x[k, p] = 1 for each route,
    sum of buses[k, p] x[k, p] <= fleet, and sum of departures[k, p, g, h] x[k, p] >= least for each district g and hour h: a
    multiple-choice knapsack with covering rows, solved by HiGHS. Of patterns with the same buses and the same departures up to `least`,
    only the one with the least waiting can be optimal, which leaves few. Without a fleet each route leaves as few behind as it can, and
    the fewest buses come first.

    Parameters
    ----------
    route_patterns
        Patterns of each route, with buses and waits in rider-seconds.
    departures
        What each pattern gives each district.
    fleet
        Number of buses, or None.

    Returns
    -------
    tuple of int
        Row of the pattern of each route.

    Raises
    ------
    InfeasibleError
        If a district cannot have its departures in some hour, or not with this fleet.
    """
    _require_possible(route_patterns, departures)
    rows = [
        _candidates(patterns, counts, departures.least, keep_left=fleet is None)
        for patterns, counts in zip(route_patterns, departures.counts, strict=True)
    ]
    buses = [patterns.buses[each] for patterns, each in zip(route_patterns, rows, strict=True)]
    if fleet is None:
        chosen = _cheapest(buses, buses, rows, departures, None)
        fleet = None if chosen is None else sum(int(each[row]) for each, row in zip(buses, chosen, strict=True))
    waits = [patterns.wait_quanta[each] for patterns, each in zip(route_patterns, rows, strict=True)]
    chosen = _cheapest(waits, buses, rows, departures, fleet)
    if chosen is None:
        msg = (
            f"{how_many(departures.least, 'departure')} from every district in every hour take more than {fleet} bus{'es' * (fleet != 1)}; "
            "allow more buses or ask for fewer departures"
        )
        raise InfeasibleError(msg, setting="min_departures", value=departures.least)
    return tuple(int(each[row]) for each, row in zip(rows, chosen, strict=True))


def _require_possible(route_patterns: Sequence[RoutePatterns], departures: GroupDepartures) -> None:
    """Refuse departures that no choice of headways gives some district."""
    most = np.sum(
        [counts[patterns.buses < NO_FLEET].max(axis=0) for patterns, counts in zip(route_patterns, departures.counts, strict=True)], axis=0
    )
    short = np.argwhere((most < departures.least) & departures.served[:, None])
    if short.size:
        group, hour = short[0].tolist()
        where = f"{departures.names[group]} in the hour {hour_label(departures.hours[hour])}"
        msg = (
            f"{departures.least} departures an hour cannot be had from {where}: {most[group, hour]} at the most ({len(short)} such); "
            "ask for fewer, or allow shorter headways"
        )
        raise InfeasibleError(msg, setting="min_departures", value=departures.least, allowed=(0, int(most[departures.served].min())))


def _candidates(patterns: RoutePatterns, counts: NDArray[np.int16], least: int, *, keep_left: bool) -> NDArray[np.int64]:
    """Rows that can be optimal: of those with the same buses and the same departures up to `least`, the one with the least waiting."""
    rows = np.flatnonzero(patterns.buses < NO_FLEET)
    if keep_left:
        rows = rows[patterns.left_quanta[rows] == patterns.left_quanta[rows].min()]
    key = np.concatenate([patterns.buses[rows, None], np.minimum(counts[rows].reshape(rows.size, -1), least)], axis=1)
    order = np.lexsort((rows, patterns.wait_quanta[rows]))
    _, first = np.unique(key[order], axis=0, return_index=True)
    return rows[order[first]]


def _cheapest(
    costs: Sequence[NDArray[np.int64]],
    buses: Sequence[NDArray[np.int64]],
    rows: Sequence[NDArray[np.int64]],
    departures: GroupDepartures,
    fleet: int | None,
) -> list[int] | None:
    """Position of the candidate of each route with the least total cost; None if there is none."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    sizes = [each.size for each in rows]
    route = np.repeat(np.arange(len(rows)), sizes)
    gives = np.concatenate(
        [counts[each][:, departures.served].reshape(each.size, -1) for counts, each in zip(departures.counts, rows, strict=True)]
    )
    rules = [
        LinearConstraint((route == np.arange(len(rows))[:, None]).astype(float), 1, 1),
        LinearConstraint(gives.T.astype(float), departures.least),
    ]
    if fleet is not None:
        rules.append(LinearConstraint(np.concatenate(buses)[None].astype(float), -np.inf, fleet))
    cost = np.concatenate(costs).astype(np.float64)
    solution = milp(
        cost / max(1.0, float(cost.max())),
        constraints=rules,
        integrality=np.ones(cost.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if solution.x is None:
        return None
    return [int(part.argmax()) for part in np.split(solution.x, np.cumsum(sizes)[:-1])]
