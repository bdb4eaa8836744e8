"""A path that a user types into the page."""

from __future__ import annotations

from pathlib import Path

from owlbus.common.errors import UsageError
from owlbus.common.text import visible

_MOST_LETTERS, _SHOWN = 4_096, 200


def typed_path(text: object, what: str) -> Path:
    """
    Path of a text that a user typed.

    Parameters
    ----------
    text
        What came with a message of the page.
    what
        What it shall be, for the message.

    Returns
    -------
    Path
        With the home folder in place of ``~``; whether there is anything at it is not looked at.

    Raises
    ------
    UsageError
        If it can be no path on this machine.

    Examples
    --------
    >>> typed_path(" runs/first ", "a run").as_posix()
    'runs/first'
    """
    if not isinstance(text, str) or not 0 < len(text.strip()) <= _MOST_LETTERS or "\0" in text:
        msg = f"{what} must be a path, and is none; type one"
        raise UsageError(msg)
    try:
        path = Path(text.strip()).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "there is no such home folder"
        msg = f"{shown_path(text)}: {what} must be a path of this machine ({why}); type another one"
        raise UsageError(msg) from None
    return path


def shown_path(text: object) -> str:
    """Return a path that a user typed as messages show it: one line, not too long, whatever `text` is."""
    return visible(str(text).strip())[:_SHOWN]
