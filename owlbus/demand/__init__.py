"""Demand of a service night: trips between hexes and people present, estimated from records."""

from __future__ import annotations

from owlbus.demand.compare import TAXI_WEIGHT, Agreement, agreement, blend
from owlbus.demand.estimate import estimate_demand
from owlbus.demand.parting import leaving_their_hex, spread_over_parts
from owlbus.demand.present import RecordCounts, count_records
from owlbus.demand.report import DemandReport, FileCount, RuleCount, SourceCount
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
