"""
The list of what is compiled ahead: `owlbus/kernels/signatures.txt`, one kernel with its argument types a line.

``.ci/run kernels`` writes it from what the commands and the tests compile. A kernel that is missing there is compiled when it is called.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.kernel_types import types_from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIST = Path(__file__).resolve().parent.parent / "kernels" / "signatures.txt"

_HEAD = "# Kernels with the commands that call them and their argument types, written by `.ci/run kernels`.\n"
_STRUCT = re.compile(r"[\w.]+\([^()]*\)")
_ALIAS = re.compile(r"[\w.]+#\w+")


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """
    A kernel for certain argument types.

    Attributes
    ----------
    name
        Module and function, such as ``anneal.anneal``.
    types
        Argument types as text (`owlbus.common.kernel_types`).
    commands
        Commands that compile it; empty for tests alone.
    """

    name: str
    types: str
    commands: frozenset[str] = frozenset()

    def kernel(self) -> Any:  # noqa: ANN401 - a dispatcher of numba
        """
        Return the kernel.

        Returns
        -------
        numba.core.dispatcher.Dispatcher
            The kernel.

        Raises
        ------
        ValueError
            If there is no such kernel.
        """
        module, _, function = self.name.partition(".")
        try:
            return getattr(importlib.import_module(f"owlbus.kernels.{module}"), function)
        except (ImportError, AttributeError) as error:
            msg = f"kernels must exist, got {self.name}; write the list again"
            raise ValueError(msg) from error

    def signature(self) -> tuple[Any, ...]:
        """
        Return the argument types.

        Returns
        -------
        tuple
            Types of numba.

        Raises
        ------
        ValueError
            If the text is no list of types.
        """
        return types_from_text(self.types)


def read_list(file: Path = LIST) -> list[KernelEntry]:
    """
    Read the list.

    Parameters
    ----------
    file
        The list.

    Returns
    -------
    list of KernelEntry
        Kernels in alphabetical order; none if there is no list.
    """
    if not file.exists():
        return []
    structs, entries = {}, []
    for line in file.read_text("utf-8").splitlines():
        name, *parts = line.split(" | ")
        if len(parts) == 1:
            structs[name] = parts[0]
        elif parts:
            entries.append(KernelEntry(name, _in_full(parts[1], structs), frozenset(parts[0].replace("-", "").split())))
    return entries


def write_list(entries: Iterable[KernelEntry], file: Path = LIST) -> None:
    """
    Write the list; structs get a name by their fields, so that two lists can be merged line by line.

    Parameters
    ----------
    entries
        Kernels; commands of two entries that are else equal are joined.
    file
        The list.
    """
    commands: dict[tuple[str, str], frozenset[str]] = {}
    for entry in entries:
        key = entry.name, entry.types
        commands[key] = commands.get(key, frozenset()) | entry.commands
    structs: dict[str, str] = {}
    lines = [
        f"{name} | {' '.join(sorted(found)) or '-'} | {_shortened(types, structs)}\n" for (name, types), found in sorted(commands.items())
    ]
    file.write_text("".join([_HEAD, *(f"{name} | {text}\n" for name, text in sorted(structs.items())), *lines]), "utf-8")


def _shortened(types: str, structs: dict[str, str]) -> str:
    """Return types with a name for each struct, added to `structs`."""

    def named(match: re.Match[str]) -> str:
        name = f"{match[0].partition('(')[0]}#{hashlib.sha256(match[0].encode()).hexdigest()[:6]}"
        structs[name] = match[0]
        return name

    while (shorter := _STRUCT.sub(named, types)) != types:
        types = shorter
    return types


def _in_full(types: str, structs: Mapping[str, str]) -> str:
    """Return types with the fields of each struct."""
    while (longer := _ALIAS.sub(lambda match: structs.get(match[0], match[0].replace("#", "_unknown_")), types)) != types:
        types = longer
    return types
