"""Inputs and folders made to do harm: bombs, names that lead elsewhere, links, text that wants to be code, and odd configuration."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import re
import zipfile
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import fuzzing
import pytest

from owlbus.cli.app import run
from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import LOCK, decompress_gzip
from owlbus.pipeline.run_json import RUN_FILE
from owlbus.pipeline.rundir import RunRecord, check_run, open_run_dir

if TYPE_CHECKING:
    from pathlib import Path

EVIL = '</script><img src=x onerror="alert(1)">'
FORMULA = '=HYPERLINK("http://x.example","here")'
RECORD = RunRecord("plan", settings={})


def members(**more: bytes) -> list[tuple[str, bytes]]:
    """Return the tables of a small feed, some of them others."""
    archive = zipfile.ZipFile(io.BytesIO(fuzzing.feed()))
    return list(({name: archive.read(name) for name in archive.namelist()} | {f"{name}.txt": data for name, data in more.items()}).items())


def everything(folder: Path) -> list[str]:
    """Return the names of all files in a folder."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*"))


def test_a_zip_bomb_is_no_feed(tmp_path: Path) -> None:
    feed = fuzzing.zipped(members(shapes=b"0" * (90 << 20)))
    assert len(feed) < 200_000
    with pytest.raises(DataError, match=r"shapes\.txt must unpack to at most 200 times its [\d,]+ bytes, got 94,371,840 bytes or more"):
        fuzzing.read_feed(tmp_path, feed)


def test_a_zip_bomb_is_no_plan(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(fuzzing.plan_feed()))
    tables = [(name, archive.read(name)) for name in archive.namelist() if name != "calendar.txt"]
    tables.append(("calendar.txt", b"0" * (90 << 20)))
    with pytest.raises(DataError, match=r"calendar\.txt must unpack to at most 200 times"):
        fuzzing.read_plan_feed(tmp_path, fuzzing.zipped(tables))


def test_a_gzip_bomb_is_unpacked_no_further_than_a_table_could_be(tmp_path: Path) -> None:
    bomb = gzip.compress(b"0" * (90 << 20))
    with pytest.raises(DataError, match=r"plan\.geojson must unpack to at most 200 times its [\d,]+ bytes, got 67,108,865 bytes or more"):
        fuzzing.read_routes(tmp_path, bomb)
    assert decompress_gzip(gzip.compress(b"abc" * 1000), "x") == b"abc" * 1000


@pytest.mark.parametrize("name", ["../stops.txt", "/stops.txt", "..\\stops.txt", "a/../../stops.txt"])
def test_names_in_a_zip_write_nothing_anywhere(name: str, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    spoilt = [(name if member == "stops.txt" else member, data) for member, data in members()]
    with pytest.raises(DataError):
        fuzzing.read_feed(inner, fuzzing.zipped(spoilt))
    assert everything(tmp_path) == ["a", "a/b", "a/b/feed.zip"]


def test_output_names_of_an_earlier_run_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_bytes(b"mine")
    out = tmp_path / "run"
    with open_run_dir(out) as made:
        made.publish(RECORD)
    about = json.loads((out / RUN_FILE).read_bytes())
    about["outputs"] = {"../precious.txt": "8c9e1c0c3f1c7f8f"}
    (out / RUN_FILE).write_text(json.dumps(about))
    with open_run_dir(out) as made:
        made.publish(RECORD)
    assert (tmp_path / "precious.txt").read_bytes() == b"mine"


def test_a_link_in_the_output_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_bytes(b"mine")
    out = tmp_path / "run"
    with open_run_dir(out) as made:
        made.write_bytes("plan.geojson", b"old")
        made.publish(RECORD)
    (out / "plan.geojson").unlink()
    (out / "plan.geojson").symlink_to(tmp_path / "precious.txt")
    with open_run_dir(out) as made:
        made.write_bytes("plan.geojson", b"new")
        made.publish(RECORD)
    assert ((out / "plan.geojson").read_bytes(), (out / "plan.geojson").is_symlink()) == (b"new", False)
    assert (tmp_path / "precious.txt").read_bytes() == b"mine"
    assert check_run(out) == []


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(UsageError, match=r"out must be a folder that can be written, got .* symbolic links\)"),
        open_run_dir(tmp_path),
    ):
        pytest.fail("the folder was taken")
    assert not (tmp_path / "elsewhere").exists()


def test_a_link_in_place_of_what_is_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".owlbus-kept").symlink_to(tmp_path)
    with open_run_dir(tmp_path / "run") as made, pytest.raises(UsageError, match="must go on from a folder of one's own"):
        made.checkpoint_dir()


def test_a_folder_in_the_way_of_an_output_is_refused_before_anything_moves(tmp_path: Path) -> None:
    with open_run_dir(tmp_path) as made:
        made.write_bytes("plan.geojson", b"old")
        made.publish(RECORD)
    (tmp_path / "stops.geojson").mkdir()
    with open_run_dir(tmp_path) as made:
        made.write_bytes("plan.geojson", b"new")
        made.write_bytes("stops.geojson", b"new")
        with pytest.raises(UsageError, match=r"out must leave room for stops\.geojson, but .* is a folder"):
            made.publish(RECORD)
    assert (tmp_path / "plan.geojson").read_bytes() == b"old"


