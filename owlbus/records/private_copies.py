"""Private temporary copies of record files that are not read as they stand: mode 0600, removed with their last use."""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.files import in_temporary_folder
from owlbus.common.machine import delete_if_allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

COPY_BYTES = 1 << 20
"""Bytes per read of a copy."""


class PrivateCopy:
    """
    Temporary file of this process.

    The file is removed when no source uses it any more, or at the end of the process that made it. A copy that was sent to another
    process names the same file and leaves it there.

    Attributes
    ----------
    path
        The file.
    """

    __slots__ = ("__weakref__", "path")

    def __init__(self, path: Path) -> None:
        """Own an existing file."""
        self.path = path
        weakref.finalize(self, _remove, path, os.getpid())

    def __reduce__(self) -> tuple[type[Path], tuple[str]]:
        """Send the path alone to another process."""
        return Path, (str(self.path),)


@contextmanager
def private_file() -> Iterator[tuple[Path, list[PrivateCopy]]]:
    """
    Make an empty temporary file, mode 0600, to be written in the block; it is removed if the block fails.

    Yields
    ------
    Path and list
        The file; and a list that receives its `PrivateCopy` at the end of the block.

    Raises
    ------
    OutputError
        If the folder of temporary files is full or cannot be written.
    """
    made: list[PrivateCopy] = []
    with in_temporary_folder():
        handle, name = tempfile.mkstemp(prefix="owlbus-copy-")
        os.close(handle)
    copy = PrivateCopy(Path(name))
    yield copy.path, made
    made.append(copy)


def _remove(path: Path, process: int) -> None:
    """Remove the file of a copy in the process that made it."""
    if os.getpid() == process:
        delete_if_allowed(path)
