"""
One way to say how far a long step is.

Bars on a terminal, one bar that is drawn again in a notebook, a line every ten seconds elsewhere, nothing when asked to be quiet.
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
"""Seconds between two lines off a terminal, at least."""

STYLES = ("auto", "bars", "lines", "notebook", "silent")

_REDRAW_S = 0.25


class ProgressStep(Protocol):
    """One long step under way, as the code that does it sees it."""

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Add `amount` to what is done, in the units of the step's total, and say `note` beside it."""

    def reach(self, done: float, note: str | None = None) -> None:
        """Set what is done, in the units of the step's total, and say `note` beside it."""


class Progress(Protocol):
    """Where long steps tell how far they are."""

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Begin the step `title` of `total` units, or of unknown length; the step before it ends."""
        ...

    def close(self) -> None:
        """End the last step and leave the terminal as it was."""


class _NoStep:
    """A step that says nothing."""

    __slots__ = ()

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Say nothing."""

    def reach(self, done: float, note: str | None = None) -> None:
        """Say nothing."""


class Silent:
    """Progress that says nothing; what every function uses unless it is told otherwise."""

    __slots__ = ()

    def step(self, title: str, total: float | None = None) -> ProgressStep:  # noqa: ARG002 - the protocol names them
        """Return a step that says nothing, whatever its `title` and `total` units."""
        return _NoStep()

    def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _LineStep:
    """A step that offers a line each time it gets on; its owner shows those that are due."""

    owner: Lines | Cell
    title: str
    total: float | None
    began_s: float
    done: float = 0
    note: str | None = None

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Add to what is done and speak if a line is due."""
        self.reach(self.done + amount, note)

    def reach(self, done: float, note: str | None = None) -> None:
        """Set what is done and speak if a line is due."""
        self.done, self.note = done, note or self.note
        self.owner.say_if_due(self)

    @property
    def share(self) -> float | None:
        """Part that is done, 0 to 1; None while that is not known."""
        return min(self.done / self.total, 1.0) if self.total and self.done > 0 else None

    def line(self, now_s: float) -> str:
        """Title, share done, seconds gone and seconds left, note."""
        spent_s, share = now_s - self.began_s, self.share
        parts = [f"{spent_s:.0f} s gone"]
        if share is not None:
            parts = [f"{100 * share:.0f} %", *parts, f"about {spent_s * (1 - share) / share:.0f} s left"]
        return f"{self.title}: {', '.join([*parts, *([self.note] if self.note else [])])}"


class Lines:
    """
    Progress as plain lines, for logs and pipes; a step that is silent for long is named by a clock of its own.

    Parameters
    ----------
    out
        Text stream that the lines go to.
    every_s
        Seconds between two lines, at least.
    """

    __slots__ = ("_current", "_ended", "_every_s", "_last_s", "_lock", "_out", "_watch")

    def __init__(self, out: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._out, self._every_s = out, every_s
        self._last_s = time.monotonic()
        self._current: _LineStep | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._watch: threading.Thread | None = None

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Begin a step named `title` of `total` units and name it if a line is due."""
        step = self._current = _LineStep(self, _heading(title), total, time.monotonic())
        self.say_if_due(step)
        if self._watch is None:
            self._watch = threading.Thread(target=self._keep_talking, daemon=True)
            self._watch.start()
        return step

    def say_if_due(self, step: _LineStep) -> None:
        """Print where `step` stands if the last line is long enough ago."""
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._last_s >= self._every_s and not self._ended.is_set():
                self._last_s = now_s
                print(visible(step.line(now_s)), file=self._out, flush=True)

    def close(self) -> None:
        """End the clock; lines that were printed stay."""
        self._ended.set()

    def _keep_talking(self) -> None:
        """Offer a line of the step under way now and then, for steps that do not get on for long."""
        while not self._ended.wait(self._every_s / 4):
            if self._current is not None:
                self.say_if_due(self._current)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar as a notebook shows it: HTML, and text where HTML is not read."""

    text: str
    share: float | None

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        value = "" if self.share is None else f' value="{self.share:.3f}"'
        bar = f'<progress max="1"{value} style="width:160px;vertical-align:middle"></progress>'
        return f'<div class="owlbus">{bar} <span>{escape(self.text)}</span></div>'


class Cell:
    """Progress in a notebook: one bar below the cell, drawn again as steps get on, and at the end how long all of them took."""

    __slots__ = ("_began_s", "_current", "_handle", "_last_s", "_titles")

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last_s = -_REDRAW_S
        self._handle: Any = None
        self._current: _LineStep | None = None
        self._titles: list[str] = []

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Begin a step named `title` of `total` units; the bar is its own from now on."""
        self._current = _LineStep(self, _heading(title), total, time.monotonic())
        self._titles.append(self._current.title)
        self.say_if_due(self._current)
        return self._current

    def say_if_due(self, step: _LineStep) -> None:
        """Draw where `step` stands if the bar was not drawn just now."""
        now_s = time.monotonic()
        if now_s - self._last_s >= _REDRAW_S:
            self._last_s = now_s
            self._draw(_Bar(step.line(now_s), step.share))

    def close(self) -> None:
        """Leave one line: what was done, and in how many seconds."""
        if self._titles:
            spent_s = time.monotonic() - self._began_s
            self._draw(_Bar(f"{', '.join(dict.fromkeys(self._titles))}: done in {spent_s:.0f} s", 1.0))

    def _draw(self, bar: _Bar) -> None:
        """Put the bar below the cell, or in the place of the last one."""
        if self._handle is None:
            self._handle = import_module("IPython.display").display(bar, display_id=True)
        else:
            self._handle.update(bar)


