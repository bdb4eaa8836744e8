"""The scorecard of a plan."""

from owlbus.common.disclosure import MIN_COUNT
from owlbus.score.card import (
    CITY_SHARE,
    Coverage,
    Measure,
    RouteScore,
    Scorecard,
    Segment,
    stated_share,
)
from owlbus.score.intervals import LEAST_NIGHTS, difference_interval, share_interval
from owlbus.score.plan_coverage import CoverageOfPlans, coverage_of
from owlbus.score.publish import printed_coverage, printed_interval
from owlbus.score.score import score_plan

__all__ = [
    "CITY_SHARE",
    "LEAST_NIGHTS",
    "MIN_COUNT",
    "Coverage",
    "CoverageOfPlans",
    "Measure",
    "RouteScore",
    "Scorecard",
    "Segment",
    "coverage_of",
    "difference_interval",
    "printed_coverage",
    "printed_interval",
    "score_plan",
    "share_interval",
    "stated_share",
]
