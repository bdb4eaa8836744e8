"""The timetable: stop times of each direction, start and block of each run."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.errors import DataError
from owlbus.common.units import HOUR_S, format_time
from owlbus.plan import route_links
from owlbus.plan.measures import require_same_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.common.disclosure import Publisher
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan, Route
    from owlbus.timetable.bus_types import BusType
    from owlbus.timetable.operation import Operation


def _no_times() -> NDArray[np.int32]:
    """Return the times by hour of a direction without hours."""
    return np.empty((0, 0), np.int32)


def hour_rows(hours: Sequence[int], start_s: ArrayLike) -> NDArray[np.intp]:
    """
    Position in some hours of the one in which runs start.

    Parameters
    ----------
    hours
        Service hours, ascending.
    start_s
        Starts in seconds, of any shape.

    Returns
    -------
    ndarray of int
        Of that shape; the first or last one for starts before or after all hours, and 0 without any.

    Examples
    --------
    >>> hour_rows((24, 25), [86_399, 86_400, 89_999, 90_000, 99_999]).tolist()
    [0, 0, 0, 1, 1]
    """
    rows: NDArray[np.intp] = np.searchsorted(np.asarray(hours, np.int64), np.asarray(start_s) // HOUR_S, side="right")
    return np.maximum(rows - 1, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """
    Stop times of one direction of a route, the same for all runs, or for all that start in one hour.

    Attributes
    ----------
    route
        Index of the route in its plan.
    back
        Whether it serves the route's stops in reverse order.
    stops
        Stop indices in the order of service, shape (n,), int32.
    arrive_s, depart_s
        Arrival and departure at each stop, seconds since the run's start, shape (n,), int32; 0 at the first. Where runs take longer in
        some hours than in others, the longest of any hour.
    at_m
        Metres from the first stop, shape (n,), int32, ascending.
    hours
        Service hours with stop times of their own, ascending; empty where all runs take as long. A run that starts before them or after
        them takes the times of the nearest.
    hour_arrive_s, hour_depart_s
        Arrivals and departures of the runs that start in each of these, shape (n_hours, n), int32.

    Raises
    ------
    DataError
        If the columns differ in length or times or metres go backwards.

    Examples
    --------
    >>> direction = Direction(0, False, [4, 2, 7], [0, 190, 400], [0, 200, 400], [0, 1000, 2000])
    >>> direction.ride_s, direction.length_m
    (400, 2000)
    """

    route: int
    back: bool
    stops: NDArray[np.int32]
    arrive_s: NDArray[np.int32]
    depart_s: NDArray[np.int32]
    at_m: NDArray[np.int32]
    hours: tuple[int, ...] = ()
    hour_arrive_s: NDArray[np.int32] = field(default_factory=_no_times, repr=False)
    hour_depart_s: NDArray[np.int32] = field(default_factory=_no_times, repr=False)

    def __post_init__(self) -> None:
        """Copy the columns and check them once."""
        object.__setattr__(self, "hours", tuple(int(hour) for hour in self.hours))
        object.__setattr__(self, "route", int(self.route))
        object.__setattr__(self, "back", bool(self.back))
        for name in ("stops", "arrive_s", "depart_s", "at_m"):
            object.__setattr__(self, name, read_only_copy(getattr(self, name), np.int32).reshape(-1))
        if {column.shape for column in (self.arrive_s, self.depart_s, self.at_m)} != {self.stops.shape} or len(self.stops) < 2:  # noqa: PLR2004 - a ride has two ends
            msg = f"direction {self.label} needs a time and metres for each of at least 2 stops, got {len(self.stops)} stops"
            raise DataError(msg)
        for name in ("hour_arrive_s", "hour_depart_s"):
            object.__setattr__(self, name, read_only_copy(getattr(self, name), np.int32))
        _check_times(self)

    @classmethod
    def by_hour(
        cls, route: int, stops: ArrayLike, at_m: ArrayLike, hours: Sequence[int], arrive_s: ArrayLike, depart_s: ArrayLike, *, back: bool
    ) -> Direction:
        """
        Direction whose runs take as long as their hour says.

        Parameters
        ----------
        route
            Index of the route in its plan.
        stops, at_m
            Stop indices and metres from the first, shape (n,).
        hours
            Service hours in which runs start, ascending.
        arrive_s, depart_s
            Seconds since the start of a run by the hour of that, shape (n_hours, n).
        back
            Whether it serves the route's stops in reverse order.

        Returns
        -------
        Direction
            Without hours if all take as long.

        Examples
        --------
        >>> times = [[0, 190, 400], [0, 150, 310]]
        >>> direction = Direction.by_hour(0, [4, 2, 7], [0, 1000, 2000], (24, 25), times, times, back=False)
        >>> direction.ride_s, direction.rides_s([86_400, 90_000]).tolist()
        (400, [400, 310])
        """
        arrive, depart = np.asarray(arrive_s), np.asarray(depart_s)
        is_one = bool((arrive == arrive[0]).all() and (depart == depart[0]).all())
        own: dict[str, Any] = {} if is_one else {"hours": tuple(hours), "hour_arrive_s": arrive, "hour_depart_s": depart}
        stop, metres = np.asarray(stops, np.int32), np.asarray(at_m, np.int32)
        return cls(route, back, stop, arrive.max(axis=0), depart.max(axis=0), metres, **own)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (Direction, tuple(getattr(self, each.name) for each in fields(self)))

    @property
    def label(self) -> str:
        """Route index, and a or b for the direction, for messages."""
        return f"{self.route}{'b' if self.back else 'a'}"

    @property
    def ride_s(self) -> int:
        """Seconds from the first stop to the last; the longest of any hour."""
        return int(self.arrive_s[-1])

    def rides_s(self, start_s: ArrayLike) -> NDArray[np.int32]:
        """
        Seconds from the first stop to the last of runs that start at given moments.

        Parameters
        ----------
        start_s
            Starts in seconds, shape (n,).

        Returns
        -------
        ndarray of int32
            Shape (n,).
        """
        return self.times_s(start_s)[0][..., -1]

    def departs_s(self, position: int, start_s: ArrayLike) -> NDArray[np.int32]:
        """
        Departure at a stop of runs that start at given moments.

        Parameters
        ----------
        position
            Position of the stop along the direction.
        start_s
            Starts in seconds, of any shape.

        Returns
        -------
        ndarray of int32
            Seconds since the start, of that shape.
        """
        starts = np.asarray(start_s)
        if not self.hours:
            return np.broadcast_to(self.depart_s[position], starts.shape)
        leaves: NDArray[np.int32] = self.hour_depart_s[hour_rows(self.hours, starts), position]
        return leaves

    def times_s(self, start_s: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """
        Arrival and departure at each stop of runs that start at given moments.

        Parameters
        ----------
        start_s
            Starts in seconds, of any shape.

        Returns
        -------
        arrive_s, depart_s
            Seconds since the start, of that shape and one more axis over the n stops.
        """
        starts = np.asarray(start_s)
        if not self.hours:
            arrive, depart = (np.broadcast_to(column, (*starts.shape, column.size)) for column in (self.arrive_s, self.depart_s))
            return arrive, depart
        row = hour_rows(self.hours, starts)
        return self.hour_arrive_s[row], self.hour_depart_s[row]

    @property
    def length_m(self) -> int:
        """Metres from the first stop to the last."""
        return int(self.at_m[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Timetable:
    """
    All runs of a service night and their vehicle blocks.

    Times are seconds since noon of the service date minus 12 h; they may pass 24:00:00.

    Attributes
    ----------
    plan
        The routes, K of them.
    hours
        Service hours in which runs start, ascending; 24 is midnight.
    directions
        Two per route: ``2 * k`` serves route k in the order of its stops, ``2 * k + 1`` on its way back, else in reverse; a route in one
        direction has no run of the latter.
    run_direction
        Index of the direction of each run, shape (n_runs,), int32; runs are sorted by start, then by direction.
    run_start_s
        Seconds at which each run leaves its first stop, shape (n_runs,), int32.
    run_block
        Index of the bus that drives each run, shape (n_runs,), int32; buses are numbered in the order of their first runs.
    bus_types
        Type of the buses of each route, K values, None for a route without runs; empty where all buses are alike.

    Raises
    ------
    DataError
        If runs are not sorted, a direction is missing, a bus would be in two places, or a route that runs has no bus type beside others.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Operation, Plan, Route, build_timetable
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> plan = Plan((Route(network.shortest_path(0, 19), "N1"),), network.fingerprint)
    >>> timetable, report = build_timetable(network, demand, plan, Operation(fleet=2))
    >>> timetable.fleet, timetable.n_runs, timetable.headway_s[0].tolist()
    (2, 34, [1080, 1080, 1080, 1080, 1080])
    >>> round(report.wait_s, 1)
    558.1
    """

    plan: Plan
    hours: tuple[int, ...]
    directions: tuple[Direction, ...]
    run_direction: NDArray[np.int32]
    run_start_s: NDArray[np.int32]
    run_block: NDArray[np.int32]
    bus_types: tuple[BusType | None, ...] = ()

    def __post_init__(self) -> None:
        """Copy the columns and check every rule."""
        object.__setattr__(self, "hours", tuple(int(hour) for hour in self.hours))
        object.__setattr__(self, "directions", tuple(self.directions))
        for name in ("run_direction", "run_start_s", "run_block"):
            object.__setattr__(self, name, read_only_copy(getattr(self, name), np.int32).reshape(-1))
        _check_directions(self)
        _check_runs(self)
        _check_blocks(self)
        _check_types(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (Timetable, tuple(getattr(self, each.name) for each in fields(self)))

    @property
    def n_runs(self) -> int:
        """Number of runs of the night."""
        return len(self.run_start_s)

    @property
    def fleet(self) -> int:
        """Number of buses of the night."""
        return int(self.run_block.max()) + 1 if self.n_runs else 0

    @property
    def run_end_s(self) -> NDArray[np.int32]:
        """Arrival of each run at its last stop, seconds, shape (n_runs,)."""
        ends = self.run_start_s.copy()
        for row, direction in enumerate(self.directions):
            of_row = self.run_direction == row
            ends[of_row] += direction.rides_s(self.run_start_s[of_row])
        return ends

    @property
    def vehicle_m(self) -> int:
        """Metres of all runs together."""
        return int(np.array([direction.length_m for direction in self.directions], np.int64)[self.run_direction].sum())

    @property
    def vehicle_s(self) -> int:
        """Seconds of all buses together, each from its first start to its last arrival, layovers included."""
        if not self.n_runs:
            return 0
        first = np.full(self.fleet, np.iinfo(np.int64).max)
        last = np.zeros(self.fleet, np.int64)
        np.minimum.at(first, self.run_block, self.run_start_s)
        np.maximum.at(last, self.run_block, self.run_end_s)
        return int((last - first).sum())

    @property
    def headway_s(self) -> NDArray[np.int64]:
        """
        Headway in seconds by direction and hour, shape (2 K, n_hours), int64.

        It is the rounded mean of the gaps that begin in the hour. If none does, it is the gap that spans the hour. It is 0 for a
        direction with fewer than two runs.
        """
        table = np.zeros((len(self.directions), len(self.hours)), np.int64)
        for row in range(len(self.directions)):
            starts = self.starts_s(row)
            gaps = np.diff(starts)
            for column, hour in enumerate(self.hours):
                low, high = np.searchsorted(starts[:-1], [hour * HOUR_S, (hour + 1) * HOUR_S])
                chosen = gaps[low:high] if high > low else gaps[max(0, low - 1) : max(1, low)]
                table[row, column] = int(chosen.mean() + 0.5) if chosen.size else 0
        return table

    def starts_s(self, direction: int) -> NDArray[np.int32]:
        """
        Starts of all runs of a direction, in seconds.

        Parameters
        ----------
        direction
            Index of the direction, in [0, 2 K).

        Returns
        -------
        ndarray of int32
            Ascending seconds, one a run, shape (n,).
        """
        starts: NDArray[np.int32] = self.run_start_s[self.run_direction == direction]
        return starts

    def buses_of(self, route: int) -> int:
        """
        Number of buses that run on a route at some time of the night.

        Parameters
        ----------
        route
            Index of the route.

        Returns
        -------
        int
            Buses; with interlining, a bus counts for each of its routes.
        """
        return len(np.unique(self.run_block[self.run_direction // 2 == route]))

    def equals(self, other: Timetable) -> bool:
        """
        Whether routes, stop times, runs, blocks and bus types are the same.

        Parameters
        ----------
        other
            The timetable to compare with.

        Returns
        -------
        bool
            True if nothing differs.
        """
        columns = ("stops", "arrive_s", "depart_s", "at_m", "hours", "hour_arrive_s", "hour_depart_s")
        return (
            self.plan.equals(other.plan)
            and self.hours == other.hours
            and self.bus_types == other.bus_types
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("run_direction", "run_start_s", "run_block"))
            and all(
                np.array_equal(getattr(left, name), getattr(right, name))
                for left, right in zip(self.directions, other.directions, strict=True)
                for name in columns
            )
        )


def _check_times(direction: Direction) -> None:
    """Refuse stop times or metres that go backwards, and longest times that are not those of the hours."""
    if {direction.hour_arrive_s.shape, direction.hour_depart_s.shape} != {
        (len(direction.hours), len(direction.stops) * bool(direction.hours))
    }:
        msg = f"direction {direction.label} needs a time at each of {len(direction.stops)} stops for each of {len(direction.hours)} hours"
        raise DataError(msg)
    rows = [(direction.arrive_s, direction.depart_s), *zip(direction.hour_arrive_s, direction.hour_depart_s, strict=True)]
    for arrive, depart in rows:
        clock = np.column_stack([arrive, depart]).ravel() if arrive.shape == depart.shape == direction.stops.shape else np.ones(2)
        if clock[0] != 0 or clock[1] != 0 or clock[-1] != clock[-2] or (np.diff(clock) < 0).any() or (np.diff(direction.at_m) <= 0).any():
            msg = f"direction {direction.label} must start at 0 s, end as it arrives and go forward in time and metres"
            raise DataError(msg)
    by_hour = ((direction.arrive_s, direction.hour_arrive_s), (direction.depart_s, direction.hour_depart_s))
    if direction.hours and any((longest != times.max(axis=0)).any() for longest, times in by_hour):
        msg = f"direction {direction.label} must have the longest times of its hours as its times"
        raise DataError(msg)


def _check_directions(table: Timetable) -> None:
    """Refuse directions other than the two of every route."""
    for row, direction in enumerate(table.directions):
        route = table.plan.routes[row // 2] if row // 2 < len(table.plan) else None
        same = (direction.route, direction.back) == (row // 2, bool(row % 2))
        if route is None or not same or not np.array_equal(direction.stops, _stops_of(route, back=row % 2 == 1)):
            msg = f"direction {row} must ride route {row // 2} {'against' if row % 2 else 'in'} the order of its stops"
            raise DataError(msg)
    if len({direction.hours for direction in table.directions if direction.hours}) > 1:
        msg = "directions with times by hour must have the same hours"
        raise DataError(msg)
    if len(table.directions) != 2 * len(table.plan):
        msg = f"a timetable needs two directions per route, got {len(table.directions)} for {len(table.plan)} routes"
        raise DataError(msg)


def _stops_of(route: Route, *, back: bool) -> NDArray[np.int32]:
    """Stops of one direction; a route in one direction only could run back over its own."""
    if not back:
        return route.stops
    return route.stops[::-1] if route.back is None or not route.back.size else route.back


def ready_stop(plan: Plan, direction: Direction) -> int:
    """
    Stop at which a bus waits for its next run on a route.

    Parameters
    ----------
    plan
        The plan.
    direction
        Direction of the run before.

    Returns
    -------
    int
        The last stop, or the first one of the next direction where the route does not run back over its own stops.
    """
    route = plan.routes[direction.route]
    if route.back is None:
        return int(direction.stops[-1])
    return int(route.back[0] if route.back.size and not direction.back else route.stops[0])


def _check_runs(table: Timetable) -> None:
    """Refuse runs out of order, without a direction, or before the service date."""
    n = table.n_runs
    if {len(table.run_direction), len(table.run_block)} != {n}:
        msg = f"each run needs a direction, a start and a bus, got {len(table.run_direction)}, {n} and {len(table.run_block)}"
        raise DataError(msg)
    if n and not (table.run_direction.min() >= 0 and table.run_direction.max() < len(table.directions) and table.run_start_s.min() >= 0):
        msg = f"runs must ride one of {len(table.directions)} directions and start at 0 s or later"
        raise DataError(msg)
    order = np.lexsort((table.run_direction, table.run_start_s))
    if (order != np.arange(n)).any():
        msg = f"runs must be sorted by start and direction, run {int(np.flatnonzero(order != np.arange(n))[0])} is not"
        raise DataError(msg)


def _check_blocks(table: Timetable) -> None:
    """Refuse a bus that starts before it arrives or at another stop, and block numbers out of order."""
    ends_s = table.run_end_s
    last: dict[int, int] = {}
    for run, (block, row) in enumerate(zip(table.run_block.tolist(), table.run_direction.tolist(), strict=True)):
        before = last.get(block)
        if before is None and block != len(last):
            msg = f"buses must be numbered in the order of their first runs, run {run} has bus {block} instead of {len(last)}"
            raise DataError(msg)
        if before is not None:
            came = table.directions[table.run_direction[before]]
            stands, starts = came.stops[-1], table.directions[row].stops[0]
            if starts not in {int(stands), ready_stop(table.plan, came)} or ends_s[before] > table.run_start_s[run]:
                msg = (
                    f"bus {block} must stand at stop {starts} at {format_time(table.run_start_s[run])}, but comes to stop {stands} "
                    f"at {format_time(ends_s[before])}"
                )
                raise DataError(msg)
        last[block] = run


def _check_types(table: Timetable) -> None:
    """Refuse routes that run without a bus type beside others, and a bus that runs on routes of two types."""
    if not table.bus_types:
        return
    route = table.run_direction // 2
    runs = set(route.tolist())
    if len(table.bus_types) != len(table.plan) or any(table.bus_types[k] is None for k in runs):
        msg = f"each of {len(runs)} routes with runs needs a bus type, got {len(table.bus_types)} for {len(table.plan)} routes"
        raise DataError(msg)
    first = dict(zip(reversed(table.run_block.tolist()), reversed(route.tolist()), strict=True))
    mixed = [
        block
        for block, k in zip(table.run_block.tolist(), route.tolist(), strict=True)
        if table.bus_types[k] != table.bus_types[first[block]]
    ]
    if mixed:
        msg = f"a bus must be of one type, bus {mixed[0]} runs on routes of two ({len(set(mixed))} such buses)"
        raise DataError(msg)


def plan_directions(network: Network, plan: Plan, operation: Operation) -> tuple[Direction, ...]:
    """
    Two directions per route, with seconds and metres from the network's links; those of the hour in which a run starts, if they differ.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    operation
        Dwell time in seconds, taken from the ride to each stop, and whether link times include the layover.

    Returns
    -------
    tuple of Direction
        ``2 * k`` in the order of route k's stops, ``2 * k + 1`` against it.

    Raises
    ------
    DataError
        If the plan was made for another network, or the network lacks a link of a route.
    """
    require_same_network(network, plan)
    directions = []
    for k, route in enumerate(plan.routes):
        for back in (False, True):
            stops = _stops_of(route, back=back)
            times = [_stop_times(network.at_hour(hour), stops, route.name, operation) for hour in network.hours or (0,)]
            arrive_s, depart_s = (np.stack(column) for column in zip(*times, strict=True))
            at_m = np.concatenate([[0], np.cumsum(route_links(network, stops, route.name)[1])])
            directions.append(Direction.by_hour(k, stops, at_m, network.hours, arrive_s, depart_s, back=back))
    return tuple(directions)


def _stop_times(network: Network, stops: NDArray[np.int32], name: str, operation: Operation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Arrival and departure at each stop in seconds since the start, by the link times of a network."""
    link_s = route_links(network, stops, name)[0]
    depart_s = operation.run_s(np.concatenate([[0], np.cumsum(link_s, dtype=np.int64)]))
    dwell_s = np.concatenate([[0], np.minimum(operation.dwell_s, np.diff(depart_s)[:-1] // 2), [0]])
    return depart_s - dwell_s, depart_s


def outer_first(network: Network, demand: Demand, plan: Plan, publisher: Publisher) -> NDArray[np.bool_]:
    """
    Whether each route's first stop is its outer terminal: the one farther from the centre of people at night.

    Parameters
    ----------
    network
        The plan's network.
    demand
        People by hex; if none are printed, trips by origin.
    plan
        The routes.
    publisher
        The publishing rule: the ends where buses begin are published.

    Returns
    -------
    ndarray of bool
        Shape (K,); on a tie the first stop is the outer one.
    """
    grid = network.grid
    weight = publisher.counts(demand.presence_by_hex())
    if not weight.sum() > 0:
        pairs = demand.od()
        weight = publisher.counts(np.bincount(pairs.origin, pairs.trips, grid.n_hexes))
    if not weight.sum() > 0:
        weight = np.ones(grid.n_hexes)
    centre_x, centre_y = float(weight @ grid.x_m / weight.sum()), float(weight @ grid.y_m / weight.sum())
    stop_x, stop_y = grid.project(network.stop_lon, network.stop_lat)
    centre_distance_m = np.rint(np.hypot(np.asarray(stop_x, np.float64) - centre_x, np.asarray(stop_y, np.float64) - centre_y))
    first, last = (np.array([route.stops[end] for route in plan.routes], np.int64) for end in (0, -1))
    outer: NDArray[np.bool_] = centre_distance_m[first] >= centre_distance_m[last]
    return outer
