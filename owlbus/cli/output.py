"""Output of commands: results on standard output, everything else on standard error."""

from __future__ import annotations

import shutil
import sys
import textwrap
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from owlbus.cli.first_run import compile_beside
from owlbus.cli.streams import printing, write_json
from owlbus.common.progress import show_progress
from owlbus.common.text import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from owlbus.cli.options import OutputOptions

_TRACEBACK_FROM = 2
_VERBOSITY: ContextVar[int] = ContextVar("owlbus_verbosity", default=0)
_COMMANDS: ContextVar[frozenset[str]] = ContextVar("owlbus_commands", default=frozenset())
_CURRENT: ContextVar[Output | None] = ContextVar("owlbus_output", default=None)

SCHEMA_VERSION = 3
"""Version of the `--json` documents; it is raised when a field is removed or changes its meaning."""


class Output:
    """
    Output of one command.

    Parameters
    ----------
    options
        How much to print, and in which form.
    """

    __slots__ = ("_options", "matches")

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self.matches: dict[str, Mapping[str, Any]] = {}

    def say(self, text: str) -> None:
        """Print `text` on standard error, unless ``--quiet`` is set."""
        if not self._options.quiet:
            _print(text)

    def detail(self, text: str) -> None:
        """Print `text` on standard error, if ``--verbose`` is set."""
        if self._options.verbose:
            _print(text)

    def show(self, document: Mapping[str, Any], *pages: RenderableType) -> None:
        """Print the result on standard output: `document` with ``--json``, else `pages`."""
        with printing():
            if self._options.json:
                from owlbus.pipeline.rundir import to_json_bytes

                matching = {"plan_matching": self.matches} if self.matches else {}
                write_json(to_json_bytes({"schema_version": SCHEMA_VERSION, **document, **matching}).decode())
                return
            console = _console()
            for page in pages:
                console.print(_without_rows(page) or page)

    @property
    def is_verbose(self) -> bool:
        """Whether ``--verbose`` is set."""
        return self._options.verbose > 0


@contextmanager
def open_output(options: OutputOptions) -> Iterator[Output]:
    """
    Open the output of a command, with progress while the block runs.

    Parameters
    ----------
    options
        How much to print, and in which form.

    Yields
    ------
    Output
        Output of the command.
    """
    _VERBOSITY.set(options.verbose)
    with warnings.catch_warnings():
        if not options.verbose:
            warnings.simplefilter("ignore")
        with show_progress("silent" if options.quiet else "auto") as progress:
            output = Output(options)
            _CURRENT.set(output)
            with compile_beside(_COMMANDS.get(), output.say, progress):
                yield output


def tell_match(name: str, document: Mapping[str, Any], messages: Sequence[str]) -> None:
    """
    Print once what matching a plan to the network did, and keep it for ``--json``.

    Parameters
    ----------
    name
        File of the plan.
    document
        Lengths and snaps of each route, for ``plan_matching``; metres.
    messages
        Sentences of what was changed, left out, or is to be checked.
    """
    output = _CURRENT.get()
    if output is None or name in output.matches:
        return
    output.matches[name] = document
    for message in messages:
        output.say(f"note: {name}: {message}")


def _console() -> Console:
    """Return a console on standard output that prints text of input files literally, without terminal commands."""
    from rich.console import Console

    class Plain(Console):
        """Console that shows control characters as escapes."""

        def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - as rich's own
            return super().render_str(visible_lines(text), **how)

        def on_broken_pipe(self) -> None:
            """Leave it to `printing`; rich's own would end the program."""
            raise BrokenPipeError

    return Plain(highlight=False, soft_wrap=False, markup=False, emoji=False)


def _without_rows(page: object) -> str | None:
    """Return a sentence in place of a table without rows; None for any other page."""
    from rich.table import Table

    return f"{page.title}: none." if isinstance(page, Table) and not page.row_count else None


def _print(text: str) -> None:
    """Print a line on standard error, wrapped at the width of a terminal."""
    line = visible(text)
    shown = textwrap.fill(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else line
    print(shown, file=sys.stderr, flush=True)  # noqa: T201 - output_options


def begin_command(name: str, objective: object) -> None:
    """Remember the command that runs, and its objective if it has one: what is compiled ahead depends on them."""
    _COMMANDS.set(frozenset({name, f"{name}_{objective}"}))


def begin_silent() -> None:
    """Reset the verbosity that an earlier command of this process set."""
    _VERBOSITY.set(0)


def show_traceback() -> bool:
    """Return whether errors print their traceback: with -vv."""
    return _VERBOSITY.get() >= _TRACEBACK_FROM


def empty_table(title: str) -> Table:
    """Return a table without columns under a `title`, in the style of all commands."""
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
