"""Texts of records in UTF-8 with the header on the first line: private copies where a file is something else."""

from __future__ import annotations

import bz2
import codecs
import lzma
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from owlbus.common.errors import DataError
from owlbus.common.files import in_temporary_folder
from owlbus.records.field_counts import FieldCount
from owlbus.records.private_copies import COPY_BYTES, PrivateCopy, private_file
from owlbus.records.table_files import copy_stream
from owlbus.records.text_heads import HEAD_BYTES, TextHead, head_of, narrow_encoding, rows_end, wide_encoding
from owlbus.records.text_lines import TextScan, open_text, scan_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENCODINGS = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp949": "CP949 (Korean)",
    "cp1252": "Windows-1252 (Western European)",
    "latin-1": "ISO 8859-1 (Western European)",
}
_SAMPLE_BYTES = 1 << 20
_TAR = slice(257, 262)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFile:
    """
    Record file in a form that the readers take: Parquet or UTF-8 text with the header on its first line.

    Attributes
    ----------
    path
        The file itself, or a private copy.
    form
        ``parquet``, ``gzip``, ``zstd`` or ``text``.
    separator
        Column separator of a text.
    n_quotes
        Number of quotes in a text.
    place
        What rows are called in messages, ``row`` or ``line``, and the number of the first.
    notes
        What was recognised in the file, as predicates after its name.
    copy
        The private copy, kept as long as it is read.
    """

    path: Path
    form: str
    separator: str = ""
    n_quotes: int = 0
    place: tuple[str, int] = ("row", 1)
    notes: tuple[str, ...] = ()
    copy: PrivateCopy | None = None


