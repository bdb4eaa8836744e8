"""Mixed fleets: bus types and headways against all choices tried one by one, the table that names them, and what is written."""

from __future__ import annotations

import csv
import itertools
import json
import zipfile
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_driver_duties import town_run
from test_equal_service import LABELS
from test_timetable import crossing

from owlbus import DataError, InfeasibleError, Operation, UsageError, build_timetable
from owlbus.cli.app import run as run_command
from owlbus.common.disclosure import Publisher
from owlbus.common.units import HOUR_S
from owlbus.network import with_hour_speeds
from owlbus.plan import Route
from owlbus.timetable import BusType, UnitCosts, read_bus_types, rider_service, timetable_document
from owlbus.timetable.choose_bus_types import choose_bus_types, pattern_costs
from owlbus.timetable.choose_service import Supply, choose_service
from owlbus.timetable.day_routes import with_idle_routes
from owlbus.timetable.equal_service import Districts, group_departures
from owlbus.timetable.headways import headway_patterns, route_cycles
from owlbus.timetable.pattern_costs import pattern_work
from owlbus.timetable.rider_flows import find_riders, flows_of
from owlbus.timetable.schedule import outer_first, plan_directions
from owlbus.timetable.type_totals import night_cost, vehicle_rows

if TYPE_CHECKING:
    from pathlib import Path

SMALL = BusType("small", capacity=8, available=4, per_bus=20.0)
LARGE = BusType("large", capacity=40, available=3, per_bus=60.0, per_km=2.0, per_hour=50.0)
COSTS = UnitCosts()


def parts(operation: Operation, *, times: float = 1.0):
    """Patterns of two routes by bus type, with the work of their buses, and all that they are made of."""
    network, demand, plan = crossing()
    demand = replace(demand, trips=demand.trips * times)
    directions = plan_directions(network, plan, operation)
    flows = flows_of(find_riders(network, demand, plan), directions, 300)
    cycles = route_cycles(directions, outer_first(network, demand, plan, Publisher(-1)), operation)
    by_type = [headway_patterns(cycles, flows, demand.hours, replace(operation, capacity=each.capacity)) for each in operation.bus_types]
    has_runs = np.ones(4, np.bool_)
    headways_s = by_type[0][0].headways_s
    work = [pattern_work(cycle, k, directions, has_runs, headways_s, demand.hours) for k, cycle in enumerate(cycles)]
    supply = Supply(directions, cycles, flows, demand.hours, has_runs, plan.names)
    return network, supply, by_type, work


def brute(operation, by_type, work, keeps=None):
    """Least riders left behind, waiting and cost of all choices of two types and two patterns."""
    best = None
    for kinds in itertools.product(range(len(operation.bus_types)), repeat=2):
        patterns = [by_type[kind][k] for k, kind in enumerate(kinds)]
        types = [operation.bus_types[kind] for kind in kinds]
        buses = [each.buses for each in patterns]
        fits = np.ones((buses[0].size, buses[1].size), np.bool_) if keeps is None else keeps.copy()
        for each in operation.bus_types:
            used = sum(
                (np.where(types[k] is each, buses[k], 0)[:, None] if k == 0 else np.where(types[k] is each, buses[k], 0)[None, :])
                for k in (0, 1)
            )
            fits &= used <= each.available
        fits &= buses[0][:, None] + buses[1] <= (operation.fleet or 10**6)
        costs = [pattern_costs(patterns[k], work[k], types[k], COSTS) for k in (0, 1)]
        cost = costs[0][:, None] + costs[1]
        fits &= cost <= (operation.budget or 1e12) + 1e-9
        if operation.equal_headways:
            headways = by_type[0][0].headways_s
            common = (headways == headways[:, :1]).all(axis=1)
            fits &= np.eye(buses[0].size, dtype=np.bool_) & common
        left = patterns[0].left_quanta[:, None] + patterns[1].left_quanta
        wait = patterns[0].wait_quanta[:, None] + patterns[1].wait_quanta
        rows = np.argwhere(fits)
        found = [(int(left[i, j]), int(wait[i, j]), round(float(cost[i, j]), 6)) for i, j in rows.tolist()]
        if operation.equal_headways:
            found = [(int(by_type[0][0].headways_s[i, 0]), *each) for (i, _), each in zip(rows.tolist(), found, strict=True)]
        best = min(filter(None, [best, *found]), default=None)
    return best


