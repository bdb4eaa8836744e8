"""Subdivision of hexes into equal parts, so that a hex can count in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.grid import cover
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RATIO = 3
_NINTHS = np.array([(-1, -1), (0, -1), (1, -1), (-1, 0), (0, 0), (1, 0), (-1, 1), (0, 1), (1, 1)], dtype=np.int64)
_KEY = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class HexParts:
    """
    Hexes of a grid, each subdivided into n smaller hexes of equal area; each part belongs to one hex.

    Attributes
    ----------
    whole
        Grid of whole hexes.
    grid
        Grid of the parts, n per hex.
    part_of
        Index of the parts of each hex in `grid`, shape (n_hexes, n), int32; every part occurs once.

    Examples
    --------
    >>> whole = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> subdivide_hexes(whole).grid
    HexGrid(planar, 63 hexes of 166.667 m)
    """

    whole: HexGrid
    grid: HexGrid
    part_of: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Copy the index."""
        object.__setattr__(self, "part_of", read_only_copy(self.part_of, np.int32))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return HexParts, (self.whole, self.grid, self.part_of)

    @property
    def n_parts(self) -> int:
        """Number of parts per hex."""
        return int(self.part_of.shape[1])

    @property
    def whole_of(self) -> NDArray[np.int32]:
        """Index of the whole hex of each part, shape (n_hexes of `grid`,), int32."""
        hex_of = np.empty(self.grid.n_hexes, np.int32)
        hex_of[self.part_of.reshape(-1)] = np.repeat(np.arange(self.whole.n_hexes, dtype=np.int32), self.n_parts)
        return hex_of


def subdivide_hexes(grid: HexGrid) -> HexParts:
    """
    Subdivide every planar hex into nine hexes of a third of its radius, or an H3 cell into its seven children.

    Seven of the nine parts are inside the hex. Two are centred on its north-east and south-west corners: two thirds of their area are
    outside, and neighbours cover as much at the other four corners. Children of an H3 cell also cross its edges.

    Parameters
    ----------
    grid
        Whole hexes.

    Returns
    -------
    HexParts
        Hexes and parts; the radius of planar parts is a third, metres.

    Raises
    ------
    DataError
        If H3 has no local coordinates there.

    Examples
    --------
    >>> whole = HexGrid.from_h3([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
    >>> subdivide_hexes(whole).n_parts
    7
    """
    return _planar_parts(grid) if grid.layout == "planar" else _h3_parts(grid)


def _planar_parts(grid: HexGrid) -> HexParts:
    """Return nine parts per hex, by axial coordinates."""
    q, r = (_RATIO * axis.astype(np.int64)[:, None] + step for axis, step in ((grid.q, _NINTHS[:, 0]), (grid.r, _NINTHS[:, 1])))
    key = r * _KEY + q
    part_key, part_of = np.unique(key, return_inverse=True)
    row = np.floor_divide(part_key + _KEY // 2, _KEY)
    part_grid = HexGrid(grid.crs, grid.radius_m / _RATIO, "planar", (part_key - row * _KEY).astype(np.int32), row.astype(np.int32))
    return HexParts(grid, part_grid, part_of.reshape(key.shape).astype(np.int32))


def _h3_parts(grid: HexGrid) -> HexParts:
    """Return the seven children of each H3 cell."""
    import h3

    cells = [h3.cell_to_children(cell) for cell in grid.h3_index().tolist()]
    part_cells = sorted(child for children in cells for child in children)
    anchor, q, r = cover.h3_axial(part_cells)
    part_grid = HexGrid(grid.crs, cover.h3_radius_m(part_cells), "h3", q, r, anchor)
    index_of = {cell: index for index, cell in enumerate(part_grid.h3_index().tolist())}
    return HexParts(grid, part_grid, np.array([[index_of[child] for child in children] for children in cells], dtype=np.int32))
