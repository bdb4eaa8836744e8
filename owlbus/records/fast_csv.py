"""Plain CSV, packed or not, by a parser of its own, three times as fast; what is not plain goes the way of all texts, to the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from owlbus.records.schema import TAXI
from owlbus.records.sources import reading_errors
from owlbus.records.text_lines import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.sources import Source

CHUNK_BYTES = 1 << 22
"""Bytes of text that are read at once."""

_PADDING = 32
_MOST_HEADER = 1 << 16
_NEWLINE = ord("\n")


@dataclass(frozen=True, slots=True, eq=False)
class TextRows:
    """
    Whole lines of a plain CSV, not parsed yet.

    Attributes
    ----------
    source
        The file.
    header
        Its first line.
    text
        The lines, the last one ended too, and padding, uint8.
    size
        Bytes without padding.
    n_rows
        Number of lines.
    """

    source: Source
    header: bytes
    text: NDArray[np.uint8]
    size: int
    n_rows: int

    def frame(self) -> pl.DataFrame:
        """Return the rows as all texts are read."""
        return self._read(self.text[: self.size].tobytes())

    def __getitem__(self, rows: NDArray[np.intp]) -> pl.DataFrame:
        """Return the rows at these places, shape (n,), as all texts are read."""
        lines = self.text[: self.size].tobytes().split(b"\n")
        return self._read(b"".join(lines[row] + b"\n" for row in rows.tolist()))

    def parsed(self) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return times, shape (n,), and numbers of position and goal, shape (2, n) or (4, n); None if a line is not plain."""
        from owlbus.kernels.parse_csv import SKIP, TIME, parse_rows

        kind, names = self.source.layout.kind, self.source.layout.names
        role = {names[kind.start]: TIME} | {names[name]: k for k, name in enumerate((*kind.position, *kind.goal))}
        roles = np.array([role.get(name, SKIP) for name in _names(self.header, self.source.separator)], dtype=np.int64)
        times, numbers = np.empty(self.n_rows, dtype=np.int64), np.empty((len(role) - 1, self.n_rows))
        done = parse_rows(self.text, ord(self.source.separator), roles, times, numbers)
        return (times, numbers) if done == self.n_rows else None

    def _read(self, text: bytes) -> pl.DataFrame:
        """Return lines as polars reads them, under owlbus' names."""
        return self.source.scan(BytesIO(self.header + text)).collect()


def is_plain(source: Source) -> bool:
    """
    Whether a file's layout is one that the quick parser knows.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        Whether it is CSV, quoted nowhere, of which only a time and positions are needed.
    """
    kind, names = source.layout.kind, source.layout.names
    needed = {kind.start, *kind.position, *kind.goal}
    if source.is_table or source.first_row or source.stop_row is not None or kind is TAXI or set(names) != needed:
        return False
    header = _header(source)
    columns = _names(header, source.separator)
    plain = header.endswith(b"\n") and header.strip(b"\xef\xbb\xbf\r\n") and b'"' not in header and b"\r" not in header.rstrip(b"\r\n")
    return bool(plain) and len(set(columns)) == len(columns) and set(names.values()) <= set(columns) and not source.n_quotes


def read_texts(source: Source) -> Iterator[TextRows | None]:
    """
    Lines of a plain CSV in order, up to the first chunk whose lines cannot be told by newlines alone.

    Parameters
    ----------
    source
        The file.

    Yields
    ------
    TextRows or None
        Whole lines, about `CHUNK_BYTES` of them; None at last if there are lines left.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    from owlbus.kernels.parse_csv import count_lines

    with reading_errors(source.name), open_text(source.path, source.form) as stream:
        header = _header(source)
        stream.read(len(header))
        rest = np.empty(0, dtype=np.uint8)
        while True:
            text = np.zeros(rest.size + CHUNK_BYTES + _PADDING, dtype=np.uint8)
            text[: rest.size] = rest
            held = stream.readinto(text.data[rest.size : -_PADDING]) or 0
            is_end, size = held == 0, rest.size + held
            if is_end and size:
                text[size] = _NEWLINE
                size += 1
            end = _end_of_lines(text, size)
            if end:
                lines = int(count_lines(text[:end]))
                if lines < 0:
                    yield None
                    return
                yield TextRows(source, header, text, end, lines)
            if is_end:
                return
            rest = text[end:size]


def _end_of_lines(text: NDArray[np.uint8], size: int) -> int:
    """Return where the last whole line ends, 0 if there is none."""
    high = size
    while high > 0:
        low = max(0, high - _MOST_HEADER)
        at = np.flatnonzero(text[low:high] == _NEWLINE)
        if at.size:
            return low + int(at[-1]) + 1
        high = low
    return 0


def _header(source: Source) -> bytes:
    """Return the first line of a text, or as much of it as a header may have."""
    with reading_errors(source.name), open_text(source.path, source.form) as stream:
        head: bytes = stream.read(_MOST_HEADER)
    return head[: head.find(b"\n") + 1] or head


def _names(header: bytes, separator: str) -> list[str]:
    """Return the names in a header, as files of texts are asked for them."""
    return [name.strip().strip("\ufeff") for name in header.decode("utf-8", "replace").rstrip("\r\n").split(separator)]
