"""Reference pages of the site, made from the program itself: one for each command, one for each part of the Python interface."""

from __future__ import annotations

import importlib
import pkgutil
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer

import owlbus
from owlbus.cli.app import COMMANDS, make_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_INTERNAL = {"cli", "kernels", "__main__"}
"""Parts whose functions users do not call."""


def write(folder: Path) -> None:
    """
    Write all reference pages; a file whose text is the same is left as it is, so that a second build is quick.

    Parameters
    ----------
    folder
        Folder of the pages; its other files are removed.
    """
    pages = {**dict(_command_pages()), **dict(_python_pages())}
    pages["commands.md"] = _contents("Commands", _about(), [name for name in pages if name.startswith("command_")])
    pages["python.rst"] = _contents_rst("Python interface", [name for name in pages if name.startswith("owlbus")])
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        if file.name not in pages:
            file.unlink()
    for name, text in pages.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _about() -> str:
    """Text above the list of commands: what holds for all of them."""
    return "\n\n".join(_plain(part) for part in (_program().help or "", _program().epilog or "") if part)


def _program() -> Any:  # noqa: ANN401 - the parser's own type is private
    """Parser of the program."""
    return typer.main.get_command(make_app())


def _command_pages() -> Iterable[tuple[str, str]]:
    """Yield name and text of the page of each command."""
    program = _program()
    for function, summary in COMMANDS:
        command = program.commands[function.__name__]
        example, _, text = command.help.partition("\n\n")
        context = command.make_context(command.name, [], resilient_parsing=True)
        usage = " ".join(command.collect_usage_pieces(context))
        lines = [
            f"# owlbus {command.name}",
            summary,
            f"```sh\n{_plain(example)}\n```",
            _plain(text),
            f"Usage: `owlbus {command.name} {usage}`",
        ]
        shown = [param for param in command.params if not getattr(param, "hidden", False)]
        for panel in dict.fromkeys(param.rich_help_panel for param in shown):
            rows = [param.get_help_record(context) for param in shown if param.rich_help_panel == panel]
            table = "\n".join(["| option | what it does |", "|---|---|", *map(_row, rows)])
            lines += [f"## {panel or 'Arguments and options'}", f":::{{table}}\n:class: options\n\n{table}\n:::"]
        yield f"command_{command.name}.md", "\n\n".join(lines) + "\n"


def _row(record: tuple[str, str]) -> str:
    """Row of a table of options."""
    name, text = (re.sub(r" <[\w\[\]]+>$| +(?= )", "", _plain(part)).replace("|", "\\|") for part in record)
    return f"| `{name}` | {_coded(text)} |"


def _coded(text: str) -> str:
    """Text with its options set as code, and with signs of Markdown as they are."""
    return re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", re.sub(r"([<>*_\[\]])", r"\\\1", text))


def _plain(text: str) -> str:
    """Text without the marks of the terminal."""
    return re.sub(r"\[/?bold\]", "", text).strip()


def _python_pages() -> Iterable[tuple[str, str]]:
    """Yield name and text of the page of each part of the package: first the names that owlbus itself has, then those of the part."""
    rooms = sorted({module.name for module in pkgutil.iter_modules(owlbus.__path__)} - _INTERNAL)
    public = sorted((name for name in owlbus.__all__ if callable(getattr(owlbus, name))), key=_room)
    homes = {room: list(names) for room, names in groupby(public, key=_room)}
    for room in rooms:
        module = importlib.import_module(f"owlbus.{room}")
        named = sorted(homes.get(room, []))
        own = [name for name in getattr(module, "__all__", ()) if name not in named and callable(getattr(module, name))]
        if not named and not own:
            continue
        title = f"owlbus.{room}"
        parts = [f"{title}\n{'=' * len(title)}", f".. automodule:: owlbus.{room}\n   :no-index:"]
        parts += [_entry(f"owlbus.{name}", getattr(owlbus, name)) for name in named]
        parts += [_entry(f"owlbus.{room}.{name}", getattr(module, name)) for name in own]
        yield f"owlbus.{room}.rst", "\n\n".join(parts) + "\n"


def _room(name: str) -> str:
    """Part of the package that a public name comes from."""
    return str(getattr(owlbus, name).__module__).split(".")[1]


def _entry(path: str, value: object) -> str:
    """Directive that documents a name."""
    is_class = isinstance(value, type)
    kind = "exception" if is_class and issubclass(value, BaseException) else "class" if is_class else "function"
    return f"{path}\n{'-' * len(path)}\n\n.. auto{kind}:: {path}" + ("\n   :members:" if is_class else "")


def _contents(title: str, text: str, names: list[str]) -> str:
    """Page that lists other pages, in Markdown."""
    listed = "\n".join(name.rpartition(".")[0] for name in names)
    return f"# {title}\n\n{_coded(text)}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def _contents_rst(title: str, names: list[str]) -> str:
    """Page that lists the parts of the package."""
    listed = "\n   ".join(name.rpartition(".")[0] for name in names)
    text = "Names that stand on ``owlbus`` itself come first on each page; most work needs no others."
    return f"{title}\n{'=' * len(title)}\n\n{text}\n\n.. toctree::\n   :maxdepth: 1\n\n   {listed}\n"
