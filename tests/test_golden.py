"""
Every output of the commands on the sample city, field by field, as recorded in `tests/golden/`.

`.ci/run golden` records all of them again: it runs this file with `--snapshot-update`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from goldens import GOLDEN, ROOT, Golden, as_text, cleaned, differences, golden_name, read_json, read_output, without_machine
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from owlbus.cli.app import COMMANDS, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CITY = "sample_data/seoul"
ROUTES_2013 = f"{CITY}/routes_2013.geojson"
FEW_MOVES = ["--steps", "2000", "--seed", "1"]
ON_DEMO = ["--run", "demo"]
ON_PLAN = ["--reference", "plan/plan.geojson"]  # of three routes: those of 2013 are measured in demo and plan
LIMITS = ["--max-length-km", "70"]


@dataclass(frozen=True)
class Case:
    """
    One command.

    Attributes
    ----------
    words
        Its words without `--json` and `--out`; files of the checkout stand as paths from its root.
    needs
        Cases whose outputs it reads.
    """

    words: list[str]
    needs: tuple[str, ...] = ("demo",)


CASES = {
    "demo": Case(["demo", *FEW_MOVES], needs=()),
    "plan": Case(["plan", *ON_DEMO, "--routes", "3", "--fleet", "15", *FEW_MOVES]),
    "plan_base": Case(
        ["plan", *ON_DEMO, "--base", "plan/plan.geojson", "--max-change", "10%", *ON_PLAN, *FEW_MOVES], needs=("demo", "plan")
    ),
    "plan_travel_time": Case(
        ["plan", *ON_DEMO, "--routes", "3", "--objective", "travel_time", *ON_PLAN, "--steps", "300", "--seed", "1"], needs=("demo", "plan")
    ),
    "score": Case(["score", "plan_base/plan.geojson", *ON_DEMO, *ON_PLAN, "--lang", "ko"], needs=("demo", "plan", "plan_base")),
    "compare": Case(["compare", "demo", "plan"], needs=("demo", "plan")),
    "explain_route": Case(["explain", ROUTES_2013, "route", "N13", *ON_DEMO]),
    "explain_stop": Case(["explain", ROUTES_2013, "stop", "Sadang", "--remove", *ON_DEMO, *LIMITS]),
    "explain_via": Case(["explain", ROUTES_2013, "via", "Nambu", "--route", "N13", *ON_DEMO, *LIMITS]),
    "explain_missing": Case(["explain", ROUTES_2013, "missing", "--top", "3", *ON_DEMO]),
    "explain_suggest": Case(["explain", ROUTES_2013, "suggest", "--top", "3", *ON_DEMO]),
    "improve": Case(["improve", ROUTES_2013, *ON_DEMO, "--change", "2%,5%", "--steps", "500", "--seed", "1"]),
    "sweep": Case(["sweep", *ON_DEMO, "--routes", "3:5", "--starts", "1", "--steps", "500", "--seed", "1"]),
    "timetable": Case(["timetable", "plan_base", *ON_PLAN], needs=("demo", "plan", "plan_base")),
    "plan_carried": Case(
        ["plan", *ON_DEMO, "--routes", "3", "--fleet", "15", "--objective", "carried", *FEW_MOVES],
    ),
    "phase": Case(["phase", "plan", "--buses", "5,10,15", "--steps", "300", "--seed", "1"], needs=("demo", "plan")),
    "reach": Case(["reach", "demo", "--from", "Gangnam", "--at", "02:00"]),
    "report": Case(["report", "plan", "--lang", "ko"], needs=("demo", "plan")),
    "demand": Case(["demand", f"{CITY}/calls_few.csv", f"{CITY}/taxi_few.csv", "--city", "seoul"]),
    "network": Case(["network", "--city", "seoul"]),
    "synth": Case(["synth", "--calls", "200", "--taxi", "100", "--nights", "2"], needs=()),
}


def talk(text: str) -> str:
    """What a command says on standard error, without progress, which comes by the clock, and without news of a first run."""
    lines = [line for line in without_machine(text).splitlines() if not re.search(r"\d s gone|^first run", line, re.IGNORECASE)]
    return "".join(f"{line}\n" for line in lines)


@dataclass
class Workshop:
    """A folder in which each command is run once, with those that it builds on."""

    folder: Path
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Words for SHA-256 and size of the files that a command wrote, since both depend on versions of libraries."""

    def outputs(self, case: str) -> dict[str, Any]:
        """Everything that a command wrote and said, by name."""
        if case not in self.texts:
            self.run(case)
        texts = self.texts[case]
        found: dict[str, Any] = {"stdout.json": cleaned(read_json(texts["out"]), self.names), "stderr.txt": talk(texts["err"])}
        if case == "report":
            del found["stdout.json"]["bytes"]  # the page tells the version of owlbus
        files = sorted(file for file in (self.folder / case).rglob("*") if file.is_file())
        found["files.json"] = {
            file.relative_to(self.folder / case).as_posix(): "private" if file.stat().st_mode & 0o077 == 0 else "public" for file in files
        }
        for file in files:
            name = file.relative_to(self.folder / case).as_posix()
            first = self.folder / "demo" / name
            same = case != "demo" and "demo" in CASES[case].needs and first.exists() and first.read_bytes() == file.read_bytes()
            found[name] = {"same_as": f"demo/{name}"} if same else read_output(file, self.names)
        return found

    def run(self, case: str) -> None:
        """Run a command and what it needs."""
        for needed in CASES[case].needs:
            if needed not in self.texts:
                self.run(needed)
        out, err = io.StringIO(), io.StringIO()
        words = [str(ROOT / word) if word.startswith(CITY) else word for word in CASES[case].words]
        target = f"{case}/report_ko.html" if case == "report" else case
        (self.folder / case).mkdir()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            code = run([*words, "--out", target, "--json"])
        assert code == 0, f"owlbus {' '.join(words)} ends with {code}: {err.getvalue()}"
        for file in sorted(file for file in (self.folder / case).rglob("*") if file.is_file()):
            data, name = file.read_bytes(), file.relative_to(self.folder).as_posix()
            self.names.setdefault(hashlib.sha256(data).hexdigest(), f"SHA-256 of {name}")
            if file.suffix == ".parquet":
                self.names.setdefault(f"{len(data):,}", f"bytes of {name}")
        self.texts[case] = {"out": out.getvalue(), "err": err.getvalue()}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"COLUMNS": "100", "LINES": "50", "NO_COLOR": "1", "TERM": "dumb"}.items():
            patch.setenv(name, value)
        before = os.umask(0o022)
        yield Workshop(tmp_path_factory.mktemp("golden"))
        os.umask(before)


