"""Validation rules of records, and the result of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import setting
from owlbus.common.units import DAY_S, QUANTA_PER_TRIP, quantise
from owlbus.grid.axes import is_on_earth, is_placeholder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.kernels.count_records import RowVerdicts
    from owlbus.records.reading import Batch


REJECT = "reject"

NO_TRIP = "no trip"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Validation rule.

    Attributes
    ----------
    code
        Code in kernels, 1 to 255; a row gets the lowest code of the rules it breaks.
    name
        Short name, as in `rejected.parquet`.
    sentence
        Predicate for messages, after a number of rows.
    effect
        ``reject``: the row is not counted. ``no trip``: the person counts as present, the trip does not.
    way_out
        Remedy.
    """

    code: int
    name: str
    sentence: str
    effect: str
    way_out: str


TIME = Rule(1, "time missing", "have no readable time", REJECT, "write times as 2013-03-02 01:10:00 or as HH:MM:SS")

POSITION = Rule(
    2, "position missing", "have no position", REJECT, f"check the two columns of the position, and name them with {setting('columns')}"
)

SWAPPED = Rule(
    3, "looks swapped", "lie in the study area only with lon and lat swapped", REJECT, f"swap the two columns with {setting('columns')}"
)

OUTSIDE = Rule(4, "outside the area", "lie outside the study area", REJECT, "widen the outline, or leave it out to derive one")

WINDOW = Rule(
    5,
    "outside the window",
    "fall outside the night window",
    REJECT,
    f"widen it with {setting('window')}, such as {setting('window', '22-07')}",
)

COUNT = Rule(6, "count unusable", "have a count that is not above 0 and at most 1000000", REJECT, "give whole or decimal numbers of trips")

ENDS_EARLY = Rule(7, "ends before it begins", "end before they begin", REJECT, "write times after midnight as 24:00:00 and up")

TOO_FAST = Rule(8, "too fast", "are faster than 150 km/h in a straight line", REJECT, "check times and positions of both ends")

DUPLICATE = Rule(
    9,
    "repeats a row",
    "repeat an earlier row of the file to the second and in both positions",
    REJECT,
    "drop rows that were written twice",
)

UNKNOWN_ZONE = Rule(
    10,
    "unknown zone",
    "name a zone that the table of zones lacks",
    REJECT,
    f"give the table that has these zones with {setting('zones')}, or name its column of ids with {setting('zone_id')}",
)

NO_DESTINATION = Rule(
    16,
    "no goal",
    "have no home or drop-off position",
    NO_TRIP,
    f"a trip needs both ends: check those two columns, and name them with {setting('columns')}",
)

DESTINATION_SWAPPED = Rule(
    17,
    "goal looks swapped",
    "have a home or drop-off in the study area only with lon and lat swapped",
    NO_TRIP,
    f"swap the two columns with {setting('columns')}",
)

DESTINATION_OUTSIDE = Rule(18, "goal outside the area", "lead to a home or drop-off outside the study area", NO_TRIP, "widen the outline")

SAME_HEX = Rule(19, "same hex", "begin in the hex they lead to", NO_TRIP, f"take smaller hexes with {setting('radius_m')} if most do")

DESTINATION_UNKNOWN_ZONE = Rule(
    20,
    "goal in an unknown zone",
    "lead to a zone that the table of zones lacks",
    NO_TRIP,
    f"give the table that has these zones with {setting('zones')}",
)

_REJECTIONS = (TIME, POSITION, SWAPPED, OUTSIDE, WINDOW, COUNT, ENDS_EARLY, TOO_FAST, DUPLICATE, UNKNOWN_ZONE)

RULES = (*_REJECTIONS, NO_DESTINATION, DESTINATION_SWAPPED, DESTINATION_OUTSIDE, SAME_HEX, DESTINATION_UNKNOWN_ZONE)

BY_CODE = {rule.code: rule for rule in RULES}

FIRST_KEPT = NO_DESTINATION.code
"""Rows with code 0 or at least this count as presence."""

MAX_SPEED_KMH = 150.0
"""Largest straight-line speed of a taxi ride, km/h."""

