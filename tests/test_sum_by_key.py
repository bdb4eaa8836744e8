"""Sums by key: the radix sort, the merge, the division of keys, and the counter that uses them, beside dictionaries and numpy."""

from __future__ import annotations

import pickle
import threading
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.demand import accumulators
from owlbus.demand.accumulators import FREE, HOURS, ODTables, PeopleCounter, TripCounter
from owlbus.demand.columns import blocks, sum_by_key
from owlbus.kernels.sum_by_key import KeyedValues, TripColumns, merge_sums, split_keys
from owlbus.kernels.sum_by_key import sum_by_key as sum_by_key_kernel

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

Rows = list[tuple[int, int]]
LARGEST = 2**62
keys = st.one_of(st.integers(0, 9), st.integers(0, 2**12), st.integers(LARGEST - 5000, LARGEST), st.integers(0, LARGEST))
rows_of_keys = st.lists(st.tuples(keys, st.integers(-5, 5000)), max_size=80)


def whole(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def keyed(rows: Rows) -> KeyedValues:
    return KeyedValues(whole([key for key, _ in rows]), whole([value for _, value in rows]))


def sums(rows: Rows) -> Rows:
    """Twin: a dictionary, sorted."""
    found: dict[int, int] = {}
    for key, value in rows:
        found[key] = found.get(key, 0) + value
    return sorted(found.items())


def pairs(table: KeyedValues, n: int) -> Rows:
    return list(zip(table.key[:n].tolist(), table.value[:n].tolist(), strict=True))


@given(rows_of_keys)
def test_values_add_up_by_key_in_the_order_of_keys(rows: Rows) -> None:
    table = keyed(rows)
    n = sum_by_key_kernel(table, KeyedValues(np.empty_like(table.key), np.empty_like(table.value)))
    assert pairs(table, n) == sums(rows)


@pytest.mark.parametrize("bits", [1, 10, 11, 12, 21, 22, 23, 33, 34, 45, 62])
def test_keys_that_differ_in_any_number_of_bits_are_sorted(bits: int) -> None:
    rng = np.random.default_rng(bits)
    key = np.r_[rng.integers(0, 2**bits, 3000), 0, 2**bits - 1] + (LARGEST if bits < 60 else 0)
    value = rng.integers(1, 100, key.size)
    expected = sums(list(zip(key.tolist(), value.tolist(), strict=True)))
    table = KeyedValues(key.copy(), value.copy())
    n = sum_by_key_kernel(table, KeyedValues(np.empty_like(key), np.empty_like(value)))
    assert pairs(table, n) == expected


@given(rows_of_keys, rows_of_keys)
def test_two_tables_merge_to_the_sums_of_both(one: Rows, two: Rows) -> None:
    first, second = keyed(sums(one)), keyed(sums(two))
    merged = KeyedValues(*np.empty((2, first.key.size + second.key.size), dtype=np.int64))
    assert pairs(merged, merge_sums(first, second, merged)) == sums(one + two)


@given(st.integers(1, 50), st.lists(st.integers(0, 30_000), min_size=1, max_size=4, unique=True), st.randoms(use_true_random=False))
def test_keys_divide_into_what_they_were_made_of(n_hexes: int, some_days: list[int], drawn: random.Random) -> None:
    days = sorted(some_days)
    wanted = sorted(
        {
            (drawn.randrange(len(days)), drawn.randrange(HOURS), drawn.randrange(n_hexes), drawn.randrange(n_hexes))
            for _ in range(drawn.randrange(60))
        }
    )
    key = whole([((days[night] * HOURS + hour) * n_hexes + origin) * n_hexes + end for night, hour, origin, end in wanted])
    n = key.size
    columns = TripColumns(*np.empty((2, n), dtype=np.int16), *np.empty((2, n), dtype=np.int32))
    split_keys(key, n_hexes, HOURS, whole(days), columns)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == wanted


@settings(max_examples=60)
@given(st.lists(st.tuples(st.lists(st.tuples(st.integers(-1, 30), st.integers(1, 9)), max_size=12), st.booleans()), max_size=12))
def test_a_counter_adds_rows_of_any_order_whether_they_wait_or_not(parts: list[tuple[Rows, bool]]) -> None:
    expected: Counter[int] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accumulators, "MIN_WAITING", 7)
        counter = TripCounter()
        for rows, has_quanta in parts:
            table = keyed(rows)
            counter.add(table.key, table.value if has_quanta else whole([]))
            for key, value in rows:
                expected[key] += (value if has_quanta else 1024) if key != FREE else 0
        del expected[FREE]
        again = pickle.loads(pickle.dumps(counter))  # noqa: S301 - our own bytes
        again.add(whole([3]))
        for _ in range(2):
            found, quanta = counter.rows()
            assert list(zip(found.tolist(), quanta.tolist(), strict=True)) == sorted(expected.items())
        assert again.rows()[1].sum() == sum(expected.values()) + 1024
        counter.clear()
        assert counter.rows()[0].size == 0


