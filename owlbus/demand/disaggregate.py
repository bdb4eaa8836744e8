"""Demand between hexes to demand between parts of hexes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.demand.table import Demand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.subdivide import HexParts


def spread_over_parts(demand: Demand, parts: HexParts) -> Demand:
    """
    Trips and people of each hex in equal shares over its parts.

    Of n parts, each n-th of the trips between two hexes leaves another part of the one and leads to another part of the other; which
    part meets which turns by one with every hour and night, from a beginning that the two hexes fix. All sums by night, hour and whole
    hex stay exactly as they are: portions of one row differ by 1/1024 at most.

    Parameters
    ----------
    demand
        Trips and people between whole hexes.
    parts
        The hexes and their parts.

    Returns
    -------
    Demand
        On the grid of parts, n times the rows at most, trips in multiples of 1/1024.

    Raises
    ------
    DataError
        If the demand lies on another grid.

    Examples
    --------
    >>> from owlbus.grid.hexgrid import HexGrid
    >>> from owlbus.grid.subdivide import subdivide_hexes
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> spread_over_parts(Demand(7, origin=[0], destination=[1], trips=[9.0]), subdivide_hexes(grid)).trips
    array([1., 1., 1., 1., 1., 1., 1., 1., 1.])
    """
    whole = parts.whole
    if demand.n_hexes != whole.n_hexes or (demand.grid and demand.grid != whole.fingerprint):
        msg = (
            f"demand must lie on the grid that is cut, got {demand.n_hexes} and {whole.n_hexes} hexes "
            f"({demand.grid or 'unnamed'} and {whole.fingerprint}); cut the grid that the demand was estimated on"
        )
        raise DataError(msg)
    n = parts.n_parts
    when = demand.night.astype(np.int64) * len(demand.hours) + demand.hour
    mixed = _mixed(demand.origin, demand.destination)
    first, second = mixed % n, mixed // n % n + when
    row, j, units = _portions(demand.trips, n)
    trips = {
        "night": demand.night[row],
        "hour": demand.hour[row],
        "origin": parts.part_of[demand.origin[row], (j + first[row]) % n],
        "destination": parts.part_of[demand.destination[row], (j + second[row]) % n],
        "trips": units / QUANTA_PER_TRIP,
    }
    turn = _mixed(demand.presence_hex, demand.presence_night) + demand.presence_hour
    row, j, units = _portions(demand.presence, n)
    people = {
        "night": demand.presence_night[row],
        "hour": demand.presence_hour[row],
        "hex": parts.part_of[demand.presence_hex[row], (j + turn[row]) % n],
        "presence": units / QUANTA_PER_TRIP,
    }
    grid = parts.grid
    return Demand.from_rows(
        grid.n_hexes, trips, people, hours=demand.hours, nights=demand.nights, source=demand.source, grid=grid.fingerprint
    )


def leaving_their_hex(demand: Demand, parts: HexParts) -> tuple[Demand, float]:
    """
    Trips counted between parts, without those that stay within one whole hex.

    Parameters
    ----------
    demand
        Trips and people on the grid of parts.
    parts
        The hexes and their parts.

    Returns
    -------
    demand
        On the grid of parts; people present are kept.
    dropped_trips
        Trips a night left out.

    Raises
    ------
    DataError
        If no trip is left.
    """
    whole = parts.whole_of
    leaves = whole[demand.origin] != whole[demand.destination]
    if not leaves.any():
        msg = f"trips must lead from one hex to another, all {leaves.size} stay within one; take a finer --radius"
        raise DataError(msg)
    columns = {name: getattr(demand, name)[leaves] for name in ("night", "hour", "origin", "destination", "trips")}
    kept = replace(demand, **columns)
    return kept, demand.total_trips - kept.total_trips


def _portions(trips: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row, number from 0 to n and 1/1024 of trips of each of n equal portions of each row; portions of nothing are left out."""
    units = np.rint(trips * QUANTA_PER_TRIP).astype(np.int64)
    upto = units[:, None] * np.arange(n + 1) // n
    portion = np.diff(upto, axis=1)
    row, j = np.nonzero(portion)
    return row, j, portion[row, j]


def _mixed(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Evenly spread numbers in [0, 2**40) that two indices fix."""
    mixed = a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + b.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    spread: NDArray[np.int64] = (mixed >> np.uint64(24)).astype(np.int64)
    return spread
