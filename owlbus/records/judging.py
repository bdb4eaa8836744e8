"""What became of each row, and the figures that show why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.records.rules import ENDS_EARLY, FIRST_KEPT, MAX_COUNT, OUTSIDE, TOO_FAST, Rule
from owlbus.units import DAY_S, TRIP_UNITS, quantise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.records.reading import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """
    What became of each row of a batch.

    Attributes
    ----------
    rule
        Code of the first rule that the row breaks, shape (n,), uint8; 0 is a trip.
    night
        Days since 1970 of the night's evening, shape (n,), int32; 0 without a date. This and what follows may be empty, if not wanted.
    hour
        Service hour, shape (n,), int32.
    here, there
        Hex of each end, shape (n,), int32; negative where there is none.
    """

    rule: NDArray[np.uint8]
    night: NDArray[np.int32]
    hour: NDArray[np.int32]
    here: NDArray[np.int32]
    there: NDArray[np.int32]

    @classmethod
    def of(cls, n_rows: int, n_placed: int) -> Verdict:
        """Return a verdict on `n_rows` rows that is yet to be written; `n_placed` is 0 where night, hour and hexes are not wanted."""
        return cls(np.zeros(n_rows, dtype=np.uint8), *(np.zeros(n_placed, dtype=np.int32) for _ in range(4)))

    @property
    def columns(self) -> tuple[NDArray[np.uint8] | NDArray[np.int32], ...]:
        """Arrays as `owlbus.kernels.tally.tally_rows` fills them."""
        return self.rule, self.night, self.hour, self.here, self.there

    @property
    def is_rejected(self) -> NDArray[np.bool_]:
        """Rows that count nowhere, shape (n,)."""
        return np.asarray((self.rule > 0) & (self.rule < FIRST_KEPT))

    @property
    def is_trip(self) -> NDArray[np.bool_]:
        """Rows that are a trip, shape (n,)."""
        return np.asarray(self.rule == 0)


def units_of(count: NDArray[np.float64]) -> NDArray[np.int64]:
    """
    Counts in whole units of 1/1024 trip.

    Parameters
    ----------
    count
        Trips that each row stands for, shape (n,).

    Returns
    -------
    ndarray of int64
        Shape (n,); -1 where a count is missing, not above 0, or larger than `MAX_COUNT`.
    """
    with np.errstate(over="ignore"):
        trips = quantise(count)
    usable = (trips > 0) & (trips <= MAX_COUNT)
    return np.where(usable, np.where(usable, trips, 0) * TRIP_UNITS, -1).astype(np.int64)


def explained_hexes(grid: HexGrid, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int32]:
    """
    Hex of each point, or why there is none; for grids that have no tables to look points up in.

    Parameters
    ----------
    grid
        The hexes.
    lon, lat
        Degrees, shape (n,).

    Returns
    -------
    ndarray of int32
        Shape (n,); -1 outside, -2 outside unless lon and lat are swapped, -3 no position.
    """
    hexes = np.asarray(grid.lonlat_to_hex(lon, lat))
    missed = np.flatnonzero(hexes < 0)
    if missed.size:
        x, y = lon[missed], lat[missed]
        swapped = np.asarray(grid.lonlat_to_hex(y, x)) >= 0
        hexes = hexes.copy()
        hexes[missed] = np.where(np.isfinite(x) & np.isfinite(y), np.where(swapped, -2, -1), -3)
    return hexes


def detail(rule: Rule, batch: Batch, row: int, grid: HexGrid) -> str:
    """
    Figures that show why a row breaks a rule, without its position.

    Parameters
    ----------
    rule
        The rule.
    batch
        The batch that holds the row.
    row
        Row of the batch, from 0.
    grid
        Hexes of the study area.

    Returns
    -------
    str
        Such as ``85800 s > 600 s`` or ``12 km away``; empty for most rules.
    """
    from owlbus.kernels.tally import straight_line_m

    if rule is OUTSIDE:
        return _how_far(grid, float(batch.lon[row]), float(batch.lat[row]))
    if rule not in {ENDS_EARLY, TOO_FAST}:
        return ""
    start, end = (int(column[row]) % DAY_S for column in (batch.start_s, batch.end_s))
    if rule is ENDS_EARLY:
        return f"{start} s > {end} s"
    place = [float(column[row]) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
    return f"{straight_line_m(*place) / 1000:.0f} km in {(end - start) % DAY_S} s"


def _how_far(grid: HexGrid, lon: float, lat: float) -> str:
    """Return how far a point lies from the nearest hex, in classes of a decimal digit, so that it gives no position away."""
    from owlbus.kernels.tally import straight_line_m

    if not (abs(lon) <= 180 and abs(lat) <= 90):  # noqa: PLR2004 - degrees
        return "not on Earth"
    nearest = int(np.argmin(np.hypot((grid.lon - lon) * np.cos(np.radians(lat)), grid.lat - lat)))
    metres = straight_line_m(lon, lat, float(grid.lon[nearest]), float(grid.lat[nearest])) - grid.radius_m
    return f"{metres / 1000:.0f} km away" if metres >= 1000 else "less than 1 km away"  # noqa: PLR2004 - metres of a km
