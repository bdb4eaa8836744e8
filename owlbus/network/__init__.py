"""Networks of stops, links and walk sheds: from GTFS, OpenStreetMap, road tables or a hex lattice; and their checks."""

from __future__ import annotations

from owlbus.network.assemble import NetworkReport
from owlbus.network.check import Finding, NetworkCheck, check_network
from owlbus.network.hour_speeds import with_hour_speeds
from owlbus.network.network import (
    MAX_LINK_S,
    MAX_STOPS,
    RIVER_HALF_WIDTH_M,
    ROAD_FACTOR,
    SNAP_M,
    UNREACHABLE,
    Network,
)
from owlbus.network.osm_reader import read_paths
from owlbus.network.walk_sheds import WalkGraph, WalkRule, on_parts

__all__ = [
    "MAX_LINK_S",
    "MAX_STOPS",
    "RIVER_HALF_WIDTH_M",
    "ROAD_FACTOR",
    "SNAP_M",
    "UNREACHABLE",
    "Finding",
    "Network",
    "NetworkCheck",
    "NetworkReport",
    "WalkGraph",
    "WalkRule",
    "check_network",
    "on_parts",
    "read_paths",
    "with_hour_speeds",
]
