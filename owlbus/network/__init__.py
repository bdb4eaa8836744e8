"""Networks: stops, links and walk sheds, from a hex lattice or from road tables, and a check beside the maker."""

from __future__ import annotations

from owlbus.network.model import RIVER_HALF_WIDTH_M, ROAD_FACTOR, SPEED_KMH, UNREACHABLE, WALK_M, Network
from owlbus.network.report import NetworkReport

__all__ = ["RIVER_HALF_WIDTH_M", "ROAD_FACTOR", "SPEED_KMH", "UNREACHABLE", "WALK_M", "Network", "NetworkReport"]
