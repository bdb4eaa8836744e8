"""
Judge records row by row and count them: service night, hour, the first rule a row breaks, trips and people, compiled.

Rows go through in blocks, each step a loop of its own: hexes, hours, rules, people. Most rows break no rule and need no more than a look at
the table of hours; the others take the long way.

Counts are whole units of 1/1024 trip in int64, so their sums do not depend on the order of rows, batches or workers. A kernel that meets a
night that its arrays have no room for returns the row; the caller makes room and calls it again from there.
"""

from __future__ import annotations

from math import asin, cos, isfinite, pi, sin, sqrt
from typing import Any

import numpy as np
from numba import njit

from owlbus.kernels.hashing import FREE
from owlbus.kernels.hexing import BLOCK, hex_of_point, hexes_of_block

OUTSIDE_HEX = -1
SWAPPED_HEX = -2
NO_POSITION = -3

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
HOURS = 36
"""Service hours that a key counts with."""

_UNITS = 1024
_SPAN_NIGHTS = 1000


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def resolution_s(start_s: Any, end_s: Any) -> int:
    """Return how coarse two times of one row are: full hours, quarters, minutes or seconds."""
    for step in (3600, 900, 60):
        if start_s % step == 0 and end_s % step == 0:
            return step
    return 1


@njit(nogil=True)
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


@njit(nogil=True)
def _night_hour(start_s: Any) -> Any:
    """Service night, service hour, and the second with times of day after midnight moved past 24:00."""
    if start_s >= _UNDATED_S:
        night = (start_s - _HALF_DAY_S) // _DAY_S
        return night, (start_s - night * _DAY_S) // 3600, start_s
    start_s += _DAY_S if start_s < _HALF_DAY_S else 0
    return np.int64(0), start_s // 3600, start_s


@njit(nogil=True)
def _ride_rule(start_s: Any, end_s: Any, twin: Any, apart_m: float, max_m_s: float) -> int:
    """Rule that a ride breaks by its times: 7, 8, 9 or none; `apart_m` is negative where an end is missing."""
    if end_s < start_s:
        return 7
    if apart_m > max_m_s * (end_s - start_s + resolution_s(start_s, end_s)):
        return 8
    return 9 if twin else 0


@njit(nogil=True)
def _goal_rule(here: Any, there: Any) -> int:
    """Rule that keeps a person present from being a trip, or none."""
    if there < 0:
        return 16 if there == NO_POSITION else 17 if there == SWAPPED_HEX else 18
    return 19 if there == here else 0


@njit(nogil=True)
def _explained(found: Any, lon: float, lat: float, frame: Any, poly: Any, lookup: Any, degree: int) -> Any:
    """Hex of a point, or why there is none."""
    if found >= 0:
        return found
    if not (isfinite(lon) and isfinite(lat)):
        return np.int64(NO_POSITION)
    return np.int64(SWAPPED_HEX if hex_of_point(lat, lon, frame, poly, lookup, degree) >= 0 else OUTSIDE_HEX)


@njit(nogil=True)
def _hours_of(ticks: Any, per_hour: Any, inverse: float, hours: Any) -> None:
    """Write whole hours since 1970 of ticks: a product and a correction, which vectorises, where a division would not."""
    for i in range(ticks.size):
        hour = np.int64(np.floor(ticks[i] * inverse))
        rest = ticks[i] - hour * per_hour
        hours[i] = hour + np.int64(rest >= per_hour) - np.int64(rest < 0)


@njit(nogil=True)
def _cells_by_hour(nights: Any, start_hour: Any, end_hour: Any, n: Any) -> Any:
    """First cell and night-hour of each hour that counts, from the first hour of the first night on, -1 where none; and that first hour."""
    first, last = np.int64(0), np.int64(-1)
    for k in range(nights.size):
        if nights[k] > 0 and (last < 0 or abs(nights[k] - first) < _SPAN_NIGHTS):
            first = min(first, nights[k]) if last >= 0 else nights[k]
            last = max(last, nights[k])
    span: Any = max((last - first + 2) * 24, 1)
    cells = np.full((span, 2), np.int64(-1))
    for k in range(nights.size):
        if first <= nights[k] <= last and nights[k] > 0:
            for hour in range(start_hour, end_hour):
                cells[(nights[k] - first) * 24 + hour, 0] = (k * (end_hour - start_hour) + hour - start_hour) * n
                cells[(nights[k] - first) * 24 + hour, 1] = nights[k] * HOURS + hour
    return cells, first * 24


