"""The process: signals, memory limits, output streams and exit codes."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from owlbus.common.errors import DataError, OwlbusError
from owlbus.common.machine import stop_signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


SIGNALLED = 128

_RECEIVED: list[int] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """
    Handle SIGTERM and SIGHUP, or Ctrl-Break, like Ctrl-C while the block runs: keep the best plan so far, or leave everything as it was.

    An ignored signal, as by ``nohup``, stays ignored. After the block all are ignored, since the process only has to end.
    """
    is_main = threading.current_thread() is threading.main_thread()
    numbers = stop_signals() if is_main else ()
    for number in numbers:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


class StoppedError(OwlbusError):
    """A run that a signal interrupted."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.exit_code = stop_code()


@contextmanager
def report_interruption() -> Iterator[None]:
    """
    Turn KeyboardInterrupt into an error that says what was written.

    Raises
    ------
    StoppedError
        In place of KeyboardInterrupt.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        msg = f"interrupted; {stop.args[0] if stop.args else 'nothing was written'}"
        raise StoppedError(msg) from None


def is_swallowed_stop(error: BaseException) -> bool:
    """
    Tell whether an error may be the result of a signal.

    A signal during an import in C code, or while the compiler looks up the name of a character, appears as a failed import and no longer as
    KeyboardInterrupt.

    Parameters
    ----------
    error
        The error that was raised.

    Returns
    -------
    bool
        True if an import or a compilation failed after a signal.
    """
    return bool(_RECEIVED) and isinstance(error, ImportError | SyntaxError | SystemError)


def stop_code() -> int:
    """
    Exit code of an interrupted run.

    Returns
    -------
    int
        128 plus the number of the first signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    return SIGNALLED + (_RECEIVED[0] if _RECEIVED else signal.SIGINT)


def leave(code: int) -> NoReturn:
    """
    End the process with the code of a signal.

    If KeyboardInterrupt is raised in code compiled from a string, the interpreter itself would end with SIGINT, whatever the signal was.

    Parameters
    ----------
    code
        Exit code.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run exit handlers and exit
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, and remember the signal."""
    del frame
    _RECEIVED.append(number)
    raise KeyboardInterrupt


_LEAST_MB = {"RLIMIT_DATA": ("-d", 2_000), "RLIMIT_AS": ("-v", 4_000)}

_NO_THREAD, _NO_MAPPING = "can't start new thread", "failed to map segment"


def require_memory() -> None:
    """
    Refuse a memory limit that the libraries do not survive; they reserve several times what they use.

    Raises
    ------
    DataError
        If the limit lies below the minimum, in MB.
    """
    try:
        import resource
    except ImportError:  # no such limits outside POSIX
        return
    for name, (flag, least_mb) in _LEAST_MB.items():
        most, _ = resource.getrlimit(getattr(resource, name))
        if most != resource.RLIM_INFINITY and most < least_mb * 1_000_000:
            msg = (
                f"there is not enough memory: ulimit {flag} must be at least {least_mb} MB, got {most // 1_000_000} MB; raise it, "
                f"such as with ulimit {flag} unlimited, and limit memory with a control group instead"
            )
            raise DataError(msg)


def is_out_of_memory(error: BaseException) -> bool:
    """
    Tell whether an error means that memory is exhausted, whatever its type and text.

    Parameters
    ----------
    error
        The error.

    Returns
    -------
    bool
        True if more memory (bytes), or fewer or smaller files, would help.
    """
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and (_NO_THREAD in words or _NO_MAPPING in words)
    )
