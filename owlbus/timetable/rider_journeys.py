"""Simulate riders under a timetable: the run that each takes, its wait and its ride."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.timetable.headways import NEVER_S
from owlbus.timetable.rider_flows import hours_of, stop_values
from owlbus.timetable.schedule import hour_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction

MOMENTS = 12
"""Moments in each hour at which riders come: every five minutes, the first after two and a half."""

_SPREAD_S = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """
    Index of run starts, for the next run of a direction.

    Attributes
    ----------
    keys
        Direction and start of each run as one ascending number, shape (n,), int64.
    """

    keys: NDArray[np.int64]

    @classmethod
    def of(cls, run_direction: ArrayLike, run_start_s: ArrayLike) -> Departures:
        """
        Index of the starts of given runs.

        Parameters
        ----------
        run_direction, run_start_s
            Direction and start in seconds of each run, shape (n,), any order.

        Returns
        -------
        Departures
            Index of the starts, in seconds.
        """
        return cls(np.sort(np.asarray(run_direction, np.int64) * _SPREAD_S + np.asarray(run_start_s, np.int64)))

    def next_departure(
        self, directions: Sequence[Direction], direction: NDArray[np.int64], position: NDArray[np.int64], ready_s: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Next bus at a stop: the start of its run, and its departure from the stop.

        Where runs take longer in some hours than in others, the first bus at the stop need not be the first that started.

        Parameters
        ----------
        directions
            Two per route.
        direction, position
            Index of a direction and position of a stop along it, shape (n,).
        ready_s
            Seconds from which a bus may leave the stop, shape (n,).

        Returns
        -------
        start_s, depart_s
            Seconds, shape (n,); -1 if no bus comes any more.
        """
        hours = hours_of(directions)
        best = np.full((2, direction.size), NEVER_S, np.int64)
        for row, begin_s in enumerate(np.array(hours or (0,), np.int64) * HOUR_S):
            offset_s = stop_values(directions, direction, position, "depart_s", begin_s)
            start_s = self.next_start(direction, np.maximum(ready_s - offset_s, begin_s if row else 0))
            depart_s = start_s + offset_s
            sooner = (start_s >= 0) & (hour_rows(hours, start_s) == row) & (depart_s < best[1])
            best[:, sooner] = start_s[sooner], depart_s[sooner]
        start_s, depart_s = np.where(best < NEVER_S, best, -1)
        return start_s, depart_s

    def next_start(self, direction: NDArray[np.int64], earliest_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Start in seconds of the first run of a direction that leaves at `earliest_s` or later.

        Parameters
        ----------
        direction, earliest_s
            Direction, and seconds at its first stop, of each search; same shape.

        Returns
        -------
        ndarray of int64
            Seconds; -1 if no run leaves any more.
        """
        row = np.searchsorted(self.keys, direction * _SPREAD_S + np.maximum(earliest_s, 0))
        keys = np.append(self.keys, -1)[row]
        starts: NDArray[np.int64] = np.where(keys // _SPREAD_S == direction, keys % _SPREAD_S, -1)
        return starts


@dataclass(frozen=True, slots=True, eq=False)
class Journeys:
    """
    Journeys of one hour's riders, one row per pair and moment.

    Attributes
    ----------
    pair
        Row of `Riders` of each journey, shape (J,), int64.
    quanta
        Riders in 1/1024 a night, split evenly over the hour's moments up to rounding, shape (J,), int64.
    ready_s
        Moment at which they come to the stop, seconds, shape (J,), int64.
    wait_s, ride_s
        Wait and ride time of both rides, seconds, shape (2, J), int64; 0 if there is no such ride.
    start_s
        Start of the run of each ride, seconds, shape (2, J), int64; -1 for none.
    caught
        Whether riders catch a bus for every ride, shape (J,).
    """

    pair: NDArray[np.int64]
    quanta: NDArray[np.int64]
    ready_s: NDArray[np.int64]
    wait_s: NDArray[np.int64]
    ride_s: NDArray[np.int64]
    start_s: NDArray[np.int64]
    caught: NDArray[np.bool_]

    @property
    def total_s(self) -> NDArray[np.int64]:
        """Seconds from coming to the stop to leaving the last bus, transfers included, shape (J,)."""
        total: NDArray[np.int64] = self.wait_s.sum(axis=0) + self.ride_s.sum(axis=0)
        return total


def follow(riders: Riders, directions: Sequence[Direction], departures: Departures, row: int, change_s: int) -> Journeys:
    """
    Journeys of the riders of one hour, who come evenly through it.

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
        Walk between two buses in seconds, counted as wait.

    Returns
    -------
    Journeys
        One row per pair with riders in the hour, and moment.
    """
    pairs = np.flatnonzero(riders.trip_quanta[row] > 0)
    quanta, ready_s = quanta_by_moment(riders.trip_quanta[row, pairs]), moments_s(riders.hours[row])
    return follow_from(
        riders, directions, departures, np.repeat(pairs, MOMENTS), np.tile(ready_s, len(pairs)), change_s, quanta=quanta.ravel()
    )


def moments_s(hour: int) -> NDArray[np.int64]:
    """
    Seconds at which the riders of an hour come to their stops.

    Parameters
    ----------
    hour
        Service hour.

    Returns
    -------
    ndarray of int64
        Seconds, shape (`MOMENTS`,), ascending.

    Examples
    --------
    >>> moments_s(1)[:2].tolist()
    [3750, 4050]
    """
    return hour * HOUR_S + (2 * np.arange(MOMENTS) + 1) * HOUR_S // (2 * MOMENTS)


def quanta_by_moment(quanta: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Riders of an hour split evenly over its moments, up to rounding.

    Parameters
    ----------
    quanta
        Riders in 1/1024 a night, shape (P,).

    Returns
    -------
    ndarray of int64
        Riders in 1/1024 a night, shape (P, `MOMENTS`).

    Examples
    --------
    >>> quanta_by_moment(np.array([18]))[0, :4].tolist()
    [1, 2, 1, 2]
    """
    parts: NDArray[np.int64] = np.diff(quanta[:, None] * np.arange(MOMENTS + 1) // MOMENTS, axis=1)
    return parts


def follow_from(
    riders: Riders,
    directions: Sequence[Direction],
    departures: Departures,
    pair: NDArray[np.int64],
    ready_s: NDArray[np.int64],
    change_s: int,
    *,
    quanta: NDArray[np.int64] | None = None,
) -> Journeys:
    """
    Journeys of riders of given pairs from given moments.

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
        Seconds at which riders come to the stop, shape (J,).
    change_s
        Walk between two buses in seconds, counted as wait.
    quanta
        Riders of each, in 1/1024 a night; 1 each if None.

    Returns
    -------
    Journeys
        One row per pair and moment.
    """
    shape = (2, len(pair))
    wait, ride, start = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    caught = np.ones(len(pair), np.bool_)
    now = ready_s.astype(np.int64)
    for leg in (0, 1):
        rows = np.flatnonzero((riders.direction[leg, pair] >= 0) & caught)
        direction, on, off = (column[leg, pair[rows]] for column in (riders.direction, riders.board, riders.alight))
        begin, depart = departures.next_departure(directions, direction, on, now[rows] + leg * change_s)
        missed = begin < 0
        caught[rows[missed]] = False
        rows, direction, off, depart, begin = (column[~missed] for column in (rows, direction, off, depart, begin))
        start[leg, rows] = begin
        wait[leg, rows] = depart - now[rows]
        ride[leg, rows] = begin + stop_values(directions, direction, off, "arrive_s", begin) - depart
        now[rows] += wait[leg, rows] + ride[leg, rows]
    return Journeys(pair, np.ones(len(pair), np.int64) if quanta is None else quanta, ready_s, wait, ride, start, caught)
