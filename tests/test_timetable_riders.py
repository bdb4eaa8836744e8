"""What riders get and where buses meet, held against plain loops over runs and against brute force."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st
from test_timetable import HOURS, crossing

from owlbus.common.disclosure import EXACT
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.network.walk_sheds import reached_share
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.score import score_plan
from owlbus.search import PointCounter, Problem
from owlbus.search.point_counts import FAR
from owlbus.timetable import (
    Direction,
    Operation,
    Timetable,
    build_timetable,
    rider_service,
    safety_sheet,
    timetable_document,
)
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.rider_journeys import Departures, follow, follow_from
from owlbus.timetable.schedule import plan_directions
from owlbus.timetable.timed_transfers import MISSED_S, _costs, time_transfers

WAYS = "ahead_trips", "back_trips"
SLOW = Operation(min_headway_s=1800, max_headway_s=3600)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda pair: pair[0] != pair[1]), st.integers(1, 40), max_size=20
    )
)
@settings(max_examples=40)
def test_hourly_flows_put_as_many_on_each_segment_as_the_scorecard_does(trips):
    sheds = {1: (5,), 6: (1,), 3: (8,)}
    network, demand = city(9, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 2), (2, 7), (7, 8)], trips, sheds=sheds)
    plan = Plan((Route([0, 1, 2, 3, 4], "N1"), Route([5, 6, 2, 7, 8], "N2")), network.fingerprint)
    one_hour = demand.slice(hours=[24])
    riders = find_riders(network, one_hour, plan)
    flows = flows_of(riders, plan_directions(network, plan, Operation()), 300)
    segments = score_plan(network, one_hour, plan).segments
    loads = [max(getattr(segment, way) for segment in segments if segment.route == name) for name in plan.names for way in WAYS]
    assert (flows.load_quanta.sum(axis=1) / QUANTA_PER_TRIP).tolist() == loads
    assert riders.trip_quanta.sum() + riders.lost_quanta.sum() == one_hour.od().trips.sum() * QUANTA_PER_TRIP


def test_riders_count_in_the_hour_in_which_their_bus_starts():
    """At the stop 200 s from the start, 200 of the hour's 3600 seconds of riders take a bus that started the hour before."""
    network, _, plan = crossing()
    rows = {"night": [0], "hour": [25], "origin": [1], "destination": [4], "trips": [36.0]}
    demand = Demand.from_rows(9, rows, hours=HOURS, grid=network.grid.fingerprint)
    riders = find_riders(network, demand, plan)
    flows = flows_of(riders, plan_directions(network, plan, Operation(layover_in_links=False)), 300)
    assert flows.boardings_quanta[0].tolist() == [2 * QUANTA_PER_TRIP, 34 * QUANTA_PER_TRIP, 0]


def slow_journey(riders, directions, table, pair, ready_s, change_s):
    """Wait and ride of both rides by trying every run, or None."""
    now, found = ready_s, []
    for nth in (0, 1):
        way = int(riders.direction[nth, pair])
        if way < 0:
            continue
        on, off = int(riders.board[nth, pair]), int(riders.alight[nth, pair])
        passes = [int(t) + int(directions[way].depart_s[on]) for t in table.starts_s(way)]
        best = min((t for t in passes if t >= now + nth * change_s), default=None)
        if best is None:
            return None
        ride = int(directions[way].arrive_s[off] - directions[way].depart_s[on])
        found.append((best - now, ride))
        now = best + ride
    return found


def test_riders_take_the_first_run_that_leaves_at_their_moment_or_later():
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, SLOW)
    riders = find_riders(network, demand, plan)
    departures = Departures.of(table.run_direction, table.run_start_s)
    moments = [24 * HOUR_S, *(24 * HOUR_S + 997 * n for n in range(16))]
    for pair in range(len(riders.first_stop)):
        found = follow_from(riders, table.directions, departures, np.full(len(moments), pair), np.array(moments), 60)
        for row, ready in enumerate(moments):
            slow = slow_journey(riders, table.directions, table, pair, ready, 60)
            assert bool(found.caught[row]) == (slow is not None)
            if slow is not None:
                assert [(int(w), int(r)) for w, r in zip(found.wait_s[:, row], found.ride_s[:, row], strict=True)][: len(slow)] == slow


