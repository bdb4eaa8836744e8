"""A plan run that Python writes is a run directory like those of the commands."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from owlbus import (
    Demand,
    HexGrid,
    Network,
    Request,
    RouteLimits,
    Study,
    UsageError,
    best_plan,
    read_plan,
    read_study,
    save_run,
    score_study,
)
from owlbus.pipeline.rundir import check_run

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus import PlanRun


@pytest.fixture(scope="module")
def plan_run() -> PlanRun:
    grid = HexGrid.cover([(10, 50), (10.05, 50), (10.05, 50.03), (10, 50.03)], n_hexes=20)
    ends = np.array([[0, 3, 16], [19, 16, 0]], np.int32)
    demand = Demand(20, origin=ends[0], destination=ends[1], trips=np.array([60.0, 30.0, 10.0]), grid=grid.fingerprint)
    study = Study(grid, demand, Network.from_lattice(grid), is_synthetic=True)
    return best_plan(study, Request(n_routes=1, limits=RouteLimits(max_buses=4), steps=200, seed=3))


def test_a_run_written_from_python_is_whole_and_read_again(tmp_path: Path, plan_run: PlanRun) -> None:
    names = save_run(tmp_path / "run", plan_run, title="A night")
    assert {"plan.geojson", "scorecard.json", "run.json", "report.html", "gtfs.zip", "demand.parquet", "map.png"} <= set(names)
    assert check_run(tmp_path / "run") == []
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    asked = record["settings"]
    assert (record["command"], record["seed"], record["min_count"], asked["n_routes"]) == ("plan", 3, 15, 1)
    assert (asked["city"], asked["is_synthetic"], asked["limits"]["max_buses"], asked["reference_name"]) == (None, True, 4, None)
    assert record["ended_by"] == plan_run.ended_by.to_dict()
    study = read_study(tmp_path / "run")
    assert study.is_synthetic
    assert read_plan(tmp_path / "run" / "plan.geojson", study.network).equals(plan_run.best.plan)


def test_a_reference_stands_beside_the_plan(tmp_path: Path, plan_run: PlanRun) -> None:
    reference = score_study(plan_run.study, plan_run.best.plan, "today")
    assert "reference.geojson" in save_run(tmp_path / "run", plan_run, reference)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["reference_name"] == "today"


def test_printed_counts_are_those_of_the_study(tmp_path: Path, plan_run: PlanRun) -> None:
    save_run(tmp_path / "run", plan_run)
    served = json.loads((tmp_path / "run" / "scorecard.json").read_text())["served"]
    assert served["denominator"] == 90  # a hundred trips, rounded down to a multiple of 15
    assert served["numerator"] % 15 == 0


def test_a_folder_with_other_files_is_refused(tmp_path: Path, plan_run: PlanRun) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="must be absent, empty or an earlier run"):
        save_run(tmp_path, plan_run)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_the_time_zone_of_the_feed_is_yours_to_name(tmp_path: Path, plan_run: PlanRun) -> None:
    save_run(tmp_path / "run", plan_run, agency_timezone="Asia/Seoul")
    with zipfile.ZipFile(tmp_path / "run" / "gtfs.zip") as feed:
        assert "Asia/Seoul" in feed.read("agency.txt").decode()