def test_a_counter_counts_what_threads_add_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulators, "MIN_WAITING", 1000)
    counter = TripCounter()
    parts = [np.random.default_rng(seed).integers(0, 5000, 300) for seed in range(80)]

    def add(mine: list[NDArray[np.int64]]) -> None:
        for part in mine:
            counter.add(part)

    threads = [threading.Thread(target=add, args=(parts[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    key, count = np.unique(np.concatenate(parts), return_counts=True)
    assert counter.rows()[0].tolist() == key.tolist()
    assert counter.rows()[1].tolist() == (count * 1024).tolist()


def test_rows_that_wait_are_added_up_once_there_are_as_many_as_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accumulators, "MIN_WAITING", 4)
    counter = TripCounter()
    waiting = []
    for key in range(1, 13):
        counter.add(whole([key]))
        waiting.append(counter._n_waiting)
    assert waiting == [1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4]


def tables(nights: list[int], allocated: list[int], rows: list[tuple[int, int]], n_hexes: int = 3) -> tuple[ODTables, PeopleCounter]:
    """Tables of two hours a night, in the order given, of which some hours have a table with some rows by table and pair of hexes."""
    people, od_tables = PeopleCounter(n_hexes, 2), ODTables(n_hexes, 2, 24)
    for night in nights:
        people.add_night(night)
    od_tables.set_slots(len(nights))
    od_tables.table_of[allocated] = np.arange(len(allocated))
    od_tables.counts = np.zeros((len(allocated), n_hexes**2), dtype=np.int32)
    for table, pair in rows:
        od_tables.counts[table, pair] += 1
    od_tables._rows = len(rows)
    return od_tables, people


def flushed(*both: tuple[ODTables, PeopleCounter]) -> tuple[list[int], list[int], dict[tuple[int, ...], int]]:
    trips, people = TripCounter(), PeopleCounter(3, 2)
    for od_tables, own_people in both:
        od_tables.flush(own_people, trips)
        people.merge(own_people)
    found = {tuple(row[:3]): row[3] for row in zip(*(column.tolist() for column in people.people()), strict=True)}
    return trips.rows()[0].tolist(), trips.rows()[1].tolist(), found


table_rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), max_size=20)


@given(table_rows, table_rows, st.permutations([10, 11, 12]), st.booleans())
def test_tables_of_two_threads_hold_the_same_added_at_once_or_one_by_one(one: Rows, two: Rows, nights: list[int], is_full: bool) -> None:  # noqa: FBT001 - drawn
    sides = ([10, 11], [1, 2], one), (nights, [0, 5], two)
    expected = flushed(tables(*sides[0]), tables(*sides[1]))
    (first, first_people), (second, second_people) = tables(*sides[0]), tables(*sides[1])
    if is_full:
        first._rows = accumulators._MAX_ROWS
    first.absorb(second, first_people.nights, second_people.nights)
    assert flushed((first, first_people), (second, second_people)) == expected


def test_a_table_of_the_same_hour_is_taken_over_and_left_empty_and_others_stay() -> None:
    first, people = tables([10, 11], [0, 3], [(0, 1), (1, 1)])
    second, other = tables([11, 10], [1, 0], [(0, 1), (0, 5), (1, 2)])  # hour 1 of day 11, which both have, and hour 0 of it
    first.absorb(second, people.nights, other.nights)
    assert first.counts.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 1, 0, 0, 0]]
    assert second.table_of.tolist() == [1, -1, -1, -1]
    assert second.counts.sum() == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30), st.booleans())
def test_trips_add_up_by_key_sorted_or_not(rows: Rows, is_sorted: bool) -> None:  # noqa: FBT001 - drawn
    if is_sorted:
        rows = sorted(rows)
    key, trips = sum_by_key(whole([key for key, _ in rows]), np.array([value / 1024 for _, value in rows]))
    assert list(zip(key.tolist(), (trips * 1024).tolist(), strict=True)) == [(key, value) for key, value in sums(rows) if value]


def test_blocks_cover_each_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("owlbus.demand.columns._BLOCK_ROWS", 3)
    for n in range(12):
        assert [row for part in blocks(n) for row in range(n)[part]] == list(range(n))
