"""Day types: how they are written, the feeds made of them, nights in which the clocks change, and the time zone of a place."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import warnings
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gtfs import rows_of, validators_are_content
from test_timetable import HOURS, crossing

from owlbus.cli.app import make_app, run
from owlbus.cli.messages import in_flags
from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import HOUR_S, parse_time
from owlbus.grid.hexgrid import HexGrid
from owlbus.gtfs import FeedInfo, gtfs_bytes, read_gtfs, write_gtfs
from owlbus.gtfs.place_timezone import timezone_of
from owlbus.gtfs.services import clock_notes, first_full_night
from owlbus.network import Network
from owlbus.plan import Plan
from owlbus.timetable import Operation, Timetable, build_timetable
from owlbus.timetable.clock import ClockChange, clock_changes
from owlbus.timetable.clock_change import changed_night
from owlbus.timetable.day_types import SHORT_WEEKDAYS, WEEKDAYS, DayType, days_without_service, parse_day_types

if TYPE_CHECKING:
    from pathlib import Path

make_app()  # from here on messages know what the commands declare

YEAR = {"start_date": dt.date(2026, 1, 5), "end_date": dt.date(2027, 1, 3)}
SEOUL = FeedInfo(agency_timezone="Asia/Seoul", **YEAR)


def week(text: str = "sun-thu=45,fri-sat=20", **more: bool) -> tuple[Network, dict[DayType, Timetable]]:
    """Two crossing routes with a timetable for each day type."""
    network, demand, plan = crossing()
    types = parse_day_types(text)
    return network, {
        one: build_timetable(network, demand, plan, Operation(max_headway_s=one.max_headway_s, capacity=1000, **more))[0] for one in types
    }


# How day types are written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sun-thu=45,fri-sat=20", [("sun-thu", 2700), ("fri-sat", 1200)]),
        ("fri-mon=30", [("fri-mon", 1800)]),
        (" Friday - Saturday = 20 , SUN=60", [("fri-sat", 1200), ("sun", 3600)]),
        ("mon+wed+thurs=22.5", [("mon+wed-thu", 1350)]),
        ("mon-sun=30", [("mon-sun", 1800)]),
        ("fri-thu=30", [("mon-sun", 1800)]),
        ("tues-tue=30", [("tue", 1800)]),
        ("일-목=45,금\u2013토요일=20", [("sun-thu", 2700), ("fri-sat", 1200)]),
        ("sat+fri=20", [("fri-sat", 1200)]),
        ("sun+mon=360", [("sun-mon", 21_600)]),
    ],
)
def test_day_types_are_read_in_the_ways_that_people_write_them(text, expected):
    assert [(one.name, one.max_headway_s) for one in parse_day_types(text)] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fri-sat", "--days must read DAYS=MINUTES or DAYS=MINUTES/ROUTES, such as sun-thu=45,fri-sat=20, got 'fri-sat'"),
        ("sun-thu,fri-sat=20", "--days must read DAYS=MINUTES or DAYS=MINUTES/ROUTES, such as sun-thu=45,fri-sat=20, got 'sun-thu'"),
        ("", "--days must read DAYS=MINUTES or DAYS=MINUTES/ROUTES, such as sun-thu=45,fri-sat=20, got ''"),
        ("fri=20,", "--days must read DAYS=MINUTES or DAYS=MINUTES/ROUTES, such as sun-thu=45,fri-sat=20, got ''"),
        ("fri=20min", "got 'fri=20min'"),
        ("fri=-20", "got 'fri=-20'"),
        ("fri=nan", "got 'fri=nan'"),
        ("fri=20=30", "got 'fri=20=30'"),
        ("fr-sat=20", "--days must name days such as mon, tue, wed, thu, fri, sat, sun, got 'fr-sat' in 'fr-sat=20'"),
        ("weekend=20", "got 'weekend' in 'weekend=20'"),
        ("=20", "got '' in '=20'"),
        ("mon-wed-fri=20", "got 'mon-wed-fri' in 'mon-wed-fri=20'"),
        ("sun-thu=45,thu-sat=20", "--days must name a day once, got thu twice; such as --days sun-thu=45,fri-sat=20"),
        ("fri+fri-sat=20", "--days must name a day once, got fri twice"),
        ("fri=0", "--days must give headways from 1 to 360 minutes, got 0 for fri; leave out a day without service"),
        ("fri=361", "--days must give headways from 1 to 360 minutes, got 361 for fri"),
    ],
)
def test_what_is_no_day_type_is_refused_in_one_line(text, message):
    with pytest.raises(UsageError) as caught:
        parse_day_types(text)
    assert message in in_flags(caught.value)
    assert caught.value.setting == "days"


@given(st.sets(st.integers(0, 6), min_size=1))
def test_the_name_of_any_set_of_days_is_read_as_these_days(days):
    one = DayType(tuple(days), 1800)
    assert parse_day_types(f"{one.name}=30") == (one,)
    assert {day for day, runs in enumerate(one.runs_on) if runs} == days
    assert len(days_without_service([one])) == 7 - len(days)


@pytest.mark.parametrize("days", [(), (7,), (-1, 2)])
def test_a_day_type_has_days_of_the_week(days):
    with pytest.raises(UsageError, match=r"a day type needs days from 0 \(Monday\) to 6 \(Sunday\)"):
        DayType(days, 1800)


# Feeds by day type


def test_each_day_type_has_a_service_with_exactly_its_days():
    network, tables = week("sun-thu=45,fri=20")
    rows = rows_of(gtfs_bytes(network, tables, SEOUL), "calendar.txt")
    found = {row["service_id"]: [day for day in WEEKDAYS if row[day] == "1"] for row in rows}
    assert found == {"sun-thu": ["monday", "tuesday", "wednesday", "thursday", "sunday"], "fri": ["friday"]}
    assert {(row["start_date"], row["end_date"]) for row in rows} == {("20260105", "20270103")}


@pytest.mark.parametrize("frequencies", [False, True])
def test_the_feed_of_day_types_is_clean_and_each_day_comes_back_as_its_own_timetable(tmp_path, frequencies):
    network, tables = week()
    path = tmp_path / "a.zip"
    write_gtfs(path, network, tables, SEOUL, frequencies=frequencies)
    validators_are_content(path, first_full_night(tables, SEOUL))
    for one, table in tables.items():
        for day in one.days:
            again = read_gtfs(path, network, day=SHORT_WEEKDAYS[day])
            assert again.plan.equals(table.plan)
            assert again.run_start_s.tolist() == table.run_start_s.tolist()
            assert again.headway_s.tolist() == table.headway_s.tolist()
            assert frequencies or again.equals(table)


def test_another_reader_counts_the_runs_of_every_day_of_the_week(tmp_path):
    kit = pytest.importorskip("gtfs_kit")
    network, tables = week("mon-thu=45,fri-sat=20")
    write_gtfs(tmp_path / "a.zip", network, tables, SEOUL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feed = kit.read_feed(tmp_path / "a.zip", dist_units="m")
        counts = [len(feed.get_trips((SEOUL.start_date + dt.timedelta(days=n)).strftime("%Y%m%d"))) for n in range(7)]
    few, many = (table.n_runs for table in tables.values())
    assert few < many
    assert counts == [few, few, few, few, many, many, 0]


def test_a_shorter_headway_takes_more_buses_and_no_gap_is_longer_than_the_day_types_own():
    _, tables = week()
    assert [int(table.headway_s.max()) <= one.max_headway_s for one, table in tables.items()] == [True, True]
    few, many = (table.fleet for table in tables.values())
    assert few < many


def test_a_feed_without_day_types_keeps_its_one_service():
    network, tables = week("mon-sun=30")
    (table,) = tables.values()
    assert {row["service_id"] for row in rows_of(gtfs_bytes(network, table, SEOUL), "trips.txt")} == {"night"}


def test_exceptions_go_to_the_day_type_of_their_day():
    network, tables = week("mon-thu=45,fri-sat=20")
    friday, monday = dt.date(2026, 5, 1), dt.date(2026, 5, 4)
    feed = replace(SEOUL, removed=(friday, monday))
    rows = rows_of(gtfs_bytes(network, tables, feed), "calendar_dates.txt")
    found = [tuple(row.values()) for row in rows]
    assert found == [("mon-thu", "20260504", "2"), ("fri-sat", "20260501", "2")]


def test_what_makes_no_feed_of_day_types_is_refused():
    network, tables = week("mon-thu=45,fri-sat=20")
    few, many = tables.values()
    sunday = dt.date(2026, 5, 3)
    with pytest.raises(UsageError, match=r"an added night needs a day type, got 2026-05-03 \(sun, 1 such\); add one for sun"):
        gtfs_bytes(network, tables, replace(SEOUL, added=(sunday,)))
    with pytest.raises(UsageError, match="days must name a day once, got fri twice"):
        gtfs_bytes(network, {DayType((3, 4), 2700): few, DayType((4, 5), 1200): many}, SEOUL)
    with pytest.raises(DataError, match="a feed needs the timetable of one day type at least, got none"):
        gtfs_bytes(network, {}, SEOUL)
    _, demand, plan = crossing()
    other, _ = build_timetable(network, demand, Plan(plan.routes[:1], network.fingerprint), Operation())
    with pytest.raises(DataError, match="the day types of a feed must have the same routes and hours"):
        gtfs_bytes(network, {DayType((3,), 2700): few, DayType((4,), 1200): other}, SEOUL)


@pytest.mark.parametrize(("text", "weekday"), [("sun-thu=45,fri-sat=20", 4), ("mon-sun=45", 0), ("mon=20,tue-sun=45", 1)])
def test_a_feed_is_validated_once_each_day_type_has_had_a_night(text, weekday):
    types = dict.fromkeys(parse_day_types(text), week("mon-sun=45")[1])
    date = first_full_night(types, SEOUL)
    assert SEOUL.start_date <= date < SEOUL.start_date + dt.timedelta(days=7)
    assert date.weekday() == weekday


# Nights in which the clocks change


def night_of(data: bytes, date: dt.date, zone: str) -> list[tuple[dt.datetime, str]]:
    """Local time and direction of the starts of a date's runs, from the rows of the feed alone."""
    column = WEEKDAYS[date.weekday()]
    active = {row["service_id"] for row in rows_of(data, "calendar.txt") if row[column] == "1"}
    try:
        exceptions = [row for row in rows_of(data, "calendar_dates.txt") if row["date"] == f"{date:%Y%m%d}"]
    except KeyError:
        exceptions = []
    active |= {row["service_id"] for row in exceptions if row["exception_type"] == "1"}
    active -= {row["service_id"] for row in exceptions if row["exception_type"] == "2"}
    shape = {row["trip_id"]: row["shape_id"] for row in rows_of(data, "trips.txt") if row["service_id"] in active}
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    starts = []
    for row in rows_of(data, "stop_times.txt"):
        if row["trip_id"] in shape and row["stop_sequence"] == "0":
            moment = noon - dt.timedelta(hours=12) + dt.timedelta(seconds=parse_time(row["departure_time"]))
            starts.append((moment.astimezone(ZoneInfo(zone)), shape[row["trip_id"]]))
    return sorted(starts, key=lambda start: start[0].astimezone(dt.UTC))


