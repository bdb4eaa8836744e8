"""Default values that several packages share. This module imports nothing of the package."""

from __future__ import annotations

from typing import Literal

RADIUS_M = 500.0
"""Circumradius of a hex in metres."""

WALK_M = 500.0
"""Walk to a stop in metres, boundary included."""

SPACING_M = 500.0
"""Metres between stops placed along main roads without mapped stops."""

MERGE_M = 100.0
"""Metres within which stops are merged: both sides of a wide street."""

SPEED_KMH = 19.0
"""Commercial speed of Seoul's night buses in km/h, layover included."""

STRETCH = 1.25
"""A direct link is left out if the round trip over other links is at most this many times as long."""

MODES = ("bus", "trolleybus")
"""Modes of a GTFS feed whose stops and links become the network."""

NIGHT_HOURS = (0, 1, 2, 3, 4)
"""Clock hours in which night buses run."""

TAXI_WEIGHT = 0.2
"""
Share of taxi in a blend with calls, 0 to 1.

Calls are the main source: they cover everyone with a phone, taxi only those who pay for a ride. Taxi trips have measured ends, while a
caller's trip home is assumed, so taxi corrects the pattern.
"""

MAX_SNAP_M = 1_500.0
"""Largest distance in metres from a way-point to the nearest stop."""

HEADWAY_S = 2_700
"""Seconds between buses, for the fleet."""

DETOUR_FACTOR = 2.0
"""Allowed ride over direct drive, dimensionless."""

DETOUR_S = 600
"""Seconds of ride allowed on top of `DETOUR_FACTOR` times the direct drive."""

TRANSFER_S = 300
"""Seconds that one transfer costs."""

UNSERVED_S = 7_200
"""Seconds that a trip without a journey counts in the mean travel time."""

N_ROUTES = 9
"""Routes of a plan."""

N_STARTS = 2
"""Independent searches that share the moves, at each setting of a sweep."""

AUTO: Literal["auto"] = "auto"
"""Stands for a number of starts that the search chooses."""

DEFAULT_STEPS = 600_000
"""Moves that a search evaluates."""

IMPROVE_STEPS = 240_000
"""Moves that `owlbus.improve_plan` evaluates for each share of changed stops."""

SWEEP_STEPS = 60_000
"""Moves that a sweep evaluates at each setting and start."""

MAX_CHANGE_SHARE = 0.1
"""Share of the stops of a base plan that may change, 0 to 1."""

MAX_PAIR_CIRCUITY = 1.22
"""
Metres between any two stops of a route, less 1 km, over the shortest: what 95 % of the pairs on published night lines keep.

`benchmarks/straightness.py` prints it: nine routes of Seoul and 21 of St Petersburg, both directions.
"""
