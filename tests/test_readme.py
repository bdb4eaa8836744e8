"""The README: its commands, options and Python run, and it stays short."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from owlbus.cli import main
from owlbus.cli.app import COMMANDS, make_app

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_stays_short() -> None:
    assert len(TEXT.splitlines()) <= 200


def test_ci_runs_the_two_commands_as_they_are_written() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("pip install . && owlbus demo", "pip install '.[dev]' && pytest"):
        assert f"\n{command}\n" in TEXT
        assert f"    {command} " in script


def test_the_table_lists_the_commands_that_exist() -> None:
    assert re.findall(r"^\| `owlbus (\w+)` \|", TEXT, flags=re.MULTILINE) == [command.__name__ for command, _ in COMMANDS]


def test_every_option_that_is_named_exists() -> None:
    command = typer.main.get_command(make_app())
    known = {name for sub in command.commands.values() for param in sub.params for name in param.opts}  # type: ignore[attr-defined]
    elsewhere = {"--help", "--snapshot-update", "--strict"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) <= known | elsewhere


@pytest.mark.parametrize("line", re.findall(r"^owlbus ((?:plan|score) .*)$", TEXT, flags=re.MULTILINE))
def test_every_command_line_parses(line: str) -> None:
    name, *words = re.sub(r"\s+#.*", "", line).split()
    command = typer.main.get_command(make_app())
    context = command.commands[name].make_context(name, words)  # type: ignore[attr-defined]
    assert context.params


@pytest.mark.real
def test_public_records_are_read_by_the_lines_that_say_so(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = re.findall(r"^owlbus (demand \.\./shared/cases/.*)$", TEXT, flags=re.MULTILINE)
    read = {word for line in lines for word in re.findall(r"\.\./shared/cases/(\S+)", line)}
    assert read == {"stpetersburg/taxi_trips.csv.gz", "taxi/chicago_taxi.csv", "calls/calls.csv", "calls/antennas.csv"}
    rows = []
    for line in lines:
        with pytest.raises(SystemExit, match=r"^0$"):
            main([*line.replace("../shared/cases", str(cases)).split(), "--json"])
        rows.append(json.loads(capsys.readouterr().out)["records"]["rows_in"])
    assert rows == [67_912, 15_002, 49]


def test_files_that_are_named_exist() -> None:
    for name in re.findall(r"[(`]((?:sample_data|benchmarks|tests|owlbus)/[\w./]*)[)`]", TEXT):
        assert (ROOT / name).exists(), name


def test_the_picture_is_small() -> None:
    assert (ROOT / "sample_data" / "demo_map.png").stat().st_size < 300_000


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert code is not None
    assert len([line for line in code.group(1).splitlines() if line.strip()]) <= 10
    exec(compile(code.group(1), "README.md", "exec"), {})  # noqa: S102 - the README's own example
    assert re.fullmatch(
        r"(\d+ routes, \d+ buses: \d+\.\d% of people within the walk, \d+\.\d% of trips served, \d+\.\d% without a transfer\n){3}",
        capsys.readouterr().out,
    )