ZONES = {
    "Europe/London": {dt.date(2026, 3, 28): 1.0, dt.date(2026, 10, 24): -1.0},
    "America/New_York": {dt.date(2026, 3, 7): 1.0, dt.date(2026, 10, 31): -1.0},
    "Australia/Lord_Howe": {dt.date(2026, 4, 4): -0.5, dt.date(2026, 10, 3): 0.5},
    "Asia/Seoul": {},
}


@pytest.mark.parametrize("zone", ZONES)
def test_on_every_night_of_a_year_the_first_and_last_bus_keep_their_hours_by_the_clock(zone):
    """Read from the rows with zoneinfo: the same hours by the clock, the same gaps in elapsed time."""
    network, tables = week("mon-sun=30", equal_headways=True)
    (table,) = tables.values()
    data = gtfs_bytes(network, table, replace(SEOUL, agency_timezone=zone))
    usual = by_way(night_of(data, dt.date(2026, 6, 10), zone))
    around = [date + dt.timedelta(days=n) for date in ZONES[zone] for n in (-1, 0, 1)]
    for date in [*around, dt.date(2026, 1, 31), dt.date(2026, 7, 31)]:
        found = by_way(night_of(data, date, zone))
        assert found.keys() == usual.keys()
        for way, moments in found.items():
            elapsed = [moment.astimezone(dt.UTC) for moment in moments]
            assert {b - a for a, b in itertools.pairwise(elapsed)} == {HALF_HOUR}
            assert len(moments) == len(usual[way]) - 2 * ZONES[zone].get(date, 0.0)
            assert moments[0].time() == usual[way][0].time()
            following, usually = (starts[-1].astimezone(dt.UTC) + HALF_HOUR for starts in (moments, usual[way]))
            assert following.astimezone(ZoneInfo(zone)).time() == usually.astimezone(ZoneInfo(zone)).time()