def figures(choice, operation, by_type, work):
    """Riders left behind, waiting and cost of a choice, and its buses by type."""
    patterns = [by_type[kind][k] for k, kind in enumerate(choice.kinds)]
    rows = choice.rows
    cost = sum(float(pattern_costs(patterns[k], work[k], operation.bus_types[kind], COSTS)[rows[k]]) for k, kind in enumerate(choice.kinds))
    sums = [sum(int(getattr(each, name)[row]) for each, row in zip(patterns, rows, strict=True)) for name in ("left_quanta", "wait_quanta")]
    return (*sums, round(cost, 6))


@pytest.mark.parametrize("times", [0.5, 1, 4])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fleet": 5},
        {"budget": 800.0},
        {"budget": 420.0},
        {"budget": 500.0, "fleet": 4},
        {"equal_headways": True},
        {"equal_headways": True, "budget": 600.0},
    ],
)
def test_types_and_headways_are_the_best_of_all_choices(times, changes):
    operation = Operation(bus_types=(SMALL, LARGE), **changes)
    _, _, by_type, work = parts(operation, times=times)
    best = brute(operation, by_type, work)
    assert best is not None
    choice = choose_bus_types(by_type, work, operation, COSTS)
    assert figures(choice, operation, by_type, work) == best[-3:]


def test_a_budget_and_the_numbers_of_buses_change_what_is_best():
    """Else the test above would compare the same choice with itself."""
    made = {}
    for name, changes in {"free": {}, "poor": {"budget": 420.0}, "few": {"fleet": 4}}.items():
        operation = Operation(bus_types=(SMALL, LARGE), **changes)
        _, _, by_type, work = parts(operation, times=4)
        made[name] = figures(choose_bus_types(by_type, work, operation, COSTS), operation, by_type, work)
    assert len(set(made.values())) == 3
    assert made["free"][:2] < made["poor"][:2]
    assert made["poor"][2] <= 420 < made["free"][2]


@pytest.mark.parametrize("least", [2, 4])
def test_departures_of_districts_hold_in_a_mixed_fleet_too(least):
    operation = Operation(bus_types=(SMALL, LARGE), fleet=6, min_departures=least)
    network, supply, by_type, work = parts(operation)
    districts = Districts.of(network, LABELS)
    departures = group_departures(districts, supply.directions, supply.cycles, by_type[0], supply.hours, least, supply.has_runs)
    first, second = departures.counts
    keeps = np.stack([((counts + second)[:, departures.served] >= least).all(axis=(1, 2)) for counts in first])
    best = brute(operation, by_type, work, keeps)
    choice = choose_bus_types(by_type, work, operation, COSTS, departures)
    assert departures.meets(choice.rows)
    assert figures(choice, operation, by_type, work) == best