def test_a_kept_account_of_somebody_else_runs_nothing() -> None:
    from owlbus.pipeline.checkpoint import _loaded

    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("harm",))

    with pytest.raises(pickle.UnpicklingError, match=r"a checkpoint asks for builtins\.print"):
        _loaded(pickle.dumps(Harm()))


class Texts(HTMLParser):
    """Gathers tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a town whose stops are called after code."""
    place = tmp_path_factory.mktemp("evil")
    quoted = ['"' + name.replace('"', '""') + '"' for name in (EVIL, FORMULA, "@x")]
    spots = [(127.005, 37.505), (127.017, 37.513), (127.029, 37.521)]
    stops = "lon,lat,name\n" + "".join(f"{lon},{lat},{name}\n" for (lon, lat), name in zip(spots, quoted, strict=True))
    words = [fuzzing.at(place, "calls.csv", fuzzing.calls_csv(300)), "--area", fuzzing.at(place, "area.csv", fuzzing.area_csv())]
    tables = {"--nodes": fuzzing.nodes_csv(), "--links": fuzzing.links_csv(), "--stops": stops.encode()}
    for option, data in tables.items():
        words += [option, fuzzing.at(place, f"{option[2:]}.csv", data)]
    assert run(["plan", *words, "--routes", "1", "--steps", "100", "-q", "--out", str(place / "run"), "--walk", "2000"]) == 0
    return place / "run"


def test_names_that_are_code_are_text_in_the_report(planned: Path) -> None:
    html = (planned / "report.html").read_text(encoding="utf-8")
    page = Texts()
    page.feed(html)
    assert html.count(EVIL) == 0
    assert not [attrs for tag, attrs in page.tags if tag == "img" and attrs.get("src") == "x"]
    assert not [name for _, attrs in page.tags for name in attrs if name == "onerror"]


def test_names_that_are_code_are_text_in_the_feed(planned: Path) -> None:
    with zipfile.ZipFile(planned / "gtfs.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("stops.txt").decode("utf-8-sig"), newline="")))
    names = {row["stop_name"] for row in rows}
    assert names <= {EVIL, f"Stop {EVIL}", FORMULA, "Stop @x"}  # a name without capitals is no name that riders read
    assert FORMULA in names


def test_no_field_of_an_exported_table_is_a_formula(planned: Path, tmp_path: Path) -> None:
    out = tmp_path / "timetable"
    assert run(["timetable", str(planned / "plan.geojson"), "--run", str(planned), "--out", str(out), "-q"]) == 0
    fields = list(csv.reader(io.StringIO((out / "night_safety.csv").read_text(encoding="utf-8"), newline="")))
    assert fields
    numbers = re.compile(r"-?\d+(\.\d+)?")
    assert not [cell for row in fields for cell in row if cell[:1] in set("=+-@") and not numbers.fullmatch(cell)]


TOML = {
    "a wrong type": ("routes = true", 2),
    "a huge number": ("routes = " + "9" * 400, 2),
    "a number beyond what is parsed": ("routes = " + "9" * 5_000, 2),
    "no number": ("radius = nan", 2),
    "no end": ("radius = inf", 2),
    "a date": ("seed = 1979-05-27", 2),
    "a date that is none": ("seed = 1979-02-31", 2),
    "an unknown key": ("nonsense = 1", 2),
    "an unknown table": ("[nonsense]\na = 1", 2),
    "lists without end": ("routes = " + "[" * 20_000, 2),
    "a key given twice": ("seed = 1\nseed = 2", 2),
    "no text": ("seed = 1\x00", 2),
}


@pytest.mark.parametrize(("text", "code"), TOML.values(), ids=TOML)
def test_a_surprise_in_the_configuration_is_a_usage_error(text: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = fuzzing.at(tmp_path, "owlbus.toml", text.encode())
    records = fuzzing.at(tmp_path, "calls.csv", fuzzing.calls_csv())
    words = ["plan", records, "--area", fuzzing.at(tmp_path, "area.csv", fuzzing.area_csv()), "--out", str(tmp_path / "run")]
    assert run([*words, "--config", config]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert len(last) < 1_000
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "code"), [("[b]N1[/]", 0), (":bus:", 0), ("N1\x1b[31m", 3), ("N1\u2028N2", 3)])
def test_a_route_called_after_code_is_text_on_the_terminal(
    name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = fuzzing.unpacked(tmp_path, fuzzing.made_run())
    plan = json.loads((made / "plan.geojson").read_bytes())
    plan["features"][0]["properties"]["name"] = name
    (made / "plan.geojson").write_text(json.dumps(plan))
    assert run(["score", str(made / "plan.geojson"), "--run", str(made), "-v"]) == code
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert (name in out) == (code == 0)
