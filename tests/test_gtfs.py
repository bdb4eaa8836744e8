"""Feeds: the same bytes every time, read back equal, clean for two validators, two readers and a router of other hands."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import json
import random
import re
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st
from test_timetable import HOURS, crossing

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import OutputError
from owlbus.common.units import HOUR_S, NightWindow, parse_time
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.gtfs import (
    FeedInfo,
    check_gtfs,
    gtfs_bytes,
    read_gtfs,
    write_gtfs,
)
from owlbus.gtfs.frequencies import periods_of
from owlbus.network import Network
from owlbus.pipeline import Sources, build_study
from owlbus.plan import Plan, Route, read_plan
from owlbus.timetable import (
    Direction,
    Operation,
    Timetable,
    build_timetable,
    clock_time,
)
from owlbus.timetable.rider_flows import find_riders
from owlbus.timetable.rider_journeys import Departures, follow_from

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.timetable.rider_flows import Riders

FEED = FeedInfo.after(dt.date(2013, 3, 17), "Asia/Seoul")
NIGHT = dt.date(2013, 4, 10)


def small() -> tuple[Network, Demand, Timetable]:
    """Two crossing routes with their timetable."""
    network, demand, plan = crossing()
    table, _ = build_timetable(network, demand, plan, Operation(min_headway_s=1200, fleet=6))
    return network, demand, table


def rows_of(data: bytes, name: str) -> list[dict[str, str]]:
    """Rows of one table of a feed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))


def rewritten(path: Path, data: bytes, name: str, change) -> Path:
    """Write a feed with one table changed, or left out where the change is None."""
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
            elif change is not None:
                new.writestr(entry, change(old.read(entry).decode()))
    return path


def test_the_same_timetable_gives_the_same_bytes_in_any_year(tmp_path):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED)
    write_gtfs(tmp_path / "a.zip", network, table, FEED)
    assert (tmp_path / "a.zip").read_bytes() == data == gtfs_bytes(network, table, FEED)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_feed_comes_back_equal(tmp_path):
    network, _, table = small()
    write_gtfs(tmp_path / "a.zip", network, table, FEED)
    again = read_gtfs(tmp_path / "a.zip", network)
    assert again.equals(table)
    assert again.headway_s.tolist() == table.headway_s.tolist()
    assert again.run_block.tolist() == table.run_block.tolist()
    assert again.fleet == table.fleet


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=30)


@given(
    st.lists(texts, min_size=2, max_size=2, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 36 * HOUR_S)), min_size=1, max_size=12, unique=True),
    st.booleans(),
)
@settings(max_examples=40)
def test_any_timetable_comes_back_equal(tmp_path_factory, names, runs, loop):
    """Names in any script, quotes and commas in them, runs of one direction only, loops."""
    network, _ = city(4, [(0, 1), (1, 2), (2, 0), (2, 3)], {})
    stops = [[0, 1, 2, 0] if loop else [0, 1, 2], [1, 2, 3]]
    plan = Plan(tuple(Route(row, name) for row, name in zip(stops, names, strict=True)), network.fingerprint)
    times = [np.cumsum([0] + [200] * (len(row) - 1)) for row in stops]
    ways = [Direction(k, side, stops[k][:: -1 if side else 1], times[k], times[k], times[k] * 5) for k in (0, 1) for side in (0, 1)]
    runs = sorted((start, way) for way, start in {*runs, (0, 90_000), (2, 90_000)})
    columns = [way for _, way in runs], [start for start, _ in runs], list(range(len(runs)))
    table = Timetable(plan, HOURS, tuple(ways), *columns)
    path = tmp_path_factory.mktemp("feed") / "a.zip"
    write_gtfs(path, network, table, FEED)
    assert read_gtfs(path, network).equals(table)


