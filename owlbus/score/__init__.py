"""The scorecard of a plan."""

from owlbus.common.disclosure import MIN_COUNT
from owlbus.score.card import (
    CITY_SHARE,
    Coverage,
    Measure,
    RouteScore,
    Scorecard,
    Segment,
)
from owlbus.score.intervals import difference_interval, share_interval, trips_interval
from owlbus.score.score import score_plan

__all__ = [
    "CITY_SHARE",
    "MIN_COUNT",
    "Coverage",
    "Measure",
    "RouteScore",
    "Scorecard",
    "Segment",
    "difference_interval",
    "score_plan",
    "share_interval",
    "trips_interval",
]
