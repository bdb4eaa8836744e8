"""Disaggregation of demand from hexes to parts of hexes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, setting
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.demand.table import Demand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.subdivide import HexParts


def disaggregate_demand(demand: Demand, parts: HexParts) -> Demand:
    """
    Distribute trips and people of each hex in equal shares over its parts.

    Each n-th of the trips between two hexes starts in another part of the origin and ends in another part of the destination. The pairing
    of parts is a fixed function of the two hexes and shifts by one with every hour and night. Sums by night, hour and hex stay exact:
    portions of one row differ by at most 1/1024.

    Parameters
    ----------
    demand
        Trips and people between whole hexes.
    parts
        Hexes and their parts.

    Returns
    -------
    Demand
        Demand on the grid of parts, at most n times the rows, trips in multiples of 1/1024.

    Raises
    ------
    DataError
        If the demand is on another grid.

    Examples
    --------
    >>> from owlbus.grid.hexgrid import HexGrid
    >>> from owlbus.grid.subdivide import subdivide_hexes
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> disaggregate_demand(Demand(7, origin=[0], destination=[1], trips=[9.0]), subdivide_hexes(grid)).trips
    array([1., 1., 1., 1., 1., 1., 1., 1., 1.])
    """
    _require_same_grid(demand, parts.whole)
    n = parts.n_parts
    hour_index = demand.night.astype(np.int64) * len(demand.hours) + demand.hour
    hashes = _hash_pair(demand.origin, demand.destination)
    first, second = hashes % n, hashes // n % n + hour_index
    row, j, quanta = _portions(demand.trips, n)
    trips = {
        "night": demand.night[row],
        "hour": demand.hour[row],
        "origin": parts.part_of[demand.origin[row], (j + first[row]) % n],
        "destination": parts.part_of[demand.destination[row], (j + second[row]) % n],
        "trips": quanta / QUANTA_PER_TRIP,
    }
    shift = _hash_pair(demand.presence_hex, demand.presence_night) + demand.presence_hour
    row, j, quanta = _portions(demand.presence, n)
    people = {
        "night": demand.presence_night[row],
        "hour": demand.presence_hour[row],
        "hex": parts.part_of[demand.presence_hex[row], (j + shift[row]) % n],
        "presence": quanta / QUANTA_PER_TRIP,
    }
    grid = parts.grid
    scope: dict[str, Any] = {**demand.scope, "grid": grid.fingerprint}
    return Demand.from_rows(grid.n_hexes, trips, people, **scope)


def drop_trips_within_hexes(demand: Demand, parts: HexParts) -> tuple[Demand, float]:
    """
    Drop trips between parts of the same hex.

    Parameters
    ----------
    demand
        Trips and people on the grid of parts.
    parts
        Hexes and their parts.

    Returns
    -------
    demand
        Demand on the grid of parts; people present are kept.
    dropped_trips
        Trips dropped, per night.

    Raises
    ------
    DataError
        If no trip remains.
    """
    hex_of = parts.whole_of
    leaves = hex_of[demand.origin] != hex_of[demand.destination]
    if leaves.size and not leaves.any():
        msg = f"trips must lead from one hex to another, all {leaves.size} stay within one; take a smaller {setting('radius_m')}"
        raise DataError(msg)
    columns = {name: getattr(demand, name)[leaves] for name in ("night", "hour", "origin", "destination", "trips")}
    remaining = replace(demand, **columns)
    return remaining, demand.total_trips - remaining.total_trips


def _require_same_grid(demand: Demand, hexes: HexGrid) -> None:
    """Reject demand that is not on the grid `hexes`."""
    if demand.n_hexes != hexes.n_hexes or (demand.grid and demand.grid != hexes.fingerprint):
        msg = (
            f"demand must lie on the grid that is cut, got {demand.n_hexes} and {hexes.n_hexes} hexes "
            f"({demand.grid or 'unnamed'} and {hexes.fingerprint}); cut the grid that the demand was estimated on"
        )
        raise DataError(msg)


def _portions(trips: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return row, portion index in [0, n) and quanta of n equal portions of each row; empty portions are dropped."""
    quanta = np.rint(trips * QUANTA_PER_TRIP).astype(np.int64)
    bounds = quanta[:, None] * np.arange(n + 1) // n
    portion = np.diff(bounds, axis=1)
    row, j = np.nonzero(portion)
    return row, j, portion[row, j]


def _hash_pair(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return hashes of two indices, in [0, 2**40)."""
    mixed = a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + b.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    spread: NDArray[np.int64] = (mixed >> np.uint64(24)).astype(np.int64)
    return spread
