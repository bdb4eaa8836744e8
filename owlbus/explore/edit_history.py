"""The history of edits: on disk before the page hears of it, and followed again after any end of the process."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from owlbus.common.files import output_error, parse_json
from owlbus.pipeline.rundir import EXPLORE_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["EXPLORE_DIR", "HISTORY_FILE", "HistoryFile", "history_file", "stamped"]

HISTORY_FILE = "history.jsonl"
HISTORY_VERSION = 1


@dataclass(slots=True)
class HistoryFile:
    """
    The file of a history, one JSON object a line.

    Attributes
    ----------
    path
        The file.
    head
        What its first line says: the plan that the edits begin with.
    """

    path: Path
    head: Mapping[str, Any]
    _stream: Any = field(default=None, repr=False)

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """
        Read the lines after the first.

        Returns
        -------
        lines, is_torn
            The objects in order, and whether the last line was not whole; none of a file that is absent.
        """
        try:
            data = self.path.read_bytes()
        except OSError:
            return [], False
        *whole, rest = data.split(b"\n")
        lines: list[dict[str, Any]] = []
        for row in whole:
            line = _parsed(row)
            if line is None:
                return lines, True
            lines.append(line)
        return lines, bool(rest)

    def append(self, line: Mapping[str, Any]) -> None:
        """
        Write one line, and have it on disk on return.

        Parameters
        ----------
        line
            What JSON can hold.

        Raises
        ------
        OutputError
            If it cannot be written; then the file is as it was.
        """
        try:
            stream = self._opened()
            size = stream.seek(0, os.SEEK_END)
            try:
                _write_whole(stream, _row(line))
                os.fsync(stream.fileno())
            except OSError:
                with suppress(OSError):
                    stream.truncate(size)
                raise
        except OSError as error:
            raise output_error(self.path, error) from error

    def keep_aside(self) -> Path:
        """Rename the file to the next free name, and return that."""
        self.close()
        aside = next(path for path in self._names() if not path.exists())
        self.path.replace(aside)
        return aside

    def write_anew(self, lines: list[dict[str, Any]]) -> None:
        """Write the file with these `lines` after its first, whole or not at all."""
        self.close()
        self._make_folder()
        part = self.path.with_name(f".{self.path.name}.part")
        with part.open("wb", buffering=0) as stream:
            stream.write(b"".join(map(_row, [dict(self.head), *lines])))
            os.fsync(stream.fileno())
        part.replace(self.path)
        _sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> Any:  # noqa: ANN401 - a raw file of the standard library
        """Return the file, open for appending; a new one begins with its head."""
        if self._stream is not None:
            return self._stream
        self._make_folder()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
        self._stream = stream = os.fdopen(descriptor, "ab", buffering=0)
        if stream.seek(0, os.SEEK_END) == 0:
            _write_whole(stream, _row(self.head))
            _sync_folder(self.path.parent)
        return stream

    def _make_folder(self) -> None:
        """Create the folder, for its owner alone."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)

    def _names(self) -> Iterator[Path]:
        """Yield names for a file that is kept aside."""
        for k in range(1, 10_000):
            yield self.path.with_name(f"{self.path.stem}-{k}{self.path.suffix}")


def history_file(run: Path, plan_mark: str, fingerprint: str) -> HistoryFile:
    """
    File of the edits of a run.

    Parameters
    ----------
    run
        The run directory.
    plan_mark
        SHA-256 of the plan that the edits begin with.
    fingerprint
        That of the network of the stop indices.

    Returns
    -------
    HistoryFile
        Nothing is opened or written yet.
    """
    head = {"do": "begin", "schema_version": HISTORY_VERSION, "plan": plan_mark, "network": fingerprint}
    return HistoryFile(run / EXPLORE_DIR / HISTORY_FILE, head)


def stamped(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `line` with the time at which it is written, seconds since 1970."""
    return {**line, "time": round(time.time())}


def _row(line: Mapping[str, Any]) -> bytes:
    """Line as the file holds it."""
    return (json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode()


def _write_whole(stream: Any, data: bytes) -> None:  # noqa: ANN401 - an unbuffered file
    """Write all of some bytes, in as many pieces as the system takes."""
    while data:
        data = data[stream.write(data) :]


def _parsed(row: bytes) -> dict[str, Any] | None:
    """Object of a line; None if it is none."""
    try:
        value = parse_json(row)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _sync_folder(folder: Path) -> None:
    """Have the names of a folder on disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
