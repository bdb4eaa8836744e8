"""The search: from demand to a plan of K routes."""

from owlbus.search.bound import BoundResult, upper_bound
from owlbus.search.choose_routes import choose_routes
from owlbus.search.constraints import PlanConstraints
from owlbus.search.group_presence import GroupPresence
from owlbus.search.improve import Improvement, improve_plan
from owlbus.search.matrix_instance import matrix_instance, search_travel_time
from owlbus.search.objective import Objective
from owlbus.search.pair_objective import PairObjective
from owlbus.search.plan_routes import plan_routes
from owlbus.search.point_counts import PointCounter
from owlbus.search.pool_bound import PoolBound, pool_bound
from owlbus.search.problem import Problem, reached_hexes
from owlbus.search.result import Result, TracePoint
from owlbus.search.travel_time_graph import TravelTimes, travel_times

__all__ = [
    "BoundResult",
    "GroupPresence",
    "Improvement",
    "Objective",
    "PairObjective",
    "PlanConstraints",
    "PointCounter",
    "PoolBound",
    "Problem",
    "Result",
    "TracePoint",
    "TravelTimes",
    "choose_routes",
    "improve_plan",
    "matrix_instance",
    "plan_routes",
    "pool_bound",
    "reached_hexes",
    "search_travel_time",
    "travel_times",
    "upper_bound",
]
