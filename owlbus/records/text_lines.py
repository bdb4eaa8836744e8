"""Lines of text files, compressed or not, with a length limit that bounds memory."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from owlbus.records.field_counts import FieldCount

MOST_LINE_BYTES = 1 << 20
"""Largest line in bytes, including line breaks within quotes."""

TAIL_BYTES = 1 << 16
"""Bytes from the end of a text that are looked at."""

ZLIB = "packed with zlib; pack it with gzip or zstd"
"""Message for the compression that polars reads and owlbus does not."""

_MAGIC = {
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"x\x01": "zlib",
    b"x\x5e": "zlib",
    b"x\x9c": "zlib",
    b"x\xda": "zlib",
}
_NEWLINE, _QUOTE = b"\n", b'"'


def form_of(head: bytes) -> str:
    """
    Return the form of a file by its first bytes.

    Parameters
    ----------
    head
        First bytes, at least 4 if the file has them.

    Returns
    -------
    str
        ``parquet``, ``gzip``, ``zstd``, ``zlib`` or ``text``.
    """
    return next((form for magic, form in _MAGIC.items() if head.startswith(magic)), "text")


def is_parquet(file: Path) -> bool:
    """
    Return whether a file is Parquet, by its first bytes.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    bool
        Whether it is.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with file.open("rb") as stream:
        return form_of(stream.read(4)) == "parquet"


@contextmanager
def open_text(file: Path, form: str) -> Iterator[Any]:  # pyarrow ships no types
    """
    Open a text file and decompress it as a stream.

    Parameters
    ----------
    file
        The file.
    form
        ``gzip``, ``zstd`` or ``text``, from `form_of`.

    Yields
    ------
    file object
        Unbuffered byte stream.

    Raises
    ------
    OSError
        If the file cannot be read; also raised by reads of a damaged file.
    """
    if form == "text":
        with file.open("rb", buffering=0) as plain:
            yield plain
        return
    import pyarrow as pa

    with pa.input_stream(str(file), compression=form) as unpacked:
        yield unpacked


@dataclass(frozen=True, slots=True)
class TextScan:
    """
    What a pass over the bytes of a text tells.

    Attributes
    ----------
    n_quotes
        Number of quotes.
    is_utf8
        Whether the text is UTF-8.
    tail
        Last bytes, at most `TAIL_BYTES`.
    n_long
        Lines with more fields than the header; 0 if they were not counted.
    first_long
        Line number of the first of them.
    """

    n_quotes: int
    is_utf8: bool
    tail: bytes
    n_long: int = 0
    first_long: int = 0


def check_lines(stream: IO[bytes], name: str) -> int:
    """
    Reject a text with a line longer than `MOST_LINE_BYTES`, as `scan_text` does, and return its number of quotes.

    Parameters
    ----------
    stream
        Text, read to its end or to the first line that is too long.
    name
        Name in messages.

    Returns
    -------
    int
        Number of quotes.

    Raises
    ------
    DataError
        If a line is too long.
    OSError
        If the stream is damaged.
    """
    return scan_text(stream, name).n_quotes


