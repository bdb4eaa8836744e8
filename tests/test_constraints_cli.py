"""Wishes on the command line and in owlbus.toml: kept in what is written, named in one line where they cannot be."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from test_evidence_cli import made, told

from owlbus.cli.app import run
from owlbus.evidence.groups import read_groups
from owlbus.pipeline import read_study
from owlbus.plan import read_plan
from owlbus.search import GroupPresence

__all__ = ["made"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def words(made: Path, *more: str, routes: int = 3) -> list[str]:
    return ["plan", "--run", str(made / "run"), "--routes", str(routes), "--steps", "300", "--out", "out", *more]


def routes_written() -> dict[str, list[int]]:
    features = json.loads(Path("out/plan.geojson").read_text())["features"]
    return {one["properties"]["name"]: one["properties"]["stops"] for one in features}


def test_a_plan_keeps_the_wishes_of_the_command_line_and_the_run_tells_them(made, capsys):
    fixed = made / "run" / "reference.geojson"
    given = [one["properties"]["stops"] for one in json.loads(fixed.read_text())["features"]]
    network = read_study(made / "run").network
    free = set(range(network.n_stops)) - {stop for row in given for stop in row} - {3, 5, 7, 12}
    a, b = next((a, b) for a in sorted(free) for b in free & set(network.link_to[slice(*network.link_indptr[a : a + 2])].tolist()))
    constraints = ["--fixed", str(fixed), "--require", "3", "--hub", "5=2", "--ends", "N3=7..12", "--forbid-link", f"{a}..{b}"]
    told(capsys, *words(made, *constraints, routes=5))
    routes = routes_written()
    assert list(routes)[:3] == ["A", "B", "N3"]
    assert [routes["A"], routes["B"]] == given
    assert {routes["N3"][0], routes["N3"][-1]} == {7, 12}
    assert any(3 in row for row in routes.values())
    assert sum(5 in row for row in routes.values()) >= 2
    assert not any({a, b} == set(pair) for row in routes.values() for pair in pairwise(row))
    settings = json.loads(Path("out/run.json").read_text())["settings"]["constraints"]
    assert (settings["required"], settings["hubs"], settings["terminals"]) == ([3], [[5, 2]], [["N3", 7, 12]])


def test_wishes_may_stand_in_owlbus_toml(made, capsys):
    Path("owlbus.toml").write_text('[plan]\nrequire = ["3", "9"]\nforbid = ["20"]\n')
    told(capsys, *words(made, routes=2))
    used = {stop for row in routes_written().values() for stop in row}
    assert {3, 9} <= used
    assert 20 not in used


def test_a_plan_near_a_base_changes_at_most_so_many_of_its_stops(made, capsys):
    base = str(made / "run" / "reference.geojson")
    before = {one["properties"]["name"]: one["properties"]["stops"] for one in json.loads(Path(base).read_text())["features"]}
    told(capsys, *words(made, "--base", base, "--max-change", "20%"))
    after = routes_written()
    assert list(after) == list(before)
    assert [(row[0], row[-1]) for row in after.values()] == [(row[0], row[-1]) for row in before.values()]
    gone = sum(len(set(before[name]) - set(after[name])) for name in before)
    assert 0 < gone <= 0.2 * sum(map(len, before.values()))
    ended_by = json.loads(Path("out/run.json").read_text())["ended_by"]
    assert ended_by == {"reason": "near", "steps": 300, "changed": gone, "allowed": int(0.2 * sum(map(len, before.values())))}


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--ends", "N3=0..40", "--max-length-km", "3"], 4, "route N3 cannot reach terminal "),
        (["--hub", "3=9"], 4, "no way was found for 9 routes to call at "),
        (["--require", "3", "--forbid", "3"], 4, "is required and forbidden; drop one of the constraints"),
        (["--require", "9999"], 2, "stop 9999: the network has stops 0 to"),
        (["--hub", "3"], 2, "--hub must read STOP=N, such as Sadang=3, got '3'"),
        (["--forbid-link", "3"], 2, "--forbid-link must read A..B, such as 12..13, got '3'"),
        (["--ends", "3..4"], 2, "--ends must read NAME=A..B, or NAME=A for one terminal, got '3..4'"),
        (["--max-change", "0.1"], 2, "--max-change says how many stops of --base may change; add --base FILE"),
        (["--base", "BASE", "--max-change", "20"], 2, "--max-change must lie in [0, 1], got 20; 20 % reads 0.2 or 20%"),
        (["--base", "BASE", "--depot", "3"], 2, "--base keeps its terminals, and --depot constrains new routes; leave one of them out"),
        (["--base", "BASE", "--robust", "0.1"], 2, "--robust 0.1 changes routes as it likes, and --base says that few stops may change"),
        (
            ["--base", "BASE", "--time", "5"],
            2,
            "a plan near a base is searched by moves, not for 5 seconds; name --steps instead of --time",
        ),
        (["--base", "BASE", "--require", "ABSENT"], 4, "is required, and no route of the base calls there; plan without --base"),
    ],
)
def test_a_wish_that_cannot_be_kept_says_why_in_one_line_and_writes_nothing(made, capsys, more, code, message):
    base = made / "run" / "reference.geojson"
    used = {stop for one in json.loads(base.read_text())["features"] for stop in one["properties"]["stops"]}
    named = {"BASE": str(base), "ABSENT": str(min(set(range(30)) - used))}
    assert run(words(made, *(named.get(word, word) for word in more))) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not Path("out/plan.geojson").exists()


def halves(made: Path, least: str) -> str:
    """Write the halves of the town as a table of hexes; return the option for them."""
    grid = read_study(made / "run").grid
    rows = [f"{k},{'west' if lon < grid.lon.mean() else 'east'}" for k, lon in enumerate(grid.lon.tolist())]
    Path("halves.csv").write_text("\n".join(["hex,half", *rows]) + "\n")
    return f"halves.csv:half={least}"


def test_a_least_share_of_every_group_is_kept_and_the_run_tells_it(made, capsys):
    told(capsys, *words(made, "--min-group-presence", halves(made, "30%")))
    settings = json.loads(Path("out/run.json").read_text())["settings"]["constraints"]
    assert settings == {"groups": [{"name": "half", "least_share": 0.3, "n_labels": 2}]}
    study = read_study("out")
    group = GroupPresence(read_groups("halves.csv:half", study.grid), 0.3).counted(study.demand)
    assert not group.short(study.network, read_plan("out/plan.geojson", study.network).used_stops)


def test_a_least_share_may_stand_in_owlbus_toml_and_beside_a_base(made, capsys):
    Path("owlbus.toml").write_text(f'[plan]\nmin-group-presence = ["{halves(made, "0.05")}"]\n')
    told(capsys, *words(made, "--base", str(made / "run" / "reference.geojson"), "--max-change", "20%"))
    assert json.loads(Path("out/run.json").read_text())["settings"]["constraints"]["groups"][0]["least_share"] == 0.05


@pytest.mark.parametrize(
    ("least", "code", "message"),
    [
        ("1.5", 2, "--min-group-presence must read FILE:COLUMN=SHARE with a share in [0, 1], such as districts.geojson:name=0.2, got"),
        ("100%", 4, "% of the people of each half must be within the walk of a stop, and "),
        ("half", 2, "--min-group-presence must read FILE:COLUMN=SHARE"),
    ],
)
def test_a_least_share_that_cannot_be_kept_says_why_in_one_line(made, capsys, least, code, message):
    assert run(words(made, "--min-group-presence", halves(made, least), routes=1)) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not Path("out/plan.geojson").exists()


def test_districts_must_be_known_for_a_least_share_of_theirs(made, capsys):
    assert run(words(made, "--min-district-presence", "0.2")) == 2
    assert "--min-district-presence needs districts, and none are known here; take --min-group-presence" in capsys.readouterr().err
    assert run(words(made, "--min-district-presence", "20")) == 2
    assert "--min-district-presence must lie in [0, 1], got 20; 20 % reads 0.2 or 20%" in capsys.readouterr().err
