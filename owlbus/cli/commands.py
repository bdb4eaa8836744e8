"""Commands from functions: the options of groups for the parser, and the names of flags for messages."""

from __future__ import annotations

import functools
import inspect
import math
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from owlbus.cli.messages import declare_flags
from owlbus.cli.option_values import note_flags
from owlbus.cli.output import begin_command
from owlbus.cli.process import report_interruption
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 1e12
"""Largest size of any number on the command line; every option has a smaller range of its own, in its unit."""

_NO_LIMIT = frozenset({"max_pair_circuity"})
"""Options that take ``inf`` for no limit."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """
    Make a command of single options from a function that takes groups of options.

    The help page shows options in the order of the function's arguments: its own first, then the shared groups.

    Parameters
    ----------
    command
        Function whose arguments may be dataclasses of options.

    Returns
    -------
    callable
        The function with one keyword per option.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))
            continue
        groups[name] = kind
        spread = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=spread[field.name])
            for field in fields(kind)
        ]

    @functools.wraps(command)
    def gathered(context: typer.Context, **values: object) -> None:
        _begin(context, command.__name__, values)
        filled_groups = {name: kind(**{field.name: values.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()}
        with report_interruption():
            command(**filled_groups, **values)

    spread_out: Any = gathered
    del spread_out.__wrapped__  # or the parser would read the inner signature
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    spread_out.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)  # the terminal breaks lines at its own width
    spread_out.__signature__ = inspect.Signature(parameters)
    declare_flags(command.__name__, parameters)
    spread_out.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    whole: Callable[..., None] = spread_out
    return whole


def _begin(context: typer.Context, name: str, values: Mapping[str, object]) -> None:
    """Note the command that runs with its flags, and check its numbers."""
    note_flags(context)
    begin_command(name, values.get("objective"))
    _require_finite(context, values)


def _require_finite(context: typer.Context, values: Mapping[str, object]) -> None:
    """Refuse values of options that are infinite, NaN, or too large to convert to other units, wherever they were given."""
    for param in context.command.params:
        value = values.get(param.name or "")
        if isinstance(value, float) and not abs(value) <= _LARGEST and (param.name not in _NO_LIMIT or value != math.inf):
            flag = next((name for name in param.opts if name.startswith("--")), param.name)
            msg = f"{flag} must be a number from {-_LARGEST:g} to {_LARGEST:g}, got {value:g}"
            raise UsageError(msg)