HALF_HOUR = dt.timedelta(minutes=30)


def by_way(starts: list[tuple[dt.datetime, str]]) -> dict[str, list[dt.datetime]]:
    """Starts by direction."""
    return {way: [moment for moment, other in starts if other == way] for _, way in starts}


def test_a_night_with_a_change_has_one_service_and_other_nights_keep_theirs():
    network, tables = week()
    feed = replace(SEOUL, agency_timezone="Europe/Berlin")
    data = gtfs_bytes(network, tables, feed)
    rows = [tuple(row.values()) for row in rows_of(data, "calendar_dates.txt")]
    assert rows == [
        ("fri-sat", "20260328", "2"),
        ("fri-sat", "20261024", "2"),
        ("fri-sat_20260328", "20260328", "1"),
        ("fri-sat_20261024", "20261024", "1"),
    ]
    runs = Counter(row["service_id"] for row in rows_of(data, "trips.txt"))
    assert runs["fri-sat_20260328"] < runs["fri-sat"] < runs["fri-sat_20261024"]
    assert {row["block_id"] for row in rows_of(data, "trips.txt") if "_2026" in row["service_id"]} == {""}
    said = clock_notes(tables, feed)
    assert len(said) == 2
    assert said[0].startswith("the clocks change in the night of 2026-03-28: it begins and ends as always by the clock, with ")


