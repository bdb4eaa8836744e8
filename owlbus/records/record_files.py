"""Find record files: files, folders, globs and hive partitions."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError
from owlbus.common.frames import Table, as_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Records: TypeAlias = Any
    """A path or table, or an iterable of paths, tables or batches; tables are those of `owlbus.common.frames.is_table`."""

STDIN = "-"

TABLES = (".parquet", ".pq")

TEXTS = (".csv", ".tsv", ".txt")

COMPRESSED = (".gz", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class RecordFile:
    """
    One file to read.

    Attributes
    ----------
    name
        Name in messages.
    path
        Path; None for standard input.
    hive
        Values of its ``name=value`` folders, by name.
    is_part
        Whether it comes from a folder or glob, where a file without rows is allowed.
    table
        The rows, if it is a table of Python and no file; it is spooled if it has a path.
    """

    name: str
    path: Path | None
    hive: dict[str, str] = field(default_factory=dict)
    is_part: bool = False
    table: Table | None = None


def find_files(paths: Records) -> list[RecordFile]:
    """
    Expand paths to files, in order; files of a folder or glob are sorted by name, and tables are called ``records`` or ``frame 1``.

    Parameters
    ----------
    paths
        Files, folders (searched recursively), globs, or ``-`` for standard input. In folders, names with a leading ``.`` or ``_`` are
        skipped. Or tables of pandas, polars or pyarrow, or iterables of their batches.

    Returns
    -------
    list of RecordFile
        Files, each once.

    Raises
    ------
    UsageError
        If nothing is named, a file twice, or something is neither a path nor a table.
    DataError
        If no file is found, or a folder has other files.
    """
    things = as_tables(paths)
    tables = [thing for thing in things if isinstance(thing, Table)]
    names = [tables[0].name] if len(tables) == 1 else [f"frame {number}" for number in range(1, len(tables) + 1)]
    named = iter([RecordFile(name, table.path, table=table) for name, table in zip(names, tables, strict=True)])
    files = [file for thing in things for file in ([next(named)] if isinstance(thing, Table) else _expanded(str(thing)))]
    if not files:
        msg = "no file of records was named; name at least one, or - for standard input"
        raise UsageError(msg)
    seen: set[str] = set()
    for file in files:
        key = file.name if file.path is None else str(file.path.resolve())
        if key in seen:
            msg = f"{file.name}: named twice; its records would count twice; leave one of them out"
            raise UsageError(msg)
        seen.add(key)
    return files


def _expanded(text: str) -> Iterator[RecordFile]:
    """Yield the files of one path or glob."""
    path = Path(text)
    if text == STDIN:
        yield RecordFile("stdin", None)
    elif path.is_dir():
        yield from _in_folder(path)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        if not matches:
            msg = f"{text}: matches no file; check the pattern"
            raise DataError(msg)
        for match in matches:
            match_path = Path(match)
            if match_path.is_dir():
                yield from _in_folder(match_path)
            elif not match_path.name.startswith((".", "_")):
                yield RecordFile(match, match_path, _hive_values(match_path), is_part=True)
    else:
        yield RecordFile(text, path, _hive_values(path))


def _in_folder(folder: Path) -> Iterator[RecordFile]:
    """Yield the record files in a folder; reject other files."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    strays = [path for path in files if not _is_records(path)]
    if strays:
        others = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        msg = (
            f"{folder}: holds {strays[0].relative_to(folder)}{others}, which by the name is no file of records; move it, "
            f"or name files with a pattern such as '{folder}/*.parquet'"
        )
        raise DataError(msg)
    if not files:
        msg = f"{folder}: is a folder without files of records; put Parquet or CSV files in it"
        raise DataError(msg)
    for path in files:
        yield RecordFile(str(path), path, _hive_values(path), is_part=True)


def _is_records(path: Path) -> bool:
    """Return whether a file name has a suffix of record files."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return False
    if suffixes[-1] in COMPRESSED:
        return len(suffixes) > 1 and suffixes[0] in TEXTS
    return suffixes[-1] in TABLES + TEXTS


def _hive_values(path: Path) -> dict[str, str]:
    """Return the values of ``name=value`` folders above a file, by name."""
    pairs = (part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {name: value for name, value in pairs if name.isidentifier()}


def is_given(paths: Any) -> bool:  # noqa: ANN401 - paths or tables
    """
    Whether any files or tables are named.

    Parameters
    ----------
    paths
        What `find_files` takes, or None.

    Returns
    -------
    bool
        False for None and for an empty list.
    """
    return paths is not None and not (isinstance(paths, list | tuple) and not paths)