def test_a_rider_who_comes_as_the_bus_leaves_gets_on_and_a_second_later_waits():
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, SLOW)
    riders = find_riders(network, demand, plan)
    departures = Departures.of(table.run_direction, table.run_start_s)
    starts = table.starts_s(0)
    found = departures.next_start(np.array([0, 0, 0]), np.array([starts[1], starts[1] + 1, starts[-1] + 1]))
    assert found.tolist() == [starts[1], starts[2], -1]
    assert follow(riders, table.directions, departures, 0, 60).quanta.sum() == riders.trip_quanta[0].sum()


@pytest.mark.parametrize(("early_s", "waits"), [(60, 60), (59, 1859)])
def test_a_change_takes_a_minute_and_a_second_less_misses_the_bus(early_s, waits):
    network, demand, plan = crossing()
    ways = plan_directions(network, plan, Operation())
    riders = find_riders(network, demand, plan)
    pair = int(np.flatnonzero((riders.first_stop == 0) & (riders.last_stop == 8))[0])
    at = 90_000 + int(ways[0].arrive_s[2])
    second = [at + early_s + shift - int(ways[2].depart_s[2]) for shift in (0, 1800)]
    departures = Departures.of([0, 2, 2], [90_000, *second])
    found = follow_from(riders, ways, departures, np.array([pair]), np.array([90_000]), 60)
    assert found.wait_s.ravel().tolist() == [0, waits]