@pytest.mark.parametrize("frequencies", [False, True])
def test_a_feed_with_changes_of_the_clocks_is_clean_and_comes_back_equal_in_its_hours(tmp_path, frequencies):
    network, tables = week()
    path = tmp_path / "a.zip"
    feed = replace(SEOUL, agency_timezone="America/New_York")
    write_gtfs(path, network, tables, feed, frequencies=frequencies)
    validators_are_content(path, first_full_night(tables, feed))
    few, many = tables.values()
    assert read_gtfs(path, network).run_start_s.tolist() == many.run_start_s.tolist(), "not the longer night of autumn"
    assert read_gtfs(path, network, day="sat").run_start_s.tolist() == many.run_start_s.tolist()
    assert read_gtfs(path, network, day="sun").run_start_s.tolist() == few.run_start_s.tolist()
    longer, shorter = (read_gtfs(path, network, date=date) for date in (dt.date(2026, 10, 31), dt.date(2026, 3, 7)))
    assert longer.n_runs > many.n_runs > shorter.n_runs


def test_a_night_taken_out_of_the_feed_stays_out_when_its_clocks_change():
    network, tables = week("mon-sun=30")
    (table,) = tables.values()
    date = dt.date(2026, 3, 28)
    feed = replace(SEOUL, agency_timezone="Europe/London", removed=(date,))
    assert night_of(gtfs_bytes(network, table, feed), date, "Europe/London") == []


@pytest.mark.parametrize(
    ("hours", "change_h", "by_h", "length_h", "begin_h"),
    [
        ((22, 23), 26, 1, 2, 22),
        ((22, 23, 24), 25, 1, 3, 22),
        ((24, 25, 26), 26, 1, 2, 24),
        ((26, 27, 28), 26, 1, 2, 26),
        ((27, 28), 26, 1, 2, 26),
        ((27, 28), 26, -1, 2, 28),
        ((24, 25, 26), 26, -1, 4, 24),
        ((25, 26), 26, -1, 3, 25),
        ((24,), 26, -1, 1, 24),
    ],
)
def test_windows_before_across_and_after_the_change_keep_the_hours_of_the_clock(hours, change_h, by_h, length_h, begin_h):
    network, demand, plan = crossing()
    shifted = replace(build_timetable(network, demand, plan, Operation(max_headway_s=1800, max_offset_s=0, equal_headways=True))[0])
    move = (hours[0] - HOURS[0]) * HOUR_S
    keep = shifted.run_start_s < (HOURS[0] + len(hours)) * HOUR_S
    columns = {name: getattr(shifted, name)[keep] for name in ("run_direction", "run_start_s")}
    columns["run_start_s"] = columns["run_start_s"] + move
    table = replace(shifted, hours=hours, run_block=range(int(keep.sum())), **columns)
    night = changed_night(table, ClockChange(dt.date(2026, 3, 7), change_h * HOUR_S, by_h * HOUR_S))
    if (length_h, begin_h) == (len(hours), hours[0]):
        assert night is None
        return
    first = table.run_direction[0]
    starts = night.starts_s(int(first))
    assert starts[0] == begin_h * HOUR_S
    assert len(starts) == 2 * length_h


