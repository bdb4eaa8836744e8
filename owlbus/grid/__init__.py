"""Hexagons of a study area: outline, projection, cover and subdivision."""

from __future__ import annotations

from owlbus.grid.hexgrid import HexGrid
from owlbus.grid.outline import read_area
from owlbus.grid.subdivide import HexParts

__all__ = ["HexGrid", "HexParts", "read_area"]
