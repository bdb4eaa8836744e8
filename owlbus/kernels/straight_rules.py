"""What counts as straight enough to run. This module imports nothing, so that Python reads it without compiling anything."""

from __future__ import annotations

PAIR_FREE_M = 1_000
"""Metres of a route between two of its stops that `max_pair_circuity` leaves free: a station, a loop of one-way streets."""

SPUR_FACTOR = 2
"""Metres by a stop over the shortest metres between its neighbours from which on a route turns back there."""

SPUR_M = 400
"""Metres that such a way out and back adds at least: below, it is a turn into a station."""
