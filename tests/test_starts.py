"""Starts of a search: their number, how they cool, and which of them go on."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus import Demand, HexGrid, MaxSeconds, MaxSteps, Network, RouteLimits, plan_routes
from owlbus.common.errors import UsageError
from owlbus.pipeline import Request
from owlbus.search import Objective, Problem, start_race
from owlbus.search.cooling import Cooling
from owlbus.search.driver import Search
from owlbus.search.start_race import StartRace
from owlbus.search.starts import chosen_starts, racers

GRID = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=40)
NETWORK = Network.from_lattice(GRID)
ENDS = np.random.default_rng(3).integers(0, 40, size=(200, 2))
ENDS = np.unique(ENDS[ENDS[:, 0] != ENDS[:, 1]], axis=0)
DEMAND = Demand(40, origin=ENDS[:, 0], destination=ENDS[:, 1], trips=1.0 + np.arange(len(ENDS)) % 7)
LIMITS = RouteLimits(max_length_m=6_000, max_circuity=3.0)


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.booleans()), min_size=1, max_size=60))
def test_a_run_cools_from_one_end_of_the_scale_to_the_other_and_never_warms(turns):
    cooling, done, total = Cooling(), 0.0, sum(length for length, _ in turns)
    for row, (length, is_short) in enumerate(turns):
        before, ahead = cooling.position, 1.0 if row == len(turns) - 1 else done + length / total
        expected, position = cooling.after(ahead, is_short=is_short), cooling.advance(ahead, is_short=is_short)
        assert -1 < before <= position == cooling.position == expected <= 1
        assert position > before or before == 1 or ahead == done or before > 0.669, "it stands still only at an end of the scale"
        done = ahead
    if turns[-1][0] < total * 0.05:
        assert cooling.position == 1


def test_routes_that_must_be_straight_cool_at_an_even_pace():
    straight, any_shape = RouteLimits(max_pair_circuity=1.2), RouteLimits(max_pair_circuity=float("inf"))
    even, free = (Cooling.of_search(limits, Objective()) for limits in (straight, any_shape))
    assert [even.advance(share, is_short=True) for share in (0.0, 0.2, 0.5, 1.0)] == [0.0, 0.2, 0.5, 1.0]
    assert free == Cooling()
    assert free.position < 0
    assert Cooling.of_search(any_shape, Objective.parse("presence")).is_even, "as do those of people alone"
    assert not Cooling.of_search(any_shape, Objective.parse("served=1,presence=1")).is_even


@given(st.integers(1, 200), st.integers(1, 200))
def test_without_short_plans_the_position_depends_on_the_share_and_not_on_the_turns(a, b):
    positions = []
    for n in (a, b):
        cooling, shares = Cooling(), np.linspace(0, 0.6, n + 1).tolist()
        for share in shares:
            cooling.advance(share, is_short=False)
        positions.append(cooling.position)
    assert positions[0] == pytest.approx(positions[1])


def test_a_run_whose_plan_is_short_cools_several_times_as_fast():
    fast, slow = Cooling(), Cooling()
    begin = fast.position
    assert fast.advance(0.01, is_short=True) - begin == pytest.approx(6 * (slow.advance(0.01, is_short=False) - begin))


def test_auto_takes_the_same_starts_on_every_machine_under_a_limit_of_steps(monkeypatch):
    found = []
    for processors in ({0}, set(range(64))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, processors=processors: processors, raising=False)
        found.append([chosen_starts("auto", [MaxSteps(steps), MaxSeconds(9)], 9) for steps in (1, 539_999, 540_000, 2_160_000, 10**9)])
    assert found[0] == found[1] == [1, 1, 2, 4, 8]
    assert chosen_starts("auto", [MaxSteps(540_000)], 21) == 1, "more routes need more moves"


def test_auto_takes_a_start_for_each_processor_and_enough_for_a_race_under_a_limit_of_seconds(monkeypatch):
    for count, starts in ((1, 4), (3, 4), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=count: set(range(count)), raising=False)
        assert chosen_starts("auto", [MaxSeconds(60)], 9, racers(NETWORK.n_stops, 9)) == starts
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert chosen_starts("auto", [MaxSeconds(60)], 9, racers(20_000, 9)) == 2, "a start takes long on a large network"


def test_starts_end_where_the_seconds_leave_few_moves_for_them(monkeypatch):
    seen = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(start_race, "starts_for", lambda moves, routes: seen.append((moves, routes)) or (1 if len(seen) <= 2 else 2))
    results = [plan_routes(NETWORK, DEMAND, 2, limits=LIMITS, stop_when=[MaxSeconds(0.3)]) for _ in range(2)]
    assert [len(result.plans) for result in results] == [1, 2]
    assert [routes for _, routes in seen] == [2] * 4, "the pace of the first turn decides once, for a race and without"
    assert min(moves for moves, _ in seen) > 0
    asked = plan_routes(NETWORK, DEMAND, 2, limits=LIMITS, stop_when=[MaxSeconds(0.3)], n_starts=3)
    assert len(asked.plans) == 3, "a number that was asked for stays"
    assert len(seen) == 4


@pytest.mark.parametrize(("n_starts", "processors", "left"), [(4, 1, [4, 2, 1]), (4, 2, [4, 2, 2]), (8, 2, [8, 4, 2]), (4, 16, [4, 4, 4])])
def test_in_a_race_the_better_half_goes_on_down_to_one_for_each_processor(monkeypatch, n_starts, processors, left):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    race = StartRace.of(n_starts, is_open=True, is_timed=True)
    assert [race.n_left(share, 10**12, 9) for share in (0.1, 0.2, 0.45)] == left


def test_a_race_is_judged_by_moves_that_quicken_and_other_starts_by_the_pace_so_far(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    left = []
    for n_moves in (400_000, 600_000, 720_000, 2_000_000):
        race = StartRace.of(4, is_open=True, is_timed=True)
        left.append((race.n_left(0.01, n_moves, 9), race.is_on))
    assert left == [(1, False), (2, False), (4, True), (4, True)]


def test_runs_that_are_left_behind_are_the_ones_with_the_worse_plans_and_their_moves_count(monkeypatch):
    kept, leave = [], Search._leave_starts

    def watch(search):
        before = {id(run): run.value for run in search.runs}
        tried = search.left_evaluations + sum(run.evaluations for run in search.runs)
        leave(search)
        assert search.left_evaluations + sum(run.evaluations for run in search.runs) == tried
        after = {id(run) for run in search.runs}
        if len(after) < len(before):
            kept.append(len(after))
            assert min(before[run] for run in after) >= max(value for run, value in before.items() if run not in after)

    monkeypatch.setattr(Search, "_leave_starts", watch)
    result = plan_routes(NETWORK, DEMAND, 2, limits=LIMITS, stop_when=[MaxSteps(16 * 60_000 * 2)])
    assert kept == [4, 2]
    assert len(result.plans) == 2
    assert result.steps == 16 * 60_000 * 2


def test_auto_gives_the_plan_of_the_number_it_stands_for():
    plans = [
        [route.stops.tolist() for route in plan_routes(NETWORK, DEMAND, 1, limits=LIMITS, stop_when=[MaxSteps(60_000)], n_starts=n).plan]
        for n in ("auto", 2)
    ]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("call", [lambda: plan_routes(NETWORK, DEMAND, 1, n_starts="many"), lambda: Request(n_starts="many")])
def test_another_word_than_auto_is_refused(call):
    with pytest.raises(UsageError, match="n_starts must be a whole number or auto, got 'many'"):
        call()


def test_the_same_seed_gives_the_same_plan_with_several_starts():
    found = [plan_routes(NETWORK, DEMAND, 2, limits=LIMITS, stop_when=[MaxSteps(40_000)], n_starts=3, seed=4) for _ in range(2)]
    plans = [[route.stops.tolist() for route in result.plan] for result in found]
    assert plans[0] == plans[1]
    assert found[0].value_quanta == Problem.build(NETWORK, DEMAND).value(found[0].plan, Objective())
