"""What routes measure on a network: metres, seconds, circuity and buses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.errors import DataError
from owlbus.common.units import require_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan.routes import Plan

HEADWAY_S = 2_700
"""Seconds between buses where nothing else is said: the 45 minutes of Seoul's first night network."""

_MIN_HEADWAY_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class PlanMeasures:
    """
    One row per route of what it measures on its network; every array has shape (K,).

    Attributes
    ----------
    names
        Route names, in the plan's order.
    headway_s
        Seconds between buses that `buses` is counted for.
    n_stops
        Stops on the route, int32.
    length_m, length_back_m
        Metres in the order of the stops and against it, int64.
    ride_s, ride_back_s
        Seconds in the order of the stops and against it, layovers included, int64.
    circuity
        Route metres over the shortest way between its terminals, the larger of both directions, float64, >= 1;
        infinite for a route that ends where it begins.

    Examples
    --------
    >>> one = PlanMeasures(("N10",), 2700, [9], [24000], [24100], [4500], [4600], [1.2])
    >>> one.cycle_s.tolist(), one.buses.tolist(), one.total_length_m
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

    def __init__(
        self,
        names: tuple[str, ...],
        headway_s: int,
        n_stops: ArrayLike,
        length_m: ArrayLike,
        length_back_m: ArrayLike,
        ride_s: ArrayLike,
        ride_back_s: ArrayLike,
        circuity: ArrayLike,
    ) -> None:
        """Copy the columns."""
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "headway_s", int(headway_s))
        object.__setattr__(self, "n_stops", read_only_copy(n_stops, np.int32))
        for name, column in (("length_m", length_m), ("length_back_m", length_back_m), ("ride_s", ride_s), ("ride_back_s", ride_back_s)):
            object.__setattr__(self, name, read_only_copy(column, np.int64))
        object.__setattr__(self, "circuity", read_only_copy(circuity, np.float64))

    def __reduce__(self) -> tuple[type[PlanMeasures], tuple[object, ...]]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (PlanMeasures, tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def longer_length_m(self) -> NDArray[np.int64]:
        """Metres of the longer direction, shape (K,); what a length limit bounds from above."""
        return np.maximum(self.length_m, self.length_back_m)

    @property
    def shorter_length_m(self) -> NDArray[np.int64]:
        """Metres of the shorter direction, shape (K,); what a length limit bounds from below."""
        return np.minimum(self.length_m, self.length_back_m)

    @property
    def longer_ride_s(self) -> NDArray[np.int64]:
        """Seconds of the slower direction, shape (K,)."""
        return np.maximum(self.ride_s, self.ride_back_s)

    @property
    def cycle_s(self) -> NDArray[np.int64]:
        """Seconds there and back, shape (K,)."""
        return self.ride_s + self.ride_back_s

    @property
    def buses(self) -> NDArray[np.int64]:
        """Buses of each route: cycle over headway, rounded up, shape (K,)."""
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
    Measure every route of a plan on its network.

    Parameters
    ----------
    network
        The network that the plan's stop indices name.
    plan
        The routes.
    headway_s
        Seconds between buses, for the fleet, >= 60.

    Returns
    -------
    PlanMeasures
        Metres, seconds, circuity and buses, one row per route.

    Raises
    ------
    DataError
        If the plan was made for another network, or a route rides where there is no link.
    UsageError
        If the headway is below 60 s.
    """
    require_number("headway_s", headway_s, _MIN_HEADWAY_S)
    require_same_network(network, plan)
    rides = [route_links(network, route.stops, route.name) for route in plan.routes]
    back = [route_links(network, route.stops[::-1], route.name) for route in plan.routes]
    length_m, length_back_m = ([int(metres.sum(dtype=np.int64)) for _, metres in ways] for ways in (rides, back))
    ride_s, ride_back_s = ([int(seconds.sum(dtype=np.int64)) for seconds, _ in ways] for ways in (rides, back))
    return PlanMeasures(
        plan.names,
        headway_s,
        [route.n_stops for route in plan.routes],
        length_m,
        length_back_m,
        ride_s,
        ride_back_s,
        _circuity(network, plan, length_m, length_back_m),
    )


def route_links(network: Network, stops: ArrayLike, name: str = "route") -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """
    Seconds and metres of every link that a row of stops rides on.

    Parameters
    ----------
    network
        Where the stops lie.
    stops
        Stop indices, shape (n,), in riding order.
    name
        Name for the message.

    Returns
    -------
    seconds, metres
        Of each link, shape (n - 1,), int32.

    Raises
    ------
    DataError
        If a stop is none of the network's or two consecutive stops have no link.
    """
    row = np.asarray(stops, dtype=np.int64)
    if row.size and not 0 <= int(row.min()) <= int(row.max()) < network.n_stops:
        outside = row[(row < 0) | (row >= network.n_stops)]
        msg = f"route {name!r}: stop indices must lie in [0, {network.n_stops}), got {outside[0]} ({outside.size} such)"
        raise DataError(msg)
    start, end = network.link_indptr[row[:-1]], network.link_indptr[row[:-1] + 1]
    at = np.array(
        [low + np.searchsorted(network.link_to[low:high], to) for low, high, to in zip(start, end, row[1:], strict=True)], dtype=np.int64
    )
    missing = at >= end
    missing[~missing] = network.link_to[at[~missing]] != row[1:][~missing]
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        msg = (
            f"route {name!r}: no link leads from stop {row[first]} to stop {row[first + 1]} ({int(missing.sum())} such gaps); ride on links"
        )
        raise DataError(msg)
    return network.link_s[at], network.link_m[at]


def require_same_network(network: Network, plan: Plan) -> None:
    """
    Refuse a plan whose stop indices name another network's stops.

    Parameters
    ----------
    network
        The network at hand.
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


def _circuity(network: Network, plan: Plan, length_m: list[int], length_back_m: list[int]) -> NDArray[np.float64]:
    """Route metres over the shortest way between the terminals, the larger of both directions."""
    if not plan.routes:
        return np.empty(0, np.float64)
    first = np.array([route.stops[0] for route in plan.routes])
    last = np.array([route.stops[-1] for route in plan.routes])
    routed = np.array([length_m, length_back_m], dtype=np.float64)
    shortest = np.stack([network.shortest_m(first, last), network.shortest_m(last, first)]).astype(np.float64)
    ratio = np.full_like(routed, np.inf)
    np.divide(routed, shortest, out=ratio, where=shortest > 0)
    worst: NDArray[np.float64] = ratio.max(axis=0)
    return worst
