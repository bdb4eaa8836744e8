"""
Judge records row by row and count them: service night, hour, the first rule a row breaks, trips and people, compiled.

Rows go through in blocks, each step a loop of its own: hexes, hours, rules, people. Most rows of calls break no rule that keeps them from
counting and go the quick way of `owlbus.kernels.count_blocks`; the others take the long way.

Counts are whole units of 1/1024 trip in int64, so their sums do not depend on the order of rows, batches or workers. A kernel that meets a
night that its arrays have no room for returns the row; the caller makes room and calls it again from there.
"""

from __future__ import annotations

from math import asin, cos, inf, pi, sin, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.count_blocks import (
    HOURS,
    NO_POSITION,
    SWAPPED_HEX,
    TRIP_QUANTA,
    UNKNOWN_PLACE,
    count_pairs,
    count_people,
    explained,
    first_counted,
    goal_rule,
    mark_missing,
    rows_to_judge,
    slots_by_hour,
    slots_of_block,
)
from owlbus.kernels.hashing import FREE
from owlbus.kernels.hexing import BLOCK, hexes_of_block
from owlbus.kernels.jit import inner_kernel, int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.count_blocks import CountBins, RowPoints, RuleCounts
    from owlbus.kernels.hexing import PointTables

NO_TICK = np.iinfo(np.int64).min
"""Tick of a missing moment."""

NOBODY = np.iinfo(np.int64).min
"""Number of a row that no subscriber is known of."""

DONE, NEW_NIGHT = 0, 1
"""Why `tally_rows` came back."""

_DAY_S = 86_400
_HALF_DAY_S = 43_200
_UNDATED_S = 2 * _DAY_S
_LAST_S = 130 * 366 * _DAY_S
_EARTH_M = 6_371_008.8


