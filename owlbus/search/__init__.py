"""The search: from demand to a plan of K routes."""

from owlbus.search.bound import BoundResult, upper_bound
from owlbus.search.constraints import PlanConstraints
from owlbus.search.objective import Objective
from owlbus.search.plan_routes import plan_routes
from owlbus.search.problem import Problem, reached_hexes
from owlbus.search.result import Result, TracePoint
from owlbus.search.travel_time_graph import TravelTimes, travel_times

__all__ = [
    "BoundResult",
    "Objective",
    "PlanConstraints",
    "Problem",
    "Result",
    "TracePoint",
    "TravelTimes",
    "plan_routes",
    "reached_hexes",
    "travel_times",
    "upper_bound",
]
