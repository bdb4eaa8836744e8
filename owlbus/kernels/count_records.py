"""
Judge records row by row and count them: service night, hour, the first rule a row breaks, trips and people, compiled.

Rows go through in blocks, each step a loop of its own: hexes, hours, rules, people. Most rows of calls break no rule that keeps them from
counting and go the quick way of `owlbus.kernels.count_blocks`; the others take the long way.

Counts are whole units of 1/1024 trip in int64, so their sums do not depend on the order of rows, batches or workers. A kernel that meets a
night that its arrays have no room for returns the row; the caller makes room and calls it again from there.
"""

from __future__ import annotations

from math import asin, cos, pi, sin, sqrt
from typing import Any

import numpy as np

from owlbus.kernels.count_blocks import (
    HOURS,
    NO_POSITION,
    SWAPPED_HEX,
    UNITS,
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
from owlbus.kernels.jit import inner_kernel, kernel

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
def resolution_s(start_s: Any, end_s: Any) -> int:
    """Return how coarse two times of one row are: full hours, quarters, minutes or seconds."""
    for step in (3600, 900, 60):
        if start_s % step == 0 and end_s % step == 0:
            return step
    return 1


@kernel
def _seconds(tick: Any, per_s: Any, inverse: float) -> Any:
    """Whole seconds of a tick, rounded down: a product and a correction, since a division costs ten times as much."""
    if per_s == 1:
        return tick
    second = np.int64(np.floor(tick * inverse))
    rest = tick - second * per_s
    while rest < 0:
        second -= 1
        rest += per_s
    while rest >= per_s:
        second += 1
        rest -= per_s
    return second


@inner_kernel
def _night_hour(start_s: Any) -> Any:
    """Service night, service hour, and the second with times of day after midnight moved past 24:00."""
    if start_s >= _UNDATED_S:
        night = (start_s - _HALF_DAY_S) // _DAY_S
        return night, (start_s - night * _DAY_S) // 3600, start_s
    start_s += _DAY_S if start_s < _HALF_DAY_S else 0
    return np.int64(0), start_s // 3600, start_s


@inner_kernel
def _ride_rule(start_s: Any, end_s: Any, twin: Any, apart_m: float, max_m_s: float) -> int:
    """Rule that a ride breaks by its times: 7, 8, 9 or none; `apart_m` is negative where an end is missing."""
    if end_s < start_s:
        return 7
    if apart_m > max_m_s * (end_s - start_s + resolution_s(start_s, end_s)):
        return 8
    return 9 if twin else 0


@kernel
def tally_rows(
    first: int,
    times: Any,
    places: Any,
    ends: Any,
    found: Any,
    units: Any,
    marks: Any,
    tables: Any,
    limits: Any,
    bins: Any,
    rules: Any,
    rows: Any,
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
        (ticks, end ticks, ticks per second, 1 if ticks count from 1970 else 0): int64 of shape (n,), `NO_TICK` or negative is missing; the
        ends are empty where records have none.
    places, ends
        (lon, lat, bits, bits, offsets) of either end: degrees, shape (n,), float64; bits that say which rows have them, uint8, empty where
        all have, and where in each the first row's lies, int64 of shape (2,). The second may be empty, which counts people and no trips.
    found
        (here, there): hexes found before, shape (n,), int32, with -1, -2, -3 for outside, swapped and missing; empty to find them here.
    units
        Units of 1/1024 trip, shape (n,), int64, negative where unusable; empty where each row is one trip.
    marks
        (person, twin): number of the subscriber, int64, whose rows are not counted here unless it is `NOBODY`; and whether a row repeats
        another, uint8. Either may be empty.
    tables
        The fields of `owlbus.kernels.hexing.PointTables`, unused where `found` is given.
    limits
        (start_hour, end_hour, max_m_s, n_hexes): the window in service hours, the end excluded; the fastest speed, metres per second.
    bins
        (nights, presence, keys, page_of, pages): days since 1970 of each slot, int64; units by slot, hour of the window and hex, flat,
        int64, added to; the key ``((night HOURS + hour) n_hexes + here) n_hexes + there`` of each trip that is on no page, shape (n,),
        int64, which must be -1 before and is left so for other rows; the page of each slot and hour, int32, -1 for none; and rows by page
        and pair of hexes, int32, added to.
    rules
        (rows, units, first): rows by rule, and units where `units` is given, int64 of shape (256,), added to; and the first row of each
        rule, -1 if there is none.
    rows
        (rule, night, hour, here, there): what became of each row, shape (n,), uint8 and int32; empty where nobody asks, the last four also
        where the rule is enough.

    Returns
    -------
    tuple of int
        Row to go on from, and `DONE` or `NEW_NIGHT`.
    """
    ticks, end_ticks, per_s, dated = times
    lon, lat, lon_bits, lat_bits, offsets = places
    to_lon, to_lat, to_lon_bits, to_lat_bits, to_offsets = ends
    here_of, there_of = found
    person, twin = marks
    frame, poly, lookup, degree = tables
    start_hour, end_hour, max_m_s, n = limits
    nights, presence, keys, _, _ = bins
    rule_rows, rule_units, rule_first = rules
    rule_out, night_out, hour_out, here_out, there_out = rows
    n_rows, n_hours, n_nights = ticks.size, end_hour - start_hour, nights.size
    has_end, has_units, has_found = end_ticks.size > 0, units.size > 0, here_of.size > 0
    has_goal = to_lon.size > 0
    has_person, has_twin, has_out = person.size > 0, twin.size > 0, night_out.size > 0
    is_plain = dated and not (has_end or has_units or has_found or has_person or has_out)
    slot_by_hour, first_hour = slots_by_hour(nights, start_hour, end_hour)
    night_hours = np.empty(n_nights * n_hours, dtype=np.int64)
    for k in range(night_hours.size):
        night_hours[k] = nights[k // n_hours] * HOURS + start_hour + k % n_hours
    inverse = 1.0 / per_s
    last_night: Any = np.int64(-1)
    slot: Any = np.int64(-1)
    here: Any
    there: Any
    night: Any
    hour: Any
    start_s: Any
    end_s: Any
    here_block, there_block = np.empty(BLOCK, dtype=np.int32), np.full(BLOCK, np.int32(NO_POSITION))
    slots, todo = np.zeros(BLOCK, dtype=np.int32), np.arange(BLOCK)
    cells = np.empty(BLOCK, dtype=np.int64)
    worths = np.full(BLOCK, np.int64(UNITS))
    for low in range(first, n_rows, BLOCK):
        size = min(BLOCK, n_rows - low)
        stop = low + size
        block = slice(low, stop)
        if has_found:
            here_block[:size] = here_of[block]
            there_block[:size] = there_of[block]
        else:
            hexes_of_block(lon[block], lat[block], frame, poly, lookup, degree, here_block[:size])
            mark_missing(lon_bits, offsets[0] + low, here_block[:size])
            mark_missing(lat_bits, offsets[1] + low, here_block[:size])
            if has_goal:
                hexes_of_block(to_lon[block], to_lat[block], frame, poly, lookup, degree, there_block[:size])
                mark_missing(to_lon_bits, to_offsets[0] + low, there_block[:size])
                mark_missing(to_lat_bits, to_offsets[1] + low, there_block[:size])
        n_todo = size
        if is_plain:
            slots_of_block(ticks[block], per_s * 3600, slot_by_hour, first_hour, slots)
            n_todo = rows_to_judge(slots, here_block[:size], todo)
        n_judged = n_todo
        for k in range(n_todo):
            j = todo[k]
            i = low + j
            here, there = np.int64(here_block[j]), np.int64(there_block[j])
            worth = units[i] if has_units else np.int64(UNITS)
            rule, night, hour = 0, np.int64(0), np.int64(0)
            tick, end_tick = ticks[i], end_ticks[i] if has_end else ticks[i]
            start_s, end_s = np.int64(-1), np.int64(-1)
            if tick >= 0 and end_tick >= 0:
                start_s = _seconds(tick, per_s, inverse)
                end_s = _seconds(end_tick, per_s, inverse) if has_end else start_s
            if start_s < 0 or (start_s < _UNDATED_S) != (end_s < _UNDATED_S) or (dated and (start_s < _UNDATED_S or start_s > _LAST_S)):
                rule = 1
            else:
                night, hour, start_s = _night_hour(start_s)
                if here < 0 and not has_found:
                    here = explained(here, lon[i], lat[i], frame, poly, lookup, degree)
                if here < 0:
                    rule = 2 if here == NO_POSITION else 3 if here == SWAPPED_HEX else 4
                elif not start_hour <= hour < end_hour:
                    rule = 5
                elif worth <= 0:
                    rule = 6
                else:
                    if there < 0 and has_goal and not has_found:
                        there = explained(there, to_lon[i], to_lat[i], frame, poly, lookup, degree)
                    if has_end:
                        end_s += _DAY_S if end_s < _HALF_DAY_S else 0
                        apart_m = -1.0
                        if there > SWAPPED_HEX:
                            apart_m = straight_line_m(lon[i], lat[i], to_lon[i], to_lat[i])
                        rule = _ride_rule(start_s, end_s, np.int64(twin[i]) if has_twin else np.int64(0), apart_m, max_m_s)
                    if rule == 0:
                        rule = goal_rule(here, there)
            cells[k] = FREE
            if (rule == 0 or rule >= 16) and not (has_person and person[i] != NOBODY):
                if night != last_night:
                    slot = np.int64(-1)
                    for m in range(n_nights):
                        if nights[m] == night:
                            slot = np.int64(m)
                    if slot < 0:
                        stop, n_judged = i, k
                        break
                    last_night = night
                cells[k] = (slot * n_hours + hour - start_hour) * n + here
                if rule == 0 and has_goal:
                    keys[i] = ((night * HOURS + hour) * n + here) * n + there
            rule_rows[rule] += 1
            if rule and (rule_first[rule] < 0 or i < rule_first[rule]):
                rule_first[rule] = i
            if has_units:
                worths[k] = worth
                rule_units[rule] += max(worth, 0)
            if rule_out.size:
                rule_out[i] = rule
            if has_out:
                night_out[i], hour_out[i], here_out[i], there_out[i] = night, hour, here, there
        for k in range(n_judged):
            if cells[k] != FREE:
                presence[cells[k]] += worths[k]
        if is_plain:
            some = slice(0, stop - low)
            if has_goal:
                counted = rule_rows, rule_first, rule_out
                count_pairs(low, slots[some], here_block[some], there_block[some], ends, tables, night_hours, n, bins, counted)
            else:
                rule_rows[16] += count_people(low, slots[some], here_block[some], n, presence, rule_out)
                if rule_first[16] < 0:
                    rule_first[16] = first_counted(low, slots[some], here_block[some])
        if stop < low + size:
            return stop, NEW_NIGHT
    return n_rows, DONE
