"""Opposite stops, turns and ways back: streets that a hand can check."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.network.assemble import Links
from owlbus.network.opposite_stops import pair_opposite_stops
from owlbus.network.ways_back import joins_of, turns_of, ways_back


def paired(
    points: list[tuple[float, float]], lines: list[list[list[int]]], names: list[str] | None = None, pair_m: float = 300.0
) -> list[int]:
    """Place of each point, all with one call; points are in metres."""
    x, y = np.array(points, dtype=float).T
    sequences = [[np.array(sequence) for sequence in line] for line in lines]
    return pair_opposite_stops((x, y), np.ones(len(points), np.int64), names or [""] * len(points), sequences, pair_m).place.tolist()


def links(*rows: tuple[int, int, int]) -> Links:
    """Links of start, end and seconds, at 10 m/s."""
    start, end, seconds = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T
    return Links(start, end, seconds, seconds * 10, np.arange(start.size))


@pytest.mark.parametrize("apart_m", [20.0, 150.0, 300.0])
def test_stops_on_parallel_one_way_streets_are_one_place(apart_m: float) -> None:
    points = [(400.0 * k, 0.0) for k in range(5)] + [
        (400.0 * k + 90, (apart_m**2 - 90**2) ** 0.5 if apart_m > 90 else 0.0) for k in range(5)
    ]
    assert paired(points, [[[0, 1, 2, 3, 4], [9, 8, 7, 6, 5]]]) == [0, 1, 2, 3, 4] * 2


def test_stops_of_two_lines_or_of_one_direction_are_not_opposite() -> None:
    points = [(400.0 * k, y) for y in (0.0, 150.0) for k in range(4)]
    assert paired(points, [[[0, 1, 2, 3]], [[7, 6, 5, 4]]]) == list(range(8)), "two lines"
    assert paired(points, [[[0, 1, 2, 3], [4, 5, 6, 7]]]) == list(range(8)), "both run the same way"
    assert paired([(x, 2 * y + 2) for x, y in points], [[[0, 1, 2, 3], [7, 6, 5, 4]]], pair_m=299) == list(range(8)), "300 m apart"


def test_stops_of_one_name_are_one_place_unless_a_run_serves_them_in_a_row() -> None:
    points, names = [(0.0, 0.0), (250.0, 0.0), (700.0, 0.0)], ["Main St. (N1)", "MAIN ST  n1", "Main St"]
    assert paired(points, [], names) == [0, 0, 2]
    assert paired(points, [[[0, 1, 2]]], names) == [0, 1, 2]
    assert paired(points, [[[0, 2, 1]]], names) == [0, 1, 2], "two stops on"
    assert paired(points, [], ["", " ", "-"]) == [0, 1, 2], "no name is no name"


def test_no_two_places_of_a_group_lie_farther_apart_than_asked() -> None:
    assert paired([(0.0, 0.0), (200.0, 0.0), (400.0, 0.0)], [], ["A"] * 3) == [0, 0, 2]


def test_a_station_that_a_line_serves_both_ways_is_no_side_of_a_street() -> None:
    points = [(0.0, 0.0), (400.0, 0.0), (800.0, 0.0), (1200.0, 0.0), (420.0, 100.0)]
    assert paired(points, [[[0, 1, 2, 3], [3, 2, 1, 0], [3, 2, 4, 0]]]) == list(range(5))


def test_a_run_that_comes_back_past_its_own_stops_pairs_them_with_themselves() -> None:
    out, back = [(500.0 * k, 0.0) for k in range(6)], [(500.0 * k, 120.0) for k in range(5, -1, -1)]
    assert paired(out + back, [[list(range(12))]])[:4] == [0, 1, 2, 3]
    assert paired(out + back, [[list(range(12))]])[8:] == [3, 2, 1, 0]


def test_the_busier_of_two_opposite_stops_stands_for_both() -> None:
    x, y = np.array([0.0, 0.0]), np.array([0.0, 50.0])
    pairs = pair_opposite_stops((x, y), np.array([1, 5]), ["A", "a"], [], 100.0)
    assert (pairs.place.tolist(), pairs.n_by_name, pairs.n_by_line) == ([1, 1], 1, 0)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=2, max_size=14, unique=True), st.randoms(use_true_random=False)
)
def test_groups_hold_their_distance_and_no_run_serves_one_twice_in_a_row(points: list[tuple[float, float]], random) -> None:
    lines = [[random.sample(range(len(points)), random.randint(2, len(points))) for _ in range(3)] for _ in range(2)]
    place = np.array(paired(points, lines, [random.choice("ab ") for _ in points]))
    xy = np.array(points, dtype=float)
    for group in np.unique(place):
        members = xy[place == group]
        assert np.hypot(*(members[:, None] - members[None]).transpose(2, 0, 1)).max() <= 300
    assert (place[place] == place).all()
    assert all(place[a] != place[b] for line in lines for run in line for a, b in pairwise(run))


# turns and ways back ------------------------------------------------------------------------------------------------------


def test_a_bus_turns_to_the_nearest_first_stop_of_its_line_at_its_own_speed() -> None:
    xy = np.array([0.0, 1000.0, 1000.0, 0.0]), np.array([0.0, 0.0, 400.0, 400.0])
    turns = turns_of(links((0, 1, 100), (2, 3, 200)), [[np.array([0, 1]), np.array([2, 3])]], xy)
    rows = dict(zip(zip(turns.links.start.tolist(), turns.links.end.tolist(), strict=True), turns.links.metres.tolist(), strict=True))
    assert rows == {(1, 2): 520, (3, 0): 520}
    assert turns.links.seconds.tolist() == [52, 104] or turns.links.seconds.tolist() == [52, 52], "10 m/s"
    assert (turns.n_turns, turns.n_returns) == (2, 0)


def test_a_line_too_far_from_its_start_returns_as_far_as_it_went_and_one_link_is_enough_for_its_variants() -> None:
    xy = np.array([0.0, 1600.0, 3200.0]), np.zeros(3)
    served = links((0, 1, 160), (1, 2, 170))
    turns = turns_of(served, [[np.array([0, 1, 2]), np.array([0, 1])]], xy)
    assert (turns.n_turns, turns.n_returns) == (0, 1)
    assert (turns.links.start.tolist(), turns.links.end.tolist(), turns.links.seconds.tolist()) == ([2], [0], [330])
    assert [chain.tolist() for chain in turns.chains] == [[1, 0]]


def test_every_way_back_is_the_fastest_path_and_long_ones_are_counted() -> None:
    ring = links(*((k, (k + 1) % 6, 100) for k in range(6)))
    back = ways_back(ring, 6)
    assert sorted(zip(back.links.start.tolist(), back.links.end.tolist(), strict=True)) == sorted(((k + 1) % 6, k) for k in range(6))
    assert set(back.links.seconds.tolist()) == {500}
    assert (back.n_one_way, back.n_long) == (6, 0), "3 x 100 + 300 s is not more than that"
    longer = ways_back(links(*((k, (k + 1) % 8, 100) for k in range(8))), 8)
    assert (set(longer.links.seconds.tolist()), longer.n_long) == ({700}, 8)
    assert ways_back(links((0, 1, 5)), 2).links.start.size == 0, "no way leads back"


def test_groups_are_joined_from_the_nearest_on_and_only_up_to_ten_kilometres() -> None:
    pairs = [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)]
    xy = np.array([0.0, 1000.0, 2000.0, 3000.0, 13_001.0, 14_000.0]), np.zeros(6)
    joins = joins_of(links(*((a, b, 100) for a, b in pairs)), xy)
    assert list(zip(joins.start.tolist(), joins.end.tolist(), strict=True)) == [(1, 2), (2, 1)]
    assert (joins.metres.tolist(), joins.seconds.tolist()) == ([1300, 1300], [130, 130])
