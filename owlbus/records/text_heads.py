"""First and last lines of text tables: encoding, separator, header line, and lines that are no rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.records.profiles import looks_like_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEPARATORS = (",", ";", "\t", "|")
"""Column separators, in order of preference."""

HEAD_BYTES = 1 << 16
"""Bytes from the beginning or end of a text that are looked at."""

_MOST_LINES = 200
_MOST_FOOTERS = 20
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_QUOTED = re.compile(r'"[^"]*"')
_SEP_LINE = re.compile(r'^"?sep=(\\t|.)"?$', re.IGNORECASE)
_COMMENT = "#"


@dataclass(frozen=True, slots=True)
class TextHead:
    """
    Beginning of a text table.

    Attributes
    ----------
    separator
        Column separator.
    n_bytes
        Bytes before the header line.
    n_lines
        Lines before the header line.
    n_separators
        Separators in the header.
    header
        Header to write in place of the line there, without a line end; None to keep that line.
    n_empty
        Separators at the end of each row that stand for no column, which `header` has too.
    """

    separator: str
    n_bytes: int = 0
    n_lines: int = 0
    n_separators: int = 0
    header: bytes | None = None
    n_empty: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether the header is the first line and needs no change."""
        return self.n_bytes == 0 and self.header is None


def wide_encoding(head: bytes) -> str | None:
    """
    Return the encoding of a text whose characters have two or four bytes.

    Parameters
    ----------
    head
        First bytes.

    Returns
    -------
    str or None
        ``utf-16``, ``utf-32`` (both with a byte order mark), ``utf-16-le`` or ``utf-16-be``; None for texts of single bytes.
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    pairs = len(head) // 2
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
        if pairs >= 4 and head[first : 2 * pairs : 2].count(0) * 2 > pairs > 8 * head[1 - first : 2 * pairs : 2].count(0):  # noqa: PLR2004
            return encoding
    return None


def narrow_encoding(lines: Iterable[bytes]) -> str:
    """
    Return the encoding of a text that is not UTF-8: Korean or Western European.

    Parameters
    ----------
    lines
        Lines with bytes beyond ASCII.

    Returns
    -------
    str
        ``cp949`` if all lines decode to it and most characters beyond ASCII are common Hangul, else ``cp1252``, or ``latin-1`` for
        bytes that it lacks.
    """
    text = b"\n".join(lines)
    try:
        letters = [character for character in text.decode("cp949") if ord(character) > 127]  # noqa: PLR2004 - ASCII
    except UnicodeDecodeError:
        letters = []
    hangul = sum("가" <= letter <= "힣" and len(_common_hangul(letter)) == 2 for letter in letters)  # noqa: PLR2004 - bytes
    if letters and hangul >= 0.7 * len(letters):
        return "cp949"
    try:
        text.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _common_hangul(letter: str) -> bytes:
    """Return a syllable in EUC-KR, empty if it is none of the 2,350 common ones."""
    return letter.encode("euc_kr", "ignore")


def head_of(head: bytes) -> TextHead:
    """
    Find the header line and the separator of a text table.

    Blank lines, comments (``#``), a line ``sep=;`` and titles may stand before the header. The header is the first line with as many
    separators as most lines after it; the first line if there is none.

    Parameters
    ----------
    head
        First bytes of the text, UTF-8.

    Returns
    -------
    TextHead
        The beginning.
    """
    raw = _lines(head)
    if len(raw) > 1 and len(head) >= HEAD_BYTES:
        raw.pop()  # cut off
    raw = raw[:_MOST_LINES]
    lines = [line.decode("utf-8", "replace").strip("\ufeff").rstrip("\r") for line in raw]
    begin, forced = _first_line(lines)
    if begin == len(lines):
        return TextHead(separator_of_line(lines[0]))
    separators = (forced,) if forced else SEPARATORS
    begin = _after_padded_titles(lines, begin, separators)
    separator, index = _header(lines[begin:], separators)
    index += begin
    header = _header_in_comment(lines, index, separator)
    start = index if header is None else index - 1
    n_empty = _empty_ends(lines[index:], separator) if header is None else 0
    header = lines[index] + n_empty * separator if n_empty else header
    n_bytes = sum(len(line) + 1 for line in raw[:start])
    n_separators = _count(lines[start] if header is None else header, separator)
    return TextHead(separator, n_bytes, start, n_separators, None if header is None else header.encode(), n_empty)


def _lines(head: bytes) -> list[bytes]:
    """Return the lines of a text; line breaks within quotes do not end one, unless a quote never closes."""
    raw = head.split(b"\n")
    if head.count(b'"') < 2:  # noqa: PLR2004 - an open and a closing one
        return raw
    lines, pending = [], b""
    for line in raw:
        pending = pending + b"\n" + line if pending else line
        if pending.count(b'"') % 2 == 0:
            lines.append(pending)
            pending = b""
    return [*lines, pending] if pending and lines else lines or raw


def separator_of_line(line: str) -> str:
    """
    Return the most frequent separator in a line; quoted text does not count.

    Parameters
    ----------
    line
        A line.

    Returns
    -------
    str
        Comma, semicolon, tab or bar; a comma if there is none.
    """
    return max(SEPARATORS, key=lambda separator: _count(line, separator))


def rows_end(tail: bytes, head: TextHead) -> int | None:
    """
    Return where the rows of a text end before a footer whose lines have more fields than the header.

    Parameters
    ----------
    tail
        Last bytes of the text; a first line that may be cut off is not looked at.
    head
        The beginning.

    Returns
    -------
    int or None
        Bytes before the end of the text where the footer begins; None if there is no such footer.
    """
    lines = tail.rstrip(b"\n").split(b"\n")
    n_after = len(tail) - len(tail.rstrip(b"\n"))
    footer, is_long = 0, False
    for line in reversed(lines[1:]):
        text = line.decode("utf-8", "replace")
        n = _count(text, head.separator)
        if text.count('"') % 2 or footer == _MOST_FOOTERS:
            return None
        if n == head.n_separators:
            return n_after + sum(len(line) + 1 for line in lines[len(lines) - footer :]) if is_long else None
        footer, is_long = footer + 1, is_long or n > head.n_separators
    return None


def _first_line(lines: Sequence[str]) -> tuple[int, str]:
    """Return the first line that is neither blank, a comment nor ``sep=``, and the separator that such a line names, if any."""
    forced = ""
    for index, line in enumerate(lines):
        found = _SEP_LINE.match(line.strip()) if not forced else None
        if found:
            forced = "\t" if found[1] == "\\t" else found[1]
        elif line.strip() and not line.lstrip().startswith(_COMMENT):
            return index, forced if forced in SEPARATORS else ""
    return len(lines), ""


def _header(lines: Sequence[str], separators: Sequence[str]) -> tuple[str, int]:
    """Return the separator, and which line is the header."""
    rows = _rows_after(lines)
    first = max(separators, key=lambda separator: _count(lines[0], separator))
    n_first = _count(lines[0], first)
    usual, _ = _usual_count(rows, first)
    is_usual = usual in {n_first, n_first - lines[0].endswith(first), n_first + 1}
    if not rows or (n_first and (is_usual or _empty_ends(lines, first))):
        return first, 0
    best = max(separators, key=lambda separator: _weight(rows, separator))
    usual, n_rows = _usual_count(rows, best)
    if usual and n_rows * 2 > len(rows):
        index = next(index for index, line in enumerate(lines) if _count(line, best) == usual)
        if not _looks_like_row(lines[index], best):
            return best, index
    return first, 0


def _weight(rows: Sequence[str], separator: str) -> int:
    """Return the number of separators in the rows that have the usual number of them."""
    usual, n_rows = _usual_count(rows, separator)
    return usual * n_rows


def _usual_count(rows: Sequence[str], separator: str) -> tuple[int, int]:
    """Return the most frequent number of separators in a row, and how many rows have it."""
    return Counter(_count(row, separator) for row in rows).most_common(1)[0] if rows else (0, 0)


def _header_in_comment(lines: Sequence[str], index: int, separator: str) -> str | None:
    """Return the comment right before a row that names the columns of a table without a header, if there is one."""
    if not index or not _looks_like_row(lines[index], separator):
        return None
    comment = lines[index - 1].strip().lstrip(_COMMENT).strip()
    is_header = lines[index - 1].lstrip().startswith(_COMMENT) and _count(comment, separator) == _count(lines[index], separator) > 0
    return comment if is_header else None


def _empty_ends(lines: Sequence[str], separator: str) -> int:
    """Return how many separators more than the header most rows have, if they stand at the ends of those rows; else 0."""
    rows, n = _rows_after(lines), _count(lines[0], separator)
    n_more = _usual_count(rows, separator)[0] - n if n else 0
    n_ended = sum(_count(line, separator) == n + n_more and line.endswith(separator * n_more) for line in rows)
    return n_more if n_more > 0 and 2 * n_ended > len(rows) else 0


def _rows_after(lines: Sequence[str]) -> list[str]:
    """Return the lines after a header that are neither blank nor comments."""
    return [line for line in lines[1:] if line.strip() and not line.lstrip().startswith(_COMMENT)]


def _after_padded_titles(lines: Sequence[str], begin: int, separators: Sequence[str]) -> int:
    """Return the first line from `begin` on of which at least half of the fields hold text; `begin` if that is none of names."""
    for index, line in enumerate(lines[begin:], begin):
        separator = max(separators, key=lambda separator: _count(line, separator))
        fields = _QUOTED.sub("x", line).split(separator)
        if line.strip() and 2 * sum(bool(field.strip()) for field in fields) >= len(fields):
            is_header = len(fields) > 1 and not line.lstrip().startswith(_COMMENT) and not _looks_like_row(line, separator)
            return index if is_header else begin
    return begin


def _looks_like_row(line: str, separator: str) -> bool:
    """Return whether most fields of a line look like values."""
    fields = [field.strip().strip('"') for field in line.split(separator)]
    return sum(map(looks_like_value, fields)) * 2 > len(fields)


def _count(line: str, separator: str) -> int:
    """Return the number of separators in a line, without those in quotes."""
    return (_QUOTED.sub("", line) if '"' in line else line).count(separator)