def test_the_second_of_a_change_is_found_to_the_second():
    dates = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(365)]
    found = {change.date: (change.at_s / HOUR_S, change.by_s / HOUR_S) for change in clock_changes(dates, "America/New_York")}
    assert found == {dt.date(2026, 3, 7): (26.0, 1.0), dt.date(2026, 10, 31): (26.0, -1.0)}
    assert [change.by_s for change in clock_changes(dates, "Australia/Lord_Howe")] == [-1800, 1800]
    assert clock_changes(dates, "Asia/Seoul") == ()


# The time zone of a place


def at(lon: float, lat: float) -> Network:
    """Seven hexes around a point."""
    return Network.from_lattice(HexGrid.cover([(lon, lat), (lon + 0.01, lat), (lon + 0.01, lat + 0.01), (lon, lat + 0.01)], n_hexes=7))


HALF_YEAR = dt.date(2026, 1, 5), dt.date(2026, 7, 5)


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [
        (126.98, 37.56, "Asia/Seoul"),
        (-1.55, 53.8, "Europe/London"),
        (-73.97, 40.76, "America/New_York"),
        (159.07, -31.55, "Australia/Lord_Howe"),
        (30.3, 59.93, "Europe/Moscow"),
        (-38.52, -3.73, "America/Fortaleza"),
        (77.59, 12.97, "Asia/Kolkata"),
        (-63.6, 44.65, "America/Halifax"),
    ],
)
def test_the_time_zone_is_that_of_the_place(lon, lat, zone):
    assert timezone_of(at(lon, lat), *HALF_YEAR) == zone


def test_zones_of_a_border_town_whose_clocks_agree_are_one():
    assert timezone_of(at(7.585, 47.585), *HALF_YEAR) in {"Europe/Zurich", "Europe/Berlin", "Europe/Paris"}


def test_zones_whose_clocks_differ_in_the_dates_of_the_feed_are_asked_about():
    tweed = at(153.54, -28.172)
    with pytest.raises(UsageError) as caught:
        timezone_of(tweed, *HALF_YEAR)
    message = in_flags(caught.value)
    assert message.startswith("the network lies in time zones whose clocks differ (Australia/")
    assert "choose one, such as --agency-timezone Australia/" in message
    assert timezone_of(tweed, dt.date(2026, 5, 4), dt.date(2026, 8, 30)).startswith("Australia/")
    with pytest.raises(UsageError, match="Asia/Shanghai, Asia/Urumqi"):
        timezone_of(at(87.6, 43.8), *HALF_YEAR)


def test_a_network_at_sea_needs_a_named_zone():
    with pytest.raises(UsageError) as caught:
        gtfs_bytes(*sea())
    assert in_flags(caught.value) == (
        "the network lies in no country's time zone (lon -30.00, lat 40.00); name one, such as --agency-timezone Europe/London"
    )
    assert b"Atlantic/Azores" in gtfs_bytes(*sea(), FeedInfo(agency_timezone="Atlantic/Azores"))


def sea() -> tuple[Network, Timetable]:
    """A timetable on a network in the ocean."""
    network, demand, plan = crossing()
    far = replace(network, stop_lon=network.stop_lon * 0 - 30, stop_lat=network.stop_lat * 0 + 40)
    plan = Plan(plan.routes, far.fingerprint)
    return far, build_timetable(far, demand, plan, Operation())[0]


def test_a_feed_without_a_named_zone_takes_that_of_its_network():
    network, tables = week()
    (row,) = rows_of(gtfs_bytes(network, tables), "agency.txt")
    assert row["agency_timezone"] == "Asia/Seoul"


# The command line


