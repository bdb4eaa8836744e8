"""What happens to riders under a timetable: which run each takes, and how long each waits and rides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.timetable.rider_flows import _at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction

MOMENTS = 12
"""Moments in each hour at which riders are followed: every five minutes, the first after two and a half."""

_SPREAD_S = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """
    Starts of runs, to be searched for the next one.

    Attributes
    ----------
    keys
        Direction and start of each run as one ascending number, shape (n,), int64.
    """

    keys: NDArray[np.int64]

    @classmethod
    def of(cls, run_direction: ArrayLike, run_start_s: ArrayLike) -> Departures:
        """
        Departures of runs.

        Parameters
        ----------
        run_direction, run_start_s
            Direction and start in seconds of each run, shape (n,), any order.

        Returns
        -------
        Departures
            Ready to be searched.
        """
        return cls(np.sort(np.asarray(run_direction, np.int64) * _SPREAD_S + np.asarray(run_start_s, np.int64)))

    def next_start(self, direction: NDArray[np.int64], earliest_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Start of the first run of a direction that leaves at a moment or later.

        Parameters
        ----------
        direction, earliest_s
            Direction, and seconds at its first stop, of each search; same shape.

        Returns
        -------
        ndarray of int64
            Seconds; -1 where no bus comes any more.
        """
        at = np.searchsorted(self.keys, direction * _SPREAD_S + np.maximum(earliest_s, 0))
        found = self.keys[np.minimum(at, len(self.keys) - 1)] if len(self.keys) else np.full(at.shape, -1)
        right = (at < len(self.keys)) & (found // _SPREAD_S == direction)
        starts: NDArray[np.int64] = np.where(right, found % _SPREAD_S, -1)
        return starts


@dataclass(frozen=True, slots=True, eq=False)
class Journeys:
    """
    Journeys of one hour's riders, one row per pair and moment.

    Attributes
    ----------
    pair
        Row of `Riders` of each journey, shape (J,), int64.
    units
        Riders in 1/1024 a night, split evenly over the hour's moments up to rounding, shape (J,), int64.
    ready_s
        Moment at which they come to the stop, seconds, shape (J,), int64.
    wait_s, ride_s
        Seconds of wait and ride of both rides, shape (2, J), int64; 0 for a ride there is none of.
    start_s
        Start of the run taken for each ride, seconds, shape (2, J), int64; -1 for none.
    caught
        Whether a bus still comes for every ride, shape (J,).
    """

    pair: NDArray[np.int64]
    units: NDArray[np.int64]
    ready_s: NDArray[np.int64]
    wait_s: NDArray[np.int64]
    ride_s: NDArray[np.int64]
    start_s: NDArray[np.int64]
    caught: NDArray[np.bool_]

    @property
    def total_s(self) -> NDArray[np.int64]:
        """Seconds from coming to the stop to leaving the last bus, changes included, shape (J,)."""
        total: NDArray[np.int64] = self.wait_s.sum(axis=0) + self.ride_s.sum(axis=0)
        return total


def follow(
    riders: Riders, directions: Sequence[Direction], departures: Departures, row: int, change_s: int, *, moments: int = MOMENTS
) -> Journeys:
    """
    Follow the riders of one hour, who come evenly through it, on the rides that `Riders` names.

    Parameters
    ----------
    riders
        Rides by pair and hour.
    directions
        Two per route.
    departures
        Starts of all runs.
    row
        Row of the hour in `riders.hours`.
    change_s
        Seconds from one bus to another, counted as wait.
    moments
        Moments of the hour, n.

    Returns
    -------
    Journeys
        One row per pair with riders in the hour, and moment.
    """
    pairs = np.flatnonzero(riders.trips_units[row] > 0)
    pair = np.repeat(pairs, moments)
    nth = np.tile(np.arange(moments), len(pairs))
    whole = riders.trips_units[row, pair]
    units = whole * (nth + 1) // moments - whole * nth // moments
    ready = riders.hours[row] * HOUR_S + (2 * nth + 1) * HOUR_S // (2 * moments)
    return follow_from(riders, directions, departures, pair, ready, change_s, units=units)


def follow_from(
    riders: Riders,
    directions: Sequence[Direction],
    departures: Departures,
    pair: NDArray[np.int64],
    ready_s: NDArray[np.int64],
    change_s: int,
    *,
    units: NDArray[np.int64] | None = None,
) -> Journeys:
    """
    Follow riders of given pairs from given moments.

    Parameters
    ----------
    riders
        Rides by pair.
    directions
        Two per route.
    departures
        Starts of all runs.
    pair
        Row of `riders` of each journey, shape (J,).
    ready_s
        Seconds at which each comes to the stop, shape (J,).
    change_s
        Seconds from one bus to another, counted as wait.
    units
        Riders of each, in 1/1024 a night; 1 each if None.

    Returns
    -------
    Journeys
        One row per pair and moment.
    """
    shape = (2, len(pair))
    wait, ride, start = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    caught = np.ones(len(pair), np.bool_)
    now = ready_s.astype(np.int64).copy()
    for nth in (0, 1):
        rows = np.flatnonzero((riders.direction[nth, pair] >= 0) & caught)
        way, on, off = (column[nth, pair[rows]] for column in (riders.direction, riders.board, riders.alight))
        leaves = _at(directions, way, on, "depart_s")
        begins = departures.next_start(way, now[rows] + nth * change_s - leaves)
        gone = begins < 0
        caught[rows[gone]] = False
        rows, way, off, leaves, begins = (column[~gone] for column in (rows, way, off, leaves, begins))
        start[nth, rows] = begins
        wait[nth, rows] = begins + leaves - now[rows]
        ride[nth, rows] = _at(directions, way, off, "arrive_s") - leaves
        now[rows] += wait[nth, rows] + ride[nth, rows]
    return Journeys(pair, np.ones(len(pair), np.int64) if units is None else units, ready_s, wait, ride, start, caught)
