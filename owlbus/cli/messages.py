"""Messages of the library in the words of the command line: settings as the flags that give them, numbers in the flags' units."""

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
    Setting of the library that an option gives; it stands beside the option, in ``Annotated``.

    An option also gives the setting of its own name, so this is needed only where names or units differ.

    Attributes
    ----------
    setting
        Name of the Python argument, after the type that has it and a dot where the name alone is ambiguous.
    per
        How many of the setting's unit make one of the option's.
    unit
        The option's unit, where it is another one and the option's name does not say it.
    word
        What the option must read to switch the setting on, if it is one of several that the option gives.
    """

    setting: str
    per: float = 1.0
    unit: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """
    Flag that gives a setting.

    Attributes
    ----------
    name
        The flag, with the word that switches the setting on where there is one.
    per, unit
        As of `Gives`.
    """

    name: str
    per: float = 1.0
    unit: str = ""

    def number(self, number: float) -> str:
        """Return a `number` of the setting's unit in the flag's own."""
        return Words().number("", number) if self.per == 1 else f"{number / self.per:.10g}"


_FLAGS: dict[str, Flag] = {}
_ARGUMENTS: dict[str, list[str]] = {}


def flags_of(parameters: Iterable[inspect.Parameter]) -> dict[str, Flag]:
    """
    Flag by setting, as the options of a command declare them.

    Parameters
    ----------
    parameters
        Of the command, with their annotations.

    Returns
    -------
    dict
        By the name of each setting.
    """
    flags: dict[str, Flag] = {}
    for parameter in parameters:
        declared = get_args(parameter.annotation)[1:]
        for option in (part for part in declared if isinstance(part, OptionInfo)):
            name = next(str(name) for name in (option.default, *(option.param_decls or ())) if str(name).startswith("--"))
            flags[parameter.name] = Flag(name)
            for given in (part for part in declared if isinstance(part, Gives)):
                flags[given.setting] = Flag(f"{name} {given.word}".rstrip(), given.per, given.unit)
    return flags


def declare_flags(command: str, parameters: Iterable[inspect.Parameter]) -> None:
    """
    Take in what a command declares, for messages to name it.

    Parameters
    ----------
    command
        Its name.
    parameters
        Its options and arguments.
    """
    known = list(parameters)
    _FLAGS.update(flags_of(known))
    _ARGUMENTS[command] = [one.name for one in known if any(isinstance(part, ArgumentInfo) for part in get_args(one.annotation)[1:])]


class FlagWords(Words):
    """How the command line says what a message marks: flags, in their own units, and commands that can be pasted."""

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
        given = [f"{key}={part}" for key, part in value.items()] if isinstance(value, dict) else [value]
        return " ".join(f"{flag.name} {_quoted(flag.number(one) if isinstance(one, int | float) else one)}" for one in given)

    def number(self, name: str, number: float) -> str:
        """Return a `number` in the flag's unit."""
        return _FLAGS[name].number(number) if name in _FLAGS else super().number(name, number)

    def span(self, name: str, low: float, high: float) -> str:
        """Return a range in the flag's unit, which is said if the flag's name does not."""
        flag = _FLAGS.get(name, Flag(name))
        return f"{super().span(name, low / flag.per, high / flag.per)} {flag.unit}".rstrip()

    def step(self, call: str, command: str, given: Mapping[str, Any]) -> str:
        """Return the command that takes a step, with its arguments in order and then its flags."""
        del call
        arguments = [_quoted(given[name]) for name in _ARGUMENTS.get(command, []) if name in given]
        options = [self.choice(name, value) for name, value in given.items() if name not in _ARGUMENTS.get(command, [])]
        return " ".join(["owlbus", command, *arguments, *options])


def _quoted(value: object) -> str:
    """Return a word that a shell takes as it is."""
    return shlex.quote(str(value))


def in_flags(text: str | OwlbusError) -> str:
    """
    Text of the library as the command line says it.

    Parameters
    ----------
    text
        Text with marks, or an error.

    Returns
    -------
    str
        One line of an error; of a text as many as it has.
    """
    return text.said(FlagWords()) if isinstance(text, OwlbusError) else say(text, FlagWords())


def plain_parser_text(text: str) -> str:
    """
    Complaint of the parser in plain words.

    Parameters
    ----------
    text
        What the parser says of a value.

    Returns
    -------
    str
        One line.
    """
    for words, plain in _PARSED:
        text = text.replace(words, plain)
    return text
