"""Type `BenchInstance`: a network, a demand, limits and rules that every entrant plans for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.search import Objective, PlanConstraints, Problem

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits, ServiceRule

BENCH_OBJECTIVES = ("served", "direct", "presence", "travel_time")
"""What plans are valued by, one at a time."""

_HOUR = 24


@dataclass(frozen=True, slots=True, eq=False)
class BenchInstance:
    """
    What every entrant plans for; all figures of NightBench follow from it and from the stops of a plan.

    Attributes
    ----------
    name
        Short name, also of its folder.
    title
        What it is, in a few words.
    source, licence
        Where its tables come from, and under which terms they may be used.
    is_synthetic
        Whether its demand is generated.
    network
        Nodes where buses halt, links, and walk sheds, which count hexes whole.
    demand
        Trips of one night between hexes, and people by hex.
    n_routes
        Routes that a plan may have, >= 1.
    limits
        What the routes must keep, in metres and seconds.
    rule
        When a trip counts as served.
    objectives
        Those of `BENCH_OBJECTIVES` that count here.
    required_nodes
        Indices of nodes that some route must call at.
    version
        Version of the instance, >= 1; it is raised with any change of its tables, limits or rules.

    Raises
    ------
    DataError
        If an objective is unknown, or a required node is none of the network.
    """

    name: str
    title: str
    source: str
    licence: str
    is_synthetic: bool
    network: Network
    demand: Demand
    n_routes: int
    limits: RouteLimits
    rule: ServiceRule
    objectives: tuple[str, ...] = BENCH_OBJECTIVES
    required_nodes: tuple[int, ...] = ()
    version: int = 1
    _cache: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse objectives and nodes that do not exist."""
        unknown = [name for name in self.objectives if name not in BENCH_OBJECTIVES]
        if unknown or not self.objectives:
            msg = f"{self.name}: objectives must be some of {', '.join(BENCH_OBJECTIVES)}, got {', '.join(unknown) or 'none'}"
            raise DataError(msg)
        outside = [node for node in self.required_nodes if not 0 <= node < self.network.n_stops]
        if outside:
            msg = f"{self.name}: required nodes must lie in [0, {self.network.n_stops}), got {outside[0]} ({len(outside)} such)"
            raise DataError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor."""
        return BenchInstance, tuple(getattr(self, spec.name) for spec in fields(self) if spec.init)

    @property
    def problem(self) -> Problem:
        """Network, demand and rule as search and evaluation take them; made once and kept."""
        if "problem" not in self._cache:
            self._cache["problem"] = Problem.build(self.network, self.demand, self.rule)
        found: Problem = self._cache["problem"]
        return found

    @property
    def constraints(self) -> PlanConstraints:
        """Nodes that some route must call at, for the search."""
        return PlanConstraints(required=self.required_nodes)

    def objective(self, name: str) -> Objective:
        """
        Objective of a name that counts here.

        Parameters
        ----------
        name
            One of `objectives`.

        Returns
        -------
        Objective
            For the search.

        Raises
        ------
        UsageError
            If it does not count here.
        """
        if name not in self.objectives:
            msg = f"{setting('objective')} of {self.name} must be one of {', '.join(self.objectives)}, got {name!r}"
            raise UsageError(msg, setting="objective", value=name, allowed=self.objectives)
        return Objective.parse(name)


def one_night(demand: Demand, network: Network) -> Demand:
    """
    Mean night of a demand, without hours, as instances hold it.

    Parameters
    ----------
    demand
        Trips and people by night and hour.
    network
        The network on the demand's grid.

    Returns
    -------
    Demand
        Trips a night and people, in multiples of 1/1024, of one night and hour.
    """
    from owlbus.demand import Demand

    pairs, people = demand.od(), demand.presence_by_hex()
    n_hexes, present = network.grid.n_hexes, np.flatnonzero(people)
    trips = {"night": np.zeros(pairs.trips.size, int), "hour": np.full(pairs.trips.size, _HOUR)}
    trips |= {"origin": pairs.origin, "destination": pairs.destination, "trips": pairs.trips}
    there = {"night": np.zeros(present.size, int), "hour": np.full(present.size, _HOUR), "hex": present, "presence": people[present]}
    return Demand.from_rows(n_hexes, trips, there, hours=(_HOUR,), source="counts", grid=network.grid.fingerprint)
