"""Hash tables as flat arrays, for sets that are too large to sort again and again, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.kernels.jit import inner_kernel, int64, kernel, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = -1
"""Key of a slot that holds nothing; keys are >= 0."""

_MIX = uint64(0x9E3779B97F4A7C15)
_SHIFT = uint64(32)


class FirstHours(NamedTuple):
    """
    Hash table of the least hour by (person, key), with open addressing over 2 ** k slots.

    Attributes
    ----------
    person
        Number of the subscriber, shape (2 ** k,), int64.
    key
        Key, shape (2 ** k,), int64; `FREE` marks a free slot.
    hour
        Least service hour, shape (2 ** k,), int16.
    """

    person: NDArray[np.int64]
    key: NDArray[np.int64]
    hour: NDArray[np.int16]


class Digests(NamedTuple):
    """
    Hash set of rows by two independent 64-bit digests, with open addressing over 2 ** k slots.

    Attributes
    ----------
    first
        First digest, >= 0, shape (2 ** k,), int64; `FREE` marks a free slot.
    second
        Second digest, shape (2 ** k,), int64.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]


@kernel
def mixed(key: int) -> int:
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
    x = uint64(key) * _MIX
    x ^= x >> _SHIFT
    x *= _MIX
    return x ^ (x >> _SHIFT)


@inner_kernel
def _pair_slot(table: FirstHours, person: int, key: int) -> int:
    """Slot that holds the pair, or the free one where it belongs."""
    last = uint64(table.key.size - 1)
    slot = mixed(int64(mixed(person) >> uint64(1)) + key) & last
    while table.key[slot] != FREE and not (table.key[slot] == key and table.person[slot] == person):
        slot = (slot + uint64(1)) & last
    return slot


@kernel
def keep_firsts(
    first: int,
    person: NDArray[np.int64],
    key: NDArray[np.int64],
    hour: NDArray[np.int64],
    table: FirstHours,
    used: NDArray[np.int64],
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
        Changed: the rows so far.
    used
        Entries of the table, shape (1,), counted up.

    Returns
    -------
    int
        Row to go on from when the table is five eighths full; n if all rows are in.
    """
    room = (table.key.size * 5) // 8
    for i in range(first, key.size):
        if key[i] == FREE:
            continue
        slot = _pair_slot(table, person[i], key[i])
        if table.key[slot] == FREE:
            if used[0] >= room:
                return i
            table.person[slot], table.key[slot], table.hour[slot] = person[i], key[i], hour[i]
            used[0] += 1
        elif hour[i] < table.hour[slot]:
            table.hour[slot] = hour[i]
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
        pair = mixed(int64(mixed(key[i]) >> uint64(1)) ^ person[i])
        part[i] = int64((pair >> uint64(20)) % uint64(n_parts))
    return part


@inner_kernel
def _digest_slot(table: Digests, first: int, second: int) -> int:
    """Slot that holds two digests, or the free one where they belong."""
    last = uint64(table.first.size - 1)
    slot = uint64(first) & last
    while table.first[slot] != FREE and not (table.first[slot] == first and table.second[slot] == second):
        slot = (slot + uint64(1)) & last
    return slot


@kernel
def put_digests(first: NDArray[np.int64], second: NDArray[np.int64], table: Digests) -> None:
    """
    Put digests in a table that has none of them.

    Parameters
    ----------
    first, second
        Digests, shape (n,), int64.
    table
        Written: digests by slot, with room for n.
    """
    for i in range(first.size):
        slot = _digest_slot(table, first[i], second[i])
        table.first[slot], table.second[slot] = first[i], second[i]


@kernel
def mark_twins(columns: NDArray[np.int64], usable: NDArray[np.bool_], table: Digests, used: NDArray[np.int64]) -> NDArray[np.uint8]:
    """
    Whether each row repeats an earlier one in every column, told by two independent 64-bit digests.

    Parameters
    ----------
    columns
        Rows as whole numbers, shape (n, n_columns).
    usable
        Rows to look at, shape (n,); others are no twins and are not remembered.
    table
        Changed: digests of the rows so far, with room for n more.
    used
        Entries of the table, shape (1,), counted up.

    Returns
    -------
    ndarray of uint8
        Shape (n,), 1 for a twin.
    """
    twin = np.zeros(columns.shape[0], dtype=np.uint8)
    for i in range(columns.shape[0]):
        if not usable[i]:
            continue
        a, b = uint64(1), uint64(2)
        for j in range(columns.shape[1]):
            a = mixed(int64(a) ^ columns[i, j])
            b = mixed(int64(b + _MIX) + columns[i, j])
        first, second = int64(a >> uint64(1)), int64(b)
        slot = _digest_slot(table, first, second)
        if table.first[slot] == FREE:
            table.first[slot], table.second[slot] = first, second
            used[0] += 1
        else:
            twin[i] = 1
    return twin
