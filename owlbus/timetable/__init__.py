"""Timetables: headways, runs, buses and timed meets of a plan, and what riders get."""

from __future__ import annotations

from owlbus.timetable.building import TimetableReport, build_timetable
from owlbus.timetable.clock import clock_time, service_time
from owlbus.timetable.meets import Meets
from owlbus.timetable.service import RiderService, SafetySheet, Spread, rider_service, safety_sheet
from owlbus.timetable.settings import Operation, UnitCosts
from owlbus.timetable.summary import timetable_document
from owlbus.timetable.table import Direction, Timetable

__all__ = [
    "Direction",
    "Meets",
    "Operation",
    "RiderService",
    "SafetySheet",
    "Spread",
    "Timetable",
    "TimetableReport",
    "UnitCosts",
    "build_timetable",
    "clock_time",
    "rider_service",
    "safety_sheet",
    "service_time",
    "timetable_document",
]
