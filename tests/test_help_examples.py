"""The examples that help pages begin with run on the sample city as they stand there."""

from __future__ import annotations

import csv
import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from owlbus.cli.app import run as run_command

QUICK = {"phase": ["--steps", "0"], "improve": ["--steps", "200"]}
"""Short searches: how good a plan is, is not asked here."""

OWN_RECORDS = re.compile(r"\bcalls\.parquet\b")
"""An example on records of the reader, which are not the sample city's."""


def examples(name: str) -> list[list[str]]:
    """Words of each example of a command, without the program."""
    text = getattr(import_module(f"owlbus.cli.{name}"), name).__doc__
    lines = re.findall(r"\[bold\]owlbus (.+?)\[/bold\]", text)
    return [shlex.split(line) for line in lines if not OWN_RECORDS.search(line)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the files that the examples name: a run of four routes, its plan, the routes of 2013, and counts of boardings."""
    made = tmp_path_factory.mktemp("examples")
    city = ["--city", "seoul", "--routes", "4", "--fleet", "45", "--steps", "2000"]  # few routes: nine take three times as long
    assert run_command(["plan", *city, "--out", str(made / "run"), "-q"]) == 0
    (made / "routes.geojson").write_bytes((made / "run" / "plan.geojson").read_bytes())
    (made / "routes_2013.geojson").write_bytes((Path(__file__).parents[1] / "sample_data/seoul/routes_2013.geojson").read_bytes())
    stops = json.loads((made / "run" / "stops.geojson").read_text())["features"][::3]
    with (made / "counts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["stop", "boardings"], *([stop["properties"]["stop"], 30] for stop in stops)])
    return made


@pytest.mark.parametrize("name", ["reach", "explain", "timetable", "phase", "score", "compare", "improve", "calibrate", "report"])
def test_the_examples_of_a_help_page_run_on_the_sample_city(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = examples(name)
    assert found
    monkeypatch.chdir(folder)
    for words in found:
        assert run_command([*words, *QUICK.get(name, []), "-q"]) == 0, (words, capsys.readouterr().err)
