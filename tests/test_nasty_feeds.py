"""Feeds that are odd but legal come out as the plain one; illegal ones are read with a note or refused in one line."""

from __future__ import annotations

import json
import random
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from owlbus import Network
from owlbus.cli.app import run
from owlbus.gtfs import read_gtfs

if TYPE_CHECKING:
    from pathlib import Path

STOPS = [(name, 50.0, 10.0 + 0.014 * k) for k, name in enumerate("ABCDE")]
RUNS = [(f"f{hour}", 60 * hour, "ABCDE") for hour in range(24, 28)] + [(f"b{hour}", 60 * hour + 30, "EDCBA") for hour in range(24, 28)]
PLAIN = (1, 8, 32.1, ["24:00:00", "24:30:00"], ["27:00:00", "27:30:00"])
"""Lines, runs, vehicle kilometres (8 runs of 4 links of 1.0037 km), first and last departures forth and back."""

EVERY_HALF_HOUR = (1, 16, 64.2, ["24:00:00"] * 2, ["27:30:00"] * 2)


def stop_times(runs: list[tuple[str, int, str]]) -> list[str]:
    """Return rows of stop times, a stop every three minutes."""
    rows = []
    for trip, start, stops in runs:
        for k, stop in enumerate(stops):
            at = f"{(start + 3 * k) // 60:02d}:{(start + 3 * k) % 60:02d}:00"
            rows.append(f"{trip},{at},{at},{stop},{k + 1}")
    return rows


HEADS = {
    "agency": "agency_id,agency_name,agency_url,agency_timezone",
    "stops": "stop_id,stop_name,stop_lat,stop_lon",
    "routes": "route_id,agency_id,route_short_name,route_type",
    "trips": "route_id,service_id,trip_id,direction_id",
    "stop_times": "trip_id,arrival_time,departure_time,stop_id,stop_sequence",
    "calendar": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date",
}
ROWS: dict[str, list[str]] = {
    "agency": ["X,Xbus,https://x.example,Europe/Berlin"],
    "stops": [f"{name},Stop {name},{lat},{lon:.3f}" for name, lat, lon in STOPS],
    "routes": ["R1,X,N1,3"],
    "trips": [f"R1,S,{trip},{0 if trip[0] == 'f' else 1}" for trip, _, _ in RUNS],
    "stop_times": stop_times(RUNS),
    "calendar": ["S,1,1,1,1,1,1,1,20260101,20261231"],
}


def base() -> dict[str, list[str]]:
    """Return the tables of the plain feed, header first."""
    return {name: [HEADS[name], *rows] for name, rows in ROWS.items()}


def shuffled() -> dict[str, list[str]]:
    """Return stop times in any order."""
    rows = list(ROWS["stop_times"])
    random.Random(3).shuffle(rows)  # noqa: S311 - no secret
    return {"stop_times": [HEADS["stop_times"], *rows]}


def rows_of_times(change: Any) -> dict[str, list[str]]:  # noqa: ANN401 - a function of fields
    """Return stop times with changed fields."""
    return {"stop_times": [HEADS["stop_times"], *(",".join(change(row.split(","))) for row in ROWS["stop_times"])]}


def added(name: str, *rows: str) -> list[str]:
    """Return a table with more rows."""
    return [HEADS[name], *ROWS[name], *rows]


def terminals_alone(row: str) -> str:
    """Return a row of stop times with boarding at the first stop and alighting at the last one, and either between."""
    return f"{row},{int(row.endswith(',5'))},{int(row.endswith(',1'))}"


def with_kinds(*more: str) -> list[str]:
    """Return stop times with sequences 4, 8, ... and the columns of boarding and alighting, and more rows."""
    rows = [f"{row.rsplit(',', 1)[0]},{4 * int(row[-1])},," for row in ROWS["stop_times"]]
    return [f"{HEADS['stop_times']},pickup_type,drop_off_type", *rows, *more]