def test_even_headways_are_written_as_frequencies_and_come_back_as_the_same_runs(tmp_path):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED, frequencies=True)
    write_gtfs(tmp_path / "a.zip", network, table, FEED, frequencies=True)
    assert (tmp_path / "a.zip").read_bytes() == data
    trips, rows = rows_of(data, "trips.txt"), rows_of(data, "frequencies.txt")
    assert len(trips) == len(np.unique(table.run_direction)) < table.n_runs
    assert {row["block_id"] for row in trips} == {""}, "a row that stands for many runs cannot name one bus"
    assert {row["exact_times"] for row in rows} == {"1"}
    assert len(rows_of(data, "stop_times.txt")) == sum(len(table.directions[row].stops) for row in np.unique(table.run_direction))
    again = read_gtfs(tmp_path / "a.zip", network)
    assert again.equals(table), "routes, headways and, with rests as usual, buses too"
    assert again.headway_s.tolist() == table.headway_s.tolist()


@given(st.lists(st.integers(0, 3 * HOUR_S // 300).map(lambda n: 300 * n) | st.integers(0, 9_000), min_size=1, max_size=20, unique=True))
def test_periods_hold_exactly_the_starts_and_follow_each_other(starts):
    periods = periods_of(np.array(sorted(starts)))
    assert [start for period in periods for start in range(*period)] == sorted(starts)
    for period, after in itertools.pairwise(periods):
        assert period.end_s <= after.first_s
    for period in periods:
        last = range(*period)[-1]
        assert last < period.end_s <= max(last + period.headway_s - 1, last + 1)


def test_two_runs_at_the_same_second_stand_in_rows_of_their_own(tmp_path):
    network, _, table = small()
    twin = Timetable(table.plan, HOURS, table.directions, [0, 0, 0, 1, 2], [86_400, 86_400, 90_000, 90_000, 90_000], [0, 1, 2, 3, 4])
    write_gtfs(tmp_path / "a.zip", network, twin, FEED, frequencies=True)
    again = read_gtfs(tmp_path / "a.zip", network)
    assert (again.run_direction.tolist(), again.run_start_s.tolist()) == (twin.run_direction.tolist(), twin.run_start_s.tolist())
    assert again.fleet == 4, "the bus that came first is ready for the way back"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r",\d+,1", ",0,1", text),
        lambda text: re.sub(r"t\d+,[\d:]+", lambda found: found[0].split(",")[0] + ",soon", text),
        lambda text: re.sub(r"\d\d:\d\d:\d\d", "24:00:00", text),
    ],
)
def test_a_trip_none_of_whose_headways_can_be_used_does_not_run_at_all(tmp_path, change):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED, frequencies=True)
    with pytest.raises(DataError, match=r"a feed needs a run, got none"):
        read_gtfs(rewritten(tmp_path / "a.zip", data, "frequencies.txt", change), network)


def test_on_another_network_stops_are_found_by_their_place(tmp_path):
    network, _, table = small()
    write_gtfs(tmp_path / "a.zip", network, table, FEED)
    moved = replace(network, stop_names=tuple(f"Halt {n}" for n in range(network.n_stops)), stop_lon=network.stop_lon + 1e-4)
    again = read_gtfs(tmp_path / "a.zip", moved)
    assert moved.fingerprint != network.fingerprint
    assert [route.stops.tolist() for route in again.plan] == [route.stops.tolist() for route in table.plan]
    assert again.run_start_s.tolist() == table.run_start_s.tolist()
    far = replace(network, stop_lon=network.stop_lon + 1)
    with pytest.raises(DataError, match=r"stop 's0' lies \d+ m from the nearest stop of the network, allowed are 1500 m \(9 of 9 stops\)"):
        read_gtfs(tmp_path / "a.zip", far)


