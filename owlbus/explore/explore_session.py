"""One run under edit: what every window of the page shares."""

from __future__ import annotations

import hashlib
import queue
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from owlbus.explore.edit_form import checked_edit, routes_of
from owlbus.explore.edit_history import history_file, stamped
from owlbus.explore.edited_plan import EditedPlan
from owlbus.explore.edits import apply_edit
from owlbus.explore.explore_words import EditError, sentence
from owlbus.explore.limit_rows import limit_rows_of
from owlbus.explore.link_lines import LinkLines, steps_of
from owlbus.explore.live_numbers import LiveNumbers
from owlbus.explore.opened_run import PLAN_FILE
from owlbus.explore.page_state import PageState
from owlbus.explore.past_edits import PastEdit, followed
from owlbus.explore.start_page import RunMap
from owlbus.report.translations import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.explore.live_numbers import Figures
    from owlbus.explore.opened_run import OpenedRun

_MOST_ROWS = 300
"""Edits that the page lists; how many came before them it says."""

_MOST_EVENTS = 1_000
"""Events that wait for one window at most; of a window that takes none the oldest are dropped."""


class ConflictError(EditError):
    """An edit that was made on an earlier state of the plan and no longer fits."""


class ReadOnlyError(EditError):
    """A change asked of a session that is for reading only."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """
    One plan in the history, and the edit that led to it.

    Attributes
    ----------
    plan
        The plan after the edit.
    past
        The edit; None for the plan that the history begins with.
    """

    plan: EditedPlan
    past: PastEdit | None = None


class ExploreSession:
    """
    A run, the edits of its plan, and the windows that watch it.

    All methods may be called from any thread: one lock guards the plan.

    Parameters
    ----------
    run
        The run.
    language
        ``en`` or ``ko``, of what the page is told.
    is_read_only
        Whether every change is refused; then nothing is written either.

    Attributes
    ----------
    run, numbers, map, is_read_only
        The run, what computes figures on it and what draws it, and whether changes are refused.
    lock
        Guards everything below.
    language
        Of the page that began last.
    plan, saved_plan
        The plan as edited, and as last saved.
    version, saved_version
        Number of the state, which every change raises, and of the state that was saved last.
    """

    def __init__(self, run: OpenedRun, language: str = "en", *, is_read_only: bool = False) -> None:
        self.run, self.language, self.is_read_only = run, language, is_read_only
        self.lock = threading.RLock()
        self.map = RunMap(run)
        self.numbers, self._lines = LiveNumbers(run), LinkLines(run.study.network)
        self.saved_plan = EditedPlan.of(run.plan)
        self.version, self.saved_version = 0, 0
        self._steps, self._at = [Step(self.saved_plan)], 0
        self._notices: list[tuple[str, dict[str, Any]]] = []
        self._windows: list[queue.Queue[dict[str, Any]]] = []
        with (run.path / PLAN_FILE).open("rb") as stream:
            mark = hashlib.file_digest(stream, "sha256").hexdigest()
        self._file = history_file(run.path, mark, run.plan.network_fingerprint)
        self._follow()
        self._plans = {self.version: self.plan}
        reference = None if run.reference is None else self.numbers.figures(EditedPlan.of(run.reference), with_riders=False)
        self._reference = reference
        self._saved = self.numbers.figures(self.saved_plan, with_riders=False)
        self._now = self.numbers.figures(self.plan, with_riders=True)

    @property
    def plan(self) -> EditedPlan:
        """The plan as it is edited now."""
        return self._steps[self._at].plan

    @property
    def now(self) -> Figures:
        """Figures of the plan as it is edited now, riders among them; true counts."""
        return self._now

    def _follow(self) -> None:
        """Take up the history that an earlier process left."""
        followed_edits = followed(self.run, self._file, self.saved_plan, can_write=not self.is_read_only)
        for plan, past in followed_edits.steps:
            self._steps.append(Step(plan, past))
        self._at, self._notices = followed_edits.at, list(followed_edits.notices)
        self.version, self.saved_version = followed_edits.version, followed_edits.saved_version
        self.saved_plan = followed_edits.saved_plan or self.saved_plan

    def page(self, language: str | None = None) -> PageState:
        """Return what says plans to a reader of a `language`; of the session's by default."""
        chosen = language if language in LANGUAGES else self.language
        return PageState(self.run, self.numbers, self._lines, self._saved, self._reference, chosen)

    def require_writable(self) -> None:
        """
        Refuse a change of a session that is for reading only.

        Raises
        ------
        ReadOnlyError
            If it is.
        """
        if self.is_read_only:
            raise ReadOnlyError(key="refused.read_only")

    def apply(self, edit: object, version: int | None = None) -> None:
        """
        Make an edit, and have it on disk on return.

        Parameters
        ----------
        edit
            What the page sent; see `owlbus.explore.edit_form`.
        version
            Number of the state that it was made on; the present one by default.

        Raises
        ------
        EditError
            If it is no edit, or does not fit the plan; then nothing changes.
        ConflictError
            If it was made on an earlier state, and a route that it is about has changed since.
        """
        self.require_writable()
        checked = checked_edit(edit)
        with self.lock:
            self._require_fits(checked, version)
            after, note = apply_edit(self.run.study.network, self.plan, checked)
            if after == self.plan:
                return
            figures = self.numbers.figures(after, with_riders=True)
            effects = {language: self.page(language).effect(self._now, figures) for language in LANGUAGES}
            line = stamped({"do": "edit", "edit": dict(checked), "effect": effects})
            self._write(line)
            self._steps[self._at + 1 :] = [Step(after, PastEdit(self._at + 1, checked, note, effects, line["time"]))]
            self._at += 1
            self._changed(figures)

    def undo(self) -> None:
        """
        Go back by one edit.

        Raises
        ------
        EditError
            If there is none.
        """
        self._move(-1, "undo")

    def redo(self) -> None:
        """
        Make the edit again that was undone last.

        Raises
        ------
        EditError
            If there is none.
        """
        self._move(1, "redo")

    def _move(self, by: int, do: str) -> None:
        """Move to the plan before or after in the history."""
        self.require_writable()
        with self.lock:
            if not 0 <= self._at + by < len(self._steps):
                raise EditError(key=f"refused.{do}")
            figures = self.numbers.figures(self._steps[self._at + by].plan, with_riders=True)
            self._write(stamped({"do": do}))
            self._at += by
            self._changed(figures)

    def mark_saved(self, out: str) -> None:
        """
        Note that the plan as it is now was saved: changes are told against it from here on.

        Parameters
        ----------
        out
            Where it was written to.

        Raises
        ------
        EditError
            If the history cannot be written.
        """
        self.require_writable()
        with self.lock:
            self._write(stamped({"do": "save", "out": out}))
            self.saved_plan, self._saved = self.plan, self._now
            self._changed(self._now)
            self.saved_version = self.version

    def _write(self, line: Mapping[str, Any]) -> None:
        """Write a line of the history; the change is not made where that fails."""
        try:
            self._file.append(line)
        except ValueError as error:
            raise EditError(key="refused.history", reason=str(error)) from error

    def _changed(self, figures: Figures) -> None:
        """Take up the figures of a changed plan, and tell the windows."""
        self._now = figures
        self.version += 1
        self._plans[self.version] = self.plan
        self.publish({"type": "state", "version": self.version})

    def _require_fits(self, edit: Mapping[str, Any], version: int | None) -> None:
        """Refuse an edit that was made on another state, unless the routes that it is about are still what they were."""
        if version is None or version == self.version:
            return
        was = self._plans.get(version)
        keys = routes_of(edit)
        if was is None or any(was.find(key) is None or was.find(key) != self.plan.find(key) for key in keys):
            raise ConflictError(key="refused.old")

    def preview(self, edit: object, version: int | None = None, language: str | None = None) -> dict[str, Any]:
        """
        Tell what an edit would do, and keep nothing.

        Parameters
        ----------
        edit, version
            As `apply` takes them.
        language
            ``en`` or ``ko``.

        Returns
        -------
        dict
            ``routes`` that it changes, without riders; ``numbers``, ``limits`` and ``hexes`` of the whole plan.

        Raises
        ------
        EditError
            As `apply` does.
        """
        checked = checked_edit(edit)
        with self.lock:
            self._require_fits(checked, version)
            before = self.plan
            after, _ = apply_edit(self.run.study.network, before, checked)
            figures, page, saved = self.numbers.figures(after, with_riders=False), self.page(language), self.saved_plan
        touched = [route.key for route in after.routes if route != before.find(route.key)]
        return {
            "routes": page.route_rows(after, figures, saved, touched),
            "numbers": page.number_rows(figures),
            "limits": limit_rows_of(self.run.study.network, after, figures.measures, self.run.limits, page.language),
            "hexes": page.hex_state(figures),
        }

    def state(self, language: str | None = None) -> dict[str, Any]:
        """
        Return everything that the page shows of the plan; counts are rounded by the publishing rule.

        Parameters
        ----------
        language
            ``en`` or ``ko``; that of the session by default.

        Returns
        -------
        dict
            JSON values; kilometres, minutes, shares 0 to 1.
        """
        with self.lock:
            page, now, first = self.page(language), self._now, max(1, len(self._steps) - _MOST_ROWS)
            return {
                "version": self.version,
                "saved_version": self.saved_version,
                "routes": page.route_rows(self.plan, now, self.saved_plan),
                "numbers": page.number_rows(now),
                "limits": limit_rows_of(self.run.study.network, self.plan, now.measures, self.run.limits, page.language),
                "hexes": page.hex_state(now),
                "districts": page.district_rows(now),
                "history": [self._history_row(k, page.language) for k in range(first, len(self._steps))],
                "history_before": first - 1,
                "can_undo": self._at > 0 and not self.is_read_only,
                "can_redo": self._at + 1 < len(self._steps) and not self.is_read_only,
                "is_saved": self.plan == self.saved_plan,
                "read_only": self.is_read_only,
                "notices": self.notices(page.language),
            }

    def line_of(self, way: Sequence[int]) -> list[int]:
        """Return the line of a `way` of stop indices along its streets, as `owlbus.report.map_data.flat_line` has it."""
        return steps_of(self._lines.along(list(pairwise(way)))[0])

    def _history_row(self, k: int, language: str) -> dict[str, Any]:
        """One edit as the page lists it."""
        past = self._steps[k].past
        assert past is not None  # noqa: S101 - only the first step has none
        return {
            "id": past.number,
            "text": past.text(self.run, language),
            "effect": past.effects.get(language, ""),
            "undone": k > self._at,
            "time": past.time_s,
        }

    def edits_in_words(self, language: str) -> list[str]:
        """Return all edits that are made and not undone, one line each in a `language`, the first one first."""
        with self.lock:
            made = [step.past for step in self._steps[1 : self._at + 1]]
        return [past.text(self.run, language) for past in made if past is not None]

    def notices(self, language: str) -> list[str]:
        """Return what the reader must know of history and run directory, in a `language`."""
        lines = [sentence(language, key, **values) for key, values in self._notices]
        file = self.run.changed_file
        return lines if file is None else [*lines, sentence(language, "notice.changed", file=file)]

    def watch(self) -> queue.Queue[dict[str, Any]]:
        """Return a queue of the events of one more window."""
        window: queue.Queue[dict[str, Any]] = queue.Queue(_MOST_EVENTS)
        with self.lock:
            self._windows.append(window)
        return window

    def leave(self, window: queue.Queue[dict[str, Any]]) -> None:
        """Send no more events to a `window`."""
        with self.lock:
            if window in self._windows:
                self._windows.remove(window)

    @property
    def n_windows(self) -> int:
        """Number of windows that watch."""
        return len(self._windows)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Send an `event`, JSON values with a ``type``, to every window."""
        with self.lock:
            for window in self._windows:
                if window.full():
                    window.get_nowait()
                window.put_nowait(dict(event))

    def close(self) -> None:
        """Tell every window that this is the end, and close the history."""
        self.publish({"type": "end"})
        with self.lock:
            self._file.close()
