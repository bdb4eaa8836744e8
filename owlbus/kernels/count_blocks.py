"""
The quick way through a block of records: hours told at once, most rows counted with one addition.

A trip is counted on the page of its hour, a table of origin by destination hex: in files that run along the night the page stays near the
processor. Rows of hours without a page are left to the caller as keys.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from owlbus.kernels.hexing import hex_of_point
from owlbus.kernels.jit import inner_kernel, kernel

OUTSIDE_HEX = -1
SWAPPED_HEX = -2
NO_POSITION = -3

HOURS = 36
"""Service hours that a key counts with."""

UNITS = 1024
"""What a row is worth unless told otherwise: one trip."""

_SPAN_NIGHTS = 1000
_ALL = 255
_UNKNOWN = -2


@inner_kernel
def mark_missing(bits: Any, begin: Any, found: Any) -> None:
    """Write `NO_POSITION` to the rows of a block whose bits, counted from `begin`, say that they have no number."""
    if bits.size == 0:
        return
    for place in range(begin >> 3, (begin + found.size + 7) >> 3):
        held = np.int64(bits[place])
        if held != _ALL:
            for k in range(8):
                i = place * 8 + k - begin
                if 0 <= i < found.size and not (held >> k) & 1:
                    found[i] = NO_POSITION


@kernel
def slots_by_hour(nights: Any, start_hour: Any, end_hour: Any) -> Any:
    """Place ``night slot x hours + hour`` of each hour since the first hour of the first night, -1 where none counts; and that hour."""
    first, last = np.int64(0), np.int64(-1)
    for k in range(nights.size):
        if nights[k] > 0 and (last < 0 or abs(nights[k] - first) < _SPAN_NIGHTS):
            first = min(first, nights[k]) if last >= 0 else nights[k]
            last = max(last, nights[k])
    span: Any = max((last - first + 2) * 24, 1)
    slots = np.full(span, np.int32(-1))
    for k in range(nights.size):
        if first <= nights[k] <= last and nights[k] > 0:
            for hour in range(start_hour, end_hour):
                slots[(nights[k] - first) * 24 + hour] = k * (end_hour - start_hour) + hour - start_hour
    return slots, first * 24


@inner_kernel
def _slot_of(tick: Any, per_hour: Any, by_hour: Any, first_hour: Any) -> Any:
    """Place of the hour of one row, -1 where it does not count."""
    past = tick // per_hour - first_hour
    return by_hour[past] if tick >= 0 and 0 <= past < by_hour.size else np.int32(-1)


@inner_kernel
def slots_of_block(ticks: Any, per_hour: Any, by_hour: Any, first_hour: Any, slots: Any) -> None:
    """Write the place of each row's hour, -1 where it does not count: that of the middle row at once, where most rows share its hour."""
    middle = ticks[ticks.size // 2]
    begin = middle - middle % per_hour
    slot = _slot_of(middle, per_hour, by_hour, first_hour)
    span = np.uint64(per_hour)
    others = np.int64(0)
    for i in range(ticks.size):
        is_other = np.uint64(ticks[i] - begin) >= span
        slots[i] = np.int32(_UNKNOWN) if is_other else slot
        others += is_other
    if others * 8 < ticks.size:
        if others:
            for i in range(ticks.size):
                if slots[i] == _UNKNOWN:
                    slots[i] = _slot_of(ticks[i], per_hour, by_hour, first_hour)
        return
    inverse = 1.0 / per_hour
    for i in range(ticks.size):
        hour = np.int64(np.floor(ticks[i] * inverse))  # a product and a correction vectorise, where a division would not
        rest = ticks[i] - hour * per_hour
        past = hour + np.int64(rest >= per_hour) - np.int64(rest < 0) - first_hour
        slots[i] = by_hour[past] if 0 <= past < by_hour.size and ticks[i] >= 0 else np.int32(-1)


@inner_kernel
def rows_to_judge(slots: Any, here: Any, todo: Any) -> Any:
    """Write the rows of a block that lie in no hour or no hex that counts, and return how many."""
    count = np.int64(0)
    for i in range(here.size):
        todo[count] = i
        count += np.int64((slots[i] | here[i]) < 0)
    return count


@inner_kernel
def count_people(low: Any, slots: Any, here: Any, n: Any, presence: Any, rule_out: Any) -> Any:
    """Count the rows of a block that lie in an hour and a hex that count, all of them without a goal, and return how many."""
    count = np.int64(0)
    for i in range(here.size):
        if (slots[i] | here[i]) >= 0:
            presence[slots[i] * n + here[i]] += UNITS
            count += 1
            if rule_out.size:
                rule_out[low + i] = 16
    return count


@inner_kernel
def first_counted(low: Any, slots: Any, here: Any) -> Any:
    """Return the first row of a block that lies in an hour and a hex that count, or -1."""
    for i in range(here.size):
        if (slots[i] | here[i]) >= 0:
            return np.int64(low + i)
    return np.int64(-1)


@inner_kernel
def goal_rule(here: Any, there: Any) -> int:
    """Rule that keeps a person present from being a trip, or none."""
    if there < 0:
        return 16 if there == NO_POSITION else 17 if there == SWAPPED_HEX else 18
    return 19 if there == here else 0


@inner_kernel
def explained(found: Any, lon: float, lat: float, frame: Any, poly: Any, lookup: Any, degree: int) -> Any:
    """Hex of a point, or why there is none."""
    if found >= 0 or found == NO_POSITION:
        return found
    if not (isfinite(lon) and isfinite(lat)):
        return np.int64(NO_POSITION)
    return np.int64(SWAPPED_HEX if hex_of_point(lat, lon, frame, poly, lookup, degree) >= 0 else OUTSIDE_HEX)


@inner_kernel
def count_pairs(
    low: Any, slots: Any, here: Any, there: Any, goal: Any, tables: Any, night_hours: Any, n: Any, bins: Any, rules: Any
) -> None:
    """
    Count the rows of a block that lie in an hour and a hex that count: on their page, by key, or as present where they are no trip.

    The page keeps those who begin in the hex they lead to on its diagonal, so its rows add up to the people present.
    """
    _, presence, keys, page_of, pages = bins
    rule_rows, rule_first, rule_out = rules
    to_lon, to_lat, _, _, _ = goal
    frame, poly, lookup, degree = tables
    rows, stays = np.int64(0), np.int64(0)
    for i in range(here.size):
        h, t, slot = here[i], there[i], np.int64(slots[i])
        if (slot | h) < 0:
            continue
        if t >= 0:
            rows += 1
            stays += np.int64(h == t)
            page = page_of[slot]
            if page >= 0:
                pages[page, np.int64(h) * n + t] += np.int32(1)
                continue
            presence[slot * n + h] += UNITS
            if h != t:
                keys[low + i] = (night_hours[slot] * n + h) * n + t
            continue
        presence[slot * n + h] += UNITS
        rule = goal_rule(h, explained(np.int64(t), to_lon[low + i], to_lat[low + i], frame, poly, lookup, degree))
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
def empty_page(page: Any, first_key: Any, n: Any, presence: Any) -> Any:
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
        Units of people by hex, shape (n,), int64, added to.

    Returns
    -------
    tuple of ndarray
        Keys of the trips and their units of 1/1024, each int64, by key.
    """
    count = 0
    for i in range(page.size):
        count += page[i] != 0
    keys, units = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    at = 0
    for h in range(n):
        people = np.int64(0)
        for i in range(h * n, h * n + n):
            if page[i] != 0:
                people += page[i]
                if i != h * n + h:
                    keys[at], units[at] = first_key + i, np.int64(page[i]) * UNITS
                    at += 1
                page[i] = 0
        presence[h] += people * UNITS
    return keys[:at], units[:at]
