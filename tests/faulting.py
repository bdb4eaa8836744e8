"""
Runs that are stopped from outside at random moments, and what they leave behind.

``python tests/faulting.py 50`` stops each command fifty times by each signal, runs that end before their signal not counted.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fuzzing

if TYPE_CHECKING:
    from collections.abc import Sequence

CODES = {signal.SIGKILL: {-9}, signal.SIGINT: {130}, signal.SIGTERM: {143, -15}}
"""How a run ends that a signal stopped; SIGTERM before the program has begun ends it as the system does."""


def start(words: Sequence[str], **more: object) -> subprocess.Popen[bytes]:
    """Start a command of its own session, so that a signal reaches it alone; it heeds Ctrl-C even where this process is told not to."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "owlbus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, **more
    )  # type: ignore[call-overload,no-any-return]


def finish(words: Sequence[str], **more: object) -> tuple[int, str]:
    """Run a command to its end; return exit code and what it said."""
    process = start(words, **more)
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode()


def finish_here(words: Sequence[str]) -> tuple[int, str]:
    """Run a command to its end in this process, which has all modules loaded; return exit code and what it said."""
    from owlbus.cli.app import run

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = run(words)
    gc.collect()  # what an error held open on a disk that goes away
    return code, said.getvalue()


def stopped(words: Sequence[str], number: int, delay_s: float) -> tuple[int, str]:
    """Start a command and send it a signal after some seconds; return exit code and what it said."""
    process = start(words)
    time.sleep(delay_s)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.decode()


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a user sees in a folder, by name; but for run.json, which tells the time taken."""
    names = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    seen = {name: file for name, file in names.items() if not name.startswith(".") and name != "run.json"}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in seen.items()}


@dataclass(frozen=True)
class Job:
    """
    A command to be stopped.

    Attributes
    ----------
    name
        Its name.
    before, words
        Words of an earlier run into the same folder, and of the one that is stopped; ``--out`` is added.
    onward
        Words of the run that follows the stop.
    """

    name: str
    before: tuple[str, ...]
    words: tuple[str, ...]
    onward: tuple[str, ...]

    def stop(self, folder: Path, number: int, delay_s: float, old: dict[str, str], new: dict[str, str]) -> str:
        """
        Stop a run into a folder with an earlier result, and hold what is left to the promise.

        Returns how it ended: ``done before`` the signal came, ``old`` or ``new`` for files of one run, ``best so far`` for a plan that
        Ctrl-C ended, ``mixed`` for whole files of both, which only ``kill -9`` may leave, and which `check_run` or the next run mends.
        """
        code, said = stopped([*self.words, "--out", str(folder)], number, delay_s)
        left = contents(folder)
        if code == 0:
            assert left == new
            return "done before"
        early = number == signal.SIGINT and code == -2 and "owlbus/cli/app.py" not in said  # a stop while modules load ends so, too
        assert early or code in CODES[signal.Signals(number)], (code, said[-800:])
        assert early or "Traceback" not in said, said[-800:]
        assert early or code < 0 or left not in (old, new) or said.startswith("error: "), (code, said)
        if left == old:
            return "old"
        if left == new:
            return "new"
        if number == signal.SIGKILL:
            assert all(digest in {old.get(name), new.get(name)} for name, digest in left.items()), "half a file"
            return "mixed"
        assert self.name == "plan", sorted(left.items() ^ old.items())
        assert json.loads((folder / "run.json").read_bytes())["ended_by"] == {"reason": "interrupted"}
        from owlbus.pipeline.rundir import check_run

        assert check_run(folder) == []
        return "best so far"

    def go_on(self, folder: Path, end: str, new: dict[str, str]) -> None:
        """Run again what was stopped, and hold the result to that of a run without a stop; a plan, to be no worse than the one kept."""
        from owlbus.pipeline.run_json import read_run
        from owlbus.pipeline.rundir import check_run

        least = read_run(folder)["objective_share"] if end == "best so far" else 0.0
        code, said = finish([*self.onward, "--out", str(folder)])
        assert (code, said) == (0, "")
        assert [file.name for file in folder.glob(".*")] == []
        if self.name != "plan":
            assert contents(folder) == new
        if self.name != "synth":
            assert check_run(folder) == []
        if self.name == "plan":
            found = read_run(folder)
            assert found["settings"]["resumed"]
            assert found["objective_share"] >= least


def jobs(place: Path) -> tuple[Job, ...]:
    """Return three commands on the records of a small town, in `place`; those that can are told to keep what they come to."""
    files = [fuzzing.at(place, f"calls{k}.csv", fuzzing.calls_csv(3_000 + k)) for k in range(4)]
    area = ("--area", fuzzing.at(place, "area.csv", fuzzing.area_csv()), "-q")
    synth, count = ("synth", "--calls", "60000", "--taxi", "9000", "-q"), ("demand", *files, *area, "--resume")
    plan = ("plan", *files, *area, "--routes", "2", "--resume")
    return (
        Job("synth", ("synth", "--calls", "5000", "--taxi", "500", "-q"), synth, synth),
        Job("demand", ("demand", files[0], *area), count, count),
        Job(
            "plan",
            ("plan", files[0], *area, "--routes", "2", "--steps", "100"),
            (*plan, "--steps", "200000"),
            (*plan, "--steps", "100"),
        ),
    )


def main(words: Sequence[str]) -> int:
    """
    Stop each command by each signal at as many random moments as the first word says, go on after each, and print how that ended.

    More words name commands and signals.
    """
    rng, number, asked = random.Random(9), int(words[0]), set(words[1:])  # noqa: S311 - the same moments from the same seed
    with tempfile.TemporaryDirectory() as place:
        every = jobs(Path(place))
        names = {job.name for job in every}
        for job in (job for job in every if job.name in asked or not names & asked):
            whole_s, kept, new = prepare(job, Path(place))
            for sent in (one for one in CODES if one.name in asked or asked <= names):
                ends: Counter[str] = Counter()
                while ends.total() - ends["done before"] < number:
                    delay_s = whole_s * rng.uniform(*rng.choice([(0.05, 1.0), (0.75, 1.0)]))
                    folder = again(kept, Path(place) / "run")
                    end = job.stop(folder, sent, delay_s, contents(kept), new)
                    ends[end] += 1
                    if end != "done before":
                        job.go_on(folder, end, new)
                sys.stdout.write(f"{job.name}: {sent.name} {number} times within {whole_s:.1f} s: {dict(ends)}\n")
                sys.stdout.flush()
    return 0


def prepare(job: Job, place: Path) -> tuple[float, Path, dict[str, str]]:
    """Run both forms of a job to their end; return the seconds of the one to be stopped, the earlier result, and what it would become."""
    kept, whole = place / f"{job.name}-before", place / f"{job.name}-after"
    assert finish([*job.before, "--out", str(kept)])[0] == 0
    spent_s = []
    for _ in range(2):
        again(kept, whole)
        began = time.perf_counter()
        assert finish([*job.words, "--out", str(whole)])[0] == 0
        spent_s.append(time.perf_counter() - began)
    return min(spent_s), kept, contents(whole)


def again(kept: Path, folder: Path) -> Path:
    """Return a folder with the earlier result, as it was."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
