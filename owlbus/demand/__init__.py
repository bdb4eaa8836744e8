"""Demand of a service night: trips between hexes and people present, estimated from records."""

from owlbus.demand.compare import Agreement, agreement, blend
from owlbus.demand.table import Demand, ODPairs

__all__ = ["Agreement", "Demand", "ODPairs", "agreement", "blend"]
