"""Standard streams that are closed, full, or read by nobody: the work goes on, and the exit code tells where data could not be printed."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

CANNOT_PRINT = 2
"""Exit code where data could not be printed: the place for it, which the user chose, cannot take it."""

_BYTES_OR_MARK = "owlbus.bytes_or_mark"


def open_streams() -> None:
    """
    Give the process the three standard streams, whatever it was started with.

    A descriptor that is closed is opened on nothing, or the next file that is opened would take its number and be written into. Standard
    output on nothing refuses what is printed, which `close_output` tells; standard error takes everything and never fails. A console that
    cannot show a character, as those of Windows before UTF-8, shows a question mark in its place.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest free number, since all below it are open
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for as long as the process runs
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    if type(sys.stdout) is io.TextIOWrapper:  # and not what a test put in its place
        sys.stdout = _Output(sys.stdout)
    if type(sys.stderr) is io.TextIOWrapper:
        sys.stderr = _Lossy(sys.stderr)


class _Output(io.TextIOWrapper):
    """Standard output that remembers whether it was refused, or its reader left."""

    is_refused, is_left = False, False

    def __init__(self, stream: io.TextIOWrapper) -> None:
        encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
        super().__init__(stream.detach(), encoding=encoding, errors=_never_failing(errors), line_buffering=by_line)

    def write(self, text: str) -> int:
        """Write text."""
        with self._noting():
            return super().write(text)

    def flush(self) -> None:
        """Write what is held."""
        with self._noting():
            super().flush()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Remember an error."""
        try:
            yield
        except BrokenPipeError:
            self.is_left = True
            raise
        except OSError:
            self.is_refused = True
            raise


class _Lossy(io.TextIOWrapper):
    """Standard error that drops what it cannot write: talk is no reason for work to fail."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        encoding, errors = stream.encoding, stream.errors
        super().__init__(stream.detach(), encoding=encoding, errors=_never_failing(errors), line_buffering=True)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with suppress(OSError, ValueError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held, or drop it."""
        with suppress(OSError, ValueError):
            super().flush()


def _never_failing(errors: str | None) -> str:
    """Return how characters that an encoding lacks are written: as chosen, but never with an error."""
    if errors == "surrogateescape":
        codecs.register_error(_BYTES_OR_MARK, _bytes_or_mark)
        return _BYTES_OR_MARK
    return "replace" if errors in {None, "strict"} else str(errors)


def _bytes_or_mark(error: UnicodeError) -> tuple[bytes, int]:
    """Return the bytes of a file name that no text stands for as they were, and question marks for characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return b"".join(bytes([ord(sign) - 0xDC00]) if "\udc80" <= sign <= "\udcff" else b"?" for sign in signs), error.end


def write_json(text: str) -> None:
    """
    Write JSON on standard output; where that lacks a character, its escape stands for it, so that the document is the same.

    Parameters
    ----------
    text
        The document.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(sign if sign.isascii() else json.dumps(sign)[1:-1] for sign in text)
    sys.stdout.write(text)


@contextmanager
def printing() -> Iterator[None]:
    """
    Print data on standard output while the block runs.

    A reader that left early, such as ``head``, has what it wanted; nothing more is printed then.

    Raises
    ------
    UsageError
        If standard output cannot be written; the files of the command are written by then.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        drop_output()
        raise UsageError(cannot_print(error)) from None


def cannot_print(error: OSError) -> str:
    """
    Say why data could not be printed.

    Parameters
    ----------
    error
        What writing to standard output raised.

    Returns
    -------
    str
        One line; files that a command writes are not in question, however many bytes they have.
    """
    return f"standard output cannot be written ({error.strerror or error}); open it or make room, and run again"


def is_refused() -> bool:
    """Tell whether what was printed could not be written."""
    return isinstance(sys.stdout, _Output) and sys.stdout.is_refused


def is_left() -> bool:
    """Tell whether the reader of standard output left early."""
    return isinstance(sys.stdout, _Output) and sys.stdout.is_left


def drop_output() -> None:
    """Send what is held for standard output nowhere, or the interpreter would try again at its end and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def close_output(code: int) -> int:
    """
    Hand over what is left of the standard output.

    Parameters
    ----------
    code
        Exit code so far.

    Returns
    -------
    int
        The same, or 2 if the output cannot be written; a reader that left early, such as ``head``, is no fault.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        drop_output()
        if not isinstance(error, BrokenPipeError):
            if not code:
                print(f"error: {cannot_print(error)}", file=sys.stderr)  # noqa: T201 - as every failure ends
            return code or CANNOT_PRINT
    return code
