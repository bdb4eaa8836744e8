"""Feeds read as plans: service days, windows, patterns, lines left out; checked against a count by pandas."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from owlbus import Network
from owlbus.cli.app import run
from owlbus.cli.plan_files import feed_of_plan
from owlbus.common.errors import DataError, UsageError
from owlbus.gtfs import read_gtfs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINDOW = range(24, 29)


@pytest.fixture(scope="module")
def cairns(cases) -> Network:
    return Network.from_gtfs(cases / "gtfs" / "cairns_gtfs.zip", hours=WINDOW)


def tables(path: Path) -> dict[str, pd.DataFrame]:
    with zipfile.ZipFile(path) as archive:
        return {name: pd.read_csv(archive.open(name), dtype=str) for name in archive.namelist()}


def written(path: Path, frames: dict[str, pd.DataFrame]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, frame in frames.items():
            archive.writestr(name, frame.to_csv(index=False))
    return path


def starts_by_pandas(frames: dict[str, pd.DataFrame], services: set[str]) -> list[int]:
    """Starts in seconds of all runs of these services, after midnight counted from 24:00."""
    times = frames["stop_times.txt"].assign(n=lambda frame: frame["stop_sequence"].astype(int)).sort_values("n")
    first = times.groupby("trip_id")["departure_time"].first()
    seconds = pd.to_timedelta(first).dt.total_seconds().astype(int)
    trips = frames["trips.txt"].set_index("trip_id")["service_id"]
    chosen = seconds[seconds.index.map(trips).isin(services)]
    return sorted(int(start) % 86_400 + 86_400 for start in chosen)


@pytest.mark.parametrize("name", ["f_same", "f_services", "f_after0"])
def test_one_service_day_is_read_and_named(cases, cairns, name):
    path = cases / "reports" / "feeds" / f"{name}.zip"
    notes: list[str] = []
    table = read_gtfs(path, cairns, hours=WINDOW, notes=notes)
    assert table.run_start_s.tolist() == starts_by_pandas(tables(path), {"night"})
    assert (table.n_runs, table.fleet) == (37, 7)
    span = "calendars from 2014-06-09 to 2014-12-07"
    assert notes[0] == f"the feed {name}.zip is read for the service day Monday 2014-06-09, the busiest day: 37 runs ({span})"


def test_runs_written_after_midnight_are_those_of_the_night_before(cases, cairns):
    feeds = cases / "reports" / "feeds"
    assert read_gtfs(feeds / "f_after0.zip", cairns, hours=WINDOW).equals(read_gtfs(feeds / "f_same.zip", cairns, hours=WINDOW))


@pytest.mark.parametrize("evening", ["mon", "thu", "fri", "sat", "sun"])
def test_after_midnight_the_calendar_of_the_next_day_counts(cases, cairns, tmp_path, evening):
    frames = tables(cases / "reports" / "feeds" / "f_services.zip")
    times, trips = frames["stop_times.txt"], frames["trips.txt"]
    weekend = trips["trip_id"][trips["service_id"] == "wk"]
    dropped = set(weekend.iloc[:5])  # so that the services differ
    frames["trips.txt"] = trips[~trips["trip_id"].isin(dropped)]
    for column in ("arrival_time", "departure_time"):
        times[column] = times[column].map(lambda text: f"{int(text[:2]) - 24:02d}{text[2:]}")
    table = read_gtfs(written(tmp_path / "a.zip", frames), cairns, hours=WINDOW, day=evening)
    services = {"wk"} if evening in {"fri", "sat"} else {"night"}
    assert table.run_start_s.tolist() == starts_by_pandas(frames, services)
    assert table.n_runs == (32 if evening in {"fri", "sat"} else 37)


def test_calendar_dates_add_and_remove_services(cases, cairns, tmp_path):
    frames = tables(cases / "reports" / "feeds" / "f_services.zip")
    rows = [("wk", "20140611", "1"), ("night", "20140612", "2"), ("wk", "20140614", "2")]
    frames["calendar_dates.txt"] = pd.DataFrame(rows, columns=["service_id", "date", "exception_type"])
    path = written(tmp_path / "a.zip", frames)
    notes: list[str] = []
    assert read_gtfs(path, cairns, hours=WINDOW, notes=notes).n_runs == 74
    assert "Wednesday 2014-06-11, the busiest day: 74 runs" in notes[0]
    assert read_gtfs(path, cairns, hours=WINDOW, date=dt.date(2014, 6, 10)).n_runs == 37
    for gone in (dt.date(2014, 6, 12), dt.date(2014, 6, 14), dt.date(2030, 1, 1)):
        with pytest.raises(DataError, match=f"none of its 74 runs starts on {gone} in the window .calendars from 2014-06-09 to 2014-12-07"):
            read_gtfs(path, cairns, hours=WINDOW, date=gone)
    frames["calendar.txt"] = frames["calendar.txt"].iloc[:0]
    only_dates = written(tmp_path / "b.zip", frames)
    assert read_gtfs(only_dates, cairns, hours=WINDOW).n_runs == 37
    with pytest.raises(UsageError, match="day must be one of mon, tue, wed, thu, fri, sat, sun, without date, got 'x'"):
        read_gtfs(path, cairns, hours=WINDOW, day="x")


def test_a_feed_without_calendars_is_one_day(cases, cairns, tmp_path):
    frames = tables(cases / "reports" / "feeds" / "f_same.zip")
    del frames["calendar.txt"]
    path = written(tmp_path / "a.zip", frames)
    notes: list[str] = []
    assert read_gtfs(path, cairns, hours=WINDOW, notes=notes).n_runs == 37
    assert "has no calendar, so that all its runs count as one service day" in notes[0]
    with pytest.raises(DataError, match="no day can be chosen"):
        read_gtfs(path, cairns, hours=WINDOW, day="fri")


@pytest.mark.parametrize(
    ("name", "hours"), [("h_24_27", WINDOW), ("h_24_27", range(22, 30)), ("f_same", range(25, 27)), ("f_after0", range(26, 29))]
)
def test_runs_are_clipped_to_the_window(cases, cairns, name, hours):
    path = cases / "reports" / "feeds" / f"{name}.zip"
    table = read_gtfs(path, cairns, hours=hours)
    expected = [start for start in starts_by_pandas(tables(path), {"night"}) if start // 3600 in hours]
    assert table.hours == tuple(hours)
    assert table.run_start_s.tolist() == expected
    with pytest.raises(DataError, match=r"no run starts in the window \(its \d+ runs start from .*\); choose another window"):
        read_gtfs(path, cairns, hours=range(12, 14))


def test_headways_are_expanded_and_clipped(cases, cairns):
    path = cases / "reports" / "feeds" / "q_freq.zip"
    rows = tables(path)["frequencies.txt"]
    spans = [(pd.to_timedelta(row.start_time), pd.to_timedelta(row.end_time), int(row.headway_secs)) for row in rows.itertuples()]
    starts = sorted(start for low, high, step in spans for start in range(int(low.total_seconds()), int(high.total_seconds()), step))
    for hours in (WINDOW, range(25, 27)):
        expected = [start for start in starts if start // 3600 in hours]
        assert read_gtfs(path, cairns, hours=hours).run_start_s.tolist() == expected


def moved_line(frames: dict[str, pd.DataFrame]) -> None:
    """Put one stop that only line r1 calls at far away."""
    trips = frames["trips.txt"].set_index("trip_id")["route_id"]
    lines = frames["stop_times.txt"].groupby("stop_id")["trip_id"].agg(lambda ids: set(ids.map(trips)))
    stop = next(stop for stop, routes in lines.items() if routes == {"r1"})
    frames["stops.txt"].loc[frames["stops.txt"]["stop_id"] == stop, "stop_lat"] = "-40"


def backward_line(frames: dict[str, pd.DataFrame]) -> None:
    """Let no run of line r1 have a first time."""
    trips = frames["trips.txt"].set_index("trip_id")["route_id"]
    first = frames["stop_times.txt"].groupby("trip_id").cumcount().eq(0) & frames["stop_times.txt"]["trip_id"].map(trips).eq("r1")
    frames["stop_times.txt"].loc[first, ["arrival_time", "departure_time"]] = ""


def short_line(frames: dict[str, pd.DataFrame]) -> None:
    """Let line r1 call at one stop only."""
    trips = frames["trips.txt"].set_index("trip_id")["route_id"]
    times = frames["stop_times.txt"]
    frames["stop_times.txt"] = times[times["trip_id"].map(trips).ne("r1") | times.groupby("trip_id").cumcount().eq(0)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (moved_line, "line 'R2' is left out, with 13 departures: every pattern has a stop too far from the network"),
        (backward_line, "leaves out 13 runs whose times are missing at an end or run backwards"),
        (short_line, "leaves out 13 runs that call at one stop alone (of line 'R2' 13)"),
    ],
)
def test_one_bad_line_never_costs_the_plan(cases, cairns, tmp_path, change: Callable[[dict[str, pd.DataFrame]], None], said):
    source = cases / "reports" / "feeds" / "f_same.zip"
    frames = tables(source)
    change(frames)
    notes: list[str] = []
    table = read_gtfs(written(tmp_path / "a.zip", frames), cairns, hours=WINDOW, notes=notes)
    alone = read_gtfs(source, cairns, hours=WINDOW, lines=["r0"])
    assert table.plan.names == ("R1",)
    assert table.equals(alone)
    assert said in "; ".join(notes)


@pytest.mark.parametrize("n_short", [1, 3, 8])
def test_the_pattern_with_most_departures_is_read(cases, cairns, tmp_path, n_short):
    source = cases / "reports" / "feeds" / "f_same.zip"
    frames = tables(source)
    trips, times = frames["trips.txt"], frames["stop_times.txt"]
    of_line = trips["trip_id"][(trips["route_id"] == "r0") & (trips["direction_id"] == "0")]
    short = set(of_line.iloc[:n_short])
    place = times["stop_sequence"].astype(int)
    frames["stop_times.txt"] = times[~(times["trip_id"].isin(short) & (place >= 20))]
    notes: list[str] = []
    table = read_gtfs(written(tmp_path / "a.zip", frames), cairns, hours=WINDOW, notes=notes)
    whole = read_gtfs(source, cairns, hours=WINDOW)
    n_kept = max(n_short, len(of_line) - n_short)
    assert table.n_runs == whole.n_runs - (len(of_line) - n_kept)
    assert len(table.starts_s(0)) == n_kept
    assert f"line 'R1' leaves out {len(of_line) - n_kept} departure" in "; ".join(notes)


def test_lines_are_named_by_short_name_or_id(cases, cairns):
    path = cases / "reports" / "feeds" / "f_same.zip"
    for names, line in ((["R2"], "R2"), (["R1"], "R1"), (["r1"], "R2"), (["r0", "R1 "], "R1")):
        assert read_gtfs(path, cairns, hours=WINDOW, lines=names).plan.names == (line,)
    assert read_gtfs(path, cairns, hours=WINDOW, lines=["r1", "R1"]).plan.names == ("R1", "R2")
    with pytest.raises(UsageError, match=r"lines must name lines of f_same.zip, such as R1, R2, got 'N9'"):
        read_gtfs(path, cairns, hours=WINDOW, lines=["R1", "N9"])


@pytest.mark.parametrize("name", ["fortaleza", "sao_paulo", "berlin", "cairns_gtfs"])
def test_real_feeds_are_plans_on_their_own_network(cases, name):
    path = cases / "gtfs" / f"{name}.zip"
    notes: list[str] = []
    table = read_gtfs(path, Network.from_gtfs(path, modes=("all",)), hours=WINDOW, notes=notes)
    assert table.n_runs >= len(table.plan) > 0
    assert set((table.run_start_s // 3600).tolist()) <= set(WINDOW)
    assert "is read for the service day" in notes[0]
    assert feed_of_plan(str(path)) == str(path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and messages of one command."""
    code = run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