def unpacked_copy(name: str, path: Path, form: str) -> PrivateCopy:
    """
    Unpack a text that is packed with bzip2 or xz.

    Parameters
    ----------
    name
        File name in messages.
    path
        The file.
    form
        ``bzip2`` or ``xz``.

    Returns
    -------
    PrivateCopy
        The text.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    try:
        with private_file() as (copy, made), (bz2.open if form == "bzip2" else lzma.open)(path) as packed, copy.open("wb") as text:
            copy_stream(packed, text)
    except (OSError, EOFError, lzma.LZMAError) as error:
        msg = f"{name}: ends in the middle of its data or cannot be read; copy it again"
        raise DataError(msg) from error
    return made[0]


def text_copy(file: PreparedFile) -> PrivateCopy:
    """
    Return a compressed text as a text.

    Parameters
    ----------
    file
        The text.

    Returns
    -------
    PrivateCopy
        The same text, not compressed.
    """
    with private_file() as (copy, made), open_text(file.path, file.form) as packed, copy.open("wb") as text:
        copy_stream(packed, text)
    return made[0]


def as_utf8(name: str, file: PreparedFile) -> tuple[PreparedFile, TextScan]:
    """
    Return a text in UTF-8 whose lines end with line feeds; check the length of its lines.

    Parameters
    ----------
    name
        File name in messages.
    file
        The text.

    Returns
    -------
    file
        The file itself, or a private copy, with a note that names the encoding; with its quotes counted.
    scan
        What a pass over its bytes told.

    Raises
    ------
    DataError
        If a line is too long, or the file is an archive.
    """
    with open_text(file.path, file.form) as stream:
        head = stream.read(HEAD_BYTES)
    if head[_TAR] == b"ustar":
        msg = f"{name}: is a tar archive; unpack it"
        raise DataError(msg)
    encoding = wide_encoding(head)
    is_mac = encoding is None and b"\r" in head and b"\n" not in head
    if encoding is not None:
        file = _decoded(name, file, encoding)
    elif is_mac:
        file = _decoded(name, file, None)
    scan = _scanned(name, file)
    if scan.is_utf8:
        return replace(file, n_quotes=scan.n_quotes), scan
    with open_text(file.path, file.form) as stream:
        encoding = narrow_encoding(_lines_beyond_ascii(stream))
    file = _decoded(name, file, encoding)
    scan = _scanned(name, file)
    return replace(file, n_quotes=scan.n_quotes), scan


def _scanned(name: str, file: PreparedFile) -> TextScan:
    """Return what a pass over a text tells, with the lines that have more fields than the header."""
    with open_text(file.path, file.form) as stream:
        head = head_of(stream.read(HEAD_BYTES))
    with open_text(file.path, file.form) as stream:
        return scan_text(stream, name, FieldCount(ord(head.separator), head.n_separators, head.n_lines, head.n_empty))


def with_header_first(name: str, file: PreparedFile, scan: TextScan) -> PreparedFile:
    """
    Return a text that begins with its header and ends with its rows.

    Parameters
    ----------
    name
        File name in messages.
    file
        The text in UTF-8, its place counted from the first line.
    scan
        What a pass over its bytes told.

    Returns
    -------
    PreparedFile
        The file itself, or a private copy without the lines before the header and after the rows, with notes on them; its place is that
        of the first row.

    Raises
    ------
    DataError
        If a row has more fields than the header, which would shift its columns.
    """
    with open_text(file.path, file.form) as stream:
        head = head_of(stream.read(HEAD_BYTES))
    end = rows_end(scan.tail, head) if scan.n_long and scan.n_quotes % 2 == 0 else None
    if scan.n_long and end is None and scan.n_quotes % 2 == 0:
        raise _ragged(name, file, scan.first_long)
    place = (file.place[0], file.place[1] + head.n_lines + 2)
    file = replace(file, separator=head.separator, place=place)
    if head.is_plain and end is None:
        return file
    with private_file() as (path, made), open_text(file.path, file.form) as source:
        _write_rows(path, source, head, end)
    notes = (*file.notes, *_notes(head, file.place[0], has_footer=end is not None))
    copy = replace(file, path=path, form="text", notes=notes, copy=made[0])
    scan = _scanned(name, copy)
    if scan.n_long and scan.n_quotes % 2 == 0:
        raise _ragged(name, file, scan.first_long + head.n_lines)
    return replace(copy, n_quotes=scan.n_quotes)


def _ragged(name: str, file: PreparedFile, line: int) -> DataError:
    """Return the error for a row with more fields than the header."""
    where = f"{file.place[0]} {line}"
    return DataError(f"{name}: has lines with more fields than its header, first on {where}; quote text that holds the separator")


def _notes(head: TextHead, word: str, *, has_footer: bool) -> Iterator[str]:
    """Yield notes on what was left out of a text."""
    if head.n_lines:
        yield f"has its header on {word} {head.n_lines + 1}; what stands before it is left out"
    if has_footer:
        yield f"ends with {word}s of more fields than its header, which are left out"


def _write_rows(path: Path, source: IO[bytes], head: TextHead, end: int | None) -> None:
    """Write the header and the rows of a text."""
    size = 0
    with path.open("wb") as target:
        begin = source.read(head.n_bytes + HEAD_BYTES)[head.n_bytes :]
        if head.header is not None:
            begin = head.header + begin[begin.find(b"\n") :]
        while begin:
            with in_temporary_folder():
                target.write(begin)
            size += len(begin)
            begin = source.read(COPY_BYTES)
        if end is not None:
            target.truncate(size - end)


def _decoded(name: str, file: PreparedFile, encoding: str | None) -> PreparedFile:
    """Return a text in UTF-8 with line feeds; None is a text of single bytes whose lines end with carriage returns."""
    with private_file() as (path, made), open_text(file.path, file.form) as source, path.open("wb") as target:
        decoder = codecs.getincrementaldecoder(encoding or "latin-1")("replace")
        while True:
            chunk = source.read(COPY_BYTES)
            text = decoder.decode(chunk, final=not chunk)
            data = text.encode("utf-8" if encoding else "latin-1", "replace")
            with in_temporary_folder():
                target.write(data if encoding else data.replace(b"\r", b"\n"))
            if not chunk:
                break
    note = f"is text in {_ENCODINGS[encoding]}" if encoding else "has lines that end with carriage returns"
    decoded = replace(file, path=path, form="text", notes=(*file.notes, note), copy=made[0])
    with open_text(path, "text") as stream:
        head = stream.read(HEAD_BYTES)
    return _decoded(name, decoded, None) if b"\r" in head and b"\n" not in head else decoded


def _lines_beyond_ascii(stream: IO[bytes]) -> list[bytes]:
    """Return the first lines of a text that hold bytes beyond ASCII, about 1 MB of them."""
    lines: list[bytes] = []
    rest, size = b"", 0
    while size < _SAMPLE_BYTES and (chunk := stream.read(COPY_BYTES)):
        *whole, rest = (rest + chunk).split(b"\n")
        found = [line for line in whole if not line.isascii()]
        lines += found
        size += sum(map(len, found))
    return lines if rest.isascii() else [*lines, rest]
