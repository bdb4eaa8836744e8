"""Headways, fleet split, runs and blocks, held against brute force and against optima found another way."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.cli.night_tables import Night, night_pages, side_by_side_page
from owlbus.common.errors import DataError, InfeasibleError, UsageError
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.plan import Plan, Route
from owlbus.timetable import (
    Direction,
    Operation,
    Timetable,
    UnitCosts,
    build_timetable,
    clock_time,
    rider_service,
    service_time,
    timetable_document,
)
from owlbus.timetable.headways import (
    WAIT_SCALE,
    RouteCycle,
    RoutePatterns,
    direction_waits,
    equal_headways,
    fewest_buses,
    headway_patterns,
    route_starts,
    split_fleet,
)
from owlbus.timetable.rider_flows import Flows
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from owlbus.network import Network

HOURS = (24, 25, 26)


def crossing(n: int = 9) -> tuple[Network, Demand, Plan]:
    """Return two routes of a small city that meet at stop 2, with trips along and across them in three hours."""
    flat, _ = city(n, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 2), (2, 7), (7, 8)], {})
    grid = HexGrid.cover([(127.0, 37.5), (127.05, 37.5), (127.05, 37.55), (127.0, 37.55)], n_hexes=n)
    network = replace(flat, grid=grid, stop_lon=grid.lon, stop_lat=grid.lat)
    pairs = [(0, 4, 40.0), (0, 8, 25.0), (5, 8, 30.0), (6, 4, 20.0), (4, 0, 10.0), (8, 1, 15.0)]
    rows = [(hour, *pair) for hour in HOURS for pair in pairs]
    demand = Demand.from_rows(
        n,
        {
            "night": [0] * len(rows),
            "hour": [row[0] for row in rows],
            "origin": [row[1] for row in rows],
            "destination": [row[2] for row in rows],
            "trips": [row[3] * (1 + (row[0] == 25)) for row in rows],
        },
        hours=HOURS,
        grid=network.grid.fingerprint,
    )
    plan = Plan((Route([0, 1, 2, 3, 4], "N1"), Route([5, 6, 2, 7, 8], "N2")), network.fingerprint)
    return network, demand, plan


def path_cover(starts, ready, here, there) -> int:
    """Fewest paths through runs that can follow each other, by Dilworth: runs less a maximum matching."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    n = len(starts)
    follows = [[int(there[i] == here[j] and ready[i] <= starts[j]) for j in range(n)] for i in range(n)]
    return n - int((maximum_bipartite_matching(csr_array(np.array(follows, np.int8).reshape(n, n)), perm_type="column") >= 0).sum())


def runs_of(
    lines: list[RouteCycle], headways: list[tuple[int, ...]]
) -> tuple[list[int], list[int], list[tuple[int, int]], list[tuple[int, int]]]:
    """Starts, ends of rests and terminals of all runs, in order of starts."""
    rows = []
    for k, (line, headway) in enumerate(zip(lines, headways, strict=True)):
        out, home, _ = route_starts(line, np.array([headway], np.int64), HOURS)
        ends = [(k, 0), (k, 0) if line.is_loop else (k, 1)]
        for side, times in enumerate((out[0], home[0])):
            rows += [(int(t), int(t) + line.turn_s[side], ends[side], ends[1 - side]) for t in times if t < 2**40]
    rows.sort()
    return tuple(list(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]


lines = st.builds(RouteCycle, st.booleans(), st.tuples(st.integers(600, 9_000), st.integers(600, 9_000)), st.booleans())
headway_rows = st.tuples(*[st.sampled_from([600, 900, 1500, 2400, 3300, 3600])] * len(HOURS))


@given(st.lists(st.tuples(lines, headway_rows), min_size=1, max_size=3))
@settings(max_examples=500)
def test_blocks_are_as_few_as_a_minimum_path_cover_and_as_the_split_counts(drawn):
    given_lines, headways = [line for line, _ in drawn], [row for _, row in drawn]
    starts, ready, here, there = runs_of(given_lines, headways)
    blocks = build_blocks(starts, ready, here, there)
    assert blocks.max() + 1 == path_cover(starts, ready, here, there)
    counted = [int(route_starts(line, np.array([row], np.int64), HOURS)[2][0]) for line, row in drawn]
    assert blocks.max() + 1 == sum(counted)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=25))
