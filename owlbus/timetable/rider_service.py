"""What riders get from a timetable: waits, rides, totals, crowding, and the night-safety sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.units import HOUR_S, TRIP_UNITS, format_time, hour_label
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
"""Total times that the share of trips within is given for, in seconds."""


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Seconds over all riders.

    Attributes
    ----------
    mean_s, p90_s
        Mean, and the least number of seconds that nine riders in ten do not exceed.
    """

    mean_s: float
    p90_s: int


@dataclass(frozen=True, slots=True, eq=False)
class RiderService:
    """
    What riders get, over riders for whom a bus still comes unless said otherwise.

    Attributes
    ----------
    wait, ride, total
        Seconds of wait (changes included), on board, and in all with the walk at both ends.
    transfer_wait_s
        Mean wait at a change, seconds.
    within_share
        By total seconds of `WITHIN_S`: trips within them, of all trips, served or not; 0 to 1.
    riders_trips, late_trips, lost_trips
        Trips a night that find their bus, that come after the last one, and that no route serves.
    route_names, hours
        Rows and columns of the tables below: K routes, and service hours.
    wait_s
        Mean wait for the first bus by route and hour in which riders come, shape (K, n_hours); NaN without riders.
    crowding_share
        Riders on the heaviest segment over the room of all buses that start in the hour, shape (K, n_hours); NaN without buses.
    boardings_trips, load_trips
        Riders a night who board, by hour of coming, and who are on the heaviest segment, by hour of the bus's start,
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
        Figures as JSON holds them; what rests on few riders reads None.

        Parameters
        ----------
        min_count
            Riders a night below which nothing about them is shown.

        Returns
        -------
        dict
            Names with units in them; counts of riders themselves are left out of the tables, so that none can be worked out.
        """
        few = self.riders_trips < min_count
        head: dict[str, Any] = {
            f"{name}_{part}": None if few else round(getattr(getattr(self, name), part))
            for name in ("wait", "ride", "total")
            for part in ("mean_s", "p90_s")
        }
        head["transfer_wait_s"] = None if few else round(self.transfer_wait_s)
        head["within_share"] = {str(s): None if few else round(v, 4) for s, v in zip(WITHIN_S, self.within_share, strict=True)}
        tables = ((self.wait_s, self.boardings_trips, 0), (self.crowding_share, self.load_trips, 2))
        shown = [_shown(values, riders, min_count, digits) for values, riders, digits in tables]
        head["routes"] = [
            {"name": name, "wait_s": wait, "crowding_share": crowd}
            for name, wait, crowd in zip(self.route_names, shown[0], shown[1], strict=True)
        ]
        head["hours"] = [hour_label(hour) for hour in self.hours]
        head["hidden"] = {"min_count": min_count, "cells": sum(cell is None for table in shown for row in table for cell in row)}
        return head


