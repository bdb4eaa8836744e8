"""Service that riders get from a timetable: waits, rides, total times, crowding, and the night-safety sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.acceptance import walk_s
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP, format_time, hour_label
from owlbus.network.walk_sheds import points_of
from owlbus.plan.limits import ServiceRule
from owlbus.timetable.headways import NEVER_S
from owlbus.timetable.operation import Operation
from owlbus.timetable.rider_choice import accept, ride_terms
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.rider_journeys import Departures, follow
from owlbus.timetable.type_totals import capacity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.rider_journeys import Journeys
    from owlbus.timetable.schedule import Timetable

WITHIN_S = (1800, 2700, 3600, 5400, 7200)
"""Limits of the total time, in seconds, for `RiderService.within_share`."""

_LONGEST_S = {"wait": HOUR_S, "ride": HOUR_S, "total": 2 * HOUR_S}
"""About the longest wait, ride and total time of one rider, seconds."""

_WITHIN_STEP_S = 300
_P90 = 0.9


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Mean and 90th percentile over all riders, in seconds.

    Attributes
    ----------
    mean_s, p90_s
        Mean and 90th percentile.
    within_trips
        Riders within 5, 10, 15 minutes and so on, up to all of them.
    """

    mean_s: float
    p90_s: int
    within_trips: tuple[float, ...] = ()

    def printed(self, publisher: Publisher, riders_trips: float, unit_s: float) -> tuple[int | None, int | None]:
        """
        Mean and 90th percentile as they are printed.

        Parameters
        ----------
        publisher
            The publishing rule.
        riders_trips
            Riders a night.
        unit_s
            About the longest time of one rider.

        Returns
        -------
        mean_s, p90_s
            Seconds, the percentile in whole 5 minutes if counts are rounded; None over too few riders.
        """
        mean_s = publisher.mean(self.mean_s * riders_trips, riders_trips, unit_s)
        if mean_s is None:
            return None, None
        if publisher.is_exact:
            return round(mean_s), self.p90_s
        most = publisher.counts(self.within_trips)
        return round(mean_s), _WITHIN_STEP_S * (1 + int(np.argmax(most >= _P90 * publisher.count(riders_trips))))


@dataclass(frozen=True, slots=True, eq=False)
class RiderService:
    """
    Service that riders get. Figures are over riders who catch their buses unless said otherwise.

    Attributes
    ----------
    wait, ride, total
        Wait (transfers included), time on board, and total time with the walk at both ends.
    transfer_wait_s, transfers_trips
        Mean wait at a transfer, seconds, and transfers a night.
    within_share
        Share of all trips, served or not, within each total time of `WITHIN_S`; 0 to 1.
    riders_trips, late_trips, lost_trips
        Trips a night that catch their buses, that come after the last bus, and that no route serves.
    route_names, hours
        Rows and columns of the tables below: K routes, and service hours.
    wait_s
        Mean wait for the first bus, by route and by the hour in which riders come, shape (K, n_hours); NaN without riders.
    boardings_trips, load_trips
        Boardings a night by the hour in which riders come, and riders on the heaviest segment by the hour of the bus's start,
        shape (K, n_hours).
    aboard_trips, places
        Riders on the heaviest segment of all buses that start in the hour, and the capacity of these buses, by direction, shape
        (2 K, n_hours); no places without buses.
    """

    wait: Spread
    ride: Spread
    total: Spread
    transfer_wait_s: float
    transfers_trips: float
    within_share: tuple[float, ...]
    riders_trips: float
    late_trips: float
    lost_trips: float
    route_names: tuple[str, ...]
    hours: tuple[int, ...]
    wait_s: NDArray[np.float64]
    boardings_trips: NDArray[np.float64]
    load_trips: NDArray[np.float64]
    aboard_trips: NDArray[np.float64]
    places: NDArray[np.float64]

    @property
    def crowding_share(self) -> NDArray[np.float64]:
        """Riders on the heaviest segment over the capacity of all buses that start in the hour, shape (K, n_hours); NaN without buses."""
        return _fuller(self.aboard_trips, self.places)

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Figures as a JSON document, with units in the names, computed from printed counts.

        Parameters
        ----------
        min_count
            Riders a night of which printed counts are multiples; -1 for open data.

        Returns
        -------
        dict
            Means, shares and crowding; None for those over too few riders, and for crowding without buses.

        Raises
        ------
        PrivacyError
            If `min_count` protects nobody.
        """
        publisher = Publisher(min_count)
        crowding = _fuller(self.aboard_trips if publisher.is_exact else publisher.nights(self.aboard_trips), self.places)
        trips = self.riders_trips + self.late_trips + self.lost_trips
        figures: dict[str, Any] = {}
        for name, unit_s in _LONGEST_S.items():
            figures[f"{name}_mean_s"], figures[f"{name}_p90_s"] = getattr(self, name).printed(publisher, self.riders_trips, unit_s)
        transfer_s = publisher.mean(self.transfer_wait_s * self.transfers_trips, self.transfers_trips, HOUR_S)
        within = [publisher.share(share * trips, trips) for share in self.within_share]
        return {
            **publisher.facts,
            **figures,
            "transfer_wait_s": None if transfer_s is None else round(transfer_s),
            "within_share": {str(s): None if share is None else round(share, 4) for s, share in zip(WITHIN_S, within, strict=True)},
            "routes": [
                {
                    "name": name,
                    "wait_s": [_mean_wait_s(publisher, *cell) for cell in zip(waits.tolist(), boardings.tolist(), strict=True)],
                    "crowding_share": [None if np.isnan(share) else round(share, 2) for share in shares.tolist()],
                }
                for name, waits, boardings, shares in zip(self.route_names, self.wait_s, self.boardings_trips, crowding, strict=True)
            ],
            "hours": [hour_label(hour) for hour in self.hours],
        }


def _mean_wait_s(publisher: Publisher, wait_s: float, boardings_trips: float) -> int | None:
    """Mean wait as it is printed, seconds."""
    mean_s = None if np.isnan(wait_s) else publisher.mean(wait_s * boardings_trips, boardings_trips, HOUR_S)
    return None if mean_s is None else round(mean_s)


def _fuller(aboard_trips: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Riders over places of the fuller direction, shape (K, n_hours); NaN without buses."""
    shares = np.divide(aboard_trips, places, out=np.full(places.shape, np.nan), where=places > 0)
    fuller: NDArray[np.float64] = np.fmax(shares[::2], shares[1::2])
    return fuller