def frequencies(*rows: str) -> dict[str, list[str]]:
    """Return tables of two trips that run by headways."""
    trips = [("f", 480, "ABCDE"), ("b", 480, "EDCBA")]
    return {
        "trips": [HEADS["trips"], "R1,S,f,0", "R1,S,b,1"],
        "stop_times": [HEADS["stop_times"], *stop_times(trips)],
        "frequencies": ["trip_id,start_time,end_time,headway_secs,exact_times", *rows],
    }


FEEDS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "plain": ({}, PLAIN),
    "stop times in any order": (shuffled(), PLAIN),
    "sequences with gaps": (rows_of_times(lambda row: [*row[:4], str(10 * int(row[4]) - 10)]), PLAIN),
    "times at timepoints alone": (rows_of_times(lambda row: row if row[4] in "15" else [row[0], "", "", *row[3:]]), PLAIN),
    "no direction": ({"trips": ["route_id,service_id,trip_id", *(row.rsplit(",", 1)[0] for row in ROWS["trips"])]}, PLAIN),
    "after midnight as the next day": (
        rows_of_times(lambda row: [row[0], *(f"{int(at[:2]) - 24:02d}{at[2:]}" for at in row[1:3]), *row[3:]]),
        PLAIN,
    ),
    "upper-case headers": ({name: [HEADS[name].upper(), *ROWS[name]] for name in ("stops", "trips", "stop_times")}, PLAIN),
    "tabs": ({name: [row.replace(",", "\t") for row in rows] for name, rows in base().items()}, PLAIN),
    "decimal commas": (
        {"stops": [HEADS["stops"], *(f'{name},Stop,"{lat}","{lon:.3f}"'.replace(".", ",") for name, lat, lon in STOPS)]},
        PLAIN,
    ),
    "line breaks in names": ({"stops": [HEADS["stops"], *(f'{name},"a ""b"",\nc",{lat},{lon:.3f}' for name, lat, lon in STOPS)]}, PLAIN),
    "nodes of all kinds": (
        {
            "stops": [
                f"{HEADS['stops']},location_type,parent_station",
                "ST,Station,50.0,10.0001,1,",
                "EN,Entrance,50.0,10.0002,2,ST",
                "GN,,,,3,ST",
                "BA,,,,4,A",
                *(f"{row},0,{'ST' if row[0] == 'A' else ''}" for row in ROWS["stops"]),
            ]
        },
        PLAIN,
    ),
    "place of the parent": (
        {"stops": [f"{HEADS['stops']},parent_station", "ST,Station,50.0,10.0,", "A,A,,,ST", *(f"{row}," for row in ROWS["stops"][1:])]},
        PLAIN,
    ),
    "rides on demand beside": (
        {
            "trips": added("trips", "R1,S,flex,0"),
            "stop_times": [
                f"{HEADS['stop_times']},location_group_id,start_pickup_drop_off_window",
                *(f"{row},," for row in ROWS["stop_times"]),
                "flex,,,,1,G,22:00:00",
                "flex,,,,2,G,22:00:00",
            ],
        },
        PLAIN,
    ),
    "extended type": ({"routes": [HEADS["routes"], "R1,X,N1,705"]}, PLAIN),
    "dates alone": ({"calendar": None, "calendar_dates": ["service_id,date,exception_type", "S,20260306,1"]}, PLAIN),
    "a shape that is not there": ({"trips": [f"{HEADS['trips']},block_id,shape_id", *(f"{row},1,gone" for row in ROWS["trips"])]}, PLAIN),
    "a trip of one stop": (
        {"trips": added("trips", "R1,S,one,0"), "stop_times": added("stop_times", "one,24:10:00,24:10:00,A,1")},
        PLAIN,
    ),
    "headways": (frequencies("f,24:00:00,28:00:00,1800,1", "b,24:00:00,28:00:00,1800,0"), EVERY_HALF_HOUR),
    "headways that touch": (
        frequencies("f,24:00:00,26:00:00,1800,1", "f,26:00:00,28:00:00,1800,1", "b,24:00:00,28:00:00,1800,1"),
        EVERY_HALF_HOUR,
    ),
    "headways that overlap": (
        frequencies("f,24:00:00,28:00:00,1800,1", "f,25:00:00,27:00:00,1800,1", "b,24:00:00,28:00:00,1800,0", "b,26:00:00,28:00:00,3600,0"),
        EVERY_HALF_HOUR,
    ),
    "headways that stand there twice": (
        frequencies(*["f,24:00:00,28:00:00,1800,1", "b,24:00:00,28:00:00,1800,0"] * 2),
        EVERY_HALF_HOUR,
    ),
    "headways that are none beside others": (
        frequencies(
            "f,24:00:00,28:00:00,1800,1",
            "f,24:10:00,28:00:00,0,1",
            "b,24:00:00,28:00:00,1800,1",
            "b,24:10:00,28:00:00,-600,1",
            "b,24:20:00,24:20:00,600,1",
        ),
        EVERY_HALF_HOUR,
    ),
    "stops that buses only pass": (
        {
            "stops": added("stops", "P,Pass,50.001,10.007", "Q,Depot,50.002,9.99"),
            "stop_times": with_kinds("f24,23:50:00,23:50:00,Q,0,1,1", "f24,24:01:00,24:01:00,P,5,1,1", "b27,27:50:00,,Q,25,1,1"),
        },
        PLAIN,
    ),
    "boarding at the first and alighting at the last stop": (
        {"stop_times": [f"{HEADS['stop_times']},pickup_type,drop_off_type", *map(terminals_alone, ROWS["stop_times"])]},
        PLAIN,
    ),
    "a railway beside": (
        {
            "routes": added("routes", "S1,X,S1,2", "U1,X,U1,401"),
            "trips": added("trips", "S1,S,s,0", "U1,S,u,0"),
            "stop_times": added("stop_times", *stop_times([("s", 1440, "AE"), ("u", 1440, "ACE")])),
        },
        PLAIN,
    ),
    "a loop": (
        {
            "trips": [HEADS["trips"], "R1,S,f24,0", "R1,S,f25,0"],
            "stop_times": [HEADS["stop_times"], *stop_times([("f24", 1440, "ABCDECA"), ("f25", 1500, "ABCDECA")])],
        },
        (1, 2, 16.1, ["24:00:00", None], ["25:00:00", None]),
    ),
}
"""Tables in place of those of the plain feed, and what must come out."""

