"""Demand of a service night: trips between hexes and people present, estimated from records."""

from __future__ import annotations

from owlbus.demand.blend import TAXI_WEIGHT, Agreement, agreement, blend
from owlbus.demand.disaggregate import leaving_their_hex, spread_over_parts
from owlbus.demand.estimate import RecordCounts, count_records, estimate_demand
from owlbus.demand.row_counts import DemandReport, FileCount, RuleCount, SourceCount
from owlbus.demand.table import Demand, ODPairs

__all__ = [
    "TAXI_WEIGHT",
    "Agreement",
    "Demand",
    "DemandReport",
    "FileCount",
    "ODPairs",
    "RecordCounts",
    "RuleCount",
    "SourceCount",
    "agreement",
    "blend",
    "count_records",
    "estimate_demand",
    "leaving_their_hex",
    "spread_over_parts",
]