def rider_service(
    network: Network, demand: Demand, timetable: Timetable, operation: Operation | None = None, rule: ServiceRule | None = None
) -> RiderService:
    """
    Waits, ride times and crowding of all served trips under a timetable, in seconds and shares.

    Riders come evenly through their hour, without regard to the timetable. They take the rides that the scorecard counts and board
    the first bus. A full bus counts as crowding, not as wait.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    demand
        Trips by hour on the network's grid.
    timetable
        Runs of one night.
    operation
        Capacity of buses that the timetable has no type for, uptake or choice, and transfer walk in seconds; the defaults if None.
    rule
        When a trip counts as served; the defaults if None.

    Returns
    -------
    RiderService
        Seconds and shares.

    Raises
    ------
    DataError
        If demand, timetable and network do not belong together.
    """
    operation, rule = operation or Operation(), rule or ServiceRule()
    riders = find_riders(network, demand, timetable.plan, rule, 1.0 if operation.choice else operation.uptake_share)
    if operation.choice is not None:
        riders = accept(riders, ride_terms(network, riders, timetable.directions, timetable.headway_s), operation.choice)
    flows = flows_of(riders, timetable.directions, rule.transfer_s)
    departures = Departures.of(timetable.run_direction, timetable.run_start_s)
    hourly = [follow(riders, timetable.directions, departures, row, operation.change_s) for row in range(len(riders.hours))]
    spreads, within, transfer_wait_s, transfers_trips = _spreads(riders, hourly)
    caught = sum(int(journeys.quanta[journeys.caught].sum()) for journeys in hourly)
    late = sum(int(journeys.quanta[~journeys.caught].sum()) for journeys in hourly)
    lost = int(riders.lost_quanta.sum())
    waits, boardings = _first_waits(riders, hourly, len(timetable.plan))
    load = np.maximum(flows.load_quanta[::2], flows.load_quanta[1::2]) / QUANTA_PER_TRIP
    return RiderService(
        *spreads,
        transfer_wait_s,
        transfers_trips,
        tuple(quanta / max(1, caught + late + lost) for quanta in within),
        caught / QUANTA_PER_TRIP,
        late / QUANTA_PER_TRIP,
        lost / QUANTA_PER_TRIP,
        timetable.plan.names,
        riders.hours,
        waits,
        boardings / QUANTA_PER_TRIP,
        load,
        *_crowding(timetable, flows.load_quanta, operation.capacity),
    )