def check(case: str, outputs: dict[str, Any], snapshot: SnapshotAssertion) -> list[str]:
    """Compare with what is recorded and say what differs; a recorded file that no longer has an output differs too."""
    wrong = []
    for name, value in outputs.items():
        recorded = snapshot(name=golden_name(case, name, value))
        if not recorded == value:  # noqa: SIM201, SnapshotAssertion has no !=
            wrong += [f"{case}/{name}: {line}" for line in recorded.get_assert_diff()]
    names = {golden_name(case, name, value) for name, value in outputs.items()}
    for file in sorted((GOLDEN / case).rglob("*")):
        if file.is_file() and file.relative_to(GOLDEN).as_posix() not in names:
            if snapshot.update_snapshots:
                file.unlink()
            else:
                wrong.append(f"{file.relative_to(GOLDEN)} is recorded, and no longer written")
    return wrong


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """The recorded outputs."""
    return snapshot.use_extension(Golden)


@pytest.mark.parametrize("case", CASES)
def test_a_command_writes_and_says_what_is_recorded(case: str, workshop: Workshop, golden: SnapshotAssertion) -> None:
    wrong = check(case, workshop.outputs(case), golden)
    assert not wrong, "\n".join(wrong)


def test_help_pages_are_as_recorded(workshop: Workshop, golden: SnapshotAssertion) -> None:
    pages = {}
    for name in ["", *(command.__name__ for command, _ in COMMANDS)]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.chdir(workshop.folder):
            assert run([*([name] if name else []), "--help"]) == 0
        pages[f"{name or 'owlbus'}.txt"] = "".join(f"{line.rstrip()}\n" for line in without_machine(out.getvalue()).splitlines())
    wrong = check("help", pages, golden)
    assert not wrong, "\n".join(wrong)


def test_every_recorded_folder_belongs_to_a_case() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == {*CASES, "help"}