def rider_service(
    network: Network, demand: Demand, timetable: Timetable, operation: Operation | None = None, rule: ServiceRule | None = None
) -> RiderService:
    """
    Follow all served trips through a timetable.

    Riders come evenly through their hour, without a look at the timetable, and take the rides that the scorecard counts, always the
    first bus; what a full bus leaves behind is counted as crowding, not as wait.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    demand
        Trips by hour on the network's grid.
    timetable
        Runs of one night.
    operation
        Capacity, uptake and the seconds of a change; the defaults if None.
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
    spreads, within, changing = _spreads(riders, hourly)
    found = sum(int(part.units[part.caught].sum()) for part in hourly)
    late = sum(int(part.units[~part.caught].sum()) for part in hourly)
    waits, boardings = _first_waits(riders, hourly, len(timetable.plan))
    load = np.maximum(flows.load_units[::2], flows.load_units[1::2]) / TRIP_UNITS
    return RiderService(
        *spreads,
        changing,
        tuple(units / max(1, found + late + int(riders.lost_units.sum())) for units in within),
        found / TRIP_UNITS,
        late / TRIP_UNITS,
        int(riders.lost_units.sum()) / TRIP_UNITS,
        timetable.plan.names,
        riders.hours,
        waits,
        _crowding(timetable, flows.load_units, operation.capacity),
        boardings / TRIP_UNITS,
        load,
    )


def _spreads(riders: Riders, hourly: list[Journeys]) -> tuple[tuple[Spread, Spread, Spread], tuple[int, ...], float]:
    """Wait, ride and total over riders who find a bus; riders within the times of `WITHIN_S`; and the mean wait at a change."""
    caught = [part.caught for part in hourly]
    units = np.concatenate([part.units[mask] for part, mask in zip(hourly, caught, strict=True)])
    wait = np.concatenate([part.wait_s.sum(axis=0)[mask] for part, mask in zip(hourly, caught, strict=True)])
    ride = np.concatenate([part.ride_s.sum(axis=0)[mask] for part, mask in zip(hourly, caught, strict=True)])
    walk = np.concatenate([riders.walk_m[part.pair[mask]] for part, mask in zip(hourly, caught, strict=True)])
    change = np.concatenate([part.wait_s[1][mask] for part, mask in zip(hourly, caught, strict=True)])
    changes = np.concatenate([riders.transfers[part.pair[mask]] for part, mask in zip(hourly, caught, strict=True)])
    total = wait + ride + np.rint(walk * 3.6 / WALK_KMH).astype(np.int64)
    mean_change = float((units * change).sum() / max(1, int(units[changes].sum())))
    spreads = (_spread(wait, units), _spread(ride, units), _spread(total, units))
    return spreads, tuple(int(units[total <= limit].sum()) for limit in WITHIN_S), mean_change


def _spread(seconds: NDArray[np.int64], units: NDArray[np.int64]) -> Spread:
    """Mean and 90th percentile, weighted."""
    if not units.sum():
        return Spread(0.0, 0)
    order = np.argsort(seconds, kind="stable")
    at = np.searchsorted(np.cumsum(units[order]), 0.9 * units.sum())
    return Spread(float((units * seconds).sum() / units.sum()), int(seconds[order][min(at, len(order) - 1)]))


def _first_waits(riders: Riders, hourly: list[Journeys], n_routes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean wait for the first bus, and riders in 1/1024, by route and hour."""
    units, waits = np.zeros((n_routes, len(hourly))), np.zeros((n_routes, len(hourly)))
    for column, part in enumerate(hourly):
        rows = np.flatnonzero(part.start_s[0] >= 0)
        route = riders.direction[0, part.pair[rows]] // 2
        units[:, column] = np.bincount(route, part.units[rows], n_routes)
        waits[:, column] = np.bincount(route, part.units[rows] * part.wait_s[0, rows], n_routes)
    means = np.divide(waits, units, out=np.full(waits.shape, np.nan), where=units > 0)
    return means, units


