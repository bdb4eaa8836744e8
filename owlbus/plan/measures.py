"""Measures of routes on a network: metres, seconds, circuity and buses."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import HEADWAY_S
from owlbus.common.errors import DataError
from owlbus.common.units import require_number
from owlbus.kernels.straight_rules import PAIR_FREE_M, SPUR_FACTOR, SPUR_M

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan.routes import Plan, Route


_MIN_HEADWAY_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class PlanMeasures:
    """
    Measures of the routes of a plan on its network, one row per route; arrays have shape (K,) unless another is named.

    Attributes
    ----------
    names
        Route names, in the plan's order.
    headway_s
        Headway in seconds, for `buses`.
    n_stops
        Stops on the route, int32; of the direction with more of them.
    length_m, length_back_m
        Metres in the order of the stops and on the way back, int64; 0 for a route without a way back.
    ride_s, ride_back_s
        Seconds in the order of the stops and on the way back, layovers included, int64; likewise.
    circuity
        Route metres over the shortest path between its terminals, the larger of both directions, float64, >= 1;
        infinite for a route that ends at its first stop.
    pair_circuity
        Metres from any stop of the route to any other, less 1 km, over the shortest path between them: the largest of all pairs in both
        directions, float64, >= 0.
    n_spurs
        Stops at which the route turns back, as `owlbus.RouteLimits.allow_spurs` has it, int32.
    worst_pair
        Indices of the two stops of `pair_circuity`, in the direction in which they are far apart, shape (K, 2), int32.
    empty_s
        Seconds without riders from the end of each direction to the start of the next, int64; 0 for a route back over its own stops.

    Examples
    --------
    >>> measures = PlanMeasures(("N10",), 2700, [9], [24000], [24100], [4500], [4600], [1.2], [1.1], [0], [[3, 8]], [0])
    >>> measures.cycle_s.tolist(), measures.buses.tolist(), measures.total_length_m
    ([9100], [4], 24100)
    """

    names: tuple[str, ...]
    headway_s: int
    n_stops: NDArray[np.int32]
    length_m: NDArray[np.int64]
    length_back_m: NDArray[np.int64]
    ride_s: NDArray[np.int64]
    ride_back_s: NDArray[np.int64]
    circuity: NDArray[np.float64]
    pair_circuity: NDArray[np.float64]
    n_spurs: NDArray[np.int32]
    worst_pair: NDArray[np.int32]
    empty_s: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Copy the columns."""
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "headway_s", int(self.headway_s))
        for field in fields(self)[2:]:
            kind = np.float64 if field.name.endswith("circuity") else np.int64 if field.name.endswith(("_m", "_s")) else np.int32
            object.__setattr__(self, field.name, read_only_copy(getattr(self, field.name), kind))

    def __reduce__(self) -> tuple[type[PlanMeasures], tuple[object, ...]]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (PlanMeasures, tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def longer_length_m(self) -> NDArray[np.int64]:
        """Metres of the longer direction, for the upper length limit, shape (K,)."""
        return np.maximum(self.length_m, self.length_back_m)

    @property
    def shorter_length_m(self) -> NDArray[np.int64]:
        """Metres of the shorter direction that runs, for the lower length limit, shape (K,)."""
        return np.where(self.length_back_m > 0, np.minimum(self.length_m, self.length_back_m), self.length_m)

    @property
    def longer_ride_s(self) -> NDArray[np.int64]:
        """Seconds of the slower direction, shape (K,)."""
        return np.maximum(self.ride_s, self.ride_back_s)

    @property
    def cycle_s(self) -> NDArray[np.int64]:
        """Cycle time of all directions with the empty drives between them, in seconds, shape (K,)."""
        return self.ride_s + self.ride_back_s + self.empty_s

    @property
    def buses(self) -> NDArray[np.int64]:
        """Buses of each route: cycle time over headway, rounded up, shape (K,)."""
        return -(-self.cycle_s // self.headway_s)

    @property
    def total_buses(self) -> int:
        """Buses of all routes."""
        return int(self.buses.sum())

    @property
    def total_length_m(self) -> int:
        """One-way metres of all routes, the longer direction of each."""
        return int(self.longer_length_m.sum())


def plan_measures(network: Network, plan: Plan, headway_s: int = HEADWAY_S) -> PlanMeasures:
    """
    Metres, seconds, circuity and buses of every route of a plan.

    Parameters
    ----------
    network
        The network that the plan was made for.
    plan
        The routes.
    headway_s
        Headway in seconds, for the fleet, >= 60.

    Returns
    -------
    PlanMeasures
        One row per route.

    Raises
    ------
    DataError
        If the plan was made for another network, or the network lacks a link of a route.
    UsageError
        If the headway is below 60 s.
    """
    require_number("headway_s", headway_s, _MIN_HEADWAY_S)
    require_same_network(network, plan)
    columns = [
        [column.sum(dtype=np.int64) for stops in (route.stops, _way_back(route)) for column in route_links(network, stops, route.name)]
        for route in plan.routes
    ]
    ride_s, length_m, ride_back_s, length_back_m = np.array(columns, np.int64).reshape(-1, 4).T
    n_stops = np.array([max(map(len, route.ways)) for route in plan.routes], np.int32)
    circuity = _circuity(network, plan, length_m, length_back_m)
    shapes = [_straightness(network, route) for route in plan.routes]
    pair_circuity, n_spurs = np.array([shape[0] for shape in shapes]), np.array([shape[1] for shape in shapes], np.int32)
    straight = pair_circuity, n_spurs, np.array([shape[2] for shape in shapes], np.int32).reshape(-1, 2)
    empty_s = np.array([_empty_s(network, route) for route in plan.routes], np.int64)
    return PlanMeasures(plan.names, headway_s, n_stops, length_m, length_back_m, ride_s, ride_back_s, circuity, *straight, empty_s)


def _way_back(route: Route) -> NDArray[np.int32]:
    """Stops of the way back; none for a route without one."""
    return route.stops[::-1] if route.back is None else route.back


def _empty_s(network: Network, route: Route) -> int:
    """Seconds that a bus drives without riders in one cycle."""
    after = (*route.ways[1:], route.ways[0])
    return sum(drive_s(network, int(way[-1]), int(then[0])) for way, then in zip(route.ways, after, strict=True))


def drive_s(network: Network, start: int, end: int) -> int:
    """
    Seconds of the fastest drive between two stops.

    Parameters
    ----------
    network
        The network of the stops.
    start, end
        Stop indices.

    Returns
    -------
    int
        Seconds, 0 for one stop.
    """
    return 0 if start == end else int(route_links(network, network.shortest_path(start, end))[0].sum(dtype=np.int64))


def route_links(network: Network, stops: ArrayLike, name: str = "route") -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """
    Seconds and metres of every link along a sequence of stops.

    Parameters
    ----------
    network
        The network of the stops.
    stops
        Stop indices in the order of service, shape (n,).
    name
        Name of the route for error messages.

    Returns
    -------
    seconds, metres
        Of each link, shape (n - 1,), int32.

    Raises
    ------
    DataError
        If a stop is not in the network or two consecutive stops have no link.
    """
    row = np.asarray(stops, dtype=np.int64)
    if row.size and not 0 <= int(row.min()) <= int(row.max()) < network.n_stops:
        outside = row[(row < 0) | (row >= network.n_stops)]
        msg = f"route {name!r}: stop indices must lie in [0, {network.n_stops}), got {outside[0]} ({outside.size} such)"
        raise DataError(msg)
    start, end = network.link_indptr[row[:-1]], network.link_indptr[row[:-1] + 1]
    most = int((end - start).max()) if start.size else 0
    rows = np.minimum(start[:, None] + np.arange(most), network.link_to.size - 1)
    is_link = (network.link_to[rows] == row[1:, None]) & (rows < end[:, None])
    missing = ~is_link.any(axis=1)
    links = start + is_link.argmax(axis=1) if most else start
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        msg = (
            f"route {name!r}: no link leads from stop {row[first]} to stop {row[first + 1]} ({int(missing.sum())} such gaps); ride on links"
        )
        raise DataError(msg)
    return network.link_s[links], network.link_m[links]


def pair_metres(network: Network, route: Route) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Metres along a route, and on the shortest path, from each of its positions to each other one; one search of paths from each stop.

    Parameters
    ----------
    network
        The network of the route.
    route
        The route.

    Returns
    -------
    along_m, shortest_m
        From the position of the row to that of the column, shape (n, n), int64: in the order of the stops above the diagonal, on the way
        back below it; 0 metres along a route that does not run back over its own stops.

    Raises
    ------
    DataError
        As `route_links` does.
    """
    n, ahead_m = route.n_stops, _running_m(route_links(network, route.stops, route.name)[1])
    along_m = np.triu(ahead_m - ahead_m[:, None])
    if route.back is None:
        back_m = _running_m(route_links(network, route.stops[::-1], route.name)[1][::-1])
        along_m += np.tril(back_m[:, None] - back_m)
    shortest_m = network.shortest_m(np.repeat(route.stops, n), np.tile(route.stops, n)).reshape(n, n)
    return along_m, shortest_m.astype(np.int64)


def _running_m(link_m: NDArray[np.int32]) -> NDArray[np.int64]:
    """Metres from the first stop to each."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(link_m, dtype=np.int64)])


def require_same_network(network: Network, plan: Plan) -> None:
    """
    Refuse a plan that was made for another network.

    Parameters
    ----------
    network
        The network.
    plan
        The plan.

    Raises
    ------
    DataError
        If the fingerprints differ.
    """
    if plan.network_fingerprint != network.fingerprint:
        msg = (
            f"the plan was made for network {plan.network_fingerprint!r}, this one is {network.fingerprint!r}; "
            "write the plan to a file and read it on this network"
        )
        raise DataError(msg)


def _circuity(network: Network, plan: Plan, length_m: NDArray[np.int64], length_back_m: NDArray[np.int64]) -> NDArray[np.float64]:
    """Route metres over the shortest path between the terminals, the larger of both directions."""
    if not plan.routes:
        return np.empty(0, np.float64)
    ways = [[route.stops for route in plan.routes], [_way_back(route) if route.ways[1:] else route.stops[::-1] for route in plan.routes]]
    length = np.array([length_m, length_back_m], dtype=np.float64)
    ends = [[np.array([stops[end] for stops in row]) for end in (0, -1)] for row in ways]
    shortest = np.stack([network.shortest_m(*pair) for pair in ends]).astype(np.float64)
    ratio = np.full_like(length, np.inf)
    np.divide(length, shortest, out=ratio, where=shortest > 0)
    ratio[1, length_back_m == 0] = 0.0  # a route without a way back is as long as its way there
    larger: NDArray[np.float64] = ratio.max(axis=0)
    return larger


def _straightness(network: Network, route: Route) -> tuple[float, int, tuple[int, int]]:
    """Largest quotient of the metres between two stops, `PAIR_FREE_M` taken off, over the shortest; spurs; the two stops."""
    if route.back is not None and route.back.size:
        there, home = (_straightness(network, replace(route, stops=way, back=np.empty(0, np.int32))) for way in route.ways)
        worse = max(there, home, key=lambda shape: shape[0])
        return worse[0], there[1] + home[1], worse[2]
    along_m, shortest_m = pair_metres(network, route)
    beyond = np.maximum(along_m - PAIR_FREE_M, 0)
    quotient = np.divide(beyond, shortest_m, out=np.zeros(beyond.shape), where=shortest_m > 0)
    start, end = np.unravel_index(np.argmax(quotient), quotient.shape)
    is_spur = (along_m >= SPUR_FACTOR * shortest_m) & (along_m - shortest_m >= SPUR_M)
    n_spurs = np.count_nonzero(np.diagonal(is_spur, 2) | np.diagonal(is_spur, -2))
    return float(quotient[start, end]), int(n_spurs), (int(route.stops[start]), int(route.stops[end]))
