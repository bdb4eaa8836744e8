"""Standard streams that are closed, full, or read by nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fuzzing
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
FULL = Path("/dev/full")
OWLBUS = [sys.executable, "-m", "owlbus"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a small town."""
    return fuzzing.unpacked(tmp_path_factory.mktemp("streams"), fuzzing.made_run())


def ended(words: list[str], closed: tuple[int, ...]) -> tuple[int, str, str]:
    """Run a command with some of its standard streams closed; return exit code, output and talk."""
    redirected = " ".join({0: "0<&-", 1: ">&-", 2: "2>&-"}[number] for number in closed)
    done = subprocess.run(["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *OWLBUS, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["score", "RUN", "--json", "-q"], ["network", "RUN"], ["--help"], ["--version"]], ids=" ".join)
def test_data_that_cannot_be_printed_are_told_in_one_line(words: list[str], made: Path) -> None:
    words = [str(made) if word == "RUN" else word for word in words]
    code, out, said = ended(words, (1,))
    assert (code, out) == (2, "")
    assert said.startswith("error: standard output cannot be written (Bad file descriptor)")
    assert len(said.splitlines()) == 1
    assert ended(words, (1, 2)) == (2, "", "")


@pytest.mark.parametrize("closed", [(2,), (0,), (0, 2)], ids=str)
def test_work_that_prints_nothing_to_a_closed_stream_is_done(closed: tuple[int, ...], made: Path, tmp_path: Path) -> None:
    words = ["report", str(made), "--out", str(tmp_path / "report.html"), "--json"]
    code, out, _ = ended(words, closed)
    assert (code, out) == (0, ended(words, ())[1])
    assert (tmp_path / "report.html").read_bytes() == (made / "report.html").read_bytes()


def test_a_report_is_written_whatever_stream_is_closed(made: Path, tmp_path: Path) -> None:
    assert ended(["report", str(made), "--out", str(tmp_path / "report.html")], (0, 1, 2)) == (0, "", "")
    assert (tmp_path / "report.html").read_bytes() == (made / "report.html").read_bytes()


@pytest.mark.parametrize(("words", "code"), [(["nonsense"], 2), (["score", "nowhere"], 3)], ids=["usage", "data"])
def test_an_error_that_nobody_can_read_keeps_its_code(words: list[str], code: int) -> None:
    assert ended(words, (2,)) == (code, "", "")
    assert ended(words, (1, 2)) == (code, "", "")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [["plan", "--help"], ["--version"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_told(words: list[str]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([*OWLBUS, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("error: standard output cannot be written (No space left on device)")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_full_disk_behind_the_talk_is_no_reason_to_stop(made: Path, tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([*OWLBUS, "report", str(made), "--out", str(tmp_path / "r.html")], stderr=full, check=False)
    assert done.returncode == 0
    assert (tmp_path / "r.html").is_file()


@pytest.mark.parametrize("words", [["plan", "--help"], ["network", "RUN", "--json"], ["network", "RUN", "-v"]], ids=" ".join)
def test_a_reader_that_leaves_early_has_what_it_wanted(words: list[str], made: Path) -> None:
    words = [str(made) if word == "RUN" else word for word in words]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*OWLBUS, *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, "rror" in done.stderr) == (0, False)