RAIL = [HEADS["routes"], "R1,X,N1,2"]

ILLEGAL: dict[str, tuple[dict[str, Any], str]] = {
    "every day of service removed": (
        {
            "calendar": [HEADS["calendar"], "S,1,1,1,1,1,1,1,20260306,20260306"],
            "calendar_dates": ["service_id,date,exception_type", "S,20260306,2"],
        },
        "none of its 8 runs starts in the window on any day (calendars from 2026-03-06 to 2026-03-06); give the services",
    ),
    "no headway": (frequencies("f,24:00:00,28:00:00,0,1", "b,24:00:00,28:00:00,0,1"), "a feed needs a run, got none"),
    "railways alone": ({"routes": RAIL}, "no trip runs as bus or trolleybus, modes there: rail (8 trips); name one with --modes"),
    "services without a calendar": (
        {"calendar": [HEADS["calendar"], "T,1,1,1,1,1,1,1,20260101,20261231"]},
        "none of its 8 runs starts in the window on any day (calendars from 2026-01-01 to 2026-12-31); give the services of trips.txt days",
    ),
    "no stop times": ({"stop_times": None}, "holds no stop_times.txt"),
    "no times": (rows_of_times(lambda row: [row[0], "", "", *row[3:]]), "a network needs two connected stops"),
    "swapped": (
        {"stops": [HEADS["stops"], *(f"{name},Stop,{127 + lon - 10:.3f},37.5" for name, _, lon in STOPS)]},
        "latitude reaches 127 and longitude 37, so the two columns look swapped",
    ),
    "stops without a place": (
        {"stops": [HEADS["stops"], *(f"{name},Stop,," for name in "ABCDE")]},
        "none of the 5 rows of stops.txt has a",
    ),
}


