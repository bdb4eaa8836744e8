"""
Errors that owlbus raises on purpose.

Each has the exit code of the command line and the setting it is about. A message marks the settings that it names: Python says the name of
the argument, the command line its flag, by `Words` of its own.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from owlbus.common.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Ends of a mark: noncharacters, which Unicode leaves to programs and which no terminal shows."""

_MARK = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")

_KINDS = ("setting", "choice", "number", "span", "step")


class Words:
    """How Python says what a message marks. Other surfaces have subclasses that say it in their own words and units."""

    def setting(self, name: str) -> str:
        """Return what the setting `name` is called; what stands before a dot is the type that has it."""
        return name

    def choice(self, name: str, value: Any) -> str:  # noqa: ANN401 - what JSON holds
        """Return how the setting `name` is given a `value`."""
        return f"{name}={value!r}"

    def number(self, name: str, number: float) -> str:
        """Return a `number` of the setting `name`, given in the unit of that setting."""
        del name
        return f"{number}" if isinstance(number, int) else f"{number:g}"  # a whole number may have any number of digits

    def span(self, name: str, low: float, high: float) -> str:
        """Return the range of the setting `name`, both ends in the unit of that setting."""
        del name
        return f"[{low:g}, {high:g}]"

    def step(self, call: str, command: str, values: Mapping[str, Any]) -> str:
        """Return how to take a step: the Python `call`, or the `command` of the same purpose with `values` of its settings."""
        del command, values
        return call


def setting(name: str, *value: object) -> str:
    """
    Mark a setting in a message, alone or with the value to give it.

    Parameters
    ----------
    name
        Name of the Python argument, after the type that has it and a dot where the name alone is ambiguous.
    *value
        Nothing, or the value.

    Returns
    -------
    str
        To be put into the message of an `OwlbusError`.

    Examples
    --------
    >>> str(UsageError(f"no area is given; add {setting('area')} or {setting('city', 'seoul')}"))
    "no area is given; add area or city='seoul'"
    """
    return _mark("choice", name, *value) if value else _mark("setting", name)


def number_of(name: str, number: float) -> str:
    """Mark a `number` in the unit of the setting `name`, which a surface may show in another one."""
    return _mark("number", name, number)


def span_of(name: str, low: float, high: float) -> str:
    """Mark the range from `low` to `high` of the setting `name`, in its unit."""
    return _mark("span", name, low, high)


def step(call: str, command: str, **given: object) -> str:
    """
    Mark a step that is the way out.

    Parameters
    ----------
    call
        What does it in Python, such as ``owlbus.plan_routes``.
    command
        Command of the same purpose, without the name of the program.
    **given
        Settings and arguments of the command to show with it.

    Returns
    -------
    str
        To be put into the message of an `OwlbusError`.
    """
    return _mark("step", call, command, given)


def _mark(*parts: object) -> str:
    """Return a mark: kind and arguments as JSON in ASCII, which holds no end of a mark."""
    return f"{_OPEN}{json.dumps(parts, default=_plain)}{_CLOSE}"


def _plain(value: Any) -> object:  # noqa: ANN401 - anything that JSON does not know
    """Return a number of numpy as Python's, everything else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def say(text: str, words: Words) -> str:
    """
    Text with its marks said by a surface.

    Parameters
    ----------
    text
        Text that may hold marks.
    words
        How the surface says them.

    Returns
    -------
    str
        Text without marks; what only looks like one stays as it is.

    Examples
    --------
    >>> say(f"{setting('walk_m')} is missing", Words())
    'walk_m is missing'
    """

    def said(found: re.Match[str]) -> str:
        try:
            kind, *parts = json.loads(found[1])
            return str(getattr(words, kind)(*parts)) if kind in _KINDS else found[0]
        except (ValueError, TypeError):
            return found[0]

    return _MARK.sub(said, text)


class OwlbusError(Exception):
    """
    Base of every error that owlbus raises on purpose.

    The message is one line: rule, value, location, extent and remedy.

    Parameters
    ----------
    message
        Text with marks of `setting`, `number_of`, `span_of` and `step`.
    setting
        Name of the Python argument that the error is about, if it is about one.
    value
        What it was given.
    allowed
        What it may be: both ends of a range in the argument's own unit, or the choices.

    Attributes
    ----------
    exit_code
        Exit code of the command line.
    template
        The message with its marks, for another message to hold.
    """

    exit_code: int = 70

    def __init__(
        self, message: str = "", *, setting: str | None = None, value: object = None, allowed: Sequence[object] | None = None
    ) -> None:
        self.template, self.setting, self.value, self.allowed = message, setting, value, allowed
        super().__init__(self.said(Words()))

    def said(self, words: Words) -> str:
        """Return the message in one line as a surface says it, by its `words`."""
        return one_line(say(self.template, words))


class FindingError(OwlbusError):
    """A valid run whose result misses a threshold or breaks a limit."""

    exit_code = 1


class UsageError(OwlbusError, ValueError):
    """An argument or option with an invalid value."""

    exit_code = 2


class DataError(OwlbusError, ValueError):
    """Input that breaks a stated rule."""

    exit_code = 3


class InfeasibleError(OwlbusError):
    """No plan satisfies the limits and constraints."""

    exit_code = 4


class PrivacyError(OwlbusError):
    """The requested output would reveal a protected count."""

    exit_code = 5
