"""The documentation site: what its guides say to type runs, in the order of the page, and its figures are all explained."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import typer

from owlbus.cli.app import make_app, run

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIRST = "how/records.md"
"""The guide whose files the others use."""

GUIDES = [
    FIRST,
    *(f"how/{file.name}" for file in sorted((DOCS / "how").glob("*.md")) if file.name != "records.md"),
    "first_plan.md",
    "gallery.md",
]
BLOCK = re.compile(r"^```(sh|python|\{code-block\} \w+\n:caption: (?P<file>\S+)\n)\n(?P<text>.*?)^```$", flags=re.DOTALL | re.MULTILINE)
STEPS = "1000"


class Block(NamedTuple):
    """What a guide says to type, to run or to save."""

    kind: str
    file: str | None
    text: str


def blocks(page: str) -> list[Block]:
    """Blocks of a page that do something, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [Block(match[1].split("\n", 1)[0], match["file"], match["text"]) for match in BLOCK.finditer(text)]


def follow(page: str) -> None:
    """Do in the current folder what a page says; its commands end as it says."""
    for block in blocks(page):
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            exec(compile(block.text, page, "exec"), {})  # noqa: S102 - the page's own code
        else:
            for line in block.text.splitlines():
                command, _, remark = line.partition("  # exit code ")
                name, *words = shlex.split(command)
                assert name == "owlbus", line
                if can_run(words):
                    of_the_plan = {1, 2} if "via" in words else set()  # a short search may break a limit there, or have the stop already
                    assert run([*words, "-q"]) in {int(remark or 0)} | of_the_plan, line
                else:
                    assert typer.main.get_command(make_app()).commands[words[0]].make_context(words[0], words[1:]).params  # type: ignore[attr-defined]


def can_run(words: list[str]) -> bool:
    """
    Tell if a command of a guide runs here.

    `.ci/run` begins with the demo, `explore` ends when its page is closed, and no cluster is at hand: their words are parsed.
    """
    return words[0] not in {"demo", "explore"} and not any("tcp://" in word for word in words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Current folder with `demo`, a run of the sample city on few records, and with all that the first guide makes."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("site")
        patch.chdir(place)
        patch.setenv("OWLBUS_STEPS", STEPS)
        assert run(["synth", "--calls", "20000", "--taxi", "4000", "--out", "few", "-q"]) == 0
        sample = ["few/calls.parquet", "few/taxi.parquet", "--city", "seoul", "--public", "--fleet", "45", "--starts", "2"]
        assert run(["plan", *sample, "--out", "demo", "-q"]) == 0
        shutil.rmtree("few")
        follow(FIRST)
        yield place


@pytest.mark.parametrize("page", GUIDES[1:])
def test_what_a_guide_says_to_type_runs(folder: Path, page: str) -> None:
    assert folder == Path.cwd()
    follow(page)


def test_the_guides_show_the_way_from_records_to_a_plan(folder: Path) -> None:
    assert json.loads((folder / "lattice" / "run.json").read_text())["settings"]["n_routes"] == 2


def test_every_option_that_a_page_names_exists() -> None:
    command = typer.main.get_command(make_app())
    known = {name for sub in (command, *command.commands.values()) for param in sub.params for name in param.opts}  # type: ignore[attr-defined]
    for page in [*GUIDES, "numbers.md", "glossary.md", "index.md"]:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (DOCS / page).read_text(encoding="utf-8")))
        assert named <= known | {"--help"}, page


def test_every_figure_of_a_run_is_explained(folder: Path) -> None:
    page = (DOCS / "numbers.md").read_text(encoding="utf-8")
    card, record = (json.loads((folder / "demo" / name).read_text()) for name in ("scorecard.json", "run.json"))
    columns = [
        column
        for name in ("routes", "missing_places", "stops", "timetable")
        if (folder / "demo" / "tables" / f"{name}.csv").exists()
        for column in (folder / "demo" / "tables" / f"{name}.csv").read_text("utf-8-sig").splitlines()[0].split(",")
    ]
    rows = [card["presence"], card["rule"], card["fairness"], card["routes"][0], card["segments"][0], record["spread"]]
    named = {*card, *record, *columns, *(name for row in rows for name in row)}
    unexplained = {name for name in named if not name.startswith("headway_min_") and f"`{name}`" not in page}
    assert unexplained == set()


def test_korean_words_are_those_of_the_report() -> None:
    words = (DOCS.parent / "owlbus" / "report" / "assets" / "ko.json").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ", (DOCS / "glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(rows) > 20
    assert [korean for _, korean in rows[1:] if korean not in words] == []
