"""`owlbus reach` from the command line: figures, files, refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from explore_town import town_run

from owlbus.cli.app import run as run_command
from owlbus.common.disclosure import Publisher
from owlbus.gtfs import FeedInfo, read_gtfs, write_gtfs
from owlbus.pipeline import read_study
from owlbus.pipeline.outputs import timetable_of_plan
from owlbus.plan import read_plan
from owlbus.timetable.reach_times import LIMITS_S, ReachQuery, find_reach

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus.pipeline import Study
    from owlbus.timetable import Timetable

AT = ["--at", "01:30"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with the feed of its plan."""
    folder = town_run(tmp_path_factory.mktemp("reach"))
    study = read_study(folder)
    table = timetable_of_plan(study, read_plan(folder / "plan.geojson", study.network), 7, 2700)[0]
    write_gtfs(folder / "gtfs.zip", study.network, table, FeedInfo.after(None, "Asia/Seoul"))
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """What a command prints as JSON, or the one line that it ends with."""
    capsys.readouterr()
    assert run_command(["reach", *words, "--json", "-q"]) == code
    out, err = capsys.readouterr()
    return json.loads(out) if code == 0 else err.strip()


def place_of(run: Path) -> tuple[Study, Timetable, float, float]:
    """The study, its timetable, and the position of a stop."""
    study = read_study(run)
    table = read_gtfs(run / "gtfs.zip", study.network)
    stop = int(table.plan.routes[0].stops[1])
    return study, table, float(study.network.stop_lon[stop]), float(study.network.stop_lat[stop])


def test_people_within_reach_are_sums_of_the_printed_counts_of_hexes(run, capsys):
    study, table, lon, lat = place_of(run)
    found = told(capsys, str(run), "--from", f"{lon!r},{lat!r}", *AT)
    reach = find_reach(study.network, [table], ReachQuery(lon, lat, 91_800))
    publisher = Publisher(15)
    presence = np.array([15 * (people // 15) + 7.5 if people >= 15 else 0.0 for people in study.demand.presence_by_hex().tolist()])
    for row, limit_s in zip(found["within"], LIMITS_S, strict=True):
        for kind, bad_luck in (("median", False), ("bad_luck", True)):
            people = float(presence @ reach.area_share(limit_s, bad_luck=bad_luck))
            assert row[kind]["people"] == publisher.count(people)
            assert row[kind]["people_share"] == round(people / float(presence.sum()), 6)
    assert found["window"] == ["25:30:00", "26:29:00"]
    assert (found["min_count"], found["people"] % 15) == (15, 0)
    assert [row["median"]["people"] for row in found["within"]] == sorted(row["median"]["people"] for row in found["within"])
    assert sum(row["hexes"] for row in found["last_buses"]) == sum(row["last_bus"] is not None for row in found["hexes"])


def test_a_hex_a_stop_and_a_position_name_the_same_place(run, capsys):
    study, table, lon, lat = place_of(run)
    stop = int(table.plan.routes[0].stops[1])
    label = str(study.grid.labels[study.network.stop_hex[stop]])
    answers = [told(capsys, str(run), "--from", name, *AT) for name in (f"{lon!r},{lat!r}", str(stop), label)]
    assert answers[0]["within"] == answers[1]["within"] == answers[2]["within"], "on the lattice stops stand at centres"
    assert answers[2]["place"]["name"] == label


def test_the_files_hold_the_figures_and_no_request(run, tmp_path, capsys):
    _, _, lon, lat = place_of(run)
    for lang, title in (("en", "From where one gets to"), ("ko", "올 수 있는 곳")):
        out = tmp_path / lang
        found = told(capsys, str(run), "--to", f"{lon!r},{lat!r}", "--at", "03:00", "--out", str(out), "--lang", lang)
        assert json.loads((out / "reach.json").read_text())["within"] == found["within"]
        hexes = json.loads((out / "reach.geojson").read_text())["features"]
        assert [hexagon["properties"] for hexagon in hexes] == found["hexes"]
        page = (out / "reach.html").read_text()
        assert title in page
        assert "default-src 'none'" in page
        assert found["direction"] == "to"
        assert found["window"] == ["26:01:00", "27:00:00"]


def test_feeds_are_ridden_together(run, capsys):
    """The same feed once more adds nothing, and the line N1 alone reaches fewer hexes than all."""
    _, _, lon, lat = place_of(run)
    words = ["--from", f"{lon!r},{lat!r}", *AT]
    whole = told(capsys, str(run), *words)
    again = told(capsys, str(run), *words, "--feed", str(run / "gtfs.zip"))
    few = told(capsys, str(run), *words, "--lines", "N1")
    assert again["within"] == whole["within"]
    assert few["within"][-1]["median"]["people"] <= whole["within"][-1]["median"]["people"]
    assert len(few["hexes"]) < len(whole["hexes"])


def test_a_plan_without_a_feed_gets_the_timetable_that_goes_with_it(run, capsys):
    _, _, lon, lat = place_of(run)
    found = told(capsys, str(run / "plan.geojson"), "--run", str(run), "--from", f"{lon!r},{lat!r}", *AT)
    assert found["within"][-1]["median"]["people"] > 0


@pytest.mark.parametrize(("way", "at", "is_told"), [("--from", "12:00", True), ("--to", "14:00", True), ("--from", "01:30", False)])
def test_a_time_at_which_no_bus_runs_is_told(run, capsys, way, at, is_told):
    _, _, lon, lat = place_of(run)
    assert run_command(["reach", str(run), way, f"{lon!r},{lat!r}", "--at", at]) == 0
    assert ("warning: no bus runs at that time, so only walks count; buses run from " in capsys.readouterr().err) is is_told


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "name one place, with --from or with --to, got none; such as --from Gangnam --at 02:30"),
        (["--from", "1", "--to", "2"], 2, "name one place, with --from or with --to, got 2; such as"),
        (["--from", "1", "--at", "half past"], 2, "--at must read HH:MM, such as 02:30, got 'half past'"),
        (["--from", "1", "--over", "0"], 2, "--over must lie in [1, 720] minutes, got 0"),
        (["--from", "1", "--max-transfers", "11"], 2, "--max-transfers must lie in [0, 10], got 11"),
        (["--from", "nowhere at all"], 2, "no stop or place is called 'nowhere at all'; there are"),
        (["--from", "126.0,37.5"], 2, "the place at 126.00000,37.50000 lies 8"),
        (["--from", "1", "--feed", "absent.zip"], 3, "absent.zip: no such file"),
    ],
)
def test_a_wrong_question_is_refused_in_one_line(run, capsys, words, code, message):
    line = told(capsys, str(run), *words, code=code)
    assert line.startswith(f"error: {message}")
    assert "\n" not in line
