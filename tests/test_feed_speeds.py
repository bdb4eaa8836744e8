"""Link times by hour from the runs of a second feed: against medians that pandas finds, and what does not count is said."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from test_network_gtfs import GRID, feed, written

from owlbus import DataError, Network
from owlbus.cli.app import run as run_command
from owlbus.gtfs.link_times import with_feed_speeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOURS = (23, 24, 25, 26)
HEAD = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"


def base(folder: Path) -> Network:
    """Three places in a row, each way: 0 -> 1 takes 120 s and 1 -> 2 150 s at night."""
    (folder / "base").mkdir()
    return Network.from_gtfs(written(folder / "base", feed()), GRID, hours=range(24, 29))


def second(folder: Path, runs: Mapping[str, str], **more: str) -> Path:
    """Feed of the same stops with runs such as ``a1 25:00:00 25:02:00, b1 25:03:00 25:03:00``."""
    rows = [
        f"{name},{' '.join(call.split()[1:2])},{call.split()[2]},{call.split()[0]},{k}"
        for name, calls in runs.items()
        for k, call in enumerate(calls.split(", "))
    ]
    files = feed(
        trips__txt="route_id,trip_id,shape_id\n" + "\n".join(f"N1,{name}," for name in runs),
        stop_times__txt=HEAD + "\n".join(rows),
        **more,
    )
    return written(folder, files)


def calls(*times: str, stops: str = "a1 b1 c1") -> str:
    """Calls at stops that are left at once."""
    return ", ".join(f"{stop} {time} {time}" for stop, time in zip(stops.split(), times, strict=True))


def seconds(text: str) -> int:
    hours, minutes, rest = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + rest


def by_pandas(path: Path, place_of: Mapping[str, int]) -> dict[tuple[int, int, int], float]:
    """Median seconds by hour of the clock and pair of places, of runs whose stops are all linked, found without owlbus."""
    with zipfile.ZipFile(path) as archive:
        table = pd.read_csv(io.BytesIO(archive.read("stop_times.txt")))
    table = table.sort_values(["trip_id", "stop_sequence"])
    table["leaves"], table["comes"] = table["departure_time"].map(seconds), table["arrival_time"].map(seconds)
    after = table.groupby("trip_id").shift(-1)
    is_last = after.groupby(table["trip_id"])["stop_id"].shift(-1).isna()
    table["took"] = np.where(is_last, after["comes"], after["leaves"]) - table["leaves"]
    table["start"], table["end"] = table["stop_id"].map(place_of), after["stop_id"].map(place_of)
    table["hour"] = table["leaves"] // 3600 % 24
    median = table.dropna(subset=["end"]).groupby(["hour", "start", "end"])["took"].median()
    return {(int(hour), int(start), int(end)): float(took) for (hour, start, end), took in median.items()}


def test_times_are_the_medians_of_the_runs_in_each_hour(tmp_path):
    network = base(tmp_path)
    rng = np.random.default_rng(3)
    runs = {}
    for k in range(60):
        start = int(rng.integers(21 * 3600, 28 * 3600))
        stops = "a1 b1 c1" if k % 2 else "c2 b2 a2"
        times = np.cumsum([start, *rng.integers(60, 300, 2)])
        dwell = int(rng.integers(0, 30))
        texts = [f"{time // 3600}:{time // 60 % 60:02d}:{time % 60:02d}" for time in times.tolist()]
        middle = int(times[1]) + dwell
        leaves = [texts[0], f"{middle // 3600}:{middle // 60 % 60:02d}:{middle % 60:02d}", texts[2]]
        rows = zip(stops.split(), texts, leaves, strict=True)
        if middle < times[2]:
            runs[f"r{k}"] = ", ".join(f"{stop} {comes} {left}" for stop, comes, left in rows)
    path = second(tmp_path, runs)
    hourly = with_feed_speeds(network, path, HOURS)
    expected = by_pandas(path, {"a1": 0, "a2": 0, "b1": 1, "b2": 1, "c1": 2, "c2": 2})
    n_measured = 0
    for place, hour in enumerate(HOURS):
        for start, end in ((0, 1), (1, 2), (2, 1), (1, 0)):
            row = int(network.link_indptr[start] + np.searchsorted(network.link_to[slice(*network.link_indptr[start : start + 2])], end))
            took = expected.get((hour % 24, start, end))
            n_measured += took is not None
            assert hourly.hour_link_s[place, row] == (network.link_s[row] if took is None else np.rint(took))
    assert n_measured > 10
    assert np.array_equal(hourly.link_s, hourly.hour_link_s.max(axis=0))
    assert hourly.hours == HOURS


def link_times(network: Network, start: int, end: int) -> list[int]:
    """Seconds of a link by hour."""
    return [network.at_hour(hour).link(start, end)[0] for hour in HOURS]


def test_links_keep_their_time_in_hours_without_a_run_and_the_extent_is_said(tmp_path):
    network = base(tmp_path)
    path = second(tmp_path, {"one": calls("01:00:00", "01:03:00", "01:04:00"), "two": calls("25:30:00", "25:31:30", "25:32:00")})
    hourly = with_feed_speeds(network, path, HOURS)
    assert link_times(hourly, 0, 1) == [120, 120, 135, 120]
    assert link_times(hourly, 1, 2) == [150, 150, 45, 150]
    assert link_times(hourly, 1, 0) == [network.link(1, 0)[0]] * 4
    (note,) = [note for note in hourly.report.notes if note not in network.report.notes]
    assert "on 2 of 4 links (50%); links keep the network's time in hours without a run" in note
    assert "23: 0; 00: 0; 01: 2, 0.67 times the network's time; 02: 0)" in note


def test_a_run_by_headways_counts_in_the_hours_of_its_departures(tmp_path):
    network = base(tmp_path)
    table = "trip_id,start_time,end_time,headway_secs\none,24:30:00,26:00:00,1800"
    path = second(tmp_path, {"one": calls("00:00:00", "00:01:40", "00:05:00")}, frequencies__txt=table)
    assert link_times(with_feed_speeds(network, path, HOURS), 0, 1) == [120, 100, 100, 120]


def test_the_time_of_a_run_that_passes_a_stop_is_shared_out_over_the_links(tmp_path):
    network = base(tmp_path)
    path = second(tmp_path, {"fast": "a1 24:58:00 24:58:00, c1 25:01:00 25:01:00"})
    hourly = with_feed_speeds(network, path, HOURS)
    assert link_times(hourly, 0, 1) == [120, 80, 120, 120]  # 120 of 270 s
    assert link_times(hourly, 1, 2) == [150, 100, 150, 150]  # leaves the second stop at 24:59:20


def test_stops_with_the_time_of_the_stop_before_are_interpolated(tmp_path):
    network = base(tmp_path)
    path = second(tmp_path, {"one": calls("25:00:00", "25:00:00", "25:03:00")})
    hourly = with_feed_speeds(network, path, HOURS)
    assert link_times(hourly, 0, 1)[2] == link_times(hourly, 1, 2)[2] == 90


def test_times_beyond_reason_do_not_count_and_that_is_said(tmp_path):
    network = base(tmp_path)
    path = second(tmp_path, {"slow": calls("25:00:00", "25:50:00", "25:52:00"), "quick": calls("25:10:00", "25:10:05", "25:12:00")})
    hourly = with_feed_speeds(network, path, HOURS)
    assert link_times(hourly, 0, 1) == [120] * 4
    assert link_times(hourly, 1, 2)[2] == round((120 + 115) / 2)
    assert any(
        "of 4 times from stop to stop in" in note and "2 take less than a tenth or more than ten times" in note
        for note in hourly.report.notes
    )


def test_a_feed_without_runs_in_these_hours_is_refused(tmp_path):
    network = base(tmp_path)
    path = second(tmp_path, {"day": calls("12:00:00", "12:02:00", "12:04:00")})
    with pytest.raises(DataError, match=r"no run leaves a stop of the network on its links in the hours 23 to 02 \(2 times") as caught:
        with_feed_speeds(network, path, HOURS)
    assert caught.value.setting == "speeds"


def test_a_feed_of_another_place_is_refused(tmp_path):
    network = base(tmp_path)
    path = second(
        tmp_path,
        {"one": calls("25:00:00", "25:02:00", "25:04:00")},
        stops__txt="stop_id,stop_name,stop_lat,stop_lon\na1,A,1.0,1.0\nb1,B,1.01,1.0\nc1,C,1.02,1.0",
    )
    with pytest.raises(DataError, match=r"lies \d+ m from the nearest stop of the network"):
        with_feed_speeds(network, path, HOURS)


def test_stops_too_far_from_the_network_are_said(tmp_path):
    network = base(tmp_path)
    stops = feed()["stops.txt"] + "\nz1,Far,51.0,11.0"
    path = second(tmp_path, {"one": calls("25:00:00", "25:02:40", "25:59:00", stops="a1 b1 z1")}, stops__txt=stops)
    hourly = with_feed_speeds(network, path, HOURS)
    assert link_times(hourly, 0, 1) == [120, 120, 160, 120]
    assert any("1 of 3 stops of" in note and "too far from the network" in note for note in hourly.report.notes)


def test_a_network_without_a_report_gets_none(tmp_path):
    network = replace(base(tmp_path), report=None)
    path = second(tmp_path, {"one": calls("25:00:00", "25:02:40", "25:04:00")})
    hourly = with_feed_speeds(network, path, HOURS)
    assert hourly.report is None
    assert link_times(hourly, 0, 1) == [120, 120, 160, 120]


def test_the_network_command_takes_a_second_feed_beside_its_own(tmp_path, capsys):
    (tmp_path / "base").mkdir()
    own = written(tmp_path / "base", feed())
    other = second(tmp_path, {"one": calls("01:00:00", "01:03:00", "01:04:00")})
    out = tmp_path / "net"
    words = ["network", str(own), "--speeds", str(other), "--out", str(out), "--json"]
    assert run_command(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert any("link times by hour are those of the runs of" in note for note in document["report"]["notes"])
    assert Network.read(out / "network.parquet").at_hour(25).link(0, 1)[0] == 180
