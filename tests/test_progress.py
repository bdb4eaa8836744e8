"""Progress: silent by default, sparse off a terminal, bars on one."""

from __future__ import annotations

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest

from owlbus.common import progress
from owlbus.common.errors import UsageError


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_nothing_is_said_unless_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    step = progress.current_progress().step("routing", total=3)
    step.advance(2, note="x")
    step.reach(3)
    progress.current_progress().close()
    assert capsys.readouterr() == ("", "")


def test_progress_goes_to_standard_error_by_default(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with progress.show_progress("lines"):
        step = progress.current_progress().step("routing")
        clock.now_s += 11
        step.advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Routing: 11 s gone\n"


def test_lines_come_every_ten_seconds_at_most(clock: Clock) -> None:
    out = io.StringIO()
    with progress.show_progress("auto", out) as shown:
        step = shown.step("routing", total=100)
        for _ in range(100):
            clock.now_s += 0.25
            step.advance(1, note="served 0.41")
    assert out.getvalue().splitlines() == [
        "Routing: 40 %, 10 s gone, about 15 s left, served 0.41",
        "Routing: 80 %, 20 s gone, about 5 s left, served 0.41",
    ]


def test_short_steps_share_the_ten_seconds(clock: Clock) -> None:
    out = io.StringIO()
    with progress.show_progress("lines", out) as shown:
        for title in ("reading", "hexing", "counting"):
            step = shown.step(title, total=2)
            clock.now_s += 6
            step.reach(2)
    assert out.getvalue().splitlines() == ["Hexing: 100 %, 6 s gone, about 0 s left"]


def test_a_step_that_begins_after_a_long_silence_is_named(clock: Clock) -> None:
    out = io.StringIO()
    with progress.show_progress("lines", out) as shown:
        clock.now_s += 30
        shown.step("routing")
    assert out.getvalue() == "Routing: 0 s gone\n"


def test_a_step_that_overshoots_stays_at_one_hundred_percent(clock: Clock) -> None:
    out = io.StringIO()
    with progress.show_progress("lines", out) as shown:
        step = shown.step("routing", total=2)
        clock.now_s += 10
        step.reach(5)
    assert "100 %, 10 s gone, about 0 s left" in out.getvalue()


def test_bars_are_drawn_on_a_terminal_and_filled_at_the_end() -> None:
    out = Terminal()
    with progress.show_progress("auto", out) as shown:
        step = shown.step("reading calls", total=4)
        step.advance(1, note="calls.parquet")
        shown.step("routing").advance()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "Reading calls" in last
    assert "calls.parquet" in last
    assert last.count("100%") >= 2


def test_bars_that_never_began_leave_the_terminal_alone() -> None:
    out = Terminal()
    with progress.show_progress("bars", out):
        pass
    assert out.getvalue() == ""


def test_a_step_that_does_not_get_on_is_named_all_the_same() -> None:
    out = io.StringIO()
    lines = progress.LogProgress(out, every_s=0.02)
    lines.step("compile")
    for _ in range(200):
        if out.getvalue():
            break
        time.sleep(0.01)
    lines.close()
    assert out.getvalue().startswith("Compile: 0 s gone\n")
    said = out.getvalue()
    time.sleep(0.05)
    assert out.getvalue() == said


class Display:
    """Stands for a notebook's page: what was shown, and in the place of what."""

    def __init__(self) -> None:
        self.shown: list[list[object]] = []

    def display(self, value: object, *, display_id: bool) -> Display:
        """Show a value in a place of its own."""
        assert display_id
        self.shown.append([value])
        return self

    def update(self, value: object) -> None:
        """Show a value in the last place."""
        self.shown[-1].append(value)


def test_a_notebook_shows_one_bar_that_is_drawn_again(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    page = Display()
    monkeypatch.setitem(sys.modules, "IPython.display", page)  # type: ignore[arg-type]
    with progress.show_progress("notebook") as shown:
        step = shown.step("improve <routes>", total=4)
        for _ in range(40):
            clock.now_s += 0.1
            step.advance(0.1, note="best 41 %")
        shown.step("score")
    (bars,) = page.shown
    assert len(bars) <= 4 / 0.25 + 3
    assert [repr(bars[k]) for k in (0, -1)] == ["Improve <routes>: 0 s gone", "Improve <routes>, Score: done in 4 s"]
    html = bars[-3]._repr_html_()  # type: ignore[attr-defined]
    assert "<progress" in html
    assert "Improve &lt;routes&gt;" in html
    assert "s left, best 41 %" in html


def test_progress_in_a_notebook_is_its_bar_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    with progress.show_progress() as shown:
        assert isinstance(shown, progress.NotebookProgress)
    with progress.show_progress(out=io.StringIO()) as shown:
        assert isinstance(shown, progress.LogProgress)
    shell.config = {}
    with progress.show_progress() as shown:
        assert isinstance(shown, progress.LogProgress)


def test_progress_is_silent_again_after_the_block() -> None:
    with progress.show_progress("lines", io.StringIO()) as shown:
        assert progress.current_progress() is shown
    assert isinstance(progress.current_progress(), progress.NoProgress)


def test_an_unknown_style_is_refused() -> None:
    with (
        pytest.raises(UsageError, match="progress style must be one of auto, bars, lines, notebook, silent, got 'loud'"),
        progress.show_progress("loud"),
    ):
        pass