@pytest.fixture
def calls(cases, tmp_path) -> str:
    """Records of 400 calls at stops of the feed, in the window."""
    stops = tables(cases / "reports" / "feeds" / "f_same.zip")["stops.txt"]
    rows = [
        (f"2024-03-{4 + k % 5:02d} {k % 5:02d}:{k % 60:02d}:00", *stops.iloc[k % 70][["stop_lon", "stop_lat"]], *home)
        for k, home in enumerate(stops[["stop_lon", "stop_lat"]].iloc[[(7 * k) % 70 for k in range(400)]].to_numpy().tolist())
    ]
    path = tmp_path / "calls.csv"
    pd.DataFrame(rows, columns=["time", "lon", "lat", "home_lon", "home_lat"]).to_csv(path, index=False)
    return str(path)


def test_a_feed_is_its_own_network(cases, calls, capsys):
    feed = str(cases / "reports" / "feeds" / "f_services.zip")
    code, out, err = printed(capsys, "score", feed, calls, "--json")
    assert code == 0
    assert json.loads(out)["plan"]["routes"] == 2
    assert "read for the service day Monday 2014-06-09, the busiest day: 37 runs" in err
    named = printed(capsys, "score", feed, calls, "--json", "--gtfs", feed)
    assert json.loads(named[1])["plan"] == json.loads(out)["plan"]
    code, out, err = printed(capsys, "timetable", feed, calls, "--day", "sat", "--lines", "R1", "--json")
    assert code == 0
    assert "the busiest Saturday: 24 runs" in err
    assert json.loads(out)["timetable"]["runs"] == 24