class RowTimes(NamedTuple):
    """
    Times of n rows, as ticks of one length.

    Attributes
    ----------
    start, end
        Ticks of both ends, shape (n,), int64, `NO_TICK` or negative where missing; `end` is empty where records have one time.
    per_s
        Ticks in a second.
    is_dated
        1 if ticks count from 1970, 0 if from midnight.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    per_s: int
    is_dated: int


class RowHexes(NamedTuple):
    """
    Places of n rows that were found before, for grids without tables and for zones; empty where the kernel finds the hexes.

    Attributes
    ----------
    here, there
        Place of either end, shape (n,), int32; -1, -2, -3 and -4 for outside, swapped, no position and unknown zones.
    """

    here: NDArray[np.int32]
    there: NDArray[np.int32]


class RowMarks(NamedTuple):
    """
    What else is known of n rows; either column may be empty.

    Attributes
    ----------
    person
        Number of the subscriber, whose rows are not counted here, shape (n,), int64; `NOBODY` for none.
    is_repeat
        1 where the row repeats another, shape (n,), uint8.
    """

    person: NDArray[np.int64]
    is_repeat: NDArray[np.uint8]


class CountWindow(NamedTuple):
    """
    What rows must keep, and the number of places: the hexes, and after them the zones that lie in several.

    Attributes
    ----------
    start_hour, end_hour
        Service hours that count, the end excluded.
    max_m_s
        Fastest speed of a ride, metres per second; infinite where places are too coarse to tell.
    n_places
        Places: the hexes of the grid, and zones.
    n_single
        Places, counted from the first, within which there are no trips.
    """

    start_hour: int
    end_hour: int
    max_m_s: float
    n_places: int
    n_single: int


class RowVerdicts(NamedTuple):
    """
    What became of each of n rows; all are empty where nobody asks, and all but `rule` where the rule is enough.

    Attributes
    ----------
    rule
        Code of the first rule that the row breaks, shape (n,), uint8; 0 is a trip.
    night
        Days since 1970 of the night's evening, shape (n,), int32; 0 without a date.
    hour
        Service hour, shape (n,), int32.
    here, there
        Hex of either end, shape (n,), int32; negative where there is none.
    """

    rule: NDArray[np.uint8]
    night: NDArray[np.int32]
    hour: NDArray[np.int32]
    here: NDArray[np.int32]
    there: NDArray[np.int32]


@kernel
def straight_line_m(lon: float, lat: float, to_lon: float, to_lat: float) -> float:
    """
    Great-circle distance on a sphere.

    Parameters
    ----------
    lon, lat, to_lon, to_lat
        Both positions, degrees.

    Returns
    -------
    float
        Metres, off by at most 0.6 % on the ellipsoid.
    """
    half = pi / 360.0
    across = sin((to_lon - lon) * half)
    along = sin((to_lat - lat) * half)
    chord = along * along + cos(lat * 2 * half) * cos(to_lat * 2 * half) * across * across
    return 2 * _EARTH_M * asin(min(1.0, sqrt(max(0.0, chord))))


@inner_kernel
def resolution_s(start_s: int, end_s: int) -> int:
    """Return how coarse two times of one row are: full hours, quarters, minutes or seconds."""
    for step in (3600, 900, 60):
        if start_s % step == 0 and end_s % step == 0:
            return step
    return 1


@kernel
def _seconds(tick: int, per_s: int, inverse: float) -> int:
    """Whole seconds of a tick, rounded down: a product and a correction, since a division costs ten times as much."""
    if per_s == 1:
        return tick
    second = int64(np.floor(tick * inverse))
    remainder = tick - second * per_s
    while remainder < 0:
        second -= 1
        remainder += per_s
    while remainder >= per_s:
        second += 1
        remainder -= per_s
    return second


@inner_kernel
def _night_hour(start_s: int) -> tuple[int, int, int]:
    """Service night, service hour, and the second with times of day after midnight moved past 24:00."""
    if start_s >= _UNDATED_S:
        night = (start_s - _HALF_DAY_S) // _DAY_S
        return night, (start_s - night * _DAY_S) // 3600, start_s
    start_s += _DAY_S if start_s < _HALF_DAY_S else 0
    return int64(0), start_s // 3600, start_s


@inner_kernel
def _ride_rule(start_s: int, end_s: int, is_repeat: int, apart_m: float, max_m_s: float) -> int:
    """Rule that a ride breaks by its times: 7, 8, 9 or none; `apart_m` is negative where an end is missing."""
    if end_s < start_s:
        return 7
    if apart_m > max_m_s * (end_s - start_s + resolution_s(start_s, end_s)):
        return 8
    return 9 if is_repeat else 0


@kernel
def tally_rows(
    first: int,
    times: RowTimes,
    origins: RowPoints,
    destinations: RowPoints,
    hexes: RowHexes,
    quanta: NDArray[np.int64],
    marks: RowMarks,
    tables: PointTables,
    window: CountWindow,
    bins: CountBins,
    rules: RuleCounts,
    verdicts: RowVerdicts,
) -> tuple[int, int]:
    """
    Judge rows and count them, from row `first` on.

    The rules and their codes are those of `owlbus.records.validation`, tried by code. Times below 172800 s carry no date: before noon they
    lie after midnight. Times on full hours (quarters, minutes) may be that much longer apart before a ride is too fast.

    Parameters
    ----------
    first
        Row to begin with.
    times
        Times of the rows.
    origins, destinations
        Positions of either end; without destinations people are counted and no trips.
    hexes
        Hexes where they are known before.
    quanta
        Trips or people of each row in 1/1024, shape (n,), int64, below 0 where unusable; empty where each row is one trip.
    marks
        Subscribers and repeats.
    tables
        The grid, unused where `hexes` is given.
    window
        Hours that count, the fastest speed, and places.
    bins, rules, verdicts
        Written: the counts, and what became of each row.

    Returns
    -------
    tuple of int
        Row to go on from, and `DONE` or `NEW_NIGHT`.
    """
    ticks, end_ticks, per_s, dated = times.start, times.end, times.per_s, times.is_dated
    lon, lat, to_lon, to_lat = origins.lon, origins.lat, destinations.lon, destinations.lat
    person, is_repeat = marks.person, marks.is_repeat
    start_hour, end_hour, n = window.start_hour, window.end_hour, window.n_places
    nights, presence, keys = bins.nights, bins.presence, bins.keys
    n_rows, n_hours, n_nights = ticks.size, end_hour - start_hour, nights.size
    has_end, has_quanta, has_hexes = end_ticks.size > 0, quanta.size > 0, hexes.here.size > 0
    has_goal = to_lon.size > 0
    has_person, has_repeats, has_out = person.size > 0, is_repeat.size > 0, verdicts.night.size > 0
    is_plain = dated and not (has_end or has_quanta or has_hexes or has_person or has_repeats or has_out)
    slot_by_hour, first_hour = slots_by_hour(nights, start_hour, end_hour)
    night_hours = np.empty(n_nights * n_hours, dtype=np.int64)
    for k in range(night_hours.size):
        night_hours[k] = nights[k // n_hours] * HOURS + start_hour + k % n_hours
    inverse = 1.0 / per_s
    last_night, slot = int64(-1), int64(-1)
    here_block, there_block = np.empty(BLOCK, dtype=np.int32), np.full(BLOCK, np.int32(NO_POSITION))
    slots, todo = np.zeros(BLOCK, dtype=np.int32), np.arange(BLOCK)
    cells = np.empty(BLOCK, dtype=np.int64)
    worths = np.full(BLOCK, int64(TRIP_QUANTA))
    for low in range(first, n_rows, BLOCK):
        size = min(BLOCK, n_rows - low)
        stop = low + size
        block = slice(low, stop)
        if has_hexes:
            here_block[:size] = hexes.here[block]
            there_block[:size] = hexes.there[block]
        else:
            hexes_of_block(lon[block], lat[block], tables, here_block[:size])
            mark_missing(origins.lon_bits, origins.offsets[0] + low, here_block[:size])
            mark_missing(origins.lat_bits, origins.offsets[1] + low, here_block[:size])
            if has_goal:
                hexes_of_block(to_lon[block], to_lat[block], tables, there_block[:size])
                mark_missing(destinations.lon_bits, destinations.offsets[0] + low, there_block[:size])
                mark_missing(destinations.lat_bits, destinations.offsets[1] + low, there_block[:size])
        n_todo = size
        if is_plain:  # only rows that may break a rule need the long way below
            slots_of_block(ticks[block], per_s * 3600, slot_by_hour, first_hour, slots)
            if has_repeats:
                for j in range(size):
                    if is_repeat[low + j]:
                        slots[j] = -1
            n_todo = rows_to_judge(slots, here_block[:size], todo)
        n_judged = n_todo
        for k in range(n_todo):
            j = todo[k]
            i = low + j
            here, there = int64(here_block[j]), int64(there_block[j])
            worth = quanta[i] if has_quanta else int64(TRIP_QUANTA)
            rule, night, hour = 0, int64(0), int64(0)
            tick, end_tick = ticks[i], end_ticks[i] if has_end else ticks[i]
            start_s, end_s = int64(-1), int64(-1)
            if tick >= 0 and end_tick >= 0:
                start_s = _seconds(tick, per_s, inverse)
                end_s = _seconds(end_tick, per_s, inverse) if has_end else start_s
            if start_s < 0 or (start_s < _UNDATED_S) != (end_s < _UNDATED_S) or (dated and (start_s < _UNDATED_S or start_s > _LAST_S)):
                rule = 1
            else:
                night, hour, start_s = _night_hour(start_s)
                if here < 0 and not has_hexes:
                    here = explained(here, lon[i], lat[i], tables)
                if here < 0 and here != UNKNOWN_PLACE:
                    rule = 2 if here == NO_POSITION else 3 if here == SWAPPED_HEX else 4
                elif not start_hour <= hour < end_hour:
                    rule = 5
                elif worth < 0:
                    rule = 6
                else:
                    if there < 0 and has_goal and not has_hexes:
                        there = explained(there, to_lon[i], to_lat[i], tables)
                    if has_end:
                        end_s += _DAY_S if end_s < _HALF_DAY_S else 0
                        apart_m = -1.0
                        if there > SWAPPED_HEX and window.max_m_s < inf:
                            apart_m = straight_line_m(lon[i], lat[i], to_lon[i], to_lat[i])
                        rule = _ride_rule(start_s, end_s, int64(is_repeat[i]) if has_repeats else int64(0), apart_m, window.max_m_s)
                    elif has_repeats and is_repeat[i]:
                        rule = 9
                    if rule == 0:
                        rule = 10 if here == UNKNOWN_PLACE else goal_rule(here, there, window.n_single)
            # Cells are noted here and added to below: sums at once would wait for one another's memory.
            cells[k] = FREE
            if (rule == 0 or rule >= 16) and not (has_person and person[i] != NOBODY):
                if night != last_night:
                    slot = int64(-1)
                    for m in range(n_nights):
                        if nights[m] == night:
                            slot = int64(m)
                    if slot < 0:  # the caller makes room for the night and goes on from this row
                        stop, n_judged = i, k
                        break
                    last_night = night
                cells[k] = (slot * n_hours + hour - start_hour) * n + here
                if rule == 0 and has_goal:
                    keys[i] = ((night * HOURS + hour) * n + here) * n + there
            rules.rows[rule] += 1
            if rule and (rules.first[rule] < 0 or i < rules.first[rule]):
                rules.first[rule] = i
            if has_quanta:
                worths[k] = worth
                rules.quanta[rule] += max(worth, 0)
            if verdicts.rule.size:
                verdicts.rule[i] = rule
            if has_out:
                verdicts.night[i], verdicts.hour[i], verdicts.here[i], verdicts.there[i] = night, hour, here, there
        for k in range(n_judged):
            if cells[k] != FREE:
                presence[cells[k]] += worths[k]
        if is_plain:
            some = slice(0, stop - low)
            if has_goal:
                count_pairs(
                    low, slots[some], here_block[some], there_block[some], destinations, tables, night_hours, n, bins, rules, verdicts.rule
                )
            else:
                rules.rows[16] += count_people(low, slots[some], here_block[some], n, presence, verdicts.rule)
                if rules.first[16] < 0:
                    rules.first[16] = first_counted(low, slots[some], here_block[some])
        if stop < low + size:
            return stop, NEW_NIGHT
    return n_rows, DONE
