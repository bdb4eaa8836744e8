"""Default values that several packages share."""

from __future__ import annotations

DEFAULT_STEPS = 600_000
"""Moves that a search evaluates by default."""