@pytest.fixture(scope="module")
def tonight(seoul: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the routes of 2013 by day type on the sample city, in another time zone."""
    out = tmp_path_factory.mktemp("days") / "tonight"
    words = ["--days", "sun-thu=45,fri=20", "--agency-timezone", "Europe/London", "--out", str(out), "-q"]
    assert run(["timetable", str(seoul / "routes_2013.geojson"), *words]) == 0
    return out


def test_the_document_has_a_timetable_for_each_day_type_and_the_most_buses(tonight):
    found = json.loads((tonight / "timetable.json").read_text())
    assert [row["name"] for row in found["day_types"]] == ["sun-thu", "fri"]
    assert found["day_types"][0]["days"] == ["mon", "tue", "wed", "thu", "sun"]
    assert found["days_without_service"] == ["sat"]
    fleets = [row["timetable"]["fleet"] for row in found["day_types"]]
    assert found["fleet"] == max(fleets) > min(fleets)
    longest = [max(h for route in row["timetable"]["routes"] for h in route["headway_s"]) for row in found["day_types"]]
    assert [seconds <= row["max_headway_s"] for seconds, row in zip(longest, found["day_types"], strict=True)] == [True, True]
    assert all(row["reference"]["timetable"]["fleet"] <= row["timetable"]["fleet"] for row in found["day_types"])
    assert found["gtfs"]["errors"] == 0
    assert found["gtfs"]["lines"] == []  # names of the city such as DMC have nothing to mend
    settings = json.loads((tonight / "run.json").read_text())["settings"]
    assert settings["operation"]["fri"]["max_headway_s"] == 1200
    assert settings["agency_timezone"] == "Europe/London"
    assert (tonight / "night_safety.csv").read_text().startswith("day_type,hex,walk_m,")
    page = (tonight / "timetable.html").read_text()
    assert "Monday, Tuesday, Wednesday, Thursday, Sunday</h2>" in page
    assert "No buses run on these evenings: Saturday." in page
    assert page.count("the reference, one headway</th>") == 2


def test_a_day_of_the_feed_is_measured_as_its_day_type(tonight, capsys):
    found = json.loads((tonight / "timetable.json").read_text())["day_types"]
    for day, row in (("tue", found[0]), ("fri", found[1])):
        assert run(["timetable", str(tonight / "gtfs.zip"), "--city", "seoul", "--day", day, "--json", "-q"]) == 0
        again = json.loads(capsys.readouterr().out)
        assert again["timetable"]["routes"] == row["timetable"]["routes"]
    assert run(["timetable", str(tonight / "gtfs.zip"), "--city", "seoul", "--day", "sat", "-q"]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--days", "fri=20", "--max-headway", "30"],
            "--days gives each day type its longest headway, and --max-headway gives all nights one",
        ),
        (["--days", "fri=5", "--min-headway", "10"], "--min-headway must lie in [1, 5] minutes, got 10"),
        (["--days", "fri"], "--days must read DAYS=MINUTES"),
        (["--zone", "Asia/Seoul"], "--zone is now called --agency-timezone; see owlbus timetable --help"),
        (["--agency-timezone", "Mars/Base"], "--agency-timezone must be an IANA name such as Asia/Seoul, got 'Mars/Base'"),
    ],
)
def test_what_no_timetable_can_be_made_of_is_refused_before_anything_is_read(words, message, seoul, capsys):
    assert run(["timetable", str(seoul / "routes_2013.geojson"), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_feed_is_measured_as_it_is_and_gets_no_day_types(tonight, capsys):
    assert run(["timetable", str(tonight / "gtfs.zip"), "--city", "seoul", "--days", "fri=20"]) == 2
    assert "is a feed, whose timetable is read as it is, and --days builds one" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "demo", "score", "timetable"])
def test_every_command_that_writes_a_feed_refuses_a_zone_that_no_place_has(command, capsys, tmp_path):
    words = {"plan": ["calls.csv"], "demo": [], "score": ["plan.geojson"], "timetable": ["plan.geojson"]}[command]
    assert run([command, *words, "--out", str(tmp_path / "out"), "--agency-timezone", "Korea Time"]) == 2
    assert "--agency-timezone must be an IANA name such as Asia/Seoul, got 'Korea Time'" in capsys.readouterr().err


def test_the_earlier_name_of_the_zone_is_refused_in_the_environment_and_in_the_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owlbus.toml").write_text('zone = "Asia/Seoul"\n')
    assert run(["demo", "--help"]) == 2
    assert "no option is called zone; it is now agency-timezone" in capsys.readouterr().err
    (tmp_path / "owlbus.toml").unlink()
    monkeypatch.setenv("OWLBUS_ZONE", "Asia/Seoul")
    assert run(["demo"]) == 2
    assert "OWLBUS_ZONE is now called OWLBUS_AGENCY_TIMEZONE" in capsys.readouterr().err
