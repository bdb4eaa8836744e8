"""Defaults from `owlbus.toml`; flags and the environment take precedence."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.cli.renamed import present_name
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_FILE = "owlbus.toml"


def read_config(args: Sequence[str], command: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - the parser's own type is private
    """
    Read defaults for every command from the configuration file.

    The file is that of ``--config`` or ``OWLBUS_CONFIG``, else ``owlbus.toml`` in the working directory, if it exists. Keys are option
    names without dashes in front; keys at the top apply to every command with the option, those of a table ``[plan]`` to that command only.
    Options that take NAME=VALUE can be a table: ``map = { lon = "x" }``.

    Parameters
    ----------
    args
        Words after the program's name.
    command
        The parser with its commands.

    Returns
    -------
    dict
        Values by parameter, by command.

    Raises
    ------
    UsageError
        If the file cannot be read, or names an option that no command has.
    """
    file = _config_file(args)
    if file is None:
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); name another file with --config"
        raise UsageError(msg) from None
    except (ValueError, RecursionError) as error:  # broken TOML or UTF-8, or numbers and lists that exceed the parser
        msg = f"{file}: is no valid TOML ({error})"
        raise UsageError(msg) from None
    known = {name: _options(sub) for name, sub in command.commands.items()}
    every_option = {key for options in known.values() for key in options}
    tables = {name: table for name, table in content.items() if isinstance(table, dict) and (name in known or name not in every_option)}
    everywhere = {key: value for key, value in content.items() if key not in tables}
    for key in everywhere:
        _require(file, key, every_option)
    defaults = {
        name: {options[key]: _text(value) for key, value in everywhere.items() if key in options} for name, options in known.items()
    }
    for name, table in tables.items():
        _require(file, f"[{name}]", {f"[{command}]" for command in known})
        for key, value in table.items():
            _require(file, key, set(known[name]))
            defaults[name][known[name][key]] = _text(value)
    return defaults


def _config_file(args: Sequence[str]) -> Path | None:
    """Return the configuration file that is named, or the one at hand, or none."""
    for index, word in enumerate(args):
        if word == "--config" and index + 1 < len(args):
            return Path(args[index + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    variable = os.environ.get("OWLBUS_CONFIG")
    if variable:
        return Path(variable)
    local = Path(CONFIG_FILE)
    return local if local.is_file() else None


def _options(command: Any) -> dict[str, str]:  # noqa: ANN401 - the parser's own type is private
    """Return parameters of a command by their option names, without dashes in front."""
    return {name.lstrip("-"): param.name for param in command.params for name in param.opts if name.startswith("--")}


def _require(file: Path, key: str, known: set[str]) -> None:
    """Refuse a key that no command has, and name the most similar one."""
    if key not in known:
        near = difflib.get_close_matches(key, sorted(known), n=1)
        present = present_name(key)
        hint = f"it is now {present}" if present else f"did you mean {near[0]}?" if near else "see owlbus COMMAND --help"
        msg = f"{file}: no option is called {key}; {hint}"
        raise UsageError(msg)


def _text(value: Any) -> Any:  # noqa: ANN401 - TOML holds many types
    """Return a value as words of a command line; tables become NAME=VALUE."""
    if isinstance(value, dict):
        return [f"{name}={item}" for name, item in value.items()]
    if isinstance(value, list):
        return [_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)  # the parser then checks it as a word
