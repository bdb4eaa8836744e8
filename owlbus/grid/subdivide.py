"""Hexes cut into equal smaller ones, so that a hex can count in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.grid import cover
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CUT = 3
_NINTHS = np.array([(-1, -1), (0, -1), (1, -1), (-1, 0), (0, 0), (1, 0), (-1, 1), (0, 1), (1, 1)], dtype=np.int64)
_KEY = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class HexParts:
    """
    The hexes of a grid, each cut into the same number of smaller hexes of equal area; no part belongs to two hexes.

    Attributes
    ----------
    whole
        The grid of whole hexes.
    grid
        The grid of their parts, n parts a hex.
    part_of
        Index of the parts of each hex in `grid`, shape (n_hexes, n), int32; every part stands there once.

    Examples
    --------
    >>> whole = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> cut_hexes(whole).grid
    HexGrid(planar, 63 hexes of 166.667 m)
    """

    whole: HexGrid
    grid: HexGrid
    part_of: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Own the index."""
        object.__setattr__(self, "part_of", read_only_copy(self.part_of, np.int32))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return HexParts, (self.whole, self.grid, self.part_of)

    @property
    def n_parts(self) -> int:
        """Number of parts of a hex."""
        return int(self.part_of.shape[1])

    @property
    def whole_of(self) -> NDArray[np.int32]:
        """Index of the whole hex of each part, shape (n_hexes of `grid`,), int32."""
        whole = np.empty(self.grid.n_hexes, np.int32)
        whole[self.part_of.reshape(-1)] = np.repeat(np.arange(self.whole.n_hexes, dtype=np.int32), self.n_parts)
        return whole


def cut_hexes(grid: HexGrid) -> HexParts:
    """
    Cut every hex into nine of a third its radius, or an H3 cell into its seven children.

    Of nine parts seven lie within the hex, and two are centred on opposite corners, north-east and south-west: they stick out by two
    thirds, and as much is left to neighbours at the other four corners. Children of an H3 cell stick out at its edges likewise.

    Parameters
    ----------
    grid
        Whole hexes.

    Returns
    -------
    HexParts
        Hexes and parts; radius in metres a third of the whole for planar hexes.

    Raises
    ------
    DataError
        If H3 has no local coordinates there.

    Examples
    --------
    >>> whole = HexGrid.from_h3([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
    >>> cut_hexes(whole).n_parts
    7
    """
    return _planar(grid) if grid.layout == "planar" else _children(grid)


def _planar(grid: HexGrid) -> HexParts:
    """Nine parts a hex, by axial coordinates."""
    q, r = (_CUT * axis.astype(np.int64)[:, None] + step for axis, step in ((grid.q, _NINTHS[:, 0]), (grid.r, _NINTHS[:, 1])))
    key = r * _KEY + q
    inside, part_of = np.unique(key, return_inverse=True)
    row = np.floor_divide(inside + _KEY // 2, _KEY)
    fine = HexGrid(grid.crs, grid.radius_m / _CUT, "planar", (inside - row * _KEY).astype(np.int32), row.astype(np.int32))
    return HexParts(grid, fine, part_of.reshape(key.shape).astype(np.int32))


def _children(grid: HexGrid) -> HexParts:
    """Seven children a cell."""
    import h3

    cells = [h3.cell_to_children(cell) for cell in grid.h3_index().tolist()]
    flat = sorted(child for children in cells for child in children)
    anchor, q, r = cover.h3_axial(flat)
    fine = HexGrid(grid.crs, cover.h3_radius_m(flat), "h3", q, r, anchor)
    place = {cell: index for index, cell in enumerate(fine.h3_index().tolist())}
    return HexParts(grid, fine, np.array([[place[child] for child in children] for children in cells], dtype=np.int32))