def test_buses_that_interline_are_as_few_as_a_minimum_path_cover(rows):
    rows = sorted(rows)
    starts, ready = [row[0] for row in rows], [row[0] + row[1] for row in rows]
    here, there = [row[2] for row in rows], [row[3] for row in rows]
    blocks = build_blocks(starts, ready, here, there)
    assert blocks.max() + 1 == path_cover(starts, ready, here, there)
    for bus in range(blocks.max() + 1):
        mine = np.flatnonzero(blocks == bus)
        assert all(ready[a] <= starts[b] and there[a] == here[b] for a, b in itertools.pairwise(mine))


def test_a_bus_that_is_ready_as_a_run_starts_takes_it():
    assert build_blocks([0, 100], [100, 200], ["a", "b"], ["b", "a"]).tolist() == [0, 0]
    assert build_blocks([0, 99], [100, 200], ["a", "b"], ["b", "a"]).tolist() == [0, 1]


def test_the_bus_that_waits_longest_leaves_first():
    blocks = build_blocks([0, 10, 60, 70], [20, 30, 90, 95], ["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert blocks.tolist() == [0, 1, 0, 1]


small = Operation(min_headway_s=1800, max_headway_s=3600)


def flows(boardings: list[list[int]], load: list[list[int]]) -> Flows:
    """Riders by route and hour, all in the first direction."""
    tables = [np.repeat(np.array(table, np.int64) * QUANTA_PER_TRIP, 2, axis=0) for table in (boardings, load)]
    for table in tables:
        table[1::2] = 0
    return Flows(*tables)


def drawn_options(draw_lines, riders, load) -> tuple[RoutePatterns, ...]:
    """RoutePatterns of lines over two hours."""
    return headway_patterns(draw_lines, flows(riders, load), (24, 25), small)


cases = st.integers(1, 3).flatmap(
    lambda k: st.tuples(
        st.lists(
            st.builds(RouteCycle, st.booleans(), st.tuples(st.integers(900, 7_000), st.integers(900, 7_000)), st.just(0)),
            min_size=k,
            max_size=k,
        ),
        st.lists(st.lists(st.integers(0, 300), min_size=2, max_size=2), min_size=k, max_size=k),
        st.lists(st.lists(st.integers(0, 120), min_size=2, max_size=2), min_size=k, max_size=k),
        st.integers(0, 5),
    )
)


@given(cases)
@settings(max_examples=60)
def test_the_split_of_a_fleet_equals_brute_force_and_never_waits_longer_than_equal_headways(problem):
    draw_lines, riders, load, spare = problem
    options = drawn_options(draw_lines, riders, load)
    fleet = sum(int(one.buses.min()) for one in options) + spare
    chosen = split_fleet(options, fleet)
    waits = sum(int(one.wait_quanta[row]) for one, row in zip(options, chosen, strict=True))
    assert sum(int(one.buses[row]) for one, row in zip(options, chosen, strict=True)) <= fleet
    best, buses = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for one in options:
        best = (best[:, None] + one.wait_quanta[None, :]).ravel()
        buses = (buses[:, None] + one.buses[None, :]).ravel()
    assert waits == best[buses <= fleet].min()
    equal = equal_headways(options, fleet)
    assert equal is None or waits <= sum(int(one.wait_quanta[row]) for one, row in zip(options, equal, strict=True))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(0, 12))
def test_the_split_equals_marginal_allocation_where_waits_are_convex(weights, spare):
    buses = np.arange(1, 20)
    options = tuple(
        RoutePatterns(buses[::-1, None] * 60, buses, 5_040 * weight * 240_240 // buses, np.zeros(19, np.int64)) for weight in weights
    )
    fleet = len(weights) + spare
    given_out = [1] * len(weights)
    for _ in range(spare):
        gains = [int(one.wait_quanta[n - 1] - one.wait_quanta[n]) if n < 19 else -1 for one, n in zip(options, given_out, strict=True)]
        given_out[int(np.argmax(gains))] += 1
    greedy = sum(int(one.wait_quanta[n - 1]) for one, n in zip(options, given_out, strict=True))
    assert sum(int(one.wait_quanta[row]) for one, row in zip(options, split_fleet(options, fleet), strict=True)) == greedy


def test_the_split_takes_two_buses_at_once_where_one_more_changes_nothing():
    """Marginal allocation would stop at the first route, whose next bus brings nothing, and lose."""
    flat = RoutePatterns(np.array([[10], [20], [30]]), np.array([3, 2, 1]), np.array([10, 100, 100]), np.zeros(3, np.int64))
    steep = RoutePatterns(np.array([[10], [20]]), np.array([2, 1]), np.array([60, 100]), np.zeros(2, np.int64))
    assert split_fleet((flat, steep), 4) == (0, 1)


def test_a_fleet_too_small_for_the_policy_headway_is_refused_with_the_number_it_takes():
    network, demand, plan = crossing()
    with pytest.raises(
        InfeasibleError, match=r"a headway of at most 10 minutes on 2 routes takes \d+ buses, got a fleet of 1; allow a longer headway"
    ):
        build_timetable(network, demand, plan, Operation(fleet=1, max_headway_s=600))


def slow_waits(starts, closing, hours, boardings, load, room):
    """Waiting and riders left behind, second by second; `starts` are those of one direction."""
    buses = [*starts, closing]
    waits, aboard = 0.0, dict.fromkeys(buses, 0.0)
    for hour, riders, on_board in zip(hours, boardings, load, strict=True):
        for second in range(hour * HOUR_S, (hour + 1) * HOUR_S):
            bus = next((t for t in buses if t > second), None)
            if bus is not None:
                waits += riders / HOUR_S * (bus - second - 0.5)
                aboard[bus] += on_board / HOUR_S
    left = [max(0, int(aboard[t]) - room) for t in starts]
    return waits + sum(many * (after - t) for many, t, after in zip(left, starts, buses[1:], strict=True)), sum(left)


@pytest.mark.parametrize("headway", [(1800, 3600), (3000, 1800), (3540, 3540), (3600, 1800)])
@pytest.mark.parametrize("both_ends", [0, 1])
def test_waits_are_those_of_riders_followed_second_by_second(headway, both_ends):
    """A gap counts in every hour that it spans: a short headway in an hour in which no bus starts brings nothing."""
    line, pattern = RouteCycle(both_ends, (2_500, 3_100), 0), np.array([headway], np.int64)
    boardings, load = (np.array(column, np.int64) for column in ([700, 300], [200, 90]))
    for starts in route_starts(line, pattern, (24, 25))[:2]:
        waits, left = direction_waits(starts, pattern, (24, 25), boardings, load, 45)
        times = [int(t) for t in starts[0] if t < 2**40]
        closing = times[-1] + headway[min(1, times[-1] // HOUR_S - 24)]
        expected, behind = slow_waits(times, closing, (24, 25), boardings.tolist(), load.tolist(), 45)
        assert waits[0] / WAIT_SCALE == pytest.approx(expected, rel=1e-2)
        assert left[0] == pytest.approx(behind, abs=len(times))


def test_without_a_fleet_the_fewest_buses_hold_policy_headway_and_capacity():
    options = drawn_options([RouteCycle(1, (3_000, 3_000), 0)], [[10, 10]], [[0, 90]])
    row = fewest_buses(options)[0]
    assert options[0].left_quanta[row] == 0
    assert options[0].buses[row] == options[0].buses[options[0].left_quanta == 0].min()


def test_long_routes_start_from_both_ends_and_short_ones_turn_at_the_inner_terminal():
    network, demand, plan = crossing()
    long, report = build_timetable(network, demand, plan, Operation(both_ends_from_m=4000, max_offset_s=0))
    assert report.both_ends == (True, True)
    assert all(long.starts_s(row)[0] < 24 * HOUR_S + long.headway_s.max() for row in range(4))
    short, report = build_timetable(network, demand, plan, Operation(both_ends_from_m=4001, max_offset_s=0))
    assert report.both_ends == (False, False)
    for k in (0, 1):
        out = min((2 * k, 2 * k + 1), key=lambda row: short.starts_s(row)[0])
        assert short.starts_s(out)[0] == 24 * HOUR_S
        turn_s = short.directions[out].ride_s + Operation().layover_s(short.directions[out].ride_s)
        assert (short.starts_s(out ^ 1) == short.starts_s(out) + turn_s).all()


@pytest.mark.parametrize("interline", [False, True])
@pytest.mark.parametrize("layover_in_links", [False, True])
def test_every_bus_rests_a_tenth_of_its_ride_and_five_minutes_at_least(interline, layover_in_links):
    network, demand, plan = crossing()
    operation = Operation(interline=interline, layover_in_links=layover_in_links)
    table, _ = build_timetable(network, demand, plan, operation)
    ends = table.run_end_s
    for bus in range(table.fleet):
        for a, b in itertools.pairwise(np.flatnonzero(table.run_block == bus).tolist()):
            ride = int(ends[a] - table.run_start_s[a])
            assert table.run_start_s[b] - ends[a] >= max(300, ride / 10)
            assert table.directions[table.run_direction[a]].stops[-1] == table.directions[table.run_direction[b]].stops[0]
            assert interline or table.run_direction[a] // 2 == table.run_direction[b] // 2


def test_run_and_rest_take_the_seconds_that_the_scorecard_counts():
    network, _, plan = crossing()
    from owlbus.timetable.schedule import plan_directions

    way = plan_directions(network, plan, Operation(min_layover_s=0))[0]
    assert way.depart_s.tolist() == [0, 181, 363, 545, 727]
    assert way.ride_s + Operation(min_layover_s=0).layover_s(way.ride_s) == 800
    assert way.arrive_s.tolist() == [0, 166, 348, 530, 727]
    on_top = plan_directions(network, plan, Operation(layover_in_links=False, dwell_s=500))[0]
    assert on_top.arrive_s.tolist() == [0, 100, 300, 500, 800]


def test_totals_of_a_night_add_up_over_runs_and_buses():
    network, demand, plan = crossing()
    table, report = build_timetable(network, demand, plan, Operation(fleet=6))
    assert table.vehicle_m == 4000 * table.n_runs
    spans = [table.run_end_s[table.run_block == b].max() - table.run_start_s[table.run_block == b].min() for b in range(table.fleet)]
    assert table.vehicle_s == sum(spans)
    costs = UnitCosts(2.0, 10.0, 100.0)
    document = timetable_document(table, report, costs)
    assert document["cost"]["total"] == pytest.approx(2 * table.vehicle_m / 1000 + table.vehicle_s / 360 + 100 * table.fleet, abs=0.01)
    assert [row["headway_s"] for row in document["routes"]] == table.headway_s[::2].tolist()
    assert table.fleet <= 6
    assert report.equal_wait_s is None or report.wait_s <= report.equal_wait_s


def test_riders_whom_full_buses_leave_behind_are_told_and_none_are_where_there_is_room():
    network, demand, plan = crossing()
    left = [build_timetable(network, demand, plan, Operation(fleet=6, capacity=room))[1].left_trips for room in (1, 1_000)]
    assert left[0] > left[1] == 0.0


def test_one_headway_for_all_that_the_fleet_cannot_run_says_how_many_buses_it_takes():
    network, demand, plan = crossing()
    wanted = r"one headway of 10 minutes on 2 routes takes \d+ buses, got a fleet of 2; allow a longer headway, more buses or fewer routes"
    with pytest.raises(InfeasibleError, match=wanted):
        build_timetable(network, demand, plan, Operation(fleet=2, max_headway_s=600, equal_headways=True))


def test_a_larger_fleet_never_waits_longer():
    network, demand, plan = crossing()
    waits = [build_timetable(network, demand, plan, Operation(fleet=n, max_offset_s=0))[1].wait_s for n in (4, 6, 9)]
    assert waits == sorted(waits, reverse=True)


def test_the_same_input_gives_the_same_timetable_and_copies_are_read_only():
    network, demand, plan = crossing()
    first, second = (build_timetable(network, demand, plan, Operation(fleet=5))[0] for _ in range(2))
    assert first.equals(second)
    for twin in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):  # noqa: S301 - what was pickled here
        assert twin.equals(first)
        assert not twin.run_start_s.flags.writeable
        assert not twin.directions[0].stops.flags.writeable


WAYS = (Direction(0, 0, [0, 1], [0, 100], [0, 100], [0, 900]), Direction(0, 1, [1, 0], [0, 100], [0, 100], [0, 900]))
ONE = Plan((Route([0, 1], "N1"),), "f")


@pytest.mark.parametrize(
    ("direction", "start", "block", "message"),
    [
        ([0, 1], [0, 99], [0, 0], r"bus 0 must stand at stop 1 at 00:01:39, but comes to stop 1 at 00:01:40"),
        ([0, 0], [0, 500], [0, 0], r"bus 0 must stand at stop 0 at 00:08:20, but comes to stop 1"),
        ([0, 1], [0, 500], [1, 0], r"buses must be numbered in the order of their first runs, run 0 has bus 1 instead of 0"),
        ([1, 0], [5, 5], [0, 1], r"runs must be sorted by start and direction, run 0 is not"),
        ([0, 2], [0, 5], [0, 1], r"runs must ride one of 2 directions and start at 0 s or later"),
        ([0], [0, 5], [0, 1], r"each run needs a direction, a start and a bus, got 1, 2 and 2"),
    ],
)
def test_a_timetable_that_cannot_be_driven_is_refused(direction, start, block, message):
    with pytest.raises(DataError, match=message):
        Timetable(ONE, (24,), WAYS, direction, start, block)


def test_a_timetable_needs_both_directions_of_every_route():
    with pytest.raises(DataError, match="needs two directions per route, got 1 for 1 routes"):
        Timetable(ONE, (24,), WAYS[:1], [], [], [])
    with pytest.raises(DataError, match="direction 1 must ride route 0 against the order of its stops"):
        Timetable(ONE, (24,), (WAYS[0], WAYS[0]), [], [], [])


@pytest.mark.parametrize(
    ("stops", "arrive", "depart", "at"),
    [([0, 1], [0, 10], [0, 11], [0, 5]), ([0, 1], [0, 10], [0, 10], [0, 0]), ([0, 1], [1, 10], [1, 10], [0, 5])],
)
def test_a_direction_goes_forward_from_nought(stops, arrive, depart, at):
    with pytest.raises(DataError, match=r"direction 0a must start at 0 s, end as it arrives and go forward in time and metres"):
        Direction(0, 0, stops, arrive, depart, at)
    with pytest.raises(DataError, match="needs a time and metres for each of at least 2 stops, got 2 stops"):
        Direction(0, 0, stops, [0], depart, at)


def test_a_plan_without_routes_has_no_timetable():
    network, demand, _ = crossing()
    with pytest.raises(DataError, match="a timetable needs a plan of at least one route, got none"):
        build_timetable(network, demand, Plan((), network.fingerprint))


@pytest.mark.parametrize(
    "bad",
    [
        {"fleet": 0},
        {"capacity": 0},
        {"max_headway_s": 30},
        {"min_headway_s": 4000},
        {"dwell_s": -1},
        {"layover_share": float("nan")},
        {"uptake_share": 1.1},
    ],
)
def test_numbers_of_an_operation_lie_in_their_range(bad):
    name = next(iter(bad))
    with pytest.raises(UsageError, match=rf"{name} must lie in \["):
        Operation(**bad)


SPRING, AUTUMN = dt.date(2024, 3, 30), dt.date(2024, 10, 26)


def test_a_run_over_the_change_to_summer_time_takes_its_hours_and_the_clock_jumps():
    assert clock_time(SPRING, 25 * HOUR_S + 3_599, "Europe/Berlin").isoformat() == "2024-03-31T01:59:59+01:00"
    assert clock_time(SPRING, 26 * HOUR_S, "Europe/Berlin").isoformat() == "2024-03-31T03:00:00+02:00"


def test_a_run_over_the_change_to_winter_time_takes_its_hours_and_the_clock_repeats():
    first, second = (clock_time(AUTUMN, hour * HOUR_S, "Europe/Berlin") for hour in (26, 27))
    assert (first.hour, first.fold, second.hour, second.fold) == (2, 0, 2, 1)
    assert (second - first.astimezone(dt.UTC)).total_seconds() == HOUR_S


@pytest.mark.parametrize(("date", "hours"), [(dt.date(2024, 3, 31), -1), (dt.date(2024, 10, 27), 1)])
def test_on_the_day_of_the_change_times_count_from_noon_less_twelve_hours(date, hours):
    """So 00:00:00 of that date is not its midnight, while all times after noon are the clock's."""
    assert clock_time(date, 0, "Europe/Berlin").replace(tzinfo=None) == dt.datetime.combine(date, dt.time()) + dt.timedelta(hours=hours)
    assert clock_time(date, 25 * HOUR_S, "Europe/Berlin").hour == 1


@given(
    st.dates(dt.date(2010, 1, 1), dt.date(2030, 1, 1)),
    st.integers(12 * HOUR_S, 36 * HOUR_S - 1),
    st.sampled_from(["Europe/Berlin", "Asia/Seoul", "America/Santiago"]),
)
def test_clock_and_service_time_are_each_others_inverse(date, time_s, zone):
    moment = clock_time(date, time_s, zone)
    found, seconds = service_time(moment, zone)
    assert clock_time(found, seconds, zone) == moment
    assert (found, seconds) == (date, time_s) or found != date


def test_moments_without_a_zone_and_unknown_zones_are_refused():
    with pytest.raises(UsageError, match=r"a moment needs its zone, got 2024-01-01T00:00:00"):
        service_time(dt.datetime(2024, 1, 1), "Asia/Seoul")  # noqa: DTZ001 - the point
    with pytest.raises(UsageError, match="timezone must be an IANA name such as Asia/Seoul, got 'Mars'"):
        clock_time(SPRING, 0, "Mars")
    assert service_time(dt.datetime(2024, 1, 2, 11, 59, tzinfo=ZoneInfo("Asia/Seoul")), "Asia/Seoul")[0] == dt.date(2024, 1, 1)


def test_the_terminal_has_no_headway_where_a_direction_has_one_run():
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, Operation(fleet=6))
    first = sorted(int(np.flatnonzero(table.run_direction == row)[0]) for row in range(4))
    once = replace(table, **{name: getattr(table, name)[first] for name in ("run_direction", "run_start_s")}, run_block=np.arange(4))
    night = Night("once", once, None, rider_service(network, demand, once), UnitCosts())
    page, figures = night_pages(night)[0], dict(zip(*(column._cells for column in side_by_side_page([night]).columns), strict=True))
    assert {cell for column in page.columns[3:] for cell in column._cells} == {"-"}
    assert figures["headways, minutes"] == "-"