def _crowding(timetable: Timetable, load_units: NDArray[np.int64], capacity: int) -> NDArray[np.float64]:
    """Load over room by route and hour, the fuller direction; riders of an hour without a start count with the hour before."""
    shares = np.full(load_units.shape, np.nan)
    for row in range(len(timetable.directions)):
        hour = np.clip(timetable.starts_s(row) // HOUR_S - timetable.hours[0], 0, len(timetable.hours) - 1)
        runs = np.bincount(hour, minlength=len(timetable.hours))
        load = np.zeros(len(timetable.hours))
        with_runs = np.flatnonzero(runs)
        if with_runs.size:
            place = with_runs[np.clip(np.searchsorted(with_runs, np.arange(len(runs)), side="right") - 1, 0, None)]
            np.add.at(load, place, load_units[row])
            shares[row, with_runs] = load[with_runs] / (TRIP_UNITS * capacity * runs[with_runs])
    fuller: NDArray[np.float64] = np.fmax(shares[::2], shares[1::2])
    return fuller


def _shown(values: NDArray[np.float64], riders: NDArray[np.float64], min_count: float, digits: int) -> list[list[float | None]]:
    """Cells of a table, None where too few riders stand behind them."""
    return [
        [None if not np.isfinite(value) or count < min_count else round(float(value), digits) for value, count in zip(*pair, strict=True)]
        for pair in zip(values, riders, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class SafetySheet:
    """
    The night as people on foot meet it, one row per hex within the walk of a stop; no count of people is in it.

    Attributes
    ----------
    hexes
        Hex indices, shape (n,), ascending.
    walk_m, walk_s
        Walk to the nearest stop served, metres and seconds at `WALK_KMH`, shape (n,).
    first_s, last_from_s
        First and last bus that leaves one of its stops, seconds, shape (n,); -1 where every bus ends.
    last_home_s
        Last bus that brings somebody to one of its stops, seconds, shape (n,); -1 where every bus starts.
    longest_wait_s
        Longest time between two buses in a row that leave its stops, whatever they are, from the first hour's begin to the last
        bus, seconds, shape (n,).
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
        Return the rows as people read them: seconds and metres as whole numbers, times as HH:MM:SS past 24:00:00.

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
                **{name[:-2]: format_time(at) if (at := int(getattr(self, name)[row])) >= 0 else "" for name in times},
            }
            for row in range(len(self.hexes))
        ]


def safety_sheet(network: Network, timetable: Timetable) -> SafetySheet:
    """
    Walk, waits and last buses of every hex within the walk of a stop.

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
    leaves, comes = _calls(timetable)
    used = timetable.plan.used_stops.astype(np.int64)
    sheds = [network.shed_hex[network.shed_indptr[stop] : network.shed_indptr[stop + 1]] for stop in used.tolist()]
    walks = [network.shed_walk_m[network.shed_indptr[stop] : network.shed_indptr[stop + 1]] for stop in used.tolist()]
    stop_of = np.repeat(used, [len(shed) for shed in sheds])
    hex_of, walk_of = np.concatenate([*sheds, np.empty(0, np.int32)]), np.concatenate([*walks, np.empty(0, np.int32)])
    begin = timetable.hours[0] * HOUR_S
    rows = []
    for place in np.unique(hex_of).tolist():
        here = np.flatnonzero(hex_of == place)
        away = np.unique(np.concatenate([leaves[stop] for stop in stop_of[here].tolist()]))
        home = np.concatenate([comes[stop] for stop in stop_of[here].tolist()])
        walk = int(walk_of[here].min())
        waits = np.diff(np.concatenate([[min(begin, int(away.min(initial=begin)))], away]))
        ends = (int(away.min(initial=2**30)) if away.size else -1, int(away.max(initial=-1)), int(home.max(initial=-1)))
        rows.append((place, walk, round(walk * 3.6 / WALK_KMH), *ends, int(waits.max(initial=0))))
    return SafetySheet(*np.array(rows, np.int64).reshape(-1, 7).T)


def _calls(timetable: Timetable) -> tuple[dict[int, NDArray[np.int64]], dict[int, NDArray[np.int64]]]:
    """Departures from, and arrivals at, every stop: a run neither leaves its last stop nor comes to its first."""
    leaves: dict[int, list[NDArray[np.int64]]] = {}
    comes: dict[int, list[NDArray[np.int64]]] = {}
    for row, way in enumerate(timetable.directions):
        starts = timetable.starts_s(row).astype(np.int64)
        for place, stop in enumerate(way.stops.tolist()):
            gone, came = place < len(way.stops) - 1, place > 0
            leaves.setdefault(stop, []).append(starts + way.depart_s[place] if gone else starts[:0])
            comes.setdefault(stop, []).append(starts + way.arrive_s[place] if came else starts[:0])
    return {k: np.concatenate(v) for k, v in leaves.items()}, {k: np.concatenate(v) for k, v in comes.items()}