def written(folder: Path, tables: dict[str, Any], form: str) -> Path:
    """Return a feed with some tables changed, as a zip, nested in one, or a folder."""
    texts = {name: "\n".join(rows) + "\n" for name, rows in {**base(), **tables}.items() if rows is not None}
    if form == "folder":
        (folder / "feed").mkdir()
        for name, text in texts.items():
            (folder / "feed" / f"{name}.txt").write_text(text)
        return folder / "feed"
    with zipfile.ZipFile(folder / f"feed.{'ZIP' if form == 'nested' else 'zip'}", "w") as target:
        for name, text in texts.items():
            target.writestr(f"export/gtfs/{name}.txt" if form == "nested" else f"{name}.txt", text)
        if form == "nested":
            target.writestr("__MACOSX/export/gtfs/._stops.txt", b"\0")
    return folder / f"feed.{'ZIP' if form == 'nested' else 'zip'}"


def records(folder: Path) -> Path:
    """Return rides between the stops."""
    head = "pickup_datetime,dropoff_datetime,pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude"
    rows = []
    for k in range(200):
        (_, lat, lon), (_, to_lat, to_lon) = STOPS[k % 5], STOPS[(k + 1 + k // 50) % 5]
        day = f"2026-03-{2 + k % 5:02d} {k % 4:02d}"
        rows.append(f"{day}:10:00,{day}:25:00,{lon:.4f},{lat},{to_lon:.4f},{to_lat}")
    (folder / "rides.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder / "rides.csv"


def measured(folder: Path, feed: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Any, ...]:
    """Return lines, runs, kilometres, and first and last departures of the timetable of a feed."""
    assert run(["timetable", str(feed), str(records(folder)), "--json", "-q"]) == 0
    timetable = json.loads(capsys.readouterr().out)["timetable"]
    (route,) = timetable["routes"]
    return len(timetable["routes"]), timetable["runs"], timetable["vehicle_km"], route["first"], route["last"]


@pytest.mark.parametrize("name", FEEDS)
def test_an_odd_feed_has_the_runs_that_it_states(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    tables, expected = FEEDS[name]
    assert measured(tmp_path, written(tmp_path, tables, "zip"), capsys) == expected


@pytest.mark.parametrize("form", ["folder", "nested"])
def test_a_feed_in_a_folder_is_the_same_feed(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert measured(tmp_path, written(tmp_path, {}, form), capsys) == PLAIN


@pytest.mark.parametrize("name", ILLEGAL)
def test_a_feed_without_a_run_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    tables, message = ILLEGAL[name]
    feed = written(tmp_path, tables, "zip")
    assert run(["timetable", str(feed), str(records(tmp_path)), "-q"]) == 3
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "row", "note"),
    [("stops", "C,Again,50.01,10.028", "1 stops with the id of one before"), ("trips", "R1,S,f24,0", "1 trips with the id of one before")],
)
def test_an_id_that_stands_there_twice_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, row: str, note: str) -> None:
    feed = written(tmp_path, {table: added(table, row)}, "zip")
    assert run(["timetable", str(feed), str(records(tmp_path)), "--json"]) == 0
    assert note in capsys.readouterr().err


def noted(folder: Path, capsys: pytest.CaptureFixture[str], name: str, *options: str) -> str:
    """Return what the timetable of a feed says beside its figures, in one line."""
    feed = written(folder, FEEDS[name][0], "zip")
    assert run(["timetable", str(feed), str(records(folder)), "--json", *options]) == 0
    return " ".join(capsys.readouterr().err.split())


OVERLAP = "rows of frequencies.txt begin before another of their trip ends"


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("headways that overlap", ["leaves out 6 departures that another row of frequencies.txt states too", f"2 {OVERLAP} (2 trips)"]),
        ("headways that stand there twice", ["leaves out 16 departures that another row of frequencies.txt states too", f"2 {OVERLAP}"]),
        ("headways that are none beside others", ["leaves out 3 headways that are none"]),
        ("stops that buses only pass", ["leaves out 3 stop times at which nobody may board or alight"]),
        ("a trip of one stop", ["the busiest day: 8 runs (", "leaves out 1 runs that call at one stop alone (of line 'N1' 1)"]),
        ("a railway beside", ["2 lines of other modes than bus and trolleybus (metro 1, rail 1) left out"]),
    ],
)
def test_what_a_feed_loses_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, notes: list[str]) -> None:
    said = noted(tmp_path, capsys, name)
    for note in notes:
        assert note in said


