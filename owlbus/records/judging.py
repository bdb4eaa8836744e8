"""Batches to verdicts: hex, service night and hour of each record, and the first rule it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.records.rules import ENDS_EARLY, FIRST_KEPT, MAX_COUNT, MAX_SPEED_KMH, TOO_FAST, Rule
from owlbus.units import quantise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.records.reading import Batch
    from owlbus.units import NightWindow


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """
    What became of each row of a batch.

    Attributes
    ----------
    rule
        Code of the first rule that the row breaks, shape (n,), uint8; 0 is a trip.
    night
        Days since 1970 of the night's evening, shape (n,), int32; 0 without a date.
    hour
        Service hour, shape (n,), int16.
    here, there
        Hex of each end, shape (n,), int32; negative where there is none.
    count
        Trips that the row stands for, shape (n,), float64, in multiples of 1/1024; 0 where the count is unusable.
    """

    rule: NDArray[np.uint8]
    night: NDArray[np.int32]
    hour: NDArray[np.int16]
    here: NDArray[np.int32]
    there: NDArray[np.int32]
    count: NDArray[np.float64]

    @property
    def is_rejected(self) -> NDArray[np.bool_]:
        """Rows that count nowhere, shape (n,)."""
        return np.asarray((self.rule > 0) & (self.rule < FIRST_KEPT))

    @property
    def is_trip(self) -> NDArray[np.bool_]:
        """Rows that are a trip, shape (n,)."""
        return np.asarray(self.rule == 0)


def judge(batch: Batch, grid: HexGrid, window: NightWindow) -> Verdict:
    """
    Hold a batch to every rule.

    Parameters
    ----------
    batch
        Rows of one file.
    grid
        Hexes of the study area.
    window
        Hours that count.

    Returns
    -------
    Verdict
        One entry per row.
    """
    from owlbus.kernels.tally import judge_rows

    here = _hexes(grid, batch.lon, batch.lat)
    there = _hexes(grid, batch.to_lon, batch.to_lat)
    with np.errstate(over="ignore"):
        count = quantise(batch.count)
    columns: tuple[NDArray[Any], ...] = (batch.start_s, batch.end_s, batch.lon, batch.lat, batch.to_lon, batch.to_lat, here, there, count)
    limits = (window.start_hour, window.end_hour, MAX_SPEED_KMH / 3.6, float(MAX_COUNT))
    arguments: list[Any] = [*(_read_only(column) for column in columns), *limits]
    rule, night, hour = judge_rows(*arguments)
    return Verdict(rule, night, hour, here, there, np.where((count > 0) & (count <= MAX_COUNT), count, 0.0))


def detail(rule: Rule, batch: Batch, row: int) -> str:
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

    Returns
    -------
    str
        Such as ``85800 s > 600 s``; empty for most rules.
    """
    if rule not in {ENDS_EARLY, TOO_FAST}:
        return ""
    start, end = (int(column[row]) % _DAY_S for column in (batch.start_s, batch.end_s))
    if rule is ENDS_EARLY:
        return f"{start} s > {end} s"
    from owlbus.kernels.tally import straight_line_m

    place = [float(column[row]) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
    return f"{straight_line_m(*place) / 1000:.0f} km in {(end - start) % _DAY_S} s"


_DAY_S = 86_400


def _hexes(grid: HexGrid, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the hex of each point; -1 outside, -2 outside unless lon and lat are swapped, -3 no position."""
    hexes = np.asarray(grid.lonlat_to_hex(lon, lat))
    missed = np.flatnonzero(hexes < 0)
    if missed.size:
        x, y = lon[missed], lat[missed]
        swapped = np.asarray(grid.lonlat_to_hex(y, x)) >= 0
        hexes = hexes.copy()
        hexes[missed] = np.where(np.isfinite(x) & np.isfinite(y), np.where(swapped, -2, -1), -3)
    return hexes


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that the kernel is compiled for one kind of array only."""
    view = np.ascontiguousarray(column).view()
    view.setflags(write=False)
    return view
