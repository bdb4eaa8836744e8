"""What goes wrong around an open plan: a killed process, a torn history, a second explore, a run that changes underneath, a full disk."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from explore_town import opened, town_run

from owlbus.common.errors import DataError, UsageError
from owlbus.explore.edit_history import HISTORY_FILE
from owlbus.explore.explore_words import EditError
from owlbus.explore.opened_run import open_run
from owlbus.explore.run_lock import locked_run
from owlbus.pipeline.rundir import EXPLORE_DIR, EXPLORE_LOCK, RunRecord, check_run, open_run_dir

if TYPE_CHECKING:
    from pathlib import Path

DROP, LOCK = {"kind": "drop", "route": "r3"}, {"kind": "lock", "route": "r1", "locked": True}
SAME = ("version", "saved_version", "routes", "numbers", "limits", "hexes", "districts", "history", "can_undo", "can_redo")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return town_run(tmp_path)


def history(run: Path) -> Path:
    return run / EXPLORE_DIR / HISTORY_FILE


def edited(run: Path) -> dict:
    """Make four edits, undo one, save in between, and return the state."""
    session = opened(run)
    session.apply(DROP)
    session.mark_saved("elsewhere")
    session.apply({"kind": "cut", "route": "r1", "end": "last", "position": 4})
    session.apply(LOCK)
    session.apply({"kind": "rename", "route": "r2", "name": "Owl"})
    session.undo()
    state = session.state()
    session.close()
    return state


def reopened(run: Path, *, is_read_only: bool = False) -> dict:
    session = opened(run, is_read_only=is_read_only)
    state = session.state()
    session.close()
    return state


def same(state: dict, other: dict) -> bool:
    return {name: state[name] for name in SAME} == {name: other[name] for name in SAME}


def test_a_restart_resumes_the_history_with_what_was_undone_and_saved(run):
    state = edited(run)
    assert (state["can_redo"], len(state["history"]), state["saved_version"]) == (True, 4, 2)
    assert same(reopened(run), state)
    assert same(reopened(run, is_read_only=True) | {"can_undo": True, "can_redo": True}, state)
    session = opened(run)
    session.redo()
    assert session.plan.names == ("N1", "Owl")
    session.close()
    assert check_run(run) == [], "the run itself stays as it was written"


def test_what_explore_keeps_is_its_owners_alone(run):
    edited(run)
    assert (run / EXPLORE_DIR).stat().st_mode & 0o777 == 0o700
    assert history(run).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_left_out_and_said(run, cut):
    edited(run)
    whole = history(run).read_bytes()
    history(run).write_bytes(whole[:-cut])
    first = reopened(run, is_read_only=True)
    assert history(run).read_bytes() == whole[:-cut], "a session for reading mends nothing"
    state = reopened(run)
    assert (
        first["notices"]
        == state["notices"]
        == ["the last line of the history was not whole, as after a power cut; that one change is left out"]
    )
    assert (len(state["history"]), state["can_redo"]) == (4, False), "the undo is what was torn"
    assert whole.startswith(history(run).read_bytes())
    assert reopened(run)["notices"] == []


def test_every_prefix_of_a_history_is_followed(run):
    edited(run)
    whole = history(run).read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in (0, 3, *ends, *(end - 3 for end in ends[1:])):
        history(run).write_bytes(whole[:size])
        session = opened(run)
        assert session.version <= 6
        session.apply({"kind": "reverse", "route": "r2"})
        session.close()
        again = opened(run)
        assert again.plan == session.plan
        again.close()


def test_a_line_that_does_not_fit_is_kept_aside_with_all_behind_it(run):
    edited(run)
    lines = history(run).read_bytes().splitlines(keepends=True)
    for number, bad in enumerate(
        (b'{"do":"fly"}\n', b'{"do":"edit","edit":{"kind":"drop","route":"r9"},"effect":{},"time":1}\n', b'{"do":"edit"}\n'), 1
    ):
        history(run).write_bytes(b"".join([*lines[:3], bad, *lines[3:]]))
        state = reopened(run)
        assert len(state["history"]) == 1
        assert re.match(
            rf"the history could not be followed beyond line 4 \(.+\); what stands after it is kept in history-{number}\.jsonl$",
            state["notices"][0],
        )
        assert history(run).with_name(f"history-{number}.jsonl").read_bytes() == b"".join([*lines[:3], bad, *lines[3:]])
        assert history(run).read_bytes() == b"".join(lines[:3])


def test_edits_of_another_plan_are_kept_aside(run):
    edited(run)
    lines = history(run).read_text().splitlines()
    head = json.loads(lines[0]) | {"plan": "0" * 64}
    history(run).write_text("\n".join([json.dumps(head), *lines[1:]]) + "\n")
    state = reopened(run)
    assert state["history"] == []
    assert state["notices"] == [
        "the plan of this run was written anew, so its earlier edits no longer fit; they are kept in history-1.jsonl"
    ]


@pytest.mark.parametrize("file", ["plan.geojson", "run.json"])
def test_a_run_that_changes_underneath_is_said(run, file):
    session = opened(run)
    assert session.run.changed_file is None
    os.utime(run / file, ns=(1, 1))
    assert session.run.changed_file == file
    assert session.state()["notices"] == [
        f"{file} has changed since this page was opened; nothing is saved over it. Start explore again to see the new plan"
    ]
    assert file in session.state("ko")["notices"][0]
    (run / file).unlink()
    assert session.run.changed_file == file
    session.close()


def test_a_history_that_cannot_be_written_changes_nothing(run, monkeypatch):
    session = opened(run)
    session.apply(DROP)
    before, state = history(run).read_bytes(), session.state()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for change in (lambda: session.apply(LOCK), session.undo, lambda: session.mark_saved("x")):
            with pytest.raises(EditError, match="the change could not be written to the history"):
                change()
    assert history(run).read_bytes() == before
    assert session.state() == state
    session.apply(LOCK)
    session.close()
    assert len(reopened(run)["history"]) == 2


def test_a_second_explore_is_told_where_the_first_one_is(run):
    with locked_run(run) as lock:
        lock.tell("http://127.0.0.1:8123/")
        with (
            pytest.raises(
                UsageError, match=r"is open in another explore, at http://127\.0\.0\.1:8123/; go on there, or end that one first"
            ),
            locked_run(run),
        ):
            pass
        assert (run / EXPLORE_LOCK).read_text() == "http://127.0.0.1:8123/\n"
    assert not (run / EXPLORE_LOCK).exists()
    with locked_run(run):
        pass


def test_a_lock_that_a_killed_process_left_is_no_lock(run):
    (run / EXPLORE_LOCK).write_text("http://127.0.0.1:1/\n")
    with locked_run(run):
        assert (run / EXPLORE_LOCK).read_text() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_that_cannot_be_written_is_refused_for_editing_only(run):
    run.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="cannot be written"), locked_run(run):
            pass
        assert reopened(run, is_read_only=True)["routes"]
    finally:
        run.chmod(0o700)


def test_a_folder_without_one_plan_is_refused(run, tmp_path):
    with pytest.raises(DataError, match=r"must hold run\.json"):
        open_run(tmp_path)
    (run / "plan.geojson").unlink()
    with pytest.raises(DataError, match=r"must hold plan\.geojson, as runs of one plan do"):
        open_run(run)


def test_a_changed_scorecard_is_refused(run):
    card = json.loads((run / "scorecard.json").read_text())
    (run / "scorecard.json").write_text(json.dumps(card | {"headway_s": 60}))
    with pytest.raises(DataError, match=r"scorecard\.json: has changed since run\.json was written"):
        open_run(run)


SERVE = "import sys; from owlbus.cli import main; main(['explore', sys.argv[1], '--no-browser', '-q'])"


class Process:
    """`owlbus explore` in a process of its own, and a browser that speaks to it."""

    def __init__(self, run: Path, errors: Path) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # it heeds Ctrl-C even where this process is told not to
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with errors.open("w") as stream:
            self.process = subprocess.Popen([sys.executable, "-c", SERVE, str(run)], stdout=subprocess.PIPE, stderr=stream, text=True)
        assert self.process.stdout is not None
        link = self.process.stdout.readline().strip()
        assert link, errors.read_text()
        self.headers: dict[str, str] = {}
        self.address, _, key = link.removeprefix("http://").partition("/")
        cookie = self.ask("GET", f"/{key}")[1]["Set-Cookie"].partition(";")[0]
        self.headers = {"Cookie": cookie, "X-Owlbus": "1", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
        """Send a request, and read its answer."""
        connection = HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self.headers)
            with connection.getresponse() as answer:
                return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        try:
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.wait()


def test_after_kill_9_every_answered_edit_is_there_and_ctrl_c_ends_in_order(run, tmp_path):
    first = Process(run, tmp_path / "first")
    for edit in (DROP, LOCK, {"kind": "cut", "route": "r2", "end": "first", "position": 2}):
        status, _, data = first.ask("POST", "/api/edit", {"edit": edit})
        assert status == 200, data
    state = json.loads(data)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert (run / EXPLORE_LOCK).exists()
    second = Process(run, tmp_path / "second")
    assert same(json.loads(second.ask("GET", "/api/state")[2]), state)
    assert second.end(signal.SIGINT) == 0
    assert (tmp_path / "second").read_text() == ""
    assert not (run / EXPLORE_LOCK).exists()


def test_a_run_written_again_keeps_the_edits_of_its_owner(run):
    edited(run)
    kept = history(run).read_bytes()
    for is_run in (True, False):
        with open_run_dir(run) as target:
            target.write_bytes("other.json", b"{}")
            target.publish(RunRecord("plan", {}))
        assert history(run).read_bytes() == kept
        for file in run.iterdir():
            if is_run and file.name != EXPLORE_DIR:
                file.unlink()
    assert (run / "run.json").is_file(), "a folder that holds edits alone takes a new run"


def test_a_copy_of_a_run_goes_on_with_its_edits(run, tmp_path):
    state = edited(run)
    shutil.copytree(run, tmp_path / "copy")
    assert same(reopened(tmp_path / "copy"), state)
