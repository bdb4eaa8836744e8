"""Sums of weights by rounded position, as a hash table that grows with the places and not with the rows, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.hashing import mixed
from owlbus.kernels.jit import inner_kernel, int64, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS_PER_DEGREE = 1000
"""Positions are rounded to this part of a degree."""

KEY_BASE = 1_000_000
HALF_BASE = KEY_BASE // 2
"""A key is ``steps of longitude x KEY_BASE + steps of latitude + HALF_BASE``, which is never 0."""

MAX_LON, MAX_LAT = 180.0, 85.0
"""Degrees beyond which a position is none."""

NO_KEY = 0
"""Key of a slot that holds nothing."""


class PositionSums(NamedTuple):
    """
    Hash table of sums by rounded position, with open addressing over 2 ** k slots.

    Attributes
    ----------
    key
        Rounded position, shape (2 ** k,), int64; `NO_KEY` marks a free slot.
    weight
        Sum of the weights there, shape (2 ** k,), float64.
    """

    key: NDArray[np.int64]
    weight: NDArray[np.float64]


@inner_kernel
def _add(table: PositionSums, key: int, weight: float, room: int, used: int) -> int:
    """Add a weight and return the entries of the table, -1 if a new one finds no room."""
    last = uint64(table.key.size - 1)
    slot = mixed(key) & last
    while table.key[slot] != key:
        if table.key[slot] == NO_KEY:
            if used >= room:
                return int64(-1)
            table.key[slot] = key
            used += 1
            break
        slot = (slot + uint64(1)) & last
    table.weight[slot] += weight
    return used


@kernel
def sum_positions(
    first: int,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    weight: NDArray[np.float64],
    max_weight: float,
    table: PositionSums,
    used: NDArray[np.int64],
) -> int:
    """
    Add weights by rounded position, from row `first` on, in the order of rows.

    Parameters
    ----------
    first
        Row to begin with.
    lon, lat
        Degrees, shape (n,); rows outside `MAX_LON` and `MAX_LAT`, or NaN, are passed over.
    weight
        Weight of each row, shape (n,), empty where each is 1; rows outside (0, max_weight] are passed over.
    max_weight
        Largest weight of a row.
    table
        Changed: sums so far.
    used
        Entries of the table, shape (1,), counted up.

    Returns
    -------
    int
        Row to go on from when the table is half full; n if all rows are in.
    """
    room = table.key.size // 2
    for i in range(first, lon.size):
        worth = weight[i] if weight.size else 1.0
        if abs(lon[i]) <= MAX_LON and abs(lat[i]) <= MAX_LAT and 0.0 < worth <= max_weight:
            east, north = int64(np.rint(lon[i] * STEPS_PER_DEGREE)), int64(np.rint(lat[i] * STEPS_PER_DEGREE))
            n_used = _add(table, east * KEY_BASE + north + HALF_BASE, worth, room, used[0])
            if n_used < 0:
                return i
            used[0] = n_used
    return lon.size


@kernel
def put_sums(old: PositionSums, table: PositionSums) -> None:
    """
    Put the entries of a table in another one that has none of them.

    Parameters
    ----------
    old
        Sums.
    table
        Written: the same sums; it has room for all.
    """
    for i in range(old.key.size):
        if old.key[i] != NO_KEY:
            _add(table, old.key[i], old.weight[i], table.key.size, 0)
