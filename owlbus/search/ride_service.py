"""How buses run and who rides them, as a value of the objective `carried`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.acceptance import ACCEPTED, RideChoice, expected_wait_s
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP, require_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS_PER_TRIP = QUANTA_PER_TRIP * ACCEPTED
"""Riders are counted in these parts of a trip."""

_HEADWAY_STEP_S = 60


@dataclass(frozen=True, slots=True)
class RideService:
    """
    How buses run and who rides them, for the objective ``carried``.

    Attributes
    ----------
    choice
        Who rides.
    fleet
        Buses of all routes together.
    capacity
        Riders that a bus carries.
    min_headway_s, max_headway_s
        Shortest and longest time between two buses of a route, in seconds.

    Raises
    ------
    UsageError
        If a number lies outside its range.

    Examples
    --------
    >>> RideService(fleet=45).headway_s(cycle_s=9_100, n_buses=4)
    2280
    """

    choice: RideChoice = field(default_factory=RideChoice)
    fleet: int = 45
    capacity: int = 45
    min_headway_s: int = 600
    max_headway_s: int = HOUR_S

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("fleet", self.fleet, 1, 10_000)
        require_number("capacity", self.capacity, 1, 1_000)
        require_number("max_headway_s", self.max_headway_s, 60, 6 * HOUR_S)
        require_number("min_headway_s", self.min_headway_s, 60, self.max_headway_s)

    def headway_s(self, cycle_s: float, n_buses: int) -> int:
        """
        Time between two buses of a route: whole minutes, at least the shortest headway.

        Parameters
        ----------
        cycle_s
            Seconds of a round trip, layovers included.
        n_buses
            Buses on the route, >= 1.

        Returns
        -------
        int
            Seconds.
        """
        return max(self.min_headway_s, math.ceil(cycle_s / max(1, n_buses) / _HEADWAY_STEP_S) * _HEADWAY_STEP_S)

    def fewest_buses(self, cycle_s: float) -> int:
        """
        Fewest buses that keep the longest headway.

        Parameters
        ----------
        cycle_s
            Seconds of a round trip; 0 of an empty route.

        Returns
        -------
        int
            Buses, >= 0.
        """
        return math.ceil(cycle_s / self.max_headway_s)

    def board_s(self, headways_s: NDArray[np.int64]) -> NDArray[np.float32]:
        """
        Wait for each route in generalised seconds.

        Parameters
        ----------
        headways_s
            Seconds between buses, shape (K,).

        Returns
        -------
        ndarray of float32
            Whole generalised seconds, shape (K,).
        """
        board_s: NDArray[np.float32] = np.rint(self.choice.wait_weight * expected_wait_s(headways_s)).astype(np.float32)
        return board_s

    def capacity_units(self, headways_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Riders whom a route carries past a stop in an hour, in one direction.

        Parameters
        ----------
        headways_s
            Seconds between buses, shape (K,).

        Returns
        -------
        ndarray of int64
            In 1 / `UNITS_PER_TRIP`, rounded down, shape (K,).
        """
        return self.capacity * HOUR_S * UNITS_PER_TRIP // np.asarray(headways_s, np.int64)
