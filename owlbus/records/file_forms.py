"""Forms of record files: what their bytes hold, told by content, and standard input as a file."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.common.files import in_temporary_folder
from owlbus.records.text_lines import ZLIB, form_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNSUPPORTED = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; unpack it, or save it as CSV",
    b"BZh": "packed with bzip2; pack it with gzip or zstd",
    b"\xfd7zXZ": "packed with xz; pack it with gzip or zstd",
}

_SEPARATORS = (",", ";", "\t", "|")

_STDIN_COPIES: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def form_of_file(name: str, file: Path) -> str:
    """
    Return the form of a file by its first bytes.

    Parameters
    ----------
    name
        File name in messages.
    file
        The file.

    Returns
    -------
    str
        ``parquet``, ``gzip``, ``zstd`` or ``text``.

    Raises
    ------
    DataError
        If the file is missing, empty, or of a form that cannot be read.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
    except FileNotFoundError as error:
        msg = f"{name}: no such file; check the name"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror}); check its permissions"
        raise DataError(msg) from error
    if not head:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg)
    form = form_of(head)
    problem = ZLIB if form == "zlib" else next((problem for magic, problem in _UNSUPPORTED.items() if head.startswith(magic)), None)
    if problem:
        msg = f"{name}: is {problem}"
        raise DataError(msg)
    return form


def separator_of(file: Path) -> str:
    """
    Return the most frequent separator in the first line of a text.

    Parameters
    ----------
    file
        The text.

    Returns
    -------
    str
        Comma, semicolon, tab or bar.
    """
    import polars as pl

    head = pl.read_csv(
        file, has_header=False, separator="\x01", quote_char=None, n_rows=1, infer_schema=False, encoding="utf8-lossy", glob=False
    )
    line = "".join(map(str, head.row(0))) if head.height else ""
    return max(_SEPARATORS, key=line.count)


def stdin_copy() -> Path:
    """
    Return a private copy of standard input, made once and deleted at exit.

    Returns
    -------
    Path
        Temporary file.
    """
    stream = sys.stdin
    if stream not in _STDIN_COPIES:
        with in_temporary_folder():
            handle, name = tempfile.mkstemp(prefix="owlbus-stdin-")
            with os.fdopen(handle, "wb") as copy:
                shutil.copyfileobj(stream.buffer, copy)
        _STDIN_COPIES[stream] = name
        weakref.finalize(stream, Path(name).unlink, missing_ok=True)
    return Path(_STDIN_COPIES[stream])


@contextmanager
def reading_errors(name: str) -> Iterator[None]:
    """
    Convert errors of polars and the file system into a `DataError` without content of the file.

    Parameters
    ----------
    name
        File name in messages.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        If the file is empty, damaged or cannot be read.
    """
    import polars as pl

    try:
        yield
    except pl.exceptions.NoDataError as error:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: ends in the middle of its data or cannot be read; copy it again"
        raise DataError(msg) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        ragged = "more fields" in str(error)
        problem = "has lines with more fields than its header" if ragged else "is damaged or cut off"
        msg = f"{name}: {problem}; {'quote text that holds the separator' if ragged else 'copy it again'}"
        raise DataError(msg) from error