@dataclass(slots=True)
class _BarStep:
    """A step shown as one bar."""

    bars: RichProgress
    task: TaskID

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Move the bar on."""
        if note is not None:
            self.bars.update(self.task, note=note)
        self.bars.advance(self.task, amount)

    def reach(self, done: float, note: str | None = None) -> None:
        """Move the bar to a place."""
        if note is not None:
            self.bars.update(self.task, note=note)
        self.bars.update(self.task, completed=done)

    def finish(self) -> None:
        """Fill the bar."""
        task = next(task for task in self.bars.tasks if task.id == self.task)
        end = task.total if task.total is not None else max(task.completed, 1)
        self.bars.update(self.task, total=end, completed=end)


class Bars:
    """
    Progress as bars on a terminal.

    Parameters
    ----------
    out
        The terminal that the bars are drawn on.
    """

    __slots__ = ("_bars", "_current", "_out")

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bars: RichProgress | None = None
        self._current: _BarStep | None = None

    def step(self, title: str, total: float | None = None) -> ProgressStep:
        """Begin a bar named `title` of `total` units; the bar before it is filled."""
        if self._current is not None:
            self._current.finish()
        bars = self._started()
        self._current = _BarStep(bars, bars.add_task(_heading(title), total=total, note=""))
        return self._current

    def close(self) -> None:
        """Fill the last bar and give the terminal back."""
        if self._current is not None:
            self._current.finish()
            self._current = None
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _started(self) -> RichProgress:
        """Bars on the terminal, started once."""
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


_CURRENT: ContextVar[Progress] = ContextVar("owlbus_progress", default=Silent())  # noqa: B039 - Silent holds no state


def current_progress() -> Progress:
    """
    Progress of the calling context; silent unless `show_progress` is open.

    Returns
    -------
    Progress
        Where a long step tells how far it is.

    Examples
    --------
    >>> step = current_progress().step("reading", total=2)
    >>> step.advance(note="first file")
    """
    return _CURRENT.get()


@contextmanager
def show_progress(style: str = "auto", out: TextIO | None = None) -> Iterator[Progress]:
    """
    Show the progress of every step inside the block.

    Parameters
    ----------
    style
        ``auto`` takes bars on a terminal, one bar in a notebook and lines elsewhere; or ``bars``, ``lines``, ``notebook``, ``silent``.
    out
        Text stream; standard error by default, so that data on standard output stays clean.

    Yields
    ------
    Progress
        The progress that `current_progress` returns inside the block.

    Raises
    ------
    UsageError
        If `style` is none of these.

    Examples
    --------
    >>> with show_progress("silent") as progress:
    ...     progress.step("routing", total=100).reach(50)
    """
    progress = _make(style, sys.stderr if out is None else out)
    token = _CURRENT.set(progress)
    try:
        yield progress
    finally:
        _CURRENT.reset(token)
        progress.close()


def _heading(title: str) -> str:
    """Return a title as it begins a line."""
    return title[:1].upper() + title[1:]


def _make(style: str, out: TextIO) -> Progress:
    """Progress of a style on a stream."""
    if style not in STYLES:
        msg = f"progress style must be one of {', '.join(STYLES)}, got {style!r}"
        raise UsageError(msg, setting="style", value=style, allowed=STYLES)
    if style == "silent":
        return Silent()
    if style == "bars" or (style == "auto" and out.isatty()):
        return Bars(out)
    if style == "notebook" or (style == "auto" and out is sys.stderr and _is_notebook()):
        return Cell()
    return Lines(out)


def _is_notebook() -> bool:
    """Tell whether this code runs in the kernel of a notebook, without loading anything."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", {})
