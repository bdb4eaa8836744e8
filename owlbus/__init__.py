"""
Night-bus networks from call and taxi records.

The chain is records → hexagons → demand → network → plan → scorecard. Each stage is its immutable types and one
public verb; every name below is loaded when it is first used, so that ``import owlbus`` costs next to nothing.

Units are in names: ``_s`` seconds, ``_m`` metres, ``_km`` kilometres, ``_share`` 0 to 1, ``_trips`` trips. Longitude comes before
latitude, always.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from owlbus.common.acceptance import RideChoice as RideChoice
    from owlbus.common.ending import Ending as Ending
    from owlbus.common.errors import DataError as DataError
    from owlbus.common.errors import FindingError as FindingError
    from owlbus.common.errors import InfeasibleError as InfeasibleError
    from owlbus.common.errors import OwlbusError as OwlbusError
    from owlbus.common.errors import PrivacyError as PrivacyError
    from owlbus.common.errors import UsageError as UsageError
    from owlbus.common.progress import show_progress as show_progress
    from owlbus.common.units import NightWindow as NightWindow
    from owlbus.demand import Agreement as Agreement
    from owlbus.demand import Demand as Demand
    from owlbus.demand import DemandReport as DemandReport
    from owlbus.demand import DemandWeights as DemandWeights
    from owlbus.demand import ODPairs as ODPairs
    from owlbus.demand import agreement as agreement
    from owlbus.demand import blend as blend
    from owlbus.demand import estimate_demand as estimate_demand
    from owlbus.evaluate import Evaluator as Evaluator
    from owlbus.evaluate import RouteTrial as RouteTrial
    from owlbus.evaluate import WorkingPlan as WorkingPlan
    from owlbus.evidence.calibration import Calibration as Calibration
    from owlbus.evidence.calibration import calibrate_choice as calibrate_choice
    from owlbus.evidence.phase_search import phase_routes as phase_routes
    from owlbus.evidence.phases import Phase as Phase
    from owlbus.evidence.phases import Phasing as Phasing
    from owlbus.explore.notebook_frame import ExplorePage as ExplorePage
    from owlbus.explore.notebook_frame import explore_run as explore_run
    from owlbus.grid.hexgrid import HexGrid as HexGrid
    from owlbus.grid.outline import read_area as read_area
    from owlbus.gtfs import FeedInfo as FeedInfo
    from owlbus.gtfs import check_gtfs as check_gtfs
    from owlbus.gtfs import read_gtfs as read_gtfs
    from owlbus.gtfs import write_gtfs as write_gtfs
    from owlbus.network import Network as Network
    from owlbus.network import NetworkReport as NetworkReport
    from owlbus.network import check_network as check_network
    from owlbus.pipeline import PlanRun as PlanRun
    from owlbus.pipeline import Request as Request
    from owlbus.pipeline import ScoredPlan as ScoredPlan
    from owlbus.pipeline import Sources as Sources
    from owlbus.pipeline import Study as Study
    from owlbus.pipeline import best_plan as best_plan
    from owlbus.pipeline import budget_of as budget_of
    from owlbus.pipeline import build_study as build_study
    from owlbus.pipeline import read_study as read_study
    from owlbus.pipeline import save_run as save_run
    from owlbus.pipeline import score_study as score_study
    from owlbus.plan import Plan as Plan
    from owlbus.plan import PlanMeasures as PlanMeasures
    from owlbus.plan import Route as Route
    from owlbus.plan import check_plan as check_plan
    from owlbus.plan import plan_measures as plan_measures
    from owlbus.plan import read_plan as read_plan
    from owlbus.plan import write_plan as write_plan
    from owlbus.plan.limits import RouteLimits as RouteLimits
    from owlbus.plan.limits import ServiceRule as ServiceRule
    from owlbus.plot.maps import draw_map as draw_map
    from owlbus.plot.maps import write_map as write_map
    from owlbus.sample import City as City
    from owlbus.sample import sample_city as sample_city
    from owlbus.sample import sample_grid as sample_grid
    from owlbus.sample import sample_network as sample_network
    from owlbus.score import Scorecard as Scorecard
    from owlbus.score import score_plan as score_plan
    from owlbus.search import BoundResult as BoundResult
    from owlbus.search import GroupPresence as GroupPresence
    from owlbus.search import Objective as Objective
    from owlbus.search import PairObjective as PairObjective
    from owlbus.search import PlanConstraints as PlanConstraints
    from owlbus.search import PoolBound as PoolBound
    from owlbus.search import Problem as Problem
    from owlbus.search import Result as Result
    from owlbus.search import TravelTimes as TravelTimes
    from owlbus.search import choose_routes as choose_routes
    from owlbus.search import matrix_instance as matrix_instance
    from owlbus.search import plan_routes as plan_routes
    from owlbus.search import pool_bound as pool_bound
    from owlbus.search import search_travel_time as search_travel_time
    from owlbus.search import travel_times as travel_times
    from owlbus.search import upper_bound as upper_bound
    from owlbus.search.ride_service import RideService as RideService
    from owlbus.search.stopping import MaxSeconds as MaxSeconds
    from owlbus.search.stopping import MaxSteps as MaxSteps
    from owlbus.search.stopping import NoGain as NoGain
    from owlbus.search.stopping import Snapshot as Snapshot
    from owlbus.search.stopping import TargetGap as TargetGap
    from owlbus.timetable import DayType as DayType
    from owlbus.timetable import Operation as Operation
    from owlbus.timetable import RiderService as RiderService
    from owlbus.timetable import SafetySheet as SafetySheet
    from owlbus.timetable import Timetable as Timetable
    from owlbus.timetable import TimetableReport as TimetableReport
    from owlbus.timetable import UnitCosts as UnitCosts
    from owlbus.timetable import build_timetable as build_timetable
    from owlbus.timetable import parse_day_types as parse_day_types
    from owlbus.timetable import rider_service as rider_service
    from owlbus.timetable import safety_sheet as safety_sheet

_NAMES = {
    "common.acceptance": ("RideChoice",),
    "common.ending": ("Ending",),
    "common.errors": (
        "DataError",
        "FindingError",
        "InfeasibleError",
        "OwlbusError",
        "PrivacyError",
        "UsageError",
    ),
    "common.progress": ("show_progress",),
    "common.units": ("NightWindow",),
    "demand": (
        "Agreement",
        "Demand",
        "DemandReport",
        "DemandWeights",
        "ODPairs",
        "agreement",
        "blend",
        "estimate_demand",
    ),
    "evaluate": ("Evaluator", "RouteTrial", "WorkingPlan"),
    "evidence.calibration": ("Calibration", "calibrate_choice"),
    "evidence.phase_search": ("phase_routes",),
    "evidence.phases": ("Phase", "Phasing"),
    "explore.notebook_frame": ("ExplorePage", "explore_run"),
    "grid.hexgrid": ("HexGrid",),
    "grid.outline": ("read_area",),
    "gtfs": (
        "FeedInfo",
        "check_gtfs",
        "read_gtfs",
        "write_gtfs",
    ),
    "network": (
        "Network",
        "NetworkReport",
        "check_network",
    ),
    "pipeline": (
        "PlanRun",
        "Request",
        "ScoredPlan",
        "Sources",
        "Study",
        "best_plan",
        "budget_of",
        "build_study",
        "read_study",
        "save_run",
        "score_study",
    ),
    "plan": (
        "Plan",
        "PlanMeasures",
        "Route",
        "check_plan",
        "plan_measures",
        "read_plan",
        "write_plan",
    ),
    "plan.limits": (
        "RouteLimits",
        "ServiceRule",
    ),
    "plot.maps": (
        "draw_map",
        "write_map",
    ),
    "sample": (
        "City",
        "sample_city",
        "sample_grid",
        "sample_network",
    ),
    "score": (
        "Scorecard",
        "score_plan",
    ),
    "search": (
        "BoundResult",
        "Objective",
        "GroupPresence",
        "PairObjective",
        "PlanConstraints",
        "PoolBound",
        "Problem",
        "Result",
        "TravelTimes",
        "choose_routes",
        "matrix_instance",
        "plan_routes",
        "pool_bound",
        "search_travel_time",
        "travel_times",
        "upper_bound",
    ),
    "search.ride_service": ("RideService",),
    "search.stopping": (
        "MaxSeconds",
        "MaxSteps",
        "NoGain",
        "Snapshot",
        "TargetGap",
    ),
    "timetable": (
        "DayType",
        "Operation",
        "RiderService",
        "SafetySheet",
        "Timetable",
        "TimetableReport",
        "UnitCosts",
        "build_timetable",
        "parse_day_types",
        "rider_service",
        "safety_sheet",
    ),
}
"""Public names by module."""

_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOME:
        msg = f"module 'owlbus' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(importlib.import_module(f"owlbus.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
