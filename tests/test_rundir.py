"""Run directories: whole or not at all, one run at a time, and nothing of the user lost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from owlbus.common.errors import DataError, UsageError
from owlbus.pipeline.run_json import read_inputs
from owlbus.pipeline.rundir import (
    RUN_FILE,
    RunRecord,
    check_run,
    open_run_dir,
    read_run,
    require_unchanged,
    to_json_bytes,
)

RECORD = RunRecord("plan", settings={"routes": 9}, seed=7, timings_s={"search": 1.23456})


def write_run(target: Path, files: dict[str, bytes], record: RunRecord = RECORD) -> None:
    with open_run_dir(target) as run:
        for name, data in files.items():
            run.write_bytes(name, data)
        run.publish(record)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_run_holds_its_files_and_nothing_else(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "run", {"plan.geojson": b"{}", "scorecard.json": b"[]"})
    assert sorted(file.name for file in (tmp_path / "a" / "run").iterdir()) == ["inputs.json", "plan.geojson", RUN_FILE, "scorecard.json"]


def test_a_run_tells_settings_seed_versions_hashes_and_timings(tmp_path: Path) -> None:
    source = tmp_path / "calls.csv"
    source.write_bytes(b"abc")
    write_run(
        tmp_path / "run",
        {"x.json": b""},
        RunRecord("plan", {"routes": 9}, seed=7, inputs=(str(source), "-"), timings_s={"search": 1.23456}),
    )
    run = read_run(tmp_path / "run")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (run["schema_version"], run["command"], run["seed"], run["settings"]) == (3, "plan", 7, {"routes": 9})
    assert run["inputs"] == [str(source), "-"]
    assert (run["min_count"], run["counts"]) == (15, "rounded down to multiples of 15, shares and means computed from those")
    assert read_inputs(tmp_path / "run") == {
        "inputs": [{"name": str(source), "bytes": 3, "sha256": abc}, {"name": "-", "bytes": None, "sha256": None}],
        "outputs": {},
    }
    assert run["outputs"]["x.json"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert run["timings_s"] == {"search": 1.235}
    assert {"owlbus", "python", "numpy"} <= set(run["versions"])


def test_equal_runs_have_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / name, {"plan.geojson": b"{}"})
    assert (tmp_path / "one" / RUN_FILE).read_bytes() == (tmp_path / "two" / RUN_FILE).read_bytes()


def test_personal_working_files_are_for_their_owner_only(tmp_path: Path) -> None:
    write_run(tmp_path, {"demand.parquet": b"1", "rejected.parquet": b"2", "plan.geojson": b"3"})
    restricted = ["demand.parquet", "inputs.json", "rejected.parquet"]
    assert [mode(tmp_path / name) for name in restricted] == [0o600] * 3
    assert mode(tmp_path / "plan.geojson") & 0o200
    assert read_run(tmp_path)["restricted"] == restricted


def test_no_public_file_of_a_run_confirms_a_guess_of_a_personal_one(tmp_path: Path) -> None:
    source = tmp_path / "calls.csv"
    source.write_bytes(b"1" * 12_347)
    write_run(tmp_path / "run", {"demand.parquet": b"1", "plan.geojson": b"3"}, RunRecord("plan", {}, inputs=(str(source),)))
    public = (tmp_path / "run" / RUN_FILE).read_text()
    digests = [hashlib.sha256(data).hexdigest() for data in (b"1" * 12_347, b"1", (tmp_path / "run" / "inputs.json").read_bytes())]
    assert not [secret for secret in (*digests, "12347") if secret in public]
    assert hashlib.sha256(b"3").hexdigest() in public


def test_changed_personal_files_are_named_and_refused(tmp_path: Path) -> None:
    write_run(tmp_path, {"demand.parquet": b"1", "plan.geojson": b"3"})
    (tmp_path / "demand.parquet").write_bytes(b"2")
    assert check_run(tmp_path) == ["demand.parquet has changed since run.json was written"]
    with pytest.raises(DataError, match=r"demand\.parquet: has changed since run\.json was written; write the run again"):
        require_unchanged(tmp_path / "demand.parquet")


def test_a_copy_of_the_public_files_is_a_run_and_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    write_run(tmp_path, {"demand.parquet": b"1", "plan.geojson": b"3"})
    (tmp_path / "inputs.json").unlink()
    assert check_run(tmp_path) == ["without inputs.json it cannot be checked whether demand.parquet changed"]
    require_unchanged(tmp_path / "demand.parquet")
    (tmp_path / "demand.parquet").unlink()
    assert check_run(tmp_path) == []
    assert read_run(tmp_path)["command"] == "plan"


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"inputs": [1], "outputs": {}}', b'{"inputs": [], "outputs": {"../x": "0"}}'])
def test_a_foreign_file_of_inputs_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    write_run(tmp_path, {"plan.geojson": b"3"})
    (tmp_path / "inputs.json").write_bytes(content)
    with pytest.raises(DataError, match=r"inputs\.json: .*; write the run again"):
        check_run(tmp_path)


def test_a_failed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with open_run_dir(tmp_path / "deep" / "run") as run:
            run.write_bytes("plan.geojson", b"half")
            raise DataError("no")  # noqa: EM101 - any error will do

    with pytest.raises(DataError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_the_earlier_run_as_it_was(tmp_path: Path) -> None:
    write_run(tmp_path, {"plan.geojson": b"old"})
    with open_run_dir(tmp_path) as run:
        run.write_bytes("plan.geojson", b"new")
    assert (tmp_path / "plan.geojson").read_bytes() == b"old"
    assert check_run(tmp_path) == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["inputs.json", "plan.geojson", RUN_FILE]


def test_a_new_run_replaces_what_the_earlier_one_wrote_and_keeps_what_the_user_added(tmp_path: Path) -> None:
    write_run(tmp_path, {"plan.geojson": b"old", "map.png": b"old"})
    (tmp_path / "notes.txt").write_text("mine")
    write_run(tmp_path, {"plan.geojson": b"new"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["inputs.json", "notes.txt", "plan.geojson", RUN_FILE]
    assert (tmp_path / "plan.geojson").read_bytes() == b"new"


def test_a_folder_of_another_origin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match=re.escape("with 1 files of another origin (first thesis.tex); choose another folder")):
        write_run(tmp_path, {"plan.geojson": b""})
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"not json", b"\xff"])
def test_a_run_file_of_another_program_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RUN_FILE).write_bytes(content)
    with pytest.raises(UsageError, match=r"whose run\.json is not one of owlbus"):
        write_run(tmp_path, {"plan.geojson": b""})
    assert (tmp_path / RUN_FILE).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"out must be a folder that can be written, got .*file/run \(Not a directory\)"):
        write_run(tmp_path / "file" / "run", {})


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"out must be a folder that can be written, got .*file \(File exists\)"):
        write_run(tmp_path / "file", {})


def test_two_runs_into_one_folder_are_refused(tmp_path: Path) -> None:
    with open_run_dir(tmp_path / "run"), pytest.raises(UsageError, match="another run is writing"):
        write_run(tmp_path / "run", {"plan.geojson": b""})
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_does_not_block_the_next(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom owlbus.pipeline.rundir import open_run_dir\n"
        "with open_run_dir(sys.argv[1]) as run:\n    run.write_bytes('plan.geojson', b'half')\n    os._exit(9)\n"
    )
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], cwd=root, check=False).returncode == 9
    assert not (tmp_path / "run" / "plan.geojson").exists()
    write_run(tmp_path / "run", {"scorecard.json": b"{}"})
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["inputs.json", RUN_FILE, "scorecard.json"]


def test_missing_and_changed_files_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, {"a.json": b"1", "b.json": b"2", "c.json": b"3"})
    (tmp_path / "a.json").unlink()
    (tmp_path / "b.json").write_bytes(b"9")
    assert check_run(tmp_path) == ["a.json is missing", "b.json has changed since run.json was written"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a run directory must hold run.json, found none; make one with: owlbus.pipeline.write_run$"),
        (b"{", "must be JSON, and is not; write the run again"),
        (b'{"schema_version": 99}', "schema_version must be 3, got 99"),
        (b"[]", "schema_version must be 3, got None"),
        (b'{"schema_version": 3, "versions": [1]}', "versions must be a dict, got list; write the run again"),
        (b'{"schema_version": 3, "bound_share": "x"}', "bound_share must be a float or null, got str; write the run again"),
        (
            b'{"schema_version": 3, "pool_bound": {"n_routes_met": 5, "share": 1.5}}',
            r"pool_bound must have n_routes_met, 1 or more, and a share in \[0, 1\]; write the run again",
        ),
        (
            b'{"schema_version": 3, "published_bound": {"share": 0.5, "gap": -0.1}}',
            r"published_bound must have a share in \[0, 1\] and a gap, 0 or more; write the run again",
        ),
        (b'{"schema_version": 3, "unseen_by_bound": 7}', "unseen_by_bound must be a str or null, got int; write the run again"),
        (
            b'{"schema_version": 3, "inputs": ["a", [1, 2], 3]}',
            r"inputs must be names of files, got none in entry 2 \(2 such\); write the run again",
        ),
    ],
)
def test_a_folder_without_a_readable_run_is_a_data_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / RUN_FILE).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path)


def test_names_in_an_old_run_cannot_reach_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    run = tmp_path / "run"
    run.mkdir()
    (run / RUN_FILE).write_text(json.dumps({"schema_version": 3, "command": "plan", "outputs": {"../precious": "0"}}))
    write_run(run, {"plan.geojson": b""})
    assert (tmp_path / "precious").exists()


TABLES = {"tables/routes.csv": b"1", "tables/hours.csv": b"2", "tables.xlsx": b"3"}


def files_of(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_a_run_holds_tables_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write_run(tmp_path, TABLES)
    assert files_of(tmp_path) == sorted([*TABLES, "inputs.json", RUN_FILE])
    assert read_run(tmp_path)["outputs"]["tables/routes.csv"] == hashlib.sha256(b"1").hexdigest()
    assert mode(tmp_path / "tables" / "routes.csv") == mode(tmp_path / RUN_FILE)
    assert mode(tmp_path / "tables") & 0o700 == 0o700
    (tmp_path / "tables" / "routes.csv").write_bytes(b"9")
    (tmp_path / "tables" / "hours.csv").unlink()
    assert check_run(tmp_path) == ["tables/hours.csv is missing", "tables/routes.csv has changed since run.json was written"]


def test_tables_that_only_an_earlier_run_wrote_go_with_their_folder(tmp_path: Path) -> None:
    write_run(tmp_path, TABLES)
    write_run(tmp_path, {"tables/routes.csv": b"new"})
    assert files_of(tmp_path / "tables") == ["routes.csv"]
    write_run(tmp_path, {"plan.geojson": b""})
    assert not (tmp_path / "tables").exists()


def test_what_the_user_added_or_changed_among_the_tables_stays(tmp_path: Path) -> None:
    write_run(tmp_path, TABLES)
    (tmp_path / "tables" / "mine.csv").write_bytes(b"mine")
    (tmp_path / "tables" / "hours.csv").write_bytes(b"changed")
    write_run(tmp_path, {"plan.geojson": b""})
    assert files_of(tmp_path / "tables") == ["hours.csv", "mine.csv"]


@pytest.mark.parametrize("way", ["a file", "a link", "a link to nothing", "a folder for a file"])
def test_what_is_in_the_way_of_tables_is_refused_before_anything_moves(way: str, tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    write_run(run, {"plan.geojson": b"old"})
    elsewhere.mkdir()
    match way:
        case "a file":
            (run / "tables").write_bytes(b"mine")
        case "a folder for a file":
            (run / "tables" / "routes.csv").mkdir(parents=True)
        case _:
            (run / "tables").symlink_to(elsewhere if way == "a link" else tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"out must leave room for tables/\w+\.csv, but .* is a (file|link|folder); move it away"):
        write_run(run, {"plan.geojson": b"new", **TABLES})
    assert (run / "plan.geojson").read_bytes() == b"old"
    assert list(elsewhere.iterdir()) == []
    assert check_run(run) == []


def test_a_folder_of_tables_that_cannot_be_written_is_refused_before_anything_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, {"plan.geojson": b"old", **TABLES})
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, kind: Path(path).name != "tables" and may(path, kind))
    with pytest.raises(UsageError, match=r"but .*tables cannot be written; move it away or choose another folder"):
        write_run(tmp_path, {"plan.geojson": b"new", **TABLES})
    assert (tmp_path / "plan.geojson").read_bytes() == b"old"


def test_tables_behind_a_link_are_not_removed(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    write_run(run, TABLES)
    (run / "tables").rename(elsewhere)
    (run / "tables").symlink_to(elsewhere)
    write_run(run, {"plan.geojson": b""})
    assert files_of(elsewhere) == ["hours.csv", "routes.csv"]


def test_a_run_directory_may_be_a_link_called_tables(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "tables").symlink_to(tmp_path / "real")
    write_run(tmp_path / "tables", TABLES)
    write_run(tmp_path / "tables", {"plan.geojson": b""})
    assert files_of(tmp_path / "real") == ["inputs.json", "plan.geojson", RUN_FILE]


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a/b/c", "/x", "a\\b", "tables/", "tables/..", "tables/../x", "tables/a/b", "tables//x", "tables/a\\b", "tables/\0"],
)
def test_names_beyond_the_folder_and_its_tables_are_refused(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, TABLES)
    about = json.loads((tmp_path / RUN_FILE).read_bytes())
    about["outputs"][name] = "0"
    (tmp_path / RUN_FILE).write_text(json.dumps(about))
    with pytest.raises(DataError, match=r"outputs must be plain file names with a SHA-256 each, got .* \(1 such\); write the run again"):
        check_run(tmp_path)


def test_json_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json_bytes({"served_share": float("nan")})
