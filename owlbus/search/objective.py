"""A case: network, demand and rule as the arrays that search and scorecard share, and what a plan is worth on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.errors import DataError, UsageError
from owlbus.limits import ServiceRule
from owlbus.network.model import UNREACHABLE
from owlbus.plan import Plan, Route
from owlbus.units import TRIP_UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network

OBJECTIVES = ("served", "direct", "presence")
_OUT_OF_REACH = -1.0


@dataclass(frozen=True, slots=True)
class Objective:
    """
    What a plan is worth: trips served and people reached, each with a weight.

    Attributes
    ----------
    trips, presence
        What a served trip and a person within the walk of a stop count, whole numbers >= 0, dimensionless.
    max_transfers
        Transfers that a served trip may need; 0 makes it the direct objective.

    Raises
    ------
    UsageError
        If a weight is negative, or both are 0.

    Examples
    --------
    >>> Objective.parse("direct")
    Objective(trips=1, presence=0, max_transfers=0)
    >>> Objective.parse("served=3,presence=1")
    Objective(trips=3, presence=1, max_transfers=1)
    """

    trips: int = 1
    presence: int = 0
    max_transfers: int = 1

    def __post_init__(self) -> None:
        """Refuse weights that value nothing."""
        if min(self.trips, self.presence) < 0 or self.trips + self.presence == 0:
            msg = f"objective weights must be >= 0 and not all 0, got trips {self.trips} and presence {self.presence}"
            raise UsageError(msg)

    @classmethod
    def parse(cls, text: str) -> Objective:
        """
        Objective of a name, or of a weighted mix.

        Parameters
        ----------
        text
            ``served``, ``direct``, ``presence``, or ``NAME=WEIGHT`` joined by commas, with whole weights.

        Returns
        -------
        Objective
            The objective.

        Raises
        ------
        UsageError
            If a name or a weight is none, or both ``served`` and ``direct`` occur.
        """
        weights: dict[str, int] = {}
        for part in text.split(","):
            name, _, weight = part.strip().partition("=")
            if name not in OBJECTIVES or not (weight or "1").isdigit():
                msg = f"an objective must read {', '.join(OBJECTIVES)} or NAME=WEIGHT,NAME=WEIGHT with whole weights, got {text!r}"
                raise UsageError(msg)
            weights[name] = int(weight or 1)
        if weights.get("served") and weights.get("direct"):
            msg = f"an objective must weigh either served or direct, got {text!r}"
            raise UsageError(msg)
        return cls(
            weights.get("served", 0) + weights.get("direct", 0),
            weights.get("presence", 0),
            int(not weights.get("direct")),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """
    Network, demand and rule, compiled for search and scorecard.

    Attributes
    ----------
    network
        The stop network, S stops over H hexes.
    rule
        When a trip counts as served.
    hexes
        Hexes from which some stop is within the walk, shape (C,), int32, ascending; what follows has a row for each.
    row_of
        Row of each hex of the grid, shape (H,), int32; -1 where no stop is in reach.
    weight
        Trips from row to column in 1/1024 a night, shape (C, C), int32.
    limit_s
        Longest ride that serves them, transfers included, shape (C, C), float32 seconds; -1 where no path joins them.
    presence
        People in each row in 1/1024 a night, shape (C,), int64.
    total_trips_units, total_presence_units
        All trips and people in 1/1024 a night, those out of reach included.
    graph
        Links and sheds as the kernels take them.
    drive_s
        Fastest seconds between stops along the links of `graph`, shape (S, S), int32; None where these are the network's.

    Raises
    ------
    DataError
        If demand and network lie on different grids.
    """

    network: Network
    rule: ServiceRule
    hexes: NDArray[np.int32]
    row_of: NDArray[np.int32]
    weight: NDArray[np.int32]
    limit_s: NDArray[np.float32]
    presence: NDArray[np.int64]
    total_trips_units: int
    total_presence_units: int
    graph: tuple[NDArray[Any], ...] = field(repr=False)
    drive_s: NDArray[np.int32] | None = field(default=None, repr=False)

    @classmethod
    def build(cls, network: Network, demand: Demand, rule: ServiceRule | None = None) -> Case:
        """
        Compile a case.

        Parameters
        ----------
        network
            Stop network.
        demand
            Trips between the hexes of the network's grid.
        rule
            When a trip counts as served; the defaults of `ServiceRule` if None.

        Returns
        -------
        Case
            The arrays; ``8 * C**2`` bytes.

        Raises
        ------
        DataError
            If demand and network lie on different grids.
        """
        rule = rule or ServiceRule()
        n_hexes = network.grid.n_hexes
        if demand.n_hexes != n_hexes or (demand.grid and demand.grid != network.grid.fingerprint):
            msg = (
                f"demand and network must lie on one grid, got {demand.n_hexes} and {n_hexes} hexes "
                f"({demand.grid or 'unnamed'} and {network.grid.fingerprint}); build both from the same grid"
            )
            raise DataError(msg)
        hexes = np.flatnonzero(network.hex_stop >= 0).astype(np.int32)
        row_of = np.full(n_hexes, -1, np.int32)
        row_of[hexes] = np.arange(hexes.size)
        pairs = demand.od()
        trips = np.rint(pairs.trips * TRIP_UNITS).astype(np.int32)
        people = np.rint(demand.presence_by_hex() * TRIP_UNITS).astype(np.int64)
        rows, columns = row_of[pairs.origin], row_of[pairs.destination]
        inside = (rows >= 0) & (columns >= 0)
        weight = np.zeros((hexes.size, hexes.size), np.int32)
        weight[rows[inside], columns[inside]] = trips[inside]
        return cls(
            network=network,
            rule=rule,
            hexes=hexes,
            row_of=row_of,
            weight=weight,
            limit_s=_ride_limits(network, rule, hexes),
            presence=people[hexes],
            total_trips_units=int(trips.sum(dtype=np.int64)),
            total_presence_units=int(people.sum()),
            graph=(
                network.link_indptr,
                network.link_to,
                network.link_s,
                network.link_m,
                network.shed_indptr,
                row_of[network.shed_hex],
            ),
        )

    @property
    def n_rows(self) -> int:
        """Hexes C from which some stop is within the walk."""
        return self.hexes.size

    @property
    def demand_arrays(self) -> tuple[NDArray[Any], ...]:
        """Trips, longest rides in seconds and people, as the kernels take ``demand``."""
        return self.weight, self.limit_s, self.presence

    @property
    def drive(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Fastest seconds along the links of the graph, and shortest metres of the network, between stops, shape (S, S) each."""
        return self.network.drive_s if self.drive_s is None else self.drive_s, self.network.drive_m

    @property
    def is_symmetric(self) -> bool:
        """Whether every link takes as long as its reverse."""
        network = self.network
        tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
        back = np.lexsort((tail, network.link_to))
        return bool(np.array_equal(network.link_s, network.link_s[back]))

    def total_value(self, objective: Objective) -> int:
        """
        Value of a plan that served every trip and reached every person.

        Parameters
        ----------
        objective
            What counts.

        Returns
        -------
        int
            In 1/1024, >= 1 so that shares are defined.
        """
        return max(1, objective.trips * self.total_trips_units + objective.presence * self.total_presence_units)

    def pad(self, plan: Plan, *, width: int = 0) -> tuple[NDArray[Any], ...]:
        """
        Routes of a plan as the padded arrays that kernels take.

        Parameters
        ----------
        plan
            The plan.
        width
            Least places M.

        Returns
        -------
        tuple of ndarray
            Stops (K, M), counts (K,), seconds ahead and back (K, M).

        Raises
        ------
        DataError
            If two stops in a row are not linked.
        """
        from owlbus.kernels.coverage import measure_route

        n_routes = len(plan.routes)
        width = max([width, 2, *(len(route.stops) for route in plan.routes)])
        padded = (
            np.zeros((n_routes, width), np.int32),
            np.zeros(n_routes, np.int64),
            np.zeros((n_routes, width), np.float32),
            np.zeros((n_routes, width), np.float32),
        )
        for k, route in enumerate(plan.routes):
            count = len(route.stops)
            padded[0][k, :count] = route.stops
            padded[1][k] = count
            if measure_route(self.graph, padded[0][k], count, padded[2][k], padded[3][k])[0] < 0:
                msg = f"stops in a row must be linked, route {route.name} has two that are not; read it against this network"
                raise DataError(msg)
        return padded

    def rides(self, plan: Plan) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Fastest rides between all hexes in reach of a stop.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        direct_s, best_s
            Seconds without a transfer and with at most one, its cost included, shape (C, C), float32.
        """
        from owlbus.kernels.coverage import ride_matrices

        direct, best = ride_matrices(self.graph, self.pad(plan), float(self.rule.transfer_s), self.n_rows)
        return direct, best if self.rule.max_transfers else direct

    def value(self, plan: Plan, objective: Objective) -> int:
        """
        What a plan is worth, counted from nothing.

        Parameters
        ----------
        plan
            The plan.
        objective
            What counts.

        Returns
        -------
        int
            In 1/1024.
        """
        direct, best = self.rides(plan)
        rides = best if objective.max_transfers else direct
        served = int(self.weight[rides <= self.limit_s].sum(dtype=np.int64))
        people = int(self.presence[reached_hexes(self.network, plan)[self.hexes]].sum())
        return objective.trips * served + objective.presence * people


def _ride_limits(network: Network, rule: ServiceRule, hexes: NDArray[np.int32]) -> NDArray[np.float32]:
    """
    Longest ride that serves a trip between two of the `hexes`, in whole seconds rounded down, shape (C, C).

    The direct drive goes between the stops nearest to the hexes' centres.
    """
    stop = network.hex_stop[hexes]
    drive = network.drive_s[np.ix_(stop, stop)]
    longest = np.floor(rule.detour_factor * drive + rule.detour_s)
    return np.where(drive < UNREACHABLE, longest, _OUT_OF_REACH).astype(np.float32)


def reached_hexes(network: Network, plan: Plan) -> NDArray[np.bool_]:
    """
    Hexes within the walk of a stop of the plan.

    Parameters
    ----------
    network
        Stop network over H hexes.
    plan
        The plan.

    Returns
    -------
    ndarray of bool
        Shape (H,).
    """
    reached = np.zeros(network.grid.n_hexes, np.bool_)
    for route in plan.routes:
        for stop in route.stops:
            reached[network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]]] = True
    return reached


def plan_of(
    network: Network, stops: NDArray[np.int32], counts: Sequence[int] | NDArray[np.int64], names: Mapping[int, str] | None = None
) -> Plan:
    """
    Plan of padded arrays; empty routes are left out.

    Parameters
    ----------
    network
        The network the stops belong to.
    stops, counts
        Stop indices (K, M), and how many count in each row (K,).
    names
        Name by row; ``R1``, ``R2``, … by default.

    Returns
    -------
    Plan
        The routes in row order.
    """
    names = names or {}
    routes = tuple(Route(stops=stops[k, :count].copy(), name=names.get(k, f"R{k + 1}")) for k, count in enumerate(counts) if count > 1)
    return Plan(routes=routes, network_fingerprint=network.fingerprint)