def recorded_anew(file: Path) -> object:
    """What a golden of this file would hold."""
    return json.loads(Golden().serialize(read_output(file)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"plan": [{"km": 1.5}]}, {"plan": [{"km": 2.5}]}, ["plan[0]/km: 1.5 -> 2.5"]),
        ({"name": "N13"}, {"title": "N13"}, ['name: "N13" -> nothing', 'title: nothing -> "N13"']),
        ({"n": 1}, {"n": 1.0}, ["n: 1 -> 1.0"]),
        ({"places": []}, {"places": [None]}, ["places: [] -> nothing", "places[0]: nothing -> null"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["another order: a -> b", "another order: b -> a"]),
        ("one\ntwo\n", "one\n2\n", ['line 2: "two" -> "2"']),
    ],
)
def test_a_difference_names_the_field_and_both_values(old: object, new: object, said: list[str]) -> None:
    assert differences(old, new) == said


def test_many_differences_are_counted() -> None:
    lines = differences({"rows": [0] * 50}, {"rows": [1] * 50})
    assert (lines[0], lines[-1], len(lines)) == ("rows[0]: 0 -> 1", "… and 30 more fields", 21)


def test_a_difference_in_a_table_names_column_and_row(tmp_path: Path) -> None:
    tables = []
    for night, kind in ((1, pa.int16()), (2, pa.int32())):
        table = pa.table({"night": pa.array([0, night], kind), "trips": [0.1, 0.2]})
        pq.write_table(table.replace_schema_metadata({"owlbus": json.dumps({"n": night})}), tmp_path / "demand.parquet")
        tables.append(recorded_anew(tmp_path / "demand.parquet"))
    assert differences(*tables) == ['schema/night: "int16" -> "int32"', "metadata/owlbus/n: 1 -> 2", "columns/night[1]: 1 -> 2"]


def test_a_difference_in_a_feed_names_file_and_line(tmp_path: Path) -> None:
    feeds = []
    for minute in ("05", "06"):
        with zipfile.ZipFile(tmp_path / "gtfs.zip", "w") as archive:
            archive.writestr("stops.txt", "stop_id\r\n1\r\n")
            archive.writestr("stop_times.txt", f"trip_id,arrival_time\r\n1,24:{minute}:00\r\n")
        feeds.append(recorded_anew(tmp_path / "gtfs.zip"))
    assert differences(*feeds) == ['stop_times.txt line 2: "1,24:05:00\\r\\n" -> "1,24:06:00\\r\\n"']


def test_a_difference_in_a_page_names_the_element(tmp_path: Path) -> None:
    pages = []
    for share, width in (("42 %", 3), ("43 %", 4)):
        text = (
            f'<p class="lead">People: <b>{share}</b></p><br><script type="application/json">{{"bar": [{width}]}}</script><script>a</script>'
        )
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        pages.append(recorded_anew(tmp_path / "report.html"))
    assert differences(*pages) == ['1 p/2 b/1 text: "42 %" -> "43 %"', "3 script/1 data/bar[0]: 3 -> 4"]


def test_a_difference_in_a_picture_names_size_and_colours(tmp_path: Path) -> None:
    pictures = []
    for width, colour in ((10, "#0072b2"), (12, "#cc3412")):
        Image.new("RGB", (width, 10), colour).save(tmp_path / "map.png")
        pictures.append(recorded_anew(tmp_path / "map.png"))
    assert differences(*pictures) == ["width_px: 10 -> 12", 'main_colours[0]: "0072b2ff" -> "cc3412ff"']


def test_a_golden_depends_on_no_machine_and_no_version(tmp_path: Path) -> None:
    about = {
        "timings_s": {"grid": 1},
        "versions": {"numpy": "2.4.6"},
        "outputs": {"map.png": "12ab"},
        "file": f"{ROOT}/{CITY}/calls.parquet",
    }
    (tmp_path / "run.json").write_text(json.dumps(about | {"made": "owlbus 0.2.0.dev0", "walk": "1.5"}))
    assert read_output(tmp_path / "run.json") == {
        "outputs": ["map.png"],
        "file": f"{CITY}/calls.parquet",
        "made": "owlbus VERSION",
        "walk": "1.5",
    }


def test_a_failing_golden_names_file_and_field(golden: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("goldens.GOLDEN", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "GOLDEN", tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "old.json").write_text("1\n")
    (tmp_path / "demo" / "plan.geojson.json").write_text(as_text({"km": 2}) + "\n")
    recorded = SnapshotAssertion(golden.session, Golden, golden.test_location, update_snapshots=False)
    said = check("demo", {"plan.geojson": {"km": 3}}, recorded)
    golden.session._assertions.pop()  # it fails as it should, and is no failure of this session
    assert said == ["demo/plan.geojson: km: 2 -> 3", "demo/old.json is recorded, and no longer written"]
