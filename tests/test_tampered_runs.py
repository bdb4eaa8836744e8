"""Run directories that somebody changed: every field of their JSON in turn lacks, or is something else; and files that are no files."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import os
import random
import time
from typing import TYPE_CHECKING, Any

import fuzzing
import pytest

from owlbus.cli.app import run
from owlbus.common.errors import DataError
from owlbus.common.files import MOST_JSON_BYTES
from owlbus.pipeline.report_content import report_pages
from owlbus.pipeline.run_json import read_run
from owlbus.pipeline.rundir import check_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUES: tuple[Any, ...] = (None, [], {}, "x", "", -1, 0, 1e308, 10**30, float("nan"), float("inf"), True, [[1]], {"a": None}, ["x"])
MOST_FIELDS = 40
"""Fields of a file that are changed in one run of the tests, drawn from all of them."""

SHALLOW = ("schema_version", "command", "seed", "ended_by", "settings", "inputs", "outputs", "versions", "timings_s", "objective_share")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a small town; a test that changes it puts it right again."""
    return fuzzing.unpacked(tmp_path_factory.mktemp("tampered"), fuzzing.made_run())


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any value of JSON
    """Yield the way to every field of a JSON value; of lists the first entry stands for all."""
    for key in list(value) if isinstance(value, dict) else range(min(1, len(value))) if isinstance(value, list) else ():
        yield (*path, key)
        yield from spots(value[key], (*path, key))


def changed(value: Any, path: tuple[Any, ...], *new: Any) -> Any:  # noqa: ANN401 - any value of JSON
    """Return a copy of a JSON value in which one field lacks, or is another one."""
    whole = copy.deepcopy(value)
    at = whole
    for key in path[:-1]:
        at = at[key]
    if new:
        at[path[-1]] = new[0]
    else:
        del at[path[-1]]
    return whole


@contextlib.contextmanager
def tampered(made: Path, name: str, data: bytes) -> Iterator[None]:
    """Put other bytes in place of a file of a run; its ``run.json`` says that these are what was written."""
    before = {file: (made / file).read_bytes() for file in (name, "run.json")}
    (made / name).write_bytes(data)
    if name != "run.json":
        about = json.loads(before["run.json"])
        about["outputs"][name] = hashlib.sha256(data).hexdigest()
        (made / "run.json").write_text(json.dumps(about))
    try:
        yield
    finally:
        for file, content in before.items():
            (made / file).write_bytes(content)


