"""Find record files: files, folders, globs and hive partitions."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError
from owlbus.common.frames import Table, as_tables
from owlbus.records.file_forms import form_of_file, stdin_copy
from owlbus.records.table_files import is_by_product, zip_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Records: TypeAlias = Any
    """A path or table, or an iterable of paths, tables or batches; tables are those of `owlbus.common.frames.is_table`."""

    from owlbus.records.private_copies import PrivateCopy

STDIN = "-"

TABLES = (
    ".parquet",
    ".pq",
    ".feather",
    ".arrow",
    ".ipc",
    ".arrows",
    ".json",
    ".jsonl",
    ".ndjson",
    ".xlsx",
    ".xlsm",
    ".xlsb",
    ".xls",
    ".ods",
    ".gpkg",
    ".geojson",
    ".fgb",
    ".shp",
)

TEXTS = (".csv", ".tsv", ".txt")

COMPRESSED = (".gz", ".zst", ".zstd", ".bz2", ".xz")

ARCHIVES = (".zip",)


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
        Whether it comes from a folder, glob or archive, where a file without rows is allowed.
    part
        Sheet of a spreadsheet or member of an archive, from a name such as ``book.xlsx#Sheet2``; None for the first or all.
    copy
        The unpacked member of an archive; None for other files.
    archive
        The archive that a member was unpacked from; None for other files.
    table
        The rows, if it is a table of Python and no file; it is spooled if it has a path.
    notes
        What is known of it beside its content, as predicates after its name.
    """

    name: str
    path: Path | None
    hive: dict[str, str] = field(default_factory=dict)
    is_part: bool = False
    part: str | None = None
    copy: PrivateCopy | None = None
    archive: Path | None = None
    table: Table | None = None
    notes: tuple[str, ...] = ()


def find_files(paths: Records) -> list[RecordFile]:
    """
    Expand paths to files, in order; files of a folder or glob are sorted by name, and tables are called ``records`` or ``frame 1``.

    Parameters
    ----------
    paths
        Files, folders (searched recursively), globs, or ``-`` for standard input. In folders, names with a leading ``.`` or ``_``, and
        notes such as ``README.txt``, are skipped. A number sign names a sheet of a spreadsheet or a member of a ZIP archive:
        ``book.xlsx#Sheet2``. Or tables of pandas, polars or pyarrow, or iterables of their batches.

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
        key = file.name if file.path is None else f"{file.path.resolve()}#{file.part or ''}"
        if key in seen:
            msg = f"{file.name}: named twice; its records would count twice; leave one of them out"
            raise UsageError(msg)
        seen.add(key)
    return files


def _expanded(text: str) -> Iterator[RecordFile]:
    """Yield the files of one path or glob."""
    path = Path(text)
    whole, _, part = text.rpartition("#")
    if text == STDIN:
        yield RecordFile("stdin", None)
    elif path.is_dir():
        yield from _in_folder(path)
    elif part and not path.exists() and Path(whole).is_file():
        yield RecordFile(text, Path(whole), _hive_values(Path(whole)), part=part)
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
    """Yield the record files in a folder, without files that describe it; reject other files."""
    shown = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    files = [path for path in shown if not is_by_product(path.name)]
    strays = [path for path in files if not is_records(path) and path.suffix.lower() not in ARCHIVES]
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
    left_out = ", ".join(str(path.relative_to(folder)) for path in shown if path not in set(files))
    notes = (f"comes with files that hold no records and are left out: {left_out}",) if left_out else ()
    for path in files:
        yield RecordFile(str(path), path, _hive_values(path), is_part=True, notes=notes)
        notes = ()


def members_of(file: RecordFile) -> list[RecordFile]:
    """
    Return the tables in a file: those of a ZIP archive, unpacked to private copies, or the file itself.

    Parameters
    ----------
    file
        A file.

    Returns
    -------
    list of RecordFile
        At least one.

    Raises
    ------
    DataError
        If an archive is damaged or holds no tables.
    """
    if file.table is not None:
        return [file]
    path = file.path or stdin_copy()
    if not path.is_file() or form_of_file(file.name, path) != "zip":
        return [file]
    about = path.stat()
    name = file.name.removesuffix(f"#{file.part}") if file.part else file.name
    members = _unpacked(name, path, file.part, (about.st_size, about.st_mtime_ns))
    is_part = file.is_part or len(members) > 1
    return [
        RecordFile(
            f"{name}#{member}",
            copy.path,
            file.hive | _hive_values(Path(member)),
            is_part=is_part,
            copy=copy,
            archive=path,
            notes=() if number else file.notes,
        )
        for number, (member, copy) in enumerate(members)
    ]


@lru_cache(maxsize=16)
def _unpacked(name: str, path: Path, member: str | None, _state: tuple[int, int]) -> tuple[tuple[str, PrivateCopy], ...]:
    """Return the members of an archive; cached for each state of it."""
    return zip_members(name, path, member, lambda other: is_records(Path(other)))


def is_records(path: Path) -> bool:
    """
    Return whether a file name has a suffix of record files.

    Parameters
    ----------
    path
        File name.

    Returns
    -------
    bool
        True for tables, and for texts, compressed or not.
    """
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