@njit(cache=True, nogil=True)
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

    The rules and their codes are those of `owlbus.records.rules`, tried by code. Times below 172800 s carry no date: before noon they
    lie after midnight. Times on full hours (quarters, minutes) may be that much longer apart before a ride is too fast.

    Parameters
    ----------
    first
        Row to begin with.
    times
        (ticks, end ticks, ticks per second, 1 if ticks count from 1970 else 0): int64 of shape (n,), `NO_TICK` or negative is missing; the
        ends are empty where records have none.
    places, ends
        (lon, lat) of either end in degrees, shape (n,), float64; the second may be empty, which counts people and no trips.
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
        (nights, presence, keys): days since 1970 of each slot, int64; units by slot, hour of the window and hex, flat, int64, added to;
        and the key ``((night HOURS + hour) n_hexes + here) n_hexes + there`` of each trip, shape (n,), int64, which must be -1 before
        and is left so for rows that are none.
    rules
        (rows, units, first): rows by rule, and units where `units` is given, int64 of shape (256,), added to; and the first row of each
        rule, -1 if there is none.
    rows
        (rule, night, hour, here, there): what became of each row, shape (n,), uint8 and int32; empty where nobody asks.

    Returns
    -------
    tuple of int
        Row to go on from, and `DONE` or `NEW_NIGHT`.
    """
    ticks, end_ticks, per_s, dated = times
    lon, lat = places
    to_lon, to_lat = ends
    here_of, there_of = found
    person, twin = marks
    frame, poly, lookup, degree = tables
    start_hour, end_hour, max_m_s, n = limits
    nights, presence, keys = bins
    rule_rows, rule_units, rule_first = rules
    rule_out, night_out, hour_out, here_out, there_out = rows
    is_plain = end_ticks.size == 0 and units.size == 0 and person.size == 0 and found[0].size == 0 and rule_out.size == 0
    cell_of_hour, first_hour = _cells_by_hour(nights, start_hour, end_hour, n)
    hours_block = np.empty(BLOCK, dtype=np.int64)
    n_rows, n_hours, n_nights = ticks.size, end_hour - start_hour, nights.size
    has_end, has_units, has_found = end_ticks.size > 0, units.size > 0, here_of.size > 0
    has_goal = to_lon.size > 0
    has_person, has_twin, has_out = person.size > 0, twin.size > 0, rule_out.size > 0
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
    cells = np.empty(BLOCK, dtype=np.int64)
    worths = np.full(BLOCK, np.int64(_UNITS))
    for low in range(first, n_rows, BLOCK):
        high = min(low + BLOCK, n_rows)
        stop, n_trips, n_stays, first_stay = high, 0, 0, 0
        if has_found:
            here_block[: high - low] = here_of[low:high]
            there_block[: high - low] = there_of[low:high]
        else:
            hexes_of_block(lon[low:high], lat[low:high], frame, poly, lookup, degree, here_block[: high - low])
            if has_goal:
                hexes_of_block(to_lon[low:high], to_lat[low:high], frame, poly, lookup, degree, there_block[: high - low])
        if is_plain:
            _hours_of(ticks[low:high], per_s * 3600, inverse / 3600, hours_block)
        for i in range(low, high):
            if is_plain and here_block[i - low] >= 0:
                past = hours_block[i - low] - first_hour
                if 0 <= past < cell_of_hour.shape[0] and cell_of_hour[past, 0] >= 0 and ticks[i] >= 0:
                    goal = np.int64(there_block[i - low])
                    if goal >= 0 or not has_goal:
                        cells[i - low] = cell_of_hour[past, 0] + here_block[i - low]
                        if goal >= 0 and goal != here_block[i - low]:
                            keys[i] = (cell_of_hour[past, 1] * n + here_block[i - low]) * n + goal
                            n_trips += 1
                        else:
                            n_stays += 1
                            if n_stays == 1:
                                first_stay = i
                        continue
            here, there = np.int64(here_block[i - low]), np.int64(there_block[i - low])
            worth = units[i] if has_units else np.int64(_UNITS)
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
                    here = _explained(here, lon[i], lat[i], frame, poly, lookup, degree)
                if here < 0:
                    rule = 2 if here == NO_POSITION else 3 if here == SWAPPED_HEX else 4
                elif not start_hour <= hour < end_hour:
                    rule = 5
                elif worth <= 0:
                    rule = 6
                else:
                    if there < 0 and has_goal and not has_found:
                        there = _explained(there, to_lon[i], to_lat[i], frame, poly, lookup, degree)
                    if has_end:
                        end_s += _DAY_S if end_s < _HALF_DAY_S else 0
                        apart_m = straight_line_m(lon[i], lat[i], to_lon[i], to_lat[i]) if there > SWAPPED_HEX else -1.0
                        rule = _ride_rule(start_s, end_s, np.int64(twin[i]) if has_twin else np.int64(0), apart_m, max_m_s)
                    if rule == 0:
                        rule = _goal_rule(here, there)
            cells[i - low] = FREE
            if (rule == 0 or rule >= 16) and not (has_person and person[i] != NOBODY):
                if night != last_night:
                    slot = np.int64(-1)
                    for k in range(n_nights):
                        if nights[k] == night:
                            slot = np.int64(k)
                    if slot < 0:
                        stop = i
                        break
                    last_night = night
                cells[i - low] = (slot * n_hours + hour - start_hour) * n + here
                if rule == 0:
                    keys[i] = ((night * HOURS + hour) * n + here) * n + there
            if rule == 0:
                n_trips += 1
            else:
                rule_rows[rule] += 1
                if rule_first[rule] < 0:
                    rule_first[rule] = i
            if has_units:
                worths[i - low] = worth
                rule_units[rule] += max(worth, 0)
            if has_out:
                rule_out[i], night_out[i], hour_out[i], here_out[i], there_out[i] = rule, night, hour, here, there
        rule_rows[0] += n_trips
        if n_stays:
            stay = 19 if has_goal else 16
            rule_rows[stay] += n_stays
            rule_first[stay] = first_stay if rule_first[stay] < 0 else min(rule_first[stay], first_stay)
        for i in range(stop - low):
            if cells[i] != FREE:
                presence[cells[i]] += worths[i]
        if stop < high:
            return stop, NEW_NIGHT
    return n_rows, DONE
