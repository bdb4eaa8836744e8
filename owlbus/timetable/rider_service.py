"""Service that riders get from a timetable: waits, rides, total times, crowding, and the night-safety sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP, format_time, hour_label
from owlbus.plan.limits import ServiceRule
from owlbus.timetable.operation import Operation
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.rider_journeys import Departures, follow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.rider_journeys import Journeys
    from owlbus.timetable.schedule import Timetable

WALK_KMH = 4.5
WITHIN_S = (1800, 2700, 3600, 5400, 7200)
"""Limits of the total time, in seconds, for `RiderService.within_share`."""


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Mean and 90th percentile over all riders, in seconds.

    Attributes
    ----------
    mean_s, p90_s
        Mean and 90th percentile.
    """

    mean_s: float
    p90_s: int


@dataclass(frozen=True, slots=True, eq=False)
class RiderService:
    """
    Service that riders get. Figures are over riders who catch their buses unless said otherwise.

    Attributes
    ----------
    wait, ride, total
        Wait (transfers included), time on board, and total time with the walk at both ends.
    transfer_wait_s
        Mean wait at a transfer, seconds.
    within_share
        Share of all trips, served or not, within each total time of `WITHIN_S`; 0 to 1.
    riders_trips, late_trips, lost_trips
        Trips a night that catch their buses, that come after the last bus, and that no route serves.
    route_names, hours
        Rows and columns of the tables below: K routes, and service hours.
    wait_s
        Mean wait for the first bus, by route and by the hour in which riders come, shape (K, n_hours); NaN without riders.
    crowding_share
        Riders on the heaviest segment over the capacity of all buses that start in the hour, shape (K, n_hours); NaN without buses.
    boardings_trips, load_trips
        Boardings a night by the hour in which riders come, and riders on the heaviest segment by the hour of the bus's start,
        shape (K, n_hours).
    """

    wait: Spread
    ride: Spread
    total: Spread
    transfer_wait_s: float
    within_share: tuple[float, ...]
    riders_trips: float
    late_trips: float
    lost_trips: float
    route_names: tuple[str, ...]
    hours: tuple[int, ...]
    wait_s: NDArray[np.float64]
    crowding_share: NDArray[np.float64]
    boardings_trips: NDArray[np.float64]
    load_trips: NDArray[np.float64]

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Figures as a JSON document, with units in the names; None for figures that rest on few riders.

        Parameters
        ----------
        min_count
            Riders a night below which a figure is None.

        Returns
        -------
        dict
            Figures without counts of riders, so that no reader can derive a count.
        """
        few = self.riders_trips < min_count or self.riders_trips == 0
        waits = _published(self.wait_s, self.boardings_trips, min_count, 0)
        crowding = _published(self.crowding_share, self.load_trips, min_count, 2)
        return {
            **{
                f"{name}_{figure}": None if few else round(getattr(getattr(self, name), figure))
                for name in ("wait", "ride", "total")
                for figure in ("mean_s", "p90_s")
            },
            "transfer_wait_s": None if few else round(self.transfer_wait_s),
            "within_share": {str(s): None if few else round(v, 4) for s, v in zip(WITHIN_S, self.within_share, strict=True)},
            "routes": [
                {"name": name, "wait_s": wait, "crowding_share": crowd}
                for name, wait, crowd in zip(self.route_names, waits, crowding, strict=True)
            ],
            "hours": [hour_label(hour) for hour in self.hours],
            "hidden": {"min_count": max(min_count, 0), "cells": sum(cell is None for row in (*waits, *crowding) for cell in row)},
        }


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
        Capacity, uptake and transfer walk in seconds; the defaults if None.
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
    riders = find_riders(network, demand, timetable.plan, rule, operation.uptake_share)
    flows = flows_of(riders, timetable.directions, rule.transfer_s)
    departures = Departures.of(timetable.run_direction, timetable.run_start_s)
    hourly = [follow(riders, timetable.directions, departures, row, operation.change_s) for row in range(len(riders.hours))]
    spreads, within, transfer_wait_s = _spreads(riders, hourly)
    caught = sum(int(journeys.quanta[journeys.caught].sum()) for journeys in hourly)
    late = sum(int(journeys.quanta[~journeys.caught].sum()) for journeys in hourly)
    lost = int(riders.lost_quanta.sum())
    waits, boardings = _first_waits(riders, hourly, len(timetable.plan))
    load = np.maximum(flows.load_quanta[::2], flows.load_quanta[1::2]) / QUANTA_PER_TRIP
    return RiderService(
        *spreads,
        transfer_wait_s,
        tuple(quanta / max(1, caught + late + lost) for quanta in within),
        caught / QUANTA_PER_TRIP,
        late / QUANTA_PER_TRIP,
        lost / QUANTA_PER_TRIP,
        timetable.plan.names,
        riders.hours,
        waits,
        _crowding(timetable, flows.load_quanta, operation.capacity),
        boardings / QUANTA_PER_TRIP,
        load,
    )


def _spreads(riders: Riders, hourly: list[Journeys]) -> tuple[tuple[Spread, Spread, Spread], tuple[int, ...], float]:
    """Wait, ride and total over riders who catch their buses; riders in 1/1024 by `WITHIN_S`; and the mean transfer wait."""
    rows = [
        (journeys.quanta, journeys.wait_s[0], journeys.wait_s[1], journeys.ride_s.sum(axis=0), journeys.pair, journeys.caught)
        for journeys in hourly
    ]
    *columns, caught = (np.concatenate(column) for column in zip(*rows, strict=True))
    quanta, first_wait, transfer_wait, ride, pair = (column[caught] for column in columns)
    wait = first_wait + transfer_wait
    total = wait + ride + np.rint(riders.walk_m[pair] * 3.6 / WALK_KMH).astype(np.int64)
    mean_transfer_wait = float((quanta * transfer_wait).sum() / max(1, int(quanta[riders.transfers[pair]].sum())))
    spreads = (_spread(wait, quanta), _spread(ride, quanta), _spread(total, quanta))
    return spreads, tuple(int(quanta[total <= limit].sum()) for limit in WITHIN_S), mean_transfer_wait


def _spread(seconds: NDArray[np.int64], quanta: NDArray[np.int64]) -> Spread:
    """Mean and 90th percentile, weighted by riders."""
    if not quanta.sum():
        return Spread(0.0, 0)
    order = np.argsort(seconds, kind="stable")
    rank = np.searchsorted(np.cumsum(quanta[order]), 0.9 * quanta.sum())
    return Spread(float((quanta * seconds).sum() / quanta.sum()), int(seconds[order][min(rank, len(order) - 1)]))


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


def _crowding(timetable: Timetable, load_quanta: NDArray[np.int64], capacity: int) -> NDArray[np.float64]:
    """Load over capacity of the fuller direction, by route and hour. Riders of an hour without a start count in the hour before."""
    shares = np.full(load_quanta.shape, np.nan)
    for row in range(len(timetable.directions)):
        hour = np.clip(timetable.starts_s(row) // HOUR_S - timetable.hours[0], 0, len(timetable.hours) - 1)
        runs = np.bincount(hour, minlength=len(timetable.hours))
        load = np.zeros(len(timetable.hours))
        with_runs = np.flatnonzero(runs)
        if with_runs.size:
            column = with_runs[np.clip(np.searchsorted(with_runs, np.arange(len(runs)), side="right") - 1, 0, None)]
            np.add.at(load, column, load_quanta[row])
            shares[row, with_runs] = load[with_runs] / (QUANTA_PER_TRIP * capacity * runs[with_runs])
    fuller: NDArray[np.float64] = np.fmax(shares[::2], shares[1::2])
    return fuller


def _published(values: NDArray[np.float64], riders: NDArray[np.float64], min_count: float, digits: int) -> list[list[float | None]]:
    """Rounded cells of a table; None for cells of fewer than `min_count` riders."""
    return [
        [None if not np.isfinite(value) or count < min_count else round(float(value), digits) for value, count in zip(*pair, strict=True)]
        for pair in zip(values, riders, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class SafetySheet:
    """
    Walks, first and last buses and longest waits, one row per hex within the walk of a stop. It has no counts of people.

    Attributes
    ----------
    hexes
        Hex indices, shape (n,), ascending.
    walk_m, walk_s
        Walk to the nearest stop served, metres and seconds at `WALK_KMH`, shape (n,).
    first_s, last_from_s
        First and last departure from its stops, seconds, shape (n,); -1 if there is none.
    last_home_s
        Last arrival at its stops, seconds, shape (n,); -1 if there is none.
    longest_wait_s
        Longest time between two departures from its stops, by any route, from the begin of the first hour to the last bus, seconds,
        shape (n,).
    """

    hexes: NDArray[np.int64]
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
                **{name: int(getattr(self, name)[row]) for name in ("walk_m", "walk_s", "longest_wait_s")},
                **{name[:-2]: format_time(time_s) if (time_s := int(getattr(self, name)[row])) >= 0 else "" for name in times},
            }
            for row in range(len(self.hexes))
        ]


def safety_sheet(network: Network, timetable: Timetable) -> SafetySheet:
    """
    Walks, waits and last buses of every hex within the walk of a stop, in metres and seconds.

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
    departures, arrivals = _stop_times(timetable)
    used, first_row = timetable.plan.used_stops.astype(np.int64).tolist(), network.shed_indptr.tolist()
    rows_of = np.concatenate([np.arange(first_row[stop], first_row[stop + 1]) for stop in used] or [np.empty(0, np.int64)])
    stop_of = np.repeat(used, [first_row[stop + 1] - first_row[stop] for stop in used])
    hex_of, walk_of = network.shed_hex[rows_of], network.shed_walk_m[rows_of]
    begin = timetable.hours[0] * HOUR_S
    rows = []
    for hex_index in np.unique(hex_of).tolist():
        here = np.flatnonzero(hex_of == hex_index)
        depart = np.unique(np.concatenate([departures[stop] for stop in stop_of[here].tolist()]))
        arrive = np.concatenate([arrivals[stop] for stop in stop_of[here].tolist()])
        walk = int(walk_of[here].min())
        waits = np.diff(np.concatenate([[min(begin, int(depart.min(initial=begin)))], depart]))
        first = int(depart[0]) if depart.size else -1
        ends = (int(depart.max(initial=-1)), int(arrive.max(initial=-1)))
        rows.append((hex_index, walk, round(walk * 3.6 / WALK_KMH), first, *ends, int(waits.max(initial=0))))
    return SafetySheet(*np.array(rows, np.int64).reshape(-1, 7).T)


def _stop_times(timetable: Timetable) -> tuple[dict[int, NDArray[np.int64]], dict[int, NDArray[np.int64]]]:
    """Departures and arrivals of every stop in seconds; a run does not arrive at its first stop or depart from its last."""
    departures: dict[int, list[NDArray[np.int64]]] = {}
    arrivals: dict[int, list[NDArray[np.int64]]] = {}
    for row, direction in enumerate(timetable.directions):
        starts, last = timetable.starts_s(row).astype(np.int64), len(direction.stops) - 1
        for position, stop in enumerate(direction.stops.tolist()):
            departures.setdefault(stop, []).append(starts + direction.depart_s[position] if position < last else starts[:0])
            arrivals.setdefault(stop, []).append(starts + direction.arrive_s[position] if position else starts[:0])
    joined = [{stop: np.concatenate(times) for stop, times in by_stop.items()} for by_stop in (departures, arrivals)]
    return joined[0], joined[1]
