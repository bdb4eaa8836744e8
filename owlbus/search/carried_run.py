"""A search for routes and buses that carry most trips, beside `owlbus.search.annealing_run` that searches for served trips."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.acceptance import expected_wait_s
from owlbus.common.defaults import HEADWAY_S
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S
from owlbus.kernels.carried_anneal import Running, anneal_carried, fill_factors
from owlbus.kernels.carried_gain import FULL, new_route_scratch
from owlbus.kernels.carried_journeys import new_other_journeys
from owlbus.kernels.carried_structs import Service
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.carried import CarriedModel
from owlbus.search.group_presence import n_missing, reached_by
from owlbus.search.objective import Objective
from owlbus.search.problem import plan_of
from owlbus.search.ride_service import UNITS_PER_TRIP
from owlbus.search.split_buses import best_split, even_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.carried import CarriedFlows
    from owlbus.search.constraints import PlanConstraints
    from owlbus.search.problem import Problem
    from owlbus.search.ride_service import RideService

_SERVED_SHARE = 0.2
"""Share of the search that maximises served trips: its moves are faster, and a plan for them is a good one to begin with."""

_HOT_PART, _COLD_PART, _USUAL_ROUTES = 1 / 1_200, 1 / 20_000, 9
"""First and last temperature, as parts of the trips that the first plan carries with that many routes; with more routes a smaller part."""

_BLOCK, _CHANGES = 1_000, 16
_BLOCKS_A_COUNT = 4
"""Blocks of moves after which the plan is counted anew, so that the room on other routes is up to date."""

_GAIN_BITS = 10
"""Gains of kernels are counted in parts of `UNITS_PER_TRIP` of so many bits."""


def carried_limits(
    service: RideService, limits: RouteLimits, constraints: PlanConstraints, n_routes: int, *, is_bounded: bool
) -> RouteLimits:
    """
    Limits of a search for trips carried: its fleet at the longest headway, since each route has a headway of its own.

    Parameters
    ----------
    service
        How buses run and who rides.
    limits, constraints
        What the plan must keep.
    n_routes
        Routes K.
    is_bounded
        Whether a bound is asked for.

    Returns
    -------
    RouteLimits
        All other limits as they are; metres and seconds.

    Raises
    ------
    UsageError
        If a bound is asked for, or fixed routes run otherwise on their way back.
    InfeasibleError
        If there are fewer buses than routes.
    """
    if is_bounded:
        msg = f"no bound is known for trips carried; leave {setting('bound_steps')} and {setting('target_gap_share')} out"
        raise UsageError(msg, setting="objective", value="carried")
    if constraints.fixed is not None and not constraints.fixed.is_reversible:
        msg = "trips carried need fixed routes that run back over their own stops; take the objective served, or give such routes"
        raise UsageError(msg, setting="objective", value="carried")
    n_buses = min(service.fleet, limits.max_buses)
    if n_buses < n_routes:
        need = "needs" if n_routes == 1 else "need"
        least = f"{how_many(n_routes, 'route')} {need} at least {how_many(n_routes, 'bus')}"
        msg = f"{least}, got {n_buses:g}; ask for fewer routes or more buses"
        raise InfeasibleError(msg, setting="max_buses", value=n_buses, allowed=(n_routes, math.inf))
    return replace(limits, headway_s=service.max_headway_s, max_buses=n_buses)


class CarriedRun(AnnealingRun):
    """
    State of one annealing run for trips carried, changed in place.

    Users call `owlbus.search.plan_routes`. Routes are constructed and annealed for served trips, and the fleet is split over them. Then
    routes are annealed one by one for trips carried, each with its buses: a longer route runs less often. Between blocks of such moves a
    bus may go from one route to another.

    Parameters
    ----------
    problem, objective, limits, n_routes, rng, constraints
        As of `AnnealingRun`; the objective is ``carried``, and the problem holds trips by hour.

    Raises
    ------
    UsageError
        If the problem holds no trips by hour.
    """

    exchanges = False

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        limits: RouteLimits,
        n_routes: int,
        rng: np.random.Generator,
        constraints: PlanConstraints | None = None,
    ) -> None:
        """Compile the model of who rides, before any clock starts."""
        if objective.carried is None:
            msg = "the objective of a run for trips carried must say how buses run"
            raise ValueError(msg)
        self.model = CarriedModel(problem, objective.carried)
        self.buses = np.ones(n_routes, np.int64)
        self._now_units, self._best_units, self._best_missing, self._steps_since_gain = 0, 0, 0, 0
        self._best_rows = np.zeros((n_routes, 1), np.int32), np.zeros(n_routes, np.int64)
        self.best_buses = self.buses.copy()
        self._is_begun, self._n_blocks, self._first_units = False, 0, 1
        super().__init__(problem, Objective(), limits, n_routes, rng, constraints)
        width = self.routes.stops.shape[1]
        n_entries = width * int(np.diff(problem.network.shed_indptr).max(initial=1))
        pairs = self.model.pairs.trip_quanta.shape
        self._others = new_other_journeys(problem.network.n_stops, problem.n_rows, n_routes, n_entries, pairs)
        self._scratch = new_route_scratch(problem.n_rows, n_entries, width, pairs)
        self._service = Service(np.zeros(n_routes, np.float32), np.full((n_routes, width, width), FULL, np.int32))
        choice, longest = objective.carried.choice, 1 + objective.carried.max_headway_s // 60
        self._wait_s = np.rint(choice.wait_weight * expected_wait_s(60 * np.arange(longest + 1))).astype(np.float32)

    def compile(self) -> None:
        """Compile the kernels, those for trips carried too, before the clock starts; no random number is used up."""
        super().compile()
        self._change_route(0, 0, 1.0)
        self._flows(self.buses)

    @property
    def value(self) -> int:
        """Trips that the current plan carries, in 1 / `UNITS_PER_TRIP`."""
        return self._now_units

    @property
    def best_value(self) -> int:
        """Trips that the best plan carries, in 1 / `UNITS_PER_TRIP`."""
        return self._best_units

    @property
    def missing(self) -> int:
        """People whom the plan that carries most fails to reach of the groups that it must reach, in 1/1024 times points."""
        return self._best_missing

    @property
    def steps_since_gain(self) -> int:
        """Moves since the last better plan."""
        return self._steps_since_gain

    def best_plan(self) -> Plan:
        """Return the plan that carries most; empty routes are left out."""
        return plan_of(self.problem.network, *self._best_rows, names=self._names)

    def construct(self, k: int) -> bool:
        """Fill the empty route `k` for served trips; False if no drawn path keeps the limits."""
        is_built = super().construct(k)
        self._count_served()
        return is_built

    def turn(self, moves: int, done: float, ahead: float, constructed_value: int) -> int:
        """Anneal for served trips first, then for trips carried; return how many moves were tried."""
        del constructed_value  # of trips carried, which sets no temperature of served trips
        first = moves if ahead <= _SERVED_SHARE else 0
        if done < _SERVED_SHARE < ahead:
            first = round(moves * (_SERVED_SHARE - done) / (ahead - done))
        tried, before = 0, self._best_units
        if first:
            tried = super().turn(first, done / _SERVED_SHARE, min(1.0, ahead / _SERVED_SHARE), max(1, self._served_worth))
            self._count_served()
        if moves > first:
            share = max(0.0, done - _SERVED_SHARE) / (1 - _SERVED_SHARE)
            tried += self._anneal_carried(moves - first, share, max(share, (ahead - _SERVED_SHARE) / (1 - _SERVED_SHARE)))
        self._steps_since_gain = 0 if self._best_units > before else self._steps_since_gain + tried
        return tried

    def _anneal_carried(self, moves: int, share: float, ahead: float) -> int:
        """Anneal for trips carried between two shares of that part, in blocks of moves on one route each; return the moves tried."""
        if not self._is_begun:
            self._begin()
        free = np.flatnonzero(~self.frozen & (self.routes.n_stops > 1))
        if not free.size:
            return 0
        hot, cold = self._temperature(share), self._temperature(ahead)
        self._choose_kinds()
        tried = 0
        while tried < moves:
            temperature = hot * (cold / hot) ** (tried / moves)
            tried += self._change_route(int(self.rng.choice(free)), min(_BLOCK, moves - tried), temperature)
            self._n_blocks += 1
            if self._n_blocks % _BLOCKS_A_COUNT == 0:
                self._count()
                self._move_bus(temperature)
        self._count()
        return tried

    def _temperature(self, share: float) -> float:
        """Temperature in 1 / `UNITS_PER_TRIP` at a share of the part for trips carried."""
        return float(self._first_units * _HOT_PART * (_COLD_PART / _HOT_PART) ** share * (_USUAL_ROUTES / self.frozen.size))

    def _change_route(self, k: int, moves: int, temperature: float) -> int:
        """Anneal one route; return the moves tried."""
        graph, _, drive, limits, attraction, constraints = self._problem_arrays(self._bounds)
        heat = temperature * 2**_GAIN_BITS
        tried, gain = anneal_carried(
            graph,
            drive,
            limits,
            attraction,
            constraints,
            self.model.costs,
            self.model.pairs,
            self.routes,
            self._service,
            self._others,
            self._gains.candidate,
            self._running(k),
            self._scratch,
            k,
            self._rng_state,
            self._kinds,
            self.values,
            moves,
            _CHANGES,
            heat,
            heat,
        )
        if gain:
            self._add(k, gain)
        return int(tried)

    def _add(self, k: int, gain: int) -> None:
        """Note what a change of route `k` gains, and how long people wait for it now; a plan that may be the best one is counted."""
        self._now_units += gain >> _GAIN_BITS
        headway_s = self.model.service.headway_s(float(self.model.cycles_s(self.routes)[k]), int(self.buses[k]))
        self._service.board_s[k] = self._wait_s[min(headway_s // 60, self._wait_s.size - 1)]
        if self._now_units > self._best_units:
            self._count()

    def _running(self, k: int) -> Running:
        """How route `k` runs with its buses."""
        service = self.model.service
        hour_units = float(service.capacity * HOUR_S * UNITS_PER_TRIP)
        return Running(int(self.buses[k]), service.min_headway_s, self._wait_s, hour_units)

    def bounds(self) -> Limits:
        """Limits while trips served count, as the kernels take them: at a common headway, from which buses go where they are needed."""
        return self._bounds._replace(headway_s=float(min(self.model.service.max_headway_s, HEADWAY_S)))

    def shared(self, share: float) -> Limits:
        """Limits of `bounds` with a `share`, 0 to 1, of the fleet and kilometres of all routes."""
        return super().shared(share)._replace(headway_s=self.bounds().headway_s)

    def _move_bus(self, temperature: float) -> None:
        """Let a bus go from one route to another, if more trips are carried or the temperature allows it."""
        running = np.flatnonzero(self.routes.n_stops > 1)
        i, j = self.rng.choice(running, 2)
        least = self.model.service.fewest_buses(float(self.model.cycles_s(self.routes)[i]))
        if i == j or self.buses[i] <= least:
            return
        split = self.buses.copy()
        split[i] -= 1
        split[j] += 1
        flows = self._flows(split)
        if flows.value_units - self._now_units >= temperature * math.log(1.0 - self.rng.random()):
            self.buses = split
            self._take(flows)

    def _flows(self, buses: NDArray[np.int64]) -> CarriedFlows:
        """Riders of the current plan with such buses."""
        return self.model.flows(self.routes, self.model.cycles_s(self.routes), buses)

    def _count(self) -> None:
        """Count the current plan anew."""
        self._take(self._flows(self.buses))

    def _take(self, flows: CarriedFlows) -> None:
        """Make flows those of the current plan, and the plan the best one if it is."""
        self._now_units = flows.value_units
        self._service.board_s[:] = self.model.service.board_s(flows.headways_s)
        fill_factors(self.model.costs, self.routes.n_stops, flows.wanted_load_units, flows.capacity_units, self._service.factor)
        missing = n_missing(self.groups, reached_by(self.groups, self.routes.stops, self.routes.n_stops))
        if (-missing, self._now_units) > self.rank:
            self._best_units, self._best_missing = self._now_units, missing
            self._best_rows = self.routes.stops.copy(), self.routes.n_stops.copy()
            self.best_buses = self.buses.copy()

    def _begin(self) -> None:
        """Split the fleet over the best plan for served trips."""
        self.restore_best()
        self._best_units, self._best_missing, self._is_begun = 0, np.iinfo(np.int64).max, True
        flows = best_split(self.model, self.routes)
        self.buses = flows.buses.copy()
        self._take(flows)
        self._first_units = max(1, self._now_units)

    def _restart_from_routes(self) -> None:
        super()._restart_from_routes()
        self._is_begun = False
        self._served_worth = int(self.values[1])
        self._count_served()

    def _count_served(self) -> None:
        """While trips served are what counts, let the best plan be that which serves most, at nearly equal headways."""
        self._best_rows = self.best[0].copy(), self.best[1].copy()
        self._served_worth = max(1, int(self.values[1]))
        self._best_missing = int(self.groups.missing[0])
        padded = self.problem.pad(self.best_plan())
        cycles_s = self.model.cycles_s(padded)
        self._best_units = self._now_units = self.model.flows(padded, cycles_s, even_split(self.model, cycles_s)).value_units
