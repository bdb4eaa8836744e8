"""Faults of the machine and of its operator: stops, full and read-only disks, too little memory, a clock that goes back, lost workers."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import faulting
import fuzzing
import pytest

from owlbus.cli.app import run
from owlbus.pipeline.run_json import read_run
from owlbus.pipeline.rundir import check_run

if TYPE_CHECKING:
    import signal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the records of a small town."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def plan_job(place: Path) -> tuple[faulting.Job, float, Path, dict[str, str]]:
    """Plan to be stopped, the seconds that it takes, an earlier result, and what it would become."""
    job = faulting.jobs(place)[2]
    return job, *faulting.prepare(job, place)


@pytest.mark.parametrize("sent", faulting.CODES, ids=lambda sent: sent.name)
def test_a_run_that_is_stopped_leaves_no_half_file_and_nothing_lost(
    sent: signal.Signals, plan_job: tuple[faulting.Job, float, Path, dict[str, str]], place: Path
) -> None:
    job, whole_s, kept, new = plan_job
    moment = random.Random(sent).uniform(0.3, 1.0)  # noqa: S311 - the same moment each time; `python tests/faulting.py` takes many
    folder = faulting.again(kept, place / "run")
    end = job.stop(folder, sent, whole_s * moment, faulting.contents(kept), new)
    assert end in {"old", "new", "best so far", "mixed", "done before"}
    job.go_on(folder, end, new)


def words_of(place: Path, out: Path, command: str = "demand") -> list[str]:
    """Return the words of a command on four files of records."""
    job = next(job for job in faulting.jobs(place) if job.name == command)
    return [*(word for word in job.words if word != "--resume"), "--out", str(out)]


def test_demand_goes_on_after_kill_9_with_the_files_that_it_had_counted(place: Path, tmp_path: Path) -> None:
    words = words_of(place, tmp_path / "run")
    process = faulting.start([*words, "--resume"])
    kept, deadline = tmp_path / "run" / ".owlbus-kept", time.monotonic() + 60
    while len(list(kept.glob("*.part"))) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -9
    n_kept = len(list(kept.glob("*.part")))
    assert 1 <= n_kept <= 4
    assert kept.stat().st_mode & 0o077 == 0
    code, said = faulting.finish([*(word for word in words if word != "-q"), "--resume"])
    assert code == 0
    assert f"{n_kept} of 4 parts of the records were counted before the interruption" in said
    assert run([*words[:-1], str(tmp_path / "whole")]) == 0
    assert (tmp_path / "run" / "demand.parquet").read_bytes() == (tmp_path / "whole" / "demand.parquet").read_bytes()
    assert not kept.exists()


def test_a_file_that_changed_since_is_counted_again(tmp_path: Path) -> None:
    from owlbus.demand import estimate_demand
    from owlbus.pipeline.checkpoint import Checkpoint

    file = Path(fuzzing.at(tmp_path, "calls.csv", fuzzing.calls_csv(50)))
    for rows, n_found in ((50, 0), (50, 1), (60, 0)):
        if rows != 50:
            file.write_bytes(fuzzing.calls_csv(rows))
        checkpoint = Checkpoint(tmp_path)
        _, report = estimate_demand([file], fuzzing.town(), run=checkpoint.counting(None))
        assert (report.rows_in, checkpoint.n_reused) == (rows, n_found)


def test_a_damaged_account_is_counted_again(tmp_path: Path) -> None:
    from owlbus.demand import estimate_demand
    from owlbus.pipeline.checkpoint import Checkpoint

    file = fuzzing.at(tmp_path, "calls.csv", fuzzing.calls_csv(50))
    estimate_demand([file], fuzzing.town(), run=Checkpoint(tmp_path).counting(None))
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(part.read_bytes()[:-1])
    checkpoint = Checkpoint(tmp_path)
    estimate_demand([file], fuzzing.town(), run=checkpoint.counting(None))
    assert checkpoint.n_reused == 0


def test_plan_goes_on_from_its_best_plan(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in words_of(place, tmp_path / "run", "plan") if word not in {"-q", "200000"}]
    steps = words.index("--steps") + 1
    assert run([*words[:steps], "4000", *words[steps:]]) == 0
    before = read_run(tmp_path / "run")["objective_share"]
    capsys.readouterr()
    assert run([*words[:steps], "0", *words[steps:], "--resume", "--seed", "5"]) == 0
    assert "resuming from a plan of 2 routes" in capsys.readouterr().err
    after = read_run(tmp_path / "run")
    assert (after["objective_share"], after["settings"]["resumed"]) == (before, True)


def test_plan_goes_on_after_kill_9(place: Path, tmp_path: Path) -> None:
    words = words_of(place, tmp_path / "run", "plan")
    words[words.index("200000")] = "200000000"
    process = faulting.start([*words, "--resume"])
    kept, deadline = tmp_path / "run" / ".owlbus-kept" / "plan.json", time.monotonic() + 60
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    words[words.index("200000000")] = "0"
    code, said = faulting.finish([word for word in [*words, "--resume"] if word != "-q"])
    assert code == 0
    assert "resuming from a plan of 2 routes" in said


def test_a_search_goes_on_only_from_a_plan_that_keeps_the_limits(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word if word != "200000" else "500" for word in words_of(place, tmp_path / "run", "plan")]
    assert run(words) == 0
    words[words.index("--routes") + 1] = "1"
    assert run([*words, "--resume"]) == 2
    assert "got one where it has 2 routes, and 1 are asked for; begin anew" in capsys.readouterr().err


def test_resuming_needs_a_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demand", fuzzing.at(place, "c.csv", fuzzing.calls_csv()), "--resume"]) == 2
    assert "--resume keeps its checkpoints in --out; add --out DIR" in capsys.readouterr().err


def test_a_second_run_into_a_folder_is_refused(place: Path, tmp_path: Path) -> None:
    words = words_of(place, tmp_path / "run", "plan")
    words[words.index("200000")] = "200000000"
    process = faulting.start(words)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / ".owlbus-part").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    code, said = faulting.finish(words)
    process.kill()
    process.communicate()
    assert code == 2
    assert said.startswith("error: --out must not be in use, but another run is writing")


def small_disk(folder: Path, size: str = "256k", *more: str) -> None:
    """Mount a disk of a few pages on a folder, or skip."""
    words = ["/bin/mount", "-t", "tmpfs", "-o", ",".join((f"size={size}", *more)), "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")


def told_of_a_full_disk(code: int, said: str, out: Path) -> None:
    """Check that a command said in one line that the disk of its output is full, by the name that the user gave."""
    last = said.splitlines()[-1]
    assert (code, last) == (
        2,
        f"error: {out}: the disk is full (No space left on device); make room there, or name a folder on another disk",
    )
    assert not faulting.contents(out) if out.is_dir() else not out.exists()


@pytest.mark.parametrize("command", ["synth", "demand", "plan"])
@pytest.mark.parametrize("n_free", [0, 20_000])
def test_a_full_disk_is_told_by_the_place_asked_for(command: str, n_free: int, place: Path, tmp_path: Path) -> None:
    small_disk(tmp_path)
    try:
        (tmp_path / "run").mkdir()
        with (tmp_path / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(b"0" * 4096):
                pass
        os.truncate(tmp_path / "filler", (tmp_path / "filler").stat().st_size - n_free)
        told_of_a_full_disk(*faulting.finish_here(words_of(place, tmp_path / "run", command)), tmp_path / "run")
    finally:
        subprocess.run(["/bin/umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("command", ["score", "compare", "explain", "improve", "sweep", "timetable", "network", "report"])
def test_every_command_that_writes_tells_of_a_full_disk_alike(
    command: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    made = str(fuzzing.unpacked(tmp_path_factory.mktemp("made"), fuzzing.made_run()))
    small_disk(tmp_path, "4k")
    out = tmp_path / ("page.html" if command == "report" else "run")
    words = {
        "score": ["score", made],
        "compare": ["compare", made, made],
        "explain": ["explain", made, "route", "R1", "--drop"],
        "improve": ["improve", made, "--steps", "1"],
        "sweep": ["sweep", "--run", made, "--routes", "1:2", "--steps", "1"],
        "timetable": ["timetable", made],
        "network": ["network", "--area", fuzzing.at(Path(made), "area.csv", fuzzing.area_csv())],
        "report": ["report", made],
    }[command]
    try:
        told_of_a_full_disk(*faulting.finish_here([*words, "--out", str(out), "-q"]), out)
    finally:
        subprocess.run(["/bin/umount", str(tmp_path)], check=True)


def test_a_full_disk_behind_a_file_limit_is_told(place: Path, tmp_path: Path) -> None:
    words = words_of(place, tmp_path / "run", "synth")
    code, said = faulting.finish(words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)))
    assert code == 2
    assert said.splitlines()[-1].startswith(f"error: {tmp_path / 'run'}: the disk is full (")


def test_a_full_folder_for_temporary_files_is_told_by_its_own_name(place: Path, tmp_path: Path) -> None:
    small_disk(tmp_path, "16k")
    try:
        words = ["demand", "-", "--area", fuzzing.at(place, "area.csv", fuzzing.area_csv()), "-q"]
        done = subprocess.run(
            [sys.executable, "-m", "owlbus", *words],
            input=fuzzing.calls_csv(2_000),
            capture_output=True,
            check=False,
            env=dict(os.environ, TMPDIR=str(tmp_path)),
        )
        assert done.returncode == 2
        assert done.stderr.decode().startswith(f"error: {tmp_path}: temporary files cannot be written (it is full); make room there")
    finally:
        subprocess.run(["/bin/umount", str(tmp_path)], check=True)


def test_a_read_only_disk_is_told(place: Path, tmp_path: Path) -> None:
    made = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("a read-only disk cannot be mounted here")
    try:
        for command in ("synth", "demand", "plan"):
            code, said = faulting.finish_here(words_of(place, tmp_path / "run", command))
            assert code == 2
            assert "Read-only file system" in said
    finally:
        subprocess.run(["/bin/umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(("limit", "flag"), [(resource.RLIMIT_DATA, "-d"), (resource.RLIMIT_AS, "-v")])
def test_too_little_memory_is_told_before_anything_begins(limit: int, flag: str, place: Path, tmp_path: Path) -> None:
    most = 300_000_000
    code, said = faulting.finish(
        words_of(place, tmp_path / "run"), preexec_fn=lambda: resource.setrlimit(limit, (most, most)), env=dict(os.environ)
    )
    assert code == 3
    assert said.startswith(f"error: there is not enough memory: ulimit {flag} must be at least ")
    assert "got 300 MB; raise it" in said
    assert not (tmp_path / "run").exists()


_MODULE_THAT_SWALLOWS_CTRL_C = """
import os, signal, sys, time
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "owlbus.pipeline":
            try:
                os.kill(os.getpid(), signal.{sent})
                time.sleep(30)
            except KeyboardInterrupt:
                pass
            raise ImportError("numpy._core.multiarray failed to import")
sys.meta_path.insert(0, Finder())
from owlbus.cli import main
main()
"""


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_that_a_module_takes_for_its_own_failure_to_load_is_a_stop(sent: str, code: int, place: Path, tmp_path: Path) -> None:
    script = _MODULE_THAT_SWALLOWS_CTRL_C.format(sent=sent)
    done = subprocess.run(
        [sys.executable, "-c", script, *words_of(place, tmp_path / "run")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (code, "error: interrupted; nothing was written\n")
    assert not (tmp_path / "run").exists()


def test_a_clock_that_goes_back_changes_nothing(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(words_of(place, tmp_path / "run")) == 0
    future = time.time() + 10 * 365 * 86_400
    for file in (tmp_path / "run").iterdir():
        os.utime(file, (future, future))
    monkeypatch.setattr(time, "time", lambda: 1.0)
    assert run(words_of(place, tmp_path / "run")) == 0
    assert check_run(tmp_path / "run") == []


def test_a_lost_process_is_told() -> None:
    from owlbus.cluster import executor
    from owlbus.common.errors import DataError

    with (
        pytest.raises(DataError, match="a worker process was ended from outside, perhaps for want of memory"),
        executor("processes:1") as pool,
    ):
        pool.submit(os._exit, 9).result()