def _spreads(riders: Riders, hourly: list[Journeys]) -> tuple[tuple[Spread, Spread, Spread], tuple[int, ...], float, float]:
    """Wait, ride and total over riders who catch their buses; riders in 1/1024 by `WITHIN_S`; mean transfer wait, and transfers."""
    rows = [
        (journeys.quanta, journeys.wait_s[0], journeys.wait_s[1], journeys.ride_s.sum(axis=0), journeys.pair, journeys.caught)
        for journeys in hourly
    ]
    *columns, caught = (np.concatenate(column) for column in zip(*rows, strict=True))
    quanta, first_wait, transfer_wait, ride, pair = (column[caught] for column in columns)
    wait = first_wait + transfer_wait
    total = wait + ride + walk_s(riders.walk_m[pair])
    transfers = int(quanta[riders.transfers[pair]].sum())
    mean_transfer_wait = float((quanta * transfer_wait).sum() / max(1, transfers))
    spreads = (_spread(wait, quanta), _spread(ride, quanta), _spread(total, quanta))
    return spreads, tuple(int(quanta[total <= limit].sum()) for limit in WITHIN_S), mean_transfer_wait, transfers / QUANTA_PER_TRIP


def _spread(seconds: NDArray[np.int64], quanta: NDArray[np.int64]) -> Spread:
    """Mean and 90th percentile, weighted by riders."""
    if not quanta.sum():
        return Spread(0.0, 0)
    riders_within = np.cumsum(np.bincount(seconds, quanta))
    steps = np.maximum(0, -(-seconds // _WITHIN_STEP_S) - 1)
    within = tuple((np.bincount(steps, quanta).cumsum() / QUANTA_PER_TRIP).tolist())
    return Spread(float((quanta * seconds).sum() / quanta.sum()), int(np.searchsorted(riders_within, 0.9 * quanta.sum())), within)


def _first_waits(riders: Riders, hourly: list[Journeys], n_routes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean wait for the first bus, and riders in 1/1024, by route and hour."""
    quanta, waits = np.zeros((n_routes, len(hourly))), np.zeros((n_routes, len(hourly)))
    for column, journeys in enumerate(hourly):
        rows = np.flatnonzero(journeys.start_s[0] >= 0)
        route = riders.direction[0, journeys.pair[rows]] // 2
        quanta[:, column] = np.bincount(route, journeys.quanta[rows], n_routes)
        waits[:, column] = np.bincount(route, journeys.quanta[rows] * journeys.wait_s[0, rows], n_routes)
    means = np.divide(waits, quanta, out=np.full(waits.shape, np.nan), where=quanta > 0)
    return means, quanta


def _crowding(timetable: Timetable, load_quanta: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Load and places by direction and hour; riders of an hour without a start count in the hour before."""
    aboard, places = np.zeros(load_quanta.shape), np.zeros(load_quanta.shape)
    for row in range(len(timetable.directions)):
        hour = np.clip(timetable.starts_s(row) // HOUR_S - timetable.hours[0], 0, len(timetable.hours) - 1)
        runs = np.bincount(hour, minlength=len(timetable.hours))
        with_runs = np.flatnonzero(runs)
        if with_runs.size:
            column = with_runs[np.clip(np.searchsorted(with_runs, np.arange(len(runs)), side="right") - 1, 0, None)]
            np.add.at(aboard[row], column, load_quanta[row] / QUANTA_PER_TRIP)
            places[row] = capacity_of(timetable, row // 2, capacity) * runs
    return aboard, places


@dataclass(frozen=True, slots=True, eq=False)
class SafetySheet:
    """
    Walks, first and last buses and longest waits, one row per hex of which a part is within the walk of a stop. It has no counts of people.

    Places in one hex may have different stops. Times and waits are the worst of all places of the hex within the walk: each of them has
    a bus no later than the first and up to the last, and no longer wait.

    Attributes
    ----------
    hexes
        Hex indices, shape (n,), ascending.
    area_share
        Share of the hex's area within the walk, above 0 to 1, shape (n,).
    walk_m, walk_s
        Walk to the nearest stop served, the mean over this area, metres and seconds at `common.acceptance.WALK_KMH`, shape (n,).
    first_s, last_from_s
        First and last departure from its stops, seconds, shape (n,); -1 if there is none.
    last_home_s
        Last arrival at its stops, seconds, shape (n,); -1 if there is none.
    longest_wait_s
        Longest time between two departures from its stops, by any route, from the begin of the first hour to the last bus, seconds,
        shape (n,).
    """

    hexes: NDArray[np.int64]
    area_share: NDArray[np.float64]
    walk_m: NDArray[np.int64]
    walk_s: NDArray[np.int64]
    first_s: NDArray[np.int64]
    last_from_s: NDArray[np.int64]
    last_home_s: NDArray[np.int64]
    longest_wait_s: NDArray[np.int64]

    def rows(self) -> list[dict[str, Any]]:
        """
        Return the rows for display: seconds and metres as whole numbers, times as HH:MM:SS past 24:00:00.

        Returns
        -------
        list of dict
            One per hex.
        """
        times = ("first_s", "last_from_s", "last_home_s")
        return [
            {
                "hex": int(self.hexes[row]),
                **{name: int(getattr(self, name)[row]) for name in ("walk_m", "walk_s")},
                "area_share": round(float(self.area_share[row]), 4),
                "longest_wait_s": int(self.longest_wait_s[row]),
                **{name[:-2]: format_time(time_s) if (time_s := int(getattr(self, name)[row])) >= 0 else "" for name in times},
            }
            for row in range(len(self.hexes))
        ]


def safety_sheet(network: Network, timetable: Timetable) -> SafetySheet:
    """
    Walks, waits and last buses of every hex of which a part is within the walk of a stop, in metres and seconds.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    timetable
        Runs of one night.

    Returns
    -------
    SafetySheet
        Seconds and metres by hex.
    """
    points, used = points_of(network), timetable.plan.used_stops.astype(np.int64)
    count = points.indptr[used + 1] - points.indptr[used]
    spans = [np.arange(*points.indptr[stop : stop + 2].tolist(), dtype=np.int64) for stop in used.tolist()]
    rows = np.concatenate(spans or [np.empty(0, np.int64)])
    stop_of, order = np.repeat(used, count), np.argsort(points.point[rows], kind="stable")
    point, first = np.unique(points.point[rows][order], return_index=True)
    walk_m = np.minimum.reduceat(points.walk_m[rows][order], first) if point.size else np.empty(0, np.int64)
    hexes, begin, n_within = np.unique(point // points.n_points, return_index=True, return_counts=True)
    if not hexes.size:
        none = np.empty(0, np.int64)
        return SafetySheet(none, np.empty(0), none, none, none, none, none, none)
    mean_m = np.floor(np.add.reduceat(walk_m, begin) / n_within + 0.5).astype(np.int64)
    service = _service_by_stops(timetable, [tuple(stops.tolist()) for stops in np.split(stop_of[order], first[1:])])
    last_from_s, last_home_s = np.minimum.reduceat(service[:, 1:3], begin).T
    first_s, wait_s = np.maximum.reduceat(service[:, [0, 3]], begin).T
    to_stop_s = walk_s(mean_m)
    first_s = np.where(first_s == NEVER_S, -1, first_s)
    area_share = n_within / points.n_points
    return SafetySheet(hexes.astype(np.int64), area_share, mean_m, to_stop_s, first_s, last_from_s, last_home_s, wait_s)


def _service_by_stops(timetable: Timetable, stops_of: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    """First departure (`NEVER_S` if none), last one and last arrival (-1 if none) and longest wait at sets of stops, seconds, (n, 4)."""
    departures, arrivals = _stop_times(timetable)
    night_s = timetable.hours[0] * HOUR_S
    found: dict[tuple[int, ...], tuple[int, int, int, int]] = {}
    for stops in set(stops_of):
        depart = np.unique(np.concatenate([departures[stop] for stop in stops]))
        arrive = np.concatenate([arrivals[stop] for stop in stops])
        waits = np.diff(np.concatenate([[min(night_s, int(depart.min(initial=night_s)))], depart]))
        last = int(depart.max(initial=-1)), int(arrive.max(initial=-1))
        found[stops] = (int(depart.min(initial=NEVER_S)), *last, int(waits.max(initial=0)))
    return np.array([found[stops] for stops in stops_of], np.int64)


def _stop_times(timetable: Timetable) -> tuple[dict[int, NDArray[np.int64]], dict[int, NDArray[np.int64]]]:
    """Departures and arrivals of every stop in seconds; a run does not arrive at its first stop or depart from its last."""
    departures: dict[int, list[NDArray[np.int64]]] = {}
    arrivals: dict[int, list[NDArray[np.int64]]] = {}
    for row, direction in enumerate(timetable.directions):
        starts, last = timetable.starts_s(row).astype(np.int64), len(direction.stops) - 1
        arrive, depart = (starts[:, None] + times for times in direction.times_s(starts))
        for position, stop in enumerate(direction.stops.tolist()):
            departures.setdefault(stop, []).append(depart[:, position] if position < last else starts[:0])
            arrivals.setdefault(stop, []).append(arrive[:, position] if position else starts[:0])
    joined = [{stop: np.concatenate(times) for stop, times in by_stop.items()} for by_stop in (departures, arrivals)]
    return joined[0], joined[1]
