"""
What each address of the page answers.

`HANDLERS` is the table that the server looks addresses up in; those of the help beside the map come from `owlbus.explore.help_handlers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.explore.explore_words import EditError
from owlbus.explore.handler_table import Handler
from owlbus.explore.help_handlers import HELP_HANDLERS
from owlbus.explore.start_page import start_document
from owlbus.explore.ways import alternative_ways, way_measures

if TYPE_CHECKING:
    from owlbus.explore.explore_session import ExploreSession


def _start(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page needs to begin."""
    session.language = message["lang"]
    return start_document(session, message["lang"])


def _state(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Return the plan as it is edited now."""
    return session.state(message["lang"])


def _edit(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Make an edit."""
    session.apply(message.get("edit"), _version(message))
    return session.state(message["lang"])


def _preview(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Tell what an edit would do, or why it is refused: while a stop is dragged that is an answer like any other, no failure."""
    try:
        return session.preview(message.get("edit"), _version(message), message["lang"])
    except EditError as error:
        if not error.key.startswith("refused."):
            raise
        return {"refused": error.text(message["lang"])}


def _undo(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Go back by one edit."""
    session.undo()
    return session.state(message["lang"])


def _redo(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Make an edit again."""
    session.redo()
    return session.state(message["lang"])


def _ways(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Ways between two stops, the fastest first."""
    network = session.run.study.network
    start, end = _stop(session, message.get("from")), _stop(session, message.get("to"))
    if start == end:
        raise EditError(key="form.stop_pair")
    ways = alternative_ways(network, start, end)
    return {"ways": [{"stops": list(way), "line": session.line_of(way), **way_measures(network, way)} for way in ways]}


def _version(message: dict[str, Any]) -> int | None:
    """Number of the state that a message was made on; None for the present one."""
    version = message.get("version")
    if version is None or (isinstance(version, int) and not isinstance(version, bool)):
        return version
    raise EditError(key="form.version")


def _stop(session: ExploreSession, value: object) -> int:
    """Return the index of a stop of the network."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < session.run.study.network.n_stops:
        raise EditError(key="form.stop_pair")
    return value


HANDLERS: dict[str, Handler] = {
    "/api/start": Handler(_start, "GET"),
    "/api/state": Handler(_state, "GET"),
    "/api/edit": Handler(_edit, is_change=True),
    "/api/preview": Handler(_preview),
    "/api/undo": Handler(_undo, is_change=True),
    "/api/redo": Handler(_redo, is_change=True),
    "/api/ways": Handler(_ways),
    **HELP_HANDLERS,
}
"""Handlers by address. The server itself answers ``/``, ``/assets/…``, ``/api/events``, ``/api/link`` and ``/api/quit``."""
