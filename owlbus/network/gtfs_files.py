"""Open a GTFS feed as a zip, a folder, or either inside a zip, and read its files as tables of text."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.common.errors import DataError
from owlbus.common.files import read_member
from owlbus.records.text_lines import check_lines, form_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

NEEDED = ("stops", "routes", "trips", "stop_times")
"""Names of the tables without which a feed has no lines."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NESTED = 2


class FeedFiles(NamedTuple):
    """
    Files of a feed.

    Attributes
    ----------
    source
        Path in messages.
    read
        Function that reads a table by its name, such as ``stops``, as bytes; None for a missing one.
    """

    source: str
    read: Callable[[str], bytes | None]


def open_feed(path: str | PathLike[str]) -> FeedFiles:
    """
    Open a feed: a zip or a folder, whose tables may lie in a folder inside it, or in a zip inside the zip.

    Parameters
    ----------
    path
        Zip or folder.

    Returns
    -------
    FeedFiles
        Its files; names of files count whatever their case.

    Raises
    ------
    DataError
        If there is no such file, it is no zip, or it holds several feeds.
    """
    source = Path(path)
    try:
        return _folder(source) if source.is_dir() else _archive(source.read_bytes(), str(source), _NESTED)
    except DataError:
        raise
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "no zip and no folder"
        msg = f"{source}: {reason}; name a GTFS feed as .zip or as a folder of its .txt files"
        raise DataError(msg) from None


def _folder(source: Path) -> FeedFiles:
    """Files of the folder, or of the highest folder inside it, that has a table of stops."""
    files = [file for file in source.rglob("*") if file.suffix.lower() == ".txt" and "__MACOSX" not in file.parts and file.is_file()]
    files.sort(key=lambda file: (len(file.parts), str(file)))
    home = next((file.parent for file in files if file.name.lower() == "stops.txt"), source)
    paths = {file.name.lower(): file for file in reversed(files) if file.parent == home}
    return FeedFiles(str(source), lambda name: paths[f"{name}.txt"].read_bytes() if f"{name}.txt" in paths else None)


def _archive(data: bytes, source: str, depth: int) -> FeedFiles:
    """Files of a zip, in the highest folder that has a table of stops; without one, of the only zip inside it."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = {PurePosixPath(name.replace("\\", "/")): name for name in archive.namelist() if "__MACOSX" not in name}
    tables = sorted((path for path in members if path.name.lower() == "stops.txt"), key=lambda path: (len(path.parts), str(path)))
    inner = sorted(path for path in members if path.suffix.lower() == ".zip")
    if not tables and inner and depth > 1:
        if len(inner) > 1:
            msg = f"{source}: holds {len(inner)} zips, a feed must be one; unpack it and name one of them, such as {inner[0].name}"
            raise DataError(msg)
        return _archive(read_member(archive, members[inner[0]], source), f"{source}: {inner[0].name}", depth - 1)
    home = tables[0].parent if tables else PurePosixPath()
    names = {path.name.lower(): name for path, name in members.items() if path.parent == home}

    def read(name: str) -> bytes | None:
        member = names.get(f"{name}.txt")
        return None if member is None else read_member(archive, member, source)

    return FeedFiles(source, read)


def text_table(files: FeedFiles, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> Any:  # noqa: ANN401  # polars
    """
    Columns of one table as stripped text, with empty fields as null and without blank lines.

    Byte order marks, UTF-16 and Windows-1252, semicolons and tabs between fields, blanks around names and fields, stray quotes and
    lines of unequal length are tolerated.

    Parameters
    ----------
    files
        The feed.
    name
        Name of the table, such as ``stops``.
    required, optional
        Names of columns; an optional one that is missing is null throughout.

    Returns
    -------
    polars.DataFrame
        These columns; no rows if the table is missing and not among `NEEDED`.

    Raises
    ------
    DataError
        If the table or a required column is missing, a column stands there twice, or the file is not text.
    """
    import polars as pl

    columns, data = (*required, *optional), files.read(name)
    if data is None or not data.strip():
        if name in NEEDED:
            msg = f"{files.source}: holds no {name}.txt, which a feed needs ({', '.join(f'{table}.txt' for table in NEEDED)})"
            raise DataError(msg)
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    where = f"{files.source}: {name}.txt"
    frame = _parsed(_utf8(data, where), where)
    names = [column.strip().strip('"').strip().lower() for column in frame.columns]
    repeated = next((name for name in columns if names.count(name) > 1), None)
    if repeated is not None:
        msg = f"{where} has the column {repeated!r} twice ({names.count(repeated)} times); keep one of them"
        raise DataError(msg)
    missing = [column for column in required if column not in names]
    if missing:
        msg = f"{where} must have the column {missing[0]!r}, found {', '.join(names)}"
        raise DataError(msg)
    found = {name: frame.columns[k] for k, name in enumerate(names) if name in columns}
    text = frame.select(_column(found, name) for name in columns)
    text = text.with_columns(pl.all().str.strip_chars()).with_columns(pl.when(pl.all() != "").then(pl.all()))
    return text.filter(~pl.all_horizontal(pl.all().is_null()))


def _column(found: Mapping[str, str], name: str) -> Any:  # noqa: ANN401  # polars
    """Column by its plain name; null throughout if it is missing."""
    import polars as pl

    return pl.col(found[name]).alias(name) if name in found else pl.lit(None, pl.String).alias(name)


def _utf8(data: bytes, where: str) -> bytes:
    """Text in UTF-8 without a byte order mark; what is no UTF-8 is read as Windows-1252."""
    data = data.lstrip(b"\xef\xbb\xbf \r\n\t")
    if form_of(data[:4]) != "text":
        msg = f"{where} must be text, and is packed once more; unpack it"
        raise DataError(msg)
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8"
    try:
        data = data if encoding == "utf-8" and data.isascii() else data.decode(encoding).encode()
    except UnicodeDecodeError:
        data = data.decode("cp1252", errors="ignore").encode()
    return data if b"\n" in data else data.replace(b"\r", b"\n")


def _parsed(data: bytes, where: str) -> Any:  # noqa: ANN401  # polars
    """Table of text; a quote that no other closes ends with its line, and what polars does not read is read row by row."""
    import polars as pl

    is_open = check_lines(io.BytesIO(data), where) % 2 == 1
    head = data.split(b"\n", 1)[0]
    separator = max((b",", b";", b"\t"), key=head.count).decode()
    reason = "a quote that no other closes"
    if not is_open:
        try:
            return pl.read_csv(data, infer_schema=False, truncate_ragged_lines=True, separator=separator, encoding="utf8-lossy")
        except pl.exceptions.PolarsError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
    text = data.decode(errors="replace").replace("\0", "")
    pieces = ([line] for line in text.splitlines()) if is_open else [io.StringIO(text, newline="")]
    try:
        names, *rows = (row for piece in pieces for row in csv.reader(piece, delimiter=separator))
    except (csv.Error, ValueError):
        msg = f"{where} is no readable table ({reason}); mend the line"
        raise DataError(msg) from None
    names = [f"{name}_{k}" if name in names[:k] and not name.strip() else name for k, name in enumerate(names)]
    if len(set(names)) < len(names):
        msg = f"{where} has a column twice ({len(names) - len(set(names))} such); keep one of them"
        raise DataError(msg)
    width = len(names)
    return pl.DataFrame([(*row[:width], *[""] * (width - len(row))) for row in rows], dict.fromkeys(names, pl.String), orient="row")
