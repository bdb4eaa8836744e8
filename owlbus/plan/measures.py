"""Measures of routes on a network: metres, seconds, circuity and buses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import HEADWAY_S
from owlbus.common.errors import DataError
from owlbus.common.units import require_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan.routes import Plan


_MIN_HEADWAY_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class PlanMeasures:
    """
    Measures of the routes of a plan on its network, one row per route; every array has shape (K,).

    Attributes
    ----------
    names
        Route names, in the plan's order.
    headway_s
        Headway in seconds, for `buses`.
    n_stops
        Stops on the route, int32.
    length_m, length_back_m
        Metres in the order of the stops and in reverse, int64.
    ride_s, ride_back_s
        Seconds in the order of the stops and in reverse, layovers included, int64.
    circuity
        Route metres over the shortest path between its terminals, the larger of both directions, float64, >= 1;
        infinite for a route that ends at its first stop.

    Examples
    --------
    >>> measures = PlanMeasures(("N10",), 2700, [9], [24000], [24100], [4500], [4600], [1.2])
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

    def __post_init__(self) -> None:
        """Copy the columns."""
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "headway_s", int(self.headway_s))
        for name in ("n_stops", "length_m", "length_back_m", "ride_s", "ride_back_s", "circuity"):
            kind = {"n_stops": np.int32, "circuity": np.float64}.get(name, np.int64)
            object.__setattr__(self, name, read_only_copy(getattr(self, name), kind))

    def __reduce__(self) -> tuple[type[PlanMeasures], tuple[object, ...]]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (PlanMeasures, tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def longer_length_m(self) -> NDArray[np.int64]:
        """Metres of the longer direction, for the upper length limit, shape (K,)."""
        return np.maximum(self.length_m, self.length_back_m)

    @property
    def shorter_length_m(self) -> NDArray[np.int64]:
        """Metres of the shorter direction, for the lower length limit, shape (K,)."""
        return np.minimum(self.length_m, self.length_back_m)

    @property
    def longer_ride_s(self) -> NDArray[np.int64]:
        """Seconds of the slower direction, shape (K,)."""
        return np.maximum(self.ride_s, self.ride_back_s)

    @property
    def cycle_s(self) -> NDArray[np.int64]:
        """Cycle time of both directions in seconds, shape (K,)."""
        return self.ride_s + self.ride_back_s

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
        [column.sum(dtype=np.int64) for step in (1, -1) for column in route_links(network, route.stops[::step], route.name)]
        for route in plan.routes
    ]
    ride_s, length_m, ride_back_s, length_back_m = np.array(columns, np.int64).reshape(-1, 4).T
    n_stops = np.array([route.n_stops for route in plan.routes], np.int32)
    circuity = _circuity(network, plan, length_m, length_back_m)
    return PlanMeasures(plan.names, headway_s, n_stops, length_m, length_back_m, ride_s, ride_back_s, circuity)


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
    links = np.array(
        [low + np.searchsorted(network.link_to[low:high], to) for low, high, to in zip(start, end, row[1:], strict=True)], dtype=np.int64
    )
    missing = links >= end
    missing[~missing] = network.link_to[links[~missing]] != row[1:][~missing]
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        msg = (
            f"route {name!r}: no link leads from stop {row[first]} to stop {row[first + 1]} ({int(missing.sum())} such gaps); ride on links"
        )
        raise DataError(msg)
    return network.link_s[links], network.link_m[links]


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
    first, last = (np.array([route.stops[end] for route in plan.routes]) for end in (0, -1))
    length = np.array([length_m, length_back_m], dtype=np.float64)
    shortest = np.stack([network.shortest_m(first, last), network.shortest_m(last, first)]).astype(np.float64)
    ratio = np.full_like(length, np.inf)
    np.divide(length, shortest, out=ratio, where=shortest > 0)
    larger: NDArray[np.float64] = ratio.max(axis=0)
    return larger
