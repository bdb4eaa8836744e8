"""`owlbus timetable` from end to end: on the sample city, and how it refuses."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from owlbus.cli.app import run
from owlbus.pipeline.rundir import check_run
from owlbus.report.timetable_page import timetable_page
from owlbus.report.translations import LANGUAGES, read_translations

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tonight(seoul: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the routes of 2013 with the 45 buses of 2013 on the sample city."""
    out = tmp_path_factory.mktemp("night") / "tonight"
    assert run(["timetable", str(seoul / "routes_2013.geojson"), "--fleet", "45", "--out", str(out), "-q"]) == 0
    return out


def test_the_sample_city_runs_on_45_buses_with_a_clean_feed(tonight):
    assert sorted(entry.name for entry in tonight.iterdir()) == [
        "gtfs.zip",
        "inputs.json",
        "night_safety.csv",
        "night_safety_groups.csv",
        "plan.geojson",
        "run.json",
        "tables",
        "tables.xlsx",
        "timetable.html",
        "timetable.json",
    ]
    assert [file.name for file in sorted((tonight / "tables").iterdir())] == ["notes.csv", "timetable.csv"]
    assert check_run(tonight) == []
    found = json.loads((tonight / "timetable.json").read_text())
    require_clean_feed(found["gtfs"])
    night = found["timetable"]
    assert night["fleet"] <= 45
    assert night["choice"]["planned_wait_s"] <= night["choice"]["equal_wait_s"]
    assert night["choice"]["offsets_proven"]
    assert max(headway for row in night["routes"] for headway in row["headway_s"]) <= 3600


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_headways_first_and_last_buses_and_waits_of_every_route(tonight, language):
    found, words = json.loads((tonight / "timetable.json").read_text()), read_translations(language)
    page = timetable_page(found, words, plan="<b>mine", is_synthetic=True)
    if language == "en":
        written = (tonight / "timetable.html").read_text()
        assert page.replace("&lt;b&gt;mine", "routes of 2013") == written
    assert f'<html lang="{language}">' in page
    assert "<b>mine" not in page
    assert "http" not in page.replace("http-equiv", "")
    for row, riders in zip(found["timetable"]["routes"], found["riders"]["routes"], strict=True):
        for cells in (
            [row["buses"], row["runs"], *(f"{headway / 60:.0f}" for headway in row["headway_s"])],
            [time[:5] for time in (*row["first"], *row["last"])],
            ["–" if wait is None else f"{wait / 60:.0f}" for wait in riders["wait_s"]],  # noqa: RUF001 - a dash
        ):
            assert f'<th scope="row">{row["name"]}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}' in page


def require_clean_feed(check):
    """Refuse a feed with errors, or with warnings of anything but names that the city writes in capitals, such as DMC."""
    assert check["errors"] == 0
    assert [line.split()[1] for line in check["lines"]] in ([], ["mixed_case_recommended_field"])


def test_long_routes_start_from_both_ends_at_midnight_and_three_short_ones_turn_downtown(tonight):
    night = json.loads((tonight / "timetable.json").read_text())["timetable"]
    turning = {row["name"] for row, both in zip(night["routes"], night["choice"]["both_ends"], strict=True) if not both}
    assert turning == {"N10", "N30", "N40"}


def test_the_night_safety_sheet_has_times_but_no_counts(tonight):
    with (tonight / "night_safety.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["hex", "walk_m", "walk_s", "area_share", "longest_wait_s", "first", "last_from", "last_home"]
    assert len(rows) > 200
    shares = [float(row["area_share"]) for row in rows]
    assert 0 < min(shares) < 0.5 < max(shares) == 1


def test_nine_routes_on_45_buses_stand_beside_the_service_of_2013_at_one_headway(tonight):
    found = json.loads((tonight / "timetable.json").read_text())
    held = found["reference"]
    assert held["name"] == "routes 2013, one headway"
    assert held["timetable"]["fleet"] <= 45
    (headway,) = {headway for row in held["timetable"]["routes"] for headway in row["headway_s"]}
    assert 40 * 60 <= headway <= 55 * 60, "the city states 40 to 50 minutes"
    assert headway == found["timetable"]["choice"]["equal_headway_s"]
    assert [row["name"] for row in held["riders"]["routes"]] == [row["name"] for row in found["riders"]["routes"]]


def test_costs_are_the_users_own_or_named_as_assumed(seoul, tmp_path, capsys):
    plan = [str(seoul / "routes_2013.geojson"), "--fleet", "45", "--equal-headways"]
    own = ["--cost-km", "1500", "--cost-hour", "40000", "--cost-bus", "60000", "--currency", "KRW"]
    out = tmp_path / "even"
    assert run(["timetable", *plan, *own, "--frequencies", "--out", str(out)]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "1500 a km, 40000 an hour, 60000 a bus (unit costs as given)" in page
    assert "cost a night, KRW 1" in page
    night = json.loads((out / "timetable.json").read_text())
    require_clean_feed(night["gtfs"])
    assert night["timetable"]["routes"] == night["reference"]["timetable"]["routes"]
    cost, table = night["timetable"]["cost"], night["timetable"]
    assert cost["total"] == pytest.approx(1500 * table["vehicle_km"] + 40_000 * table["vehicle_hours"] + 60_000 * table["fleet"], rel=1e-4)


def test_costs_that_nobody_gave_are_named_as_assumed(tonight):
    found = json.loads((tonight / "timetable.json").read_text())
    for night in (found, found["reference"]):
        assert night["timetable"]["cost"]["basis"] == "assumption, not an operator's figures: all unit costs"


def test_a_feed_can_be_measured_again(tonight, capsys):
    assert run(["timetable", str(tonight / "gtfs.zip"), "--city", "seoul", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    first = json.loads((tonight / "timetable.json").read_text())
    assert again["timetable"]["routes"] == first["timetable"]["routes"]
    assert again["riders"] == first["riders"]
    assert again["timetable"]["choice"] is None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.geojson"], 3, "none.geojson: no such file; name a run directory, or a plan"),
        (["PLAN", "--fleet", "5"], 4, "a headway of at most 60 minutes on 9 routes takes"),
        (["PLAN", "--start-date", "soon"], 2, "--start-date must read YYYY-MM-DD, got 'soon'"),
        (["PLAN", "calls.csv", "--run", "x"], 2, "--run takes demand and network from x"),
        (["PLAN", "--fleet", "5", "--equal-headways"], 4, "one headway of 60 minutes on 9 routes takes"),
        (["PLAN", "--cost-km", "3", "--currency", "KRW"], 2, "costs in KRW must all be given, got none for --cost-hour, --cost-bus"),
        (["PLAN", "--cost-km", "-1"], 2, "--cost-km must lie in [0, 1e+09], got -1"),
        (["PLAN", "--currency", "won"], 2, "costs in WON must all be given"),
        (["PLAN", "--currency", "euros"], 2, "currency must be a code of three letters, such as EUR or KRW, got 'EUROS'"),
        (["PLAN", "--capacity", "0"], 2, "capacity must lie in [1, 1000], got 0"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(words, code, message, seoul, capsys):
    assert run(["timetable", *(str(seoul / "routes_2013.geojson") if word == "PLAN" else word for word in words)]) == code
    assert message in capsys.readouterr().err
