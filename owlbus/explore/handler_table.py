"""What a handler of the page's messages is, and what it may answer with beside JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.explore.explore_session import ExploreSession


@dataclass(frozen=True, slots=True)
class Document:
    """
    An answer that is no JSON.

    Attributes
    ----------
    content
        Its bytes.
    kind
        Media type, such as ``text/html; charset=utf-8``.
    file_name
        Name under which the browser keeps it as a download; None shows it.
    """

    content: bytes
    kind: str
    file_name: str | None = None


@dataclass(frozen=True, slots=True)
class Handler:
    """
    What answers one address.

    Attributes
    ----------
    answer
        Takes the session and the message, whose member ``lang`` is always ``en`` or ``ko``; returns JSON values or a document. It raises an
        `OwlbusError` of one line for a message that it refuses, and takes the session's lock itself where it reads the plan.
    method
        ``POST`` with a JSON object, or ``GET`` with the members of the query.
    is_change
        Whether a session for reading only refuses it.
    """

    answer: Callable[[ExploreSession, dict[str, Any]], dict[str, Any] | Document]
    method: str = "POST"
    is_change: bool = False
