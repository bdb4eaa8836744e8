"""Who of the served trips rides: walk, wait, ride and transfers of each journey, and the share of people who accept them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.acceptance import expected_wait_s, walk_s
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.timetable.rider_flows import stop_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.common.acceptance import RideChoice
    from owlbus.network import Network
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Direction


@dataclass(frozen=True, slots=True, eq=False)
class RideTerms:
    """
    What journeys are made of, one column per row of `Riders`.

    Attributes
    ----------
    walk_s
        Seconds of walk at both ends, shape (P,).
    wait_s
        Seconds of wait for all buses by hour, shape (n_hours, P); 0 where none runs.
    ride_s, drive_s
        Seconds on board, and of the direct drive between the first and the last stop, by hour, shape (n_hours, P).
    n_transfers
        Transfers, shape (P,).
    runs
        Whether buses run for all rides of the journey in the hour, shape (n_hours, P).
    """

    walk_s: NDArray[np.int64]
    wait_s: NDArray[np.int64]
    ride_s: NDArray[np.int64]
    drive_s: NDArray[np.int64]
    n_transfers: NDArray[np.int64]
    runs: NDArray[np.bool_]

    def generalised_min(self, choice: RideChoice) -> NDArray[np.float64]:
        """Return generalised minutes of each journey by hour under a `choice`, shape (n_hours, P)."""
        return choice.generalised_min(self.walk_s, self.wait_s, self.ride_s, self.n_transfers)

    def share(self, choice: RideChoice) -> NDArray[np.float64]:
        """Return the share of people who ride by hour under a `choice`, 0 to 1, shape (n_hours, P); 0 where no bus runs."""
        shares: NDArray[np.float64] = choice.share(self.generalised_min(choice), self.drive_s) * self.runs
        return shares


def ride_terms(network: Network, riders: Riders, directions: Sequence[Direction], headway_s: NDArray[np.int64]) -> RideTerms:
    """
    Walk, wait, ride and transfers of the journeys of riders.

    Parameters
    ----------
    network
        Network of their stops.
    riders
        Rides by pair of stops and hour.
    directions
        Two per route.
    headway_s
        Headway of each direction by hour in seconds, shape (2 K, n_hours); 0 where fewer than two buses run.

    Returns
    -------
    RideTerms
        Seconds.
    """
    n_rows, n_hours = riders.walk_m.size, len(riders.hours)
    ride_s, wait_s = np.zeros((2, n_hours, n_rows), np.int64)
    runs = np.ones((n_hours, n_rows), np.bool_)
    for leg in (0, 1):
        rows = np.flatnonzero(riders.direction[leg] >= 0)
        direction, on, off = (column[leg, rows] for column in (riders.direction, riders.board, riders.alight))
        ride_s[:, rows] += _on_board_s(riders, directions, direction, on, off)
        between_s = headway_s[direction].T
        wait_s[:, rows] += expected_wait_s(between_s)
        runs[:, rows] &= between_s > 0
    drive_s = np.stack([network.at_hour(hour).fastest_s(riders.first_stop, riders.last_stop) for hour in riders.hours]).astype(np.int64)
    return RideTerms(walk_s(riders.walk_m), wait_s, ride_s, drive_s, riders.transfers.astype(np.int64), runs)


def _on_board_s(
    riders: Riders, directions: Sequence[Direction], direction: NDArray[np.int64], on: NDArray[np.int64], off: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Seconds on board between two positions of a direction by hour, shape (n_hours, n); runs take the times of the hour they start in."""
    moments_s = [hour * HOUR_S for hour in riders.hours]
    ends = (
        (stop_values(directions, direction, off, "arrive_s", start_s), stop_values(directions, direction, on, "depart_s", start_s))
        for start_s in moments_s
    )
    return np.stack([arrive_s - depart_s for arrive_s, depart_s in ends])


def accept(riders: Riders, terms: RideTerms, choice: RideChoice) -> Riders:
    """
    Riders of whom only those ride who accept their journey; those who walk from end to end do so anyway.

    Parameters
    ----------
    riders
        All served trips.
    terms
        Their journeys.
    choice
        Who rides.

    Returns
    -------
    Riders
        In 1/1024 a night; those who do not ride are lost.
    """
    scaled = np.rint(riders.trip_quanta * choice.scale_trips).astype(np.int64)
    lost_quanta = np.rint(riders.lost_quanta * choice.scale_trips).astype(np.int64)
    share = np.where(riders.direction[0] >= 0, terms.share(choice), 1.0)
    riding = np.rint(scaled * share).astype(np.int64)
    return replace(riders, trip_quanta=riding, lost_quanta=lost_quanta + (scaled - riding).sum(axis=1))


def boarding_places(riders: Riders, directions: Sequence[Direction], terms: RideTerms) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Stops where riders board, and how long after they come to their first stop.

    Parameters
    ----------
    riders
        Rides by pair of stops.
    directions
        Two per route.
    terms
        Their journeys; the wait of a journey with a transfer is taken in two equal parts.

    Returns
    -------
    stop
        Stop index of the first and of the second boarding, shape (2, P); -1 for none.
    delay_s
        Seconds from coming to the first stop to each boarding, by hour, shape (2, n_hours, P).
    """
    indptr = np.cumsum([0, *(len(each.stops) for each in directions)])
    joined = np.concatenate([np.asarray(each.stops) for each in directions] or [np.zeros(1, np.int32)]).astype(np.int64)
    boards = riders.direction >= 0
    stop = np.where(boards, joined[np.where(boards, indptr[riders.direction] + riders.board, 0)], -1)
    each_wait_s = terms.wait_s // (1 + terms.n_transfers)
    first_ride_s = np.zeros((len(riders.hours), riders.walk_m.size), np.int64)
    rows = np.flatnonzero(riders.transfers)
    direction, on, off = (column[0, rows] for column in (riders.direction, riders.board, riders.alight))
    first_ride_s[:, rows] = _on_board_s(riders, directions, direction, on, off)
    return stop, np.stack([each_wait_s, 2 * each_wait_s + first_ride_s])


def trips_of(riders: Riders) -> NDArray[np.float64]:
    """Return `riders` by hour in trips a night, shape (n_hours, P)."""
    return riders.trip_quanta / QUANTA_PER_TRIP