def scan_text(stream: IO[bytes], name: str, fields: FieldCount | None = None) -> TextScan:
    """
    Reject a text with a line longer than `MOST_LINE_BYTES`; line breaks within quotes do not end a line.

    Time and memory do not depend on line lengths.

    Parameters
    ----------
    stream
        Text, read to its end or to the first line that is too long.
    name
        Name in messages.
    fields
        Count of the fields of each line, fed with the text; None for none.

    Returns
    -------
    TextScan
        Quotes, encoding, last bytes, and lines with too many fields.

    Raises
    ------
    DataError
        If a line is too long.
    OSError
        If the stream is damaged.
    """
    first_line, n_breaks, n_bytes = 1, 0, 0  # line number and bytes of the current line
    is_quoted, n_quotes, tail, encoding = False, 0, b"", _Utf8Check()
    while chunk := stream.read(MOST_LINE_BYTES):
        encoding.feed(chunk)
        if fields is not None:
            fields.feed(chunk)
        n_quotes += chunk.count(_QUOTE)
        first_end, last_end, ends_quoted = (
            _line_ends(chunk, is_quoted=is_quoted) if n_quotes else (chunk.find(_NEWLINE), chunk.rfind(_NEWLINE), False)
        )
        if n_bytes + (len(chunk) if first_end < 0 else first_end) > MOST_LINE_BYTES:
            msg = f"{name}: {_too_long_message(first_line, is_quoted=is_quoted)}"
            raise DataError(msg)
        n_breaks += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE[0]))  # faster than bytes.count
        if last_end >= 0:
            first_line, n_bytes = n_breaks - chunk.count(_NEWLINE, last_end + 1) + 1, -last_end - 1
        n_bytes, is_quoted = n_bytes + len(chunk), ends_quoted
        tail = chunk[-TAIL_BYTES:] if len(chunk) >= TAIL_BYTES else (tail + chunk)[-TAIL_BYTES:]
    if fields is None:
        return TextScan(n_quotes, encoding.is_valid_to_end(), tail)
    fields.end()
    return TextScan(n_quotes, encoding.is_valid_to_end(), tail, fields.n_long, fields.first_long)


@dataclass(slots=True)
class _Utf8Check:
    """Check of a text in parts; a part of plain ASCII costs little."""

    _is_valid: bool = True
    _pending: bytes = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next part."""
        if not self._is_valid or (not self._pending and chunk.isascii()):
            return
        text = self._pending + chunk
        try:
            _, n_used = codecs.utf_8_decode(text, "strict", False)  # noqa: FBT003 - more may follow
        except UnicodeDecodeError:
            self._is_valid = False
        else:
            self._pending = text[n_used:]

    def is_valid_to_end(self) -> bool:
        """Return whether the whole text is UTF-8."""
        return self._is_valid and not self._pending


def check_table(file: Path, name: str) -> None:
    """
    Reject a text table with a line longer than `MOST_LINE_BYTES`, compressed or not.

    Parameters
    ----------
    file
        CSV or Parquet.
    name
        Name in messages.

    Raises
    ------
    DataError
        If a line is too long, or the compression is not gzip or zstd.
    OSError
        If the file cannot be read or is damaged.
    """
    with file.open("rb") as stream:
        form = form_of(stream.read(4))
    if form == "zlib":
        msg = f"{name}: is {ZLIB}"
        raise DataError(msg)
    if form != "parquet":
        with open_text(file, form) as stream:
            check_lines(stream, name)


def split_lines(text: str) -> Iterator[str]:
    """
    Yield the lines of a text, with line feeds.

    Parameters
    ----------
    text
        Text; it is not copied.

    Yields
    ------
    str
        A line.

    Raises
    ------
    DataError
        If a line has more than `MOST_LINE_BYTES` characters.
    """
    start, line = 0, 1
    while start < len(text):
        end = text.find("\n", start, start + MOST_LINE_BYTES + 1) + 1
        if not end and len(text) - start > MOST_LINE_BYTES:
            raise DataError(_too_long_message(line))
        end = end or len(text)
        yield text[start:end]
        start, line = end, line + 1


def _line_ends(chunk: bytes, *, is_quoted: bool) -> tuple[int, int, bool]:
    """Return the first and the last line end in a chunk, -1 if none, and whether the chunk ends within quotes."""
    characters = np.frombuffer(chunk, dtype=np.uint8)
    marks = np.flatnonzero((characters == _NEWLINE[0]) | (characters == _QUOTE[0]))
    is_break = characters[marks] == _NEWLINE[0]
    within = (np.cumsum(~is_break) + is_quoted) % 2 == 1
    ends = marks[is_break & ~within]
    first, last = (int(ends[0]), int(ends[-1])) if ends.size else (-1, -1)
    return first, last, bool(within[-1]) if marks.size else is_quoted


def _too_long_message(line: int, *, is_quoted: bool = False) -> str:
    """Return the error message for a line that starts on line `line`."""
    way_out = "close the quote that it opens" if is_quoted else "end each record with a line feed"
    return f"a line must have at most {MOST_LINE_BYTES:,} bytes, line {line} has more; {way_out}"