@pytest.mark.parametrize("name", ["plain", "headways", "headways that touch"])
def test_a_feed_that_loses_nothing_tells_its_night_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    said = noted(tmp_path, capsys, name)
    assert "is read for the service day Thursday 2026-01-01, the busiest day" in said
    assert "(calendars from 2026-01-01 to 2026-12-31)" in said
    assert "the feed feed.zip leaves out" not in said
    assert "the feed feed.zip:" not in said


def test_a_line_of_another_mode_is_read_if_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = written(tmp_path, FEEDS["a railway beside"][0], "zip")
    words = ["timetable", str(feed), str(records(tmp_path)), "--json"]
    assert run([*words, "--modes", "rail,metro"]) == 0
    out, err = capsys.readouterr()
    assert [route["name"] for route in json.loads(out)["timetable"]["routes"]] == ["S1", "U1"]
    assert "1 line of other modes than rail and metro (bus 1) left out" in " ".join(err.split())
    assert run([*words, "--lines", "N1,S1"]) == 2
    assert "--modes must include rail for line 'S1', got bus, trolleybus" in capsys.readouterr().err
    assert run([*words, "--modes", "all"]) == 0
    assert "of other modes" not in capsys.readouterr().err


def test_a_feed_on_a_run_is_read_in_the_modes_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = str(written(tmp_path, FEEDS["a railway beside"][0], "zip"))
    made = {modes: str(tmp_path / modes) for modes in ("bus", "rail")}
    for modes, out in made.items():
        assert run(["score", feed, str(records(tmp_path)), "--public", "--modes", modes, "--out", out, "-q"]) == 0
    capsys.readouterr()
    for modes, lines in (("bus", ["N1"]), ("rail", ["S1"])):
        assert run(["compare", feed, feed, "--run", made[modes], "--json", "-q"]) == 0
        assert json.loads(capsys.readouterr().out)["feeds"][feed]["lines"] == lines
    assert run(["timetable", feed, "--run", made["rail"], "--lines", "N1", "-q"]) == 2
    assert "--modes must include bus for line 'N1', got rail" in capsys.readouterr().err


def test_lines_of_all_modes_are_told_in_python(tmp_path: Path) -> None:
    feed = written(tmp_path, FEEDS["a railway beside"][0], "zip")
    notes: list[str] = []
    plan = read_gtfs(feed, Network.from_gtfs(feed, modes=["all"]), notes=notes).plan
    assert plan.names == ("N1", "S1", "U1")
    assert "2 lines of other modes than bus and trolleybus (metro 1, rail 1) counted like those of buses" in "; ".join(notes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--date", "2031-05-01"], "starts on 2031-05-01 in the window (calendars from 2026-01-01 to 2026-12-31); choose another --date"),
        (["--date", "2026-07-04"], "starts on 2026-07-04 in the window (calendars from 2026-01-01 to 2026-12-31); choose another --date"),
        (["--day", "sat"], "starts on a Saturday in the window (calendars from 2026-01-01 to 2026-12-31); choose another --day"),
    ],
)
def test_a_day_without_service_is_refused_with_the_span_of_the_feed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    tables = {
        "calendar": [HEADS["calendar"], "S,1,1,1,1,1,0,1,20260101,20261231"],
        "calendar_dates": ["service_id,date,exception_type", "S,20260704,2", "S,20260703,2"],
    }
    feed = written(tmp_path, tables, "zip")
    assert run(["timetable", str(feed), str(records(tmp_path)), *words, "-q"]) == 3
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_runs_of_services_without_a_day_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trips = [HEADS["trips"], *(row.replace(",S,", ",GONE,", "b27" in row) for row in ROWS["trips"])]
    feed = written(tmp_path, {"trips": trips}, "zip")
    assert run(["timetable", str(feed), str(records(tmp_path)), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["timetable"]["runs"] == 7
    assert "; 1 of all 8 runs have no day in the calendars" in " ".join(err.split())