def test_a_feed_without_records_asks_for_them(cases, capsys):
    feed = str(cases / "reports" / "feeds" / "f_same.zip")
    for command in ("score", "timetable"):
        code, _, err = printed(capsys, command, feed)
        assert code == 2
        assert "a feed is measured on records; add files of calls or taxi rides, or --run DIR" in err


def test_a_day_is_for_feeds_and_a_date_reads_as_one(cases, calls, capsys):
    feed = str(cases / "reports" / "feeds" / "f_same.zip")
    plan = str(cases / "reports" / "plans" / "p_base.geojson")
    told = printed(capsys, "score", plan, calls, "--gtfs", feed, "--day", "fri")[2]
    assert "--day, --date, --lines and --pattern choose from a GTFS feed, and" in told
    assert "--date must read YYYY-MM-DD, got '8.3.2024'" in printed(capsys, "score", feed, calls, "--date", "8.3.2024")[2]
    assert "--day must be one of mon" in printed(capsys, "score", feed, calls, "--day", "fri", "--date", "2014-06-13")[2]


@pytest.mark.parametrize("option", [["--day", "fri"], ["--date", "2014-06-13"], ["--lines", "R1"], ["--pattern", "longest"]])
def test_a_choice_from_a_feed_is_refused_where_no_plan_is_one(cases, calls, capsys, tmp_path, option):
    plan = str(cases / "reports" / "plans" / "p_base.geojson")
    for words in (
        ["plan", calls, "--out", str(tmp_path / "a")],
        ["plan", calls, "--out", str(tmp_path / "a"), "--fixed", plan, "--reference", plan],
        ["compare", plan, plan, "--records", calls],
        ["explain", plan, "--records", calls],
        ["improve", plan, "--records", calls],
        ["timetable", plan, calls],
    ):
        code, _, err = printed(capsys, *words, *option)
        named = "no plan is named" if words[0] == "plan" and plan not in words else f"{plan} is none"
        assert code == 2
        assert f"--day, --date, --lines and --pattern choose from a GTFS feed, and {named}; leave them out" in err
    assert not (tmp_path / "a").exists()