@given(st.integers(0, 1700), st.integers(600, 3600))
@settings(max_examples=25)
def test_offsets_wait_as_little_as_the_best_of_all(later, headway):
    network, demand, plan = crossing()
    operation = Operation(offset_step_s=300, max_offset_s=900)
    riders, directions = find_riders(network, demand, plan), plan_directions(network, plan, operation)
    starts = [24 * HOUR_S + shift + headway * n for shift in (0, later) for n in range(10_000 // headway)]
    rows = np.array([0, 1, 2, 3]).repeat(len(starts))
    start_s = np.tile(starts, 4)
    meets = time_transfers(riders, directions, rows, start_s, operation)
    costs = _costs(riders, directions, rows, start_s, np.array(operation.offsets_s), operation.change_s)
    every = [sum(costs.waits(np.array(choice))) for choice in itertools.product(range(4), repeat=2)]
    chosen = np.array(meets.offset_s) // 300
    assert meets.is_optimal
    assert sum(costs.waits(chosen)) == min(every)
    assert (meets.before_s, meets.first_before_s) == tuple(
        wait / units for wait, units in zip(costs.waits(np.zeros(2, int)), (costs.transfer_quanta, costs.rider_quanta), strict=True)
    )


def test_meets_lower_the_wait_at_changes_where_buses_just_miss_each_other():
    network, demand, plan = crossing()
    operation = Operation(offset_step_s=60, max_offset_s=600)
    riders, directions = find_riders(network, demand, plan), plan_directions(network, plan, operation)
    rows = np.repeat([0, 1, 2, 3], 6)
    start_s = np.tile(24 * HOUR_S + 1800 * np.arange(6), 4)
    meets = time_transfers(riders, directions, rows, start_s, operation)
    assert meets.after_s + 600 < meets.before_s < MISSED_S
    assert meets.transfers_trips > 0


def test_a_plan_without_changes_needs_no_offsets():
    network, _ = city(3, [(0, 1), (1, 2)], {(0, 2): 50.0})
    demand = city(3, [(0, 1), (1, 2)], {(0, 2): 50.0})[1]
    _, report = build_timetable(network, demand.slice(hours=[24]), Plan((Route([0, 1, 2], "N1"),), network.fingerprint), SLOW)
    assert report.meets.offset_s == (0,)
    assert (report.meets.before_s, report.meets.transfers_trips, report.meets.is_optimal) == (0.0, 0.0, True)


def test_what_riders_get_adds_up_and_equals_means_over_single_journeys():
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, SLOW)
    service = rider_service(network, demand, table, SLOW)
    assert service.riders_trips + service.late_trips + service.lost_trips == pytest.approx(demand.total_trips)
    riders = find_riders(network, demand, plan)
    waits, weights = [], []
    for row, hour in enumerate(HOURS):
        for pair in range(len(riders.first_stop)):
            for nth in range(12):
                slow = slow_journey(riders, table.directions, table, pair, hour * HOUR_S + 300 * nth + 150, 60)
                if slow is not None:
                    waits.append(sum(w for w, _ in slow))
                    weights.append(riders.trip_quanta[row, pair])
    assert service.wait.mean_s == pytest.approx(np.average(waits, weights=weights), rel=1e-3)
    assert service.total.mean_s >= service.wait.mean_s + service.ride.mean_s
    assert list(service.within_share) == sorted(service.within_share)
    assert service.wait.p90_s >= service.wait.mean_s / 2


def test_crowding_is_load_over_the_room_of_the_buses_of_the_hour():
    network, _, plan = crossing()
    rows = {"night": [0], "hour": [25], "origin": [0], "destination": [4], "trips": [90.0]}
    demand = Demand.from_rows(9, rows, hours=HOURS, grid=network.grid.fingerprint)
    way = plan_directions(network, plan, Operation())
    table = Timetable(plan, HOURS, way, [0, 0, 0], [24 * HOUR_S, 25 * HOUR_S, 25 * HOUR_S + 1800], [0, 1, 2])
    crowding = rider_service(network, demand, table, Operation(capacity=50)).crowding_share
    assert crowding[0, :2].tolist() == [0.0, 0.9]
    assert np.isnan(crowding[1]).all()
    both = Timetable(plan, HOURS, way, [0, 1, 0, 0], [86_400, 90_000, 90_060, 91_800], [0, 1, 2, 3])
    assert rider_service(network, demand, both, Operation(capacity=50)).crowding_share[0, 1] == 0.9


def printed_night(trips, min_count=15):
    """Figures of the crossing with so many trips in each of the first three hours, as they are printed."""
    network, _, plan = crossing()
    rows = {"night": [0] * 3, "hour": [24, 25, 26], "origin": [0] * 3, "destination": [4] * 3, "trips": trips}
    demand = Demand.from_rows(9, rows, hours=HOURS, grid=network.grid.fingerprint)
    way = plan_directions(network, plan, Operation())
    table = Timetable(plan, HOURS, way, [0] * 4, [HOUR_S * hour for hour in (24, 25, 26, 27)], [0, 1, 2, 3])
    return rider_service(network, demand, table).to_dict(min_count)


def test_no_wait_is_a_mean_of_fewer_than_ten_times_fifteen_riders_and_no_count_is_shown():
    shown = printed_night([149.999, 150.0, 300.0])
    assert [cell is None for cell in shown["routes"][0]["wait_s"]] == [True, False, False]
    assert shown["routes"][1]["wait_s"] == [None] * 3
    assert shown["wait_mean_s"] is not None
    assert not any("trips" in key for key in json.loads(json.dumps(shown)))
    assert printed_night([140.0, 0.5, 0.5])["wait_mean_s"] is None
    assert printed_night([140.0, 0.5, 0.5], min_count=EXACT)["wait_mean_s"] is not None


def test_nights_whose_counts_print_alike_have_the_same_crowding():
    one, two = (printed_night([trips, 150.0, 300.0])["routes"] for trips in (15.0, 29.9))
    assert [route["crowding_share"] for route in one] == [route["crowding_share"] for route in two]
    assert one[0]["crowding_share"][0] == round(22.5 / 45, 2)
    assert printed_night([14.9, 150.0, 300.0])["routes"][0]["crowding_share"][0] == 0.0


def test_nights_whose_counts_print_alike_have_the_same_timetable():
    network, _, plan = crossing()

    def built(trips, min_count):
        rows = {"night": [0] * 3, "hour": [24, 25, 26], "origin": [0, 0, 5], "destination": [4, 8, 8], "trips": trips}
        demand = Demand.from_rows(9, rows, hours=HOURS, grid=network.grid.fingerprint)
        table, report = build_timetable(network, demand, plan, Operation(fleet=6), min_count=min_count)
        return table.run_start_s.tolist(), table.run_direction.tolist(), timetable_document(table, report)

    few, other = [0.5, 0.5, 13.0], [13.0, 0.5, 0.5]
    assert built(few, 15) == built(other, 15)
    assert built(few, EXACT) != built(other, EXACT)
    assert built(few, 15)[2]["choice"]["planned_wait_s"] is None


def test_the_safety_sheet_names_the_last_bus_from_and_to_each_hex():
    network, _ = city(3, [(0, 1), (1, 2)], {}, sheds={1: (0,)})
    plan = Plan((Route([0, 1, 2], "N1"),), network.fingerprint)
    ways = (
        Direction(0, 0, [0, 1, 2], [0, 200, 400], [0, 210, 400], [0, 1000, 2000]),
        Direction(0, 1, [2, 1, 0], [0, 200, 400], [0, 210, 400], [0, 1000, 2000]),
    )
    table = Timetable(plan, (24,), ways, [0, 1, 0], [86_400, 86_500, 90_000], [0, 1, 2])
    rows = safety_sheet(network, table).rows()
    assert [row["hex"] for row in rows] == [0, 1, 2]
    assert rows[2] == {
        "hex": 2, "walk_m": 0, "walk_s": 0, "area_share": 1.0, "longest_wait_s": 100,
        "first": "24:01:40", "last_from": "24:01:40", "last_home": "25:06:40"
    }  # fmt: skip
    assert (rows[0]["walk_m"], rows[0]["last_from"], rows[0]["last_home"]) == (0, "25:03:30", "25:03:20")
    assert rows[1]["longest_wait_s"] == 90_210 - 86_710


def test_the_safety_sheet_tells_how_much_of_a_hex_is_within_the_walk_and_the_worst_of_it():
    """Hexes in a row, a stop at each centre: points of hex 1 that only stop 0 or only stop 1 reaches have the buses of that stop."""
    grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.001), (0, 0.001)], n_hexes=4)
    network = Network.from_lattice(grid, walk_m=600)
    plan = Plan((Route(network.shortest_path(0, 1), "N1"),), network.fingerprint)
    (a, b) = network.shortest_path(0, 1)
    ways = (Direction(0, 0, [a, b], [0, 200], [0, 200], [0, 1000]), Direction(0, 1, [b, a], [0, 200], [0, 200], [0, 1000]))
    table = Timetable(plan, (24,), ways, [0, 1], [86_400, 88_000], [0, 1])
    sheet = safety_sheet(network, table)
    share = reached_share(network, plan.used_stops)
    assert sheet.hexes.tolist() == np.flatnonzero(share).tolist()
    assert sheet.area_share.tolist() == share[share > 0].tolist()
    assert 0 < sheet.area_share.min() < 0.5
    metres = PointCounter.build(Problem.build(network, Demand(4)), Demand(4)).reach_m(plan)
    mean_m = [round(float(row[row < FAR].mean())) for row in metres if (row < FAR).any()]
    assert sheet.walk_m.tolist() == mean_m
    by_hex = {row["hex"]: row for row in sheet.rows()}
    assert by_hex[a]["last_from"] == "24:00:00", "some places of this hex have the stop of the first departure alone"
    assert by_hex[b]["first"] == "24:26:40"


def test_the_safety_sheet_of_a_plan_without_routes_is_empty():
    network, _ = city(3, [(0, 1), (1, 2)], {})
    assert safety_sheet(network, Timetable(Plan((), network.fingerprint), (24,), (), [], [], [])).rows() == []


def test_a_rule_without_transfers_leaves_riders_who_change_out():
    network, demand, plan = crossing()
    assert not find_riders(network, demand, plan, ServiceRule(max_transfers=0)).transfers.any()
    assert find_riders(network, demand, plan).transfers.any()


def test_a_ride_exactly_at_the_limit_is_ridden():
    network, demand, plan = crossing()
    straight = find_riders(network, demand, plan, ServiceRule(detour_factor=1.0, detour_s=0, max_transfers=0))
    assert sorted(zip(straight.first_stop.tolist(), straight.last_stop.tolist(), strict=True)) == [(0, 4), (4, 0), (5, 8)]
