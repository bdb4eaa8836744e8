"""Totals of a night by bus type: buses, kilometres, hours and cost; and the sheet of its vehicles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.units import HOUR_S, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.timetable.bus_types import BusType
    from owlbus.timetable.operation import UnitCosts
    from owlbus.timetable.schedule import Timetable


class TypeTotals(NamedTuple):
    """
    Buses of one type in a night.

    Attributes
    ----------
    bus_type
        The type.
    n_routes
        Routes that it runs.
    buses
        Number of buses.
    vehicle_km, vehicle_hours
        Kilometres and hours of all of them together.
    cost
        Cost of a night, in the currency of the unit costs.
    """

    bus_type: BusType
    n_routes: int
    buses: int
    vehicle_km: float
    vehicle_hours: float
    cost: float


def capacity_of(timetable: Timetable, route: int, capacity: int) -> int:
    """
    Riders whom a bus of a route carries.

    Parameters
    ----------
    timetable
        Perhaps with bus types.
    route
        Index of the route.
    capacity
        Riders whom buses without a type carry.

    Returns
    -------
    int
        Riders a bus.
    """
    bus_type = timetable.bus_types[route] if timetable.bus_types else None
    return capacity if bus_type is None else bus_type.capacity


def totals_by_type(timetable: Timetable, costs: UnitCosts, offered: Sequence[BusType] = ()) -> list[TypeTotals]:
    """
    Totals of each bus type: those offered in their order, then others that run.

    Parameters
    ----------
    timetable
        With the type of each route.
    costs
        Unit costs, where a type has none of its own.
    offered
        Bus types to list although no bus of them may run.

    Returns
    -------
    list of TypeTotals
        Kilometres, hours and cost; none where all buses are alike.
    """
    route, ends_s = timetable.run_direction // 2, timetable.run_end_s.astype(np.int64)
    metres = np.array([direction.length_m for direction in timetable.directions], np.int64)[timetable.run_direction]
    found = []
    for bus_type in dict.fromkeys(each for each in (*offered, *timetable.bus_types) if each is not None):
        of_type = np.array([each == bus_type for each in timetable.bus_types])
        runs = of_type[route] if of_type.size else np.zeros(route.size, np.bool_)
        blocks, row = np.unique(timetable.run_block[runs], return_inverse=True)
        first, last = np.full(blocks.size, np.iinfo(np.int64).max), np.zeros(blocks.size, np.int64)
        np.minimum.at(first, row, timetable.run_start_s[runs])
        np.maximum.at(last, row, ends_s[runs])
        km, hours = int(metres[runs].sum()) / 1000, int((last - first).sum()) / HOUR_S
        cost = bus_type.total(costs, vehicle_km=km, vehicle_hours=hours, buses=blocks.size)
        found.append(TypeTotals(bus_type, int(of_type.sum()), blocks.size, km, hours, cost))
    return found


def night_cost(timetable: Timetable, costs: UnitCosts) -> float:
    """
    Cost of a night, each bus by its type.

    Parameters
    ----------
    timetable
        Runs of one night.
    costs
        Unit costs, where buses have no type or the type has none of its own.

    Returns
    -------
    float
        In the currency of the unit costs.
    """
    if timetable.bus_types:
        return sum(totals.cost for totals in totals_by_type(timetable, costs))
    km, hours = timetable.vehicle_m / 1000, timetable.vehicle_s / HOUR_S
    return costs.total(vehicle_km=km, vehicle_hours=hours, buses=timetable.fleet)


def cost_basis(timetable: Timetable, costs: UnitCosts) -> str:
    """
    Where the unit costs of a night come from, in one line.

    Parameters
    ----------
    timetable
        Perhaps with bus types.
    costs
        Unit costs of a km, an hour and a bus.

    Returns
    -------
    str
        Names the assumed ones.
    """
    types = [each for each in timetable.bus_types if each is not None]
    if not types:
        return costs.basis
    lacking = [name for name in ("per_km", "per_hour") if any(getattr(each, name) is None for each in types)]
    assumed = [name for name in lacking if name in costs.assumed]
    ours = "costs by bus type"
    return f"{ours}; assumption, not an operator's figures: {', '.join(assumed)}" if assumed else ours


def type_rows(timetable: Timetable, costs: UnitCosts, offered: Sequence[BusType] = ()) -> list[dict[str, Any]]:
    """
    Totals by bus type as JSON values.

    Parameters
    ----------
    timetable
        With the type of each route.
    costs
        Unit costs, where a type has none of its own.
    offered
        Bus types to list although no bus of them may run.

    Returns
    -------
    list of dict
        Capacity in riders, numbers of buses, kilometres, hours and costs.
    """
    rows = []
    for totals in totals_by_type(timetable, costs, offered):
        per_km, per_hour = totals.bus_type.costs_on_the_road(costs)
        rows.append(
            {
                "type": totals.bus_type.name,
                "capacity": totals.bus_type.capacity,
                "available": totals.bus_type.available,
                "routes": totals.n_routes,
                "buses": totals.buses,
                "vehicle_km": round(totals.vehicle_km, 1),
                "vehicle_hours": round(totals.vehicle_hours, 2),
                "cost": round(totals.cost, 2),
                "per_km": per_km,
                "per_hour": per_hour,
                "per_bus": totals.bus_type.per_bus,
            }
        )
    return rows


def vehicle_rows(timetable: Timetable, prefix: str = "") -> list[dict[str, Any]]:
    """
    One row a bus: its block in the feed, its type and its work. GTFS has no field for the type of a vehicle.

    Parameters
    ----------
    timetable
        With the type of each route.
    prefix
        What stands before ``b`` and the index in the ids of blocks.

    Returns
    -------
    list of dict
        Times as HH:MM:SS past 24:00:00, metres as kilometres; none where all buses are alike.
    """
    if not timetable.bus_types:
        return []
    metres = np.array([direction.length_m for direction in timetable.directions], np.int64)[timetable.run_direction]
    rows = []
    for block in range(timetable.fleet):
        runs = np.flatnonzero(timetable.run_block == block)
        routes = list(dict.fromkeys((timetable.run_direction[runs] // 2).tolist()))
        bus_type = timetable.bus_types[routes[0]]
        rows.append(
            {
                "block_id": f"{prefix}b{block}",
                "bus_type": "" if bus_type is None else bus_type.name,
                "capacity": capacity_of(timetable, routes[0], 0),
                "routes": " ".join(timetable.plan.names[k] for k in routes),
                "runs": runs.size,
                "first_start": format_time(int(timetable.run_start_s[runs[0]])),
                "last_arrival": format_time(int(timetable.run_end_s[runs].max())),
                "vehicle_km": round(int(metres[runs].sum()) / 1000, 1),
            }
        )
    return rows
