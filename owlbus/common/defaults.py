"""Values that several rooms take unless told otherwise, each stated once."""

from __future__ import annotations

DEFAULT_STEPS = 600_000
"""Moves that a search tries unless told otherwise."""
