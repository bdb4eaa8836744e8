"""What is named to what is read: files, folders, globs and hive partitions."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

STDIN = "-"
TABLES = (".parquet", ".pq")
TEXTS = (".csv", ".tsv", ".txt")
PACKED = (".gz", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class Found:
    """
    One file that is to be read.

    Attributes
    ----------
    name
        What messages call it.
    path
        Where it lies; None for standard input.
    hive
        Values by name from folders called ``name=value`` on the way to it.
    is_part
        Whether it was found in a folder or by a glob, where a part without rows is no error.
    """

    name: str
    path: Path | None
    hive: dict[str, str] = field(default_factory=dict)
    is_part: bool = False


def find_files(paths: Sequence[str | PathLike[str]]) -> list[Found]:
    """
    Files that names stand for, in order; those of a folder or a glob by name.

    Parameters
    ----------
    paths
        Files, folders (with all folders in them), globs, or ``-`` for standard input. In folders, names that begin with ``.`` or ``_`` are
        passed over.

    Returns
    -------
    list of Found
        Each file once.

    Raises
    ------
    DataError
        If nothing is named or found, a file is found twice, or a folder holds a file of another kind.
    """
    found = [one for path in paths for one in _expanded(str(path))]
    if not found:
        msg = "no file of records was named; name at least one, or - for standard input"
        raise DataError(msg)
    seen: set[str] = set()
    for one in found:
        key = one.name if one.path is None else str(one.path.resolve())
        if key in seen:
            msg = f"{one.name}: named twice; its records would count twice; leave one of them out"
            raise DataError(msg)
        seen.add(key)
    return found


def _expanded(text: str) -> Iterator[Found]:
    """Yield the files that one name stands for."""
    path = Path(text)
    if text == STDIN:
        yield Found("stdin", None)
    elif path.is_dir():
        yield from _in_folder(path)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        if not matches:
            msg = f"{text}: matches no file; check the pattern"
            raise DataError(msg)
        for match in matches:
            one = Path(match)
            if one.is_dir():
                yield from _in_folder(one)
            elif not one.name.startswith((".", "_")):
                yield Found(match, one, _hive(one), is_part=True)
    else:
        yield Found(text, path, _hive(path))


def _in_folder(folder: Path) -> Iterator[Found]:
    """Yield the files of records in a folder, and refuse any other file."""
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
        yield Found(str(path), path, _hive(path), is_part=True)


def _is_records(path: Path) -> bool:
    """Whether a file is called like one of records."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return False
    if suffixes[-1] in PACKED:
        return len(suffixes) > 1 and suffixes[0] in TEXTS
    return suffixes[-1] in TABLES + TEXTS


def _hive(path: Path) -> dict[str, str]:
    """Return values by name of the folders ``name=value`` above a file."""
    pairs = (part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {name: value for name, value in pairs if name.isidentifier()}
