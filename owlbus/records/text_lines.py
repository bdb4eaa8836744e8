"""Lines of text, plain or packed: none so long that a reader has to hold more of a file than it can."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_LINE_BYTES = 1 << 20
"""Bytes that a line of text may have, line breaks within quotes included: some ten thousand times those of a record."""

ZLIB = "packed with zlib; pack it with gzip or zstd"
"""What is said of the one packing that polars unpacks and owlbus does not."""

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
    Form of a file by its first bytes.

    Parameters
    ----------
    head
        At least its first 4 bytes, fewer if it has fewer.

    Returns
    -------
    str
        ``parquet``, ``gzip``, ``zstd``, ``zlib`` or ``text``.
    """
    return next((form for magic, form in _MAGIC.items() if head.startswith(magic)), "text")


@contextmanager
def open_text(file: Path, form: str) -> Iterator[Any]:  # pyarrow ships no types
    """
    Open a text for reading, unpacked on the way, so that memory does not grow with it.

    Parameters
    ----------
    file
        The file.
    form
        ``gzip``, ``zstd`` or ``text``, as `form_of` tells it.

    Yields
    ------
    file object
        The text as bytes, without a buffer of its own.

    Raises
    ------
    OSError
        If the file cannot be read; where it is damaged, reading raises it too.
    """
    if form == "text":
        with file.open("rb", buffering=0) as plain:
            yield plain
        return
    import pyarrow as pa

    with pa.input_stream(str(file), compression=form) as unpacked:
        yield unpacked


def check_lines(stream: IO[bytes], name: str) -> int:
    """
    Refuse a text with a line of more than `MOST_LINE_BYTES`; a line break within quotes ends none.

    Neither time nor memory depends on how long lines are.

    Parameters
    ----------
    stream
        The text, which is read to its end, or to the first line that is too long.
    name
        What messages call it.

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
    line, breaks, held = 1, 0, 0  # where the line that is read begins, and its bytes so far
    is_quoted, quotes = False, 0
    while chunk := stream.read(MOST_LINE_BYTES):
        quotes += chunk.count(_QUOTE)
        first, last, ends_quoted = (
            _line_ends(chunk, is_quoted=is_quoted) if quotes else (chunk.find(_NEWLINE), chunk.rfind(_NEWLINE), False)
        )
        if held + (len(chunk) if first < 0 else first) > MOST_LINE_BYTES:
            msg = f"{name}: {_too_long(line, is_quoted=is_quoted)}"
            raise DataError(msg)
        breaks += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE[0]))  # faster than bytes.count where there are many
        if last >= 0:
            line, held = breaks - chunk.count(_NEWLINE, last + 1) + 1, -last - 1
        held, is_quoted = held + len(chunk), ends_quoted
    return quotes


def check_table(file: Path, name: str) -> None:
    """
    Refuse a table that has a line of more than `MOST_LINE_BYTES`, if it is text, packed or not.

    Parameters
    ----------
    file
        CSV or Parquet.
    name
        What messages call it.

    Raises
    ------
    DataError
        If a line is too long, or the text is packed in another way than gzip or zstd.
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
    Lines of a text, their line feeds included.

    Parameters
    ----------
    text
        The text, which no second copy is made of.

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
            raise DataError(_too_long(line))
        end = end or len(text)
        yield text[start:end]
        start, line = end, line + 1


def _line_ends(chunk: bytes, *, is_quoted: bool) -> tuple[int, int, bool]:
    """Return where the first and the last line end, -1 if none does, and whether the chunk ends within quotes."""
    signs = np.frombuffer(chunk, dtype=np.uint8)
    at = np.flatnonzero((signs == _NEWLINE[0]) | (signs == _QUOTE[0]))
    is_break = signs[at] == _NEWLINE[0]
    within = (np.cumsum(~is_break) + is_quoted) % 2 == 1
    ends = at[is_break & ~within]
    first, last = (int(ends[0]), int(ends[-1])) if ends.size else (-1, -1)
    return first, last, bool(within[-1]) if at.size else is_quoted


def _too_long(line: int, *, is_quoted: bool = False) -> str:
    """Return what is wrong with the line that begins on line `line`."""
    way_out = "close the quote that it opens" if is_quoted else "end each record with a line feed"
    return f"a line must have at most {MOST_LINE_BYTES:,} bytes, line {line} has more; {way_out}"