def test_names_are_written_so_that_they_come_back(tmp_path):
    network, demand, plan = crossing()
    network = replace(network, stop_names=('Gangnam, "exit 3"', "강남역", *(f"Stop {n}" for n in range(7))))
    plan = Plan((Route(plan.routes[0].stops, 'N1, "owl"'), Route(plan.routes[1].stops, "Owl Line to the Airport")), network.fingerprint)
    table, _ = build_timetable(network, demand, plan, Operation(min_headway_s=1800))
    feed = replace(FEED, colours={'N1, "owl"': "ffff00"}, translations={"ko": {'N1, "owl"': "올빼미", "Stop 1": "정류장"}})
    data = gtfs_bytes(network, table, feed)
    assert [row["stop_name"] for row in rows_of(data, "stops.txt")][:2] == ['Gangnam, "exit 3"', "강남역"]
    first, second = rows_of(data, "routes.txt")
    assert (first["route_short_name"], first["route_color"], first["route_text_color"]) == ('N1, "owl"', "FFFF00", "000000")
    assert (second["route_short_name"], second["route_long_name"]) == ("", "Owl Line to the Airport")
    assert {(row["table_name"], row["translation"]) for row in rows_of(data, "translations.txt")} == {
        ("routes", "올빼미"),
        ("stops", "정류장"),
    }
    (tmp_path / "a.zip").write_bytes(data)
    assert read_gtfs(tmp_path / "a.zip", network).equals(table)
    check = check_gtfs(tmp_path / "a.zip", feed.start_date)
    assert (check.errors, check.warnings, check.lines) == (0, 0, ())


def test_distances_of_stops_and_shapes_are_the_metres_of_the_links():
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED)
    ends = {row["shape_id"]: float(row["shape_dist_traveled"]) for row in rows_of(data, "shapes.txt")}
    assert ends == {f"d{row}": 4000.0 for row in range(4)}
    trip = [row for row in rows_of(data, "stop_times.txt") if row["trip_id"] == "t0"]
    assert [row["shape_dist_traveled"] for row in trip] == ["0", "1000", "2000", "3000", "4000"]
    assert [row["timepoint"] for row in trip] == ["1", "0", "0", "0", "1"]
    transfers = rows_of(data, "transfers.txt")
    assert [(row["from_stop_id"], row["min_transfer_time"]) for row in transfers] == [("s2", "60")]


def test_exceptions_of_the_calendar_are_written_and_dates_follow_them():
    network, _, table = small()
    friday, saturday = dt.date(2013, 3, 22), dt.date(2013, 3, 23)
    feed = replace(FEED, weekdays=("friday",), added=(saturday,), removed=(friday,))
    rows = rows_of(gtfs_bytes(network, table, feed), "calendar_dates.txt")
    assert [(row["date"], row["exception_type"]) for row in rows] == [("20130322", "2"), ("20130323", "1")]
    assert feed.dates[:2] == (saturday, dt.date(2013, 3, 29))
    assert "calendar_dates.txt" not in zipfile.ZipFile(io.BytesIO(gtfs_bytes(network, table, FEED))).namelist()


def test_a_feed_starts_on_the_monday_after_the_last_night():
    assert (FEED.start_date, FEED.end_date) == (dt.date(2013, 3, 18), dt.date(2013, 9, 15))
    assert FeedInfo.after(dt.date(2013, 3, 18), "Asia/Seoul").start_date == dt.date(2013, 3, 25)
    assert FeedInfo.after(None, "Asia/Seoul").start_date == dt.date(2026, 1, 5)


@pytest.mark.parametrize(
    ("settings_of_feed", "message"),
    [
        ({"agency_timezone": "Mars"}, "agency_timezone must be an IANA name"),
        ({"agency_url": "here"}, "a feed needs an agency and its web page as http:// or https://"),
        ({"end_date": dt.date(2000, 1, 1)}, "a feed must start before it ends, got 2026-01-05 to 2000-01-01"),
        ({"weekdays": ("Friday",)}, "weekdays must be some of monday, .* got Friday"),
        ({"weekdays": ()}, "weekdays must be some of monday, .* got none"),
        ({"colours": {"N1": "red"}}, r"a colour must read RRGGBB, such as 1B4F9C, got 'red' \(1 such\)"),
        ({"added": (NIGHT,), "removed": (NIGHT,)}, r"a night is either added or removed, got 2013-04-10 in both \(1 such\)"),
    ],
)
def test_settings_that_no_feed_may_hold_are_refused(settings_of_feed, message):
    with pytest.raises(UsageError, match=message):
        FeedInfo(**settings_of_feed)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("trips.txt", None, r"a.zip: holds no trips.txt, which a feed needs \(stops.txt, routes.txt, trips.txt, stop_times.txt\)"),
        (
            "stops.txt",
            lambda text: text + "x" + text.rstrip().split("\r\n")[-1][2:] + "\r\n",
            "stop ids must be s0 to s8 in a feed of this network",
        ),
        ("routes.txt", lambda text: text.split("\r\n")[0], "a feed needs a run, got none"),
        ("trips.txt", lambda text: text.split("\r\n")[0], "a feed needs a run, got none"),
        (
            "stop_times.txt",
            lambda text: text.replace("stop_sequence", "order", 1),
            r"stop_times.txt must have the column 'stop_sequence', found trip_id, ",
        ),
    ],
)
def test_feeds_that_hold_no_timetable_are_refused(tmp_path, name, change, message):
    network, _, table = small()
    with pytest.raises(DataError, match=message):
        read_gtfs(rewritten(tmp_path / "a.zip", gtfs_bytes(network, table, FEED), name, change), network)


