"""Summary of a timetable: headways, buses, kilometres, hours and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Publisher
from owlbus.common.units import HOUR_S, format_time, hour_label
from owlbus.timetable.operation import UnitCosts
from owlbus.timetable.type_totals import cost_basis, night_cost, type_rows

if TYPE_CHECKING:
    from owlbus.timetable.build import TimetableReport
    from owlbus.timetable.schedule import Timetable


def timetable_document(timetable: Timetable, report: TimetableReport | None = None, costs: UnitCosts | None = None) -> dict[str, Any]:
    """
    Summary of a timetable as a JSON document, with units in the names. It has no counts of riders.

    Parameters
    ----------
    timetable
        Runs of one night.
    report
        How headways and offsets were chosen; None for a timetable read from a feed.
    costs
        Unit costs; the defaults if None.

    Returns
    -------
    dict
        Headways in seconds by route and hour in the order of the stops, first and last starts from both ends as HH:MM:SS,
        and totals of the night.
    """
    costs = costs or UnitCosts()
    km, hours = timetable.vehicle_m / 1000, timetable.vehicle_s / HOUR_S
    units = {} if timetable.bus_types else {"per_km": costs.per_km, "per_hour": costs.per_hour, "per_bus": costs.per_bus}
    budget = None if report is None else report.operation.budget
    return {
        "fleet": timetable.fleet,
        "runs": timetable.n_runs,
        "vehicle_km": round(km, 1),
        "vehicle_hours": round(hours, 2),
        "cost": {
            "total": round(night_cost(timetable, costs), 2),
            "currency": costs.currency,
            **units,
            "basis": cost_basis(timetable, costs),
            **({} if budget is None else {"budget": budget}),
        },
        **({"bus_types": type_rows(timetable, costs, () if report is None else report.operation.bus_types)} if timetable.bus_types else {}),
        "hours": [hour_label(hour) for hour in timetable.hours],
        "routes": _routes(timetable),
        "choice": None if report is None else _choice(report),
    }


def _routes(timetable: Timetable) -> list[dict[str, Any]]:
    """Headways, buses and run times of every route."""
    headways = timetable.headway_s
    rows = []
    for k, name in enumerate(timetable.plan.names):
        starts = [timetable.starts_s(2 * k), timetable.starts_s(2 * k + 1)]
        rows.append(
            {
                "name": name,
                **_type_of(timetable, k),
                "buses": timetable.buses_of(k),
                "runs": sum(len(times) for times in starts),
                "ride_s": [timetable.directions[2 * k].ride_s, timetable.directions[2 * k + 1].ride_s],
                **_rides_by_hour(timetable, k),
                "headway_s": headways[2 * k].tolist(),
                "first": [format_time(int(times[0])) if len(times) else None for times in starts],
                "last": [format_time(int(times[-1])) if len(times) else None for times in starts],
            }
        )
    return rows


def _type_of(timetable: Timetable, k: int) -> dict[str, Any]:
    """Type and capacity of the buses of a route; nothing where all buses are alike."""
    bus_type = timetable.bus_types[k] if timetable.bus_types else None
    return {} if bus_type is None else {"bus_type": bus_type.name, "capacity": bus_type.capacity}


def _rides_by_hour(timetable: Timetable, k: int) -> dict[str, Any]:
    """Seconds from end to end of the runs that start in each hour, in both directions; nothing where all runs take as long."""
    pair = timetable.directions[2 * k : 2 * k + 2]
    if not any(direction.hours for direction in pair):
        return {}
    return {"ride_by_hour_s": [direction.rides_s([hour * HOUR_S for hour in timetable.hours]).tolist() for direction in pair]}


def _choice(report: TimetableReport) -> dict[str, Any]:
    """Mean waits over all riders in seconds, None over too few, and offsets of the routes."""
    transfers, publisher = report.meets, Publisher(report.min_count)

    def wait_s(value_s: float | None, riders_trips: float) -> float | None:
        return None if value_s is None or riders_trips <= 0 or not publisher.is_enough(riders_trips) else round(value_s, 1)

    left = {}
    if report.operation.bus_types:
        left = {"left_behind_trips": publisher.count(report.left_trips)}
    return {
        **publisher.facts,
        **left,
        "planned_wait_s": wait_s(report.wait_s, report.boardings_trips),
        "equal_headway_s": report.equal_headway_s,
        "equal_wait_s": wait_s(report.equal_wait_s, report.boardings_trips),
        "both_ends": list(report.both_ends),
        "offset_s": list(transfers.offset_s),
        "transfer_wait_before_s": wait_s(transfers.before_s, transfers.transfers_trips),
        "transfer_wait_after_s": wait_s(transfers.after_s, transfers.transfers_trips),
        "first_wait_before_s": wait_s(transfers.first_before_s, report.boardings_trips),
        "first_wait_after_s": wait_s(transfers.first_after_s, report.boardings_trips),
        "offsets_proven": transfers.is_optimal,
    }
