"""Networks: stops, links and walk sheds, from a hex lattice or from road tables, and a check beside the maker."""

from __future__ import annotations

from owlbus.network.check import Finding, NetworkCheck, check_network
from owlbus.network.model import MAX_LINK_S, RIVER_HALF_WIDTH_M, ROAD_FACTOR, SNAP_M, SPEED_KMH, STRETCH, UNREACHABLE, WALK_M, Network
from owlbus.network.report import NetworkReport

__all__ = [
    "MAX_LINK_S",
    "RIVER_HALF_WIDTH_M",
    "ROAD_FACTOR",
    "SNAP_M",
    "SPEED_KMH",
    "STRETCH",
    "UNREACHABLE",
    "WALK_M",
    "Finding",
    "Network",
    "NetworkCheck",
    "NetworkReport",
    "check_network",
]
