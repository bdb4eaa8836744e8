"""What a plan is worth on an instance, by one objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from owlbus.nightbench.instance import BenchInstance
    from owlbus.plan import Plan

TRAVEL_TIME = "travel_time"
UNIT_OF = {"served": "trips a night", "direct": "trips a night", "presence": "people", TRAVEL_TIME: "s a trip"}
"""Unit of the value of each objective; travel time is better the less it is."""


@dataclass(frozen=True, slots=True)
class BenchValue:
    """
    Value of a plan by one objective.

    Attributes
    ----------
    objective
        ``served``, ``direct``, ``presence`` or ``travel_time``.
    value
        Trips a night, people, or mean seconds of a trip.
    share
        Share of all trips or people, 0 to 1; of travel time, the share of `ServiceRule.unserved_s` that a trip saves.
    """

    objective: str
    value: float
    share: float

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return UNIT_OF[self.objective]

    def is_better(self, other: float) -> bool:
        """Tell whether the value is better than another one, in the same unit."""
        return self.value < other if self.objective == TRAVEL_TIME else self.value > other

    def gap(self, best: float) -> float:
        """Share by which the value is worse than `best`, in the same unit; below 0 if it is better."""
        return gap_between(self.objective, self.value, best)


def gap_between(objective: str, value: float, best: float) -> float:
    """
    Share by which a value is worse than another one.

    Parameters
    ----------
    objective
        What both are values of.
    value, best
        Trips, people or seconds.

    Returns
    -------
    float
        Share of `best`; below 0 if the value is better.

    Examples
    --------
    >>> gap_between("served", 95.0, 100.0), gap_between("travel_time", 630.0, 600.0)
    (0.05, 0.05)
    """
    if best == 0:
        return 0.0
    excess = value - best if objective == TRAVEL_TIME else best - value
    return excess / best


def value_plan(instance: BenchInstance, plan: Plan, objective: str) -> BenchValue:
    """
    Value of a plan, whatever limits it breaks.

    Parameters
    ----------
    instance
        The instance.
    plan
        A plan on its network.
    objective
        One of the objectives of the instance.

    Returns
    -------
    BenchValue
        Exact: trips and people are summed in multiples of 1/1024.

    Raises
    ------
    UsageError
        If the objective does not count on the instance.
    """
    chosen, problem = instance.objective(objective), instance.problem
    return value_of_quanta(instance, objective, problem.value(plan, chosen))


def value_of_quanta(instance: BenchInstance, objective: str, quanta: float) -> BenchValue:
    """
    Value of a plan from what a search maximises.

    Parameters
    ----------
    instance
        The instance.
    objective
        One of its objectives.
    quanta
        Trips or people in 1/1024, or trip-seconds saved in 1/1024.

    Returns
    -------
    BenchValue
        The value in its own unit.
    """
    share = quanta / instance.problem.total_value(instance.objective(objective))
    value = instance.rule.unserved_s * (1 - share) if objective == TRAVEL_TIME else quanta / QUANTA_PER_TRIP
    return BenchValue(objective, value, share)


def least_travel_s(instance: BenchInstance) -> float:
    """
    Mean seconds of a trip if each rode the fastest way through the network: no plan is better.

    Parameters
    ----------
    instance
        The instance.

    Returns
    -------
    float
        Seconds; a trip out of reach counts `ServiceRule.unserved_s`.
    """
    problem, network = instance.problem, instance.network
    rows, columns, quanta = problem.trips
    stop = network.hex_stop[problem.hexes]
    start, end = stop[rows], stop[columns]
    needs_bus = start != end
    unserved_s = instance.rule.unserved_s
    saved_s = unserved_s - np.minimum(network.drive_s[start[needs_bus], end[needs_bus]].astype(np.int64), unserved_s)
    return value_of_quanta(instance, TRAVEL_TIME, float((quanta[needs_bus] * saved_s).sum())).value
