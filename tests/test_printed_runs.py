"""What a run says of its records and its search: printed counts, and a base that grows with the weight of one record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from owlbus.common.disclosure import EXACT, Publisher
from owlbus.common.ending import Ending
from owlbus.demand import DemandReport, FileCount, RuleCount, SourceCount
from owlbus.pipeline import Sources, build_study
from owlbus.plan import Plan
from owlbus.search import Objective, Result

if TYPE_CHECKING:
    from pathlib import Path

CALLS = SourceCount("calls", 1, 300.0, 310.0, 3, 20)
RULE = RuleCount("same hex", "begin in the hex they lead to", "no trip", "take smaller hexes", 14, 14.0, 0.1, "calls.csv line 3")
REPORT = DemandReport(
    (FileCount("calls.csv", "calls", 139, 134, 5, 120, 139.0, 134.0, 5.0),),
    (RULE, replace(RULE, name="time missing", effect="reject", rows=5, trips=5.0)),
    (CALLS,),
)


def found(value: int, total: int, bound: int | None, objective: Objective | None = None, **more: Ending) -> Result:
    ending = more.get("ended_by", Ending("steps", {"steps": 5}))
    bound_quanta = None if bound is None else bound * 1024
    return Result(Plan((), ""), objective or Objective(), value * 1024, total * 1024, ending, 0, 5, 5, 1.0, (), bound_quanta)


def test_rows_that_count_are_rounded_and_rows_rejected_are_exact() -> None:
    printed = REPORT.to_json()
    assert (printed["rows_in"], printed["rows_counted"], printed["rows_rejected"]) == (125, 120, 5)
    assert [rule["rows"] for rule in printed["rules"]] == [0, 5]
    assert [printed["files"][0][name] for name in ("rows_in", "rows_counted", "rows_trip", "rows_rejected")] == [125, 120, 120, 5]
    assert (printed["sources"][0]["trips_per_night"], printed["sources"][0]["repeats_present"]) == (300, 15)
    assert REPORT.to_json(Publisher(EXACT))["rows_in"] == 139


def test_reports_whose_counts_print_alike_are_the_same() -> None:
    other = replace(REPORT, files=(replace(REPORT.files[0], rows_in=127, rows_counted=122, trips_in=127.0, trips_counted=122.0),))
    assert other.to_json() == REPORT.to_json()


@pytest.mark.parametrize(("rides", "weight"), [(300.0, 1.0), (30.0, 2.0), (10.0, 6.0)])
def test_a_ride_weighs_more_where_there_are_few(rides: float, weight: float) -> None:
    report = replace(REPORT, sources=(CALLS, SourceCount("taxi", 1, rides, 310.0, 0, 0)), taxi_weight=0.2)
    assert report.record_weight(Publisher(EXACT)) == weight
    assert report.record_weight(Publisher()) >= weight, "from printed counts, never less"


def test_synthetic_records_are_open_data_unless_said_otherwise() -> None:
    bases = [Sources(city="seoul"), Sources(city="seoul", min_count=20), Sources(files=("a.csv",)), Sources(files=("a.csv",), public=True)]
    assert [sources.published_min_count for sources in bases] == [EXACT, 20, 15, EXACT]


def test_objective_and_bound_are_told_from_printed_counts() -> None:
    pairs = [found(value, 1_000, bound).printed_shares(Publisher()) for value, bound in ((300, 420), (314, 434))]
    assert pairs[0] == pairs[1]
    assert found(300, 1_000, 420).printed_shares(Publisher(EXACT)) == (0.3, 0.42)
    share, bound = pairs[0]
    assert share is not None
    assert bound is not None
    assert share < bound


def test_one_person_moves_no_printed_objective_of_a_mix_or_of_time() -> None:
    mix, time = Objective(3, 1), Objective(is_travel_time=True)
    assert found(1_200, 8_000, None, mix).printed_shares(Publisher()) == found(1_256, 8_000, None, mix).printed_shares(Publisher())
    by_time = [found(value * 7_200, 1_000 * 7_200, None, time).printed_shares(Publisher()) for value in (300, 314)]
    assert by_time[0] == by_time[1]


def test_a_gap_that_ended_a_search_is_told_as_it_is_printed() -> None:
    ending = Ending("gap", {"gap_share": 0.0432101, "asked_share": 0.05})
    told = found(300, 1_000, 313, ended_by=ending).printed_ending(Publisher())
    assert told.numbers["gap_share"] != ending.numbers["gap_share"]
    assert told == found(310, 1_000, 314, ended_by=ending).printed_ending(Publisher())


def test_rows_of_large_files_are_rounded_too_and_no_first_odd_row_is_named() -> None:
    """Exact rows beside printed counts gave nights and counts away in 3 of 36 towns of 150 to 600 people."""
    large = replace(REPORT, files=(replace(REPORT.files[0], rows_in=1390, rows_counted=1385),))
    printed = large.to_json()
    assert (printed["rows_in"], printed["rows_counted"]) == (1385, 1380)
    assert [rule["first"] for rule in printed["rules"]] == [None, None]
    assert large.to_json(Publisher(EXACT))["rules"][0]["first"] == "calls.csv line 3"


def test_stops_of_the_lattice_follow_the_base_that_weights_scale(tmp_path: Path) -> None:
    """A record that counts as twenty people prints at fifteen: its hex alone must not have a stop for that."""
    lines = ["time,lon,lat,home_lon,home_lat"]
    lines += [f"2024-03-04 01:{k % 60:02d}:00,{13.30 + 0.02 * (k % 7):.4f},{52.50 + 0.012 * (k // 7):.4f},13.40,52.52" for k in range(40)]
    (tmp_path / "calls.csv").write_text("\n".join(lines) + "\n")
    ring = [[13.28, 52.48], [13.46, 52.48], [13.46, 52.60], [13.28, 52.60], [13.28, 52.48]]
    (tmp_path / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    (tmp_path / "share.csv").write_text("lon,lat,share\n13.36,52.54,0.05\n")
    asked = {"area": str(tmp_path / "area.geojson"), "market_share": str(tmp_path / "share.csv")}
    stops = [build_study(Sources((str(tmp_path / "calls.csv"),), **asked, public=public)).network.n_stops for public in (True, False)]
    assert stops[1] > stops[0], "where too few are printed the lattice keeps every stop"
