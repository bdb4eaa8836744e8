"""Errors that owlbus raises on purpose, each with the exit code the command line ends with."""

from __future__ import annotations

_MOST_SIGNS, _HEAD_SIGNS = 900, 600
"""Signs of a message at most, and of its beginning where the middle is left out."""


def one_line(text: str) -> str:
    r"""
    Text as one line that a terminal can show: ends of lines as blanks, signs that steer terminals as escapes, the middle left out if long.

    Parameters
    ----------
    text
        Anything, parts of foreign files included.

    Returns
    -------
    str
        At most 900 signs; the beginning and the end stay, since the end tells the way out.

    Examples
    --------
    >>> one_line("no column \x1b[31mlon\n in the file")
    'no column \\x1b[31mlon  in the file'
    """
    signs = (sign if sign.isprintable() else " " if sign in "\r\n\t" else repr(sign)[1:-1] for sign in text.strip())
    line = "".join(signs)
    if len(line) <= _MOST_SIGNS:
        return line
    return f"{line[:_HEAD_SIGNS]} … {line[_HEAD_SIGNS - _MOST_SIGNS + 3 :]}"


class OwlbusError(Exception):
    """
    Base of every error that owlbus raises on purpose.

    The message is one line: rule, value, place, extent and way out.

    Attributes
    ----------
    exit_code
        What the command line returns when this error ends it.
    """

    exit_code: int = 70

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class FindingError(OwlbusError):
    """A gate was missed or a plan breaks a limit: the run is valid, its result is not good enough."""

    exit_code = 1


class UsageError(OwlbusError, ValueError):
    """An argument or an option lies outside what it may be."""

    exit_code = 2


class DataError(OwlbusError, ValueError):
    """Input that breaks a stated rule."""

    exit_code = 3


class InfeasibleError(OwlbusError):
    """No plan keeps the limits that were asked for."""

    exit_code = 4


class PrivacyError(OwlbusError):
    """What was asked for would show a count that must stay hidden."""

    exit_code = 5
