"""Demand of a service night: trips between hexes and people present, estimated from records."""

from __future__ import annotations

from owlbus.demand.blend import Agreement, agreement, blend
from owlbus.demand.disaggregate import disaggregate_demand, drop_trips_within_hexes
from owlbus.demand.estimate import RecordCounts, count_records, estimate_demand
from owlbus.demand.hex_weights import DemandWeights, weight_demand
from owlbus.demand.od_pairs import ODPairs
from owlbus.demand.row_counts import DemandReport, FileCount, RuleCount, SourceCount
from owlbus.demand.table import Demand

__all__ = [
    "Agreement",
    "Demand",
    "DemandReport",
    "DemandWeights",
    "FileCount",
    "ODPairs",
    "RecordCounts",
    "RuleCount",
    "SourceCount",
    "agreement",
    "blend",
    "count_records",
    "disaggregate_demand",
    "drop_trips_within_hexes",
    "estimate_demand",
    "weight_demand",
]
