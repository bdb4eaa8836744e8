"""Fast parser for simple CSV, compressed or not; anything else falls back to polars and gives the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from owlbus.records.file_forms import reading_errors
from owlbus.records.schema import TAXI
from owlbus.records.text_lines import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.sources import Source

CHUNK_BYTES = 1 << 22
"""Bytes of text per read."""

_MOST_HEADER = 1 << 16
_NEWLINE = ord("\n")


@dataclass(frozen=True, slots=True, eq=False)
class TextRows:
    """
    Complete unparsed lines of a simple CSV.

    Attributes
    ----------
    source
        The file.
    header
        Its first line.
    text
        The lines with line ends, and padding, uint8.
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
        """Return the rows as polars parses them."""
        return self._read(self.text[: self.size].tobytes())

    def __getitem__(self, rows: NDArray[np.intp]) -> pl.DataFrame:
        """Return the rows with indices `rows`, shape (n,), as polars parses them."""
        lines = self.text[: self.size].tobytes().split(b"\n")
        return self._read(b"".join(lines[row] + b"\n" for row in rows.tolist()))

    def parsed(self) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return times, shape (n,), and position and destination in degrees, shape (2, n) or (4, n); None if a line is not simple."""
        from owlbus.kernels.parse_csv import MISFIT, SKIP, TIME, parse_rows

        kind, names = self.source.layout.kind, self.source.layout.names
        columns = (*kind.position, *kind.destination)
        role = {names[kind.start]: TIME} | {names[name]: k for k, name in enumerate(columns)}
        roles = np.array([role.get(name, SKIP) for name in _names(self.header, self.source.separator)], dtype=np.int64)
        times, numbers = np.empty(self.n_rows, dtype=np.int64), np.empty((len(columns), self.n_rows))
        n_parsed = parse_rows(self.text, ord(self.source.separator), roles, times, numbers)
        if n_parsed == MISFIT:
            msg = f"roles {roles.tolist()} do not name a time and {len(columns)} columns of numbers once each"
            raise ValueError(msg)
        return (times, numbers) if n_parsed == self.n_rows else None

    def _read(self, text: bytes) -> pl.DataFrame:
        """Return lines as polars parses them, under owlbus' column names."""
        return self.source.scan(BytesIO(self.header + text)).collect()


def is_plain(source: Source) -> bool:
    """
    Return whether the fast parser handles a file's layout.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    bool
        True for CSV without quotes of which only a time and positions are needed.
    """
    kind, names = source.layout.kind, source.layout.names
    needed = {kind.start, *kind.position, *kind.destination}
    if source.is_table or source.first_row or source.stop_row is not None or kind is TAXI or set(names) != needed:
        return False
    if source.time_forms or source.position_forms:
        return False
    header = _header(source)
    columns = _names(header, source.separator)
    plain = header.endswith(b"\n") and header.strip(b"\xef\xbb\xbf\r\n") and b'"' not in header and b"\r" not in header.rstrip(b"\r\n")
    return bool(plain) and len(set(columns)) == len(columns) and set(names.values()) <= set(columns) and not source.n_quotes


def read_texts(source: Source) -> Iterator[TextRows | None]:
    """
    Yield complete lines of a simple CSV in order, up to the first chunk that the fast parser cannot split.

    Parameters
    ----------
    source
        The file.

    Yields
    ------
    TextRows or None
        Complete lines, about `CHUNK_BYTES` each; a last None if lines remain.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    from owlbus.kernels.parse_csv import PADDING, count_lines

    with reading_errors(source.name), open_text(source.path, source.form) as stream:
        header = _header(source)
        stream.read(len(header))
        remainder = np.empty(0, dtype=np.uint8)
        while True:
            text = np.zeros(remainder.size + CHUNK_BYTES + PADDING, dtype=np.uint8)
            text[: remainder.size] = remainder
            n_read = stream.readinto(text.data[remainder.size : -PADDING]) or 0
            is_end, size = n_read == 0, remainder.size + n_read
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
            remainder = text[end:size]


def _end_of_lines(text: NDArray[np.uint8], size: int) -> int:
    """Return the end of the last complete line in bytes, 0 if there is none."""
    high = size
    while high > 0:
        low = max(0, high - _MOST_HEADER)
        newlines = np.flatnonzero(text[low:high] == _NEWLINE)
        if newlines.size:
            return low + int(newlines[-1]) + 1
        high = low
    return 0


def _header(source: Source) -> bytes:
    """Return the first line of a text, at most `_MOST_HEADER` bytes."""
    with reading_errors(source.name), open_text(source.path, source.form) as stream:
        head: bytes = stream.read(_MOST_HEADER)
    return head[: head.find(b"\n") + 1] or head


def _names(header: bytes, separator: str) -> list[str]:
    """Return the column names of a header."""
    return [name.strip().strip("\ufeff") for name in header.decode("utf-8", "replace").rstrip("\r\n").split(separator)]
