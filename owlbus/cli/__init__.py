"""The command line, `owlbus COMMAND`: it parses options and prints results of `owlbus.pipeline`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from owlbus.cli.process import SIGNALLED, leave, stop_code, stoppable
from owlbus.cli.streams import close_output, open_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> None:
    """
    Run the program and exit with its code.

    Parameters
    ----------
    args
        Words after the program's name; those of the process by default.
    """
    open_streams()
    with stoppable():
        try:
            from owlbus.cli.app import run

            code = close_output(run(sys.argv[1:] if args is None else list(args)))
        except KeyboardInterrupt:
            print("error: interrupted; nothing was written", file=sys.stderr)  # noqa: T201 - before a command could print it
            code = stop_code()
        if code > SIGNALLED:
            leave(code)
    sys.exit(code)
