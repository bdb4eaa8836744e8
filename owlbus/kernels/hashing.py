"""Hash tables as flat arrays, for counts and for sets that are too large to sort again and again, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.kernels.jit import inner_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = -1
"""Key of a slot that holds nothing; keys are >= 0."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_BLOCK = 1024
_OTHER = -2

UNITS = 1024
"""What a row is worth unless told otherwise: one trip."""

STRIPES = 4
"""Tables that keys are divided among, so that threads can add to different ones at once; a power of two."""

_TOP = np.uint64(62)


@kernel
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


@inner_kernel
def _slot_of(table: NDArray[np.int64], key: Any, at: Any) -> Any:
    """Slot that holds `key`, or the free one where it belongs, looked for from slot `at` on."""
    last = np.uint64(table.size // 2 - 1)
    while table[np.uint64(2) * at] != key and table[np.uint64(2) * at] != FREE:
        at = (at + np.uint64(1)) & last
    return at


@inner_kernel
def _add_block(keys: Any, worth: Any, table: Any, slots: Any, held: Any, stripe: Any) -> int:
    """Add the keys of one stripe; all slots are read before any is changed, so that the reads run side by side: three times as fast."""
    last = np.uint64(table.size // 2 - 1)
    for i in range(keys.size):
        mix = mixed(keys[i])
        slots[i] = mix & last
        held[i] = table[np.uint64(2) * slots[i]] if keys[i] != FREE and mix >> _TOP == stripe else np.int64(_OTHER)
    added = 0
    for i in range(keys.size):
        if held[i] == _OTHER:
            continue
        at = slots[i]
        if held[i] != keys[i]:
            at = _slot_of(table, keys[i], at)
            if table[np.uint64(2) * at] == FREE:
                table[np.uint64(2) * at] = keys[i]
                added += 1
        table[np.uint64(2) * at + np.uint64(1)] += worth[i] if worth.size else np.int64(UNITS)
    return added


@kernel
def add_by_key(first: int, keys: Any, worth: Any, table: Any, used: Any, stripe: Any) -> int:
    """
    Add values to the table of one stripe by key, from row `first` on.

    Parameters
    ----------
    first
        Row to begin with.
    keys
        Keys, `FREE` to pass over a row, shape (n,), int64.
    worth
        What to add, shape (n,), int64; empty where each row is worth `UNITS`.
    table
        Keys and values in turn, ``table[2 slot]`` and ``table[2 slot + 1]``, so that both come in one read; a key of `FREE` marks a free
        slot; shape (2 ** (k + 1),).
    used
        Entries of the table, shape (1,), counted up.
    stripe
        Stripe of keys to add, in [0, `STRIPES`); rows of others are passed over.

    Returns
    -------
    int
        Row to go on from when the table is five eighths full; n if all rows are in.
    """
    room = (table.size // 2 * 5) // 8
    slots, held = np.empty(_BLOCK, dtype=np.uint64), np.empty(_BLOCK, dtype=np.int64)
    for low in range(first, keys.size, _BLOCK):
        high = min(low + _BLOCK, keys.size)
        if used[0] + (high - low) > room:
            return low
        used[0] += _add_block(keys[low:high], worth[low:high] if worth.size else worth, table, slots, held, np.uint64(stripe))
    return keys.size


@inner_kernel
def _pair_slot(person: NDArray[np.int64], key: NDArray[np.int64], who: Any, what: Any) -> np.uint64:
    """Slot that holds the pair, or the free one where it belongs; keys tell free slots."""
    last = np.uint64(key.size - 1)
    at = mixed(np.int64(mixed(who) >> np.uint64(1)) + what) & last
    while key[at] != FREE and not (key[at] == what and person[at] == who):
        at = (at + np.uint64(1)) & last
    return at


@kernel
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


@kernel
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


@inner_kernel
def _digest_slot(one: NDArray[np.int64], two: NDArray[np.int64], first: Any, second: Any) -> np.uint64:
    """Slot that holds two digests, or the free one where they belong."""
    last = np.uint64(one.size - 1)
    at = np.uint64(first) & last
    while one[at] != FREE and not (one[at] == first and two[at] == second):
        at = (at + np.uint64(1)) & last
    return at


@kernel
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


@kernel
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
