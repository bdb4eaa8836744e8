"""The router: from demand to a plan of K routes."""

from owlbus.search.bound import BoundResult, upper_bound
from owlbus.search.local_search import plan_routes
from owlbus.search.objective import Case, Objective, reached_hexes
from owlbus.search.result import Result, TracePoint
from owlbus.search.wishes import Wishes

__all__ = ["BoundResult", "Case", "Objective", "Result", "TracePoint", "Wishes", "plan_routes", "reached_hexes", "upper_bound"]
