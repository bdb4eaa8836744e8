"""One `explore` for each run directory: a lock that the system releases however the process ends."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.common.files import lock_file
from owlbus.common.machine import can_delete_open_files, delete_if_allowed
from owlbus.pipeline.rundir import EXPLORE_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_LETTERS = 200


@contextmanager
def locked_run(run: Path) -> Iterator[RunLock]:
    """
    Lock a run directory for one `explore`.

    Parameters
    ----------
    run
        The run directory.

    Yields
    ------
    RunLock
        The lock, which tells others the address once it is known.

    Raises
    ------
    UsageError
        If another `explore` has it open, with its address, or the directory cannot be written.
    """
    path = run / EXPLORE_LOCK
    try:
        descriptor, is_locked = lock_file(path)
    except OSError as error:
        way = setting("read_only", True)  # noqa: FBT003 - the value that is named
        msg = f"{run}: cannot be written ({error.strerror}), so that no edit could be kept; copy the run, or open it with {way}"
        raise UsageError(msg) from None
    try:
        if not is_locked:
            address = os.read(descriptor, _MOST_LETTERS).decode("ascii", "replace").strip() or "another address"
            msg = f"{run} is open in another explore, at {address}; go on there, or end that one first"
            raise UsageError(msg)
        os.ftruncate(descriptor, 0)
        try:
            yield RunLock(descriptor)
        finally:
            delete_if_allowed(path)
    finally:
        os.close(descriptor)
    if not can_delete_open_files():
        delete_if_allowed(path)


class RunLock:
    """
    A lock that is held.

    Parameters
    ----------
    descriptor
        The open lock file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, address: str) -> None:
        """Write the `address` of the page, without its key, for whoever finds the run locked."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f"{address}\n".encode())
