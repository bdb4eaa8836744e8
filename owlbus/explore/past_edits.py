"""Edits of an earlier process, made again from the history on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import OwlbusError
from owlbus.explore.edit_form import checked_edit
from owlbus.explore.edits import EditNote, apply_edit
from owlbus.explore.explore_words import NamedStop, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.explore.edit_history import HistoryFile
    from owlbus.explore.edited_plan import EditedPlan
    from owlbus.explore.opened_run import OpenedRun


@dataclass(slots=True, eq=False)
class PastEdit:
    """
    An edit that was made.

    Attributes
    ----------
    number
        Its number in the history, from 1.
    edit
        As the page sent it.
    note
        What it did.
    effects
        What it changed of the numbers, in one line a language.
    time_s
        When, seconds since 1970.
    """

    number: int
    edit: Mapping[str, Any]
    note: EditNote
    effects: Mapping[str, str]
    time_s: int
    _texts: dict[str, str] = field(default_factory=dict, repr=False)

    def text(self, run: OpenedRun, language: str) -> str:
        """
        Say what the edit did.

        Parameters
        ----------
        run
            The run, for the names of stops.
        language
            ``en`` or ``ko``.

        Returns
        -------
        str
            One line.
        """
        if language not in self._texts:
            stops = {name: NamedStop(run.study.network, stop) for name, stop in self.note.stops.items()}
            self._texts[language] = sentence(language, self.note.key, **self.note.values, **stops)
        return self._texts[language]


@dataclass(slots=True)
class FollowedEdits:
    """
    The state that a history leads to.

    Attributes
    ----------
    steps
        Plan and edit of each step.
    at
        Steps that are made; the others are undone.
    version, saved_version
        Changes so far, and those before the last save.
    saved_plan
        The plan as last saved, or None.
    notices
        What the reader must know, sentences by key with their values.
    """

    steps: list[tuple[EditedPlan, PastEdit]] = field(default_factory=list)
    at: int = 0
    version: int = 0
    saved_version: int = 0
    saved_plan: EditedPlan | None = None
    notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def followed(run: OpenedRun, file: HistoryFile, base: EditedPlan, *, can_write: bool) -> FollowedEdits:
    """
    Follow the history of a run.

    A last line that is not whole is left out. Edits of another plan, or that no longer fit, are kept in a file beside it.

    Parameters
    ----------
    run
        The run.
    file
        Its history.
    base
        The plan that the history begins with.
    can_write
        Whether the file may be mended.

    Returns
    -------
    FollowedEdits
        Where it leads to.
    """
    found = FollowedEdits()
    lines, is_torn = file.read()
    if is_torn:
        found.notices.append(("notice.torn", {}))
    if lines and {name: lines[0].get(name) for name in file.head} != dict(file.head):
        aside = file.keep_aside().name if can_write else file.path.name
        found.notices = [("notice.other_plan", {"file": aside})]
        return found
    for number, line in enumerate(lines[1:], start=2):
        try:
            _follow_line(run, base, found, line)
        except (OwlbusError, LookupError, TypeError, ValueError) as error:
            aside = file.path.name
            if can_write:
                aside = file.keep_aside().name
                file.write_anew(lines[1 : number - 1])
            found.notices.append(("notice.unfit", {"line": number, "reason": str(error), "file": aside}))
            return found
    if is_torn and can_write:
        file.write_anew(lines[1:])
    return found


def _follow_line(run: OpenedRun, base: EditedPlan, found: FollowedEdits, line: Mapping[str, Any]) -> None:
    """Follow one line of a history."""
    do = line["do"]
    plan = found.steps[found.at - 1][0] if found.at else base
    if do == "edit":
        edit = checked_edit(line["edit"])
        after, note = apply_edit(run.study.network, plan, edit)
        effects = {str(name): str(text) for name, text in line["effect"].items()}
        found.steps[found.at :] = [(after, PastEdit(found.at + 1, edit, note, effects, int(line["time"])))]
        found.at += 1
    elif do == "save":
        found.saved_plan, found.saved_version = plan, found.version + 1
    elif do == "undo" and found.at > 0:
        found.at -= 1
    elif do == "redo" and found.at < len(found.steps):
        found.at += 1
    else:
        msg = f"a line must say edit, undo, redo or save, got {str(do)[:20]!r}"
        raise ValueError(msg)
    found.version += 1