@pytest.mark.parametrize(
    ("name", "change", "note"),
    [
        (
            "stop_times.txt",
            lambda text: re.sub(r"\d\d:\d\d:\d\d,", ",", text, count=2),
            r"a\.zip leaves out 1 runs whose times are missing at an end",
        ),
        ("stops.txt", lambda text: text + "x,Nowhere,north,127\r\n", r"a\.zip leaves out 1 stops without id or position"),
        ("routes.txt", lambda text: text + text.split("\r\n")[1].replace("r0", "r9", 1) + "\r\n", r"leaves out 1 routes without a trip"),
        ("trips.txt", lambda text: text + "ghost" + text.split("\r\n")[1][2:].replace("t0", "t999") + "\r\n", r"1 trips of a route"),
    ],
)
def test_what_a_timetable_can_do_without_is_left_out_and_said(tmp_path, name, change, note):
    network, _, table = small()
    notes: list[str] = []
    again = read_gtfs(rewritten(tmp_path / "a.zip", gtfs_bytes(network, table, FEED), name, change), network, notes=notes)
    assert [route.stops.tolist() for route in again.plan] == [route.stops.tolist() for route in table.plan]
    assert table.n_runs - again.n_runs == (name == "stop_times.txt")
    assert re.search(note, "; ".join(notes))


def test_a_feed_of_no_route_is_no_timetable(tmp_path):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED)
    for name in ("trips.txt", "routes.txt"):
        data = rewritten(tmp_path / "a.zip", data, name, lambda text: text.split("\r\n")[0]).read_bytes()
    with pytest.raises(DataError, match="a feed needs a run, got none; give trips a route"):
        read_gtfs(tmp_path / "a.zip", network)


def test_runs_that_ride_unlike_take_the_times_of_most_and_no_zip_is_no_feed(tmp_path):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED)

    def slower(text: str) -> str:
        lines = text.split("\r\n")
        parts = lines[5].split(",")
        late = parts[1][:-2] + f"{(int(parts[1][-2:]) + 1) % 60:02d}"
        return "\r\n".join([*lines[:5], ",".join([parts[0], late, late, *parts[3:]]), *lines[6:]])

    notes: list[str] = []
    assert read_gtfs(rewritten(tmp_path / "a.zip", data, "stop_times.txt", slower), network, notes=notes).equals(table)
    assert "its runs ride in 2 ways" in notes[-1]
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"b.zip: no zip and no folder; name a GTFS feed as .zip or as a folder"):
        read_gtfs(tmp_path / "b.zip", network)
    with pytest.raises(OutputError, match="cannot be written"):
        write_gtfs(tmp_path / "none" / "a.zip", network, table, FEED)


def validators_are_content(path: Path, start_date: dt.date) -> None:
    """Two validators of different hands find nothing to say, infos included in the second."""
    check = check_gtfs(path, start_date)
    assert (check.errors, check.warnings, check.lines) == (0, 0, ())
    assert str(check).startswith("0 errors and 0 warnings (gtfs-guru")
    pytest.importorskip("gtfs_validator")
    command = [
        sys.executable,
        "-c",
        "import sys, gtfs_validator.cli as c; sys.exit(c.main())",
        "-i",
        path.name,
        "-o",
        "out",
        "-d",
        start_date.isoformat(),
        "--fail-on-error",
    ]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((path.parent / "out" / "report.json").read_text())["notices"] == []