def test_places_that_no_line_joins_to_the_others_are_written_as_points(cases, capsys, tmp_path):
    """Line r1 on the other side of the lake: its stops are the smaller group."""
    frames = tables(cases / "reports" / "feeds" / "f_same.zip")
    trips = frames["trips.txt"].set_index("trip_id")["route_id"]
    times = frames["stop_times.txt"]
    of_line = times["trip_id"].map(trips).eq("r1")
    stops = frames["stops.txt"]
    moved = stops[stops["stop_id"].isin(times["stop_id"][of_line])].copy()
    moved["stop_id"], moved["stop_lat"] = moved["stop_id"] + "x", (moved["stop_lat"].astype(float) + 1).astype(str)
    times.loc[of_line, "stop_id"] += "x"
    frames["stops.txt"] = pd.concat([stops[stops["stop_id"].isin(times["stop_id"])], moved])
    feed = str(written(tmp_path / "apart.zip", frames))
    code, out, err = printed(capsys, "network", "--gtfs", feed, "--modes", "all", "--json", "--out", str(tmp_path / "net"))
    assert code == 0, err
    dropped = json.loads((tmp_path / "net" / "dropped.geojson").read_text())["features"]
    report = json.loads(out)["report"]
    assert len(dropped) == report["counts"]["places cut off and dropped"] > 0
    assert "stops in use are dropped" in "; ".join(report["notes"])
    names = set(moved["stop_name"])
    for each in dropped:
        assert each["properties"]["reason"] == "no line joins it to the others"
        assert each["properties"]["name"] in names
        lon, lat = each["geometry"]["coordinates"]
        rows = moved[moved["stop_name"] == each["properties"]["name"]].astype({"stop_lon": float, "stop_lat": float})
        assert ((rows["stop_lon"] - lon).abs() + (rows["stop_lat"] - lat).abs()).min() < 2e-6
    code, _, err = printed(capsys, "network", "--gtfs", str(cases / "reports" / "feeds" / "f_same.zip"), "--out", str(tmp_path / "whole"))
    assert code == 0, err
    assert not (tmp_path / "whole" / "dropped.geojson").exists()


def test_runs_of_a_real_feed_that_begin_anew_at_midnight_are_read(cases):
    path = cases / "gtfs" / "fortaleza.zip"
    notes: list[str] = []
    line = read_gtfs(path, Network.from_gtfs(path), hours=range(17, 24), date=dt.date(2019, 6, 14), lines=["841"], notes=notes)
    starts = pd.to_timedelta(tables(path)["stop_times.txt"].query("trip_id == 'U841-T01V28B04-I'")["departure_time"])
    assert starts.is_monotonic_increasing is False
    assert 86_280 in line.run_start_s.tolist()
    assert line.n_runs == 53
    assert "that fall back to 00:00 within their trip, read as 24:00 and up" in "; ".join(notes)
    assert "run backwards" not in "; ".join(notes)
