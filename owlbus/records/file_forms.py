"""Forms of record files: what their bytes hold, told by content, and how each becomes a table that the readers take."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.common.files import in_temporary_folder
from owlbus.common.machine import delete_if_allowed
from owlbus.grid.gis_files import is_gis_file
from owlbus.records.prepare_text import PreparedFile, as_utf8, text_copy, unpacked_copy, with_header_first
from owlbus.records.table_files import arrow_copy, gis_copy, is_spreadsheet, json_copy, sheet_copy
from owlbus.records.text_heads import HEAD_BYTES, head_of
from owlbus.records.text_lines import ZLIB, form_of, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_KNOWN = 256
"""Files whose prepared form is remembered; private copies of others are removed with their last use."""

_UNSUPPORTED = {
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"FEA1": "Feather of version 1; save it as Feather 2 or Parquet",
    b"%PDF": "a PDF document; save its table as CSV",
    b"SQLite format 3": "a database; save its table as CSV or Parquet",
    b"\x89HDF": "HDF5; save its table as CSV or Parquet",
    b"ORC": "ORC; save it as Parquet",
    b"Obj\x01": "Avro; save it as Parquet",
    b"\x04\x22\x4d\x18": "packed with LZ4; pack it with gzip or zstd",
}

_MAGIC = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\xd0\xcf\x11\xe0": "sheet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}

_OBJECT = re.compile(rb'^(?:\xef\xbb\xbf)?\s*(?:(\[)\s*(?:\{|\]\s*$)|\{\s*["}])')

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
        ``parquet``, ``gzip``, ``zstd``, ``bzip2``, ``xz``, ``zip``, ``sheet``, ``arrow``, ``arrow stream`` or ``text``.

    Raises
    ------
    DataError
        If the file is missing, empty, or of a form that cannot be read.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(72)
    except FileNotFoundError as error:
        msg = f"{name}: no such file; check the name"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror}); check its permissions"
        raise DataError(msg) from error
    if not head:
        msg = f"{name}: the file is empty; records need a header and rows"
        raise DataError(msg)
    if head[68:72] == b"GPKG":
        return "gis"
    form = next((form for magic, form in _MAGIC.items() if head.startswith(magic)), form_of(head))
    problem = ZLIB if form == "zlib" else next((problem for magic, problem in _UNSUPPORTED.items() if head.startswith(magic)), None)
    if problem:
        msg = f"{name}: is {problem}"
        raise DataError(msg)
    return "sheet" if form == "zip" and is_spreadsheet(file) else form


@lru_cache(maxsize=_MOST_KNOWN)
def prepared_file(name: str, path: Path, sheet: str | None, _state: tuple[int, int]) -> PreparedFile:
    """
    Return a record file in a form that the readers take, converted to a private copy where it needs to be; cached for each state.

    Parameters
    ----------
    name
        File name in messages.
    path
        The file.
    sheet
        Sheet of a spreadsheet; None for the first.
    _state
        Size in bytes and modification time of the file in nanoseconds.

    Returns
    -------
    PreparedFile
        The file.

    Raises
    ------
    DataError
        If it is damaged, or of a form that cannot be read.
    """
    form = form_of_file(name, path)
    if form == "parquet":
        return PreparedFile(path, form)
    if form == "sheet":
        copy, n_skipped, notes = sheet_copy(name, path, sheet)
        return _prepared_text(name, PreparedFile(copy.path, "text", place=("row", n_skipped), notes=notes, copy=copy))
    if sheet is not None:
        msg = f"{name}: only spreadsheets and ZIP archives have parts; name the file alone"
        raise DataError(msg)
    if form.startswith("arrow"):
        with reading_errors(name):
            copy = arrow_copy(name, path, is_stream=form == "arrow stream")
        return PreparedFile(copy.path, "parquet", copy=copy)
    if form in {"bzip2", "xz"}:
        copy = unpacked_copy(name, path, form)
        return _prepared_text(name, PreparedFile(copy.path, "text", place=("line", 0), copy=copy))
    if form == "gis" or is_gis_file(path):
        copy = gis_copy(name, path)
        return PreparedFile(copy.path, "parquet", copy=copy)
    return _prepared_text(name, PreparedFile(path, form, place=("line", 0)))


def _prepared_text(name: str, file: PreparedFile) -> PreparedFile:
    """Return a text or JSON in UTF-8, with the header on its first line; its place counts from the first line."""
    with reading_errors(name):
        file, scan = as_utf8(name, file)
        with open_text(file.path, file.form) as stream:
            head = stream.read(HEAD_BYTES)
        found = _OBJECT.match(head)
        if found:
            if file.form != "text":
                copy = text_copy(file)
                file = replace(file, path=copy.path, form="text", copy=copy)
            if found[1] is None and b'"FeatureCollection"' in head:
                copy = gis_copy(name, file.path)
                return PreparedFile(copy.path, "parquet", copy=copy)
            copy = json_copy(name, file.path, is_lines=found[1] is None)
            return PreparedFile(copy.path, "parquet", notes=file.notes, copy=copy)
        return with_header_first(name, file, scan)


def separator_of(file: Path) -> str:
    """
    Return the column separator of a text.

    Parameters
    ----------
    file
        The text, UTF-8.

    Returns
    -------
    str
        Comma, semicolon, tab or bar.
    """
    with file.open("rb") as stream, open_text(file, form_of(stream.read(4))) as text:
        return head_of(text.read(HEAD_BYTES)).separator


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
        weakref.finalize(stream, delete_if_allowed, Path(name))
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
