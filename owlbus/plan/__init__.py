"""Routes and plans: types, measures, limits, reading and writing."""

from __future__ import annotations

from owlbus.plan.check import BrokenLimit, broken_limits, check_plan, limit_rows
from owlbus.plan.geojson import plan_geojson, stops_geojson, write_plan, write_stops
from owlbus.plan.measures import PlanMeasures, plan_measures, route_links
from owlbus.plan.read import PlanMatch, match_plan, plan_of_waypoints, read_plan
from owlbus.plan.route_match import RouteMatch
from owlbus.plan.routes import Plan, Route

__all__ = [
    "BrokenLimit",
    "Plan",
    "PlanMatch",
    "PlanMeasures",
    "Route",
    "RouteMatch",
    "broken_limits",
    "check_plan",
    "limit_rows",
    "match_plan",
    "plan_geojson",
    "plan_measures",
    "plan_of_waypoints",
    "read_plan",
    "route_links",
    "stops_geojson",
    "write_plan",
    "write_stops",
]
