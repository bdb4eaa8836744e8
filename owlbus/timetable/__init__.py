"""Timetables of a plan: headways, runs, vehicle blocks and timed transfers, and the service that riders get."""

from __future__ import annotations

from owlbus.timetable.build import TimetableReport, build_timetable
from owlbus.timetable.bus_types import BusType, read_bus_types
from owlbus.timetable.clock import clock_time, service_time
from owlbus.timetable.day_types import DayType, parse_day_types
from owlbus.timetable.driver_duties import Duties, Duty, plan_duties
from owlbus.timetable.driver_rules import DriverRules
from owlbus.timetable.operation import Operation, UnitCosts
from owlbus.timetable.reach_times import Reach, ReachQuery, find_reach
from owlbus.timetable.rider_service import (
    RiderService,
    SafetySheet,
    Spread,
    rider_service,
    safety_sheet,
)
from owlbus.timetable.schedule import Direction, Timetable
from owlbus.timetable.summary import timetable_document
from owlbus.timetable.timed_transfers import TimedTransfers

__all__ = [
    "BusType",
    "DayType",
    "Direction",
    "DriverRules",
    "Duties",
    "Duty",
    "Operation",
    "Reach",
    "ReachQuery",
    "RiderService",
    "SafetySheet",
    "Spread",
    "TimedTransfers",
    "Timetable",
    "TimetableReport",
    "UnitCosts",
    "build_timetable",
    "clock_time",
    "find_reach",
    "parse_day_types",
    "plan_duties",
    "read_bus_types",
    "rider_service",
    "safety_sheet",
    "service_time",
    "timetable_document",
]
