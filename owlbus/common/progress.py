"""
Progress of long steps.

Bars on a terminal, one bar in a notebook, a log line every ten seconds elsewhere, or nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from owlbus.common.errors import UsageError
from owlbus.common.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

LINE_EVERY_S = 10.0
"""Minimum seconds between two log lines."""

STYLES = ("auto", "bars", "lines", "notebook", "silent")

_REDRAW_S = 0.25


class ProgressStep(Protocol):
    """One long step."""

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Add `amount` to the completed units of the step, and show `note`."""

    def reach(self, done: float, note: str | None = None) -> None:
        """Set the completed units of the step to `done`, and show `note`."""


class Progress(Protocol):
    """Display of long steps."""

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Start the step `title` of `total` units (None: unknown); the previous step ends."""
        ...

    def close(self) -> None:
        """End the last step and restore the terminal."""


class _NoStep:
    """A step without output."""

    __slots__ = ()

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Do nothing."""

    def reach(self, done: float, note: str | None = None) -> None:
        """Do nothing."""


class NoProgress:
    """No output; the default."""

    __slots__ = ()

    def step(self, title: str, total: float | None = None) -> ProgressStep:  # noqa: ARG002 - the protocol names them
        """Return a step without output, whatever its `title` and `total` units."""
        return _NoStep()

    def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _LineStep:
    """A step whose owner prints at most one line per interval."""

    owner: LogProgress | NotebookProgress
    title: str
    total: float | None
    began_s: float
    done: float = 0
    note: str | None = None

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Add to the completed units and print if a line is due."""
        self.reach(self.done + amount, note)

    def reach(self, done: float, note: str | None = None) -> None:
        """Set the completed units and print if a line is due."""
        self.done, self.note = done, note or self.note
        self.owner.print_if_due(self)

    @property
    def share(self) -> float | None:
        """Completed share, 0 to 1; None if unknown."""
        return min(self.done / self.total, 1.0) if self.total and self.done > 0 else None

    def line(self, now_s: float) -> str:
        """Return title, completed share, elapsed and remaining seconds, and note."""
        spent_s, share = now_s - self.began_s, self.share
        parts = [f"{spent_s:.0f} s gone"]
        if share is not None:
            parts = [f"{100 * share:.0f} %", *parts, f"about {spent_s * (1 - share) / share:.0f} s left"]
        return f"{self.title}: {', '.join([*parts, *([self.note] if self.note else [])])}"


class LogProgress:
    """
    Progress as plain lines for logs and pipes; a thread prints slow steps at intervals.

    Parameters
    ----------
    out
        Text stream.
    every_s
        Minimum seconds between two lines.
    """

    __slots__ = ("_clock", "_current", "_ended", "_every_s", "_last_s", "_lock", "_out")

    def __init__(self, out: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._out, self._every_s = out, every_s
        self._last_s = time.monotonic()
        self._current: _LineStep | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._clock: threading.Thread | None = None

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Start a step named `title` of `total` units and print it if a line is due."""
        step = self._current = _LineStep(self, _heading(title), total, time.monotonic())
        self.print_if_due(step)
        if self._clock is None:
            self._clock = threading.Thread(target=self._print_periodically, daemon=True)
            self._clock.start()
        return step

    def print_if_due(self, step: _LineStep) -> None:
        """Print the progress of `step` if a line is due."""
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._last_s >= self._every_s and not self._ended.is_set():
                self._last_s = now_s
                print(visible(step.line(now_s)), file=self._out, flush=True)

    def close(self) -> None:
        """Stop the thread."""
        self._ended.set()

    def _print_periodically(self) -> None:
        """Print the current step at intervals, for steps that make no calls."""
        while not self._ended.wait(self._every_s / 4):
            if self._current is not None:
                self.print_if_due(self._current)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A progress bar as HTML, with a text form."""

    text: str
    share: float | None

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        value = "" if self.share is None else f' value="{self.share:.3f}"'
        bar = f'<progress max="1"{value} style="width:160px;vertical-align:middle"></progress>'
        return f'<div class="owlbus">{bar} <span>{escape(self.text)}</span></div>'


class NotebookProgress:
    """Progress in a notebook: one bar below the cell, and at the end the total time."""

    __slots__ = ("_began_s", "_current", "_handle", "_last_s", "_titles")

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last_s = -_REDRAW_S
        self._handle: Any = None
        self._current: _LineStep | None = None
        self._titles: list[str] = []

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Start a step named `title` of `total` units in the bar."""
        self._current = _LineStep(self, _heading(title), total, time.monotonic())
        self._titles.append(self._current.title)
        self.print_if_due(self._current)
        return self._current

    def print_if_due(self, step: _LineStep) -> None:
        """Draw the progress of `step` if a redraw is due."""
        now_s = time.monotonic()
        if now_s - self._last_s >= _REDRAW_S:
            self._last_s = now_s
            self._draw(_Bar(step.line(now_s), step.share))

    def close(self) -> None:
        """Replace the bar by a line with all titles and the total seconds."""
        if self._titles:
            spent_s = time.monotonic() - self._began_s
            self._draw(_Bar(f"{', '.join(dict.fromkeys(self._titles))}: done in {spent_s:.0f} s", 1.0))

    def _draw(self, bar: _Bar) -> None:
        """Draw the bar, replacing the previous one."""
        if self._handle is None:
            self._handle = import_module("IPython.display").display(bar, display_id=True)
        else:
            self._handle.update(bar)


