"""Addresses of what goes into files and comes from them: comments, answers, saved runs, exports and the shared report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.explore.answers import AnswerDesk, answers_page
from owlbus.explore.comment_store import write_for_owner
from owlbus.explore.edit_history import EXPLORE_DIR
from owlbus.explore.handler_table import Document, Handler
from owlbus.explore.help_desk import HelpDesk
from owlbus.explore.help_words import help_text
from owlbus.explore.plan_downloads import plan_download, shared_report
from owlbus.explore.save_edit import SavedPlan, folder_to_save, save_edited

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus.explore.explore_session import ExploreSession

ANSWERS_FILE = "answers.html"

_FILES = {"geojson": ("application/geo+json", "comments.geojson"), "csv": ("text/csv; charset=utf-8", "comments.csv")}
_TOLD_ROWS = 3


def _comments(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Return the comments that are kept."""
    return {"comments": HelpDesk.of(session).comments.to_list(message["lang"])}


def _change_comments(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Add or drop a comment, or read a file of them."""
    desk, language, told = HelpDesk.of(session), message["lang"], dict[str, Any]()
    plan, asked = desk.in_hand().plan, [name for name in ("add", "remove", "import") if message.get(name) is not None]
    if len(asked) != 1:
        msg = "one of add, remove and import must say what to do with comments, got " + (", ".join(asked) or "none")
        raise UsageError(msg)
    value = message[asked[0]]
    if asked == ["remove"]:
        desk.comments.remove(str(value))
    elif not isinstance(value, dict):
        msg = f"{asked[0]} must be an object, got {type(value).__name__}; see the page for its members"
        raise UsageError(msg)
    elif asked == ["add"]:
        told = {"id": desk.comments.add(plan, value).key}
    else:
        told = desk.comments.read_file(plan, str(value.get("text", "")), str(value.get("format", "")))
        told["text"] = _told(told, language)
    return {**told, "comments": desk.comments.to_list(language)}


def _told(told: dict[str, Any], language: str) -> str:
    """Say what became of the rows of a file."""
    text = help_text(language, "comments.read", added=told["added"], known=told["known"])
    rows = [f"{row['row']}: {row['why']}" for row in told["left_out"]]
    if rows:
        shown = "; ".join(rows[:_TOLD_ROWS]) + ("; ..." if len(rows) > _TOLD_ROWS else "")
        text += " " + help_text(language, "comments.left", n=len(rows), rows=shown)
    return text


def _export_comments(session: ExploreSession, message: dict[str, Any]) -> Document:
    """Comments as a file."""
    form = str(message.get("format", "geojson"))
    content = HelpDesk.of(session).comments.export(form)
    return Document(content, *_FILES[form])


def _answers(session: ExploreSession, message: dict[str, Any]) -> Document:
    """Page that answers every comment; it is written into the run too, unless that may not be changed."""
    desk, run, language = HelpDesk.of(session), session.run, message["lang"]
    plan = desk.in_hand().plan
    answering = AnswerDesk(run, plan, desk.names(language), desk.explain_limits, desk.decided(plan, language))
    page = answers_page(answering, desk.comments.kept).encode()
    if not session.is_read_only:
        write_for_owner(run.path / EXPLORE_DIR / ANSWERS_FILE, page)
    return Document(page, "text/html; charset=utf-8", ANSWERS_FILE)


def _save(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Write the plan in hand as a run directory of its own, with the comments for its owner."""
    desk, run, language = HelpDesk.of(session), session.run, message["lang"]
    out = folder_to_save(run, message.get("out"))
    with desk.lock:
        with session.lock:
            hand, edits = desk.in_hand(), session.edits_in_words(language)
        save_edited(run, SavedPlan(hand.plan, edits), out, language)
        note = _copied(desk, out)
        with session.lock:
            if session.version == hand.version:
                session.mark_saved(str(out))
    return {"path": str(out), "note": note, "state": session.state(language)}


def _copied(desk: HelpDesk, out: Path) -> str:
    """Copy the comments into a saved run; return why they could not be copied, if so."""
    try:
        desk.comments.copy_to(out / EXPLORE_DIR)
    except DataError as error:  # the plan is saved all the same
        return str(error)
    return ""


def _export(session: ExploreSession, message: dict[str, Any]) -> Document:
    """Return the plan in hand as a file."""
    return plan_download(session.run, HelpDesk.of(session).in_hand().plan, message.get("format"))


def _share(session: ExploreSession, message: dict[str, Any]) -> Document:
    """One report with the edited and the opened plan."""
    language = message["lang"]
    with session.lock:
        plan, edits = HelpDesk.of(session).in_hand().plan, session.edits_in_words(language)
    return shared_report(session.run, plan, len(edits), language)


FILE_HANDLERS: dict[str, Handler] = {
    "/api/comments": Handler(_comments, "GET"),
    "POST /api/comments": Handler(_change_comments, is_change=True),
    "/api/comments/export": Handler(_export_comments, "GET"),
    "/api/answers": Handler(_answers),
    "/api/save": Handler(_save, is_change=True),
    "/api/export": Handler(_export),
    "/api/share": Handler(_share),
}
"""Handlers by address, such as ``/api/save``; after ``POST`` and a space where both methods have one."""
