"""Errors that owlbus raises on purpose, each with the exit code the command line ends with."""

from __future__ import annotations

from owlbus.common.text import one_line


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
