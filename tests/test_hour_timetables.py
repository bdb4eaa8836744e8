"""Where link times differ by hour, a run takes the times of the hour in which it starts: in timetables, journeys and feeds."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest

from owlbus import DataError, Demand, HexGrid, Network, Operation, Plan, Route, build_timetable, read_gtfs
from owlbus.gtfs import FeedInfo, check_gtfs, write_gtfs
from owlbus.network import with_hour_speeds
from owlbus.plan import route_links
from owlbus.timetable import rider_service, safety_sheet, timetable_document
from owlbus.timetable.rider_flows import find_riders
from owlbus.timetable.rider_journeys import Departures, follow_from
from owlbus.timetable.schedule import Direction, hour_rows

HOURS = (24, 25, 26, 27)
FACTORS = {0: 1.0, 1: 0.5, 2: 0.5, 3: 1.3}
FEED = FeedInfo(agency_timezone="Africa/Lagos")


@pytest.fixture(scope="module")
def network() -> Network:
    base = Network.from_lattice(HexGrid.cover([(3.3, 6.5), (3.42, 6.5), (3.42, 6.62), (3.3, 6.62)], n_hexes=110))
    return with_hour_speeds(base, {"hour": list(FACTORS), "factor": list(FACTORS.values())}, HOURS)


@pytest.fixture(scope="module")
def demand() -> Demand:
    rng = np.random.default_rng(3)
    n = 900
    rows = {name: rng.integers(0, 110, n) for name in ("origin", "destination")}
    rows |= {"night": np.zeros(n, int), "hour": rng.choice(HOURS, n), "trips": rng.integers(1, 40, n) / 4}
    return Demand.from_rows(110, {name: column[rows["origin"] != rows["destination"]] for name, column in rows.items()}, hours=HOURS)


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    return Plan(
        tuple(Route(network.shortest_path(*ends), f"N{k}") for k, ends in enumerate(((0, 109), (10, 99), (50, 60)))), network.fingerprint
    )


@pytest.fixture(scope="module")
def table(network, demand, plan):
    operation = Operation(min_headway_s=300, fleet=40, dwell_s=0)
    return build_timetable(network, demand, plan, operation, min_count=-1)[0]


def test_every_run_takes_the_link_times_of_its_hour(network, table):
    for row, start, end in zip(table.run_direction.tolist(), table.run_start_s.tolist(), table.run_end_s.tolist(), strict=True):
        direction, hour = table.directions[row], min(max(start // 3600, HOURS[0]), HOURS[-1])
        links = np.cumsum(route_links(network.at_hour(hour), direction.stops)[0])
        assert (direction.times_s(start)[0][1:] == links * 1000 // 1100).all()
        assert end - start == links[-1] * 1000 // 1100
    rides = table.directions[0].rides_s([hour * 3600 for hour in HOURS]).tolist()
    assert rides[0] > 1.8 * rides[1] == 1.8 * rides[2]
    assert table.directions[0].ride_s == rides[3] == max(rides)
    assert timetable_document(table)["routes"][0]["ride_by_hour_s"][0] == rides


def test_riders_board_the_first_bus_that_comes_even_if_it_started_later(network, demand, plan, table):
    """The buses of 01:00 take half as long as those of 00:59 and overtake them."""
    riders = find_riders(network, demand, plan)
    rng = np.random.default_rng(11)
    pair, ready_s = rng.integers(0, riders.first_stop.size, 400), rng.integers(HOURS[0] * 3600, 28 * 3600, 400)
    found = follow_from(riders, table.directions, Departures.of(table.run_direction, table.run_start_s), pair, ready_s, 60)
    overtaken = 0
    for k in range(pair.size):
        now = int(ready_s[k])
        for leg in (0, 1):
            row, on, off = (int(column[leg, pair[k]]) for column in (riders.direction, riders.board, riders.alight))
            if row < 0:
                continue
            direction = table.directions[row]
            starts = table.starts_s(row).astype(np.int64)
            leaves = np.array([start + direction.times_s(start)[1][on] for start in starts.tolist()])
            can = leaves >= now + leg * 60
            if not can.any():
                assert not found.caught[k]
                break
            run = int(np.flatnonzero(can)[np.argmin(leaves[can])])
            overtaken += run > np.flatnonzero(can)[0]
            assert (found.start_s[leg, k], found.wait_s[leg, k]) == (starts[run], leaves[run] - now)
            arrives = int(starts[run] + direction.times_s(int(starts[run]))[0][off])
            assert found.ride_s[leg, k] == arrives - leaves[run]
            now = arrives
    assert overtaken > 0, "the case that the kernel must get right occurs"


def test_service_and_safety_sheet_use_the_hour_of_the_run(network, demand, table):
    service = rider_service(network, demand, table)
    assert service.riders_trips > 0
    arrivals = [
        start + table.directions[row].times_s(start)[0][-1]
        for row, start in zip(table.run_direction.tolist(), table.run_start_s.tolist(), strict=True)
    ]
    assert max(row["last_home"] for row in safety_sheet(network, table).rows()) == _clock(max(arrivals))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


@pytest.mark.parametrize("frequencies", [False, True])
def test_a_feed_has_the_times_of_each_run_and_is_read_back(network, table, tmp_path, frequencies):
    path = tmp_path / "gtfs.zip"
    write_gtfs(path, network, table, FEED, frequencies=frequencies)
    check = check_gtfs(path, FEED.start_date)
    assert (check.errors, check.warnings) == (0, 0), check.lines
    again = read_gtfs(path, network)
    assert [direction.hours for direction in again.directions] == [direction.hours for direction in table.directions]
    for ours, read in zip(table.directions, again.directions, strict=True):
        assert np.array_equal(ours.hour_arrive_s, read.hour_arrive_s)
    if not frequencies:
        assert again.equals(table)
        with zipfile.ZipFile(path) as feed:
            rows = list(csv.DictReader(io.StringIO(feed.read("stop_times.txt").decode())))
        ends = {row["trip_id"]: row["arrival_time"] for row in rows}
        assert [ends[f"t{run}"] for run in range(table.n_runs)] == [_clock(end) for end in table.run_end_s.tolist()]


def test_times_by_hour_are_checked():
    times = [[0, 190, 400], [0, 150, 310]]
    direction = Direction.by_hour(0, [4, 2, 7], [0, 1000, 2000], (24, 25), times, times, back=False)
    assert direction.arrive_s.tolist() == [0, 190, 400]
    assert Direction.by_hour(0, [4, 2], [0, 9], (24, 25), [[0, 5]] * 2, [[0, 5]] * 2, back=False).hours == ()
    columns = (0, False, [4, 2, 7], [0, 190, 400], [0, 190, 400], [0, 1000, 2000])
    with pytest.raises(DataError, match="direction 0a needs a time at each of 3 stops for each of 2 hours"):
        Direction(*columns, (24, 25), times[:1], times[:1])
    with pytest.raises(DataError, match="must have the longest times of its hours as its times"):
        Direction(*columns, (24,), times[1:], times[1:])
    with pytest.raises(DataError, match="must start at 0 s, end as it arrives and go forward"):
        Direction(*columns, (24, 25), [times[0], [0, 200, 100]], [times[0], [0, 200, 100]])
    assert hour_rows((), [5, 9]).tolist() == [0, 0]