def ended(words: list[str]) -> int:
    """Run a command that must end as done, or as bad input in one line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*words, "-q"])
    said = err.getvalue()
    assert code in {0, 3}, (words, code, said)
    assert code == 0 or (said.startswith("error: ") and said.count("\n") == 1), said
    return code


def commands(made: Path, out: Path) -> dict[str, list[str]]:
    """Return words of every command that reads a run."""
    where = str(made)
    return {
        "report": ["report", where, "--out", str(out / "page.html")],
        "score": ["score", where, "--reference", where],
        "compare": ["compare", where, where],
        "explain": ["explain", where, "route"],
        "improve": ["improve", where, "--steps", "5"],
        "timetable": ["timetable", where],
        "plan": ["plan", "--run", where, "--routes", "1", "--steps", "5", "--out", str(out / "run")],
        "sweep": ["sweep", "--run", where, "--routes", "1:2", "--steps", "5"],
        "network": ["network", where],
    }


@pytest.mark.parametrize("name", ["run.json", "scorecard.json", "plan.geojson"])
def test_every_field_that_lacks_or_is_another_is_refused_or_taken_by_the_report(name: str, made: Path) -> None:
    whole, rng = json.loads((made / name).read_bytes()), random.Random(name)  # noqa: S311 - the same fields each time
    ways = list(spots(whole))
    taken = ways if len(ways) <= MOST_FIELDS else rng.sample(ways, MOST_FIELDS)
    refusals = []
    for path in taken:
        for new in ((), (rng.choice(VALUES),)):
            with tampered(made, name, json.dumps(changed(whole, path, *new)).encode()):
                try:
                    report_pages(made)
                except DataError as error:
                    refusals.append(str(error))
    assert refusals
    assert [text for text in refusals if str(made) not in text and name not in text] == []


@pytest.mark.parametrize("command", ["report", "score", "compare", "explain", "improve", "timetable", "plan", "sweep", "network"])
def test_every_command_that_reads_a_run_refuses_a_tampered_one_in_one_line(command: str, made: Path, tmp_path: Path) -> None:
    words = commands(made, tmp_path)[command]
    about, plan = (json.loads((made / name).read_bytes()) for name in ("run.json", "plan.geojson"))
    rng = random.Random(command)  # noqa: S311 - the same values each time
    for path in [(key,) for key in rng.sample(SHALLOW, 3)] + [("settings", "city")]:
        with tampered(made, "run.json", json.dumps(changed(about, path, rng.choice(VALUES))).encode()):
            ended(words)
    for path in rng.sample(list(spots(plan)), 3):
        with tampered(made, "plan.geojson", json.dumps(changed(plan, path, rng.choice(VALUES))).encode()):
            ended(words)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"[" * 20_000, b'{"schema_version": ' + b"9" * 5_000 + b"}", b"\xff\xfe"],
    ids=["empty", "open", "list", "null", "deep", "huge", "bytes"],
)
def test_a_record_that_is_none_is_refused_in_one_line(data: bytes, made: Path, tmp_path: Path) -> None:
    with tampered(made, "run.json", data):
        assert ended(["report", str(made), "--out", str(tmp_path / "page.html")]) == 3


def test_a_city_that_is_none_is_bad_input_and_no_usage(made: Path, tmp_path: Path) -> None:
    about = json.loads((made / "run.json").read_bytes())
    with tampered(made, "run.json", json.dumps(changed(about, ("settings", "city"), "atlantis")).encode()):
        assert ended(["report", str(made), "--out", str(tmp_path / "page.html")]) == 3


@pytest.mark.parametrize("name", ["run.json", "plan.geojson", "scorecard.json", "demand.parquet", "network.parquet"])
@pytest.mark.parametrize("kind", ["device", "fifo", "folder", "socketless link", "sparse"])
def test_what_is_no_regular_file_is_not_read(kind: str, name: str, made: Path, tmp_path: Path) -> None:
    file, kept = made / name, (made / name).read_bytes()
    file.unlink()
    match kind:
        case "device":
            file.symlink_to("/dev/zero")
        case "fifo":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "socketless link":
            file.symlink_to(file)
        case _:
            with file.open("wb") as sparse:
                sparse.truncate(MOST_JSON_BYTES + 1)
    began = time.monotonic()
    try:
        assert ended(["report", str(made), "--out", str(tmp_path / "page.html")]) == 3
    finally:
        file.rmdir() if kind == "folder" else file.unlink()
        file.write_bytes(kept)
    assert time.monotonic() - began < 60


def test_a_report_in_another_language_belongs_to_its_run(made: Path) -> None:
    own = (made / "report.html").read_bytes()
    assert run(["report", str(made), "--lang", "ko", "-q"]) == 0
    page = (made / "report_ko.html").read_bytes()
    assert read_run(made)["outputs"]["report_ko.html"] == hashlib.sha256(page).hexdigest()
    assert run(["report", str(made), "-q"]) == 0
    assert ((made / "report.html").read_bytes(), check_run(made)) == (own, [])
    words = ["plan", "--run", str(made), "--routes", "1", "--steps", "5", "--out"]
    assert run([*words, str(made), "-q"]) == 0
    assert not (made / "report_ko.html").exists()
    assert check_run(made) == []


def test_a_report_that_replaces_one_of_the_run_by_name_is_listed_too(made: Path) -> None:
    assert run(["report", str(made), "--lang", "ko", "--out", str(made / "report.html"), "-q"]) == 0
    assert check_run(made) == []
    assert run(["report", str(made), "--out", str(made / "mine.html"), "-q"]) == 0
    assert "mine.html" not in read_run(made)["outputs"]
