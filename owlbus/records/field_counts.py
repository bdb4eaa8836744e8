"""Count of the fields of each line of a text: a line with more fields than the header would shift its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_EXACT_BYTES = 1 << 23


@dataclass(slots=True)
class FieldCount:
    """
    Lines of a text with more separators than its header; separators and line breaks within quotes do not count.

    Every line of the first 8 MB is looked at. After that the lines of a part without quotes are looked at only if the sum of their
    separators is not that of as many headers.

    Attributes
    ----------
    separator
        Column separator, one byte.
    n_separators
        Separators in the header.
    n_empty
        Of these, separators at the end of each row that must stand for nothing: a row with text between them has more fields.
    n_skipped
        Lines before the header, which are not looked at.
    n_long
        Lines with more separators so far.
    first_long
        Line number of the first of them, 0 if there is none.
    """

    separator: int
    n_separators: int
    n_skipped: int = 0
    n_empty: int = 0
    n_long: int = 0
    first_long: int = 0
    _n_lines: int = 0
    _n_bytes: int = 0
    _rest: list[bytes] = field(default_factory=list)

    def feed(self, chunk: bytes) -> None:
        """
        Look at the next part of the text.

        Parameters
        ----------
        chunk
            Bytes; a line may go on in the next part.
        """
        self._n_bytes += len(chunk)
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return
        data = b"".join((*self._rest, chunk))
        text = np.frombuffer(data, dtype=np.uint8)
        is_quoted = b'"' in data
        if not is_quoted and not self.n_empty and self._n_bytes > _EXACT_BYTES:
            size = data.rfind(b"\n") + 1
            n_lines = int(np.count_nonzero(text[:size] == _NEWLINE))
            if np.count_nonzero(text[:size] == self.separator) == n_lines * self.n_separators:
                self._n_lines += n_lines
                self._rest = [data[size:]]
                return
        self._rest = [data[self._look_at(text, is_quoted=is_quoted) :]]

    def end(self) -> None:
        """Look at the last line, which may lack a line end."""
        rest = b"".join(self._rest)
        self._rest = []
        if rest:
            self.feed(b"".join((rest, b"\n")))

    def _look_at(self, text: NDArray[np.uint8], *, is_quoted: bool) -> int:
        """Count the separators of each whole line, and return where the last of them ends."""
        is_break, is_separator = text == _NEWLINE, text == self.separator
        if is_quoted:
            outside = np.cumsum(text == _QUOTE, dtype=np.uint8) % 2 == 0
            is_break, is_separator = is_break & outside, is_separator & outside
        breaks = np.flatnonzero(is_break)
        if not breaks.size:
            return 0
        n_before = np.searchsorted(np.flatnonzero(is_separator), breaks)
        counts = np.diff(n_before, prepend=0)
        skipped = max(0, self.n_skipped - self._n_lines)
        is_long = counts > self.n_separators
        if self.n_empty:
            n_extra = counts - (self.n_separators - self.n_empty)
            is_long |= (n_extra > 0) & (self._n_ended(text, breaks) < n_extra)
        long_lines = np.flatnonzero(is_long[skipped:]) + skipped
        if long_lines.size and not self.first_long:
            self.first_long = self._n_lines + int(long_lines[0]) + 1
        self.n_long += long_lines.size
        self._n_lines += breaks.size
        return int(breaks[-1]) + 1

    def _n_ended(self, text: NDArray[np.uint8], breaks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many separators stand at the end of each line, at most `n_empty`."""
        last = breaks - 1 - (text[breaks - 1] == _RETURN)
        is_ended, n_ended = np.ones(breaks.size, dtype=np.bool_), np.zeros(breaks.size, dtype=np.int64)
        for place in range(self.n_empty):
            is_ended = is_ended & (text[np.maximum(last - place, 0)] == self.separator)
            n_ended += is_ended
        return n_ended