@dataclass(slots=True)
class _BarStep:
    """A step shown as one terminal bar."""

    bars: RichProgress
    task: TaskID

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Advance the bar."""
        if note is not None:
            self.bars.update(self.task, note=note)
        self.bars.advance(self.task, amount)

    def reach(self, done: float, note: str | None = None) -> None:
        """Set the bar."""
        if note is not None:
            self.bars.update(self.task, note=note)
        self.bars.update(self.task, completed=done)

    def finish(self) -> None:
        """Fill the bar."""
        task = next(task for task in self.bars.tasks if task.id == self.task)
        end = task.total if task.total is not None else max(task.completed, 1)
        self.bars.update(self.task, total=end, completed=end)


class TerminalProgress:
    """
    Progress as bars on a terminal.

    Parameters
    ----------
    out
        Terminal stream.
    """

    __slots__ = ("_bars", "_current", "_out")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bars: RichProgress | None = None
        self._current: _BarStep | None = None

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Start a bar named `title` of `total` units; the previous bar is filled."""
        if self._current is not None:
            self._current.finish()
        bars = self._started()
        self._current = _BarStep(bars, bars.add_task(_heading(title), total=total, note=""))
        return self._current

    def close(self) -> None:
        """Fill the last bar and restore the terminal."""
        if self._current is not None:
            self._current.finish()
            self._current = None
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _started(self) -> RichProgress:
        """Return the terminal bars, started once."""
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
            from rich.table import Column

            self._bars = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=20),
                TaskProgressColumn(table_column=Column(no_wrap=True)),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True, table_column=Column(no_wrap=True)),
                TextColumn(
                    "{task.fields[note]}", markup=False, style="dim", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
                ),
                console=Console(file=self._out),
                expand=True,
            )
            self._bars.start()
        return self._bars


_CURRENT: ContextVar[Progress] = ContextVar("owlbus_progress", default=NoProgress())  # noqa: B039 - Silent holds no state


def current_progress() -> Progress:
    """
    Return the progress display of the calling context; no output outside `show_progress`.

    Returns
    -------
    Progress
        Current display.

    Examples
    --------
    >>> step = current_progress().step("reading", total=2)
    >>> step.advance(note="first file")
    """
    return _CURRENT.get()


@contextmanager
def show_progress(style: str = "auto", out: TextIO | None = None) -> Iterator[Progress]:
    """
    Show the progress of all steps inside the block.

    Parameters
    ----------
    style
        ``auto`` (bars on a terminal, one bar in a notebook, else lines), ``bars``, ``lines``, ``notebook`` or ``silent``.
    out
        Text stream; standard error by default.

    Yields
    ------
    Progress
        Display that `current_progress` returns inside the block.

    Raises
    ------
    UsageError
        If `style` is unknown.

    Examples
    --------
    >>> with show_progress("silent") as progress:
    ...     progress.step("routing", total=100).reach(50)
    """
    progress = _progress_of(style, sys.stderr if out is None else out)
    token = _CURRENT.set(progress)
    try:
        yield progress
    finally:
        _CURRENT.reset(token)
        progress.close()


def _heading(title: str) -> str:
    """Return a title with a capital first letter."""
    return title[:1].upper() + title[1:]


def _progress_of(style: str, out: TextIO) -> Progress:
    """Return the progress display of a style on a stream."""
    if style not in STYLES:
        msg = f"progress style must be one of {', '.join(STYLES)}, got {style!r}"
        raise UsageError(msg, setting="style", value=style, allowed=STYLES)
    if style == "silent":
        return NoProgress()
    if style == "bars" or (style == "auto" and out.isatty()):
        return TerminalProgress(out)
    if style == "notebook" or (style == "auto" and out is sys.stderr and _is_notebook()):
        return NotebookProgress()
    return LogProgress(out)


def _is_notebook() -> bool:
    """Return whether this code runs in a notebook kernel; imports nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", {})