@pytest.mark.parametrize("frequencies", [False, True])
def test_two_validators_find_no_error_and_no_warning(tmp_path, frequencies):
    network, _, table = small()
    write_gtfs(tmp_path / "a.zip", network, table, FEED, frequencies=frequencies)
    validators_are_content(tmp_path / "a.zip", FEED.start_date)


def test_a_validator_names_what_is_wrong(tmp_path):
    network, _, table = small()
    data = gtfs_bytes(network, table, FEED)
    path = rewritten(tmp_path / "a.zip", data, "stops.txt", lambda text: text.replace("s0,", "x,", 1))
    check = check_gtfs(path, FEED.start_date)
    assert check.errors > 0
    assert any(line.startswith("error: foreign_key_violation (") for line in check.lines)


def readers_agree(path: Path, table: Timetable, dates: tuple[dt.date, ...]) -> None:
    """Two readers of different hands see the timetable's routes, runs, stops, first and last times, and nights."""
    kit, partridge = pytest.importorskip("gtfs_kit"), pytest.importorskip("partridge")
    times = (int(table.run_start_s.min()), int(table.run_end_s.max()))
    sizes = (len(table.plan), table.n_runs, len(table.plan.used_stops))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries warn of is theirs
        feed = kit.read_feed(path, dist_units="m")
        assert (len(feed.routes), len(feed.trips), len(feed.stops)) == sizes
        seen = [parse_time(text) for text in feed.stop_times["departure_time"]]
        assert (min(seen), max(seen)) == times
        other = partridge.load_feed(str(path))
        assert (len(other.routes), len(other.trips), len(other.stops)) == sizes
        assert (other.stop_times.departure_time.min(), other.stop_times.departure_time.max()) == times
        assert sorted(partridge.read_service_ids_by_date(str(path))) == list(dates)


def test_two_readers_see_the_same_routes_runs_stops_and_times(tmp_path):
    network, _, table = small()
    write_gtfs(tmp_path / "a.zip", network, table, FEED)
    readers_agree(tmp_path / "a.zip", table, FEED.dates)


@pytest.mark.real
def test_the_published_lines_of_st_petersburg_make_a_feed_without_findings(cases, tmp_path):
    """Twenty-one lines on real roads, 22:00 to 07:00: two validators say nothing, two readers see the timetable, it comes back equal."""
    folder = cases / "stpetersburg"
    grid = HexGrid.cover([(29.9, 59.7), (30.7, 59.7), (30.7, 60.15), (29.9, 60.15)])
    network = Network.from_tables(folder / "road_nodes.csv.gz", folder / "road_links.csv.gz", grid)
    demand, _ = estimate_demand(folder / "taxi_trips.csv.gz", grid, NightWindow.parse("22-07"))
    plan = read_plan(folder / "night_lines.csv.gz", network)
    table, _ = build_timetable(network, demand, plan)
    feed = FeedInfo.after(None, "Europe/Moscow")
    for frequencies in (False, True):
        path = tmp_path / f"{frequencies}" / "gtfs.zip"
        path.parent.mkdir()
        write_gtfs(path, network, table, feed, frequencies=frequencies)
        validators_are_content(path, feed.start_date)
        assert read_gtfs(path, network).equals(table)
    readers_agree(tmp_path / "False" / "gtfs.zip", table, feed.dates)
    assert (len(table.plan), table.hours) == (21, tuple(range(22, 31)))


def earliest(table: Timetable, start: int, ready_s: int, change_s: int) -> dict[int, int]:
    """Earliest arrival at every stop with at most two rides, by trying every run; the stop itself at once."""
    best = {start: ready_s}
    boardable = {start: ready_s}
    for _ in range(2):
        found = dict(best)
        for run in range(table.n_runs):
            way, begins = table.directions[table.run_direction[run]], int(table.run_start_s[run])
            aboard = False
            for stop, arrive, depart in zip(way.stops.tolist(), way.arrive_s.tolist(), way.depart_s.tolist(), strict=True):
                if aboard:
                    found[stop] = min(found.get(stop, 2**30), begins + arrive)
                aboard = aboard or boardable.get(stop, 2**30) <= begins + depart
        boardable = {stop: at + (change_s if stop != start else 0) for stop, at in found.items()}
        best = found
    return best


