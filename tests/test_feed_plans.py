"""Feeds read as plans: service days, windows, patterns, lines left out; checked against a count by pandas."""

from __future__ import annotations

import datetime as dt
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from owlbus import Network
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


@pytest.mark.parametrize(
    ("name", "services", "buses"), [("f_same", {"night"}, 7), ("f_services", {"night"}, 7), ("f_after0", {"night"}, 7)]
)
def test_one_service_day_is_read_and_named(cases, cairns, name, services, buses):
    path = cases / "reports" / "feeds" / f"{name}.zip"
    notes: list[str] = []
    table = read_gtfs(path, cairns, hours=WINDOW, notes=notes)
    assert table.run_start_s.tolist() == starts_by_pandas(tables(path), services)
    assert (table.n_runs, table.fleet) == (37, buses)
    assert notes[0] == f"the feed {name}.zip is read for the service day Monday 2014-06-09, the busiest day: 37 runs"


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
        (short_line, "line 'R2' is left out, with 13 departures: "),
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
    assert read_gtfs(path, cairns, hours=WINDOW, lines=["R2"]).plan.names == ("R2",)
    assert read_gtfs(path, cairns, hours=WINDOW, lines=["r1 ", "R1"]).plan.names == ("R1", "R2")
    with pytest.raises(UsageError, match=r"lines must name lines of f_same.zip, such as R1, R2, got 'n9'"):
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