@pytest.mark.parametrize("both_ends", [0, 10_000_000])
@pytest.mark.parametrize("speeds", [None, {"hour": [0, 1, 2], "factor": [1.0, 1.4, 0.8]}])
def test_work_of_a_pattern_is_that_of_its_timetable(both_ends, speeds):
    """Metres and seconds are counted before there are blocks, and are those of the blocks."""
    network, demand, plan = crossing()
    if speeds is not None:
        network = with_hour_speeds(network, speeds, demand.hours)
        plan = replace(plan, network_fingerprint=network.fingerprint)
    for fleet in (4, 6, 8):
        operation = Operation(bus_types=(replace(SMALL, available=fleet),), both_ends_from_m=both_ends, max_offset_s=0)
        table, _ = build_timetable(network, demand, plan, operation, min_count=-1)
        directions = plan_directions(network, plan, operation)
        flows = flows_of(find_riders(network, demand, plan), directions, 300)
        cycles = route_cycles(directions, outer_first(network, demand, plan, Publisher(-1)), operation)
        service = choose_service(Supply(directions, cycles, flows, demand.hours, np.ones(4, np.bool_), plan.names), operation, COSTS)
        rows = [service.route_patterns[k].headways_s[[row]] for k, row in enumerate(service.rows)]
        work = [pattern_work(cycles[k], k, directions, np.ones(4, np.bool_), rows[k], demand.hours) for k in (0, 1)]
        assert sum(int(each.vehicle_m[0]) for each in work) == table.vehicle_m
        assert sum(int(each.vehicle_s[0]) for each in work) == table.vehicle_s
        assert sum(int(service.route_patterns[k].buses[row]) for k, row in enumerate(service.rows)) == table.fleet


def test_one_type_with_room_for_all_is_a_fleet_of_that_size():
    network, demand, plan = crossing()
    alike, first = build_timetable(network, demand, plan, Operation(fleet=6, capacity=1_000))
    of_one, second = build_timetable(network, demand, plan, Operation(bus_types=(BusType("one", 1_000, 6, 45.0),)))
    assert np.array_equal(alike.run_start_s, of_one.run_start_s)
    assert np.array_equal(alike.run_block, of_one.run_block)
    assert first.wait_s == second.wait_s
    assert second.uncrowded_fleet is None, "more buses may be of a type of which there are no more"


