"""The README is one screen; it and the pages that it points to name commands, options and Python that exist and run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from owlbus.cli import main
from owlbus.cli.app import COMMANDS, make_app

ROOT = Path(__file__).resolve().parent.parent
README, LINE, INPUT, PYTHON = "README.md", "docs/command_line.md", "docs/input_files.md", "docs/in_python.md"
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in (README, LINE, INPUT, PYTHON)}
MOST_LINES = 80


def python_blocks(page: str) -> list[str]:
    """Python that a page shows, one block after the other."""
    return re.findall(r"```python\n(.*?)```", PAGES[page], flags=re.DOTALL)


def test_the_readme_is_one_screen() -> None:
    assert len(PAGES[README].splitlines()) <= MOST_LINES


def test_ci_runs_the_two_commands_as_they_are_written() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("pip install . && owlbus demo", "pip install '.[dev]' && pytest"):
        assert f"\n{command}\n" in PAGES[README]
        assert f"    {command} " in script


def test_the_readme_says_that_the_demand_of_the_sample_city_is_synthetic() -> None:
    assert "**The demand of the sample city is synthetic.**" in PAGES[README]


def test_the_table_lists_the_commands_that_exist() -> None:
    assert re.findall(r"^\| `owlbus (\w+)` \|", PAGES[LINE], flags=re.MULTILINE) == [command.__name__ for command, _ in COMMANDS]


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_is_named_exists(page: str) -> None:
    command = typer.main.get_command(make_app())
    known = {name for sub in command.commands.values() for param in sub.params for name in param.opts}  # type: ignore[attr-defined]
    elsewhere = {"--help", "--snapshot-update", "--strict"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGES[page])) <= known | elsewhere | ({"--only"} if page == PYTHON else set())


@pytest.mark.parametrize(
    "line",
    [line for page in (README, LINE) for line in re.findall(r"^owlbus ((?:plan|score|explore) .*)$", PAGES[page], flags=re.MULTILINE)],
)
def test_every_command_line_parses(line: str) -> None:
    name, *words = re.sub(r"\s+#.*", "", line).split()
    command = typer.main.get_command(make_app())
    context = command.commands[name].make_context(name, words)  # type: ignore[attr-defined]
    assert context.params


@pytest.mark.real
def test_public_records_are_read_by_the_lines_that_say_so(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = re.findall(r"^owlbus (demand \.\./shared/cases/.*)$", PAGES[INPUT], flags=re.MULTILINE)
    read = {word for line in lines for word in re.findall(r"\.\./shared/cases/(\S+)", line)}
    assert read == {"stpetersburg/taxi_trips.csv.gz", "taxi/chicago_taxi.csv", "calls/calls.csv", "calls/antennas.csv"}
    rows = []
    for line in lines:
        with pytest.raises(SystemExit, match=r"^0$"):
            main([*line.replace("../shared/cases", str(cases)).split(), "--json"])
        rows.append(json.loads(capsys.readouterr().out)["records"]["rows_in"])
    assert rows == [67_912, 15_002, 49]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    for name in re.findall(r"[(`]((?:sample_data|benchmarks|tests|owlbus|docs|notebooks)/[\w./]*)[)`]", PAGES[page]):
        assert (ROOT / name).exists(), name


def test_the_picture_is_small() -> None:
    assert (ROOT / "sample_data" / "demo_map.png").stat().st_size < 300_000


def test_the_python_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = python_blocks(README)
    exec(compile(code, README, "exec"), {})  # noqa: S102 - the README's own example
    said = r"\d+\.\d% of people near a stop, \d+\.\d% of trips served\n\d+\.\d% of trips served, as the search counts them\n"
    assert re.fullmatch(said, capsys.readouterr().out)


def test_the_examples_in_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    for code in python_blocks(PYTHON):
        exec(compile(code, PYTHON, "exec"), {})  # noqa: S102 - the page's own examples
    lines = capsys.readouterr().out.splitlines()
    for line in lines[:3]:
        assert re.fullmatch(
            r"\d+ routes, \d+ buses: \d+\.\d% of people within the walk, \d+\.\d% of trips served, \d+\.\d% without a transfer", line
        )
    assert lines[3:] == ["100.0 100.0 ()", "120.0 seconds"]