MAX_COUNT = 1_000_000
"""Most trips per row."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """
    Validation result of each row of a batch.

    Attributes
    ----------
    rule
        Lowest code of the rules that the row breaks, shape (n,), uint8; 0 is a trip.
    night
        Days since 1970 of the service date, shape (n,), int32; 0 without a date. This and the next arrays may be empty.
    hour
        Service hour, shape (n,), int32.
    here, there
        Hex of each end, shape (n,), int32; negative if none.
    """

    rule: NDArray[np.uint8]
    night: NDArray[np.int32]
    hour: NDArray[np.int32]
    here: NDArray[np.int32]
    there: NDArray[np.int32]

    @classmethod
    def of(cls, n_rows: int, n_placed: int) -> Verdict:
        """Return an empty verdict on `n_rows` rows; `n_placed` is 0 if night, hour and hexes are not needed."""
        return cls(np.zeros(n_rows, dtype=np.uint8), *(np.zeros(n_placed, dtype=np.int32) for _ in range(4)))

    @property
    def columns(self) -> RowVerdicts:
        """Arrays as `owlbus.kernels.count_records.tally_rows` fills them."""
        from owlbus.kernels.count_records import RowVerdicts

        return RowVerdicts(self.rule, self.night, self.hour, self.here, self.there)

    @property
    def is_rejected(self) -> NDArray[np.bool_]:
        """Rows that are not counted, shape (n,)."""
        return np.asarray((self.rule > 0) & (self.rule < FIRST_KEPT))

    @property
    def is_trip(self) -> NDArray[np.bool_]:
        """Rows that are trips, shape (n,)."""
        return np.asarray(self.rule == 0)


def quanta_of(count: NDArray[np.float64], *, may_be_zero: bool = False) -> NDArray[np.int64]:
    """
    Return trips or people as integer quanta of 1/1024.

    Parameters
    ----------
    count
        Trips or people per row, shape (n,).
    may_be_zero
        Whether 0 is a count, as of people in an empty place.

    Returns
    -------
    ndarray of int64
        Quanta, shape (n,); -1 if a count is missing, not above 0 where it may not be zero, below 0, or above `MAX_COUNT`.
    """
    with np.errstate(over="ignore"):
        trips = quantise(count)
    is_valid = ((trips > 0) | (may_be_zero & (np.asarray(count) == 0))) & (trips <= MAX_COUNT)
    return np.where(is_valid, np.where(is_valid, trips, 0) * QUANTA_PER_TRIP, -1).astype(np.int64)


def hexes_or_reasons(grid: HexGrid, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int32]:
    """
    Return the hex of each point, or a negative reason; for grids without lookup tables.

    Parameters
    ----------
    grid
        The hexes.
    lon, lat
        Degrees, shape (n,).

    Returns
    -------
    ndarray of int32
        Shape (n,); -1 outside, -2 inside only with lon and lat swapped, -3 no position.
    """
    hexes = np.asarray(grid.lonlat_to_hex(lon, lat))
    missing = np.flatnonzero(hexes < 0)
    if missing.size:
        x, y = lon[missing], lat[missing]
        swapped = np.asarray(grid.lonlat_to_hex(y, x)) >= 0
        hexes = hexes.copy()
        hexes[missing] = np.where(swapped, -2, np.where(is_on_earth(x, y) & ~is_placeholder(x, y), -1, -3))
    return hexes


def detail(rule: Rule, batch: Batch, row: int, grid: HexGrid) -> str:
    """
    Return the values that break a rule, without the position.

    Parameters
    ----------
    rule
        The rule.
    batch
        Batch of the row.
    row
        Row of the batch, from 0.
    grid
        Hexes of the study area.

    Returns
    -------
    str
        For example ``85800 s > 600 s`` or ``12 km away``; empty for most rules.
    """
    from owlbus.kernels.count_records import straight_line_m

    if rule is OUTSIDE:
        return _distance_text(grid, float(batch.lon[row]), float(batch.lat[row]))
    if rule not in {ENDS_EARLY, TOO_FAST}:
        return ""
    start, end = (int(column[row]) % DAY_S for column in (batch.start_s, batch.end_s))
    if rule is ENDS_EARLY:
        return f"{start} s > {end} s"
    ends = [float(column[row]) for column in (batch.lon, batch.lat, batch.to_lon, batch.to_lat)]
    return f"{straight_line_m(*ends) / 1000:.0f} km in {(end - start) % DAY_S} s"


def _distance_text(grid: HexGrid, lon: float, lat: float) -> str:
    """Return the rounded distance in km of a point to the nearest hex; too coarse to reveal the position."""
    from owlbus.kernels.count_records import straight_line_m

    nearest = int(np.argmin(np.hypot((grid.lon - lon) * np.cos(np.radians(lat)), grid.lat - lat)))
    metres = straight_line_m(lon, lat, float(grid.lon[nearest]), float(grid.lat[nearest])) - grid.radius_m
    return f"{metres / 1000:.0f} km away" if metres >= 1000 else "less than 1 km away"  # noqa: PLR2004 - metres of a km
