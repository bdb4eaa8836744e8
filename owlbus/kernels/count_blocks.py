"""
The quick way through a block of records: hours told at once, most rows counted with one addition.

A trip is counted on the page of its hour, a table of origin by destination hex: in files that run along the night the page stays near the
processor. Rows of hours without a page are left to the caller as keys.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.hexing import hex_of_point
from owlbus.kernels.jit import inner_kernel, int32, int64, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.hexing import PointTables

OUTSIDE_HEX = -1
SWAPPED_HEX = -2
NO_POSITION = -3
UNKNOWN_PLACE = -4

HOURS = 36
"""Service hours that a key counts with."""

TRIP_QUANTA = 1024
"""Quanta of 1/1024 trip that a row counts where it has no count of its own: one trip."""

_SPAN_NIGHTS = 1000
_MAX_LON, _MAX_LAT = 180.0, 90.0
_ALL = 255
_UNKNOWN = -2


class RowPoints(NamedTuple):
    """
    Positions of n rows at one end of their trips; both columns may be empty where records have no such end.

    Attributes
    ----------
    lon, lat
        Degrees WGS84, shape (n,), float64.
    lon_bits, lat_bits
        One bit a row, lowest first, 1 where the row has the number, uint8; empty where all have it.
    offsets
        Bit of the first row in either, shape (2,), int64.
    """

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon_bits: NDArray[np.uint8]
    lat_bits: NDArray[np.uint8]
    offsets: NDArray[np.int64]


class CountBins(NamedTuple):
    """
    Counts of N nights with slots, H hours of the window and C hexes, over batches of n rows.

    Attributes
    ----------
    nights
        Days since 1970 of each slot, shape (N,), int64; 0 without a date.
    presence
        People in 1/1024 by slot, hour and hex, flat, shape (N H C,), int64, added to.
    keys
        ``((night HOURS + hour) C + origin) C + destination`` of each trip that is on no page, shape (n,), int64; -1 before, and left so
        for other rows.
    page_of
        Page of each slot and hour, shape (N H,), int32, -1 for none.
    pages
        Rows by page and pair of hexes, shape (pages, C * C), int32, added to.
    """

    nights: NDArray[np.int64]
    presence: NDArray[np.int64]
    keys: NDArray[np.int64]
    page_of: NDArray[np.int32]
    pages: NDArray[np.int32]


class RuleCounts(NamedTuple):
    """
    Rows by the first rule that they break, 0 where they break none.

    Attributes
    ----------
    rows
        Rows of each rule, shape (256,), int64, added to.
    quanta
        Trips of these rows in 1/1024, shape (256,), int64, added to where rows have counts.
    first
        First row of each rule, shape (256,), int64, -1 if there is none.
    """

    rows: NDArray[np.int64]
    quanta: NDArray[np.int64]
    first: NDArray[np.int64]


@inner_kernel
def mark_missing(bits: NDArray[np.uint8], begin: int, hexes: NDArray[np.int32]) -> None:
    """Write `NO_POSITION` to the rows of a block whose bits, counted from `begin`, say that they have no number."""
    if bits.size == 0:
        return
    for place in range(begin >> 3, (begin + hexes.size + 7) >> 3):
        byte = int64(bits[place])
        if byte != _ALL:
            for k in range(8):
                i = place * 8 + k - begin
                if 0 <= i < hexes.size and not (byte >> k) & 1:
                    hexes[i] = NO_POSITION


@kernel
def slots_by_hour(nights: NDArray[np.int64], start_hour: int, end_hour: int) -> tuple[NDArray[np.int32], int]:
    """Place ``night slot x hours + hour`` of each hour since the first hour of the first night, -1 where none counts; and that hour."""
    first, last = int64(0), int64(-1)
    for k in range(nights.size):
        if nights[k] > 0 and (last < 0 or abs(nights[k] - first) < _SPAN_NIGHTS):
            first = min(first, nights[k]) if last >= 0 else nights[k]
            last = max(last, nights[k])
    slots = np.full(max((last - first + 2) * 24, 1), int32(-1))
    for k in range(nights.size):
        if first <= nights[k] <= last and nights[k] > 0:
            for hour in range(start_hour, end_hour):
                slots[(nights[k] - first) * 24 + hour] = k * (end_hour - start_hour) + hour - start_hour
    return slots, first * 24


@inner_kernel
def _slot_of(tick: int, per_hour: int, by_hour: NDArray[np.int32], first_hour: int) -> int:
    """Place of the hour of one row, -1 where it does not count."""
    past = tick // per_hour - first_hour
    return int(by_hour[past] if tick >= 0 and 0 <= past < by_hour.size else int32(-1))


@inner_kernel
def slots_of_block(ticks: NDArray[np.int64], per_hour: int, by_hour: NDArray[np.int32], first_hour: int, slots: NDArray[np.int32]) -> None:
    """Write the place of each row's hour, -1 where it does not count: that of the middle row at once, where most rows share its hour."""
    middle = ticks[ticks.size // 2]
    begin = middle - middle % per_hour
    slot = _slot_of(middle, per_hour, by_hour, first_hour)
    span = uint64(per_hour)
    others = int64(0)
    # One subtraction and one unsigned comparison tell both ends of the hour, and vectorise.
    for i in range(ticks.size):
        is_other = uint64(ticks[i] - begin) >= span
        slots[i] = int32(_UNKNOWN) if is_other else slot
        others += is_other
    if others * 8 < ticks.size:
        if others:
            for i in range(ticks.size):
                if slots[i] == _UNKNOWN:
                    slots[i] = _slot_of(ticks[i], per_hour, by_hour, first_hour)
        return
    inverse = 1.0 / per_hour
    for i in range(ticks.size):
        hour = int64(np.floor(ticks[i] * inverse))  # a product and a correction vectorise, where a division would not
        remainder = ticks[i] - hour * per_hour
        past = hour + int64(remainder >= per_hour) - int64(remainder < 0) - first_hour
        slots[i] = by_hour[past] if 0 <= past < by_hour.size and ticks[i] >= 0 else int32(-1)


@inner_kernel
def rows_to_judge(slots: NDArray[np.int32], here: NDArray[np.int32], todo: NDArray[np.int64]) -> int:
    """Write the rows of a block that lie in no hour or no hex that counts, and return how many."""
    count = int64(0)
    for i in range(here.size):
        todo[count] = i  # written at every row and kept by the count: no branch to mispredict
        count += int64((slots[i] | here[i]) < 0)
    return count


@inner_kernel
def count_people(
    low: int, slots: NDArray[np.int32], here: NDArray[np.int32], n: int, presence: NDArray[np.int64], rule_out: NDArray[np.uint8]
) -> int:
    """Count the rows of a block that lie in an hour and a hex that count, all of them without a goal, and return how many."""
    count = int64(0)
    for i in range(here.size):
        if (slots[i] | here[i]) >= 0:
            presence[slots[i] * n + here[i]] += TRIP_QUANTA
            count += 1
            if rule_out.size:
                rule_out[low + i] = 16
    return count


@inner_kernel
def first_counted(low: int, slots: NDArray[np.int32], here: NDArray[np.int32]) -> int:
    """Return the first row of a block that lies in an hour and a hex that count, or -1."""
    for i in range(here.size):
        if (slots[i] | here[i]) >= 0:
            return int64(low + i)
    return int64(-1)


@inner_kernel
def goal_rule(here: int, there: int, n_single: int) -> int:
    """Rule that keeps a person present from being a trip, or none; within a place of `n_single` or above there are trips."""
    if there < 0:
        return 16 if there == NO_POSITION else 17 if there == SWAPPED_HEX else 20 if there == UNKNOWN_PLACE else 18
    return 19 if there == here and here < n_single else 0


@inner_kernel
def explained(hex_index: int, lon: float, lat: float, tables: PointTables) -> int:
    """Hex of a point, or why there is none."""
    if hex_index >= 0 or hex_index == NO_POSITION:
        return hex_index
    if not (isfinite(lon) and isfinite(lat)):
        return int64(NO_POSITION)
    if hex_of_point(lat, lon, tables) >= 0:
        return int64(SWAPPED_HEX)
    # (0, 0) and (-1, -1) are what software writes for no position; 999 and the like are no place on Earth.
    is_none = (lon == lat and lon * (lon + 1.0) == 0.0) or abs(lon) > _MAX_LON or abs(lat) > _MAX_LAT
    return int64(NO_POSITION if is_none else OUTSIDE_HEX)


@inner_kernel
def count_pairs(
    low: int,
    slots: NDArray[np.int32],
    here: NDArray[np.int32],
    there: NDArray[np.int32],
    goal: RowPoints,
    tables: PointTables,
    night_hours: NDArray[np.int64],
    n: int,
    bins: CountBins,
    rules: RuleCounts,
    rule_out: NDArray[np.uint8],
) -> None:
    """
    Count the rows of a block that lie in an hour and a hex that count: on their page, by key, or as present where they are no trip.

    The page keeps those who begin in the hex they lead to on its diagonal, so its rows add up to the people present.
    """
    presence, keys, page_of, pages = bins.presence, bins.keys, bins.page_of, bins.pages
    rule_rows, rule_first = rules.rows, rules.first
    rows, stays = int64(0), int64(0)
    for i in range(here.size):
        h, t, slot = here[i], there[i], int64(slots[i])
        if (slot | h) < 0:
            continue
        if t >= 0:
            rows += 1
            stays += int64(h == t)
            page = page_of[slot]
            if page >= 0:
                pages[page, int64(h) * n + t] += int32(1)
                continue
            presence[slot * n + h] += TRIP_QUANTA
            if h != t:
                keys[low + i] = (night_hours[slot] * n + h) * n + t
            continue
        presence[slot * n + h] += TRIP_QUANTA
        rule = goal_rule(h, explained(int64(t), goal.lon[low + i], goal.lat[low + i], tables), n)
        rule_rows[rule] += 1
        if rule_first[rule] < 0 or low + i < rule_first[rule]:
            rule_first[rule] = low + i
        if rule_out.size:
            rule_out[low + i] = rule
    rule_rows[0] += rows - stays
    rule_rows[19] += stays
    if stays and (rule_first[19] < 0 or rule_out.size):
        for i in range(here.size):
            if (slots[i] | here[i]) >= 0 and here[i] == there[i]:
                rule_first[19] = low + i if rule_first[19] < 0 else min(rule_first[19], low + i)
                if rule_out.size == 0:
                    break
                rule_out[low + i] = 19


@kernel
def empty_page(page: NDArray[np.int32], first_key: int, n: int, presence: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Take what a page holds, and leave it empty.

    Parameters
    ----------
    page
        Rows by origin and destination hex, flat, shape (n * n,), int32; zeroed.
    first_key
        Key of its first entry.
    n
        Hexes.
    presence
        People in 1/1024 by hex, shape (n,), int64, added to.

    Returns
    -------
    tuple of ndarray
        Keys of the trips and their number in 1/1024, each int64, by key.
    """
    count = 0
    for i in range(page.size):
        count += page[i] != 0
    keys, quanta = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    at = 0
    for h in range(n):
        people = int64(0)
        for i in range(h * n, h * n + n):
            if page[i] != 0:
                people += page[i]
                if i != h * n + h:
                    keys[at], quanta[at] = first_key + i, int64(page[i]) * TRIP_QUANTA
                    at += 1
                page[i] = 0
        presence[h] += people * TRIP_QUANTA
    return keys[:at], quanta[:at]
