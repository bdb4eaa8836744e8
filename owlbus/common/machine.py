"""What systems do differently: processors at hand, locks of files, and files on disk before their names change."""

from __future__ import annotations

import importlib
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LOCKED_BYTE = 1 << 30
"""Where Windows locks one byte: beyond all that a lock file holds, since nobody else can read what is locked there."""


def n_processors() -> int:
    """
    Return the processors that this process may use.

    Returns
    -------
    int
        Processors, >= 1; all of the machine where the system does not say which ones a process may use.

    Examples
    --------
    >>> n_processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stop_signals() -> tuple[int, ...]:
    """
    Return the signals that ask a process to end, of those that the system has.

    Returns
    -------
    tuple of int
        Numbers of Ctrl-C, SIGTERM, and SIGHUP or, on Windows, Ctrl-Break.

    Examples
    --------
    >>> signal.SIGINT in stop_signals()
    True
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return tuple(int(getattr(signal, name)) for name in names if hasattr(signal, name))


def can_delete_open_files() -> bool:
    """
    Return whether a file can be deleted while it is open: everywhere but on Windows.

    Returns
    -------
    bool
        True where names and open files are apart.

    Examples
    --------
    >>> can_delete_open_files() == (os.name != "nt")
    True
    """
    return os.name != "nt"


def try_lock(descriptor: int) -> bool:
    """
    Lock an open file without waiting; the system releases the lock when the process ends.

    Parameters
    ----------
    descriptor
        Number of a file that is open for reading and writing.

    Returns
    -------
    bool
        False if another process or another open file holds the lock; True where it is held now, or there are no locks.
    """
    try:
        fcntl: Any = importlib.import_module("fcntl")
    except ImportError:
        return _try_lock_byte(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # file system without locks: run without a lock
        return True
    return True


def _try_lock_byte(descriptor: int) -> bool:
    """Lock one byte of an open file, as Windows does; return whether it succeeded, or there are no such locks."""
    try:
        msvcrt: Any = importlib.import_module("msvcrt")
    except ImportError:
        return True
    at = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    finally:
        os.lseek(descriptor, at, os.SEEK_SET)
    return True


def delete_if_allowed(file: Path) -> None:
    """
    Delete a file that nobody needs any more, if the system and others allow it.

    Parameters
    ----------
    file
        The file, which may be gone. Where open files cannot be deleted, it stays if anybody has it open.
    """
    with suppress(OSError):
        file.unlink(missing_ok=True)


def sync_file(file: Path) -> None:
    """
    Have the bytes of a file on disk.

    Parameters
    ----------
    file
        A file of this process.

    Raises
    ------
    OSError
        If the disk refuses them.
    """
    with file.open("rb" if can_delete_open_files() else "r+b") as stream:  # Windows has no way to do so for a file that is only read
        os.fsync(stream.fileno())
