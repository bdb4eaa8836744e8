"""Messages of the library for the command line: settings as flags, numbers in the units of the flags."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from typer.models import ArgumentInfo, OptionInfo

from owlbus.common.errors import OwlbusError, Words, say

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterable, Mapping

_PARSED = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "it must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it must be a number"),
)


@dataclass(frozen=True, slots=True)
class Gives:
    """
    Setting of the library that an option sets; it stands beside the option, in ``Annotated``.

    An option also sets the setting of the same name, so this is needed only where names or units differ.

    Attributes
    ----------
    setting
        Name of the Python argument; ``Type.name`` if the name alone is ambiguous.
    per
        Units of the setting per unit of the option.
    unit
        Unit of the option, if it differs and the option's name does not say it.
    word
        Value of the option that switches the setting on, if the option sets several.
    """

    setting: str
    per: float = 1.0
    unit: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """
    Flag that sets a setting.

    Attributes
    ----------
    name
        The flag, with the value that switches the setting on, if there is one.
    per, unit
        As of `Gives`.
    """

    name: str
    per: float = 1.0
    unit: str = ""

    def number(self, number: float) -> str:
        """Return a `number` of the setting in the flag's unit."""
        return Words().number("", number) if self.per == 1 else f"{number / self.per:.10g}"


_FLAGS: dict[str, Flag] = {}
_ARGUMENTS: dict[str, list[str]] = {}


def flags_of(parameters: Iterable[inspect.Parameter]) -> dict[str, Flag]:
    """
    Flags by the settings that the options of a command declare.

    Parameters
    ----------
    parameters
        Parameters of the command, with annotations.

    Returns
    -------
    dict
        Flags by name of the setting.
    """
    flags: dict[str, Flag] = {}
    for parameter in parameters:
        declared = get_args(parameter.annotation)[1:]
        for option in (part for part in declared if isinstance(part, OptionInfo)):
            name = next(str(name) for name in (option.default, *(option.param_decls or ())) if str(name).startswith("--"))
            flags[parameter.name] = Flag(name)
            for gives in (part for part in declared if isinstance(part, Gives)):
                flags[gives.setting] = Flag(f"{name} {gives.word}".rstrip(), gives.per, gives.unit)
    return flags


def declare_flags(command: str, parameters: Iterable[inspect.Parameter]) -> None:
    """
    Register the options and arguments of a command for messages.

    Parameters
    ----------
    command
        Name of the command.
    parameters
        Options and arguments of the command.
    """
    known = list(parameters)
    _FLAGS.update(flags_of(known))
    _ARGUMENTS[command] = [
        parameter.name for parameter in known if any(isinstance(part, ArgumentInfo) for part in get_args(parameter.annotation)[1:])
    ]


class FlagWords(Words):
    """Words of messages on the command line: flags, numbers in their units, and commands to paste."""

    def setting(self, name: str) -> str:
        """Return the flag that gives the setting `name`, or the name if there is none."""
        return _FLAGS[name].name if name in _FLAGS else super().setting(name)

    def choice(self, name: str, value: Any) -> str:  # noqa: ANN401 - what JSON holds
        """Return the flag with its `value`, quoted for a shell."""
        if name not in _FLAGS:
            return super().choice(name, value)
        flag = _FLAGS[name]
        if value is True:
            return flag.name
        values = [f"{key}={part}" for key, part in value.items()] if isinstance(value, dict) else [value]
        return " ".join(f"{flag.name} {_quoted(flag.number(part) if isinstance(part, int | float) else part)}" for part in values)

    def number(self, name: str, number: float) -> str:
        """Return a `number` in the flag's unit."""
        return _FLAGS[name].number(number) if name in _FLAGS else super().number(name, number)

    def span(self, name: str, low: float, high: float) -> str:
        """Return a range in the flag's unit, with the unit if the flag's name does not say it."""
        flag = _FLAGS.get(name, Flag(name))
        return f"{super().span(name, low / flag.per, high / flag.per)} {flag.unit}".rstrip()

    def step(self, call: str, command: str, values: Mapping[str, Any]) -> str:
        """Return the command of a step: arguments in order, then flags, quoted for a shell."""
        del call
        given = [values[name] for name in _ARGUMENTS.get(command, []) if name in values]
        arguments = [_quoted(word) for value in given for word in (value if isinstance(value, list) else [value])]
        options = [self.choice(name, value) for name, value in values.items() if name not in _ARGUMENTS.get(command, [])]
        return " ".join(["owlbus", command, *arguments, *options])


def _quoted(value: object) -> str:
    """Return a word quoted for a shell."""
    return shlex.quote(str(value))


def in_flags(text: str | OwlbusError) -> str:
    """
    Text of the library in the words of the command line.

    Parameters
    ----------
    text
        Text with marks, or an error.

    Returns
    -------
    str
        One line for an error; all lines of a text.
    """
    return text.said(FlagWords()) if isinstance(text, OwlbusError) else say(text, FlagWords())


def plain_parser_text(text: str) -> str:
    """
    Message of the parser in plain words.

    Parameters
    ----------
    text
        Message of the parser about a value.

    Returns
    -------
    str
        One line.
    """
    for words, plain in _PARSED:
        text = text.replace(words, plain)
    return text