def test_a_busy_route_gets_the_large_buses_and_its_places_count():
    network, demand, plan = crossing()
    is_first = np.isin(demand.origin, [0, 4]) & np.isin(demand.destination, [0, 4])
    demand = replace(demand, trips=np.where(is_first, demand.trips * 4, demand.trips / 8))
    operation = Operation(bus_types=(SMALL, LARGE))
    table, report = build_timetable(network, demand, plan, operation, min_count=-1)
    assert [each.name for each in table.bus_types] == ["large", "small"]
    assert len(np.unique(table.run_block[table.run_direction // 2 == 0])) <= LARGE.available
    riders = rider_service(network, demand, table, operation)
    for row, capacity in ((0, 40), (1, 40), (2, 8), (3, 8)):
        hours, runs = np.unique(table.starts_s(row) // HOUR_S - 24, return_counts=True)
        inside = hours < 3
        assert riders.places[row][hours[inside]].tolist()[:2] == (capacity * runs[inside]).tolist()[:2]
    assert report.left_trips >= 0


def test_totals_by_type_add_up_and_each_bus_has_its_row():
    network, demand, plan = crossing()
    operation = Operation(bus_types=(SMALL, LARGE, BusType("spare", 8, 1, 9_999.0)), fleet=6)
    is_first = np.isin(demand.origin, [0, 4]) & np.isin(demand.destination, [0, 4])
    demand = replace(demand, trips=np.where(is_first, demand.trips * 4, demand.trips / 8))
    table, report = build_timetable(network, demand, plan, operation, costs=COSTS, min_count=-1)
    document = timetable_document(table, report, COSTS)
    rows = {row["type"]: row for row in document["bus_types"]}
    assert sum(row["buses"] for row in rows.values()) == table.fleet == document["fleet"]
    assert sum(row["vehicle_km"] for row in rows.values()) == pytest.approx(table.vehicle_m / 1000, abs=0.2)
    assert sum(row["vehicle_hours"] for row in rows.values()) == pytest.approx(table.vehicle_s / HOUR_S, abs=0.02)
    assert sum(row["cost"] for row in rows.values()) == pytest.approx(document["cost"]["total"], abs=0.03)
    for row in rows.values():
        cost = row["per_km"] * row["vehicle_km"] + row["per_hour"] * row["vehicle_hours"] + row["per_bus"] * row["buses"]
        assert row["cost"] == pytest.approx(cost, abs=1)
    assert rows["spare"]["buses"] == rows["spare"]["cost"] == 0
    assert document["cost"]["basis"] == "costs by bus type; assumption, not an operator's figures: per_km, per_hour"
    assert "per_km" not in document["cost"]
    vehicles = vehicle_rows(table, "weekend_")
    assert [row["block_id"] for row in vehicles] == [f"weekend_b{block}" for block in range(table.fleet)]
    assert sum(row["runs"] for row in vehicles) == table.n_runs
    assert {row["bus_type"] for row in vehicles} <= {"small", "large", "spare"}


def test_buses_change_routes_within_their_type_alone():
    network, demand, plan = crossing()
    plan = replace(plan, routes=(Route([0, 1, 2, 3, 4], "N1"), Route([4, 3, 2, 7, 8], "N2")))
    demand = replace(demand, trips=demand.trips / 8)
    one = replace(SMALL, available=9)
    joined, _ = build_timetable(network, demand, plan, Operation(bus_types=(one,), interline=True), min_count=-1)
    changes = [block for block in range(joined.fleet) if len(set((joined.run_direction // 2)[joined.run_block == block].tolist())) > 1]
    assert changes, "some bus changes its route"
    with pytest.raises(DataError, match=f"a bus must be of one type, bus {changes[0]} runs on routes of two"):
        replace(joined, bus_types=(one, LARGE))
    with pytest.raises(DataError, match="each of 2 routes with runs needs a bus type, got 1 for 2 routes"):
        replace(joined, bus_types=(one,))
    few = tuple(replace(one, name=name, available=joined.fleet - 1) for name in ("first", "second"))
    apart, _ = build_timetable(network, demand, plan, Operation(bus_types=few, interline=True, max_headway_s=600), min_count=-1)
    assert apart.bus_types[0] != apart.bus_types[1]


def test_routes_that_do_not_run_have_no_type():
    network, demand, plan = crossing()
    part = replace(plan, routes=plan.routes[1:])
    operation = Operation(bus_types=(SMALL, LARGE))
    table, _ = build_timetable(network, demand, part, operation, min_count=-1)
    whole = with_idle_routes(network, plan, table, operation)
    assert whole.bus_types == (None, table.bus_types[0])
    assert whole.bus_types[1] is not None
    assert not whole.equals(replace(whole, bus_types=(None, replace(whole.bus_types[1], capacity=9))))


def test_the_night_costs_no_more_than_the_budget():
    network, demand, plan = crossing()
    for budget in (400.0, 500.0, 700.0):
        table, _ = build_timetable(network, demand, plan, Operation(bus_types=(SMALL, LARGE), budget=budget), min_count=-1)
        assert night_cost(table, COSTS) <= budget + 0.01


@pytest.mark.parametrize(
    ("changes", "message", "setting"),
    [
        (
            {"bus_types": (replace(SMALL, available=1),), "max_headway_s": 600},
            r"a headway of at most 10 minutes on 2 routes takes \d+ buses, got 1 \(small 1\); allow a longer headway",
            "bus_types",
        ),
        ({"fleet": 1}, r"on 2 routes takes \d+ buses, got 1; allow a longer headway, more buses or fewer routes", "bus_types"),
        ({"budget": 12.5}, r"on 2 routes costs \d+ EUR a night at least, got a budget of 12.5; allow a higher budget", "budget"),
        (
            {"bus_types": (replace(SMALL, available=1), replace(LARGE, available=1)), "max_headway_s": 1500, "min_headway_s": 1500},
            r"takes \d+ buses, got 2 \(small 1, large 1\)",
            "bus_types",
        ),
        (
            {"bus_types": tuple(BusType(f"t{k}", 40, 1, 1.0) for k in range(9)), "max_headway_s": 1200},
            r"2 routes, one type on each, cannot have it from 9 buses \(t0 1, t1 1,",
            "bus_types",
        ),
        (
            {"max_wait_s": 900, "bus_types": (SMALL,)},
            "no headway of route N1 keeps every wait within 15 minutes: buses of 8 riders leave some behind for the next, who wait",
            "max_wait_s",
        ),
    ],
)
def test_what_no_choice_keeps_is_refused_with_the_limit_in_its_way(changes, message, setting):
    network, demand, plan = crossing()
    operation = Operation(**{"bus_types": (SMALL, LARGE), **changes})
    with pytest.raises(InfeasibleError, match=message) as caught:
        build_timetable(network, replace(demand, trips=demand.trips * 4), plan, operation, min_count=-1)
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 100.0}, "budget limits what buses of given types cost, and no types are given; add bus_types"),
        ({"budget": 100.0, "bus_types": (SMALL,), "interline": True}, "and interline lets them change; leave one of them out"),
        ({"bus_types": (SMALL, SMALL)}, "bus_types must have a name each, got small 4, small 4; rename one"),
        ({"bus_types": (SMALL,), "budget": -1.0}, r"budget must lie in \[0.01, 1e\+15\], got -1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        Operation(**changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"capacity": 0}, r"capacity must lie in \[1, 1000\], got 0"),
        ({"available": 0}, r"available must lie in \[1, 10000\], got 0"),
        ({"per_bus": -1.0}, r"per_bus must lie in \[0, 1e\+09\], got -1"),
        ({"per_km": float("nan")}, "per_km must lie in"),
    ],
)
def test_a_type_out_of_range_is_refused(values, message):
    with pytest.raises(UsageError, match=message):
        replace(SMALL, **values)


def test_a_table_gives_types_and_an_empty_cost_is_none(tmp_path):
    file = tmp_path / "buses.csv"
    file.write_text("type,capacity,available,cost_bus,cost_km\nmidi bus,30,12,35.5,\nlarge,75,8,60,1.8\n", encoding="utf-8")
    assert read_bus_types(file) == (
        BusType("midi bus", 30, 12, 35.5, None, None),
        BusType("large", 75, 8, 60.0, 1.8, None),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type,capacity,available\na,1,1\n", "'cost_bus' is missing among type, capacity, available; bus types need the columns type,"),
        ("type,capacity,available,cost_bus\n", "holds no rows"),
        ("type,capacity,available,cost_bus\na,1,1,1\n ,2,2,2\n", r"type must name each bus type, got none in row 2 \(1 such rows\)"),
        (
            "type,capacity,available,cost_bus\na,1,1,1\nb,1,1,1\na,2,2,2\n",
            r"type must stand in one row, got 'a' in rows 1, 3 \(1 such types\)",
        ),
        ("type,capacity,available,cost_bus\na,0,1,1\n", r"capacity must be a number in \[1, 1000\], got '0' in row 1 \(1 such rows\)"),
        ("type,capacity,available,cost_bus\na,9.5,1,1\n", r"capacity must be a whole number, got '9.5' in row 1 \(1 such rows\)"),
        ("type,capacity,available,cost_bus\na,9,many,1\n", r"available must be a number in \[1, 10000\], got 'many' in row 1"),
        ("type,capacity,available,cost_bus\na,9,1,-3\n", r"cost_bus must be a number in \[0, 1e\+09\], got '-3' in row 1"),
        (
            "type,capacity,available,cost_bus,cost_km\na,9,1,3,\nb,9,1,3,-1\n",
            r"cost_km must be a number in \[0, 1e\+09\], got '-1' in row 2",
        ),
    ],
)
def test_a_table_that_is_not_clear_is_refused(text, message, tmp_path):
    file = tmp_path / "buses.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_bus_types(file)


BUSES = "type,capacity,available,cost_bus,cost_km\nmidi,12,6,35,0.8\nlarge,60,4,70,\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a town, with a table of buses beside it."""
    folder = tmp_path_factory.mktemp("town")
    run = town_run(folder)
    (folder / "buses.csv").write_text(BUSES, encoding="utf-8")
    return run


def test_the_command_writes_types_by_route_and_the_vehicles_of_the_feed(town, tmp_path, capsys):
    buses, out = town.parent / "buses.csv", tmp_path / "out"
    words = ["timetable", str(town), "--agency-timezone", "Asia/Seoul", "--bus-types", str(buses), "--cost-hour", "30"]
    assert run_command([*words, "--days", "sun-thu=60,fri-sat=30", "--out", str(out), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    vehicles = list(csv.DictReader((out / "vehicles.csv").read_text("utf-8").splitlines()))
    with zipfile.ZipFile(out / "gtfs.zip") as feed:
        trips = list(csv.DictReader(feed.read("trips.txt").decode().splitlines()))
    assert {row["block_id"] for row in vehicles} == {row["block_id"] for row in trips}
    number = Counter(row["block_id"] for row in trips)
    assert all(int(row["runs"]) == number[row["block_id"]] for row in vehicles)
    for night in document["day_types"]:
        figures = night["timetable"]
        types = {row["type"]: row for row in figures["bus_types"]}
        assert types["midi"]["per_hour"] == types["large"]["per_hour"] == 30
        assert (types["midi"]["per_km"], types["large"]["per_km"]) == (0.8, 1.0)
        assert figures["cost"]["basis"] == "costs by bus type; assumption, not an operator's figures: per_km"
        own = [row["bus_type"] for row in vehicles if row["day_type"] == night["name"]]
        assert {name: own.count(name) for name in types} == {name: row["buses"] for name, row in types.items()}
        assert all(row["buses"] <= row["available"] for row in types.values())
        assert {row["bus_type"] for row in figures["routes"]} <= set(types)
    page = (out / "timetable.html").read_text("utf-8")
    assert "Bus types" in page
    assert "riders a bus" in page
    sheet = (out / "tables" / "timetable.csv").read_text("utf-8-sig").splitlines()[0].split(",")
    assert sheet[:4] == ["day_type", "route", "bus_type", "buses"]


def test_the_terminal_shows_the_type_of_each_route_and_the_budget(town, capsys):
    words = ["timetable", str(town), "--agency-timezone", "Asia/Seoul", "--bus-types", str(town.parent / "buses.csv"), "--budget", "90000"]
    own = ["--currency", "KRW", "--cost-km", "3", "--cost-hour", "20"]
    assert run_command([*words, *own]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "bus_type" in page
    assert "Budget: 90,000 KRW a night." in page
    assert "KRW a night (costs by bus type)" in page


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--bus-types", "FILE", "--capacity", "30"], 2, "gives each type its capacity, and --capacity gives all buses one; leave one"),
        (
            ["--bus-types", "FILE", "--cost-bus", "30"],
            2,
            "gives each type its cost per bus, and --cost-bus gives all buses one; leave --cost-bus",
        ),
        (["--budget", "30"], 2, "--budget limits what buses of given types cost, and no types are given; add --bus-types"),
        (["--bus-types", "FILE", "--budget", "30", "--interline"], 2, "--interline lets them change; leave one of them out"),
        (["--bus-types", "FILE", "--budget", "3"], 4, "EUR a night at least, got a budget of 3; allow a higher budget"),
        (["--bus-types", "FILE", "--currency", "KRW"], 2, "costs in KRW must all be given, got none for --cost-km, --cost-hour"),
        (["--bus-types", "absent.csv"], 3, "absent.csv"),
    ],
)
def test_the_command_refuses_in_one_line(words, code, message, town, capsys):
    given = [str(town.parent / "buses.csv") if word == "FILE" else word for word in words]
    assert run_command(["timetable", str(town), "--agency-timezone", "Asia/Seoul", *given]) == code
    assert message in capsys.readouterr().err
