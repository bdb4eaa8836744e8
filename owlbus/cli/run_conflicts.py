"""Flags that an earlier run leaves no room for: they are refused, where defaults of a file or of the environment are passed over."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import fields
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    import typer

_FLAGS: ContextVar[dict[str, str]] = ContextVar("owlbus_flags")
_FREE = {"scheduler"}


def note_flags(context: typer.Context) -> None:
    """
    Keep which options of the command under way were given as flags.

    Parameters
    ----------
    context
        The parser's account of the command.
    """
    names = {param.name or "": next((name for name in param.opts if name.startswith("--")), "") for param in context.command.params}
    _FLAGS.set({name: flag for name, flag in names.items() if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"})


def require_no_files(run: str | None, files: list[str] | None) -> None:
    """
    Refuse records beside an earlier run.

    Parameters
    ----------
    run
        The run directory, or None.
    files
        Records that are named, or None.

    Raises
    ------
    UsageError
        If both are named.
    """
    if run is not None and files:
        msg = f"--run takes demand and network from {run}, so FILES would not be read; leave one of them out"
        raise UsageError(msg)


def require_no_conflicts(run: str) -> None:
    """
    Refuse flags that say how grid, demand or network are made, where all three come from an earlier run.

    Parameters
    ----------
    run
        The run directory.

    Raises
    ------
    UsageError
        If there is such a flag.
    """
    from owlbus.cli.options import AreaOptions, DemandOptions, NetworkOptions

    given = _FLAGS.get({})
    fixed = [given[field.name] for group in (AreaOptions, DemandOptions, NetworkOptions) for field in fields(group) if field.name in given]
    fixed = [flag for flag in fixed if flag.lstrip("-") not in _FREE]
    if fixed:
        those = "it" if len(fixed) == 1 else "them"
        msg = (
            f"{', '.join(fixed)} would not be read: grid, demand and network are those of the run {run}; leave {those} out, or name the "
            f"records instead of the run"
        )
        raise UsageError(msg)
