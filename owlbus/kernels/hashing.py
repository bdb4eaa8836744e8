"""Hash tables as flat arrays, for counts and for sets that are too large to sort again and again, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = -1
"""Key of a slot that holds nothing; keys are >= 0."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


@njit(nogil=True)
def mixed(key: Any) -> np.uint64:
    """
    Number whose bits all depend on all bits of `key`.

    Parameters
    ----------
    key
        Whole number.

    Returns
    -------
    uint64
        The same for the same key, everywhere.
    """
    x = np.uint64(key) * _MIX
    x ^= x >> _SHIFT
    x *= _MIX
    return x ^ (x >> _SHIFT)


@njit(nogil=True)
def find_slot(keys: NDArray[np.int64], key: Any) -> np.uint64:
    """
    Slot that holds `key`, or the free one where it belongs.

    Parameters
    ----------
    keys
        Keys by slot, `FREE` where there is none, shape (2 ** k,), with at least one free.
    key
        Key to find, >= 0.

    Returns
    -------
    uint64
        Index of the slot.
    """
    last = np.uint64(keys.size - 1)
    at = mixed(key) & last
    while keys[at] != key and keys[at] != FREE:
        at = (at + np.uint64(1)) & last
    return at


@njit(cache=True, nogil=True)
def add_by_key(new_keys: NDArray[np.int64], new_values: NDArray[np.int64], keys: NDArray[np.int64], values: NDArray[np.int64]) -> int:
    """
    Add values to a table by key; the table must have room for all of them.

    Parameters
    ----------
    new_keys, new_values
        Keys, `FREE` to pass over a row, and what to add, shape (n,).
    keys, values
        The table, shape (2 ** k,).

    Returns
    -------
    int
        Number of keys that the table did not hold before.
    """
    added = 0
    for i in range(new_keys.size):
        if new_keys[i] != FREE:
            at = find_slot(keys, new_keys[i])
            if keys[at] == FREE:
                keys[at] = new_keys[i]
                added += 1
            values[at] += new_values[i]
    return added


@njit(nogil=True)
def _pair_slot(person: NDArray[np.int64], key: NDArray[np.int64], who: Any, what: Any) -> np.uint64:
    """Slot that holds the pair, or the free one where it belongs; keys tell free slots."""
    last = np.uint64(key.size - 1)
    at = mixed(np.int64(mixed(who) >> np.uint64(1)) + what) & last
    while key[at] != FREE and not (key[at] == what and person[at] == who):
        at = (at + np.uint64(1)) & last
    return at


@njit(cache=True, nogil=True)
def keep_firsts(
    first: int, person: NDArray[np.int64], key: NDArray[np.int64], hour: NDArray[np.int64], table: Any, used: NDArray[np.int64]
) -> int:
    """
    Put rows in a table of the least hour by (person, key), from row `first` on.

    Parameters
    ----------
    first
        Row to begin with.
    person, key, hour
        Columns, shape (n,), int64; a key of `FREE` is passed over.
    table
        (person, key, hour) by slot, each of shape (2 ** k,), int64, int64 and int16.
    used
        Entries of the table, shape (1,), counted up.

    Returns
    -------
    int
        Row to go on from when the table is five eighths full; n if all rows are in.
    """
    people, keys, hours = table
    room = (keys.size * 5) // 8
    for i in range(first, key.size):
        if key[i] == FREE:
            continue
        at = _pair_slot(people, keys, person[i], key[i])
        if keys[at] == FREE:
            if used[0] >= room:
                return i
            people[at], keys[at], hours[at] = person[i], key[i], hour[i]
            used[0] += 1
        elif hour[i] < hours[at]:
            hours[at] = hour[i]
    return key.size


@njit(cache=True, nogil=True)
def parts_of_pairs(person: NDArray[np.int64], key: NDArray[np.int64], n_parts: int) -> NDArray[np.int64]:
    """
    Part that each (person, key) belongs to, the same wherever it is met.

    Parameters
    ----------
    person, key
        Columns, shape (n,), int64.
    n_parts
        Number of parts.

    Returns
    -------
    ndarray of int64
        Shape (n,), in [0, n_parts).
    """
    part = np.empty(key.size, dtype=np.int64)
    for i in range(key.size):
        pair = mixed(np.int64(mixed(key[i]) >> np.uint64(1)) ^ person[i])
        part[i] = np.int64((pair >> np.uint64(20)) % np.uint64(n_parts))
    return part


@njit(nogil=True)
def _digest_slot(one: NDArray[np.int64], two: NDArray[np.int64], first: Any, second: Any) -> np.uint64:
    """Slot that holds two digests, or the free one where they belong."""
    last = np.uint64(one.size - 1)
    at = np.uint64(first) & last
    while one[at] != FREE and not (one[at] == first and two[at] == second):
        at = (at + np.uint64(1)) & last
    return at


@njit(cache=True, nogil=True)
def put_digests(first: NDArray[np.int64], second: NDArray[np.int64], table: Any) -> None:
    """
    Put digests in a table that has none of them.

    Parameters
    ----------
    first, second
        Digests, shape (n,), int64.
    table
        Two digests by slot, shape (2 ** k,), with room for n.
    """
    one, two = table
    for i in range(first.size):
        at = _digest_slot(one, two, first[i], second[i])
        one[at], two[at] = first[i], second[i]


@njit(cache=True, nogil=True)
def mark_twins(columns: NDArray[np.int64], usable: NDArray[np.bool_], table: Any, used: NDArray[np.int64]) -> NDArray[np.uint8]:
    """
    Whether each row repeats an earlier one in every column, told by two independent 64-bit digests.

    Parameters
    ----------
    columns
        Rows as whole numbers, shape (n, n_columns).
    usable
        Rows to look at, shape (n,); others are no twins and are not remembered.
    table
        Two digests by slot, shape (2 ** k,), int64, with room for n more rows; `FREE` in the first is a free slot.
    used
        Entries of the table, shape (1,), counted up.

    Returns
    -------
    ndarray of uint8
        Shape (n,), 1 for a twin.
    """
    one, two = table
    twin = np.zeros(columns.shape[0], dtype=np.uint8)
    for i in range(columns.shape[0]):
        if not usable[i]:
            continue
        a, b = np.uint64(1), np.uint64(2)
        for j in range(columns.shape[1]):
            a = mixed(np.int64(a) ^ columns[i, j])
            b = mixed(np.int64(b + _MIX) + columns[i, j])
        first, second = np.int64(a >> np.uint64(1)), np.int64(b)
        at = _digest_slot(one, two, first, second)
        if one[at] == FREE:
            one[at], two[at] = first, second
            used[0] += 1
        else:
            twin[i] = 1
    return twin
