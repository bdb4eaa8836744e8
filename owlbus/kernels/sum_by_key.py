"""Sums by key without a comparison: a radix sort of pairs, and sorted keys divided into columns, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGIT_BITS = 11
"""Most bits sorted in one pass: 2048 places are written side by side, which the cache still holds."""


class KeyedValues(NamedTuple):
    """
    Values by key.

    Attributes
    ----------
    key
        Keys, shape (n,), int64.
    value
        Value of each key, shape (n,), int64.
    """

    key: NDArray[np.int64]
    value: NDArray[np.int64]


class TripColumns(NamedTuple):
    """
    Columns of trips by night, hour and pair of hexes.

    Attributes
    ----------
    night, hour
        Index of the night, and service hour, shape (n,), int16.
    origin, destination
        Hexes, shape (n,), int32.
    """

    night: NDArray[np.int16]
    hour: NDArray[np.int16]
    origin: NDArray[np.int32]
    destination: NDArray[np.int32]


@inner_kernel
def _move_by_digit(source: KeyedValues, target: KeyedValues, low: int, shift: int, places: NDArray[np.int64]) -> None:
    """Write the rows of `source` to `target` in the order of one digit of their keys, equal digits in the order of rows."""
    mask = int64(places.size - 1)
    places[:] = 0
    for i in range(source.key.size):
        places[((source.key[i] - low) >> shift) & mask] += 1
    begin = int64(0)
    for digit in range(places.size):
        begin, places[digit] = begin + places[digit], begin
    for i in range(source.key.size):
        digit = ((source.key[i] - low) >> shift) & mask
        place = places[digit]
        target.key[place], target.value[place] = source.key[i], source.value[i]
        places[digit] = place + 1


@inner_kernel
def _sum_neighbours(ordered: KeyedValues, sums: KeyedValues) -> int:
    """Write distinct keys and the sum of each to the front of `sums`, which may be `ordered` itself, and return how many."""
    last = int64(-1)
    for i in range(ordered.key.size):
        key, value = ordered.key[i], ordered.value[i]
        if last >= 0 and sums.key[last] == key:
            sums.value[last] += value
        else:
            last += 1
            sums.key[last], sums.value[last] = key, value
    return last + 1


@inner_kernel
def _span(keys: NDArray[np.int64]) -> tuple[int, int, bool]:
    """Return the least key, the bits that tell the keys apart, and whether they ascend."""
    low, high, ascends = keys[0], keys[0], True
    for i in range(1, keys.size):
        low, high = min(low, keys[i]), max(high, keys[i])
        ascends &= keys[i - 1] <= keys[i]
    bits = int64(0)
    while (high - low) >> bits:
        bits += 1
    return low, bits, ascends


@kernel
def sum_by_key(rows: KeyedValues, bench: KeyedValues) -> int:
    """
    Sort rows by key, and add up the values of each key.

    Parameters
    ----------
    rows
        Keys >= 0 and values in any order, shape (n,); changed: its front receives distinct keys, ascending, and their sums.
    bench
        Room to sort in, shape (n,), overwritten.

    Returns
    -------
    int
        Number of distinct keys.
    """
    if rows.key.size == 0:
        return int64(0)
    low, bits, ascends = _span(rows.key)
    if ascends:
        return _sum_neighbours(rows, rows)
    n_passes = (bits + _DIGIT_BITS - 1) // _DIGIT_BITS
    width = (bits + n_passes - 1) // n_passes
    places = np.zeros(int64(1) << width, dtype=np.int64)
    for k in range(n_passes):
        if k % 2 == 0:
            _move_by_digit(rows, bench, low, k * width, places)
        else:
            _move_by_digit(bench, rows, low, k * width, places)
    return _sum_neighbours(bench if n_passes % 2 else rows, rows)


@kernel
def merge_sums(one: KeyedValues, two: KeyedValues, merged: KeyedValues) -> int:
    """
    Merge two tables of distinct ascending keys, and add up the values of keys in both.

    Parameters
    ----------
    one, two
        The tables, shapes (n,) and (m,).
    merged
        Receives distinct keys, ascending, and their sums, at its front; shape (n + m,).

    Returns
    -------
    int
        Number of distinct keys.
    """
    i, j, count = int64(0), int64(0), int64(0)
    while i < one.key.size or j < two.key.size:
        takes_one = j == two.key.size or (i < one.key.size and one.key[i] <= two.key[j])
        takes_two = i == one.key.size or (j < two.key.size and two.key[j] <= one.key[i])
        merged.key[count] = one.key[i] if takes_one else two.key[j]
        merged.value[count] = (one.value[i] if takes_one else int64(0)) + (two.value[j] if takes_two else int64(0))
        i, j, count = i + int64(takes_one), j + int64(takes_two), count + 1
    return count


@kernel
def split_keys(keys: NDArray[np.int64], n_hexes: int, n_hours: int, days: NDArray[np.int64], columns: TripColumns) -> None:
    """
    Divide ascending keys of trips into columns.

    Parameters
    ----------
    keys
        ``((day n_hours + hour) n_hexes + origin) n_hexes + destination``, ascending, shape (n,), int64.
    n_hexes, n_hours
        Hexes of the grid, and hours that a day counts with.
    days
        Day of each night, ascending, int64; every key is of one of them.
    columns
        Receives the columns.
    """
    night, hour, origin = int64(-1), int64(0), int64(0)
    first = -n_hexes
    last_time = int64(-1)
    for i in range(keys.size):
        # Rows of one origin lie side by side, so that most need no division.
        if keys[i] - first >= n_hexes:
            begin = keys[i] // n_hexes
            time = begin // n_hexes
            first, origin = begin * n_hexes, begin - time * n_hexes
            if time != last_time:
                last_time, hour = time, time % n_hours
                night = int64(np.searchsorted(days, time // n_hours))
        columns.night[i], columns.hour[i] = night, hour
        columns.origin[i], columns.destination[i] = origin, keys[i] - first
