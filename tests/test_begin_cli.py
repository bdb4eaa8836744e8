"""Plans that a search goes on from, and routes that a sweep keeps, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_evidence_cli import made, told

from owlbus.cli.app import run

__all__ = ["made"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def words(made: Path, *more: str, routes: int = 4, out: str = "out") -> list[str]:
    return ["plan", "--run", str(made / "run"), "--routes", str(routes), "--steps", "200", "--out", out, *more]


def written(file: str) -> dict[str, list[int]]:
    return {one["properties"]["name"]: one["properties"]["stops"] for one in json.loads(Path(file).read_text())["features"]}


def heard(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command and return all that it prints, its lines joined."""
    capsys.readouterr()
    assert run(list(words)) == 0
    said = capsys.readouterr()
    return " ".join((said.out + said.err).split())


def share(out: str) -> float:
    return json.loads(Path(f"{out}/run.json").read_text())["objective_share"]


def test_a_search_goes_on_from_a_run_and_fills_it_up(made, capsys):
    told(capsys, *words(made, "--steps", "4000", routes=2, out="first"))
    told(capsys, *words(made, "--begin", "first", "--steps", "1", out="out"))
    assert share("out") > share("first"), "two routes more"
    settings = json.loads(Path("out/run.json").read_text())["settings"]
    assert settings["begin"] == "first"
    before, after = written("first/plan.geojson"), written("out/plan.geojson")
    assert len(after) == 4
    assert sum(row in after.values() or row[::-1] in after.values() for row in before.values()) >= 1


def test_a_plan_file_and_fixed_routes_go_together_and_what_they_break_is_noted(made, capsys):
    fixed = str(made / "run" / "reference.geojson")
    text = heard(capsys, *words(made, "--fixed", fixed, "--begin", fixed, "--max-length-km", "3"))
    assert "note: fixed route 'A': length " in text
    assert "it stays as it is, and all other routes keep the limit" in text
    kept = written(fixed)
    assert {name: row for name, row in written("out/plan.geojson").items() if name in kept} == kept


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--begin", "REF", "--base", "REF"], 2, "may change altogether, and few stops of --base"),
        (["--begin", "REF", "--resume"], 2, "--resume goes on from what --out holds, and --begin from"),
        (["--begin", "REF", "--routes", "1"], 2, "it has 2 routes, and 1 are asked for; begin anew, or ask for 2"),
        (["--begin", "REF", "--max-length-km", "2"], 2, "is above 2000 m; allow that, fix such routes with --fixed, or begin anew"),
        (["--begin", "absent.geojson"], 3, "absent.geojson: no such file"),
        (["--begin", "REF", "--day", "fri"], 2, "choose from a GTFS feed"),
    ],
)
def test_a_plan_that_no_search_goes_on_from_is_refused_in_one_line(made, capsys, more, code, message):
    reference = str(made / "run" / "reference.geojson")
    assert run(words(made, *(reference if word == "REF" else word for word in more))) == code
    errors = capsys.readouterr().err.strip().splitlines()
    assert message in errors[-1]
    assert not Path("out").exists()


def test_a_sweep_keeps_fixed_routes_in_every_setting(made, capsys):
    fixed = str(made / "run" / "reference.geojson")
    common = ["sweep", "--run", str(made / "run"), "--steps", "300", "--starts", "2", "--bound", "3", "--max-length-km", "4"]
    text = heard(capsys, *common, "--routes", "2:4", "--fixed", fixed, "--out", "swept")
    assert "note: fixed route 'A': length " in text
    kept = written(fixed)
    for setting in (2, 3, 4):
        routes = written(f"swept/plan_{setting}.geojson")
        assert list(routes)[:2] == list(kept)
        assert {name: routes[name] for name in kept} == kept
    points = json.loads(Path("swept/sweep.json").read_text())["points"]
    assert all(point["bound_share"] >= point["searched_share"] for point in points)
    assert json.loads(Path("swept/run.json").read_text())["settings"]["fixed"] == fixed
    assert run([*common, "--routes", "1:3", "--fixed", fixed]) == 4
    assert "the fixed routes take 2 routes, " in capsys.readouterr().err


def test_a_sweep_in_processes_keeps_fixed_routes_too(made, capsys):
    fixed = str(made / "run" / "reference.geojson")
    common = ["sweep", "--run", str(made / "run"), "--steps", "100", "--starts", "1", "--routes", "2:3", "--fixed", fixed]
    told(capsys, *common, "--out", "here")
    told(capsys, *common, "--scheduler", "processes:1", "--out", "there")
    assert written("here/plan_3.geojson") == written("there/plan_3.geojson")
