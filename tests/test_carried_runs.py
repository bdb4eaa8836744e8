"""Runs planned for trips carried print one figure for one thing, and runs of any objective say what their feed does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from explore_town import town_run

from owlbus.cli.app import run as run_command
from owlbus.common.acceptance import RideChoice
from owlbus.gtfs import read_gtfs
from owlbus.pipeline.study import read_study

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = ["--max-circuity", "3", "--max-pair-circuity", "inf", "--allow-spurs"]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("carried"))


@pytest.mark.parametrize("scale", [0.4, 0.9, 2.5, 17.32])
def test_the_objective_of_a_run_is_the_share_of_its_scorecard(scale: float, town: Path, tmp_path: Path) -> None:
    """Both print riders in classes of trips, whatever a trip counts as."""
    RideChoice(scale_trips=scale).write(tmp_path / "choice.json")
    asked = ["--run", str(town), "--routes", "2", "--fleet", "8", "--steps", "50", "--objective", "carried", *SHAPE]
    out = tmp_path / "out"
    assert run_command(["plan", *asked, "--choice", str(tmp_path / "choice.json"), "--out", str(out), "-q"]) == 0
    about, card = (json.loads((out / name).read_text()) for name in ("run.json", "scorecard.json"))
    carried = card["carried"]
    assert about["objective_share"] == carried["share"] is not None
    trips = card["served"]["denominator"]
    base = carried.get("min_count", 15)
    n_classes = round(base / (15 * scale))
    assert base == pytest.approx(15 * scale * n_classes)
    assert carried["denominator"] == pytest.approx(trips // (15 * n_classes) * base), "riders tell no more of the total than trips"


def test_a_run_says_where_its_feed_has_longer_gaps_than_the_headway_of_its_buses(
    town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["plan", "--run", str(town), "--routes", "2", "--steps", "50", *SHAPE, "--out", str(out)]
    for headway, is_longer in (("20", True), ("60", False)):
        assert run_command([*asked, "--headway", headway]) == 0
        longest = int(read_gtfs(out / "gtfs.zip", read_study(out).network).headway_s.max()) / 60
        said = f"The feed has up to {longest:.0f} minutes between buses where few ride; for 20 at most: owlbus timetable"
        assert (said in capsys.readouterr().err) is is_longer
        assert (longest > float(headway)) is is_longer
