"""The process: how signals end it in order, and how much memory it may need."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from owlbus.common.errors import DataError, OwlbusError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


SIGNALLED = 128

_RECEIVED: list[int] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """
    Let SIGTERM and SIGHUP do what Ctrl-C does while the block runs: keep the best plan so far, or leave everything as it was.

    A signal that is ignored, as by ``nohup``, stays so. After the block none of them is heeded, since the process only has to end.
    """
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if is_main and hasattr(signal, name)]
    for number in numbers:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


class StoppedError(OwlbusError):
    """A run that was stopped before there was anything to keep, or when all was written."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.exit_code = stop_code()


@contextmanager
def stopped_in_order() -> Iterator[None]:
    """
    Say what became of the files where a command is stopped, which the parser of words would not.

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
    Tell whether an error may be what became of a stop.

    Modules in C that a stop meets while they load others, and the compiler where it looks up a character's name, tell of the module that
    could not be loaded, and no longer of the stop.

    Parameters
    ----------
    error
        What was raised.

    Returns
    -------
    bool
        True if a module could not be loaded or compiled after a signal came.
    """
    return bool(_RECEIVED) and isinstance(error, ImportError | SyntaxError | SystemError)


def stop_code() -> int:
    """
    Exit code of a run that was stopped.

    Returns
    -------
    int
        128 plus the number of the first signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    return SIGNALLED + (_RECEIVED[0] if _RECEIVED else signal.SIGINT)


def leave(code: int) -> NoReturn:
    """
    End the process with the code of a signal.

    The interpreter would end itself by SIGINT instead, whatever the signal was, if Ctrl-C was raised within code that is made from text.

    Parameters
    ----------
    code
        Exit code.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to clean up and leave
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    """Take a signal as Ctrl-C is taken, and remember which one it was."""
    del frame
    _RECEIVED.append(number)
    raise KeyboardInterrupt


_LEAST_MB = {"RLIMIT_DATA": ("-d", 2_000), "RLIMIT_AS": ("-v", 4_000)}

_NO_THREAD, _NO_MAPPING = "can't start new thread", "failed to map segment"


def require_memory() -> None:
    """
    Refuse to work under a limit of memory that the libraries do not survive; what they reserve is several times what they use.

    Raises
    ------
    DataError
        If the process may take less than is needed in any case, in MB.
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
                f"such as with ulimit {flag} unlimited, and limit what is used by a control group instead"
            )
            raise DataError(msg)


def is_out_of_memory(error: BaseException) -> bool:
    """
    Whether an error says that the machine has no room left, in whatever words a library has for it.

    Parameters
    ----------
    error
        The error.

    Returns
    -------
    bool
        Whether more bytes of memory, or fewer or smaller files, would help.
    """
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and (_NO_THREAD in words or _NO_MAPPING in words)
    )
