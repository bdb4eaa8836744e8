"""Errors that owlbus raises on purpose, each with its exit code."""

from __future__ import annotations

from owlbus.common.text import one_line


class OwlbusError(Exception):
    """
    Base of every error that owlbus raises on purpose.

    The message is one line: rule, value, location, extent and remedy.

    Attributes
    ----------
    exit_code
        Exit code of the command line.
    """

    exit_code: int = 70

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


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