def router_agrees(path: Path, riders: Riders, table: Timetable, asked: tuple[NDArray[np.int64], NDArray[np.int64]], dates) -> list[int]:
    """
    A router of other hands finds a bus for each pair at each second, as soon as the runs themselves allow; seconds of each trip.

    It lets riders change at one and the same stop at once, whatever ``min_transfer_time`` says: changes take no time here.
    """
    cafein = pytest.importorskip("cafein")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        router = cafein.TransportNetwork.from_gtfs(str(path), trip_distances=False, leg_geometries=False)
    totals = []
    for pair, at, date in zip(*(column.tolist() for column in asked), dates, strict=True):
        start = int(table.directions[riders.direction[0, pair]].stops[riders.board[0, pair]])
        last = 1 if riders.transfers[pair] else 0
        end = int(table.directions[riders.direction[last, pair]].stops[riders.alight[last, pair]])
        clock = clock_time(date, at, FEED.agency_timezone).replace(tzinfo=None)
        assert clock.date() == date + dt.timedelta(days=1)
        found = router.travel_times_from_stop(f"s{start}", clock.isoformat(sep=" "), max_rides=2)
        assert found[f"s{end}"] == earliest(table, start, at, 0)[end] - at
        totals.append(int(found[f"s{end}"]))
    return totals


def test_a_router_of_other_hands_finds_every_bus_at_half_past_one_and_its_times_agree(tmp_path):
    """25:30 of one night is 01:30 of the next date: 100 served trips, asked for by the clock."""
    network, demand, table = small()
    write_gtfs(tmp_path / "a.zip", network, table, FEED, change_s=0)
    riders = find_riders(network, demand, table.plan)
    draw = random.Random(7)  # noqa: S311 - which trips are asked for is no secret
    pairs = np.array([draw.randrange(len(riders.first_stop)) for _ in range(100)])
    ready = np.array([25 * HOUR_S + 1800 + draw.randrange(-1500, 1500) * (n % 2) for n in range(100)])
    own = follow_from(riders, table.directions, Departures.of(table.run_direction, table.run_start_s), pairs, ready, 0)
    assert own.caught.all()
    assert router_agrees(tmp_path / "a.zip", riders, table, (pairs, ready), [NIGHT] * 100) == own.total_s.tolist()


def test_the_router_finds_the_buses_of_the_sample_city_at_half_past_one(seoul, tmp_path):
    """A hundred random trips that nine routes serve with 45 buses: half past one of a date is 25:30 of the night before."""
    study = build_study(Sources(files=(str(seoul / "taxi.parquet"),), city="seoul"))
    plan = read_plan(seoul / "routes_2013.geojson", study.network)
    table, _ = build_timetable(study.network, study.demand, plan, Operation(fleet=45, change_s=0))
    write_gtfs(tmp_path / "a.zip", study.network, table, FEED, change_s=0)
    riders = find_riders(study.network, study.demand, plan)
    rides = np.flatnonzero(riders.direction[0] >= 0)
    pairs = np.random.default_rng(3).choice(rides, 100, replace=False)
    ready = np.full(100, 25 * HOUR_S + 1800)
    departures = Departures.of(table.run_direction, table.run_start_s)
    own = follow_from(riders, table.directions, departures, pairs, ready, 0)
    assert own.caught.all()
    dates = [NIGHT - dt.timedelta(days=n % 2) for n in range(100)]
    totals = np.array(router_agrees(tmp_path / "a.zip", riders, table, (pairs, ready), dates))
    assert (totals <= own.total_s).all(), "riders ride as the scorecard counts them, which another change may beat"
    assert (totals == own.total_s).mean() > 0.8


def test_a_feed_that_is_not_there_cannot_be_validated(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip: cannot be validated \(.*\); name a GTFS feed as \.zip"):
        check_gtfs(tmp_path / "none.zip", FEED.start_date)
