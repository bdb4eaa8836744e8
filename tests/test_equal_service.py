"""Equal service: headways under a limit on waits and departures for every district, against all choices tried one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_timetable import crossing

from owlbus import DataError, Demand, InfeasibleError, Operation, UsageError, build_timetable
from owlbus.common.disclosure import Publisher
from owlbus.common.units import HOUR_S
from owlbus.timetable import safety_sheet
from owlbus.timetable.choose_service import _chosen_patterns
from owlbus.timetable.equal_service import Districts, group_departures, least_departures, rows_with_departures, within_wait
from owlbus.timetable.headways import NO_FLEET, headway_patterns, longest_waits, route_cycles, route_starts
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.safety_groups import safety_by_group
from owlbus.timetable.schedule import outer_first, plan_directions

LABELS = np.array(["west", "west", "centre", "east", "east", "north", "north", "south", "south"])


def parts(operation: Operation, *, is_full: bool = False):
    """Patterns of the routes of a small city, and all that they are made of."""
    network, demand, plan = crossing()
    demand = replace(demand, trips=demand.trips * 20) if is_full else demand
    directions = plan_directions(network, plan, operation)
    flows = flows_of(find_riders(network, demand, plan), directions, 300)
    cycles = route_cycles(directions, outer_first(network, demand, plan, Publisher(-1)), operation)
    return network, demand, directions, flows, cycles, headway_patterns(cycles, flows, demand.hours, operation)


def test_the_longest_wait_is_that_of_riders_followed_bus_by_bus():
    operation = Operation(capacity=6)
    _, demand, _, flows, cycles, patterns = parts(operation, is_full=True)
    starts_s, _, _ = route_starts(cycles[0], patterns[0].headways_s, demand.hours)
    row = cycles[0].directions_of(0)[0]
    found = longest_waits(starts_s, patterns[0].headways_s, demand.hours, flows.load_quanta[row], 6 * 1024)
    behind = 0
    for k in range(0, len(starts_s), 7):
        times = [int(t) for t in starts_s[k] if t < 2**40]
        headway = dict(zip(demand.hours, patterns[0].headways_s[k].tolist(), strict=True))
        times.append(times[-1] + headway[min(max(times[-1] // HOUR_S, demand.hours[0]), demand.hours[-1])])
        longest, before = 0, demand.hours[0] * HOUR_S
        for n, now in enumerate(times[:-1]):
            aboard = sum(
                int(load) * max(0, min(now, (hour + 1) * HOUR_S) - max(before, hour * HOUR_S))
                for hour, load in zip(demand.hours, flows.load_quanta[row].tolist(), strict=True)
            )
            is_full = aboard // HOUR_S > 6 * 1024
            behind += is_full
            longest = max(longest, (now - before if n else 0) + (times[n + 1] - now if is_full else 0))
            before = now
        assert found[k] == longest
    assert behind > 0, "buses leave riders behind"


@pytest.mark.parametrize("capacity", [8, 45])
def test_nobody_waits_longer_than_the_limit_and_no_split_within_it_waits_less(capacity):
    operation = Operation(fleet=9, capacity=capacity, max_wait_s=1500)
    _, demand, _, flows, cycles, patterns = parts(operation)
    allowed = within_wait(patterns, cycles, flows, demand.hours, operation)
    chosen = _chosen_patterns(allowed, operation)
    waits = [np.where(one.buses < NO_FLEET, one.wait_quanta, 2**60) for one in allowed]
    buses = allowed[0].buses[:, None] + allowed[1].buses
    best = np.where(buses <= 9, waits[0][:, None] + waits[1], 2**61).min()
    assert sum(int(one.wait_quanta[row]) for one, row in zip(allowed, chosen, strict=True)) == best
    assert best > min(int((a.wait_quanta[:, None] + b.wait_quanta)[a.buses[:, None] + b.buses <= 9].min()) for a, b in [patterns]) - 1
    for k, (cycle, row) in enumerate(zip(cycles, chosen, strict=True)):
        headways = patterns[k].headways_s[[row]]
        for starts, d in zip(route_starts(cycle, headways, demand.hours)[:2], cycle.directions_of(k), strict=True):
            assert longest_waits(starts, headways, demand.hours, flows.load_quanta[d], capacity * 1024)[0] <= 1500


@pytest.mark.parametrize(
    ("operation", "times", "wanted", "name"),
    [
        (
            Operation(max_wait_s=300),
            1,
            "no headway of route N1 keeps every wait within 5 minutes, the shortest leaves 10 between two buses; allow shorter headways or",
            "max_wait_s",
        ),
        (
            Operation(max_wait_s=900, capacity=6),
            20,
            (
                "route N1 keeps every wait within 15 minutes: buses of 6 riders leave some behind for the next, who wait 20 at the best; "
                "allow larger buses, shorter headways or a longer wait"
            ),
            "max_wait_s",
        ),
        (
            Operation(max_wait_s=900, fleet=3),
            1,
            r"waits of at most 15 minutes on 2 routes take \d+ buses, got a fleet of 3; allow a longer wait, more buses or fewer routes",
            "fleet",
        ),
    ],
)
def test_a_limit_on_waits_that_nothing_keeps_says_what_is_in_its_way(operation, times, wanted, name):
    network, demand, plan = crossing()
    with pytest.raises(InfeasibleError, match=wanted) as caught:
        build_timetable(network, replace(demand, trips=demand.trips * times), plan, operation)
    assert caught.value.setting == name


def test_the_rule_binds_where_the_buses_go_to_one_route():
    network, demand, directions, _, cycles, (busy, patterns) = parts(Operation())
    patterns = busy, replace(patterns, wait_quanta=patterns.wait_quanta // 1000)
    departures = group_departures(Districts.of(network, LABELS), directions, cycles, patterns, demand.hours, 4, np.ones(4, np.bool_))
    alone, together = (_chosen_patterns(patterns, Operation(fleet=5), rule) for rule in (None, departures))
    assert not departures.meets(alone)
    assert departures.meets(together)


@pytest.mark.parametrize("fleet", [2, 3, 4, 5, 6, None])
@pytest.mark.parametrize("least", [2, 4, 6])
def test_departures_of_districts_cost_the_least_waiting_of_all_choices(fleet, least):
    operation = Operation(fleet=fleet, min_departures=least)
    network, demand, directions, _, cycles, (busy, patterns) = parts(operation)
    patterns = busy, replace(patterns, wait_quanta=patterns.wait_quanta // 1000)  # so that the buses go to the first route
    districts = Districts.of(network, LABELS)
    departures = group_departures(districts, directions, cycles, patterns, demand.hours, least, np.ones(4, np.bool_))
    first, second = departures.counts
    keeps = np.stack([((counts + second)[:, departures.served] >= least).all(axis=(1, 2)) for counts in first])
    buses = patterns[0].buses[:, None] + patterns[1].buses
    waits = patterns[0].wait_quanta[:, None] + patterns[1].wait_quanta
    if fleet is None:
        left = [one.left_quanta == one.left_quanta.min() for one in patterns]
        keeps &= left[0][:, None] & left[1]
        fleet_allowed = buses[keeps].min()
    else:
        fleet_allowed = fleet
    keeps &= buses <= fleet_allowed
    if not keeps.any():
        with pytest.raises(InfeasibleError, match=f"{least} departures from every district in every hour take more than {fleet} buses"):
            rows_with_departures(patterns, departures, fleet)
        return
    rows = rows_with_departures(patterns, departures, fleet)
    assert _chosen_patterns(patterns, operation, departures) in {rows, _chosen_patterns(patterns, operation)}
    assert departures.meets(rows)
    assert buses[rows] <= fleet_allowed
    assert waits[rows] == waits[keeps].min()


def test_the_timetable_has_the_departures_that_were_asked_for():
    network, demand, plan = crossing()
    rows = [(hour, start, end, trips) for hour in demand.hours for start, end, trips in ((0, 4, 400.0), (5, 8, 1.0))]
    columns = dict(zip(("hour", "origin", "destination", "trips"), zip(*rows, strict=True), strict=True)) | {"night": [0] * len(rows)}
    demand = Demand.from_rows(9, columns, hours=demand.hours, grid=network.grid.fingerprint)
    served = dict.fromkeys(("west", "centre", "east", "north", "south"), 0)
    without, _ = build_timetable(network, demand, plan, Operation(fleet=5), min_count=-1)
    table, _ = build_timetable(network, demand, plan, Operation(fleet=5, min_departures=4), groups=LABELS, min_count=-1)
    districts = Districts.of(network, LABELS)
    counts = least_departures(districts, table.directions, table.run_direction, table.run_start_s, demand.hours)
    assert counts.min() >= 4
    assert set(districts.names) == set(served)
    assert least_departures(districts, without.directions, without.run_direction, without.run_start_s, demand.hours).min() < 4
    slow = np.zeros_like(counts)
    for row, start in zip(table.run_direction.tolist(), table.run_start_s.tolist(), strict=True):
        direction, left = table.directions[row], set()
        for position, stop in enumerate(direction.stops[:-1].tolist()):
            name = LABELS[network.stop_hex[stop]]
            hour = (start + int(direction.depart_s[position])) // HOUR_S
            if name not in left and hour in demand.hours:
                slow[districts.names.index(name), demand.hours.index(hour)] += 1
            left.add(name)
    assert slow.tolist() == counts.tolist()


def test_departures_that_cannot_be_had_name_district_and_hour():
    network, demand, plan = crossing()
    with pytest.raises(InfeasibleError, match=r"30 departures an hour cannot be had from centre in the hour 00: \d+ at the most"):
        build_timetable(network, demand, plan, Operation(min_departures=30), groups=LABELS)
    with pytest.raises(UsageError, match="needs districts, and this study has none"):
        build_timetable(network, demand, plan, Operation(min_departures=1))
    with pytest.raises(UsageError, match=r"needs the district of each of 9 hexes, got shape \(2,\)"):
        build_timetable(network, demand, plan, Operation(min_departures=1), groups=["a", "b"])


def test_one_headway_for_all_keeps_the_rules_or_says_that_it_cannot():
    network, demand, plan = crossing()
    rules = {"equal_headways": True, "min_departures": 4, "max_wait_s": 1800}
    table, _ = build_timetable(network, demand, plan, Operation(**rules), groups=LABELS)
    assert len(np.unique(table.headway_s)) == 1
    assert table.headway_s.max() <= 1800
    with pytest.raises(InfeasibleError, match="no headway that is the same on all routes gives every district its departures; let"):
        build_timetable(network, demand, plan, Operation(equal_headways=True, min_departures=9, fleet=6), groups=LABELS)


def test_safety_by_group_is_the_worst_of_its_hexes():
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, Operation(fleet=6))
    sheet, people = safety_sheet(network, table), np.arange(9.0) + 1
    rows = {row["group"]: row for row in safety_by_group(sheet, LABELS, people, Publisher(-1))}
    by_hex = {row["hex"]: row for row in sheet.rows()}
    for name, row in rows.items():
        mine = [by_hex[k] for k in np.flatnonzero(name == LABELS).tolist() if k in by_hex]
        assert row["n_hexes_reached"] == len(mine)
        assert row["longest_wait_s"] == max(one["longest_wait_s"] for one in mine)
        assert row["first"] == max(one["first"] for one in mine)
        assert row["last_home"] == min(one["last_home"] for one in mine)
        near = sum(one["area_share"] * people[one["hex"]] for one in mine)
        assert row["presence_share"] == pytest.approx(near / people[name == LABELS].sum(), abs=1e-3)
        within = sum(one["area_share"] * people[one["hex"]] for one in mine if one["longest_wait_s"] <= 1800)
        assert row["within_30_min_share"] == pytest.approx(within / near, abs=1e-3)
    few = safety_by_group(sheet, LABELS, people, Publisher(15))
    assert all(row["presence_share"] is None for row in few), "too few people to tell"
    assert [row["longest_wait_s"] for row in few] == [rows[row["group"]]["longest_wait_s"] for row in few]
    nowhere = safety_by_group(sheet, np.where(np.arange(9) == 8, "far", "near"), people, Publisher(-1))
    assert {row["group"] for row in nowhere} == {"far", "near"}


def test_limits_out_of_range_are_refused():
    with pytest.raises((UsageError, DataError), match="max_wait_s"):
        Operation(max_wait_s=10)
    with pytest.raises((UsageError, DataError), match="min_departures"):
        Operation(min_departures=-1)
